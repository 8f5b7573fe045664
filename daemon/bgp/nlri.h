// SPDX-License-Identifier: GPL-2.0-or-later
// Prefixes on the wire (RFC 4271 section 4.3): a length in bits and as many octets as that needs, with ADD-PATH behind
// a path identifier of four octets (RFC 7911 section 3).
#pragma once

#include "bgp/msg.h"
#include "bgp/wire.h"

#define VNRS_BGP_PATH_ID_BYTES 4u

// True when the region consists of whole prefixes whose lengths the family allows (RFC 7606 section 5.3).
bool vnrs_bgp_nlri_check(const struct vnrs_bgp_nlri *nlri);
// Octets that a prefix takes on the wire, without its path identifier.
static inline size_t vnrs_bgp_nlri_bytes(const struct vnrs_prefix *prefix)
{
    return 1u + (prefix->len + 7u) / 8u;
}
void vnrs_bgp_nlri_put(struct vnrs_wire_out *w, const struct vnrs_prefix *prefix);
// False for a prefix that no unicast route can have: multicast, link-local (RFC 4271 section 6.3).
bool vnrs_bgp_nlri_is_unicast(const struct vnrs_prefix *prefix);
static inline uint8_t vnrs_bgp_af_family(uint8_t af)
{
    return af == VNRS_BGP_AF6 ? VNRS_AF_IPV6 : VNRS_AF_IPV4;
}
static inline uint8_t vnrs_bgp_af_of(const struct vnrs_prefix *prefix)
{
    return prefix->family == VNRS_AF_IPV6 ? VNRS_BGP_AF6 : VNRS_BGP_AF4;
}
