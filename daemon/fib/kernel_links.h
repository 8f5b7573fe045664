// SPDX-License-Identifier: GPL-2.0-or-later
// Neighbours and rules of a fabric that the kernel forwards. Each call reads back what is there, writes the difference
// and removes what is ours and not wanted.
#pragma once

#include "fib/kernel_fabric.h"
#include "fib/nlroute.h"

#define VNRS_KERNEL_TABLE_DOMAIN  10000u // + domain
#define VNRS_KERNEL_RULE_PRIORITY 20000u

// The gateway that all next hops in the fabric name: a permanent neighbour on every fabric end, with the MAC of the
// machine's end. One address for both families (IPv4 routes take IPv6 gateways).
extern const struct vnrs_addr vnrs_kernel_gateway; // fe80::1

struct vnrs_klinks_error {
    int first;
    char text[256];
};

int vnrs_klinks_neighbours(struct vnrs_nl *nl, const struct vnrs_fabric *fabric,
                           struct vnrs_klinks_error *error) VNRS_MUST_CHECK;
int vnrs_klinks_rules(struct vnrs_nl *nl, const struct vnrs_fabric *fabric,
                      struct vnrs_klinks_error *error) VNRS_MUST_CHECK;
