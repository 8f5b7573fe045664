// SPDX-License-Identifier: GPL-2.0-or-later
// What the hubs of a lab learned, and the effective routes of a domain for whoever asks: they are computed
// when they are asked for and kept nowhere.
#include "control/state.h"

#include <errno.h>
#include <string.h>

struct vnrs_lab_routes *vnrs_lab_routes_get(struct vnrs_lab *lab, const char *key)
{
    vec_foreach (known, &lab->routes) {
        if (strcmp((*known)->key, key) == 0)
            return *known;
    }
    struct vnrs_lab_routes *routes = calloc(1, sizeof(*routes));
    if (!routes)
        return NULL;
    routes->key = strdup(key);
    routes->db = vnrs_learned_db_new(&lab->prefixes, &lab->last_origin);
    if (!routes->key || !routes->db || vec_push(&lab->routes, routes) < 0) {
        vnrs_lab_routes_free(routes);
        return NULL;
    }
    return routes;
}

void vnrs_lab_routes_free(struct vnrs_lab_routes *routes)
{
    vnrs_learned_db_free(routes->db);
    free(routes->key);
    free(routes);
}

void vnrs_lab_routes_prune(struct vnrs_lab *lab)
{
    for (size_t i = lab->routes.len; i-- > 0;) {
        struct vnrs_lab_routes *routes = lab->routes.items[i];
        bool used = false;
        vec_foreach (instance, &lab->instances)
            for (unsigned o = 0; o < (*instance)->n_outlets; o++)
                used |= (*instance)->outlets[o].db == routes->db;
        if (used)
            continue;
        vnrs_lab_routes_free(routes);
        lab->routes.items[i] = lab->routes.items[--lab->routes.len];
        vec_clear(&lab->domains); // they may name it
    }
}

struct vnrs_learned_db *vnrs_lab_learned_in(const struct vnrs_lab *lab, const char *key)
{
    vec_foreach (routes, &lab->routes) {
        if (strcmp((*routes)->key, key) == 0)
            return (*routes)->db;
    }
    return NULL;
}

struct vnrs_learned_db *vnrs_lab_learned_of(const struct vnrs_lab *lab, const struct vnrs_vnet *hub)
{
    return hub ? vnrs_lab_learned_in(lab, hub->name) : NULL;
}

// What is learned, as the routing layer wants it.
struct gathered {
    const struct vnrs_lab *lab;
    const struct vnrs_domain *domain;
    struct vnrs_learned_db *db;
    struct vnrs_arena *arena;
    unsigned stays_s; // what is in force counts for prefixes that changed; 0: what is learned
    uint32_t number;  // of the domain, for the sinks
    VEC(struct vnrs_learned_route) routes;
};

static int compare_route(const void *a, const void *b)
{
    return vnrs_prefix_cmp(&((const struct vnrs_learned_route *)a)->prefix,
                           &((const struct vnrs_learned_route *)b)->prefix);
}

static void add_hop(struct vnrs_learned_set *set, const struct vnrs_addr *hop)
{
    for (unsigned i = 0; i < set->n; i++)
        if (vnrs_addr_equal(&set->paths[i].nexthop, hop))
            return; // another backend of the same load balancer
    if (set->n < ARRAY_SIZE(set->paths))
        set->paths[set->n++].nexthop = *hop;
}

// The next hops that the sinks have; `*ret_set` is NULL where they have nothing that was learned. Of a pivotal prefix
// None is a row of the system.
static int find_in_force(struct gathered *g, uint32_t id, const struct vnrs_prefix *prefix,
                         const struct vnrs_learned_set **ret_set)
{
    enum vnrs_nexthop_type type = VNRS_NH_NONE;
    unsigned n = 0;
    const struct vnrs_fib_member *members = vnrs_fib_find(g->lab->fib, g->number, id, &type, &n);
    bool dropped = type == VNRS_NH_NONE && !vnrs_learned_is_pivotal(prefix);

    *ret_set = NULL;
    if (!members || (type != VNRS_NH_GATEWAY && !dropped))
        return 0;
    struct vnrs_learned_set *set = vnrs_arena_alloc(g->arena, sizeof(*set));
    if (!set)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++)
        add_hop(set, &members[i].via);
    *ret_set = set;
    return 0;
}

static int add_in_force(struct gathered *g, uint32_t id, const struct vnrs_prefix *prefix)
{
    struct vnrs_learned_route route = {.prefix = *prefix, .stays_s = g->stays_s};
    struct vnrs_learned_merged merged;
    int r = find_in_force(g, id, prefix, &route.set);

    if (r < 0 || !route.set)
        return r;
    if (vnrs_learned_get(g->db, id, &merged))
        route.next = merged.set;
    return vec_push(&g->routes, route);
}

static int add_learned(struct gathered *g, uint32_t id)
{
    const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&g->lab->prefixes, id);
    struct vnrs_learned_merged merged;

    // Only of routes that decide for packets there is anything in force.
    if (g->stays_s && vnrs_learned_is_pending(g->db, id) && vnrs_domain_fate(g->domain, &prefix) == VNRS_LEARNED_USED)
        return add_in_force(g, id, &prefix);
    if (!vnrs_learned_get(g->db, id, &merged))
        return 0;
    return vec_push(&g->routes, (struct vnrs_learned_route){
                                    .prefix = prefix, .set = merged.set, .verdict = vnrs_learned_verdict(g->db, id)});
}

// What is learned of prefixes that change other rows.
static int add_pivotal(struct gathered *g)
{
    const struct vnrs_prefix *pivots;
    size_t n;
    int r = 0;

    pivots = vnrs_learned_pivots(&n);
    for (size_t i = 0; i < n && r == 0; i++) {
        uint32_t id = vnrs_prefixes_find(&g->lab->prefixes, &pivots[i]);
        r = id ? add_learned(g, id) : 0;
    }
    return r;
}

static int add_around(struct gathered *g, const struct vnrs_addr *addr)
{
    unsigned len = VNRS_PREFIX_LENS_MAX;
    uint32_t id;
    int r = 0;

    while (r == 0 && (id = vnrs_prefixes_around(&g->lab->prefixes, addr, &len))) {
        const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&g->lab->prefixes, id);
        if (!vnrs_learned_is_pivotal(&prefix))
            r = add_learned(g, id);
    }
    return r;
}

static int add_all(struct gathered *g)
{
    struct vnrs_learned_merged merged;
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_learned_next(g->db, id));)
        r = add_learned(g, id);
    for (uint32_t id = VNRS_PREFIX_NONE; g->stays_s && r == 0 && (id = vnrs_learned_pending_next(g->db, id));)
        if (!vnrs_learned_get(g->db, id, &merged)) // withdrawn
            r = add_learned(g, id);
    return r;
}

static int gather(struct gathered *g, enum vnrs_lab_learned which, const struct vnrs_addr *addr)
{
    int r = which == VNRS_LAB_LEARNED_ALL ? add_all(g) : add_pivotal(g);

    if (r == 0 && which == VNRS_LAB_LEARNED_AROUND)
        r = add_around(g, addr);
    if (r == 0 && vnrs_learned_failed(g->db))
        r = -ENOMEM;
    if (g->routes.len)
        qsort(g->routes.items, g->routes.len, sizeof(*g->routes.items), compare_route);
    return r;
}

static uint32_t domain_number(const struct vnrs_lab *lab, const struct vnrs_domain *domain)
{
    vec_foreach (d, &lab->domains) {
        if (d->domain == domain)
            return d->number;
    }
    return 0;
}

int vnrs_lab_domain_compute(const struct vnrs_lab *lab, const struct vnrs_domain *domain, enum vnrs_lab_learned which,
                            const struct vnrs_addr *addr, struct vnrs_arena *arena, struct vnrs_domain *ret_domain)
{
    struct gathered g = {.lab = lab,
                         .domain = domain,
                         .db = vnrs_lab_learned_of(lab, domain->hub),
                         .arena = arena,
                         .number = domain_number(lab, domain)};
    size_t n_pending;

    if (which != VNRS_LAB_LEARNED_PIVOTAL && g.number)
        g.stays_s = (unsigned)((vnrs_lab_damped_ms(lab, domain->hub, &n_pending) + 999) / 1000);
    int r = g.db ? gather(&g, which, addr) : 0;
    const struct vnrs_learned learned = {.hub = domain->hub, .routes = g.routes.items, .n_routes = g.routes.len};
    if (r == 0)
        r = vnrs_domain_compute(domain, lab->model, lab->reach, &learned, arena, ret_domain);
    vec_free(&g.routes);
    return r;
}
