// SPDX-License-Identifier: GPL-2.0-or-later
// Who is let in: subnets by a service (azure-routing.md section 7), and over a peering what the peered network only
// forwards (allowForwardedTraffic, section 4.1).
#pragma once

#include "lib/endpoint.h"

STAGE bool access_is_listed(__u32 kind, __u32 to, __u32 from)
{
    struct vnrs_bpf_acl_key key = {.kind = kind, .to = to, .from = from};

    return bpf_map_lookup_elem(&access, &key);
}

STAGE bool access_service(const struct vnrs_bpf_nic *from, const struct vnrs_bpf_nic *to, __u32 ifindex)
{
    if ((to->flags & (VNRS_NIC_SERVICE | VNRS_NIC_RESTRICTED)) != (VNRS_NIC_SERVICE | VNRS_NIC_RESTRICTED))
        return true;
    return access_is_listed(VNRS_ACL_SERVICE, ifindex, from->subnet);
}

// A packet of a NIC that forwards, into another virtual network.
SUBPROGRAM access_forwarded(const struct vnrs_bpf_nic *from, __u32 vnet, const struct packet *p)
{
    if (!from || !p)
        return false;
    return access_is_listed(VNRS_ACL_FORWARDED, vnet, from->vnet) || endpoint_find(from->vnet, p->family, p->saddr);
}

// Only NICs that forward send what is not from their own network, and gateways may send it anywhere.
STAGE bool access_peering(const struct vnrs_bpf_nic *from, const struct vnrs_bpf_nic *to, const struct packet *p)
{
    if ((from->flags & (VNRS_NIC_FORWARDING | VNRS_NIC_GATEWAY)) != VNRS_NIC_FORWARDING || from->vnet == to->vnet ||
        !to->vnet)
        return true;
    return access_forwarded(from, to->vnet, p);
}
