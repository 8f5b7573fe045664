// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/monitor.h"

#include "agent/conn.h"
#include "agent/tunnel.h"
#include "fib/guest_sink.h"
#include "lab/netns.h"
#include "util/fd.h"
#include "util/log.h"
#include "vnrs/rtprot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#define BATCH           64   // messages handled before others get their turn
#define DRAIN_MAX       4096 // somebody may write faster than we read
#define SUSPECT_MIN_MS  20
#define SUSPECT_MAX_MS  2000
#define SUSPECT_CALM_MS 5000

struct vnrs_agentd_watch {
    struct vnrs_agentd_lab *lab;
    struct vnrs_ag_obj owner;
    struct vnrs_agentd_watch_options options;
    struct vnrs_netns_id id;
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

// Reporting.

static void on_suspect_timer(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_lab *lab = arg;

    (void)fd, (void)what;
    lab->is_suspect = false;
    lab->suspected_ms = vnrs_clock_ms();
    vnrs_agentd_conn_event(lab->ad->conn, VNRS_AG_EV_SUSPECT, &lab->suspect, "changed by another hand");
}

unsigned vnrs_agentd_suspect_delay(unsigned before_ms, uint64_t quiet_ms)
{
    return before_ms == 0 || quiet_ms >= SUSPECT_CALM_MS ? SUSPECT_MIN_MS
                                                         : MIN(before_ms * 2, (unsigned)SUSPECT_MAX_MS);
}

void vnrs_agentd_suspect(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *obj)
{
    if (obj->type == VNRS_OBJ_TABLE && lab->guest_sink)
        vnrs_guest_sink_table_suspect(lab->guest_sink, obj->key);
    if (lab->is_suspect)
        return;
    if (!lab->suspect_timer)
        lab->suspect_timer = evtimer_new(lab->ad->base, on_suspect_timer, lab);
    unsigned ms = vnrs_agentd_suspect_delay(lab->suspect_delay_ms, vnrs_clock_ms() - lab->suspected_ms);
    const struct timeval delay = {ms / 1000, (ms % 1000) * 1000};
    if (!lab->suspect_timer || evtimer_add(lab->suspect_timer, &delay) < 0)
        return;
    lab->suspect_delay_ms = ms;
    lab->is_suspect = true;
    lab->suspect = *obj;
}

// A link's destruction, and carrier loss for a moment, take routes and next hops with them without a message: all
// guest tables in that namespace are to be read again (data-plane.md).
static void suspect_tables(struct vnrs_agentd_watch *watch)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&watch->lab->objects, &at))) {
        const struct vnrs_agentd_object *object = e->value;
        if (object->obj.type == VNRS_OBJ_TABLE && object->watch && object->watch->id.ino == watch->id.ino &&
            watch->lab->guest_sink)
            vnrs_guest_sink_table_suspect(watch->lab->guest_sink, object->obj.key);
    }
}

// Links.

struct link_event {
    uint32_t ifindex, mtu, flags;
    const char *ifname, *alias;
    const struct vnrs_mac *mac;
};

static void read_link_event(const struct nlmsghdr *msg, struct link_event *ret)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
    struct nlattr *attr;

    *ret =
        (struct link_event){.ifindex = (uint32_t)info->ifi_index, .flags = info->ifi_flags, .ifname = "", .alias = ""};
    mnl_attr_for_each(attr, msg, sizeof(*info))
    {
        if (mnl_attr_get_type(attr) == IFLA_IFNAME)
            ret->ifname = mnl_attr_get_str(attr);
        else if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
            ret->alias = mnl_attr_get_str(attr);
        else if (mnl_attr_get_type(attr) == IFLA_MTU)
            ret->mtu = mnl_attr_get_u32(attr);
        else if (mnl_attr_get_type(attr) == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == sizeof(*ret->mac))
            ret->mac = mnl_attr_get_payload(attr);
    }
}

static bool is_end(const struct vnrs_link_end *end, uint32_t index, const struct link_event *event)
{
    return index == event->ifindex && strcmp(end->ifname, event->ifname) == 0;
}

static const struct vnrs_link_end *end_of(const struct vnrs_agentd_object *object, const struct link_event *event)
{
    if (is_end(&object->spec.link.a, object->index.a, event))
        return &object->spec.link.a;
    if (is_end(&object->spec.link.b, object->index.b, event))
        return &object->spec.link.b;
    return NULL;
}

static bool is_here(const struct vnrs_agentd_watch *watch, const struct vnrs_agentd_object *object,
                    const struct link_event *event)
{
    const struct vnrs_link_end *end = object->obj.type == VNRS_OBJ_LINK ? end_of(object, event) : NULL;

    return end && (watch->options.fabric ? !end->ns.name[0] : strcmp(end->ns.name, watch->owner.key) == 0);
}

// By alias; by name and index where it has none (yet, or any more). `recent`: LINK that was just made, or NULL.
static struct vnrs_agentd_object *link_of(struct vnrs_agentd_watch *watch, const struct link_event *event,
                                          const struct vnrs_agentd_object *recent)
{
    const char *key = vnrs_mark_alias_key(watch->lab->name, event->alias);
    struct vnrs_map_entry *e;
    size_t at = 0;

    if (!key && recent && is_here(watch, recent, event))
        key = recent->obj.key;
    if (key)
        return vnrs_agentd_object_find(watch->lab, VNRS_OBJ_LINK, key);
    while ((e = vnrs_map_next(&watch->lab->objects, &at)))
        if (is_here(watch, e->value, event))
            return e->value;
    return NULL;
}

static bool is_link_right(const struct vnrs_agentd_object *object, const struct link_event *event)
{
    const struct vnrs_obj_link *spec = &object->spec.link;
    const struct vnrs_link_end *end = end_of(object, event);
    static const struct vnrs_mac none;

    if (!end)
        return false;
    bool is_tunnel = spec->kind == VNRS_LINK_TUNNEL; // end b goes up and down, and a's carrier with it
    bool is_kept_down = spec->down && end == &spec->a;
    if ((!is_tunnel || end == &spec->a) && is_kept_down == !!(event->flags & IFF_UP))
        return false;
    if (!is_tunnel && !spec->down && !(event->flags & IFF_LOWER_UP))
        return false;
    if (spec->mtu && event->mtu && spec->mtu != event->mtu)
        return false;
    if (!is_tunnel && memcmp(&end->mac, &none, sizeof(none)) != 0 && event->mac &&
        memcmp(&end->mac, event->mac, sizeof(none)) != 0)
        return false;
    return vnrs_mark_alias_key(object->lab->name, event->alias) != NULL;
}

static void on_link(struct vnrs_agentd_watch *watch, const struct nlmsghdr *msg,
                    const struct vnrs_agentd_object *except)
{
    struct link_event event;

    read_link_event(msg, &event);
    if (watch->owner.type == VNRS_OBJ_TABLE) { // an interface of others
        const struct vnrs_agentd_object *table = vnrs_agentd_object_find(watch->lab, VNRS_OBJ_TABLE, watch->owner.key);
        if (table && strcmp(table->spec.table.ifname, event.ifname) == 0 &&
            (msg->nlmsg_type == RTM_DELLINK || !(event.flags & IFF_LOWER_UP)))
            vnrs_agentd_suspect(watch->lab, &watch->owner);
        return;
    }
    struct vnrs_agentd_object *object = link_of(watch, &event, except);
    if (object && object->spec.link.kind == VNRS_LINK_TUNNEL && msg->nlmsg_type == RTM_NEWLINK &&
        end_of(object, &event))
        vnrs_agentd_tunnel_link(object, end_of(object, &event), event.flags);
    if (!object || object == except)
        return;
    if (msg->nlmsg_type == RTM_NEWLINK && is_link_right(object, &event))
        return;
    // What another agent's removal or our own re-creation left in the queue is of another index.
    if (!end_of(object, &event))
        return;
    suspect_tables(watch);
    vnrs_agentd_suspect(watch->lab, &object->obj);
}

static void on_addr(struct vnrs_agentd_watch *watch, const struct nlmsghdr *msg)
{
    struct nlattr *attr;
    bool ours = false;

    mnl_attr_for_each(attr, msg, sizeof(struct ifaddrmsg))
    {
        if (mnl_attr_get_type(attr) == IFA_PROTO)
            ours = mnl_attr_get_u8(attr) == VNRS_RTPROT;
    }
    if (ours && msg->nlmsg_type == RTM_DELADDR)
        vnrs_agentd_suspect(watch->lab, &watch->owner);
}

// Routes.

static void on_route(struct vnrs_agentd_watch *watch, const struct nlmsghdr *msg)
{
    const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
    const struct vnrs_agentd_object *table = watch->owner.type == VNRS_OBJ_TABLE
                                                 ? vnrs_agentd_object_find(watch->lab, VNRS_OBJ_TABLE, watch->owner.key)
                                                 : NULL;
    uint32_t protocol = table ? table->spec.table.protocol : VNRS_RTPROT, id = rt->rtm_table;
    struct nlattr *attr;

    mnl_attr_for_each(attr, msg, sizeof(*rt))
    {
        if (mnl_attr_get_type(attr) == RTA_TABLE)
            id = mnl_attr_get_u32(attr);
    }
    bool removed = msg->nlmsg_type == RTM_DELROUTE && rt->rtm_protocol == protocol;
    bool replaced = msg->nlmsg_type == RTM_NEWROUTE && (msg->nlmsg_flags & NLM_F_REPLACE);
    if (removed || (replaced && (!table || table->spec.table.table == id)))
        vnrs_agentd_suspect(watch->lab, &watch->owner);
}

// Routing daemons of a machine have next hops of their own.
static void on_nexthop(struct vnrs_agentd_watch *watch, const struct nlmsghdr *msg)
{
    const struct nhmsg *nh = mnl_nlmsg_get_payload(msg);
    const struct vnrs_agentd_object *table = vnrs_agentd_object_find(watch->lab, VNRS_OBJ_TABLE, watch->owner.key);

    if (nh->nh_protocol == VNRS_RTPROT || (table && nh->nh_protocol == table->spec.table.protocol))
        vnrs_agentd_suspect(watch->lab, &watch->owner);
}

static void on_rule(struct vnrs_agentd_watch *watch, const struct nlmsghdr *msg)
{
    struct nlattr *attr;

    mnl_attr_for_each(attr, msg, sizeof(struct fib_rule_hdr))
    {
        if (mnl_attr_get_type(attr) == FRA_PROTOCOL && mnl_attr_get_u8(attr) == VNRS_RTPROT)
            vnrs_agentd_suspect(watch->lab, &watch->owner);
    }
}

static bool is_own_route(const struct nlmsghdr *msg)
{
    return ((const struct rtmsg *)mnl_nlmsg_get_payload(msg))->rtm_protocol == VNRS_RTPROT;
}

static bool has_payload(const struct nlmsghdr *msg, size_t size)
{
    return mnl_nlmsg_get_payload_len(msg) >= size;
}

static void on_message(struct vnrs_agentd_watch *watch, const struct nlmsghdr *msg,
                       const struct vnrs_agentd_object *except)
{
    const struct vnrs_notify_groups *groups = &watch->options.groups;

    switch (msg->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        if (groups->links && has_payload(msg, sizeof(struct ifinfomsg)))
            on_link(watch, msg, except);
        return;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (groups->links && has_payload(msg, sizeof(struct ifaddrmsg)))
            on_addr(watch, msg);
        return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (has_payload(msg, sizeof(struct rtmsg)) && (groups->routes || is_own_route(msg)))
            on_route(watch, msg);
        return;
    case RTM_DELNEXTHOP:
        if (groups->routes && has_payload(msg, sizeof(struct nhmsg)))
            on_nexthop(watch, msg);
        return;
    case RTM_DELRULE:
        if (groups->routes && has_payload(msg, sizeof(struct fib_rule_hdr)))
            on_rule(watch, msg);
        return;
    }
}

// A socket of one namespace.

struct hearing {
    struct vnrs_agentd_watch *watch;
    const struct vnrs_agentd_object *except;
};

static void on_heard_apart(const struct nlmsghdr *msg, int number, void *arg)
{
    const struct hearing *h = arg;

    (void)number;
    on_message(h->watch, msg, h->except);
}

// True when there may be more.
static bool read_apart(struct vnrs_agentd_watch *watch, const struct vnrs_agentd_object *except)
{
    struct hearing h = {watch, except};
    int more = vnrs_notify_read(watch->fd, on_heard_apart, &h);

    if (more == -ENOBUFS) { // messages were lost
        suspect_tables(watch);
        vnrs_agentd_suspect(watch->lab, &watch->owner);
    }
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
        on_message(w, msg, ear->except);
}

static void on_lost(struct vnrs_agentd_ear *ear)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&ear->watches, &at)))
        for (struct vnrs_agentd_watch *w = e->value; w; w = w->next)
            vnrs_agentd_suspect(w->lab, &w->owner); // of a table also that its routes are not known
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
    struct vnrs_agentd *ad = watch->lab->ad;
    int err = ear_open(ad);

    if (err < 0)
        return err;
    int number = vnrs_notify_number(&ad->ear->nl, watch->ns_fd);
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
    watch->fd = vnrs_notify_open(watch->ns_fd, &watch->options.groups);
    if (watch->fd < 0)
        return watch->fd;
    watch->event = event_new(watch->lab->ad->base, watch->fd, EV_READ | EV_PERSIST, on_apart, watch);
    return watch->event && event_add(watch->event, NULL) == 0 ? 0 : -ENOMEM;
}

int vnrs_agentd_watch_new(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *owner, int ns_fd,
                          const struct vnrs_agentd_watch_options *options, struct vnrs_agentd_watch **ret_watch)
{
    struct vnrs_agentd_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    *watch = (struct vnrs_agentd_watch){.lab = lab, .owner = *owner, .options = *options, .fd = -1, .number = -1};
    watch->ns_fd = fcntl(ns_fd, F_DUPFD_CLOEXEC, 3);
    int err = watch->ns_fd < 0 ? -errno : vnrs_netns_id_get(ns_fd, &watch->id);
    if (err == 0)
        err = options->apart ? watch_apart(watch) : watch_with_all(watch);
    if (err < 0) {
        vnrs_agentd_watch_free(watch);
        return err;
    }
    *ret_watch = watch;
    return 0;
}

static void leave_all(struct vnrs_agentd_watch *watch)
{
    struct vnrs_map *map = &watch->lab->ad->ear->watches;
    struct vnrs_agentd_watch *first = vnrs_map_find(map, &watch->number, sizeof(watch->number));

    if (first != watch) {
        while (first->next != watch)
            first = first->next;
        first->next = watch->next;
        return;
    }
    (void)vnrs_map_remove(map, &watch->number, sizeof(watch->number));
    if (watch->next && vnrs_map_put(map, &watch->next->number, sizeof(watch->next->number), watch->next) < 0)
        log_error("out of memory: changes in the namespace of '%s' are not noticed", watch->owner.key);
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
        if (!(watch->options.apart ? read_apart(watch, link) : read_ear(watch->lab->ad->ear, link)))
            break;
}

bool vnrs_agentd_watch_is_of(const struct vnrs_agentd_watch *watch, int ns_fd)
{
    struct vnrs_netns_id id;

    return vnrs_netns_id_get(ns_fd, &id) == 0 && id.dev == watch->id.dev && id.ino == watch->id.ino;
}

// Names of namespaces.

struct vnrs_agentd_names {
    int fd;
    struct event *event;
};

static void on_name_gone(struct vnrs_agentd *ad, const char *name)
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
        _close_ int fd = -1;
        if (object && vnrs_netns_open(name, &fd) < 0)
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

static void on_names(evutil_socket_t fd, short what, void *arg)
{
    char buf[4096] __attribute__((aligned(8)));
    ssize_t got = read(fd, buf, sizeof(buf));
    bool watched = true;

    (void)what;
    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= got;) {
        const struct inotify_event *event = (const struct inotify_event *)(buf + at);
        if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED))
            on_names_lost(arg);
        else if (event->len)
            on_name_gone(arg, event->name);
        watched = watched && !(event->mask & IN_IGNORED);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    if (!watched) // the directory itself is gone: the next namespace makes it again
        vnrs_agentd_names_free(arg);
}

void vnrs_agentd_names_watch(struct vnrs_agentd *ad)
{
    if (ad->names || ad->priv.injector)
        return;
    struct vnrs_agentd_names *names = calloc(1, sizeof(*names));
    if (!names)
        return;
    names->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (names->fd >= 0 && inotify_add_watch(names->fd, VNRS_NETNS_DIR, IN_DELETE | IN_MOVED_FROM) >= 0)
        names->event = event_new(ad->base, names->fd, EV_READ | EV_PERSIST, on_names, ad);
    ad->names = names;
    if (!names->event || event_add(names->event, NULL) < 0)
        vnrs_agentd_names_free(ad); // tried again with the next namespace
}

void vnrs_agentd_names_free(struct vnrs_agentd *ad)
{
    struct vnrs_agentd_names *names = ad->names;

    if (!names)
        return;
    if (names->event)
        event_free(names->event);
    if (names->fd >= 0)
        (void)close(names->fd);
    free(names);
    ad->names = NULL;
}
