// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/speakers.h"

#include "util/arena.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>

#define CONNECT_RETRY_MS   2000
#define AZURE_MAX_PREFIXES 4000 // azure-routing.md 5.3

static struct vnrs_speaker *add_speaker(struct vnrs_speakers *out, const char *key, const char *owner, unsigned index)
{
    if (!key || vec_push(&out->list, (struct vnrs_speaker){.key = key, .owner = owner, .index = index}) < 0)
        return NULL;
    return &out->list.items[out->list.len - 1];
}

static int add_locals(const struct vnrs_model *model, struct vnrs_speaker *speaker)
{
    _free_ struct vnrs_prefix *prefixes = NULL;
    size_t n = 0;
    int r = vnrs_hub_locals(model, speaker->hub, &prefixes, &n);

    for (size_t i = 0; i < n && r == 0; i++)
        r = vec_push(&speaker->locals, (struct vnrs_spk_local){.prefix = prefixes[i]});
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

// ---- Route Servers

static struct vnrs_spk_peer_config make_nva(const struct vnrs_model *model, const struct vnrs_bgp_connection *conn)
{
    struct vnrs_spk_peer_config peer = {
        .addr = conn->peer_ip,
        .passive = conn->passive,
        .delay_open = (uint8_t)conn->delay_open,
        .hold = (uint16_t)conn->timers.hold,
        .keepalive = (uint16_t)conn->timers.keepalive,
        .asn = conn->peer_asn,
        .max_prefixes = model->limits == VNRS_LIMITS_AZURE ? AZURE_MAX_PREFIXES : 0,
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

static int add_route_server(const struct vnrs_model *model, struct vnrs_speakers *out,
                            const struct vnrs_route_server *rs, unsigned index)
{
    const char *key = vnrs_arena_printf(out->arena, "%s-%u", rs->name, index);
    struct vnrs_speaker *speaker = add_speaker(out, key, rs->name, index);

    if (!speaker)
        return -ENOMEM;
    speaker->hub = rs->vnet;
    speaker->rs = rs;
    speaker->class = VNRS_LEARNED_NVA;
    speaker->config = (struct vnrs_spk_config){
        .asn = VNRS_RS_ASN,
        .router_id = vnrs_addr_to_v4(&rs->ips[index]),
        .local = rs->ips[index],
        .role = VNRS_SPK_ROLE_ROUTE_SERVER,
        .features = make_features(&rs->options),
        .connect_retry_ms = CONNECT_RETRY_MS,
        .restart_s = (uint16_t)rs->options.restart_s,
    };
    int r = add_locals(model, speaker);
    if (r == 0)
        r = vnrs_route_map_msgs_make(rs, &speaker->maps);
    list_foreach (conn, &rs->connections) {
        if (r == 0)
            r = vec_push(&speaker->peers, make_nva(model, conn));
    }
    return r < 0 ? r : add_stations(model, speaker);
}

// ---- all

static int make_all(const struct vnrs_model *model, struct vnrs_speakers *out)
{
    int r = 0;

    list_foreach (rs, &model->route_servers) {
        for (unsigned i = 0; i < VNRS_RS_INSTANCES && r == 0; i++)
            r = rs->ips[i].family == VNRS_AF_NONE ? 0 : add_route_server(model, out, rs, i);
    }
    return r;
}

int vnrs_speakers_make(const struct vnrs_model *model, struct vnrs_speakers *ret_speakers)
{
    struct vnrs_speakers out = {.arena = vnrs_arena_new()};
    int r = out.arena ? make_all(model, &out) : -ENOMEM;

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
        vec_free(&speaker->locals);
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
