// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/rib.h"

#include "util/vec.h"

#include <assert.h>
#include <string.h>

#define SLAB_PATHS 2048u
#define INDEX_MIN  1024u
#define BIT(n)     (UINT64_C(1) << (n))

#define EPOCHS_KEPT 0x4000u // so far apart epochs may be to be compared

struct numbered { // a path with VNRS_BGP_PATH_NUMBERED
    struct vnrs_bgp_path path;
    uint32_t received_id;
};

static_assert(sizeof(struct vnrs_bgp_path) == 24 && sizeof(struct vnrs_bgp_dest) == 48, "there are millions of them");

void vnrs_bgp_rib_init(struct vnrs_bgp_rib *rib, struct vnrs_bgp_attr_table *attrs, uint64_t seed)
{
    *rib = (struct vnrs_bgp_rib){.attrs = attrs, .seed = seed};
    rib->sources[VNRS_BGP_SLOT_LOCAL].local = true;
    rib->sources[VNRS_BGP_SLOT_LOCAL].from = VNRS_BGP_FROM_LOCAL;
    rib->sources[VNRS_BGP_SLOT_STATIC].from = VNRS_BGP_FROM_STATIC;
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

static struct vnrs_bgp_path *path_new(struct vnrs_bgp_rib *rib, uint32_t received_id)
{
    bool is_numbered = received_id;
    size_t size = is_numbered ? sizeof(struct numbered) : sizeof(struct vnrs_bgp_path);
    struct vnrs_bgp_path **free_list = &rib->free_paths[is_numbered];

    if (!*free_list) {
        if (slab_add(&rib->path_slabs, &rib->n_path_slabs, SLAB_PATHS * size) < 0)
            return NULL;
        uint8_t *slab = rib->path_slabs[rib->n_path_slabs - 1];
        for (size_t i = SLAB_PATHS; i-- > 0;) {
            struct vnrs_bgp_path *p = (struct vnrs_bgp_path *)(void *)(slab + i * size);
            p->next = *free_list;
            *free_list = p;
        }
    }
    struct vnrs_bgp_path *p = *free_list;
    *free_list = p->next;
    *p = (struct vnrs_bgp_path){.flags = is_numbered ? VNRS_BGP_PATH_NUMBERED : 0};
    if (is_numbered)
        ((struct numbered *)p)->received_id = received_id;
    return p;
}

static void path_free(struct vnrs_bgp_rib *rib, struct vnrs_bgp_path *path)
{
    struct vnrs_bgp_path **free_list = &rib->free_paths[path->flags & VNRS_BGP_PATH_NUMBERED];

    vnrs_bgp_attrs_unref(rib->attrs, path->attrs);
    path->next = *free_list;
    *free_list = path;
}

uint32_t vnrs_bgp_path_received_id(const struct vnrs_bgp_path *path)
{
    return path->flags & VNRS_BGP_PATH_NUMBERED ? ((const struct numbered *)path)->received_id : 0;
}

// Everybody has heard of its paths.
static void paths_settle(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest)
{
    for (struct vnrs_bgp_path **at = &dest->paths, *p; (p = *at);) {
        p->flags &= (uint8_t)~VNRS_BGP_PATH_NEWS;
        if (p->barred == VNRS_BGP_BARRED_GONE) {
            *at = p->next;
            path_free(rib, p);
        } else {
            at = &p->next;
        }
    }
}

void vnrs_bgp_rib_done(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest)
{
    if (dest->flags & VNRS_BGP_DEST_NEW_PATH && !(dest->queued & rib->queues.hears[VNRS_BGP_HEARS_PATHS])) {
        paths_settle(rib, dest);
        dest->flags &= (uint8_t)~VNRS_BGP_DEST_NEW_PATH;
    }
    if (!(dest->queued & ~BIT(VNRS_BGP_SLOT_LOCAL)))
        dest->flags &= (uint8_t)~VNRS_BGP_DEST_ALL;
    if (dest->paths || dest->queued || dest->advertised)
        return;
    index_remove(rib, dest);
    dest->flags = 0;
    // A free entry links to the next one through the field that it does not use.
    dest->paths = (struct vnrs_bgp_path *)rib->free_dests;
    rib->free_dests = dest;
    rib->len--;
}

struct vnrs_bgp_dest *vnrs_bgp_rib_find(const struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix)
{
    if (!rib->index_cap)
        return NULL;
    uint32_t entry = rib->index[index_slot(rib, prefix, prefix_hash(rib, prefix))].entry;
    return entry ? vnrs_bgp_rib_at(rib, entry - 1) : NULL;
}

void vnrs_bgp_rib_prefetch(const struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefixes, size_t n)
{
    const struct vnrs_bgp_index *places[VNRS_BGP_PREFETCH_MAX];

    assert(n <= ARRAY_SIZE(places));
    if (!rib->index_cap)
        return;
    for (size_t i = 0; i < n; i++) {
        places[i] = &rib->index[prefix_hash(rib, &prefixes[i]) & (rib->index_cap - 1)];
        __builtin_prefetch(places[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (places[i]->entry)
            __builtin_prefetch(vnrs_bgp_rib_at(rib, places[i]->entry - 1));
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

const struct vnrs_bgp_path *vnrs_bgp_dest_best(const struct vnrs_bgp_dest *dest)
{
    return dest->paths && dest->paths->barred == VNRS_BGP_USABLE ? dest->paths : NULL;
}

const struct vnrs_bgp_path *vnrs_bgp_dest_path(const struct vnrs_bgp_dest *dest, unsigned slot)
{
    for (const struct vnrs_bgp_path *p = dest->paths; p; p = p->next)
        if (p->slot == slot && p->barred != VNRS_BGP_BARRED_GONE)
            return p;
    return NULL;
}

static struct vnrs_bgp_path *path_find(const struct vnrs_bgp_dest *dest, unsigned slot, uint32_t path_id)
{
    for (struct vnrs_bgp_path *p = dest->paths; p; p = p->next)
        if (p->slot == slot && p->barred != VNRS_BGP_BARRED_GONE && vnrs_bgp_path_received_id(p) == path_id)
            return p;
    return NULL;
}

const struct vnrs_bgp_path *vnrs_bgp_dest_path_id(const struct vnrs_bgp_dest *dest, unsigned slot, uint32_t path_id)
{
    return path_find(dest, slot, path_id);
}

static int path_cmp(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_path *a, const struct vnrs_bgp_path *b,
                    enum vnrs_bgp_step *ret_step)
{
    struct vnrs_bgp_candidate ca = {a->attrs, &rib->sources[a->slot], vnrs_bgp_path_received_id(a)},
                              cb = {b->attrs, &rib->sources[b->slot], vnrs_bgp_path_received_id(b)};

    if (!a->barred != !b->barred) {
        *ret_step = VNRS_BGP_STEP_BARRED;
        return a->barred ? 1 : -1;
    }
    return vnrs_bgp_decide_cmp(&ca, &cb, ret_step);
}

enum vnrs_bgp_step vnrs_bgp_path_lost_at(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_path *best,
                                         const struct vnrs_bgp_path *path)
{
    enum vnrs_bgp_step step = VNRS_BGP_STEP_BEST;

    if (path->barred)
        return VNRS_BGP_STEP_BARRED;
    if (path != best)
        (void)path_cmp(rib, best, path, &step);
    return step;
}

enum vnrs_bgp_step vnrs_bgp_dest_lost_at(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_dest *dest,
                                         const struct vnrs_bgp_path *path)
{
    return vnrs_bgp_path_lost_at(rib, dest->paths, path);
}

// What consumers were told about a prefix, taken before a change.
struct before {
    const struct vnrs_bgp_attrs *attrs; // of the best path; one reference
    uint8_t slot;
    bool multipath; // the path about to change shares the traffic
    uint8_t source; // of that path, and its identifier
    uint32_t path_id;
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
                           .multipath = is_in_multipath(rib, dest, path),
                           .source = path ? path->slot : 0,
                           .path_id = path ? vnrs_bgp_path_received_id(path) : 0};
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
    // What is made of it on its way out depends on what the source is.
    bool other_kind = moved && rib->sources[best->slot].from != rib->sources[before->slot].from;
    uint64_t inside = rib->queues.hears[VNRS_BGP_HEARS_INSIDE], outside = rib->queues.hears[VNRS_BGP_HEARS_OUTSIDE];

    if (attrs == before->attrs && !moved)
        return;
    if (other_kind || (attrs != before->attrs && !is_same_outside(rib, attrs, before->attrs)))
        vnrs_bgp_queue_change(rib, dest, inside | outside, VNRS_BGP_DEST_NEW_BEST);
    else if (attrs == before->attrs) // reflected, they name the peer that they are from (RFC 4456)
        vnrs_bgp_queue_change(rib, dest, inside | outside,
                              rib->sources[best->slot].ibgp ? VNRS_BGP_DEST_NEW_INSIDE : 0);
    else
        vnrs_bgp_queue_change(rib, dest, inside | (moved ? outside : 0), VNRS_BGP_DEST_NEW_INSIDE);
}

// `path` is what there is of it now.
static void change_end(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, struct vnrs_bgp_path *path,
                       const struct before *before)
{
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);

    rib->n_best = rib->n_best + (best ? 1 : 0) - (before->attrs ? 1 : 0);
    if (rib->changed)
        rib->changed(rib->arg, &dest->prefix, before->source, before->path_id,
                     best ? best->attrs != before->attrs || best->slot != before->slot : before->attrs != NULL);
    if (rib->queues.hears[VNRS_BGP_HEARS_PATHS]) {
        vnrs_bgp_queue_change(rib, dest, rib->queues.hears[VNRS_BGP_HEARS_PATHS], VNRS_BGP_DEST_NEW_PATH);
        if (path)
            path->flags |= VNRS_BGP_PATH_NEWS;
    }
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
    before.path_id = vnrs_bgp_path_received_id(path); // one that is revived has another
    change_end(rib, dest, path, &before);
}

static struct vnrs_bgp_path *path_gone(const struct vnrs_bgp_dest *dest, unsigned slot, bool is_numbered)
{
    for (struct vnrs_bgp_path *p = dest->paths; p; p = p->next)
        if (p->slot == slot && p->barred == VNRS_BGP_BARRED_GONE && (p->flags & VNRS_BGP_PATH_NUMBERED) == is_numbered)
            return p;
    return NULL;
}

static unsigned paths_of(const struct vnrs_bgp_dest *dest, unsigned slot)
{
    unsigned n = 0;

    for (const struct vnrs_bgp_path *p = dest->paths; p; p = p->next)
        n += p->slot == slot && p->barred != VNRS_BGP_BARRED_GONE;
    return n;
}

// A number for what the peer does not number; above those, the next one, or, once they ran out, one that is free.
static uint16_t path_id_new(const struct vnrs_bgp_dest *dest, unsigned slot, uint32_t received_id)
{
    uint16_t id = VNRS_BGP_SLOTS;
    const struct vnrs_bgp_path *p;

    if (!received_id)
        return (uint16_t)(slot + 1);
    for (p = dest->paths; p; p = p->next)
        id = MAX(id, p->id);
    if (id < UINT16_MAX)
        return (uint16_t)(id + 1);
    for (id = VNRS_BGP_SLOTS + 1, p = dest->paths; p;) {
        bool is_taken = p->id == id;
        id = (uint16_t)(id + is_taken);
        p = is_taken ? dest->paths : p->next;
    }
    return id;
}

static int path_add(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, const struct vnrs_prefix *prefix,
                    unsigned slot, uint32_t path_id, const struct vnrs_bgp_attrs *attrs, enum vnrs_bgp_barred barred)
{
    struct vnrs_bgp_path *p = path_new(rib, path_id);

    if (!p)
        return -ENOMEM;
    p->attrs = vnrs_bgp_attrs_ref(attrs);
    p->slot = (uint8_t)slot;
    p->barred = (uint8_t)barred;
    p->epoch = rib->epochs[slot];
    if (!dest && !(dest = dest_new(rib, prefix, prefix_hash(rib, prefix)))) {
        path_free(rib, p);
        return -ENOMEM;
    }
    p->id = path_id_new(dest, slot, path_id);
    struct before before = change_begin(rib, dest, NULL);
    before.source = (uint8_t)slot;
    before.path_id = path_id;
    path_insert(rib, dest, p);
    rib->counts[slot]++;
    change_end(rib, dest, p, &before);
    return 1;
}

// In the place of one that is gone: under its number, so that there are never more of them than there were paths.
static void path_revive(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, struct vnrs_bgp_path *path,
                        uint32_t path_id, const struct vnrs_bgp_attrs *attrs, enum vnrs_bgp_barred barred)
{
    if (path_id)
        ((struct numbered *)path)->received_id = path_id;
    path->epoch = rib->epochs[path->slot];
    rib->counts[path->slot]++;
    path_change(rib, dest, path, attrs, barred);
}

int vnrs_bgp_rib_update(struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id,
                        const struct vnrs_bgp_attrs *attrs, enum vnrs_bgp_barred barred)
{
    struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(rib, prefix);
    struct vnrs_bgp_path *p = d ? path_find(d, slot, path_id) : NULL;

    if (p) {
        p->epoch = rib->epochs[slot];
        if (p->attrs == attrs && p->barred == barred)
            return 0;
        path_change(rib, d, p, attrs, barred);
        return 1;
    }
    if (d && path_id && paths_of(d, slot) >= VNRS_BGP_PATHS_PER_SOURCE)
        return 0;
    if (d && (p = path_gone(d, slot, path_id != 0))) {
        path_revive(rib, d, p, path_id, attrs, barred);
        return 1;
    }
    return path_add(rib, d, prefix, slot, path_id, attrs, barred);
}

static void withdraw_path(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, struct vnrs_bgp_path *path)
{
    struct before before = change_begin(rib, dest, path);
    bool stays = rib->queues.hears[VNRS_BGP_HEARS_PATHS] && path->flags & VNRS_BGP_PATH_TOLD;

    rib->counts[path->slot]--;
    path_unlink(dest, path);
    if (stays) {
        path->barred = VNRS_BGP_BARRED_GONE;
        path_insert(rib, dest, path);
    } else {
        path_free(rib, path);
    }
    change_end(rib, dest, stays ? path : NULL, &before);
}

bool vnrs_bgp_rib_withdraw(struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id)
{
    struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(rib, prefix);
    struct vnrs_bgp_path *p = d ? path_find(d, slot, path_id) : NULL;

    if (p)
        withdraw_path(rib, d, p);
    return p;
}

// Those of a source, of one prefix; `before`: only those that were last announced before that epoch.
static void withdraw_paths(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, unsigned slot, const uint16_t *before)
{
    for (struct vnrs_bgp_path *p = dest->paths, *next; p; p = next) {
        next = p->next;
        if (p->slot == slot && p->barred != VNRS_BGP_BARRED_GONE && (!before || vnrs_bgp_path_is_before(p, *before)))
            withdraw_path(rib, dest, p);
    }
}

void vnrs_bgp_rib_withdraw_all(struct vnrs_bgp_rib *rib, unsigned slot)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while (rib->counts[slot] && (d = vnrs_bgp_rib_next_scattered(rib, &at)))
        withdraw_paths(rib, d, slot, NULL);
}

bool vnrs_bgp_path_is_before(const struct vnrs_bgp_path *path, uint16_t epoch)
{
    return (int16_t)(uint16_t)(path->epoch - epoch) < 0;
}

uint16_t vnrs_bgp_rib_epoch_next(struct vnrs_bgp_rib *rib, unsigned slot)
{
    uint16_t epoch = ++rib->epochs[slot], oldest = (uint16_t)(epoch - EPOCHS_KEPT);
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while (epoch % EPOCHS_KEPT == 0 && (d = vnrs_bgp_rib_next(rib, &at)))
        for (struct vnrs_bgp_path *p = d->paths; p; p = p->next)
            if (p->slot == slot && vnrs_bgp_path_is_before(p, oldest))
                p->epoch = oldest;
    return epoch;
}

void vnrs_bgp_rib_sweep(struct vnrs_bgp_rib *rib, unsigned slot, uint8_t family, uint16_t epoch)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while (rib->counts[slot] && (d = vnrs_bgp_rib_next_scattered(rib, &at)))
        if (d->prefix.family == family)
            withdraw_paths(rib, d, slot, &epoch);
}

// The first that is judged otherwise than it was.
static struct vnrs_bgp_path *path_misjudged(const struct vnrs_bgp_dest *dest, vnrs_bgp_judge *judge, void *arg,
                                            enum vnrs_bgp_barred *ret_barred)
{
    for (struct vnrs_bgp_path *p = dest->paths; p; p = p->next) {
        if (p->slot >= VNRS_BGP_SLOT_STATIC || p->barred == VNRS_BGP_BARRED_GONE)
            continue;
        *ret_barred = judge(&dest->prefix, p, arg);
        if (*ret_barred != p->barred)
            return p;
    }
    return NULL;
}

void vnrs_bgp_rib_rejudge(struct vnrs_bgp_rib *rib, vnrs_bgp_judge *judge, void *arg)
{
    enum vnrs_bgp_barred barred;
    struct vnrs_bgp_path *p;
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while ((d = vnrs_bgp_rib_next(rib, &at)))
        while ((p = path_misjudged(d, judge, arg, &barred))) // it moves in the list: begin anew
            path_change(rib, d, p, p->attrs, barred);
}

// No path is another one than before: those who hear of each hear nothing.
static void reorder_entry(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest)
{
    struct before before = change_begin(rib, dest, NULL);
    struct vnrs_bgp_path *left = dest->paths, *p;

    for (dest->paths = NULL; (p = left);) {
        left = p->next;
        path_insert(rib, dest, p);
    }
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);
    if (rib->changed && best && (best->attrs != before.attrs || best->slot != before.slot))
        rib->changed(rib->arg, &dest->prefix, VNRS_BGP_SLOT_LOCAL, 0, true);
    // Who shares the traffic may be others now, although the best one is the same.
    vnrs_bgp_queue_change(rib, dest, rib->queues.hears[VNRS_BGP_HEARS_MULTIPATH], 0);
    change_tell(rib, dest, &before);
    vnrs_bgp_attrs_unref(rib->attrs, before.attrs);
    vnrs_bgp_rib_done(rib, dest);
}

void vnrs_bgp_rib_reorder(struct vnrs_bgp_rib *rib)
{
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    while ((d = vnrs_bgp_rib_next(rib, &at)))
        if (d->paths && d->paths->next)
            reorder_entry(rib, d);
}
