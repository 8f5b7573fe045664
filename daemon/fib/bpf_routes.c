// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_routes.h"

#include <errno.h>
#include <string.h>

#include <sys/queue.h>

#define BINDINGS_MIN 64

struct binding {
    uint32_t id;           // owner of its routes, from 1
    size_t n;              // of them
    struct handle *handle; // NULL: of an earlier controller, nobody claimed it yet
    struct vnrs_bpf_group_slot *slot;
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
    struct vnrs_map handles;   // by id
    struct binding **bindings; // by id; NULL: free
    uint32_t n_bindings, last_binding;
    size_t n[2]; // routes, IPv4 and IPv6
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

static int binding_id_get(struct vnrs_bpf_routes *routes, uint32_t *ret_id)
{
    for (uint32_t step = 1; step < routes->n_bindings; step++) {
        uint32_t id = 1 + (routes->last_binding + step - 1) % (routes->n_bindings - 1);
        if (!routes->bindings[id]) {
            *ret_id = routes->last_binding = id;
            return 0;
        }
    }
    uint32_t n = MAX(routes->n_bindings * 2, BINDINGS_MIN);
    struct binding **bindings = reallocarray(routes->bindings, n, sizeof(*bindings));
    if (!bindings)
        return -ENOMEM;
    memset(bindings + routes->n_bindings, 0, (n - routes->n_bindings) * sizeof(*bindings));
    *ret_id = routes->last_binding = MAX(routes->n_bindings, 1);
    routes->bindings = bindings;
    routes->n_bindings = n;
    return 0;
}

static int binding_new(struct vnrs_bpf_routes *routes, struct handle *handle, struct vnrs_bpf_group_slot *slot,
                       struct binding **ret_binding)
{
    struct binding *binding = calloc(1, sizeof(*binding));
    int err = binding ? binding_id_get(routes, &binding->id) : -ENOMEM;

    if (err) {
        free(binding);
        return err;
    }
    binding->handle = handle;
    binding->slot = slot;
    handle->was_used = true;
    LIST_INSERT_HEAD(&handle->bindings, binding, in_handle);
    routes->bindings[binding->id] = binding;
    *ret_binding = binding;
    return 0;
}

static void binding_drop_unused(struct vnrs_bpf_routes *routes, struct binding *binding)
{
    if (binding->n)
        return;
    if (binding->handle)
        LIST_REMOVE(binding, in_handle);
    slot_retire(routes, binding->slot);
    routes->bindings[binding->id] = NULL;
    free(binding);
}

static void binding_leave(struct vnrs_bpf_routes *routes, struct binding *binding)
{
    binding->n--;
    binding_drop_unused(routes, binding);
}

// The binding of `handle` to `slot`; a new one, still without routes, if there is none.
static int binding_to_slot(struct vnrs_bpf_routes *routes, struct handle *handle, struct vnrs_bpf_group_slot *slot,
                           struct binding **ret_binding)
{
    struct binding *binding;

    LIST_FOREACH(binding, &handle->bindings, in_handle)
    {
        if (binding->slot == slot) {
            *ret_binding = binding;
            return 0;
        }
    }
    int err = binding_new(routes, handle, slot, ret_binding);
    if (err)
        return err;
    slot->refs++;
    return 0;
}

// Likewise, to a slot with `members`.
static int binding_with(struct vnrs_bpf_routes *routes, struct handle *handle, const struct vnrs_bpf_members *members,
                        uint32_t preferred, struct binding **ret_binding)
{
    struct vnrs_bpf_group_slot *slot;

    int err = vnrs_bpf_slots_get(routes->slots, members, preferred, &slot);
    if (err)
        return err;
    err = binding_to_slot(routes, handle, slot, ret_binding);
    vnrs_bpf_slots_put(routes->slots, slot); // the binding has its own reference
    return err;
}

// --- routes ---

// The slot that packets to the prefix, or to the first of its addresses, go by: of an earlier process there is no
// better knowledge of which of its slots were whose. 0: none.
static uint32_t slot_in_force(const struct vnrs_bpf_routes *routes, const struct vnrs_fib_route *route)
{
    struct vnrs_addr first = vnrs_prefix_addr(&route->prefix);
    uint32_t value = vnrs_bpf_lpm_find(routes->lpm, VNRS_TABLE_DOMAIN(route->domain), &first);

    return value & VNRS_ENDPOINT_MARK ? 0 : VNRS_ROUTE_GROUP(value);
}

// Where a route of `handle` belongs: the slot it is in if that one is right and the handle would not be drawn into that
// of another for its sake, else any that the handle has or gets.
static int route_target(struct vnrs_bpf_routes *routes, const struct vnrs_fib_route *route, struct handle *handle,
                        const struct binding *now, struct binding **ret_binding)
{
    bool drawn = now && now->handle && now->handle != handle && !LIST_EMPTY(&handle->bindings);

    if (now && !drawn && vnrs_bpf_members_equal(&now->slot->members, &handle->members))
        return binding_to_slot(routes, handle, now->slot, ret_binding);
    if (!LIST_EMPTY(&handle->bindings)) {
        *ret_binding = LIST_FIRST(&handle->bindings);
        return 0;
    }
    return binding_with(routes, handle, &handle->members, slot_in_force(routes, route), ret_binding);
}

static size_t *route_count(struct vnrs_bpf_routes *routes, uint8_t family)
{
    return &routes->n[family == VNRS_AF_IPV6];
}

// A route of its owner is no more.
static void route_gone(uint8_t family, struct vnrs_lpm_entry *entry, void *arg)
{
    struct vnrs_bpf_routes *routes = arg;

    if (!entry->owner)
        return; // an address
    --*route_count(routes, family);
    binding_leave(routes, routes->bindings[entry->owner]);
}

static int route_remove(struct vnrs_bpf_routes *routes, const struct vnrs_fib_route *route)
{
    struct vnrs_lpm_entry entry;

    if (!vnrs_bpf_lpm_get(routes->lpm, VNRS_TABLE_DOMAIN(route->domain), &route->prefix, &entry))
        return 0;
    int err = vnrs_bpf_lpm_remove(routes->lpm, VNRS_TABLE_DOMAIN(route->domain), &route->prefix);
    if (!err)
        route_gone(route->prefix.family, &entry, routes);
    return err;
}

static int route_put(struct vnrs_bpf_routes *routes, const struct vnrs_fib_route *route, struct handle *handle,
                     struct binding *now)
{
    struct binding *binding;

    int err = route_target(routes, route, handle, now, &binding);
    if (err)
        return err;
    const struct vnrs_lpm_entry entry = {.value = VNRS_ROUTE_VALUE(binding->slot->index, route->type),
                                         .owner = binding->id};
    err = vnrs_bpf_lpm_put(routes->lpm, VNRS_TABLE_DOMAIN(route->domain), &route->prefix, &entry);
    if (err) {
        binding_drop_unused(routes, binding);
        return err;
    }
    binding->n++;
    if (now)
        binding_leave(routes, now);
    else
        ++*route_count(routes, route->prefix.family);
    return 0;
}

int vnrs_bpf_routes_set(struct vnrs_bpf_routes *routes, const struct vnrs_fib_route *wanted)
{
    struct vnrs_lpm_entry entry;

    if (wanted->prefix.family != VNRS_AF_IPV4 && wanted->prefix.family != VNRS_AF_IPV6)
        return -EINVAL;
    if (wanted->domain >= VNRS_DOMAINS_MAX)
        return -ERANGE;
    if (!wanted->group)
        return route_remove(routes, wanted);
    struct handle *handle = vnrs_map_find(&routes->handles, &wanted->group, sizeof(wanted->group));
    if (!handle)
        return -ENOENT;
    bool known = vnrs_bpf_lpm_get(routes->lpm, VNRS_TABLE_DOMAIN(wanted->domain), &wanted->prefix, &entry);
    if (!known && *route_count(routes, wanted->prefix.family) >= VNRS_ROUTES_MAX)
        return -ENOSPC;
    return route_put(routes, wanted, handle, known ? routes->bindings[entry.owner] : NULL);
}

int vnrs_bpf_routes_endpoint_set(struct vnrs_bpf_routes *routes, uint32_t vnet, const struct vnrs_addr *addr,
                                 uint32_t ifindex, uint32_t *ret_before)
{
    struct vnrs_prefix host = vnrs_prefix_host(addr);

    if (addr->family != VNRS_AF_IPV4 && addr->family != VNRS_AF_IPV6)
        return -EINVAL;
    if (vnet >= VNRS_DOMAINS_MAX || ifindex >= VNRS_NICS_MAX)
        return -ERANGE;
    const struct vnrs_lpm_entry entry = {.value = VNRS_ENDPOINT_VALUE(ifindex)};
    struct vnrs_lpm_entry before = {0};
    (void)vnrs_bpf_lpm_get(routes->lpm, VNRS_TABLE_VNET(vnet), &host, &before);
    int err = ifindex ? vnrs_bpf_lpm_put(routes->lpm, VNRS_TABLE_VNET(vnet), &host, &entry)
                      : vnrs_bpf_lpm_remove(routes->lpm, VNRS_TABLE_VNET(vnet), &host);
    if (!err)
        *ret_before = VNRS_ENDPOINT_IFINDEX(before.value);
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

struct move {
    const struct binding *from, *to;
};

static void route_move(uint8_t family, struct vnrs_lpm_entry *entry, void *arg)
{
    const struct move *move = arg;

    (void)family;
    if (entry->owner != move->from->id)
        return;
    entry->owner = move->to->id;
    entry->value = VNRS_ROUTE_VALUE(move->to->slot->index, VNRS_ROUTE_TYPE(entry->value));
}

// Move the routes of a binding whose slot others use as well.
static int binding_move(struct vnrs_bpf_routes *routes, struct binding *from, const struct vnrs_bpf_members *members)
{
    struct binding *to;

    int err = binding_with(routes, from->handle, members, 0, &to);
    if (err)
        return err;
    struct move move = {from, to};
    vnrs_bpf_lpm_change(routes->lpm, route_move, &move);
    to->n += from->n;
    from->n = 0;
    binding_drop_unused(routes, from);
    return 0;
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
    vnrs_bpf_lpm_sync_begin(routes->lpm);
}

int vnrs_bpf_routes_sync_end(struct vnrs_bpf_routes *routes)
{
    return vnrs_bpf_lpm_sync_end(routes->lpm, route_gone, routes);
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
    if (!routes)
        return NULL;
    for (uint32_t id = 0; id < routes->n_bindings; id++)
        free(routes->bindings[id]);
    free(routes->bindings);
    vnrs_map_fini_values(&routes->handles);
    vnrs_bpf_slots_free(routes->slots);
    vnrs_bpf_lpm_free(routes->lpm);
    free(routes);
    return NULL;
}

const struct vnrs_bpf_lpm *vnrs_bpf_routes_lpm(const struct vnrs_bpf_routes *routes)
{
    return routes->lpm;
}
