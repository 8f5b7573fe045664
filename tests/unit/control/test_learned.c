// SPDX-License-Identifier: GPL-2.0-or-later
// What the instances of a hub say, together: which prefixes change with it, and which do not.
#include "control/learned_world.h"

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
    assert_int_equal(n_hops(&w, 1), 3);
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
    assert_int_equal(n_hops(&w, 0), 1); // the other instance's
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
    assert_int_equal(n_hops(&w, 1), 2);
    vnrs_learned_stale(w.db, 0);
    assert_int_equal(vnrs_learned_supersede(w.db, 1, &first), 0);
    assert_null(merged_of(&w, 1).set);
    say(&w, 1, 2, 1, 1); // one of the two next hops is withdrawn
    assert_int_equal(n_hops(&w, 2), 2);
    assert_int_equal(vnrs_learned_supersede(w.db, 1, &second), 0);
    assert_int_equal(n_hops(&w, 2), 1);
    assert_int_equal(vnrs_learned_supersede(w.db, 1, &unknown), 0);
    assert_int_equal(vnrs_learned_len(w.db, 0), 0);
    (void)take_all(&w);
    say(&w, 1, 2, 0, 1);
    (void)take_all(&w);
    teardown(&w);
}

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
    assert_int_equal(n_hops(&w, 1), 2); // both instances of the VPN gateway
    assert_int_equal(vnrs_learned_prefer(w.db, VNRS_HRP_ASPATH), 0);
    say(&w, ER0, 1, 8, 1);
    assert_int_equal(n_hops(&w, 1), 1);
    assert_int_equal(vnrs_learned_verdict(w.db, id).longer, 1 << VNRS_LEARNED_VPN);
    say(&w, ER0, 1, 8, 2);
    assert_int_equal(n_hops(&w, 1), 3);
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
    assert_int_equal(n_hops(&w, 1), 3);
    assert_int_equal(vnrs_learned_supersede(w.db, VPN1, &prefix), 0);
    assert_int_equal(n_hops(&w, 1), 2);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_again_changes_nothing),
        cmocka_unit_test(stale_routes_go_unless_said_again),
        cmocka_unit_test(news_of_the_living_instance_counts_more_than_stale_routes),
        cmocka_unit_test(hub_routing_preference_decides_5_8),
        cmocka_unit_test(only_twins_are_told_the_same),
    };
    return cmocka_run_group_tests_name("control.learned", tests, NULL, NULL);
}
