// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of a fabric that the kernel forwards, one per route domain.
//
// How a packet finds its way. It enters by a fabric end; a rule `iif <link>` sends it to the table of the NIC's domain.
// There its longest match is
//   - the next-hop object of a group of NICs (an NVA, a gateway, the Internet edge): a resilient group of hops
//     `via fe80::1 dev <fabric end>`, where fe80::1 is a permanent neighbour with the MAC of the machine's end. One
//     gateway address for both families and every link: nothing is ever resolved, whatever the destination;
//   - a host route to an endpoint. The table has one for each endpoint whose longest match among the domain's routes
//     leads to endpoints of its virtual network, so precedence is exactly that of the domain's routes;
//   - a route whose next hop type leads to endpoints, for addresses that nobody has, as are the gateway addresses of
//     the subnets (.1); None; and where the domain has no default route, the default, so that no lookup leaves the
//     table: to the link where packets are dropped (kernel_drops.h). Proxy ARP answers for these as for every address.
// ARP is answered by the kernel (proxy_arp; proxy_arp_pvlan, where the way leads back to the asker's link), neighbour
// solicitations by proxy neighbours.
#pragma once

#include "fib/kernel_db.h"
#include "fib/kernel_fabric.h"
#include "fib/kernel_routes.h"

struct vnrs_kgateway { // that a NIC's subnet calls so; found by the first two
    struct vnrs_addr addr;
    uint32_t domain;
    uint32_t vnet;
};

struct vnrs_ktables {
    struct vnrs_nl *nl;
    struct vnrs_nhset nexthops;
    struct vnrs_fibdb db;               // what is wanted
    struct vnrs_fabric fabric;          // likewise
    struct vnrs_map domains;            // what the kernel has, by domain
    VEC(struct vnrs_addr) hosts;        // endpoints and gateways, sorted, each once
    VEC(struct vnrs_kgateway) gateways; // likewise
    char error[256];                    // of the last vnrs_ktables_write that failed
};

void vnrs_ktables_init(struct vnrs_ktables *tables, struct vnrs_nl *nl);
void vnrs_ktables_fini(struct vnrs_ktables *tables); // leaves `nl`

// Read next hops and routes of ours back.
int vnrs_ktables_load(struct vnrs_ktables *tables) VNRS_MUST_CHECK;
// Slots of groups whose members changed. Returns 1 when routes have to be written again for it.
int vnrs_ktables_update_groups(struct vnrs_ktables *tables) VNRS_MUST_CHECK;
// Every next hop that routes will need; refused ones are told by `nexthops.failed`. `links`: NICs or endpoints changed.
// `claim_objects` after a load: slots find their objects by the routes that are there.
int vnrs_ktables_prepare(struct vnrs_ktables *tables, bool links, bool claim_objects) VNRS_MUST_CHECK;
// Routes: changes, or everything compared with what the kernel is known to have.
int vnrs_ktables_write(struct vnrs_ktables *tables, bool whole) VNRS_MUST_CHECK;
// All is written: forget what changed, remove next hops that nothing uses.
int vnrs_ktables_commit(struct vnrs_ktables *tables) VNRS_MUST_CHECK;
