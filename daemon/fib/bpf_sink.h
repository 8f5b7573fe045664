// SPDX-License-Identifier: GPL-2.0-or-later
// The sink over the maps of a data plane. It reads back what the maps hold when it is made and at every sync_begin, so
// a new process or controller that says the same again writes nothing.
//
// A group occupies a slot only while routes use it, shared by content with other handles. Setting a handle again
// rewrites its slot in place, resiliently, when no other handle shares it (one write, whatever the number of routes);
// else the routes of that handle are moved to another slot. Writes go next hop → group → route, removals the other way,
// so a packet never meets a half-written state; freed slots are used again last.
#pragma once

#include "fib/bpf_dataplane.h"
#include "fib/sink.h"

// The data plane is borrowed and must outlive the sink. Returns 0 or a negative errno.
int vnrs_bpf_sink_new(struct vnrs_bpf_dataplane *dp, struct vnrs_sink **ret_sink) VNRS_MUST_CHECK;
