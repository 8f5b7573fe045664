// SPDX-License-Identifier: GPL-2.0-or-later
// Who has an address: (virtual network, address) → fabric end.
#pragma once

#include "lib/maps.h"
#include "lib/packet.h"

// The ifindex, or 0.
STAGE __u32 endpoint_find(__u32 vnet, __u32 family, const __u32 *addr)
{
    struct vnrs_bpf_endpoint_key key = {.vnet = vnet, .family = family};
    struct vnrs_bpf_endpoint *endpoint;

    __builtin_memcpy(key.addr, addr, 16);
    endpoint = bpf_map_lookup_elem(&endpoints, &key);
    return endpoint ? endpoint->ifindex : 0;
}
