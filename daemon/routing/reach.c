// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/reach.h"

#include "util/arena.h"
#include "util/hash.h"

// All NICs with one address: unrelated virtual networks may use the same ranges.
struct holder {
    struct vnrs_addr addr;
    const struct vnrs_nic *nic;
    struct holder *next; // in file order
};

struct vnrs_reach {
    const struct vnrs_model *model;
    struct vnrs_arena *arena;
    struct vnrs_map by_addr; // address → first holder
};

bool vnrs_peering_is_usable(const struct vnrs_peering *peering)
{
    return peering->other && peering->lets_access;
}

bool vnrs_peering_carries(const struct vnrs_peering *peering)
{
    return vnrs_peering_is_usable(peering) && peering->other->lets_access;
}

static int holder_add(struct vnrs_reach *reach, const struct vnrs_nic *nic, const struct vnrs_addr *addr)
{
    struct holder *holder = vnrs_arena_alloc(reach->arena, sizeof(*holder));
    if (!holder)
        return -1;
    *holder = (struct holder){.addr = *addr, .nic = nic};

    struct holder *first = vnrs_map_find(&reach->by_addr, addr, sizeof(*addr));
    if (!first)
        return vnrs_map_put(&reach->by_addr, &holder->addr, sizeof(holder->addr), holder);
    while (first->next)
        first = first->next;
    first->next = holder;
    return 0;
}

struct vnrs_reach *vnrs_reach_new(const struct vnrs_model *model)
{
    struct vnrs_reach *reach = calloc(1, sizeof(*reach));

    if (!reach || !(reach->arena = vnrs_arena_new()))
        goto fail;
    reach->model = model;
    list_foreach (nic, &model->nics) {
        list_foreach (ip, &(*nic)->ips) {
            if (holder_add(reach, *nic, ip) < 0)
                goto fail;
        }
    }
    return reach;
fail:
    vnrs_reach_free(reach);
    return NULL;
}

void vnrs_reach_free(struct vnrs_reach *reach)
{
    if (!reach)
        return;
    vnrs_map_fini(&reach->by_addr);
    vnrs_arena_free(reach->arena);
    free(reach);
}

// Routes of `vnet` lead to the address in the other network, which lets them in.
static bool is_peered(const struct vnrs_reach *reach, const struct vnrs_vnet *vnet, const struct vnrs_vnet *other,
                      const struct vnrs_addr *addr)
{
    const struct vnrs_peering *peering = vnrs_model_find_peering(reach->model, vnet, other);

    return peering && vnrs_peering_carries(peering) && vnrs_prefix_list_has(&peering->remote_space, addr);
}

const struct vnrs_balancer *vnrs_reach_balancer(const struct vnrs_reach *reach, const struct vnrs_vnet *vnet,
                                                const struct vnrs_addr *addr)
{
    const struct vnrs_balancer *found = NULL;

    list_foreach (lb, &reach->model->balancers) {
        if (!vnrs_addr_equal(&lb->frontend, addr))
            continue;
        if (lb->subnet->vnet == vnet)
            return lb;
        if (!found && is_peered(reach, vnet, lb->subnet->vnet, addr))
            found = lb;
    }
    return found;
}

const struct vnrs_nic *vnrs_reach_find(const struct vnrs_reach *reach, const struct vnrs_vnet *vnet,
                                       const struct vnrs_addr *addr)
{
    const struct holder *first = vnrs_map_find(&reach->by_addr, addr, sizeof(*addr));

    for (const struct holder *h = first; h; h = h->next) {
        if (h->nic->subnet->vnet == vnet)
            return h->nic;
    }
    for (const struct holder *h = first; h; h = h->next) {
        if (is_peered(reach, vnet, h->nic->subnet->vnet, addr))
            return h->nic;
    }
    return NULL;
}
