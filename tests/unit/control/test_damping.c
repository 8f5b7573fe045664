// SPDX-License-Identifier: GPL-2.0-or-later
// Changes that wait: how long, and that they are made then (azure-routing.md 5.5).
#include "control/damping.h"

#include "control/labs.h"

static void the_second_change_waits(void **state)
{
    struct vnrs_damping damping = {0};

    (void)state;
    assert_int_equal(vnrs_damping_wait_ms(&damping, 30, 1000000), 0);
    vnrs_damping_note(&damping, 30, 1000000);
    assert_int_equal(vnrs_damping_wait_ms(&damping, 30, 1000000 + VNRS_DAMPING_TOGETHER_MS - 1), 0);
    vnrs_damping_note(&damping, 30, 1000000 + VNRS_DAMPING_TOGETHER_MS - 1); // the same change
    assert_int_equal(vnrs_damping_wait_ms(&damping, 30, 1000000 + VNRS_DAMPING_TOGETHER_MS),
                     30000 - VNRS_DAMPING_TOGETHER_MS);
    assert_int_equal(vnrs_damping_wait_ms(&damping, 30, 1029999), 1);
    assert_int_equal(vnrs_damping_wait_ms(&damping, 30, 1030000), 0);
    assert_int_equal(vnrs_damping_wait_ms(&damping, 0, 1000000 + VNRS_DAMPING_TOGETHER_MS), 0);
    vnrs_damping_note(&damping, 30, 1030000);
    assert_int_equal(vnrs_damping_wait_ms(&damping, 30, 1031000), 29000);
}

// The rows of prefixes in 10.48.0.0/13, and the end: "10.50.0.0/16 10.0.2.4; " with "| 2" where two wait.
static const char *rows(struct fixture *f)
{
    static char text[512];
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/effective-routes?nic=vm", NULL);
    json_int_t n = 0, seconds = 0;
    size_t i, len = 0;
    json_t *row;

    assert_int_equal(answer.status, 200);
    text[0] = '\0';
    json_array_foreach(json_object_get(answer.json, "value"), i, row)
    {
        const char *prefix = json_string_value(json_array_get(json_object_get(row, "addressPrefix"), 0));
        const char *hop = json_string_value(json_array_get(json_object_get(row, "nextHopIpAddress"), 0));
        const char *why = json_string_value(json_object_get(row, "why")), *then = strstr(why, "then ");
        if (strncmp(prefix, "10.5", 4) == 0)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s%s%s; ", prefix,
                                    hop ? hop : json_string_value(json_object_get(row, "nextHopType")), then ? " " : "",
                                    then ? then : "");
    }
    if (json_unpack(answer.json, "{s:{s:I, s:I}}", "pending", "prefixes", &n, "seconds", &seconds) == 0)
        (void)snprintf(text + len, sizeof(text) - len, "| %d", (int)n);
    assert_in_range(seconds, n ? 1 : 0, n ? 2 : 0);
    json_decref(answer.json);
    return text;
}

// The first next hop on the way to an address.
static const char *hop_to(struct fixture *f, const char *to)
{
    static char text[64];
    char path[96];

    (void)snprintf(path, sizeof(path), "/v1/labs/l/next-hop?from=vm&to=%s", to);
    struct answer answer = fixture_http(f, "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    (void)snprintf(text, sizeof(text), "%s %s", json_string_value(json_object_get(answer.json, "nextHopType")),
                   json_string_value(json_object_get(answer.json, "nextHopIpAddress")));
    json_decref(answer.json);
    return text;
}

static void later_changes_are_programmed_when_they_may(void **state)
{
    struct fixture *f = *state;
    static const char *const hop[] = {"10.0.2.4", NULL}, *const other[] = {"10.0.2.4", "10.0.2.5", NULL};
    char source[2048];
    const char *name = strstr(hub, "    bgpConnections:");

    RUN_UNTIL(f, f->control->ready);
    (void)snprintf(source, sizeof(source), "%.*s    routeChangeDelay: 2\n%s", (int)(name - hub), hub, name);
    apply_and_reach(f, source);
    struct fake_speaker speaker = fixture_speaker(f, "l", "rs-0");
    RUN_UNTIL(f, speaker_hear(&speaker));
    fake_clear_counts(&f->agent);
    speaker_route(&speaker, "10.50.0.0/16", hop);
    speaker_route(&speaker, "10.52.0.0/16", hop);
    speaker_drop(&speaker, "10.53.0.0/16");
    RUN_UNTIL(f, f->agent.fib_routes_set >= 3);
    uint64_t first = vnrs_clock_ms();
    fixture_settle(f, VNRS_DAMPING_TOGETHER_MS + 100);
    fake_clear_counts(&f->agent);
    speaker_route(&speaker, "10.51.0.0/16", hop);
    speaker_route(&speaker, "10.50.0.0/16", NULL);
    speaker_route(&speaker, "10.52.0.0/16", other);
    speaker_route(&speaker, "10.53.0.0/16", hop);
    fixture_settle(f, 300);
    // What is shown is what is in force.
    assert_string_equal(rows(f), "10.50.0.0/16 10.0.2.4 then withdrawn; 10.52.0.0/16 10.0.2.4 then 10.0.2.4, 10.0.2.5; "
                                 "10.53.0.0/16 None then 10.0.2.4; | 4");
    assert_string_equal(hop_to(f, "10.50.0.1"), "VirtualNetworkGateway 10.0.2.4");
    assert_string_equal(hop_to(f, "10.51.0.1"), "None ");
    assert_string_equal(hop_to(f, "10.53.0.1"), "None ");
    assert_int_equal(f->agent.fib_routes_set + f->agent.fib_routes_removed, 0);
    assert_true(vnrs_lab_is_reached(lab_of(f))); // nobody waits for what waits
    RUN_UNTIL(f, f->agent.fib_routes_set >= 1 && f->agent.fib_routes_removed >= 1);
    assert_true(vnrs_clock_ms() - first >= 1800);
    assert_string_equal(rows(f), "10.51.0.0/16 10.0.2.4; 10.52.0.0/16 10.0.2.4; 10.52.0.0/16 10.0.2.5; "
                                 "10.53.0.0/16 10.0.2.4; ");
    (void)close(speaker.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_change_waits),
        cmocka_unit_test_setup_teardown(later_changes_are_programmed_when_they_may, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("control.damping", tests, NULL, NULL);
}
