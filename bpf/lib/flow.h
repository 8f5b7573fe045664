// SPDX-License-Identifier: GPL-2.0-or-later
// Tells user space of packets one by one: of all that are dropped, of a sample of those that are forwarded, and of none
// while nobody reads.
#pragma once

#include "lib/maps.h"
#include "lib/packet.h"

STAGE bool flow_is_asked_for(const struct vnrs_bpf_flow_switch *asked, const struct decision *d)
{
    if (!asked->on)
        return false;
    if (d->verdict == VNRS_BPF_VERDICT_DROP || d->reason)
        return true;
    return d->verdict == VNRS_BPF_VERDICT_FORWARD && asked->sample && bpf_get_prandom_u32() % asked->sample == 0;
}

STAGE void flow_tell(const struct __sk_buff *skb, const struct packet *p, const struct decision *d)
{
    __u32 index = 0;
    struct vnrs_bpf_flow_switch *asked = bpf_map_lookup_elem(&flow_switch, &index);
    struct vnrs_bpf_flow_event *event = NULL;

    if (!asked || !flow_is_asked_for(asked, d))
        return;
    // A reader that does not keep up leaves the ring full: asking costs less than trying, which takes a lock.
    if (bpf_ringbuf_query(&flow_events, BPF_RB_AVAIL_DATA) <= FLOW_EVENTS_BYTES - FLOW_EVENT_ROOM)
        event = bpf_ringbuf_reserve(&flow_events, sizeof(*event), 0);
    if (!event) {
        __sync_fetch_and_add(&asked->lost, 1);
        return;
    }
    bool forwarded = d->verdict == VNRS_BPF_VERDICT_FORWARD;
    event->time_ns = bpf_ktime_get_ns();
    event->reason = d->reason;
    event->ifindex = skb->ifindex;
    event->egress = forwarded ? d->ifindex : 0;
    event->len = p->frame_len - ETH_HLEN;
    __builtin_memcpy(event->saddr, p->saddr, 16);
    __builtin_memcpy(event->daddr, p->daddr, 16);
    event->sport_be = p->sport;
    event->dport_be = p->dport;
    event->verdict = d->verdict;
    event->type = forwarded ? d->type : 0;
    event->family = p->family;
    event->protocol = p->protocol;
    bpf_ringbuf_submit(event, 0);
}
