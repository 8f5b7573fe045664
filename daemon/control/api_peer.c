// SPDX-License-Identifier: GPL-2.0-or-later
// Everything about one BGP peer, on each instance: the speakers are asked, so the call is answered later.
#include "control/api.h"
#include "control/peer_json.h"

#include "util/fd.h"
#include "util/strbuf.h"

#include <errno.h>
#include <string.h>
#include <time.h>

struct part { // of one instance
    struct vnrs_api_call *call;
    char rs[VNRS_KEY_MAX], peer[VNRS_PEER_NAME_MAX];
    unsigned instance;
    bool is_answered;
    struct vnrs_spk_detail detail;
};

static void finish(struct vnrs_api_call *call)
{
    if (--call->waiting == 0)
        vnrs_api_reply(call, 200, TAKE_PTR(call->result));
}

static void on_detail(void *arg, const struct vnrs_spk_detail *detail)
{
    struct part *part = arg;

    part->detail = *detail;
    part->is_answered = true;
}

// The model may be another one by now, so names are looked up again.
static json_t *part_json(const struct part *part)
{
    const struct vnrs_lab *lab = part->call->lab;

    for (size_t r = 0; lab->model && r < lab->model->route_servers.len; r++) {
        const struct vnrs_route_server *rs = &lab->model->route_servers.items[r];
        if (strcmp(rs->name, part->rs) != 0)
            continue;
        list_foreach (conn, &rs->connections) {
            if (strcmp(conn->name, part->peer) == 0)
                return vnrs_peer_json_full(lab, rs, part->instance, conn, part->is_answered ? &part->detail : NULL,
                                           vnrs_clock_ms(), time(NULL));
        }
    }
    return NULL;
}

static void on_end(void *arg, int error)
{
    struct part *part = arg;
    struct vnrs_api_call *call = part->call;

    (void)error; // what a speaker that died had to say is not known
    (void)json_array_set_new(json_object_get(call->result, "value"), part->instance, part_json(part));
    free(part);
    finish(call);
}

static void ask(struct vnrs_api_call *call, const struct vnrs_api_peer_ref *ref, unsigned i)
{
    struct vnrs_instance *instance = vnrs_instance_find(call->lab, ref->rs->name, i);
    struct part *part = calloc(1, sizeof(*part));
    struct vnrs_spk_query query = {.kind = VNRS_SPK_PEER_DETAIL};
    struct vnrs_spk_pending pending = {.detail = on_detail, .end = on_end, .arg = part};

    if (!part)
        return;
    part->call = call;
    part->instance = i;
    vnrs_str_copy(part->rs, sizeof(part->rs), ref->rs->name);
    vnrs_str_copy(part->peer, sizeof(part->peer), ref->conn->name);
    vnrs_str_copy(query.peer, sizeof(query.peer), ref->conn->name);
    call->waiting++;
    if (!instance || vnrs_instance_query(instance, &query, &pending) < 0)
        on_end(part, -ENOTCONN);
}

void vnrs_api_peer(struct vnrs_api_call *call)
{
    struct vnrs_api_peer_ref ref;
    json_t *value;

    if (!vnrs_api_want_peer(call, &ref))
        return;
    call->result = json_pack("{s:[]}", "value");
    value = json_object_get(call->result, "value");
    for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++) {
        if (ref.rs->ips[i].family != VNRS_AF_NONE)
            (void)json_array_append_new(value, json_null()); // in the order of instances, whoever answers first
    }
    call->waiting = 1;
    for (unsigned i = 0; i < json_array_size(value); i++)
        ask(call, &ref, i);
    finish(call);
}
