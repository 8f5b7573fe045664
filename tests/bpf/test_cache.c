// SPDX-License-Identifier: GPL-2.0-or-later
// Decisions that packets leave for the next ones: they are used, by nobody whom they are not for, and by nobody any
// more once anything changed that they came from.
#include "fixture.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

static struct fixture fx;

// Of a packet from a NIC: to which it goes, or minus the reason for which it does not.
static int outcome(unsigned from, const struct spec *packet)
{
    struct frame in;
    struct run run;

    frame_build(packet, &in);
    fixture_run(&fx, from, &in, 0, &run);
    return run.cb[VNRS_BPF_CB_VERDICT] == VNRS_BPF_VERDICT_FORWARD ? (int)run.cb[VNRS_BPF_CB_IFINDEX]
                                                                   : -(int)run.cb[VNRS_BPF_CB_REASON];
}

static int sent(const char *src, const char *dst)
{
    return outcome(VM_A, &(struct spec){.src = src, .dst = dst, .payload = 18});
}

static const struct {
    const char *src, *dst;
} pairs[] = {{"10.0.0.4", "10.0.1.4"}, {"fd00::4", "fd00:1::4"}};

static unsigned redirect_in(void *ways, size_t n, size_t size, unsigned from, unsigned to)
{
    unsigned changed = 0;

    for (size_t i = 0; i < n; i++) {
        struct vnrs_bpf_cached *decided = (void *)((char *)ways + i * size);
        if (decided->to != from)
            continue;
        decided->to = (uint16_t)to;
        changed++;
    }
    return changed;
}

// Decisions about packets of a family to one NIC are made to say another. Returns how many.
static unsigned redirect(int family, unsigned from, unsigned to)
{
    int fd = vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_CACHE);
    struct vnrs_bpf_cache *all = malloc(sizeof(*all));
    unsigned n = 0;

    assert_non_null(all);
    for (uint32_t cpu = 0; cpu < (uint32_t)libbpf_num_possible_cpus(); cpu++) {
        assert_int_equal(bpf_map_lookup_elem(fd, &cpu, all), 0);
        n += family == 4 ? redirect_in(all->set4, 2ul << VNRS_CACHE_BITS, sizeof(struct vnrs_bpf_cache4), from, to)
                         : redirect_in(all->set6, 2ul << VNRS_CACHE_BITS, sizeof(struct vnrs_bpf_cache6), from, to);
        assert_int_equal(bpf_map_update_elem(fd, &cpu, all, BPF_ANY), 0);
    }
    free(all);
    return n;
}

static unsigned spoil(int family)
{
    return redirect(family, VM_B, VM_P);
}

// Nothing that concerns the pairs; what is remembered is forgotten all the same.
static void change_something(void)
{
    route_set(fx.sink, DOMAIN_VM, "10.77.0.0/16", HANDLE_LOCAL, VNRS_NH_VNET_LOCAL);
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
    route_set(fx.sink, DOMAIN_VM, "10.77.0.0/16", 0, 0);
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
}

static void next_packets_get_the_same_decision(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    for (size_t f = 0; f < ARRAY_SIZE(pairs); f++)
        assert_int_equal(sent(pairs[f].src, pairs[f].dst), VM_B);
    assert_int_equal(spoil(4), 1);
    assert_int_equal(spoil(6), 1);
    for (size_t f = 0; f < ARRAY_SIZE(pairs); f++)
        assert_int_equal(sent(pairs[f].src, pairs[f].dst), VM_P);
    change_something();
    for (size_t f = 0; f < ARRAY_SIZE(pairs); f++)
        assert_int_equal(sent(pairs[f].src, pairs[f].dst), VM_B);
}

static void others_do_not_get_it(void **state)
{
    const struct spec plain = {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18},
                      multicast = {.mac = BROADCAST, .src = "10.0.0.4", .dst = "10.0.1.4"},
                      gre = {.src = "10.0.0.4", .dst = "10.0.1.4", .proto = 47, .payload = 18},
                      broken = {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .at = 14, .value = 0x41};

    (void)state;
    assert_int_equal(outcome(VM_A, &plain), VM_B);
    assert_int_equal(outcome(VM_B, &plain), -VNRS_DROP_SOURCE);
    assert_int_equal(outcome(SMALL, &plain), -VNRS_DROP_SOURCE);
    assert_int_equal(outcome(OTHER_LINK, &plain), -VNRS_DROP_UNKNOWN_NIC);
    assert_int_equal(outcome(VM_A, &multicast), -VNRS_DROP_MULTICAST);
    assert_int_equal(outcome(VM_A, &gre), -VNRS_DROP_PROTOCOL);
    assert_int_equal(outcome(VM_A, &broken), -VNRS_DROP_MALFORMED);
    assert_int_equal(sent("10.0.0.5", "10.0.1.4"), -VNRS_DROP_SOURCE);
    assert_int_equal(sent("10.0.0.4", "10.0.1.5"), -VNRS_DROP_NO_ENDPOINT);
    assert_int_equal(outcome(VM_A, &plain), VM_B);
}

// Only what could not have another outcome goes the short way; the long way forgets what was spoiled.
static void short_way_takes_what_it_may(void **state)
{
    static const struct {
        const char *what;
        struct spec packet;
        int to;
    } cases[] = {
        {"no more than headers", {.src = "10.0.0.4", .dst = "10.0.1.4"}, VM_P},
        {"27 bytes",
         {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .at = 17, .value = 27},
         -VNRS_DROP_MALFORMED},
        {"TCP", {.src = "10.0.0.4", .dst = "10.0.1.4", .proto = 6, .payload = 18}, VM_P},
        {"TCP of 39 bytes",
         {.src = "10.0.0.4", .dst = "10.0.1.4", .proto = 6, .payload = 18, .at = 17, .value = 39},
         -VNRS_DROP_MALFORMED},
        {"another protocol", {.src = "10.0.0.4", .dst = "10.0.1.4", .proto = 132, .payload = 18}, VM_B},
        {"a fragment", {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .frag = 0x2000}, VM_P},
        {"a later fragment", {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 20, .frag = 0x0010}, VM_P},
        {"options", {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .options = 4}, VM_B},
        {"padding", {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .at = 17, .value = 45}, VM_P},
        {"cut", {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .cut = 59}, -VNRS_DROP_MALFORMED},
        {"just headers", {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .cut = 34}, -VNRS_DROP_MALFORMED},
        {"no version 4",
         {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .at = 14, .value = 0x65},
         -VNRS_DROP_MALFORMED},
        {"a tag", {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18, .ethertype = 0x8100}, -VNRS_DROP_VLAN},
        {"to a group", {.mac = BROADCAST, .src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18}, -VNRS_DROP_MULTICAST},
        {"no more than headers", {.src = "fd00::4", .dst = "fd00:1::4"}, VM_P},
        {"47 bytes", {.src = "fd00::4", .dst = "fd00:1::4", .payload = 18, .at = 19, .value = 7}, -VNRS_DROP_MALFORMED},
        {"TCP", {.src = "fd00::4", .dst = "fd00:1::4", .proto = 6, .payload = 18}, VM_P},
        {"TCP of 59 bytes",
         {.src = "fd00::4", .dst = "fd00:1::4", .proto = 6, .payload = 18, .at = 19, .value = 19},
         -VNRS_DROP_MALFORMED},
        {"another protocol", {.src = "fd00::4", .dst = "fd00:1::4", .proto = 132, .payload = 18}, VM_B},
        {"an extension header", {.src = "fd00::4", .dst = "fd00:1::4", .ext = {60}, .payload = 18}, VM_B},
        {"a fragment", {.src = "fd00::4", .dst = "fd00:1::4", .frag_header = true, .frag = 1, .payload = 18}, VM_B},
        {"cut", {.src = "fd00::4", .dst = "fd00:1::4", .payload = 18, .cut = 79}, -VNRS_DROP_MALFORMED},
        {"no version 6",
         {.src = "fd00::4", .dst = "fd00:1::4", .payload = 18, .at = 14, .value = 0x45},
         -VNRS_DROP_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t f = 0; f < ARRAY_SIZE(pairs); f++) {
            const struct spec tcp = {.src = pairs[f].src, .dst = pairs[f].dst, .proto = 6, .payload = 18};
            assert_int_equal(sent(pairs[f].src, pairs[f].dst), VM_B);
            assert_int_equal(outcome(VM_A, &tcp), VM_B);
        }
        (void)spoil(4);
        (void)spoil(6);
        int to = outcome(VM_A, &cases[i].packet);
        if (to != cases[i].to)
            fail_msg("%s to %s: %d, not %d", cases[i].what, cases[i].packet.dst, to, cases[i].to);
        change_something();
    }
}

// Neither who forwards nor another protocol takes the place of what was there.
static void others_have_their_own(void **state)
{
    const struct spec udp = {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18},
                      tcp = {.src = "10.0.0.4", .dst = "10.0.1.4", .proto = 6, .payload = 18};

    (void)state;
    change_something();
    (void)spoil(4);
    assert_int_equal(outcome(VM_A, &udp), VM_B);
    assert_int_equal(outcome(NVA1, &udp), VM_B);
    assert_int_equal(outcome(VM_A, &tcp), VM_B);
    assert_int_equal(outcome(NVA1, &tcp), VM_B);
    assert_int_equal(spoil(4), 4);
    assert_int_equal(outcome(VM_A, &udp), VM_P);
    assert_int_equal(outcome(NVA1, &udp), VM_P);
    assert_int_equal(outcome(VM_A, &tcp), VM_P);
    assert_int_equal(outcome(NVA1, &tcp), VM_P);
    change_something();
}

// Where IPv6 has a protocol's number, it may have that of a header which says more.
static void of_ipv6_only_tcp_and_udp(void **state)
{
    const struct spec sctp = {.src = "fd00::4", .dst = "fd00:1::4", .proto = 132, .payload = 18},
                      options = {.src = "fd00::4", .dst = "fd00:1::4", .frag_header = true, .frag = 1, .proto = 60};

    (void)state;
    change_something();
    (void)spoil(6);
    assert_int_equal(outcome(VM_A, &sctp), VM_B);
    assert_int_equal(outcome(VM_A, &options), VM_B);
    assert_int_equal(spoil(6), 0);
    assert_int_equal(sent("fd00::4", "fd00:1::4"), VM_B);
    assert_int_equal(spoil(6), 1);
    change_something();
}

static int sent_to(unsigned i)
{
    char dst[16];

    (void)snprintf(dst, sizeof(dst), "10.3.%u.%u", i * 7919 >> 8 & 255, i * 7919 & 255);
    return sent("10.0.0.4", dst);
}

// A quarter of a decision for each set: with one to a set, 120 of 1,024 would be lost.
static void two_find_room_in_a_set(void **state)
{
    (void)state;
    change_something();
    (void)redirect(4, NVA1, 0);
    for (unsigned i = 0; i < 1024; i++)
        assert_int_equal(sent_to(i), NVA1);
    assert_in_range(redirect(4, NVA1, NVA2), 1000, 1024);
    change_something();
}

// Four for each set of two, in turns. If each newcomer were let in, one in seventeen would find a decision, for the
// others would be gone by then; if none were, those that come too late would never have one.
static void some_stay_where_there_is_no_room_for_all(void **state)
{
    enum { ALL = 4 << VNRS_CACHE_BITS, LATE = 64 };
    unsigned found = 0;

    (void)state;
    change_something();
    (void)redirect(4, NVA1, 0);
    for (unsigned i = 0; i < ALL; i++)
        assert_int_equal(sent_to(i), NVA1);
    assert_true(redirect(4, NVA1, NVA2) > ALL / 3);
    for (unsigned i = 0; i < ALL; i++)
        found += sent_to(i) == NVA2;
    assert_in_range(found, ALL / 4, ALL / 2);
    for (unsigned i = 0; i < LATE; i++) {
        for (unsigned again = 0; again < 300; again++)
            (void)sent_to(ALL + i);
    }
    (void)redirect(4, NVA1, NVA2);
    for (found = 0; found < LATE && sent_to(ALL + found) == NVA2;)
        found++;
    assert_int_equal(found, LATE);
    change_something();
}

// What is remembered is told of like anything else, and is no shorter for that.
static void readers_are_told_of_it(void **state)
{
    (void)state;
    assert_int_equal(sent("10.0.0.4", "10.0.1.4"), VM_B);
    assert_int_equal(spoil(4), 1);
    assert_int_equal(fixture_events_open(&fx), 0);
    assert_int_equal(vnrs_bpf_events_ask(fx.events, VNRS_BPF_FLOWS, 1), 0);
    assert_int_equal(sent("10.0.0.4", "10.0.1.4"), VM_P);
    assert_true(vnrs_bpf_events_consume(fx.events, 1) > 0);
    assert_int_equal(last_event.egress, VM_P);
    assert_int_equal(last_event.family, 4);
    assert_int_equal(last_event.sport_be, htons(1000));
    fixture_events_close(&fx);
    change_something();
}

// The first bytes of an IPv6 address are no IPv4 address.
static void families_are_apart(void **state)
{
    (void)state;
    endpoint_set(fx.sink, 1, "a00:4::", VM_A);
    route_set(fx.sink, DOMAIN_VM, "a00::/16", HANDLE_NVA1, VNRS_NH_APPLIANCE);
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
    assert_int_equal(sent("10.0.0.4", "10.0.1.4"), VM_B);
    assert_int_equal(sent("a00:4::", "a00:104::"), NVA1);
    assert_int_equal(sent("10.0.0.4", "10.0.1.4"), VM_B);
    endpoint_set(fx.sink, 1, "a00:4::", 0);
    route_set(fx.sink, DOMAIN_VM, "a00::/16", 0, 0);
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
}

static void large_packets_are_judged_each(void **state)
{
    const struct spec small = {.src = "10.0.0.4", .dst = "10.0.3.4", .payload = 18, .frag = 0x4000},
                      large = {.src = "10.0.0.4", .dst = "10.0.3.4", .payload = 1300, .frag = 0x4000},
                      divisible = {.src = "10.0.0.4", .dst = "10.0.3.4", .payload = 1300};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(outcome(VM_A, &small), SMALL);
        assert_int_equal(outcome(VM_A, &large), -VNRS_DROP_TOO_BIG);
        assert_int_equal(outcome(VM_A, &divisible), SMALL);
    }
}

static void flows_over_several_next_hops_stay_spread(void **state)
{
    unsigned to[_NIC_END] = {0};

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        to[outcome(VM_A, &(struct spec){.src = "10.0.0.4", .dst = "10.4.0.1", .sport = (uint16_t)(1 + i)})]++;
    assert_true(to[NVA1] > 50 && to[NVA2] > 50);
}

// ---- whatever changes, the next packet goes by it

static void change_route(void)
{
    route_set(fx.sink, DOMAIN_VM, "10.0.1.4/32", HANDLE_NVA1, VNRS_NH_APPLIANCE);
}

static void change_group(void)
{
    GROUP(fx.sink, HANDLE_NVA1, TO_NIC(NVA2));
}

static void change_group_dead(void)
{
    GROUP(fx.sink, HANDLE_NVA1, TO_DEAD(NVA1));
}

static void change_endpoint(void)
{
    endpoint_set(fx.sink, 1, "10.0.1.4", SMALL);
}

static void change_source(void)
{
    endpoint_set(fx.sink, 1, "10.0.0.4", VM_B);
}

static void change_nic_gone(void)
{
    static const struct vnrs_fib_nic gone = {.ifindex = VM_B};

    assert_int_equal(fx.sink->ops->nic_set(fx.sink, &gone), 0);
}

static void change_nic_forwards(void)
{
    nic_set(fx.sink, VM_B,
            &(struct vnrs_bpf_nic){.flags = VNRS_NIC_FORWARDING, .domain = DOMAIN_VM, .vnet = 1, .mtu = 1500});
}

static void change_access(void)
{
    static const struct vnrs_fib_acl acl = {.kind = VNRS_ACL_SERVICE, .to = STORAGE, .from = 1};

    assert_int_equal(fx.sink->ops->acl_set(fx.sink, &acl), 0);
}

static void change_nothing_but_the_process(void)
{
    fixture_close(&fx, false);
    fixture_open(&fx);
}

static void changes_take_effect_at_once(void **state)
{
    static const struct {
        const char *what, *dst;
        int before;
        void (*change)(void);
        int after;
    } cases[] = {
        {"a longer route", "10.0.1.4", VM_B, change_route, NVA1},
        {"another next hop", "10.3.0.1", NVA1, change_group, NVA2},
        {"a dead next hop", "10.3.0.1", NVA1, change_group_dead, -VNRS_DROP_DEAD_NEXTHOP},
        {"the address moved", "10.0.1.4", VM_B, change_endpoint, SMALL},
        {"the source is another's", "10.0.1.4", VM_B, change_source, -VNRS_DROP_SOURCE},
        {"the NIC is gone", "10.0.1.4", VM_B, change_nic_gone, -VNRS_DROP_NO_ENDPOINT},
        {"the NIC lets in what is not for it", "10.8.0.1", -VNRS_DROP_DESTINATION, change_nic_forwards, VM_B},
        {"the service is closed", "20.0.0.1", STORAGE, change_access, -VNRS_DROP_SERVICE_DENIED},
        {"the next process", "10.0.1.4", VM_B, change_nothing_but_the_process, VM_B},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fixture_fill(fx.sink);
        assert_int_equal(sent("10.0.0.4", cases[i].dst), cases[i].before);
        cases[i].change();
        assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
        int after = sent("10.0.0.4", cases[i].dst);
        if (after != cases[i].after)
            fail_msg("%s: %d, not %d", cases[i].what, after, cases[i].after);
    }
    fixture_fill(fx.sink);
}

static void next_process_forgets(void **state)
{
    (void)state;
    assert_int_equal(sent("10.0.0.4", "10.0.1.4"), VM_B);
    (void)spoil(4);
    assert_int_equal(sent("10.0.0.4", "10.0.1.4"), VM_P);
    fixture_close(&fx, false);
    fixture_open(&fx);
    assert_int_equal(sent("10.0.0.4", "10.0.1.4"), VM_B);
}

static int setup(void **state)
{
    cpu_set_t here;

    (void)state;
    CPU_ZERO(&here); // each processor remembers for itself
    CPU_SET((unsigned)sched_getcpu(), &here);
    assert_int_equal(sched_setaffinity(0, sizeof(here), &here), 0);
    fixture_start(&fx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&fx, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_packets_get_the_same_decision),
        cmocka_unit_test(others_do_not_get_it),
        cmocka_unit_test(short_way_takes_what_it_may),
        cmocka_unit_test(others_have_their_own),
        cmocka_unit_test(of_ipv6_only_tcp_and_udp),
        cmocka_unit_test(two_find_room_in_a_set),
        cmocka_unit_test(some_stay_where_there_is_no_room_for_all),
        cmocka_unit_test(readers_are_told_of_it),
        cmocka_unit_test(families_are_apart),
        cmocka_unit_test(large_packets_are_judged_each),
        cmocka_unit_test(flows_over_several_next_hops_stay_spread),
        cmocka_unit_test(changes_take_effect_at_once),
        cmocka_unit_test(next_process_forgets),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.cache", tests, setup, teardown);
}
