// SPDX-License-Identifier: GPL-2.0-or-later
// The packet path as it is, but for the match: routes in the kernel's LPM_TRIE, addresses in a hash, as it was before
// vnrs/lpm.h. What dataplane_bench.c compares with.
#include "lib/cache.h"
#include "lib/lpm.h"

#include "dataplane_tables.h"

struct address_key {
    __u32 table, family;
    __u32 addr[4];
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, VNRS_ROUTES_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct bench_trie_key4);
    __type(value, __u32);
} trie4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, VNRS_ROUTES_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct bench_trie_key6);
    __type(value, __u32);
} trie6 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct address_key);
    __type(value, __u32);
} addresses SEC(".maps");

STAGE __u32 reference_find(__u32 table, __u32 family, const __u32 *addr)
{
    union { // one at a time: the stack is short
        struct bench_trie_key4 key4;
        struct bench_trie_key6 key6;
        struct address_key address;
    } key = {};
    __u32 *value;

    if (table >= VNRS_DOMAINS_MAX) {
        key.address.table = table;
        key.address.family = family;
        __builtin_memcpy(key.address.addr, addr, 16);
        value = bpf_map_lookup_elem(&addresses, &key.address);
    } else if (family == 4) {
        key.key4 = (struct bench_trie_key4){64, bpf_htonl(table), addr[0]};
        value = bpf_map_lookup_elem(&trie4, &key.key4);
    } else {
        key.key6.prefixlen = 160;
        key.key6.domain_be = bpf_htonl(table);
        __builtin_memcpy(key.key6.addr, addr, 16);
        value = bpf_map_lookup_elem(&trie6, &key.key6);
    }
    return value ? *value : 0;
}

#define lpm_find                    reference_find
#define cache_find(skb, frame, now) NULL
#include "../../bpf/forward.bpf.c" // NOLINT(bugprone-suspicious-include)
