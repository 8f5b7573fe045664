// SPDX-License-Identifier: GPL-2.0-or-later
// How long routes take from a BGP peer into a kernel table, and how long forwarding takes to follow a peer's death.
// Prints one JSON line with the seconds of each phase.
//
//   fib_blast NETNS REMOTE ROUTES TIMEOUT_S PID…     with a daemon whose main table is in namespace file NETNS
//   fib_blast NETNS - ROUTES TIMEOUT_S               raw netlink, 512 routes a batch, by a next-hop object: the limit
//
//   load     10.0.0.10 (AS 65001) announces ROUTES prefixes, ten a path, until the table has all
//   latency  with them there, one prefix more, and so 200 times; until a listener hears of the kernel's route
//   switch   10.0.0.11 announces the same prefixes; when all is quiet, 10.0.0.10 closes its connection: until the first
//            and until every one of 256 sampled prefixes leads to 10.0.0.11 alone
//   clear    10.0.0.11 closes its connection too, until the table is empty
#include "blast.h"
#include "util/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SAMPLES       256u
#define PROBES        200u
#define FIRST_PROBE   0x12000000u // 18.0.n.0/24
#define BATCH         512u
#define QUIET_US      400000u
#define NHID          77u
#define RECEIVE_BYTES (64 << 20)
#define OBJECTS_MAX   64u // that a look remembers

static int here = -1, there = -1; // namespaces

static void enter(int ns)
{
    if (setns(ns, CLONE_NEWNET) < 0)
        blast_fail("setns: %s", strerror(errno));
}

static int open_netlink(unsigned groups)
{
    struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = groups};
    int size = RECEIVE_BYTES;

    enter(there);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        blast_fail("netlink: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    enter(here);
    return fd;
}

// --- what the table has

// Prefixes in the main table, by the kernel's own statistics.
static uint32_t count_routes(void)
{
    char line[128];
    unsigned n = 0, total = 0;
    bool main_table = false;

    enter(there);
    FILE *f = fopen("/proc/thread-self/net/fib_triestat", "re");
    enter(here);
    while (f && fgets(line, sizeof(line), f)) {
        if (line[0] != '\t' && line[0] != ' ')
            main_table = strncmp(line, "Main:", 5) == 0 || strncmp(line, "Id 254:", 7) == 0;
        if (main_table && sscanf(line, " Prefixes: %u", &n) == 1)
            total += n;
    }
    if (f)
        (void)fclose(f);
    return total;
}

struct answer {
    uint8_t len;        // of the prefix; 255: no route
    bool first, second; // next hops: of the senders
};

static void add_gateway(const struct nlattr *attr, struct answer *answer)
{
    uint32_t gateway = ntohl(mnl_attr_get_u32(attr));
    answer->first |= gateway == FIRST_SENDER;
    answer->second |= gateway == FIRST_SENDER + 1;
}

static void add_multipath(const struct nlattr *attr, struct answer *answer)
{
    const struct rtnexthop *hop = mnl_attr_get_payload(attr);
    int left = mnl_attr_get_payload_len(attr);

    for (; RTNH_OK(hop, left); left -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
        const struct nlattr *a = (const struct nlattr *)RTNH_DATA(hop),
                            *end = (const void *)((const char *)hop + hop->rtnh_len);
        for (; a < end && a->nla_len; a = mnl_attr_next(a))
            if (mnl_attr_get_type(a) == RTA_GATEWAY)
                add_gateway(a, answer);
    }
}

// Of a next-hop object, and of its members. (The kernel adds gateways to routes only where net.ipv4.nexthop_compat_mode
// is 1.)
static void add_object(int fd, uint32_t id, struct answer *answer)
{
    char buf[8192] __attribute__((aligned(8)));
    struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
    struct nhmsg *nhm = mnl_nlmsg_put_extra_header(msg, sizeof(*nhm));
    const struct nlattr *attr;

    msg->nlmsg_type = RTM_GETNEXTHOP;
    msg->nlmsg_flags = NLM_F_REQUEST;
    mnl_attr_put_u32(msg, NHA_ID, id);
    if (send(fd, msg, msg->nlmsg_len, 0) < 0)
        blast_fail("netlink: %s", strerror(errno));
    if (recv(fd, buf, sizeof(buf), 0) < 0 || msg->nlmsg_type != RTM_NEWNEXTHOP)
        return;
    mnl_attr_for_each(attr, msg, sizeof(*nhm))
    {
        const struct nexthop_grp *members = mnl_attr_get_payload(attr);
        if (mnl_attr_get_type(attr) == NHA_GATEWAY)
            add_gateway(attr, answer);
        for (size_t i = 0;
             mnl_attr_get_type(attr) == NHA_GROUP && i < mnl_attr_get_payload_len(attr) / sizeof(*members); i++)
            add_object(fd, members[i].id, answer);
    }
}

// What entry of the table decides for `addr`? Returns the length of the question in `buf`.
static size_t put_question(void *buf, uint32_t addr)
{
    struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(msg, sizeof(*rtm));

    msg->nlmsg_type = RTM_GETROUTE;
    msg->nlmsg_flags = NLM_F_REQUEST;
    rtm->rtm_family = AF_INET;
    rtm->rtm_dst_len = 32;
    rtm->rtm_flags = RTM_F_FIB_MATCH;
    mnl_attr_put_u32(msg, RTA_DST, htonl(addr));
    return msg->nlmsg_len;
}

// *ret_object: the next-hop object where the route names nothing else.
static struct answer read_answer(int fd, uint32_t *ret_object)
{
    char buf[8192] __attribute__((aligned(8)));
    const struct nlmsghdr *msg = (const struct nlmsghdr *)buf;
    struct answer answer = {.len = 255};
    const struct nlattr *attr;
    uint32_t object = 0;

    if (recv(fd, buf, sizeof(buf), 0) < 0 || msg->nlmsg_type != RTM_NEWROUTE)
        return answer;
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(msg);
    answer.len = rtm->rtm_dst_len;
    mnl_attr_for_each(attr, msg, sizeof(*rtm))
    {
        if (mnl_attr_get_type(attr) == RTA_GATEWAY)
            add_gateway(attr, &answer);
        if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
            add_multipath(attr, &answer);
        if (mnl_attr_get_type(attr) == RTA_NH_ID)
            object = mnl_attr_get_u32(attr);
    }
    *ret_object = answer.first || answer.second ? 0 : object;
    return answer;
}

static struct answer ask(int fd, uint32_t addr)
{
    char buf[64] __attribute__((aligned(8)));
    uint32_t object = 0;

    if (send(fd, buf, put_question(buf, addr), 0) < 0)
        blast_fail("netlink: %s", strerror(errno));
    struct answer answer = read_answer(fd, &object);
    if (object)
        add_object(fd, object, &answer);
    return answer;
}

static uint32_t sample(uint32_t i)
{
    return FIRST_PREFIX + ((uint32_t)((uint64_t)i * blast.routes / SAMPLES) << 8) + 1;
}

// --- phases

static double seconds_since(uint64_t begin)
{
    return (double)(blast_now_us() - begin) / 1e6;
}

static void wait_quiet(void)
{
    double cpu = blast_cpu_seconds();
    uint64_t since = blast_now_us();

    while (blast_now_us() - since < QUIET_US) {
        blast_step();
        double now = blast_cpu_seconds();
        if (now > cpu + 0.011) { // a tick may always be
            cpu = now;
            since = blast_now_us();
        }
    }
}

static struct conn *sender_up(unsigned i)
{
    struct conn *c = blast_add(FIRST_SENDER + i, 65001 + i);

    blast_make_table(c, i);
    while (!c->established)
        blast_step();
    return c;
}

static void announce(struct conn *c, unsigned marker, int fd)
{
    c->tx_off = 0;
    while (c->tx_off < c->tx_len)
        blast_step();
    uint32_t addr = FIRST_MARKER + (marker << 8) + 1;
    for (struct answer a = ask(fd, addr); a.len != 24; a = ask(fd, addr)) {
        if (blast_now_us() / 1000 > blast.deadline_ms)
            blast_fail("the table is not complete within the time given");
        (void)usleep(2000);
    }
}

static double load(struct conn *c, int fd, uint32_t before)
{
    uint64_t begin = blast_now_us();

    announce(c, 0, fd);
    while (count_routes() < before + blast.routes + 1) {
        if (blast_now_us() / 1000 > blast.deadline_ms)
            blast_fail("the table is not complete within the time given");
        (void)usleep(10000);
    }
    return seconds_since(begin);
}

static bool heard(int fd, uint32_t addr)
{
    char buf[32768] __attribute__((aligned(8)));
    ssize_t len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
    int left = (int)len;

    for (const struct nlmsghdr *msg = (void *)buf; len > 0 && mnl_nlmsg_ok(msg, left);
         msg = mnl_nlmsg_next(msg, &left)) {
        const struct rtmsg *rtm = mnl_nlmsg_get_payload(msg);
        const struct nlattr *attr;
        mnl_attr_for_each(attr, msg, sizeof(*rtm))
        {
            if (msg->nlmsg_type == RTM_NEWROUTE && rtm->rtm_dst_len == 24 && mnl_attr_get_type(attr) == RTA_DST &&
                ntohl(mnl_attr_get_u32(attr)) == addr)
                return true;
        }
    }
    return false;
}

static int cmp_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void latency(struct conn *c, double *ret_p50, double *ret_p99)
{
    static double took[PROBES];
    int fd = open_netlink(RTMGRP_IPV4_ROUTE);
    uint8_t msg[128];

    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t addr = FIRST_PROBE + (i << 8);
        size_t len = (size_t)(blast_put_update(msg, c, i, addr, 1) - msg);
        uint64_t begin = blast_now_us();
        if (send(c->fd, msg, len, MSG_NOSIGNAL) != (ssize_t)len)
            blast_fail("cannot send");
        while (!heard(fd, addr)) {
            if (seconds_since(begin) > 10)
                blast_fail("a single prefix did not arrive");
        }
        took[i] = seconds_since(begin);
        for (int n = 0; n < 2; n++)
            blast_step(); // keepalives; and a pause
    }
    (void)close(fd);
    qsort(took, PROBES, sizeof(took[0]), cmp_double);
    *ret_p50 = took[PROBES / 2];
    *ret_p99 = took[PROBES * 99 / 100];
}

// One look at every sample: the questions go together, and a next-hop object is asked for once. Two looks are a
// millisecond apart where asking one by one takes five.
struct look {
    uint32_t switched;
    uint32_t ids[OBJECTS_MAX];
    bool right[OBJECTS_MAX];
    size_t n;
};

static bool is_switched(const struct answer *answer)
{
    return answer->len == 24 && answer->second && !answer->first;
}

static bool object_is_switched(int fd, struct look *look, struct answer answer, uint32_t id)
{
    size_t i = 0;

    while (i < look->n && look->ids[i] != id)
        i++;
    if (i < look->n)
        return answer.len == 24 && look->right[i];
    add_object(fd, id, &answer);
    if (look->n < OBJECTS_MAX) {
        look->ids[look->n] = id;
        look->right[look->n++] = answer.second && !answer.first;
    }
    return is_switched(&answer);
}

static uint32_t look_at_all(int routes_fd, int objects_fd)
{
    static char buf[SAMPLES * 64] __attribute__((aligned(8)));
    struct look look = {0};
    size_t len = 0;

    for (uint32_t i = 0; i < SAMPLES; i++)
        len += put_question(buf + len, sample(i));
    if (send(routes_fd, buf, len, 0) < 0)
        blast_fail("netlink: %s", strerror(errno));
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint32_t object = 0;
        struct answer answer = read_answer(routes_fd, &object);
        look.switched += object ? object_is_switched(objects_fd, &look, answer, object) : is_switched(&answer);
    }
    return look.switched;
}

static void kill_first(struct conn *c, double *ret_first, double *ret_all)
{
    int routes_fd = open_netlink(0), objects_fd = open_netlink(0);
    uint32_t switched = 0;
    uint64_t begin = blast_now_us();

    *ret_first = 0;
    (void)close(c->fd);
    c->fd = -1;
    c->retry_ms = UINT64_MAX;
    c->established = false;
    while (switched < SAMPLES) {
        if (blast_now_us() / 1000 > blast.deadline_ms)
            blast_fail("forwarding did not follow within the time given");
        switched = look_at_all(routes_fd, objects_fd);
        if (switched && *ret_first <= 0)
            *ret_first = seconds_since(begin);
    }
    *ret_all = seconds_since(begin);
    (void)close(routes_fd);
    (void)close(objects_fd);
}

static double clear(struct conn *c, int fd, uint32_t before)
{
    uint32_t done = 0;
    uint64_t begin = blast_now_us();

    (void)close(c->fd);
    c->fd = -1;
    c->retry_ms = UINT64_MAX;
    c->established = false;
    while (done < SAMPLES || count_routes() > before) { // counting takes the kernel a while
        if (blast_now_us() / 1000 > blast.deadline_ms)
            return -1; // not within the time given; the rest is told
        if (done < SAMPLES && ask(fd, sample(done)).len != 24)
            done++;
        else
            (void)usleep(10000);
    }
    return seconds_since(begin);
}

// Proportional set size of the daemon's processes.
static unsigned long pss_kib(void)
{
    unsigned long total = 0;

    for (int i = 0; i < blast.n_pids; i++) {
        char path[64], line[256];
        unsigned long kib = 0;
        (void)snprintf(path, sizeof(path), "/proc/%s/smaps_rollup", blast.pids[i]);
        FILE *f = fopen(path, "re");
        if (!f)
            blast_fail("process %s is gone", blast.pids[i]);
        while (fgets(line, sizeof(line), f))
            if (sscanf(line, "Pss: %lu", &kib) == 1)
                total += kib;
        (void)fclose(f);
    }
    return total;
}

static void measure(void)
{
    int fd = open_netlink(0);
    uint32_t before = count_routes();
    double cpu = blast_cpu_seconds(), p50, p99, first, all;
    struct conn *a = sender_up(0);

    double load_s = load(a, fd, before), load_cpu = blast_cpu_seconds() - cpu;
    wait_quiet();
    unsigned long pss = pss_kib();
    latency(a, &p50, &p99);
    cpu = blast_cpu_seconds();
    struct conn *b = sender_up(1);
    announce(b, 1, fd);
    wait_quiet();
    kill_first(a, &first, &all);
    wait_quiet();
    double switch_cpu = blast_cpu_seconds() - cpu;
    double clear_s = clear(b, fd, before);
    printf("{\"load_s\": %.4f, \"load_cpu_s\": %.2f, \"pss_kib\": %lu, ", load_s, load_cpu, pss);
    printf("\"p50_s\": %.6f, \"p99_s\": %.6f, ", p50, p99);
    printf("\"first_s\": %.6f, \"switch_s\": %.6f, \"switch_cpu_s\": %.2f, ", first, all, switch_cpu);
    if (clear_s >= 0)
        printf("\"clear_s\": %.4f, ", clear_s);
    printf("\"peak_kib\": %lu}\n", blast_peak_kib());
}

// --- raw netlink

static void put_nexthop(int fd)
{
    char buf[256] __attribute__((aligned(8)));
    struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
    struct nhmsg *nhm = mnl_nlmsg_put_extra_header(msg, sizeof(*nhm));

    enter(there);
    uint32_t link = if_nametoindex("eth0");
    enter(here);
    msg->nlmsg_type = RTM_NEWNEXTHOP;
    msg->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
    nhm->nh_family = AF_INET;
    mnl_attr_put_u32(msg, NHA_ID, NHID);
    mnl_attr_put_u32(msg, NHA_OIF, link);
    mnl_attr_put_u32(msg, NHA_GATEWAY, htonl(FIRST_SENDER));
    if (send(fd, msg, msg->nlmsg_len, 0) < 0 || recv(fd, buf, sizeof(buf), 0) < 0 ||
        ((struct nlmsgerr *)mnl_nlmsg_get_payload((struct nlmsghdr *)buf))->error)
        blast_fail("no next-hop object");
}

static void raw(void)
{
    static char batch[BATCH * 64] __attribute__((aligned(8)));
    char answer[4096];
    int fd = open_netlink(0);

    put_nexthop(fd);
    uint64_t begin = blast_now_us();
    for (uint32_t i = 0; i < blast.routes;) {
        size_t len = 0;
        for (uint32_t n = 0; n < BATCH && i < blast.routes; n++, i++) {
            struct nlmsghdr *msg = mnl_nlmsg_put_header(batch + len);
            struct rtmsg *rtm = mnl_nlmsg_put_extra_header(msg, sizeof(*rtm));
            bool last = n == BATCH - 1 || i == blast.routes - 1;
            msg->nlmsg_type = RTM_NEWROUTE;
            msg->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | (last ? NLM_F_ACK : 0);
            *rtm = (struct rtmsg){.rtm_family = AF_INET,
                                  .rtm_dst_len = 24,
                                  .rtm_table = RT_TABLE_MAIN,
                                  .rtm_protocol = 77,
                                  .rtm_type = RTN_UNICAST};
            mnl_attr_put_u32(msg, RTA_DST, htonl(FIRST_PREFIX + (i << 8)));
            mnl_attr_put_u32(msg, RTA_NH_ID, NHID);
            len += msg->nlmsg_len;
        }
        if (send(fd, batch, len, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0 ||
            ((struct nlmsgerr *)mnl_nlmsg_get_payload((struct nlmsghdr *)answer))->error)
            blast_fail("the kernel refused a route");
    }
    printf("{\"load_s\": %.4f}\n", seconds_since(begin));
}

int main(int argc, char **argv)
{
    struct in_addr addr = {0};

    if (argc < 5 || argc - 5 > PIDS_MAX || (argv[2][0] != '-' && inet_pton(AF_INET, argv[2], &addr) != 1))
        blast_fail("usage: fib_blast NETNS REMOTE|- ROUTES TIMEOUT PID...");
    here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    there = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (here < 0 || there < 0)
        blast_fail("cannot open namespace '%s'", argv[1]);
    blast.remote = ntohl(addr.s_addr);
    blast.routes = (uint32_t)strtoul(argv[3], NULL, 10);
    blast.deadline_ms = blast_now_us() / 1000 + strtoul(argv[4], NULL, 10) * 1000;
    for (int i = 5; i < argc; i++)
        blast.pids[blast.n_pids++] = argv[i];
    if (!blast.routes || blast.routes > ROUTES_MAX)
        blast_fail("too many or too few routes");
    if (argv[2][0] == '-')
        raw();
    else
        measure();
    return 0;
}
