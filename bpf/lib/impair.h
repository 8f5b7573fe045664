// SPDX-License-Identifier: GPL-2.0-or-later
// Links that are down, lossy or slow on purpose: asked for when a packet is decided, and only in a lab that has such a
// link. Loss is drawn here, in each direction; rate and delay are a queue's business (a qdisc on the fabric end), so a
// packet to such a NIC takes the way through it.
#pragma once

#include "lib/maps.h"
#include "lib/packet.h"

STAGE bool impair_loses(const struct vnrs_bpf_impair *impair)
{
    return impair->loss_ppm && bpf_get_prandom_u32() % 1000000 < impair->loss_ppm;
}

SUBPROGRAM impair_decision(struct __sk_buff *skb, struct decision *d)
{
    if (!d)
        return 0;
    __u32 from = skb->ifindex, to = d->ifindex;
    const struct vnrs_bpf_impair *impair = bpf_map_lookup_elem(&impairments, &from);

    if (d->reason == VNRS_DROP_UNKNOWN_NIC)
        return 0;
    if (impair && impair_loses(impair)) {
        drop(d, VNRS_DROP_LINK_LOSS);
        return 0;
    }
    if (d->verdict != VNRS_BPF_VERDICT_FORWARD && d->verdict != VNRS_BPF_VERDICT_REPLY)
        return 0;
    impair = bpf_map_lookup_elem(&impairments, &to);
    if (!impair)
        return 0;
    d->queued = impair->flags & VNRS_BPF_IMPAIR_QUEUE;
    if (impair->flags & VNRS_BPF_IMPAIR_DOWN)
        drop(d, VNRS_DROP_LINK_DOWN);
    else if (impair_loses(impair))
        drop(d, VNRS_DROP_LINK_LOSS);
    return 0;
}
