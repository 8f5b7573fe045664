// SPDX-License-Identifier: GPL-2.0-or-later
// Filters of `vnrs flows`: which are refused, what each lets through; and the JSON of a packet.
#include "control/flow.h"

#include "util/macros.h"
#include "vnrs/drop_reason.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct vnrs_bpf_flow_event event_of(const char *from, const char *to)
{
    struct vnrs_bpf_flow_event event = {.time_ns = 1500000000,
                                        .reason = VNRS_DROP_NONE_ROUTE,
                                        .ifindex = 16,
                                        .len = 84,
                                        .sport_be = htons(5000),
                                        .dport_be = htons(53),
                                        .family = 4,
                                        .protocol = 17};
    struct vnrs_addr a, b;

    assert_int_equal(vnrs_addr_parse(from, &a), 0);
    assert_int_equal(vnrs_addr_parse(to, &b), 0);
    memcpy(event.saddr, a.bytes, 16);
    memcpy(event.daddr, b.bytes, 16);
    event.family = a.family;
    return event;
}

static void wrong_filters_say_what_is_right(void **state)
{
    static const struct {
        struct vnrs_flow_query query;
        const char *message, *help;
    } rows[] = {
        {{.reason = "NONE"}, "there is no drop reason 'NONE'", "NONE_ROUTE"},
        {{.from = "10.0.0"}, "neither an address nor a prefix: '10.0.0'", "10.0.0.0/24"},
        {{.to = "10.0.0.1/24"}, "neither an address nor a prefix", "10.0.0.0/24"}, // host bits
        {{.to = ""}, "neither", "fd00::/64"},
        {{.protocol = "gre"}, "not a protocol: 'gre'", "number up to 255"},
        {{.protocol = "256"}, "not a protocol", "255"},
        {{.protocol = "-1"}, "not a protocol", "255"},
        {{.protocol = "6x"}, "not a protocol", "255"},
        {{.port = "0"}, "not a port: '0'", "65535"},
        {{.port = "65536"}, "not a port", "65535"},
        {{.port = "80", .protocol = "icmp"}, "only TCP and UDP have ports", "leave out"},
        {{.verdict = "lost"}, "not a verdict", "'dropped' or 'forwarded'"},
        {{.sample = "0"}, "not a rate of samples: '0'", "1 is all"},
        {{.sample = "1000000001"}, "not a rate", "1 is all"},
        {{.sample = "99999999999999999999"}, "not a rate", "1 is all"},
        {{.seconds = "86401"}, "not a number of seconds", "86400"},
        {{.verdict = "forwarded"}, "shown as samples only", "--sample"},
        {{.verdict = "dropped", .sample = "2"}, "samples are taken of forwarded", "leave out"},
        {{.verdict = "forwarded", .sample = "2", .reason = "VLAN"}, "has no drop reason", "leave out"},
        {{.from = "10.0.0.1", .to = "fd00::1"}, "no packet goes from IPv4 to IPv6", "leave out"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_flow_filter filter = {.seconds = 7};
        struct vnrs_flow_wrong wrong = {0};
        assert_int_equal(vnrs_flow_filter_parse(&rows[i].query, &filter, &wrong), -EINVAL);
        assert_int_equal(filter.seconds, 7);
        if (!strstr(wrong.message, rows[i].message) || !strstr(wrong.help, rows[i].help))
            fail_msg("row %zu: %s; %s", i, wrong.message, wrong.help);
    }
}

static void every_reason_fits_the_help(void **state)
{
    const struct vnrs_flow_query query = {.reason = "?"};
    struct vnrs_flow_filter filter;
    struct vnrs_flow_wrong wrong = {0};

    (void)state;
    assert_int_equal(vnrs_flow_filter_parse(&query, &filter, &wrong), -EINVAL);
    assert_non_null(strstr(wrong.help, " LINK_LOSS"));
}

static void filters_let_through_what_they_say(void **state)
{
    static const struct {
        const char *what;
        struct vnrs_flow_query query;
        const char *nic;
        bool dropped, forwarded, icmp6;
    } rows[] = {
        {"nothing asked: what is dropped", {0}, "", true, false, true},
        {"with a sample", {.sample = "1"}, "", true, true, true},
        {"dropped", {.verdict = "dropped"}, "", true, false, true},
        {"forwarded", {.verdict = "forwarded", .sample = "1"}, "", false, true, false},
        {"NIC that sent", {.sample = "1"}, "a/eth0", true, true, true},
        {"NIC that gets", {.sample = "1"}, "b/eth0", false, true, false},
        {"another NIC", {.sample = "1"}, "c/eth0", false, false, false},
        {"reason", {.reason = "none_route", .sample = "1"}, "", true, false, true},
        {"another reason", {.reason = "SOURCE"}, "", false, false, false},
        {"address", {.from = "10.0.0.4", .sample = "1"}, "", true, true, false},
        {"prefix", {.to = "10.1.0.0/16", .sample = "1"}, "", true, true, false},
        {"other family", {.from = "::/0", .sample = "1"}, "", false, false, true},
        {"other way round", {.to = "10.0.0.4", .sample = "1"}, "", false, false, false},
        {"udp", {.protocol = "udp", .sample = "1"}, "", true, true, false},
        {"tcp", {.protocol = "tcp", .sample = "1"}, "", false, false, false},
        {"number", {.protocol = "17", .sample = "1"}, "", true, true, false},
        {"port of the sender", {.port = "5000", .sample = "1"}, "", true, true, true},
        {"port of the receiver", {.port = "53", .protocol = "udp", .sample = "1"}, "", true, true, false},
        {"another port", {.port = "54", .sample = "1"}, "", false, false, false},
        {"icmp is both", {.protocol = "icmp", .sample = "1"}, "", false, false, true},
    };
    struct vnrs_bpf_flow_event dropped = event_of("10.0.0.4", "10.1.0.4"), forwarded = dropped;
    struct vnrs_bpf_flow_event icmp6 = event_of("fd00::4", "fd00::5");

    (void)state;
    forwarded.verdict = VNRS_BPF_VERDICT_FORWARD;
    forwarded.reason = 0;
    icmp6.protocol = 58;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_flow_filter filter;
        struct vnrs_flow_wrong wrong = {0};
        print_message("%s\n", rows[i].what);
        assert_int_equal(vnrs_flow_filter_parse(&rows[i].query, &filter, &wrong), 0);
        strcpy(filter.nic, rows[i].nic);
        assert_int_equal(vnrs_flow_filter_matches(&filter, &dropped, "a/eth0", NULL), rows[i].dropped);
        assert_int_equal(vnrs_flow_filter_matches(&filter, &forwarded, "a/eth0", "b/eth0"), rows[i].forwarded);
        assert_int_equal(vnrs_flow_filter_matches(&filter, &icmp6, "a/eth0", NULL), rows[i].icmp6);
    }
}

static void what_is_not_ip_has_no_protocol_to_match(void **state)
{
    const struct vnrs_flow_query query = {.protocol = "0"};
    const struct vnrs_bpf_flow_event event = {.reason = VNRS_DROP_ETHERTYPE};
    struct vnrs_flow_filter filter;
    struct vnrs_flow_wrong wrong = {0};

    (void)state;
    assert_int_equal(vnrs_flow_filter_parse(&query, &filter, &wrong), 0);
    assert_false(vnrs_flow_filter_matches(&filter, &event, NULL, NULL));
}

static void answers_are_neither_dropped_nor_forwarded(void **state)
{
    static const struct {
        uint8_t verdict;
        uint32_t reason;
        bool any, dropped;
    } rows[] = {{VNRS_BPF_VERDICT_REPLY, 0, true, false},
                {VNRS_BPF_VERDICT_REPLY, VNRS_DROP_TOO_BIG, true, true},
                {VNRS_BPF_VERDICT_IGNORE, 0, true, false},
                {VNRS_BPF_VERDICT_UNKNOWN, 0, true, false},
                {VNRS_BPF_VERDICT_DROP, VNRS_DROP_TOO_BIG, true, true}};
    const struct vnrs_flow_filter any = {.reason = -1, .protocol = -1, .sample = 1};
    struct vnrs_flow_filter dropped = any, forwarded = any, reason = any;

    (void)state;
    dropped.verdict = VNRS_FLOW_DROPPED;
    forwarded.verdict = VNRS_FLOW_FORWARDED;
    reason.reason = VNRS_DROP_TOO_BIG;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct vnrs_bpf_flow_event event = {.verdict = rows[i].verdict, .reason = rows[i].reason};
        assert_int_equal(vnrs_flow_filter_matches(&any, &event, NULL, NULL), rows[i].any);
        assert_int_equal(vnrs_flow_filter_matches(&dropped, &event, NULL, NULL), rows[i].dropped);
        assert_int_equal(vnrs_flow_filter_matches(&reason, &event, NULL, NULL), rows[i].dropped);
        assert_false(vnrs_flow_filter_matches(&forwarded, &event, NULL, NULL));
    }
}

static void headers_are_read_where_nobody_told_of_them(void **state)
{
    static const uint8_t udp[] = {2, 0, 0,  0, 0, 1,  2, 0, 0, 0,  0, 2, 8, 0,    0x45, 0, 0,  28, 0, 0, 0,
                                  0, 4, 17, 0, 0, 10, 0, 0, 4, 10, 1, 0, 4, 0x13, 0x88, 0, 53, 0,  8, 0, 0};
    struct vnrs_bpf_flow_event event = {.verdict = VNRS_BPF_VERDICT_UNKNOWN, .len = 28, .bytes = sizeof(udp)};
    const struct vnrs_bpf_flow_event told = event_of("10.0.0.4", "10.1.0.4");

    (void)state;
    vnrs_flow_read_bytes(&event, udp);
    assert_int_equal(event.family, 4);
    assert_int_equal(event.protocol, 17);
    assert_memory_equal(event.saddr, told.saddr, sizeof(told.saddr));
    assert_memory_equal(event.daddr, told.daddr, sizeof(told.daddr));
    assert_int_equal(event.sport_be, told.sport_be);
    assert_int_equal(event.dport_be, told.dport_be);
    event = (struct vnrs_bpf_flow_event){.len = 28, .bytes = sizeof(udp), .vlan_type_be = 0x81};
    vnrs_flow_read_bytes(&event, udp); // the packet path does not look behind a tag either
    assert_int_equal(event.family, 0);
    event = (struct vnrs_bpf_flow_event){.len = 28, .bytes = 3};
    vnrs_flow_read_bytes(&event, udp);
    assert_int_equal(event.family, 0);
}

static void comments(void **state)
{
    static const struct {
        struct vnrs_bpf_flow_event event;
        bool inbound;
        const char *to_nic, *text;
    } rows[] = {
        {{.verdict = VNRS_BPF_VERDICT_FORWARD, .type = VNRS_NH_APPLIANCE},
         false,
         "n/eth0",
         "forwarded: VirtualAppliance, to n/eth0"},
        {{.verdict = VNRS_BPF_VERDICT_FORWARD, .type = VNRS_NH_APPLIANCE},
         true,
         "n/eth0",
         "forwarded: VirtualAppliance, from a/eth0"},
        {{.verdict = VNRS_BPF_VERDICT_FORWARD, .type = VNRS_NH_VNET_LOCAL}, false, NULL, "forwarded: VnetLocal, to ?"},
        {{.verdict = VNRS_BPF_VERDICT_DROP, .reason = VNRS_DROP_VLAN}, false, NULL, "dropped: VLAN (VLAN tag)"},
        {{.verdict = VNRS_BPF_VERDICT_REPLY}, false, NULL, "answered by the fabric"},
        {{.verdict = VNRS_BPF_VERDICT_REPLY, .captured = VNRS_BPF_CAPTURED_ANSWER}, true, NULL, "answer of the fabric"},
        {{.verdict = VNRS_BPF_VERDICT_IGNORE}, false, NULL, "no answer is due"},
        {{.verdict = VNRS_BPF_VERDICT_UNKNOWN, .captured = VNRS_BPF_CAPTURED_TO}, true, NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[128];
        vnrs_flow_comment(&rows[i].event, rows[i].inbound, "a/eth0", rows[i].to_nic, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
    }
}

static void check_json(const struct vnrs_bpf_flow_event *event, const char *nic, const char *to_nic, const char *want)
{
    json_t *json = vnrs_flow_json(event, nic, to_nic, 1000000000500000);
    char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);

    assert_string_equal(text, want);
    free(text);
    json_decref(json);
}

static void json_of_a_packet(void **state)
{
    struct vnrs_bpf_flow_event event = event_of("10.0.0.4", "10.1.0.4");
    const struct vnrs_bpf_flow_event bare = {.reason = VNRS_DROP_ETHERTYPE, .len = 46};

    (void)state;
    check_json(
        &event, "a/eth0", NULL,
        "{\"time\":\"1970-01-12T13:46:41.500500Z\",\"nic\":\"a/eth0\",\"verdict\":\"dropped\",\"reason\":"
        "\"NONE_ROUTE\",\"text\":\"next hop type None\",\"nextHopType\":null,\"toNic\":null,\"protocol\":\"udp\","
        "\"from\":\"10.0.0.4\",\"fromPort\":5000,\"to\":\"10.1.0.4\",\"toPort\":53,\"bytes\":84}");
    event.verdict = VNRS_BPF_VERDICT_FORWARD;
    event.reason = 0;
    event.type = VNRS_NH_APPLIANCE;
    event.protocol = 50;
    event.sport_be = event.dport_be = 0;
    check_json(&event, "a/eth0", "nva/eth0",
               "{\"time\":\"1970-01-12T13:46:41.500500Z\",\"nic\":\"a/eth0\",\"verdict\":\"forwarded\",\"reason\":null,"
               "\"text\":null,\"nextHopType\":\"VirtualAppliance\",\"toNic\":\"nva/eth0\",\"protocol\":\"50\",\"from\":"
               "\"10.0.0.4\",\"fromPort\":null,\"to\":\"10.1.0.4\",\"toPort\":null,\"bytes\":84}");
    check_json(
        &bare, NULL, NULL,
        "{\"time\":\"1970-01-12T13:46:40.000500Z\",\"nic\":null,\"verdict\":\"dropped\",\"reason\":\"ETHERTYPE\","
        "\"text\":\"not ARP, IPv4 or IPv6\",\"nextHopType\":null,\"toNic\":null,\"protocol\":null,\"from\":null,"
        "\"fromPort\":null,\"to\":null,\"toPort\":null,\"bytes\":46}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_filters_say_what_is_right),
        cmocka_unit_test(every_reason_fits_the_help),
        cmocka_unit_test(filters_let_through_what_they_say),
        cmocka_unit_test(what_is_not_ip_has_no_protocol_to_match),
        cmocka_unit_test(answers_are_neither_dropped_nor_forwarded),
        cmocka_unit_test(headers_are_read_where_nobody_told_of_them),
        cmocka_unit_test(comments),
        cmocka_unit_test(json_of_a_packet),
    };
    return cmocka_run_group_tests_name("control.flow", tests, NULL, NULL);
}
