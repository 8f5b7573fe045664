// SPDX-License-Identifier: GPL-2.0-or-later
// What the sinks were told, and how to get from there to what they shall have: as few messages as possible, or all of
// it as one synchronisation. Pure but for the emit callback.
//
// Groups are found by origin and content. The origin names those routes whose next hops change together: the merged
// next hops of a Route Server (control/learned.h), or 0 for routes of the model. When a next hop of an origin dies, its
// groups are set again in place: one write, whatever the number of prefixes. The same is done when every route of a
// group moves to the same new members in one commit.
//
// A route costs 4 bytes for each domain beside its number (net/prefixes.h).
#pragma once

#include "net/prefixes.h"
#include "plan/room.h"
#include "routing/routing.h"
#include "vnrs/fib.h"

#include <stdbool.h>

struct vnrs_fib_state;
struct vnrs_fib_group_ref; // valid until vnrs_fib_commit

// `prefixes` is borrowed. NULL: out of memory.
struct vnrs_fib_state *vnrs_fib_state_new(struct vnrs_prefixes *prefixes) VNRS_MUST_CHECK;
void vnrs_fib_state_free(struct vnrs_fib_state *state); // accepts NULL

// How much the sinks hold; no limits at first.
void vnrs_fib_room_set(struct vnrs_fib_state *state, const struct vnrs_room *room);

// The new whole: begin, then all that shall be, in any order, then commit. Out of memory is remembered until commit.
// Without `items`, NICs, endpoints and access lists stay as they are wanted already. Without begin, what is said before
// commit are changes: a learned route costs nothing for each NIC or other route of the lab.
void vnrs_fib_begin(struct vnrs_fib_state *state, bool items);
// Members are compared by bytes; at least one. NULL: out of memory.
struct vnrs_fib_group_ref *vnrs_fib_want_group(struct vnrs_fib_state *state, uint32_t origin,
                                               const struct vnrs_fib_member *members, unsigned n);
void vnrs_fib_want_route(struct vnrs_fib_state *state, uint32_t domain, const struct vnrs_prefix *prefix,
                         enum vnrs_nexthop_type type, struct vnrs_fib_group_ref *group);
// Likewise, by number. At most once for each route between two commits.
void vnrs_fib_want_number(struct vnrs_fib_state *state, uint32_t domain, uint32_t prefix, enum vnrs_nexthop_type type,
                          struct vnrs_fib_group_ref *group);
// A change only: the route goes, if it is there.
void vnrs_fib_drop_number(struct vnrs_fib_state *state, uint32_t domain, uint32_t prefix);
// The domain is for a table of its own: the fabric does not get its routes. Said with every new whole.
void vnrs_fib_domain_apart(struct vnrs_fib_state *state, uint32_t domain);
void vnrs_fib_want_nic(struct vnrs_fib_state *state, const struct vnrs_fib_nic *nic);
void vnrs_fib_want_endpoint(struct vnrs_fib_state *state, const struct vnrs_fib_endpoint *endpoint);
void vnrs_fib_want_acl(struct vnrs_fib_state *state, const struct vnrs_fib_acl *acl);

// `items` of one kind (enum vnrs_ag_fib_kind); n 0 for BEGIN, END and FLUSH.
typedef int (*vnrs_fib_emit)(void *arg, unsigned kind, const void *items, size_t n);

// Emit the difference, or everything between BEGIN and END where `sync` (after begin only); FLUSH last. Nothing is
// emitted where nothing differs. What was emitted counts as sent: after a failure (also of emit, whose error is
// returned) begin with items and sync. -ENOSPC: the sinks have no room for all of it, so nothing was emitted;
// vnrs_fib_problem() says for what. Returns the number of items, or a negative errno.
int vnrs_fib_commit(struct vnrs_fib_state *state, bool sync, vnrs_fib_emit emit, void *arg) VNRS_MUST_CHECK;

// Now, between commits: groups of `origin` keep only members that lead to next hops of `set`. Groups without such a
// member, and those that the sinks do not know, stay. Returns the number of groups that changed, or a negative errno
// (of emit).
int vnrs_fib_shrink(struct vnrs_fib_state *state, uint32_t origin, const struct vnrs_learned_set *set,
                    vnrs_fib_emit emit, void *arg) VNRS_MUST_CHECK;

// Likewise: groups of `origin` have other members, each by those that it has. -EXDEV, and nothing changes: one of them
// has members that none of the moves is from.
struct vnrs_fib_move {
    unsigned n_from, n_to;
    struct vnrs_fib_member from[VNRS_GROUP_MEMBERS_MAX], to[VNRS_GROUP_MEMBERS_MAX];
};
int vnrs_fib_move(struct vnrs_fib_state *state, uint32_t origin, const struct vnrs_fib_move *moves, size_t n,
                  vnrs_fib_emit emit, void *arg) VNRS_MUST_CHECK;

// Likewise: a backend of a load balancer is out, or in again.
struct vnrs_fib_backend {
    struct vnrs_addr frontend;
    uint32_t ifindex;
    bool down;
};
int vnrs_fib_set_backend(struct vnrs_fib_state *state, const struct vnrs_fib_backend *backend, vnrs_fib_emit emit,
                         void *arg) VNRS_MUST_CHECK;

// As it is wanted. NULL: there is no such NIC.
const struct vnrs_fib_nic *vnrs_fib_find_nic(const struct vnrs_fib_state *state, uint32_t ifindex);
const char *vnrs_fib_problem(const struct vnrs_fib_state *state);
size_t vnrs_fib_routes(const struct vnrs_fib_state *state); // sent
// What was sent of a route: its members, borrowed until something changes. NULL: there is none.
const struct vnrs_fib_member *vnrs_fib_find(const struct vnrs_fib_state *state, uint32_t domain, uint32_t prefix,
                                            enum vnrs_nexthop_type *ret_type, unsigned *ret_n);
