// SPDX-License-Identifier: GPL-2.0-or-later
// Inside of control/fib.h: groups as the packet path tells them apart, counted. Where a group came from, and by which
// address its members are named, packets do not see: however many next hops are out of reach, they are one group.
#pragma once

#include "util/hash.h"
#include "vnrs/fib.h"

struct vnrs_fib_distinct {
    struct vnrs_map seen;
};

// Count a group, unless it is only for guest tables or looks like one before. Returns 0 or -ENOMEM.
int vnrs_fib_distinct_add(struct vnrs_fib_distinct *distinct, const struct vnrs_fib_member *members,
                          uint32_t n) VNRS_MUST_CHECK;
size_t vnrs_fib_distinct_len(const struct vnrs_fib_distinct *distinct);
void vnrs_fib_distinct_fini(struct vnrs_fib_distinct *distinct);
