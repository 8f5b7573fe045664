// SPDX-License-Identifier: GPL-2.0-or-later
// Groups by origin and content.
#include "control/fib_groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct vnrs_fib_group_ref *get(struct vnrs_fib_groups *groups, uint32_t origin, uint32_t ifindex)
{
    const struct vnrs_fib_member member = {.kind = VNRS_BPF_NH_NIC, .ifindex = ifindex};
    struct vnrs_fib_group_ref *group = vnrs_fib_groups_get(groups, origin, &member, 1);

    assert_non_null(group);
    assert_ptr_equal(groups->list.items[group->number], group);
    return group;
}

static void groups_are_found_by_origin_and_content(void **state)
{
    struct vnrs_fib_groups groups;
    size_t n;

    (void)state;
    assert_int_equal(vnrs_fib_groups_init(&groups), 0);
    struct vnrs_fib_group_ref *a = get(&groups, 0, 1), *b = get(&groups, 0, 2), *c = get(&groups, 9, 1);
    assert_true(a != b && a != c && b != c);
    assert_ptr_equal(get(&groups, 0, 1), a);
    a->used = c->used = 1;
    assert_int_equal(vnrs_fib_groups_count(&groups, &n), 0);
    assert_int_equal(n, 1); // the sinks do not know of origins
    uint32_t number = b->number;
    assert_int_equal(vnrs_fib_groups_end(&groups), 0); // b has no route
    b = get(&groups, 0, 2);
    assert_int_equal(b->number, number); // numbers are used again, handles are not
    assert_int_equal(b->handle, 4);

    // Content that another has already: found no more, and not in its way.
    b->used = 1;
    vnrs_fib_groups_unkey(&groups, b);
    b->members[0].ifindex = 1;
    assert_int_equal(vnrs_fib_groups_key(&groups, b), 0);
    assert_false(b->keyed);
    assert_ptr_equal(get(&groups, 0, 1), a);
    a->used = 0;
    assert_int_equal(vnrs_fib_groups_end(&groups), 0);
    assert_true(get(&groups, 0, 1) != b);
    vnrs_fib_groups_clear(&groups);
    assert_int_equal(get(&groups, 0, 1)->handle, 6);
    vnrs_fib_groups_fini(&groups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(groups_are_found_by_origin_and_content)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
