// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/junit.h"

#include "util/utf8.h"

#include <stdbool.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

// An attribute. XML 1.0 has no way to write control characters: they are left out.
static void put(FILE *out, const char *name, const char *text)
{
    (void)fprintf(out, " %s=\"", name);
    for (size_t n; *text; text += n) {
        static const char special[] = "&<>\"";
        static const char *const written[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
        const char *found = strchr(special, *text);
        n = vnrs_utf8_len((const uint8_t *)text, strlen(text));
        if (found)
            (void)fputs(written[found - special], out);
        else if (n && !vnrs_utf8_is_control((const uint8_t *)text, n))
            (void)fwrite(text, 1, n, out);
        n = n ? n : 1;
    }
    (void)fputc('"', out);
}

static bool is_failed(const json_t *result)
{
    return strcmp(text_of(result, "result"), "pass") != 0;
}

static double seconds_of(const json_t *result)
{
    return (double)json_integer_value(json_object_get(result, "durationMs")) / 1000;
}

void vnrs_junit_print(FILE *out, const char *suite, const json_t *results)
{
    size_t failed = 0, n = json_array_size(results);
    double seconds = 0;

    for (size_t i = 0; i < n; i++) {
        failed += is_failed(json_array_get(results, i));
        seconds += seconds_of(json_array_get(results, i));
    }
    (void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite", out);
    put(out, "name", suite);
    (void)fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"%.3f\">\n", n, failed,
                  seconds);
    for (size_t i = 0; i < n; i++) {
        const json_t *result = json_array_get(results, i);
        (void)fputs("  <testcase", out);
        put(out, "classname", suite);
        put(out, "name", text_of(result, "name"));
        (void)fprintf(out, " time=\"%.3f\"", seconds_of(result));
        if (is_failed(result)) {
            (void)fputs(">\n    <failure", out);
            put(out, "message", text_of(result, "detail"));
            (void)fputs("/>\n  </testcase>\n", out);
        } else {
            (void)fputs("/>\n", out);
        }
    }
    (void)fputs("</testsuite>\n", out);
}
