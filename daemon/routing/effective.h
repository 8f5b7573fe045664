// SPDX-License-Identifier: GPL-2.0-or-later
// Inside of the routing layer: the effective routes of one route domain, and the index that answers matches.
#pragma once

#include "routing/cover.h"
#include "routing/reach.h"
#include "routing/routing.h"

// Values are const struct vnrs_eff_route *.
struct vnrs_domain_index {
    struct vnrs_cover endpoints; // service-endpoint rows: asked first (azure-routing.md 2.3)
    struct vnrs_cover routes;    // all other Active rows
};

// Fill `routes` and `index` of a domain whose other members are set. `learned` (NULL: nothing) is what domain->rs
// passes up. Memory comes from `arena`. Returns 0 or -ENOMEM.
int vnrs_effective_fill(struct vnrs_domain *domain, const struct vnrs_model *model, const struct vnrs_reach *reach,
                        const struct vnrs_learned *learned, struct vnrs_arena *arena) VNRS_MUST_CHECK;
