// SPDX-License-Identifier: GPL-2.0-or-later
// What the controller tells the sinks: groups of next hops, routes per route domain, NICs, endpoints, access
// lists. The same structs travel in agent_proto.h messages and are handed to daemon/fib/.
//
// A group handle is a name that the controller chooses; it lives as long as one controller. Sinks map it to a slot
// (BPF) or a next-hop object (kernel) by its content, so that a new controller with other handles rewrites nothing that
// is right already. Setting a handle again with other members moves every route that uses it in one write.
//
// Synchronising: BEGIN, then everything that shall exist, then END: whatever was not mentioned since BEGIN is removed.
// Between syncs, single sets and removals are deltas.
#pragma once

#include "vnrs/addr.h"
#include "vnrs/bpf_abi.h"
#include "vnrs/nexthop_type.h"

#include <stdint.h>

#define VNRS_GROUP_MEMBERS_MAX 64

struct vnrs_fib_member {
    uint8_t kind;   // enum vnrs_bpf_nexthop_kind
    uint8_t flags;  // enum vnrs_bpf_nexthop_flags
    uint8_t pad[2]; // 0
    uint32_t vnet;  // ENDPOINT: in whose endpoints the destination is looked up
    // NIC: fabric end, 0: for guest tables alone, `via` is in their surroundings; DEAD: that of the NIC, or 0
    uint32_t ifindex;
    struct vnrs_addr via; // address that the effective route names (an NVA), for kernel and guest tables; may be NONE
    uint8_t pad2[3];
};

struct vnrs_fib_group {
    uint32_t handle; // from 1
    uint32_t n;      // 1..VNRS_GROUP_MEMBERS_MAX
    struct vnrs_fib_member members[VNRS_GROUP_MEMBERS_MAX];
};

struct vnrs_fib_route {
    uint32_t domain; // from 1
    uint32_t group;  // handle; 0: remove the route
    struct vnrs_prefix prefix;
    uint8_t type;  // enum vnrs_nexthop_type
    uint8_t apart; // 1: of a domain that only guest tables have; next hops are addresses in their surroundings
};

struct vnrs_fib_nic {
    uint32_t ifindex;        // fabric end
    struct vnrs_bpf_nic nic; // flags without VNRS_NIC_PRESENT: remove
};

struct vnrs_fib_endpoint {
    uint32_t vnet;
    uint32_t ifindex; // 0: remove
    struct vnrs_addr addr;
    uint8_t pad[3];
};

struct vnrs_fib_acl { // who is let in
    uint32_t kind;    // enum vnrs_acl_kind, which tells what `to` and `from` are
    uint32_t to, from;
    uint32_t allowed; // 0: remove
};

static_assert(sizeof(struct vnrs_fib_member) == 32, "wire layout");
static_assert(sizeof(struct vnrs_fib_group) == 8 + 32 * VNRS_GROUP_MEMBERS_MAX, "wire layout");
static_assert(sizeof(struct vnrs_fib_route) == 28, "wire layout");
static_assert(sizeof(struct vnrs_fib_nic) == 52, "wire layout");
static_assert(sizeof(struct vnrs_fib_endpoint) == 28, "wire layout");
static_assert(sizeof(struct vnrs_fib_acl) == 16, "wire layout");
