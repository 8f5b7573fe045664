// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/nlri.h"

#include "test_update_text.h"

#include <errno.h>
#include <stdlib.h>

// A region as text, "?" when the check refuses it.
static void test_regions(void **state)
{
    static const struct {
        const char *what;
        uint8_t af;
        bool has_ids;
        const char *bytes, *want;
    } rows[] = {
        {"none", VNRS_BGP_AF4, false, "", ""},
        {"default", VNRS_BGP_AF4, false, "00", "+0.0.0.0/0"},
        {"host", VNRS_BGP_AF4, false, "20 0a000001", "+10.0.0.1/32"},
        {"bits beyond the length", VNRS_BGP_AF4, false, "07 ff 0f ffff", "+254.0.0.0/7 +255.254.0.0/15"},
        {"33 bits", VNRS_BGP_AF4, false, "21 0a00000100", "?"},
        {"255 bits", VNRS_BGP_AF4, false, "ff", "?"},
        {"one octet short", VNRS_BGP_AF4, false, "20 0a0000", "?"},
        {"second one short", VNRS_BGP_AF4, false, "00 08", "?"},
        {"IPv6 host", VNRS_BGP_AF6, false, "80 20010db8000000000000000000000001", "+2001:db8::1/128"},
        {"129 bits", VNRS_BGP_AF6, false, "81 20010db800000000000000000000000100", "?"},
        {"no identifiers", VNRS_BGP_AF4, true, "", ""},
        {"identifiers", VNRS_BGP_AF4, true, "00000000 00 ffffffff 08 0a", "+0.0.0.0/0#0 +10.0.0.0/8#4294967295"},
        {"identifier of 3", VNRS_BGP_AF4, true, "000000", "?"},
        {"identifier alone", VNRS_BGP_AF4, true, "00000001", "?"},
        {"second identifier alone", VNRS_BGP_AF6, true, "00000001 00 00000002", "?"},
        {"identifier, prefix short", VNRS_BGP_AF6, true, "00000001 10 20", "?"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t bytes[64];
        size_t n = hex_bytes(rows[i].bytes, bytes, sizeof(bytes));
        // A copy of exactly that size, so that a sanitizer sees any read beyond it.
        _free_ uint8_t *tight = malloc(n ? n : 1);
        struct line line = {0};

        print_message("  %s\n", rows[i].what);
        assert_non_null(tight);
        memcpy(tight, bytes, n);
        struct vnrs_bgp_nlri nlri = {.af = rows[i].af, .has_ids = rows[i].has_ids, .bytes = tight, .len = n};
        bool ok = vnrs_bgp_nlri_check(&nlri);
        line_prefixes(&line, '+', nlri); // of an unchecked region the walk ends where it goes wrong
        if (ok)
            assert_string_equal(line.text, rows[i].want);
        else
            assert_string_equal("?", rows[i].want);
    }
}

static void test_unicast(void **state)
{
    static const struct {
        const char *prefix;
        bool unicast;
    } rows[] = {
        {"0.0.0.0/0", true},        {"10.0.0.0/8", true},   {"224.0.0.0/3", true},
        {"192.0.0.0/2", true},      {"224.0.0.0/4", false}, {"239.255.255.255/32", false},
        {"223.255.255.0/24", true}, {"::/0", true},         {"2001:db8::/32", true},
        {"ff00::/8", false},        {"ff02::1/128", false}, {"fe80::/10", false},
        {"fe80::1/128", false},     {"fe80::/9", true},     {"fc00::/7", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_prefix p;
        print_message("  %s\n", rows[i].prefix);
        assert_int_equal(vnrs_prefix_parse(rows[i].prefix, &p), 0);
        assert_int_equal(vnrs_bgp_nlri_is_unicast(&p), rows[i].unicast);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_regions), cmocka_unit_test(test_unicast)};
    return cmocka_run_group_tests_name("bgp.nlri", tests, NULL, NULL);
}
