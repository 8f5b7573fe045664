// SPDX-License-Identifier: GPL-2.0-or-later
// Gateways, sites and connections as in the topology file. Machines that stand for them are not printed: they come of
// these again.
#include "model/loader.h"
#include "model/print.h"

static bool has_apipa(const struct vnrs_gateway *gateway)
{
    for (unsigned i = 0; i < gateway->n_instances; i++)
        if (gateway->instances[i].apipa.len)
            return true;
    return false;
}

static void print_instances(struct vnrs_strbuf *out, const struct vnrs_gateway *gateway)
{
    struct vnrs_addr private_ips[VNRS_GATEWAY_INSTANCES], public_ips[VNRS_GATEWAY_INSTANCES];

    for (unsigned i = 0; i < gateway->n_instances; i++) {
        private_ips[i] = gateway->instances[i].ip;
        public_ips[i] = gateway->instances[i].public_ip;
    }
    vnrs_strbuf_puts(out, "    privateIps: ");
    put_addrs(out, private_ips, gateway->n_instances);
    if (gateway->type == VNRS_GATEWAY_VPN) {
        vnrs_strbuf_puts(out, "\n    publicIps: ");
        put_addrs(out, public_ips, gateway->n_instances);
    }
    vnrs_strbuf_puts(out, "\n");
}

static void print_gateway(struct vnrs_strbuf *out, const struct vnrs_gateway *gateway)
{
    bool is_vpn = gateway->type == VNRS_GATEWAY_VPN;

    vnrs_strbuf_printf(out, "  - name: %s\n    virtualNetwork: %s\n    gatewayType: %s\n    sku: %s\n", gateway->name,
                       gateway->vnet->name, vnrs_gateway_type_names[gateway->type], gateway->sku);
    if (is_vpn)
        vnrs_strbuf_printf(out, "    activeActive: %s\n", yes_no(gateway->active_active));
    vnrs_strbuf_printf(out, "    bgpSettings:\n      asn: %u\n", gateway->asn);
    vnrs_strbuf_puts(out, has_apipa(gateway) ? "      bgpPeeringAddresses:\n" : "");
    for (unsigned i = 0; has_apipa(gateway) && i < gateway->n_instances; i++) {
        vnrs_strbuf_puts(out, "        - {customBgpIpAddresses: ");
        put_addrs(out, gateway->instances[i].apipa.items, gateway->instances[i].apipa.len);
        vnrs_strbuf_puts(out, "}\n");
    }
    vnrs_strbuf_printf(out, "    bgp: {keepalive: %u, hold: %u}\n", gateway->timers.keepalive, gateway->timers.hold);
    if (gateway->custom_routes.len) {
        vnrs_strbuf_puts(out, "    customRoutes: {addressPrefixes: ");
        put_prefixes(out, &gateway->custom_routes);
        vnrs_strbuf_puts(out, "}\n");
    }
    print_instances(out, gateway);
}

static void put_member(struct vnrs_strbuf *out, const char *key, const struct vnrs_addr *addr)
{
    if (!addr->family)
        return;
    vnrs_strbuf_printf(out, "    %s: ", key);
    put_addr(out, addr);
    vnrs_strbuf_puts(out, "\n");
}

static void print_site(struct vnrs_strbuf *out, const struct vnrs_site *site, bool hide)
{
    vnrs_strbuf_printf(out, "  - name: %s\n", site->name);
    if (site->prefixes.len) {
        vnrs_strbuf_puts(out, "    addressPrefixes: ");
        put_prefixes(out, &site->prefixes);
        vnrs_strbuf_puts(out, "\n");
    }
    if (site->asn)
        vnrs_strbuf_printf(out, "    asn: %u\n", site->asn);
    put_member(out, "bgpPeeringAddress", &site->bgp_ip);
    put_member(out, "publicIp", &site->public_ip);
    print_run(out, &site->machine->run, hide);
    if (!site->machine->hosts.len)
        return;
    vnrs_strbuf_puts(out, "    hosts: ");
    put_hosts(out, site->machine->hosts.items, site->machine->hosts.len);
    vnrs_strbuf_puts(out, "\n");
}

static void print_ipsec(struct vnrs_strbuf *out, const struct vnrs_connection *c)
{
    vnrs_strbuf_printf(out, "    enableBgp: %s\n", yes_no(c->enable_bgp));
    if (c->has_own_key)
        vnrs_strbuf_puts(out, "    sharedKey: \"" VNRS_BGP_PASSWORD_HIDDEN "\"\n");
    if (!c->gateway_bgp_ips.len)
        return;
    vnrs_strbuf_puts(out, "    gatewayCustomBgpIpAddresses: ");
    put_addrs(out, c->gateway_bgp_ips.items, c->gateway_bgp_ips.len);
    vnrs_strbuf_puts(out, "\n");
}

static void print_expressroute(struct vnrs_strbuf *out, const struct vnrs_connection *c)
{
    char primary[VNRS_PREFIX_STR_MAX], secondary[VNRS_PREFIX_STR_MAX];

    vnrs_strbuf_printf(out,
                       "    routingWeight: %u\n    sku: %s\n    primaryPeerAddressPrefix: %s\n"
                       "    secondaryPeerAddressPrefix: %s\n",
                       c->weight, c->premium ? "Premium" : "Standard", vnrs_prefix_format(&c->links[0].prefix, primary),
                       vnrs_prefix_format(&c->links[1].prefix, secondary));
    if (c->password)
        vnrs_strbuf_puts(out, "    password: \"" VNRS_BGP_PASSWORD_HIDDEN "\"\n");
    put_bfd(out, &c->bfd, "    ");
}

void print_gateways(struct vnrs_strbuf *out, const struct vnrs_model *m, bool hide)
{
    vnrs_strbuf_puts(out, m->gateways.len ? "virtualNetworkGateways:\n" : "");
    list_foreach (gateway, &m->gateways)
        print_gateway(out, gateway);
    vnrs_strbuf_puts(out, m->sites.len ? "sites:\n" : "");
    list_foreach (site, &m->sites)
        print_site(out, site, hide);
    vnrs_strbuf_puts(out, m->connections.len ? "connections:\n" : "");
    list_foreach (c, &m->connections) {
        vnrs_strbuf_printf(out, "  - name: %s\n    gateway: %s\n    site: %s\n    connectionType: %s\n", c->name,
                           c->gateway->name, c->site->name, vnrs_connection_type_names[c->type]);
        if (c->type == VNRS_CONNECTION_IPSEC)
            print_ipsec(out, c);
        else
            print_expressroute(out, c);
    }
}
