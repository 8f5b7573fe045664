// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

// What standard error gets while `fn` runs.
static void capture(void (*fn)(void), char *text, size_t size)
{
    int pipes[2], saved = dup(STDERR_FILENO);

    assert_int_equal(pipe(pipes), 0);
    assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
    fn();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)close(pipes[1]);
    ssize_t len = read(pipes[0], text, size - 1);
    text[len < 0 ? 0 : len] = '\0';
    (void)close(pipes[0]);
}

static void log_some(void)
{
    vnrs_log_init("prog", VNRS_LOG_INFO);
    log_info("hello %d", 7);
    log_debug("not shown");
    assert_int_equal(log_errno_ret(-ENOENT, "cannot open '%s'", "x"), -ENOENT);
}

static void log_long(void)
{
    char big[5000];
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    log_error("%s", big);
    (void)log_errno_ret(-ENOENT, "%s", big);
}

static void lines_have_program_level_and_reason(void **state)
{
    char text[4096], want[256];

    (void)state;
    capture(log_some, text, sizeof(text));
    (void)snprintf(want, sizeof(want),
                   "prog[%d]: info: hello 7\nprog[%d]: error: cannot open 'x': No such file or directory\n",
                   (int)getpid(), (int)getpid());
    assert_string_equal(text, want);
}

static void on_line(void *arg, const char *line)
{
    (void)snprintf(arg, 256, "%s", line);
}

static void log_tapped(void)
{
    char line[256] = "", want[256];

    vnrs_log_init("prog", VNRS_LOG_INFO);
    vnrs_log_tap(on_line, line);
    log_warn("tapped %d", 1);
    log_debug("not shown");
    vnrs_log_tap(NULL, NULL);
    log_warn("tapped no more");
    (void)snprintf(want, sizeof(want), "prog[%d]: warning: tapped 1", (int)getpid());
    assert_string_equal(line, want);
}

static void lines_are_given_to_who_asks(void **state)
{
    char text[4096];

    (void)state;
    capture(log_tapped, text, sizeof(text));
    assert_non_null(strstr(text, "tapped 1\n"));
    assert_non_null(strstr(text, "tapped no more\n"));
}

static void long_lines_are_cut_and_still_end(void **state)
{
    char text[4096];

    (void)state;
    capture(log_long, text, sizeof(text));
    const char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_true(end - text < 1024);
    assert_string_equal(strrchr(end + 1, '\n'), "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_program_level_and_reason),
        cmocka_unit_test(lines_are_given_to_who_asks),
        cmocka_unit_test(long_lines_are_cut_and_still_end),
    };
    return cmocka_run_group_tests_name("util.log", tests, NULL, NULL);
}
