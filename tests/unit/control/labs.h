// SPDX-License-Identifier: GPL-2.0-or-later
// Topologies of the controller's tests, all called "l", and what tests do with them.
#pragma once

#include "control/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const hub =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: nva, addressPrefix: 10.0.2.0/24}\n"
    "      - {name: vm, addressPrefix: 10.0.3.0/24}\n"
    "routeServers:\n"
    "  - name: rs\n"
    "    virtualNetwork: hub\n"
    "    bgpConnections:\n"
    "      - {name: nva1, peerIp: 10.0.2.4, peerAsn: 65001}\n"
    "      - {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002}\n"
    "machines:\n"
    "  - {name: vm, nics: [{subnet: hub/vm, privateIp: 10.0.3.4}]}\n"
    "  - {name: nva1, nics: [{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}]}\n"
    "  - {name: nva2, nics: [{subnet: hub/nva, privateIp: 10.0.2.5, enableIPForwarding: true}]}\n";

static const char *const small = "name: l\n"
                                 "virtualNetworks:\n"
                                 "  - name: net\n"
                                 "    addressSpace: [10.0.0.0/16]\n"
                                 "    subnets:\n"
                                 "      - {name: default, addressPrefix: 10.0.0.0/24}\n"
                                 "machines:\n"
                                 "  - {name: a, nics: [{subnet: net/default}]}\n"
                                 "  - {name: b, nics: [{subnet: net/default}]}\n";
static const char *const smaller = "name: l\n"
                                   "virtualNetworks:\n"
                                   "  - name: net\n"
                                   "    addressSpace: [10.0.0.0/16]\n"
                                   "    subnets:\n"
                                   "      - {name: default, addressPrefix: 10.0.0.0/24}\n"
                                   "machines:\n"
                                   "  - {name: a, nics: [{subnet: net/default}]}\n";

static inline struct vnrs_lab *lab_of(struct fixture *f)
{
    return vnrs_control_find_lab(f->control, "l");
}

static inline void apply_and_reach(struct fixture *f, const char *source)
{
    struct answer answer = fixture_apply(f, source);

    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
    RUN_UNTIL(f, vnrs_lab_is_reached(lab_of(f)));
}
