// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/lpm_nodes.h"

#include "fib/lpm_memory.h"

#include <string.h>

static struct lpm_memory memory;
static struct vnrs_lpm_nodes *nodes;

static int setup(void **state)
{
    (void)state;
    memory = (struct lpm_memory){0};
    lpm_memory_open(&memory, &nodes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nodes = vnrs_lpm_nodes_free(nodes);
    lpm_memory_close(&memory);
    return 0;
}

static struct vnrs_lpm_usage usage(void)
{
    struct vnrs_lpm_usage u;

    vnrs_lpm_nodes_usage(nodes, &u);
    return u;
}

// A node with `n` ranges; `salt` makes it another one.
static uint32_t stride(unsigned n, uint32_t salt)
{
    uint32_t entries[256], entry;

    for (unsigned b = 0; b < 256; b++)
        entries[b] = 1 + salt * 1000 + MIN(b, n - 1);
    assert_int_equal(vnrs_lpm_nodes_stride(nodes, entries, &entry), 0);
    return entry;
}

static uint32_t walk(uint32_t entry, uint64_t high)
{
    return vnrs_lpm_walk6(vnrs_lpm_nodes_lines(nodes), (struct vnrs_lpm_root){.entry = entry}, high, 0);
}

static void kind_follows_the_number_of_ranges(void **state)
{
    (void)state;
    assert_int_equal(stride(1, 0), 1); // the leaf itself
    assert_int_equal(VNRS_LPM_KIND(stride(2, 0)), VNRS_LPM_RANGES);
    assert_int_equal(VNRS_LPM_KIND(stride(VNRS_LPM_RANGES_MAX, 0)), VNRS_LPM_RANGES);
    assert_int_equal(VNRS_LPM_KIND(stride(VNRS_LPM_RANGES_MAX + 1, 0)), VNRS_LPM_FULL);
    assert_int_equal(VNRS_LPM_KIND(stride(256, 0)), VNRS_LPM_FULL);
}

// Every number of ranges, ranges of every size at every place, every byte.
static void walk_finds_every_byte_in_every_node(void **state)
{
    (void)state;
    srandom(1);
    for (unsigned round = 0; round < 3000; round++) {
        uint32_t entries[256], entry;
        unsigned changes = 1 + (unsigned)random() % 20;
        entries[0] = 0;
        for (unsigned b = 1; b < 256; b++)
            entries[b] = (unsigned)random() % 256 < changes || b == 255 ? b : entries[b - 1];
        assert_int_equal(vnrs_lpm_nodes_stride(nodes, entries, &entry), 0);
        for (unsigned b = 0; b < 256; b++)
            assert_int_equal(walk(entry, (uint64_t)b << 56), entries[b]);
        vnrs_lpm_nodes_unref(nodes, entry);
    }
    assert_int_equal(usage().lines, 0);
}

static void equal_nodes_exist_once(void **state)
{
    (void)state;
    uint32_t a = stride(20, 0), b = stride(20, 0), c = stride(20, 1);
    assert_int_equal(a, b);
    assert_int_not_equal(a, c);
    assert_int_equal(usage().full, 2);
    vnrs_lpm_nodes_unref(nodes, a);
    assert_int_equal(usage().full, 2);
    vnrs_lpm_nodes_unref(nodes, b);
    assert_int_equal(usage().full, 1);
    vnrs_lpm_nodes_unref(nodes, c);
    assert_int_equal(usage().lines, 0);
}

static void skip_of_any_length(void **state)
{
    static const uint8_t bytes[16] = {0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

    (void)state;
    for (unsigned n = 0; n < 16; n++) {
        uint32_t entry, node = stride(3, n);
        assert_int_equal(vnrs_lpm_nodes_skip(nodes, bytes, 8 * n, node, 77, &entry), 0);
        uint64_t high = 0xfd01020304050607, low = 0x08090a0b0c0d0e0f;
        if (n < 8)
            high = (high & ~(UINT64_MAX >> 8 * n)) | 1ull << (56 - 8 * n);
        else
            low = (n > 8 ? low & ~(UINT64_MAX >> 8 * (n - 8)) : 0) | 1ull << (56 - 8 * (n - 8));
        struct vnrs_lpm_root root = {.entry = entry};
        assert_int_equal(vnrs_lpm_walk6(vnrs_lpm_nodes_lines(nodes), root, high, low), 1 + n * 1000 + 1);
        for (unsigned wrong = 0; wrong < n; wrong++) {
            uint64_t flip_high = wrong < 8 ? 1ull << (56 - 8 * wrong) : 0;
            uint64_t flip_low = wrong < 8 ? 0 : 1ull << (56 - 8 * (wrong - 8));
            assert_int_equal(vnrs_lpm_walk6(vnrs_lpm_nodes_lines(nodes), root, high ^ flip_high, low ^ flip_low), 77);
        }
        vnrs_lpm_nodes_unref(nodes, entry);
        assert_int_equal(usage().lines, 0);
    }
    for (unsigned bits = 1; bits <= 128; bits++) { // of a single prefix
        uint32_t entry;
        assert_int_equal(vnrs_lpm_nodes_skip(nodes, bytes, bits, 5, 77, &entry), 0);
        for (unsigned flip = 0; flip < 128; flip++) {
            uint64_t high = 0xfd01020304050607 ^ (flip < 64 ? 1ull << (63 - flip) : 0);
            uint64_t low = 0x08090a0b0c0d0e0f ^ (flip < 64 ? 0 : 1ull << (127 - flip));
            struct vnrs_lpm_root root = {.entry = entry};
            assert_int_equal(vnrs_lpm_walk6(vnrs_lpm_nodes_lines(nodes), root, high, low), flip < bits ? 77 : 5);
        }
        vnrs_lpm_nodes_unref(nodes, entry);
    }
    uint32_t entry; // nothing to tell apart
    assert_int_equal(vnrs_lpm_nodes_skip(nodes, bytes, 5, 77, 77, &entry), 0);
    assert_int_equal(entry, 77);
}

// The nodes below go with the last node that leads to them, not earlier.
static void references_are_those_of_entries(void **state)
{
    uint32_t entries[256] = {0}, top;

    (void)state;
    uint32_t below = stride(20, 0);
    entries[3] = entries[200] = below;
    assert_int_equal(vnrs_lpm_nodes_stride(nodes, entries, &top), 0);
    vnrs_lpm_nodes_unref(nodes, below);
    assert_int_equal(walk(top, 200ull << 56 | 7ull << 48), 8);
    assert_int_equal(usage().full, 1);
    vnrs_lpm_nodes_unref(nodes, top);
    assert_int_equal(usage().lines, 0);
}

// Lines rest until nobody can be in them: as long as there is other memory, nobody has to wait for that.
static void lines_are_not_used_again_before_a_wait(void **state)
{
    uint8_t seen[VNRS_LPM_CHUNK_LINES / VNRS_LPM_FULL_LINES] = {0};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(seen); i++) {
        uint32_t entry = stride(20, i);
        assert_int_equal(memory.waits, 0);
        assert_int_equal(seen[VNRS_LPM_INDEX(entry) / VNRS_LPM_FULL_LINES]++, 0);
        vnrs_lpm_nodes_unref(nodes, entry);
    }
    vnrs_lpm_nodes_unref(nodes, stride(20, ARRAY_SIZE(seen)));
    assert_int_equal(memory.waits, 1);
    assert_int_equal(memory.n_chunks, 1);
}

// Blocks that were taken for single lines serve as full nodes again, and the other way round.
static void single_lines_grow_together_again(void **state)
{
    enum { N = VNRS_LPM_CHUNK_LINES };
    uint32_t *held = calloc(N, sizeof(*held)); // NOLINT: a test may abort

    (void)state;
    memory.max = 1;
    assert_non_null(held);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < N; i++)
            held[i] = stride(3, i);
        for (unsigned i = 0; i < N; i++)
            vnrs_lpm_nodes_unref(nodes, held[(i * 7919u) % N]);
        for (unsigned i = 0; i < N / VNRS_LPM_FULL_LINES; i++)
            held[i] = stride(20, i);
        for (unsigned i = 0; i < N / VNRS_LPM_FULL_LINES; i++)
            vnrs_lpm_nodes_unref(nodes, held[i]);
    }
    assert_int_equal(usage().lines, 0);
    free(held);
}

static void out_of_memory_changes_nothing(void **state)
{
    enum { N = VNRS_LPM_CHUNK_LINES / VNRS_LPM_FULL_LINES };
    uint32_t entries[256], entry = 4711, held[N];

    (void)state;
    memory.max = 1;
    for (unsigned i = 0; i < N; i++)
        held[i] = stride(20, i);
    for (unsigned b = 0; b < 256; b++)
        entries[b] = b;
    assert_int_equal(vnrs_lpm_nodes_stride(nodes, entries, &entry), -ENOMEM);
    assert_int_equal(entry, 4711);
    assert_int_equal(usage().full, N);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(walk(held[i], 5ull << 56), 1 + i * 1000 + 5);
    vnrs_lpm_nodes_unref(nodes, held[0]);
    assert_int_equal(vnrs_lpm_nodes_stride(nodes, entries, &entry), 0);
    assert_int_equal(memory.waits, 1);
}

static int leaf_sum(uint32_t value, void *arg)
{
    *(uint64_t *)arg += value;
    return 0;
}

static void next_process_finds_nodes_and_free_lines(void **state)
{
    uint32_t entries[256] = {0}, top, again;
    struct vnrs_lpm_nodes *next;
    uint64_t sum = 0;

    (void)state;
    uint32_t below = stride(2, 0);
    entries[9] = below;
    entries[10] = stride(30, 1);
    assert_int_equal(vnrs_lpm_nodes_stride(nodes, entries, &top), 0);
    uint32_t lost = stride(40, 2); // no root leads to it
    struct vnrs_lpm_usage before = usage();
    lpm_memory_open(&memory, &next);
    assert_int_equal(vnrs_lpm_nodes_adopt_chunk(next, memory.chunks[0]), 0);
    assert_int_equal(vnrs_lpm_nodes_adopt_root(next, top, leaf_sum, &sum), 0);
    assert_int_equal(vnrs_lpm_nodes_adopt_root(next, below, leaf_sum, &sum), 0); // seen already
    assert_int_equal(vnrs_lpm_nodes_adopted(next), 0);
    assert_int_equal(memory.waits, 1);
    assert_true(sum > 1000);
    nodes = vnrs_lpm_nodes_free(nodes);
    nodes = next;
    assert_int_equal(usage().lines, before.lines - VNRS_LPM_FULL_LINES);
    assert_int_equal(stride(2, 0), below);
    assert_int_equal(usage().made, 0);
    vnrs_lpm_nodes_unref(nodes, below);
    again = stride(60, 3);
    assert_int_not_equal(again, top);
    vnrs_lpm_nodes_unref(nodes, again);
    vnrs_lpm_nodes_unref(nodes, below);
    vnrs_lpm_nodes_unref(nodes, top);
    assert_int_equal(usage().lines, 0);
    (void)lost;
}

static void what_is_not_a_tree_is_refused(void **state)
{
    uint64_t sum = 0;

    (void)state;
    uint32_t entry = stride(2, 0);
    assert_int_equal(
        vnrs_lpm_nodes_adopt_root(nodes, VNRS_LPM_ENTRY(VNRS_LPM_RANGES, VNRS_LPM_CHUNK_LINES), leaf_sum, &sum),
        -EUCLEAN);
    assert_int_equal(vnrs_lpm_nodes_adopt_root(nodes, VNRS_LPM_ENTRY(VNRS_LPM_FULL, 4), leaf_sum, &sum), -EUCLEAN);
    vnrs_lpm_nodes_unref(nodes, entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kind_follows_the_number_of_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(walk_finds_every_byte_in_every_node, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_nodes_exist_once, setup, teardown),
        cmocka_unit_test_setup_teardown(skip_of_any_length, setup, teardown),
        cmocka_unit_test_setup_teardown(references_are_those_of_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_are_not_used_again_before_a_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(single_lines_grow_together_again, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(next_process_finds_nodes_and_free_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_a_tree_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests_name("fib.lpm_nodes", tests, NULL, NULL);
}
