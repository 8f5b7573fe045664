// SPDX-License-Identifier: GPL-2.0-or-later
// IPv4 (RFC 791) and IPv6 (RFC 8200) headers → struct packet. Returns 0 (VNRS_DROP_UNSPEC) or a drop reason.
#pragma once

#include "lib/packet.h"

#include <linux/ip.h>
#include <linux/ipv6.h>

#define IPV4_FRAG_OFFSET 0x1fff
#define IPV4_FRAG_MORE   0x2000
#define IPV4_FRAG_DONT   0x4000
#define IPV6_FRAG_OFFSET 0xfff8
#define IPV6_FRAG_MORE   0x0001
#define IPV6_EXT_MAX     8 // more extension headers than this: malformed
#define TCP_HEADER_MIN   20
#define UDP_HEADER_BYTES 8
#define L4_DIRECT_MAX    127

// Ports, where the packet has them. `end` is the offset after the last byte of the packet. Most packets have them in
// the linear part; the bound on `l4` is for the verifier.
STAGE __u32 parse_ports(struct __sk_buff *skb, struct packet *p, __u32 end)
{
    __be16 ports[2], *direct;
    __u32 l4 = p->l4;

    if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)
        return 0;
    if (p->fragment)
        return 0;
    if (l4 + (p->protocol == IPPROTO_TCP ? TCP_HEADER_MIN : UDP_HEADER_BYTES) > end)
        return VNRS_DROP_MALFORMED;
    direct = (void *)(long)skb->data + (l4 & L4_DIRECT_MAX);
    if (l4 <= L4_DIRECT_MAX && (void *)(direct + 2) <= (void *)(long)skb->data_end) {
        p->sport = direct[0];
        p->dport = direct[1];
        return 0;
    }
    if (bpf_skb_load_bytes(skb, l4, ports, sizeof(ports)))
        return VNRS_DROP_MALFORMED;
    p->sport = ports[0];
    p->dport = ports[1];
    return 0;
}

STAGE __u32 parse_ipv4(struct __sk_buff *skb, struct packet *p)
{
    __u32 room = p->frame_len - ETH_HLEN;

    if (!packet_pull(skb, ETH_HLEN + sizeof(struct iphdr)))
        return VNRS_DROP_MALFORMED;
    void *data = (void *)(long)skb->data;
    struct iphdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > (void *)(long)skb->data_end)
        return VNRS_DROP_MALFORMED;

    __u32 header = ip->ihl * 4, frag = bpf_ntohs(ip->frag_off);
    p->len = bpf_ntohs(ip->tot_len);
    if (!p->len && skb->gso_size) // larger than 64 KB before segmentation (BIG TCP)
        p->len = room;
    if (ip->version != 4 || header < sizeof(*ip) || p->len < header || p->len > room)
        return VNRS_DROP_MALFORMED;
    p->family = 4;
    p->protocol = ip->protocol;
    p->saddr[0] = ip->saddr;
    p->daddr[0] = ip->daddr;
    p->fragment = frag & (IPV4_FRAG_OFFSET | IPV4_FRAG_MORE);
    p->later_fragment = frag & IPV4_FRAG_OFFSET;
    p->dont_fragment = frag & IPV4_FRAG_DONT;
    p->l4 = ETH_HLEN + header;
    return parse_ports(skb, p, ETH_HLEN + p->len);
}

// Walks over the extension headers; `p->protocol` and `p->l4` follow. The fragments of one packet agree on what
// follows the fragment header only in that header's own field, so the walk ends there.
SUBPROGRAM parse_ipv6_extensions(struct __sk_buff *skb, struct packet *p, __u32 end)
{
    struct {
        __u8 next, len;
        __be16 frag;
    } ext;

    if (!p)
        return VNRS_DROP_MALFORMED;
#pragma clang loop unroll(full) // kernel 6.1 takes a loop only if its back edge is a jump, which clang does not promise
    for (int i = 0; i <= IPV6_EXT_MAX; i++) {
        __u8 at = p->protocol;
        if (at != IPPROTO_HOPOPTS && at != IPPROTO_ROUTING && at != IPPROTO_DSTOPTS && at != IPPROTO_FRAGMENT &&
            at != IPPROTO_AH)
            return p->l4 > end ? VNRS_DROP_MALFORMED : 0;
        if (i == IPV6_EXT_MAX || p->l4 + 8 > end || bpf_skb_load_bytes(skb, p->l4, &ext, sizeof(ext)))
            return VNRS_DROP_MALFORMED;
        p->protocol = ext.next;
        if (at == IPPROTO_FRAGMENT) {
            p->l4 += 8;
            p->fragment = ext.frag & bpf_htons(IPV6_FRAG_OFFSET | IPV6_FRAG_MORE);
            p->later_fragment = ext.frag & bpf_htons(IPV6_FRAG_OFFSET);
            if (p->fragment)
                return 0;
        } else if (at == IPPROTO_AH) {
            p->l4 += (ext.len + 2) * 4;
        } else {
            p->l4 += (ext.len + 1) * 8;
        }
    }
    return VNRS_DROP_MALFORMED;
}

STAGE __u32 parse_ipv6(struct __sk_buff *skb, struct packet *p)
{
    __u32 room = p->frame_len - ETH_HLEN;

    if (!packet_pull(skb, ETH_HLEN + sizeof(struct ipv6hdr)))
        return VNRS_DROP_MALFORMED;
    void *data = (void *)(long)skb->data;
    struct ipv6hdr *ip = data + ETH_HLEN;
    if ((void *)(ip + 1) > (void *)(long)skb->data_end)
        return VNRS_DROP_MALFORMED;

    p->len = sizeof(*ip) + bpf_ntohs(ip->payload_len);
    if (!ip->payload_len && skb->gso_size) // BIG TCP, as above
        p->len = room;
    if (ip->version != 6 || p->len > room)
        return VNRS_DROP_MALFORMED;
    p->family = 6;
    p->protocol = ip->nexthdr;
    p->dont_fragment = true;
    p->l4 = ETH_HLEN + sizeof(*ip);
    addr_copy(p->saddr, &ip->saddr);
    addr_copy(p->daddr, &ip->daddr);

    __u32 end = ETH_HLEN + p->len, reason = 0;
    if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)
        reason = parse_ipv6_extensions(skb, p, end);
    return reason ? reason : parse_ports(skb, p, end);
}
