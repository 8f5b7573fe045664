// SPDX-License-Identifier: GPL-2.0-or-later
// Routes that stay although the peer did not announce them anew yet: while it restarts (RFC 4724 section 4.2, RFC
// 8538), and while it answers a refresh (RFC 7313 section 4). Both end with a sweep of what it did not announce again:
// at End-of-RIB or the end of the refresh, or when that takes too long. Pure.
//
// Marking is cheap: paths carry the epoch of their source in which they were announced, and a new one begins.
#pragma once

#include "bgp/msg.h"

struct vnrs_bgp_member;
struct vnrs_bgp_path;

#define VNRS_BGP_STALE_MS        360000u // from Established to End-of-RIB
#define VNRS_BGP_REFRESH_WAIT_MS 60000u  // from the begin of a refresh to its end

struct vnrs_bgp_retain {       // by family, where that matters; zero: nothing is retained
    struct vnrs_bgp_caps caps; // the peer's, of the last session
    bool restart[_VNRS_BGP_AF_MAX], refresh[_VNRS_BGP_AF_MAX];
    uint16_t restart_epoch[_VNRS_BGP_AF_MAX], refresh_epoch[_VNRS_BGP_AF_MAX]; // what is older goes
    uint64_t restart_until, refresh_until[_VNRS_BGP_AF_MAX];
};

// The session came up. Families that the peer did not keep forwarding for are swept at once.
void vnrs_bgp_retain_up(struct vnrs_bgp_member *member);
// Whether any of its paths stay when the session ends now.
bool vnrs_bgp_retain_keeps(const struct vnrs_bgp_member *member, bool graceful);
// It ended. `graceful`: by something after which routes may stay. The others are withdrawn.
void vnrs_bgp_retain_down(struct vnrs_bgp_member *member, bool graceful);
void vnrs_bgp_retain_eor(struct vnrs_bgp_member *member, uint8_t af);
// BoRR (subtype 1) and EoRR (2).
void vnrs_bgp_retain_refresh(struct vnrs_bgp_member *member, uint8_t af, uint8_t subtype);
// Nothing stays any longer: the peer is shut down, reset or removed.
void vnrs_bgp_retain_drop(struct vnrs_bgp_member *member);
void vnrs_bgp_retain_tick(struct vnrs_bgp_member *member, uint64_t now_ms);
uint64_t vnrs_bgp_retain_next(const struct vnrs_bgp_member *member); // earliest deadline, or VNRS_BGP_NEVER

bool vnrs_bgp_retain_is_active(const struct vnrs_bgp_member *member); // of a restart
// `path` is the received one (vnrs_bgp_import_find).
bool vnrs_bgp_retain_is_stale(const struct vnrs_bgp_member *member, const struct vnrs_prefix *prefix,
                              const struct vnrs_bgp_path *path);
