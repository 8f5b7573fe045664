// SPDX-License-Identifier: GPL-2.0-or-later
// How changes get into many tables: behind what is said, in small pieces, each once (root; skipped without). Four
// machines, each with a table of domain 7, and one of them with a second.
#include "fib/guest_pass.h"

#include "guest_calls.h"
#include "guest_netns.h"
#include "util/strbuf.h"
#include "vnrs/rtprot.h"

enum { MACHINES = 4, TABLES = MACHINES + 1 };

struct lab {
    int ns[MACHINES];
    struct vnrs_sink *sink;
};

static int set_table(struct lab *lab, unsigned i)
{
    struct vnrs_obj_table spec = {.ifname = "eth0", .domain = 7, .table = 254, .metric = 100, .protocol = VNRS_RTPROT};
    char key[16];

    spec.gateway4 = addr("10.0.2.1");
    spec.table = i < MACHINES ? 254 : 1000;
    (void)snprintf(key, sizeof(key), "vm%u/eth0", i);
    return vnrs_guest_sink_table_set(lab->sink, key, &spec, ns_netlink(lab->ns[i % MACHINES]));
}

static int setup(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    assert_non_null(lab);
    assert_int_equal(vnrs_guest_sink_new(&lab->sink), 0);
    for (unsigned i = 0; i < MACHINES; i++) {
        lab->ns[i] = ns_new();
        assert_int_equal(ns_run(lab->ns[i], "ip link add eth0 type veth peer name peer && ip link set peer up && "
                                            "ip addr add 10.0.2.10/24 dev eth0 && ip link set eth0 up"),
                         0);
    }
    for (unsigned i = 0; i < TABLES; i++)
        ok(lab->sink, set_table(lab, i));
    ok(lab->sink, lab->sink->ops->sync_begin(lab->sink));
    GROUP(lab->sink, 1, VNRS_BPF_NH_NIC, "10.0.2.4");
    GROUP(lab->sink, 2, VNRS_BPF_NH_NIC, "10.0.2.5");
    route(lab->sink, "10.1.0.0/16", 1);
    route(lab->sink, "10.2.0.0/16", 2);
    ok(lab->sink, try_end(lab->sink));
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;

    lab->sink->ops->free(lab->sink);
    for (unsigned i = 0; i < MACHINES; i++)
        close(lab->ns[i]);
    free(lab);
    return 0;
}

// How many of the tables have a route like that.
static unsigned tables_with(const struct lab *lab, const char *text)
{
    unsigned n = 0;

    for (unsigned i = 0; i < TABLES; i++)
        n += ns_run(lab->ns[i % MACHINES], "ip route show table %u proto 157 2>/dev/null | grep -q '%s'",
                    i < MACHINES ? 254 : 1000, text) == 0;
    return n;
}

static void flush_only(struct vnrs_sink *sink)
{
    ok(sink, sink->ops->flush(sink));
}

static void what_waits_is_written_once_with_its_last_state(void **state)
{
    struct lab *lab = *state;
    struct vnrs_sink *sink = lab->sink;
    uint64_t writes = sink->writes, first, last;

    route(sink, "10.9.0.0/16", 1);
    assert_int_equal(vnrs_guest_sink_work(sink, 0), 0); // nothing begins before a flush
    flush_only(sink);
    assert_int_equal(sink->writes, writes); // which writes nothing itself
    first = vnrs_guest_sink_target(sink);
    while (sink->writes == writes)
        assert_true(vnrs_guest_sink_work(sink, 0));
    assert_int_equal(sink->writes, writes + 1);
    assert_int_equal(tables_with(lab, "10.9.0.0/16 .*via 10.0.2.4"), 1);
    for (unsigned i = 0; i < 30; i++) { // meanwhile: one that never rests, one that comes and goes
        route(sink, "10.9.0.0/16", 1 + i % 2);
        route(sink, "10.8.0.0/16", i % 2 ? 0 : 1);
        flush_only(sink);
        last = vnrs_guest_sink_target(sink);
        assert_int_equal(last, first + 1);
    }
    route(sink, "10.7.0.0/16", 1); // not flushed yet
    while (vnrs_guest_sink_work(sink, 0))
        ;
    assert_int_equal(vnrs_guest_sink_done(sink), first); // the breath of the next is not over
    assert_int_equal(sink->writes, writes + TABLES);
    assert_int_equal(tables_with(lab, "10.9.0.0/16 .*via 10.0.2.4"), TABLES);
    route(sink, "10.7.0.0/16", 0);
    ok(sink, try_flush(sink));
    assert_int_equal(vnrs_guest_sink_done(sink), last);
    assert_int_equal(sink->writes, writes + 2 * TABLES);
    assert_int_equal(tables_with(lab, "10.9.0.0/16 .*via 10.0.2.5"), TABLES);
    assert_int_equal(tables_with(lab, "10.8.0.0/16"), 0);
}

static void pieces_are_bounded(void **state)
{
    enum { MANY = 1000 };
    struct lab *lab = *state;
    struct vnrs_sink *sink = lab->sink;
    char prefix[32];

    for (unsigned round = 0; round < 3; round++) { // written, written after reading, removed
        uint64_t all = sink->writes;
        for (unsigned i = 0; i < MANY; i++) {
            (void)snprintf(prefix, sizeof(prefix), "20.%u.%u.0/24", i / 256, i % 256);
            route(sink, prefix, round < 2 ? 1 + round : 0);
        }
        for (unsigned i = 0; round == 1 && i < MACHINES; i++) {
            (void)snprintf(prefix, sizeof(prefix), "vm%u/eth0", i);
            vnrs_guest_sink_table_suspect(sink, prefix);
        }
        flush_only(sink);
        for (bool more = true; more;) {
            uint64_t before = sink->writes;
            more = vnrs_guest_sink_work(sink, 0);
            assert_true(sink->writes - before <= 128);
        }
        ok(sink, vnrs_guest_sink_result(sink));
        assert_int_equal(sink->writes - all, MANY * TABLES);
        const char *count = round ? "ip route show proto 157 | grep -c '^20.*via 10.0.2.5'"
                                  : "ip route show proto 157 | grep -c '^20.*via 10.0.2.4'";
        assert_int_equal(ns_count(lab->ns[0], count), round < 2 ? MANY : 0);
    }
}

static void tables_come_and_go_while_others_are_written(void **state)
{
    struct lab *lab = *state;
    struct vnrs_sink *sink = lab->sink;

    for (unsigned pieces = 0; pieces < 7; pieces++) {
        const char *next = pieces % 2 ? "10.9.0.0/16" : "10.10.0.0/16",
                   *gone = pieces % 2 ? "10.10.0.0/16" : "10.9.0.0/16";
        char key[16], what[48];
        unsigned which = pieces % TABLES;
        (void)snprintf(key, sizeof(key), "vm%u/eth0", which);
        (void)snprintf(what, sizeof(what), "%s .*via 10.0.2.4", next);
        route(sink, next, 1);
        route(sink, gone, 0);
        flush_only(sink);
        for (unsigned i = 0; i < pieces; i++)
            (void)vnrs_guest_sink_work(sink, 0);
        ok(sink, vnrs_guest_sink_table_remove(sink, key, true));
        assert_int_equal(tables_with(lab, "10.1.0.0/16"), TABLES - 1);
        (void)vnrs_guest_sink_work(sink, 0);
        ok(sink, set_table(lab, which));
        assert_int_equal(tables_with(lab, "10.1.0.0/16"), TABLES);
        vnrs_guest_sink_table_suspect(sink, pieces % 3 ? "vm0/eth0" : "vm3/eth0");
        ok(sink, settle(sink));
        assert_int_equal(tables_with(lab, what), TABLES);
        assert_int_equal(tables_with(lab, gone), 0);
        uint64_t writes = sink->writes;
        for (unsigned i = 0; i < TABLES; i++)
            ok(sink, set_table(lab, i)); // reads them: nothing differs
        assert_int_equal(sink->writes, writes);
    }
}

// One that comes when only a part of what was said is a change yet has nothing of it twice, and all of it in the end.
static void a_table_comes_while_changes_are_taken_over(void **state)
{
    enum { MANY = 3000 };
    struct lab *lab = *state;
    struct vnrs_sink *sink = lab->sink;
    char prefix[32];

    for (unsigned i = 0; i < MANY; i++) {
        (void)snprintf(prefix, sizeof(prefix), "20.%u.%u.0/24", i / 256, i % 256);
        route(sink, prefix, 1);
    }
    flush_only(sink);
    uint64_t writes = sink->writes;
    assert_true(vnrs_guest_sink_work(sink, 0));
    assert_int_equal(sink->writes, writes);
    ok(sink, set_table(lab, 2));
    assert_true(sink->writes > writes && sink->writes < writes + MANY);
    ok(sink, settle(sink));
    assert_int_equal(sink->writes, writes + (uint64_t)MANY * TABLES);
    assert_int_equal(ns_count(lab->ns[2], "ip route show proto 157 | grep -c '^20.*via 10.0.2.4'"), MANY);
}

static void what_somebody_else_changes_meanwhile_is_repaired_by_the_next_pass(void **state)
{
    struct lab *lab = *state;
    struct vnrs_sink *sink = lab->sink;
    char prefix[32];

    vnrs_guest_sink_table_suspect(sink, "vm0/eth0");
    for (unsigned i = 0; i < 400; i++) {
        (void)snprintf(prefix, sizeof(prefix), "20.0.%u.%u/32", i / 256, i % 256);
        route(sink, prefix, 1);
    }
    flush_only(sink);
    while (ns_run(lab->ns[0], "ip route show 20.0.0.1 | grep -q via") != 0) // it is in the middle of this table
        assert_true(vnrs_guest_sink_work(sink, 0));
    assert_int_equal(ns_run(lab->ns[0], "ip route del 20.0.0.1"), 0);
    vnrs_guest_sink_table_suspect(sink, "vm0/eth0");
    ok(sink, settle(sink));
    ok(sink, try_flush(sink));
    assert_int_equal(tables_with(lab, "^20.0.0.1 .*via 10.0.2.4"), TABLES);
}

static void one_that_fails_does_not_keep_the_others(void **state)
{
    struct lab *lab = *state;
    struct vnrs_sink *sink = lab->sink;

    assert_int_equal(ns_run(lab->ns[1], "ip route add 10.9.0.0/16 via 10.0.2.9 metric 100 proto static"), 0);
    route(sink, "10.9.0.0/16", 1);
    assert_int_equal(try_flush(sink), -EEXIST);
    assert_non_null(strstr(sink->error, "table 'vm1/eth0': writing route '10.9.0.0/16'"));
    assert_int_equal(tables_with(lab, "10.9.0.0/16"), TABLES - 1);
    route(sink, "10.9.0.0/16", 2);
    assert_int_equal(try_flush(sink), -EEXIST);
    assert_int_equal(tables_with(lab, "10.9.0.0/16 .*via 10.0.2.5"), TABLES - 1);
    assert_true(ns_shows(lab->ns[1], "ip route", "10.9.0.0/16 via 10.0.2.9"));
    assert_int_equal(ns_run(lab->ns[1], "ip route del 10.9.0.0/16"), 0);
    ok(sink, try_flush(sink));
    assert_int_equal(tables_with(lab, "10.9.0.0/16 .*via 10.0.2.5"), TABLES);
}

static void a_synchronisation_overtakes_what_waits(void **state)
{
    struct lab *lab = *state;
    struct vnrs_sink *sink = lab->sink;

    for (unsigned pieces = 0; pieces < 5; pieces++) {
        uint64_t waited;
        route(sink, "10.9.0.0/16", 1);
        flush_only(sink);
        for (unsigned i = 0; i < pieces; i++)
            (void)vnrs_guest_sink_work(sink, 0);
        route(sink, "10.8.0.0/16", 1);
        flush_only(sink);
        waited = vnrs_guest_sink_target(sink);
        ok(sink, sink->ops->sync_begin(sink));
        assert_false(vnrs_guest_sink_work(sink, 0));
        assert_true(vnrs_guest_sink_done(sink) < waited);
        GROUP(sink, 1, VNRS_BPF_NH_NIC, "10.0.2.4");
        GROUP(sink, 2, VNRS_BPF_NH_NIC, "10.0.2.5");
        route(sink, "10.1.0.0/16", 1);
        route(sink, "10.2.0.0/16", 2);
        ok(sink, try_end(sink));
        assert_true(vnrs_guest_sink_done(sink) >= waited);
        assert_int_equal(tables_with(lab, "10.[12].0.0/16"), TABLES);
        assert_int_equal(tables_with(lab, "10.[89].0.0/16"), 0);
    }
}

// Objects before routes that lead by them, and gone after the last of these.
static void next_hops_come_first_and_go_last(void **state)
{
    struct lab *lab = *state;
    struct vnrs_sink *sink = lab->sink;

    for (uint32_t handle = 3; handle < 60; handle++) { // a new group each time: nothing is left of the old ones
        const char *const vias[] = {"10.0.2.4", "10.0.2.6", "10.0.2.7"};
        group(sink, handle, 1 + handle % 3, vias, VNRS_BPF_NH_NIC);
        route(sink, "10.9.0.0/16", handle);
        flush_only(sink);
        for (uint32_t i = 0; i < handle % 7; i++)
            (void)vnrs_guest_sink_work(sink, 0);
    }
    ok(sink, settle(sink));
    assert_int_equal(tables_with(lab, "10.9.0.0/16"), TABLES);
    route(sink, "10.9.0.0/16", 0);
    ok(sink, try_flush(sink));
    for (unsigned i = 0; i < MACHINES; i++) // of two groups with one hop each; two tables each have their own
        assert_int_equal(ns_count(lab->ns[i], "ip nexthop | wc -l"), i ? 4 : 6);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_waits_is_written_once_with_its_last_state),
        TEST(pieces_are_bounded),
        TEST(tables_come_and_go_while_others_are_written),
        TEST(a_table_comes_while_changes_are_taken_over),
        TEST(what_somebody_else_changes_meanwhile_is_repaired_by_the_next_pass),
        TEST(one_that_fails_does_not_keep_the_others),
        TEST(a_synchronisation_overtakes_what_waits),
        TEST(next_hops_come_first_and_go_last),
    };
    if (geteuid() != 0) {
        (void)puts("needs root");
        return 77;
    }
    return cmocka_run_group_tests_name("guest_pass", tests, NULL, NULL);
}
