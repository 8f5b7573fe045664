// SPDX-License-Identifier: GPL-2.0-or-later
// The one exit: whatever was decided is counted here, and turned into what the kernel shall do.
#pragma once

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

STAGE void count_drop(const struct __sk_buff *skb, const struct packet *p, __u32 reason, __u32 packets)
{
    count_add(&drop_counters, reason, packets, p->frame_len - ETH_HLEN);

    // While nobody reads, the ring is full: asking costs less than trying.
    if (bpf_ringbuf_query(&drop_events, BPF_RB_AVAIL_DATA) > DROP_EVENTS_BYTES - DROP_EVENT_ROOM)
        return;
    struct vnrs_bpf_drop_event *event = bpf_ringbuf_reserve(&drop_events, sizeof(*event), 0);
    if (!event)
        return;
    event->time_ns = bpf_ktime_get_ns();
    event->reason = reason;
    event->ifindex = skb->ifindex;
    event->len = p->frame_len - ETH_HLEN;
    event->family = p->family;
    __builtin_memcpy(event->saddr, p->saddr, 16);
    __builtin_memcpy(event->daddr, p->daddr, 16);
    event->protocol = p->protocol;
    event->sport_be = p->sport;
    event->dport_be = p->dport;
    bpf_ringbuf_submit(event, 0);
}

STAGE int finish(struct __sk_buff *skb, const struct packet *p, const struct decision *d)
{
    __u32 packets = skb->gso_segs > 1 ? skb->gso_segs : 1, bytes = p->frame_len - ETH_HLEN;

    skb->cb[VNRS_BPF_CB_VERDICT] = d->verdict;
    skb->cb[VNRS_BPF_CB_REASON] = d->reason;
    skb->cb[VNRS_BPF_CB_NEXTHOP] = d->nexthop;
    skb->cb[VNRS_BPF_CB_IFINDEX] = d->ifindex;
    skb->cb[VNRS_BPF_CB_TYPE] = d->type;

    if (d->reason != VNRS_DROP_UNKNOWN_NIC)
        count_add(&nic_counters, skb->ifindex * _VNRS_BPF_DIR_MAX + VNRS_BPF_FROM_NIC, packets, bytes);
    if (d->verdict == VNRS_BPF_VERDICT_DROP || d->reason)
        count_drop(skb, p, d->reason, packets);

    switch (d->verdict) {
    case VNRS_BPF_VERDICT_FORWARD:
        count_add(&nic_counters, d->ifindex * _VNRS_BPF_DIR_MAX + VNRS_BPF_TO_NIC, packets, bytes);
        count_add(&type_counters, d->type, packets, bytes);
        return bpf_redirect_peer(d->ifindex, 0);
    case VNRS_BPF_VERDICT_REPLY:
        count_add(&nic_counters, d->ifindex * _VNRS_BPF_DIR_MAX + VNRS_BPF_TO_NIC, 1, skb->len - ETH_HLEN);
        return bpf_redirect(d->ifindex, 0);
    default: // never TC_ACT_OK: the fabric's own stack must not see packets of machines
        return TC_ACT_SHOT;
    }
}
