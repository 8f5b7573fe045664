// SPDX-License-Identifier: GPL-2.0-or-later
// Bump allocator: everything taken from an arena lives until the arena is freed. One desired model lives in one arena.
#pragma once

#include "util/macros.h"

struct vnrs_arena;

struct vnrs_arena *vnrs_arena_new(void) VNRS_MUST_CHECK;
void vnrs_arena_free(struct vnrs_arena *arena); // accepts NULL

// Zeroed memory, aligned for any object. NULL when out of memory.
void *vnrs_arena_alloc(struct vnrs_arena *arena, size_t size) VNRS_MUST_CHECK;
char *vnrs_arena_strndup(struct vnrs_arena *arena, const char *text, size_t len) VNRS_MUST_CHECK;
char *vnrs_arena_printf(struct vnrs_arena *arena, const char *fmt, ...) VNRS_PRINTF(2, 3) VNRS_MUST_CHECK;
// A copy of `size` bytes.
void *vnrs_arena_dup(struct vnrs_arena *arena, const void *bytes, size_t size) VNRS_MUST_CHECK;
