// SPDX-License-Identifier: GPL-2.0-or-later
// What a topology must be beyond its form: Azure's refusals (with Azure's error codes where known), and what could not
// work. Each part is in its own file; here is what they share.
#include "model/loader.h"

static int range_cmp(const void *a, const void *b)
{
    const struct vnrs_range *x = a, *y = b;
    int order = vnrs_prefix_cmp(&x->prefix, &y->prefix);

    if (order)
        return order;
    if (x->pos.line != y->pos.line)
        return x->pos.line < y->pos.line ? -1 : 1;
    return x->pos.col < y->pos.col ? -1 : x->pos.col > y->pos.col;
}

static bool is_before(struct vnrs_pos a, struct vnrs_pos b)
{
    return a.line != b.line ? a.line < b.line : a.col < b.col;
}

void vnrs_ranges_sweep(struct vnrs_loader *l, struct vnrs_range *ranges, size_t n, vnrs_overlap_fn fn)
{
    // Prefixes nest or are apart: in this order, whatever holds a range is on the stack of those still open.
    VEC(const struct vnrs_range *) open = {0};

    if (!n)
        return;
    qsort(ranges, n, sizeof(*ranges), range_cmp);
    for (size_t i = 0; i < n; i++) {
        const struct vnrs_range *range = &ranges[i];
        while (open.len && !vnrs_prefix_contains(&open.items[open.len - 1]->prefix, &range->prefix))
            open.len--;
        for (size_t at = open.len; at > 0; at--) {
            const struct vnrs_range *outer = open.items[at - 1];
            if (outer->owner == range->owner)
                continue;
            bool outer_first = is_before(outer->pos, range->pos);
            fn(l, outer_first ? outer : range, outer_first ? range : outer);
            break;
        }
        // A range equal to the one it would lie on adds nothing, and many equal ones must not pile up.
        bool again = open.len && open.items[open.len - 1]->owner == range->owner &&
                     vnrs_prefix_equal(&open.items[open.len - 1]->prefix, &range->prefix);
        if (!again && vec_push(&open, range) < 0)
            l->diags->failed = true;
    }
    vec_free(&open);
}

bool vnrs_vnet_has_addr(const struct vnrs_vnet *vnet, const struct vnrs_addr *addr)
{
    return vnrs_prefix_list_has(&vnet->address_space, addr);
}

const struct vnrs_vnet *vnrs_vnet_reach(const struct vnrs_model *m, const struct vnrs_vnet *vnet,
                                        const struct vnrs_addr *addr)
{
    if (vnrs_vnet_has_addr(vnet, addr))
        return vnet;
    list_foreach (p, &m->peerings)
        if (p->vnet == vnet && p->other && vnrs_prefix_list_has(&p->remote_space, addr))
            return p->remote;
    return NULL;
}

struct vnrs_diag *vnrs_report_count(struct vnrs_loader *l, struct vnrs_pos pos, const char *what, size_t n, size_t max)
{
    if (n <= max || l->model->limits == VNRS_LIMITS_NONE)
        return NULL;
    struct vnrs_diag *d = loader_error(l, VNRS_V_TOO_MANY, pos, "%zu %s, Azure allows %zu", n, what, max);
    vnrs_diag_help(l->diags, d, "'limits: none' lifts Azure's limits");
    return d;
}

void vnrs_model_validate(struct vnrs_loader *l)
{
    if (!(l->hubs = vnrs_arena_alloc(l->scratch, (l->model->vnets.len + 1) * sizeof(struct vnrs_vnet *)))) {
        l->diags->failed = true;
        return;
    }
    list_foreach (vnet, &l->model->vnets)
        l->hubs[vnet->id] = vnrs_model_hub_of(l->model, vnet);
    vnrs_validate_vnets(l);
    vnrs_validate_peerings(l);
    vnrs_validate_routes(l);
    vnrs_validate_balancers(l);
    vnrs_validate_route_servers(l);
    vnrs_validate_route_maps(l);
    vnrs_validate_outside(l);
    vnrs_validate_gateways(l);
    vnrs_validate_sites(l);
    vnrs_validate_connections(l);
    vnrs_validate_machines(l);
}
