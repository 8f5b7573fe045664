// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/summary.h"

#include "bgp/rib_queue.h"
#include "bgp/test_msg_hex.h"

#define ANYBODY VNRS_BGP_SLOTS

static const struct vnrs_bgp_attrs *make(struct vnrs_bgp_attr_table *table, uint32_t community, uint32_t nexthop,
                                         uint8_t origin, unsigned asns)
{
    static const uint8_t path[] = {2, 1, 0, 0, 0xfd, 0xe9};
    struct vnrs_bgp_attrs a = {.communities = &community,
                               .n_communities = community != 0,
                               .nexthop = vnrs_addr_from_v4(nexthop),
                               .origin = origin,
                               .as_path = path,
                               .as_path_bytes = asns ? sizeof(path) : 0};
    const struct vnrs_bgp_attrs *set = vnrs_bgp_attrs_intern(table, &a);

    assert_non_null(set);
    return set;
}

static void counts(void **state)
{
    struct vnrs_bgp_attr_table *table = vnrs_bgp_attr_table_new();
    const struct vnrs_bgp_attrs *a = make(table, 1, 1, 0, 0), *b = make(table, 2, 1, 0, 0);
    struct vnrs_bgp_summary s = {0};

    (void)state;
    assert_null(vnrs_bgp_summary_best(&s, ANYBODY));
    vnrs_bgp_summary_take(table, &s, a, 0); // nothing is there
    assert_int_equal(vnrs_bgp_summary_add(&s, a, 0), 0);
    assert_int_equal(vnrs_bgp_summary_add(&s, a, 0), 0);
    assert_int_equal(vnrs_bgp_summary_add(&s, a, 1), 0);
    assert_int_equal(vnrs_bgp_summary_add(&s, b, 2), 0);
    assert_int_equal(a->refs, 3); // one of ours, one a source
    vnrs_bgp_summary_take(table, &s, a, 0);
    assert_ptr_equal(vnrs_bgp_summary_best(&s, ANYBODY), a);
    vnrs_bgp_summary_take(table, &s, a, 0);
    assert_int_equal(a->refs, 2);
    assert_ptr_equal(vnrs_bgp_summary_best(&s, 1), b); // but what that source says
    assert_ptr_equal(vnrs_bgp_summary_best(&s, 2), a);
    vnrs_bgp_summary_take(table, &s, a, 1);
    assert_null(vnrs_bgp_summary_best(&s, 2));
    vnrs_bgp_summary_fini(table, &s);
    assert_null(vnrs_bgp_summary_best(&s, ANYBODY));
    vnrs_bgp_attrs_unref(table, a);
    vnrs_bgp_attrs_unref(table, b);
    assert_int_equal(vnrs_bgp_attr_table_len(table), 0);
    vnrs_bgp_attr_table_free(table);
}

// Each set is better than the one before it, whatever the order.
static void best(void **state)
{
    struct vnrs_bgp_attr_table *table = vnrs_bgp_attr_table_new();
    const struct vnrs_bgp_attrs *sets[] = {make(table, 1, 1, 0, 1), make(table, 1, 1, 2, 0), make(table, 1, 2, 0, 0),
                                           make(table, 7, 1, 0, 0), make(table, 5, 1, 0, 0), make(table, 0, 1, 0, 0)};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        for (size_t k = 0; k < ARRAY_SIZE(sets); k++) {
            struct vnrs_bgp_summary s = {0};
            assert_int_equal(vnrs_bgp_summary_add(&s, sets[i], 0), 0);
            assert_int_equal(vnrs_bgp_summary_add(&s, sets[k], 1), 0);
            assert_ptr_equal(vnrs_bgp_summary_best(&s, ANYBODY), sets[MAX(i, k)]);
            vnrs_bgp_summary_fini(table, &s);
        }
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        vnrs_bgp_attrs_unref(table, sets[i]);
    vnrs_bgp_attr_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"summary.counts", counts, NULL, NULL, NULL},
        {"summary.best", best, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
