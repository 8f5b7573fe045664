// SPDX-License-Identifier: GPL-2.0-or-later
// Forwarding tables of route domains and of the platform's NICs.
#include "routing/resolve.h"

#include "lab.h"
#include "net/trie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void member_format(struct vnrs_strbuf *out, const struct vnrs_fwd_member *m)
{
    char ip[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(out, " %s", vnrs_fwd_kind_name(m->kind));
    if (m->kind == VNRS_FWD_ENDPOINT)
        vnrs_strbuf_printf(out, ":%s", m->vnet->name);
    if (m->kind == VNRS_FWD_NIC)
        vnrs_strbuf_printf(out, ":%s", m->nic->name);
    if (m->kind == VNRS_FWD_SERVICE_HOST)
        vnrs_strbuf_printf(out, ":%s/%s", m->service->name, m->service->hosts.items[m->host].name);
    if (m->via.family != VNRS_AF_NONE)
        vnrs_strbuf_printf(out, "@%s", vnrs_addr_format(&m->via, ip));
}

static char *fwd_format(const struct vnrs_fwd_table *table)
{
    struct vnrs_strbuf out = {0};
    char prefix[VNRS_PREFIX_STR_MAX];

    list_foreach (route, &table->routes) {
        vnrs_strbuf_printf(&out, "%s %s", vnrs_prefix_format(&route->prefix, prefix),
                           vnrs_nexthop_type_name(route->type));
        for (unsigned i = 0; i < route->n; i++)
            member_format(&out, &route->members[i]);
        vnrs_strbuf_puts(&out, "\n");
    }
    return vnrs_strbuf_take(&out);
}

// The table of the domain that the lab looks at, in the model's arena.
static struct vnrs_fwd_table fwd_of(struct lab *lab)
{
    struct vnrs_fwd_table table = {0};
    const struct vnrs_domain *domain = lab_compute(lab);
    struct vnrs_reach *reach = vnrs_reach_new(&lab->model);

    assert_non_null(reach);
    assert_int_equal(vnrs_fwd_resolve(&lab->model, reach, domain, lab->model.arena, &table), 0);
    vnrs_reach_free(reach);
    return table;
}

struct row {
    const char *name, *lab, *want;
};

// Where the system routes are not the point, a UDR 0/0 takes most of them away.
#define QUIET "table t\nattach a/s t\nudr t 0.0.0.0/0 None\n"
#define A     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer a b\npeer b a\nvnet c 10.2.0.0/16\npeer b c\npeer c b\n"
#define BOTH  "nic:nva1@10.0.2.9 nic:nva2@10.0.2.9\n"
#define WIRE  "168.63.129.16/32 VnetLocal endpoint:a\n"
#define A_FWD "10.0.0.0/16 VnetLocal endpoint:a\n10.1.0.0/16 VNetPeering endpoint:b\n"

static const struct row rows[] = {
    {"1.1 system routes; no Internet in the lab", "vnet a 10.0.0.0/16 fd00:1::/48\n",
     "0.0.0.0/0 Internet dead\n10.0.0.0/8 None drop\n10.0.0.0/16 VnetLocal endpoint:a\n100.64.0.0/10 None drop\n"
     "172.16.0.0/12 None drop\n192.168.0.0/16 None drop\n::/0 Internet dead\nfd00:1::/48 VnetLocal endpoint:a\n"},
    {"1.1 Internet", "internet\n" A "table t\nattach a/s t\nudr t 0.0.0.0/0 Internet\n",
     "0.0.0.0/0 Internet internet\n" A_FWD},
    {"2.4 the Invalid row is not there, the User row is",
     A QUIET "udr t 10.1.0.0/16 VirtualAppliance 10.0.0.4\nnic a/s fw 10.0.0.4\n",
     "0.0.0.0/0 None drop\n10.0.0.0/16 VnetLocal endpoint:a\n10.1.0.0/16 VirtualAppliance nic:fw@10.0.0.4\n"},
    {"3.1 appliance in a peered network, by any of its addresses",
     A QUIET "udr t 20.0.0.0/8 VirtualAppliance 10.1.0.5\nnic b/s fw 10.1.0.4 10.1.0.5\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/8 VirtualAppliance nic:fw@10.1.0.5\n"},
    {"4.2 appliance two peerings away is not in reach",
     A QUIET "udr t 20.0.0.0/8 VirtualAppliance 10.2.0.4\nnic c/s fw 10.2.0.4\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/8 VirtualAppliance dead@10.2.0.4\n"},
    {"RFC 7999 a learned BLACKHOLE", A QUIET "rs rs a\nlearn rs 20.0.0.7/32 drop\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.7/32 None drop\n"},
    {"3.1 next hop that nobody has", A QUIET "udr t 20.0.0.0/8 VirtualAppliance 10.0.0.99\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/8 VirtualAppliance dead@10.0.0.99\n"},
    {"an unrelated network with the same addresses is not meant; the own one comes first",
     "vnet z 10.0.0.0/16\nnic z/s other 10.0.0.4\n" A QUIET
     "udr t 20.0.0.0/8 VirtualAppliance 10.0.0.4\nnic a/s fw 10.0.0.4\nlook a/s\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/8 VirtualAppliance nic:fw@10.0.0.4\n"},
    {"14.11 nor one behind a peering without access",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer a b noaccess\npeer b a\n" QUIET
     "udr t 20.0.0.0/8 VirtualAppliance 10.1.0.4\nnic b/s fw 10.1.0.4\n",
     "0.0.0.0/0 None drop\n10.0.0.0/16 VnetLocal endpoint:a\n20.0.0.0/8 VirtualAppliance dead@10.1.0.4\n"},
    {"14.11 nor the peer of one that does not let this one in, although the row is there",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer a b\npeer b a noaccess\n" QUIET
     "udr t 20.0.0.0/8 VirtualAppliance 10.1.0.4\nnic b/s fw 10.1.0.4\n",
     "0.0.0.0/0 None drop\n10.0.0.0/16 VnetLocal endpoint:a\n10.1.0.0/16 VNetPeering dead\n"
     "20.0.0.0/8 VirtualAppliance dead@10.1.0.4\n"},
    {"4.4 nor one in a range that came after the last sync",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer a b sync=10.1.0.0/17\npeer b a\n" QUIET
     "udr t 20.0.0.0/8 VirtualAppliance 10.1.128.4\nudr t 21.0.0.0/8 VirtualAppliance 10.1.0.4\n"
     "nic b/s fw 10.1.128.4 10.1.0.4\n",
     "0.0.0.0/0 None drop\n10.0.0.0/16 VnetLocal endpoint:a\n10.1.0.0/17 VNetPeering endpoint:b\n"
     "20.0.0.0/8 VirtualAppliance dead@10.1.128.4\n21.0.0.0/8 VirtualAppliance nic:fw@10.1.0.4\n"},
    {"3.1 VirtualNetworkGateway, VnetLocal, None",
     A QUIET "udr t 20.0.0.0/8 VirtualNetworkGateway\nudr t 21.0.0.0/8 VnetLocal\nudr t 22.0.0.0/8 None\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/8 VirtualNetworkGateway dead\n21.0.0.0/8 VnetLocal endpoint:a\n"
     "22.0.0.0/8 None drop\n"},
    {"5.5 ECMP: one member for each next hop, a dead one keeps its place",
     A QUIET "rs rs a\nnic a/s nva1 10.0.2.4\nnic a/s nva3 10.0.2.6\nlearn rs 9.0.0.0/8 10.0.2.4 10.0.2.5 10.0.2.6\n",
     "0.0.0.0/0 None drop\n9.0.0.0/8 VirtualNetworkGateway nic:nva1@10.0.2.4 dead@10.0.2.5 nic:nva3@10.0.2.6\n" A_FWD},
    {"3.1 frontend of a load balancer: all backends, and packets to the frontend itself",
     A QUIET "nic a/s nva1 10.0.2.4\nnic a/s nva2 10.0.2.5\nlb a/s lb 10.0.2.9 nva1 nva2\n"
             "udr t 20.0.0.0/8 VirtualAppliance 10.0.2.9\n",
     "0.0.0.0/0 None drop\n10.0.0.0/16 VnetLocal endpoint:a\n10.0.2.9/32 VnetLocal " BOTH
     "10.1.0.0/16 VNetPeering endpoint:b\n20.0.0.0/8 VirtualAppliance " BOTH WIRE},
    {"5.5 next hop of a learned route is a load balancer in a peered network; beside an NVA each backend counts",
     "vnet b 10.0.0.0/16\nnic b/s nva1 10.0.2.4\nnic b/s nva2 10.0.2.5\nlb b/s lb 10.0.2.9 nva1 nva2\n"
     "vnet a 10.1.0.0/16\npeer a b\npeer b a\n" QUIET "rs rs a\nnic a/s nva3 10.1.0.4\n"
     "learn rs 9.0.0.0/8 10.0.2.9\nlearn rs 8.0.0.0/8 10.0.2.9 10.1.0.4\nlook a/s\n",
     "0.0.0.0/0 None drop\n8.0.0.0/8 VirtualNetworkGateway nic:nva1@10.0.2.9 nic:nva2@10.0.2.9 nic:nva3@10.1.0.4\n"
     "9.0.0.0/8 VirtualNetworkGateway " BOTH "10.0.0.0/16 VNetPeering endpoint:b\n10.0.2.9/32 VNetPeering " BOTH
     "10.1.0.0/16 VnetLocal endpoint:a\n"},
    {"3.1 not one two peerings away",
     "vnet z 10.7.0.0/16\nnic z/s nva1 10.7.0.4\nlb z/s lb 10.7.0.9 nva1\n" A QUIET
     "udr t 20.0.0.0/8 VirtualAppliance 10.7.0.9\nlook a/s\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/8 VirtualAppliance dead@10.7.0.9\n"},
    {"14.11 the frontend is not reached over a peering without access",
     "vnet b 10.0.0.0/16\nnic b/s nva1 10.0.2.4\nlb b/s lb 10.0.2.9 nva1\nvnet a 10.1.0.0/16\npeer a b\n"
     "peer b a noaccess\n" QUIET "look a/s\n",
     "0.0.0.0/0 None drop\n10.0.0.0/16 VNetPeering dead\n10.1.0.0/16 VnetLocal endpoint:a\n"},
    {"10 a user route around the frontend takes its packets away",
     A QUIET "nic a/s nva1 10.0.2.4\nlb a/s lb 10.0.2.9 nva1\nudr t 10.0.2.0/24 None\n",
     "0.0.0.0/0 None drop\n10.0.0.0/16 VnetLocal endpoint:a\n10.0.2.0/24 None drop\n"
     "10.1.0.0/16 VNetPeering endpoint:b\n" WIRE},
    {"10 168.63.129.16 is reached whatever the routes",
     A QUIET "nic a/s nva1 10.0.2.4\nlb a/s lb 10.0.2.9 nva1\nudr t 168.63.129.16/32 None\n"
             "udr t 10.0.2.9/32 None\n",
     "0.0.0.0/0 None drop\n10.0.0.0/16 VnetLocal endpoint:a\n10.0.2.9/32 None drop\n"
     "10.1.0.0/16 VNetPeering endpoint:b\n" WIRE},
    {"7 service endpoint: its hosts, and nothing else of the prefix",
     A QUIET "service S 20.0.0.0/16\nhost S 20.0.0.9\nhost S 20.0.0.5\nendpoint a/s S\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/16 VirtualNetworkServiceEndpoint dead\n"
     "20.0.0.5/32 VirtualNetworkServiceEndpoint service-host:S/20.0.0.5\n"
     "20.0.0.9/32 VirtualNetworkServiceEndpoint service-host:S/20.0.0.9\n"},
    {"7 no host route without the endpoint", A QUIET "service S 20.0.0.0/16\nhost S 20.0.0.9\n",
     "0.0.0.0/0 None drop\n" A_FWD},
    {"2.1-4 routes at or inside its prefix are left out, those around it stay",
     A QUIET
     "service S 20.0.0.0/16\nhost S 20.0.0.9\nendpoint a/s S\nrs rs a\nnic a/s nva1 10.0.2.4\n"
     "learn rs 20.0.0.0/24 10.0.2.4\nlearn rs 20.0.0.0/8 10.0.2.4\nudr t 20.0.0.9/32 None\nudr t 20.0.0.0/16 None\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/8 VirtualNetworkGateway nic:nva1@10.0.2.4\n"
     "20.0.0.0/16 VirtualNetworkServiceEndpoint dead\n"
     "20.0.0.9/32 VirtualNetworkServiceEndpoint service-host:S/20.0.0.9\n"},
    {"7 a prefix that is just its host, IPv6 too",
     A QUIET "service S 20.0.0.9/32 2001:db8::1/128\nhost S 20.0.0.9\nhost S 2001:db8::1\nendpoint a/s S\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.9/32 VirtualNetworkServiceEndpoint service-host:S/20.0.0.9\n"
     "2001:db8::1/128 VirtualNetworkServiceEndpoint service-host:S/2001:db8::1\n"},
    {"7 a service inside another: the longer prefix decides whose hosts are reached",
     A QUIET "service S 20.0.0.0/8\nhost S 20.1.0.9\nhost S 20.2.0.9\nservice T 20.1.0.0/16\nendpoint a/s S\n"
             "endpoint a/s T\n",
     "0.0.0.0/0 None drop\n" A_FWD "20.0.0.0/8 VirtualNetworkServiceEndpoint dead\n"
     "20.1.0.0/16 VirtualNetworkServiceEndpoint dead\n"
     "20.2.0.9/32 VirtualNetworkServiceEndpoint service-host:S/20.2.0.9\n"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct lab lab;

    lab_init(&lab);
    lab_add(&lab, row->lab);
    struct vnrs_fwd_table table = fwd_of(&lab);
    _free_ char *have = fwd_format(&table);
    assert_string_equal(have, row->want);
    lab_fini(&lab);
}

static void check_platform(struct lab *lab, enum vnrs_fwd_platform which, const char *want)
{
    struct vnrs_fwd_table table = {0};

    assert_int_equal(vnrs_fwd_platform(&lab->model, lab->model.arena, which, &table), 0);
    _free_ char *have = fwd_format(&table);
    assert_string_equal(have, want);
}

static void platform_tables(void **state)
{
    struct lab lab;
    (void)state;

    lab_init(&lab);
    lab_add(&lab, "vnet a 10.0.0.0/16 fd00:1::/48\nvnet b 10.1.0.0/16\nvnet again 10.0.0.0/16\n"
                  "service S 20.0.0.0/16\nhost S 20.0.0.9\n");
#define RANGES                                                                                                         \
    "10.0.0.0/16 VnetLocal endpoint:a\n10.1.0.0/16 VnetLocal endpoint:b\n"                                             \
    "20.0.0.9/32 VirtualNetworkServiceEndpoint service-host:S/20.0.0.9\n"
#define RANGES6 "fd00:1::/48 VnetLocal endpoint:a\n"
    check_platform(&lab, VNRS_FWD_PLATFORM_EDGE, "0.0.0.0/0 None drop\n" RANGES "::/0 None drop\n" RANGES6);
    check_platform(&lab, VNRS_FWD_PLATFORM_SERVICE, "0.0.0.0/0 None drop\n" RANGES "::/0 None drop\n" RANGES6);
    lab_add(&lab, "internet\n");
    check_platform(&lab, VNRS_FWD_PLATFORM_EDGE, "0.0.0.0/0 None drop\n" RANGES "::/0 None drop\n" RANGES6);
    check_platform(&lab, VNRS_FWD_PLATFORM_SERVICE,
                   "0.0.0.0/0 Internet internet\n" RANGES "::/0 Internet internet\n" RANGES6);
    lab_fini(&lab);
}

static void equal_next_hops_share_members(void **state)
{
    struct lab lab;
    (void)state;

    lab_init(&lab);
    lab_add(&lab, "vnet a 10.0.0.0/16\nrs rs a\ntable t\nattach a/s t\nudr t 0.0.0.0/0 VirtualAppliance 10.0.2.4\n"
                  "learn rs 20.0.0.0/8 10.0.2.4 10.0.2.5\nlearn rs 21.0.0.0/8 10.0.2.4 10.0.2.5\n"
                  "learn rs 22.0.0.0/8 10.0.2.4\n");
    struct vnrs_fwd_table table = fwd_of(&lab);
    const struct vnrs_fwd_route *r = table.routes.items; // 0/0, 10.0/16, 20/8, 21/8, 22/8
    assert_int_equal(table.routes.len, 5);
    assert_ptr_equal(r[2].members, r[3].members);
    assert_ptr_equal(r[0].members, r[4].members);
    assert_ptr_not_equal(r[2].members, r[4].members);
    lab_fini(&lab);
}

// Random tables: the index, a scan of the rows, and one longest-prefix match over the forwarding table agree.

static uint32_t seed = 20261123;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)seed >> 8) * below >> 24);
}

// Few bits differ, so that prefixes nest and addresses hit.
static struct vnrs_addr draw_addr(void)
{
    struct vnrs_addr addr = {.family = draw(4) ? VNRS_AF_IPV4 : VNRS_AF_IPV6};
    static const uint8_t first[] = {10, 20, 172, 192};

    addr.bytes[0] = first[draw(4)];
    addr.bytes[1] = (uint8_t)draw(4);
    for (unsigned i = 2; i < vnrs_af_bits(addr.family) / 8; i++)
        addr.bytes[i] = (uint8_t)(draw(4) * 85);
    return addr;
}

static const char *draw_prefix(char buf[static VNRS_PREFIX_STR_MAX], unsigned min_len)
{
    struct vnrs_addr addr = draw_addr();
    struct vnrs_prefix prefix = vnrs_prefix_make(&addr, min_len + draw(33 - min_len));
    return vnrs_prefix_format(&prefix, buf);
}

static void lab_random(struct lab *lab)
{
    static const char *const types[] = {"None", "VnetLocal", "Internet", "VirtualNetworkGateway",
                                        "VirtualAppliance 10.0.2.4"};
    char line[256], prefix[VNRS_PREFIX_STR_MAX];

    lab_add(lab, "internet\nvnet a 10.0.0.0/16\nvnet b 10.1.0.0/16 172.16.0.0/12\npeer a b\npeer b a\nrs rs a\n"
                 "nic a/s nva 10.0.2.4\ntable t\nattach a/s t\nservice S 20.1.0.0/16\nservice T 20.1.85.0/24\n"
                 "endpoint a/s S\nendpoint a/s T\n");
    for (uint32_t i = 0, n = draw(3); i < n; i++) {
        snprintf(line, sizeof(line), "vnet x%u %s\npeer a x%u\npeer x%u a\n", i, draw_prefix(prefix, 8), i, i);
        lab_add(lab, line);
    }
    for (uint32_t i = 0, n = draw(20); i < n; i++) {
        struct vnrs_prefix drawn = lab_prefix(draw_prefix(prefix, 0));
        bool taken = false; // one route of a prefix in a table, one entry of it in what is learned
        if (lab->n_learned) {
            for (size_t k = 0; k < lab->learned[0].n_routes; k++)
                taken |= vnrs_prefix_equal(&lab->learned[0].routes[k].prefix, &drawn);
        }
        snprintf(line, sizeof(line), "learn rs %s 10.0.2.4%s\n", prefix, draw(2) ? " 10.0.2.5" : "");
        if (!taken)
            lab_add(lab, line);
    }
    for (uint32_t i = 0, n = draw(12); i < n; i++) {
        struct vnrs_prefix drawn = lab_prefix(draw_prefix(prefix, 0));
        bool taken = false;
        list_foreach (udr, &lab->model.route_tables.items[0].routes)
            taken |= vnrs_prefix_equal(&udr->prefix, &drawn);
        snprintf(line, sizeof(line), "udr t %s %s\n", prefix, types[draw(ARRAY_SIZE(types))]);
        if (!taken)
            lab_add(lab, line);
    }
    for (uint32_t i = 0; i < 6; i++) {
        char ip[VNRS_ADDR_STR_MAX];
        struct vnrs_addr addr = draw_addr();
        snprintf(line, sizeof(line), "host %s %s\n", draw(2) ? "S" : "T", vnrs_addr_format(&addr, ip));
        if (addr.family == VNRS_AF_IPV4 && addr.bytes[0] == 20)
            lab_add(lab, line);
    }
}

static const struct vnrs_eff_route *naive_match(const struct vnrs_domain *domain, const struct vnrs_addr *dst)
{
    const struct vnrs_eff_route *best = NULL;

    list_foreach (row, &domain->routes) {
        if (row->state != VNRS_ROUTE_ACTIVE || !vnrs_prefix_contains_addr(&row->prefix, dst))
            continue;
        bool first = row->type == VNRS_NH_SERVICE_ENDPOINT, best_first = best && best->type == VNRS_NH_SERVICE_ENDPOINT;
        if (!best || first > best_first || (first == best_first && row->prefix.len > best->prefix.len))
            best = row;
    }
    return best;
}

static const struct vnrs_host *service_host(const struct vnrs_service *service, const struct vnrs_addr *dst)
{
    list_foreach (host, &service->hosts) {
        if (vnrs_addr_equal(&host->ip, dst))
            return host;
    }
    return NULL;
}

static void check_decision(const struct vnrs_eff_route *want, const struct vnrs_fwd_route *have,
                           const struct vnrs_addr *dst)
{
    if (!want) {
        assert_null(have);
        return;
    }
    assert_non_null(have);
    assert_int_equal(have->type, want->type);
    if (want->type != VNRS_NH_SERVICE_ENDPOINT) {
        assert_true(vnrs_prefix_equal(&have->prefix, &want->prefix));
        assert_int_equal(have->n, MAX(want->n_next_hops, 1u));
        return;
    }
    const struct vnrs_host *host = service_host(want->service, dst);
    assert_int_equal(have->members[0].kind, host ? VNRS_FWD_SERVICE_HOST : VNRS_FWD_DEAD);
    if (host)
        assert_true(vnrs_addr_equal(&have->members[0].service->hosts.items[have->members[0].host].ip, dst));
}

static void one_match_decides_as_the_rules_do(void **state)
{
    size_t by_type[_VNRS_NH_MAX] = {0}, hosts = 0;
    (void)state;

    for (int round = 0; round < 400; round++) {
        struct lab lab;
        lab_init(&lab);
        lab_random(&lab);
        struct vnrs_fwd_table table = fwd_of(&lab);
        const struct vnrs_domain *domain = vnrs_routing_domain(lab.routing, lab.look);
        struct vnrs_trie trie = {0};
        list_foreach (route, &table.routes)
            assert_int_equal(vnrs_trie_put(&trie, &route->prefix, route), 0);
        assert_int_equal(trie.len, table.routes.len);
        for (int i = 0; i < 250; i++) {
            struct vnrs_addr dst = draw_addr();
            if (i < 6 && (size_t)i < lab.model.services.items[i % 2].hosts.len)
                dst = lab.model.services.items[i % 2].hosts.items[i].ip;
            const struct vnrs_eff_route *want = naive_match(domain, &dst);
            const struct vnrs_fwd_route *have = vnrs_trie_match(&trie, &dst, NULL);
            assert_ptr_equal(vnrs_domain_match(domain, &dst), want);
            check_decision(want, have, &dst);
            by_type[want ? want->type : VNRS_NH_NONE]++;
            hosts += have && have->members[0].kind == VNRS_FWD_SERVICE_HOST;
        }
        vnrs_trie_fini(&trie);
        lab_fini(&lab);
    }
    // The draw reaches everything but the type that no random lab has.
    for (enum vnrs_nexthop_type type = 0; type < _VNRS_NH_MAX; type++)
        assert_true(by_type[type] > 50 || type == VNRS_NH_VNET_GLOBAL_PEERING);
    assert_true(hosts > 50);
}

int main(void)
{
    const struct CMUnitTest more[] = {
        cmocka_unit_test(platform_tables),
        cmocka_unit_test(equal_next_hops_share_members),
        cmocka_unit_test(one_match_decides_as_the_rules_do),
    };
    struct CMUnitTest tests[ARRAY_SIZE(rows) + ARRAY_SIZE(more)];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = check_row,
            .initial_state = (void *)&rows[i],
        };
    }
    memcpy(tests + ARRAY_SIZE(rows), more, sizeof(more));
    return _cmocka_run_group_tests("routing.resolve", tests, ARRAY_SIZE(tests), NULL, NULL);
}
