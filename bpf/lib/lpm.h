// SPDX-License-Identifier: GPL-2.0-or-later
// Longest-prefix match in a route domain. The only place in the program that knows how routes are stored; its
// user-space half is daemon/fib/bpf_lpm.c. Both change together when another structure replaces the kernel's trie.
#pragma once

#include "lib/maps.h"
#include "lib/packet.h"

STAGE const struct vnrs_bpf_route *lpm_find(__u32 domain, const struct packet *p)
{
    if (p->family == 4) {
        struct vnrs_bpf_route_key4 key = {64, bpf_htonl(domain), p->daddr[0]};
        return bpf_map_lookup_elem(&routes4, &key);
    }
    struct vnrs_bpf_route_key6 key = {.prefixlen = 160, .domain_be = bpf_htonl(domain)};
    __builtin_memcpy(key.addr, p->daddr, 16);
    return bpf_map_lookup_elem(&routes6, &key);
}
