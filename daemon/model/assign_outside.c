// SPDX-License-Identifier: GPL-2.0-or-later
// Where gateways, edge routers and sites stand: their subnet, and the addresses outside every virtual network that the
// file leaves open. Those come from documentation ranges (public addresses) and from the far end of private ranges
// (links of circuits), the first free ones in file order.
#include "model/loader.h"
#include "net/trie.h"

#include <string.h>

#define USED_LEN_MIN 8u
#define PUBLIC_FIRST 4u // .1 may be the Internet edge's (plan/desired.h)

static const struct vnrs_prefix public_pools[] = {
    {VNRS_AF_IPV4, 24, {198, 51, 100}},
    {VNRS_AF_IPV4, 24, {203, 0, 113}},
    {VNRS_AF_IPV4, 24, {192, 0, 2}},
    {VNRS_AF_IPV4, 16, {198, 19}},
};

static const struct vnrs_prefix link_pools[] = {
    {VNRS_AF_IPV4, 24, {172, 31, 255}}, {VNRS_AF_IPV4, 20, {172, 31, 224}},  {VNRS_AF_IPV4, 20, {192, 168, 240}},
    {VNRS_AF_IPV4, 20, {10, 255, 240}}, {VNRS_AF_IPV4, 20, {100, 127, 240}},
};

void vnrs_model_place_gateways(struct vnrs_loader *l)
{
    list_foreach (gateway, &l->model->gateways) {
        if (!gateway->vnet)
            continue;
        list_foreach (subnet, &gateway->vnet->subnets)
            if (subnet->name && strcmp(subnet->name, "GatewaySubnet") == 0)
                gateway->subnet = subnet;
        for (unsigned i = 0; i < gateway->n_instances; i++)
            if (gateway->instances[i].nic)
                gateway->instances[i].nic->subnet = gateway->subnet;
    }
    list_foreach (c, &l->model->connections)
        for (unsigned i = 0; c->gateway && i < ARRAY_SIZE(c->links); i++)
            if (c->links[i].nic)
                c->links[i].nic->subnet = c->gateway->subnet;
}

// ---- what is in use

static void use_prefix(struct vnrs_loader *l, struct vnrs_trie *used, const struct vnrs_prefix *prefix)
{
    static const char in_use;

    // A default route is no place where addresses are in use, nor are the halves and quarters that stand for one.
    if (prefix->family && prefix->len >= USED_LEN_MIN && vnrs_trie_put(used, prefix, (void *)&in_use) < 0)
        l->diags->failed = true;
}

static void use_prefixes(struct vnrs_loader *l, struct vnrs_trie *used, const vnrs_prefix_list *list)
{
    list_foreach (prefix, list)
        use_prefix(l, used, prefix);
}

static void use_addr(struct vnrs_loader *l, struct vnrs_trie *used, const struct vnrs_addr *addr)
{
    struct vnrs_prefix prefix = addr->family ? vnrs_prefix_host(addr) : (struct vnrs_prefix){0};
    use_prefix(l, used, &prefix);
}

static void use_hosts(struct vnrs_loader *l, struct vnrs_trie *used, const struct vnrs_host *hosts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        use_addr(l, used, &hosts[i].ip);
}

static void use_outside(struct vnrs_loader *l, struct vnrs_trie *used)
{
    const struct vnrs_model *m = l->model;

    list_foreach (gateway, &m->gateways)
        for (unsigned i = 0; i < gateway->n_instances; i++)
            use_addr(l, used, &gateway->instances[i].public_ip);
    list_foreach (site, &m->sites) {
        use_prefixes(l, used, &site->prefixes);
        use_addr(l, used, &site->bgp_ip);
        use_addr(l, used, &site->public_ip);
    }
    list_foreach (c, &m->connections)
        for (unsigned i = 0; i < ARRAY_SIZE(c->links); i++)
            use_prefix(l, used, &c->links[i].prefix);
}

// Every range and address that the file names, wherever it is.
static void use_all(struct vnrs_loader *l, struct vnrs_trie *used)
{
    const struct vnrs_model *m = l->model;

    list_foreach (vnet, &m->vnets)
        use_prefixes(l, used, &vnet->address_space);
    list_foreach (service, &m->services) {
        use_prefixes(l, used, &service->prefixes);
        use_hosts(l, used, service->hosts.items, service->hosts.len);
    }
    use_hosts(l, used, m->internet.hosts.items, m->internet.hosts.len);
    list_foreach (machine, &m->machines) {
        use_hosts(l, used, machine->hosts.items, machine->hosts.len);
        list_foreach (a, &machine->run.announce)
            use_prefix(l, used, &a->prefix);
    }
    use_outside(l, used);
}

// ---- what is free

struct pool_walk {
    const struct vnrs_prefix *pools;
    size_t n_pools, at;
    unsigned len;            // of what is taken: 32, 30
    unsigned first;          // of each pool that may be taken
    struct vnrs_addr cursor; // NONE: the pool has not begun
};

static bool is_used(const struct vnrs_trie *used, const struct vnrs_prefix *prefix)
{
    struct vnrs_addr last = vnrs_prefix_last(prefix);

    for (struct vnrs_addr addr = vnrs_prefix_addr(prefix);; addr = vnrs_addr_add(&addr, 1)) {
        if (vnrs_trie_match(used, &addr, NULL))
            return true;
        if (vnrs_addr_equal(&addr, &last))
            return false;
    }
}

// The next one that nothing uses. False: all pools are used up. The last address of a pool is never taken.
static bool next_free(struct pool_walk *walk, const struct vnrs_trie *used, struct vnrs_prefix *ret_prefix)
{
    for (; walk->at < walk->n_pools; walk->at++, walk->cursor = (struct vnrs_addr){0}) {
        const struct vnrs_prefix *pool = &walk->pools[walk->at];
        struct vnrs_addr base = vnrs_prefix_addr(pool), last = vnrs_prefix_last(pool);
        if (!walk->cursor.family)
            walk->cursor = vnrs_addr_add(&base, walk->first);
        while (vnrs_addr_cmp(&walk->cursor, &last) < 0) {
            struct vnrs_prefix prefix = vnrs_prefix_make(&walk->cursor, walk->len);
            walk->cursor = vnrs_addr_add(&walk->cursor, (uint64_t)1 << (32 - walk->len));
            if (is_used(used, &prefix))
                continue;
            *ret_prefix = prefix;
            return true;
        }
    }
    return false;
}

static void assign_public(struct vnrs_loader *l, struct pool_walk *walk, const struct vnrs_trie *used, const char *name,
                          struct vnrs_pos pos, struct vnrs_addr *out)
{
    struct vnrs_prefix prefix;

    if (out->family)
        return;
    if (next_free(walk, used, &prefix)) {
        *out = vnrs_prefix_addr(&prefix);
        return;
    }
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_OUTSIDE_FULL, pos, "no free public address for '%s'", name ? name : "?");
    vnrs_diag_help(l->diags, d, "they are taken from documentation ranges, which this file uses up: give it one");
}

static bool has_tunnel(const struct vnrs_model *m, const struct vnrs_site *site)
{
    list_foreach (c, &m->connections)
        if (c->site == site && c->type == VNRS_CONNECTION_IPSEC)
            return true;
    return false;
}

static void assign_publics(struct vnrs_loader *l, const struct vnrs_trie *used)
{
    struct pool_walk walk = {
        .pools = public_pools, .n_pools = ARRAY_SIZE(public_pools), .len = 32, .first = PUBLIC_FIRST};

    list_foreach (gateway, &l->model->gateways)
        for (unsigned i = 0; gateway->type == VNRS_GATEWAY_VPN && i < gateway->n_instances; i++)
            assign_public(l, &walk, used, gateway->name, gateway->pos, &gateway->instances[i].public_ip);
    list_foreach (site, &l->model->sites)
        if (has_tunnel(l->model, site))
            assign_public(l, &walk, used, site->name, site->pos, &site->public_ip);
}

static void assign_links(struct vnrs_loader *l, const struct vnrs_trie *used)
{
    struct pool_walk walk = {.pools = link_pools, .n_pools = ARRAY_SIZE(link_pools), .len = 30};

    list_foreach (c, &l->model->connections) {
        for (unsigned i = 0; c->type == VNRS_CONNECTION_EXPRESSROUTE && i < ARRAY_SIZE(c->links); i++) {
            struct vnrs_circuit_link *link = &c->links[i];
            if (!link->prefix.family && !next_free(&walk, used, &link->prefix)) {
                struct vnrs_diag *d = loader_error(l, VNRS_V_OUTSIDE_FULL, c->pos, "no free /30 for a link of '%s'",
                                                   c->name ? c->name : "?");
                vnrs_diag_help(l->diags, d, "add 'primaryPeerAddressPrefix' and 'secondaryPeerAddressPrefix'");
                continue;
            }
            struct vnrs_addr base = vnrs_prefix_addr(&link->prefix);
            link->customer_ip = vnrs_addr_add(&base, 1);
            link->msee_ip = vnrs_addr_add(&base, 2);
        }
    }
}

// ---- what follows from the rest

static void default_bgp_ip(struct vnrs_site *site)
{
    list_foreach (prefix, &site->prefixes) {
        if (site->bgp_ip.family || prefix->family != VNRS_AF_IPV4)
            continue;
        struct vnrs_addr base = vnrs_prefix_addr(prefix);
        site->bgp_ip = vnrs_addr_add(&base, prefix->len < 31);
    }
}

// Where a site's BGP address is link-local, so is the gateway's: of each instance the first that it has.
static void default_gateway_ips(struct vnrs_loader *l, struct vnrs_connection *c)
{
    const struct vnrs_gateway *gateway = c->gateway;
    static const struct vnrs_prefix link_local = {VNRS_AF_IPV4, 16, {169, 254}};

    if (!gateway || !c->site || !c->enable_bgp || c->gateway_bgp_ips.len ||
        !vnrs_prefix_contains_addr(&link_local, &c->site->bgp_ip))
        return;
    for (unsigned i = 0; i < gateway->n_instances; i++)
        if (!gateway->instances[i].apipa.len)
            return;
    if (!(c->gateway_bgp_ips.items = vnrs_loader_alloc(l, gateway->n_instances * sizeof(struct vnrs_addr))))
        return;
    for (unsigned i = 0; i < gateway->n_instances; i++)
        c->gateway_bgp_ips.items[c->gateway_bgp_ips.len++] = gateway->instances[i].apipa.items[0];
}

void vnrs_model_assign_outside(struct vnrs_loader *l)
{
    struct vnrs_model *m = l->model;
    struct vnrs_trie used = {0};

    list_foreach (site, &m->sites) {
        default_bgp_ip(site);
        if (site->machine && site->machine->run.kind != VNRS_RUN_NONE && !site->machine->run.asn)
            site->machine->run.asn = site->asn;
    }
    use_all(l, &used);
    assign_publics(l, &used);
    assign_links(l, &used);
    vnrs_trie_fini(&used);
    list_foreach (gateway, &m->gateways)
        for (unsigned i = 0; i < gateway->n_instances; i++)
            if (gateway->instances[i].nic && gateway->instances[i].nic->ips.len)
                gateway->instances[i].ip = gateway->instances[i].nic->ips.items[0];
    list_foreach (c, &m->connections)
        default_gateway_ips(l, c);
}
