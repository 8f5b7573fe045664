// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/rib_queue.h"

#include "bgp/rib.h"

#include <assert.h>
#include <string.h>

#define RING_MIN  256u
#define RING_KEEP 4096u // a ring larger than this is given back once it was empty
#define SCATTER   619u  // odd, and far from what divides a slab evenly
#define UNSCATTER 579u  // SCATTER * UNSCATTER is 1 modulo the entries of a slab
#define BIT(n)    (UINT64_C(1) << (n))

static unsigned take_lowest(uint64_t *bits)
{
    unsigned n = (unsigned)__builtin_ctzll(*bits);
    *bits &= *bits - 1;
    return n;
}

static size_t slab_of(const struct vnrs_bgp_dest *dest)
{
    return dest->number / VNRS_BGP_SLAB_DESTS;
}

static struct vnrs_bgp_dest *ring_at(const struct vnrs_bgp_queue *q, uint32_t i)
{
    return q->ring[(q->head + i) & (q->cap - 1)];
}

static void ring_free(struct vnrs_bgp_queue *q)
{
    free(q->ring);
    q->ring = NULL;
    q->head = q->len = q->cap = 0;
}

static bool ring_grow(struct vnrs_bgp_queue *q)
{
    uint32_t cap = q->cap ? q->cap * 2 : RING_MIN;
    struct vnrs_bgp_dest **ring = cap > VNRS_BGP_RING_MAX ? NULL : malloc(cap * sizeof(struct vnrs_bgp_dest *));

    if (!ring)
        return false;
    for (uint32_t i = 0; i < q->len; i++)
        ring[i] = ring_at(q, i);
    free(q->ring);
    q->ring = ring;
    q->head = 0;
    q->cap = cap;
    return true;
}

// A consumer out of step misses one entry more.
static void miss(struct vnrs_bgp_queues *qs, const struct vnrs_bgp_dest *dest, uint64_t consumers)
{
    qs->dirty[slab_of(dest)] |= consumers;
    while (consumers)
        qs->missing[take_lowest(&consumers)]++;
}

// The walk passes by what is in the ring. From now on it is the only way for those out of step to hear of it.
static void leave_ring(struct vnrs_bgp_rib *rib, const struct vnrs_bgp_queue *q, const struct vnrs_bgp_dest *dest)
{
    rib->queues.dirty[slab_of(dest)] |= dest->queued & q->members & ~q->in_step;
}

void vnrs_bgp_queue_fall_out(struct vnrs_bgp_rib *rib, unsigned number, uint64_t consumers)
{
    struct vnrs_bgp_queues *qs = &rib->queues;
    struct vnrs_bgp_queue *q = &qs->by_number[number];

    consumers &= q->in_step;
    if (!consumers)
        return;
    q->in_step &= ~consumers;
    qs->in_step &= ~consumers;
    for (uint64_t left = consumers; left;)
        qs->missing[take_lowest(&left)] = 0;
    for (uint32_t i = 0; i < q->len; i++)
        miss(qs, ring_at(q, i), consumers);
    if (q->in_step)
        return;
    for (uint32_t i = 0; i < q->len; i++)
        leave_ring(rib, q, ring_at(q, i));
    ring_free(q);
}

uint64_t vnrs_bgp_queue_rejoin(struct vnrs_bgp_rib *rib, unsigned number, uint64_t consumers)
{
    struct vnrs_bgp_queues *qs = &rib->queues;
    struct vnrs_bgp_queue *q = &qs->by_number[number];
    uint64_t joined = 0;

    for (uint64_t left = consumers & q->members & ~q->in_step; left;) {
        unsigned c = take_lowest(&left);
        if (qs->missing[c] == q->len)
            joined |= BIT(c);
    }
    q->in_step |= joined;
    qs->in_step |= joined;
    return joined;
}

uint64_t vnrs_bgp_queue_behind(const struct vnrs_bgp_rib *rib, unsigned number)
{
    const struct vnrs_bgp_queue *q = &rib->queues.by_number[number];
    uint64_t behind = 0;

    for (uint64_t left = q->members & ~q->in_step; left;) {
        unsigned c = take_lowest(&left);
        if (rib->queues.missing[c] > q->len)
            behind |= BIT(c);
    }
    return behind;
}

size_t vnrs_bgp_queue_due(const struct vnrs_bgp_rib *rib, unsigned consumer)
{
    const struct vnrs_bgp_queues *qs = &rib->queues;
    const struct vnrs_bgp_queue *q = &qs->by_number[qs->number_of[consumer]];

    if (!(q->members & BIT(consumer)))
        return 0;
    return q->in_step & BIT(consumer) ? q->len : qs->missing[consumer];
}

// Its bits are set already. When there is no room for it in the ring, all fall out of step.
static void push(struct vnrs_bgp_rib *rib, unsigned number, struct vnrs_bgp_dest *dest)
{
    struct vnrs_bgp_queue *q = &rib->queues.by_number[number];
    uint64_t consumers = q->in_step;

    if (!q->len && q->cap > RING_KEEP)
        ring_free(q);
    if (q->len == q->cap && !ring_grow(q)) {
        vnrs_bgp_queue_fall_out(rib, number, consumers);
        miss(&rib->queues, dest, consumers);
        return;
    }
    q->ring[(q->head + q->len++) & (q->cap - 1)] = dest;
}

void vnrs_bgp_queue_change(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, uint64_t consumers, uint8_t flags)
{
    struct vnrs_bgp_queues *qs = &rib->queues;
    uint64_t fresh = consumers & ~dest->queued;

    if (consumers)
        dest->flags |= flags;
    if (!fresh)
        return;
    dest->queued |= fresh;
    uint64_t on = fresh & qs->in_step; // by whole queues
    if (fresh & ~on)
        miss(qs, dest, fresh & ~on);
    while (on) {
        unsigned number = qs->number_of[__builtin_ctzll(on)];
        on &= ~qs->by_number[number].in_step;
        push(rib, number, dest);
    }
}

void vnrs_bgp_queue_join(struct vnrs_bgp_rib *rib, unsigned number, unsigned consumer, unsigned hears)
{
    struct vnrs_bgp_queues *qs = &rib->queues;
    struct vnrs_bgp_queue *q = &qs->by_number[number];
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    assert(number < VNRS_BGP_SLOTS && consumer < VNRS_BGP_SLOTS);
    if (!q->members) // begin with the first slab
        q->slab = rib->n_slabs ? rib->n_slabs - 1 : 0;
    q->members |= BIT(consumer);
    q->entered &= ~BIT(consumer);
    qs->number_of[consumer] = (uint8_t)number;
    for (unsigned i = 0; i < _VNRS_BGP_HEARS_MAX; i++)
        qs->hears[i] |= hears & 1u << i ? BIT(consumer) : 0;
    qs->missing[consumer] = 0;
    while ((d = vnrs_bgp_rib_next(rib, &at))) {
        d->queued |= BIT(consumer);
        miss(qs, d, BIT(consumer));
    }
}

void vnrs_bgp_queue_move(struct vnrs_bgp_rib *rib, unsigned number, unsigned consumer)
{
    struct vnrs_bgp_queues *qs = &rib->queues;
    struct vnrs_bgp_queue *from = &qs->by_number[qs->number_of[consumer]], *to = &qs->by_number[number];

    if (from == to)
        return;
    vnrs_bgp_queue_fall_out(rib, qs->number_of[consumer], BIT(consumer));
    from->members &= ~BIT(consumer);
    if (from->entered & BIT(consumer)) // the walk there does not go on for it
        qs->dirty[from->slab] |= BIT(consumer);
    from->entered &= ~BIT(consumer);
    if (!to->members) // begin with the first slab
        to->slab = rib->n_slabs ? rib->n_slabs - 1 : 0;
    to->members |= BIT(consumer);
    to->entered &= ~BIT(consumer);
    qs->number_of[consumer] = (uint8_t)number;
    // Who is in step misses all that is in the ring; so it has to hear of that, too.
    for (uint32_t i = 0; i < to->len; i++) {
        struct vnrs_bgp_dest *d = ring_at(to, i);
        if (d->queued & BIT(consumer))
            continue;
        d->queued |= BIT(consumer);
        miss(qs, d, BIT(consumer));
    }
}

void vnrs_bgp_queue_leave(struct vnrs_bgp_rib *rib, unsigned consumer)
{
    struct vnrs_bgp_queues *qs = &rib->queues;
    struct vnrs_bgp_queue *q = &qs->by_number[qs->number_of[consumer]];
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    if (!(q->members & BIT(consumer)))
        return;
    vnrs_bgp_queue_fall_out(rib, qs->number_of[consumer], BIT(consumer));
    q->members &= ~BIT(consumer);
    for (unsigned i = 0; i < _VNRS_BGP_HEARS_MAX; i++)
        qs->hears[i] &= ~BIT(consumer);
    while ((d = vnrs_bgp_rib_next(rib, &at))) {
        if (!((d->queued | d->advertised) & BIT(consumer)))
            continue;
        d->queued &= ~BIT(consumer);
        d->advertised &= ~BIT(consumer);
        vnrs_bgp_rib_done(rib, d);
    }
}

void vnrs_bgp_queue_repeat(struct vnrs_bgp_rib *rib, unsigned consumer, uint8_t family)
{
    struct vnrs_bgp_queues *qs = &rib->queues;
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    vnrs_bgp_queue_fall_out(rib, qs->number_of[consumer], BIT(consumer));
    while ((d = vnrs_bgp_rib_next(rib, &at)))
        if (d->prefix.family == family)
            vnrs_bgp_queue_change(rib, d, BIT(consumer), VNRS_BGP_DEST_ALL);
}

void vnrs_bgp_queue_fini(struct vnrs_bgp_rib *rib)
{
    for (unsigned i = 0; i < VNRS_BGP_SLOTS; i++)
        ring_free(&rib->queues.by_number[i]);
    free(rib->queues.dirty);
    rib->queues.dirty = NULL;
}

struct vnrs_bgp_dest *vnrs_bgp_queue_pop(struct vnrs_bgp_rib *rib, unsigned number)
{
    struct vnrs_bgp_queue *q = &rib->queues.by_number[number];

    if (!q->len)
        return NULL;
    struct vnrs_bgp_dest *d = ring_at(q, 0);
    q->head = (q->head + 1) & (q->cap - 1);
    q->len--;
    q->taken++;
    d->queued &= ~q->in_step;
    leave_ring(rib, q, d);
    return d;
}

void vnrs_bgp_queue_unpop(struct vnrs_bgp_rib *rib, unsigned number, struct vnrs_bgp_dest *dest)
{
    struct vnrs_bgp_queue *q = &rib->queues.by_number[number];

    assert(q->len < q->cap); // its place is still free: nothing was added since it was taken out
    q->head = (q->head + q->cap - 1) & (q->cap - 1);
    q->ring[q->head] = dest;
    q->len++;
    q->taken--;
    dest->queued |= q->in_step;
}

static size_t slab_after(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_queue *q)
{
    size_t step = q->is_scattered ? vnrs_bgp_rib_stride(rib->n_slabs) : 1;
    return (q->slab + step) % rib->n_slabs;
}

static void unmiss(struct vnrs_bgp_queues *qs, struct vnrs_bgp_dest *dest, uint64_t consumers)
{
    dest->queued &= ~consumers;
    while (consumers)
        qs->missing[take_lowest(&consumers)]--;
}

// Goes to the next slab that may hold what `consumers` miss, and marks it as clean for them: what they miss of it is
// met before it is left.
static bool slab_enter(struct vnrs_bgp_rib *rib, struct vnrs_bgp_queue *q, uint64_t consumers, unsigned *looks)
{
    for (; *looks; --*looks) {
        q->slab = slab_after(rib, q);
        if (!(rib->queues.dirty[q->slab] & consumers))
            continue;
        rib->queues.dirty[q->slab] &= ~consumers;
        q->entered = consumers;
        q->passed = 0;
        return true;
    }
    return false;
}

struct vnrs_bgp_dest *vnrs_bgp_queue_walk(struct vnrs_bgp_rib *rib, unsigned number, uint64_t consumers,
                                          unsigned *looks, uint64_t *ret_for)
{
    struct vnrs_bgp_queue *q = &rib->queues.by_number[number];

    if (!(vnrs_bgp_queue_behind(rib, number) & consumers))
        return NULL;
    // Who cannot take anything any more misses the rest of the slab.
    rib->queues.dirty[q->slab] |= q->entered & ~consumers;
    q->entered &= consumers;
    while (*looks) {
        if ((!q->entered || q->passed == VNRS_BGP_SLAB_DESTS) && !slab_enter(rib, q, consumers, looks))
            return NULL;
        --*looks;
        size_t n = q->passed++;
        struct vnrs_bgp_dest *d = &rib->slabs[q->slab][q->is_scattered ? vnrs_bgp_rib_scatter(n) : n];
        if (!(d->queued & consumers) || d->queued & q->in_step)
            continue;
        *ret_for = d->queued & consumers;
        unmiss(&rib->queues, d, *ret_for);
        return d;
    }
    return NULL;
}

void vnrs_bgp_queue_unwalk(struct vnrs_bgp_rib *rib, unsigned number, struct vnrs_bgp_dest *dest, uint64_t consumers)
{
    struct vnrs_bgp_queue *q = &rib->queues.by_number[number];
    size_t n = dest->number % VNRS_BGP_SLAB_DESTS, place = q->is_scattered ? vnrs_bgp_rib_unscatter(n) : n;

    // What is left of the slab where the walk is now comes later, also when it is there for the second time.
    if (slab_of(dest) != q->slab || place > q->passed)
        rib->queues.dirty[q->slab] |= q->entered;
    q->slab = slab_of(dest);
    q->passed = place;
    dest->queued |= consumers;
    miss(&rib->queues, dest, consumers & ~q->entered);
    for (uint64_t left = consumers & q->entered; left;)
        rib->queues.missing[take_lowest(&left)]++;
}

bool vnrs_bgp_queue_take(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, unsigned consumer)
{
    const struct vnrs_bgp_queue *q = &rib->queues.by_number[rib->queues.number_of[consumer]];

    if (!(dest->queued & BIT(consumer)) || dest->queued & q->in_step)
        return false;
    unmiss(&rib->queues, dest, BIT(consumer));
    return true;
}

void vnrs_bgp_queue_untake(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, unsigned consumer)
{
    dest->queued |= BIT(consumer);
    miss(&rib->queues, dest, BIT(consumer));
}

// --- orders

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
