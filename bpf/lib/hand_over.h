// SPDX-License-Identifier: GPL-2.0-or-later
// A packet leaves for a machine: new MACs, and nothing else that it came with.
#pragma once

#include "lib/packet.h"

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

STAGE void frame_set_macs(__u8 *mac, const __u8 *to)
{
    const __u8 fabric[6] = VNRS_FABRIC_MAC;
    __u32 high;
    __u16 low;

    __builtin_memcpy(&high, fabric, 4);
    __builtin_memcpy(&low, fabric + 4, 2);
    *(__u32 *)mac = *(const __u32 *)to;
    *(__u16 *)(mac + 4) = *(const __u16 *)(to + 4);
    *(__u32 *)(mac + 6) = high;
    *(__u16 *)(mac + 10) = low;
}

// Nothing but the packet goes with it.
STAGE void frame_release(struct __sk_buff *skb)
{
    skb->mark = 0; // marks of one machine mean nothing in another
    // The fabric end need not have the fabric's MAC; what is not PACKET_HOST would be ignored on the other side.
    if (skb->pkt_type != PACKET_HOST)
        bpf_skb_change_type(skb, PACKET_HOST);
}

// It goes: to `d->ifindex`, whose guest end has this MAC.
STAGE void frame_hand_over(struct __sk_buff *skb, const __u8 *to, struct decision *d)
{
    __u8 *mac = (void *)(long)skb->data;

    if (mac + ETH_HLEN > (__u8 *)(long)skb->data_end) {
        drop(d, VNRS_DROP_MALFORMED);
        return;
    }
    frame_keep_macs(mac, d);
    frame_set_macs(mac, to);
    frame_release(skb);
    d->verdict = VNRS_BPF_VERDICT_FORWARD;
}
