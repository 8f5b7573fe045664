// SPDX-License-Identifier: GPL-2.0-or-later
// What the packet path counted, summed over CPUs, and what it tells of single packets.
#pragma once

#include "fib/bpf_dataplane.h"
#include "vnrs/bpf_abi.h"
#include "vnrs/drop_reason.h"
#include "vnrs/nexthop_type.h"

// All return 0 or a negative errno. FROM_NIC is every frame that the NIC sent, also what was dropped or answered;
// TO_NIC what its machine was given, the fabric's own answers included. A reset NIC counts from 0.
int vnrs_bpf_counters_nic(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex,
                          struct vnrs_bpf_counter ret_counters[static _VNRS_BPF_DIR_MAX]) VNRS_MUST_CHECK;
int vnrs_bpf_counters_type(const struct vnrs_bpf_dataplane *dp,
                           struct vnrs_bpf_counter ret_counters[static _VNRS_NH_MAX]) VNRS_MUST_CHECK;
int vnrs_bpf_counters_drop(const struct vnrs_bpf_dataplane *dp,
                           struct vnrs_bpf_counter ret_counters[static _VNRS_DROP_MAX]) VNRS_MUST_CHECK;
int vnrs_bpf_counters_nic_reset(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex) VNRS_MUST_CHECK;

// Events of packets that were dropped, and of a sample of those that were forwarded: one reader per lab. The descriptor
// is readable when events wait. While nobody reads, none are written; what the reader has no time for is lost.
struct vnrs_bpf_events;
typedef void (*vnrs_bpf_event_fn)(const struct vnrs_bpf_flow_event *event, void *arg);
// What an earlier reader left is thrown away.
int vnrs_bpf_events_open(const struct vnrs_bpf_dataplane *dp, vnrs_bpf_event_fn fn, void *arg,
                         struct vnrs_bpf_events **ret_events) VNRS_MUST_CHECK;
struct vnrs_bpf_events *vnrs_bpf_events_close(struct vnrs_bpf_events *events); // returns NULL
int vnrs_bpf_events_fd(const struct vnrs_bpf_events *events);
// From now on one in `one_in` forwarded packets too; 0 (as opened): none.
int vnrs_bpf_events_sample(struct vnrs_bpf_events *events, uint32_t one_in) VNRS_MUST_CHECK;
// Calls `fn` for waiting events, at most `max`. Returns how many, or a negative errno.
int vnrs_bpf_events_consume(struct vnrs_bpf_events *events, unsigned max) VNRS_MUST_CHECK;
uint64_t vnrs_bpf_events_lost(const struct vnrs_bpf_events *events); // since it was opened
