// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/notify.h"

#include "lab/netns.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    int all, ns[2], number[2];
    struct vnrs_rtnl nl;
};

static int setup(void **state)
{
    static struct world w;

    if (geteuid() != 0)
        return 0;
    w.all = vnrs_notify_open_all(&w.nl);
    assert_true(w.all >= 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vnrs_netns_new(&w.ns[i]), 0);
        w.number[i] = vnrs_notify_number(&w.nl, w.ns[i], false);
        assert_true(w.number[i] >= 0);
    }
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (!w)
        return 0;
    vnrs_rtnl_close(&w->nl);
    (void)close(w->all);
    (void)close(w->ns[0]);
    (void)close(w->ns[1]);
    return 0;
}

static struct world *need_root(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static int run_command(void *arg)
{
    return system(arg);
}

static void in_ns(int ns_fd, char *command)
{
    assert_int_equal(vnrs_netns_run(ns_fd, run_command, command), 0);
}

struct heard {
    int of[3]; // the first, the second namespace, others
    struct world *world;
    uint16_t type; // counted; 0: any
};

static void count(const struct nlmsghdr *msg, int number, void *arg)
{
    struct heard *h = arg;

    if (h->type && msg->nlmsg_type != h->type)
        return;
    h->of[number == h->world->number[0] ? 0 : number == h->world->number[1] ? 1 : 2]++;
}

static struct heard listen_now(struct world *w, int fd, uint16_t type)
{
    struct heard h = {.world = w, .type = type};

    while (vnrs_notify_read(fd, count, &h) == 1)
        ;
    return h;
}

static void each_namespace_has_its_number(void **state)
{
    struct world *w = need_root(state);

    assert_int_not_equal(w->number[0], w->number[1]);
    assert_int_equal(vnrs_notify_number(&w->nl, w->ns[1], false), w->number[1]);
    assert_int_equal(vnrs_notify_number(&w->nl, w->ns[1], true), w->number[1]);
    assert_true(vnrs_notify_number(&w->nl, w->nl.fd, false) < 0); // no namespace
}

// The kernel finds the latest before the others, and before that what there is most to tell of.
static void the_latest_number_is_found_first(void **state)
{
    struct world *w = need_root(state);
    int latest, fabric;

    assert_int_equal(vnrs_netns_new(&latest), 0);
    assert_int_equal(vnrs_netns_new(&fabric), 0);
    int first = vnrs_notify_number(&w->nl, fabric, true);
    int number = vnrs_notify_number(&w->nl, latest, false);
    assert_true(first >= 0 && first < number);
    assert_true(number < w->number[0] && number < w->number[1]);
    (void)listen_now(w, w->all, 0);
    in_ns(latest, "ip link set lo up");
    assert_true(listen_now(w, w->all, RTM_NEWLINK).of[2] > 0);
    (void)close(latest);
    (void)close(fabric);
}

static void changes_are_heard_from_all_namespaces(void **state)
{
    struct world *w = need_root(state);

    (void)listen_now(w, w->all, 0);
    in_ns(w->ns[1], "ip link set lo up");
    struct heard h = listen_now(w, w->all, RTM_NEWLINK);
    assert_true(h.of[1] > 0);
    assert_int_equal(h.of[0], 0);
    assert_int_equal(h.of[2], 0);
    in_ns(w->ns[0], "ip link set lo up");
    h = listen_now(w, w->all, RTM_NEWLINK);
    assert_true(h.of[0] > 0);
    assert_int_equal(h.of[1], 0);
}

static int route_by_agent(struct world *w, uint16_t type)
{
    char buf[VNRS_RTNL_MSG_MAX] __attribute__((aligned(8)));
    struct vnrs_rtnl nl = {.fd = -1};

    assert_int_equal(vnrs_rtnl_open(w->ns[0], &nl), 0);
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, type, type == RTM_NEWROUTE ? NLM_F_CREATE : 0);
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
    *rt = (struct rtmsg){.rtm_family = AF_INET,
                         .rtm_dst_len = 24,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = 157,
                         .rtm_scope = RT_SCOPE_UNIVERSE,
                         .rtm_type = RTN_BLACKHOLE};
    mnl_attr_put_u32(msg, RTA_DST, htobe32(0x0a010200));
    int err = vnrs_rtnl_talk(&nl, msg, NULL, NULL);
    vnrs_rtnl_close(&nl);
    return err;
}

// What a routing daemon writes for itself, and what we write, does not wake us; what touches our routes does.
static void only_routes_of_interest_are_heard(void **state)
{
    struct world *w = need_root(state);

    (void)listen_now(w, w->all, 0);
    in_ns(w->ns[0], "ip route add blackhole 10.1.1.0/24 proto bird");
    assert_int_equal(listen_now(w, w->all, 0).of[0], 0);
    assert_int_equal(route_by_agent(w, RTM_NEWROUTE), 0);
    assert_int_equal(listen_now(w, w->all, 0).of[0], 0);
    in_ns(w->ns[0], "ip route replace prohibit 10.1.2.0/24 proto bird");
    assert_int_equal(listen_now(w, w->all, RTM_NEWROUTE).of[0], 1);
    in_ns(w->ns[0], "ip route del 10.1.2.0/24 proto bird");
    assert_int_equal(listen_now(w, w->all, 0).of[0], 0);
    assert_int_equal(route_by_agent(w, RTM_NEWROUTE), 0);
    in_ns(w->ns[0], "ip route flush proto 157");
    assert_int_equal(listen_now(w, w->all, RTM_DELROUTE).of[0], 1);
    // One socket of the namespace alone may hear every protocol.
    const struct vnrs_notify_groups groups = {.routes = true};
    int fd = vnrs_notify_open(w->ns[0], &groups);
    assert_true(fd >= 0);
    in_ns(w->ns[0], "ip route del 10.1.1.0/24 proto bird");
    assert_int_equal(listen_now(w, fd, RTM_DELROUTE).of[2], 1);
    (void)close(fd);
}

// A row: what a hand does, and whether the sockets of all, and of the namespace alone with everything, hear of it.
static void what_is_heard_of(void **state)
{
    static const struct {
        char *hand;
        uint16_t type;
        bool all, alone;
    } rows[] = {
        {"sysctl -qw net.ipv4.ip_forward=1", RTM_NEWNETCONF, true, true},
        {"sysctl -qw net.ipv4.conf.lo.proxy_arp=1", RTM_NEWNETCONF, false, true},
        {"tc qdisc add dev lo clsact; tc qdisc del dev lo clsact", RTM_DELQDISC, true, true},
        {"ip addr add fd00::1/64 dev lo; ip addr del fd00::1/64 dev lo", RTM_DELADDR, true, true},
        {"ip link add v type veth peer name w; ip link set v up; ip link set w up;"
         "ip neigh add 10.9.9.9 lladdr 02:00:00:00:00:01 dev v nud permanent; ip neigh del 10.9.9.9 dev v",
         RTM_NEWNEIGH, false, true},
        {"ip link del v", RTM_DELLINK, true, true},
    };
    static const struct vnrs_notify_groups groups = {.links = true, .routes = true, .neighbours = true};
    struct world *w = need_root(state);
    int fd = vnrs_notify_open(w->ns[0], &groups);

    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)listen_now(w, w->all, 0);
        (void)listen_now(w, fd, 0);
        in_ns(w->ns[0], rows[i].hand);
        print_message("%s\n", rows[i].hand);
        assert_int_equal(listen_now(w, w->all, rows[i].type).of[0] > 0, rows[i].all);
        assert_int_equal(listen_now(w, fd, rows[i].type).of[2] > 0, rows[i].alone);
    }
    (void)close(fd);
}

static void nftables_is_heard(void **state)
{
    struct world *w = need_root(state);

    if (system("nft --version >/dev/null 2>&1") != 0)
        skip();
    int fd = vnrs_notify_open_nft(w->ns[0]);
    assert_true(fd >= 0);
    in_ns(w->ns[1], "nft add table inet x");
    assert_int_equal(listen_now(w, fd, 0).of[2], 0);
    in_ns(w->ns[0], "nft add table inet x");
    assert_true(listen_now(w, fd, 0).of[2] > 0);
    (void)close(fd);
}

static void a_lost_message_is_told(void **state)
{
    struct world *w = need_root(state);
    int small = 1, lost = 0;

    (void)listen_now(w, w->all, 0);
    assert_int_equal(setsockopt(w->all, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    in_ns(w->ns[0], "for i in 1 2 3 4 5 6 7 8 9; do ip link set lo down; ip link set lo up; done");
    struct heard h = {.world = w};
    for (int more = 1; more; lost += more == -ENOBUFS)
        more = vnrs_notify_read(w->all, count, &h);
    assert_true(lost > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_namespace_has_its_number),
        cmocka_unit_test(the_latest_number_is_found_first),
        cmocka_unit_test(changes_are_heard_from_all_namespaces),
        cmocka_unit_test(only_routes_of_interest_are_heard),
        cmocka_unit_test(what_is_heard_of),
        cmocka_unit_test(nftables_is_heard),
        cmocka_unit_test(a_lost_message_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
