// SPDX-License-Identifier: GPL-2.0-or-later
// The one exit: whatever was decided is counted here, and turned into what the kernel shall do.
#pragma once

#include "lib/flow.h"
#include "lib/impair.h"
#include "lib/maps.h"
#include "lib/packet.h"

STAGE void count_add(void *map, __u32 index, __u32 packets, __u32 bytes)
{
    struct vnrs_bpf_counter *counter = bpf_map_lookup_elem(map, &index);

    if (counter) { // per CPU, and softirqs do not nest
        counter->packets += packets;
        counter->bytes += bytes;
    }
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
    skb->cb[VNRS_BPF_CB_TYPE] = d->type;

    if (d->reason != VNRS_DROP_UNKNOWN_NIC)
        count_add(&nic_counters, skb->ifindex * _VNRS_BPF_DIR_MAX + VNRS_BPF_FROM_NIC, packets, bytes);
    if (d->verdict == VNRS_BPF_VERDICT_DROP || d->reason)
        count_add(&drop_counters, d->reason, packets, bytes);
    if (asked && asked->on)
        flow_tell(skb, asked, p, d);

    switch (d->verdict) {
    case VNRS_BPF_VERDICT_FORWARD:
        count_add(&nic_counters, d->ifindex * _VNRS_BPF_DIR_MAX + VNRS_BPF_TO_NIC, packets, bytes);
        count_add(&type_counters, d->type, packets, bytes);
        return d->queued ? bpf_redirect(d->ifindex, 0) : bpf_redirect_peer(d->ifindex, 0);
    case VNRS_BPF_VERDICT_REPLY:
        count_add(&nic_counters, d->ifindex * _VNRS_BPF_DIR_MAX + VNRS_BPF_TO_NIC, 1, skb->len - ETH_HLEN);
        return bpf_redirect(d->ifindex, 0);
    default: // never TC_ACT_OK: the fabric's own stack must not see packets of machines
        return TC_ACT_SHOT;
    }
}
