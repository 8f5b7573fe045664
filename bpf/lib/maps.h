// SPDX-License-Identifier: GPL-2.0-or-later
// The maps of one lab; keys and values are in vnrs/bpf_abi.h. daemon/fib/bpf_dataplane.c pins them by name and compares
// pinned ones with these definitions, so a change here needs no change of VNRS_BPF_LAYOUT unless a value's meaning
// changes.
#pragma once

#include "vnrs/bpf_abi.h"
#include "vnrs/lpm.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

// Room to append without a new map; vnrs_bpf_counters_drop() reads only the known ones.
#define DROP_COUNTERS_MAX 64
#define FLOW_EVENTS_BYTES (2 * 1024 * 1024)
#define FLOW_EVENT_ROOM   (sizeof(struct vnrs_bpf_flow_event) + BPF_RINGBUF_HDR_SZ)

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VNRS_NICS_MAX);
    __type(key, __u32);
    __type(value, struct vnrs_bpf_nic_record);
} nics SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VNRS_TABLES_MAX);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct vnrs_lpm_table);
} tables SEC(".maps");

struct lines_chunk {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VNRS_LPM_CHUNK_LINES);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(key_size, sizeof(__u32)); // the types of an inner map do not get into the object
    __uint(value_size, sizeof(struct vnrs_lpm_line));
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, VNRS_LPM_CHUNKS_MAX);
    __uint(key_size, sizeof(__u32));
    __array(values, struct lines_chunk);
} lines SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VNRS_GROUPS_MAX);
    __type(key, __u32);
    __type(value, struct vnrs_bpf_group);
} groups SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VNRS_NEXTHOPS_MAX);
    __type(key, __u32);
    __type(value, struct vnrs_bpf_nexthop);
} nexthops SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); // CPUs: set at load
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct vnrs_bpf_cache);
} cache SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, VNRS_ACLS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct vnrs_bpf_acl_key);
    __type(value, __u32);
} access SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, VNRS_NICS_MAX);
    __type(key, __u32);
    __type(value, struct vnrs_bpf_nic_counters);
} nic_counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, DROP_COUNTERS_MAX);
    __type(key, __u32);
    __type(value, struct vnrs_bpf_counter);
} drop_counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct vnrs_bpf_flow_switch);
} flow_switch SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, FLOW_EVENTS_BYTES);
} flow_events SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VNRS_NICS_MAX);
    __type(key, __u32);
    __type(value, __u32);
} captures SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VNRS_NICS_MAX);
    __type(key, __u32);
    __type(value, struct vnrs_bpf_impair);
} impairments SEC(".maps");

// What every packet has to ask for, in one place.
static __always_inline struct vnrs_bpf_flow_switch *switch_now(void)
{
    __u32 index = 0;

    return bpf_map_lookup_elem(&flow_switch, &index);
}
