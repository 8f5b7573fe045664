// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/enter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

static void names_of_ours_and_paths(void **state)
{
    static const struct {
        const char *netns, *want;
    } rows[] = {{"vnrs.lab.a", "--net=/run/netns/vnrs.lab.a"}, {"/proc/7/ns/net", "--net=/proc/7/ns/net"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char option[VNRS_ENTER_OPTION_MAX];
        vnrs_argv argv = {0};
        assert_int_equal(vnrs_enter_push(&argv, rows[i].netns, option), 0);
        assert_int_equal(argv.len, 3);
        assert_string_equal(argv.items[0], "nsenter");
        assert_string_equal(argv.items[1], rows[i].want);
        assert_string_equal(argv.items[2], "--");
        vec_free(&argv);
    }
}

static int status_of(char *const *argv)
{
    int status = 0;
    pid_t pid = vnrs_enter_spawn(argv);

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void commands_end_with_their_status(void **state)
{
    char *const good[] = {"true", NULL}, *const bad[] = {"sh", "-c", "echo not shown; exit 3", NULL},
                *const none[] = {"/nowhere/program", NULL};

    (void)state;
    assert_int_equal(status_of(good), 0);
    assert_int_equal(status_of(bad), 3);
    assert_int_equal(status_of(none), 127);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_ours_and_paths),
                                       cmocka_unit_test(commands_end_with_their_status)};
    return cmocka_run_group_tests_name("cli.enter", tests, NULL, NULL);
}
