// SPDX-License-Identifier: GPL-2.0-or-later
// The same lines come out, however the stream is cut; what has no end yet waits.
#include "cli/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char told[64];

static void on_line(void *arg, const char *text, size_t len)
{
    assert_ptr_equal(arg, told);
    strncat(told, text, len);
    strcat(told, "|");
}

static void lines_however_cut(void **state)
{
    static const char stream[] = "one\n\nthree\nfour";

    (void)state;
    for (size_t piece = 1; piece < sizeof(stream); piece++) {
        struct vnrs_lines lines = {.line = on_line, .arg = told};
        told[0] = '\0';
        for (size_t at = 0; at < strlen(stream); at += piece)
            assert_true(vnrs_lines_add(&lines, stream + at, MIN(piece, strlen(stream) - at)));
        assert_string_equal(told, "one||three|");
        assert_true(vnrs_lines_add(&lines, "\n", 1));
        assert_string_equal(told, "one||three|four|");
        vnrs_lines_fini(&lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_however_cut)};
    return cmocka_run_group_tests_name("cli.lines", tests, NULL, NULL);
}
