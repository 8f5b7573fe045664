// SPDX-License-Identifier: GPL-2.0-or-later
// Route maps of a Route Server, and which connections have them.
#include "model/loader.h"
#include "model/schema.h"

#include <string.h>

static bool is_map(const struct vnrs_node *node)
{
    return !node->bad && node->kind == VNRS_NODE_MAP;
}

static void parse_asns(struct vnrs_loader *l, const struct vnrs_node *list, vnrs_number_list *out)
{
    if (!list || !loader_room(l, out, list))
        return;
    if (list->n > VNRS_MAP_ASNS_MAX) {
        (void)loader_error(l, VNRS_V_TOO_BIG, list->pos, "asPath has %zu entries, more than %u", list->n,
                           VNRS_MAP_ASNS_MAX);
        return;
    }
    node_foreach (node, list) {
        if (node->bad)
            continue;
        vnrs_loader_mark(l, &out->items[out->len], node->pos);
        out->items[out->len++] = (uint32_t)strtoul(node->text, NULL, 10);
    }
}

static void parse_values(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_map_values *values)
{
    const struct vnrs_node *prefixes = vnrs_node_get(node, "routePrefix");
    const struct vnrs_node *communities = vnrs_node_get(node, "community"), *asns = vnrs_node_get(node, "asPath");

    values->pos = node->pos;
    values->has_prefixes = prefixes;
    values->has_communities = communities;
    values->has_asns = asns;
    vnrs_read_prefixes(l, prefixes, &values->prefixes);
    vnrs_read_communities(l, communities, &values->communities);
    parse_asns(l, asns, &values->asns);
    values->incomplete = (prefixes ? prefixes->n : 0) + (communities ? communities->n : 0) + (asns ? asns->n : 0) !=
                         values->prefixes.len + values->communities.len + values->asns.len;
}

static void parse_action(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_map_action *action)
{
    const struct vnrs_node *parameters = vnrs_node_get(node, "parameters");

    action->pos = node->pos;
    action->type = (enum vnrs_map_action_type)vnrs_read_enum(node, "type", vnrs_map_action_names, _VNRS_MAP_ACTION_MAX,
                                                             VNRS_MAP_DROP);
    if (!parameters || !loader_room(l, &action->parameters, parameters))
        return;
    node_foreach (parameter, parameters)
        if (is_map(parameter))
            parse_values(l, parameter, &action->parameters.items[action->parameters.len++]);
}

static void parse_rule(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_map_rule *rule)
{
    static const char *const next_steps[] = {"Continue", "Terminate"};
    const struct vnrs_node *criteria = vnrs_node_get(node, "matchCriteria"), *actions = vnrs_node_get(node, "actions");

    rule->name = vnrs_read_text(l, node, "name");
    rule->pos = node->pos;
    rule->terminate = vnrs_read_enum(node, "nextStepIfMatched", next_steps, ARRAY_SIZE(next_steps), 0);
    if (!loader_room(l, &rule->criteria, criteria) || !loader_room(l, &rule->actions, actions))
        return;
    node_foreach (criterion, criteria) {
        if (!is_map(criterion))
            continue;
        struct vnrs_map_criterion *c = &rule->criteria.items[rule->criteria.len++];
        c->condition = (enum vnrs_map_condition)vnrs_read_enum(criterion, "matchCondition", vnrs_map_condition_names,
                                                               _VNRS_MAP_CONDITION_MAX, VNRS_MAP_EQUALS);
        parse_values(l, criterion, &c->values);
    }
    node_foreach (action, actions)
        if (is_map(action))
            parse_action(l, action, &rule->actions.items[rule->actions.len++]);
}

void vnrs_model_parse_route_maps(struct vnrs_loader *l, const struct vnrs_node *list, struct vnrs_route_server *rs)
{
    struct vnrs_map names = {0};

    if (!list || !loader_room(l, &rs->route_maps, list))
        return;
    node_foreach (node, list) {
        if (!is_map(node))
            continue;
        struct vnrs_route_map *map = &rs->route_maps.items[rs->route_maps.len++];
        const struct vnrs_node *rules = vnrs_node_get(node, "rules");
        struct vnrs_map rule_names = {0};
        map->name = vnrs_read_text(l, node, "name");
        map->pos = node->pos;
        map->id = (unsigned)rs->route_maps.len;
        vnrs_read_local_name(l, &names, "route map", map->name, node);
        if (!rules || !loader_room(l, &map->rules, rules))
            continue;
        node_foreach (r, rules) {
            if (!is_map(r))
                continue;
            struct vnrs_map_rule *rule = &map->rules.items[map->rules.len++];
            parse_rule(l, r, rule);
            vnrs_read_local_name(l, &rule_names, "rule", rule->name, r);
        }
        vnrs_map_fini(&rule_names);
    }
    vnrs_map_fini(&names);
}

struct map_walk {
    const struct vnrs_route_server *rs;
    size_t at;
};

static const char *next_map(void *arg)
{
    struct map_walk *walk = arg;

    while (walk->at < walk->rs->route_maps.len) {
        const char *name = walk->rs->route_maps.items[walk->at++].name;
        if (name)
            return name;
    }
    return NULL;
}

// Names of maps live inside their Route Server, and the maps were read before the connections.
static struct vnrs_route_map *read_ref(struct vnrs_loader *l, const struct vnrs_node *node,
                                       const struct vnrs_route_server *rs)
{
    struct map_walk walk = {.rs = rs};

    if (!node)
        return NULL;
    list_foreach (map, &rs->route_maps)
        if (map->name && strcmp(map->name, node->text) == 0)
            return map;
    const char *meant = vnrs_schema_suggest(node->text, next_map, &walk);
    struct vnrs_diag *d = loader_error(l, VNRS_V_UNKNOWN_REF, node->pos, "no route map '%s'", node->text);
    if (meant)
        vnrs_diag_help(l->diags, d, "did you mean '%s'?", meant);
    else
        vnrs_diag_help(l->diags, d, "route maps are listed in 'routeMaps' of the Route Server");
    return NULL;
}

void vnrs_model_parse_map_refs(struct vnrs_loader *l, const struct vnrs_node *node, const struct vnrs_route_server *rs,
                               struct vnrs_bgp_connection *connection)
{
    connection->in_map = read_ref(l, vnrs_node_get(node, "inboundRouteMap"), rs);
    connection->out_map = read_ref(l, vnrs_node_get(node, "outboundRouteMap"), rs);
}
