// SPDX-License-Identifier: GPL-2.0-or-later
// Which NIC answers for a next hop address: next hops are looked up in the virtual network of the sender and in those
// peered with it directly, never further (azure-routing.md 3.1, 4.2). Pure; the index borrows the model.
#pragma once

#include "model/model.h"

struct vnrs_reach;

struct vnrs_reach *vnrs_reach_new(const struct vnrs_model *model) VNRS_MUST_CHECK; // NULL: out of memory
void vnrs_reach_free(struct vnrs_reach *reach);                                    // accepts NULL

// The NIC that has `addr` in `vnet`, else in a peered virtual network that lets `vnet` in, or NULL.
const struct vnrs_nic *vnrs_reach_find(const struct vnrs_reach *reach, const struct vnrs_vnet *vnet,
                                       const struct vnrs_addr *addr);
// The load balancer with that frontend, likewise.
const struct vnrs_balancer *vnrs_reach_balancer(const struct vnrs_reach *reach, const struct vnrs_vnet *vnet,
                                                const struct vnrs_addr *addr);
// The peering is connected (both directions exist) and allowVirtualNetworkAccess is on in this direction: routes to the
// remote ranges exist. With it off vnrs leaves the rows out, so that nothing is sent there (azure-routing.md 14.11;
// allowForwardedTraffic depends on the packet's source and is the data plane's matter).
bool vnrs_peering_is_usable(const struct vnrs_peering *peering);
// And the other network takes what is sent: its half has allowVirtualNetworkAccess too. Without, rows lead nowhere.
bool vnrs_peering_carries(const struct vnrs_peering *peering);
