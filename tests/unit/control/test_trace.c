// SPDX-License-Identifier: GPL-2.0-or-later
// The way of a packet, there and back.
#include "control/trace.h"

#include "control/labs.h"

static const char *const world =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: nva, addressPrefix: 10.0.2.0/24}\n"
    "      - {name: GatewaySubnet, addressPrefix: 10.0.3.0/26}\n"
    "      - {name: vm, addressPrefix: 10.0.4.0/24}\n"
    "  - name: spoke\n"
    "    addressSpace: [10.1.0.0/16]\n"
    "    subnets: [{name: s, addressPrefix: 10.1.0.0/24, routeTable: via}]\n"
    "virtualNetworkPeerings:\n"
    "  - {virtualNetwork: hub, remoteVirtualNetwork: spoke, allowGatewayTransit: true}\n"
    "  - {virtualNetwork: spoke, remoteVirtualNetwork: hub, useRemoteGateways: true}\n"
    "routeTables:\n"
    "  - name: via\n"
    "    routes: [{name: r, addressPrefix: 10.0.4.0/24, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.4}]\n"
    "services:\n"
    "  - {name: S, addressPrefixes: [198.18.64.0/20], hosts: [{name: store, ip: 198.18.64.10}]}\n"
    "internet: {hosts: [{name: www, ip: 203.0.113.80}]}\n"
    "routeServers:\n"
    "  - {name: rs, virtualNetwork: hub, bgpConnections: [{name: nva1, peerIp: 10.0.2.4, peerAsn: 65001}]}\n"
    "virtualNetworkGateways:\n"
    "  - {name: vpn, virtualNetwork: hub, gatewayType: Vpn, activeActive: true}\n"
    "  - {name: er, virtualNetwork: hub, gatewayType: ExpressRoute}\n"
    "sites:\n"
    "  - {name: branch, addressPrefixes: [192.168.1.0/24], asn: 65050, hosts: [{name: till, ip: 192.168.1.80}]}\n"
    "  - {name: dc, addressPrefixes: [192.168.4.0/24], asn: 65060}\n"
    "  - {name: depot, addressPrefixes: [192.168.5.0/24]}\n"
    "connections:\n"
    "  - {name: tunnel, gateway: vpn, site: branch, connectionType: IPsec, enableBgp: true}\n"
    "  - {name: circuit, gateway: er, site: dc, connectionType: ExpressRoute}\n"
    "  - {name: static, gateway: vpn, site: depot, connectionType: IPsec}\n"
    "machines:\n"
    "  - {name: vm, nics: [{subnet: hub/vm, privateIp: 10.0.4.4}]}\n"
    "  - {name: far, nics: [{subnet: spoke/s, privateIp: 10.1.0.4}]}\n"
    "  - name: nva1\n"
    "    nics: [{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}]\n"
    "    hosts: [{name: behind, ip: 10.50.0.9}]\n";

static const char *const keys[] = {"rs-0", "gateway.vpn-0", "gateway.vpn-1", "gateway.er-0", "msee.circuit-0"};
enum { RS0, VPN0, VPN1, ER0, MSEE0, N_SPEAKERS };

static void say(struct fake_speaker *speaker, const char *prefix, const char *next_hop)
{
    speaker_route(speaker, prefix, (const char *const[]){next_hop, NULL});
}

// "vm gateway.vpn-0 branch: delivered till".
static void put_way(char *text, size_t size, const json_t *way)
{
    const json_t *hop;
    size_t i, used = strlen(text);

    json_array_foreach(json_object_get(way, "hops"), i, hop)
    {
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
                                 json_string_value(json_object_get(hop, "at")));
    }
    (void)snprintf(text + used, size - used, ": %s %s", json_string_value(json_object_get(way, "result")),
                   json_string_value(json_object_get(way, "to")));
}

static const struct {
    const char *from, *to, *want; // "forward | back", '!' in the end: asymmetric
} rows[] = {
    {"vm", "10.0.2.4", "vm: delivered nva1/eth0 | nva1: delivered vm/eth0"},
    {"vm", "10.0.1.4", "vm: delivered rs-0"},
    {"vm", "10.0.4.99", "vm: dropped "},
    {"vm", "192.168.1.80", "vm gateway.vpn-0 branch: delivered till | branch gateway.vpn-0: delivered vm/eth0"},
    {"vm", "192.168.1.1", "vm gateway.vpn-0 branch: delivered branch | branch gateway.vpn-0: delivered vm/eth0"},
    {"vm", "192.168.5.7", "vm gateway.vpn-0 depot: delivered depot | depot gateway.vpn-0: delivered vm/eth0"},
    {"vm", "192.168.4.9", "vm msee.circuit-0 dc: delivered dc | dc msee.circuit-0: delivered vm/eth0"},
    {"vm", "10.50.0.9", "vm: delivered behind | nva1: delivered vm/eth0"},
    {"vm", "10.50.0.10", "vm nva1: loop nva1"}, // announced, and nobody there
    {"vm", "10.50.0.11", "vm: dropped "},       // BLACKHOLE
    {"vm", "172.29.0.1", "vm: dropped "},       // reserved
    {"vm", "203.0.113.80", "vm: delivered www"},
    {"vm", "203.0.113.81", "vm: dropped "},
    // There by the appliance, back by the peering.
    {"far", "10.0.4.4", "far nva1: delivered vm/eth0 | vm: delivered far/eth0!"},
    {"vm", "10.1.0.4", "vm: delivered far/eth0 | far nva1: delivered vm/eth0!"},
    {"far", "192.168.4.9", "far msee.circuit-0 dc: delivered dc | dc msee.circuit-0: delivered far/eth0"},
};

static void ways(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[N_SPEAKERS];
    char path[128], text[512];

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, world);
    for (unsigned i = 0; i < N_SPEAKERS; i++) {
        speakers[i] = fixture_speaker(f, "l", keys[i]);
        RUN_UNTIL(f, speaker_hear(&speakers[i]));
    }
    for (unsigned i = VPN0; i <= VPN1; i++) {
        say(&speakers[i], "192.168.1.0/24", "192.168.1.1");
        say(&speakers[i], "192.168.1.1/32", i == VPN0 ? "10.0.3.4" : "10.0.3.5");
        say(&speakers[i], "192.168.5.0/24", i == VPN0 ? "10.0.3.4" : "10.0.3.5");
    }
    say(&speakers[ER0], "192.168.4.0/24", "10.0.3.8");
    say(&speakers[MSEE0], "192.168.4.0/24", "172.31.255.1");
    say(&speakers[RS0], "10.50.0.0/16", "10.0.2.4");
    speaker_drop(&speakers[RS0], "10.50.0.11/32");
    for (unsigned i = 0; i < N_SPEAKERS; i++)
        RUN_UNTIL(f, vnrs_instance_find(lab_of(f), keys[i])->outlets[0].db &&
                         vnrs_learned_len(vnrs_instance_find(lab_of(f), keys[i])->outlets[0].db,
                                          vnrs_instance_find(lab_of(f), keys[i])->outlets[0].number) >= 1);
    fixture_settle(f, 50);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)snprintf(path, sizeof(path), "/v1/labs/l/trace?from=%s&to=%s", rows[i].from, rows[i].to);
        struct answer answer = fixture_http(f, "GET", path, NULL);
        assert_int_equal(answer.status, 200);
        text[0] = '\0';
        put_way(text, sizeof(text), json_object_get(answer.json, "forward"));
        if (json_is_object(json_object_get(answer.json, "back"))) {
            (void)strcat(text, " | ");
            put_way(text, sizeof(text), json_object_get(answer.json, "back"));
        }
        if (json_is_true(json_object_get(answer.json, "asymmetric")))
            (void)strcat(text, "!");
        json_decref(answer.json);
        if (strcmp(text, rows[i].want) != 0)
            fail_msg("%s to %s: '%s' instead of '%s'", rows[i].from, rows[i].to, text, rows[i].want);
    }
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/trace?from=vm&to=x", NULL);
    assert_int_equal(answer.status, 400);
    json_decref(answer.json);
    answer = fixture_http(f, "GET", "/v1/labs/l/trace?from=nobody&to=10.0.0.1", NULL);
    assert_int_equal(answer.status, 404);
    json_decref(answer.json);
    for (unsigned i = 0; i < N_SPEAKERS; i++)
        close(speakers[i].fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ways, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("control.trace", tests, NULL, NULL);
}
