// SPDX-License-Identifier: GPL-2.0-or-later
// Internet checksum (RFC 1071) of what the fabric itself sends.
#pragma once

#include "lib/packet.h"

STAGE __u16 checksum_fold(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

struct pseudo_header6 { // RFC 8200 section 8.1
    __u32 saddr[4], daddr[4];
    __be32 len;
    __be32 next;
};
