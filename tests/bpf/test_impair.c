// SPDX-License-Identifier: GPL-2.0-or-later
// Links that are down or lossy: what is delivered, what is dropped with which reason, in which direction; and that
// other NICs of the lab notice nothing.
#include "fixture.h"

#include "util/macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define A       "10.0.0.4"
#define PACKETS 20000

static struct fixture fx;

static void impair(uint32_t ifindex, uint32_t flags, uint32_t loss_ppm)
{
    const struct vnrs_bpf_impair value = {.flags = flags, .loss_ppm = loss_ppm};

    assert_int_equal(vnrs_bpf_impair_set(fx.dp, ifindex, &value), 0);
}

static struct run send_from_a(const char *to)
{
    struct frame in;
    struct run run;

    frame_build(&(struct spec){.src = A, .dst = to}, &in);
    fixture_run(&fx, VM_A, &in, 0, &run);
    return run;
}

static void assert_run(const struct run *run, uint32_t verdict, uint32_t reason)
{
    assert_int_equal(run->cb[VNRS_BPF_CB_VERDICT], verdict);
    assert_int_equal(run->cb[VNRS_BPF_CB_REASON], reason);
    assert_int_equal(run->ret, verdict == VNRS_BPF_VERDICT_DROP ? 2 : 7); // TC_ACT_SHOT, TC_ACT_REDIRECT
}

static void down_gets_nothing(void **state)
{
    struct vnrs_bpf_counter before[_VNRS_DROP_MAX], after[_VNRS_DROP_MAX];
    struct run run;

    (void)state;
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, before), 0);
    impair(VM_B, VNRS_BPF_IMPAIR_DOWN, 0);
    run = send_from_a("10.0.1.4");
    assert_run(&run, VNRS_BPF_VERDICT_DROP, VNRS_DROP_LINK_DOWN);
    run = send_from_a("10.0.2.4"); // another NIC
    assert_run(&run, VNRS_BPF_VERDICT_FORWARD, 0);
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, after), 0);
    assert_int_equal(after[VNRS_DROP_LINK_DOWN].packets, before[VNRS_DROP_LINK_DOWN].packets + 1);
    assert_int_equal(vnrs_bpf_impair_switch(fx.dp, false), 0);
    run = send_from_a("10.0.1.4"); // nothing is looked at
    assert_run(&run, VNRS_BPF_VERDICT_FORWARD, 0);
    assert_int_equal(vnrs_bpf_impair_switch(fx.dp, true), 0);
    impair(VM_B, 0, 0);
}

// An ARP answer goes over the link as well.
static void everything_is_lost_at_a_million(void **state)
{
    static const uint32_t ends[] = {VM_A, VM_B};
    struct frame arp;
    struct run run;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        impair(ends[i], 0, 1000000);
        for (unsigned n = 0; n < 100; n++) {
            run = send_from_a("10.0.1.4");
            assert_run(&run, VNRS_BPF_VERDICT_DROP, VNRS_DROP_LINK_LOSS);
        }
        frame_arp("02:00:00:00:00:10", 1, A, "10.0.0.1", &arp);
        fixture_run(&fx, VM_A, &arp, 0, &run);
        assert_run(&run, ends[i] == VM_A ? VNRS_BPF_VERDICT_DROP : VNRS_BPF_VERDICT_REPLY,
                   ends[i] == VM_A ? VNRS_DROP_LINK_LOSS : 0);
        impair(ends[i], 0, 0);
    }
    run = send_from_a("10.0.1.4");
    assert_run(&run, VNRS_BPF_VERDICT_FORWARD, 0);
}

static unsigned count_lost(uint32_t ifindex, uint32_t loss_ppm)
{
    unsigned lost = 0;

    impair(ifindex, 0, loss_ppm);
    for (unsigned n = 0; n < PACKETS; n++) {
        struct run run = send_from_a("10.0.1.4");
        lost += run.cb[VNRS_BPF_CB_REASON] == VNRS_DROP_LINK_LOSS;
    }
    impair(ifindex, 0, 0);
    return lost;
}

// Within six standard deviations: wrong once in 500 million runs.
static void as_much_is_lost_as_was_asked_for(void **state)
{
    (void)state;
    assert_in_range(count_lost(VM_A, 10000), 200 - 85, 200 + 85);      // 1 %, deviation 14
    assert_in_range(count_lost(VM_B, 250000), 5000 - 368, 5000 + 368); // 25 %, deviation 61
    assert_int_equal(count_lost(VM_B, 0), 0);
}

static void a_queue_is_no_loss(void **state)
{
    struct run run;

    (void)state;
    impair(VM_B, VNRS_BPF_IMPAIR_QUEUE, 0);
    run = send_from_a("10.0.1.4");
    assert_run(&run, VNRS_BPF_VERDICT_FORWARD, 0);
    impair(VM_B, 0, 0);
}

static void watching_packets_does_not_mend_links(void **state)
{
    struct vnrs_bpf_events *events;
    struct run run;

    (void)state;
    impair(VM_B, VNRS_BPF_IMPAIR_DOWN, 0);
    assert_int_equal(vnrs_bpf_events_open(fx.dp, NULL, NULL, &events), 0);
    assert_int_equal(vnrs_bpf_events_ask(events, VNRS_BPF_FLOWS, 1), 0);
    run = send_from_a("10.0.1.4");
    assert_run(&run, VNRS_BPF_VERDICT_DROP, VNRS_DROP_LINK_DOWN);
    events = vnrs_bpf_events_close(events);
    assert_int_equal(vnrs_bpf_events_forget(fx.dp), 0);
    run = send_from_a("10.0.1.4");
    assert_run(&run, VNRS_BPF_VERDICT_DROP, VNRS_DROP_LINK_DOWN);
    impair(VM_B, 0, 0);
    assert_int_equal(vnrs_bpf_impair_set(fx.dp, VNRS_NICS_MAX, &(struct vnrs_bpf_impair){0}), -ERANGE);
}

static int setup(void **state)
{
    (void)state;
    fixture_enter_namespace();
    for (unsigned i = VM_A; i < _NIC_END; i++)
        sh("ip link add f%u index %u type veth peer name g%u", i, i, i);
    fixture_open(&fx);
    fixture_fill(fx.sink);
    return vnrs_bpf_impair_switch(fx.dp, true);
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
        cmocka_unit_test(down_gets_nothing),
        cmocka_unit_test(everything_is_lost_at_a_million),
        cmocka_unit_test(as_much_is_lost_as_was_asked_for),
        cmocka_unit_test(a_queue_is_no_loss),
        cmocka_unit_test(watching_packets_does_not_mend_links),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.impair", tests, setup, teardown);
}
