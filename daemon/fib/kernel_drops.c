// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_drops.h"

#include <assert.h>

enum { IPV4, IPV6, _FAMILIES };

#define VIA4(reason)                                                                                                   \
    {                                                                                                                  \
        .ifindex = VNRS_KERNEL_DROP_IFINDEX, .via = {VNRS_AF_IPV4, {192, 0, 0, (reason)}}, .onlink = true              \
    }
#define VIA6(reason)                                                                                                   \
    {                                                                                                                  \
        .ifindex = VNRS_KERNEL_DROP_IFINDEX, .via = { VNRS_AF_IPV6, {0xfe, 0x80, [15] = (reason)} }                    \
    }

static const struct vnrs_nlhop hops[_VNRS_DROP_MAX][_FAMILIES] = {
    [VNRS_DROP_NO_ROUTE] = {VIA4(VNRS_DROP_NO_ROUTE), VIA6(VNRS_DROP_NO_ROUTE)},
    [VNRS_DROP_NONE_ROUTE] = {VIA4(VNRS_DROP_NONE_ROUTE), VIA6(VNRS_DROP_NONE_ROUTE)},
    [VNRS_DROP_NO_ENDPOINT] = {VIA4(VNRS_DROP_NO_ENDPOINT), VIA6(VNRS_DROP_NO_ENDPOINT)},
    [VNRS_DROP_DEAD_NEXTHOP] = {[IPV6] = VIA6(VNRS_DROP_DEAD_NEXTHOP)},
};

const struct vnrs_nlhop *vnrs_kernel_drop_hop(uint8_t family, enum vnrs_drop_reason reason)
{
    const struct vnrs_nlhop *hop = &hops[reason][family == VNRS_AF_IPV4 ? IPV4 : IPV6];

    assert(hop->ifindex);
    return hop;
}
