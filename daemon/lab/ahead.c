// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/ahead.h"

#include "lab/name.h"
#include "lab/netns.h"
#include "util/fd.h"
#include "util/strbuf.h"
#include "util/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define ITEMS_MAX 64
#define IDLE_S    1
#define FDS       16384 // a lab of 4,000 machines has some 12,000

struct item {
    TAILQ_ENTRY(item) entry;
    char name[VNRS_NETNS_NAME_MAX];
    enum vnrs_sysctl_profile profile;
    enum { WAITING, MAKING, MADE } state;
    int ns_fd; // MADE; -1: it could not be made
};

struct vnrs_ahead {
    pthread_mutex_t lock; // of all below
    pthread_cond_t wanted, made;
    TAILQ_HEAD(, item) items;
    size_t n;
    bool stop, runs;

    pthread_t thread; // of the caller alone, as all below
    bool started;
};

// The thread.

static int prepare_here(void *arg)
{
    const enum vnrs_sysctl_profile *profile = arg;
    struct vnrs_err err = {0}; // the caller comes upon it, too
    int code = vnrs_netns_lo_up_here(NULL);

    return code < 0 ? code : vnrs_sysctl_profile_here(*profile, &err);
}

static struct item *first_waiting(struct vnrs_ahead *ahead)
{
    struct item *item;

    TAILQ_FOREACH(item, &ahead->items, entry)
    {
        if (item->state == WAITING)
            return item;
    }
    return NULL;
}

// NULL: the thread ends.
static struct item *next_item(struct vnrs_ahead *ahead)
{
    struct item *item = NULL;
    struct timespec until;
    int code = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_S;
    while (!ahead->stop && !(item = first_waiting(ahead)) && code == 0)
        code = pthread_cond_timedwait(&ahead->wanted, &ahead->lock, &until);
    return ahead->stop ? NULL : item;
}

// With the lock, which is open while the namespace is made.
static void make(struct vnrs_ahead *ahead, struct item *item)
{
    int fd = -1;

    item->state = MAKING; // everybody else leaves it alone now
    (void)pthread_mutex_unlock(&ahead->lock);
    int code = vnrs_netns_make(prepare_here, &item->profile, &fd);
    (void)pthread_mutex_lock(&ahead->lock);
    item->ns_fd = code < 0 ? -1 : fd;
    item->state = MADE;
    (void)pthread_cond_signal(&ahead->made);
}

static void *work(void *arg)
{
    struct vnrs_ahead *ahead = arg;
    struct item *item;

    (void)pthread_mutex_lock(&ahead->lock);
    while ((item = next_item(ahead)))
        make(ahead, item);
    ahead->runs = false;
    (void)pthread_mutex_unlock(&ahead->lock);
    vnrs_sysctl_proc_close();
    return NULL;
}

// The caller.

int vnrs_ahead_new(struct vnrs_ahead **ret_ahead)
{
    struct vnrs_ahead *ahead = calloc(1, sizeof(*ahead));
    pthread_condattr_t attr;

    if (!ahead || pthread_condattr_init(&attr) != 0) {
        free(ahead);
        return -ENOMEM;
    }
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&ahead->lock, NULL);
    (void)pthread_cond_init(&ahead->wanted, &attr);
    (void)pthread_cond_init(&ahead->made, NULL);
    (void)pthread_condattr_destroy(&attr);
    TAILQ_INIT(&ahead->items);
    *ret_ahead = ahead;
    return 0;
}

static void drop(struct vnrs_ahead *ahead, struct item *item)
{
    TAILQ_REMOVE(&ahead->items, item, entry);
    ahead->n--;
    if (item->ns_fd >= 0)
        (void)close(item->ns_fd);
    free(item);
}

struct vnrs_ahead *vnrs_ahead_free(struct vnrs_ahead *ahead)
{
    struct item *item;

    if (!ahead)
        return NULL;
    (void)pthread_mutex_lock(&ahead->lock);
    ahead->stop = true;
    (void)pthread_cond_signal(&ahead->wanted);
    (void)pthread_mutex_unlock(&ahead->lock);
    if (ahead->started)
        (void)pthread_join(ahead->thread, NULL);
    while ((item = TAILQ_FIRST(&ahead->items)))
        drop(ahead, item);
    (void)pthread_cond_destroy(&ahead->made);
    (void)pthread_cond_destroy(&ahead->wanted);
    (void)pthread_mutex_destroy(&ahead->lock);
    free(ahead);
    return NULL;
}

static struct item *find(struct vnrs_ahead *ahead, const char *name)
{
    struct item *item;

    TAILQ_FOREACH(item, &ahead->items, entry)
    {
        if (strcmp(item->name, name) == 0)
            return item;
    }
    return NULL;
}

static bool has_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

static bool is_there(const char *name)
{
    _close_ int fd = -1;

    return vnrs_netns_open(name, &fd) == 0;
}

// The table of descriptors grows at once for a single thread, and waits for a grace period where there are two.
static void grow_descriptors(void)
{
    _close_ int fd = open("/", O_PATH | O_CLOEXEC);

    for (int n = FDS; n > 0; n /= 2) { // as far as the limit allows
        _close_ int last = fcntl(fd, F_DUPFD_CLOEXEC, n - 1);
        if (last >= 0)
            return;
    }
}

// With the lock.
static void start(struct vnrs_ahead *ahead)
{
    if (ahead->runs)
        return;
    if (ahead->started) // it ended on its own
        (void)pthread_join(ahead->thread, NULL);
    else
        grow_descriptors();
    ahead->started = vnrs_thread_start(&ahead->thread, work, ahead) == 0;
    ahead->runs = ahead->started;
}

void vnrs_ahead_want(struct vnrs_ahead *ahead, const char *name, enum vnrs_sysctl_profile profile)
{
    struct item *item = has_processors() && !is_there(name) ? calloc(1, sizeof(*item)) : NULL;

    if (!item)
        return;
    item->profile = profile;
    item->ns_fd = -1;
    (void)vnrs_str_copy(item->name, sizeof(item->name), name);
    (void)pthread_mutex_lock(&ahead->lock);
    if (ahead->n == ITEMS_MAX || find(ahead, name)) {
        free(item);
    } else {
        TAILQ_INSERT_TAIL(&ahead->items, item, entry);
        ahead->n++;
        start(ahead);
        (void)pthread_cond_signal(&ahead->wanted);
    }
    (void)pthread_mutex_unlock(&ahead->lock);
}

// The thread is the slower one: take over another one instead of waiting.
static void help(struct vnrs_ahead *ahead)
{
    struct item *item = first_waiting(ahead);

    if (item)
        make(ahead, item);
    else
        (void)pthread_cond_wait(&ahead->made, &ahead->lock);
}

int vnrs_ahead_take(struct vnrs_ahead *ahead, const char *name, enum vnrs_sysctl_profile profile)
{
    int fd = -1;

    (void)pthread_mutex_lock(&ahead->lock);
    struct item *item = find(ahead, name);
    while (item && item->state == MAKING)
        help(ahead);
    if (item && item->profile == profile)
        fd = TAKE_FD(item->ns_fd);
    if (item)
        drop(ahead, item);
    (void)pthread_mutex_unlock(&ahead->lock);
    return fd;
}
