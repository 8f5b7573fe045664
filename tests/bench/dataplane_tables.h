// SPDX-License-Identifier: GPL-2.0-or-later
// Other structures for longest-prefix match, for dataplane_bench: the form in maps, read by dataplane.bpf.c, and their
// builders. Each is built from the same set of routes; values are those of our own tables.
//   plain   trie with a stride of 8, 256 entries in every node
//   DXR     ranges of addresses, found by binary search in the part that the first 16 bits name
//   poptrie trie with a stride of 6 behind a table of the first 16 bits; children found by counting bits
//   search  IPv6: ranges of addresses, found by binary search in all of them
#pragma once

#include <linux/types.h>

#define BENCH_KEYS   65536
#define BENCH_TABLE  1           // route domain
#define BENCH_SOURCE 0x0a000004  // 10.0.0.4
#define BENCH_NODE   0x80000000u // in an entry: index of a node, not a value

struct bench_key { // an address, left aligned in host order
    __u64 high, low;
};

struct bench_trie_key4 {
    __u32 prefixlen;
    __be32 domain_be, addr_be;
};

struct bench_trie_key6 {
    __u32 prefixlen;
    __be32 domain_be;
    __u8 addr[16];
};

struct bench_plain_node {
    __u32 entry[256];
};

struct bench_dxr_root {
    __u32 first, n;
};

struct bench_dxr_range {
    __u32 start, value; // of the lower 16 bits
};

struct bench_pop_node {
    __u64 below, leaves; // where the next stride is another node's; where a leaf differs from the one before
    __u32 first_below, first_leaf;
};

struct bench_search_range {
    __u64 high, low;
    __u32 value, pad;
};

#ifndef __bpf__
#include <stddef.h>
#include <stdint.h>

struct bench_set; // routes

struct bench_set *bench_set_new(void);
void bench_set_free(struct bench_set *set);
void bench_set_add(struct bench_set *set, uint64_t high, uint64_t low, unsigned len, uint32_t value);

struct bench_array { // elements of a map
    void *at;
    size_t n, size, cap;
};

void bench_array_free(struct bench_array *array);
void bench_plain_build(const struct bench_set *set, struct bench_array *ret_nodes);
void bench_dxr_build(const struct bench_set *set, struct bench_array *ret_root, struct bench_array *ret_ranges);
void bench_pop_build(const struct bench_set *set, struct bench_array *ret_root, struct bench_array *ret_nodes,
                     struct bench_array *ret_leaves);
void bench_search_build(const struct bench_set *set, struct bench_array *ret_ranges);
#endif
