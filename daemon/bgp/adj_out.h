// SPDX-License-Identifier: GPL-2.0-or-later
// What a speaker tells a peer (azure-routing.md 5.4): the prefixes it originates and the best routes of other peers,
// with its own ASN prepended, itself as next hop, and, as a Route Server, community 65517:65517. Never a route back to
// where it came from; NO_ADVERTISE is told to nobody, NO_EXPORT not by eBGP (RFC 1997). A receiver's own ASN in the
// path is left for the receiver to find. Nothing is copied per peer: an Adj-RIB-Out is a bit in each RIB entry, its
// attributes follow from the best path. Pure.
#pragma once

#include "bgp/speaker_core.h"

// The next message for an Established peer: an UPDATE, or End-of-RIB. Returns its length, 0 when there is nothing to
// tell now, or -ENOMEM. `size` is at least vnrs_bgp_adj_out_message_max.
int vnrs_bgp_adj_out_next(struct vnrs_bgp_member *member, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
// The largest message of the session: extended where both sides announced that (RFC 8654).
size_t vnrs_bgp_adj_out_message_max(struct vnrs_bgp_member *member);
// True when adj_out_next may have something.
bool vnrs_bgp_adj_out_is_pending(const struct vnrs_bgp_member *member);
// Everything of this family is to be told again, between markers where the peer knows them (RFC 7313).
void vnrs_bgp_adj_out_refresh(struct vnrs_bgp_member *member, uint8_t af);
// What the peer is told about a prefix, borrowed from the cache until the next call; NULL: nothing, or (with
// *ret_failed set) no memory.
const struct vnrs_bgp_attrs *vnrs_bgp_adj_out_attrs(struct vnrs_bgp_member *member, const struct vnrs_bgp_dest *dest,
                                                    bool *ret_failed);
// For vnrs_bgp_rib.is_same_outside; `arg` is the speaker.
bool vnrs_bgp_adj_out_is_same(void *arg, const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b);
// The own address changed, or the speaker ends.
void vnrs_bgp_adj_out_forget(struct vnrs_bgp_speaker *speaker);
