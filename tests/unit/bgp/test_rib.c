// SPDX-License-Identifier: GPL-2.0-or-later
// The RIB against a naive model: random announcements, withdrawals, and sessions that come and go. What consumers saw
// when their queues are empty must be what the model says.
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
#define ROUNDS   60000u

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
    // What each consumer knows: the best source and set, or the multipath set as bits.
    int seen_source[PREFIXES][SOURCES];
    const struct vnrs_bgp_attrs *seen_attrs[PREFIXES][SOURCES];
    uint32_t seen_multi[PREFIXES];
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    f->table = vnrs_bgp_attr_table_new();
    assert_non_null(f->table);
    vnrs_bgp_rib_init(&f->rib, f->table, 42);
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
        vnrs_bgp_rib_consumer_add(&f->rib, s);
        for (unsigned p = 0; p < PREFIXES; p++)
            f->seen_source[p][s] = -1;
    }
    vnrs_bgp_rib_consumer_add(&f->rib, CONTROL);
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

static void consume(struct fixture *f, unsigned consumer)
{
    struct vnrs_bgp_dest *d = vnrs_bgp_rib_dequeue(&f->rib, consumer);

    if (!d)
        return;
    if (rnd(4) == 0) { // put back, and taken again: nothing is lost
        vnrs_bgp_rib_requeue(&f->rib, consumer, d);
        assert_ptr_equal(vnrs_bgp_rib_dequeue(&f->rib, consumer), d);
    }
    unsigned p = index_of(&d->prefix);
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(d);
    if (consumer == CONTROL) {
        f->seen_multi[p] = 0;
        for (const struct vnrs_bgp_path *q = d->paths; q; q = q->next)
            if (vnrs_bgp_step_is_multipath(vnrs_bgp_dest_lost_at(&f->rib, d, q)))
                f->seen_multi[p] |= 1u << q->slot;
    } else {
        bool told = best && best->slot != consumer;
        f->seen_source[p][consumer] = told ? best->slot : -1;
        f->seen_attrs[p][consumer] = told ? best->attrs : NULL;
        d->advertised = told ? d->advertised | UINT64_C(1) << consumer : d->advertised & ~(UINT64_C(1) << consumer);
    }
    vnrs_bgp_rib_done(&f->rib, d);
}

static void drain_and_compare(struct fixture *f)
{
    for (unsigned c = 0; c < SOURCES; c++)
        while (f->rib.queues[c].len)
            consume(f, c);
    while (f->rib.queues[CONTROL].len)
        consume(f, CONTROL);
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
            int told = best == (int)c ? -1 : best;
            assert_int_equal(f->seen_source[p][c] >= 0, told >= 0);
            // Equal attributes from another source are the same announcement: only the set is compared.
            assert_ptr_equal(f->seen_attrs[p][c], told >= 0 ? f->attrs[f->model[p][told]] : NULL);
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
    vnrs_bgp_rib_consumer_remove(&f->rib, s);
    vnrs_bgp_rib_withdraw_all(&f->rib, s);
    assert_int_equal(f->rib.counts[s], 0);
    vnrs_bgp_rib_consumer_add(&f->rib, s);
    vnrs_bgp_rib_enqueue_all(&f->rib, s);
    for (unsigned p = 0; p < PREFIXES; p++) {
        f->model[p][s] = -1;
        f->seen_source[p][s] = -1;
        f->seen_attrs[p][s] = NULL;
    }
}

static void step(struct fixture *f)
{
    unsigned p = rnd(PREFIXES), s = rnd(SOURCES), what = rnd(1000);
    struct vnrs_prefix prefix = prefix_at(p);

    if (what < 500) {
        uint32_t a = rnd(ATTRS);
        bool same = f->model[p][s] == (int)a && !f->barred[p][s];
        f->barred[p][s] = rnd(8) == 0;
        int changed = vnrs_bgp_rib_update(&f->rib, &prefix, s, f->attrs[a], f->barred[p][s]);
        assert_true(changed >= 0);
        if (same && !f->barred[p][s])
            assert_int_equal(changed, 0);
        f->model[p][s] = (int8_t)a;
    } else if (what < 800) {
        bool was = f->model[p][s] >= 0;
        assert_int_equal(vnrs_bgp_rib_withdraw(&f->rib, &prefix, s), was);
        f->model[p][s] = -1;
    } else if (what < 990) {
        consume(f, rnd(SOURCES + 1) == SOURCES ? CONTROL : s);
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
    for (unsigned i = 0; i < ROUNDS; i++)
        step(&f);
    drain_and_compare(&f);
    assert_false(f.rib.failed);
    teardown(&f);
}

// Two sources with the same attributes: only they themselves hear that the best one changed.
static void equal_attributes_are_told_once(void **state)
{
    static struct fixture f;
    struct vnrs_prefix p = prefix_at(0);

    (void)state;
    setup(&f);
    assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 4, f.attrs[0], VNRS_BGP_USABLE), 1);
    for (unsigned c = 0; c < SOURCES; c++)
        consume(&f, c);
    assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 0, f.attrs[0], VNRS_BGP_USABLE), 1); // better: lower identifier
    assert_int_equal(f.rib.queues[0].len, 1);
    assert_int_equal(f.rib.queues[4].len, 1);
    assert_int_equal(f.rib.queues[1].len + f.rib.queues[2].len + f.rib.queues[3].len, 0);
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
        vnrs_bgp_rib_consumer_remove(&f.rib, c);
    vnrs_bgp_rib_consumer_remove(&f.rib, CONTROL);
    for (unsigned i = 0; i < PREFIXES / 2; i++) {
        struct vnrs_prefix p = prefix_at(i);
        assert_int_equal(vnrs_bgp_rib_update(&f.rib, &p, 0, f.attrs[0], VNRS_BGP_USABLE), 1);
    }
    for (unsigned n = 0; (d = vnrs_bgp_rib_next(&f.rib, &at)); n++) {
        unsigned i = index_of(&d->prefix);
        assert_false(seen[i]);
        seen[i] = true;
        struct vnrs_prefix gone = prefix_at(n), more = prefix_at(PREFIXES / 2 + n);
        (void)vnrs_bgp_rib_withdraw(&f.rib, &gone, 0); // seen already
        if (n < PREFIXES / 2)
            assert_int_equal(vnrs_bgp_rib_update(&f.rib, &more, 1, f.attrs[1], VNRS_BGP_USABLE), 1);
    }
    for (unsigned i = 0; i < PREFIXES / 2; i++)
        assert_true(seen[i]);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_model),
        cmocka_unit_test(equal_attributes_are_told_once),
        cmocka_unit_test(walk_survives_changes),
    };
    return cmocka_run_group_tests_name("rib", tests, NULL, NULL);
}
