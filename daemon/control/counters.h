// SPDX-License-Identifier: GPL-2.0-or-later
// What the data plane of a lab counted (VNRS_AG_COUNTER), put together: per NIC and billing class, per next hop type,
// per drop reason; and what Azure would bill of it. Pure.
//
// No prices: they differ by region and contract, and change. What is billed, and on whose side, does not.
#pragma once

#include "control/fib.h"
#include "vnrs/agent_proto.h"
#include "vnrs/billing.h"
#include "vnrs/drop_reason.h"

#include <jansson.h>

struct vnrs_lab;

struct vnrs_count {
    uint64_t packets, bytes; // IP bytes
};

struct vnrs_counters { // large: for the heap, where what is not used costs nothing
    struct vnrs_counters_nic {
        bool present; // something was counted
        struct vnrs_count from[_VNRS_BILL_MAX], to[_VNRS_BILL_MAX];
    } nics[VNRS_NICS_MAX]; // by ifindex; below VNRS_IFINDEX_FIRST: that are gone, by enum vnrs_nic_kind
    struct vnrs_count types[_VNRS_NH_MAX], drops[_VNRS_DROP_MAX];
};

const char *vnrs_billing_name(enum vnrs_billing billing); // "VpnGateway+VNetPeering"
const char *vnrs_billing_text(enum vnrs_billing billing); // what of it Azure bills: "sender and receiver"
// Between virtual networks and something outside them (gateways, Internet, services, the platform): each packet is
// outbound or inbound. Else it is neither: one NIC's outbound data is another one's inbound data.
bool vnrs_billing_is_outside(enum vnrs_billing billing);

// What there is no room for is left out.
void vnrs_counters_add(struct vnrs_counters *counters, const struct vnrs_ag_counter *list, size_t n);

struct vnrs_billed {
    struct vnrs_count all, outbound; // outbound: what outside things were given
};

// By enum vnrs_billing. `fib` tells what NICs are.
void vnrs_counters_bill(const struct vnrs_counters *counters, const struct vnrs_fib_state *fib,
                        struct vnrs_billed ret_billed[static _VNRS_BILL_MAX]);

// The answer of /v1/labs/NAME/counters. `lab` NULL: it is gone.
json_t *vnrs_counters_json(const struct vnrs_counters *counters, const struct vnrs_lab *lab);
