// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/route_map_msgs.h"

#include "util/strbuf.h"

#include <errno.h>

static int add(struct vnrs_route_map_msgs *msgs, const struct vnrs_spk_map_item *item)
{
    int r = vec_push(&msgs->items, *item);

    if (r == 0)
        msgs->rules.items[msgs->rules.len - 1].n_items++;
    return r;
}

static int add_numbers(struct vnrs_route_map_msgs *msgs, struct vnrs_spk_map_item item, enum vnrs_map_property property,
                       bool present, const vnrs_number_list *list)
{
    int r = 0;

    item.property = (uint8_t)property;
    item.empty = 1;
    if (present && !list->len)
        return add(msgs, &item);
    item.empty = 0;
    for (size_t i = 0; i < list->len && r == 0; i++) {
        item.number = list->items[i];
        r = add(msgs, &item);
    }
    return r;
}

static int add_values(struct vnrs_route_map_msgs *msgs, struct vnrs_spk_map_item item,
                      const struct vnrs_map_values *values)
{
    int r = 0;

    item.property = VNRS_MAP_PREFIX;
    for (size_t i = 0; i < values->prefixes.len && r == 0; i++) {
        item.prefix = values->prefixes.items[i];
        r = add(msgs, &item);
    }
    item.prefix = (struct vnrs_prefix){0};
    if (r == 0)
        r = add_numbers(msgs, item, VNRS_MAP_COMMUNITY, values->has_communities, &values->communities);
    return r < 0 ? r : add_numbers(msgs, item, VNRS_MAP_AS_PATH, values->has_asns, &values->asns);
}

static int add_rule(struct vnrs_route_map_msgs *msgs, const struct vnrs_map_rule *rule)
{
    struct vnrs_spk_map_rule out = {.terminate = rule->terminate};
    struct vnrs_spk_map_item item = {0};

    vnrs_str_copy(out.name, sizeof(out.name), rule->name);
    int r = vec_push(&msgs->rules, out);
    list_foreach (criterion, &rule->criteria) {
        item.what = (uint8_t)criterion->condition;
        if (r == 0)
            r = add_values(msgs, item, &criterion->values);
        item.part++;
    }
    item = (struct vnrs_spk_map_item){.is_action = 1};
    list_foreach (action, &rule->actions) {
        item.what = (uint8_t)action->type;
        item.empty = action->type == VNRS_MAP_DROP; // about nothing
        if (r == 0 && item.empty)
            r = add(msgs, &item);
        item.part += item.empty;
        item.empty = 0;
        list_foreach (values, &action->parameters) {
            if (r == 0)
                r = add_values(msgs, item, values);
            item.part++;
        }
    }
    return r;
}

int vnrs_route_map_msgs_make(const struct vnrs_route_server *rs, struct vnrs_route_map_msgs *msgs)
{
    int r = 0;

    list_foreach (map, &rs->route_maps) {
        struct vnrs_spk_map out = {.n_rules = (uint32_t)map->rules.len};
        vnrs_str_copy(out.name, sizeof(out.name), map->name);
        if (r == 0)
            r = vec_push(&msgs->maps, out);
        list_foreach (rule, &map->rules) {
            if (r == 0)
                r = add_rule(msgs, rule);
        }
    }
    return r;
}

void vnrs_route_map_msgs_fini(struct vnrs_route_map_msgs *msgs)
{
    vec_free(&msgs->maps);
    vec_free(&msgs->rules);
    vec_free(&msgs->items);
}
