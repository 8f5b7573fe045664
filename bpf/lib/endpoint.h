// SPDX-License-Identifier: GPL-2.0-or-later
// Who has an address: (virtual network, address) → fabric end.
#pragma once

#include "lib/lpm.h"

// The ifindex, or 0.
STAGE __u32 endpoint_find(__u32 vnet, __u32 family, const __u32 *addr)
{
    return VNRS_ENDPOINT_IFINDEX(lpm_find(VNRS_TABLE_VNET(vnet), family, addr));
}

// Is it an address of the NIC?
STAGE bool endpoint_is(const struct vnrs_bpf_nic_record *nic, __u32 ifindex, __u32 family, const __u32 *addr)
{
    const __be32 *known = family == 4 ? nic->addr_be : nic->addr6_be;

    if (addr_equal(known, addr) && !addr6_is_zero(addr))
        return true;
    return endpoint_find(nic->nic.vnet, family, addr) == ifindex;
}
