// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/mrt.h"

#include "lib/mrt_read.h"
#include "test_update_text.h"

#include <errno.h>

static uint8_t buf[VNRS_BGP_MSG_EXTENDED_MAX + VNRS_MRT_MESSAGE_EXTRA];
static struct mrt_reader reader;

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

static const uint8_t path[] = {2, 1, 0, 1, 0x11, 0x70}; // seq 70000

static void test_peer_index(void **state)
{
    const struct vnrs_mrt_peer peers[] = {
        {0x0a000004, 65515, {0}}, {0x01020304, 70000, addr("10.0.0.10")}, {0x05060708, 65002, addr("fd00::10")}};

    (void)state;
    int len = vnrs_mrt_peer_index_encode(0x65000000, 0x0a000004, "rs-0", peers, 3, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "65000000 000d 0001 0000003f 0a000004 0004 72732d30 0003"
               "02 0a000004 00000000 0000ffeb 02 01020304 0a00000a 00011170"
               "03 05060708 fd000000000000000000000000000010 0000fdea");
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(vnrs_mrt_peer_index_encode(0, 0, "rs-0", peers, 3, buf, size), -ENOBUFS);
}

static void test_rib(void **state)
{
    struct vnrs_bgp_attrs a = {.as_path = path, .as_path_bytes = sizeof(path)}, b = a;
    const struct vnrs_prefix v4 = prefix("10.50.0.0/16"), v6 = prefix("2001:db8::/33"), all = prefix("0.0.0.0/0");

    (void)state;
    a.nexthop = addr("10.0.0.10");
    a.has = VNRS_BGP_HAS_MED;
    a.med = 5;
    b.nexthop = addr("10.0.0.11");
    b.has = VNRS_BGP_HAS_LOCAL_PREF;
    b.local_pref = 200;
    const struct vnrs_mrt_entry two[] = {{.peer = 1, .time = 0x64000000, .path_id = 7, .attrs = &a},
                                         {.peer = 2, .time = 0x64000001, .path_id = 8, .attrs = &b}};
    int len = vnrs_mrt_rib_encode(0x65000000, 9, false, &v4, two, 2, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "65000000 000d 0002 0000004f 00000009 10 0a32 0002"
               "0001 64000000 001b 400101 00 400206 0201 00011170 400304 0a00000a 800404 00000005"
               "0002 64000001 001b 400101 00 400206 0201 00011170 400304 0a00000b 400504 000000c8");
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(vnrs_mrt_rib_encode(0, 9, false, &v4, two, 2, buf, size), -ENOBUFS);
    len = vnrs_mrt_rib_encode(0x65000000, 10, true, &all, two, 1, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "65000000 000d 0008 0000002e 0000000a 00 0001"
               "0001 64000000 00000007 001b 400101 00 400206 0201 00011170 400304 0a00000a 800404 00000005");
    a.has = 0;
    a.nexthop = addr("fd00::10");
    a.nexthop_link_local = addr("fe80::1");
    len = vnrs_mrt_rib_encode(0x65000000, 11, false, &v6, two, 1, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "65000000 000d 0004 00000045 0000000b 21 20010db800 0001"
               "0001 64000000 0031 800e21 20 fd000000000000000000000000000010 fe800000000000000000000000000001"
               "400101 00 400206 0201 00011170");
    a.nexthop_link_local = (struct vnrs_addr){0};
    len = vnrs_mrt_rib_encode(0x65000000, 11, true, &v6, two, 1, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "65000000 000d 000a 00000039 0000000b 21 20010db800 0001"
               "0001 64000000 00000007 0021 800e11 10 fd000000000000000000000000000010 400101 00 400206 0201 00011170");
}

static void test_messages(void **state)
{
    const struct vnrs_mrt_ends v4 = {70000, 65515, addr("10.0.0.10"), addr("10.0.0.4")};
    const struct vnrs_mrt_ends v6 = {65001, 65515, addr("fd00::10"), addr("fd00::4")};
    uint8_t msg[19];
    int n = vnrs_bgp_keepalive_encode(msg, sizeof(msg));

    (void)state;
    assert_int_equal(n, 19);
    int len = vnrs_mrt_message_encode(0x65000000, &v4, true, false, msg, 19, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "65000000 0010 0004 00000027 00011170 0000ffeb 0000 0001 0a00000a 0a000004"
               "ffffffffffffffffffffffffffffffff 0013 04");
    len = vnrs_mrt_message_encode(0x65000000, &v4, false, false, msg, 19, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "65000000 0010 0001 00000023 5ba0 ffeb 0000 0001 0a00000a 0a000004"
               "ffffffffffffffffffffffffffffffff 0013 04");
    assert_int_equal(vnrs_mrt_message_encode(0x65000000, &v4, true, true, msg, 19, buf, sizeof(buf)), len + 4);
    assert_int_equal(buf[7], VNRS_MRT_MESSAGE_AS4_ADDPATH);
    assert_int_equal(vnrs_mrt_message_encode(0x65000000, &v4, false, true, msg, 19, buf, sizeof(buf)), len);
    assert_int_equal(buf[7], VNRS_MRT_MESSAGE_ADDPATH);
    len = vnrs_mrt_state_encode(0x65000000, &v6, VNRS_BGP_ST_OPEN_CONFIRM, VNRS_BGP_ST_ESTABLISHED, buf, sizeof(buf));
    assert_hex(buf, (size_t)len,
               "65000000 0010 0005 00000030 0000fde9 0000ffeb 0000 0002 fd000000000000000000000000000010"
               "fd000000000000000000000000000004 0005 0006");
    for (size_t size = 0; size < (size_t)len; size++)
        assert_int_equal(vnrs_mrt_state_encode(0, &v6, 0, 1, buf, size), -ENOBUFS);
}

// The largest message, and what the constant says about its record.
static void test_largest_message(void **state)
{
    const struct vnrs_mrt_ends v6 = {65001, 65515, addr("fd00::10"), addr("fd00::4")};
    static uint8_t msg[VNRS_BGP_MSG_EXTENDED_MAX];

    (void)state;
    int len = vnrs_mrt_message_encode(0, &v6, true, false, msg, sizeof(msg), buf, sizeof(buf));
    assert_int_equal(len, sizeof(buf));
}

// What is written can be read, and nothing that is shorter, longer or refers to what is not there.
static void test_read_back(void **state)
{
    struct vnrs_bgp_attrs a = {.as_path = path, .as_path_bytes = sizeof(path), .nexthop = addr("fd00::10")};
    const struct vnrs_mrt_peer peers[] = {{1, 70000, addr("10.0.0.10")}, {2, 65002, addr("fd00::10")}};
    struct vnrs_mrt_entry entry = {.peer = 1, .time = 5, .path_id = 6, .attrs = &a};
    const struct vnrs_prefix v6 = prefix("2001:db8::/33");
    struct mrt_record rec = {0};
    struct mrt_entry e = {0};

    (void)state;
    int index = vnrs_mrt_peer_index_encode(1, 3, "v", peers, 2, buf, sizeof(buf));
    int rib = vnrs_mrt_rib_encode(2, 4, true, &v6, &entry, 1, buf + index, sizeof(buf) - (size_t)index);
    size_t all = (size_t)index + (size_t)rib;
    mrt_reader_init(&reader, buf, all);
    assert_int_equal(mrt_next(&reader, &rec), 1);
    assert_int_equal(rec.kind, MRT_PEERS);
    assert_int_equal(rec.collector, 3);
    assert_int_equal(reader.n_peers, 2);
    assert_int_equal(reader.peers[0].asn, 70000);
    assert_true(vnrs_addr_equal(&reader.peers[1].addr, &peers[1].addr));
    assert_int_equal(mrt_next(&reader, &rec), 1);
    assert_int_equal(rec.kind, MRT_RIB);
    assert_true(rec.add_path && rec.sequence == 4 && vnrs_prefix_equal(&rec.prefix, &v6));
    assert_true(mrt_entry_next(&rec, &e));
    assert_true(e.peer == 1 && e.time == 5 && e.path_id == 6);
    assert_false(mrt_entry_next(&rec, &e));
    assert_int_equal(mrt_next(&reader, &rec), 0);
    for (size_t cut = 1; cut < all; cut++) { // any cut but the one between the records
        mrt_reader_init(&reader, buf, cut);
        int r = mrt_next(&reader, &rec);
        if (r > 0 && cut != (size_t)index)
            r = mrt_next(&reader, &rec);
        assert_int_equal(r, cut == (size_t)index ? 1 : -EBADMSG);
    }
    mrt_reader_init(&reader, buf + index, (size_t)rib); // no index
    assert_int_equal(mrt_next(&reader, &rec), -EBADMSG);
    entry.peer = 2;
    assert_int_equal(vnrs_mrt_rib_encode(2, 4, true, &v6, &entry, 1, buf + index, sizeof(buf) - (size_t)index), rib);
    mrt_reader_init(&reader, buf, all);
    assert_int_equal(mrt_next(&reader, &rec), 1);
    assert_int_equal(mrt_next(&reader, &rec), -EBADMSG);
    assert_string_equal(reader.why, "entry of a peer that is not in the index");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_index),      cmocka_unit_test(test_rib),       cmocka_unit_test(test_messages),
        cmocka_unit_test(test_largest_message), cmocka_unit_test(test_read_back),
    };
    return cmocka_run_group_tests_name("bgp.mrt", tests, NULL, NULL);
}
