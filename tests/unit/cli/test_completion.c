// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/completion.h"

#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct vnrs_completion_verb verbs[] = {{"list", "labs"}, {"peers", "BGP peers"}, {0}};
static const struct option options[] = {{"lab", required_argument, NULL, 1}, {"wait", no_argument, NULL, 2}, {0}};

static char *print(const char *shell, bool want)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    assert_int_equal(vnrs_completion_print(out, shell, verbs, options), want);
    (void)fclose(out);
    return text;
}

static void every_shell_has_verbs_and_options(void **state)
{
    static const struct {
        const char *shell, *has[3];
    } rows[] = {
        {"bash", {"verbs='list peers'", "options='-o -q --lab --wait'", "complete -o filenames -F _vnrs vnrs"}},
        {"zsh", {"bashcompinit\n_vnrs()", "verbs='list peers'", "--lab --wait'"}},
        {"fish", {"-a peers -d \"BGP peers\"", "-l lab -r\n", "-l wait\n"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _free_ char *text = print(rows[i].shell, true);
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].has); k++)
            if (!strstr(text, rows[i].has[k]))
                fail_msg("%s: no '%s' in\n%s", rows[i].shell, rows[i].has[k], text);
    }
    _free_ char *nothing = print("tcsh", false);
    assert_string_equal(nothing, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_shell_has_verbs_and_options)};
    return cmocka_run_group_tests_name("cli.completion", tests, NULL, NULL);
}
