// SPDX-License-Identifier: GPL-2.0-or-later
// Inside of the routing layer: the effective routes of one route domain, and the index that answers matches.
#pragma once

#include "routing/cover.h"
#include "routing/reach.h"
#include "routing/routing.h"

struct vnrs_user_route;

struct vnrs_domain_rules {
    struct vnrs_cover local;     // ranges of the virtual network and of its peered ones → struct vnrs_vnet
    struct vnrs_cover endpoints; // prefixes of the subnets' services → struct vnrs_service
    struct vnrs_cover udrs;      // those of `users` that have their prefix → struct vnrs_user_route
    const struct vnrs_user_route *users;
    size_t n_users;
};

struct vnrs_user_route { // one prefix of a user-defined route, which has several where it names a service tag
    const struct vnrs_udr *udr;
    const struct vnrs_prefix *prefix;
};

// Values are const struct vnrs_eff_route *.
struct vnrs_domain_index {
    struct vnrs_cover endpoints; // service-endpoint rows: asked first (azure-routing.md 2.3)
    struct vnrs_cover routes;    // all other Active rows
};

// Make `rules` of a domain whose members before it are set.
int vnrs_effective_rules(struct vnrs_domain *domain, const struct vnrs_model *model,
                         struct vnrs_arena *arena) VNRS_MUST_CHECK;

// Fill `routes` and `index` of a domain whose other members are set. `learned` (NULL: nothing) is what domain->hub
// passes up. Memory comes from `arena`. Returns 0 or -ENOMEM.
int vnrs_effective_fill(struct vnrs_domain *domain, const struct vnrs_model *model, const struct vnrs_reach *reach,
                        const struct vnrs_learned *learned, struct vnrs_arena *arena) VNRS_MUST_CHECK;
