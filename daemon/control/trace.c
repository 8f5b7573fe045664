// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/trace.h"

#include "routing/resolve.h"
#include "util/arena.h"
#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

#define HOPS_MAX 16u

struct way {
    const struct vnrs_lab *lab;
    struct vnrs_arena *arena;
    struct vnrs_addr to;
    json_t *hops;
    const struct vnrs_nic *passed[HOPS_MAX]; // NICs that decided
    const char *via[HOPS_MAX];               // appliances, gateways and circuits between the ends
    unsigned n_passed, n_via;
    const char *result, *reason; // of the end
    char who[VNRS_KEY_MAX];
    const struct vnrs_nic *end;               // delivered to it, or to a host behind its machine
    const struct vnrs_connection *connection; // delivered at the site of it
};

static void end_way(struct way *way, const char *result, const char *who, const char *reason)
{
    way->result = result;
    way->reason = reason;
    vnrs_str_copy(way->who, sizeof(way->who), who);
}

static void pass(struct way *way, const char *name)
{
    if (way->n_via < HOPS_MAX)
        way->via[way->n_via++] = name;
}

static json_t *hops_json(const struct vnrs_eff_route *route)
{
    char ip[VNRS_ADDR_STR_MAX];
    json_t *ips = json_array();

    for (unsigned i = 0; i < route->n_next_hops; i++)
        (void)json_array_append_new(ips, json_string(vnrs_addr_format(&route->next_hops[i], ip)));
    return ips;
}

static void add_hop(struct way *way, const struct vnrs_nic *nic, const struct vnrs_eff_route *route)
{
    char prefix[VNRS_PREFIX_STR_MAX];

    (void)json_array_append_new(
        way->hops,
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s}", "at", nic->machine->name, "nic", nic->name, "addressPrefix",
                  vnrs_prefix_format(&route->prefix, prefix), "nextHopType",
                  vnrs_next_hop_name(route->type, route->ecmp), "nextHopIpAddresses", hops_json(route), "routeTableId",
                  route->table ? route->table->name : "System Route", "why", route->why ? route->why : ""));
}

// A hop outside the fabric: what a gateway, an edge router or a site does.
static void add_outer(struct way *way, const char *at, const char *next, const char *why)
{
    (void)json_array_append_new(way->hops, json_pack("{s:s, s:s, s:s, s:s, s:[s], s:s, s:s}", "at", at, "nic", "",
                                                     "addressPrefix", "", "nextHopType", "", "nextHopIpAddresses", next,
                                                     "routeTableId", "", "why", why));
}

// ---- ends

static const struct vnrs_host *host_behind(const struct vnrs_machine *machine, const struct vnrs_addr *addr)
{
    list_foreach (host, &machine->hosts) {
        if (vnrs_addr_equal(&host->ip, addr))
            return host;
    }
    return NULL;
}

static bool has_addr(const struct vnrs_nic *nic, const struct vnrs_addr *addr)
{
    list_foreach (ip, &nic->ips) {
        if (vnrs_addr_equal(ip, addr))
            return true;
    }
    return false;
}

// In the virtual network itself: to the NIC with the address, or nobody.
static void deliver(struct way *way, const struct vnrs_vnet *vnet)
{
    const struct vnrs_nic *nic = vnrs_reach_find(way->lab->reach, vnet, &way->to);

    way->end = nic;
    vec_foreach (speaker, &way->lab->speakers.list) {
        if (!nic && speaker->rs && speaker->hub == vnet && vnrs_addr_equal(&speaker->config.local, &way->to)) {
            end_way(way, "delivered", speaker->key, "");
            return;
        }
    }
    if (nic)
        end_way(way, "delivered", nic->name, "");
    else if (vnrs_reach_balancer(way->lab->reach, vnet, &way->to))
        end_way(way, "delivered", vnrs_reach_balancer(way->lab->reach, vnet, &way->to)->name, "a load balancer");
    else
        end_way(way, "dropped", "", "nobody in the virtual network has the address");
}

static void reach_site(struct way *way, const struct vnrs_connection *connection)
{
    const struct vnrs_site *site = connection->site;
    const struct vnrs_host *host = host_behind(site->machine, &way->to);

    pass(way, connection->type == VNRS_CONNECTION_IPSEC ? connection->gateway->name : connection->name);
    way->connection = connection;
    add_outer(way, site->name, host ? host->name : "", "the router of the site");
    end_way(way, "delivered", host ? host->name : site->name, host ? "" : "a network behind the site");
}

// ---- gateways and edge routers

static const struct vnrs_connection *connection_to(const struct vnrs_lab *lab, const struct vnrs_speaker *speaker,
                                                   const struct vnrs_addr *next_hop)
{
    if (speaker->connection)
        return speaker->connection;
    list_foreach (connection, &lab->model->connections) {
        if (connection->gateway == speaker->gateway && vnrs_addr_equal(&connection->site->bgp_ip, next_hop))
            return connection;
    }
    return NULL;
}

// What the instance learned for the address itself. `*ret_len`: how long the prefix is.
static const struct vnrs_connection *find_learned(const struct way *way, const struct vnrs_speaker *speaker,
                                                  int *ret_len)
{
    struct vnrs_learned_db *db = vnrs_lab_learned_in(way->lab, speaker->key);
    unsigned len = VNRS_PREFIX_LENS_MAX;
    struct vnrs_learned_merged merged;
    uint32_t id;

    while (db && (id = vnrs_prefixes_around(&way->lab->prefixes, &way->to, &len))) {
        if (!vnrs_learned_get(db, id, &merged) || !merged.set->n)
            continue;
        *ret_len = vnrs_prefixes_prefix(&way->lab->prefixes, id).len;
        return connection_to(way->lab, speaker, &merged.set->paths[0].nexthop);
    }
    return NULL;
}

// Tunnels of connections without BGP, and the way to a peer in one.
static const struct vnrs_connection *find_static(const struct way *way, const struct vnrs_speaker *speaker, int len)
{
    const struct vnrs_connection *found = NULL;

    list_foreach (connection, &way->lab->model->connections) {
        if (connection->gateway != speaker->gateway || connection->type != VNRS_CONNECTION_IPSEC)
            continue;
        if (vnrs_addr_equal(&connection->site->bgp_ip, &way->to))
            return connection;
        list_foreach (prefix, &connection->site->prefixes) {
            if (connection->enable_bgp || (int)prefix->len <= len || !vnrs_prefix_contains_addr(prefix, &way->to))
                continue;
            len = prefix->len;
            found = connection;
        }
    }
    return found;
}

// True: it leaves the virtual networks here. Else the instance gives it back to the fabric.
static bool leaves_by(struct way *way, const struct vnrs_machine *machine)
{
    const struct vnrs_speaker *speaker = vnrs_speakers_find(&way->lab->speakers, machine->name);
    int len = -1;

    if (!speaker)
        return false;
    const struct vnrs_connection *learned = find_learned(way, speaker, &len);
    const struct vnrs_connection *fixed = speaker->connection ? NULL : find_static(way, speaker, len);
    const struct vnrs_connection *by = fixed ? fixed : learned;
    if (!by)
        return false;
    const char *why = vnrs_arena_printf(way->arena, "%s of connection '%s'%s", by->links[0].msee ? "circuit" : "tunnel",
                                        by->name, fixed ? ", a static prefix" : "");
    add_outer(way, machine->name, by->site->name, why ? why : "");
    reach_site(way, by);
    return true;
}

// ---- hop by hop

// To a NIC that is a next hop. Returns the one that decides next; NULL: the way has ended.
static const struct vnrs_nic *arrive(struct way *way, const struct vnrs_nic *nic)
{
    const struct vnrs_machine *machine = nic->machine;
    const struct vnrs_host *host = host_behind(machine, &way->to);

    if (has_addr(nic, &way->to)) {
        way->end = nic;
        end_way(way, "delivered", nic->name, "");
    } else if (!nic->forwarding) {
        end_way(way, "dropped", nic->name, "the NIC does not forward (enableIPForwarding)");
    } else if (host) {
        pass(way, machine->name);
        way->end = nic;
        end_way(way, "delivered", host->name, "");
    } else if (machine->role == VNRS_MACHINE_USER || !leaves_by(way, machine)) {
        if (machine->role == VNRS_MACHINE_USER)
            pass(way, machine->name);
        return nic;
    }
    return NULL;
}

// By a route with next hops: the first one stands for all.
static const struct vnrs_nic *take_hop(struct way *way, const struct vnrs_nic *nic, const struct vnrs_eff_route *route)
{
    struct vnrs_fwd_member members[VNRS_LEARNED_PATHS_MAX] = {0};

    if (route->n_next_hops)
        (void)vnrs_fwd_nexthop(way->lab->reach, nic->subnet->vnet, &route->next_hops[0], members, ARRAY_SIZE(members));
    if (members[0].nic)
        return arrive(way, members[0].nic);
    end_way(way, "dropped", "", route->n_next_hops ? "nobody has the next hop" : "there is no next hop");
    return NULL;
}

static void leave_fabric(struct way *way, const struct vnrs_eff_route *route)
{
    const struct vnrs_model *model = way->lab->model;
    const struct vnrs_host *hosts = route->service ? route->service->hosts.items : model->internet.hosts.items;
    size_t n = route->service ? route->service->hosts.len : model->internet.hosts.len;

    if (!route->service && !model->internet.present) {
        end_way(way, "dropped", "", "this lab has no Internet");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (vnrs_addr_equal(&hosts[i].ip, &way->to)) {
            end_way(way, "delivered", hosts[i].name, "");
            return;
        }
    }
    end_way(way, "dropped", "",
            route->service ? "no host of the service has the address" : "nobody on the Internet has the address");
}

static const struct vnrs_nic *follow(struct way *way, const struct vnrs_nic *nic, const struct vnrs_eff_route *route)
{
    switch (route->type) {
    case VNRS_NH_VNET_LOCAL:
    case VNRS_NH_VNET_PEERING:
    case VNRS_NH_VNET_GLOBAL_PEERING:
        deliver(way, route->vnet);
        return NULL;
    case VNRS_NH_GATEWAY:
    case VNRS_NH_APPLIANCE:
        return take_hop(way, nic, route);
    case VNRS_NH_INTERNET:
    case VNRS_NH_SERVICE_ENDPOINT:
        leave_fabric(way, route);
        return NULL;
    default:
        end_way(way, "dropped", "", "the next hop is None");
        return NULL;
    }
}

static bool was_here(const struct way *way, const struct vnrs_nic *nic)
{
    for (unsigned i = 0; i < way->n_passed; i++) {
        if (way->passed[i] == nic)
            return true;
    }
    return false;
}

static int walk(struct way *way, const struct vnrs_nic *nic)
{
    struct vnrs_domain domain;

    while (nic) {
        const struct vnrs_domain *base = vnrs_routing_domain(way->lab->routing, nic->subnet);
        int r = vnrs_lab_domain_compute(way->lab, base, VNRS_LAB_LEARNED_AROUND, &way->to, way->arena, &domain);
        if (r < 0)
            return r;
        const struct vnrs_eff_route *route = vnrs_domain_match(&domain, &way->to);
        if (was_here(way, nic) || way->n_passed == HOPS_MAX) {
            end_way(way, "loop", nic->machine->name, "the packet comes back here until its TTL ends");
            return 0;
        }
        way->passed[way->n_passed++] = nic;
        if (!route) {
            end_way(way, "dropped", "", "no route leads there");
            return 0;
        }
        add_hop(way, nic, route);
        nic = follow(way, nic, route);
    }
    return 0;
}

// Back from a site: by the connection that led there.
static const struct vnrs_nic *leave_site(struct way *way, const struct vnrs_connection *connection)
{
    bool is_ipsec = connection->type == VNRS_CONNECTION_IPSEC;
    const struct vnrs_nic *nic = is_ipsec ? connection->gateway->instances[0].nic : connection->links[0].nic;

    add_outer(way, connection->site->name, nic->machine->name, "the way it came; the site's router decides");
    pass(way, is_ipsec ? connection->gateway->name : connection->name);
    return nic;
}

static json_t *way_json(struct way *way)
{
    return json_pack("{s:O, s:s, s:s, s:s}", "hops", way->hops, "result", way->result ? way->result : "dropped", "to",
                     way->who, "reason", way->reason ? way->reason : "");
}

static bool is_mirrored(const struct way *forward, const struct way *back)
{
    if (forward->n_via != back->n_via)
        return false;
    for (unsigned i = 0; i < forward->n_via; i++) {
        if (strcmp(forward->via[i], back->via[back->n_via - 1 - i]) != 0)
            return false;
    }
    return true;
}

json_t *vnrs_trace_json(const struct vnrs_lab *lab, const struct vnrs_nic *from, const struct vnrs_addr *to)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    struct way forward = {.lab = lab, .arena = arena, .to = *to, .hops = json_array()};
    struct way back = {.lab = lab, .arena = arena, .hops = json_array()};
    bool returns = false;
    json_t *answer = NULL;
    int r = arena ? walk(&forward, from) : -1;

    list_foreach (ip, &from->ips) {
        if (!back.to.family && ip->family == to->family)
            back.to = *ip;
    }
    if (r == 0 && back.to.family && (forward.end || forward.connection)) {
        const struct vnrs_nic *begin = forward.end;
        // A host behind an appliance sends through it.
        if (begin && !has_addr(begin, to))
            pass(&back, begin->machine->name);
        if (!begin)
            begin = leave_site(&back, forward.connection);
        returns = true;
        r = walk(&back, begin);
    }
    if (r == 0)
        answer =
            json_pack("{s:o, s:o, s:b}", "forward", way_json(&forward), "back", returns ? way_json(&back) : json_null(),
                      "asymmetric", (int)(returns && !is_mirrored(&forward, &back)));
    json_decref(forward.hops);
    json_decref(back.hops);
    vnrs_arena_free(arena);
    return answer;
}
