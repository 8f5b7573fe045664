// SPDX-License-Identifier: GPL-2.0-or-later
// What a NIC may send at all: its own source addresses, or any host's with enableIPForwarding, no multicast, no
// encapsulations that Azure refuses (azure-routing.md section 10), nothing link-local.
#pragma once

#include "lib/endpoint.h"

// 0 or a drop reason.
STAGE __u32 source_check(const struct __sk_buff *skb, const struct vnrs_bpf_nic_record *nic, const struct packet *p)
{
    if (p->family == 4 ? addr4_is_multicast(p->daddr[0]) : addr6_is_multicast(p->daddr))
        return VNRS_DROP_MULTICAST;
    if (p->protocol == IPPROTO_GRE || p->protocol == IPPROTO_IPIP)
        return VNRS_DROP_PROTOCOL;
    if (nic->nic.flags & (VNRS_NIC_FORWARDING | VNRS_NIC_EDGE) ? addr_is_no_source(p->family, p->saddr)
                                                               : !endpoint_is(nic, skb->ifindex, p->family, p->saddr))
        return VNRS_DROP_SOURCE;
    if (p->family == 6 && addr6_is_link_local(p->daddr))
        return VNRS_DROP_NO_ROUTE;
    return 0;
}
