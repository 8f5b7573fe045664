// SPDX-License-Identifier: GPL-2.0-or-later
// A fixed list of prefixes in which the longest one that covers an address or another prefix is found: sorted once,
// then read only. Entries and what they point to are borrowed. Pure.
//
// In sorted order (net/addr.h: numeric, then length) everything that covers a prefix stands before it, and each entry
// knows the one that encloses it. So a search is one bisection and a walk outwards.
#pragma once

#include "net/addr.h"
#include "util/arena.h"

#define VNRS_COVER_NONE UINT32_MAX

struct vnrs_cover_entry {
    const struct vnrs_prefix *prefix;
    const void *value;
    uint32_t order;  // of entries with the same prefix the one with the lowest order stays
    uint32_t parent; // set by vnrs_cover_build: index of the entry around this one, or VNRS_COVER_NONE
};

struct vnrs_cover {
    struct vnrs_cover_entry *entries;
    size_t len;
};

// Empty, with room for `cap` entries in `arena`. Returns 0 or -ENOMEM.
int vnrs_cover_alloc(struct vnrs_arena *arena, struct vnrs_cover *cover, size_t cap) VNRS_MUST_CHECK;
// One more, of which there is room; of a later order than those before.
void vnrs_cover_put(struct vnrs_cover *cover, const struct vnrs_prefix *prefix, const void *value);
// Sort the entries where they are and drop repeated prefixes (`len` shrinks).
void vnrs_cover_build(struct vnrs_cover *cover);
// The longest prefix that holds `prefix`; equal counts. NULL: none.
const struct vnrs_cover_entry *vnrs_cover_match(const struct vnrs_cover *cover, const struct vnrs_prefix *prefix);
// The entry with exactly this prefix, or NULL.
const struct vnrs_cover_entry *vnrs_cover_find(const struct vnrs_cover *cover, const struct vnrs_prefix *prefix);
