// SPDX-License-Identifier: GPL-2.0-or-later
// State of a speaker in the form in which the controller is told (vnrs/speaker_proto.h). Pure.
#pragma once

#include "bgp/speaker_core.h"

#define VNRS_BGP_WEIGHT_LEARNED 32768u // as Azure shows it; advertised routes have 0

void vnrs_bgp_report_peer(struct vnrs_bgp_member *member, struct vnrs_spk_peer *ret_peer);
// The usable best paths, each next hop once; n 0: none, or the prefix is originated here.
void vnrs_bgp_report_route(const struct vnrs_bgp_speaker *speaker, const struct vnrs_bgp_dest *dest,
                           struct vnrs_spk_route *ret_route);
// The paths of one entry that answer a query (`member` NULL: all of them), at most VNRS_BGP_SLOTS. Returns how many.
size_t vnrs_bgp_report_paths(struct vnrs_bgp_speaker *speaker, const struct vnrs_spk_query *query,
                             struct vnrs_bgp_member *member, const struct vnrs_bgp_dest *dest,
                             struct vnrs_spk_path *ret_paths);
