// SPDX-License-Identifier: GPL-2.0-or-later
// Who has an address: (virtual network, address) → fabric end.
#pragma once

#include "lib/lpm.h"

// The ifindex, or 0.
STAGE __u32 endpoint_find(__u32 vnet, __u32 family, const __u32 *addr)
{
    return VNRS_ENDPOINT_IFINDEX(lpm_find(VNRS_TABLE_VNET(vnet), family, addr));
}
