// SPDX-License-Identifier: GPL-2.0-or-later
#include "native.h"

#include "../../bpf/forward.bpf.c" // NOLINT(bugprone-suspicious-include)

struct native_maps native;

long native_redirect(__u32 ifindex, __u64 flags)
{
    (void)ifindex;
    (void)flags;
    return TC_ACT_REDIRECT;
}

long native_nothing(const struct __sk_buff *skb, ...)
{
    (void)skb;
    return -1;
}

__u32 native_cpu(void)
{
    return 0;
}

static __always_inline void *at(void *array, size_t size, __u32 index, __u32 n)
{
    return index < n ? (char *)array + size * index : NULL;
}

static __always_inline void *native_lookup(const void *map, const void *key)
{
    __u32 index = *(const __u32 *)key;

    if (!__builtin_constant_p(map == &nics)) // no map of ours: one that was found in `lines`
        return (struct vnrs_lpm_line *)map + index;
#define MAP(name, type, n)                                                                                             \
    if (map == &name)                                                                                                  \
        return at(native.name, sizeof(type), index, n);
    MAP(nics, struct vnrs_bpf_nic_record, VNRS_NICS_MAX)
    MAP(tables, struct vnrs_lpm_table, VNRS_TABLES_MAX)
    MAP(groups, struct vnrs_bpf_group, VNRS_GROUPS_MAX)
    MAP(nexthops, struct vnrs_bpf_nexthop, VNRS_NEXTHOPS_MAX)
    MAP(flow_switch, struct vnrs_bpf_flow_switch, 1)
    MAP(cache, struct vnrs_bpf_cache, 1)
    MAP(nic_counters, struct vnrs_bpf_nic_counters, VNRS_NICS_MAX)
    MAP(drop_counters, struct vnrs_bpf_counter, DROP_COUNTERS_MAX)
#undef MAP
    if (map == &lines)
        return index < sizeof(native.chunks) / sizeof(*native.chunks) ? native.chunks[index] : NULL;
    return NULL; // lists, captures, impairments: nobody is in them
}

int native_forward(struct __sk_buff *skb)
{
    return forward(skb);
}
