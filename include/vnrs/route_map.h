// SPDX-License-Identifier: GPL-2.0-or-later
// The words and limits of route maps (azure-routing.md 5.9): the topology file, the controller and the speakers share
// them. What they mean is in daemon/bgp/policy.h. Azure documents no limits; these are ours.
#pragma once

#define VNRS_MAPS_MAX            128u // of one Route Server
#define VNRS_MAP_RULES_MAX       64u  // of one map: what fired is a mask
#define VNRS_MAP_PARTS_MAX       32u  // criteria of a rule, and as many actions
#define VNRS_MAP_PREFIXES_MAX    1000u
#define VNRS_MAP_COMMUNITIES_MAX 64u
#define VNRS_MAP_ASNS_MAX        64u
#define VNRS_MAP_ITEMS_MAX       65536u // values in all maps of one Route Server

enum vnrs_map_condition {
    VNRS_MAP_EQUALS,
    VNRS_MAP_CONTAINS,
    VNRS_MAP_NOT_EQUALS,
    VNRS_MAP_NOT_CONTAINS,
    _VNRS_MAP_CONDITION_MAX
};

enum vnrs_map_action_type { VNRS_MAP_DROP, VNRS_MAP_ADD, VNRS_MAP_REPLACE, VNRS_MAP_REMOVE, _VNRS_MAP_ACTION_MAX };

enum vnrs_map_property {
    VNRS_MAP_NOTHING, // of a Drop
    VNRS_MAP_PREFIX,
    VNRS_MAP_COMMUNITY,
    VNRS_MAP_AS_PATH,
    _VNRS_MAP_PROPERTY_MAX
};
