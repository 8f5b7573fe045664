// SPDX-License-Identifier: GPL-2.0-or-later
// Queueing disciplines: requests byte by byte as iproute2 makes them (tc of Debian 12, seen with strace), and set,
// changed and removed in a namespace of nobody's, as far as this kernel has them.
#include "lab/qdisc.h"

#include "lab/link.h"
#include "lab/netns.h"
#include "util/macros.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LOOPBACK 1

static const uint8_t *options_of(const struct nlmsghdr *msg, const char *kind, size_t *ret_len)
{
    const struct tcmsg *tc = mnl_nlmsg_get_payload(msg);
    const uint8_t *options = NULL;
    struct nlattr *attr;

    assert_int_equal(msg->nlmsg_type, RTM_NEWQDISC);
    assert_int_equal(tc->tcm_ifindex, 7);
    assert_int_equal(tc->tcm_handle, 0x766e0000);
    assert_int_equal(tc->tcm_parent, TC_H_ROOT);
    mnl_attr_for_each(attr, msg, sizeof(*tc))
    {
        if (mnl_attr_get_type(attr) == TCA_KIND)
            assert_string_equal(mnl_attr_get_str(attr), kind);
        if (mnl_attr_get_type(attr) == TCA_OPTIONS) {
            options = mnl_attr_get_payload(attr);
            *ret_len = mnl_attr_get_payload_len(attr);
        }
    }
    assert_non_null(options);
    return options;
}

// tc qdisc replace dev X root handle 766e: netem limit 100000 delay 20ms 5ms loss 1% rate 100mbit
static void netem_as_tc_makes_it(void **state)
{
    static const uint8_t golden[] = {0xb4, 0xc4, 0x04, 0x00, 0xa0, 0x86, 0x01, 0x00, 0x29, 0x5c, 0x8f,
                                     0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x2d, 0x31,
                                     0x01, 0x00, 0x14, 0x00, 0x06, 0x00, 0x20, 0xbc, 0xbe, 0x00};
    const struct vnrs_impair impair = {.delay_us = 20000, .jitter_us = 5000, .loss_ppm = 10000, .rate_kbit = 100000};
    char buf[VNRS_RTNL_MSG_MAX];
    size_t len = 0;

    (void)state;
    const uint8_t *options = options_of(vnrs_qdisc_encode(buf, 7, &impair, true), "netem", &len);
    assert_int_equal(len, sizeof(golden) + 12); // what follows is zero
    assert_memory_equal(options, golden, sizeof(golden));
    for (size_t i = sizeof(golden); i < len; i++)
        assert_int_equal(options[i], 0);
    options = options_of(vnrs_qdisc_encode(buf, 7, &impair, false), "netem", &len);
    assert_memory_equal(options, golden, 8);
    assert_memory_equal(options + 8, "\0\0\0\0", 4); // no loss: the packet path does that
}

// tc qdisc replace dev X root handle 766e: tbf rate 20mbit limit 125000: but for the table of times, which the kernel
// does not use any more.
static void tbf_as_tc_makes_it(void **state)
{
    static const uint8_t rate[] = {0xa0, 0x25, 0x26, 0x00}, limit[] = {0x48, 0xe8, 0x01, 0x00};
    const struct vnrs_impair impair = {.rate_kbit = 20000};
    char buf[VNRS_RTNL_MSG_MAX];
    size_t len = 0;

    (void)state;
    const uint8_t *options = options_of(vnrs_qdisc_encode(buf, 7, &impair, true), "tbf", &len);
    assert_int_equal(len, 40 + 8);
    assert_memory_equal(options, "\x28\x00\x01\x00", 4);
    assert_memory_equal(options + 12, rate, 4);
    assert_memory_equal(options + 28, limit, 4);
    assert_memory_equal(options + 40, "\x08\x00\x06\x00\x18\x47\x00\x00", 8); // burst 18200
}

static void nothing_is_nothing(void **state)
{
    const struct vnrs_impair none = {0}, down = {.down = 1}, lossy = {.loss_ppm = 10};
    char buf[VNRS_RTNL_MSG_MAX];

    (void)state;
    assert_null(vnrs_qdisc_encode(buf, 7, &none, true));
    assert_null(vnrs_qdisc_encode(buf, 7, &down, true));
    assert_null(vnrs_qdisc_encode(buf, 7, &lossy, false));
    assert_non_null(vnrs_qdisc_encode(buf, 7, &lossy, true));
}

// ---- in the kernel

static struct vnrs_rtnl nl = {.fd = -1};
static struct vnrs_qdisc_kinds kinds;
static int ns = -1;

static int setup(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return 0;
    if (vnrs_netns_new(&ns) < 0 || vnrs_rtnl_open(ns, &nl) < 0)
        return -1;
    return vnrs_qdisc_probe(&nl, &kinds);
}

static int teardown(void **state)
{
    (void)state;
    vnrs_rtnl_close(&nl);
    if (ns >= 0)
        (void)close(ns);
    return 0;
}

static int set(const struct vnrs_impair *impair, struct vnrs_err *err)
{
    return vnrs_qdisc_set(&nl, LOOPBACK, impair, true, err);
}

static void set_changed_and_removed(void **state)
{
    const struct vnrs_impair slow = {.rate_kbit = 1000}, fast = {.rate_kbit = 50000000}, none = {0};
    struct vnrs_err err = {0};

    (void)state;
    if (!kinds.tbf)
        skip();
    assert_true(vnrs_qdisc_is_right(&nl, LOOPBACK, &none, true));
    assert_int_equal(set(&none, &err), 0);
    assert_int_equal(set(&slow, &err), 1);
    assert_int_equal(set(&slow, &err), 0);
    assert_true(vnrs_qdisc_is_right(&nl, LOOPBACK, &slow, true));
    assert_false(vnrs_qdisc_is_right(&nl, LOOPBACK, &fast, true));
    assert_int_equal(set(&fast, &err), 1); // more than 32 bits of bytes
    assert_true(vnrs_qdisc_is_right(&nl, LOOPBACK, &fast, true));
    assert_int_equal(set(&none, &err), 1);
    assert_true(vnrs_qdisc_is_right(&nl, LOOPBACK, &none, true));
}

static void what_the_kernel_lacks_is_named(void **state)
{
    const struct vnrs_impair slow = {.rate_kbit = 1000}, late = {.delay_us = 20000, .jitter_us = 100}, none = {0};
    struct vnrs_err err = {0};

    (void)state;
    if (nl.fd < 0)
        skip();
    if (kinds.tbf)
        assert_int_equal(set(&slow, &err), 1);
    int code = set(&late, &err);
    if (kinds.netem) {
        assert_int_equal(code, 1);
        assert_true(vnrs_qdisc_is_right(&nl, LOOPBACK, &late, true));
    } else {
        assert_int_equal(code, -EOPNOTSUPP);
        assert_non_null(strstr(err.text, "delay needs the kernel's sch_netem"));
    }
    assert_true(set(&none, &err) >= 0);
    assert_int_equal(vnrs_qdisc_probe(&nl, &kinds), 0); // leaves nothing
    assert_true(vnrs_qdisc_is_right(&nl, LOOPBACK, &none, true));
}

static int add_foreign(void *arg)
{
    (void)arg;
    return system("tc qdisc add dev lo root handle 1: pfifo");
}

static void others_are_left_alone(void **state)
{
    const struct vnrs_impair slow = {.rate_kbit = 1000}, none = {0};
    struct vnrs_err err = {0};

    (void)state;
    if (nl.fd < 0)
        skip();
    assert_int_equal(vnrs_netns_run(ns, add_foreign, NULL), 0);
    assert_int_equal(set(&none, &err), 0);
    assert_int_equal(set(&slow, &err), -EEXIST);
    assert_non_null(strstr(err.text, "not ours"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(netem_as_tc_makes_it),
        cmocka_unit_test(tbf_as_tc_makes_it),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(set_changed_and_removed),
        cmocka_unit_test(what_the_kernel_lacks_is_named),
        cmocka_unit_test(others_are_left_alone),
    };
    return cmocka_run_group_tests_name("lab.qdisc", tests, setup, teardown);
}
