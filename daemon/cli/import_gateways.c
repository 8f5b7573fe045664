// SPDX-License-Identifier: GPL-2.0-or-later
// Gateways, sites and connections of an ARM template.
#include "cli/import_map.h"

#include "cli/arm_expr.h"

#include <string.h>
#include <strings.h>

#define GATEWAYS    "Microsoft.Network/virtualNetworkGateways"
#define SITES       "Microsoft.Network/localNetworkGateways"
#define CIRCUITS    "Microsoft.Network/expressRouteCircuits"
#define CONNECTIONS "Microsoft.Network/connections"

static void put(json_t *object, const char *name, json_t *value)
{
    if (value && !json_is_null(value))
        (void)json_object_set(object, name, value);
}

static void add_gateway(struct vnrs_import *import, const json_t *resource)
{
    static const char *const own[] = {"gatewayType", "activeActive", "customRoutes", NULL}, *const asn[] = {"asn",
                                                                                                            NULL};
    const json_t *properties = vnrs_arm_get(resource, "properties");
    const json_t *first = json_array_get(vnrs_arm_get(properties, "ipConfigurations"), 0);
    json_t *vnet = vnrs_import_ref(vnrs_arm_path(first, "properties.subnet"), "virtualNetworks");
    json_t *bgp = json_object(), *sku = vnrs_arm_path(properties, "sku.name");

    if (!vnet) {
        vnrs_import_note(import, resource, NULL, "it has no ipConfigurations with a subnet");
        json_decref(bgp);
        return;
    }
    json_t *gateway =
        json_pack("{s:o, s:o}", "name", vnrs_import_name(vnrs_import_text(resource, "name")), "virtualNetwork", vnet);
    vnrs_import_take(gateway, properties, own);
    put(gateway, "sku", sku);
    vnrs_import_take_numbers(bgp, vnrs_arm_get(properties, "bgpSettings"), asn);
    if (json_object_size(bgp))
        put(gateway, "bgpSettings", bgp);
    json_decref(bgp);
    (void)json_array_append_new(vnrs_import_section(import, "virtualNetworkGateways"), gateway);
}

static void add_site(struct vnrs_import *import, const json_t *resource)
{
    static const char *const asn[] = {"asn", NULL}, *const address[] = {"bgpPeeringAddress", NULL};
    const json_t *properties = vnrs_arm_get(resource, "properties"), *bgp = vnrs_arm_get(properties, "bgpSettings");
    json_t *site = json_pack("{s:o}", "name", vnrs_import_name(vnrs_import_text(resource, "name")));
    json_t *prefixes = vnrs_arm_path(properties, "localNetworkAddressSpace.addressPrefixes");

    if (json_array_size(prefixes))
        put(site, "addressPrefixes", prefixes);
    vnrs_import_take_numbers(site, bgp, asn);
    if (json_object_get(site, "asn")) { // what its router runs is no part of a template
        vnrs_import_take(site, bgp, address);
        (void)json_object_set_new(site, "run", json_pack("{s:s}", "kind", "bird"));
    }
    put(site, "publicIp", vnrs_arm_get(properties, "gatewayIpAddress"));
    (void)json_array_append_new(vnrs_import_section(import, "sites"), site);
}

// The private peering of a circuit, in its properties or a resource of its own.
static const json_t *peering_of(const struct vnrs_import *import, const json_t *circuit)
{
    const json_t *inside = vnrs_arm_path(circuit, "properties.peerings"), *resource;
    const char *name = vnrs_import_text(circuit, "name");
    size_t at = 0;

    for (size_t i = 0; i < json_array_size(inside); i++) {
        const char *type = vnrs_import_text(json_array_get(inside, i), "properties.peeringType");
        if (type && strcasecmp(type, "AzurePrivatePeering") == 0)
            return vnrs_arm_get(json_array_get(inside, i), "properties");
    }
    while ((resource = vnrs_import_next(import, CIRCUITS "/peerings", &at))) {
        const char *own = vnrs_import_text(resource, "name"),
                   *type = vnrs_import_text(resource, "properties.peeringType");
        if (strncasecmp(own, name, strlen(name)) == 0 && own[strlen(name)] == '/' && type &&
            strcasecmp(type, "AzurePrivatePeering") == 0)
            return vnrs_arm_get(resource, "properties");
    }
    return NULL;
}

// What is at the other end of a circuit is no part of a template: a site with a range that was made up.
static void add_circuit(struct vnrs_import *import, const json_t *circuit)
{
    static const char *const number[] = {"peerASN", NULL};
    json_t *sites = vnrs_import_section(import, "sites"), *found = json_object(), *asn;
    json_t *site = json_pack("{s:o, s:[o]}", "name", vnrs_import_name(vnrs_import_text(circuit, "name")),
                             "addressPrefixes", json_sprintf("192.168.%zu.0/24", 100 + json_array_size(sites) % 100));

    vnrs_import_take_numbers(found, peering_of(import, circuit), number);
    asn = json_object_get(found, "peerASN");
    (void)json_object_set_new(site, "asn", asn ? json_incref(asn) : json_integer(65060));
    (void)json_object_set_new(site, "run", json_pack("{s:s}", "kind", "bird"));
    vnrs_import_note(import, circuit, NULL, "the site behind it has a range%s that %s made up",
                     asn ? "" : " and an ASN", asn ? "was" : "were");
    json_decref(found);
    (void)json_array_append_new(sites, site);
}

static void describe_circuit(const struct vnrs_import *import, const json_t *circuit, json_t *connection)
{
    static const char *const links[] = {"primaryPeerAddressPrefix", "secondaryPeerAddressPrefix", NULL};
    const char *tier = vnrs_import_text(circuit, "sku.tier");

    if (tier && strcasecmp(tier, "Premium") == 0)
        (void)json_object_set_new(connection, "sku", json_string("Premium"));
    vnrs_import_take(connection, peering_of(import, circuit), links);
}

static void add_connection(struct vnrs_import *import, const json_t *resource)
{
    static const char *const own[] = {"connectionType", "enableBgp", "routingWeight", NULL};
    const json_t *properties = vnrs_arm_get(resource, "properties");
    const char *type = vnrs_import_text(properties, "connectionType");
    bool is_circuit = type && strcasecmp(type, "ExpressRoute") == 0;
    json_t *gateway = vnrs_import_ref(vnrs_arm_get(properties, "virtualNetworkGateway1"), "virtualNetworkGateways");
    json_t *site = is_circuit
                       ? vnrs_import_ref(vnrs_arm_get(properties, "peer"), "expressRouteCircuits")
                       : vnrs_import_ref(vnrs_arm_get(properties, "localNetworkGateway2"), "localNetworkGateways");
    const json_t *end = site ? vnrs_import_find(import, is_circuit ? CIRCUITS : SITES, json_string_value(site)) : NULL;

    if (!gateway || !end) {
        vnrs_import_note(import, resource, NULL,
                         type && strcasecmp(type, "Vnet2Vnet") == 0 ? "peer the networks, or give the other one a site"
                                                                    : "what it connects is not in the template");
        json_decref(gateway);
        json_decref(site);
        return;
    }
    json_t *connection = json_pack("{s:o, s:o, s:o}", "name", vnrs_import_name(vnrs_import_text(resource, "name")),
                                   "gateway", gateway, "site", site);
    vnrs_import_take(connection, properties, own);
    if (is_circuit) {
        describe_circuit(import, end, connection);
        (void)json_object_del(connection, "enableBgp");
    } else if (vnrs_arm_get(properties, "sharedKey")) {
        vnrs_import_note(import, resource, "sharedKey", "secrets are not written; a key is made from the names");
    }
    (void)json_array_append_new(vnrs_import_section(import, "connections"), connection);
}

void vnrs_import_gateways(struct vnrs_import *import)
{
    static const struct {
        const char *type;
        void (*add)(struct vnrs_import *import, const json_t *resource);
    } passes[] = {{GATEWAYS, add_gateway}, {SITES, add_site}, {CIRCUITS, add_circuit}, {CONNECTIONS, add_connection}};
    const json_t *resource;

    for (size_t i = 0; i < ARRAY_SIZE(passes); i++) {
        size_t at = 0;
        while ((resource = vnrs_import_next(import, passes[i].type, &at)))
            passes[i].add(import, resource);
    }
}
