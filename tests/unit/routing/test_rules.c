// SPDX-License-Identifier: GPL-2.0-or-later
// Every rule of Azure's routing that this project knows of is proven by a test that is there, or has a row in
// docs/parity.md: tests/lib/azure_rules.txt says where. And rules that no other test is about.
#include "routing/routing.h"

#include "lab.h"
#include "util/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char *load(const char *file)
{
    char path[512];
    char *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", getenv("VNRS_SOURCE_DIR"), file);
    if (vnrs_file_load(path, 1 << 22, &text, NULL) < 0)
        fail_msg("no file %s", file);
    return text;
}

static void every_rule_is_proven_or_explained(void **state)
{
    _free_ char *rules = load("tests/lib/azure_rules.txt");
    char *save = NULL;
    unsigned n = 0;

    (void)state;
    for (char *line = strtok_r(rules, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char section[16], rule[160], file[160], text[160];
        if (line[0] == '#')
            continue;
        if (sscanf(line, "%15[^ |] | %159[^|] | %159[^ |] | %159[^\n]", section, rule, file, text) != 4)
            fail_msg("not a rule: %s", line);
        _free_ char *there = load(file);
        if (!strstr(there, text))
            fail_msg("%s %s: '%s' is not in %s", section, rule, text, file);
        n++;
    }
    assert_true(n > 205);
}

// azure-routing.md 3.5, 5.4-5: what a Route Server announces has nothing to do with route tables.
static void ranges_of_subnets_without_propagation_are_announced(void **state)
{
    struct lab lab;
    struct vnrs_prefix *locals = NULL;
    size_t n = 0;

    (void)state;
    lab_init(&lab);
    lab_add(&lab, "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16 10.2.0.0/16\nvnet other 10.3.0.0/16\n"
                  "peer hub spoke transit\npeer spoke hub use\npeer hub other transit\npeer other hub\nrs rs hub\n"
                  "table t nopropagation\nudr t 10.1.0.0/16 None\nattach hub/s t\nattach spoke/s t\n");
    assert_int_equal(vnrs_hub_locals(&lab.model, lab.model.route_servers.items[0].vnet, &locals, &n), 0);
    assert_int_equal(n, 3); // not those of a network that does not use it
    const char *want[] = {"10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"};
    for (size_t i = 0; i < n; i++) {
        struct vnrs_prefix prefix = lab_prefix(want[i]);
        assert_true(vnrs_prefix_equal(&locals[i], &prefix));
    }
    free(locals);
    lab_fini(&lab);
}

static const struct vnrs_peering *first_peering(const struct vnrs_model *model)
{
    assert_non_null(model);
    return &model->peerings.items[0];
}

// azure-routing.md 4.3, 4.4: a topology with these peerings; the first one is looked at.
static struct vnrs_model *model_with(const char *peerings)
{
    char source[2048];
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "t", .source = source};

    int len = snprintf(source, sizeof(source),
                       "name: t\nvirtualNetworks:\n"
                       "  - {name: a, addressSpace: [10.0.0.0/16], subnets: [{name: s, addressPrefix: 10.0.0.0/24}]}\n"
                       "  - {name: b, addressSpace: [10.1.0.0/16, 10.2.0.0/16], subnets: [{name: s, addressPrefix: "
                       "10.1.0.0/24}]}\nvirtualNetworkPeerings:\n%s",
                       peerings);
    struct vnrs_model *model = vnrs_model_load("t", source, (size_t)len, NULL, &diags);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    return model;
}

#define A_TO_B "  - {virtualNetwork: a, remoteVirtualNetwork: b%s}\n"
#define B_TO_A "  - {virtualNetwork: b, remoteVirtualNetwork: a%s}\n"

static void states_of_a_peering(void **state)
{
    static const struct {
        const char *peerings, *want;
    } rows[] = {
        {"  - {virtualNetwork: a, remoteVirtualNetwork: b}\n", "Initiated"},
        {"  - {virtualNetwork: a, remoteVirtualNetwork: b}\n  - {virtualNetwork: b, remoteVirtualNetwork: a}\n",
         "Connected"},
        {"  - {virtualNetwork: a, remoteVirtualNetwork: b, peeringState: Disconnected}\n", "Disconnected"},
        {"  - {virtualNetwork: a, remoteVirtualNetwork: b}\n"
         "  - {virtualNetwork: b, remoteVirtualNetwork: a, peeringState: Disconnected}\n",
         "Initiated"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_model *model = model_with(rows[i].peerings);
        const struct vnrs_peering *peering = first_peering(model);
        assert_string_equal(vnrs_peering_state_name(peering->state), rows[i].want);
        assert_int_equal(vnrs_model_find_peering(model, peering->vnet, peering->remote) != NULL,
                         strcmp(rows[i].want, "Connected") == 0);
        vnrs_model_free(model);
    }
}

static void sync_levels_of_a_peering(void **state)
{
    static const char *const old_b = ", remoteAddressSpace: [10.1.0.0/16]",
                             *const old_a = ", remoteAddressSpace: "
                                            "[10.0.0.0/17]",
                             *const same = ", remoteAddressSpace: [10.2.0.0/16, 10.1.0.0/16]";
    static const struct {
        const char *const *here, *const *there;
        const char *want;
    } rows[] = {
        {NULL, NULL, "FullyInSync"},
        {&same, NULL, "FullyInSync"},
        {&old_b, NULL, "LocalNotInSync"},
        {NULL, &old_a, "RemoteNotInSync"},
        {&old_b, &old_a, "LocalAndRemoteNotInSync"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char peerings[512];
        (void)snprintf(peerings, sizeof(peerings), A_TO_B B_TO_A, rows[i].here ? *rows[i].here : "",
                       rows[i].there ? *rows[i].there : "");
        struct vnrs_model *model = model_with(peerings);
        assert_string_equal(vnrs_peering_sync_level(first_peering(model)), rows[i].want);
        vnrs_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_proven_or_explained),
        cmocka_unit_test(ranges_of_subnets_without_propagation_are_announced),
        cmocka_unit_test(states_of_a_peering),
        cmocka_unit_test(sync_levels_of_a_peering),
    };
    return cmocka_run_group_tests_name("routing.rules", tests, NULL, NULL);
}
