// SPDX-License-Identifier: GPL-2.0-or-later
// The decision for every kind of packet (forward_cases.c), and what was counted and told of it.
#include "forward_cases.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>

static struct fixture fx;
static bool reached[_VNRS_DROP_MAX];

static uint32_t billing_of(const struct test_case *c)
{
    static const uint32_t by_type[_VNRS_NH_MAX] = {
        [VNRS_NH_VNET_LOCAL] = VNRS_BILL_VNET_LOCAL,
        [VNRS_NH_VNET_PEERING] = VNRS_BILL_PEERING,
        [VNRS_NH_APPLIANCE] = VNRS_BILL_APPLIANCE,
        [VNRS_NH_GATEWAY] = VNRS_BILL_APPLIANCE, // of an NVA, there is no gateway
        [VNRS_NH_SERVICE_ENDPOINT] = VNRS_BILL_SERVICE_ENDPOINT,
        [VNRS_NH_INTERNET] = VNRS_BILL_INTERNET,
    };

    return c->from == INTERNET ? VNRS_BILL_INTERNET : by_type[c->type];
}

static void assert_forwarded(const struct test_case *c, const struct frame *in, const struct run *run)
{
    struct frame expected = *in;
    uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)c->to};

    memcpy(expected.bytes, mac, 6);
    mac_parse(FABRIC_MAC, expected.bytes + 6);
    assert_int_equal(run->ret, TC_ACT_REDIRECT);
    assert_int_equal(run->cb[VNRS_BPF_CB_IFINDEX], c->to);
    assert_int_equal(run->cb[VNRS_BPF_CB_ACCOUNT], VNRS_BPF_ACCOUNT(c->type, billing_of(c)));
    assert_int_equal(run->mark, 0);
    assert_int_equal(run->out.len, expected.len);
    assert_memory_equal(run->out.bytes, expected.bytes, expected.len); // nothing but the MACs: TTL as it was
}

static void assert_dropped(const struct test_case *c, const struct frame *in, const struct run *run)
{
    assert_int_equal(run->ret, TC_ACT_SHOT);
    assert_int_equal(run->out.len, in->len);
    assert_memory_equal(run->out.bytes, in->bytes, in->len);
    assert_true(vnrs_bpf_events_consume(fx.events, UINT_MAX) == 1);
    assert_int_equal(last_event.reason, c->reason);
    assert_int_equal(last_event.ifindex, c->from);
    assert_int_equal(last_event.len, in->len - 14);
    reached[c->reason] = true;
}

// What one packet counts, given the counters before it.
static void assert_counted(const struct test_case *c, const struct frame *in, const struct vnrs_bpf_counter *from,
                           const struct vnrs_bpf_counter *to, const struct vnrs_bpf_counter *drops,
                           const struct vnrs_bpf_counter *types)
{
    struct vnrs_bpf_counter nic[DIRECTIONS], drops_now[_VNRS_DROP_MAX], types_now[_VNRS_NH_MAX];
    unsigned packets = c->gso_size ? 2 : 1;
    size_t bytes = in->len - 14;
    bool known = c->reason != VNRS_DROP_UNKNOWN_NIC, forwarded = c->verdict == FORWARD;

    fixture_nic_counters(&fx, c->from, nic);
    assert_int_equal(nic[FROM_NIC].packets, from->packets + known * packets);
    assert_int_equal(nic[FROM_NIC].bytes, from->bytes + known * bytes);
    fixture_nic_counters(&fx, c->to, nic);
    assert_int_equal(nic[TO_NIC].packets, to->packets + forwarded * packets);
    assert_int_equal(nic[TO_NIC].bytes, to->bytes + forwarded * bytes);
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, drops_now), 0);
    for (unsigned r = 0; r < _VNRS_DROP_MAX; r++)
        assert_int_equal(drops_now[r].packets, drops[r].packets + (!forwarded && r == c->reason) * packets);
    fixture_type_counters(&fx, _NIC_END, types_now);
    for (unsigned t = 0; t < _VNRS_NH_MAX; t++)
        assert_int_equal(types_now[t].packets, types[t].packets + (forwarded && t == c->type) * packets);
}

static void every_case(void **state)
{
    struct vnrs_bpf_counter from[DIRECTIONS], to[DIRECTIONS], drops[_VNRS_DROP_MAX], types[_VNRS_NH_MAX];
    struct frame in;
    struct run run;

    (void)state;
    for (size_t i = 0; i < n_forward_cases; i++) {
        const struct test_case *c = &forward_cases[i];
        frame_build(&c->packet, &in);
        fixture_nic_counters(&fx, c->from, from);
        fixture_nic_counters(&fx, c->to, to);
        assert_int_equal(vnrs_bpf_counters_drop(fx.dp, drops), 0);
        fixture_type_counters(&fx, _NIC_END, types);
        fixture_run(&fx, c->from, &in, c->gso_size, &run);
        if (run.cb[VNRS_BPF_CB_VERDICT] != c->verdict || run.cb[VNRS_BPF_CB_REASON] != c->reason)
            fail_msg("%s: verdict %u reason %u, not %u %u", c->what, run.cb[VNRS_BPF_CB_VERDICT],
                     run.cb[VNRS_BPF_CB_REASON], c->verdict, c->reason);
        if (c->verdict == FORWARD)
            assert_forwarded(c, &in, &run);
        else
            assert_dropped(c, &in, &run);
        assert_counted(c, &in, &from[FROM_NIC], &to[TO_NIC], drops, types);
    }
}

static void every_reason_was_reached(void **state)
{
    (void)state;
    for (unsigned r = 0; r < _VNRS_DROP_MAX; r++) {
        // UNSPEC is no reason; LINK_* are those of test_impair.c.
        if (r != VNRS_DROP_UNSPEC && r != VNRS_DROP_LINK_DOWN && r != VNRS_DROP_LINK_LOSS && !reached[r])
            fail_msg("no case reaches drop reason %u", r);
    }
}

static uint32_t verdict_of(unsigned from, const struct spec *packet)
{
    struct frame in;
    struct run run;

    frame_build(packet, &in);
    fixture_run(&fx, from, &in, 0, &run);
    return run.cb[VNRS_BPF_CB_REASON];
}

static void forwarded_traffic_crosses_a_peering_that_allows_it_or_comes_from_a_gateway(void **state)
{
    struct vnrs_fib_acl acl = {.kind = VNRS_ACL_FORWARDED, .to = 2, .from = 1, .allowed = 1};
    const struct spec packet = {.src = "10.9.0.1", .dst = "10.1.0.4"};
    struct vnrs_bpf_nic nic = {
        .flags = VNRS_NIC_FORWARDING | VNRS_NIC_GATEWAY, .domain = DOMAIN_NVA, .vnet = 1, .subnet = 3, .mtu = 1500};

    (void)state;
    assert_int_equal(verdict_of(NVA1, &packet), VNRS_DROP_NOT_FORWARDED);
    assert_int_equal(fx.sink->ops->acl_set(fx.sink, &acl), 0);
    assert_int_equal(verdict_of(NVA1, &packet), 0);
    acl.allowed = 0;
    assert_int_equal(fx.sink->ops->acl_set(fx.sink, &acl), 0);
    assert_int_equal(verdict_of(NVA1, &packet), VNRS_DROP_NOT_FORWARDED);
    nic_set(fx.sink, NVA1, &nic);
    assert_int_equal(verdict_of(NVA1, &packet), 0);
    fixture_fill(fx.sink);
    assert_int_equal(verdict_of(NVA1, &packet), VNRS_DROP_NOT_FORWARDED);
    (void)!vnrs_bpf_events_consume(fx.events, UINT_MAX);
}

// What NVA1 is for the packets of a row, where VM_A is, and where VM_A's packets through it belong.
static void gateways_and_peerings_are_metered(void **state)
{
    static const struct {
        uint32_t flags;
        uint16_t region; // of VM_A, in virtual network `vnet`
        uint32_t vnet, to_nva, from_nva;
    } rows[] = {
        {0, 1, 1, VNRS_BILL_APPLIANCE, VNRS_BILL_VNET_LOCAL},
        {0, 1, 2, VNRS_BILL_APPLIANCE_PEERING, VNRS_BILL_VNET_LOCAL},
        {0, 2, 2, VNRS_BILL_APPLIANCE_GLOBAL_PEERING, VNRS_BILL_VNET_LOCAL},
        {VNRS_NIC_GATEWAY, 1, 1, VNRS_BILL_VPN, VNRS_BILL_VPN},
        {VNRS_NIC_GATEWAY, 1, 2, VNRS_BILL_VPN_PEERING, VNRS_BILL_VPN},
        {VNRS_NIC_GATEWAY, 2, 2, VNRS_BILL_VPN_GLOBAL_PEERING, VNRS_BILL_VPN},
        {VNRS_NIC_GATEWAY | VNRS_NIC_EXPRESSROUTE, 1, 1, VNRS_BILL_EXPRESSROUTE, VNRS_BILL_EXPRESSROUTE},
        {VNRS_NIC_GATEWAY | VNRS_NIC_EXPRESSROUTE, 1, 2, VNRS_BILL_EXPRESSROUTE_PEERING, VNRS_BILL_EXPRESSROUTE},
        {VNRS_NIC_GATEWAY | VNRS_NIC_EXPRESSROUTE, 2, 2, VNRS_BILL_EXPRESSROUTE_GLOBAL_PEERING, VNRS_BILL_EXPRESSROUTE},
    };
    const struct spec there = {.src = A, .dst = "10.3.0.1", .payload = 100},
                      back = {.src = "10.3.0.1", .dst = "10.0.1.4"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_bpf_nic nva = {
            .flags = VNRS_NIC_FORWARDING | rows[i].flags, .domain = DOMAIN_NVA, .vnet = 1, .region = 1, .mtu = 1500};
        struct vnrs_bpf_nic vm = {.flags = VNRS_NIC_FORWARDING,
                                  .domain = DOMAIN_VM,
                                  .vnet = rows[i].vnet,
                                  .region = rows[i].region,
                                  .mtu = 1500};
        struct vnrs_bpf_nic_counters before, after;
        nic_set(fx.sink, NVA1, &nva);
        nic_set(fx.sink, VM_A, &vm);
        (void)fx.sink->ops->acl_set(fx.sink, &(struct vnrs_fib_acl){VNRS_ACL_FORWARDED, 1, 2, 1});
        assert_int_equal(vnrs_bpf_counters_nic(fx.dp, NVA1, &before), 0);
        assert_int_equal(verdict_of(VM_A, &there), 0);
        assert_int_equal(verdict_of(NVA1, &back), 0);
        assert_int_equal(vnrs_bpf_counters_nic(fx.dp, NVA1, &after), 0);
        for (uint32_t b = 0; b < _VNRS_BILL_MAX; b++) {
            assert_int_equal(after.to[b].bytes - before.to[b].bytes, b == rows[i].to_nva ? 128 : 0);
            assert_int_equal(after.from[b].packets - before.from[b].packets, b == rows[i].from_nva);
        }
    }
    (void)fx.sink->ops->acl_set(fx.sink, &(struct vnrs_fib_acl){VNRS_ACL_FORWARDED, 1, 2, 0});
    fixture_fill(fx.sink);
}

// What was metered stays so, and the next NIC of that number has nothing to do with it.
static void counters_of_a_nic_that_goes_are_kept_by_its_kind(void **state)
{
    struct vnrs_bpf_nic nva = {
        .flags = VNRS_NIC_FORWARDING | VNRS_NIC_GATEWAY, .domain = DOMAIN_NVA, .vnet = 1, .mtu = 1500};
    struct vnrs_bpf_nic_counters nic, gone, after;

    (void)state;
    nic_set(fx.sink, NVA1, &nva);
    assert_int_equal(verdict_of(NVA1, &(struct spec){.src = "10.3.0.1", .dst = "10.0.1.4"}), 0);
    assert_int_equal(vnrs_bpf_counters_nic(fx.dp, NVA1, &nic), 0);
    assert_true(nic.from[VNRS_BILL_VPN].packets && nic.to[VNRS_BILL_APPLIANCE].packets);
    assert_int_equal(vnrs_bpf_counters_nic(fx.dp, VNRS_NIC_KIND_VPN, &gone), 0);
    assert_int_equal(fx.sink->ops->nic_set(fx.sink, &(struct vnrs_fib_nic){.ifindex = NVA1}), 0);
    assert_int_equal(vnrs_bpf_counters_nic(fx.dp, VNRS_NIC_KIND_VPN, &after), 0);
    for (uint32_t b = 0; b < _VNRS_BILL_MAX; b++) {
        assert_int_equal(after.from[b].packets, gone.from[b].packets + nic.from[b].packets);
        assert_int_equal(after.to[b].bytes, gone.to[b].bytes + nic.to[b].bytes);
    }
    fixture_fill(fx.sink);
    assert_int_equal(vnrs_bpf_counters_nic(fx.dp, NVA1, &nic), 0);
    assert_true(nic.from[VNRS_BILL_VPN].packets == 0 && nic.to[VNRS_BILL_APPLIANCE].packets == 0);
}

static void platform_address_with_an_owner_is_reached_whatever_the_routes(void **state)
{
    const struct spec packet = {.src = A, .dst = "168.63.129.16"};
    struct frame in;
    struct run run;

    (void)state;
    nic_set(fx.sink, OPEN, &(struct vnrs_bpf_nic){.flags = VNRS_NIC_PLATFORM, .vnet = 1, .mtu = 1500});
    endpoint_set(fx.sink, 1, "168.63.129.16", OPEN);
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
    frame_build(&packet, &in);
    fixture_run(&fx, VM_A, &in, 0, &run);
    assert_int_equal(run.cb[VNRS_BPF_CB_VERDICT], FORWARD);
    assert_int_equal(run.cb[VNRS_BPF_CB_IFINDEX], OPEN);
    assert_int_equal(run.cb[VNRS_BPF_CB_ACCOUNT], VNRS_BPF_ACCOUNT(VNRS_NH_VNET_LOCAL, VNRS_BILL_PLATFORM));
    endpoint_set(fx.sink, 1, "168.63.129.16", 0);
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
}

// Every length of every shape that has a whole IP header; the kernel takes no shorter ones for test runs
// (test_traffic.c sends them).
static void truncation_at_every_length_is_harmless(void **state)
{
    static const struct spec shapes[] = {
        {.src = A, .dst = "10.0.1.4", .proto = 6, .options = 12, .payload = 4},
        {.src = A6, .dst = "fd00:1::4", .ext = {0xff, 60}, .frag_header = true, .payload = 4},
        {.src = A6, .dst = "fd00:1::4", .proto = 58, .icmp_type = 135, .payload = 24},
    };

    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(shapes); s++) {
        struct frame in;
        struct run run;
        frame_build(&shapes[s], &in);
        for (size_t len = in.len - 1; len >= (s == 0 ? 34 : 54); len--) {
            in.len = len;
            fixture_run(&fx, VM_A, &in, 0, &run);
            assert_int_equal(run.cb[VNRS_BPF_CB_VERDICT], DROP);
            assert_int_equal(run.cb[VNRS_BPF_CB_REASON], VNRS_DROP_MALFORMED);
        }
    }
    (void)!vnrs_bpf_events_consume(fx.events, UINT_MAX);
}

static int setup(void **state)
{
    (void)state;
    fixture_start(&fx);
    return fixture_events_open(&fx);
}

static int teardown(void **state)
{
    (void)state;
    fixture_events_close(&fx);
    fixture_close(&fx, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(every_reason_was_reached),
        cmocka_unit_test(forwarded_traffic_crosses_a_peering_that_allows_it_or_comes_from_a_gateway),
        cmocka_unit_test(gateways_and_peerings_are_metered),
        cmocka_unit_test(counters_of_a_nic_that_goes_are_kept_by_its_kind),
        cmocka_unit_test(platform_address_with_an_owner_is_reached_whatever_the_routes),
        cmocka_unit_test(truncation_at_every_length_is_harmless),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.forward", tests, setup, teardown);
}
