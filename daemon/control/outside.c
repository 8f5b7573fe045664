// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/outside.h"

#include "control/peer_json.h"
#include "plan/names.h"

#include <stdio.h>

static const struct {
    const char *name, *why;
} states[] = {
    [VNRS_TUNNEL_NONE] = {"unknown", "not made yet"},
    [VNRS_TUNNEL_UP] = {"up", ""},
    [VNRS_TUNNEL_CONNECTING] = {"connecting", "connecting"},
    [VNRS_TUNNEL_NOT_RUNNING] = {"notRunning", "its daemon does not run"},
    [VNRS_TUNNEL_NO_ANSWER] = {"noAnswer", "the other end does not answer"},
    [VNRS_TUNNEL_KEY] = {"key", "the ends have different keys"},
    [VNRS_TUNNEL_PROPOSAL] = {"proposal", "the ends agree on no algorithms or networks"},
    [VNRS_TUNNEL_FAILED] = {"failed", "strongSwan cannot set it up, see its log"},
};
static_assert(ARRAY_SIZE(states) == _VNRS_TUNNEL_MAX, "each has a name");

const char *vnrs_tunnel_state_name(unsigned state)
{
    return states[state < ARRAY_SIZE(states) ? state : VNRS_TUNNEL_NONE].name;
}

static enum vnrs_tunnel_state end_state(const struct vnrs_lab *lab, const struct vnrs_connection *connection,
                                        unsigned instance, const char *side)
{
    char key[VNRS_KEY_MAX];

    (void)snprintf(key, sizeof(key), "tunnel.%s-%u%s", connection->name, instance, side);
    const struct vnrs_obj_state *object = vnrs_objects_find(lab, VNRS_OBJ_PROC, key);
    return object && object->there ? object->tunnel : VNRS_TUNNEL_NONE;
}

enum vnrs_tunnel_state vnrs_tunnel_state(const struct vnrs_lab *lab, const struct vnrs_connection *connection,
                                         unsigned instance, const char **ret_why)
{
    enum vnrs_tunnel_state state = end_state(lab, connection, instance, "");
    enum vnrs_tunnel_state site = end_state(lab, connection, instance, ".site");

    // One that only waits knows less than the other end may.
    if ((state == VNRS_TUNNEL_CONNECTING || state == VNRS_TUNNEL_NO_ANSWER) && site > VNRS_TUNNEL_CONNECTING)
        state = site;
    *ret_why = states[state].why;
    return state;
}

// Of the session of an edge router with the customer.
static const struct vnrs_spk_peer *customer_of(const struct vnrs_lab *lab, const struct vnrs_connection *connection,
                                               unsigned link)
{
    const struct vnrs_instance *instance = vnrs_instance_find(lab, connection->links[link].msee->name);
    return instance ? vnrs_instance_find_peer(instance, connection->name) : NULL;
}

static bool link_is_up(const struct vnrs_lab *lab, const struct vnrs_connection *connection, unsigned link)
{
    const struct vnrs_spk_peer *peer = customer_of(lab, connection, link);
    return peer && peer->state == VNRS_BGP_ST_ESTABLISHED;
}

const char *vnrs_connection_status(const struct vnrs_lab *lab, const struct vnrs_connection *connection)
{
    bool connecting = false;
    const char *why;

    for (unsigned i = 0; connection->type == VNRS_CONNECTION_EXPRESSROUTE && i < ARRAY_SIZE(connection->links); i++) {
        if (link_is_up(lab, connection, i))
            return "Connected";
        connecting = true;
    }
    for (unsigned i = 0; connection->type == VNRS_CONNECTION_IPSEC && i < connection->gateway->n_instances; i++) {
        enum vnrs_tunnel_state state = vnrs_tunnel_state(lab, connection, i, &why);
        if (state == VNRS_TUNNEL_UP)
            return "Connected";
        connecting |= state == VNRS_TUNNEL_CONNECTING;
    }
    return connecting ? "Connecting" : "NotConnected";
}

static json_t *tunnels_json(const struct vnrs_lab *lab, const struct vnrs_connection *connection)
{
    char gateway[VNRS_ADDR_STR_MAX], site[VNRS_ADDR_STR_MAX];
    json_t *list = json_array();
    const char *why;

    for (unsigned i = 0; i < connection->gateway->n_instances; i++) {
        enum vnrs_tunnel_state state = vnrs_tunnel_state(lab, connection, i, &why);
        (void)json_array_append_new(list,
                                    json_pack("{s:i, s:s, s:s, s:s, s:s}", "instance", (int)i, "gatewayPublicIp",
                                              vnrs_addr_format(&connection->gateway->instances[i].public_ip, gateway),
                                              "sitePublicIp", vnrs_addr_format(&connection->site->public_ip, site),
                                              "state", vnrs_tunnel_state_name(state), "reason", why));
    }
    return list;
}

static json_t *links_json(const struct vnrs_lab *lab, const struct vnrs_connection *connection)
{
    char prefix[VNRS_PREFIX_STR_MAX], customer[VNRS_ADDR_STR_MAX], msee[VNRS_ADDR_STR_MAX], nic[VNRS_ADDR_STR_MAX];
    json_t *list = json_array();

    for (unsigned i = 0; i < ARRAY_SIZE(connection->links); i++) {
        const struct vnrs_circuit_link *link = &connection->links[i];
        const struct vnrs_spk_peer *peer = customer_of(lab, connection, i);
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name",
                                                    i ? "secondary" : "primary", "addressPrefix",
                                                    vnrs_prefix_format(&link->prefix, prefix), "customerIp",
                                                    vnrs_addr_format(&link->customer_ip, customer), "microsoftIp",
                                                    vnrs_addr_format(&link->msee_ip, msee), "msee", link->msee->name,
                                                    "mseeIp", vnrs_addr_format(&link->nic->ips.items[0], nic), "state",
                                                    vnrs_peer_state_name(peer ? peer->state : VNRS_BGP_ST_IDLE),
                                                    "reason", peer ? peer->last_error : ""));
    }
    return list;
}

static json_t *connection_json(const struct vnrs_lab *lab, const struct vnrs_connection *connection)
{
    bool is_ipsec = connection->type == VNRS_CONNECTION_IPSEC;

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:o, s:o}", "name", connection->name, "connectionType",
                     is_ipsec ? "IPsec" : "ExpressRoute", "gateway", connection->gateway->name, "site",
                     connection->site->name, "connectionStatus", vnrs_connection_status(lab, connection), "enableBgp",
                     (int)(!is_ipsec || connection->enable_bgp), "routingWeight", (int)connection->weight, "tunnels",
                     is_ipsec ? tunnels_json(lab, connection) : json_array(), "links",
                     is_ipsec ? json_array() : links_json(lab, connection));
}

static json_t *addrs_json(const vnrs_addr_list *list)
{
    char text[VNRS_ADDR_STR_MAX];
    json_t *json = json_array();

    list_foreach (addr, list)
        (void)json_array_append_new(json, json_string(vnrs_addr_format(addr, text)));
    return json;
}

static json_t *gateway_json(const struct vnrs_lab *lab, const struct vnrs_gateway *gateway)
{
    char ip[VNRS_ADDR_STR_MAX], public_ip[VNRS_ADDR_STR_MAX], netns[VNRS_NETNS_FULL_MAX];
    json_t *instances = json_array();

    for (unsigned i = 0; i < gateway->n_instances; i++) {
        const struct vnrs_gateway_instance *instance = &gateway->instances[i];
        (void)json_array_append_new(instances, json_pack("{s:s, s:s, s:s, s:o, s:s}", "name", instance->machine->name,
                                                         "ip", vnrs_addr_format(&instance->ip, ip), "publicIp",
                                                         vnrs_addr_format(&instance->public_ip, public_ip),
                                                         "customBgpIpAddresses", addrs_json(&instance->apipa), "netns",
                                                         vnrs_name_netns(lab->name, instance->machine->name, netns)));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:o}", "name", gateway->name, "virtualNetwork",
                     gateway->vnet->name, "gatewayType", gateway->type == VNRS_GATEWAY_VPN ? "Vpn" : "ExpressRoute",
                     "sku", gateway->sku, "asn", (json_int_t)gateway->asn, "activeActive", (int)gateway->active_active,
                     "instances", instances);
}

static json_t *site_json(const struct vnrs_lab *lab, const struct vnrs_site *site)
{
    char text[VNRS_PREFIX_STR_MAX], public_ip[VNRS_ADDR_STR_MAX], netns[VNRS_NETNS_FULL_MAX];
    json_t *prefixes = json_array();

    list_foreach (prefix, &site->prefixes)
        (void)json_array_append_new(prefixes, json_string(vnrs_prefix_format(prefix, text)));
    return json_pack("{s:s, s:o, s:I, s:s, s:s, s:s}", "name", site->name, "addressPrefixes", prefixes, "asn",
                     (json_int_t)site->asn, "bgpPeeringAddress", vnrs_addr_format(&site->bgp_ip, text), "publicIp",
                     vnrs_addr_format(&site->public_ip, public_ip), "netns",
                     vnrs_name_netns(lab->name, site->machine->name, netns));
}

void vnrs_outside_add(const struct vnrs_lab *lab, json_t *answer)
{
    json_t *gateways = json_array(), *sites = json_array(), *connections = json_array();

    list_foreach (gateway, &lab->model->gateways)
        (void)json_array_append_new(gateways, gateway_json(lab, gateway));
    list_foreach (site, &lab->model->sites)
        (void)json_array_append_new(sites, site_json(lab, site));
    list_foreach (connection, &lab->model->connections)
        (void)json_array_append_new(connections, connection_json(lab, connection));
    (void)json_object_set_new(answer, "virtualNetworkGateways", gateways);
    (void)json_object_set_new(answer, "sites", sites);
    (void)json_object_set_new(answer, "connections", connections);
}
