// SPDX-License-Identifier: GPL-2.0-or-later
// How long a route takes from a BGP peer into the route domains of a lab with the eBPF data plane, and what the daemons
// use for it: two scripted NVAs of the lab, and a look at the pinned maps every few microseconds.
//
// The one who looks sleeps in between and has a real-time policy. Without pause it would keep one processor from the
// daemons, as no program does that they serve, and it would lose it to them again and again, for as long as they write
// to tables of machines: it would then see what had long happened when that is over.
//
//   scale_route PINS ROUTE_SERVER PROBES PREFIXES NETNS ADDRESS NETNS ADDRESS PID…
//
// Prints "route DOMAINS P50_US P99_US CPU_US" for PROBES prefixes that the first NVA announces one by one. Then both
// announce PREFIXES others (0: not); prints "loaded", waits for a line, and lets the first one close its connection:
// "moved FIRST_US ALL_US CPU_US", until no domain leads to it any more. Then the same once more, with the second one
// farther away, so that no packet goes to it before.
#include "blast.h"

#include "fib/bpf_lpm.h"
#include "util/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include <bpf/bpf.h>

#define TABLES_LOOKED_AT 256u        // numbers of domains begin at 1
#define FIRST_PROBE      0x12000000u // 18.0.n.0/24
#define PROBES_MAX       10000u
#define SAMPLES          64u
#define QUIET_US         800000u // longer than a computation of everything is put off
#define LOOK_NS          30000   // between two looks
#define SLACK_NS         1000    // that the kernel may add to that

static struct {
    struct vnrs_bpf_lpm *lpm;
    int groups, nexthops;
    uint32_t domains[TABLES_LOOKED_AT];
    unsigned n;
} maps;

static int open_map(const char *pins, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/v%u/%s", pins, VNRS_BPF_LAYOUT, name);
    int fd = bpf_obj_get(path);
    if (fd < 0)
        blast_fail("%s: %s", path, strerror(-fd));
    return fd;
}

static int ignore(uint32_t value, void *arg)
{
    (void)value, (void)arg;
    return 0;
}

// Of chunks of memory that the daemon takes later it knows nothing, so it is opened again when much has changed.
static void open_maps(const char *pins)
{
    static uint64_t writes;

    maps.lpm = vnrs_bpf_lpm_free(maps.lpm);
    if (vnrs_bpf_lpm_new(open_map(pins, "tables"), open_map(pins, "lines"), &writes, ignore, NULL, &maps.lpm) < 0)
        blast_fail("cannot read the tables");
    maps.groups = open_map(pins, "groups");
    maps.nexthops = open_map(pins, "nexthops");
}

static uint32_t find(uint32_t domain, uint32_t prefix)
{
    struct vnrs_addr addr = {.family = VNRS_AF_IPV4};
    const uint32_t be = htonl(prefix + 1);

    memcpy(addr.bytes, &be, sizeof(be));
    return vnrs_bpf_lpm_find(maps.lpm, VNRS_TABLE_DOMAIN(domain), &addr);
}

// Whether some bucket of the group leads to this NIC; 0: to any other than that.
static bool leads_to(uint32_t value, uint32_t ifindex)
{
    struct vnrs_bpf_group group;
    struct vnrs_bpf_nexthop nexthop;
    uint32_t index = VNRS_ROUTE_GROUP(value), last = UINT32_MAX;

    if (bpf_map_lookup_elem(maps.groups, &index, &group))
        blast_fail("cannot read a group");
    for (unsigned i = 0; i < VNRS_GROUP_BUCKETS; i++) {
        if (group.bucket[i] == last)
            continue;
        last = group.bucket[i];
        if (bpf_map_lookup_elem(maps.nexthops, &last, &nexthop))
            blast_fail("cannot read a next hop");
        if (nexthop.kind != VNRS_BPF_NH_NIC || nexthop.ifindex == ifindex)
            return true;
    }
    return false;
}

static uint32_t nic_of(uint32_t value)
{
    struct vnrs_bpf_group group;
    struct vnrs_bpf_nexthop nexthop;
    uint32_t index = VNRS_ROUTE_GROUP(value), first;

    if (bpf_map_lookup_elem(maps.groups, &index, &group) ||
        (first = group.bucket[0], bpf_map_lookup_elem(maps.nexthops, &first, &nexthop)) ||
        nexthop.kind != VNRS_BPF_NH_NIC)
        blast_fail("a route leads to no NIC");
    return nexthop.ifindex;
}

static double us_since(uint64_t begin)
{
    return (double)(blast_now_us() - begin);
}

static void be_prompt(void)
{
    const struct sched_param param = {.sched_priority = 1};

    if (sched_setscheduler(0, SCHED_FIFO, &param) < 0 || prctl(PR_SET_TIMERSLACK, SLACK_NS) < 0)
        blast_fail("no real-time policy: %s", strerror(errno));
}

// Nothing has changed yet.
static void wait_for_next_look(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};

    if (blast_now_us() / 1000 > blast.deadline_ms)
        blast_fail("not within the time given");
    (void)nanosleep(&pause, NULL);
}

// Until the daemons have done nothing for a while.
static void settle(void)
{
    double cpu = blast_cpu_seconds();
    uint64_t since = blast_now_us();

    while (us_since(since) < QUIET_US) {
        blast_step();
        double now = blast_cpu_seconds();
        if (now > cpu + 0.011) { // one tick may be anything
            since = blast_now_us();
            cpu = now;
        }
    }
}

static struct conn *connect_from(const char *netns, const char *address, uint32_t asn)
{
    struct in_addr addr;
    char path[128];

    (void)snprintf(path, sizeof(path), "/run/netns/%s", netns);
    _close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0 || inet_pton(AF_INET, address, &addr) != 1)
        blast_fail("cannot enter namespace '%s'", path);
    struct conn *c = blast_add(ntohl(addr.s_addr), asn);
    while (!c->established)
        blast_step();
    return c;
}

static void announce(struct conn *c, uint32_t prefix)
{
    uint8_t msg[128];
    size_t len = (size_t)(blast_put_update(msg, c, 0, prefix, 1) - msg);

    if (send(c->fd, msg, len, MSG_NOSIGNAL) != (ssize_t)len)
        blast_fail("cannot send");
}

// Domains are those that the first prefix changes.
static void find_domains(struct conn *c)
{
    uint32_t before[TABLES_LOOKED_AT];

    for (uint32_t i = 1; i < TABLES_LOOKED_AT; i++)
        before[i] = find(i, FIRST_PROBE);
    announce(c, FIRST_PROBE);
    settle();
    for (uint32_t i = 1; i < TABLES_LOOKED_AT; i++)
        if (find(i, FIRST_PROBE) != before[i])
            maps.domains[maps.n++] = i;
    if (!maps.n)
        blast_fail("no route domain learned the prefix");
}

static double probe(struct conn *c, uint32_t prefix)
{
    uint32_t before[TABLES_LOOKED_AT];
    unsigned done = 0;

    for (unsigned i = 0; i < maps.n; i++)
        before[i] = find(maps.domains[i], prefix);
    uint64_t begin = blast_now_us();
    announce(c, prefix);
    while (done < maps.n) {
        if (find(maps.domains[done], prefix) != before[done])
            done++;
        else
            wait_for_next_look();
    }
    return us_since(begin);
}

static int cmp_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void probe_all(struct conn *c, uint32_t n)
{
    static double took[PROBES_MAX];

    settle();
    double cpu = blast_cpu_seconds();
    for (uint32_t i = 0; i < n; i++) {
        took[i] = probe(c, FIRST_PROBE + ((i + 1) << 8));
        blast_step(); // keepalives; and a pause
    }
    settle();
    cpu = (blast_cpu_seconds() - cpu) * 1e6 / n;
    qsort(took, n, sizeof(took[0]), cmp_double);
    printf("route %u %.0f %.0f %.0f\n", maps.n, took[n / 2], took[n - 1 - n / 100], cpu); // 99 of 100 within that
}

static void load(struct conn *c)
{
    blast_make_table(c, 0);
    c->tx_off = 0;
    while (c->tx_off < c->tx_len)
        blast_step();
    settle();
}

static uint32_t sample_of(uint32_t i)
{
    return FIRST_PREFIX + ((blast.routes - 1) / SAMPLES * i << 8);
}

static void move(struct conn *a, struct conn *b, const char *pins)
{
    char line[16];
    uint32_t done = 0, n = SAMPLES * maps.n;
    double first = 0;

    load(a);
    open_maps(pins);
    uint32_t nic = nic_of(find(maps.domains[0], sample_of(0)));
    load(b);
    open_maps(pins);
    printf("loaded\n");
    (void)!fgets(line, sizeof(line), stdin);
    double cpu = blast_cpu_seconds();
    uint64_t begin = blast_now_us();
    (void)close(a->fd);
    a->fd = -1;
    a->retry_ms = UINT64_MAX;
    a->established = false;
    while (done < n) {
        if (leads_to(find(maps.domains[done % maps.n], sample_of(done / maps.n)), nic))
            wait_for_next_look();
        else if (done++ == 0)
            first = us_since(begin);
    }
    double all = us_since(begin);
    settle();
    printf("moved %.0f %.0f %.0f\n", first, all, (blast_cpu_seconds() - cpu) * 1e6);
}

int main(int argc, char **argv)
{
    struct in_addr addr;

    if (argc < 9 || argc - 9 > PIDS_MAX || inet_pton(AF_INET, argv[2], &addr) != 1)
        blast_fail("usage: scale_route PINS ROUTE_SERVER PROBES PREFIXES NETNS ADDRESS NETNS ADDRESS PID...");
    setvbuf(stdout, NULL, _IOLBF, 0);
    blast.remote = ntohl(addr.s_addr);
    blast.routes = (uint32_t)strtoul(argv[4], NULL, 10);
    blast.deadline_ms = blast_now_us() / 1000 + 300000;
    for (int i = 9; i < argc; i++)
        blast.pids[blast.n_pids++] = argv[i];
    be_prompt();
    open_maps(argv[1]);
    struct conn *a = connect_from(argv[5], argv[6], 65001);
    find_domains(a);
    probe_all(a, MIN((uint32_t)strtoul(argv[3], NULL, 10), PROBES_MAX));
    if (!blast.routes)
        return 0;
    struct conn *b = connect_from(argv[7], argv[8], 65002);
    move(a, b, argv[1]);
    b->farther = true;
    load(b);
    move(connect_from(argv[5], argv[6], 65001), b, argv[1]);
    return 0;
}
