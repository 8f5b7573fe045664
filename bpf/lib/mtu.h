// SPDX-License-Identifier: GPL-2.0-or-later
// Path MTU: a packet larger than the receiving NIC's MTU is dropped and the sender is told, by ICMP "fragmentation
// needed" (RFC 792, RFC 1191) or ICMPv6 "packet too big" (RFC 4443), from the gateway address of its subnet. IPv4
// packets that may be fragmented pass whole: the receiver gets what it would have put together again. A packet that is
// still to be segmented counts with the size of its segments.
#pragma once

#include "lib/capture.h"
#include "lib/checksum.h"
#include "lib/parse.h"

#include <linux/icmpv6.h>

// <linux/icmp.h> needs the C library of the target.
#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED  4
#define ICMP_ERRORS       (1u << 3 | 1u << 4 | 1u << 5 | 1u << 11 | 1u << 12) // RFC 1122 3.2.2

struct icmp_header {
    __u8 type, code;
    __u16 checksum;
    __be16 unused, mtu;
};

// How much of the packet is quoted: whole chunks, that the message stays below 576 (RFC 1812) and 1280 bytes (RFC
// 4443).
#define QUOTE_CHUNK   68
#define QUOTE_CHUNKS4 8
#define QUOTE_CHUNKS6 18

STAGE bool mtu_exceeded(struct __sk_buff *skb, const struct packet *p, __u32 mtu)
{
    __u32 header = UDP_HEADER_BYTES;
    __u8 offset = 0;

    if (p->len <= mtu)
        return false;
    if (!skb->gso_size)
        return true;
    if (p->protocol == IPPROTO_TCP) {
        if (bpf_skb_load_bytes(skb, p->l4 + 12, &offset, 1))
            return true;
        header = (offset >> 4) * 4;
    }
    return p->l4 - ETH_HLEN + header + skb->gso_size > mtu;
}

// No errors about errors, about later fragments, to addresses that are nobody's (RFC 1122 3.2.2, RFC 4443 2.4 e), or
// from a subnet without gateway.
STAGE bool icmp_may_answer(struct __sk_buff *skb, const struct vnrs_bpf_nic *nic, const struct packet *p)
{
    __u32 gateway[4] = {nic->gateway_be};
    __u8 type = 0;

    if (p->family == 6)
        addr_copy(gateway, nic->gateway6);
    if (addr6_is_zero(gateway))
        return false;
    if (p->later_fragment)
        return false;
    if (addr_is_no_source(p->family, p->saddr))
        return false;
    if (p->protocol != (p->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return true;
    if (p->l4 >= ETH_HLEN + p->len || bpf_skb_load_bytes(skb, p->l4, &type, 1))
        return false;
    return p->family == 4 ? type > 31 || !(ICMP_ERRORS >> type & 1) : type & 0x80;
}

struct icmp_quote {
    __u32 bytes, sum; // of the packet; and their checksum
};

// Cut the frame to what is quoted. Returns whether there is anything.
SUBPROGRAM icmp_cut(struct __sk_buff *skb, const struct packet *p, struct icmp_quote *quote)
{
    __u8 buf[QUOTE_CHUNK];

    if (!p || !quote)
        return false;
    __u32 chunks = p->len / QUOTE_CHUNK, max_chunks = p->family == 4 ? QUOTE_CHUNKS4 : QUOTE_CHUNKS6, sum = 0;
    if (chunks > max_chunks)
        chunks = max_chunks;
    if (!chunks || bpf_skb_change_tail(skb, ETH_HLEN + chunks * QUOTE_CHUNK, 0))
        return false;
    barrier_var(chunks); // the constant bound of the loop stays: kernel 6.1's verifier counts by no other
    for (__u32 i = 0; i < QUOTE_CHUNKS6; i++) {
        if (i >= chunks)
            break;
        if (bpf_skb_load_bytes(skb, ETH_HLEN + i * QUOTE_CHUNK, buf, sizeof(buf)))
            return false;
        sum = bpf_csum_diff(NULL, 0, (void *)buf, sizeof(buf), sum);
    }
    quote->bytes = chunks * QUOTE_CHUNK;
    quote->sum = sum;
    return true;
}

struct icmp_frame4 {
    __u8 dst[6], src[6];
    __be16 proto;
    __u8 ip[sizeof(struct iphdr)];
    __u8 icmp[sizeof(struct icmp_header)];
};
_Static_assert(sizeof(struct icmp_frame4) == 42, "headers of an ICMP error");

STAGE int icmp_too_big4(struct __sk_buff *skb, const struct vnrs_bpf_nic *nic, const struct packet *p,
                        const struct icmp_quote *quote, __u32 mtu)
{
    struct icmp_frame4 f;
    struct icmp_header icmp;
    struct iphdr ip;

    if (bpf_skb_load_bytes(skb, ETH_ALEN, f.dst, ETH_ALEN))
        return -1;
    fabric_mac(f.src);
    f.proto = bpf_htons(ETH_P_IP);
    __builtin_memset(&icmp, 0, sizeof(icmp));
    icmp.type = ICMP_DEST_UNREACH;
    icmp.code = ICMP_FRAG_NEEDED;
    icmp.mtu = bpf_htons(mtu);
    icmp.checksum = checksum_fold(bpf_csum_diff(NULL, 0, (void *)&icmp, sizeof(icmp), quote->sum));
    __builtin_memset(&ip, 0, sizeof(ip));
    ip.version = 4;
    ip.ihl = sizeof(ip) / 4;
    ip.ttl = 64;
    ip.protocol = IPPROTO_ICMP;
    ip.tot_len = bpf_htons(sizeof(ip) + sizeof(icmp) + quote->bytes);
    ip.saddr = nic->gateway_be;
    ip.daddr = p->saddr[0];
    ip.check = checksum_fold(bpf_csum_diff(NULL, 0, (void *)&ip, sizeof(ip), 0));
    __builtin_memcpy(f.ip, &ip, sizeof(ip));
    __builtin_memcpy(f.icmp, &icmp, sizeof(icmp));
    if (bpf_skb_change_head(skb, sizeof(f) - ETH_HLEN, 0))
        return -1;
    return bpf_skb_store_bytes(skb, 0, &f, sizeof(f), BPF_F_RECOMPUTE_CSUM);
}

struct icmp_frame6 {
    __u8 dst[6], src[6];
    __be16 proto;
    __u8 ip[8];
    __u8 saddr[16], daddr[16];
    __u8 icmp[8];
};
_Static_assert(sizeof(struct icmp_frame6) == 62, "headers of an ICMPv6 error");

STAGE int icmp_too_big6(struct __sk_buff *skb, const struct vnrs_bpf_nic *nic, const struct packet *p,
                        const struct icmp_quote *quote, __u32 mtu)
{
    struct icmp_frame6 f;
    struct {
        struct pseudo_header6 pseudo;
        __u8 type, code;
        __u16 checksum;
        __be32 mtu;
    } head;
    __u32 payload = 8 + quote->bytes;

    __builtin_memset(&f, 0, sizeof(f));
    fabric_mac(f.src);
    f.proto = bpf_htons(ETH_P_IPV6);
    f.ip[0] = 0x60;
    f.ip[6] = IPPROTO_ICMPV6;
    f.ip[7] = 64;
    __builtin_memset(&head, 0, sizeof(head));
    head.pseudo.next = bpf_htonl(IPPROTO_ICMPV6);
    head.type = ICMPV6_PKT_TOOBIG;
    head.mtu = bpf_htonl(mtu);
    addr_copy(head.pseudo.saddr, nic->gateway6);
    addr_copy(head.pseudo.daddr, p->saddr);
    if (bpf_skb_load_bytes(skb, ETH_ALEN, f.dst, ETH_ALEN))
        return -1;
    head.pseudo.len = bpf_htonl(payload);
    head.checksum = checksum_fold(bpf_csum_diff(NULL, 0, (void *)&head, sizeof(head), quote->sum));
    f.ip[4] = payload >> 8;
    f.ip[5] = payload;
    __builtin_memcpy(f.saddr, head.pseudo.saddr, 16);
    __builtin_memcpy(f.daddr, p->saddr, 16);
    __builtin_memcpy(f.icmp, &head.type, 8);
    if (bpf_skb_change_head(skb, sizeof(f) - ETH_HLEN, 0))
        return -1;
    return bpf_skb_store_bytes(skb, 0, &f, sizeof(f), BPF_F_RECOMPUTE_CSUM);
}

// Nonzero: there is none to send. A frame of its own, which neither icmp_cut nor capture_question stands on: the stack
// of all calls together is small.
SUBPROGRAM mtu_answer(struct __sk_buff *skb, const struct vnrs_bpf_nic *nic, const struct packet *p,
                      const struct icmp_quote *quote, __u32 mtu)
{
    if (!nic || !p || !quote)
        return -1;
    return p->family == 4 ? icmp_too_big4(skb, nic, p, quote, mtu) : icmp_too_big6(skb, nic, p, quote, mtu);
}

// Drop the packet, and make it the error message about itself where there is one to send.
SUBPROGRAM mtu_refuse(struct __sk_buff *skb, const struct vnrs_bpf_nic *nic, const struct packet *p, __u32 mtu,
                      struct decision *d)
{
    struct icmp_quote quote = {};

    if (!nic || !p || !d)
        return 0;
    drop(d, VNRS_DROP_TOO_BIG);
    capture_question(skb, p, d, VNRS_BPF_VERDICT_DROP);
    if (icmp_may_answer(skb, nic, p) && icmp_cut(skb, p, &quote) && mtu_answer(skb, nic, p, &quote, mtu) == 0)
        reply(skb, d);
    return 0;
}
