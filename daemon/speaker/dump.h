// SPDX-License-Identifier: GPL-2.0-or-later
// MRT dumps for the controller: the table (bgp/mrt_dump.h), or a log of what is received from now on. The controller
// gives credit, and no more than that is sent; messages that wait for it are kept in a ring. A reader that lets the
// ring run over has lost messages, and its dump ends with ENOBUFS.
#pragma once

#include "speaker/speakerd.h"

#define VNRS_DUMP_LOG_BYTES 1048576u

// One order of the controller. Returns 0, or -EBADMSG for one that must not be, or -ENOMEM.
int vnrs_dump_take(struct vnrs_speakerd *sp, const struct vnrs_spk_dump *ask) VNRS_MUST_CHECK;
// Sends one message of what is due. Returns true when there is more to do at once.
bool vnrs_dump_run(struct vnrs_speakerd *sp);
// Ends all of them, without a word: another controller is there, or the speaker ends.
void vnrs_dump_forget(struct vnrs_speakerd *sp);

bool vnrs_dump_is_watching(const struct vnrs_speakerd *sp); // some dump wants to know of messages
void vnrs_dump_received(struct vnrs_speakerd *sp, const struct vnrs_bgp_member *member, enum vnrs_bgp_side side,
                        const uint8_t *msg, size_t len);
void vnrs_dump_changed(struct vnrs_speakerd *sp, struct vnrs_bgp_member *member);
