// SPDX-License-Identifier: GPL-2.0-or-later
// Group → next hop by flow, or for load balancers by both directions of it. The hash is ours and takes the same fields
// on every kernel: addresses and protocol, and the ports of unfragmented TCP and UDP, so the fragments of a packet stay
// together. A bucket whose member is dead is left in odd steps that depend on the flow: that visits every bucket, and
// spreads the flows of a lost member over all others.
#pragma once

#include "lib/flow_hash.h"
#include "lib/maps.h"
#include "lib/packet.h"

STAGE __u32 flow_hash(const struct packet *p)
{
    __u64 hash = flow_pair(p->saddr[0], p->daddr[0], 0x9e3779b97f4a7c15) ^
                 flow_pair((__u32)p->sport << 16 | p->dport, p->protocol, 0xc2b2ae3d27d4eb4f);

    if (p->family == 6)
        hash ^= flow_pair(p->saddr[1], p->daddr[1], 0x165667b19e3779f9) ^
                flow_pair(p->saddr[2], p->daddr[2], 0xd6e8feb86659fd93) ^
                flow_pair(p->saddr[3], p->daddr[3], 0xa0761d6478bd642f);
    hash = (hash ^ hash >> 32) * 0xff51afd7ed558ccd;
    return hash >> 32;
}

// The same for both directions. Load balancers are few, so this is out of the way.
SUBPROGRAM flow_hash_both(const struct packet *p)
{
    if (!p)
        return 0;
    __u64 hash = flow_end(p->saddr, p->sport) + flow_end(p->daddr, p->dport) + p->protocol;

    hash = (hash ^ hash >> 32) * 0xff51afd7ed558ccd;
    return hash >> 32;
}

STAGE const struct vnrs_bpf_nexthop *nexthop_in(const struct vnrs_bpf_group *group, __u32 at, __u32 *index)
{
    *index = group->bucket[at & (VNRS_GROUP_BUCKETS - 1)];
    const struct vnrs_bpf_nexthop *nexthop = bpf_map_lookup_elem(&nexthops, index);

    return nexthop && nexthop->kind != VNRS_BPF_NH_DEAD ? nexthop : NULL;
}

// The bucket of a flow whose own bucket has a dead member, or -1: none is alive.
SUBPROGRAM nexthop_search(__u32 group_index, __u32 hash)
{
    const struct vnrs_bpf_group *group = bpf_map_lookup_elem(&groups, &group_index);
    __u32 at = hash >> 16 & (VNRS_GROUP_BUCKETS - 1), step = (hash >> 8) | 1, index;

    if (!group)
        return -1;
    for (int i = 0; i < VNRS_GROUP_BUCKETS; i++) {
        if (nexthop_in(group, at, &index))
            return at;
        at = (at + step) & (VNRS_GROUP_BUCKETS - 1);
    }
    return -1;
}

STAGE const struct vnrs_bpf_nexthop *nexthop_by(__u32 group_index, const struct vnrs_bpf_group *group, __u32 hash,
                                                __u32 *index)
{
    const struct vnrs_bpf_nexthop *nexthop = nexthop_in(group, hash, index);

    if (nexthop)
        return nexthop;
    int at = nexthop_search(group_index, hash);
    return at < 0 ? NULL : nexthop_in(group, at, index);
}

// The next hop and its index, or NULL: none is alive.
STAGE const struct vnrs_bpf_nexthop *nexthop_choose(__u32 group_index, const struct packet *p, __u32 *index,
                                                    bool *by_flow)
{
    const struct vnrs_bpf_group *group = bpf_map_lookup_elem(&groups, &group_index);
    const struct vnrs_bpf_nexthop *nexthop;

    if (!group)
        return NULL;
    *by_flow = group->n != 1;
    if (!*by_flow)
        return nexthop_in(group, 0, index);
    nexthop = nexthop_by(group_index, group, flow_hash(p), index);
    if (nexthop && nexthop->flags & VNRS_BPF_NHF_BALANCED)
        nexthop = nexthop_by(group_index, group, flow_hash_both(p), index);
    return nexthop;
}
