// SPDX-License-Identifier: GPL-2.0-or-later
// ADD-PATH (RFC 7911): all usable paths of a prefix but the peer's own, each by an identifier that it keeps.
//
// What each peer was told of each path is not kept. A path says that it has news, which not all have heard of, and that
// somebody was told of it; one that is withdrawn stays until all have heard of that. Who was told of the prefix before
// is told what is news, others everything. So one who was behind may be told twice, or of the end of what it never
// heard of; nobody misses anything.
#include "bgp/adj_out_turn.h"

#include "bgp/adj_out_map.h"
#include "bgp/export.h"
#include "bgp/nlri.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

// Octets of the announcements of one turn, and of the attributes of one. Together with withdrawals, of which one entry
// may need many, they have to fit the room that all have.
#define BYTES_MAX    20000u
#define ATTRS_MAX    16384u
#define MESSAGE_MIN  64u // octets of an UPDATE besides attributes and prefixes
#define PREFIX_BYTES 21u // of a prefix with its identifier, at most

static_assert(BYTES_MAX + VNRS_BGP_PATHS_PER_PREFIX * PREFIX_BYTES + 16 * MESSAGE_MIN < VNRS_BGP_MSG_EXTENDED_MAX,
              "a turn fits the room");

struct parcel { // what was collected
    size_t n_items, n_entries, bytes;
};

// An upper bound of what they take in a message, in whatever form.
static size_t attrs_bytes(const struct vnrs_bgp_attrs *a)
{
    return MESSAGE_MIN + 64u + 2u * a->as_path_bytes + 4u * a->n_communities + 8u * a->n_ext_communities +
           12u * a->n_large_communities + 4u * a->n_clusters + a->unknown_bytes;
}

// The same: behind others with the same attributes, the attributes need not be counted, unless they leave so little
// room in a message that they are repeated often.
static size_t item_bytes(const struct vnrs_bgp_turn *t, const struct parcel *parcel, const struct vnrs_bgp_item *item)
{
    const struct vnrs_bgp_item *last = parcel->n_items ? &t->sp->items[parcel->n_items - 1] : NULL;
    size_t bytes = attrs_bytes(item->attrs);

    if (last && last->attrs == item->attrs && last->to == item->to && bytes < VNRS_BGP_MSG_MAX / 4)
        return 2 * PREFIX_BYTES;
    return bytes + PREFIX_BYTES;
}

// Who of `consumers` may know the path; *ret_attrs has one reference then. Or -ENOMEM.
static int listeners_of(const struct vnrs_bgp_turn *t, const struct vnrs_bgp_dest *d, const struct vnrs_bgp_path *p,
                        uint64_t consumers, uint64_t *ret_listeners, const struct vnrs_bgp_attrs **ret_attrs)
{
    struct vnrs_bgp_map_outcome outcome;
    bool failed = false;

    *ret_listeners = 0;
    if (!vnrs_bgp_export_is_allowed(t->sp, t->group, d, p))
        return 0;
    const struct vnrs_bgp_attrs *attrs = vnrs_bgp_export_attrs(t->sp, t->group, &d->prefix, p, &outcome, &failed);
    if (!attrs || attrs_bytes(attrs) > ATTRS_MAX || vnrs_bgp_out_has(t->group, p, &outcome.prefix))
        return failed ? -ENOMEM : 0;
    *ret_attrs = vnrs_bgp_attrs_ref(attrs);
    *ret_listeners = consumers & ~(UINT64_C(1) << p->slot);
    return 0;
}

// One path of an entry: told, taken back, or neither.
static int collect_path(const struct vnrs_bgp_turn *t, struct parcel *parcel, struct vnrs_bgp_dest *d,
                        struct vnrs_bgp_path *p, struct vnrs_bgp_batch *entry)
{
    bool is_news = (p->flags & VNRS_BGP_PATH_NEWS) || d->flags & VNRS_BGP_DEST_ALL_PATHS;
    struct vnrs_bgp_item item = {.dest = d, .path = p, .id = p->id};
    uint64_t listeners;
    int err = listeners_of(t, d, p, entry->consumers, &listeners, &item.attrs);

    if (err < 0)
        return err;
    entry->listeners |= listeners;
    item.to = is_news ? listeners : listeners & ~d->advertised;
    if (item.to && item.attrs) {
        parcel->bytes += item_bytes(t, parcel, &item);
        t->sp->items[parcel->n_items++] = item;
        return 0;
    }
    vnrs_bgp_attrs_unref(t->sp->attrs, item.attrs);
    item.attrs = NULL;
    item.to = entry->consumers & ~listeners & d->advertised & ~(UINT64_C(1) << p->slot);
    if (item.to && is_news && p->flags & VNRS_BGP_PATH_TOLD)
        t->sp->items[parcel->n_items++] = item;
    return 0;
}

static void drop(const struct vnrs_bgp_turn *t, struct parcel *parcel, size_t keep)
{
    while (parcel->n_items > keep) {
        struct vnrs_bgp_item *item = &t->sp->items[--parcel->n_items];
        vnrs_bgp_attrs_unref(t->sp->attrs, item->attrs);
    }
}

// All paths of an entry. Returns 1, 0 when there is no room left for them, or -ENOMEM. The first entry of a parcel gets
// as much of the room as there is: of more than a hundred paths the last ones are not told.
static int collect_entry(const struct vnrs_bgp_turn *t, struct parcel *parcel, struct vnrs_bgp_batch *entry)
{
    const struct parcel before = *parcel;
    int err = vnrs_bgp_out_note(t->sp, t->number, entry->dest);

    for (struct vnrs_bgp_path *p = entry->dest->paths; p && err == 0; p = p->next) {
        const struct parcel last = *parcel;
        err = collect_path(t, parcel, entry->dest, p, entry);
        if (err == 0 && parcel->bytes <= BYTES_MAX)
            continue;
        bool is_first = err == 0 && !before.n_entries;
        drop(t, parcel, is_first ? last.n_items : before.n_items);
        *parcel = is_first ? last : before;
        if (!is_first)
            return err;
    }
    return err < 0 ? err : 1;
}

static int collect(const struct vnrs_bgp_turn *t, struct parcel *parcel)
{
    struct vnrs_bgp_speaker *sp = t->sp;
    struct vnrs_bgp_batch entry = {0};
    int taken = 1;

    while (parcel->bytes < BYTES_MAX && parcel->n_items + VNRS_BGP_PATHS_PER_PREFIX <= VNRS_BGP_ITEMS &&
           parcel->n_entries < VNRS_BGP_BATCH && (entry.dest = vnrs_bgp_turn_take(t, &entry.consumers))) {
        entry.listeners = 0;
        taken = collect_entry(t, parcel, &entry);
        if (taken <= 0) {
            vnrs_bgp_turn_give_back(t, entry.dest, entry.consumers);
            break;
        }
        sp->batch[parcel->n_entries++] = entry;
    }
    return taken < 0 ? taken : 0;
}

static int cmp_value(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

// What goes into one message side by side, withdrawals first; else in the order of the table.
static int item_cmp(const void *va, const void *vb)
{
    const struct vnrs_bgp_item *a = va, *b = vb;
    int order = cmp_value((uintptr_t)a->attrs, (uintptr_t)b->attrs);

    if (!order)
        order = cmp_value(a->dest->prefix.family, b->dest->prefix.family);
    if (!order)
        order = cmp_value(a->to, b->to);
    if (!order)
        order = cmp_value(a->dest->number, b->dest->number);
    return order ? order : cmp_value(a->id, b->id);
}

static bool is_together(const struct vnrs_bgp_item *a, const struct vnrs_bgp_item *b)
{
    return a->attrs == b->attrs && a->to == b->to && a->dest->prefix.family == b->dest->prefix.family;
}

static void send_run(const struct vnrs_bgp_turn *t, const struct vnrs_bgp_item *items, size_t n)
{
    struct vnrs_bgp_speaker *sp = t->sp;
    const struct vnrs_bgp_attrs *attrs = items[0].attrs;
    uint8_t af = vnrs_bgp_af_of(&items[0].dest->prefix);

    for (size_t done = 0, used; done < n; done += used) {
        for (size_t i = done; i < n; i++) {
            sp->batch_prefixes[i - done] = items[i].dest->prefix;
            sp->batch_path_ids[i - done] = items[i].id;
        }
        used = vnrs_bgp_turn_send(t, af, items[0].to, attrs, n - done);
        if (!used && !attrs)
            break;
        if (!used) // too large to be told: what was told before is withdrawn
            attrs = NULL;
        for (size_t i = done; i < done + used && attrs; i++)
            items[i].path->flags |= VNRS_BGP_PATH_TOLD;
    }
}

bool vnrs_bgp_turn_paths(const struct vnrs_bgp_turn *t, int *ret_err)
{
    struct vnrs_bgp_speaker *sp = t->sp;
    struct parcel parcel = {0};

    *ret_err = collect(t, &parcel);
    qsort(sp->items, parcel.n_items, sizeof(sp->items[0]), item_cmp);
    for (size_t from = 0, to; from < parcel.n_items; from = to) {
        for (to = from + 1; to < parcel.n_items && is_together(&sp->items[from], &sp->items[to]); to++)
            ;
        send_run(t, &sp->items[from], to - from);
    }
    drop(t, &parcel, 0);
    for (size_t i = 0; i < parcel.n_entries; i++) {
        const struct vnrs_bgp_batch *entry = &sp->batch[i];
        vnrs_bgp_turn_mark(sp, entry->dest, entry->listeners, entry->consumers & ~entry->listeners);
        vnrs_bgp_rib_done(&sp->rib, entry->dest);
    }
    return parcel.n_entries;
}
