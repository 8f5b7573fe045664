// SPDX-License-Identifier: GPL-2.0-or-later
// Next hops of many prefixes change at once: one group is written and no route, and what comes of it is what a
// computation of the whole gives.
#include "control/sim.h"

#define FIRST 17u // prefixes from here on decide for packets in the same domains

struct counts {
    size_t routes, groups;
};

static struct counts counts_of(const struct sim *sim)
{
    return (struct counts){sim->f->agent.n_fib[VNRS_AG_FIB_ROUTES], sim->f->agent.n_fib[VNRS_AG_FIB_GROUPS]};
}

// Both instances say that these announce all prefixes.
static void all_say(struct sim *sim, const struct said *said)
{
    for (size_t i = FIRST; i < ARRAY_SIZE(prefixes); i++)
        for (unsigned speaker = 0; speaker < 2; speaker++) {
            sim->said[speaker][i] = *said;
            tell(sim, speaker, i);
        }
}

// An instance loses peer 0, and says what comes instead of `from`.
static void loses(struct sim *sim, unsigned speaker, const struct said *from, const struct said *to)
{
    const struct vnrs_spk_down down = {.sources = 1};
    const struct vnrs_spk_next next = {.from = spk_set_of(from), .to = spk_set_of(to)};

    speaker_say(&sim->speakers[speaker], VNRS_SPK_DOWN, &down, sizeof(down), 1);
    speaker_say(&sim->speakers[speaker], VNRS_SPK_NEXT, &next, sizeof(next), 1);
    settle(sim);
}

static void sim_end(struct sim *sim)
{
    close(sim->speakers[0].fd);
    close(sim->speakers[1].fd);
}

static const struct said nearer = {1, 1, false}, farther = {2, 3, false}, three = {14, 3, false};

static void check_takes_over(struct sim *sim, const struct said *heirs)
{
    all_say(sim, &nearer);
    settle(sim);
    check_all(sim);
    const struct counts before = counts_of(sim);
    loses(sim, 0, &nearer, heirs);
    assert_int_equal(counts_of(sim).groups, before.groups); // the other instance has it still
    loses(sim, 1, &nearer, heirs);
    assert_int_equal(counts_of(sim).groups, before.groups + 1);
    assert_int_equal(counts_of(sim).routes, before.routes);
    for (size_t i = FIRST; i < ARRAY_SIZE(prefixes); i++)
        sim->said[0][i] = sim->said[1][i] = *heirs;
    check_all(sim); // before any prefix is named
    check_nothing_to_do(sim);
    all_say(sim, heirs);
    settle(sim);
    assert_int_equal(counts_of(sim).routes, before.routes);
    check_nothing_to_do(sim);
}

// Again and again: each time the nearer one comes back it is one write to lose it.
static void a_longer_path_takes_over_in_one_write(void **state)
{
    struct sim sim;

    sim_start(&sim, *state);
    for (unsigned round = 0; round < 3; round++)
        check_takes_over(&sim, round % 2 ? &three : &farther);
    all_say(&sim, &nearer);
    settle(&sim);
    check_all(&sim);
    sim_end(&sim);
}

// Each instance has what one peer announces, and nothing comes when it dies: what the other one has is left.
static void what_the_other_instance_has_is_left_in_one_write(void **state)
{
    static const struct said first = {1, 3, false}, second = {2, 3, false}, nothing = {0};
    struct sim sim;

    sim_start(&sim, *state);
    all_say(&sim, &first);
    for (size_t i = FIRST; i < ARRAY_SIZE(prefixes); i++) {
        sim.said[1][i] = second;
        tell(&sim, 1, i);
    }
    settle(&sim);
    check_all(&sim);
    const struct counts before = counts_of(&sim);
    loses(&sim, 0, &first, &nothing);
    assert_int_equal(counts_of(&sim).groups, before.groups + 1);
    assert_int_equal(counts_of(&sim).routes, before.routes);
    for (size_t i = FIRST; i < ARRAY_SIZE(prefixes); i++)
        sim.said[0][i] = nothing;
    check_all(&sim); // before any prefix is named
    check_nothing_to_do(&sim);
    for (size_t i = FIRST; i < ARRAY_SIZE(prefixes); i++)
        tell(&sim, 0, i);
    settle(&sim);
    assert_int_equal(counts_of(&sim).routes, before.routes);
    check_all(&sim);
    check_nothing_to_do(&sim);
    sim_end(&sim);
}

// What is dropped is in a group with user routes of type None, so prefixes are named one by one.
static void what_is_dropped_does_not_move_as_a_whole(void **state)
{
    const struct said dropped = {2, 3, true};
    struct sim sim;

    sim_start(&sim, *state);
    all_say(&sim, &nearer);
    settle(&sim);
    const struct counts before = counts_of(&sim);
    loses(&sim, 0, &nearer, &dropped);
    loses(&sim, 1, &nearer, &dropped);
    for (size_t i = FIRST; i < ARRAY_SIZE(prefixes); i++)
        sim.said[0][i] = sim.said[1][i] = dropped;
    check_all(&sim);
    assert_true(counts_of(&sim).routes > before.routes);
    all_say(&sim, &dropped);
    settle(&sim);
    check_nothing_to_do(&sim);
    // Back, and from None to a next hop.
    loses(&sim, 0, &dropped, &farther); // nothing of peer 0 is there
    check_all(&sim);
    sim_end(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_longer_path_takes_over_in_one_write, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_the_other_instance_has_is_left_in_one_write, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_dropped_does_not_move_as_a_whole, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("control.move", tests, NULL, NULL);
}
