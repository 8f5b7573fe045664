// SPDX-License-Identifier: GPL-2.0-or-later
// Route maps: what makes no sense, and what Azure does not let them do (azure-routing.md 5.9).
#include "model/loader.h"

#define ASN_TWO_OCTETS 65535u

static bool is_reserved_community(uint32_t community)
{
    static const uint16_t reserved[][2] = {{65517, 12001}, {65517, 12002}, {65517, 12003}, {65517, 12005},
                                           {65517, 12006}, {65518, 65518}, {65517, 65517}, {65517, 12076},
                                           {65518, 12076}, {65515, 10000}, {65515, 20000}};

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (community == ((uint32_t)reserved[i][0] << 16 | reserved[i][1]))
            return true;
    return false;
}

static bool is_reserved_asn(uint32_t asn)
{
    return asn == 8074 || asn == 8075 || asn == 12076 || asn == 65515 || (asn >= 65517 && asn <= 65520);
}

// The range of a virtual network served by the Route Server that is equal to the prefix or holds it, or NULL.
static const struct vnrs_prefix *own_range(const struct vnrs_loader *l, const struct vnrs_route_server *rs,
                                           const struct vnrs_prefix *prefix)
{
    list_foreach (vnet, &l->model->vnets) {
        if (vnrs_model_route_server_of(l->model, vnet) != rs)
            continue;
        list_foreach (range, &vnet->address_space)
            if (vnrs_prefix_contains(range, prefix))
                return range;
    }
    return NULL;
}

// --- actions

static void bad_action(struct vnrs_loader *l, struct vnrs_pos pos, const char *what, const char *help)
{
    struct vnrs_diag *d = loader_error(l, VNRS_V_MAP_BAD_ACTION, pos, "%s", what);
    vnrs_diag_help(l->diags, d, "%s", help);
}

static void check_communities(struct vnrs_loader *l, const struct vnrs_map_action *action,
                              const struct vnrs_map_values *values)
{
    bool removes = action->type == VNRS_MAP_REMOVE;

    list_foreach (community, &values->communities) {
        if (!is_reserved_community(*community))
            continue;
        struct vnrs_pos pos = vnrs_loader_pos(l, community, values->pos);
        enum vnrs_diag_severity severity =
            removes && l->model->limits == VNRS_LIMITS_AZURE ? VNRS_DIAG_ERROR : VNRS_DIAG_WARNING;
        struct vnrs_diag *d =
            vnrs_diag_add(l->diags, severity, VNRS_V_COMMUNITY_RESERVED, pos, "community %u:%u is reserved by Azure",
                          *community >> 16, *community & 0xffff);
        vnrs_diag_help(l->diags, d,
                       removes ? "Azure wants route maps to leave it where it is"
                               : "Route Servers and gateways use it among themselves");
    }
}

static void check_asns(struct vnrs_loader *l, const struct vnrs_map_action *action,
                       const struct vnrs_map_values *values)
{
    if (l->model->limits != VNRS_LIMITS_AZURE)
        return;
    list_foreach (asn, &values->asns) {
        struct vnrs_pos pos = vnrs_loader_pos(l, asn, values->pos);
        if (action->type != VNRS_MAP_REMOVE && is_reserved_asn(*asn))
            (void)loader_error(l, VNRS_V_MAP_ASN, pos, "ASN %u is reserved by Azure", *asn);
        else if (*asn > ASN_TWO_OCTETS)
            (void)loader_error(l, VNRS_V_MAP_ASN, pos, "ASN %u in a route map, Azure's have 16 bits", *asn);
    }
}

static void check_summaries(struct vnrs_loader *l, const struct vnrs_route_server *rs,
                            const struct vnrs_map_values *values)
{
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (prefix, &values->prefixes) {
        const struct vnrs_prefix *range = rs->vnet ? own_range(l, rs, prefix) : NULL;
        if (!range)
            continue;
        struct vnrs_diag *d = loader_error(l, VNRS_V_MAP_OWN_SPACE, vnrs_loader_pos(l, prefix, values->pos),
                                           "%s is address space of the Route Server's own virtual networks",
                                           vnrs_prefix_format(prefix, text));
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, range, rs->pos), "%s is here", vnrs_prefix_format(range, text));
        vnrs_diag_help(l->diags, d, "routes can be summarised to a prefix that holds it, not to a part of it");
    }
}

// One parameter. What it has must be something that the action can be about.
static void check_parameter(struct vnrs_loader *l, const struct vnrs_route_server *rs,
                            const struct vnrs_map_action *action, const struct vnrs_map_values *values)
{
    bool replaces = action->type == VNRS_MAP_REPLACE;
    bool empty = (values->has_prefixes && !values->prefixes.len) ||
                 (!replaces &&
                  ((values->has_communities && !values->communities.len) || (values->has_asns && !values->asns.len)));

    if (action->type == VNRS_MAP_DROP)
        bad_action(l, values->pos, "Drop with parameters", "it drops what the rule matches: see matchCriteria");
    else if (values->has_prefixes && !replaces)
        bad_action(l, values->pos, "prefixes can only be replaced",
                   "Replace puts the route under a prefix that holds it");
    else if (values->has_asns && action->type == VNRS_MAP_REMOVE && l->model->limits == VNRS_LIMITS_AZURE)
        bad_action(l, values->pos, "Azure cannot remove single ASNs",
                   "Replace sets the whole path; 'limits: none' allows it");
    else if (!values->incomplete &&
             (empty || (!values->has_prefixes && !values->has_communities && !values->has_asns))) {
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_MAP_EMPTY_ACTION, values->pos, "%s of nothing", vnrs_map_action_names[action->type]);
        vnrs_diag_help(l->diags, d, "an empty list has a meaning only for Replace of asPath and community");
    }
    check_communities(l, action, values);
    check_asns(l, action, values);
    check_summaries(l, rs, values);
}

struct seen { // of one rule
    const struct vnrs_map_action *drop, *other;
    const struct vnrs_map_values *prefixes, *communities, *asns; // that replace
    size_t n_parameters;
};

static void second_replace(struct vnrs_loader *l, const struct vnrs_map_values *values,
                           const struct vnrs_map_values **first, bool has, const char *what)
{
    if (!has)
        return;
    if (*first) {
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_MAP_BAD_ACTION, values->pos, "a second Replace of %s in one rule", what);
        vnrs_diag_note(l->diags, d, (*first)->pos, "the first is here");
    }
    *first = values;
}

static void check_action(struct vnrs_loader *l, const struct vnrs_route_server *rs,
                         const struct vnrs_map_action *action, struct seen *seen)
{
    if (action->type == VNRS_MAP_DROP)
        seen->drop = action;
    else
        seen->other = action;
    seen->n_parameters += action->type == VNRS_MAP_DROP ? 1 : action->parameters.len;
    if (action->type != VNRS_MAP_DROP && !action->parameters.len)
        (void)loader_error(l, VNRS_V_MAP_EMPTY_ACTION, action->pos, "%s of nothing",
                           vnrs_map_action_names[action->type]);
    list_foreach (values, &action->parameters) {
        check_parameter(l, rs, action, values);
        if (action->type != VNRS_MAP_REPLACE)
            continue;
        second_replace(l, values, &seen->prefixes, values->has_prefixes, "prefixes");
        second_replace(l, values, &seen->communities, values->has_communities, "communities");
        second_replace(l, values, &seen->asns, values->has_asns, "the AS path");
    }
}

// --- rules

static void check_criterion(struct vnrs_loader *l, const struct vnrs_map_criterion *criterion)
{
    const struct vnrs_map_values *v = &criterion->values;
    bool empty = (v->has_prefixes && !v->prefixes.len) || (v->has_communities && !v->communities.len) ||
                 (v->has_asns && !v->asns.len);

    if (v->incomplete || (!empty && (v->has_prefixes || v->has_communities || v->has_asns)))
        return;
    struct vnrs_diag *d = loader_error(l, VNRS_V_MAP_EMPTY_MATCH, v->pos, "a criterion without a value");
    vnrs_diag_help(l->diags, d, "to match every route leave 'matchCriteria' out");
}

// Routes that a rule wants to summarise and cannot: none of its summaries holds them.
static void check_held(struct vnrs_loader *l, const struct vnrs_map_rule *rule, const struct vnrs_map_values *summaries)
{
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (criterion, &rule->criteria) {
        if (criterion->condition != VNRS_MAP_EQUALS && criterion->condition != VNRS_MAP_CONTAINS)
            continue;
        list_foreach (prefix, &criterion->values.prefixes) {
            bool held = false;
            list_foreach (summary, &summaries->prefixes)
                held |= vnrs_prefix_contains(summary, prefix);
            if (held)
                continue;
            struct vnrs_diag *d = loader_warning(l, VNRS_V_MAP_NO_SUMMARY, vnrs_loader_pos(l, prefix, rule->pos),
                                                 "%s is not replaced: no prefix of the rule's Replace holds it",
                                                 vnrs_prefix_format(prefix, text));
            vnrs_diag_note(l->diags, d, summaries->pos, "Replace is here");
            vnrs_diag_help(l->diags, d, "route maps summarise, they make nothing more specific");
        }
    }
}

static void check_rule(struct vnrs_loader *l, const struct vnrs_route_server *rs, const struct vnrs_map_rule *rule)
{
    struct seen seen = {0};

    list_foreach (criterion, &rule->criteria)
        check_criterion(l, criterion);
    list_foreach (action, &rule->actions)
        check_action(l, rs, action, &seen);
    if (seen.drop && seen.other) {
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_MAP_BAD_ACTION, seen.other->pos, "a rule that drops routes and changes them");
        vnrs_diag_note(l->diags, d, seen.drop->pos, "Drop is here");
    }
    if (seen.n_parameters > VNRS_MAP_PARTS_MAX)
        (void)loader_error(l, VNRS_V_TOO_BIG, rule->pos, "a rule with %zu parameters of actions, more than %u",
                           seen.n_parameters, VNRS_MAP_PARTS_MAX);
    if (seen.prefixes)
        check_held(l, rule, seen.prefixes);
}

static bool ends_the_map(const struct vnrs_map_rule *rule)
{
    bool drops = false;

    list_foreach (action, &rule->actions)
        drops |= action->type == VNRS_MAP_DROP;
    return !rule->criteria.len && (rule->terminate || drops);
}

static size_t count_values(const struct vnrs_map_values *values)
{
    return values->prefixes.len + values->communities.len + values->asns.len + 3; // an empty list is an item, too
}

static size_t check_map(struct vnrs_loader *l, const struct vnrs_route_server *rs, const struct vnrs_route_map *map)
{
    size_t n = 0;

    list_foreach (rule, &map->rules) {
        check_rule(l, rs, rule);
        list_foreach (criterion, &rule->criteria)
            n += count_values(&criterion->values);
        list_foreach (action, &rule->actions)
            list_foreach (values, &action->parameters)
                n += count_values(values);
    }
    list_foreach (rule, &map->rules) {
        if (!ends_the_map(rule) || rule == map->rules.items + map->rules.len - 1)
            continue;
        struct vnrs_diag *d = loader_warning(l, VNRS_V_MAP_UNREACHABLE, rule[1].pos, "no route gets to this rule");
        vnrs_diag_note(l->diags, d, rule->pos, "this one takes every route, and is the last for it");
        break;
    }
    return n;
}

// --- connections

// Outbound, the own ranges are not passed through the map at all.
static void check_own_match(struct vnrs_loader *l, const struct vnrs_route_server *rs, const struct vnrs_route_map *map)
{
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (rule, &map->rules) {
        list_foreach (criterion, &rule->criteria) {
            list_foreach (prefix, &criterion->values.prefixes) {
                const struct vnrs_prefix *range = rs->vnet ? own_range(l, rs, prefix) : NULL;
                if (!range || !vnrs_prefix_equal(range, prefix))
                    continue;
                struct vnrs_diag *d = loader_warning(l, VNRS_V_MAP_OWN_SPACE, vnrs_loader_pos(l, prefix, rule->pos),
                                                     "%s is address space of the Route Server's own virtual networks",
                                                     vnrs_prefix_format(prefix, text));
                vnrs_diag_help(l->diags, d, "route maps neither change nor drop it: NVAs are always told of it");
            }
        }
    }
}

static void check_use(struct vnrs_loader *l, const struct vnrs_route_server *rs, const struct vnrs_route_map *map)
{
    bool used = false, outbound = false;

    list_foreach (c, &rs->connections) {
        used |= c->in_map == map || c->out_map == map;
        outbound |= c->out_map == map;
    }
    if (outbound)
        check_own_match(l, rs, map);
    if (used)
        return;
    struct vnrs_diag *d =
        loader_warning(l, VNRS_V_MAP_UNUSED, map->pos, "route map '%s' is not used", map->name ? map->name : "?");
    vnrs_diag_help(l->diags, d, "a BGP connection refers to it in 'routingConfiguration'");
}

void vnrs_validate_route_maps(struct vnrs_loader *l)
{
    list_foreach (rs, &l->model->route_servers) {
        size_t n = 0;
        list_foreach (map, &rs->route_maps) {
            n += check_map(l, rs, map);
            check_use(l, rs, map);
        }
        if (n > VNRS_MAP_ITEMS_MAX)
            (void)loader_error(l, VNRS_V_TOO_BIG, rs->pos, "route maps with %zu values, more than %u", n,
                               VNRS_MAP_ITEMS_MAX);
    }
}
