// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane_live.h"

#include "util/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#define CASES_MAX 16
#define RUNS_MAX  (64 * LIVE_RUNS)
#define FRAME_LEN 64
#define WARM_UP   32768 // packets, where all destinations are fewer

static void must(int err, const char *what)
{
    if (err < 0) {
        fprintf(stderr, "dataplane_bench: %s: %s\n", what, strerror(err == -1 ? errno : -err));
        exit(1);
    }
}

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
    char command[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    if (system(command) != 0) {
        fprintf(stderr, "dataplane_bench: command failed: %s\n", command);
        exit(1);
    }
}

// A process that only holds a network namespace.
static pid_t namespace_hold(void)
{
    int ready[2];
    char byte = 0;

    must(pipe(ready), "pipe");
    pid_t pid = fork();
    must(pid, "fork");
    if (pid == 0) {
        must(unshare(CLONE_NEWNET), "unshare");
        (void)!write(ready[1], &byte, 1);
        for (;;)
            (void)pause();
    }
    must((int)read(ready[0], &byte, 1), "read");
    (void)close(ready[0]);
    (void)close(ready[1]);
    return pid;
}

static int namespace_open(pid_t pid)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd, path);
    return fd;
}

static void links_make(pid_t guest)
{
    run("ip link set lo up");
    run("ip link add in index %u address 02:00:00:00:01:16 type veth peer name eth0 netns %d", LIVE_IN, (int)guest);
    run("ip link add out index %u type veth peer name eth1 netns %d", LIVE_OUT, (int)guest);
    run("nsenter -t %d -n sh -c 'ip link set eth0 up; ip link set eth1 up'", (int)guest);
    run("ip link set in up; ip link set out up");
    run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.in.rp_filter=0");
    run("ip addr add 10.0.0.1/24 dev in; ip addr add 172.31.0.1/30 dev out");
    run("ip neigh add 172.31.0.2 lladdr 02:00:00:00:00:18 dev out nud permanent");
}

static void program_attach(unsigned ifindex, int program)
{
    struct bpf_tc_hook hook = {.sz = sizeof(hook), .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS};
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1, .flags = BPF_TC_F_REPLACE, .prog_fd = program);
    LIBBPF_OPTS(bpf_tc_opts, gone, .handle = 1, .priority = 1);
    int err = bpf_tc_hook_create(&hook);

    must(err == -EEXIST ? 0 : err, "clsact");
    if (program >= 0)
        must(bpf_tc_attach(&hook, &opts), "attach");
    else
        (void)bpf_tc_detach(&hook, &gone); // not there the first time
}

static void frames_send(const struct live_case *one, unsigned n)
{
    uint8_t frame[FRAME_LEN] = {0};
    struct xdp_md ctx = {.data_end = FRAME_LEN, .ingress_ifindex = LIVE_IN};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame), .ctx_in = &ctx,
                .ctx_size_in = sizeof(ctx), .repeat = (int)n, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);

    must(bpf_prog_test_run_opts(one->generate, &opts), "live frames");
}

static void case_prepare(const struct live_case *one)
{
    static const struct timespec rest = {.tv_nsec = 5000000}; // who just ran for long would soon have to let others run
    static bool table;

    // The link has a queue then; and a run of a program that is attached nowhere would begin with a wait of
    // milliseconds.
    must(bpf_xdp_attach(LIVE_IN, one->generate, XDP_FLAGS_DRV_MODE, NULL), "XDP on the link");
    program_attach(LIVE_IN, one->program);
    if (one->table != table)
        run("ip rule %s pref 10 iif in lookup %u", one->table ? "add" : "del", LIVE_TABLE);
    table = one->table;
    *one->mask = one->different - 1;
    // The state in which it would go on: where a set of decisions is full of the last case's, one newcomer in eight
    // gets in.
    frames_send(one, MAX(one->different, WARM_UP));
    (void)nanosleep(&rest, NULL);
}

// Returns ns per packet. The share of packets that arrived is checked: what is lost in a queue costs nothing.
static double case_run(const struct live_case *one, const volatile unsigned long long *delivered)
{
    struct timespec start, end;

    case_prepare(one);
    unsigned long long before = *delivered;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    frames_send(one, LIVE_FRAMES);
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    unsigned long long arrived = *delivered - before;
    if (one->dropped ? arrived > LIVE_FRAMES / 100 : arrived < LIVE_FRAMES * 95ull / 100)
        fprintf(stderr, "dataplane_bench: %s: %llu of %d packets arrived\n", one->name, arrived, LIVE_FRAMES);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / LIVE_FRAMES;
}

static int cmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void print(const struct live_case *cases, unsigned n, unsigned runs, double ns[][RUNS_MAX])
{
    printf("### Real packets, 64 bytes, one core\n\n| path | ns min | median | max | Mpps at min "
           "|\n|---|---|---|---|---|\n");
    for (unsigned i = 0; i < n; i++) {
        qsort(ns[i], runs, sizeof(double), cmp);
        printf("| %s | %.0f | %.0f | %.0f | %.2f |\n", cases[i].name, ns[i][0], ns[i][runs / 2], ns[i][runs - 1],
               1e3 / ns[i][0]);
    }
    printf("\n");
    (void)fflush(stdout);
}

static void live_child(const struct live_case *cases, unsigned n, unsigned runs, int sink,
                       const volatile unsigned long long *delivered, double *ret_ns)
{
    static double ns[CASES_MAX][RUNS_MAX];

    must(unshare(CLONE_NEWNET), "unshare");
    pid_t guest = namespace_hold();
    links_make(guest);
    int fabric_fd = namespace_open(getpid()), guest_fd = namespace_open(guest);
    must(setns(guest_fd, CLONE_NEWNET), "setns");
    int eth1 = 0;
    FILE *file =
        popen("cat /sys/class/net/eth1/ifindex 2>/dev/null || ip -o link show eth1 | cut -d: -f1", "r"); // NOLINT
    if (!file || fscanf(file, "%d", &eth1) != 1)                                                         // NOLINT
        must(-EIO, "ifindex of the guest end");
    (void)pclose(file);
    program_attach((unsigned)eth1, sink);
    must(setns(fabric_fd, CLONE_NEWNET), "setns");
    for (unsigned i = 0; i < n; i++) {
        if (cases[i].routes)
            run("ip -batch %s", cases[i].routes);
    }
    for (unsigned r = 0; r < runs; r++) {
        for (unsigned i = 0; i < n; i++)
            ns[i][r] = case_run(&cases[i], delivered);
    }
    print(cases, n, runs, ns);
    for (unsigned i = 0; i < n; i++)
        ret_ns[i] = ns[i][0];
    (void)kill(guest, SIGKILL);
    (void)waitpid(guest, NULL, 0);
}

void live_run(const struct live_case *cases, unsigned n, unsigned rounds, int sink,
              const volatile unsigned long long *delivered, double *ret_ns)
{
    double *shared = mmap(NULL, CASES_MAX * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;

    must(shared == MAP_FAILED ? -errno : 0, "mmap");
    (void)fflush(stdout);
    pid_t pid = fork();
    must(pid, "fork");
    if (pid == 0) {
        live_child(cases, MIN(n, CASES_MAX), MIN(rounds * LIVE_RUNS, RUNS_MAX), sink, delivered, shared);
        _exit(0);
    }
    must(waitpid(pid, &status, 0), "wait");
    if (status)
        fprintf(stderr, "dataplane_bench: no figures of real packets\n");
    memcpy(ret_ns, shared, MIN(n, CASES_MAX) * sizeof(*shared));
    (void)munmap(shared, CASES_MAX * sizeof(*shared));
}
