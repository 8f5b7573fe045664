// SPDX-License-Identifier: GPL-2.0-or-later
#include "test_msg_hex.h"

#include <errno.h>

static void test_keepalive(void **state)
{
    uint8_t buf[32];

    (void)state;
    assert_int_equal(vnrs_bgp_keepalive_encode(buf, 18), -ENOBUFS);
    assert_int_equal(vnrs_bgp_keepalive_encode(buf, 19), 19);
    assert_hex(buf, 19, "ffffffffffffffffffffffffffffffff 0013 04");
}

static void test_end_of_rib(void **state)
{
    uint8_t buf[32];

    (void)state;
    assert_int_equal(vnrs_bgp_eor_encode(VNRS_BGP_AF4, buf, sizeof(buf)), 23);
    assert_hex(buf + 16, 7, "0017 02 0000 0000");
    assert_int_equal(vnrs_bgp_eor_encode(VNRS_BGP_AF6, buf, sizeof(buf)), 29);
    assert_hex(buf + 16, 13, "001d 02 0000 0006 800f03 0002 01");
    assert_int_equal(vnrs_bgp_eor_encode(VNRS_BGP_AF6, buf, 28), -ENOBUFS);
}

static void test_notification(void **state)
{
    struct vnrs_bgp_error error = {.code = 2, .subcode = 1, .data_len = 2, .data = {0, 4}}, back = {0};
    uint8_t buf[VNRS_BGP_MSG_MAX];

    (void)state;
    int len = vnrs_bgp_notification_encode(&error, buf, sizeof(buf));
    assert_hex(buf + 16, (size_t)len - 16, "0017 03 02 01 0004");
    assert_int_equal(vnrs_bgp_notification_decode(buf, (size_t)len, &back), 0);
    assert_memory_equal(&back, &error, sizeof(error));
    assert_int_equal(vnrs_bgp_notification_encode(&error, buf, 22), -ENOBUFS);
    assert_int_equal(vnrs_bgp_notification_decode(buf, 20, &back), -EBADMSG);
    assert_error(&back, VNRS_BGP_ERR_HEADER, 2, "0014");

    memset(buf + 21, 0xab, sizeof(buf) - 21); // more data than is kept
    assert_int_equal(vnrs_bgp_notification_decode(buf, sizeof(buf), &back), 0);
    assert_int_equal(back.data_len, VNRS_BGP_ERROR_DATA_MAX);
}

static void test_refresh(void **state)
{
    static const struct {
        const char *what, *body;
        int want, af, subtype;
        unsigned code, subcode;
    } rows[] = {
        {"IPv4", "0001 00 01", 0, VNRS_BGP_AF4, 0, 0, 0},
        {"IPv6, begin", "0002 01 01", 0, VNRS_BGP_AF6, 1, 0, 0},
        {"IPv6, end", "0002 02 01", 0, VNRS_BGP_AF6, 2, 0, 0},
        {"multicast", "0001 00 02", -EAFNOSUPPORT, 0, 0, 0, 0},
        {"EVPN", "0019 00 46", -EAFNOSUPPORT, 0, 0, 0, 0},
        {"subtype of the future", "0001 03 01", -EAFNOSUPPORT, 0, 0, 0, 0},
        {"too short", "0001 00", -EBADMSG, 0, 0, 1, 2},
        {"empty", "", -EBADMSG, 0, 0, 1, 2},
        {"with filters we did not offer", "0001 00 01 01 02 0000", -EBADMSG, 0, 0, 1, 2},
        {"begin, too short", "0001 01", -EBADMSG, 0, 0, 7, 1},
        {"end, too long", "0001 02 01 00", -EBADMSG, 0, 0, 7, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_bgp_error error = {0};
        uint8_t msg[64], back[64], af = 99, subtype = 99;
        size_t len = hex_message(VNRS_BGP_ROUTE_REFRESH, rows[i].body, msg, sizeof(msg));

        print_message("  %s\n", rows[i].what);
        assert_int_equal(vnrs_bgp_refresh_decode(msg, len, &af, &subtype, &error), rows[i].want);
        assert_int_equal(error.code, rows[i].code);
        assert_int_equal(error.subcode, rows[i].subcode);
        if (rows[i].code == VNRS_BGP_ERR_REFRESH) // RFC 7313 section 5: the whole message
            assert_memory_equal(error.data, msg, len);
        if (rows[i].want < 0)
            continue;
        assert_int_equal(af, rows[i].af);
        assert_int_equal(subtype, rows[i].subtype);
        assert_int_equal(vnrs_bgp_refresh_encode(af, subtype, back, sizeof(back)), 23);
        assert_memory_equal(back, msg, 23);
        assert_int_equal(vnrs_bgp_refresh_encode(af, subtype, back, 22), -ENOBUFS);
    }
}

static void test_shutdown_text(void **state)
{
    static const struct {
        const char *what;
        uint8_t code, subcode;
        const char *data; // hex
        const char *want;
        size_t size;
    } rows[] = {
        {"plain", 6, 2, "02 6f6b", "ok", 64},
        {"reset", 6, 4, "02 6f6b", "ok", 64},
        {"other subcode", 6, 3, "02 6f6b", "", 64},
        {"other code", 2, 2, "02 6f6b", "", 64},
        {"none", 6, 2, "", "", 64},
        {"empty", 6, 2, "00", "", 64},
        {"shorter than the data", 6, 2, "01 6f6b", "o", 64},
        {"length beyond the data", 6, 2, "05 6f6b", "", 64},
        {"UTF-8", 6, 2, "06 c3a9 f09f9880", "\xc3\xa9\xf0\x9f\x98\x80", 64},
        {"escape sequence", 6, 2, "05 1b5b324a 0a", "?[2J?", 64},
        {"C1 control", 6, 2, "02 c29b", "?", 64},
        {"NUL inside", 6, 2, "03 610062", "a?b", 64},
        {"broken UTF-8", 6, 2, "04 61 c3 62 80", "a?b?", 64},
        {"overlong", 6, 2, "02 c0af", "??", 64},
        {"surrogate", 6, 2, "03 eda080", "???", 64},
        {"beyond Unicode", 6, 2, "04 f4908080", "????", 64},
        {"cut at a whole character", 6, 2, "04 61 c3a9 62", "a", 3},
        {"room for the end only", 6, 2, "02 6f6b", "", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_bgp_error error = {.code = rows[i].code, .subcode = rows[i].subcode};
        char buf[64] = "untouched";

        print_message("  %s\n", rows[i].what);
        error.data_len = (uint16_t)hex_bytes(rows[i].data, error.data, sizeof(error.data));
        assert_ptr_equal(vnrs_bgp_error_format(&error, buf, rows[i].size), buf);
        assert_string_equal(buf, rows[i].want);
    }

    struct vnrs_bgp_error whole = {.code = 6, .subcode = 2, .data_len = 256};
    char buf[300];
    memset(whole.data, 'x', sizeof(whole.data));
    whole.data[0] = 255;
    assert_int_equal(strlen(vnrs_bgp_error_format(&whole, buf, sizeof(buf))), 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keepalive), cmocka_unit_test(test_end_of_rib),    cmocka_unit_test(test_notification),
        cmocka_unit_test(test_refresh),   cmocka_unit_test(test_shutdown_text),
    };
    return cmocka_run_group_tests_name("bgp.msg", tests, NULL, NULL);
}
