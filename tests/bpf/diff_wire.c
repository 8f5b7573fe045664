// SPDX-License-Identifier: GPL-2.0-or-later
#include "diff_wire.h"

#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define GUEST_BASE  1000u // number of a machine's end: that of the fabric's end and this
#define FOLLOW_TYPE 0x88b6
#define DEADLINE_MS 10000
#define MTU_DEFAULT 1500u

static void enter(int fd)
{
    assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

static int new_namespace(void)
{
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    int fd = open("/proc/self/ns/net", O_RDONLY); // named by commands
    assert_true(fd >= 0);
    sh("ip link set lo up");
    return fd;
}

// One CPU, one queue: what is sent first is handled first.
static void stay_on_one_cpu(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();

    CPU_ZERO(&set);
    CPU_SET(cpu < 0 ? 0 : (unsigned)cpu, &set);
    assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void batch_begin(FILE **ret_pipe)
{
    *ret_pipe = popen("ip -batch -", "w");
    assert_non_null(*ret_pipe);
}

static void batch_end(FILE *pipe)
{
    assert_int_equal(pclose(pipe), 0);
}

static void open_socket(struct wire *wire)
{
    const int on = 1, size = 8 << 20;

    enter(wire->guest_fd);
    wire->sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    wire->follow_ifindex = (int)if_nametoindex("s0");
    assert_true(wire->sock >= 0 && wire->follow_ifindex);
    assert_int_equal(setsockopt(wire->sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
    (void)setsockopt(wire->sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    enter(wire->fabric_fd);
}

void wire_open(struct wire *wire, uint32_t first, uint32_t n)
{
    FILE *pipe;

    stay_on_one_cpu();
    *wire = (struct wire){.first = first, .n = n};
    wire->guest_fd = new_namespace();
    // The machines' ends say nothing of their own.
    sh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1");
    sh("ip link add s0 type veth peer name s1 && ip link set s0 up && ip link set s1 up");
    wire->fabric_fd = new_namespace();
    sh("sysctl -qw net.ipv6.conf.default.router_solicitations=0 net.ipv6.conf.default.accept_dad=0");
    batch_begin(&pipe);
    for (uint32_t i = first; i < first + n; i++)
        (void)fprintf(pipe,
                      "link add f%u index %u address " FABRIC_MAC " type veth peer name g%u index %u netns "
                      "/proc/%d/fd/%d\n",
                      i, i, i, GUEST_BASE + i, getpid(), wire->guest_fd);
    batch_end(pipe);
    open_socket(wire);
    wire_set_mtus(wire, NULL);
}

void wire_close(struct wire *wire)
{
    (void)close(wire->sock);
    (void)close(wire->guest_fd);
    (void)close(wire->fabric_fd);
}

static void set_mtus(const struct wire *wire, int ns, char name, const unsigned *mtus)
{
    FILE *pipe;

    enter(ns);
    batch_begin(&pipe);
    for (uint32_t i = 0; i < wire->n; i++)
        (void)fprintf(pipe, "link set %c%u mtu %u up\n", name, wire->first + i, mtus ? mtus[i] : MTU_DEFAULT);
    batch_end(pipe);
    enter(wire->fabric_fd);
}

void wire_set_mtus(struct wire *wire, const unsigned *mtus)
{
    set_mtus(wire, wire->guest_fd, 'g', mtus);
    set_mtus(wire, wire->fabric_fd, 'f', mtus);
}

static int send_on(const struct wire *wire, int ifindex, const void *frame, size_t len)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};

    for (int tries = 0; tries < 100; tries++) {
        if (sendto(wire->sock, frame, len, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)len)
            return 0;
        if (errno != ENOBUFS && errno != EAGAIN)
            break;
        (void)poll(NULL, 0, 1);
    }
    return -errno;
}

// What the fabric's kernel says of its own to multicast groups: listener reports, also from no address while a link has
// none, and solicitations for machines that it wants to answer.
static bool is_own(const struct wire_arrival *a)
{
    static const uint8_t from[16] = {0xfe, 0x80, [8] = 0x10, 0x34, 0x56, 0xff, 0xfe, 0x78, 0x9a, 0xbc}; // FABRIC_MAC
    static const uint8_t none[16] = {0};
    const uint8_t *source = a->bytes + 22, *destination = a->bytes + 38;

    if (a->len <= 54 || a->bytes[12] != 0x86 || a->bytes[13] != 0xdd)
        return false;
    if (memcmp(source, none, sizeof(none)) == 0)
        return destination[0] == 0xff && a->bytes[20] == IPPROTO_HOPOPTS; // an answer for the address :: has none
    return memcmp(source, from, sizeof(from)) == 0 && (destination[0] == 0xff || a->bytes[54] == 135);
}

// Until the frame that follows.
static void collect(struct wire *wire)
{
    struct pollfd poller = {.fd = wire->sock, .events = POLLIN};

    for (;;) {
        struct wire_arrival *a = &wire->arrivals[wire->n_arrivals];
        struct sockaddr_ll from = {0};
        socklen_t from_len = sizeof(from);
        ssize_t n = recvfrom(wire->sock, a->bytes, sizeof(a->bytes), 0, (struct sockaddr *)&from, &from_len);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            assert_int_equal(poll(&poller, 1, DEADLINE_MS), 1);
            continue;
        }
        if (ntohs(from.sll_protocol) == FOLLOW_TYPE && from.sll_ifindex < (int)GUEST_BASE)
            return;
        a->len = (size_t)n;
        a->ifindex = (uint32_t)from.sll_ifindex - GUEST_BASE;
        if (from.sll_ifindex > (int)GUEST_BASE && !is_own(a) && wire->n_arrivals + 1 < WIRE_ARRIVALS_MAX)
            wire->n_arrivals++;
    }
}

int wire_send(struct wire *wire, uint32_t ifindex, const void *frame, size_t len)
{
    static const uint8_t follow[60] = {[12] = FOLLOW_TYPE >> 8, [13] = FOLLOW_TYPE & 0xff};

    wire->n_arrivals = 0;
    int r = send_on(wire, (int)(GUEST_BASE + ifindex), frame, len);
    if (r < 0)
        return r;
    // The first comes after the frame, the second after what became of it.
    for (int i = 0; i < 2; i++) {
        assert_int_equal(send_on(wire, wire->follow_ifindex, follow, sizeof(follow)), 0);
        collect(wire);
    }
    return 0;
}
