// SPDX-License-Identifier: GPL-2.0-or-later
// What takes the place of the paths of a peer that is lost, found before they are forgotten one by one: where all
// prefixes that have nothing but them go the same way, forwarding is moved as a whole. Looks at each prefix of the peer
// once and changes nothing. Pure.
#pragma once

#include "bgp/speaker_core.h"

#define VNRS_BGP_HEIRS_MAX 16u // sets of a peer; those found later are not told

struct vnrs_bgp_heirs {
    unsigned n;
    struct vnrs_spk_next list[VNRS_BGP_HEIRS_MAX]; // next hops by address
};

// For each set of next hops, as it is reported, whose paths are all of the source `slot`, the set that comes instead.
// Not for those after which some prefix has nothing, or another set than others.
void vnrs_bgp_heirs_find(const struct vnrs_bgp_speaker *speaker, unsigned slot, struct vnrs_bgp_heirs *ret_heirs);
