// SPDX-License-Identifier: GPL-2.0-or-later
// Flows over a group of next hops, as the program sees them: spread, stickiness, fragments, loss of a member.
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FLOWS 2000

static struct fixture fx;

static unsigned flow_member(const struct spec *packet)
{
    struct frame in;
    struct run run;

    frame_build(packet, &in);
    fixture_run(&fx, VM_A, &in, 0, &run);
    return run.cb[VNRS_BPF_CB_VERDICT] == VNRS_BPF_VERDICT_FORWARD ? run.cb[VNRS_BPF_CB_IFINDEX] : 0;
}

static void flows_members(bool v6, uint8_t proto, unsigned *ret_members)
{
    for (unsigned i = 0; i < FLOWS; i++) {
        struct spec packet = {.src = v6 ? "fd00::4" : "10.0.0.4",
                              .dst = v6 ? "fd04::1" : "10.4.0.1",
                              .proto = proto,
                              .sport = (uint16_t)(10000 + i),
                              .dport = 443};
        ret_members[i] = flow_member(&packet);
    }
}

static void flows_spread_evenly(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        unsigned members[FLOWS], first = 0;
        flows_members(round & 1, round & 2 ? 6 : 17, members);
        for (unsigned i = 0; i < FLOWS; i++) {
            assert_true(members[i] == NVA1 || members[i] == NVA2);
            first += members[i] == NVA1;
        }
        assert_in_range(first, FLOWS * 43 / 100, FLOWS * 57 / 100);
    }
}

static void addresses_spread_too(void **state)
{
    unsigned first = 0;

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        char dst[32];
        (void)snprintf(dst, sizeof(dst), "10.4.7.%u", i);
        struct spec packet = {.src = "10.0.0.4", .dst = dst, .proto = 50, .payload = 40};
        first += flow_member(&packet) == NVA1;
    }
    assert_in_range(first, 88, 168);
}

static void a_flow_stays_where_it_is(void **state)
{
    unsigned once[FLOWS], again[FLOWS];

    (void)state;
    flows_members(false, 6, once);
    flows_members(false, 6, again);
    assert_memory_equal(once, again, sizeof(once));
}

// All fragments of a datagram carry the same addresses and protocol, and only the first has ports.
static void fragments_stay_together(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        char dst[32], dst6[32];
        (void)snprintf(dst, sizeof(dst), "10.4.9.%u", i);
        (void)snprintf(dst6, sizeof(dst6), "fd04::%x", i + 1);
        struct spec first = {.src = "10.0.0.4", .dst = dst, .sport = (uint16_t)(i + 1), .frag = 0x2000, .payload = 64};
        struct spec middle = {.src = "10.0.0.4", .dst = dst, .frag = 0x2009, .payload = 64};
        struct spec last = {.src = "10.0.0.4", .dst = dst, .frag = 0x0012, .payload = 3};
        struct spec first6 = {
            .src = "fd00::4", .dst = dst6, .sport = (uint16_t)(i + 1), .frag_header = true, .frag = 1, .payload = 64};
        struct spec last6 = {.src = "fd00::4", .dst = dst6, .frag_header = true, .frag = 0x48, .payload = 9};

        assert_int_equal(flow_member(&first), flow_member(&middle));
        assert_int_equal(flow_member(&first), flow_member(&last));
        assert_int_equal(flow_member(&first6), flow_member(&last6));
    }
}

static void a_dead_member_gives_away_its_flows_only_and_gets_them_back(void **state)
{
    unsigned before[FLOWS], dead[FLOWS], after[FLOWS], to[_NIC_END] = {0};

    (void)state;
    GROUP(fx.sink, HANDLE_ECMP, TO_NIC(NVA1), TO_NIC(NVA2), TO_NIC(INTERNET));
    flows_members(false, 17, before);
    uint64_t writes = fx.sink->writes;
    GROUP(fx.sink, HANDLE_ECMP, TO_NIC(NVA1), TO_DEAD(NVA2), TO_NIC(INTERNET));
    assert_int_equal(fx.sink->writes - writes, 1); // the group; a next hop that says "NVA2 is dead" exists
    flows_members(false, 17, dead);
    for (unsigned i = 0; i < FLOWS; i++) {
        if (before[i] != NVA2)
            assert_int_equal(dead[i], before[i]);
        else
            to[dead[i]]++;
    }
    assert_int_equal(to[NVA2], 0);
    unsigned lost = to[NVA1] + to[INTERNET];
    assert_in_range(lost, FLOWS / 5, FLOWS / 2);
    assert_in_range(to[NVA1], lost * 2 / 5, lost * 3 / 5); // not all to one neighbour

    GROUP(fx.sink, HANDLE_ECMP, TO_NIC(NVA1), TO_NIC(NVA2), TO_NIC(INTERNET));
    flows_members(false, 17, after);
    assert_memory_equal(before, after, sizeof(before));
}

static void a_removed_member_gives_away_its_flows_only(void **state)
{
    unsigned before[FLOWS], after[FLOWS];

    (void)state;
    flows_members(false, 17, before);
    uint64_t writes = fx.sink->writes;
    GROUP(fx.sink, HANDLE_ECMP, TO_NIC(NVA1), TO_NIC(INTERNET));
    assert_int_equal(fx.sink->writes - writes, 1);
    flows_members(false, 17, after);
    for (unsigned i = 0; i < FLOWS; i++) {
        if (before[i] != NVA2)
            assert_int_equal(after[i], before[i]);
        else
            assert_int_not_equal(after[i], NVA2);
    }
}

// A load balancer: what comes back goes through the same backend, also when one is out, and flows spread evenly.
static void both_directions_have_one_backend(void **state)
{
    // It forwards here, so that any source passes.
    struct vnrs_bpf_nic nic = {
        .flags = VNRS_NIC_PRESENT | VNRS_NIC_FORWARDING, .domain = DOMAIN_VM, .vnet = 1, .subnet = 1, .mtu = 1500};

    (void)state;
    nic_set(fx.sink, VM_A, &nic);
    for (int down = 0; down < 2; down++) {
        unsigned there[_NIC_END] = {0};
        if (down)
            GROUP(fx.sink, HANDLE_ECMP, TO_BACKEND(NVA1), TO_BACKEND_DOWN(NVA2), TO_BACKEND(INTERNET));
        else
            GROUP(fx.sink, HANDLE_ECMP, TO_BACKEND(NVA1), TO_BACKEND(NVA2), TO_BACKEND(INTERNET));
        for (unsigned i = 0; i < FLOWS; i++) {
            bool v6 = i & 1;
            const char *end[] = {v6 ? "fd04::4" : "10.4.0.4", v6 ? "fd04::1" : "10.4.0.1"};
            uint16_t port[] = {(uint16_t)(10000 + i), 443};
            unsigned member[2];
            for (unsigned way = 0; way < 2; way++) {
                struct spec packet = {.src = end[way],
                                      .dst = end[!way],
                                      .proto = i & 2 ? 6 : 17,
                                      .sport = port[way],
                                      .dport = port[!way]};
                struct frame in;
                struct run run;
                frame_build(&packet, &in);
                fixture_run(&fx, VM_A, &in, 0, &run);
                member[way] = run.cb[VNRS_BPF_CB_VERDICT] == VNRS_BPF_VERDICT_FORWARD ? run.cb[VNRS_BPF_CB_IFINDEX] : 0;
            }
            assert_int_not_equal(member[0], 0);
            assert_int_equal(member[0], member[1]);
            there[member[0]]++;
        }
        unsigned left = down ? 2 : 3;
        assert_int_equal(there[NVA2] == 0, down);
        assert_in_range(there[NVA1], FLOWS / left * 80 / 100, FLOWS / left * 120 / 100);
    }
    nic.flags &= ~(uint32_t)VNRS_NIC_FORWARDING;
    nic_set(fx.sink, VM_A, &nic);
    GROUP(fx.sink, HANDLE_ECMP, TO_NIC(NVA1), TO_NIC(NVA2));
}

static int setup(void **state)
{
    (void)state;
    fixture_enter_namespace();
    sh("ip link add f%u index %u type veth peer name g", VM_A, VM_A);
    fixture_open(&fx);
    fixture_fill(fx.sink);
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
        cmocka_unit_test(flows_spread_evenly),
        cmocka_unit_test(addresses_spread_too),
        cmocka_unit_test(a_flow_stays_where_it_is),
        cmocka_unit_test(fragments_stay_together),
        cmocka_unit_test(both_directions_have_one_backend),
        cmocka_unit_test(a_dead_member_gives_away_its_flows_only_and_gets_them_back),
        cmocka_unit_test(a_removed_member_gives_away_its_flows_only),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.ecmp", tests, setup, teardown);
}
