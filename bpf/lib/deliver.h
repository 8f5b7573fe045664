// SPDX-License-Identifier: GPL-2.0-or-later
// Hand a packet to the NIC that it goes to: access lists, destination check, MTU, then new MACs and nothing else; the
// fabric does not decrement the TTL (azure-routing.md section 10).
#pragma once

#include "lib/access.h"
#include "lib/mtu.h"

// <linux/if_packet.h>
#define PACKET_HOST 0

// In words: packets are not aligned, and where BPF runs they need not be.
STAGE void frame_keep_macs(const __u8 *mac, struct decision *d)
{
    const __u32 *words = (const void *)mac;

    d->macs[0] = words[0];
    d->macs[1] = words[1];
    d->macs[2] = words[2];
}

STAGE void frame_set_macs(__u8 *mac, const struct vnrs_bpf_nic *to)
{
    *(__u32 *)mac = *(const __u32 *)to->mac;
    *(__u16 *)(mac + 4) = *(const __u16 *)(to->mac + 4);
    fabric_mac(mac + 6);
}

// To `d->ifindex`.
STAGE void deliver(struct __sk_buff *skb, const struct vnrs_bpf_nic *from, const struct packet *p, struct decision *d)
{
    __u32 ifindex = d->ifindex;
    const struct vnrs_bpf_nic_record *record = bpf_map_lookup_elem(&nics, &ifindex);
    const struct vnrs_bpf_nic *to = record ? &record->nic : NULL;

    if (!to || !(to->flags & VNRS_NIC_PRESENT)) {
        drop(d, d->to_endpoint ? VNRS_DROP_NO_ENDPOINT : VNRS_DROP_DEAD_NEXTHOP);
        return;
    }
    if (!access_service(from, to, ifindex)) {
        drop(d, VNRS_DROP_SERVICE_DENIED);
        return;
    }
    if (!access_peering(from, to, p)) {
        drop(d, VNRS_DROP_NOT_FORWARDED);
        return;
    }
    if (!d->to_endpoint && !(to->flags & (VNRS_NIC_FORWARDING | VNRS_NIC_EDGE)) &&
        !endpoint_is(record, ifindex, p->family, p->daddr)) {
        drop(d, VNRS_DROP_DESTINATION);
        return;
    }
    if (p->dont_fragment && mtu_exceeded(skb, p, to->mtu)) {
        mtu_refuse(skb, from, p, to->mtu, d);
        return;
    }

    __u8 *mac = (void *)(long)skb->data;
    if (mac + ETH_HLEN > (__u8 *)(long)skb->data_end) {
        drop(d, VNRS_DROP_MALFORMED);
        return;
    }
    frame_keep_macs(mac, d);
    frame_set_macs(mac, to);
    skb->mark = 0; // marks of one machine mean nothing in another
    // The fabric end need not have the fabric's MAC; what is not PACKET_HOST would be ignored on the other side.
    if (skb->pkt_type != PACKET_HOST)
        bpf_skb_change_type(skb, PACKET_HOST);
    d->verdict = VNRS_BPF_VERDICT_FORWARD;
}
