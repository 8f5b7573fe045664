// SPDX-License-Identifier: GPL-2.0-or-later
// Static routes of machines: main table, protocol VNRS_RTPROT. A route of another protocol with the same prefix and
// metric is never replaced: that is an error.
#pragma once

#include "lab/err.h"
#include "lab/rtnl.h"
#include "vnrs/agent_proto.h"

// Makes the kernel agree with `spec`.
int vnrs_route_ensure(const struct vnrs_obj_route *spec, struct vnrs_rtnl *nl, enum vnrs_ag_outcome *ret_outcome,
                      struct vnrs_err *err) VNRS_MUST_CHECK;
// Removes the route with the spec's prefix and metric if it is ours. 1: removed, 0: was not there.
int vnrs_route_remove(const struct vnrs_obj_route *spec, struct vnrs_rtnl *nl, struct vnrs_err *err) VNRS_MUST_CHECK;
// 1: it is there as the spec says, 0: not, or a negative errno.
int vnrs_route_is_right(const struct vnrs_obj_route *spec, struct vnrs_rtnl *nl) VNRS_MUST_CHECK;
