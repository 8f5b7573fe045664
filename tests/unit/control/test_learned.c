// SPDX-License-Identifier: GPL-2.0-or-later
// What the instances of a hub say, together: which prefixes change with it, and which do not.
#include "control/learned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct vnrs_prefixes prefixes;
    uint32_t last_origin;
    struct vnrs_learned_db *db;
    unsigned moves;
    uint32_t moved_origin, moved_n;
};

static void setup(struct world *w)
{
    *w = (struct world){0};
    w->db = vnrs_learned_db_new(&w->prefixes, &w->last_origin);
    assert_non_null(w->db);
}

static void teardown(struct world *w)
{
    vnrs_learned_db_free(w->db);
    assert_int_equal(vnrs_prefixes_len(&w->prefixes), 0);
    vnrs_prefixes_fini(&w->prefixes);
}

static struct vnrs_prefix prefix_of(unsigned i)
{
    struct vnrs_addr addr = vnrs_addr_from_v4(0x0a000000u + (i << 8));
    return vnrs_prefix_make(&addr, 24);
}

// Next hop 10.0.0.N of peer N, for each bit N.
static void say(struct world *w, unsigned instance, unsigned i, unsigned peers, unsigned len)
{
    struct vnrs_prefix prefix = prefix_of(i);
    struct vnrs_said said;
    uint32_t set = 0;

    memset(&said, 0, sizeof(said));
    for (unsigned peer = 0; peer < 8; peer++) {
        if (!(peers & 1u << peer))
            continue;
        said.paths[said.n].hop.nexthop = vnrs_addr_from_v4(0x0a000000u + peer);
        said.paths[said.n].hop.path_len = len;
        said.paths[said.n++].sources = UINT64_C(1) << peer;
    }
    if (said.n)
        assert_int_equal(vnrs_learned_intern(w->db, instance, &said, &set), 0);
    assert_int_equal(vnrs_learned_put(w->db, instance, &prefix, set), 0);
    if (set)
        vnrs_learned_unref(w->db, set);
}

static size_t take_all(struct world *w)
{
    size_t n = vnrs_learned_pending(w->db);
    vnrs_learned_take_all(w->db);
    return n;
}

static struct vnrs_learned_merged merged_of(struct world *w, unsigned i)
{
    struct vnrs_prefix prefix = prefix_of(i);
    struct vnrs_learned_merged merged = {0};
    uint32_t id = vnrs_prefixes_find(&w->prefixes, &prefix);

    if (id)
        (void)vnrs_learned_get(w->db, id, &merged);
    return merged;
}

static void moved(void *arg, const struct vnrs_learned_merged *merged)
{
    struct world *w = arg;
    w->moves++;
    w->moved_origin = merged->origin;
    w->moved_n = merged->set->n;
}

static void down(struct world *w, unsigned instance, unsigned peers)
{
    w->moves = 0;
    assert_int_equal(vnrs_learned_down(w->db, instance, peers, moved, w), 0);
}

static void the_same_again_changes_nothing(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    say(&w, 0, 1, 3, 1);
    say(&w, 0, 2, 3, 1);
    assert_int_equal(take_all(&w), 2);
    say(&w, 0, 1, 3, 1);
    assert_int_equal(take_all(&w), 0);
    say(&w, 1, 1, 3, 1); // the other instance too: the same next hops together
    assert_int_equal(take_all(&w), 1);
    assert_int_equal(merged_of(&w, 1).origin, merged_of(&w, 2).origin);
    say(&w, 0, 2, 3, 5); // longer, but still the only ones
    assert_int_equal(merged_of(&w, 1).origin, merged_of(&w, 2).origin);
    say(&w, 1, 1, 4, 1);
    assert_int_equal(merged_of(&w, 1).set->n, 3);
    say(&w, 1, 1, 0, 0);
    say(&w, 0, 1, 0, 0);
    assert_null(merged_of(&w, 1).set);
    teardown(&w);
}

static void stale_routes_go_unless_said_again(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 10; i++)
        say(&w, 0, i, 1, 1);
    say(&w, 1, 0, 2, 1);
    (void)take_all(&w);
    vnrs_learned_stale(w.db, 0);
    assert_int_equal(take_all(&w), 0);
    say(&w, 0, 3, 1, 1);
    say(&w, 0, 4, 2, 1);
    assert_int_equal(take_all(&w), 1);
    assert_int_equal(vnrs_learned_sweep(w.db, 0, false), 0);
    assert_int_equal(take_all(&w), 8);
    assert_int_equal(vnrs_learned_len(w.db, 0), 2);
    assert_int_equal(merged_of(&w, 0).set->n, 1); // the other instance's
    assert_int_equal(vnrs_learned_sweep(w.db, 1, true), 0);
    assert_null(merged_of(&w, 0).set);
    teardown(&w);
}

static void news_of_the_living_instance_counts_more_than_stale_routes(void **state)
{
    struct world w;
    struct vnrs_prefix first = prefix_of(1), second = prefix_of(2), unknown = prefix_of(9);

    (void)state;
    setup(&w);
    for (unsigned i = 1; i <= 2; i++) {
        say(&w, 0, i, 3, 1);
        say(&w, 1, i, 3, 1);
    }
    (void)take_all(&w);
    // Not stale: both count.
    say(&w, 1, 1, 0, 1);
    assert_int_equal(vnrs_learned_supersede(w.db, 1, &first), 0);
    assert_int_equal(merged_of(&w, 1).set->n, 2);
    vnrs_learned_stale(w.db, 0);
    assert_int_equal(vnrs_learned_supersede(w.db, 1, &first), 0);
    assert_null(merged_of(&w, 1).set);
    say(&w, 1, 2, 1, 1); // one of the two next hops is withdrawn
    assert_int_equal(merged_of(&w, 2).set->n, 2);
    assert_int_equal(vnrs_learned_supersede(w.db, 1, &second), 0);
    assert_int_equal(merged_of(&w, 2).set->n, 1);
    assert_int_equal(vnrs_learned_supersede(w.db, 1, &unknown), 0);
    assert_int_equal(vnrs_learned_len(w.db, 0), 0);
    (void)take_all(&w);
    say(&w, 1, 2, 0, 1);
    (void)take_all(&w);
    teardown(&w);
}

static void a_dead_peer_leaves_at_once(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 100; i++)
        say(&w, 0, i, 3, 1);
    say(&w, 0, 200, 2, 1); // has already what the others will have
    say(&w, 0, 201, 1, 1); // will have nothing
    (void)take_all(&w);
    uint32_t origin = merged_of(&w, 7).origin;
    down(&w, 0, 1);
    assert_int_equal(w.moves, 1);
    assert_int_equal(w.moved_origin, origin);
    assert_int_equal(w.moved_n, 1);
    assert_int_equal(take_all(&w), 0);
    assert_int_equal(merged_of(&w, 201).set->n, 1);
    for (unsigned i = 0; i < 100; i++)
        say(&w, 0, i, 2, 1);
    assert_int_equal(take_all(&w), 0);
    assert_int_equal(merged_of(&w, 7).origin, origin);
    say(&w, 0, 201, 0, 0);
    assert_int_equal(take_all(&w), 1);
    // It comes back: these are other next hops, prefix by prefix.
    say(&w, 0, 7, 3, 1);
    assert_int_equal(take_all(&w), 1);
    assert_int_not_equal(merged_of(&w, 7).origin, origin);
    teardown(&w);
}

// One instance has it for some prefixes only: they part, and are named one by one.
static void prefixes_that_part_are_named(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 10; i++)
        say(&w, 0, i, 3, 1);
    for (unsigned i = 0; i < 4; i++)
        say(&w, 1, i, 3, 1);
    (void)take_all(&w);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(merged_of(&w, i).origin, merged_of(&w, 0).origin);
    down(&w, 0, 1);
    assert_int_equal(w.moves, 0);
    assert_int_equal(take_all(&w), 10);
    assert_int_equal(merged_of(&w, 2).set->n, 2);
    assert_int_equal(merged_of(&w, 7).set->n, 1);
    down(&w, 1, 1);
    assert_int_equal(w.moves, 1);
    assert_int_equal(merged_of(&w, 2).set->n, 1);
    teardown(&w);
}

#define RS0  0u // numbers by vnrs_learned_number
#define RS1  1u
#define VPN0 2u
#define VPN1 3u
#define ER0  4u

static void hub_routing_preference_decides_5_8(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    assert_int_equal(vnrs_learned_number(VNRS_LEARNED_NVA, 1), RS1);
    assert_int_equal(vnrs_learned_number(VNRS_LEARNED_VPN, 0), VPN0);
    assert_int_equal(vnrs_learned_number(VNRS_LEARNED_ER, 0), ER0);
    say(&w, RS0, 1, 1, 1);
    say(&w, VPN0, 1, 2, 2);
    say(&w, VPN1, 1, 4, 2);
    say(&w, ER0, 1, 8, 3);
    say(&w, RS0, 2, 1, 1); // of one class only
    (void)take_all(&w);
    struct vnrs_prefix prefix = prefix_of(1);
    uint32_t id = vnrs_prefixes_find(&w.prefixes, &prefix), alone = merged_of(&w, 2).origin;
    assert_int_equal(vnrs_learned_verdict(w.db, id).won, 1 << VNRS_LEARNED_ER); // 2.5: without being told
    assert_int_equal(vnrs_learned_prefer(w.db, VNRS_HRP_EXPRESSROUTE), 0);
    assert_int_equal(take_all(&w), 0);

    assert_int_equal(vnrs_learned_prefer(w.db, VNRS_HRP_VPN), 0);
    assert_int_equal(take_all(&w), 1); // the other prefix has nothing to choose from
    assert_int_equal(merged_of(&w, 2).origin, alone);
    assert_int_equal(vnrs_learned_verdict(w.db, id).won, 1 << VNRS_LEARNED_NVA);
    say(&w, RS0, 1, 0, 0);
    assert_int_equal(merged_of(&w, 1).set->n, 2); // both instances of the VPN gateway
    assert_int_equal(vnrs_learned_prefer(w.db, VNRS_HRP_ASPATH), 0);
    say(&w, ER0, 1, 8, 1);
    assert_int_equal(merged_of(&w, 1).set->n, 1);
    assert_int_equal(vnrs_learned_verdict(w.db, id).longer, 1 << VNRS_LEARNED_VPN);
    say(&w, ER0, 1, 8, 2);
    assert_int_equal(merged_of(&w, 1).set->n, 3);
    teardown(&w);
}

// What an instance says that lives makes stale routes of its twin go, never those of another class.
static void only_twins_are_told_the_same(void **state)
{
    struct world w;
    struct vnrs_prefix prefix = prefix_of(1);

    (void)state;
    setup(&w);
    say(&w, RS0, 1, 1, 1);
    say(&w, VPN0, 1, 2, 1);
    say(&w, VPN1, 1, 4, 1);
    vnrs_learned_stale(w.db, VPN0);
    assert_int_equal(vnrs_learned_supersede(w.db, RS0, &prefix), 0);
    assert_int_equal(merged_of(&w, 1).set->n, 3);
    assert_int_equal(vnrs_learned_supersede(w.db, VPN1, &prefix), 0);
    assert_int_equal(merged_of(&w, 1).set->n, 2);
    teardown(&w);
}

// A tunnel of one VPN gateway instance ends: the group of all prefixes shrinks in one step.
static void a_dead_source_of_a_gateway_leaves_at_once(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 50; i++) {
        say(&w, VPN0, i, 2 | 4, 2);
        say(&w, RS0, i, 1, 3);
    }
    (void)take_all(&w);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(merged_of(&w, i).set->n, 2);
    down(&w, VPN0, 2);
    assert_int_equal(w.moves, 1);
    assert_int_equal(w.moved_n, 1);
    assert_int_equal(take_all(&w), 0);
    down(&w, RS0, 1); // not in use: nothing moves
    assert_int_equal(w.moves, 0);
    assert_int_equal(merged_of(&w, 7).set->n, 1);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_again_changes_nothing),
        cmocka_unit_test(stale_routes_go_unless_said_again),
        cmocka_unit_test(news_of_the_living_instance_counts_more_than_stale_routes),
        cmocka_unit_test(a_dead_peer_leaves_at_once),
        cmocka_unit_test(prefixes_that_part_are_named),
        cmocka_unit_test(hub_routing_preference_decides_5_8),
        cmocka_unit_test(only_twins_are_told_the_same),
        cmocka_unit_test(a_dead_source_of_a_gateway_leaves_at_once),
    };
    return cmocka_run_group_tests_name("control.learned", tests, NULL, NULL);
}
