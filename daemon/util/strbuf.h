// SPDX-License-Identifier: GPL-2.0-or-later
// Growable text. Running out of memory while building text is remembered in `failed` and tested once at the end.
#pragma once

#include "util/macros.h"

#include <stdbool.h>

struct vnrs_strbuf {
    char *text; // NUL-terminated once anything was added, else NULL
    size_t len, cap;
    bool failed;
};

void vnrs_strbuf_fini(struct vnrs_strbuf *buf);
void vnrs_strbuf_add(struct vnrs_strbuf *buf, const char *text, size_t len);
void vnrs_strbuf_puts(struct vnrs_strbuf *buf, const char *text);
void vnrs_strbuf_printf(struct vnrs_strbuf *buf, const char *fmt, ...) VNRS_PRINTF(2, 3);
// The text, owned by the caller, or NULL when memory ran out. The buffer is empty afterwards.
char *vnrs_strbuf_take(struct vnrs_strbuf *buf) VNRS_MUST_CHECK;

// Copy `src` into a fixed field, always terminated; true when it fitted whole.
bool vnrs_str_copy(char *dst, size_t size, const char *src);
