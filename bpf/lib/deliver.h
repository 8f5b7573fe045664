// SPDX-License-Identifier: GPL-2.0-or-later
// Hand a packet to the NIC that it goes to: access lists, destination check, MTU, then new MACs and nothing else; the
// fabric does not decrement the TTL (azure-routing.md section 10).
#pragma once

#include "lib/access.h"
#include "lib/cache.h"
#include "lib/mtu.h"
#include "vnrs/meter.h"

// The verifier need not look at the rest for each of the classes.
SUBPROGRAM deliver_class(const struct vnrs_bpf_nic *from, const struct vnrs_bpf_nic *to, __u32 type)
{
    return from && to ? vnrs_meter(from, to, type) : 0;
}

// To `d->ifindex`.
STAGE void deliver(struct __sk_buff *skb, const struct vnrs_bpf_nic *from, const struct packet *p, struct decision *d,
                   __u64 now)
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

    d->billing = deliver_class(from, to, d->type);
    if (!d->by_flow)
        cache_put(skb, p, d, to, now);
    frame_hand_over(skb, to->mac, d);
}
