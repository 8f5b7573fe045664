// SPDX-License-Identifier: GPL-2.0-or-later
#include "test_msg_hex.h"

#include <errno.h>

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a;
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

// A set whose path is written in hexadecimal.
static struct vnrs_bgp_attrs with_path(const char *hex, uint8_t *memory, size_t size)
{
    struct vnrs_bgp_attrs a = {.as_path = memory};
    a.as_path_bytes = (uint16_t)hex_bytes(hex, memory, size);
    return a;
}

static void test_intern(void **state)
{
    uint8_t path[64];
    const uint32_t communities[] = {1, 2}, others[] = {1, 3};
    struct vnrs_bgp_attr_table *table = vnrs_bgp_attr_table_new();
    struct vnrs_bgp_attrs base = with_path("0202 0000fde9 0000fdea 0102 00000001 00000002", path, sizeof(path));

    (void)state;
    assert_non_null(table);
    base.nexthop = addr("10.0.0.1");
    base.communities = communities;
    base.n_communities = 2;
    base.med = 7; // without its bit: not there

    const struct vnrs_bgp_attrs *a = vnrs_bgp_attrs_intern(table, &base);
    assert_non_null(a);
    assert_int_equal(a->refs, 1);
    assert_int_equal(a->med, 0);
    assert_int_equal(a->path_len, 3);
    assert_int_equal(a->first_asn, 65001);
    assert_ptr_not_equal(a->as_path, path);
    base.med = 8;
    assert_ptr_equal(vnrs_bgp_attrs_intern(table, &base), a);
    assert_int_equal(a->refs, 2);
    assert_ptr_equal(vnrs_bgp_attrs_intern(table, a), a); // a set of the table itself
    assert_ptr_equal(vnrs_bgp_attrs_ref(a), a);
    assert_int_equal(a->refs, 4);
    assert_int_equal(vnrs_bgp_attr_table_len(table), 1);

    // Any one difference is another set.
    struct vnrs_bgp_attrs different[12];
    const struct vnrs_bgp_attrs *held[ARRAY_SIZE(different)];
    static const uint8_t bytes[16] = {0xe0, 99, 9};
    for (size_t i = 0; i < ARRAY_SIZE(different); i++)
        different[i] = base;
    different[0].origin = VNRS_BGP_ORIGIN_EGP;
    different[1].has = VNRS_BGP_HAS_MED;
    different[2].nexthop = addr("10.0.0.2");
    different[3].nexthop_link_local = addr("fe80::1");
    different[4].communities = others;
    different[5].n_communities = 1;
    different[6].as_path_bytes = 10;
    different[7].ext_communities = bytes;
    different[7].n_ext_communities = 1;
    different[8].large_communities = bytes;
    different[8].n_large_communities = 1;
    different[9].unknown = bytes;
    different[9].unknown_bytes = 12;
    different[10].originator_id = 7;
    different[11].clusters = bytes;
    different[11].n_clusters = 1;
    for (size_t i = 0; i < ARRAY_SIZE(different); i++) {
        held[i] = vnrs_bgp_attrs_intern(table, &different[i]);
        assert_int_equal(vnrs_bgp_attr_table_len(table), i + 2);
    }
    for (size_t i = 0; i < ARRAY_SIZE(different); i++) {
        assert_ptr_equal(vnrs_bgp_attrs_intern(table, &different[i]), held[i]);
        vnrs_bgp_attrs_unref(table, held[i]);
        vnrs_bgp_attrs_unref(table, held[i]);
    }
    assert_int_equal(vnrs_bgp_attr_table_len(table), 1);
    for (int i = 0; i < 4; i++)
        vnrs_bgp_attrs_unref(table, a);
    vnrs_bgp_attrs_unref(table, NULL);
    assert_int_equal(vnrs_bgp_attr_table_len(table), 0);
    vnrs_bgp_attr_table_free(table);
    vnrs_bgp_attr_table_free(NULL);
}

// Growth and removal at random leave every set where it is found.
static void test_many(void **state)
{
    enum { N = 20000 };
    static const struct vnrs_bgp_attrs *held[N];
    struct vnrs_bgp_attr_table *table = vnrs_bgp_attr_table_new();
    size_t live = 0;
    uint32_t seed = 1;

    (void)state;
    assert_non_null(table);
    for (int step = 0; step < 4 * N; step++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t i = (seed >> 8) % N;
        struct vnrs_bgp_attrs a = {.has = VNRS_BGP_HAS_MED, .med = i};
        if (held[i] && step % 3 == 0) {
            vnrs_bgp_attrs_unref(table, held[i]);
            held[i] = NULL;
            live--;
        } else if (!held[i]) {
            held[i] = vnrs_bgp_attrs_intern(table, &a);
            live++;
        } else {
            assert_ptr_equal(vnrs_bgp_attrs_intern(table, &a), held[i]);
            vnrs_bgp_attrs_unref(table, held[i]);
        }
        assert_int_equal(vnrs_bgp_attr_table_len(table), live);
    }
    for (size_t i = 0; i < N; i++)
        vnrs_bgp_attrs_unref(table, held[i]);
    assert_int_equal(vnrs_bgp_attr_table_len(table), 0);
    vnrs_bgp_attr_table_free(table);
}

static void test_path_text(void **state)
{
    static const struct {
        const char *path, *text;
        unsigned has, has_not;
    } rows[] = {
        {"", "", 0, 65001},
        {"0201 0000fde9", "65001", 65001, 65002},
        {"0202 0000ffeb ffffffff", "65515-4294967295", 4294967295, 65001},
        {"0102 0000fde9 0000fdea", "{65001,65002}", 65002, 65515},
        {"0201 00000001 0101 00000002 0201 00000003", "1-{2}-3", 2, 4},
        {"0201 00000001 0201 00000003", "1-3", 3, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t path[64];
        char buf[64], small[8];
        struct vnrs_bgp_attrs a = with_path(rows[i].path, path, sizeof(path));

        assert_int_equal(vnrs_bgp_as_path_format(&a, buf, sizeof(buf)), strlen(rows[i].text));
        assert_string_equal(buf, rows[i].text);
        for (size_t size = 1; size < sizeof(small); size++) {
            size_t len = vnrs_bgp_as_path_format(&a, small, size);
            assert_int_equal(len, MIN(strlen(rows[i].text), size - 1));
            assert_int_equal(strlen(small), len);
            assert_memory_equal(small, rows[i].text, len);
        }
        assert_int_equal(vnrs_bgp_as_path_format(&a, NULL, 0), 0);
        assert_int_equal(vnrs_bgp_attrs_has_asn(&a, rows[i].has), rows[i].has != 0);
        assert_false(vnrs_bgp_attrs_has_asn(&a, rows[i].has_not));
    }
}

static void test_edit(void **state)
{
    static const uint32_t communities[] = {10, 20, 30};
    const struct vnrs_addr nexthop = addr("10.0.0.9");
    uint8_t path[64], scratch[VNRS_BGP_ATTR_SCRATCH_BYTES];
    struct vnrs_bgp_attrs in = with_path("0201 0000fde9", path, sizeof(path)), out;

    (void)state;
    in.nexthop = addr("10.0.0.1");
    in.nexthop_link_local = addr("fe80::1");
    in.has = VNRS_BGP_HAS_MED | VNRS_BGP_HAS_LOCAL_PREF | VNRS_BGP_HAS_ATOMIC_AGGREGATE;
    in.med = 1;
    in.local_pref = 2;
    in.refs = 5;
    in.communities = communities;
    in.n_communities = 3;

    struct vnrs_bgp_attr_edit edit = {0};
    assert_int_equal(vnrs_bgp_attrs_edit(&in, &edit, scratch, 0, &out), 0);
    assert_int_equal(out.refs, 0);
    assert_ptr_equal(out.as_path, in.as_path);
    assert_int_equal(out.has, in.has);
    assert_true(vnrs_addr_equal(&out.nexthop, &in.nexthop));

    edit = (struct vnrs_bgp_attr_edit){.prepend_asn = 65515,
                                       .nexthop = &nexthop,
                                       .add_communities = {25},
                                       .strip_local_pref = true,
                                       .strip_med = true};
    for (size_t shift = 1; shift < 5; shift++) { // also with scratch that is not aligned
        assert_int_equal(vnrs_bgp_attrs_edit(&in, &edit, scratch + shift, sizeof(scratch) - shift, &out), 0);
        assert_hex(out.as_path, out.as_path_bytes, "0202 0000ffeb 0000fde9");
        assert_int_equal(out.path_len, 2);
        assert_int_equal(out.first_asn, 65515);
        assert_int_equal(out.has, VNRS_BGP_HAS_ATOMIC_AGGREGATE);
        assert_int_equal(out.n_communities, 4);
        assert_memory_equal(out.communities, ((uint32_t[]){10, 20, 25, 30}), 16);
        assert_true(vnrs_addr_equal(&out.nexthop, &nexthop));
        assert_int_equal(out.nexthop_link_local.family, VNRS_AF_NONE);
    }
    for (size_t size = 0; size < 26; size++)
        assert_int_equal(vnrs_bgp_attrs_edit(&in, &edit, scratch, size, &out), -ENOBUFS);

    static const uint32_t added[] = {5, 10, 30, 35};
    static const unsigned counts[] = {4, 3, 3, 4};
    for (size_t i = 0; i < ARRAY_SIZE(added); i++) {
        edit = (struct vnrs_bgp_attr_edit){.add_communities = {added[i]}};
        assert_int_equal(vnrs_bgp_attrs_edit(&in, &edit, scratch, sizeof(scratch), &out), 0);
        assert_int_equal(out.n_communities, counts[i]);
        assert_true(vnrs_bgp_attrs_has_community(&out, added[i]));
    }
    edit = (struct vnrs_bgp_attr_edit){.add_communities = {25, 5}};
    assert_int_equal(vnrs_bgp_attrs_edit(&in, &edit, scratch, sizeof(scratch), &out), 0);
    assert_int_equal(out.n_communities, 5);
    assert_memory_equal(out.communities, ((uint32_t[]){5, 10, 20, 25, 30}), 20);
    assert_false(vnrs_bgp_attrs_has_community(&in, 5));
    assert_true(vnrs_bgp_attrs_has_community(&in, 10));
    assert_false(vnrs_bgp_attrs_has_community(&in, 15));
    assert_true(vnrs_bgp_attrs_has_community(&in, 30));
    assert_false(vnrs_bgp_attrs_has_community(&in, 31));
}

// RFC 4271 section 5.1.2: a full sequence, a set and no path at all get a new segment.
static void test_prepend_segments(void **state)
{
    static const struct {
        const char *path, *text;
        unsigned segments, path_len;
    } rows[] = {
        {"", "65515", 1, 1},
        {"0201 00000001", "65515-1", 1, 2},
        {"0102 00000001 00000002", "65515-{1,2}", 2, 2},
    };
    uint8_t path[2 + 255 * 4], scratch[VNRS_BGP_ATTR_SCRATCH_BYTES];
    const struct vnrs_bgp_attr_edit edit = {.prepend_asn = 65515};
    struct vnrs_bgp_attrs in, out;
    char buf[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        in = with_path(rows[i].path, path, sizeof(path));
        assert_int_equal(vnrs_bgp_attrs_edit(&in, &edit, scratch, sizeof(scratch), &out), 0);
        vnrs_bgp_as_path_format(&out, buf, sizeof(buf));
        assert_string_equal(buf, rows[i].text);
        assert_int_equal(out.path_len, rows[i].path_len);
        assert_int_equal(out.as_path_bytes, in.as_path_bytes + (rows[i].segments == 1 && *rows[i].path ? 4 : 6));
    }
    memset(path, 1, sizeof(path));
    path[0] = 2;
    path[1] = 255;
    in = (struct vnrs_bgp_attrs){.as_path = path, .as_path_bytes = sizeof(path)};
    assert_int_equal(vnrs_bgp_attrs_edit(&in, &edit, scratch, sizeof(scratch), &out), 0);
    assert_int_equal(out.path_len, 256);
    assert_int_equal(out.as_path_bytes, sizeof(path) + 6);
    assert_hex(out.as_path, 8, "0201 0000ffeb 02ff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intern),           cmocka_unit_test(test_many),
        cmocka_unit_test(test_path_text),        cmocka_unit_test(test_edit),
        cmocka_unit_test(test_prepend_segments),
    };
    return cmocka_run_group_tests_name("bgp.attr", tests, NULL, NULL);
}
