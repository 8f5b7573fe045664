// SPDX-License-Identifier: GPL-2.0-or-later
// What a file needs, to the last route.
#include "plan/room.h"

#include "plan/labs.h"
#include "vnrs/bpf_abi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

static const char *const text =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: a\n"
    "    addressSpace: [10.0.0.0/16, 'fd00::/48']\n"
    "    subnets:\n"
    "      - {name: s, addressPrefix: 10.0.0.0/24, serviceEndpoints: [{service: S}]}\n"
    "      - {name: t, addressPrefix: 10.0.1.0/24, serviceEndpoints: [{service: S}]}\n"
    "      - {name: n, addressPrefix: 10.0.2.0/24}\n"
    "  - {name: b, addressSpace: [10.1.0.0/16], subnets: []}\n"
    "virtualNetworkPeerings:\n"
    "  - {virtualNetwork: a, remoteVirtualNetwork: b, allowForwardedTraffic: true}\n"
    "  - {virtualNetwork: b, remoteVirtualNetwork: a}\n"
    "loadBalancers:\n"
    "  - {name: lb, subnet: a/n, privateIPAddress: 10.0.2.9, backendPool: [nva],\n"
    "     probe: {port: 80}}\n"
    "services:\n"
    "  - name: S\n"
    "    addressPrefixes: [20.0.0.0/16]\n"
    "    hosts: [{name: h0, ip: 20.0.0.1}, {name: h1, ip: 20.0.0.2}]\n"
    "    allowedSubnets: [a/s, a/t]\n"
    "machines:\n"
    "  - {name: vm, nics: [{subnet: a/s}]}\n"
    "  - {name: nva, nics: [{subnet: a/n, privateIp: 10.0.2.4, enableIPForwarding: true}]}\n";

static int check(struct vnrs_room room, char error[static 256])
{
    struct vnrs_model *model = labs_load_text("room.vnrs.yml", text);
    struct vnrs_routing *routing = vnrs_routing_compute(model, NULL, 0);
    struct vnrs_reach *reach = vnrs_reach_new(model);

    assert_true(routing && reach);
    int r = vnrs_room_check(&room, model, routing, reach, error);
    vnrs_reach_free(reach);
    vnrs_routing_free(routing);
    vnrs_model_free(model);
    return r;
}

static void access_lists_are_counted(void **state)
{
    char error[256] = "";

    (void)state;
    assert_int_equal(check((struct vnrs_room){.acls = 5}, error), 0); // 2 hosts, 2 subnets; 1 peering
    assert_int_equal(check((struct vnrs_room){.acls = 4}, error), -ENOSPC);
    assert_string_equal(error, "the eBPF data plane has room for 4 entries of access lists (subnets that services let "
                               "in), and this lab needs 5");
}

// The least room that is enough, of the family that needs more.
static size_t needed(char error[static 256])
{
    size_t n = 1;

    while (check((struct vnrs_room){.routes = n}, error) == -ENOSPC)
        n++;
    return n;
}

static void routes_are_counted(void **state)
{
    char error[256] = "";

    (void)state;
    // With service endpoints: default, 10/8 10.0/16 10.1/16 100.64/10 172.16/12 192.168/16, the prefix and its 2 hosts,
    // the frontend, the wire server. Without: 3 less. The edge: 2 networks, 2 hosts, default; service hosts likewise.
    // The prober: its range, the wire server, default.
    assert_int_equal(needed(error), 12 + 9 + 5 + 5 + 3);
    assert_string_equal(error, "the eBPF data plane has room for 33 IPv4 routes, and this lab needs 34");
}

static void only_maps_have_limits(void **state)
{
    const struct vnrs_room ebpf = vnrs_room_of(VNRS_DATAPLANE_EBPF), kernel = vnrs_room_of(VNRS_DATAPLANE_KERNEL);
    char error[256] = "";

    (void)state;
    assert_int_equal(ebpf.routes, VNRS_ROUTES_MAX);
    assert_int_equal(ebpf.acls, VNRS_ACLS_MAX);
    assert_true(ebpf.groups && ebpf.groups < VNRS_GROUPS_MAX);
    assert_int_equal(kernel.routes + kernel.groups + kernel.acls, 0);
    assert_int_equal(check(kernel, error), 0);
    assert_int_equal(check(ebpf, error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_lists_are_counted),
        cmocka_unit_test(routes_are_counted),
        cmocka_unit_test(only_maps_have_limits),
    };
    return cmocka_run_group_tests_name("plan.room", tests, NULL, NULL);
}
