// SPDX-License-Identifier: GPL-2.0-or-later
// Objects of gateways, circuits and sites, beside the namespaces and NICs that they have as machines:
//
//   gateway.<gw>-<i>  eth0 in GatewaySubnet; pub to the Internet edge; for each connection tun-… (what goes through the
//                     tunnel) and ike-… (IKE and ESP of the tunnel, translated to the public address)
//   tunnel.<c>-<i>    the gateway's end of one tunnel: charon, which could not tell several tunnels for everything
//   tunnel.<c>-<i>.site  the site's end
//   <site>            the site's router: pub, tun-… and ike-… as above; er-… to the MSEEs of its circuits
//   msee.<c>-<i>      eth0 in GatewaySubnet; link0 to the site
//
// Learned routes of a gateway instance and of an MSEE come from a route domain that is the name of its machine.
#include "plan/appliance.h"
#include "plan/build.h"
#include "plan/names.h"
#include "plan/tunnel.h"
#include "util/strbuf.h"
#include "vnrs/rtprot.h"

#define TUNNEL_MTU     1400 // of strongSwan's TUN device: ESP and UDP of it fit into 1500
#define LEARNED_TABLE  1000
#define LEARNED_METRIC 50
#define REFUSED_METRIC 0xfffffffeu
#define OWNER          "169.254.0.2" // of a gateway instance or site towards the ends of its tunnels

struct end {           // of a tunnel
    const char *owner; // namespace of the gateway instance or site
    const char *ns;    // its own
    const char *what;
    struct vnrs_addr own, peer; // public addresses
    struct vnrs_addr inner;     // of the owner inside the tunnel, NONE: none but what it has elsewhere
    char tun[VNRS_IFNAME_MAX];  // of the owner
    char ike[VNRS_IFNAME_MAX];
};

static struct vnrs_prefix host_of(const struct vnrs_addr *addr)
{
    return vnrs_prefix_host(addr);
}

static struct vnrs_addr owner_addr(void)
{
    struct vnrs_addr addr = {0};

    (void)!vnrs_addr_parse(OWNER, &addr); // a constant
    return addr;
}

static bool has_route(struct build *b, const char *ns, const struct vnrs_prefix *prefix)
{
    char text[VNRS_PREFIX_STR_MAX];
    const char *name = build_text(b, "route '%s/%s'", ns, vnrs_prefix_format(prefix, text));

    return vnrs_map_find(&b->taken, name, strlen(name));
}

// ---- ends of tunnels

static void end_links(struct build *b, const struct end *end, const struct vnrs_addr *inside)
{
    const char *tun_key = build_text(b, "%s/tun", end->ns), *ike_key = build_text(b, "%s/ike", end->ns);
    struct vnrs_addr owner = owner_addr();

    struct vnrs_obj_link *ike = build_object(b, VNRS_OBJ_LINK, ike_key, end->what);
    struct vnrs_obj_link *tun = ike ? build_object(b, VNRS_OBJ_LINK, tun_key, end->what) : NULL;
    if (!tun)
        return;
    ike->mtu = 1500;
    ike->a.ns = tun->a.ns = build_netns(end->owner);
    ike->b.ns = tun->b.ns = build_netns(end->ns);
    vnrs_str_copy(ike->a.ifname, sizeof(ike->a.ifname), end->ike);
    vnrs_str_copy(ike->b.ifname, sizeof(ike->b.ifname), "ike");
    ike->a.mac = vnrs_name_mac(b->model->name, build_text(b, "%s owner", ike_key));
    ike->b.mac = vnrs_name_mac(b->model->name, ike_key);
    build_end_addr(&ike->a, &owner, 32);
    build_end_addr(&ike->b, inside, 32);
    tun->mtu = TUNNEL_MTU;
    tun->kind = VNRS_LINK_TUNNEL;
    vnrs_str_copy(tun->a.ifname, sizeof(tun->a.ifname), end->tun);
    vnrs_str_copy(tun->b.ifname, sizeof(tun->b.ifname), "tun");
    tun->a.mac = vnrs_name_mac(b->model->name, tun_key);
    if (end->inner.family != VNRS_AF_NONE)
        build_end_addr(&tun->a, &end->inner, vnrs_af_bits(end->inner.family));
    build_take(b, build_text(b, "%s %s", end->owner, end->tun), end->what);
    build_take(b, build_text(b, "%s %s", end->owner, end->ike), end->what);
}

// IKE goes from the end through its owner, with the owner's public address, to the other end, and back.
static void end_ike(struct build *b, const struct end *end, const struct vnrs_addr *inside)
{
    struct vnrs_addr owner = owner_addr();
    struct vnrs_prefix to_owner = host_of(&owner), to_inside = host_of(inside), to_peer = host_of(&end->peer);

    build_route(b, end->owner, end->ike, &to_inside, NULL);
    build_route(b, end->ns, "ike", &to_owner, NULL);
    build_route(b, end->ns, "ike", &to_peer, &owner);
    if (!has_route(b, end->owner, &to_peer))
        build_route(b, end->owner, "pub", &to_peer, &b->edge4);
    struct vnrs_obj_snat *snat = build_object(b, VNRS_OBJ_SNAT, build_text(b, "%s/ike", end->ns), end->what);
    if (!snat)
        return;
    snat->ns = build_netns(end->owner);
    vnrs_str_copy(snat->ifname, sizeof(snat->ifname), "pub");
    snat->sources[snat->n++] = to_inside;
    snat->ike_peer = end->peer;
    snat->ike_inside = *inside;
}

static void end_proc(struct build *b, const struct end *end, const char *key)
{
    struct vnrs_obj_proc *proc = build_object(b, VNRS_OBJ_PROC, end->ns, end->what);
    _free_ char *config = vnrs_tunnel_config(&end->own, &end->peer, key);

    if (!proc)
        return;
    struct vnrs_object *object = &b->out->objects.items[b->out->objects.len - 1];
    proc->ns = build_netns(end->ns);
    proc->kind = VNRS_PROC_STRONGSWAN;
    object->data_size = config ? strlen(config) : 0;
    object->data = config ? vnrs_arena_dup(b->out->arena, config, object->data_size) : NULL;
    if (!object->data)
        build_fail(b, -ENOMEM, "out of memory");
}

static void build_end(struct build *b, const struct end *end, const char *key)
{
    struct vnrs_obj_netns *ns = build_object(b, VNRS_OBJ_NETNS, end->ns, end->what);
    struct vnrs_addr inside = build_transfer_addr(b, build_text(b, "%s/ike", end->ns), VNRS_AF_IPV4);

    if (!ns)
        return;
    ns->flags = VNRS_NETNS_FORWARD;
    end_links(b, end, &inside);
    end_ike(b, end, &inside);
    end_proc(b, end, key);
}

// ---- IPsec connections

// Where an address, or what is behind it, is at the other end of a tunnel.
static void route_into(struct build *b, const struct end *end, const struct vnrs_prefix *prefix)
{
    if (!has_route(b, end->owner, prefix))
        build_route(b, end->owner, end->tun, prefix, NULL);
}

// While its tunnel is down the other end's own address is nowhere: BGP with it would go through another tunnel, and
// tell of routes that lead nowhere.
static void route_to_end(struct build *b, const struct end *end, const struct vnrs_addr *addr)
{
    char text[VNRS_ADDR_STR_MAX];
    const struct vnrs_prefix prefix = host_of(addr);

    route_into(b, end, &prefix);
    (void)vnrs_addr_format(addr, text);
    const char *key = build_text(b, "%s/%s/refused", end->owner, text);
    const char *name = build_text(b, "route '%s'", key);
    struct vnrs_obj_route *route =
        vnrs_map_find(&b->taken, name, strlen(name)) ? NULL : build_object(b, VNRS_OBJ_ROUTE, key, end->what);
    if (!route)
        return;
    route->ns = build_netns(end->owner);
    route->prefix = prefix;
    route->refuse = 1;
    route->metric = REFUSED_METRIC;
}

static bool is_behind(const struct build *b, const struct vnrs_gateway *gateway, const struct vnrs_vnet *vnet)
{
    return vnet == gateway->vnet || vnrs_model_hub_of(b->model, vnet) == gateway->vnet;
}

// Without BGP the site has fixed routes to what is behind the gateway, by all tunnels that are up.
static void static_site_route(struct build *b, const struct vnrs_connection *c, const struct end *ends,
                              const struct vnrs_prefix *prefix)
{
    const char *site = c->site->machine->name;
    struct vnrs_addr via = vnrs_tunnel_gateway_ip(c, 0);

    if (prefix->family != VNRS_AF_IPV4 || has_route(b, site, prefix))
        return;
    struct vnrs_obj_route *route = build_route(b, site, ends[0].tun, prefix, &via);
    for (unsigned i = 1; route && i < c->gateway->n_instances; i++) {
        route->via[i] = vnrs_tunnel_gateway_ip(c, i);
        vnrs_str_copy(route->ifnames[i], sizeof(route->ifnames[i]), ends[i].tun);
        route->n_via++;
    }
}

static void static_routes(struct build *b, const struct vnrs_connection *c, const struct end *gateway_ends,
                          const struct end *site_ends)
{
    for (unsigned i = 0; i < c->gateway->n_instances; i++) {
        list_foreach (prefix, &c->site->prefixes) {
            if (prefix->family == VNRS_AF_IPV4)
                route_into(b, &gateway_ends[i], prefix);
        }
    }
    list_foreach (vnet, &b->model->vnets) {
        for (size_t i = 0; is_behind(b, c->gateway, vnet) && i < vnet->address_space.len; i++)
            static_site_route(b, c, site_ends, &vnet->address_space.items[i]);
    }
    list_foreach (prefix, &c->gateway->custom_routes)
        static_site_route(b, c, site_ends, prefix);
}

static struct end end_of(struct build *b, const struct vnrs_connection *c, unsigned i, bool at_site)
{
    const struct vnrs_gateway_instance *instance = &c->gateway->instances[i];
    struct vnrs_addr apipa = i < c->gateway_bgp_ips.len ? c->gateway_bgp_ips.items[i] : (struct vnrs_addr){0};
    char name[VNRS_TUNNEL_NAME_MAX];
    struct end end = {
        .owner = at_site ? c->site->machine->name : instance->machine->name,
        .own = at_site ? c->site->public_ip : instance->public_ip,
        .peer = at_site ? instance->public_ip : c->site->public_ip,
        .inner = at_site ? c->site->bgp_ip : apipa,
    };

    (void)vnrs_tunnel_name(c, i, name);
    end.ns = build_text(b, "tunnel.%s%s", name, at_site ? ".site" : "");
    end.what = build_text(b, "tunnel %u of connection '%s' at %s '%s'", i, c->name, at_site ? "site" : "gateway",
                          at_site ? c->site->name : c->gateway->name);
    (void)vnrs_tunnel_link(b->model->name, c, i, end.tun);
    (void)vnrs_name_link(b->model->name, "ike-", name, end.ike);
    return end;
}

static void build_ipsec(struct build *b, const struct vnrs_connection *c)
{
    struct end gateway_ends[VNRS_GATEWAY_INSTANCES], site_ends[VNRS_GATEWAY_INSTANCES];
    struct vnrs_addr site_ip = c->site->bgp_ip;

    for (unsigned i = 0; i < c->gateway->n_instances; i++) {
        gateway_ends[i] = end_of(b, c, i, false);
        site_ends[i] = end_of(b, c, i, true);
        build_end(b, &gateway_ends[i], c->shared_key);
        build_end(b, &site_ends[i], c->shared_key);
        struct vnrs_addr gateway_ip = vnrs_tunnel_gateway_ip(c, i);
        route_to_end(b, &site_ends[i], &gateway_ip);
        if (site_ip.family == VNRS_AF_IPV4)
            route_to_end(b, &gateway_ends[i], &site_ip);
    }
    if (!c->enable_bgp)
        static_routes(b, c, gateway_ends, site_ends);
}

// ---- circuits

static void build_circuit(struct build *b, const struct vnrs_connection *c)
{
    const struct vnrs_addr site_ip = c->site->bgp_ip;
    char name[VNRS_TUNNEL_NAME_MAX];

    for (unsigned i = 0; i < ARRAY_SIZE(c->links); i++) {
        const struct vnrs_circuit_link *circuit = &c->links[i];
        (void)vnrs_tunnel_name(c, i, name);
        const char *key = build_text(b, "circuit.%s/link0", name);
        const char *what = build_text(b, "link %u of circuit '%s'", i, c->name);
        struct vnrs_obj_link *link = build_object(b, VNRS_OBJ_LINK, key, what);
        if (!link)
            return;
        link->mtu = 1500;
        link->a.ns = build_netns(circuit->msee->name);
        link->b.ns = build_netns(c->site->machine->name);
        vnrs_str_copy(link->a.ifname, sizeof(link->a.ifname), "link0");
        (void)vnrs_name_link(b->model->name, "er-", name, link->b.ifname);
        link->a.mac = vnrs_name_mac(b->model->name, build_text(b, "%s msee", key));
        link->b.mac = vnrs_name_mac(b->model->name, key);
        build_end_addr(&link->a, &circuit->msee_ip, circuit->prefix.len);
        build_end_addr(&link->b, &circuit->customer_ip, circuit->prefix.len);
        if (site_ip.family != VNRS_AF_NONE)
            build_end_addr(&link->b, &site_ip, vnrs_af_bits(site_ip.family));
        build_take(b, build_text(b, "%s %s", c->site->machine->name, link->b.ifname), what);
    }
}

// ---- instances

// Sessions come in on several addresses, so it listens on all.
static void build_speaker(struct build *b, const struct vnrs_machine *machine, const char *what)
{
    struct vnrs_obj_speaker *speaker = build_object(b, VNRS_OBJ_SPEAKER, machine->name, what);

    if (!speaker)
        return;
    speaker->ns = build_netns(machine->name);
    speaker->listen.family = VNRS_AF_IPV4;
}

static void build_learned(struct build *b, const struct vnrs_nic *nic, const char *what)
{
    struct vnrs_obj_table *table =
        build_object(b, VNRS_OBJ_TABLE, build_text(b, "%s/learned", nic->machine->name), what);

    if (!table)
        return;
    table->ns = build_netns(nic->machine->name);
    vnrs_str_copy(table->ifname, sizeof(table->ifname), nic->ifname);
    table->domain = vnrs_ids_get(b->ids, VNRS_ID_DOMAIN, nic->machine->name);
    // What comes from the virtual networks goes to sites only, what comes from sites to the virtual networks only: both
    // may have a default route.
    table->table = LEARNED_TABLE;
    table->from_link = 1;
    table->protocol = VNRS_RTPROT;
    table->metric = LEARNED_METRIC;
    table->by_link = 1;
    list_foreach (ip, &nic->ips)
        if (table->n_own < VNRS_LINK_ADDRS_MAX)
            table->own[table->n_own++] = *ip;
    if (!table->domain)
        build_fail(b, -ENOSPC, "no number is left for the routes of %s", what);
}

static bool has_tunnel(const struct vnrs_model *model, const struct vnrs_gateway *gateway, const struct vnrs_site *site)
{
    list_foreach (c, &model->connections) {
        if (c->type == VNRS_CONNECTION_IPSEC && (c->gateway == gateway || c->site == site))
            return true;
    }
    return false;
}

static void build_gateway(struct build *b, const struct vnrs_gateway *gateway)
{
    for (unsigned i = 0; i < gateway->n_instances; i++) {
        const struct vnrs_gateway_instance *instance = &gateway->instances[i];
        const char *what = build_text(b, "gateway '%s' instance %u", gateway->name, i);
        if (has_tunnel(b->model, gateway, NULL))
            build_public(b, instance->machine->name, &instance->public_ip, what);
        if (gateway->type == VNRS_GATEWAY_VPN)
            build_learned(b, instance->nic, what);
        build_speaker(b, instance->machine, what);
    }
}

static void build_msees(struct build *b, const struct vnrs_connection *c)
{
    for (unsigned i = 0; i < ARRAY_SIZE(c->links); i++) {
        const char *what = build_text(b, "MSEE %u of circuit '%s'", i, c->name);
        build_learned(b, c->links[i].nic, what);
        build_speaker(b, c->links[i].msee, what);
    }
}

void build_gateways(struct build *b)
{
    list_foreach (gateway, &b->model->gateways)
        build_gateway(b, gateway);
    list_foreach (site, &b->model->sites) {
        if (has_tunnel(b->model, NULL, site))
            build_public(b, site->machine->name, &site->public_ip, build_text(b, "site '%s'", site->name));
    }
    list_foreach (c, &b->model->connections) {
        if (c->type == VNRS_CONNECTION_IPSEC) {
            build_ipsec(b, c);
        } else {
            build_msees(b, c);
            build_circuit(b, c);
        }
    }
}
