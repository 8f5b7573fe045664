// SPDX-License-Identifier: GPL-2.0-or-later
// The order in which routes go, and what is asked of the kernel at all; the rest is in test_guest_sink and
// test_kernel_sink, with the kernel itself.
#include "fib/kernel_routes.h"

#include "fib/scripted_kernel.h"

#include <linux/rtnetlink.h>

#define ROUTES 1500u // of each family; several batches

static struct {
    unsigned added, removed;
    uint8_t family, last[16]; // of the removal before
} heard;

static const uint8_t *destination(const struct nlmsghdr *msg)
{
    const struct nlattr *attr;

    mnl_attr_for_each(attr, msg,
                      sizeof(struct rtmsg)) if (mnl_attr_get_type(attr) == RTA_DST) return mnl_attr_get_payload(attr);
    fail_msg("a route without destination");
    return NULL;
}

static void hear(const struct nlmsghdr *msg, bool last)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(msg);
    size_t bytes = route->rtm_family == AF_INET ? 4 : 16;

    heard.added += msg->nlmsg_type == RTM_NEWROUTE;
    if (msg->nlmsg_type == RTM_DELROUTE) {
        const uint8_t *dst = destination(msg);
        if (heard.family == route->rtm_family)
            assert_true(memcmp(dst, heard.last, bytes) < 0);
        heard.family = route->rtm_family;
        memcpy(heard.last, dst, bytes);
        heard.removed++;
    }
    if (last)
        kernel_answer(msg, 0, NULL, false);
}

struct table {
    struct vnrs_nl *nl;
    struct vnrs_prefixes prefixes;
    struct vnrs_nhset nexthops;
    struct vnrs_kroutes routes;
    uint32_t ids[2 * ROUTES]; // ascending prefixes
};

static void put_all(struct table *t, unsigned step)
{
    const struct vnrs_ktarget target = {.type = RTN_BLACKHOLE};

    assert_int_equal(vnrs_kroutes_begin(&t->routes), 0);
    for (unsigned i = 0; i < 2 * ROUTES; i += step)
        assert_int_equal(vnrs_kroutes_put(&t->routes, t->ids[i], &target), 0);
}

static void open_table(struct table *t)
{
    *t = (struct table){0};
    memset(&heard, 0, sizeof(heard));
    kernel_open(hear, &t->nl);
    vnrs_nhset_init(&t->nexthops, t->nl);
    vnrs_kroutes_init(&t->routes, t->nl, &t->prefixes, &t->nexthops, 254, 100, 157);
    for (unsigned i = 0; i < 2 * ROUTES; i++) {
        struct vnrs_addr addr = {.family = i < ROUTES ? VNRS_AF_IPV4 : VNRS_AF_IPV6,
                                 .bytes = {i < ROUTES ? 20 : 0x20, (uint8_t)(i >> 8), (uint8_t)i}};
        const struct vnrs_prefix prefix = vnrs_prefix_make(&addr, 24);
        assert_int_equal(vnrs_prefixes_get(&t->prefixes, &prefix, &t->ids[i]), 0);
    }
    put_all(t, 1);
    assert_int_equal(vnrs_kroutes_flush(&t->routes), 0);
    assert_int_equal(heard.added, 2 * ROUTES);
}

static void close_table(struct table *t)
{
    vnrs_kroutes_fini(&t->routes);
    vnrs_nhset_fini(&t->nexthops);
    vnrs_prefixes_fini(&t->prefixes);
    kernel_close(t->nl);
}

static void same_again_asks_for_nothing(void **state)
{
    struct table t;
    (void)state;

    open_table(&t);
    unsigned before = kernel.datagrams;
    vnrs_kroutes_unsee(&t.routes);
    put_all(&t, 1);
    assert_int_equal(vnrs_kroutes_remove_unseen(&t.routes), 0);
    assert_int_equal(vnrs_kroutes_flush(&t.routes), 0);
    assert_int_equal(kernel.datagrams, before);
    close_table(&t);
}

static void routes_go_in_descending_order(void **state)
{
    struct table t;
    (void)state;

    open_table(&t);
    assert_int_equal(vnrs_kroutes_begin(&t.routes), 0);
    assert_int_equal(vnrs_kroutes_remove(&t.routes, t.ids, 2 * ROUTES), 0);
    assert_int_equal(vnrs_kroutes_flush(&t.routes), 0);
    assert_int_equal(heard.removed, 2 * ROUTES);
    close_table(&t);
}

// Those that a comparison did not meet, likewise.
static void what_is_not_wanted_goes_in_descending_order(void **state)
{
    struct table t;
    (void)state;

    open_table(&t);
    vnrs_kroutes_unsee(&t.routes);
    put_all(&t, 2);
    assert_int_equal(vnrs_kroutes_remove_unseen(&t.routes), 0);
    assert_int_equal(vnrs_kroutes_flush(&t.routes), 0);
    assert_int_equal(heard.removed, ROUTES);
    assert_int_equal(heard.added, 2 * ROUTES);
    close_table(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_again_asks_for_nothing),
        cmocka_unit_test(routes_go_in_descending_order),
        cmocka_unit_test(what_is_not_wanted_goes_in_descending_order),
    };
    return cmocka_run_group_tests_name("fib.kernel_routes", tests, NULL, NULL);
}
