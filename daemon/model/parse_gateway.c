// SPDX-License-Identifier: GPL-2.0-or-later
// Node tree → gateways, sites and connections, with the machines that stand for their instances, for the edge routers
// of circuits and for the sites' routers. Where those are placed is in assign_outside.c.
#include "model/loader.h"
#include "util/hash.h"

#include <string.h>

#define MTU 1500u

static bool is_map(const struct vnrs_node *node)
{
    return !node->bad && node->kind == VNRS_NODE_MAP;
}

static size_t count_of(const struct vnrs_node *root, const char *key)
{
    const struct vnrs_node *list = vnrs_node_get(root, key);
    return list ? list->n : 0;
}

size_t vnrs_model_count_outside(const struct vnrs_node *root)
{
    return VNRS_GATEWAY_INSTANCES * count_of(root, "virtualNetworkGateways") +
           ARRAY_SIZE(((struct vnrs_connection *)0)->links) * count_of(root, "connections") + count_of(root, "sites");
}

// A machine that is not in the file's list. NULL: no memory, which is noted.
static struct vnrs_machine *add_machine(struct vnrs_loader *l, enum vnrs_machine_role role, const char *name,
                                        struct vnrs_pos pos)
{
    struct vnrs_model *m = l->model;
    struct vnrs_map *names = &l->names[VNRS_REF_MACHINE];

    if (!m->machines.items || !name) {
        l->diags->failed = true;
        return NULL;
    }
    struct vnrs_machine *machine = &m->machines.items[m->machines.len++];
    *machine = (struct vnrs_machine){.name = name, .pos = pos, .role = role};
    if (!vnrs_map_find(names, name, strlen(name)) && vnrs_map_put(names, name, strlen(name), machine) < 0)
        l->diags->failed = true;
    return machine;
}

// One with a NIC that forwards; its subnet is set when it is known.
static struct vnrs_machine *add_router(struct vnrs_loader *l, enum vnrs_machine_role role, const char *of,
                                       unsigned number, struct vnrs_pos pos)
{
    const char *kind = role == VNRS_MACHINE_GATEWAY ? "gateway" : "msee";
    const char *name = vnrs_arena_printf(l->model->arena, "%s.%s-%u", kind, of ? of : "?", number);
    struct vnrs_machine *machine = add_machine(l, role, name, pos);

    if (!machine || !(machine->nics.items = vnrs_loader_alloc(l, sizeof(*machine->nics.items))))
        return NULL;
    machine->nics.len = 1;
    machine->nics.items[0] = (struct vnrs_nic){
        .name = vnrs_arena_printf(l->model->arena, "%s/eth0", name),
        .pos = pos,
        .index = (unsigned)l->n_nics++,
        .machine = machine,
        .forwarding = true,
        .ifname = "eth0",
        .mtu = MTU,
    };
    l->diags->failed |= !machine->nics.items[0].name;
    return machine;
}

// A key that means nothing for an object of this type. `false` says what is so anyway.
static void refuse_key(struct vnrs_loader *l, const struct vnrs_node *node, const char *key, const char *what)
{
    const struct vnrs_node *found = vnrs_node_get(node, key);

    if (!found || (found->kind == VNRS_NODE_SCALAR && found->plain && strcmp(found->text, "false") == 0))
        return;
    (void)loader_error(l, VNRS_V_KEY_OF_OTHER_TYPE, found->key_pos, "'%s' means nothing for %s", key, what);
}

// ---- gateways

// A list with one entry for each instance. NULL: there is none.
static const struct vnrs_node *get_by_instance(struct vnrs_loader *l, const struct vnrs_node *node, const char *key,
                                               const struct vnrs_gateway *gateway)
{
    const struct vnrs_node *list = vnrs_node_get(node, key);

    if (!list || list->n == gateway->n_instances)
        return list;
    struct vnrs_diag *d = loader_error(
        l, VNRS_V_GATEWAY_INSTANCES, list->pos, "%zu of '%s' for gateway '%s', which has %u instance%s", list->n, key,
        gateway->name ? gateway->name : "?", gateway->n_instances, gateway->n_instances == 1 ? "" : "s");
    if (gateway->type == VNRS_GATEWAY_VPN)
        vnrs_diag_help(l->diags, d, "'activeActive: true' makes two instances");
    return NULL;
}

static void parse_instances(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_gateway *gateway)
{
    const struct vnrs_node *settings = vnrs_node_get(node, "bgpSettings");
    const struct vnrs_node *peering = get_by_instance(l, settings, "bgpPeeringAddresses", gateway);
    const struct vnrs_node *at = peering ? peering->first : NULL;
    vnrs_addr_list public_ips = {0}, private_ips = {0};

    vnrs_read_addrs(l, get_by_instance(l, node, "publicIps", gateway), &public_ips);
    vnrs_read_addrs(l, get_by_instance(l, node, "privateIps", gateway), &private_ips);
    for (unsigned i = 0; i < gateway->n_instances; i++) {
        struct vnrs_gateway_instance *instance = &gateway->instances[i];
        instance->machine = add_router(l, VNRS_MACHINE_GATEWAY, gateway->name, i, gateway->pos);
        if (!instance->machine)
            return;
        instance->nic = instance->machine->nics.items;
        if (i < private_ips.len) {
            instance->nic->ips.items = &private_ips.items[i];
            instance->nic->ips.len = 1;
        }
        if (i < public_ips.len) {
            instance->public_ip = public_ips.items[i];
            vnrs_loader_mark(l, &instance->public_ip, vnrs_loader_pos(l, &public_ips.items[i], gateway->pos));
        }
        if (at && is_map(at))
            vnrs_read_addrs(l, vnrs_node_get(at, "customBgpIpAddresses"), &instance->apipa);
        at = at ? at->next : NULL;
    }
}

static void parse_gateway(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_gateway *gateway)
{
    static const char *const vpn_keys[] = {"activeActive", "vpnType", "customRoutes", "publicIps"};
    const struct vnrs_node *settings = vnrs_node_get(node, "bgpSettings"), *asn = vnrs_node_get(settings, "asn"),
                           *sku = vnrs_node_get(node, "sku");

    gateway->name = vnrs_read_text(l, node, "name");
    gateway->pos = node->pos;
    gateway->id = (unsigned)l->model->gateways.len;
    vnrs_read_name(l, VNRS_REF_GATEWAY, "virtual network gateway", gateway->name, node->pos, gateway);
    vnrs_read_ref(l, vnrs_node_get(node, "virtualNetwork"), VNRS_REF_VNET, (void **)&gateway->vnet);
    gateway->type = (enum vnrs_gateway_type)vnrs_read_enum(node, "gatewayType", vnrs_gateway_type_names,
                                                           ARRAY_SIZE(vnrs_gateway_type_names), VNRS_GATEWAY_VPN);
    bool is_vpn = gateway->type == VNRS_GATEWAY_VPN;
    gateway->sku = sku ? vnrs_loader_strdup(l, sku->text) : is_vpn ? "VpnGw1" : "Standard";
    if (sku)
        vnrs_loader_mark(l, &gateway->sku, sku->pos);
    gateway->active_active = is_vpn && vnrs_read_bool(node, "activeActive", false);
    gateway->n_instances = is_vpn && !gateway->active_active ? 1 : VNRS_GATEWAY_INSTANCES;
    gateway->asn = vnrs_read_number(settings, "asn", VNRS_RS_ASN);
    if (asn)
        vnrs_loader_mark(l, &gateway->asn, asn->pos);
    gateway->timers = l->timers;
    vnrs_read_timers(l, vnrs_node_get(node, "bgp"), &gateway->timers);
    for (size_t i = 0; !is_vpn && i < ARRAY_SIZE(vpn_keys); i++)
        refuse_key(l, node, vpn_keys[i], "an ExpressRoute gateway");
    if (!is_vpn)
        refuse_key(l, settings, "bgpPeeringAddresses", "an ExpressRoute gateway");
    vnrs_read_prefixes(l, vnrs_node_get(vnrs_node_get(node, "customRoutes"), "addressPrefixes"),
                       &gateway->custom_routes);
    parse_instances(l, node, gateway);
}

static void parse_gateways(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;

    if (!list || !loader_room(l, &m->gateways, list))
        return;
    node_foreach (node, list)
        if (is_map(node))
            parse_gateway(l, node, &m->gateways.items[m->gateways.len++]);
}

// ---- connections

static void parse_ipsec(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_connection *c)
{
    static const char *const others[] = {
        "routingWeight", "sku", "primaryPeerAddressPrefix", "secondaryPeerAddressPrefix", "password", "bfd"};
    const struct vnrs_node *key = vnrs_node_get(node, "sharedKey");

    c->enable_bgp = vnrs_read_bool(node, "enableBgp", false);
    c->has_own_key = key;
    if (key) {
        c->shared_key = vnrs_loader_strdup(l, key->text);
        vnrs_loader_mark(l, &c->shared_key, key->key_pos); // not the text itself: the place of it is shown
    } else if (c->name && l->model->name) {
        const char *seed = vnrs_arena_printf(l->scratch, "%s %s", l->model->name, c->name);
        c->shared_key =
            seed ? vnrs_arena_printf(l->model->arena, "vnrs%016llx", (unsigned long long)vnrs_hash_str(seed)) : NULL;
        l->diags->failed |= !c->shared_key;
    }
    vnrs_read_addrs(l, vnrs_node_get(node, "gatewayCustomBgpIpAddresses"), &c->gateway_bgp_ips);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        refuse_key(l, node, others[i], "an IPsec connection");
}

static void parse_links(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_connection *c)
{
    static const char *const keys[] = {"primaryPeerAddressPrefix", "secondaryPeerAddressPrefix"};

    for (unsigned i = 0; i < ARRAY_SIZE(c->links); i++) {
        struct vnrs_circuit_link *link = &c->links[i];
        const struct vnrs_node *prefix = vnrs_node_get(node, keys[i]);
        link->msee = add_router(l, VNRS_MACHINE_MSEE, c->name, i, c->pos);
        if (!link->msee)
            return;
        link->nic = link->msee->nics.items;
        if (prefix && vnrs_prefix_parse(prefix->text, &link->prefix) == 0)
            vnrs_loader_mark(l, &link->prefix, prefix->pos);
    }
}

static void parse_expressroute(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_connection *c)
{
    static const char *const others[] = {"enableBgp", "sharedKey", "gatewayCustomBgpIpAddresses"};
    static const char *const skus[] = {"Standard", "Premium"};
    const struct vnrs_node *password = vnrs_node_get(node, "password"), *bfd = vnrs_node_get(node, "bfd");

    c->weight = vnrs_read_number(node, "routingWeight", 0);
    c->premium = vnrs_read_enum(node, "sku", skus, ARRAY_SIZE(skus), 0) == 1;
    c->password = vnrs_read_text(l, node, "password");
    if (password)
        vnrs_loader_mark(l, &c->password, password->key_pos);
    c->bfd = l->bfd;
    c->bfd.multihop = c->bfd.has_multihop = false; // the lab's default is meant for NVAs, which are elsewhere
    c->bfd.ttl_min = 0;
    vnrs_read_bfd(bfd, &c->bfd);
    if (bfd)
        vnrs_loader_mark(l, &c->bfd, bfd->key_pos);
    parse_links(l, node, c);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        refuse_key(l, node, others[i], "an ExpressRoute connection");
}

static void parse_connections(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;
    struct vnrs_map names = {0};

    if (!list || !loader_room(l, &m->connections, list))
        return;
    node_foreach (node, list) {
        const struct vnrs_node *type = is_map(node) ? vnrs_node_get(node, "connectionType") : NULL;
        if (!is_map(node))
            continue;
        struct vnrs_connection *c = &m->connections.items[m->connections.len++];
        c->name = vnrs_read_text(l, node, "name");
        c->pos = node->pos;
        c->id = (unsigned)m->connections.len;
        vnrs_read_local_name(l, &names, "connection", c->name, node);
        vnrs_read_ref(l, vnrs_node_get(node, "gateway"), VNRS_REF_GATEWAY, (void **)&c->gateway);
        vnrs_read_ref(l, vnrs_node_get(node, "site"), VNRS_REF_SITE, (void **)&c->site);
        c->type =
            (enum vnrs_connection_type)vnrs_read_enum(node, "connectionType", vnrs_connection_type_names,
                                                      ARRAY_SIZE(vnrs_connection_type_names), VNRS_CONNECTION_IPSEC);
        if (type)
            vnrs_loader_mark(l, &c->type, type->pos);
        if (type && strcmp(type->text, "Vnet2Vnet") == 0) {
            struct vnrs_diag *d = loader_error(l, VNRS_V_NOT_BUILT, type->pos,
                                               "connection '%s': Vnet2Vnet is not built", c->name ? c->name : "?");
            vnrs_diag_help(l->diags, d, "peer the two networks, or connect a gateway of each with the same site");
        } else if (c->type == VNRS_CONNECTION_IPSEC) {
            parse_ipsec(l, node, c);
        } else {
            parse_expressroute(l, node, c);
        }
    }
    vnrs_map_fini(&names);
}

// ---- sites

// The router of a site, among the machines: there it has its name once more.
static struct vnrs_machine *add_site_machine(struct vnrs_loader *l, const struct vnrs_site *site)
{
    const struct vnrs_machine *taken =
        site->name ? vnrs_map_find(&l->names[VNRS_REF_MACHINE], site->name, strlen(site->name)) : NULL;

    if (taken && taken->role == VNRS_MACHINE_USER) {
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_DUPLICATE_NAME, site->pos, "site '%s': the name is taken", site->name);
        vnrs_diag_note(l->diags, d, taken->pos, "by this machine");
    }
    return add_machine(l, VNRS_MACHINE_SITE, site->name ? site->name : "?", site->pos);
}

static void parse_site(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_site *site)
{
    const struct vnrs_node *asn = vnrs_node_get(node, "asn");

    site->name = vnrs_read_text(l, node, "name");
    site->pos = node->pos;
    site->id = (unsigned)l->model->sites.len;
    vnrs_read_name(l, VNRS_REF_SITE, "site", site->name, node->pos, site);
    vnrs_read_prefixes(l, vnrs_node_get(node, "addressPrefixes"), &site->prefixes);
    site->asn = vnrs_read_number(node, "asn", 0);
    vnrs_loader_mark(l, &site->asn, asn ? asn->pos : node->pos);
    vnrs_read_addr(l, node, "bgpPeeringAddress", &site->bgp_ip);
    vnrs_read_addr(l, node, "publicIp", &site->public_ip);
    site->machine = add_site_machine(l, site);
    if (!site->machine)
        return;
    vnrs_model_parse_run(l, vnrs_node_get(node, "run"), &site->machine->run);
    vnrs_read_hosts(l, vnrs_node_get(node, "hosts"), &site->machine->hosts.items, &site->machine->hosts.len);
}

static void parse_sites(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;

    if (!list || !loader_room(l, &m->sites, list))
        return;
    node_foreach (node, list)
        if (is_map(node))
            parse_site(l, node, &m->sites.items[m->sites.len++]);
}

void vnrs_model_parse_outside(struct vnrs_loader *l, const struct vnrs_node *root)
{
    parse_gateways(l, vnrs_node_get(root, "virtualNetworkGateways"));
    parse_connections(l, vnrs_node_get(root, "connections"));
    parse_sites(l, vnrs_node_get(root, "sites"));
}
