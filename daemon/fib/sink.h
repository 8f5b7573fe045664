// SPDX-License-Identifier: GPL-2.0-or-later
// A sink takes effective routes of a lab and makes them real: BPF maps (bpf_sink.h), kernel tables of the fabric
// (kernel_sink.h), tables of the machines (guest_sink.h). All take the same calls, from the agent.
//
// Calls return 0 or a negative errno; `sink->error` then says in one sentence what the kernel refused (extended ACK
// text where there is any). A call may buffer: `flush` writes what is buffered (guest tables follow behind it). Nothing
// is written where the kernel already has it; a group that has lost its last route by the time of a flush is forgotten,
// so that a controller may give new handles for ever. `writes` counts what was written, so that "nothing changed" can
// be tested.
#pragma once

#include "util/macros.h"
#include "vnrs/fib.h"

#include <stdbool.h>

struct vnrs_sink;

struct vnrs_sink_ops {
    const char *name;
    int (*sync_begin)(struct vnrs_sink *sink); // read the actual state back; everything in it is now unconfirmed
    int (*group_set)(struct vnrs_sink *sink, const struct vnrs_fib_group *group);
    int (*route_set)(struct vnrs_sink *sink, const struct vnrs_fib_route *route); // group 0: remove
    int (*nic_set)(struct vnrs_sink *sink, const struct vnrs_fib_nic *nic);
    int (*endpoint_set)(struct vnrs_sink *sink, const struct vnrs_fib_endpoint *endpoint);
    int (*acl_set)(struct vnrs_sink *sink, const struct vnrs_fib_acl *acl);
    int (*sync_end)(struct vnrs_sink *sink); // remove what was not confirmed since sync_begin
    int (*flush)(struct vnrs_sink *sink);
    void (*free)(struct vnrs_sink *sink); // forgets; the kernel state stays
};

struct vnrs_sink {
    const struct vnrs_sink_ops *ops;
    uint64_t writes;
    char error[256];
};
