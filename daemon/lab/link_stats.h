// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel counted on the links of a namespace.
#pragma once

#include "lab/rtnl.h"
#include "util/macros.h"

struct vnrs_link_stats {
    uint32_t ifindex;
    const char *name;                                    // valid during the call; "": unknown
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes; // with Ethernet headers; what is not segmented yet is one
};

// Calls `fn` for each link of the namespace of `nl`, which `fn` must not use; for one of them twice where links come
// and go meanwhile. Returns 0 or a negative errno.
int vnrs_link_stats_walk(struct vnrs_rtnl *nl, void (*fn)(const struct vnrs_link_stats *stats, void *arg),
                         void *arg) VNRS_MUST_CHECK;
