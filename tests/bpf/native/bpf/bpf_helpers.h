// SPDX-License-Identifier: GPL-2.0-or-later
// Instead of libbpf's, where the packet path is built for user space (native.c). What a packet that is forwarded does
// not call does nothing.
#pragma once

#include <linux/bpf.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <stddef.h>

#define SEC(name)
#define __uint(name, val)  int(*name)[val]
#define __type(name, val)  __typeof__(val) *name
#define __array(name, val) __typeof__(val) *name[]
#undef __always_inline
#define __always_inline  inline __attribute__((always_inline))
#define barrier_var(var) __asm__ volatile("" : "+r"(var))

static __always_inline void *native_lookup(const void *map, const void *key);
#define bpf_map_lookup_elem native_lookup

long native_redirect(__u32 ifindex, __u64 flags);
#define bpf_redirect      native_redirect
#define bpf_redirect_peer native_redirect

__u32 native_cpu(void);
#define bpf_get_smp_processor_id native_cpu

// Never taken by the packets that are counted.
long native_nothing(const struct __sk_buff *skb, ...);
#define bpf_skb_change_type   native_nothing
#define bpf_skb_pull_data     native_nothing
#define bpf_skb_load_bytes    native_nothing
#define bpf_skb_store_bytes   native_nothing
#define bpf_skb_change_head   native_nothing
#define bpf_skb_change_tail   native_nothing
#define bpf_get_prandom_u32() ((__u32)native_nothing(NULL))
#define bpf_ktime_get_ns()    ((__u64)native_nothing(NULL))
#define bpf_csum_diff(from, from_size, to, to_size, sum)                                                               \
    ((__u32)native_nothing(NULL, from, from_size, to, to_size, sum))
#define bpf_ringbuf_query(ring, what)       ((__u64)native_nothing(NULL, ring, what))
#define bpf_ringbuf_reserve(ring, n, flags) ((void *)native_nothing(NULL, ring, n, flags))
#define bpf_ringbuf_discard(event, flags)   native_nothing(NULL, event, flags)
#define bpf_ringbuf_submit(event, flags)    native_nothing(NULL, event, flags)
