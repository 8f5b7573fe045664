// SPDX-License-Identifier: GPL-2.0-or-later
// One longest-prefix-match table as a list of prefixes that can change, and the translation of it into nodes
// (lpm_nodes.h). Changes cost little and touch nothing that a reader sees; `build` then makes the nodes on the way to
// what changed, all others are taken as they are. The nodes depend on the prefixes alone, not on how they came about.
#pragma once

#include "fib/lpm_nodes.h"
#include "vnrs/addr.h"

struct vnrs_lpm_trie;

int vnrs_lpm_trie_new(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_trie **ret_trie) VNRS_MUST_CHECK; // borrowed
struct vnrs_lpm_trie *vnrs_lpm_trie_free(struct vnrs_lpm_trie *trie);                                 // returns NULL

struct vnrs_lpm_entry {
    uint32_t value; // 1..VNRS_LPM_VALUE_MAX
    uint32_t owner; // of the caller's, no reader sees it
    uint16_t mark;  // likewise: when the entry was said to be right
};

// Add or replace. Returns 1 when a reader could tell, 0 when not, or -ENOMEM.
int vnrs_lpm_trie_put(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix,
                      const struct vnrs_lpm_entry *entry) VNRS_MUST_CHECK;
// The entry of exactly this prefix. Returns false when there is none.
bool vnrs_lpm_trie_get(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix, struct vnrs_lpm_entry *ret_entry);
// 1: removed, 0: was not there.
int vnrs_lpm_trie_remove(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix);
// Calls `fn` for every entry, which it may change; value 0 removes it. Returns how many a reader could tell.
typedef void (*vnrs_lpm_entry_fn)(uint8_t family, struct vnrs_lpm_entry *entry, void *arg);
size_t vnrs_lpm_trie_change(struct vnrs_lpm_trie *trie, vnrs_lpm_entry_fn fn, void *arg);

// The roots, with a reference for the caller. Returns 0 or what vnrs_lpm_nodes_stride() returns; what was made by then
// is kept for the next try.
int vnrs_lpm_trie_build(struct vnrs_lpm_trie *trie, struct vnrs_lpm_table *ret_table) VNRS_MUST_CHECK;

size_t vnrs_lpm_trie_len(const struct vnrs_lpm_trie *trie);
