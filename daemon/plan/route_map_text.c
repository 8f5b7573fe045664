// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/route_map_text.h"

static const char *const conditions[_VNRS_MAP_CONDITION_MAX] = {[VNRS_MAP_EQUALS] = "Equals",
                                                                [VNRS_MAP_CONTAINS] = "Contains",
                                                                [VNRS_MAP_NOT_EQUALS] = "NotEquals",
                                                                [VNRS_MAP_NOT_CONTAINS] = "NotContains"};
static const char *const actions[_VNRS_MAP_ACTION_MAX] = {
    [VNRS_MAP_DROP] = "Drop", [VNRS_MAP_ADD] = "Add", [VNRS_MAP_REPLACE] = "Replace", [VNRS_MAP_REMOVE] = "Remove"};

// "Add asPath 65001,65002" for each list that is there; the first after `before`.
static void put_list(struct vnrs_strbuf *out, const char **before, const char *verb, const char *property)
{
    vnrs_strbuf_printf(out, "%s%s %s", *before, verb, property);
    *before = ", ";
}

static void put_values(struct vnrs_strbuf *out, const char **before, const char *verb,
                       const struct vnrs_map_values *values)
{
    char text[VNRS_PREFIX_STR_MAX];

    if (values->has_prefixes)
        put_list(out, before, verb, "routePrefix");
    list_foreach (p, &values->prefixes)
        vnrs_strbuf_printf(out, "%c%s", p == values->prefixes.items ? ' ' : ',', vnrs_prefix_format(p, text));
    if (values->has_communities)
        put_list(out, before, verb, "community");
    list_foreach (c, &values->communities)
        vnrs_strbuf_printf(out, "%c%u:%u", c == values->communities.items ? ' ' : ',', *c >> 16, *c & 0xffff);
    if (values->has_asns)
        put_list(out, before, verb, "asPath");
    list_foreach (asn, &values->asns)
        vnrs_strbuf_printf(out, "%c%u", asn == values->asns.items ? ' ' : ',', *asn);
}

static void put_rule(struct vnrs_strbuf *out, const struct vnrs_map_rule *rule)
{
    const char *before = ": ";

    vnrs_strbuf_puts(out, rule->name);
    list_foreach (criterion, &rule->criteria)
        put_values(out, &before, conditions[criterion->condition], &criterion->values);
    before = " → ";
    list_foreach (action, &rule->actions) {
        if (action->type == VNRS_MAP_DROP)
            put_list(out, &before, actions[VNRS_MAP_DROP], "all");
        list_foreach (values, &action->parameters)
            put_values(out, &before, actions[action->type], values);
    }
    if (rule->terminate)
        vnrs_strbuf_printf(out, "%sTerminate", before);
}

void vnrs_route_map_text(struct vnrs_strbuf *out, const struct vnrs_route_map *map)
{
    if (!map->rules.len)
        vnrs_strbuf_puts(out, "no rules");
    list_foreach (rule, &map->rules) {
        vnrs_strbuf_puts(out, rule == map->rules.items ? "" : "; ");
        put_rule(out, rule);
    }
}
