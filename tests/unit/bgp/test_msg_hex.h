// SPDX-License-Identifier: GPL-2.0-or-later
// Messages written as hexadecimal text in test tables. Blanks separate as the reader likes.
#pragma once

#include "bgp/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static inline size_t hex_bytes(const char *text, uint8_t *out, size_t size)
{
    size_t n = 0;
    int high = -1;

    for (; text && *text; text++) {
        int digit = *text >= '0' && *text <= '9' ? *text - '0' : *text >= 'a' && *text <= 'f' ? *text - 'a' + 10 : -1;
        if (digit < 0)
            continue;
        if (high < 0) {
            high = digit;
            continue;
        }
        assert_true(n < size);
        out[n++] = (uint8_t)(high << 4 | digit);
        high = -1;
    }
    assert_int_equal(high, -1);
    return n;
}

// A header in front of `len` bytes that already stand at msg + 19. Returns the message's length.
static inline size_t hex_header(uint8_t *msg, uint8_t type, size_t len)
{
    len += VNRS_BGP_HEADER_BYTES;
    memset(msg, 0xff, 16);
    msg[16] = (uint8_t)(len >> 8);
    msg[17] = (uint8_t)len;
    msg[18] = type;
    return len;
}

static inline size_t hex_message(uint8_t type, const char *body, uint8_t *msg, size_t size)
{
    return hex_header(msg, type, hex_bytes(body, msg + VNRS_BGP_HEADER_BYTES, size - VNRS_BGP_HEADER_BYTES));
}

static inline void assert_hex(const void *bytes, size_t len, const char *expected)
{
    static uint8_t want[VNRS_BGP_MSG_EXTENDED_MAX];
    size_t n = hex_bytes(expected, want, sizeof(want));

    assert_int_equal(len, n);
    if (n)
        assert_memory_equal(bytes, want, n);
}

static inline void assert_error(const struct vnrs_bgp_error *error, unsigned code, unsigned subcode, const char *data)
{
    assert_int_equal(error->code, code);
    assert_int_equal(error->subcode, subcode);
    assert_hex(error->data, error->data_len, data);
}
