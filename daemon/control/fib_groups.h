// SPDX-License-Identifier: GPL-2.0-or-later
// The groups of next hops that the sinks were told of, or will be: found by origin and content (fib.h), numbered for
// the slots of routes. Pure.
#pragma once

#include "util/hash.h"
#include "util/vec.h"
#include "vnrs/fib.h"

#include <stdbool.h>

#define VNRS_FIB_GROUP_BITS 28 // of a number

// From `origin` on it is its key.
struct vnrs_fib_group_ref {
    uint32_t handle;                     // what the sinks call it, never given twice
    uint32_t number;                     // in slots
    uint32_t used;                       // routes that were sent with it, or will be with this commit
    bool sent;                           // the sinks know it with this content
    bool keyed;                          // found by its key; after a loss another group may have the same
    bool splits;                         // routes that leave it in this commit go to several
    bool moved;                          // its routes are where they shall be, without a message of their own
    struct vnrs_fib_group_ref *moves_to; // where they go, if it is one group for all
    uint32_t origin, n;
    struct vnrs_fib_member members[VNRS_GROUP_MEMBERS_MAX];
};

struct vnrs_fib_groups {
    VEC(struct vnrs_fib_group_ref *) list; // by number; 0 is none
    VEC(uint32_t) free;                    // numbers
    struct vnrs_map by_key;
    uint32_t last_handle;
};

int vnrs_fib_groups_init(struct vnrs_fib_groups *groups) VNRS_MUST_CHECK;
void vnrs_fib_groups_clear(struct vnrs_fib_groups *groups); // handles are not used twice
void vnrs_fib_groups_fini(struct vnrs_fib_groups *groups);

// The one with this key, made if there is none. NULL: out of memory.
struct vnrs_fib_group_ref *vnrs_fib_groups_get(struct vnrs_fib_groups *groups, uint32_t origin,
                                               const struct vnrs_fib_member *members, unsigned n);
// Around a change of origin or members. Where another group has the new key, this one is found no more.
void vnrs_fib_groups_unkey(struct vnrs_fib_groups *groups, struct vnrs_fib_group_ref *group);
int vnrs_fib_groups_key(struct vnrs_fib_groups *groups, struct vnrs_fib_group_ref *group) VNRS_MUST_CHECK;

// Those that no route has any more go, and what a commit noted at the others. -ENOMEM: a number is lost.
int vnrs_fib_groups_end(struct vnrs_fib_groups *groups) VNRS_MUST_CHECK;
// How many different ones are used, as the sinks see it.
int vnrs_fib_groups_count(const struct vnrs_fib_groups *groups, size_t *ret_n) VNRS_MUST_CHECK;
