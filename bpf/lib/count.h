// SPDX-License-Identifier: GPL-2.0-or-later
// The exits: whatever was decided is counted here, and turned into what the kernel shall do.
#pragma once

#include "lib/flow.h"
#include "lib/hand_over.h"
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

STAGE struct vnrs_bpf_nic_counters *counters_of(__u32 ifindex)
{
    return bpf_map_lookup_elem(&nic_counters, &ifindex);
}

STAGE void count_to(__u32 ifindex, __u32 billing, __u32 packets, __u32 bytes)
{
    struct vnrs_bpf_nic_counters *counters = counters_of(ifindex);

    if (counters)
        count(&counters->to[billing & (_VNRS_BILL_MAX - 1)], packets, bytes);
}

STAGE void count_forwarded(__u32 from, __u32 to, __u32 type, __u32 billing, __u32 packets, __u32 bytes)
{
    struct vnrs_bpf_nic_counters *counters = counters_of(from);

    if (counters) {
        count(&counters->from[billing & (_VNRS_BILL_MAX - 1)], packets, bytes);
        count(&counters->types[type & (VNRS_BPF_TYPES_MAX - 1)], packets, bytes);
    }
    count_to(to, billing, packets, bytes);
}

// Of a packet that was not forwarded.
STAGE void count_kept(__u32 from, const struct decision *d, __u32 packets, __u32 bytes)
{
    struct vnrs_bpf_nic_counters *counters = d->reason != VNRS_DROP_UNKNOWN_NIC ? counters_of(from) : NULL;

    if (counters)
        count(&counters->from[VNRS_BILL_NONE], packets, bytes);
    if (d->verdict == VNRS_BPF_VERDICT_DROP || d->reason)
        count_drop(d->reason, packets, bytes);
}

// For test runs.
STAGE void leave(struct __sk_buff *skb, __u32 verdict, __u32 reason, __u32 nexthop, __u32 ifindex, __u32 account)
{
    skb->cb[VNRS_BPF_CB_VERDICT] = verdict;
    skb->cb[VNRS_BPF_CB_REASON] = reason;
    skb->cb[VNRS_BPF_CB_NEXTHOP] = nexthop;
    skb->cb[VNRS_BPF_CB_IFINDEX] = ifindex;
    skb->cb[VNRS_BPF_CB_ACCOUNT] = account;
}

STAGE __u32 packets_in(const struct __sk_buff *skb)
{
    return skb->gso_segs > 1 ? skb->gso_segs : 1;
}

// Whether somebody is to be told of packets, or links are not as they should be.
STAGE struct vnrs_bpf_flow_switch *asked_for(void)
{
    struct vnrs_bpf_flow_switch *asked = switch_now();

    return asked && asked->on ? asked : NULL;
}

STAGE int finish(struct __sk_buff *skb, const struct packet *p, struct decision *d)
{
    __u32 packets = packets_in(skb), bytes = p->frame_len - ETH_HLEN;
    struct vnrs_bpf_flow_switch *asked = asked_for();

    if (asked && asked->on & VNRS_BPF_IMPAIRED)
        impair_decision(skb, d);
    leave(skb, d->verdict, d->reason, d->nexthop, d->ifindex, VNRS_BPF_ACCOUNT(d->type, d->billing));
    if (asked)
        flow_tell(skb, asked, p, d);

    if (d->verdict == VNRS_BPF_VERDICT_FORWARD) {
        count_forwarded(skb->ifindex, d->ifindex, d->type, d->billing, packets, bytes);
        return d->queued ? bpf_redirect(d->ifindex, 0) : bpf_redirect_peer(d->ifindex, 0);
    }
    count_kept(skb->ifindex, d, packets, bytes);
    if (d->verdict != VNRS_BPF_VERDICT_REPLY)
        return TC_ACT_SHOT; // never TC_ACT_OK: the fabric's own stack must not see packets of machines
    count_to(d->ifindex, VNRS_BILL_NONE, 1, skb->len - ETH_HLEN);
    return bpf_redirect(d->ifindex, 0);
}

// The same for a packet that was decided before, whose frame begins at `frame`: it is forwarded.
STAGE int finish_again(struct __sk_buff *skb, __u8 *frame, const struct vnrs_bpf_cached *c)
{
    __u32 to = c->to, account = c->account;

    frame_set_macs(frame, c->mac);
    frame_release(skb);
    leave(skb, VNRS_BPF_VERDICT_FORWARD, 0, c->nexthop, to, account);
    count_forwarded(skb->ifindex, to, account & 15, account >> 4, packets_in(skb), skb->len - ETH_HLEN);
    return bpf_redirect_peer(to, 0);
}
