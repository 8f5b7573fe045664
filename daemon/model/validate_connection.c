// SPDX-License-Identifier: GPL-2.0-or-later
// Connections of gateways to sites. Rules: azure-routing.md sections 6.1 to 6.3.
#include "model/loader.h"
#include "net/trie.h"

#include <string.h>

#define LINK_BITS 30u

// A gateway with the ranges that it carries: those of its virtual network and of networks that use it.
struct carrier {
    const struct vnrs_gateway *gateway;
    struct vnrs_trie ranges; // values: struct vnrs_range with the virtual network as owner
};

static const char *name_of(const char *name)
{
    return name ? name : "?";
}

static void carrier_init(struct vnrs_loader *l, struct carrier *carrier, const struct vnrs_gateway *gateway)
{
    carrier->gateway = gateway;
    list_foreach (vnet, &l->model->vnets) {
        list_foreach (prefix, &vnet->address_space) {
            if (!gateway->vnet || l->hubs[vnet->id] != gateway->vnet)
                continue;
            struct vnrs_range *range = vnrs_arena_alloc(l->scratch, sizeof(*range));
            if (range)
                *range =
                    (struct vnrs_range){.prefix = *prefix, .pos = vnrs_loader_pos(l, prefix, vnet->pos), .owner = vnet};
            if (!range || vnrs_trie_put(&carrier->ranges, prefix, range) < 0)
                l->diags->failed = true;
        }
    }
}

// The range that holds all of a prefix. NULL: none.
static const struct vnrs_range *range_around(const struct carrier *carrier, const struct vnrs_prefix *prefix)
{
    struct vnrs_addr base = vnrs_prefix_addr(prefix);
    const struct vnrs_range *range = vnrs_trie_match(&carrier->ranges, &base, NULL);

    return range && vnrs_prefix_contains(&range->prefix, prefix) ? range : NULL;
}

// ---- what the site has

static void check_overlap(struct vnrs_loader *l, const struct carrier *carrier, const struct vnrs_site *site)
{
    char a[VNRS_PREFIX_STR_MAX], b[VNRS_PREFIX_STR_MAX];

    list_foreach (prefix, &site->prefixes) {
        const struct vnrs_range *range = range_around(carrier, prefix);
        if (!range)
            continue;
        const struct vnrs_vnet *vnet = range->owner;
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_SITE_OVERLAP, vnrs_loader_pos(l, prefix, site->pos),
                         "%s of site '%s' lies in %s of '%s'", vnrs_prefix_format(prefix, a), name_of(site->name),
                         vnrs_prefix_format(&range->prefix, b), name_of(vnet->name));
        vnrs_diag_note(l->diags, d, range->pos, "that range is here");
        vnrs_diag_help(l->diags, d, "packets for it never leave the virtual network; a larger range is possible");
    }
    list_foreach (announce, &site->machine->run.announce) {
        const struct vnrs_range *range = announce->prefix.family ? range_around(carrier, &announce->prefix) : NULL;
        if (!range)
            continue;
        const struct vnrs_vnet *vnet = range->owner;
        struct vnrs_diag *d = loader_warning(l, VNRS_V_ANNOUNCE_LOCAL, vnrs_loader_pos(l, &announce->prefix, site->pos),
                                             "'%s' announces %s, which lies in %s of '%s'", name_of(site->name),
                                             vnrs_prefix_format(&announce->prefix, a),
                                             vnrs_prefix_format(&range->prefix, b), name_of(vnet->name));
        vnrs_diag_help(l->diags, d, "gateways take no prefixes of the networks that they carry");
    }
}

static void check_bgp_ip(struct vnrs_loader *l, const struct carrier *carrier, const struct vnrs_site *site)
{
    const struct vnrs_range *range =
        site->bgp_ip.family ? vnrs_trie_match(&carrier->ranges, &site->bgp_ip, NULL) : NULL;
    char text[VNRS_ADDR_STR_MAX];

    list_foreach (prefix, &site->prefixes)
        if (vnrs_prefix_contains_addr(prefix, &site->bgp_ip))
            return; // what is wrong with that range was reported
    if (!range)
        return;
    const struct vnrs_vnet *vnet = range->owner;
    struct vnrs_diag *d = loader_error(l, VNRS_V_SITE_BGP_IP, vnrs_loader_pos(l, &site->bgp_ip, site->pos),
                                       "address %s of the router of site '%s' lies in '%s'",
                                       vnrs_addr_format(&site->bgp_ip, text), name_of(site->name), name_of(vnet->name));
    vnrs_diag_note(l->diags, d, range->pos, "that range is here");
}

// ---- BGP

static bool has_bgp(const struct vnrs_connection *c)
{
    return c->type == VNRS_CONNECTION_EXPRESSROUTE || c->enable_bgp;
}

static void check_bgp(struct vnrs_loader *l, const struct vnrs_connection *c)
{
    const struct vnrs_site *site = c->site;
    const struct vnrs_run *run = &site->machine->run;
    struct vnrs_diag *d;

    if (!has_bgp(c))
        return;
    if (!site->asn) {
        d = loader_error(l, VNRS_V_SITE_ASN_MISSING, c->pos, "connection '%s' has BGP, but site '%s' has no ASN",
                         name_of(c->name), name_of(site->name));
        vnrs_diag_note(l->diags, d, site->pos, "the site is here");
        vnrs_diag_help(l->diags, d, "add 'asn' to the site");
    } else if (c->type == VNRS_CONNECTION_IPSEC && site->asn == c->gateway->asn && site->asn != VNRS_RS_ASN) {
        d = loader_error(l, VNRS_V_SITE_ASN_SAME, vnrs_loader_pos(l, &site->asn, site->pos),
                         "site '%s' has the ASN of gateway '%s', %u", name_of(site->name), name_of(c->gateway->name),
                         site->asn);
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &c->gateway->asn, c->gateway->pos), "the gateway's is here");
        vnrs_diag_help(l->diags, d, "a site and its gateway have different ASNs");
    }
    if (run->kind == VNRS_RUN_NONE && !run->pos.line) {
        d = loader_warning(l, VNRS_V_SITE_NOT_RUNNING, c->pos, "connection '%s' has BGP, but site '%s' runs none",
                           name_of(c->name), name_of(site->name));
        vnrs_diag_note(l->diags, d, site->pos, "the site is here");
        vnrs_diag_help(l->diags, d, "give it 'run: {kind: bird}'");
    }
}

static bool has_apipa(const struct vnrs_gateway_instance *instance, const struct vnrs_addr *addr)
{
    list_foreach (own, &instance->apipa)
        if (vnrs_addr_equal(own, addr))
            return true;
    return false;
}

// Link-local addresses of the gateway for this connection: one of each instance's own.
static void check_apipa(struct vnrs_loader *l, const struct vnrs_connection *c)
{
    const struct vnrs_gateway *gateway = c->gateway;
    struct vnrs_pos pos = c->gateway_bgp_ips.len ? vnrs_loader_pos(l, c->gateway_bgp_ips.items, c->pos) : c->pos;
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d;

    if (c->enable_bgp && !c->gateway_bgp_ips.len && vnrs_is_gateway_apipa(&c->site->bgp_ip)) {
        d = loader_error(l, VNRS_V_APIPA_CHOICE, pos,
                         "site '%s' speaks BGP from %s, but gateway '%s' has no such address for every instance",
                         name_of(c->site->name), vnrs_addr_format(&c->site->bgp_ip, text), name_of(gateway->name));
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &c->site->bgp_ip, c->site->pos), "the site's address is here");
        vnrs_diag_help(l->diags, d, "add 'customBgpIpAddresses' to its bgpSettings.bgpPeeringAddresses");
    } else if (c->gateway_bgp_ips.len && c->gateway_bgp_ips.len != gateway->n_instances) {
        d = loader_error(l, VNRS_V_APIPA_CHOICE, pos, "%zu BGP addresses for the %u instances of gateway '%s'",
                         c->gateway_bgp_ips.len, gateway->n_instances, name_of(gateway->name));
        vnrs_diag_help(l->diags, d, "'gatewayCustomBgpIpAddresses' has one for each instance");
        return;
    }
    for (unsigned i = 0; i < c->gateway_bgp_ips.len; i++) {
        const struct vnrs_addr *addr = &c->gateway_bgp_ips.items[i];
        pos = vnrs_loader_pos(l, addr, c->pos);
        if (has_apipa(&gateway->instances[i], addr))
            continue;
        d = loader_error(l, VNRS_V_APIPA_CHOICE, pos, "%s is no BGP address of instance %u of gateway '%s'",
                         vnrs_addr_format(addr, text), i, name_of(gateway->name));
        vnrs_diag_note(l->diags, d, gateway->pos, "the gateway is here");
        vnrs_diag_help(l->diags, d, "each is one of 'customBgpIpAddresses' of that instance");
    }
}

// ---- IPsec

static bool is_key(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    return true;
}

static void check_key(struct vnrs_loader *l, const struct vnrs_connection *c)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, &c->shared_key, c->pos);
    struct vnrs_diag *d;

    if (!c->shared_key)
        return;
    if (!is_key(c->shared_key)) {
        d = loader_error(l, VNRS_V_SHARED_KEY, pos,
                         "the shared key of connection '%s' has other than printable ASCII "
                         "characters",
                         name_of(c->name));
        vnrs_diag_help(l->diags, d, "up to %d of them, no blanks", VNRS_SHARED_KEY_MAX);
    } else if (strcmp(c->shared_key, VNRS_BGP_PASSWORD_HIDDEN) == 0) {
        d = loader_warning(l, VNRS_V_SHARED_KEY, pos,
                           "the shared key of connection '%s' is what hidden ones are shown as", name_of(c->name));
        vnrs_diag_help(l->diags, d, "a text that vnrs printed does not hold the keys; put them in again");
    }
}

static void check_ipsec(struct vnrs_loader *l, const struct vnrs_connection *c)
{
    check_key(l, c);
    check_apipa(l, c);
    if (c->enable_bgp || c->site->prefixes.len)
        return;
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_SITE_NO_PREFIX, c->pos, "connection '%s' has no BGP and site '%s' no range",
                     name_of(c->name), name_of(c->site->name));
    vnrs_diag_note(l->diags, d, c->site->pos, "the site is here");
    vnrs_diag_help(l->diags, d, "nothing would be routed: 'enableBgp: true', or 'addressPrefixes' of the site");
}

// ---- ExpressRoute

static const char *link_problem(const struct carrier *carrier, const struct vnrs_connection *c,
                                const struct vnrs_prefix *prefix)
{
    if (prefix->family != VNRS_AF_IPV4 || prefix->len != LINK_BITS)
        return "is not a /30";
    if (range_around(carrier, prefix))
        return "lies in a virtual network that the gateway carries";
    if (vnrs_prefix_contains_addr(prefix, &c->site->bgp_ip))
        return "holds the address of the site's router";
    list_foreach (own, &c->site->prefixes)
        if (vnrs_prefix_contains(prefix, own))
            return "holds a range of the site";
    return NULL;
}

// Another link, before this one, with the same addresses; NULL: none.
static const struct vnrs_circuit_link *find_link(const struct vnrs_model *m, const struct vnrs_circuit_link *link)
{
    list_foreach (c, &m->connections)
        for (unsigned i = 0; c->type == VNRS_CONNECTION_EXPRESSROUTE && i < ARRAY_SIZE(c->links); i++) {
            if (&c->links[i] == link)
                return NULL;
            if (vnrs_prefix_overlaps(&c->links[i].prefix, &link->prefix))
                return &c->links[i];
        }
    return NULL;
}

static void check_links(struct vnrs_loader *l, const struct carrier *carrier, const struct vnrs_connection *c)
{
    static const char *const which[] = {"primary", "secondary"};
    char text[VNRS_PREFIX_STR_MAX];

    for (unsigned i = 0; i < ARRAY_SIZE(c->links); i++) {
        const struct vnrs_circuit_link *link = &c->links[i], *other = NULL;
        struct vnrs_pos pos = vnrs_loader_pos(l, &link->prefix, c->pos);
        if (!link->prefix.family)
            continue; // reported already
        const char *problem = link_problem(carrier, c, &link->prefix);
        if (!problem && (other = find_link(l->model, link)))
            problem = "overlaps that of another link";
        if (!problem)
            continue;
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_CIRCUIT_LINK, pos, "%s of the %s link of connection '%s' %s",
                         vnrs_prefix_format(&link->prefix, text), which[i], name_of(c->name), problem);
        if (other)
            vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &other->prefix, c->pos), "the other one is here");
        vnrs_diag_help(l->diags, d, "a /30 of its own: the site has its first address, Microsoft the second");
    }
}

static void check_expressroute(struct vnrs_loader *l, const struct carrier *carrier, const struct vnrs_connection *c)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, &c->bfd, c->pos);

    check_links(l, carrier, c);
    vnrs_check_password(l, &c->password, c->pos, "connection", c->name);
    if (!c->bfd.on)
        return;
    vnrs_check_bfd(l, &c->bfd, pos, &c->gateway->timers, c->site->machine);
    if (!c->bfd.multihop)
        return;
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_BFD, pos, "BFD over several hops on a link of connection '%s'", name_of(c->name));
    vnrs_diag_help(l->diags, d, "site and edge router are on one link: 'multihop: false'");
}

// ---- all connections of one gateway

static bool check_type(struct vnrs_loader *l, const struct vnrs_connection *c)
{
    bool is_vpn = c->gateway->type == VNRS_GATEWAY_VPN;

    if (is_vpn == (c->type == VNRS_CONNECTION_IPSEC))
        return true;
    struct vnrs_diag *d = loader_error(l, VNRS_V_CONNECTION_TYPE, vnrs_loader_pos(l, &c->type, c->pos),
                                       "connection '%s' of type %s to a gateway of type %s", name_of(c->name),
                                       vnrs_connection_type_names[c->type], vnrs_gateway_type_names[c->gateway->type]);
    vnrs_diag_note(l->diags, d, c->gateway->pos, "the gateway is here");
    vnrs_diag_help(l->diags, d, "connections of this gateway are of type %s", is_vpn ? "IPsec" : "ExpressRoute");
    return false;
}

// What came before and cannot be told apart from this one.
static void check_earlier(struct vnrs_loader *l, const struct vnrs_connection *c)
{
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d;

    for (const struct vnrs_connection *other = l->model->connections.items; other < c; other++) {
        if (other->gateway != c->gateway || !other->site)
            continue;
        if (other->site == c->site) {
            d = loader_error(l, VNRS_V_SITE_TWICE, c->pos, "a second connection of gateway '%s' to site '%s'",
                             name_of(c->gateway->name), name_of(c->site->name));
            vnrs_diag_note(l->diags, d, other->pos, "the first is here");
            return;
        }
        if (c->enable_bgp && other->enable_bgp && c->site->bgp_ip.family &&
            vnrs_addr_equal(&other->site->bgp_ip, &c->site->bgp_ip)) {
            d = loader_error(l, VNRS_V_SITE_BGP_IP_DUPLICATE, vnrs_loader_pos(l, &c->site->bgp_ip, c->site->pos),
                             "sites '%s' and '%s' of gateway '%s' speak BGP from the same address %s",
                             name_of(other->site->name), name_of(c->site->name), name_of(c->gateway->name),
                             vnrs_addr_format(&c->site->bgp_ip, text));
            vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &other->site->bgp_ip, other->site->pos),
                           "the first is here");
            vnrs_diag_help(l->diags, d, "add a 'bgpPeeringAddress' of its own to one of them");
            return;
        }
    }
}

static void check_connection(struct vnrs_loader *l, const struct carrier *carrier, const struct vnrs_connection *c)
{
    if (!c->site || !c->site->machine || !check_type(l, c))
        return;
    check_earlier(l, c);
    check_overlap(l, carrier, c->site);
    check_bgp_ip(l, carrier, c->site);
    check_bgp(l, c);
    if (c->type == VNRS_CONNECTION_IPSEC)
        check_ipsec(l, c);
    else
        check_expressroute(l, carrier, c);
}

void vnrs_validate_connections(struct vnrs_loader *l)
{
    list_foreach (gateway, &l->model->gateways) {
        struct carrier carrier = {0};
        carrier_init(l, &carrier, gateway);
        list_foreach (c, &l->model->connections)
            if (c->gateway == gateway)
                check_connection(l, &carrier, c);
        vnrs_trie_fini(&carrier.ranges);
    }
}
