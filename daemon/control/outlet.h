// SPDX-License-Identifier: GPL-2.0-or-later
// Where the routes go that an instance passes up: into what its hub learned, for the NICs, and for those that forward
// packets themselves into a table of their own. Pure.
#pragma once

#include "control/learned.h"
#include "util/vec.h"
#include "vnrs/speaker_proto.h"

enum vnrs_outlet_hops {
    VNRS_OUTLET_AS_RECEIVED,
    VNRS_OUTLET_TO_SELF,  // packets have to come to the instance: it is the next hop, unless they are dropped
    VNRS_OUTLET_NOT_SELF, // paths that lead to the instance itself are left out
};

struct vnrs_outlet_circuit { // an edge router
    struct vnrs_addr next_hop;
    unsigned circuit;
};

struct vnrs_outlet {
    struct vnrs_learned_db *db; // borrowed
    unsigned number;            // of the instance in it
    enum vnrs_outlet_hops hops;
    struct vnrs_addr self;
    // Where next hops of different circuits do not share flows: those of all circuits (azure-routing.md 5.6). Of a set
    // that has several circuits the first next hop is kept.
    VEC(struct vnrs_outlet_circuit) circuits;
    VEC(uint32_t) sets; // of the last SETS message; 0: no path of it is for here
};

void vnrs_outlet_fini(struct vnrs_outlet *outlet); // what was said stays
// The sets that the next routes refer to; each has paths, and not too many. Returns 0 or -ENOMEM.
int vnrs_outlet_sets(struct vnrs_outlet *outlet, const struct vnrs_spk_set *sets, size_t n) VNRS_MUST_CHECK;
// What comes instead of sets of which nothing is left, none with too many paths, and `from` with some. Where next hops
// are not all that were received, sets that differ for the instance may be one here: nothing is done unless all are
// known and agree, nor where some paths are left out. Returns 0 or -ENOMEM.
int vnrs_outlet_next(const struct vnrs_outlet *outlet, const struct vnrs_spk_next *next, size_t n,
                     vnrs_learned_move move, void *arg) VNRS_MUST_CHECK;
// `route->set` is one of the last sets, or 0. Returns 0 or -ENOMEM.
int vnrs_outlet_route(struct vnrs_outlet *outlet, const struct vnrs_spk_route *route) VNRS_MUST_CHECK;
