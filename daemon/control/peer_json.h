// SPDX-License-Identifier: GPL-2.0-or-later
// A BGP peer of one speaker as JSON: the line that `vnrs peers` shows, and all there is to know of it.
// Keys are documented in docs/bgp.md and never renamed.
#pragma once

#include "control/state.h"

#include <jansson.h>

// Both return a new reference, NULL when out of memory.
json_t *vnrs_peer_json(const struct vnrs_lab *lab, const struct vnrs_speaker *speaker,
                       const struct vnrs_spk_peer_config *config);
// With what the speaker said; NULL: it does not run, values are those of no session. `now_ms` is CLOCK_MONOTONIC, `now`
// the same moment in seconds since the epoch.
json_t *vnrs_peer_json_full(const struct vnrs_lab *lab, const struct vnrs_speaker *speaker,
                            const struct vnrs_spk_peer_config *config, const struct vnrs_spk_detail *detail,
                            uint64_t now_ms, int64_t now);
const char *vnrs_peer_state_name(unsigned state);
const char *vnrs_bfd_state_text(unsigned state);
const char *vnrs_bfd_diag_name(unsigned diag);
