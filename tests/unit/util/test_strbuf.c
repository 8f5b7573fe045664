// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void builds_text(void **state)
{
    struct vnrs_strbuf buf = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        vnrs_strbuf_printf(&buf, "%d,", i % 10);
    vnrs_strbuf_puts(&buf, "end");
    vnrs_strbuf_add(&buf, "!?", 1);
    assert_int_equal(buf.len, 2004);
    assert_int_equal(strlen(buf.text), buf.len);
    _free_ char *text = vnrs_strbuf_take(&buf);
    assert_string_equal(text + 2000, "end!");
    assert_null(buf.text);
    assert_int_equal(buf.len, 0);
}

static void empty_is_a_text(void **state)
{
    struct vnrs_strbuf buf = {0};
    _free_ char *text = vnrs_strbuf_take(&buf);

    (void)state;
    assert_string_equal(text, "");
    vnrs_strbuf_add(&buf, NULL, 0);
    assert_string_equal(buf.text, "");
    vnrs_strbuf_fini(&buf);
    vnrs_strbuf_fini(&buf);
}

static void remembers_failure(void **state)
{
    struct vnrs_strbuf buf = {.failed = true};

    (void)state;
    vnrs_strbuf_puts(&buf, "lost");
    assert_null(vnrs_strbuf_take(&buf));
    assert_false(buf.failed);
}

static void copies_into_fixed_fields(void **state)
{
    char field[4];

    (void)state;
    assert_true(vnrs_str_copy(field, sizeof(field), "abc"));
    assert_string_equal(field, "abc");
    assert_false(vnrs_str_copy(field, sizeof(field), "wxyz"));
    assert_string_equal(field, "wxy");
    assert_true(vnrs_str_copy(field, sizeof(field), ""));
    assert_string_equal(field, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_text),
        cmocka_unit_test(empty_is_a_text),
        cmocka_unit_test(remembers_failure),
        cmocka_unit_test(copies_into_fixed_fields),
    };
    return cmocka_run_group_tests_name("util.strbuf", tests, NULL, NULL);
}
