// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/exec.h"
#include "lab/procfs.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static int run(const char *const *argv, const char *input, char **out, char **errors, unsigned timeout_ms)
{
    struct vnrs_exec_run spec = {
        .argv = argv, .ns_fd = -1, .input = input, .timeout_ms = timeout_ms, .output_max = 100000};
    return vnrs_exec_run(&spec, out, errors);
}

static void status_and_output(void **state)
{
    const char *const argv[] = {"sh", "-c", "cat; echo wrong >&2; exit 3", NULL};
    _free_ char *out = NULL;
    _free_ char *errors = NULL;

    (void)state;
    assert_int_equal(run(argv, "given", &out, &errors, 0), 3);
    assert_string_equal(out, "given");
    assert_string_equal(errors, "wrong\n");
}

static void much_in_and_out(void **state)
{
    static char input[300001];
    const char *const argv[] = {"cat", NULL};
    _free_ char *out = NULL;

    (void)state;
    memset(input, 'x', sizeof(input) - 1);
    assert_int_equal(run(argv, input, &out, NULL, 0), 0);
    assert_int_equal(strlen(out), 100000); // the rest is thrown away
}

static void input_that_nobody_reads(void **state)
{
    static char input[300001];
    const char *const argv[] = {"true", NULL};

    (void)state;
    memset(input, 'x', sizeof(input) - 1);
    assert_int_equal(run(argv, input, NULL, NULL, 0), 0);
}

static void missing_and_endless(void **state)
{
    const char *const missing[] = {"no-such-program", NULL};
    const char *const endless[] = {"sleep", "60", NULL};

    (void)state;
    assert_int_equal(run(missing, NULL, NULL, NULL, 0), -ENOENT);
    assert_int_equal(run(endless, NULL, NULL, NULL, 50), -ETIMEDOUT);
}

static void find(void **state)
{
    char path[64];

    (void)state;
    assert_true(vnrs_exec_find("sh", path, sizeof(path)));
    assert_int_equal(path[0], '/');
    assert_true(vnrs_exec_find("/bin/sh", NULL, 0));
    assert_false(vnrs_exec_find("no-such-program", NULL, 0));
}

static void process_is_told_from_its_successor(void **state)
{
    const char *const argv[] = {"sleep", "60", NULL};
    struct vnrs_exec_spawn spawn = {.path = "sleep", .argv = argv, .ns_fd = -1, .log_fd = -1, .session = true};
    uint64_t start;
    pid_t pid = vnrs_exec_spawn(&spawn, 3);

    (void)state;
    assert_true(pid > 0);
    assert_int_equal(vnrs_procfs_start(pid, &start), 0);
    _close_ int fd = vnrs_procfs_open(pid, start);
    assert_true(fd >= 0);
    assert_int_equal(vnrs_procfs_open(pid, start + 1), -ESRCH);
    uint64_t other = start + 1;
    vnrs_procfs_end(&pid, &other, 1, 10); // another process: left alone
    assert_int_equal(kill(pid, 0), 0);
    vnrs_procfs_end(&pid, &start, 1, 1000);
    assert_int_equal(vnrs_procfs_open(pid, start), -ESRCH);
}

static int fail_setup(void *arg)
{
    (void)arg;
    return -EPERM;
}

// What goes wrong before `setup` is told all the same.
static void nobody_waits_for_a_setup_that_waits(void **state)
{
    const char *const argv[] = {"sleep", "60", NULL};
    struct vnrs_exec_spawn spawn = {.path = "sleep", .argv = argv, .ns_fd = -1, .log_fd = -1, .setup = fail_setup};
    int status;

    (void)state;
    assert_int_equal(vnrs_exec_spawn(&spawn, 3), -EPERM);
    spawn.waits = true;
    pid_t pid = vnrs_exec_spawn(&spawn, 3);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    spawn.dir = "/no-such-directory";
    assert_int_equal(vnrs_exec_spawn(&spawn, 3), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_and_output),
        cmocka_unit_test(much_in_and_out),
        cmocka_unit_test(input_that_nobody_reads),
        cmocka_unit_test(missing_and_endless),
        cmocka_unit_test(find),
        cmocka_unit_test(process_is_told_from_its_successor),
        cmocka_unit_test(nobody_waits_for_a_setup_that_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
