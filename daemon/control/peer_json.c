// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/peer_json.h"

#include "util/fd.h"
#include "vnrs/bfd.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *vnrs_peer_state_name(unsigned state)
{
    static const char *const names[] = {"Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"};
    _Static_assert(ARRAY_SIZE(names) == _VNRS_BGP_ST_MAX, "a name for each");
    return state < ARRAY_SIZE(names) ? names[state] : "Unknown";
}

const char *vnrs_bfd_state_text(unsigned state)
{
    static const char *const names[] = {
#define X(id, text) [id] = text,
        VNRS_BFD_STATES(X)
#undef X
    };
    return state < ARRAY_SIZE(names) ? names[state] : "Unknown";
}

const char *vnrs_bfd_diag_name(unsigned diag)
{
    static const char *const texts[] = {
#define X(id, text) [id] = text,
        VNRS_BFD_DIAGS(X)
#undef X
    };
    return diag < ARRAY_SIZE(texts) ? texts[diag] : "unknown diagnostic";
}

// null: the connection has no BFD.
static json_t *bfd_json(const struct vnrs_spk_bfd *config, const struct vnrs_spk_bfd_state *bfd, uint64_t now)
{
    if (!config->multiplier)
        return json_null();
    return json_pack(
        "{s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I}", "state",
        vnrs_bfd_state_text(bfd->configured ? bfd->state : VNRS_BFD_DOWN), "peerState",
        vnrs_bfd_state_text(bfd->configured ? bfd->remote_state : VNRS_BFD_DOWN), "multihop", (int)config->multihop,
        "strict", (int)config->strict, "diagnostic", vnrs_bfd_diag_name(bfd->diag), "peerDiagnostic",
        vnrs_bfd_diag_name(bfd->remote_diag), "lastFailure", bfd->failures ? vnrs_bfd_diag_name(bfd->failure) : "",
        "error", bfd->error ? strerror(-bfd->error) : "", "sinceSeconds",
        (json_int_t)(bfd->changed_ms && now > bfd->changed_ms ? (now - bfd->changed_ms) / 1000 : 0),
        "transmitIntervalUs", (json_int_t)bfd->tx_us, "detectionTimeUs", (json_int_t)bfd->detection_us,
        "peerDetectMultiplier", (json_int_t)bfd->remote_multiplier, "configuredTransmitInterval",
        (int)(config->min_tx_us / 1000), "configuredReceiveInterval", (int)(config->min_rx_us / 1000),
        "detectMultiplier", (int)config->multiplier, "minimumTtl", (int)config->ttl_min, "packetsIn",
        (json_int_t)bfd->packets_in, "packetsOut", (json_int_t)bfd->packets_out, "discarded",
        (json_int_t)bfd->discarded, "failures", (json_int_t)bfd->failures);
}

static const char *kind_name(const struct vnrs_speaker *speaker, const struct vnrs_spk_peer_config *config)
{
    static const char *const names[] = {[VNRS_SPK_PEER_OUTSIDE] = "site",
                                        [VNRS_SPK_PEER_ROUTE_SERVER] = "routeServer",
                                        [VNRS_SPK_PEER_VPN_GATEWAY] = "vpnGateway",
                                        [VNRS_SPK_PEER_ER_GATEWAY] = "expressRouteGateway",
                                        [VNRS_SPK_PEER_MSEE] = "msee",
                                        [VNRS_SPK_PEER_TWIN] = "otherInstance"};
    _Static_assert(ARRAY_SIZE(names) == _VNRS_SPK_PEER_KIND_MAX, "a name for each");

    return speaker->rs && vnrs_peer_is_outside(config) ? "nva" : names[config->kind];
}

static const struct vnrs_spk_peer *find_state(const struct vnrs_instance *instance, const char *name)
{
    static const struct vnrs_spk_peer unknown;
    const struct vnrs_spk_peer *peer = instance ? vnrs_instance_find_peer(instance, name) : NULL;

    return peer ? peer : &unknown;
}

json_t *vnrs_peer_json(const struct vnrs_lab *lab, const struct vnrs_speaker *speaker,
                       const struct vnrs_spk_peer_config *config)
{
    const struct vnrs_instance *instance = vnrs_instance_find(lab, speaker->key);
    const struct vnrs_spk_peer *peer = find_state(instance, config->name);
    const struct vnrs_addr *source = config->local.family ? &config->local : &speaker->config.local;
    char local[VNRS_ADDR_STR_MAX], remote[VNRS_ADDR_STR_MAX], id[VNRS_ADDR_STR_MAX] = "";
    const char *error = instance && instance->chan ? "" : "the speaker does not run";
    uint64_t now = vnrs_clock_ms(), since = 0;
    bool is_up = peer->state == VNRS_BGP_ST_ESTABLISHED;

    if (peer->last_error[0])
        error = peer->last_error;
    if (peer->established_ms && now > peer->established_ms)
        since = (now - peer->established_ms) / 1000;
    if (peer->router_id) {
        struct vnrs_addr addr = vnrs_addr_from_v4(peer->router_id);
        vnrs_addr_format(&addr, id);
    }
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:i, s:i, s:I, "
                     "s:s, s:s, s:b, "
                     "s:o}",
                     "name", config->name, "routeServer", speaker->rs ? speaker->owner : "", "instance",
                     (int)speaker->index, "speaker", speaker->key, "owner", speaker->owner, "peerKind",
                     kind_name(speaker, config), "localAddress", vnrs_addr_format(source, local), "peerIp",
                     vnrs_addr_format(&config->addr, remote), "peerAsn", (json_int_t)config->asn, "state",
                     vnrs_peer_state_name(peer->state), "uptimeSeconds", (json_int_t)(is_up ? since : 0),
                     "sinceSeconds", peer->established_ms ? json_integer((json_int_t)since) : json_null(), "received",
                     (json_int_t)peer->received, "advertised", (json_int_t)peer->advertised, "messagesIn",
                     (json_int_t)peer->messages_in, "messagesOut", (json_int_t)peer->messages_out, "holdTime",
                     (int)peer->hold, "keepaliveTime", (int)peer->keepalive, "flaps", (json_int_t)peer->flaps,
                     "lastError", error, "routerId", id, "stale", (int)peer->stale, "bfd",
                     bfd_json(&config->bfd, &peer->bfd, now));
}

// ---- everything

static bool has(uint32_t bits, unsigned cap)
{
    return bits >> cap & 1;
}

static const struct {
    const char *name, *rfc;
    uint8_t ours, theirs; // enum vnrs_spk_cap; `in_use` is under `ours`
} capabilities[] = {
    {"multiprotocol IPv4 unicast", "4760", VNRS_SPK_CAP_FAMILY, VNRS_SPK_CAP_FAMILY},
    {"multiprotocol IPv6 unicast", "4760", VNRS_SPK_CAP_FAMILY + 1, VNRS_SPK_CAP_FAMILY + 1},
    {"4-octet AS number", "6793", VNRS_SPK_CAP_AS4, VNRS_SPK_CAP_AS4},
    {"route refresh", "2918", VNRS_SPK_CAP_REFRESH, VNRS_SPK_CAP_REFRESH},
    {"enhanced route refresh", "7313", VNRS_SPK_CAP_ENHANCED_REFRESH, VNRS_SPK_CAP_ENHANCED_REFRESH},
    {"extended messages", "8654", VNRS_SPK_CAP_EXTENDED_MESSAGES, VNRS_SPK_CAP_EXTENDED_MESSAGES},
    {"graceful restart", "4724", VNRS_SPK_CAP_GRACEFUL_RESTART, VNRS_SPK_CAP_GRACEFUL_RESTART},
    {"graceful restart after NOTIFICATION", "8538", VNRS_SPK_CAP_GR_NOTIFICATION, VNRS_SPK_CAP_GR_NOTIFICATION},
    {"extended next hop", "8950", VNRS_SPK_CAP_EXTENDED_NEXTHOP, VNRS_SPK_CAP_EXTENDED_NEXTHOP},
    {"ADD-PATH IPv4 unicast, in", "7911", VNRS_SPK_CAP_ADD_PATH_RX, VNRS_SPK_CAP_ADD_PATH_TX},
    {"ADD-PATH IPv6 unicast, in", "7911", VNRS_SPK_CAP_ADD_PATH_RX + 1, VNRS_SPK_CAP_ADD_PATH_TX + 1},
    {"ADD-PATH IPv4 unicast, out", "7911", VNRS_SPK_CAP_ADD_PATH_TX, VNRS_SPK_CAP_ADD_PATH_RX},
    {"ADD-PATH IPv6 unicast, out", "7911", VNRS_SPK_CAP_ADD_PATH_TX + 1, VNRS_SPK_CAP_ADD_PATH_RX + 1},
    {"BFD strict mode", "draft", VNRS_SPK_CAP_BFD_STRICT, VNRS_SPK_CAP_BFD_STRICT},
};

static json_t *capabilities_json(const struct vnrs_spk_detail *d)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:b}", "name", capabilities[i].name, "rfc",
                                                    capabilities[i].rfc, "announced",
                                                    (int)has(d->announced, capabilities[i].ours), "received",
                                                    (int)has(d->received, capabilities[i].theirs), "inUse",
                                                    (int)has(d->in_use, capabilities[i].ours)));
    return list;
}

static json_t *families_json(const struct vnrs_spk_detail *d)
{
    static const char *const names[VNRS_SPK_FAMILIES] = {"IPv4 unicast", "IPv6 unicast"};
    json_t *list = json_array();

    for (unsigned f = 0; f < VNRS_SPK_FAMILIES; f++)
        (void)json_array_append_new(
            list, json_pack("{s:s, s:b, s:I, s:I, s:I, s:b, s:b, s:b, s:b, s:b, s:b}", "name", names[f], "inUse",
                            (int)has(d->in_use, VNRS_SPK_CAP_FAMILY + f), "received", (json_int_t)d->paths[f],
                            "accepted", (json_int_t)d->accepted[f], "advertised", (json_int_t)d->advertised[f],
                            "addPathIn", (int)has(d->in_use, VNRS_SPK_CAP_ADD_PATH_RX + f), "addPathOut",
                            (int)has(d->in_use, VNRS_SPK_CAP_ADD_PATH_TX + f), "gracefulRestartAnnounced",
                            (int)has(d->announced, VNRS_SPK_CAP_GR_FAMILY + f), "gracefulRestartReceived",
                            (int)has(d->received, VNRS_SPK_CAP_GR_FAMILY + f), "forwardingKeptAnnounced",
                            (int)has(d->announced, VNRS_SPK_CAP_GR_FORWARDING + f), "forwardingKeptReceived",
                            (int)has(d->received, VNRS_SPK_CAP_GR_FORWARDING + f)));
    return list;
}

static json_t *counts_json(const uint32_t counts[static VNRS_SPK_MESSAGE_TYPES])
{
    static const char *const names[] = {"open", "update", "notification", "keepalive", "routeRefresh"};
    _Static_assert(ARRAY_SIZE(names) == VNRS_SPK_MESSAGE_TYPES, "a name for each");
    json_t *json = json_object();
    json_int_t total = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        (void)json_object_set_new(json, names[i], json_integer(counts[i]));
        total += counts[i];
    }
    (void)json_object_set_new(json, "total", json_integer(total));
    return json;
}

static json_int_t seconds_ago(uint64_t then_ms, uint64_t now_ms)
{
    return now_ms > then_ms ? (json_int_t)((now_ms - then_ms) / 1000) : 0;
}

static json_t *time_json(json_int_t ago, int64_t now)
{
    time_t then = (time_t)(now - ago);
    char text[32] = "";
    struct tm tm;

    if (gmtime_r(&then, &tm))
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

static json_t *notification_json(const struct vnrs_spk_detail *d, uint64_t now_ms, int64_t now)
{
    char hex[2 * sizeof(d->error_data) + 1] = "";
    json_int_t ago = seconds_ago(d->error_ms, now_ms);

    if (d->error_by == VNRS_SPK_NOBODY)
        return json_null();
    for (unsigned i = 0; i < d->error_len; i++)
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", d->error_data[i]);
    return json_pack("{s:s, s:i, s:i, s:s, s:s, s:I, s:o}", "sentBy", d->error_by == VNRS_SPK_US ? "local" : "peer",
                     "code", (int)d->error_code, "subcode", (int)d->error_subcode, "text", d->error_text, "data", hex,
                     "secondsAgo", ago, "time", time_json(ago, now));
}

static json_t *reset_json(const struct vnrs_spk_detail *d, uint64_t now_ms, int64_t now)
{
    json_int_t ago = seconds_ago(d->reset_ms, now_ms);

    if (!d->reset_ms)
        return json_null();
    return json_pack("{s:s, s:I, s:o}", "reason", d->reset_text, "secondsAgo", ago, "time", time_json(ago, now));
}

static json_t *restart_json(const struct vnrs_spk_detail *d)
{
    return json_pack("{s:b, s:i, s:i, s:b, s:b, s:b}", "inUse", (int)has(d->in_use, VNRS_SPK_CAP_GRACEFUL_RESTART),
                     "localRestartTime", (int)d->gr_time_local, "peerRestartTime", (int)d->gr_time_remote,
                     "localRestarted", (int)has(d->announced, VNRS_SPK_CAP_GR_RESTARTED), "peerRestarted",
                     (int)has(d->received, VNRS_SPK_CAP_GR_RESTARTED), "notification",
                     (int)has(d->in_use, VNRS_SPK_CAP_GR_NOTIFICATION));
}

static json_t *timers_json(const struct vnrs_spk_peer_config *config, const struct vnrs_spk_peer *peer,
                           const struct vnrs_spk_detail *d)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "holdTime", (int)peer->hold, "keepaliveTime",
                     (int)peer->keepalive, "configuredHoldTime", (int)config->hold, "configuredKeepaliveTime",
                     (int)config->keepalive, "peerHoldTime", (int)d->hold_remote, "holdTimeLeft",
                     (int)((d->hold_left_ms + 999) / 1000));
}

json_t *vnrs_peer_json_full(const struct vnrs_lab *lab, const struct vnrs_speaker *speaker,
                            const struct vnrs_spk_peer_config *config, const struct vnrs_spk_detail *detail,
                            uint64_t now_ms, int64_t now)
{
    static const struct vnrs_spk_detail none;
    const struct vnrs_spk_detail *d = detail ? detail : &none;
    const struct vnrs_spk_peer *peer = find_state(vnrs_instance_find(lab, speaker->key), config->name);
    json_t *json = vnrs_peer_json(lab, speaker, config);
    struct vnrs_addr router_id = vnrs_addr_from_v4(speaker->config.router_id);
    unsigned hops = config->ttl_min ? 256u - config->ttl_min : 0;
    char id[VNRS_ADDR_STR_MAX];
    json_t *more = json_pack(
        "{s:I, s:s, s:i, s:i, s:o, s:b, s:i, s:i, s:b, s:I, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o}", "localAsn",
        (json_int_t)speaker->config.asn, "localRouterId", vnrs_addr_format(&router_id, id), "localPort",
        (int)d->local_port, "peerPort", (int)d->remote_port, "openedBy",
        d->opened_by == VNRS_SPK_NOBODY ? json_null() : json_string(d->opened_by == VNRS_SPK_US ? "local" : "peer"),
        "passive", (int)config->passive, "ttl", hops ? 255 : (int)config->ttl, "ttlSecurityHops", (int)hops, "md5",
        config->md5[0] != '\0', "queued", (json_int_t)d->queued, "timers", timers_json(config, peer, d), "capabilities",
        capabilities_json(d), "families", families_json(d), "gracefulRestart", restart_json(d), "messages", "received",
        counts_json(d->messages_in), "sent", counts_json(d->messages_out), "lastNotification",
        notification_json(d, now_ms, now), "lastReset", reset_json(d, now_ms, now));

    if (json && more)
        (void)json_object_update(json, more);
    json_decref(more);
    return json;
}
