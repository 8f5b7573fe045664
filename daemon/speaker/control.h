// SPDX-License-Identifier: GPL-2.0-or-later
// The controller's side of a speaker, on VNRS_SPEAKER_FD_CONTROL: takes configuration, queries and actions, tells peers
// and routes. Nothing is queued as messages: peers and routes that changed are marked, and their newest state is sent
// when the socket has room. A controller that does not read makes the speaker stop reading from its peers.
//
// A new controller says HELLO with its generation on the same pair and gets everything anew.
#pragma once

#include "speaker/speakerd.h"

#define VNRS_CONTROL_BACKLOG_MAX 16384u // routes waiting for a full socket before reading stops
#define VNRS_CONTROL_RUN_MAX     16     // messages in one run, so that sessions get their turn
#define VNRS_CONTROL_QUERIES_MAX 64u    // waiting at a time
#define VNRS_CONTROL_OWN_MAX     65536u
#define VNRS_CONTROL_REVIEW_MS   1000u // how often counters of peers are looked at

int vnrs_control_init(struct vnrs_speakerd *sp) VNRS_MUST_CHECK;
void vnrs_control_free(struct vnrs_speakerd *sp);
// One message to the controller. Returns false when the socket is full: what was to be sent is still due then.
bool vnrs_control_put(struct vnrs_speakerd *sp, enum vnrs_speaker_msg type, size_t count, const void *body, size_t len);
// Sends what is due. Returns true when there is more to do at once.
bool vnrs_control_flush(struct vnrs_speakerd *sp);
// The paths of the peer are about to go, which may take a while: the controller hears of it first.
void vnrs_control_lost(struct vnrs_speakerd *sp, const struct vnrs_bgp_member *member);
// The controller does not keep up.
bool vnrs_control_is_behind(const struct vnrs_speakerd *sp);
// When to look at the counters of peers again, or VNRS_BGP_NEVER.
uint64_t vnrs_control_next(const struct vnrs_speakerd *sp);
