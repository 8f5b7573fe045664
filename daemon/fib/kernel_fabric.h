// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel sink knows of a fabric besides routes: its NICs, the endpoints behind them, access lists.
#pragma once

#include "net/addr.h"
#include "util/hash.h"
#include "util/strbuf.h"
#include "util/vec.h"
#include "vnrs/fib.h"

struct vnrs_fabric {
    struct vnrs_map nics;      // by ifindex; struct vnrs_fib_nic
    struct vnrs_map endpoints; // by (vnet, addr); struct vnrs_fabric_endpoint
    struct vnrs_map acls;      // by (kind, to, from); struct vnrs_fib_acl
};

struct vnrs_fabric_endpoint {
    struct {
        uint32_t vnet;
        struct vnrs_addr addr;
        uint8_t pad[3];
    } key;
    uint32_t ifindex;
};

static_assert(sizeof(struct vnrs_fabric_endpoint) == 28, "no padding in the key");

void vnrs_fabric_fini(struct vnrs_fabric *fabric); // and empty again
// Return 1 when something changed, 0 when not, or a negative errno.
int vnrs_fabric_nic_set(struct vnrs_fabric *fabric, const struct vnrs_fib_nic *nic) VNRS_MUST_CHECK;
int vnrs_fabric_endpoint_set(struct vnrs_fabric *fabric, const struct vnrs_fib_endpoint *endpoint) VNRS_MUST_CHECK;
int vnrs_fabric_acl_set(struct vnrs_fabric *fabric, const struct vnrs_fib_acl *acl) VNRS_MUST_CHECK;

const struct vnrs_fib_nic *vnrs_fabric_nic_find(const struct vnrs_fabric *fabric, uint32_t ifindex);
// The fabric end of who has the address, or 0.
uint32_t vnrs_fabric_endpoint_find(const struct vnrs_fabric *fabric, uint32_t vnet, const struct vnrs_addr *addr);

// The nftables script that replaces the tables `inet vnrs` and `arp vnrs` by such that make the checks of the packet
// path: source and destination address of NICs that do not forward, what no NIC may send, subnets that a restricted
// service lets in, what may be forwarded over a peering, ARP about a NIC's own address; and has what they drop and let
// pass counted (kernel_counters.h). Equal fabrics give equal text.
// It holds a set named `vnrs_fabric_nft_mark(…)`, by which the table is recognised.
char *vnrs_fabric_nft_script(const struct vnrs_fabric *fabric) VNRS_MUST_CHECK; // NULL: out of memory
void vnrs_fabric_nft_mark(const char *script, char ret_mark[static 18]);        // of the rest of the script

// The script that has every packet that these tables drop handed over to group VNRS_KERNEL_LOG_GROUP of NFLOG, and one
// in `sample` of those that are delivered (0: none), with the mark that the counters go by (kernel_counters.h). `on`
// false: no packet any more.
#define VNRS_KERNEL_LOG_TABLE "vnrs_flows" // of family inet
#define VNRS_KERNEL_LOG_GROUP 1
char *vnrs_fabric_log_script(bool on, uint32_t sample) VNRS_MUST_CHECK; // NULL: out of memory
