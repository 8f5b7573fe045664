// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/bmp.h"

#include "test_update_text.h"

#include <errno.h>

// A header of a message about the peer 10.0.0.10, AS 65001, at 0x65000000 s and 7 us, behind version and length.
#define PEER_V4 "00 00 0000000000000000 0000000000000000000000000a00000a 0000fde9 0a00000a 65000000 00000007"

static uint8_t buf[VNRS_BMP_MESSAGE_MAX];

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a;
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static struct vnrs_prefix prefix(const char *text)
{
    struct vnrs_prefix p;
    assert_int_equal(vnrs_prefix_parse(text, &p), 0);
    return p;
}

static struct vnrs_bmp_peer peer(const char *text, uint8_t flags)
{
    return (struct vnrs_bmp_peer){.flags = flags,
                                  .addr = addr(text),
                                  .asn = 65001,
                                  .id = 0x0a00000a,
                                  .time_us = 0x65000000 * UINT64_C(1000000) + 7};
}

static void test_begin_and_end(void **state)
{
    char text[VNRS_BMP_TEXT_MAX + 2];

    (void)state;
    int len = vnrs_bmp_initiation_encode("vnrs 1", "rs-0", buf, sizeof(buf));
    assert_hex(buf, (size_t)len, "03 00000018 04 0001 0006 766e72732031 0002 0004 72732d30");
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(vnrs_bmp_initiation_encode("vnrs 1", "rs-0", buf, size), -ENOBUFS);
    len = vnrs_bmp_termination_encode(VNRS_BMP_TERM_RESOURCES, "ab", buf, sizeof(buf));
    assert_hex(buf, (size_t)len, "03 00000012 05 0000 0002 6162 0001 0002 0002");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(vnrs_bmp_termination_encode(0, text, buf, sizeof(buf)), 6 + 4 + VNRS_BMP_TEXT_MAX + 6);
}

static void test_peer_up(void **state)
{
    static const uint8_t sent[] = {1, 2, 3}, received[] = {4, 5};
    struct vnrs_bmp_peer p = peer("10.0.0.10", 0);
    struct vnrs_bmp_peer_up up = {.local = addr("10.0.0.4"),
                                  .local_port = 179,
                                  .remote_port = 0x1234,
                                  .sent = sent,
                                  .sent_len = 3,
                                  .received = received,
                                  .received_len = 2};

    (void)state;
    int len = vnrs_bmp_peer_up_encode(&p, &up, buf, sizeof(buf));
    assert_hex(buf, (size_t)len, "03 00000049 03" PEER_V4 "0000000000000000000000000a000004 00b3 1234 010203 0405");
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(vnrs_bmp_peer_up_encode(&p, &up, buf, size), -ENOBUFS);
    p = peer("fd00::10", 0);
    up.local = addr("fd00::4");
    len = vnrs_bmp_peer_up_encode(&p, &up, buf, sizeof(buf));
    assert_hex(
        buf, (size_t)len,
        "03 00000049 03 00 80 0000000000000000 fd000000000000000000000000000010 0000fde9 0a00000a 65000000 00000007"
        "fd000000000000000000000000000004 00b3 1234 010203 0405");
    // The Loc-RIB: no addresses, and the name of the table.
    p = (struct vnrs_bmp_peer){.type = VNRS_BMP_PEER_LOC_RIB, .asn = 65515, .id = 0x0a000004};
    up = (struct vnrs_bmp_peer_up){.sent = sent, .sent_len = 3, .received = sent, .received_len = 3, .table = "rs"};
    len = vnrs_bmp_peer_up_encode(&p, &up, buf, sizeof(buf));
    assert_hex(
        buf, (size_t)len,
        "03 00000050 03 03 00 0000000000000000 00000000000000000000000000000000 0000ffeb 0a000004 00000000 00000000"
        "00000000000000000000000000000000 0000 0000 010203 010203 0003 0002 7273");
}

static void test_peer_down(void **state)
{
    const struct vnrs_bgp_error error = {.code = 6, .subcode = 2, .data_len = 3, .data = {2, 'o', 'k'}};
    const struct vnrs_bmp_peer p = peer("10.0.0.10", 0);
    static const struct {
        enum vnrs_bmp_down reason;
        const char *hex;
    } cases[] = {
        {VNRS_BMP_DOWN_LOCAL_NOTIFICATION,
         "03 00000049 02" PEER_V4 "01 ffffffffffffffffffffffffffffffff 0018 03 06 02 026f6b"},
        {VNRS_BMP_DOWN_LOCAL_EVENT, "03 00000033 02" PEER_V4 "02 0012"},
        {VNRS_BMP_DOWN_REMOTE_NOTIFICATION,
         "03 00000049 02" PEER_V4 "03 ffffffffffffffffffffffffffffffff 0018 03 06 02 026f6b"},
        {VNRS_BMP_DOWN_REMOTE, "03 00000031 02" PEER_V4 "04"},
        {VNRS_BMP_DOWN_DECONFIGURED, "03 00000031 02" PEER_V4 "05"},
        {VNRS_BMP_DOWN_LOC_RIB, "03 00000037 02" PEER_V4 "06 0003 0002 7273"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int len = vnrs_bmp_peer_down_encode(&p, cases[i].reason, &error, 18, "rs", buf, sizeof(buf));
        assert_hex(buf, (size_t)len, cases[i].hex);
        for (size_t size = 0; size < (size_t)len; size++)
            assert_int_equal(vnrs_bmp_peer_down_encode(&p, cases[i].reason, &error, 18, "rs", buf, size), -ENOBUFS);
    }
}

static void test_routes(void **state)
{
    static const uint8_t path[] = {2, 1, 0, 1, 0x11, 0x70};
    struct vnrs_bgp_attrs a = {.as_path = path, .as_path_bytes = sizeof(path), .nexthop = addr("10.0.0.10")};
    const struct vnrs_prefix v4 = prefix("10.50.0.0/16"), v6 = prefix("2001:db8::/32");
    struct vnrs_bmp_peer p = peer("10.0.0.10", 0);
    size_t used = 0;

    (void)state;
    int len = vnrs_bmp_route_encode(&p, VNRS_BGP_AF4, &a, &v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf, (size_t)len,
               "03 0000005e 00" PEER_V4 "ffffffffffffffffffffffffffffffff 002e 02 0000 0014"
               "400101 00 400206 0201 00011170 400304 0a00000a 10 0a32");
    assert_int_equal(used, 1);
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(vnrs_bmp_route_encode(&p, VNRS_BGP_AF4, &a, &v4, NULL, 1, buf, size, &used), -ENOBUFS);
    // LOCAL_PREF as received, and only then.
    a.has = VNRS_BGP_HAS_LOCAL_PREF;
    a.local_pref = 200;
    p.flags = VNRS_BMP_FLAG_POST_POLICY | VNRS_BMP_FLAG_ADJ_OUT;
    len = vnrs_bmp_route_encode(&p, VNRS_BGP_AF4, &a, &v4, NULL, 1, buf, sizeof(buf), &used);
    assert_int_equal(buf[7], 0x50);
    assert_hex(buf + 48 + 19, (size_t)len - 67,
               "0000 001b 400101 00 400206 0201 00011170 400304 0a00000a 400504 000000c8 10 0a32");
    // Withdrawn.
    len = vnrs_bmp_route_encode(&p, VNRS_BGP_AF4, NULL, &v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 48 + 19, (size_t)len - 67, "0003 10 0a32 0000");
    len = vnrs_bmp_route_encode(&p, VNRS_BGP_AF6, NULL, &v6, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 48 + 19, (size_t)len - 67, "0000 000b 800f08 0002 01 20 20010db8");
    // With a path identifier; and an IPv6 next hop of an IPv4 prefix.
    len = vnrs_bmp_route_encode(&p, VNRS_BGP_AF4, NULL, &v4, (const uint32_t[]){7}, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 48 + 19, (size_t)len - 67, "0007 00000007 10 0a32 0000");
    a.nexthop = addr("fd00::10");
    assert_true(vnrs_bmp_route_encode(&p, VNRS_BGP_AF4, &a, &v4, NULL, 1, buf, sizeof(buf), &used) > 0);
    // All there was.
    len = vnrs_bmp_eor_encode(&p, VNRS_BGP_AF4, buf, sizeof(buf));
    assert_hex(buf + 48, (size_t)len - 48, "ffffffffffffffffffffffffffffffff 0017 02 0000 0000");
    len = vnrs_bmp_eor_encode(&p, VNRS_BGP_AF6, buf, sizeof(buf));
    assert_hex(buf + 48 + 19, (size_t)len - 67, "0000 0006 800f03 0002 01");
    assert_int_equal(vnrs_bmp_eor_encode(&p, VNRS_BGP_AF4, buf, 70), -ENOBUFS);
}

// 4,096 octets are enough for most; a set that fills them goes into a longer message.
static void test_long_attributes(void **state)
{
    static uint32_t communities[1100];
    static struct vnrs_prefix many[2000];
    struct vnrs_bgp_attrs a = {.communities = communities, .n_communities = 1100, .nexthop = addr("10.0.0.10")};
    const struct vnrs_bmp_peer p = peer("10.0.0.10", 0);
    size_t used = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = prefix("10.50.0.0/16");
    int len = vnrs_bmp_route_encode(&p, VNRS_BGP_AF4, &a, many, NULL, 1, buf, sizeof(buf), &used);
    assert_true(len > 4400 + 48 && used == 1);
    a.n_communities = 1;
    len = vnrs_bmp_route_encode(&p, VNRS_BGP_AF4, &a, many, NULL, ARRAY_SIZE(many), buf, sizeof(buf), &used);
    assert_true(len <= 4096 + 48 && len > 4090 + 48 && used < ARRAY_SIZE(many));
}

static void test_statistics(void **state)
{
    const struct vnrs_bmp_stat stats[] = {{VNRS_BMP_STAT_LOOPS, false, 3}, {VNRS_BMP_STAT_ADJ_IN, true, 0x100000002}};
    const struct vnrs_bmp_peer p = peer("10.0.0.10", 0);

    (void)state;
    int len = vnrs_bmp_statistics_encode(&p, stats, 2, buf, sizeof(buf));
    assert_hex(buf, (size_t)len, "03 00000048 01" PEER_V4 "00000002 0004 0004 00000003 0007 0008 0000000100000002");
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(vnrs_bmp_statistics_encode(&p, stats, 2, buf, size), -ENOBUFS);
}

static void test_mirror(void **state)
{
    static const uint8_t msg[] = {0xaa, 0xbb, 0xcc};
    const struct vnrs_bmp_peer p = peer("10.0.0.10", 0);

    (void)state;
    int len = vnrs_bmp_mirror_encode(&p, VNRS_BMP_MIRROR_ERRORED, msg, 3, buf, sizeof(buf));
    assert_hex(buf, (size_t)len, "03 0000003d 06" PEER_V4 "0001 0002 0000 0000 0003 aabbcc");
    len = vnrs_bmp_mirror_encode(&p, VNRS_BMP_MIRROR_LOST, NULL, 0, buf, sizeof(buf));
    assert_hex(buf, (size_t)len, "03 00000036 06" PEER_V4 "0001 0002 0001");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_and_end),   cmocka_unit_test(test_peer_up),    cmocka_unit_test(test_peer_down),
        cmocka_unit_test(test_routes),          cmocka_unit_test(test_statistics), cmocka_unit_test(test_mirror),
        cmocka_unit_test(test_long_attributes),
    };
    return cmocka_run_group_tests_name("bgp.bmp", tests, NULL, NULL);
}
