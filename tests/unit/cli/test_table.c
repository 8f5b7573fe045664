// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void prints(const struct vnrs_column *columns, size_t n, const char *json, const char *want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    json_t *rows = json_loads(json, 0, NULL);

    assert_non_null(out);
    assert_non_null(rows);
    vnrs_table_print(out, columns, n, rows);
    (void)fclose(out);
    assert_string_equal(text, want);
    json_decref(rows);
    free(text);
}

static void azure_layout(void **state)
{
    static const struct vnrs_column columns[] = {
        {"Source", "source"}, {"Address Prefix", "addressPrefix"}, {"Next Hop IP", "nextHopIpAddress"}};
    (void)state;
    prints(
        columns, 3,
        "[{\"source\": \"Default\", \"addressPrefix\": [\"10.0.0.0/16\"], \"nextHopIpAddress\": []},"
        " {\"source\": \"User\", \"addressPrefix\": [\"0.0.0.0/0\", \"::/0\"], \"nextHopIpAddress\": [\"10.0.2.4\"]}]",
        "Source   Address Prefix  Next Hop IP\n"
        "-------  --------------  -----------\n"
        "Default  10.0.0.0/16\n"
        "User     0.0.0.0/0 ::/0  10.0.2.4\n");
}

static void every_json_type_has_a_cell(void **state)
{
    static const struct vnrs_column columns[] = {{"S", "s"}, {"I", "i"}, {"T", "t"}, {"N", "n"}, {"D", "o.d"}};
    (void)state;
    prints(columns, 5, "[{\"s\": \"x\", \"i\": -7, \"t\": true, \"n\": null, \"o\": {\"d\": \"deep\"}}]",
           "S  I   T    N  D\n"
           "-  --  ---  -  ----\n"
           "x  -7  yes     deep\n");
}

static void no_rows_print_the_headings_only(void **state)
{
    static const struct vnrs_column columns[] = {{"Lab", "name"}};
    (void)state;
    prints(columns, 1, "[]", "Lab\n---\n");
}

static void cells_for_programs(void **state)
{
    static const struct vnrs_column columns[] = {{"A", "a"}, {"List", "list"}, {"Last One", "o.b"}};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    json_t *rows = json_loads("[{\"a\": \"x\\ty\\nz\\r\\\\\", \"list\": [1, 2], \"o\": {\"b\": true}}, {}]", 0, NULL);

    (void)state;
    assert_non_null(out);
    assert_non_null(rows);
    vnrs_table_print_tsv(out, columns, 3, rows);
    (void)fclose(out);
    assert_string_equal(text, "A\tList\tLast One\n"
                              "x\\ty\\nz\\r\\\\\t1 2\tyes\n"
                              "\t\t\n");
    json_decref(rows);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(azure_layout),
        cmocka_unit_test(every_json_type_has_a_cell),
        cmocka_unit_test(no_rows_print_the_headings_only),
        cmocka_unit_test(cells_for_programs),
    };
    return cmocka_run_group_tests_name("cli.table", tests, NULL, NULL);
}
