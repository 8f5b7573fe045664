// SPDX-License-Identifier: GPL-2.0-or-later
// Sources of paths die: which merged sets move as a whole, and which prefixes change one by one.
#include "control/learned_world.h"

static bool on_move(void *arg, const struct vnrs_learned_merged *merged, const struct vnrs_learned_set *to)
{
    struct world *w = arg;

    if (w->refuse)
        return false;
    w->moves++;
    w->moved_origin = merged->origin;
    w->moved_n = to->n;
    return true;
}

static void down(struct world *w, unsigned instance, unsigned peers)
{
    w->moves = 0;
    assert_int_equal(vnrs_learned_down(w->db, instance, peers, on_move, w), 0);
}

// What comes instead of what these peers said with these lengths.
static void inherit(struct world *w, unsigned instance, const unsigned (*heirs)[4], size_t n)
{
    struct vnrs_learned_heir list[4];

    w->moves = 0;
    for (size_t i = 0; i < n; i++)
        list[i] = (struct vnrs_learned_heir){said_of(heirs[i][0], heirs[i][1]), said_of(heirs[i][2], heirs[i][3])};
    assert_int_equal(vnrs_learned_inherit(w->db, instance, list, n, on_move, w), 0);
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
    assert_int_equal(n_hops(&w, 201), 1);
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
    assert_int_equal(n_hops(&w, 2), 2);
    assert_int_equal(n_hops(&w, 7), 1);
    down(&w, 1, 1);
    assert_int_equal(w.moves, 1);
    assert_int_equal(n_hops(&w, 2), 1);
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
        assert_int_equal(n_hops(&w, i), 2);
    down(&w, VPN0, 2);
    assert_int_equal(w.moves, 1);
    assert_int_equal(w.moved_n, 1);
    assert_int_equal(take_all(&w), 0);
    down(&w, RS0, 1); // not in use: nothing moves
    assert_int_equal(w.moves, 0);
    assert_int_equal(n_hops(&w, 7), 1);
    teardown(&w);
}

// The last byte of the only next hop of a prefix.
static unsigned hop_of(struct world *w, unsigned i)
{
    struct vnrs_learned_merged merged = merged_of(w, i);

    assert_int_equal(n_hops(w, i), 1);
    return merged.set ? merged.set->paths[0].nexthop.bytes[3] : 0;
}

// Peer 0 is nearer; peer 1 has the same prefixes. Both instances say so, one after the other.
static void a_longer_path_takes_over_at_once(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 100; i++) {
        say(&w, RS0, i, 1, 1 + i % 2);
        say(&w, RS1, i, 1, 1 + i % 2);
    }
    (void)take_all(&w);
    uint32_t origin = merged_of(&w, 7).origin;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(merged_of(&w, i).origin, origin);
    down(&w, RS0, 1);
    assert_int_equal(w.moves, 0);
    inherit(&w, RS0, (const unsigned[][4]){{1, 1, 2, 5}, {1, 2, 2, 6}}, 2);
    assert_int_equal(w.moves, 0); // the other instance has it still
    assert_int_equal(take_all(&w), 0);
    down(&w, RS1, 1);
    inherit(&w, RS1, (const unsigned[][4]){{1, 1, 2, 5}, {1, 2, 2, 6}}, 2);
    assert_int_equal(w.moves, 1);
    assert_int_equal(w.moved_origin, origin);
    assert_int_equal(take_all(&w), 0);
    assert_int_equal(hop_of(&w, 7), 1);
    for (unsigned i = 0; i < 100; i++) {
        say(&w, RS0, i, 2, 5 + i % 2);
        say(&w, RS1, i, 2, 5 + i % 2);
    }
    assert_int_equal(take_all(&w), 0);
    assert_int_equal(merged_of(&w, 8).origin, origin);
    // It comes back, prefix by prefix.
    say(&w, RS0, 7, 1, 1);
    assert_int_equal(take_all(&w), 1);
    assert_int_equal(hop_of(&w, 7), 0);
    assert_int_equal(hop_of(&w, 8), 1);
    teardown(&w);
}

// More next hops come than there were, and a set is there already with what others become.
static void heirs_may_be_many_and_known(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 10; i++)
        say(&w, RS0, i, 1, 1);
    say(&w, RS0, 20, 0xfe, 3);
    (void)take_all(&w);
    (void)merged_of(&w, 5);
    uint32_t known = merged_of(&w, 20).origin;
    inherit(&w, RS0, (const unsigned[][4]){{1, 1, 0xfe, 3}}, 1);
    assert_int_equal(w.moves, 1);
    assert_int_equal(w.moved_n, 7);
    assert_int_equal(n_hops(&w, 5), 7);
    assert_int_equal(merged_of(&w, 20).origin, known);
    // Said by prefix nothing changes; others find the one that was there.
    say(&w, RS0, 5, 0xfe, 3);
    assert_int_equal(take_all(&w), 0);
    say(&w, RS0, 21, 0xfe, 3);
    assert_int_equal(merged_of(&w, 21).origin, known);
    teardown(&w);
}

// What an earlier speaker said may be of other prefixes than those that this one speaks of.
static void nothing_moves_while_some_are_stale(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 4; i++)
        say(&w, RS0, i, 1, 1);
    (void)take_all(&w);
    (void)merged_of(&w, 0);
    vnrs_learned_stale(w.db, RS0);
    vnrs_learned_stale(w.db, RS0);
    say(&w, RS0, 0, 1, 1); // the same
    say(&w, RS0, 1, 4, 1); // another set
    say(&w, RS0, 2, 0, 0); // gone
    (void)take_all(&w);
    inherit(&w, RS0, (const unsigned[][4]){{1, 1, 2, 5}}, 1);
    assert_int_equal(w.moves, 0);
    assert_int_equal(hop_of(&w, 0), 0);
    assert_int_equal(vnrs_learned_sweep(w.db, RS0, false), 0);
    (void)take_all(&w);
    inherit(&w, RS0, (const unsigned[][4]){{1, 1, 2, 5}}, 1);
    assert_int_equal(w.moves, 1);
    assert_int_equal(hop_of(&w, 0), 1);
    teardown(&w);
}

static void what_parts_or_cannot_move_is_named(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 10; i++)
        say(&w, RS0, i, 1, 1 + i % 2);
    (void)take_all(&w);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(merged_of(&w, i).origin, merged_of(&w, 0).origin);
    inherit(&w, RS0, (const unsigned[][4]){{1, 1, 2, 5}}, 1); // nothing is known of the other half
    assert_int_equal(w.moves, 0);
    assert_int_equal(take_all(&w), 5);
    assert_int_equal(hop_of(&w, 2), 1);
    assert_int_equal(hop_of(&w, 3), 0);
    w.refuse = true;
    inherit(&w, RS0, (const unsigned[][4]){{1, 2, 2, 5}}, 1);
    assert_int_equal(take_all(&w), 5);
    assert_int_equal(hop_of(&w, 3), 1);
    // Both were named, so they are together again.
    assert_int_equal(merged_of(&w, 2).origin, merged_of(&w, 3).origin);
    inherit(&w, RS0, (const unsigned[][4]){{64, 1, 2, 5}}, 1); // nobody's
    assert_int_equal(take_all(&w), 0);
    teardown(&w);
}

// Each instance of a VPN gateway has a session of its own with the site. Both are lost, then it is an NVA's.
static void what_has_nothing_leaves_to_the_others(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 100; i++) {
        say(&w, VPN0, i, 1, 1 + i % 2);
        say(&w, VPN1, i, 2, 1 + i % 2);
        say(&w, RS0, i, 4, 7);
    }
    say(&w, VPN0, 200, 1, 1); // nobody else has it
    (void)take_all(&w);
    uint32_t origin = merged_of(&w, 7).origin;
    (void)merged_of(&w, 8), (void)merged_of(&w, 200);
    inherit(&w, VPN0, (const unsigned[][4]){{1, 1, 0, 0}, {1, 2, 0, 0}}, 2);
    assert_int_equal(w.moves, 1);
    assert_int_equal(w.moved_origin, origin);
    assert_int_equal(hop_of(&w, 7), 1);
    assert_int_equal(hop_of(&w, 8), 1);
    assert_null(merged_of(&w, 200).set);
    inherit(&w, VPN1, (const unsigned[][4]){{2, 1, 0, 0}, {2, 2, 0, 0}}, 2);
    assert_int_equal(w.moves, 1);
    assert_int_equal(w.moved_origin, origin);
    assert_int_equal(hop_of(&w, 7), 2);
    assert_int_equal(take_all(&w), 0);
    // It is said again before it is said that it has gone.
    say(&w, VPN0, 7, 1, 2);
    assert_int_equal(take_all(&w), 1);
    assert_int_equal(hop_of(&w, 7), 0);
    for (unsigned i = 0; i < 100; i++) {
        say(&w, VPN0, i, 0, 0);
        say(&w, VPN1, i, 0, 0);
    }
    say(&w, VPN0, 200, 0, 0);
    assert_int_equal(take_all(&w), 2);
    assert_int_equal(merged_of(&w, 8).origin, origin);
    assert_int_equal(hop_of(&w, 8), 2);
    assert_null(merged_of(&w, 200).set);
    teardown(&w);
}

// There was a time when only the second instance had them, or only the first: what is known of that is in nobody's way.
static void what_was_before_is_in_nobodys_way(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned round = 0; round < 4; round++) {
        unsigned goes = round % 2 ? VPN1 : VPN0, stays = goes ^ 1u;
        for (unsigned i = 0; i < 100; i++)
            say(&w, round < 2 ? goes : stays, i, round < 2 ? 1 : 2, 1);
        (void)take_all(&w);
        for (unsigned i = 0; i < 100; i++) {
            (void)merged_of(&w, i);
            say(&w, VPN0, i, goes == VPN0 ? 1 : 2, 1);
            say(&w, VPN1, i, goes == VPN1 ? 1 : 2, 1);
        }
        (void)take_all(&w);
        uint32_t origin = merged_of(&w, 7).origin;
        for (unsigned i = 0; i < 100; i++)
            assert_int_equal(merged_of(&w, i).origin, origin);
        inherit(&w, goes, (const unsigned[][4]){{1, 1, 0, 0}}, 1);
        assert_int_equal(w.moves, 1);
        for (unsigned i = 0; i < 100; i++)
            say(&w, goes, i, 0, 0);
        assert_int_equal(take_all(&w), 0);
        assert_int_equal(merged_of(&w, 7).origin, origin);
        assert_int_equal(hop_of(&w, 7), 1);
        for (unsigned i = 0; i < 100; i++)
            say(&w, stays, i, 0, 0);
        (void)take_all(&w);
    }
    say(&w, VPN0, 200, 2, 1); // as what is left
    (void)take_all(&w);
    teardown(&w);
}

// Nothing is left of a prefix, and then something is, although the instance that lost it has not said so by prefix.
static void what_has_nothing_may_come_back_from_another(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 10; i++) {
        say(&w, RS0, i, 1, 1);
        say(&w, RS1, i, 1, 1);
    }
    (void)take_all(&w);
    (void)merged_of(&w, 5);
    inherit(&w, RS0, (const unsigned[][4]){{1, 1, 0, 0}}, 1);
    inherit(&w, RS1, (const unsigned[][4]){{1, 1, 0, 0}}, 1);
    assert_int_equal(w.moves, 0);
    assert_null(merged_of(&w, 5).set);
    assert_int_equal(take_all(&w), 0);
    say(&w, VPN0, 5, 2, 1);
    assert_int_equal(take_all(&w), 1);
    assert_int_equal(hop_of(&w, 5), 1);
    say(&w, RS1, 6, 2, 1);
    say(&w, RS0, 6, 0, 0);
    assert_int_equal(hop_of(&w, 6), 1);
    assert_null(merged_of(&w, 7).set);
    teardown(&w);
}

// The speaker of a gateway instance died, and its sites do not come back to the next one.
static void what_is_not_said_again_leaves_at_once(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (unsigned i = 0; i < 100; i++) {
        say(&w, VPN0, i, 1, 1);
        say(&w, VPN1, i, 2, 1);
    }
    say(&w, VPN0, 200, 8, 1);
    (void)take_all(&w);
    for (unsigned i = 0; i < 100; i++)
        (void)merged_of(&w, i);
    vnrs_learned_stale(w.db, VPN0);
    say(&w, VPN0, 200, 8, 1);
    w.moves = 0;
    assert_int_equal(vnrs_learned_expire(w.db, VPN0, on_move, &w), 0);
    assert_int_equal(w.moves, 1);
    assert_int_equal(w.moved_n, 1);
    assert_int_equal(take_all(&w), 0);
    assert_int_equal(hop_of(&w, 7), 1);
    assert_int_equal(vnrs_learned_len(w.db, VPN0), 1);
    assert_int_equal(hop_of(&w, 200), 3);
    // Half of them come back.
    vnrs_learned_stale(w.db, VPN1);
    for (unsigned i = 0; i < 50; i++)
        say(&w, VPN1, i, 2, 1);
    w.moves = 0;
    assert_int_equal(vnrs_learned_expire(w.db, VPN1, on_move, &w), 0);
    assert_int_equal(w.moves, 0);
    assert_int_equal(hop_of(&w, 7), 1);
    assert_null(merged_of(&w, 70).set);
    assert_int_equal(vnrs_learned_expire(w.db, VPN1, on_move, &w), 0);
    assert_int_equal(vnrs_learned_len(w.db, VPN1), 50);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_peer_leaves_at_once),
        cmocka_unit_test(prefixes_that_part_are_named),
        cmocka_unit_test(a_dead_source_of_a_gateway_leaves_at_once),
        cmocka_unit_test(a_longer_path_takes_over_at_once),
        cmocka_unit_test(heirs_may_be_many_and_known),
        cmocka_unit_test(nothing_moves_while_some_are_stale),
        cmocka_unit_test(what_parts_or_cannot_move_is_named),
        cmocka_unit_test(what_has_nothing_leaves_to_the_others),
        cmocka_unit_test(what_was_before_is_in_nobodys_way),
        cmocka_unit_test(what_has_nothing_may_come_back_from_another),
        cmocka_unit_test(what_is_not_said_again_leaves_at_once),
    };
    return cmocka_run_group_tests_name("control.learned_loss", tests, NULL, NULL);
}
