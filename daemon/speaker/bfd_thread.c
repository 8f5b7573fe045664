// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/bfd_thread.h"

#include "speaker/bfd_engine.h"
#include "util/fd.h"
#include "util/thread.h"

#include <errno.h>
#include <semaphore.h>
#include <sys/socket.h>

struct vnrs_bfd_thread {
    pthread_t thread;
    sem_t runs;
    int pair; // the engine's end
    struct vnrs_bfd_engine *engine;
};

static void *run(void *arg)
{
    struct vnrs_bfd_thread *t = arg;

    // What the C library does for a new thread is done: the sandbox need not allow it.
    (void)sem_post(&t->runs);
    while (vnrs_bfd_engine_run(t->engine))
        ;
    vnrs_bfd_engine_free(TAKE_PTR(t->engine));
    return NULL;
}

static void thread_free(struct vnrs_bfd_thread *t)
{
    vnrs_bfd_engine_free(t->engine);
    if (t->pair >= 0)
        (void)close(t->pair);
    (void)sem_destroy(&t->runs);
    free(t);
}

static int create(struct vnrs_bfd_thread *t)
{
    int err = vnrs_thread_start(&t->thread, run, t);

    while (err == 0 && sem_wait(&t->runs) < 0)
        ;
    return err;
}

int vnrs_bfd_thread_start(struct vnrs_bfd_thread **ret_thread, int *ret_pair)
{
    int pair[2];
    struct vnrs_bfd_thread *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->pair = -1;
    (void)sem_init(&t->runs, 0, 0);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        int err = -errno;
        thread_free(t);
        return err;
    }
    t->pair = pair[0];
    t->engine = vnrs_bfd_engine_new(t->pair);
    int err = t->engine ? create(t) : -ENOMEM;
    if (err < 0) {
        (void)close(pair[1]);
        thread_free(t);
        return err;
    }
    *ret_pair = pair[1];
    *ret_thread = t;
    return 0;
}

void vnrs_bfd_thread_stop(struct vnrs_bfd_thread *t, int pair)
{
    if (!t)
        return;
    (void)close(pair);
    (void)pthread_join(t->thread, NULL);
    thread_free(t);
}
