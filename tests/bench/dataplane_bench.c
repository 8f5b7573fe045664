// SPDX-License-Identifier: GPL-2.0-or-later
// The eBPF data plane beside references, in one process and in turns: cost of a packet by test runs, lookups alone in
// several structures, loading and changing routes, memory, sizes. Prints Markdown. `scripts/bench dataplane` runs it.
//
//   dataplane_bench [ROUNDS [path|lookup|load|live]]
//
// Times of test runs are CPU time of this thread, so that other work on the machine costs cache and nothing else; with
// the minimum of the rounds as the figure to compare.
#include "dataplane_live.h"
#include "dataplane_tables.h"
#include "fib/bpf_lpm.h"
#include "fixture.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "dataplane.skel.h"
#include "forward_trie.skel.h"

#define REPEAT     100000
#define ROUNDS_MAX 64
#define SIZES      3
#define VNET       1

static const unsigned sizes[SIZES] = {1000, 100000, 1000000};
static unsigned rounds = 7;

struct route {
    uint64_t high, low;
    uint8_t len;
};

// --- small things ---

static void check(int err, const char *what)
{
    if (err < 0) {
        fprintf(stderr, "dataplane_bench: %s: %s\n", what, strerror(-err));
        exit(1);
    }
}

static double cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t random64(void)
{
    static uint64_t state = 0x2545f4914f6cdd1d; // the same routes in every run

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x9e3779b97f4a7c15;
}

static int cmp_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

struct series {
    const char *name;
    int program;
    unsigned ifindex;
    struct frame frame;
    double ns[ROUNDS_MAX];
};

static void run_once(struct series *series, unsigned round)
{
    struct __sk_buff ctx = {.ifindex = series->ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = series->frame.bytes, .data_size_in = (uint32_t)series->frame.len,
                .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = REPEAT);

    double start = cpu_ns();
    check(bpf_prog_test_run_opts(series->program, &opts), series->name);
    series->ns[round] = (cpu_ns() - start) / REPEAT;
}

static void run_all(struct series *series, size_t n)
{
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n; i++)
            run_once(&series[i], round);
    }
    for (size_t i = 0; i < n; i++)
        qsort(series[i].ns, rounds, sizeof(double), cmp_double);
}

static void print_series(const struct series *series, double base)
{
    printf("| %s | %.1f | %.1f | %.1f | %.1f |\n", series->name, series->ns[0] - base, series->ns[0],
           series->ns[rounds / 2], series->ns[rounds - 1]);
}

// --- routes ---

// Like a table of the Internet: mostly /24, shorter ones around them, some longer.
static void make_routes4(struct route *routes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned dice = (unsigned)(random64() % 100);
        unsigned len = dice < 60   ? 24
                       : dice < 85 ? 20 + dice % 4
                       : dice < 90 ? 16 + dice % 4
                                   : 25 + (unsigned)(random64() % 8);
        uint32_t addr = (uint32_t)((random64() % 200 + 23) << 24 | (random64() & 0xffffff));
        addr &= ~0u << (32 - len);
        routes[i] = (struct route){.high = (uint64_t)addr << 32, .len = (uint8_t)len};
    }
}

// /48 to /64 of 2000::/3 and fd00::/8, some /128.
static void make_routes6(struct route *routes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned dice = (unsigned)(random64() % 100), len = dice < 45 ? 48 : dice < 60 ? 56 : dice < 90 ? 64 : 128;
        uint64_t high = (random64() >> 3) | 1ull << 61;
        high = (high & ~(0xffffull << 40)) | (uint64_t)(random64() % 200) << 40; // few registries
        if (len < 64)
            high &= ~0ull << (64 - len);
        routes[i] = (struct route){.high = high, .low = len == 128 ? random64() : 0, .len = (uint8_t)len};
    }
}

static struct route *make_routes(bool v6, unsigned n)
{
    struct route *routes = calloc(n, sizeof(*routes));

    check(routes ? 0 : -ENOMEM, "routes");
    if (v6)
        make_routes6(routes, n);
    else
        make_routes4(routes, n);
    return routes;
}

static struct vnrs_prefix prefix_of(const struct route *route, bool v6)
{
    struct vnrs_prefix prefix = {.family = v6 ? VNRS_AF_IPV6 : VNRS_AF_IPV4, .len = route->len};
    uint64_t high = htobe64(route->high), low = htobe64(route->low);

    memcpy(prefix.bytes, &high, v6 ? 8 : 4);
    if (v6)
        memcpy(prefix.bytes + 8, &low, 8);
    return prefix;
}

// Addresses below random routes.
static void make_keys(struct bench_key *keys, const struct route *routes, unsigned n, unsigned different, bool v6)
{
    for (unsigned i = 0; i < BENCH_KEYS; i++) {
        const struct route *route = &routes[random64() % n];
        uint64_t high = random64(), low = random64();
        if (i >= different) {
            keys[i] = keys[i % different];
            continue;
        }
        high = route->len >= 64 ? 0 : high >> route->len;
        low = route->len == 128 ? 0 : low;
        keys[i] = (struct bench_key){route->high | high, route->low | low};
        if (!v6)
            keys[i] = (struct bench_key){keys[i].high & ~0ull << 32, 0};
    }
}

// --- a data plane with routes ---

struct plane {
    struct vnrs_bpf_dataplane *dp;
    struct vnrs_sink *sink;
};

static void plane_open(struct plane *plane)
{
    const char *error = NULL;

    if (vnrs_bpf_dataplane_open(NULL, &error, &plane->dp)) {
        fprintf(stderr, "dataplane_bench: %s\n", error);
        exit(1);
    }
    check(vnrs_bpf_sink_new(plane->dp, &plane->sink), "sink");
    fixture_fill(plane->sink);
}

static void plane_close(struct plane *plane)
{
    plane->sink->ops->free(plane->sink);
    plane->dp = vnrs_bpf_dataplane_close(plane->dp);
}

static void plane_route(struct plane *plane, uint32_t domain, const struct route *route, bool v6, uint32_t handle)
{
    struct vnrs_fib_route wanted = {
        .domain = domain, .group = handle, .prefix = prefix_of(route, v6), .type = VNRS_NH_GATEWAY};

    check(plane->sink->ops->route_set(plane->sink, &wanted), plane->sink->error);
}

static void plane_flush(struct plane *plane)
{
    check(plane->sink->ops->flush(plane->sink), plane->sink->error);
}

static void plane_fill(struct plane *plane, const struct route *routes, unsigned n, bool v6)
{
    for (unsigned i = 0; i < n; i++)
        plane_route(plane, DOMAIN_VM, &routes[i], v6, i % 2 ? HANDLE_NVA1 : HANDLE_ECMP);
    plane_flush(plane);
}

// --- the packet path ---

static struct forward_trie_bpf *trie_open(const struct plane *plane)
{
    static const struct {
        const char *name;
        enum vnrs_bpf_map map;
    } shared[] = {{"nics", VNRS_BPF_MAP_NICS},         {"groups", VNRS_BPF_MAP_GROUPS},
                  {"nexthops", VNRS_BPF_MAP_NEXTHOPS}, {"access", VNRS_BPF_MAP_ACCESS},
                  {"tables", VNRS_BPF_MAP_TABLES},     {"lines", VNRS_BPF_MAP_LINES}};
    struct forward_trie_bpf *skel = forward_trie_bpf__open();

    check(skel ? 0 : -errno, "open the reference");
    for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
        check(bpf_map__reuse_fd(bpf_object__find_map_by_name(skel->obj, shared[i].name),
                                vnrs_bpf_dataplane_map(plane->dp, shared[i].map)),
              "share maps");
    check(forward_trie_bpf__load(skel), "load the reference");
    return skel;
}

static int leaf_ignore(uint32_t value, void *arg)
{
    (void)value;
    (void)arg;
    return 0;
}

// A view of the tables as they are published.
static struct vnrs_bpf_lpm *reader_open(const struct plane *plane)
{
    struct vnrs_bpf_lpm *reader;
    static uint64_t writes;

    check(vnrs_bpf_lpm_new(vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_TABLES),
                           vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_LINES), &writes, leaf_ignore, NULL, &reader),
          "read tables");
    return reader;
}

static void trie_put(int fd4, int fd6, const struct vnrs_prefix *prefix, uint32_t value)
{
    if (prefix->family == VNRS_AF_IPV4) {
        struct bench_trie_key4 key = {.prefixlen = 32u + prefix->len, .domain_be = htonl(DOMAIN_VM)};
        memcpy(&key.addr_be, prefix->bytes, 4);
        check(bpf_map_update_elem(fd4, &key, &value, BPF_ANY), "LPM_TRIE");
    } else {
        struct bench_trie_key6 key = {.prefixlen = 32u + prefix->len, .domain_be = htonl(DOMAIN_VM)};
        memcpy(key.addr, prefix->bytes, 16);
        check(bpf_map_update_elem(fd6, &key, &value, BPF_ANY), "LPM_TRIE");
    }
}

static uint32_t value_of(const struct vnrs_bpf_lpm *reader, const char *text)
{
    struct vnrs_addr addr;

    check(vnrs_addr_parse(text, &addr), text);
    return vnrs_bpf_lpm_find(reader, VNRS_TABLE_DOMAIN(DOMAIN_VM), &addr);
}

// The same as plane_fill().
static void trie_fill(int fd4, int fd6, const struct plane *plane, const struct route *routes, unsigned n, bool v6)
{
    struct vnrs_bpf_lpm *reader = reader_open(plane);
    uint32_t groups[] = {VNRS_ROUTE_GROUP(value_of(reader, "10.4.0.0")),
                         VNRS_ROUTE_GROUP(value_of(reader, "10.3.0.0"))};

    vnrs_bpf_lpm_free(reader);
    for (unsigned i = 0; i < n; i++) {
        struct vnrs_prefix prefix = prefix_of(&routes[i], v6);
        trie_put(fd4, fd6, &prefix, VNRS_ROUTE_VALUE(groups[i % 2], VNRS_NH_GATEWAY));
    }
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
    struct vnrs_bpf_lpm *reader = reader_open(plane);

    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        struct vnrs_prefix prefix;
        check(vnrs_prefix_parse(routes[i].prefix, &prefix), routes[i].prefix);
        trie_put(fd4, fd6, &prefix, value_of(reader, routes[i].addr));
    }
    vnrs_bpf_lpm_free(reader);
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct {
            uint32_t table, family;
            uint8_t addr[16];
        } key = {.table = VNRS_TABLE_VNET(VNET)};
        uint32_t value = VNRS_ENDPOINT_VALUE(addresses[i].ifindex);
        struct vnrs_addr addr;
        check(vnrs_addr_parse(addresses[i].addr, &addr), addresses[i].addr);
        key.family = addr.family;
        memcpy(key.addr, addr.bytes, 16);
        check(bpf_map_update_elem(bpf_map__fd(trie->maps.addresses), &key, &value, BPF_ANY), "addresses");
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

static void bench_path(struct plane *planes, struct dataplane_bpf *bench, const struct route *routes4,
                       const struct route *routes6)
{
    static struct series series[64];
    struct forward_trie_bpf *trie = trie_open(&planes[0]);
    size_t n = 0;

    trie_fill_fixture(trie, &planes[0]);
    trie_fill(bpf_map__fd(trie->maps.trie4), -1, &planes[0], routes4, sizes[0], false);
    trie_fill(-1, bpf_map__fd(trie->maps.trie6), &planes[0], routes6, sizes[0], true);
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
    n += add_flows(&series[n], "vnrs, 1,000,000 routes", vnrs_bpf_dataplane_program(planes[2].dp));
    n += add_flows(&series[n], "same with LPM_TRIE and hash, 1,000 routes", bpf_program__fd(trie->progs.forward));
    run_all(series, n);
    printf("### A packet by test runs, ns\n\n| program | above empty | min | median | max |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++)
        print_series(&series[i], series[0].ns[0]);
    printf("\n");
    forward_trie_bpf__destroy(trie);
}

// --- lookups alone ---

struct structure {
    const char *name, *program;
    bool v6;
    size_t bytes[SIZES];
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
    check(bpf_map__set_max_entries(bpf_object__find_map_by_name(bench->obj, map), (uint32_t)array->n), map);
}

static void array_load(struct dataplane_bpf *bench, const char *map, struct bench_array *array)
{
    int fd = bpf_map__fd(bpf_object__find_map_by_name(bench->obj, map));
    size_t stride = (array->size + 7) / 8 * 8, bytes = stride * array->n;
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    check(at == MAP_FAILED ? -errno : 0, map);
    memcpy(at, array->at, bytes);
    (void)munmap(at, bytes);
    bench_array_free(array);
}

static size_t usage_bytes(const struct plane *plane)
{
    struct vnrs_bpf_lpm *reader = reader_open(plane);
    struct vnrs_lpm_usage usage;

    vnrs_bpf_lpm_usage(reader, &usage);
    vnrs_bpf_lpm_free(reader);
    return usage.lines * sizeof(struct vnrs_lpm_line);
}

static void set_fill(struct bench_set *set, const struct route *routes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        bench_set_add(set, routes[i].high, routes[i].low, routes[i].len, 1 + i % 2);
}

// All structures of one size, and our tables of that data plane.
static struct dataplane_bpf *bench_open(const struct plane *plane, const struct route *routes4,
                                        const struct route *routes6, unsigned size)
{
    static const char *const arrays[] = {"plain_nodes", "dxr_root",   "dxr_ranges",   "pop_root",
                                         "pop_nodes",   "pop_leaves", "search_ranges"};
    struct bench_array built[ARRAY_SIZE(arrays)];
    struct dataplane_bpf *bench = dataplane_bpf__open();
    unsigned n = sizes[size], n6 = MIN(n, sizes[1]); // the builders for IPv6 take too much memory beyond

    check(bench ? 0 : -errno, "open the bench programs");
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
    check(bpf_map__reuse_fd(bench->maps.tables, vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_TABLES)), "share");
    check(bpf_map__reuse_fd(bench->maps.lines, vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_LINES)), "share");
    check(dataplane_bpf__load(bench), "load the bench programs");
    for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
        array_load(bench, arrays[i], &built[i]);
    trie_fill(bpf_map__fd(bench->maps.trie4), -1, plane, routes4, n, false);
    trie_fill(-1, bpf_map__fd(bench->maps.trie6), plane, routes6, n, true);
    return bench;
}

static void keys_load(struct dataplane_bpf *bench, const struct route *routes, unsigned n, unsigned different, bool v6)
{
    size_t bytes = BENCH_KEYS * sizeof(struct bench_key);
    struct bench_key *keys = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(bench->maps.keys), 0);

    check(keys == MAP_FAILED ? -errno : 0, "keys");
    make_keys(keys, routes, n, different, v6);
    (void)munmap(keys, bytes);
}

static uint64_t lookup_sum(struct dataplane_bpf *bench, int program)
{
    struct frame frame;
    LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = BENCH_KEYS);

    frame_build(&flows[0].packet, &frame);
    opts.data_in = frame.bytes;
    opts.data_size_in = (uint32_t)frame.len;
    bench->bss->sum = bench->bss->at = 0;
    check(bpf_prog_test_run_opts(program, &opts), "sum");
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
        check(-EBADMSG, "our match and LPM_TRIE");
    if (v6)
        return;
    uint64_t plain = lookup_sum(bench, program_named(bench, "lookup_plain4"));
    if (plain != lookup_sum(bench, program_named(bench, "lookup_dxr4")) ||
        plain != lookup_sum(bench, program_named(bench, "lookup_pop4")))
        check(-EBADMSG, "plain trie, DXR and poptrie");
}

static void bench_lookups_with(struct dataplane_bpf *const *benches, struct route *const *routes4,
                               struct route *const *routes6, unsigned different)
{
    enum { N = ARRAY_SIZE(structures) };
    static struct series series[2][N * SIZES + 2 * SIZES];

    for (int v6 = 0; v6 < 2; v6++) {
        size_t n = 0;
        for (unsigned size = 0; size < SIZES; size++) {
            keys_load(benches[size], v6 ? routes6[size] : routes4[size], sizes[size], different, v6);
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
            frame_build(&flows[0].packet, &series[v6][i].frame);
        run_all(series[v6], n);
        size_t per_size = n / SIZES;
        for (size_t i = 1; i < per_size; i++) {
            printf("| %s |", series[v6][i].name);
            for (unsigned size = 0; size < SIZES; size++) {
                const struct series *one = &series[v6][size * per_size + i], *base = &series[v6][size * per_size];
                printf(" %.1f (%.1f) |", one->ns[0] - base->ns[0], one->ns[rounds / 2] - base->ns[rounds / 2]);
            }
            printf("\n");
        }
    }
}

static void bench_lookups(struct dataplane_bpf *const *benches, struct route *const *routes4,
                          struct route *const *routes6)
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
        for (unsigned size = 0; size < SIZES; size++)
            printf(" %.0f |", (double)structures[s].bytes[size] / sizes[size]);
        printf("\n");
    }
    printf("| vnrs | | see below | |\n\n");
}

// --- loading and changing ---

static double wall_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void bench_bulk(const struct route *routes, unsigned n, bool v6)
{
    struct plane plane;

    plane_open(&plane);
    size_t before = usage_bytes(&plane);
    double cpu = cpu_ns(), wall = wall_ns(), published;
    for (unsigned i = 0; i < n; i++)
        plane_route(&plane, DOMAIN_VM, &routes[i], v6, i % 2 ? HANDLE_NVA1 : HANDLE_ECMP);
    published = cpu_ns();
    plane_flush(&plane);
    printf("| %u %s routes into one table | %.0f ms CPU, %.0f ms wall; of that publishing %.0f ms | %.0f |\n", n,
           v6 ? "IPv6" : "IPv4", (cpu_ns() - cpu) / 1e6, (wall_ns() - wall) / 1e6, (cpu_ns() - published) / 1e6,
           (double)(usage_bytes(&plane) - before) / n);
    if (!v6 || n == sizes[2]) {
        double one[2000];
        for (unsigned i = 0; i < ARRAY_SIZE(one); i++) {
            const struct route *route = &routes[(i / 2 * 7919) % sizes[0]];
            double start = cpu_ns();
            plane_route(&plane, DOMAIN_VM, route, v6, i % 2 ? HANDLE_NVA1 : 0);
            plane_flush(&plane);
            one[i] = cpu_ns() - start;
        }
        qsort(one, ARRAY_SIZE(one), sizeof(*one), cmp_double);
        printf("| one of them removed or added, published at once | %.1f us CPU median, %.1f us at 99 %% | |\n",
               one[ARRAY_SIZE(one) / 2] / 1e3, one[ARRAY_SIZE(one) * 99 / 100] / 1e3);
    }
    if (n == sizes[2]) {
        struct vnrs_sink *next;
        double start = cpu_ns(), started = wall_ns();
        check(vnrs_bpf_sink_new(plane.dp, &next), "take over");
        printf("| taken over by the next process | %.0f ms CPU, %.0f ms wall | |\n", (cpu_ns() - start) / 1e6,
               (wall_ns() - started) / 1e6);
        next->ops->free(next);
    }
    plane_close(&plane);
}

static void bench_tables(const struct route *routes, bool same)
{
    enum { TABLES = 200, EACH = 5000 };
    struct plane plane;

    plane_open(&plane);
    size_t before = usage_bytes(&plane);
    double cpu = cpu_ns();
    for (unsigned t = 0; t < TABLES; t++) {
        static const struct route fallback = {0};
        for (unsigned i = 0; i < EACH; i++)
            plane_route(&plane, 100 + t, &routes[same ? i : t * EACH + i], false, i % 2 ? HANDLE_NVA1 : HANDLE_ECMP);
        plane_route(&plane, 100 + t, &fallback, false, t % 2 ? HANDLE_INTERNET : HANDLE_NVA1);
    }
    plane_flush(&plane);
    printf("| 200 tables of 5,000 %s | %.0f ms CPU | %.1f |\n",
           same ? "routes that all have, with different default routes" : "different routes", (cpu_ns() - cpu) / 1e6,
           (double)(usage_bytes(&plane) - before) / (TABLES * EACH));
    plane_close(&plane);
}

static void bench_trie_load(const struct route *routes, unsigned n)
{
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
    int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "bench", sizeof(struct bench_trie_key4), 4, 2 * n, &opts);

    check(fd, "LPM_TRIE");
    double cpu = cpu_ns();
    for (unsigned i = 0; i < n; i++) {
        struct vnrs_prefix prefix = prefix_of(&routes[i], false);
        trie_put(fd, -1, &prefix, 1);
    }
    printf(
        "| %u IPv4 routes into LPM_TRIE, a system call each, nothing else | %.0f ms CPU | 143 (not measured here) |\n",
        n, (cpu_ns() - cpu) / 1e6);
    (void)close(fd);
}

// --- real packets ---

static void kernel_routes_write(const char *path, const struct route *routes, unsigned n)
{
    FILE *file = fopen(path, "we");

    check(file ? 0 : -errno, path);
    for (unsigned i = 0; i < n; i++) {
        char text[VNRS_PREFIX_STR_MAX];
        struct vnrs_prefix prefix = prefix_of(&routes[i], false);
        fprintf(file, "route replace %s via 172.31.0.2 dev out\n", vnrs_prefix_format(&prefix, text));
    }
    (void)fclose(file);
}

// Destinations: 1,024 below the routes of each size. All packets go to NVA1, by a group of one.
static void bench_live(struct plane *planes, struct dataplane_bpf *const *benches, struct route *const *routes4)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 1, 0x16};
    char path[64];
    struct forward_trie_bpf *tries[2];
    struct live_case cases[16];
    unsigned n = 0;

    (void)snprintf(path, sizeof(path), "/tmp/vnrs-bench-%d.routes", getpid());
    kernel_routes_write(path, routes4[0], sizes[0]);
    for (unsigned size = 0; size < SIZES; size++) {
        keys_load(benches[size], routes4[size], sizes[size], size == 0 ? 1024 : BENCH_KEYS, false);
        memcpy(benches[size]->bss->link_mac, mac, sizeof(mac));
        benches[size]->bss->redirect_to = LIVE_OUT;
    }
    for (unsigned t = 0; t < 2; t++) {
        tries[t] = trie_open(&planes[2 * t]);
        trie_fill_fixture(tries[t], &planes[2 * t]);
        trie_fill(bpf_map__fd(tries[t]->maps.trie4), -1, &planes[2 * t], routes4[2 * t], sizes[2 * t], false);
    }
    for (unsigned size = 0; size < SIZES; size++)
        GROUP(planes[size].sink, HANDLE_ECMP, TO_NIC(NVA1));
    int small = bpf_program__fd(benches[0]->progs.generate), large = bpf_program__fd(benches[2]->progs.generate);
    cases[n++] = (struct live_case){"dropped at once", bpf_program__fd(benches[0]->progs.empty), small, NULL, true};
    cases[n++] = (struct live_case){"bare redirect_peer", bpf_program__fd(benches[0]->progs.bare_redirect_peer), small,
                                    NULL, false};
    cases[n++] =
        (struct live_case){"bare redirect", bpf_program__fd(benches[0]->progs.bare_redirect), small, NULL, false};
    cases[n++] = (struct live_case){"vnrs, 1,000 routes, 1,024 destinations", vnrs_bpf_dataplane_program(planes[0].dp),
                                    small, NULL, false};
    cases[n++] = (struct live_case){"vnrs, 1,000,000 routes, 65,536 destinations",
                                    vnrs_bpf_dataplane_program(planes[2].dp), large, NULL, false};
    cases[n++] = (struct live_case){"LPM_TRIE and hash, 1,000 routes, 1,024 destinations",
                                    bpf_program__fd(tries[0]->progs.forward), small, NULL, false};
    cases[n++] = (struct live_case){"LPM_TRIE and hash, 1,000,000 routes, 65,536 destinations",
                                    bpf_program__fd(tries[1]->progs.forward), large, NULL, false};
    cases[n++] = (struct live_case){"kernel forwarding, 1,000 routes, 1,024 destinations", -1, small, path, false};
    live_run(cases, n, rounds, bpf_program__fd(benches[0]->progs.sink), (void *)&benches[0]->bss->delivered);
    (void)unlink(path);
    for (unsigned t = 0; t < 2; t++)
        forward_trie_bpf__destroy(tries[t]);
}

static void print_program(const char *name, int fd)
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof(info);

    check(bpf_obj_get_info_by_fd(fd, &info, &len), name);
    printf("| %s | %u | %u | %u |\n", name, info.xlated_prog_len / 8, info.jited_prog_len, info.verified_insns);
}

static void bench_sizes(const struct plane *plane, struct dataplane_bpf *bench)
{
    printf("\n### Programs\n\n| program | instructions | bytes of machine code | instructions verified |\n"
           "|---|---|---|---|\n");
    print_program("packet path", vnrs_bpf_dataplane_program(plane->dp));
    for (size_t s = 0; s < ARRAY_SIZE(structures); s++)
        print_program(structures[s].name, program_named(bench, structures[s].program));
    printf("\n");
}

int main(int argc, char **argv)
{
    struct dataplane_bpf *benches[SIZES];
    struct route *routes4[SIZES], *routes6[SIZES];
    struct plane planes[SIZES];

    if (argc > 1)
        rounds = (unsigned)MIN(MAX(atoi(argv[1]), 1), ROUNDS_MAX);
    fixture_require_root();
    fixture_enter_namespace();
    for (unsigned i = VM_A; i < _NIC_END; i += 2)
        sh("ip link add f%u index %u type veth peer name f%u index %u", i, i, i + 1, i + 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned size = 0; size < SIZES; size++) {
        routes4[size] = make_routes(false, sizes[size]);
        routes6[size] = make_routes(true, sizes[size]);
        plane_open(&planes[size]);
        plane_fill(&planes[size], routes4[size], sizes[size], false);
        plane_fill(&planes[size], routes6[size], sizes[size], true);
        benches[size] = bench_open(&planes[size], routes4[size], routes6[size], size);
    }
    const char *part = argc > 2 ? argv[2] : "";
    if (!*part || strcmp(part, "path") == 0)
        bench_path(planes, benches[0], routes4[0], routes6[0]);
    if (!*part || strcmp(part, "lookup") == 0)
        bench_lookups(benches, routes4, routes6);
    if (!*part || strcmp(part, "live") == 0)
        bench_live(planes, benches, routes4);
    if (*part && strcmp(part, "load") != 0)
        return 0;
    printf("### Loading and changing\n\n| what | time | bytes per route |\n|---|---|---|\n");
    bench_bulk(routes4[0], sizes[0], false);
    bench_bulk(routes4[1], sizes[1], false);
    bench_bulk(routes4[2], sizes[2], false);
    bench_bulk(routes6[1], sizes[1], true);
    bench_bulk(routes6[2], sizes[2], true);
    bench_tables(routes4[2], false);
    bench_tables(routes4[2], true);
    bench_trie_load(routes4[2], sizes[2]);
    bench_sizes(&planes[0], benches[0]);
    for (unsigned size = 0; size < SIZES; size++) {
        dataplane_bpf__destroy(benches[size]);
        plane_close(&planes[size]);
        free(routes4[size]);
        free(routes6[size]);
    }
    return 0;
}
