// SPDX-License-Identifier: GPL-2.0-or-later
// GET …/dump?routeServer=NAME&instance=N&updates=1: what a speaker knows, or hears from now on, as MRT (RFC 6396). The
// bytes are the speaker's; credit for more of them is given when the client has taken what there was.
#include "control/api.h"
#include "control/state.h"

#include <event2/buffer.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WINDOW_BYTES (256u * 1024u) // under way from speaker to client

struct dump {
    struct vnrs_api_call *call;
    struct vnrs_instance *instance; // NULL: the dump has ended
    uint32_t id;
    uint32_t taken; // since credit was given last
};

static void on_gone(struct vnrs_api_call *call)
{
    struct dump *dump = call->data;

    if (dump->instance)
        vnrs_instance_dump_stop(dump->instance, dump->id);
}

// All that was written is with the client.
static void on_drained(struct evhttp_connection *conn, void *arg)
{
    struct dump *dump = arg;

    (void)conn;
    if (dump->instance && dump->taken) {
        vnrs_instance_dump_more(dump->instance, dump->id, dump->taken);
        dump->taken = 0;
    }
}

static void on_data(void *arg, const void *bytes, size_t len)
{
    struct dump *dump = arg;
    struct evbuffer *chunk = evbuffer_new();

    // Without memory the dump stands still, and the client is cut off.
    if (chunk && evbuffer_add(chunk, bytes, len) == 0) {
        dump->taken += (uint32_t)len;
        evhttp_send_reply_chunk_with_cb(dump->call->request, chunk, on_drained, dump);
    } else {
        vnrs_api_stream_abort(dump->call);
    }
    if (chunk)
        evbuffer_free(chunk);
}

static void on_end(void *arg, int error)
{
    struct dump *dump = arg;

    dump->instance = NULL;
    if (error == 0)
        vnrs_api_stream_end(dump->call);
    else
        vnrs_api_stream_abort(dump->call);
}

static struct vnrs_instance *find_instance(const struct vnrs_lab *lab, const char *owner, unsigned index)
{
    vec_foreach (instance, &lab->instances) {
        const struct vnrs_speaker *speaker = (*instance)->speaker;
        if (speaker && speaker->index == index && strcmp(speaker->owner, owner) == 0)
            return *instance;
    }
    return NULL;
}

// The instance meant, or NULL after an answer.
static struct vnrs_instance *want_instance(struct vnrs_api_call *call)
{
    const char *name = vnrs_api_param(call, "routeServer", false), *index = vnrs_api_param(call, "instance", false);
    const struct vnrs_model *model = call->lab->model;
    size_t n = model ? model->route_servers.len : 0;
    char message[160];

    if (!name && n == 1)
        name = model->route_servers.items[0].name;
    if (!name) {
        vnrs_api_error(call, 400, "bad-request",
                       n ? "the lab has several Route Servers" : "the lab has no Route Server",
                       n ? "name the one meant" : NULL);
        return NULL;
    }
    if (index && strcmp(index, "0") != 0 && strcmp(index, "1") != 0) {
        vnrs_api_error(call, 400, "bad-request", "'instance' is 0 or 1", NULL);
        return NULL;
    }
    struct vnrs_instance *instance = find_instance(call->lab, name, index && *index == '1');
    if (!instance) {
        (void)snprintf(message, sizeof(message), "there is no Route Server instance '%.60s/%s'", name,
                       index ? index : "0");
        vnrs_api_error(call, 404, "not-found", message, "`vnrs peers` shows the instances");
    }
    return instance;
}

void vnrs_api_dump(struct vnrs_api_call *call)
{
    const char *updates = vnrs_api_param(call, "updates", false);
    bool log = updates && strcmp(updates, "1") == 0;
    struct vnrs_instance *instance = want_instance(call);
    struct dump *dump = instance ? calloc(1, sizeof(*dump)) : NULL;
    struct vnrs_dump_sink sink = {.data = on_data, .end = on_end, .arg = dump};

    if (!instance)
        return;
    call->data = dump;
    int r = dump ? vnrs_instance_dump(instance, log ? VNRS_SPK_DUMP_UPDATES : VNRS_SPK_DUMP_TABLE, instance->key,
                                      WINDOW_BYTES, &sink, &dump->id)
                 : -ENOMEM;
    if (r < 0) {
        vnrs_api_error(call, r == -ENOTCONN || r == -EBUSY ? 503 : 500, "failed",
                       r == -ENOTCONN ? "the speaker does not run"
                       : r == -EBUSY  ? "the speaker is being dumped four times already"
                                      : "out of memory",
                       r == -ENOTCONN || r == -EBUSY ? "try again later" : NULL);
        return;
    }
    dump->call = call;
    dump->instance = instance;
    vnrs_api_stream(call, "application/octet-stream", on_gone);
}
