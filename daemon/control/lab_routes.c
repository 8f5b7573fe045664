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

typedef VEC(struct vnrs_learned_route) learned_list;

static int compare_route(const void *a, const void *b)
{
    return vnrs_prefix_cmp(&((const struct vnrs_learned_route *)a)->prefix,
                           &((const struct vnrs_learned_route *)b)->prefix);
}

static int add_learned(const struct vnrs_lab *lab, struct vnrs_learned_db *db, uint32_t id, learned_list *list)
{
    struct vnrs_learned_merged merged;

    if (!vnrs_learned_get(db, id, &merged))
        return 0;
    return vec_push(list, (struct vnrs_learned_route){.prefix = vnrs_prefixes_prefix(&lab->prefixes, id),
                                                      .set = merged.set,
                                                      .verdict = vnrs_learned_verdict(db, id)});
}

// What is learned of prefixes that change other rows.
static int add_pivotal(const struct vnrs_lab *lab, struct vnrs_learned_db *db, learned_list *list)
{
    const struct vnrs_prefix *pivots;
    size_t n;
    int r = 0;

    pivots = vnrs_learned_pivots(&n);
    for (size_t i = 0; i < n && r == 0; i++) {
        uint32_t id = vnrs_prefixes_find(&lab->prefixes, &pivots[i]);
        r = id ? add_learned(lab, db, id, list) : 0;
    }
    return r;
}

static int add_around(const struct vnrs_lab *lab, struct vnrs_learned_db *db, const struct vnrs_addr *addr,
                      learned_list *list)
{
    unsigned len = VNRS_PREFIX_LENS_MAX;
    uint32_t id;
    int r = 0;

    while (r == 0 && (id = vnrs_prefixes_around(&lab->prefixes, addr, &len))) {
        const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&lab->prefixes, id);
        if (!vnrs_learned_is_pivotal(&prefix))
            r = add_learned(lab, db, id, list);
    }
    return r;
}

static int add_all(const struct vnrs_lab *lab, struct vnrs_learned_db *db, learned_list *list)
{
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_learned_next(db, id));)
        r = add_learned(lab, db, id, list);
    return r;
}

int vnrs_lab_domain_compute(const struct vnrs_lab *lab, const struct vnrs_domain *domain, enum vnrs_lab_learned which,
                            const struct vnrs_addr *addr, struct vnrs_arena *arena, struct vnrs_domain *ret_domain)
{
    struct vnrs_learned_db *db = vnrs_lab_learned_of(lab, domain->hub);
    learned_list list = {0};
    int r = 0;

    if (db)
        r = which == VNRS_LAB_LEARNED_ALL ? add_all(lab, db, &list) : add_pivotal(lab, db, &list);
    if (db && r == 0 && which == VNRS_LAB_LEARNED_AROUND)
        r = add_around(lab, db, addr, &list);
    if (db && r == 0 && vnrs_learned_failed(db))
        r = -ENOMEM;
    if (list.len)
        qsort(list.items, list.len, sizeof(*list.items), compare_route);
    const struct vnrs_learned learned = {.hub = domain->hub, .routes = list.items, .n_routes = list.len};
    if (r == 0)
        r = vnrs_domain_compute(domain, lab->model, lab->reach, &learned, arena, ret_domain);
    vec_free(&list);
    return r;
}
