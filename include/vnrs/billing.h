// SPDX-License-Identifier: GPL-2.0-or-later
// As what Azure meters a packet that the fabric forwards: by where it goes, where it comes from, and which peering it
// crosses (vnrs/meter.h). One list for the packet path, the controller and the CLI. Append only: the numbers index a
// pinned counter map.
//
// Of several that a packet could be, the one that costs is meant: what goes to a gateway is a gateway's whoever sends
// it, what a gateway sends is a gateway's whatever it goes through. A class with a peering is metered as both.
//
// Sources: Azure's price lists of virtual networks, VPN gateways, ExpressRoute and bandwidth, which say what is metered
// and on whose side. Prices are not ours to tell.
#pragma once

// Id; name; what of it Azure bills. "sender and receiver": outbound data of the network that sends, inbound data of the
// one that receives.
#define VNRS_BILLING_CLASSES(X)                                                                                        \
    X(VNRS_BILL_NONE, "None", "free")                                                                                  \
    X(VNRS_BILL_VNET_LOCAL, "VnetLocal", "free")                                                                       \
    X(VNRS_BILL_PEERING, "VNetPeering", "sender and receiver")                                                         \
    X(VNRS_BILL_GLOBAL_PEERING, "VNetGlobalPeering", "sender and receiver, by zone")                                   \
    X(VNRS_BILL_APPLIANCE, "VirtualAppliance", "free")                                                                 \
    X(VNRS_BILL_APPLIANCE_PEERING, "VirtualAppliance+VNetPeering", "sender and receiver")                              \
    X(VNRS_BILL_APPLIANCE_GLOBAL_PEERING, "VirtualAppliance+VNetGlobalPeering", "sender and receiver, by zone")        \
    X(VNRS_BILL_VPN, "VpnGateway", "outbound")                                                                         \
    X(VNRS_BILL_VPN_PEERING, "VpnGateway+VNetPeering", "outbound; network without gateway")                            \
    X(VNRS_BILL_VPN_GLOBAL_PEERING, "VpnGateway+VNetGlobalPeering", "outbound; network without gateway, by zone")      \
    X(VNRS_BILL_EXPRESSROUTE, "ExpressRouteGateway", "outbound, if metered")                                           \
    X(VNRS_BILL_EXPRESSROUTE_PEERING, "ExpressRouteGateway+VNetPeering",                                               \
      "outbound, if metered; network without gateway")                                                                 \
    X(VNRS_BILL_EXPRESSROUTE_GLOBAL_PEERING, "ExpressRouteGateway+VNetGlobalPeering",                                  \
      "outbound, if metered; network without gateway, by zone")                                                        \
    X(VNRS_BILL_SERVICE_ENDPOINT, "VirtualNetworkServiceEndpoint", "free")                                             \
    X(VNRS_BILL_INTERNET, "Internet", "outbound")                                                                      \
    X(VNRS_BILL_PLATFORM, "Platform", "free")

enum vnrs_billing {
#define X(id, name, billed) id,
    VNRS_BILLING_CLASSES(X)
#undef X
        _VNRS_BILL_MAX
};
