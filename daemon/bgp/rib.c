// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/rib.h"

#include "util/vec.h"

#include <assert.h>
#include <string.h>

#define SLAB_DESTS 1024u
#define SLAB_PATHS 2048u
#define INDEX_MIN  1024u
#define RING_MIN   256u
#define RING_KEEP  65536u // a ring larger than this is given back once it is empty
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
    for (unsigned i = 0; i < VNRS_BGP_SLOTS; i++)
        free(rib->queues[i].ring);
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

static size_t index_slot(const struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, uint32_t hash)
{
    size_t i = hash & (rib->index_cap - 1);

    while (rib->index[i] && !(rib->index[i]->hash == hash && vnrs_prefix_equal(&rib->index[i]->prefix, prefix)))
        i = (i + 1) & (rib->index_cap - 1);
    return i;
}

static int index_grow(struct vnrs_bgp_rib *rib)
{
    size_t cap = rib->index_cap ? rib->index_cap * 2 : INDEX_MIN;
    struct vnrs_bgp_dest **grown = calloc(cap, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    for (size_t i = 0; i < rib->index_cap; i++) {
        if (!rib->index[i])
            continue;
        size_t to = rib->index[i]->hash & (cap - 1);
        while (grown[to])
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
    size_t mask = rib->index_cap - 1, gap = index_slot(rib, &dest->prefix, dest->hash);

    for (size_t i = (gap + 1) & mask; rib->index[i]; i = (i + 1) & mask) {
        size_t home = rib->index[i]->hash & mask;
        if (((i - home) & mask) < ((i - gap) & mask))
            continue;
        rib->index[gap] = rib->index[i];
        gap = i;
    }
    rib->index[gap] = NULL;
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

static struct vnrs_bgp_dest *dest_new(struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, uint32_t hash)
{
    struct vnrs_bgp_dest *d = rib->free_dests;

    if ((rib->len + 1) * 2 > rib->index_cap && index_grow(rib) < 0)
        return NULL;
    if (d) {
        rib->free_dests = (struct vnrs_bgp_dest *)d->paths;
    } else {
        if (rib->next_dest == rib->n_slabs * SLAB_DESTS &&
            slab_add((void ***)&rib->slabs, &rib->n_slabs, SLAB_DESTS * sizeof(*d)) < 0)
            return NULL;
        d = &rib->slabs[rib->next_dest / SLAB_DESTS][rib->next_dest % SLAB_DESTS];
        rib->next_dest++;
    }
    *d = (struct vnrs_bgp_dest){.hash = hash, .live = true, .prefix = *prefix};
    rib->index[index_slot(rib, prefix, hash)] = d;
    rib->len++;
    return d;
}

void vnrs_bgp_rib_done(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest)
{
    if (dest->paths || dest->queued || dest->advertised)
        return;
    index_remove(rib, dest);
    dest->live = false;
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
    return rib->index_cap ? rib->index[index_slot(rib, prefix, prefix_hash(rib, prefix))] : NULL;
}

struct vnrs_bgp_dest *vnrs_bgp_rib_next(const struct vnrs_bgp_rib *rib, size_t *at)
{
    while (*at < rib->next_dest) {
        struct vnrs_bgp_dest *d = &rib->slabs[*at / SLAB_DESTS][*at % SLAB_DESTS];
        (*at)++;
        if (d->live)
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

static void enqueue_mask(struct vnrs_bgp_rib *rib, uint64_t mask, struct vnrs_bgp_dest *dest)
{
    mask &= rib->consumers & ~dest->queued;
    for (; mask; mask &= mask - 1)
        vnrs_bgp_rib_enqueue(rib, (unsigned)__builtin_ctzll(mask), dest);
}

static bool is_same_outside(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_attrs *a,
                            const struct vnrs_bgp_attrs *b)
{
    return a && b && rib->is_same_outside && rib->is_same_outside(rib->arg, a, b);
}

static void change_end(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *path,
                       const struct before *before)
{
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);
    const struct vnrs_bgp_attrs *attrs = best ? best->attrs : NULL;
    uint64_t peers = ~BIT(VNRS_BGP_SLOT_LOCAL);

    if (before->multipath || is_in_multipath(rib, dest, path))
        enqueue_mask(rib, BIT(VNRS_BGP_SLOT_LOCAL), dest);
    if (attrs != before->attrs && !is_same_outside(rib, attrs, before->attrs))
        enqueue_mask(rib, peers, dest);
    else if (attrs != before->attrs)
        enqueue_mask(rib, (rib->ibgp | BIT(best->slot) | BIT(before->slot)) & peers, dest);
    else if (best && best->slot != before->slot)
        enqueue_mask(rib, (BIT(best->slot) | BIT(before->slot)) & peers, dest);
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
    change_end(rib, dest, path, &before);
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
    change_end(rib, d, p, &before);
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
    change_end(rib, dest, NULL, &before);
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

    while (rib->counts[slot] && (d = vnrs_bgp_rib_next(rib, &at)))
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

    while (rib->counts[slot] && (d = vnrs_bgp_rib_next(rib, &at))) {
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

static int ring_grow(struct vnrs_bgp_queue *q)
{
    size_t cap = q->cap ? q->cap * 2 : RING_MIN;
    struct vnrs_bgp_dest **ring = malloc(cap * sizeof(struct vnrs_bgp_dest *));

    if (!ring)
        return -ENOMEM;
    for (size_t i = 0; i < q->len; i++)
        ring[i] = q->ring[(q->head + i) & (q->cap - 1)];
    free(q->ring);
    *q = (struct vnrs_bgp_queue){.ring = ring, .len = q->len, .cap = cap};
    return 0;
}

void vnrs_bgp_rib_enqueue(struct vnrs_bgp_rib *rib, unsigned consumer, struct vnrs_bgp_dest *dest)
{
    struct vnrs_bgp_queue *q = &rib->queues[consumer];

    if (dest->queued & BIT(consumer))
        return;
    if (q->len == q->cap && ring_grow(q) < 0) {
        rib->failed = true;
        return;
    }
    q->ring[(q->head + q->len++) & (q->cap - 1)] = dest;
    dest->queued |= BIT(consumer);
}

void vnrs_bgp_rib_enqueue_all(struct vnrs_bgp_rib *rib, unsigned consumer)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while ((d = vnrs_bgp_rib_next(rib, &at)))
        vnrs_bgp_rib_enqueue(rib, consumer, d);
}

void vnrs_bgp_rib_consumer_add(struct vnrs_bgp_rib *rib, unsigned consumer)
{
    assert(consumer < VNRS_BGP_SLOTS);
    rib->consumers |= BIT(consumer);
}

void vnrs_bgp_rib_consumer_remove(struct vnrs_bgp_rib *rib, unsigned consumer)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    rib->consumers &= ~BIT(consumer);
    while ((d = vnrs_bgp_rib_next(rib, &at))) {
        d->queued &= ~BIT(consumer);
        d->advertised &= ~BIT(consumer);
        vnrs_bgp_rib_done(rib, d);
    }
    free(rib->queues[consumer].ring);
    rib->queues[consumer] = (struct vnrs_bgp_queue){0};
}

struct vnrs_bgp_dest *vnrs_bgp_rib_dequeue(struct vnrs_bgp_rib *rib, unsigned consumer)
{
    struct vnrs_bgp_queue *q = &rib->queues[consumer];

    if (!q->len) {
        if (q->cap > RING_KEEP) {
            free(q->ring);
            *q = (struct vnrs_bgp_queue){0};
        }
        return NULL;
    }
    struct vnrs_bgp_dest *d = q->ring[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->len--;
    d->queued &= ~BIT(consumer);
    return d;
}

void vnrs_bgp_rib_requeue(struct vnrs_bgp_rib *rib, unsigned consumer, struct vnrs_bgp_dest *dest)
{
    struct vnrs_bgp_queue *q = &rib->queues[consumer];

    // Its place is still free: nothing was added since it was taken out.
    assert(q->len < q->cap && !(dest->queued & BIT(consumer)));
    q->head = (q->head + q->cap - 1) & (q->cap - 1);
    q->ring[q->head] = dest;
    q->len++;
    dest->queued |= BIT(consumer);
}
