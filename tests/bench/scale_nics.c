// SPDX-License-Identifier: GPL-2.0-or-later
// The eBPF data plane with many NICs: attaching its program to all, replacing it on all while packets pass, and real
// packets to all in turn beside a bare redirect_peer. Prints one line for each figure: name and numbers.
//
//   scale_nics NICS ROUNDS
#include "scale_nics.h"

#include "fib/bpf_sink.h"
#include "lab/sysctl.h"
#include "scale_links.h"
#include "util/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "scale.skel.h"

#define FRAMES    200000 // of a measurement
#define BURST     1024   // of what goes on beside
#define FRAME_LEN 64
#define GUEST     (VNRS_IFINDEX_FIRST + VNRS_NICS_MAX) // ifindex of the first guest end

struct world {
    unsigned n;
    int fabric, guests; // namespaces; all guest ends are in one
    char pins[64];
    struct scale_bpf *bench;
    struct vnrs_bpf_dataplane *dp;
};

static void check(int err, const char *what)
{
    errno = -err;
    scale_must(err >= 0, what);
}

static void enter(int ns)
{
    scale_must(setns(ns, CLONE_NEWNET) == 0, "a namespace");
}

static long available_kib(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    long kib = 0;

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kib = strtol(line + 13, NULL, 10);
    if (file)
        (void)fclose(file);
    return kib;
}

// With the settings of a fabric, for the guest ends too: the kernel would give each of them a link-local IPv6 address,
// and write all their routes to fe80::/64 one after the other under the lock that attaching waits for.
static int make_namespace(void)
{
    struct vnrs_err err = {0};

    scale_must(unshare(CLONE_NEWNET) == 0, "a namespace");
    check(vnrs_sysctl_profile_here(VNRS_SYSCTL_FABRIC, &err), "settings");
    return scale_namespace_own();
}

static void make_links(struct world *w)
{
    long before = available_kib();

    w->guests = make_namespace();
    w->fabric = make_namespace();
    struct mnl_socket *nl = scale_netlink();
    for (unsigned i = 0; i < w->n; i++) {
        char ifname[16], peer[16];
        (void)snprintf(ifname, sizeof(ifname), "f%u", i);
        (void)snprintf(peer, sizeof(peer), "g%u", i);
        scale_pair_make(nl, &(struct scale_pair){ifname, peer, VNRS_IFINDEX_FIRST + i, GUEST + i, w->guests});
        enter(w->guests);
        scale_up(peer);
        enter(w->fabric);
    }
    printf("pair %.1f\n", (double)(before - available_kib()) / w->n);
}

static void put_nic(struct vnrs_sink *sink, unsigned i)
{
    struct vnrs_fib_nic nic = {.ifindex = VNRS_IFINDEX_FIRST + i,
                               .nic = {.flags = VNRS_NIC_PRESENT, .domain = 1, .vnet = 1, .subnet = 1, .mtu = 1500}};
    struct vnrs_fib_endpoint endpoint = {.vnet = 1, .ifindex = nic.ifindex, .addr.family = VNRS_AF_IPV4};
    const uint32_t addr = htonl(SCALE_ADDRESS + i), index = htonl(i);

    nic.nic.mac[0] = 2;
    memcpy(nic.nic.mac + 2, &index, sizeof(index));
    memcpy(endpoint.addr.bytes, &addr, sizeof(addr));
    check(sink->ops->nic_set(sink, &nic), "a NIC");
    check(sink->ops->endpoint_set(sink, &endpoint), "an address");
}

static void fill(struct world *w)
{
    struct vnrs_fib_group local = {.handle = 1, .n = 1, .members = {{.kind = VNRS_BPF_NH_ENDPOINT, .vnet = 1}}};
    struct vnrs_fib_route route = {.domain = 1,
                                   .group = 1,
                                   .prefix = {.family = VNRS_AF_IPV4, .len = 16, .bytes = {10}},
                                   .type = VNRS_NH_VNET_LOCAL};
    struct vnrs_sink *sink;

    check(vnrs_bpf_sink_new(w->dp, &sink), "sink");
    check(sink->ops->group_set(sink, &local), "a group");
    check(sink->ops->route_set(sink, &route), "a route");
    for (unsigned i = 0; i < w->n; i++)
        put_nic(sink, i);
    check(sink->ops->flush(sink), "routes");
    sink->ops->free(sink);
}

static void open_plane(struct world *w)
{
    const char *error = NULL;

    if (vnrs_bpf_dataplane_open(w->pins, &error, &w->dp) == 0)
        return;
    fprintf(stderr, "scale: %s\n", error);
    exit(1);
}

static void attach_filter(unsigned ifindex, int program)
{
    struct bpf_tc_hook hook = {.sz = sizeof(hook), .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS};
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1, .flags = BPF_TC_F_REPLACE, .prog_fd = program);
    int err = bpf_tc_hook_create(&hook);

    check(err == -EEXIST ? 0 : err, "clsact");
    check(bpf_tc_attach(&hook, &opts), "attach");
}

static void open_bench(struct world *w)
{
    w->bench = scale_bpf__open_and_load();
    scale_must(w->bench, "programs of the bench");
    w->bench->bss->nics = w->n;
    w->bench->bss->first_ifindex = VNRS_IFINDEX_FIRST;
    enter(w->guests);
    for (unsigned i = 0; i < w->n; i++)
        attach_filter(GUEST + i, bpf_program__fd(w->bench->progs.sink));
    enter(w->fabric);
    // The link has a queue then.
    check(bpf_xdp_attach(VNRS_IFINDEX_FIRST, bpf_program__fd(w->bench->progs.generate), XDP_FLAGS_DRV_MODE, NULL),
          "XDP on the link");
}

static void send_frames(const struct world *w, unsigned n)
{
    uint8_t frame[FRAME_LEN] = {0};
    struct xdp_md ctx = {.data_end = FRAME_LEN, .ingress_ifindex = VNRS_IFINDEX_FIRST};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
                .ctx_size_in = sizeof(ctx), .repeat = (int)n, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);

    check(bpf_prog_test_run_opts(bpf_program__fd(w->bench->progs.generate), &opts), "live frames");
}

// Milliseconds: of the clock, of CPU.
static void attach_all(struct world *w, double ret[static 2])
{
    double cpu = scale_cpu(), begin = scale_now();

    for (unsigned i = 0; i < w->n; i++)
        check(vnrs_bpf_dataplane_attach(w->dp, VNRS_IFINDEX_FIRST + i, VNRS_BPF_ATTACH_FILTER), "attach");
    ret[0] = (scale_now() - begin) * 1e3;
    ret[1] = (scale_cpu() - cpu) * 1e3;
}

// Send without a pause until `stop` is closed at its other end, then tell how many that were.
_Noreturn static void keep_sending(const struct world *w, int stop, int told)
{
    uint64_t sent = 0;
    char byte;

    scale_must(fcntl(stop, F_SETFL, O_NONBLOCK) == 0, "pipe");
    while (read(stop, &byte, 1) < 0) {
        send_frames(w, BURST);
        sent += BURST;
    }
    (void)!write(told, &sent, sizeof(sent));
    _exit(0);
}

static void await_delivery(const struct world *w, uint64_t n)
{
    const volatile unsigned long long *delivered = &w->bench->bss->delivered;
    const struct timespec moment = {0, 100000};

    while (*delivered < n)
        (void)nanosleep(&moment, NULL);
}

// As a daemon of another version does it: its program is loaded and takes the place of the one on every link.
static void replace(struct world *w, const uint32_t *ifindexes, double ms[static 2])
{
    char pin[128];

    // What is pinned is the program of another version then.
    (void)snprintf(pin, sizeof(pin), "%s/v%u/forward", w->pins, VNRS_BPF_LAYOUT);
    scale_must(unlink(pin) == 0, pin);
    check(bpf_obj_pin(bpf_program__fd(w->bench->progs.bare_redirect_peer), pin), pin);
    w->dp = vnrs_bpf_dataplane_close(w->dp);
    open_plane(w);
    double cpu = scale_cpu(), begin = scale_now();
    check(vnrs_bpf_dataplane_replace(w->dp, ifindexes, w->n), "replace");
    ms[0] = (scale_now() - begin) * 1e3;
    ms[1] = (scale_cpu() - cpu) * 1e3;
}

// Another process sends meanwhile; what it sent and what arrived is compared.
static void replace_under_load(struct world *w)
{
    const volatile unsigned long long *delivered = &w->bench->bss->delivered;
    uint64_t before = *delivered, sent = 0;
    int stop[2], told[2];
    uint32_t ifindexes[VNRS_NICS_MAX];
    double ms[2];

    for (unsigned i = 0; i < w->n; i++)
        ifindexes[i] = VNRS_IFINDEX_FIRST + i;
    scale_must(pipe(stop) == 0 && pipe(told) == 0, "pipe");
    pid_t pid = fork();
    scale_must(pid >= 0, "fork");
    if (pid == 0) {
        (void)close(stop[1]);
        keep_sending(w, stop[0], told[1]);
    }
    await_delivery(w, before + BURST);
    replace(w, ifindexes, ms);
    await_delivery(w, *delivered + BURST);
    (void)close(stop[1]);
    scale_must(read(told[0], &sent, sizeof(sent)) == sizeof(sent), "what was sent");
    (void)waitpid(pid, NULL, 0);
    (void)close(stop[0]);
    (void)close(told[0]);
    (void)close(told[1]);
    printf("replace %.2f %.2f %llu %lld\n", ms[0], ms[1], (unsigned long long)sent,
           (long long)(sent - (*delivered - before)));
}

// Nanoseconds per packet with `program` on the link of the first NIC.
static double measure(struct world *w, int program, const char *what)
{
    LIBBPF_OPTS(bpf_tc_opts, gone, .handle = 1, .priority = 1);
    struct bpf_tc_hook hook = {.sz = sizeof(hook), .ifindex = VNRS_IFINDEX_FIRST, .attach_point = BPF_TC_INGRESS};
    uint64_t before = w->bench->bss->delivered;

    if (program >= 0) {
        check(vnrs_bpf_dataplane_detach(w->dp, VNRS_IFINDEX_FIRST), "detach");
        attach_filter(VNRS_IFINDEX_FIRST, program);
    } else {
        (void)bpf_tc_detach(&hook, &gone); // not there the first time
        check(vnrs_bpf_dataplane_attach(w->dp, VNRS_IFINDEX_FIRST, VNRS_BPF_ATTACH_FILTER), "attach");
    }
    double begin = scale_now();
    send_frames(w, FRAMES);
    double ns = (scale_now() - begin) * 1e9 / FRAMES;
    uint64_t arrived = w->bench->bss->delivered - before;
    if (arrived < FRAMES * 99ull / 100)
        fprintf(stderr, "scale: %s: %llu of %d packets arrived\n", what, (unsigned long long)arrived, FRAMES);
    return ns;
}

int main(int argc, char **argv)
{
    struct world w = {.n = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0};
    unsigned rounds = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    double ms[2];

    if (w.n < 2 || w.n > VNRS_NICS_MAX - VNRS_IFINDEX_FIRST)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    make_links(&w);
    (void)snprintf(w.pins, sizeof(w.pins), "/sys/fs/bpf/vnrs-scale-%d", getpid());
    open_plane(&w);
    fill(&w);
    attach_all(&w, ms);
    printf("attach %.2f %.2f\n", ms[0], ms[1]);
    open_bench(&w);
    for (unsigned i = 0; i < rounds; i++) {
        printf("bare %.1f\n", measure(&w, bpf_program__fd(w.bench->progs.bare_redirect_peer), "bare redirect_peer"));
        printf("ours %.1f\n", measure(&w, -1, "vnrs"));
        replace_under_load(&w);
    }
    scale_bpf__destroy(w.bench);
    (void)vnrs_bpf_dataplane_close(w.dp);
    check(vnrs_bpf_dataplane_destroy(w.pins), w.pins);
    return 0;
}
