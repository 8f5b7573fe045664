// SPDX-License-Identifier: GPL-2.0-or-later
// The distinct sets of next hops in one message of routes: most prefixes of a peer have one of a few. Pure.
#pragma once

#include "bgp/report.h"

#define VNRS_ROUTE_SETS_MAX ((VNRS_SPEAKER_MSG_MAX - sizeof(struct vnrs_spk_hdr)) / sizeof(struct vnrs_spk_set))

struct vnrs_route_sets {
    uint32_t n, last;   // last: index of the one that was asked for last
    uint8_t index[256]; // open addressing: number, or 0
    struct vnrs_spk_set sets[VNRS_ROUTE_SETS_MAX];
};

void vnrs_route_sets_clear(struct vnrs_route_sets *sets);
// The number of the set, from 1, in `*ret_number`; 0 for one without next hops. Returns 0, or -ENOSPC: the message is
// full.
int vnrs_route_sets_add(struct vnrs_route_sets *sets, const struct vnrs_spk_set *set,
                        uint32_t *ret_number) VNRS_MUST_CHECK;
