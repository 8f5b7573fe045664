// SPDX-License-Identifier: GPL-2.0-or-later
// Inside of control/learned.h: sets of what one instance says, mixes of the sets of all, and what is merged of a mix.
// For learned.c and learned_loss.c alone.
#pragma once

#include "control/learned.h"
#include "util/hash.h"
#include "util/vec.h"

#include <sys/queue.h>

#define STALE     UINT32_C(0x80000000) // in a slot, beside the number of the set
#define SET(slot) ((slot) & ~STALE)

struct set {
    uint32_t id, refs;
    unsigned instance;
    bool interned; // found by content; after a loss another set may have the same, and one without paths is not found
    bool rescan;   // its prefixes changed
    bool stale, fresh; // some of its prefixes are; while that is looked for
    LIST_HEAD(, mix) mixes;
    uint32_t key_instance, n; // the key begins here, and ends with the n paths
    struct vnrs_said_path paths[VNRS_LEARNED_PATHS_MAX];
};

struct merged {
    struct vnrs_learned_merged pub;
    bool interned;
    uint32_t split; // the loss in which its prefixes went several ways
    LIST_HEAD(, mix) mixes;
    struct vnrs_learned_set set;
};

struct mix { // what the instances say together
    struct {
        uint32_t set[VNRS_LEARNED_INSTANCES]; // 0: nothing
    } key;
    struct merged *merged; // NULL: nothing is left
    bool used;             // a prefix has it; while that is looked for
    LIST_ENTRY(mix) in_set[VNRS_LEARNED_INSTANCES], in_merged;
};

struct vnrs_learned_db {
    struct vnrs_prefixes *prefixes;
    uint32_t *last_origin;
    struct vnrs_slots said[VNRS_LEARNED_INSTANCES];
    size_t n_stale[VNRS_LEARNED_INSTANCES]; // of what is said
    struct vnrs_slots changed;
    uint32_t cursor;
    VEC(struct set *) sets; // by id
    VEC(uint32_t) free_sets;
    struct vnrs_map by_content; // sets
    struct vnrs_map mixes;      // by all sets
    struct mix *last_mix;       // that was asked for; prefixes that follow each other often have the same
    struct vnrs_map merged;     // by content
    uint32_t losses;
    enum vnrs_hub_preference preference;
    bool failed;
};

size_t vnrs_learned_set_key_len(const struct set *set);
void vnrs_learned_set_unmap(struct vnrs_learned_db *db, struct set *set);
void vnrs_learned_merged_unmap(struct vnrs_learned_db *db, struct merged *merged);
// What the instances say of the prefix. True: something.
bool vnrs_learned_sets_of(const struct vnrs_learned_db *db, uint32_t prefix,
                          uint32_t sets[static VNRS_LEARNED_INSTANCES]);
void vnrs_learned_mix_leave(struct vnrs_learned_db *db, struct mix *mix); // nothing is left of it
void vnrs_learned_mix_free(struct vnrs_learned_db *db, struct mix *mix);
// The prefix changed. Returns 0 or -ENOMEM.
int vnrs_learned_note(struct vnrs_learned_db *db, uint32_t id) VNRS_MUST_CHECK;
struct vnrs_learned_verdict vnrs_learned_mix_merge(const struct vnrs_learned_db *db,
                                                   const uint32_t sets[static VNRS_LEARNED_INSTANCES],
                                                   struct vnrs_learned_set *ret_set);
