// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/thread.h"

#include <errno.h>
#include <signal.h>

int vnrs_thread_start(pthread_t *ret_thread, void *(*run)(void *), void *arg)
{
    sigset_t all, old;
    pthread_attr_t attr;

    (void)sigfillset(&all);
    if (pthread_attr_init(&attr) != 0)
        return -ENOMEM;
    (void)pthread_attr_setstacksize(&attr, VNRS_THREAD_STACK_BYTES);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = -pthread_create(ret_thread, &attr, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    return err;
}
