// SPDX-License-Identifier: GPL-2.0-or-later
// The decision for every kind of packet: one row = one packet, what must become of it, and what was counted.
#include "fixture.h"

#include <arpa/inet.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>

#define FORWARD VNRS_BPF_VERDICT_FORWARD
#define DROP    VNRS_BPF_VERDICT_DROP

struct test_case {
    const char *what;
    unsigned from;
    struct spec packet;
    uint32_t gso_size;
    uint32_t verdict;
    uint32_t reason;
    uint32_t to;   // forwarded: ifindex
    uint32_t type; // forwarded: enum vnrs_nexthop_type
};

#define A  "10.0.0.4"
#define A6 "fd00::4"

static const struct test_case cases[] = {
    // next hop kinds and types
    {"own virtual network", VM_A, {.src = A, .dst = "10.0.1.4"}, 0, FORWARD, 0, VM_B, VNRS_NH_VNET_LOCAL},
    {"own virtual network, IPv6", VM_A, {.src = A6, .dst = "fd00:1::4"}, 0, FORWARD, 0, VM_B, VNRS_NH_VNET_LOCAL},
    {"TCP", VM_A, {.src = A, .dst = "10.0.1.4", .proto = 6, .payload = 10}, 0, FORWARD, 0, VM_B, VNRS_NH_VNET_LOCAL},
    {"ICMP echo",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .proto = 1, .payload = 56},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"ESP is carried",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .proto = 50, .payload = 56},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"IPv4 options", VM_A, {.src = A, .dst = "10.0.1.4", .options = 40}, 0, FORWARD, 0, VM_B, VNRS_NH_VNET_LOCAL},
    {"IPv6 extension headers",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .ext = {0xff, 60, 43}},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"eight IPv6 extension headers",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .ext = {60, 60, 60, 60, 60, 60, 60, 60}},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"ICMPv6 of no bytes, and padding that looks like a neighbour solicitation",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .proto = 58, .icmp_type = 135, .at = 19, .value = 0},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"first fragment", VM_A, {.src = A, .dst = "10.0.1.4", .frag = 0x2000}, 0, FORWARD, 0, VM_B, VNRS_NH_VNET_LOCAL},
    {"last fragment, no ports",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .frag = 0x0020, .payload = 3},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"IPv6 fragment",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .frag_header = true, .frag = 0x0100, .payload = 2},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"frame padded by Ethernet",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .payload = 20, .at = 17, .value = 28},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"peering", VM_A, {.src = A, .dst = "10.1.0.4"}, 0, FORWARD, 0, VM_P, VNRS_NH_VNET_PEERING},
    {"appliance, destination unchanged", VM_A, {.src = A, .dst = "10.3.0.1"}, 0, FORWARD, 0, NVA1, VNRS_NH_APPLIANCE},
    {"one of two members dead", VM_A, {.src = A, .dst = "10.6.0.1"}, 0, FORWARD, 0, NVA2, VNRS_NH_APPLIANCE},
    {"Internet", VM_A, {.src = A, .dst = "8.8.8.8"}, 0, FORWARD, 0, INTERNET, VNRS_NH_INTERNET},
    {"from the Internet, any source", INTERNET, {.src = "8.8.8.8", .dst = A}, 0, FORWARD, 0, VM_A, VNRS_NH_VNET_LOCAL},
    {"service, subnet allowed", VM_A, {.src = A, .dst = "20.0.0.1"}, 0, FORWARD, 0, STORAGE, VNRS_NH_SERVICE_ENDPOINT},
    {"service for everybody",
     VM_B,
     {.src = "10.0.1.4", .dst = "20.1.0.1"},
     0,
     FORWARD,
     0,
     OPEN,
     VNRS_NH_SERVICE_ENDPOINT},
    {"NVA over a peering, from itself",
     NVA1,
     {.src = "10.0.2.4", .dst = "10.1.0.4"},
     0,
     FORWARD,
     0,
     VM_P,
     VNRS_NH_VNET_PEERING},
    {"NVA over a peering, for a NIC of its network",
     NVA1,
     {.src = "10.0.1.4", .dst = "10.1.0.4"},
     0,
     FORWARD,
     0,
     VM_P,
     VNRS_NH_VNET_PEERING},
    {"NVA forwards for others", NVA1, {.src = "10.0.1.4", .dst = A}, 0, FORWARD, 0, VM_A, VNRS_NH_VNET_LOCAL},
    {"next hop NIC without forwarding, own address",
     VM_A,
     {.src = A, .dst = "10.0.1.4"},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    {"unicast MAC other than the fabric's",
     VM_A,
     {.mac = "02:00:00:00:00:77", .src = A, .dst = "10.0.1.4"},
     0,
     FORWARD,
     0,
     VM_B,
     VNRS_NH_VNET_LOCAL},
    // MTU that is no problem
    {"exactly the MTU",
     VM_A,
     {.src = A, .dst = "10.0.3.4", .frag = 0x4000, .payload = 1252},
     0,
     FORWARD,
     0,
     SMALL,
     VNRS_NH_VNET_LOCAL},
    {"too big but may be fragmented",
     VM_A,
     {.src = A, .dst = "10.0.3.4", .payload = 1253},
     0,
     FORWARD,
     0,
     SMALL,
     VNRS_NH_VNET_LOCAL},
    {"segments fit",
     VM_A,
     {.src = A, .dst = "10.0.3.4", .proto = 6, .frag = 0x4000, .payload = 2480},
     1240,
     FORWARD,
     0,
     SMALL,
     VNRS_NH_VNET_LOCAL},
    {"segments fit, IPv6",
     VM_A,
     {.src = A6, .dst = "fd00:3::4", .proto = 6, .payload = 2440},
     1220,
     FORWARD,
     0,
     SMALL,
     VNRS_NH_VNET_LOCAL},
    // drops
    {"link without NIC", 40, {.src = A, .dst = "10.0.1.4"}, 0, DROP, VNRS_DROP_UNKNOWN_NIC, 0, 0},
    {"VLAN", VM_A, {.ethertype = 0x8100, .payload = 60}, 0, DROP, VNRS_DROP_VLAN, 0, 0},
    {"QinQ", VM_A, {.ethertype = 0x88a8, .payload = 60}, 0, DROP, VNRS_DROP_VLAN, 0, 0},
    {"LLDP",
     VM_A,
     {.mac = "01:80:c2:00:00:0e", .ethertype = 0x88cc, .payload = 60},
     0,
     DROP,
     VNRS_DROP_MULTICAST,
     0,
     0},
    {"IPv4 broadcast frame",
     VM_A,
     {.mac = BROADCAST, .src = A, .dst = "255.255.255.255"},
     0,
     DROP,
     VNRS_DROP_MULTICAST,
     0,
     0},
    {"DHCP",
     VM_A,
     {.mac = BROADCAST, .src = "0.0.0.0", .dst = "255.255.255.255", .sport = 68, .dport = 67},
     0,
     DROP,
     VNRS_DROP_MULTICAST,
     0,
     0},
    {"multicast in a unicast frame",
     VM_A,
     {.src = A, .dst = "224.0.0.5", .proto = 89, .payload = 44},
     0,
     DROP,
     VNRS_DROP_MULTICAST,
     0,
     0},
    {"multicast from an NVA",
     NVA1,
     {.mac = "01:00:5e:00:00:05", .src = "10.0.2.4", .dst = "224.0.0.5", .proto = 89, .payload = 44},
     0,
     DROP,
     VNRS_DROP_MULTICAST,
     0,
     0},
    {"IPv6 router solicitation",
     VM_A,
     {.mac = "33:33:00:00:00:02", .src = "fe80::1", .dst = "ff02::2", .proto = 58, .icmp_type = 133},
     0,
     DROP,
     VNRS_DROP_MULTICAST,
     0,
     0},
    {"odd ethertype", VM_A, {.ethertype = 0x88b5, .payload = 60}, 0, DROP, VNRS_DROP_ETHERTYPE, 0, 0},
    {"GRE", VM_A, {.src = A, .dst = "10.0.1.4", .proto = 47, .payload = 40}, 0, DROP, VNRS_DROP_PROTOCOL, 0, 0},
    {"IP in IP", NVA1, {.src = "10.0.2.4", .dst = A, .proto = 4, .payload = 40}, 0, DROP, VNRS_DROP_PROTOCOL, 0, 0},
    {"GRE over IPv6, behind an option header",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .proto = 47, .ext = {60}, .payload = 40},
     0,
     DROP,
     VNRS_DROP_PROTOCOL,
     0,
     0},
    {"source of another NIC", VM_A, {.src = "10.0.1.4", .dst = "10.1.0.4"}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"source of nobody", VM_A, {.src = "1.2.3.4", .dst = "10.0.1.4"}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"source of nobody, IPv6", VM_A, {.src = "fd00::5", .dst = "fd00:1::4"}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"source in another virtual network", VM_P, {.src = A, .dst = "10.0.1.4"}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"multicast source of a forwarding NIC", NVA1, {.src = "224.0.0.1", .dst = A}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"broadcast source", NVA1, {.src = "255.255.255.255", .dst = A}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"loopback source", NVA1, {.src = "127.0.0.1", .dst = A}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"unspecified source", INTERNET, {.src = "0.0.0.0", .dst = A}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"multicast source, IPv6", NVA1, {.src = "ff02::1", .dst = "fd00::4"}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"loopback source, IPv6", NVA1, {.src = "::1", .dst = "fd00::4"}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"unspecified source, IPv6", NVA1, {.src = "::", .dst = "fd00::4"}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"link-local source", NVA1, {.src = "fe80::4", .dst = "fd00::4"}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"link-local destination", VM_A, {.src = A6, .dst = "fe80::4"}, 0, DROP, VNRS_DROP_NO_ROUTE, 0, 0},
    {"forwarded over a peering that does not allow it",
     NVA1,
     {.src = "10.9.0.1", .dst = "10.1.0.4"},
     0,
     DROP,
     VNRS_DROP_NOT_FORWARDED,
     0,
     0},
    {"wire server", VM_A, {.src = A, .dst = "168.63.129.16"}, 0, DROP, VNRS_DROP_PLATFORM, 0, 0},
    {"metadata service", NVA1, {.src = A, .dst = "169.254.169.254"}, 0, DROP, VNRS_DROP_PLATFORM, 0, 0},
    {"link-local destination, IPv4", VM_A, {.src = A, .dst = "169.254.7.7"}, 0, DROP, VNRS_DROP_NO_ROUTE, 0, 0},
    {"link-local source, IPv4", NVA1, {.src = "169.254.7.7", .dst = A}, 0, DROP, VNRS_DROP_SOURCE, 0, 0},
    {"no route", VM_A, {.src = A, .dst = "9.9.9.9"}, 0, DROP, VNRS_DROP_NO_ROUTE, 0, 0},
    {"no route, IPv6", VM_A, {.src = A6, .dst = "2001:db8::1"}, 0, DROP, VNRS_DROP_NO_ROUTE, 0, 0},
    {"route of another domain", NVA1, {.src = "10.0.2.4", .dst = "10.3.0.1"}, 0, DROP, VNRS_DROP_NO_ROUTE, 0, 0},
    {"None", VM_A, {.src = A, .dst = "10.2.0.1"}, 0, DROP, VNRS_DROP_NONE_ROUTE, 0, 0},
    {"nobody has the address", VM_A, {.src = A, .dst = "10.0.0.9"}, 0, DROP, VNRS_DROP_NO_ENDPOINT, 0, 0},
    {"address of a NIC that is not there", VM_A, {.src = A, .dst = "10.0.0.99"}, 0, DROP, VNRS_DROP_NO_ENDPOINT, 0, 0},
    {"all members dead", VM_A, {.src = A, .dst = "10.5.0.1"}, 0, DROP, VNRS_DROP_DEAD_NEXTHOP, 0, 0},
    {"next hop NIC that is not there", VM_A, {.src = A, .dst = "10.7.0.1"}, 0, DROP, VNRS_DROP_DEAD_NEXTHOP, 0, 0},
    {"next hop does not forward", VM_A, {.src = A, .dst = "10.8.0.1"}, 0, DROP, VNRS_DROP_DESTINATION, 0, 0},
    {"service, subnet not allowed",
     VM_B,
     {.src = "10.0.1.4", .dst = "20.0.0.1"},
     0,
     DROP,
     VNRS_DROP_SERVICE_DENIED,
     0,
     0},
    {"service, sender without subnet",
     INTERNET,
     {.src = "8.8.8.8", .dst = "20.0.0.1"},
     0,
     DROP,
     VNRS_DROP_SERVICE_DENIED,
     0,
     0},
    {"too big, from a NIC without gateway address",
     INTERNET,
     {.src = "8.8.8.8", .dst = "10.0.3.4", .frag = 0x4000, .payload = 1300},
     0,
     DROP,
     VNRS_DROP_TOO_BIG,
     0,
     0},
    {"too big, an ICMP error itself",
     VM_A,
     {.src = A, .dst = "10.0.3.4", .proto = 1, .icmp_type = 3, .frag = 0x4000, .payload = 1300},
     0,
     DROP,
     VNRS_DROP_TOO_BIG,
     0,
     0},
    {"too big, later fragment",
     VM_A,
     {.src = A, .dst = "10.0.3.4", .frag = 0x4001, .payload = 1300},
     0,
     DROP,
     VNRS_DROP_TOO_BIG,
     0,
     0},
    {"too big, an ICMPv6 error itself",
     VM_A,
     {.src = A6, .dst = "fd00:3::4", .proto = 58, .icmp_type = 1, .payload = 1300},
     0,
     DROP,
     VNRS_DROP_TOO_BIG,
     0,
     0},
    // malformed
    {"IPv4 total length past the frame",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .payload = 20, .cut = 60},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"IPv4 total length below the header",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .at = 17, .value = 19},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"IPv4 total length 0",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .at = 17, .value = 0},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"IPv4 header length 4",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .at = 14, .value = 0x44},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"IPv4 header length past the packet",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .at = 14, .value = 0x4f},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"version 6 in an IPv4 frame",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .at = 14, .value = 0x65},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"UDP header cut", VM_A, {.src = A, .dst = "10.0.1.4", .at = 17, .value = 27}, 0, DROP, VNRS_DROP_MALFORMED, 0, 0},
    {"TCP header cut",
     VM_A,
     {.src = A, .dst = "10.0.1.4", .proto = 6, .at = 17, .value = 39},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"version 4 in an IPv6 frame",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .at = 14, .value = 0x45},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"IPv6 payload past the frame",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .payload = 20, .cut = 80},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"IPv6 extension header cut",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .ext = {60}, .at = 19, .value = 4},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"IPv6 extension header longer than the packet",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .ext = {60}, .at = 55, .value = 9},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
    {"nine IPv6 extension headers",
     VM_A,
     {.src = A6, .dst = "fd00:1::4", .ext = {60, 60, 60, 60, 60, 60, 60, 60, 60}},
     0,
     DROP,
     VNRS_DROP_MALFORMED,
     0,
     0},
};

static struct fixture fx;
static bool reached[_VNRS_DROP_MAX];
static struct vnrs_bpf_events *events;
static struct vnrs_bpf_flow_event last_event;

static bool remember_event(const struct vnrs_bpf_flow_event *event, void *arg)
{
    (void)arg;
    last_event = *event;
    return true;
}

static void assert_forwarded(const struct test_case *c, const struct frame *in, const struct run *run)
{
    struct frame expected = *in;
    uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)c->to};

    memcpy(expected.bytes, mac, 6);
    mac_parse(FABRIC_MAC, expected.bytes + 6);
    assert_int_equal(run->ret, TC_ACT_REDIRECT);
    assert_int_equal(run->cb[VNRS_BPF_CB_IFINDEX], c->to);
    assert_int_equal(run->cb[VNRS_BPF_CB_TYPE], c->type);
    assert_int_equal(run->mark, 0);
    assert_int_equal(run->out.len, expected.len);
    assert_memory_equal(run->out.bytes, expected.bytes, expected.len); // nothing but the MACs: TTL as it was
}

static void assert_dropped(const struct test_case *c, const struct frame *in, const struct run *run)
{
    assert_int_equal(run->ret, TC_ACT_SHOT);
    assert_int_equal(run->out.len, in->len);
    assert_memory_equal(run->out.bytes, in->bytes, in->len);
    assert_true(vnrs_bpf_events_consume(events, UINT_MAX) == 1);
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
    struct vnrs_bpf_counter nic[_VNRS_BPF_DIR_MAX], drops_now[_VNRS_DROP_MAX], types_now[_VNRS_NH_MAX];
    unsigned packets = c->gso_size ? 2 : 1;
    size_t bytes = in->len - 14;
    bool known = c->reason != VNRS_DROP_UNKNOWN_NIC, forwarded = c->verdict == FORWARD;

    assert_int_equal(vnrs_bpf_counters_nic(fx.dp, c->from, nic), 0);
    assert_int_equal(nic[VNRS_BPF_FROM_NIC].packets, from->packets + known * packets);
    assert_int_equal(nic[VNRS_BPF_FROM_NIC].bytes, from->bytes + known * bytes);
    assert_int_equal(vnrs_bpf_counters_nic(fx.dp, c->to, nic), 0);
    assert_int_equal(nic[VNRS_BPF_TO_NIC].packets, to->packets + forwarded * packets);
    assert_int_equal(nic[VNRS_BPF_TO_NIC].bytes, to->bytes + forwarded * bytes);
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, drops_now), 0);
    for (unsigned r = 0; r < _VNRS_DROP_MAX; r++)
        assert_int_equal(drops_now[r].packets, drops[r].packets + (!forwarded && r == c->reason) * packets);
    assert_int_equal(vnrs_bpf_counters_type(fx.dp, types_now), 0);
    for (unsigned t = 0; t < _VNRS_NH_MAX; t++)
        assert_int_equal(types_now[t].packets, types[t].packets + (forwarded && t == c->type) * packets);
}

static void every_case(void **state)
{
    struct vnrs_bpf_counter from[_VNRS_BPF_DIR_MAX], to[_VNRS_BPF_DIR_MAX], drops[_VNRS_DROP_MAX], types[_VNRS_NH_MAX];
    struct frame in;
    struct run run;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct test_case *c = &cases[i];
        frame_build(&c->packet, &in);
        assert_int_equal(vnrs_bpf_counters_nic(fx.dp, c->from, from), 0);
        assert_int_equal(vnrs_bpf_counters_nic(fx.dp, c->to, to), 0);
        assert_int_equal(vnrs_bpf_counters_drop(fx.dp, drops), 0);
        assert_int_equal(vnrs_bpf_counters_type(fx.dp, types), 0);
        fixture_run(&fx, c->from, &in, c->gso_size, &run);
        if (run.cb[VNRS_BPF_CB_VERDICT] != c->verdict || run.cb[VNRS_BPF_CB_REASON] != c->reason)
            fail_msg("%s: verdict %u reason %u, not %u %u", c->what, run.cb[VNRS_BPF_CB_VERDICT],
                     run.cb[VNRS_BPF_CB_REASON], c->verdict, c->reason);
        if (c->verdict == FORWARD)
            assert_forwarded(c, &in, &run);
        else
            assert_dropped(c, &in, &run);
        assert_counted(c, &in, &from[VNRS_BPF_FROM_NIC], &to[VNRS_BPF_TO_NIC], drops, types);
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

static void drop_event_names_the_flow(void **state)
{
    const struct spec packet = {.src = "1.2.3.4", .dst = "10.0.1.4", .sport = 7, .dport = 9};
    struct frame in;
    struct run run;

    (void)state;
    frame_build(&packet, &in);
    fixture_run(&fx, VM_A, &in, 0, &run);
    assert_int_equal(vnrs_bpf_events_consume(events, UINT_MAX), 1);
    assert_int_equal(last_event.family, 4);
    assert_int_equal(last_event.protocol, 17);
    assert_int_equal(ntohs(last_event.sport_be), 7);
    assert_int_equal(ntohs(last_event.dport_be), 9);
    assert_memory_equal(last_event.saddr, "\x01\x02\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_memory_equal(last_event.daddr, "\x0a\x00\x01\x04\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_true(last_event.time_ns > 0);
}

static unsigned count_events(unsigned packets)
{
    const struct spec packet = {.src = A, .dst = "10.0.1.4", .sport = 7, .dport = 9};
    struct frame in;
    struct run run;
    unsigned n = 0;

    frame_build(&packet, &in);
    for (unsigned i = 0; i < packets; i++) {
        fixture_run(&fx, VM_A, &in, 0, &run);
        assert_int_equal(run.cb[VNRS_BPF_CB_VERDICT], FORWARD);
        n += (unsigned)vnrs_bpf_events_consume(events, UINT_MAX);
    }
    return n;
}

static void forwarded_packets_are_told_of_as_sampled(void **state)
{
    (void)state;
    assert_int_equal(count_events(50), 0);
    assert_int_equal(vnrs_bpf_events_ask(events, VNRS_BPF_FLOWS, 1), 0);
    assert_int_equal(count_events(50), 50);
    assert_int_equal(last_event.verdict, FORWARD);
    assert_int_equal(last_event.reason, 0);
    assert_int_equal(last_event.ifindex, VM_A);
    assert_int_equal(last_event.egress, VM_B);
    assert_int_equal(last_event.type, VNRS_NH_VNET_LOCAL);
    assert_int_equal(ntohs(last_event.dport_be), 9);
    assert_int_equal(vnrs_bpf_events_ask(events, VNRS_BPF_FLOWS, 4), 0);
    unsigned n = count_events(800); // 200 expected, 12 the standard deviation
    assert_in_range(n, 120, 280);
    assert_int_equal(vnrs_bpf_events_ask(events, VNRS_BPF_FLOWS, 0), 0);
    assert_int_equal(count_events(50), 0);
}

static void run_drops(unsigned packets)
{
    const struct spec packet = {.src = "1.2.3.4", .dst = "10.0.1.4"};
    struct frame in;
    struct run run;

    frame_build(&packet, &in);
    for (unsigned i = 0; i < packets; i++)
        fixture_run(&fx, VM_A, &in, 0, &run);
}

static void reader_takes_no_more_than_it_wants_and_the_rest_waits_or_is_lost(void **state)
{
    const unsigned more = 10, room = 2 * 1024 * 1024 / (sizeof(struct vnrs_bpf_flow_event) + 8);

    (void)state;
    assert_int_equal(vnrs_bpf_events_lost(events), 0);
    run_drops(room + more);
    assert_int_equal(vnrs_bpf_events_consume(events, 0), 0);
    assert_int_equal(vnrs_bpf_events_consume(events, 100), 100);
    unsigned n = (unsigned)vnrs_bpf_events_consume(events, UINT_MAX);
    assert_int_equal(100 + n + vnrs_bpf_events_lost(events), room + more);
    assert_in_range(vnrs_bpf_events_lost(events), more, more + 2);
}

static void nothing_is_written_while_nobody_reads(void **state)
{
    (void)state;
    run_drops(3); // of the reader that leaves
    events = vnrs_bpf_events_close(events);
    run_drops(3);
    assert_int_equal(vnrs_bpf_events_open(fx.dp, remember_event, NULL, &events), 0);
    assert_int_equal(vnrs_bpf_events_consume(events, UINT_MAX), 0);
    run_drops(3);
    assert_int_equal(vnrs_bpf_events_consume(events, UINT_MAX), 3);
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
    (void)!vnrs_bpf_events_consume(events, UINT_MAX);
}

static void platform_address_with_an_owner_is_reached_whatever_the_routes(void **state)
{
    const struct spec packet = {.src = A, .dst = "168.63.129.16"};
    struct frame in;
    struct run run;

    (void)state;
    endpoint_set(fx.sink, 1, "168.63.129.16", OPEN);
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
    frame_build(&packet, &in);
    fixture_run(&fx, VM_A, &in, 0, &run);
    assert_int_equal(run.cb[VNRS_BPF_CB_VERDICT], FORWARD);
    assert_int_equal(run.cb[VNRS_BPF_CB_IFINDEX], OPEN);
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
    (void)!vnrs_bpf_events_consume(events, UINT_MAX);
}

static int setup(void **state)
{
    (void)state;
    fixture_enter_namespace();
    for (unsigned i = VM_A; i < _NIC_END; i++)
        sh("ip link add f%u index %u type veth peer name g%u", i, i, i);
    sh("ip link add f40 index 40 type veth peer name g40");
    fixture_open(&fx);
    fixture_fill(fx.sink);
    return vnrs_bpf_events_open(fx.dp, remember_event, NULL, &events);
}

static int teardown(void **state)
{
    (void)state;
    events = vnrs_bpf_events_close(events);
    fixture_close(&fx, true);
    return 0;
}

// --- neighbours ---

static void assert_answer(unsigned from, const struct frame *in, const struct frame *expected)
{
    struct vnrs_bpf_counter before[_VNRS_BPF_DIR_MAX], after[_VNRS_BPF_DIR_MAX];
    struct run run;

    assert_int_equal(vnrs_bpf_counters_nic(fx.dp, from, before), 0);
    fixture_run(&fx, from, in, 0, &run);
    assert_int_equal(vnrs_bpf_counters_nic(fx.dp, from, after), 0);
    assert_int_equal(after[VNRS_BPF_FROM_NIC].packets, before[VNRS_BPF_FROM_NIC].packets + 1);
    assert_int_equal(run.cb[VNRS_BPF_CB_REASON], 0);
    if (!expected) {
        assert_int_equal(run.cb[VNRS_BPF_CB_VERDICT], VNRS_BPF_VERDICT_IGNORE);
        assert_int_equal(run.ret, TC_ACT_SHOT);
        assert_int_equal(after[VNRS_BPF_TO_NIC].packets, before[VNRS_BPF_TO_NIC].packets);
        return;
    }
    assert_int_equal(run.cb[VNRS_BPF_CB_VERDICT], VNRS_BPF_VERDICT_REPLY);
    assert_int_equal(run.cb[VNRS_BPF_CB_IFINDEX], from);
    assert_int_equal(run.ret, TC_ACT_REDIRECT);
    assert_int_equal(run.out.len, expected->len);
    assert_memory_equal(run.out.bytes, expected->bytes, expected->len);
    assert_int_equal(after[VNRS_BPF_TO_NIC].packets, before[VNRS_BPF_TO_NIC].packets + 1);
    assert_int_equal(after[VNRS_BPF_TO_NIC].bytes, before[VNRS_BPF_TO_NIC].bytes + expected->len - 14);
}

static void arp(void **state)
{
    static const struct {
        const char *what, *mac, *sender, *target;
        uint16_t op;
        bool answered;
    } rows[] = {
        {"gateway", BROADCAST, A, "10.0.0.1", 1, true},
        {"neighbour that exists", BROADCAST, A, "10.0.1.4", 1, true},
        {"anything at all", BROADCAST, A, "203.0.113.7", 1, true},
        {"unicast refresh", FABRIC_MAC, A, "10.0.0.1", 1, true},
        {"announcement", BROADCAST, A, A, 1, false},
        {"probe of own address", BROADCAST, "0.0.0.0", A, 1, false},
        {"own second address", BROADCAST, "10.0.0.8", A, 1, false},
        {"reply", FABRIC_MAC, A, "10.0.0.1", 2, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame in, expected;
        print_message("arp: %s\n", rows[i].what);
        frame_arp(rows[i].mac, rows[i].op, rows[i].sender, rows[i].target, &in);
        frame_arp_reply(rows[i].sender, rows[i].target, &expected);
        assert_answer(VM_A, &in, rows[i].answered ? &expected : NULL);
    }
}

static void malformed_arp(void **state)
{
    struct frame in;
    struct run run;

    (void)state;
    for (size_t at = 14; at < 20; at++) { // hardware, protocol, their lengths
        frame_arp(BROADCAST, 1, A, "10.0.0.1", &in);
        in.bytes[at] ^= 0x10;
        fixture_run(&fx, VM_A, &in, 0, &run);
        assert_int_equal(run.cb[VNRS_BPF_CB_REASON], VNRS_DROP_MALFORMED);
    }
    frame_arp(BROADCAST, 1, A, "10.0.0.1", &in);
    in.len--;
    fixture_run(&fx, VM_A, &in, 0, &run);
    assert_int_equal(run.cb[VNRS_BPF_CB_REASON], VNRS_DROP_MALFORMED);
    (void)!vnrs_bpf_events_consume(events, UINT_MAX);
}

static void neighbour_solicitation(void **state)
{
    static const struct {
        const char *what, *mac, *src, *dst, *target;
        bool option, answered;
    } rows[] = {
        {"gateway, solicited-node", "33:33:ff:00:00:01", A6, "ff02::1:ff00:1", "fd00::1", true, true},
        {"anything at all", "33:33:ff:00:00:09", A6, "ff02::1:ff00:9", "2001:db8::9", true, true},
        {"link-local router", "33:33:ff:00:00:01", "fe80::4", "ff02::1:ff00:1", "fe80::1", true, true},
        {"unicast", FABRIC_MAC, A6, "fd00::1", "fd00::1", true, true},
        {"unicast without option", FABRIC_MAC, A6, "fd00::1", "fd00::1", false, true},
        {"duplicate address detection", "33:33:ff:00:00:04", "::", "ff02::1:ff00:4", A6, false, false},
        {"own address", "33:33:ff:00:00:04", A6, "ff02::1:ff00:4", A6, true, false},
        {"own other address", "33:33:ff:00:00:04", "fe80::4", "ff02::1:ff00:4", A6, true, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame in, expected;
        print_message("nd: %s\n", rows[i].what);
        frame_solicit(rows[i].mac, rows[i].src, rows[i].dst, rows[i].target, rows[i].option, &in);
        frame_advert(rows[i].src, rows[i].target, &expected);
        assert_answer(VM_A, &in, rows[i].answered ? &expected : NULL);
    }
}

static void malformed_neighbour_solicitation(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {{21, 254}, {55, 1}, {62, 0xff}}; // hop limit, code, multicast target
    struct frame in;
    struct run run;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        frame_solicit("33:33:ff:00:00:01", A6, "ff02::1:ff00:1", "fd00::1", true, &in);
        in.bytes[rows[i].at] = rows[i].value;
        fixture_run(&fx, VM_A, &in, 0, &run);
        assert_int_equal(run.cb[VNRS_BPF_CB_REASON], VNRS_DROP_MALFORMED);
    }
    (void)!vnrs_bpf_events_consume(events, UINT_MAX);
}

// --- path MTU ---

static void run_too_big(const struct spec *packet, uint32_t gso_size, struct frame *ret_in, struct run *ret_run)
{
    frame_build(packet, ret_in);
    fixture_run(&fx, VM_A, ret_in, gso_size, ret_run);
    assert_int_equal(ret_run->cb[VNRS_BPF_CB_VERDICT], VNRS_BPF_VERDICT_REPLY);
    assert_int_equal(ret_run->cb[VNRS_BPF_CB_REASON], VNRS_DROP_TOO_BIG);
    assert_int_equal(ret_run->cb[VNRS_BPF_CB_IFINDEX], VM_A);
    assert_int_equal(ret_run->ret, TC_ACT_REDIRECT);
    assert_memory_equal(ret_run->out.bytes, ret_in->bytes + 6, 6); // back to the guest
    uint8_t fabric[6];
    mac_parse(FABRIC_MAC, fabric);
    assert_memory_equal(ret_run->out.bytes + 6, fabric, 6);
    assert_int_equal(vnrs_bpf_events_consume(events, UINT_MAX), 1);
    assert_int_equal(last_event.reason, VNRS_DROP_TOO_BIG);
}

static void fragmentation_needed(void **state)
{
    static const struct {
        struct spec packet;
        uint32_t gso_size;
    } rows[] = {
        {{.src = A, .dst = "10.0.3.4", .frag = 0x4000, .payload = 1253}, 0},
        {{.src = A, .dst = "10.0.3.4", .frag = 0x4000, .proto = 1, .payload = 1400}, 0},
        {{.src = A, .dst = "10.0.3.4", .frag = 0x4000, .proto = 1, .icmp_type = 13, .payload = 1400}, 0},
        {{.src = A, .dst = "10.0.3.4", .frag = 0x4000, .proto = 6, .payload = 2482}, 1241},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame in;
        struct run run;
        run_too_big(&rows[i].packet, rows[i].gso_size, &in, &run);
        const uint8_t *ip = run.out.bytes + 14, *icmp = ip + 20;
        size_t quoted = run.out.len - 42;
        assert_int_equal(ip[0], 0x45);
        assert_int_equal(ip[2] << 8 | ip[3], run.out.len - 14);
        assert_int_equal(ip[9], 1);
        assert_int_equal(checksum(ip, 20, 0), 0);
        assert_memory_equal(ip + 12, "\x0a\x00\x00\x01", 4); // the sender's gateway
        assert_memory_equal(ip + 16, "\x0a\x00\x00\x04", 4);
        assert_memory_equal(icmp, "\x03\x04", 2);
        assert_int_equal(icmp[6] << 8 | icmp[7], 1280);
        assert_int_equal(checksum(icmp, run.out.len - 34, 0), 0);
        assert_true(quoted >= 28 && quoted <= 548);
        assert_memory_equal(icmp + 8, in.bytes + 14, quoted);
    }
}

static void packet_too_big(void **state)
{
    static const struct {
        struct spec packet;
        uint32_t gso_size;
    } rows[] = {
        {{.src = A6, .dst = "fd00:3::4", .payload = 1233}, 0},
        {{.src = A6, .dst = "fd00:3::4", .proto = 58, .payload = 1400}, 0},
        {{.src = A6, .dst = "fd00:3::4", .proto = 6, .payload = 2442}, 1221},
        {{.src = A6, .dst = "fd00:3::4", .ext = {60}, .payload = 1300}, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame in;
        struct run run;
        run_too_big(&rows[i].packet, rows[i].gso_size, &in, &run);
        const uint8_t *ip = run.out.bytes + 14, *icmp = ip + 40;
        size_t quoted = run.out.len - 62;
        uint32_t len = (uint32_t)(run.out.len - 54);
        assert_int_equal(ip[0], 0x60);
        assert_int_equal(ip[4] << 8 | ip[5], len);
        assert_int_equal(ip[6], 58);
        assert_memory_equal(ip + 8, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        assert_memory_equal(ip + 24, in.bytes + 22, 16);
        assert_memory_equal(icmp, "\x02\x00", 2);
        assert_memory_equal(icmp + 4, "\x00\x00\x05\x00", 4);
        assert_int_equal(checksum(icmp, len, pseudo_sum6(ip + 8, len, 58)), 0);
        assert_true(quoted >= 48 && quoted <= 1232);
        assert_memory_equal(icmp + 8, in.bytes + 14, quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(every_reason_was_reached),
        cmocka_unit_test(drop_event_names_the_flow),
        cmocka_unit_test(forwarded_packets_are_told_of_as_sampled),
        cmocka_unit_test(reader_takes_no_more_than_it_wants_and_the_rest_waits_or_is_lost),
        cmocka_unit_test(nothing_is_written_while_nobody_reads),
        cmocka_unit_test(forwarded_traffic_crosses_a_peering_that_allows_it_or_comes_from_a_gateway),
        cmocka_unit_test(platform_address_with_an_owner_is_reached_whatever_the_routes),
        cmocka_unit_test(truncation_at_every_length_is_harmless),
        cmocka_unit_test(arp),
        cmocka_unit_test(malformed_arp),
        cmocka_unit_test(neighbour_solicitation),
        cmocka_unit_test(malformed_neighbour_solicitation),
        cmocka_unit_test(fragmentation_needed),
        cmocka_unit_test(packet_too_big),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.forward", tests, setup, teardown);
}
