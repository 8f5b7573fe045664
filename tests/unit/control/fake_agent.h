// SPDX-License-Identifier: GPL-2.0-or-later
// An agent in the test process: it keeps objects, records and routes in memory and answers as agent_proto.h says. It
// outlives controllers, so restarts can be tested.
#pragma once

#include "control/state.h"
#include "util/fd.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

struct fake_object {
    struct vnrs_ag_obj obj;
    char bytes[VNRS_AGENT_MSG_MAX];
    size_t len;
    uint32_t ifindex;
    bool running;
};

struct fake_agent {
    struct event_base *base;
    int fd; // our end, -1: no controller
    struct event *read;
    VEC(struct fake_object *) objects;
    char *record;
    size_t record_len;
    char record_lab[VNRS_LAB_NAME_MAX];
    int speakers[8]; // the controller's ends of running speakers, kept for the next controller
    struct vnrs_ag_obj speaker_objs[8];
    size_t n_speakers;
    // What was asked
    size_t n_ensure, n_created, n_changed, n_remove, n_list, n_fib[VNRS_AG_FIB_SETTLE + 1], n_record, n_requests;
    size_t fib_routes_set, fib_routes_removed;
    VEC(struct vnrs_fib_route) routes; // as a sink has them
    VEC(struct vnrs_fib_group) groups; // by handle
    char removed[64][VNRS_KEY_MAX];
    const char *fail_key;                               // ENSURE of this one fails
    uint32_t fail_type;                                 // and is of this type; 0: any
    int fail_fib;                                       // so many FIB messages fail
    bool behind;                                        // guest tables are, until fake_settle
    uint32_t settle;                                    // seq of the SETTLE that waits for that; 0: none
    int fail_remove;                                    // so many REMOVEs fail
    struct vnrs_ag_flows flows;                         // the last FLOWS
    struct vnrs_ag_capture captures[VNRS_CAPTURES_MAX]; // with it
    size_t n_captures, n_flows;
    int fail_flows;                      // errno of the answer to the next one
    struct vnrs_ag_connect connects[64]; // CONNECTs, answered at once
    size_t n_connects;
    int fail_connect; // errno of the answers; 0: a socket that is connected
    // Errno of the answer to one that would succeed, or NULL.
    int (*connect_error)(void *arg, const struct vnrs_ag_connect *connect);
    void *connect_arg;
    bool silent; // a socket that never becomes writable
    int kept;    // its other end
    bool gone;   // the controller closed
    // Sees every FIB message (`fib->n` items), or NULL.
    void (*on_fib)(void *arg, const struct vnrs_ag_fib *fib, const void *items);
    void *on_fib_arg;
};

static inline void fake_send(struct fake_agent *agent, uint16_t type, uint32_t seq, const void *items, size_t size,
                             size_t n, const void *data, size_t data_size, int fd)
{
    struct vnrs_ag_hdr hdr = {
        .proto = VNRS_AGENT_PROTO, .type = type, .seq = seq, .count = (uint32_t)n, .data_size = (uint32_t)data_size};
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(void *)items, size * n}, {(void *)data, data_size}};
    int r = vnrs_msg_send(agent->fd, parts, 3, &fd, fd >= 0 ? 1 : 0);
    assert(r == 0);
}

static inline void fake_reply(struct fake_agent *agent, uint32_t seq, int error, enum vnrs_ag_outcome outcome,
                              const char *text)
{
    struct vnrs_ag_reply reply = {.error = error, .outcome = outcome};

    (void)snprintf(reply.text, sizeof(reply.text), "%s", text);
    fake_send(agent, VNRS_AG_REPLY, seq, &reply, sizeof(reply), 1, NULL, 0, -1);
}

static inline struct fake_object *fake_find(struct fake_agent *agent, const struct vnrs_ag_obj *obj)
{
    vec_foreach (object, &agent->objects) {
        if ((*object)->obj.type == obj->type && strcmp((*object)->obj.key, obj->key) == 0)
            return *object;
    }
    return NULL;
}

static inline void fake_ensure(struct fake_agent *agent, const struct vnrs_ag_hdr *hdr, const char *body, size_t len)
{
    const struct vnrs_ag_obj *obj = (const void *)body;
    struct fake_object *have = fake_find(agent, obj);

    agent->n_ensure++;
    if (agent->fail_key && strcmp(agent->fail_key, obj->key) == 0 &&
        (!agent->fail_type || agent->fail_type == obj->type)) {
        fake_reply(agent, hdr->seq, -ENOENT, 0, "it is broken");
        return;
    }
    if (have && have->len == len && memcmp(have->bytes, body, len) == 0) {
        fake_reply(agent, hdr->seq, 0, VNRS_AG_UNCHANGED, "");
        return;
    }
    bool created = !have;
    if (created) {
        have = calloc(1, sizeof(*have));
        assert(have && vec_push(&agent->objects, have) == 0);
    }
    have->obj = *obj;
    have->running = true;
    memcpy(have->bytes, body, len);
    have->len = len;
    if (obj->type == VNRS_OBJ_LINK)
        have->ifindex = ((const struct vnrs_obj_link *)(const void *)(obj + 1))->a.ifindex;
    agent->n_created += created;
    agent->n_changed += !created;
    fake_reply(agent, hdr->seq, 0, created ? VNRS_AG_CREATED : VNRS_AG_CHANGED, "");
}

static inline void fake_remove(struct fake_agent *agent, const struct vnrs_ag_hdr *hdr, const struct vnrs_ag_obj *obj)
{
    struct fake_object *have = fake_find(agent, obj);

    if (agent->fail_remove) {
        agent->fail_remove--;
        fake_reply(agent, hdr->seq, -EBUSY, 0, "it is in use");
        return;
    }
    if (agent->n_remove < ARRAY_SIZE(agent->removed))
        (void)snprintf(agent->removed[agent->n_remove], VNRS_KEY_MAX, "%s", obj->key);
    agent->n_remove++;
    for (size_t i = 0; i < agent->objects.len; i++) {
        if (agent->objects.items[i] == have) {
            agent->objects.items[i] = agent->objects.items[--agent->objects.len];
            break;
        }
    }
    free(have);
    fake_reply(agent, hdr->seq, 0, have ? VNRS_AG_REMOVED : VNRS_AG_UNCHANGED, "");
}

static inline void fake_record(struct fake_agent *agent, const struct vnrs_ag_hdr *hdr, const char *body)
{
    const struct vnrs_ag_record *record = (const void *)body;

    agent->n_record++;
    if (record->total == 0) {
        free(agent->record);
        agent->record = NULL;
    } else {
        if (record->offset == 0) {
            free(agent->record);
            agent->record = calloc(1, record->total);
        }
        memcpy(agent->record + record->offset, body + sizeof(*record), hdr->data_size);
        agent->record_len = record->total;
        (void)snprintf(agent->record_lab, sizeof(agent->record_lab), "%s", record->lab);
    }
    fake_reply(agent, hdr->seq, 0, VNRS_AG_CHANGED, "");
}

static inline void fake_hello(struct fake_agent *agent, const struct vnrs_ag_hdr *hdr)
{
    if (agent->record) {
        struct vnrs_ag_record record = {.total = (uint32_t)agent->record_len};
        (void)snprintf(record.lab, sizeof(record.lab), "%s", agent->record_lab);
        for (size_t at = 0; at < agent->record_len; at += 700) { // in pieces
            record.offset = (uint32_t)at;
            fake_send(agent, VNRS_AG_RECORD, hdr->seq, &record, sizeof(record), 1, agent->record + at,
                      MIN((size_t)700, agent->record_len - at), -1);
        }
    }
    for (size_t i = 0; i < agent->n_speakers; i++) {
        struct vnrs_ag_speaker speaker = {.obj = agent->speaker_objs[i], .pid = 1};
        fake_send(agent, VNRS_AG_SPEAKER, 0, &speaker, sizeof(speaker), 1, NULL, 0, agent->speakers[i]);
    }
    fake_reply(agent, hdr->seq, 0, 0, "");
}

static inline void fake_list(struct fake_agent *agent, const struct vnrs_ag_hdr *hdr)
{
    agent->n_list++;
    vec_foreach (object, &agent->objects) {
        struct vnrs_ag_found found = {
            .obj = (*object)->obj, .ifindex = (*object)->ifindex, .running = (*object)->running};
        fake_send(agent, VNRS_AG_OBJECT, hdr->seq, &found, sizeof(found), 1, NULL, 0, -1);
    }
    fake_reply(agent, hdr->seq, 0, 0, "");
}

static inline void fake_fib_route(struct fake_agent *agent, const struct vnrs_fib_route *route)
{
    struct vnrs_fib_route *have = NULL;

    vec_foreach (known, &agent->routes) {
        if (known->domain == route->domain && memcmp(&known->prefix, &route->prefix, sizeof(route->prefix)) == 0)
            have = known;
    }
    if (!route->group) {
        if (have)
            *have = agent->routes.items[--agent->routes.len];
        return;
    }
    int r = have ? 0 : vec_push(&agent->routes, *route);
    assert(r == 0);
    if (have)
        *have = *route;
}

static inline void fake_fib_group(struct fake_agent *agent, const struct vnrs_fib_group *group)
{
    while (agent->groups.len <= group->handle) {
        int r = vec_push(&agent->groups, (struct vnrs_fib_group){0});
        assert(r == 0);
    }
    agent->groups.items[group->handle] = *group;
}

static inline void fake_fib(struct fake_agent *agent, const struct vnrs_ag_hdr *hdr, const char *body)
{
    const struct vnrs_ag_fib *fib = (const void *)body;
    const struct vnrs_fib_route *routes = (const void *)(body + sizeof(*fib));

    agent->n_fib[fib->kind]++;
    if (agent->on_fib)
        agent->on_fib(agent->on_fib_arg, fib, routes);
    if (fib->kind == VNRS_AG_FIB_BEGIN)
        vec_clear(&agent->routes);
    for (uint32_t i = 0; fib->kind == VNRS_AG_FIB_ROUTES && i < fib->n; i++) {
        agent->fib_routes_set += routes[i].group != 0;
        agent->fib_routes_removed += routes[i].group == 0;
        fake_fib_route(agent, &routes[i]);
    }
    for (uint32_t i = 0; fib->kind == VNRS_AG_FIB_GROUPS && i < fib->n; i++)
        fake_fib_group(agent, (const struct vnrs_fib_group *)(const void *)(body + sizeof(*fib)) + i);
    if (agent->fail_fib) {
        agent->fail_fib--;
        fake_reply(agent, hdr->seq, -EIO, 0, "the kernel refuses");
    } else if (fib->kind == VNRS_AG_FIB_SETTLE && agent->behind) {
        assert(!agent->settle);
        agent->settle = hdr->seq;
    } else {
        bool behind = agent->behind && fib->kind == VNRS_AG_FIB_FLUSH;
        fake_reply(agent, hdr->seq, 0, behind ? VNRS_AG_BEHIND : VNRS_AG_UNCHANGED, "");
    }
}

// Guest tables are written, or what was written of them failed.
static inline void fake_settle(struct fake_agent *agent, int error)
{
    assert(agent->settle);
    fake_reply(agent, agent->settle, error, 0, error ? "guest: table 'vm' fails" : "");
    agent->settle = 0;
}

static inline void fake_connect(struct fake_agent *agent, const struct vnrs_ag_hdr *hdr, const void *body)
{
    struct vnrs_ag_reply reply = {.error = agent->fail_connect};
    char full[4096] = {0};
    int pair[2] = {-1, -1};

    assert(agent->n_connects < ARRAY_SIZE(agent->connects));
    memcpy(&agent->connects[agent->n_connects], body, sizeof(agent->connects[0]));
    if (!reply.error && agent->connect_error)
        reply.error = agent->connect_error(agent->connect_arg, &agent->connects[agent->n_connects]);
    agent->n_connects++;
    int r = reply.error ? 0 : socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
    assert(r == 0);
    while (agent->silent && write(pair[0], full, sizeof(full)) > 0)
        ;
    fake_send(agent, VNRS_AG_REPLY, hdr->seq, &reply, sizeof(reply), 1, NULL, 0, pair[0]);
    if (pair[0] >= 0)
        (void)close(pair[0]);
    if (agent->silent)
        agent->kept = pair[1];
    else if (pair[1] >= 0)
        (void)close(pair[1]);
}

static inline void fake_on_read(evutil_socket_t fd, short what, void *arg)
{
    static _Alignas(16) char buf[VNRS_AGENT_MSG_MAX];
    struct fake_agent *agent = arg;
    struct vnrs_ag_hdr hdr;

    (void)what;
    for (;;) {
        ssize_t len = vnrs_msg_recv(fd, buf, sizeof(buf), NULL, NULL);
        if (len == -EAGAIN)
            return;
        if (len <= 0) {
            agent->gone = true;
            event_del(agent->read);
            return;
        }
        memcpy(&hdr, buf, sizeof(hdr));
        char *body = buf + sizeof(hdr);
        agent->n_requests++;
        switch (hdr.type) {
        case VNRS_AG_HELLO: // handles are the new controller's
            vec_clear(&agent->groups);
            fake_hello(agent, &hdr);
            break;
        case VNRS_AG_ENSURE:
            fake_ensure(agent, &hdr, body, (size_t)len - sizeof(hdr));
            break;
        case VNRS_AG_REMOVE:
            fake_remove(agent, &hdr, (const void *)body);
            break;
        case VNRS_AG_RECORD:
            fake_record(agent, &hdr, body);
            break;
        case VNRS_AG_LIST:
            fake_list(agent, &hdr);
            break;
        case VNRS_AG_FIB:
            fake_fib(agent, &hdr, body);
            break;
        case VNRS_AG_CONNECT:
            fake_connect(agent, &hdr, body);
            break;
        case VNRS_AG_FLOWS:
            memcpy(&agent->flows, body, sizeof(agent->flows));
            agent->n_captures = hdr.data_size / sizeof(agent->captures[0]);
            memcpy(agent->captures, body + sizeof(agent->flows), hdr.data_size);
            agent->n_flows++;
            fake_reply(agent, hdr.seq, agent->fail_flows, 0, agent->fail_flows ? "it cannot" : "");
            agent->fail_flows = 0;
            break;
        default:
            fake_reply(agent, hdr.seq, 0, 0, "");
        }
    }
}

static inline void fake_clear_counts(struct fake_agent *agent)
{
    agent->n_ensure = agent->n_created = agent->n_changed = agent->n_remove = agent->n_list = agent->n_record = 0;
    agent->fib_routes_set = agent->fib_routes_removed = agent->n_requests = 0;
    memset(agent->n_fib, 0, sizeof(agent->n_fib));
}

static inline void fake_fini(struct fake_agent *agent)
{
    vec_foreach (object, &agent->objects)
        free(*object);
    vec_free(&agent->objects);
    vec_free(&agent->routes);
    vec_free(&agent->groups);
    free(agent->record);
    for (size_t i = 0; i < agent->n_speakers; i++)
        (void)close(agent->speakers[i]);
}
