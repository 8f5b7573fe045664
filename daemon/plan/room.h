// SPDX-License-Identifier: GPL-2.0-or-later
// How much the maps of the packet path hold, and whether what a file asks for fits: known before anything is made, so
// that a lab that does not fit changes nothing. What is learned comes later and is counted by control/fib.h. NICs,
// networks, subnets and route domains are counted by their numbers (plan/ids.h). Pure.
#pragma once

#include "routing/reach.h"
#include "routing/routing.h"

struct vnrs_room { // 0: no limit
    size_t routes; // of each family, in all route domains
    size_t groups; // of next hops
    size_t acls;   // who is let in: by a service, over a peering
};

// The kernel's own tables have no limit of ours.
struct vnrs_room vnrs_room_of(enum vnrs_dataplane dataplane);

// -ENOSPC: it does not fit, and `error` says what of it. Or 0, or -ENOMEM. `routing` is of the same model; its learned
// routes do not matter.
int vnrs_room_check(const struct vnrs_room *room, const struct vnrs_model *model, const struct vnrs_routing *routing,
                    const struct vnrs_reach *reach, char error[static 256]) VNRS_MUST_CHECK;
// The same sentence about whatever there are `n` of: "… IPv4 routes". Returns -ENOSPC, or 0 where they fit.
int vnrs_room_judge(size_t room, size_t n, const char *what, char error[static 256]) VNRS_MUST_CHECK;
