// SPDX-License-Identifier: GPL-2.0-or-later
// Merging what two instances learned, and what a Route Server protects.
#include "routing/routing.h"

#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// What instances say: "nva IP/path length …" ("drop" for BLACKHOLE), "vpn …", "er …", each followed by '|'. What comes
// of it: the paths, then who won, '<' what lost by preference, '~' what lost by length.
struct merge {
    const char *name;
    enum vnrs_hub_preference preference;
    const char *offers, *want;
};

#define ER  VNRS_HRP_EXPRESSROUTE
#define VPN VNRS_HRP_VPN
#define ASP VNRS_HRP_ASPATH

static const struct merge merges[] = {
    {"5.2 both instances the same: once each", ER, "nva 10.0.2.4/1 10.0.2.5/1|nva 10.0.2.4/1 10.0.2.5/1|",
     "10.0.2.4/1 10.0.2.5/1 nva"},
    {"5.2 one instance down: the other's stay", ER, "nva |nva 10.0.2.4/1|", "10.0.2.4/1 nva"},
    {"5.2 the other one down", ER, "nva 10.0.2.4/1|nva |", "10.0.2.4/1 nva"},
    {"5.2 both down", ER, "nva |nva |", ""},
    {"nobody says anything", ER, "", ""},
    {"5.5 equally long: union by address", ER, "nva 10.0.2.9/2|nva 10.0.2.10/2 10.0.2.4/2|",
     "10.0.2.4/2 10.0.2.9/2 10.0.2.10/2 nva"},
    {"5.5 the shorter path alone wins", ER, "nva 10.0.2.4/2|nva 10.0.2.5/1|", "10.0.2.5/1 nva"},
    {"5.5 the shorter path alone wins, other side", ER, "nva 10.0.2.4/1 10.0.2.6/1|nva 10.0.2.5/3|",
     "10.0.2.4/1 10.0.2.6/1 nva"},
    {"5.5 the same next hop from two peers is one", ER, "nva 10.0.2.4/1 10.0.2.4/1|nva 10.0.2.4/1|", "10.0.2.4/1 nva"},
    {"more than fit: the highest addresses go", ER,
     "nva 10.0.0.1/1 10.0.0.3/1 10.0.0.5/1 10.0.0.7/1 10.0.0.9/1 10.0.0.11/1 10.0.0.13/1 10.0.0.15/1 10.0.0.17/1 "
     "10.0.0.18/1|nva 10.0.0.2/1 10.0.0.4/1 10.0.0.6/1 10.0.0.8/1 10.0.0.10/1 10.0.0.12/1 10.0.0.14/1 10.0.0.16/1|",
     "10.0.0.1/1 10.0.0.2/1 10.0.0.3/1 10.0.0.4/1 10.0.0.5/1 10.0.0.6/1 10.0.0.7/1 10.0.0.8/1 10.0.0.9/1 10.0.0.10/1 "
     "10.0.0.11/1 10.0.0.12/1 10.0.0.13/1 10.0.0.14/1 10.0.0.15/1 10.0.0.16/1 nva"},

    {"2.5 both gateways: ExpressRoute wins, however long", ER, "vpn 10.0.3.4/1|er 10.0.3.8/4 10.0.3.9/4|",
     "10.0.3.8/4 10.0.3.9/4 er<vpn"},
    {"6.1 active-active: both instances of the VPN gateway", ER, "vpn 10.0.3.4/1|vpn 10.0.3.5/1|",
     "10.0.3.4/1 10.0.3.5/1 vpn"},
    {"5.8 ExpressRoute: over NVA and VPN", ER, "nva 10.0.2.4/1|vpn 10.0.3.4/1|er 10.0.3.8/3|", "10.0.3.8/3 er<nva,vpn"},
    {"5.8 ExpressRoute: NVA and VPN are equal to each other", ER, "nva 10.0.2.4/2|vpn 10.0.3.4/2|",
     "10.0.2.4/2 10.0.3.4/2 nva,vpn"},
    {"5.8 ExpressRoute: without it the shorter path decides", ER, "nva 10.0.2.4/2|vpn 10.0.3.4/1|",
     "10.0.3.4/1 vpn~nva"},
    {"5.8 VpnGateway: VPN over ExpressRoute, however long", VPN, "vpn 10.0.3.4/5|er 10.0.3.8/1|", "10.0.3.4/5 vpn<er"},
    {"5.8 VpnGateway: an NVA likewise", VPN, "nva 10.0.2.4/5|er 10.0.3.8/1|", "10.0.2.4/5 nva<er"},
    {"5.8 VpnGateway: of VPN and NVA the shorter one", VPN, "nva 10.0.2.4/2|vpn 10.0.3.4/3|er 10.0.3.8/1|",
     "10.0.2.4/2 nva<er~vpn"},
    {"5.8 VpnGateway: ExpressRoute where there is nothing else", VPN, "nva |vpn |er 10.0.3.8/1|", "10.0.3.8/1 er"},
    {"5.8 ASPath: the shortest, whatever the class", ASP, "nva 10.0.2.4/3|vpn 10.0.3.4/2|er 10.0.3.8/1|",
     "10.0.3.8/1 er~nva,vpn"},
    {"5.8 ASPath: the shortest, an NVA", ASP, "nva 10.0.2.4/1|vpn 10.0.3.4/2|er 10.0.3.8/2|", "10.0.2.4/1 nva~vpn,er"},
    {"5.8 ASPath: equally long: all", ASP, "nva 10.0.2.4/2|vpn 10.0.3.4/2|er 10.0.3.8/2|",
     "10.0.2.4/2 10.0.3.4/2 10.0.3.8/2 nva,vpn,er"},
    {"RFC 7999: one drop drops all that is equally good", ER, "nva 10.0.2.4/1 10.0.2.5/1|nva drop/1|", "drop/1 nva"},
    {"RFC 7999: also of another class", ER, "nva 10.0.2.4/1|vpn drop/1|", "drop/1 nva,vpn"},
    {"RFC 7999: a longer path does not", ER, "nva 10.0.2.4/1|nva drop/2|", "10.0.2.4/1 nva"},
    {"RFC 7999: a shorter path beats others", ER, "nva 10.0.2.4/2|vpn drop/1|", "drop/1 vpn~nva"},
    {"RFC 7999: nor does a class that is not preferred", ER, "nva drop/1|er 10.0.3.8/4|", "10.0.3.8/4 er<nva"},
    {"RFC 7999: room or not", ER,
     "nva 10.0.0.1/1 10.0.0.2/1 10.0.0.3/1 10.0.0.4/1 10.0.0.5/1 10.0.0.6/1 10.0.0.7/1 10.0.0.8/1 10.0.0.9/1 "
     "10.0.0.10/1 10.0.0.11/1 10.0.0.12/1 10.0.0.13/1 10.0.0.14/1 10.0.0.15/1 10.0.0.16/1|nva drop/1|",
     "drop/1 nva"},
    {"6.1 a static prefix has no AS path: shorter than all", ASP, "vpn 10.0.3.4/0|er 10.0.3.8/1|", "10.0.3.4/0 vpn~er"},
};

static const char *const classes[] = {"nva", "vpn", "er"};

static struct vnrs_learned_set paths(const char *text)
{
    struct vnrs_learned_set set = {0};
    char copy[512], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *slash = strchr(word, '/');
        *slash = '\0';
        set.paths[set.n++] = (struct vnrs_learned_nexthop){
            .nexthop = lab_hop(word),
            .path_len = (uint32_t)atoi(slash + 1),
        };
    }
    return set;
}

static void put_classes(char *text, size_t size, const char *sep, unsigned bits)
{
    for (unsigned class = 0; class < ARRAY_SIZE(classes); class ++) {
        size_t used = strlen(text);
        if (bits & 1u << class)
            snprintf(text + used, size - used, "%s%s", sep, classes[class]);
        if (bits & 1u << class)
            sep = ",";
    }
}

static void check_merge(void **state)
{
    const struct merge *merge = *state;
    struct vnrs_learned_set sets[8] = {0}, out;
    struct vnrs_learned_offer offers[8];
    struct vnrs_learned_verdict verdict;
    char have[512] = "", copy[768], ip[VNRS_ADDR_STR_MAX], *save = NULL;
    size_t n = 0;

    snprintf(copy, sizeof(copy), "%s", merge->offers);
    for (char *part = strtok_r(copy, "|", &save); part; part = strtok_r(NULL, "|", &save), n++) {
        char *blank = strchr(part, ' ');
        *blank = '\0';
        sets[n] = paths(blank + 1);
        offers[n] = (struct vnrs_learned_offer){&sets[n], VNRS_LEARNED_NVA};
        while (strcmp(classes[offers[n].from], part) != 0)
            offers[n].from++;
    }
    vnrs_learned_merge(offers, n, merge->preference, &out, &verdict);
    for (unsigned i = 0; i < out.n; i++) {
        size_t used = strlen(have);
        bool drop = !out.paths[i].nexthop.family;
        snprintf(have + used, sizeof(have) - used, "%s/%u ",
                 drop ? "drop" : vnrs_addr_format(&out.paths[i].nexthop, ip), out.paths[i].path_len);
    }
    put_classes(have, sizeof(have), "", verdict.won);
    put_classes(have, sizeof(have), "<", verdict.ranked);
    put_classes(have, sizeof(have), "~", verdict.longer);
    assert_string_equal(have, merge->want);

    if (n) { // the result may replace an input
        vnrs_learned_merge(offers, n, merge->preference, &sets[0], NULL);
        assert_memory_equal(&sets[0], &out, sizeof(out));
    }
}

static void check_locals(struct vnrs_model *model, const char *hub, const char *want)
{
    struct vnrs_prefix *prefixes = NULL;
    size_t n = 0;
    char have[256] = "", text[VNRS_PREFIX_STR_MAX];

    assert_int_equal(vnrs_hub_locals(model, LAB_FIND(&model->vnets, hub), &prefixes, &n), 0);
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
    check_locals(&lab.model, "hub", "10.9.0.0/16 10.0.0.0/16 10.1.0.0/16 ");
    check_locals(&lab.model, "v6", "");
    lab_fini(&lab);
}

static void a_hub_without_route_server_prefers_expressroute_2_5(void **state)
{
    struct lab lab;
    (void)state;

    lab_init(&lab);
    lab_add(&lab, "vnet a 10.1.0.0/16\nvnet b 10.2.0.0/16\nvnet spoke 10.3.0.0/16\n"
                  "peer b spoke transit\npeer spoke b use\n"
                  "rs rs a ASPath\ngateway er b er 10.2.0.4\ngateway vpn b vpn 10.2.0.5\n");
    const struct vnrs_vnet *a = &lab.model.vnets.items[0], *b = a + 1, *spoke = a + 2;
    assert_int_equal(vnrs_hub_preference_of(&lab.model, a), VNRS_HRP_ASPATH);
    assert_int_equal(vnrs_hub_preference_of(&lab.model, b), VNRS_HRP_EXPRESSROUTE);
    assert_null(vnrs_model_gateway_of(&lab.model, a, VNRS_GATEWAY_VPN));
    assert_string_equal(vnrs_model_gateway_of(&lab.model, b, VNRS_GATEWAY_VPN)->name, "vpn");
    assert_string_equal(vnrs_model_gateway_of(&lab.model, b, VNRS_GATEWAY_EXPRESSROUTE)->name, "er");
    check_locals(&lab.model, "b", "10.2.0.0/16 10.3.0.0/16 "); // the spoke uses its gateways
    assert_ptr_equal(vnrs_model_hub_of(&lab.model, spoke), b);
    lab_fini(&lab);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_SIZE(merges) + 2];

    for (size_t i = 0; i < ARRAY_SIZE(merges); i++) {
        tests[i] = (struct CMUnitTest){
            .name = merges[i].name,
            .test_func = check_merge,
            .initial_state = (void *)&merges[i],
        };
    }
    tests[ARRAY_SIZE(merges)] =
        (struct CMUnitTest)cmocka_unit_test(locals_5_4_own_ranges_and_those_of_networks_that_use_it);
    tests[ARRAY_SIZE(merges) + 1] =
        (struct CMUnitTest)cmocka_unit_test(a_hub_without_route_server_prefers_expressroute_2_5);
    return _cmocka_run_group_tests("routing.learned", tests, ARRAY_SIZE(tests), NULL, NULL);
}
