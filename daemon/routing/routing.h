// SPDX-License-Identifier: GPL-2.0-or-later
// Effective routes: what a NIC's table holds, computed from the model and from the routes learned by the Route Servers.
// Pure: the same inputs give the same answer. Rules and their evidence: azure-routing.md sections 1 to 5; each test
// names the section it stands for.
//
// Subnets whose effective routes are equal by construction share one route domain (same virtual network, route table,
// propagation flag, service endpoints). It is computed once and shared by all their NICs.
#pragma once

#include "model/model.h"

enum vnrs_route_source { VNRS_SRC_DEFAULT, VNRS_SRC_GATEWAY, VNRS_SRC_USER }; // Default, VirtualNetworkGateway, User
enum vnrs_route_state { VNRS_ROUTE_ACTIVE, VNRS_ROUTE_INVALID };

const char *vnrs_nexthop_type_name(enum vnrs_nexthop_type type); // "VnetLocal"
const char *vnrs_route_source_name(enum vnrs_route_source source);
const char *vnrs_route_state_name(enum vnrs_route_state state);

// What the instances of one Route Server pass up, merged: per prefix the set of next hops. Owned by the caller of
// vnrs_routing_compute; read only.
struct vnrs_learned_nexthop {
    struct vnrs_addr nexthop;
    uint32_t peer_asn, path_len;
};

struct vnrs_learned_route {
    struct vnrs_prefix prefix;
    unsigned n;
    struct vnrs_learned_nexthop paths[16]; // by address, no duplicates
};

struct vnrs_learned { // by prefix, no duplicates
    const struct vnrs_route_server *rs;
    const struct vnrs_learned_route *routes;
    size_t n_routes;
};

// Merge what the (up to two) instances of a Route Server said about one prefix into `out`: the union when their best
// paths are equally long, else the shorter ones; by address, no duplicates (azure-routing.md 5.2, 5.5).
void vnrs_learned_merge(const struct vnrs_learned_route *a, const struct vnrs_learned_route *b,
                        struct vnrs_learned_route *out);

struct vnrs_eff_route {
    struct vnrs_prefix prefix;
    enum vnrs_route_source source;
    enum vnrs_route_state state;
    enum vnrs_nexthop_type type;
    unsigned n_next_hops;                 // 0 where the type has none
    struct vnrs_addr next_hops[16];       // one effective-routes row each
    const char *name;                     // UDR name, NULL otherwise
    const struct vnrs_route_table *table; // of the UDR
    const struct vnrs_vnet *vnet;         // VNET_LOCAL, peering: whose endpoints it leads to
    const struct vnrs_service *service;   // SERVICE_ENDPOINT
    const char *why;                      // one sentence: the rule that made it win, lose, or be there
};

struct vnrs_domain_index; // effective.h; makes vnrs_domain_match fast

struct vnrs_domain {
    unsigned id; // from 1, dense
    const struct vnrs_vnet *vnet;
    const struct vnrs_route_table *table; // NULL: none
    const struct vnrs_route_server *rs;   // whose routes are programmed here, NULL: none (also with propagation off)
    VNRS_LIST(const struct vnrs_subnet *) subnets;
    VNRS_LIST(struct vnrs_eff_route) routes; // in the order that Azure shows them (cli-api.md)
    const struct vnrs_domain_index *index;
};

struct vnrs_routing {
    struct vnrs_arena *arena;
    VNRS_LIST(struct vnrs_domain) domains;
    unsigned *domain_of_subnet; // index subnet id; domain id
};

// Compute all domains. Domain ids depend on the model only. NULL when out of memory.
struct vnrs_routing *vnrs_routing_compute(const struct vnrs_model *model, const struct vnrs_learned *learned,
                                          size_t n_learned) VNRS_MUST_CHECK;
void vnrs_routing_free(struct vnrs_routing *routing); // accepts NULL

const struct vnrs_domain *vnrs_routing_domain(const struct vnrs_routing *routing, const struct vnrs_subnet *subnet);

// The route that decides for `dst`: service endpoints first, then the longest Active prefix (azure-routing.md 2.3).
// NULL: none.
const struct vnrs_eff_route *vnrs_domain_match(const struct vnrs_domain *domain, const struct vnrs_addr *dst);

// Prefixes that a Route Server originates to its peers and protects: ranges of its virtual network and of those that
// use it (azure-routing.md 5.4, 5.5), its own first, then in file order. IPv4 only, as Azure's (5.2). `*ret` is owned
// by the caller; NULL when there are none. Returns 0 or -ENOMEM.
int vnrs_route_server_locals(const struct vnrs_model *model, const struct vnrs_route_server *rs,
                             struct vnrs_prefix **ret, size_t *ret_n) VNRS_MUST_CHECK;
