// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/effective.h"

#include "routing/effective_rows.h"

#include <errno.h>
#include <string.h>

// A zeroed row at the end; there is room for all (rows_max).
struct vnrs_eff_route *vnrs_eff_row_new(struct vnrs_eff_table *t, const struct vnrs_prefix *prefix,
                                        enum vnrs_route_source source, enum vnrs_nexthop_type type)
{
    struct vnrs_eff_route *row = &t->domain->routes.items[t->domain->routes.len++];

    row->prefix = *prefix;
    row->source = source;
    row->type = type;
    return row;
}

void vnrs_eff_contest(struct vnrs_eff_table *t, struct vnrs_eff_route *row)
{
    const struct vnrs_route_table *table = t->domain->table;
    const struct vnrs_cover_entry *entry = table ? vnrs_cover_find(&t->rules->udrs, &row->prefix) : NULL;
    if (!entry)
        return;
    const struct vnrs_user_route *user = entry->value;
    row->state = VNRS_ROUTE_INVALID;
    row->why = EFF_SAY(t, "user route '%s' of route table '%s' has the same prefix: User beats %s", user->udr->name,
                       table->name, vnrs_route_source_name(row->source));
    t->udr_beat[user - t->rules->users] |=
        row->source == VNRS_SRC_GATEWAY ? VNRS_EFF_BEATEN_GATEWAY : VNRS_EFF_BEATEN_DEFAULT;
}

bool vnrs_eff_under_endpoint(struct vnrs_eff_table *t, struct vnrs_eff_route *row)
{
    const struct vnrs_cover_entry *entry = vnrs_cover_match(&t->rules->endpoints, &row->prefix);
    if (!entry)
        return false;
    const struct vnrs_service *service = entry->value;
    if (vnrs_prefix_equal(entry->prefix, &row->prefix)) {
        row->state = VNRS_ROUTE_INVALID;
        row->why = EFF_SAY(t, "service endpoint '%s' has the same prefix and is not overridden", service->name);
        return true;
    }
    row->why = EFF_SAY(t, "inside a prefix of service endpoint '%s', which is asked first: decides for no packet",
                       service->name);
    return false;
}

static int row_cmp(const void *pa, const void *pb)
{
    const struct vnrs_eff_route *a = pa, *b = pb;
    int order = vnrs_prefix_cmp(&a->prefix, &b->prefix);

    if (order == 0 && a->vnet && b->vnet)
        order = (a->vnet->id > b->vnet->id) - (a->vnet->id < b->vnet->id);
    if (order == 0 && a->service && b->service)
        order = (a->service->id > b->service->id) - (a->service->id < b->service->id);
    if (order == 0 && a->name && b->name)
        order = (int)vnrs_eff_tag_rank(a->tag) - (int)vnrs_eff_tag_rank(b->tag);
    return order == 0 && a->name && b->name ? strcmp(a->name, b->name) : order;
}

void vnrs_eff_sort(struct vnrs_eff_table *t, size_t from)
{
    qsort(t->domain->routes.items + from, t->domain->routes.len - from, sizeof(*t->domain->routes.items), row_cmp);
}

static size_t rows_max(const struct vnrs_eff_table *t)
{
    size_t n;

    (void)vnrs_learned_pivots(&n);
    n += t->domain->vnet->address_space.len;
    list_foreach (peering, &t->model->peerings)
        n += vnrs_eff_peering_counts(t->domain, peering) ? peering->remote_space.len : 0;
    list_foreach (service, &vnrs_eff_subnet_of(t->domain)->service_endpoints)
        n += (*service)->prefixes.len;
    n += t->learned ? t->learned->n_routes : 0;
    return n + t->rules->n_users;
}

static int index_build(struct vnrs_eff_table *t)
{
    struct vnrs_domain_index *index = vnrs_arena_alloc(t->arena, sizeof(*index));
    size_t n_endpoints = 0;

    list_foreach (row, &t->domain->routes)
        n_endpoints += row->type == VNRS_NH_SERVICE_ENDPOINT;
    if (!index || vnrs_cover_alloc(t->arena, &index->endpoints, n_endpoints) < 0 ||
        vnrs_cover_alloc(t->arena, &index->routes, t->domain->routes.len - n_endpoints) < 0)
        return -ENOMEM;
    list_foreach (row, &t->domain->routes) {
        if (row->state != VNRS_ROUTE_ACTIVE)
            continue;
        vnrs_cover_put(row->type == VNRS_NH_SERVICE_ENDPOINT ? &index->endpoints : &index->routes, &row->prefix, row);
    }
    vnrs_cover_build(&index->endpoints);
    vnrs_cover_build(&index->routes);
    t->domain->index = index;
    return 0;
}

int vnrs_effective_fill(struct vnrs_domain *domain, const struct vnrs_model *model, const struct vnrs_reach *reach,
                        const struct vnrs_learned *learned, struct vnrs_arena *arena)
{
    struct vnrs_eff_table t = {
        .domain = domain, .model = model, .reach = reach, .learned = learned, .arena = arena, .rules = domain->rules};

    t.udr_beat = vnrs_arena_alloc(arena, domain->rules->n_users);
    domain->routes.len = 0;
    domain->routes.items = vnrs_arena_alloc(arena, rows_max(&t) * sizeof(*domain->routes.items));
    if (!t.udr_beat || !domain->routes.items)
        return -ENOMEM;
    vnrs_eff_rows_vnet_local(&t);
    vnrs_eff_rows_peering(&t);
    vnrs_eff_rows_learned(&t);
    vnrs_eff_rows_endpoints(&t);
    vnrs_eff_rows_default(&t);
    vnrs_eff_rows_none(&t);
    vnrs_eff_rows_user(&t);
    return t.failed ? -ENOMEM : index_build(&t);
}
