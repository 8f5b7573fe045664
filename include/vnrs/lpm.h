// SPDX-License-Identifier: GPL-2.0-or-later
// Longest-prefix match: the form in memory, and the one piece of code that reads it, for the packet path (map `lines`)
// and for user space alike. daemon/fib/lpm_*.h build it.
//
// Lines of 128 bytes hold the nodes of tries with a stride of 8 bits:
//   FULL    8 lines: an entry for each value of the next byte
//   RANGES  1 line: up to 16 ranges of the next 32 bits, by the last value of each but the last range. Either all that
//           is below in one node, or the next byte where few of its values differ
//   SKIP    1 line: bits that all prefixes below have in common, or a single prefix
// An entry is the index of a node's first line with its kind in the top two bits, or a leaf: a value, 0: no route.
// Values of shorter prefixes are pushed down into the leaves, so that the walk never turns back; only the prefix of
// length 0 is kept beside the root, since tables that differ in it alone shall share everything else.
//
// Nodes never change once a root leads to them: a change makes new nodes and then stores the root, 8 bytes at once.
// A walk therefore sees one state of the table, whatever happens meanwhile.
#pragma once

#include <linux/types.h>
#include <stddef.h>

#define VNRS_LPM_WORDS       32
#define VNRS_LPM_FULL_LINES  8
#define VNRS_LPM_RANGES_MAX  16
#define VNRS_LPM_RANGES_BITS 32 // that a RANGES node looks at
#define VNRS_LPM_SKIP_MAX    15 // bytes, before a node
#define VNRS_LPM_CHUNK_SHIFT 15
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
        __u32 word[VNRS_LPM_WORDS]; // FULL: entries, 32 of the 256 in each line
        struct {
            __u32 end[VNRS_LPM_RANGES_MAX - 1]; // ascending; those past the last range are 0xffffffff
            __u32 bits;                         // that nodes below come after: 8 or VNRS_LPM_RANGES_BITS
            __u32 entry[VNRS_LPM_RANGES_MAX];
        } ranges;
        struct {
            __u32 bits;  // 8 * (1..VNRS_LPM_SKIP_MAX) before a node, any number before a leaf
            __u32 match; // entry where the address has these bits
            __u32 miss;  // leaf where it has not
            __u32 pad;
            __u64 key[2], mask[2]; // left aligned
            __u32 unused[20];
        } skip;
    };
} __attribute__((aligned(128)));

struct vnrs_lpm_root {
    __u32 entry;
    __u32 fallback; // leaf: value of the prefix of length 0
} __attribute__((aligned(8)));

struct vnrs_lpm_table { // map `tables`: ARRAY
    struct vnrs_lpm_root v4, v6;
};

#ifdef __bpf__
#define VNRS_LPM_OPAQUE(variable) __asm__ volatile("" : "+r"(variable))
#define VNRS_LPM_TOUCH(memory)    (void)*(const volatile __u32 *)&(memory)
#else
#define VNRS_LPM_OPAQUE(variable)
#define VNRS_LPM_TOUCH(memory) __builtin_prefetch(&(memory))
#endif

// The range that the 32 bits are in: how many ranges end below it. One comparison halves the work. All is arithmetic,
// since a guess that is wrong costs more than the whole of it: a difference that is negative has bit 63 set. In the
// packet path the compiler is kept from making branches of that; and since no guess leads to the entries any more,
// which are in the other cache line, that one is asked for first.
static inline __attribute__((always_inline)) __u32 vnrs_lpm_range(const struct vnrs_lpm_line *line, __u32 bits)
{
    __u64 window = bits, n[3] = {0}; // three, so that sums need not wait for each other
    __u64 middle = line->ranges.end[VNRS_LPM_RANGES_MAX / 2 - 1] - window;

    VNRS_LPM_TOUCH(line->ranges.entry[0]);
    VNRS_LPM_OPAQUE(middle);
    __u32 half = (__u32)(middle >> 63) * (VNRS_LPM_RANGES_MAX / 2);
#pragma GCC unroll 7
    for (int i = 0; i < VNRS_LPM_RANGES_MAX / 2 - 1; i++) {
        __u64 difference = line->ranges.end[half + i] - window;
        VNRS_LPM_OPAQUE(difference);
        n[i % 3] += difference >> 63;
    }
    // A sum, not the OR that it could be, of which kernel 6.1's verifier knows no bounds.
    VNRS_LPM_OPAQUE(half);
    return (half + (__u32)(n[0] + n[1] + n[2])) & (VNRS_LPM_RANGES_MAX - 1);
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

// The value of the longest prefix of the IPv4 address, in host order; 0: none.
static inline __attribute__((always_inline)) __u32 vnrs_lpm_walk4(vnrs_lpm_lines lines, struct vnrs_lpm_root root,
                                                                  __u32 addr)
{
    __u32 entry = root.entry;

    (void)lines;
#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
    for (int level = 0; level < VNRS_LPM_LEVELS4 && VNRS_LPM_KIND(entry) != VNRS_LPM_LEAF; level++) {
        __u32 kind = VNRS_LPM_KIND(entry), index = VNRS_LPM_INDEX(entry);
        const struct vnrs_lpm_line *line;
        if (kind == VNRS_LPM_FULL) {
            line = VNRS_LPM_LINE(lines, index + (addr >> 29));
            if (!line)
                return 0;
            entry = line->word[addr >> 24 & (VNRS_LPM_WORDS - 1)];
            addr <<= 8;
            continue;
        }
        line = VNRS_LPM_LINE(lines, index);
        if (!line)
            return 0;
        if (kind == VNRS_LPM_RANGES) {
            entry = line->ranges.entry[vnrs_lpm_range(line, addr)];
            if (line->ranges.bits == VNRS_LPM_RANGES_BITS)
                break; // nothing is left
            addr <<= 8;
        } else {
            if ((addr ^ (__u32)(line->skip.key[0] >> 32)) & (__u32)(line->skip.mask[0] >> 32))
                return line->skip.miss ? line->skip.miss : root.fallback;
            entry = line->skip.match;
            addr = (__u32)((__u64)addr << (line->skip.bits & 63));
        }
    }
    return entry ? entry : root.fallback;
}

// Likewise of an IPv6 address, left aligned in host order. The address stays as it is and `at` moves over it: a
// verifier then has few states to look at, whatever the kinds on the way.
static inline __attribute__((always_inline)) __u32 vnrs_lpm_walk6(vnrs_lpm_lines lines, struct vnrs_lpm_root root,
                                                                  __u64 high, __u64 low)
{
    __u32 entry = root.entry, at = 0;

    (void)lines;
#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
    for (int level = 0; level < VNRS_LPM_LEVELS6 && VNRS_LPM_KIND(entry) != VNRS_LPM_LEAF; level++) {
        __u32 kind = VNRS_LPM_KIND(entry), index = VNRS_LPM_INDEX(entry);
        __u64 first = at & 64 ? low : high, second = at & 64 ? 0 : low;
        __u64 window = first << (at & 63) | second >> 1 >> (63 - (at & 63)); // the next 64 bits
        __u64 next = second << (at & 63);                                    // and those after them
        if (kind == VNRS_LPM_FULL)
            index += window >> 61;
        const struct vnrs_lpm_line *line = VNRS_LPM_LINE(lines, index);
        if (!line)
            return 0;
        if (kind == VNRS_LPM_FULL) {
            entry = line->word[window >> 56 & (VNRS_LPM_WORDS - 1)];
            at += 8;
        } else if (kind == VNRS_LPM_RANGES) {
            entry = line->ranges.entry[vnrs_lpm_range(line, (__u32)(window >> 32))];
            at += line->ranges.bits;
        } else {
            if (((window ^ line->skip.key[0]) & line->skip.mask[0]) | ((next ^ line->skip.key[1]) & line->skip.mask[1]))
                return line->skip.miss ? line->skip.miss : root.fallback;
            entry = line->skip.match;
            at += line->skip.bits;
        }
        at &= 127;
    }
    return entry ? entry : root.fallback;
}

#ifndef __bpf__
#include <assert.h>
static_assert(sizeof(struct vnrs_lpm_line) == 128, "two cache lines, fetched together");
static_assert(sizeof(struct vnrs_lpm_table) == 16, "layout of struct vnrs_lpm_table");
#endif
