// SPDX-License-Identifier: GPL-2.0-or-later
// What an instance says becomes next hops of NICs, and routes of its own.
#include "control/outlet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct vnrs_prefixes prefixes;
    uint32_t last_origin;
    struct vnrs_outlet outlet;
};

static struct vnrs_addr addr_of(const char *text)
{
    struct vnrs_addr addr;
    assert_int_equal(vnrs_addr_parse(text, &addr), 0);
    return addr;
}

static void setup(struct world *w, enum vnrs_outlet_hops hops)
{
    *w = (struct world){.outlet = {.hops = hops, .self = addr_of("10.0.0.4")}};
    w->outlet.db = vnrs_learned_db_new(&w->prefixes, &w->last_origin);
    assert_non_null(w->outlet.db);
}

static void teardown(struct world *w)
{
    vnrs_outlet_fini(&w->outlet);
    vnrs_learned_db_free(w->outlet.db);
    vnrs_prefixes_fini(&w->prefixes);
}

// Paths "10.1.0.1 10.0.0.4 …", or "-" where packets are dropped, of sources 0, 1, …
static struct vnrs_spk_set set_of(const char *const *hops)
{
    struct vnrs_spk_set set = {0};

    for (; *hops; hops++, set.n++)
        set.paths[set.n] = (struct vnrs_spk_nexthop){
            .nexthop = **hops == '-' ? (struct vnrs_addr){0} : addr_of(*hops),
            .path_len = 1,
            .sources = UINT64_C(1) << set.n,
        };
    return set;
}

static const struct vnrs_prefix prefix = {.family = VNRS_AF_IPV4, .len = 16, .bytes = {172, 16}};

// Without a set where it is not learned.
static struct vnrs_learned_merged merged_of(struct world *w)
{
    struct vnrs_learned_merged merged = {0};
    uint32_t id = vnrs_prefixes_find(&w->prefixes, &prefix);

    if (id && !vnrs_learned_get(w->outlet.db, id, &merged))
        merged.set = NULL;
    return merged;
}

static const char *in_force(struct world *w, char text[static 128])
{
    struct vnrs_learned_merged merged = merged_of(w);
    char ip[VNRS_ADDR_STR_MAX];

    text[0] = '\0';
    if (!merged.set)
        return text;
    for (unsigned i = 0; i < merged.set->n; i++)
        (void)snprintf(text + strlen(text), 128 - strlen(text), "%s ",
                       merged.set->paths[i].nexthop.family ? vnrs_addr_format(&merged.set->paths[i].nexthop, ip) : "-");
    return text;
}

// The next hops that come of it, "" when there are none.
static const char *result(struct world *w, const char *const *hops, char text[static 128])
{
    const struct vnrs_spk_set sets[2] = {set_of((const char *const[]){"9.9.9.9", NULL}), set_of(hops)};
    struct vnrs_spk_route route = {.set = 2, .prefix = prefix};

    assert_int_equal(vnrs_outlet_sets(&w->outlet, sets, 2), 0);
    assert_int_equal(vnrs_outlet_route(&w->outlet, &route), 0);
    return in_force(w, text);
}

static void next_hops(void **state)
{
    static const struct {
        enum vnrs_outlet_hops hops;
        const char *in[4], *want;
    } rows[] = {
        {VNRS_OUTLET_AS_RECEIVED, {"10.1.0.9", "10.1.0.1", "10.1.0.9"}, "10.1.0.1 10.1.0.9 "},
        {VNRS_OUTLET_TO_SELF, {"10.1.0.9", "10.1.0.1"}, "10.0.0.4 "},
        {VNRS_OUTLET_NOT_SELF, {"10.1.0.9", "10.0.0.4"}, "10.1.0.9 "},
        {VNRS_OUTLET_NOT_SELF, {"10.0.0.4"}, ""},
        {VNRS_OUTLET_AS_RECEIVED, {"-"}, "- "},
        {VNRS_OUTLET_TO_SELF, {"-"}, "- "}, // it need not see packets that it would drop
        {VNRS_OUTLET_NOT_SELF, {"-"}, "- "},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world w;
        setup(&w, rows[i].hops);
        assert_string_equal(result(&w, rows[i].in, text), rows[i].want);
        teardown(&w);
    }
}

// azure-routing.md 5.6: beside a Route Server flows are not spread over circuits; over the two links of one they are.
static void of_several_circuits_one_next_hop(void **state)
{
    static const struct {
        const char *in[5], *want;
    } rows[] = {
        {{"10.0.0.9", "10.0.0.8"}, "10.0.0.8 10.0.0.9 "},
        {{"10.0.0.10", "10.0.0.11", "10.0.0.8", "10.0.0.9"}, "10.0.0.8 "},
        {{"10.0.0.11", "10.0.0.9"}, "10.0.0.9 "},
        {{"10.0.0.10", "10.0.0.11"}, "10.0.0.10 10.0.0.11 "},
        {{"-"}, "- "},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world w;
        setup(&w, VNRS_OUTLET_AS_RECEIVED);
        for (unsigned k = 0; k < 4; k++) {
            struct vnrs_addr base = addr_of("10.0.0.8");
            struct vnrs_outlet_circuit circuit = {vnrs_addr_add(&base, k), 1 + k / 2};
            assert_int_equal(vec_push(&w.outlet.circuits, circuit), 0);
        }
        assert_string_equal(result(&w, rows[i].in, text), rows[i].want);
        teardown(&w);
    }
}

static void a_path_that_is_not_for_here_withdraws(void **state)
{
    struct world w;
    char text[128];

    (void)state;
    setup(&w, VNRS_OUTLET_NOT_SELF);
    assert_string_equal(result(&w, (const char *const[]){"10.1.0.1", NULL}, text), "10.1.0.1 ");
    assert_string_equal(result(&w, (const char *const[]){"10.0.0.4", NULL}, text), "");
    teardown(&w);
}

static bool on_move(void *arg, const struct vnrs_learned_merged *merged, const struct vnrs_learned_set *to)
{
    (void)merged, (void)to;
    ++*(unsigned *)arg;
    return true;
}

static uint64_t beyond_of(struct world *w)
{
    struct vnrs_learned_merged merged = merged_of(w);

    return merged.set ? merged.set->paths[0].beyond : 0;
}

// Two sites announce it; the instance stays the next hop until both are gone. Prefixes of one of them are no others'.
static void to_self_all_sources_count(void **state)
{
    struct world w;
    char text[128];
    unsigned moved = 0;

    (void)state;
    setup(&w, VNRS_OUTLET_TO_SELF);
    assert_string_equal(result(&w, (const char *const[]){"10.1.0.9", "10.1.0.1", NULL}, text), "10.0.0.4 ");
    vnrs_learned_take_all(w.outlet.db);
    uint32_t origin = merged_of(&w).origin;
    assert_int_equal(beyond_of(&w), 3);
    assert_int_equal(vnrs_learned_down(w.outlet.db, 0, 1, on_move, &moved), 0);
    assert_int_equal(moved, 1); // in name only: the next hop is the same
    assert_int_equal(vnrs_learned_pending(w.outlet.db), 0);
    assert_int_equal(merged_of(&w).origin, origin);
    assert_int_equal(beyond_of(&w), 2);
    assert_string_equal(result(&w, (const char *const[]){"10.1.0.1", NULL}, text), "10.0.0.4 ");
    assert_int_not_equal(merged_of(&w).origin, origin);
    teardown(&w);
}

// What comes instead is taken where next hops are those that were received, and where it is known of all that is one
// here.
static void what_comes_instead(void **state)
{
    static const char *const was[] = {"10.1.0.1", NULL}, *const becomes[] = {"10.1.0.7", "10.1.0.2", NULL};
    const struct vnrs_spk_next next = {.from = set_of(was), .to = set_of(becomes)};
    static const struct {
        enum vnrs_outlet_hops hops;
        bool has_circuits;
        const char *before;
        unsigned moves;
        bool taken;
    } rows[] = {{VNRS_OUTLET_AS_RECEIVED, false, "10.1.0.1 ", 1, true},
                {VNRS_OUTLET_AS_RECEIVED, true, "10.1.0.1 ", 0, false},
                {VNRS_OUTLET_TO_SELF, false, "10.0.0.4 ", 1, true}, // in name only
                {VNRS_OUTLET_NOT_SELF, false, "10.1.0.1 ", 0, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned moves = 0;
        struct world w;
        char text[128];
        setup(&w, rows[i].hops);
        if (rows[i].has_circuits)
            assert_int_equal(vec_push(&w.outlet.circuits, (struct vnrs_outlet_circuit){addr_of("10.1.0.9"), 1}), 0);
        assert_string_equal(result(&w, was, text), rows[i].before);
        vnrs_learned_take_all(w.outlet.db);
        assert_int_equal(vnrs_outlet_next(&w.outlet, &next, 1, on_move, &moves), 0);
        assert_int_equal(moves, rows[i].moves);
        assert_int_equal(vnrs_learned_pending(w.outlet.db), 0);
        (void)result(&w, becomes, text);
        assert_int_equal(vnrs_learned_pending(w.outlet.db), !rows[i].taken);
        vnrs_learned_take_all(w.outlet.db);
        teardown(&w);
    }
}

// Two sets, which are one where the instance is the next hop. Nothing comes instead of the first.
static void what_is_one_here_goes_one_way_or_stays(void **state)
{
    static const char *const first[] = {"10.1.0.1", NULL}, *const second[] = {"10.1.0.2", NULL};
    static const struct {
        enum vnrs_outlet_hops hops;
        bool parts, more, differs; // the second
        const char *after;
    } rows[] = {
        {VNRS_OUTLET_TO_SELF, false, false, false, ""},          {VNRS_OUTLET_TO_SELF, true, false, false, "10.0.0.4 "},
        {VNRS_OUTLET_TO_SELF, false, true, false, "10.0.0.4 "},  {VNRS_OUTLET_TO_SELF, false, false, true, "10.0.0.4 "},
        {VNRS_OUTLET_AS_RECEIVED, true, true, false, ""},        {VNRS_OUTLET_AS_RECEIVED, false, true, true, ""},
        {VNRS_OUTLET_NOT_SELF, false, false, false, "10.1.0.1 "}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_spk_next next[] = {{.from = set_of(first), .more = rows[i].more},
                                       {.from = set_of(second), .more = rows[i].more, .parts = rows[i].parts}};
        unsigned moves = 0;
        struct world w;
        char text[128];
        if (rows[i].differs)
            next[1].to = set_of(first);
        setup(&w, rows[i].hops);
        (void)result(&w, first, text);
        vnrs_learned_take_all(w.outlet.db);
        assert_int_equal(vnrs_outlet_next(&w.outlet, next, 2, on_move, &moves), 0);
        assert_int_equal(moves, 0); // nowhere to
        assert_int_equal(vnrs_learned_pending(w.outlet.db), 0);
        assert_string_equal(in_force(&w, text), rows[i].after);
        teardown(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_hops),
        cmocka_unit_test(of_several_circuits_one_next_hop),
        cmocka_unit_test(a_path_that_is_not_for_here_withdraws),
        cmocka_unit_test(to_self_all_sources_count),
        cmocka_unit_test(what_comes_instead),
        cmocka_unit_test(what_is_one_here_goes_one_way_or_stays),
    };
    return cmocka_run_group_tests_name("control.outlet", tests, NULL, NULL);
}
