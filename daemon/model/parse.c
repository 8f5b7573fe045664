// SPDX-License-Identifier: GPL-2.0-or-later
// Node tree → objects of the model, in file order. References are only noted (resolve.c); route tables are in
// parse_route.c, machines and tests in parse_machine.c, gateways and what they lead to in parse_gateway.c.
#include "model/loader.h"

#include <string.h>

#define RESTART_S_DEFAULT      120u
#define BMP_PORT_DEFAULT       11019u
#define BMP_STATISTICS_DEFAULT 60u

static bool is_map(const struct vnrs_node *node)
{
    return !node->bad && node->kind == VNRS_NODE_MAP;
}

static void parse_endpoints(struct vnrs_loader *l, const struct vnrs_node *list, struct vnrs_subnet *subnet)
{
    if (!list || !loader_room(l, &subnet->service_endpoints, list))
        return;
    node_foreach (node, list) {
        struct vnrs_node *service = is_map(node) ? vnrs_node_get(node, "service") : NULL;
        if (service)
            vnrs_read_ref(l, service, VNRS_REF_SERVICE,
                          (void **)&subnet->service_endpoints.items[subnet->service_endpoints.len++]);
    }
}

static void parse_subnet(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_vnet *vnet,
                         struct vnrs_subnet *subnet)
{
    struct vnrs_node *one = vnrs_node_get(node, "addressPrefix"), *several = vnrs_node_get(node, "addressPrefixes");

    subnet->name = vnrs_read_text(l, node, "name");
    subnet->pos = node->pos;
    subnet->vnet = vnet;
    subnet->id = (unsigned)++l->model->n_subnets;
    if (one && several) {
        struct vnrs_diag *d = loader_error(l, VNRS_V_KEY_CONFLICT, several->key_pos,
                                           "subnet with both 'addressPrefix' and 'addressPrefixes'");
        vnrs_diag_note(l->diags, d, one->key_pos, "the other is here");
    } else if (!one && !several) {
        if (!vnrs_node_has(node, "addressPrefix") && !vnrs_node_has(node, "addressPrefixes"))
            (void)loader_error(l, VNRS_V_MISSING_KEY, node->pos, "subnet without 'addressPrefix'");
    }
    vnrs_read_prefixes(l, one ? one : several, &subnet->prefixes);
    vnrs_read_ref(l, vnrs_node_get(node, "routeTable"), VNRS_REF_ROUTE_TABLE, (void **)&subnet->route_table);
    parse_endpoints(l, vnrs_node_get(node, "serviceEndpoints"), subnet);
    if (!subnet->name || !vnet->name)
        return;
    const char *full = vnrs_arena_printf(l->scratch, "%s/%s", vnet->name, subnet->name);
    if (full)
        vnrs_read_name(l, VNRS_REF_SUBNET, "subnet", full, node->pos, subnet);
    else
        l->diags->failed = true;
}

static void parse_vnets(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;

    if (!list || !loader_room(l, &m->vnets, list))
        return;
    node_foreach (node, list) {
        if (!is_map(node))
            continue;
        struct vnrs_vnet *vnet = &m->vnets.items[m->vnets.len++];
        vnet->name = vnrs_read_text(l, node, "name");
        vnet->pos = node->pos;
        vnet->id = (unsigned)m->vnets.len;
        vnet->region = vnrs_read_text(l, node, "region");
        vnrs_read_prefixes(l, vnrs_node_get(node, "addressSpace"), &vnet->address_space);
        vnrs_read_name(l, VNRS_REF_VNET, "virtual network", vnet->name, node->pos, vnet);
        const struct vnrs_node *subnets = vnrs_node_get(node, "subnets");
        if (!subnets || !loader_room(l, &vnet->subnets, subnets))
            continue;
        node_foreach (s, subnets)
            if (is_map(s))
                parse_subnet(l, s, vnet, &vnet->subnets.items[vnet->subnets.len++]);
    }
}

static void refuse_subnet_peering(struct vnrs_loader *l, const struct vnrs_node *node)
{
    const struct vnrs_node *local = vnrs_node_get(node, "localSubnetNames"),
                           *remote = vnrs_node_get(node, "remoteSubnetNames"), *wrong = local ? local : remote;

    if (!vnrs_read_bool(node, "peerCompleteVnets", true))
        wrong = vnrs_node_get(node, "peerCompleteVnets");
    else if (vnrs_read_bool(node, "enableOnlyIPv6Peering", false))
        wrong = vnrs_node_get(node, "enableOnlyIPv6Peering");
    if (!wrong)
        return;
    struct vnrs_diag *d = loader_error(l, VNRS_V_SUBNET_PEERING, wrong->key_pos,
                                       "'%s': peering of parts of a network is not built", wrong->key);
    vnrs_diag_help(l->diags, d, "whole virtual networks are peered here; route tables can keep subnets apart");
}

static void parse_peerings(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;

    if (!list || !loader_room(l, &m->peerings, list))
        return;
    node_foreach (node, list) {
        if (!is_map(node))
            continue;
        struct vnrs_peering *p = &m->peerings.items[m->peerings.len++];
        p->pos = node->pos;
        vnrs_read_ref(l, vnrs_node_get(node, "virtualNetwork"), VNRS_REF_VNET, (void **)&p->vnet);
        vnrs_read_ref(l, vnrs_node_get(node, "remoteVirtualNetwork"), VNRS_REF_VNET, (void **)&p->remote);
        p->allow_access = vnrs_read_bool(node, "allowVirtualNetworkAccess", true);
        p->allow_forwarded = vnrs_read_bool(node, "allowForwardedTraffic", false);
        p->lets_access = p->allow_access || l->model->peering_flags == VNRS_PEERING_FLAGS_TAG;
        p->lets_forwarded = p->allow_forwarded || l->model->peering_flags == VNRS_PEERING_FLAGS_TAG;
        p->allow_gateway_transit = vnrs_read_bool(node, "allowGatewayTransit", false);
        p->use_remote_gateways = vnrs_read_bool(node, "useRemoteGateways", false);
        p->unverified = vnrs_read_bool(node, "doNotVerifyRemoteGateways", false);
        vnrs_read_prefixes(l, vnrs_node_get(node, "remoteAddressSpace"), &p->remote_space);
        p->disconnected = vnrs_node_get(node, "peeringState");
        refuse_subnet_peering(l, node);
    }
}

static void parse_bgp_options(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_route_server *rs)
{
    rs->timers = l->timers;
    vnrs_read_timers(l, node, &rs->timers);
    rs->options = (struct vnrs_bgp_options){
        .graceful_restart = vnrs_read_bool(node, "gracefulRestart", false),
        .restart_s = vnrs_read_number(node, "restartTime", RESTART_S_DEFAULT),
        .enhanced_refresh = vnrs_read_bool(node, "enhancedRefresh", false),
        .extended_messages = vnrs_read_bool(node, "extendedMessages", false),
        .add_path = vnrs_read_bool(node, "addPath", false),
        .extended_next_hop = vnrs_read_bool(node, "extendedNextHop", false),
    };
}

// What a connection says about its session.
static void parse_session(struct vnrs_loader *l, const struct vnrs_node *node, const struct vnrs_route_server *rs,
                          struct vnrs_bgp_connection *c)
{
    const struct vnrs_node *password = vnrs_node_get(node, "password"), *hops = vnrs_node_get(node, "ttlSecurityHops"),
                           *bfd = vnrs_node_get(node, "bfd");

    c->timers = rs->timers;
    vnrs_read_timers(l, vnrs_node_get(node, "bgp"), &c->timers);
    c->password = vnrs_read_text(l, node, "password");
    if (password)
        vnrs_loader_mark(l, &c->password, password->key_pos); // not the text itself: the place of it is shown
    c->ttl_security_hops = vnrs_read_number(node, "ttlSecurityHops", 0);
    if (hops)
        vnrs_loader_mark(l, &c->ttl_security_hops, hops->pos);
    c->passive = vnrs_read_bool(node, "passive", false);
    c->delay_open = vnrs_read_number(node, "delayOpen", 0);
    c->min_hold = vnrs_read_number(node, "minHold", 0);
    c->bfd = l->bfd;
    vnrs_read_bfd(bfd, &c->bfd);
    if (bfd)
        vnrs_loader_mark(l, &c->bfd, bfd->key_pos);
}

static void parse_bgp_connections(struct vnrs_loader *l, const struct vnrs_node *list, struct vnrs_route_server *rs)
{
    struct vnrs_map names = {0};

    if (!list || !loader_room(l, &rs->connections, list))
        return;
    node_foreach (node, list) {
        if (!is_map(node))
            continue;
        struct vnrs_bgp_connection *c = &rs->connections.items[rs->connections.len++];
        c->name = vnrs_read_text(l, node, "name");
        c->pos = node->pos;
        vnrs_read_addr(l, node, "peerIp", &c->peer_ip);
        const struct vnrs_node *asn = vnrs_node_get(node, "peerAsn");
        c->peer_asn = vnrs_read_number(node, "peerAsn", 0);
        vnrs_model_parse_map_refs(l, vnrs_node_get(node, "routingConfiguration"), rs, c);
        if (asn)
            vnrs_loader_mark(l, &c->peer_asn, asn->pos);
        parse_session(l, node, rs, c);
        vnrs_read_local_name(l, &names, "BGP connection", c->name, node);
    }
    vnrs_map_fini(&names);
}

static unsigned parse_bmp_ribs(struct vnrs_loader *l, const struct vnrs_node *list)
{
    unsigned ribs = 0;

    if (!list)
        return VNRS_BMP_RIB_PRE_POLICY | VNRS_BMP_RIB_LOC_RIB;
    node_foreach (node, list) {
        for (unsigned i = 0; !node->bad && i < ARRAY_SIZE(vnrs_bmp_rib_names); i++) {
            if (strcmp(node->text, vnrs_bmp_rib_names[i]) != 0)
                continue;
            if (ribs & 1u << i)
                (void)loader_error(l, VNRS_V_LISTED_TWICE, node->pos, "'%s' is there twice", node->text);
            ribs |= 1u << i;
        }
    }
    return ribs;
}

static void parse_bmp(struct vnrs_loader *l, const struct vnrs_node *list, struct vnrs_route_server *rs)
{
    if (!list || !loader_room(l, &rs->bmp, list))
        return;
    node_foreach (node, list) {
        if (!is_map(node))
            continue;
        struct vnrs_bmp_target *target = &rs->bmp.items[rs->bmp.len++];
        target->pos = node->pos;
        vnrs_read_addr(l, node, "station", &target->station);
        target->port = (uint16_t)vnrs_read_number(node, "port", BMP_PORT_DEFAULT);
        target->ribs = parse_bmp_ribs(l, vnrs_node_get(node, "ribs"));
        target->statistics_s = vnrs_read_number(node, "statistics", BMP_STATISTICS_DEFAULT);
    }
}

static void parse_instance_ips(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_route_server *rs)
{
    vnrs_addr_list ips = {0};

    if (!node)
        return;
    vnrs_read_addrs(l, node, &ips);
    vnrs_loader_mark(l, &rs->ips, node->pos);
    if (node->n > VNRS_RS_INSTANCES || (l->model->dataplane != VNRS_DATAPLANE_NONE && node->n != VNRS_RS_INSTANCES)) {
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_RS_INSTANCE_IPS, node->pos, "Route Server '%s' with %zu instance%s",
                         rs->name ? rs->name : "?", node->n, node->n == 1 ? "" : "s");
        vnrs_diag_help(l->diags, d, "a Route Server has two instances; only with 'dataplane: none' it may have one");
    }
    for (size_t i = 0; i < MIN(ips.len, (size_t)VNRS_RS_INSTANCES); i++) {
        rs->ips[i] = ips.items[i];
        vnrs_loader_mark(l, &rs->ips[i], vnrs_loader_pos(l, &ips.items[i], node->pos));
    }
}

static void parse_route_servers(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;
    struct vnrs_map names = {0};

    if (!list || !loader_room(l, &m->route_servers, list))
        return;
    node_foreach (node, list) {
        if (!is_map(node))
            continue;
        struct vnrs_route_server *rs = &m->route_servers.items[m->route_servers.len++];
        rs->name = vnrs_read_text(l, node, "name");
        rs->pos = node->pos;
        vnrs_read_local_name(l, &names, "Route Server", rs->name, node);
        vnrs_read_ref(l, vnrs_node_get(node, "virtualNetwork"), VNRS_REF_VNET, (void **)&rs->vnet);
        rs->allow_branch_to_branch = vnrs_read_bool(node, "allowBranchToBranchTraffic", false);
        rs->preference =
            (enum vnrs_hub_preference)vnrs_read_enum(node, "hubRoutingPreference", vnrs_preference_names,
                                                     ARRAY_SIZE(vnrs_preference_names), VNRS_HRP_EXPRESSROUTE);
        rs->min_capacity = vnrs_read_number(vnrs_node_get(node, "virtualRouterAutoScaleConfiguration"), "minCapacity",
                                            VNRS_RS_UNITS_MIN);
        rs->change_delay_s = vnrs_read_number(node, "routeChangeDelay", 0);
        parse_instance_ips(l, vnrs_node_get(node, "instanceIps"), rs);
        parse_bgp_options(l, vnrs_node_get(node, "bgp"), rs);
        vnrs_model_parse_route_maps(l, vnrs_node_get(node, "routeMaps"), rs);
        parse_bgp_connections(l, vnrs_node_get(node, "bgpConnections"), rs);
        parse_bmp(l, vnrs_node_get(node, "bmp"), rs);
    }
    vnrs_map_fini(&names);
}

static void parse_services(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;

    if (!list || !loader_room(l, &m->services, list))
        return;
    node_foreach (node, list) {
        if (!is_map(node))
            continue;
        struct vnrs_service *s = &m->services.items[m->services.len++];
        const struct vnrs_node *allowed = vnrs_node_get(node, "allowedSubnets");
        s->name = vnrs_read_text(l, node, "name");
        s->pos = node->pos;
        s->id = (unsigned)m->services.len;
        vnrs_read_prefixes(l, vnrs_node_get(node, "addressPrefixes"), &s->prefixes);
        vnrs_read_hosts(l, vnrs_node_get(node, "hosts"), &s->hosts.items, &s->hosts.len);
        vnrs_read_name(l, VNRS_REF_SERVICE, "service", s->name, node->pos, s);
        s->restricted = allowed;
        if (!allowed || !loader_room(l, &s->allowed, allowed))
            continue;
        node_foreach (ref, allowed)
            if (!ref->bad)
                vnrs_read_ref(l, ref, VNRS_REF_SUBNET, (void **)&s->allowed.items[s->allowed.len++]);
    }
}

static void parse_defaults(struct vnrs_loader *l, const struct vnrs_node *defaults)
{
    l->timers = (struct vnrs_bgp_timers){.keepalive = 1, .hold = 3};
    vnrs_read_timers(l, vnrs_node_get(defaults, "bgp"), &l->timers);
    l->bfd = (struct vnrs_bfd_options){.tx_ms = 300, .rx_ms = 300, .multiplier = 3};
    vnrs_read_bfd(vnrs_node_get(defaults, "bfd"), &l->bfd);
    l->inject = vnrs_node_get(defaults, "inject");
}

void vnrs_model_parse(struct vnrs_loader *l, const struct vnrs_node *root)
{
    struct vnrs_model *m = l->model;
    const struct vnrs_node *internet = vnrs_node_get(root, "internet");

    m->name = vnrs_read_text(l, root, "name");
    m->limits = (enum vnrs_limits)vnrs_read_enum(root, "limits", vnrs_limits_names, ARRAY_SIZE(vnrs_limits_names),
                                                 VNRS_LIMITS_AZURE);
    m->dataplane = (enum vnrs_dataplane)vnrs_read_enum(root, "dataplane", vnrs_dataplane_names,
                                                       ARRAY_SIZE(vnrs_dataplane_names), VNRS_DATAPLANE_EBPF);
    m->none_routes = (enum vnrs_none_routes)vnrs_read_enum(root, "noneRoutes", vnrs_none_routes_names,
                                                           ARRAY_SIZE(vnrs_none_routes_names), VNRS_NONE_DOCUMENTED);
    m->peering_flags = (enum vnrs_peering_flags)vnrs_read_enum(
        root, "peeringFlags", vnrs_peering_flags_names, ARRAY_SIZE(vnrs_peering_flags_names), VNRS_PEERING_FLAGS_DROP);
    parse_defaults(l, vnrs_node_get(root, "defaults"));
    parse_vnets(l, vnrs_node_get(root, "virtualNetworks"));
    parse_peerings(l, vnrs_node_get(root, "virtualNetworkPeerings"));
    vnrs_model_parse_service_tags(l, vnrs_node_get(root, "serviceTags"));
    vnrs_model_parse_route_tables(l, vnrs_node_get(root, "routeTables"));
    vnrs_model_parse_balancers(l, vnrs_node_get(root, "loadBalancers"));
    parse_route_servers(l, vnrs_node_get(root, "routeServers"));
    parse_services(l, vnrs_node_get(root, "services"));
    if (internet) {
        m->internet = (struct vnrs_internet){
            .present = true, .pos = internet->key_pos, .snat = vnrs_read_bool(internet, "snat", false)};
        vnrs_read_hosts(l, vnrs_node_get(internet, "hosts"), &m->internet.hosts.items, &m->internet.hosts.len);
    }
    l->n_others = vnrs_model_count_outside(root);
    vnrs_model_parse_machines(l, vnrs_node_get(root, "machines"));
    vnrs_model_parse_outside(l, root);
    vnrs_model_parse_tests(l, vnrs_node_get(root, "tests"));
}
