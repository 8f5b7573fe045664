// SPDX-License-Identifier: GPL-2.0-or-later
// What is wanted: routes, groups, references; and the nftables script of a fabric. No kernel involved.
#include "fib/kernel_db.h"
#include "fib/kernel_fabric.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int group(struct vnrs_fibdb *db, uint32_t handle, uint32_t n, uint32_t vnet)
{
    struct vnrs_fib_group g = {.handle = handle, .n = n};
    g.members[0] = (struct vnrs_fib_member){.kind = VNRS_BPF_NH_ENDPOINT, .vnet = vnet};
    return vnrs_fibdb_group_set(db, &g);
}

static int route(struct vnrs_fibdb *db, const char *text, uint32_t handle)
{
    struct vnrs_fib_route r = {.domain = 1, .group = handle};
    assert_int_equal(vnrs_prefix_parse(text, &r.prefix), 0);
    return vnrs_fibdb_route_set(db, &r);
}

static void count_released(void *arg, uint32_t domain, uint32_t handle)
{
    assert_int_equal(domain, 1);
    *(uint32_t *)arg += handle;
}

static void test_changes(void **state)
{
    struct vnrs_fibdb db = {0};
    uint32_t released = 0;
    (void)state;

    assert_int_equal(group(&db, 1, 1, 5), 0);
    assert_int_equal(group(&db, 2, 1, 6), 0);
    assert_int_equal(route(&db, "10.0.0.0/8", 1), 0);
    assert_int_equal(route(&db, "10.1.0.0/16", 1), 0);
    assert_int_equal(route(&db, "10.9.0.0/16", 0), 0); // never was there
    const struct vnrs_fibdb_domain *domain = vnrs_fibdb_domain_find(&db, 1);
    assert_int_equal(domain->changes.len, 2);
    assert_int_equal(vnrs_fibdb_refs(&db, 1, 1), 0); // not written yet
    assert_int_equal(vnrs_fibdb_commit(&db, count_released, &released), 0);
    assert_int_equal(vnrs_fibdb_refs(&db, 1, 1), 2);
    assert_int_equal(domain->changes.len, 0);
    assert_false(db.groups_dirty);

    assert_int_equal(group(&db, 1, 1, 5), 0); // the same again
    assert_int_equal(route(&db, "10.0.0.0/8", 1), 0);
    assert_false(db.groups_dirty);
    assert_int_equal(domain->changes.len, 0);

    assert_int_equal(route(&db, "10.0.0.0/8", 2), 0);
    assert_int_equal(route(&db, "10.1.0.0/16", 0), 0);
    assert_int_equal(route(&db, "10.1.0.0/16", 2), 0); // removed and back: one change
    assert_int_equal(domain->changes.len, 2);
    assert_int_equal(vnrs_fibdb_commit(&db, count_released, &released), 0);
    assert_int_equal(released, 1);
    assert_int_equal(vnrs_fibdb_refs(&db, 1, 2), 2);
    assert_int_equal(route(&db, "10.0.0.0/8", 0), 0);
    assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);
    assert_int_equal(domain->routes.len, 1);
    vnrs_fibdb_fini(&db);
}

static void test_refusals(void **state)
{
    struct vnrs_fibdb db = {0};
    struct vnrs_fib_route bad = {.domain = 1, .group = 1, .prefix = {.family = VNRS_AF_IPV4, .len = 33}};
    (void)state;

    assert_int_equal(group(&db, 0, 1, 1), -EINVAL);
    assert_int_equal(group(&db, 1, 0, 1), -EINVAL);
    assert_int_equal(group(&db, 1, VNRS_GROUP_MEMBERS_MAX + 1, 1), -EINVAL);
    assert_int_equal(group(&db, 1, VNRS_GROUP_MEMBERS_MAX, 1), 0);
    assert_int_equal(route(&db, "10.0.0.0/8", 7), -ENOENT);
    assert_int_equal(vnrs_fibdb_route_set(&db, &bad), -EINVAL);
    bad.prefix = (struct vnrs_prefix){.family = 9};
    assert_int_equal(vnrs_fibdb_route_set(&db, &bad), -EINVAL);
    bad.prefix.family = VNRS_AF_IPV6;
    bad.domain = 0;
    assert_int_equal(vnrs_fibdb_route_set(&db, &bad), -EINVAL);
    vnrs_fibdb_fini(&db);
}

static char *script_of(bool backwards, uint32_t allowed)
{
    struct vnrs_fabric fabric = {0};

    for (uint32_t i = 0; i < 20; i++) {
        uint32_t ifindex = 16 + (backwards ? 19 - i : i);
        const struct vnrs_fib_nic nic = {.ifindex = ifindex,
                                         .nic = {.flags = VNRS_NIC_PRESENT | (ifindex == 20 ? VNRS_NIC_FORWARDING : 0) |
                                                          (ifindex == 21 ? VNRS_NIC_RESTRICTED : 0),
                                                 .vnet = 1 + ifindex % 2,
                                                 .subnet = ifindex % 3}};
        const struct vnrs_fib_endpoint endpoint = {
            .vnet = 1, .ifindex = ifindex, .addr = vnrs_addr_from_v4(0x0a000000 + ifindex)};
        assert_int_equal(vnrs_fabric_nic_set(&fabric, &nic), 1);
        assert_int_equal(vnrs_fabric_nic_set(&fabric, &nic), 0);
        assert_int_equal(vnrs_fabric_endpoint_set(&fabric, &endpoint), 1);
        assert_int_equal(vnrs_fabric_endpoint_find(&fabric, 1, &endpoint.addr), ifindex);
    }
    const struct vnrs_fib_acl acl = {.kind = VNRS_ACL_SERVICE, .to = 21, .from = 1, .allowed = allowed};
    assert_int_equal(vnrs_fabric_acl_set(&fabric, &acl), allowed);
    const struct vnrs_fib_acl forwarded = {.kind = VNRS_ACL_FORWARDED, .to = 2, .from = 1, .allowed = allowed};
    assert_int_equal(vnrs_fabric_acl_set(&fabric, &forwarded), allowed);
    char *script = vnrs_fabric_nft_script(&fabric);
    assert_non_null(script);
    vnrs_fabric_fini(&fabric);
    return script;
}

static void test_nft_script(void **state)
{
    char *one = script_of(false, 1), *other = script_of(true, 1), *denied = script_of(false, 0);
    char mark[18], mark_denied[18];
    (void)state;

    assert_string_equal(one, other);
    vnrs_fabric_nft_mark(one, mark);
    vnrs_fabric_nft_mark(denied, mark_denied);
    assert_int_equal(strlen(mark), 17);
    assert_string_not_equal(mark, mark_denied);
    assert_non_null(strstr(one, " 16 . 10.0.0.16,"));
    assert_non_null(strstr(one, " 16 . 21")); // subnet 1
    assert_null(strstr(one, " 17 . 21"));     // subnet 2
    assert_null(strstr(denied, " 16 . 21"));
    assert_non_null(strstr(one, "elements = { 16, 17, 18, 19, 21,")); // 20 forwards: not checked
    assert_non_null(strstr(one, "elements = { 20 : 1 }"));            // and is of network 1
    assert_non_null(strstr(one, " 1 . 16, 1 . 17,"));                 // into both networks
    assert_non_null(strstr(denied, " 1 . 16, 1 . 18,"));              // into its own
    free(one);
    free(other);
    free(denied);
}

// A controller gives a new handle to whatever it has not seen just before: what it left must not stay.
static void test_unused_groups_go(void **state)
{
    struct vnrs_fibdb db = {0};
    (void)state;

    assert_int_equal(group(&db, 1, 1, 1), 0);
    assert_int_equal(route(&db, "10.0.0.0/8", 1), 0);
    assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);
    for (uint32_t handle = 2; handle < 1000; handle++) {
        assert_int_equal(group(&db, handle, 1, handle), 0);
        assert_int_equal(route(&db, "10.0.0.0/8", handle), 0);
        assert_int_equal(route(&db, "10.1.0.0/16", handle), 0);
        assert_int_equal(route(&db, "10.1.0.0/16", handle & 1 ? handle : 0), 0);
        assert_int_equal(db.groups.len, 2);
        assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);
        assert_int_equal(db.groups.len, 1);
        assert_non_null(vnrs_fibdb_group_find(&db, handle));
    }
    assert_int_equal(route(&db, "10.2.0.0/16", 1), -ENOENT);
    assert_int_equal(route(&db, "10.0.0.0/8", 0), 0);
    assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);
    assert_int_equal(db.groups.len, 1); // 10.1.0.0/16 has it still
    assert_int_equal(route(&db, "10.1.0.0/16", 0), 0);
    assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);
    assert_int_equal(db.groups.len, 0);
    vnrs_fibdb_fini(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_unused_groups_go),
        cmocka_unit_test(test_nft_script),
    };
    return cmocka_run_group_tests_name("kernel_db", tests, NULL, NULL);
}
