// SPDX-License-Identifier: GPL-2.0-or-later
// Routes of all route domains in BPF maps. The user-space half of bpf/lib/lpm.h: nobody else knows how routes are
// stored (now: one kernel LPM_TRIE per family), so that another structure can take its place.
#pragma once

#include "net/addr.h"
#include "vnrs/bpf_abi.h"

struct vnrs_bpf_lpm {
    int fd4, fd6; // borrowed
};

// Add or replace. Returns 0, -ENOSPC when the table is full, or another negative errno.
int vnrs_bpf_lpm_put(const struct vnrs_bpf_lpm *lpm, uint32_t domain, const struct vnrs_prefix *prefix,
                     const struct vnrs_bpf_route *route) VNRS_MUST_CHECK;
// 0 also when there is no such route.
int vnrs_bpf_lpm_remove(const struct vnrs_bpf_lpm *lpm, uint32_t domain,
                        const struct vnrs_prefix *prefix) VNRS_MUST_CHECK;

typedef int (*vnrs_bpf_lpm_fn)(uint32_t domain, const struct vnrs_prefix *prefix, const struct vnrs_bpf_route *route,
                               void *arg);
// Every route, in no particular order. Returns 0, a negative errno, or what `fn` returned to end the walk.
int vnrs_bpf_lpm_walk(const struct vnrs_bpf_lpm *lpm, vnrs_bpf_lpm_fn fn, void *arg) VNRS_MUST_CHECK;
