// SPDX-License-Identifier: GPL-2.0-or-later
// From what the controller said to compiled maps.
#include "bgp/policy.h"

#include "bgp/policy_rule.h"
#include "util/arena.h"

#include <errno.h>
#include <string.h>

struct vnrs_bgp_policy {
    struct vnrs_arena *arena;
    struct vnrs_bgp_map_scratch *scratch;
    struct vnrs_bgp_map *maps;
    size_t n_maps;
};

static const size_t list_max[_VNRS_MAP_PROPERTY_MAX] = {
    [VNRS_MAP_PREFIX] = VNRS_MAP_PREFIXES_MAX,
    [VNRS_MAP_COMMUNITY] = VNRS_MAP_COMMUNITIES_MAX,
    [VNRS_MAP_AS_PATH] = VNRS_MAP_ASNS_MAX,
};

// What an action may be about.
static const bool action_takes[_VNRS_MAP_ACTION_MAX][_VNRS_MAP_PROPERTY_MAX] = {
    [VNRS_MAP_DROP] = {[VNRS_MAP_NOTHING] = true},
    [VNRS_MAP_ADD] = {[VNRS_MAP_COMMUNITY] = true, [VNRS_MAP_AS_PATH] = true},
    [VNRS_MAP_REPLACE] = {[VNRS_MAP_PREFIX] = true, [VNRS_MAP_COMMUNITY] = true, [VNRS_MAP_AS_PATH] = true},
    [VNRS_MAP_REMOVE] = {[VNRS_MAP_COMMUNITY] = true, [VNRS_MAP_AS_PATH] = true},
};

static int number_cmp(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int prefix_cmp(const void *a, const void *b)
{
    return vnrs_prefix_cmp(a, b);
}

// --- what may be

static bool is_value(const struct vnrs_spk_map_item *item)
{
    const struct vnrs_prefix *p = &item->prefix;

    if (item->property == VNRS_MAP_AS_PATH)
        return item->number != 0;
    if (item->property != VNRS_MAP_PREFIX)
        return item->property == VNRS_MAP_COMMUNITY;
    if ((p->family != VNRS_AF_IPV4 && p->family != VNRS_AF_IPV6) || p->len > vnrs_af_bits(p->family))
        return false;
    struct vnrs_addr addr = vnrs_prefix_addr(p);
    struct vnrs_prefix clean = vnrs_prefix_make(&addr, p->len);
    return vnrs_prefix_equal(&clean, p);
}

static bool is_item(const struct vnrs_spk_map_item *item)
{
    if (item->property >= _VNRS_MAP_PROPERTY_MAX)
        return false;
    if (item->is_action) {
        if (item->what >= _VNRS_MAP_ACTION_MAX || !action_takes[item->what][item->property])
            return false;
        return item->empty ? item->what == VNRS_MAP_DROP || item->what == VNRS_MAP_REPLACE : is_value(item);
    }
    return item->what < _VNRS_MAP_CONDITION_MAX && !item->empty && is_value(item);
}

static bool is_same_list(const struct vnrs_spk_map_item *a, const struct vnrs_spk_map_item *b)
{
    return !a->is_action == !b->is_action && a->what == b->what && a->property == b->property && a->part == b->part;
}

// Lists of one rule: in order, each once, not too long.
static int check_items(const struct vnrs_spk_map_item *items, size_t n)
{
    size_t run = 0, parts[2] = {0};

    for (size_t i = 0; i < n; i++) {
        const struct vnrs_spk_map_item *before = i ? &items[i - 1] : NULL;
        if (!is_item(&items[i]))
            return -EINVAL;
        bool same = before && is_same_list(before, &items[i]);
        if (same && (before->empty || items[i].empty))
            return -EINVAL;
        run = same ? run + 1 : 1;
        if (run > list_max[items[i].property] && !items[i].empty)
            return -E2BIG;
        if (before && !before->is_action == !items[i].is_action && items[i].part < before->part)
            return -EINVAL;
        if (!before || !before->is_action != !items[i].is_action || before->part != items[i].part)
            parts[!items[i].is_action]++;
    }
    return MAX(parts[0], parts[1]) > VNRS_MAP_PARTS_MAX ? -E2BIG : 0;
}

static bool is_name(const char *name)
{
    size_t len = strnlen(name, VNRS_PEER_NAME_MAX);

    for (size_t i = 0; i < len; i++)
        if (name[i] < 0x20 || name[i] > 0x7e)
            return false;
    return len > 0 && len < VNRS_PEER_NAME_MAX;
}

static int check(const struct vnrs_spk_map *maps, size_t n_maps, const struct vnrs_spk_map_rule *rules, size_t n_rules,
                 const struct vnrs_spk_map_item *items, size_t n_items)
{
    size_t rule = 0, item = 0;
    int err = 0;

    if (n_maps > VNRS_MAPS_MAX || n_items > VNRS_MAP_ITEMS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < n_maps; rule += maps[i++].n_rules) {
        if (maps[i].n_rules > VNRS_MAP_RULES_MAX)
            return -E2BIG;
        if (!is_name(maps[i].name) || maps[i].n_rules > n_rules - rule)
            return -EINVAL;
    }
    if (rule != n_rules)
        return -EINVAL;
    for (size_t i = 0; i < n_rules && err == 0; item += rules[i++].n_items) {
        if (!is_name(rules[i].name) || rules[i].n_items > n_items - item)
            return -EINVAL;
        err = check_items(items + item, rules[i].n_items);
    }
    return err < 0 ? err : item == n_items ? 0 : -EINVAL;
}

// --- prefix sets

int vnrs_bgp_prefix_set_holder(const struct vnrs_bgp_prefix_set *set, const struct vnrs_prefix *prefix)
{
    size_t low = 0, high = set->n;

    // The last one not after it: that, or one that holds that, holds it.
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (vnrs_prefix_cmp(&set->prefixes[mid], prefix) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    int at = (int)low - 1;
    while (at >= 0 && !vnrs_prefix_contains(&set->prefixes[at], prefix))
        at = set->outer[at];
    return at;
}

static int prefix_set_finish(struct vnrs_arena *arena, struct vnrs_bgp_prefix_set *set)
{
    size_t kept = 0;

    if (set->n)
        qsort(set->prefixes, set->n, sizeof(*set->prefixes), prefix_cmp);
    for (size_t i = 0; i < set->n; i++)
        if (!kept || !vnrs_prefix_equal(&set->prefixes[kept - 1], &set->prefixes[i]))
            set->prefixes[kept++] = set->prefixes[i];
    set->n = kept;
    if (!(set->outer = vnrs_arena_alloc(arena, (kept + 1) * sizeof(*set->outer))))
        return -ENOMEM;
    for (size_t i = 0; i < kept; i++) {
        int at = (int)i - 1;
        while (at >= 0 && !vnrs_prefix_contains(&set->prefixes[at], &set->prefixes[i]))
            at = set->outer[at];
        set->outer[i] = at;
    }
    return 0;
}

static int prefix_set_add(struct vnrs_arena *arena, struct vnrs_bgp_prefix_set *set, const struct vnrs_prefix *prefixes,
                          size_t n)
{
    struct vnrs_prefix *grown = vnrs_arena_alloc(arena, (set->n + n + 1) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    if (set->n)
        memcpy(grown, set->prefixes, set->n * sizeof(*grown));
    if (n)
        memcpy(grown + set->n, prefixes, n * sizeof(*grown));
    set->prefixes = grown;
    set->n += n;
    return prefix_set_finish(arena, set);
}

// --- rules

// Items of one list.
static size_t list_len(const struct vnrs_spk_map_item *items, size_t n)
{
    size_t len = 1;

    while (len < n && is_same_list(items, &items[len]))
        len++;
    return len;
}

static int put_prefixes(struct vnrs_arena *arena, struct vnrs_bgp_prefix_set *set,
                        const struct vnrs_spk_map_item *items, size_t n)
{
    struct vnrs_prefix *prefixes = vnrs_arena_alloc(arena, n * sizeof(*prefixes));

    if (!prefixes)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        prefixes[i] = items[i].prefix;
    return prefix_set_add(arena, set, prefixes, n);
}

static int put_numbers(struct vnrs_arena *arena, struct vnrs_bgp_number_list *list,
                       const struct vnrs_spk_map_item *items, size_t n, bool sort)
{
    uint32_t *grown = vnrs_arena_alloc(arena, (list->n + n) * sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    if (list->n)
        memcpy(grown, list->numbers, list->n * sizeof(*grown));
    list->numbers = grown;
    for (size_t i = 0; i < n; i++)
        grown[list->n++] = items[i].number;
    if (!sort)
        return 0;
    qsort(grown, list->n, sizeof(*grown), number_cmp);
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++)
        if (!kept || grown[kept - 1] != grown[i])
            grown[kept++] = grown[i];
    list->n = kept;
    return 0;
}

static int put_test(struct vnrs_arena *arena, struct vnrs_bgp_map_rule *rule, const struct vnrs_spk_map_item *items,
                    size_t n)
{
    struct vnrs_bgp_map_test *test = &rule->tests[rule->n_tests++];
    bool ordered =
        items->property == VNRS_MAP_AS_PATH && (items->what == VNRS_MAP_EQUALS || items->what == VNRS_MAP_NOT_EQUALS);

    test->condition = (enum vnrs_map_condition)items->what;
    test->property = (enum vnrs_map_property)items->property;
    return test->property == VNRS_MAP_PREFIX ? put_prefixes(arena, &test->prefixes, items, n)
                                             : put_numbers(arena, &test->numbers, items, n, !ordered);
}

static int put_change(struct vnrs_arena *arena, struct vnrs_bgp_map_change *change,
                      const struct vnrs_spk_map_item *items, size_t n)
{
    struct vnrs_bgp_number_list *lists[_VNRS_MAP_ACTION_MAX] = {
        [VNRS_MAP_ADD] = &change->add, [VNRS_MAP_REPLACE] = &change->with, [VNRS_MAP_REMOVE] = &change->remove};
    bool sort = items->property == VNRS_MAP_COMMUNITY || items->what == VNRS_MAP_REMOVE;

    change->replace |= items->what == VNRS_MAP_REPLACE;
    return items->empty ? 0 : put_numbers(arena, lists[items->what], items, n, sort);
}

static int put_action(struct vnrs_arena *arena, struct vnrs_bgp_map_rule *rule, const struct vnrs_spk_map_item *items,
                      size_t n)
{
    rule->drop |= items->what == VNRS_MAP_DROP;
    if (items->property == VNRS_MAP_NOTHING)
        return 0;
    if (items->property == VNRS_MAP_PREFIX)
        return items->empty ? 0 : put_prefixes(arena, &rule->summaries, items, n);
    rule->changes = true;
    return put_change(arena, items->property == VNRS_MAP_AS_PATH ? &rule->path : &rule->communities, items, n);
}

static int compile_rule(struct vnrs_arena *arena, const struct vnrs_spk_map_rule *said,
                        const struct vnrs_spk_map_item *items, struct vnrs_bgp_map_rule *rule)
{
    int err = 0;

    rule->terminate = said->terminate;
    rule->name = vnrs_arena_strndup(arena, said->name, strnlen(said->name, sizeof(said->name)));
    // A list takes one item at least.
    rule->tests = vnrs_arena_alloc(arena, (said->n_items + 1) * sizeof(*rule->tests));
    if (!rule->name || !rule->tests)
        return -ENOMEM;
    for (size_t at = 0, n; at < said->n_items && err == 0; at += n) {
        n = list_len(items + at, said->n_items - at);
        err = items[at].is_action ? put_action(arena, rule, items + at, n) : put_test(arena, rule, items + at, n);
    }
    return err;
}

static int compile_map(struct vnrs_arena *arena, const struct vnrs_spk_map *said, struct vnrs_bgp_map *map)
{
    const struct vnrs_spk_map_item *items = map->said_items;
    int err = prefix_set_finish(arena, &map->targets);

    map->said = *said;
    map->name = vnrs_arena_strndup(arena, said->name, strnlen(said->name, sizeof(said->name)));
    map->rules = vnrs_arena_alloc(arena, (said->n_rules + 1) * sizeof(*map->rules));
    if (!map->name || !map->rules)
        return -ENOMEM;
    for (; map->n_rules < said->n_rules && err == 0; map->n_rules++) {
        struct vnrs_bgp_map_rule *rule = &map->rules[map->n_rules];
        const struct vnrs_spk_map_rule *said_rule = &map->said_rules[map->n_rules];
        err = compile_rule(arena, said_rule, items, rule);
        if (err == 0)
            err = prefix_set_add(arena, &map->targets, rule->summaries.prefixes, rule->summaries.n);
        items += said_rule->n_items;
    }
    map->n_items = (size_t)(items - map->said_items);
    return err;
}

int vnrs_bgp_policy_new(const struct vnrs_spk_map *maps, size_t n_maps, const struct vnrs_spk_map_rule *rules,
                        size_t n_rules, const struct vnrs_spk_map_item *items, size_t n_items,
                        struct vnrs_bgp_policy **ret_policy)
{
    int err = check(maps, n_maps, rules, n_rules, items, n_items);
    struct vnrs_bgp_policy *p = err == 0 ? calloc(1, sizeof(*p)) : NULL;

    if (!p)
        return err < 0 ? err : -ENOMEM;
    p->n_maps = n_maps;
    p->arena = vnrs_arena_new();
    p->scratch = calloc(1, sizeof(*p->scratch));
    if (p->arena)
        p->maps = vnrs_arena_alloc(p->arena, (n_maps + 1) * sizeof(*p->maps));
    const struct vnrs_spk_map_rule *said_rules =
        p->maps ? vnrs_arena_dup(p->arena, rules, n_rules * sizeof(*rules)) : NULL;
    const struct vnrs_spk_map_item *said_items =
        said_rules ? vnrs_arena_dup(p->arena, items, n_items * sizeof(*items)) : NULL;
    if (!p->scratch || !said_items)
        err = -ENOMEM;
    for (size_t i = 0; i < n_maps && err == 0; i++) {
        struct vnrs_bgp_map *map = &p->maps[i];
        map->scratch = p->scratch;
        map->said_rules = said_rules;
        map->said_items = said_items;
        err = compile_map(p->arena, &maps[i], map);
        said_rules += map->n_rules;
        said_items += map->n_items;
    }
    if (err < 0) {
        vnrs_bgp_policy_free(p);
        return err;
    }
    *ret_policy = p;
    return 0;
}

void vnrs_bgp_policy_free(struct vnrs_bgp_policy *p)
{
    if (!p)
        return;
    vnrs_arena_free(p->arena);
    free(p->scratch);
    free(p);
}

size_t vnrs_bgp_policy_len(const struct vnrs_bgp_policy *p)
{
    return p ? p->n_maps : 0;
}

const struct vnrs_bgp_map *vnrs_bgp_policy_map(const struct vnrs_bgp_policy *p, unsigned place)
{
    return p && place >= 1 && place <= p->n_maps ? &p->maps[place - 1] : NULL;
}

const char *vnrs_bgp_map_name(const struct vnrs_bgp_map *map)
{
    return map->name;
}

bool vnrs_bgp_map_equal(const struct vnrs_bgp_map *a, const struct vnrs_bgp_map *b)
{
    if (!a || !b)
        return a == b;
    return a->n_items == b->n_items && memcmp(&a->said, &b->said, sizeof(a->said)) == 0 &&
           memcmp(a->said_rules, b->said_rules, a->n_rules * sizeof(*a->said_rules)) == 0 &&
           memcmp(a->said_items, b->said_items, a->n_items * sizeof(*a->said_items)) == 0;
}

size_t vnrs_bgp_map_n_targets(const struct vnrs_bgp_map *map)
{
    return map ? map->targets.n : 0;
}

int vnrs_bgp_map_target(const struct vnrs_bgp_map *map, const struct vnrs_prefix *prefix)
{
    int at = map ? vnrs_bgp_prefix_set_holder(&map->targets, prefix) : -1;
    return at >= 0 && vnrs_prefix_equal(&map->targets.prefixes[at], prefix) ? at : -1;
}

const struct vnrs_prefix *vnrs_bgp_map_target_prefix(const struct vnrs_bgp_map *map, size_t target)
{
    return &map->targets.prefixes[target];
}
