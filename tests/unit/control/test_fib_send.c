// SPDX-License-Identifier: GPL-2.0-or-later
// When a lab counts as reached: the fabric has all, and the guest tables that follow behind it.
#include "control/fib_send.h"

#include "control/api.h"
#include "control/fixture.h"
#include "control/labs.h"

static bool is_programmed(struct fixture *f)
{
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/status", NULL);
    json_t *condition;
    bool ok = false;
    size_t i;

    json_array_foreach(json_object_get(answer.json, "conditions"), i, condition)
    {
        if (strcmp(json_string_value(json_object_get(condition, "name")), "routes") == 0)
            ok = json_is_true(json_object_get(condition, "ok"));
    }
    json_decref(answer.json);
    return ok;
}

static void a_lab_is_reached_when_guest_tables_are(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    f->agent.behind = true;
    struct answer answer = fixture_apply(f, small);
    json_decref(answer.json);
    RUN_UNTIL(f, f->agent.settle);
    assert_int_equal(lab_of(f)->fib_outstanding, 0);
    assert_false(vnrs_lab_is_reached(lab_of(f)));
    assert_false(is_programmed(f));
    // The next change does not wait for them, and one question is enough.
    answer = fixture_apply(f, smaller);
    json_decref(answer.json);
    RUN_UNTIL(f, f->agent.n_fib[VNRS_AG_FIB_FLUSH] == 2 && lab_of(f)->fib_outstanding == 0);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_SETTLE], 1);
    fake_settle(&f->agent, 0);
    RUN_UNTIL(f, f->agent.settle); // those of the second change
    assert_false(vnrs_lab_is_reached(lab_of(f)));
    fake_settle(&f->agent, 0);
    RUN_UNTIL(f, vnrs_lab_is_reached(lab_of(f)));
    assert_true(is_programmed(f));
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_SETTLE], 2);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_BEGIN], 1);
}

static void guest_tables_that_fail_are_synchronised_again(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    f->agent.behind = true;
    struct answer answer = fixture_apply(f, small);
    json_decref(answer.json);
    RUN_UNTIL(f, f->agent.settle);
    fake_settle(&f->agent, -EEXIST);
    RUN_UNTIL(f, lab_of(f)->fib_error);
    assert_string_equal(lab_of(f)->fib_error, "routes: guest: table 'vm' fails");
    assert_false(vnrs_lab_is_reached(lab_of(f)));
    RUN_UNTIL(f, f->agent.n_fib[VNRS_AG_FIB_BEGIN] == 2 && f->agent.settle);
    assert_non_null(lab_of(f)->fib_error);
    f->agent.behind = false;
    fake_settle(&f->agent, 0);
    RUN_UNTIL(f, vnrs_lab_is_reached(lab_of(f)));
    assert_null(lab_of(f)->fib_error);
}

// What the fabric refused is not forgotten because guest tables took what they were told.
static void a_retry_is_not_given_up_for_guest_tables(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    f->agent.behind = true;
    struct answer answer = fixture_apply(f, small);
    json_decref(answer.json);
    RUN_UNTIL(f, f->agent.settle);
    f->agent.fail_fib = 1;
    answer = fixture_apply(f, smaller);
    json_decref(answer.json);
    RUN_UNTIL(f, lab_of(f)->fib_error && lab_of(f)->fib_outstanding == 0);
    f->agent.behind = false;
    fake_settle(&f->agent, 0);
    RUN_UNTIL(f, !lab_of(f)->fib_settling);
    assert_non_null(lab_of(f)->fib_error);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_BEGIN], 1);
    RUN_UNTIL(f, vnrs_lab_is_reached(lab_of(f)));
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_BEGIN], 2);
    assert_null(lab_of(f)->fib_error);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lab_is_reached_when_guest_tables_are),
        TEST(guest_tables_that_fail_are_synchronised_again),
        TEST(a_retry_is_not_given_up_for_guest_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
