// SPDX-License-Identifier: GPL-2.0-or-later
// From effective routes to forwarding decisions: what one longest-prefix match per packet has to give so that every
// packet goes where vnrs_domain_match says. Pure layer: NICs and hosts are named, interfaces are found by the planner.
//
// Service endpoints are asked before all other routes (azure-routing.md 2.3), but the packet path matches once. So
// routes at or inside a service-endpoint prefix are left out here, and each host of the service has its own route. So
// have the frontends of load balancers, whose packets go to a backend with their destination as it is, and the platform
// address that backends are probed from.
#pragma once

#include "routing/reach.h"
#include "routing/routing.h"

enum vnrs_fwd_kind {
    VNRS_FWD_DROP,         // next hop type None
    VNRS_FWD_ENDPOINT,     // to whoever has the destination address in `vnet`
    VNRS_FWD_NIC,          // to `nic`, whatever the destination
    VNRS_FWD_INTERNET,     // to the Internet edge
    VNRS_FWD_SERVICE_HOST, // to `service->hosts.items[host]`
    VNRS_FWD_DEAD,         // a next hop that nobody has: dropped, counted apart from DROP
    _VNRS_FWD_MAX
};

#define VNRS_FWD_MEMBERS_MAX 64 // what is beyond gets no flows

struct vnrs_fwd_member {
    const struct vnrs_vnet *vnet;         // ENDPOINT
    const struct vnrs_nic *nic;           // NIC. It may lack enableIPForwarding: its own check drops (10)
    const struct vnrs_balancer *balancer; // NIC: one of its backends, NULL: none's
    const struct vnrs_service *service;   // SERVICE_HOST
    size_t host;                          // SERVICE_HOST
    enum vnrs_fwd_kind kind;
    struct vnrs_addr via; // next hop that the effective route names (NIC, DEAD); else NONE
};

// Routes of one table that lead to the same next hops share `members` (compare pointers).
struct vnrs_fwd_route {
    struct vnrs_prefix prefix;
    enum vnrs_nexthop_type type;
    unsigned n; // 1..VNRS_FWD_MEMBERS_MAX
    const struct vnrs_fwd_member *members;
};

struct vnrs_fwd_table { // by prefix (net/addr.h), no duplicates
    VNRS_LIST(struct vnrs_fwd_route) routes;
};

// The forwarding table of a route domain. Everything in it lives in `arena` or is borrowed from the model. Returns 0 or
// -ENOMEM.
int vnrs_fwd_resolve(const struct vnrs_model *model, const struct vnrs_reach *reach, const struct vnrs_domain *domain,
                     struct vnrs_arena *arena, struct vnrs_fwd_table *ret_table) VNRS_MUST_CHECK;

// Where packets for a next hop address go that a route of `vnet` names: one member, or one for each backend of a load
// balancer. Returns how many were written, at most `room`, which is not 0.
unsigned vnrs_fwd_nexthop(const struct vnrs_reach *reach, const struct vnrs_vnet *vnet, const struct vnrs_addr *addr,
                          struct vnrs_fwd_member *out, unsigned room);

// The table of the prober of a virtual network: its ranges and the platform address lead to its endpoints, and nothing
// else anywhere.
int vnrs_fwd_prober(const struct vnrs_vnet *vnet, struct vnrs_arena *arena,
                    struct vnrs_fwd_table *ret_table) VNRS_MUST_CHECK;

// Tables for the platform's own NICs, which no subnet's routes apply to: every range of every virtual network leads to
// its endpoints (of equal ranges the first in the file wins), every service host to that host, and the rest
//   EDGE     (Internet edge)   nowhere
//   SERVICE  (service hosts)   to the Internet where the lab has one, else nowhere
enum vnrs_fwd_platform { VNRS_FWD_PLATFORM_EDGE, VNRS_FWD_PLATFORM_SERVICE };
int vnrs_fwd_platform(const struct vnrs_model *model, struct vnrs_arena *arena, enum vnrs_fwd_platform which,
                      struct vnrs_fwd_table *ret_table) VNRS_MUST_CHECK;

const char *vnrs_fwd_kind_name(enum vnrs_fwd_kind kind); // "endpoint"
