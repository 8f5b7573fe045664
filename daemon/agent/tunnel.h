// SPDX-License-Identifier: GPL-2.0-or-later
// Ends of tunnels: whether each is up, and why not. That it is up is told by its link (VNRS_LINK_TUNNEL), what goes
// wrong by charon on a socket in its directory, of whose messages only the number of the kind is looked at: nothing
// that the other end says gets in here. The controller hears of each change (VNRS_AG_EV_TUNNEL).
#pragma once

#include "agent/lab.h"

// Whether the kernel carries ESP; it is asked once.
bool vnrs_agentd_tunnel_kernel_esp(struct vnrs_agentd *ad);
// The daemon of the PROC object runs, with `dir` as its directory, in the namespace `ns_fd`. `fresh`: it was started
// just now. Without memory the tunnel is not watched.
void vnrs_agentd_tunnel_started(struct vnrs_agentd_object *object, const char *dir, int ns_fd, bool fresh);
// One of its processes ended; accepts any PROC.
void vnrs_agentd_tunnel_ended(struct vnrs_agentd_object *object, const char *member);
// One end of a LINK object of kind TUNNEL is as `flags` (IFF_*) say now.
void vnrs_agentd_tunnel_link(struct vnrs_agentd_object *link, const struct vnrs_link_end *end, uint32_t flags);
// A LINK object of kind TUNNEL was made anew. charon takes its end up with the first SA only, so one that runs already
// has to begin again.
void vnrs_agentd_tunnel_link_made(const struct vnrs_agentd_object *link);
enum vnrs_tunnel_state vnrs_agentd_tunnel_state(const struct vnrs_agentd_object *object);
void vnrs_agentd_tunnel_forget(struct vnrs_agentd_object *object); // accepts that there is none

// What one message of charon's error-notify plugin says, by its first bytes. NONE: nothing about why. Pure.
enum vnrs_tunnel_state vnrs_agentd_tunnel_reason(const void *bytes, size_t len);
