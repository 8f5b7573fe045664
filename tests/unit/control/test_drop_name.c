// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/drop_name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_reason_has_a_name_that_is_found_again(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < _VNRS_DROP_MAX; i++) {
        assert_int_equal(vnrs_drop_parse(vnrs_drop_name(i)), i);
        assert_true(vnrs_drop_text(i)[0]);
    }
    assert_string_equal(vnrs_drop_name(VNRS_DROP_NONE_ROUTE), "NONE_ROUTE");
    assert_int_equal(vnrs_drop_parse("none_route"), VNRS_DROP_NONE_ROUTE);
}

static void what_is_none(void **state)
{
    (void)state;
    assert_string_equal(vnrs_drop_name(_VNRS_DROP_MAX), "UNSPEC");
    assert_string_equal(vnrs_drop_text(UINT32_MAX), "unspecified");
    assert_int_equal(vnrs_drop_parse(""), -EINVAL);
    assert_int_equal(vnrs_drop_parse("VNRS_DROP_SOURCE"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_name_that_is_found_again),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests_name("control.drop_name", tests, NULL, NULL);
}
