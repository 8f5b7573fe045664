// SPDX-License-Identifier: GPL-2.0-or-later
// A route through a compiled map.
#include "bgp/attr_wire.h"
#include "bgp/policy.h"
#include "bgp/policy_rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool has_number(const struct vnrs_bgp_number_list *sorted, uint32_t number)
{
    size_t low = 0, high = sorted->n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (sorted->numbers[mid] == number)
            return true;
        if (sorted->numbers[mid] < number)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

// --- AS paths as a row of ASNs

struct walk {
    struct vnrs_wire path;
    uint8_t type, left; // of the segment
};

static struct walk walk_begin(const struct vnrs_bgp_attrs *attrs)
{
    return (struct walk){.path = vnrs_wire_make(attrs->as_path, attrs->as_path_bytes)};
}

static bool walk_next(struct walk *w, uint32_t *ret_asn)
{
    while (!w->left) {
        if (!w->path.left)
            return false;
        w->type = vnrs_wire_u8(&w->path);
        w->left = vnrs_wire_u8(&w->path);
    }
    w->left--;
    *ret_asn = vnrs_wire_u32(&w->path);
    return !w->path.failed;
}

static bool is_path(const struct vnrs_bgp_attrs *attrs, const struct vnrs_bgp_number_list *list)
{
    struct walk w = walk_begin(attrs);
    uint32_t asn;
    size_t n = 0;

    while (walk_next(&w, &asn))
        if (w.type != VNRS_BGP_AS_SEQUENCE || n == list->n || list->numbers[n++] != asn)
            return false;
    return n == list->n;
}

static bool has_any_asn(const struct vnrs_bgp_attrs *attrs, const struct vnrs_bgp_number_list *sorted)
{
    struct walk w = walk_begin(attrs);
    uint32_t asn;

    while (walk_next(&w, &asn))
        if (has_number(sorted, asn))
            return true;
    return false;
}

// --- match

static size_t count_communities(const struct vnrs_bgp_attrs *attrs, const struct vnrs_bgp_number_list *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        n += vnrs_bgp_attrs_has_community(attrs, list->numbers[i]);
    return n;
}

static bool is_in_set(const struct vnrs_bgp_prefix_set *set, const struct vnrs_prefix *prefix, bool equal)
{
    int at = vnrs_bgp_prefix_set_holder(set, prefix);
    return at >= 0 && (!equal || vnrs_prefix_equal(&set->prefixes[at], prefix));
}

static bool test_holds(const struct vnrs_bgp_map_test *test, const struct vnrs_prefix *prefix,
                       const struct vnrs_bgp_attrs *attrs)
{
    bool equal = test->condition == VNRS_MAP_EQUALS || test->condition == VNRS_MAP_NOT_EQUALS;
    bool wanted = test->condition == VNRS_MAP_EQUALS || test->condition == VNRS_MAP_CONTAINS;
    bool is;

    if (test->property == VNRS_MAP_PREFIX)
        is = is_in_set(&test->prefixes, prefix, equal);
    else if (test->property == VNRS_MAP_COMMUNITY)
        is = count_communities(attrs, &test->numbers) >= (equal ? test->numbers.n : 1);
    else
        is = equal ? is_path(attrs, &test->numbers) : has_any_asn(attrs, &test->numbers);
    return is == wanted;
}

static bool rule_matches(const struct vnrs_bgp_map_rule *rule, const struct vnrs_prefix *prefix,
                         const struct vnrs_bgp_attrs *attrs)
{
    for (size_t i = 0; i < rule->n_tests; i++)
        if (!test_holds(&rule->tests[i], prefix, attrs))
            return false;
    return true;
}

// --- edit. The arrays of `attrs` are in the scratch memory once they were changed, or borrowed.

static void summarise(struct vnrs_bgp_attrs *attrs)
{
    attrs->as_path_bytes = 0;
    attrs->n_communities = attrs->n_ext_communities = attrs->n_large_communities = attrs->unknown_bytes = 0;
    attrs->has &= (uint8_t) ~(VNRS_BGP_HAS_MED | VNRS_BGP_HAS_AGGREGATOR);
    attrs->has |= VNRS_BGP_HAS_ATOMIC_AGGREGATE;
}

// RFC 4271 section 5.1.2: into the leading sequence, or a new one before it.
static int path_add_front(struct vnrs_bgp_map_scratch *scratch, struct vnrs_bgp_attrs *attrs, uint32_t asn)
{
    uint8_t *path = scratch->path;
    size_t len = attrs->as_path_bytes;
    bool joins = len && path[0] == VNRS_BGP_AS_SEQUENCE && path[1] < VNRS_BGP_SEGMENT_MAX;
    uint8_t count = joins ? (uint8_t)(path[1] + 1) : 1;

    if (len + 6 > sizeof(scratch->path))
        return -E2BIG;
    memmove(path + 6, path + (joins ? 2 : 0), len - (joins ? 2 : 0));
    struct vnrs_wire_out w = vnrs_wire_out_make(path, 6);
    vnrs_wire_put_u8(&w, VNRS_BGP_AS_SEQUENCE);
    vnrs_wire_put_u8(&w, count);
    vnrs_wire_put_u32(&w, asn);
    attrs->as_path_bytes = (uint16_t)(len + (joins ? 4 : 6));
    return 0;
}

static int path_add_list(struct vnrs_bgp_map_scratch *scratch, struct vnrs_bgp_attrs *attrs,
                         const struct vnrs_bgp_number_list *list)
{
    int err = 0;

    for (size_t i = list->n; i-- > 0 && err == 0;)
        err = path_add_front(scratch, attrs, list->numbers[i]);
    return err;
}

// Without the ASNs of the list; segments that are left empty go. In place.
static void path_remove(struct vnrs_bgp_map_scratch *scratch, struct vnrs_bgp_attrs *attrs,
                        const struct vnrs_bgp_number_list *sorted)
{
    struct vnrs_wire in = vnrs_wire_make(scratch->path, attrs->as_path_bytes);
    uint8_t *out = scratch->path;

    while (in.left) {
        uint8_t type = vnrs_wire_u8(&in), n = vnrs_wire_u8(&in), kept = 0;
        for (; n; n--) {
            uint32_t asn = vnrs_wire_u32(&in);
            if (has_number(sorted, asn))
                continue;
            struct vnrs_wire_out w = vnrs_wire_out_make(out + 2 + 4u * kept++, 4);
            vnrs_wire_put_u32(&w, asn);
        }
        if (!kept)
            continue;
        out[0] = type;
        out[1] = kept;
        out += 2 + 4u * kept;
    }
    attrs->as_path_bytes = (uint16_t)(out - scratch->path);
}

static size_t path_asns(const struct vnrs_bgp_attrs *attrs)
{
    struct walk w = walk_begin(attrs);
    uint32_t asn;
    size_t n = 0;

    while (walk_next(&w, &asn))
        n++;
    return n;
}

static int path_change(struct vnrs_bgp_map_scratch *scratch, const struct vnrs_bgp_map_change *change,
                       struct vnrs_bgp_attrs *attrs)
{
    int err = 0;

    if (!change->replace && !change->add.n && !change->remove.n)
        return 0;
    if (attrs->as_path_bytes > sizeof(scratch->path))
        return -E2BIG;
    if (attrs->as_path_bytes && attrs->as_path != scratch->path)
        memcpy(scratch->path, attrs->as_path, attrs->as_path_bytes);
    attrs->as_path = scratch->path;
    if (change->replace) {
        attrs->as_path_bytes = 0;
        err = path_add_list(scratch, attrs, &change->with);
    }
    if (change->remove.n && err == 0)
        path_remove(scratch, attrs, &change->remove);
    if (err == 0)
        err = path_add_list(scratch, attrs, &change->add);
    return err < 0 || path_asns(attrs) > VNRS_BGP_PATH_ASNS_MAX ? -E2BIG : 0;
}

// Both lists are sorted. Into place from behind: what is written was read already.
static int communities_add(struct vnrs_bgp_map_scratch *scratch, struct vnrs_bgp_attrs *attrs,
                           const struct vnrs_bgp_number_list *list)
{
    size_t n = attrs->n_communities, total = n + list->n - count_communities(attrs, list);
    uint32_t *c = scratch->communities;

    if (total > VNRS_BGP_MAP_COMMUNITIES)
        return -E2BIG;
    attrs->n_communities = (uint16_t)total;
    for (size_t left = list->n; left && total;) {
        if (n && c[n - 1] >= list->numbers[left - 1]) {
            left -= c[n - 1] == list->numbers[left - 1];
            c[--total] = c[--n];
        } else {
            c[--total] = list->numbers[--left];
        }
    }
    return 0;
}

static int communities_change(struct vnrs_bgp_map_scratch *scratch, const struct vnrs_bgp_map_change *change,
                              struct vnrs_bgp_attrs *attrs)
{
    size_t kept = 0;
    int err = 0;

    if (!change->replace && !change->add.n && !change->remove.n)
        return 0;
    if (attrs->n_communities > VNRS_BGP_MAP_COMMUNITIES)
        return -E2BIG;
    if (attrs->n_communities && attrs->communities != scratch->communities)
        memcpy(scratch->communities, attrs->communities, attrs->n_communities * sizeof(*scratch->communities));
    attrs->communities = scratch->communities;
    if (change->replace) {
        attrs->n_communities = 0;
        err = communities_add(scratch, attrs, &change->with);
    }
    for (size_t i = 0; i < attrs->n_communities; i++)
        if (!has_number(&change->remove, scratch->communities[i]))
            scratch->communities[kept++] = scratch->communities[i];
    attrs->n_communities = (uint16_t)kept;
    return err < 0 ? err : communities_add(scratch, attrs, &change->add);
}

static int rule_apply(struct vnrs_bgp_map_scratch *scratch, const struct vnrs_bgp_map_rule *rule, bool summarised,
                      struct vnrs_bgp_attrs *attrs)
{
    if (summarised)
        summarise(attrs);
    int err = path_change(scratch, &rule->path, attrs);
    return err < 0 ? err : communities_change(scratch, &rule->communities, attrs);
}

// --- the map

static void drop(struct vnrs_bgp_map_outcome *outcome, size_t rule)
{
    outcome->dropped = true;
    outcome->fired = UINT64_C(1) << rule;
    outcome->summarised = 0;
}

// The rule matches; true when the outcome is what it is.
static bool fire(const struct vnrs_bgp_map *map, size_t i, struct vnrs_bgp_map_outcome *outcome,
                 struct vnrs_bgp_attrs *changed, const struct vnrs_bgp_attrs **seen)
{
    const struct vnrs_bgp_map_rule *rule = &map->rules[i];
    int summary = vnrs_bgp_prefix_set_holder(&rule->summaries, &outcome->prefix);
    bool last = rule->terminate || i + 1 == map->n_rules;

    if (rule->drop) {
        drop(outcome, i);
        return true;
    }
    if (summary >= 0) {
        outcome->prefix = rule->summaries.prefixes[summary];
        outcome->summarised |= UINT64_C(1) << i;
    }
    if (summary < 0 && !rule->changes)
        return last;
    outcome->fired |= UINT64_C(1) << i;
    if (last)
        return true;
    if (*seen != changed)
        *changed = **seen;
    *seen = changed;
    if (rule_apply(map->scratch, rule, summary >= 0, changed) == 0)
        return false;
    drop(outcome, i);
    return true;
}

void vnrs_bgp_map_match(const struct vnrs_bgp_map *map, const struct vnrs_prefix *prefix,
                        const struct vnrs_bgp_attrs *attrs, struct vnrs_bgp_map_outcome *ret_outcome)
{
    const struct vnrs_bgp_attrs *seen = attrs;
    struct vnrs_bgp_attrs changed;

    *ret_outcome = (struct vnrs_bgp_map_outcome){.prefix = *prefix};
    for (size_t i = 0; i < map->n_rules; i++)
        if (rule_matches(&map->rules[i], &ret_outcome->prefix, seen) && fire(map, i, ret_outcome, &changed, &seen))
            return;
}

int vnrs_bgp_map_edit(const struct vnrs_bgp_map *map, const struct vnrs_bgp_attrs *attrs,
                      const struct vnrs_bgp_map_outcome *outcome, struct vnrs_bgp_attrs *ret_attrs)
{
    struct vnrs_bgp_attrs edited = *attrs;

    edited.refs = 0;
    edited.hash = 0;
    for (uint64_t left = outcome->fired; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctzll(left);
        int err = rule_apply(map->scratch, &map->rules[i], outcome->summarised >> i & 1, &edited);
        if (err < 0)
            return err;
    }
    vnrs_bgp_attrs_derive(&edited);
    *ret_attrs = edited;
    return 0;
}

bool vnrs_bgp_map_outcome_equal(const struct vnrs_bgp_map_outcome *a, const struct vnrs_bgp_map_outcome *b)
{
    return a->dropped == b->dropped && a->fired == b->fired && a->summarised == b->summarised;
}

const char *vnrs_bgp_map_explain(const struct vnrs_bgp_map *map, const struct vnrs_bgp_map_outcome *outcome,
                                 char buf[static VNRS_NOTE_MAX])
{
    char prefix[VNRS_PREFIX_STR_MAX];
    size_t used = 0;

    buf[0] = '\0';
    if (!outcome->fired)
        return buf;
    if (outcome->dropped)
        used = (size_t)snprintf(buf, VNRS_NOTE_MAX, "dropped");
    else if (outcome->summarised)
        used = (size_t)snprintf(buf, VNRS_NOTE_MAX, "summarised as %s", vnrs_prefix_format(&outcome->prefix, prefix));
    else
        used = (size_t)snprintf(buf, VNRS_NOTE_MAX, "changed");
    used += (size_t)snprintf(buf + used, VNRS_NOTE_MAX - used, " by route map '%s' rule", map->name);
    for (uint64_t left = outcome->fired; left && used < VNRS_NOTE_MAX; left &= left - 1)
        used += (size_t)snprintf(buf + used, VNRS_NOTE_MAX - used, "%s '%s'", left == outcome->fired ? "" : ",",
                                 map->rules[__builtin_ctzll(left)].name);
    return buf;
}
