// SPDX-License-Identifier: GPL-2.0-or-later
// The match against the project's plain trie (net/trie.h): random tables, random changes, and addresses at the edges of
// prefixes, where mistakes live. VNRS_LOOKUPS=10000000 compares that many pairs instead of the default.
#include "fib/lpm_trie.h"

#include "fib/lpm_memory.h"
#include "net/addr.h"
#include "net/trie.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOKUPS 150000
#define POOL    600 // prefixes that come and go

static struct lpm_memory memory;
static struct vnrs_lpm_nodes *nodes;
static struct vnrs_lpm_trie *trie;
static struct vnrs_lpm_table published;
static char values[6]; // a value as a pointer, for the plain trie

static int setup(void **state)
{
    (void)state;
    memory = (struct lpm_memory){0};
    published = (struct vnrs_lpm_table){0};
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

static struct vnrs_lpm_usage usage(void)
{
    struct vnrs_lpm_usage u;

    vnrs_lpm_nodes_usage(nodes, &u);
    return u;
}

static void unpublish(void)
{
    vnrs_lpm_nodes_unref(nodes, published.v4.entry);
    vnrs_lpm_nodes_unref(nodes, published.v6.entry);
    published = (struct vnrs_lpm_table){0};
}

static void publish(void)
{
    struct vnrs_lpm_table table;

    assert_int_equal(vnrs_lpm_trie_build(trie, &table), 0);
    unpublish();
    published = table;
}

static uint32_t find(const struct vnrs_addr *addr)
{
    uint64_t high, low;

    memcpy(&high, addr->bytes, 8);
    memcpy(&low, addr->bytes + 8, 8);
    if (addr->family == VNRS_AF_IPV4)
        return vnrs_lpm_walk4(vnrs_lpm_nodes_lines(nodes), published.v4, (uint32_t)(be64toh(high) >> 32));
    return vnrs_lpm_walk6(vnrs_lpm_nodes_lines(nodes), published.v6, be64toh(high), be64toh(low));
}

static uint32_t find_text(const char *text)
{
    struct vnrs_addr addr;

    assert_int_equal(vnrs_addr_parse(text, &addr), 0);
    return find(&addr);
}

static int put_in(struct vnrs_lpm_trie *in, const struct vnrs_prefix *prefix, uint32_t value, uint16_t mark)
{
    const struct vnrs_lpm_entry entry = {.value = value, .owner = 1000 + value, .mark = mark};

    return vnrs_lpm_trie_put(in, prefix, &entry);
}

static int put(const char *text, uint32_t value)
{
    struct vnrs_prefix prefix;

    assert_int_equal(vnrs_prefix_parse(text, &prefix), 0);
    return put_in(trie, &prefix, value, 0);
}

static int drop(const char *text)
{
    struct vnrs_prefix prefix;

    assert_int_equal(vnrs_prefix_parse(text, &prefix), 0);
    return vnrs_lpm_trie_remove(trie, &prefix);
}

static void put_and_remove_say_whether_they_changed_anything(void **state)
{
    static const char *const texts[] = {"0.0.0.0/0", "10.0.0.0/7", "10.0.0.0/8", "10.1.2.3/32", "::/0", "fd00::/64"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_int_equal(put(texts[i], 1), 1);
        assert_int_equal(put(texts[i], 1), 0);
        assert_int_equal(put(texts[i], 2), 1);
        assert_int_equal(vnrs_lpm_trie_len(trie), i + 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_int_equal(drop(texts[i]), 1);
        assert_int_equal(drop(texts[i]), 0);
    }
    assert_int_equal(vnrs_lpm_trie_len(trie), 0);
}

static void changes_are_seen_with_the_next_build(void **state)
{
    (void)state;
    assert_int_equal(put("10.0.0.0/8", 1), 1);
    assert_int_equal(put("10.1.0.0/16", 2), 1);
    publish();
    assert_int_equal(put("10.1.0.0/16", 3), 1);
    assert_int_equal(drop("10.0.0.0/8"), 1);
    assert_int_equal(find_text("10.1.2.3"), 2);
    assert_int_equal(find_text("10.2.2.3"), 1);
    publish();
    assert_int_equal(find_text("10.1.2.3"), 3);
    assert_int_equal(find_text("10.2.2.3"), 0);
}

// The default route differs in many tables that are else the same.
static void tables_that_differ_in_the_default_route_share_everything(void **state)
{
    struct vnrs_lpm_trie *other;
    struct vnrs_lpm_table table;
    struct vnrs_prefix prefix;
    char text[32];

    (void)state;
    assert_int_equal(vnrs_lpm_trie_new(nodes, &other), 0);
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(text, sizeof(text), "10.%u.0.0/16", i);
        assert_int_equal(put(text, i + 1), 1);
        assert_int_equal(vnrs_prefix_parse(text, &prefix), 0);
        assert_int_equal(put_in(other, &prefix, i + 1, 0), 1);
    }
    publish();
    uint64_t made = usage().made;
    assert_int_equal(vnrs_prefix_parse("0.0.0.0/0", &prefix), 0);
    assert_int_equal(put_in(other, &prefix, 99, 0), 1);
    assert_int_equal(vnrs_lpm_trie_build(other, &table), 0);
    assert_int_equal(usage().made, made);
    assert_int_equal(table.v4.entry, published.v4.entry);
    assert_int_equal(table.v4.fallback, 99);
    vnrs_lpm_nodes_unref(nodes, table.v4.entry);
    vnrs_lpm_trie_free(other);
}

static void remove_other_marks(uint8_t family, struct vnrs_lpm_entry *entry, void *arg)
{
    assert_int_equal(family, VNRS_AF_IPV4);
    assert_int_equal(entry->owner, 1000 + entry->value);
    if (entry->mark != *(const uint16_t *)arg)
        entry->value = 0;
}

static size_t sweep(uint16_t mark)
{
    return vnrs_lpm_trie_change(trie, remove_other_marks, &mark);
}

static void change_removes_what_it_is_told_to(void **state)
{
    struct vnrs_prefix prefix;
    char text[32];

    (void)state;
    for (unsigned i = 0; i < 512; i++) {
        (void)snprintf(text, sizeof(text), "10.%u.%u.0/%u", i % 7, i / 2, i % 2 ? 24 : 30);
        assert_int_equal(vnrs_prefix_parse(text, &prefix), 0);
        assert_int_equal(put_in(trie, &prefix, 1, i % 3 == 0), 1);
    }
    assert_int_equal(put("0.0.0.0/0", 5), 1);
    publish();
    assert_int_equal(sweep(1), 1 + 512 - 171);
    assert_int_equal(sweep(1), 0);
    assert_int_equal(vnrs_lpm_trie_len(trie), 171);
    publish();
    assert_int_equal(find_text("10.0.0.1"), 1);
    assert_int_equal(find_text("10.1.0.1"), 0);
    assert_int_equal(sweep(2), 171);
    publish();
    assert_int_equal(usage().lines, 0);
}

static void add_one(uint8_t family, struct vnrs_lpm_entry *entry, void *arg)
{
    (void)family;
    (void)arg;
    if (entry->value != 3)
        entry->value++;
    entry->owner = 7;
}

static void change_is_seen_with_the_next_build_and_get_knows_it_before(void **state)
{
    struct vnrs_lpm_entry entry;
    struct vnrs_prefix prefix;

    (void)state;
    assert_int_equal(put("10.0.0.0/8", 1), 1);
    assert_int_equal(put("10.1.0.0/16", 2), 1);
    assert_int_equal(put("fd00::/64", 3), 1);
    assert_int_equal(put("::/0", 4), 1);
    publish();
    assert_int_equal(vnrs_lpm_trie_change(trie, add_one, NULL), 3);
    assert_int_equal(vnrs_prefix_parse("10.1.0.0/16", &prefix), 0);
    assert_true(vnrs_lpm_trie_get(trie, &prefix, &entry));
    assert_int_equal(entry.value, 3);
    assert_int_equal(entry.owner, 7);
    prefix.len = 15;
    assert_false(vnrs_lpm_trie_get(trie, &prefix, &entry));
    assert_int_equal(find_text("10.1.0.1"), 2);
    publish();
    assert_int_equal(find_text("10.1.0.1"), 3);
    assert_int_equal(find_text("10.2.0.1"), 2);
    assert_int_equal(find_text("fd00::1"), 3);
    assert_int_equal(find_text("fd01::1"), 5);
}

static void out_of_memory_keeps_what_is_published(void **state)
{
    struct vnrs_lpm_table table = {.v4.entry = 4711};
    struct vnrs_prefix prefix = {.family = VNRS_AF_IPV4, .len = 32};
    unsigned n = 0;
    int err = 0;

    (void)state;
    memory.max = 1;
    assert_int_equal(put("9.0.0.0/8", 9), 1);
    publish();
    while (!err) { // every fourth address, so that nodes are full ones
        for (unsigned i = 0; i < 20000; i++, n += 4) {
            prefix.bytes[0] = 10;
            prefix.bytes[1] = (uint8_t)(n >> 16);
            prefix.bytes[2] = (uint8_t)(n >> 8);
            prefix.bytes[3] = (uint8_t)n;
            assert_int_equal(put_in(trie, &prefix, 1 + n, 0), 1);
        }
        err = vnrs_lpm_trie_build(trie, &table);
        if (!err) {
            unpublish();
            published = table;
        }
    }
    assert_int_equal(err, -ENOMEM);
    assert_int_equal(find_text("9.1.1.1"), 9);
    memory.max = 0; // some memory comes back
    publish();
    assert_int_equal(find_text("10.0.0.4"), 5);
    assert_int_equal(find_text("9.1.1.1"), 9);
    unpublish();
}

// --- against the plain trie ---

static unsigned long lookups_wanted(void)
{
    const char *text = getenv("VNRS_LOOKUPS");

    return text ? strtoul(text, NULL, 10) : LOOKUPS;
}

static void random_addr(struct vnrs_addr *ret_addr)
{
    *ret_addr = (struct vnrs_addr){.family = random() % 2 ? VNRS_AF_IPV4 : VNRS_AF_IPV6};
    for (unsigned b = 0; b < vnrs_af_bits(ret_addr->family) / 8; b++)
        ret_addr->bytes[b] = (uint8_t)(random() % 8 ? random() % 3 : random()); // crowded, so that prefixes nest
}

static void addr_near(const struct vnrs_prefix *prefix, struct vnrs_addr *ret_addr)
{
    *ret_addr = random() % 2 ? vnrs_prefix_addr(prefix) : vnrs_prefix_last(prefix);
    if (random() % 3 == 0)
        *ret_addr = vnrs_addr_add(ret_addr, random() % 2 ? 1 : UINT64_MAX);
}

static void change(struct vnrs_trie *plain, const struct vnrs_prefix *prefix)
{
    uint32_t value = 1 + (uint32_t)random() % 5;

    if (random() % 2) {
        assert_true(put_in(trie, prefix, value, 0) >= 0);
        assert_int_equal(vnrs_trie_put(plain, prefix, &values[value]), 0);
    } else {
        bool was = vnrs_trie_remove(plain, prefix) != NULL;
        assert_int_equal(vnrs_lpm_trie_remove(trie, prefix), was);
    }
    assert_int_equal(vnrs_lpm_trie_len(trie), plain->len);
}

static void compare(const struct vnrs_trie *plain, const struct vnrs_prefix *pool, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char text[VNRS_ADDR_STR_MAX];
        struct vnrs_addr addr;
        if (random() % 4)
            addr_near(&pool[random() % POOL], &addr);
        else
            random_addr(&addr);
        const char *found = vnrs_trie_match(plain, &addr, NULL);
        uint32_t expected = found ? (uint32_t)(found - values) : 0;
        if (find(&addr) != expected)
            fail_msg("%s: %u, not %u", vnrs_addr_format(&addr, text), find(&addr), expected);
    }
}

// After every change the nodes are those of a table that never was anything else.
static void assert_canonical(const struct vnrs_trie *plain, const struct vnrs_prefix *pool)
{
    struct vnrs_lpm_trie *fresh;
    struct vnrs_lpm_table table;
    uint64_t made = usage().made;

    assert_int_equal(vnrs_lpm_trie_new(nodes, &fresh), 0);
    for (unsigned i = POOL; i-- > 0;) {
        const char *value = vnrs_trie_find(plain, &pool[i]);
        if (value)
            assert_true(put_in(fresh, &pool[i], (uint32_t)(value - values), 0) >= 0);
    }
    assert_int_equal(vnrs_lpm_trie_build(fresh, &table), 0);
    assert_memory_equal(&table, &published, sizeof(table));
    assert_int_equal(usage().made, made);
    vnrs_lpm_nodes_unref(nodes, table.v4.entry);
    vnrs_lpm_nodes_unref(nodes, table.v6.entry);
    vnrs_lpm_trie_free(fresh);
}

static void random_changes_agree_with_the_plain_trie(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    unsigned long lookups = lookups_wanted();
    static struct vnrs_prefix pool[POOL];
    struct vnrs_trie plain = {0};

    (void)state;
    print_message("seed %u, %lu lookups\n", seed, lookups);
    srandom(seed);
    for (unsigned long done = 0, round = 0; done < lookups; round++) {
        if (round % 500 == 0) { // other prefixes
            for (unsigned i = 0; i < POOL; i++) {
                struct vnrs_addr addr;
                random_addr(&addr);
                (void)vnrs_lpm_trie_remove(trie, &pool[i]);
                (void)vnrs_trie_remove(&plain, &pool[i]);
                pool[i] = vnrs_prefix_make(&addr, (unsigned)random() % (vnrs_af_bits(addr.family) + 1));
            }
        }
        unsigned n = random() % 10 ? 1 + (unsigned)random() % 3 : 200;
        for (unsigned i = 0; i < n; i++)
            change(&plain, &pool[random() % POOL]);
        publish();
        if (round % 50 == 0)
            assert_canonical(&plain, pool);
        compare(&plain, pool, 100);
        done += 100;
    }
    for (unsigned i = 0; i < POOL; i++)
        (void)vnrs_lpm_trie_remove(trie, &pool[i]);
    publish();
    assert_int_equal(usage().lines, 0); // nothing is lost
    vnrs_trie_fini(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(put_and_remove_say_whether_they_changed_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_are_seen_with_the_next_build, setup, teardown),
        cmocka_unit_test_setup_teardown(tables_that_differ_in_the_default_route_share_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(change_removes_what_it_is_told_to, setup, teardown),
        cmocka_unit_test_setup_teardown(change_is_seen_with_the_next_build_and_get_knows_it_before, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory_keeps_what_is_published, setup, teardown),
        cmocka_unit_test_setup_teardown(random_changes_agree_with_the_plain_trie, setup, teardown),
    };

    return cmocka_run_group_tests_name("fib.lpm_trie", tests, NULL, NULL);
}
