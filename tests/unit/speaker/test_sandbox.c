// SPDX-License-Identifier: GPL-2.0-or-later
// In a child: what a speaker may no longer do, and what it still can.
#include "speaker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <semaphore.h>
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

static int nothing(void)
{
    return 0;
}

// Run between the two halves of entering.
static int (*before)(void) = nothing;

// The exit status of `fn` in the sandbox, or minus the signal that ended it.
static int confined(int (*fn)(void))
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(vnrs_sandbox_begin() < 0 || before() < 0 || vnrs_sandbox_seal() < 0 ? 100 : fn());
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

// A thread from before is in it, too, and no other one can be started.
static sem_t runs, go, done;
static int found;

static void *early_thread(void *arg)
{
    (void)arg;
    (void)sem_post(&runs);
    (void)sem_wait(&go);
    found = socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM ? 0 : 1;
    if (prctl(PR_CAPBSET_READ, CAP_NET_ADMIN) >= 0 || errno != EPERM)
        found |= 2;
    (void)sem_post(&done);
    return NULL;
}
static int start_thread(void)
{
    pthread_t thread;

    if (sem_init(&runs, 0, 0) < 0 || sem_init(&go, 0, 0) < 0 || sem_init(&done, 0, 0) < 0 ||
        pthread_create(&thread, NULL, early_thread, NULL) != 0)
        return -1;
    return sem_wait(&runs); // the C library has done its part
}
static int try_in_thread(void)
{
    (void)sem_post(&go);
    while (sem_wait(&done) < 0)
        ;
    return found;
}
static int try_new_thread(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, early_thread, NULL) == EPERM ? 0 : 1;
}

static void refuses(void **state)
{
    (void)state;
    if (!FILTERED)
        skip();
    assert_int_equal(confined(try_new_socket), 0);
    assert_int_equal(confined(try_file), 0);
    assert_int_equal(confined(try_program), -SIGSYS);
    assert_int_equal(confined(try_new_thread), 0);
    before = start_thread;
    assert_int_equal(confined(try_in_thread), 0);
    before = nothing;
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
