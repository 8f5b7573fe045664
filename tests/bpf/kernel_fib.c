// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel_fib.h"

#include "fib/nlroute.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

// Next hops by address: an answer about an IPv6 route with a next-hop object is about the first route that used the
// object, and an error once that is gone (the kernel keeps one copy of a route for each object and CPU).
static struct vnrs_addr nexthop_of(uint8_t family, unsigned group)
{
    struct vnrs_addr addr = {.family = family, .bytes = {10, 255}};

    if (family == VNRS_AF_IPV6)
        memcpy(addr.bytes, (uint8_t[]){0xfe, 0x80}, 2);
    addr.bytes[family == VNRS_AF_IPV4 ? 3 : 15] = (uint8_t)group;
    return addr;
}

static void on_refusal(void *arg, uint64_t cookie, int error, const char *text)
{
    (void)arg, (void)error;
    fail_msg("the kernel refuses message %llu: %s", (unsigned long long)cookie, text);
}

void kernel_fib_open(struct kernel_fib *fib)
{
    _close_ int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    assert_true(before >= 0);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    // Without an address on any link IPv6 has no way to anywhere.
    sh("ip link add d0 type veth peer name d1 && ip link set d0 addrgenmode none up && ip link set d1 up && "
       "ip link set lo up");
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    fib->ifindex = if_nametoindex("d0");
    assert_int_equal(setns(before, CLONE_NEWNET), 0);
    assert_true(fd >= 0 && fib->ifindex);
    assert_int_equal(vnrs_nl_new(fd, &fib->nl), 0);
    assert_int_equal(vnrs_nl_handler_set(fib->nl, on_refusal, NULL), 0);
}

void kernel_fib_close(struct kernel_fib *fib)
{
    vnrs_nl_free(fib->nl);
    fib->nl = NULL;
}

void kernel_fib_set(struct kernel_fib *fib, const struct vnrs_prefix *prefix, unsigned group)
{
    const struct vnrs_nlroute route = {
        .prefix = *prefix,
        .table = RT_TABLE_MAIN,
        .metric = prefix->family == VNRS_AF_IPV6 ? VNRS_NL_METRIC6 : 0,
        .protocol = RTPROT_STATIC,
        .type = RTN_UNICAST,
        .n_hops = group != 0,
        .hops = {{.ifindex = fib->ifindex, .via = nexthop_of(prefix->family, group), .onlink = true}},
    };
    struct vnrs_nlmsg msg;

    assert_true(vnrs_nlroute_encode(&route, group ? VNRS_NL_PUT : VNRS_NL_DELETE, &msg));
    assert_int_equal(vnrs_nl_queue(fib->nl, &msg, prefix->len), 0);
}

static int take_route(const struct nlmsghdr *msg, void *arg)
{
    struct vnrs_nlroute route;
    unsigned *group = arg;

    if (!vnrs_nlroute_decode(msg, &route) || route.n_hops != 1)
        return -EBADMSG;
    *group = route.hops[0].via.bytes[route.prefix.family == VNRS_AF_IPV4 ? 3 : 15];
    return 0;
}

unsigned kernel_fib_find(struct kernel_fib *fib, const struct vnrs_addr *addr)
{
    struct vnrs_nlmsg msg;
    unsigned group = 0;

    assert_int_equal(vnrs_nl_flush(fib->nl), 0);
    vnrs_nlroute_encode_get(addr, &msg);
    int r = vnrs_nl_get(fib->nl, &msg, take_route, &group);
    if (r != -ENETUNREACH && r != 0) {
        char text[VNRS_ADDR_STR_MAX];
        fail_msg("the kernel's route to %s: %s", vnrs_addr_format(addr, text), strerror(-r));
    }
    return r ? 0 : group;
}

bool kernel_fib_knows(const struct vnrs_addr *addr)
{
    static const uint8_t zero[15];

    if (addr->family == VNRS_AF_IPV4)
        return addr->bytes[0] != 0 && addr->bytes[0] != 127;
    return memcmp(addr->bytes, zero, sizeof(zero)) != 0;
}
