// SPDX-License-Identifier: GPL-2.0-or-later
// What takes the place of the paths of a peer that is lost, found before they are forgotten one by one: where all
// prefixes that have nothing but them go the same way, or have nothing then, forwarding is moved as a whole. Looks at
// each prefix of the peer once and changes nothing. Pure.
#pragma once

#include "bgp/speaker_core.h"

#define VNRS_BGP_HEIRS_MAX 31u // sets of a peer, as many as fit one message; those found later are not told

struct vnrs_bgp_heirs {
    unsigned n;
    struct vnrs_spk_next list[VNRS_BGP_HEIRS_MAX]; // next hops by address
};

// For each set of next hops, as it is reported, whose paths are all of the source `slot`, the set that comes instead,
// or that it is not the same for all prefixes.
void vnrs_bgp_heirs_find(const struct vnrs_bgp_speaker *speaker, unsigned slot, struct vnrs_bgp_heirs *ret_heirs);
