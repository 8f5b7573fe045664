// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 2000

// Derived names (addresses, MACs, links) depend on these numbers: they must never change.
static void hashes_are_stable(void **state)
{
    (void)state;
    assert_true(vnrs_hash_str("") == vnrs_hash_bytes(NULL, 0));
    assert_true(vnrs_hash_str("vnrs") == vnrs_hash_bytes("vnrs", 4));
    assert_true(vnrs_hash_str("") == UINT64_C(0xfdbdf6ac4fc52e7f));
    assert_true(vnrs_hash_str("hub-spoke/vm-hub") == UINT64_C(0x74c278fac1b72c31));
    assert_true(vnrs_hash_str("a") != vnrs_hash_str("b"));
}

static void map_agrees_with_an_array(void **state)
{
    static uint32_t keys[KEYS];
    static bool in[KEYS];
    struct vnrs_map map = {0};
    size_t len = 0;
    uint32_t random = 1;

    (void)state;
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i] = i * 7919;
    for (int step = 0; step < 40000; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t i = (random >> 8) % KEYS;
        assert_ptr_equal(vnrs_map_find(&map, &keys[i], sizeof(keys[i])), in[i] ? &in[i] : NULL);
        if (random >> 31) {
            assert_int_equal(vnrs_map_put(&map, &keys[i], sizeof(keys[i]), &in[i]), 0);
            len += !in[i];
            in[i] = true;
        } else {
            assert_ptr_equal(vnrs_map_remove(&map, &keys[i], sizeof(keys[i])), in[i] ? &in[i] : NULL);
            len -= in[i];
            in[i] = false;
        }
        assert_int_equal(map.len, len);
    }
    size_t at = 0, seen = 0;
    const struct vnrs_map_entry *e;
    while ((e = vnrs_map_next(&map, &at))) {
        assert_true(*(bool *)e->value);
        seen++;
    }
    assert_int_equal(seen, len);
    vnrs_map_fini(&map);
    assert_int_equal(map.len, 0);
}

static void map_stays_small_with_tombstones(void **state)
{
    struct vnrs_map map = {0};
    uint32_t keys[100000 / 100];

    (void)state;
    for (int round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < ARRAY_SIZE(keys); i++) {
            keys[i] = (uint32_t)round * 100000u + i;
            assert_int_equal(vnrs_map_put(&map, &keys[i], sizeof(keys[i]), &keys[i]), 0);
            assert_ptr_equal(vnrs_map_remove(&map, &keys[i], sizeof(keys[i])), &keys[i]);
        }
    }
    assert_int_equal(map.len, 0);
    assert_true(map.cap <= 16);
    vnrs_map_fini(&map);
}

static void map_replaces_and_empties_while_walking(void **state)
{
    struct vnrs_map map = {0};
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    char other[] = "a";
    int x, y;

    (void)state;
    assert_null(vnrs_map_find(&map, "a", 1));
    assert_null(vnrs_map_remove(&map, "a", 1));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(vnrs_map_put(&map, names[i], 1, &x), 0);
    assert_int_equal(vnrs_map_put(&map, other, 1, &y), 0);
    assert_int_equal(map.len, 5);
    assert_ptr_equal(vnrs_map_find(&map, "a", 1), &y);
    size_t at = 0;
    struct vnrs_map_entry *e;
    while ((e = vnrs_map_next(&map, &at)))
        assert_non_null(vnrs_map_remove(&map, e->key, e->key_len));
    assert_int_equal(map.len, 0);
    vnrs_map_fini(&map);
}

static void map_frees_its_values_and_stays_usable(void **state)
{
    struct vnrs_map map = {0};
    (void)state;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            int *value = malloc(sizeof(*value));
            assert_non_null(value);
            *value = i;
            assert_int_equal(vnrs_map_put(&map, value, sizeof(*value), value), 0);
        }
        assert_int_equal(map.len, 100);
        vnrs_map_fini_values(&map); // the leak checker sees what is left
        assert_int_equal(map.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_stable),
        cmocka_unit_test(map_agrees_with_an_array),
        cmocka_unit_test(map_stays_small_with_tombstones),
        cmocka_unit_test(map_replaces_and_empties_while_walking),
        cmocka_unit_test(map_frees_its_values_and_stays_usable),
    };
    return cmocka_run_group_tests_name("util.hash", tests, NULL, NULL);
}
