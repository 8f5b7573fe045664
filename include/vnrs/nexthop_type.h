// SPDX-License-Identifier: GPL-2.0-or-later
// Azure's next hop types, with Azure's spelling, shared by the packet path (accounting), the routing code and the CLI.
// Source: azure-routing.md sections 1, 3.1 and 9.1. Append only: the numbers are in pinned maps.
#pragma once

#define VNRS_NEXTHOP_TYPES(X)                                                                                          \
    X(VNRS_NH_NONE, "None")                                                                                            \
    X(VNRS_NH_VNET_LOCAL, "VnetLocal")                                                                                 \
    X(VNRS_NH_VNET_PEERING, "VNetPeering")                                                                             \
    X(VNRS_NH_VNET_GLOBAL_PEERING, "VNetGlobalPeering")                                                                \
    X(VNRS_NH_GATEWAY, "VirtualNetworkGateway")                                                                        \
    X(VNRS_NH_APPLIANCE, "VirtualAppliance")                                                                           \
    X(VNRS_NH_SERVICE_ENDPOINT, "VirtualNetworkServiceEndpoint")                                                       \
    X(VNRS_NH_INTERNET, "Internet")

// A VNRS_NH_APPLIANCE with several equal next hops, as user routes and Network Watcher call it; effective routes do not
// (azure-routing.md 3.6, 9.3).
#define VNRS_NEXTHOP_APPLIANCE_ECMP "VirtualApplianceEcmp"

enum vnrs_nexthop_type {
#define X(id, text) id,
    VNRS_NEXTHOP_TYPES(X)
#undef X
        _VNRS_NH_MAX
};
