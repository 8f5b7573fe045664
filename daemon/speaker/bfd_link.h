// SPDX-License-Identifier: GPL-2.0-or-later
// The main loop's side of BFD: keeps the sessions of the BFD thread as the configuration wants them, gets their sockets
// from the agent, and hands what the thread says to the speaker (vnrs_bgp_member_bfd).
#pragma once

#include "speaker/speakerd.h"

#define VNRS_BFD_RETRY_MS 2000 // after a socket could not be had

// Starts the thread: after vnrs_sandbox_begin, before vnrs_sandbox_seal. 0 or a negative errno.
int vnrs_bfd_link_init(struct vnrs_speakerd *sp) VNRS_MUST_CHECK;
// After every change of the configuration.
void vnrs_bfd_link_sync(struct vnrs_speakerd *sp);
// Takes an answer of the agent. Returns false when BFD did not ask for it; `fd` is taken then only.
bool vnrs_bfd_link_socket(struct vnrs_speakerd *sp, const struct vnrs_spk_socket *answer, int *fd);
// Each session says AdminDown; the thread ends.
void vnrs_bfd_link_free(struct vnrs_speakerd *sp);
