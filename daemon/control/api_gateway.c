// SPDX-License-Identifier: GPL-2.0-or-later
// Routes of gateways, in the format of Azure's gateways (azure-routing.md 6.4): of a gateway everything that its
// instances know, with where it comes from; of a connection what its site announced or was told. Speakers are asked, so
// the calls are answered later.
#include "control/api.h"
#include "control/state.h"

#include "util/strbuf.h"

#include <errno.h>
#include <string.h>

#define WEIGHT_OWN  32768 // azure-routing.md 6.2
#define WEIGHT_MSEE 32769

struct part { // of one question to one speaker
    struct vnrs_api_call *call;
    json_t *list; // borrowed from the answer
    char speaker[VNRS_KEY_MAX];
    bool learned;
};

// Lists of all questions, in their order, become one.
static void finish(struct vnrs_api_call *call)
{
    json_t *value, *list;
    size_t i;

    if (--call->waiting)
        return;
    value = json_array();
    json_array_foreach(json_object_get(call->result, "value"), i, list)(void) json_array_extend(value, list);
    (void)json_object_set_new(call->result, "value", value);
    vnrs_api_reply(call, 200, TAKE_PTR(call->result));
}

// Of a route that came from `peer`; NULL: it is the gateway's own.
static const char *learned_origin(const struct vnrs_speaker *speaker, const struct vnrs_spk_peer_config *peer)
{
    if (!peer)
        return "Network";
    return peer->asn == speaker->config.asn ? "IBgp" : "EBgp";
}

static const char *told_origin(unsigned origin)
{
    static const char *const names[] = {"Igp", "EBgp", "Incomplete"};
    return names[MIN(origin, ARRAY_SIZE(names) - 1)];
}

static json_t *route_json(const struct vnrs_speaker *speaker, const struct vnrs_spk_path *path, bool learned)
{
    const struct vnrs_spk_peer_config *peer = vnrs_speaker_find_peer(speaker, path->peer);
    const struct vnrs_addr *from = peer && peer->local.family ? &peer->local : &speaker->config.local;
    char local[VNRS_ADDR_STR_MAX], network[VNRS_PREFIX_STR_MAX], next_hop[VNRS_ADDR_STR_MAX];
    char source[VNRS_ADDR_STR_MAX];
    bool is_msee = peer && peer->kind == VNRS_SPK_PEER_MSEE;

    vnrs_addr_format(&path->nexthop, next_hop);
    return json_pack("{s:s, s:s, s:s?, s:s, s:s, s:s, s:i}", "localAddress", vnrs_addr_format(from, local), "network",
                     vnrs_prefix_format(&path->prefix, network), "nextHop", learned && !peer ? NULL : next_hop,
                     "sourcePeer", vnrs_addr_format(learned && peer ? &peer->addr : from, source), "origin",
                     learned ? learned_origin(speaker, peer) : told_origin(path->origin), "asPath", path->as_path,
                     "weight",
                     !learned  ? (int)path->weight
                     : is_msee ? WEIGHT_MSEE
                     : peer    ? (int)path->weight
                               : WEIGHT_OWN);
}

static void on_path(void *arg, const struct vnrs_spk_path *path)
{
    const struct part *part = arg;
    // The model may be another one by now.
    const struct vnrs_speaker *speaker = vnrs_speakers_find(&part->call->lab->speakers, part->speaker);
    json_t *route = speaker ? route_json(speaker, path, part->learned) : NULL;

    if (route && path->note[0]) // Azure has no such key
        (void)json_object_set_new(route, "note", json_string(path->note));
    if (route)
        (void)json_array_append_new(part->list, route);
}

static void on_end(void *arg, int error)
{
    struct part *part = arg;
    struct vnrs_api_call *call = part->call;

    (void)error; // a speaker that died has no routes
    free(part);
    finish(call);
}

// `peer` "": of all, as the speaker's RIB has them.
static void ask(struct vnrs_api_call *call, const struct vnrs_speaker *speaker, const char *peer, bool learned)
{
    struct vnrs_instance *instance = vnrs_instance_find(call->lab, speaker->key);
    struct part *part = calloc(1, sizeof(*part));
    struct vnrs_spk_query query = {.kind = !*peer ? VNRS_SPK_RIB : learned ? VNRS_SPK_LEARNED : VNRS_SPK_ADVERTISED};
    struct vnrs_spk_pending pending = {.path = on_path, .end = on_end, .arg = part};
    json_t *list = json_array();

    if (!part || json_array_append_new(json_object_get(call->result, "value"), list) < 0) {
        free(part);
        return;
    }
    *part = (struct part){.call = call, .list = list, .learned = learned};
    vnrs_str_copy(part->speaker, sizeof(part->speaker), speaker->key);
    vnrs_str_copy(query.peer, sizeof(query.peer), peer);
    call->waiting++;
    if (!instance || vnrs_instance_query(instance, &query, &pending) < 0)
        on_end(part, -ENOTCONN);
}

static void begin(struct vnrs_api_call *call)
{
    call->result = json_pack("{s:[]}", "value");
    call->waiting = 1;
}

// What a gateway tells the outside: sites, or the edge routers of its circuits.
static bool leads_out(const struct vnrs_spk_peer_config *peer)
{
    return vnrs_peer_is_outside(peer) || peer->kind == VNRS_SPK_PEER_MSEE;
}

static void ask_gateway(struct vnrs_api_call *call, const struct vnrs_gateway *gateway, bool learned)
{
    begin(call);
    vec_foreach (speaker, &call->lab->speakers.list) {
        if (speaker->gateway != gateway || speaker->connection)
            continue;
        if (learned)
            ask(call, speaker, "", true);
        vec_foreach (peer, &speaker->peers) {
            if (!learned && leads_out(peer))
                ask(call, speaker, peer->name, false);
        }
    }
    finish(call);
}

// A circuit as its gateway sees it: what came from its edge routers, or what they were told.
static void ask_circuit(struct vnrs_api_call *call, const struct vnrs_connection *connection, bool learned)
{
    begin(call);
    vec_foreach (speaker, &call->lab->speakers.list) {
        if (speaker->gateway != connection->gateway || speaker->connection)
            continue;
        for (unsigned i = 0; i < ARRAY_SIZE(connection->links); i++) {
            if (vnrs_speaker_find_peer(speaker, connection->links[i].msee->name))
                ask(call, speaker, connection->links[i].msee->name, learned);
        }
    }
    finish(call);
}

bool vnrs_api_gateway_routes(struct vnrs_api_call *call, bool learned)
{
    const char *name = vnrs_api_param(call, "peer", false);
    const struct vnrs_model *model = name ? call->lab->model : NULL;

    for (size_t i = 0; model && i < model->gateways.len; i++) {
        if (strcmp(model->gateways.items[i].name, name) != 0)
            continue;
        ask_gateway(call, &model->gateways.items[i], learned);
        return true;
    }
    for (size_t i = 0; model && i < model->connections.len; i++) {
        const struct vnrs_connection *connection = &model->connections.items[i];
        if (connection->type != VNRS_CONNECTION_EXPRESSROUTE || strcmp(connection->name, name) != 0)
            continue;
        ask_circuit(call, connection, learned);
        return true;
    }
    return false;
}

void vnrs_api_session_routes(struct vnrs_api_call *call, const struct vnrs_api_peer_ref *ref, bool learned)
{
    const struct vnrs_speaker *speaker = NULL;

    begin(call);
    while ((speaker = vnrs_api_next_speaker(call->lab, ref, speaker)))
        ask(call, speaker, ref->name, learned);
    finish(call);
}
