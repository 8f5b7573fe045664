// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to Adj-RIB-Out (bgp/adj_out.h): prefixes to which the outbound map of a group summarises. What an entry of
// the RIB adds to them is noted when the entry has its turn; the prefixes themselves are told by _tell. Also what a
// peer is to forget because its map changed. Pure.
//
// A group without such a map has nothing of this. The map never sees what is originated here, and (vnrs validate) none
// of its summaries is equal to or inside that.
#pragma once

#include "bgp/adj_out_turn.h"

#define VNRS_BGP_SUMMARY_PATH_ID 65536u // RFC 7911: no path of the RIB has it

struct vnrs_bgp_out; // of one group, by number in vnrs_bgp_speaker.outs; NULL: its map does not summarise

void vnrs_bgp_out_end(struct vnrs_bgp_speaker *speaker, unsigned number); // nobody is in the group any more
// The group's map is in another place now, and is the same.
void vnrs_bgp_out_move_map(struct vnrs_bgp_speaker *speaker, unsigned number, const struct vnrs_bgp_map *map);

// True when a route that comes out under this prefix is told as a summary.
bool vnrs_bgp_out_has(const struct vnrs_bgp_group *group, const struct vnrs_bgp_path *path,
                      const struct vnrs_prefix *prefix);
// What the entry adds to the summaries of the group now. Returns 0 or -ENOMEM.
int vnrs_bgp_out_note(struct vnrs_bgp_speaker *speaker, unsigned number,
                      const struct vnrs_bgp_dest *dest) VNRS_MUST_CHECK;

// Tells each of `ready` what it has to forget. Before anything else.
bool vnrs_bgp_out_tell_forgotten(const struct vnrs_bgp_turn *turn, uint64_t ready);
// Tells each of `ready`, who are in step, the summaries that changed.
bool vnrs_bgp_out_tell(const struct vnrs_bgp_turn *turn, uint64_t ready);
// The next _tell may have something for one of these members, once they are in step.
bool vnrs_bgp_out_has_news(const struct vnrs_bgp_speaker *speaker, unsigned number, uint64_t members);
bool vnrs_bgp_out_is_due(const struct vnrs_bgp_member *member); // there may be something to tell

// All summaries are to be told, also those that it was told of.
void vnrs_bgp_out_repeat(struct vnrs_bgp_member *member);
// The peer is no longer a member of the group, or its session ended.
void vnrs_bgp_out_leave(struct vnrs_bgp_member *member);
// It goes from the group that it is in to another, because its map is another one: what it was told goes along or is to
// be forgotten. Returns 0 or -ENOMEM.
int vnrs_bgp_out_change(struct vnrs_bgp_member *member, unsigned to) VNRS_MUST_CHECK;

// The n-th summary that the peer was told of. False: there are not so many.
bool vnrs_bgp_out_told(const struct vnrs_bgp_member *member, size_t n, struct vnrs_prefix *ret_prefix,
                       const struct vnrs_bgp_attrs **ret_attrs);
