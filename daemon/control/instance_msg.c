// SPDX-License-Identifier: GPL-2.0-or-later
// What a speaker says. Speakers parse what peers send, so nothing here is trusted: every length, count and enum is
// checked, and the first wrong one ends the channel (the agent then restarts the speaker).
#include "control/state.h"

#include "control/peer_json.h"
#include "util/log.h"
#include "util/utf8.h"
#include "vnrs/bfd.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

#define ROUTES_MAX   2000000 // of one instance
#define QUERY_MAX_MS 10000

static bool is_prefix(const struct vnrs_prefix *prefix)
{
    if (prefix->family != VNRS_AF_IPV4 && prefix->family != VNRS_AF_IPV6)
        return false;
    if (prefix->len > vnrs_af_bits(prefix->family))
        return false;
    struct vnrs_addr addr = vnrs_prefix_addr(prefix);
    struct vnrs_prefix clean = vnrs_prefix_make(&addr, prefix->len);
    return memcmp(&clean, prefix, sizeof(clean)) == 0;
}

static bool is_addr(const struct vnrs_addr *addr, bool none_too)
{
    static const uint8_t zero[16];

    if (addr->family == VNRS_AF_NONE)
        return none_too && memcmp(addr->bytes, zero, sizeof(zero)) == 0;
    if (addr->family == VNRS_AF_IPV4)
        return memcmp(addr->bytes + 4, zero, 12) == 0;
    return addr->family == VNRS_AF_IPV6;
}

static bool is_text(const char *text, size_t size)
{
    size_t len = strnlen(text, size);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e)
            return false;
    }
    return len < size;
}

// ---- peers

static void note_state(struct vnrs_instance *instance, const struct vnrs_spk_peer *old, const struct vnrs_spk_peer *new)
{
    bool was = old && old->state == VNRS_BGP_ST_ESTABLISHED, is = new->state == VNRS_BGP_ST_ESTABLISHED;

    if (was != is)
        vnrs_event_add(instance->lab->control, instance->lab, "bgp", "peer '%s' of '%s' is %s%s%s", new->name,
                       instance->key, is ? "Established" : "down", new->last_error[0] && !is ? ": " : "",
                       is ? "" : new->last_error);
}

static void note_bfd(struct vnrs_instance *instance, const struct vnrs_spk_peer *old, const struct vnrs_spk_peer *new)
{
    bool was = old && old->bfd.state == VNRS_BFD_UP, is = new->bfd.state == VNRS_BFD_UP;

    if (was != is && new->bfd.configured)
        vnrs_event_add(instance->lab->control, instance->lab, "bfd", "BFD with peer '%s' of '%s' is %s%s%s", new->name,
                       instance->key, is ? "Up" : "down", is ? "" : ": ", is ? "" : vnrs_bfd_diag_name(new->bfd.diag));
}

static bool is_bfd_state(const struct vnrs_spk_bfd_state *bfd)
{
    return bfd->state < _VNRS_BFD_STATE_MAX && bfd->remote_state < _VNRS_BFD_STATE_MAX &&
           bfd->diag <= VNRS_BFD_DIAG_LAST && bfd->remote_diag <= VNRS_BFD_DIAG_LAST &&
           bfd->failure <= VNRS_BFD_DIAG_LAST && bfd->error <= 0;
}

static int on_peers(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_peer *peers = items;

    for (size_t i = 0; i < n; i++) {
        struct vnrs_spk_peer peer = peers[i], *old = NULL;
        if (!is_text(peer.name, sizeof(peer.name)) || !vnrs_utf8_is_text(peer.last_error, sizeof(peer.last_error)) ||
            peer.state >= _VNRS_BGP_ST_MAX || !is_addr(&peer.addr, true) || !is_bfd_state(&peer.bfd))
            return -EPROTO;
        vec_foreach (have, &instance->peers) {
            if (strcmp(have->name, peer.name) == 0)
                old = have;
        }
        note_bfd(instance, old, &peer); // the cause first
        note_state(instance, old, &peer);
        if (old)
            *old = peer;
        else if (instance->peers.len >= 4096 || vec_push(&instance->peers, peer) < 0)
            return -ENOMEM;
    }
    return 0;
}

// ---- routes

static bool is_set_or_none(const struct vnrs_spk_set *set)
{
    bool is = set->n <= VNRS_PATHS_MAX;

    for (unsigned i = 0; is && i < set->n; i++)
        is = is_addr(&set->paths[i].nexthop, set->n == 1); // one that is dropped is not shared
    return is;
}

static bool is_set(const struct vnrs_spk_set *set)
{
    return set->n && is_set_or_none(set);
}

static int on_sets(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_set *sets = items;
    int r = 0;

    for (size_t i = 0; i < n; i++)
        if (!is_set(&sets[i]))
            return -EPROTO;
    for (unsigned i = 0; i < instance->n_outlets && r == 0; i++)
        r = vnrs_outlet_sets(&instance->outlets[i], sets, n);
    return r;
}

static int take_route(const struct vnrs_instance *instance, struct vnrs_outlet *outlet,
                      const struct vnrs_spk_route *route)
{
    if (!is_prefix(&route->prefix) || route->set > outlet->sets.len)
        return -EPROTO;
    if (route->set && vnrs_learned_len(outlet->db, outlet->number) >= ROUTES_MAX)
        return -ENOMEM;
    int r = vnrs_outlet_route(outlet, route);
    // What the other one said before it died is no newer than this: peers tell both the same. One that comes back
    // itself may not have heard of all yet.
    if (r == 0 && instance->converged)
        r = vnrs_learned_supersede(outlet->db, outlet->number, &route->prefix);
    return r;
}

static int on_routes(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_route *routes = items;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        for (unsigned o = 0; o < instance->n_outlets && r == 0; o++)
            r = take_route(instance, &instance->outlets[o], &routes[i]);
    if (r == 0)
        vnrs_lab_learned(instance->lab);
    return r;
}

// Forwarding first: next hops of dead peers leave the groups now, the prefixes follow.
static int on_down(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_down *down = items;
    int r = 0;

    (void)n;
    for (unsigned i = 0; i < instance->n_outlets && r == 0; i++)
        r = vnrs_learned_down(instance->outlets[i].db, instance->outlets[i].number, down->sources, vnrs_lab_move,
                              instance->lab);
    vnrs_lab_learned(instance->lab);
    return r;
}

// Likewise, of what comes in place of them where nothing is left.
static int on_next(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_next *next = items;
    int r = 0;

    for (size_t i = 0; i < n; i++)
        if (!is_set(&next[i].from) || !is_set_or_none(&next[i].to) || (next[i].parts && next[i].to.n))
            return -EPROTO;
    for (unsigned i = 0; i < instance->n_outlets && r == 0; i++)
        r = vnrs_outlet_next(&instance->outlets[i], next, n, vnrs_lab_move, instance->lab);
    vnrs_lab_learned(instance->lab);
    return r;
}

void vnrs_instance_drop_stale(struct vnrs_instance *instance)
{
    int r = 0;

    for (unsigned i = 0; i < instance->n_outlets && r == 0; i++)
        r = vnrs_learned_expire(instance->outlets[i].db, instance->outlets[i].number, vnrs_lab_move, instance->lab);
    if (r < 0)
        log_error("lab '%s': out of memory: old routes of '%s' stay", instance->lab->name, instance->key);
    vnrs_lab_learned(instance->lab);
}

// ---- answers

static struct vnrs_spk_pending *find_query(struct vnrs_instance *instance, uint32_t id)
{
    vec_foreach (query, &instance->queries) {
        if (query->id == id)
            return query;
    }
    return NULL;
}

static int on_paths(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_path *paths = items;

    for (size_t i = 0; i < n; i++) {
        struct vnrs_spk_path path = paths[i];
        if (!is_prefix(&path.prefix) || !is_addr(&path.nexthop, true) || !is_text(path.peer, sizeof(path.peer)) ||
            !is_text(path.as_path, sizeof(path.as_path)) || !is_text(path.note, sizeof(path.note)))
            return -EPROTO;
        const struct vnrs_spk_pending *query = find_query(instance, path.query);
        if (query && query->path)
            query->path(query->arg, &path);
    }
    return 0;
}

static void end_query(struct vnrs_instance *instance, struct vnrs_spk_pending *query, int error)
{
    struct vnrs_spk_pending ended = *query;
    size_t at = (size_t)(query - instance->queries.items);

    memmove(query, query + 1, (--instance->queries.len - at) * sizeof(*query));
    ended.end(ended.arg, error);
}

static int on_detail(struct vnrs_instance *instance, const void *items, size_t n)
{
    struct vnrs_spk_detail detail;

    (void)n;
    memcpy(&detail, items, sizeof(detail));
    if (detail.opened_by > VNRS_SPK_PEER_SIDE || detail.error_by > VNRS_SPK_PEER_SIDE ||
        detail.error_len > sizeof(detail.error_data) ||
        !vnrs_utf8_is_text(detail.error_text, sizeof(detail.error_text)) ||
        !vnrs_utf8_is_text(detail.reset_text, sizeof(detail.reset_text)))
        return -EPROTO;
    const struct vnrs_spk_pending *query = find_query(instance, detail.query);
    if (query && query->detail)
        query->detail(query->arg, &detail);
    return 0;
}

static int on_query_end(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_query_end *end = items;
    struct vnrs_spk_pending *query = find_query(instance, end->query);

    (void)n;
    if (query)
        end_query(instance, query, end->error);
    return 0;
}

void vnrs_instance_end_queries(struct vnrs_instance *instance, int error)
{
    while (instance->queries.len)
        end_query(instance, &instance->queries.items[instance->queries.len - 1], error);
}

// A speaker that does not answer must not keep clients waiting.
void vnrs_instance_expire_queries(struct vnrs_instance *instance, uint64_t now_ms)
{
    for (size_t i = instance->queries.len; i-- > 0;) {
        if (i < instance->queries.len && now_ms - instance->queries.items[i].asked_ms > QUERY_MAX_MS)
            end_query(instance, &instance->queries.items[i], -ETIMEDOUT);
    }
}

// ---- the rest

static int on_hello(struct vnrs_instance *instance, const void *items, size_t n)
{
    (void)items, (void)n;
    instance->hello = true;
    return 0;
}

static int on_synced(struct vnrs_instance *instance, const void *items, size_t n)
{
    (void)instance, (void)items, (void)n; // nothing waits for it
    return 0;
}

static int on_converged(struct vnrs_instance *instance, const void *items, size_t n)
{
    (void)items, (void)n;
    instance->converged = true;
    (void)evtimer_del(instance->timer);
    vnrs_instance_drop_stale(instance);
    if (vnrs_instances_converged(instance->lab))
        vnrs_lab_release_hold(instance->lab);
    return 0;
}

static const struct {
    int (*take)(struct vnrs_instance *instance, const void *items, size_t n);
    size_t size;
    bool one; // exactly one
} messages[_VNRS_SPK_MAX] = {
    [VNRS_SPK_HELLO] = {on_hello, sizeof(struct vnrs_spk_hello), true},
    [VNRS_SPK_PEER] = {on_peers, sizeof(struct vnrs_spk_peer), false},
    [VNRS_SPK_SETS] = {on_sets, sizeof(struct vnrs_spk_set), false},
    [VNRS_SPK_DOWN] = {on_down, sizeof(struct vnrs_spk_down), true},
    [VNRS_SPK_NEXT] = {on_next, sizeof(struct vnrs_spk_next), false},
    [VNRS_SPK_ROUTES] = {on_routes, sizeof(struct vnrs_spk_route), false},
    [VNRS_SPK_SYNCED] = {on_synced, sizeof(struct vnrs_spk_synced), true},
    [VNRS_SPK_CONVERGED] = {on_converged, 0, false},
    [VNRS_SPK_PATHS] = {on_paths, sizeof(struct vnrs_spk_path), false},
    [VNRS_SPK_DETAIL] = {on_detail, sizeof(struct vnrs_spk_detail), true},
    [VNRS_SPK_QUERY_END] = {on_query_end, sizeof(struct vnrs_spk_query_end), true},
    [VNRS_SPK_DUMP_DATA] = {vnrs_instance_on_dump_data, sizeof(struct vnrs_spk_dump_data), false},
    [VNRS_SPK_DUMP_END] = {vnrs_instance_on_dump_end, sizeof(struct vnrs_spk_dump_end), true},
};

// Takes the first message; returns its length or a negative errno.
static ssize_t take_message(struct vnrs_instance *instance, const char *bytes, size_t len)
{
    struct vnrs_spk_hdr hdr;

    if (len < sizeof(hdr))
        return -EPROTO;
    memcpy(&hdr, bytes, sizeof(hdr));
    if (hdr.proto != VNRS_SPEAKER_PROTO || hdr.type >= _VNRS_SPK_MAX || !messages[hdr.type].take)
        return -EPROTO;
    if (hdr.generation != instance->generation)
        return (ssize_t)len; // for an earlier controller, or of an earlier speaker
    uint64_t size = (uint64_t)hdr.count * messages[hdr.type].size, rest = len - sizeof(hdr);
    if (size > rest || (size < rest && hdr.type != VNRS_SPK_SETS) || (messages[hdr.type].one && hdr.count != 1))
        return -EPROTO;
    // The receive buffer is aligned, and so is what follows the header, also behind SETS.
    static_assert(sizeof(struct vnrs_spk_set) % alignof(uint64_t) == 0, "as long as it is aligned");
    int r = messages[hdr.type].take(instance, bytes + sizeof(hdr), hdr.count);
    return r < 0 ? r : (ssize_t)(sizeof(hdr) + size);
}

int vnrs_instance_message(struct vnrs_instance *instance, const void *bytes, size_t len)
{
    size_t at = 0;

    do {
        ssize_t r = take_message(instance, (const char *)bytes + at, len - at);
        if (r < 0)
            return (int)r;
        at += (size_t)r;
    } while (at < len);
    return 0;
}
