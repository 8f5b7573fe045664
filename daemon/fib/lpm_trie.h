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

// Add or replace; `value` is 1..VNRS_LPM_VALUE_MAX. `mark` is kept with the prefix, see `sweep`. Returns 1 when the
// table changed, 0 when it was like that, or -ENOMEM.
int vnrs_lpm_trie_put(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix, uint32_t value,
                      uint16_t mark) VNRS_MUST_CHECK;
// The value of exactly this prefix, 0: it is not there.
uint32_t vnrs_lpm_trie_get(const struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix);
// 1: removed, 0: was not there.
int vnrs_lpm_trie_remove(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix);
// Remove all prefixes with another mark than this. Returns how many.
size_t vnrs_lpm_trie_sweep(struct vnrs_lpm_trie *trie, uint16_t mark);

// The roots, with a reference for the caller. Returns 0 or what vnrs_lpm_nodes_stride() returns; what was made by then
// is kept for the next try.
int vnrs_lpm_trie_build(struct vnrs_lpm_trie *trie, struct vnrs_lpm_table *ret_table) VNRS_MUST_CHECK;

size_t vnrs_lpm_trie_len(const struct vnrs_lpm_trie *trie);
