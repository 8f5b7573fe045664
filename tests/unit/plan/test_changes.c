// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/changes.h"

#include "plan/labs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const before = LABS_NETWORK "machines:\n"
                                               "  - {name: a, nics: [{subnet: net/default, privateIp: 10.0.0.4}]}\n"
                                               "  - {name: b, nics: [{subnet: net/default, privateIp: 10.0.0.5}]}\n";
static const char *const after = LABS_NETWORK "machines:\n"
                                              "  - {name: a, nics: [{subnet: net/default, privateIp: 10.0.0.7}]}\n"
                                              "  - {name: c, nics: [{subnet: net/default, privateIp: 10.0.0.6}]}\n";

static const struct vnrs_change *find(const struct vnrs_changes *changes, char op, const char *type, const char *name)
{
    vec_foreach (change, &changes->list) {
        if (change->op == op && strcmp(change->type, type) == 0 && strcmp(change->name, name) == 0)
            return change;
    }
    return NULL;
}

static void same_file_no_changes(void **state)
{
    struct vnrs_model *a = labs_load_example("hub-spoke"), *b = labs_load_example("hub-spoke");
    struct vnrs_changes changes;

    (void)state;
    assert_int_equal(vnrs_changes_make(a, b, &changes), 0);
    assert_int_equal(changes.list.len, 0);
    vnrs_changes_fini(&changes);
    vnrs_model_free(a);
    vnrs_model_free(b);
}

static void everything_is_new_at_first(void **state)
{
    struct vnrs_model *model = labs_load_example("hub-spoke");
    struct vnrs_changes changes;

    (void)state;
    assert_int_equal(vnrs_changes_make(NULL, model, &changes), 0);
    vec_foreach (change, &changes.list)
        assert_int_equal(change->op, '+');
    assert_non_null(find(&changes, '+', "machine", "nva1"));
    assert_non_null(find(&changes, '+', "nic", "vm-spoke/eth0"));
    assert_non_null(find(&changes, '+', "route server", "rs"));
    assert_non_null(find(&changes, '+', "BGP connection", "rs/nva2"));
    assert_non_null(find(&changes, '+', "route", "rt-workload/drop-test"));
    vnrs_changes_fini(&changes);
    assert_int_equal(vnrs_changes_make(model, NULL, &changes), 0);
    assert_non_null(find(&changes, '-', "machine", "nva1"));
    vnrs_changes_fini(&changes);
    vnrs_model_free(model);
}

static void changes_are_named_with_both_sides(void **state)
{
    struct vnrs_model *a = labs_load_text("l", before), *b = labs_load_text("l", after);
    struct vnrs_changes changes;

    (void)state;
    assert_int_equal(vnrs_changes_make(a, b, &changes), 0);
    assert_int_equal(changes.list.len, 5);
    assert_non_null(find(&changes, '-', "machine", "b"));
    assert_non_null(find(&changes, '-', "nic", "b/eth0"));
    assert_non_null(find(&changes, '+', "machine", "c"));
    const struct vnrs_change *nic = find(&changes, '~', "nic", "a/eth0");
    assert_non_null(nic);
    assert_non_null(strstr(nic->detail, "10.0.0.4"));
    assert_non_null(strstr(nic->detail, "10.0.0.7"));
    assert_non_null(strstr(nic->detail, "blink"));
    vnrs_changes_fini(&changes);
    vnrs_model_free(a);
    vnrs_model_free(b);
}

static const char *const protected = LABS_ROUTE_SERVER
    "    bgp: {gracefulRestart: true}\n"
    "    bgpConnections: [{name: nva, peerIp: 10.0.2.4, peerAsn: 65001, password: first}]\n"
    "machines:\n"
    "  - {name: nva, nics: [{subnet: hub/nva, privateIp: 10.0.2.4}], run: {kind: bird, asn: 65001}}\n";

// That one changes is told, what it is is not.
static void passwords_are_compared_and_not_shown(void **state)
{
    _free_ char *other = strdup(protected);
    memcpy(strstr(other, "first"), "other", 5);
    struct vnrs_model *a = labs_load_text("l", protected), *b = labs_load_text("l", other);
    struct vnrs_changes changes;

    (void)state;
    assert_int_equal(vnrs_changes_make(a, b, &changes), 0);
    assert_int_equal(changes.list.len, 2);
    assert_non_null(find(&changes, '~', "BGP connection", "rs/nva"));
    assert_non_null(find(&changes, '~', "daemon", "nva"));
    for (int i = 0; i < 2; i++) {
        vec_foreach (change, &changes.list)
            assert_true(!strstr(change->detail, "first") && !strstr(change->detail, "other"));
        if (i == 0)
            vnrs_changes_fini(&changes);
        if (i == 0)
            assert_int_equal(vnrs_changes_make(NULL, a, &changes), 0);
    }
    assert_non_null(strstr(find(&changes, '+', "BGP connection", "rs/nva")->detail, ", password ********"));
    assert_non_null(strstr(find(&changes, '+', "route server", "rs")->detail, ", graceful restart 120 s"));
    vnrs_changes_fini(&changes);
    vnrs_model_free(a);
    vnrs_model_free(b);
}

static const char with_maps[] = LABS_ROUTE_SERVER
    "    routeMaps: [{name: m, rules: [{name: r, actions: [{type: Add, parameters: [{asPath: [65001]}]}]}]}]\n"
    "    bgpConnections:\n"
    "      - {name: nva, peerIp: 10.0.2.4, peerAsn: 65001, routingConfiguration: {inboundRouteMap: m}}\n"
    "machines:\n"
    "  - {name: nva, nics: [{subnet: hub/nva, privateIp: 10.0.2.4}], run: {kind: bird, asn: 65001}}\n";

static void route_maps_disturb_nothing(void **state)
{
    _free_ char *other = strdup(with_maps);
    memcpy(strstr(other, "65001]}]}]}]"), "65002", 5);
    struct vnrs_model *a = labs_load_text("l", with_maps), *b = labs_load_text("l", other);
    struct vnrs_changes changes;

    (void)state;
    assert_int_equal(vnrs_changes_make(NULL, a, &changes), 0);
    assert_string_equal(find(&changes, '+', "route map", "rs/m")->detail, "r → Add asPath 65001");
    assert_string_equal(find(&changes, '+', "routing configuration", "rs/nva")->detail, "inbound m");
    vnrs_changes_fini(&changes);
    assert_int_equal(vnrs_changes_make(a, b, &changes), 0);
    assert_int_equal(changes.list.len, 1); // the session goes on
    assert_string_equal(find(&changes, '~', "route map", "rs/m")->detail,
                        "r → Add asPath 65001 → r → Add asPath 65002");
    vnrs_changes_fini(&changes);
    vnrs_model_free(a);
    vnrs_model_free(b);
}

static void a_script_is_one_line_and_compared_whole(void **state)
{
    static const char run[] = "    run: {exec: [sh, -c, \"first\\nsecond\"]}\n";
    _free_ char *script = NULL, *other = NULL;
    struct vnrs_changes changes;

    (void)state;
    assert_true(asprintf(&script, "%.*s  - name: s\n    nics: [{subnet: net/default, privateIp: 10.0.0.9}]\n%s",
                         (int)strlen(before), before, run) > 0);
    other = strdup(script);
    memcpy(strstr(other, "second"), "anders", 6);
    struct vnrs_model *a = labs_load_text("l", script), *b = labs_load_text("l", other);
    assert_int_equal(vnrs_changes_make(NULL, a, &changes), 0);
    assert_string_equal(find(&changes, '+', "daemon", "s")->detail, "command sh -c first …");
    vnrs_changes_fini(&changes);
    assert_int_equal(vnrs_changes_make(a, b, &changes), 0);
    assert_int_equal(changes.list.len, 1);
    assert_non_null(find(&changes, '~', "daemon", "s"));
    vnrs_changes_fini(&changes);
    vnrs_model_free(a);
    vnrs_model_free(b);
}

#define GATEWAYS(er_weight, vpn_key, site_asn)                                                                         \
    "name: l\n"                                                                                                        \
    "virtualNetworks:\n"                                                                                               \
    "  - name: net\n"                                                                                                  \
    "    addressSpace: [10.0.0.0/16]\n"                                                                                \
    "    subnets: [{name: GatewaySubnet, addressPrefix: 10.0.0.0/27}]\n"                                               \
    "virtualNetworkGateways:\n"                                                                                        \
    "  - {name: v, virtualNetwork: net, gatewayType: Vpn}\n"                                                           \
    "  - {name: e, virtualNetwork: net, gatewayType: ExpressRoute}\n"                                                  \
    "sites:\n"                                                                                                         \
    "  - name: s\n"                                                                                                    \
    "    addressPrefixes: [192.168.10.0/24]\n"                                                                         \
    "    asn: " site_asn "\n"                                                                                          \
    "    run: {kind: bird}\n"                                                                                          \
    "    hosts: [{name: desk, ip: 192.168.10.9}]\n"                                                                    \
    "connections:\n"                                                                                                   \
    "  - {name: a, gateway: v, site: s, connectionType: IPsec, sharedKey: " vpn_key "}\n"                              \
    "  - {name: b, gateway: e, site: s, connectionType: ExpressRoute, routingWeight: " er_weight "}\n"

static void gateways_are_told_of_and_their_machines_are_not(void **state)
{
    struct vnrs_model *a = labs_load_text("l", GATEWAYS("0", "k-one", "65001")),
                      *b = labs_load_text("l", GATEWAYS("9", "k-two", "65002"));
    struct vnrs_changes made, changes;

    (void)state;
    assert_int_equal(vnrs_changes_make(NULL, a, &made), 0);
    const struct vnrs_change *gateway = find(&made, '+', "gateway", "v"), *site = find(&made, '+', "site", "s");
    assert_non_null(gateway);
    assert_string_equal(gateway->detail, "VPN VpnGw1 in net, AS 65515, timers 1/3, 10.0.0.4 (198.51.100.4)");
    assert_non_null(site);
    assert_string_equal(site->detail, "192.168.10.0/24, router 192.168.10.1 AS 65001, public 198.51.100.5");
    assert_non_null(find(&made, '+', "connection", "a"));
    assert_non_null(find(&made, '+', "daemon", "s"));
    assert_non_null(find(&made, '+', "host", "s/desk"));
    vec_foreach (change, &made.list) {
        assert_string_not_equal(change->type, "machine");
        assert_string_not_equal(change->type, "nic");
        assert_true(!change->detail || !strstr(change->detail, "k-one"));
    }

    assert_int_equal(vnrs_changes_make(a, b, &changes), 0);
    const struct vnrs_change *vpn = find(&changes, '~', "connection", "a"),
                             *er = find(&changes, '~', "connection", "b");
    assert_non_null(vpn);
    assert_non_null(strstr(vpn->detail, "configuration differs; its tunnels restart"));
    assert_null(strstr(vpn->detail, "k-two"));
    assert_non_null(er);
    assert_non_null(strstr(er->detail, "weight 9; its sessions restart"));
    assert_non_null(find(&changes, '~', "site", "s"));
    assert_null(find(&changes, '~', "gateway", "v"));
    vnrs_changes_fini(&made);
    vnrs_changes_fini(&changes);
    vnrs_model_free(a);
    vnrs_model_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_file_no_changes),
        cmocka_unit_test(everything_is_new_at_first),
        cmocka_unit_test(changes_are_named_with_both_sides),
        cmocka_unit_test(passwords_are_compared_and_not_shown),
        cmocka_unit_test(route_maps_disturb_nothing),
        cmocka_unit_test(a_script_is_one_line_and_compared_whole),
        cmocka_unit_test(gateways_are_told_of_and_their_machines_are_not),
    };
    return cmocka_run_group_tests_name("plan.changes", tests, NULL, NULL);
}
