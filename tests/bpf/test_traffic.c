// SPDX-License-Identifier: GPL-2.0-or-later
// Real packets between real namespaces, over clsact and over TCX: neighbour discovery, ping, TCP with segmentation
// offload, path MTU discovery, frames that test runs cannot carry, and forwarding after the process has gone.
//
//   namespace a: eth0 10.0.0.4/24 fd00::4/64 ──── f16 ┐
//   namespace b: eth0 10.0.1.4/24 fd00:1::4/64 ── f17 ├ fabric (this process)
//   namespace c: eth0 10.0.3.4/24 fd00:3::4/64 ── f24 ┘ c has an MTU of 1280, and so has its NIC
#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/tcp.h>

#define TRANSFER   (64u << 20)
#define DEADLINE_S 30

struct machine {
    const char *name;
    unsigned ifindex, mtu;
    const char *addr, *gateway, *addr6, *gateway6;
    int netns;
};

static struct machine machines[] = {
    {"a", VM_A, 1500, "10.0.0.4", "10.0.0.1", "fd00::4", "fd00::1", -1},
    {"b", VM_B, 1500, "10.0.1.4", "10.0.1.1", "fd00:1::4", "fd00:1::1", -1},
    {"c", SMALL, 1280, "10.0.3.4", "10.0.3.1", "fd00:3::4", "fd00:3::1", -1},
};

static struct fixture fx;
static int fabric_netns = -1;

static void machine_enter(const struct machine *m)
{
    assert_int_equal(setns(m->netns, CLONE_NEWNET), 0);
}

static void fabric_enter(void)
{
    assert_int_equal(setns(fabric_netns, CLONE_NEWNET), 0);
}

// Run a command in a machine; true: it succeeded.
static bool in_machine(const struct machine *m, const char *fmt, ...)
{
    char command[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    machine_enter(m);
    int status = system(command);
    fabric_enter();
    return status == 0;
}

static void machine_make(struct machine *m)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "vnrs-test-bpf-%s", m->name);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    m->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(m->netns >= 0);
    fabric_enter();
    sh("ip link add f%u index %u type veth peer name g%u netns /proc/%d/fd/%d", m->ifindex, m->ifindex, m->ifindex,
       getpid(), m->netns);
    sh("sysctl -qw net.ipv6.conf.f%u.disable_ipv6=1 && ip link set f%u mtu 65535 up", m->ifindex, m->ifindex);
    assert_true(in_machine(m,
                           "ip link set lo up && ip link set g%u name eth0 address 02:00:00:00:00:%02x mtu %u up && "
                           "ip addr add %s/24 dev eth0 && ip addr add %s/64 dev eth0 nodad && "
                           "ip route add default via %s && ip route add default via %s dev eth0",
                           m->ifindex, m->ifindex, m->mtu, m->addr, m->addr6, m->gateway, m->gateway6));
}

static bool ping(const struct machine *from, const char *to, unsigned size)
{
    return in_machine(from, "ping -q -n -c 3 -i 0.01 -W 2 -M do -s %u %s >/dev/null", size, to);
}

static void machines_ping_each_other(void **state)
{
    struct vnrs_bpf_counter before[2], after[2];

    (void)state;
    fixture_nic_counters(&fx, VM_B, before);
    assert_true(ping(&machines[0], "10.0.1.4", 1472));
    assert_true(ping(&machines[0], "fd00:1::4", 1452));
    assert_true(ping(&machines[1], "10.0.0.4", 56));
    assert_true(ping(&machines[1], "fd00::4", 56));
    fixture_nic_counters(&fx, VM_B, after);
    assert_true(after[TO_NIC].bytes - before[TO_NIC].bytes >= 3 * (1500 + 1500));
    // answered by the fabric, with its address
    assert_true(in_machine(&machines[0], "ip neigh show dev eth0 | grep -q '10.0.0.1 lladdr " FABRIC_MAC "'"));
    assert_true(in_machine(&machines[0], "ip neigh show dev eth0 | grep -q 'fd00::1 lladdr " FABRIC_MAC "'"));
}

static void a_spoofing_machine_reaches_nobody(void **state)
{
    struct vnrs_bpf_counter before[_VNRS_DROP_MAX], after[_VNRS_DROP_MAX];

    (void)state;
    assert_true(in_machine(&machines[0], "ip addr add 10.0.0.77/24 dev eth0"));
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, before), 0);
    assert_false(in_machine(&machines[0], "ping -q -n -c 1 -W 1 -I 10.0.0.77 10.0.1.4 >/dev/null"));
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, after), 0);
    assert_int_equal(after[VNRS_DROP_SOURCE].packets, before[VNRS_DROP_SOURCE].packets + 1);
    assert_true(in_machine(&machines[0], "ip addr del 10.0.0.77/24 dev eth0"));
}

// --- TCP ---

static int tcp_socket(const struct machine *m, const char *addr, uint16_t port, bool connect_to)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&ss;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
    const struct timeval deadline = {.tv_sec = DEADLINE_S};
    bool v6 = strchr(addr, ':');

    if (v6)
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    else
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, addr, v6 ? (void *)&in6->sin6_addr : &in->sin_addr), 1);
    machine_enter(m);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fabric_enter();
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline)), 0);
    socklen_t len = v6 ? sizeof(*in6) : sizeof(*in);
    if (connect_to)
        assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
    else
        assert_int_equal(bind(fd, (struct sockaddr *)&ss, len) || listen(fd, 1), 0);
    return fd;
}

static void send_all(int fd)
{
    static uint8_t buf[1 << 20];

    for (unsigned sent = 0; sent < TRANSFER;) {
        for (unsigned i = 0; i < sizeof(buf); i++)
            buf[i] = (uint8_t)((sent + i) * 31 >> 8);
        ssize_t n = send(fd, buf, sizeof(buf), MSG_NOSIGNAL);
        if (n <= 0)
            _exit(1);
        sent += (unsigned)n;
    }
    _exit(0);
}

// Bytes that arrived as they were sent.
static unsigned receive_all(int fd)
{
    static uint8_t buf[1 << 20];
    unsigned got = 0;

    while (got < TRANSFER) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++, got++) {
            if (buf[i] != (uint8_t)(got * 31 >> 8))
                return got;
        }
    }
    return got;
}

// Returns packets of more than the MTU that the receiving NIC was given: none if segmentation were not offloaded.
static void transfer(const struct machine *from, const struct machine *to, bool v6)
{
    const char *addr = v6 ? to->addr6 : to->addr;
    int status;

    int listener = tcp_socket(to, addr, 5001, false);
    int sender = tcp_socket(from, addr, 5001, true);
    int receiver = accept(listener, NULL, NULL);
    assert_true(receiver >= 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        send_all(sender);
    unsigned got = receive_all(receiver);
    (void)close(listener);
    (void)close(sender);
    (void)close(receiver);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(got, TRANSFER);
    assert_int_equal(status, 0);
}

static void tcp_is_carried_with_segmentation_offload(void **state)
{
    struct vnrs_bpf_counter before[2], after[2];

    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        fixture_nic_counters(&fx, VM_B, before);
        transfer(&machines[0], &machines[1], v6);
        fixture_nic_counters(&fx, VM_B, after);
        uint64_t packets = after[TO_NIC].packets - before[TO_NIC].packets;
        uint64_t bytes = after[TO_NIC].bytes - before[TO_NIC].bytes;
        assert_true(bytes >= TRANSFER && bytes < TRANSFER + TRANSFER / 4);
        assert_true(packets >= TRANSFER / 1460); // counted as on the wire, although they came in bundles
    }
}

static void path_mtu_is_discovered(void **state)
{
    struct vnrs_bpf_counter before[_VNRS_DROP_MAX], after[_VNRS_DROP_MAX];

    (void)state;
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, before), 0);
    assert_false(ping(&machines[0], "10.0.3.4", 1472));
    assert_false(ping(&machines[0], "fd00:3::4", 1452));
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, after), 0);
    assert_true(after[VNRS_DROP_TOO_BIG].packets > before[VNRS_DROP_TOO_BIG].packets);
    assert_true(in_machine(&machines[0], "ip route get 10.0.3.4 | grep -q 'mtu 1280'"));
    assert_true(in_machine(&machines[0], "ip -6 route get fd00:3::4 | grep -q 'mtu 1280'"));
    assert_true(ping(&machines[0], "10.0.3.4", 1252));
    assert_true(ping(&machines[0], "fd00:3::4", 1232));
    assert_true(in_machine(&machines[0], "ip route flush cache && ip -6 route flush cache"));
}

// TCP learns it from an error about a bundle of segments, although the handshake promised more.
static void path_mtu_is_discovered_by_tcp(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        // The small machine would say what it takes in the handshake; make it promise 1460.
        assert_true(in_machine(&machines[2], "ip link set eth0 mtu 1500"));
        transfer(&machines[0], &machines[2], v6);
        assert_true(in_machine(&machines[2], "ip link set eth0 mtu 1280"));
    }
    assert_true(in_machine(&machines[0], "ip route get 10.0.3.4 | grep -q 'mtu 1280'"));
    assert_true(in_machine(&machines[0], "ip -6 route get fd00:3::4 | grep -q 'mtu 1280'"));
    assert_true(in_machine(&machines[0], "ip route flush cache && ip -6 route flush cache"));
}

// --- odd frames ---

static void send_frame(const struct machine *m, const void *bytes, size_t len)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET};

    machine_enter(m);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    to.sll_ifindex = (int)if_nametoindex("eth0");
    fabric_enter();
    assert_true(fd >= 0);
    assert_int_equal(sendto(fd, bytes, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
    (void)close(fd);
}

// veth hands a frame over in the sender's own call or in the softirq right after it; give a slow machine some time.
static void assert_drops_reach(uint32_t reason, uint64_t packets)
{
    struct vnrs_bpf_counter drops[_VNRS_DROP_MAX];

    for (int tries = 0; tries < 500; tries++) {
        assert_int_equal(vnrs_bpf_counters_drop(fx.dp, drops), 0);
        if (drops[reason].packets >= packets)
            break;
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(drops[reason].packets, packets);
}

static void headers_cut_short_are_malformed(void **state)
{
    const struct spec v4 = {.src = "10.0.0.4", .dst = "10.0.1.4"}, v6 = {.src = "fd00::4", .dst = "fd00:1::4"};
    struct vnrs_bpf_counter before[_VNRS_DROP_MAX];
    struct frame frame;
    uint64_t sent = 0;

    (void)state;
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, before), 0);
    frame_build(&v4, &frame);
    for (size_t len = 15; len < 34; len++, sent++)
        send_frame(&machines[0], frame.bytes, len);
    frame_build(&v6, &frame);
    for (size_t len = 15; len < 54; len++, sent++)
        send_frame(&machines[0], frame.bytes, len);
    assert_drops_reach(VNRS_DROP_MALFORMED, before[VNRS_DROP_MALFORMED].packets + sent);
}

static void vlan_tags_are_dropped(void **state)
{
    struct vnrs_bpf_counter before[_VNRS_DROP_MAX];
    const struct spec tagged = {.ethertype = 0x8100, .payload = 60};
    struct frame frame;

    (void)state;
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, before), 0);
    frame_build(&tagged, &frame); // the kernel moves the tag out of the frame before the program runs
    send_frame(&machines[0], frame.bytes, frame.len);
    assert_drops_reach(VNRS_DROP_VLAN, before[VNRS_DROP_VLAN].packets + 1);
}

static void forwarding_goes_on_without_the_process(void **state)
{
    (void)state;
    fixture_close(&fx, false);
    assert_true(ping(&machines[0], "10.0.1.4", 56));
    assert_true(ping(&machines[0], "fd00:1::4", 56));
    fixture_open(&fx);
    assert_true(ping(&machines[0], "10.0.1.4", 56));
}

static int setup(void **state, enum vnrs_bpf_attach how)
{
    (void)state;
    fixture_enter_namespace();
    fabric_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(fabric_netns >= 0);
    fixture_open(&fx);
    fixture_fill(fx.sink);
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        machine_make(&machines[i]);
        int err = vnrs_bpf_dataplane_attach(fx.dp, machines[i].ifindex, how);
        if (err == -EOPNOTSUPP)
            return -1;
        assert_int_equal(err, 0);
    }
    return 0;
}

static int setup_clsact(void **state)
{
    return setup(state, VNRS_BPF_ATTACH_FILTER);
}

static int setup_tcx(void **state)
{
    return setup(state, VNRS_BPF_ATTACH_TCX);
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        assert_int_equal(vnrs_bpf_dataplane_detach(fx.dp, machines[i].ifindex), 0);
        sh("ip link del f%u", machines[i].ifindex);
        (void)close(machines[i].netns);
    }
    fixture_close(&fx, true);
    (void)close(fabric_netns);
    return 0;
}

static bool has_tcx(void)
{
    fixture_open(&fx);
    bool has = vnrs_bpf_dataplane_has_tcx(fx.dp);
    fixture_close(&fx, true);
    return has;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machines_ping_each_other),
        cmocka_unit_test(a_spoofing_machine_reaches_nobody),
        cmocka_unit_test(tcp_is_carried_with_segmentation_offload),
        cmocka_unit_test(path_mtu_is_discovered),
        cmocka_unit_test(path_mtu_is_discovered_by_tcp),
        cmocka_unit_test(headers_cut_short_are_malformed),
        cmocka_unit_test(vlan_tags_are_dropped),
        cmocka_unit_test(forwarding_goes_on_without_the_process),
    };

    fixture_require_root();
    int failed = cmocka_run_group_tests_name("bpf.traffic clsact", tests, setup_clsact, teardown);
    if (has_tcx())
        failed += cmocka_run_group_tests_name("bpf.traffic tcx", tests, setup_tcx, teardown);
    return failed;
}
