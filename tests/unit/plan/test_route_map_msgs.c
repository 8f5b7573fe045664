// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/route_map_msgs.h"

#include "plan/labs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = LABS_ROUTE_SERVER
    "    routeMaps:\n"
    "      - name: a\n"
    "        rules:\n"
    "          - {name: x, matchCriteria: [{matchCondition: Contains, routePrefix: [10.9.0.0/16, 10.8.0.0/16]},\n"
    "                                      {matchCondition: NotEquals, community: [\"65001:1\"], asPath: [1]}], "
    "actions: [{type: Drop}], nextStepIfMatched: Terminate}\n"
    "          - name: y\n"
    "            actions: [{type: Replace, parameters: [{asPath: [], community: [\"65001:2\"]}, {routePrefix: "
    "[10.0.0.0/8]}]},\n"
    "                      {type: Remove, parameters: [{asPath: [7]}]}]\n"
    "      - {name: b}\n"
    "limits: none\n";

static void says_all(void **state)
{
    static const struct vnrs_spk_map_item want[] = {
        {.what = VNRS_MAP_CONTAINS, .property = VNRS_MAP_PREFIX, .prefix = {4, 16, {10, 9}}},
        {.what = VNRS_MAP_CONTAINS, .property = VNRS_MAP_PREFIX, .prefix = {4, 16, {10, 8}}},
        {.what = VNRS_MAP_NOT_EQUALS, .property = VNRS_MAP_COMMUNITY, .part = 1, .number = 65001u << 16 | 1},
        {.what = VNRS_MAP_NOT_EQUALS, .property = VNRS_MAP_AS_PATH, .part = 1, .number = 1},
        {.is_action = 1, .what = VNRS_MAP_DROP, .empty = 1},
        {.is_action = 1, .what = VNRS_MAP_REPLACE, .property = VNRS_MAP_COMMUNITY, .number = 65001u << 16 | 2},
        {.is_action = 1, .what = VNRS_MAP_REPLACE, .property = VNRS_MAP_AS_PATH, .empty = 1},
        {.is_action = 1, .what = VNRS_MAP_REPLACE, .property = VNRS_MAP_PREFIX, .part = 1, .prefix = {4, 8, {10}}},
        {.is_action = 1, .what = VNRS_MAP_REMOVE, .property = VNRS_MAP_AS_PATH, .part = 2, .number = 7},
    };
    struct vnrs_model *m = labs_load_text("l", text);
    struct vnrs_route_map_msgs msgs = {0};

    (void)state;
    assert_int_equal(vnrs_route_map_msgs_make(&m->route_servers.items[0], &msgs), 0);
    assert_int_equal(msgs.maps.len, 2);
    assert_string_equal(msgs.maps.items[0].name, "a");
    assert_int_equal(msgs.maps.items[0].n_rules, 2);
    assert_string_equal(msgs.maps.items[1].name, "b");
    assert_int_equal(msgs.maps.items[1].n_rules, 0);
    assert_int_equal(msgs.rules.len, 2);
    assert_string_equal(msgs.rules.items[0].name, "x");
    assert_int_equal(msgs.rules.items[0].n_items, 5);
    assert_true(msgs.rules.items[0].terminate && !msgs.rules.items[1].terminate);
    assert_int_equal(msgs.rules.items[1].n_items, 4);
    assert_int_equal(msgs.items.len, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        assert_memory_equal(&msgs.items.items[i], &want[i], sizeof(want[i]));
    vnrs_route_map_msgs_fini(&msgs);
    vnrs_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_all)};
    return cmocka_run_group_tests_name("plan.route_map_msgs", tests, NULL, NULL);
}
