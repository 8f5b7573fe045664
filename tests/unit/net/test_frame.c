// SPDX-License-Identifier: GPL-2.0-or-later
// Frames as bytes, and what is read of them: whole, cut off, malformed, fragments.
#include "net/frame.h"

#include "util/macros.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MACS  "020000000001 020000000002 "
#define V4    MACS "0800 "
#define V6    MACS "86dd "
#define ADDR4 "0a000004 0a000104 "
#define ADDR6 "fd000000000000010000000000000004 fd000000000000020000000000000004 "
#define UDP   "1388 0035 0008 0000"
#define TCP   "1389 0050 00000000 00000000 5000 0000 0000 0000"

static const struct {
    const char *what, *hex;
    size_t cut; // bytes that are there of it; 0: all
    size_t len; // that the frame had; 0: as many as it has here
    uint8_t family, protocol;
    uint16_t sport, dport;
} rows[] = {
    {"UDP", V4 "45000020 00000000 40110000 " ADDR4 UDP, 0, 0, 0, 0, 0, 0}, // longer than the frame
    {"UDP", V4 "4500001c 00000000 40110000 " ADDR4 UDP, 0, 0, 4, 17, 5000, 53},
    {"padded", V4 "4500001c 00000000 40110000 " ADDR4 UDP "000000000000", 0, 0, 4, 17, 5000, 53},
    {"TCP", V4 "45000028 00000000 40060000 " ADDR4 TCP, 0, 0, 4, 6, 5001, 80},
    {"TCP, half its header", V4 "45000020 00000000 40060000 " ADDR4 UDP "00000000", 0, 0, 4, 6, 0, 0},
    {"TCP, half of it captured", V4 "45000028 00000000 40060000 " ADDR4 TCP, 14 + 20 + 4, 14 + 40, 4, 6, 5001, 80},
    {"TCP, ports cut off", V4 "45000028 00000000 40060000 " ADDR4 TCP, 14 + 20 + 3, 14 + 40, 4, 6, 0, 0},
    {"options", V4 "46000020 00000000 40110000 " ADDR4 "01010101" UDP, 0, 0, 4, 17, 5000, 53},
    {"ICMP", V4 "4500001c 00000000 40010000 " ADDR4 "0800 0000 0001 0001", 0, 0, 4, 1, 0, 0},
    {"first fragment", V4 "4500001c 00002000 40110000 " ADDR4 UDP, 0, 0, 4, 17, 0, 0},
    {"later fragment", V4 "4500001c 00000001 40110000 " ADDR4 UDP, 0, 0, 4, 17, 0, 0},
    {"not to be fragmented", V4 "4500001c 00004000 40110000 " ADDR4 UDP, 0, 0, 4, 17, 5000, 53},
    {"header too short", V4 "4400001c 00000000 40110000 " ADDR4 UDP, 0, 0, 0, 0, 0, 0},
    {"shorter than its header", V4 "45000013 00000000 40110000 " ADDR4 UDP, 0, 0, 0, 0, 0, 0},
    {"header behind the end", V4 "4f00001c 00000000 40110000 " ADDR4 UDP, 0, 0, 0, 0, 0, 0},
    {"version 6 under 0800", V4 "6500001c 00000000 40110000 " ADDR4 UDP, 0, 0, 0, 0, 0, 0},
    {"no length", V4 "45000000 00000000 40060000 " ADDR4 TCP, 0, 0, 0, 0, 0, 0},
    {"before segmentation", V4 "45000000 00000000 40060000 " ADDR4 TCP, 54, 14 + 65536, 4, 6, 5001, 80},
    {"header cut off", V4 "4500001c 00000000 40110000 " ADDR4 UDP, 14 + 19, 14 + 28, 0, 0, 0, 0},
    {"IPv6 UDP", V6 "60000000 00081140 " ADDR6 UDP, 0, 0, 6, 17, 5000, 53},
    {"IPv6 longer than the frame", V6 "60000000 00091140 " ADDR6 UDP, 0, 0, 0, 0, 0, 0},
    {"version 4 under 86dd", V6 "40000000 00081140 " ADDR6 UDP, 0, 0, 0, 0, 0, 0},
    {"IPv6 header cut off", V6 "60000000 00081140 " ADDR6 UDP, 14 + 39, 14 + 48, 0, 0, 0, 0},
    {"IPv6 before segmentation", V6 "60000000 00000640 " ADDR6 TCP, 74, 14 + 70000, 6, 6, 5001, 80},
    {"IPv6 nothing in it", V6 "60000000 00003b40 " ADDR6, 0, 0, 6, 59, 0, 0},
    {"ICMPv6", V6 "60000000 00083a40 " ADDR6 "8000 0000 0001 0001", 0, 0, 6, 58, 0, 0},
    {"hop by hop, destination options, routing",
     V6 "60000000 00200040 " ADDR6 "3c00010400000000 2b00010400000000 1100000000000000" UDP, 0, 0, 6, 17, 5000, 53},
    {"a long extension header", V6 "60000000 00180040 " ADDR6 "1101010c000000000000000000000000" UDP, 0, 0, 6, 17, 5000,
     53},
    {"authentication", V6 "60000000 00143340 " ADDR6 "11010000 00000001 00000001" UDP, 0, 0, 6, 17, 5000, 53},
    {"IPv6 fragment", V6 "60000000 00102c40 " ADDR6 "1100000100000001" UDP, 0, 0, 6, 17, 0, 0},
    {"IPv6 later fragment", V6 "60000000 00102c40 " ADDR6 "1100000800000001" UDP, 0, 0, 6, 17, 0, 0},
    {"all of it in one fragment", V6 "60000000 00102c40 " ADDR6 "1100000000000001" UDP, 0, 0, 6, 17, 5000, 53},
    {"extension header cut off", V6 "60000000 00100040 " ADDR6 "1100010400000000" UDP, 14 + 40 + 7, 14 + 56, 6, 0, 0,
     0},
    {"an extension header longer than all", V6 "60000000 00100040 " ADDR6 "11ff010400000000" UDP, 0, 0, 6, 17, 0, 0},
    {"ARP", MACS "0806 0001080006040001 02000000000a0a000004 0000000000000a000001", 0, 0, 0, 0, 0, 0},
    {"tagged", MACS "8100 0064 0800 4500001c 00000000 40110000 " ADDR4 UDP, 0, 0, 0, 0, 0, 0},
    {"nothing behind the type", V4, 0, 0, 0, 0, 0, 0},
    {"no type", MACS, 0, 0, 0, 0, 0, 0},
    {"nothing", "", 0, 0, 0, 0, 0, 0},
};

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t n = 0;
    unsigned byte;

    for (const char *at = hex; *at; at += *at == ' ' ? 1 : 2) {
        if (*at == ' ')
            continue;
        assert_int_equal(sscanf(at, "%2x", &byte), 1);
        bytes[n++] = (uint8_t)byte;
    }
    return n;
}

static void headers_by_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t bytes[256];
        struct vnrs_frame frame;
        size_t all = from_hex(rows[i].hex, bytes), n = rows[i].cut ? rows[i].cut : all;
        // What lies behind the end is found by the sanitizer only where it is the end.
        uint8_t *exact = n ? memcpy(malloc(n), bytes, n) : NULL;
        vnrs_frame_parse(exact, n, rows[i].len ? rows[i].len : n, &frame);
        free(exact);
        if (frame.family != rows[i].family || frame.protocol != rows[i].protocol ||
            ntohs(frame.sport_be) != rows[i].sport || ntohs(frame.dport_be) != rows[i].dport)
            fail_msg("%s: family %u, protocol %u, ports %u and %u", rows[i].what, frame.family, frame.protocol,
                     ntohs(frame.sport_be), ntohs(frame.dport_be));
    }
}

static void addresses(void **state)
{
    static const uint8_t none[16], from4[16] = {10, 0, 0, 4}, to4[16] = {10, 0, 1, 4};
    static const uint8_t from6[16] = {0xfd, [7] = 1, [15] = 4}, to6[16] = {0xfd, [7] = 2, [15] = 4};
    uint8_t bytes[256];
    struct vnrs_frame frame;

    (void)state;
    size_t n = from_hex(V4 "4500001c 00000000 40110000 " ADDR4 UDP, bytes);
    vnrs_frame_parse(bytes, n, n, &frame);
    assert_memory_equal(frame.saddr, from4, 16);
    assert_memory_equal(frame.daddr, to4, 16);
    bytes[14] = 0x44;
    vnrs_frame_parse(bytes, n, n, &frame);
    assert_memory_equal(frame.saddr, none, 16);
    n = from_hex(V6 "60000000 00081140 " ADDR6 UDP, bytes);
    vnrs_frame_parse(bytes, n, n, &frame);
    assert_memory_equal(frame.saddr, from6, 16);
    assert_memory_equal(frame.daddr, to6, 16);
}

static void as_many_extension_headers_as_the_packet_path_takes(void **state)
{
    uint8_t bytes[256];
    struct vnrs_frame frame;

    (void)state;
    for (unsigned n = 7; n <= 9; n++) {
        char hex[160];
        (void)snprintf(hex, sizeof(hex), V6 "60000000 %04x3c40 " ADDR6, n * 8 + 8);
        size_t len = from_hex(hex, bytes);
        for (unsigned i = 1; i <= n; i++)
            len += from_hex(i == n ? "1100010400000000" : "3c00010400000000", bytes + len);
        len += from_hex(UDP, bytes + len);
        vnrs_frame_parse(bytes, len, len, &frame);
        assert_int_equal(ntohs(frame.dport_be), n > 8 ? 0 : 53);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_by_table),
        cmocka_unit_test(addresses),
        cmocka_unit_test(as_many_extension_headers_as_the_packet_path_takes),
    };
    return cmocka_run_group_tests_name("net.frame", tests, NULL, NULL);
}
