// SPDX-License-Identifier: GPL-2.0-or-later
// What the controller wants, in memory: groups by handle, routes by domain, what of it is new since the consumers
// (kernel tables of the fabric, tables of machines) were last brought up to date. A sync starts with an empty one: the
// consumers compare with the kernel then, so handles of a former controller do not matter. Pure.
//
// A route is 4 bytes beside the number of its prefix. Consumers may keep numbers in `prefixes` as well.
#pragma once

#include "net/prefixes.h"
#include "util/hash.h"
#include "util/vec.h"
#include "vnrs/fib.h"

#include <stdbool.h>

struct vnrs_fibdb_change {
    uint32_t prefix;  // number
    uint32_t group;   // wanted; 0: to be removed
    uint32_t written; // as the consumers have it; 0: not there
};

struct vnrs_fibdb_domain {
    uint32_t id;
    struct vnrs_slots routes;              // wanted: prefix → handle
    VEC(struct vnrs_fibdb_change) changes; // each prefix once, in no order
    struct vnrs_slots changed;             // prefix → place in `changes` + 1
};

struct vnrs_fibdb_group {
    struct vnrs_fib_group group;
    bool dirty; // other members than the consumers have
    bool was_used;
    uint32_t uses; // written routes of all domains
};

struct vnrs_fibdb_refs;

struct vnrs_fibdb {
    struct vnrs_prefixes prefixes;
    struct vnrs_map domains; // by id; struct vnrs_fibdb_domain
    struct vnrs_map groups;  // by handle; struct vnrs_fibdb_group
    struct vnrs_map refs;    // by (domain, handle): how many written routes use it
    VEC(uint32_t) touched;   // handles to look at with the next commit: all that are dirty among them
    VEC(struct vnrs_fibdb_refs *) emptied;
    bool groups_dirty;
};

void vnrs_fibdb_clear(struct vnrs_fibdb *db); // nothing is wanted; numbers that consumers hold stay
void vnrs_fibdb_fini(struct vnrs_fibdb *db);  // no consumer holds numbers any more

// The calls of a sink. Unknown groups: -ENOENT; too many members or other nonsense: -EINVAL.
int vnrs_fibdb_group_set(struct vnrs_fibdb *db, const struct vnrs_fib_group *group) VNRS_MUST_CHECK;
int vnrs_fibdb_route_set(struct vnrs_fibdb *db, const struct vnrs_fib_route *route) VNRS_MUST_CHECK;
bool vnrs_fibdb_is_group(const struct vnrs_fib_group *group); // else -EINVAL
bool vnrs_fibdb_is_route(const struct vnrs_fib_route *route);
// A route by the number of its prefix, which the caller holds.
int vnrs_fibdb_number_set(struct vnrs_fibdb *db, uint32_t domain, uint32_t prefix, uint32_t group) VNRS_MUST_CHECK;

// Changes in the order that the kernel likes: what is set first, so that nothing is without a route that shall have
// one, then what goes, in descending order (data-plane.md).
void vnrs_fibdb_order(struct vnrs_fibdb *db);
// The consumers have everything now: changes become the state, and groups that lost their last route are freed.
// `released` is called for every (domain, handle) that no route uses any more.
int vnrs_fibdb_commit(struct vnrs_fibdb *db, void (*released)(void *arg, uint32_t domain, uint32_t handle),
                      void *arg) VNRS_MUST_CHECK;
// A piece of that, beforehand: at most `max` changes become the state. Returns 1 while there are more, or 0.
int vnrs_fibdb_commit_routes(struct vnrs_fibdb *db, size_t max) VNRS_MUST_CHECK;

struct vnrs_fibdb_domain *vnrs_fibdb_domain_find(const struct vnrs_fibdb *db, uint32_t id);
const struct vnrs_fibdb_group *vnrs_fibdb_group_find(const struct vnrs_fibdb *db, uint32_t handle);
// The handle that the longest wanted route of the domain around `addr` has, or 0.
uint32_t vnrs_fibdb_match(const struct vnrs_fibdb *db, const struct vnrs_fibdb_domain *domain,
                          const struct vnrs_addr *addr);
// Written routes of the domain that use the group.
uint32_t vnrs_fibdb_refs(const struct vnrs_fibdb *db, uint32_t domain, uint32_t handle);
