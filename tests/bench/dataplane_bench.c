// SPDX-License-Identifier: GPL-2.0-or-later
// The eBPF data plane beside references, in one process and in turns: cost of a packet by test runs, lookups alone in
// several structures, loading and changing routes, memory, sizes. Prints Markdown. `scripts/bench dataplane` runs it.
//
//   dataplane_bench [ROUNDS [path|lookup|load|live]]
//
// Times of test runs are CPU time of this thread, so that other work on the machine costs cache and nothing else; with
// the minimum of the rounds as the figure to compare.
#include "dataplane_common.h"
#include "dataplane_goals.h"
#include "dataplane_live.h"
#include "dataplane_lookup.h"
#include "native_count.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/rtnetlink.h>

#include "dataplane.skel.h"
#include "forward_cold.skel.h"
#include "forward_trie.skel.h"

#define VNET 1

// --- the packet path ---

// All but what is a reference's own.
static void share_maps(struct bpf_object *object, const struct plane *plane)
{
    static const struct {
        const char *name;
        enum vnrs_bpf_map map;
    } shared[] = {{"nics", VNRS_BPF_MAP_NICS},     {"groups", VNRS_BPF_MAP_GROUPS}, {"nexthops", VNRS_BPF_MAP_NEXTHOPS},
                  {"access", VNRS_BPF_MAP_ACCESS}, {"tables", VNRS_BPF_MAP_TABLES}, {"lines", VNRS_BPF_MAP_LINES}};

    for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
        bench_check(bpf_map__reuse_fd(bpf_object__find_map_by_name(object, shared[i].name),
                                      vnrs_bpf_dataplane_map(plane->dp, shared[i].map)),
                    "share maps");
}

static struct forward_cold_bpf *cold_open(const struct plane *plane)
{
    struct forward_cold_bpf *skel = forward_cold_bpf__open();

    bench_check(skel ? 0 : -errno, "open the reference");
    share_maps(skel->obj, plane);
    bench_check(forward_cold_bpf__load(skel), "load the reference");
    return skel;
}

static struct forward_trie_bpf *trie_open(const struct plane *plane)
{
    struct forward_trie_bpf *skel = forward_trie_bpf__open();

    bench_check(skel ? 0 : -errno, "open the reference");
    share_maps(skel->obj, plane);
    bench_check(forward_trie_bpf__load(skel), "load the reference");
    return skel;
}

// The routes and addresses of the fixture that the frames below need.
static void trie_fill_fixture(struct forward_trie_bpf *trie, const struct plane *plane)
{
    static const struct {
        const char *addr;
        uint32_t ifindex;
    } addresses[] = {{"10.0.0.4", VM_A}, {"10.0.1.4", VM_B}, {"fd00::4", VM_A}, {"fd00:1::4", VM_B}};
    static const struct {
        const char *prefix, *addr;
    } routes[] = {
        {"10.0.0.0/16", "10.0.0.0"}, {"10.2.0.0/16", "10.2.0.0"}, {"10.4.0.0/16", "10.4.0.0"}, {"fd00::/16", "fd00::"}};
    int fd4 = bpf_map__fd(trie->maps.trie4), fd6 = bpf_map__fd(trie->maps.trie6);
    struct vnrs_bpf_lpm *reader = bench_reader_open(plane);

    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        struct vnrs_prefix prefix;
        bench_check(vnrs_prefix_parse(routes[i].prefix, &prefix), routes[i].prefix);
        bench_trie_put(fd4, fd6, &prefix, bench_value_of(reader, routes[i].addr));
    }
    vnrs_bpf_lpm_free(reader);
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct {
            uint32_t table, family;
            uint8_t addr[16];
        } key = {.table = VNRS_TABLE_VNET(VNET)};
        uint32_t value = VNRS_ENDPOINT_VALUE(addresses[i].ifindex);
        struct vnrs_addr addr;
        bench_check(vnrs_addr_parse(addresses[i].addr, &addr), addresses[i].addr);
        key.family = addr.family;
        memcpy(key.addr, addr.bytes, 16);
        bench_check(bpf_map_update_elem(bpf_map__fd(trie->maps.addresses), &key, &value, BPF_ANY), "addresses");
    }
}

static const struct {
    const char *what;
    struct spec packet;
} flows[] = {
    {"IPv4 UDP to a NIC of the virtual network", {.src = "10.0.0.4", .dst = "10.0.1.4", .payload = 18}},
    {"IPv4 UDP to one of two NVAs", {.src = "10.0.0.4", .dst = "10.4.0.1", .payload = 18}},
    {"IPv6 UDP to a NIC of the virtual network", {.src = "fd00::4", .dst = "fd00:1::4", .payload = 18}},
    {"drop: source of another", {.src = "1.2.3.4", .dst = "10.0.1.4", .payload = 18}},
    {"drop: route to None", {.src = "10.0.0.4", .dst = "10.2.0.1", .payload = 18}},
    {"drop: no route", {.src = "10.0.0.4", .dst = "9.9.9.9", .payload = 18}},
};

static size_t add_flows(struct series *series, const char *who, int program)
{
    static char names[64][128];
    static size_t n_names;

    for (size_t f = 0; f < ARRAY_SIZE(flows); f++) {
        (void)snprintf(names[n_names], sizeof(names[0]), "%s: %s", who, flows[f].what);
        series[f] = (struct series){.name = names[n_names++], .program = program, .ifindex = VM_A};
        frame_build(&flows[f].packet, &series[f].frame);
    }
    return ARRAY_SIZE(flows);
}

// `series`: the flows with 1,000 routes, and then the first packet of each.
static void path_goals(const struct series *series, double base)
{
    static const enum goal goals[][2] = {{GOAL_P7, GOAL_P7_FIRST}, {GOAL_P7_FIRST, GOAL_P7_FIRST},
                                         {GOAL_P8, GOAL_P8_FIRST}, {GOAL_P9, GOAL_P9},
                                         {GOAL_P9, GOAL_P9},       {GOAL_P9, GOAL_P9}};

    for (size_t f = 0; f < ARRAY_SIZE(flows); f++) {
        goal_measured(goals[f][0], series[f].ns[0] - base);
        goal_measured(goals[f][1], series[ARRAY_SIZE(flows) + f].ns[0] - base);
    }
}

static void bench_instructions(const struct plane *plane)
{
    printf("| instructions of a build for user space | first packet | next |\n|---|---|---|\n");
    native_open(plane->dp);
    for (size_t f = 0; f < 3; f++) {
        unsigned first, next;
        native_measure(&flows[f].packet, &first, &next);
        printf("| %s | %u | %u |\n", flows[f].what, first, next);
        if (f == 0) {
            goal_measured(GOAL_P13, next);
            goal_measured(GOAL_P13_FIRST, first);
        }
    }
    native_close();
    printf("\n");
}

static void bench_path(struct plane *planes, struct dataplane_bpf *bench, const struct route *routes4,
                       const struct route *routes6)
{
    static struct series series[64];
    struct forward_trie_bpf *trie = trie_open(&planes[0]);
    struct forward_cold_bpf *cold = cold_open(&planes[0]);
    size_t n = 0;

    trie_fill_fixture(trie, &planes[0]);
    bench_trie_fill(bpf_map__fd(trie->maps.trie4), -1, &planes[0], routes4, bench_route_counts[0], false);
    bench_trie_fill(-1, bpf_map__fd(trie->maps.trie6), &planes[0], routes6, bench_route_counts[0], true);
    bench->bss->redirect_to = VM_B;
    series[n++] = (struct series){.name = "empty program", .program = bpf_program__fd(bench->progs.empty)};
    series[n++] = (struct series){.name = "bare redirect", .program = bpf_program__fd(bench->progs.bare_redirect)};
    series[n++] =
        (struct series){.name = "bare redirect_peer", .program = bpf_program__fd(bench->progs.bare_redirect_peer)};
    for (size_t i = 0; i < n; i++) {
        series[i].ifindex = VM_A;
        frame_build(&flows[0].packet, &series[i].frame);
    }
    n += add_flows(&series[n], "vnrs, 1,000 routes", vnrs_bpf_dataplane_program(planes[0].dp));
    n += add_flows(&series[n], "vnrs, 1,000 routes, first packet", bpf_program__fd(cold->progs.forward));
    n += add_flows(&series[n], "vnrs, 1,000,000 routes", vnrs_bpf_dataplane_program(planes[2].dp));
    n += add_flows(&series[n], "same with LPM_TRIE and hash, 1,000 routes", bpf_program__fd(trie->progs.forward));
    bench_run_all(series, n);
    printf("### A packet by test runs, ns\n\n| program | above empty | min | median | max |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++)
        bench_print_series(&series[i], series[0].ns[0]);
    printf("\n");
    path_goals(&series[3], series[0].ns[0]);
    bench_instructions(&planes[0]);
    forward_cold_bpf__destroy(cold);
    forward_trie_bpf__destroy(trie);
}

// --- loading and changing ---

static double wall_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

// One route removed or added, and published, a thousand times each.
static void bench_single(struct plane *plane, const struct route *routes, bool v6)
{
    double cpu[2000], wall[ARRAY_SIZE(cpu)];
    size_t n = ARRAY_SIZE(cpu);

    for (unsigned i = 0; i < n; i++) {
        const struct route *route = &routes[(i / 2 * 7919) % bench_route_counts[0]];
        double start = bench_cpu_ns(), started = wall_ns();
        bench_plane_route(plane, DOMAIN_VM, route, v6, i % 2 ? HANDLE_NVA1 : 0);
        bench_plane_flush(plane);
        cpu[i] = bench_cpu_ns() - start;
        wall[i] = wall_ns() - started;
    }
    qsort(cpu, n, sizeof(*cpu), bench_cmp_double);
    qsort(wall, n, sizeof(*wall), bench_cmp_double);
    printf("| one of them removed or added, published at once | %.1f us CPU median, %.1f us at 99 %% | |\n",
           cpu[n / 2] / 1e3, cpu[n * 99 / 100] / 1e3);
    goal_measured(GOAL_U1_CPU, cpu[n * 99 / 100] / 1e3);
    goal_measured(GOAL_U1_WALL, wall[n * 99 / 100] / 1e3);
}

// Half of the routes get another next hop; then memory is waited for as where a table is replaced.
static void bench_move(struct plane *plane)
{
    int lines = vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_LINES);
    uint64_t writes = plane->sink->writes;
    uint32_t first = 0, id;
    double start = bench_cpu_ns(), wait;

    GROUP(plane->sink, HANDLE_NVA1, TO_NIC(NVA2));
    printf("| half of them to another next hop | %.1f us CPU, %llu writes | |\n", (bench_cpu_ns() - start) / 1e3,
           (unsigned long long)(plane->sink->writes - writes));
    goal_measured(GOAL_U3, (double)(plane->sink->writes - writes));
    bench_check(bpf_map_lookup_elem(lines, &first, &id), "first lines");
    int fd = bpf_map_get_fd_by_id(id);
    bench_check(fd, "first lines");
    start = wall_ns();
    bench_check(bpf_map_update_elem(lines, &first, &fd, BPF_ANY), "wait for readers");
    wait = wall_ns() - start;
    (void)close(fd);
    printf("| wait until no packet holds what was replaced | %.1f ms wall | |\n", wait / 1e6);
    goal_measured(GOAL_U4_WAIT, wait / 1e6);
}

static void bench_take_over(const struct plane *plane)
{
    struct vnrs_sink *next;
    double start = bench_cpu_ns(), started = wall_ns();

    bench_check(vnrs_bpf_sink_new(plane->dp, &next), "take over");
    printf("| taken over by the next process | %.0f ms CPU, %.0f ms wall | |\n", (bench_cpu_ns() - start) / 1e6,
           (wall_ns() - started) / 1e6);
    next->ops->free(next);
}

static void bench_bulk(const struct route *routes, unsigned n, bool v6)
{
    bool most = n == bench_route_counts[BENCH_SIZES - 1];
    struct plane plane;

    bench_plane_open(&plane);
    size_t before = bench_usage_bytes(&plane);
    double cpu = bench_cpu_ns(), wall = wall_ns(), published;
    for (unsigned i = 0; i < n; i++)
        bench_plane_route(&plane, DOMAIN_VM, &routes[i], v6, i % 2 ? HANDLE_NVA1 : HANDLE_ECMP);
    published = bench_cpu_ns();
    bench_plane_flush(&plane);
    double each = (double)(bench_usage_bytes(&plane) - before) / n;
    printf("| %u %s routes into one table | %.0f ms CPU, %.0f ms wall; of that publishing %.0f ms | %.0f |\n", n,
           v6 ? "IPv6" : "IPv4", (bench_cpu_ns() - cpu) / 1e6, (wall_ns() - wall) / 1e6,
           (bench_cpu_ns() - published) / 1e6, each);
    if (!v6 && n > bench_route_counts[0])
        goal_measured(GOAL_S4_ONE, each);
    if (!v6 && most)
        goal_measured(GOAL_U2, (bench_cpu_ns() - cpu) / 1e9);
    if (!v6 || most)
        bench_single(&plane, routes, v6);
    if (most)
        bench_take_over(&plane);
    if (most && !v6)
        bench_move(&plane);
    bench_plane_close(&plane);
}

static void bench_tables(const struct route *routes, bool same)
{
    enum { TABLES = 200, EACH = 5000 };
    struct plane plane;

    bench_plane_open(&plane);
    size_t before = bench_usage_bytes(&plane);
    double cpu = bench_cpu_ns();
    for (unsigned t = 0; t < TABLES; t++) {
        static const struct route fallback = {0};
        for (unsigned i = 0; i < EACH; i++)
            bench_plane_route(&plane, 100 + t, &routes[same ? i : t * EACH + i], false,
                              i % 2 ? HANDLE_NVA1 : HANDLE_ECMP);
        bench_plane_route(&plane, 100 + t, &fallback, false, t % 2 ? HANDLE_INTERNET : HANDLE_NVA1);
    }
    bench_plane_flush(&plane);
    printf("| 200 tables of 5,000 %s | %.0f ms CPU | %.1f |\n",
           same ? "routes that all have, with different default routes" : "different routes",
           (bench_cpu_ns() - cpu) / 1e6, (double)(bench_usage_bytes(&plane) - before) / (TABLES * EACH));
    goal_measured(GOAL_S4_MANY, (double)(bench_usage_bytes(&plane) - before) / (TABLES * EACH));
    bench_plane_close(&plane);
}

static void bench_trie_load(const struct route *routes, unsigned n)
{
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
    int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "bench", sizeof(struct bench_trie_key4), 4, 2 * n, &opts);

    bench_check(fd, "LPM_TRIE");
    double cpu = bench_cpu_ns();
    for (unsigned i = 0; i < n; i++) {
        struct vnrs_prefix prefix = bench_prefix_of(&routes[i], false);
        bench_trie_put(fd, -1, &prefix, 1);
    }
    printf(
        "| %u IPv4 routes into LPM_TRIE, a system call each, nothing else | %.0f ms CPU | 143 (not measured here) |\n",
        n, (bench_cpu_ns() - cpu) / 1e6);
    (void)close(fd);
}

// --- real packets ---

static void kernel_routes_write(const char *path, const struct route *routes, unsigned n, unsigned table)
{
    FILE *file = fopen(path, "we");

    bench_check(file ? 0 : -errno, path);
    for (unsigned i = 0; i < n; i++) {
        char text[VNRS_PREFIX_STR_MAX];
        struct vnrs_prefix prefix = bench_prefix_of(&routes[i], false);
        fprintf(file, "route replace %s via 172.31.0.2 dev out table %u\n", vnrs_prefix_format(&prefix, text), table);
    }
    (void)fclose(file);
}

enum {
    LIVE_DROP,
    LIVE_PEER,
    LIVE_REDIRECT,
    LIVE_1K,
    LIVE_100K,
    LIVE_1M_HOT,
    LIVE_1M,
    LIVE_V6,
    LIVE_TRIE_1K,
    LIVE_TRIE_1M,
    LIVE_KERNEL_1K,
    LIVE_KERNEL_100K,
    _LIVE_MAX
};

static void live_goals(const double ns[static _LIVE_MAX])
{
    for (unsigned i = 0; i < _LIVE_MAX; i++) {
        if (ns[i] <= 0)
            return;
    }
    goal_measured(GOAL_P1, 100 * ns[LIVE_PEER] / ns[LIVE_1K]);
    goal_measured(GOAL_P2, 100 * ns[LIVE_PEER] / ns[LIVE_100K]);
    goal_measured(GOAL_P3_HOT, 100 * ns[LIVE_PEER] / ns[LIVE_1M_HOT]);
    goal_measured(GOAL_P3_WIDE, 100 * ns[LIVE_PEER] / ns[LIVE_1M]);
    goal_measured(GOAL_P4_HOT, ns[LIVE_KERNEL_1K] / ns[LIVE_1K]);
    goal_measured(GOAL_P4_WIDE, ns[LIVE_KERNEL_100K] / ns[LIVE_100K]);
    goal_measured(GOAL_P5, 100 * ns[LIVE_PEER] / ns[LIVE_V6]);
    goal_measured(GOAL_P11, 100 * (ns[LIVE_1M_HOT] / ns[LIVE_1K] - 1));
}

// Who makes the frames: to how many destinations, below the routes of which size.
static struct live_case live_case(const char *name, int program, struct dataplane_bpf *bench, unsigned different)
{
    return (struct live_case){.name = name,
                              .program = program,
                              .generate = bpf_program__fd(bench->progs.generate),
                              .mask = &bench->data->keys_mask,
                              .different = different};
}

// All packets go to NVA1, by a group of one.
static void bench_live(struct plane *planes, struct dataplane_bpf *const *benches, struct route *const *routes4,
                       const struct route *routes6)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 1, 0x16};
    struct dataplane_bpf *small = benches[0], *large = benches[2];
    char paths[2][64];
    struct forward_trie_bpf *tries[2];
    double ns[_LIVE_MAX];

    for (unsigned size = 0; size < BENCH_SIZES; size++) {
        bench_keys_load(benches[size]->maps.keys, routes4[size], bench_route_counts[size], BENCH_KEYS, false);
        memcpy(benches[size]->bss->link_mac, mac, sizeof(mac));
        benches[size]->bss->redirect_to = LIVE_OUT;
        GROUP(planes[size].sink, HANDLE_ECMP, TO_NIC(NVA1));
    }
    bench_keys_load(small->maps.keys6, routes6, bench_route_counts[0], BENCH_KEYS, true);
    for (unsigned t = 0; t < 2; t++) {
        (void)snprintf(paths[t], sizeof(paths[t]), "/tmp/vnrs-bench-%d.%u.routes", getpid(), t);
        kernel_routes_write(paths[t], routes4[t], bench_route_counts[t], t ? LIVE_TABLE : RT_TABLE_MAIN);
        tries[t] = trie_open(&planes[2 * t]);
        trie_fill_fixture(tries[t], &planes[2 * t]);
        bench_trie_fill(bpf_map__fd(tries[t]->maps.trie4), -1, &planes[2 * t], routes4[2 * t],
                        bench_route_counts[2 * t], false);
    }
    struct live_case cases[_LIVE_MAX] = {
        [LIVE_DROP] = live_case("dropped at once", bpf_program__fd(small->progs.empty), small, 1024),
        [LIVE_PEER] = live_case("bare redirect_peer", bpf_program__fd(small->progs.bare_redirect_peer), small, 1024),
        [LIVE_REDIRECT] = live_case("bare redirect", bpf_program__fd(small->progs.bare_redirect), small, 1024),
        [LIVE_1K] =
            live_case("vnrs, 1,000 routes, 1,024 destinations", vnrs_bpf_dataplane_program(planes[0].dp), small, 1024),
        [LIVE_100K] = live_case("vnrs, 100,000 routes, 65,536 destinations", vnrs_bpf_dataplane_program(planes[1].dp),
                                benches[1], BENCH_KEYS),
        [LIVE_1M_HOT] = live_case("vnrs, 1,000,000 routes, 1,024 destinations",
                                  vnrs_bpf_dataplane_program(planes[2].dp), large, 1024),
        [LIVE_1M] = live_case("vnrs, 1,000,000 routes, 65,536 destinations", vnrs_bpf_dataplane_program(planes[2].dp),
                              large, BENCH_KEYS),
        [LIVE_V6] = live_case("vnrs, IPv6, 1,000 routes, 1,024 destinations", vnrs_bpf_dataplane_program(planes[0].dp),
                              small, 1024),
        [LIVE_TRIE_1K] = live_case("LPM_TRIE and hash, 1,000 routes, 1,024 destinations",
                                   bpf_program__fd(tries[0]->progs.forward), small, 1024),
        [LIVE_TRIE_1M] = live_case("LPM_TRIE and hash, 1,000,000 routes, 65,536 destinations",
                                   bpf_program__fd(tries[1]->progs.forward), large, BENCH_KEYS),
        [LIVE_KERNEL_1K] = live_case("kernel forwarding, 1,000 routes, 1,024 destinations", -1, small, 1024),
        [LIVE_KERNEL_100K] =
            live_case("kernel forwarding, 100,000 routes, 65,536 destinations", -1, benches[1], BENCH_KEYS),
    };
    cases[LIVE_DROP].dropped = true;
    cases[LIVE_V6].generate = bpf_program__fd(small->progs.generate6);
    cases[LIVE_KERNEL_1K].routes = paths[0];
    cases[LIVE_KERNEL_100K].routes = paths[1];
    cases[LIVE_KERNEL_100K].table = true;
    live_run(cases, _LIVE_MAX, bench_rounds, bpf_program__fd(small->progs.sink), (void *)&small->bss->delivered, ns);
    live_goals(ns);
    for (unsigned t = 0; t < 2; t++) {
        (void)unlink(paths[t]);
        forward_trie_bpf__destroy(tries[t]);
    }
}

static void bench_load(const struct plane *planes, struct dataplane_bpf *const *benches, struct route *const *routes4,
                       struct route *const *routes6)
{
    printf("### Loading and changing\n\n| what | time | bytes per route |\n|---|---|---|\n");
    for (unsigned size = 0; size < BENCH_SIZES; size++)
        bench_bulk(routes4[size], bench_route_counts[size], false);
    for (unsigned size = 1; size < BENCH_SIZES; size++)
        bench_bulk(routes6[size], bench_route_counts[size], true);
    bench_tables(routes4[2], false);
    bench_tables(routes4[2], true);
    bench_trie_load(routes4[2], bench_route_counts[2]);
    bench_sizes(&planes[0], benches[0]);
}

int main(int argc, char **argv)
{
    struct dataplane_bpf *benches[BENCH_SIZES];
    struct route *routes4[BENCH_SIZES], *routes6[BENCH_SIZES];
    struct plane planes[BENCH_SIZES];

    if (argc > 1)
        bench_rounds = (unsigned)MIN(MAX(atoi(argv[1]), 1), BENCH_ROUNDS_MAX);
    fixture_require_root();
    fixture_enter_namespace();
    for (unsigned i = VM_A; i < _NIC_END; i += 2)
        sh("ip link add f%u index %u type veth peer name f%u index %u", i, i, i + 1, i + 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned size = 0; size < BENCH_SIZES; size++) {
        routes4[size] = bench_make_routes(false, bench_route_counts[size]);
        routes6[size] = bench_make_routes(true, bench_route_counts[size]);
        bench_plane_open(&planes[size]);
        bench_plane_fill(&planes[size], routes4[size], bench_route_counts[size], false);
        bench_plane_fill(&planes[size], routes6[size], bench_route_counts[size], true);
        benches[size] = bench_open(&planes[size], routes4[size], routes6[size], size);
    }
    const char *part = argc > 2 ? argv[2] : "";
    if (!*part || strcmp(part, "path") == 0)
        bench_path(planes, benches[0], routes4[0], routes6[0]);
    if (!*part || strcmp(part, "lookup") == 0)
        bench_lookups(benches, routes4, routes6);
    if (!*part || strcmp(part, "live") == 0)
        bench_live(planes, benches, routes4, routes6[0]);
    if (!*part || strcmp(part, "load") == 0)
        bench_load(planes, benches, routes4, routes6);
    goals_print();
    for (unsigned size = 0; size < BENCH_SIZES; size++) {
        dataplane_bpf__destroy(benches[size]);
        bench_plane_close(&planes[size]);
        free(routes4[size]);
        free(routes6[size]);
    }
    return 0;
}
