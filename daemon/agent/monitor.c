// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/monitor.h"

#include "util/fd.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define BATCH     64   // messages handled before others get their turn
#define DRAIN_MAX 4096 // somebody may write faster than we read

struct vnrs_agentd_watch {
    struct vnrs_agentd_place place;
    int ns_fd;                      // keeps the namespace, and so its identity
    int fd;                         // apart; else -1
    struct event *event;            // apart
    int number;                     // of the namespace, not apart
    struct vnrs_agentd_watch *next; // of the same namespace
};

struct vnrs_agentd_ear {
    int fd;
    struct vnrs_rtnl nl; // gives numbers
    struct event *event;
    struct vnrs_map watches;                 // the first of each namespace, by number
    const struct vnrs_agentd_object *except; // LINK that was just made
};

// A socket of one namespace.

struct hearing {
    struct vnrs_agentd_watch *watch;
    const struct vnrs_agentd_object *except;
};

static void on_heard_apart(const struct nlmsghdr *msg, int number, void *arg)
{
    const struct hearing *h = arg;

    (void)number;
    vnrs_agentd_heard(&h->watch->place, msg, h->except);
}

// True when there may be more.
static bool read_apart(struct vnrs_agentd_watch *watch, const struct vnrs_agentd_object *except)
{
    struct hearing h = {watch, except};
    int more = vnrs_notify_read(watch->fd, on_heard_apart, &h);

    if (more == -ENOBUFS)
        vnrs_agentd_heard_lost(&watch->place);
    return more != 0;
}

static void on_apart(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    for (int i = 0; i < BATCH && read_apart(arg, NULL); i++)
        continue;
}

// The socket of all others.

static void on_heard(const struct nlmsghdr *msg, int number, void *arg)
{
    struct vnrs_agentd_ear *ear = arg;

    // What is suspected is told later: no watch comes or goes meanwhile.
    for (struct vnrs_agentd_watch *w = vnrs_map_find(&ear->watches, &number, sizeof(number)); w; w = w->next)
        vnrs_agentd_heard(&w->place, msg, ear->except);
}

static void on_lost(struct vnrs_agentd_ear *ear)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&ear->watches, &at)))
        for (struct vnrs_agentd_watch *w = e->value; w; w = w->next)
            vnrs_agentd_heard_lost(&w->place);
}

// True when there may be more.
static bool read_ear(struct vnrs_agentd_ear *ear, const struct vnrs_agentd_object *except)
{
    ear->except = except;
    int more = vnrs_notify_read(ear->fd, on_heard, ear);
    if (more == -ENOBUFS)
        on_lost(ear);
    return more != 0;
}

static void on_ear(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    for (int i = 0; i < BATCH && read_ear(arg, NULL); i++)
        continue;
}

void vnrs_agentd_ear_free(struct vnrs_agentd *ad)
{
    struct vnrs_agentd_ear *ear = TAKE_PTR(ad->ear);

    if (!ear)
        return;
    if (ear->event)
        event_free(ear->event);
    if (ear->fd >= 0)
        (void)close(ear->fd);
    vnrs_rtnl_close(&ear->nl);
    vnrs_map_fini(&ear->watches);
    free(ear);
}

static int ear_open(struct vnrs_agentd *ad)
{
    struct vnrs_agentd_ear *ear = ad->ear ? NULL : calloc(1, sizeof(*ear));

    if (!ear)
        return ad->ear ? 0 : -ENOMEM;
    ad->ear = ear;
    ear->nl.fd = -1;
    ear->fd = vnrs_notify_open_all(&ear->nl);
    int err = MIN(ear->fd, 0);
    if (err == 0) {
        ear->event = event_new(ad->base, ear->fd, EV_READ | EV_PERSIST, on_ear, ear);
        err = ear->event && event_add(ear->event, NULL) == 0 ? 0 : -ENOMEM;
    }
    if (err < 0)
        vnrs_agentd_ear_free(ad);
    return err;
}

// Opening.

static int watch_with_all(struct vnrs_agentd_watch *watch)
{
    struct vnrs_agentd *ad = watch->place.lab->ad;
    int err = ear_open(ad);

    if (err < 0)
        return err;
    int number = vnrs_notify_number(&ad->ear->nl, watch->ns_fd, watch->place.fabric);
    if (number < 0)
        return number;
    watch->number = number;
    watch->next = vnrs_map_find(&ad->ear->watches, &number, sizeof(number));
    // The key lies in the watch that comes first.
    (void)vnrs_map_remove(&ad->ear->watches, &number, sizeof(number));
    err = vnrs_map_put(&ad->ear->watches, &watch->number, sizeof(watch->number), watch);
    if (err < 0)
        watch->number = -1;
    return err;
}

static int watch_apart(struct vnrs_agentd_watch *watch)
{
    watch->fd = watch->place.nft_table[0] ? vnrs_notify_open_nft(watch->ns_fd)
                                          : vnrs_notify_open(watch->ns_fd, &watch->place.groups);
    if (watch->fd < 0)
        return watch->fd;
    watch->event = event_new(watch->place.lab->ad->base, watch->fd, EV_READ | EV_PERSIST, on_apart, watch);
    return watch->event && event_add(watch->event, NULL) == 0 ? 0 : -ENOMEM;
}

int vnrs_agentd_watch_new(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *owner, int ns_fd,
                          const struct vnrs_agentd_watch_options *options, struct vnrs_agentd_watch **ret_watch)
{
    struct vnrs_agentd_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    *watch = (struct vnrs_agentd_watch){
        .place = {.lab = lab, .owner = *owner, .groups = options->groups, .fabric = options->fabric},
        .fd = -1,
        .number = -1};
    if (options->nft_table)
        (void)vnrs_str_copy(watch->place.nft_table, sizeof(watch->place.nft_table), options->nft_table);
    watch->ns_fd = fcntl(ns_fd, F_DUPFD_CLOEXEC, 3);
    int err = watch->ns_fd < 0 ? -errno : vnrs_netns_id_get(ns_fd, &watch->place.id);
    if (err == 0)
        err = options->apart || options->nft_table ? watch_apart(watch) : watch_with_all(watch);
    if (err < 0) {
        vnrs_agentd_watch_free(watch);
        return err;
    }
    *ret_watch = watch;
    return 0;
}

static void leave_all(struct vnrs_agentd_watch *watch)
{
    struct vnrs_map *map = &watch->place.lab->ad->ear->watches;
    struct vnrs_agentd_watch *first = vnrs_map_find(map, &watch->number, sizeof(watch->number));

    if (first != watch) {
        while (first->next != watch)
            first = first->next;
        first->next = watch->next;
        return;
    }
    (void)vnrs_map_remove(map, &watch->number, sizeof(watch->number));
    if (watch->next && vnrs_map_put(map, &watch->next->number, sizeof(watch->next->number), watch->next) < 0)
        log_error("out of memory: changes in the namespace of '%s' are not noticed", watch->place.owner.key);
}

void vnrs_agentd_watch_free(struct vnrs_agentd_watch *watch)
{
    if (!watch)
        return;
    if (watch->number >= 0)
        leave_all(watch);
    if (watch->event)
        event_free(watch->event);
    if (watch->fd >= 0)
        (void)close(watch->fd);
    if (watch->ns_fd >= 0)
        (void)close(watch->ns_fd);
    free(watch);
}

void vnrs_agentd_watch_drain(struct vnrs_agentd_watch *watch, const struct vnrs_agentd_object *link)
{
    for (int i = 0; i < DRAIN_MAX; i++)
        if (!(watch->event ? read_apart(watch, link) : read_ear(watch->place.lab->ad->ear, link)))
            break;
}

bool vnrs_agentd_watch_is_of(const struct vnrs_agentd_watch *watch, int ns_fd)
{
    struct vnrs_netns_id id;

    return vnrs_netns_id_get(ns_fd, &id) == 0 && id.dev == watch->place.id.dev && id.ino == watch->place.id.ino;
}

static void ignore(const struct nlmsghdr *msg, int number, void *arg)
{
    (void)msg, (void)number, (void)arg;
}

void vnrs_agentd_watch_discard(struct vnrs_agentd_watch *watch)
{
    for (int i = 0; watch && watch->fd >= 0 && i < DRAIN_MAX; i++) {
        int more = vnrs_notify_read(watch->fd, ignore, NULL);
        if (more == -ENOBUFS) // among them may be what another hand did
            vnrs_agentd_heard_lost(&watch->place);
        if (more == 0)
            break;
    }
}

const struct vnrs_agentd_place *vnrs_agentd_watch_place(const struct vnrs_agentd_watch *watch)
{
    return &watch->place;
}
