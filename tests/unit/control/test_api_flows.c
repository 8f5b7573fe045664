// SPDX-License-Identifier: GPL-2.0-or-later
// Who watches packets: the agent reads them only while somebody does, each gets what he asked for, and one that does
// not read costs nobody anything.
#include "control/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct stream *watch(struct fixture *f, const char *query)
{
    size_t asked = f->agent.n_flows;
    char what[200];

    (void)snprintf(what, sizeof(what), "flows%s", query);
    struct stream *s = stream_open(f, what);
    RUN_UNTIL(f, f->agent.n_flows > asked);
    RUN_UNTIL(f, (hear(s), s->len > 0));
    assert_true(has(s, "200 OK"));
    return s;
}

static uint32_t number(const struct fixture *f, const char *key)
{
    return vnrs_lab_link_number(vnrs_control_find_lab(f->control, "l"), key);
}

// `n` packets from a: dropped, or forwarded to b.
static void say(struct fixture *f, uint32_t n, bool forwarded, uint64_t lost)
{
    static struct vnrs_bpf_flow_event events[512];
    struct vnrs_ag_flow_events head = {.lab = "l", .n = n, .lost = lost};

    for (uint32_t i = 0; i < n; i++)
        events[i] = (struct vnrs_bpf_flow_event){.ifindex = number(f, "a/eth0"),
                                                 .egress = forwarded ? number(f, "b/eth0") : 0,
                                                 .verdict = forwarded ? VNRS_BPF_VERDICT_FORWARD : 0,
                                                 .type = VNRS_NH_VNET_LOCAL,
                                                 .reason = forwarded ? 0 : 6, // SOURCE
                                                 .family = 4,
                                                 .protocol = 6,
                                                 .sport_be = htons(7)};
    fake_send(&f->agent, VNRS_AG_FLOW_EVENTS, 0, &head, sizeof(head), 1, events, n * sizeof(*events), -1);
}

static void agent_reads_while_somebody_watches(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    assert_int_equal(f->agent.n_flows, 0);
    struct stream *one = watch(f, "");
    assert_true(f->agent.flows.on && f->agent.flows.sample == 0);
    struct stream *two = watch(f, "?sample=100");
    assert_int_equal(f->agent.flows.sample, 100);
    struct stream *three = watch(f, "?sample=10");
    assert_int_equal(f->agent.flows.sample, 10);
    leave(f, three);
    assert_int_equal(f->agent.flows.sample, 100);
    leave(f, two);
    assert_true(f->agent.flows.on && f->agent.flows.sample == 0);
    leave(f, one);
    assert_false(f->agent.flows.on);
    assert_int_equal(f->control->watchers.len, 0);
}

static void each_gets_what_he_asked_for(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    struct stream *all = watch(f, "?sample=1"), *tenth = watch(f, "?sample=10"),
                  *drops = watch(f, "?nic=a&reason=source"), *other = watch(f, "?nic=b");
    say(f, 3, false, 5);
    say(f, 100, true, 0);
    RUN_UNTIL(f, (hear(all), count(all, "\"forwarded\"") == 100));
    fixture_settle(f, 30);
    hear(tenth), hear(drops), hear(other);
    assert_int_equal(count(all, "\"dropped\",\"reason\":\"SOURCE\""), 3);
    assert_int_equal(count(all, "\"nextHopType\":\"VnetLocal\",\"toNic\":\"b/eth0\""), 100);
    assert_int_equal(count(all, "{\"lost\":5}"), 1);
    assert_int_equal(count(tenth, "\"forwarded\""), 10);
    assert_int_equal(count(tenth, "\"dropped\""), 3);
    assert_int_equal(count(drops, "\"nic\":\"a/eth0\",\"verdict\":\"dropped\""), 3);
    assert_int_equal(count(drops, "\"forwarded\""), 0);
    assert_int_equal(count(other, "\"verdict\""), 0); // b gets forwarded ones only, and this one wants no samples
    leave(f, all), leave(f, tenth), leave(f, drops), leave(f, other);
}

// The kernel's data plane tells of no headers, but has them behind the event, and does not know next hop types.
static void headers_are_read_from_bytes(void **state)
{
    static const uint8_t frame[] = {0,  0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 8, 0, // Ethernet
                                    69, 0, 0, 84, 0, 0, 0, 0, 9, 6, 0, 0,       // IPv4, TCP
                                    10, 0, 0, 4,  9, 9, 9, 9, 0, 7, 0, 80};
    struct {
        struct vnrs_bpf_flow_event event;
        uint8_t bytes[40];
    } told[2] = {
        {.event = {.verdict = VNRS_BPF_VERDICT_DROP, .reason = 8, .len = 84, .bytes = sizeof(frame)}},
        {.event = {.verdict = VNRS_BPF_VERDICT_FORWARD, .type = _VNRS_NH_MAX, .len = 84, .bytes = sizeof(frame)}}};
    const struct vnrs_ag_flow_events head = {.lab = "l", .n = 2};
    struct fixture *f = *state;

    up(f, small);
    struct stream *s = watch(f, "?sample=1&port=80&from=10.0.0.4");
    for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
        told[i].event.ifindex = number(f, "a/eth0");
        told[i].event.egress = i ? number(f, "b/eth0") : 0;
        memcpy(told[i].bytes, frame, sizeof(frame));
    }
    fake_send(&f->agent, VNRS_AG_FLOW_EVENTS, 0, &head, sizeof(head), 1, told, sizeof(told), -1);
    RUN_UNTIL(f, (hear(s), count(s, "\"fromPort\":7,\"to\":\"9.9.9.9\",\"toPort\":80,\"bytes\":84") == 2));
    assert_int_equal(count(s, "\"reason\":\"NONE_ROUTE\""), 1);
    assert_int_equal(count(s, "\"nextHopType\":null,\"toNic\":\"b/eth0\""), 1);
    leave(f, s);
}

static void one_that_does_not_read_loses(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    struct stream *deaf = watch(f, "");
    for (int i = 0; i < 40; i++) { // some 5 MB of lines
        say(f, 512, false, 0);
        fixture_settle(f, 2);
    }
    struct answer answer = fixture_http(f, "GET", "/healthz", NULL);
    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
    size_t got = 0;
    uint64_t end = vnrs_clock_ms() + 300;
    while (vnrs_clock_ms() < end) { // what waited, and nothing more
        event_base_loop(f->base, EVLOOP_ONCE);
        deaf->len = 0;
        hear(deaf);
        got += deaf->len;
    }
    assert_in_range(got, 500000, 2500000);
    say(f, 1, false, 0);
    deaf->len = 0;
    RUN_UNTIL(f, (hear(deaf), strstr(deaf->bytes, "SOURCE")));
    assert_non_null(strstr(deaf->bytes, "{\"lost\":"));
    leave(f, deaf);
}

static void stream_ends_in_time_and_with_the_lab(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    struct stream *brief = watch(f, "?seconds=1"), *lasting = watch(f, "");
    RUN_UNTIL(f, (hear(brief), strstr(brief->bytes, "\r\n0\r\n")));
    assert_int_equal(f->control->watchers.len, 1);
    struct answer answer = fixture_http(f, "DELETE", "/v1/labs/l", NULL);
    json_decref(answer.json);
    RUN_UNTIL(f, (hear(lasting), strstr(lasting->bytes, "\r\n0\r\n")));
    assert_int_equal(f->control->watchers.len, 0);
    (void)close(brief->fd), (void)close(lasting->fd);
    free(brief), free(lasting);
}

static void refusals(void **state)
{
    struct fixture *f = *state;

    up(f, small);
    static const char *const wrong[] = {"nic=zz", "reason=x", "from=x", "protocol=x", "sample=0", "verdict=forwarded"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "/v1/labs/l/flows?%s", wrong[i]);
        struct answer answer = fixture_http(f, "GET", path, NULL);
        assert_int_equal(answer.status, 400);
        assert_non_null(strstr(answer.text, "\"help\":\""));
        json_decref(answer.json);
    }
    assert_int_equal(f->agent.n_flows, 0);
    f->agent.fail_flows = -EOPNOTSUPP;
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/flows", NULL);
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr(answer.text, "it cannot"));
    json_decref(answer.json);
    assert_int_equal(f->control->watchers.len, 0);
}

static void without_data_plane_there_are_none(void **state)
{
    static const char text[] = "name: l\n"
                               "dataplane: none\n"
                               "virtualNetworks:\n"
                               "  - name: net\n"
                               "    addressSpace: [10.0.0.0/16]\n"
                               "    subnets:\n"
                               "      - {name: default, addressPrefix: 10.0.0.0/24}\n"
                               "machines:\n"
                               "  - {name: a, nics: [{subnet: net/default, attach: eth0}]}\n";
    struct fixture *f = *state;

    up(f, text);
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/flows", NULL);
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr(answer.text, "no data plane"));
    json_decref(answer.json);
    assert_int_equal(f->agent.n_flows, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(agent_reads_while_somebody_watches),   TEST(each_gets_what_he_asked_for),
        TEST(headers_are_read_from_bytes),          TEST(one_that_does_not_read_loses),
        TEST(stream_ends_in_time_and_with_the_lab), TEST(refusals),
        TEST(without_data_plane_there_are_none),
    };
    return cmocka_run_group_tests_name("control.api_flows", tests, NULL, NULL);
}
