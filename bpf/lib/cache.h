// SPDX-License-Identifier: GPL-2.0-or-later
// Decisions that were made before: a packet that agrees in everything that one came from (NIC, addresses, protocol, and
// the state of all maps, which is what the epoch is for) is handled as the last one was. Whatever is not found here, or
// does not fit, is decided from the beginning, so a slot may be taken over by anybody at any time. The search is the
// short way through the program: it reads of the frame no more than it needs, and leaves everything unusual to parse.h.
#pragma once

#include "lib/hand_over.h"
#include "lib/maps.h"
#include "lib/packet.h"
#include "lib/parse.h"

STAGE __u64 cache_epoch(const struct vnrs_bpf_flow_switch *now)
{
    return now ? *(const volatile __u64 *)&now->epoch : 0;
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
STAGE __u32 cache_salt(const struct __sk_buff *skb, __u8 protocol)
{
    return skb->ifindex << 4 ^ protocol;
}

STAGE struct vnrs_bpf_cache *cache_here(void)
{
    __u32 cpu = bpf_get_smp_processor_id();

    return bpf_map_lookup_elem(&cache, &cpu);
}

STAGE struct vnrs_bpf_cache4_set *cache_set4(struct vnrs_bpf_cache *here, const struct __sk_buff *skb, __u8 protocol,
                                             __u64 addrs)
{
    __u64 hash = (addrs ^ cache_salt(skb, protocol)) * 0x9e3779b97f4a7c15;

    return &here->set4[hash >> (64 - VNRS_CACHE_BITS)];
}

STAGE struct vnrs_bpf_cache6_set *cache_set6(struct vnrs_bpf_cache *here, const struct __sk_buff *skb, __u8 protocol,
                                             const __u64 *addrs)
{
    __u64 hash = (addrs[0] ^ cache_salt(skb, protocol)) * 0x9e3779b97f4a7c15 ^ addrs[1] * 0xc2b2ae3d27d4eb4f ^
                 addrs[2] * 0x165667b19e3779f9 ^ addrs[3] * 0xd6e8feb86659fd93;

    return &here->set6[hash >> (64 - VNRS_CACHE_BITS)];
}

// The destination first: most often that is what differs.
STAGE bool cache_is6(const struct vnrs_bpf_cache6 *slot, const __u64 *addrs)
{
    return slot->addrs[3] == addrs[3] && slot->addrs[2] == addrs[2] && slot->addrs[1] == addrs[1] &&
           slot->addrs[0] == addrs[0];
}

// One of the same addresses, of an IPv4 packet without options. Whether it is a fragment, and of which ports, was no
// matter to what is remembered.
STAGE const struct vnrs_bpf_cached *cache_find4(struct vnrs_bpf_cache *here, const struct __sk_buff *skb,
                                                const __u8 *frame)
{
    const struct iphdr *ip = (const void *)(frame + ETH_HLEN);
    __u64 addrs = *(const __u64 *)(frame + CACHE_ADDRS4);
    const struct vnrs_bpf_cache4 *slot = cache_set4(here, skb, ip->protocol, addrs)->way;

    barrier_var(slot); // or where it lies would be computed again for each word
    return slot->addrs == addrs || (++slot)->addrs == addrs ? &slot->decided : NULL;
}

// Likewise of an IPv6 packet. What is remembered is of TCP or UDP, so it is not of one with extension headers.
STAGE const struct vnrs_bpf_cached *cache_find6(struct vnrs_bpf_cache *here, const struct __sk_buff *skb,
                                                const __u8 *frame)
{
    const struct ipv6hdr *ip = (const void *)(frame + ETH_HLEN);
    const __u64 *addrs = (const void *)(frame + CACHE_ADDRS6);
    const struct vnrs_bpf_cache6 *slot = cache_set6(here, skb, ip->nexthdr, addrs)->way;

    barrier_var(slot);
    return cache_is6(slot, addrs) || cache_is6(++slot, addrs) ? &slot->decided : NULL;
}

// What was decided for a packet like this one, or NULL; where there is something, the headers are in the linear part.
STAGE const struct vnrs_bpf_cached *cache_find(const struct __sk_buff *skb, const __u8 *frame, __u64 now)
{
    const __u8 *end = (const void *)(long)skb->data_end;
    struct vnrs_bpf_cache *here = cache_here();
    const struct vnrs_bpf_cached *c;
    __be32 begin; // EtherType, version, length of the header
    __u32 len;
    __u8 protocol;

    if (!here || frame + ETH_HLEN + sizeof(struct iphdr) > end || skb->vlan_present || frame[0] & 1)
        return NULL;
    begin = *(const __be32 *)(frame + 2 * ETH_ALEN);
    if ((begin & bpf_htonl(0xffffff00)) == bpf_htonl(ETH_P_IP << 16 | 0x4500)) {
        const struct iphdr *ip = (const void *)(frame + ETH_HLEN);
        c = cache_find4(here, skb, frame);
        len = bpf_ntohs(ip->tot_len);
        protocol = ip->protocol;
    } else if ((begin & bpf_htonl(0xfffff000)) == bpf_htonl((__u32)ETH_P_IPV6 << 16 | 0x6000) &&
               frame + ETH_HLEN + sizeof(struct ipv6hdr) <= end) {
        const struct ipv6hdr *ip = (const void *)(frame + ETH_HLEN);
        c = cache_find6(here, skb, frame);
        len = sizeof(*ip) + bpf_ntohs(ip->payload_len);
        protocol = ip->nexthdr;
    } else {
        return NULL;
    }
    if (!c || c->protocol != protocol || len - c->least > c->more || len > skb->len - ETH_HLEN)
        return NULL;
    return c->valid == VNRS_BPF_VALID(now, skb->ifindex) ? c : NULL;
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

#define CACHE_LEAST_MAX (sizeof(struct ipv6hdr) + TCP_HEADER_MIN)

STAGE void cache_fill(struct vnrs_bpf_cached *c, const struct __sk_buff *skb, const struct packet *p,
                      const struct decision *d, const struct vnrs_bpf_nic *to, __u64 now)
{
    c->valid = VNRS_BPF_VALID(now, skb->ifindex);
    c->to = d->ifindex;
    c->nexthop = d->nexthop;
    __builtin_memcpy(c->mac, to->mac, sizeof(c->mac));
    c->protocol = p->protocol;
    c->account = VNRS_BPF_ACCOUNT(d->type, d->billing);
}

STAGE bool cache_is_of(const struct vnrs_bpf_cached *c, __u64 now)
{
    return c->valid >> 16 == now;
}

// Where a set is full of decisions that hold, only one newcomer in so many is let in: of more addresses than there is
// room for, which come in turns, some then stay until it is their turn again, and what is never found is seldom
// written.
#define CACHE_NEWCOMERS 8

STAGE bool cache_lets_in(const struct vnrs_bpf_cached *older, __u64 now)
{
    return !cache_is_of(older, now) || bpf_get_prandom_u32() % CACHE_NEWCOMERS == 0;
}

STAGE struct vnrs_bpf_cached *cache_slot4(struct vnrs_bpf_cache *here, const struct __sk_buff *skb,
                                          const struct packet *p, __u64 now)
{
    const __u32 both[2] = {p->saddr[0], p->daddr[0]};
    struct vnrs_bpf_cache4_set *set;
    __u64 addrs;

    __builtin_memcpy(&addrs, both, sizeof(addrs));
    set = cache_set4(here, skb, p->protocol, addrs);
    if (cache_is_of(&set->way[0].decided, now) && set->way[0].addrs != addrs) {
        if (!cache_lets_in(&set->way[1].decided, now))
            return NULL;
        set->way[1] = set->way[0];
    }
    set->way[0].addrs = addrs;
    return &set->way[0].decided;
}

STAGE struct vnrs_bpf_cached *cache_slot6(struct vnrs_bpf_cache *here, const struct __sk_buff *skb,
                                          const struct packet *p, __u64 now)
{
    struct vnrs_bpf_cache6_set *set;
    __u64 addrs[4];

    __builtin_memcpy(addrs, p->saddr, 16);
    __builtin_memcpy(addrs + 2, p->daddr, 16);
    set = cache_set6(here, skb, p->protocol, addrs);
    if (cache_is_of(&set->way[0].decided, now) && !cache_is6(&set->way[0], addrs)) {
        if (!cache_lets_in(&set->way[1].decided, now))
            return NULL;
        set->way[1] = set->way[0];
    }
    __builtin_memcpy(set->way[0].addrs, addrs, sizeof(addrs));
    return &set->way[0].decided;
}

// The older one of the set goes, unless the newer one has the same addresses or holds no longer, or nobody does. Of
// IPv6, only what was decided for TCP and UDP is remembered: what else a header names may be an extension.
STAGE void cache_put(const struct __sk_buff *skb, const struct packet *p, const struct decision *d,
                     const struct vnrs_bpf_nic *to, __u64 now)
{
    __u32 protocol = p->protocol, least;
    struct vnrs_bpf_cache *here = cache_here();
    struct vnrs_bpf_cached *c;

    if (!here || to->mtu < CACHE_LEAST_MAX || to->mtu > 0xffff)
        return;
    barrier_var(protocol);
    least = protocol == IPPROTO_UDP ? UDP_HEADER_BYTES : TCP_HEADER_MIN; // whatever the protocol
    barrier_var(least);
    if (p->family == 4) {
        least += sizeof(struct iphdr);
        c = cache_slot4(here, skb, p, now);
    } else {
        if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
            return;
        least += sizeof(struct ipv6hdr);
        c = cache_slot6(here, skb, p, now);
    }
    if (!c)
        return;
    c->least = least;
    c->more = to->mtu - least;
    cache_fill(c, skb, p, d, to, now);
}
