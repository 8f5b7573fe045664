// SPDX-License-Identifier: GPL-2.0-or-later
// What the fabric itself says: ARP, neighbour advertisements, ICMP errors about packets that are too big.
#include "fixture.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>

#define A  "10.0.0.4" // of VM_A
#define A6 "fd00::4"

static struct fixture fx;

// --- neighbours ---

static void assert_answer(unsigned from, const struct frame *in, const struct frame *expected)
{
    struct vnrs_bpf_counter before[DIRECTIONS], after[DIRECTIONS];
    struct run run;

    fixture_nic_counters(&fx, from, before);
    fixture_run(&fx, from, in, 0, &run);
    fixture_nic_counters(&fx, from, after);
    assert_int_equal(after[FROM_NIC].packets, before[FROM_NIC].packets + 1);
    assert_int_equal(run.cb[VNRS_BPF_CB_REASON], 0);
    if (!expected) {
        assert_int_equal(run.cb[VNRS_BPF_CB_VERDICT], VNRS_BPF_VERDICT_IGNORE);
        assert_int_equal(run.ret, TC_ACT_SHOT);
        assert_int_equal(after[TO_NIC].packets, before[TO_NIC].packets);
        return;
    }
    assert_int_equal(run.cb[VNRS_BPF_CB_VERDICT], VNRS_BPF_VERDICT_REPLY);
    assert_int_equal(run.cb[VNRS_BPF_CB_IFINDEX], from);
    assert_int_equal(run.ret, TC_ACT_REDIRECT);
    assert_int_equal(run.out.len, expected->len);
    assert_memory_equal(run.out.bytes, expected->bytes, expected->len);
    assert_int_equal(after[TO_NIC].packets, before[TO_NIC].packets + 1);
    assert_int_equal(after[TO_NIC].bytes, before[TO_NIC].bytes + expected->len - 14);
}

static void arp(void **state)
{
    static const struct {
        const char *what, *mac, *sender, *target;
        uint16_t op;
        bool answered;
    } rows[] = {
        {"gateway", BROADCAST, A, "10.0.0.1", 1, true},
        {"neighbour that exists", BROADCAST, A, "10.0.1.4", 1, true},
        {"anything at all", BROADCAST, A, "203.0.113.7", 1, true},
        {"unicast refresh", FABRIC_MAC, A, "10.0.0.1", 1, true},
        {"announcement", BROADCAST, A, A, 1, false},
        {"probe of own address", BROADCAST, "0.0.0.0", A, 1, false},
        {"own second address", BROADCAST, "10.0.0.8", A, 1, false},
        {"reply", FABRIC_MAC, A, "10.0.0.1", 2, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame in, expected;
        print_message("arp: %s\n", rows[i].what);
        frame_arp(rows[i].mac, rows[i].op, rows[i].sender, rows[i].target, &in);
        frame_arp_reply(rows[i].sender, rows[i].target, &expected);
        assert_answer(VM_A, &in, rows[i].answered ? &expected : NULL);
    }
}

static void malformed_arp(void **state)
{
    struct frame in;
    struct run run;

    (void)state;
    for (size_t at = 14; at < 20; at++) { // hardware, protocol, their lengths
        frame_arp(BROADCAST, 1, A, "10.0.0.1", &in);
        in.bytes[at] ^= 0x10;
        fixture_run(&fx, VM_A, &in, 0, &run);
        assert_int_equal(run.cb[VNRS_BPF_CB_REASON], VNRS_DROP_MALFORMED);
    }
    frame_arp(BROADCAST, 1, A, "10.0.0.1", &in);
    in.len--;
    fixture_run(&fx, VM_A, &in, 0, &run);
    assert_int_equal(run.cb[VNRS_BPF_CB_REASON], VNRS_DROP_MALFORMED);
    (void)!vnrs_bpf_events_consume(fx.events, UINT_MAX);
}

static void neighbour_solicitation(void **state)
{
    static const struct {
        const char *what, *mac, *src, *dst, *target;
        bool option, answered;
    } rows[] = {
        {"gateway, solicited-node", "33:33:ff:00:00:01", A6, "ff02::1:ff00:1", "fd00::1", true, true},
        {"anything at all", "33:33:ff:00:00:09", A6, "ff02::1:ff00:9", "2001:db8::9", true, true},
        {"link-local router", "33:33:ff:00:00:01", "fe80::4", "ff02::1:ff00:1", "fe80::1", true, true},
        {"unicast", FABRIC_MAC, A6, "fd00::1", "fd00::1", true, true},
        {"unicast without option", FABRIC_MAC, A6, "fd00::1", "fd00::1", false, true},
        {"duplicate address detection", "33:33:ff:00:00:04", "::", "ff02::1:ff00:4", A6, false, false},
        {"own address", "33:33:ff:00:00:04", A6, "ff02::1:ff00:4", A6, true, false},
        {"own other address", "33:33:ff:00:00:04", "fe80::4", "ff02::1:ff00:4", A6, true, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame in, expected;
        print_message("nd: %s\n", rows[i].what);
        frame_solicit(rows[i].mac, rows[i].src, rows[i].dst, rows[i].target, rows[i].option, &in);
        frame_advert(rows[i].src, rows[i].target, &expected);
        assert_answer(VM_A, &in, rows[i].answered ? &expected : NULL);
    }
}

static void malformed_neighbour_solicitation(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {{21, 254}, {55, 1}, {62, 0xff}}; // hop limit, code, multicast target
    struct frame in;
    struct run run;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        frame_solicit("33:33:ff:00:00:01", A6, "ff02::1:ff00:1", "fd00::1", true, &in);
        in.bytes[rows[i].at] = rows[i].value;
        fixture_run(&fx, VM_A, &in, 0, &run);
        assert_int_equal(run.cb[VNRS_BPF_CB_REASON], VNRS_DROP_MALFORMED);
    }
    (void)!vnrs_bpf_events_consume(fx.events, UINT_MAX);
}

// --- path MTU ---

static void run_too_big(const struct spec *packet, uint32_t gso_size, struct frame *ret_in, struct run *ret_run)
{
    frame_build(packet, ret_in);
    fixture_run(&fx, VM_A, ret_in, gso_size, ret_run);
    assert_int_equal(ret_run->cb[VNRS_BPF_CB_VERDICT], VNRS_BPF_VERDICT_REPLY);
    assert_int_equal(ret_run->cb[VNRS_BPF_CB_REASON], VNRS_DROP_TOO_BIG);
    assert_int_equal(ret_run->cb[VNRS_BPF_CB_IFINDEX], VM_A);
    assert_int_equal(ret_run->ret, TC_ACT_REDIRECT);
    assert_memory_equal(ret_run->out.bytes, ret_in->bytes + 6, 6); // back to the guest
    uint8_t fabric[6];
    mac_parse(FABRIC_MAC, fabric);
    assert_memory_equal(ret_run->out.bytes + 6, fabric, 6);
    assert_int_equal(vnrs_bpf_events_consume(fx.events, UINT_MAX), 1);
    assert_int_equal(last_event.reason, VNRS_DROP_TOO_BIG);
}

static void fragmentation_needed(void **state)
{
    static const struct {
        struct spec packet;
        uint32_t gso_size;
    } rows[] = {
        {{.src = A, .dst = "10.0.3.4", .frag = 0x4000, .payload = 1253}, 0},
        {{.src = A, .dst = "10.0.3.4", .frag = 0x4000, .proto = 1, .payload = 1400}, 0},
        {{.src = A, .dst = "10.0.3.4", .frag = 0x4000, .proto = 1, .icmp_type = 13, .payload = 1400}, 0},
        {{.src = A, .dst = "10.0.3.4", .frag = 0x4000, .proto = 6, .payload = 2482}, 1241},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame in;
        struct run run;
        run_too_big(&rows[i].packet, rows[i].gso_size, &in, &run);
        const uint8_t *ip = run.out.bytes + 14, *icmp = ip + 20;
        size_t quoted = run.out.len - 42;
        assert_int_equal(ip[0], 0x45);
        assert_int_equal(ip[2] << 8 | ip[3], run.out.len - 14);
        assert_int_equal(ip[9], 1);
        assert_int_equal(checksum(ip, 20, 0), 0);
        assert_memory_equal(ip + 12, "\x0a\x00\x00\x01", 4); // the sender's gateway
        assert_memory_equal(ip + 16, "\x0a\x00\x00\x04", 4);
        assert_memory_equal(icmp, "\x03\x04", 2);
        assert_int_equal(icmp[6] << 8 | icmp[7], 1280);
        assert_int_equal(checksum(icmp, run.out.len - 34, 0), 0);
        assert_true(quoted >= 28 && quoted <= 548);
        assert_memory_equal(icmp + 8, in.bytes + 14, quoted);
    }
}

static void packet_too_big(void **state)
{
    static const struct {
        struct spec packet;
        uint32_t gso_size;
    } rows[] = {
        {{.src = A6, .dst = "fd00:3::4", .payload = 1233}, 0},
        {{.src = A6, .dst = "fd00:3::4", .proto = 58, .payload = 1400}, 0},
        {{.src = A6, .dst = "fd00:3::4", .proto = 6, .payload = 2442}, 1221},
        {{.src = A6, .dst = "fd00:3::4", .ext = {60}, .payload = 1300}, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct frame in;
        struct run run;
        run_too_big(&rows[i].packet, rows[i].gso_size, &in, &run);
        const uint8_t *ip = run.out.bytes + 14, *icmp = ip + 40;
        size_t quoted = run.out.len - 62;
        uint32_t len = (uint32_t)(run.out.len - 54);
        assert_int_equal(ip[0], 0x60);
        assert_int_equal(ip[4] << 8 | ip[5], len);
        assert_int_equal(ip[6], 58);
        assert_memory_equal(ip + 8, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
        assert_memory_equal(ip + 24, in.bytes + 22, 16);
        assert_memory_equal(icmp, "\x02\x00", 2);
        assert_memory_equal(icmp + 4, "\x00\x00\x05\x00", 4);
        assert_int_equal(checksum(icmp, len, pseudo_sum6(ip + 8, len, 58)), 0);
        assert_true(quoted >= 48 && quoted <= 1232);
        assert_memory_equal(icmp + 8, in.bytes + 14, quoted);
    }
}

static int setup(void **state)
{
    (void)state;
    fixture_start(&fx);
    return fixture_events_open(&fx);
}

static int teardown(void **state)
{
    (void)state;
    fixture_events_close(&fx);
    fixture_close(&fx, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arp),
        cmocka_unit_test(malformed_arp),
        cmocka_unit_test(neighbour_solicitation),
        cmocka_unit_test(malformed_neighbour_solicitation),
        cmocka_unit_test(fragmentation_needed),
        cmocka_unit_test(packet_too_big),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.answers", tests, setup, teardown);
}
