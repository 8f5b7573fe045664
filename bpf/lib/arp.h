// SPDX-License-Identifier: GPL-2.0-or-later
// ARP (RFC 826) as Azure's fabric answers it: every request gets the fabric's MAC, whatever address is asked for
// (azure-routing.md section 10). Silent for announcements and probes (RFC 5227), which ask for the sender's own
// address.
#pragma once

#include "lib/capture.h"
#include "lib/endpoint.h"

// <linux/if_arp.h> needs the C library of the target.
#define ARP_ETHERNET 1
#define ARP_REQUEST  1
#define ARP_REPLY    2

struct arp_frame {
    __u8 dst[6], src[6];
    __be16 proto;
    __be16 htype, ptype;
    __u8 hlen, plen;
    __be16 op;
    __u8 sha[6];
    __u8 spa[4]; // 4 bytes at a 2-byte boundary
    __u8 tha[6];
    __u8 tpa[4];
};
_Static_assert(sizeof(struct arp_frame) == 42, "an ARP frame");

SUBPROGRAM arp_handle(struct __sk_buff *skb, const struct vnrs_bpf_nic *nic, const struct packet *p, struct decision *d)
{
    __u32 asked[4] = {}, sender = 0;
    struct arp_frame f;

    if (!nic || !p || !d)
        return 0;
    if (bpf_skb_load_bytes(skb, 0, &f, sizeof(f)) || f.htype != bpf_htons(ARP_ETHERNET) ||
        f.ptype != bpf_htons(ETH_P_IP) || f.hlen != 6 || f.plen != 4) {
        drop(d, VNRS_DROP_MALFORMED);
        return 0;
    }
    __builtin_memcpy(asked, f.tpa, 4);
    __builtin_memcpy(&sender, f.spa, 4);
    d->verdict = VNRS_BPF_VERDICT_IGNORE;
    if (f.op != bpf_htons(ARP_REQUEST) || !sender || asked[0] == sender ||
        endpoint_find(nic->vnet, 4, asked) == skb->ifindex)
        return 0;

    capture_question(skb, p, d, VNRS_BPF_VERDICT_REPLY);
    f.op = bpf_htons(ARP_REPLY);
    __builtin_memcpy(f.dst, f.src, 6);
    fabric_mac(f.src);
    __builtin_memcpy(f.tha, f.sha, 6);
    fabric_mac(f.sha);
    __builtin_memcpy(f.tpa, &sender, 4);
    __builtin_memcpy(f.spa, asked, 4);
    if (bpf_skb_store_bytes(skb, 0, &f, sizeof(f), BPF_F_RECOMPUTE_CSUM) == 0)
        reply(skb, d);
    return 0;
}
