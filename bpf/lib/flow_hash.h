// SPDX-License-Identifier: GPL-2.0-or-later
// What hashes of flows and of addresses are made of.
#pragma once

#include <linux/types.h>

#include "lib/packet.h"

// The products do not wait for each other; what they are good for is in their upper halves.
STAGE __u64 flow_pair(__u32 a, __u32 b, __u64 odd)
{
    return ((__u64)a << 32 | b) * odd;
}

// One end of a flow, so that sums of two do not meet where those of other ends do.
STAGE __u64 flow_end(const __u32 *addr, __u32 port)
{
    __u64 end = flow_pair(addr[0], addr[1], 0x9e3779b97f4a7c15) ^ flow_pair(addr[2], addr[3], 0xc2b2ae3d27d4eb4f);

    end = (end ^ end >> 32 ^ port) * 0xd6e8feb86659fd93;
    return end ^ end >> 29;
}
