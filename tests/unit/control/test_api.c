// SPDX-License-Identifier: GPL-2.0-or-later
// HTTP: every refusal is JSON with an id; the shapes that scripts rely on.
#include "control/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const source = "name: l\n"
                                  "virtualNetworks:\n"
                                  "  - name: net\n"
                                  "    addressSpace: [10.0.0.0/16]\n"
                                  "    subnets:\n"
                                  "      - {name: default, addressPrefix: 10.0.0.0/24, routeTable: rt}\n"
                                  "routeTables:\n"
                                  "  - name: rt\n"
                                  "    routes:\n"
                                  "      - {name: drop, addressPrefix: 203.0.113.0/24, nextHopType: None}\n"
                                  "machines:\n"
                                  "  - {name: a, nics: [{subnet: net/default}]}\n"
                                  "tests:\n"
                                  "  - {name: dropped, from: a, to: 203.0.113.9, expect: {nextHopType: None}}\n";

static void up(struct fixture *f)
{
    RUN_UNTIL(f, f->control->ready);
    struct answer answer = fixture_apply(f, source);
    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
    RUN_UNTIL(f, vnrs_lab_is_reached(vnrs_control_find_lab(f->control, "l")));
}

static void refusals(void **state)
{
    static const struct {
        const char *method, *path, *body;
        int status;
        const char *id;
    } rows[] = {
        {"GET", "/", NULL, 404, "not-found"},
        {"GET", "/v1", NULL, 404, "not-found"},
        {"GET", "/v1/labs/", NULL, 404, "not-found"},
        {"GET", "/v1/labs/l/status/more", NULL, 404, "not-found"},
        {"GET", "/v1/labs/%2e%2e%2fl", NULL, 404, "not-found"},
        {"PUT", "/v1/labs", NULL, 405, "bad-method"},
        {"DELETE", "/v1/labs/l/status", NULL, 405, "bad-method"},
        {"POST", "/v1/labs/l/status", NULL, 405, "bad-method"},
        {"POST", "/v1/labs", NULL, 400, "bad-request"},
        {"POST", "/v1/labs", "{", 400, "bad-request"},
        {"POST", "/v1/labs", "[]", 400, "bad-request"},
        {"POST", "/v1/labs", "{\"file\": 1, \"source\": \"x\"}", 400, "bad-request"},
        {"POST", "/v1/labs", "{\"file\": \"x\", \"file\": \"y\", \"source\": \"x\"}", 400, "bad-request"},
        {"POST", "/v1/validate", "{\"file\": \"x\", \"source\": \"name: [\"}", 422, "invalid-file"},
        {"GET", "/v1/labs/other/status", NULL, 404, "not-found"},
        {"GET", "/v1/labs/l/effective-routes", NULL, 400, "bad-request"},
        {"GET", "/v1/labs/l/effective-routes?nic=zz", NULL, 404, "not-found"},
        {"GET", "/v1/labs/l/next-hop?from=a", NULL, 400, "bad-request"},
        {"GET", "/v1/labs/l/next-hop?from=a&to=10.0.0", NULL, 400, "bad-request"},
        {"GET", "/v1/labs/l/next-hop?from=zz&to=10.0.0.1", NULL, 404, "not-found"},
        {"GET", "/v1/labs/l/learned-routes?peer=zz", NULL, 404, "not-found"},
        {"POST", "/v1/labs/l/peers/clear", NULL, 400, "bad-request"},
        {"POST", "/v1/labs/l/peers/clear?peer=zz&text=a%0ab", NULL, 400, "bad-request"},
        {"POST", "/v1/labs/l/peers/clear?peer=zz&text=%ff", NULL, 400, "bad-request"},
        {"POST", "/v1/labs/l/peers/clear?peer=zz&text=ok", NULL, 404, "not-found"},
        {"GET", "/v1/labs/l/rib?prefix=10.0.0.1/8", NULL, 400, "bad-request"},
    };
    struct fixture *f = *state;

    up(f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct answer answer = fixture_http(f, rows[i].method, rows[i].path, rows[i].body);
        const json_t *error = json_object_get(answer.json, "error");
        if (answer.status != rows[i].status || !error)
            fail_msg("%s %s: %d %s", rows[i].method, rows[i].path, answer.status, answer.text);
        assert_string_equal(json_string_value(json_object_get(error, "id")), rows[i].id);
        assert_true(json_string_length(json_object_get(error, "message")) > 10);
        json_decref(answer.json);
    }
    assert_int_equal(f->control->labs.len, 1);
}

static void invalid_file_has_diagnostics_and_changes_nothing(void **state)
{
    struct fixture *f = *state;

    up(f);
    fake_clear_counts(&f->agent);
    struct answer answer = fixture_apply(f, "name: l\nfoo: 1\n");
    assert_int_equal(answer.status, 422);
    const json_t *diag = json_array_get(json_object_get(answer.json, "diagnostics"), 0);
    assert_string_equal(json_string_value(json_object_get(diag, "id")), "V005");
    assert_int_equal(json_integer_value(json_object_get(diag, "line")), 2);
    json_decref(answer.json);
    assert_int_equal(f->agent.n_requests, 0);
    assert_int_equal(vnrs_control_find_lab(f->control, "l")->generation, 1);
}

static void effective_routes_are_azures_object(void **state)
{
    static const char *const want =
        "{\"addressPrefix\":[\"203.0.113.0/24\"],\"destinationServiceTags\":[],\"disableBgpRoutePropagation\":false,"
        "\"hasBgpOverride\":false,\"name\":\"drop\",\"nextHopIpAddress\":[],\"nextHopType\":\"None\",\"source\":"
        "\"User\","
        "\"state\":\"Active\",\"tagMap\":{}}";
    struct fixture *f = *state;

    up(f);
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/effective-routes?nic=a", NULL);
    json_t *value = json_object_get(answer.json, "value");
    json_t *row = json_array_get(value, json_array_size(value) - 1); // User rows are last
    assert_true(json_string_length(json_object_get(row, "why")) > 0);
    json_object_del(row, "why");
    char *text = json_dumps(row, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, want);
    free(text);
    json_decref(answer.json);
    answer = fixture_http(f, "GET", "/v1/labs/l/next-hop?from=a%2Feth0&to=203.0.113.9", NULL);
    assert_string_equal(json_string_value(json_object_get(answer.json, "nextHopType")), "None");
    assert_string_equal(json_string_value(json_object_get(answer.json, "routeTableId")), "rt");
    json_decref(answer.json);
    answer = fixture_http(f, "GET", "/v1/labs/l/next-hop?from=a&to=10.0.0.9", NULL);
    assert_string_equal(json_string_value(json_object_get(answer.json, "routeTableId")), "System Route");
    json_decref(answer.json);
}

static void answers_have_their_keys(void **state)
{
    static const struct {
        const char *path;
        const char *keys[8];
    } rows[] = {
        {"/v1/labs", {"value"}},
        {"/v1/labs/l", {"name", "dataplane", "generation", "fabric", "machines", "routeServers", "hosts"}},
        {"/v1/labs/l/status", {"lab", "generation", "reached", "ready", "conditions", "progress", "errors"}},
        {"/v1/labs/l/config", {"lab", "file", "generation", "text"}},
        {"/v1/labs/l/peers", {"value"}},
        {"/v1/labs/l/rib", {"value"}},
        {"/v1/labs/l/tests", {"value"}},
        {"/v1/labs/l/counters", {"nics", "billing", "nextHopTypes", "drops"}},
        {"/v1/labs/l/events?since=0", {"value"}},
        {"/v1/events", {"value"}},
        {"/v1/doctor", {"value"}},
        {"/v1/log", {"value"}},
        {"/v1/version", {"version"}},
        {"/healthz", {"status"}},
        {"/readyz", {"status"}},
    };
    struct fixture *f = *state;

    up(f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct answer answer = fixture_http(f, "GET", rows[i].path, NULL);
        assert_int_equal(answer.status, 200);
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].keys) && rows[i].keys[k]; k++) {
            if (!json_object_get(answer.json, rows[i].keys[k]))
                fail_msg("%s: no '%s' in %s", rows[i].path, rows[i].keys[k], answer.text);
        }
        json_decref(answer.json);
    }
    struct answer answer = fixture_http(f, "GET", "/metrics", NULL);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.text, "\nvnrs_lab_ready{lab=\"l\"} 1\n"));
    assert_non_null(strstr(answer.text, "text/plain"));
}

static void plan_changes_nothing(void **state)
{
    struct fixture *f = *state;
    json_t *body = json_pack("{s:s, s:s}", "file", "t", "source", source);
    char *text = json_dumps(body, 0);

    RUN_UNTIL(f, f->control->ready);
    fake_clear_counts(&f->agent);
    struct answer answer = fixture_http(f, "POST", "/v1/plan", text);
    assert_int_equal(answer.status, 200);
    assert_true(json_array_size(json_object_get(answer.json, "changes")) > 3);
    json_decref(answer.json);
    answer = fixture_http(f, "POST", "/v1/validate", text);
    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
    answer = fixture_http(f, "POST", "/v1/tests", text); // assertions of a lab that does not run
    assert_int_equal(answer.status, 409);
    json_decref(answer.json);
    assert_int_equal(f->agent.n_requests, 0);
    assert_int_equal(f->control->labs.len, 0);
    free(text);
    json_decref(body);
}

static void a_client_that_goes_away_is_nobodys_problem(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct fixture *f = *state;

    up(f);
    static const char *const paths[] = {"GET /v1/doctor", "GET /v1/labs/l/counters", "GET /v1/events?follow=1",
                                        "GET /metrics", "DELETE /v1/labs/l"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        char head[128];
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
        assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
        (void)snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        assert_int_equal(write(fd, head, strlen(head)), (ssize_t)strlen(head));
        uint64_t had = f->control->http_requests;
        RUN_UNTIL(f, f->control->http_requests > had);
        close(fd);
        fixture_settle(f, 30);
    }
    RUN_UNTIL(f, !vnrs_control_find_lab(f->control, "l"));
    assert_int_equal(f->control->followers.len, 0);
    struct answer answer = fixture_http(f, "GET", "/healthz", NULL);
    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(refusals),
        TEST(invalid_file_has_diagnostics_and_changes_nothing),
        TEST(effective_routes_are_azures_object),
        TEST(answers_have_their_keys),
        TEST(plan_changes_nothing),
        TEST(a_client_that_goes_away_is_nobodys_problem),
    };
    return cmocka_run_group_tests_name("control.api", tests, NULL, NULL);
}
