// SPDX-License-Identifier: GPL-2.0-or-later
// The desired model of one lab: what the topology file says, checked, with defaults filled in and references resolved.
// Everything lives in the model's arena and is immutable once vnrs_model_load returned it. Names and spellings are
// Azure's; `pos` is where the object stands in the file. It owns no kernel state and makes no system call.
#pragma once

#include "net/addr.h"
#include "util/diag.h"
#include "vnrs/impair.h"
#include "vnrs/nexthop_type.h"
#include "vnrs/route_map.h"

#include <stdbool.h>

#define VNRS_NAME_LEN_MAX 40 // of any object; letters, digits, '-' and '_', a letter or digit first

// Read-only array in the arena.
#define VNRS_LIST(type)                                                                                                \
    struct {                                                                                                           \
        type *items;                                                                                                   \
        size_t len;                                                                                                    \
    }
#define list_foreach(it, l) for (__typeof__((l)->items + 0) it = (l)->items; it && it < (l)->items + (l)->len; it++)

typedef VNRS_LIST(struct vnrs_prefix) vnrs_prefix_list;
typedef VNRS_LIST(struct vnrs_addr) vnrs_addr_list;
typedef VNRS_LIST(uint32_t) vnrs_number_list; // communities, ASNs

enum vnrs_dataplane { VNRS_DATAPLANE_EBPF, VNRS_DATAPLANE_KERNEL, VNRS_DATAPLANE_NONE };
enum vnrs_limits { VNRS_LIMITS_AZURE, VNRS_LIMITS_NONE };
enum vnrs_none_routes { VNRS_NONE_DOCUMENTED, VNRS_NONE_LEGACY, VNRS_NONE_PLATFORM };
// What the allow flags of peerings do (azure-routing.md 14.11): packets are dropped, as the older documents have it, or
// only the VirtualNetwork tag of network security groups changes, and there are none.
enum vnrs_peering_flags { VNRS_PEERING_FLAGS_DROP, VNRS_PEERING_FLAGS_TAG };

// 1-based ids are dense and in file order; they are the numbers in maps and tables (VNet, subnet).
struct vnrs_subnet {
    const char *name;
    struct vnrs_pos pos;
    unsigned id; // from 1, unique in the lab
    struct vnrs_vnet *vnet;
    vnrs_prefix_list prefixes;                          // addressPrefix or addressPrefixes, at least one
    struct vnrs_route_table *route_table;               // NULL: none
    VNRS_LIST(struct vnrs_service *) service_endpoints; // services defined in the file, in file order
};

struct vnrs_vnet {
    const char *name;
    struct vnrs_pos pos;
    unsigned id;        // from 1
    const char *region; // NULL: not given
    vnrs_prefix_list address_space;
    VNRS_LIST(struct vnrs_subnet) subnets;
};

enum vnrs_peering_state { VNRS_PEERING_INITIATED, VNRS_PEERING_CONNECTED, VNRS_PEERING_DISCONNECTED };

struct vnrs_peering { // one direction
    struct vnrs_pos pos;
    struct vnrs_vnet *vnet, *remote;
    struct vnrs_peering *other; // the opposite direction, NULL: not connected
    enum vnrs_peering_state state;
    bool disconnected; // the file says so: the other half was deleted, and may be there anew
    bool allow_access, allow_forwarded, allow_gateway_transit, use_remote_gateways;
    bool lets_access, lets_forwarded; // what the first two do to packets
    bool unverified;                  // doNotVerifyRemoteGateways
    bool global;                      // regions differ: next hop type VNetGlobalPeering
    // remoteAddressSpace: ranges of the remote network that are in force on this side, those of the last sync. Its
    // present ones (the same array) unless the file says otherwise.
    vnrs_prefix_list remote_space;
};

struct vnrs_service_tag { // a name for prefixes, e.g. Storage.westeurope
    const char *name;
    struct vnrs_pos pos;
    vnrs_prefix_list prefixes;
};

#define VNRS_UDR_HOPS_MAX 64 // of VirtualApplianceEcmp

struct vnrs_udr {
    const char *name;
    struct vnrs_pos pos;
    struct vnrs_service_tag *tag; // stands for its prefixes; NULL: `prefix`
    struct vnrs_prefix prefix;
    enum vnrs_nexthop_type type; // NONE, VNET_LOCAL, GATEWAY, APPLIANCE, INTERNET
    bool ecmp;                   // APPLIANCE: VirtualApplianceEcmp
    vnrs_addr_list next_hops;    // APPLIANCE: one, several with `ecmp`
};

struct vnrs_route_table {
    const char *name;
    struct vnrs_pos pos;
    unsigned id; // from 1
    bool disable_bgp_propagation;
    bool disable_peering; // disablePeeringRoute: All
    VNRS_LIST(struct vnrs_udr) routes;
};

struct vnrs_bgp_timers {
    unsigned keepalive, hold; // seconds
};

// What the sessions of a Route Server have beyond Azure's, whose OPEN has none of it (azure-routing.md 5.2).
struct vnrs_bgp_options {
    bool graceful_restart;  // RFC 4724 and 8538
    unsigned restart_s;     // how long peers shall keep routes
    bool enhanced_refresh;  // RFC 7313
    bool extended_messages; // RFC 8654
    bool add_path;          // RFC 7911, receive and send
    bool extended_next_hop; // RFC 8950
};

#define VNRS_BFD_INTERVAL_MIN 10 // milliseconds
#define VNRS_BFD_INTERVAL_MAX 60000

struct vnrs_bfd_options { // BFD, RFC 5880
    bool on;
    unsigned tx_ms, rx_ms, multiplier;
    bool multihop;     // RFC 5883, else RFC 5881
    bool has_multihop; // while the file is read: it says so
    unsigned ttl_min;  // multihop: of received packets; 0: not looked at
    bool strict;       // no BGP session before BFD is up
};

#define VNRS_BGP_PASSWORD_MAX    80         // bytes, of the kernel's TCP_MD5SIG
#define VNRS_BGP_PASSWORD_HIDDEN "********" // what is shown of one

struct vnrs_map_values { // of a criterion, or a parameter of an action
    struct vnrs_pos pos;
    bool has_prefixes, has_communities, has_asns; // the list is there, even if it is empty
    bool incomplete;                              // while the file is read: some of it was refused
    vnrs_prefix_list prefixes;
    vnrs_number_list communities, asns;
};

struct vnrs_map_criterion {
    enum vnrs_map_condition condition;
    struct vnrs_map_values values;
};

struct vnrs_map_action {
    struct vnrs_pos pos;
    enum vnrs_map_action_type type;
    VNRS_LIST(struct vnrs_map_values) parameters;
};

struct vnrs_map_rule {
    const char *name;
    struct vnrs_pos pos;
    bool terminate; // nextStepIfMatched
    VNRS_LIST(struct vnrs_map_criterion) criteria;
    VNRS_LIST(struct vnrs_map_action) actions;
};

struct vnrs_route_map { // what it means is in bgp/policy.h
    const char *name;
    struct vnrs_pos pos;
    unsigned id; // from 1, of its Route Server
    VNRS_LIST(struct vnrs_map_rule) rules;
};

struct vnrs_bgp_connection {
    const char *name;
    struct vnrs_pos pos;
    struct vnrs_addr peer_ip;
    uint32_t peer_asn;
    struct vnrs_bgp_timers timers;
    const char *password;       // TCP MD5 (RFC 2385), NULL: none. Never shown to anybody
    unsigned ttl_security_hops; // GTSM (RFC 5082): the peer is at most so many hops away; 0: not looked at
    bool passive;               // the Route Server waits for the peer's connection
    unsigned delay_open;        // seconds to wait for the peer's OPEN (RFC 4271 8.1.3); 0: none
    unsigned min_hold;          // seconds; shorter hold times of the peer, but for 0, are refused
    struct vnrs_bfd_options bfd;
    struct vnrs_route_map *in_map, *out_map; // NULL: none
    struct vnrs_nic *nic; // the NIC of this lab with that address in reach of the Route Server, or NULL
};

#define VNRS_BMP_STATIONS_PER_RS 4

enum { // RIBs that a station is told of; bits, by vnrs_bmp_rib_names
    VNRS_BMP_RIB_PRE_POLICY = 1 << 0,
    VNRS_BMP_RIB_POST_POLICY = 1 << 1,
    VNRS_BMP_RIB_LOC_RIB = 1 << 2,
    VNRS_BMP_RIB_ADJ_RIB_OUT = 1 << 3,
};

struct vnrs_bmp_target { // a monitoring station (RFC 7854)
    struct vnrs_pos pos;
    struct vnrs_addr station;
    uint16_t port;
    unsigned ribs;
    unsigned statistics_s; // between two reports; 0: none
};

enum vnrs_hub_preference { VNRS_HRP_EXPRESSROUTE, VNRS_HRP_VPN, VNRS_HRP_ASPATH };

#define VNRS_RS_INSTANCES 2
#define VNRS_RS_ASN       65515u
#define VNRS_MSEE_ASN     12076u // azure-routing.md 6.2
#define VNRS_RS_UNITS_MIN 2u     // routing infrastructure units (azure-routing.md 5.3)
#define VNRS_RS_UNITS_MAX 48u

struct vnrs_route_server {
    const char *name;
    struct vnrs_pos pos;
    struct vnrs_vnet *vnet;
    struct vnrs_subnet *subnet;              // RouteServerSubnet
    struct vnrs_addr ips[VNRS_RS_INSTANCES]; // virtualRouterIps; the second may be NONE with dataplane none
    bool allow_branch_to_branch;
    enum vnrs_hub_preference preference;
    unsigned min_capacity;         // routing infrastructure units
    unsigned change_delay_s;       // after a change of what is learned the next ones wait so long
    struct vnrs_bgp_timers timers; // of connections that say nothing
    struct vnrs_bgp_options options;
    VNRS_LIST(struct vnrs_route_map) route_maps;
    VNRS_LIST(struct vnrs_bgp_connection) connections;
    VNRS_LIST(struct vnrs_bmp_target) bmp;
};

struct vnrs_host { // a machine outside every virtual network
    const char *name;
    struct vnrs_pos pos;
    struct vnrs_addr ip;
};

struct vnrs_service {
    const char *name; // Microsoft.Storage
    struct vnrs_pos pos;
    unsigned id; // from 1
    vnrs_prefix_list prefixes;
    VNRS_LIST(struct vnrs_host) hosts;
    bool restricted; // allowedSubnets is there
    VNRS_LIST(struct vnrs_subnet *) allowed;
};

struct vnrs_internet {
    bool present;
    struct vnrs_pos pos;
    bool snat;
    VNRS_LIST(struct vnrs_host) hosts;
};

struct vnrs_nic {
    const char *name; // "vm1/eth0"
    struct vnrs_pos pos;
    unsigned index; // from 0 over all NICs of the lab, in file order
    struct vnrs_machine *machine;
    struct vnrs_subnet *subnet;
    vnrs_addr_list ips; // the primary first; assigned where the file has none
    bool forwarding;    // enableIPForwarding
    const char *ifname; // in the machine: eth0, eth1, …, or the attached one
    bool attach;        // the interface exists already
    unsigned mtu;
    struct vnrs_impair link; // what is wrong with it from the beginning; all zero: nothing
};

enum vnrs_netns_kind { VNRS_NETNS_OURS, VNRS_NETNS_SELF, VNRS_NETNS_PATH, VNRS_NETNS_PID, VNRS_NETNS_CONTAINER };

enum vnrs_run_kind {
    VNRS_RUN_NONE,
    VNRS_RUN_FRR,
    VNRS_RUN_BIRD,
    VNRS_RUN_EXEC,
    VNRS_RUN_GOBGP,
    VNRS_RUN_EXABGP,
    VNRS_RUN_OPENBGPD,
    _VNRS_RUN_MAX
};

struct vnrs_announce {
    struct vnrs_prefix prefix;
    unsigned prepend;          // own ASN this many times more
    struct vnrs_addr next_hop; // NONE: the NIC's address
    bool has_med;
    uint32_t med;
    vnrs_number_list communities;
};

struct vnrs_run {
    enum vnrs_run_kind kind;
    struct vnrs_pos pos;
    uint32_t asn;
    VNRS_LIST(struct vnrs_announce) announce;
    const char *config;           // text of the user's own configuration file, or NULL
    VNRS_LIST(const char *) argv; // EXEC
};

struct vnrs_inject {
    bool on;
    uint32_t table; // 254: main
    uint8_t protocol;
    uint32_t metric;
};

// What stands for a part of Azure or of the outside is a machine too: it has a namespace, NICs, routes, and can be
// looked into. Those are not in the file's `machines`, and their names cannot be taken there.
enum vnrs_machine_role {
    VNRS_MACHINE_USER,    // of the file's `machines`
    VNRS_MACHINE_GATEWAY, // an instance of a virtual network gateway: "gateway.<name>-<0|1>"
    VNRS_MACHINE_MSEE,    // an edge router of Microsoft's, one for each link of a circuit: "msee.<connection>-<0|1>"
    VNRS_MACHINE_SITE,    // the router of a site, by the site's name; it has no NIC
};

struct vnrs_machine {
    const char *name;
    struct vnrs_pos pos;
    enum vnrs_machine_role role;
    enum vnrs_netns_kind netns;
    const char *netns_ref; // PATH: path, CONTAINER: name
    int pid;               // PID
    VNRS_LIST(struct vnrs_nic) nics;
    struct vnrs_run run;
    struct vnrs_inject inject;
    VNRS_LIST(struct vnrs_host) hosts; // machines behind this one (behind an NVA); one host may stand behind several
};

enum vnrs_gateway_type { VNRS_GATEWAY_VPN, VNRS_GATEWAY_EXPRESSROUTE };

#define VNRS_GATEWAY_INSTANCES 2

struct vnrs_gateway_instance {
    struct vnrs_machine *machine;
    struct vnrs_nic *nic;       // in GatewaySubnet, forwarding
    struct vnrs_addr ip;        // of the NIC: where BGP speaks from
    struct vnrs_addr public_ip; // VPN: where IKE speaks from
    vnrs_addr_list apipa;       // VPN: customBgpIpAddresses, which BGP inside a tunnel may use instead of `ip`
};

struct vnrs_gateway { // virtual network gateway (azure-routing.md section 6)
    const char *name;
    struct vnrs_pos pos;
    unsigned id; // from 1
    struct vnrs_vnet *vnet;
    struct vnrs_subnet *subnet; // GatewaySubnet
    enum vnrs_gateway_type type;
    const char *sku; // never NULL
    bool active_active;
    uint32_t asn;
    struct vnrs_bgp_timers timers;
    vnrs_prefix_list custom_routes; // advertised to VPN sites besides what is always
    unsigned n_instances;           // VPN: 2 where active-active, else 1. ExpressRoute: 2, which only speak BGP
    struct vnrs_gateway_instance instances[VNRS_GATEWAY_INSTANCES];
};

struct vnrs_site { // local network, with the router that stands there
    const char *name;
    struct vnrs_pos pos;
    unsigned id;                // from 1
    vnrs_prefix_list prefixes;  // local network gateway: static routes of connections without BGP; the router has them
    uint32_t asn;               // 0: no BGP
    struct vnrs_addr bgp_ip;    // of the router inside the tunnels
    struct vnrs_addr public_ip; // of the VPN device; NONE where no VPN connection leads to it
    struct vnrs_machine *machine;
};

#define VNRS_SHARED_KEY_MAX 128 // bytes

enum vnrs_connection_type { VNRS_CONNECTION_IPSEC, VNRS_CONNECTION_EXPRESSROUTE };

struct vnrs_circuit_link { // ExpressRoute: primary and secondary
    struct vnrs_machine *msee;
    struct vnrs_nic *nic;      // of the MSEE, in GatewaySubnet, forwarding: next hop of the circuit's routes
    struct vnrs_prefix prefix; // /30 between the customer and the MSEE
    struct vnrs_addr customer_ip, msee_ip; // its first and second address (azure-routing.md 6.2)
};

struct vnrs_connection {
    const char *name;
    struct vnrs_pos pos;
    unsigned id; // from 1
    struct vnrs_gateway *gateway;
    struct vnrs_site *site;
    enum vnrs_connection_type type;
    bool enable_bgp;        // IPsec: routes by BGP inside the tunnel, else the site's prefixes are static routes
    const char *shared_key; // IPsec: pre-shared key, never shown to anybody
    bool has_own_key;       // the file has it; else it is made from names
    vnrs_addr_list gateway_bgp_ips; // IPsec, by instance: from `apipa` of the gateway, or empty
    unsigned weight;                // routingWeight, ExpressRoute
    struct vnrs_circuit_link links[2];
    const char *password;        // ExpressRoute: TCP MD5 between MSEE and customer, NULL: none
    struct vnrs_bfd_options bfd; // ExpressRoute: between MSEE and customer
    bool premium;                // circuit SKU: 10,000 instead of 4,000 routes
};

enum vnrs_test_kind { VNRS_TEST_PING, VNRS_TEST_NEXT_HOP, VNRS_TEST_CONNECT };

struct vnrs_test {
    const char *name;
    struct vnrs_pos pos;
    enum vnrs_test_kind kind;
    struct vnrs_machine *from;
    struct vnrs_addr to; // of the machine or host named by ping:, or the address
    unsigned port;       // CONNECT: TCP
    bool expect_fail;    // expect: fail
    bool has_type;
    enum vnrs_nexthop_type type;
    bool ecmp; // APPLIANCE: several equal ones
    bool has_next_hops;
    vnrs_addr_list next_hops; // as a set
};

#define VNRS_BALANCER_BACKENDS_MAX 64

struct vnrs_balancer { // an internal load balancer with one rule, HA ports: every port of every protocol
    const char *name;
    struct vnrs_pos pos;
    struct vnrs_subnet *subnet;            // of the frontend
    struct vnrs_addr frontend;             // privateIPAddress; assigned where the file has none
    VNRS_LIST(struct vnrs_nic *) backends; // with IP forwarding, in the network of the frontend
    uint16_t probe_port;                   // TCP
    unsigned probe_interval_s;
    unsigned probe_tries; // so many failures in a row take a backend out
};

struct vnrs_model {
    struct vnrs_arena *arena;
    const char *name; // of the lab
    const char *file; // shown name of the file
    enum vnrs_limits limits;
    enum vnrs_peering_flags peering_flags;
    enum vnrs_dataplane dataplane;
    enum vnrs_none_routes none_routes;
    VNRS_LIST(struct vnrs_vnet) vnets;
    VNRS_LIST(struct vnrs_peering) peerings;
    VNRS_LIST(struct vnrs_service_tag) service_tags;
    VNRS_LIST(struct vnrs_route_table) route_tables;
    VNRS_LIST(struct vnrs_balancer) balancers;
    VNRS_LIST(struct vnrs_route_server) route_servers;
    VNRS_LIST(struct vnrs_service) services;
    struct vnrs_internet internet;
    VNRS_LIST(struct vnrs_gateway) gateways;
    VNRS_LIST(struct vnrs_site) sites;
    VNRS_LIST(struct vnrs_connection) connections;
    VNRS_LIST(struct vnrs_machine) machines; // those of the file first, then gateways, MSEEs, sites
    size_t n_user_machines;                  // so many are of the file
    VNRS_LIST(struct vnrs_nic *) nics;       // all, by index
    VNRS_LIST(struct vnrs_test) tests;
    size_t n_subnets;
};

// Parse and check. Every problem goes into `diags` (whose arena may be any); the model is returned when there is no
// error (warnings do not count), else NULL. `source` is the whole text of `file`; files that it names (run.config) are
// read through `load_file` where given (NULL: an error that says the file cannot be read here).
struct vnrs_model *vnrs_model_load(const char *file, const char *source, size_t len,
                                   int (*load_file)(const char *path, char **ret_text), struct vnrs_diags *diags);
void vnrs_model_free(struct vnrs_model *model); // accepts NULL

// The text of the topology file that means this model (parse(print(m)) == m, but for passwords, which are hidden).
// Owned by the caller; NULL: no memory.
char *vnrs_model_print(const struct vnrs_model *model) VNRS_MUST_CHECK;
// The same to be shown to anybody: configurations of other programs and arguments of commands are hidden as well.
char *vnrs_model_print_hidden(const struct vnrs_model *model) VNRS_MUST_CHECK;
// JSON Schema draft-07 of the file, from the table that drives the parser. Owned by the caller.
char *vnrs_schema_json(void) VNRS_MUST_CHECK;

bool vnrs_prefix_list_has(const vnrs_prefix_list *list, const struct vnrs_addr *addr); // one of them holds it
struct vnrs_vnet *vnrs_model_find_vnet(const struct vnrs_model *model, const char *name);
// The load balancer whose frontend has that address in `vnet`, or NULL.
const struct vnrs_balancer *vnrs_model_find_balancer(const struct vnrs_model *model, const struct vnrs_vnet *vnet,
                                                     const struct vnrs_addr *addr);
// One of its load balancers probes backends there, so that the network has Azure's platform address 168.63.129.16.
bool vnrs_vnet_is_probed(const struct vnrs_model *model, const struct vnrs_vnet *vnet);
// "vm1/eth0", or "vm1" for its first NIC. NULL: none.
struct vnrs_nic *vnrs_model_find_nic(const struct vnrs_model *model, const char *name);
struct vnrs_machine *vnrs_model_find_machine(const struct vnrs_model *model, const char *name);
// Azure's peeringState and peeringSyncLevel: "Connected", "FullyInSync" (azure-routing.md 4.3, 4.4).
const char *vnrs_peering_state_name(enum vnrs_peering_state state);
const char *vnrs_peering_sync_level(const struct vnrs_peering *peering);
// The connected peering (both directions exist) from `vnet` to `remote`, or NULL.
const struct vnrs_peering *vnrs_model_find_peering(const struct vnrs_model *model, const struct vnrs_vnet *vnet,
                                                   const struct vnrs_vnet *remote);
// A subnet has both the instances of the Route Server and the address.
bool vnrs_route_server_is_beside(const struct vnrs_route_server *rs, const struct vnrs_addr *addr);
// The network has a Route Server or a gateway of its own.
bool vnrs_model_is_hub(const struct vnrs_model *model, const struct vnrs_vnet *vnet);
// The gateway of that type in a virtual network (not in one that it uses). NULL: none.
const struct vnrs_gateway *vnrs_model_gateway_of(const struct vnrs_model *model, const struct vnrs_vnet *hub,
                                                 enum vnrs_gateway_type type);
// The virtual network whose Route Server and gateways `vnet` uses: itself where it has one of them, or the peered
// network that it uses as remote gateway and that has. NULL: none.
const struct vnrs_vnet *vnrs_model_hub_of(const struct vnrs_model *model, const struct vnrs_vnet *vnet);
// Machines of the file in the networks that use it, its own among them.
size_t vnrs_model_served_machines(const struct vnrs_model *model, const struct vnrs_route_server *rs);
// The Route Server that `vnet` uses: its own, or that of the peered network it uses as remote gateway. NULL: none.
const struct vnrs_route_server *vnrs_model_route_server_of(const struct vnrs_model *model,
                                                           const struct vnrs_vnet *vnet);
