// SPDX-License-Identifier: GPL-2.0-or-later
// Who has yet to hear of which changes of the RIB. Consumers that are told the same share one queue (an update group),
// as long as they keep step: a ring of entries, each at most once, of a bounded length. One that cannot take what is
// due falls out of step and delays nobody; the bits in the entries say what it misses. It catches up by a walk of the
// table by number, together with all others of its queue that are out of step, and is in step again when all that it
// misses is in the ring. A new consumer begins so, and when a ring is full all of its queue are out of step: so no
// queue ever holds a table. Pure.
//
// For all consumers in step: an entry is in the ring when their bits in `queued` are set, which are all equal.
#pragma once

#include "util/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vnrs_bgp_rib;
struct vnrs_bgp_dest;

#define VNRS_BGP_SLOTS     64u // sources, consumers and queues
#define VNRS_BGP_RING_MAX  65536u
#define VNRS_BGP_WALK_LOOK 65536u // entries looked at in one run of a walk

enum vnrs_bgp_hears {         // which changes
    VNRS_BGP_HEARS_MULTIPATH, // of the usable best paths: the controller
    VNRS_BGP_HEARS_INSIDE,    // of the best path
    VNRS_BGP_HEARS_OUTSIDE,   // of the best path, where eBGP peers are told of a difference
    VNRS_BGP_HEARS_PATHS,     // of any path
    _VNRS_BGP_HEARS_MAX,
};

struct vnrs_bgp_queue {
    uint64_t members, in_step; // consumers
    struct vnrs_bgp_dest **ring;
    uint32_t head, len, cap;
    uint64_t taken; // entries that ever left the ring
    // The walk's place: a slab, entries of it that were passed, and for whom the slab was marked as clean.
    size_t slab, passed;
    uint64_t entered;
    bool is_scattered; // in the order of vnrs_bgp_rib_next_scattered
};

struct vnrs_bgp_queues { // zero: nobody hears of anything
    struct vnrs_bgp_queue by_number[VNRS_BGP_SLOTS];
    uint8_t number_of[VNRS_BGP_SLOTS]; // by consumer
    uint32_t missing[VNRS_BGP_SLOTS];  // by consumer that is out of step: entries with its bit
    uint64_t in_step;                  // consumers
    uint64_t hears[_VNRS_BGP_HEARS_MAX];
    uint64_t *dirty; // by slab: consumers out of step that may miss something of it
};

// Makes a consumer a member of a queue, of which all have the same in `hears` (bits 1 << VNRS_BGP_HEARS_*). It is out
// of step, the whole table is due to it.
void vnrs_bgp_queue_join(struct vnrs_bgp_rib *rib, unsigned number, unsigned consumer, unsigned hears);
// It goes to another queue of the same kind, out of step, and keeps what it misses and what it was told.
void vnrs_bgp_queue_move(struct vnrs_bgp_rib *rib, unsigned number, unsigned consumer);
// It hears of nothing any more, and what was advertised to it is forgotten.
void vnrs_bgp_queue_leave(struct vnrs_bgp_rib *rib, unsigned consumer);
// All of a family is due to it anew. It falls out of step.
void vnrs_bgp_queue_repeat(struct vnrs_bgp_rib *rib, unsigned consumer, uint8_t family);
// An entry changed for all who hear of that; `flags` VNRS_BGP_DEST_NEW_*.
void vnrs_bgp_queue_change(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, uint64_t consumers, uint8_t flags);
void vnrs_bgp_queue_fini(struct vnrs_bgp_rib *rib);

void vnrs_bgp_queue_fall_out(struct vnrs_bgp_rib *rib, unsigned number, uint64_t consumers);
// Those of `consumers` that have caught up are in step again; returns which.
uint64_t vnrs_bgp_queue_rejoin(struct vnrs_bgp_rib *rib, unsigned number, uint64_t consumers);
// Those of the members that are out of step and miss something that is not in the ring.
uint64_t vnrs_bgp_queue_behind(const struct vnrs_bgp_rib *rib, unsigned number);
size_t vnrs_bgp_queue_due(const struct vnrs_bgp_rib *rib, unsigned consumer); // entries

// What is taken has to be given back, or done with: vnrs_bgp_rib_done. Its bits in `queued` are clear meanwhile.

// The oldest entry of the ring, for all in step, or NULL.
struct vnrs_bgp_dest *vnrs_bgp_queue_pop(struct vnrs_bgp_rib *rib, unsigned number);
// Puts back to the front what was taken last.
void vnrs_bgp_queue_unpop(struct vnrs_bgp_rib *rib, unsigned number, struct vnrs_bgp_dest *dest);
// The next entry of the walk that one of `consumers` (out of step) misses, *ret_for says which do. NULL when there is
// none, or when *looks entries were looked at; it counts down.
struct vnrs_bgp_dest *vnrs_bgp_queue_walk(struct vnrs_bgp_rib *rib, unsigned number, uint64_t consumers,
                                          unsigned *looks, uint64_t *ret_for);
// Puts back what was taken from the walk, last first.
void vnrs_bgp_queue_unwalk(struct vnrs_bgp_rib *rib, unsigned number, struct vnrs_bgp_dest *dest, uint64_t consumers);
// Takes one entry out of its turn. False when the consumer does not miss it, or it is in the ring.
bool vnrs_bgp_queue_take(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, unsigned consumer);
void vnrs_bgp_queue_untake(struct vnrs_bgp_rib *rib, struct vnrs_bgp_dest *dest, unsigned consumer);

// As vnrs_bgp_rib_next, in an order in which neighbours are far apart, as long as no entries are added: withdrawals
// that came in ascending order would make the kernel search its trie anew for each (data-plane.md).
struct vnrs_bgp_dest *vnrs_bgp_rib_next_scattered(const struct vnrs_bgp_rib *rib, size_t *at);
size_t vnrs_bgp_rib_stride(size_t n_slabs); // from a slab to the next in that order, modulo their number
// The n-th entry of a slab in that order, and the other way round.
size_t vnrs_bgp_rib_scatter(size_t n);
size_t vnrs_bgp_rib_unscatter(size_t n);
