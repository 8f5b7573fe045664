// SPDX-License-Identifier: GPL-2.0-or-later
// Captures over the API: which NICs the agent is asked for, which packets each client gets, when it ends.
#include "control/stream.h"
#include "vnrs/drop_reason.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct stream *capture(struct fixture *f, const char *query)
{
    char what[200];

    (void)snprintf(what, sizeof(what), "capture?%s", query);
    struct stream *s = stream_open(f, what);
    RUN_UNTIL(f, (hear(s), has(s, "vnrs capture"))); // the section header
    return s;
}

static uint32_t number(const struct fixture *f, const char *key)
{
    return vnrs_lab_link_number(vnrs_control_find_lab(f->control, "l"), key);
}

static unsigned frames(const struct stream *s, const uint8_t udp[static 42])
{
    unsigned n = 0;

    for (size_t at = 0; at + 42 <= s->len; at++)
        n += memcmp(s->bytes + at, udp, 42) == 0;
    return n;
}

struct record {
    struct vnrs_bpf_flow_event event;
    char bytes[24];
};

static void say(struct fixture *f, const struct vnrs_bpf_flow_event *event, uint64_t lost)
{
    struct vnrs_ag_flow_events head = {.lab = "l", .n = 2, .lost = lost};
    struct record records[2] = {{*event, "ABCDEFGHIJKL..first"}, {*event, "ABCDEFGHIJKL..second"}};

    records[0].event.bytes = 19; // what is between 19 and 24 is nobody's
    records[1].event.bytes = 20;
    fake_send(&f->agent, VNRS_AG_FLOW_EVENTS, 0, &head, sizeof(head), 1, records, sizeof(records), -1);
}

static struct vnrs_bpf_flow_event forwarded(const struct fixture *f, uint8_t captured)
{
    return (struct vnrs_bpf_flow_event){.ifindex = number(f, "a/eth0"),
                                        .egress = number(f, "b/eth0"),
                                        .verdict = VNRS_BPF_VERDICT_FORWARD,
                                        .type = VNRS_NH_VNET_LOCAL,
                                        .family = 4,
                                        .protocol = 17,
                                        .captured = captured,
                                        .sent_macs = "abcdefghijkl",
                                        .len = 100};
}

static void agent_is_asked_for_each_nic_once(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    struct stream *one = capture(f, "nic=a&bytes=100");
    assert_int_equal(f->agent.n_captures, 1);
    assert_int_equal(f->agent.captures[0].ifindex, number(f, "a/eth0"));
    assert_int_equal(f->agent.captures[0].bytes, 100);
    assert_false(f->agent.flows.on);
    struct stream *two = capture(f, "nic=a/eth0"), *three = capture(f, "nic=b&bytes=64");
    assert_int_equal(f->agent.n_captures, 2);
    assert_int_equal(f->agent.captures[0].bytes, 65535);
    assert_int_equal(f->agent.captures[1].bytes, 64);
    leave(f, two);
    assert_int_equal(f->agent.captures[0].bytes, 100);
    leave(f, one), leave(f, three);
    assert_int_equal(f->agent.n_captures, 0);
    assert_int_equal(f->control->watchers.len, 0);
}

static void each_side_gets_its_own(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    struct stream *a = capture(f, "nic=a"), *b = capture(f, "nic=b"), *tcp = capture(f, "nic=a&protocol=tcp");
    struct vnrs_bpf_flow_event event = forwarded(f, VNRS_BPF_CAPTURED_FROM | VNRS_BPF_CAPTURED_TO);
    say(f, &event, 0);
    RUN_UNTIL(f, (hear(a), hear(b), has(a, "second") && has(b, "second")));
    assert_int_equal(count(a, "abcdefghijkl..first"), 1); // as it was sent
    assert_int_equal(count(b, "ABCDEFGHIJKL..first"), 1); // as it came
    assert_int_equal(count(a, "forwarded: VnetLocal, to b/eth0"), 2);
    assert_int_equal(count(b, "forwarded: VnetLocal, from a/eth0"), 2);
    event = forwarded(f, VNRS_BPF_CAPTURED_FROM);
    event.verdict = VNRS_BPF_VERDICT_DROP;
    event.reason = VNRS_DROP_NONE_ROUTE;
    event.egress = 0;
    say(f, &event, 3);
    RUN_UNTIL(f, (hear(a), count(a, "dropped: NONE_ROUTE (next hop type None)") == 2));
    event = (struct vnrs_bpf_flow_event){.ifindex = number(f, "b/eth0"),
                                         .verdict = VNRS_BPF_VERDICT_REPLY,
                                         .captured = VNRS_BPF_CAPTURED_TO | VNRS_BPF_CAPTURED_ANSWER};
    say(f, &event, 0);
    event.captured = 0; // a drop, for those that watch drops
    say(f, &event, 0);
    RUN_UNTIL(f, (hear(b), count(b, "answer of the fabric") == 2));
    fixture_settle(f, 20);
    hear(a), hear(b), hear(tcp);
    assert_int_equal(count(a, "..first"), 2);
    assert_int_equal(count(b, "..first"), 2);
    assert_int_equal(count(tcp, "..first"), 0);
    leave(f, a), leave(f, b), leave(f, tcp);
}

static void ends_after_as_many_as_wanted(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    struct stream *three = capture(f, "nic=a&count=3"), *all = capture(f, "nic=a");
    const struct vnrs_bpf_flow_event event = forwarded(f, VNRS_BPF_CAPTURED_FROM);
    say(f, &event, 0);
    say(f, &event, 0);
    RUN_UNTIL(f, (hear(three), has(three, "\r\n0\r\n")));
    RUN_UNTIL(f, (hear(all), count(all, "forwarded") == 4));
    assert_int_equal(count(three, "forwarded"), 3);
    assert_int_equal(f->control->watchers.len, 1);
    (void)close(three->fd);
    free(three);
    leave(f, all);
}

static void malformed_events_end_the_message(void **state)
{
    struct fixture *f = *state;
    struct vnrs_ag_flow_events head = {.lab = "l", .n = 3};
    struct record records[2] = {{.bytes = "ABCDEFGHIJKL..first"}, {.bytes = "ABCDEFGHIJKL..wrong"}};

    up(f, small);
    struct stream *a = capture(f, "nic=a");
    records[0].event = records[1].event = forwarded(f, VNRS_BPF_CAPTURED_FROM);
    records[0].event.bytes = 19;
    records[1].event.bytes = 25; // more than there is
    fake_send(&f->agent, VNRS_AG_FLOW_EVENTS, 0, &head, sizeof(head), 1, records, sizeof(records), -1);
    RUN_UNTIL(f, (hear(a), has(a, "..first")));
    fixture_settle(f, 20);
    hear(a);
    assert_false(has(a, "..wrong"));
    leave(f, a);
}

static void refusals(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    static const char *const wrong[] = {"",
                                        "nic=zz",
                                        "nic=a&bytes=63",
                                        "nic=a&bytes=65536",
                                        "nic=a&bytes=x",
                                        "nic=a&count=0",
                                        "nic=a&count=-1",
                                        "nic=a&reason=x",
                                        "nic=a&port=0",
                                        "nic=a&verdict=forwarded&reason=VLAN"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char path[96];
        (void)snprintf(path, sizeof(path), "/v1/labs/l/capture?%s", wrong[i]);
        struct answer answer = fixture_http(f, "GET", path, NULL);
        assert_int_equal(answer.status, 400);
        json_decref(answer.json);
    }
    assert_int_equal(f->agent.n_flows, 0);
    f->agent.fail_flows = -EOPNOTSUPP;
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/capture?nic=a", NULL);
    assert_int_equal(answer.status, 409);
    json_decref(answer.json);
    assert_int_equal(f->control->watchers.len, 0);
}

// What the sockets on the links of a kernel data plane see: no verdict, and one end of a packet each.
static void frames_of_the_kernel_data_plane(void **state)
{
    static const uint8_t udp[] = {2, 0, 0,  0, 0, 1,  2, 0, 0, 0,  0, 2, 8, 0,    0x45, 0, 0,  28, 0, 0, 0,
                                  0, 4, 17, 0, 0, 10, 0, 0, 4, 10, 0, 0, 5, 0x13, 0x88, 0, 53, 0,  8, 0, 0};
    struct fixture *f = *state;
    struct vnrs_ag_flow_events head = {.lab = "l", .n = 2};
    struct {
        struct vnrs_bpf_flow_event event;
        uint8_t bytes[48];
    } records[2] = {0};
    char text[1024];

    (void)snprintf(text, sizeof(text), "dataplane: kernel\n%s", small);
    up(f, text);
    struct stream *a = capture(f, "nic=a&protocol=udp&port=53"), *b = capture(f, "nic=b&protocol=udp&to=10.0.0.5"),
                  *tcp = capture(f, "nic=a&protocol=tcp");
    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        bool to = i == 1;
        records[i].event = (struct vnrs_bpf_flow_event){
            .ifindex = to ? 0 : number(f, "a/eth0"),
            .egress = to ? number(f, "b/eth0") : 0,
            .len = 28,
            .verdict = VNRS_BPF_VERDICT_UNKNOWN,
            .captured = to ? VNRS_BPF_CAPTURED_TO : VNRS_BPF_CAPTURED_FROM,
            .bytes = sizeof(udp),
        };
        memcpy(records[i].bytes, udp, sizeof(udp));
    }
    fake_send(&f->agent, VNRS_AG_FLOW_EVENTS, 0, &head, sizeof(head), 1, records, sizeof(records), -1);
    RUN_UNTIL(f, (hear(a), hear(b), hear(tcp), frames(a, udp) && frames(b, udp)));
    fixture_settle(f, 20);
    hear(a), hear(b), hear(tcp);
    assert_int_equal(frames(a, udp), 1);
    assert_int_equal(frames(b, udp), 1);
    assert_int_equal(frames(tcp, udp), 0);
    leave(f, a), leave(f, b), leave(f, tcp);
}

static void data_planes_that_cannot(void **state)
{
    static const struct {
        const char *dataplane, *query;
        int status;
    } rows[] = {
        {"kernel", "nic=a&verdict=dropped", 409},
        {"kernel", "nic=a&verdict=forwarded", 409},
        {"kernel", "nic=a&reason=VLAN", 409},
        {"kernel", "nic=a&reason=luck", 400}, // a mistake everywhere
    };
    struct fixture *f = *state;
    char text[1024];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char path[96];
        (void)snprintf(text, sizeof(text), "dataplane: %s\n%s", rows[i].dataplane, small);
        up(f, text);
        (void)snprintf(path, sizeof(path), "/v1/labs/l/capture?%s", rows[i].query);
        struct answer answer = fixture_http(f, "GET", path, NULL);
        assert_int_equal(answer.status, rows[i].status);
        json_decref(answer.json);
    }
    assert_int_equal(f->agent.n_flows, 0);
    assert_int_equal(f->control->watchers.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(agent_is_asked_for_each_nic_once),
        TEST(each_side_gets_its_own),
        TEST(ends_after_as_many_as_wanted),
        TEST(malformed_events_end_the_message),
        TEST(refusals),
        TEST(frames_of_the_kernel_data_plane),
        TEST(data_planes_that_cannot),
    };
    return cmocka_run_group_tests_name("control.api_capture", tests, NULL, NULL);
}
