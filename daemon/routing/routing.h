// SPDX-License-Identifier: GPL-2.0-or-later
// Effective routes: what a NIC's table holds, computed from the model and from the routes learned by the Route Servers
// and gateways.
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
// As Network Watcher calls it (azure-routing.md 9.3): "VirtualApplianceEcmp" where `ecmp`.
const char *vnrs_next_hop_name(enum vnrs_nexthop_type type, bool ecmp);
const char *vnrs_route_source_name(enum vnrs_route_source source);
const char *vnrs_route_state_name(enum vnrs_route_state state);

#define VNRS_LEARNED_PATHS_MAX 16

// Who learned a route: a Route Server from its NVAs, or a gateway of that type from its sites.
enum vnrs_learned_class { VNRS_LEARNED_NVA, VNRS_LEARNED_VPN, VNRS_LEARNED_ER, _VNRS_LEARNED_CLASS_MAX };

// What the instances of one hub pass up, merged: per prefix the set of next hops. Owned by the caller of
// vnrs_routing_compute; read only. Routes with the same next hops may share a set.
struct vnrs_learned_nexthop {
    struct vnrs_addr nexthop;
    uint8_t pad[3]; // 0: compared by bytes
    uint32_t path_len;
    // Of a gateway instance, which is next hop in place of the peers beyond it: a bit for each of those, with which it
    // comes and goes. 0: a next hop that speaks for itself.
    uint64_t beyond;
};

struct vnrs_learned_set {
    unsigned n;
    struct vnrs_learned_nexthop paths[VNRS_LEARNED_PATHS_MAX]; // by address, no duplicates
};

// A next hop without an address, the only one of its set: packets are dropped (BLACKHOLE, RFC 7999).
static inline bool vnrs_learned_is_drop(const struct vnrs_learned_set *set)
{
    return set->n && set->paths[0].nexthop.family == VNRS_AF_NONE;
}

// How it came to a set of next hops; bits, 1 << enum vnrs_learned_class.
struct vnrs_learned_verdict {
    uint8_t won;    // whose next hops they are
    uint8_t ranked; // what lost by hubRoutingPreference
    uint8_t longer; // what lost by the length of its AS path
    uint8_t pad;
};

struct vnrs_learned_route {
    const struct vnrs_learned_set *set;
    struct vnrs_prefix prefix;
    struct vnrs_learned_verdict verdict; // `won` 0: not asked for
    // What is in force still, for so many seconds (routeChangeDelay); 0: the newest. Then comes `next`, NULL: nothing.
    unsigned stays_s;
    const struct vnrs_learned_set *next;
};

struct vnrs_learned {            // by prefix, no duplicates
    const struct vnrs_vnet *hub; // with the Route Server and gateways
    const struct vnrs_learned_route *routes;
    size_t n_routes;
};

struct vnrs_learned_offer { // what one instance says about a prefix
    const struct vnrs_learned_set *set;
    enum vnrs_learned_class from;
};

// Merge what the instances of a hub say about one prefix into `out`. First hubRoutingPreference: ExpressRoute before
// VPN and NVAs (equal to each other), or the other way round, or no order; then the shortest AS paths, all of them; by
// address, no duplicates (azure-routing.md 2.5, 5.2, 5.5, 5.7, 5.8). Where one of those drops packets nothing is
// shared: all are dropped. `out` may be one of the sets. `ret_verdict` may be NULL.
void vnrs_learned_merge(const struct vnrs_learned_offer *offers, size_t n, enum vnrs_hub_preference preference,
                        struct vnrs_learned_set *out, struct vnrs_learned_verdict *ret_verdict);
// The preference of a hub: its Route Server's, else ExpressRoute (azure-routing.md 2.5).
enum vnrs_hub_preference vnrs_hub_preference_of(const struct vnrs_model *model, const struct vnrs_vnet *hub);
const char *vnrs_hub_preference_name(enum vnrs_hub_preference preference); // "VpnGateway"

struct vnrs_eff_route {
    struct vnrs_prefix prefix;
    enum vnrs_route_source source;
    enum vnrs_route_state state;
    enum vnrs_nexthop_type type;
    unsigned n_next_hops;                 // 0 where the type has none
    const struct vnrs_addr *next_hops;    // one effective-routes row each, unless `ecmp`
    const char *name;                     // UDR name, NULL otherwise
    bool ecmp;                            // of the UDR: all next hops in one row
    const struct vnrs_service_tag *tag;   // of the UDR, NULL: none
    const struct vnrs_route_table *table; // of the UDR
    const struct vnrs_vnet *vnet;         // VNET_LOCAL, peering: whose endpoints it leads to
    const struct vnrs_service *service;   // SERVICE_ENDPOINT
    const char *why;                      // one sentence: the rule that made it win, lose, or be there
};

struct vnrs_reach;
struct vnrs_domain_rules; // effective.h; what learned routes meet in the domain
struct vnrs_domain_index; // effective.h; makes vnrs_domain_match fast

struct vnrs_domain {
    unsigned id; // from 1, dense
    const struct vnrs_vnet *vnet;
    const struct vnrs_route_table *table; // NULL: none
    const struct vnrs_vnet *hub;          // whose learned routes are programmed here, NULL: none (propagation off, too)
    VNRS_LIST(const struct vnrs_subnet *) subnets;
    const struct vnrs_domain_rules *rules;
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

// The domain with its routes computed anew for what domain->hub passes up (NULL: nothing): `*ret_domain` is a copy
// whose routes live in `arena`. `reach` is of the same model. Returns 0 or -ENOMEM.
int vnrs_domain_compute(const struct vnrs_domain *domain, const struct vnrs_model *model,
                        const struct vnrs_reach *reach, const struct vnrs_learned *learned, struct vnrs_arena *arena,
                        struct vnrs_domain *ret_domain) VNRS_MUST_CHECK;

// What becomes of a learned route in a domain of its hub. It depends on the prefix and the model alone, never
// on the next hops or on other learned routes.
enum vnrs_learned_fate {
    VNRS_LEARNED_USED,       // Active, and in the forwarding table
    VNRS_LEARNED_SUPPRESSED, // equal to or inside a range that system routes lead to: not shown (azure-routing.md 2.2)
    VNRS_LEARNED_ENDPOINT,   // at the prefix of a service endpoint: Invalid
    VNRS_LEARNED_SHADOWED,   // inside one: Active, but decides for no packet
    VNRS_LEARNED_OVERRIDDEN, // a user route has the prefix: Invalid
};
enum vnrs_learned_fate vnrs_domain_fate(const struct vnrs_domain *domain, const struct vnrs_prefix *prefix);
// The few prefixes whose being learned changes other rows: the default routes and the reserved ranges
// (azure-routing.md 1.2, 2.4). All other learned routes can be added and removed one by one.
bool vnrs_learned_is_pivotal(const struct vnrs_prefix *prefix);
const struct vnrs_prefix *vnrs_learned_pivots(size_t *ret_n); // static array

// The next hop as Azure shows it: of a VPN gateway that is not active-active its public address, whose packets go to
// `next_hop` all the same (azure-routing.md 6.1). `vnet`: of the NIC. Borrowed from the model, or `next_hop` itself.
const struct vnrs_addr *vnrs_next_hop_shown(const struct vnrs_model *model, const struct vnrs_vnet *vnet,
                                            enum vnrs_nexthop_type type, const struct vnrs_addr *next_hop);

const struct vnrs_domain *vnrs_routing_domain(const struct vnrs_routing *routing, const struct vnrs_subnet *subnet);

// The route that decides for `dst`: service endpoints first, then the longest Active prefix (azure-routing.md 2.3).
// NULL: none.
const struct vnrs_eff_route *vnrs_domain_match(const struct vnrs_domain *domain, const struct vnrs_addr *dst);

// Prefixes that the Route Server and the gateways of a hub originate to their peers and protect: ranges of the hub and
// of the virtual networks that use it (azure-routing.md 5.4, 5.5, 6.1), its own first, then in file order. IPv4 only,
// as Azure's (5.2). `*ret` is owned by the caller; NULL when there are none. Returns 0 or -ENOMEM.
int vnrs_hub_locals(const struct vnrs_model *model, const struct vnrs_vnet *hub, struct vnrs_prefix **ret,
                    size_t *ret_n) VNRS_MUST_CHECK;
