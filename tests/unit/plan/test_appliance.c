// SPDX-License-Identifier: GPL-2.0-or-later
// The generated configurations, whole.
#include "plan/appliance.h"

#include "plan/labs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const lab = LABS_ROUTE_SERVER
    "    bgp: {keepalive: 60, hold: 180}\n"
    "    bgpConnections:\n"
    "      - {name: nva1, peerIp: 10.0.2.4, peerAsn: 65001}\n"
    "      - {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002}\n"
    "machines:\n"
    "  - name: nva1\n"
    "    nics: [{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}]\n"
    "    run: {kind: frr, asn: 65001, announce: [10.50.0.0/16, {prefix: 10.60.0.0/16, prepend: 2, med: 7, nextHop: "
    "10.0.2.9, communities: ['65001:100', '65535:65282']}]}\n"
    "  - name: nva2\n"
    "    nics: [{subnet: hub/nva, privateIp: 10.0.2.5, enableIPForwarding: true}]\n"
    "    run: {kind: bird, asn: 65002, announce: [10.50.0.0/16, {prefix: 10.60.0.0/16, prepend: 2, med: 7, nextHop: "
    "10.0.2.9, communities: ['65001:100', '65535:65282']}]}\n";

// With everything that a session can have beyond Azure's.
static const char *const options = LABS_ROUTE_SERVER
    "    bgp: {gracefulRestart: true, restartTime: 90, enhancedRefresh: true, extendedMessages: true, addPath: true, "
    "extendedNextHop: true}\n"
    "    bgpConnections:\n"
    "      - {name: nva1, peerIp: 10.0.2.4, peerAsn: 65001, password: s3cret, ttlSecurityHops: 1, bfd: true}\n"
    "      - {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002, password: s3cret, ttlSecurityHops: 1, passive: true, "
    "bgp: {keepalive: 10, hold: 30}, bfd: {transmitInterval: 50, receiveInterval: 60, detectMultiplier: 5}}\n"
    "machines:\n"
    "  - name: nva1\n"
    "    nics: [{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}]\n"
    "    run: {kind: frr, asn: 65001, announce: [10.50.0.0/16]}\n"
    "  - name: nva2\n"
    "    nics: [{subnet: hub/nva, privateIp: 10.0.2.5, enableIPForwarding: true}]\n"
    "    run: {kind: bird, asn: 65002, announce: [10.50.0.0/16]}\n";

// Against tests/unit/plan/<golden>; VNRS_UPDATE_GOLDEN writes it.
static void check(const char *source, const char *machine, const char *golden)
{
    const char *root = getenv("VNRS_SOURCE_DIR");
    struct vnrs_model *model = labs_load_text("l", source);
    const struct vnrs_machine *which = vnrs_model_find_machine(model, machine);
    _free_ char *config = vnrs_appliance_config(model, which), *commands = vnrs_appliance_commands(which);
    char *text = NULL, *want = NULL, path[512];
    size_t len;

    assert_true(config && commands && asprintf(&text, "%s%s", config, commands) > 0);
    (void)snprintf(path, sizeof(path), "%s/tests/unit/plan/%s", root ? root : ".", golden);
    if (getenv("VNRS_UPDATE_GOLDEN"))
        assert_int_equal(vnrs_file_store(path, text, strlen(text), 0644), 0);
    assert_int_equal(vnrs_file_load(path, 1 << 20, &want, &len), 0);
    assert_string_equal(text, want);
    free(text);
    free(want);
    vnrs_model_free(model);
}

// The same with the other daemons in place of the first one.
static char *with_kind(const char *source, const char *kind)
{
    static const char was[] = "{kind: frr,";
    const char *at = strstr(source, was);
    char *text = NULL;

    assert_true(asprintf(&text, "%.*s{kind: %s,%s", (int)(at - source), source, kind, at + strlen(was)) > 0);
    return text;
}

static void others(void **state)
{
    static const char *const kinds[] = {"gobgp", "exabgp", "openbgpd"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        _free_ char *plain = with_kind(lab, kinds[i]), *all = with_kind(options, kinds[i]);
        char golden[64];
        (void)snprintf(golden, sizeof(golden), "%s.golden", kinds[i]);
        check(plain, "nva1", golden);
        (void)snprintf(golden, sizeof(golden), "%s-options.golden", kinds[i]);
        check(all, "nva1", golden);
    }
}

static void frr(void **state)
{
    (void)state;
    check(lab, "nva1", "frr.golden");
    check(options, "nva1", "frr-options.golden");
}

static void bird(void **state)
{
    (void)state;
    check(lab, "nva2", "bird.golden");
    check(options, "nva2", "bird-options.golden");
}

static const char *const sites =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets: [{name: GatewaySubnet, addressPrefix: 10.0.1.0/26}]\n"
    "virtualNetworkGateways:\n"
    "  - {name: vpn, virtualNetwork: hub, gatewayType: Vpn, activeActive: true, bgp: {keepalive: 5, hold: 60}}\n"
    "  - {name: er, virtualNetwork: hub, gatewayType: ExpressRoute}\n"
    "sites:\n"
    "  - name: branch\n"
    "    addressPrefixes: [10.60.0.0/16]\n"
    "    asn: 65010\n"
    "    bgpPeeringAddress: 10.60.0.1\n"
    "    run: {kind: KIND, asn: 65010, announce: [10.70.0.0/16, {prefix: 10.71.0.0/16, prepend: 2}]}\n"
    "connections:\n"
    "  - {name: tunnels, gateway: vpn, site: branch, connectionType: IPsec, enableBgp: true}\n"
    "  - {name: circuit, gateway: er, site: branch, connectionType: ExpressRoute, password: s3cret,\n"
    "     bfd: {transmitInterval: 300, receiveInterval: 400, detectMultiplier: 3}}\n";

static void routers_of_sites(void **state)
{
    static const char *const kinds[] = {"frr", "bird"};
    const char *at = strstr(sites, "KIND");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char golden[64];
        _free_ char *text = NULL;
        assert_true(asprintf(&text, "%.*s%s%s", (int)(at - sites), sites, kinds[i], at + strlen("KIND")) > 0);
        (void)snprintf(golden, sizeof(golden), "%s-site.golden", kinds[i]);
        check(text, "branch", golden);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frr),
        cmocka_unit_test(bird),
        cmocka_unit_test(others),
        cmocka_unit_test(routers_of_sites),
    };
    return cmocka_run_group_tests_name("plan.appliance", tests, NULL, NULL);
}
