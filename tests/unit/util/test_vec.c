// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <stdint.h>

static void grows_and_keeps_items(void **state)
{
    VEC(unsigned) v = {0};
    unsigned want = 0;

    (void)state;
    vec_foreach (it, &v)
        fail();
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(vec_push(&v, i), 0);
    vec_foreach (it, &v)
        assert_int_equal(*it, want++);
    assert_int_equal(want, 10000);
    vec_clear(&v);
    assert_int_equal(v.len, 0);
    assert_true(v.cap >= 10000);
    vec_free(&v);
    assert_null(v.items);
    assert_int_equal(v.cap, 0);
}

struct pair {
    int a, b;
};

static void takes_compound_literals(void **state)
{
    VEC(struct pair) v = {0};

    (void)state;
    assert_int_equal(vec_push(&v, (struct pair){1, 2}), 0);
    assert_int_equal(v.items[0].b, 2);
    vec_free(&v);
}

static void refuses_sizes_that_overflow(void **state)
{
    void *items = NULL;
    size_t cap = 0;

    (void)state;
    assert_int_equal(vnrs_vec_grow(&items, &cap, SIZE_MAX / 4, 8), -ENOMEM);
    assert_null(items);
    assert_int_equal(cap, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_items),
        cmocka_unit_test(takes_compound_literals),
        cmocka_unit_test(refuses_sizes_that_overflow),
    };
    return cmocka_run_group_tests_name("util.vec", tests, NULL, NULL);
}
