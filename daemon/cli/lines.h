// SPDX-License-Identifier: GPL-2.0-or-later
// Lines out of a stream that comes in pieces.
#pragma once

#include "util/macros.h"
#include "util/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct vnrs_lines {
    void (*line)(void *arg, const char *text, size_t len); // without its end; not terminated
    void *arg;
    struct vnrs_strbuf rest; // the beginning of one
};

// False: out of memory.
bool vnrs_lines_add(struct vnrs_lines *lines, const void *bytes, size_t len) VNRS_MUST_CHECK;
void vnrs_lines_fini(struct vnrs_lines *lines);
