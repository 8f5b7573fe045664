// SPDX-License-Identifier: GPL-2.0-or-later
// The longest-prefix-match tables of a lab in BPF maps: the user-space half of bpf/lib/lpm.h, which nobody else knows
// how to fill. Tables are numbered by VNRS_TABLE_*; put and remove take effect together, with `publish`: all nodes are
// written first, then each changed root in one store. When a publish fails, packets see what they saw before.
//
// After a restart the maps hold what an earlier process published. It stays in force, whole, until `sync_end`: then
// what was put since takes its place, and where that is the same, nothing is written at all.
#pragma once

#include "fib/lpm_trie.h"
#include "net/addr.h"
#include "vnrs/bpf_abi.h"

struct vnrs_bpf_lpm;

// Descriptors of the maps `tables` and `lines`, and the counter of writes (nodes and roots), are borrowed. `leaf` is
// called with the values, once at least each, that adopted tables lead to.
int vnrs_bpf_lpm_new(int tables_fd, int lines_fd, uint64_t *writes, vnrs_lpm_leaf_fn leaf, void *arg,
                     struct vnrs_bpf_lpm **ret_lpm) VNRS_MUST_CHECK;
struct vnrs_bpf_lpm *vnrs_bpf_lpm_free(struct vnrs_bpf_lpm *lpm); // forgets; returns NULL

// Add or replace, and confirm; entry->mark is set by this. Returns 0, -ERANGE (no such table) or -ENOMEM.
int vnrs_bpf_lpm_put(struct vnrs_bpf_lpm *lpm, uint32_t table, const struct vnrs_prefix *prefix,
                     const struct vnrs_lpm_entry *entry) VNRS_MUST_CHECK;
// No such prefix is success.
int vnrs_bpf_lpm_remove(struct vnrs_bpf_lpm *lpm, uint32_t table, const struct vnrs_prefix *prefix) VNRS_MUST_CHECK;
// What was put last for exactly this prefix, published or not. False: nothing, or of an earlier process.
bool vnrs_bpf_lpm_get(const struct vnrs_bpf_lpm *lpm, uint32_t table, const struct vnrs_prefix *prefix,
                      struct vnrs_lpm_entry *ret_entry);
// As vnrs_lpm_trie_change(), in all tables.
void vnrs_bpf_lpm_change(struct vnrs_bpf_lpm *lpm, vnrs_lpm_entry_fn fn, void *arg);

// What is not put again between the two is not confirmed, and is removed at the end; `removed` is called for it before
// that. Neither publishes.
void vnrs_bpf_lpm_sync_begin(struct vnrs_bpf_lpm *lpm);
int vnrs_bpf_lpm_sync_end(struct vnrs_bpf_lpm *lpm, vnrs_lpm_entry_fn removed, void *arg) VNRS_MUST_CHECK;

// Returns 1 when packets now see everything that was put and removed, 0 when that waits for the end of the first sync,
// or a negative errno: -ENOSPC when VNRS_LPM_CHUNKS_MAX are full.
int vnrs_bpf_lpm_publish(struct vnrs_bpf_lpm *lpm) VNRS_MUST_CHECK;

// What a packet would find now: the value or 0.
uint32_t vnrs_bpf_lpm_find(const struct vnrs_bpf_lpm *lpm, uint32_t table, const struct vnrs_addr *addr);
void vnrs_bpf_lpm_usage(const struct vnrs_bpf_lpm *lpm, struct vnrs_lpm_usage *ret_usage);
