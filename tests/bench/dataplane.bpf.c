// SPDX-License-Identifier: GPL-2.0-or-later
// What dataplane_bench.c measures beside the packet path itself: references, and lookups alone in several structures.
// A lookup program takes the next of KEYS addresses in each run; `lookup_nothing` is what all of that costs without.
#include "lib/checksum.h"
#include "lib/lpm.h"

#include "dataplane_tables.h"

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

__u32 redirect_to; // ifindex
__u64 sum;         // keeps results alive
__u64 at;
__u32 keys_mask = BENCH_KEYS - 1; // how many of the keys are used, less 1

struct keys {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BENCH_KEYS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct bench_key);
} keys SEC(".maps"), keys6 SEC(".maps"); // of lookups and IPv4 frames; of IPv6 frames

#define ARRAY(name_, type_)                                                                                            \
    struct {                                                                                                           \
        __uint(type, BPF_MAP_TYPE_ARRAY);                                                                              \
        __uint(max_entries, 1); /* set at load */                                                                      \
        __uint(map_flags, BPF_F_MMAPABLE);                                                                             \
        __type(key, __u32);                                                                                            \
        __type(value, type_);                                                                                          \
    } name_ SEC(".maps")

ARRAY(plain_nodes, struct bench_plain_node);
ARRAY(dxr_root, struct bench_dxr_root);
ARRAY(dxr_ranges, struct bench_dxr_range);
ARRAY(pop_root, __u64);
ARRAY(pop_nodes, struct bench_pop_node);
ARRAY(pop_leaves, __u64);
ARRAY(search_ranges, struct bench_search_range);

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

SEC("tc")
int empty(struct __sk_buff *skb)
{
    (void)skb;
    return TC_ACT_SHOT;
}

SEC("tc")
int bare_redirect(struct __sk_buff *skb)
{
    (void)skb;
    return bpf_redirect(redirect_to, 0);
}

SEC("tc")
int bare_redirect_peer(struct __sk_buff *skb)
{
    (void)skb;
    return bpf_redirect_peer(redirect_to, 0);
}

STAGE const struct bench_key *next_key_of(void *map)
{
    __u32 index = at++ & keys_mask;

    return bpf_map_lookup_elem(map, &index);
}

STAGE const struct bench_key *next_key(void)
{
    return next_key_of(&keys);
}

#define LOOKUP(name, expression)                                                                                       \
    SEC("tc")                                                                                                          \
    int name(struct __sk_buff *skb)                                                                                    \
    {                                                                                                                  \
        const struct bench_key *key = next_key();                                                                      \
        (void)skb;                                                                                                     \
        if (key)                                                                                                       \
            sum += (expression);                                                                                       \
        return TC_ACT_SHOT;                                                                                            \
    }

LOOKUP(lookup_nothing, key->high + key->low)
LOOKUP(lookup_ours4, (__u32)lpm_find4(BENCH_TABLE, bpf_htonl(key->high >> 32)))
LOOKUP(lookup_ours6, (__u32)lpm_find6(BENCH_TABLE, key->high, key->low))

STAGE __u32 trie_find4(const struct bench_key *key)
{
    struct bench_trie_key4 k = {64, bpf_htonl(BENCH_TABLE), bpf_htonl(key->high >> 32)};
    __u32 *value = bpf_map_lookup_elem(&trie4, &k);

    return value ? *value : 0;
}
LOOKUP(lookup_trie4, trie_find4(key))

STAGE __u32 trie_find6(const struct bench_key *key)
{
    struct bench_trie_key6 k = {160, bpf_htonl(BENCH_TABLE), {0}};
    __be64 high = bpf_cpu_to_be64(key->high), low = bpf_cpu_to_be64(key->low);
    __builtin_memcpy(k.addr, &high, 8);
    __builtin_memcpy(k.addr + 8, &low, 8);
    __u32 *value = bpf_map_lookup_elem(&trie6, &k);

    return value ? *value : 0;
}
LOOKUP(lookup_trie6, trie_find6(key))

STAGE __u32 plain_find(__u32 addr)
{
    __u32 entry = BENCH_NODE;

#pragma clang loop unroll(disable)
    for (int level = 0; level < 4 && entry & BENCH_NODE; level++) {
        __u32 index = entry & ~BENCH_NODE;
        const struct bench_plain_node *node = bpf_map_lookup_elem(&plain_nodes, &index);
        if (!node)
            return 0;
        entry = node->entry[addr >> 24 & 255];
        addr <<= 8;
    }
    return entry;
}
LOOKUP(lookup_plain4, plain_find(key->high >> 32))

STAGE __u32 dxr_find(__u32 addr)
{
    __u32 chunk = addr >> 16, at_range, value = 0;
    const struct bench_dxr_root *root = bpf_map_lookup_elem(&dxr_root, &chunk);

    if (!root)
        return 0;
    __u32 low = root->first, n = root->n;
    for (int i = 0; i < 17 && n > 1; i++) { // the last range that begins at or below the address
        __u32 half = n / 2;
        at_range = low + half;
        const struct bench_dxr_range *range = bpf_map_lookup_elem(&dxr_ranges, &at_range);
        if (!range)
            return 0;
        if (range->start <= (addr & 0xffff)) {
            low += half;
            n -= half;
        } else {
            n = half;
        }
    }
    const struct bench_dxr_range *range = bpf_map_lookup_elem(&dxr_ranges, &low);
    if (range)
        value = range->value;
    return value;
}
LOOKUP(lookup_dxr4, dxr_find(key->high >> 32))

STAGE __u32 popcount(__u64 x)
{
    x -= x >> 1 & 0x5555555555555555;
    x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return x * 0x0101010101010101 >> 56;
}

STAGE __u32 pop_find(__u64 addr) // left aligned
{
    __u32 chunk = addr >> 48, leaf, index;
    const __u64 *root = bpf_map_lookup_elem(&pop_root, &chunk);

    if (!root)
        return 0;
    if (!(*root & BENCH_NODE))
        return *root;
    index = *root & ~BENCH_NODE;
    addr <<= 16;
#pragma clang loop unroll(disable)
    for (int level = 0; level < 3; level++) {
        const struct bench_pop_node *node = bpf_map_lookup_elem(&pop_nodes, &index);
        if (!node)
            return 0;
        __u32 v = addr >> 58;
        __u64 upto = (2ull << v) - 1;
        if (!(node->below >> v & 1)) {
            leaf = node->first_leaf + popcount(node->leaves & upto) - 1;
            const __u64 *value = bpf_map_lookup_elem(&pop_leaves, &leaf);
            return value ? *value : 0;
        }
        index = node->first_below + popcount(node->below & upto) - 1;
        addr <<= 6;
    }
    return 0;
}
LOOKUP(lookup_pop4, pop_find(key->high))

STAGE __u32 search_find(__u64 high, __u64 low_half)
{
    __u32 zero = 0, low = 1, at_range;
    const struct bench_search_range *range = bpf_map_lookup_elem(&search_ranges, &zero);

    if (!range)
        return 0;
    __u32 n = range->value; // element 0 has the number of the others
    for (int i = 0; i < 24 && n > 1; i++) {
        __u32 half = n / 2;
        at_range = low + half;
        range = bpf_map_lookup_elem(&search_ranges, &at_range);
        if (!range)
            return 0;
        if (range->high < high || (range->high == high && range->low <= low_half)) {
            low += half;
            n -= half;
        } else {
            n = half;
        }
    }
    range = bpf_map_lookup_elem(&search_ranges, &low);
    return range ? range->value : 0;
}
LOOKUP(lookup_search6, search_find(key->high, key->low))

// --- real packets ---

__u64 delivered;

// At the guest end: count and drop.
SEC("tc")
int sink(struct __sk_buff *skb)
{
    (void)skb;
    delivered++;
    return TC_ACT_SHOT;
}

__u8 link_mac[6]; // of the link that the frames come in by

STAGE void ethernet_fill(struct ethhdr *eth, __u16 proto)
{
    __builtin_memcpy(eth->h_dest, link_mac, 6);
    __builtin_memset(eth->h_source, 2, 6);
    eth->h_proto = bpf_htons(proto);
}

// Makes a UDP frame to the next key from whatever the last run left.
SEC("xdp")
int generate(struct xdp_md *ctx)
{
    struct {
        struct ethhdr eth;
        struct iphdr ip;
        struct udphdr udp;
    } __attribute__((packed)) *frame = (void *)(long)ctx->data;
    const struct bench_key *key = next_key();
    __u32 csum = 0;

    if (!key || (void *)(frame + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
    ethernet_fill(&frame->eth, ETH_P_IP);
    __builtin_memset(&frame->ip, 0, sizeof(frame->ip));
    frame->ip.version = 4;
    frame->ip.ihl = 5;
    frame->ip.tot_len = bpf_htons((__u16)(ctx->data_end - ctx->data - sizeof(frame->eth)));
    frame->ip.ttl = 64;
    frame->ip.protocol = IPPROTO_UDP;
    frame->ip.saddr = bpf_htonl(BENCH_SOURCE);
    frame->ip.daddr = bpf_htonl(key->high >> 32);
    const __u16 *word = (void *)&frame->ip;
    for (int i = 0; i < 10; i++)
        csum += word[i];
    frame->ip.check = checksum_fold(csum);
    frame->udp.source = frame->udp.dest = bpf_htons(9);
    return XDP_PASS;
}

// Likewise for IPv6, from fd00::4.
SEC("xdp")
int generate6(struct xdp_md *ctx)
{
    struct {
        struct ethhdr eth;
        struct ipv6hdr ip;
        struct udphdr udp;
    } __attribute__((packed)) *frame = (void *)(long)ctx->data;
    const struct bench_key *key = next_key_of(&keys6);

    if (!key || (void *)(frame + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
    __be64 to[2] = {bpf_cpu_to_be64(key->high), bpf_cpu_to_be64(key->low)};
    ethernet_fill(&frame->eth, ETH_P_IPV6);
    __builtin_memset(&frame->ip, 0, sizeof(frame->ip));
    frame->ip.version = 6;
    frame->ip.payload_len = bpf_htons((__u16)(ctx->data_end - ctx->data - sizeof(frame->eth) - sizeof(frame->ip)));
    frame->ip.hop_limit = 64;
    frame->ip.nexthdr = IPPROTO_UDP;
    frame->ip.saddr.in6_u.u6_addr8[0] = 0xfd;
    frame->ip.saddr.in6_u.u6_addr8[15] = 4;
    __builtin_memcpy(&frame->ip.daddr, to, sizeof(to));
    frame->udp.source = frame->udp.dest = bpf_htons(9);
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
