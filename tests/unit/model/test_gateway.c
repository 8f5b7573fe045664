// SPDX-License-Identifier: GPL-2.0-or-later
// Gateways, sites and connections: what a file means, which machines stand for them, addresses it leaves open, and
// that the printed text means the same.
#include "model/model.h"
#include "util/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char head[] = "name: lab\n"
                           "virtualNetworks:\n"
                           "  - name: hub\n"
                           "    addressSpace: [10.0.0.0/16]\n"
                           "    subnets:\n"
                           "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
                           "      - {name: GatewaySubnet, addressPrefix: 10.0.0.0/27}\n"
                           "      - {name: vms, addressPrefix: 10.0.3.0/24}\n"
                           "  - name: spoke\n"
                           "    addressSpace: [10.1.0.0/16]\n"
                           "    subnets:\n"
                           "      - {name: vms, addressPrefix: 10.1.0.0/24}\n"
                           "virtualNetworkPeerings:\n"
                           "  - {virtualNetwork: hub, remoteVirtualNetwork: spoke, allowGatewayTransit: true}\n"
                           "  - {virtualNetwork: spoke, remoteVirtualNetwork: hub, useRemoteGateways: true}\n"
                           "machines:\n"
                           "  - {name: vm, nics: [{subnet: hub/vms}]}\n"
                           "  - {name: far, nics: [{subnet: spoke/vms}]}\n";

static const char both[] = "virtualNetworkGateways:\n"
                           "  - name: vpngw\n"
                           "    virtualNetwork: hub\n"
                           "    gatewayType: Vpn\n"
                           "    sku: VpnGw2AZ\n"
                           "    activeActive: true\n"
                           "    bgpSettings: {asn: 65515}\n"
                           "  - {name: ergw, virtualNetwork: hub, gatewayType: ExpressRoute}\n"
                           "sites:\n"
                           "  - name: branch\n"
                           "    addressPrefixes: [192.168.10.0/24]\n"
                           "    asn: 65050\n"
                           "    publicIp: 198.51.100.5\n"
                           "    run: {kind: frr, announce: [192.168.11.0/24]}\n"
                           "    hosts: [{name: desk, ip: 192.168.10.80}]\n"
                           "  - name: datacenter\n"
                           "    addressPrefixes: [192.168.20.0/24]\n"
                           "    asn: 65060\n"
                           "    run: {kind: bird}\n"
                           "connections:\n"
                           "  - {name: vpn, gateway: vpngw, site: branch, connectionType: IPsec, enableBgp: true,\n"
                           "     sharedKey: n0t-Told}\n"
                           "  - {name: er, gateway: ergw, site: datacenter, connectionType: ExpressRoute,\n"
                           "     routingWeight: 7, sku: Premium, password: s3cret-Md5, bfd: true}\n"
                           "tests:\n"
                           "  - {name: a, from: branch, ping: vm}\n"
                           "  - {name: b, from: vm, ping: branch}\n"
                           "  - {name: c, from: vm, ping: desk}\n"
                           "  - {name: d, from: gateway.vpngw-1, ping: msee.er-0}\n";

static struct vnrs_model *load(const char *first, const char *second)
{
    char text[8192];

    (void)snprintf(text, sizeof(text), "%s%s", first, second);
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "test.vnrs.yml", .source = text};
    struct vnrs_model *model = vnrs_model_load("test.vnrs.yml", text, strlen(text), NULL, &diags);
    if (!model)
        vnrs_diags_print(&diags, stderr, false);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    assert_non_null(model);
    return model;
}

static void assert_ip(const struct vnrs_addr *ip, const char *want)
{
    char text[VNRS_ADDR_STR_MAX];
    assert_string_equal(vnrs_addr_format(ip, text), want);
}

static void assert_prefix(const struct vnrs_prefix *prefix, const char *want)
{
    char text[VNRS_PREFIX_STR_MAX];
    assert_string_equal(vnrs_prefix_format(prefix, text), want);
}

static void reads_gateways(void **state)
{
    struct vnrs_model *m = load(head, both);
    const struct vnrs_gateway *vpn = &m->gateways.items[0], *er = &m->gateways.items[1];

    (void)state;
    assert_int_equal(m->gateways.len, 2);
    assert_string_equal(vpn->subnet->name, "GatewaySubnet");
    assert_ptr_equal(vpn->vnet, vnrs_model_find_vnet(m, "hub"));
    assert_true(vpn->type == VNRS_GATEWAY_VPN && vpn->active_active && vpn->n_instances == 2 && vpn->asn == 65515);
    assert_string_equal(vpn->sku, "VpnGw2AZ");
    assert_ip(&vpn->instances[0].ip, "10.0.0.4");
    assert_ip(&vpn->instances[1].ip, "10.0.0.5");
    assert_ip(&vpn->instances[0].public_ip, "198.51.100.4");
    assert_ip(&vpn->instances[1].public_ip, "198.51.100.6"); // .5 is the site's
    assert_true(er->type == VNRS_GATEWAY_EXPRESSROUTE && er->n_instances == 2);
    assert_string_equal(er->sku, "Standard");
    assert_ip(&er->instances[1].ip, "10.0.0.7");
    assert_int_equal(er->instances[0].public_ip.family, VNRS_AF_NONE);
    assert_true(vpn->id == 1 && er->id == 2 && vpn->timers.hold == 3);
    vnrs_model_free(m);
}

static void reads_connections(void **state)
{
    struct vnrs_model *m = load(head, both);
    const struct vnrs_connection *vpn = &m->connections.items[0], *er = &m->connections.items[1];
    const struct vnrs_site *branch = &m->sites.items[0], *dc = &m->sites.items[1];

    (void)state;
    assert_ptr_equal(vpn->gateway, &m->gateways.items[0]);
    assert_ptr_equal(vpn->site, branch);
    assert_true(vpn->enable_bgp && vpn->has_own_key && !vpn->gateway_bgp_ips.len);
    assert_string_equal(vpn->shared_key, "n0t-Told");
    assert_ip(&branch->bgp_ip, "192.168.10.1");
    assert_ip(&branch->public_ip, "198.51.100.5");
    assert_int_equal(branch->machine->run.asn, 65050);
    assert_int_equal(branch->machine->hosts.len, 1);
    assert_int_equal(dc->public_ip.family, VNRS_AF_NONE);
    assert_true(er->weight == 7 && er->premium && er->bfd.on && !er->bfd.multihop && !er->shared_key);
    assert_string_equal(er->password, "s3cret-Md5");
    assert_prefix(&er->links[0].prefix, "172.31.255.0/30");
    assert_prefix(&er->links[1].prefix, "172.31.255.4/30");
    assert_ip(&er->links[1].customer_ip, "172.31.255.5");
    assert_ip(&er->links[1].msee_ip, "172.31.255.6");
    assert_ip(&er->links[0].nic->ips.items[0], "10.0.0.8");
    assert_ip(&er->links[1].nic->ips.items[0], "10.0.0.9");
    vnrs_model_free(m);
}

static void machines_stand_for_what_is_not_listed(void **state)
{
    static const struct {
        const char *name;
        enum vnrs_machine_role role;
    } want[] = {{"vm", VNRS_MACHINE_USER},
                {"far", VNRS_MACHINE_USER},
                {"gateway.vpngw-0", VNRS_MACHINE_GATEWAY},
                {"gateway.vpngw-1", VNRS_MACHINE_GATEWAY},
                {"gateway.ergw-0", VNRS_MACHINE_GATEWAY},
                {"gateway.ergw-1", VNRS_MACHINE_GATEWAY},
                {"msee.er-0", VNRS_MACHINE_MSEE},
                {"msee.er-1", VNRS_MACHINE_MSEE},
                {"branch", VNRS_MACHINE_SITE},
                {"datacenter", VNRS_MACHINE_SITE}};
    struct vnrs_model *m = load(head, both);

    (void)state;
    assert_int_equal(m->n_user_machines, 2);
    assert_int_equal(m->machines.len, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        const struct vnrs_machine *machine = &m->machines.items[i];
        assert_string_equal(machine->name, want[i].name);
        assert_int_equal(machine->role, want[i].role);
        assert_int_equal(machine->netns, VNRS_NETNS_OURS);
        assert_int_equal(machine->nics.len, want[i].role != VNRS_MACHINE_SITE);
        assert_int_equal(machine->inject.on, want[i].role == VNRS_MACHINE_USER);
    }
    assert_int_equal(m->nics.len, 8);
    for (unsigned i = 0; i < m->nics.len; i++) {
        assert_int_equal(m->nics.items[i]->index, i);
        assert_int_equal(m->nics.items[i]->forwarding, i >= 2);
    }
    assert_string_equal(vnrs_model_find_nic(m, "gateway.ergw-1")->name, "gateway.ergw-1/eth0");
    vnrs_model_free(m);
}

static void tests_may_name_them(void **state)
{
    struct vnrs_model *m = load(head, both);

    (void)state;
    assert_ptr_equal(m->tests.items[0].from, m->sites.items[0].machine);
    assert_ip(&m->tests.items[1].to, "192.168.10.1");
    assert_ip(&m->tests.items[2].to, "192.168.10.80");
    assert_ptr_equal(m->tests.items[3].from, m->gateways.items[0].instances[1].machine);
    assert_ip(&m->tests.items[3].to, "10.0.0.8");
    vnrs_model_free(m);
}

static void a_gateway_makes_a_hub(void **state)
{
    struct vnrs_model *m = load(head, both);
    const struct vnrs_vnet *hub = vnrs_model_find_vnet(m, "hub"), *spoke = vnrs_model_find_vnet(m, "spoke");

    (void)state;
    assert_ptr_equal(vnrs_model_hub_of(m, hub), hub);
    assert_ptr_equal(vnrs_model_hub_of(m, spoke), hub);
    assert_null(vnrs_model_route_server_of(m, spoke));
    assert_ptr_equal(vnrs_model_gateway_of(m, hub, VNRS_GATEWAY_EXPRESSROUTE), &m->gateways.items[1]);
    assert_null(vnrs_model_gateway_of(m, spoke, VNRS_GATEWAY_VPN));
    vnrs_model_free(m);
}

static void printed_text_means_the_same(void **state)
{
    struct vnrs_model *m = load(head, both);
    _free_ char *text = vnrs_model_print(m);
    struct vnrs_model *again = load(text, "");
    _free_ char *text_again = vnrs_model_print(again);

    (void)state;
    assert_string_equal(text, text_again);
    assert_int_equal(again->machines.len, m->machines.len);
    assert_int_equal(again->n_user_machines, m->n_user_machines);
    for (size_t i = 0; i < m->nics.len; i++)
        assert_memory_equal(again->nics.items[i]->ips.items, m->nics.items[i]->ips.items, sizeof(struct vnrs_addr));
    assert_memory_equal(&again->connections.items[1].links[1].msee_ip, &m->connections.items[1].links[1].msee_ip,
                        sizeof(struct vnrs_addr));
    assert_true(again->connections.items[1].premium && again->connections.items[1].bfd.on);
    assert_null(strstr(text, "n0t-Told"));
    assert_null(strstr(text, "s3cret-Md5"));
    vnrs_model_free(m);
    vnrs_model_free(again);
}

// Everything at once, which is also where the fuzzer begins.
static void everything_prints_to_the_same(void **state)
{
    char path[512];
    _free_ char *source = NULL;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/fuzz_topology/gateways.vnrs.yml",
                   getenv("VNRS_SOURCE_DIR"));
    assert_int_equal(vnrs_file_load(path, 1 << 16, &source, NULL), 0);
    struct vnrs_model *m = load(source, "");
    _free_ char *text = vnrs_model_print(m);
    struct vnrs_model *again = load(text, "");
    _free_ char *text_again = vnrs_model_print(again);
    const struct vnrs_gateway *v = &again->gateways.items[0], *e = &again->gateways.items[1];
    const struct vnrs_connection *b = &again->connections.items[1], *d = &again->connections.items[3];

    assert_string_equal(text, text_again);
    assert_true(v->timers.keepalive == 5 && v->timers.hold == 30 && v->custom_routes.len == 1);
    assert_int_equal(v->instances[0].apipa.len, 2);
    assert_ip(&v->instances[1].public_ip, "198.51.100.21");
    assert_ip(&v->instances[0].ip, "10.0.0.5");        // .4 was given to the other gateway
    assert_int_equal(v->instances[0].nic->ips.len, 1); // gateways have IPv4 addresses only
    assert_ip(&e->instances[0].ip, "10.0.0.20");
    assert_int_equal(b->gateway_bgp_ips.len, 2); // the site's address is link-local, so are the gateway's
    assert_ip(&b->gateway_bgp_ips.items[1], "169.254.21.5");
    assert_ip(&again->sites.items[1].bgp_ip, "169.254.21.2");
    assert_prefix(&d->links[0].prefix, "192.168.240.0/30"); // the site has 172.31.0.0/16
    assert_prefix(&d->links[1].prefix, "172.30.0.4/30");
    assert_true(d->bfd.on && d->bfd.strict && !d->bfd.multihop); // of the lab's default only what fits
    vnrs_model_free(m);
    vnrs_model_free(again);
}

static void a_key_is_made_where_none_is_given(void **state)
{
    static const char vpn[] = "virtualNetworkGateways: [{name: g, virtualNetwork: hub, gatewayType: Vpn}]\n"
                              "sites: [{name: s, addressPrefixes: [192.168.10.0/24]},\n"
                              "        {name: t, addressPrefixes: [192.168.20.0/24]}]\n"
                              "connections: [{name: a, gateway: g, site: s, connectionType: IPsec},\n"
                              "              {name: b, gateway: g, site: t, connectionType: IPsec}]\n";
    struct vnrs_model *m = load(head, vpn);
    _free_ char *text = vnrs_model_print(m);
    struct vnrs_model *again = load(text, "");
    const struct vnrs_connection *a = &m->connections.items[0], *b = &m->connections.items[1];

    (void)state;
    assert_false(a->has_own_key);
    assert_string_not_equal(a->shared_key, b->shared_key);
    assert_string_equal(a->shared_key, again->connections.items[0].shared_key);
    assert_null(strstr(text, a->shared_key));
    assert_int_equal(m->gateways.items[0].n_instances, 1);
    assert_ip(&m->sites.items[1].public_ip, "198.51.100.6");
    vnrs_model_free(m);
    vnrs_model_free(again);
}

static void addresses_in_use_are_left_alone(void **state)
{
    static const char busy[] =
        "virtualNetworkGateways: [{name: v, virtualNetwork: hub, gatewayType: Vpn},\n"
        "  {name: e, virtualNetwork: hub, gatewayType: ExpressRoute, privateIps: [10.0.0.4, "
        "10.0.0.9]}]\n"
        "sites: [{name: s, addressPrefixes: [172.31.0.0/16, 192.168.248.0/24], asn: 65001,\n"
        "         run: {kind: bird, announce: [0.0.0.0/1, 128.0.0.0/1]}}]\n" // ways out, not networks
        "connections: [{name: c, gateway: e, site: s, connectionType: ExpressRoute}]\n"
        "internet: {hosts: [{name: h, ip: 198.51.100.4}]}\n";
    struct vnrs_model *m = load(head, busy);
    const struct vnrs_connection *c = &m->connections.items[0];

    (void)state;
    assert_ip(&m->gateways.items[0].instances[0].public_ip, "198.51.100.5");
    assert_ip(&m->gateways.items[0].instances[0].ip, "10.0.0.5");
    assert_ip(&c->links[1].nic->ips.items[0], "10.0.0.7");
    assert_prefix(&c->links[0].prefix, "192.168.240.0/30");
    vnrs_model_free(m);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_gateways),
        cmocka_unit_test(reads_connections),
        cmocka_unit_test(machines_stand_for_what_is_not_listed),
        cmocka_unit_test(tests_may_name_them),
        cmocka_unit_test(a_gateway_makes_a_hub),
        cmocka_unit_test(printed_text_means_the_same),
        cmocka_unit_test(everything_prints_to_the_same),
        cmocka_unit_test(a_key_is_made_where_none_is_given),
        cmocka_unit_test(addresses_in_use_are_left_alone),
    };
    return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
