// SPDX-License-Identifier: GPL-2.0-or-later
// Whole packets of the NICs that are captured, and of no others: as they came and as they went, what became of them,
// answers of the fabric, lengths.
#include "fixture.h"

#include "util/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define A "10.0.0.4"

enum { FROM = VNRS_BPF_CAPTURED_FROM, TO = VNRS_BPF_CAPTURED_TO, ANSWER = VNRS_BPF_CAPTURED_ANSWER };

struct captured {
    struct vnrs_bpf_flow_event event;
    uint8_t bytes[VNRS_CAPTURE_BYTES_MAX];
};

static struct fixture fx;
static struct vnrs_bpf_events *events;
static struct captured seen[8];
static unsigned n_seen;

static bool remember(const struct vnrs_bpf_flow_event *event, void *arg)
{
    (void)arg;
    assert_true(n_seen < ARRAY_SIZE(seen));
    seen[n_seen].event = *event;
    memcpy(seen[n_seen++].bytes, event + 1, event->bytes);
    return true;
}

static void capture(uint32_t ifindex, uint32_t bytes)
{
    assert_int_equal(vnrs_bpf_capture_set(fx.dp, ifindex, bytes), 0);
}

// Sends `in` from VM_A; what is told of is in `seen`.
static struct run send_from_a(const struct frame *in)
{
    struct run run;

    n_seen = 0;
    fixture_run(&fx, VM_A, in, 0, &run);
    assert_true(vnrs_bpf_events_consume(events, UINT_MAX) >= 0);
    return run;
}

static struct frame frame_of(const struct spec *spec)
{
    struct frame frame;

    frame_build(spec, &frame);
    return frame;
}

static void assert_seen(unsigned i, uint32_t captured, uint32_t verdict, uint32_t reason, const struct frame *frame)
{
    assert_true(i < n_seen);
    assert_int_equal(seen[i].event.captured, captured);
    assert_int_equal(seen[i].event.verdict, verdict);
    assert_int_equal(seen[i].event.reason, reason);
    assert_int_equal(seen[i].event.ifindex, VM_A);
    assert_int_equal(seen[i].event.len, frame->len - 14);
    assert_int_equal(seen[i].event.bytes, frame->len);
    assert_memory_equal(seen[i].bytes, frame->bytes, frame->len);
}

static void forwarded_for_both_sides(void **state)
{
    struct frame in = frame_of(&(struct spec){.src = A, .dst = "10.0.1.4", .payload = 500});
    static const struct {
        uint32_t from, to, captured;
    } rows[] = {{65535, 0, FROM}, {0, 65535, TO}, {65535, 65535, FROM | TO}, {0, 0, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        capture(VM_A, rows[i].from), capture(VM_B, rows[i].to);
        struct run run = send_from_a(&in);
        assert_int_equal(n_seen, rows[i].captured != 0);
        if (!n_seen)
            continue;
        assert_seen(0, rows[i].captured, VNRS_BPF_VERDICT_FORWARD, 0, &run.out);
        assert_int_equal(seen[0].event.egress, VM_B);
        assert_int_equal(seen[0].event.type, VNRS_NH_VNET_LOCAL);
        assert_memory_equal(seen[0].event.sent_macs, in.bytes, 12);
        assert_memory_equal(seen[0].event.saddr, "\x0a\x00\x00\x04", 4);
        assert_int_equal(ntohs(seen[0].event.dport_be), 2000);
    }
    capture(NVA1, 65535); // somebody else
    (void)send_from_a(&in);
    assert_int_equal(n_seen, 0);
    capture(NVA1, 0);
}

static void dropped_for_the_sender(void **state)
{
    struct frame in = frame_of(&(struct spec){.src = "1.2.3.4", .dst = "10.0.1.4"});

    (void)state;
    capture(VM_A, 65535), capture(VM_B, 65535);
    (void)send_from_a(&in);
    assert_int_equal(n_seen, 1);
    assert_seen(0, FROM, VNRS_BPF_VERDICT_DROP, VNRS_DROP_SOURCE, &in);
    capture(VM_A, 0);
    (void)send_from_a(&in);
    assert_int_equal(n_seen, 0);
    capture(VM_B, 0);
}

static void questions_and_answers_of_the_fabric(void **state)
{
    struct frame arp, quiet, solicit,
        big = frame_of(&(struct spec){.src = A, .dst = "10.0.3.4", .frag = 0x4000, .payload = 1400});
    const struct {
        struct frame *frame;
        uint32_t reason;
    } rows[] = {{&arp, 0}, {&solicit, 0}, {&big, VNRS_DROP_TOO_BIG}};

    (void)state;
    frame_arp("02:00:00:00:00:10", 1, A, "10.0.0.1", &arp);
    frame_arp("02:00:00:00:00:10", 1, A, A, &quiet);
    frame_solicit("02:00:00:00:00:10", "fd00::4", "ff02::1:ff00:1", "fd00::1", true, &solicit);
    capture(VM_A, 65535);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct run run = send_from_a(rows[i].frame);
        assert_int_equal(n_seen, 2);
        assert_seen(0, FROM, rows[i].reason ? VNRS_BPF_VERDICT_DROP : VNRS_BPF_VERDICT_REPLY, rows[i].reason,
                    rows[i].frame);
        assert_seen(1, TO | ANSWER, VNRS_BPF_VERDICT_REPLY, rows[i].reason, &run.out);
        assert_true(seen[0].event.time_ns <= seen[1].event.time_ns);
    }
    (void)send_from_a(&quiet);
    assert_int_equal(n_seen, 1);
    assert_seen(0, FROM, VNRS_BPF_VERDICT_IGNORE, 0, &quiet);
    capture(VM_A, 0);
}

static void no_more_bytes_than_wanted(void **state)
{
    struct frame in = frame_of(&(struct spec){.src = A, .dst = "10.0.1.4", .payload = 1400});
    const uint32_t frame_len = (uint32_t)in.len;
    const uint32_t rows[] = {1, 64, 127, 128, 129, 1000, frame_len - 1, frame_len, frame_len + 1, 2048, 65535};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        capture(VM_A, rows[i]), capture(VM_B, 96);
        struct run run = send_from_a(&in);
        uint32_t want = MIN(MAX(rows[i], 96u), frame_len);
        assert_int_equal(n_seen, 1);
        assert_int_equal(seen[0].event.bytes, want);
        assert_int_equal(seen[0].event.len, frame_len - 14);
        assert_memory_equal(seen[0].bytes, run.out.bytes, want);
    }
    capture(VM_A, 0), capture(VM_B, 0);
    assert_int_equal(vnrs_bpf_capture_set(fx.dp, VNRS_NICS_MAX, 1), -ERANGE);
    assert_int_equal(vnrs_bpf_capture_set(fx.dp, VM_A, 65536), -ERANGE);
}

static void drops_are_told_of_beside_captures(void **state)
{
    struct frame in = frame_of(&(struct spec){.src = "1.2.3.4", .dst = "10.0.1.4"});

    (void)state;
    capture(VM_A, 65535);
    assert_int_equal(vnrs_bpf_events_ask(events, VNRS_BPF_CAPTURES | VNRS_BPF_FLOWS, 0), 0);
    (void)send_from_a(&in);
    assert_int_equal(n_seen, 2);
    assert_int_equal(seen[0].event.captured, FROM);
    assert_int_equal(seen[1].event.captured, 0);
    assert_int_equal(seen[1].event.bytes, 0);
    assert_int_equal(vnrs_bpf_events_ask(events, VNRS_BPF_FLOWS, 0), 0);
    (void)send_from_a(&in);
    assert_int_equal(n_seen, 1);
    assert_int_equal(vnrs_bpf_events_ask(events, VNRS_BPF_CAPTURES, 0), 0);
    capture(VM_A, 0);
}

static void what_finds_no_room_is_counted(void **state)
{
    struct frame in = frame_of(&(struct spec){.src = A, .dst = "10.0.1.4", .payload = 1400});
    const unsigned fits = 2 * 1024 * 1024 / (sizeof(struct vnrs_bpf_flow_event) + 2048 + 8);
    struct run run;

    (void)state;
    capture(VM_A, 65535);
    for (unsigned i = 0; i < fits + 10; i++)
        fixture_run(&fx, VM_A, &in, 0, &run);
    assert_in_range(vnrs_bpf_events_lost(events), 10, 12);
    capture(VM_A, 0);
}

static int setup(void **state)
{
    (void)state;
    fixture_enter_namespace();
    fixture_open(&fx);
    fixture_fill(fx.sink);
    for (unsigned i = VM_A; i < _NIC_END; i++)
        sh("ip link add f%u index %u type veth peer name g%u", i, i, i);
    assert_int_equal(vnrs_bpf_events_open(fx.dp, remember, NULL, &events), 0);
    assert_int_equal(vnrs_bpf_events_ask(events, VNRS_BPF_CAPTURES, 0), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    events = vnrs_bpf_events_close(events);
    fixture_close(&fx, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forwarded_for_both_sides),
        cmocka_unit_test(dropped_for_the_sender),
        cmocka_unit_test(questions_and_answers_of_the_fabric),
        cmocka_unit_test(no_more_bytes_than_wanted),
        cmocka_unit_test(drops_are_told_of_beside_captures),
        cmocka_unit_test(what_finds_no_room_is_counted),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.capture", tests, setup, teardown);
}
