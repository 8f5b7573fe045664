// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane_lookup.h"

#include "dataplane_goals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "dataplane.skel.h"

static const struct spec any_packet = {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18};

struct structure {
    const char *name, *program;
    bool v6;
    size_t bytes[BENCH_SIZES];
};

static struct structure structures[] = {
    {"LPM_TRIE", "lookup_trie4", false, {0}},
    {"plain trie, stride 8", "lookup_plain4", false, {0}},
    {"DXR, 16 bits + search", "lookup_dxr4", false, {0}},
    {"poptrie, 16 bits + stride 6", "lookup_pop4", false, {0}},
    {"vnrs", "lookup_ours4", false, {0}},
    {"LPM_TRIE, IPv6", "lookup_trie6", true, {0}},
    {"search in ranges, IPv6", "lookup_search6", true, {0}},
    {"vnrs, IPv6", "lookup_ours6", true, {0}},
};

static void array_size(struct dataplane_bpf *bench, const char *map, const struct bench_array *array)
{
    bench_check(bpf_map__set_max_entries(bpf_object__find_map_by_name(bench->obj, map), (uint32_t)array->n), map);
}

static void array_load(struct dataplane_bpf *bench, const char *map, struct bench_array *array)
{
    int fd = bpf_map__fd(bpf_object__find_map_by_name(bench->obj, map));
    size_t stride = (array->size + 7) / 8 * 8, bytes = stride * array->n;
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    bench_check(at == MAP_FAILED ? -errno : 0, map);
    memcpy(at, array->at, bytes);
    (void)munmap(at, bytes);
    bench_array_free(array);
}

static void set_fill(struct bench_set *set, const struct route *routes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        bench_set_add(set, routes[i].high, routes[i].low, routes[i].len, 1 + i % 2);
}

// All structures of one size, and our tables of that data plane.
struct dataplane_bpf *bench_open(const struct plane *plane, const struct route *routes4, const struct route *routes6,
                                 unsigned size)
{
    static const char *const arrays[] = {"plain_nodes", "dxr_root",   "dxr_ranges",   "pop_root",
                                         "pop_nodes",   "pop_leaves", "search_ranges"};
    struct bench_array built[ARRAY_SIZE(arrays)];
    struct dataplane_bpf *bench = dataplane_bpf__open();
    unsigned n = bench_route_counts[size],
             n6 = MIN(n, bench_route_counts[1]); // the builders for IPv6 take too much memory beyond

    bench_check(bench ? 0 : -errno, "open the bench programs");
    struct bench_set *set4 = bench_set_new(), *set6 = bench_set_new();
    set_fill(set4, routes4, n);
    set_fill(set6, routes6, n6);
    bench_plain_build(set4, &built[0]);
    bench_dxr_build(set4, &built[1], &built[2]);
    bench_pop_build(set4, &built[3], &built[4], &built[5]);
    bench_search_build(set6, &built[6]);
    structures[1].bytes[size] = built[0].n * built[0].size;
    structures[2].bytes[size] = built[1].n * built[1].size + built[2].n * built[2].size;
    structures[3].bytes[size] = 8 * built[3].n + built[4].n * built[4].size + 8 * built[5].n;
    structures[6].bytes[size] = built[6].n * built[6].size;
    bench_set_free(set4);
    bench_set_free(set6);
    for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
        array_size(bench, arrays[i], &built[i]);
    bench_check(bpf_map__reuse_fd(bench->maps.tables, vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_TABLES)), "share");
    bench_check(bpf_map__reuse_fd(bench->maps.lines, vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_LINES)), "share");
    bench_check(dataplane_bpf__load(bench), "load the bench programs");
    for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
        array_load(bench, arrays[i], &built[i]);
    bench_trie_fill(bpf_map__fd(bench->maps.trie4), -1, plane, routes4, n, false);
    bench_trie_fill(-1, bpf_map__fd(bench->maps.trie6), plane, routes6, n, true);
    return bench;
}

void bench_keys_load(const struct bpf_map *map, const struct route *routes, unsigned n, unsigned different, bool v6)
{
    size_t bytes = BENCH_KEYS * sizeof(struct bench_key);
    struct bench_key *keys = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

    bench_check(keys == MAP_FAILED ? -errno : 0, "keys");
    bench_make_keys(keys, routes, n, different, v6);
    (void)munmap(keys, bytes);
}

static uint64_t lookup_sum(struct dataplane_bpf *bench, int program)
{
    struct frame frame;
    LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = BENCH_KEYS);

    frame_build(&any_packet, &frame);
    opts.data_in = frame.bytes;
    opts.data_size_in = (uint32_t)frame.len;
    bench->bss->sum = bench->bss->at = 0;
    bench_check(bpf_prog_test_run_opts(program, &opts), "sum");
    return bench->bss->sum;
}

static int program_named(struct dataplane_bpf *bench, const char *name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(bench->obj, name));
}

// Wrong answers fast are no answers: structures of a kind must agree over all keys. Values of LPM_TRIE are ours, of
// the others which of two kinds of route it is, so those compare among themselves.
static void assert_agreement(struct dataplane_bpf *bench, bool v6)
{
    uint64_t ours = lookup_sum(bench, program_named(bench, v6 ? "lookup_ours6" : "lookup_ours4"));

    if (ours != lookup_sum(bench, program_named(bench, v6 ? "lookup_trie6" : "lookup_trie4")))
        bench_check(-EBADMSG, "our match and LPM_TRIE");
    goal_measured(GOAL_Q1, 0);
    if (v6)
        return;
    uint64_t plain = lookup_sum(bench, program_named(bench, "lookup_plain4"));
    if (plain != lookup_sum(bench, program_named(bench, "lookup_dxr4")) ||
        plain != lookup_sum(bench, program_named(bench, "lookup_pop4")))
        bench_check(-EBADMSG, "plain trie, DXR and poptrie");
}

static void measured(const char *name, unsigned size, unsigned different, double ns)
{
    if (strcmp(name, "vnrs") == 0 && different == BENCH_KEYS)
        goal_measured(GOAL_P10_1K + size, ns);
}

static void bench_lookups_with(struct dataplane_bpf *const *benches, struct route *const *routes4,
                               struct route *const *routes6, unsigned different)
{
    enum { N = ARRAY_SIZE(structures) };
    static struct series series[2][N * BENCH_SIZES + 2 * BENCH_SIZES];

    for (int v6 = 0; v6 < 2; v6++) {
        size_t n = 0;
        for (unsigned size = 0; size < BENCH_SIZES; size++) {
            bench_keys_load(benches[size]->maps.keys, v6 ? routes6[size] : routes4[size], bench_route_counts[size],
                            different, v6);
            assert_agreement(benches[size], v6);
            series[v6][n++] =
                (struct series){.name = "nothing", .program = program_named(benches[size], "lookup_nothing")};
            for (size_t s = 0; s < N; s++) {
                if (structures[s].v6 == v6)
                    series[v6][n++] = (struct series){.name = structures[s].name,
                                                      .program = program_named(benches[size], structures[s].program)};
            }
        }
        for (size_t i = 0; i < n; i++)
            frame_build(&any_packet, &series[v6][i].frame);
        bench_run_all(series[v6], n);
        size_t per_size = n / BENCH_SIZES;
        for (size_t i = 1; i < per_size; i++) {
            printf("| %s |", series[v6][i].name);
            for (unsigned size = 0; size < BENCH_SIZES; size++) {
                const struct series *one = &series[v6][size * per_size + i], *base = &series[v6][size * per_size];
                measured(one->name, size, different, one->ns[0] - base->ns[0]);
                printf(" %.1f (%.1f) |", one->ns[0] - base->ns[0],
                       one->ns[bench_rounds / 2] - base->ns[bench_rounds / 2]);
            }
            printf("\n");
        }
    }
}

void bench_lookups(struct dataplane_bpf *const *benches, struct route *const *routes4, struct route *const *routes6)
{
    static const unsigned different[] = {BENCH_KEYS, 1024};

    for (size_t d = 0; d < ARRAY_SIZE(different); d++) {
        printf("### One lookup, ns: minimum (median), %u addresses in turn\n\n", different[d]);
        printf("| structure | 1,000 routes | 100,000 | 1,000,000 |\n|---|---|---|---|\n");
        bench_lookups_with(benches, routes4, routes6, different[d]);
        printf("\n");
    }
    printf("Search in ranges has 100,000 routes in the last column too.\n\n");
    printf("### Memory of one table, bytes per IPv4 route\n\n");
    printf("| structure | 1,000 routes | 100,000 | 1,000,000 |\n|---|---|---|---|\n");
    for (size_t s = 1; s < 4; s++) {
        printf("| %s |", structures[s].name);
        for (unsigned size = 0; size < BENCH_SIZES; size++)
            printf(" %.0f |", (double)structures[s].bytes[size] / bench_route_counts[size]);
        printf("\n");
    }
    printf("| vnrs | | see below | |\n\n");
}

static struct bpf_prog_info print_program(const char *name, int fd)
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof(info);

    bench_check(bpf_obj_get_info_by_fd(fd, &info, &len), name);
    printf("| %s | %u | %u | %u |\n", name, info.xlated_prog_len / 8, info.jited_prog_len, info.verified_insns);
    return info;
}

// What a packet that was decided before passes: the program itself, without the functions that it calls for others.
static void print_fast_path(int fd)
{
    enum { FUNCTIONS = 64 };
    struct bpf_func_info functions[FUNCTIONS] = {0};
    uint32_t bytes[FUNCTIONS] = {0}, instructions = 0, code = 0;
    struct bpf_prog_info info = {
        .nr_func_info = FUNCTIONS,
        .func_info = (uint64_t)(uintptr_t)functions,
        .func_info_rec_size = sizeof(*functions),
        .nr_jited_func_lens = FUNCTIONS,
        .jited_func_lens = (uint64_t)(uintptr_t)bytes,
    };
    uint32_t len = sizeof(info);

    bench_check(bpf_obj_get_info_by_fd(fd, &info, &len), "functions");
    struct btf *btf = btf__load_from_kernel_by_id(info.btf_id);
    for (uint32_t f = 0; btf && f + 1 < MIN(info.nr_func_info, FUNCTIONS); f++) {
        const struct btf_type *type = btf__type_by_id(btf, functions[f].type_id);
        const char *name = type ? btf__name_by_offset(btf, type->name_off) : "";
        if (strcmp(name, "forward") != 0)
            continue;
        instructions += functions[f + 1].insn_off - functions[f].insn_off;
        code += bytes[f];
    }
    btf__free(btf);
    printf("| of that what a packet passes that was decided before | %u | %u | |\n", instructions, code);
    goal_measured(GOAL_P12_INSTRUCTIONS, instructions);
    goal_measured(GOAL_P12_BYTES, code);
}

void bench_sizes(const struct plane *plane, struct dataplane_bpf *bench)
{
    printf("\n### Programs\n\n| program | instructions | bytes of machine code | instructions verified |\n"
           "|---|---|---|---|\n");
    int program = vnrs_bpf_dataplane_program(plane->dp);
    goal_measured(GOAL_P12_VERIFIED, print_program("packet path", program).verified_insns);
    print_fast_path(program);
    for (size_t s = 0; s < ARRAY_SIZE(structures); s++)
        (void)print_program(structures[s].name, program_named(bench, structures[s].program));
    printf("\n");
}
