// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/schema.h"

#include "model/model.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define NAME     VNRS_T_NAME
#define TEXT     VNRS_T_TEXT
#define BOOL     VNRS_T_BOOL
#define INT      VNRS_T_INT
#define ENUM     VNRS_T_ENUM
#define ADDR     VNRS_T_ADDR
#define PREFIX   VNRS_T_PREFIX
#define OBJECT   VNRS_T_OBJECT
#define LIST     VNRS_T_LIST
#define LIST_ONE (VNRS_T_LIST | VNRS_T_ONE)

#define VALUES(...)                                                                                                    \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }
#define SCHEMA(id, noun_text, help_text)                                                                               \
    static const struct vnrs_schema id = {                                                                             \
        .noun = (noun_text), .help = (help_text), .keys = id##_keys, .n_keys = ARRAY_SIZE(id##_keys)}

#define NEXT_HOP_TYPES_OF_ROUTES                                                                                       \
    "VirtualAppliance", VNRS_NEXTHOP_APPLIANCE_ECMP, "VirtualNetworkGateway", "VnetLocal", "Internet", "None"

static const struct vnrs_schema_key endpoint_keys[] = {
    {.key = "service",
     .types = VNRS_T_SERVICE,
     .required = true,
     .help = "Service of this file, e.g. Microsoft.Storage"},
};
SCHEMA(endpoint, "service endpoint", "A service endpoint enabled in a subnet");

static const struct vnrs_schema_key subnet_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name; RouteServerSubnet and GatewaySubnet are special"},
    {.key = "addressPrefix", .types = PREFIX, .help = "Range of the subnet, inside the address space"},
    {.key = "addressPrefixes",
     .types = LIST | PREFIX,
     .max = 500,
     .min = 1,
     .help = "Several ranges, e.g. IPv4 and IPv6"},
    {.key = "routeTable", .types = NAME, .help = "Route table associated with the subnet"},
    {.key = "serviceEndpoints",
     .types = LIST | OBJECT,
     .max = 200,
     .object = &endpoint,
     .help = "Service endpoints of the subnet"},
};
SCHEMA(subnet, "subnet", "A subnet of a virtual network");

static const struct vnrs_schema_key vnet_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the virtual network"},
    {.key = "region", .types = NAME, .help = "Azure region; peering between two regions is global peering"},
    {.key = "addressSpace", .types = LIST | PREFIX, .max = 500, .required = true, .min = 1, .help = "Address ranges"},
    {.key = "subnets", .types = LIST | OBJECT, .max = 3000, .object = &subnet, .help = "Subnets"},
};
SCHEMA(vnet, "virtual network", "A virtual network");

static const struct vnrs_schema_key peering_keys[] = {
    {.key = "virtualNetwork", .types = NAME, .required = true, .help = "The network that this half belongs to"},
    {.key = "remoteVirtualNetwork", .types = NAME, .required = true, .help = "The network on the other side"},
    {.key = "allowVirtualNetworkAccess", .types = BOOL, .def = "true", .help = "Let the peer's own addresses in"},
    {.key = "allowForwardedTraffic",
     .types = BOOL,
     .def = "false",
     .help = "Let traffic in that the peer only forwards, e.g. from an NVA there"},
    {.key = "allowGatewayTransit", .types = BOOL, .def = "false", .help = "Lend the own gateway or Route Server"},
    {.key = "useRemoteGateways",
     .types = BOOL,
     .def = "false",
     .help = "Use the peer's gateway or Route Server; the peer needs allowGatewayTransit"},
    {.key = "doNotVerifyRemoteGateways",
     .types = BOOL,
     .def = "false",
     .help = "useRemoteGateways without a gateway or Route Server on the other side is no error"},
    {.key = "remoteAddressSpace",
     .types = LIST | PREFIX,
     .min = 1,
     .max = 500,
     .help = "Ranges of the other network as of the last sync, which are in force on this side; its present ones where "
             "absent (in sync)"},
    {.key = "peeringState",
     .types = ENUM,
     .values = VALUES("Disconnected"),
     .help = "Disconnected: the other half was deleted; both halves must be made anew. Initiated and Connected follow "
             "from the file"},
    {.key = "peerCompleteVnets", .types = BOOL, .def = "true", .help = "Subnet peering (false) is not built"},
    {.key = "localSubnetNames", .types = LIST | NAME, .help = "Subnet peering is not built"},
    {.key = "remoteSubnetNames", .types = LIST | NAME, .help = "Subnet peering is not built"},
    {.key = "enableOnlyIPv6Peering", .types = BOOL, .def = "false", .help = "Peering of IPv6 alone is not built"},
};
SCHEMA(peering, "virtual network peering", "One direction of a peering; both are needed, as in Azure");

static const struct vnrs_schema_key next_hop_keys[] = {
    {.key = "nextHopIpAddresses",
     .types = LIST | ADDR,
     .required = true,
     .min = 2,
     .max = VNRS_UDR_HOPS_MAX,
     .help = "Addresses of NICs with IP forwarding; flows are spread over them"},
};
SCHEMA(next_hop, "next hop", "Next hops of a VirtualApplianceEcmp route");

static const struct vnrs_schema_key route_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the route"},
    {.key = "addressPrefix",
     .types = PREFIX | VNRS_T_TAG,
     .required = true,
     .help = "Destination: a prefix, or a service tag of this file"},
    {.key = "nextHopType",
     .types = ENUM,
     .required = true,
     .values = VALUES(NEXT_HOP_TYPES_OF_ROUTES),
     .help = "Where matching packets go; None drops them"},
    {.key = "nextHopIpAddress", .types = ADDR, .help = "VirtualAppliance: address of a NIC with IP forwarding"},
    {.key = "nextHop", .types = OBJECT, .object = &next_hop, .help = "VirtualApplianceEcmp: the next hops"},
};
SCHEMA(route, "route", "A user-defined route");

static const struct vnrs_schema_key service_tag_keys[] = {
    {.key = "name", .types = VNRS_T_TAG, .required = true, .help = "E.g. Storage, Storage.westeurope, AzureCloud"},
    {.key = "addressPrefixes",
     .types = LIST | PREFIX,
     .max = 10000,
     .required = true,
     .min = 1,
     .help = "Prefixes that the tag stands for"},
};
SCHEMA(service_tag, "service tag", "A name for prefixes that routes may have as destination");

static const struct vnrs_schema_key route_table_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the route table"},
    {.key = "disableBgpRoutePropagation",
     .types = BOOL,
     .def = "false",
     .help = "Keep routes of gateways and Route Servers out of the subnets of this table"},
    {.key = "disablePeeringRoute",
     .types = ENUM,
     .values = VALUES("None", "All"),
     .def = "None",
     .help = "All: keep routes to peered networks out of the subnets of this table"},
    {.key = "routes", .types = LIST | OBJECT, .max = 10000, .object = &route, .help = "User-defined routes"},
};
SCHEMA(route_table, "route table", "A route table");

static const struct vnrs_schema_key probe_keys[] = {
    {.key = "protocol", .types = ENUM, .values = VALUES("Tcp"), .def = "Tcp", .help = "A TCP connection is made"},
    {.key = "port", .types = INT, .required = true, .min = 1, .max = 65535, .help = "Port of the backends"},
    {.key = "intervalInSeconds", .types = INT, .min = 1, .max = 3600, .def = "5", .help = "From probe to probe"},
    {.key = "numberOfProbes",
     .types = INT,
     .min = 1,
     .max = 100,
     .def = "2",
     .help = "So many failures in a row take a backend out; one success takes it in again"},
};
SCHEMA(probe, "health probe", "Health probe of a load balancer, from 168.63.129.16");

static const struct vnrs_schema_key balancer_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the load balancer"},
    {.key = "subnet", .types = VNRS_T_SUBNET, .required = true, .help = "Subnet of the frontend"},
    {.key = "privateIPAddress", .types = ADDR, .help = "Frontend; the next free address of the subnet where absent"},
    {.key = "backendPool",
     .types = LIST | TEXT,
     .required = true,
     .min = 1,
     .max = VNRS_BALANCER_BACKENDS_MAX,
     .help = "NICs, as MACHINE or MACHINE/eth0, with enableIPForwarding"},
    {.key = "probe", .types = OBJECT, .required = true, .object = &probe, .help = "Health probe"},
};
SCHEMA(balancer, "load balancer", "An internal load balancer with an HA ports rule, for use as next hop");

static const struct vnrs_schema_key timers_keys[] = {
    {.key = "keepalive", .types = INT, .max = 21845, .help = "Seconds; a third of hold where absent"},
    {.key = "hold", .types = INT, .max = 65535, .def = "3", .help = "Seconds; 0 (never) or at least 3"},
};
SCHEMA(timers, "BGP timers", "BGP timers; keepalive 60 and hold 180 are Azure's");

#define MAP_VALUE_KEYS                                                                                                 \
    {.key = "routePrefix", .types = LIST | PREFIX, .max = VNRS_MAP_PREFIXES_MAX, .help = "Prefixes"},                  \
        {.key = "community",                                                                                           \
         .types = LIST | TEXT,                                                                                         \
         .max = VNRS_MAP_COMMUNITIES_MAX,                                                                              \
         .help = "Communities, e.g. \"65001:100\""},                                                                   \
    {                                                                                                                  \
        .key = "asPath", .types = LIST | INT, .min = 1, .max = UINT32_MAX, .help = "ASNs, the nearest first"           \
    }

static const struct vnrs_schema_key map_criterion_keys[] = {
    {.key = "matchCondition",
     .types = ENUM,
     .required = true,
     .values = VALUES("Equals", "Contains", "NotEquals", "NotContains"),
     .help = "Prefixes: Contains takes in what is inside them. Communities: Equals is all of them, Contains any. AS "
             "path: Equals is the whole path, Contains any of the ASNs"},
    MAP_VALUE_KEYS,
};
SCHEMA(map_criterion, "match criterion", "What a route must be like");

static const struct vnrs_schema_key map_parameter_keys[] = {MAP_VALUE_KEYS};
SCHEMA(map_parameter, "action parameter", "Values of an action");

static const struct vnrs_schema_key map_action_keys[] = {
    {.key = "type",
     .types = ENUM,
     .required = true,
     .values = VALUES("Drop", "Add", "Replace", "Remove"),
     .help =
         "Add puts ASNs in front. Replace of prefixes summarises; with an empty list it leaves no ASN or community"},
    {.key = "parameters",
     .types = LIST | OBJECT,
     .max = VNRS_MAP_PARTS_MAX,
     .object = &map_parameter,
     .help = "Values; none for Drop"},
};
SCHEMA(map_action, "route map action", "What is done to routes that match");

static const struct vnrs_schema_key map_rule_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the rule"},
    {.key = "matchCriteria",
     .types = LIST | OBJECT,
     .max = VNRS_MAP_PARTS_MAX,
     .object = &map_criterion,
     .help = "All must hold; every route matches where there is none"},
    {.key = "actions",
     .types = LIST | OBJECT,
     .max = VNRS_MAP_PARTS_MAX,
     .object = &map_action,
     .help = "Actions; their order does not matter"},
    {.key = "nextStepIfMatched",
     .types = ENUM,
     .values = VALUES("Continue", "Terminate"),
     .def = "Continue",
     .help = "Terminate: no later rule is looked at"},
};
SCHEMA(map_rule, "route map rule", "A rule of a route map");

static const struct vnrs_schema_key route_map_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the route map"},
    {.key = "rules", .types = LIST | OBJECT, .max = VNRS_MAP_RULES_MAX, .object = &map_rule, .help = "Rules, in order"},
};
SCHEMA(route_map, "route map", "A route map of a Route Server");

static const struct vnrs_schema_key routing_configuration_keys[] = {
    {.key = "inboundRouteMap", .types = NAME, .help = "Route map for what the NVA announces"},
    {.key = "outboundRouteMap", .types = NAME, .help = "Route map for what the NVA is told"},
};
SCHEMA(routing_configuration, "routing configuration", "Route maps of a BGP connection");

static const struct vnrs_schema_key bfd_keys[] = {
    {.key = "transmitInterval",
     .types = INT,
     .min = VNRS_BFD_INTERVAL_MIN,
     .max = VNRS_BFD_INTERVAL_MAX,
     .def = "300",
     .help = "Milliseconds from packet to packet while BFD is up, if the other side takes so many"},
    {.key = "receiveInterval",
     .types = INT,
     .min = VNRS_BFD_INTERVAL_MIN,
     .max = VNRS_BFD_INTERVAL_MAX,
     .def = "300",
     .help = "Milliseconds; the other side shall not send faster"},
    {.key = "detectMultiplier",
     .types = INT,
     .min = 1,
     .max = 255,
     .def = "3",
     .help = "So many packets in a row that do not come are a failure"},
    {.key = "multihop",
     .types = BOOL,
     .help = "RFC 5883 (UDP port 4784) or RFC 5881 (3784); where absent, true unless the NVA is in the subnet of the "
             "instances"},
    {.key = "minimumTtl", .types = INT, .min = 1, .max = 255, .help = "multihop: received packets must have it"},
    {.key = "strict",
     .types = BOOL,
     .def = "false",
     .help = "No BGP session before BFD is up, where the NVA announces that, too"},
};
SCHEMA(bfd, "BFD settings", "BFD (RFC 5880) with an NVA");

#define BFD_KEY(text)                                                                                                  \
    {                                                                                                                  \
        .key = "bfd", .types = BOOL | OBJECT, .object = &bfd, .help = (text)                                           \
    }

static const struct vnrs_schema_key bgp_connection_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the peering"},
    {.key = "peerIp", .types = ADDR, .required = true, .help = "Address of the NVA"},
    {.key = "peerAsn", .types = INT, .required = true, .min = 1, .max = UINT32_MAX, .help = "ASN of the NVA"},
    {.key = "bgp",
     .types = OBJECT,
     .object = &timers,
     .help = "Timers of this session; the Route Server's where absent"},
    {.key = "password",
     .types = TEXT,
     .max = VNRS_BGP_PASSWORD_MAX,
     .help = "TCP MD5 password (RFC 2385) of this session; never shown. Azure has none"},
    {.key = "ttlSecurityHops",
     .types = INT,
     .min = 1,
     .max = 254,
     .help = "Take packets only from this many hops away at most (GTSM, RFC 5082); the fabric itself is no hop with "
             "'dataplane: ebpf' and one with 'kernel'"},
    {.key = "passive", .types = BOOL, .def = "false", .help = "Wait for the NVA's connection, do not open one"},
    {.key = "delayOpen",
     .types = INT,
     .max = 240,
     .def = "0",
     .help = "Seconds to wait for the NVA's OPEN before the own one is sent (RFC 4271 section 8.1.3); 0: none"},
    {.key = "minHold",
     .types = INT,
     .max = 65535,
     .def = "0",
     .help =
         "Seconds; an NVA that proposes a shorter hold time is refused (RFC 4271 section 4.2). One that proposes 0, "
         "never, is taken"},
    BFD_KEY("BFD with the NVA, whose failure ends the BGP session at once; the default of the lab where absent. Azure "
            "has none"),
    {.key = "routingConfiguration", .types = OBJECT, .object = &routing_configuration, .help = "Route maps"},
};
SCHEMA(bgp_connection, "BGP connection", "A BGP peer of a Route Server");

static const struct vnrs_schema_key bgp_options_keys[] = {
    {.key = "keepalive", .types = INT, .max = 21845, .help = "Seconds; a third of hold where absent"},
    {.key = "hold", .types = INT, .max = 65535, .def = "3", .help = "Seconds; 0 (never) or at least 3"},
    {.key = "gracefulRestart",
     .types = BOOL,
     .def = "false",
     .help = "Graceful restart, both roles, with NOTIFICATIONs (RFC 4724, 8538)"},
    {.key = "restartTime",
     .types = INT,
     .min = 1,
     .max = 4095,
     .def = "120",
     .help = "Graceful restart: seconds for which peers shall keep routes"},
    {.key = "enhancedRefresh", .types = BOOL, .def = "false", .help = "Enhanced route refresh (RFC 7313)"},
    {.key = "extendedMessages", .types = BOOL, .def = "false", .help = "Messages up to 65,535 octets (RFC 8654)"},
    {.key = "addPath", .types = BOOL, .def = "false", .help = "Several paths of a prefix, in and out (RFC 7911)"},
    {.key = "extendedNextHop", .types = BOOL, .def = "false", .help = "IPv4 over IPv6 next hops (RFC 8950)"},
};
SCHEMA(bgp_options, "BGP options", "BGP of a Route Server; Azure's has timers 60 and 180 and none of the features");

static const struct vnrs_schema_key bmp_target_keys[] = {
    {.key = "station", .types = ADDR, .required = true, .help = "Address to which the instances connect"},
    {.key = "port", .types = INT, .min = 1, .max = 65535, .def = "11019", .help = "TCP port of the station"},
    {.key = "ribs",
     .types = LIST | ENUM,
     .min = 1,
     .values = VALUES("prePolicy", "postPolicy", "locRib", "adjRibOut"),
     .help = "What it is told of: Adj-RIB-In before and after policy, Loc-RIB, Adj-RIB-Out; prePolicy and locRib where "
             "absent"},
    {.key = "statistics",
     .types = INT,
     .max = 65535,
     .def = "60",
     .help = "Seconds between two Statistics Reports; 0: none"},
};
SCHEMA(bmp_target, "BMP station", "A monitoring station of a Route Server (RFC 7854, 8671, 9069); Azure has none");

static const struct vnrs_schema_key auto_scale_keys[] = {
    {.key = "minCapacity",
     .types = INT,
     .min = VNRS_RS_UNITS_MIN,
     .max = VNRS_RS_UNITS_MAX,
     .def = "2",
     .help = "Routing infrastructure units: 4,000 machines with 2, and 1,000 more with each other one"},
};
SCHEMA(auto_scale, "auto scale configuration", "Capacity of a Route Server");

static const struct vnrs_schema_key route_server_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the Route Server"},
    {.key = "virtualNetwork", .types = NAME, .required = true, .help = "Network whose RouteServerSubnet it is in"},
    {.key = "allowBranchToBranchTraffic",
     .types = BOOL,
     .def = "false",
     .help = "Exchange routes between gateways and NVAs"},
    {.key = "hubRoutingPreference",
     .types = ENUM,
     .values = VALUES("ExpressRoute", "VpnGateway", "ASPath"),
     .def = "ExpressRoute",
     .help = "Which class of routes wins for equal prefixes"},
    {.key = "virtualRouterAutoScaleConfiguration",
     .types = OBJECT,
     .object = &auto_scale,
     .help = "Capacity, and with it how many machines may be served"},
    {.key = "routeChangeDelay",
     .types = INT,
     .max = 3600,
     .def = "0",
     .help = "Seconds for which further changes of what NVAs announce wait after one was made; Azure's were measured "
             "at about 30, no document has them"},
    {.key = "instanceIps",
     .types = LIST | ADDR,
     .min = 1,
     .help = "Addresses of the two instances; the fourth and fifth of RouteServerSubnet where absent. With 'dataplane: "
             "none' one or two addresses that the host has"},
    {.key = "bgp", .types = OBJECT, .object = &bgp_options, .help = "Timers and features of its sessions"},
    {.key = "routeMaps",
     .types = LIST | OBJECT,
     .max = VNRS_MAPS_MAX,
     .object = &route_map,
     .help = "Route maps that connections refer to"},
    {.key = "bgpConnections", .types = LIST | OBJECT, .max = 1000, .object = &bgp_connection, .help = "BGP peers"},
    {.key = "bmp",
     .types = LIST | OBJECT,
     .max = VNRS_BMP_STATIONS_PER_RS,
     .object = &bmp_target,
     .help = "Monitoring stations"},
};
SCHEMA(route_server, "Route Server", "An Azure Route Server");

static const struct vnrs_schema_key bgp_peering_address_keys[] = {
    {.key = "customBgpIpAddresses",
     .types = LIST | ADDR,
     .max = 16,
     .help =
         "Addresses from 169.254.21.0 to 169.254.22.255 that BGP in tunnels may use in place of the private address"},
};
SCHEMA(bgp_peering_address, "BGP peering address", "Addresses from which one instance speaks BGP");

static const struct vnrs_schema_key bgp_settings_keys[] = {
    {.key = "asn", .types = INT, .min = 1, .max = UINT32_MAX, .def = "65515", .help = "ASN of the gateway"},
    {.key = "bgpPeeringAddresses",
     .types = LIST | OBJECT,
     .max = VNRS_GATEWAY_INSTANCES,
     .object = &bgp_peering_address,
     .help = "One for each instance, in order"},
};
SCHEMA(bgp_settings, "BGP settings", "BGP settings of a gateway");

static const struct vnrs_schema_key custom_routes_keys[] = {
    {.key = "addressPrefixes", .types = LIST | PREFIX, .max = 500, .help = "Prefixes"},
};
SCHEMA(custom_routes, "custom routes", "Prefixes that sites are told besides those of the virtual networks");

static const struct vnrs_schema_key gateway_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the gateway"},
    {.key = "virtualNetwork", .types = NAME, .required = true, .help = "Network whose GatewaySubnet it is in"},
    {.key = "gatewayType", .types = ENUM, .required = true, .values = VALUES("Vpn", "ExpressRoute"), .help = "Kind"},
    {.key = "sku", .types = NAME, .help = "SKU; VpnGw1 or Standard where absent. It stands for limits, not for speed"},
    {.key = "vpnType", .types = ENUM, .values = VALUES("RouteBased"), .def = "RouteBased", .help = "Kind of VPN"},
    {.key = "activeActive",
     .types = BOOL,
     .def = "false",
     .help = "Vpn: two instances that both carry traffic, else one"},
    {.key = "bgpSettings", .types = OBJECT, .object = &bgp_settings, .help = "BGP settings"},
    {.key = "bgp", .types = OBJECT, .object = &timers, .help = "Timers of its sessions; the lab's where absent"},
    {.key = "customRoutes", .types = OBJECT, .object = &custom_routes, .help = "Vpn: more that sites are told"},
    {.key = "publicIps",
     .types = LIST | ADDR,
     .min = 1,
     .max = VNRS_GATEWAY_INSTANCES,
     .help = "Vpn: public addresses of the instances; free ones of 198.51.100.0/24 where absent"},
    {.key = "privateIps",
     .types = LIST | ADDR,
     .min = 1,
     .max = VNRS_GATEWAY_INSTANCES,
     .help = "Addresses of the instances in GatewaySubnet; the next free ones where absent"},
};
SCHEMA(gateway, "virtual network gateway", "A VPN or ExpressRoute gateway");

static const struct vnrs_schema_key host_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the host"},
    {.key = "ip", .types = ADDR, .required = true, .help = "Its address"},
};
SCHEMA(host, "host", "A host outside every virtual network");

static const struct vnrs_schema_key announce_keys[] = {
    {.key = "prefix", .types = PREFIX, .required = true, .help = "Prefix to originate"},
    {.key = "prepend", .types = INT, .max = 64, .def = "0", .help = "Own ASN this many times more in the AS path"},
    {.key = "nextHop", .types = ADDR, .help = "Next hop other than the machine itself"},
    {.key = "med", .types = INT, .max = UINT32_MAX, .help = "MULTI_EXIT_DISC"},
    {.key = "communities", .types = LIST | TEXT, .max = 64, .help = "Communities, e.g. \"65001:1\""},
};
SCHEMA(announce, "announcement", "A prefix that a machine announces");

static const struct vnrs_schema_key run_keys[] = {
    {.key = "kind",
     .types = ENUM,
     .values = VALUES("frr", "bird", "exec", "gobgp", "exabgp", "openbgpd"),
     .help = "BGP daemon to run with a generated configuration, or exec"},
    {.key = "asn", .types = INT, .min = 1, .max = UINT32_MAX, .help = "ASN of the machine"},
    {.key = "announce",
     .types = LIST | PREFIX | OBJECT,
     .max = 10000,
     .object = &announce,
     .help = "Prefixes that it announces"},
    {.key = "config", .types = TEXT, .help = "The user's own configuration file for the daemon"},
    {.key = "configText", .types = TEXT, .max = 1u << 20, .help = "That configuration itself, in place of a file"},
    {.key = "exec", .types = LIST | TEXT, .min = 1, .help = "A program of the user's with its arguments"},
};
SCHEMA(run, "run", "What runs in the machine");

static const struct vnrs_schema_key inject_keys[] = {
    {.key = "table",
     .types = ENUM | INT,
     .values = VALUES("main"),
     .min = 1,
     .max = UINT32_MAX,
     .def = "main",
     .help = "Routing table"},
    {.key = "protocol",
     .types = ENUM | INT,
     .values = VALUES("vnrs"),
     .min = 5, // below are those of the kernel and of static routes
     .max = 255,
     .def = "vnrs",
     .help = "Route protocol"},
    {.key = "metric", .types = INT, .max = UINT32_MAX, .def = "100", .help = "Metric"},
};
SCHEMA(inject, "injection", "Where effective routes are put in the machine");

#define INJECT_KEY(text)                                                                                               \
    {                                                                                                                  \
        .key = "inject", .types = ENUM | OBJECT, .values = VALUES("off", "on"), .object = &inject, .help = (text)      \
    }

static const struct vnrs_schema_key site_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the site and of its router"},
    {.key = "addressPrefixes",
     .types = LIST | PREFIX,
     .max = 500,
     .min = 1,
     .help = "Ranges there: static routes of connections without BGP; the router announces them in others"},
    {.key = "asn", .types = INT, .min = 1, .max = UINT32_MAX, .help = "ASN of the site's router; no BGP where absent"},
    {.key = "bgpPeeringAddress",
     .types = ADDR,
     .help = "Address of the router inside the tunnels; the first one of the first range where absent"},
    {.key = "publicIp",
     .types = ADDR,
     .help = "Public address of its VPN device; a free one of 198.51.100.0/24 where absent"},
    {.key = "run",
     .types = OBJECT,
     .object = &run,
     .help = "What its router runs: frr, bird, exec, or another with a configuration of your own; no BGP where absent"},
    {.key = "hosts", .types = LIST | OBJECT, .max = 1000, .object = &host, .help = "Hosts behind the router"},
};
SCHEMA(site, "site", "A local network outside Azure, with its router");

static const struct vnrs_schema_key connection_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the connection"},
    {.key = "gateway", .types = NAME, .required = true, .help = "Gateway"},
    {.key = "site", .types = NAME, .required = true, .help = "Site"},
    {.key = "connectionType",
     .types = ENUM,
     .required = true,
     .values = VALUES("IPsec", "ExpressRoute", "Vnet2Vnet"),
     .help = "Kind; Vnet2Vnet is not built: peer the networks, or give the other one a site"},
    {.key = "enableBgp", .types = BOOL, .def = "false", .help = "IPsec: BGP inside the tunnels, else static routes"},
    {.key = "sharedKey",
     .types = TEXT,
     .max = VNRS_SHARED_KEY_MAX,
     .help = "IPsec: pre-shared key; never shown. Where absent, made from the names of lab and connection"},
    {.key = "gatewayCustomBgpIpAddresses",
     .types = LIST | ADDR,
     .min = 1,
     .max = VNRS_GATEWAY_INSTANCES,
     .help = "IPsec: which of customBgpIpAddresses BGP uses here, one for each instance"},
    {.key = "routingWeight", .types = INT, .max = 32000, .def = "0", .help = "ExpressRoute: the highest wins"},
    {.key = "sku",
     .types = ENUM,
     .values = VALUES("Standard", "Premium"),
     .def = "Standard",
     .help = "ExpressRoute: of the circuit, which takes 4,000 or 10,000 routes from the site"},
    {.key = "primaryPeerAddressPrefix",
     .types = PREFIX,
     .help = "ExpressRoute: /30 of the first link, the site's address first; a free one where absent"},
    {.key = "secondaryPeerAddressPrefix", .types = PREFIX, .help = "ExpressRoute: /30 of the second link"},
    {.key = "password",
     .types = TEXT,
     .max = VNRS_BGP_PASSWORD_MAX,
     .help = "ExpressRoute: TCP MD5 password (RFC 2385) of the sessions with the site; never shown"},
    BFD_KEY("ExpressRoute: BFD of both links with the site; the default of the lab where absent"),
};
SCHEMA(connection, "connection", "A connection of a gateway to a site");

static const struct vnrs_schema_key service_keys[] = {
    {.key = "name", .types = VNRS_T_SERVICE, .required = true, .help = "E.g. Microsoft.Storage"},
    {.key = "addressPrefixes",
     .types = LIST | PREFIX,
     .max = 500,
     .required = true,
     .min = 1,
     .help = "Ranges of the service"},
    {.key = "hosts", .types = LIST | OBJECT, .max = 1000, .object = &host, .help = "Hosts that answer there"},
    {.key = "allowedSubnets",
     .types = LIST | VNRS_T_SUBNET,
     .max = 3000,
     .help = "Subnets that the service lets in; every subnet where absent"},
};
SCHEMA(service, "service", "What a service endpoint leads to");

static const struct vnrs_schema_key internet_keys[] = {
    {.key = "hosts", .types = LIST | OBJECT, .max = 1000, .object = &host, .help = "Hosts on the Internet"},
    {.key = "snat", .types = BOOL, .def = "false", .help = "Source NAT to the host's own address on the way out"},
};
SCHEMA(internet, "Internet", "The Internet of the lab");

static const struct vnrs_schema_key nic_link_keys[] = {
    {.key = "down", .types = BOOL, .def = "false", .help = "The machine's interface has no carrier"},
    {.key = "loss", .types = VNRS_T_LOSS, .help = "Share of packets that are lost in each direction, e.g. 1%"},
    {.key = "rate",
     .types = VNRS_T_RATE,
     .help = "Bits a second in each direction, e.g. 100mbit; no limit where absent"},
    {.key = "delay", .types = VNRS_T_DELAY, .help = "Of each packet, in each direction, e.g. 20ms; needs sch_netem"},
    {.key = "jitter", .types = VNRS_T_DELAY, .help = "Delay is more or less by up to this, e.g. 5ms"},
};
SCHEMA(nic_link, "link", "What is wrong with the link of a NIC, on purpose");

static const struct vnrs_schema_key nic_keys[] = {
    {.key = "subnet", .types = VNRS_T_SUBNET, .required = true, .help = "\"<virtual network>/<subnet>\""},
    {.key = "privateIp", .types = ADDR, .help = "Address; the next free one of the subnet where absent"},
    {.key = "privateIps", .types = LIST | ADDR, .max = 256, .min = 1, .help = "Several addresses, the primary first"},
    {.key = "enableIPForwarding",
     .types = BOOL,
     .def = "false",
     .help = "Let packets through that are not from or to the NIC's own addresses"},
    {.key = "attach",
     .types = NAME | TEXT,
     .help = "Interface that exists already: routes are injected, no link is made"},
    {.key = "mtu", .types = INT, .min = 1280, .max = 9000, .def = "1500", .help = "MTU in bytes"},
    {.key = "link",
     .types = OBJECT,
     .object = &nic_link,
     .help = "Impairment of the link; `vnrs link` changes it live"},
};
SCHEMA(nic, "NIC", "A network interface of a machine");

static const struct vnrs_schema_key machine_keys[] = {
    {.key = "name", .types = VNRS_T_COUNTED, .required = true, .help = "Name, or a set of names: \"vm-{1..10}\""},
    {.key = "netns", .types = TEXT, .help = "Existing network namespace, by name or path"},
    {.key = "pid", .types = INT, .min = 1, .max = INT32_MAX, .help = "Network namespace of this process"},
    {.key = "container", .types = NAME | TEXT, .help = "Network namespace of this container"},
    {.key = "nics",
     .types = LIST | OBJECT,
     .max = 64,
     .required = true,
     .min = 1,
     .object = &nic,
     .help = "Network interfaces"},
    {.key = "run", .types = OBJECT, .object = &run, .help = "What runs in the machine"},
    INJECT_KEY("Injection of effective routes; on where no NIC forwards, else off"),
    {.key = "hosts",
     .types = LIST | OBJECT,
     .max = 1000,
     .object = &host,
     .help = "Hosts behind this machine; the same host may stand behind several"},
};
SCHEMA(machine, "machine", "A virtual machine or network virtual appliance");

static const struct vnrs_schema_key expect_keys[] = {
    {.key = "nextHopType",
     .types = ENUM,
     .values = VALUES("None", "VnetLocal", "VNetPeering", "VNetGlobalPeering", "VirtualNetworkGateway",
                      "VirtualAppliance", VNRS_NEXTHOP_APPLIANCE_ECMP, "VirtualNetworkServiceEndpoint", "Internet"),
     .help = "Next hop type, as `vnrs next-hop` says it"},
    {.key = "nextHopIp", .types = LIST_ONE | ADDR, .min = 1, .help = "Next hop addresses, as a set"},
};
SCHEMA(expect, "expectation", "What a next hop test expects");

static const struct vnrs_schema_key test_keys[] = {
    {.key = "name", .types = TEXT, .required = true, .help = "What is tested"},
    {.key = "from",
     .types = TEXT,
     .required = true,
     .help = "Machine, site, gateway instance (gateway.NAME-0) or MSEE (msee.CONNECTION-0)"},
    {.key = "to", .types = TEXT, .help = "Next hop test: machine, host or address"},
    {.key = "ping", .types = TEXT, .help = "Ping: machine, host or address"},
    {.key = "connect", .types = TEXT, .help = "TCP connection: machine, host or address; with port"},
    {.key = "port", .types = INT, .min = 1, .max = 65535, .help = "TCP port of connect"},
    {.key = "expect",
     .types = ENUM | OBJECT,
     .values = VALUES("ok", "fail"),
     .object = &expect,
     .help = "ok (default) or fail for ping and connect; next hop type and addresses for to"},
};
SCHEMA(test, "test", "An assertion that 'vnrs test' waits for");

static const struct vnrs_schema_key defaults_keys[] = {
    INJECT_KEY("Injection where a machine says nothing"),
    {.key = "bgp", .types = OBJECT, .object = &timers, .help = "BGP timers of both sides of generated sessions"},
    BFD_KEY("BFD where a BGP connection says nothing; off where absent"),
};
SCHEMA(defaults, "defaults", "Defaults for the whole lab");

static const struct vnrs_schema_key root_keys[] = {
    {.key = "name", .types = NAME, .required = true, .help = "Name of the lab"},
    {.key = "limits",
     .types = ENUM,
     .values = VALUES("azure", "none"),
     .def = "azure",
     .help = "azure: Azure's documented limits are errors; none: only vnrs' own"},
    {.key = "peeringFlags",
     .types = ENUM,
     .values = VALUES("drop", "tag"),
     .def = "drop",
     .help = "What allowVirtualNetworkAccess and allowForwardedTraffic do: drop packets, as the older documents of "
             "Azure say, or only change the VirtualNetwork tag of network security groups, of which there are none"},
    {.key = "dataplane",
     .types = ENUM,
     .values = VALUES("ebpf", "kernel", "none"),
     .def = "ebpf",
     .help = "What forwards; none: only inject routes into existing interfaces"},
    {.key = "noneRoutes",
     .types = ENUM,
     .values = VALUES("documented", "legacy", "platform"),
     .def = "documented",
     .help = "System routes to None: the four documented ranges, those of before 2023 (without 172.16.0.0/12), or also "
             "the undocumented list seen in 2024"},
    {.key = "defaults", .types = OBJECT, .object = &defaults, .help = "Defaults for the whole lab"},
    {.key = "virtualNetworks", .types = LIST | OBJECT, .max = 1000, .object = &vnet, .help = "Virtual networks"},
    {.key = "virtualNetworkPeerings",
     .types = LIST | OBJECT,
     .max = 10000,
     .object = &peering,
     .help = "Peerings, one per direction"},
    {.key = "serviceTags",
     .types = LIST | OBJECT,
     .max = 1000,
     .object = &service_tag,
     .help = "Service tags for routes; Azure's own lists change, so the file says what a tag stands for"},
    {.key = "routeTables", .types = LIST | OBJECT, .max = 1000, .object = &route_table, .help = "Route tables"},
    {.key = "loadBalancers",
     .types = LIST | OBJECT,
     .max = 1000,
     .object = &balancer,
     .help = "Internal load balancers, next hops of routes"},
    {.key = "routeServers", .types = LIST | OBJECT, .max = 500, .object = &route_server, .help = "Route Servers"},
    {.key = "virtualNetworkGateways",
     .types = LIST | OBJECT,
     .max = 500,
     .object = &gateway,
     .help = "VPN and ExpressRoute gateways"},
    {.key = "sites", .types = LIST | OBJECT, .max = 1000, .object = &site, .help = "Local networks outside Azure"},
    {.key = "connections",
     .types = LIST | OBJECT,
     .max = 1000,
     .object = &connection,
     .help = "Connections of gateways to sites"},
    {.key = "services",
     .types = LIST | OBJECT,
     .max = 200,
     .object = &service,
     .help = "What service endpoints lead to"},
    {.key = "internet", .types = OBJECT, .object = &internet, .help = "The Internet of the lab"},
    {.key = "machines", .types = LIST | OBJECT, .object = &machine, .help = "Virtual machines and appliances"},
    {.key = "tests", .types = LIST | OBJECT, .max = 10000, .object = &test, .help = "Assertions of 'vnrs test'"},
};

const struct vnrs_schema vnrs_schema_root = {
    .noun = "topology", .help = "A vnrs lab", .keys = root_keys, .n_keys = ARRAY_SIZE(root_keys)};

static_assert(ARRAY_SIZE(root_keys) == 19, "a new section needs code in parse.c, print.c and docs");

const struct vnrs_schema_key *vnrs_schema_find(const struct vnrs_schema *schema, const char *key)
{
    for (size_t i = 0; i < schema->n_keys; i++)
        if (strcmp(schema->keys[i].key, key) == 0)
            return &schema->keys[i];
    return NULL;
}
