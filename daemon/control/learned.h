// SPDX-License-Identifier: GPL-2.0-or-later
// What the instances of one hub pass up, prefix by prefix, and what they say together (azure-routing.md 5.2, 5.5, 5.7,
// 5.8): two of the Route Server, and up to two of each gateway. Sets of next hops are kept once, however many prefixes
// have them; a prefix costs 4 bytes for each instance that has it beside its number. Prefixes whose merged next hops
// changed are remembered until they are taken.
//
// When a source of paths dies, its next hops leave all sets at once, and sets that have no other become what the
// instance says that comes instead, if anything, in a time that depends on the number of sets only; the instance then
// says the same prefix by prefix, which changes nothing any more. Pure.
#pragma once

#include "net/prefixes.h"
#include "routing/routing.h"

#include <stdbool.h>

#define VNRS_LEARNED_TWINS     2u // instances of one class, told the same by their peers
#define VNRS_LEARNED_INSTANCES (VNRS_LEARNED_TWINS * _VNRS_LEARNED_CLASS_MAX)

struct vnrs_learned_db;

// What an instance says of a prefix.
struct vnrs_said {
    unsigned n;
    struct vnrs_said_path {
        struct vnrs_learned_nexthop hop;
        uint64_t sources;            // bit per peer of the instance that announces this next hop
    } paths[VNRS_LEARNED_PATHS_MAX]; // by address, no duplicates; zero past n
};

// Prefixes with the same merged next hops; of gateway instances with the same peers beyond, so that those of one site
// have another set than those of the next. `origin` stays when a dead next hop leaves, and is never used again.
struct vnrs_learned_merged {
    uint32_t origin; // from 1
    const struct vnrs_learned_set *set;
};

// `prefixes` and `last_origin` are borrowed; several hubs may share them. The preference is ExpressRoute. NULL: out of
// memory.
struct vnrs_learned_db *vnrs_learned_db_new(struct vnrs_prefixes *prefixes, uint32_t *last_origin) VNRS_MUST_CHECK;
void vnrs_learned_db_free(struct vnrs_learned_db *db); // accepts NULL

// The number that instance `index` (below VNRS_LEARNED_TWINS) of a class has in all calls.
unsigned vnrs_learned_number(enum vnrs_learned_class class, unsigned index);
// hubRoutingPreference from now on. Prefixes change that several classes have. Returns 0 or -ENOMEM (some are not
// noted).
int vnrs_learned_prefer(struct vnrs_learned_db *db, enum vnrs_hub_preference preference) VNRS_MUST_CHECK;

// A set by its content, with one more reference. n is not 0. Returns 0 or -ENOMEM.
int vnrs_learned_intern(struct vnrs_learned_db *db, unsigned instance, const struct vnrs_said *said,
                        uint32_t *ret_set) VNRS_MUST_CHECK;
void vnrs_learned_unref(struct vnrs_learned_db *db, uint32_t set);
// What the instance says of the prefix from now on; set 0: nothing. Returns 0 or -ENOMEM.
int vnrs_learned_put(struct vnrs_learned_db *db, unsigned instance, const struct vnrs_prefix *prefix,
                     uint32_t set) VNRS_MUST_CHECK;
// Forget what the twin of the instance says of the prefix, if that is stale. Returns 0 or -ENOMEM.
int vnrs_learned_supersede(struct vnrs_learned_db *db, unsigned instance,
                           const struct vnrs_prefix *prefix) VNRS_MUST_CHECK;
size_t vnrs_learned_len(const struct vnrs_learned_db *db, unsigned instance);
// Everything that the instance said is stale from now on, unless it is said again.
void vnrs_learned_stale(struct vnrs_learned_db *db, unsigned instance);
// Forget what is stale, or everything, prefix by prefix. Returns 0 or -ENOMEM (the rest stays).
int vnrs_learned_sweep(struct vnrs_learned_db *db, unsigned instance, bool all) VNRS_MUST_CHECK;

// All prefixes of `merged` have the next hops `to` from now on. False: forwarding cannot follow in one step; they
// change one by one then.
typedef bool (*vnrs_learned_move)(void *arg, const struct vnrs_learned_merged *merged,
                                  const struct vnrs_learned_set *to);

// These peers of the instance are down: their next hops leave the sets that have others. Sets that have none left stay
// until the instance says what comes instead. Returns 0 or -ENOMEM.
int vnrs_learned_down(struct vnrs_learned_db *db, unsigned instance, uint64_t sources, vnrs_learned_move move,
                      void *arg) VNRS_MUST_CHECK;

// What the instance says of every prefix of which it said `from`, although of none of them yet.
struct vnrs_learned_heir {
    struct vnrs_said from, to; // `from` has paths
};
// Nothing happens while anything that the instance said is stale. Returns 0 or -ENOMEM.
int vnrs_learned_inherit(struct vnrs_learned_db *db, unsigned instance, const struct vnrs_learned_heir *heirs, size_t n,
                         vnrs_learned_move move, void *arg) VNRS_MUST_CHECK;

// Forget what is stale: sets of which all is have nothing at once. Returns 0 or -ENOMEM (the rest stays).
int vnrs_learned_expire(struct vnrs_learned_db *db, unsigned instance, vnrs_learned_move move,
                        void *arg) VNRS_MUST_CHECK;

// Take one prefix that changed, or VNRS_PREFIX_NONE. The reference is the caller's.
uint32_t vnrs_learned_take(struct vnrs_learned_db *db);
size_t vnrs_learned_pending(const struct vnrs_learned_db *db);
bool vnrs_learned_is_pending(const struct vnrs_learned_db *db, uint32_t prefix);
// Walk of those that changed, as that of all.
uint32_t vnrs_learned_pending_next(const struct vnrs_learned_db *db, uint32_t id);
void vnrs_learned_take_all(struct vnrs_learned_db *db); // none has changed any more

// False: the prefix is not learned, or memory ran out (`db` remembers: see _failed).
bool vnrs_learned_get(struct vnrs_learned_db *db, uint32_t prefix, struct vnrs_learned_merged *ret_merged);
// How the next hops came about. Only for who asks: it is computed each time.
struct vnrs_learned_verdict vnrs_learned_verdict(const struct vnrs_learned_db *db, uint32_t prefix);
bool vnrs_learned_failed(struct vnrs_learned_db *db); // since it was asked last
// Walk: `uint32_t id = VNRS_PREFIX_NONE; while ((id = vnrs_learned_next(db, id)))`.
uint32_t vnrs_learned_next(const struct vnrs_learned_db *db, uint32_t id);
