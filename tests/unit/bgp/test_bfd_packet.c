// SPDX-License-Identifier: GPL-2.0-or-later
// Each rule of RFC 5880 section 6.8.6 by which a packet is discarded, and every field there and back.
#include "bgp/bfd_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GOOD "20 c8 03 18 00000007 00000009 000493e0 000186a0 0000c350"

static size_t unhex(const char *text, uint8_t *ret)
{
    size_t n = 0;
    unsigned byte;

    for (; *text; text += 2, n++) {
        while (*text == ' ')
            text++;
        assert_int_equal(sscanf(text, "%2x", &byte), 1);
        ret[n] = (uint8_t)byte;
    }
    return n;
}

static const struct {
    const char *what, *bytes;
    enum vnrs_bfd_outcome want;
} rows[] = {
    {"good", GOOD, VNRS_BFD_OK},
    {"nothing", "", VNRS_BFD_TRUNCATED},
    {"less than a Length field", "20 c8 03", VNRS_BFD_TRUNCATED},
    {"version 0", "00 c8 03 18 00000007 00000009 000493e0 000186a0 00000000", VNRS_BFD_BAD_VERSION},
    {"version 2", "40 c8 03 18 00000007 00000009 000493e0 000186a0 00000000", VNRS_BFD_BAD_VERSION},
    {"Length 23", "20 c8 03 17 00000007 00000009 000493e0 000186a0 00000000", VNRS_BFD_TOO_SHORT},
    {"Length 25 with authentication", "20 cc 03 19 00000007 00000009 000493e0 000186a0 00000000 01",
     VNRS_BFD_TOO_SHORT},
    {"Length beyond the payload", "20 c8 03 19 00000007 00000009 000493e0 000186a0 00000000", VNRS_BFD_TRUNCATED},
    {"a payload of 23", "20 c8 03 18 00000007 00000009 000493e0 000186a0 000000", VNRS_BFD_TRUNCATED},
    {"more payload than Length", GOOD "ffff", VNRS_BFD_OK},
    {"Length 25 without authentication", "20 c8 03 19 00000007 00000009 000493e0 000186a0 0000c350 01", VNRS_BFD_OK},
    {"multiplier 0", "20 c8 00 18 00000007 00000009 000493e0 000186a0 00000000", VNRS_BFD_NO_MULTIPLIER},
    {"multipoint", "20 c9 03 18 00000007 00000009 000493e0 000186a0 00000000", VNRS_BFD_MULTIPOINT},
    {"My Discriminator 0", "20 c8 03 18 00000000 00000009 000493e0 000186a0 00000000", VNRS_BFD_NO_MY_DISCR},
    {"Your Discriminator 0, AdminDown", "20 08 03 18 00000007 00000000 000493e0 000186a0 0000c350", VNRS_BFD_OK},
    {"Your Discriminator 0, Down", "20 48 03 18 00000007 00000000 000493e0 000186a0 0000c350", VNRS_BFD_OK},
    {"Your Discriminator 0, Init", "20 88 03 18 00000007 00000000 000493e0 000186a0 00000000", VNRS_BFD_NO_YOUR_DISCR},
    {"Your Discriminator 0, Up", "20 c8 03 18 00000007 00000000 000493e0 000186a0 00000000", VNRS_BFD_NO_YOUR_DISCR},
    {"authenticated", "20 cc 03 1a 00000007 00000009 000493e0 000186a0 00000000 0102", VNRS_BFD_AUTHENTICATED},
};

static void discard_rules(void **state)
{
    bool seen[_VNRS_BFD_OUTCOME_MAX] = {false};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t bytes[64];
        struct vnrs_bfd_packet p = {.my_discr = 4711};
        size_t len = unhex(rows[i].bytes, bytes);
        enum vnrs_bfd_outcome got = vnrs_bfd_packet_decode(bytes, len, &p);
        if (got != rows[i].want)
            fail_msg("%s: outcome %d, expected %d", rows[i].what, (int)got, (int)rows[i].want);
        assert_int_equal(p.my_discr, got == VNRS_BFD_OK ? 7 : 4711);
        seen[got] = true;
    }
    for (unsigned i = 0; i < _VNRS_BFD_OUTCOME_MAX; i++)
        assert_true(seen[i]);
}

static void fields(void **state)
{
    uint8_t bytes[VNRS_BFD_PACKET_BYTES];
    struct vnrs_bfd_packet p;

    (void)state;
    assert_int_equal(unhex(GOOD, bytes), sizeof(bytes));
    assert_int_equal(vnrs_bfd_packet_decode(bytes, sizeof(bytes), &p), VNRS_BFD_OK);
    assert_int_equal(p.state, VNRS_BFD_UP);
    assert_int_equal(p.diag, 0);
    assert_true(p.independent && !p.poll && !p.final && !p.demand);
    assert_int_equal(p.multiplier, 3);
    assert_int_equal(p.your_discr, 9);
    assert_int_equal(p.min_tx_us, 300000);
    assert_int_equal(p.min_rx_us, 100000);
    assert_int_equal(p.min_echo_us, 50000);
}

// Every combination of state, diagnostic and flags, with numbers that fill their fields.
static void there_and_back(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << 11; bits++) {
        uint8_t bytes[VNRS_BFD_PACKET_BYTES];
        struct vnrs_bfd_packet p = {
            .state = bits & 3,
            .diag = bits >> 2 & 31,
            .poll = bits >> 7 & 1,
            .final = bits >> 8 & 1,
            .independent = bits >> 9 & 1,
            .demand = bits >> 10 & 1,
            .multiplier = 255,
            .my_discr = UINT32_MAX,
            .your_discr = 0x80000001,
            .min_tx_us = 0xfffffffe,
            .min_rx_us = 0x01020304,
            .min_echo_us = 5,
        };
        struct vnrs_bfd_packet b;
        vnrs_bfd_packet_encode(&p, bytes);
        assert_int_equal(vnrs_bfd_packet_decode(bytes, sizeof(bytes), &b), VNRS_BFD_OK);
        assert_true(b.state == p.state && b.diag == p.diag && b.poll == p.poll && b.final == p.final &&
                    b.independent == p.independent && b.demand == p.demand && b.multiplier == 255);
        assert_true(b.my_discr == p.my_discr && b.your_discr == p.your_discr && b.min_tx_us == p.min_tx_us &&
                    b.min_rx_us == p.min_rx_us && b.min_echo_us == p.min_echo_us);
    }
}

static void texts(void **state)
{
    (void)state;
    assert_string_equal(vnrs_bfd_state_name(VNRS_BFD_ADMIN_DOWN), "AdminDown");
    assert_string_equal(vnrs_bfd_state_name(VNRS_BFD_UP), "Up");
    assert_string_equal(vnrs_bfd_state_name(4), "?");
    assert_string_equal(vnrs_bfd_diag_text(VNRS_BFD_DIAG_EXPIRED), "control detection time expired");
    assert_string_equal(vnrs_bfd_diag_text(VNRS_BFD_DIAG_SIGNALED), "neighbor signaled session down");
    assert_string_equal(vnrs_bfd_diag_text(VNRS_BFD_DIAG_ADMIN), "administratively down");
    assert_string_equal(vnrs_bfd_diag_text(31), "unknown diagnostic");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(discard_rules),
        cmocka_unit_test(fields),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
