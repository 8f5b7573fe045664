// SPDX-License-Identifier: GPL-2.0-or-later
// Prefixes as dense numbers, and tables from such a number to a 32-bit value: what is kept for each route of a large
// table is then 8 bytes once (IPv4) and 4 bytes for each table that the prefix is in. Pure.
//
// A number lives as long as somebody holds a reference; then it may be given to another prefix. 0 is no number.
#pragma once

#include "net/addr.h"

#include <stddef.h>

#define VNRS_PREFIX_NONE     UINT32_C(0)
#define VNRS_PREFIX_LENS_MAX 129u

struct vnrs_prefix_rec4;
struct vnrs_prefix_rec6;

struct vnrs_prefix_family {
    uint32_t *index; // open addressing: place of a record, or 0
    size_t index_cap, len;
    uint32_t used, cap;                  // records ever used (the first is number 1), records there is room for
    uint32_t free;                       // first free record, or 0
    uint32_t lens[VNRS_PREFIX_LENS_MAX]; // how many prefixes of each length there are
};

struct vnrs_prefixes {
    struct vnrs_prefix_family family[2]; // IPv4, IPv6
    struct vnrs_prefix_rec4 *rec4;
    struct vnrs_prefix_rec6 *rec6;
};

void vnrs_prefixes_fini(struct vnrs_prefixes *set);
// The number of the prefix with one more reference. Returns 0 or -ENOMEM.
int vnrs_prefixes_get(struct vnrs_prefixes *set, const struct vnrs_prefix *prefix, uint32_t *ret_id) VNRS_MUST_CHECK;
void vnrs_prefixes_hold(struct vnrs_prefixes *set, uint32_t id);
void vnrs_prefixes_drop(struct vnrs_prefixes *set, uint32_t id);
// Takes no reference; VNRS_PREFIX_NONE: not there.
uint32_t vnrs_prefixes_find(const struct vnrs_prefixes *set, const struct vnrs_prefix *prefix);
struct vnrs_prefix vnrs_prefixes_prefix(const struct vnrs_prefixes *set, uint32_t id);
size_t vnrs_prefixes_len(const struct vnrs_prefixes *set);
// Prefixes that hold `addr`, the longest first: begin with *len = VNRS_PREFIX_LENS_MAX; VNRS_PREFIX_NONE ends it.
uint32_t vnrs_prefixes_around(const struct vnrs_prefixes *set, const struct vnrs_addr *addr, unsigned *len);

// Number → value that is not 0. Memory comes in pieces, so that a table with few prefixes stays small.
struct vnrs_slots {
    uint32_t **pieces[2];
    uint32_t n_pieces[2];
    size_t len; // values that are not 0
};

void vnrs_slots_fini(struct vnrs_slots *slots);                        // and empty again
uint32_t vnrs_slots_find(const struct vnrs_slots *slots, uint32_t id); // 0: none
// 0 removes, and never fails. Returns 0 or -ENOMEM.
int vnrs_slots_put(struct vnrs_slots *slots, uint32_t id, uint32_t value) VNRS_MUST_CHECK;
void vnrs_slots_replace(struct vnrs_slots *slots, uint32_t id,
                        uint32_t value); // one that is there, by one that is not 0
void vnrs_slots_remove(struct vnrs_slots *slots, uint32_t id);
// Some number that has a value, VNRS_PREFIX_NONE when none has. Where there are many it is far from `last`, the one
// before: the kernel takes routes out of a large table several times faster in such an order than neighbour by
// neighbour (data-plane.md).
uint32_t vnrs_slots_any(const struct vnrs_slots *slots, uint32_t last);
// Walk: `uint32_t id = VNRS_PREFIX_NONE; while ((id = vnrs_slots_next(slots, id)))`. Values may change meanwhile.
uint32_t vnrs_slots_next(const struct vnrs_slots *slots, uint32_t id);
