// SPDX-License-Identifier: GPL-2.0-or-later
// Routing information of one speaker: for each prefix the paths of all sources, best first. The paths with their
// source are the Adj-RIBs-In, the head and those equally good the Loc-RIB. Consumers (the controller, each peer's
// Adj-RIB-Out) hear of prefixes that changed through bgp/rib_queue.h and look up the state when they get to it: only
// the newest state is ever told. Both families; exact match only. Pure.
//
// Owns entries, paths and one reference to the attributes of each path. Entries come from slabs and keep their number
// and address for life, so that a walk by number may be interrupted and go on later.
#pragma once

#include "bgp/decide.h"
#include "bgp/rib_queue.h"

#include <stdbool.h>
#include <stddef.h>

#define VNRS_BGP_SLOT_LOCAL  63u // as a source: what this speaker originates; as a consumer: the controller
#define VNRS_BGP_SLOT_STATIC 62u // as a source: static routes of a VPN gateway
#define VNRS_BGP_SLAB_DESTS  1024u

// A peer that numbers its paths (RFC 7911) may have so many of one prefix; more are not kept.
#define VNRS_BGP_PATHS_PER_SOURCE 32u
#define VNRS_BGP_PATHS_PER_PREFIX (VNRS_BGP_SLOTS * VNRS_BGP_PATHS_PER_SOURCE)

enum {                               // vnrs_bgp_path.flags
    VNRS_BGP_PATH_NUMBERED = 1 << 0, // it was received with an identifier other than 0, which stands behind it
    VNRS_BGP_PATH_NEWS = 1 << 1,     // not everybody who hears of single paths has heard of its change
    VNRS_BGP_PATH_TOLD = 1 << 2,     // somebody was told of it by its own identifier
};

struct vnrs_bgp_path {
    struct vnrs_bgp_path *next;
    const struct vnrs_bgp_attrs *attrs;
    uint8_t slot;   // source
    uint8_t barred; // enum vnrs_bgp_barred; barred paths come after all others
    uint8_t flags;
    uint16_t id;    // by which peers are told of it with ADD-PATH: no other path of the prefix has it, it never changes
    uint16_t epoch; // of its source when it was last announced
};

enum { // vnrs_bgp_dest.flags
    VNRS_BGP_DEST_LIVE = 1 << 0,
    // For whom it is in a queue, with other attributes than before; without, only who is told of it may have changed.
    VNRS_BGP_DEST_NEW_INSIDE = 1 << 1,  // attributes as they were received
    VNRS_BGP_DEST_NEW_OUTSIDE = 1 << 2, // attributes as eBGP peers are told them
    VNRS_BGP_DEST_NEW_PATH = 1 << 3,    // some of its paths have news
    VNRS_BGP_DEST_ALL_PATHS = 1 << 4,   // all of them are to be told again
    VNRS_BGP_DEST_NEW_BEST = VNRS_BGP_DEST_NEW_INSIDE | VNRS_BGP_DEST_NEW_OUTSIDE,
    VNRS_BGP_DEST_ALL = VNRS_BGP_DEST_NEW_BEST | VNRS_BGP_DEST_ALL_PATHS,
};

struct vnrs_bgp_dest {
    struct vnrs_bgp_path *paths; // best first; NULL in an entry that waits for its consumers, or is free
    uint64_t queued;             // bit per consumer: has yet to hear of the newest state
    uint64_t advertised;         // bit per consumer: was told of it
    uint32_t number;
    uint8_t flags;
    struct vnrs_prefix prefix;
};

struct vnrs_bgp_index { // a place of the index
    uint32_t tag;       // hash of the prefix
    uint32_t entry;     // number + 1; 0: free
};

struct vnrs_bgp_rib {
    struct vnrs_bgp_attr_table *attrs; // borrowed
    struct vnrs_bgp_index *index;      // open addressing
    size_t index_cap, len;
    struct vnrs_bgp_dest **slabs;
    size_t n_slabs, next_dest; // entries ever taken from slabs
    struct vnrs_bgp_dest *free_dests;
    struct vnrs_bgp_path *free_paths[2]; // without and with an identifier of the peer
    void **path_slabs;
    size_t n_path_slabs;
    struct vnrs_bgp_source sources[VNRS_BGP_SLOTS];
    uint32_t counts[VNRS_BGP_SLOTS]; // paths by source
    uint16_t epochs[VNRS_BGP_SLOTS]; // by source; what is announced gets the current one
    struct vnrs_bgp_queues queues;
    // True when eBGP peers are told the same of both sets, so that a change between them is none; NULL: never.
    bool (*is_same_outside)(void *arg, const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b);
    // A path of `slot` came, changed or went; `path_id` is the peer's, 0: none. `best`: the best one of its prefix is
    // another, or has other attributes; where only that is so, `slot` is SLOT_LOCAL. NULL: nobody wants to know.
    void (*changed)(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id, bool best);
    void *arg;
    size_t n_best; // prefixes with a usable path
    uint64_t seed; // of the hash
};

void vnrs_bgp_rib_init(struct vnrs_bgp_rib *rib, struct vnrs_bgp_attr_table *attrs, uint64_t seed);
void vnrs_bgp_rib_fini(struct vnrs_bgp_rib *rib);

// A path of `slot` for a prefix: added, or in place of the one it has under this identifier (RFC 7911; 0: it has none).
// Takes its own reference. Returns 1 when anything changed, 0, or -ENOMEM with the path of before (or none) in place.
int vnrs_bgp_rib_update(struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id,
                        const struct vnrs_bgp_attrs *attrs, enum vnrs_bgp_barred barred) VNRS_MUST_CHECK;
// Returns true when there was one.
bool vnrs_bgp_rib_withdraw(struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id);
void vnrs_bgp_rib_withdraw_all(struct vnrs_bgp_rib *rib, unsigned slot);
// Withdraws the paths of a source, in one family (enum vnrs_addr_family), that were last announced before this epoch.
void vnrs_bgp_rib_sweep(struct vnrs_bgp_rib *rib, unsigned slot, uint8_t family, uint16_t epoch);
// The next epoch of a source begins; returns it. They are compared in a circle: what is very old is brought forward
// now and then.
uint16_t vnrs_bgp_rib_epoch_next(struct vnrs_bgp_rib *rib, unsigned slot);
bool vnrs_bgp_path_is_before(const struct vnrs_bgp_path *path, uint16_t epoch);
typedef enum vnrs_bgp_barred vnrs_bgp_judge(const struct vnrs_prefix *prefix, const struct vnrs_bgp_path *path,
                                            void *arg);
// Asks `judge` anew for every path of the peers (not of this speaker itself).
void vnrs_bgp_rib_rejudge(struct vnrs_bgp_rib *rib, vnrs_bgp_judge *judge, void *arg);
// The ranks of sources changed: all paths are put in order again.
void vnrs_bgp_rib_reorder(struct vnrs_bgp_rib *rib);
struct vnrs_bgp_dest *vnrs_bgp_rib_find(const struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefix);
// Brings what a search for these is going to read into the cache, at most VNRS_BGP_PREFETCH_MAX of them.
#define VNRS_BGP_PREFETCH_MAX 32u
void vnrs_bgp_rib_prefetch(const struct vnrs_bgp_rib *rib, const struct vnrs_prefix *prefixes, size_t n);
struct vnrs_bgp_dest *vnrs_bgp_rib_at(const struct vnrs_bgp_rib *rib, size_t number); // may be a free one
// Walk by number: `size_t at = 0; while ((d = vnrs_bgp_rib_next(rib, &at)))`. Entries that exist throughout are seen
// exactly once, whatever happens between two calls.
struct vnrs_bgp_dest *vnrs_bgp_rib_next(const struct vnrs_bgp_rib *rib, size_t *at);
// The best usable path, or NULL.
const struct vnrs_bgp_path *vnrs_bgp_dest_best(const struct vnrs_bgp_dest *dest);
// The best one of a source, or NULL.
const struct vnrs_bgp_path *vnrs_bgp_dest_path(const struct vnrs_bgp_dest *dest, unsigned slot);
const struct vnrs_bgp_path *vnrs_bgp_dest_path_id(const struct vnrs_bgp_dest *dest, unsigned slot, uint32_t path_id);
uint32_t vnrs_bgp_path_received_id(const struct vnrs_bgp_path *path); // 0: none
// Where `path` lost against the best one of its prefix.
enum vnrs_bgp_step vnrs_bgp_dest_lost_at(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_dest *dest,
                                         const struct vnrs_bgp_path *path);

// Likewise, against any other path of the prefix that is better than it, or itself.
enum vnrs_bgp_step vnrs_bgp_path_lost_at(const struct vnrs_bgp_rib *rib, const struct vnrs_bgp_path *best,
                                         const struct vnrs_bgp_path *path);

// Lets go of an entry that has no path any more and that nobody has to hear of. After every change to `queued` and
// `advertised`.
void vnrs_bgp_rib_done(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest);
