// SPDX-License-Identifier: GPL-2.0-or-later
// System rows: ranges, peerings, service endpoints, the default routes, reserved ranges (azure-routing.md 1).
#include "routing/effective_rows.h"

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

void vnrs_eff_rows_vnet_local(struct vnrs_eff_table *t)
{
    size_t from = t->domain->routes.len;
    const struct vnrs_vnet *vnet = t->domain->vnet;

    list_foreach (range, &vnet->address_space) {
        struct vnrs_eff_route *row = vnrs_eff_row_new(t, range, VNRS_SRC_DEFAULT, VNRS_NH_VNET_LOCAL);
        row->vnet = vnet;
        row->why = EFF_SAY(t, "address range of virtual network '%s'", vnet->name);
        vnrs_eff_contest(t, row);
    }
    vnrs_eff_sort(t, from);
}

static bool has_range(const struct vnrs_vnet *vnet, const struct vnrs_prefix *range)
{
    list_foreach (have, &vnet->address_space) {
        if (vnrs_prefix_equal(have, range))
            return true;
    }
    return false;
}

void vnrs_eff_rows_peering(struct vnrs_eff_table *t)
{
    size_t from = t->domain->routes.len;

    list_foreach (peering, &t->model->peerings) {
        if (!vnrs_eff_peering_counts(t->domain, peering))
            continue;
        list_foreach (range, &peering->remote_space) {
            struct vnrs_eff_route *row = vnrs_eff_row_new(
                t, range, VNRS_SRC_DEFAULT, peering->global ? VNRS_NH_VNET_GLOBAL_PEERING : VNRS_NH_VNET_PEERING);
            row->vnet = peering->remote;
            row->why =
                EFF_SAY(t, "address range of virtual network '%s', peered with this one%s%s", peering->remote->name,
                        peering->global ? " from another region" : "",
                        has_range(peering->remote, range) ? "" : ", which has it no more: the peering is not in sync");
            vnrs_eff_contest(t, row);
        }
    }
    vnrs_eff_sort(t, from);
}

void vnrs_eff_rows_endpoints(struct vnrs_eff_table *t)
{
    size_t from = t->domain->routes.len;

    list_foreach (service, &vnrs_eff_subnet_of(t->domain)->service_endpoints) {
        list_foreach (prefix, &(*service)->prefixes) {
            struct vnrs_eff_route *row = vnrs_eff_row_new(t, prefix, VNRS_SRC_DEFAULT, VNRS_NH_SERVICE_ENDPOINT);
            row->service = *service;
            row->why = EFF_SAY(t, "service endpoint '%s' of the subnet: asked first, not overridden by any route",
                               (*service)->name);
        }
    }
    vnrs_eff_sort(t, from);
}

// A learned default route makes the system one go away, rather than Invalid (azure-routing.md 2.4).
static void row_default(struct vnrs_eff_table *t, const struct vnrs_prefix *prefix)
{
    if (vnrs_eff_is_learned(t, prefix))
        return;
    struct vnrs_eff_route *row = vnrs_eff_row_new(t, prefix, VNRS_SRC_DEFAULT, VNRS_NH_INTERNET);
    row->why = t->model->internet.present ? "system default route"
                                          : "system default route; this lab has no Internet: packets are dropped";
    vnrs_eff_contest(t, row);
}

void vnrs_eff_rows_default(struct vnrs_eff_table *t)
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
void vnrs_eff_rows_none(struct vnrs_eff_table *t)
{
    enum vnrs_none_routes kind = t->model->none_routes;
    size_t from = t->domain->routes.len;

    if (vnrs_cover_find(&t->rules->udrs, &default_v4) || vnrs_eff_is_learned(t, &default_v4))
        return;
    for (size_t i = 0; i < (kind == VNRS_NONE_PLATFORM ? N_NONE : N_RESERVED); i++) {
        if (kind == VNRS_NONE_LEGACY && i == AT_172)
            continue;
        if (vnrs_cover_match(&t->rules->local, &pivots[i]) || vnrs_eff_is_learned(t, &pivots[i]))
            continue;
        struct vnrs_eff_route *row = vnrs_eff_row_new(t, &pivots[i], VNRS_SRC_DEFAULT, VNRS_NH_NONE);
        row->why = "system route: a reserved range that no virtual network route replaces is dropped";
        vnrs_eff_contest(t, row);
    }
    vnrs_eff_sort(t, from);
}
