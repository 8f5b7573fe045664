// SPDX-License-Identifier: GPL-2.0-or-later
// BGP instances: which there are, their configuration, and what happens to their routes when a speaker dies. Routes of
// a dead speaker stay, marked stale, until the new one has heard from every peer, or a bounded wait ends: the packet
// path must not notice a restart.
#include "control/state.h"

#include "control/route_map.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/strbuf.h"
#include "util/utf8.h"

#include <errno.h>
#include <string.h>

#define CONNECT_RETRY_MS   2000
#define AZURE_MAX_PREFIXES 4000 // azure-routing.md 5.3

static const struct vnrs_route_server *find_rs(const struct vnrs_lab *lab, const char *name)
{
    if (!lab->model)
        return NULL;
    list_foreach (rs, &lab->model->route_servers) {
        if (strcmp(rs->name, name) == 0)
            return rs;
    }
    return NULL;
}

int vnrs_instance_send(struct vnrs_instance *instance, enum vnrs_speaker_msg type, const void *items, size_t n,
                       size_t size)
{
    struct vnrs_spk_hdr hdr = {
        .proto = VNRS_SPEAKER_PROTO, .type = (uint16_t)type, .count = (uint32_t)n, .generation = instance->generation};
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(void *)items, n * size}};

    return instance->chan ? vnrs_chan_send(instance->chan, parts, ARRAY_SIZE(parts)) : -ENOTCONN;
}

// ---- configuration

// As many messages as it takes.
static int send_array(struct vnrs_instance *instance, enum vnrs_speaker_msg type, const void *items, size_t n,
                      size_t size)
{
    size_t room = (VNRS_SPEAKER_MSG_MAX - sizeof(struct vnrs_spk_hdr)) / size;
    int r = 0;

    for (size_t at = 0; at < n && r == 0; at += room)
        r = vnrs_instance_send(instance, type, (const char *)items + at * size, MIN(room, n - at), size);
    return r;
}

static int send_locals(struct vnrs_instance *instance, const struct vnrs_route_server *rs)
{
    _free_ struct vnrs_prefix *prefixes = NULL;
    size_t n = 0;
    int r = vnrs_route_server_locals(instance->lab->model, rs, &prefixes, &n);
    _free_ struct vnrs_spk_local *locals = r == 0 ? calloc(n + 1, sizeof(*locals)) : NULL;

    if (r == 0 && !locals)
        r = -ENOMEM;
    for (size_t i = 0; i < n && r == 0; i++)
        locals[i].prefix = prefixes[i];
    return r == 0 ? send_array(instance, VNRS_SPK_LOCAL, locals, n, sizeof(*locals)) : r;
}

static int send_maps(struct vnrs_instance *instance, const struct vnrs_route_server *rs)
{
    _cleanup_(vnrs_route_map_msgs_fini) struct vnrs_route_map_msgs msgs = {0};
    int r = vnrs_route_map_msgs_make(rs, &msgs);

    if (r == 0)
        r = send_array(instance, VNRS_SPK_MAP, msgs.maps.items, msgs.maps.len, sizeof(*msgs.maps.items));
    if (r == 0)
        r = send_array(instance, VNRS_SPK_MAP_RULE, msgs.rules.items, msgs.rules.len, sizeof(*msgs.rules.items));
    if (r == 0)
        r = send_array(instance, VNRS_SPK_MAP_ITEM, msgs.items.items, msgs.items.len, sizeof(*msgs.items.items));
    return r;
}

static struct vnrs_spk_peer_config make_peer(const struct vnrs_model *model, const struct vnrs_bgp_connection *conn)
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
    };

    if (conn->bfd.on)
        peer.bfd = (struct vnrs_spk_bfd){
            .min_tx_us = conn->bfd.tx_ms * 1000u,
            .min_rx_us = conn->bfd.rx_ms * 1000u,
            .multiplier = (uint8_t)conn->bfd.multiplier,
            .multihop = conn->bfd.multihop,
            .ttl_min = (uint8_t)conn->bfd.ttl_min,
            .strict = conn->bfd.strict,
        };
    vnrs_str_copy(peer.name, sizeof(peer.name), conn->name);
    vnrs_str_copy(peer.md5, sizeof(peer.md5), conn->password ? conn->password : "");
    return peer;
}

static int send_peers(struct vnrs_instance *instance)
{
    int r = 0;

    vec_foreach (peer, &instance->configured) {
        if (r == 0)
            r = vnrs_instance_send(instance, VNRS_SPK_PEER_CONFIG, peer, 1, sizeof(*peer));
    }
    return r;
}

static void forget_configured(struct vnrs_instance *instance)
{
    vec_foreach (peer, &instance->configured)
        explicit_bzero(peer->md5, sizeof(peer->md5));
    vec_clear(&instance->configured);
}

static const struct vnrs_spk_peer_config *find_configured(const struct vnrs_instance *instance, const char *name)
{
    vec_foreach (peer, &instance->configured) {
        if (strcmp(peer->name, name) == 0)
            return peer;
    }
    return NULL;
}

// What was said of peers that go, or whose session starts again, is not true any more. The speaker says it anew of all
// that change.
static void forget_peers(struct vnrs_instance *instance, const struct vnrs_route_server *rs, bool all)
{
    for (size_t i = instance->peers.len; i-- > 0;) {
        const struct vnrs_spk_peer_config *had = find_configured(instance, instance->peers.items[i].name);
        bool kept = false;
        list_foreach (conn, &rs->connections) {
            struct vnrs_spk_peer_config peer = make_peer(instance->lab->model, conn);
            kept |= !all && had && memcmp(had, &peer, sizeof(peer)) == 0;
        }
        if (!kept)
            instance->peers.items[i] = instance->peers.items[--instance->peers.len];
    }
}

static int set_configured(struct vnrs_instance *instance, const struct vnrs_route_server *rs, uint8_t features)
{
    int r = 0;

    forget_peers(instance, rs, instance->features != features);
    forget_configured(instance);
    instance->features = features;
    list_foreach (conn, &rs->connections) {
        if (r == 0)
            r = vec_push(&instance->configured, make_peer(instance->lab->model, conn));
    }
    return r;
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

static int send_stations(struct vnrs_instance *instance, const struct vnrs_route_server *rs)
{
    char name[VNRS_LAB_NAME_MAX + VNRS_KEY_MAX + 1];
    int r = 0;

    (void)snprintf(name, sizeof(name), "%s/%s", instance->lab->name, instance->key);
    for (size_t i = 0; i < rs->bmp.len && r == 0; i++) {
        const struct vnrs_bmp_target *target = &rs->bmp.items[i];
        struct vnrs_spk_bmp station = {.station = target->station,
                                       .ribs = (uint8_t)target->ribs,
                                       .port = target->port,
                                       .statistics_s = (uint16_t)target->statistics_s};
        vnrs_str_copy(station.name, sizeof(station.name), name);
        r = vnrs_instance_send(instance, VNRS_SPK_BMP, &station, 1, sizeof(station));
    }
    return r;
}

static int send_config(struct vnrs_instance *instance)
{
    const struct vnrs_route_server *rs = find_rs(instance->lab, instance->rs_name);

    if (!rs)
        return 0;
    struct vnrs_spk_config config = {
        .asn = VNRS_RS_ASN,
        .router_id = vnrs_addr_to_v4(&rs->ips[instance->index]),
        .local = rs->ips[instance->index],
        .as_route_server = 1,
        .features = make_features(&rs->options),
        .restart =
            vnrs_learned_len(instance->learned, instance->index) ? VNRS_SPK_RESTARTED | VNRS_SPK_FORWARDING_KEPT : 0,
        .connect_retry_ms = CONNECT_RETRY_MS,
        .restart_s = (uint16_t)rs->options.restart_s,
    };
    int r = set_configured(instance, rs, config.features);
    if (r == 0)
        r = vnrs_instance_send(instance, VNRS_SPK_CONFIG_BEGIN, &config, 1, sizeof(config));
    if (r == 0)
        r = send_locals(instance, rs);
    if (r == 0)
        r = send_maps(instance, rs);
    if (r == 0)
        r = send_peers(instance);
    if (r == 0)
        r = send_stations(instance, rs);
    if (r == 0)
        r = vnrs_instance_send(instance, VNRS_SPK_CONFIG_END, NULL, 0, 0);
    return r;
}

// ---- the channel

static void on_wait_end(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_instance *instance = arg;

    (void)fd, (void)what;
    log_info("lab '%s': instance '%s' did not converge in time; its old routes go", instance->lab->name, instance->key);
    vnrs_instance_drop_stale(instance);
}

static void speaker_gone(struct vnrs_instance *instance)
{
    const struct timeval wait = {VNRS_STALE_WAIT_MS / 1000, 0};

    vnrs_chan_free(instance->chan);
    instance->chan = NULL;
    instance->hello = instance->converged = false;
    vec_clear(&instance->peers);
    vnrs_instance_end_queries(instance, -ECONNRESET);
    vnrs_instance_end_dumps(instance, -ECONNRESET);
    vnrs_instance_drop_sets(instance);
    vnrs_learned_stale(instance->learned, instance->index);
    if (!evtimer_pending(instance->timer, NULL)) // one that dies again and again does not keep them for ever
        (void)evtimer_add(instance->timer, &wait);
}

static int on_message(void *arg, const void *bytes, size_t len, int fd)
{
    if (fd >= 0)
        (void)close(fd);
    return vnrs_instance_message(arg, bytes, len);
}

static void on_lost(void *arg, int err)
{
    struct vnrs_instance *instance = arg;

    if (instance->lab->destroyers.len) { // it was asked to go
        speaker_gone(instance);
        return;
    }
    log_errno_ret(err, "lab '%s': speaker '%s' is lost; its routes stay for %u s", instance->lab->name, instance->key,
                  VNRS_STALE_WAIT_MS / 1000);
    vnrs_event_add(instance->lab->control, instance->lab, "speaker", "speaker '%s' is lost", instance->key);
    speaker_gone(instance);
}

static void start_channel(struct vnrs_instance *instance)
{
    static const struct vnrs_chan_ops ops = {.message = on_message, .lost = on_lost};
    struct vnrs_control *control = instance->lab->control;
    int fd = TAKE_FD(instance->fd);

    instance->chan = vnrs_chan_new(control->base, fd, VNRS_SPEAKER_MSG_MAX, &ops, instance);
    instance->generation = ++control->generation;
    struct vnrs_spk_hello hello = {.generation = instance->generation, .pid = getpid()};
    int r = instance->chan ? vnrs_instance_send(instance, VNRS_SPK_HELLO, &hello, 1, sizeof(hello)) : -ENOMEM;
    if (r == 0)
        r = send_config(instance);
    if (r < 0)
        log_errno_ret(r, "lab '%s': cannot configure speaker '%s'", instance->lab->name, instance->key);
}

static struct vnrs_instance *new_instance(struct vnrs_lab *lab, const char *key)
{
    struct vnrs_instance *instance = calloc(1, sizeof(*instance));
    const char *dash = strrchr(key, '-');

    if (!instance)
        return NULL;
    instance->lab = lab;
    instance->fd = -1;
    vnrs_str_copy(instance->key, sizeof(instance->key), key);
    instance->rs_name = dash ? strndup(key, (size_t)(dash - key)) : NULL;
    instance->index = dash ? (unsigned)strtoul(dash + 1, NULL, 10) : 0;
    instance->timer = evtimer_new(lab->control->base, on_wait_end, instance);
    struct vnrs_rs_routes *routes = instance->rs_name ? vnrs_rs_routes_get(lab, instance->rs_name) : NULL;
    if (!routes || instance->index >= VNRS_RS_INSTANCES || !instance->timer ||
        vec_push(&lab->instances, instance) < 0) {
        vnrs_instance_free(instance);
        return NULL;
    }
    instance->learned = routes->db;
    return instance;
}

static struct vnrs_instance *find_key(const struct vnrs_lab *lab, const char *key)
{
    vec_foreach (instance, &lab->instances) {
        if (strcmp((*instance)->key, key) == 0)
            return *instance;
    }
    return NULL;
}

void vnrs_instance_attach(struct vnrs_lab *lab, const char *key, int fd)
{
    struct vnrs_instance *instance = find_key(lab, key);

    if (!instance)
        instance = new_instance(lab, key);
    if (!instance) {
        (void)close(fd);
        return;
    }
    if (instance->chan)
        speaker_gone(instance);
    if (instance->fd >= 0)
        (void)close(instance->fd);
    instance->fd = fd;
    if (find_rs(lab, instance->rs_name))
        start_channel(instance);
}

void vnrs_instances_update(struct vnrs_lab *lab)
{
    vec_foreach (instance, &lab->instances)
        (*instance)->wanted = false;
    if (lab->model) {
        list_foreach (rs, &lab->model->route_servers) {
            for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++) {
                _free_ char *key = NULL;
                if (rs->ips[i].family == VNRS_AF_NONE || asprintf(&key, "%s-%u", rs->name, i) < 0)
                    continue;
                struct vnrs_instance *instance = find_key(lab, key);
                if (!instance)
                    instance = new_instance(lab, key);
                if (!instance)
                    continue;
                instance->wanted = true;
                int r = 0;
                if (instance->fd >= 0)
                    start_channel(instance);
                else if (instance->chan)
                    r = send_config(instance);
                if (r < 0)
                    log_errno_ret(r, "lab '%s': cannot configure speaker '%s'", lab->name, key);
            }
        }
    }
    for (size_t i = lab->instances.len; i-- > 0;) {
        if (lab->instances.items[i]->wanted)
            continue;
        vnrs_instance_free(lab->instances.items[i]);
        memmove(&lab->instances.items[i], &lab->instances.items[i + 1],
                (--lab->instances.len - i) * sizeof(*lab->instances.items));
    }
    vnrs_rs_routes_prune(lab);
}

void vnrs_instance_free(struct vnrs_instance *instance)
{
    vnrs_chan_free(instance->chan);
    if (instance->fd >= 0)
        (void)close(instance->fd);
    vnrs_instance_end_queries(instance, -ECONNRESET);
    vnrs_instance_end_dumps(instance, -ECONNRESET);
    forget_configured(instance);
    vec_free(&instance->configured);
    vnrs_instance_drop_sets(instance);
    if (instance->learned && vnrs_learned_sweep(instance->learned, instance->index, true) < 0)
        log_error("lab '%s': out of memory: routes of '%s' stay", instance->lab->name, instance->key);
    vec_free(&instance->sets);
    vec_free(&instance->peers);
    vec_free(&instance->queries);
    vec_free(&instance->dumps);
    if (instance->timer)
        event_free(instance->timer);
    free(instance->rs_name);
    free(instance);
}

void vnrs_instance_exited(struct vnrs_lab *lab, const char *key)
{
    struct vnrs_instance *instance = find_key(lab, key);

    if (instance && instance->chan)
        speaker_gone(instance);
}

struct vnrs_instance *vnrs_instance_find(const struct vnrs_lab *lab, const char *rs_name, unsigned index)
{
    vec_foreach (instance, &lab->instances) {
        if ((*instance)->index == index && strcmp((*instance)->rs_name, rs_name) == 0)
            return *instance;
    }
    return NULL;
}

bool vnrs_instances_converged(const struct vnrs_lab *lab)
{
    vec_foreach (instance, &lab->instances) {
        if ((*instance)->wanted && !(*instance)->converged)
            return false;
    }
    return true;
}

// ---- questions

int vnrs_instance_query(struct vnrs_instance *instance, const struct vnrs_spk_query *query,
                        const struct vnrs_spk_pending *pending)
{
    struct vnrs_spk_query out = *query;
    struct vnrs_spk_pending entry = *pending;

    if (!instance->chan || !instance->hello)
        return -ENOTCONN;
    out.id = entry.id = ++instance->lab->control->query_id;
    entry.asked_ms = vnrs_clock_ms();
    int r = vec_push(&instance->queries, entry);
    if (r < 0)
        return r;
    r = vnrs_instance_send(instance, VNRS_SPK_QUERY, &out, 1, sizeof(out));
    if (r < 0)
        instance->queries.len--;
    return r;
}

int vnrs_instance_action(struct vnrs_instance *instance, enum vnrs_spk_action_kind kind, const char *peer,
                         const char *text)
{
    struct vnrs_spk_action action = {.kind = kind};

    vnrs_str_copy(action.peer, sizeof(action.peer), peer);
    vnrs_str_copy(action.text, sizeof(action.text), text);
    vnrs_utf8_trim(action.text);
    return instance->hello ? vnrs_instance_send(instance, VNRS_SPK_ACTION, &action, 1, sizeof(action)) : -ENOTCONN;
}
