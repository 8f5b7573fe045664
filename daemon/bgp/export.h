// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of attributes on their way out to a group of peers (bgp/roles.h), and which paths go there at all. The
// one place where outgoing attributes are made. Pure.
#pragma once

#include "bgp/speaker_core.h"

// True when members of the group, other than the peer it came from, may hear of this path.
bool vnrs_bgp_export_is_allowed(const struct vnrs_bgp_speaker *speaker, const struct vnrs_bgp_group *group,
                                const struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *path);
// The path of which members of the group are to hear, other than the peer it came from; NULL: none.
const struct vnrs_bgp_path *vnrs_bgp_export_path(const struct vnrs_bgp_speaker *speaker,
                                                 const struct vnrs_bgp_group *group, const struct vnrs_bgp_dest *dest);
// Its attributes as they are told, borrowed from a cache until the next call. NULL: the group's route map drops it,
// they cannot be told on because they are too large, or, with *ret_failed set, no memory. *ret_outcome is what the map
// did: it sees routes as they are in the RIB, before the own ASN, next hop and community are put in, and never what is
// originated here (azure-routing.md 5.9).
const struct vnrs_bgp_attrs *vnrs_bgp_export_attrs(struct vnrs_bgp_speaker *speaker, const struct vnrs_bgp_group *group,
                                                   const struct vnrs_prefix *prefix, const struct vnrs_bgp_path *path,
                                                   struct vnrs_bgp_map_outcome *ret_outcome, bool *ret_failed);
// True when eBGP peers are told the same of both (vnrs_bgp_rib.is_same_outside); `arg` is the speaker.
bool vnrs_bgp_export_is_same(void *arg, const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b);
// The own address or the route maps changed, or the speaker ends.
void vnrs_bgp_export_forget(struct vnrs_bgp_speaker *speaker);
