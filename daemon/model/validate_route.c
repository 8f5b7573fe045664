// SPDX-License-Identifier: GPL-2.0-or-later
// Route tables. Rules: azure-routing.md sections 2.4 and 3.
#include "model/loader.h"

#define ROUTE_TABLES_MAX 200u
#define ROUTES_MAX       400u
#define TAG_ROUTES_MAX   25u // of one route table

// What the route is for: its prefix or its tag.
static const char *destination(const struct vnrs_udr *udr, char text[static VNRS_PREFIX_STR_MAX])
{
    return udr->tag ? udr->tag->name : vnrs_prefix_format(&udr->prefix, text);
}

static struct vnrs_pos destination_pos(const struct vnrs_loader *l, const struct vnrs_udr *udr)
{
    return vnrs_loader_pos(l, udr->tag ? (const void *)&udr->tag : &udr->prefix, udr->pos);
}

// Two routes for the same prefix, or for the same service tag. A prefix of its own beside a tag that has it is no
// conflict: it is preferred (3.3).
static void check_conflicts(struct vnrs_loader *l, const struct vnrs_route_table *table)
{
    struct vnrs_map seen = {0};
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (udr, &table->routes) {
        const void *key = udr->tag ? (const void *)&udr->tag : &udr->prefix;
        size_t len = udr->tag ? sizeof(udr->tag) : sizeof(udr->prefix);
        if (!udr->prefix.family && !udr->tag)
            continue;
        const struct vnrs_udr *other = vnrs_map_find(&seen, key, len);
        if (!other) {
            if (vnrs_map_put(&seen, key, len, udr) < 0)
                l->diags->failed = true;
            continue;
        }
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_ROUTE_CONFLICT, destination_pos(l, udr), "a second route for %s in route table '%s'",
                         destination(udr, text), table->name ? table->name : "?");
        if (d)
            d->azure_code = "RouteConflict";
        vnrs_diag_note(l->diags, d, destination_pos(l, other), "the first is here");
    }
    vnrs_map_fini(&seen);
}

static void check_tags(struct vnrs_loader *l, const struct vnrs_route_table *table)
{
    size_t n = 0;

    list_foreach (udr, &table->routes)
        n += udr->tag != NULL;
    vnrs_report_count(l, table->pos, "routes with service tags in one route table", n, TAG_ROUTES_MAX);
}

static void check_loop(struct vnrs_loader *l, const struct vnrs_route_table *table, const struct vnrs_udr *udr,
                       const struct vnrs_addr *hop, const struct vnrs_nic *nic)
{
    char text[VNRS_PREFIX_STR_MAX];

    if (!nic->subnet || nic->subnet->route_table != table)
        return;
    struct vnrs_diag *d = loader_error(l, VNRS_V_APPLIANCE_LOOP, vnrs_loader_pos(l, hop, udr->pos),
                                       "route '%s' sends packets for %s from '%s' back to itself",
                                       udr->name ? udr->name : "?", destination(udr, text), nic->name);
    vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &nic->subnet->route_table, nic->subnet->pos),
                   "the appliance's own subnet uses this route table");
    vnrs_diag_help(l->diags, d, "put the appliance into a subnet that does not use the table");
}

// An appliance must be a forwarding NIC, or the frontend of a load balancer, of the network or of one that is peered
// with it directly.
static void check_next_hop(struct vnrs_loader *l, const struct vnrs_route_table *table, const struct vnrs_udr *udr,
                           const struct vnrs_addr *hop, const struct vnrs_subnet *user)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, hop, udr->pos);
    const struct vnrs_vnet *vnet = vnrs_vnet_reach(l->model, user->vnet, hop);
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d;

    (void)vnrs_addr_format(hop, text);
    if (!vnet) {
        d = loader_error(l, VNRS_V_NEXT_HOP_UNREACHABLE, pos, "next hop %s cannot be reached from subnet '%s/%s'", text,
                         user->vnet->name, user->name);
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &user->route_table, user->pos), "the route table is used here");
        vnrs_diag_help(l->diags, d, "an appliance is in the same virtual network or in one peered with it directly");
        return;
    }
    const struct vnrs_nic *nic = vnrs_loader_find_nic(l, vnet, hop);
    const struct vnrs_balancer *lb = vnrs_model_find_balancer(l->model, vnet, hop);
    if (lb) {
        list_foreach (backend, &lb->backends)
            check_loop(l, table, udr, hop, *backend);
    } else if (!nic) {
        d = loader_error(l, VNRS_V_NEXT_HOP_NOT_FORWARDING, pos, "no machine has next hop %s", text);
        vnrs_diag_help(l->diags, d, "packets would be dropped; give a machine this address and enableIPForwarding");
    } else if (nic->machine->role != VNRS_MACHINE_USER) {
        d = loader_error(l, VNRS_V_NEXT_HOP_NOT_ALLOWED, pos, "next hop %s is '%s'", text, nic->machine->name);
        vnrs_diag_help(l->diags, d, "the way to a gateway is next hop type VirtualNetworkGateway");
    } else if (!nic->forwarding) {
        d = loader_error(l, VNRS_V_NEXT_HOP_NOT_FORWARDING, pos, "next hop %s does not forward", text);
        vnrs_diag_note(l->diags, d, nic->pos, "'%s' has that address", nic->name);
        vnrs_diag_help(l->diags, d, "add 'enableIPForwarding: true' to the NIC");
    } else {
        check_loop(l, table, udr, hop, nic);
    }
}

// One of the next hops, in each virtual network that uses the table.
static void check_hop(struct vnrs_loader *l, const struct vnrs_route_table *table, const struct vnrs_udr *udr,
                      const struct vnrs_addr *hop)
{
    const struct vnrs_vnet *checked = NULL;
    char text[VNRS_ADDR_STR_MAX];

    list_foreach (other, &udr->next_hops) {
        if (other < hop && vnrs_addr_equal(other, hop)) {
            (void)loader_error(l, VNRS_V_LISTED_TWICE, vnrs_loader_pos(l, hop, udr->pos), "next hop %s is there twice",
                               vnrs_addr_format(hop, text));
            return;
        }
    }
    list_foreach (vnet, &l->model->vnets)
        list_foreach (subnet, &vnet->subnets)
            if (subnet->route_table == table && vnet != checked) {
                checked = vnet;
                check_next_hop(l, table, udr, hop, subnet);
            }
}

static void check_gateway(struct vnrs_loader *l, const struct vnrs_route_table *table, const struct vnrs_udr *udr)
{
    const struct vnrs_vnet *checked = NULL;

    list_foreach (vnet, &l->model->vnets)
        list_foreach (subnet, &vnet->subnets)
            if (subnet->route_table == table && vnet != checked) {
                checked = vnet;
                vnrs_check_gateway_route(l, udr, subnet);
            }
}

static void check_route(struct vnrs_loader *l, const struct vnrs_route_table *table, const struct vnrs_udr *udr)
{
    if (udr->type == VNRS_NH_GATEWAY)
        check_gateway(l, table, udr);
    list_foreach (hop, &udr->next_hops)
        check_hop(l, table, udr, hop);
}

static bool is_used(const struct vnrs_model *m, const struct vnrs_route_table *table)
{
    list_foreach (vnet, &m->vnets)
        list_foreach (subnet, &vnet->subnets)
            if (subnet->route_table == table)
                return true;
    return false;
}

void vnrs_validate_routes(struct vnrs_loader *l)
{
    const struct vnrs_model *m = l->model;

    list_foreach (table, &m->route_tables) {
        check_conflicts(l, table);
        check_tags(l, table);
        vnrs_report_count(l, table->pos, "routes in one route table", table->routes.len, ROUTES_MAX);
        if (!table->name)
            continue;
        if (!is_used(m, table))
            (void)loader_warning(l, VNRS_V_ROUTE_TABLE_UNUSED, table->pos, "no subnet uses route table '%s'",
                                 table->name);
        list_foreach (udr, &table->routes)
            check_route(l, table, udr);
    }
    if (m->route_tables.len)
        vnrs_report_count(l, m->route_tables.items[m->route_tables.len - 1].pos, "route tables", m->route_tables.len,
                          ROUTE_TABLES_MAX);
}
