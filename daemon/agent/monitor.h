// SPDX-License-Identifier: GPL-2.0-or-later
// Changes by another hand: netlink notifications of the namespaces that hold objects of ours, and names of namespaces
// that disappear. Each lab gets one SUSPECT event for all that happens within a moment; the controller then checks the
// lab again. Our own writes are told apart by the number of the socket that made them (rtnl.h), links by draining
// after they were made.
#pragma once

#include "agent/lab.h"
#include "lab/notify.h"

struct vnrs_agentd_watch_options {
    struct vnrs_notify_groups groups;
    bool fabric;
    bool apart; // on a socket of its own: a namespace of others, or routes of another protocol
};

// `owner` (copied) is what an event names, unless it is about a link. The watch keeps the namespace alive.
int vnrs_agentd_watch_new(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *owner, int ns_fd,
                          const struct vnrs_agentd_watch_options *options,
                          struct vnrs_agentd_watch **ret_watch) VNRS_MUST_CHECK;
void vnrs_agentd_watch_free(struct vnrs_agentd_watch *watch); // accepts NULL
// Whether the watch is one of this very namespace.
bool vnrs_agentd_watch_is_of(const struct vnrs_agentd_watch *watch, int ns_fd);
// Handle what waits, except what is about the LINK object `link`: we just made it.
void vnrs_agentd_watch_drain(struct vnrs_agentd_watch *watch, const struct vnrs_agentd_object *link);

// An object of the lab may not be as it should: report it soon. A hand that never rests (or a repair that causes what
// it repairs) is told of ever more rarely.
void vnrs_agentd_suspect(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *obj);
// Milliseconds to wait before the next event, the last one having waited `before_ms` (0: none yet) and been sent
// `quiet_ms` ago. Pure.
unsigned vnrs_agentd_suspect_delay(unsigned before_ms, uint64_t quiet_ms);

// Watch the directory of namespace names; harmless where it is done already or the directory is not there.
void vnrs_agentd_names_watch(struct vnrs_agentd *ad);
void vnrs_agentd_names_free(struct vnrs_agentd *ad);
// The socket that all watches share but those that are apart; accepts that there is none.
void vnrs_agentd_ear_free(struct vnrs_agentd *ad);
