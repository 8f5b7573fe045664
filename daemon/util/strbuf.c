// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void vnrs_strbuf_fini(struct vnrs_strbuf *buf)
{
    free(buf->text);
    *buf = (struct vnrs_strbuf){0};
}

static bool strbuf_reserve(struct vnrs_strbuf *buf, size_t more)
{
    size_t need = buf->len + more + 1;

    if (buf->failed)
        return false;
    if (buf->text && need <= buf->cap)
        return true;
    size_t cap = MAX(need, buf->cap * 2 + 64);
    char *text = realloc(buf->text, cap);
    if (!text) {
        buf->failed = true;
        return false;
    }
    buf->text = text;
    buf->cap = cap;
    return true;
}

void vnrs_strbuf_add(struct vnrs_strbuf *buf, const char *text, size_t len)
{
    if (!strbuf_reserve(buf, len))
        return;
    if (len)
        memcpy(buf->text + buf->len, text, len);
    buf->len += len;
    buf->text[buf->len] = '\0';
}

void vnrs_strbuf_puts(struct vnrs_strbuf *buf, const char *text)
{
    vnrs_strbuf_add(buf, text, strlen(text));
}

void vnrs_strbuf_printf(struct vnrs_strbuf *buf, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0 || !strbuf_reserve(buf, (size_t)len))
        return;
    va_start(ap, fmt);
    (void)vsnprintf(buf->text + buf->len, (size_t)len + 1, fmt, ap);
    va_end(ap);
    buf->len += (size_t)len;
}

char *vnrs_strbuf_take(struct vnrs_strbuf *buf)
{
    char *text = NULL;

    if (!buf->text)
        vnrs_strbuf_puts(buf, "");
    if (!buf->failed)
        text = TAKE_PTR(buf->text);
    vnrs_strbuf_fini(buf);
    return text;
}

bool vnrs_str_copy(char *dst, size_t size, const char *src)
{
    size_t len = strnlen(src, size);

    if (len == size) {
        memcpy(dst, src, size - 1);
        dst[size - 1] = '\0';
        return false;
    }
    memcpy(dst, src, len + 1);
    return true;
}
