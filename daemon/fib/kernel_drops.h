// SPDX-License-Identifier: GPL-2.0-or-later
// Where the tables of a fabric that the kernel forwards lead packets that routing drops, so that they are seen: to a
// link of the fabric's own, by gateways that nobody has, one for each reason. In its forward hook nftables sees the
// link and the gateway, marks the packet with the reason, counts and drops it (kernel_fabric.c): nothing is sent there,
// and nobody asks for the gateways' MACs. At a blackhole route the kernel would drop it before anything of ours.
//
// The link is a veth pair with both ends in the fabric, which the caller of the sink makes: VNRS_KERNEL_DROP_LINK and,
// without IPv6, VNRS_KERNEL_DROP_END, both up and with numbers and MTU as below.
#pragma once

#include "fib/nlroute.h"
#include "vnrs/bpf_abi.h"
#include "vnrs/drop_reason.h"

#define VNRS_KERNEL_DROP_LINK        "vnrs.drop"
#define VNRS_KERNEL_DROP_END         "vnrs.drop-end"
#define VNRS_KERNEL_DROP_IFINDEX     8192u // behind those of NICs
#define VNRS_KERNEL_DROP_END_IFINDEX 8193u
#define VNRS_KERNEL_DROP_MTU         65535u // none is too big for it

static_assert(VNRS_KERNEL_DROP_IFINDEX == VNRS_NICS_MAX, "no NIC's");

// The hop for packets of a family, static; `reason`: NO_ROUTE, NONE_ROUTE, NO_ENDPOINT, or for IPv6 alone DEAD_NEXTHOP,
// which IPv4 routes lead to as well: nftables knows it by being none of the others.
const struct vnrs_nlhop *vnrs_kernel_drop_hop(uint8_t family, enum vnrs_drop_reason reason);
