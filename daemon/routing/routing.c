// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/routing.h"

#include "routing/effective.h"
#include "util/arena.h"

#include <errno.h>

const char *vnrs_next_hop_name(enum vnrs_nexthop_type type, bool ecmp)
{
    return type == VNRS_NH_APPLIANCE && ecmp ? VNRS_NEXTHOP_APPLIANCE_ECMP : vnrs_nexthop_type_name(type);
}

const char *vnrs_nexthop_type_name(enum vnrs_nexthop_type type)
{
    static const char *const names[] = {
#define X(id, text) [id] = text,
        VNRS_NEXTHOP_TYPES(X)
#undef X
    };
    static_assert(ARRAY_SIZE(names) == _VNRS_NH_MAX, "a name for each");
    return (unsigned)type < ARRAY_SIZE(names) ? names[type] : "Unknown";
}

const char *vnrs_route_source_name(enum vnrs_route_source source)
{
    static const char *const names[] = {
        [VNRS_SRC_DEFAULT] = "Default",
        [VNRS_SRC_GATEWAY] = "VirtualNetworkGateway",
        [VNRS_SRC_USER] = "User",
    };
    return (unsigned)source < ARRAY_SIZE(names) ? names[source] : "Unknown";
}

const char *vnrs_route_state_name(enum vnrs_route_state state)
{
    return state == VNRS_ROUTE_ACTIVE ? "Active" : "Invalid";
}

static bool has_endpoint(const struct vnrs_subnet *subnet, const struct vnrs_service *service)
{
    list_foreach (have, &subnet->service_endpoints) {
        if (*have == service)
            return true;
    }
    return false;
}

// Subnets of one virtual network with the same effective routes by construction. Propagation is the route table's.
static bool is_alike(const struct vnrs_subnet *a, const struct vnrs_subnet *b)
{
    if (a->route_table != b->route_table || a->service_endpoints.len != b->service_endpoints.len)
        return false;
    list_foreach (service, &a->service_endpoints) {
        if (!has_endpoint(b, *service))
            return false;
    }
    return true;
}

static void subnet_add(struct vnrs_routing *routing, struct vnrs_domain *domain, const struct vnrs_subnet *subnet)
{
    domain->subnets.items[domain->subnets.len++] = subnet;
    routing->domain_of_subnet[subnet->id] = domain->id;
}

static int domain_new(struct vnrs_routing *routing, const struct vnrs_model *model, const struct vnrs_subnet *first)
{
    struct vnrs_domain *domain = &routing->domains.items[routing->domains.len];

    // Room for all subnets of the network would grow quadratically where each has its own table: count.
    size_t n = 0;
    list_foreach (subnet, &first->vnet->subnets)
        n += is_alike(first, subnet);
    *domain = (struct vnrs_domain){
        .id = (unsigned)++routing->domains.len,
        .vnet = first->vnet,
        .table = first->route_table,
    };
    if (!first->route_table || !first->route_table->disable_bgp_propagation)
        domain->hub = vnrs_model_hub_of(model, first->vnet);
    domain->subnets.items = vnrs_arena_alloc(routing->arena, n * sizeof(*domain->subnets.items));
    return domain->subnets.items ? 0 : -ENOMEM;
}

// Into the first domain of the subnet's network (they begin at `from`) whose subnets are like it, else into a new one.
static int subnet_place(struct vnrs_routing *routing, const struct vnrs_model *model, const struct vnrs_subnet *subnet,
                        size_t from)
{
    for (size_t i = from; i < routing->domains.len; i++) {
        struct vnrs_domain *domain = &routing->domains.items[i];
        if (is_alike(domain->subnets.items[0], subnet)) {
            subnet_add(routing, domain, subnet);
            return 0;
        }
    }
    int err = domain_new(routing, model, subnet);
    if (err == 0)
        subnet_add(routing, &routing->domains.items[routing->domains.len - 1], subnet);
    return err;
}

static int domains_make(struct vnrs_routing *routing, const struct vnrs_model *model)
{
    size_t n_subnets = 0;

    list_foreach (vnet, &model->vnets)
        n_subnets += vnet->subnets.len;
    routing->domains.items = vnrs_arena_alloc(routing->arena, n_subnets * sizeof(*routing->domains.items));
    routing->domain_of_subnet = vnrs_arena_alloc(routing->arena, (n_subnets + 1) * sizeof(*routing->domain_of_subnet));
    if (!routing->domains.items || !routing->domain_of_subnet)
        return -ENOMEM;
    list_foreach (vnet, &model->vnets) {
        size_t from = routing->domains.len;
        list_foreach (subnet, &vnet->subnets) {
            int err = subnet_place(routing, model, subnet, from);
            if (err < 0)
                return err;
        }
    }
    return 0;
}

static const struct vnrs_learned *learned_of(const struct vnrs_vnet *hub, const struct vnrs_learned *learned, size_t n)
{
    for (size_t i = 0; hub && i < n; i++) {
        if (learned[i].hub == hub)
            return &learned[i];
    }
    return NULL;
}

struct vnrs_routing *vnrs_routing_compute(const struct vnrs_model *model, const struct vnrs_learned *learned,
                                          size_t n_learned)
{
    struct vnrs_routing *routing = calloc(1, sizeof(*routing));
    struct vnrs_reach *reach = vnrs_reach_new(model);

    if (!routing || !reach || !(routing->arena = vnrs_arena_new()) || domains_make(routing, model) < 0)
        goto fail;
    list_foreach (domain, &routing->domains) {
        if (vnrs_effective_rules(domain, model, routing->arena) < 0 ||
            vnrs_effective_fill(domain, model, reach, learned_of(domain->hub, learned, n_learned), routing->arena) < 0)
            goto fail;
    }
    vnrs_reach_free(reach);
    return routing;
fail:
    vnrs_reach_free(reach);
    vnrs_routing_free(routing);
    return NULL;
}

int vnrs_domain_compute(const struct vnrs_domain *domain, const struct vnrs_model *model,
                        const struct vnrs_reach *reach, const struct vnrs_learned *learned, struct vnrs_arena *arena,
                        struct vnrs_domain *ret_domain)
{
    struct vnrs_domain computed = *domain;
    int err = vnrs_effective_fill(&computed, model, reach, learned, arena);

    if (err == 0)
        *ret_domain = computed;
    return err;
}

void vnrs_routing_free(struct vnrs_routing *routing)
{
    if (!routing)
        return;
    vnrs_arena_free(routing->arena);
    free(routing);
}

const struct vnrs_addr *vnrs_next_hop_shown(const struct vnrs_model *model, const struct vnrs_vnet *vnet,
                                            enum vnrs_nexthop_type type, const struct vnrs_addr *next_hop)
{
    const struct vnrs_vnet *hub = type == VNRS_NH_GATEWAY ? vnrs_model_hub_of(model, vnet) : NULL;
    const struct vnrs_gateway *vpn = hub ? vnrs_model_gateway_of(model, hub, VNRS_GATEWAY_VPN) : NULL;
    const struct vnrs_gateway_instance *only = vpn && vpn->n_instances == 1 ? &vpn->instances[0] : NULL;

    return only && vnrs_addr_equal(&only->ip, next_hop) && only->public_ip.family ? &only->public_ip : next_hop;
}

const struct vnrs_domain *vnrs_routing_domain(const struct vnrs_routing *routing, const struct vnrs_subnet *subnet)
{
    return &routing->domains.items[routing->domain_of_subnet[subnet->id] - 1];
}

const struct vnrs_eff_route *vnrs_domain_match(const struct vnrs_domain *domain, const struct vnrs_addr *dst)
{
    struct vnrs_prefix host = vnrs_prefix_host(dst);
    const struct vnrs_cover_entry *entry = vnrs_cover_match(&domain->index->endpoints, &host);

    if (!entry)
        entry = vnrs_cover_match(&domain->index->routes, &host);
    return entry ? entry->value : NULL;
}
