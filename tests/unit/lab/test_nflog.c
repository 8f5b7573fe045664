// SPDX-License-Identifier: GPL-2.0-or-later
// Packets that nftables logs in a namespace of nobody's: which ones, with what mark, how much of them, and how many
// were lost; and messages that are none.
#include "lab/nflog.h"

#include "lab/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GROUP    5
#define LOOPBACK 1

struct world {
    int ns;
    struct vnrs_nflog *log;
    unsigned n;
    bool only_one;
    struct vnrs_nflog_packet last;
    uint8_t bytes[VNRS_NFLOG_BYTES];
};

static int run_shell(void *arg)
{
    return system(arg);
}

static void shell(const struct world *w, const char *command)
{
    assert_int_equal(vnrs_netns_run(w->ns, run_shell, (void *)command), 0);
}

static int setup(void **state)
{
    static struct world w;

    w = (struct world){.ns = -1};
    assert_int_equal(vnrs_netns_make(vnrs_netns_lo_up_here, NULL, &w.ns), 0);
    assert_int_equal(vnrs_nflog_open(w.ns, GROUP, &w.log), 0);
    shell(&w, "nft -f - <<'END'\ntable inet t {\n  chain c {\n    type filter hook input priority 0;\n"
              "    icmp type echo-request meta mark set 0x10008 log group 5\n"
              "    icmpv6 type echo-request meta mark set 0x10007 log group 5\n  }\n}\nEND\n");
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    w->log = vnrs_nflog_close(w->log);
    (void)close(w->ns);
    return 0;
}

static bool see(const struct vnrs_nflog_packet *packet, void *arg)
{
    struct world *w = arg;

    w->n++;
    w->last = *packet;
    memcpy(w->bytes, packet->bytes, packet->n);
    return !w->only_one;
}

static void await(struct world *w, unsigned n)
{
    struct pollfd ready = {.fd = vnrs_nflog_fd(w->log), .events = POLLIN};

    for (w->n = 0; w->n < n;) {
        assert_int_equal(poll(&ready, 1, 10000), 1);
        (void)vnrs_nflog_consume(w->log, 1000, see, w);
    }
    assert_int_equal(w->n, n);
}

static void tells_of_packets(void **state)
{
    struct world *w = *state;

    shell(w, "ping -q -c 1 127.0.0.1 >/dev/null");
    await(w, 1);
    assert_int_equal(w->last.mark, 0x10008);
    assert_int_equal(w->last.in, LOOPBACK);
    assert_int_equal(w->last.out, 0);
    assert_int_equal(w->last.protocol_be, htons(ETH_P_IP));
    assert_int_equal(w->last.len, 84);
    assert_int_equal(w->last.n, 84);
    assert_int_equal(w->bytes[9], 1);
    shell(w, "ping -q -c 1 -s 1000 ::1 >/dev/null");
    await(w, 1);
    assert_int_equal(w->last.mark, 0x10007);
    assert_int_equal(w->last.protocol_be, htons(ETH_P_IPV6));
    assert_int_equal(w->last.len, 1048);
    assert_int_equal(w->last.n, VNRS_NFLOG_BYTES);
    assert_int_equal(vnrs_nflog_lost(w->log), 0);
}

static void has_its_group_alone(void **state)
{
    const struct world *w = *state;
    struct vnrs_nflog *other = NULL;

    assert_int_equal(vnrs_nflog_open(w->ns, GROUP, &other), -EPERM);
    assert_null(other);
}

// More than there is room for, and nobody reads: what does not come was lost, each packet once.
static void counts_what_is_lost(void **state)
{
    enum { MANY = 20000 };
    struct world *w = *state;
    struct pollfd ready = {.fd = vnrs_nflog_fd(w->log), .events = POLLIN};

    shell(w, "ping -q -f -c 20000 -s 100 127.0.0.1 >/dev/null");
    for (unsigned tries = 0; tries < 50 && w->last.seq < MANY; tries++) { // what is told now finds room
        (void)vnrs_nflog_consume(w->log, 2 * MANY, see, w);
        shell(w, "ping -q -c 1 127.0.0.1 >/dev/null");
        assert_int_equal(poll(&ready, 1, 10000), 1);
    }
    assert_true(w->last.seq >= MANY);
    assert_true(vnrs_nflog_lost(w->log) > 0);
    assert_int_equal(vnrs_nflog_lost(w->log) + w->n, w->last.seq + 1);
}

static void ends_with_a_datagram(void **state)
{
    struct world *w = *state;
    struct pollfd ready = {.fd = vnrs_nflog_fd(w->log), .events = POLLIN};

    w->only_one = true;
    shell(w, "ping -q -f -c 200 127.0.0.1 >/dev/null");
    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_in_range(vnrs_nflog_consume(w->log, 1000, see, w), 1, 100);
}

static void is_not_fooled(void **state)
{
    char buf[512] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
    struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
    struct vnrs_nflog_packet packet;
    static const uint8_t four[4] = {0x45, 0, 0xff, 0xff};

    (void)state;
    msg->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
    assert_false(vnrs_nflog_decode(msg, &packet)); // no header
    (void)mnl_nlmsg_put_extra_header(msg, sizeof(struct nfgenmsg));
    assert_false(vnrs_nflog_decode(msg, &packet)); // no packet
    mnl_attr_put_u16(msg, NFULA_MARK, 7);
    mnl_attr_put_u16(msg, NFULA_PACKET_HDR, htons(ETH_P_IP));
    mnl_attr_put(msg, NFULA_PAYLOAD, sizeof(four), four);
    assert_true(vnrs_nflog_decode(msg, &packet));
    assert_int_equal(packet.mark, 0);
    assert_int_equal(packet.protocol_be, 0);
    assert_int_equal(packet.n, 4);
    assert_int_equal(packet.len, 4);
    msg->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
    assert_false(vnrs_nflog_decode(msg, &packet));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {T(tells_of_packets), T(has_its_group_alone), T(counts_what_is_lost),
                                       T(ends_with_a_datagram), cmocka_unit_test(is_not_fooled)};

    if (geteuid() != 0) {
        (void)puts("needs root");
        return 77;
    }
    return cmocka_run_group_tests_name("nflog", tests, NULL, NULL);
}
