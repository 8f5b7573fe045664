// SPDX-License-Identifier: GPL-2.0-or-later
// NETNS objects: namespaces of machines, with their settings and the watch on them.
#pragma once

#include "agent/lab.h"

struct vnrs_agentd_watch_options;

int vnrs_agentd_netns_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                             struct vnrs_err *err) VNRS_MUST_CHECK;
// 1: removed, 0: was not there.
int vnrs_agentd_netns_remove(struct vnrs_agentd_object *object, struct vnrs_err *err) VNRS_MUST_CHECK;
// A request that will be handled soon: if it is for a new namespace, that is begun beside what comes before.
void vnrs_agentd_netns_ahead(struct vnrs_agentd *ad, const struct vnrs_agentd_msg *msg);

// The object's watch is one of this very namespace from now on, whichever it was before.
int vnrs_agentd_watch_here(struct vnrs_agentd_object *object, int ns_fd,
                           const struct vnrs_agentd_watch_options *options) VNRS_MUST_CHECK;
