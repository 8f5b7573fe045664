// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/report.h"

#include "bgp/adj_out.h"
#include "util/strbuf.h"

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
        .received = m->speaker->rib.counts[m->slot],
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

static struct vnrs_spk_path path_of_rib(const struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query,
                                        const struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *p)
{
    struct vnrs_spk_path path = path_make(query, dest, p->attrs);
    enum vnrs_bgp_step step = vnrs_bgp_dest_lost_at(&sp->rib, dest, p);
    const struct vnrs_bgp_member *m = p->slot == VNRS_BGP_SLOT_LOCAL ? NULL : sp->members[p->slot];

    path.lost_at = (uint8_t)step;
    path.best = step == VNRS_BGP_STEP_BEST ? 1 : vnrs_bgp_step_is_multipath(step) ? 2 : 0;
    path.weight = m ? VNRS_BGP_WEIGHT_LEARNED : 0;
    if (m)
        (void)vnrs_str_copy(path.peer, sizeof(path.peer), m->conf.name);
    (void)vnrs_str_copy(path.note, sizeof(path.note),
                        p->barred                                            ? vnrs_bgp_barred_text(p->barred)
                        : m && vnrs_bgp_retain_is_stale(m, &dest->prefix, p) ? "stale: the peer restarts"
                        : path.best                                          ? ""
                                                                             : vnrs_bgp_step_text(step));
    return path;
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

size_t vnrs_bgp_report_paths(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query, struct vnrs_bgp_member *m,
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
