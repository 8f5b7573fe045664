// SPDX-License-Identifier: GPL-2.0-or-later
// The eBPF data plane of one lab: its maps and its program (bpf/forward.bpf.c), loaded, pinned below one directory and
// adopted from there by the next process, and the program's place at the ingress of fabric links. What is pinned or
// attached goes on forwarding when the process dies. Contents of the maps: bpf_sink.h. Counters and events:
// bpf_counters.h.
//
// One process at a time may use a pin directory; the caller sees to that.
#pragma once

#include "util/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct vnrs_bpf_dataplane;

enum vnrs_bpf_map {
    VNRS_BPF_MAP_NICS,
    VNRS_BPF_MAP_TABLES,
    VNRS_BPF_MAP_LINES,
    VNRS_BPF_MAP_GROUPS,
    VNRS_BPF_MAP_NEXTHOPS,
    VNRS_BPF_MAP_ACCESS,
    VNRS_BPF_MAP_CACHE,
    VNRS_BPF_MAP_NIC_COUNTERS,
    VNRS_BPF_MAP_DROP_COUNTERS,
    VNRS_BPF_MAP_FLOW_SWITCH,
    VNRS_BPF_MAP_FLOW_EVENTS,
    VNRS_BPF_MAP_CAPTURES,
    VNRS_BPF_MAP_IMPAIRMENTS,
    _VNRS_BPF_MAP_MAX
};

enum vnrs_bpf_attach {
    VNRS_BPF_ATTACH_FILTER, // a filter of the ingress qdisc: any kernel, tens of microseconds, lives with the link
    VNRS_BPF_ATTACH_TCX,    // a pinned link: kernel 6.6, about 12 ms, ordered with other users of the hook
};

// Load, or adopt what `pin_dir` (below /sys/fs/bpf, made if missing; NULL: pin nothing) holds: maps of the same
// definition keep their contents, others are replaced; the pinned program is kept if it is the same. Mounts /sys/fs/bpf
// if nothing is there. Returns 0 or a negative errno; *ret_error is then a sentence for a human, valid until the next
// call.
int vnrs_bpf_dataplane_open(const char *pin_dir, const char **ret_error,
                            struct vnrs_bpf_dataplane **ret_dp) VNRS_MUST_CHECK;
// Make the pins that somebody removed once more. 1: one was missing, 0: none, or a negative errno.
int vnrs_bpf_dataplane_repin(struct vnrs_bpf_dataplane *dp) VNRS_MUST_CHECK;
// Forget; maps, program and attachments stay where they are pinned or attached. NULL is allowed. Returns NULL.
struct vnrs_bpf_dataplane *vnrs_bpf_dataplane_close(struct vnrs_bpf_dataplane *dp);
// Remove everything pinned below `pin_dir`, and the directory. No such directory is success. Filters stay with their
// links.
int vnrs_bpf_dataplane_destroy(const char *pin_dir) VNRS_MUST_CHECK;

// Put the program at the ingress of a link of the CURRENT network namespace: the caller has entered the fabric's.
// Nothing is done where it runs already; another version, or the other way of attaching, is replaced without a gap.
// Returns 0, -ENODEV, -EOPNOTSUPP (TCX on a kernel without), or another negative errno.
int vnrs_bpf_dataplane_attach(struct vnrs_bpf_dataplane *dp, unsigned ifindex,
                              enum vnrs_bpf_attach how) VNRS_MUST_CHECK;
// Where opening found another program than the one that was pinned: put this one on all of these links (as a filter) at
// once. All are tried; returns 0 or the first negative errno. Nothing is done where the pinned program was kept.
int vnrs_bpf_dataplane_replace(struct vnrs_bpf_dataplane *dp, const uint32_t *ifindexes, size_t n) VNRS_MUST_CHECK;
// Both ways. Success also where nothing was attached or the link is gone.
int vnrs_bpf_dataplane_detach(struct vnrs_bpf_dataplane *dp, unsigned ifindex) VNRS_MUST_CHECK;
bool vnrs_bpf_dataplane_has_tcx(struct vnrs_bpf_dataplane *dp);

// For `doctor`: can the data plane be loaded here? Writes one sentence either way; returns 0 or a negative errno.
int vnrs_bpf_dataplane_probe(char *text, size_t size);

// Borrowed descriptors.
int vnrs_bpf_dataplane_map(const struct vnrs_bpf_dataplane *dp, enum vnrs_bpf_map map);
uint32_t vnrs_bpf_dataplane_program_id(const struct vnrs_bpf_dataplane *dp);
int vnrs_bpf_dataplane_program(const struct vnrs_bpf_dataplane *dp);
