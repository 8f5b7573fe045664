// SPDX-License-Identifier: GPL-2.0-or-later
// Node tree → route tables, and the service tags that their routes may name.
#include "model/loader.h"

#include <string.h>

#define ECMP VNRS_NEXTHOP_APPLIANCE_ECMP

void vnrs_model_parse_service_tags(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;

    if (!list || !loader_room(l, &m->service_tags, list))
        return;
    node_foreach (node, list) {
        if (node->bad || node->kind != VNRS_NODE_MAP)
            continue;
        struct vnrs_service_tag *tag = &m->service_tags.items[m->service_tags.len++];
        tag->name = vnrs_read_text(l, node, "name");
        tag->pos = node->pos;
        vnrs_read_prefixes(l, vnrs_node_get(node, "addressPrefixes"), &tag->prefixes);
        vnrs_read_name(l, VNRS_REF_TAG, "service tag", tag->name, node->pos, tag);
    }
}

static void refuse_hop(struct vnrs_loader *l, const struct vnrs_node *node, const char *type, const char *key)
{
    if (!node)
        return;
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_NEXT_HOP_NOT_ALLOWED, node->key_pos, "next hop type %s takes no '%s'", type, key);
    vnrs_diag_help(l->diags, d,
                   "VirtualAppliance has 'nextHopIpAddress', " ECMP " has 'nextHop: {nextHopIpAddresses}'");
}

// The next hop type and what must, and must not, be with it.
static void parse_next_hop(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_udr *udr)
{
    const struct vnrs_node *type = vnrs_node_get(node, "nextHopType"), *one = vnrs_node_get(node, "nextHopIpAddress"),
                           *several = vnrs_node_get(node, "nextHop");

    if (!type)
        return;
    udr->ecmp = strcmp(type->text, ECMP) == 0;
    udr->type = udr->ecmp ? VNRS_NH_APPLIANCE
                          : (enum vnrs_nexthop_type)vnrs_read_enum(node, "nextHopType", vnrs_nexthop_names,
                                                                   _VNRS_NH_MAX, VNRS_NH_NONE);
    vnrs_loader_mark(l, &udr->type, type->pos);
    if (udr->type != VNRS_NH_APPLIANCE || udr->ecmp)
        refuse_hop(l, one, type->text, "nextHopIpAddress");
    else
        vnrs_read_addrs(l, one, &udr->next_hops);
    if (!udr->ecmp)
        refuse_hop(l, several, type->text, "nextHop");
    else if (several)
        vnrs_read_addrs(l, vnrs_node_get(several, "nextHopIpAddresses"), &udr->next_hops);
    if (udr->type != VNRS_NH_APPLIANCE || vnrs_node_has(node, "nextHopIpAddress") || vnrs_node_has(node, "nextHop"))
        return; // something wrong with one of these was reported
    struct vnrs_diag *d = loader_error(l, VNRS_V_NEXT_HOP_MISSING, udr->pos,
                                       "route '%s' to an appliance without its address", udr->name ? udr->name : "?");
    vnrs_diag_help(l->diags, d,
                   udr->ecmp ? ECMP " needs 'nextHop: {nextHopIpAddresses: [...]}'"
                             : "VirtualAppliance needs 'nextHopIpAddress'");
}

static void parse_route(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_udr *udr)
{
    struct vnrs_node *prefix = vnrs_node_get(node, "addressPrefix");

    udr->name = vnrs_read_text(l, node, "name");
    udr->pos = node->pos;
    if (prefix && vnrs_prefix_parse(prefix->text, &udr->prefix) == 0)
        vnrs_loader_mark(l, &udr->prefix, prefix->pos);
    else if (prefix)
        vnrs_read_ref(l, prefix, VNRS_REF_TAG, (void **)&udr->tag);
    parse_next_hop(l, node, udr);
}

void vnrs_model_parse_route_tables(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;

    if (!list || !loader_room(l, &m->route_tables, list))
        return;
    node_foreach (node, list) {
        if (node->bad || node->kind != VNRS_NODE_MAP)
            continue;
        struct vnrs_route_table *table = &m->route_tables.items[m->route_tables.len++];
        struct vnrs_map names = {0};
        const struct vnrs_node *routes = vnrs_node_get(node, "routes");
        table->name = vnrs_read_text(l, node, "name");
        table->pos = node->pos;
        table->id = (unsigned)m->route_tables.len;
        table->disable_bgp_propagation = vnrs_read_bool(node, "disableBgpRoutePropagation", false);
        const struct vnrs_node *peering = vnrs_node_get(node, "disablePeeringRoute");
        table->disable_peering = peering && strcmp(peering->text, "All") == 0;
        vnrs_read_name(l, VNRS_REF_ROUTE_TABLE, "route table", table->name, node->pos, table);
        if (!routes || !loader_room(l, &table->routes, routes))
            continue;
        node_foreach (r, routes) {
            if (r->bad || r->kind != VNRS_NODE_MAP)
                continue;
            struct vnrs_udr *udr = &table->routes.items[table->routes.len++];
            parse_route(l, r, udr);
            vnrs_read_local_name(l, &names, "route", udr->name, r);
        }
        vnrs_map_fini(&names);
    }
}
