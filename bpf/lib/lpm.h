// SPDX-License-Identifier: GPL-2.0-or-later
// Longest-prefix match in the tables that daemon/fib/bpf_lpm.c fills: routes of a route domain, addresses of a virtual
// network.
#pragma once

#include "lib/maps.h"
#include "lib/packet.h"

static __always_inline const struct vnrs_lpm_line *lpm_line(__u32 index)
{
    __u32 chunk_index = index >> VNRS_LPM_CHUNK_SHIFT, at = index & (VNRS_LPM_CHUNK_LINES - 1);
    void *chunk = bpf_map_lookup_elem(&lines, &chunk_index);

    return chunk ? bpf_map_lookup_elem(chunk, &at) : NULL;
}

// Both halves at once, as they are stored.
STAGE struct vnrs_lpm_root lpm_root(const struct vnrs_lpm_root *at)
{
    __u64 both = *(const volatile __u64 *)at;

    return (struct vnrs_lpm_root){.entry = (__u32)both, .fallback = both >> 32};
}

// Each verified once, and once in the program.
SUBPROGRAM lpm_find4(__u32 number, __be32 addr)
{
    const struct vnrs_lpm_table *table = bpf_map_lookup_elem(&tables, &number);
    vnrs_lpm_lines all = {};

    return table ? vnrs_lpm_walk4(all, lpm_root(&table->v4), bpf_ntohl(addr)) : 0;
}

SUBPROGRAM lpm_find6(__u32 number, __u64 high, __u64 low)
{
    const struct vnrs_lpm_table *table = bpf_map_lookup_elem(&tables, &number);
    vnrs_lpm_lines all = {};

    return table ? vnrs_lpm_walk6(all, lpm_root(&table->v6), high, low) : 0;
}

// The value of the longest prefix, or 0.
STAGE __u32 lpm_find(__u32 number, __u32 family, const __u32 *addr)
{
    if (family == 4)
        return lpm_find4(number, addr[0]);
    return lpm_find6(number, (__u64)bpf_ntohl(addr[0]) << 32 | bpf_ntohl(addr[1]),
                     (__u64)bpf_ntohl(addr[2]) << 32 | bpf_ntohl(addr[3]));
}
