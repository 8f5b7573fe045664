// SPDX-License-Identifier: GPL-2.0-or-later
// Resilience of next-hop groups: fair shares always, and only the flows that have to move do.
#include "fib/bpf_group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static unsigned count(const uint16_t *buckets, uint32_t member)
{
    unsigned n = 0;

    for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++)
        n += buckets[b] == member;
    return n;
}

static void assert_fair(const uint16_t *buckets, const uint32_t *members, unsigned n)
{
    unsigned sum = 0;

    for (unsigned m = 0; m < n; m++) {
        unsigned has = count(buckets, members[m]);
        assert_in_range(has, VNRS_GROUP_BUCKETS / n, (VNRS_GROUP_BUCKETS + n - 1) / n);
        sum += has;
    }
    assert_int_equal(sum, VNRS_GROUP_BUCKETS);
}

static unsigned moved(const uint16_t *before, const uint16_t *after)
{
    unsigned n = 0;

    for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++)
        n += before[b] != after[b];
    return n;
}

static void fresh_filling_depends_on_members_alone(void **state)
{
    (void)state;
    uint32_t members[VNRS_GROUP_MEMBERS_MAX], read[VNRS_GROUP_MEMBERS_MAX];
    uint16_t a[VNRS_GROUP_BUCKETS], b[VNRS_GROUP_BUCKETS];

    for (unsigned n = 1; n <= VNRS_GROUP_MEMBERS_MAX; n++) {
        for (unsigned m = 0; m < n; m++)
            members[m] = 100 + m * 7;
        vnrs_bpf_group_fill(NULL, members, n, a);
        vnrs_bpf_group_fill(NULL, members, n, b);
        assert_memory_equal(a, b, sizeof(a));
        assert_fair(a, members, n);
        assert_int_equal(vnrs_bpf_group_members(a, read), n);
        assert_memory_equal(read, members, n * sizeof(*members));
    }
}

static void losing_a_member_moves_only_its_flows(void **state)
{
    (void)state;
    const uint32_t three[] = {5, 6, 7}, two[] = {5, 7};
    uint16_t before[VNRS_GROUP_BUCKETS], after[VNRS_GROUP_BUCKETS];

    vnrs_bpf_group_fill(NULL, three, 3, before);
    vnrs_bpf_group_fill(before, two, 2, after);
    assert_fair(after, two, 2);
    for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++) {
        if (before[b] != 6)
            assert_int_equal(before[b], after[b]);
    }
}

static void gaining_a_member_moves_only_its_share(void **state)
{
    (void)state;
    const uint32_t two[] = {5, 7}, three[] = {5, 6, 7};
    uint16_t before[VNRS_GROUP_BUCKETS], after[VNRS_GROUP_BUCKETS];

    vnrs_bpf_group_fill(NULL, two, 2, before);
    vnrs_bpf_group_fill(before, three, 3, after);
    assert_fair(after, three, 3);
    assert_int_equal(moved(before, after), count(after, 6));
}

static void replacing_a_member_hands_its_buckets_over(void **state)
{
    (void)state;
    const uint32_t live[] = {5, 6, 7}, dead[] = {5, 7, 900};
    uint16_t before[VNRS_GROUP_BUCKETS], after[VNRS_GROUP_BUCKETS];

    vnrs_bpf_group_fill(NULL, live, 3, before);
    vnrs_bpf_group_fill(before, dead, 3, after);
    for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++)
        assert_int_equal(after[b], before[b] == 6 ? 900 : before[b]);
}

// Minimal: a change moves no more than the buckets of lost members plus what new members and fairness need.
static void random_changes_stay_fair_and_minimal(void **state)
{
    (void)state;
    uint16_t buckets[VNRS_GROUP_BUCKETS], after[VNRS_GROUP_BUCKETS];
    uint32_t members[VNRS_GROUP_MEMBERS_MAX];
    unsigned seed = (unsigned)time(NULL), n = 1;

    print_message("seed %u\n", seed);
    srandom(seed);
    members[0] = 1;
    vnrs_bpf_group_fill(NULL, members, 1, buckets);
    for (int round = 0; round < 5000; round++) {
        uint32_t next[VNRS_GROUP_MEMBERS_MAX];
        unsigned k = 0, kept = 0;
        for (uint32_t m = 1; m <= 24 && k < VNRS_GROUP_MEMBERS_MAX; m++) {
            if (random() % 3 == 0)
                next[k++] = m;
        }
        if (!k)
            next[k++] = 1;
        vnrs_bpf_group_fill(buckets, next, k, after);
        assert_fair(after, next, k);
        for (unsigned m = 0; m < k; m++) { // whoever stays keeps all it had, up to its share
            unsigned had = count(buckets, next[m]), has = count(after, next[m]), both = 0;
            for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++)
                both += buckets[b] == next[m] && after[b] == next[m];
            assert_int_equal(both, had < has ? had : has);
            kept += both;
        }
        assert_int_equal(moved(buckets, after), VNRS_GROUP_BUCKETS - kept);
        memcpy(buckets, after, sizeof(buckets));
        n = k;
    }
    assert_true(n >= 1);
}

static void foreign_fillings_are_recognised(void **state)
{
    (void)state;
    uint16_t buckets[VNRS_GROUP_BUCKETS];
    uint32_t read[VNRS_GROUP_MEMBERS_MAX];

    for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++)
        buckets[b] = (uint16_t)b;
    assert_int_equal(vnrs_bpf_group_members(buckets, read), VNRS_GROUP_BUCKETS); // one each
    buckets[0] = buckets[1] = buckets[2];
    assert_int_equal(vnrs_bpf_group_members(buckets, read), 0);
    for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++)
        buckets[b] = b < 3 ? 8 : 9;
    assert_int_equal(vnrs_bpf_group_members(buckets, read), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_filling_depends_on_members_alone),
        cmocka_unit_test(losing_a_member_moves_only_its_flows),
        cmocka_unit_test(gaining_a_member_moves_only_its_share),
        cmocka_unit_test(replacing_a_member_hands_its_buckets_over),
        cmocka_unit_test(random_changes_stay_fair_and_minimal),
        cmocka_unit_test(foreign_fillings_are_recognised),
    };

    return cmocka_run_group_tests_name("fib.bpf_group", tests, NULL, NULL);
}
