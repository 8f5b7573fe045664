// SPDX-License-Identifier: GPL-2.0-or-later
// What the packet path counted, summed over CPUs, what it tells of single packets, and which links it impairs.
#pragma once

#include "fib/bpf_dataplane.h"
#include "vnrs/bpf_abi.h"
#include "vnrs/drop_reason.h"
#include "vnrs/nexthop_type.h"

// All return 0 or a negative errno.
int vnrs_bpf_counters_nic(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex, // or enum vnrs_nic_kind
                          struct vnrs_bpf_nic_counters *ret_counters) VNRS_MUST_CHECK;
int vnrs_bpf_counters_drop(const struct vnrs_bpf_dataplane *dp,
                           struct vnrs_bpf_counter ret_counters[static _VNRS_DROP_MAX]) VNRS_MUST_CHECK;
// The NIC, which had `flags`, is gone: what it counted is now counted by enum vnrs_nic_kind, and whoever gets the
// ifindex next begins at 0.
int vnrs_bpf_counters_nic_gone(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex, uint32_t flags) VNRS_MUST_CHECK;

// What is wrong with the link of a NIC; and whether anything is with any link: nothing is looked at before it is on.
int vnrs_bpf_impair_set(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex,
                        const struct vnrs_bpf_impair *impair) VNRS_MUST_CHECK;
int vnrs_bpf_impair_get(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex,
                        struct vnrs_bpf_impair *ret_impair) VNRS_MUST_CHECK;
int vnrs_bpf_impair_switch(const struct vnrs_bpf_dataplane *dp, bool on) VNRS_MUST_CHECK;

// Events of packets that were dropped, of a sample of those that were forwarded, and of those of NICs that are
// captured: one reader per lab. The descriptor is readable when events wait. While nobody reads, none are written; what
// the reader has no time for is lost.
struct vnrs_bpf_events;
// `event->bytes` bytes of the packet are behind the event. False: no more of them in this run; this one is taken.
typedef bool (*vnrs_bpf_event_fn)(const struct vnrs_bpf_flow_event *event, void *arg);
// What an earlier reader left is thrown away. Drops are told of.
int vnrs_bpf_events_open(const struct vnrs_bpf_dataplane *dp, vnrs_bpf_event_fn fn, void *arg,
                         struct vnrs_bpf_events **ret_events) VNRS_MUST_CHECK;
struct vnrs_bpf_events *vnrs_bpf_events_close(struct vnrs_bpf_events *events); // returns NULL
int vnrs_bpf_events_fd(const struct vnrs_bpf_events *events);
// From now on what `on` (enum vnrs_bpf_flow_on) says, and with FLOWS one in `one_in` forwarded packets too; 0: none.
int vnrs_bpf_events_ask(struct vnrs_bpf_events *events, uint32_t on, uint32_t one_in) VNRS_MUST_CHECK;
// The first `bytes` bytes of each packet that this NIC sends or gets are told of, while CAPTURES is on; 0: none of
// them.
int vnrs_bpf_capture_set(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex, uint32_t bytes) VNRS_MUST_CHECK;
// Nothing is told any more, whatever a reader that was killed asked for. Costs nothing where none was.
int vnrs_bpf_events_forget(const struct vnrs_bpf_dataplane *dp) VNRS_MUST_CHECK;
// Calls `fn` for waiting events, at most `max`. Returns how many, or a negative errno; max when `fn` ended it.
int vnrs_bpf_events_consume(struct vnrs_bpf_events *events, unsigned max) VNRS_MUST_CHECK;
uint64_t vnrs_bpf_events_lost(const struct vnrs_bpf_events *events); // since it was opened
