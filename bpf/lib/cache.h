// SPDX-License-Identifier: GPL-2.0-or-later
// Decisions that were made before: a packet that agrees in everything that one came from (NIC, addresses, protocol, and
// the state of all maps, which is what `epoch` is for) is handled as the last one was. Whatever is not found here, or
// does not fit, is decided from the beginning, so a slot may be taken over by anybody at any time. The search is the
// short way through the program: it reads of the frame no more than it needs, and leaves everything unusual to parse.h.
#pragma once

#include "lib/hand_over.h"
#include "lib/maps.h"
#include "lib/packet.h"
#include "lib/parse.h"

STAGE __u64 cache_epoch(void)
{
    __u32 index = 0;
    const volatile __u64 *now = bpf_map_lookup_elem(&epoch, &index);

    return now ? *now : 0;
}

// 0, that depends on `now`: where what is read next is found with it, no processor reads that before.
STAGE __u32 cache_after(__u64 now)
{
#ifdef __BPF__
    asm volatile("%0 &= 0" : "+r"(now));
    return now;
#else // built for user space
    (void)now;
    return 0;
#endif
}

// Both addresses as they lie in the header, one behind the other. The upper half of a product depends on all of it.
#define CACHE_ADDRS4 (ETH_HLEN + 12)
#define CACHE_ADDRS6 (ETH_HLEN + 8)

// The same addresses come from another NIC where one forwards, and with other protocols.
STAGE __u32 cache_index(const struct __sk_buff *skb, __u8 protocol, __u64 hash)
{
    __u32 at = (hash >> (64 - VNRS_CACHE_BITS)) ^ protocol ^ (skb->ifindex << 4);

    return bpf_get_smp_processor_id() << VNRS_CACHE_BITS | (at & ((1 << VNRS_CACHE_BITS) - 1));
}

STAGE struct vnrs_bpf_cache4_set *cache_set4(const struct __sk_buff *skb, __u8 protocol, __u64 addrs)
{
    __u32 index = cache_index(skb, protocol, addrs * 0x9e3779b97f4a7c15);

    return bpf_map_lookup_elem(&cache4, &index);
}

STAGE struct vnrs_bpf_cache6_set *cache_set6(const struct __sk_buff *skb, __u8 protocol, const __u64 *addrs)
{
    __u32 index = cache_index(skb, protocol,
                              addrs[0] * 0x9e3779b97f4a7c15 ^ addrs[1] * 0xc2b2ae3d27d4eb4f ^
                                  addrs[2] * 0x165667b19e3779f9 ^ addrs[3] * 0xd6e8feb86659fd93);

    return bpf_map_lookup_elem(&cache6, &index);
}

STAGE __u64 cache_differs6(const struct vnrs_bpf_cache6 *slot, const __u64 *addrs)
{
    return (slot->addrs[0] ^ addrs[0]) | (slot->addrs[1] ^ addrs[1]) | (slot->addrs[2] ^ addrs[2]) |
           (slot->addrs[3] ^ addrs[3]);
}

// How many bytes a packet has behind its IP header at least, whatever the protocol.
STAGE __u32 cache_least(__u8 protocol)
{
    return protocol == IPPROTO_UDP ? UDP_HEADER_BYTES : TCP_HEADER_MIN;
}

// Of an IPv4 packet without options that is long enough. Whether it is a fragment, and of which ports, was no matter to
// what is remembered.
STAGE const struct vnrs_bpf_cached *cache_find4(const struct __sk_buff *skb, const __u8 *frame)
{
    const struct iphdr *ip = (const void *)(frame + ETH_HLEN);
    __u32 len = bpf_ntohs(ip->tot_len);
    __u64 addrs = *(const __u64 *)(frame + CACHE_ADDRS4);
    const struct vnrs_bpf_cache4_set *set;
    const struct vnrs_bpf_cache4 *slot;

    if (len < sizeof(*ip) + cache_least(ip->protocol) || len > skb->len - ETH_HLEN)
        return NULL;
    set = cache_set4(skb, ip->protocol, addrs);
    if (!set)
        return NULL;
    slot = &set->way[0];
    if (slot->addrs != addrs && (++slot)->addrs != addrs)
        return NULL;
    if (slot->decided.protocol != ip->protocol || len > slot->decided.mtu)
        return NULL;
    return &slot->decided;
}

// Likewise of an IPv6 packet of TCP or UDP without extension headers.
STAGE const struct vnrs_bpf_cached *cache_find6(const struct __sk_buff *skb, const __u8 *frame)
{
    const struct ipv6hdr *ip = (const void *)(frame + ETH_HLEN);
    __u32 len = sizeof(*ip) + bpf_ntohs(ip->payload_len);
    const __u64 *addrs = (const void *)(frame + CACHE_ADDRS6);
    const struct vnrs_bpf_cache6_set *set;
    const struct vnrs_bpf_cache6 *slot;

    if (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP)
        return NULL;
    if (len < sizeof(*ip) + cache_least(ip->nexthdr) || len > skb->len - ETH_HLEN)
        return NULL;
    set = cache_set6(skb, ip->nexthdr, addrs);
    if (!set)
        return NULL;
    slot = &set->way[0];
    if (cache_differs6(slot, addrs) && cache_differs6(++slot, addrs))
        return NULL;
    if (slot->decided.protocol != ip->nexthdr || len > slot->decided.mtu)
        return NULL;
    return &slot->decided;
}

// What was decided for a packet like this one, or NULL; where there is something, the headers are in the linear part.
STAGE const struct vnrs_bpf_cached *cache_find(const struct __sk_buff *skb, const __u8 *frame)
{
    const void *end = (const void *)(long)skb->data_end;
    const struct vnrs_bpf_cached *c = NULL;
    __be32 begin; // EtherType, version, length of the header

    if (frame + ETH_HLEN + sizeof(struct iphdr) > (const __u8 *)end || skb->vlan_present || frame[0] & 1)
        return NULL;
    begin = *(const __be32 *)(frame + 2 * ETH_ALEN);
    if ((begin & bpf_htonl(0xffffff00)) == bpf_htonl(ETH_P_IP << 16 | 0x4500))
        c = cache_find4(skb, frame);
    else if ((begin & bpf_htonl(0xfffff000)) == bpf_htonl((__u32)ETH_P_IPV6 << 16 | 0x6000) &&
             frame + ETH_HLEN + sizeof(struct ipv6hdr) <= (const __u8 *)end)
        c = cache_find6(skb, frame);
    return c && c->epoch == cache_epoch() && c->from == skb->ifindex ? c : NULL;
}

// The decision about a packet for which one was found.
STAGE void cache_use(struct __sk_buff *skb, const struct vnrs_bpf_cached *c, struct decision *d)
{
    d->ifindex = c->to;
    d->nexthop = c->nexthop;
    d->type = c->account & 15;
    d->billing = c->account >> 4;
    frame_hand_over(skb, c->mac, d);
}

STAGE void cache_fill(struct vnrs_bpf_cached *c, const struct __sk_buff *skb, const struct packet *p,
                      const struct decision *d, const struct vnrs_bpf_nic *to, __u64 now)
{
    c->epoch = now;
    c->from = skb->ifindex;
    c->to = d->ifindex;
    c->nexthop = d->nexthop;
    c->mtu = to->mtu > 0xffff ? 0xffff : to->mtu;
    __builtin_memcpy(c->mac, to->mac, sizeof(c->mac));
    c->protocol = p->protocol;
    c->account = VNRS_BPF_ACCOUNT(d->type, d->billing);
}

// The older one of the set goes, unless the newer one has the same addresses or holds no longer.
STAGE void cache_put(const struct __sk_buff *skb, const struct packet *p, const struct decision *d,
                     const struct vnrs_bpf_nic *to, __u64 now)
{
    if (p->family == 4) {
        const __u32 both[2] = {p->saddr[0], p->daddr[0]};
        struct vnrs_bpf_cache4_set *set;
        __u64 addrs;

        __builtin_memcpy(&addrs, both, sizeof(addrs));
        set = cache_set4(skb, p->protocol, addrs);
        if (!set)
            return;
        if (set->way[0].decided.epoch == now && set->way[0].addrs != addrs)
            set->way[1] = set->way[0];
        set->way[0].addrs = addrs;
        cache_fill(&set->way[0].decided, skb, p, d, to, now);
    } else {
        struct vnrs_bpf_cache6_set *set;
        __u64 addrs[4];

        __builtin_memcpy(addrs, p->saddr, 16);
        __builtin_memcpy(addrs + 2, p->daddr, 16);
        set = cache_set6(skb, p->protocol, addrs);
        if (!set)
            return;
        if (set->way[0].decided.epoch == now && cache_differs6(&set->way[0], addrs))
            set->way[1] = set->way[0];
        __builtin_memcpy(set->way[0].addrs, addrs, sizeof(addrs));
        cache_fill(&set->way[0].decided, skb, p, d, to, now);
    }
}
