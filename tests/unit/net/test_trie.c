// SPDX-License-Identifier: GPL-2.0-or-later
// The trie against a plain array that is searched from end to end.
#include "net/trie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS 600

struct naive {
    struct vnrs_prefix prefix[SLOTS];
    void *value[SLOTS]; // NULL: free
};

static uint32_t random_state;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

// Few distinct bytes, so that prefixes nest and repeat.
static struct vnrs_prefix random_prefix(void)
{
    struct vnrs_addr addr = {.family = next_random() % 2 ? VNRS_AF_IPV6 : VNRS_AF_IPV4};
    unsigned bits = vnrs_af_bits(addr.family);

    for (unsigned i = 0; i < bits / 8; i++)
        addr.bytes[i] = (uint8_t)(next_random() % 4 * 85);
    return vnrs_prefix_make(&addr, next_random() % (bits + 1));
}

static int naive_at(const struct naive *n, const struct vnrs_prefix *p)
{
    for (int i = 0; i < SLOTS; i++)
        if (n->value[i] && vnrs_prefix_equal(&n->prefix[i], p))
            return i;
    return -1;
}

static int naive_match(const struct naive *n, const struct vnrs_addr *addr)
{
    int best = -1;
    for (int i = 0; i < SLOTS; i++)
        if (n->value[i] && vnrs_prefix_contains_addr(&n->prefix[i], addr) &&
            (best < 0 || n->prefix[i].len > n->prefix[best].len))
            best = i;
    return best;
}

struct walked {
    struct vnrs_prefix last;
    size_t n;
    const struct naive *naive;
};

static int check_walk(const struct vnrs_prefix *prefix, void *value, void *arg)
{
    struct walked *w = arg;
    int at = naive_at(w->naive, prefix);

    assert_true(at >= 0 && w->naive->value[at] == value);
    if (w->n++)
        assert_true(vnrs_prefix_cmp(&w->last, prefix) < 0);
    w->last = *prefix;
    return 0;
}

static void compare(struct vnrs_trie *trie, const struct naive *naive, size_t len)
{
    struct walked w = {.naive = naive};

    assert_int_equal(trie->len, len);
    assert_int_equal(vnrs_trie_walk(trie, check_walk, &w), 0);
    assert_int_equal(w.n, len);
    for (int i = 0; i < 50; i++) {
        struct vnrs_prefix p = random_prefix(), found = {0};
        struct vnrs_addr addr = vnrs_prefix_last(&p);
        int at = naive_at(naive, &p), best = naive_match(naive, &addr);
        assert_ptr_equal(vnrs_trie_find(trie, &p), at < 0 ? NULL : naive->value[at]);
        assert_ptr_equal(vnrs_trie_match(trie, &addr, &found), best < 0 ? NULL : naive->value[best]);
        if (best >= 0)
            assert_true(vnrs_prefix_equal(&found, &naive->prefix[best]));
    }
}

static void agrees_with_a_plain_array(void **state)
{
    static int values[SLOTS * 2];
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct naive naive = {0};
        struct vnrs_trie trie = {0};
        size_t len = 0;
        random_state = seed * 2654435761u;
        for (int step = 0; step < 1500; step++) {
            struct vnrs_prefix p = random_prefix();
            int at = naive_at(&naive, &p);
            if (next_random() % 5 < 2 + (step < 700)) {
                void *value = &values[next_random() % (SLOTS * 2)];
                int slot = at;
                for (int i = 0; slot < 0 && i < SLOTS; i++)
                    if (!naive.value[i])
                        slot = i;
                if (slot < 0)
                    continue;
                assert_int_equal(vnrs_trie_put(&trie, &p, value), 0);
                len += at < 0;
                naive.prefix[slot] = p;
                naive.value[slot] = value;
            } else {
                int victim = at >= 0 ? at : (int)(next_random() % SLOTS);
                struct vnrs_prefix gone = naive.value[victim] ? naive.prefix[victim] : p;
                void *want = naive.value[victim];
                assert_ptr_equal(vnrs_trie_remove(&trie, &gone), want);
                assert_null(vnrs_trie_remove(&trie, &gone));
                naive.value[victim] = NULL;
                len -= want != NULL;
            }
            if (step % 100 == 0)
                compare(&trie, &naive, len);
        }
        compare(&trie, &naive, len);
        vnrs_trie_fini(&trie);
    }
}

static int stop_at_second(const struct vnrs_prefix *prefix, void *value, void *arg)
{
    int *n = arg;
    (void)prefix;
    (void)value;
    return ++*n == 2 ? -7 : 0;
}

static void handles_the_edges(void **state)
{
    struct vnrs_trie trie = {0};
    struct vnrs_prefix all = {.family = VNRS_AF_IPV4}, host = {.family = VNRS_AF_IPV4, .len = 32};
    struct vnrs_addr zero = {.family = VNRS_AF_IPV4}, none = {0};
    int a, b, n = 0;

    (void)state;
    assert_null(vnrs_trie_match(&trie, &zero, NULL));
    assert_null(vnrs_trie_remove(&trie, &all));
    assert_int_equal(vnrs_trie_put(&trie, &all, &a), 0);
    assert_int_equal(vnrs_trie_put(&trie, &host, &b), 0);
    assert_ptr_equal(vnrs_trie_match(&trie, &zero, NULL), &b);
    assert_null(vnrs_trie_match(&trie, &none, NULL));
    assert_int_equal(vnrs_trie_put(&trie, &host, &a), 0);
    assert_int_equal(trie.len, 2);
    assert_int_equal(vnrs_trie_walk(&trie, stop_at_second, &n), -7);
    assert_ptr_equal(vnrs_trie_remove(&trie, &all), &a);
    assert_ptr_equal(vnrs_trie_match(&trie, &zero, NULL), &a);
    vnrs_trie_fini(&trie);
    assert_int_equal(trie.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_plain_array),
        cmocka_unit_test(handles_the_edges),
    };
    return cmocka_run_group_tests_name("net.trie", tests, NULL, NULL);
}
