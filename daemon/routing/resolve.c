// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/resolve.h"

#include "routing/effective.h"
#include "util/arena.h"
#include "util/hash.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const struct vnrs_fwd_member member_drop = {.kind = VNRS_FWD_DROP};
static const struct vnrs_fwd_member member_dead = {.kind = VNRS_FWD_DEAD};
static const struct vnrs_fwd_member member_internet = {.kind = VNRS_FWD_INTERNET};

static const struct vnrs_prefix wire_server = {VNRS_AF_IPV4, 32, {168, 63, 129, 16}};
static const struct vnrs_prefix defaults[] = {{.family = VNRS_AF_IPV4}, {.family = VNRS_AF_IPV6}};

struct member_set { // of a route with next hop addresses
    unsigned n;
    struct vnrs_fwd_member members[];
};

struct resolver {
    const struct vnrs_model *model;
    const struct vnrs_reach *reach;   // NULL for platform tables
    const struct vnrs_domain *domain; // likewise
    struct vnrs_arena *arena;
    struct vnrs_map sets;           // next hop addresses → member_set, or virtual network id → member, made already
    struct vnrs_cover_entry *order; // one per route, to sort and drop duplicates
    struct vnrs_fwd_route *routes;
    size_t len;
};

const char *vnrs_fwd_kind_name(enum vnrs_fwd_kind kind)
{
    static const char *const names[] = {
        [VNRS_FWD_DROP] = "drop",         [VNRS_FWD_ENDPOINT] = "endpoint",         [VNRS_FWD_NIC] = "nic",
        [VNRS_FWD_INTERNET] = "internet", [VNRS_FWD_SERVICE_HOST] = "service-host", [VNRS_FWD_DEAD] = "dead",
    };
    static_assert(ARRAY_SIZE(names) == _VNRS_FWD_MAX, "a name for each");
    return (unsigned)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

static int resolver_init(struct resolver *r, size_t cap)
{
    r->routes = vnrs_arena_alloc(r->arena, cap * sizeof(*r->routes));
    r->order = calloc(cap ? cap : 1, sizeof(*r->order));
    return r->routes && r->order ? 0 : -ENOMEM;
}

static void resolver_fini(struct resolver *r)
{
    vnrs_map_fini(&r->sets);
    free(r->order);
}

// Returns -ENOMEM when there are no members.
static int route_add(struct resolver *r, const struct vnrs_prefix *prefix, enum vnrs_nexthop_type type, unsigned n,
                     const struct vnrs_fwd_member *members)
{
    if (!members)
        return -ENOMEM;
    r->routes[r->len++] = (struct vnrs_fwd_route){.prefix = *prefix, .type = type, .n = n, .members = members};
    return 0;
}

// Sort by prefix; of routes with the same prefix the one added first stays.
static int routes_finish(struct resolver *r, struct vnrs_fwd_table *ret_table)
{
    struct vnrs_cover cover = {.entries = r->order, .len = r->len};

    for (size_t i = 0; i < r->len; i++) {
        r->order[i] = (struct vnrs_cover_entry){
            .prefix = &r->routes[i].prefix,
            .value = &r->routes[i],
            .order = (uint32_t)i,
        };
    }
    vnrs_cover_build(&cover);
    struct vnrs_fwd_route *sorted = vnrs_arena_alloc(r->arena, cover.len * sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < cover.len; i++)
        sorted[i] = *(const struct vnrs_fwd_route *)cover.entries[i].value;
    ret_table->routes.items = sorted;
    ret_table->routes.len = cover.len;
    return 0;
}

static const struct vnrs_fwd_member *members_endpoint(struct resolver *r, const struct vnrs_vnet *vnet)
{
    struct vnrs_fwd_member *member = vnrs_map_find(&r->sets, &vnet->id, sizeof(vnet->id));

    if (member)
        return member;
    member = vnrs_arena_alloc(r->arena, sizeof(*member));
    if (!member)
        return NULL;
    *member = (struct vnrs_fwd_member){.kind = VNRS_FWD_ENDPOINT, .vnet = vnet};
    return vnrs_map_put(&r->sets, &vnet->id, sizeof(vnet->id), member) == 0 ? member : NULL;
}

static unsigned put_backends(const struct vnrs_balancer *lb, struct vnrs_fwd_member *out, unsigned room)
{
    unsigned n = 0;

    list_foreach (nic, &lb->backends) {
        if (n < room)
            out[n++] = (struct vnrs_fwd_member){.kind = VNRS_FWD_NIC, .nic = *nic, .balancer = lb, .via = lb->frontend};
    }
    return n;
}

unsigned vnrs_fwd_nexthop(const struct vnrs_reach *reach, const struct vnrs_vnet *vnet, const struct vnrs_addr *addr,
                          struct vnrs_fwd_member *out, unsigned room)
{
    const struct vnrs_nic *nic = vnrs_reach_find(reach, vnet, addr);
    const struct vnrs_balancer *lb = nic ? NULL : vnrs_reach_balancer(reach, vnet, addr);

    if (lb)
        return put_backends(lb, out, room);
    *out = (struct vnrs_fwd_member){.kind = nic ? VNRS_FWD_NIC : VNRS_FWD_DEAD, .nic = nic, .via = *addr};
    return 1;
}

static struct member_set *set_new(struct resolver *r, const struct vnrs_fwd_member *members, unsigned n)
{
    struct member_set *set = vnrs_arena_alloc(r->arena, sizeof(*set) + n * sizeof(*members));

    if (set) {
        set->n = n;
        memcpy(set->members, members, n * sizeof(*members));
    }
    return set;
}

// Members for each next hop address of the route.
static const struct vnrs_fwd_member *members_nics(struct resolver *r, const struct vnrs_eff_route *route,
                                                  unsigned *ret_n)
{
    size_t key_len = route->n_next_hops * sizeof(route->next_hops[0]);
    struct member_set *set = vnrs_map_find(&r->sets, route->next_hops, key_len);

    if (!set) {
        struct vnrs_fwd_member members[VNRS_FWD_MEMBERS_MAX];
        unsigned n = 0;
        for (unsigned i = 0; i < route->n_next_hops && n < ARRAY_SIZE(members); i++)
            n += vnrs_fwd_nexthop(r->reach, r->domain->vnet, &route->next_hops[i], members + n,
                                  (unsigned)ARRAY_SIZE(members) - n);
        set = set_new(r, members, n);
        if (!set || vnrs_map_put(&r->sets, route->next_hops, key_len, set) < 0)
            return NULL;
    }
    *ret_n = set->n;
    return set->members;
}

// The domain's own network, or one over a peering that lets packets through.
static bool is_open(const struct resolver *r, const struct vnrs_vnet *vnet)
{
    const struct vnrs_peering *peering = vnrs_model_find_peering(r->model, r->domain->vnet, vnet);

    return vnet == r->domain->vnet || (peering && vnrs_peering_carries(peering));
}

static int resolve_route(struct resolver *r, const struct vnrs_eff_route *route)
{
    const struct vnrs_fwd_member *members = &member_dead;
    unsigned n = 1;

    switch (route->type) {
    case VNRS_NH_NONE:
        members = &member_drop;
        break;
    case VNRS_NH_VNET_LOCAL:
    case VNRS_NH_VNET_PEERING:
    case VNRS_NH_VNET_GLOBAL_PEERING:
        if (is_open(r, route->vnet))
            members = members_endpoint(r, route->vnet);
        break;
    case VNRS_NH_GATEWAY:
    case VNRS_NH_APPLIANCE:
        if (route->n_next_hops == 0)
            break;
        members = members_nics(r, route, &n);
        break;
    case VNRS_NH_INTERNET:
        members = r->model->internet.present ? &member_internet : &member_dead;
        break;
    case VNRS_NH_SERVICE_ENDPOINT: // its hosts have routes of their own
    case _VNRS_NH_MAX:
        break;
    }
    return route_add(r, &route->prefix, route->type, n, members);
}

static int service_host_add(struct resolver *r, const struct vnrs_service *service, size_t host)
{
    struct vnrs_prefix prefix = vnrs_prefix_host(&service->hosts.items[host].ip);
    struct vnrs_fwd_member *member = vnrs_arena_alloc(r->arena, sizeof(*member));

    if (member)
        *member = (struct vnrs_fwd_member){.kind = VNRS_FWD_SERVICE_HOST, .service = service, .host = host};
    return route_add(r, &prefix, VNRS_NH_SERVICE_ENDPOINT, 1, member);
}

// Hosts whose address this service endpoint of the domain decides for.
static int resolve_hosts(struct resolver *r, const struct vnrs_service *service)
{
    for (size_t i = 0; i < service->hosts.len; i++) {
        struct vnrs_prefix prefix = vnrs_prefix_host(&service->hosts.items[i].ip);
        const struct vnrs_cover_entry *entry = vnrs_cover_match(&r->domain->index->endpoints, &prefix);
        if (!entry || ((const struct vnrs_eff_route *)entry->value)->service != service)
            continue;
        int err = service_host_add(r, service, i);
        if (err < 0)
            return err;
    }
    return 0;
}

// Packets to the frontend itself, where the routes leave them to the network that it is in.
static int resolve_frontend(struct resolver *r, const struct vnrs_balancer *lb)
{
    const struct vnrs_eff_route *route = vnrs_domain_match(r->domain, &lb->frontend);
    const struct vnrs_prefix prefix = vnrs_prefix_host(&lb->frontend);
    struct vnrs_fwd_member members[VNRS_FWD_MEMBERS_MAX];

    if (!route || route->vnet != lb->subnet->vnet || !is_open(r, route->vnet))
        return 0;
    const struct member_set *set = set_new(r, members, put_backends(lb, members, ARRAY_SIZE(members)));
    return set ? route_add(r, &prefix, route->type, set->n, set->members) : -ENOMEM;
}

// What cannot be overridden by any route comes first: of equal prefixes that of the first stays.
static int resolve_platform_routes(struct resolver *r)
{
    const struct vnrs_vnet *vnet = r->domain->vnet;
    int err = 0;

    if (vnrs_vnet_is_probed(r->model, vnet))
        err = route_add(r, &wire_server, VNRS_NH_VNET_LOCAL, 1, members_endpoint(r, vnet));
    list_foreach (lb, &r->model->balancers) {
        if (err == 0)
            err = resolve_frontend(r, lb);
    }
    return err;
}

static int resolve_domain(struct resolver *r)
{
    const struct vnrs_domain_index *index = r->domain->index;
    int err = resolve_platform_routes(r);

    if (err < 0)
        return err;
    // Hosts first: where a prefix is just one host, the host's route stays.
    list_foreach (service, &r->domain->subnets.items[0]->service_endpoints) {
        if ((err = resolve_hosts(r, *service)) < 0)
            return err;
    }
    for (size_t i = 0; i < index->endpoints.len; i++) {
        if ((err = resolve_route(r, index->endpoints.entries[i].value)) < 0)
            return err;
    }
    for (size_t i = 0; i < index->routes.len; i++) {
        const struct vnrs_eff_route *route = index->routes.entries[i].value;
        if (vnrs_cover_match(&index->endpoints, &route->prefix))
            continue;
        if ((err = resolve_route(r, route)) < 0)
            return err;
    }
    return 0;
}

int vnrs_fwd_resolve(const struct vnrs_model *model, const struct vnrs_reach *reach, const struct vnrs_domain *domain,
                     struct vnrs_arena *arena, struct vnrs_fwd_table *ret_table)
{
    _cleanup_(resolver_fini) struct resolver r = {.model = model, .reach = reach, .domain = domain, .arena = arena};
    size_t cap = domain->index->endpoints.len + domain->index->routes.len + 1 + model->balancers.len;

    list_foreach (service, &domain->subnets.items[0]->service_endpoints)
        cap += (*service)->hosts.len;
    int err = resolver_init(&r, cap);
    if (err == 0)
        err = resolve_domain(&r);
    return err < 0 ? err : routes_finish(&r, ret_table);
}

int vnrs_fwd_prober(const struct vnrs_vnet *vnet, struct vnrs_arena *arena, struct vnrs_fwd_table *ret_table)
{
    _cleanup_(resolver_fini) struct resolver r = {.arena = arena};
    int err = resolver_init(&r, vnet->address_space.len + 2);

    if (err == 0)
        err = route_add(&r, &wire_server, VNRS_NH_VNET_LOCAL, 1, members_endpoint(&r, vnet));
    list_foreach (range, &vnet->address_space) {
        if (err == 0)
            err = route_add(&r, range, VNRS_NH_VNET_LOCAL, 1, members_endpoint(&r, vnet));
    }
    if (err == 0)
        err = route_add(&r, &defaults[0], VNRS_NH_NONE, 1, &member_drop);
    return err < 0 ? err : routes_finish(&r, ret_table);
}

static int resolve_platform(struct resolver *r, enum vnrs_fwd_platform which)
{
    bool out = which == VNRS_FWD_PLATFORM_SERVICE && r->model->internet.present;
    int err = 0;

    list_foreach (service, &r->model->services) {
        for (size_t i = 0; i < service->hosts.len; i++) {
            if ((err = service_host_add(r, service, i)) < 0)
                return err;
        }
    }
    list_foreach (vnet, &r->model->vnets) {
        list_foreach (range, &vnet->address_space) {
            if ((err = route_add(r, range, VNRS_NH_VNET_LOCAL, 1, members_endpoint(r, vnet))) < 0)
                return err;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(defaults) && err == 0; i++)
        err =
            route_add(r, &defaults[i], out ? VNRS_NH_INTERNET : VNRS_NH_NONE, 1, out ? &member_internet : &member_drop);
    return err;
}

int vnrs_fwd_platform(const struct vnrs_model *model, struct vnrs_arena *arena, enum vnrs_fwd_platform which,
                      struct vnrs_fwd_table *ret_table)
{
    _cleanup_(resolver_fini) struct resolver r = {.model = model, .arena = arena};
    size_t cap = ARRAY_SIZE(defaults);

    list_foreach (service, &model->services)
        cap += service->hosts.len;
    list_foreach (vnet, &model->vnets)
        cap += vnet->address_space.len;
    int err = resolver_init(&r, cap);
    if (err == 0)
        err = resolve_platform(&r, which);
    return err < 0 ? err : routes_finish(&r, ret_table);
}
