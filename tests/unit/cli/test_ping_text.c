// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ping_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void says_which_way_fails(void **state)
{
    static const struct {
        const char *trace, *want;
    } rows[] = {
        {"{\"forward\":{\"result\":\"dropped\",\"reason\":\"None\"},\"back\":null}", "forward: dropped: None"},
        {"{\"forward\":{\"result\":\"delivered\",\"reason\":\"\"},\"back\":{\"result\":\"dropped\",\"reason\":\"no "
         "route\"}}",
         "back: dropped: no route"},
        {"{\"forward\":{\"result\":\"delivered\"},\"back\":{\"result\":\"delivered\"}}",
         "the routes lead there, but there was no answer"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *trace = json_loads(rows[i].trace, 0, NULL), *reason = vnrs_ping_reason(trace);
        assert_string_equal(json_string_value(reason), rows[i].want);
        json_decref(trace);
        json_decref(reason);
    }
    json_t *reason = vnrs_ping_reason(NULL);
    assert_string_equal(json_string_value(reason), "the way could not be asked for");
    json_decref(reason);
}

static void assert_text(const json_t *results, const char *want)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    vnrs_ping_text(out, results);
    (void)fclose(out);
    assert_string_equal(text, want);
    free(text);
}

static void matrix_and_reasons(void **state)
{
    static const struct {
        const char *from, *to, *address;
        int answered;
    } rows[] = {{"a", "b.c", "10.0.0.5", 1}, {"a", "d", "10.0.0.6", 0}, {"a", "d", "fd00::6", 1},
                {"b.c", "a", "10.0.0.4", 1}, {"d", "a", "10.0.0.4", 0}, {"d", "b.c", "10.0.0.5", 0}};
    json_t *results = json_array();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        (void)json_array_append_new(results, json_pack("{s:s s:s s:s s:b s:s}", "from", rows[i].from, "to", rows[i].to,
                                                       "address", rows[i].address, "answered", rows[i].answered,
                                                       "reason", "because"));
    assert_text(results, "From  a  b.c  d\n"
                         "----  -  ---  ---\n"
                         "a        +    +/-\n"
                         "b.c   +\n"
                         "d     -  -\n"
                         "\n"
                         "a → d 10.0.0.6: because\n"
                         "d → a 10.0.0.4: because\n"
                         "d → b.c 10.0.0.5: because\n");
    json_decref(results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_which_way_fails), cmocka_unit_test(matrix_and_reasons)};
    return cmocka_run_group_tests_name("cli.ping_text", tests, NULL, NULL);
}
