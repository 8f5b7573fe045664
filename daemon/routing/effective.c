// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/effective.h"

#include "util/arena.h"

#include <errno.h>
#include <string.h>

static const struct vnrs_prefix default_v4 = {.family = VNRS_AF_IPV4};
static const struct vnrs_prefix default_v6 = {.family = VNRS_AF_IPV6};

// azure-routing.md 1.1: the reserved ranges, of which IPv6 has none; 1.2: those that no document names; and the default
// routes.
#define N_RESERVED     4u
#define AT_172         2u // was missing from tables of before 2023
#define N_NONE         24u
#define PIVOT_BITS_MAX 22u // no longer prefix is among them

static const struct vnrs_prefix pivots[] = {
    {VNRS_AF_IPV4, 8, {10}},
    {VNRS_AF_IPV4, 10, {100, 64}},
    [AT_172] = {VNRS_AF_IPV4, 12, {172, 16}},
    {VNRS_AF_IPV4, 16, {192, 168}},
    [N_RESERVED] = {VNRS_AF_IPV4, 22, {20, 35, 252}},
    {VNRS_AF_IPV4, 18, {23, 103}},
    {VNRS_AF_IPV4, 14, {25, 4}},
    {VNRS_AF_IPV4, 16, {25, 33}},
    {VNRS_AF_IPV4, 20, {25, 41}},
    {VNRS_AF_IPV4, 12, {25, 48}},
    {VNRS_AF_IPV4, 15, {25, 148}},
    {VNRS_AF_IPV4, 16, {25, 150}},
    {VNRS_AF_IPV4, 14, {25, 152}},
    {VNRS_AF_IPV4, 16, {25, 156}},
    {VNRS_AF_IPV4, 16, {25, 159}},
    {VNRS_AF_IPV4, 13, {25, 176}},
    {VNRS_AF_IPV4, 14, {25, 184}},
    {VNRS_AF_IPV4, 17, {40, 108}},
    {VNRS_AF_IPV4, 16, {40, 109}},
    {VNRS_AF_IPV4, 17, {104, 146}},
    {VNRS_AF_IPV4, 16, {104, 147}},
    {VNRS_AF_IPV4, 8, {127}},
    {VNRS_AF_IPV4, 16, {157, 59}},
    {VNRS_AF_IPV4, 15, {198, 18}},
    [N_NONE] = {VNRS_AF_IPV4, 0, {0}},
    {VNRS_AF_IPV6, 0, {0}},
};

enum beaten { BEATEN_DEFAULT = 1, BEATEN_GATEWAY = 2 };

// Why learned routes are there that came about in the same way.
struct learned_why {
    struct learned_why *next;
    struct vnrs_learned_verdict verdict;
    unsigned n_next_hops;
    const char *text;
};

// One domain being filled.
struct table {
    struct vnrs_domain *domain;
    const struct vnrs_model *model;
    const struct vnrs_reach *reach;
    const struct vnrs_learned *learned; // NULL: none
    struct vnrs_arena *arena;
    const struct vnrs_domain_rules *rules;
    uint8_t *udr_beat;                // per entry of rules->users: enum beaten
    struct learned_why *learned_whys; // made when first needed
    bool failed;                      // out of memory; looked at once in the end
};

#define SAY(t, ...)                                                                                                    \
    ({                                                                                                                 \
        const char *text_ = vnrs_arena_printf((t)->arena, __VA_ARGS__);                                                \
        (t)->failed |= !text_;                                                                                         \
        text_;                                                                                                         \
    })

static void cover_put(struct vnrs_cover *cover, const struct vnrs_prefix *prefix, const void *value)
{
    cover->entries[cover->len] = (struct vnrs_cover_entry){
        .prefix = prefix,
        .value = value,
        .order = (uint32_t)cover->len,
    };
    cover->len++;
}

static int cover_alloc(struct vnrs_arena *arena, struct vnrs_cover *cover, size_t cap)
{
    cover->len = 0;
    cover->entries = vnrs_arena_alloc(arena, cap * sizeof(*cover->entries));
    return cover->entries ? 0 : -ENOMEM;
}

static bool peering_counts(const struct vnrs_domain *domain, const struct vnrs_peering *peering)
{
    return peering->vnet == domain->vnet && vnrs_peering_is_usable(peering) &&
           !(domain->table && domain->table->disable_peering);
}

static const struct vnrs_subnet *subnet_of(const struct vnrs_domain *domain)
{
    return domain->subnets.items[0]; // all are alike in what is read here
}

static int local_collect(struct vnrs_domain *domain, const struct vnrs_model *model, struct vnrs_arena *arena,
                         struct vnrs_cover *local)
{
    size_t n = domain->vnet->address_space.len;

    list_foreach (peering, &model->peerings)
        n += peering_counts(domain, peering) ? peering->remote_space.len : 0;
    if (cover_alloc(arena, local, n) < 0)
        return -ENOMEM;
    list_foreach (range, &domain->vnet->address_space)
        cover_put(local, range, domain->vnet);
    list_foreach (peering, &model->peerings) {
        if (!peering_counts(domain, peering))
            continue;
        list_foreach (range, &peering->remote_space)
            cover_put(local, range, peering->remote);
    }
    vnrs_cover_build(local);
    return 0;
}

static int endpoints_collect(struct vnrs_domain *domain, struct vnrs_arena *arena, struct vnrs_cover *endpoints)
{
    size_t n = 0;

    list_foreach (service, &subnet_of(domain)->service_endpoints)
        n += (*service)->prefixes.len;
    if (cover_alloc(arena, endpoints, n) < 0)
        return -ENOMEM;
    list_foreach (service, &subnet_of(domain)->service_endpoints) {
        list_foreach (prefix, &(*service)->prefixes)
            cover_put(endpoints, prefix, *service);
    }
    vnrs_cover_build(endpoints);
    return 0;
}

// Which of several user routes has a prefix: that of the lowest rank (azure-routing.md 3.3). NULL: no tag.
static uint32_t tag_rank(const struct vnrs_service_tag *tag)
{
    static const char cloud[] = "AzureCloud";

    if (!tag)
        return 0;
    if (strcmp(tag->name, cloud) == 0)
        return 4;
    if (strncmp(tag->name, cloud, sizeof(cloud) - 1) == 0 && tag->name[sizeof(cloud) - 1] == '.')
        return 3;
    return strchr(tag->name, '.') ? 1 : 2;
}

static size_t users_count(const struct vnrs_domain *domain)
{
    size_t n = 0;

    if (domain->table)
        list_foreach (udr, &domain->table->routes)
            n += udr->tag ? udr->tag->prefixes.len : 1;
    return n;
}

static size_t user_add(struct vnrs_user_route *users, size_t n, const struct vnrs_udr *udr)
{
    if (!udr->tag) {
        users[n] = (struct vnrs_user_route){udr, &udr->prefix};
        return 1;
    }
    list_foreach (prefix, &udr->tag->prefixes)
        users[n++] = (struct vnrs_user_route){udr, prefix};
    return udr->tag->prefixes.len;
}

static int udrs_collect(struct vnrs_domain *domain, struct vnrs_arena *arena, struct vnrs_domain_rules *rules)
{
    size_t cap = users_count(domain), n = 0;
    struct vnrs_user_route *users = vnrs_arena_alloc(arena, cap * sizeof(*users));

    if (!users || cover_alloc(arena, &rules->udrs, cap) < 0)
        return -ENOMEM;
    if (domain->table)
        list_foreach (udr, &domain->table->routes)
            n += user_add(users, n, udr);
    for (size_t i = 0; i < n; i++) {
        cover_put(&rules->udrs, users[i].prefix, &users[i]);
        rules->udrs.entries[i].order += tag_rank(users[i].udr->tag) * (uint32_t)n;
    }
    vnrs_cover_build(&rules->udrs);
    rules->users = users;
    rules->n_users = n;
    return 0;
}

int vnrs_effective_rules(struct vnrs_domain *domain, const struct vnrs_model *model, struct vnrs_arena *arena)
{
    struct vnrs_domain_rules *rules = vnrs_arena_alloc(arena, sizeof(*rules));

    if (!rules || local_collect(domain, model, arena, &rules->local) < 0 ||
        endpoints_collect(domain, arena, &rules->endpoints) < 0 || udrs_collect(domain, arena, rules) < 0)
        return -ENOMEM;
    domain->rules = rules;
    return 0;
}

enum vnrs_learned_fate vnrs_domain_fate(const struct vnrs_domain *domain, const struct vnrs_prefix *prefix)
{
    const struct vnrs_domain_rules *rules = domain->rules;

    if (vnrs_cover_match(&rules->local, prefix))
        return VNRS_LEARNED_SUPPRESSED;
    // A service endpoint is asked before everything else (azure-routing.md 2.1 item 4, 7).
    const struct vnrs_cover_entry *endpoint = vnrs_cover_match(&rules->endpoints, prefix);
    if (endpoint && vnrs_prefix_equal(endpoint->prefix, prefix))
        return VNRS_LEARNED_ENDPOINT;
    if (vnrs_cover_find(&rules->udrs, prefix))
        return VNRS_LEARNED_OVERRIDDEN;
    return endpoint ? VNRS_LEARNED_SHADOWED : VNRS_LEARNED_USED;
}

bool vnrs_learned_is_pivotal(const struct vnrs_prefix *prefix)
{
    bool is = false;

    if (prefix->len > PIVOT_BITS_MAX)
        return false; // most of a full table
    for (size_t i = 0; i < ARRAY_SIZE(pivots) && !is; i++)
        is = vnrs_prefix_equal(prefix, &pivots[i]);
    return is;
}

const struct vnrs_prefix *vnrs_learned_pivots(size_t *ret_n)
{
    *ret_n = ARRAY_SIZE(pivots);
    return pivots;
}

static bool is_shown(const struct table *t, const struct vnrs_learned_route *route)
{
    return route->set->n && vnrs_domain_fate(t->domain, &route->prefix) != VNRS_LEARNED_SUPPRESSED;
}

static int learned_cmp(const void *key, const void *item)
{
    return vnrs_prefix_cmp(key, &((const struct vnrs_learned_route *)item)->prefix);
}

static bool is_learned(const struct table *t, const struct vnrs_prefix *prefix)
{
    if (!t->learned || t->learned->n_routes == 0)
        return false;
    const struct vnrs_learned_route *route =
        bsearch(prefix, t->learned->routes, t->learned->n_routes, sizeof(*t->learned->routes), learned_cmp);
    return route && is_shown(t, route);
}

// A zeroed row at the end; there is room for all (rows_max).
static struct vnrs_eff_route *row_new(struct table *t, const struct vnrs_prefix *prefix, enum vnrs_route_source source,
                                      enum vnrs_nexthop_type type)
{
    struct vnrs_eff_route *row = &t->domain->routes.items[t->domain->routes.len++];

    row->prefix = *prefix;
    row->source = source;
    row->type = type;
    return row;
}

// User beats VirtualNetworkGateway beats Default at the same prefix; the loser is shown as Invalid (azure-routing.md
// 2.1, 2.4).
static void row_contest(struct table *t, struct vnrs_eff_route *row)
{
    const struct vnrs_route_table *table = t->domain->table;
    const struct vnrs_cover_entry *entry = table ? vnrs_cover_find(&t->rules->udrs, &row->prefix) : NULL;
    if (!entry)
        return;
    const struct vnrs_user_route *user = entry->value;
    row->state = VNRS_ROUTE_INVALID;
    row->why = SAY(t, "user route '%s' of route table '%s' has the same prefix: User beats %s", user->udr->name,
                   table->name, vnrs_route_source_name(row->source));
    t->udr_beat[user - t->rules->users] |= row->source == VNRS_SRC_GATEWAY ? BEATEN_GATEWAY : BEATEN_DEFAULT;
}

// A service endpoint is asked before everything else: a route at its prefix has lost, one inside is never reached
// (azure-routing.md 2.1 item 4, 7). True when it has the prefix itself.
static bool row_under_endpoint(struct table *t, struct vnrs_eff_route *row)
{
    const struct vnrs_cover_entry *entry = vnrs_cover_match(&t->rules->endpoints, &row->prefix);
    if (!entry)
        return false;
    const struct vnrs_service *service = entry->value;
    if (vnrs_prefix_equal(entry->prefix, &row->prefix)) {
        row->state = VNRS_ROUTE_INVALID;
        row->why = SAY(t, "service endpoint '%s' has the same prefix and is not overridden", service->name);
        return true;
    }
    row->why =
        SAY(t, "inside a prefix of service endpoint '%s', which is asked first: decides for no packet", service->name);
    return false;
}

static int row_cmp(const void *pa, const void *pb)
{
    const struct vnrs_eff_route *a = pa, *b = pb;
    int order = vnrs_prefix_cmp(&a->prefix, &b->prefix);

    if (order == 0 && a->vnet && b->vnet)
        order = (a->vnet->id > b->vnet->id) - (a->vnet->id < b->vnet->id);
    if (order == 0 && a->service && b->service)
        order = (a->service->id > b->service->id) - (a->service->id < b->service->id);
    if (order == 0 && a->name && b->name)
        order = (int)tag_rank(a->tag) - (int)tag_rank(b->tag);
    return order == 0 && a->name && b->name ? strcmp(a->name, b->name) : order;
}

static void rows_sort(struct table *t, size_t from)
{
    qsort(t->domain->routes.items + from, t->domain->routes.len - from, sizeof(*t->domain->routes.items), row_cmp);
}

static void rows_vnet_local(struct table *t)
{
    size_t from = t->domain->routes.len;
    const struct vnrs_vnet *vnet = t->domain->vnet;

    list_foreach (range, &vnet->address_space) {
        struct vnrs_eff_route *row = row_new(t, range, VNRS_SRC_DEFAULT, VNRS_NH_VNET_LOCAL);
        row->vnet = vnet;
        row->why = SAY(t, "address range of virtual network '%s'", vnet->name);
        row_contest(t, row);
    }
    rows_sort(t, from);
}

static bool has_range(const struct vnrs_vnet *vnet, const struct vnrs_prefix *range)
{
    list_foreach (have, &vnet->address_space) {
        if (vnrs_prefix_equal(have, range))
            return true;
    }
    return false;
}

static void rows_peering(struct table *t)
{
    size_t from = t->domain->routes.len;

    list_foreach (peering, &t->model->peerings) {
        if (!peering_counts(t->domain, peering))
            continue;
        list_foreach (range, &peering->remote_space) {
            struct vnrs_eff_route *row = row_new(t, range, VNRS_SRC_DEFAULT,
                                                 peering->global ? VNRS_NH_VNET_GLOBAL_PEERING : VNRS_NH_VNET_PEERING);
            row->vnet = peering->remote;
            row->why =
                SAY(t, "address range of virtual network '%s', peered with this one%s%s", peering->remote->name,
                    peering->global ? " from another region" : "",
                    has_range(peering->remote, range) ? "" : ", which has it no more: the peering is not in sync");
            row_contest(t, row);
        }
    }
    rows_sort(t, from);
}

// "Route Server 'rs' and VPN gateway 'vpn'": who of the hub is of these classes.
static const char *classes_text(struct table *t, unsigned classes)
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
            text = SAY(t, "%s%s%s '%s'", text, *text ? " and " : "", kinds[class], names[class] ? names[class] : "");
    }
    return text ? text : "";
}

// What it was preferred to, and why (azure-routing.md 2.5, 5.7, 5.8).
static const char *beaten_text(struct table *t, const struct vnrs_learned_verdict *verdict)
{
    const char *text = "";

    if (verdict->ranked)
        text = SAY(t, "; preferred to that of %s by hubRoutingPreference %s", classes_text(t, verdict->ranked),
                   vnrs_hub_preference_name(vnrs_hub_preference_of(t->model, t->domain->hub)));
    if (verdict->longer && text)
        text = SAY(t, "%s; its AS path is shorter than that of %s", text, classes_text(t, verdict->longer));
    return text ? text : "";
}

// `n` next hops; 0: packets are dropped.
static const char *make_learned_why(struct table *t, const struct vnrs_prefix *prefix,
                                    const struct vnrs_learned_verdict *verdict, unsigned n)
{
    const char *who = classes_text(t, verdict->won ? verdict->won : 1u << VNRS_LEARNED_NVA);
    const char *beaten = beaten_text(t, verdict), *dropped = n ? "" : " as BLACKHOLE (RFC 7999): packets are dropped";

    if (prefix->len == 0)
        return SAY(t, "learned by %s%s%s; replaces the system default route%s", who, dropped, beaten,
                   prefix->family == VNRS_AF_IPV4 ? " and the None routes" : "");
    if (n == 0)
        return SAY(t, "learned by %s%s%s", who, dropped, beaten);
    if (n == 1)
        return SAY(t, "learned by %s%s", who, beaten);
    return SAY(t, "learned by %s; %u equal next hops share the flows%s", who, n, beaten);
}

static const char *learned_why(struct table *t, const struct vnrs_learned_route *route, unsigned n)
{
    struct learned_why *why;

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
    *why = (struct learned_why){t->learned_whys, route->verdict, n,
                                make_learned_why(t, &route->prefix, &route->verdict, n)};
    t->learned_whys = why;
    return why->text;
}

// "10.0.2.4, 10.0.2.5", "dropped" or "withdrawn".
static const char *set_text(struct table *t, const struct vnrs_learned_set *set)
{
    char ip[VNRS_ADDR_STR_MAX];
    const char *text = "";

    if (!set || vnrs_learned_is_drop(set))
        return set ? "dropped" : "withdrawn";
    for (unsigned i = 0; i < set->n && text; i++)
        text = SAY(t, "%s%s%s", text, i ? ", " : "", vnrs_addr_format(&set->paths[i].nexthop, ip));
    return text;
}

// A route of before, whose change has to wait.
static const char *stays_why(struct table *t, const struct vnrs_learned_route *route)
{
    const char *next = set_text(t, route->next);

    return SAY(t, "learned; changes in %u s (routeChangeDelay): then %s", route->stays_s, next ? next : "");
}

static const struct vnrs_addr *learned_hops(struct table *t, const struct vnrs_learned_set *set)
{
    struct vnrs_addr *hops = vnrs_arena_alloc(t->arena, set->n * sizeof(*hops));

    t->failed |= !hops;
    for (unsigned i = 0; hops && i < set->n; i++)
        hops[i] = set->paths[i].nexthop;
    return hops;
}

// By prefix already. Rows of one set share their next hops where they follow each other.
static void rows_learned(struct table *t)
{
    const struct vnrs_learned_set *last = NULL;
    const struct vnrs_addr *hops = NULL;

    for (size_t i = 0; t->learned && i < t->learned->n_routes && !t->failed; i++) {
        const struct vnrs_learned_route *route = &t->learned->routes[i];
        if (!is_shown(t, route))
            continue;
        bool dropped = vnrs_learned_is_drop(route->set);
        struct vnrs_eff_route *row =
            row_new(t, &route->prefix, VNRS_SRC_GATEWAY, dropped ? VNRS_NH_NONE : VNRS_NH_GATEWAY);
        if (route->set != last)
            hops = dropped ? NULL : learned_hops(t, route->set);
        last = route->set;
        row->n_next_hops = hops ? last->n : 0;
        row->next_hops = hops;
        row->why = route->stays_s ? stays_why(t, route) : learned_why(t, route, row->n_next_hops);
        if (!row_under_endpoint(t, row))
            row_contest(t, row);
    }
}

static void rows_endpoints(struct table *t)
{
    size_t from = t->domain->routes.len;

    list_foreach (service, &subnet_of(t->domain)->service_endpoints) {
        list_foreach (prefix, &(*service)->prefixes) {
            struct vnrs_eff_route *row = row_new(t, prefix, VNRS_SRC_DEFAULT, VNRS_NH_SERVICE_ENDPOINT);
            row->service = *service;
            row->why = SAY(t, "service endpoint '%s' of the subnet: asked first, not overridden by any route",
                           (*service)->name);
        }
    }
    rows_sort(t, from);
}

// A learned default route makes the system one go away, rather than Invalid (azure-routing.md 2.4).
static void row_default(struct table *t, const struct vnrs_prefix *prefix)
{
    if (is_learned(t, prefix))
        return;
    struct vnrs_eff_route *row = row_new(t, prefix, VNRS_SRC_DEFAULT, VNRS_NH_INTERNET);
    row->why = t->model->internet.present ? "system default route"
                                          : "system default route; this lab has no Internet: packets are dropped";
    row_contest(t, row);
}

static void rows_default(struct table *t)
{
    bool has_v6 = false;

    list_foreach (range, &t->domain->vnet->address_space)
        has_v6 |= range->family == VNRS_AF_IPV6;
    row_default(t, &default_v4);
    if (has_v6)
        row_default(t, &default_v6);
}

// azure-routing.md 1.2. The documentation does not speak of a peering range, or of a learned prefix, that is equal to
// or around a reserved one: rules 1 and 2 and the learned default's are applied to them.
static void rows_none(struct table *t)
{
    enum vnrs_none_routes kind = t->model->none_routes;
    size_t from = t->domain->routes.len;

    if (vnrs_cover_find(&t->rules->udrs, &default_v4) || is_learned(t, &default_v4))
        return;
    for (size_t i = 0; i < (kind == VNRS_NONE_PLATFORM ? N_NONE : N_RESERVED); i++) {
        if (kind == VNRS_NONE_LEGACY && i == AT_172)
            continue;
        if (vnrs_cover_match(&t->rules->local, &pivots[i]) || is_learned(t, &pivots[i]))
            continue;
        struct vnrs_eff_route *row = row_new(t, &pivots[i], VNRS_SRC_DEFAULT, VNRS_NH_NONE);
        row->why = "system route: a reserved range that no virtual network route replaces is dropped";
        row_contest(t, row);
    }
    rows_sort(t, from);
}

// Where user routes of type VirtualNetworkGateway lead: to the VPN gateway that the virtual network has or uses, unless
// there is an ExpressRoute gateway beside it (azure-routing.md 3.1). Propagation of learned routes has no say in it.
static const struct vnrs_gateway *udr_gateway(const struct table *t)
{
    const struct vnrs_vnet *hub = vnrs_model_hub_of(t->model, t->domain->vnet);

    if (!hub || vnrs_model_gateway_of(t->model, hub, VNRS_GATEWAY_EXPRESSROUTE))
        return NULL;
    return vnrs_model_gateway_of(t->model, hub, VNRS_GATEWAY_VPN);
}

static const char *gateway_caveat(const struct table *t)
{
    const struct vnrs_vnet *hub = vnrs_model_hub_of(t->model, t->domain->vnet);

    if (udr_gateway(t))
        return "";
    if (hub && vnrs_model_gateway_of(t->model, hub, VNRS_GATEWAY_VPN))
        return "; no use beside an ExpressRoute gateway: packets are dropped";
    return "; there is no VPN gateway: packets are dropped";
}

// The instances' addresses, one next hop each.
static void udr_gateway_hops(struct table *t, struct vnrs_eff_route *row)
{
    const struct vnrs_gateway *gateway = udr_gateway(t);
    struct vnrs_addr *hops = gateway ? vnrs_arena_alloc(t->arena, gateway->n_instances * sizeof(*hops)) : NULL;

    t->failed |= gateway && !hops;
    for (unsigned i = 0; hops && i < gateway->n_instances; i++)
        hops[i] = gateway->instances[i].ip;
    row->next_hops = hops;
    row->n_next_hops = hops ? gateway->n_instances : 0;
}

static const char *appliance_caveat(struct table *t, const struct vnrs_udr *udr)
{
    char ip[VNRS_ADDR_STR_MAX];

    list_foreach (hop, &udr->next_hops) {
        if (!vnrs_reach_find(t->reach, t->domain->vnet, hop) && !vnrs_reach_balancer(t->reach, t->domain->vnet, hop))
            return SAY(t, "; no NIC of this or a peered virtual network has %s: %s", vnrs_addr_format(hop, ip),
                       udr->ecmp ? "the others share its flows" : "packets are dropped");
    }
    return "";
}

// What there is to add about where a user route leads; "" when it does what it says.
static const char *udr_caveat(struct table *t, const struct vnrs_udr *udr)
{
    switch (udr->type) {
    case VNRS_NH_APPLIANCE:
        return appliance_caveat(t, udr);
    case VNRS_NH_GATEWAY:
        return gateway_caveat(t);
    case VNRS_NH_INTERNET:
        return t->model->internet.present ? "" : "; this lab has no Internet: packets are dropped";
    default:
        return "";
    }
}

static const char *udr_why(struct table *t, const struct vnrs_user_route *user)
{
    const struct vnrs_udr *udr = user->udr;
    static const char *const beats[] = {
        [0] = "",
        [BEATEN_DEFAULT] = "; User beats Default at the same prefix",
        [BEATEN_GATEWAY] = "; User beats VirtualNetworkGateway at the same prefix",
        [BEATEN_DEFAULT | BEATEN_GATEWAY] = "; User beats VirtualNetworkGateway and Default at the same prefix",
    };
    const char *caveat = udr_caveat(t, udr), *table = t->domain->table->name;

    return SAY(t, "user route of route table '%s'%s%s%s%s", table, udr->tag ? ", prefix of service tag " : "",
               udr->tag ? udr->tag->name : "", beats[t->udr_beat[user - t->rules->users]], caveat ? caveat : "");
}

// Of several user routes with the prefix, which only service tags can give, one wins (azure-routing.md 3.3).
static void row_rank(struct table *t, struct vnrs_eff_route *row, const struct vnrs_user_route *user)
{
    const struct vnrs_user_route *winner =
        ((const struct vnrs_cover_entry *)vnrs_cover_find(&t->rules->udrs, user->prefix))->value;

    if (winner->udr == user->udr)
        return;
    row->state = VNRS_ROUTE_INVALID;
    row->why = SAY(t, "user route '%s' has the same prefix: %s", winner->udr->name,
                   winner->udr->tag ? "its service tag is preferred" : "a prefix is preferred to a service tag");
}

static void rows_user(struct table *t)
{
    size_t from = t->domain->routes.len;

    if (!t->domain->table)
        return;
    for (const struct vnrs_user_route *user = t->rules->users; user < t->rules->users + t->rules->n_users; user++) {
        const struct vnrs_udr *udr = user->udr;
        struct vnrs_eff_route *row = row_new(t, user->prefix, VNRS_SRC_USER, udr->type);
        row->name = udr->name;
        row->table = t->domain->table;
        row->tag = udr->tag;
        row->ecmp = udr->ecmp;
        row->why = udr_why(t, user);
        row->next_hops = udr->next_hops.items;
        row->n_next_hops = (unsigned)udr->next_hops.len;
        if (udr->type == VNRS_NH_VNET_LOCAL)
            row->vnet = t->domain->vnet;
        if (udr->type == VNRS_NH_GATEWAY)
            udr_gateway_hops(t, row);
        if (!row_under_endpoint(t, row))
            row_rank(t, row, user);
    }
    rows_sort(t, from);
}

static size_t rows_max(const struct table *t)
{
    size_t n = ARRAY_SIZE(pivots);

    n += t->domain->vnet->address_space.len;
    list_foreach (peering, &t->model->peerings)
        n += peering_counts(t->domain, peering) ? peering->remote_space.len : 0;
    list_foreach (service, &subnet_of(t->domain)->service_endpoints)
        n += (*service)->prefixes.len;
    n += t->learned ? t->learned->n_routes : 0;
    return n + t->rules->n_users;
}

static int index_build(struct table *t)
{
    struct vnrs_domain_index *index = vnrs_arena_alloc(t->arena, sizeof(*index));
    size_t n_endpoints = 0;

    list_foreach (row, &t->domain->routes)
        n_endpoints += row->type == VNRS_NH_SERVICE_ENDPOINT;
    if (!index || cover_alloc(t->arena, &index->endpoints, n_endpoints) < 0 ||
        cover_alloc(t->arena, &index->routes, t->domain->routes.len - n_endpoints) < 0)
        return -ENOMEM;
    list_foreach (row, &t->domain->routes) {
        if (row->state != VNRS_ROUTE_ACTIVE)
            continue;
        cover_put(row->type == VNRS_NH_SERVICE_ENDPOINT ? &index->endpoints : &index->routes, &row->prefix, row);
    }
    vnrs_cover_build(&index->endpoints);
    vnrs_cover_build(&index->routes);
    t->domain->index = index;
    return 0;
}

int vnrs_effective_fill(struct vnrs_domain *domain, const struct vnrs_model *model, const struct vnrs_reach *reach,
                        const struct vnrs_learned *learned, struct vnrs_arena *arena)
{
    struct table t = {
        .domain = domain, .model = model, .reach = reach, .learned = learned, .arena = arena, .rules = domain->rules};

    t.udr_beat = vnrs_arena_alloc(arena, domain->rules->n_users);
    domain->routes.len = 0;
    domain->routes.items = vnrs_arena_alloc(arena, rows_max(&t) * sizeof(*domain->routes.items));
    if (!t.udr_beat || !domain->routes.items)
        return -ENOMEM;
    rows_vnet_local(&t);
    rows_peering(&t);
    rows_learned(&t);
    rows_endpoints(&t);
    rows_default(&t);
    rows_none(&t);
    rows_user(&t);
    return t.failed ? -ENOMEM : index_build(&t);
}
