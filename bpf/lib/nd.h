// SPDX-License-Identifier: GPL-2.0-or-later
// IPv6 neighbour discovery (RFC 4861): solicitations are answered like ARP requests, with the fabric's MAC, whatever
// the target. Silent for duplicate address detection (RFC 4862: source ::) and for the sender's own addresses. Router
// solicitations, redirects and listener reports are multicast like any other.
#pragma once

#include "lib/capture.h"
#include "lib/checksum.h"
#include "lib/endpoint.h"

#include <linux/icmpv6.h>
#include <linux/ipv6.h>

#define ND_SOLICIT      135
#define ND_ADVERT       136
#define ND_ADVERT_FLAGS 0xe0000000 // router, solicited, override
#define ND_OPT_TARGET   2
#define ND_HOP_LIMIT    255
#define ND_L4           (ETH_HLEN + sizeof(struct ipv6hdr))

struct nd_message {
    __u8 type, code;
    __u16 checksum;
    __be32 flags;
    __u32 target[4];
};
_Static_assert(sizeof(struct nd_message) == 24, "a neighbour solicitation");

struct nd_advert {
    struct nd_message msg;
    __u8 opt_type, opt_len; // in units of 8 bytes
    __u8 mac[6];
};

struct nd_frame {
    __u8 dst[6], src[6];
    __be16 proto;
    __u8 ip[8]; // up to the addresses
    __u8 saddr[16], daddr[16];
    __u8 advert[sizeof(struct nd_advert)];
};
_Static_assert(sizeof(struct nd_frame) == 86, "a neighbour advertisement");

STAGE bool nd_is_solicit(struct __sk_buff *skb, const struct packet *p)
{
    __u8 type = 0;

    return p->protocol == IPPROTO_ICMPV6 && !p->fragment && p->l4 < ETH_HLEN + p->len &&
           bpf_skb_load_bytes(skb, p->l4, &type, 1) == 0 && type == ND_SOLICIT;
}

// A frame of its own, which capture_question does not stand on: the stack of all calls together is small.
SUBPROGRAM nd_answer(struct __sk_buff *skb, const struct packet *p, const struct nd_message *ns)
{
    struct {
        struct pseudo_header6 pseudo;
        struct nd_advert advert;
    } sum;
    struct nd_frame f;

    if (!p || !ns)
        return -1;
    __builtin_memset(&sum, 0, sizeof(sum));
    sum.pseudo.len = bpf_htonl(sizeof(struct nd_advert));
    sum.pseudo.next = bpf_htonl(IPPROTO_ICMPV6);
    sum.advert.msg.type = ND_ADVERT;
    sum.advert.msg.flags = bpf_htonl(ND_ADVERT_FLAGS);
    sum.advert.opt_type = ND_OPT_TARGET;
    sum.advert.opt_len = 1;
    fabric_mac(sum.advert.mac);
    addr_copy(sum.pseudo.saddr, ns->target);
    addr_copy(sum.pseudo.daddr, p->saddr);
    addr_copy(sum.advert.msg.target, ns->target);
    sum.advert.msg.checksum = checksum_fold(bpf_csum_diff(NULL, 0, (void *)&sum, sizeof(sum), 0));

    __builtin_memset(&f, 0, sizeof(f));
    fabric_mac(f.src);
    f.proto = bpf_htons(ETH_P_IPV6);
    f.ip[0] = 0x60;
    f.ip[5] = sizeof(struct nd_advert);
    f.ip[6] = IPPROTO_ICMPV6;
    f.ip[7] = ND_HOP_LIMIT;
    __builtin_memcpy(f.saddr, ns->target, 16);
    __builtin_memcpy(f.daddr, p->saddr, 16);
    __builtin_memcpy(f.advert, &sum.advert, sizeof(sum.advert));
    if (bpf_skb_load_bytes(skb, ETH_ALEN, f.dst, ETH_ALEN))
        return -1;
    // The question may have come without a link-layer option, or with more options than one.
    if (skb->len != sizeof(f) && bpf_skb_change_tail(skb, sizeof(f), 0))
        return -1;
    return bpf_skb_store_bytes(skb, 0, &f, sizeof(f), BPF_F_RECOMPUTE_CSUM);
}

SUBPROGRAM nd_handle(struct __sk_buff *skb, const struct vnrs_bpf_nic *nic, const struct packet *p, struct decision *d)
{
    struct nd_message ns;
    __u8 hop_limit = 0;

    if (!nic || !p || !d)
        return 0;
    if (p->l4 != ND_L4 || p->len < sizeof(struct ipv6hdr) + sizeof(ns) ||
        bpf_skb_load_bytes(skb, ND_L4, &ns, sizeof(ns)) || bpf_skb_load_bytes(skb, ETH_HLEN + 7, &hop_limit, 1) ||
        hop_limit != ND_HOP_LIMIT || ns.code || addr6_is_multicast(ns.target)) {
        drop(d, VNRS_DROP_MALFORMED);
        return 0;
    }
    d->verdict = VNRS_BPF_VERDICT_IGNORE;
    if (addr6_is_zero(p->saddr) || addr_equal(p->saddr, ns.target) ||
        endpoint_find(nic->vnet, 6, ns.target) == skb->ifindex)
        return 0;
    capture_question(skb, p, d, VNRS_BPF_VERDICT_REPLY);
    if (nd_answer(skb, p, &ns) == 0)
        reply(skb, d);
    return 0;
}
