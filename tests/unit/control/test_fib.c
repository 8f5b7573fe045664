// SPDX-License-Identifier: GPL-2.0-or-later
// What is sent for a change, and that it is enough: a sink in the test keeps what it was told.
#include "control/fib.h"

#include "net/addr.h"
#include "util/vec.h"
#include "vnrs/agent_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#define HANDLES 64
#define ORIGIN  7u

static struct vnrs_prefixes prefixes;

struct sink {
    struct vnrs_fib_group groups[HANDLES]; // by handle
    VEC(struct vnrs_fib_route) routes;
    size_t sent[VNRS_AG_FIB_FLUSH + 1]; // items by kind; messages for those without
    size_t n_nics, n_endpoints, n_acls;
    int fail;
};

static void take_route(struct sink *sink, const struct vnrs_fib_route *route)
{
    vec_foreach (have, &sink->routes) {
        if (have->domain == route->domain && vnrs_prefix_equal(&have->prefix, &route->prefix)) {
            *have = *route;
            if (!route->group)
                *have = sink->routes.items[--sink->routes.len];
            return;
        }
    }
    assert_int_not_equal(route->group, 0); // what is removed was there
    assert_int_equal(vec_push(&sink->routes, *route), 0);
}

static int take(void *arg, unsigned kind, const void *items, size_t n)
{
    struct sink *sink = arg;
    const struct vnrs_fib_group *groups = items;
    const struct vnrs_fib_route *routes = items;
    const struct vnrs_fib_nic *nics = items;

    if (sink->fail)
        return sink->fail;
    sink->sent[kind] += n ? n : 1;
    if (kind == VNRS_AG_FIB_BEGIN) {
        vec_clear(&sink->routes);
        sink->n_nics = 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (kind == VNRS_AG_FIB_GROUPS)
            sink->groups[groups[i].handle] = groups[i];
        else if (kind == VNRS_AG_FIB_ROUTES)
            take_route(sink, &routes[i]);
        else if (kind == VNRS_AG_FIB_NICS)
            sink->n_nics += nics[i].nic.flags ? 1 : (size_t)-1;
    }
    return 0;
}

static void clear_counts(struct sink *sink)
{
    memset(sink->sent, 0, sizeof(sink->sent));
}

static size_t total(const struct sink *sink)
{
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(sink->sent); i++)
        n += sink->sent[i];
    return n;
}

static struct vnrs_fib_member nic(uint32_t ifindex)
{
    return (struct vnrs_fib_member){.kind = VNRS_BPF_NH_NIC, .ifindex = ifindex};
}

static struct vnrs_prefix prefix_of(unsigned i)
{
    struct vnrs_addr addr = vnrs_addr_from_v4(0x0a000000u + (i << 8));
    return vnrs_prefix_make(&addr, 24);
}

// `n` prefixes in domain 1 that lead to the members.
static void want(struct vnrs_fib_state *state, unsigned from, unsigned n, const struct vnrs_fib_member *members,
                 unsigned n_members)
{
    for (unsigned i = from; i < from + n; i++) {
        struct vnrs_prefix prefix = prefix_of(i);
        vnrs_fib_want_route(state, 1, &prefix, VNRS_NH_GATEWAY, vnrs_fib_want_group(state, ORIGIN, members, n_members));
    }
}

// What the sink forwards a prefix by.
static const struct vnrs_fib_group *group_of(const struct sink *sink, unsigned i)
{
    struct vnrs_prefix prefix = prefix_of(i);

    vec_foreach (route, &sink->routes) {
        if (vnrs_prefix_equal(&route->prefix, &prefix))
            return &sink->groups[route->group];
    }
    return NULL;
}

static void what_was_sent_is_found(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member both[] = {nic(16), nic(17)};
    const struct vnrs_prefix prefix = prefix_of(3);
    enum vnrs_nexthop_type type = VNRS_NH_NONE;
    struct sink sink = {0};
    unsigned n = 0;

    (void)test;
    vnrs_fib_begin(state, true);
    want(state, 0, 4, both, 2);
    assert_true(vnrs_fib_commit(state, true, take, &sink) > 0);
    uint32_t id = vnrs_prefixes_find(&prefixes, &prefix);
    const struct vnrs_fib_member *members = vnrs_fib_find(state, 1, id, &type, &n);
    assert_non_null(members);
    assert_true(type == VNRS_NH_GATEWAY && n == 2 && members[1].ifindex == 17);
    assert_null(vnrs_fib_find(state, 2, id, &type, &n)); // not in another domain
    vnrs_fib_drop_number(state, 1, id);
    assert_true(vnrs_fib_commit(state, false, take, &sink) > 0);
    assert_null(vnrs_fib_find(state, 1, id, &type, &n));
    vnrs_fib_state_free(state);
    vec_free(&sink.routes);
}

static void nothing_changed_nothing_sent(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member both[] = {nic(16), nic(17)};
    struct sink sink = {0};

    (void)test;
    vnrs_fib_begin(state, true);
    want(state, 0, 10, both, 2);
    assert_true(vnrs_fib_commit(state, true, take, &sink) > 0);
    assert_int_equal(sink.sent[VNRS_AG_FIB_BEGIN], 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_END], 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_FLUSH], 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_GROUPS], 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_ROUTES], 10);
    assert_int_equal(vnrs_fib_routes(state), 10);
    clear_counts(&sink);
    vnrs_fib_begin(state, true);
    want(state, 0, 10, both, 2);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 0);
    assert_int_equal(total(&sink), 0);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
}

static void a_lost_member_is_one_write(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member both[] = {nic(16), nic(17)}, one[] = {nic(17)};
    struct sink sink = {0};

    (void)test;
    vnrs_fib_begin(state, true);
    want(state, 0, 50, both, 2);
    assert_true(vnrs_fib_commit(state, true, take, &sink) > 0);
    clear_counts(&sink);
    vnrs_fib_begin(state, true);
    want(state, 0, 50, one, 1);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_GROUPS], 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_ROUTES], 0);
    assert_int_equal(sink.sent[VNRS_AG_FIB_FLUSH], 1);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(group_of(&sink, i)->n, 1);
    // And back, and to nothing.
    vnrs_fib_begin(state, true);
    want(state, 0, 50, both, 2);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 1);
    assert_int_equal(group_of(&sink, 7)->n, 2);
    clear_counts(&sink);
    vnrs_fib_begin(state, true);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 50);
    assert_int_equal(sink.routes.len, 0);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
}

static void routes_that_part_are_sent_one_by_one(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member both[] = {nic(16), nic(17)}, one[] = {nic(17)}, other[] = {nic(18)};
    struct sink sink = {0};

    (void)test;
    vnrs_fib_begin(state, true);
    want(state, 0, 4, both, 2);
    want(state, 10, 2, other, 1);
    assert_true(vnrs_fib_commit(state, true, take, &sink) > 0);
    clear_counts(&sink);
    // Half of them move: the group stays what it is for the others.
    vnrs_fib_begin(state, true);
    want(state, 0, 2, both, 2);
    want(state, 2, 2, one, 1);
    want(state, 10, 2, other, 1);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 3);
    assert_int_equal(group_of(&sink, 1)->n, 2);
    assert_int_equal(group_of(&sink, 3)->n, 1);
    clear_counts(&sink);
    // All move to a group that exists already: routes are sent, the group is not set twice.
    vnrs_fib_begin(state, true);
    want(state, 0, 4, one, 1);
    want(state, 10, 2, other, 1);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 2);
    assert_int_equal(sink.sent[VNRS_AG_FIB_GROUPS], 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(group_of(&sink, i)->members[0].ifindex, 17);
    assert_int_equal(group_of(&sink, 10)->members[0].ifindex, 18);
    // Two groups become the same new one: one is moved, the routes of the other are sent.
    struct vnrs_fib_member new[] = {nic(19)};
    vnrs_fib_begin(state, true);
    want(state, 0, 4, new, 1);
    want(state, 10, 2, new, 1);
    assert_true(vnrs_fib_commit(state, false, take, &sink) > 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(group_of(&sink, i)->members[0].ifindex, 19);
    assert_int_equal(group_of(&sink, 11)->members[0].ifindex, 19);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
}

static void change(struct vnrs_fib_state *state, unsigned i, const struct vnrs_fib_member *members, unsigned n)
{
    struct vnrs_prefix prefix = prefix_of(i);
    uint32_t id;

    assert_int_equal(vnrs_prefixes_get(&prefixes, &prefix, &id), 0);
    if (n)
        vnrs_fib_want_number(state, 1, id, VNRS_NH_GATEWAY, vnrs_fib_want_group(state, ORIGIN, members, n));
    else
        vnrs_fib_drop_number(state, 1, id);
    vnrs_prefixes_drop(&prefixes, id);
}

static void changes_touch_nothing_else(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member both[] = {nic(16), nic(17)}, one[] = {nic(17)};
    struct sink sink = {0};

    (void)test;
    vnrs_fib_begin(state, true);
    want(state, 0, 40, both, 2);
    assert_true(vnrs_fib_commit(state, true, take, &sink) > 0);
    clear_counts(&sink);
    change(state, 3, NULL, 0);
    change(state, 4, one, 1);
    change(state, 5, both, 2);  // as it is
    change(state, 50, one, 1);  // new
    change(state, 60, NULL, 0); // not there
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 4);
    assert_int_equal(sink.sent[VNRS_AG_FIB_ROUTES], 3);
    assert_int_equal(sink.routes.len, 40);
    assert_null(group_of(&sink, 3));
    assert_int_equal(group_of(&sink, 4)->n, 1);
    assert_int_equal(group_of(&sink, 5)->n, 2);
    assert_int_equal(group_of(&sink, 50)->n, 1);
    assert_int_equal(vnrs_fib_routes(state), 40);
    clear_counts(&sink);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 0);
    assert_int_equal(total(&sink), 0);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
    assert_int_equal(vnrs_prefixes_len(&prefixes), 0);
}

static struct vnrs_fib_member via(uint32_t ifindex, uint32_t addr)
{
    struct vnrs_fib_member member = nic(ifindex);
    member.via = vnrs_addr_from_v4(addr);
    return member;
}

static void a_dead_next_hop_leaves_its_groups_in_place(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member both[] = {via(16, 1), via(17, 2)}, one[] = {via(17, 2)}, gone[] = {via(16, 1)};
    struct vnrs_learned_set left = {.n = 1, .paths = {{.nexthop = vnrs_addr_from_v4(2)}}};
    struct sink sink = {0};

    (void)test;
    vnrs_fib_begin(state, true);
    want(state, 0, 30, both, 2);
    want(state, 30, 5, gone, 1);
    struct vnrs_prefix other = prefix_of(50);
    vnrs_fib_want_route(state, 1, &other, VNRS_NH_APPLIANCE, vnrs_fib_want_group(state, 0, both, 2));
    assert_true(vnrs_fib_commit(state, true, take, &sink) > 0);
    clear_counts(&sink);
    assert_int_equal(vnrs_fib_shrink(state, ORIGIN + 1, &left, take, &sink), 0);
    assert_int_equal(total(&sink), 0);
    assert_int_equal(vnrs_fib_shrink(state, ORIGIN, &left, take, &sink), 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_GROUPS], 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_FLUSH], 1);
    assert_int_equal(group_of(&sink, 0)->n, 1);
    assert_int_equal(group_of(&sink, 29)->members[0].ifindex, 17);
    assert_int_equal(group_of(&sink, 31)->members[0].ifindex, 16); // nothing would be left
    assert_int_equal(group_of(&sink, 50)->n, 2);                   // the model's
    // The prefixes follow, and are where they shall be.
    clear_counts(&sink);
    for (unsigned i = 0; i < 30; i++)
        change(state, i, one, 1);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 0);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
    assert_int_equal(vnrs_prefixes_len(&prefixes), 0);
}

// All routes of a group have other next hops, more of them than before.
static void other_next_hops_take_the_place_of_all(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member near[] = {via(16, 1)}, seen_from_afar[] = {via(0, 1)}, far[] = {via(17, 2), via(18, 3)};
    struct vnrs_fib_move moves[2] = {{.n_from = 1, .from = {near[0]}, .n_to = 2, .to = {far[0], far[1]}},
                                     {.n_from = 1, .from = {seen_from_afar[0]}, .n_to = 1, .to = {far[0]}}};
    struct sink sink = {0};

    (void)test;
    vnrs_fib_begin(state, true);
    want(state, 0, 30, near, 1);
    want(state, 30, 5, seen_from_afar, 1);
    struct vnrs_prefix other = prefix_of(50);
    vnrs_fib_want_route(state, 1, &other, VNRS_NH_APPLIANCE, vnrs_fib_want_group(state, 0, near, 1));
    assert_true(vnrs_fib_commit(state, true, take, &sink) > 0);
    clear_counts(&sink);
    assert_int_equal(vnrs_fib_move(state, ORIGIN + 1, moves, 2, take, &sink), 0);
    assert_int_equal(vnrs_fib_move(state, ORIGIN, moves, 1, take, &sink), -EXDEV); // one group is in none of them
    assert_int_equal(total(&sink), 0);
    assert_int_equal(vnrs_fib_move(state, ORIGIN, moves, 2, take, &sink), 2);
    assert_int_equal(sink.sent[VNRS_AG_FIB_GROUPS], 2);
    assert_int_equal(sink.sent[VNRS_AG_FIB_FLUSH], 1);
    assert_int_equal(group_of(&sink, 0)->n, 2);
    assert_int_equal(group_of(&sink, 29)->members[1].ifindex, 18);
    assert_int_equal(group_of(&sink, 31)->members[0].ifindex, 17);
    assert_int_equal(group_of(&sink, 50)->members[0].ifindex, 16); // the model's
    clear_counts(&sink);
    for (unsigned i = 0; i < 35; i++)
        change(state, i, far, i < 30 ? 2 : 1);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 0);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
    assert_int_equal(vnrs_prefixes_len(&prefixes), 0);
}

static void want_balanced(struct vnrs_fib_state *state, const struct vnrs_fib_member *members)
{
    vnrs_fib_begin(state, true);
    want(state, 0, 30, members, 2);
    want(state, 30, 1, &members[2], 1);
    want(state, 31, 1, &members[3], 1);
}

static void a_backend_is_one_group_whatever_leads_to_it(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member members[] = {via(16, 100), via(17, 100), via(17, 101), via(17, 100)};
    struct vnrs_fib_backend backend = {.frontend = vnrs_addr_from_v4(100), .ifindex = 17, .down = true};
    struct sink sink = {0};

    (void)test;
    for (unsigned i = 0; i < 3; i++)
        members[i].flags = VNRS_BPF_NHF_BALANCED; // the last is an NVA that happens to have these
    want_balanced(state, members);
    assert_true(vnrs_fib_commit(state, true, take, &sink) > 0);
    clear_counts(&sink);
    assert_int_equal(vnrs_fib_set_backend(state, &backend, take, &sink), 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_GROUPS], 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_FLUSH], 1);
    assert_int_equal(total(&sink), 2);
    assert_int_equal(group_of(&sink, 0)->members[0].kind, VNRS_BPF_NH_NIC);
    assert_int_equal(group_of(&sink, 29)->members[1].kind, VNRS_BPF_NH_DEAD);
    assert_int_equal(group_of(&sink, 30)->members[0].kind, VNRS_BPF_NH_NIC); // of another load balancer
    assert_int_equal(group_of(&sink, 31)->members[0].kind, VNRS_BPF_NH_NIC);
    clear_counts(&sink);
    assert_int_equal(vnrs_fib_set_backend(state, &backend, take, &sink), 0); // said before
    // A recompute with that state wants what is there.
    members[1].kind = VNRS_BPF_NH_DEAD;
    want_balanced(state, members);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 0);
    backend.down = false;
    assert_int_equal(vnrs_fib_set_backend(state, &backend, take, &sink), 1);
    assert_int_equal(group_of(&sink, 0)->members[1].kind, VNRS_BPF_NH_NIC);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
    assert_int_equal(vnrs_prefixes_len(&prefixes), 0);
}

static void nics_endpoints_and_lists(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_nic a = {.ifindex = 16, .nic = {.flags = VNRS_NIC_PRESENT, .mtu = 1500}}, b = a;
    struct vnrs_fib_endpoint endpoint = {.vnet = 1, .ifindex = 16, .addr = vnrs_addr_from_v4(0x0a000004)};
    struct vnrs_fib_acl acl = {.kind = VNRS_ACL_SERVICE, .to = 16, .from = 3, .allowed = 1};
    struct sink sink = {0};

    (void)test;
    b.ifindex = 17;
    vnrs_fib_begin(state, true);
    vnrs_fib_want_nic(state, &a);
    vnrs_fib_want_nic(state, &b);
    vnrs_fib_want_endpoint(state, &endpoint);
    vnrs_fib_want_acl(state, &acl);
    assert_int_equal(vnrs_fib_commit(state, true, take, &sink), 4);
    assert_int_equal(sink.n_nics, 2);
    clear_counts(&sink);
    // The endpoint moves, a NIC changes, another goes, and so does the list.
    a.nic.flags |= VNRS_NIC_FORWARDING;
    endpoint.ifindex = 17;
    vnrs_fib_begin(state, true);
    vnrs_fib_want_nic(state, &a);
    vnrs_fib_want_endpoint(state, &endpoint);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 4);
    assert_int_equal(sink.sent[VNRS_AG_FIB_NICS], 2);
    assert_int_equal(sink.sent[VNRS_AG_FIB_ENDPOINTS], 1);
    assert_int_equal(sink.sent[VNRS_AG_FIB_ACLS], 1);
    clear_counts(&sink);
    vnrs_fib_begin(state, true);
    vnrs_fib_want_nic(state, &a);
    vnrs_fib_want_endpoint(state, &endpoint);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 0);
    // Only routes are looked at: nothing of the rest is missing.
    vnrs_fib_begin(state, false);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), 0);
    vnrs_fib_begin(state, false);
    assert_int_equal(vnrs_fib_commit(state, true, take, &sink), 2);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
}

static void after_a_failure_everything_is_sent_again(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member one[] = {nic(17)};
    struct sink sink = {.fail = -EIO};

    (void)test;
    vnrs_fib_begin(state, true);
    want(state, 0, 5, one, 1);
    assert_int_equal(vnrs_fib_commit(state, true, take, &sink), -EIO);
    sink.fail = 0;
    vnrs_fib_begin(state, true);
    want(state, 0, 5, one, 1);
    assert_int_equal(vnrs_fib_commit(state, true, take, &sink), 6);
    assert_int_equal(sink.routes.len, 5);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
}

// Random wishes; after each commit the sink has exactly them.
static void random_walk(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct sink sink = {0};
    uint32_t seed = 12345;

    (void)test;
    for (int round = 0; round < 400; round++) {
        uint8_t wish[32];
        size_t n = 0;
        vnrs_fib_begin(state, true);
        uint8_t shift = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 28);
        for (unsigned i = 0; i < 32; i++) {
            seed = seed * 1664525u + 1013904223u;
            // 0: no route; runs of equal wishes, so that groups move as a whole now and then
            wish[i] = (uint8_t)((seed >> 24) % 8 ? (i / 8 + shift) % 5 : (seed >> 16) % 5);
            struct vnrs_fib_member member[] = {nic(100u + wish[i])};
            if (wish[i]) {
                want(state, i, 1, member, 1);
                n++;
            }
        }
        memset(sink.sent, 0, sizeof(sink.sent));
        bool sync = round == 0 || round % 50 == 0;
        assert_true(vnrs_fib_commit(state, sync, take, &sink) >= 0);
        assert_int_equal(sink.routes.len, n);
        for (unsigned i = 0; i < 32; i++) {
            const struct vnrs_fib_group *group = group_of(&sink, i);
            assert_int_equal(group ? group->members[0].ifindex : 100, 100u + wish[i]);
        }
        if (round % 12 == 0) { // handles are not used twice; the test's array is short
            vnrs_fib_state_free(state);
            state = vnrs_fib_state_new(&prefixes);
            vec_clear(&sink.routes);
        }
    }
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
}

// More than the sinks hold: they hear nothing of it, also not of what would fit, and of all of it once there is less.
static void what_does_not_fit_is_not_begun(void **test)
{
    struct vnrs_fib_state *state = vnrs_fib_state_new(&prefixes);
    struct vnrs_fib_member a = nic(16), b = nic(17), both[] = {a, b};
    const struct vnrs_room room = {.routes = 10, .groups = 2, .acls = 1};
    struct vnrs_fib_acl acls[] = {{.to = 20, .from = 1, .allowed = 1}, {.to = 20, .from = 2, .allowed = 1}};
    struct sink sink = {0};

    (void)test;
    vnrs_fib_room_set(state, &room);
    for (int what = 0; what < 4; what++) {
        vnrs_fib_begin(state, true);
        want(state, 0, what == 0 ? 11 : 8, &a, 1);
        want(state, 20, 1, &b, 1);
        want(state, 21, what == 1, both, 2);
        vnrs_fib_want_acl(state, &acls[0]);
        if (what == 2)
            vnrs_fib_want_acl(state, &acls[1]);
        int r = vnrs_fib_commit(state, true, take, &sink);
        assert_int_equal(r < 0 ? r : 0, what == 3 ? 0 : -ENOSPC);
        assert_int_equal(total(&sink) != 0, what == 3);
        static const char *const texts[] = {
            "the eBPF data plane has room for 10 IPv4 routes, and this lab needs 12",
            "the eBPF data plane has room for 2 groups of next hops, and this lab needs 3",
            "the eBPF data plane has room for 1 entries of access lists, and this lab needs 2"};
        if (what < 3)
            assert_string_equal(vnrs_fib_problem(state), texts[what]);
    }
    assert_int_equal(sink.routes.len, 9);
    // Likewise what comes one by one.
    clear_counts(&sink);
    want(state, 30, 2, &a, 1);
    assert_int_equal(vnrs_fib_commit(state, false, take, &sink), -ENOSPC);
    assert_int_equal(total(&sink), 0);
    vec_free(&sink.routes);
    vnrs_fib_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_is_found),
        cmocka_unit_test(nothing_changed_nothing_sent),
        cmocka_unit_test(a_lost_member_is_one_write),
        cmocka_unit_test(routes_that_part_are_sent_one_by_one),
        cmocka_unit_test(changes_touch_nothing_else),
        cmocka_unit_test(a_dead_next_hop_leaves_its_groups_in_place),
        cmocka_unit_test(other_next_hops_take_the_place_of_all),
        cmocka_unit_test(a_backend_is_one_group_whatever_leads_to_it),
        cmocka_unit_test(nics_endpoints_and_lists),
        cmocka_unit_test(after_a_failure_everything_is_sent_again),
        cmocka_unit_test(what_does_not_fit_is_not_begun),
        cmocka_unit_test(random_walk),
    };
    return cmocka_run_group_tests_name("control.fib", tests, NULL, NULL);
}
