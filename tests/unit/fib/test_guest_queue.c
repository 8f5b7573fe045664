// SPDX-License-Identifier: GPL-2.0-or-later
// What was said and is not written yet: the last word, bounded, in the end the same as if the db had been told.
#include "fib/guest_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int say_group(struct vnrs_guest_queue *queue, uint32_t handle, uint32_t vnet)
{
    struct vnrs_fib_group group = {.handle = handle, .n = 1};
    group.members[0] = (struct vnrs_fib_member){.kind = VNRS_BPF_NH_ENDPOINT, .vnet = vnet};
    return vnrs_guest_queue_group(queue, &group);
}

static struct vnrs_fib_route route(uint32_t domain, const char *text, uint32_t handle)
{
    struct vnrs_fib_route r = {.domain = domain, .group = handle};
    assert_int_equal(vnrs_prefix_parse(text, &r.prefix), 0);
    return r;
}

static int say(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db, const char *text, uint32_t handle)
{
    const struct vnrs_fib_route r = route(1, text, handle);
    return vnrs_guest_queue_route(queue, db, &r);
}

// Hand over all of it, and count the changes of domain 1.
static size_t take(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db, size_t max)
{
    int r;

    vnrs_guest_queue_flush(queue, db);
    assert_true(queue->complete);
    while ((r = vnrs_guest_queue_take(queue, db, max)) > 0)
        ;
    assert_int_equal(r, 0);
    assert_true(vnrs_guest_queue_is_empty(queue));
    const struct vnrs_fibdb_domain *domain = vnrs_fibdb_domain_find(db, 1);
    return domain ? domain->changes.len : 0;
}

static uint32_t wanted(const struct vnrs_fibdb *db, const char *text)
{
    const struct vnrs_fib_route r = route(1, text, 0);
    uint32_t id = vnrs_prefixes_find(&db->prefixes, &r.prefix);
    const struct vnrs_fibdb_domain *domain = vnrs_fibdb_domain_find(db, 1);
    return id && domain ? vnrs_slots_find(&domain->routes, id) : 0;
}

static void the_last_word_counts(void **state)
{
    struct vnrs_guest_queue queue = {0};
    struct vnrs_fibdb db = {0};

    (void)state;
    for (uint32_t handle = 1; handle <= 4; handle++)
        assert_int_equal(say_group(&queue, handle, handle), 0);
    assert_int_equal(say(&queue, &db, "10.0.0.0/8", 4), 0);
    assert_int_equal(take(&queue, &db, SIZE_MAX), 1);
    assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);

    for (uint32_t handle = 1; handle <= 3; handle++) // three times: one change
        assert_int_equal(say(&queue, &db, "10.0.0.0/8", handle), 0);
    assert_int_equal(say(&queue, &db, "10.1.0.0/16", 2), 0); // comes and goes: none
    assert_int_equal(say(&queue, &db, "10.1.0.0/16", 0), 0);
    assert_int_equal(say(&queue, &db, "10.2.0.0/16", 0), 0); // never was there
    assert_int_equal(say_group(&queue, 3, 30), 0);
    assert_int_equal(say_group(&queue, 3, 31), 0);
    assert_false(queue.complete);
    assert_int_equal(take(&queue, &db, SIZE_MAX), 1);
    assert_int_equal(wanted(&db, "10.0.0.0/8"), 3);
    assert_int_equal(vnrs_fibdb_group_find(&db, 3)->group.members[0].vnet, 31);
    assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);

    assert_int_equal(say(&queue, &db, "10.0.0.0/8", 0), 0); // goes and comes back: none
    assert_int_equal(say(&queue, &db, "10.0.0.0/8", 3), 0);
    assert_int_equal(take(&queue, &db, SIZE_MAX), 0);
    vnrs_fibdb_clear(&db); // nobody holds a prefix any more
    assert_int_equal(vnrs_prefixes_len(&db.prefixes), 0);
    vnrs_fibdb_fini(&db);
}

static void groups_that_lost_their_routes_are_forgotten_at_the_flush(void **state)
{
    struct vnrs_guest_queue queue = {0};
    struct vnrs_fibdb db = {0};

    (void)state;
    assert_int_equal(say_group(&queue, 1, 1), 0);
    assert_int_equal(say_group(&queue, 2, 2), 0);
    assert_int_equal(say(&queue, &db, "10.0.0.0/8", 1), 0);
    assert_int_equal(say(&queue, &db, "10.0.0.0/8", 2), 0); // 1 has no route, but the breath is not over
    assert_int_equal(say(&queue, &db, "10.1.0.0/16", 1), 0);
    vnrs_guest_queue_flush(&queue, &db);
    assert_int_equal(say(&queue, &db, "10.2.0.0/16", 1), 0);
    for (uint32_t handle = 3; handle < 1000; handle++) { // a route that never rests
        assert_int_equal(say_group(&queue, handle, handle), 0);
        assert_int_equal(say(&queue, &db, "10.0.0.0/8", handle), 0);
        vnrs_guest_queue_flush(&queue, &db);
        assert_true(queue.groups.len <= 2);
        assert_int_equal(queue.left.len, 0);
    }
    assert_int_equal(say(&queue, &db, "10.3.0.0/16", 2), -ENOENT);
    assert_int_equal(take(&queue, &db, SIZE_MAX), 3);
    assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);
    assert_int_equal(db.groups.len, 2);
    // One that the db knows stays: other routes may have it.
    assert_int_equal(say_group(&queue, 1, 7), 0);
    assert_int_equal(say(&queue, &db, "10.2.0.0/16", 1), 0);
    assert_int_equal(say(&queue, &db, "10.2.0.0/16", 999), 0);
    assert_int_equal(take(&queue, &db, SIZE_MAX), 1);
    assert_int_equal(vnrs_fibdb_group_find(&db, 1)->group.members[0].vnet, 7);
    vnrs_fibdb_fini(&db);
}

static void nonsense_is_refused(void **state)
{
    struct vnrs_guest_queue queue = {0};
    struct vnrs_fibdb db = {0};
    struct vnrs_fib_group group = {.handle = 1, .n = VNRS_GROUP_MEMBERS_MAX + 1};
    struct vnrs_fib_route bad = route(0, "10.0.0.0/8", 0);

    (void)state;
    assert_int_equal(vnrs_guest_queue_group(&queue, &group), -EINVAL);
    assert_int_equal(vnrs_guest_queue_route(&queue, &db, &bad), -EINVAL);
    bad.domain = 1;
    bad.prefix.len = 33;
    assert_int_equal(vnrs_guest_queue_route(&queue, &db, &bad), -EINVAL);
    assert_int_equal(say(&queue, &db, "10.0.0.0/8", 5), -ENOENT);
    assert_true(vnrs_guest_queue_is_empty(&queue));
    assert_int_equal(say_group(&queue, 1, 1), 0);
    assert_int_equal(say(&queue, &db, "10.0.0.0/8", 1), 0);
    vnrs_guest_queue_fini(&queue, &db);
    assert_int_equal(vnrs_prefixes_len(&db.prefixes), 0); // nothing holds it
    vnrs_fibdb_fini(&db);
}

static uint32_t draw(uint64_t *seed, uint32_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % n;
}

// Two domains, random words: with a queue, handed over in pieces, as without.
static void it_ends_as_if_the_db_had_been_told(void **state)
{
    struct vnrs_guest_queue queue = {0};
    struct vnrs_fibdb db = {0}, direct = {0};
    const struct vnrs_map_entry *e;
    uint64_t seed = 7;

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        for (uint32_t n = draw(&seed, 40); n-- > 0;) {
            struct vnrs_fib_route r = {.domain = 1 + draw(&seed, 2), .prefix = {.family = VNRS_AF_IPV4, .len = 16}};
            struct vnrs_fib_group group = {.handle = round * 4 + 1 + draw(&seed, 4), .n = 1};
            group.members[0].vnet = draw(&seed, 9);
            r.prefix.bytes[1] = (uint8_t)draw(&seed, 50);
            if (draw(&seed, 3)) {
                assert_int_equal(vnrs_guest_queue_group(&queue, &group), 0);
                assert_int_equal(vnrs_fibdb_group_set(&direct, &group), 0);
                r.group = group.handle;
            }
            assert_int_equal(vnrs_guest_queue_route(&queue, &db, &r), 0);
            assert_int_equal(vnrs_fibdb_route_set(&direct, &r), 0);
        }
        vnrs_guest_queue_flush(&queue, &db);
        assert_int_equal(vnrs_fibdb_commit(&direct, NULL, NULL), 0);
        if (draw(&seed, 4)) // the tables are behind
            continue;
        (void)take(&queue, &db, 1 + draw(&seed, 5));
        assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);
        for (uint32_t d = 1; d <= 2; d++) {
            const struct vnrs_fibdb_domain *have = vnrs_fibdb_domain_find(&db, d),
                                           *want = vnrs_fibdb_domain_find(&direct, d);
            assert_int_equal(have ? have->routes.len : 0, want ? want->routes.len : 0);
            for (uint32_t id = 0; want && (id = vnrs_slots_next(&want->routes, id));) {
                const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&direct.prefixes, id);
                uint32_t handle = vnrs_slots_find(&want->routes, id);
                assert_int_equal(vnrs_slots_find(&have->routes, vnrs_prefixes_find(&db.prefixes, &prefix)), handle);
                assert_memory_equal(&vnrs_fibdb_group_find(&db, handle)->group,
                                    &vnrs_fibdb_group_find(&direct, handle)->group, sizeof(struct vnrs_fib_group));
            }
        }
    }
    (void)take(&queue, &db, SIZE_MAX);
    assert_int_equal(vnrs_fibdb_commit(&db, NULL, NULL), 0);
    for (size_t at = 0; (e = vnrs_map_next(&db.groups, &at));)
        assert_true(((const struct vnrs_fibdb_group *)e->value)->uses);
    vnrs_fibdb_fini(&db);
    vnrs_fibdb_fini(&direct);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_word_counts),
        cmocka_unit_test(groups_that_lost_their_routes_are_forgotten_at_the_flush),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(it_ends_as_if_the_db_had_been_told),
    };
    return cmocka_run_group_tests_name("guest_queue", tests, NULL, NULL);
}
