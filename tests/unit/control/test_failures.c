// SPDX-License-Identifier: GPL-2.0-or-later
// What the controller does when something goes wrong for longer than a moment.
#include "control/api.h"
#include "control/fixture.h"
#include "control/labs.h"
#include "util/strbuf.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <limits.h>

static size_t n_events(struct fixture *f, const char *kind)
{
    size_t n = 0;

    for (uint64_t i = 0; i < f->control->n_events; i++)
        n += strcmp(f->control->events[i % VNRS_EVENTS_MAX].kind, kind) == 0;
    return n;
}

static bool agent_has_prefix(struct fixture *f, const char *prefix)
{
    char text[VNRS_PREFIX_STR_MAX];

    vec_foreach (route, &f->agent.routes) {
        if (strcmp(vnrs_prefix_format(&route->prefix, text), prefix) == 0)
            return true;
    }
    return false;
}

static void an_error_that_lasts_is_told_once(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    f->agent.fail_key = "b/eth0"; // link and table
    struct answer answer = fixture_apply(f, small);
    json_decref(answer.json);
    RUN_UNTIL(f, lab_of(f)->retries == 3); // 0.5 s, 1 s
    assert_int_equal(n_events(f, "error"), 2);
    fake_clear_counts(&f->agent);
    f->agent.fail_key = NULL;
    f->agent.fail_fib = INT_MAX;
    RUN_UNTIL(f, lab_of(f)->fib_retries == 3);
    assert_int_equal(n_events(f, "error"), 3);
    assert_string_equal(lab_of(f)->fib_error, "routes: the kernel refuses");
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_END], 3); // with pauses
    f->agent.fail_fib = 0;
    RUN_UNTIL(f, vnrs_lab_is_reached(lab_of(f)));
    assert_null(lab_of(f)->fib_error);
}

static void a_check_does_not_wait_for_a_late_retry(void **state)
{
    struct fixture *f = *state;
    struct vnrs_ag_event event = {.kind = VNRS_AG_EV_EXITED, .obj = {.lab = "l", .key = "a", .type = VNRS_OBJ_PROC}};

    RUN_UNTIL(f, f->control->ready);
    f->agent.fail_key = "b/eth0";
    struct answer answer = fixture_apply(f, small);
    json_decref(answer.json);
    lab_of(f)->retries = 5;
    RUN_UNTIL(f, lab_of(f)->retries == 6 && lab_of(f)->stage == VNRS_LAB_IDLE);
    fake_clear_counts(&f->agent);
    fake_send(&f->agent, VNRS_AG_EVENT, 0, &event, sizeof(event), 1, NULL, 0, -1);
    RUN_UNTIL(f, f->agent.n_list == 1);
}

static void checks_that_lead_to_checks_slow_down(void **state)
{
    struct fixture *f = *state;
    struct vnrs_ag_event event = {.kind = VNRS_AG_EV_SUSPECT,
                                  .obj = {.lab = "l", .key = "b/eth0", .type = VNRS_OBJ_LINK}};

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, small);
    for (uint64_t end = vnrs_clock_ms() + 10000; lab_of(f)->check_gap_ms < 800;) {
        assert_true(vnrs_clock_ms() < end);
        fake_send(&f->agent, VNRS_AG_EVENT, 0, &event, sizeof(event), 1, NULL, 0, -1);
        fixture_settle(f, 10);
    }
    fixture_settle(f, 1000);
    lab_of(f)->last_pass_ms -= 10000; // long enough without one
    lab_of(f)->passed_ms -= 10000;
    fake_clear_counts(&f->agent);
    fake_send(&f->agent, VNRS_AG_EVENT, 0, &event, sizeof(event), 1, NULL, 0, -1);
    RUN_UNTIL(f, f->agent.n_list == 1);
    assert_int_equal(lab_of(f)->check_gap_ms, 200);
}

static void a_configuration_that_is_too_long_stops_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct vnrs_strbuf source = {0};

    RUN_UNTIL(f, f->control->ready);
    vnrs_strbuf_printf(&source,
                       "%s  - name: b\n    nics: [{subnet: net/default}]\n"
                       "    run: {kind: bird, asn: 65001, configText: \"",
                       smaller);
    for (int i = 0; i < 14000; i++)
        vnrs_strbuf_puts(&source, "0123456789");
    vnrs_strbuf_puts(&source, "\"}\n");
    struct answer answer = fixture_apply(f, source.text);
    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
    RUN_UNTIL(f, lab_of(f)->failed == 1 && lab_of(f)->stage == VNRS_LAB_IDLE);
    answer = fixture_http(f, "GET", "/v1/labs/l/status", NULL);
    assert_non_null(strstr(answer.text, "daemon 'b': the configuration is longer than the agent takes"));
    json_decref(answer.json);
    vnrs_strbuf_fini(&source);
}

static void a_destroy_that_fails_is_said_and_stays(void **state)
{
    struct fixture *f = *state;
    struct vnrs_ag_event event = {.kind = VNRS_AG_EV_SUSPECT,
                                  .obj = {.lab = "l", .key = "b/eth0", .type = VNRS_OBJ_LINK}};

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, small);
    apply_and_reach(f, smaller);
    f->agent.fail_remove = 1;
    struct answer answer = fixture_http(f, "DELETE", "/v1/labs/l", NULL);
    assert_int_equal(answer.status, 500);
    assert_non_null(strstr(answer.text, "it is in use"));
    json_decref(answer.json);
    fake_clear_counts(&f->agent);
    fake_send(&f->agent, VNRS_AG_EVENT, 0, &event, sizeof(event), 1, NULL, 0, -1);
    fixture_settle(f, 400);
    assert_int_equal(f->agent.n_ensure, 0);
    answer = fixture_http(f, "GET", "/v1/labs/l/status", NULL);
    assert_non_null(strstr(answer.text, "not everything could be removed"));
    json_decref(answer.json);
    answer = fixture_http(f, "DELETE", "/v1/labs/l", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(json_integer_value(json_object_get(answer.json, "removed")), 1);
    json_decref(answer.json);
    assert_int_equal(f->agent.objects.len, 0);
}

static void a_name_that_no_lab_has_is_not_asked_for(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    struct answer answer = fixture_http(f, "DELETE", "/v1/labs/a%20b", NULL);
    assert_int_equal(answer.status, 404);
    json_decref(answer.json);
    assert_int_equal(f->control->labs.len, 0);
    assert_int_equal(f->agent.n_list, 0);
}

static void a_client_that_does_not_read_costs_little(void **state)
{
    static const char request[] = "GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture *f = *state;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    RUN_UNTIL(f, f->control->ready);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    RUN_UNTIL(f, f->control->followers.len == 1);
    for (int i = 0; i < 20000; i++)
        vnrs_event_add(f->control, NULL, "test", "%0200d", i);
    struct evhttp_connection *conn = evhttp_request_get_connection(f->control->followers.items[0]->request);
    struct evbuffer *out = bufferevent_get_output(evhttp_connection_get_bufferevent(conn));
    assert_true(evbuffer_get_length(out) > 1000000 && evbuffer_get_length(out) < 1100000);
    close(fd);
    RUN_UNTIL(f, f->control->followers.len == 0);
}

// More than the maps of the packet path hold: 250 hosts of a service that each lets 270 subnets in, or those hosts and
// 8,000 NICs.
static void make_too_much(struct vnrs_strbuf *out, bool nics)
{
    vnrs_strbuf_puts(out, "name: l\nvirtualNetworks:\n  - name: net\n    addressSpace: [10.0.0.0/8]\n    subnets:\n");
    vnrs_strbuf_puts(out, "      - {name: vm, addressPrefix: 10.128.0.0/16}\n");
    for (int i = 0; i < 270; i++)
        vnrs_strbuf_printf(out, "      - {name: s%d, addressPrefix: 10.%d.%d.0/24}\n", i, i / 256, i % 256);
    vnrs_strbuf_printf(out, "machines:\n  - {name: 'vm-{1..%d}', nics: [{subnet: net/vm}]}\n", nics ? 8000 : 1);
    vnrs_strbuf_puts(out, "services:\n  - name: S\n    addressPrefixes: [20.0.0.0/16]\n    hosts: [");
    for (int i = 0; i < 250; i++)
        vnrs_strbuf_printf(out, "%s{name: h%d, ip: 20.0.0.%d}", i ? ", " : "", i, i);
    vnrs_strbuf_puts(out, "]\n    allowedSubnets: [");
    for (int i = 0; i < (nics ? 1 : 270); i++)
        vnrs_strbuf_printf(out, "%snet/s%d", i ? ", " : "", i);
    vnrs_strbuf_puts(out, "]\n");
}

static void a_lab_that_does_not_fit_changes_nothing(void **state)
{
    static const char *const errors[] = {"the eBPF data plane has room for 65536 entries of access lists (subnets that "
                                         "services let in), and this lab needs 67500",
                                         "no interface number is left for NIC 'vm-7925/eth0'"};
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, small);
    for (int nics = 0; nics < 2; nics++) {
        struct vnrs_strbuf source = {0};
        make_too_much(&source, nics);
        fake_clear_counts(&f->agent);
        struct answer answer = fixture_apply(f, source.text);
        vnrs_strbuf_fini(&source);
        assert_int_equal(answer.status, 200);
        json_decref(answer.json);
        RUN_UNTIL(f, lab_of(f)->build_error && strcmp(lab_of(f)->build_error, errors[nics]) == 0);
        answer = fixture_http(f, "GET", "/v1/labs/l/status", NULL);
        assert_non_null(strstr(answer.text, nics ? "no interface number is left" : "has room for 65536 entries"));
        json_decref(answer.json);
        assert_int_equal(f->agent.n_ensure + f->agent.n_remove, 0);
        for (size_t kind = 0; kind < ARRAY_SIZE(f->agent.n_fib); kind++)
            assert_int_equal(f->agent.n_fib[kind], 0);
        assert_int_equal(lab_of(f)->model->nics.len, 2);
    }
    apply_and_reach(f, smaller);
    assert_null(lab_of(f)->build_error);
}

// What NVAs announce is not known before: then the packet path keeps what it has.
static void learned_routes_that_do_not_fit_are_not_begun(void **state)
{
    static const char *const prefixes[] = {"172.20.0.0/16", "172.21.0.0/16", "172.22.0.0/16"}, *const hops[] = {
                                                                                                   "10.0.2.4", NULL};
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    struct fake_speaker speaker = fixture_speaker(f, "l", "rs-0");
    RUN_UNTIL(f, speaker_hear(&speaker));
    RUN_UNTIL(f, vnrs_instance_find(lab_of(f), "rs-0")->hello);
    speaker_route(&speaker, prefixes[0], hops);
    RUN_UNTIL(f, agent_has_prefix(f, prefixes[0]));
    const size_t had = f->agent.routes.len;
    struct vnrs_room room = {0};
    vec_foreach (route, &f->agent.routes)
        room.routes += route->prefix.family == VNRS_AF_IPV4;
    vnrs_fib_room_set(lab_of(f)->fib, &room);
    for (int i = 1; i < 3; i++)
        speaker_route(&speaker, prefixes[i], hops);
    RUN_UNTIL(f, lab_of(f)->fib_error);
    assert_non_null(strstr(lab_of(f)->fib_error, "routes: the eBPF data plane has room for"));
    assert_non_null(strstr(lab_of(f)->fib_error, "IPv4 routes, and this lab needs"));
    assert_int_equal(f->agent.routes.len, had);
    assert_true(agent_has_prefix(f, prefixes[0]));
    assert_false(agent_has_prefix(f, prefixes[1]) || agent_has_prefix(f, prefixes[2]));
    for (int i = 1; i < 3; i++)
        speaker_route(&speaker, prefixes[i], NULL);
    RUN_UNTIL(f, !lab_of(f)->fib_error);
    assert_int_equal(f->agent.routes.len, had);
    close(speaker.fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_error_that_lasts_is_told_once),
        TEST(a_check_does_not_wait_for_a_late_retry),
        TEST(checks_that_lead_to_checks_slow_down),
        TEST(a_configuration_that_is_too_long_stops_nothing_else),
        TEST(a_destroy_that_fails_is_said_and_stays),
        TEST(a_name_that_no_lab_has_is_not_asked_for),
        TEST(a_client_that_does_not_read_costs_little),
        TEST(a_lab_that_does_not_fit_changes_nothing),
        TEST(learned_routes_that_do_not_fit_are_not_begun),
    };
    return cmocka_run_group_tests_name("control.failures", tests, NULL, NULL);
}
