// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a;
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static struct vnrs_prefix prefix(const char *text)
{
    struct vnrs_prefix p;
    assert_int_equal(vnrs_prefix_parse(text, &p), 0);
    return p;
}

static void parses_and_formats_addresses(void **state)
{
    static const struct {
        const char *text, *canonical; // NULL: refused
    } rows[] = {
        {"10.0.0.1", "10.0.0.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::", "::"},
        {"::ffff:10.0.0.1", "::ffff:10.0.0.1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"", NULL},
        {"10.0.0", NULL},
        {"10.0.0.256", NULL},
        {"10.0.0.1 ", NULL},
        {" 10.0.0.1", NULL},
        {"010.0.0.1", NULL},
        {"10.0.0.1/8", NULL},
        {"2001:db8:::1", NULL},
        {"fe80::1%eth0", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[VNRS_ADDR_STR_MAX];
        struct vnrs_addr a;
        int err = vnrs_addr_parse(rows[i].text, &a);
        assert_int_equal(err, rows[i].canonical ? 0 : -EINVAL);
        if (err == 0)
            assert_string_equal(vnrs_addr_format(&a, text), rows[i].canonical);
    }
    char text[VNRS_ADDR_STR_MAX] = "x";
    assert_string_equal(vnrs_addr_format(&(struct vnrs_addr){0}, text), "");
}

static void parses_prefixes(void **state)
{
    static const struct {
        const char *text;
        int err;
        const char *canonical;
    } rows[] = {
        {"10.0.0.0/8", 0, "10.0.0.0/8"},
        {"0.0.0.0/0", 0, "0.0.0.0/0"},
        {"10.0.0.1/32", 0, "10.0.0.1/32"},
        {"10.0.0.1/31", -ERANGE, "10.0.0.0/31"},
        {"10.0.0.1/8", -ERANGE, "10.0.0.0/8"},
        {"2001:db8::/32", 0, "2001:db8::/32"},
        {"::/0", 0, "::/0"},
        {"2001:db8::1/128", 0, "2001:db8::1/128"},
        {"2001:db8::1/64", -ERANGE, "2001:db8::/64"},
        {"10.0.0.0", -EINVAL, NULL},
        {"10.0.0.0/", -EINVAL, NULL},
        {"10.0.0.0/33", -EINVAL, NULL},
        {"10.0.0.0/08", -EINVAL, NULL},
        {"10.0.0.0/8 ", -EINVAL, NULL},
        {"10.0.0.0/+8", -EINVAL, NULL},
        {"10.0.0.0/4294967304", -EINVAL, NULL},
        {"::/129", -EINVAL, NULL},
        {"/8", -EINVAL, NULL},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/64", -EINVAL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[VNRS_PREFIX_STR_MAX];
        struct vnrs_prefix p;
        assert_int_equal(vnrs_prefix_parse(rows[i].text, &p), rows[i].err);
        if (rows[i].canonical)
            assert_string_equal(vnrs_prefix_format(&p, text), rows[i].canonical);
    }
}

static void parses_macs(void **state)
{
    static const char *const wrong[] = {"",
                                        "12:34:56:78:9a",
                                        "12:34:56:78:9a:bc:de",
                                        " 1:34:56:78:9a:bc",
                                        "+1:34:56:78:9a:bc",
                                        "12-34-56-78-9a-bc",
                                        "12:34:56:78:9a:bg",
                                        "0x:34:56:78:9a:bc"};
    char text[VNRS_MAC_STR_MAX];
    struct vnrs_mac mac = {0};

    (void)state;
    assert_int_equal(vnrs_mac_parse("12:34:56:78:9A:bc", &mac), 0);
    assert_string_equal(vnrs_mac_format(&mac, text), "12:34:56:78:9a:bc");
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(vnrs_mac_parse(wrong[i], &mac), -EINVAL);
    assert_string_equal(vnrs_mac_format(&mac, text), "12:34:56:78:9a:bc"); // untouched on failure
}

static void counts_addresses(void **state)
{
    (void)state;
    struct vnrs_addr a = addr("10.0.0.255"), b = vnrs_addr_add(&a, 1), want = addr("10.0.1.0");
    assert_true(vnrs_addr_equal(&b, &want));
    a = addr("255.255.255.255");
    b = vnrs_addr_add(&a, 1);
    want = addr("0.0.0.0");
    assert_true(vnrs_addr_equal(&b, &want)); // wraps, touches nothing past the address
    a = addr("2001:db8::ffff:ffff:ffff:ffff");
    b = vnrs_addr_add(&a, 1);
    want = addr("2001:db8:0:1::");
    assert_true(vnrs_addr_equal(&b, &want));
    a = vnrs_addr_from_v4(0x0a000102);
    want = addr("10.0.1.2");
    assert_true(vnrs_addr_equal(&a, &want));
    assert_int_equal(vnrs_addr_to_v4(&a), 0x0a000102);
    b = addr("::");
    assert_true(vnrs_addr_cmp(&a, &b) < 0); // IPv4 before IPv6
    assert_int_equal(vnrs_af_bits(VNRS_AF_IPV4), 32);
    assert_int_equal(vnrs_af_bits(VNRS_AF_IPV6), 128);
}

static void contains_and_overlaps(void **state)
{
    static const struct {
        const char *a, *b;
        bool contains, overlaps;
    } rows[] = {
        {"10.0.0.0/8", "10.1.0.0/16", true, true},        {"10.1.0.0/16", "10.0.0.0/8", false, true},
        {"10.0.0.0/8", "10.0.0.0/8", true, true},         {"10.0.0.0/9", "10.128.0.0/9", false, false},
        {"0.0.0.0/0", "255.0.0.0/8", true, true},         {"0.0.0.0/0", "::/0", false, false},
        {"2001:db8::/32", "2001:db8:1::/48", true, true}, {"10.0.0.0/31", "10.0.0.2/32", false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_prefix a = prefix(rows[i].a), b = prefix(rows[i].b);
        assert_int_equal(vnrs_prefix_contains(&a, &b), rows[i].contains);
        assert_int_equal(vnrs_prefix_overlaps(&a, &b), rows[i].overlaps);
        assert_int_equal(vnrs_prefix_overlaps(&b, &a), rows[i].overlaps);
    }
}

static void knows_the_ends_of_a_prefix(void **state)
{
    static const struct {
        const char *prefix, *first, *last;
    } rows[] = {
        {"10.0.0.0/24", "10.0.0.0", "10.0.0.255"},
        {"10.0.0.4/31", "10.0.0.4", "10.0.0.5"},
        {"10.0.0.4/32", "10.0.0.4", "10.0.0.4"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
        {"10.32.0.0/11", "10.32.0.0", "10.63.255.255"},
        {"2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_prefix p = prefix(rows[i].prefix);
        struct vnrs_addr first = vnrs_prefix_addr(&p), last = vnrs_prefix_last(&p);
        struct vnrs_addr want_first = addr(rows[i].first), want_last = addr(rows[i].last);
        assert_true(vnrs_addr_equal(&first, &want_first));
        assert_true(vnrs_addr_equal(&last, &want_last));
        struct vnrs_prefix again = vnrs_prefix_make(&last, p.len);
        assert_true(vnrs_prefix_equal(&again, &p));
    }
    struct vnrs_addr host = addr("10.0.0.9");
    struct vnrs_prefix p = vnrs_prefix_host(&host);
    assert_int_equal(p.len, 32);
    struct vnrs_prefix shorter = prefix("10.0.0.0/8"), longer = prefix("10.0.0.0/9");
    assert_true(vnrs_prefix_cmp(&shorter, &longer) < 0);
    assert_true(vnrs_prefix_cmp(&longer, &p) < 0);
    assert_int_equal(vnrs_prefix_cmp(&p, &p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_formats_addresses),
        cmocka_unit_test(parses_prefixes),
        cmocka_unit_test(parses_macs),
        cmocka_unit_test(counts_addresses),
        cmocka_unit_test(contains_and_overlaps),
        cmocka_unit_test(knows_the_ends_of_a_prefix),
    };
    return cmocka_run_group_tests_name("net.addr", tests, NULL, NULL);
}
