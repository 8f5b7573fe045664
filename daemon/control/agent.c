// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/agent.h"

#include "control/chan.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#define OUTSTANDING_MAX 128

struct request {
    STAILQ_ENTRY(request) entry;
    struct vnrs_agent_request pub;
    struct vnrs_ag_hdr hdr;
    size_t len;
    char bytes[];
};

STAILQ_HEAD(request_list, request);

struct vnrs_agent {
    struct vnrs_chan *chan;
    const struct vnrs_agent_handlers *handlers;
    void *ctx;
    struct request_list waiting, sent;
    size_t n_sent;
    uint32_t seq;
};

// Fixed structs of what the agent sends.
static const size_t item_sizes[_VNRS_AG_MAX] = {
    [VNRS_AG_RECORD] = sizeof(struct vnrs_ag_record),   [VNRS_AG_OBJECT] = sizeof(struct vnrs_ag_found),
    [VNRS_AG_COUNTER] = sizeof(struct vnrs_ag_counter), [VNRS_AG_PROBED] = sizeof(struct vnrs_ag_probe),
    [VNRS_AG_REPLY] = sizeof(struct vnrs_ag_reply),     [VNRS_AG_SPEAKER] = sizeof(struct vnrs_ag_speaker),
    [VNRS_AG_EVENT] = sizeof(struct vnrs_ag_event),     [VNRS_AG_FLOW_EVENTS] = sizeof(struct vnrs_ag_flow_events),
};

static void pump(struct vnrs_agent *agent)
{
    struct request *request;

    while (agent->n_sent < OUTSTANDING_MAX && (request = STAILQ_FIRST(&agent->waiting))) {
        struct iovec parts[] = {{&request->hdr, sizeof(request->hdr)}, {request->bytes, request->len}};
        if (vnrs_chan_send(agent->chan, parts, ARRAY_SIZE(parts)) < 0)
            return; // tried again with the next reply
        STAILQ_REMOVE_HEAD(&agent->waiting, entry);
        STAILQ_INSERT_TAIL(&agent->sent, request, entry);
        agent->n_sent++;
    }
}

static struct request *find_sent(struct vnrs_agent *agent, uint32_t seq)
{
    struct request *request;

    STAILQ_FOREACH(request, &agent->sent, entry)
    {
        if (request->hdr.seq == seq)
            return request;
    }
    return NULL;
}

static int on_reply(struct vnrs_agent *agent, const struct vnrs_ag_hdr *hdr, struct vnrs_ag_reply *reply, int *fd)
{
    struct request *request = find_sent(agent, hdr->seq);

    if (!request)
        return -EPROTO;
    reply->text[sizeof(reply->text) - 1] = '\0';
    STAILQ_REMOVE(&agent->sent, request, request, entry);
    agent->n_sent--;
    request->pub.fd = *fd;
    if (request->pub.done) {
        request->pub.done(&request->pub, reply);
        *fd = request->pub.fd;
    }
    free(request);
    pump(agent);
    return 0;
}

static int on_items(struct vnrs_agent *agent, const struct vnrs_ag_hdr *hdr, void *items)
{
    struct request *request = find_sent(agent, hdr->seq);

    if (!request)
        return -EPROTO;
    struct vnrs_ag_found *found = items;
    for (uint32_t i = 0; hdr->type == VNRS_AG_OBJECT && i < hdr->count; i++) {
        found[i].obj.key[sizeof(found[i].obj.key) - 1] = '\0';
        if (found[i].obj.type == 0 || found[i].obj.type >= _VNRS_OBJ_MAX)
            return -EPROTO;
    }
    struct vnrs_ag_probe *probes = items;
    for (uint32_t i = 0; hdr->type == VNRS_AG_PROBED && i < hdr->count; i++) {
        probes[i].name[sizeof(probes[i].name) - 1] = '\0';
        probes[i].text[sizeof(probes[i].text) - 1] = '\0';
    }
    if (request->pub.items)
        request->pub.items(&request->pub, hdr->type, items, hdr->count);
    return 0;
}

static int on_unasked(struct vnrs_agent *agent, const struct vnrs_ag_hdr *hdr, void *body, int fd)
{
    struct vnrs_ag_record *record = body;
    struct vnrs_ag_speaker *speaker = body;
    struct vnrs_ag_event *event = body;
    struct vnrs_ag_flow_events *flows = body;

    if (hdr->count != 1)
        return -EPROTO;
    switch ((enum vnrs_agent_msg)hdr->type) {
    case VNRS_AG_RECORD:
        record->lab[sizeof(record->lab) - 1] = '\0';
        agent->handlers->record(agent->ctx, record, record + 1, hdr->data_size);
        return 0;
    case VNRS_AG_SPEAKER:
        speaker->obj.lab[sizeof(speaker->obj.lab) - 1] = '\0';
        speaker->obj.key[sizeof(speaker->obj.key) - 1] = '\0';
        if (fd < 0)
            return -EPROTO;
        agent->handlers->speaker(agent->ctx, speaker, fd);
        return 0;
    case VNRS_AG_FLOW_EVENTS:
        flows->lab[sizeof(flows->lab) - 1] = '\0';
        agent->handlers->flows(agent->ctx, flows, flows + 1, hdr->data_size);
        return 0;
    default:
        event->obj.lab[sizeof(event->obj.lab) - 1] = '\0';
        event->obj.key[sizeof(event->obj.key) - 1] = '\0';
        event->text[sizeof(event->text) - 1] = '\0';
        agent->handlers->event(agent->ctx, event);
        return 0;
    }
}

// Copied so that the structs are aligned and may be terminated.
static int dispatch(struct vnrs_agent *agent, const struct vnrs_ag_hdr *hdr, void *body, int *fd)
{
    switch ((enum vnrs_agent_msg)hdr->type) {
    case VNRS_AG_REPLY:
        return hdr->count == 1 ? on_reply(agent, hdr, body, fd) : -EPROTO;
    case VNRS_AG_OBJECT:
    case VNRS_AG_COUNTER:
    case VNRS_AG_PROBED:
        return on_items(agent, hdr, body);
    default:
        return on_unasked(agent, hdr, body, *fd);
    }
}

static int on_message(void *arg, const void *bytes, size_t len, int fd)
{
    struct vnrs_agent *agent = arg;
    struct vnrs_ag_hdr hdr;
    int r = -EPROTO;

    if (len >= sizeof(hdr)) {
        memcpy(&hdr, bytes, sizeof(hdr));
        size_t size = hdr.type < _VNRS_AG_MAX ? item_sizes[hdr.type] : 0;
        if (hdr.proto == VNRS_AGENT_PROTO && size && (uint64_t)hdr.count * size + hdr.data_size == len - sizeof(hdr)) {
            _free_ void *body = malloc(len - sizeof(hdr) + 1);
            if (body)
                memcpy(body, (const char *)bytes + sizeof(hdr), len - sizeof(hdr));
            r = body ? dispatch(agent, &hdr, body, &fd) : -ENOMEM;
            if (hdr.type == VNRS_AG_SPEAKER && r == 0)
                fd = -1;
        }
    }
    if (fd >= 0)
        (void)close(fd);
    return r;
}

static void on_lost(void *arg, int err)
{
    struct vnrs_agent *agent = arg;
    agent->handlers->lost(agent->ctx, err);
}

struct vnrs_agent *vnrs_agent_new(struct event_base *base, int fd, const struct vnrs_agent_handlers *handlers,
                                  void *ctx)
{
    static const struct vnrs_chan_ops ops = {.message = on_message, .lost = on_lost};
    struct vnrs_agent *agent = calloc(1, sizeof(*agent));

    if (!agent) {
        (void)close(fd);
        return NULL;
    }
    *agent = (struct vnrs_agent){.handlers = handlers, .ctx = ctx};
    STAILQ_INIT(&agent->waiting);
    STAILQ_INIT(&agent->sent);
    agent->chan = vnrs_chan_new(base, fd, VNRS_AGENT_MSG_MAX, &ops, agent);
    if (!agent->chan) {
        free(agent);
        return NULL;
    }
    return agent;
}

static void free_list(struct request_list *list)
{
    struct request *request;

    while ((request = STAILQ_FIRST(list))) {
        STAILQ_REMOVE_HEAD(list, entry);
        free(request);
    }
}

void vnrs_agent_free(struct vnrs_agent *agent)
{
    if (!agent)
        return;
    free_list(&agent->waiting);
    free_list(&agent->sent);
    vnrs_chan_free(agent->chan);
    free(agent);
}

// `spec_at`: where the spec of an ENSURE begins in the fixed part; 0: none.
static int queue_request(struct vnrs_agent *agent, const struct vnrs_agent_request *proto, const void *fixed,
                         size_t fixed_size, const void *data, size_t data_size, size_t spec_at)
{
    size_t len = fixed_size + data_size;
    if (sizeof(struct vnrs_ag_hdr) + len > VNRS_AGENT_MSG_MAX)
        return -EMSGSIZE;
    struct request *request = calloc(1, sizeof(*request) + len);

    if (!request)
        return -ENOMEM;
    request->pub = *proto;
    if (!++agent->seq) // 0 is for events
        agent->seq++;
    request->hdr = (struct vnrs_ag_hdr){
        .proto = VNRS_AGENT_PROTO,
        .type = (uint16_t)proto->type,
        .seq = agent->seq,
        .count = fixed_size ? 1 : 0,
        .data_size = (uint32_t)data_size,
    };
    request->len = len;
    if (fixed_size)
        memcpy(request->bytes, fixed, fixed_size);
    if (data_size)
        memcpy(request->bytes + fixed_size, data, data_size);
    if (spec_at) {
        request->pub.spec = request->bytes + spec_at;
        request->pub.spec_size = fixed_size - spec_at;
        request->pub.data = request->bytes + fixed_size;
        request->pub.data_size = data_size;
    }
    STAILQ_INSERT_TAIL(&agent->waiting, request, entry);
    pump(agent);
    return 0;
}

int vnrs_agent_send(struct vnrs_agent *agent, const struct vnrs_agent_request *proto, const void *fixed,
                    size_t fixed_size, const void *data, size_t data_size)
{
    return queue_request(agent, proto, fixed, fixed_size, data, data_size, 0);
}

int vnrs_agent_ensure(struct vnrs_agent *agent, const struct vnrs_agent_request *proto, const void *spec,
                      size_t spec_size, const void *data, size_t data_size)
{
    size_t fixed_size = sizeof(proto->obj) + spec_size;
    _free_ char *fixed = malloc(fixed_size);

    if (!fixed)
        return -ENOMEM;
    memcpy(fixed, &proto->obj, sizeof(proto->obj));
    memcpy(fixed + sizeof(proto->obj), spec, spec_size);
    return queue_request(agent, proto, fixed, fixed_size, data, data_size, sizeof(proto->obj));
}

void vnrs_agent_cancel(struct vnrs_agent *agent, const void *owner)
{
    struct request *request;

    STAILQ_FOREACH(request, &agent->waiting, entry)
    {
        if (request->pub.owner == owner)
            request->pub.done = NULL, request->pub.items = NULL;
    }
    STAILQ_FOREACH(request, &agent->sent, entry)
    {
        if (request->pub.owner == owner)
            request->pub.done = NULL, request->pub.items = NULL;
    }
}
