// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/adj_out.h"

#include "bgp/adj_out_map.h"
#include "bgp/adj_out_turn.h"
#include "bgp/export.h"
#include "bgp/nlri.h"

#include <errno.h>
#include <string.h>

#define WITHDRAW_BYTES 64u // an UPDATE that withdraws has no more octets besides its prefixes

struct batch {                          // entries of which all of `to` are told the same in one message
    const struct vnrs_bgp_attrs *attrs; // NULL: withdraw
    uint64_t to;
    uint8_t af;
    size_t n, bytes;
};

struct verdict { // on one entry
    const struct vnrs_bgp_attrs *attrs;
    uint64_t announce, withdraw;
};

static uint64_t bit_of(const struct vnrs_bgp_member *m)
{
    return UINT64_C(1) << m->slot;
}

static struct vnrs_bgp_queue *queue_of(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_queues *qs = &m->speaker->rib.queues;
    return &qs->by_number[qs->number_of[m->slot]];
}

// --- groups

static struct vnrs_bgp_group group_of(struct vnrs_bgp_member *m, const struct vnrs_bgp_map *map)
{
    const struct vnrs_bgp_session *session = &vnrs_bgp_peer_session(&m->peer)->session;
    struct vnrs_bgp_group group;

    memset(&group, 0, sizeof(group)); // compared as bytes
    group.ibgp = session->ibgp;
    group.kind = m->conf.kind;
    group.local = *vnrs_bgp_member_local(m);
    group.as4 = session->as4;
    group.extended_message = session->extended_message;
    group.ext_nexthop = session->ext_nexthop;
    memcpy(group.mp, session->mp, sizeof(group.mp));
    memcpy(group.add_path, session->add_path_tx, sizeof(group.add_path));
    group.map = map;
    return group;
}

// It is told all paths of a prefix, of one family at least.
static bool has_paths(const struct vnrs_bgp_group *group)
{
    return group->add_path[VNRS_BGP_AF4] || group->add_path[VNRS_BGP_AF6];
}

// It is told attributes that outside peers do not see: the next hop as received. That depends on the peer alone.
static bool hears_inside(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group)
{
    return group->ibgp || sp->tellings.by[group->kind][VNRS_BGP_FROM_LOCAL][group->ibgp].keep_nexthop;
}

static unsigned group_find(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group)
{
    unsigned spare = 0;

    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++) { // there are as many as peers
        if (!sp->rib.queues.by_number[i].members)
            spare = i;
        else if (memcmp(&sp->groups[i], group, sizeof(*group)) == 0)
            return i;
    }
    vnrs_bgp_out_end(sp, spare);
    sp->groups[spare] = *group;
    return spare;
}

void vnrs_bgp_adj_out_up(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_group group = group_of(m, vnrs_bgp_policy_map(m->speaker->policy, m->conf.out_map));
    unsigned hears = 1u << (hears_inside(m->speaker, &group) ? VNRS_BGP_HEARS_INSIDE : VNRS_BGP_HEARS_OUTSIDE);

    if (has_paths(&group))
        hears |= 1u << VNRS_BGP_HEARS_PATHS;
    m->locals_told = 0;
    vnrs_bgp_queue_join(&m->speaker->rib, group_find(m->speaker, &group), m->slot, hears);
    vnrs_bgp_out_repeat(m);
}

void vnrs_bgp_adj_out_down(struct vnrs_bgp_member *m)
{
    vnrs_bgp_out_leave(m);
    vnrs_bgp_queue_leave(&m->speaker->rib, m->slot);
    m->advertised = 0;
    memset(m->eor_out, 0, sizeof(m->eor_out));
    memset(m->refresh_due, 0, sizeof(m->refresh_due));
    memset(m->eorr_out, 0, sizeof(m->eorr_out));
}

static const struct vnrs_bgp_group *member_group(struct vnrs_bgp_member *m)
{
    return &m->speaker->groups[m->speaker->rib.queues.number_of[m->slot]];
}

const struct vnrs_bgp_path *vnrs_bgp_adj_out_next_path(struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *dest,
                                                       const struct vnrs_bgp_path *last)
{
    const struct vnrs_bgp_path *p = last ? last->next : dest->paths;

    if (!vnrs_bgp_peer_session(&m->peer) || !(dest->advertised & bit_of(m)))
        return NULL;
    if (!member_group(m)->add_path[vnrs_bgp_af_of(&dest->prefix)]) {
        p = last ? NULL : vnrs_bgp_export_path(m->speaker, member_group(m), dest);
        return p && p->slot != m->slot ? p : NULL;
    }
    while (p && (p->slot == m->slot || !vnrs_bgp_export_is_allowed(m->speaker, member_group(m), dest, p)))
        p = p->next;
    return p;
}

const struct vnrs_bgp_map *vnrs_bgp_adj_out_map(struct vnrs_bgp_member *m)
{
    return vnrs_bgp_peer_session(&m->peer) ? member_group(m)->map : NULL;
}

const struct vnrs_bgp_attrs *vnrs_bgp_adj_out_attrs(struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *dest,
                                                    const struct vnrs_bgp_path *path,
                                                    struct vnrs_bgp_map_outcome *ret_outcome, bool *ret_failed)
{
    const struct vnrs_bgp_attrs *attrs =
        vnrs_bgp_export_attrs(m->speaker, member_group(m), &dest->prefix, path, ret_outcome, ret_failed);

    return attrs && !vnrs_bgp_out_has(member_group(m), path, &ret_outcome->prefix) ? attrs : NULL;
}

bool vnrs_bgp_adj_out_summary(struct vnrs_bgp_member *m, size_t n, struct vnrs_prefix *ret_prefix,
                              const struct vnrs_bgp_attrs **ret_attrs)
{
    return vnrs_bgp_peer_session(&m->peer) && vnrs_bgp_out_told(m, n, ret_prefix, ret_attrs);
}

// --- route maps that change

// What a member of the group is told of an entry by its own prefix, with one reference, or NULL.
static const struct vnrs_bgp_attrs *told_of(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                            const struct vnrs_bgp_dest *d)
{
    const struct vnrs_bgp_path *path = vnrs_bgp_export_path(sp, group, d);
    struct vnrs_bgp_map_outcome outcome;
    bool failed = false;
    const struct vnrs_bgp_attrs *attrs =
        path ? vnrs_bgp_export_attrs(sp, group, &d->prefix, path, &outcome, &failed) : NULL;

    return attrs && !vnrs_bgp_out_has(group, path, &outcome.prefix) ? vnrs_bgp_attrs_ref(attrs) : NULL;
}

// What the new map does otherwise than the old one is due; of several paths all is.
static int compare(struct vnrs_bgp_member *m, const struct vnrs_bgp_group *before, unsigned number)
{
    struct vnrs_bgp_speaker *sp = m->speaker;
    struct vnrs_bgp_dest *d;
    size_t at = 0;
    int err = 0;

    while (err == 0 && (d = vnrs_bgp_rib_next(&sp->rib, &at))) {
        const struct vnrs_bgp_attrs *old = told_of(sp, before, d), *new = told_of(sp, &sp->groups[number], d);
        err = vnrs_bgp_out_note(sp, number, d);
        if (old != new || has_paths(before))
            vnrs_bgp_queue_change(&sp->rib, d, bit_of(m), VNRS_BGP_DEST_ALL);
        vnrs_bgp_attrs_unref(sp->attrs, old);
        vnrs_bgp_attrs_unref(sp->attrs, new);
    }
    return err;
}

// The session goes on, in another group.
static int change_map(struct vnrs_bgp_member *m, const struct vnrs_bgp_map *old, const struct vnrs_bgp_map *map)
{
    struct vnrs_bgp_speaker *sp = m->speaker;
    struct vnrs_bgp_group before = group_of(m, old), group = group_of(m, map);
    unsigned number = group_find(sp, &group);
    int err = vnrs_bgp_out_change(m, number);

    vnrs_bgp_queue_move(&sp->rib, number, m->slot);
    return err < 0 ? err : compare(m, &before, number);
}

void vnrs_bgp_adj_out_set_maps(struct vnrs_bgp_speaker *sp)
{
    struct vnrs_bgp_error error = {.code = VNRS_BGP_ERR_CEASE, .subcode = VNRS_BGP_CEASE_RESOURCES};
    const struct vnrs_bgp_map *old[VNRS_BGP_PEERS_MAX] = {0};
    uint64_t changed = 0;

    vnrs_bgp_export_forget(sp); // it knows maps by their address
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++) {
        const struct vnrs_bgp_map *kept = NULL;
        for (uint64_t left = sp->rib.queues.by_number[i].members; left;) {
            const struct vnrs_bgp_member *m = vnrs_bgp_take_member(sp, &left);
            const struct vnrs_bgp_map *map = vnrs_bgp_policy_map(sp->policy, m->conf.out_map);
            old[m->slot] = sp->groups[i].map;
            if (vnrs_bgp_map_equal(old[m->slot], map))
                kept = map;
            else
                changed |= bit_of(m);
        }
        if (!kept)
            continue;
        sp->groups[i].map = kept;
        vnrs_bgp_out_move_map(sp, i, kept);
    }
    while (changed) {
        struct vnrs_bgp_member *m = vnrs_bgp_take_member(sp, &changed);
        if (change_map(m, old[m->slot], vnrs_bgp_policy_map(sp->policy, m->conf.out_map)) < 0)
            vnrs_bgp_peer_fail(&m->peer, sp->now, &error);
    }
    vnrs_bgp_export_forget(sp);
}

void vnrs_bgp_adj_out_review(struct vnrs_bgp_speaker *sp)
{
    const uint64_t *hears = sp->rib.queues.hears;
    uint64_t everybody = hears[VNRS_BGP_HEARS_INSIDE] | hears[VNRS_BGP_HEARS_OUTSIDE];
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while ((d = vnrs_bgp_rib_next(&sp->rib, &at))) {
        vnrs_bgp_queue_change(&sp->rib, d, everybody, 0);
        if (hears[VNRS_BGP_HEARS_PATHS])
            vnrs_bgp_queue_change(&sp->rib, d, hears[VNRS_BGP_HEARS_PATHS], VNRS_BGP_DEST_ALL_PATHS);
    }
}

void vnrs_bgp_adj_out_fini(struct vnrs_bgp_speaker *sp)
{
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
        vnrs_bgp_out_end(sp, i);
}

// --- one message

// Who of `consumers` is to be told what about an entry, seeing what they were told before.
static int judge(const struct vnrs_bgp_turn *t, const struct vnrs_bgp_dest *d, uint64_t consumers, struct verdict *ret)
{
    const struct vnrs_bgp_path *path = vnrs_bgp_export_path(t->sp, t->group, d);
    uint8_t changed = hears_inside(t->sp, t->group) ? VNRS_BGP_DEST_NEW_INSIDE : VNRS_BGP_DEST_NEW_OUTSIDE;
    struct vnrs_bgp_map_outcome outcome;
    bool failed = false;

    if (vnrs_bgp_out_note(t->sp, t->number, d) < 0)
        return -ENOMEM;
    *ret = (struct verdict){0};
    if (path)
        ret->attrs = vnrs_bgp_export_attrs(t->sp, t->group, &d->prefix, path, &outcome, &failed);
    if (failed)
        return -ENOMEM;
    if (ret->attrs && vnrs_bgp_out_has(t->group, path, &outcome.prefix))
        ret->attrs = NULL;
    uint64_t listeners = path && ret->attrs ? consumers & ~(UINT64_C(1) << path->slot) : 0;
    ret->announce = d->flags & changed ? listeners : listeners & ~d->advertised;
    ret->withdraw = consumers & ~listeners & d->advertised;
    return 0;
}

// Takes entries as long as they go into the same message. The attributes are kept by the cache, in which nothing is
// replaced while all entries lead to the same set; the one that does not is given back.
static int collect(const struct vnrs_bgp_turn *t, struct batch *batch)
{
    struct vnrs_bgp_speaker *sp = t->sp;
    size_t room = (t->group->extended_message ? VNRS_BGP_MSG_EXTENDED_MAX : VNRS_BGP_MSG_MAX) - WITHDRAW_BYTES;
    struct vnrs_bgp_dest *d;
    uint64_t consumers;

    while (batch->n < VNRS_BGP_BATCH && batch->bytes < room && (d = vnrs_bgp_turn_take(t, &consumers))) {
        struct verdict v;
        if (judge(t, d, consumers, &v) < 0) {
            vnrs_bgp_turn_give_back(t, d, consumers);
            return -ENOMEM;
        }
        if (!v.announce && !v.withdraw) {
            vnrs_bgp_rib_done(&sp->rib, d);
            continue;
        }
        const struct vnrs_bgp_attrs *attrs = v.announce ? v.attrs : NULL;
        uint64_t to = v.announce ? v.announce : v.withdraw;
        uint8_t af = vnrs_bgp_af_of(&d->prefix);
        if (batch->n == 0) {
            *batch = (struct batch){.attrs = attrs ? vnrs_bgp_attrs_ref(attrs) : NULL, .to = to, .af = af};
        } else if (attrs != batch->attrs || to != batch->to || af != batch->af) {
            vnrs_bgp_turn_give_back(t, d, consumers);
            break;
        }
        sp->batch[batch->n++] = (struct vnrs_bgp_batch){.dest = d, .consumers = consumers, .withdraw = v.withdraw};
        batch->bytes += vnrs_bgp_nlri_bytes(&d->prefix);
    }
    return 0;
}

// The prefixes that go to one of `to`, or, withdrawn, those that one of them has to forget. Returns how many.
static size_t gather(struct vnrs_bgp_speaker *sp, size_t n, uint64_t forget)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (!forget || sp->batch[i].withdraw & forget)
            sp->batch_prefixes[k++] = sp->batch[i].dest->prefix;
    return k;
}

// Those who were told of the first `n` entries before, and are not to know of them now: each has a message of its own.
static void withdraw_from_some(const struct vnrs_bgp_turn *t, const struct batch *batch, size_t n)
{
    uint64_t some = 0;

    for (size_t i = 0; i < n; i++)
        some |= t->sp->batch[i].withdraw;
    while (some) {
        uint64_t one = some & -some;
        some &= ~one;
        // They fit: a withdrawal is shorter than an announcement.
        (void)vnrs_bgp_turn_send(t, batch->af, one, NULL, gather(t->sp, n, one));
    }
}

// The first `used` entries of the batch were told; the others are due again, in their order.
static void settle(const struct vnrs_bgp_turn *t, const struct batch *batch, size_t used)
{
    struct vnrs_bgp_speaker *sp = t->sp;
    uint64_t announced = batch->attrs ? batch->to : 0;

    for (size_t i = batch->n; i-- > used;)
        vnrs_bgp_turn_give_back(t, sp->batch[i].dest, sp->batch[i].consumers);
    for (size_t i = 0; i < used; i++) {
        struct vnrs_bgp_dest *d = sp->batch[i].dest;
        vnrs_bgp_turn_mark(sp, d, announced, sp->batch[i].withdraw);
        vnrs_bgp_rib_done(&sp->rib, d);
    }
}

// The attributes alone fill a message (a path at the edge of what was taken in, prepended): the prefixes cannot be
// told. From those that were told before they are withdrawn.
static void withdraw_instead(const struct vnrs_bgp_turn *t, struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        t->sp->batch[i].withdraw |= batch->to & t->sp->batch[i].dest->advertised;
    vnrs_bgp_attrs_unref(t->sp->attrs, batch->attrs);
    batch->attrs = NULL;
    withdraw_from_some(t, batch, batch->n);
    settle(t, batch, batch->n);
}

static void tell_batch(const struct vnrs_bgp_turn *t, struct batch *batch)
{
    size_t used = vnrs_bgp_turn_send(t, batch->af, batch->to, batch->attrs, gather(t->sp, batch->n, 0));

    if (!used) {
        withdraw_instead(t, batch);
        return;
    }
    if (batch->attrs)
        withdraw_from_some(t, batch, used);
    settle(t, batch, used);
}

static bool tell_best(const struct vnrs_bgp_turn *t, int *ret_err)
{
    struct batch batch = {0};

    *ret_err = collect(t, &batch);
    if (!batch.n)
        return false;
    tell_batch(t, &batch);
    vnrs_bgp_attrs_unref(t->sp->attrs, batch.attrs);
    return true;
}

// About a message to each who has to hear of it. Returns false when there was nothing to tell.
static bool take_turn(const struct vnrs_bgp_turn *t)
{
    struct vnrs_bgp_error error = {.code = VNRS_BGP_ERR_CEASE, .subcode = VNRS_BGP_CEASE_RESOURCES};
    int err = 0;

    if (!t->consumers)
        return false;
    bool told = has_paths(t->group) ? vnrs_bgp_turn_paths(t, &err) : tell_best(t, &err);
    for (uint64_t left = t->consumers; err < 0 && left;)
        vnrs_bgp_peer_fail(&vnrs_bgp_take_member(t->sp, &left)->peer, t->sp->now, &error);
    return told;
}

// --- markers

// Everything is told: the markers that say so, one at a time.
static int end_marker(struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_queue *q = queue_of(m);
    uint8_t *buf = m->speaker->message;
    size_t size = sizeof(m->speaker->message);

    if (!(q->in_step & bit_of(m)) || q->taken < m->complete_at)
        return 0;
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        if (m->eor_out[af]) {
            m->eor_out[af] = false;
            return vnrs_bgp_eor_encode(af, buf, size);
        }
        if (m->eorr_out[af]) {
            m->eorr_out[af] = false;
            return vnrs_bgp_refresh_encode(af, VNRS_BGP_REFRESH_END, buf, size);
        }
    }
    return 0;
}

// Starts what the peer asked for; the begin is marked where it knows that (RFC 7313 section 4), not before the initial
// routes are complete. Asked again meanwhile, it begins again and ends once.
static int refresh_begin(struct vnrs_bgp_member *m)
{
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        if (!m->refresh_due[af] || m->eor_out[af])
            continue;
        m->refresh_due[af] = false;
        vnrs_bgp_queue_repeat(&m->speaker->rib, m->slot, vnrs_bgp_af_family(af));
        vnrs_bgp_out_repeat(m);
        if (vnrs_bgp_peer_session(&m->peer)->session.enhanced_refresh) {
            m->eorr_out[af] = true;
            return vnrs_bgp_refresh_encode(af, VNRS_BGP_REFRESH_BEGIN, m->speaker->message,
                                           sizeof(m->speaker->message));
        }
    }
    return 0;
}

static bool tell_markers(struct vnrs_bgp_speaker *sp, uint64_t members)
{
    bool told = false;

    while (members) {
        struct vnrs_bgp_member *m = vnrs_bgp_take_member(sp, &members);
        int len = refresh_begin(m);
        if (len == 0)
            len = end_marker(m);
        if (len > 0) {
            vnrs_bgp_turn_deliver(sp, bit_of(m), len);
            told = true;
        }
    }
    return told;
}

// --- runs

static uint64_t with_room(const struct vnrs_bgp_speaker *sp, uint64_t members)
{
    uint64_t ready = 0;

    for (uint64_t left = members; left;) {
        struct vnrs_bgp_member *m = vnrs_bgp_take_member(sp, &left);
        if (sp->ops->has_room(sp->arg, m))
            ready |= bit_of(m);
    }
    return ready;
}

// Of those who are not in step: who has everything but what the ring holds, is so again. What the ring holds now may
// belong to what it was to be told at first.
static void catch_up(struct vnrs_bgp_speaker *sp, unsigned number, uint64_t ready)
{
    const struct vnrs_bgp_queue *q = &sp->rib.queues.by_number[number];

    for (uint64_t joined = vnrs_bgp_queue_rejoin(&sp->rib, number, ready); joined;)
        vnrs_bgp_take_member(sp, &joined)->complete_at = q->taken + q->len;
}

static bool tell_in_step(struct vnrs_bgp_turn *t, uint64_t ready)
{
    const struct vnrs_bgp_queue *q = &t->sp->rib.queues.by_number[t->number];

    if (!q->len || !(q->in_step & ready)) // when nobody has room, they stay together and wait
        return false;
    vnrs_bgp_queue_fall_out(&t->sp->rib, t->number, q->in_step & ~ready);
    t->kind = VNRS_BGP_TURN_RING;
    t->consumers = q->in_step;
    return take_turn(t);
}

static bool tell_behind(struct vnrs_bgp_turn *t, uint64_t ready)
{
    uint64_t behind = vnrs_bgp_queue_behind(&t->sp->rib, t->number) & ready, walkers = 0;
    bool told = false;

    t->kind = VNRS_BGP_TURN_LOCALS;
    while (behind) {
        t->consumers = behind & -behind;
        struct vnrs_bgp_member *m = vnrs_bgp_take_member(t->sp, &behind);
        if (m->locals_told >= t->sp->locals.len)
            walkers |= bit_of(m);
        else
            told |= take_turn(t) || m->locals_told >= t->sp->locals.len;
    }
    t->kind = VNRS_BGP_TURN_WALK;
    t->consumers = walkers;
    return take_turn(t) || told;
}

// Returns true when it stopped because it has done enough.
static bool run_group(struct vnrs_bgp_speaker *sp, unsigned number)
{
    const struct vnrs_bgp_queue *q = &sp->rib.queues.by_number[number];
    unsigned looks = VNRS_BGP_WALK_LOOK;
    struct vnrs_bgp_turn t = {.sp = sp, .group = &sp->groups[number], .number = number, .looks = &looks};

    for (unsigned i = 0; i < VNRS_BGP_RUN_MESSAGES && looks; i++) {
        uint64_t ready = with_room(sp, q->members);
        catch_up(sp, number, ready);
        bool told = vnrs_bgp_out_tell_forgotten(&t, ready);
        told |= vnrs_bgp_out_tell(&t, with_room(sp, ready & q->in_step));
        ready = with_room(sp, ready);
        told |= tell_markers(sp, ready);
        told |= tell_in_step(&t, with_room(sp, ready));
        told |= tell_behind(&t, with_room(sp, ready & q->members));
        // Entries of which nothing is told may have changed a summary, or been all that a member was behind with.
        if (!told && looks && !vnrs_bgp_out_has_news(sp, number, ready))
            return false;
    }
    return true;
}

bool vnrs_bgp_adj_out_run(struct vnrs_bgp_speaker *sp)
{
    bool more = false;

    if (sp->deferring)
        return false;
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
        if (sp->rib.queues.by_number[i].members)
            more |= run_group(sp, i);
    return more;
}

size_t vnrs_bgp_adj_out_message_max(struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);
    return fsm && fsm->session.extended_message ? VNRS_BGP_MSG_EXTENDED_MAX : VNRS_BGP_MSG_MAX;
}

bool vnrs_bgp_adj_out_is_pending(const struct vnrs_bgp_member *m)
{
    if (m->speaker->deferring)
        return false;
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        if (m->eor_out[af] || m->eorr_out[af] || m->refresh_due[af])
            return true;
    return vnrs_bgp_out_is_due(m) || vnrs_bgp_queue_due(&m->speaker->rib, m->slot);
}

void vnrs_bgp_adj_out_refresh(struct vnrs_bgp_member *m, uint8_t af)
{
    m->refresh_due[af] = true;
}
