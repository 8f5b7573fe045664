// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts of dataplane_bench share: timing of programs in turns, random routes, and data planes that hold them.
#pragma once

#include "dataplane_tables.h"
#include "fib/bpf_lpm.h"
#include "fixture.h"

#define BENCH_ROUNDS_MAX 64
#define BENCH_SIZES      3

extern const unsigned bench_route_counts[BENCH_SIZES];
extern unsigned bench_rounds;

void bench_check(int err, const char *what); // a negative errno ends the program
double bench_cpu_ns(void);                   // of this thread
uint64_t bench_random64(void);               // the same in every run
int bench_cmp_double(const void *a, const void *b);

// A program and a frame for it; times of a run, ascending after bench_run_all().
struct series {
    const char *name;
    int program;
    unsigned ifindex;
    struct frame frame;
    double ns[BENCH_ROUNDS_MAX];
};

void bench_run_all(struct series *series, size_t n); // in turns, `bench_rounds` times
void bench_print_series(const struct series *series, double base);

struct route {
    uint64_t high, low;
    uint8_t len;
};

struct route *bench_make_routes(bool v6, unsigned n); // free()
struct vnrs_prefix bench_prefix_of(const struct route *route, bool v6);
// BENCH_KEYS addresses below random routes, of which `different` differ.
void bench_make_keys(struct bench_key *keys, const struct route *routes, unsigned n, unsigned different, bool v6);

struct plane { // a data plane with the fixture's routes and others
    struct vnrs_bpf_dataplane *dp;
    struct vnrs_sink *sink;
};

void bench_plane_open(struct plane *plane);
void bench_plane_close(struct plane *plane);
void bench_plane_route(struct plane *plane, uint32_t domain, const struct route *route, bool v6, uint32_t handle);
void bench_plane_flush(struct plane *plane);
void bench_plane_fill(struct plane *plane, const struct route *routes, unsigned n, bool v6);
// A view of the tables as they are published.
struct vnrs_bpf_lpm *bench_reader_open(const struct plane *plane);
size_t bench_usage_bytes(const struct plane *plane); // of all lines
uint32_t bench_value_of(const struct vnrs_bpf_lpm *reader, const char *text);

// Kernel LPM_TRIEs with what bench_plane_fill() puts into tables; -1: without this family.
void bench_trie_put(int fd4, int fd6, const struct vnrs_prefix *prefix, uint32_t value);
void bench_trie_fill(int fd4, int fd6, const struct plane *plane, const struct route *routes, unsigned n, bool v6);
