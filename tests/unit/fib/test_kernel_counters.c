// SPDX-License-Identifier: GPL-2.0-or-later
// What nft lists of the kernel data plane's counters, read back; and classes of pairs of NICs.
#include "fib/kernel_counters.h"

#include "util/macros.h"
#include "vnrs/drop_reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char listing[] = "table inet vnrs_count {\n"
                              "\tset passed {\n"
                              "\t\ttype iface_index . iface_index . mark\n"
                              "\t\tsize 65535\n"
                              "\t\tflags dynamic\n"
                              "\t\telements = { \"a\" . \"b\" . 0x00020001 counter packets 4 bytes 336,\n"
                              "\t\t\t     \"a\" . \"nva\" . 0x00020000 counter packets 18446744073709551615 bytes 7,\n"
                              "\t\t\t     \"a\" . 77 . 0x00020001 counter packets 9 bytes 9,\n"
                              "\t\t\t     \"a\" . \"who\" . 0x00020001 counter packets 9 bytes 9 }\n"
                              "\t}\n"
                              "\tset dropped {\n"
                              "\t\ttype mark\n"
                              "\t\telements = { 0x00010006 counter packets 2 bytes 168, 0x0001ffff counter packets 1 "
                              "bytes 1,\n"
                              "\t\t\t     0x00000007 counter packets 1 bytes 1 }\n"
                              "\t}\n"
                              "\tchain deliver {\n"
                              "\t\tmeta mark & 0x00020000 != 0x00000000 update @passed { iif . oif . meta mark "
                              "counter packets 0 bytes 0 }\n"
                              "\t}\n"
                              "}\n";

enum { A = 16, B, NVA };

static struct vnrs_fib_nic nics[] = {
    {.ifindex = A, .nic = {.flags = VNRS_NIC_PRESENT, .vnet = 1, .region = 1}},
    {.ifindex = B, .nic = {.flags = VNRS_NIC_PRESENT, .vnet = 2, .region = 2}},
    {.ifindex = NVA, .nic = {.flags = VNRS_NIC_PRESENT | VNRS_NIC_FORWARDING, .vnet = 1, .region = 1}},
};

static uint32_t number(void *arg, const char *link)
{
    (void)arg;
    return strcmp(link, "a") == 0     ? A
           : strcmp(link, "b") == 0   ? B
           : strcmp(link, "nva") == 0 ? NVA
           : strcmp(link, "who") == 0 ? 99
                                      : 0;
}

struct seen {
    unsigned n;
    struct vnrs_kernel_count counts[8];
};

static void see(void *arg, const struct vnrs_kernel_count *count)
{
    struct seen *seen = arg;

    assert_true(seen->n < ARRAY_SIZE(seen->counts));
    seen->counts[seen->n++] = *count;
}

static void a_listing(void **state)
{
    struct vnrs_map map = {0};
    struct seen seen = {0};
    const struct vnrs_kernel_counting counting = {.ifindex = number, .count = see, .arg = &seen};
    static const struct vnrs_kernel_count want[] = {
        {.from = A, .to = B, .billing = VNRS_BILL_GLOBAL_PEERING, .packets = 4, .bytes = 336},
        {.from = A, .to = NVA, .billing = VNRS_BILL_APPLIANCE, .packets = UINT64_MAX, .bytes = 7},
        {.dropped = true, .reason = VNRS_DROP_SOURCE, .packets = 2, .bytes = 168},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(nics); i++)
        assert_int_equal(vnrs_map_put(&map, &nics[i].ifindex, sizeof(nics[i].ifindex), &nics[i]), 0);
    vnrs_kernel_counters_read(listing, &map, &counting);
    assert_int_equal(seen.n, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_int_equal(seen.counts[i].dropped, want[i].dropped);
        assert_int_equal(seen.counts[i].reason, want[i].reason);
        assert_int_equal(seen.counts[i].from, want[i].from);
        assert_int_equal(seen.counts[i].to, want[i].to);
        assert_int_equal(seen.counts[i].billing, want[i].billing);
        assert_int_equal(seen.counts[i].packets, want[i].packets);
        assert_int_equal(seen.counts[i].bytes, want[i].bytes);
    }
    seen.n = 0;
    vnrs_kernel_counters_read("", &map, &counting);
    vnrs_kernel_counters_read(" counter packets 1 bytes 1", &map, &counting);
    assert_int_equal(seen.n, 0);
    vnrs_map_fini(&map);
}

static void classes(void **state)
{
#define NIC(f, v, r)                                                                                                   \
    {                                                                                                                  \
        .flags = (f), .vnet = (v), .region = (r)                                                                       \
    }
#define VPN VNRS_NIC_GATEWAY
#define ER  (VNRS_NIC_GATEWAY | VNRS_NIC_EXPRESSROUTE)
    static const struct {
        struct vnrs_bpf_nic from, to;
        bool own;
        enum vnrs_billing want;
    } rows[] = {
        {NIC(0, 1, 1), NIC(0, 1, 1), true, VNRS_BILL_VNET_LOCAL},
        {NIC(0, 1, 1), NIC(0, 2, 1), true, VNRS_BILL_PEERING},
        {NIC(0, 1, 1), NIC(0, 2, 2), true, VNRS_BILL_GLOBAL_PEERING},
        {NIC(0, 1, 1), NIC(0, 1, 1), false, VNRS_BILL_APPLIANCE},
        {NIC(0, 1, 1), NIC(0, 2, 1), false, VNRS_BILL_APPLIANCE_PEERING},
        {NIC(0, 1, 1), NIC(0, 2, 2), false, VNRS_BILL_APPLIANCE_GLOBAL_PEERING},
        {NIC(0, 1, 1), NIC(VPN, 1, 1), false, VNRS_BILL_VPN},
        {NIC(0, 1, 1), NIC(VPN, 1, 1), true, VNRS_BILL_VNET_LOCAL}, // the gateway itself
        {NIC(VPN, 1, 1), NIC(0, 2, 1), true, VNRS_BILL_VPN_PEERING},
        {NIC(VPN, 1, 1), NIC(ER, 1, 1), false, VNRS_BILL_EXPRESSROUTE}, // branch to branch: where it goes
        {NIC(VPN, 1, 1), NIC(VPN, 1, 1), true, VNRS_BILL_VNET_LOCAL},   // BGP of gateways
        {NIC(ER, 1, 1), NIC(VNRS_NIC_ROUTE_SERVER, 1, 1), true, VNRS_BILL_VNET_LOCAL},
        {NIC(ER, 1, 1), NIC(0, 2, 2), true, VNRS_BILL_EXPRESSROUTE_GLOBAL_PEERING},
        {NIC(0, 1, 1), NIC(VNRS_NIC_SERVICE, 0, 0), true, VNRS_BILL_SERVICE_ENDPOINT},
        {NIC(VNRS_NIC_SERVICE, 0, 0), NIC(0, 1, 1), true, VNRS_BILL_SERVICE_ENDPOINT},
        {NIC(0, 1, 1), NIC(VNRS_NIC_EDGE, 0, 0), false, VNRS_BILL_INTERNET},
        {NIC(VNRS_NIC_EDGE, 0, 0), NIC(0, 1, 1), true, VNRS_BILL_INTERNET},
        {NIC(VNRS_NIC_PLATFORM, 1, 1), NIC(0, 1, 1), true, VNRS_BILL_PLATFORM},
        {NIC(0, 1, 1), NIC(VNRS_NIC_PLATFORM, 1, 1), true, VNRS_BILL_PLATFORM},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum vnrs_billing got = vnrs_kernel_counters_class(&rows[i].from, &rows[i].to, rows[i].own);
        if (got != rows[i].want)
            fail_msg("row %zu: class %d, not %d", i, (int)got, (int)rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listing),
        cmocka_unit_test(classes),
    };

    return cmocka_run_group_tests_name("fib.kernel_counters", tests, NULL, NULL);
}
