// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/rib.h"

#include "util/vec.h"

#include <assert.h>
#include <string.h>

#define SLAB_PATHS 2048u
#define INDEX_MIN  1024u
#define SCATTER    619u // odd, and far from what divides a slab evenly
#define UNSCATTER  579u // SCATTER * UNSCATTER is 1 modulo the entries of a slab
#define BIT(n)     (UINT64_C(1) << (n))

void vnrs_bgp_rib_init(struct vnrs_bgp_rib *rib, struct vnrs_bgp_attr_table *attrs, uint64_t seed)
{
    *rib = (struct vnrs_bgp_rib){.attrs = attrs, .seed = seed};
    rib->sources[VNRS_BGP_SLOT_LOCAL].local = true;
}

void vnrs_bgp_rib_fini(struct vnrs_bgp_rib *rib)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while ((d = vnrs_bgp_rib_next(rib, &at)))
        for (struct vnrs_bgp_path *p = d->paths; p; p = p->next)
            vnrs_bgp_attrs_unref(rib->attrs, p->attrs);
    for (size_t i = 0; i < rib->n_slabs; i++)
        free(rib->slabs[i]);
    for (size_t i = 0; i < rib->n_path_slabs; i++)
        free(rib->path_slabs[i]);
    vnrs_bgp_queue_fini(rib);
    free(rib->slabs);
    free(rib->path_slabs);
    free(rib->index);
    *rib = (struct vnrs_bgp_rib){0};
}

// Prefixes come from peers: seeded, so that nobody can prepare collisions.
static uint32_t prefix_hash(const struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix)
{
    uint64_t a, b, h = rib->seed ^ ((uint64_t)prefix->family << 8 | prefix->len);

    memcpy(&a, prefix->bytes, sizeof(a));
    memcpy(&b, prefix->bytes + 8, sizeof(b));
    h = (h ^ a) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ b) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(h ^ h >> 32);
}

static size_t index_slot(const struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, uint32_t tag)
{
    size_t i = tag & (rib->index_cap - 1);

    while (rib->index[i].entry && !(rib->index[i].tag == tag &&
                                    vnrs_prefix_equal(&vnrs_bgp_rib_at(rib, rib->index[i].entry - 1)->prefix, prefix)))
        i = (i + 1) & (rib->index_cap - 1);
    return i;
}

static int index_grow(struct vnrs_bgp_rib *rib)
{
    size_t cap = rib->index_cap ? rib->index_cap * 2 : INDEX_MIN;
    struct vnrs_bgp_index *grown = calloc(cap, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    for (size_t i = 0; i < rib->index_cap; i++) {
        if (!rib->index[i].entry)
            continue;
        size_t to = rib->index[i].tag & (cap - 1);
        while (grown[to].entry)
            to = (to + 1) & (cap - 1);
        grown[to] = rib->index[i];
    }
    free(rib->index);
    rib->index = grown;
    rib->index_cap = cap;
    return 0;
}

// Open addressing without tombstones: entries behind the gap move up when their place is before it.
static void index_remove(struct vnrs_bgp_rib *rib, const struct vnrs_bgp_dest *dest)
{
    size_t mask = rib->index_cap - 1, gap = index_slot(rib, &dest->prefix, prefix_hash(rib, &dest->prefix));

    for (size_t i = (gap + 1) & mask; rib->index[i].entry; i = (i + 1) & mask) {
        size_t home = rib->index[i].tag & mask;
        if (((i - home) & mask) < ((i - gap) & mask))
            continue;
        rib->index[gap] = rib->index[i];
        gap = i;
    }
    rib->index[gap] = (struct vnrs_bgp_index){0};
}

static int slab_add(void ***slabs, size_t *n, size_t bytes)
{
    void **grown = realloc(*slabs, (*n + 1) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    *slabs = grown;
    grown[*n] = calloc(1, bytes);
    if (!grown[*n])
        return -ENOMEM;
    (*n)++;
    return 0;
}

static int dest_slab_add(struct vnrs_bgp_rib *rib)
{
    uint64_t *dirty = realloc(rib->queues.dirty, (rib->n_slabs + 1) * sizeof(*dirty));

    if (!dirty)
        return -ENOMEM;
    rib->queues.dirty = dirty;
    dirty[rib->n_slabs] = 0;
    return slab_add((void ***)&rib->slabs, &rib->n_slabs, VNRS_BGP_SLAB_DESTS * sizeof(struct vnrs_bgp_dest));
}

static struct vnrs_bgp_dest *dest_new(struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, uint32_t hash)
{
    struct vnrs_bgp_dest *d = rib->free_dests;
    uint32_t number;

    if ((rib->len + 1) * 2 > rib->index_cap && index_grow(rib) < 0)
        return NULL;
    if (d) {
        rib->free_dests = (struct vnrs_bgp_dest *)d->paths;
        number = d->number;
    } else {
        if (rib->next_dest == UINT32_MAX ||
            (rib->next_dest == rib->n_slabs * VNRS_BGP_SLAB_DESTS && dest_slab_add(rib) < 0))
            return NULL;
        number = (uint32_t)rib->next_dest++;
        d = vnrs_bgp_rib_at(rib, number);
    }
    *d = (struct vnrs_bgp_dest){.number = number, .flags = VNRS_BGP_DEST_LIVE, .prefix = *prefix};
    rib->index[index_slot(rib, prefix, hash)] = (struct vnrs_bgp_index){.tag = hash, .entry = number + 1};
    rib->len++;
    return d;
}

void vnrs_bgp_rib_done(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest)
{
    if (!(dest->queued & ~BIT(VNRS_BGP_SLOT_LOCAL)))
        dest->flags &= (uint8_t)~VNRS_BGP_DEST_NEW;
    if (dest->paths || dest->queued || dest->advertised)
        return;
    index_remove(rib, dest);
    dest->flags = 0;
    // A free entry links to the next one through the field that it does not use.
    dest->paths = (struct vnrs_bgp_path *)rib->free_dests;
    rib->free_dests = dest;
    rib->len--;
}

static struct vnrs_bgp_path *path_new(struct vnrs_bgp_rib *rib)
{
    struct vnrs_bgp_path *p = rib->free_paths;

    if (!p) {
        if (slab_add(&rib->path_slabs, &rib->n_path_slabs, SLAB_PATHS * sizeof(*p)) < 0)
            return NULL;
        p = rib->path_slabs[rib->n_path_slabs - 1];
        for (size_t i = 0; i + 1 < SLAB_PATHS; i++)
            p[i].next = &p[i + 1];
    }
    rib->free_paths = p->next;
    return p;
}

static void path_free(struct vnrs_bgp_rib *rib, struct vnrs_bgp_path *path)
{
    vnrs_bgp_attrs_unref(rib->attrs, path->attrs);
    path->next = rib->free_paths;
    rib->free_paths = path;
}

struct vnrs_bgp_dest *vnrs_bgp_rib_find(const struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix)
{
    if (!rib->index_cap)
        return NULL;
    uint32_t entry = rib->index[index_slot(rib, prefix, prefix_hash(rib, prefix))].entry;
    return entry ? vnrs_bgp_rib_at(rib, entry - 1) : NULL;
}

struct vnrs_bgp_dest *vnrs_bgp_rib_at(const struct vnrs_bgp_rib *rib, size_t number)
{
    return &rib->slabs[number / VNRS_BGP_SLAB_DESTS][number % VNRS_BGP_SLAB_DESTS];
}

struct vnrs_bgp_dest *vnrs_bgp_rib_next(const struct vnrs_bgp_rib *rib, size_t *at)
{
    while (*at < rib->next_dest) {
        struct vnrs_bgp_dest *d = vnrs_bgp_rib_at(rib, (*at)++);
        if (d->flags & VNRS_BGP_DEST_LIVE)
            return d;
    }
    return NULL;
}

size_t vnrs_bgp_rib_scatter(size_t n)
{
    return n * SCATTER % VNRS_BGP_SLAB_DESTS;
}

size_t vnrs_bgp_rib_unscatter(size_t n)
{
    return n * UNSCATTER % VNRS_BGP_SLAB_DESTS;
}

static size_t common_divisor(size_t a, size_t b)
{
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// Without a divisor in common with their number every slab has its turn.
size_t vnrs_bgp_rib_stride(size_t n_slabs)
{
    size_t stride = n_slabs * 5 / 8;

    while (common_divisor(stride, n_slabs) > 1)
        stride++;
    return stride;
}

struct vnrs_bgp_dest *vnrs_bgp_rib_next_scattered(const struct vnrs_bgp_rib *rib, size_t *at)
{
    while (*at < rib->n_slabs * VNRS_BGP_SLAB_DESTS) {
        size_t turn = *at / VNRS_BGP_SLAB_DESTS, n = (*at)++ % VNRS_BGP_SLAB_DESTS;
        size_t slab = turn * vnrs_bgp_rib_stride(rib->n_slabs) % rib->n_slabs;
        struct vnrs_bgp_dest *d = &rib->slabs[slab][vnrs_bgp_rib_scatter(n)];
        if (d->flags & VNRS_BGP_DEST_LIVE)
            return d;
    }
    return NULL;
}

const struct vnrs_bgp_path *vnrs_bgp_dest_best(const struct vnrs_bgp_dest *dest)
{
    return dest->paths && dest->paths->barred == VNRS_BGP_USABLE ? dest->paths : NULL;
}

const struct vnrs_bgp_path *vnrs_bgp_dest_path(const struct vnrs_bgp_dest *dest, unsigned slot)
{
    for (const struct vnrs_bgp_path *p = dest->paths; p; p = p->next)
        if (p->slot == slot)
            return p;
    return NULL;
}

static int path_cmp(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_path *a, const struct vnrs_bgp_path *b,
                    enum vnrs_bgp_step *ret_step)
{
    struct vnrs_bgp_candidate ca = {a->attrs, &rib->sources[a->slot]}, cb = {b->attrs, &rib->sources[b->slot]};

    if (!a->barred != !b->barred) {
        *ret_step = VNRS_BGP_STEP_BARRED;
        return a->barred ? 1 : -1;
    }
    return vnrs_bgp_decide_cmp(&ca, &cb, ret_step);
}

enum vnrs_bgp_step vnrs_bgp_dest_lost_at(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_dest *dest,
                                         const struct vnrs_bgp_path *path)
{
    enum vnrs_bgp_step step = VNRS_BGP_STEP_BEST;

    if (path->barred)
        return VNRS_BGP_STEP_BARRED;
    if (path != dest->paths)
        (void)path_cmp(rib, dest->paths, path, &step);
    return step;
}

// What consumers were told about a prefix, taken before a change.
struct before {
    const struct vnrs_bgp_attrs *attrs; // of the best path; one reference
    uint8_t slot;
    bool multipath; // the path about to change shares the traffic
};

static bool is_in_multipath(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_dest *dest,
                            const struct vnrs_bgp_path *path)
{
    return path && vnrs_bgp_step_is_multipath(vnrs_bgp_dest_lost_at(rib, dest, path));
}

static struct before change_begin(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_dest *dest,
                                  const struct vnrs_bgp_path *path)
{
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);

    return (struct before){.attrs = best ? vnrs_bgp_attrs_ref(best->attrs) : NULL,
                           .slot = best ? best->slot : VNRS_BGP_SLOT_LOCAL,
                           .multipath = is_in_multipath(rib, dest, path)};
}

static bool is_same_outside(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_attrs *a,
                            const struct vnrs_bgp_attrs *b)
{
    return a && b && rib->is_same_outside && rib->is_same_outside(rib->arg, a, b);
}

// Those who are told attributes hear when these change, and when the path has another source: that one is not told.
static void change_tell(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, const struct before *before)
{
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);
    const struct vnrs_bgp_attrs *attrs = best ? best->attrs : NULL;
    bool moved = best && before->attrs && best->slot != before->slot;
    uint64_t inside = rib->queues.hears[VNRS_BGP_HEARS_INSIDE], outside = rib->queues.hears[VNRS_BGP_HEARS_OUTSIDE];

    if (attrs == before->attrs && !moved)
        return;
    if (attrs == before->attrs)
        vnrs_bgp_queue_change(rib, dest, inside | outside, 0);
    else if (!is_same_outside(rib, attrs, before->attrs))
        vnrs_bgp_queue_change(rib, dest, inside | outside, VNRS_BGP_DEST_NEW);
    else
        vnrs_bgp_queue_change(rib, dest, inside | (moved ? outside : 0), VNRS_BGP_DEST_NEW_INSIDE);
}

// `slot` is whose path changed; `path` is what there is of it now.
static void change_end(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, unsigned slot,
                       const struct vnrs_bgp_path *path, const struct before *before)
{
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);

    rib->n_best = rib->n_best + (best ? 1 : 0) - (before->attrs ? 1 : 0);
    if (rib->changed)
        rib->changed(rib->arg, &dest->prefix, slot,
                     best ? best->attrs != before->attrs || best->slot != before->slot : before->attrs != NULL);
    if (before->multipath || is_in_multipath(rib, dest, path))
        vnrs_bgp_queue_change(rib, dest, rib->queues.hears[VNRS_BGP_HEARS_MULTIPATH], 0);
    change_tell(rib, dest, before);
    vnrs_bgp_attrs_unref(rib->attrs, before->attrs);
    vnrs_bgp_rib_done(rib, dest);
}

static void path_insert(const struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, struct vnrs_bgp_path *path)
{
    struct vnrs_bgp_path **at = &dest->paths;
    enum vnrs_bgp_step step;

    while (*at && path_cmp(rib, *at, path, &step) < 0)
        at = &(*at)->next;
    path->next = *at;
    *at = path;
}

static void path_unlink(struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *path)
{
    struct vnrs_bgp_path **at = &dest->paths;

    while (*at != path) {
        assert(*at); // it is linked
        at = &(*at)->next;
    }
    *at = path->next;
}

// Puts `path`, which is linked, to the place that its new content deserves.
static void path_change(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, struct vnrs_bgp_path *path,
                        const struct vnrs_bgp_attrs *attrs, enum vnrs_bgp_barred barred)
{
    struct before before = change_begin(rib, dest, path);
    const struct vnrs_bgp_attrs *old = path->attrs;

    path_unlink(dest, path);
    path->attrs = vnrs_bgp_attrs_ref(attrs);
    path->barred = barred;
    path_insert(rib, dest, path);
    vnrs_bgp_attrs_unref(rib->attrs, old);
    change_end(rib, dest, path->slot, path, &before);
}

int vnrs_bgp_rib_update(struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, unsigned slot,
                        const struct vnrs_bgp_attrs *attrs, enum vnrs_bgp_barred barred)
{
    struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(rib, prefix);
    struct vnrs_bgp_path *p = d ? (struct vnrs_bgp_path *)vnrs_bgp_dest_path(d, slot) : NULL;

    if (p) {
        p->epoch = rib->epochs[slot];
        if (p->attrs == attrs && p->barred == barred)
            return 0;
        path_change(rib, d, p, attrs, barred);
        return 1;
    }
    if (!(p = path_new(rib)))
        return -ENOMEM;
    *p = (struct vnrs_bgp_path){
        .attrs = vnrs_bgp_attrs_ref(attrs), .slot = (uint8_t)slot, .barred = barred, .epoch = rib->epochs[slot]};
    if (!d && !(d = dest_new(rib, prefix, prefix_hash(rib, prefix)))) {
        path_free(rib, p);
        return -ENOMEM;
    }
    struct before before = change_begin(rib, d, NULL);
    path_insert(rib, d, p);
    rib->counts[slot]++;
    change_end(rib, d, slot, p, &before);
    return 1;
}

static bool withdraw_path(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, unsigned slot)
{
    struct vnrs_bgp_path *p = (struct vnrs_bgp_path *)vnrs_bgp_dest_path(dest, slot);

    if (!p)
        return false;
    struct before before = change_begin(rib, dest, p);
    path_unlink(dest, p);
    path_free(rib, p);
    rib->counts[slot]--;
    change_end(rib, dest, slot, NULL, &before);
    return true;
}

bool vnrs_bgp_rib_withdraw(struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, unsigned slot)
{
    struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(rib, prefix);
    return d && withdraw_path(rib, d, slot);
}

void vnrs_bgp_rib_withdraw_all(struct vnrs_bgp_rib *rib, unsigned slot)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while (rib->counts[slot] && (d = vnrs_bgp_rib_next_scattered(rib, &at)))
        (void)withdraw_path(rib, d, slot);
}

bool vnrs_bgp_path_is_before(const struct vnrs_bgp_path *path, uint32_t epoch)
{
    return (int32_t)(path->epoch - epoch) < 0;
}

void vnrs_bgp_rib_sweep(struct vnrs_bgp_rib *rib, unsigned slot, uint8_t family, uint32_t epoch)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while (rib->counts[slot] && (d = vnrs_bgp_rib_next_scattered(rib, &at))) {
        const struct vnrs_bgp_path *p = d->prefix.family == family ? vnrs_bgp_dest_path(d, slot) : NULL;
        if (p && vnrs_bgp_path_is_before(p, epoch))
            (void)withdraw_path(rib, d, slot);
    }
}

void vnrs_bgp_rib_rejudge(struct vnrs_bgp_rib *rib,
                          enum vnrs_bgp_barred (*judge)(const struct vnrs_prefix *prefix,
                                                        const struct vnrs_bgp_path *path, void *arg),
                          void *arg)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while ((d = vnrs_bgp_rib_next(rib, &at))) {
        // A path that changes moves in the list: gather by source, of which each has one path at most.
        uint64_t slots = 0;
        for (struct vnrs_bgp_path *p = d->paths; p; p = p->next)
            if (p->slot != VNRS_BGP_SLOT_LOCAL)
                slots |= BIT(p->slot);
        for (; slots; slots &= slots - 1) {
            struct vnrs_bgp_path *p = (struct vnrs_bgp_path *)vnrs_bgp_dest_path(d, (unsigned)__builtin_ctzll(slots));
            enum vnrs_bgp_barred barred = judge(&d->prefix, p, arg);
            if (barred != p->barred)
                path_change(rib, d, p, p->attrs, barred);
        }
    }
}
