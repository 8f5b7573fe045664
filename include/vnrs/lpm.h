// SPDX-License-Identifier: GPL-2.0-or-later
// Longest-prefix match: the form in memory, and the one piece of code that reads it, for the packet path (map `lines`)
// and for user space alike. daemon/fib/lpm_*.h build it.
//
// Lines of 64 bytes, one cache line each, hold the nodes of tries with a stride of 8 bits:
//   FULL    16 lines: an entry for each value of the next byte
//   RANGES  1 line: up to 13 ranges of the next byte, by the last byte of each but the last range
//   SKIP    1 line: several bytes that all prefixes below have in common
// An entry is the index of a node's first line with its kind in the top two bits, or a leaf: a value, 0: no route.
// Values of shorter prefixes are pushed down into the leaves, so that the walk never turns back; only the prefix of
// length 0 is kept beside the root, since tables that differ in it alone shall share everything else.
//
// Nodes never change once a root leads to them: a change makes new nodes and then stores the root, 8 bytes at once.
// A walk therefore sees one state of the table, whatever happens meanwhile.
#pragma once

#include <linux/types.h>
#include <stddef.h>

#define VNRS_LPM_WORDS       16
#define VNRS_LPM_FULL_LINES  16
#define VNRS_LPM_RANGES_MAX  13
#define VNRS_LPM_SKIP_MAX    7 // bytes
#define VNRS_LPM_CHUNK_SHIFT 16
#define VNRS_LPM_CHUNK_LINES (1u << VNRS_LPM_CHUNK_SHIFT)
#define VNRS_LPM_CHUNKS_MAX  512
#define VNRS_LPM_LEVELS4     4 // nodes that a walk passes at most: each takes a byte of the address
#define VNRS_LPM_LEVELS6     16

enum vnrs_lpm_kind { VNRS_LPM_LEAF, VNRS_LPM_FULL, VNRS_LPM_RANGES, VNRS_LPM_SKIP };

#define VNRS_LPM_INDEX_BITS     30
#define VNRS_LPM_VALUE_MAX      ((1u << VNRS_LPM_INDEX_BITS) - 1)
#define VNRS_LPM_ENTRY(kind, i) ((__u32)(kind) << VNRS_LPM_INDEX_BITS | (i))
#define VNRS_LPM_KIND(entry)    ((entry) >> VNRS_LPM_INDEX_BITS)
#define VNRS_LPM_INDEX(entry)   ((entry)&VNRS_LPM_VALUE_MAX)

struct vnrs_lpm_line {
    union {
        __u32 word[VNRS_LPM_WORDS]; // FULL: entries, 16 of the 256 in each line
        struct {
            __u64 ends;      // last bytes of the ranges 0..7, ascending; 0xff: and beyond
            __u32 more_ends; // 8..11
            __u32 entry[VNRS_LPM_RANGES_MAX];
        } ranges;
        struct {
            __u32 bits;  // 8 * (1..VNRS_LPM_SKIP_MAX)
            __u32 match; // entry where the address has these bits
            __u32 miss;  // leaf where it has not
            __u32 pad;
            __u64 key; // left aligned
            __u32 unused[10];
        } skip;
    };
} __attribute__((aligned(64)));

struct vnrs_lpm_root {
    __u32 entry;
    __u32 fallback; // leaf: value of the prefix of length 0
} __attribute__((aligned(8)));

struct vnrs_lpm_table { // map `tables`: ARRAY
    struct vnrs_lpm_root v4, v6;
};

// The range that `byte` is in: how many ranges end below it. Compares eight bytes at a time: bit 7 of each byte of
// `not_below` says whether the end is at or above `byte` (the lower seven bits by a subtraction that cannot borrow
// from the next byte, the top bits apart).
static inline __u32 vnrs_lpm_range(const struct vnrs_lpm_line *line, __u64 byte)
{
    const __u64 top = 0x8080808080808080, each = 0x0101010101010101;
    __u64 b = byte * each, low = b & ~top, not_b = ~b;
    __u64 x = line->ranges.ends, y = line->ranges.more_ends | 0xffffffff00000000;
    __u64 x_not_below = ((x & not_b) | ((x ^ not_b) & ((x | top) - low))) & top;
    __u64 y_not_below = ((y & not_b) | ((y ^ not_b) & ((y | top) - low))) & top;

    return 16 - (((x_not_below >> 7) + (y_not_below >> 7)) * each >> 56);
}

// How the lines are found: the packet path by a map lookup, user space by a pointer. NULL: there is no such line.
#ifdef __bpf__
#define VNRS_LPM_LINE(lines, index) lpm_line(index)
static const struct vnrs_lpm_line *lpm_line(__u32 index);
typedef struct {
} vnrs_lpm_lines;
#else
typedef struct vnrs_lpm_line *const *vnrs_lpm_lines; // chunks; all that an entry names are there
#define VNRS_LPM_LINE(lines, index) (&(lines)[(index) >> VNRS_LPM_CHUNK_SHIFT][(index) & (VNRS_LPM_CHUNK_LINES - 1)])
#endif

// The value of the longest prefix of the address, 0: none. `high` and `low` are the address, left aligned in host
// order: an IPv4 address is the upper half of `high`.
static inline __attribute__((always_inline)) __u32 vnrs_lpm_walk(vnrs_lpm_lines lines, struct vnrs_lpm_root root,
                                                                 __u64 high, __u64 low, int levels)
{
    __u32 entry = root.entry;

    (void)lines;
#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
    for (int level = 0; level < levels && VNRS_LPM_KIND(entry) != VNRS_LPM_LEAF; level++) {
        __u32 kind = VNRS_LPM_KIND(entry), index = VNRS_LPM_INDEX(entry), bits = 8;
        if (kind == VNRS_LPM_FULL)
            index += high >> 60;
        const struct vnrs_lpm_line *line = VNRS_LPM_LINE(lines, index);
        if (!line)
            return 0;
        if (kind == VNRS_LPM_FULL) {
            entry = line->word[high >> 56 & 15];
        } else if (kind == VNRS_LPM_RANGES) {
            entry = line->word[(vnrs_lpm_range(line, high >> 56) + 3) & 15];
        } else {
            bits = line->skip.bits & 63;
            if ((high ^ line->skip.key) >> (64 - bits))
                return line->skip.miss ? line->skip.miss : root.fallback;
            entry = line->skip.match;
        }
        high = high << bits | low >> (64 - bits);
        low <<= bits;
    }
    return entry ? entry : root.fallback;
}

#ifndef __bpf__
#include <assert.h>
static_assert(sizeof(struct vnrs_lpm_line) == 64, "one cache line");
static_assert(offsetof(struct vnrs_lpm_line, ranges.entry) == 3 * sizeof(__u32), "the walk adds 3");
static_assert(sizeof(struct vnrs_lpm_table) == 16, "layout of struct vnrs_lpm_table");
#endif
