// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual network gateways, and what they ask of their subnet and of routes. Rules: azure-routing.md sections 3.1, 3.4,
// 5.6 and 6.
#include "model/loader.h"
#include "model/schema.h"

#include <string.h>

#define COEXIST_BITS_MAX    27u
#define VNET_PREFIXES_MAX   1000u // that a circuit is told
#define ROUTES_STANDARD_MAX 4000u // that a circuit takes from a site
#define ROUTES_PREMIUM_MAX  10000u

static const struct sku {
    const char *name;
    enum vnrs_gateway_type type;
    size_t connections, routes; // at most; routes: ExpressRoute, learned in all
} skus[] = {
    {"Basic", VNRS_GATEWAY_VPN, 10, 0},
    {"Standard", VNRS_GATEWAY_VPN, 10, 0},
    {"HighPerformance", VNRS_GATEWAY_VPN, 30, 0},
    {"VpnGw1", VNRS_GATEWAY_VPN, 30, 0},
    {"VpnGw2", VNRS_GATEWAY_VPN, 30, 0},
    {"VpnGw3", VNRS_GATEWAY_VPN, 30, 0},
    {"VpnGw4", VNRS_GATEWAY_VPN, 100, 0},
    {"VpnGw5", VNRS_GATEWAY_VPN, 100, 0},
    {"VpnGw1AZ", VNRS_GATEWAY_VPN, 30, 0},
    {"VpnGw2AZ", VNRS_GATEWAY_VPN, 30, 0},
    {"VpnGw3AZ", VNRS_GATEWAY_VPN, 30, 0},
    {"VpnGw4AZ", VNRS_GATEWAY_VPN, 100, 0},
    {"VpnGw5AZ", VNRS_GATEWAY_VPN, 100, 0},
    {"Standard", VNRS_GATEWAY_EXPRESSROUTE, 4, 4000},
    {"HighPerformance", VNRS_GATEWAY_EXPRESSROUTE, 8, 9500},
    {"UltraPerformance", VNRS_GATEWAY_EXPRESSROUTE, 16, 9500},
    {"ErGw1AZ", VNRS_GATEWAY_EXPRESSROUTE, 4, 4000},
    {"ErGw2AZ", VNRS_GATEWAY_EXPRESSROUTE, 8, 9500},
    {"ErGw3AZ", VNRS_GATEWAY_EXPRESSROUTE, 16, 9500},
    {"ErGwScale", VNRS_GATEWAY_EXPRESSROUTE, 16, 11000},
};

static bool is_azure(const struct vnrs_loader *l)
{
    return l->model->limits == VNRS_LIMITS_AZURE;
}

static const char *name_of(const struct vnrs_gateway *gateway)
{
    return gateway->name ? gateway->name : "?";
}

// ---- SKU

struct sku_walk {
    enum vnrs_gateway_type type;
    size_t at;
};

static const char *next_sku(void *arg)
{
    struct sku_walk *walk = arg;

    while (walk->at < ARRAY_SIZE(skus))
        if (skus[walk->at++].type == walk->type)
            return skus[walk->at - 1].name;
    return NULL;
}

static const struct sku *find_sku(const struct vnrs_gateway *gateway)
{
    for (size_t i = 0; i < ARRAY_SIZE(skus); i++)
        if (skus[i].type == gateway->type && strcmp(skus[i].name, gateway->sku) == 0)
            return &skus[i];
    return NULL;
}

static bool is_basic(const struct vnrs_gateway *gateway)
{
    return gateway->type == VNRS_GATEWAY_VPN && strcmp(gateway->sku, "Basic") == 0;
}

static void check_basic(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    const struct vnrs_model *m = l->model;
    struct vnrs_pos pos = vnrs_loader_pos(l, &gateway->sku, gateway->pos);
    const struct vnrs_gateway *beside = vnrs_model_gateway_of(m, gateway->vnet, VNRS_GATEWAY_EXPRESSROUTE);
    struct vnrs_diag *d;

    if (beside) {
        d = loader_error(l, VNRS_V_GATEWAY_COEXIST, pos, "VPN gateway '%s' of SKU Basic beside an ExpressRoute gateway",
                         name_of(gateway));
        vnrs_diag_note(l->diags, d, beside->pos, "the ExpressRoute gateway is here");
        vnrs_diag_help(l->diags, d, "the two coexist with VpnGw1 and larger ones");
    }
    if (gateway->active_active) {
        d = loader_error(l, VNRS_V_GATEWAY_BASIC, pos, "VPN gateway '%s' of SKU Basic cannot be active-active",
                         name_of(gateway));
        vnrs_diag_help(l->diags, d, "VpnGw1 and larger ones can");
    }
    list_foreach (c, &m->connections) {
        if (c->gateway != gateway || !c->enable_bgp)
            continue;
        d = loader_error(l, VNRS_V_GATEWAY_BASIC, c->pos, "BGP on VPN gateway '%s' of SKU Basic", name_of(gateway));
        vnrs_diag_note(l->diags, d, pos, "the SKU is here");
        vnrs_diag_help(l->diags, d, "VpnGw1 and larger ones have BGP");
    }
}

static size_t count_routes(const struct vnrs_site *site)
{
    return site && site->machine ? site->prefixes.len + site->machine->run.announce.len : 0;
}

static void check_sku(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    bool is_vpn = gateway->type == VNRS_GATEWAY_VPN;
    const struct sku *sku = find_sku(gateway);
    size_t n = 0, routes = 0;

    if (!is_azure(l))
        return; // a SKU stands for limits only
    if (!sku) {
        struct sku_walk walk = {.type = gateway->type};
        const char *meant = vnrs_schema_suggest(gateway->sku, next_sku, &walk);
        struct vnrs_diag *d = loader_error(l, VNRS_V_GATEWAY_SKU, vnrs_loader_pos(l, &gateway->sku, gateway->pos),
                                           "no SKU '%s' of %s gateways", gateway->sku, is_vpn ? "VPN" : "ExpressRoute");
        if (meant)
            vnrs_diag_help(l->diags, d, "did you mean '%s'?", meant);
        else
            vnrs_diag_help(l->diags, d, "for example %s", is_vpn ? "VpnGw1" : "ErGw1AZ");
        return;
    }
    list_foreach (c, &l->model->connections) {
        if (c->gateway != gateway)
            continue;
        n++;
        routes += count_routes(c->site);
        if (!is_vpn)
            vnrs_report_count(l, c->pos, "routes from the site of one circuit", count_routes(c->site),
                              c->premium ? ROUTES_PREMIUM_MAX : ROUTES_STANDARD_MAX);
        else if (c->enable_bgp)
            vnrs_report_count(l, c->pos, "routes of one BGP peer", count_routes(c->site), ROUTES_STANDARD_MAX);
    }
    vnrs_report_count(l, gateway->pos, is_vpn ? "tunnels of a VPN gateway of this SKU" : "circuits of this SKU", n,
                      sku->connections);
    if (!is_vpn)
        vnrs_report_count(l, gateway->pos, "routes learned by a gateway of this SKU", routes, sku->routes);
    if (is_basic(gateway))
        check_basic(l, gateway);
}

// ---- BGP

static void check_asn(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    const char *who = gateway->asn == VNRS_RS_ASN ? NULL : vnrs_asn_reservation(l->model, gateway->asn);
    struct vnrs_pos pos = vnrs_loader_pos(l, &gateway->asn, gateway->pos);
    struct vnrs_diag *d;

    if (gateway->type == VNRS_GATEWAY_EXPRESSROUTE && gateway->asn != VNRS_RS_ASN) {
        d = loader_error(l, VNRS_V_GATEWAY_ASN, pos, "ExpressRoute gateway '%s' with ASN %u", name_of(gateway),
                         gateway->asn);
        vnrs_diag_help(l->diags, d, "an ExpressRoute gateway has ASN %u", VNRS_RS_ASN);
    } else if (who) {
        d = loader_error(l, VNRS_V_GATEWAY_ASN, pos, "ASN %u of gateway '%s' is %s", gateway->asn, name_of(gateway),
                         who);
        vnrs_diag_help(l->diags, d, "%u, or a private ASN: 64512 to 65514 and 65521 to 65534", VNRS_RS_ASN);
    }
}

static const struct vnrs_route_server *transit_server(const struct vnrs_model *m, const struct vnrs_gateway *gateway)
{
    list_foreach (rs, &m->route_servers)
        if (rs->vnet == gateway->vnet && rs->allow_branch_to_branch)
            return rs;
    return NULL;
}

// What Azure documents for a VPN gateway whose routes a Route Server passes on; other ones have been seen to work.
static void check_transit(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    const struct vnrs_route_server *rs = transit_server(l->model, gateway);
    enum vnrs_diag_severity severity = is_azure(l) ? VNRS_DIAG_ERROR : VNRS_DIAG_WARNING;
    struct vnrs_diag *d;

    if (!rs || gateway->type != VNRS_GATEWAY_VPN)
        return;
    if (gateway->asn != VNRS_RS_ASN) {
        d = vnrs_diag_add(l->diags, severity, VNRS_V_GATEWAY_TRANSIT_ASN,
                          vnrs_loader_pos(l, &gateway->asn, gateway->pos),
                          "VPN gateway '%s' with ASN %u beside a Route Server with branch-to-branch traffic",
                          name_of(gateway), gateway->asn);
        vnrs_diag_note(l->diags, d, rs->pos, "the Route Server is here");
        vnrs_diag_help(l->diags, d, "Azure wants %u there; with 'limits: none' another ASN is a warning", VNRS_RS_ASN);
    }
    if (!gateway->active_active) {
        d = vnrs_diag_add(l->diags, severity, VNRS_V_GATEWAY_TRANSIT_ACTIVE, gateway->pos,
                          "VPN gateway '%s' is not active-active beside a Route Server with branch-to-branch traffic",
                          name_of(gateway));
        vnrs_diag_note(l->diags, d, rs->pos, "the Route Server is here");
        vnrs_diag_help(l->diags, d, "add 'activeActive: true'; with 'limits: none' this is a warning");
    }
}

bool vnrs_is_gateway_apipa(const struct vnrs_addr *addr)
{
    static const struct vnrs_addr first = {VNRS_AF_IPV4, {169, 254, 21, 0}}, last = {VNRS_AF_IPV4, {169, 254, 22, 255}};
    return vnrs_addr_cmp(addr, &first) >= 0 && vnrs_addr_cmp(addr, &last) <= 0;
}

static void check_apipa(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    struct vnrs_map seen = {0};
    char text[VNRS_ADDR_STR_MAX];

    for (unsigned i = 0; i < gateway->n_instances; i++) {
        list_foreach (addr, &gateway->instances[i].apipa) {
            struct vnrs_pos pos = vnrs_loader_pos(l, addr, gateway->pos);
            if (!vnrs_is_gateway_apipa(addr)) {
                struct vnrs_diag *d = loader_error(l, VNRS_V_APIPA_RANGE, pos, "BGP address %s of gateway '%s'",
                                                   vnrs_addr_format(addr, text), name_of(gateway));
                vnrs_diag_help(l->diags, d, "Azure's are 169.254.21.0 to 169.254.22.255");
            } else if (vnrs_map_find(&seen, addr, sizeof(*addr))) {
                (void)loader_error(l, VNRS_V_LISTED_TWICE, pos, "BGP address %s is there twice",
                                   vnrs_addr_format(addr, text));
            } else if (vnrs_map_put(&seen, addr, sizeof(*addr), addr) < 0) {
                l->diags->failed = true;
            }
        }
    }
    vnrs_map_fini(&seen);
}

// ---- place

static const struct vnrs_subnet *find_subnet(const struct vnrs_vnet *vnet, const char *name)
{
    list_foreach (subnet, &vnet->subnets)
        if (subnet->name && strcmp(subnet->name, name) == 0)
            return subnet;
    return NULL;
}

// 0.0.0.0/0 takes the packets of the tunnels themselves.
static void check_default_route(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    const struct vnrs_route_table *table = gateway->subnet->route_table;

    if (!table || gateway->type != VNRS_GATEWAY_VPN)
        return;
    list_foreach (udr, &table->routes) {
        if (udr->tag || udr->prefix.family != VNRS_AF_IPV4 || udr->prefix.len)
            continue;
        struct vnrs_diag *d = loader_error(l, VNRS_V_GATEWAY_SUBNET_DEFAULT, vnrs_loader_pos(l, &udr->prefix, udr->pos),
                                           "route '%s' to 0.0.0.0/0 in GatewaySubnet of VPN gateway '%s'",
                                           udr->name ? udr->name : "?", name_of(gateway));
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &gateway->subnet->route_table, gateway->subnet->pos),
                       "the subnet uses the table here");
        vnrs_diag_help(l->diags, d, "Azure makes no VPN gateway in such a subnet");
    }
}

// The route that wins for `prefix` and comes from the table, or NULL.
static const struct vnrs_udr *winning_route(const struct vnrs_route_table *table, const struct vnrs_prefix *prefix)
{
    const struct vnrs_udr *best = NULL;

    list_foreach (udr, &table->routes)
        if (!udr->tag && udr->prefix.family && vnrs_prefix_contains(&udr->prefix, prefix) &&
            (!best || udr->prefix.len > best->prefix.len))
            best = udr;
    return best;
}

// Gateways speak BGP with a Route Server: user-defined routes must leave the way to it alone.
static void check_server_route(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    const struct vnrs_route_table *table = gateway->subnet->route_table;
    const struct vnrs_subnet *server = find_subnet(gateway->vnet, "RouteServerSubnet");

    if (!table || !server)
        return;
    list_foreach (prefix, &server->prefixes) {
        const struct vnrs_udr *udr = winning_route(table, prefix);
        if (!udr || udr->type == VNRS_NH_VNET_LOCAL)
            continue;
        struct vnrs_diag *d = loader_warning(l, VNRS_V_GATEWAY_SUBNET_RS_ROUTE, udr->pos,
                                             "route '%s' of GatewaySubnet takes what goes to RouteServerSubnet",
                                             udr->name ? udr->name : "?");
        vnrs_diag_note(l->diags, d, server->pos, "RouteServerSubnet is here");
        vnrs_diag_help(l->diags, d,
                       "sessions between gateway and Route Server break: add a route for that subnet to "
                       "VnetLocal");
        return;
    }
}

static void check_subnet(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    struct vnrs_diag *d;
    bool has_v4 = false;

    if (!gateway->subnet) {
        d = loader_error(l, VNRS_V_GATEWAY_SUBNET_MISSING, gateway->pos, "virtual network '%s' has no GatewaySubnet",
                         gateway->vnet->name);
        vnrs_note_subnet(l, d, gateway->vnet, "GatewaySubnet");
        vnrs_diag_help(l->diags, d, "a gateway is placed in a subnet named GatewaySubnet, /27 or larger");
        return;
    }
    list_foreach (prefix, &gateway->subnet->prefixes)
        has_v4 |= prefix->family == VNRS_AF_IPV4;
    if (!has_v4 && gateway->subnet->prefixes.len) {
        d = loader_error(l, VNRS_V_GATEWAY_SUBNET_MISSING, gateway->subnet->pos, "GatewaySubnet has no IPv4 range");
        vnrs_diag_help(l->diags, d, "gateways have IPv4 addresses");
    }
    check_default_route(l, gateway);
    check_server_route(l, gateway);
}

static void check_second(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    const struct vnrs_gateway *first = vnrs_model_gateway_of(l->model, gateway->vnet, gateway->type);

    if (first == gateway)
        return;
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_GATEWAY_SECOND, gateway->pos, "a second %s gateway in virtual network '%s'",
                     gateway->type == VNRS_GATEWAY_VPN ? "VPN" : "ExpressRoute", gateway->vnet->name);
    vnrs_diag_note(l->diags, d, first->pos, "the first is here");
    vnrs_diag_help(l->diags, d, "one of each type is possible");
}

// What a circuit is told: ranges of the network and of those that use its gateway.
static void check_told(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    size_t n = 0;

    if (gateway->type != VNRS_GATEWAY_EXPRESSROUTE || !is_azure(l))
        return;
    list_foreach (vnet, &l->model->vnets)
        if (l->hubs[vnet->id] == gateway->vnet)
            n += vnet->address_space.len;
    vnrs_report_count(l, gateway->pos, "ranges of virtual networks told to a circuit", n, VNET_PREFIXES_MAX);
}

void vnrs_check_gateway_route(struct vnrs_loader *l, const struct vnrs_udr *udr, const struct vnrs_subnet *user)
{
    const struct vnrs_model *m = l->model;
    const struct vnrs_vnet *hub = l->hubs[user->vnet->id];
    const struct vnrs_gateway *vpn = hub ? vnrs_model_gateway_of(m, hub, VNRS_GATEWAY_VPN) : NULL,
                              *er = hub ? vnrs_model_gateway_of(m, hub, VNRS_GATEWAY_EXPRESSROUTE) : NULL;
    struct vnrs_pos pos = vnrs_loader_pos(l, &udr->type, udr->pos);
    const char *name = udr->name ? udr->name : "?";
    struct vnrs_diag *d;

    if (!vpn) {
        d = loader_warning(l, VNRS_V_NO_VPN_GATEWAY, pos, "route '%s' leads to a VPN gateway, and there is none", name);
        if (er)
            vnrs_diag_note(l->diags, d, er->pos, "an ExpressRoute gateway is no next hop of user-defined routes");
        vnrs_diag_help(l->diags, d, "matching packets are dropped");
    } else if (er) {
        d = vnrs_diag_add(l->diags, is_azure(l) ? VNRS_DIAG_ERROR : VNRS_DIAG_WARNING, VNRS_V_GATEWAY_ROUTE_COEXIST,
                          pos, "route '%s' leads to a VPN gateway that an ExpressRoute gateway is beside", name);
        vnrs_diag_note(l->diags, d, er->pos, "the ExpressRoute gateway is here");
        vnrs_diag_help(l->diags, d, "Azure has no such next hop where the two coexist");
    }
}

void vnrs_check_gateway_coexistence(struct vnrs_loader *l, const struct vnrs_subnet *subnet,
                                    const struct vnrs_prefix *prefix)
{
    bool coexist = vnrs_model_gateway_of(l->model, subnet->vnet, VNRS_GATEWAY_VPN) &&
                   vnrs_model_gateway_of(l->model, subnet->vnet, VNRS_GATEWAY_EXPRESSROUTE);
    char text[VNRS_PREFIX_STR_MAX];

    if (prefix->family != VNRS_AF_IPV4 || prefix->len <= COEXIST_BITS_MAX)
        return;
    struct vnrs_diag *d = vnrs_diag_add(l->diags, coexist && is_azure(l) ? VNRS_DIAG_ERROR : VNRS_DIAG_WARNING,
                                        VNRS_V_GATEWAY_SUBNET_SMALL, vnrs_loader_pos(l, prefix, subnet->pos),
                                        "GatewaySubnet %s is smaller than /27", vnrs_prefix_format(prefix, text));
    vnrs_diag_help(l->diags, d, "Azure wants /27 or larger where VPN and ExpressRoute gateways coexist");
}

void vnrs_validate_gateways(struct vnrs_loader *l)
{
    const struct vnrs_model *m = l->model;

    if (m->gateways.len && m->dataplane == VNRS_DATAPLANE_NONE) {
        struct vnrs_diag *d = loader_error(l, VNRS_V_GATEWAY_NO_DATAPLANE, m->gateways.items[0].pos,
                                           "virtual network gateways with 'dataplane: none'");
        vnrs_diag_help(l->diags, d, "nothing would forward for them: 'dataplane: ebpf' or 'kernel'");
    }
    list_foreach (gateway, &m->gateways) {
        check_asn(l, gateway);
        check_apipa(l, gateway);
        if (!gateway->vnet)
            continue;
        check_second(l, gateway);
        check_sku(l, gateway);
        check_transit(l, gateway);
        check_subnet(l, gateway);
        check_told(l, gateway);
    }
}
