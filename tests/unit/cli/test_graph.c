// SPDX-License-Identifier: GPL-2.0-or-later
// What is in a graph, and what runs of it.
#include "cli/graph.h"

#include "cli/golden.h"
#include "util/macros.h"

static const char *const source =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    region: westeurope\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: GatewaySubnet, addressPrefix: 10.0.0.0/27}\n"
    "      - {name: in, addressPrefix: 10.0.2.0/24}\n"
    "      - {name: out, addressPrefix: 10.0.3.0/24, routeTable: rt}\n"
    "  - {name: a, addressSpace: [10.1.0.0/16], region: eastus}\n"
    "  - {name: b, addressSpace: [10.2.0.0/16], region: westeurope}\n"
    "virtualNetworkPeerings:\n"
    "  - {virtualNetwork: hub, remoteVirtualNetwork: a, allowGatewayTransit: true}\n"
    "  - {virtualNetwork: a, remoteVirtualNetwork: hub, useRemoteGateways: true}\n"
    "  - {virtualNetwork: b, remoteVirtualNetwork: hub}\n"
    "routeTables:\n"
    "  - {name: rt, routes: [{name: x, addressPrefix: 203.0.113.0/24, nextHopType: None}]}\n"
    "routeServers:\n"
    "  - name: rs\n"
    "    virtualNetwork: hub\n"
    "    allowBranchToBranchTraffic: true\n"
    "    bgpConnections:\n"
    "      - {name: one, peerIp: 10.0.2.4, peerAsn: 65001}\n"
    "      - {name: two, peerIp: 10.0.2.99, peerAsn: 65002}\n"
    "virtualNetworkGateways:\n"
    "  - {name: gw, virtualNetwork: hub, gatewayType: Vpn, sku: VpnGw1, activeActive: true}\n"
    "sites:\n"
    "  - {name: branch, addressPrefixes: [192.168.10.0/24], publicIp: 198.51.100.10}\n"
    "connections:\n"
    "  - {name: vpn, gateway: gw, site: branch, connectionType: IPsec}\n"
    "machines:\n"
    "  - name: nva\n"
    "    nics:\n"
    "      - {subnet: hub/in, privateIp: 10.0.2.4, enableIPForwarding: true}\n"
    "      - {subnet: hub/out, privateIp: 10.0.3.4, enableIPForwarding: true}\n"
    "    hosts: [{name: behind, ip: 10.50.0.1}]\n"
    "  - {name: vm, nics: [{subnet: hub/out, privateIp: 10.0.3.9}]}\n";

static json_t *make(void)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "l", .source = source};
    struct vnrs_model *model = vnrs_model_load("l", source, strlen(source), NULL, &diags);

    if (!model)
        vnrs_diags_print(&diags, stderr, false);
    assert_non_null(model);
    json_t *graph = vnrs_graph_make(model);
    assert_non_null(graph);
    vnrs_model_free(model);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    return graph;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const json_t *node_by(const json_t *graph, const char *key, const char *value)
{
    json_t *node;
    size_t i;

    json_array_foreach(json_object_get(graph, "nodes"), i, node)
    {
        if (strcmp(text_of(node, key), value) == 0)
            return node;
    }
    return NULL;
}

// "kind name: from - to (details) state"
static char *edge_text(const json_t *graph, size_t i)
{
    const json_t *edge = json_array_get(json_object_get(graph, "edges"), i);
    const char *from = text_of(node_by(graph, "id", text_of(edge, "from")), "name");
    const char *to = text_of(node_by(graph, "id", text_of(edge, "to")), "name");
    char details[256] = "", *text = NULL;
    json_t *line;
    size_t n;

    json_array_foreach(json_object_get(edge, "details"), n, line)(void) snprintf(
        details + strlen(details), sizeof(details) - strlen(details), "%s%s", n ? ", " : "", json_string_value(line));
    assert_true(asprintf(&text, "%s %s: %s - %s (%s) %s", text_of(edge, "kind"), text_of(edge, "name"), from, to,
                         details, text_of(edge, "state")) > 0);
    return text;
}

static void edges_are(const json_t *graph, const char *const *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _free_ char *text = edge_text(graph, i);
        assert_string_equal(text, want[i]);
    }
    assert_int_equal(json_array_size(json_object_get(graph, "edges")), n);
}

static void what_is_in_what(void **state)
{
    static const struct {
        const char *kind, *name, *in, *details;
    } rows[] = {
        {"virtualNetwork", "hub", "", "[\"10.0.0.0/16\", \"westeurope\"]"},
        {"subnet", "hub/RouteServerSubnet", "hub", "[\"10.0.1.0/26\"]"},
        {"subnet", "hub/out", "hub", "[\"10.0.3.0/24\", \"route table rt\"]"},
        {"nva", "nva", "hub/in", "[\"10.0.2.4\"]"},
        {"nic", "nva/eth1", "hub/out", "[\"10.0.3.4\"]"},
        {"host", "behind", "", "[\"10.50.0.1\"]"},
        {"machine", "vm", "hub/out", "[\"10.0.3.9\"]"},
        {"routeServer", "rs", "hub/RouteServerSubnet", "[\"10.0.1.4\", \"10.0.1.5\", \"AS 65515\"]"},
        {"bgpPeer", "10.0.2.99", "", "[]"},
        {"gateway", "gw", "hub/GatewaySubnet", "[\"Vpn\", \"10.0.0.4\", \"10.0.0.5\", \"AS 65515\"]"},
        {"site", "branch", "", "[\"192.168.10.0/24\"]"},
    };
    json_t *graph = make();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const json_t *node = node_by(graph, "name", rows[i].name);
        if (!node)
            fail_msg("no %s", rows[i].name);
        _free_ char *details = json_dumps(json_object_get(node, "details"), 0);
        assert_string_equal(text_of(node, "kind"), rows[i].kind);
        assert_string_equal(text_of(node_by(graph, "id", text_of(node, "in")), "name"), rows[i].in);
        assert_string_equal(details, rows[i].details);
    }
    json_decref(graph);
}

static void what_is_connected(void **state)
{
    static const char *const want[] = {
        "peering : hub - a (Connected, global, uses gateways of hub) up",
        "peering : b - hub (Initiated) down",
        "nic : nva - nva/eth1 () ",
        "behind : nva - behind () ",
        "bgp one: rs - nva (AS 65001) ",
        "bgp two: rs - 10.0.2.99 (AS 65002) ",
        "bgp : rs - gw (branch-to-branch) ",
        "connection vpn: gw - branch (IPsec) ",
    };
    json_t *graph = make();

    (void)state;
    edges_are(graph, want, ARRAY_SIZE(want));
    json_decref(graph);
}

static void what_runs(void **state)
{
    static const char *const want[] = {
        "peering : hub - a (Connected, global, uses gateways of hub) up",
        "peering : b - hub (Initiated) down",
        "nic : nva - nva/eth1 () ",
        "behind : nva - behind () ",
        "bgp one: rs - nva (AS 65001, 1 of 2 Established) down",
        "bgp two: rs - 10.0.2.99 (AS 65002, Active) down",
        "bgp : rs - gw (branch-to-branch) ",
        "connection vpn: gw - branch (IPsec, Connected) up",
    };
    json_t *graph = make();
    json_t *peers = json_loads("[{\"owner\": \"rs\", \"name\": \"one\", \"state\": \"Established\"},"
                               " {\"owner\": \"rs\", \"name\": \"one\", \"state\": \"Idle\"},"
                               " {\"owner\": \"other\", \"name\": \"one\", \"state\": \"Idle\"},"
                               " {\"owner\": \"rs\", \"name\": \"two\", \"state\": \"Active\"}]",
                               0, NULL);
    json_t *lab = json_loads("{\"connections\": [{\"name\": \"vpn\", \"connectionStatus\": \"Connected\"}],"
                             " \"machines\": [{\"name\": \"nva\", \"state\": \"exited\"},"
                             "                {\"name\": \"vm\", \"state\": \"up\"}]}",
                             0, NULL);

    (void)state;
    vnrs_graph_add_states(graph, peers, lab);
    edges_are(graph, want, ARRAY_SIZE(want));
    assert_string_equal(text_of(node_by(graph, "name", "nva"), "state"), "down");
    assert_string_equal(text_of(node_by(graph, "name", "vm"), "state"), "up");
    assert_null(json_object_get(node_by(graph, "name", "hub"), "state"));
    json_decref(graph);
    json_decref(peers);
    json_decref(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_what),
        cmocka_unit_test(what_is_connected),
        cmocka_unit_test(what_runs),
    };
    return cmocka_run_group_tests_name("cli.graph", tests, NULL, NULL);
}
