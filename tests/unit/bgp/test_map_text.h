// SPDX-License-Identifier: GPL-2.0-or-later
// Route maps written as text in test tables: rules apart by ';', each a name ('!' behind it: Terminate), criteria and
// actions. "a! ~p:10.0.0.0/8 drop; b =c:65001:1,65001:2 +a:65010 >p:10.0.0.0/8"
// Criteria: = Equals, ~ Contains, != NotEquals, !~ NotContains. Actions: + Add, - Remove, > Replace, drop.
// Properties: p: prefixes, c: communities, a: AS path; a list may be empty.
#pragma once

#include "bgp/policy.h"
#include "bgp/test_msg_hex.h"

#include <stdio.h>
#include <stdlib.h>

struct said { // maps as the controller says them
    struct vnrs_spk_map maps[VNRS_MAPS_MAX + 1];
    struct vnrs_spk_map_rule rules[VNRS_MAP_RULES_MAX * 2];
    struct vnrs_spk_map_item items[VNRS_MAP_ITEMS_MAX + 1];
    size_t n_maps, n_rules, n_items;
};

static inline void said_value(struct said *said, struct vnrs_spk_map_item item, const char *text)
{
    unsigned high, low;

    if (item.property == VNRS_MAP_PREFIX)
        assert_int_equal(vnrs_prefix_parse(text, &item.prefix), 0);
    else if (item.property == VNRS_MAP_AS_PATH)
        item.number = (uint32_t)strtoul(text, NULL, 10);
    else {
        assert_int_equal(sscanf(text, "%u:%u", &high, &low), 2);
        item.number = high << 16 | low;
    }
    said->items[said->n_items++] = item;
    said->rules[said->n_rules - 1].n_items++;
}

static inline void said_part(struct said *said, uint16_t part, char *word)
{
    static const struct {
        const char *sign;
        uint8_t is_action, what;
    } signs[] = {{"!=", 0, VNRS_MAP_NOT_EQUALS}, {"!~", 0, VNRS_MAP_NOT_CONTAINS}, {"=", 0, VNRS_MAP_EQUALS},
                 {"~", 0, VNRS_MAP_CONTAINS},    {"+", 1, VNRS_MAP_ADD},           {"-", 1, VNRS_MAP_REMOVE},
                 {">", 1, VNRS_MAP_REPLACE},     {"drop", 1, VNRS_MAP_DROP}};
    struct vnrs_spk_map_item item = {.part = part};
    size_t i = 0;
    char *rest = NULL;

    while (strncmp(word, signs[i].sign, strlen(signs[i].sign)) != 0)
        assert_true(++i < ARRAY_SIZE(signs));
    item.is_action = signs[i].is_action;
    item.what = signs[i].what;
    word += strlen(signs[i].sign);
    if (*word) {
        item.property = *word == 'p' ? VNRS_MAP_PREFIX : *word == 'c' ? VNRS_MAP_COMMUNITY : VNRS_MAP_AS_PATH;
        word += 2;
    }
    if (!*word) {
        item.empty = 1;
        said->items[said->n_items++] = item;
        said->rules[said->n_rules - 1].n_items++;
        return;
    }
    for (char *value = strtok_r(word, ",", &rest); value; value = strtok_r(NULL, ",", &rest))
        said_value(said, item, value);
}

static inline void said_rule(struct said *said, char *text)
{
    struct vnrs_spk_map_rule *rule = &said->rules[said->n_rules++];
    char *rest = NULL, *name = strtok_r(text, " ", &rest);
    uint16_t part = 0;

    memset(rule, 0, sizeof(*rule));
    if (name[strlen(name) - 1] == '!') {
        rule->terminate = 1;
        name[strlen(name) - 1] = '\0';
    }
    (void)snprintf(rule->name, sizeof(rule->name), "%s", name);
    for (char *word = strtok_r(NULL, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        said_part(said, part++, word);
}

static inline void said_map(struct said *said, const char *name, const char *text)
{
    struct vnrs_spk_map *map = &said->maps[said->n_maps++];
    size_t before = said->n_rules;
    char *copy = strdup(text), *rest = NULL;

    assert_non_null(copy);
    memset(map, 0, sizeof(*map));
    (void)snprintf(map->name, sizeof(map->name), "%s", name);
    for (char *rule = strtok_r(copy, ";", &rest); rule; rule = strtok_r(NULL, ";", &rest))
        said_rule(said, rule);
    map->n_rules = (uint32_t)(said->n_rules - before);
    free(copy);
}

static inline int said_compile(const struct said *said, struct vnrs_bgp_policy **ret_policy)
{
    return vnrs_bgp_policy_new(said->maps, said->n_maps, said->rules, said->n_rules, said->items, said->n_items,
                               ret_policy);
}

// A policy whose only map, 'm', has these rules.
static inline struct vnrs_bgp_policy *said_policy(const char *text)
{
    static struct said said;
    struct vnrs_bgp_policy *policy = NULL;

    said.n_maps = said.n_rules = said.n_items = 0;
    said_map(&said, "m", text);
    assert_int_equal(said_compile(&said, &policy), 0);
    return policy;
}
