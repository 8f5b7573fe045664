// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual networks, peerings, route tables and Route Servers of an ARM template.
#include "cli/import_map.h"

#include "cli/arm_expr.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VNETS        "Microsoft.Network/virtualNetworks"
#define ROUTE_TABLES "Microsoft.Network/routeTables"
#define HUBS         "Microsoft.Network/virtualHubs"

static const json_t *properties_of(const json_t *resource)
{
    return vnrs_arm_get(resource, "properties");
}

// The next thing of `kind` that belongs to `parent`: first those in its properties, then resources of their own.
struct parts {
    const struct vnrs_import *import;
    const json_t *parent;
    const char *kind;
    size_t inside, at;
};

static const json_t *next_part(struct parts *parts)
{
    const char *parent = vnrs_import_text(parts->parent, "name");
    const json_t *inside = vnrs_arm_get(properties_of(parts->parent), parts->kind), *resource;
    char type[200];

    if (parts->inside < json_array_size(inside))
        return json_array_get(inside, parts->inside++);
    (void)snprintf(type, sizeof(type), "%s/%s", vnrs_import_text(parts->parent, "type"), parts->kind);
    while ((resource = vnrs_import_next(parts->import, type, &parts->at))) {
        const char *name = vnrs_import_text(resource, "name"), *slash = strrchr(name, '/');
        if (slash && strlen(parent) == (size_t)(slash - name) && strncasecmp(name, parent, strlen(parent)) == 0)
            return resource;
    }
    return NULL;
}

// "West Europe" is westeurope.
static json_t *region_of(const json_t *resource)
{
    const char *location = vnrs_import_text(resource, "location");
    char text[64];
    size_t len = 0;

    for (; location && *location && len < sizeof(text) - 1; location++)
        if (isalnum((unsigned char)*location))
            text[len++] = (char)tolower((unsigned char)*location);
    return len ? json_stringn(text, len) : NULL;
}

// ---- virtual networks

// What a service endpoint leads to is no part of a template: a range of its own stands for it.
static void add_service(struct vnrs_import *import, const json_t *subnet, const char *name)
{
    json_t *services = vnrs_import_section(import, "services");

    for (size_t i = 0; i < json_array_size(services); i++)
        if (strcasecmp(vnrs_import_text(json_array_get(services, i), "name"), name) == 0)
            return;
    size_t n = json_array_size(services);
    (void)json_array_append_new(
        services, json_pack("{s:s, s:[o]}", "name", name, "addressPrefixes", json_sprintf("198.18.%zu.0/24", n % 256)));
    vnrs_import_note(import, subnet, "serviceEndpoints", "%s has a range that was made up, and no hosts", name);
}

static json_t *endpoints_of(struct vnrs_import *import, const json_t *vnet, const json_t *list)
{
    json_t *endpoints = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *service = vnrs_import_text(json_array_get(list, i), "service");
        if (!service)
            continue;
        add_service(import, vnet, service);
        (void)json_array_append_new(endpoints, json_pack("{s:s}", "service", service));
    }
    return endpoints;
}

static json_t *make_subnet(struct vnrs_import *import, const json_t *vnet, const json_t *part)
{
    static const char *const ranges[] = {"addressPrefix", "addressPrefixes", NULL};
    static const struct {
        const char *key, *why;
    } others[] = {
        {"networkSecurityGroup", "routing does not depend on security groups, and there are none"},
        {"natGateway", "there is none; 'internet: {snat: true}' translates for all"},
    };
    const json_t *properties = properties_of(part);
    json_t *subnet = json_object(), *table = vnrs_import_ref(vnrs_arm_get(properties, "routeTable"), "routeTables");
    json_t *endpoints = endpoints_of(import, vnet, vnrs_arm_get(properties, "serviceEndpoints"));
    const char *name = vnrs_import_text(part, "name");

    (void)json_object_set_new(subnet, "name", vnrs_import_name(name ? name : ""));
    vnrs_import_take(subnet, properties, ranges);
    if (json_object_get(subnet, "addressPrefix"))
        (void)json_object_del(subnet, "addressPrefixes");
    if (table)
        (void)json_object_set_new(subnet, "routeTable", table);
    if (json_array_size(endpoints))
        (void)json_object_set(subnet, "serviceEndpoints", endpoints);
    json_decref(endpoints);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (json_is_object(vnrs_arm_get(properties, others[i].key)))
            vnrs_import_note(import, vnet, others[i].key, "subnet %s: %s", name ? name : "", others[i].why);
    return subnet;
}

// A subnet that is in the network's properties may be a resource as well: the later one counts.
static void put_subnet(json_t *subnets, json_t *subnet)
{
    for (size_t i = 0; i < json_array_size(subnets); i++) {
        if (json_equal(json_object_get(json_array_get(subnets, i), "name"), json_object_get(subnet, "name"))) {
            (void)json_array_set_new(subnets, i, subnet);
            return;
        }
    }
    (void)json_array_append_new(subnets, subnet);
}

static void add_vnet(struct vnrs_import *import, const json_t *resource)
{
    struct parts parts = {.import = import, .parent = resource, .kind = "subnets"};
    json_t *vnet = json_object(), *subnets = json_array(), *region = region_of(resource);
    json_t *space = vnrs_arm_path(properties_of(resource), "addressSpace.addressPrefixes");
    const json_t *part;

    (void)json_object_set_new(vnet, "name", vnrs_import_name(vnrs_import_text(resource, "name")));
    if (region)
        (void)json_object_set_new(vnet, "region", region);
    if (space)
        (void)json_object_set(vnet, "addressSpace", space);
    while ((part = next_part(&parts)))
        put_subnet(subnets, make_subnet(import, resource, part));
    (void)json_object_set_new(vnet, "subnets", subnets);
    (void)json_array_append_new(vnrs_import_section(import, "virtualNetworks"), vnet);
}

static void add_peerings(struct vnrs_import *import, const json_t *vnet)
{
    static const char *const flags[] = {"allowVirtualNetworkAccess", "allowForwardedTraffic", "allowGatewayTransit",
                                        "useRemoteGateways", NULL};
    struct parts parts = {.import = import, .parent = vnet, .kind = "virtualNetworkPeerings"};
    const json_t *part;

    while ((part = next_part(&parts))) {
        const json_t *properties = properties_of(part);
        json_t *remote = vnrs_import_ref(vnrs_arm_get(properties, "remoteVirtualNetwork"), "virtualNetworks");
        if (!remote || !vnrs_import_find(import, VNETS, json_string_value(remote))) {
            vnrs_import_note(import, vnet, "virtualNetworkPeerings", "the network '%s' is not in the template",
                             remote ? json_string_value(remote) : "?");
            json_decref(remote);
            continue;
        }
        json_t *peering = json_pack("{s:o, s:o}", "virtualNetwork", vnrs_import_name(vnrs_import_text(vnet, "name")),
                                    "remoteVirtualNetwork", remote);
        vnrs_import_take(peering, properties, flags);
        (void)json_array_append_new(vnrs_import_section(import, "virtualNetworkPeerings"), peering);
    }
}

// ---- route tables

static void add_route_table(struct vnrs_import *import, const json_t *resource)
{
    static const char *const own[] = {"disableBgpRoutePropagation", NULL};
    static const char *const keys[] = {"addressPrefix", "nextHopType", "nextHopIpAddress", NULL};
    struct parts parts = {.import = import, .parent = resource, .kind = "routes"};
    json_t *table = json_object(), *routes = json_array();
    const json_t *part;

    (void)json_object_set_new(table, "name", vnrs_import_name(vnrs_import_text(resource, "name")));
    vnrs_import_take(table, properties_of(resource), own);
    while ((part = next_part(&parts))) {
        const char *name = vnrs_import_text(part, "name");
        json_t *route = json_pack("{s:o}", "name", vnrs_import_name(name ? name : ""));
        vnrs_import_take(route, properties_of(part), keys);
        (void)json_array_append_new(routes, route);
    }
    (void)json_object_set_new(table, "routes", routes);
    (void)json_array_append_new(vnrs_import_section(import, "routeTables"), table);
}

// ---- Route Servers: virtual hubs without a Virtual WAN

static void add_route_server(struct vnrs_import *import, const json_t *hub)
{
    static const char *const own[] = {"allowBranchToBranchTraffic", "hubRoutingPreference", NULL};
    static const char *const address[] = {"peerIp", NULL}, *const number[] = {"peerAsn", NULL};
    struct parts configurations = {.import = import, .parent = hub, .kind = "ipConfigurations"};
    struct parts connections = {.import = import, .parent = hub, .kind = "bgpConnections"};
    const json_t *part = next_part(&configurations);
    json_t *vnet = vnrs_import_ref(vnrs_arm_path(properties_of(part), "subnet"), "virtualNetworks");

    if (!vnet || vnrs_arm_path(properties_of(hub), "virtualWan.id")) {
        vnrs_import_note(import, hub, NULL,
                         vnet ? "Virtual WAN is another product, with other rules"
                              : "it has no ipConfigurations with a subnet");
        json_decref(vnet);
        return;
    }
    json_t *rs =
        json_pack("{s:o, s:o}", "name", vnrs_import_name(vnrs_import_text(hub, "name")), "virtualNetwork", vnet);
    json_t *peers = json_array();
    vnrs_import_take(rs, properties_of(hub), own);
    while ((part = next_part(&connections))) {
        const char *name = vnrs_import_text(part, "name");
        json_t *connection = json_pack("{s:o}", "name", vnrs_import_name(name ? name : ""));
        vnrs_import_take(connection, properties_of(part), address);
        vnrs_import_take_numbers(connection, properties_of(part), number);
        (void)json_array_append_new(peers, connection);
    }
    (void)json_object_set_new(rs, "bgpConnections", peers);
    (void)json_array_append_new(vnrs_import_section(import, "routeServers"), rs);
}

// Regions are known of all networks, or of none: one without would seem to be in another region than the rest.
static void settle_regions(struct vnrs_import *import)
{
    json_t *vnets = json_object_get(import->topology, "virtualNetworks");
    bool all = true;

    for (size_t i = 0; i < json_array_size(vnets); i++)
        all = all && json_object_get(json_array_get(vnets, i), "region");
    for (size_t i = 0; !all && i < json_array_size(vnets); i++)
        (void)json_object_del(json_array_get(vnets, i), "region");
}

void vnrs_import_networks(struct vnrs_import *import)
{
    static const struct {
        const char *type;
        void (*add)(struct vnrs_import *import, const json_t *resource);
    } passes[] = {{VNETS, add_vnet}, {VNETS, add_peerings}, {ROUTE_TABLES, add_route_table}, {HUBS, add_route_server}};
    const json_t *resource;

    for (size_t i = 0; i < ARRAY_SIZE(passes); i++) {
        size_t at = 0;
        while ((resource = vnrs_import_next(import, passes[i].type, &at)))
            passes[i].add(import, resource);
    }
    settle_regions(import);
}
