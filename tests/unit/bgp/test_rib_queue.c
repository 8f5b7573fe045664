// SPDX-License-Identifier: GPL-2.0-or-later
// Queues over tables of many slabs: rings that run full, walks that pass by what is clean, and their order.
#include "bgp/rib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BIT(n) (UINT64_C(1) << (n))

struct fixture {
    struct vnrs_bgp_attr_table *table;
    struct vnrs_bgp_rib rib;
    const struct vnrs_bgp_attrs *attrs[2];
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.table = vnrs_bgp_attr_table_new()};
    assert_non_null(f->table);
    vnrs_bgp_rib_init(&f->rib, f->table, 42);
    for (unsigned i = 0; i < 2; i++) {
        struct vnrs_bgp_attrs a = {.nexthop = vnrs_addr_from_v4(0x0a000000u + i)};
        f->attrs[i] = vnrs_bgp_attrs_intern(f->table, &a);
        assert_non_null(f->attrs[i]);
    }
}

static void teardown(struct fixture *f)
{
    vnrs_bgp_rib_fini(&f->rib);
    vnrs_bgp_attrs_unref(f->table, f->attrs[0]);
    vnrs_bgp_attrs_unref(f->table, f->attrs[1]);
    assert_int_equal(vnrs_bgp_attr_table_len(f->table), 0);
    vnrs_bgp_attr_table_free(f->table);
}

static struct vnrs_prefix prefix_at(unsigned i)
{
    struct vnrs_addr a = vnrs_addr_from_v4(0x14000000u + (i << 8));
    return vnrs_prefix_make(&a, 24);
}

static void announce(struct fixture *f, unsigned from, unsigned to, unsigned set)
{
    for (unsigned i = from; i < to; i++) {
        struct vnrs_prefix p = prefix_at(i);
        assert_int_equal(vnrs_bgp_rib_update(&f->rib, &p, 9, 0, f->attrs[set], VNRS_BGP_USABLE), 1);
    }
}

static void join(struct fixture *f, unsigned consumer)
{
    vnrs_bgp_queue_join(&f->rib, 0, consumer, 1u << VNRS_BGP_HEARS_OUTSIDE);
}

// Walks for these until nothing is found; how many entries were for the one with the lowest number.
static unsigned walk(struct fixture *f, uint64_t consumers, unsigned most)
{
    unsigned looks = UINT32_MAX, n = 0;
    struct vnrs_bgp_dest *d;
    uint64_t whom;

    while (most-- && (d = vnrs_bgp_queue_walk(&f->rib, 0, consumers, &looks, &whom))) {
        n += (whom & consumers & -consumers) != 0;
        vnrs_bgp_rib_done(&f->rib, d);
    }
    return n;
}

// All consumers fall out when the ring is full: no queue holds a table.
static void full_ring(void **state)
{
    static struct fixture f;
    const struct vnrs_bgp_queue *q = &f.rib.queues.by_number[0];

    (void)state;
    setup(&f);
    join(&f, 0);
    join(&f, 1);
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 0, UINT64_MAX), BIT(0) | BIT(1));
    announce(&f, 0, VNRS_BGP_RING_MAX, 0);
    assert_int_equal(q->in_step, BIT(0) | BIT(1));
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 1), VNRS_BGP_RING_MAX);
    announce(&f, VNRS_BGP_RING_MAX, VNRS_BGP_RING_MAX + 1, 0);
    assert_true(q->in_step == 0 && q->cap == 0);
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 1), VNRS_BGP_RING_MAX + 1);
    assert_int_equal(walk(&f, BIT(0), UINT32_MAX), VNRS_BGP_RING_MAX + 1);
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 0, UINT64_MAX), BIT(0));
    announce(&f, 7, 9, 1); // for one in the ring, for the other two of what it misses anyway
    assert_int_equal(q->len, 2);
    assert_int_equal(walk(&f, BIT(1), UINT32_MAX), VNRS_BGP_RING_MAX - 1);
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 0, UINT64_MAX), BIT(1));
    assert_int_equal(q->len, 2);
    teardown(&f);
}

// What was taken last can be given back, also after the ring ran empty; a large one goes with the next change.
static void emptied_ring(void **state)
{
    static struct fixture f;
    static struct vnrs_bgp_dest *taken[10000];
    const struct vnrs_bgp_queue *q = &f.rib.queues.by_number[0];

    (void)state;
    setup(&f);
    join(&f, 0);
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 0, BIT(0)), BIT(0));
    announce(&f, 0, 10000, 0);
    for (unsigned i = 0; i < 10000; i++)
        assert_non_null(taken[i] = vnrs_bgp_queue_pop(&f.rib, 0));
    assert_null(vnrs_bgp_queue_pop(&f.rib, 0));
    for (unsigned i = 10000; i-- > 0;)
        vnrs_bgp_queue_unpop(&f.rib, 0, taken[i]);
    for (unsigned i = 0; i < 10000; i++)
        assert_ptr_equal(vnrs_bgp_queue_pop(&f.rib, 0), taken[i]);
    announce(&f, 3, 4, 1);
    assert_true(q->len == 1 && q->cap < 10000);
    teardown(&f);
}

// One who misses little does not look at the table for it.
static void clean_slabs_are_passed_by(void **state)
{
    static struct fixture f;
    unsigned looks = 200;
    uint64_t whom;

    (void)state;
    setup(&f);
    announce(&f, 0, 100 * VNRS_BGP_SLAB_DESTS, 0);
    join(&f, 0);
    join(&f, 1);
    assert_int_equal(walk(&f, BIT(0) | BIT(1), UINT32_MAX), 100 * VNRS_BGP_SLAB_DESTS);
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 0, BIT(0)), BIT(0));
    announce(&f, 70 * VNRS_BGP_SLAB_DESTS, 70 * VNRS_BGP_SLAB_DESTS + 1, 1);
    struct vnrs_bgp_dest *d = vnrs_bgp_queue_pop(&f.rib, 0);
    assert_non_null(d);
    vnrs_bgp_rib_done(&f.rib, d);
    assert_ptr_equal(vnrs_bgp_queue_walk(&f.rib, 0, BIT(1), &looks, &whom), d);
    assert_true(looks > 0);
    assert_null(vnrs_bgp_queue_walk(&f.rib, 0, BIT(1), &looks, &whom));
    // A walk stops when it has looked at as much as it may, and goes on there.
    vnrs_bgp_queue_repeat(&f.rib, 1, VNRS_AF_IPV4);
    unsigned found = 0, runs = 0;
    for (; found < 100 * VNRS_BGP_SLAB_DESTS; runs++)
        for (looks = 5000; (d = vnrs_bgp_queue_walk(&f.rib, 0, BIT(1), &looks, &whom)); found++)
            vnrs_bgp_rib_done(&f.rib, d);
    assert_in_range(runs, 20, 40);
    teardown(&f);
}

// Who loses its room in the middle of a walk, joins or leaves in the middle, misses nothing.
static void walkers_come_and_go(void **state)
{
    static struct fixture f;
    const unsigned n = 3 * VNRS_BGP_SLAB_DESTS;

    (void)state;
    setup(&f);
    announce(&f, 0, n, 0);
    join(&f, 0);
    join(&f, 1);
    assert_int_equal(walk(&f, BIT(0) | BIT(1), 1500), 1500);
    join(&f, 2);
    assert_int_equal(walk(&f, BIT(0) | BIT(2), UINT32_MAX), n - 1500); // 1 has no room
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 2), 0);
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 1), n - 1500);
    vnrs_bgp_queue_leave(&f.rib, 0);
    join(&f, 0);
    (void)walk(&f, BIT(1) | BIT(0), 100);
    (void)walk(&f, BIT(1), UINT32_MAX);
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 1), 0);
    assert_int_equal(walk(&f, BIT(0), UINT32_MAX), n - 100);
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 0, UINT64_MAX), BIT(0) | BIT(1) | BIT(2));
    teardown(&f);
}

static unsigned index_of(const struct vnrs_bgp_dest *d)
{
    struct vnrs_addr a = vnrs_prefix_addr(&d->prefix);
    return (vnrs_addr_to_v4(&a) - 0x14000000u) >> 8;
}

// Withdrawals of a whole source, towards the controller in or out of step: never in ascending order.
static void scattered_order(void **state)
{
    const unsigned n = 20 * VNRS_BGP_SLAB_DESTS;

    (void)state;
    for (unsigned in_step = 0; in_step < 2; in_step++) {
        static struct fixture f;
        unsigned ascending = 0, seen = 0, last = 0, lowest_late = 0, looks = UINT32_MAX;
        setup(&f);
        announce(&f, 0, n, 0);
        struct vnrs_bgp_queue *q = &f.rib.queues.by_number[0];
        q->is_scattered = true;
        join(&f, 0);
        assert_int_equal(walk(&f, BIT(0), UINT32_MAX), n);
        if (in_step)
            assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 0, UINT64_MAX), BIT(0));
        vnrs_bgp_rib_withdraw_all(&f.rib, 9);
        assert_int_equal(q->len, in_step ? n : 0);
        struct vnrs_bgp_dest *d;
        uint64_t whom;
        while ((d = in_step ? vnrs_bgp_queue_pop(&f.rib, 0) : vnrs_bgp_queue_walk(&f.rib, 0, BIT(0), &looks, &whom))) {
            ascending += seen && index_of(d) == last + 1;
            last = index_of(d);
            lowest_late += seen > n * 3 / 4 && last < n / 2;
            seen++;
            vnrs_bgp_rib_done(&f.rib, d);
        }
        assert_int_equal(seen, n);
        assert_int_equal(ascending, 0);
        assert_true(lowest_late > n / 16);
        assert_int_equal(f.rib.len, 0);
        teardown(&f);
    }
}

static void every_slab_has_its_turn(void **state)
{
    (void)state;
    for (size_t n = 1; n < 3000; n++) {
        size_t at = 0, turns = 0;
        do {
            at = (at + vnrs_bgp_rib_stride(n)) % n;
            turns++;
        } while (at);
        assert_int_equal(turns, n);
    }
    for (size_t i = 0; i < VNRS_BGP_SLAB_DESTS; i++)
        assert_int_equal(vnrs_bgp_rib_unscatter(vnrs_bgp_rib_scatter(i)), i);
}

// A consumer that goes to another queue keeps what it misses and what it was told, and hears of what the ring there
// holds, even if it did before: then it is in step with those who are there.
static void moved(void **state)
{
    static struct fixture f;
    const struct vnrs_bgp_queue *to = &f.rib.queues.by_number[1];
    struct vnrs_bgp_dest *d;

    (void)state;
    setup(&f);
    join(&f, 0);
    join(&f, 2);
    vnrs_bgp_queue_join(&f.rib, 1, 1, 1u << VNRS_BGP_HEARS_OUTSIDE);
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 0, UINT64_MAX), BIT(0) | BIT(2));
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 1, UINT64_MAX), BIT(1));
    announce(&f, 0, 3, 0);
    // One entry was heard of in the first queue, in the other not yet.
    d = vnrs_bgp_queue_pop(&f.rib, 0);
    d->advertised |= BIT(0);
    vnrs_bgp_rib_done(&f.rib, d);
    vnrs_bgp_queue_move(&f.rib, 1, 0);
    assert_true(d->advertised & BIT(0));
    assert_int_equal(f.rib.queues.number_of[0], 1);
    assert_int_equal(f.rib.queues.by_number[0].members, BIT(2));
    assert_int_equal(to->members, BIT(0) | BIT(1));
    assert_int_equal(to->in_step, BIT(1));
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 0), 3);
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 2), 2);
    assert_int_equal(vnrs_bgp_queue_rejoin(&f.rib, 1, UINT64_MAX), BIT(0));
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(d = vnrs_bgp_queue_pop(&f.rib, 1));
        assert_int_equal(d->queued & (BIT(0) | BIT(1)), 0);
        vnrs_bgp_rib_done(&f.rib, d);
    }
    assert_null(vnrs_bgp_queue_pop(&f.rib, 1));
    // In the middle of a walk: what is left of the slab comes in the other queue.
    vnrs_bgp_queue_fall_out(&f.rib, 1, BIT(0));
    announce(&f, 0, 100, 1);
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 0), 100);
    unsigned looks = UINT32_MAX;
    uint64_t whom;
    vnrs_bgp_queue_fall_out(&f.rib, 1, BIT(1)); // its ring is in nobody's way
    assert_non_null(d = vnrs_bgp_queue_walk(&f.rib, 1, BIT(0), &looks, &whom));
    vnrs_bgp_rib_done(&f.rib, d);
    vnrs_bgp_queue_move(&f.rib, 0, 0);
    vnrs_bgp_queue_fall_out(&f.rib, 0, BIT(2));
    assert_int_equal(vnrs_bgp_queue_due(&f.rib, 0), 100); // with the one that the ring held
    assert_int_equal(walk(&f, BIT(0), UINT32_MAX), 100);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_ring),
        cmocka_unit_test(emptied_ring),
        cmocka_unit_test(clean_slabs_are_passed_by),
        cmocka_unit_test(walkers_come_and_go),
        cmocka_unit_test(scattered_order),
        cmocka_unit_test(every_slab_has_its_turn),
        cmocka_unit_test(moved),
    };
    return cmocka_run_group_tests_name("rib_queue", tests, NULL, NULL);
}
