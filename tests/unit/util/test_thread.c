// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

static void *note_mask(void *arg)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, arg);
    return arg;
}

static void a_thread_hears_no_signal_and_the_caller_does(void **state)
{
    sigset_t there, here;
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(vnrs_thread_start(&thread, note_mask, &there), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &there);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &here);
    assert_true(sigismember(&there, SIGTERM) && sigismember(&there, SIGCHLD));
    assert_false(sigismember(&here, SIGTERM) || sigismember(&here, SIGCHLD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_thread_hears_no_signal_and_the_caller_does)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
