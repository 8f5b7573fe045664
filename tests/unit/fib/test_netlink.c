// SPDX-License-Identifier: GPL-2.0-or-later
// Message builders against golden bytes, and back through the decoders; what is made of the kernel's answers. Little
// endian hosts only, as the bytes are.
#include "fib/nlroute.h"

#include "fib/scripted_kernel.h"
#include "util/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a = {0};
    if (*text)
        assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static struct vnrs_prefix prefix(const char *text)
{
    struct vnrs_prefix p;
    assert_int_equal(vnrs_prefix_parse(text, &p), 0);
    return p;
}

static void check(const char *what, const struct vnrs_nlmsg *msg, const char *golden)
{
    char hex[4096], *at = hex;
    const struct nlmsghdr *head = (const struct nlmsghdr *)msg->bytes;

    for (uint32_t i = 0; i < head->nlmsg_len; i++)
        at += sprintf(at, "%02x", (unsigned char)msg->bytes[i]);
    if (strcmp(hex, golden) != 0)
        print_message("%s: \"%s\"\n", what, hex);
    assert_string_equal(hex, golden);
}

// A dump answers with what a creation asked for.
static struct vnrs_nlmsg answered(const struct vnrs_nlmsg *msg)
{
    struct vnrs_nlmsg copy = *msg;
    ((struct nlmsghdr *)copy.bytes)->nlmsg_flags = NLM_F_MULTI;
    return copy;
}

static const struct {
    const char *what, *prefix, *via[2];
    uint32_t table, metric, nhid, ifindex;
    bool onlink;
    uint8_t type;
    enum vnrs_nl_verb verb;
    const char *golden;
} route_rows[] = {
    {.what = "one hop",
     .prefix = "10.50.0.0/16",
     .via = {"10.0.2.4"},
     .table = 254,
     .metric = 100,
     .ifindex = 5,
     .type = RTN_UNICAST,
     .verb = VNRS_NL_CREATE,
     .golden = "4400000018000106000000000000000002100000fe9d000100000000080001000a32000008000f00fe000000"
               "0800060064000000080005000a0002040800040005000000"},
    {.what = "on link",
     .prefix = "10.50.0.0/16",
     .via = {""},
     .table = 10001,
     .ifindex = 1,
     .type = RTN_UNICAST,
     .verb = VNRS_NL_CREATE,
     .golden = "3400000018000106000000000000000002100000009dfd0100000000080001000a32000008000f0011270000"
               "0800040001000000"},
    {.what = "two hops, onlink",
     .prefix = "10.50.0.0/16",
     .via = {"10.0.2.4", "10.0.2.5"},
     .table = 254,
     .metric = 100,
     .ifindex = 5,
     .onlink = true,
     .type = RTN_UNICAST,
     .verb = VNRS_NL_PUT,
     .golden = "5800000018000105000000000000000002100000fe9d000100000000080001000a32000008000f00fe000000"
               "0800060064000000240009801000040005000000080005000a0002041000040005000000080005000a000205"},
    {.what = "IPv4 by an IPv6 gateway",
     .prefix = "0.0.0.0/0",
     .via = {"fe80::1"},
     .table = 10001,
     .ifindex = 16,
     .type = RTN_UNICAST,
     .verb = VNRS_NL_CREATE,
     .golden = "4400000018000106000000000000000002000000009d00010000000008000f0011270000160012000a00fe80"
               "000000000000000000000000000100000800040010000000"},
    {.what = "IPv6 by two",
     .prefix = "fd00::/64",
     .via = {"fe80::1", "fe80::2"},
     .table = 254,
     .metric = 100,
     .ifindex = 5,
     .type = RTN_UNICAST,
     .verb = VNRS_NL_CREATE,
     .golden = "7c0000001800010600000000000000000a400000fe9d00010000000014000100fd0000000000000000000000"
               "0000000008000f00fe00000008000600640000003c0009801c0000000500000014000500fe80000000000000"
               "00000000000000011c0000000500000014000500fe800000000000000000000000000002"},
    {.what = "next-hop object",
     .prefix = "10.50.0.0/16",
     .table = 254,
     .metric = 100,
     .nhid = 0x56000002,
     .type = RTN_UNICAST,
     .verb = VNRS_NL_PUT,
     .golden = "3c00000018000105000000000000000002100000fe9d000100000000080001000a32000008000f00fe000000"
               "080006006400000008001e0002000056"},
    {.what = "blackhole",
     .prefix = "fd00::/16",
     .table = 10001,
     .metric = 1024,
     .type = RTN_BLACKHOLE,
     .verb = VNRS_NL_CREATE,
     .golden = "400000001800010600000000000000000a100000009d00060000000014000100fd0000000000000000000000"
               "0000000008000f00112700000800060000040000"},
    {.what = "removal",
     .prefix = "10.50.0.0/16",
     .table = 254,
     .metric = 100,
     .type = RTN_UNICAST,
     .verb = VNRS_NL_DELETE,
     .golden = "3400000019000100000000000000000002100000fe9dff0000000000080001000a32000008000f00fe000000"
               "0800060064000000"},
};

static void test_routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(route_rows); i++) {
        struct vnrs_nlroute back, route = {.prefix = prefix(route_rows[i].prefix),
                                           .table = route_rows[i].table,
                                           .metric = route_rows[i].metric,
                                           .protocol = 157,
                                           .nhid = route_rows[i].nhid,
                                           .type = route_rows[i].type};
        struct vnrs_nlmsg msg;
        for (size_t j = 0; j < 2 && route_rows[i].via[j]; j++)
            route.hops[route.n_hops++] = (struct vnrs_nlhop){
                .ifindex = route_rows[i].ifindex, .via = addr(route_rows[i].via[j]), .onlink = route_rows[i].onlink};
        assert_true(vnrs_nlroute_encode(&route, route_rows[i].verb, &msg));
        check(route_rows[i].what, &msg, route_rows[i].golden);
        msg = answered(&msg);
        if (route_rows[i].verb == VNRS_NL_DELETE) {
            assert_false(vnrs_nlroute_decode((struct nlmsghdr *)msg.bytes, &back));
            continue;
        }
        assert_true(vnrs_nlroute_decode((struct nlmsghdr *)msg.bytes, &back));
        struct vnrs_nlmsg again;
        assert_true(vnrs_nlroute_encode(&back, route_rows[i].verb, &again));
        check(route_rows[i].what, &again, route_rows[i].golden);
    }
}

static void test_route_limit(void **state)
{
    struct vnrs_nlroute back, route = {.prefix = prefix("fd00::/64"), .table = 10001, .type = RTN_UNICAST};
    struct vnrs_nlmsg msg;
    (void)state;

    for (uint32_t i = 0; i < VNRS_NLHOPS_MAX; i++)
        route.hops[route.n_hops++] = (struct vnrs_nlhop){.ifindex = i + 1, .via = addr("fe80::1"), .onlink = i % 2};
    assert_true(vnrs_nlroute_encode(&route, VNRS_NL_CREATE, &msg));
    assert_true(vnrs_nlroute_decode((struct nlmsghdr *)msg.bytes, &back));
    assert_int_equal(back.n_hops, VNRS_NLHOPS_MAX);
    assert_memory_equal(route.hops, back.hops, sizeof(route.hops));
    route.n_hops++;
    assert_false(vnrs_nlroute_encode(&route, VNRS_NL_CREATE, &msg));
}

static void test_nexthops(void **state)
{
    static const struct {
        const char *what;
        struct vnrs_nlnexthop nexthop;
        enum vnrs_nl_verb verb;
        const char *golden;
    } rows[] = {
        {"gateway",
         {.id = 0x56000001,
          .protocol = 157,
          .family = VNRS_AF_IPV4,
          .hop = {.ifindex = 5, .onlink = true, .via = {VNRS_AF_IPV4, {10, 0, 2, 4}}}},
         VNRS_NL_CREATE,
         "3000000068000106000000000000000002009d00040000000800010001000056080005000500000008000600"
         "0a000204"},
        {"blackhole",
         {.id = 0x56000002, .protocol = 157, .family = VNRS_AF_IPV6, .blackhole = true},
         VNRS_NL_CREATE,
         "240000006800010600000000000000000a009d0000000000080001000200005604000400"},
        {"group",
         {.id = 0x56000003, .protocol = 157, .n_members = 2, .members = {0x56000001, 0x56000004}},
         VNRS_NL_PUT,
         "3400000068000105000000000000000000009d00000000000800010003000056140002000100005600000000"
         "0400005600000000"},
        {"resilient group",
         {.id = 0x56000003, .protocol = 157, .n_members = 1, .resilient = true, .members = {0x56000001}},
         VNRS_NL_CREATE,
         "4800000068000106000000000000000000009d000000000008000100030000560c0002000100005600000000"
         "060003000100000014000c8006000100400000000800020000000000"},
        {"removal",
         {.id = 0x56000003},
         VNRS_NL_DELETE,
         "2000000069000100000000000000000000000000000000000800010003000056"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_nlnexthop back;
        struct vnrs_nlmsg msg;
        assert_true(vnrs_nlnexthop_encode(&rows[i].nexthop, rows[i].verb, &msg));
        check(rows[i].what, &msg, rows[i].golden);
        msg = answered(&msg);
        assert_int_equal(vnrs_nlnexthop_decode((struct nlmsghdr *)msg.bytes, &back), rows[i].verb != VNRS_NL_DELETE);
        if (rows[i].verb != VNRS_NL_DELETE)
            assert_memory_equal(&rows[i].nexthop, &back, sizeof(back));
    }
}

static void test_neighbours_and_rules(void **state)
{
    const struct vnrs_nlneigh neigh = {.ifindex = 5, .addr = addr("fe80::1"), .mac = {{2, 0, 0, 0, 0, 9}}};
    const struct vnrs_nlneigh proxy = {.ifindex = 5, .addr = addr("fd00::5"), .proxy = true};
    const struct vnrs_nlrule rule = {
        .family = VNRS_AF_IPV4, .protocol = 157, .priority = 20000, .table = 10001, .iif = "na"};
    struct vnrs_nlneigh neigh_back;
    struct vnrs_nlrule rule_back;
    struct vnrs_nlmsg msg;
    (void)state;

    vnrs_nlneigh_encode(&neigh, VNRS_NL_PUT, &msg);
    check("neighbour", &msg,
          "440000001c00010500000000000000000a000000050000008000000014000100fe8000000000000000000000"
          "0000000105000c009d0000000a0002000200000000090000");
    assert_true(vnrs_nlneigh_decode((struct nlmsghdr *)msg.bytes, &neigh_back));
    assert_memory_equal(&neigh, &neigh_back, sizeof(neigh));
    vnrs_nlneigh_encode(&proxy, VNRS_NL_PUT, &msg);
    check("proxy", &msg,
          "380000001c00010500000000000000000a000000050000008000080014000100fd0000000000000000000000"
          "0000000505000c009d000000");
    assert_true(vnrs_nlneigh_decode((struct nlmsghdr *)msg.bytes, &neigh_back));
    assert_memory_equal(&proxy, &neigh_back, sizeof(proxy));
    vnrs_nlneigh_encode(&proxy, VNRS_NL_DELETE, &msg);
    check("proxy removed", &msg,
          "300000001d00010000000000000000000a000000050000000000080014000100fd0000000000000000000000"
          "00000005");
    vnrs_nlrule_encode(&rule, VNRS_NL_CREATE, &msg);
    check("rule", &msg,
          "3c00000020000106000000000000000002000000000000010000000008000600204e000008000f0011270000"
          "070003006e610000050015009d000000");
    assert_true(vnrs_nlrule_decode((struct nlmsghdr *)msg.bytes, &rule_back));
    vnrs_nlrule_encode(&rule_back, VNRS_NL_DELETE, &msg);
    check("rule removed", &msg,
          "3c00000021000100000000000000000002000000000000010000000008000600204e000008000f0011270000"
          "070003006e610000050015009d000000");
}

// Kernel answers are outside bytes: cut short or bent they are refused, never read beyond.
static void test_bent_messages(void **state)
{
    struct vnrs_nlroute back, route = {.prefix = prefix("10.0.0.0/8"), .table = 254, .type = RTN_UNICAST, .n_hops = 2};
    struct vnrs_nlmsg msg;
    (void)state;

    route.hops[0] = route.hops[1] = (struct vnrs_nlhop){.ifindex = 3, .via = addr("10.0.0.1")};
    assert_true(vnrs_nlroute_encode(&route, VNRS_NL_CREATE, &msg));
    uint32_t len = ((struct nlmsghdr *)msg.bytes)->nlmsg_len;
    for (uint32_t cut = sizeof(struct nlmsghdr); cut < len; cut++) {
        char exact[VNRS_NL_MSG_MAX];
        struct nlmsghdr *head = (struct nlmsghdr *)exact;
        memcpy(exact, msg.bytes, cut);
        head->nlmsg_len = cut;
        (void)!vnrs_nlroute_decode(head, &back);
    }
    for (uint32_t i = sizeof(struct nlmsghdr); i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct vnrs_nlmsg bent = msg;
            bent.bytes[i] ^= (char)(1 << bit);
            (void)!vnrs_nlroute_decode((struct nlmsghdr *)bent.bytes, &back);
        }
}

struct refusals {
    unsigned n;
    uint64_t cookies[8];
};

static void note(void *arg, uint64_t cookie, int error, const char *text)
{
    struct refusals *refusals = arg;

    assert_true(error < 0);
    assert_true(*text);
    refusals->cookies[refusals->n++] = cookie;
}

// What the kernel refuses to anybody: without the right to do it, or because it is not there.
static void queue_refused(struct vnrs_nl *nl, uint64_t cookie)
{
    const struct vnrs_nlroute route = {
        .prefix = prefix("198.51.100.0/24"), .table = 77777, .protocol = 200, .type = RTN_UNICAST};
    struct vnrs_nlmsg msg;

    assert_true(vnrs_nlroute_encode(&route, VNRS_NL_DELETE, &msg));
    assert_int_equal(vnrs_nl_queue(nl, &msg, cookie), 0);
}

// Sockets share their buffers, and each has its own messages nevertheless.
static void test_sockets_in_turns(void **state)
{
    struct refusals refusals[3] = {0};
    struct vnrs_nl *nl[3];
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(vnrs_nl_new(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), &nl[i]), 0);
        assert_int_equal(vnrs_nl_handler_set(nl[i], note, &refusals[i]), 0);
    }
    for (unsigned round = 0; round < 3; round++) {
        queue_refused(nl[0], 10 + round);
        queue_refused(nl[1], 20 + round);
    }
    assert_int_equal(vnrs_nl_flush(nl[0]), 0);
    queue_refused(nl[2], 30);
    assert_int_equal(vnrs_nl_flush(nl[1]), 0);
    assert_int_equal(vnrs_nl_flush(nl[1]), 0); // nothing is left
    assert_int_equal(refusals[0].n, 3);
    assert_int_equal(refusals[1].n, 3);
    assert_int_equal(refusals[2].n, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(refusals[0].cookies[i], 10 + i);
        assert_int_equal(refusals[1].cookies[i], 20 + i);
    }
    assert_int_equal(vnrs_nl_written(nl[0]), 0);
    for (unsigned i = 0; i < 3; i++)
        vnrs_nl_free(nl[i]); // of the last one with what it has queued
    assert_int_equal(refusals[2].n, 0);
}

static struct { // of a scripted kernel
    unsigned heard, acks, asked, restarts, got;
} seen;
static struct vnrs_nlmsg refused; // the message that the last answers are about

static void refuse_one_of_three(const struct nlmsghdr *msg, bool last)
{
    seen.acks += msg->nlmsg_flags & NLM_F_ACK ? 1 : 0;
    if (seen.heard++ % 3 == 1)
        memcpy(refused.bytes, msg, msg->nlmsg_len);
    if (!last)
        return;
    assert_true(msg->nlmsg_flags & NLM_F_ACK);
    struct nlmsghdr *head = (struct nlmsghdr *)refused.bytes,
                    stale = {.nlmsg_len = 16, .nlmsg_seq = msg->nlmsg_seq - 3};
    kernel_answer(&stale, -EPERM, "of an earlier batch", false);
    kernel_answer(head, -EINVAL, seen.heard > 3 ? NULL : "Nexthop has invalid gateway", seen.heard <= 3);
    kernel_answer(msg, 0, NULL, false);
}

static char told[64];

static void keep(void *arg, uint64_t cookie, int error, const char *text)
{
    note(arg, cookie, error, text);
    assert_int_equal(error, -EINVAL);
    assert_true(vnrs_str_copy(told, sizeof(told), text));
}

// Each failure belongs to the message of its number, in the kernel's own words where it has some.
static void test_refusals_find_their_message(void **state)
{
    struct refusals refusals = {0};
    struct vnrs_nl *nl;
    (void)state;

    memset(&seen, 0, sizeof(seen));
    kernel_open(refuse_one_of_three, &nl);
    assert_int_equal(vnrs_nl_handler_set(nl, keep, &refusals), 0);
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t cookie = 0; cookie < 3; cookie++)
            queue_refused(nl, 70 + 10 * round + cookie);
        assert_int_equal(vnrs_nl_flush(nl), 0);
        assert_int_equal(refusals.n, round + 1);
        assert_int_equal(refusals.cookies[round], 71 + 10 * round);
        assert_string_equal(told, round ? strerror(EINVAL) : "Nexthop has invalid gateway");
        assert_int_equal(vnrs_nl_written(nl), 2 * (round + 1));
        assert_int_equal(seen.acks, round + 1); // of the last alone
    }
    kernel_close(nl);
}

static void say_nothing(const struct nlmsghdr *msg, bool last)
{
    (void)last;
    (void)msg;
}

static void test_lost_answer_is_an_error(void **state)
{
    struct vnrs_nl *nl;
    (void)state;

    kernel_open(say_nothing, &nl);
    queue_refused(nl, 1);
    assert_int_equal(vnrs_nl_flush(nl), -ENOBUFS);
    assert_int_equal(vnrs_nl_written(nl), 0);
    assert_int_equal(vnrs_nl_flush(nl), 0); // nothing is sent twice
    kernel_close(nl);
}

static void take_all(const struct nlmsghdr *msg, bool last)
{
    seen.heard++;
    seen.acks += msg->nlmsg_flags & NLM_F_ACK ? 1 : 0;
    if (last)
        kernel_answer(msg, 0, NULL, false);
}

static void test_batches_have_an_end(void **state)
{
    struct vnrs_nl *nl;
    (void)state;

    memset(&seen, 0, sizeof(seen));
    kernel_open(take_all, &nl);
    for (unsigned i = 0; i < VNRS_NL_BATCH_MAX + 1; i++)
        queue_refused(nl, i);
    assert_int_equal(kernel.datagrams, 1);
    assert_int_equal(seen.heard, VNRS_NL_BATCH_MAX);
    assert_int_equal(vnrs_nl_flush(nl), 0);
    assert_int_equal(kernel.datagrams, 2);
    assert_int_equal(seen.acks, 2);
    assert_int_equal(vnrs_nl_written(nl), VNRS_NL_BATCH_MAX + 1);
    kernel_close(nl);
}

static void say_object(const struct nlmsghdr *to, uint16_t type, uint16_t flags)
{
    struct {
        struct nlmsghdr head;
        int32_t value;
    } msg = {{sizeof(msg), type, (uint16_t)(NLM_F_MULTI | flags), to->nlmsg_seq, 0}, 0};

    kernel_say(&msg.head);
}

// First interrupted by a change, then without an end, for which there was no room, then whole.
static void dump_at_the_third_attempt(const struct nlmsghdr *msg, bool last)
{
    assert_true(last);
    assert_int_equal(msg->nlmsg_flags & NLM_F_DUMP, NLM_F_DUMP);
    seen.asked++;
    say_object(msg, RTM_NEWROUTE, seen.asked == 1 ? NLM_F_DUMP_INTR : 0);
    say_object(msg, RTM_NEWROUTE, 0);
    if (seen.asked == 2)
        return;
    if (seen.asked == 3)
        say_object(msg, RTM_NEWROUTE, 0);
    say_object(msg, NLMSG_DONE, 0);
}

static void dump_in_vain(const struct nlmsghdr *msg, bool last)
{
    (void)last;
    seen.asked++;
    say_object(msg, NLMSG_DONE, NLM_F_DUMP_INTR);
}

static void restart(void *arg)
{
    (void)arg;
    seen.restarts++;
    seen.got = 0;
}

static int take_object(const struct nlmsghdr *msg, void *arg)
{
    (void)arg;
    assert_int_equal(msg->nlmsg_type, RTM_NEWROUTE);
    seen.got++;
    return 0;
}

static void test_dumps_begin_anew(void **state)
{
    struct vnrs_nlmsg request;
    struct vnrs_nl *nl;
    (void)state;

    memset(&seen, 0, sizeof(seen));
    vnrs_nlroute_encode_dump(VNRS_AF_IPV4, 0, 0, &request);
    kernel_open(dump_at_the_third_attempt, &nl);
    assert_int_equal(vnrs_nl_dump(nl, &request, restart, take_object, NULL), 0);
    assert_int_equal(seen.asked, 3);
    assert_int_equal(seen.restarts, 3);
    assert_int_equal(seen.got, 3);
    kernel.hear = dump_in_vain;
    seen.asked = 0;
    assert_int_equal(vnrs_nl_dump(nl, &request, restart, take_object, NULL), -EAGAIN);
    assert_in_range(seen.asked, 2, 100);
    kernel_close(nl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_route_limit),
        cmocka_unit_test(test_nexthops),
        cmocka_unit_test(test_bent_messages),
        cmocka_unit_test(test_neighbours_and_rules),
        cmocka_unit_test(test_sockets_in_turns),
        cmocka_unit_test(test_refusals_find_their_message),
        cmocka_unit_test(test_lost_answer_is_an_error),
        cmocka_unit_test(test_batches_have_an_end),
        cmocka_unit_test(test_dumps_begin_anew),
    };
    return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
