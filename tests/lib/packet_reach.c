// SPDX-License-Identifier: GPL-2.0-or-later
// Who may get a packet at all, whatever the routes say: from the file alone, without effective routes. A second opinion
// on every delivery, so that a mistake in the routes that model and packet path share is seen too.
#include "packet_model.h"

// Both halves of a peering, or none.
static const struct vnrs_peering *half_of(const struct pm_world *w, const struct vnrs_vnet *vnet,
                                          const struct vnrs_vnet *remote)
{
    const struct vnrs_peering *half = NULL;
    bool other = false;

    list_foreach (p, &w->model->peerings) {
        if (p->vnet == vnet && p->remote == remote)
            half = p;
        other |= p->vnet == remote && p->remote == vnet;
    }
    return other ? half : NULL;
}

// The allow flags drop packets (azure-routing.md 4.1, 14.11).
static bool do_flags_count(const struct pm_world *w)
{
    return w->model->peering_flags == VNRS_PEERING_FLAGS_DROP;
}

static bool are_connected(const struct pm_world *w, const struct vnrs_vnet *a, const struct vnrs_vnet *b)
{
    const struct vnrs_peering *mine = half_of(w, a, b), *theirs = half_of(w, b, a);

    return mine && theirs && ((mine->allow_access && theirs->allow_access) || !do_flags_count(w));
}

static bool lets_forwarded(const struct pm_world *w, const struct vnrs_vnet *vnet, const struct vnrs_vnet *from)
{
    const struct vnrs_peering *half = half_of(w, vnet, from);

    return half && half->allow_forwarded;
}

static bool is_listed(const struct vnrs_service *service, const struct vnrs_subnet *subnet)
{
    list_foreach (allowed, &service->allowed) {
        if (*allowed == subnet)
            return true;
    }
    return !service->restricted;
}

static const char *place_wrong(const struct pm_world *w, const struct pm_port *from, const struct pm_port *to)
{
    if (from->kind == PM_PROBER && to->vnet != from->vnet)
        return "a prober reaches what is not in its network";
    if (to->kind == PM_EDGE)
        return from->kind == PM_EDGE ? "from the Internet to the Internet" : NULL;
    if (to->kind == PM_SERVICE)
        return is_listed(to->service, from->subnet) ? NULL
                                                    : "a service gets what is from a subnet that it does not let in";
    if (to->kind == PM_PROBER && to->vnet != from->vnet)
        return "the prober of another network";
    if (!from->vnet || from->vnet == to->vnet || are_connected(w, from->vnet, to->vnet))
        return NULL;
    return "another virtual network, to which no peering lets packets through";
}

const char *pm_delivery_wrong(const struct pm_world *w, const struct pm_port *from, const struct pm_port *to,
                              const struct pm_packet *p)
{
    if (!from->forwarding && from->kind != PM_EDGE && !pm_has_addr(from, &p->src))
        return "from an address that the sender does not have";
    if (!to->forwarding && to->kind != PM_EDGE && !pm_has_addr(to, &p->dst))
        return "to an address that the receiver does not have";
    if (do_flags_count(w) && from->forwarding && !from->gateway && from->vnet && to->vnet && from->vnet != to->vnet &&
        !pm_owner(w, from->vnet, &p->src) && !lets_forwarded(w, to->vnet, from->vnet))
        return "forwarded over a peering that does not allow it";
    return place_wrong(w, from, to);
}
