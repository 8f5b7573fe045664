// SPDX-License-Identifier: GPL-2.0-or-later
// Sites, and the public addresses of sites and gateways. Rules: azure-routing.md sections 5.2 and 6.1.
#include "model/loader.h"
#include "net/trie.h"

#include <string.h>

#define PLACE_LEN_MIN 8u

static const char *name_of(const char *name)
{
    return name ? name : "?";
}

// ---- a site by itself

static void check_prefixes(struct vnrs_loader *l, const struct vnrs_site *site)
{
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (prefix, &site->prefixes) {
        struct vnrs_pos pos = vnrs_loader_pos(l, prefix, site->pos);
        if (prefix->family == VNRS_AF_IPV6) {
            struct vnrs_diag *d = loader_error(l, VNRS_V_SITE_IPV6, pos, "IPv6 range %s of site '%s'",
                                               vnrs_prefix_format(prefix, text), name_of(site->name));
            vnrs_diag_help(l->diags, d, "gateways carry IPv4 here");
        }
        list_foreach (other, &site->prefixes) {
            if (other >= prefix || !vnrs_prefix_equal(other, prefix))
                continue;
            (void)loader_error(l, VNRS_V_LISTED_TWICE, pos, "%s is there twice", vnrs_prefix_format(prefix, text));
            break;
        }
    }
}

static const char *bgp_ip_problem(const struct vnrs_site *site)
{
    static const struct vnrs_prefix link_local = {VNRS_AF_IPV4, 16, {169, 254}};

    if (site->bgp_ip.family != VNRS_AF_IPV4)
        return "is not an IPv4 address";
    if (vnrs_prefix_contains_addr(&link_local, &site->bgp_ip) && !vnrs_is_gateway_apipa(&site->bgp_ip))
        return "is link-local, but not one of 169.254.21.0 to 169.254.22.255";
    if (vnrs_addr_equal(&site->bgp_ip, &site->public_ip))
        return "is its public address, too";
    list_foreach (host, &site->machine->hosts)
        if (vnrs_addr_equal(&site->bgp_ip, &host->ip))
            return "is that of a host";
    return NULL;
}

static void check_bgp_ip(struct vnrs_loader *l, const struct vnrs_site *site)
{
    const char *problem = site->bgp_ip.family ? bgp_ip_problem(site) : NULL;
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d;

    if (!site->bgp_ip.family && !site->prefixes.len) {
        d = loader_error(l, VNRS_V_SITE_NO_PREFIX, site->pos, "site '%s' has no range and no address",
                         name_of(site->name));
        vnrs_diag_help(l->diags, d, "add 'addressPrefixes' or 'bgpPeeringAddress'");
    } else if (problem) {
        d = loader_error(l, VNRS_V_SITE_BGP_IP, vnrs_loader_pos(l, &site->bgp_ip, site->pos),
                         "address %s of the router of site '%s' %s", vnrs_addr_format(&site->bgp_ip, text),
                         name_of(site->name), problem);
        vnrs_diag_help(l->diags, d,
                       "'bgpPeeringAddress' is the router's own address, the first one of the first "
                       "range where absent");
    }
}

static void check_hosts(struct vnrs_loader *l, const struct vnrs_site *site)
{
    char text[VNRS_ADDR_STR_MAX];

    list_foreach (host, &site->machine->hosts) {
        bool inside = !site->prefixes.len;
        list_foreach (prefix, &site->prefixes)
            inside |= vnrs_prefix_contains_addr(prefix, &host->ip);
        list_foreach (a, &site->machine->run.announce)
            inside |= a->prefix.family && vnrs_prefix_contains_addr(&a->prefix, &host->ip);
        if (inside)
            continue;
        struct vnrs_diag *d = loader_error(l, VNRS_V_HOST_OUTSIDE, vnrs_loader_pos(l, &host->ip, host->pos),
                                           "host '%s' at %s is outside the ranges of site '%s'", host->name,
                                           vnrs_addr_format(&host->ip, text), name_of(site->name));
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, site->prefixes.items, site->pos), "the ranges are here");
    }
}

static void check_asn(struct vnrs_loader *l, const struct vnrs_site *site)
{
    const struct vnrs_run *run = &site->machine->run;
    struct vnrs_pos pos = vnrs_loader_pos(l, &site->asn, site->pos);
    const char *who = !site->asn                 ? NULL
                      : site->asn == VNRS_RS_ASN ? "the gateways' own"
                                                 : vnrs_asn_reservation(l->model, site->asn);
    struct vnrs_diag *d;

    if (who) {
        d = loader_error(l, VNRS_V_SITE_ASN_RESERVED, pos, "ASN %u of site '%s' is %s", site->asn, name_of(site->name),
                         who);
        vnrs_diag_help(l->diags, d, "private ASNs for sites: 64512 to 65514 and 65521 to 65534");
    }
    if (site->asn && run->asn && run->asn != site->asn) {
        d = loader_error(l, VNRS_V_PEER_ASN_MISMATCH, vnrs_loader_pos(l, &run->asn, run->pos),
                         "the router of site '%s' runs with ASN %u, but the site has ASN %u", name_of(site->name),
                         run->asn, site->asn);
        vnrs_diag_note(l->diags, d, pos, "the site's ASN is here");
    }
    bool speaks = run->kind != VNRS_RUN_NONE && run->kind != VNRS_RUN_EXEC;
    if (speaks && !run->asn && !run->config) {
        d = loader_error(l, VNRS_V_RUN_NO_ASN, run->pos, "the router of site '%s' runs BGP without an ASN",
                         name_of(site->name));
        vnrs_diag_help(l->diags, d, "add 'asn' to the site");
    }
}

// Others speak BGP and leave the kernel without what they learn.
static void check_daemon(struct vnrs_loader *l, const struct vnrs_site *site)
{
    const struct vnrs_run *run = &site->machine->run;

    if (run->config || (run->kind != VNRS_RUN_GOBGP && run->kind != VNRS_RUN_EXABGP && run->kind != VNRS_RUN_OPENBGPD))
        return;
    struct vnrs_diag *d = loader_error(l, VNRS_V_SITE_DAEMON, run->pos, "the router of site '%s' runs %s",
                                       name_of(site->name), vnrs_run_kind_names[run->kind]);
    vnrs_diag_help(l->diags, d, "a site forwards by what it learns: frr or bird, or a configuration of your own");
}

static bool has_bgp(const struct vnrs_connection *c)
{
    return c->type == VNRS_CONNECTION_EXPRESSROUTE || c->enable_bgp;
}

static void check_use(struct vnrs_loader *l, const struct vnrs_site *site)
{
    const struct vnrs_run *run = &site->machine->run;
    bool is_used = false, is_peer = false;

    list_foreach (c, &l->model->connections) {
        is_used |= c->site == site;
        is_peer |= c->site == site && has_bgp(c);
    }
    if (!is_used && site->name)
        (void)loader_warning(l, VNRS_V_SITE_UNUSED, site->pos, "no connection leads to site '%s'", site->name);
    else if (!is_peer && run->kind != VNRS_RUN_NONE && run->kind != VNRS_RUN_EXEC)
        (void)loader_warning(l, VNRS_V_RUN_NO_PEER, run->pos, "'%s' runs BGP, but no connection to it has BGP",
                             name_of(site->name));
}

static void check_site(struct vnrs_loader *l, const struct vnrs_site *site)
{
    check_prefixes(l, site);
    check_bgp_ip(l, site);
    check_hosts(l, site);
    check_asn(l, site);
    check_daemon(l, site);
    check_use(l, site);
}

// ---- public addresses

struct publics {
    struct vnrs_map seen;    // address → struct holder
    struct vnrs_trie places; // what a public address must not be inside; values: struct vnrs_range
};

struct holder {
    const char *name;
    struct vnrs_pos pos;
};

static void add_place(struct vnrs_loader *l, struct publics *p, const struct vnrs_prefix *prefix, struct vnrs_pos pos,
                      const char *name)
{
    struct vnrs_range *range = vnrs_arena_alloc(l->scratch, sizeof(*range));

    l->diags->failed |= !range;
    // Parts of a default route are no place.
    if (!range || !prefix->family || prefix->len < PLACE_LEN_MIN)
        return;
    *range = (struct vnrs_range){.prefix = *prefix, .pos = vnrs_loader_pos(l, prefix, pos), .owner = name_of(name)};
    if (vnrs_trie_put(&p->places, prefix, range) < 0)
        l->diags->failed = true;
}

static void hold(struct vnrs_loader *l, struct publics *p, const struct vnrs_addr *addr, struct vnrs_pos pos,
                 const char *name)
{
    struct holder *holder = vnrs_arena_alloc(l->scratch, sizeof(*holder));

    if (holder)
        *holder = (struct holder){.name = name, .pos = pos};
    if (!holder || vnrs_map_put(&p->seen, addr, sizeof(*addr), holder) < 0)
        l->diags->failed = true;
}

static void check_public(struct vnrs_loader *l, struct publics *p, const struct vnrs_addr *addr, struct vnrs_pos pos,
                         const char *name)
{
    const struct holder *other = vnrs_map_find(&p->seen, addr, sizeof(*addr));
    const struct vnrs_range *place = addr->family ? vnrs_trie_match(&p->places, addr, NULL) : NULL;
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d;

    if (!addr->family)
        return;
    pos = vnrs_loader_pos(l, addr, pos);
    (void)vnrs_addr_format(addr, text);
    if (addr->family != VNRS_AF_IPV4) {
        d = loader_error(l, VNRS_V_PUBLIC_IP, pos, "public address %s of '%s' is not an IPv4 address", text, name);
        vnrs_diag_help(l->diags, d, "tunnels run over IPv4");
    } else if (other) {
        d = loader_error(l, VNRS_V_PUBLIC_IP_DUPLICATE, pos, "public address %s of '%s' is taken", text, name);
        vnrs_diag_note(l->diags, d, other->pos, "by '%s'", other->name);
    } else if (place) {
        d = loader_error(l, VNRS_V_PUBLIC_IP, pos, "public address %s of '%s' is inside '%s'", text, name,
                         (const char *)place->owner);
        vnrs_diag_note(l->diags, d, place->pos, "that range is here");
        vnrs_diag_help(l->diags, d, "packets of tunnels would not leave that range");
    }
    if (!other)
        hold(l, p, addr, pos, name);
}

static void check_publics(struct vnrs_loader *l)
{
    const struct vnrs_model *m = l->model;
    struct publics p = {0};

    list_foreach (vnet, &m->vnets)
        list_foreach (prefix, &vnet->address_space)
            add_place(l, &p, prefix, vnet->pos, vnet->name);
    list_foreach (service, &m->services)
        list_foreach (prefix, &service->prefixes)
            add_place(l, &p, prefix, service->pos, service->name);
    list_foreach (site, &m->sites)
        list_foreach (prefix, &site->prefixes)
            add_place(l, &p, prefix, site->pos, site->name);
    list_foreach (host, &m->internet.hosts)
        if (!vnrs_map_find(&p.seen, &host->ip, sizeof(host->ip)))
            hold(l, &p, &host->ip, vnrs_loader_pos(l, &host->ip, host->pos), host->name);
    list_foreach (gateway, &m->gateways)
        for (unsigned i = 0; i < gateway->n_instances; i++)
            check_public(l, &p, &gateway->instances[i].public_ip, gateway->pos, name_of(gateway->name));
    list_foreach (site, &m->sites)
        check_public(l, &p, &site->public_ip, site->pos, name_of(site->name));
    vnrs_map_fini(&p.seen);
    vnrs_trie_fini(&p.places);
}

void vnrs_validate_sites(struct vnrs_loader *l)
{
    list_foreach (site, &l->model->sites)
        if (site->machine)
            check_site(l, site);
    check_publics(l);
}
