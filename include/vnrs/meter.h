// SPDX-License-Identifier: GPL-2.0-or-later
// The billing class of a packet that is forwarded, from what the packet path has in its hands anyway: the two NICs and
// the next hop type of the route. For the program and for user space.
#pragma once

#include "vnrs/billing.h"
#include "vnrs/bpf_abi.h"
#include "vnrs/nexthop_type.h"

// Traffic of these is not a matter of the route alone.
#define VNRS_NIC_METERED (VNRS_NIC_GATEWAY | VNRS_NIC_EDGE | VNRS_NIC_SERVICE | VNRS_NIC_PLATFORM)

// What is added to a class for the peering between the NICs.
static inline __attribute__((always_inline)) __u32 vnrs_meter_peering(const struct vnrs_bpf_nic *from,
                                                                      const struct vnrs_bpf_nic *to)
{
    if (from->vnet == to->vnet)
        return 0;
    return from->region == to->region ? 1 : 2;
}

static inline __attribute__((always_inline)) enum vnrs_nic_kind vnrs_nic_kind_of(__u32 flags)
{
    if (flags & VNRS_NIC_GATEWAY)
        return flags & VNRS_NIC_EXPRESSROUTE ? VNRS_NIC_KIND_EXPRESSROUTE : VNRS_NIC_KIND_VPN;
    if (flags & VNRS_NIC_SERVICE)
        return VNRS_NIC_KIND_SERVICE;
    if (flags & VNRS_NIC_EDGE)
        return VNRS_NIC_KIND_EDGE;
    return flags & VNRS_NIC_PLATFORM ? VNRS_NIC_KIND_PLATFORM : VNRS_NIC_KIND_MACHINE;
}

static inline __attribute__((always_inline)) __u32 vnrs_meter_gateway(const struct vnrs_bpf_nic *nic)
{
    return nic->flags & VNRS_NIC_EXPRESSROUTE ? VNRS_BILL_EXPRESSROUTE : VNRS_BILL_VPN;
}

// `type`: of the route that the sender's packet matched. What gateways say to each other and to a Route Server is no
// traffic of sites.
static inline __attribute__((always_inline)) __u32 vnrs_meter(const struct vnrs_bpf_nic *from,
                                                              const struct vnrs_bpf_nic *to, __u32 type)
{
    __u32 special = (from->flags | to->flags) & VNRS_NIC_METERED;

    if (!special && type <= VNRS_NH_APPLIANCE) // VnetLocal and both kinds of peering are their own classes
        return type < VNRS_NH_GATEWAY ? type : VNRS_BILL_APPLIANCE + vnrs_meter_peering(from, to);
    if (type == VNRS_NH_INTERNET)
        return VNRS_BILL_INTERNET;
    if (type == VNRS_NH_SERVICE_ENDPOINT)
        return VNRS_BILL_SERVICE_ENDPOINT;
    if (type >= VNRS_NH_GATEWAY && to->flags & VNRS_NIC_GATEWAY)
        return vnrs_meter_gateway(to) + vnrs_meter_peering(from, to);
    if (from->flags & VNRS_NIC_GATEWAY && !(to->flags & (VNRS_NIC_GATEWAY | VNRS_NIC_ROUTE_SERVER)))
        return vnrs_meter_gateway(from) + vnrs_meter_peering(from, to);
    if (special & VNRS_NIC_PLATFORM)
        return VNRS_BILL_PLATFORM;
    if (from->flags & VNRS_NIC_SERVICE)
        return VNRS_BILL_SERVICE_ENDPOINT;
    if (from->flags & VNRS_NIC_EDGE)
        return VNRS_BILL_INTERNET;
    return type < VNRS_NH_GATEWAY ? type : VNRS_BILL_APPLIANCE + vnrs_meter_peering(from, to);
}

#ifndef __bpf__
static_assert(_VNRS_NH_MAX <= VNRS_BPF_TYPES_MAX, "a counter for every next hop type");
static_assert((int)VNRS_BILL_VNET_LOCAL == VNRS_NH_VNET_LOCAL && (int)VNRS_BILL_PEERING == VNRS_NH_VNET_PEERING &&
                  (int)VNRS_BILL_GLOBAL_PEERING == VNRS_NH_VNET_GLOBAL_PEERING &&
                  VNRS_NH_GATEWAY == VNRS_NH_VNET_GLOBAL_PEERING + 1 && VNRS_NH_APPLIANCE == VNRS_NH_GATEWAY + 1,
              "next hop types inside virtual networks are their own classes, then come those by next hops");
static_assert(VNRS_BILL_APPLIANCE_GLOBAL_PEERING == VNRS_BILL_APPLIANCE + 2 &&
                  VNRS_BILL_VPN_GLOBAL_PEERING == VNRS_BILL_VPN + 2 &&
                  VNRS_BILL_EXPRESSROUTE_GLOBAL_PEERING == VNRS_BILL_EXPRESSROUTE + 2,
              "what vnrs_meter_peering adds");
#endif
