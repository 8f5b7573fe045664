// SPDX-License-Identifier: GPL-2.0-or-later
// What -o makes of one answer.
#include "cli/print.h"

#include "cli/cli.h"
#include "cli/one_answer.h"

static const struct vnrs_column columns[] = {{"Name", "name"}, {"Text", "text"}};

static void formats_by_name(void **state)
{
    static const char *const names[] = {"table", "json", "yaml", "tsv"};
    enum vnrs_format format = VNRS_FORMAT_JSON;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_true(vnrs_format_parse(names[i], &format));
        assert_int_equal(format, i);
    }
    assert_false(vnrs_format_parse("xml", &format));
    assert_false(vnrs_format_parse("", &format));
    assert_int_equal(format, VNRS_FORMAT_TSV); // untouched
}

static const struct {
    enum vnrs_format format;
    const char *value, *next; // of a list with one object; of the object in a stream
} rows[] = {
    {VNRS_FORMAT_TABLE, "Name  Text\n----  ----\na\\b   c\td\n", ""},
    {VNRS_FORMAT_JSON, "[\n  {\n    \"name\": \"a\\\\b\",\n    \"text\": \"c\\td\"\n  }\n]\n",
     "{\"name\":\"a\\\\b\",\"text\":\"c\\td\"}\n"},
    {VNRS_FORMAT_YAML, "- name: a\\b\n  text: \"c\\td\"\n", "---\nname: a\\b\ntext: \"c\\td\"\n"},
    {VNRS_FORMAT_TSV, "Name\tText\na\\\\b\tc\\td\n", ""},
};

static void an_answer_in_each(void **state)
{
    json_t *answer = json_pack("{s:[{s:s, s:s}]}", "value", "name", "a\\b", "text", "c\td");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct vnrs_cli cli = {.format = rows[i].format};
        struct printed out;
        char text[4096];

        printed_begin(&out, STDOUT_FILENO);
        vnrs_cli_value(&cli, columns, ARRAY_SIZE(columns), answer);
        printed_end(&out, text);
        assert_string_equal(text, rows[i].value);
    }
    json_decref(answer);
}

static void one_of_a_stream(void **state)
{
    json_t *row = json_pack("{s:s, s:s}", "name", "a\\b", "text", "c\td");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct vnrs_cli cli = {.format = rows[i].format};
        struct printed out;
        char text[4096];

        printed_begin(&out, STDOUT_FILENO);
        bool is_printed = vnrs_cli_print_next(&cli, row);
        printed_end(&out, text);
        assert_int_equal(is_printed, *rows[i].next != '\0');
        assert_string_equal(text, rows[i].next);
    }
    json_decref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_by_name),
        cmocka_unit_test(an_answer_in_each),
        cmocka_unit_test(one_of_a_stream),
    };
    return cmocka_run_group_tests_name("cli.print", tests, NULL, NULL);
}
