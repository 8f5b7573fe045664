// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/request.h"

#include "agent/conn.h"
#include "agent/connect.h"
#include "agent/counters.h"
#include "agent/fabric.h"
#include "agent/flows.h"
#include "agent/found.h"
#include "agent/guests.h"
#include "agent/object.h"
#include "agent/probe.h"
#include "agent/runs.h"
#include "util/log.h"
#include "util/strbuf.h"
#include "util/vec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct context {
    struct vnrs_agentd *ad;
    const struct vnrs_agentd_msg *msg;
    struct vnrs_ag_reply reply;
    int fd;     // goes with the reply; -1: none
    bool later; // somebody else replies
    struct vnrs_err err;
};

static struct vnrs_agentd_lab *find_lab(struct context *c, const char *name)
{
    return vnrs_agentd_lab_find(c->ad, name, false);
}

static void send_record(struct context *c, const struct vnrs_agentd_lab *lab)
{
    _free_ char *bytes = NULL;
    size_t size;
    int err = vnrs_agentd_record_load(lab, &bytes, &size);

    if (err == 0)
        vnrs_agentd_conn_record(c->ad->conn, c->msg->hdr.seq, lab->name, bytes, size);
    else if (err != -ENOENT)
        log_error("lab '%s': its record cannot be read: %s", lab->name, strerror(-err));
}

// Walks all speakers of all labs.
static void announce_speakers(struct vnrs_agentd *ad)
{
    struct vnrs_map_entry *l, *o;
    size_t at_lab = 0;

    while ((l = vnrs_map_next(&ad->labs, &at_lab))) {
        const struct vnrs_agentd_lab *lab = l->value;
        size_t at = 0;
        while ((o = vnrs_map_next(&lab->objects, &at)))
            vnrs_agentd_speaker_announce(o->value);
    }
}

static int do_hello(struct context *c)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&c->ad->labs, &at)))
        send_record(c, e->value);
    announce_speakers(c->ad);
    return 0;
}

static int do_record(struct context *c)
{
    return vnrs_agentd_record_put(c->ad, c->msg->fixed, c->msg->data, c->msg->data_size, &c->err);
}

static int do_ensure(struct context *c)
{
    enum vnrs_ag_outcome outcome = VNRS_AG_UNCHANGED;
    int code = vnrs_agentd_ensure(c->ad, c->msg, &outcome, &c->err);

    c->reply.outcome = outcome;
    return code;
}

static int do_remove(struct context *c)
{
    enum vnrs_ag_outcome outcome = VNRS_AG_UNCHANGED;
    int code = vnrs_agentd_remove(c->ad, c->msg->fixed, &outcome, &c->err);

    c->reply.outcome = outcome;
    return code;
}

static int do_list(struct context *c)
{
    const struct vnrs_ag_lab *name = c->msg->fixed;
    struct vnrs_agentd_found found = {0};
    int code = vnrs_agentd_list(c->ad, name->lab, &found, &c->err);

    if (code == 0)
        vnrs_agentd_conn_items(c->ad->conn, c->msg->hdr.seq, VNRS_AG_OBJECT, found.items, sizeof(*found.items),
                               found.len);
    vec_free(&found);
    return code;
}

static int do_fib(struct context *c)
{
    const struct vnrs_ag_fib *fib = c->msg->fixed;
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(c->ad, fib->lab, true);

    if (!lab)
        return -ENOMEM;
    bool behind = false;
    int code = fib->kind == VNRS_AG_FIB_SETTLE ? vnrs_agentd_guests_settle(lab, c->msg->hdr.seq, &c->later, &c->err)
                                               : vnrs_agentd_fib(lab, fib, c->msg->data, &behind, &c->err);
    c->reply.outcome = behind ? VNRS_AG_BEHIND : VNRS_AG_UNCHANGED;
    c->reply.writes = vnrs_agentd_lab_writes(lab);
    return code;
}

struct counters {
    VEC(struct vnrs_ag_counter) list;
    bool failed;
};

static void add_counter(void *arg, const struct vnrs_ag_counter *counter)
{
    struct counters *counters = arg;

    counters->failed = vec_push(&counters->list, *counter) < 0 || counters->failed;
}

static int do_counters(struct context *c)
{
    const struct vnrs_ag_lab *name = c->msg->fixed;
    struct vnrs_agentd_lab *lab = find_lab(c, name->lab);
    struct counters counters = {0};
    int code = lab ? vnrs_agentd_counters(lab, add_counter, &counters) : 0;

    if (code == 0 && counters.failed)
        code = -ENOMEM;
    if (code == 0)
        vnrs_agentd_conn_items(c->ad->conn, c->msg->hdr.seq, VNRS_AG_COUNTER, counters.list.items,
                               sizeof(*counters.list.items), counters.list.len);
    vec_free(&counters.list);
    return code;
}

static int do_probe(struct context *c)
{
    struct vnrs_agentd_probes probes = {0};

    vnrs_agentd_probe(c->ad, &probes);
    vnrs_agentd_conn_items(c->ad->conn, c->msg->hdr.seq, VNRS_AG_PROBED, probes.items, sizeof(*probes.items),
                           probes.len);
    vec_free(&probes);
    return 0;
}

static int do_flows(struct context *c)
{
    const struct vnrs_ag_flows *want = c->msg->fixed;
    struct vnrs_agentd_lab *lab = find_lab(c, want->lab);

    const struct vnrs_ag_capture *captures = c->msg->data;
    size_t n = c->msg->data_size / sizeof(*captures);

    if (!lab)
        return want->on || n ? vnrs_err_set(&c->err, -ENOENT, "there is no lab '%s'", want->lab) : 0;
    return vnrs_agentd_flows_set(lab, want, captures, n, &c->err);
}

static int do_connect(struct context *c)
{
    return vnrs_agentd_connect(c->msg->fixed, &c->fd, &c->err);
}

static int (*const handlers[_VNRS_AG_MAX])(struct context *c) = {
    [VNRS_AG_HELLO] = do_hello,       [VNRS_AG_RECORD] = do_record, [VNRS_AG_ENSURE] = do_ensure,
    [VNRS_AG_REMOVE] = do_remove,     [VNRS_AG_LIST] = do_list,     [VNRS_AG_FIB] = do_fib,
    [VNRS_AG_COUNTERS] = do_counters, [VNRS_AG_PROBE] = do_probe,   [VNRS_AG_FLOWS] = do_flows,
    [VNRS_AG_CONNECT] = do_connect,
};

void vnrs_agentd_request(struct vnrs_agentd *ad, const struct vnrs_agentd_msg *msg)
{
    struct context c = {.ad = ad, .msg = msg, .fd = -1};

    c.reply.error = handlers[msg->hdr.type](&c);
    if (c.later)
        return;
    if (c.reply.error < 0) {
        (void)vnrs_err_errno(&c.err, c.reply.error, "request");
        (void)vnrs_str_copy(c.reply.text, sizeof(c.reply.text), c.err.text);
    }
    vnrs_agentd_conn_reply(ad->conn, msg->hdr.seq, &c.reply, c.fd);
    if (c.fd >= 0)
        (void)close(c.fd);
}
