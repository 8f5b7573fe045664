// SPDX-License-Identifier: GPL-2.0-or-later
// Inside bgp/policy*.c only: route maps as they are compiled. Everything lives in the arena of the policy, except the
// scratch memory of edits.
#pragma once

#include "bgp/policy.h"

struct vnrs_bgp_prefix_set {
    size_t n;
    struct vnrs_prefix *prefixes; // sorted: what holds another comes before it
    int *outer;                   // by prefix: the next one of the set that holds it, or -1
};

struct vnrs_bgp_number_list { // communities or ASNs
    size_t n;
    uint32_t *numbers;
};

struct vnrs_bgp_map_test {
    enum vnrs_map_condition condition;
    enum vnrs_map_property property;
    struct vnrs_bgp_prefix_set prefixes;
    struct vnrs_bgp_number_list numbers; // sorted, but for an AS path that is to be equal
};

struct vnrs_bgp_map_change { // of one property
    bool replace;
    struct vnrs_bgp_number_list with, remove, add; // `remove` is sorted; communities are sorted all
};

struct vnrs_bgp_map_rule {
    const char *name;
    bool terminate, drop;
    bool changes; // anything but the prefix
    struct vnrs_bgp_map_test *tests;
    size_t n_tests;
    struct vnrs_bgp_prefix_set summaries;
    struct vnrs_bgp_map_change path, communities;
};

struct vnrs_bgp_map {
    const char *name;
    struct vnrs_bgp_map_rule *rules;
    size_t n_rules;
    struct vnrs_bgp_prefix_set targets; // the summaries of all rules
    struct vnrs_bgp_map_scratch *scratch;
    struct vnrs_spk_map said; // to compare
    const struct vnrs_spk_map_rule *said_rules;
    const struct vnrs_spk_map_item *said_items;
    size_t n_items;
};

// Room for the largest set that is taken in, and for what a rule adds before it is found to be too much.
#define VNRS_BGP_MAP_PATH_BYTES  (6u * (VNRS_BGP_PATH_ASNS_MAX + 1))
#define VNRS_BGP_MAP_COMMUNITIES (UINT16_MAX / sizeof(uint32_t) + 1)
struct vnrs_bgp_map_scratch { // shared by the maps of a speaker
    uint8_t path[VNRS_BGP_MAP_PATH_BYTES];
    uint32_t communities[VNRS_BGP_MAP_COMMUNITIES];
};

// Index of the longest prefix of the set that holds `prefix`, or -1.
int vnrs_bgp_prefix_set_holder(const struct vnrs_bgp_prefix_set *set, const struct vnrs_prefix *prefix);
