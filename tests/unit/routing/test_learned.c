// SPDX-License-Identifier: GPL-2.0-or-later
// Merging what two instances learned, and what a Route Server protects.
#include "routing/routing.h"

#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct merge {
    const char *name, *a, *b, *want; // "IP/path length …"
};

static const struct merge merges[] = {
    {"5.2 both instances the same: once each", "10.0.2.4/1 10.0.2.5/1", "10.0.2.4/1 10.0.2.5/1",
     "10.0.2.4/1 10.0.2.5/1 "},
    {"5.2 one instance down: the other's stay", "", "10.0.2.4/1", "10.0.2.4/1 "},
    {"5.2 the other one down", "10.0.2.4/1", "", "10.0.2.4/1 "},
    {"5.2 both down", "", "", ""},
    {"5.5 equally long: union by address", "10.0.2.9/2", "10.0.2.10/2 10.0.2.4/2",
     "10.0.2.4/2 10.0.2.9/2 10.0.2.10/2 "},
    {"5.5 the shorter path alone wins", "10.0.2.4/2", "10.0.2.5/1", "10.0.2.5/1 "},
    {"5.5 the shorter path alone wins, other side", "10.0.2.4/1 10.0.2.6/1", "10.0.2.5/3", "10.0.2.4/1 10.0.2.6/1 "},
    {"5.5 the same next hop from two peers is one", "10.0.2.4/1 10.0.2.4/1", "10.0.2.4/1", "10.0.2.4/1 "},
    {"more than fit: the highest addresses go",
     "10.0.0.1/1 10.0.0.3/1 10.0.0.5/1 10.0.0.7/1 10.0.0.9/1 10.0.0.11/1 10.0.0.13/1 10.0.0.15/1 10.0.0.17/1 "
     "10.0.0.18/1",
     "10.0.0.2/1 10.0.0.4/1 10.0.0.6/1 10.0.0.8/1 10.0.0.10/1 10.0.0.12/1 10.0.0.14/1 10.0.0.16/1",
     "10.0.0.1/1 10.0.0.2/1 10.0.0.3/1 10.0.0.4/1 10.0.0.5/1 10.0.0.6/1 10.0.0.7/1 10.0.0.8/1 10.0.0.9/1 10.0.0.10/1 "
     "10.0.0.11/1 10.0.0.12/1 10.0.0.13/1 10.0.0.14/1 10.0.0.15/1 10.0.0.16/1 "},
};

static struct vnrs_learned_set paths(const char *text)
{
    struct vnrs_learned_set set = {0};
    char copy[512], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *slash = strchr(word, '/');
        *slash = '\0';
        set.paths[set.n++] = (struct vnrs_learned_nexthop){
            .nexthop = lab_addr(word),
            .path_len = (uint32_t)atoi(slash + 1),
        };
    }
    return set;
}

static void check_merge(void **state)
{
    const struct merge *merge = *state;
    struct vnrs_learned_set a = paths(merge->a), b = paths(merge->b), out;
    char have[512] = "", ip[VNRS_ADDR_STR_MAX];

    vnrs_learned_merge(&a, &b, &out);
    for (unsigned i = 0; i < out.n; i++) {
        size_t used = strlen(have);
        snprintf(have + used, sizeof(have) - used, "%s/%u ", vnrs_addr_format(&out.paths[i].nexthop, ip),
                 out.paths[i].path_len);
    }
    assert_string_equal(have, merge->want);

    vnrs_learned_merge(&a, &b, &a); // the result may replace an input
    assert_memory_equal(&a, &out, sizeof(out));
}

static void check_locals(struct vnrs_model *model, const char *rs, const char *want)
{
    struct vnrs_prefix *prefixes = NULL;
    size_t n = 0;
    char have[256] = "", text[VNRS_PREFIX_STR_MAX];

    assert_int_equal(vnrs_route_server_locals(model, LAB_FIND(&model->route_servers, rs), &prefixes, &n), 0);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(have);
        snprintf(have + used, sizeof(have) - used, "%s ", vnrs_prefix_format(&prefixes[i], text));
    }
    free(prefixes);
    assert_string_equal(have, want);
}

static void locals_5_4_own_ranges_and_those_of_networks_that_use_it(void **state)
{
    struct lab lab;
    (void)state;

    lab_init(&lab);
    lab_add(&lab, "vnet spoke 10.1.0.0/16 fd00:1::/48\n"
                  "vnet plain 10.2.0.0/16\n"
                  "vnet hub 10.9.0.0/16 10.0.0.0/16\n"
                  "vnet far 10.5.0.0/16\n"
                  "vnet v6 fd00:2::/48\n"
                  "peer hub spoke transit\npeer spoke hub use\n"
                  "peer hub plain transit\npeer plain hub\n"
                  "peer spoke far\npeer far spoke\n"
                  "rs rs hub\nrs rs6 v6\n");
    check_locals(&lab.model, "rs", "10.9.0.0/16 10.0.0.0/16 10.1.0.0/16 ");
    check_locals(&lab.model, "rs6", "");
    lab_fini(&lab);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_SIZE(merges) + 1];

    for (size_t i = 0; i < ARRAY_SIZE(merges); i++) {
        tests[i] = (struct CMUnitTest){
            .name = merges[i].name,
            .test_func = check_merge,
            .initial_state = (void *)&merges[i],
        };
    }
    tests[ARRAY_SIZE(merges)] =
        (struct CMUnitTest)cmocka_unit_test(locals_5_4_own_ranges_and_those_of_networks_that_use_it);
    return _cmocka_run_group_tests("routing.learned", tests, ARRAY_SIZE(tests), NULL, NULL);
}
