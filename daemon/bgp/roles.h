// SPDX-License-Identifier: GPL-2.0-or-later
// What a speaker tells whom, by what it is and by what its peers are to it: a Route Server, a VPN gateway, an
// ExpressRoute gateway, an edge router of Microsoft's, or none of them (azure-routing.md 5.4 to 5.8 and 6). One table.
// Pure.
#pragma once

#include "vnrs/speaker_proto.h"

#include <stdbool.h>

// Where a path is from: a kind of peer, or the instance itself.
enum {
    VNRS_BGP_FROM_LOCAL = _VNRS_SPK_PEER_KIND_MAX, // a range of the virtual networks
    VNRS_BGP_FROM_STATIC,                          // a prefix of a local network gateway
    _VNRS_BGP_FROM_MAX
};

struct vnrs_bgp_telling {
    bool allowed;
    bool no_default;   // but for 0.0.0.0/0 and ::/0
    bool keep_nexthop; // as it was received, also to eBGP; else the instance itself
    bool reflect;      // from one iBGP peer to another (RFC 4456)
    bool mark;         // with 65517:65517, that it is an NVA's and went through a Route Server
    bool public_only;  // without private ASNs in the path
};

// By kind of the peer that is told, by source of the path, by eBGP and iBGP: looked up for every path that is told.
struct vnrs_bgp_tellings {
    struct vnrs_bgp_telling by[_VNRS_SPK_PEER_KIND_MAX][_VNRS_BGP_FROM_MAX][2];
};

void vnrs_bgp_role_tells(const struct vnrs_spk_config *conf, struct vnrs_bgp_tellings *ret_tellings);
// Ranges equal to or inside those of the virtual networks are not taken from peers (5.5, 6.1).
bool vnrs_bgp_role_protects_locals(enum vnrs_spk_role role);
// The controller is told of paths of this source; others it hears of from the instance that has them first hand.
bool vnrs_bgp_role_reports(unsigned from);
// Paths of sources with a lower rank come first, before the length of AS paths is looked at. At a Route Server by
// hubRoutingPreference; at a gateway or edge router what it knows first hand, so that the Route Server and the
// controller, which choose between gateways (5.7, 5.8), hear of it whatever came from there. At an ExpressRoute gateway
// the circuit with the highest `weight` of its connection comes first.
uint16_t vnrs_bgp_role_rank(const struct vnrs_spk_config *conf, unsigned from, unsigned weight);
// Private use (RFC 6996): what Microsoft's edge routers take out of AS paths (6.2).
bool vnrs_bgp_asn_is_private(uint32_t asn);
