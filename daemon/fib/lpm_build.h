// SPDX-License-Identifier: GPL-2.0-or-later
// The prefixes of a table as blocks (lpm_trie.h keeps them), and their translation into nodes (lpm_nodes.h): the least
// number of steps for a walk. Which nodes these are depends on the prefixes alone.
#pragma once

#include "fib/lpm_nodes.h"

// A prefix that ends within the byte that its block decides about.
struct vnrs_lpm_own {
    uint8_t bits, byte; // 1..8 of them, others zero
    uint16_t mark;      // see vnrs_lpm_trie_put()
    uint32_t value;
    uint32_t owner;
};

// What happens at one byte of the address, after the bytes `key`. A block exists where prefixes end or where they part.
struct vnrs_lpm_block {
    // What is looked at on the way to another block, together.
    uint8_t key[16];
    uint64_t has_below[4];         // for which values of key[depth]; finds them without looking at them
    struct vnrs_lpm_block **below; // by key[depth]
    uint16_t n_below, cap_below;
    uint8_t depth; // bytes of `key`
    bool dirty;    // `entry` is not what it should be
    uint8_t from;  // `entry` is for addresses from this byte on: past that of the block above

    uint16_t n_own, cap_own;
    uint32_t inherited;       // value of the shorter prefixes, when `entry` was made
    uint32_t entry;           // a reference, or a leaf
    size_t n_all;             // prefixes here and below
    struct vnrs_lpm_own *own; // by bits, then byte: in this order they overwrite each other rightly
};

// Set `entry` of the block for addresses from byte `from` on, where shorter prefixes have the value `inherited`.
// Blocks that are not dirty and got the same from above stay as they are. Returns 0 or what vnrs_lpm_nodes_stride()
// returns; what was made by then is kept for the next try.
int vnrs_lpm_build(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_block *block, unsigned from,
                   uint32_t inherited) VNRS_MUST_CHECK;
