// SPDX-License-Identifier: GPL-2.0-or-later
// What a child waits for before it becomes a daemon of FRR. Telling daemons their configuration is in the system tests.
#include "lab/proc_setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/vnrs-proc-setup-XXXXXX";

static int bind_to(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_true(snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name) < (int)sizeof(addr.sun_path));
    (void)unlink(addr.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static pid_t start_waiting(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(vnrs_proc_wait_for_zebra(dir) < 0);
    assert_true(pid > 0);
    return pid;
}

static bool is_waiting(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == 0;
}

static void expect_end(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void daemons_wait_for_zebra(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    close(bind_to("zserv.api")); // of an earlier zebra: nobody listens
    pid_t pid = start_waiting();
    close(bind_to("bgpd.vty"));
    (void)usleep(30000); // can only let through what is wrong
    assert_true(is_waiting(pid));
    int fd = bind_to("zserv.api");
    assert_true(is_waiting(pid));
    assert_int_equal(listen(fd, 1), 0);
    expect_end(pid);
    expect_end(start_waiting()); // it is there already
    close(fd);
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"zserv.api", "bgpd.vty"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) > 0)
            (void)unlink(path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(daemons_wait_for_zebra),
    };
    return cmocka_run_group_tests(tests, NULL, remove_dir);
}
