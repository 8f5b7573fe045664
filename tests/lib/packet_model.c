// SPDX-License-Identifier: GPL-2.0-or-later
#include "packet_model.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#define ETH 14u

static const uint8_t fabric_mac[6] = VNRS_FABRIC_MAC;

// ---- who may reach whom

// A connected peering by which packets may go from `from` to `to`: half of `to` about `from`, NULL: none.
static const struct vnrs_peering *peering_of(const struct pm_world *w, const struct vnrs_vnet *to,
                                             const struct vnrs_vnet *from)
{
    list_foreach (p, &w->model->peerings) {
        if (p->vnet == to && p->remote == from && p->other)
            return p;
    }
    return NULL;
}

// Packets cross a peering only where both halves have allowVirtualNetworkAccess (azure-routing.md 4.1, 14.11).
static bool has_access(const struct pm_world *w, const struct vnrs_vnet *from, const struct vnrs_vnet *to)
{
    const struct vnrs_peering *half = peering_of(w, from, to);

    return half &&
           (w->model->peering_flags == VNRS_PEERING_FLAGS_TAG || (half->allow_access && half->other->allow_access));
}

// allowForwardedTraffic of the receiving network's half (azure-routing.md 4.1): without it only what is from a NIC of
// the peered network itself comes in.
static bool is_let_in(const struct pm_world *w, const struct vnrs_vnet *from, const struct vnrs_vnet *to,
                      const struct vnrs_addr *src)
{
    const struct vnrs_peering *half = peering_of(w, to, from);

    return !from || !to || from == to || (half && half->allow_forwarded) ||
           (half && w->model->peering_flags == VNRS_PEERING_FLAGS_TAG) || pm_owner(w, from, src);
}

// The NIC that a next hop address means to senders in `vnet`: there, or in a peered network (azure-routing.md 3.1).
static const struct pm_port *find_nexthop(const struct pm_world *w, const struct vnrs_vnet *vnet,
                                          const struct vnrs_addr *addr)
{
    const struct pm_port *own = pm_owner(w, vnet, addr);

    if (own && own->kind == PM_MACHINE)
        return own;
    vec_foreach (port, &w->ports) {
        if (port->kind == PM_MACHINE && port->vnet != vnet && pm_has_addr(port, addr) &&
            has_access(w, vnet, port->vnet))
            return port;
    }
    return NULL;
}

// The load balancer that a next hop address means, likewise (azure-routing.md 5.5).
static const struct vnrs_balancer *find_balancer(const struct pm_world *w, const struct vnrs_vnet *vnet,
                                                 const struct vnrs_addr *addr)
{
    const struct vnrs_balancer *found = NULL;

    list_foreach (lb, &w->model->balancers) {
        const struct vnrs_vnet *its = lb->subnet->vnet;
        if (vnrs_addr_equal(&lb->frontend, addr) && (its == vnet || (!found && has_access(w, vnet, its))))
            found = lb;
    }
    return found;
}

static bool is_out(const struct pm_world *w, const struct vnrs_nic *nic)
{
    for (size_t i = 0; i < w->n_out; i++) {
        list_foreach (ip, &nic->ips) {
            if (vnrs_addr_equal(ip, &w->out[i]))
                return true;
        }
    }
    return false;
}

// ---- reading a packet

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static struct vnrs_addr get_addr(uint8_t family, const uint8_t *at)
{
    struct vnrs_addr addr = {.family = family};

    memcpy(addr.bytes, at, family == VNRS_AF_IPV4 ? 4 : 16);
    return addr;
}

// RFC 791.
static bool read_ipv4(const uint8_t *ip, size_t room, struct pm_packet *p)
{
    if (room < 20 || ip[0] >> 4 != 4)
        return false;
    unsigned fragment = get16(ip + 6);
    *p = (struct pm_packet){.family = VNRS_AF_IPV4,
                            .protocol = ip[9],
                            .fragment = fragment & 0x3fff,
                            .later_fragment = fragment & 0x1fff,
                            .dont_fragment = fragment & 0x4000,
                            .header = 20,
                            .l4 = (ip[0] & 15u) * 4,
                            .len = get16(ip + 2),
                            .src = get_addr(VNRS_AF_IPV4, ip + 12),
                            .dst = get_addr(VNRS_AF_IPV4, ip + 16)};
    return p->l4 >= 20 && p->len >= p->l4 && p->len <= room;
}

// RFC 8200 section 4; at most eight extension headers. What follows the header of a fragment is not looked at: the
// fragments of a packet agree on nothing else.
static bool read_extensions(const struct pm_world *w, const uint8_t *ip, struct pm_packet *p)
{
    for (unsigned n = 0;; n++) {
        uint8_t type = p->protocol;
        if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_DSTOPTS && type != IPPROTO_FRAGMENT &&
            (type != IPPROTO_AH || w->lenient))
            return p->l4 <= p->len;
        if (n == 8 || p->l4 + 8 > p->len)
            return false;
        const uint8_t *ext = ip + p->l4;
        p->protocol = ext[0];
        if (type == IPPROTO_AH) {
            p->l4 += (ext[1] + 2u) * 4;
        } else if (type != IPPROTO_FRAGMENT) {
            p->l4 += (ext[1] + 1u) * 8;
        } else {
            p->l4 += 8;
            p->later_fragment = get16(ext + 2) & 0xfff8;
            p->fragment = p->later_fragment || get16(ext + 2) & 1;
            if (p->fragment)
                return true;
        }
    }
}

static bool read_ipv6(const uint8_t *ip, size_t room, struct pm_packet *p)
{
    if (room < 40 || ip[0] >> 4 != 6)
        return false;
    *p = (struct pm_packet){.family = VNRS_AF_IPV6,
                            .protocol = ip[6],
                            .dont_fragment = true, // only senders fragment
                            .header = 40,
                            .l4 = 40,
                            .len = 40 + get16(ip + 4),
                            .src = get_addr(VNRS_AF_IPV6, ip + 8),
                            .dst = get_addr(VNRS_AF_IPV6, ip + 24)};
    return p->len <= room;
}

// TCP and UDP must have their headers, unless it is a fragment.
static bool read_ports(const uint8_t *ip, struct pm_packet *p)
{
    if ((p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) || p->fragment)
        return true;
    if (p->l4 + (p->protocol == IPPROTO_TCP ? 20 : 8) > p->len)
        return false;
    p->sport = (uint16_t)get16(ip + p->l4);
    p->dport = (uint16_t)get16(ip + p->l4 + 2);
    return true;
}

// ---- classes of addresses

static bool is_multicast(const struct vnrs_addr *a)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};

    if (a->family == VNRS_AF_IPV6)
        return a->bytes[0] == 0xff;
    return a->bytes[0] >> 4 == 14 || memcmp(a->bytes, broadcast, 4) == 0;
}

static bool is_link_local(const struct vnrs_addr *a) // RFC 3927, RFC 4291 2.5.6
{
    if (a->family == VNRS_AF_IPV4)
        return a->bytes[0] == 169 && a->bytes[1] == 254;
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static bool is_zero(const struct vnrs_addr *a)
{
    static const uint8_t zero[16];

    return memcmp(a->bytes, zero, a->family == VNRS_AF_IPV4 ? 4 : 16) == 0;
}

// Never the source of a packet on a wire: unspecified, loopback, multicast (RFC 1122 3.2.1.3, RFC 4291 2.5 to 2.7), nor
// a link-local one of a packet that leaves the link.
static bool is_no_source(const struct vnrs_addr *a)
{
    static const uint8_t loopback[16] = {[15] = 1};

    if (is_multicast(a) || is_link_local(a))
        return true;
    if (a->family == VNRS_AF_IPV4)
        return a->bytes[0] == 0 || a->bytes[0] == 127;
    return is_zero(a) || memcmp(a->bytes, loopback, 16) == 0;
}

static bool is_platform(const struct vnrs_addr *a)
{
    static const uint8_t wire_server[] = {168, 63, 129, 16}, metadata[] = {169, 254, 169, 254};

    return a->family == VNRS_AF_IPV4 && (!memcmp(a->bytes, wire_server, 4) || !memcmp(a->bytes, metadata, 4));
}

// ---- outcomes

static bool is_same(const struct pm_outcome *a, const struct pm_outcome *b)
{
    return a->verdict == b->verdict && a->reason == b->reason && a->type == b->type && a->billing == b->billing &&
           a->to == b->to && a->mtu == b->mtu;
}

static void add_outcome(struct pm_result *r, struct pm_outcome outcome)
{
    for (unsigned i = 0; i < r->n; i++) {
        if (is_same(&r->outcomes[i], &outcome))
            return;
    }
    r->outcomes[r->n++] = outcome;
}

static void say(struct pm_result *r, uint32_t verdict, uint32_t reason)
{
    add_outcome(r, (struct pm_outcome){.verdict = verdict, .reason = reason});
}

static void drop(struct pm_result *r, uint32_t reason)
{
    say(r, VNRS_BPF_VERDICT_DROP, reason);
}

// No errors about errors, about later fragments, or to an address that is no single host's (RFC 1122 3.2.2, RFC 4443
// 2.4 e); nor by a fabric that has no address there.
static bool may_answer(const struct pm_port *from, const struct pm_packet *p, const uint8_t *ip)
{
    static const uint8_t errors4[] = {3, 4, 5, 11, 12};
    uint8_t icmp = p->family == VNRS_AF_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

    if (p->later_fragment || is_no_source(&p->src) || !pm_gateway(from, p->family).family)
        return false;
    if (p->protocol != icmp)
        return true;
    if (p->l4 >= p->len)
        return false;
    if (p->family == VNRS_AF_IPV6)
        return ip[p->l4] >= 128;
    return !memchr(errors4, ip[p->l4], sizeof(errors4));
}

// What Azure meters it as (docs/data-plane.md). A gateway at either end comes before the appliance, its next hop, or
// the network, its destination; of two gateways the one that it goes to.
static uint32_t meter(const struct pm_world *w, const struct pm_port *from, const struct pm_port *to, uint32_t type)
{
    bool by_hop = type == VNRS_NH_APPLIANCE || type == VNRS_NH_GATEWAY;
    bool among = to->gateway || to->kind == PM_INSTANCE; // BGP of a gateway, if one sends it
    const struct pm_port *gateway = by_hop && to->gateway ? to : from->gateway && !among ? from : NULL;
    const struct vnrs_peering *half = peering_of(w, from->vnet, to->vnet);
    uint32_t crossed = from->vnet == to->vnet ? 0 : half && half->global ? 2 : 1;

    if (type == VNRS_NH_INTERNET)
        return VNRS_BILL_INTERNET;
    if (type == VNRS_NH_SERVICE_ENDPOINT)
        return VNRS_BILL_SERVICE_ENDPOINT;
    if (gateway)
        return (gateway->expressroute ? VNRS_BILL_EXPRESSROUTE : VNRS_BILL_VPN) + crossed;
    if (from->kind == PM_PROBER || to->kind == PM_PROBER)
        return VNRS_BILL_PLATFORM;
    if (from->kind == PM_EDGE)
        return VNRS_BILL_INTERNET;
    if (from->kind == PM_SERVICE)
        return VNRS_BILL_SERVICE_ENDPOINT;
    return (by_hop ? VNRS_BILL_APPLIANCE : VNRS_BILL_VNET_LOCAL) + crossed;
}

// A packet arrives at a NIC (azure-routing.md section 10). `owner`: the NIC was found by the destination address.
static void deliver(const struct pm_world *w, const struct pm_port *from, const struct pm_port *to, bool owner,
                    uint32_t type, const uint8_t *ip, struct pm_result *r)
{
    const struct pm_packet *p = &r->packet;
    struct pm_outcome outcome = {0};

    if (to->kind == PM_SERVICE && to->service->restricted) {
        bool allowed = false;
        list_foreach (subnet, &to->service->allowed)
            allowed |= *subnet == from->subnet;
        if (!allowed) {
            drop(r, VNRS_DROP_SERVICE_DENIED);
            return;
        }
    }
    if (from->forwarding && !from->gateway && !is_let_in(w, from->vnet, to->vnet, &p->src)) {
        drop(r, VNRS_DROP_NOT_FORWARDED);
        return;
    }
    if (!owner && !to->forwarding && to->kind != PM_EDGE && !pm_has_addr(to, &p->dst)) {
        drop(r, VNRS_DROP_DESTINATION);
        return;
    }
    if (p->dont_fragment && p->len > to->mtu) {
        outcome.verdict = may_answer(from, p, ip) ? VNRS_BPF_VERDICT_REPLY : VNRS_BPF_VERDICT_DROP;
        outcome.reason = VNRS_DROP_TOO_BIG;
        outcome.mtu = to->mtu;
    } else {
        outcome.verdict = VNRS_BPF_VERDICT_FORWARD;
        outcome.type = type;
        outcome.billing = meter(w, from, to, type);
        outcome.to = to;
    }
    add_outcome(r, outcome);
}

static void to_owner(const struct pm_world *w, const struct pm_port *from, const struct pm_port *owner, uint32_t type,
                     const uint8_t *ip, struct pm_result *r)
{
    if (owner)
        deliver(w, from, owner, true, type, ip, r);
    else
        drop(r, VNRS_DROP_NO_ENDPOINT);
}

static const struct pm_port *find_edge(const struct pm_world *w)
{
    vec_foreach (port, &w->ports) {
        if (port->kind == PM_EDGE)
            return port;
    }
    return NULL;
}

static void to_internet(const struct pm_world *w, const struct pm_port *from, const uint8_t *ip, struct pm_result *r)
{
    const struct pm_port *edge = find_edge(w);

    if (edge)
        deliver(w, from, edge, false, VNRS_NH_INTERNET, ip, r);
    else
        drop(r, VNRS_DROP_DEAD_NEXTHOP);
}

static const struct pm_port *find_host(const struct pm_world *w, const struct vnrs_service *service,
                                       const struct vnrs_addr *addr)
{
    vec_foreach (port, &w->ports) {
        if (port->kind == PM_SERVICE && (!service || port->service == service) && pm_has_addr(port, addr))
            return port;
    }
    return NULL;
}

// Its backends that are in share its flows; a flow has one, in both directions. False: all are out.
static bool to_backends(const struct pm_world *w, const struct pm_port *from, const struct vnrs_balancer *lb,
                        uint32_t type, const uint8_t *ip, struct pm_result *r)
{
    bool alive = false;

    vec_foreach (port, &w->ports) {
        list_foreach (nic, &lb->backends) {
            if (port->nic != *nic || is_out(w, *nic))
                continue;
            alive = true;
            unsigned before = r->n;
            deliver(w, from, port, false, type, ip, r);
            if (r->n > before && r->outcomes[before].verdict == VNRS_BPF_VERDICT_FORWARD)
                r->outcomes[before].balancer = lb;
        }
    }
    return alive;
}

// The next hops of a route that are alive share its flows.
static void to_nexthops(const struct pm_world *w, const struct pm_port *from, const struct vnrs_eff_route *route,
                        const uint8_t *ip, struct pm_result *r)
{
    bool alive = false;

    for (unsigned i = 0; i < route->n_next_hops; i++) {
        const struct pm_port *to = find_nexthop(w, from->vnet, &route->next_hops[i]);
        const struct vnrs_balancer *lb = to ? NULL : find_balancer(w, from->vnet, &route->next_hops[i]);
        alive |= to || (lb && to_backends(w, from, lb, route->type, ip, r));
        if (to)
            deliver(w, from, to, false, route->type, ip, r);
        for (unsigned k = 0; to && k < r->n; k++) // then not the load balancer alone sends flows there
            if (r->outcomes[k].to == to)
                r->outcomes[k].balancer = NULL;
    }
    if (!alive)
        drop(r, VNRS_DROP_DEAD_NEXTHOP);
}

// What has an address of a virtual network: a NIC, or a load balancer, which leaves the packet as it is.
static void to_address(const struct pm_world *w, const struct pm_port *from, const struct vnrs_eff_route *route,
                       const uint8_t *ip, struct pm_result *r)
{
    list_foreach (lb, &w->model->balancers) {
        if (lb->subnet->vnet == route->vnet && vnrs_addr_equal(&lb->frontend, &r->packet.dst)) {
            if (!to_backends(w, from, lb, route->type, ip, r))
                drop(r, VNRS_DROP_DEAD_NEXTHOP);
            return;
        }
    }
    to_owner(w, from, pm_owner(w, route->vnet, &r->packet.dst), route->type, ip, r);
}

static void route(const struct pm_world *w, const struct pm_port *from, const uint8_t *ip, struct pm_result *r)
{
    const struct vnrs_eff_route *route = vnrs_domain_match(from->domain, &r->packet.dst);
    const struct pm_port *host;

    if (!route) {
        drop(r, VNRS_DROP_NO_ROUTE);
        return;
    }
    switch (route->type) {
    case VNRS_NH_NONE:
        drop(r, VNRS_DROP_NONE_ROUTE);
        break;
    case VNRS_NH_VNET_LOCAL:
    case VNRS_NH_VNET_PEERING:
    case VNRS_NH_VNET_GLOBAL_PEERING:
        if (route->vnet != from->vnet && !has_access(w, from->vnet, route->vnet))
            drop(r, VNRS_DROP_DEAD_NEXTHOP);
        else
            to_address(w, from, route, ip, r);
        break;
    case VNRS_NH_INTERNET:
        to_internet(w, from, ip, r);
        break;
    case VNRS_NH_SERVICE_ENDPOINT:
        host = find_host(w, route->service, &r->packet.dst);
        if (host)
            deliver(w, from, host, false, route->type, ip, r);
        else
            drop(r, VNRS_DROP_DEAD_NEXTHOP);
        break;
    case VNRS_NH_GATEWAY:
    case VNRS_NH_APPLIANCE:
        to_nexthops(w, from, route, ip, r);
        break;
    case _VNRS_NH_MAX:
        break;
    }
}

// From the Internet edge and from service hosts: to service hosts, to whoever has the address (of equal ranges the
// first network of the file has it), and what is left, from service hosts only, to the Internet (routing/resolve.h).
static void route_outside(const struct pm_world *w, const struct pm_port *from, const uint8_t *ip, struct pm_result *r)
{
    const struct vnrs_addr *dst = &r->packet.dst;
    const struct pm_port *host = find_host(w, NULL, dst);
    const struct vnrs_vnet *vnet = NULL;
    unsigned longest = 0;

    if (host) {
        deliver(w, from, host, false, VNRS_NH_SERVICE_ENDPOINT, ip, r);
        return;
    }
    list_foreach (v, &w->model->vnets) {
        list_foreach (range, &v->address_space) {
            if (vnrs_prefix_contains_addr(range, dst) && (!vnet || range->len > longest)) {
                vnet = v;
                longest = range->len;
            }
        }
    }
    if (vnet)
        to_owner(w, from, pm_owner(w, vnet, dst), VNRS_NH_VNET_LOCAL, ip, r);
    else if (from->kind == PM_SERVICE && w->model->internet.present)
        to_internet(w, from, ip, r);
    else
        drop(r, VNRS_DROP_NONE_ROUTE);
}

// ---- stages

// What a NIC may send at all.
static uint32_t check_source(const struct pm_port *from, const struct pm_packet *p)
{
    if (is_multicast(&p->dst))
        return VNRS_DROP_MULTICAST;
    if (p->protocol == IPPROTO_GRE || p->protocol == IPPROTO_IPIP)
        return VNRS_DROP_PROTOCOL;
    bool any = from->forwarding || from->kind == PM_EDGE;
    if (any ? is_no_source(&p->src) : !pm_has_addr(from, &p->src))
        return VNRS_DROP_SOURCE;
    return is_link_local(&p->dst) && !is_platform(&p->dst) ? VNRS_DROP_NO_ROUTE : 0;
}

// Platform addresses are served where somebody has them, whatever the routes say.
static void to_platform(const struct pm_world *w, const struct pm_port *from, const uint8_t *ip, struct pm_result *r)
{
    const struct pm_port *owner = pm_owner(w, from->vnet, &r->packet.dst);

    if (owner)
        deliver(w, from, owner, true, VNRS_NH_VNET_LOCAL, ip, r);
    else
        drop(r, VNRS_DROP_PLATFORM);
}

// A prober's own network and nothing else.
static void route_prober(const struct pm_world *w, const struct pm_port *from, const uint8_t *ip, struct pm_result *r)
{
    const struct vnrs_addr *dst = &r->packet.dst;

    list_foreach (range, &from->vnet->address_space) {
        if (vnrs_prefix_contains_addr(range, dst)) {
            to_owner(w, from, pm_owner(w, from->vnet, dst), VNRS_NH_VNET_LOCAL, ip, r);
            return;
        }
    }
    drop(r, dst->family == VNRS_AF_IPV4 ? VNRS_DROP_NONE_ROUTE : VNRS_DROP_NO_ROUTE);
}

static bool is_solicitation(const struct pm_packet *p, const uint8_t *ip)
{
    return p->family == VNRS_AF_IPV6 && p->protocol == IPPROTO_ICMPV6 && !p->fragment && p->l4 < p->len &&
           ip[p->l4] == 135;
}

// RFC 4861 7.1.1; silent for duplicate address detection and about the NIC's own addresses.
static void solicitation(const struct pm_port *from, const uint8_t *ip, struct pm_result *r)
{
    const struct pm_packet *p = &r->packet;

    if (p->l4 != 40 || p->len < 64 || ip[7] != 255 || ip[41] != 0 || ip[48] == 0xff) {
        drop(r, VNRS_DROP_MALFORMED);
        return;
    }
    const struct vnrs_addr target = get_addr(VNRS_AF_IPV6, ip + 48);
    bool silent = is_zero(&p->src) || vnrs_addr_equal(&p->src, &target) || pm_has_addr(from, &target);
    say(r, silent ? VNRS_BPF_VERDICT_IGNORE : VNRS_BPF_VERDICT_REPLY, 0);
}

static void arp(const struct pm_port *from, const uint8_t *frame, size_t len, struct pm_result *r)
{
    static const uint8_t ethernet_ipv4[] = {0, 1, 8, 0, 6, 4};

    if (len < 42 || memcmp(frame + ETH, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0) {
        drop(r, VNRS_DROP_MALFORMED);
        return;
    }
    const struct vnrs_addr sender = get_addr(VNRS_AF_IPV4, frame + 28), target = get_addr(VNRS_AF_IPV4, frame + 38);
    bool answered = get16(frame + 20) == 1 && !is_zero(&sender) && !vnrs_addr_equal(&sender, &target) &&
                    !pm_has_addr(from, &target);
    say(r, answered ? VNRS_BPF_VERDICT_REPLY : VNRS_BPF_VERDICT_IGNORE, 0);
}

static void ip_packet(const struct pm_world *w, const struct pm_port *from, const uint8_t *frame, size_t len,
                      struct pm_result *r)
{
    const uint8_t *ip = frame + ETH;
    bool v4 = get16(frame + 12) == 0x0800;
    struct pm_packet *p = &r->packet;

    if (!(v4 ? read_ipv4(ip, len - ETH, p) : read_ipv6(ip, len - ETH, p)) ||
        (!((v4 || read_extensions(w, ip, p)) && read_ports(ip, p)) && !w->lenient)) {
        drop(r, VNRS_DROP_MALFORMED);
        return;
    }
    if (is_solicitation(p, ip)) {
        solicitation(from, ip, r);
        return;
    }
    uint32_t reason = frame[0] & 1 ? VNRS_DROP_MULTICAST : check_source(from, p);
    if (reason)
        drop(r, reason);
    else if (is_platform(&p->dst))
        to_platform(w, from, ip, r);
    else if (from->domain)
        route(w, from, ip, r);
    else if (from->kind == PM_PROBER)
        route_prober(w, from, ip, r);
    else
        route_outside(w, from, ip, r);
}

void pm_decide(const struct pm_world *w, const struct pm_port *from, const uint8_t *frame, size_t len,
               struct pm_result *ret_result)
{
    unsigned type = get16(frame + 12);

    memset(ret_result, 0, sizeof(*ret_result));
    if (type == 0x8100 || type == 0x88a8)
        drop(ret_result, VNRS_DROP_VLAN);
    else if (type == 0x0806)
        arp(from, frame, len, ret_result);
    else if (type == 0x0800 || type == 0x86dd)
        ip_packet(w, from, frame, len, ret_result);
    else
        drop(ret_result, frame[0] & 1 ? VNRS_DROP_MULTICAST : VNRS_DROP_ETHERTYPE);
}

const char *pm_bytes_wrong(const struct pm_port *from, const struct pm_result *result, const struct pm_outcome *outcome,
                           const uint8_t *in, size_t in_len, const uint8_t *out, size_t out_len)
{
    if (outcome->verdict == VNRS_BPF_VERDICT_REPLY)
        return pm_reply_wrong(from, result, outcome, in, out, out_len);
    if (out_len != in_len)
        return "not as long as it was";
    if (outcome->verdict != VNRS_BPF_VERDICT_FORWARD)
        return memcmp(in, out, in_len) ? "a packet that goes nowhere was changed" : NULL;
    if (memcmp(out, outcome->to->mac.bytes, 6) != 0)
        return "not to the MAC of the receiving NIC";
    if (memcmp(out + 6, fabric_mac, 6) != 0)
        return "not from the MAC of the fabric";
    return memcmp(in + 12, out + 12, in_len - 12) ? "more than the MACs was changed" : NULL;
}
