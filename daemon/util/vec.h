// SPDX-License-Identifier: GPL-2.0-or-later
// Typed growable array. `VEC(struct foo) v = {0};` then vec_push(&v, item) and vec_foreach(f, &v).
// Elements move when the array grows, so no pointer to an element survives a push.
#pragma once

#include "util/macros.h"

#include <errno.h>
#include <string.h>

#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *items;                                                                                                   \
        size_t len, cap;                                                                                               \
    }

// Make room for one more of `size` bytes. Returns 0 or -ENOMEM; nothing changes on failure.
int vnrs_vec_grow(void **items, size_t *cap, size_t len, size_t size) VNRS_MUST_CHECK;

// Room for one more item. Returns 0 or -ENOMEM.
#define vec_reserve(v)                                                                                                 \
    ((v)->len < (v)->cap ? 0 : vnrs_vec_grow((void **)&(v)->items, &(v)->cap, (v)->len, sizeof(*(v)->items)))

// Append a copy of an lvalue or value. Returns 0 or -ENOMEM.
#define vec_push(v, ...)                                                                                               \
    ({                                                                                                                 \
        int grown_ = vec_reserve(v);                                                                                   \
        if (grown_ == 0)                                                                                               \
            (v)->items[(v)->len++] = (__VA_ARGS__);                                                                    \
        grown_;                                                                                                        \
    })

#define vec_foreach(it, v) for (__typeof__((v)->items + 0) it = (v)->items; it && it < (v)->items + (v)->len; it++)

#define vec_clear(v) ((void)((v)->len = 0))
#define vec_free(v)                                                                                                    \
    do {                                                                                                               \
        free((v)->items);                                                                                              \
        (v)->items = NULL;                                                                                             \
        (v)->len = (v)->cap = 0;                                                                                       \
    } while (0)
