// SPDX-License-Identifier: GPL-2.0-or-later
// The decision process (RFC 4271 section 9.1) as numbered steps: a total order of the paths of one prefix, the step
// that decided between two of them, and the set that is equally good. RFC 4456 section 9 adds to it for what a route
// reflector inside the AS passed on, RFC 6286 compares identifiers as numbers.
//
// MED (9.1.2.2 c) is not looked at (azure-routing.md 5.7): so the order is total and the outcome does not depend on the
// order of arrival. Nor is the cost to the next hop (e): next hops are reached through the virtual network, all alike.
// Pure.
#pragma once

#include "bgp/attr.h"
#include "bgp/roles.h"

enum vnrs_bgp_step {
    VNRS_BGP_STEP_BEST = 0, // did not lose
    VNRS_BGP_STEP_LOCAL,    // originated here
    VNRS_BGP_STEP_PREF,     // higher LOCAL_PREF; 100 where there is none (9.1.1)
    VNRS_BGP_STEP_CLASS,    // the class that hubRoutingPreference names (azure-routing.md 5.8); elsewhere first hand,
                            // at an ExpressRoute gateway by routingWeight
    VNRS_BGP_STEP_PATH_LEN, // shorter AS path (9.1.2.2 a). Paths equal up to here share the traffic
    VNRS_BGP_STEP_ORIGIN,   // IGP, EGP, incomplete (b)
    VNRS_BGP_STEP_EBGP,     // eBGP before iBGP (d)
    VNRS_BGP_STEP_ID,       // lower BGP identifier of the peer (f), or of the ORIGINATOR_ID
    VNRS_BGP_STEP_CLUSTERS, // shorter CLUSTER_LIST: fewer route reflectors on the way
    VNRS_BGP_STEP_ADDR,     // lower address of the peer (g)
    VNRS_BGP_STEP_PATH_ID,  // lower path identifier, of several paths of one peer (RFC 7911)
    _VNRS_BGP_STEP_MAX,
    VNRS_BGP_STEP_BARRED = 255, // was not a candidate
};

// Why a path is no candidate, although it is kept.
enum vnrs_bgp_barred {
    VNRS_BGP_USABLE = 0,
    VNRS_BGP_BARRED_LOCAL,   // equal to or inside a prefix of the virtual networks (azure-routing.md 5.5)
    VNRS_BGP_BARRED_LOOP,    // our ASN is in the AS path
    VNRS_BGP_BARRED_NEXTHOP, // the next hop is this instance (RFC 4271 5.1.3)
    VNRS_BGP_BARRED_BRANCH,  // of a gateway, at a Route Server that is not to join branches (azure-routing.md 5.6)
    VNRS_BGP_BARRED_MARKED,  // came back to an ExpressRoute gateway: it went through a Route Server before (5.6)
    VNRS_BGP_BARRED_GONE,    // withdrawn; stays only until peers have heard of it (bgp/rib.h)
    _VNRS_BGP_BARRED_MAX,
};

struct vnrs_bgp_source { // where paths come from
    struct vnrs_addr addr;
    uint32_t router_id, asn;
    bool local, ibgp;
    uint8_t from;  // kind of the peer, or VNRS_BGP_FROM_LOCAL, _STATIC (bgp/roles.h)
    uint16_t rank; // vnrs_bgp_role_rank
};

struct vnrs_bgp_candidate {
    const struct vnrs_bgp_attrs *attrs;
    const struct vnrs_bgp_source *source;
    uint32_t path_id; // as received, 0: none
};

// < 0: a is better, > 0: b is better, 0: the same path. *ret_step is where the lesser one lost.
int vnrs_bgp_decide_cmp(const struct vnrs_bgp_candidate *a, const struct vnrs_bgp_candidate *b,
                        enum vnrs_bgp_step *ret_step);
// True when a path that loses at `step` is still as good for forwarding.
bool vnrs_bgp_step_is_multipath(enum vnrs_bgp_step step);
const char *vnrs_bgp_step_text(enum vnrs_bgp_step step);       // "longer AS path"; why it lost
const char *vnrs_bgp_barred_text(enum vnrs_bgp_barred barred); // "" for a usable path
