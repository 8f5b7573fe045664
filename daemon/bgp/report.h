// SPDX-License-Identifier: GPL-2.0-or-later
// State of a speaker in the form in which the controller is told (vnrs/speaker_proto.h). Pure.
#pragma once

#include "bgp/speaker_core.h"

#define VNRS_BGP_REPORT_MAX     64u
#define VNRS_BGP_WEIGHT_LEARNED 32768u // as Azure shows it; advertised routes have 0

void vnrs_bgp_report_peer(struct vnrs_bgp_member *member, struct vnrs_spk_peer *ret_peer);
// The usable best paths, each next hop once; n 0: none, or the prefix is originated here. Where one of them is
// BLACKHOLE (RFC 7999) its traffic is not shared: no next hop at all is the only one.
void vnrs_bgp_report_set(const struct vnrs_bgp_speaker *speaker, const struct vnrs_bgp_dest *dest,
                         struct vnrs_spk_set *ret_set);
// Likewise, of what there will be without the paths of one source.
void vnrs_bgp_report_set_without(const struct vnrs_bgp_speaker *speaker, const struct vnrs_bgp_dest *dest,
                                 unsigned without, struct vnrs_spk_set *ret_set);

struct vnrs_bgp_report_cursor { // zero: at the beginning
    unsigned table;   // 0: the RIB; else what the peer in slot `table` - 1 announced, where it has an inbound map
    size_t at, shown; // entries that were passed; paths of the last one that were given, 0: all
};

// The next paths that answer a query (`member` NULL: of all peers), of one entry and at most VNRS_BGP_REPORT_MAX, in
// *ret_n; often none. False: there is no further entry. Learned routes are shown as received; the RIB has what route
// maps made of them, and after that what they dropped or summarised.
bool vnrs_bgp_report_next(struct vnrs_bgp_speaker *speaker, const struct vnrs_spk_query *query,
                          struct vnrs_bgp_member *member, struct vnrs_bgp_report_cursor *cursor,
                          struct vnrs_spk_path *ret_paths, size_t *ret_n) VNRS_MUST_CHECK;

// All of `detail` that is known here, but for what is counted (vnrs_bgp_report_count) and the connection's ports.
void vnrs_bgp_report_detail(struct vnrs_bgp_member *member, uint64_t now_ms, struct vnrs_spk_detail *detail);
// Adds what the next entry of the tables has of the peer. False: there is no further entry.
bool vnrs_bgp_report_count(const struct vnrs_bgp_member *member, struct vnrs_bgp_report_cursor *cursor,
                           struct vnrs_spk_detail *detail) VNRS_MUST_CHECK;
