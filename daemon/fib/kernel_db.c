// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_db.h"

struct vnrs_fibdb_refs {
    struct {
        uint32_t domain, handle;
    } key;
    uint32_t n;
};

static void drop_routes(struct vnrs_fibdb *db, struct vnrs_fibdb_domain *domain)
{
    for (uint32_t id = VNRS_PREFIX_NONE; (id = vnrs_slots_next(&domain->routes, id));)
        vnrs_prefixes_drop(&db->prefixes, id);
    vec_foreach (change, &domain->changes)
        vnrs_prefixes_drop(&db->prefixes, change->prefix);
    vnrs_slots_fini(&domain->routes);
    vnrs_slots_fini(&domain->changed);
    vec_free(&domain->changes);
}

void vnrs_fibdb_clear(struct vnrs_fibdb *db)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&db->domains, &at));)
        drop_routes(db, e->value);
    vnrs_map_fini_values(&db->domains);
    vnrs_map_fini_values(&db->groups);
    vnrs_map_fini_values(&db->refs);
    vec_free(&db->touched);
    vec_free(&db->emptied);
    db->groups_dirty = false;
}

void vnrs_fibdb_fini(struct vnrs_fibdb *db)
{
    vnrs_fibdb_clear(db);
    vnrs_prefixes_fini(&db->prefixes);
}

struct vnrs_fibdb_domain *vnrs_fibdb_domain_find(const struct vnrs_fibdb *db, uint32_t id)
{
    return vnrs_map_find(&db->domains, &id, sizeof(id));
}

const struct vnrs_fibdb_group *vnrs_fibdb_group_find(const struct vnrs_fibdb *db, uint32_t handle)
{
    return vnrs_map_find(&db->groups, &handle, sizeof(handle));
}

uint32_t vnrs_fibdb_match(const struct vnrs_fibdb *db, const struct vnrs_fibdb_domain *domain,
                          const struct vnrs_addr *addr)
{
    unsigned len = VNRS_PREFIX_LENS_MAX;
    uint32_t id, handle = 0;

    while (!handle && (id = vnrs_prefixes_around(&db->prefixes, addr, &len)))
        handle = vnrs_slots_find(&domain->routes, id);
    return handle;
}

static struct vnrs_fibdb_refs *find_refs(const struct vnrs_fibdb *db, uint32_t domain, uint32_t handle)
{
    const struct vnrs_fibdb_refs key = {.key = {domain, handle}};
    return vnrs_map_find(&db->refs, &key.key, sizeof(key.key));
}

uint32_t vnrs_fibdb_refs(const struct vnrs_fibdb *db, uint32_t domain, uint32_t handle)
{
    const struct vnrs_fibdb_refs *refs = find_refs(db, domain, handle);
    return refs ? refs->n : 0;
}

// NULL: out of memory.
static struct vnrs_fibdb_group *add_group(struct vnrs_fibdb *db, uint32_t handle)
{
    struct vnrs_fibdb_group *added = calloc(1, sizeof(*added));

    if (!added)
        return NULL;
    added->group.handle = handle;
    if (vnrs_map_put(&db->groups, &added->group.handle, sizeof(added->group.handle), added) < 0) {
        free(added);
        return NULL;
    }
    return added;
}

bool vnrs_fibdb_is_group(const struct vnrs_fib_group *group)
{
    return group->handle && group->n && group->n <= VNRS_GROUP_MEMBERS_MAX;
}

int vnrs_fibdb_group_set(struct vnrs_fibdb *db, const struct vnrs_fib_group *group)
{
    if (!vnrs_fibdb_is_group(group))
        return -EINVAL;
    struct vnrs_fibdb_group *known = vnrs_map_find(&db->groups, &group->handle, sizeof(group->handle));
    if (known && known->group.n == group->n &&
        memcmp(known->group.members, group->members, sizeof(group->members[0]) * group->n) == 0)
        return 0;
    if (vec_push(&db->touched, group->handle) < 0)
        return -ENOMEM;
    if (!known)
        known = add_group(db, group->handle);
    if (!known)
        return -ENOMEM;
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

// The change of the prefix, made if there is none. The domain has room for the new value after this.
static int get_change(struct vnrs_fibdb *db, struct vnrs_fibdb_domain *domain, uint32_t prefix, uint32_t **ret_group)
{
    uint32_t written = vnrs_slots_find(&domain->routes, prefix), at = vnrs_slots_find(&domain->changed, prefix);

    if (!at) {
        int r = vec_push(&domain->changes, (struct vnrs_fibdb_change){prefix, written, written});
        if (r < 0)
            return r;
        r = vnrs_slots_put(&domain->changed, prefix, at = (uint32_t)domain->changes.len);
        if (r < 0) {
            domain->changes.len--;
            return r;
        }
        vnrs_prefixes_hold(&db->prefixes, prefix);
    }
    *ret_group = &domain->changes.items[at - 1].group;
    return 0;
}

static int change(struct vnrs_fibdb *db, struct vnrs_fibdb_domain *domain, uint32_t prefix, uint32_t group)
{
    uint32_t old = vnrs_slots_find(&domain->routes, prefix), *wanted;

    if (old == group)
        return 0;
    int r = get_change(db, domain, prefix, &wanted);
    if (r == 0)
        r = vnrs_slots_put(&domain->routes, prefix, group);
    if (r < 0)
        return r;
    *wanted = group;
    if (!old)
        vnrs_prefixes_hold(&db->prefixes, prefix);
    if (!group)
        vnrs_prefixes_drop(&db->prefixes, prefix);
    return 0;
}

int vnrs_fibdb_number_set(struct vnrs_fibdb *db, uint32_t domain, uint32_t prefix, uint32_t group)
{
    struct vnrs_fibdb_domain *in;

    if (group && !vnrs_fibdb_group_find(db, group))
        return -ENOENT;
    int r = get_domain(db, domain, &in);
    return r < 0 ? r : change(db, in, prefix, group);
}

bool vnrs_fibdb_is_route(const struct vnrs_fib_route *route)
{
    return route->domain && (route->prefix.family == VNRS_AF_IPV4 || route->prefix.family == VNRS_AF_IPV6) &&
           route->prefix.len <= vnrs_af_bits(route->prefix.family);
}

int vnrs_fibdb_route_set(struct vnrs_fibdb *db, const struct vnrs_fib_route *route)
{
    uint32_t prefix;

    if (!vnrs_fibdb_is_route(route))
        return -EINVAL;
    if (!route->group && !vnrs_prefixes_find(&db->prefixes, &route->prefix))
        return 0;
    int r = vnrs_prefixes_get(&db->prefixes, &route->prefix, &prefix);
    if (r < 0)
        return r;
    r = vnrs_fibdb_number_set(db, route->domain, prefix, route->group);
    vnrs_prefixes_drop(&db->prefixes, prefix);
    return r;
}

static int cmp_change(const void *a, const void *b, void *arg)
{
    const struct vnrs_fibdb_change *x = a, *y = b;
    const struct vnrs_fibdb *db = arg;

    if (x->group || y->group)
        return !x->group - !y->group;
    const struct vnrs_prefix p = vnrs_prefixes_prefix(&db->prefixes, x->prefix),
                             q = vnrs_prefixes_prefix(&db->prefixes, y->prefix);
    return vnrs_prefix_cmp(&q, &p);
}

void vnrs_fibdb_order(struct vnrs_fibdb *db)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&db->domains, &at));) {
        struct vnrs_fibdb_domain *domain = e->value;
        size_t removed = 0;
        vec_foreach (change, &domain->changes)
            removed += !change->group;
        if (!removed)
            continue;
        qsort_r(domain->changes.items, domain->changes.len, sizeof(domain->changes.items[0]), cmp_change, db);
        for (size_t i = 0; i < domain->changes.len; i++)
            vnrs_slots_replace(&domain->changed, domain->changes.items[i].prefix, (uint32_t)i + 1);
    }
}

static int ref(struct vnrs_fibdb *db, uint32_t domain, uint32_t handle)
{
    struct vnrs_fibdb_refs *refs = find_refs(db, domain, handle);
    struct vnrs_fibdb_group *group = vnrs_map_find(&db->groups, &handle, sizeof(handle));

    if (!refs) {
        _free_ struct vnrs_fibdb_refs *added = calloc(1, sizeof(*added));
        if (!added)
            return -ENOMEM;
        *added = (struct vnrs_fibdb_refs){.key = {domain, handle}};
        int r = vnrs_map_put(&db->refs, &added->key, sizeof(added->key), added);
        if (r < 0)
            return r;
        refs = TAKE_PTR(added);
    }
    refs->n++;
    if (group) {
        group->uses++;
        group->was_used = true;
    }
    return 0;
}

static int unref(struct vnrs_fibdb *db, uint32_t domain, uint32_t handle)
{
    struct vnrs_fibdb_refs *refs = find_refs(db, domain, handle);
    struct vnrs_fibdb_group *group = vnrs_map_find(&db->groups, &handle, sizeof(handle));
    int r = 0;

    if (!refs || !refs->n)
        return 0;
    if (refs->n == 1)
        r = vec_push(&db->emptied, refs);
    if (r == 0 && group && group->uses == 1)
        r = vec_push(&db->touched, handle);
    if (r < 0)
        return r;
    refs->n--;
    if (group && group->uses)
        group->uses--;
    return 0;
}

static int commit_domain(struct vnrs_fibdb *db, struct vnrs_fibdb_domain *domain, size_t *max)
{
    for (; domain->changes.len && *max; --*max) {
        const struct vnrs_fibdb_change change = domain->changes.items[domain->changes.len - 1];
        int r = change.group ? ref(db, domain->id, change.group) : 0;
        if (r == 0 && change.written)
            r = unref(db, domain->id, change.written);
        if (r < 0)
            return r;
        domain->changes.len--;
        vnrs_slots_remove(&domain->changed, change.prefix);
        vnrs_prefixes_drop(&db->prefixes, change.prefix);
    }
    if (domain->changes.len)
        return 1;
    vec_free(&domain->changes);
    return 0;
}

int vnrs_fibdb_commit_routes(struct vnrs_fibdb *db, size_t max)
{
    struct vnrs_map_entry *e;
    int r = 0;

    for (size_t at = 0; r == 0 && (e = vnrs_map_next(&db->domains, &at));)
        r = commit_domain(db, e->value, &max);
    return r;
}

int vnrs_fibdb_commit(struct vnrs_fibdb *db, void (*released)(void *arg, uint32_t domain, uint32_t handle), void *arg)
{
    int r = vnrs_fibdb_commit_routes(db, SIZE_MAX);

    if (r < 0)
        return r;
    vec_foreach (at, &db->emptied) {
        struct vnrs_fibdb_refs *refs = *at;
        if (!refs || refs->n)
            continue;
        for (struct vnrs_fibdb_refs **again = at + 1; again < db->emptied.items + db->emptied.len; again++)
            *again = *again == refs ? NULL : *again;
        if (released)
            released(arg, refs->key.domain, refs->key.handle);
        (void)vnrs_map_remove(&db->refs, &refs->key, sizeof(refs->key));
        free(refs);
    }
    vec_foreach (handle, &db->touched) {
        struct vnrs_fibdb_group *group = vnrs_map_find(&db->groups, handle, sizeof(*handle));
        if (!group)
            continue;
        group->dirty = false;
        if (group->uses || !group->was_used)
            continue;
        (void)vnrs_map_remove(&db->groups, handle, sizeof(*handle));
        free(group);
    }
    vec_free(&db->touched);
    vec_free(&db->emptied);
    db->groups_dirty = false;
    return 0;
}
