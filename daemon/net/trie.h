// SPDX-License-Identifier: GPL-2.0-or-later
// Path-compressed binary trie from prefixes (both families) to borrowed pointers: exact match, longest match, walk in
// order. It owns its nodes only. Pure.
#pragma once

#include "net/addr.h"

struct vnrs_trie_node;

struct vnrs_trie {
    struct vnrs_trie_node *roots[2]; // IPv4, IPv6
    size_t len;
};

void vnrs_trie_fini(struct vnrs_trie *trie);
// Adds or replaces. Returns 0 or -ENOMEM. `value` is not NULL.
int vnrs_trie_put(struct vnrs_trie *trie, const struct vnrs_prefix *prefix, void *value) VNRS_MUST_CHECK;
void *vnrs_trie_remove(struct vnrs_trie *trie, const struct vnrs_prefix *prefix); // the value, or NULL
void *vnrs_trie_find(const struct vnrs_trie *trie, const struct vnrs_prefix *prefix);
// The longest prefix that holds `addr`; `ret_prefix` may be NULL.
void *vnrs_trie_match(const struct vnrs_trie *trie, const struct vnrs_addr *addr, struct vnrs_prefix *ret_prefix);
// Calls `fn` for every entry by family, address, length. A non-zero return ends the walk and is returned.
int vnrs_trie_walk(const struct vnrs_trie *trie, int (*fn)(const struct vnrs_prefix *prefix, void *value, void *arg),
                   void *arg);
