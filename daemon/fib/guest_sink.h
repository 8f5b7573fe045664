// SPDX-License-Identifier: GPL-2.0-or-later
// The machines' own tables: what Azure injected, visible to `ip route` in each machine. Routes and groups of every
// domain are kept once; each table added with vnrs_guest_sink_table_set is fed with those of its domain, in its
// namespace, with its protocol and metric.
//
// Routes of others are never touched: where one with the same prefix and metric exists, ours is left out until it is
// gone (looked at again by each pass).
//
// `flush` and `sync_end` write nothing: what was said by then waits, each route and group with its last state, for
// vnrs_guest_sink_work, which brings the tables up to date in passes of many small pieces (guest_pass.h). Thousands of
// tables so keep nobody waiting. Tables fail one by one: a pass tries all of them and keeps the first failure; a table
// that failed is read back and repaired by the next pass, which comes with the next flush or sync.
//
// Link events destroy next hops and routes silently, so after one (and after RTM_DELROUTE / RTM_DELNEXTHOP by another
// hand) the caller either runs a whole sync or calls vnrs_guest_sink_table_suspect and flushes.
// NICs, endpoints and access lists are accepted and ignored.
//
// Routes point to next-hop objects, so leave net.ipv4.nexthop_compat_mode of machines at its default 1: with 0, `ip
// route` shows only "nhid N". (With 1, iproute2 6.1 cannot `ip route flush` such routes: EINVAL; `ip nexthop flush`
// works.)
#pragma once

#include "fib/sink.h"
#include "vnrs/agent_proto.h"

int vnrs_guest_sink_new(struct vnrs_sink **ret_sink) VNRS_MUST_CHECK;

// Write for some microseconds, or one piece. False: there is nothing to do before the next flush.
bool vnrs_guest_sink_work(struct vnrs_sink *sink, unsigned budget_us);
// The pass that writes what was said by now, and the last one that is done: once this is no less than that, all is
// written, but for what vnrs_guest_sink_result says: 0, or a negative errno with `sink->error` set.
uint64_t vnrs_guest_sink_target(const struct vnrs_sink *sink);
uint64_t vnrs_guest_sink_done(const struct vnrs_sink *sink);
int vnrs_guest_sink_result(struct vnrs_sink *sink) VNRS_MUST_CHECK;

// Add a table or change its spec: all routes of the domain are in it when this returns, but for those that wait (before
// the first sync and while one is open, the pass after it writes them instead). Takes `netlink_fd` (also on failure):
// NETLINK_ROUTE, opened in the table's namespace. Nothing is written where the table is right already. Routes that an
// earlier spec of the key put into another table are withdrawn. `spec` is copied. -EEXIST: another key has the same
// table, metric and protocol in the same namespace.
int vnrs_guest_sink_table_set(struct vnrs_sink *sink, const char *key, const struct vnrs_obj_table *spec,
                              int netlink_fd) VNRS_MUST_CHECK;
// Forget a table; with `withdraw` its routes and next hops go too. An unknown key is success.
int vnrs_guest_sink_table_remove(struct vnrs_sink *sink, const char *key, bool withdraw) VNRS_MUST_CHECK;
// The kernel state of the table may have changed: the next pass reads it back and writes what is missing.
void vnrs_guest_sink_table_suspect(struct vnrs_sink *sink, const char *key);
// Do without next-hop objects even where the kernel has them. Call before the first table is set; for tests.
void vnrs_guest_sink_legacy_set(struct vnrs_sink *sink, bool legacy);
