// SPDX-License-Identifier: GPL-2.0-or-later
// What a file means: references, defaults, assigned addresses; and printing, whose text must mean the same.
#include "model/model.h"
#include "util/fd.h"
#include "vnrs/rtprot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <glob.h>

#define TEXT_BYTES_MAX (1u << 22)

static int load_config(const char *path, char **ret_text)
{
    if (strcmp(path, "my.conf") != 0)
        return -ENOENT;
    *ret_text = strdup("router bgp 65001\n\t\"quoted\" \\ back\n");
    return *ret_text ? 0 : -ENOMEM;
}

static struct vnrs_model *load(const char *text)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "test.vnrs.yml", .source = text};
    struct vnrs_model *model = vnrs_model_load("test.vnrs.yml", text, strlen(text), load_config, &diags);

    if (!model)
        vnrs_diags_print(&diags, stderr, false);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    assert_non_null(model);
    return model;
}

static struct vnrs_model *load_example(const char *name)
{
    char path[512];
    _free_ char *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/packaging/examples/%s.vnrs.yml", getenv("VNRS_SOURCE_DIR"), name);
    assert_int_equal(vnrs_file_load(path, TEXT_BYTES_MAX, &text, NULL), 0);
    return load(text);
}

static void assert_ip(const struct vnrs_addr *ip, const char *want)
{
    char text[VNRS_ADDR_STR_MAX];
    assert_string_equal(vnrs_addr_format(ip, text), want);
}

static void reads_the_demo(void **state)
{
    struct vnrs_model *m = load_example("hub-spoke");
    const struct vnrs_vnet *hub = vnrs_model_find_vnet(m, "hub"), *spoke = vnrs_model_find_vnet(m, "spoke");
    const struct vnrs_nic *nva1 = vnrs_model_find_nic(m, "nva1/eth0");

    (void)state;
    assert_string_equal(m->name, "hub-spoke");
    assert_int_equal(m->dataplane, VNRS_DATAPLANE_EBPF);
    assert_int_equal(m->n_subnets, 4);
    assert_int_equal(m->nics.len, 4);
    assert_null(vnrs_model_find_vnet(m, "nowhere"));
    assert_null(vnrs_model_find_nic(m, "nva1/eth1"));
    assert_ptr_equal(vnrs_model_find_nic(m, "nva1"), nva1);
    assert_ptr_equal(nva1->subnet, &hub->subnets.items[1]);
    assert_string_equal(nva1->subnet->route_table->name, "rt-nva");
    assert_true(nva1->forwarding);
    assert_int_equal(nva1->mtu, 1500);

    const struct vnrs_peering *p = vnrs_model_find_peering(m, spoke, hub);
    assert_true(p->use_remote_gateways && p->allow_access && p->allow_forwarded && !p->allow_gateway_transit);
    assert_ptr_equal(p->other->other, p);
    assert_false(p->global);
    const struct vnrs_route_server *rs = &m->route_servers.items[0];
    assert_ptr_equal(vnrs_model_route_server_of(m, hub), rs);
    assert_ptr_equal(vnrs_model_route_server_of(m, spoke), rs);
    assert_ip(&rs->ips[0], "10.0.1.4");
    assert_ip(&rs->ips[1], "10.0.1.5");
    assert_int_equal(rs->timers.keepalive, 1);
    assert_int_equal(rs->timers.hold, 3);
    assert_ptr_equal(rs->connections.items[0].nic, nva1);

    const struct vnrs_machine *machine = vnrs_model_find_machine(m, "nva1");
    assert_int_equal(machine->run.kind, VNRS_RUN_FRR);
    assert_int_equal(machine->run.announce.len, 2);
    assert_false(machine->inject.on);
    assert_ip(&machine->hosts.items[0].ip, "10.50.0.1");
    machine = vnrs_model_find_machine(m, "vm-spoke");
    assert_true(machine->inject.on);
    assert_int_equal(machine->inject.table, 254);
    assert_int_equal(machine->inject.protocol, VNRS_RTPROT);
    assert_int_equal(machine->inject.metric, 100);
    assert_int_equal(machine->netns, VNRS_NETNS_OURS);

    const struct vnrs_service *storage = &m->services.items[0];
    assert_true(storage->restricted);
    assert_ptr_equal(storage->allowed.items[0], &hub->subnets.items[2]);
    assert_ptr_equal(hub->subnets.items[2].service_endpoints.items[0], storage);
    assert_true(m->internet.present && m->internet.snat);
    const struct vnrs_test *test = &m->tests.items[0];
    assert_int_equal(test->kind, VNRS_TEST_NEXT_HOP);
    assert_int_equal(test->next_hops.len, 2);
    assert_int_equal(test->type, VNRS_NH_GATEWAY);
    assert_ip(&m->tests.items[2].to, "10.50.0.1");
    vnrs_model_free(m);
    vnrs_model_free(NULL);
}

static void assigns_addresses(void **state)
{
    struct vnrs_model *m = load("name: t\n"
                                "virtualNetworks:\n"
                                "  - name: n\n"
                                "    addressSpace: [10.0.0.0/16, \"2001:db8::/48\"]\n"
                                "    subnets:\n"
                                "      - {name: a, addressPrefix: 10.0.0.0/28}\n"
                                "      - {name: b, addressPrefixes: [10.0.1.0/24, \"2001:db8:0:1::/64\"]}\n"
                                "machines:\n"
                                "  - {name: first, nics: [{subnet: n/a}, {subnet: n/b}]}\n"
                                "  - {name: fixed, nics: [{subnet: n/a, privateIp: 10.0.0.5}]}\n"
                                "  - {name: \"set-{9..11}\", nics: [{subnet: n/a}]}\n"
                                "  - {name: two, nics: [{subnet: n/b, privateIps: [10.0.1.9, 10.0.1.4]}]}\n"
                                "  - {name: last, nics: [{subnet: n/b, enableIPForwarding: true, mtu: 9000}]}\n"
                                "  - {name: on, inject: on, nics: [{subnet: n/b, enableIPForwarding: true}]}\n");
    (void)state;
    assert_ip(&vnrs_model_find_nic(m, "first/eth0")->ips.items[0], "10.0.0.4");
    assert_ip(&vnrs_model_find_nic(m, "first/eth1")->ips.items[0], "10.0.1.5");
    assert_ip(&vnrs_model_find_nic(m, "first/eth1")->ips.items[1], "2001:db8:0:1::4");
    assert_ip(&vnrs_model_find_nic(m, "set-9")->ips.items[0], "10.0.0.6");
    assert_ip(&vnrs_model_find_nic(m, "set-11")->ips.items[0], "10.0.0.8");
    assert_ip(&vnrs_model_find_nic(m, "two")->ips.items[1], "10.0.1.4");
    assert_ip(&vnrs_model_find_nic(m, "last")->ips.items[0], "10.0.1.6");
    assert_false(vnrs_model_find_machine(m, "last")->inject.on);
    assert_true(vnrs_model_find_machine(m, "on")->inject.on);
    assert_int_equal(m->machines.len, 8);
    for (size_t i = 0; i < m->nics.len; i++)
        assert_int_equal(m->nics.items[i]->index, i);
    vnrs_model_free(m);
}

static void reads_defaults_and_namespaces(void **state)
{
    struct vnrs_model *m =
        load("name: t\n"
             "dataplane: none\n"
             "defaults: {inject: {table: 100, protocol: 42}, bgp: {keepalive: 60, hold: 180}}\n"
             "virtualNetworks:\n"
             "  - {name: n, addressSpace: [10.0.0.0/16], subnets: [{name: a, addressPrefix: 10.0.0.0/24}]}\n"
             "  - {name: o, region: west, addressSpace: [10.1.0.0/16]}\n"
             "virtualNetworkPeerings:\n"
             "  - {virtualNetwork: n, remoteVirtualNetwork: o}\n"
             "  - {virtualNetwork: o, remoteVirtualNetwork: n}\n"
             "routeServers:\n"
             "  - {name: rs, virtualNetwork: n, instanceIps: [10.0.0.4]}\n"
             "machines:\n"
             "  - {name: self, nics: [{subnet: n/a, attach: eth7}]}\n"
             "  - {name: named, netns: blue, nics: [{subnet: n/a, attach: eth0}]}\n"
             "  - {name: path, netns: /proc/1/ns/net, nics: [{subnet: n/a, attach: eth0}]}\n"
             "  - {name: pid, pid: 42, inject: off, nics: [{subnet: n/a, attach: eth0}]}\n"
             "  - {name: box, container: web.1, inject: {metric: 5}, nics: [{subnet: n/a, attach: eth0}]}\n");
    (void)state;
    const struct vnrs_route_server *rs = &m->route_servers.items[0];
    assert_ip(&rs->ips[0], "10.0.0.4");
    assert_int_equal(rs->ips[1].family, VNRS_AF_NONE);
    assert_null(rs->subnet);
    assert_int_equal(rs->timers.hold, 180);
    assert_true(m->peerings.items[0].global);
    assert_int_equal(vnrs_model_find_machine(m, "self")->netns, VNRS_NETNS_SELF);
    assert_string_equal(vnrs_model_find_nic(m, "self")->name, "self/eth7");
    assert_string_equal(vnrs_model_find_machine(m, "named")->netns_ref, "/run/netns/blue");
    assert_string_equal(vnrs_model_find_machine(m, "path")->netns_ref, "/proc/1/ns/net");
    assert_int_equal(vnrs_model_find_machine(m, "pid")->pid, 42);
    assert_false(vnrs_model_find_machine(m, "pid")->inject.on);
    const struct vnrs_machine *box = vnrs_model_find_machine(m, "box");
    assert_int_equal(box->netns, VNRS_NETNS_CONTAINER);
    assert_string_equal(box->netns_ref, "web.1");
    assert_int_equal(box->inject.table, 100);
    assert_int_equal(box->inject.protocol, 42);
    assert_int_equal(box->inject.metric, 5);
    vnrs_model_free(m);
}

// Everything that print must carry, in one file.
static const char everything[] =
    "name: all\n"
    "limits: none\n"
    "noneRoutes: platform\n"
    "peeringFlags: tag\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    region: north\n"
    "    addressSpace: [10.0.0.0/16, 172.16.0.0/20]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: nva, addressPrefixes: [10.0.2.0/24, 172.16.0.0/24], routeTable: rt}\n"
    "      - {name: w, addressPrefix: 10.0.3.0/24, serviceEndpoints: [{service: Microsoft.Sql}, {service: S}]}\n"
    "  - {name: spoke, region: south, addressSpace: [10.1.0.0/16], subnets: [{name: d, addressPrefix: 10.1.0.0/24}]}\n"
    "virtualNetworkPeerings:\n"
    "  - {virtualNetwork: hub, remoteVirtualNetwork: spoke, allowVirtualNetworkAccess: false, allowGatewayTransit: "
    "true}\n"
    "  - {virtualNetwork: spoke, remoteVirtualNetwork: hub, useRemoteGateways: true, allowForwardedTraffic: true, "
    "doNotVerifyRemoteGateways: true, remoteAddressSpace: [10.0.0.0/16]}\n"
    "routeTables:\n"
    "  - name: rt\n"
    "    disableBgpRoutePropagation: true\n"
    "    routes:\n"
    "      - {name: a, addressPrefix: 0.0.0.0/0, nextHopType: Internet}\n"
    "      - {name: b, addressPrefix: 10.9.0.0/16, nextHopType: None}\n"
    "      - {name: c, addressPrefix: 10.8.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.3.9}\n"
    "      - {name: d, addressPrefix: Storage.north, nextHopType: VirtualApplianceEcmp, nextHop: "
    "{nextHopIpAddresses: [10.0.3.9, 10.0.3.8]}}\n"
    "  - {name: empty, disablePeeringRoute: All}\n"
    "serviceTags: [{name: Storage.north, addressPrefixes: [20.0.0.0/8, \"2001:db8:7::/48\"]}]\n"
    "loadBalancers:\n"
    "  - {name: lb1, subnet: hub/w, privateIPAddress: 10.0.3.100, backendPool: [n1, n2/eth0], probe: {protocol: Tcp, "
    "port: 179, intervalInSeconds: 7, numberOfProbes: 3}}\n"
    "  - {name: lb2, subnet: hub/w, backendPool: [n1/eth0], probe: {port: 1}}\n"
    "routeServers:\n"
    "  - name: rs\n"
    "    virtualNetwork: hub\n"
    "    allowBranchToBranchTraffic: true\n"
    "    hubRoutingPreference: ASPath\n"
    "    virtualRouterAutoScaleConfiguration: {minCapacity: 5}\n"
    "    routeChangeDelay: 30\n"
    "    instanceIps: [10.0.1.8, 10.0.1.7]\n"
    "    bgp: {keepalive: 0, hold: 0, gracefulRestart: true, restartTime: 99, enhancedRefresh: true, "
    "extendedMessages: true, addPath: true, extendedNextHop: true}\n"
    "    routeMaps:\n"
    "      - name: first\n"
    "        rules:\n"
    "          - {name: all}\n"
    "          - name: much\n"
    "            matchCriteria:\n"
    "              - {matchCondition: NotContains, routePrefix: [10.9.0.0/16, \"fd00::/8\"], asPath: [65001]}\n"
    "              - {matchCondition: NotEquals, community: [\"65001:1\", \"65001:2\"]}\n"
    "            actions:\n"
    "              - {type: Replace, parameters: [{routePrefix: [10.0.0.0/8]}, {asPath: [], community: []}]}\n"
    "              - {type: Remove, parameters: [{asPath: [4200000000]}]}\n"
    "              - {type: Add, parameters: [{community: [\"65001:9\"]}]}\n"
    "            nextStepIfMatched: Terminate\n"
    "          - {name: no, matchCriteria: [{matchCondition: Equals, asPath: [2, 1]}], actions: [{type: Drop}]}\n"
    "      - {name: second}\n"
    "    bgpConnections:\n"
    "      - {name: p1, peerIp: 10.0.2.4, peerAsn: 4200000000, passive: true, delayOpen: 9, minHold: 6, bgp: "
    "{keepalive: 7, hold: "
    "30}, "
    "bfd: {transmitInterval: 50, receiveInterval: 70, detectMultiplier: 5, minimumTtl: 250, strict: true}, "
    "routingConfiguration: {inboundRouteMap: first, outboundRouteMap: second}}\n"
    "      - {name: p2, peerIp: 10.0.2.5, peerAsn: 65002, ttlSecurityHops: 3, password: n0-b0dy, "
    "routingConfiguration: {outboundRouteMap: first}}\n"
    "    bmp:\n"
    "      - {station: 10.0.2.6}\n"
    "      - {station: \"fd00::6\", port: 1, ribs: [adjRibOut, postPolicy], statistics: 0}\n"
    "services:\n"
    "  - {name: Microsoft.Sql, addressPrefixes: [198.18.0.0/20, \"2001:db8:5::/48\"], hosts: [{name: sql, ip: "
    "198.18.0.4}]}\n"
    "  - {name: S, addressPrefixes: [198.18.64.0/20], allowedSubnets: []}\n"
    "internet: {snat: true, hosts: [{name: www, ip: 203.0.113.80}, {name: w6, ip: \"2001:db8:9::1\"}]}\n"
    "machines:\n"
    "  - name: n1\n"
    "    nics: [{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true, mtu: 1400}]\n"
    "    run:\n"
    "      kind: frr\n"
    "      asn: 4200000000\n"
    "      announce:\n"
    "        - 10.50.0.0/16\n"
    "        - {prefix: 10.51.0.0/16, prepend: 2, nextHop: 10.0.2.9, med: 0, communities: [\"65001:1\", \"0:65535\"]}\n"
    "    hosts: [{name: behind, ip: 10.50.0.1}]\n"
    "  - name: n2\n"
    "    nics: [{subnet: hub/nva, privateIp: 10.0.2.5, enableIPForwarding: true}]\n"
    "    run: {kind: bird, asn: 65002, config: my.conf}\n"
    "    hosts: [{name: behind, ip: 10.50.0.1}]\n"
    "    inject: {table: 77, protocol: 99, metric: 0}\n"
    "  - name: n3\n"
    "    nics: [{subnet: hub/w, privateIps: [10.0.3.9, 10.0.3.8], enableIPForwarding: true}, {subnet: hub/w}]\n"
    "    run: {exec: [/bin/sleep, \"two words\", \"\\x01'\\\"\"]}\n"
    "  - {name: \"vm-{1..3}\", nics: [{subnet: spoke/d}]}\n"
    "  - {name: box, container: c1, nics: [{subnet: spoke/d, attach: eth0}]}\n"
    "  - {name: proc, pid: 7, nics: [{subnet: spoke/d, attach: eth0}]}\n"
    "  - {name: ns, netns: blue, inject: off, nics: [{subnet: spoke/d}]}\n"
    "tests:\n"
    "  - {name: \"a: # b\", from: vm-1, ping: behind}\n"
    "  - {name: b, from: vm-2, connect: www, port: 80, expect: fail}\n"
    "  - {name: c, from: vm-3, to: 10.50.0.9, expect: {nextHopType: VirtualNetworkGateway, nextHopIp: [10.0.2.4]}}\n"
    "  - {name: d, from: vm-3, to: w6, expect: {nextHopType: VirtualApplianceEcmp, nextHopIp: 10.0.2.4}}\n"
    "  - {name: e, from: n3, to: n2, expect: {nextHopType: None}}\n";

#define same_bytes(a, b) assert_memory_equal(&(a), &(b), sizeof(a))
#define same_text(a, b)                                                                                                \
    do {                                                                                                               \
        assert_int_equal(!(a), !(b));                                                                                  \
        if (a)                                                                                                         \
            assert_string_equal(a, b);                                                                                 \
    } while (0)
#define same_list(a, b)                                                                                                \
    do {                                                                                                               \
        assert_int_equal((a).len, (b).len);                                                                            \
        if ((a).len)                                                                                                   \
            assert_memory_equal((a).items, (b).items, (a).len * sizeof(*(a).items));                                   \
    } while (0)

static void same_hosts(const struct vnrs_host *a, const struct vnrs_host *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(a[i].name, b[i].name);
        same_bytes(a[i].ip, b[i].ip);
    }
}

static void same_vnets(const struct vnrs_model *a, const struct vnrs_model *b)
{
    assert_int_equal(a->vnets.len, b->vnets.len);
    for (size_t i = 0; i < a->vnets.len; i++) {
        const struct vnrs_vnet *x = &a->vnets.items[i], *y = &b->vnets.items[i];
        assert_string_equal(x->name, y->name);
        same_text(x->region, y->region);
        assert_int_equal(x->id, y->id);
        same_list(x->address_space, y->address_space);
        assert_int_equal(x->subnets.len, y->subnets.len);
        for (size_t j = 0; j < x->subnets.len; j++) {
            const struct vnrs_subnet *s = &x->subnets.items[j], *t = &y->subnets.items[j];
            assert_string_equal(s->name, t->name);
            assert_int_equal(s->id, t->id);
            same_list(s->prefixes, t->prefixes);
            assert_int_equal(s->route_table ? s->route_table->id : 0, t->route_table ? t->route_table->id : 0);
            assert_int_equal(s->service_endpoints.len, t->service_endpoints.len);
            for (size_t k = 0; k < s->service_endpoints.len; k++)
                assert_int_equal(s->service_endpoints.items[k]->id, t->service_endpoints.items[k]->id);
        }
    }
    assert_int_equal(a->peerings.len, b->peerings.len);
    for (size_t i = 0; i < a->peerings.len; i++) {
        const struct vnrs_peering *x = &a->peerings.items[i], *y = &b->peerings.items[i];
        assert_int_equal(x->vnet->id, y->vnet->id);
        assert_int_equal(x->remote->id, y->remote->id);
        assert_int_equal(!x->other, !y->other);
        assert_int_equal(x->allow_access, y->allow_access);
        assert_int_equal(x->allow_forwarded, y->allow_forwarded);
        assert_true(x->lets_access == y->lets_access);
        assert_int_equal(x->lets_forwarded, y->lets_forwarded);
        assert_int_equal(x->allow_gateway_transit, y->allow_gateway_transit);
        assert_int_equal(x->use_remote_gateways, y->use_remote_gateways);
        assert_int_equal(x->global, y->global);
    }
}

static void same_values(const struct vnrs_map_values *a, const struct vnrs_map_values *b)
{
    assert_int_equal(a->has_prefixes, b->has_prefixes);
    assert_int_equal(a->has_communities, b->has_communities);
    assert_int_equal(a->has_asns, b->has_asns);
    same_list(a->prefixes, b->prefixes);
    same_list(a->communities, b->communities);
    same_list(a->asns, b->asns);
}

static void same_rule(const struct vnrs_map_rule *a, const struct vnrs_map_rule *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->terminate, b->terminate);
    assert_int_equal(a->criteria.len, b->criteria.len);
    for (size_t i = 0; i < a->criteria.len; i++) {
        assert_int_equal(a->criteria.items[i].condition, b->criteria.items[i].condition);
        same_values(&a->criteria.items[i].values, &b->criteria.items[i].values);
    }
    assert_int_equal(a->actions.len, b->actions.len);
    for (size_t i = 0; i < a->actions.len; i++) {
        const struct vnrs_map_action *x = &a->actions.items[i], *y = &b->actions.items[i];
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->parameters.len, y->parameters.len);
        for (size_t j = 0; j < x->parameters.len; j++)
            same_values(&x->parameters.items[j], &y->parameters.items[j]);
    }
}

static void same_route_maps(const struct vnrs_route_server *a, const struct vnrs_route_server *b)
{
    assert_int_equal(a->route_maps.len, b->route_maps.len);
    for (size_t i = 0; i < a->route_maps.len; i++) {
        const struct vnrs_route_map *x = &a->route_maps.items[i], *y = &b->route_maps.items[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->id, i + 1);
        assert_int_equal(y->id, i + 1);
        assert_int_equal(x->rules.len, y->rules.len);
        for (size_t j = 0; j < x->rules.len; j++)
            same_rule(&x->rules.items[j], &y->rules.items[j]);
    }
}

static void same_bfd(const struct vnrs_bfd_options *a, const struct vnrs_bfd_options *b)
{
    assert_int_equal(a->on, b->on);
    if (!a->on)
        return;
    assert_int_equal(a->tx_ms, b->tx_ms);
    assert_int_equal(a->rx_ms, b->rx_ms);
    assert_int_equal(a->multiplier, b->multiplier);
    assert_int_equal(a->multihop, b->multihop);
    assert_int_equal(a->ttl_min, b->ttl_min);
    assert_int_equal(a->strict, b->strict);
}

static void same_routing(const struct vnrs_model *a, const struct vnrs_model *b)
{
    assert_int_equal(a->none_routes, b->none_routes);
    assert_int_equal(a->route_tables.len, b->route_tables.len);
    for (size_t i = 0; i < a->route_tables.len; i++) {
        const struct vnrs_route_table *x = &a->route_tables.items[i], *y = &b->route_tables.items[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->disable_bgp_propagation, y->disable_bgp_propagation);
        assert_int_equal(x->disable_peering, y->disable_peering);
        assert_int_equal(x->routes.len, y->routes.len);
        for (size_t j = 0; j < x->routes.len; j++) {
            assert_string_equal(x->routes.items[j].name, y->routes.items[j].name);
            same_bytes(x->routes.items[j].prefix, y->routes.items[j].prefix);
            assert_int_equal(x->routes.items[j].tag != NULL, y->routes.items[j].tag != NULL);
            assert_int_equal(x->routes.items[j].ecmp, y->routes.items[j].ecmp);
            assert_int_equal(x->routes.items[j].next_hops.len, y->routes.items[j].next_hops.len);
            for (size_t k = 0; k < x->routes.items[j].next_hops.len; k++)
                same_bytes(x->routes.items[j].next_hops.items[k], y->routes.items[j].next_hops.items[k]);
            assert_int_equal(x->routes.items[j].type, y->routes.items[j].type);
        }
    }
    assert_int_equal(a->balancers.len, b->balancers.len);
    for (size_t i = 0; i < a->balancers.len; i++) {
        const struct vnrs_balancer *x = &a->balancers.items[i], *y = &b->balancers.items[i];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->subnet->name, y->subnet->name);
        same_bytes(x->frontend, y->frontend);
        assert_int_equal(x->probe_port, y->probe_port);
        assert_int_equal(x->probe_interval_s, y->probe_interval_s);
        assert_int_equal(x->probe_tries, y->probe_tries);
        assert_int_equal(x->backends.len, y->backends.len);
        for (size_t j = 0; j < x->backends.len; j++)
            assert_string_equal(x->backends.items[j]->name, y->backends.items[j]->name);
    }
    assert_int_equal(a->route_servers.len, b->route_servers.len);
    for (size_t i = 0; i < a->route_servers.len; i++) {
        const struct vnrs_route_server *x = &a->route_servers.items[i], *y = &b->route_servers.items[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->vnet->id, y->vnet->id);
        assert_int_equal(x->subnet ? x->subnet->id : 0, y->subnet ? y->subnet->id : 0);
        same_bytes(x->ips, y->ips);
        assert_int_equal(x->allow_branch_to_branch, y->allow_branch_to_branch);
        assert_int_equal(x->preference, y->preference);
        assert_int_equal(x->min_capacity, y->min_capacity);
        assert_int_equal(x->change_delay_s, y->change_delay_s);
        same_bytes(x->timers, y->timers);
        assert_int_equal(x->options.graceful_restart, y->options.graceful_restart);
        assert_int_equal(x->options.restart_s, y->options.restart_s);
        assert_int_equal(x->options.enhanced_refresh, y->options.enhanced_refresh);
        assert_int_equal(x->options.extended_messages, y->options.extended_messages);
        assert_int_equal(x->options.add_path, y->options.add_path);
        assert_int_equal(x->options.extended_next_hop, y->options.extended_next_hop);
        same_route_maps(x, y);
        assert_int_equal(x->connections.len, y->connections.len);
        for (size_t j = 0; j < x->connections.len; j++) {
            const struct vnrs_bgp_connection *c = &x->connections.items[j], *d = &y->connections.items[j];
            assert_string_equal(c->name, d->name);
            same_bytes(c->peer_ip, d->peer_ip);
            assert_int_equal(c->peer_asn, d->peer_asn);
            same_bytes(c->timers, d->timers);
            assert_int_equal(c->passive, d->passive);
            assert_int_equal(c->delay_open, d->delay_open);
            assert_int_equal(c->min_hold, d->min_hold);
            assert_int_equal(c->in_map ? c->in_map->id : 0, d->in_map ? d->in_map->id : 0);
            assert_int_equal(c->out_map ? c->out_map->id : 0, d->out_map ? d->out_map->id : 0);
            assert_int_equal(c->ttl_security_hops, d->ttl_security_hops);
            assert_int_equal(!c->password, !d->password);
            same_bfd(&c->bfd, &d->bfd);
            assert_int_equal(c->nic ? c->nic->index + 1 : 0, d->nic ? d->nic->index + 1 : 0);
        }
    }
}

static void same_run(const struct vnrs_run *a, const struct vnrs_run *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->asn, b->asn);
    same_text(a->config, b->config);
    assert_int_equal(a->argv.len, b->argv.len);
    for (size_t i = 0; i < a->argv.len; i++)
        assert_string_equal(a->argv.items[i], b->argv.items[i]);
    assert_int_equal(a->announce.len, b->announce.len);
    for (size_t i = 0; i < a->announce.len; i++) {
        const struct vnrs_announce *x = &a->announce.items[i], *y = &b->announce.items[i];
        same_bytes(x->prefix, y->prefix);
        same_bytes(x->next_hop, y->next_hop);
        assert_int_equal(x->prepend, y->prepend);
        assert_int_equal(x->has_med, y->has_med);
        assert_int_equal(x->med, y->med);
        same_list(x->communities, y->communities);
    }
}

static void same_machines(const struct vnrs_model *a, const struct vnrs_model *b)
{
    assert_int_equal(a->machines.len, b->machines.len);
    assert_int_equal(a->nics.len, b->nics.len);
    for (size_t i = 0; i < a->machines.len; i++) {
        const struct vnrs_machine *x = &a->machines.items[i], *y = &b->machines.items[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->netns, y->netns);
        same_text(x->netns_ref, y->netns_ref);
        assert_int_equal(x->pid, y->pid);
        assert_int_equal(x->inject.on, y->inject.on);
        if (x->inject.on) {
            assert_int_equal(x->inject.table, y->inject.table);
            assert_int_equal(x->inject.protocol, y->inject.protocol);
            assert_int_equal(x->inject.metric, y->inject.metric);
        }
        same_run(&x->run, &y->run);
        assert_int_equal(x->hosts.len, y->hosts.len);
        same_hosts(x->hosts.items, y->hosts.items, x->hosts.len);
    }
    for (size_t i = 0; i < a->nics.len; i++) {
        const struct vnrs_nic *x = a->nics.items[i], *y = b->nics.items[i];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->ifname, y->ifname);
        assert_int_equal(x->subnet->id, y->subnet->id);
        same_list(x->ips, y->ips);
        assert_int_equal(x->forwarding, y->forwarding);
        assert_int_equal(x->attach, y->attach);
        assert_int_equal(x->mtu, y->mtu);
    }
}

static void same_rest(const struct vnrs_model *a, const struct vnrs_model *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->limits, b->limits);
    assert_int_equal(a->dataplane, b->dataplane);
    assert_int_equal(a->services.len, b->services.len);
    for (size_t i = 0; i < a->services.len; i++) {
        const struct vnrs_service *x = &a->services.items[i], *y = &b->services.items[i];
        assert_string_equal(x->name, y->name);
        same_list(x->prefixes, y->prefixes);
        assert_int_equal(x->hosts.len, y->hosts.len);
        same_hosts(x->hosts.items, y->hosts.items, x->hosts.len);
        assert_int_equal(x->restricted, y->restricted);
        assert_int_equal(x->allowed.len, y->allowed.len);
        for (size_t j = 0; j < x->allowed.len; j++)
            assert_int_equal(x->allowed.items[j]->id, y->allowed.items[j]->id);
    }
    assert_int_equal(a->internet.present, b->internet.present);
    assert_int_equal(a->internet.snat, b->internet.snat);
    assert_int_equal(a->internet.hosts.len, b->internet.hosts.len);
    same_hosts(a->internet.hosts.items, b->internet.hosts.items, a->internet.hosts.len);
    assert_int_equal(a->tests.len, b->tests.len);
    for (size_t i = 0; i < a->tests.len; i++) {
        const struct vnrs_test *x = &a->tests.items[i], *y = &b->tests.items[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->kind, y->kind);
        assert_string_equal(x->from->name, y->from->name);
        same_bytes(x->to, y->to);
        assert_int_equal(x->port, y->port);
        assert_int_equal(x->expect_fail, y->expect_fail);
        assert_int_equal(x->has_type, y->has_type);
        assert_int_equal(x->ecmp, y->ecmp);
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->has_next_hops, y->has_next_hops);
        same_list(x->next_hops, y->next_hops);
    }
}

static void check_round_trip(struct vnrs_model *m)
{
    _free_ char *text = vnrs_model_print(m);
    struct vnrs_model *again = load(text);
    _free_ char *text_again = vnrs_model_print(again);

    same_vnets(m, again);
    same_routing(m, again);
    same_machines(m, again);
    same_rest(m, again);
    assert_string_equal(text, text_again);
    vnrs_model_free(m);
    vnrs_model_free(again);
}

static void printed_text_means_the_same(void **state)
{
    struct vnrs_model *m = load(everything);
    (void)state;
    assert_string_equal(vnrs_model_find_machine(m, "n2")->run.config, "router bgp 65001\n\t\"quoted\" \\ back\n");
    assert_int_equal(vnrs_model_find_machine(m, "n1")->run.announce.items[1].communities.items[0], 65001u << 16 | 1);
    const struct vnrs_route_server *rs = &m->route_servers.items[0];
    const struct vnrs_bgp_connection *p1 = &rs->connections.items[0], *p2 = &rs->connections.items[1];
    assert_true(rs->options.graceful_restart && rs->options.enhanced_refresh && rs->options.extended_messages);
    assert_true(rs->options.add_path && rs->options.extended_next_hop);
    assert_int_equal(p1->delay_open, 9);
    assert_int_equal(p1->min_hold, 6);
    assert_true(p1->passive && p1->timers.keepalive == 7 && p1->timers.hold == 30 && !p1->password);
    assert_true(!p2->passive && p2->timers.hold == 0 && p2->ttl_security_hops == 3);
    assert_string_equal(p2->password, "n0-b0dy");
    assert_true(p1->bfd.on && p1->bfd.tx_ms == 50 && p1->bfd.rx_ms == 70 && p1->bfd.multiplier == 5);
    assert_true(p1->bfd.multihop && p1->bfd.ttl_min == 250 && p1->bfd.strict && !p2->bfd.on);
    assert_ptr_equal(p1->in_map, &rs->route_maps.items[0]);
    assert_ptr_equal(p1->out_map, &rs->route_maps.items[1]);
    assert_true(!p2->in_map && p2->out_map == p1->in_map);
    const struct vnrs_map_rule *much = &rs->route_maps.items[0].rules.items[1];
    assert_true(much->terminate && much->criteria.len == 2 && much->actions.len == 3);
    assert_int_equal(much->criteria.items[0].condition, VNRS_MAP_NOT_CONTAINS);
    assert_int_equal(much->criteria.items[1].values.communities.items[1], 65001u << 16 | 2);
    assert_true(much->actions.items[0].parameters.items[1].has_asns);
    assert_int_equal(much->actions.items[0].parameters.items[1].asns.len, 0);
    assert_int_equal(rs->route_maps.items[0].rules.items[2].criteria.items[0].values.asns.items[0], 2);
    check_round_trip(m);
}

static void passwords_are_not_printed(void **state)
{
    struct vnrs_model *m = load(everything);
    _free_ char *text = vnrs_model_print(m);

    (void)state;
    assert_null(strstr(text, "n0-b0dy"));
    assert_non_null(strstr(text, "password: \"" VNRS_BGP_PASSWORD_HIDDEN "\""));
    vnrs_model_free(m);
}

static void what_others_may_see_holds_nothing_of_other_programs(void **state)
{
    static const char *const source = "name: l\n"
                                      "virtualNetworks:\n"
                                      "  - name: net\n"
                                      "    addressSpace: [10.0.0.0/16]\n"
                                      "    subnets: [{name: default, addressPrefix: 10.0.0.0/24}]\n"
                                      "machines:\n"
                                      "  - name: a\n"
                                      "    nics: [{subnet: net/default, enableIPForwarding: true}]\n"
                                      "    run: {kind: bird, configText: 'password \"k3y-1\";'}\n"
                                      "  - name: b\n"
                                      "    nics: [{subnet: net/default}]\n"
                                      "    run: {kind: exec, exec: [sleep, k3y-2]}\n";
    struct vnrs_model *m = load(source);
    _free_ char *all = vnrs_model_print(m), *text = vnrs_model_print_hidden(m);

    (void)state;
    assert_non_null(strstr(all, "k3y-1"));
    assert_non_null(strstr(all, "k3y-2"));
    assert_null(strstr(text, "k3y-"));
    assert_non_null(strstr(text, "\"sleep\""));
    vnrs_model_free(load(text)); // still a topology file
    vnrs_model_free(m);
}

static void examples_print_to_the_same(void **state)
{
    char pattern[512];
    glob_t files;

    (void)state;
    (void)snprintf(pattern, sizeof(pattern), "%s/packaging/examples/*.vnrs.yml", getenv("VNRS_SOURCE_DIR"));
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= 5);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        _free_ char *text = NULL;
        assert_int_equal(vnrs_file_load(files.gl_pathv[i], TEXT_BYTES_MAX, &text, NULL), 0);
        check_round_trip(load(text));
    }
    globfree(&files);
}

// Examples are what people copy: not even a warning.
static void examples_have_no_warning(void **state)
{
    char pattern[512];
    glob_t files;

    (void)state;
    (void)snprintf(pattern, sizeof(pattern), "%s/packaging/examples/*.vnrs.yml", getenv("VNRS_SOURCE_DIR"));
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        _free_ char *text = NULL;
        size_t len = 0;
        assert_int_equal(vnrs_file_load(files.gl_pathv[i], TEXT_BYTES_MAX, &text, &len), 0);
        struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = files.gl_pathv[i], .source = text};
        vnrs_model_free(vnrs_model_load(diags.file, text, len, NULL, &diags));
        vnrs_diags_print(&diags, stderr, false);
        assert_int_equal(diags.list.len, 0);
        vnrs_diags_fini(&diags);
        vnrs_arena_free(diags.arena);
    }
    globfree(&files);
}

static void limits_can_be_lifted(void **state)
{
    static const char rest[] = "virtualNetworks:\n"
                               "  - name: hub\n"
                               "    addressSpace: [10.0.0.0/16]\n"
                               "    subnets:\n"
                               "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
                               "      - {name: n, addressPrefix: 10.0.2.0/24}\n"
                               "routeServers:\n"
                               "  - name: rs\n"
                               "    virtualNetwork: hub\n"
                               "    bgpConnections:\n";
    char text[4096];
    int used = snprintf(text, sizeof(text), "name: t\nlimits: none\n%s", rest);

    (void)state;
    for (int i = 0; i < 12; i++)
        used += snprintf(text + used, sizeof(text) - (size_t)used,
                         "      - {name: p%d, peerIp: 10.0.2.%d, peerAsn: %d}\n", i, 10 + i, 64496 + i);
    vnrs_model_free(load(text));
    char *none = strstr(text, "limits: none");
    *none = '#'; // a comment: the default is Azure
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "t", .source = text};
    assert_null(vnrs_model_load("t", text, strlen(text), NULL, &diags));
    assert_int_equal(diags.errors, 13); // twelve reserved ASNs, and more than eight peers
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
}

// azure-routing.md 14.11
static void flags_of_peerings_drop_or_only_change_a_tag(void **state)
{
    static const char rest[] = "name: l\nvirtualNetworks:\n  - {name: a, addressSpace: [10.0.0.0/16]}\n"
                               "  - {name: b, addressSpace: [10.1.0.0/16]}\nvirtualNetworkPeerings:\n"
                               "  - {virtualNetwork: a, remoteVirtualNetwork: b, allowVirtualNetworkAccess: false}\n"
                               "  - {virtualNetwork: b, remoteVirtualNetwork: a, allowForwardedTraffic: true}\n";
    char text[1024];

    (void)state;
    for (int tag = 0; tag < 2; tag++) {
        (void)snprintf(text, sizeof(text), "%s%s", tag ? "peeringFlags: tag\n" : "", rest);
        struct vnrs_model *m = load(text);
        const struct vnrs_peering *a = &m->peerings.items[0], *b = &m->peerings.items[1];
        assert_true(!a->allow_access && !a->allow_forwarded && b->allow_access && b->allow_forwarded);
        assert_true(a->lets_access == tag && a->lets_forwarded == tag && b->lets_access && b->lets_forwarded);
        vnrs_model_free(m);
    }
}

static void config_files_need_a_loader(void **state)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "t", .source = everything};

    (void)state;
    assert_null(vnrs_model_load("t", everything, strlen(everything), NULL, &diags));
    assert_int_equal(diags.errors, 1);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_demo),
        cmocka_unit_test(assigns_addresses),
        cmocka_unit_test(reads_defaults_and_namespaces),
        cmocka_unit_test(printed_text_means_the_same),
        cmocka_unit_test(passwords_are_not_printed),
        cmocka_unit_test(what_others_may_see_holds_nothing_of_other_programs),
        cmocka_unit_test(examples_print_to_the_same),
        cmocka_unit_test(examples_have_no_warning),
        cmocka_unit_test(limits_can_be_lifted),
        cmocka_unit_test(flags_of_peerings_drop_or_only_change_a_tag),
        cmocka_unit_test(config_files_need_a_loader),
    };
    return cmocka_run_group_tests_name("model.model", tests, NULL, NULL);
}
