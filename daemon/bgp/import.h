// SPDX-License-Identifier: GPL-2.0-or-later
// The way of a peer's routes into the RIB: through the inbound route map of the peer, if it has one (bgp/policy.h), and
// past the question whether a route can be used at all (azure-routing.md 5.5). Pure.
//
// Where a map stands between, routes are also kept as they were received: that is what a peer's learned routes are,
// what the prefix limit counts, and what a restart or refresh of the peer is about (bgp/retain.h). A map that changes
// is applied to what is kept, at once, and only what comes out differently changes in the RIB. To ask the peer instead
// (ROUTE-REFRESH) would save the memory, but could not show what the map dropped, nor would it work while the peer
// restarts. Only peers with a map pay: without one the received routes are those of the RIB.
#pragma once

#include "bgp/policy.h"
#include "bgp/rib.h"

struct vnrs_bgp_member;
struct vnrs_bgp_speaker;
struct vnrs_bgp_import; // of a peer with an inbound map

// The peer announced a prefix, under an identifier if it has several paths of it (RFC 7911; 0: none); `attrs` is
// interned, one reference is taken. Returns 0 or -ENOMEM.
int vnrs_bgp_import_update(struct vnrs_bgp_member *member, const struct vnrs_prefix *prefix, uint32_t path_id,
                           const struct vnrs_bgp_attrs *attrs) VNRS_MUST_CHECK;
void vnrs_bgp_import_withdraw(struct vnrs_bgp_member *member, const struct vnrs_prefix *prefix, uint32_t path_id);
void vnrs_bgp_import_withdraw_all(struct vnrs_bgp_member *member);
// What is announced from now on has the returned epoch; _sweep withdraws what of a family has an earlier one.
uint16_t vnrs_bgp_import_epoch_begin(struct vnrs_bgp_member *member);
void vnrs_bgp_import_sweep(struct vnrs_bgp_member *member, uint8_t family, uint16_t epoch);

// Takes another map, or none; it is borrowed. Returns 0, or -ENOMEM: what is in the RIB is incomplete then.
int vnrs_bgp_import_set_map(struct vnrs_bgp_member *member, const struct vnrs_bgp_map *map) VNRS_MUST_CHECK;
void vnrs_bgp_import_free(struct vnrs_bgp_member *member); // nothing of the peer is in the RIB any more
// Looks at every path anew, after the ranges or the configuration changed.
void vnrs_bgp_import_rejudge(struct vnrs_bgp_speaker *speaker);

const struct vnrs_bgp_map *vnrs_bgp_import_map(const struct vnrs_bgp_member *member); // NULL: none
// The table in which the peer's routes are as received, under its slot.
const struct vnrs_bgp_rib *vnrs_bgp_import_received(const struct vnrs_bgp_member *member);
uint32_t vnrs_bgp_import_count(const struct vnrs_bgp_member *member); // of received routes
const struct vnrs_bgp_path *vnrs_bgp_import_find(const struct vnrs_bgp_member *member, const struct vnrs_prefix *prefix,
                                                 uint32_t path_id);
// What the map does to a received route. Returns false when it changes nothing, or there is none.
bool vnrs_bgp_import_outcome(struct vnrs_bgp_member *member, const struct vnrs_prefix *prefix,
                             const struct vnrs_bgp_attrs *attrs, struct vnrs_bgp_map_outcome *ret_outcome);
