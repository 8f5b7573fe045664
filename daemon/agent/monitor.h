// SPDX-License-Identifier: GPL-2.0-or-later
// Sockets for notifications of the namespaces that hold objects of ours. What is heard is judged by heard.h. Our own
// writes are told apart by the number of the socket that made them (rtnl.h); links by draining after they were made,
// nftables by discarding.
#pragma once

#include "agent/heard.h"

struct vnrs_agentd_watch_options {
    struct vnrs_notify_groups groups;
    const char *nft_table; // as in struct vnrs_agentd_place; copied; NULL: none
    bool fabric;
    bool apart; // on a socket of its own: a namespace of others, routes of another protocol, or neighbours
};

// `owner` (copied) is what an event names, unless it is about a link. The watch keeps the namespace alive.
int vnrs_agentd_watch_new(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *owner, int ns_fd,
                          const struct vnrs_agentd_watch_options *options,
                          struct vnrs_agentd_watch **ret_watch) VNRS_MUST_CHECK;
void vnrs_agentd_watch_free(struct vnrs_agentd_watch *watch); // accepts NULL
const struct vnrs_agentd_place *vnrs_agentd_watch_place(const struct vnrs_agentd_watch *watch);
// Whether the watch is one of this very namespace.
bool vnrs_agentd_watch_is_of(const struct vnrs_agentd_watch *watch, int ns_fd);
// Handle what waits, except what is about the LINK object `link`: we just made it.
void vnrs_agentd_watch_drain(struct vnrs_agentd_watch *watch, const struct vnrs_agentd_object *link);
// Forget what waits: it was our own doing. Only of one with a socket of its own (apart, nftables). Accepts NULL.
void vnrs_agentd_watch_discard(struct vnrs_agentd_watch *watch);

// The socket that all watches share but those that are apart; accepts that there is none.
void vnrs_agentd_ear_free(struct vnrs_agentd *ad);
