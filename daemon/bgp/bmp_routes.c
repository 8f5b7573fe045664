// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/bmp_routes.h"

#include "bgp/adj_out.h"
#include "bgp/adj_out_map.h"
#include "bgp/nlri.h"

#define BIT(slot) (UINT64_C(1) << (slot))
#define LOC_RIB   BIT(VNRS_BGP_SLOT_LOCAL)
#define TAKE_MAX  256u // changes at a time
#define BATCH_MAX 256u // prefixes of a message
#define WALK_LOOK 256u

static const struct view {
    uint32_t rib;
    uint8_t flags;
    bool is_out;
} views[] = {
    {VNRS_SPK_BMP_PRE_POLICY, 0, false},
    {VNRS_SPK_BMP_POST_POLICY, VNRS_BMP_FLAG_POST_POLICY, false},
    {VNRS_SPK_BMP_LOC_RIB, 0, false},
    {VNRS_SPK_BMP_ADJ_RIB_OUT, VNRS_BMP_FLAG_ADJ_OUT | VNRS_BMP_FLAG_POST_POLICY, true},
};
static_assert(ARRAY_SIZE(views) == VNRS_BMP_VIEWS, "the views of the header");
static_assert(VNRS_BMP_CHUNK > 2 * VNRS_BGP_PATHS_PER_PREFIX, "all paths of a prefix are a piece");

static bool has_view(const struct vnrs_bmp_feed *f, unsigned view)
{
    return view < VNRS_BMP_VIEWS && f->ribs & views[view].rib;
}

static bool is_loc_rib(unsigned view)
{
    return views[view].rib == VNRS_SPK_BMP_LOC_RIB;
}

// The slots that a view is about.
static uint64_t view_slots(unsigned view)
{
    return is_loc_rib(view) ? LOC_RIB : ~LOC_RIB;
}

static bool has_told_ids(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix)
{
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);
    return fsm && fsm->session.add_path_tx[vnrs_bgp_af_of(prefix)];
}

// The identifier by which a peer was told of a path, 0: without one.
static uint32_t told_id(struct vnrs_bgp_member *m, const struct vnrs_bgp_path *p, const struct vnrs_prefix *prefix)
{
    return has_told_ids(m, prefix) ? p->id : 0;
}

static void chunk_begin(struct vnrs_bmp_feed *f, bool is_walk)
{
    f->n_chunk = f->at = 0;
    f->view = f->slot = 0;
    f->is_walk = is_walk;
}

static void take_changes(struct vnrs_bmp_feed *f)
{
    struct vnrs_bmp_change *c;

    chunk_begin(f, false);
    while (f->n_chunk < TAKE_MAX && (c = STAILQ_FIRST(&f->pending))) {
        STAILQ_REMOVE_HEAD(&f->pending, entry);
        (void)vnrs_map_remove(&f->index, &c->key, sizeof(c->key));
        f->chunk[f->n_chunk++] = *c;
        free(c);
    }
}

// The change of this prefix with this identifier in the chunk, from `first` on; added if there is none.
static struct vnrs_bmp_change *walk_change(struct vnrs_bmp_feed *f, size_t first, const struct vnrs_prefix *prefix,
                                           uint32_t path_id)
{
    for (size_t i = first; i < f->n_chunk; i++)
        if (f->chunk[i].key.path_id == path_id)
            return &f->chunk[i];
    f->chunk[f->n_chunk] = (struct vnrs_bmp_change){.key = {.prefix = *prefix, .path_id = path_id}};
    return &f->chunk[f->n_chunk++];
}

static void walk_told(struct vnrs_bmp_feed *f, size_t first, const struct vnrs_bgp_dest *d)
{
    uint64_t members = d->advertised & f->walking & ~LOC_RIB;

    for (; members; members &= members - 1) {
        struct vnrs_bgp_member *m = f->speaker->members[__builtin_ctzll(members)];
        const struct vnrs_bgp_path *p = NULL;
        while ((p = vnrs_bgp_adj_out_next_path(m, d, p)))
            walk_change(f, first, &d->prefix, told_id(m, p, &d->prefix))->out |= BIT(m->slot);
    }
}

// How many changes an entry makes at most: identifiers of peers and ours, and the Loc-RIB.
static size_t changes_max(const struct vnrs_bgp_dest *d)
{
    size_t n = 1;

    for (const struct vnrs_bgp_path *p = d->paths; p; p = p->next)
        n += 2;
    return n;
}

static void walk_entry(struct vnrs_bmp_feed *f, const struct vnrs_bgp_dest *d)
{
    size_t first = f->n_chunk;
    // Of a table of received routes, only what the RIB does not have.
    uint64_t sources = f->walking & (f->walk_table ? BIT(f->walk_table - 1) : UINT64_MAX);

    for (const struct vnrs_bgp_path *p = d->paths; p; p = p->next)
        if (sources & BIT(p->slot) & ~LOC_RIB && p->barred != VNRS_BGP_BARRED_GONE)
            walk_change(f, first, &d->prefix, vnrs_bgp_path_received_id(p))->in |= BIT(p->slot);
    if (!f->walk_table && f->walking & LOC_RIB && vnrs_bgp_dest_best(d))
        walk_change(f, first, &d->prefix, 0)->in |= LOC_RIB;
    if (!f->walk_table && f->ribs & VNRS_SPK_BMP_ADJ_RIB_OUT)
        walk_told(f, first, d);
}

// Prefixes to which the outbound map of the peer whose turn it is summarises are in no table.
static void walk_summaries(struct vnrs_bmp_feed *f)
{
    unsigned slot = f->walk_table - 1;
    struct vnrs_bgp_member *m = slot < VNRS_BGP_PEERS_MAX ? f->speaker->members[slot] : NULL;
    const struct vnrs_bgp_attrs *attrs;
    struct vnrs_prefix prefix;

    if (!m || !(f->walking & BIT(slot)) || !(f->ribs & VNRS_SPK_BMP_ADJ_RIB_OUT))
        return;
    for (size_t n = 0; vnrs_bgp_adj_out_summary(m, n, &prefix, &attrs); n++)
        vnrs_bmp_feed_told(f, &prefix, has_told_ids(m, &prefix) ? VNRS_BGP_SUMMARY_PATH_ID : 0, BIT(slot));
}

// The tables of a walk: the RIB, then those in which peers with an inbound map have what the map may have dropped.
static struct vnrs_bgp_dest *walk_next(struct vnrs_bmp_feed *f)
{
    if (!f->walk_table)
        return vnrs_bgp_rib_next(&f->speaker->rib, &f->walk_at);
    const struct vnrs_bgp_member *m = f->speaker->members[f->walk_table - 1];
    if (!m || !(f->walking & BIT(m->slot)) || !vnrs_bgp_import_map(m))
        return NULL;
    return vnrs_bgp_rib_next(vnrs_bgp_import_received(m), &f->walk_at);
}

static void take_walk(struct vnrs_bmp_feed *f)
{
    struct vnrs_bgp_dest *d;

    chunk_begin(f, true);
    for (unsigned looked = 0; looked < WALK_LOOK && f->walk_table <= VNRS_BGP_PEERS_MAX; looked++) {
        size_t here = f->walk_at;
        d = walk_next(f);
        if (d && f->n_chunk + changes_max(d) > VNRS_BMP_CHUNK) {
            f->walk_at = here;
            break;
        }
        if (d) {
            walk_entry(f, d);
        } else {
            f->walk_table++;
            f->walk_at = 0;
            walk_summaries(f);
        }
    }
    if (f->walk_table > VNRS_BGP_PEERS_MAX) { // it was the last piece
        f->eor |= f->walking;
        f->walking = 0;
        f->eor_view = f->eor_slot = f->eor_af = 0;
    }
}

// What a peer was told of a prefix: as a summary of its route map, or of a path of that prefix.
static const struct vnrs_bgp_attrs *look_up_told(struct vnrs_bmp_feed *f, unsigned slot, const struct vnrs_bmp_key *key)
{
    struct vnrs_bgp_member *m = f->speaker->members[slot];
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&f->speaker->rib, &key->prefix);
    const struct vnrs_bgp_path *p = NULL;
    const struct vnrs_bgp_attrs *attrs = NULL;
    struct vnrs_bgp_map_outcome outcome;
    struct vnrs_prefix prefix;

    for (size_t n = 0; vnrs_bgp_adj_out_summary(m, n, &prefix, &attrs); n++)
        if (vnrs_prefix_equal(&prefix, &key->prefix))
            return attrs;
    if (!d)
        return NULL;
    do {
        p = vnrs_bgp_adj_out_next_path(m, d, p);
    } while (p && told_id(m, p, &d->prefix) != key->path_id);
    return p ? vnrs_bgp_adj_out_attrs(m, d, p, &outcome, &f->failed) : NULL;
}

// The attributes of a prefix in a view now, NULL: it is not there. Borrowed until the next call.
static const struct vnrs_bgp_attrs *look_up(struct vnrs_bmp_feed *f, unsigned view, unsigned slot,
                                            const struct vnrs_bmp_key *key)
{
    struct vnrs_bgp_speaker *sp = f->speaker;
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&sp->rib, &key->prefix);
    const struct vnrs_bgp_path *p;

    if (views[view].rib == VNRS_SPK_BMP_PRE_POLICY) {
        p = vnrs_bgp_import_find(sp->members[slot], &key->prefix, key->path_id);
        return p ? p->attrs : NULL;
    }
    if (views[view].is_out)
        return look_up_told(f, slot, key);
    if (!d)
        return NULL;
    p = is_loc_rib(view) ? vnrs_bgp_dest_best(d) : vnrs_bgp_dest_path_id(d, slot, key->path_id);
    return p && p->barred == VNRS_BGP_USABLE ? p->attrs : NULL;
}

struct batch {
    const struct vnrs_bgp_attrs *attrs; // NULL: withdrawn; else one reference
    uint8_t af;
    size_t n;
    struct vnrs_prefix prefixes[BATCH_MAX];
    uint32_t path_ids[BATCH_MAX];
    size_t places[BATCH_MAX]; // in the chunk
};

// What goes into one message, from the cursor on.
static void collect(struct vnrs_bmp_feed *f, struct batch *b)
{
    for (; f->at < f->n_chunk && b->n < BATCH_MAX; f->at++) {
        const struct vnrs_bmp_change *c = &f->chunk[f->at];
        uint8_t af = vnrs_bgp_af_of(&c->key.prefix);
        if (!((views[f->view].is_out ? c->out : c->in) & BIT(f->slot)))
            continue;
        const struct vnrs_bgp_attrs *attrs = look_up(f, f->view, f->slot, &c->key);
        if (!attrs && f->is_walk)
            continue;
        if (b->n && (attrs != b->attrs || af != b->af))
            return;
        if (!b->n) {
            b->attrs = attrs ? vnrs_bgp_attrs_ref(attrs) : NULL;
            b->af = af;
        }
        b->places[b->n] = f->at;
        b->path_ids[b->n] = c->key.path_id;
        b->prefixes[b->n++] = c->key.prefix;
    }
}

// Where the session has path identifiers that way, its routes have them here, too.
static bool has_path_ids(const struct vnrs_bmp_feed *f, unsigned view, unsigned slot, uint8_t af)
{
    struct vnrs_bgp_member *m = vnrs_bgp_speaker_member(f->speaker, slot);
    const struct vnrs_bgp_fsm *fsm = m ? vnrs_bgp_peer_session(&m->peer) : NULL;

    return fsm && (views[view].is_out ? fsm->session.add_path_tx[af] : fsm->session.add_path_rx[af]);
}

// A message of what is at the cursor in this view and slot; 0 when there is nothing (any more).
static size_t tell_routes(struct vnrs_bmp_feed *f, uint8_t *buf, size_t size)
{
    struct batch b = {0};
    size_t used = 0;
    int len = 0;

    collect(f, &b);
    if (b.n) {
        struct vnrs_bmp_peer peer = vnrs_bmp_feed_peer(f, f->slot, views[f->view].flags, f->speaker->now);
        if (f->is_walk)
            peer.time_us = 0; // nobody wrote down when they came
        len = vnrs_bmp_route_encode(&peer, b.af, b.attrs, b.prefixes,
                                    has_path_ids(f, f->view, f->slot, b.af) ? b.path_ids : NULL, b.n, buf, size, &used);
        if (len > 0 && used < b.n)
            f->at = b.places[used];
    }
    vnrs_bgp_attrs_unref(f->speaker->attrs, b.attrs);
    return len > 0 ? (size_t)len : 0;
}

static uint64_t chunk_slots(const struct vnrs_bmp_feed *f, unsigned view)
{
    uint64_t slots = 0;

    for (size_t i = 0; i < f->n_chunk; i++)
        slots |= views[view].is_out ? f->chunk[i].out : f->chunk[i].in;
    return slots & view_slots(view);
}

static size_t tell_chunk(struct vnrs_bmp_feed *f, uint8_t *buf, size_t size)
{
    for (; f->view < VNRS_BMP_VIEWS; f->view++, f->slot = 0, f->at = 0) {
        uint64_t slots = has_view(f, f->view) ? chunk_slots(f, f->view) : 0;
        for (; f->slot < VNRS_BGP_SLOTS; f->slot++, f->at = 0) {
            // A peer that went down meanwhile took its routes along.
            if (!(slots & f->live & BIT(f->slot)))
                continue;
            while (f->at < f->n_chunk) {
                size_t len = tell_routes(f, buf, size);
                if (len)
                    return len;
            }
        }
    }
    f->n_chunk = 0;
    return 0;
}

static size_t tell_eor(struct vnrs_bmp_feed *f, uint8_t *buf, size_t size)
{
    for (; f->eor && f->eor_view < VNRS_BMP_VIEWS; f->eor_view++, f->eor_slot = 0) {
        uint64_t slots = has_view(f, f->eor_view) ? view_slots(f->eor_view) : 0;
        for (; f->eor_slot < VNRS_BGP_SLOTS; f->eor_slot++, f->eor_af = 0) {
            while (slots & f->eor & BIT(f->eor_slot) && f->eor_af < _VNRS_BGP_AF_MAX) {
                uint8_t af = (uint8_t)f->eor_af++;
                struct vnrs_bmp_peer peer =
                    vnrs_bmp_feed_peer(f, f->eor_slot, views[f->eor_view].flags, f->speaker->now);
                struct vnrs_bgp_member *m = vnrs_bgp_speaker_member(f->speaker, f->eor_slot);
                const struct vnrs_bgp_fsm *fsm = m ? vnrs_bgp_peer_session(&m->peer) : NULL;
                int len = !fsm || fsm->session.mp[af] ? vnrs_bmp_eor_encode(&peer, af, buf, size) : 0;
                if (len > 0)
                    return (size_t)len;
            }
        }
    }
    f->eor = 0;
    return 0;
}

static bool begin_walk(struct vnrs_bmp_feed *f)
{
    if (!f->walking && f->due) {
        f->walking = f->due;
        f->live |= f->due;
        f->due = 0;
        f->walk_at = 0;
        f->walk_table = 0;
    }
    return f->walking;
}

size_t vnrs_bmp_routes_next(struct vnrs_bmp_feed *f, uint8_t *buf, size_t size)
{
    size_t len = 0;

    // One pass: each piece is told before the next is taken.
    while (!len && !f->failed) {
        if (f->n_chunk)
            len = tell_chunk(f, buf, size);
        else if (!STAILQ_EMPTY(&f->pending))
            take_changes(f);
        else if (f->eor)
            len = tell_eor(f, buf, size);
        else if (begin_walk(f))
            take_walk(f);
        else
            break;
    }
    return len;
}
