// SPDX-License-Identifier: GPL-2.0-or-later
// Small models for the tests of the routing layer, written as one command a line:
//
//   vnet NAME RANGE…                     with a subnet NAME/s
//   subnet VNET NAME                     one more
//   peer VNET REMOTE [global] [noaccess] [transit] [use] [forwarded] [sync=PREFIX]    one direction; what it knows of
//                                        the remote network's ranges
//   table NAME [nopropagation] [nopeering]
//   none documented|legacy|platform
//   tag NAME PREFIX…                     a service tag
//   udr TABLE PREFIX|TAG TYPE [IP…]      the name of the route is its destination; several: VirtualApplianceEcmp
//   attach VNET/SUBNET TABLE
//   rs NAME VNET [ExpressRoute|VpnGateway|ASPath]
//   gateway NAME VNET vpn|er IP…       its instances
//   learn RS|HUB PREFIX IP…|drop        BLACKHOLE
//   service NAME PREFIX…
//   host SERVICE IP
//   endpoint VNET/SUBNET SERVICE
//   nic VNET/SUBNET NAME IP…
//   lb VNET/SUBNET NAME FRONTEND NIC…    load balancer
//   internet
//   look VNET/SUBNET                     whose routes the test is about; the first subnet otherwise
#pragma once

#include "model/model.h"
#include "routing/routing.h"
#include "util/arena.h"
#include "util/strbuf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LAB_ITEMS_MAX 64

struct lab {
    struct vnrs_model model;
    struct vnrs_learned learned[LAB_ITEMS_MAX];
    size_t n_learned;
    struct vnrs_subnet *look;
    struct vnrs_routing *routing;
};

// A list whose items never move: room for LAB_ITEMS_MAX is taken with the first one.
#define LAB_PUSH(lab, list)                                                                                            \
    ({                                                                                                                 \
        if (!(list)->items)                                                                                            \
            (list)->items = vnrs_arena_alloc((lab)->model.arena, LAB_ITEMS_MAX * sizeof(*(list)->items));              \
        assert((list)->items && (list)->len < LAB_ITEMS_MAX);                                                          \
        &(list)->items[(list)->len++];                                                                                 \
    })

static inline struct vnrs_prefix lab_prefix(const char *text)
{
    struct vnrs_prefix prefix;
    int err = vnrs_prefix_parse(text, &prefix);
    if (err < 0)
        fprintf(stderr, "not a prefix: %s\n", text);
    assert(err == 0);
    return prefix;
}

static inline struct vnrs_addr lab_addr(const char *text)
{
    struct vnrs_addr addr;
    int err = vnrs_addr_parse(text, &addr);
    if (err < 0)
        fprintf(stderr, "not an address: %s\n", text);
    assert(err == 0);
    return addr;
}

// Of what is learned: an address, or "drop".
static inline struct vnrs_addr lab_hop(const char *text)
{
    return strcmp(text, "drop") == 0 ? (struct vnrs_addr){0} : lab_addr(text);
}

static inline const char *lab_name(struct lab *lab, const char *text)
{
    return vnrs_arena_strndup(lab->model.arena, text, strlen(text));
}

#define LAB_FIND(list, wanted)                                                                                         \
    ({                                                                                                                 \
        __typeof__((list)->items) found_ = NULL;                                                                       \
        list_foreach (item_, list) {                                                                                   \
            if (strcmp(item_->name, wanted) == 0)                                                                      \
                found_ = item_;                                                                                        \
        }                                                                                                              \
        if (!found_)                                                                                                   \
            fprintf(stderr, "no such name: %s\n", wanted);                                                             \
        assert(found_);                                                                                                \
        found_;                                                                                                        \
    })

static inline struct vnrs_subnet *lab_subnet(struct lab *lab, const char *ref)
{
    char vnet[64];
    const char *slash = strchr(ref, '/');
    assert(slash);
    snprintf(vnet, sizeof(vnet), "%.*s", (int)(slash - ref), ref);
    struct vnrs_vnet *parent = LAB_FIND(&lab->model.vnets, vnet);
    return LAB_FIND(&parent->subnets, slash + 1);
}

static inline struct vnrs_subnet *lab_add_subnet(struct lab *lab, struct vnrs_vnet *vnet, const char *name)
{
    struct vnrs_subnet *subnet = LAB_PUSH(lab, &vnet->subnets);
    *subnet = (struct vnrs_subnet){.name = lab_name(lab, name), .id = (unsigned)++lab->model.n_subnets, .vnet = vnet};
    if (!lab->look)
        lab->look = subnet;
    return subnet;
}

static inline void lab_add_peering(struct lab *lab, char *const *arg, size_t n)
{
    struct vnrs_peering *peering = LAB_PUSH(lab, &lab->model.peerings);

    peering->vnet = LAB_FIND(&lab->model.vnets, arg[1]);
    peering->remote = LAB_FIND(&lab->model.vnets, arg[2]);
    peering->allow_access = peering->lets_access = true;
    peering->remote_space = peering->remote->address_space;
    for (size_t i = 3; i < n; i++) {
        peering->global |= strcmp(arg[i], "global") == 0;
        peering->allow_access &= strcmp(arg[i], "noaccess") != 0;
        peering->lets_access = peering->allow_access;
        peering->allow_gateway_transit |= strcmp(arg[i], "transit") == 0;
        peering->use_remote_gateways |= strcmp(arg[i], "use") == 0;
        peering->allow_forwarded |= strcmp(arg[i], "forwarded") == 0;
        if (strncmp(arg[i], "sync=", 5) == 0) {
            peering->remote_space = (vnrs_prefix_list){0};
            *LAB_PUSH(lab, &peering->remote_space) = lab_prefix(arg[i] + 5);
        }
    }
    list_foreach (other, &lab->model.peerings) {
        if (other->vnet == peering->remote && other->remote == peering->vnet) {
            other->other = peering;
            peering->other = other;
        }
    }
}

static inline void lab_add_udr(struct lab *lab, char *const *arg, size_t n)
{
    struct vnrs_udr *udr = LAB_PUSH(lab, &LAB_FIND(&lab->model.route_tables, arg[1])->routes);

    udr->name = lab_name(lab, arg[2]);
    if (strchr(arg[2], '/'))
        udr->prefix = lab_prefix(arg[2]);
    else
        udr->tag = LAB_FIND(&lab->model.service_tags, arg[2]);
    udr->type = _VNRS_NH_MAX;
    for (enum vnrs_nexthop_type type = 0; type < _VNRS_NH_MAX; type++) {
        if (strcmp(vnrs_nexthop_type_name(type), arg[3]) == 0)
            udr->type = type;
    }
    assert(udr->type != _VNRS_NH_MAX);
    for (size_t i = 4; i < n; i++)
        *LAB_PUSH(lab, &udr->next_hops) = lab_addr(arg[i]);
    udr->ecmp = n > 5;
}

// Kept by prefix, as the contract of struct vnrs_learned wants it.
static inline void lab_add_learned(struct lab *lab, char *const *arg, size_t n)
{
    const struct vnrs_vnet *hub = NULL;
    list_foreach (rs, &lab->model.route_servers)
        hub = strcmp(rs->name, arg[1]) == 0 ? rs->vnet : hub;
    if (!hub)
        hub = LAB_FIND(&lab->model.vnets, arg[1]);
    struct vnrs_learned *learned = NULL;
    for (size_t i = 0; i < lab->n_learned; i++) {
        if (lab->learned[i].hub == hub)
            learned = &lab->learned[i];
    }
    if (!learned) {
        learned = &lab->learned[lab->n_learned++];
        learned->hub = hub;
        learned->routes = vnrs_arena_alloc(lab->model.arena, LAB_ITEMS_MAX * sizeof(*learned->routes));
    }

    struct vnrs_learned_set *set = vnrs_arena_alloc(lab->model.arena, sizeof(*set));
    for (size_t i = 3; i < n; i++)
        set->paths[set->n++] = (struct vnrs_learned_nexthop){.nexthop = lab_hop(arg[i]), .path_len = 1};
    struct vnrs_learned_route route = {.prefix = lab_prefix(arg[2]), .set = set};
    struct vnrs_learned_route *routes = (struct vnrs_learned_route *)learned->routes;
    size_t at = learned->n_routes++;
    assert(at < LAB_ITEMS_MAX);
    for (; at > 0 && vnrs_prefix_cmp(&routes[at - 1].prefix, &route.prefix) > 0; at--)
        routes[at] = routes[at - 1];
    routes[at] = route;
}

static inline void lab_add_nic(struct lab *lab, char *const *arg, size_t n)
{
    struct vnrs_nic **slot = LAB_PUSH(lab, &lab->model.nics);
    struct vnrs_nic *nic = *slot = vnrs_arena_alloc(lab->model.arena, sizeof(*nic));

    nic->subnet = lab_subnet(lab, arg[1]);
    nic->name = lab_name(lab, arg[2]);
    nic->index = (unsigned)lab->model.nics.len - 1;
    for (size_t i = 3; i < n; i++)
        *LAB_PUSH(lab, &nic->ips) = lab_addr(arg[i]);
}

static inline enum vnrs_hub_preference lab_preference(const char *name)
{
    enum vnrs_hub_preference preference = VNRS_HRP_EXPRESSROUTE;

    while (strcmp(vnrs_hub_preference_name(preference), name) != 0)
        preference++;
    return preference;
}

static inline void lab_add_gateway(struct lab *lab, char *const *arg, size_t n)
{
    struct vnrs_gateway *gateway = LAB_PUSH(lab, &lab->model.gateways);

    gateway->name = lab_name(lab, arg[1]);
    gateway->vnet = LAB_FIND(&lab->model.vnets, arg[2]);
    gateway->type = strcmp(arg[3], "vpn") == 0 ? VNRS_GATEWAY_VPN : VNRS_GATEWAY_EXPRESSROUTE;
    for (size_t i = 4; i < n; i++)
        gateway->instances[gateway->n_instances++].ip = lab_addr(arg[i]);
}

static inline void lab_add_balancer(struct lab *lab, char *const *arg, size_t n)
{
    struct vnrs_balancer *lb = LAB_PUSH(lab, &lab->model.balancers);

    *lb = (struct vnrs_balancer){
        .name = lab_name(lab, arg[2]), .subnet = lab_subnet(lab, arg[1]), .frontend = lab_addr(arg[3])};
    for (size_t i = 4; i < n; i++) {
        struct vnrs_nic *backend = NULL;
        list_foreach (nic, &lab->model.nics) {
            if (strcmp((*nic)->name, arg[i]) == 0)
                backend = *nic;
        }
        assert(backend);
        *LAB_PUSH(lab, &lb->backends) = backend;
    }
}

static inline void lab_command(struct lab *lab, char **arg, size_t n)
{
    struct vnrs_model *m = &lab->model;
    const char *verb = arg[0];

    if (strcmp(verb, "vnet") == 0) {
        struct vnrs_vnet *vnet = LAB_PUSH(lab, &m->vnets);
        vnet->name = lab_name(lab, arg[1]);
        vnet->id = (unsigned)m->vnets.len;
        for (size_t i = 2; i < n; i++)
            *LAB_PUSH(lab, &vnet->address_space) = lab_prefix(arg[i]);
        lab_add_subnet(lab, vnet, "s");
    } else if (strcmp(verb, "subnet") == 0) {
        lab_add_subnet(lab, LAB_FIND(&m->vnets, arg[1]), arg[2]);
    } else if (strcmp(verb, "peer") == 0) {
        lab_add_peering(lab, arg, n);
    } else if (strcmp(verb, "table") == 0) {
        struct vnrs_route_table *table = LAB_PUSH(lab, &m->route_tables);
        table->name = lab_name(lab, arg[1]);
        table->id = (unsigned)m->route_tables.len;
        for (size_t i = 2; i < n; i++) {
            table->disable_bgp_propagation |= strcmp(arg[i], "nopropagation") == 0;
            table->disable_peering |= strcmp(arg[i], "nopeering") == 0;
        }
    } else if (strcmp(verb, "tag") == 0) {
        struct vnrs_service_tag *tag = LAB_PUSH(lab, &m->service_tags);
        tag->name = lab_name(lab, arg[1]);
        for (size_t i = 2; i < n; i++)
            *LAB_PUSH(lab, &tag->prefixes) = lab_prefix(arg[i]);
    } else if (strcmp(verb, "udr") == 0) {
        lab_add_udr(lab, arg, n);
    } else if (strcmp(verb, "attach") == 0) {
        lab_subnet(lab, arg[1])->route_table = LAB_FIND(&m->route_tables, arg[2]);
    } else if (strcmp(verb, "rs") == 0) {
        struct vnrs_route_server *rs = LAB_PUSH(lab, &m->route_servers);
        rs->name = lab_name(lab, arg[1]);
        rs->vnet = LAB_FIND(&m->vnets, arg[2]);
        rs->preference = lab_preference(n > 3 ? arg[3] : "ExpressRoute");
    } else if (strcmp(verb, "gateway") == 0) {
        lab_add_gateway(lab, arg, n);
    } else if (strcmp(verb, "learn") == 0) {
        lab_add_learned(lab, arg, n);
    } else if (strcmp(verb, "service") == 0) {
        struct vnrs_service *service = LAB_PUSH(lab, &m->services);
        service->name = lab_name(lab, arg[1]);
        service->id = (unsigned)m->services.len;
        for (size_t i = 2; i < n; i++)
            *LAB_PUSH(lab, &service->prefixes) = lab_prefix(arg[i]);
    } else if (strcmp(verb, "host") == 0) {
        *LAB_PUSH(lab, &LAB_FIND(&m->services, arg[1])->hosts) =
            (struct vnrs_host){.name = lab_name(lab, arg[2]), .ip = lab_addr(arg[2])};
    } else if (strcmp(verb, "endpoint") == 0) {
        *LAB_PUSH(lab, &lab_subnet(lab, arg[1])->service_endpoints) = LAB_FIND(&m->services, arg[2]);
    } else if (strcmp(verb, "nic") == 0) {
        lab_add_nic(lab, arg, n);
    } else if (strcmp(verb, "lb") == 0) {
        lab_add_balancer(lab, arg, n);
    } else if (strcmp(verb, "none") == 0) {
        m->none_routes = strcmp(arg[1], "platform") == 0 ? VNRS_NONE_PLATFORM
                         : strcmp(arg[1], "legacy") == 0 ? VNRS_NONE_LEGACY
                                                         : VNRS_NONE_DOCUMENTED;
    } else if (strcmp(verb, "internet") == 0) {
        m->internet.present = true;
    } else {
        assert(strcmp(verb, "look") == 0);
        lab->look = lab_subnet(lab, arg[1]);
    }
}

static inline void lab_init(struct lab *lab)
{
    *lab = (struct lab){.model.arena = vnrs_arena_new()};
    assert(lab->model.arena);
}

// Run the commands.
static inline void lab_add(struct lab *lab, const char *commands)
{
    char *text = strdup(commands), *save_line = NULL;

    assert(text);
    for (char *line = strtok_r(text, "\n", &save_line); line; line = strtok_r(NULL, "\n", &save_line)) {
        char *arg[24], *save = NULL;
        size_t n = 0;
        for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save))
            arg[n++] = word;
        if (n)
            lab_command(lab, arg, n);
    }
    free(text);
}

static inline const struct vnrs_domain *lab_compute(struct lab *lab)
{
    vnrs_routing_free(lab->routing);
    lab->routing = vnrs_routing_compute(&lab->model, lab->learned, lab->n_learned);
    assert(lab->routing);
    return vnrs_routing_domain(lab->routing, lab->look);
}

static inline void lab_fini(struct lab *lab)
{
    vnrs_routing_free(lab->routing);
    vnrs_arena_free(lab->model.arena);
}

// "Default Active 10.0.0.0/16 VnetLocal" lines; one for each next hop. Owned by the caller.
static inline char *lab_rows(const struct vnrs_domain *domain)
{
    struct vnrs_strbuf out = {0};
    char prefix[VNRS_PREFIX_STR_MAX], ip[VNRS_ADDR_STR_MAX];

    list_foreach (row, &domain->routes) {
        for (unsigned i = 0; i == 0 || i < row->n_next_hops; i++) {
            vnrs_strbuf_printf(&out, "%s %s %s %s", vnrs_route_source_name(row->source),
                               vnrs_route_state_name(row->state), vnrs_prefix_format(&row->prefix, prefix),
                               vnrs_nexthop_type_name(row->type));
            if (i < row->n_next_hops)
                vnrs_strbuf_printf(&out, " %s", vnrs_addr_format(&row->next_hops[i], ip));
            vnrs_strbuf_puts(&out, "\n");
        }
    }
    return vnrs_strbuf_take(&out);
}
