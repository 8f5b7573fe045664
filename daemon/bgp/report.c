// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/report.h"

#include "bgp/adj_out.h"
#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

void vnrs_bgp_report_peer(struct vnrs_bgp_member *m, struct vnrs_spk_peer *ret_peer)
{
    const struct vnrs_bgp_fsm *session = vnrs_bgp_peer_session(&m->peer);

    *ret_peer = (struct vnrs_spk_peer){
        .addr = m->conf.addr,
        .state = (uint8_t)vnrs_bgp_peer_state(&m->peer),
        .eor = m->eor,
        .stale = vnrs_bgp_retain_is_active(m),
        .asn = m->conf.asn,
        .established_ms = m->peer.changed_ms,
        .received = vnrs_bgp_import_count(m),
        .advertised = m->advertised,
        .messages_in = m->peer.messages_in,
        .messages_out = m->peer.messages_out,
        .hold = session ? session->session.hold : m->conf.hold,
        .keepalive = session ? session->session.keepalive : m->conf.keepalive,
        .flaps = m->peer.flaps,
        .router_id = session ? session->remote.id : 0,
        .remote_asn = session ? session->remote.asn : 0,
    };
    (void)vnrs_str_copy(ret_peer->name, sizeof(ret_peer->name), m->conf.name);
    (void)vnrs_str_copy(ret_peer->last_error, sizeof(ret_peer->last_error), m->peer.last_error);
}

static bool has_nexthop(const struct vnrs_spk_route *route, const struct vnrs_addr *nexthop)
{
    for (unsigned i = 0; i < route->n; i++)
        if (vnrs_addr_equal(&route->paths[i].nexthop, nexthop))
            return true;
    return false;
}

void vnrs_bgp_report_route(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_dest *dest,
                           struct vnrs_spk_route *ret_route)
{
    const struct vnrs_bgp_path *p = vnrs_bgp_dest_best(dest);

    *ret_route = (struct vnrs_spk_route){.prefix = dest->prefix};
    for (; p && p->slot != VNRS_BGP_SLOT_LOCAL && ret_route->n < VNRS_PATHS_MAX; p = p->next) {
        if (!vnrs_bgp_step_is_multipath(vnrs_bgp_dest_lost_at(&sp->rib, dest, p)))
            break;
        if (has_nexthop(ret_route, &p->attrs->nexthop))
            continue;
        ret_route->paths[ret_route->n++] = (struct vnrs_spk_nexthop){
            .nexthop = p->attrs->nexthop, .peer_asn = sp->rib.sources[p->slot].asn, .path_len = p->attrs->path_len};
    }
}

static struct vnrs_spk_path path_make(const struct vnrs_spk_query *query, const struct vnrs_bgp_dest *dest,
                                      const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_spk_path path = {
        .query = query->id,
        .prefix = dest->prefix,
        .nexthop = attrs->nexthop,
        .origin = attrs->origin,
        .med = attrs->has & VNRS_BGP_HAS_MED ? attrs->med : 0,
    };
    (void)vnrs_bgp_as_path_format(attrs, path.as_path, sizeof(path.as_path));
    return path;
}

// How a path of the RIB stands, and why it is not used: "" where it is. `received` as by vnrs_bgp_import_find, may be
// NULL.
static const char *standing(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_dest *dest,
                            const struct vnrs_bgp_path *p, const struct vnrs_bgp_path *received,
                            struct vnrs_spk_path *path)
{
    enum vnrs_bgp_step step = vnrs_bgp_dest_lost_at(&sp->rib, dest, p);
    const struct vnrs_bgp_member *m = p->slot == VNRS_BGP_SLOT_LOCAL ? NULL : sp->members[p->slot];

    path->lost_at = (uint8_t)step;
    path->best = step == VNRS_BGP_STEP_BEST ? 1 : vnrs_bgp_step_is_multipath(step) ? 2 : 0;
    path->weight = m ? VNRS_BGP_WEIGHT_LEARNED : 0;
    if (m)
        (void)vnrs_str_copy(path->peer, sizeof(path->peer), m->conf.name);
    if (p->barred)
        return vnrs_bgp_barred_text(p->barred);
    if (m && received && vnrs_bgp_retain_is_stale(m, &dest->prefix, received))
        return "stale: the peer restarts";
    return path->best ? "" : vnrs_bgp_step_text(step);
}

static void put_note(struct vnrs_spk_path *path, const char *why, const char *map)
{
    const char *const parts[] = {why, why[0] && map[0] ? "; " : "", map};
    size_t used = 0;

    for (size_t i = 0; i < ARRAY_SIZE(parts); used = strlen(path->note), i++)
        (void)vnrs_str_copy(path->note + used, sizeof(path->note) - used, parts[i]);
}

// What the inbound map did to a path of the RIB.
static void explain(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, const struct vnrs_bgp_path *received,
                    char buf[static VNRS_NOTE_MAX])
{
    struct vnrs_bgp_map_outcome outcome;

    buf[0] = '\0';
    if (!m || !m->import)
        return;
    if (!received)
        (void)snprintf(buf, VNRS_NOTE_MAX, "summary of route map '%s'", vnrs_bgp_map_name(vnrs_bgp_import_map(m)));
    else if (vnrs_bgp_import_outcome(m, prefix, received->attrs, &outcome))
        (void)vnrs_bgp_map_explain(vnrs_bgp_import_map(m), &outcome, buf);
}

static struct vnrs_spk_path path_of_rib(const struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query,
                                        const struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *p)
{
    struct vnrs_bgp_member *m = p->slot == VNRS_BGP_SLOT_LOCAL ? NULL : sp->members[p->slot];
    const struct vnrs_bgp_path *received = m ? vnrs_bgp_import_find(m, &dest->prefix) : NULL;
    struct vnrs_spk_path path = path_make(query, dest, p->attrs);
    struct vnrs_bgp_map_outcome outcome;
    char map[VNRS_NOTE_MAX];

    // What the peer announced for this prefix itself may have gone elsewhere.
    if (received && vnrs_bgp_import_outcome(m, &dest->prefix, received->attrs, &outcome) &&
        (outcome.dropped || !vnrs_prefix_equal(&outcome.prefix, &dest->prefix)))
        received = NULL;
    explain(m, &dest->prefix, received, map);
    put_note(&path, standing(sp, dest, p, received, &path), map);
    return path;
}

// A route as a peer with an inbound map announced it. Returns false if it is in the RIB under its own prefix.
static bool path_as_received(const struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query,
                             struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *p,
                             struct vnrs_spk_path *ret_path)
{
    struct vnrs_bgp_map_outcome outcome = {.prefix = dest->prefix};
    const struct vnrs_bgp_dest *rib_dest = NULL;
    const struct vnrs_bgp_path *rib_path = NULL;
    char map[VNRS_NOTE_MAX] = "";
    const char *why = "";

    if (vnrs_bgp_import_outcome(m, &dest->prefix, p->attrs, &outcome))
        (void)vnrs_bgp_map_explain(vnrs_bgp_import_map(m), &outcome, map);
    *ret_path = path_make(query, dest, p->attrs);
    ret_path->weight = VNRS_BGP_WEIGHT_LEARNED;
    ret_path->lost_at = VNRS_BGP_STEP_BARRED;
    (void)vnrs_str_copy(ret_path->peer, sizeof(ret_path->peer), m->conf.name);
    if (!outcome.dropped)
        rib_dest = vnrs_bgp_rib_find(&sp->rib, &outcome.prefix);
    if (rib_dest)
        rib_path = vnrs_bgp_dest_path(rib_dest, m->slot);
    if (rib_path)
        why = standing(sp, rib_dest, rib_path, p, ret_path);
    put_note(ret_path, why, map);
    return outcome.dropped || !vnrs_prefix_equal(&outcome.prefix, &dest->prefix);
}

static size_t paths_advertised(const struct vnrs_spk_query *query, struct vnrs_bgp_member *m,
                               const struct vnrs_bgp_dest *dest, struct vnrs_spk_path *ret_paths)
{
    bool failed = false;
    const struct vnrs_bgp_attrs *attrs = NULL;

    if (vnrs_bgp_peer_session(&m->peer) && dest->advertised & UINT64_C(1) << m->slot)
        attrs = vnrs_bgp_adj_out_attrs(m, dest, &failed);
    if (!attrs)
        return 0;
    ret_paths[0] = path_make(query, dest, attrs);
    (void)vnrs_str_copy(ret_paths[0].peer, sizeof(ret_paths[0].peer), m->conf.name);
    return 1;
}

static size_t paths_of_rib(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query, struct vnrs_bgp_member *m,
                           const struct vnrs_bgp_dest *dest, struct vnrs_spk_path *ret_paths)
{
    size_t n = 0;

    if (query->kind == VNRS_SPK_ADVERTISED)
        return m ? paths_advertised(query, m, dest, ret_paths) : 0;
    for (const struct vnrs_bgp_path *p = dest->paths; p; p = p->next)
        if (!m || p->slot == m->slot)
            ret_paths[n++] = path_of_rib(sp, query, dest, p);
    return n;
}

// The tables that answer a query, one after the other.
static bool is_asked(const struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query,
                     const struct vnrs_bgp_member *member, unsigned table)
{
    const struct vnrs_bgp_member *owner = table ? sp->members[table - 1] : NULL;

    if (!table) // learned routes are there unless there is a map
        return query->kind != VNRS_SPK_LEARNED || !member || !member->import;
    return query->kind != VNRS_SPK_ADVERTISED && owner && owner->import && (!member || member == owner);
}

static const struct vnrs_bgp_dest *next_entry(const struct vnrs_bgp_rib *rib, const struct vnrs_spk_query *query,
                                              size_t *at)
{
    if (query->prefix.family == VNRS_AF_NONE)
        return vnrs_bgp_rib_next(rib, at);
    return (*at)++ ? NULL : vnrs_bgp_rib_find(rib, &query->prefix);
}

bool vnrs_bgp_report_next(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query, struct vnrs_bgp_member *m,
                          struct vnrs_bgp_report_cursor *cursor, struct vnrs_spk_path *ret_paths, size_t *ret_n)
{
    const struct vnrs_bgp_dest *d = NULL;

    *ret_n = 0;
    for (; cursor->table <= VNRS_BGP_PEERS_MAX; cursor->table++, cursor->at = 0) {
        if (!is_asked(sp, query, m, cursor->table))
            continue;
        struct vnrs_bgp_member *owner = cursor->table ? sp->members[cursor->table - 1] : NULL;
        if (!(d = next_entry(owner ? vnrs_bgp_import_received(owner) : &sp->rib, query, &cursor->at)))
            continue;
        if (!owner)
            *ret_n = paths_of_rib(sp, query, m, d, ret_paths);
        else if (path_as_received(sp, query, owner, d, vnrs_bgp_dest_path(d, owner->slot), ret_paths))
            *ret_n = 1;
        else
            *ret_n = query->kind == VNRS_SPK_LEARNED;
        return true;
    }
    return false;
}
