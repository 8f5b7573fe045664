// SPDX-License-Identifier: GPL-2.0-or-later
// What the sinks were told, and how to get from there to what they shall have: as few messages as possible, or all of
// it as one synchronisation. Pure but for the emit callback.
//
// Groups are found by content. When every route of a group moves to the same new members (a next hop came or went), the
// group is set again in place: one write, whatever the number of prefixes. Withdrawals go out in descending order,
// because the kernel is slow in the other (data-plane.md).
#pragma once

#include "util/macros.h"
#include "vnrs/fib.h"

#include <stdbool.h>

struct vnrs_fib_state;
struct vnrs_fib_group_ref; // of one wanted group; valid until vnrs_fib_commit

struct vnrs_fib_state *vnrs_fib_state_new(void) VNRS_MUST_CHECK; // NULL: out of memory
void vnrs_fib_state_free(struct vnrs_fib_state *state);          // accepts NULL

// The new whole: begin, then all that shall be, in any order, then commit. Out of memory is remembered until commit.
// Without `items`, NICs, endpoints and access lists stay as they are wanted already: a learned route costs nothing for
// each NIC of the lab.
void vnrs_fib_begin(struct vnrs_fib_state *state, bool items);
// Members are compared by bytes; at least one. NULL: out of memory.
const struct vnrs_fib_group_ref *vnrs_fib_want_group(struct vnrs_fib_state *state,
                                                     const struct vnrs_fib_member *members, unsigned n);
void vnrs_fib_want_route(struct vnrs_fib_state *state, uint32_t domain, const struct vnrs_prefix *prefix,
                         enum vnrs_nexthop_type type, const struct vnrs_fib_group_ref *group);
void vnrs_fib_want_nic(struct vnrs_fib_state *state, const struct vnrs_fib_nic *nic);
void vnrs_fib_want_endpoint(struct vnrs_fib_state *state, const struct vnrs_fib_endpoint *endpoint);
void vnrs_fib_want_acl(struct vnrs_fib_state *state, const struct vnrs_fib_acl *acl);

// `items` of one kind (enum vnrs_ag_fib_kind); n 0 for BEGIN, END and FLUSH.
typedef int (*vnrs_fib_emit)(void *arg, unsigned kind, const void *items, size_t n);

// Emit the difference, or everything between BEGIN and END where `sync`; FLUSH last. Nothing is emitted where nothing
// differs. What was emitted counts as sent: after a failure (also of emit, whose error is returned) begin with items
// and sync. Returns the number of items, or a negative errno.
int vnrs_fib_commit(struct vnrs_fib_state *state, bool sync, vnrs_fib_emit emit, void *arg) VNRS_MUST_CHECK;

size_t vnrs_fib_routes(const struct vnrs_fib_state *state); // sent
