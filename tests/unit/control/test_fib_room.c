// SPDX-License-Identifier: GPL-2.0-or-later
// How many groups the packet path sees.
#include "control/fib_room.h"

#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct vnrs_fib_member member(enum vnrs_bpf_nexthop_kind kind, uint32_t ifindex, uint8_t via)
{
    return (struct vnrs_fib_member){
        .kind = kind, .ifindex = ifindex, .via = {.family = VNRS_AF_IPV4, .bytes = {10, 0, 0, via}}};
}

static size_t count(const struct vnrs_fib_member *members, uint32_t n, uint32_t groups)
{
    struct vnrs_fib_distinct distinct = {0};

    for (uint32_t i = 0; i < groups; i++)
        assert_int_equal(vnrs_fib_distinct_add(&distinct, members + i * n, n), 0);
    size_t len = vnrs_fib_distinct_len(&distinct);
    vnrs_fib_distinct_fini(&distinct);
    return len;
}

static void what_packets_do_not_see_makes_no_group(void **state)
{
    const struct vnrs_fib_member dead[] = {member(VNRS_BPF_NH_DEAD, 0, 1), member(VNRS_BPF_NH_DEAD, 0, 2),
                                           member(VNRS_BPF_NH_DEAD, 0, 3)};
    const struct vnrs_fib_member pairs[] = {member(VNRS_BPF_NH_NIC, 16, 1), member(VNRS_BPF_NH_NIC, 17, 2),
                                            member(VNRS_BPF_NH_NIC, 17, 3), member(VNRS_BPF_NH_NIC, 16, 4)};
    const struct vnrs_fib_member twice[] = {member(VNRS_BPF_NH_NIC, 16, 1), member(VNRS_BPF_NH_NIC, 16, 2),
                                            member(VNRS_BPF_NH_NIC, 16, 3), member(VNRS_BPF_NH_DROP, 0, 0)};

    (void)state;
    assert_int_equal(count(dead, 1, 3), 1);
    assert_int_equal(count(dead, 3, 1), 1);
    assert_int_equal(count(pairs, 2, 2), 1); // whatever their order
    assert_int_equal(count(pairs, 1, 4), 2);
    assert_int_equal(count(twice, 2, 2), 2);
}

static void other_links_networks_and_flags_do(void **state)
{
    struct vnrs_fib_member members[] = {member(VNRS_BPF_NH_NIC, 16, 1),
                                        member(VNRS_BPF_NH_NIC, 16, 1),
                                        {.kind = VNRS_BPF_NH_ENDPOINT, .vnet = 1},
                                        {.kind = VNRS_BPF_NH_ENDPOINT, .vnet = 2}};

    (void)state;
    members[1].flags = VNRS_BPF_NHF_BALANCED;
    assert_int_equal(count(members, 1, 4), 4);
}

static void groups_of_guest_tables_are_not_counted(void **state)
{
    const struct vnrs_fib_member apart[] = {member(VNRS_BPF_NH_NIC, 0, 1), member(VNRS_BPF_NH_NIC, 0, 2)};

    (void)state;
    assert_int_equal(count(apart, 1, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_packets_do_not_see_makes_no_group),
        cmocka_unit_test(other_links_networks_and_flags_do),
        cmocka_unit_test(groups_of_guest_tables_are_not_counted),
    };
    return cmocka_run_group_tests_name("control.fib_room", tests, NULL, NULL);
}
