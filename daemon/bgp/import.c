// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/import.h"

#include "bgp/nlri.h"
#include "bgp/speaker_core.h"
#include "bgp/summary.h"

#include <errno.h>
#include <string.h>

struct vnrs_bgp_import {
    const struct vnrs_bgp_map *map;
    struct vnrs_bgp_rib received;
    struct vnrs_bgp_summary *summaries; // by vnrs_bgp_map_target
    size_t n_summaries;
    bool incomplete; // memory ran out while the map was applied
    // The last edit: prefixes of an UPDATE mostly come out alike.
    const struct vnrs_bgp_attrs *in, *out;
    struct vnrs_bgp_map_outcome outcome;
};

// --- usable or not

// Only the outermost ranges are in `cover`, so at most one of them holds an address.
static bool is_covered(const struct vnrs_bgp_speaker *speaker, const struct vnrs_prefix *prefix)
{
    struct vnrs_addr addr = vnrs_prefix_addr(prefix);
    struct vnrs_prefix range;

    return vnrs_trie_match(&speaker->cover, &addr, &range) && range.len <= prefix->len;
}

// The instance's address, or the one that it has in the session.
static bool is_own_addr(const struct vnrs_bgp_member *m, const struct vnrs_addr *addr)
{
    return vnrs_addr_equal(addr, &m->speaker->conf.local) ||
           (m->conf.local.family && vnrs_addr_equal(addr, &m->conf.local));
}

// What gateways say.
static enum vnrs_bgp_barred judge_branch(const struct vnrs_bgp_speaker *speaker, unsigned from,
                                         const struct vnrs_bgp_attrs *attrs)
{
    bool is_gateway = from == VNRS_SPK_PEER_VPN_GATEWAY || from == VNRS_SPK_PEER_ER_GATEWAY;

    if (speaker->conf.role == VNRS_SPK_ROLE_ROUTE_SERVER && is_gateway && !speaker->conf.branch_to_branch)
        return VNRS_BGP_BARRED_BRANCH;
    if (from == VNRS_SPK_PEER_MSEE && speaker->has_route_server &&
        vnrs_bgp_attrs_has_community(attrs, VNRS_BGP_COMMUNITY_RS))
        return VNRS_BGP_BARRED_MARKED;
    return VNRS_BGP_USABLE;
}

static enum vnrs_bgp_barred judge(const struct vnrs_bgp_speaker *speaker, const struct vnrs_prefix *prefix,
                                  unsigned slot, const struct vnrs_bgp_attrs *attrs)
{
    unsigned from = speaker->rib.sources[slot].from;

    if (vnrs_bgp_attrs_has_asn(attrs, speaker->conf.asn))
        return VNRS_BGP_BARRED_LOOP;
    if (is_own_addr(speaker->members[slot], &attrs->nexthop))
        return VNRS_BGP_BARRED_NEXTHOP;
    if (vnrs_bgp_role_protects_locals(speaker->conf.role) && is_covered(speaker, prefix))
        return VNRS_BGP_BARRED_LOCAL;
    return from == VNRS_SPK_PEER_OUTSIDE ? VNRS_BGP_USABLE : judge_branch(speaker, from, attrs);
}

static enum vnrs_bgp_barred judge_path(const struct vnrs_prefix *prefix, const struct vnrs_bgp_path *path, void *arg)
{
    return judge(arg, prefix, path->slot, path->attrs);
}

void vnrs_bgp_import_rejudge(struct vnrs_bgp_speaker *speaker)
{
    vnrs_bgp_rib_rejudge(&speaker->rib, judge_path, speaker);
}

static int enter(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, uint32_t path_id,
                 const struct vnrs_bgp_attrs *attrs)
{
    enum vnrs_bgp_barred barred = judge(m->speaker, prefix, m->slot, attrs);
    int err = vnrs_bgp_rib_update(&m->speaker->rib, prefix, m->slot, path_id, attrs, barred);
    return err < 0 ? err : 0;
}

// --- through the map

static void forget_edit(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_import *im = m->import;

    vnrs_bgp_attrs_unref(m->speaker->attrs, TAKE_PTR(im->in));
    vnrs_bgp_attrs_unref(m->speaker->attrs, TAKE_PTR(im->out));
}

// 1 with the set that comes out (one reference), 0 for a route that is dropped, or -ENOMEM.
static int pass(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, const struct vnrs_bgp_attrs *attrs,
                struct vnrs_bgp_map_outcome *ret_outcome, const struct vnrs_bgp_attrs **ret_attrs)
{
    struct vnrs_bgp_import *im = m->import;
    struct vnrs_bgp_attrs edited;

    vnrs_bgp_map_match(im->map, prefix, attrs, ret_outcome);
    if (ret_outcome->dropped)
        return 0;
    if (!ret_outcome->fired) {
        *ret_attrs = vnrs_bgp_attrs_ref(attrs);
        return 1;
    }
    if (im->in != attrs || !vnrs_bgp_map_outcome_equal(&im->outcome, ret_outcome)) {
        if (vnrs_bgp_map_edit(im->map, attrs, ret_outcome, &edited) < 0) {
            ret_outcome->dropped = true;
            return 0;
        }
        const struct vnrs_bgp_attrs *set = vnrs_bgp_attrs_intern(m->speaker->attrs, &edited);
        if (!set)
            return -ENOMEM;
        forget_edit(m);
        im->in = vnrs_bgp_attrs_ref(attrs);
        im->out = set;
        im->outcome = *ret_outcome;
    }
    *ret_attrs = vnrs_bgp_attrs_ref(im->out);
    return 1;
}

bool vnrs_bgp_import_outcome(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix,
                             const struct vnrs_bgp_attrs *attrs, struct vnrs_bgp_map_outcome *ret_outcome)
{
    const struct vnrs_bgp_attrs *out = NULL;

    if (!m->import)
        return false;
    int r = pass(m, prefix, attrs, ret_outcome, &out);
    bool same = r == 1 && out == attrs && !ret_outcome->summarised;
    vnrs_bgp_attrs_unref(m->speaker->attrs, out);
    return r >= 0 && !same;
}

// --- summaries

static int settle(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, const struct vnrs_bgp_summary *summary)
{
    const struct vnrs_bgp_attrs *best = vnrs_bgp_summary_best(summary, VNRS_BGP_SLOTS);

    if (best)
        return enter(m, prefix, 0, best);
    (void)vnrs_bgp_rib_withdraw(&m->speaker->rib, prefix, m->slot, 0);
    return 0;
}

static void summaries_clear(struct vnrs_bgp_member *m)
{
    for (size_t i = 0; i < m->import->n_summaries; i++)
        vnrs_bgp_summary_fini(m->speaker->attrs, &m->import->summaries[i]);
}

static void summaries_free(struct vnrs_bgp_member *m)
{
    summaries_clear(m);
    free(TAKE_PTR(m->import->summaries));
    m->import->n_summaries = 0;
}

// --- received routes and what comes of them

static struct vnrs_bgp_summary *summary_of(struct vnrs_bgp_import *im, const struct vnrs_prefix *prefix)
{
    int at = vnrs_bgp_map_target(im->map, prefix);
    return at < 0 ? NULL : &im->summaries[at];
}

// A received route comes to be: its result goes into the RIB, a summary of several without their identifiers.
static int contribute(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, uint32_t path_id,
                      const struct vnrs_bgp_attrs *attrs, struct vnrs_bgp_map_outcome *ret_outcome)
{
    const struct vnrs_bgp_attrs *out = NULL;
    int r = pass(m, prefix, attrs, ret_outcome, &out);

    if (r <= 0)
        return r;
    struct vnrs_bgp_summary *summary = summary_of(m->import, &ret_outcome->prefix);
    r = summary ? vnrs_bgp_summary_add(summary, out, m->slot) : enter(m, &ret_outcome->prefix, path_id, out);
    if (r == 0 && summary)
        r = settle(m, &ret_outcome->prefix, summary);
    vnrs_bgp_attrs_unref(m->speaker->attrs, out);
    return r;
}

// It is no longer: so is its result, unless `kept` (may be NULL) took that place.
static void retract(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, uint32_t path_id,
                    const struct vnrs_bgp_attrs *attrs, const struct vnrs_bgp_map_outcome *kept)
{
    struct vnrs_bgp_map_outcome outcome;
    const struct vnrs_bgp_attrs *out = NULL;

    int r = pass(m, prefix, attrs, &outcome, &out);

    m->import->incomplete |= r < 0; // its result stays until the map is applied again
    if (r <= 0)
        return;
    struct vnrs_bgp_summary *summary = summary_of(m->import, &outcome.prefix);
    if (summary) {
        vnrs_bgp_summary_take(m->speaker->attrs, summary, out, m->slot);
        (void)settle(m, &outcome.prefix, summary); // in place of what is there: needs no memory
    } else if (!kept || kept->dropped || !vnrs_prefix_equal(&kept->prefix, &outcome.prefix)) {
        (void)vnrs_bgp_rib_withdraw(&m->speaker->rib, &outcome.prefix, m->slot, path_id);
    }
    vnrs_bgp_attrs_unref(m->speaker->attrs, out);
}

static int update_mapped(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, uint32_t path_id,
                         const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_bgp_import *im = m->import;
    const struct vnrs_bgp_path *path = vnrs_bgp_import_find(m, prefix, path_id);
    const struct vnrs_bgp_attrs *old = path ? vnrs_bgp_attrs_ref(path->attrs) : NULL;
    struct vnrs_bgp_map_outcome outcome;

    int err = vnrs_bgp_rib_update(&im->received, prefix, m->slot, path_id, attrs, VNRS_BGP_USABLE);
    if (err > 0) {
        err = contribute(m, prefix, path_id, attrs, &outcome);
        if (old && err == 0)
            retract(m, prefix, path_id, old, &outcome);
    }
    vnrs_bgp_attrs_unref(m->speaker->attrs, old);
    return err;
}

int vnrs_bgp_import_update(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, uint32_t path_id,
                           const struct vnrs_bgp_attrs *attrs)
{
    return m->import ? update_mapped(m, prefix, path_id, attrs) : enter(m, prefix, path_id, attrs);
}

void vnrs_bgp_import_withdraw(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, uint32_t path_id)
{
    if (!m->import) {
        (void)vnrs_bgp_rib_withdraw(&m->speaker->rib, prefix, m->slot, path_id);
        return;
    }
    const struct vnrs_bgp_path *path = vnrs_bgp_import_find(m, prefix, path_id);
    const struct vnrs_prefix gone = *prefix; // may lie in the entry that goes
    if (!path)
        return;
    const struct vnrs_bgp_attrs *attrs = vnrs_bgp_attrs_ref(path->attrs);
    (void)vnrs_bgp_rib_withdraw(&m->import->received, &gone, m->slot, path_id);
    retract(m, &gone, path_id, attrs, NULL);
    vnrs_bgp_attrs_unref(m->speaker->attrs, attrs);
}

void vnrs_bgp_import_withdraw_all(struct vnrs_bgp_member *m)
{
    if (m->import) {
        vnrs_bgp_rib_withdraw_all(&m->import->received, m->slot);
        summaries_clear(m);
    }
    vnrs_bgp_rib_withdraw_all(&m->speaker->rib, m->slot);
}

static struct vnrs_bgp_rib *received(const struct vnrs_bgp_member *m)
{
    return m->import ? &m->import->received : &m->speaker->rib;
}

uint16_t vnrs_bgp_import_epoch_begin(struct vnrs_bgp_member *m)
{
    return vnrs_bgp_rib_epoch_next(received(m), m->slot);
}

// Withdraws those of the peer's paths of an entry that are older.
static void sweep_entry(struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *dest, uint16_t epoch)
{
    for (const struct vnrs_bgp_path *p = dest->paths, *next; p; p = next) {
        next = p->next;
        if (vnrs_bgp_path_is_before(p, epoch))
            vnrs_bgp_import_withdraw(m, &dest->prefix, vnrs_bgp_path_received_id(p));
    }
}

void vnrs_bgp_import_sweep(struct vnrs_bgp_member *m, uint8_t family, uint16_t epoch)
{
    struct vnrs_bgp_rib *rib = received(m);
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    if (!m->import) {
        vnrs_bgp_rib_sweep(rib, m->slot, family, epoch);
        return;
    }
    while (rib->counts[m->slot] && (d = vnrs_bgp_rib_next(rib, &at)))
        if (d->prefix.family == family)
            sweep_entry(m, d, epoch);
}

const struct vnrs_bgp_map *vnrs_bgp_import_map(const struct vnrs_bgp_member *m)
{
    return m->import ? m->import->map : NULL;
}

const struct vnrs_bgp_rib *vnrs_bgp_import_received(const struct vnrs_bgp_member *m)
{
    return received(m);
}

uint32_t vnrs_bgp_import_count(const struct vnrs_bgp_member *m)
{
    return received(m)->counts[m->slot];
}

const struct vnrs_bgp_path *vnrs_bgp_import_find(const struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix,
                                                 uint32_t path_id)
{
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(received(m), prefix);
    return d ? vnrs_bgp_dest_path_id(d, m->slot, path_id) : NULL;
}

// --- maps that come, change and go

// Applies the map to everything that was received. What did not come out again goes.
static int apply(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_import *im = m->import;
    struct vnrs_bgp_rib *rib = &m->speaker->rib;
    uint16_t epoch = vnrs_bgp_rib_epoch_next(rib, m->slot);
    struct vnrs_bgp_map_outcome outcome;
    struct vnrs_bgp_dest *d;
    size_t at = 0;
    int err = 0;

    summaries_free(m);
    forget_edit(m);
    im->incomplete = true;
    im->n_summaries = vnrs_bgp_map_n_targets(im->map);
    if (!(im->summaries = calloc(im->n_summaries + 1, sizeof(*im->summaries)))) {
        im->n_summaries = 0;
        return -ENOMEM;
    }
    while (err == 0 && (d = vnrs_bgp_rib_next(&im->received, &at)))
        for (const struct vnrs_bgp_path *p = d->paths; p && err == 0; p = p->next)
            err = contribute(m, &d->prefix, vnrs_bgp_path_received_id(p), p->attrs, &outcome);
    if (err < 0)
        return err;
    vnrs_bgp_rib_sweep(rib, m->slot, VNRS_AF_IPV4, epoch);
    vnrs_bgp_rib_sweep(rib, m->slot, VNRS_AF_IPV6, epoch);
    im->incomplete = false;
    return 0;
}

void vnrs_bgp_import_free(struct vnrs_bgp_member *m)
{
    if (!m->import)
        return;
    summaries_free(m);
    forget_edit(m);
    vnrs_bgp_rib_fini(&m->import->received);
    free(TAKE_PTR(m->import));
}

// From the RIB, with the epochs that the routes have there.
static int map_begin(struct vnrs_bgp_member *m, const struct vnrs_bgp_map *map)
{
    struct vnrs_bgp_rib *rib = &m->speaker->rib;
    struct vnrs_bgp_dest *d;
    size_t at = 0;
    int err = 0;

    if (!(m->import = calloc(1, sizeof(*m->import))))
        return -ENOMEM;
    m->import->map = map;
    struct vnrs_bgp_rib *own = &m->import->received;
    vnrs_bgp_rib_init(own, m->speaker->attrs, rib->seed);
    own->changed = vnrs_bgp_speaker_note_path;
    own->arg = m->speaker;
    while (err >= 0 && own->counts[m->slot] < rib->counts[m->slot] && (d = vnrs_bgp_rib_next(rib, &at))) {
        for (const struct vnrs_bgp_path *p = d->paths; p && err >= 0; p = p->next) {
            if (p->slot != m->slot || p->barred == VNRS_BGP_BARRED_GONE)
                continue;
            own->epochs[m->slot] = p->epoch;
            err =
                vnrs_bgp_rib_update(own, &d->prefix, m->slot, vnrs_bgp_path_received_id(p), p->attrs, VNRS_BGP_USABLE);
        }
    }
    own->epochs[m->slot] = rib->epochs[m->slot];
    if (err < 0) {
        vnrs_bgp_import_free(m);
        return err;
    }
    return apply(m);
}

// Paths of a RIB entry that only the map made.
static void withdraw_made(struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *dest)
{
    const struct vnrs_prefix prefix = dest->prefix;

    for (const struct vnrs_bgp_path *p = dest->paths, *next; p; p = next) {
        uint32_t path_id = vnrs_bgp_path_received_id(p);
        next = p->next;
        if (p->slot == m->slot && p->barred != VNRS_BGP_BARRED_GONE && !vnrs_bgp_import_find(m, &prefix, path_id))
            (void)vnrs_bgp_rib_withdraw(&m->speaker->rib, &prefix, m->slot, path_id);
    }
}

// The received routes are those of the RIB again.
static int map_end(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_rib *rib = &m->speaker->rib, *own = &m->import->received;
    struct vnrs_bgp_dest *d;
    size_t at = 0;
    int err = 0;

    m->import->incomplete = true;
    while (rib->counts[m->slot] && (d = vnrs_bgp_rib_next(rib, &at)))
        withdraw_made(m, d);
    at = 0;
    while (err == 0 && (d = vnrs_bgp_rib_next(own, &at)))
        for (const struct vnrs_bgp_path *p = d->paths; p && err == 0; p = p->next) {
            rib->epochs[m->slot] = p->epoch;
            err = enter(m, &d->prefix, vnrs_bgp_path_received_id(p), p->attrs);
        }
    rib->epochs[m->slot] = own->epochs[m->slot];
    if (err == 0)
        vnrs_bgp_import_free(m);
    return err;
}

int vnrs_bgp_import_set_map(struct vnrs_bgp_member *m, const struct vnrs_bgp_map *map)
{
    struct vnrs_bgp_import *im = m->import;

    if (!im)
        return map ? map_begin(m, map) : 0;
    if (!map)
        return map_end(m);
    bool same = vnrs_bgp_map_equal(im->map, map) && !im->incomplete;
    im->map = map;
    return same ? 0 : apply(m);
}
