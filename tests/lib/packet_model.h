// SPDX-License-Identifier: GPL-2.0-or-later
// What must become of a packet: the packet path of Azure's fabric, written from the rules (azure-routing.md sections 2
// to 4 and 10; the packet path of docs/data-plane.md) over the effective routes of the routing layer, in the plainest
// way there is. It shares no code with bpf/ or daemon/fib/, which are tested against it. Pure.
//
// Where the rules leave the choice among several next hops, all outcomes are told: one of them is right for all packets
// of a flow.
#pragma once

#include "plan/ids.h"
#include "routing/routing.h"
#include "util/vec.h"
#include "vnrs/bpf_abi.h"
#include "vnrs/drop_reason.h"

#include <stdbool.h>

#define PM_OUTCOMES_MAX VNRS_LEARNED_PATHS_MAX
#define PM_REPLY_MAX    1300

enum pm_kind { PM_MACHINE, PM_INSTANCE, PM_SERVICE, PM_EDGE, PM_PROBER };

struct pm_port { // a NIC, of whatever it is
    enum pm_kind kind;
    uint32_t ifindex;
    struct vnrs_mac mac;
    unsigned mtu;
    bool forwarding;   // enableIPForwarding
    bool gateway;      // a gateway's: what it forwards needs no allowForwardedTraffic
    bool expressroute; // of ExpressRoute, with `gateway`
    const char *key;
    const struct vnrs_vnet *vnet;       // that its addresses are of; NULL: outside every virtual network
    const struct vnrs_subnet *subnet;   // NULL: in none
    const struct vnrs_domain *domain;   // of the subnet
    const struct vnrs_nic *nic;         // MACHINE
    const struct vnrs_service *service; // SERVICE
    const struct vnrs_addr *addrs;
    size_t n_addrs;
};

struct pm_world {
    const struct vnrs_model *model;
    const struct vnrs_routing *routing; // with what is learned
    struct vnrs_arena *arena;
    VEC(struct pm_port) ports;
    const struct vnrs_addr *out; // NICs with these addresses are out, as backends of load balancers; borrowed
    size_t n_out;
    bool lenient; // upper-layer headers need not be whole, and what is behind an IPv6 authentication header is not seen
};

// packet_world.c. `ids` tells the interface numbers. All is borrowed.
void pm_world_init(struct pm_world *world, const struct vnrs_model *model, const struct vnrs_routing *routing,
                   const struct vnrs_ids *ids);
void pm_world_fini(struct pm_world *world);
const struct pm_port *pm_port_of(const struct pm_world *world, uint32_t ifindex); // NULL: none
const struct pm_port *pm_owner(const struct pm_world *world, const struct vnrs_vnet *vnet,
                               const struct vnrs_addr *addr); // who has the address there, NULL: nobody
bool pm_has_addr(const struct pm_port *port, const struct vnrs_addr *addr);

struct pm_packet {
    uint8_t family; // 0: not IP, or not well-formed
    uint8_t protocol;
    bool fragment, later_fragment, dont_fragment;
    size_t header, l4,
        len; // from the first byte of IP: end of the fixed header, upper layer, length as the header says
    struct vnrs_addr src, dst;
    uint16_t sport, dport; // 0: none
};

struct pm_outcome {
    uint32_t verdict; // enum vnrs_bpf_verdict
    uint32_t reason;
    uint32_t type;    // FORWARD: enum vnrs_nexthop_type
    uint32_t billing; // FORWARD: enum vnrs_billing
    const struct pm_port *to;
    const struct vnrs_balancer *balancer; // FORWARD: `to` is the backend that it chose, NULL: none did
    unsigned mtu;                         // DROP for being too big: what fits. REPLY with a reason: likewise
};

struct pm_result {
    struct pm_packet packet;
    unsigned n;
    struct pm_outcome outcomes[PM_OUTCOMES_MAX];
};

void pm_decide(const struct pm_world *world, const struct pm_port *from, const uint8_t *frame, size_t len,
               struct pm_result *ret_result);

// What is wrong with `out`, that became of `in` by an outcome; NULL: nothing. FORWARD: as delivered; REPLY: as the
// sender gets it.
const char *pm_bytes_wrong(const struct pm_port *from, const struct pm_result *result, const struct pm_outcome *outcome,
                           const uint8_t *in, size_t in_len, const uint8_t *out, size_t out_len);
// packet_reach.c: why `to` may not have the packet, by the file alone; NULL: it may.
const char *pm_delivery_wrong(const struct pm_world *world, const struct pm_port *from, const struct pm_port *to,
                              const struct pm_packet *packet);
// packet_reply.c, part of it.
const char *pm_reply_wrong(const struct pm_port *from, const struct pm_result *result, const struct pm_outcome *outcome,
                           const uint8_t *in, const uint8_t *out, size_t out_len);
struct vnrs_addr pm_gateway(const struct pm_port *port, uint8_t family); // who ICMP errors come from; NONE: nobody
