// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/protect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IP4(ttl)   0x45, 0, 0, 60, 0, 0, 0x40, 0, (ttl), 6, 0, 0, 10, 0, 0, 10, 10, 0, 0, 4
#define IP6(hops)  0x60, 0, 0, 0, 0, 40, 6, (hops), [39] = 0
#define TCP(words) 0, 0, 0, 179, 0, 0, 0, 0, 0, 0, 0, 0, (words) << 4, 2, 0, 0, 0, 0, 0, 0
#define MD5        19, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
#define MSS        2, 4, 5, 180

static const struct {
    const char *what;
    uint8_t ttl_min;
    const char *key;
    size_t len;
    uint8_t syn[128];
    bool trusted;
} rows[] = {
    {"near enough", 254, "", 40, {IP4(254), TCP(5)}, true},
    {"too far", 254, "", 40, {IP4(253), TCP(5)}, false},
    {"IPv6, near enough", 255, "", 60, {IP6(255), TCP(5)}, true},
    {"IPv6, too far", 255, "", 60, {IP6(254), TCP(5)}, false},
    {"none was kept", 1, "", 0, {0}, false},
    {"cut in the IP header", 1, "", 19, {IP4(255)}, false},
    {"cut in the TCP header", 1, "", 39, {IP4(255), TCP(5)}, false},
    {"cut in the options", 1, "", 43, {IP4(255), TCP(6), MSS}, false},
    {"TCP header too short", 1, "", 40, {IP4(255), TCP(4)}, false},
    {"signed", 0, "k", 60, {IP4(64), TCP(10), 1, 1, MD5}, true},
    {"signed, after another option", 0, "k", 64, {IP4(64), TCP(11), MSS, MD5}, true},
    {"not signed", 0, "k", 44, {IP4(64), TCP(6), MSS}, false},
    {"signed after the end of options", 0, "k", 60, {IP4(64), TCP(10), 0, 1, MD5}, false},
    {"option of length 0", 0, "k", 60, {IP4(64), TCP(10), 2, 0, MD5}, false},
    {"option longer than the header", 0, "k", 44, {IP4(64), TCP(6), 2, 5, 0, 19}, false},
    {"signed, but too far", 255, "k", 60, {IP4(64), TCP(10), 1, 1, MD5}, false},
};

static void syns(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_spk_peer_config peer = {.ttl_min = rows[i].ttl_min};
        memcpy(peer.md5, rows[i].key, strlen(rows[i].key));
        if (vnrs_protect_syn_is_trusted(rows[i].syn, rows[i].len, &peer) != rows[i].trusted)
            fail_msg("%s", rows[i].what);
    }
}

// Any length of any bytes is read within its bounds (the sanitizers tell).
static void lengths(void **state)
{
    struct vnrs_spk_peer_config peer = {.md5 = "k"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (size_t len = 0; len <= rows[i].len; len++) {
            uint8_t *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy, rows[i].syn, len);
            uint8_t *exact = realloc(copy, MAX(len, (size_t)1));
            (void)!vnrs_protect_syn_is_trusted(exact, len, &peer);
            free(exact);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(syns), cmocka_unit_test(lengths)};
    return cmocka_run_group_tests_name("protect", tests, NULL, NULL);
}
