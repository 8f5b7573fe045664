// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/cover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const texts[] = {
    "20.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/8", "fd00::/8", "10.0.0.0/16", "10.2.0.0/32",
};

struct match {
    const char *prefix;
    const char *want; // NULL: none
};

static const struct match matches[] = {
    {"10.0.0.1/32", "10.0.0.0/24"},
    {"10.0.1.0/24", "10.0.1.0/24"},
    {"10.0.0.0/23", "10.0.0.0/16"}, // around two of them, inside the /16
    {"10.0.2.0/24", "10.0.0.0/16"},
    {"10.2.0.0/32", "10.2.0.0/32"},
    {"10.2.0.1/32", "10.0.0.0/8"},
    {"10.255.255.255/32", "10.0.0.0/8"},
    {"11.0.0.0/8", NULL},
    {"0.0.0.0/0", NULL},
    {"9.255.255.255/32", NULL},
    {"255.255.255.255/32", NULL},
    {"fdff::1/128", "fd00::/8"},
    {"::/0", NULL},
    {"fe00::/8", NULL},
};

static struct vnrs_prefix parse(const char *text)
{
    struct vnrs_prefix prefix;
    assert_int_equal(vnrs_prefix_parse(text, &prefix), 0);
    return prefix;
}

static void longest_prefix_around_a_prefix(void **state)
{
    struct vnrs_prefix prefixes[ARRAY_SIZE(texts)];
    struct vnrs_cover_entry entries[ARRAY_SIZE(texts)];
    struct vnrs_cover cover = {.entries = entries, .len = ARRAY_SIZE(texts)};
    (void)state;

    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        prefixes[i] = parse(texts[i]);
        entries[i] = (struct vnrs_cover_entry){.prefix = &prefixes[i], .value = texts[i], .order = i};
    }
    vnrs_cover_build(&cover);
    assert_int_equal(cover.len, ARRAY_SIZE(texts) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
        struct vnrs_prefix prefix = parse(matches[i].prefix);
        const struct vnrs_cover_entry *entry = vnrs_cover_match(&cover, &prefix);
        if (!matches[i].want) {
            assert_null(entry);
            continue;
        }
        assert_non_null(entry);
        assert_string_equal(entry->value, matches[i].want);
        assert_int_equal(vnrs_cover_find(&cover, &prefix) != NULL, vnrs_prefix_equal(entry->prefix, &prefix));
    }
}

static void of_equal_prefixes_the_lowest_order_stays(void **state)
{
    struct vnrs_prefix prefix = parse("10.0.0.0/8");
    struct vnrs_cover_entry entries[] = {
        {.prefix = &prefix, .value = "second", .order = 2},
        {.prefix = &prefix, .value = "first", .order = 1},
    };
    struct vnrs_cover cover = {.entries = entries, .len = 2};
    (void)state;

    vnrs_cover_build(&cover);
    assert_int_equal(cover.len, 1);
    assert_string_equal(vnrs_cover_find(&cover, &prefix)->value, "first");
}

static void nothing_in_nothing(void **state)
{
    struct vnrs_cover cover = {0};
    struct vnrs_prefix prefix = parse("10.0.0.0/8");
    (void)state;

    vnrs_cover_build(&cover);
    assert_null(vnrs_cover_match(&cover, &prefix));
    assert_null(vnrs_cover_find(&cover, &prefix));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_prefix_around_a_prefix),
        cmocka_unit_test(of_equal_prefixes_the_lowest_order_stays),
        cmocka_unit_test(nothing_in_nothing),
    };
    return cmocka_run_group_tests_name("routing.cover", tests, NULL, NULL);
}
