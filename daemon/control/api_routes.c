// SPDX-License-Identifier: GPL-2.0-or-later
// Effective routes and next hops, in Azure's words (azure-routing.md section 9).
#include "control/api.h"
#include "control/state.h"
#include "control/trace.h"

#include "util/arena.h"

#include <stdio.h>

// The NIC named by a parameter. NULL: the call was answered.
static const struct vnrs_nic *find_nic(struct vnrs_api_call *call, const char *param)
{
    struct vnrs_lab *lab = call->lab;
    const char *name = vnrs_api_param(call, param, true);
    char message[160];

    if (!name)
        return NULL;
    if (!lab->model || !lab->routing) {
        vnrs_api_error(call, 503, "not-ready", "the lab's routes are not computed yet", "`vnrs status --wait`");
        return NULL;
    }
    const struct vnrs_nic *nic = vnrs_model_find_nic(lab->model, name);
    if (!nic) {
        (void)snprintf(message, sizeof(message), "lab '%s' has no NIC '%.80s'", lab->name, name);
        vnrs_api_error(call, 404, "not-found", message, "`vnrs inspect` shows the NICs: MACHINE or MACHINE/eth0");
    }
    return nic;
}

// The NIC's domain with all that is learned, or what of it matters for one address. False: the call was answered.
static bool compute(struct vnrs_api_call *call, const struct vnrs_nic *nic, const struct vnrs_addr *addr,
                    struct vnrs_arena *arena, struct vnrs_domain *ret_domain)
{
    const struct vnrs_domain *domain = vnrs_routing_domain(call->lab->routing, nic->subnet);

    if (arena && vnrs_lab_domain_compute(call->lab, domain, addr ? VNRS_LAB_LEARNED_AROUND : VNRS_LAB_LEARNED_ALL, addr,
                                         arena, ret_domain) == 0)
        return true;
    vnrs_api_error(call, 500, "failed", "out of memory", NULL);
    return false;
}

static json_t *hops_json(const struct vnrs_model *model, const struct vnrs_vnet *vnet, enum vnrs_nexthop_type type,
                         const struct vnrs_addr *hops, unsigned n)
{
    char ip[VNRS_ADDR_STR_MAX];
    json_t *ips = json_array();

    for (unsigned i = 0; i < n; i++)
        (void)json_array_append_new(
            ips, json_string(vnrs_addr_format(vnrs_next_hop_shown(model, vnet, type, &hops[i]), ip)));
    return ips;
}

static json_t *row_json(const struct vnrs_model *model, const struct vnrs_domain *domain,
                        const struct vnrs_eff_route *route, const struct vnrs_addr *next_hops, unsigned n)
{
    char prefix[VNRS_PREFIX_STR_MAX];
    json_t *tags = json_array();

    if (route->tag)
        (void)json_array_append_new(tags, json_string(route->tag->name));
    return json_pack("{s:s?, s:s, s:s, s:[s], s:s, s:o, s:b, s:b, s:o, s:{}, s:s}", "name", route->name, "source",
                     vnrs_route_source_name(route->source), "state", vnrs_route_state_name(route->state),
                     "addressPrefix", vnrs_prefix_format(&route->prefix, prefix), "nextHopType",
                     vnrs_nexthop_type_name(route->type), "nextHopIpAddress",
                     hops_json(model, domain->vnet, route->type, next_hops, n), "disableBgpRoutePropagation",
                     domain->table && domain->table->disable_bgp_propagation, "hasBgpOverride", 0,
                     "destinationServiceTags", tags, "tagMap", "why", route->why ? route->why : "");
}

// What is learned and waits (routeChangeDelay). NULL: nothing.
static json_t *pending_json(const struct vnrs_lab *lab, const struct vnrs_vnet *hub)
{
    size_t prefixes;
    uint64_t ms = vnrs_lab_damped_ms(lab, hub, &prefixes);

    return ms ? json_pack("{s:I, s:I}", "prefixes", (json_int_t)prefixes, "seconds", (json_int_t)(ms + 999) / 1000)
              : NULL;
}

void vnrs_api_effective_routes(struct vnrs_api_call *call)
{
    const struct vnrs_nic *nic = find_nic(call, "nic");
    struct vnrs_domain domain;
    json_t *list;

    if (!nic)
        return;
    struct vnrs_arena *arena = vnrs_arena_new();
    if (!compute(call, nic, NULL, arena, &domain)) {
        vnrs_arena_free(arena);
        return;
    }
    list = json_array();
    list_foreach (route, &domain.routes) {
        // Azure has one row for each next hop of learned routes, but one for all of VirtualApplianceEcmp (3.6, 9.1).
        if (!route->n_next_hops || route->ecmp)
            (void)json_array_append_new(
                list, row_json(call->lab->model, &domain, route, route->next_hops, route->n_next_hops));
        for (unsigned i = 0; i < route->n_next_hops && !route->ecmp; i++)
            (void)json_array_append_new(list, row_json(call->lab->model, &domain, route, &route->next_hops[i], 1));
    }
    vnrs_arena_free(arena);
    vnrs_api_reply(call, 200, json_pack("{s:o, s:o*}", "value", list, "pending", pending_json(call->lab, domain.hub)));
}

// NULL: nothing leads to the address.
static json_t *hop_json(const struct vnrs_model *model, const struct vnrs_vnet *vnet,
                        const struct vnrs_eff_route *route)
{
    char prefix[VNRS_PREFIX_STR_MAX] = "";
    json_t *ips = route ? hops_json(model, vnet, route->type, route->next_hops, route->n_next_hops) : json_array();
    const char *first = json_string_value(json_array_get(ips, 0));

    if (route)
        vnrs_prefix_format(&route->prefix, prefix);
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s}", "nextHopType",
                     route ? vnrs_next_hop_name(route->type, route->ecmp) : vnrs_nexthop_type_name(VNRS_NH_NONE),
                     "nextHopIpAddress", first ? first : "", "nextHopIpAddresses", ips, "routeTableId",
                     route && route->table ? route->table->name : "System Route", "addressPrefix", prefix, "why",
                     route && route->why ? route->why : "no route leads there");
}

// The parameters "from" and "to". NULL: the call was answered.
static const struct vnrs_nic *find_ends(struct vnrs_api_call *call, struct vnrs_addr *ret_to)
{
    const char *to = vnrs_api_param(call, "to", true);

    if (!to)
        return NULL;
    if (vnrs_addr_parse(to, ret_to) < 0) {
        vnrs_api_error(call, 400, "bad-request", "'to' is not an IP address", NULL);
        return NULL;
    }
    return find_nic(call, "from");
}

void vnrs_api_trace(struct vnrs_api_call *call)
{
    struct vnrs_addr to;
    const struct vnrs_nic *from = find_ends(call, &to);

    if (from)
        vnrs_api_reply(call, 200, vnrs_trace_json(call->lab, from, &to));
}

void vnrs_api_next_hop(struct vnrs_api_call *call)
{
    struct vnrs_domain domain;
    struct vnrs_addr addr;
    const struct vnrs_nic *nic = find_ends(call, &addr);

    if (!nic)
        return;
    struct vnrs_arena *arena = vnrs_arena_new();
    if (compute(call, nic, &addr, arena, &domain))
        vnrs_api_reply(call, 200, hop_json(call->lab->model, nic->subnet->vnet, vnrs_domain_match(&domain, &addr)));
    vnrs_arena_free(arena);
}
