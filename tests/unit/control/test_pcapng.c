// SPDX-License-Identifier: GPL-2.0-or-later
// pcapng byte by byte, against the block layouts of the draft. Values are written in this host's byte order, so the
// expectations are built from numbers.
#include "control/pcapng.h"

#include "util/macros.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct expected {
    uint8_t bytes[1024];
    size_t len;
};

static void put(struct expected *e, const void *bytes, size_t n)
{
    memcpy(e->bytes + e->len, bytes, n);
    e->len += n;
}

static void put32(struct expected *e, uint32_t value)
{
    put(e, &value, 4);
}

static void put16(struct expected *e, uint16_t value)
{
    put(e, &value, 2);
}

static void check(struct vnrs_strbuf *out, const struct expected *e)
{
    assert_false(out->failed);
    assert_int_equal(out->len, e->len);
    assert_memory_equal(out->text, e->bytes, e->len);
    vnrs_strbuf_fini(out);
}

static void section_and_interface(void **state)
{
    struct vnrs_strbuf out = {0};
    struct expected e = {0};

    (void)state;
    put32(&e, 0x0a0d0d0a), put32(&e, 48), put32(&e, 0x1a2b3c4d), put16(&e, 1), put16(&e, 0);
    put32(&e, 0xffffffff), put32(&e, 0xffffffff);
    put16(&e, 4), put16(&e, 12), put(&e, "vnrs capture", 12), put32(&e, 0), put32(&e, 48);
    put32(&e, 1), put32(&e, 44), put16(&e, 1), put16(&e, 0), put32(&e, 96);
    put16(&e, 2), put16(&e, 6), put(&e, "a/eth0\0\0", 8);
    put16(&e, 9), put16(&e, 1), put(&e, "\x09\0\0\0", 4), put32(&e, 0), put32(&e, 44);
    vnrs_pcapng_begin(&out, "a/eth0", 96);
    check(&out, &e);
}

static const uint8_t frame[21] = "ABCDEFGHIJKL\x08\x00payload";

static void packet_with_everything(void **state)
{
    struct vnrs_strbuf out = {0};
    struct expected e = {0};
    uint64_t lost = 7;

    (void)state;
    put32(&e, 6), put32(&e, 96), put32(&e, 0), put32(&e, 0x12345678), put32(&e, 0x9abcdef0), put32(&e, 25);
    put32(&e, 1004), put(&e, "abcdefghijkl\x81\x00\x20\x64\x08\x00payload\0\0\0", 28);
    put16(&e, 1), put16(&e, 7), put(&e, "comment\0", 8);
    put16(&e, 2), put16(&e, 4), put32(&e, 1);
    put16(&e, 4), put16(&e, 8), put(&e, &lost, 8);
    put32(&e, 0), put32(&e, 96);
    vnrs_pcapng_packet(&out, &(struct vnrs_pcapng_packet){.time_ns = 0x123456789abcdef0,
                                                          .bytes = frame,
                                                          .n = sizeof(frame),
                                                          .frame_len = 1000,
                                                          .macs = (const uint8_t *)"abcdefghijkl",
                                                          .vlan_type_be = htons(0x8100),
                                                          .vlan_tag = 0x2064,
                                                          .inbound = true,
                                                          .lost = lost,
                                                          .comment = "comment"});
    check(&out, &e);
}

// No more of the addresses or the tag than there is room for.
static void packets_cut_short(void **state)
{
    static const uint32_t lengths[] = {0, 1, 4, 11, 12, 13, 21};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        uint32_t n = lengths[i], tag = n >= 12 ? 4 : 0, padded = (n + tag + 3) & ~3u;
        struct vnrs_strbuf out = {0};
        uint32_t got[7];
        vnrs_pcapng_packet(&out, &(struct vnrs_pcapng_packet){.bytes = frame,
                                                              .n = n,
                                                              .frame_len = 21,
                                                              .macs = (const uint8_t *)"abcdefghijkl",
                                                              .vlan_type_be = 0x0081});
        memcpy(got, out.text, sizeof(got));
        assert_int_equal(got[5], n + tag);
        assert_int_equal(got[6], 21 + tag);
        assert_int_equal(got[1], 28 + padded + 8 + 4 + 4); // flags, end of options, length again
        assert_int_equal(got[1], out.len);
        assert_memory_equal(out.text + 28, "abcdefghijkl", MIN(n, 12u));
        vnrs_strbuf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(section_and_interface),
        cmocka_unit_test(packet_with_everything),
        cmocka_unit_test(packets_cut_short),
    };
    return cmocka_run_group_tests_name("control.pcapng", tests, NULL, NULL);
}
