// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/route_map_text.h"

#include "plan/labs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char text[] = LABS_ROUTE_SERVER
    "    routeMaps:\n"
    "      - name: a\n"
    "        rules:\n"
    "          - {name: x, matchCriteria: [{matchCondition: Equals, routePrefix: [10.9.0.0/16, 10.8.0.0/16]}], "
    "actions: [{type: Drop}], nextStepIfMatched: Terminate}\n"
    "          - name: y\n"
    "            matchCriteria:\n"
    "              - {matchCondition: NotContains, community: [\"65001:1\", \"65001:2\"], asPath: [65001, 65002]}\n"
    "              - {matchCondition: NotEquals, asPath: [1]}\n"
    "            actions: [{type: Replace, parameters: [{asPath: []}, {routePrefix: [10.0.0.0/8]}]},\n"
    "                      {type: Remove, parameters: [{community: [\"65001:1\"]}]}]\n"
    "      - {name: b}\n"
    "      - {name: c, rules: [{name: x, nextStepIfMatched: Terminate}, {name: y}]}\n";

static void says_all(void **state)
{
    static const char *const lines[] = {
        "x: Equals routePrefix 10.9.0.0/16,10.8.0.0/16 → Drop all, Terminate; y: NotContains community "
        "65001:1,65001:2, NotContains asPath 65001,65002, NotEquals asPath 1 → Replace asPath, Replace routePrefix "
        "10.0.0.0/8, Remove community 65001:1",
        "no rules", "x → Terminate; y"};
    struct vnrs_model *m = labs_load_text("l", text);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct vnrs_strbuf out = {0};
        vnrs_route_map_text(&out, &m->route_servers.items[0].route_maps.items[i]);
        assert_string_equal(out.text, lines[i]);
        vnrs_strbuf_fini(&out);
    }
    vnrs_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_all)};
    return cmocka_run_group_tests_name("plan.route_map_text", tests, NULL, NULL);
}
