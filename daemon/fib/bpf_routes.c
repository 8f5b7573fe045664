// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_routes.h"

#include <errno.h>
#include <string.h>

#include <sys/queue.h>

struct route_key {
    uint32_t domain;
    struct vnrs_prefix prefix;
    uint8_t pad[2];
};

struct route {
    struct route_key key;
    uint32_t type;
    bool confirmed;
    struct binding *binding;
    LIST_ENTRY(route) in_binding;
};

struct binding {
    struct handle *handle; // NULL: of an earlier controller, nobody claimed it yet
    struct vnrs_bpf_group_slot *slot;
    LIST_HEAD(, route) routes;
    LIST_ENTRY(binding) in_handle;
};

struct handle {
    uint32_t id;
    bool was_used; // a route had it
    struct vnrs_bpf_members members;
    LIST_HEAD(, binding) bindings;
};

struct vnrs_bpf_routes {
    struct vnrs_bpf_lpm *lpm;
    struct vnrs_bpf_slots *slots;
    struct vnrs_map handles; // by id
    struct vnrs_map routes;  // by key
    size_t n[2];             // IPv4, IPv6
    // Slots with references to give up after the next publish.
    SLIST_HEAD(, vnrs_bpf_group_slot) retired;
};

static void slot_retire(struct vnrs_bpf_routes *routes, struct vnrs_bpf_group_slot *slot)
{
    if (!slot->retired++)
        SLIST_INSERT_HEAD(&routes->retired, slot, in_retired);
}

static void slots_put_retired(struct vnrs_bpf_routes *routes)
{
    struct vnrs_bpf_group_slot *slot;

    while ((slot = SLIST_FIRST(&routes->retired))) {
        SLIST_REMOVE_HEAD(&routes->retired, in_retired);
        for (uint32_t n = slot->retired; n > 0; n--) {
            slot->retired--;
            vnrs_bpf_slots_put(routes->slots, slot);
        }
    }
}

// --- bindings ---

static struct binding *binding_new(struct handle *handle, struct vnrs_bpf_group_slot *slot)
{
    struct binding *binding = calloc(1, sizeof(*binding));

    if (!binding)
        return NULL;
    binding->handle = handle;
    binding->slot = slot;
    LIST_INIT(&binding->routes);
    if (handle) {
        handle->was_used = true;
        LIST_INSERT_HEAD(&handle->bindings, binding, in_handle);
    }
    return binding;
}

static void binding_drop_unused(struct vnrs_bpf_routes *routes, struct binding *binding)
{
    if (!LIST_EMPTY(&binding->routes))
        return;
    if (binding->handle)
        LIST_REMOVE(binding, in_handle);
    slot_retire(routes, binding->slot);
    free(binding);
}

static void route_bind(struct vnrs_bpf_routes *routes, struct route *route, struct binding *binding)
{
    struct binding *old = route->binding;

    if (old == binding)
        return;
    if (old)
        LIST_REMOVE(route, in_binding);
    route->binding = binding;
    if (binding)
        LIST_INSERT_HEAD(&binding->routes, route, in_binding);
    if (old)
        binding_drop_unused(routes, old);
}

// The binding of `handle` to `slot`; a new one, still without routes, if there is none.
static int binding_to_slot(struct handle *handle, struct vnrs_bpf_group_slot *slot, struct binding **ret_binding)
{
    struct binding *binding;

    LIST_FOREACH(binding, &handle->bindings, in_handle)
    {
        if (binding->slot == slot) {
            *ret_binding = binding;
            return 0;
        }
    }
    binding = binding_new(handle, slot);
    if (!binding)
        return -ENOMEM;
    slot->refs++;
    *ret_binding = binding;
    return 0;
}

// Likewise, to whichever slot has `members`.
static int binding_with(struct vnrs_bpf_routes *routes, struct handle *handle, const struct vnrs_bpf_members *members,
                        struct binding **ret_binding)
{
    struct vnrs_bpf_group_slot *slot;

    int err = vnrs_bpf_slots_get(routes->slots, members, &slot);
    if (err)
        return err;
    err = binding_to_slot(handle, slot, ret_binding);
    vnrs_bpf_slots_put(routes->slots, slot); // the binding has its own reference
    return err;
}

// --- routes ---

static void route_key_make(uint32_t domain, const struct vnrs_prefix *prefix, struct route_key *ret_key)
{
    *ret_key = (struct route_key){.domain = domain, .prefix = *prefix};
}

static size_t *route_count(struct vnrs_bpf_routes *routes, const struct route *route)
{
    return &routes->n[route->key.prefix.family == VNRS_AF_IPV6];
}

static int route_write(struct vnrs_bpf_routes *routes, const struct route *route, const struct binding *binding,
                       uint32_t type)
{
    return vnrs_bpf_lpm_put(routes->lpm, VNRS_TABLE_DOMAIN(route->key.domain), &route->key.prefix,
                            VNRS_ROUTE_VALUE(binding->slot->index, type));
}

static void route_forget(struct vnrs_bpf_routes *routes, struct route *route)
{
    (void)vnrs_map_remove(&routes->routes, &route->key, sizeof(route->key));
    --*route_count(routes, route);
    route_bind(routes, route, NULL);
    free(route);
}

static int route_remove(struct vnrs_bpf_routes *routes, struct route *route)
{
    int err = vnrs_bpf_lpm_remove(routes->lpm, VNRS_TABLE_DOMAIN(route->key.domain), &route->key.prefix);

    if (err)
        return err;
    route_forget(routes, route);
    return 0;
}

// Enter a route that has no binding yet.
static int route_new(struct vnrs_bpf_routes *routes, const struct route_key *key, uint32_t type,
                     struct route **ret_route)
{
    struct route *route = calloc(1, sizeof(*route));

    if (!route)
        return -ENOMEM;
    route->key = *key;
    route->type = type;
    if (*route_count(routes, route) >= VNRS_ROUTES_MAX ||
        vnrs_map_put(&routes->routes, &route->key, sizeof(*key), route)) {
        int err = *route_count(routes, route) >= VNRS_ROUTES_MAX ? -ENOSPC : -ENOMEM;
        free(route);
        return err;
    }
    ++*route_count(routes, route);
    *ret_route = route;
    return 0;
}

// Where a route of `handle` belongs: the slot it is in if that one is right, else any that the handle has or gets.
static int route_target(struct vnrs_bpf_routes *routes, struct handle *handle, const struct route *route,
                        struct binding **ret_binding)
{
    if (route->binding && vnrs_bpf_members_equal(&route->binding->slot->members, &handle->members))
        return binding_to_slot(handle, route->binding->slot, ret_binding);
    if (!LIST_EMPTY(&handle->bindings)) {
        *ret_binding = LIST_FIRST(&handle->bindings);
        return 0;
    }
    return binding_with(routes, handle, &handle->members, ret_binding);
}

static int route_update(struct vnrs_bpf_routes *routes, struct route *route, struct handle *handle, uint32_t type)
{
    struct binding *binding;

    int err = route_target(routes, handle, route, &binding);
    if (err)
        return err;
    bool right = route->binding && route->binding->slot == binding->slot && route->type == type;
    if (!right)
        err = route_write(routes, route, binding, type);
    if (err) {
        binding_drop_unused(routes, binding);
        return err;
    }
    route->type = type;
    route->confirmed = true;
    route_bind(routes, route, binding);
    return 0;
}

int vnrs_bpf_routes_set(struct vnrs_bpf_routes *routes, const struct vnrs_fib_route *wanted)
{
    struct route_key key;
    bool added = false;
    int err;

    if (wanted->prefix.family != VNRS_AF_IPV4 && wanted->prefix.family != VNRS_AF_IPV6)
        return -EINVAL;
    if (wanted->domain >= VNRS_DOMAINS_MAX)
        return -ERANGE;
    route_key_make(wanted->domain, &wanted->prefix, &key);
    struct route *route = vnrs_map_find(&routes->routes, &key, sizeof(key));
    if (!wanted->group)
        return route ? route_remove(routes, route) : 0;
    struct handle *handle = vnrs_map_find(&routes->handles, &wanted->group, sizeof(wanted->group));
    if (!handle)
        return -ENOENT;
    if (!route) {
        added = true;
        err = route_new(routes, &key, wanted->type, &route);
        if (err)
            return err;
    }
    err = route_update(routes, route, handle, wanted->type);
    if (err && added)
        route_forget(routes, route);
    return err;
}

int vnrs_bpf_routes_endpoint_set(struct vnrs_bpf_routes *routes, uint32_t vnet, const struct vnrs_addr *addr,
                                 uint32_t ifindex, uint32_t *ret_before)
{
    struct vnrs_prefix host = vnrs_prefix_host(addr);

    if (addr->family != VNRS_AF_IPV4 && addr->family != VNRS_AF_IPV6)
        return -EINVAL;
    if (vnet >= VNRS_DOMAINS_MAX || ifindex >= VNRS_NICS_MAX)
        return -ERANGE;
    uint32_t before = vnrs_bpf_lpm_get(routes->lpm, VNRS_TABLE_VNET(vnet), &host);
    int err = ifindex ? vnrs_bpf_lpm_put(routes->lpm, VNRS_TABLE_VNET(vnet), &host, VNRS_ENDPOINT_VALUE(ifindex))
                      : vnrs_bpf_lpm_remove(routes->lpm, VNRS_TABLE_VNET(vnet), &host);
    if (!err)
        *ret_before = VNRS_ENDPOINT_IFINDEX(before);
    return err;
}

// --- handles ---

static void forget_unused_handles(struct vnrs_bpf_routes *routes)
{
    struct vnrs_map_entry *entry;

    for (size_t at = 0; (entry = vnrs_map_next(&routes->handles, &at));) {
        struct handle *handle = entry->value;
        if (!handle->was_used || !LIST_EMPTY(&handle->bindings))
            continue;
        (void)vnrs_map_remove(&routes->handles, &handle->id, sizeof(handle->id));
        free(handle);
    }
}

// Move the routes of a binding whose slot others use as well.
static int binding_move(struct vnrs_bpf_routes *routes, struct binding *from, const struct vnrs_bpf_members *members)
{
    struct route *route, *next;
    struct binding *to;

    int err = binding_with(routes, from->handle, members, &to);
    if (err)
        return err;
    for (route = LIST_FIRST(&from->routes); route && !err; route = next) {
        next = LIST_NEXT(route, in_binding);
        err = route_write(routes, route, to, route->type);
        if (!err)
            route_bind(routes, route, to); // frees `from` with the last one
    }
    if (err)
        binding_drop_unused(routes, to);
    return err;
}

int vnrs_bpf_routes_group_set(struct vnrs_bpf_routes *routes, const struct vnrs_fib_group *group)
{
    struct handle *handle = vnrs_map_find(&routes->handles, &group->handle, sizeof(group->handle));
    struct binding *binding, *next;
    struct vnrs_bpf_members members;

    int err = group->handle ? vnrs_bpf_members_make(group, &members) : -EINVAL;
    if (err)
        return err;
    if (!handle) {
        handle = calloc(1, sizeof(*handle));
        if (!handle)
            return -ENOMEM;
        handle->id = group->handle;
        if (vnrs_map_put(&routes->handles, &handle->id, sizeof(handle->id), handle)) {
            free(handle);
            return -ENOMEM;
        }
        handle->members = members;
        return 0;
    }
    for (binding = LIST_FIRST(&handle->bindings); binding && !err; binding = next) {
        next = LIST_NEXT(binding, in_handle);
        if (vnrs_bpf_members_equal(&binding->slot->members, &members))
            continue;
        if (binding->slot->refs == 1)
            err = vnrs_bpf_slots_rewrite(routes->slots, binding->slot, &members);
        else
            err = binding_move(routes, binding, &members);
    }
    if (!err)
        handle->members = members;
    return err;
}

// --- controllers come and go ---

void vnrs_bpf_routes_sync_begin(struct vnrs_bpf_routes *routes)
{
    const struct vnrs_map_entry *entry;
    struct binding *binding;

    for (size_t at = 0; (entry = vnrs_map_next(&routes->handles, &at));) {
        struct handle *handle = entry->value;
        while ((binding = LIST_FIRST(&handle->bindings))) {
            LIST_REMOVE(binding, in_handle);
            binding->handle = NULL;
        }
    }
    vnrs_map_fini_values(&routes->handles);
    for (size_t at = 0; (entry = vnrs_map_next(&routes->routes, &at));)
        ((struct route *)entry->value)->confirmed = false;
    vnrs_bpf_lpm_sync_begin(routes->lpm);
}

int vnrs_bpf_routes_sync_end(struct vnrs_bpf_routes *routes)
{
    const struct vnrs_map_entry *entry;

    for (size_t at = 0; (entry = vnrs_map_next(&routes->routes, &at));) {
        struct route *route = entry->value;
        int err = route->confirmed ? 0 : route_remove(routes, route);
        if (err)
            return err;
    }
    return vnrs_bpf_lpm_sync_end(routes->lpm, VNRS_TABLE_VNET(0));
}

int vnrs_bpf_routes_publish(struct vnrs_bpf_routes *routes)
{
    forget_unused_handles(routes);
    int done = vnrs_bpf_lpm_publish(routes->lpm);
    if (done > 0)
        slots_put_retired(routes);
    return MIN(done, 0);
}

// --- life ---

// A slot that a published route of an earlier process leads to is kept until that route is replaced.
static int slot_adopt(uint32_t value, void *arg)
{
    struct vnrs_bpf_routes *routes = arg;
    struct vnrs_bpf_group_slot *slot;

    if (value & VNRS_ENDPOINT_MARK)
        return 0;
    int err = vnrs_bpf_slots_adopt(routes->slots, VNRS_ROUTE_GROUP(value), &slot);
    if (err)
        return err;
    if (slot->retired)
        vnrs_bpf_slots_put(routes->slots, slot); // once is enough
    else
        slot_retire(routes, slot);
    return 0;
}

int vnrs_bpf_routes_new(const struct vnrs_bpf_route_maps *maps, uint64_t *writes, struct vnrs_bpf_routes **ret_routes)
{
    struct vnrs_bpf_routes *routes = calloc(1, sizeof(*routes));

    if (!routes)
        return -ENOMEM;
    SLIST_INIT(&routes->retired);
    int err = vnrs_bpf_slots_new(maps->groups_fd, maps->nexthops_fd, writes, &routes->slots);
    if (!err)
        err = vnrs_bpf_lpm_new(maps->tables_fd, maps->lines_fd, writes, slot_adopt, routes, &routes->lpm);
    if (err) {
        vnrs_bpf_routes_free(routes);
        return err;
    }
    *ret_routes = routes;
    return 0;
}

struct vnrs_bpf_routes *vnrs_bpf_routes_free(struct vnrs_bpf_routes *routes)
{
    const struct vnrs_map_entry *entry;

    if (!routes)
        return NULL;
    for (size_t at = 0; (entry = vnrs_map_next(&routes->routes, &at));)
        route_forget(routes, entry->value); // the last route of a binding takes it along
    vnrs_map_fini_values(&routes->handles);
    vnrs_map_fini(&routes->routes);
    vnrs_bpf_slots_free(routes->slots);
    vnrs_bpf_lpm_free(routes->lpm);
    free(routes);
    return NULL;
}

const struct vnrs_bpf_lpm *vnrs_bpf_routes_lpm(const struct vnrs_bpf_routes *routes)
{
    return routes->lpm;
}
