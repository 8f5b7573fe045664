// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    size_t len; // of the first sequence
} sequences[] = {
    {"a", 1},
    {"\x7f", 1},
    {"\xc3\xa4", 2},
    {"\xe2\x82\xac", 3},
    {"\xf0\x9f\x98\x80", 4},
    {"\xf4\x8f\xbf\xbf", 4},
    {"\x80", 0},
    {"\xc0\x80", 0},         // overlong
    {"\xe0\x80\x80", 0},     // overlong
    {"\xed\xa0\x80", 0},     // surrogate
    {"\xf4\x90\x80\x80", 0}, // beyond U+10FFFF
    {"\xf8\x88\x80\x80", 0},
    {"\xe2\x82", 0}, // cut
    {"\xe2(\xac", 0},
};

static void lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sequences); i++)
        if (vnrs_utf8_len((const uint8_t *)sequences[i].text, strlen(sequences[i].text)) != sequences[i].len)
            fail_msg("sequence %zu", i);
}

static void texts(void **state)
{
    (void)state;
    assert_true(vnrs_utf8_is_text("", 1));
    assert_true(vnrs_utf8_is_text("gr\xc3\xbc\xc3\x9f", 8));
    assert_false(vnrs_utf8_is_text("abc", 3)); // no NUL in it
    assert_false(vnrs_utf8_is_text("a\nb", 4));
    assert_false(vnrs_utf8_is_text("a\xc2\x9b", 4)); // C1
    assert_false(vnrs_utf8_is_text("a\xff", 3));
}

// Wherever a well-formed text is cut, the rest is well-formed and at most three octets shorter.
static void trim(void **state)
{
    static const char whole[] = "a\xc3\xa4z\xe2\x82\xac\xf0\x9f\x98\x80";

    (void)state;
    for (size_t size = 1; size <= sizeof(whole); size++) {
        char text[sizeof(whole)];
        (void)snprintf(text, size, "%s", whole);
        vnrs_utf8_trim(text);
        assert_true(vnrs_utf8_is_text(text, sizeof(text)));
        assert_true(strlen(text) + 4 > size - 1);
        assert_memory_equal(text, whole, strlen(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lengths), cmocka_unit_test(texts), cmocka_unit_test(trim)};
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
