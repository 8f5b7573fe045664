// SPDX-License-Identifier: GPL-2.0-or-later
// In a child: what a speaker may no longer do, and what it still can.
#include "speaker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define FILTERED 0
#else
#define FILTERED 1
#endif

// The exit status of `fn` in the sandbox, or minus the signal that ended it.
static int confined(int (*fn)(void))
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(vnrs_sandbox_enter() < 0 ? 100 : fn());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int try_new_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM ? 0 : 1;
}
static int try_file(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM ? 0 : 1;
}
static int try_program(void)
{
    char *const argv[] = {"true", NULL};
    return execv("/bin/true", argv);
}
static int try_privileges(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || errno == EPERM ? 0 : 1;
}
static int try_memory(void)
{
    volatile char *p = malloc(64u << 20);
    if (!p)
        return 1;
    p[0] = p[(64u << 20) - 1] = 1;
    free((void *)p);
    return 0;
}

static void refuses(void **state)
{
    (void)state;
    if (!FILTERED)
        skip();
    assert_int_equal(confined(try_new_socket), 0);
    assert_int_equal(confined(try_file), 0);
    assert_int_equal(confined(try_program), -SIGSYS);
}

static void allows(void **state)
{
    (void)state;
    assert_int_equal(confined(try_privileges), 0);
    assert_int_equal(confined(try_memory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refuses), cmocka_unit_test(allows)};
    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
