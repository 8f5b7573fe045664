// SPDX-License-Identifier: GPL-2.0-or-later
// TCP connections that the controller wants made inside a namespace of a lab: for health probes. Only the handshake is
// begun here; nothing is read or written.
#pragma once

#include "lab/err.h"
#include "vnrs/agent_proto.h"

// A socket that does not block and whose connection is under way, or made. The descriptor is the caller's. On failure
// one sentence is in `err`.
int vnrs_agentd_connect(const struct vnrs_ag_connect *want, int *ret_fd, struct vnrs_err *err) VNRS_MUST_CHECK;
