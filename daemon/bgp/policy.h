// SPDX-License-Identifier: GPL-2.0-or-later
// Route maps: rules that drop or change routes of one connection, in (before the RIB) or out (after the best path was
// chosen). What they mean is Azure's (azure-routing.md 5.9; "About route maps for Azure Route Server"):
//
// - Rules are looked at in order. A rule matches when all its criteria hold (none: always). Its actions are applied;
//   then the next rule sees the changed route, unless the rule says Terminate. No rule: the route goes on unchanged.
// - Prefix: Equals is any of the list, Contains is any of the list or what is inside it.
// - Community: Equals is all of the list among the route's (it may have more), Contains at least one of it.
// - AS path: Equals is the whole path, these ASNs in this order and nothing else (never where the path has an AS_SET);
//   Contains is at least one of the list anywhere in the path, not a sub-sequence.
// - NotEquals and NotContains hold exactly where the other two do not.
// - Drop. AS path: Add puts the list in front, Replace sets it (an empty list empties the path), Remove takes every one
//   of the list out (beyond Azure). Community: Add, Remove, Replace (an empty list: none).
// - Prefix: Replace is summarising: the route goes on under the longest of the list that holds it, without AS path,
//   communities and whatever else was said about the single route (MED, large and extended communities, unknown
//   attributes), with ATOMIC_AGGREGATE (RFC 4271 5.1.6). A route that none of the list holds keeps its prefix: maps
//   make nothing more specific. Other actions of the rule come after.
// - The order of a rule's actions does not matter: summarise, Replace, Remove, Add.
//
// A path that would have more than VNRS_BGP_PATH_ASNS_MAX ASNs is dropped. Both steps are pure: _match says what the
// map does to a route, which is the same for all routes of equal attributes and equal outcome; _edit builds it.
#pragma once

#include "bgp/attr.h"
#include "vnrs/speaker_proto.h"

#include <stddef.h>

struct vnrs_bgp_policy; // all maps of a speaker; owns them
struct vnrs_bgp_map;

struct vnrs_bgp_map_outcome {
    uint64_t fired;      // rules whose actions changed something; of a drop the rule that did
    uint64_t summarised; // of them those that put the route under another prefix
    bool dropped;
    struct vnrs_prefix prefix; // under which it goes on
};

// What the controller said (vnrs/speaker_proto.h), not trusted. Returns 0, -EINVAL (counts, enums, texts, values that
// make no sense), -E2BIG (more than vnrs/route_map.h allows) or -ENOMEM.
int vnrs_bgp_policy_new(const struct vnrs_spk_map *maps, size_t n_maps, const struct vnrs_spk_map_rule *rules,
                        size_t n_rules, const struct vnrs_spk_map_item *items, size_t n_items,
                        struct vnrs_bgp_policy **ret_policy) VNRS_MUST_CHECK;
void vnrs_bgp_policy_free(struct vnrs_bgp_policy *policy); // accepts NULL
size_t vnrs_bgp_policy_len(const struct vnrs_bgp_policy *policy);
// By its place from 1; 0 is no map: NULL.
const struct vnrs_bgp_map *vnrs_bgp_policy_map(const struct vnrs_bgp_policy *policy, unsigned place);

const char *vnrs_bgp_map_name(const struct vnrs_bgp_map *map);
// Two maps (or two times none) that do and say the same.
bool vnrs_bgp_map_equal(const struct vnrs_bgp_map *a, const struct vnrs_bgp_map *b);
// The number of prefixes that routes may be summarised to, and which one that is, or -1.
size_t vnrs_bgp_map_n_targets(const struct vnrs_bgp_map *map);
int vnrs_bgp_map_target(const struct vnrs_bgp_map *map, const struct vnrs_prefix *prefix);
const struct vnrs_prefix *vnrs_bgp_map_target_prefix(const struct vnrs_bgp_map *map, size_t target);

void vnrs_bgp_map_match(const struct vnrs_bgp_map *map, const struct vnrs_prefix *prefix,
                        const struct vnrs_bgp_attrs *attrs, struct vnrs_bgp_map_outcome *ret_outcome);
// *ret_attrs borrows `attrs` and memory of the map, until its next use: intern it. Returns 0, or -E2BIG for attributes
// that would be too many: the route is dropped then.
int vnrs_bgp_map_edit(const struct vnrs_bgp_map *map, const struct vnrs_bgp_attrs *attrs,
                      const struct vnrs_bgp_map_outcome *outcome, struct vnrs_bgp_attrs *ret_attrs) VNRS_MUST_CHECK;
// True when two outcomes lead from the same attributes to the same attributes.
bool vnrs_bgp_map_outcome_equal(const struct vnrs_bgp_map_outcome *a, const struct vnrs_bgp_map_outcome *b);
// "dropped by route map 'x' rule 'y'"; "" where the map changed nothing. Returns `buf`.
const char *vnrs_bgp_map_explain(const struct vnrs_bgp_map *map, const struct vnrs_bgp_map_outcome *outcome,
                                 char buf[static VNRS_NOTE_MAX]);
