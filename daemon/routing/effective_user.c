// SPDX-License-Identifier: GPL-2.0-or-later
// Rows of user-defined routes (azure-routing.md 3).
#include "routing/effective_rows.h"

// Where user routes of type VirtualNetworkGateway lead: to the VPN gateway that the virtual network has or uses, unless
// there is an ExpressRoute gateway beside it (azure-routing.md 3.1). Propagation of learned routes has no say in it.
static const struct vnrs_gateway *udr_gateway(const struct vnrs_eff_table *t)
{
    const struct vnrs_vnet *hub = vnrs_model_hub_of(t->model, t->domain->vnet);

    if (!hub || vnrs_model_gateway_of(t->model, hub, VNRS_GATEWAY_EXPRESSROUTE))
        return NULL;
    return vnrs_model_gateway_of(t->model, hub, VNRS_GATEWAY_VPN);
}

static const char *gateway_caveat(const struct vnrs_eff_table *t)
{
    const struct vnrs_vnet *hub = vnrs_model_hub_of(t->model, t->domain->vnet);

    if (udr_gateway(t))
        return "";
    if (hub && vnrs_model_gateway_of(t->model, hub, VNRS_GATEWAY_VPN))
        return "; no use beside an ExpressRoute gateway: packets are dropped";
    return "; there is no VPN gateway: packets are dropped";
}

// The instances' addresses, one next hop each.
static void udr_gateway_hops(struct vnrs_eff_table *t, struct vnrs_eff_route *row)
{
    const struct vnrs_gateway *gateway = udr_gateway(t);
    struct vnrs_addr *hops = gateway ? vnrs_arena_alloc(t->arena, gateway->n_instances * sizeof(*hops)) : NULL;

    t->failed |= gateway && !hops;
    for (unsigned i = 0; hops && i < gateway->n_instances; i++)
        hops[i] = gateway->instances[i].ip;
    row->next_hops = hops;
    row->n_next_hops = hops ? gateway->n_instances : 0;
}

static const char *appliance_caveat(struct vnrs_eff_table *t, const struct vnrs_udr *udr)
{
    char ip[VNRS_ADDR_STR_MAX];

    list_foreach (hop, &udr->next_hops) {
        if (!vnrs_reach_find(t->reach, t->domain->vnet, hop) && !vnrs_reach_balancer(t->reach, t->domain->vnet, hop))
            return EFF_SAY(t, "; no NIC of this or a peered virtual network has %s: %s", vnrs_addr_format(hop, ip),
                           udr->ecmp ? "the others share its flows" : "packets are dropped");
    }
    return "";
}

// What there is to add about where a user route leads; "" when it does what it says.
static const char *udr_caveat(struct vnrs_eff_table *t, const struct vnrs_udr *udr)
{
    switch (udr->type) {
    case VNRS_NH_APPLIANCE:
        return appliance_caveat(t, udr);
    case VNRS_NH_GATEWAY:
        return gateway_caveat(t);
    case VNRS_NH_INTERNET:
        return t->model->internet.present ? "" : "; this lab has no Internet: packets are dropped";
    default:
        return "";
    }
}

static const char *udr_why(struct vnrs_eff_table *t, const struct vnrs_user_route *user)
{
    const struct vnrs_udr *udr = user->udr;
    static const char *const beats[] = {
        [0] = "",
        [VNRS_EFF_BEATEN_DEFAULT] = "; User beats Default at the same prefix",
        [VNRS_EFF_BEATEN_GATEWAY] = "; User beats VirtualNetworkGateway at the same prefix",
        [VNRS_EFF_BEATEN_DEFAULT | VNRS_EFF_BEATEN_GATEWAY] =
            "; User beats VirtualNetworkGateway and Default at the same prefix",
    };
    const char *caveat = udr_caveat(t, udr), *table = t->domain->table->name;

    return EFF_SAY(t, "user route of route table '%s'%s%s%s%s", table, udr->tag ? ", prefix of service tag " : "",
                   udr->tag ? udr->tag->name : "", beats[t->udr_beat[user - t->rules->users]], caveat ? caveat : "");
}

// Of several user routes with the prefix, which only service tags can give, one wins (azure-routing.md 3.3).
static void row_rank(struct vnrs_eff_table *t, struct vnrs_eff_route *row, const struct vnrs_user_route *user)
{
    const struct vnrs_user_route *winner =
        ((const struct vnrs_cover_entry *)vnrs_cover_find(&t->rules->udrs, user->prefix))->value;

    if (winner->udr == user->udr)
        return;
    row->state = VNRS_ROUTE_INVALID;
    row->why = EFF_SAY(t, "user route '%s' has the same prefix: %s", winner->udr->name,
                       winner->udr->tag ? "its service tag is preferred" : "a prefix is preferred to a service tag");
}

void vnrs_eff_rows_user(struct vnrs_eff_table *t)
{
    size_t from = t->domain->routes.len;

    if (!t->domain->table)
        return;
    for (const struct vnrs_user_route *user = t->rules->users; user < t->rules->users + t->rules->n_users; user++) {
        const struct vnrs_udr *udr = user->udr;
        struct vnrs_eff_route *row = vnrs_eff_row_new(t, user->prefix, VNRS_SRC_USER, udr->type);
        row->name = udr->name;
        row->table = t->domain->table;
        row->tag = udr->tag;
        row->ecmp = udr->ecmp;
        row->why = udr_why(t, user);
        row->next_hops = udr->next_hops.items;
        row->n_next_hops = (unsigned)udr->next_hops.len;
        if (udr->type == VNRS_NH_VNET_LOCAL)
            row->vnet = t->domain->vnet;
        if (udr->type == VNRS_NH_GATEWAY)
            udr_gateway_hops(t, row);
        if (!vnrs_eff_under_endpoint(t, row))
            row_rank(t, row, user);
    }
    vnrs_eff_sort(t, from);
}
