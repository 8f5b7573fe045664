// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/speakers.h"

#include "util/arena.h"
#include "util/strbuf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define CONNECT_RETRY_MS     2000
#define AZURE_MAX_PREFIXES   4000  // azure-routing.md 5.3, 6.1, 6.2
#define PREMIUM_MAX_PREFIXES 10000 // of a circuit: azure-routing.md 6.2
#define CIRCUIT_MAX_PREFIXES 1000  // told to a circuit: azure-routing.md 5.3, 6.2

static_assert((int)VNRS_HRP_EXPRESSROUTE == VNRS_SPK_PREFER_EXPRESSROUTE && (int)VNRS_HRP_VPN == VNRS_SPK_PREFER_VPN &&
                  (int)VNRS_HRP_ASPATH == VNRS_SPK_PREFER_AS_PATH,
              "the same numbers");

struct maker {
    const struct vnrs_model *model;
    struct vnrs_speakers *out;
};

// NULL: out of memory. The address is where BGP speaks from, and what it gives as next hop.
static struct vnrs_speaker *add_speaker(struct maker *m, const char *key, const char *owner, unsigned index,
                                        enum vnrs_spk_role role, uint32_t asn, const struct vnrs_addr *local)
{
    struct vnrs_speaker speaker = {
        .key = key,
        .owner = owner,
        .index = index,
        .config = {.asn = asn,
                   .router_id = vnrs_addr_to_v4(local),
                   .local = *local,
                   .role = (uint8_t)role,
                   .connect_retry_ms = CONNECT_RETRY_MS},
    };

    if (!key || vec_push(&m->out->list, speaker) < 0)
        return NULL;
    return &m->out->list.items[m->out->list.len - 1];
}

// ---- parts of several

static int add_own(struct vnrs_speaker *speaker, const struct vnrs_prefix *prefix, enum vnrs_spk_own_kind kind)
{
    return vec_push(&speaker->own, (struct vnrs_spk_own){.prefix = *prefix, .kind = (uint8_t)kind});
}

static int add_locals(const struct vnrs_model *model, struct vnrs_speaker *speaker)
{
    _free_ struct vnrs_prefix *prefixes = NULL;
    size_t n = 0;
    int r = vnrs_hub_locals(model, speaker->hub, &prefixes, &n);

    for (size_t i = 0; i < n && r == 0; i++)
        r = add_own(speaker, &prefixes[i], VNRS_SPK_OWN_RANGE);
    return r;
}

static struct vnrs_spk_bfd make_bfd(const struct vnrs_bfd_options *bfd)
{
    if (!bfd->on)
        return (struct vnrs_spk_bfd){0};
    return (struct vnrs_spk_bfd){
        .min_tx_us = bfd->tx_ms * 1000u,
        .min_rx_us = bfd->rx_ms * 1000u,
        .multiplier = (uint8_t)bfd->multiplier,
        .multihop = bfd->multihop,
        .ttl_min = (uint8_t)bfd->ttl_min,
        .strict = bfd->strict,
    };
}

static uint32_t prefix_limit(const struct vnrs_model *model, unsigned azure)
{
    return model->limits == VNRS_LIMITS_AZURE ? azure : 0;
}

// Another speaker of the lab, called by the name of its namespace, which no connection of the file can have.
static int add_internal(struct vnrs_speaker *speaker, const char *name, unsigned index, const struct vnrs_addr *addr,
                        uint32_t asn, enum vnrs_spk_peer_kind kind, bool passive)
{
    const struct vnrs_bgp_timers *timers = speaker->gateway ? &speaker->gateway->timers : &speaker->rs->timers;
    struct vnrs_spk_peer_config peer = {
        .addr = *addr,
        .passive = passive,
        .hold = (uint16_t)timers->hold,
        .keepalive = (uint16_t)timers->keepalive,
        .asn = asn,
        .ttl = VNRS_SESSION_TTL,
        .kind = (uint8_t)kind,
    };
    int len = snprintf(peer.name, sizeof(peer.name), "%s-%u", name, index);

    assert(len > 0 && (size_t)len < sizeof(peer.name));
    return vec_push(&speaker->peers, peer);
}

static int add_gateway_peers(struct vnrs_speaker *speaker, const struct vnrs_gateway *gateway, bool passive)
{
    char name[VNRS_PEER_NAME_MAX];
    int r = 0;

    (void)snprintf(name, sizeof(name), "gateway.%s", gateway->name);
    for (unsigned i = 0; i < gateway->n_instances && r == 0; i++)
        r = add_internal(speaker, name, i, &gateway->instances[i].ip, gateway->asn,
                         gateway->type == VNRS_GATEWAY_VPN ? VNRS_SPK_PEER_VPN_GATEWAY : VNRS_SPK_PEER_ER_GATEWAY,
                         passive);
    return r;
}

// The Route Server of a gateway's virtual network (azure-routing.md 5.6). It opens the connection.
static int add_route_server_peers(const struct vnrs_model *model, struct vnrs_speaker *speaker)
{
    char name[VNRS_PEER_NAME_MAX];
    int r = 0;

    list_foreach (rs, &model->route_servers) {
        if (rs->vnet != speaker->hub)
            continue;
        (void)snprintf(name, sizeof(name), "routeserver.%s", rs->name);
        for (unsigned i = 0; i < VNRS_RS_INSTANCES && r == 0; i++)
            r = rs->ips[i].family == VNRS_AF_NONE
                    ? 0
                    : add_internal(speaker, name, i, &rs->ips[i], VNRS_RS_ASN, VNRS_SPK_PEER_ROUTE_SERVER, true);
    }
    return r;
}

// ---- Route Servers

static struct vnrs_spk_peer_config make_nva(const struct vnrs_model *model, const struct vnrs_bgp_connection *conn)
{
    struct vnrs_spk_peer_config peer = {
        .addr = conn->peer_ip,
        .passive = conn->passive,
        .delay_open = (uint8_t)conn->delay_open,
        .min_hold = (uint16_t)conn->min_hold,
        .hold = (uint16_t)conn->timers.hold,
        .keepalive = (uint16_t)conn->timers.keepalive,
        .asn = conn->peer_asn,
        .max_prefixes = prefix_limit(model, AZURE_MAX_PREFIXES),
        .ttl = VNRS_SESSION_TTL,
        .ttl_min = conn->ttl_security_hops ? (uint8_t)(256 - conn->ttl_security_hops) : 0,
        .in_map = conn->in_map ? (uint16_t)conn->in_map->id : 0,
        .out_map = conn->out_map ? (uint16_t)conn->out_map->id : 0,
        .bfd = make_bfd(&conn->bfd),
    };

    vnrs_str_copy(peer.name, sizeof(peer.name), conn->name);
    vnrs_str_copy(peer.md5, sizeof(peer.md5), conn->password ? conn->password : "");
    return peer;
}

static uint8_t make_features(const struct vnrs_bgp_options *options)
{
    unsigned features = 0;

    features |= options->graceful_restart ? VNRS_SPK_GRACEFUL_RESTART : 0;
    features |= options->enhanced_refresh ? VNRS_SPK_ENHANCED_REFRESH : 0;
    features |= options->extended_messages ? VNRS_SPK_EXTENDED_MESSAGES : 0;
    features |= options->add_path ? VNRS_SPK_ADD_PATH : 0;
    features |= options->extended_next_hop ? VNRS_SPK_EXTENDED_NEXTHOP : 0;
    return (uint8_t)features;
}

static_assert((int)VNRS_BMP_RIB_PRE_POLICY == VNRS_SPK_BMP_PRE_POLICY &&
                  (int)VNRS_BMP_RIB_POST_POLICY == VNRS_SPK_BMP_POST_POLICY &&
                  (int)VNRS_BMP_RIB_LOC_RIB == VNRS_SPK_BMP_LOC_RIB &&
                  (int)VNRS_BMP_RIB_ADJ_RIB_OUT == VNRS_SPK_BMP_ADJ_RIB_OUT,
              "the same bits");
static_assert(VNRS_BMP_STATIONS_PER_RS == VNRS_BMP_STATIONS_MAX, "as many as a speaker takes");

static int add_stations(const struct vnrs_model *model, struct vnrs_speaker *speaker)
{
    int r = 0;

    list_foreach (target, &speaker->rs->bmp) {
        struct vnrs_spk_bmp station = {.station = target->station,
                                       .ribs = (uint8_t)target->ribs,
                                       .port = target->port,
                                       .statistics_s = (uint16_t)target->statistics_s};
        (void)snprintf(station.name, sizeof(station.name), "%s/%s", model->name, speaker->key);
        if (r == 0)
            r = vec_push(&speaker->stations, station);
    }
    return r;
}

static int add_route_server(struct maker *m, const struct vnrs_route_server *rs, unsigned index)
{
    const char *key = vnrs_arena_printf(m->out->arena, "%s-%u", rs->name, index);
    struct vnrs_speaker *speaker =
        add_speaker(m, key, rs->name, index, VNRS_SPK_ROLE_ROUTE_SERVER, VNRS_RS_ASN, &rs->ips[index]);

    if (!speaker)
        return -ENOMEM;
    speaker->hub = rs->vnet;
    speaker->rs = rs;
    speaker->class = VNRS_LEARNED_NVA;
    speaker->in_hub = true;
    speaker->config.features = make_features(&rs->options);
    speaker->config.restart_s = (uint16_t)rs->options.restart_s;
    speaker->config.branch_to_branch = rs->allow_branch_to_branch;
    speaker->config.preference = (uint8_t)rs->preference;
    int r = add_locals(m->model, speaker);
    if (r == 0)
        r = vnrs_route_map_msgs_make(rs, &speaker->maps);
    list_foreach (conn, &rs->connections) {
        if (r == 0)
            r = vec_push(&speaker->peers, make_nva(m->model, conn));
    }
    list_foreach (gateway, &m->model->gateways) {
        if (r == 0 && gateway->vnet == rs->vnet)
            r = add_gateway_peers(speaker, gateway, false);
    }
    return r < 0 ? r : add_stations(m->model, speaker);
}

// ---- gateways

// The router of a site in the tunnel of a connection. With a link-local address at the gateway's end the site opens the
// connection, else the gateway (azure-routing.md 6.1).
static int add_vpn_site(const struct vnrs_model *model, struct vnrs_speaker *speaker,
                        const struct vnrs_connection *connection)
{
    const struct vnrs_gateway *gateway = speaker->gateway;
    struct vnrs_spk_peer_config peer = {
        .addr = connection->site->bgp_ip,
        .hold = (uint16_t)gateway->timers.hold,
        .keepalive = (uint16_t)gateway->timers.keepalive,
        .asn = connection->site->asn,
        .max_prefixes = prefix_limit(model, AZURE_MAX_PREFIXES),
        .ttl = VNRS_SESSION_TTL,
        .kind = VNRS_SPK_PEER_OUTSIDE,
    };

    if (speaker->index < connection->gateway_bgp_ips.len) {
        peer.local = connection->gateway_bgp_ips.items[speaker->index];
        peer.passive = true;
    }
    vnrs_str_copy(peer.name, sizeof(peer.name), connection->name);
    return vec_push(&speaker->peers, peer);
}

// Prefixes of a local network: all of them without BGP, with BGP only the way to its peer (azure-routing.md 6.1).
static int add_statics(struct vnrs_speaker *speaker, const struct vnrs_connection *connection)
{
    static const struct vnrs_prefix link_local = {VNRS_AF_IPV4, 16, {169, 254}};
    const struct vnrs_prefix peer = vnrs_prefix_host(&connection->site->bgp_ip);
    int r = 0;

    if (connection->enable_bgp)
        return vnrs_prefix_contains(&link_local, &peer) ? 0 : add_own(speaker, &peer, VNRS_SPK_OWN_STATIC);
    list_foreach (prefix, &connection->site->prefixes) {
        if (r == 0)
            r = add_own(speaker, prefix, VNRS_SPK_OWN_STATIC);
    }
    return r;
}

static bool has_own(const struct vnrs_speaker *speaker, const struct vnrs_prefix *prefix)
{
    vec_foreach (own, &speaker->own) {
        if (vnrs_prefix_equal(&own->prefix, prefix))
            return true;
    }
    return false;
}

// What is advertised to sites besides the ranges of virtual networks.
static int add_custom(struct vnrs_speaker *speaker)
{
    int r = 0;

    list_foreach (prefix, &speaker->gateway->custom_routes) {
        if (r == 0 && !has_own(speaker, prefix))
            r = add_own(speaker, prefix, VNRS_SPK_OWN_CUSTOM);
    }
    return r;
}

static int add_vpn_parts(const struct vnrs_model *model, struct vnrs_speaker *speaker)
{
    const struct vnrs_gateway *gateway = speaker->gateway;
    char name[VNRS_PEER_NAME_MAX];
    int r = add_custom(speaker);

    list_foreach (connection, &model->connections) {
        if (connection->gateway != gateway)
            continue;
        if (r == 0 && connection->enable_bgp)
            r = add_vpn_site(model, speaker, connection);
        if (r == 0)
            r = add_statics(speaker, connection);
    }
    (void)snprintf(name, sizeof(name), "gateway.%s", gateway->name);
    for (unsigned i = 0; i < gateway->n_instances && r == 0; i++)
        r = i == speaker->index ? 0
                                : add_internal(speaker, name, i, &gateway->instances[i].ip, gateway->asn,
                                               VNRS_SPK_PEER_TWIN, speaker->index < i);
    return r;
}

static int add_edge_router(struct vnrs_speaker *speaker, const struct vnrs_connection *connection, unsigned index)
{
    char name[VNRS_PEER_NAME_MAX];

    (void)snprintf(name, sizeof(name), "msee.%s", connection->name);
    int r = add_internal(speaker, name, index, &connection->links[index].nic->ips.items[0], VNRS_MSEE_ASN,
                         VNRS_SPK_PEER_MSEE, false);
    if (r == 0)
        speaker->peers.items[speaker->peers.len - 1].weight = (uint16_t)connection->weight;
    return r;
}

static int add_er_parts(const struct vnrs_model *model, struct vnrs_speaker *speaker)
{
    int r = 0;

    list_foreach (connection, &model->connections) {
        if (connection->gateway != speaker->gateway)
            continue;
        for (unsigned i = 0; i < ARRAY_SIZE(connection->links) && r == 0; i++)
            r = add_edge_router(speaker, connection, i);
    }
    return r;
}

static int add_gateway(struct maker *m, const struct vnrs_gateway *gateway, unsigned index)
{
    bool is_vpn = gateway->type == VNRS_GATEWAY_VPN;
    const char *key = gateway->instances[index].machine->name;
    struct vnrs_speaker *speaker =
        add_speaker(m, key, gateway->name, index, is_vpn ? VNRS_SPK_ROLE_VPN_GATEWAY : VNRS_SPK_ROLE_ER_GATEWAY,
                    gateway->asn, &gateway->instances[index].ip);

    if (!speaker)
        return -ENOMEM;
    speaker->hub = gateway->vnet;
    speaker->gateway = gateway;
    speaker->class = is_vpn ? VNRS_LEARNED_VPN : VNRS_LEARNED_ER;
    speaker->in_hub = true;
    speaker->is_next_hop = is_vpn;
    speaker->domain = is_vpn ? key : NULL; // an ExpressRoute gateway is not in the data path
    int r = add_locals(m->model, speaker);
    if (r == 0)
        r = is_vpn ? add_vpn_parts(m->model, speaker) : add_er_parts(m->model, speaker);
    return r < 0 ? r : add_route_server_peers(m->model, speaker);
}

// ---- circuits

// The customer's router at the other end of the link (azure-routing.md 6.2).
static int add_customer(const struct vnrs_model *model, struct vnrs_speaker *speaker)
{
    const struct vnrs_connection *connection = speaker->connection;
    const struct vnrs_circuit_link *link = &connection->links[speaker->index];
    struct vnrs_spk_peer_config peer = {
        .addr = link->customer_ip,
        .hold = (uint16_t)speaker->gateway->timers.hold,
        .keepalive = (uint16_t)speaker->gateway->timers.keepalive,
        .asn = connection->site->asn,
        .max_prefixes = prefix_limit(model, connection->premium ? PREMIUM_MAX_PREFIXES : AZURE_MAX_PREFIXES),
        .ttl = 1,
        .bfd = make_bfd(&connection->bfd),
        .local = link->msee_ip,
        .kind = VNRS_SPK_PEER_OUTSIDE,
    };

    vnrs_str_copy(peer.name, sizeof(peer.name), connection->name);
    vnrs_str_copy(peer.md5, sizeof(peer.md5), connection->password ? connection->password : "");
    return vec_push(&speaker->peers, peer);
}

static int add_msee(struct maker *m, const struct vnrs_connection *connection, unsigned index)
{
    const char *key = connection->links[index].msee->name;
    struct vnrs_speaker *speaker = add_speaker(m, key, connection->name, index, VNRS_SPK_ROLE_MSEE, VNRS_MSEE_ASN,
                                               &connection->links[index].nic->ips.items[0]);

    if (!speaker)
        return -ENOMEM;
    speaker->hub = connection->gateway->vnet;
    speaker->gateway = connection->gateway;
    speaker->connection = connection;
    speaker->class = VNRS_LEARNED_ER;
    speaker->domain = key; // the gateway passes its routes up to the hub
    int r = add_customer(m->model, speaker);
    size_t first = speaker->peers.len;
    if (r == 0)
        r = add_gateway_peers(speaker, connection->gateway, true);
    for (size_t i = first; i < speaker->peers.len; i++)
        speaker->peers.items[i].max_prefixes = prefix_limit(m->model, CIRCUIT_MAX_PREFIXES);
    return r;
}

// ---- all

static int make_all(struct maker *m)
{
    int r = 0;

    list_foreach (rs, &m->model->route_servers) {
        for (unsigned i = 0; i < VNRS_RS_INSTANCES && r == 0; i++)
            r = rs->ips[i].family == VNRS_AF_NONE ? 0 : add_route_server(m, rs, i);
    }
    list_foreach (gateway, &m->model->gateways) {
        for (unsigned i = 0; i < gateway->n_instances && r == 0; i++)
            r = add_gateway(m, gateway, i);
    }
    list_foreach (connection, &m->model->connections) {
        bool is_circuit = connection->type == VNRS_CONNECTION_EXPRESSROUTE;
        for (unsigned i = 0; is_circuit && i < ARRAY_SIZE(connection->links) && r == 0; i++)
            r = add_msee(m, connection, i);
    }
    return r;
}

int vnrs_speakers_make(const struct vnrs_model *model, struct vnrs_speakers *ret_speakers)
{
    struct vnrs_speakers out = {.arena = vnrs_arena_new()};
    struct maker m = {.model = model, .out = &out};
    int r = out.arena ? make_all(&m) : -ENOMEM;

    if (r < 0)
        vnrs_speakers_fini(&out);
    else
        *ret_speakers = out;
    return r;
}

void vnrs_speakers_fini(struct vnrs_speakers *speakers)
{
    vec_foreach (speaker, &speakers->list) {
        vec_foreach (peer, &speaker->peers)
            explicit_bzero(peer->md5, sizeof(peer->md5));
        vec_free(&speaker->own);
        vnrs_route_map_msgs_fini(&speaker->maps);
        vec_free(&speaker->peers);
        vec_free(&speaker->stations);
    }
    vec_free(&speakers->list);
    vnrs_arena_free(speakers->arena);
    speakers->arena = NULL;
}

const struct vnrs_speaker *vnrs_speakers_find(const struct vnrs_speakers *speakers, const char *key)
{
    vec_foreach (speaker, &speakers->list) {
        if (strcmp(speaker->key, key) == 0)
            return speaker;
    }
    return NULL;
}

const struct vnrs_spk_peer_config *vnrs_speaker_find_peer(const struct vnrs_speaker *speaker, const char *name)
{
    vec_foreach (peer, &speaker->peers) {
        if (strcmp(peer->name, name) == 0)
            return peer;
    }
    return NULL;
}

bool vnrs_peer_is_outside(const struct vnrs_spk_peer_config *peer)
{
    return peer->kind == VNRS_SPK_PEER_OUTSIDE;
}
