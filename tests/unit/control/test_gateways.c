// SPDX-License-Identifier: GPL-2.0-or-later
// Gateways beside a Route Server: what NICs get, what the gateways themselves forward by, and what a change of the file
// touches.
#include "control/labs.h"
#include "control/outside.h"

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

// ---- what is told of them

static void check_peers(struct world *w, const char *query, const char *want)
{
    char path[128], text[1024] = "";
    const json_t *peer;
    size_t i;

    (void)snprintf(path, sizeof(path), "/v1/labs/l/peers%s", query);
    struct answer answer = fixture_http(w->f, "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    json_array_foreach(json_object_get(answer.json, "value"), i, peer)(void)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s %s\n",
                 json_string_value(json_object_get(peer, "speaker")), json_string_value(json_object_get(peer, "name")),
                 json_string_value(json_object_get(peer, "peerKind")));
    json_decref(answer.json);
    assert_string_equal(text, want);
}

static void peers_are_those_of_the_file_unless_more_is_asked_for(void **state)
{
    struct world w;

    start(&w, *state);
    check_peers(&w, "",
                "rs-0 nva nva\nrs-1 nva nva\n"
                "gateway.vpn-0 tunnel site\ngateway.vpn-1 tunnel site\n"
                "msee.circuit-0 circuit site\nmsee.circuit-1 circuit site\n");
    check_peers(&w, "?of=vpn",
                "gateway.vpn-0 tunnel site\ngateway.vpn-1 tunnel site\n"
                "gateway.vpn-0 gateway.vpn-1 otherInstance\n"
                "gateway.vpn-0 routeserver.rs-0 routeServer\ngateway.vpn-1 routeserver.rs-0 routeServer\n"
                "gateway.vpn-0 routeserver.rs-1 routeServer\ngateway.vpn-1 routeserver.rs-1 routeServer\n"
                "gateway.vpn-1 gateway.vpn-0 otherInstance\n");
    check_peers(&w, "?of=circuit",
                "msee.circuit-0 circuit site\nmsee.circuit-1 circuit site\n"
                "msee.circuit-0 gateway.er-0 expressRouteGateway\nmsee.circuit-1 gateway.er-0 expressRouteGateway\n"
                "msee.circuit-0 gateway.er-1 expressRouteGateway\nmsee.circuit-1 gateway.er-1 expressRouteGateway\n");
    struct answer answer = fixture_http(w.f, "GET", "/v1/labs/l/peers?all=1", NULL);
    size_t ends = 2 * (1 + 4) + 2 * (1 + 1 + 2) + 2 * (2 + 2) + 2 * (1 + 2); // of sessions, speaker by speaker
    assert_int_equal(json_array_size(json_object_get(answer.json, "value")), ends);
    json_decref(answer.json);
    answer = fixture_http(w.f, "GET", "/v1/labs/l/peers?of=nobody", NULL);
    assert_int_equal(answer.status, 404);
    json_decref(answer.json);
    stop(&w);
}

struct canned { // what a speaker answers to a question of one kind about one peer
    unsigned speaker, kind;
    const char *about, *prefix, *next_hop, *peer, *as_path;
    unsigned origin;
};

static const struct canned canned[] = {
    {VPN0, VNRS_SPK_RIB, "", "10.0.0.0/16", "10.0.3.4", "", "", 0},
    {VPN0, VNRS_SPK_RIB, "", "172.20.0.0/16", "192.168.1.1", "tunnel", "65050", 0},
    {VPN0, VNRS_SPK_RIB, "", "172.20.0.0/16", "10.0.3.5", "gateway.vpn-1", "65050", 0},
    {VPN0, VNRS_SPK_RIB, "", "172.24.0.0/16", "10.0.2.5", "routeserver.rs-0", "65001", 0},
    {VPN0, VNRS_SPK_LEARNED, "tunnel", "172.20.0.0/16", "192.168.1.1", "tunnel", "65050", 0},
    {VPN0, VNRS_SPK_ADVERTISED, "tunnel", "10.0.0.0/16", "10.0.3.4", "tunnel", "65515", 0},
    {ER0, VNRS_SPK_LEARNED, "msee.circuit-0", "172.22.0.0/16", "10.0.3.8", "msee.circuit-0", "12076-65060", 0},
    {ER0, VNRS_SPK_ADVERTISED, "msee.circuit-1", "10.0.0.0/16", "10.0.3.6", "msee.circuit-1", "65515", 0},
};

static struct world *answering;

static void reply(struct fake_speaker *speaker, const struct vnrs_spk_query *query)
{
    struct vnrs_spk_query_end end = {.query = query->id};

    for (size_t i = 0; i < ARRAY_SIZE(canned); i++) {
        const struct canned *c = &canned[i];
        struct vnrs_spk_path path = {.query = query->id, .origin = (uint8_t)c->origin, .weight = 32768};
        if (&answering->speakers[c->speaker] != speaker || c->kind != query->kind || strcmp(c->about, query->peer) != 0)
            continue;
        assert_int_equal(vnrs_prefix_parse(c->prefix, &path.prefix), 0);
        assert_int_equal(vnrs_addr_parse(c->next_hop, &path.nexthop), 0);
        (void)snprintf(path.peer, sizeof(path.peer), "%s", c->peer);
        (void)snprintf(path.as_path, sizeof(path.as_path), "%s", c->as_path);
        speaker_say(speaker, VNRS_SPK_PATHS, &path, sizeof(path), 1);
    }
    speaker_say(speaker, VNRS_SPK_QUERY_END, &end, sizeof(end), 1);
}

static void on_question(evutil_socket_t fd, short what, void *arg)
{
    struct fake_speaker *speaker = arg;

    (void)fd, (void)what;
    (void)speaker_hear(speaker);
    for (unsigned i = 0; i < speaker->n_asked; i++)
        reply(speaker, &speaker->asked[i]);
    speaker->n_asked = 0;
}

static const char *text_or(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "null";
}

static void check_routes(struct world *w, const char *what, const char *peer, const char *want)
{
    char path[128], text[1024] = "";
    const json_t *route;
    size_t i;

    (void)snprintf(path, sizeof(path), "/v1/labs/l/%s?peer=%s", what, peer);
    struct answer answer = fixture_http(w->f, "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    json_array_foreach(json_object_get(answer.json, "value"), i, route)(void) snprintf(
        text + strlen(text), sizeof(text) - strlen(text), "%s %s %s %s %s %s %d\n", text_or(route, "localAddress"),
        text_or(route, "network"), text_or(route, "nextHop"), text_or(route, "sourcePeer"), text_or(route, "origin"),
        text_or(route, "asPath"), (int)json_integer_value(json_object_get(route, "weight")));
    json_decref(answer.json);
    assert_string_equal(text, want);
}

static void routes_have_the_format_of_azures_gateways_6_4(void **state)
{
    struct event *events[N_SPEAKERS];
    struct world w;

    start(&w, *state);
    answering = &w;
    for (unsigned i = 0; i < N_SPEAKERS; i++) {
        events[i] = event_new(w.f->base, w.speakers[i].fd, EV_READ | EV_PERSIST, on_question, &w.speakers[i]);
        event_add(events[i], NULL);
    }
    check_routes(&w, "learned-routes", "vpn",
                 "10.0.3.4 10.0.0.0/16 null 10.0.3.4 Network  32768\n"
                 "10.0.3.4 172.20.0.0/16 192.168.1.1 192.168.1.1 EBgp 65050 32768\n"
                 "10.0.3.4 172.20.0.0/16 10.0.3.5 10.0.3.5 IBgp 65050 32768\n"
                 "10.0.3.4 172.24.0.0/16 10.0.2.5 10.0.1.4 IBgp 65001 32768\n");
    check_routes(&w, "learned-routes", "tunnel", "10.0.3.4 172.20.0.0/16 192.168.1.1 192.168.1.1 EBgp 65050 32768\n");
    check_routes(&w, "advertised-routes", "vpn/tunnel", "10.0.3.4 10.0.0.0/16 10.0.3.4 10.0.3.4 Igp 65515 32768\n");
    check_routes(&w, "advertised-routes", "vpn", "10.0.3.4 10.0.0.0/16 10.0.3.4 10.0.3.4 Igp 65515 32768\n");
    check_routes(&w, "learned-routes", "circuit",
                 "10.0.3.6 172.22.0.0/16 10.0.3.8 10.0.3.8 EBgp 12076-65060 32769\n"); // 6.2
    check_routes(&w, "advertised-routes", "circuit", "10.0.3.6 10.0.0.0/16 10.0.3.6 10.0.3.6 Igp 65515 32768\n");
    check_routes(&w, "learned-routes", "circuit/circuit", ""); // as the edge routers have it: they have nothing here
    for (unsigned i = 0; i < N_SPEAKERS; i++)
        event_free(events[i]);
    stop(&w);
}

static void connections_say_whether_they_work(void **state)
{
    struct vnrs_spk_peer peer = {.name = "circuit", .state = VNRS_BGP_ST_ESTABLISHED};
    struct vnrs_ag_event event = {.kind = VNRS_AG_EV_TUNNEL, .tunnel = VNRS_TUNNEL_KEY, .text = "down: keys"};
    struct fixture *f = *state;
    struct world w;

    start(&w, f);
    struct vnrs_lab *lab = lab_of(f);
    const struct vnrs_connection *tunnel = &lab->model->connections.items[0], *circuit = tunnel + 1;
    const char *why;

    assert_string_equal(vnrs_connection_status(lab, circuit), "Connecting");
    speaker_say(&w.speakers[MSEE0], VNRS_SPK_PEER, &peer, sizeof(peer), 1);
    RUN_UNTIL(f, strcmp(vnrs_connection_status(lab, circuit), "Connected") == 0);

    // The end of a tunnel that waits knows less than the other one.
    struct vnrs_obj_state *end = vnrs_objects_get(lab, VNRS_OBJ_PROC, "tunnel.tunnel-1");
    struct vnrs_obj_state *site = vnrs_objects_get(lab, VNRS_OBJ_PROC, "tunnel.tunnel-1.site");
    end->there = site->there = true;
    end->tunnel = VNRS_TUNNEL_NO_ANSWER;
    assert_int_equal(vnrs_tunnel_state(lab, tunnel, 1, &why), VNRS_TUNNEL_NO_ANSWER);
    event.obj.type = VNRS_OBJ_PROC;
    (void)snprintf(event.obj.lab, sizeof(event.obj.lab), "l");
    (void)snprintf(event.obj.key, sizeof(event.obj.key), "tunnel.tunnel-1.site");
    fake_send(&f->agent, VNRS_AG_EVENT, 0, &event, sizeof(event), 1, NULL, 0, -1);
    RUN_UNTIL(f, vnrs_tunnel_state(lab, tunnel, 1, &why) == VNRS_TUNNEL_KEY);
    assert_string_equal(why, "the ends have different keys");
    assert_string_equal(vnrs_connection_status(lab, tunnel), "NotConnected");
    end->tunnel = VNRS_TUNNEL_UP;
    assert_string_equal(vnrs_connection_status(lab, tunnel), "Connected"); // one of two is enough

    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/status", NULL);
    const json_t *condition = json_array_get(json_object_get(answer.json, "conditions"), 2);
    assert_string_equal(text_or(condition, "name"), "tunnels");
    assert_true(json_is_false(json_object_get(condition, "ok")));
    assert_string_equal(text_or(condition, "text"),
                        "1 of 2 tunnels are up; not yet: tunnel of vpn instance 0: not made yet");
    json_decref(answer.json);
    answer = fixture_http(f, "GET", "/v1/labs/l", NULL);
    const json_t *shown = json_array_get(json_object_get(answer.json, "connections"), 0);
    assert_string_equal(text_or(shown, "connectionStatus"), "Connected");
    assert_string_equal(text_or(json_array_get(json_object_get(shown, "tunnels"), 1), "state"), "up");
    shown = json_array_get(json_object_get(answer.json, "virtualNetworkGateways"), 1);
    assert_string_equal(text_or(shown, "gatewayType"), "ExpressRoute");
    json_decref(answer.json);
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nics_get_what_the_preference_says, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(gateways_forward_by_tables_of_their_own, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_dead_site_is_one_write, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(peers_are_those_of_the_file_unless_more_is_asked_for, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(routes_have_the_format_of_azures_gateways_6_4, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(connections_say_whether_they_work, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("control.gateways", tests, NULL, NULL);
}
