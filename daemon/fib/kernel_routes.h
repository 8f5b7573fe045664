// SPDX-License-Identifier: GPL-2.0-or-later
// The routes of ours in one kernel table: reads them back, writes differences, removes in descending order. A route
// that is not known to be ours is created and never replaces another; a foreign one in its place is left, and is an
// error (-EEXIST) for as long as it is there.
//
// What the kernel has may be kept (`have`, for the fabric's tables) or read for one comparison and forgotten again (for
// the many tables of machines, whose contents the domain already knows). It costs 4 bytes for each route.
#pragma once

#include "fib/kernel_nexthops.h"
#include "net/prefixes.h"

struct vnrs_ktarget {
    uint8_t type;                 // RTN_*
    const struct vnrs_nhslot *nh; // unicast: next hops of a slot; NULL: `hop`
    const struct vnrs_nlhop *hop;
};

struct vnrs_kroutes {
    struct vnrs_nl *nl;
    struct vnrs_prefixes *prefixes; // borrowed: numbers below are of this set
    const struct vnrs_nhset *nexthops;
    uint32_t table, metric;
    uint8_t protocol;
    struct vnrs_slots have;    // what a route leads to, see kernel_routes.c
    struct vnrs_slots seen;    // during a comparison
    struct vnrs_slots foreign; // prefixes where somebody else's route is in the way
    bool comparing;
    VEC(uint64_t) digests; // of hops without next-hop object
    VEC(uint32_t) pending; // prefixes of what was queued
    unsigned failed;       // refused since the last load
    int first_error;       // of them, a negative errno
    char error[256];
};

void vnrs_kroutes_init(struct vnrs_kroutes *routes, struct vnrs_nl *nl, struct vnrs_prefixes *prefixes,
                       const struct vnrs_nhset *nexthops, uint32_t table, uint32_t metric, uint8_t protocol);
void vnrs_kroutes_fini(struct vnrs_kroutes *routes);

// Read back what is in the table; nothing is `seen` then, and foreign routes are forgotten.
int vnrs_kroutes_load(struct vnrs_kroutes *routes) VNRS_MUST_CHECK;
// A route that came from a dump of several tables. False: not of this table, metric and protocol.
int vnrs_kroutes_adopt(struct vnrs_kroutes *routes, const struct vnrs_nlroute *route) VNRS_MUST_CHECK;
bool vnrs_kroutes_has(const struct vnrs_kroutes *routes, uint32_t prefix);
// The next-hop object of a route that is there; 0: none.
uint32_t vnrs_kroutes_nhid(const struct vnrs_kroutes *routes, uint32_t prefix);

// Before the calls below: errors go to this table from now on.
int vnrs_kroutes_begin(struct vnrs_kroutes *routes) VNRS_MUST_CHECK;
// Make the route be so and mark it seen; a no-op where `have` says that it is.
int vnrs_kroutes_put(struct vnrs_kroutes *routes, uint32_t prefix, const struct vnrs_ktarget *target) VNRS_MUST_CHECK;
// Without `have`: `known` says whether it is there already and ours.
int vnrs_kroutes_write(struct vnrs_kroutes *routes, uint32_t prefix, const struct vnrs_ktarget *target,
                       bool known) VNRS_MUST_CHECK;
// Remove routes, in the order that the kernel likes.
int vnrs_kroutes_remove(struct vnrs_kroutes *routes, const uint32_t *prefixes, size_t n) VNRS_MUST_CHECK;
int vnrs_kroutes_remove_unseen(struct vnrs_kroutes *routes) VNRS_MUST_CHECK;
// Send, and handle every answer.
int vnrs_kroutes_flush(struct vnrs_kroutes *routes) VNRS_MUST_CHECK;

void vnrs_kroutes_unsee(struct vnrs_kroutes *routes);  // a comparison begins; _remove_unseen ends it
void vnrs_kroutes_forget(struct vnrs_kroutes *routes); // drop `have`
