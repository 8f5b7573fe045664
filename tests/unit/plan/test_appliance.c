// SPDX-License-Identifier: GPL-2.0-or-later
// The generated configurations, whole.
#include "plan/appliance.h"

#include "plan/labs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const lab =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: nva, addressPrefix: 10.0.2.0/24}\n"
    "routeServers:\n"
    "  - name: rs\n"
    "    virtualNetwork: hub\n"
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
static const char *const options =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: nva, addressPrefix: 10.0.2.0/24}\n"
    "routeServers:\n"
    "  - name: rs\n"
    "    virtualNetwork: hub\n"
    "    bgp: {gracefulRestart: true, restartTime: 90, enhancedRefresh: true, extendedMessages: true, addPath: true, "
    "extendedNextHop: true}\n"
    "    bgpConnections:\n"
    "      - {name: nva1, peerIp: 10.0.2.4, peerAsn: 65001, password: s3cret, ttlSecurityHops: 1}\n"
    "      - {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002, password: s3cret, ttlSecurityHops: 1, passive: true, "
    "bgp: {keepalive: 10, hold: 30}}\n"
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
    char *text = vnrs_appliance_config(model, vnrs_model_find_machine(model, machine)), *want = NULL, path[512];
    size_t len;

    assert_non_null(text);
    (void)snprintf(path, sizeof(path), "%s/tests/unit/plan/%s", root ? root : ".", golden);
    if (getenv("VNRS_UPDATE_GOLDEN"))
        assert_int_equal(vnrs_file_store(path, text, strlen(text), 0644), 0);
    assert_int_equal(vnrs_file_load(path, 1 << 20, &want, &len), 0);
    assert_string_equal(text, want);
    free(text);
    free(want);
    vnrs_model_free(model);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frr),
        cmocka_unit_test(bird),
    };
    return cmocka_run_group_tests_name("plan.appliance", tests, NULL, NULL);
}
