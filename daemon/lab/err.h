// SPDX-License-Identifier: GPL-2.0-or-later
// One sentence about what the kernel or a program refused, beside the errno: it travels to the user in a reply.
#pragma once

#include "util/macros.h"

struct vnrs_err {
    char text[256];
};

// Sets the sentence and returns `code`, so that callers can write `return vnrs_err_set(err, -EPERM, …)`.
int vnrs_err_set(struct vnrs_err *err, int code, const char *fmt, ...) VNRS_PRINTF(3, 4);
// The same, followed by the text of the negative errno `code`; keeps a sentence that is already there.
int vnrs_err_errno(struct vnrs_err *err, int code, const char *fmt, ...) VNRS_PRINTF(3, 4);
