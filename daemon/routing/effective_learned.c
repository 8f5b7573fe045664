// SPDX-License-Identifier: GPL-2.0-or-later
// Rows of learned routes, and why they are there.
#include "routing/effective_rows.h"

#include <string.h>

// Why learned routes are there that came about in the same way.
struct vnrs_eff_learned_why {
    struct vnrs_eff_learned_why *next;
    struct vnrs_learned_verdict verdict;
    unsigned n_next_hops;
    const char *text;
};

static bool is_shown(const struct vnrs_eff_table *t, const struct vnrs_learned_route *route)
{
    return route->set->n && vnrs_domain_fate(t->domain, &route->prefix) != VNRS_LEARNED_SUPPRESSED;
}

static int learned_cmp(const void *key, const void *item)
{
    return vnrs_prefix_cmp(key, &((const struct vnrs_learned_route *)item)->prefix);
}

bool vnrs_eff_is_learned(const struct vnrs_eff_table *t, const struct vnrs_prefix *prefix)
{
    if (!t->learned || t->learned->n_routes == 0)
        return false;
    const struct vnrs_learned_route *route =
        bsearch(prefix, t->learned->routes, t->learned->n_routes, sizeof(*t->learned->routes), learned_cmp);
    return route && is_shown(t, route);
}

// "Route Server 'rs' and VPN gateway 'vpn'": who of the hub is of these classes.
static const char *classes_text(struct vnrs_eff_table *t, unsigned classes)
{
    static const char *const kinds[] = {[VNRS_LEARNED_NVA] = "Route Server",
                                        [VNRS_LEARNED_VPN] = "VPN gateway",
                                        [VNRS_LEARNED_ER] = "ExpressRoute gateway"};
    const struct vnrs_vnet *hub = t->domain->hub;
    const struct vnrs_route_server *rs = vnrs_model_route_server_of(t->model, hub);
    const struct vnrs_gateway *vpn = vnrs_model_gateway_of(t->model, hub, VNRS_GATEWAY_VPN);
    const struct vnrs_gateway *er = vnrs_model_gateway_of(t->model, hub, VNRS_GATEWAY_EXPRESSROUTE);
    const char *const names[] = {[VNRS_LEARNED_NVA] = rs ? rs->name : NULL,
                                 [VNRS_LEARNED_VPN] = vpn ? vpn->name : NULL,
                                 [VNRS_LEARNED_ER] = er ? er->name : NULL};
    const char *text = "";

    for (unsigned class = 0; class < _VNRS_LEARNED_CLASS_MAX && text; class ++) {
        if (classes & 1u << class)
            text =
                EFF_SAY(t, "%s%s%s '%s'", text, *text ? " and " : "", kinds[class], names[class] ? names[class] : "");
    }
    return text ? text : "";
}

// What it was preferred to, and why (azure-routing.md 2.5, 5.7, 5.8).
static const char *beaten_text(struct vnrs_eff_table *t, const struct vnrs_learned_verdict *verdict)
{
    const char *text = "";

    if (verdict->ranked)
        text = EFF_SAY(t, "; preferred to that of %s by hubRoutingPreference %s", classes_text(t, verdict->ranked),
                       vnrs_hub_preference_name(vnrs_hub_preference_of(t->model, t->domain->hub)));
    if (verdict->longer && text)
        text = EFF_SAY(t, "%s; its AS path is shorter than that of %s", text, classes_text(t, verdict->longer));
    return text ? text : "";
}

// `n` next hops; 0: packets are dropped.
static const char *make_learned_why(struct vnrs_eff_table *t, const struct vnrs_prefix *prefix,
                                    const struct vnrs_learned_verdict *verdict, unsigned n)
{
    const char *who = classes_text(t, verdict->won ? verdict->won : 1u << VNRS_LEARNED_NVA);
    const char *beaten = beaten_text(t, verdict), *dropped = n ? "" : " as BLACKHOLE (RFC 7999): packets are dropped";

    if (prefix->len == 0)
        return EFF_SAY(t, "learned by %s%s%s; replaces the system default route%s", who, dropped, beaten,
                       prefix->family == VNRS_AF_IPV4 ? " and the None routes" : "");
    if (n == 0)
        return EFF_SAY(t, "learned by %s%s%s", who, dropped, beaten);
    if (n == 1)
        return EFF_SAY(t, "learned by %s%s", who, beaten);
    return EFF_SAY(t, "learned by %s; %u equal next hops share the flows%s", who, n, beaten);
}

static const char *learned_why(struct vnrs_eff_table *t, const struct vnrs_learned_route *route, unsigned n)
{
    struct vnrs_eff_learned_why *why;

    if (route->prefix.len == 0)
        return make_learned_why(t, &route->prefix, &route->verdict, n);
    for (why = t->learned_whys; why; why = why->next) {
        if (why->n_next_hops == n && memcmp(&why->verdict, &route->verdict, sizeof(why->verdict)) == 0)
            return why->text;
    }
    why = vnrs_arena_alloc(t->arena, sizeof(*why));
    if (!why) {
        t->failed = true;
        return NULL;
    }
    *why = (struct vnrs_eff_learned_why){t->learned_whys, route->verdict, n,
                                         make_learned_why(t, &route->prefix, &route->verdict, n)};
    t->learned_whys = why;
    return why->text;
}

// "10.0.2.4, 10.0.2.5", "dropped" or "withdrawn".
static const char *set_text(struct vnrs_eff_table *t, const struct vnrs_learned_set *set)
{
    char ip[VNRS_ADDR_STR_MAX];
    const char *text = "";

    if (!set || vnrs_learned_is_drop(set))
        return set ? "dropped" : "withdrawn";
    for (unsigned i = 0; i < set->n && text; i++)
        text = EFF_SAY(t, "%s%s%s", text, i ? ", " : "", vnrs_addr_format(&set->paths[i].nexthop, ip));
    return text;
}

// A route of before, whose change has to wait.
static const char *stays_why(struct vnrs_eff_table *t, const struct vnrs_learned_route *route)
{
    const char *next = set_text(t, route->next);

    return EFF_SAY(t, "learned; changes in %u s (routeChangeDelay): then %s", route->stays_s, next ? next : "");
}

static const struct vnrs_addr *learned_hops(struct vnrs_eff_table *t, const struct vnrs_learned_set *set)
{
    struct vnrs_addr *hops = vnrs_arena_alloc(t->arena, set->n * sizeof(*hops));

    t->failed |= !hops;
    for (unsigned i = 0; hops && i < set->n; i++)
        hops[i] = set->paths[i].nexthop;
    return hops;
}

// By prefix already. Rows of one set share their next hops where they follow each other.
void vnrs_eff_rows_learned(struct vnrs_eff_table *t)
{
    const struct vnrs_learned_set *last = NULL;
    const struct vnrs_addr *hops = NULL;

    for (size_t i = 0; t->learned && i < t->learned->n_routes && !t->failed; i++) {
        const struct vnrs_learned_route *route = &t->learned->routes[i];
        if (!is_shown(t, route))
            continue;
        bool dropped = vnrs_learned_is_drop(route->set);
        struct vnrs_eff_route *row =
            vnrs_eff_row_new(t, &route->prefix, VNRS_SRC_GATEWAY, dropped ? VNRS_NH_NONE : VNRS_NH_GATEWAY);
        if (route->set != last)
            hops = dropped ? NULL : learned_hops(t, route->set);
        last = route->set;
        row->n_next_hops = hops ? last->n : 0;
        row->next_hops = hops;
        row->why = route->stays_s ? stays_why(t, route) : learned_why(t, route, row->n_next_hops);
        if (!vnrs_eff_under_endpoint(t, row))
            vnrs_eff_contest(t, row);
    }
}
