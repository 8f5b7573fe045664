// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/junit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(json_t *results, const char *wanted)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    vnrs_junit_print(out, "hub & spoke", results);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(results);
}

static void each_result_is_a_case(void **state)
{
    (void)state;
    expect(json_pack("[{s:s s:s s:s s:i} {s:s s:s s:s s:i}]", "result", "pass", "name", "a -> b", "detail", "answered",
                     "durationMs", 20, "result", "fail", "name", "say \"no\"\tnow", "detail", "10.0.0.4: no <answer>",
                     "durationMs", 1500),
           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<testsuite name=\"hub &amp; spoke\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"1.520\">\n"
           "  <testcase classname=\"hub &amp; spoke\" name=\"a -&gt; b\" time=\"0.020\"/>\n"
           "  <testcase classname=\"hub &amp; spoke\" name=\"say &quot;no&quot;now\" time=\"1.500\">\n"
           "    <failure message=\"10.0.0.4: no &lt;answer&gt;\"/>\n"
           "  </testcase>\n"
           "</testsuite>\n");
}

static void no_assertions_are_an_empty_suite(void **state)
{
    (void)state;
    expect(json_array(),
           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<testsuite name=\"hub &amp; spoke\" tests=\"0\" failures=\"0\" errors=\"0\" skipped=\"0\" time=\"0.000\">\n"
           "</testsuite>\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_result_is_a_case),
        cmocka_unit_test(no_assertions_are_an_empty_suite),
    };
    return cmocka_run_group_tests_name("cli.junit", tests, NULL, NULL);
}
