// SPDX-License-Identifier: GPL-2.0-or-later
// The one exit: whatever was decided is counted here, and turned into what the kernel shall do.
#pragma once

#include "lib/flow.h"
#include "lib/impair.h"
#include "lib/maps.h"
#include "lib/packet.h"

// Per CPU, and softirqs do not nest.
STAGE void count(struct vnrs_bpf_counter *counter, __u32 packets, __u32 bytes)
{
    counter->packets += packets;
    counter->bytes += bytes;
}

STAGE void count_drop(__u32 reason, __u32 packets, __u32 bytes)
{
    struct vnrs_bpf_counter *counter = bpf_map_lookup_elem(&drop_counters, &reason);

    if (counter)
        count(counter, packets, bytes);
}

STAGE void count_from(__u32 ifindex, const struct decision *d, __u32 packets, __u32 bytes)
{
    struct vnrs_bpf_nic_counters *counters = bpf_map_lookup_elem(&nic_counters, &ifindex);

    if (!counters)
        return;
    count(&counters->from[d->billing & (_VNRS_BILL_MAX - 1)], packets, bytes);
    if (d->verdict == VNRS_BPF_VERDICT_FORWARD)
        count(&counters->types[d->type & (VNRS_BPF_TYPES_MAX - 1)], packets, bytes);
}

STAGE void count_to(__u32 ifindex, __u32 billing, __u32 packets, __u32 bytes)
{
    struct vnrs_bpf_nic_counters *counters = bpf_map_lookup_elem(&nic_counters, &ifindex);

    if (counters)
        count(&counters->to[billing & (_VNRS_BILL_MAX - 1)], packets, bytes);
}

STAGE int finish(struct __sk_buff *skb, const struct packet *p, struct decision *d)
{
    __u32 packets = skb->gso_segs > 1 ? skb->gso_segs : 1, bytes = p->frame_len - ETH_HLEN, index = 0;
    struct vnrs_bpf_flow_switch *asked = bpf_map_lookup_elem(&flow_switch, &index);

    if (asked && asked->on & VNRS_BPF_IMPAIRED)
        impair_decision(skb, d);
    skb->cb[VNRS_BPF_CB_VERDICT] = d->verdict;
    skb->cb[VNRS_BPF_CB_REASON] = d->reason;
    skb->cb[VNRS_BPF_CB_NEXTHOP] = d->nexthop;
    skb->cb[VNRS_BPF_CB_IFINDEX] = d->ifindex;
    skb->cb[VNRS_BPF_CB_TYPE] = VNRS_BPF_TYPE(d->type, d->billing);

    if (d->reason != VNRS_DROP_UNKNOWN_NIC)
        count_from(skb->ifindex, d, packets, bytes);
    if (d->verdict == VNRS_BPF_VERDICT_DROP || d->reason)
        count_drop(d->reason, packets, bytes);
    if (asked && asked->on)
        flow_tell(skb, asked, p, d);

    switch (d->verdict) {
    case VNRS_BPF_VERDICT_FORWARD:
        count_to(d->ifindex, d->billing, packets, bytes);
        return d->queued ? bpf_redirect(d->ifindex, 0) : bpf_redirect_peer(d->ifindex, 0);
    case VNRS_BPF_VERDICT_REPLY:
        count_to(d->ifindex, VNRS_BILL_NONE, 1, skb->len - ETH_HLEN);
        return bpf_redirect(d->ifindex, 0);
    default: // never TC_ACT_OK: the fabric's own stack must not see packets of machines
        return TC_ACT_SHOT;
    }
}
