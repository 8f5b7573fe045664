// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane_common.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>

#define REPEAT 100000

const unsigned bench_route_counts[BENCH_SIZES] = {1000, 100000, 1000000};
unsigned bench_rounds = 7;

void bench_check(int err, const char *what)
{
    if (err < 0) {
        fprintf(stderr, "dataplane_bench: %s: %s\n", what, strerror(-err));
        exit(1);
    }
}

double bench_cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

uint64_t bench_random64(void)
{
    static uint64_t state = 0x2545f4914f6cdd1d; // the same routes in every run

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x9e3779b97f4a7c15;
}

int bench_cmp_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void run_once(struct series *series, unsigned round)
{
    struct __sk_buff ctx = {.ifindex = series->ifindex};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = series->frame.bytes, .data_size_in = (uint32_t)series->frame.len,
                .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = BENCH_KEYS);

    // Every address once: what the programs before this one left in the processor's caches is not what it would go on
    // with.
    bench_check(bpf_prog_test_run_opts(series->program, &opts), series->name);
    opts.repeat = REPEAT;
    double start = bench_cpu_ns();
    bench_check(bpf_prog_test_run_opts(series->program, &opts), series->name);
    series->ns[round] = (bench_cpu_ns() - start) / REPEAT;
}

void bench_run_all(struct series *series, size_t n)
{
    for (unsigned round = 0; round < bench_rounds; round++) {
        for (size_t i = 0; i < n; i++)
            run_once(&series[i], round);
    }
    for (size_t i = 0; i < n; i++)
        qsort(series[i].ns, bench_rounds, sizeof(double), bench_cmp_double);
}

void bench_print_series(const struct series *series, double base)
{
    printf("| %s | %.1f | %.1f | %.1f | %.1f |\n", series->name, series->ns[0] - base, series->ns[0],
           series->ns[bench_rounds / 2], series->ns[bench_rounds - 1]);
}

// --- routes ---

// Like a table of the Internet: mostly /24, shorter ones around them, some longer.
static void make_routes4(struct route *routes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned dice = (unsigned)(bench_random64() % 100);
        unsigned len = dice < 60   ? 24
                       : dice < 85 ? 20 + dice % 4
                       : dice < 90 ? 16 + dice % 4
                                   : 25 + (unsigned)(bench_random64() % 8);
        uint32_t addr = (uint32_t)((bench_random64() % 200 + 23) << 24 | (bench_random64() & 0xffffff));
        addr &= ~0u << (32 - len);
        routes[i] = (struct route){.high = (uint64_t)addr << 32, .len = (uint8_t)len};
    }
}

// /48 to /64 of 2000::/3 and fd00::/8, some /128.
static void make_routes6(struct route *routes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned dice = (unsigned)(bench_random64() % 100), len = dice < 45   ? 48
                                                                  : dice < 60 ? 56
                                                                  : dice < 90 ? 64
                                                                              : 128;
        uint64_t high = (bench_random64() >> 3) | 1ull << 61;
        high = (high & ~(0xffffull << 40)) | (uint64_t)(bench_random64() % 200) << 40; // few registries
        if (len < 64)
            high &= ~0ull << (64 - len);
        routes[i] = (struct route){.high = high, .low = len == 128 ? bench_random64() : 0, .len = (uint8_t)len};
    }
}

struct route *bench_make_routes(bool v6, unsigned n)
{
    struct route *routes = calloc(n, sizeof(*routes));

    bench_check(routes ? 0 : -ENOMEM, "routes");
    if (v6)
        make_routes6(routes, n);
    else
        make_routes4(routes, n);
    return routes;
}

struct vnrs_prefix bench_prefix_of(const struct route *route, bool v6)
{
    struct vnrs_prefix prefix = {.family = v6 ? VNRS_AF_IPV6 : VNRS_AF_IPV4, .len = route->len};
    uint64_t high = htobe64(route->high), low = htobe64(route->low);

    memcpy(prefix.bytes, &high, v6 ? 8 : 4);
    if (v6)
        memcpy(prefix.bytes + 8, &low, 8);
    return prefix;
}

// Addresses below random routes.
void bench_make_keys(struct bench_key *keys, const struct route *routes, unsigned n, unsigned different, bool v6)
{
    bench_check(different ? 0 : -EINVAL, "number of addresses");
    for (unsigned i = 0; i < BENCH_KEYS; i++) {
        const struct route *route = &routes[bench_random64() % n];
        uint64_t high = bench_random64(), low = bench_random64();
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

void bench_plane_open(struct plane *plane)
{
    const char *error = NULL;

    if (vnrs_bpf_dataplane_open(NULL, &error, &plane->dp)) {
        fprintf(stderr, "dataplane_bench: %s\n", error);
        exit(1);
    }
    bench_check(vnrs_bpf_sink_new(plane->dp, &plane->sink), "sink");
    fixture_fill(plane->sink);
}

void bench_plane_close(struct plane *plane)
{
    plane->sink->ops->free(plane->sink);
    plane->dp = vnrs_bpf_dataplane_close(plane->dp);
}

void bench_plane_route(struct plane *plane, uint32_t domain, const struct route *route, bool v6, uint32_t handle)
{
    struct vnrs_fib_route wanted = {
        .domain = domain, .group = handle, .prefix = bench_prefix_of(route, v6), .type = VNRS_NH_GATEWAY};

    bench_check(plane->sink->ops->route_set(plane->sink, &wanted), plane->sink->error);
}

void bench_plane_flush(struct plane *plane)
{
    bench_check(plane->sink->ops->flush(plane->sink), plane->sink->error);
}

void bench_plane_fill(struct plane *plane, const struct route *routes, unsigned n, bool v6)
{
    for (unsigned i = 0; i < n; i++)
        bench_plane_route(plane, DOMAIN_VM, &routes[i], v6, i % 2 ? HANDLE_NVA1 : HANDLE_ECMP);
    bench_plane_flush(plane);
}

static int leaf_ignore(uint32_t value, void *arg)
{
    (void)value;
    (void)arg;
    return 0;
}

// A view of the tables as they are published.
struct vnrs_bpf_lpm *bench_reader_open(const struct plane *plane)
{
    struct vnrs_bpf_lpm *reader;
    static uint64_t writes;

    bench_check(vnrs_bpf_lpm_new(vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_TABLES),
                                 vnrs_bpf_dataplane_map(plane->dp, VNRS_BPF_MAP_LINES), &writes, leaf_ignore, NULL,
                                 &reader),
                "read tables");
    return reader;
}

void bench_trie_put(int fd4, int fd6, const struct vnrs_prefix *prefix, uint32_t value)
{
    if (prefix->family == VNRS_AF_IPV4) {
        struct bench_trie_key4 key = {.prefixlen = 32u + prefix->len, .domain_be = htonl(DOMAIN_VM)};
        memcpy(&key.addr_be, prefix->bytes, 4);
        bench_check(bpf_map_update_elem(fd4, &key, &value, BPF_ANY), "LPM_TRIE");
    } else {
        struct bench_trie_key6 key = {.prefixlen = 32u + prefix->len, .domain_be = htonl(DOMAIN_VM)};
        memcpy(key.addr, prefix->bytes, 16);
        bench_check(bpf_map_update_elem(fd6, &key, &value, BPF_ANY), "LPM_TRIE");
    }
}

uint32_t bench_value_of(const struct vnrs_bpf_lpm *reader, const char *text)
{
    struct vnrs_addr addr;

    bench_check(vnrs_addr_parse(text, &addr), text);
    return vnrs_bpf_lpm_find(reader, VNRS_TABLE_DOMAIN(DOMAIN_VM), &addr);
}

// The same as bench_plane_fill().
void bench_trie_fill(int fd4, int fd6, const struct plane *plane, const struct route *routes, unsigned n, bool v6)
{
    struct vnrs_bpf_lpm *reader = bench_reader_open(plane);
    uint32_t groups[] = {VNRS_ROUTE_GROUP(bench_value_of(reader, "10.4.0.0")),
                         VNRS_ROUTE_GROUP(bench_value_of(reader, "10.3.0.0"))};

    vnrs_bpf_lpm_free(reader);
    for (unsigned i = 0; i < n; i++) {
        struct vnrs_prefix prefix = bench_prefix_of(&routes[i], v6);
        bench_trie_put(fd4, fd6, &prefix, VNRS_ROUTE_VALUE(groups[i % 2], VNRS_NH_GATEWAY));
    }
}

size_t bench_usage_bytes(const struct plane *plane)
{
    struct vnrs_bpf_lpm *reader = bench_reader_open(plane);
    struct vnrs_lpm_usage usage;

    vnrs_bpf_lpm_usage(reader, &usage);
    vnrs_bpf_lpm_free(reader);
    return usage.lines * sizeof(struct vnrs_lpm_line);
}
