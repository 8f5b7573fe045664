// SPDX-License-Identifier: GPL-2.0-or-later
// The fabric forwarded by the kernel's own FIB (`dataplane: kernel`). Works in the fabric namespace of one lab, which
// is ours alone: tables 10000 + domain, rules `iif <fabric link>` to them, next-hop objects, permanent neighbours, all
// with protocol VNRS_RTPROT; and, if the caller gives a way to run nft, tables `inet vnrs` and `arp vnrs` with the
// source, destination and service checks. See kernel_tables.h for how a packet finds its way.
//
// Differences to the BPF program, which a kernel FIB cannot avoid: TTL is decremented, no ICMP errors come from the
// fabric (it has no addresses), next hop types are not accounted, nor packets that are too big.
//
// The caller: opens the rtnetlink socket inside the fabric namespace, sets lo and the fabric ends up, gives the fabric
// ends VNRS_FABRIC_MAC, makes the link that kernel_drops.h names, and writes the sysctls below. The set calls only
// remember; flush and sync_end write.
#pragma once

#include "fib/sink.h"

#define VNRS_KERNEL_NFT_TABLE "vnrs" // of families inet and arp

struct vnrs_sysctl {
    const char *path; // below /proc/sys; for a link it holds one %s: the link's name
    const char *value;
};

// Takes `netlink_fd` (also on failure): NETLINK_ROUTE, not connected to any group.
int vnrs_kernel_sink_new(int netlink_fd, struct vnrs_sink **ret_sink) VNRS_MUST_CHECK;

// Runs `nft -f -` with `script` on its input inside the fabric namespace. Returns 0 or a negative errno; on success
// *ret_out is what nft printed (malloc, never NULL). `error` gets what nft complained about.
typedef int (*vnrs_kernel_nft_fn)(void *arg, const char *script, char **ret_out, char *error, size_t error_size);

// What the fabric counted since it was made; an ifindex that another NIC got begins all pairs of NICs again. Returns 0,
// -ENOENT (nothing is counted yet) or what nft returned.
struct vnrs_kernel_counting;
int vnrs_kernel_sink_counters(struct vnrs_sink *sink, const struct vnrs_kernel_counting *counting) VNRS_MUST_CHECK;

// Without it, source, destination and service access are not checked. Call before the first sync.
void vnrs_kernel_sink_nft_set(struct vnrs_sink *sink, vnrs_kernel_nft_fn fn, void *arg);

// What the fabric namespace, and every fabric end in it, needs. Static arrays.
const struct vnrs_sysctl *vnrs_kernel_sink_sysctls(size_t *ret_n);
const struct vnrs_sysctl *vnrs_kernel_sink_link_sysctls(size_t *ret_n);
// Do without next-hop objects even where the kernel has them. Call before the first sync; for tests.
void vnrs_kernel_sink_legacy_set(struct vnrs_sink *sink, bool legacy);
