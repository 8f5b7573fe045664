// SPDX-License-Identifier: GPL-2.0-or-later
// GET /v1/log: the last lines, oldest first.
#include "control/logged.h"

#include "control/fixture.h"
#include "util/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static json_t *ask(struct fixture *f)
{
    RUN_UNTIL(f, f->control->ready);
    struct answer answer = fixture_http(f, "GET", "/v1/log", NULL);

    assert_int_equal(answer.status, 200);
    json_t *value = json_incref(json_object_get(answer.json, "value"));
    json_decref(answer.json);
    return value;
}

static bool ends_with(const json_t *line, const char *end)
{
    const char *text = json_string_value(json_object_get(line, "text"));
    return text && strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void lines_have_their_time(void **state)
{
    log_error("lab 'x': first");
    json_t *lines = ask(*state);
    const json_t *last = json_array_get(lines, json_array_size(lines) - 1);

    assert_true(ends_with(last, "error: lab 'x': first"));
    assert_int_equal(json_string_length(json_object_get(last, "time")), strlen("2026-11-26T21:00:00Z"));
    json_decref(lines);
}

static void the_oldest_go(void **state)
{
    char text[32];

    for (unsigned i = 0; i < VNRS_LOGGED_MAX + 3; i++)
        log_warn("line %u", i);
    json_t *lines = ask(*state);
    assert_int_equal(json_array_size(lines), VNRS_LOGGED_MAX);
    assert_true(ends_with(json_array_get(lines, 0), "line 3"));
    (void)snprintf(text, sizeof(text), "line %u", VNRS_LOGGED_MAX + 2);
    assert_true(ends_with(json_array_get(lines, VNRS_LOGGED_MAX - 1), text));
    json_decref(lines);
}

// A line that is no text cannot be JSON: it is left out, and the others are there.
static void a_line_that_is_no_text(void **state)
{
    log_warn("bad \xff\xfe byte");
    log_warn("good");
    json_t *lines = ask(*state);
    assert_true(ends_with(json_array_get(lines, json_array_size(lines) - 1), "good"));
    json_decref(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_have_their_time, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_oldest_go, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_line_that_is_no_text, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests_name("control.logged", tests, NULL, NULL);
}
