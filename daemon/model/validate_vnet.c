// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual networks, subnets and peerings. Rules: azure-routing.md sections 4 and 10.
#include "model/loader.h"
#include "model/schema.h"

#include <string.h>

#define PEERINGS_MAX 500u // of one virtual network

static const struct {
    struct vnrs_prefix prefix;
    const char *what;
} forbidden[] = {
    {{VNRS_AF_IPV4, 4, {224}}, "224.0.0.0/4 (multicast)"},
    {{VNRS_AF_IPV4, 32, {255, 255, 255, 255}}, "255.255.255.255/32 (broadcast)"},
    {{VNRS_AF_IPV4, 8, {127}}, "127.0.0.0/8 (loopback)"},
    {{VNRS_AF_IPV4, 16, {169, 254}}, "169.254.0.0/16 (link-local)"},
    {{VNRS_AF_IPV4, 32, {168, 63, 129, 16}}, "168.63.129.16/32 (Azure's platform address)"},
    {{VNRS_AF_IPV6, 10, {0xfe, 0x80}}, "fe80::/10 (link-local)"},
    {{VNRS_AF_IPV6, 8, {0xff}}, "ff00::/8 (multicast)"},
};

static void check_forbidden(struct vnrs_loader *l, const struct vnrs_vnet *vnet, const struct vnrs_prefix *range)
{
    char text[VNRS_PREFIX_STR_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
        if (!vnrs_prefix_overlaps(range, &forbidden[i].prefix))
            continue;
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_FORBIDDEN_RANGE, vnrs_loader_pos(l, range, vnet->pos),
                         "address range %s overlaps %s", vnrs_prefix_format(range, text), forbidden[i].what);
        vnrs_diag_help(l->diags, d, "this range cannot be part of a virtual network");
        return;
    }
}

static void report_space_overlap(struct vnrs_loader *l, const struct vnrs_range *first, const struct vnrs_range *second)
{
    char a[VNRS_PREFIX_STR_MAX], b[VNRS_PREFIX_STR_MAX];
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_SPACE_OVERLAP, second->pos, "address range %s overlaps %s of the same virtual network",
                     vnrs_prefix_format(&second->prefix, a), vnrs_prefix_format(&first->prefix, b));
    vnrs_diag_note(l->diags, d, first->pos, "that range is here");
}

static void report_subnet_overlap(struct vnrs_loader *l, const struct vnrs_range *first,
                                  const struct vnrs_range *second)
{
    char a[VNRS_PREFIX_STR_MAX], b[VNRS_PREFIX_STR_MAX];
    struct vnrs_diag *d = loader_error(l, VNRS_V_SUBNET_OVERLAP, second->pos, "subnet range %s overlaps %s",
                                       vnrs_prefix_format(&second->prefix, a), vnrs_prefix_format(&first->prefix, b));
    if (d)
        d->azure_code = "NetcfgSubnetRangesOverlap";
    vnrs_diag_note(l->diags, d, first->pos, "that range is here");
}

static void check_subnet_size(struct vnrs_loader *l, const struct vnrs_subnet *subnet, const struct vnrs_prefix *prefix)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, prefix, subnet->pos);
    char text[VNRS_PREFIX_STR_MAX];
    struct vnrs_diag *d;

    if (prefix->family == VNRS_AF_IPV6 && prefix->len != 64) {
        d = loader_error(l, VNRS_V_SUBNET6_SIZE, pos, "IPv6 subnet %s is not a /64", vnrs_prefix_format(prefix, text));
        vnrs_diag_help(l->diags, d, "IPv6 subnets are exactly /64 in Azure");
    } else if (prefix->family == VNRS_AF_IPV4 && (prefix->len > 29 || prefix->len < 2)) {
        d = loader_error(l, VNRS_V_SUBNET_SIZE, pos, "subnet %s is too %s", vnrs_prefix_format(prefix, text),
                         prefix->len > 29 ? "small" : "large");
        vnrs_diag_help(l->diags, d, "an IPv4 subnet is /29 at the smallest and /2 at the largest");
    }
}

static void check_subnet_inside(struct vnrs_loader *l, const struct vnrs_vnet *vnet, const struct vnrs_subnet *subnet,
                                const struct vnrs_prefix *prefix)
{
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (range, &vnet->address_space)
        if (vnrs_prefix_contains(range, prefix))
            return;
    if (!vnet->address_space.len)
        return; // reported already
    struct vnrs_diag *d = loader_error(l, VNRS_V_SUBNET_OUTSIDE, vnrs_loader_pos(l, prefix, subnet->pos),
                                       "subnet range %s is outside the address space of '%s'",
                                       vnrs_prefix_format(prefix, text), vnet->name ? vnet->name : "?");
    if (d)
        d->azure_code = "NetcfgSubnetRangeOutsideVnet";
    vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, vnet->address_space.items, vnet->pos), "the address space is here");
}

// Azure's gateways stop working when their own subnet does not get the routes they program.
static void check_gateway_subnet(struct vnrs_loader *l, const struct vnrs_subnet *subnet)
{
    const struct vnrs_route_table *table = subnet->route_table;
    struct vnrs_pos pos = vnrs_loader_pos(l, &subnet->route_table, subnet->pos);
    struct vnrs_diag *d;

    if (table && table->disable_bgp_propagation) {
        d = loader_error(l, VNRS_V_GATEWAY_SUBNET_ROUTES, pos,
                         "route table '%s' of GatewaySubnet disables BGP route propagation", table->name);
        vnrs_diag_help(l->diags, d, "gateways do not work without it");
    }
    list_foreach (prefix, &subnet->prefixes)
        vnrs_check_gateway_coexistence(l, subnet, prefix);
}

static void check_endpoints(struct vnrs_loader *l, const struct vnrs_subnet *subnet)
{
    for (size_t i = 0; i < subnet->service_endpoints.len; i++)
        for (size_t j = 0; j < i; j++)
            if (subnet->service_endpoints.items[i] == subnet->service_endpoints.items[j])
                (void)loader_error(l, VNRS_V_LISTED_TWICE,
                                   vnrs_loader_pos(l, &subnet->service_endpoints.items[i], subnet->pos),
                                   "service endpoint %s is there twice", subnet->service_endpoints.items[i]->name);
}

struct subnet_walk {
    const struct vnrs_vnet *vnet;
    size_t at;
};

static const char *next_subnet(void *arg)
{
    struct subnet_walk *walk = arg;

    while (walk->at < walk->vnet->subnets.len)
        if (walk->vnet->subnets.items[walk->at++].name)
            return walk->vnet->subnets.items[walk->at - 1].name;
    return NULL;
}

void vnrs_note_subnet(struct vnrs_loader *l, struct vnrs_diag *d, const struct vnrs_vnet *vnet, const char *name)
{
    struct subnet_walk walk = {.vnet = vnet};
    const char *meant = vnrs_schema_suggest(name, next_subnet, &walk);

    vnrs_diag_note(l->diags, d, vnet->pos, "the virtual network is here");
    list_foreach (subnet, &vnet->subnets)
        if (meant && subnet->name == meant)
            vnrs_diag_note(l->diags, d, subnet->pos, "this subnet is called '%s'", meant);
}

static size_t count_prefixes(const struct vnrs_vnet *vnet)
{
    size_t n = 0;
    list_foreach (subnet, &vnet->subnets)
        n += subnet->prefixes.len;
    return n;
}

static void check_subnets(struct vnrs_loader *l, const struct vnrs_vnet *vnet)
{
    size_t n = 0;
    struct vnrs_range *ranges = vnrs_arena_alloc(l->scratch, count_prefixes(vnet) * sizeof(*ranges));

    list_foreach (subnet, &vnet->subnets) {
        list_foreach (prefix, &subnet->prefixes) {
            check_subnet_inside(l, vnet, subnet, prefix);
            check_subnet_size(l, subnet, prefix);
            if (ranges)
                ranges[n++] = (struct vnrs_range){*prefix, vnrs_loader_pos(l, prefix, subnet->pos), prefix};
        }
        if (subnet->name && strcmp(subnet->name, "GatewaySubnet") == 0)
            check_gateway_subnet(l, subnet);
        check_endpoints(l, subnet);
    }
    vnrs_ranges_sweep(l, ranges, n, report_subnet_overlap);
}

void vnrs_validate_vnets(struct vnrs_loader *l)
{
    list_foreach (vnet, &l->model->vnets) {
        struct vnrs_range *ranges = vnrs_arena_alloc(l->scratch, vnet->address_space.len * sizeof(*ranges));
        size_t n = 0;
        list_foreach (range, &vnet->address_space) {
            check_forbidden(l, vnet, range);
            if (ranges)
                ranges[n++] = (struct vnrs_range){*range, vnrs_loader_pos(l, range, vnet->pos), range};
        }
        vnrs_ranges_sweep(l, ranges, n, report_space_overlap);
        check_subnets(l, vnet);
    }
}

// `ranges`: those that the other network has, or those that are in force here. True: nothing overlaps.
static bool check_peered_overlap(struct vnrs_loader *l, const struct vnrs_peering *p, const vnrs_prefix_list *ranges)
{
    char a[VNRS_PREFIX_STR_MAX], b[VNRS_PREFIX_STR_MAX];

    list_foreach (here, &p->vnet->address_space) {
        list_foreach (there, ranges) {
            if (!vnrs_prefix_overlaps(here, there))
                continue;
            struct vnrs_diag *d = loader_error(
                l, VNRS_V_PEERED_OVERLAP, p->pos, "virtual networks '%s' and '%s' are peered but %s overlaps %s",
                p->vnet->name, p->remote->name, vnrs_prefix_format(here, a), vnrs_prefix_format(there, b));
            if (d)
                d->azure_code = "VnetAddressSpacesOverlap";
            vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, there, p->remote->pos), "address space of '%s' is here",
                           p->remote->name);
            vnrs_diag_help(l->diags, d, "peered virtual networks need disjoint address spaces");
            return false; // once per pair of networks is enough
        }
    }
    return true;
}

static void check_remote_gateways(struct vnrs_loader *l, const struct vnrs_peering *p)
{
    const struct vnrs_model *m = l->model;
    struct vnrs_diag *d;

    list_foreach (q, &m->peerings) {
        if (q >= p || q->vnet != p->vnet || !q->use_remote_gateways)
            continue;
        d = loader_error(l, VNRS_V_TWO_REMOTE_GATEWAYS, p->pos, "virtual network '%s' uses two remote gateways",
                         p->vnet->name);
        vnrs_diag_note(l->diags, d, q->pos, "the first is here");
        vnrs_diag_help(l->diags, d, "'useRemoteGateways' is possible on one peering of a virtual network");
        break;
    }
    if (vnrs_model_is_hub(m, p->vnet)) {
        d = loader_error(l, VNRS_V_OWN_GATEWAY, p->pos,
                         "virtual network '%s' has a gateway or Route Server and uses remote gateways", p->vnet->name);
        vnrs_diag_help(l->diags, d,
                       "'useRemoteGateways' is for networks without a gateway or Route Server of their own");
    }
    if (p->other && !p->other->allow_gateway_transit) {
        d = loader_error(l, VNRS_V_TRANSIT_NOT_ALLOWED, p->pos,
                         "peering '%s' to '%s' uses remote gateways, but the other direction does not allow gateway "
                         "transit",
                         p->vnet->name, p->remote->name);
        vnrs_diag_note(l->diags, d, p->other->pos, "the other direction is here");
        vnrs_diag_help(l->diags, d, "add 'allowGatewayTransit: true' there");
    } else if (!vnrs_model_is_hub(m, p->remote) && !p->unverified) {
        d = loader_error(l, VNRS_V_NO_REMOTE_GATEWAY, p->pos, "virtual network '%s' has no gateway and no Route Server",
                         p->remote->name);
        vnrs_diag_help(l->diags, d, "'useRemoteGateways' needs one on the other side");
    }
}

// The opposite direction is in the file, connected or not.
static bool has_other_half(const struct vnrs_model *m, const struct vnrs_peering *p)
{
    list_foreach (q, &m->peerings)
        if (q->vnet == p->remote && q->remote == p->vnet)
            return true;
    return false;
}

static void check_peering(struct vnrs_loader *l, const struct vnrs_peering *p)
{
    struct vnrs_diag *d;

    if (p->vnet == p->remote) {
        (void)loader_error(l, VNRS_V_PEERED_WITH_ITSELF, p->pos, "virtual network '%s' is peered with itself",
                           p->vnet->name);
        return;
    }
    list_foreach (q, &l->model->peerings) {
        if (q >= p || q->vnet != p->vnet || q->remote != p->remote)
            continue;
        d = loader_error(l, VNRS_V_DUPLICATE_PEERING, p->pos, "a second peering from '%s' to '%s'", p->vnet->name,
                         p->remote->name);
        vnrs_diag_note(l->diags, d, q->pos, "the first is here");
        return;
    }
    if (p->disconnected) {
        d = loader_warning(l, VNRS_V_PEERING_DISCONNECTED, p->pos, "peering '%s' to '%s' is Disconnected",
                           p->vnet->name, p->remote->name);
        vnrs_diag_help(l->diags, d, "nothing passes until both directions are made anew: leave 'peeringState' out");
    } else if (!p->other && !has_other_half(l->model, p)) {
        d = loader_warning(l, VNRS_V_HALF_OPEN_PEERING, p->pos,
                           "half-open peering: '%s' to '%s' is there, the other direction is not", p->vnet->name,
                           p->remote->name);
        vnrs_diag_help(l->diags, d, "nothing passes while the peering is Initiated; both directions make it Connected");
    }
    bool apart = (p->other && p > p->other) || check_peered_overlap(l, p, &p->remote->address_space);
    if (apart && p->remote_space.items != p->remote->address_space.items)
        (void)check_peered_overlap(l, p, &p->remote_space);
    if (p->use_remote_gateways)
        check_remote_gateways(l, p);
}

static void report_hub_overlap(struct vnrs_loader *l, const struct vnrs_range *first, const struct vnrs_range *second)
{
    const struct vnrs_peering *a = first->owner, *b = second->owner;
    char x[VNRS_PREFIX_STR_MAX], y[VNRS_PREFIX_STR_MAX];
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_HUB_OVERLAP, second->pos, "'%s' is peered with both '%s' and '%s', but %s overlaps %s",
                     a->vnet->name, a->remote->name, b->remote->name, vnrs_prefix_format(&first->prefix, x),
                     vnrs_prefix_format(&second->prefix, y));
    if (d)
        d->azure_code = "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet";
    vnrs_diag_note(l->diags, d, first->pos, "the peering with '%s' is here", a->remote->name);
    vnrs_diag_help(l->diags, d, "networks peered with the same network need disjoint address spaces");
}

// The same two networks in the same direction came before.
static bool is_repeated(const struct vnrs_model *m, const struct vnrs_peering *p)
{
    list_foreach (q, &m->peerings)
        if (q < p && q->vnet == p->vnet && q->remote == p->remote)
            return true;
    return false;
}

// All networks peered with one must be disjoint, or its routes would be ambiguous.
static void check_hub(struct vnrs_loader *l, const struct vnrs_vnet *vnet)
{
    VEC(struct vnrs_range) ranges = {0};
    size_t n = 0;

    list_foreach (p, &l->model->peerings) {
        if (p->vnet != vnet || !p->remote || p->remote == vnet || is_repeated(l->model, p))
            continue;
        n++;
        list_foreach (range, &p->remote_space)
            if (vec_push(&ranges, (struct vnrs_range){*range, p->pos, p}) < 0)
                l->diags->failed = true;
    }
    vnrs_ranges_sweep(l, ranges.items, ranges.len, report_hub_overlap);
    vec_free(&ranges);
    vnrs_report_count(l, vnet->pos, "peerings of one virtual network", n, PEERINGS_MAX);
}

void vnrs_validate_peerings(struct vnrs_loader *l)
{
    list_foreach (p, &l->model->peerings)
        if (p->vnet && p->remote)
            check_peering(l, p);
    list_foreach (vnet, &l->model->vnets)
        check_hub(l, vnet);
}
