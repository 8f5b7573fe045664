// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/guest_queue.h"

struct word {
    uint32_t prefix; // number
    uint32_t group;  // handle; 0: the route goes
};

struct domain {
    uint32_t id;
    VEC(struct word) words;
    struct vnrs_slots at; // prefix → place in `words` + 1
};

struct group {
    struct vnrs_fib_group group;
    uint32_t uses; // routes in the queue that have it
};

bool vnrs_guest_queue_is_empty(const struct vnrs_guest_queue *queue)
{
    return !queue->domains.len && !queue->groups.len;
}

static void free_domain(struct vnrs_guest_queue *queue, struct domain *domain, struct vnrs_fibdb *db)
{
    vec_foreach (word, &domain->words)
        vnrs_prefixes_drop(&db->prefixes, word->prefix);
    vec_free(&domain->words);
    vnrs_slots_fini(&domain->at);
    (void)vnrs_map_remove(&queue->domains, &domain->id, sizeof(domain->id));
    free(domain);
}

void vnrs_guest_queue_fini(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&queue->domains, &at));)
        free_domain(queue, e->value, db);
    vnrs_map_fini(&queue->domains);
    vnrs_map_fini_values(&queue->groups);
    vec_free(&queue->left);
    queue->complete = false;
}

static struct group *find_group(const struct vnrs_guest_queue *queue, uint32_t handle)
{
    return vnrs_map_find(&queue->groups, &handle, sizeof(handle));
}

int vnrs_guest_queue_group(struct vnrs_guest_queue *queue, const struct vnrs_fib_group *group)
{
    if (!vnrs_fibdb_is_group(group))
        return -EINVAL;
    struct group *known = find_group(queue, group->handle);
    if (!known) {
        _free_ struct group *added = calloc(1, sizeof(*added));
        if (!added)
            return -ENOMEM;
        added->group.handle = group->handle;
        int r = vnrs_map_put(&queue->groups, &added->group.handle, sizeof(added->group.handle), added);
        if (r < 0)
            return r;
        known = TAKE_PTR(added);
    }
    known->group.n = group->n;
    memcpy(known->group.members, group->members, sizeof(group->members[0]) * group->n);
    queue->complete = false;
    return 0;
}

// NULL: out of memory.
static struct domain *get_domain(struct vnrs_guest_queue *queue, uint32_t id)
{
    struct domain *known = vnrs_map_find(&queue->domains, &id, sizeof(id));

    if (known)
        return known;
    _free_ struct domain *added = calloc(1, sizeof(*added));
    if (!added)
        return NULL;
    added->id = id;
    return vnrs_map_put(&queue->domains, &added->id, sizeof(added->id), added) < 0 ? NULL : TAKE_PTR(added);
}

// The word about a prefix; one that is made says nothing yet, and holds the prefix. NULL: out of memory.
static struct word *get_word(struct domain *domain, struct vnrs_fibdb *db, uint32_t prefix)
{
    uint32_t at = vnrs_slots_find(&domain->at, prefix);

    if (at)
        return &domain->words.items[at - 1];
    if (vec_push(&domain->words, (struct word){.prefix = prefix}) < 0)
        return NULL;
    at = (uint32_t)domain->words.len;
    if (vnrs_slots_put(&domain->at, prefix, at) < 0) {
        domain->words.len--;
        return NULL;
    }
    vnrs_prefixes_hold(&db->prefixes, prefix);
    return &domain->words.items[at - 1];
}

static int say(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db, const struct vnrs_fib_route *route,
               uint32_t prefix)
{
    struct group *group = find_group(queue, route->group);
    struct domain *domain = vec_reserve(&queue->left) < 0 ? NULL : get_domain(queue, route->domain);
    struct word *word = domain ? get_word(domain, db, prefix) : NULL;

    if (!word)
        return -ENOMEM;
    struct group *left = find_group(queue, word->group);
    if (group)
        group->uses++;
    if (left && --left->uses == 0)
        queue->left.items[queue->left.len++] = word->group;
    word->group = route->group;
    queue->complete = false;
    return 0;
}

int vnrs_guest_queue_route(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db, const struct vnrs_fib_route *route)
{
    uint32_t prefix;

    if (!vnrs_fibdb_is_route(route))
        return -EINVAL;
    if (route->group && !find_group(queue, route->group) && !vnrs_fibdb_group_find(db, route->group))
        return -ENOENT;
    if (!route->group && !vnrs_prefixes_find(&db->prefixes, &route->prefix))
        return 0;
    int r = vnrs_prefixes_get(&db->prefixes, &route->prefix, &prefix);
    if (r < 0)
        return r;
    r = say(queue, db, route, prefix);
    vnrs_prefixes_drop(&db->prefixes, prefix);
    return r;
}

void vnrs_guest_queue_flush(struct vnrs_guest_queue *queue, const struct vnrs_fibdb *db)
{
    vec_foreach (handle, &queue->left) {
        const struct group *group = find_group(queue, *handle);
        if (group && !group->uses && !vnrs_fibdb_group_find(db, *handle))
            free(vnrs_map_remove(&queue->groups, &group->group.handle, sizeof(group->group.handle)));
    }
    vec_free(&queue->left);
    queue->complete = true;
}

static int take_routes(struct vnrs_guest_queue *queue, struct domain *domain, struct vnrs_fibdb *db, size_t *max)
{
    int first = 0;

    for (; domain->words.len && *max; --*max) {
        const struct word word = domain->words.items[--domain->words.len];
        int r = vnrs_fibdb_number_set(db, domain->id, word.prefix, word.group);
        first = first < 0 ? first : r;
        vnrs_slots_remove(&domain->at, word.prefix);
        vnrs_prefixes_drop(&db->prefixes, word.prefix);
    }
    if (!domain->words.len)
        free_domain(queue, domain, db);
    return first;
}

int vnrs_guest_queue_take(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db, size_t max)
{
    struct vnrs_map_entry *e;
    int first = 0;

    for (size_t at = 0; (e = vnrs_map_next(&queue->groups, &at));) {
        int r = vnrs_fibdb_group_set(db, &((const struct group *)e->value)->group);
        first = first < 0 ? first : r;
    }
    vnrs_map_fini_values(&queue->groups);
    for (size_t at = 0; max && (e = vnrs_map_next(&queue->domains, &at));) {
        int r = take_routes(queue, e->value, db, &max);
        first = first < 0 ? first : r;
    }
    if (!queue->domains.len)
        vnrs_guest_queue_fini(queue, db);
    return first < 0 ? first : queue->domains.len != 0;
}
