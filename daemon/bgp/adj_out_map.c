// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/adj_out_map.h"

#include "bgp/export.h"
#include "bgp/nlri.h"
#include "bgp/summary.h"

#include <errno.h>
#include <string.h>

struct out_summary {
    struct vnrs_bgp_summary routes;
    const struct vnrs_bgp_attrs *told[VNRS_BGP_PEERS_MAX]; // by slot, one reference; NULL: it was not told of it
    bool changed;
};

struct addition { // of one entry to a summary
    const struct vnrs_bgp_attrs *attrs;
    uint32_t summary; // + 1; 0: none
    uint8_t slot;     // source
};

struct vnrs_bgp_out {
    const struct vnrs_bgp_map *map;
    struct out_summary *summaries; // by vnrs_bgp_map_target
    size_t n;
    struct addition *additions; // by number of the entry
    size_t n_additions;
    bool changed;    // one of the summaries did
    uint64_t due;    // members who have to look at all summaries
    uint64_t repeat; // of them, who are told all again
};

static uint64_t bit_of(const struct vnrs_bgp_member *m)
{
    return UINT64_C(1) << m->slot;
}

static struct vnrs_bgp_out *out_of(const struct vnrs_bgp_member *m)
{
    return m->speaker->outs[m->speaker->rib.queues.number_of[m->slot]];
}

// NULL: no memory.
static struct vnrs_bgp_out *begin(struct vnrs_bgp_speaker *sp, unsigned number)
{
    const struct vnrs_bgp_map *map = sp->groups[number].map;
    struct vnrs_bgp_out *out = sp->outs[number];

    if (out)
        return out;
    if (!(out = calloc(1, sizeof(*out))))
        return NULL;
    out->map = map;
    out->n = vnrs_bgp_map_n_targets(map);
    if (!(out->summaries = calloc(out->n, sizeof(*out->summaries)))) {
        free(out);
        return NULL;
    }
    return sp->outs[number] = out;
}

void vnrs_bgp_out_end(struct vnrs_bgp_speaker *sp, unsigned number)
{
    struct vnrs_bgp_out *out = TAKE_PTR(sp->outs[number]);

    if (!out)
        return;
    for (size_t i = 0; i < out->n; i++) {
        vnrs_bgp_summary_fini(sp->attrs, &out->summaries[i].routes);
        for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
            vnrs_bgp_attrs_unref(sp->attrs, out->summaries[i].told[slot]);
    }
    for (size_t i = 0; i < out->n_additions; i++)
        vnrs_bgp_attrs_unref(sp->attrs, out->additions[i].attrs);
    free(out->summaries);
    free(out->additions);
    free(out);
}

void vnrs_bgp_out_move_map(struct vnrs_bgp_speaker *sp, unsigned number, const struct vnrs_bgp_map *map)
{
    if (sp->outs[number])
        sp->outs[number]->map = map;
}

bool vnrs_bgp_out_has(const struct vnrs_bgp_group *group, const struct vnrs_bgp_path *path,
                      const struct vnrs_prefix *prefix)
{
    return group->map && path->slot < VNRS_BGP_PEERS_MAX && vnrs_bgp_map_target(group->map, prefix) >= 0;
}

// --- what entries add

static int additions_room(struct vnrs_bgp_out *out, size_t n)
{
    if (n <= out->n_additions)
        return 0;
    size_t room = MAX(n, out->n_additions * 2);
    struct addition *grown = realloc(out->additions, room * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    memset(grown + out->n_additions, 0, (room - out->n_additions) * sizeof(*grown));
    out->additions = grown;
    out->n_additions = room;
    return 0;
}

static void touch(struct vnrs_bgp_out *out, uint32_t summary)
{
    out->summaries[summary - 1].changed = true;
    out->changed = true;
}

int vnrs_bgp_out_note(struct vnrs_bgp_speaker *sp, unsigned number, const struct vnrs_bgp_dest *dest)
{
    const struct vnrs_bgp_group *group = &sp->groups[number];
    struct vnrs_bgp_map_outcome outcome;
    struct addition now = {0};
    bool failed = false;

    if (!vnrs_bgp_map_n_targets(group->map))
        return 0;
    struct vnrs_bgp_out *out = begin(sp, number);
    if (!out)
        return -ENOMEM;
    const struct vnrs_bgp_path *path = vnrs_bgp_export_path(sp, group, dest);
    const struct vnrs_bgp_attrs *attrs =
        path ? vnrs_bgp_export_attrs(sp, group, &dest->prefix, path, &outcome, &failed) : NULL;
    if (failed || additions_room(out, dest->number + 1u) < 0)
        return -ENOMEM;
    if (attrs && vnrs_bgp_out_has(group, path, &outcome.prefix))
        now = (struct addition){.attrs = attrs,
                                .summary = (uint32_t)vnrs_bgp_map_target(out->map, &outcome.prefix) + 1,
                                .slot = path->slot};
    struct addition *had = &out->additions[dest->number];
    if (had->attrs == now.attrs && had->summary == now.summary && had->slot == now.slot)
        return 0;
    if (now.summary) {
        if (vnrs_bgp_summary_add(&out->summaries[now.summary - 1].routes, now.attrs, now.slot) < 0)
            return -ENOMEM;
        (void)vnrs_bgp_attrs_ref(now.attrs);
        touch(out, now.summary);
    }
    if (had->summary) {
        vnrs_bgp_summary_take(sp->attrs, &out->summaries[had->summary - 1].routes, had->attrs, had->slot);
        vnrs_bgp_attrs_unref(sp->attrs, had->attrs);
        touch(out, had->summary);
    }
    *had = now;
    return 0;
}

// --- telling

static void put_prefix(struct vnrs_bgp_speaker *sp, const struct vnrs_prefix *prefix)
{
    sp->batch_prefixes[0] = *prefix;
    sp->batch_path_ids[0] = VNRS_BGP_SUMMARY_PATH_ID;
}

bool vnrs_bgp_out_tell_forgotten(const struct vnrs_bgp_turn *t, uint64_t ready)
{
    bool told = false;

    while (ready) {
        struct vnrs_bgp_member *m = vnrs_bgp_take_member(t->sp, &ready);
        while (m->forgotten.len && t->sp->ops->has_room(t->sp->arg, m)) {
            struct vnrs_prefix prefix = m->forgotten.items[--m->forgotten.len];
            put_prefix(t->sp, &prefix);
            (void)vnrs_bgp_turn_send(t, vnrs_bgp_af_of(&prefix), bit_of(m), NULL, 1);
            m->advertised--;
            told = true;
        }
    }
    return told;
}

static bool tell_one(const struct vnrs_bgp_turn *t, struct vnrs_bgp_out *out, size_t i, struct vnrs_bgp_member *m)
{
    struct out_summary *s = &out->summaries[i];
    const struct vnrs_prefix *prefix = vnrs_bgp_map_target_prefix(out->map, i);
    const struct vnrs_bgp_attrs *attrs = vnrs_bgp_summary_best(&s->routes, m->slot), *had = s->told[m->slot];
    uint8_t af = vnrs_bgp_af_of(prefix);

    if (attrs == had && !(attrs && out->repeat & bit_of(m)))
        return false;
    put_prefix(t->sp, prefix);
    if (attrs && !vnrs_bgp_turn_send(t, af, bit_of(m), attrs, 1))
        attrs = NULL; // too large to be told
    if (!attrs && had)
        (void)vnrs_bgp_turn_send(t, af, bit_of(m), NULL, 1);
    m->advertised += (uint32_t)(attrs != NULL) - (uint32_t)(had != NULL);
    s->told[m->slot] = attrs ? vnrs_bgp_attrs_ref(attrs) : NULL;
    vnrs_bgp_attrs_unref(t->sp->attrs, had);
    return true;
}

// All that a member has to hear, or what changed only. False: it has no more room.
static bool tell_member(const struct vnrs_bgp_turn *t, struct vnrs_bgp_out *out, struct vnrs_bgp_member *m, bool *told)
{
    bool all = out->due & bit_of(m);

    for (size_t i = 0; i < out->n; i++) {
        if (!all && !out->summaries[i].changed)
            continue;
        if (!t->sp->ops->has_room(t->sp->arg, m))
            return false;
        *told |= tell_one(t, out, i, m);
    }
    out->due &= ~bit_of(m);
    out->repeat &= ~bit_of(m);
    return true;
}

bool vnrs_bgp_out_tell(const struct vnrs_bgp_turn *t, uint64_t ready)
{
    struct vnrs_bgp_out *out = t->sp->outs[t->number];
    const struct vnrs_bgp_queue *q = &t->sp->rib.queues.by_number[t->number];
    bool told = false;

    if (!out || (!out->changed && !(out->due & ready)))
        return false;
    if (out->changed)
        out->due |= q->members & ~ready;
    for (uint64_t left = ready; left;) {
        struct vnrs_bgp_member *m = vnrs_bgp_take_member(t->sp, &left);
        if (!tell_member(t, out, m, &told))
            out->due |= bit_of(m);
    }
    for (size_t i = 0; i < out->n && out->changed; i++)
        out->summaries[i].changed = false;
    out->changed = false;
    return told;
}

bool vnrs_bgp_out_has_news(const struct vnrs_bgp_speaker *sp, unsigned number, uint64_t members)
{
    const struct vnrs_bgp_out *out = sp->outs[number];
    return out && (out->changed || out->due & members);
}

bool vnrs_bgp_out_is_due(const struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_out *out = out_of(m);
    return m->forgotten.len || (out && (out->changed || out->due & bit_of(m)));
}

void vnrs_bgp_out_repeat(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_out *out = out_of(m);

    if (!out)
        return;
    out->due |= bit_of(m);
    out->repeat |= bit_of(m);
}

// --- members that come and go

void vnrs_bgp_out_leave(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_out *out = out_of(m);

    vec_clear(&m->forgotten);
    if (!out)
        return;
    for (size_t i = 0; i < out->n; i++) {
        vnrs_bgp_attrs_unref(m->speaker->attrs, out->summaries[i].told[m->slot]);
        out->summaries[i].told[m->slot] = NULL;
    }
    out->due &= ~bit_of(m);
    out->repeat &= ~bit_of(m);
}

// What it was told of the old map's summaries: it goes along, or is to be forgotten.
static int carry(struct vnrs_bgp_member *m, struct vnrs_bgp_out *from, struct vnrs_bgp_out *to)
{
    for (size_t i = 0; from && i < from->n; i++) {
        const struct vnrs_bgp_attrs *told = from->summaries[i].told[m->slot];
        const struct vnrs_prefix *prefix = vnrs_bgp_map_target_prefix(from->map, i);
        int at = told && to ? vnrs_bgp_map_target(to->map, prefix) : -1;
        if (!told)
            continue;
        if (at < 0 && vec_push(&m->forgotten, *prefix) < 0)
            return -ENOMEM;
        from->summaries[i].told[m->slot] = NULL;
        if (at >= 0)
            to->summaries[at].told[m->slot] = told;
        else
            vnrs_bgp_attrs_unref(m->speaker->attrs, told);
    }
    return 0;
}

// What it was told as a route of its own is a summary from now on: it was told something else of it. With ADD-PATH the
// route and the summary are two paths, and the one is withdrawn by itself.
static void adopt(struct vnrs_bgp_member *m, unsigned number)
{
    struct vnrs_bgp_speaker *sp = m->speaker;
    struct vnrs_bgp_out *to = sp->outs[number];

    for (size_t i = 0; to && i < to->n; i++) {
        const struct vnrs_prefix *prefix = vnrs_bgp_map_target_prefix(to->map, i);
        struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&sp->rib, prefix);
        const struct vnrs_bgp_path *best = d ? vnrs_bgp_dest_best(d) : NULL;
        if (sp->groups[number].add_path[vnrs_bgp_af_of(prefix)])
            continue;
        if (!d || !(d->advertised & bit_of(m)) || (best && best->slot >= VNRS_BGP_PEERS_MAX))
            continue;
        d->advertised &= ~bit_of(m);
        vnrs_bgp_attrs_unref(sp->attrs, to->summaries[i].told[m->slot]);
        to->summaries[i].told[m->slot] = vnrs_bgp_attrs_ref(sp->local_attrs); // which is told to nobody as it is
        vnrs_bgp_rib_done(&sp->rib, d);
    }
}

int vnrs_bgp_out_change(struct vnrs_bgp_member *m, unsigned to)
{
    bool summarises = vnrs_bgp_map_n_targets(m->speaker->groups[to].map);
    struct vnrs_bgp_out *from_out = out_of(m), *to_out = summarises ? begin(m->speaker, to) : NULL;

    if ((summarises && !to_out) || carry(m, from_out, to_out) < 0)
        return -ENOMEM;
    adopt(m, to);
    if (from_out) {
        from_out->due &= ~bit_of(m);
        from_out->repeat &= ~bit_of(m);
    }
    if (to_out)
        to_out->due |= bit_of(m);
    return 0;
}

bool vnrs_bgp_out_told(const struct vnrs_bgp_member *m, size_t n, struct vnrs_prefix *ret_prefix,
                       const struct vnrs_bgp_attrs **ret_attrs)
{
    const struct vnrs_bgp_out *out = out_of(m);

    for (size_t i = 0; out && i < out->n; i++) {
        if (!out->summaries[i].told[m->slot] || n--)
            continue;
        *ret_prefix = *vnrs_bgp_map_target_prefix(out->map, i);
        *ret_attrs = out->summaries[i].told[m->slot];
        return true;
    }
    return false;
}
