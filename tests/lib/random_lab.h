// SPDX-License-Identifier: GPL-2.0-or-later
// Random topologies: files that `vnrs validate` accepts, and what the Route Server of the first virtual network learns.
// Virtual networks v0 (the hub), v1, …, peered or not with all combinations of flags; one that nobody is peered with
// has the hub's ranges again. Lengths of prefixes, next hops and flags are drawn so that rules meet.
#pragma once

#include "net/addr.h"
#include "rng.h"

#define RANDOM_LAB_LEARNED_MAX 16
#define RANDOM_LAB_HOPS_MAX    4

struct random_learned {
    struct vnrs_prefix prefix; // no duplicates
    unsigned n;
    struct vnrs_addr hops[RANDOM_LAB_HOPS_MAX]; // of the prefix's family or not, in order, no duplicates
};

struct random_lab {
    char *yaml; // free()
    size_t n_learned;
    struct random_learned learned[RANDOM_LAB_LEARNED_MAX];
};

void random_lab_make(struct rng *rng, struct random_lab *ret_lab);
