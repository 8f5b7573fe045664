// SPDX-License-Identifier: GPL-2.0-or-later
// The packet path built for user space (the same source, compiled by the same compiler), with arrays where it has maps,
// so that its instructions can be counted.
#pragma once

#include <linux/bpf.h>

struct native_maps { // elements of each, in order
    void *nics, *tables, *groups, *nexthops, *flow_switch, *cache;
    void *nic_counters, *drop_counters;
    void *chunks[8]; // of `lines`
};
extern struct native_maps native __attribute__((visibility("hidden"))); // at a place that is known, as maps are

int native_forward(struct __sk_buff *skb); // returns TC_ACT_*
