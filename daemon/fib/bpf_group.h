// SPDX-License-Identifier: GPL-2.0-or-later
// Buckets of a resilient next-hop group: which member each of VNRS_GROUP_BUCKETS shares of the flows goes to. A change
// of members moves only the flows of members that are lost and the fair share of members that are new; a member that
// stays keeps its buckets but for what it has to give to new ones. Pure.
#pragma once

#include "vnrs/fib.h"

// Fill `ret_buckets` with `members` (1..VNRS_GROUP_MEMBERS_MAX different values), each VNRS_GROUP_BUCKETS / n times or
// once more. `old` is what the buckets were, or NULL: the filling then depends on the order of the members alone.
// `old` and `ret_buckets` may be the same.
void vnrs_bpf_group_fill(const uint16_t *old, const uint32_t *members, unsigned n,
                         uint16_t ret_buckets[static VNRS_GROUP_BUCKETS]);

// The different values in `buckets`, in order of appearance. Returns how many, or 0 when there are more than
// VNRS_GROUP_MEMBERS_MAX or they have no fair shares: not a filling of ours.
unsigned vnrs_bpf_group_members(const uint16_t buckets[static VNRS_GROUP_BUCKETS],
                                uint32_t ret_members[static VNRS_GROUP_MEMBERS_MAX]);
