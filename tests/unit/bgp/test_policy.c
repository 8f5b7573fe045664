// SPDX-License-Identifier: GPL-2.0-or-later
// Limits of route maps, and what of the controller's words is refused. What maps do is in test_policy_apply.c.
#include "bgp/test_map_text.h"

#include <errno.h>

static struct said said;

static void start(void)
{
    memset(&said, 0, sizeof(said));
}

static int compile(void)
{
    struct vnrs_bgp_policy *policy = NULL;
    int err = said_compile(&said, &policy);

    assert_true((err == 0) == (policy != NULL));
    vnrs_bgp_policy_free(policy);
    return err;
}

static void limits(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < VNRS_MAPS_MAX; i++)
        said_map(&said, "m", "");
    assert_int_equal(compile(), 0);
    said_map(&said, "m", "");
    assert_int_equal(compile(), -E2BIG);

    start();
    said_map(&said, "m", "");
    for (unsigned i = 0; i < VNRS_MAP_RULES_MAX; i++)
        said_rule(&said, (char[]){"r drop"});
    said.maps[0].n_rules = VNRS_MAP_RULES_MAX;
    assert_int_equal(compile(), 0);
    said_rule(&said, (char[]){"r drop"});
    said.maps[0].n_rules++;
    assert_int_equal(compile(), -E2BIG);

    for (unsigned actions = 0; actions < 2; actions++) {
        start();
        said_map(&said, "m", "r");
        for (uint16_t i = 0; i < VNRS_MAP_PARTS_MAX; i++)
            said_part(&said, i, actions ? (char[]){"+a:65001"} : (char[]){"~a:65001"});
        assert_int_equal(compile(), 0);
        said_part(&said, VNRS_MAP_PARTS_MAX, actions ? (char[]){"+a:65001"} : (char[]){"~a:65001"});
        assert_int_equal(compile(), -E2BIG);
    }
}

static void list_limits(void **state)
{
    static const struct {
        uint8_t property;
        size_t max;
    } rows[] = {{VNRS_MAP_PREFIX, VNRS_MAP_PREFIXES_MAX},
                {VNRS_MAP_COMMUNITY, VNRS_MAP_COMMUNITIES_MAX},
                {VNRS_MAP_AS_PATH, VNRS_MAP_ASNS_MAX}};

    (void)state;
    for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
        start();
        said_map(&said, "m", "r");
        for (uint32_t i = 0; i <= rows[row].max; i++) {
            struct vnrs_addr addr = vnrs_addr_from_v4(0x0a000000 + i * 256);
            said.items[said.n_items++] = (struct vnrs_spk_map_item){.what = VNRS_MAP_CONTAINS,
                                                                    .property = rows[row].property,
                                                                    .prefix = vnrs_prefix_make(&addr, 24),
                                                                    .number = i + 1};
        }
        said.rules[0].n_items = (uint32_t)said.n_items;
        assert_int_equal(compile(), -E2BIG);
        said.rules[0].n_items = (uint32_t)--said.n_items;
        assert_int_equal(compile(), 0);
    }
}

static void total_limit(void **state)
{
    (void)state;
    start();
    while (said.n_items < VNRS_MAP_ITEMS_MAX) {
        if (said.n_rules % VNRS_MAP_RULES_MAX == 0)
            said_map(&said, "m", "");
        said_rule(&said, (char[]){"r"});
        said.maps[said.n_maps - 1].n_rules++;
        for (unsigned i = 0; i < VNRS_MAP_PREFIXES_MAX && said.n_items < VNRS_MAP_ITEMS_MAX; i++) {
            said.items[said.n_items++] =
                (struct vnrs_spk_map_item){.property = VNRS_MAP_PREFIX, .prefix = {.family = VNRS_AF_IPV6}};
            said.rules[said.n_rules - 1].n_items++;
        }
    }
    assert_int_equal(compile(), 0);
    said_part(&said, 1, (char[]){"+a:1"});
    assert_int_equal(compile(), -E2BIG);
}

static void set_rules(void)
{
    said.maps[0].n_rules++;
}
static void set_more_rules(void)
{
    said_rule(&said, (char[]){"r drop"});
}
static void set_items(void)
{
    said.rules[0].n_items++;
}
static void set_more_items(void)
{
    said.n_items++;
}
static void set_map_name(void)
{
    memset(said.maps[0].name, 'x', sizeof(said.maps[0].name));
}
static void set_rule_name(void)
{
    said.rules[0].name[0] = '\0';
}
static void set_rule_text(void)
{
    said.rules[0].name[0] = '\n';
}
static void set_what(void)
{
    said.items[0].what = _VNRS_MAP_CONDITION_MAX;
}
static void set_action(void)
{
    said.items[1].what = _VNRS_MAP_ACTION_MAX;
}
static void set_property(void)
{
    said.items[0].property = _VNRS_MAP_PROPERTY_MAX;
}
static void set_no_property(void)
{
    said.items[0].property = VNRS_MAP_NOTHING;
}
static void set_host_bits(void)
{
    said.items[0].prefix.bytes[3] = 1;
}
static void set_length(void)
{
    said.items[0].prefix.len = 33;
}
static void set_family(void)
{
    said.items[0].prefix.family = 5;
}
static void set_empty_criterion(void)
{
    said.items[0].empty = 1;
}
static void set_empty_add(void)
{
    said.items[1].empty = 1;
}
static void set_asn(void)
{
    said.items[1].number = 0;
}
static void set_drop_of(void)
{
    said.items[1].what = VNRS_MAP_DROP;
}
static void set_add_prefix(void)
{
    said.items[1].property = VNRS_MAP_PREFIX;
}
static void set_order(void)
{
    said.items[1].part = 9;
}
static void set_empty_of_two(void)
{
    said.items[1] = said.items[2];
    said.items[1].what = said.items[2].what = VNRS_MAP_REPLACE;
    said.items[2].empty = 1;
}

static void refused(void **state)
{
    static const struct {
        const char *what;
        void (*set)(void);
    } rows[] = {
        {"more rules than there are", set_rules},
        {"rules of no map", set_more_rules},
        {"more items than there are", set_items},
        {"items of no rule", set_more_items},
        {"name without an end", set_map_name},
        {"no name", set_rule_name},
        {"control character", set_rule_text},
        {"unknown condition", set_what},
        {"unknown action", set_action},
        {"unknown property", set_property},
        {"criterion about nothing", set_no_property},
        {"host bits", set_host_bits},
        {"prefix length", set_length},
        {"family", set_family},
        {"empty criterion", set_empty_criterion},
        {"empty Add", set_empty_add},
        {"ASN 0", set_asn},
        {"Drop of something", set_drop_of},
        {"Add of a prefix", set_add_prefix},
        {"parts out of order", set_order},
        {"empty and not empty", set_empty_of_two},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        start();
        said_map(&said, "m", "r ~p:10.0.0.0/8 +a:65001 +a:65002");
        assert_int_equal(compile(), 0);
        rows[i].set();
        if (compile() != -EINVAL)
            fail_msg("%s was taken", rows[i].what);
    }
}

static void equality(void **state)
{
    static const char *const texts[] = {"a drop", "b drop", "a! drop", "a >a:", "a ~p:10.0.0.0/8", "a ~p:10.1.0.0/16"};
    struct vnrs_bgp_policy *policies[ARRAY_SIZE(texts)];

    (void)state;
    assert_true(vnrs_bgp_map_equal(NULL, NULL));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        policies[i] = said_policy(texts[i]);
        struct vnrs_bgp_policy *again = said_policy(texts[i]);
        const struct vnrs_bgp_map *map = vnrs_bgp_policy_map(policies[i], 1);
        assert_true(vnrs_bgp_map_equal(map, vnrs_bgp_policy_map(again, 1)));
        assert_false(vnrs_bgp_map_equal(map, NULL));
        for (size_t k = 0; k < i; k++)
            assert_false(vnrs_bgp_map_equal(map, vnrs_bgp_policy_map(policies[k], 1)));
        vnrs_bgp_policy_free(again);
    }
    assert_int_equal(vnrs_bgp_policy_len(policies[0]), 1);
    assert_int_equal(vnrs_bgp_policy_len(NULL), 0);
    assert_null(vnrs_bgp_policy_map(policies[0], 0));
    assert_null(vnrs_bgp_policy_map(policies[0], 2));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        vnrs_bgp_policy_free(policies[i]);
}

static void targets(void **state)
{
    struct vnrs_bgp_policy *policy = said_policy("a >p:10.0.0.0/8,192.168.0.0/16; b >p:10.0.0.0/8,fd00::/8; c drop");
    const struct vnrs_bgp_map *map = vnrs_bgp_policy_map(policy, 1);
    static const struct {
        const char *prefix;
        bool is;
    } rows[] = {{"10.0.0.0/8", true},
                {"10.0.0.0/9", false},
                {"192.168.0.0/16", true},
                {"fd00::/8", true},
                {"0.0.0.0/0", false}};

    (void)state;
    assert_int_equal(vnrs_bgp_map_n_targets(map), 3);
    assert_int_equal(vnrs_bgp_map_n_targets(NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_prefix p = {0};
        assert_int_equal(vnrs_prefix_parse(rows[i].prefix, &p), 0);
        assert_int_equal(vnrs_bgp_map_target(map, &p) >= 0, rows[i].is);
        assert_int_equal(vnrs_bgp_map_target(NULL, &p), -1);
    }
    vnrs_bgp_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"policy.limits", limits, NULL, NULL, NULL},           {"policy.list_limits", list_limits, NULL, NULL, NULL},
        {"policy.total_limit", total_limit, NULL, NULL, NULL}, {"policy.refused", refused, NULL, NULL, NULL},
        {"policy.equality", equality, NULL, NULL, NULL},       {"policy.targets", targets, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
