// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/guests.h"

#include "agent/conn.h"
#include "agent/monitor.h"
#include "fib/guest_sink.h"
#include "lab/netns.h"
#include "util/log.h"
#include "util/strbuf.h"
#include "vnrs/rtprot.h"

#include <errno.h>

#define SLICE_US 100 // at once, before others get their turn
#define FIRST_US 50  // and before a flush is answered: a small lab is done by then

int vnrs_agentd_guests_open(struct vnrs_agentd_lab *lab, struct vnrs_err *err)
{
    int code = lab->guest_sink ? 0 : vnrs_guest_sink_new(&lab->guest_sink);
    return code < 0 ? vnrs_err_errno(err, code, "guest tables") : 0;
}

int vnrs_agentd_sink_failed(const struct vnrs_sink *sink, int code, struct vnrs_err *err)
{
    if (sink->error[0])
        return vnrs_err_set(err, code, "%s: %s", sink->ops->name, sink->error);
    return vnrs_err_errno(err, code, "%s", sink->ops->name);
}

// Tables.

static int table_set(struct vnrs_agentd_object *object, int ns_fd, struct vnrs_err *err)
{
    struct vnrs_agentd_lab *lab = object->lab;
    int fd = vnrs_rtnl_socket(ns_fd);

    if (fd < 0)
        return vnrs_err_errno(err, fd, "netlink socket of guest table '%s'", object->obj.key);
    int code = vnrs_guest_sink_table_set(lab->guest_sink, object->obj.key, &object->spec.table, fd);
    if (code < 0)
        return vnrs_agentd_sink_failed(lab->guest_sink, code, err);
    object->live = true;
    return 0;
}

int vnrs_agentd_table_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    struct vnrs_agentd_lab *lab = object->lab;
    const struct vnrs_obj_table *spec = &object->spec.table;
    _close_ int ns_fd = -1;
    int code = vnrs_agentd_guests_open(lab, err);

    if (code == 0)
        code = vnrs_netns_resolve(lab->name, &spec->ns, &ns_fd, err);
    if (code < 0)
        return code;
    uint64_t before = lab->guest_sink->writes;
    code = table_set(object, ns_fd, err);
    if (code < 0)
        return code;
    // The namespace may be another one behind the same name: the watch is always that of the one just opened.
    vnrs_agentd_watch_free(object->watch);
    object->watch = NULL;
    bool ours = spec->ns.kind == VNRS_AG_NETNS_OURS;
    struct vnrs_agentd_watch_options options = {.groups = {.links = !ours, .routes = true},
                                                .apart = !ours || spec->protocol != VNRS_RTPROT};
    code = vnrs_agentd_watch_new(lab, &object->obj, ns_fd, &options, &object->watch);
    *ret_outcome = lab->guest_sink->writes == before ? VNRS_AG_UNCHANGED : VNRS_AG_CHANGED;
    return code < 0 ? vnrs_err_errno(err, code, "watching the namespace of '%s'", object->obj.key) : 0;
}

int vnrs_agentd_table_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    struct vnrs_agentd_lab *lab = object->lab;
    int code = vnrs_agentd_guests_open(lab, err);

    if (code == 0 && !object->live) { // of an earlier agent: the sink must see the table to withdraw its routes
        struct vnrs_err gone = {0};
        _close_ int ns_fd = -1;
        int found = vnrs_netns_resolve(lab->name, &object->spec.table.ns, &ns_fd, &gone);
        if (vnrs_netns_is_gone(found))
            return 0;
        if (found < 0)
            return vnrs_err_set(err, found, "%s", gone.text);
        if (table_set(object, ns_fd, &gone) < 0)
            log_debug("lab '%s': %s", lab->name, gone.text); // its link is gone, and so are its routes
    }
    if (code == 0)
        code = vnrs_guest_sink_table_remove(lab->guest_sink, object->obj.key, true);
    if (code == -ENODEV || code == -ENOENT)
        code = 0;
    if (code < 0)
        return vnrs_agentd_sink_failed(lab->guest_sink, code, err);
    object->live = false;
    return 0;
}

// Writing.

static bool is_done(const struct vnrs_agentd_lab *lab, uint64_t pass)
{
    return !lab->guest_sink || vnrs_guest_sink_done(lab->guest_sink) >= pass;
}

static int result(struct vnrs_agentd_lab *lab, struct vnrs_err *err)
{
    int code = lab->guest_sink ? vnrs_guest_sink_result(lab->guest_sink) : 0;
    return code < 0 ? vnrs_agentd_sink_failed(lab->guest_sink, code, err) : 0;
}

static void answer(struct vnrs_agentd_lab *lab, uint32_t seq, int code, struct vnrs_err *err)
{
    struct vnrs_ag_reply reply = {.error = code, .writes = vnrs_agentd_lab_writes(lab)};

    if (code < 0)
        (void)vnrs_str_copy(reply.text, sizeof(reply.text), err->text);
    vnrs_agentd_conn_reply(lab->ad->conn, seq, &reply, -1);
}

static void answer_waiting(struct vnrs_agentd_lab *lab)
{
    size_t kept = 0;

    for (size_t i = 0; i < lab->settling.len; i++) {
        const struct vnrs_agentd_settling waiting = lab->settling.items[i];
        struct vnrs_err err = {0};
        if (is_done(lab, waiting.pass))
            answer(lab, waiting.seq, result(lab, &err), &err);
        else
            lab->settling.items[kept++] = waiting;
    }
    lab->settling.len = kept;
}

static void work(struct vnrs_agentd_lab *lab, unsigned budget_us);

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    work(arg, SLICE_US);
}

// What is left is done in the next turns of the loop.
static void work(struct vnrs_agentd_lab *lab, unsigned budget_us)
{
    static const struct timeval now = {0, 0};
    bool more = vnrs_guest_sink_work(lab->guest_sink, budget_us);

    answer_waiting(lab);
    if (more && !lab->guest_turn)
        lab->guest_turn = evtimer_new(lab->ad->base, on_turn, lab);
    if (more && (!lab->guest_turn || evtimer_add(lab->guest_turn, &now) < 0))
        log_error("lab '%s': guest tables wait for the next change: out of memory", lab->name);
}

int vnrs_agentd_guests_flush(struct vnrs_agentd_lab *lab, bool *ret_behind, struct vnrs_err *err)
{
    uint64_t pass = vnrs_guest_sink_target(lab->guest_sink);

    work(lab, FIRST_US);
    *ret_behind = !is_done(lab, pass);
    return *ret_behind ? 0 : result(lab, err);
}

int vnrs_agentd_guests_settle(struct vnrs_agentd_lab *lab, uint32_t seq, bool *ret_later, struct vnrs_err *err)
{
    const struct vnrs_agentd_settling waiting = {.seq = seq,
                                                 .pass = lab->guest_sink ? vnrs_guest_sink_target(lab->guest_sink) : 0};
    int code = 0;

    if (is_done(lab, waiting.pass))
        return result(lab, err);
    code = vec_push(&lab->settling, waiting);
    *ret_later = code == 0;
    return code;
}

void vnrs_agentd_guests_forget_all(struct vnrs_agentd *ad)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&ad->labs, &at)))
        vec_clear(&((struct vnrs_agentd_lab *)e->value)->settling);
}

void vnrs_agentd_guests_free(struct vnrs_agentd_lab *lab)
{
    struct vnrs_err err = {0};

    (void)vnrs_err_set(&err, -ECANCELED, "lab '%s' is forgotten", lab->name);
    vec_foreach (waiting, &lab->settling)
        answer(lab, waiting->seq, -ECANCELED, &err);
    vec_free(&lab->settling);
    if (lab->guest_turn)
        event_free(lab->guest_turn);
    if (lab->guest_sink)
        lab->guest_sink->ops->free(lab->guest_sink);
}
