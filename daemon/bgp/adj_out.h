// SPDX-License-Identifier: GPL-2.0-or-later
// What a speaker tells its peers (azure-routing.md 5.4): the prefixes it originates and the best routes of other peers,
// with its own ASN prepended, itself as next hop, and, as a Route Server, community 65517:65517. Never a route back to
// where it came from; NO_ADVERTISE is told to nobody, NO_EXPORT not by eBGP (RFC 1997). A receiver's own ASN in the
// path is left for the receiver to find. Nothing is copied per peer: an Adj-RIB-Out is a bit in each RIB entry, its
// attributes follow from the best path. Pure.
//
// A peer's outbound route map sees the routes after the best path was chosen, so it has no say in that.
//
// Peers to whom the same goes in the same form are a group (update group): a message is made once and given to all of
// them that have room for it. Who has none is left behind and catches up by itself (bgp/rib_queue.h).
#pragma once

#include "bgp/speaker_core.h"

#define VNRS_BGP_RUN_MESSAGES 64u // made for one group in one run

// Established, and no longer.
void vnrs_bgp_adj_out_up(struct vnrs_bgp_member *member);
void vnrs_bgp_adj_out_down(struct vnrs_bgp_member *member);
// Tells what is due to all who have room (ops->has_room), at most so much that other work has its turn. Returns true
// when there is more to tell at once.
bool vnrs_bgp_adj_out_run(struct vnrs_bgp_speaker *speaker);
// The largest message of the session: extended where both sides announced that (RFC 8654).
size_t vnrs_bgp_adj_out_message_max(struct vnrs_bgp_member *member);
// True when there is something that the peer has yet to be told.
bool vnrs_bgp_adj_out_is_pending(const struct vnrs_bgp_member *member);
// Everything of this family is to be told again, between markers where the peer knows them (RFC 7313).
void vnrs_bgp_adj_out_refresh(struct vnrs_bgp_member *member, uint8_t af);
// The paths of a prefix of which the peer was told, as they are now: the best one, or with ADD-PATH all. `last` is NULL
// at first. NULL: there is no further one.
const struct vnrs_bgp_path *vnrs_bgp_adj_out_next_path(struct vnrs_bgp_member *member, const struct vnrs_bgp_dest *dest,
                                                       const struct vnrs_bgp_path *last);
// What the peer is told about one of them, and what its route map did to it; borrowed from the cache until the next
// call; NULL: nothing by this prefix, or (with *ret_failed set) no memory.
const struct vnrs_bgp_attrs *vnrs_bgp_adj_out_attrs(struct vnrs_bgp_member *member, const struct vnrs_bgp_dest *dest,
                                                    const struct vnrs_bgp_path *path,
                                                    struct vnrs_bgp_map_outcome *ret_outcome, bool *ret_failed);
const struct vnrs_bgp_map *vnrs_bgp_adj_out_map(struct vnrs_bgp_member *member); // NULL: none, or no session
// The n-th prefix to which its map summarises and of which it was told. False: there are not so many.
bool vnrs_bgp_adj_out_summary(struct vnrs_bgp_member *member, size_t n, struct vnrs_prefix *ret_prefix,
                              const struct vnrs_bgp_attrs **ret_attrs);
// The speaker has other route maps (the earlier ones are still there), or other ones are those of a peer. Sessions go
// on; what a map does otherwise than before is due.
void vnrs_bgp_adj_out_set_maps(struct vnrs_bgp_speaker *speaker);
// Who may hear of what changed: what peers are not to know any more, or are to know now, is due.
void vnrs_bgp_adj_out_review(struct vnrs_bgp_speaker *speaker);
void vnrs_bgp_adj_out_fini(struct vnrs_bgp_speaker *speaker);
