// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of machines, in throw-away namespaces (root; skipped without).
//
//   machine: eth0 10.0.2.10/24 ----- other: peer   (NVAs 10.0.2.4, 10.0.2.5; gateway 10.0.2.1)
#include "fib/guest_sink.h"

#include "guest_calls.h"
#include "guest_netns.h"
#include "util/fd.h"
#include "util/strbuf.h"
#include "vnrs/rtprot.h"

#define ROUTES "ip route show proto 157"

struct lab {
    int machine, other;
    struct vnrs_sink *sink;
};

static struct vnrs_obj_table spec_of(uint32_t metric)
{
    struct vnrs_obj_table spec = {
        .ifname = "eth0", .domain = 7, .table = 254, .metric = metric, .protocol = VNRS_RTPROT};
    spec.gateway4 = addr("10.0.2.1");
    spec.gateway6 = addr("fe80::1");
    spec.own[spec.n_own++] = addr("10.0.2.10");
    return spec;
}

// Handles differ by `shift`, as those of a new controller would.
static int try_basic(struct vnrs_sink *sink, uint32_t shift)
{
    ok(sink, sink->ops->sync_begin(sink));
    GROUP(sink, 1 + shift, VNRS_BPF_NH_ENDPOINT, NULL);
    GROUP(sink, 2 + shift, VNRS_BPF_NH_NIC, "10.0.2.4", "10.0.2.5");
    GROUP(sink, 3 + shift, VNRS_BPF_NH_DROP, NULL);
    route(sink, "10.0.0.0/16", 1 + shift);
    route(sink, "fd00:1::/64", 1 + shift);
    route(sink, "10.50.0.0/16", 2 + shift);
    route(sink, "10.51.0.0/16", 2 + shift);
    route(sink, "192.168.0.0/16", 3 + shift);
    route(sink, "fd00:dead::/32", 3 + shift);
    return try_end(sink);
}

static void sync_basic(struct vnrs_sink *sink, uint32_t shift)
{
    ok(sink, try_basic(sink, shift));
}

static void open_lab(struct lab *lab, bool legacy)
{
    const struct vnrs_obj_table spec = spec_of(100);

    lab->other = ns_new();
    lab->machine = ns_new();
    assert_int_equal(ns_run(lab->machine,
                            "ip link add eth0 type veth peer name peer netns /proc/$PPID/fd/%d; "
                            "ip addr add 10.0.2.10/24 dev eth0; ip link set eth0 up",
                            lab->other),
                     0);
    assert_int_equal(ns_run(lab->other, "ip link set peer up"), 0);
    assert_int_equal(vnrs_guest_sink_new(&lab->sink), 0);
    vnrs_guest_sink_legacy_set(lab->sink, legacy);
    ok(lab->sink, vnrs_guest_sink_table_set(lab->sink, "vm/eth0", &spec, ns_netlink(lab->machine)));
}

static void close_lab(struct lab *lab)
{
    lab->sink->ops->free(lab->sink);
    close(lab->machine);
    close(lab->other);
}

static void test_basic(bool legacy)
{
    struct lab lab;

    open_lab(&lab, legacy);
    assert_int_equal(lab.sink->writes, 0); // nothing is known before the first sync
    sync_basic(lab.sink, 0);
    assert_true(ns_shows(lab.machine, ROUTES, "via 10.0.2.1 dev eth0 metric 100"));
    assert_true(ns_shows(lab.machine, ROUTES, "10.50.0.0/16 "));
    assert_true(ns_shows(lab.machine, ROUTES, "nexthop via 10.0.2.4 dev eth0 weight 1"));
    assert_true(ns_shows(lab.machine, ROUTES, "nexthop via 10.0.2.5 dev eth0 weight 1"));
    assert_true(ns_shows(lab.machine, ROUTES, "blackhole 192.168.0.0/16"));
    assert_true(ns_shows(lab.machine, "ip -6 route show proto 157", "blackhole fd00:dead::/32"));
    assert_true(ns_shows(lab.machine, "ip -6 route show proto 157", "fd00:1::/64"));
    assert_int_equal(ns_count(lab.machine, "ip nexthop | wc -l"), legacy ? 0 : 5);

    uint64_t writes = lab.sink->writes;
    sync_basic(lab.sink, 0);
    assert_int_equal(lab.sink->writes, writes);
    sync_basic(lab.sink, 100); // a new controller
    assert_int_equal(lab.sink->writes, writes);

    // One member dies, then the other: one write each with next-hop objects.
    GROUP(lab.sink, 102, VNRS_BPF_NH_NIC, "10.0.2.5");
    flush(lab.sink);
    assert_int_equal(lab.sink->writes - writes, legacy ? 2 : 2); // legacy: two routes; else the group, and a hop unused
    assert_false(ns_count(lab.machine, "ip route show 10.50.0.0/16 | grep -c 10.0.2.4"));
    assert_true(ns_shows(lab.machine, "ip route show 10.50.0.0/16", "via 10.0.2.5 dev eth0"));
    GROUP(lab.sink, 102, VNRS_BPF_NH_DEAD, "10.0.2.5");
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, "ip route show 10.50.0.0/16", "blackhole"));
    GROUP(lab.sink, 102, VNRS_BPF_NH_NIC, "10.0.2.4");
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, "ip route show 10.51.0.0/16", "via 10.0.2.4 dev eth0"));

    route(lab.sink, "10.51.0.0/16", 0);
    route(lab.sink, "10.52.0.0/16", 102);
    route(lab.sink, "10.50.0.0/16", 103); // replaced by None
    flush(lab.sink);
    assert_int_equal(ns_count(lab.machine, ROUTES " 10.51.0.0/16 | wc -l"), 0);
    assert_true(ns_shows(lab.machine, ROUTES " 10.52.0.0/16", "10.0.2.4"));
    assert_true(ns_shows(lab.machine, ROUTES " 10.50.0.0/16", "blackhole 10.50.0.0/16"));

    ok(lab.sink, vnrs_guest_sink_table_remove(lab.sink, "vm/eth0", true));
    assert_int_equal(ns_count(lab.machine, ROUTES " table all | wc -l"), 0);
    assert_int_equal(ns_count(lab.machine, "ip -6 route show proto 157 | wc -l"), 0);
    assert_int_equal(ns_count(lab.machine, "ip nexthop | grep -v blackhole | wc -l"), 0);
    close_lab(&lab);
}

// IPv6 keeps the legs of a multipath route apart: replacing must neither leave one nor add a second route.
static void test_ipv6(bool legacy)
{
    struct lab lab;

    open_lab(&lab, legacy);
    assert_int_equal(ns_run(lab.machine, "ip addr add fd00:2::10/64 dev eth0 nodad"), 0);
    ok(lab.sink, lab.sink->ops->sync_begin(lab.sink));
    GROUP(lab.sink, 1, VNRS_BPF_NH_NIC, "fd00:2::4", "fd00:2::5", "fd00:2::6");
    GROUP(lab.sink, 2, VNRS_BPF_NH_DROP, NULL);
    route(lab.sink, "fd00:50::/32", 1);
    ok(lab.sink, try_end(lab.sink));
    assert_int_equal(ns_count(lab.machine, "ip -6 route show fd00:50::/32 | grep -o 'via fd00' | wc -l"), 3);
    uint64_t writes = lab.sink->writes;
    vnrs_guest_sink_table_suspect(lab.sink, "vm/eth0");
    flush(lab.sink);
    assert_int_equal(lab.sink->writes, writes);
    GROUP(lab.sink, 1, VNRS_BPF_NH_NIC, "fd00:2::5");
    flush(lab.sink);
    assert_int_equal(ns_count(lab.machine, "ip -6 route show fd00:50::/32 | grep -o 'via fd00' | wc -l"), 1);
    assert_true(ns_shows(lab.machine, "ip -6 route show fd00:50::/32", "via fd00:2::5"));
    GROUP(lab.sink, 1, VNRS_BPF_NH_NIC, "fd00:2::6", "fd00:2::5");
    flush(lab.sink);
    assert_int_equal(ns_count(lab.machine, "ip -6 route show fd00:50::/32 | grep -o 'via fd00' | wc -l"), 2);
    route(lab.sink, "fd00:50::/32", 2);
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, "ip -6 route show type blackhole", "fd00:50::/32"));
    assert_int_equal(ns_count(lab.machine, "ip -6 route show fd00:50::/32 | grep -o 'via fd00' | wc -l"), 0);
    GROUP(lab.sink, 1, VNRS_BPF_NH_NIC, "fd00:2::6", "fd00:2::5"); // it was forgotten with its last route
    route(lab.sink, "fd00:50::/32", 1);
    flush(lab.sink);
    assert_int_equal(ns_count(lab.machine, "ip -6 route show fd00:50::/32 | grep -o 'via fd00' | wc -l"), 2);
    assert_int_equal(ns_count(lab.machine, "ip -6 route show type blackhole | wc -l"), 0);
    writes = lab.sink->writes;
    vnrs_guest_sink_table_suspect(lab.sink, "vm/eth0");
    flush(lab.sink);
    assert_int_equal(lab.sink->writes, writes);
    route(lab.sink, "fd00:50::/32", 0);
    flush(lab.sink);
    assert_int_equal(ns_count(lab.machine, "ip -6 route show fd00:50::/32 | wc -l"), 0);
    close_lab(&lab);
}

static void test_ipv6_objects(void **state)
{
    (void)state;
    test_ipv6(false);
}

static void test_ipv6_legacy(void **state)
{
    (void)state;
    test_ipv6(true);
}

static void test_nexthop_objects(void **state)
{
    (void)state;
    test_basic(false);
}

static void test_without_nexthop_objects(void **state)
{
    (void)state;
    test_basic(true);
}

// A machine whose own address is the next hop of a route: the kernel takes no such next hop, the fabric does.
static void test_next_hop_is_the_machine(void **state)
{
    struct lab lab;

    (void)state;
    open_lab(&lab, false);
    ok(lab.sink, lab.sink->ops->sync_begin(lab.sink));
    GROUP(lab.sink, 1, VNRS_BPF_NH_NIC, "10.0.2.10");
    GROUP(lab.sink, 2, VNRS_BPF_NH_NIC, "10.0.2.10", "10.0.2.5");
    route(lab.sink, "10.50.0.0/16", 1);
    route(lab.sink, "10.51.0.0/16", 2);
    ok(lab.sink, try_end(lab.sink));
    assert_true(ns_shows(lab.machine, "ip route show 10.50.0.0/16", "via 10.0.2.1 dev eth0"));
    assert_true(ns_shows(lab.machine, "ip route show 10.51.0.0/16", "nexthop via 10.0.2.1 dev eth0"));
    assert_true(ns_shows(lab.machine, "ip route show 10.51.0.0/16", "nexthop via 10.0.2.5 dev eth0"));
    close_lab(&lab);
}

static void test_survives_restart(void **state)
{
    struct lab lab;
    const struct vnrs_obj_table spec = spec_of(100);
    (void)state;

    open_lab(&lab, false);
    sync_basic(lab.sink, 0);
    lab.sink->ops->free(lab.sink);
    assert_int_equal(vnrs_guest_sink_new(&lab.sink), 0);
    ok(lab.sink, vnrs_guest_sink_table_set(lab.sink, "vm/eth0", &spec, ns_netlink(lab.machine)));
    sync_basic(lab.sink, 40);
    assert_int_equal(lab.sink->writes, 0);
    close_lab(&lab);
}

static void test_foreign_untouched(void **state)
{
    struct lab lab;
    (void)state;

    open_lab(&lab, false);
    assert_int_equal(ns_run(lab.machine, "ip route add 10.50.0.0/16 via 10.0.2.9 metric 100 proto static"), 0);
    assert_int_equal(try_basic(lab.sink, 0), -EEXIST);
    assert_non_null(strstr(lab.sink->error, "10.50.0.0/16"));
    assert_non_null(strstr(lab.sink->error, "somebody else"));
    assert_true(ns_shows(lab.machine, "ip route show 10.50.0.0/16", "via 10.0.2.9 dev eth0 proto static"));
    assert_true(ns_shows(lab.machine, ROUTES " 10.51.0.0/16", "via 10.0.2.4")); // the others go on
    route(lab.sink, "10.50.0.0/16", 1);                                         // a change, then a removal
    assert_int_equal(try_flush(lab.sink), -EEXIST);
    route(lab.sink, "10.50.0.0/16", 0);
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, "ip route show 10.50.0.0/16", "via 10.0.2.9 dev eth0 proto static"));
    // Gone: the next try puts ours there, and further changes of it arrive.
    route(lab.sink, "10.50.0.0/16", 2);
    assert_int_equal(try_flush(lab.sink), -EEXIST);
    assert_int_equal(ns_run(lab.machine, "ip route del 10.50.0.0/16"), 0);
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, ROUTES " 10.50.0.0/16", "via 10.0.2.4"));
    route(lab.sink, "10.50.0.0/16", 1);
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, ROUTES " 10.50.0.0/16", "via 10.0.2.1"));
    route(lab.sink, "10.50.0.0/16", 2);
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, ROUTES " 10.50.0.0/16", "via 10.0.2.5"));
    close_lab(&lab);
}

static void test_repairs(void **state)
{
    // With nexthop_compat_mode 1, iproute2 cannot flush routes with next-hop objects (it sends back what it was shown).
    static const char *const damages[] = {"cd /proc/sys/net/ipv4; echo 0 >nexthop_compat_mode; "
                                          "ip route flush proto 157; echo 1 >nexthop_compat_mode",
                                          "ip nexthop flush >/dev/null", "ip link set eth0 down; ip link set eth0 up",
                                          "ip route del 10.51.0.0/16"};
    struct lab lab;
    (void)state;

    open_lab(&lab, false);
    sync_basic(lab.sink, 0);
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        uint64_t writes = lab.sink->writes;
        assert_int_equal(ns_run(lab.machine, "%s", damages[i]), 0);
        if (i % 2) {
            sync_basic(lab.sink, 0);
        } else {
            vnrs_guest_sink_table_suspect(lab.sink, "vm/eth0");
            flush(lab.sink);
        }
        print_message("%s: repaired by %d writes\n", damages[i], (int)(lab.sink->writes - writes));
        assert_true(lab.sink->writes > writes);
        assert_int_equal(ns_count(lab.machine, ROUTES " | grep -c '^[^ \t]'"), 4);
        assert_true(ns_shows(lab.machine, ROUTES " 10.51.0.0/16", "via 10.0.2.5"));
    }
    assert_int_equal(ns_count(lab.machine, "ip nexthop | wc -l"), 5);
    close_lab(&lab);
}

static void test_failures_are_apart(void **state)
{
    struct lab lab;
    struct vnrs_obj_table bad = spec_of(200);
    (void)state;

    open_lab(&lab, false);
    assert_true(vnrs_str_copy(bad.ifname, sizeof(bad.ifname), "eth9"));
    ok(lab.sink, vnrs_guest_sink_table_set(lab.sink, "vm/eth9", &bad, ns_netlink(lab.machine)));
    ok(lab.sink, lab.sink->ops->sync_begin(lab.sink));
    GROUP(lab.sink, 1, VNRS_BPF_NH_ENDPOINT, NULL);
    GROUP(lab.sink, 2, VNRS_BPF_NH_NIC, "10.0.2.4", "172.16.0.1"); // the second is not reachable
    route(lab.sink, "10.0.0.0/16", 1);
    route(lab.sink, "10.50.0.0/16", 2);
    assert_true(try_end(lab.sink) < 0);
    assert_non_null(strstr(lab.sink->error, "172.16.0.1"));
    assert_true(ns_shows(lab.machine, ROUTES, "10.0.0.0/16"));
    assert_true(ns_shows(lab.machine, ROUTES " 10.50.0.0/16", "via 10.0.2.4"));
    GROUP(lab.sink, 2, VNRS_BPF_NH_NIC, "10.0.2.4", "10.0.2.5");
    assert_int_equal(try_flush(lab.sink), -ENODEV);
    assert_string_equal(lab.sink->error, "table 'vm/eth9': link 'eth9' does not exist");
    assert_true(ns_shows(lab.machine, ROUTES " 10.50.0.0/16", "via 10.0.2.5"));

    bad = spec_of(100);
    assert_int_equal(vnrs_guest_sink_table_set(lab.sink, "vm/again", &bad, ns_netlink(lab.machine)), -EEXIST);
    ok(lab.sink, vnrs_guest_sink_table_remove(lab.sink, "vm/eth9", false));
    assert_int_equal(ns_run(lab.machine, "ip link set eth0 down"), 0);
    vnrs_guest_sink_table_suspect(lab.sink, "vm/eth0");
    assert_int_equal(try_flush(lab.sink), -ENETDOWN);
    assert_int_equal(ns_run(lab.machine, "ip link set eth0 up"), 0);
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, ROUTES " 10.50.0.0/16", "via 10.0.2.5"));
    close_lab(&lab);
}

static void test_two_tables(void **state)
{
    struct lab lab;
    struct vnrs_obj_table spec = spec_of(0);
    (void)state;

    open_lab(&lab, false);
    sync_basic(lab.sink, 0);
    spec.table = 1000;
    spec.onlink = 1;
    ok(lab.sink, vnrs_guest_sink_table_set(lab.sink, "vm/second", &spec, ns_netlink(lab.machine)));
    assert_true(ns_shows(lab.machine, "ip route show table 1000", "via 10.0.2.4 dev eth0 weight 1 onlink"));
    uint64_t writes = lab.sink->writes;
    sync_basic(lab.sink, 9);
    assert_int_equal(lab.sink->writes, writes);
    spec.metric = 50; // moves
    ok(lab.sink, vnrs_guest_sink_table_set(lab.sink, "vm/second", &spec, ns_netlink(lab.machine)));
    assert_int_equal(ns_count(lab.machine, "ip route show table 1000 | grep -vc 'metric 50\\|nexthop'"), 0);
    ok(lab.sink, vnrs_guest_sink_table_remove(lab.sink, "vm/second", true));
    assert_int_equal(ns_count(lab.machine, "ip route show table 1000 2>/dev/null | wc -l"), 0);
    writes = lab.sink->writes;
    sync_basic(lab.sink, 0);
    assert_int_equal(lab.sink->writes, writes);
    close_lab(&lab);
}

// The kernel looks at carriers once a second.
static void link_up(const struct lab *lab, int n)
{
    assert_int_equal(ns_run(lab->other, "ip link set far%d up", n), 0);
    assert_int_equal(ns_run(lab->machine,
                            "for i in $(seq 100); do ip route show 10.60.0.%d | grep -q linkdown || exit 0; "
                            "sleep 0.05; done; exit 1",
                            n),
                     0);
}

// Tunnels: `other` is at the far end of each, and nobody answers for the addresses of next hops.
static void test_by_link(void **state)
{
    struct lab lab;
    struct vnrs_obj_table spec = spec_of(50);
    (void)state;

    open_lab(&lab, false);
    assert_int_equal(ns_run(lab.machine,
                            "for i in 1 2; do ip link add tun$i type veth peer name far$i netns "
                            "/proc/$PPID/fd/%d; ip link set tun$i up; "
                            "ip route add 10.60.0.$i dev tun$i; done; "
                            "ip route add default via 10.0.2.1; "
                            "sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1",
                            lab.other),
                     0);
    link_up(&lab, 1);
    spec.by_link = 1;
    ok(lab.sink, vnrs_guest_sink_table_remove(lab.sink, "vm/eth0", true));
    ok(lab.sink, vnrs_guest_sink_table_set(lab.sink, "gateway", &spec, ns_netlink(lab.machine)));
    ok(lab.sink, lab.sink->ops->sync_begin(lab.sink));
    GROUP(lab.sink, 1, VNRS_BPF_NH_NIC, "10.60.0.1", "10.60.0.2", "10.99.0.1", "10.0.2.10");
    route(lab.sink, "10.60.0.0/16", 1);
    ok(lab.sink, try_end(lab.sink));
    // One has no carrier, one is behind the default route, one is the machine itself.
    assert_true(ns_shows(lab.machine, ROUTES " 10.60.0.0/16 metric 50", "via 10.60.0.1 dev tun1"));
    assert_int_equal(ns_count(lab.machine, ROUTES " metric 50 | grep -c 'tun2\\|10.99\\|10.0.2.10\\|eth0'"), 0);
    link_up(&lab, 2);
    vnrs_guest_sink_table_suspect(lab.sink, "gateway");
    flush(lab.sink);
    assert_true(ns_shows(lab.machine, ROUTES " 10.60.0.0/16 metric 50", "nexthop via 10.60.0.2 dev tun2"));
    assert_true(ns_shows(lab.machine, ROUTES " 10.60.0.0/16 metric 50", "nexthop via 10.60.0.1 dev tun1"));
    assert_int_equal(ns_run(lab.other, "ip link set far1 down"), 0);
    // The kernel itself moves to the other one, once it has noticed.
    assert_int_equal(ns_run(lab.machine, "for i in $(seq 100); do ip route get 10.60.1.1 | grep -q tun2 && exit 0; "
                                         "sleep 0.1; done; exit 1"),
                     0);
    uint64_t writes = lab.sink->writes;
    vnrs_guest_sink_table_suspect(lab.sink, "gateway");
    flush(lab.sink);
    assert_true(lab.sink->writes - writes <= 2);
    assert_true(ns_shows(lab.machine, "ip route get 10.60.1.1", "via 10.60.0.2 dev tun2"));
    close_lab(&lab);
}

static void test_many(void **state)
{
    enum { MANY = 20000 };
    struct lab lab;
    struct vnrs_fib_route r = {.domain = 7, .group = 1, .prefix = {.family = VNRS_AF_IPV4, .len = 24}};
    (void)state;

    open_lab(&lab, false);
    for (unsigned round = 0; round < 3; round++) {
        uint64_t start = vnrs_clock_ms(), writes = lab.sink->writes;
        if (round == 0) {
            ok(lab.sink, lab.sink->ops->sync_begin(lab.sink));
            GROUP(lab.sink, 1, VNRS_BPF_NH_NIC, "10.0.2.4", "10.0.2.5");
            GROUP(lab.sink, 2, VNRS_BPF_NH_NIC, "10.0.2.5");
        }
        r.group = round == 0 ? 1 : round == 1 ? 2 : 0;
        for (uint32_t i = 0; i < MANY; i++) {
            const struct vnrs_addr a = vnrs_addr_from_v4(0x14000000 + i * 256);
            memcpy(r.prefix.bytes, a.bytes, sizeof(r.prefix.bytes));
            assert_int_equal(lab.sink->ops->route_set(lab.sink, &r), 0);
        }
        ok(lab.sink, round ? try_flush(lab.sink) : try_end(lab.sink));
        print_message("%s of %d routes: %d ms, %d writes\n", (const char *[]){"add", "replace", "withdraw"}[round],
                      MANY, (int)(vnrs_clock_ms() - start), (int)(lab.sink->writes - writes));
        assert_int_equal(ns_count(lab.machine, ROUTES " | grep -c ^20"), round < 2 ? MANY : 0);
    }
    close_lab(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nexthop_objects),
        cmocka_unit_test(test_without_nexthop_objects),
        cmocka_unit_test(test_survives_restart),
        cmocka_unit_test(test_foreign_untouched),
        cmocka_unit_test(test_repairs),
        cmocka_unit_test(test_failures_are_apart),
        cmocka_unit_test(test_ipv6_objects),
        cmocka_unit_test(test_ipv6_legacy),
        cmocka_unit_test(test_two_tables),
        cmocka_unit_test(test_by_link),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_next_hop_is_the_machine),
    };
    if (geteuid() != 0) {
        (void)puts("needs root");
        return 77;
    }
    return cmocka_run_group_tests_name("guest_sink", tests, NULL, NULL);
}
