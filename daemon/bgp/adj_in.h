// SPDX-License-Identifier: GPL-2.0-or-later
// What a speaker takes from a peer's UPDATEs: loop check, next-hop check, prefix limit, and the rule that nothing equal
// to or inside a virtual network's range is used (azure-routing.md 5.3 and 5.5). Pure.
#pragma once

#include "bgp/speaker_core.h"

// One UPDATE of the peer's session. Returns 0, or -EBADMSG with the NOTIFICATION that ends the session.
//
// The prefix limit counts what the peer has in the Adj-RIB-In plus all that this UPDATE announces, known or not: the
// nearest that one message allows to Azure's "present + incoming". With features beyond Azure's, and for what is no
// Route Server, a prefix counts once.
int vnrs_bgp_adj_in_update(struct vnrs_bgp_member *member, const uint8_t *msg, size_t len,
                           struct vnrs_bgp_error *ret_error) VNRS_MUST_CHECK;
// Looks at every path anew, after the ranges or the configuration changed.
void vnrs_bgp_adj_in_rejudge(struct vnrs_bgp_speaker *speaker);
