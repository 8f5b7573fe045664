// SPDX-License-Identifier: GPL-2.0-or-later
// The RIB against a naive model: random announcements, withdrawals, and sessions that come and go. Consumers share
// queues, fall out of step and catch up. What they saw when nothing is due any more must be what the model says.
#include "bgp/rib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PREFIXES 300u
#define SOURCES  5u
#define ATTRS    12u
#define CONTROL  VNRS_BGP_SLOT_LOCAL
#define BIT(n)   (UINT64_C(1) << (n))
#define ROUNDS   60000u
#define INSIDE   (SOURCES - 1) // has a queue of its own and hears of every change of attributes; the others share one

static uint32_t seed = 12345;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static struct vnrs_prefix prefix_at(unsigned i)
{
    struct vnrs_addr a = vnrs_addr_from_v4(0x0a000000u + (i << 8));
    if (i % 3 == 1)
        a = (struct vnrs_addr){.family = VNRS_AF_IPV6, .bytes = {0x20, 1, (uint8_t)(i >> 8), (uint8_t)i}};
    return vnrs_prefix_make(&a, i % 3 == 1 ? 48 : 24);
}

struct fixture {
    struct vnrs_bgp_attr_table *table;
    struct vnrs_bgp_rib rib;
    const struct vnrs_bgp_attrs *attrs[ATTRS];
    int8_t model[PREFIXES][SOURCES]; // attribute set, -1: none
    bool barred[PREFIXES][SOURCES];
    // What each consumer knows: the set of the best path, or the multipath set as bits.
    const struct vnrs_bgp_attrs *seen_attrs[PREFIXES][SOURCES];
    uint32_t seen_multi[PREFIXES];
    unsigned told; // announcements
};

static unsigned queue_of(unsigned consumer)
{
    return consumer == CONTROL || consumer == INSIDE ? consumer : 0;
}

// Sets of which eBGP peers are told the same: here, those that differ in the next hop only.
static bool is_same_outside(void *arg, const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b)
{
    (void)arg;
    return a->origin == b->origin && a->path_len == b->path_len;
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    f->table = vnrs_bgp_attr_table_new();
    assert_non_null(f->table);
    vnrs_bgp_rib_init(&f->rib, f->table, 42);
    f->rib.is_same_outside = is_same_outside;
    for (unsigned i = 0; i < ATTRS; i++) {
        struct vnrs_bgp_attrs a = {.origin = (uint8_t)(i % 3), .nexthop = vnrs_addr_from_v4(0x0a000000u + i)};
        uint8_t path[2 + 4 * 3] = {2, (uint8_t)(1 + i % 2)};
        a.as_path = path;
        a.as_path_bytes = (uint16_t)(2 + 4 * path[1]);
        a.path_len = path[1];
        f->attrs[i] = vnrs_bgp_attrs_intern(f->table, &a);
        assert_non_null(f->attrs[i]);
    }
    memset(f->model, -1, sizeof(f->model));
    for (unsigned s = 0; s < SOURCES; s++) {
        f->rib.sources[s] = (struct vnrs_bgp_source){.addr = vnrs_addr_from_v4(100 - s), .router_id = s % 3, .asn = s};
        vnrs_bgp_queue_join(&f->rib, queue_of(s), s,
                            1u << (s == INSIDE ? VNRS_BGP_HEARS_INSIDE : VNRS_BGP_HEARS_OUTSIDE));
    }
    f->rib.queues.by_number[CONTROL].is_scattered = true;
    vnrs_bgp_queue_join(&f->rib, CONTROL, CONTROL, 1u << VNRS_BGP_HEARS_MULTIPATH);
}

static void teardown(struct fixture *f)
{
    vnrs_bgp_rib_fini(&f->rib);
    for (unsigned i = 0; i < ATTRS; i++)
        vnrs_bgp_attrs_unref(f->table, f->attrs[i]);
    assert_int_equal(vnrs_bgp_attr_table_len(f->table), 0);
    vnrs_bgp_attr_table_free(f->table);
}

// The model's decision, written down without the code under test.
static bool is_better(const struct fixture *f, unsigned p, unsigned a, unsigned b)
{
    const struct vnrs_bgp_attrs *x = f->attrs[f->model[p][a]], *y = f->attrs[f->model[p][b]];
    if (x->path_len != y->path_len)
        return x->path_len < y->path_len;
    if (x->origin != y->origin)
        return x->origin < y->origin;
    if (a % 3 != b % 3)
        return a % 3 < b % 3;
    return a > b; // addresses fall with the number
}

static int model_best(const struct fixture *f, unsigned p)
{
    int best = -1;
    for (unsigned s = 0; s < SOURCES; s++)
        if (f->model[p][s] >= 0 && !f->barred[p][s] && (best < 0 || is_better(f, p, s, (unsigned)best)))
            best = (int)s;
    return best;
}

static uint32_t model_multi(const struct fixture *f, unsigned p)
{
    int best = model_best(f, p);
    uint32_t bits = 0;
    for (unsigned s = 0; best >= 0 && s < SOURCES; s++)
        if (f->model[p][s] >= 0 && !f->barred[p][s] &&
            f->attrs[f->model[p][s]]->path_len == f->attrs[f->model[p][best]]->path_len)
            bits |= 1u << s;
    return bits;
}

static unsigned index_of(const struct vnrs_prefix *prefix)
{
    for (unsigned i = 0; i < PREFIXES; i++) {
        struct vnrs_prefix p = prefix_at(i);
        if (vnrs_prefix_equal(&p, prefix))
            return i;
    }
    fail();
    return 0;
}

static void control_sees(struct fixture *f, const struct vnrs_bgp_dest *d)
{
    unsigned p = index_of(&d->prefix);

    f->seen_multi[p] = 0;
    for (const struct vnrs_bgp_path *q = d->paths; q; q = q->next)
        if (vnrs_bgp_step_is_multipath(vnrs_bgp_dest_lost_at(&f->rib, d, q)))
            f->seen_multi[p] |= 1u << q->slot;
}

// As Adj-RIB-Out does: without news only those hear who were not told yet, or are not to know any more.
static void peers_see(struct fixture *f, struct vnrs_bgp_dest *d, uint64_t consumers)
{
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(d);
    unsigned p = index_of(&d->prefix);

    for (unsigned c = 0; c < SOURCES; c++) {
        if (!(consumers & BIT(c)))
            continue;
        bool listens = best && best->slot != c;
        bool is_new = d->flags & (c == INSIDE ? VNRS_BGP_DEST_NEW_INSIDE : VNRS_BGP_DEST_NEW_OUTSIDE);
        f->told += listens && (is_new || !(d->advertised & BIT(c)));
        if (listens && (is_new || !(d->advertised & BIT(c))))
            f->seen_attrs[p][c] = best->attrs;
        if (!listens)
            f->seen_attrs[p][c] = NULL;
        d->advertised = listens ? d->advertised | BIT(c) : d->advertised & ~BIT(c);
    }
}

static void sees(struct fixture *f, struct vnrs_bgp_dest *d, uint64_t consumers)
{
    if (consumers == BIT(CONTROL))
        control_sees(f, d);
    else
        peers_see(f, d, consumers);
    vnrs_bgp_rib_done(&f->rib, d);
}

static void consume_ring(struct fixture *f, unsigned number)
{
    struct vnrs_bgp_dest *d = vnrs_bgp_queue_pop(&f->rib, number);

    if (!d)
        return;
    if (rnd(4) == 0) { // put back, and taken again: nothing is lost
        vnrs_bgp_queue_unpop(&f->rib, number, d);
        assert_ptr_equal(vnrs_bgp_queue_pop(&f->rib, number), d);
    }
    sees(f, d, f->rib.queues.by_number[number].in_step);
}

// Several are taken, and some of them given back.
static void consume_walk(struct fixture *f, unsigned number, uint64_t consumers)
{
    struct vnrs_bgp_dest *taken[8];
    uint64_t whom[8];
    size_t n = 0, keep = rnd(9);
    unsigned looks = 1 + rnd(2000);

    while (n < 8 && (taken[n] = vnrs_bgp_queue_walk(&f->rib, number, consumers, &looks, &whom[n])))
        n++;
    while (n > keep) {
        n--;
        vnrs_bgp_queue_unwalk(&f->rib, number, taken[n], whom[n]);
    }
    for (size_t i = 0; i < n; i++)
        sees(f, taken[i], whom[i]);
}

static void consume(struct fixture *f, unsigned number)
{
    const struct vnrs_bgp_queue *q = &f->rib.queues.by_number[number];

    if (rnd(3) == 0) { // somebody else has no room
        vnrs_bgp_queue_fall_out(&f->rib, number, BIT(rnd(SOURCES)) | (rnd(8) ? 0 : BIT(CONTROL)));
    } else if (rnd(2)) {
        (void)vnrs_bgp_queue_rejoin(&f->rib, number, rnd(4) ? q->members : BIT(rnd(SOURCES)));
    }
    if (q->in_step && rnd(2))
        consume_ring(f, number);
    else if (q->members & ~q->in_step)
        consume_walk(f, number, q->members & ~q->in_step & (rnd(3) ? UINT64_MAX : rnd(64)));
}

static void drain(struct fixture *f, unsigned number)
{
    const struct vnrs_bgp_queue *q = &f->rib.queues.by_number[number];

    for (unsigned i = 0; q->in_step != q->members || q->len; i++) {
        assert_true(i < 100000);
        (void)vnrs_bgp_queue_rejoin(&f->rib, number, q->members);
        if (q->len)
            consume_ring(f, number);
        else
            consume_walk(f, number, q->members & ~q->in_step);
    }
}

static void drain_without_model(struct fixture *f)
{
    drain(f, 0);
    drain(f, INSIDE);
    drain(f, CONTROL);
}

static void drain_and_compare(struct fixture *f)
{
    drain_without_model(f);
    size_t live = 0;
    for (unsigned p = 0; p < PREFIXES; p++) {
        struct vnrs_prefix prefix = prefix_at(p);
        const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&f->rib, &prefix);
        int best = model_best(f, p);
        unsigned paths = 0;
        for (unsigned s = 0; s < SOURCES; s++)
            paths += f->model[p][s] >= 0;
        live += paths > 0;
        assert_int_equal(d != NULL, paths > 0); // nobody waits for it: gone
        if (f->seen_multi[p] != model_multi(f, p))
            fail_msg("prefix %u: multipath %x, expected %x", p, f->seen_multi[p], model_multi(f, p));
        for (unsigned c = 0; c < SOURCES; c++) {
            const struct vnrs_bgp_attrs *told = best < 0 || best == (int)c ? NULL : f->attrs[f->model[p][best]];
            const struct vnrs_bgp_attrs *seen = f->seen_attrs[p][c];
            // Outside, what looks the same need not have been told.
            assert_true(seen == told || (c != INSIDE && seen && told && is_same_outside(NULL, seen, told)));
        }
    }
    assert_int_equal(f->rib.len, live);
    size_t at = 0, walked = 0;
    while (vnrs_bgp_rib_next(&f->rib, &at))
        walked++;
    assert_int_equal(walked, live);
}

static enum vnrs_bgp_barred judge(const struct vnrs_prefix *prefix, const struct vnrs_bgp_path *path, void *arg)
{
    struct fixture *f = arg;
    return f->barred[index_of(prefix)][path->slot] ? VNRS_BGP_BARRED_LOCAL : VNRS_BGP_USABLE;
}

static void session_restart(struct fixture *f, unsigned s)
{
    vnrs_bgp_queue_leave(&f->rib, s);
    vnrs_bgp_rib_withdraw_all(&f->rib, s);
    assert_int_equal(f->rib.counts[s], 0);
    vnrs_bgp_queue_join(&f->rib, queue_of(s), s, 1u << (s == INSIDE ? VNRS_BGP_HEARS_INSIDE : VNRS_BGP_HEARS_OUTSIDE));
    for (unsigned p = 0; p < PREFIXES; p++) {
        f->model[p][s] = -1;
        f->seen_attrs[p][s] = NULL;
    }
}

// It only reads: before there is a table, of what is there and of what is not.
static void prefetch(struct fixture *f)
{
    struct vnrs_prefix prefixes[VNRS_BGP_PREFETCH_MAX];

    for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++)
        prefixes[i] = prefix_at(rnd(2 * PREFIXES));
    vnrs_bgp_rib_prefetch(&f->rib, prefixes, rnd(ARRAY_SIZE(prefixes) + 1));
}

static void step(struct fixture *f)
{
    unsigned p = rnd(PREFIXES), s = rnd(SOURCES), what = rnd(1000);
    struct vnrs_prefix prefix = prefix_at(p);

    if (what < 500) {
        uint32_t a = rnd(ATTRS);
        bool same = f->model[p][s] == (int)a && !f->barred[p][s];
        f->barred[p][s] = rnd(8) == 0;
        int changed = vnrs_bgp_rib_update(&f->rib, &prefix, s, 0, f->attrs[a], f->barred[p][s]);
        assert_true(changed >= 0);
        if (same && !f->barred[p][s])
            assert_int_equal(changed, 0);
        f->model[p][s] = (int8_t)a;
    } else if (what < 800) {
        bool was = f->model[p][s] >= 0;
        assert_int_equal(vnrs_bgp_rib_withdraw(&f->rib, &prefix, s, 0), was);
        f->model[p][s] = -1;
    } else if (what < 990) {
        consume(f, rnd(SOURCES + 1) == SOURCES ? CONTROL : queue_of(s));
    } else if (what < 995) {
        for (unsigned i = 0; i < PREFIXES; i++)
            f->barred[i][s] = f->model[i][s] >= 0 && rnd(2);
        vnrs_bgp_rib_rejudge(&f->rib, judge, f);
    } else if (what < 998) {
        session_restart(f, s);
    } else {
        drain_and_compare(f);
    }
}

static void random_against_model(void **state)
{
    static struct fixture f;

    (void)state;
    setup(&f);
    for (unsigned i = 0; i < ROUNDS; i++) {
        prefetch(&f);
        step(&f);
    }
    drain_and_compare(&f);
    teardown(&f);
}

// Two sources with the same attributes: only they themselves hear that the best one changed.
static void equal_attributes_are_told_once(void **state)
{
    static struct fixture f;
    struct vnrs_prefix p = prefix_at(0);

    (void)state;
    setup(&f);
    assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 4, 0, f.attrs[0], VNRS_BGP_USABLE), 1);
    drain_without_model(&f);
    assert_int_equal(f.told, 4);
    assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 0, 0, f.attrs[0], VNRS_BGP_USABLE), 1); // better: lower identifier
    drain_without_model(&f);
    assert_int_equal(f.told, 5);
    assert_true(f.seen_attrs[0][4] && !f.seen_attrs[0][0]);
    // Another next hop is no difference outside.
    assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 0, 0, f.attrs[6], VNRS_BGP_USABLE), 1);
    drain_without_model(&f);
    assert_int_equal(f.told, 6);
    assert_ptr_equal(f.seen_attrs[0][INSIDE], f.attrs[6]);
    teardown(&f);
}

// Identifiers that are told stay unique when their numbers run out, and one that is gone is used again.
static void path_identifiers(void **state)
{
    static struct fixture f;
    struct vnrs_prefix p = prefix_at(0);
    uint32_t received = 1;

    (void)state;
    setup(&f);
    for (uint32_t i = 0; i < 140000; i++) { // two at a time, of which the older one goes
        assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 1, ++received, f.attrs[0], VNRS_BGP_USABLE), 1);
        if (i)
            assert_true(vnrs_bgp_rib_withdraw(&f.rib, &p, 1, received - 1));
        assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 1, 0, f.attrs[i % 2], VNRS_BGP_USABLE), 1);
        const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&f.rib, &p);
        const struct vnrs_bgp_path *a = vnrs_bgp_dest_path_id(d, 1, received), *b = vnrs_bgp_dest_path_id(d, 1, 0);
        assert_true(a->id > VNRS_BGP_SLOTS && b->id == 2 && !vnrs_bgp_dest_path_id(d, 1, received - 1));
    }
    assert_int_equal(f.rib.counts[1], 2);
    teardown(&f);
}

// Epochs are compared in a circle: what was announced long ago stays old, however many come after.
static void old_epochs(void **state)
{
    static struct fixture f;
    struct vnrs_prefix p = prefix_at(0);

    (void)state;
    setup(&f);
    assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 1, 0, f.attrs[0], VNRS_BGP_USABLE), 1);
    for (uint32_t i = 0; i < 200000; i++) {
        uint16_t epoch = vnrs_bgp_rib_epoch_next(&f.rib, 1);
        const struct vnrs_bgp_path *path = vnrs_bgp_rib_find(&f.rib, &p)->paths;
        assert_true(vnrs_bgp_path_is_before(path, epoch));
    }
    assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 1, 0, f.attrs[0], VNRS_BGP_USABLE), 0);
    assert_false(vnrs_bgp_path_is_before(vnrs_bgp_rib_find(&f.rib, &p)->paths, f.rib.epochs[1]));
    teardown(&f);
}

static void walk_survives_changes(void **state)
{
    static struct fixture f;
    bool seen[PREFIXES] = {false};
    struct vnrs_bgp_dest *d;
    size_t at = 0;

    (void)state;
    setup(&f);
    for (unsigned c = 0; c < SOURCES; c++)
        vnrs_bgp_queue_leave(&f.rib, c);
    vnrs_bgp_queue_leave(&f.rib, CONTROL);
    for (unsigned i = 0; i < PREFIXES / 2; i++) {
        struct vnrs_prefix p = prefix_at(i);
        assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 0, 0, f.attrs[0], VNRS_BGP_USABLE), 1);
    }
    for (unsigned n = 0; (d = vnrs_bgp_rib_next(&f.rib, &at)); n++) {
        unsigned i = index_of(&d->prefix);
        assert_false(seen[i]);
        seen[i] = true;
        struct vnrs_prefix gone = prefix_at(n), more = prefix_at(PREFIXES / 2 + n);
        (void)vnrs_bgp_rib_withdraw(&f.rib, &gone, 0, 0); // seen already
        if (n < PREFIXES / 2)
            assert_int_equal(vnrs_bgp_rib_update(&f.rib, &more, 1, 0, f.attrs[1], VNRS_BGP_USABLE), 1);
    }
    for (unsigned i = 0; i < PREFIXES / 2; i++)
        assert_true(seen[i]);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_model),  cmocka_unit_test(equal_attributes_are_told_once),
        cmocka_unit_test(path_identifiers),      cmocka_unit_test(old_epochs),
        cmocka_unit_test(walk_survives_changes),
    };
    return cmocka_run_group_tests_name("rib", tests, NULL, NULL);
}
