// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/route_sets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

static struct vnrs_spk_set set_of(uint32_t i)
{
    struct vnrs_spk_set set = {.n = 1 + i % 3};

    for (uint32_t k = 0; k < set.n; k++) {
        set.paths[k].path_len = i;
        set.paths[k].sources = 1;
    }
    return set;
}

static void equal_sets_have_one_number_until_it_is_full(void **state)
{
    static struct vnrs_route_sets sets;
    struct vnrs_spk_set none = {0}, over = set_of(VNRS_ROUTE_SETS_MAX);
    uint32_t number;

    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        vnrs_route_sets_clear(&sets);
        for (uint32_t i = 0; i < VNRS_ROUTE_SETS_MAX; i++) {
            struct vnrs_spk_set set = set_of(i);
            assert_int_equal(vnrs_route_sets_add(&sets, &set, &number), 0);
            assert_int_equal(number, i + 1);
            assert_memory_equal(&sets.sets[i], &set, sizeof(set));
        }
        for (uint32_t i = 0; i < VNRS_ROUTE_SETS_MAX; i++) {
            struct vnrs_spk_set set = set_of(i);
            assert_int_equal(vnrs_route_sets_add(&sets, &set, &number), 0);
            assert_int_equal(number, i + 1);
        }
        assert_int_equal(vnrs_route_sets_add(&sets, &none, &number), 0);
        assert_int_equal(number, 0);
        assert_int_equal(vnrs_route_sets_add(&sets, &over, &number), -ENOSPC);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_sets_have_one_number_until_it_is_full),
    };
    return cmocka_run_group_tests_name("speaker.route_sets", tests, NULL, NULL);
}
