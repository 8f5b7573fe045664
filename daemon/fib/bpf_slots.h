// SPDX-License-Identifier: GPL-2.0-or-later
// Slots of the maps `groups` and `nexthops`: allocated, counted, found by content, and read back from an earlier
// process. Slot 0 of both is never used: all zero, it drops.
#pragma once

#include "util/hash.h"
#include "vnrs/fib.h"

#include <stdbool.h>
#include <sys/queue.h>

struct vnrs_bpf_slots;
struct vnrs_bpf_nexthop_slot;

// The members of a group as the packet path sees them: in order, each once, nothing in fields that do not count.
struct vnrs_bpf_members {
    uint32_t n; // 0: not a group of ours
    uint32_t pad;
    struct vnrs_bpf_nexthop nexthops[VNRS_GROUP_MEMBERS_MAX]; // zero past n, so that it compares by bytes
};

struct vnrs_bpf_group_slot {
    uint32_t index;
    uint32_t refs;
    struct vnrs_bpf_members members;
    struct vnrs_bpf_nexthop_slot *held[VNRS_GROUP_MEMBERS_MAX]; // of each member
    struct vnrs_bpf_group buckets;                              // as in the map
    uint32_t retired;                                           // of the references: how many the owner is to put
    SLIST_ENTRY(vnrs_bpf_group_slot) in_retired;                // when no published route leads here any more
};

// Canonical members of `group`. Returns 0 or -EINVAL.
int vnrs_bpf_members_make(const struct vnrs_fib_group *group, struct vnrs_bpf_members *ret_members) VNRS_MUST_CHECK;
bool vnrs_bpf_members_equal(const struct vnrs_bpf_members *a, const struct vnrs_bpf_members *b);

// `writes` counts map writes; descriptors and counter are borrowed. Returns 0 or -ENOMEM.
int vnrs_bpf_slots_new(int groups_fd, int nexthops_fd, uint64_t *writes,
                       struct vnrs_bpf_slots **ret_slots) VNRS_MUST_CHECK;
struct vnrs_bpf_slots *vnrs_bpf_slots_free(struct vnrs_bpf_slots *slots); // forgets; returns NULL

// A slot with these members, one reference more: one that nobody else uses, or a new one, written before this returns;
// so that who changes its members later has to move nobody out of the way. Past VNRS_GROUPS_TWINS of those that others
// have the members of, one that is in use. `preferred`: if it is one of several that will do; 0: any. -ENOSPC: no slot
// left; nothing changed then.
int vnrs_bpf_slots_get(struct vnrs_bpf_slots *slots, const struct vnrs_bpf_members *members, uint32_t preferred,
                       struct vnrs_bpf_group_slot **ret_slot) VNRS_MUST_CHECK;
// The slot that a route of an earlier process names, one reference more.
int vnrs_bpf_slots_adopt(struct vnrs_bpf_slots *slots, uint32_t index,
                         struct vnrs_bpf_group_slot **ret_slot) VNRS_MUST_CHECK;
// Other members in the same slot: one write of the group moves everybody who uses it. Nothing changes on failure.
int vnrs_bpf_slots_rewrite(struct vnrs_bpf_slots *slots, struct vnrs_bpf_group_slot *slot,
                           const struct vnrs_bpf_members *members) VNRS_MUST_CHECK;
// One reference less. No route may name the slot any more when the last one goes.
void vnrs_bpf_slots_put(struct vnrs_bpf_slots *slots, struct vnrs_bpf_group_slot *slot);
