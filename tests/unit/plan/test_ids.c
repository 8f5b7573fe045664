// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/ids.h"

#include "vnrs/bpf_abi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void names_keep_their_numbers(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();

    (void)state;
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "hub"), 1);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "spoke"), 2);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "hub"), 1);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_LINK, "a/eth0"), VNRS_IFINDEX_FIRST);
    assert_int_equal(vnrs_ids_find(ids, VNRS_ID_VNET, "spoke"), 2);
    assert_int_equal(vnrs_ids_find(ids, VNRS_ID_VNET, "other"), 0);
    vnrs_ids_free(ids);
}

static void pruned_numbers_are_given_again(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    char name[16];

    (void)state;
    for (int i = 1; i <= 5; i++) {
        (void)snprintf(name, sizeof(name), "v%d", i);
        assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, name), i);
    }
    vnrs_ids_unmark(ids);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "v1"), 1);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "v4"), 4);
    // Not before they are pruned: their objects may still exist.
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "new"), 6);
    vnrs_ids_prune(ids);
    assert_int_equal(vnrs_ids_find(ids, VNRS_ID_VNET, "v2"), 0);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "again"), 2);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "once more"), 3);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "and"), 5);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "last"), 7);
    vnrs_ids_free(ids);
}

static void what_the_kernel_has_wins(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();

    (void)state;
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_LINK, "a/eth0"), 16);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_LINK, "b/eth0"), 17);
    assert_int_equal(vnrs_ids_set(ids, VNRS_ID_LINK, "b/eth0", 16), 0);
    assert_int_equal(vnrs_ids_find(ids, VNRS_ID_LINK, "b/eth0"), 16);
    assert_int_equal(vnrs_ids_find(ids, VNRS_ID_LINK, "a/eth0"), 0);
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_LINK, "a/eth0"), 17);
    assert_int_equal(vnrs_ids_set(ids, VNRS_ID_LINK, "c/eth0", 3), -ERANGE);
    assert_int_equal(vnrs_ids_set(ids, VNRS_ID_LINK, "c/eth0", VNRS_NICS_MAX), -ERANGE);
    assert_int_equal(vnrs_ids_set(ids, VNRS_ID_LINK, "c/eth0", VNRS_NICS_MAX - 1), 0);
    vnrs_ids_free(ids);
}

static void text_goes_round(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new(), *other = vnrs_ids_new();

    (void)state;
    assert_int_not_equal(vnrs_ids_get(ids, VNRS_ID_VNET, "hub"), 0);
    assert_int_not_equal(vnrs_ids_get(ids, VNRS_ID_DOMAIN, "hub/rt,Microsoft.Storage"), 0);
    assert_int_equal(vnrs_ids_set(ids, VNRS_ID_LINK, "a/eth0", 99), 0);
    char *text = vnrs_ids_format(ids);
    assert_non_null(text);
    assert_int_equal(vnrs_ids_parse(other, text), 0);
    assert_int_equal(vnrs_ids_find(other, VNRS_ID_LINK, "a/eth0"), 99);
    char *again = vnrs_ids_format(other);
    assert_string_equal(text, again);
    free(text);
    free(again);
    assert_int_equal(vnrs_ids_parse(other, "{\"link\": {\"a\": 1}}"), -EINVAL);
    assert_int_equal(vnrs_ids_parse(other, "{\"link\": {\"a\": \"x\"}}"), -EINVAL);
    assert_int_equal(vnrs_ids_parse(other, "no"), -EINVAL);
    vnrs_ids_free(ids);
    vnrs_ids_free(other);
}

static void numbers_run_out(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    char name[16];

    (void)state;
    for (int i = VNRS_IFINDEX_FIRST; i < VNRS_NICS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(vnrs_ids_get(ids, VNRS_ID_LINK, name), i);
    }
    assert_int_equal(vnrs_ids_get(ids, VNRS_ID_LINK, "one more"), 0);
    vnrs_ids_free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_keep_their_numbers), cmocka_unit_test(pruned_numbers_are_given_again),
        cmocka_unit_test(what_the_kernel_has_wins), cmocka_unit_test(text_goes_round),
        cmocka_unit_test(numbers_run_out),
    };
    return cmocka_run_group_tests_name("plan.ids", tests, NULL, NULL);
}
