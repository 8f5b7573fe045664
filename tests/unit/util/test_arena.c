// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <stdalign.h>
#include <stdint.h>

static void gives_zeroed_aligned_memory_that_does_not_overlap(void **state)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    static unsigned char *blocks[3000];

    (void)state;
    assert_non_null(arena);
    for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++) {
        size_t size = i % 97 + (i % 500 == 499 ? 100000 : 0);
        blocks[i] = vnrs_arena_alloc(arena, size);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(blocks[i][at], 0);
        memset(blocks[i], (int)(i % 255 + 1), size);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++)
        for (size_t at = 0; at < i % 97; at++)
            assert_int_equal(blocks[i][at], i % 255 + 1);
    vnrs_arena_free(arena);
    vnrs_arena_free(NULL);
}

static void copies_text(void **state)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    static const int numbers[] = {1, 2, 3};

    (void)state;
    assert_string_equal(vnrs_arena_strndup(arena, "hello world", 5), "hello");
    assert_string_equal(vnrs_arena_strndup(arena, "", 0), "");
    assert_string_equal(vnrs_arena_printf(arena, "%s/%d", "vm", 7), "vm/7");
    assert_memory_equal(vnrs_arena_dup(arena, numbers, sizeof(numbers)), numbers, sizeof(numbers));
    assert_non_null(vnrs_arena_dup(arena, NULL, 0));
    vnrs_arena_free(arena);
}

static void refuses_what_overflows(void **state)
{
    struct vnrs_arena *arena = vnrs_arena_new();

    (void)state;
    assert_null(vnrs_arena_alloc(arena, SIZE_MAX));
    assert_null(vnrs_arena_alloc(arena, SIZE_MAX - 20));
    assert_non_null(vnrs_arena_alloc(arena, 10)); // still usable
    vnrs_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(copies_text),
        cmocka_unit_test(refuses_what_overflows),
    };
    return cmocka_run_group_tests_name("util.arena", tests, NULL, NULL);
}
