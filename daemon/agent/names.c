// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/names.h"

#include "agent/monitor.h"
#include "agent/suspect.h"
#include "fib/bpf_pin.h"
#include "lab/netns.h"
#include "util/fd.h"

#include <string.h>
#include <sys/inotify.h>

struct vnrs_agentd_names {
    int fd;
    struct event *event;
    int netns_dir; // its watch; -1: none
};

// The name may be gone, or mean another namespace by now; what we did ourselves, the object knows already.
static bool is_lost(const struct vnrs_agentd_object *object, const char *name)
{
    const struct vnrs_agentd_watch *watch =
        object->obj.type == VNRS_OBJ_FABRIC ? object->lab->fabric_watch : object->watch;
    _close_ int fd = -1;

    return vnrs_netns_open(name, &fd) < 0 || (watch && !vnrs_agentd_watch_is_of(watch, fd));
}

static void on_netns_gone(struct vnrs_agentd *ad, const char *name)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&ad->labs, &at))) {
        struct vnrs_agentd_lab *lab = e->value;
        char fabric[VNRS_NETNS_NAME_MAX];
        size_t len = strlen(vnrs_mark_netns(lab->name, "", fabric));
        if (strncmp(name, fabric, len) != 0 || (name[len] && name[len] != '.'))
            continue;
        const struct vnrs_agentd_object *object = name[len]
                                                      ? vnrs_agentd_object_find(lab, VNRS_OBJ_NETNS, name + len + 1)
                                                      : vnrs_agentd_object_find(lab, VNRS_OBJ_FABRIC, "fabric");
        if (object && is_lost(object, name))
            vnrs_agentd_suspect(lab, &object->obj);
    }
}

// Some were not told: every lab is looked at.
static void on_names_lost(struct vnrs_agentd *ad)
{
    struct vnrs_map_entry *e, *o;
    size_t at = 0;

    while ((e = vnrs_map_next(&ad->labs, &at))) {
        struct vnrs_agentd_lab *lab = e->value;
        size_t first = 0;
        if ((o = vnrs_map_next(&lab->objects, &first)))
            vnrs_agentd_suspect(lab, &((const struct vnrs_agentd_object *)o->value)->obj);
    }
}

static void on_pin(struct vnrs_agentd *ad, const struct inotify_event *event)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&ad->labs, &at))) {
        struct vnrs_agentd_lab *lab = e->value;
        const struct vnrs_agentd_object *fabric = vnrs_agentd_object_find(lab, VNRS_OBJ_FABRIC, "fabric");
        if (lab->pins_watch != event->wd)
            continue;
        if (event->mask & IN_IGNORED)
            lab->pins_watch = -1;
        if (fabric && !(event->len && vnrs_bpf_pin_is_fresh(event->name)))
            vnrs_agentd_suspect(lab, &fabric->obj);
    }
}

static void on_event(struct vnrs_agentd *ad, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        on_names_lost(ad);
    } else if (event->wd != ad->names->netns_dir) {
        on_pin(ad, event);
    } else if (event->mask & IN_IGNORED) { // the directory itself is gone: the next namespace makes it again
        ad->names->netns_dir = -1;
        on_names_lost(ad);
    } else if (event->len) {
        on_netns_gone(ad, event->name);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    char buf[4096] __attribute__((aligned(8)));
    ssize_t got = read(fd, buf, sizeof(buf));

    (void)what;
    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= got;) {
        const struct inotify_event *event = (const struct inotify_event *)(buf + at);
        on_event(arg, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

static struct vnrs_agentd_names *open_names(struct vnrs_agentd *ad)
{
    struct vnrs_agentd_names *names = ad->names || ad->priv.injector ? NULL : calloc(1, sizeof(*names));

    if (!names)
        return ad->names;
    ad->names = names;
    names->netns_dir = -1;
    names->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (names->fd >= 0)
        names->event = event_new(ad->base, names->fd, EV_READ | EV_PERSIST, on_readable, ad);
    if (!names->event || event_add(names->event, NULL) < 0)
        vnrs_agentd_names_free(ad); // tried again with the next namespace
    return ad->names;
}

void vnrs_agentd_names_watch(struct vnrs_agentd *ad)
{
    struct vnrs_agentd_names *names = open_names(ad);

    if (names && names->netns_dir < 0)
        names->netns_dir = inotify_add_watch(names->fd, VNRS_NETNS_DIR, IN_DELETE | IN_MOVED_FROM);
}

void vnrs_agentd_names_pins_watch(struct vnrs_agentd_lab *lab, const char *dir)
{
    const struct vnrs_agentd_names *names = open_names(lab->ad);

    if (names)
        lab->pins_watch = inotify_add_watch(names->fd, dir, IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR);
}

void vnrs_agentd_names_pins_leave(struct vnrs_agentd_lab *lab)
{
    if (lab->pins_watch >= 0 && lab->ad->names)
        (void)inotify_rm_watch(lab->ad->names->fd, lab->pins_watch);
    lab->pins_watch = -1;
}

void vnrs_agentd_names_free(struct vnrs_agentd *ad)
{
    struct vnrs_agentd_names *names = TAKE_PTR(ad->names);

    if (!names)
        return;
    if (names->event)
        event_free(names->event);
    if (names->fd >= 0)
        (void)close(names->fd);
    free(names);
}
