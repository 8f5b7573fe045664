// SPDX-License-Identifier: GPL-2.0-or-later
// What is learned reaches the sinks change by change: after every one they have what a computation of the whole gives
// (routing layer), and a recompute of everything finds nothing to do.
#include "control/sim.h"

#define ROUNDS 120

static void change_by_change_is_the_whole(void **state)
{
    struct sim sim;

    sim_start(&sim, *state);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned n = 1 + draw(&sim, 12); n-- > 0;) {
            unsigned speaker = draw(&sim, 2);
            size_t prefix = draw(&sim, ARRAY_SIZE(prefixes));
            sim.said[speaker][prefix] =
                (struct said){(uint8_t)draw(&sim, 1u << PEERS), (uint8_t)(1 + draw(&sim, 2)), draw(&sim, 4) == 0};
            tell(&sim, speaker, prefix);
        }
        if (draw(&sim, 3) == 0)
            peer_dies(&sim, draw(&sim, 2), draw(&sim, PEERS));
        settle(&sim);
        check_all(&sim);
        if (round % 8 == 0)
            check_nothing_to_do(&sim);
    }
    close(sim.speakers[0].fd);
    close(sim.speakers[1].fd);
}

static void a_dead_peer_is_one_group_for_all_its_prefixes(void **state)
{
    static const struct vnrs_spk_down down = {.sources = 1};
    struct fixture *f = *state;
    struct sim sim;

    sim_start(&sim, f);
    for (size_t i = 17; i < ARRAY_SIZE(prefixes); i++) {
        for (unsigned speaker = 0; speaker < 2; speaker++) {
            sim.said[speaker][i] = (struct said){3, 1, false};
            tell(&sim, speaker, i);
        }
    }
    settle(&sim);
    check_all(&sim);
    size_t routes = f->agent.n_fib[VNRS_AG_FIB_ROUTES], groups = f->agent.n_fib[VNRS_AG_FIB_GROUPS];
    speaker_say(&sim.speakers[0], VNRS_SPK_DOWN, &down, sizeof(down), 1);
    settle(&sim);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_GROUPS], groups); // the other instance has it still
    speaker_say(&sim.speakers[1], VNRS_SPK_DOWN, &down, sizeof(down), 1);
    settle(&sim);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_GROUPS], groups + 1);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_ROUTES], routes);
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        sim.said[0][i].peers &= 2, sim.said[1][i].peers &= 2;
    check_all(&sim); // before any prefix is named
    for (size_t i = 17; i < ARRAY_SIZE(prefixes); i++)
        tell(&sim, 0, i), tell(&sim, 1, i);
    settle(&sim);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_ROUTES], routes);
    check_nothing_to_do(&sim);
    close(sim.speakers[0].fd);
    close(sim.speakers[1].fd);
}

// With dataplane none next hops are addresses, and a route without one is dropped where it is injected.
static void an_injected_route_is_dropped(void **state)
{
    static const char *const injector =
        "name: l\n"
        "dataplane: none\n"
        "virtualNetworks:\n"
        "  - {name: net, addressSpace: [10.88.0.0/16], subnets: [{name: s, addressPrefix: 10.88.9.0/24}]}\n"
        "routeServers:\n"
        "  - name: rs\n"
        "    virtualNetwork: net\n"
        "    instanceIps: [10.88.9.4]\n"
        "    bgpConnections: [{name: nva, peerIp: 10.88.9.10, peerAsn: 65001}]\n"
        "machines:\n"
        "  - {name: self, nics: [{subnet: net/s, privateIp: 10.88.9.4, attach: eth0}]}\n";
    struct sim sim = {.f = *state};
    struct vnrs_prefix prefix;
    uint8_t type = 0;

    RUN_UNTIL(sim.f, sim.f->control->ready);
    apply_and_reach(sim.f, injector);
    struct vnrs_lab *lab = lab_of(sim.f);
    struct vnrs_instance *instance = vnrs_instance_find(lab, "rs-0");
    sim.speakers[0] = fixture_speaker(sim.f, "l", "rs-0");
    RUN_UNTIL(sim.f, speaker_hear(&sim.speakers[0]));
    speaker_drop(&sim.speakers[0], "10.50.0.7/32");
    RUN_UNTIL(sim.f, vnrs_learned_len(instance->outlets[0].db, instance->outlets[0].number) && !pending(lab));
    uint32_t number = lab->domains.items[0].number;
    assert_int_equal(vnrs_prefix_parse("10.50.0.7/32", &prefix), 0);
    const struct vnrs_fib_group *group = agent_group(&sim, number, &prefix, &type);
    assert_non_null(group);
    assert_true(group->n == 1 && group->members[0].kind == VNRS_BPF_NH_DROP && type == VNRS_NH_NONE);
    speaker_route(&sim.speakers[0], "10.50.0.7/32", (const char *const[]){"10.88.9.10", NULL});
    RUN_UNTIL(sim.f, (group = agent_group(&sim, number, &prefix, &type)) && type == VNRS_NH_GATEWAY && !pending(lab));
    assert_true(group->n == 1 && group->members[0].kind == VNRS_BPF_NH_NIC && group->members[0].via.bytes[3] == 10);
    close(sim.speakers[0].fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(change_by_change_is_the_whole, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_dead_peer_is_one_group_for_all_its_prefixes, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_injected_route_is_dropped, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("control.program", tests, NULL, NULL);
}
