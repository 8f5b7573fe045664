// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses as bytes: one representation in memory, between processes and in maps. Functions are in daemon/net/addr.h.
#pragma once

#include <assert.h>
#include <stdint.h>

enum { VNRS_AF_NONE = 0, VNRS_AF_IPV4 = 4, VNRS_AF_IPV6 = 6 };

// IPv4 uses the first 4 bytes, network order; the rest is zero, so whole structs compare and hash by bytes.
struct vnrs_addr {
    uint8_t family; // VNRS_AF_*; NONE: no address
    uint8_t bytes[16];
};

// Bits past `len` are zero.
struct vnrs_prefix {
    uint8_t family;
    uint8_t len;
    uint8_t bytes[16];
};

struct vnrs_mac {
    uint8_t bytes[6];
};

static_assert(sizeof(struct vnrs_addr) == 17, "no padding");
static_assert(sizeof(struct vnrs_prefix) == 18, "no padding");
