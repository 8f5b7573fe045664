// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers of prefixes against a plain array, and the tables by number.
#include "net/prefixes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS 600

struct naive {
    struct vnrs_prefix prefix[SLOTS];
    uint32_t id[SLOTS], refs[SLOTS];
};

static uint32_t random_state = 88172645;

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
        addr.bytes[i] = (uint8_t)(next_random() % 3 * 85);
    return vnrs_prefix_make(&addr, next_random() % (bits + 1));
}

static int naive_at(const struct naive *naive, const struct vnrs_prefix *prefix)
{
    for (int i = 0; i < SLOTS; i++)
        if (naive->refs[i] && vnrs_prefix_equal(&naive->prefix[i], prefix))
            return i;
    return -1;
}

static void naive_get(struct naive *naive, struct vnrs_prefixes *set, const struct vnrs_prefix *prefix)
{
    int at = naive_at(naive, prefix);
    uint32_t id;

    for (int i = 0; i < SLOTS && at < 0; i++)
        at = naive->refs[i] ? -1 : i;
    if (at < 0)
        return;
    assert_int_equal(vnrs_prefixes_get(set, prefix, &id), 0);
    assert_int_not_equal(id, VNRS_PREFIX_NONE);
    if (naive->refs[at])
        assert_int_equal(id, naive->id[at]);
    for (int i = 0; i < SLOTS; i++)
        assert_true(i == at || !naive->refs[i] || naive->id[i] != id);
    naive->prefix[at] = *prefix;
    naive->id[at] = id;
    naive->refs[at]++;
}

static void numbers_follow_a_plain_array(void **test)
{
    struct naive *naive = calloc(1, sizeof(*naive));
    struct vnrs_prefixes set = {0};

    (void)test;
    assert_non_null(naive);
    for (int step = 0; step < 30000; step++) {
        struct vnrs_prefix prefix = random_prefix();
        int at = naive_at(naive, &prefix);
        assert_int_equal(vnrs_prefixes_find(&set, &prefix), at < 0 ? VNRS_PREFIX_NONE : naive->id[at]);
        if (next_random() % 2) {
            naive_get(naive, &set, &prefix);
        } else if (at >= 0) {
            struct vnrs_prefix same = vnrs_prefixes_prefix(&set, naive->id[at]);
            assert_true(vnrs_prefix_equal(&same, &prefix));
            vnrs_prefixes_drop(&set, naive->id[at]);
            naive->refs[at]--;
        }
    }
    size_t n = 0;
    for (int i = 0; i < SLOTS; i++) {
        n += naive->refs[i] > 0;
        while (naive->refs[i]) {
            vnrs_prefixes_drop(&set, naive->id[i]);
            naive->refs[i]--;
        }
    }
    assert_true(n > 100);
    assert_int_equal(vnrs_prefixes_len(&set), 0);
    vnrs_prefixes_fini(&set);
    free(naive);
}

static void around_gives_the_longest_first(void **test)
{
    struct vnrs_prefixes set = {0};

    (void)test;
    for (int i = 0; i < 300; i++) {
        struct vnrs_prefix prefix = random_prefix();
        uint32_t id;
        assert_int_equal(vnrs_prefixes_get(&set, &prefix, &id), 0);
    }
    for (int i = 0; i < 300; i++) {
        struct vnrs_prefix host = random_prefix();
        struct vnrs_addr addr = vnrs_prefix_addr(&host);
        unsigned len = 129, bits = vnrs_af_bits(addr.family);
        uint32_t id = vnrs_prefixes_around(&set, &addr, &len);
        for (unsigned want = bits + 1; want-- > 0;) {
            struct vnrs_prefix prefix = vnrs_prefix_make(&addr, want);
            if (!vnrs_prefixes_find(&set, &prefix))
                continue;
            assert_int_equal(id, vnrs_prefixes_find(&set, &prefix));
            id = vnrs_prefixes_around(&set, &addr, &len);
        }
        assert_int_equal(id, VNRS_PREFIX_NONE);
    }
    vnrs_prefixes_fini(&set);
}

static void tables_hold_and_forget(void **test)
{
    static const uint32_t ids[] = {1, 2, 1023, 1024, 70000, 0x80000001, 0x80000400, 0x80012345};
    struct vnrs_slots slots = {0};
    uint32_t id = VNRS_PREFIX_NONE;

    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        assert_int_equal(vnrs_slots_find(&slots, ids[i]), 0);
        assert_int_equal(vnrs_slots_put(&slots, ids[i], (uint32_t)i + 5), 0);
        assert_int_equal(vnrs_slots_put(&slots, ids[i], (uint32_t)i + 6), 0);
    }
    assert_int_equal(slots.len, ARRAY_SIZE(ids));
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        id = vnrs_slots_next(&slots, id);
        assert_int_equal(id, ids[i]);
        assert_int_equal(vnrs_slots_find(&slots, id), i + 6);
    }
    assert_int_equal(vnrs_slots_next(&slots, id), VNRS_PREFIX_NONE);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        vnrs_slots_remove(&slots, ids[i]);
    vnrs_slots_remove(&slots, 1);
    assert_int_equal(slots.len, 0);
    assert_null(slots.pieces[0]);
    assert_int_equal(vnrs_slots_next(&slots, VNRS_PREFIX_NONE), VNRS_PREFIX_NONE);
    vnrs_slots_fini(&slots);
}

static void any_finds_all_of_many_and_few(void **test)
{
    static const uint32_t sizes[] = {1, 3, 2000, 2049, 50000};

    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct vnrs_slots slots = {0};
        uint32_t id = VNRS_PREFIX_NONE, near = 0, last;
        for (uint32_t n = 1; n <= sizes[i]; n++)
            assert_int_equal(vnrs_slots_put(&slots, n % 7 ? n * 3 : n * 3 | 0x80000000u, n), 0);
        for (uint32_t n = sizes[i]; n > 0; n--) {
            last = id;
            id = vnrs_slots_any(&slots, id);
            assert_int_not_equal(id, VNRS_PREFIX_NONE);
            near += id > last && id - last < 20;
            vnrs_slots_remove(&slots, id);
        }
        assert_true(near <= 2049);
        assert_int_equal(vnrs_slots_any(&slots, id), VNRS_PREFIX_NONE);
        assert_int_equal(slots.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_follow_a_plain_array),
        cmocka_unit_test(around_gives_the_longest_first),
        cmocka_unit_test(tables_hold_and_forget),
        cmocka_unit_test(any_finds_all_of_many_and_few),
    };
    return cmocka_run_group_tests_name("net.prefixes", tests, NULL, NULL);
}
