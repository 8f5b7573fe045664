// SPDX-License-Identifier: GPL-2.0-or-later
// Route Servers and their BGP connections. Rules: azure-routing.md sections 5.1 to 5.3.
#include "model/loader.h"

#include <string.h>

#define PEERS_MAX     8u
#define VNETS_MAX     500u
#define PREFIXES_MAX  10000u
#define MACHINES_MAX  4000u // with the least capacity
#define UNIT_MACHINES 1000u // more with each other unit

// With `dataplane: none` the instances live on addresses that the host has.
static bool is_placed_by_us(const struct vnrs_model *m)
{
    return m->dataplane != VNRS_DATAPLANE_NONE;
}

static void check_subnet_size(struct vnrs_loader *l, const struct vnrs_route_server *rs)
{
    const struct vnrs_prefix *v4 = NULL;
    char text[VNRS_PREFIX_STR_MAX];
    struct vnrs_diag *d;

    list_foreach (prefix, &rs->subnet->prefixes)
        if (prefix->family == VNRS_AF_IPV4 && !v4)
            v4 = prefix;
    if (!rs->subnet->prefixes.len)
        return; // reported already
    unsigned longest = l->model->limits == VNRS_LIMITS_AZURE ? 27 : 29;
    if (!v4 || v4->len > longest) {
        d = loader_error(l, VNRS_V_RS_SUBNET_SMALL, v4 ? vnrs_loader_pos(l, v4, rs->subnet->pos) : rs->subnet->pos,
                         v4 ? "RouteServerSubnet %s is too small" : "RouteServerSubnet has no IPv4 range%s",
                         v4 ? vnrs_prefix_format(v4, text) : "");
        vnrs_diag_help(l->diags, d, "Azure wants /26 or larger");
    } else if (v4->len == 27 && l->model->limits == VNRS_LIMITS_AZURE) {
        d = loader_warning(l, VNRS_V_RS_SUBNET_27, vnrs_loader_pos(l, v4, rs->subnet->pos),
                           "RouteServerSubnet %s is smaller than /26", vnrs_prefix_format(v4, text));
        vnrs_diag_help(l->diags, d, "Azure took /27 until 2024 and wants /26 now");
    }
}

static void check_subnet(struct vnrs_loader *l, const struct vnrs_route_server *rs)
{
    struct vnrs_diag *d;

    if (!rs->subnet) {
        if (!is_placed_by_us(l->model) && rs->ips[0].family)
            return;
        d = loader_error(l, VNRS_V_RS_SUBNET_MISSING, rs->pos, "virtual network '%s' has no RouteServerSubnet",
                         rs->vnet->name);
        vnrs_note_subnet(l, d, rs->vnet, "RouteServerSubnet");
        vnrs_diag_help(l->diags, d, "a Route Server is placed in a subnet named RouteServerSubnet, /26 or larger");
        return;
    }
    check_subnet_size(l, rs);
    if (rs->subnet->route_table) {
        d = loader_error(l, VNRS_V_RS_SUBNET_ROUTES, vnrs_loader_pos(l, &rs->subnet->route_table, rs->subnet->pos),
                         "RouteServerSubnet with route table '%s'", rs->subnet->route_table->name);
        vnrs_diag_help(l->diags, d, "user-defined routes are not possible there");
    }
    list_foreach (range, &rs->vnet->address_space) {
        if (range->family != VNRS_AF_IPV6)
            continue;
        d = loader_warning(l, VNRS_V_RS_DUAL_STACK, vnrs_loader_pos(l, range, rs->vnet->pos),
                           "virtual network '%s' with a Route Server has IPv6", rs->vnet->name);
        vnrs_diag_help(l->diags, d, "Azure does not support it; routes are exchanged for IPv4 only");
        break;
    }
}

static const char *instance_problem(const struct vnrs_route_server *rs, const struct vnrs_addr *ip)
{
    list_foreach (prefix, &rs->subnet->prefixes) {
        struct vnrs_addr base = vnrs_prefix_addr(prefix), last = vnrs_prefix_last(prefix);
        struct vnrs_addr first = vnrs_addr_add(&base, 4);
        if (!vnrs_prefix_contains_addr(prefix, ip))
            continue;
        return vnrs_addr_cmp(ip, &first) < 0 || vnrs_addr_equal(ip, &last) ? "is one of the five that Azure keeps"
                                                                           : NULL;
    }
    return "is outside RouteServerSubnet";
}

static void check_instances(struct vnrs_loader *l, const struct vnrs_route_server *rs)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, &rs->ips[1], rs->pos);
    char text[VNRS_ADDR_STR_MAX];

    if (rs->ips[1].family && vnrs_addr_equal(&rs->ips[0], &rs->ips[1]))
        (void)loader_error(l, VNRS_V_RS_INSTANCE_IPS, pos, "both instances of Route Server '%s' have address %s",
                           rs->name ? rs->name : "?", vnrs_addr_format(&rs->ips[0], text));
    for (unsigned i = 0; i < VNRS_RS_INSTANCES && rs->subnet && rs->subnet->prefixes.len && is_placed_by_us(l->model);
         i++) {
        const char *problem = rs->ips[i].family ? instance_problem(rs, &rs->ips[i]) : NULL;
        if (problem)
            (void)loader_error(l, VNRS_V_RS_INSTANCE_IPS, vnrs_loader_pos(l, &rs->ips[i], rs->pos),
                               "instance address %s %s", vnrs_addr_format(&rs->ips[i], text), problem);
    }
}

static const char *peer_problem(const struct vnrs_model *m, const struct vnrs_route_server *rs,
                                const struct vnrs_addr *ip)
{
    if (ip->family != VNRS_AF_IPV4)
        return "is not an IPv4 address";
    for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++)
        if (vnrs_addr_equal(&rs->ips[i], ip))
            return "is the Route Server itself";
    if (!vnrs_vnet_reach(m, rs->vnet, ip))
        return "is neither in the Route Server's virtual network nor in one peered with it directly";
    if (rs->subnet)
        list_foreach (prefix, &rs->subnet->prefixes)
            if (vnrs_prefix_contains_addr(prefix, ip))
                return "is in RouteServerSubnet";
    return NULL;
}

// The connection and the machine at its other end.
static void check_peer_machine(struct vnrs_loader *l, const struct vnrs_bgp_connection *c)
{
    const struct vnrs_machine *machine = c->nic ? c->nic->machine : NULL;
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d;

    (void)vnrs_addr_format(&c->peer_ip, text);
    if (!machine) {
        if (l->model->dataplane == VNRS_DATAPLANE_NONE)
            return; // peers outside the file are the rule there
        d = loader_warning(l, VNRS_V_PEER_NOT_RUNNING, vnrs_loader_pos(l, &c->peer_ip, c->pos),
                           "no machine has peer address %s", text);
        vnrs_diag_help(l->diags, d, "the session will not come up");
    } else if (machine->run.kind == VNRS_RUN_NONE && !machine->run.pos.line && machine->netns == VNRS_NETNS_OURS) {
        d = loader_warning(l, VNRS_V_PEER_NOT_RUNNING, vnrs_loader_pos(l, &c->peer_ip, c->pos),
                           "peer %s is '%s', which runs no BGP daemon", text, c->nic->name);
        vnrs_diag_note(l->diags, d, machine->pos, "the machine is here");
        vnrs_diag_help(l->diags, d, "give it 'run: {kind: frr, asn: %u}', or start one there", c->peer_asn);
    } else if (machine->run.asn && c->peer_asn && machine->run.asn != c->peer_asn) {
        d = loader_error(l, VNRS_V_PEER_ASN_MISMATCH, vnrs_loader_pos(l, &c->peer_asn, c->pos),
                         "peer ASN %u, but '%s' runs with ASN %u", c->peer_asn, machine->name, machine->run.asn);
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &machine->run.asn, machine->pos), "the machine's ASN is here");
    }
}

static void check_protection(struct vnrs_loader *l, const struct vnrs_bgp_connection *c)
{
    struct vnrs_diag *d;

    vnrs_check_password(l, &c->password, c->pos, "BGP connection", c->name);
    if (c->ttl_security_hops == 1 && l->model->dataplane == VNRS_DATAPLANE_KERNEL) {
        d = loader_warning(l, VNRS_V_TTL_SECURITY, vnrs_loader_pos(l, &c->ttl_security_hops, c->pos),
                           "packets of BGP connection '%s' come from more than one hop away", c->name);
        vnrs_diag_help(l->diags, d, "with 'dataplane: kernel' the fabric decrements the TTL: 2, or 'dataplane: ebpf'");
    }
}

static bool has_subnet(const struct vnrs_route_server *rs, const struct vnrs_addr *addr)
{
    list_foreach (subnet, &rs->vnet->subnets)
        list_foreach (prefix, &subnet->prefixes)
            if (vnrs_prefix_contains_addr(prefix, addr))
                return true;
    return false;
}

static void check_bfd(struct vnrs_loader *l, const struct vnrs_route_server *rs, const struct vnrs_bgp_connection *c)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, &c->bfd, c->pos);

    if (!c->bfd.on)
        return;
    // Where the instances' subnet is not in the file nobody can tell.
    if (!c->bfd.multihop && c->peer_ip.family && has_subnet(rs, &rs->ips[0]) &&
        !vnrs_route_server_is_beside(rs, &c->peer_ip)) {
        struct vnrs_diag *d = loader_error(
            l, VNRS_V_BFD, pos, "BFD over a single hop with '%s', which is in another subnet", c->name ? c->name : "?");
        vnrs_diag_help(l->diags, d, "leave 'multihop' away, or 'multihop: true' (RFC 5883)");
    }
    vnrs_check_bfd(l, &c->bfd, pos, &c->timers, c->nic ? c->nic->machine : NULL);
}

static void check_connection(struct vnrs_loader *l, const struct vnrs_route_server *rs,
                             const struct vnrs_bgp_connection *c)
{
    const char *who = c->peer_asn ? vnrs_asn_reservation(l->model, c->peer_asn) : NULL;
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d;

    if (who) {
        d = loader_error(l, VNRS_V_PEER_ASN_RESERVED, vnrs_loader_pos(l, &c->peer_asn, c->pos), "peer ASN %u is %s",
                         c->peer_asn, who);
        vnrs_diag_help(l->diags, d, "private ASNs for peers: 64512 to 65514 and 65521 to 65534");
    }
    check_protection(l, c);
    check_bfd(l, rs, c);
    if (!c->peer_ip.family)
        return;
    (void)vnrs_addr_format(&c->peer_ip, text);
    list_foreach (other, &rs->connections) {
        if (other >= c || !vnrs_addr_equal(&other->peer_ip, &c->peer_ip))
            continue;
        d = loader_error(l, VNRS_V_PEER_DUPLICATE, vnrs_loader_pos(l, &c->peer_ip, c->pos), "a second peer with %s",
                         text);
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &other->peer_ip, other->pos), "the first is here");
        return;
    }
    const char *problem = peer_problem(l->model, rs, &c->peer_ip);
    if (problem) {
        d = loader_error(l, VNRS_V_PEER_UNREACHABLE, vnrs_loader_pos(l, &c->peer_ip, c->pos), "peer %s %s", text,
                         problem);
        vnrs_diag_help(l->diags, d, "a peer is an NVA in the same virtual network or in one peered with it directly");
        return;
    }
    if (c->nic && c->nic->machine->role != VNRS_MACHINE_USER) {
        d = loader_error(l, VNRS_V_PEER_UNREACHABLE, vnrs_loader_pos(l, &c->peer_ip, c->pos), "peer %s is '%s'", text,
                         c->nic->machine->name);
        vnrs_diag_help(l->diags, d, "a Route Server and gateways of its virtual network are peers without being told");
        return;
    }
    check_peer_machine(l, c);
}

struct served {
    size_t n_vnets, n_prefixes;
};

// How much each Route Server serves.
static void check_served(struct vnrs_loader *l)
{
    const struct vnrs_model *m = l->model;
    struct served *served = vnrs_arena_alloc(l->scratch, m->route_servers.len * sizeof(*served));

    if (!served) {
        l->diags->failed = true;
        return;
    }
    list_foreach (vnet, &m->vnets) {
        const struct vnrs_route_server *rs = vnrs_model_route_server_of(m, vnet);
        if (!rs)
            continue;
        served[rs - m->route_servers.items].n_vnets++;
        served[rs - m->route_servers.items].n_prefixes += vnet->address_space.len;
    }
    list_foreach (rs, &m->route_servers) {
        const struct served *s = &served[rs - m->route_servers.items];
        vnrs_report_count(l, rs->pos, "virtual networks served by one Route Server", s->n_vnets, VNETS_MAX);
        vnrs_report_count(l, rs->pos, "machines served by one Route Server", vnrs_model_served_machines(m, rs),
                          MACHINES_MAX + (rs->min_capacity - VNRS_RS_UNITS_MIN) * UNIT_MACHINES);
        vnrs_report_count(l, rs->pos, "ranges of networks served by one Route Server", s->n_prefixes, PREFIXES_MAX);
    }
}

static bool is_instance(const struct vnrs_route_server *rs, const struct vnrs_addr *addr)
{
    return vnrs_addr_equal(&rs->ips[0], addr) || vnrs_addr_equal(&rs->ips[1], addr);
}

static void check_station(struct vnrs_loader *l, const struct vnrs_route_server *rs,
                          const struct vnrs_bmp_target *target)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, &target->station, target->pos);
    char text[VNRS_ADDR_STR_MAX];

    if (!target->station.family) // reported already
        return;
    if (is_instance(rs, &target->station))
        (void)loader_error(l, VNRS_V_BMP_STATION, pos, "%s is the Route Server itself",
                           vnrs_addr_format(&target->station, text));
    list_foreach (other, &rs->bmp) {
        if (other >= target || other->port != target->port || !vnrs_addr_equal(&other->station, &target->station))
            continue;
        struct vnrs_diag *d = loader_error(l, VNRS_V_BMP_STATION, pos, "BMP station %s port %u is there twice",
                                           vnrs_addr_format(&target->station, text), target->port);
        vnrs_diag_note(l->diags, d, other->pos, "the first is here");
        break;
    }
}

void vnrs_validate_route_servers(struct vnrs_loader *l)
{
    list_foreach (rs, &l->model->route_servers) {
        if (!rs->vnet)
            continue;
        list_foreach (other, &l->model->route_servers) {
            if (other >= rs || other->vnet != rs->vnet)
                continue;
            struct vnrs_diag *d = loader_error(l, VNRS_V_RS_SECOND, rs->pos,
                                               "a second Route Server in virtual network '%s'", rs->vnet->name);
            vnrs_diag_note(l->diags, d, other->pos, "the first is here");
            break;
        }
        check_subnet(l, rs);
        check_instances(l, rs);
        list_foreach (c, &rs->connections)
            check_connection(l, rs, c);
        list_foreach (target, &rs->bmp)
            check_station(l, rs, target);
        struct vnrs_diag *d =
            vnrs_report_count(l, rs->pos, "BGP connections of one Route Server", rs->connections.len, PEERS_MAX);
        if (d)
            d->azure_code = "MaximumLocalNetworkSitesLimitReachedForGateway";
    }
    check_served(l);
}
