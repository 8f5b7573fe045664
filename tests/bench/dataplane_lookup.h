// SPDX-License-Identifier: GPL-2.0-or-later
// Lookups alone, in several structures that hold the same routes (dataplane_tables.h), for dataplane_bench.
#pragma once

#include "dataplane_common.h"

struct dataplane_bpf; // dataplane.skel.h
struct bpf_map;

// All structures of one size (an index of bench_route_counts), and our tables of that data plane.
struct dataplane_bpf *bench_open(const struct plane *plane, const struct route *routes4, const struct route *routes6,
                                 unsigned size);
// Addresses below these routes, of which `different` differ, into the map `keys` or `keys6`.
void bench_keys_load(const struct bpf_map *map, const struct route *routes, unsigned n, unsigned different, bool v6);
// Print Markdown: times and memory; sizes of the programs.
void bench_lookups(struct dataplane_bpf *const *benches, struct route *const *routes4, struct route *const *routes6);
void bench_sizes(const struct plane *plane, struct dataplane_bpf *bench);
