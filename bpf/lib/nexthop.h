// SPDX-License-Identifier: GPL-2.0-or-later
// Group → next hop by flow. The hash is ours and takes the same fields on every kernel: addresses and protocol, and the
// ports of unfragmented TCP and UDP, so the fragments of a packet stay together. A bucket whose member is dead is left
// in odd steps that depend on the flow: that visits every bucket, and spreads the flows of a lost member over all
// others.
#pragma once

#include "lib/maps.h"
#include "lib/packet.h"

STAGE __u32 flow_mix(__u32 hash, __u32 word)
{
    hash = (hash ^ word) * 0x9e3779b1;
    return hash ^ (hash >> 15);
}

STAGE __u32 flow_hash(const struct packet *p)
{
    __u32 hash = flow_mix(p->protocol, (__u32)p->sport << 16 | p->dport);

    hash = flow_mix(flow_mix(hash, p->saddr[0]), p->daddr[0]);
    if (p->family == 6) {
        for (int i = 1; i < 4; i++)
            hash = flow_mix(flow_mix(hash, p->saddr[i]), p->daddr[i]);
    }
    hash *= 0x85ebca6b;
    return hash ^ (hash >> 13);
}

// Index of the next hop of a flow, or -1: none is alive.
SUBPROGRAM nexthop_choose(__u32 group_index, __u32 hash)
{
    const struct vnrs_bpf_group *group = bpf_map_lookup_elem(&groups, &group_index);
    __u32 at = hash, step = (hash >> 8) | 1;

    if (!group)
        return -1;
    for (int i = 0; i <= VNRS_GROUP_BUCKETS; i++) {
        __u32 index = group->bucket[at & (VNRS_GROUP_BUCKETS - 1)];
        const struct vnrs_bpf_nexthop *nexthop = bpf_map_lookup_elem(&nexthops, &index);
        if (nexthop && nexthop->kind != VNRS_BPF_NH_DEAD)
            return index;
        at = i ? at + step : hash >> 16;
    }
    return -1;
}
