// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/event_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void parses_data_lines_only(void **state)
{
    static const char *const none[] = {"", "id: 7", "data:", "data: ", "data: {", "data: {} x", ": comment"};
    static const char line[] = "data: {\"id\":7}";

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_null(vnrs_event_parse(none[i], strlen(none[i])));
    json_t *event = vnrs_event_parse(line, strlen(line));
    assert_int_equal(json_integer_value(json_object_get(event, "id")), 7);
    json_decref(event);
}

static void assert_text(const char *json, const char *want)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    json_t *event = json_loads(json, 0, NULL);

    assert_non_null(event);
    vnrs_event_text(out, event);
    (void)fclose(out);
    assert_string_equal(text, want);
    free(text);
    json_decref(event);
}

static void one_line_each(void **state)
{
    (void)state;
    assert_text(
        "{\"id\": 1, \"time\": \"2026-01-12T13:46:41Z\", \"lab\": \"\", \"kind\": \"start\", \"text\": \"ready\"}",
        "2026-01-12T13:46:41Z  -  start  ready\n");
    assert_text(
        "{\"id\": 2, \"time\": \"2026-01-12T13:46:42Z\", \"lab\": \"x\", \"kind\": \"bgp\", \"text\": \"peer a b\"}",
        "2026-01-12T13:46:42Z  x  bgp  peer a b\n");
    assert_text("{}", "-  -  -  -\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parses_data_lines_only), cmocka_unit_test(one_line_each)};
    return cmocka_run_group_tests_name("cli.event_text", tests, NULL, NULL);
}
