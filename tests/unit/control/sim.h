// SPDX-License-Identifier: GPL-2.0-or-later
// A lab in which all kinds of routes meet, two speakers that say what a test has them say, and the comparison of what
// the sinks have with what a computation of the whole gives.
#pragma once

#include "control/labs.h"

#include "plan/names.h"
#include "routing/resolve.h"
#include "util/arena.h"

#define PEERS 4u

static const char *const world =
    "name: l\n"
    "dataplane: ebpf\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16, 'fd00:1::/48']\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: nva, addressPrefix: 10.0.2.0/24, routeTable: up}\n"
    "      - {name: vm, addressPrefix: 10.0.3.0/24, routeTable: own, serviceEndpoints: [{service: S}]}\n"
    "      - {name: quiet, addressPrefix: 10.0.4.0/24, routeTable: quiet}\n"
    "  - name: spoke\n"
    "    addressSpace: [10.1.0.0/16]\n"
    "    subnets: [{name: s, addressPrefix: 10.1.0.0/24}]\n"
    "  - name: far\n"
    "    addressSpace: [172.16.0.0/12]\n"
    "    subnets: [{name: s, addressPrefix: 172.16.0.0/24}]\n"
    "virtualNetworkPeerings:\n"
    "  - {virtualNetwork: hub, remoteVirtualNetwork: spoke, allowGatewayTransit: true}\n"
    "  - {virtualNetwork: spoke, remoteVirtualNetwork: hub, useRemoteGateways: true}\n"
    "  - {virtualNetwork: hub, remoteVirtualNetwork: far}\n"
    "  - {virtualNetwork: far, remoteVirtualNetwork: hub}\n"
    "routeTables:\n"
    "  - {name: up, routes: [{name: r, addressPrefix: 0.0.0.0/0, nextHopType: Internet}]}\n"
    "  - name: own\n"
    "    routes:\n"
    "      - {name: a, addressPrefix: 192.168.7.0/24, nextHopType: None}\n"
    "      - {name: b, addressPrefix: 10.9.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.4}\n"
    "  - {name: quiet, disableBgpRoutePropagation: true}\n"
    "services:\n"
    "  - {name: S, addressPrefixes: [198.18.64.0/20], hosts: [{name: h, ip: 198.18.64.10}]}\n"
    "internet: {hosts: [{name: www, ip: 203.0.113.80}]}\n"
    "routeServers:\n"
    "  - name: rs\n"
    "    virtualNetwork: hub\n"
    "    bgpConnections:\n"
    "      - {name: p0, peerIp: 10.0.2.4, peerAsn: 65001}\n"
    "      - {name: p1, peerIp: 10.0.2.5, peerAsn: 65002}\n"
    "machines:\n"
    "  - {name: vm, nics: [{subnet: hub/vm}]}\n"
    "  - {name: q, nics: [{subnet: hub/quiet}]}\n"
    "  - {name: sp, nics: [{subnet: spoke/s}]}\n"
    "  - {name: nva1, nics: [{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}]}\n"
    "  - {name: nva2, nics: [{subnet: hub/nva, privateIp: 10.0.2.5, enableIPForwarding: true}]}\n";

// Each of them meets a rule, or none.
static const char *const prefixes[] = {
    "0.0.0.0/0",      "10.0.0.0/8",      "172.16.0.0/12",    "192.168.0.0/16",  "100.64.0.0/10",   "::/0",
    "10.0.0.0/16",    "10.0.3.0/24",     "10.1.7.0/24",      "172.20.0.0/16",   "192.168.7.0/24",  "192.168.7.128/25",
    "10.9.0.0/16",    "198.18.64.0/20",  "198.18.64.128/25", "198.18.64.10/32", "198.18.0.0/16",   "10.50.0.0/16",
    "10.50.3.0/24",   "fd00:1:0:7::/64", "2001:db8::/32",    "203.0.113.0/24",  "203.0.113.80/32", "10.0.0.0/9",
    "192.168.0.0/20",
};
static const char *const hops[PEERS] = {"10.0.2.4", "10.0.2.5", "10.0.2.9", "9.9.9.9"}; // the last two: nobody's

struct said {
    uint8_t peers, len; // who announces it, how long the paths are
    bool drop;          // BLACKHOLE
};

struct sim {
    struct fixture *f;
    struct fake_speaker speakers[2];
    struct said said[2][ARRAY_SIZE(prefixes)];
    bool moved[ARRAY_SIZE(prefixes)]; // as a whole, by the last death; to be said one by one
    uint32_t seed;
};

static inline uint32_t draw(struct sim *sim, uint32_t n)
{
    sim->seed = sim->seed * 1664525u + 1013904223u;
    return (sim->seed >> 16) % n;
}

static inline struct vnrs_addr hop_addr(unsigned peer)
{
    struct vnrs_addr addr;
    assert_int_equal(vnrs_addr_parse(hops[peer], &addr), 0);
    return addr;
}

static inline struct vnrs_spk_set spk_set_of(const struct said *said)
{
    struct vnrs_spk_set set = {0};

    if (said->drop && said->peers)
        return (struct vnrs_spk_set){.n = 1, .paths[0] = {.path_len = said->len, .sources = said->peers}};
    for (unsigned i = PEERS; i-- > 0;) // in no particular order
        if (said->peers & 1u << i)
            set.paths[set.n++] =
                (struct vnrs_spk_nexthop){.nexthop = hop_addr(i), .path_len = said->len, .sources = UINT64_C(1) << i};
    return set;
}

static inline void tell(struct sim *sim, unsigned speaker, size_t prefix)
{
    const struct said *said = &sim->said[speaker][prefix];
    const struct vnrs_spk_set sets[] = {{.n = 1, .paths[0] = {.nexthop = hop_addr(3), .sources = 8}}, // not used
                                        spk_set_of(said)};
    struct vnrs_spk_route route = {.set = said->peers ? 2 : 0};

    assert_int_equal(vnrs_prefix_parse(prefixes[prefix], &route.prefix), 0);
    if (said->peers)
        speaker_say(&sim->speakers[speaker], VNRS_SPK_SETS, sets, sizeof(sets[0]), 2);
    speaker_say(&sim->speakers[speaker], VNRS_SPK_ROUTES, &route, sizeof(route), 1);
}

// Of what only this peer announces, all that is alike may go one way.
static inline void draw_heirs(struct sim *sim, unsigned speaker, unsigned peer)
{
    struct vnrs_spk_next next[4];
    size_t n = 0;

    for (unsigned kind = 0; kind < 4; kind++) {
        const struct said from = {(uint8_t)(1u << peer), (uint8_t)(1 + kind / 2), kind % 2};
        const struct said to = {(uint8_t)(draw(sim, 1u << PEERS) & ~(1u << peer)), (uint8_t)(from.len + draw(sim, 2)),
                                draw(sim, 6) == 0};
        if (draw(sim, 3) == 0)
            continue;
        next[n++] = (struct vnrs_spk_next){.from = spk_set_of(&from), .to = spk_set_of(&to)};
        for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
            if (memcmp(&sim->said[speaker][i], &from, sizeof(from)) == 0)
                sim->said[speaker][i] = to, sim->moved[i] = true;
    }
    if (n)
        speaker_say(&sim->speakers[speaker], VNRS_SPK_NEXT, next, sizeof(next[0]), n);
}

static inline void peer_dies(struct sim *sim, unsigned speaker, unsigned peer)
{
    const struct vnrs_spk_down down = {.sources = UINT64_C(1) << peer};

    memset(sim->moved, 0, sizeof(sim->moved));
    speaker_say(&sim->speakers[speaker], VNRS_SPK_DOWN, &down, sizeof(down), 1);
    draw_heirs(sim, speaker, peer);
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (!(sim->said[speaker][i].peers & 1u << peer) && !sim->moved[i])
            continue;
        sim->said[speaker][i].peers &= (uint8_t) ~(1u << peer);
        if (!draw(sim, 10))
            fixture_settle(sim->f, 1); // what is in between is looked at too
        tell(sim, speaker, i);
    }
}

static inline size_t pending(const struct vnrs_lab *lab)
{
    size_t n = lab->dirty + lab->fib_outstanding;

    vec_foreach (routes, &lab->routes)
        n += vnrs_learned_pending((*routes)->db);
    return n;
}

static inline void settle(struct sim *sim)
{
    // What the speakers said is read before what this event loop has to do then: a PEER message comes last.
    for (unsigned i = 0; i < 2; i++) {
        struct vnrs_spk_peer peer = {.name = "p0", .flaps = draw(sim, 1u << 30), .messages_in = 1};
        struct vnrs_instance *instance = vnrs_instance_find(lab_of(sim->f), i ? "rs-1" : "rs-0");
        speaker_say(&sim->speakers[i], VNRS_SPK_PEER, &peer, sizeof(peer), 1);
        RUN_UNTIL(sim->f, instance->peers.len && instance->peers.items[0].flaps == peer.flaps);
    }
    RUN_UNTIL(sim->f, !pending(lab_of(sim->f)));
}

static inline struct vnrs_learned_set set_of(const struct said *said)
{
    struct vnrs_learned_set set = {0};

    if (said->peers && said->drop)
        return (struct vnrs_learned_set){.n = 1, .paths[0].path_len = said->len};
    for (unsigned i = 0; i < PEERS; i++)
        if (said->peers & 1u << i)
            set.paths[set.n++] = (struct vnrs_learned_nexthop){.nexthop = hop_addr(i), .path_len = said->len};
    return set;
}

static inline int cmp_route(const void *a, const void *b)
{
    return vnrs_prefix_cmp(&((const struct vnrs_learned_route *)a)->prefix,
                           &((const struct vnrs_learned_route *)b)->prefix);
}

static inline const struct vnrs_fib_group *agent_group(struct sim *sim, uint32_t domain,
                                                       const struct vnrs_prefix *prefix, uint8_t *ret_type)
{
    vec_foreach (route, &sim->f->agent.routes) {
        if (route->domain == domain && vnrs_prefix_equal(&route->prefix, prefix)) {
            *ret_type = route->type;
            return &sim->f->agent.groups.items[route->group];
        }
    }
    return NULL;
}

static inline void check_route(struct sim *sim, uint32_t domain, const struct vnrs_fwd_route *want)
{
    static const uint8_t kinds[_VNRS_FWD_MAX] = {
        [VNRS_FWD_DROP] = VNRS_BPF_NH_DROP, [VNRS_FWD_ENDPOINT] = VNRS_BPF_NH_ENDPOINT,
        [VNRS_FWD_NIC] = VNRS_BPF_NH_NIC,   [VNRS_FWD_INTERNET] = VNRS_BPF_NH_NIC,
        [VNRS_FWD_DEAD] = VNRS_BPF_NH_DEAD, [VNRS_FWD_SERVICE_HOST] = VNRS_BPF_NH_NIC,
    };
    char text[VNRS_PREFIX_STR_MAX];
    uint8_t type = 0;
    const struct vnrs_fib_group *have = agent_group(sim, domain, &want->prefix, &type);

    if (!have || have->n != want->n || type != want->type)
        fail_msg("domain %u, %s: %s, %u members instead of %u", domain, vnrs_prefix_format(&want->prefix, text),
                 have ? "there" : "missing", have ? have->n : 0, want->n);
    for (unsigned i = 0; i < want->n; i++) {
        assert_int_equal(have->members[i].kind, kinds[want->members[i].kind]);
        assert_true(vnrs_addr_equal(&have->members[i].via, &want->members[i].via));
    }
}

// The whole, computed by the routing layer alone, against what the agent was told.
static inline void check_all(struct sim *sim)
{
    struct vnrs_lab *lab = lab_of(sim->f);
    struct vnrs_learned_set sets[ARRAY_SIZE(prefixes)];
    struct vnrs_learned_route routes[ARRAY_SIZE(prefixes)] = {0};
    struct vnrs_learned learned = {.hub = lab->model->route_servers.items[0].vnet, .routes = routes};
    struct vnrs_arena *arena = vnrs_arena_new();
    size_t n_want = 0, n_have = 0;

    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        struct vnrs_learned_set a = set_of(&sim->said[0][i]), b = set_of(&sim->said[1][i]);
        const struct vnrs_learned_offer offers[] = {{&a, VNRS_LEARNED_NVA}, {&b, VNRS_LEARNED_NVA}};
        vnrs_learned_merge(offers, 2, VNRS_HRP_EXPRESSROUTE, &sets[i], NULL);
        routes[learned.n_routes].set = &sets[i];
        assert_int_equal(vnrs_prefix_parse(prefixes[i], &routes[learned.n_routes].prefix), 0);
        learned.n_routes += sets[i].n > 0;
    }
    qsort(routes, learned.n_routes, sizeof(routes[0]), cmp_route);
    struct vnrs_routing *routing = vnrs_routing_compute(lab->model, &learned, 1);
    assert_non_null(routing);
    list_foreach (domain, &routing->domains) {
        uint32_t number = vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, vnrs_domain_key(arena, domain));
        struct vnrs_fwd_table table = {0};
        assert_int_equal(vnrs_fwd_resolve(lab->model, lab->reach, domain, arena, &table), 0);
        list_foreach (route, &table.routes)
            check_route(sim, number, route);
        n_want += table.routes.len;
        vec_foreach (route, &sim->f->agent.routes)
            n_have += route->domain == number;
    }
    assert_int_equal(n_have, n_want);
    vnrs_routing_free(routing);
    vnrs_arena_free(arena);
}

static inline void check_nothing_to_do(struct sim *sim)
{
    size_t before[VNRS_AG_FIB_SETTLE + 1];

    memcpy(before, sim->f->agent.n_fib, sizeof(before));
    vnrs_lab_dirty(lab_of(sim->f));
    RUN_UNTIL(sim->f, !pending(lab_of(sim->f)));
    assert_memory_equal(before, sim->f->agent.n_fib, sizeof(before));
}

static inline void sim_start(struct sim *sim, struct fixture *f)
{
    *sim = (struct sim){.f = f, .seed = 20261};
    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, world);
    sim->speakers[0] = fixture_speaker(f, "l", "rs-0");
    sim->speakers[1] = fixture_speaker(f, "l", "rs-1");
    for (unsigned i = 0; i < 2; i++) {
        RUN_UNTIL(f, speaker_hear(&sim->speakers[i]));
        RUN_UNTIL(f, vnrs_instance_find(lab_of(f), i ? "rs-1" : "rs-0")->hello);
    }
}
