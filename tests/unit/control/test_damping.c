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

static void later_changes_are_programmed_when_they_may(void **state)
{
    struct fixture *f = *state;
    static const char *const hop[] = {"10.0.2.4", NULL};
    char source[2048];
    const char *name = strstr(hub, "    bgpConnections:");

    RUN_UNTIL(f, f->control->ready);
    (void)snprintf(source, sizeof(source), "%.*s    routeChangeDelay: 2\n%s", (int)(name - hub), hub, name);
    apply_and_reach(f, source);
    struct fake_speaker speaker = fixture_speaker(f, "l", "rs-0");
    RUN_UNTIL(f, speaker_hear(&speaker));
    fake_clear_counts(&f->agent);
    speaker_route(&speaker, "10.50.0.0/16", hop);
    RUN_UNTIL(f, f->agent.fib_routes_set >= 1);
    uint64_t first = vnrs_clock_ms();
    fixture_settle(f, VNRS_DAMPING_TOGETHER_MS + 100);
    fake_clear_counts(&f->agent);
    speaker_route(&speaker, "10.51.0.0/16", hop);
    speaker_route(&speaker, "10.50.0.0/16", NULL);
    fixture_settle(f, 300);
    assert_int_equal(f->agent.fib_routes_set + f->agent.fib_routes_removed, 0);
    assert_true(vnrs_lab_is_reached(lab_of(f))); // nobody waits for what waits
    RUN_UNTIL(f, f->agent.fib_routes_set >= 1 && f->agent.fib_routes_removed >= 1);
    assert_true(vnrs_clock_ms() - first >= 1800);
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
