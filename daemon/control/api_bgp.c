// SPDX-License-Identifier: GPL-2.0-or-later
// BGP peers and their routes, per instance; those of a Route Server as `az network routeserver peering` shows them.
// Routes are asked from the speakers, so these calls are answered later.
#include "control/api.h"
#include "control/peer_json.h"

#include "util/strbuf.h"
#include "util/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// All sessions of what is called `of`, NULL: of everything; those with NVAs and sites first and alone unless
// `internal`.
static void list_sessions(const struct vnrs_lab *lab, const char *of, bool internal, json_t *list)
{
    // Connection by connection, as the file has them, their instances side by side.
    vec_foreach (first, &lab->speakers.list) {
        if (of && strcmp(first->owner, of) != 0)
            continue;
        vec_foreach (config, &first->peers) {
            const struct vnrs_api_peer_ref ref = {first->owner, config->name, first->config.role};
            if ((!internal && !vnrs_peer_is_outside(config)) || vnrs_api_next_speaker(lab, &ref, NULL) != first)
                continue;
            for (const struct vnrs_speaker *s = NULL; (s = vnrs_api_next_speaker(lab, &ref, s));)
                (void)json_array_append_new(list, vnrs_peer_json(lab, s, vnrs_speaker_find_peer(s, config->name)));
        }
    }
}

static bool has_owner(const struct vnrs_lab *lab, const char *name)
{
    vec_foreach (speaker, &lab->speakers.list) {
        if (strcmp(speaker->owner, name) == 0)
            return true;
    }
    return false;
}

void vnrs_api_peers(struct vnrs_api_call *call)
{
    const char *of = vnrs_api_param(call, "of", false), *all = vnrs_api_param(call, "all", false);
    char message[160];

    if (of && !has_owner(call->lab, of)) {
        (void)snprintf(message, sizeof(message), "there is no Route Server, gateway or circuit '%.60s'", of);
        vnrs_api_error(call, 404, "not-found", message, "`vnrs peers --all` shows all sessions");
        return;
    }
    json_t *list = json_array();
    list_sessions(call->lab, of, of || (all && strcmp(all, "1") == 0), list);
    vnrs_api_reply(call, 200, json_pack("{s:o}", "value", list));
}

// ---- one peer by name

const struct vnrs_speaker *vnrs_api_next_speaker(const struct vnrs_lab *lab, const struct vnrs_api_peer_ref *ref,
                                                 const struct vnrs_speaker *last)
{
    vec_foreach (speaker, &lab->speakers.list) {
        if ((!last || speaker > last) && speaker->config.role == ref->role && strcmp(speaker->owner, ref->owner) == 0 &&
            vnrs_speaker_find_peer(speaker, ref->name))
            return speaker;
    }
    return NULL;
}

// "nva1", or "rs/nva1"; a session between speakers only in the second way. Returns how many connections have the name.
static unsigned find_peer(const struct vnrs_lab *lab, const char *name, struct vnrs_api_peer_ref *ret_ref)
{
    const char *slash = strchr(name, '/'), *peer_name = slash ? slash + 1 : name;
    size_t owner_len = slash ? (size_t)(slash - name) : 0;
    struct vnrs_api_peer_ref ref = {0};
    unsigned found = 0;

    vec_foreach (speaker, &lab->speakers.list) {
        const struct vnrs_spk_peer_config *config = vnrs_speaker_find_peer(speaker, peer_name);
        if (!config || (!slash && !vnrs_peer_is_outside(config)) ||
            (slash && (strlen(speaker->owner) != owner_len || strncmp(speaker->owner, name, owner_len) != 0)))
            continue;
        if (ref.owner && ref.role == speaker->config.role && strcmp(ref.owner, speaker->owner) == 0)
            continue; // another instance
        ref = (struct vnrs_api_peer_ref){speaker->owner, config->name, speaker->config.role};
        found++;
    }
    *ret_ref = ref;
    return found;
}

bool vnrs_api_want_peer(struct vnrs_api_call *call, struct vnrs_api_peer_ref *ref)
{
    const char *name = vnrs_api_param(call, "peer", true);
    char message[160];

    if (!name)
        return false;
    unsigned found = find_peer(call->lab, name, ref);
    if (found == 1)
        return true;
    if (found)
        (void)snprintf(message, sizeof(message), "there are several connections '%.60s'", name);
    else
        (void)snprintf(message, sizeof(message), "there is no BGP connection '%.60s'", name);
    vnrs_api_error(call, found ? 400 : 404, found ? "bad-request" : "not-found", message,
                   found ? "name it OWNER/CONNECTION: its Route Server, gateway or circuit goes before it"
                         : "`vnrs peers` shows the connections");
    return false;
}

// ---- routes of one peer

struct routes_part { // of one instance
    struct vnrs_api_call *call;
    json_t *list;
    char local[VNRS_ADDR_STR_MAX], remote[VNRS_ADDR_STR_MAX];
    unsigned instance;
    bool learned;
};

static void finish(struct vnrs_api_call *call)
{
    if (--call->waiting == 0)
        vnrs_api_reply(call, 200, TAKE_PTR(call->result));
}

static void on_peer_path(void *arg, const struct vnrs_spk_path *path)
{
    static const char *const origins[] = {"Igp", "EBgp", "Incomplete"};
    struct routes_part *part = arg;
    char network[VNRS_PREFIX_STR_MAX], next_hop[VNRS_ADDR_STR_MAX];
    // What a peer announced is EBgp, whatever its ORIGIN; what is sent keeps it (azure-routing.md 9.2).
    const char *origin = part->learned ? "EBgp" : origins[path->origin < ARRAY_SIZE(origins) ? path->origin : 2];

    json_t *route =
        json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:i}", "localAddress", part->local, "network",
                  vnrs_prefix_format(&path->prefix, network), "nextHop", vnrs_addr_format(&path->nexthop, next_hop),
                  "sourcePeer", part->learned ? json_string(part->remote) : json_null(), "origin", origin, "asPath",
                  path->as_path, "weight", (int)path->weight);
    if (route && path->note[0]) // Azure has no such key
        (void)json_object_set_new(route, "note", json_string(path->note));
    (void)json_array_append_new(part->list, route);
}

static void on_peer_end(void *arg, int error)
{
    struct routes_part *part = arg;
    struct vnrs_api_call *call = part->call;
    char role[32];

    (void)error; // a speaker that died has no routes
    (void)snprintf(role, sizeof(role), "RouteServiceRole_IN_%u", part->instance);
    (void)json_object_set_new(call->result, role, part->list);
    free(part);
    finish(call);
}

static void ask_peer(struct vnrs_api_call *call, const struct vnrs_speaker *speaker, const char *name, bool learned)
{
    struct vnrs_instance *instance = vnrs_instance_find(call->lab, speaker->key);
    struct routes_part *part = calloc(1, sizeof(*part));
    struct vnrs_spk_query query = {.kind = learned ? VNRS_SPK_LEARNED : VNRS_SPK_ADVERTISED};

    call->waiting++;
    if (!part) {
        finish(call);
        return;
    }
    *part = (struct routes_part){.call = call, .list = json_array(), .instance = speaker->index, .learned = learned};
    vnrs_addr_format(&speaker->config.local, part->local);
    vnrs_addr_format(&vnrs_speaker_find_peer(speaker, name)->addr, part->remote);
    vnrs_str_copy(query.peer, sizeof(query.peer), name);
    struct vnrs_spk_pending pending = {.path = on_peer_path, .end = on_peer_end, .arg = part};
    if (!instance || vnrs_instance_query(instance, &query, &pending) < 0)
        on_peer_end(part, -ENOTCONN);
}

static void peer_routes(struct vnrs_api_call *call, bool learned)
{
    const struct vnrs_speaker *speaker = NULL;
    struct vnrs_api_peer_ref ref;

    if (vnrs_api_gateway_routes(call, learned) || !vnrs_api_want_peer(call, &ref))
        return;
    if (ref.role != VNRS_SPK_ROLE_ROUTE_SERVER) {
        vnrs_api_session_routes(call, &ref, learned);
        return;
    }
    call->result = json_object();
    call->waiting = 1;
    while ((speaker = vnrs_api_next_speaker(call->lab, &ref, speaker)))
        ask_peer(call, speaker, ref.name, learned);
    finish(call);
}

void vnrs_api_learned_routes(struct vnrs_api_call *call)
{
    peer_routes(call, true);
}

void vnrs_api_advertised_routes(struct vnrs_api_call *call)
{
    peer_routes(call, false);
}

// ---- RIB

struct rib_part {
    struct vnrs_api_call *call;
    char speaker[VNRS_KEY_MAX];
    char name[VNRS_KEY_MAX]; // of the Route Server; "": it is of none
    unsigned instance;
};

// By enum vnrs_bgp_step of bgp/decide.h, which this program does not link.
static const char *lost_at_name(unsigned step)
{
    static const char *const names[] = {"",
                                        "local route",
                                        "LOCAL_PREF",
                                        "class of routes",
                                        "AS path length",
                                        "origin",
                                        "eBGP over iBGP",
                                        "BGP identifier",
                                        "cluster list length",
                                        "peer address",
                                        "path identifier"};
    return step < ARRAY_SIZE(names) ? names[step] : "not eligible";
}

static void on_rib_path(void *arg, const struct vnrs_spk_path *path)
{
    static const char *const origins[] = {"Igp", "Egp", "Incomplete"};
    struct rib_part *part = arg;
    char network[VNRS_PREFIX_STR_MAX], next_hop[VNRS_ADDR_STR_MAX];

    (void)json_array_append_new(
        json_object_get(part->call->result, "value"),
        json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:s, s:s}", "routeServer", part->name, "instance",
                  (int)part->instance, "speaker", part->speaker, "network", vnrs_prefix_format(&path->prefix, network),
                  "nextHop", vnrs_addr_format(&path->nexthop, next_hop), "peer", path->peer, "asPath", path->as_path,
                  "origin", origins[MIN(path->origin, 2u)], "med", (json_int_t)path->med, "best", path->best != 0,
                  "lostAt", path->best ? "" : lost_at_name(path->lost_at), "note", path->note));
}

static void on_rib_end(void *arg, int error)
{
    struct rib_part *part = arg;
    struct vnrs_api_call *call = part->call;

    (void)error;
    free(part);
    finish(call);
}

void vnrs_api_rib(struct vnrs_api_call *call)
{
    const char *text = vnrs_api_param(call, "prefix", false);
    struct vnrs_spk_query query = {.kind = VNRS_SPK_RIB};

    if (text && vnrs_prefix_parse(text, &query.prefix) < 0) {
        vnrs_api_error(call, 400, "bad-request", "'prefix' is not an address prefix", NULL);
        return;
    }
    call->result = json_pack("{s:[]}", "value");
    call->waiting = 1;
    for (size_t i = 0; call->result && i < call->lab->instances.len; i++) {
        struct vnrs_instance *instance = call->lab->instances.items[i];
        struct rib_part *part = instance->speaker ? calloc(1, sizeof(*part)) : NULL;
        struct vnrs_spk_pending pending = {.path = on_rib_path, .end = on_rib_end, .arg = part};
        if (!part)
            continue;
        *part = (struct rib_part){.call = call, .instance = instance->speaker->index};
        vnrs_str_copy(part->speaker, sizeof(part->speaker), instance->key);
        vnrs_str_copy(part->name, sizeof(part->name), instance->speaker->rs ? instance->speaker->owner : "");
        call->waiting++;
        if (vnrs_instance_query(instance, &query, &pending) < 0)
            on_rib_end(part, -ENOTCONN);
    }
    finish(call);
}

// ---- actions

// `text` is what the peer is told (RFC 9003), may be empty.
static void act(struct vnrs_api_call *call, enum vnrs_spk_action_kind kind, const char *text)
{
    const struct vnrs_speaker *speaker = NULL;
    struct vnrs_api_peer_ref ref;
    int done = 0;

    if (!vnrs_api_want_peer(call, &ref))
        return;
    while ((speaker = vnrs_api_next_speaker(call->lab, &ref, speaker))) {
        struct vnrs_instance *instance = vnrs_instance_find(call->lab, speaker->key);
        done += instance && vnrs_instance_action(instance, kind, ref.name, text) == 0;
    }
    vnrs_api_reply(call, 200, json_pack("{s:i}", "instances", done));
}

void vnrs_api_peer_clear(struct vnrs_api_call *call)
{
    const char *text = vnrs_api_param(call, "text", false);

    if (text && (strlen(text) >= VNRS_SHUTDOWN_MAX || !vnrs_utf8_is_text(text, strlen(text) + 1)))
        vnrs_api_error(call, 400, "bad-request", "'text' is at most 255 octets of UTF-8 without controls", NULL);
    else
        act(call, VNRS_SPK_CLEAR, text ? text : "");
}

void vnrs_api_peer_refresh(struct vnrs_api_call *call)
{
    act(call, VNRS_SPK_REFRESH, "");
}
