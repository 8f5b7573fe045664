// SPDX-License-Identifier: GPL-2.0-or-later
// What a speaker takes from a peer's UPDATEs: which routes are not even kept, and the prefix limit
// (azure-routing.md 5.3 and 5.5). What is kept goes on in bgp/import.h. Pure.
#pragma once

#include "bgp/speaker_core.h"

// One UPDATE of the peer's session. Returns 0, or -EBADMSG with the NOTIFICATION that ends the session.
//
// The prefix limit counts "present + incoming", as Azure says: what comes again while it is there counts once more,
// until nothing came for VNRS_BGP_QUIET_MS, at most VNRS_BGP_BURST_MS. So a peer with 2,001 of at most 4,000 prefixes
// that announces all of them again is over the limit. With features beyond Azure's, and for what is no Route Server, a
// prefix counts once.
int vnrs_bgp_adj_in_update(struct vnrs_bgp_member *member, const uint8_t *msg, size_t len,
                           struct vnrs_bgp_error *ret_error) VNRS_MUST_CHECK;
