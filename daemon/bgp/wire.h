// SPDX-License-Identifier: GPL-2.0-or-later
// The two cursors every BGP message is read and written through. A reader never looks past its end: a read that asks
// for too much yields zeroes and sets `failed`, which is tested once per unit read. A writer that runs out of room
// drops what follows and sets `full`. Numbers are in network order on the wire.
#pragma once

#include "util/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct vnrs_wire {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct vnrs_wire vnrs_wire_make(const uint8_t *bytes, size_t len)
{
    return (struct vnrs_wire){.at = bytes, .left = len};
}

// The next `n` bytes, or NULL. A failed cursor is empty.
static inline const uint8_t *vnrs_wire_take(struct vnrs_wire *w, size_t n)
{
    if (n > w->left) {
        w->failed = true;
        w->left = 0;
        return NULL;
    }
    const uint8_t *p = w->at;
    w->at += n;
    w->left -= n;
    return p;
}

// A cursor over the next `n` bytes, empty and failed when there are fewer.
static inline struct vnrs_wire vnrs_wire_sub(struct vnrs_wire *w, size_t n)
{
    const uint8_t *p = vnrs_wire_take(w, n);
    return (struct vnrs_wire){.at = p ? p : w->at, .left = p ? n : 0, .failed = !p};
}

static inline uint8_t vnrs_wire_u8(struct vnrs_wire *w)
{
    const uint8_t *p = vnrs_wire_take(w, 1);
    return p ? p[0] : 0;
}

static inline uint16_t vnrs_wire_u16(struct vnrs_wire *w)
{
    const uint8_t *p = vnrs_wire_take(w, 2);
    if (!p)
        return 0;
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t vnrs_wire_u32(struct vnrs_wire *w)
{
    const uint8_t *p = vnrs_wire_take(w, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

struct vnrs_wire_out {
    uint8_t *at;
    size_t left;
    bool full;
};

static inline struct vnrs_wire_out vnrs_wire_out_make(uint8_t *buf, size_t size)
{
    return (struct vnrs_wire_out){.at = buf, .left = size};
}

// Room for the next `n` bytes, to be filled by the caller, or NULL. A full cursor takes nothing more.
static inline uint8_t *vnrs_wire_reserve(struct vnrs_wire_out *w, size_t n)
{
    if (w->full || n > w->left) {
        w->full = true;
        return NULL;
    }
    uint8_t *p = w->at;
    w->at += n;
    w->left -= n;
    return p;
}

static inline void vnrs_wire_put(struct vnrs_wire_out *w, const void *bytes, size_t n)
{
    uint8_t *p = vnrs_wire_reserve(w, n);
    if (p && n)
        memcpy(p, bytes, n);
}

static inline void vnrs_wire_put_u8(struct vnrs_wire_out *w, uint8_t v)
{
    vnrs_wire_put(w, &v, 1);
}

static inline void vnrs_wire_put_u16(struct vnrs_wire_out *w, uint16_t v)
{
    vnrs_wire_put(w, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static inline void vnrs_wire_put_u32(struct vnrs_wire_out *w, uint32_t v)
{
    vnrs_wire_put(w, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}
