// SPDX-License-Identifier: GPL-2.0-or-later
// What comes in place of a peer: found beforehand, and the same as what is reported once it has gone.
#include "bgp/heirs.h"

#include "bgp/report.h"
#include "bgp/test_core_world.h"

#define PREFIXES 24u
#define SOURCES  4u
#define ROUNDS   400

struct state {
    struct world w;
    uint32_t seed;
    bool prefers; // some paths, by LOCAL_PREF
};

static uint32_t draw(struct state *s, uint32_t n)
{
    s->seed = s->seed * 1664525u + 1013904223u;
    return (s->seed >> 16) % n;
}

static struct vnrs_prefix prefix_of(unsigned i)
{
    struct vnrs_addr addr = vnrs_addr_from_v4(0x0a320000u + (i << 8));
    return vnrs_prefix_make(&addr, 24);
}

// A path of the peer with a next hop of its own, or its second one; `path_id` 0: its only path.
static void put(struct state *s, unsigned i, unsigned slot, unsigned len, unsigned hop, bool dropped, uint32_t path_id)
{
    struct vnrs_bgp_speaker *sp = s->w.sp;
    const uint32_t blackhole = VNRS_BGP_BLACKHOLE;
    const struct vnrs_prefix prefix = prefix_of(i);
    uint8_t path[2 + 4 * 8] = {2, (uint8_t)len};
    const uint32_t local_pref = s->prefers && draw(s, 50) == 0 ? 200 : 0;
    const struct vnrs_bgp_attrs attrs = {.med = draw(s, 3), // no matter
                                         .has = VNRS_BGP_HAS_MED | (local_pref ? VNRS_BGP_HAS_LOCAL_PREF : 0),
                                         .local_pref = local_pref,
                                         .nexthop = vnrs_addr_from_v4(0x0a00000au + slot + 100 * hop),
                                         .as_path = path,
                                         .as_path_bytes = (uint16_t)(2 + 4 * len),
                                         .path_len = (uint16_t)len,
                                         .communities = &blackhole,
                                         .n_communities = dropped};
    const struct vnrs_bgp_attrs *interned = vnrs_bgp_attrs_intern(sp->attrs, &attrs);

    assert_non_null(interned);
    assert_true(vnrs_bgp_rib_update(&sp->rib, &prefix, slot, path_id, interned, VNRS_BGP_USABLE) >= 0);
    vnrs_bgp_attrs_unref(sp->attrs, interned);
}

static struct vnrs_spk_set set_of(struct state *s, unsigned i)
{
    const struct vnrs_prefix prefix = prefix_of(i);
    const struct vnrs_bgp_dest *dest = vnrs_bgp_rib_find(&s->w.sp->rib, &prefix);
    struct vnrs_spk_set set = {0};

    if (dest)
        vnrs_bgp_report_set(s->w.sp, dest, &set);
    return set;
}

static int cmp_hop(const void *a, const void *b)
{
    return vnrs_addr_cmp(&((const struct vnrs_spk_nexthop *)a)->nexthop,
                         &((const struct vnrs_spk_nexthop *)b)->nexthop);
}

static bool is_same(struct vnrs_spk_set a, struct vnrs_spk_set b)
{
    qsort(a.paths, a.n, sizeof(a.paths[0]), cmp_hop);
    qsort(b.paths, b.n, sizeof(b.paths[0]), cmp_hop);
    return a.n == b.n && memcmp(a.paths, b.paths, a.n * sizeof(a.paths[0])) == 0;
}

static bool is_all_of(const struct vnrs_spk_set *set, unsigned slot)
{
    bool all = set->n > 0;

    for (unsigned i = 0; i < set->n; i++)
        all &= set->paths[i].sources == UINT64_C(1) << slot;
    return all;
}

static const struct vnrs_spk_next *find(const struct vnrs_bgp_heirs *heirs, const struct vnrs_spk_set *from)
{
    const struct vnrs_spk_next *next = NULL;

    for (unsigned i = 0; i < heirs->n; i++)
        if (is_same(heirs->list[i].from, *from)) {
            assert_null(next); // said once
            next = &heirs->list[i];
        }
    return next;
}

static void start(struct state *s, unsigned peers)
{
    *s = (struct state){.seed = 7};
    world_setup(&s->w, peers, 0, 0);
}

// Find, let the source go, and compare. Returns how many sets go one way.
static unsigned check(struct state *s, unsigned slot)
{
    struct vnrs_spk_set before[PREFIXES], after[PREFIXES];
    struct vnrs_bgp_heirs heirs;
    unsigned n = 0;

    for (unsigned i = 0; i < PREFIXES; i++)
        before[i] = set_of(s, i);
    vnrs_bgp_heirs_find(s->w.sp, slot, &heirs);
    for (unsigned i = 0; i < PREFIXES; i++)
        assert_true(is_same(before[i], set_of(s, i))); // nothing changed
    vnrs_bgp_rib_withdraw_all(&s->w.sp->rib, slot);
    for (unsigned i = 0; i < PREFIXES; i++)
        after[i] = set_of(s, i);
    for (unsigned i = 0; i < PREFIXES; i++) {
        const struct vnrs_spk_next *next = find(&heirs, &before[i]);
        bool together = true;
        assert_int_equal(next != NULL, is_all_of(&before[i], slot));
        for (unsigned j = 0; j < PREFIXES; j++)
            if (is_same(before[i], before[j]))
                together &= is_same(after[i], after[j]);
        if (!next)
            continue;
        assert_int_equal(next->parts, !together);
        assert_false(next->more);
        assert_true(together ? is_same(next->to, after[i]) : !next->to.n);
    }
    for (unsigned i = 0; i < heirs.n; i++)
        n += !heirs.list[i].parts;
    return n;
}

static void found_is_what_comes(void **state)
{
    unsigned found = 0;
    struct state s;

    (void)state;
    start(&s, SOURCES);
    s.prefers = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned kinds = 1 + draw(&s, 4); // few, so that prefixes have the same
        for (unsigned i = 0; i < PREFIXES; i++)
            for (unsigned slot = 0; slot < SOURCES; slot++) {
                unsigned kind = (i * 7 + slot * 5 + round) % kinds;
                if (draw(&s, 12) == 0)
                    kind = draw(&s, 4);
                if (kind == 3 || (slot + i % kinds + round) % 5 == 0)
                    continue;
                put(&s, i, slot, 1 + (kind + slot + round) % 3, draw(&s, 40) == 0, draw(&s, 60) == 0, 0);
                if (draw(&s, 20) == 0)
                    put(&s, i, slot, 1 + draw(&s, 3), 1, false, 9);
            }
        found += check(&s, draw(&s, SOURCES));
        for (unsigned slot = 0; slot < SOURCES; slot++)
            vnrs_bgp_rib_withdraw_all(&s.w.sp->rib, slot);
    }
    assert_true(found > ROUNDS / 4);
    vnrs_bgp_speaker_free(s.w.sp);
}

static void one_heir_for_all(void **state)
{
    struct vnrs_bgp_heirs heirs;
    struct state s;

    (void)state;
    start(&s, 3);
    vnrs_bgp_heirs_find(s.w.sp, 0, &heirs);
    assert_int_equal(heirs.n, 0);
    for (unsigned i = 0; i < PREFIXES; i++) {
        put(&s, i, 0, 1, 0, false, 0);
        put(&s, i, 1, 3, 0, false, 0);
        put(&s, i, 2, 3, 0, false, 0);
    }
    vnrs_bgp_heirs_find(s.w.sp, 0, &heirs);
    assert_int_equal(heirs.n, 1);
    assert_int_equal(heirs.list[0].from.n, 1);
    assert_int_equal(heirs.list[0].to.n, 2);
    assert_int_equal(heirs.list[0].to.paths[0].path_len, 3);
    assert_false(heirs.list[0].parts);
    vnrs_bgp_heirs_find(s.w.sp, 1, &heirs); // nobody goes by it
    assert_int_equal(heirs.n, 0);
    put(&s, 5, 1, 1, 0, false, 0); // as near: this prefix loses one of two
    vnrs_bgp_heirs_find(s.w.sp, 0, &heirs);
    assert_int_equal(heirs.n, 1);
    put(&s, PREFIXES, 0, 1, 0, false, 0); // one that nobody else has
    vnrs_bgp_heirs_find(s.w.sp, 0, &heirs);
    assert_int_equal(heirs.n, 1);
    assert_true(heirs.list[0].parts && !heirs.list[0].to.n);
    for (unsigned slot = 1; slot < 3; slot++)
        vnrs_bgp_rib_withdraw_all(&s.w.sp->rib, slot);
    vnrs_bgp_heirs_find(s.w.sp, 0, &heirs); // nothing comes
    assert_int_equal(heirs.n, 1);
    assert_true(!heirs.list[0].parts && !heirs.list[0].to.n);
    vnrs_bgp_speaker_free(s.w.sp);
}

// More kinds of sets than there is room for: some are found, and all that are found hold.
static void many_kinds(void **state)
{
    struct vnrs_bgp_heirs heirs;
    struct state s;

    (void)state;
    start(&s, 2);
    for (unsigned i = 0; i < 3 * VNRS_BGP_HEIRS_MAX; i++) {
        put(&s, i, 0, 1 + i % 2, 3 + i / 2, false, 0);
        put(&s, i, 1, 4, 0, false, 0);
    }
    vnrs_bgp_heirs_find(s.w.sp, 0, &heirs);
    assert_int_equal(heirs.n, VNRS_BGP_HEIRS_MAX);
    for (unsigned i = 0; i < heirs.n; i++) {
        assert_int_equal(heirs.list[i].to.paths[0].path_len, 4);
        assert_true(heirs.list[i].more);
    }
    vnrs_bgp_speaker_free(s.w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_is_what_comes),
        cmocka_unit_test(one_heir_for_all),
        cmocka_unit_test(many_kinds),
    };
    return cmocka_run_group_tests_name("bgp.heirs", tests, NULL, NULL);
}
