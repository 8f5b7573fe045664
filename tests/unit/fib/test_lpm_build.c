// SPDX-License-Identifier: GPL-2.0-or-later
// Which nodes a table becomes, and how many steps a walk takes; test_lpm_trie.c tests what it finds.
#include "fib/lpm_build.h"

#include "fib/lpm_memory.h"
#include "fib/lpm_trie.h"
#include "net/addr.h"

#include <stdio.h>
#include <string.h>

static struct lpm_memory memory;
static struct vnrs_lpm_nodes *nodes;
static struct vnrs_lpm_trie *trie;

static int setup(void **state)
{
    (void)state;
    memory = (struct lpm_memory){0};
    lpm_memory_open(&memory, &nodes);
    assert_int_equal(vnrs_lpm_trie_new(nodes, &trie), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    trie = vnrs_lpm_trie_free(trie);
    nodes = vnrs_lpm_nodes_free(nodes);
    lpm_memory_close(&memory);
    return 0;
}

static void put(const char *text, uint32_t value)
{
    const struct vnrs_lpm_entry entry = {.value = value};
    struct vnrs_prefix prefix;

    assert_int_equal(vnrs_prefix_parse(text, &prefix), 0);
    assert_int_equal(vnrs_lpm_trie_put(trie, &prefix, &entry), 1);
}

static void assert_nodes(uint64_t full, uint64_t ranges, uint64_t skips)
{
    struct vnrs_lpm_table table;
    struct vnrs_lpm_usage usage;

    assert_int_equal(vnrs_lpm_trie_build(trie, &table), 0);
    vnrs_lpm_nodes_usage(nodes, &usage);
    assert_int_equal(usage.full, full);
    assert_int_equal(usage.ranges, ranges);
    assert_int_equal(usage.skips, skips);
    vnrs_lpm_nodes_unref(nodes, table.v4.entry);
    vnrs_lpm_nodes_unref(nodes, table.v6.entry);
}

static void small_ipv4_table_is_one_node(void **state)
{
    (void)state;
    put("0.0.0.0/0", 1); // beside the root
    assert_nodes(0, 0, 0);
    put("10.0.0.0/16", 2);
    put("10.1.0.0/16", 3);
    put("10.0.3.4/32", 4);
    put("192.168.0.0/24", 5);
    assert_nodes(0, 1, 0);
}

static void single_ipv6_prefix_is_one_node(void **state)
{
    (void)state;
    put("fd00:1:2:3::4/128", 1);
    assert_nodes(0, 0, 1);
}

// The addresses of a subnet: what they have in common, then the last byte.
static void ipv6_addresses_of_a_subnet_are_two_nodes(void **state)
{
    (void)state;
    put("fd00:1:2:3::4/128", 1);
    put("fd00:1:2:3::5/128", 2);
    put("fd00:1:2:3::8/128", 3);
    assert_nodes(0, 1, 1);
}

// What is further down than one node looks gets nodes of its own; prefixes in the same place share them.
static void deeper_prefixes_get_nodes_of_their_own(void **state)
{
    (void)state;
    put("fd00:1::/32", 1);
    put("fd00:1:2:3::/64", 2);
    put("fd00:2:2:3::/64", 2);
    assert_nodes(0, 3, 0); // under fd00:1 the rest is 1, under fd00:2 it is nothing
    put("fd00:2::/32", 1);
    assert_nodes(0, 2, 0);
}

static void crowded_byte_is_a_full_node(void **state)
{
    char text[32];

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text), "10.%u.0.0/16", i * 2);
        put(text, 1 + i);
    }
    assert_nodes(1, 0, 1);
    assert_int_equal(vnrs_lpm_trie_len(trie), 40);
}

// A value that all of a block agree on needs no node at all.
static void equal_values_melt_together(void **state)
{
    char text[32];

    (void)state;
    put("10.0.0.0/8", 7);
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(text, sizeof(text), "10.%u.0.0/16", i);
        put(text, 7);
    }
    assert_nodes(0, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_ipv4_table_is_one_node, setup, teardown),
        cmocka_unit_test_setup_teardown(single_ipv6_prefix_is_one_node, setup, teardown),
        cmocka_unit_test_setup_teardown(ipv6_addresses_of_a_subnet_are_two_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(deeper_prefixes_get_nodes_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(crowded_byte_is_a_full_node, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_values_melt_together, setup, teardown),
    };

    return cmocka_run_group_tests_name("fib.lpm_build", tests, NULL, NULL);
}
