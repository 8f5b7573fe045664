// SPDX-License-Identifier: GPL-2.0-or-later
// The nodes of all longest-prefix-match tables of a lab (layout: vnrs/lpm.h). Equal nodes exist once: tables share
// whatever subtrees they have in common, and building the same table again finds the nodes that are there. Nodes are
// counted by the entries that lead to them; the lines of one that nothing leads to any more are used again only after
// every reader that might still be in it is gone (`wait`). Memory comes in chunks and is never given back. Makes no
// system call itself.
#pragma once

#include "util/macros.h"
#include "vnrs/lpm.h"

#include <stdbool.h>
#include <stdint.h>

struct vnrs_lpm_nodes;

struct vnrs_lpm_memory {
    void *arg;
    // Make chunk `index` (they come in order) of VNRS_LPM_CHUNK_LINES lines, readable by the packet path before this
    // returns. Returns 0 or a negative errno.
    int (*grow)(void *arg, unsigned index, struct vnrs_lpm_line **ret_chunk);
    // Return when no reader holds an entry that it read before the call. Returns 0 or a negative errno.
    int (*wait)(void *arg);
};

struct vnrs_lpm_usage {
    uint64_t lines;               // in use
    uint64_t full, ranges, skips; // nodes of each kind
    uint64_t reserved;            // lines in chunks
    uint64_t made;                // nodes ever written
    uint64_t waits;
};

int vnrs_lpm_nodes_new(const struct vnrs_lpm_memory *memory, struct vnrs_lpm_nodes **ret_nodes) VNRS_MUST_CHECK;
struct vnrs_lpm_nodes *vnrs_lpm_nodes_free(struct vnrs_lpm_nodes *nodes); // chunks are the memory's; returns NULL

struct vnrs_lpm_ranges {
    uint32_t n;                          // 1..VNRS_LPM_RANGES_MAX
    uint32_t end[VNRS_LPM_RANGES_MAX];   // ascending, the last is 0xffffffff
    uint32_t entry[VNRS_LPM_RANGES_MAX]; // no two neighbours are the same
};

// The entry for 256 entries: a leaf if all are the same one, else a node. It has one reference more, the caller's.
// Returns 0, -ENOSPC (VNRS_LPM_CHUNKS_MAX), or another negative errno; nothing changed then.
int vnrs_lpm_nodes_stride(struct vnrs_lpm_nodes *nodes, const uint32_t entries[static 256],
                          uint32_t *ret_entry) VNRS_MUST_CHECK;
// Likewise for ranges of the next 32 bits.
int vnrs_lpm_nodes_ranges(struct vnrs_lpm_nodes *nodes, const struct vnrs_lpm_ranges *ranges,
                          uint32_t *ret_entry) VNRS_MUST_CHECK;
// Likewise for the first `bits` (0..128) of `key`, past which `match` comes; others lead to the leaf `miss`. Nodes can
// come after whole bytes, 8 * VNRS_LPM_SKIP_MAX at most. Takes the caller's reference of `match` over, on success only.
int vnrs_lpm_nodes_skip(struct vnrs_lpm_nodes *nodes, const uint8_t *key, unsigned bits, uint32_t match, uint32_t miss,
                        uint32_t *ret_entry) VNRS_MUST_CHECK;
void vnrs_lpm_nodes_ref(struct vnrs_lpm_nodes *nodes, uint32_t entry);
void vnrs_lpm_nodes_unref(struct vnrs_lpm_nodes *nodes, uint32_t entry);

// Take over what an earlier process left in the memory: first its chunks, in order, then every root entry, which gets
// a reference; then adopted. `leaf` is called for the leaves of nodes not seen before. -EUCLEAN: not a tree of ours.
int vnrs_lpm_nodes_adopt_chunk(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_line *chunk) VNRS_MUST_CHECK;
typedef int (*vnrs_lpm_leaf_fn)(uint32_t value, void *arg);
int vnrs_lpm_nodes_adopt_root(struct vnrs_lpm_nodes *nodes, uint32_t entry, vnrs_lpm_leaf_fn leaf,
                              void *arg) VNRS_MUST_CHECK;
int vnrs_lpm_nodes_adopted(struct vnrs_lpm_nodes *nodes) VNRS_MUST_CHECK;

vnrs_lpm_lines vnrs_lpm_nodes_lines(const struct vnrs_lpm_nodes *nodes);
void vnrs_lpm_nodes_usage(const struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_usage *ret_usage);
