// SPDX-License-Identifier: GPL-2.0-or-later
// Inside of the speaker's core: what its running (speaker_core.c) and its configuration (speaker_config.c) share.
#pragma once

#include "bgp/speaker_core.h"

uint16_t vnrs_bgp_restart_s(const struct vnrs_spk_config *conf);
// Its peer as it is configured now, at rest.
void vnrs_bgp_member_init(struct vnrs_bgp_member *member);
void vnrs_bgp_member_set_caps(struct vnrs_bgp_member *member);
// Administratively: nothing of the peer stays.
void vnrs_bgp_member_stop(struct vnrs_bgp_member *member, uint8_t cease, const char *text);
void vnrs_bgp_member_free(struct vnrs_bgp_member *member); // accepts NULL
