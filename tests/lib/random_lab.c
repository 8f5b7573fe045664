// SPDX-License-Identifier: GPL-2.0-or-later
#include "random_lab.h"

#include "util/macros.h"
#include "util/strbuf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VNETS_MAX   5u
#define SUBNETS_MAX 3u
#define NVAS_MAX    16u
#define HOPS_MAX    24u        // appliances, and load balancers before them
#define TABLES      3u         // of each virtual network; the first is that of the first subnet
#define GATEWAYS    "10.0.251" // of GatewaySubnet

const char *const random_speaker_keys[] = {[RANDOM_RS] = "rs-0",
                                           [RANDOM_VPN0] = "gateway.vpn-0",
                                           [RANDOM_VPN1] = "gateway.vpn-1",
                                           [RANDOM_ER] = "gateway.er-0"};
static_assert(ARRAY_SIZE(random_speaker_keys) == _RANDOM_SPEAKER_MAX, "a key for each");

enum vnrs_learned_class random_speaker_class(enum random_speaker speaker)
{
    return speaker == RANDOM_RS ? VNRS_LEARNED_NVA : speaker == RANDOM_ER ? VNRS_LEARNED_ER : VNRS_LEARNED_VPN;
}

struct subnet {
    bool endpoints[2]; // service endpoints
};

struct vnet {
    unsigned range; // number in its addresses; that of another network where this one is an island
    bool second, v6;
    unsigned n_subnets;
    struct subnet subnets[SUBNETS_MAX];
};

struct nva {
    unsigned vnet;
    char addr[16], addr6[32]; // "" where it has none
};

struct hop { // what a route may name: an appliance, or a load balancer
    unsigned vnet;
    const char *addr, *addr6; // "" where it has none
};

struct balancer {
    unsigned vnet, subnet;
    char addr[24];
    bool has[NVAS_MAX]; // as a backend
};

struct draft {
    struct rng *rng;
    struct vnrs_strbuf out;
    struct random_lab *lab;
    unsigned n_vnets, n_nvas, n_hops, n_balancers;
    uint32_t tag; // of the names of load balancers, which other topologies shall not have: they have other backends
    bool vpn, active, er;
    bool gateway_table;
    bool island; // the last network: then nothing outside may be reached by both
    struct vnet vnets[VNETS_MAX];
    bool peered[VNETS_MAX][VNETS_MAX]; // this half exists
    bool access[VNETS_MAX][VNETS_MAX]; // and both, with routes in this direction
    struct nva nvas[NVAS_MAX];
    struct balancer balancers[VNETS_MAX];
    struct hop hops[HOPS_MAX];
};

static bool chance(struct draft *d, unsigned percent)
{
    return rng_percent(d->rng, percent);
}

static const char *yes_no(bool yes)
{
    return yes ? "true" : "false";
}

static void put_vnet(struct draft *d, unsigned i)
{
    struct vnet *v = &d->vnets[i];
    struct vnrs_strbuf *out = &d->out;

    vnrs_strbuf_printf(out, "  - name: v%u\n    region: %s\n    addressSpace: [10.%u.0.0/16", i,
                       chance(d, 60) ? "west" : "east", v->range);
    if (v->second)
        vnrs_strbuf_printf(out, ", 172.%u.0.0/16", 16 + v->range);
    if (v->v6)
        vnrs_strbuf_printf(out, ", 'fd00:%u::/48'", v->range);
    vnrs_strbuf_puts(out, "]\n    subnets:\n");
    if (i == 0)
        vnrs_strbuf_printf(out,
                           "      - {name: RouteServerSubnet, addressPrefix: 10.0.250.0/26}\n"
                           "      - {name: GatewaySubnet, addressPrefix: " GATEWAYS ".0/26%s}\n",
                           d->gateway_table ? ", routeTable: tg" : "");
    for (unsigned s = 0; s < v->n_subnets; s++) {
        vnrs_strbuf_printf(out, "      - {name: s%u, addressPrefixes: [10.%u.%u.0/24", s, v->range, s + 1);
        if (v->v6)
            vnrs_strbuf_printf(out, ", 'fd00:%u:0:%u::/64'", v->range, s + 1);
        vnrs_strbuf_puts(out, "]");
        if (chance(d, 60))
            vnrs_strbuf_printf(out, ", routeTable: t%u-%u", i, s ? 1 + rng_below(d->rng, 2) : 0);
        for (unsigned e = 0, n = 0; e < ARRAY_SIZE(v->subnets[s].endpoints); e++)
            if (v->subnets[s].endpoints[e])
                vnrs_strbuf_printf(out, "%s{service: S%u}", n++ ? ", " : ", serviceEndpoints: [", e);
        vnrs_strbuf_puts(out, v->subnets[s].endpoints[0] || v->subnets[s].endpoints[1] ? "]}\n" : "}\n");
    }
}

static void put_vnets(struct draft *d)
{
    d->n_vnets = 2 + rng_below(d->rng, VNETS_MAX - 1);
    vnrs_strbuf_puts(&d->out, "virtualNetworks:\n");
    for (unsigned i = 0; i < d->n_vnets; i++) {
        struct vnet *v = &d->vnets[i];
        bool island = d->island = i + 1 == d->n_vnets && i > 1 && chance(d, 50);
        *v = (struct vnet){.range = island ? 0 : i, .second = chance(d, 40), .v6 = chance(d, 60)};
        v->n_subnets = 1 + rng_below(d->rng, SUBNETS_MAX);
        for (unsigned s = 0; s < v->n_subnets; s++)
            for (unsigned e = 0; e < 2; e++)
                v->subnets[s].endpoints[e] = !island && chance(d, 35);
        put_vnet(d, i);
    }
}

static bool is_island(const struct draft *d, unsigned i)
{
    return i && d->vnets[i].range == 0;
}

static void put_half(struct draft *d, unsigned from, unsigned to, bool remote)
{
    d->access[from][to] = chance(d, 88);
    vnrs_strbuf_printf(&d->out,
                       "  - {virtualNetwork: v%u, remoteVirtualNetwork: v%u, allowVirtualNetworkAccess: %s, "
                       "allowForwardedTraffic: %s, allowGatewayTransit: %s, useRemoteGateways: %s}\n",
                       from, to, yes_no(d->access[from][to]), yes_no(chance(d, 50)), yes_no(from == 0), yes_no(remote));
    d->peered[from][to] = true;
}

static void put_peerings(struct draft *d)
{
    vnrs_strbuf_puts(&d->out, "virtualNetworkPeerings:\n");
    for (unsigned a = 0; a < d->n_vnets; a++) {
        for (unsigned b = a + 1; b < d->n_vnets; b++) {
            if (is_island(d, a) || is_island(d, b) || !chance(d, b == 1 ? 100 : a == 0 ? 80 : 25))
                continue;
            put_half(d, a, b, false);
            if (chance(d, 95))
                put_half(d, b, a, a == 0 && chance(d, 70));
        }
    }
    for (unsigned a = 0; a < d->n_vnets; a++)
        for (unsigned b = 0; b < d->n_vnets; b++)
            d->access[a][b] &= d->peered[b][a];
}

// A NIC's addresses are known before the machines are written: routes name them.
static void draw_nvas(struct draft *d)
{
    for (unsigned i = 0; i < d->n_vnets; i++) {
        unsigned n = i == 0 ? 1 + rng_below(d->rng, 3) : rng_below(d->rng, 3);
        for (unsigned k = 0; k < n && d->n_nvas < NVAS_MAX; k++) {
            struct nva *nva = &d->nvas[d->n_nvas++];
            const struct vnet *v = &d->vnets[i];
            nva->vnet = i;
            (void)snprintf(nva->addr, sizeof(nva->addr), "10.%u.1.%u", v->range, 4 + k);
            if (v->v6 && chance(d, 80))
                (void)snprintf(nva->addr6, sizeof(nva->addr6), "fd00:%u:0:1::%x", v->range, 4 + k);
        }
    }
}

// With some of the appliances of a network; the frontend is in their subnet or in another one.
static void draw_balancer(struct draft *d, unsigned vnet)
{
    struct balancer *lb = &d->balancers[d->n_balancers];
    unsigned subnet = rng_below(d->rng, d->vnets[vnet].n_subnets);
    bool any = false;

    *lb = (struct balancer){.vnet = vnet, .subnet = subnet};
    (void)snprintf(lb->addr, sizeof(lb->addr), "10.%u.%u.100", d->vnets[vnet].range, subnet + 1);
    for (unsigned i = 0; i < d->n_nvas; i++)
        any |= lb->has[i] = d->nvas[i].vnet == vnet && chance(d, 80);
    d->n_balancers += any;
}

static void draw_hops(struct draft *d)
{
    for (unsigned i = 0; i < d->n_vnets; i++)
        if (chance(d, 55))
            draw_balancer(d, i);
    for (unsigned i = 0; i < d->n_nvas; i++)
        d->hops[d->n_hops++] = (struct hop){d->nvas[i].vnet, d->nvas[i].addr, d->nvas[i].addr6};
    for (unsigned i = 0; i < d->n_balancers; i++)
        d->hops[d->n_hops++] = (struct hop){d->balancers[i].vnet, d->balancers[i].addr, ""};
}

// An address that a user route of the network may name; appliances are in the first subnet, whose table may not send
// them their own packets.
static const char *draw_appliance(struct draft *d, unsigned vnet, bool elsewhere, bool v6)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        const struct hop *hop = &d->hops[rng_below(d->rng, d->n_hops)];
        if ((hop->vnet == vnet ? !elsewhere : d->access[vnet][hop->vnet]) && (!v6 || hop->addr6[0]))
            return v6 ? hop->addr6 : hop->addr;
    }
    return NULL;
}

// A prefix that meets some rule; `a` and `b` are networks.
static const char *draw_prefix(struct draft *d, char buf[static 64])
{
    static const char *const fixed[] = {
        "0.0.0.0/0",        "::/0",
        "10.0.0.0/8",       "172.16.0.0/12",
        "192.168.0.0/16",   "100.64.0.0/10",
        "203.0.113.0/24",   "20.0.0.0/8",
        "198.18.64.0/20",   "198.18.64.128/25",
        "198.18.0.0/15",    "2001:db8::/32",
        "192.168.128.0/20", "fd00::/16",
        "203.0.113.80/32",  "198.18.64.10/32",
        "10.0.0.0/9",       "0.0.0.0/1",
        "192.168.10.0/24",  "2001:db8:64::/48",
        "192.168.20.0/24",  "2001:db8:64::10/128",
        "192.168.8.0/22",
    };
    unsigned range = d->vnets[rng_below(d->rng, d->n_vnets)].range, subnet = 1 + rng_below(d->rng, SUBNETS_MAX);

    switch (rng_below(d->rng, 10)) {
    case 5:
        (void)snprintf(buf, 64, "10.%u.%u.100/32", range, subnet);
        break;
    case 6:
        (void)snprintf(buf, 64, "fd00:%u:0:%u::%x/128", range, subnet, 4 + rng_below(d->rng, 4));
        break;
    case 0:
        (void)snprintf(buf, 64, "10.%u.0.0/16", range);
        break;
    case 1:
        (void)snprintf(buf, 64, "10.%u.%u.0/24", range, subnet);
        break;
    case 2:
        (void)snprintf(buf, 64, "10.%u.%u.%u/32", range, subnet, 4 + rng_below(d->rng, 4));
        break;
    case 3:
        (void)snprintf(buf, 64, "fd00:%u::/48", range);
        break;
    case 4:
        (void)snprintf(buf, 64, "fd00:%u:0:%u::/64", range, subnet);
        break;
    default:
        return fixed[rng_below(d->rng, ARRAY_SIZE(fixed))];
    }
    return buf;
}

static void put_route(struct draft *d, unsigned vnet, bool first, unsigned i, const char *prefix)
{
    static const char *const types[] = {"None", "VnetLocal", "Internet", "VirtualNetworkGateway"};
    bool v6 = strchr(prefix, ':') || strcmp(prefix, "Storage.west") == 0;
    const char *appliance = chance(d, 65) ? draw_appliance(d, vnet, first, v6) : NULL;
    const char *other = appliance && chance(d, 30) ? draw_appliance(d, vnet, first, v6) : NULL;

    vnrs_strbuf_printf(&d->out, "      - {name: r%u, addressPrefix: '%s', nextHopType: ", i, prefix);
    if (other && strcmp(other, appliance) != 0)
        vnrs_strbuf_printf(&d->out, "VirtualApplianceEcmp, nextHop: {nextHopIpAddresses: ['%s', '%s']}}\n", appliance,
                           other);
    else if (appliance)
        vnrs_strbuf_printf(&d->out, "VirtualAppliance, nextHopIpAddress: '%s'}\n", appliance);
    else
        vnrs_strbuf_printf(&d->out, "%s}\n", types[rng_below(d->rng, ARRAY_SIZE(types))]);
}

// Of what comes from sites: to appliances first, as in a hub with firewalls.
static void put_gateway_table(struct draft *d)
{
    if (!d->gateway_table)
        return;
    vnrs_strbuf_puts(&d->out, "  - name: tg\n    routes:\n");
    for (unsigned i = 0; i < d->n_vnets; i++) {
        char prefix[64];
        if (is_island(d, i) || !chance(d, 60))
            continue;
        (void)snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", i, 1 + rng_below(d->rng, SUBNETS_MAX));
        put_route(d, 0, false, i, prefix);
    }
    put_route(d, 0, false, VNETS_MAX, "172.16.0.0/12");
}

static void put_tags(struct draft *d)
{
    vnrs_strbuf_puts(&d->out, "serviceTags:\n"
                              "  - {name: Storage, addressPrefixes: [198.18.64.0/20, 20.1.0.0/16, 198.19.1.0/24]}\n"
                              "  - {name: AzureCloud, addressPrefixes: [20.0.0.0/8, 198.18.0.0/15, 10.0.1.0/25]}\n"
                              "  - {name: Storage.west, addressPrefixes: ['2001:db8:64::/48', 'fd00:1::/49']}\n");
}

// All of the network through a load balancer of its own, as where flows are inspected in both directions. The first
// subnet, with the backends, is left out.
static void put_balanced_routes(struct draft *d, unsigned vnet)
{
    for (unsigned i = 0; i < d->n_balancers; i++) {
        const struct balancer *lb = &d->balancers[i];
        if (lb->vnet != vnet || !chance(d, 50))
            continue;
        for (unsigned s = 1; s < d->vnets[vnet].n_subnets; s++)
            vnrs_strbuf_printf(&d->out,
                               "      - {name: b%u-%u, addressPrefix: 10.%u.%u.0/25, nextHopType: VirtualAppliance, "
                               "nextHopIpAddress: %s}\n",
                               i, s, d->vnets[vnet].range, s + 1, lb->addr);
    }
}

static void put_tag_routes(struct draft *d, unsigned vnet, bool first)
{
    static const char *const tags[] = {"Storage", "AzureCloud", "Storage.west"};

    for (unsigned i = 0; i < ARRAY_SIZE(tags); i++)
        if (chance(d, 12))
            put_route(d, vnet, first, 100 + i, tags[i]);
}

static void put_route_tables(struct draft *d)
{
    char buf[6][64];
    const char *drawn[6];

    vnrs_strbuf_puts(&d->out, "routeTables:\n");
    put_gateway_table(d);
    for (unsigned i = 0; i < d->n_vnets; i++) {
        for (unsigned t = 0; t < TABLES; t++) {
            vnrs_strbuf_printf(&d->out,
                               "  - name: t%u-%u\n    disableBgpRoutePropagation: %s\n"
                               "    disablePeeringRoute: %s\n    routes:\n",
                               i, t, yes_no(chance(d, 20)), chance(d, 10) ? "All" : "None");
            unsigned n = 0;
            for (unsigned want = 1 + rng_below(d->rng, ARRAY_SIZE(drawn)); want-- > 0;) {
                bool known = false;
                drawn[n] = draw_prefix(d, buf[n]);
                for (unsigned k = 0; k < n; k++)
                    known |= strcmp(drawn[k], drawn[n]) == 0;
                if (!known) {
                    put_route(d, i, t == 0, n, drawn[n]);
                    n++;
                }
            }
            put_tag_routes(d, i, t == 0);
            if (t > 0)
                put_balanced_routes(d, i);
        }
    }
}

static void put_allowed(struct draft *d, unsigned service)
{
    bool any = false;

    vnrs_strbuf_puts(&d->out, "    allowedSubnets: [");
    for (unsigned i = 0; i < d->n_vnets; i++)
        for (unsigned s = 0; s < d->vnets[i].n_subnets; s++)
            if (d->vnets[i].subnets[s].endpoints[service] && chance(d, 50)) {
                vnrs_strbuf_printf(&d->out, "%sv%u/s%u", any ? ", " : "", i, s);
                any = true;
            }
    vnrs_strbuf_puts(&d->out, "]\n");
}

static void put_outside(struct draft *d)
{
    vnrs_strbuf_puts(&d->out, "services:\n  - name: S0\n"
                              "    addressPrefixes: [198.18.64.0/20, 198.18.128.0/24, '2001:db8:64::/48']\n"
                              "    hosts: [{name: h0, ip: 198.18.64.10}, {name: h1, ip: 198.18.128.7}, "
                              "{name: h3, ip: '2001:db8:64::10'}]\n");
    if (chance(d, 60))
        put_allowed(d, 0);
    vnrs_strbuf_puts(&d->out, "  - name: S1\n    addressPrefixes: [198.19.0.0/16]\n"
                              "    hosts: [{name: h2, ip: 198.19.1.1}]\n");
    if (chance(d, 30))
        put_allowed(d, 1);
    if (!d->island && chance(d, 85))
        vnrs_strbuf_puts(&d->out,
                         "internet: {hosts: [{name: www, ip: 203.0.113.80}, {name: w6, ip: '2001:db8::80'}]}\n");
}

static void put_balancers(struct draft *d)
{
    if (d->n_balancers)
        vnrs_strbuf_puts(&d->out, "loadBalancers:\n");
    for (unsigned i = 0; i < d->n_balancers; i++) {
        const struct balancer *lb = &d->balancers[i];
        unsigned n = 0;
        vnrs_strbuf_printf(&d->out, "  - {name: lb%u-%08x, subnet: v%u/s%u, privateIPAddress: %s, backendPool: [", i,
                           d->tag, lb->vnet, lb->subnet, lb->addr);
        for (unsigned k = 0; k < d->n_nvas; k++)
            if (lb->has[k])
                vnrs_strbuf_printf(&d->out, "%snva%u", n++ ? ", " : "", k);
        vnrs_strbuf_puts(&d->out, "], probe: {port: 80, intervalInSeconds: 3600, numberOfProbes: 1}}\n");
    }
}

// One gateway of each type at most, in the hub; a site behind each.
static void put_gateways(struct draft *d)
{
    if (!d->vpn && !d->er)
        return;
    vnrs_strbuf_puts(&d->out, "virtualNetworkGateways:\n");
    if (d->vpn)
        vnrs_strbuf_printf(&d->out,
                           "  - {name: vpn, virtualNetwork: v0, gatewayType: Vpn, activeActive: %s, "
                           "privateIps: [" GATEWAYS ".4%s]}\n",
                           yes_no(d->active), d->active ? ", " GATEWAYS ".5" : "");
    if (d->er)
        vnrs_strbuf_puts(&d->out, "  - {name: er, virtualNetwork: v0, gatewayType: ExpressRoute, "
                                  "privateIps: [" GATEWAYS ".20, " GATEWAYS ".21]}\n");
    vnrs_strbuf_puts(&d->out, "sites:\n");
    if (d->vpn)
        vnrs_strbuf_puts(&d->out, "  - {name: branch, addressPrefixes: [192.168.10.0/24], asn: 65050}\n");
    if (d->er)
        vnrs_strbuf_puts(&d->out, "  - {name: dc, addressPrefixes: [192.168.20.0/24], asn: 65060}\n");
    vnrs_strbuf_puts(&d->out, "connections:\n");
    if (d->vpn)
        vnrs_strbuf_printf(&d->out,
                           "  - {name: tunnel, gateway: vpn, site: branch, connectionType: IPsec, enableBgp: %s}\n",
                           yes_no(chance(d, 70)));
    if (d->er)
        vnrs_strbuf_puts(&d->out, "  - {name: circuit, gateway: er, site: dc, connectionType: ExpressRoute}\n");
}

static void put_nic(struct draft *d, const char *addr, const char *addr6, unsigned vnet, unsigned subnet,
                    bool forwarding)
{
    static const unsigned mtus[] = {1280, 1400, 1492, 1600, 2000, 3000, 9000};

    vnrs_strbuf_printf(&d->out, "nics: [{subnet: v%u/s%u, enableIPForwarding: %s, privateIps: ['%s'", vnet, subnet,
                       yes_no(forwarding), addr);
    if (addr6[0])
        vnrs_strbuf_printf(&d->out, ", '%s'", addr6);
    for (unsigned i = 1; i <= 3 && chance(d, 25); i++) // more of them
        vnrs_strbuf_printf(&d->out, ", '%s%u'", addr, i);
    if (addr6[0] && chance(d, 25))
        vnrs_strbuf_printf(&d->out, ", '%s1'", addr6);
    vnrs_strbuf_puts(&d->out, "]");
    if (chance(d, 30))
        vnrs_strbuf_printf(&d->out, ", mtu: %u", mtus[rng_below(d->rng, ARRAY_SIZE(mtus))]);
    vnrs_strbuf_puts(&d->out, "}]}\n");
}

static void put_machines(struct draft *d)
{
    vnrs_strbuf_puts(&d->out, "machines:\n");
    for (unsigned i = 0; i < d->n_nvas; i++) {
        vnrs_strbuf_printf(&d->out, "  - {name: nva%u, ", i);
        put_nic(d, d->nvas[i].addr, d->nvas[i].addr6, d->nvas[i].vnet, 0, true);
    }
    for (unsigned i = 0; i < d->n_vnets; i++) {
        const struct vnet *v = &d->vnets[i];
        for (unsigned s = 0; s < v->n_subnets; s++) {
            for (unsigned k = rng_below(d->rng, 3); k-- > 0;) {
                char addr[32], addr6[32] = "";
                (void)snprintf(addr, sizeof(addr), "10.%u.%u.%u", v->range, s + 1, 7 + k);
                if (v->v6 && chance(d, 80))
                    (void)snprintf(addr6, sizeof(addr6), "fd00:%u:0:%u::%x", v->range, s + 1, 7 + k);
                vnrs_strbuf_printf(&d->out, "  - {name: vm-%u-%u-%u, ", i, s, k);
                put_nic(d, addr, addr6, i, s, false);
            }
        }
    }
}

static int cmp_addr(const void *a, const void *b)
{
    return vnrs_addr_cmp(a, b);
}

static void add_said(struct random_said *said, const char *text)
{
    struct vnrs_addr addr;
    int r = vnrs_addr_parse(text, &addr);

    assert(r == 0);
    for (unsigned i = 0; i < said->n; i++)
        if (vnrs_addr_equal(&said->hops[i], &addr))
            return;
    said->hops[said->n++] = addr;
}

static void draw_from_appliances(struct draft *d, uint8_t family, struct random_said *ret)
{
    // Nobody's, and those of machines that do not forward, if they are there.
    static const char *const others[] = {"10.0.1.99", "9.9.9.9", "10.1.1.200", "10.0.1.7", "10.1.1.7", "10.0.2.7"};

    if (chance(d, 8)) { // BLACKHOLE: no address
        ret->n = 1;
        return;
    }
    for (unsigned want = 1 + rng_below(d->rng, RANDOM_LAB_HOPS_MAX); want-- > 0;) {
        const struct hop *hop = &d->hops[rng_below(d->rng, d->n_hops)];
        add_said(ret, chance(d, 15)                             ? others[rng_below(d->rng, ARRAY_SIZE(others))]
                      : family == VNRS_AF_IPV6 && hop->addr6[0] ? hop->addr6
                                                                : hop->addr);
    }
    qsort(ret->hops, ret->n, sizeof(ret->hops[0]), cmp_addr);
}

// The edge routers of a circuit have the next free addresses of GatewaySubnet.
static void draw_from_circuit(struct draft *d, struct random_said *ret)
{
    unsigned first = !d->vpn ? 4 : d->active ? 6 : 5, which = 1 + rng_below(d->rng, 3);
    char text[32];

    for (unsigned i = 0; i < 2; i++) {
        if (!(which >> i & 1))
            continue;
        (void)snprintf(text, sizeof(text), GATEWAYS ".%u", first + i);
        add_said(ret, text);
    }
}

static void draw_said(struct draft *d, enum random_speaker speaker, uint8_t family, struct random_said *ret)
{
    ret->path_len = 1 + rng_below(d->rng, 2);
    switch (random_speaker_class(speaker)) {
    case VNRS_LEARNED_NVA:
        draw_from_appliances(d, family, ret);
        break;
    case VNRS_LEARNED_ER:
        draw_from_circuit(d, ret);
        break;
    default: // whatever it is inside the tunnels, it is the instance for NICs
        add_said(ret, "192.168.10.1");
    }
}

static void draw_learned(struct draft *d, struct random_learned *ret)
{
    unsigned n = 0;

    for (int s = 0; s < _RANDOM_SPEAKER_MAX; s++) {
        if (!d->lab->speaks[s] || !chance(d, s == RANDOM_RS ? 60 : 40))
            continue;
        draw_said(d, (enum random_speaker)s, ret->prefix.family, &ret->by[s]);
        n++;
    }
    if (!n)
        draw_said(d, RANDOM_RS, ret->prefix.family, &ret->by[RANDOM_RS]);
}

static void draw_all_learned(struct draft *d)
{
    struct random_lab *lab = d->lab;
    char buf[64];

    for (unsigned want = 3 + rng_below(d->rng, RANDOM_LAB_LEARNED_MAX - 2); want-- > 0;) {
        struct random_learned *learned = &lab->learned[lab->n_learned];
        bool known = false;
        int r = vnrs_prefix_parse(draw_prefix(d, buf), &learned->prefix);
        assert(r == 0);
        for (size_t i = 0; i < lab->n_learned; i++)
            known |= vnrs_prefix_equal(&lab->learned[i].prefix, &learned->prefix);
        if (known)
            continue;
        draw_learned(d, learned);
        lab->n_learned++;
    }
}

// Who is there, and what answers no health probe.
static void draw_roles(struct draft *d)
{
    struct random_lab *lab = d->lab;

    d->tag = (uint32_t)rng_next(d->rng);
    d->vpn = chance(d, 50);
    d->active = chance(d, 60);
    d->er = chance(d, 40);
    d->gateway_table = (d->vpn || d->er) && chance(d, 50);
    lab->speaks[RANDOM_RS] = true;
    lab->speaks[RANDOM_VPN0] = d->vpn;
    lab->speaks[RANDOM_VPN1] = d->vpn && d->active;
    lab->speaks[RANDOM_ER] = d->er;
    lab->preference = rng_below(d->rng, 3);
    for (unsigned i = 0; i < 2; i++) {
        int r = vnrs_addr_parse(i ? GATEWAYS ".5" : GATEWAYS ".4", &lab->vpn[i]);
        assert(r == 0);
    }
}

static void draw_out(struct draft *d)
{
    for (unsigned i = 0; i < d->n_nvas; i++) {
        if (!chance(d, 20))
            continue;
        int r = vnrs_addr_parse(d->nvas[i].addr, &d->lab->out[d->lab->n_out++]);
        assert(r == 0);
    }
}

void random_lab_make(struct rng *rng, struct random_lab *ret_lab)
{
    static const char *const none_routes[] = {"documented", "legacy", "platform"};
    static const char *const preferences[] = {
        [VNRS_HRP_EXPRESSROUTE] = "ExpressRoute", [VNRS_HRP_VPN] = "VpnGateway", [VNRS_HRP_ASPATH] = "ASPath"};
    struct draft d = {.rng = rng, .lab = ret_lab};

    *ret_lab = (struct random_lab){0};
    draw_roles(&d);
    // Azure has no route to a VPN gateway that an ExpressRoute gateway is beside.
    vnrs_strbuf_printf(&d.out, "name: l\ndataplane: ebpf\npeeringFlags: %s\nnoneRoutes: %s\nlimits: %s\n",
                       chance(&d, 15) ? "tag" : "drop", none_routes[rng_below(rng, ARRAY_SIZE(none_routes))],
                       d.er ? "none" : "azure");
    put_vnets(&d);
    put_peerings(&d);
    draw_nvas(&d);
    draw_hops(&d);
    draw_out(&d);
    put_tags(&d);
    put_route_tables(&d);
    put_balancers(&d);
    vnrs_strbuf_printf(&d.out,
                       "routeServers:\n  - name: rs\n    virtualNetwork: v0\n    hubRoutingPreference: %s\n"
                       "    bgpConnections:\n      - {name: p0, peerIp: 10.0.1.4, peerAsn: 65001}\n",
                       preferences[ret_lab->preference]);
    put_gateways(&d);
    put_outside(&d);
    put_machines(&d);
    draw_all_learned(&d);
    ret_lab->yaml = vnrs_strbuf_take(&d.out);
    assert(ret_lab->yaml);
}
