// SPDX-License-Identifier: GPL-2.0-or-later
// Handles of groups and the routes that use them, over slots (bpf_slots.h) and the route table (bpf_lpm.h). The part of
// the BPF sink that decides what to write.
//
// A binding ties a handle to a slot and lists the routes of that handle in that slot. A handle has one binding as a
// rule, more after adopting routes of an earlier process, none while it has no routes.
#pragma once

#include "fib/bpf_lpm.h"
#include "fib/bpf_slots.h"

struct vnrs_bpf_routes;

// Descriptors and the counter are borrowed. Reads the routes that the maps hold; they count as unconfirmed.
int vnrs_bpf_routes_new(struct vnrs_bpf_lpm lpm, int groups_fd, int nexthops_fd, uint64_t *writes,
                        struct vnrs_bpf_routes **ret_routes) VNRS_MUST_CHECK;
struct vnrs_bpf_routes *vnrs_bpf_routes_free(struct vnrs_bpf_routes *routes); // forgets; returns NULL

int vnrs_bpf_routes_group_set(struct vnrs_bpf_routes *routes, const struct vnrs_fib_group *group) VNRS_MUST_CHECK;
// -ENOENT: the handle was never set, or is forgotten. -ENOSPC: table full; nothing changed.
int vnrs_bpf_routes_set(struct vnrs_bpf_routes *routes, const struct vnrs_fib_route *route) VNRS_MUST_CHECK;
// Forget handles that have lost their last route.
void vnrs_bpf_routes_forget_unused(struct vnrs_bpf_routes *routes);
// Remove what was not set since the routes were read.
int vnrs_bpf_routes_sweep(struct vnrs_bpf_routes *routes) VNRS_MUST_CHECK;
