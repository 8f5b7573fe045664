// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_db.h"

struct refs {
    struct {
        uint32_t domain, handle;
    } key;
    uint32_t n;
};

static int free_route(const struct vnrs_prefix *prefix VNRS_UNUSED, void *value, void *arg VNRS_UNUSED)
{
    free(value);
    return 0;
}

void vnrs_fibdb_fini(struct vnrs_fibdb *db)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&db->domains, &at));) {
        struct vnrs_fibdb_domain *domain = e->value;
        (void)vnrs_trie_walk(&domain->routes, free_route, NULL);
        vnrs_trie_fini(&domain->routes);
        vec_free(&domain->changes);
        free(domain);
    }
    for (size_t at = 0; (e = vnrs_map_next(&db->groups, &at));)
        free(e->value);
    for (size_t at = 0; (e = vnrs_map_next(&db->refs, &at));)
        free(e->value);
    vnrs_map_fini(&db->domains);
    vnrs_map_fini(&db->groups);
    vnrs_map_fini(&db->refs);
    db->groups_dirty = false;
}

struct vnrs_fibdb_domain *vnrs_fibdb_domain_find(const struct vnrs_fibdb *db, uint32_t id)
{
    return vnrs_map_find(&db->domains, &id, sizeof(id));
}

const struct vnrs_fib_group *vnrs_fibdb_group_find(const struct vnrs_fibdb *db, uint32_t handle)
{
    const struct vnrs_fibdb_group *group = vnrs_map_find(&db->groups, &handle, sizeof(handle));
    return group ? &group->group : NULL;
}

uint32_t vnrs_fibdb_refs(const struct vnrs_fibdb *db, uint32_t domain, uint32_t handle)
{
    const struct refs key = {.key = {domain, handle}};
    const struct refs *refs = vnrs_map_find(&db->refs, &key.key, sizeof(key.key));
    return refs ? refs->n : 0;
}

int vnrs_fibdb_group_set(struct vnrs_fibdb *db, const struct vnrs_fib_group *group)
{
    if (group->handle == 0 || group->n == 0 || group->n > VNRS_GROUP_MEMBERS_MAX)
        return -EINVAL;
    struct vnrs_fibdb_group *known = vnrs_map_find(&db->groups, &group->handle, sizeof(group->handle));
    if (!known) {
        _free_ struct vnrs_fibdb_group *added = calloc(1, sizeof(*added));
        if (!added)
            return -ENOMEM;
        added->group.handle = group->handle;
        int r = vnrs_map_put(&db->groups, &added->group.handle, sizeof(added->group.handle), added);
        if (r < 0)
            return r;
        known = TAKE_PTR(added);
    }
    if (known->group.n == group->n &&
        memcmp(known->group.members, group->members, sizeof(group->members[0]) * group->n) == 0)
        return 0;
    known->group.n = group->n;
    memcpy(known->group.members, group->members, sizeof(group->members[0]) * group->n);
    known->dirty = db->groups_dirty = true;
    return 0;
}

static int get_domain(struct vnrs_fibdb *db, uint32_t id, struct vnrs_fibdb_domain **ret_domain)
{
    struct vnrs_fibdb_domain *domain = vnrs_fibdb_domain_find(db, id);

    if (!domain) {
        _free_ struct vnrs_fibdb_domain *added = calloc(1, sizeof(*added));
        if (!added)
            return -ENOMEM;
        added->id = id;
        int r = vnrs_map_put(&db->domains, &added->id, sizeof(added->id), added);
        if (r < 0)
            return r;
        domain = TAKE_PTR(added);
    }
    *ret_domain = domain;
    return 0;
}

static int change(struct vnrs_fibdb_domain *domain, struct vnrs_fibdb_route *route, uint32_t group)
{
    if (route->group == group)
        return 0;
    if (!route->dirty) {
        int r = vec_push(&domain->changes, route);
        if (r < 0)
            return r;
        route->dirty = true;
    }
    route->group = group;
    return 0;
}

int vnrs_fibdb_route_set(struct vnrs_fibdb *db, const struct vnrs_fib_route *route)
{
    struct vnrs_fibdb_domain *domain;
    unsigned bits = vnrs_af_bits(route->prefix.family);

    if (route->domain == 0 || (route->prefix.family != VNRS_AF_IPV4 && route->prefix.family != VNRS_AF_IPV6) ||
        route->prefix.len > bits)
        return -EINVAL;
    if (route->group && !vnrs_fibdb_group_find(db, route->group))
        return -ENOENT;
    int r = get_domain(db, route->domain, &domain);
    if (r < 0)
        return r;
    struct vnrs_fibdb_route *known = vnrs_trie_find(&domain->routes, &route->prefix);
    if (!known) {
        if (!route->group)
            return 0;
        _free_ struct vnrs_fibdb_route *added = calloc(1, sizeof(*added));
        if (!added)
            return -ENOMEM;
        added->prefix = route->prefix;
        r = vnrs_trie_put(&domain->routes, &added->prefix, added);
        if (r < 0)
            return r;
        known = TAKE_PTR(added);
    }
    return change(domain, known, route->group);
}

static void count_use(struct vnrs_fibdb *db, uint32_t handle, bool more)
{
    struct vnrs_fibdb_group *group = vnrs_map_find(&db->groups, &handle, sizeof(handle));

    if (group && (more || group->uses))
        group->uses += more ? 1 : -1;
}

static int ref(struct vnrs_fibdb *db, uint32_t domain, uint32_t handle)
{
    const struct refs key = {.key = {domain, handle}};
    struct refs *refs = vnrs_map_find(&db->refs, &key.key, sizeof(key.key));

    if (!refs) {
        _free_ struct refs *added = calloc(1, sizeof(*added));
        if (!added)
            return -ENOMEM;
        *added = key;
        int r = vnrs_map_put(&db->refs, &added->key, sizeof(added->key), added);
        if (r < 0)
            return r;
        refs = TAKE_PTR(added);
    }
    refs->n++;
    count_use(db, handle, true);
    return 0;
}

static void unref(struct vnrs_fibdb *db, uint32_t domain, uint32_t handle)
{
    const struct refs key = {.key = {domain, handle}};
    struct refs *refs = vnrs_map_find(&db->refs, &key.key, sizeof(key.key));

    if (!refs || !refs->n)
        return;
    refs->n--;
    count_use(db, handle, false);
}

static int commit_domain(struct vnrs_fibdb *db, struct vnrs_fibdb_domain *domain)
{
    while (domain->changes.len) {
        struct vnrs_fibdb_route *route = domain->changes.items[domain->changes.len - 1];
        if (route->group) {
            int r = ref(db, domain->id, route->group);
            if (r < 0)
                return r;
        }
        if (route->written)
            unref(db, domain->id, route->written);
        route->written = route->group;
        route->dirty = false;
        domain->changes.len--;
        if (!route->group) {
            (void)vnrs_trie_remove(&domain->routes, &route->prefix);
            free(route);
        }
    }
    vec_free(&domain->changes);
    return 0;
}

int vnrs_fibdb_commit(struct vnrs_fibdb *db, void (*released)(void *arg, uint32_t domain, uint32_t handle), void *arg)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&db->domains, &at));) {
        int r = commit_domain(db, e->value);
        if (r < 0)
            return r;
    }
    for (size_t at = 0; (e = vnrs_map_next(&db->refs, &at));) {
        struct refs *refs = e->value;
        if (refs->n)
            continue;
        if (released)
            released(arg, refs->key.domain, refs->key.handle);
        (void)vnrs_map_remove(&db->refs, &refs->key, sizeof(refs->key));
        free(refs);
    }
    for (size_t at = 0; (e = vnrs_map_next(&db->groups, &at));) {
        struct vnrs_fibdb_group *group = e->value;
        group->dirty = false;
        group->was_used |= group->uses > 0;
        if (group->uses || !group->was_used)
            continue;
        (void)vnrs_map_remove(&db->groups, &group->group.handle, sizeof(group->group.handle));
        free(group);
    }
    db->groups_dirty = false;
    return 0;
}
