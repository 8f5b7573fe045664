// SPDX-License-Identifier: GPL-2.0-or-later
// Decisions that were made before: a packet that agrees in everything that one came from (NIC, addresses, protocol, and
// the state of all maps, which is what `epoch` is for) is handled as the last one was. Whatever is not found here, or
// does not fit, is decided from the beginning, so a slot may be taken over by anybody at any time.
#pragma once

#include "lib/flow_hash.h"
#include "lib/hand_over.h"
#include "lib/maps.h"
#include "lib/packet.h"

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

STAGE __u32 cache_index(__u64 hash)
{
    return bpf_get_smp_processor_id() << VNRS_CACHE_BITS | hash >> (64 - VNRS_CACHE_BITS);
}

STAGE struct vnrs_bpf_cache4 *cache_slot4(const struct packet *p)
{
    __u32 index = cache_index(flow_pair(p->saddr[0], p->daddr[0], 0x9e3779b97f4a7c15));

    return bpf_map_lookup_elem(&cache4, &index);
}

STAGE struct vnrs_bpf_cache6 *cache_slot6(const struct packet *p)
{
    __u32 index = cache_index(flow_end(p->saddr, 0) * 0x9e3779b97f4a7c15 + flow_end(p->daddr, 1));

    return bpf_map_lookup_elem(&cache6, &index);
}

STAGE const struct vnrs_bpf_cached *cache_find(const struct packet *p)
{
    const struct vnrs_bpf_cache4 *slot4;
    const struct vnrs_bpf_cache6 *slot6;

    if (p->family == 4) {
        slot4 = cache_slot4(p);
        if (slot4 && !((slot4->saddr_be ^ p->saddr[0]) | (slot4->daddr_be ^ p->daddr[0])))
            return &slot4->decided;
    } else {
        slot6 = cache_slot6(p);
        if (slot6 && addr_equal(slot6->saddr_be, p->saddr) && addr_equal(slot6->daddr_be, p->daddr))
            return &slot6->decided;
    }
    return NULL;
}

STAGE bool cache_use(struct __sk_buff *skb, const struct packet *p, struct decision *d, __u64 now)
{
    const struct vnrs_bpf_cached *c = cache_find(p);

    if (!c || (c->epoch ^ now) | (c->from ^ skb->ifindex) | (c->protocol ^ p->protocol) || p->len > c->mtu)
        return false;
    d->ifindex = c->to;
    d->nexthop = c->nexthop;
    d->type = c->account & 15;
    d->billing = c->account >> 4;
    frame_hand_over(skb, c->mac, d);
    return true;
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

STAGE void cache_put(const struct __sk_buff *skb, const struct packet *p, const struct decision *d,
                     const struct vnrs_bpf_nic *to, __u64 now)
{
    struct vnrs_bpf_cache4 *slot4;
    struct vnrs_bpf_cache6 *slot6;

    if (p->family == 4) {
        slot4 = cache_slot4(p);
        if (!slot4)
            return;
        slot4->saddr_be = p->saddr[0];
        slot4->daddr_be = p->daddr[0];
        cache_fill(&slot4->decided, skb, p, d, to, now);
    } else {
        slot6 = cache_slot6(p);
        if (!slot6)
            return;
        addr_copy(slot6->saddr_be, p->saddr);
        addr_copy(slot6->daddr_be, p->daddr);
        cache_fill(&slot6->decided, skb, p, d, to, now);
    }
}
