// SPDX-License-Identifier: GPL-2.0-or-later
// Gateways beside a Route Server: what NICs get, what the gateways themselves forward by, and what a change of the file
// touches.
#include "control/labs.h"

#define HEAD                                                                                                           \
    "name: l\n"                                                                                                        \
    "virtualNetworks:\n"                                                                                               \
    "  - name: hub\n"                                                                                                  \
    "    addressSpace: [10.0.0.0/16]\n"                                                                                \
    "    subnets:\n"                                                                                                   \
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"                                                  \
    "      - {name: vm, addressPrefix: 10.0.2.0/24}\n"                                                                 \
    "      - {name: GatewaySubnet, addressPrefix: 10.0.3.0/26}\n"                                                      \
    "machines:\n"                                                                                                      \
    "  - {name: vm, nics: [{subnet: hub/vm, privateIp: 10.0.2.4}]}\n"                                                  \
    "  - {name: nva, nics: [{subnet: hub/vm, privateIp: 10.0.2.5, enableIPForwarding: true}]}\n"
#define RS(preference)                                                                                                 \
    "routeServers:\n"                                                                                                  \
    "  - {name: rs, virtualNetwork: hub, hubRoutingPreference: " preference ",\n"                                      \
    "     bgpConnections: [{name: nva, peerIp: 10.0.2.5, peerAsn: 65001}]}\n"
#define VPN                                                                                                            \
    "virtualNetworkGateways:\n"                                                                                        \
    "  - {name: vpn, virtualNetwork: hub, gatewayType: Vpn, activeActive: true}\n"
#define ER "  - {name: er, virtualNetwork: hub, gatewayType: ExpressRoute}\n"
#define SITES                                                                                                          \
    "sites:\n"                                                                                                         \
    "  - {name: branch, addressPrefixes: [192.168.1.0/24], asn: 65050}\n"                                              \
    "  - {name: dc, addressPrefixes: [192.168.4.0/24], asn: 65060}\n"                                                  \
    "connections:\n"                                                                                                   \
    "  - {name: tunnel, gateway: vpn, site: branch, connectionType: IPsec, enableBgp: true}\n"
#define CIRCUIT "  - {name: circuit, gateway: er, site: dc, connectionType: ExpressRoute}\n"

static const char *const all = HEAD RS("ExpressRoute") VPN ER SITES CIRCUIT;
static const char *const all_vpn_first = HEAD RS("VpnGateway") VPN ER SITES CIRCUIT;
static const char *const without_er = HEAD RS("VpnGateway") VPN SITES;

enum { RS0, RS1, VPN0, VPN1, ER0, MSEE0, N_SPEAKERS };
static const char *const keys[] = {"rs-0", "rs-1", "gateway.vpn-0", "gateway.vpn-1", "gateway.er-0", "msee.circuit-0"};

struct world {
    struct fixture *f;
    struct fake_speaker speakers[N_SPEAKERS];
};

static void start(struct world *w, struct fixture *f)
{
    *w = (struct world){.f = f};
    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, all);
    for (unsigned i = 0; i < N_SPEAKERS; i++) {
        w->speakers[i] = fixture_speaker(f, "l", keys[i]);
        RUN_UNTIL(f, speaker_hear(&w->speakers[i]));
        RUN_UNTIL(f, vnrs_instance_find(lab_of(f), keys[i])->hello);
    }
}

static void stop(struct world *w)
{
    for (unsigned i = 0; i < N_SPEAKERS; i++)
        close(w->speakers[i].fd);
}

static void say(struct world *w, unsigned speaker, const char *prefix, const char *hop, const char *other,
                uint32_t path_len)
{
    const char *const hops[] = {hop, other, NULL};
    struct vnrs_spk_route route = {.set = hop != NULL};
    struct vnrs_spk_set set = {0};

    assert_int_equal(vnrs_prefix_parse(prefix, &route.prefix), 0);
    for (unsigned i = 0; hops[i]; i++, set.n++) {
        set.paths[i] = (struct vnrs_spk_nexthop){.path_len = path_len, .sources = UINT64_C(1) << i};
        assert_int_equal(vnrs_addr_parse(hops[i], &set.paths[i].nexthop), 0);
    }
    if (set.n)
        speaker_say(&w->speakers[speaker], VNRS_SPK_SETS, &set, sizeof(set), 1);
    speaker_say(&w->speakers[speaker], VNRS_SPK_ROUTES, &route, sizeof(route), 1);
}

// "10.0.3.4 10.0.3.5 " and why, of the NIC's rows for the prefix.
static const char *hops_of(struct world *w, const char *prefix, char text[static 512])
{
    struct answer answer = fixture_http(w->f, "GET", "/v1/labs/l/effective-routes?nic=vm", NULL);
    const char *why = "";
    const json_t *row;
    size_t i;

    text[0] = '\0';
    json_array_foreach(json_object_get(answer.json, "value"), i, row)
    {
        if (strcmp(json_string_value(json_array_get(json_object_get(row, "addressPrefix"), 0)), prefix) != 0)
            continue;
        assert_string_equal(json_string_value(json_object_get(row, "source")), "VirtualNetworkGateway");
        (void)snprintf(text + strlen(text), 512 - strlen(text), "%s ",
                       json_string_value(json_array_get(json_object_get(row, "nextHopIpAddress"), 0)));
        why = json_string_value(json_object_get(row, "why"));
    }
    (void)snprintf(text + strlen(text), 512 - strlen(text), "%s", why);
    json_decref(answer.json);
    return text;
}

#define ASSERT_HOPS(w, prefix, want)                                                                                   \
    do {                                                                                                               \
        char text_[512];                                                                                               \
        RUN_UNTIL((w)->f, strcmp(hops_of(w, prefix, text_), want) == 0);                                               \
    } while (0)

// What the agent was told of a domain; NULL: nothing.
static const struct vnrs_fib_route *agent_route(struct world *w, const char *domain, const char *prefix)
{
    uint32_t number = vnrs_ids_find(lab_of(w->f)->ids, VNRS_ID_DOMAIN, domain);
    char text[VNRS_PREFIX_STR_MAX];

    vec_foreach (route, &w->f->agent.routes) {
        if (number && route->domain == number && strcmp(vnrs_prefix_format(&route->prefix, text), prefix) == 0)
            return route;
    }
    return NULL;
}

static bool agent_has(struct world *w, const char *domain, const char *prefix, const char *via, bool apart)
{
    const struct vnrs_fib_route *route = agent_route(w, domain, prefix);
    char text[VNRS_ADDR_STR_MAX];

    if (!route || route->apart != apart)
        return false;
    const struct vnrs_fib_group *group = &w->f->agent.groups.items[route->group];
    if (apart && (group->members[0].kind != VNRS_BPF_NH_NIC || group->members[0].ifindex))
        return false;
    return group->n == 1 && strcmp(vnrs_addr_format(&group->members[0].via, text), via) == 0;
}

static void nics_get_what_the_preference_says(void **state)
{
    static const char prefix[] = "172.20.0.0/16";
    struct world w;

    start(&w, *state);
    say(&w, VPN0, prefix, "192.168.1.1", NULL, 1);
    ASSERT_HOPS(&w, prefix, "10.0.3.4 learned by VPN gateway 'vpn'"); // packets have to come to the instance
    say(&w, VPN1, prefix, "192.168.1.1", NULL, 1);
    ASSERT_HOPS(&w, prefix,
                "10.0.3.4 10.0.3.5 learned by VPN gateway 'vpn'; 2 equal next hops share the flows"); // 6.1
    say(&w, RS0, prefix, "10.0.2.5", NULL, 2);
    ASSERT_HOPS(&w, prefix,
                "10.0.3.4 10.0.3.5 learned by VPN gateway 'vpn'; 2 equal next hops share the flows; its AS path is "
                "shorter than that of Route Server 'rs'");
    say(&w, ER0, prefix, "10.0.3.8", "10.0.3.9", 4);
    ASSERT_HOPS(&w, prefix,
                "10.0.3.8 10.0.3.9 learned by ExpressRoute gateway 'er'; 2 equal next hops share the flows; preferred "
                "to that of Route Server 'rs' and VPN gateway 'vpn' by hubRoutingPreference ExpressRoute"); // 5.8

    // The preference changes under way: the same speakers, the same channels.
    uint64_t generation = vnrs_instance_find(lab_of(w.f), "rs-0")->generation;
    apply_and_reach(w.f, all_vpn_first);
    ASSERT_HOPS(&w, prefix,
                "10.0.3.4 10.0.3.5 learned by VPN gateway 'vpn'; 2 equal next hops share the flows; preferred to that "
                "of ExpressRoute gateway 'er' by hubRoutingPreference VpnGateway; its AS path is shorter than that of "
                "Route Server 'rs'");
    assert_int_equal(vnrs_instance_find(lab_of(w.f), "rs-0")->generation, generation);
    (void)speaker_hear(&w.speakers[RS0]);
    assert_int_equal(w.speakers[RS0].hellos, 1);
    assert_int_equal(w.speakers[RS0].config.preference, VNRS_SPK_PREFER_VPN);

    // The ExpressRoute gateway goes: only what was its own.
    say(&w, ER0, "172.21.0.0/16", "10.0.3.8", NULL, 1);
    ASSERT_HOPS(&w, "172.21.0.0/16", "10.0.3.8 learned by ExpressRoute gateway 'er'");
    apply_and_reach(w.f, without_er);
    ASSERT_HOPS(&w, "172.21.0.0/16", "");
    assert_null(vnrs_instance_find(lab_of(w.f), "gateway.er-0"));
    assert_null(vnrs_instance_find(lab_of(w.f), "msee.circuit-0"));
    assert_int_equal(vnrs_instance_find(lab_of(w.f), "rs-0")->generation, generation);
    ASSERT_HOPS(&w, prefix,
                "10.0.3.4 10.0.3.5 learned by VPN gateway 'vpn'; 2 equal next hops share the flows; its AS path is "
                "shorter than that of Route Server 'rs'");
    stop(&w);
}

// A table that the fabric does not get: next hops as they were learned, behind the machine's own links.
static void gateways_forward_by_tables_of_their_own(void **state)
{
    static const char prefix[] = "172.20.0.0/16";
    struct world w;

    start(&w, *state);
    say(&w, VPN0, prefix, "192.168.1.1", NULL, 1);
    say(&w, MSEE0, "172.22.0.0/16", "172.30.0.1", NULL, 1);
    RUN_UNTIL(w.f, agent_has(&w, "gateway.vpn-0", prefix, "192.168.1.1", true));
    RUN_UNTIL(w.f, agent_has(&w, "hub/", prefix, "10.0.3.4", false));
    RUN_UNTIL(w.f, agent_has(&w, "msee.circuit-0", "172.22.0.0/16", "172.30.0.1", true));
    assert_null(agent_route(&w, "hub/", "172.22.0.0/16")); // the gateway passes it up
    assert_null(agent_route(&w, "gateway.vpn-1", prefix));

    // A static prefix leads to the instance: for NICs; its own table has another way to say that.
    say(&w, VPN0, "192.168.9.0/24", "10.0.3.4", NULL, 0);
    RUN_UNTIL(w.f, agent_has(&w, "hub/", "192.168.9.0/24", "10.0.3.4", false));
    assert_null(agent_route(&w, "gateway.vpn-0", "192.168.9.0/24"));

    // Prefixes that change other rows of a NIC change nothing else here.
    say(&w, VPN0, "0.0.0.0/0", "192.168.1.1", NULL, 1);
    RUN_UNTIL(w.f, agent_has(&w, "gateway.vpn-0", "0.0.0.0/0", "192.168.1.1", true));
    RUN_UNTIL(w.f, agent_has(&w, "hub/", "0.0.0.0/0", "10.0.3.4", false));
    say(&w, VPN0, "0.0.0.0/0", NULL, NULL, 0);
    RUN_UNTIL(w.f, !agent_route(&w, "gateway.vpn-0", "0.0.0.0/0"));

    // A whole computation comes to the same.
    size_t before = w.f->agent.n_fib[VNRS_AG_FIB_ROUTES];
    vnrs_lab_dirty(lab_of(w.f));
    RUN_UNTIL(w.f, !lab_of(w.f)->dirty && !lab_of(w.f)->fib_outstanding);
    assert_int_equal(w.f->agent.n_fib[VNRS_AG_FIB_ROUTES], before);
    stop(&w);
}

static void a_dead_site_is_one_write(void **state)
{
    static const struct vnrs_spk_down down = {.sources = 1};
    struct world w;
    char prefix[32];

    start(&w, *state);
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(prefix, sizeof(prefix), "172.20.%u.0/24", i);
        say(&w, ER0, prefix, "10.0.3.8", "10.0.3.9", 1);
    }
    RUN_UNTIL(w.f, agent_route(&w, "hub/", "172.20.39.0/24"));
    RUN_UNTIL(w.f, !lab_of(w.f)->fib_outstanding);
    size_t routes = w.f->agent.n_fib[VNRS_AG_FIB_ROUTES], groups = w.f->agent.n_fib[VNRS_AG_FIB_GROUPS];
    speaker_say(&w.speakers[ER0], VNRS_SPK_DOWN, &down, sizeof(down), 1);
    RUN_UNTIL(w.f, agent_has(&w, "hub/", "172.20.7.0/24", "10.0.3.9", false));
    assert_int_equal(w.f->agent.n_fib[VNRS_AG_FIB_GROUPS], groups + 1);
    assert_int_equal(w.f->agent.n_fib[VNRS_AG_FIB_ROUTES], routes);
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nics_get_what_the_preference_says, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(gateways_forward_by_tables_of_their_own, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_dead_site_is_one_write, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("control.gateways", tests, NULL, NULL);
}
