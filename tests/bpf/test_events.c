// SPDX-License-Identifier: GPL-2.0-or-later
// Events of single packets: all that are dropped, samples of those that are forwarded, and what is lost.
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
#define A       "10.0.0.4" // of VM_A

static struct fixture fx;

static void drop_event_names_the_flow(void **state)
{
    const struct spec packet = {.src = "1.2.3.4", .dst = "10.0.1.4", .sport = 7, .dport = 9};
    struct frame in;
    struct run run;

    (void)state;
    frame_build(&packet, &in);
    fixture_run(&fx, VM_A, &in, 0, &run);
    assert_int_equal(vnrs_bpf_events_consume(fx.events, UINT_MAX), 1);
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
        n += (unsigned)vnrs_bpf_events_consume(fx.events, UINT_MAX);
    }
    return n;
}

static void forwarded_packets_are_told_of_as_sampled(void **state)
{
    (void)state;
    assert_int_equal(count_events(50), 0);
    assert_int_equal(vnrs_bpf_events_ask(fx.events, VNRS_BPF_FLOWS, 1), 0);
    assert_int_equal(count_events(50), 50);
    assert_int_equal(last_event.verdict, FORWARD);
    assert_int_equal(last_event.reason, 0);
    assert_int_equal(last_event.ifindex, VM_A);
    assert_int_equal(last_event.egress, VM_B);
    assert_int_equal(last_event.type, VNRS_NH_VNET_LOCAL);
    assert_int_equal(ntohs(last_event.dport_be), 9);
    assert_int_equal(vnrs_bpf_events_ask(fx.events, VNRS_BPF_FLOWS, 4), 0);
    unsigned n = count_events(800); // 200 expected, 12 the standard deviation
    assert_in_range(n, 120, 280);
    assert_int_equal(vnrs_bpf_events_ask(fx.events, VNRS_BPF_FLOWS, 0), 0);
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
    assert_int_equal(vnrs_bpf_events_lost(fx.events), 0);
    run_drops(room + more);
    assert_int_equal(vnrs_bpf_events_consume(fx.events, 0), 0);
    assert_int_equal(vnrs_bpf_events_consume(fx.events, 100), 100);
    unsigned n = (unsigned)vnrs_bpf_events_consume(fx.events, UINT_MAX);
    assert_int_equal(100 + n + vnrs_bpf_events_lost(fx.events), room + more);
    assert_in_range(vnrs_bpf_events_lost(fx.events), more, more + 2);
}

static void nothing_is_written_while_nobody_reads(void **state)
{
    (void)state;
    run_drops(3); // of the reader that leaves
    fixture_events_close(&fx);
    run_drops(3);
    assert_int_equal(fixture_events_open(&fx), 0);
    assert_int_equal(vnrs_bpf_events_consume(fx.events, UINT_MAX), 0);
    run_drops(3);
    assert_int_equal(vnrs_bpf_events_consume(fx.events, UINT_MAX), 3);
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
        cmocka_unit_test(drop_event_names_the_flow),
        cmocka_unit_test(forwarded_packets_are_told_of_as_sampled),
        cmocka_unit_test(reader_takes_no_more_than_it_wants_and_the_rest_waits_or_is_lost),
        cmocka_unit_test(nothing_is_written_while_nobody_reads),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.events", tests, setup, teardown);
}
