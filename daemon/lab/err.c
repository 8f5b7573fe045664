// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int vnrs_err_set(struct vnrs_err *err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return code;
}

int vnrs_err_errno(struct vnrs_err *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (err->text[0])
        return code;
    va_start(ap, fmt);
    int len = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (len >= 0 && (size_t)len < sizeof(err->text))
        (void)snprintf(err->text + len, sizeof(err->text) - (size_t)len, ": %s", strerror(-code));
    return code;
}
