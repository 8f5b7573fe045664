// SPDX-License-Identifier: GPL-2.0-or-later
// Handles of groups and the routes that use them, over slots (bpf_slots.h) and the route table (bpf_lpm.h). The part of
// the BPF sink that decides what to write.
//
// A binding ties a handle to a slot and is the owner of the routes of that handle in that slot; a route is an entry of
// its table and nothing else. A handle has one binding as a rule, more after a new controller took over the routes of
// the last one, none while it has no routes. Changes of routes reach the packets with the next publish; a slot is not
// given up, or changed for the sake of others, while a published route may still lead to it. Handles with the same
// members have a slot each. Only where two share one (routes that went from one handle to the other, many such
// handles), and one of them changes, all routes are looked at.
#pragma once

#include "fib/bpf_lpm.h"
#include "fib/bpf_slots.h"

struct vnrs_bpf_routes;

struct vnrs_bpf_route_maps {
    int tables_fd, lines_fd, groups_fd, nexthops_fd;
};

// Descriptors and the counter are borrowed. Reads what the maps hold.
int vnrs_bpf_routes_new(const struct vnrs_bpf_route_maps *maps, uint64_t *writes,
                        struct vnrs_bpf_routes **ret_routes) VNRS_MUST_CHECK;
struct vnrs_bpf_routes *vnrs_bpf_routes_free(struct vnrs_bpf_routes *routes); // forgets; returns NULL

int vnrs_bpf_routes_group_set(struct vnrs_bpf_routes *routes, const struct vnrs_fib_group *group) VNRS_MUST_CHECK;
// -ENOENT: the handle was never set, or is forgotten. -ENOSPC: table full; nothing changed.
int vnrs_bpf_routes_set(struct vnrs_bpf_routes *routes, const struct vnrs_fib_route *route) VNRS_MUST_CHECK;
// `ifindex` 0: nobody has the address any more. *ret_before is who was set last, 0: nobody.
int vnrs_bpf_routes_endpoint_set(struct vnrs_bpf_routes *routes, uint32_t vnet, const struct vnrs_addr *addr,
                                 uint32_t ifindex, uint32_t *ret_before) VNRS_MUST_CHECK;

// A new controller begins: handles mean nothing any more, routes and addresses are unconfirmed.
void vnrs_bpf_routes_sync_begin(struct vnrs_bpf_routes *routes);
// Remove what was not set since.
int vnrs_bpf_routes_sync_end(struct vnrs_bpf_routes *routes) VNRS_MUST_CHECK;
// Let packets see all changes; forget handles that have lost their last route. Errors as of vnrs_bpf_lpm_publish().
int vnrs_bpf_routes_publish(struct vnrs_bpf_routes *routes) VNRS_MUST_CHECK;

const struct vnrs_bpf_lpm *vnrs_bpf_routes_lpm(const struct vnrs_bpf_routes *routes);
