// SPDX-License-Identifier: GPL-2.0-or-later
// The routes that a route map puts under one prefix (bgp/policy.h): which attributes they come out with, and how many
// of a source come out with each. The prefix is there as long as one of them is. Pure.
#pragma once

#include "bgp/attr.h"
#include "util/vec.h"

struct vnrs_bgp_summary_part {
    const struct vnrs_bgp_attrs *attrs; // interned, one reference
    uint32_t n;
    uint8_t slot; // source
};

struct vnrs_bgp_summary { // zero: no routes
    VEC(struct vnrs_bgp_summary_part) parts;
};

// One route more. Returns 0 or -ENOMEM.
int vnrs_bgp_summary_add(struct vnrs_bgp_summary *summary, const struct vnrs_bgp_attrs *attrs,
                         unsigned slot) VNRS_MUST_CHECK;
// One that was added goes.
void vnrs_bgp_summary_take(struct vnrs_bgp_attr_table *table, struct vnrs_bgp_summary *summary,
                           const struct vnrs_bgp_attrs *attrs, unsigned slot);
void vnrs_bgp_summary_fini(struct vnrs_bgp_attr_table *table, struct vnrs_bgp_summary *summary); // empty afterwards
// The best of what comes from other sources than `but`, borrowed: as the decision would choose, and the same whatever
// the order in which they were added. NULL: there is none.
const struct vnrs_bgp_attrs *vnrs_bgp_summary_best(const struct vnrs_bgp_summary *summary, unsigned but);
