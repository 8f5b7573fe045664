// SPDX-License-Identifier: GPL-2.0-or-later
#include "test_msg_hex.h"

#include <errno.h>
#include <stdlib.h>

#define FIXED "04 fde9 00b4 0a000001"

static const struct row {
    const char *what, *body;
    int subcode; // -1: accepted; 100: header error, bad length
    const char *data;
    struct vnrs_bgp_open want;
} rows[] = {
    {"no parameters", FIXED "00", -1, NULL, {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"hold time zero", "04 fde9 0000 0a000001 00", -1, NULL, {.asn = 65001, .id = 0x0a000001}},
    {"hold time three", "04 fde9 0003 0a000001 00", -1, NULL, {.asn = 65001, .hold = 3, .id = 0x0a000001}},
    {"Azure's own",
     "04 ffeb 00b4 0a010084 16 0214 010400010001 010400020001 0200 41040000ffeb",
     -1,
     NULL,
     {.asn = 65515,
      .hold = 180,
      .id = 0x0a010084,
      .caps = {.mp = {true, true}, .any_mp = true, .refresh = true, .as4 = true}}},
    {"one parameter a capability",
     FIXED "0e 0206 010400020001 0202 0200 0200",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.mp = {false, true}, .any_mp = true, .refresh = true}}},
    {"4-octet ASN",
     "04 5ba0 00b4 0a000001 08 0206 4104 fffffffe",
     -1,
     NULL,
     {.asn = 4294967294, .hold = 180, .id = 0x0a000001, .caps = {.as4 = true}}},
    {"everything we know",
     FIXED "1c 021a 0600 4600 4a00 400a c07b 0001 01 80 0002 01 00 0104 0001 00 01 0200",
     -1,
     NULL,
     {.asn = 65001,
      .hold = 180,
      .id = 0x0a000001,
      .caps = {.mp = {true, false},
               .any_mp = true,
               .refresh = true,
               .extended_message = true,
               .enhanced_refresh = true,
               .bfd_strict = true,
               .graceful_restart = true,
               .gr_restarted = true,
               .gr_notification = true,
               .gr_time = 123,
               .gr_af = {true, true},
               .gr_forwarding = {true, false}}}},
    {"unknown capabilities are ignored",
     FIXED "10 020e 4900 8300 0504000000ff 0200 ff00",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.refresh = true}}},
    {"family not ours counts as multiprotocol",
     FIXED "08 0206 0104 0019 00 46",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.any_mp = true}}},
    {"graceful restart of odd length is not used",
     FIXED "07 0205 4003 007800",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"graceful restart: the last one counts",
     FIXED "0e 020c 4006 8078 0001 01 80 4002 0005",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.graceful_restart = true, .gr_time = 5}}},
    {"ADD-PATH: receive, send, of a family not ours",
     FIXED "10 020e 450c 0001 01 01 0002 01 02 0019 46 03",
     -1,
     NULL,
     {.asn = 65001,
      .hold = 180,
      .id = 0x0a000001,
      .caps = {.add_path_receive = {true, false}, .add_path_send = {false, true}}}},
    {"ADD-PATH: the last one counts",
     FIXED "12 0210 4508 0001 01 03 0002 01 03 4504 0002 01 01",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.add_path_receive = {false, true}}}},
    {"ADD-PATH: the last one that is understood",
     FIXED "14 0212 4504 0001 01 03 4504 0001 01 04 4504 0001 01 00",
     -1,
     NULL,
     {.asn = 65001,
      .hold = 180,
      .id = 0x0a000001,
      .caps = {.add_path_receive = {true, false}, .add_path_send = {true, false}}}},
    {"ADD-PATH: one bad value spoils all of it",
     FIXED "0c 020a 4508 0001 01 03 0002 01 ff",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"ADD-PATH of odd length is not used",
     FIXED "09 0207 4505 0001 01 03 00",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"ADD-PATH, empty", FIXED "04 0202 4500", -1, NULL, {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"IPv4 over IPv6, among others",
     FIXED "16 0214 0512 0001 0002 0002 0001 0001 0002 0001 0080 0002",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.ext_nexthop = true}}},
    {"IPv4 over IPv6: others only",
     FIXED "16 0214 0512 0001 0002 0002 0002 0001 0002 0001 0001 0001",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"IPv4 over IPv6, in either instance",
     FIXED "12 0210 0506 0001 0001 0002 0506 0001 0080 0002",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.ext_nexthop = true}}},
    {"IPv4 over IPv6 of odd length is not used",
     FIXED "0b 0209 0507 0001 0001 0002 00",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"route refresh with a value is not used",
     FIXED "05 0203 0201 00",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"extended parameters",
     FIXED "ff ff 000b 02 0008 0200 4104 0000fde9",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.refresh = true, .as4 = true}}},
    {"extended parameters, first length octet is not 255",
     FIXED "01 ff 0005 02 0002 0200",
     -1,
     NULL,
     {.asn = 65001, .hold = 180, .id = 0x0a000001, .caps = {.refresh = true}}},
    {"extended parameters, none", FIXED "ff ff 0000", -1, NULL, {.asn = 65001, .hold = 180, .id = 0x0a000001}},
    {"empty capability parameter", FIXED "02 0200", -1, NULL, {.asn = 65001, .hold = 180, .id = 0x0a000001}},

    {"version 3", "03 fde9 00b4 0a000001 00", 1, "0004", {0}},
    {"version 5", "05 fde9 00b4 0a000001 00", 1, "0004", {0}},
    {"AS 0", "04 0000 00b4 0a000001 00", 2, NULL, {0}},
    {"AS 0 in the capability", FIXED "08 0206 4104 00000000", 2, NULL, {0}},
    {"identifier 0", "04 fde9 00b4 00000000 00", 3, NULL, {0}},
    {"hold time 1", "04 fde9 0001 0a000001 00", 6, NULL, {0}},
    {"hold time 2", "04 fde9 0002 0a000001 00", 6, NULL, {0}},
    {"unknown parameter", FIXED "04 0102 0000", 4, NULL, {0}},
    {"unknown parameter, extended form", FIXED "ff ff 0003 05 0000", 4, NULL, {0}},
    {"parameters longer than the message", FIXED "06 0202 0200", 0, NULL, {0}},
    {"bytes behind the parameters", FIXED "04 0202 0200 00", 0, NULL, {0}},
    {"bytes behind no parameters", FIXED "00 00", 0, NULL, {0}},
    {"ends at the length octet that says 255", FIXED "ff", 0, NULL, {0}},
    {"ends after the extended type", FIXED "ff ff", 0, NULL, {0}},
    {"ends inside the extended length", FIXED "ff ff 00", 0, NULL, {0}},
    {"extended length is wrong", FIXED "ff ff 0009 02 0002 0200", 0, NULL, {0}},
    {"parameter without a length", FIXED "01 02", 0, NULL, {0}},
    {"extended parameter with half a length", FIXED "ff ff 0002 02 00", 0, NULL, {0}},
    {"parameter longer than the rest", FIXED "04 0203 0200", 0, NULL, {0}},
    {"capability without a length", FIXED "03 0201 02", 0, NULL, {0}},
    {"capability longer than the rest", FIXED "04 0202 0201", 0, NULL, {0}},
    {"multiprotocol of length 3", FIXED "07 0205 0103 000100", 0, NULL, {0}},
    {"multiprotocol of length 5", FIXED "09 0207 0105 0001000100", 0, NULL, {0}},
    {"4-octet ASN of length 2", FIXED "06 0204 4102 fde9", 0, NULL, {0}},
    {"no parameter length", FIXED, 100, "001c", {0}},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];
        struct vnrs_bgp_error error = {0};
        struct vnrs_bgp_open open = {0};
        uint8_t msg[256];
        size_t len = hex_message(VNRS_BGP_OPEN, r->body, msg, sizeof(msg));
        // A copy of exactly that size, so that a sanitizer sees any read beyond it.
        _free_ uint8_t *tight = malloc(len);

        print_message("  %s\n", r->what);
        assert_non_null(tight);
        memcpy(tight, msg, len);
        int err = vnrs_bgp_open_decode(tight, len, &open, &error);
        assert_int_equal(err, r->subcode < 0 ? 0 : -EBADMSG);
        if (r->subcode == 100)
            assert_error(&error, VNRS_BGP_ERR_HEADER, 2, r->data);
        else if (r->subcode >= 0)
            assert_error(&error, VNRS_BGP_ERR_OPEN, (unsigned)r->subcode, r->data);
        else
            assert_memory_equal(&open, &r->want, sizeof(open));
    }
}

static void test_azure_wire_image(void **state)
{
    const struct vnrs_bgp_open open = {
        .asn = 65515,
        .hold = 180,
        .id = 0x0a010084,
        .caps = {.mp = {true, true}, .any_mp = true, .refresh = true, .as4 = true},
    };
    uint8_t buf[VNRS_BGP_MSG_MAX];

    (void)state;
    int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "ffffffffffffffffffffffffffffffff 0033 01 04 ffeb 00b4 0a010084 16 0214"
               "0104 0001 0001 0104 0002 0001 0200 4104 0000ffeb");
    for (size_t size = 0; size < 51; size++)
        assert_int_equal(vnrs_bgp_open_encode(&open, buf, size), -ENOBUFS);
}

static void test_no_capabilities(void **state)
{
    const struct vnrs_bgp_open open = {.asn = 70000, .hold = 3, .id = 1};
    uint8_t buf[64];

    (void)state;
    int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));
    assert_hex(buf + 19, (size_t)len - 19, "04 5ba0 0003 00000001 00");
}

// Every set of capabilities comes back as it was.
static void test_round_trip(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << 18; bits += bits < 1u << 12 ? 1 : 37) {
        struct vnrs_bgp_caps caps = {
            .mp = {bits & 1, bits & 2},
            .any_mp = bits & 3,
            .refresh = bits & 4,
            .enhanced_refresh = bits & 8,
            .as4 = bits & 16,
            .extended_message = bits & 32,
            .graceful_restart = bits & 64,
            .add_path_receive = {bits & 1 << 12, bits & 1 << 13},
            .add_path_send = {bits & 1 << 14, bits & 1 << 15},
            .ext_nexthop = bits & 1 << 16,
            .bfd_strict = bits & 1 << 17,
        };
        if (caps.graceful_restart) {
            caps.gr_restarted = bits & 128;
            caps.gr_notification = bits & 2048;
            caps.gr_time = (uint16_t)(bits & 0xfff);
            caps.gr_af[0] = bits & 256;
            caps.gr_forwarding[0] = caps.gr_af[0] && bits & 512;
            caps.gr_af[1] = bits & 1024;
        }
        struct vnrs_bgp_open open = {.asn = bits & 16 ? 65536 + bits : 1 + bits % 4096, .hold = 90, .id = bits + 1};
        struct vnrs_bgp_open back = {0};
        struct vnrs_bgp_error error;
        uint8_t buf[VNRS_BGP_MSG_MAX];

        open.caps = caps;
        int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));
        assert_true(len >= 29);
        assert_int_equal(vnrs_bgp_open_decode(buf, (size_t)len, &back, &error), 0);
        assert_memory_equal(&back, &open, sizeof(open));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_azure_wire_image),
        cmocka_unit_test(test_no_capabilities),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests_name("bgp.open", tests, NULL, NULL);
}
