// SPDX-License-Identifier: GPL-2.0-or-later
// How a packet finds its way. It enters by a fabric end; a rule `iif <link>` sends it to the table of the NIC's domain.
// There its longest match is
//   - the next-hop object of a group of NICs (an NVA, a gateway, the Internet edge): a resilient group of hops
//     `via fe80::1 dev <fabric end>`, where fe80::1 is a permanent neighbour with the MAC of the machine's end. One
//     gateway address for both families and every link: nothing is ever resolved, whatever the destination;
//   - a host route to an endpoint. The table has one for each endpoint whose longest match among the domain's routes
//     leads to endpoints of its virtual network, so precedence is exactly that of the domain's routes;
//   - a route whose next hop type leads to endpoints, for addresses that nobody has: IPv4 `dev lo`, where packets end
//     (nothing there is routed on), but for which proxy ARP answers as for every address; IPv6 blackhole;
//   - None, and where the domain has no default route, the default: blackhole. So no lookup leaves the table;
//   - the gateway addresses of the subnets (.1): `dev lo`, for ARP alone.
// ARP is answered by the kernel (proxy_arp; proxy_arp_pvlan, where the way leads back to the asker's link), neighbour
// solicitations by proxy neighbours.
#include "fib/kernel_sink.h"

#include "fib/kernel_db.h"
#include "fib/kernel_links.h"
#include "fib/kernel_routes.h"
#include "vnrs/rtprot.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#define CHANGES_CHECKED_MAX 256 // more changes than this: compare whole domains instead

enum { OWNER_GROUPS, OWNER_NICS }; // of slots: by group handle, by ifindex

struct domain {
    uint32_t id;
    struct vnrs_kroutes routes;
};

struct kernel_sink {
    struct vnrs_sink sink;
    struct vnrs_nl *nl;
    struct vnrs_nhset nexthops;
    struct vnrs_fibdb db;
    struct vnrs_fabric fabric;
    struct vnrs_map domains; // by id; struct domain
    vnrs_kernel_nft_fn nft;
    void *nft_arg;
    char *nft_listed; // what nft showed after the last write
    bool in_sync, synced;
    bool suspect;                // read everything back
    bool links_dirty, nft_dirty; // NICs or endpoints changed; access lists too
};

static const struct vnrs_nlhop to_nowhere = {.ifindex = VNRS_NL_LO};

static struct kernel_sink *of(struct vnrs_sink *sink)
{
    return container_of(sink, struct kernel_sink, sink);
}

static int fail(struct kernel_sink *self, int r, const char *what, const char *text)
{
    if (r < 0) {
        self->suspect = true;
        (void)snprintf(self->sink.error, sizeof(self->sink.error), "%s%.200s", what, text ? text : strerror(-r));
    }
    return r;
}

static int sync_begin(struct vnrs_sink *sink)
{
    struct kernel_sink *self = of(sink);

    vnrs_fibdb_fini(&self->db);
    vnrs_fabric_fini(&self->fabric);
    self->in_sync = self->suspect = true;
    return 0;
}

static int group_set(struct vnrs_sink *sink, const struct vnrs_fib_group *group)
{
    return fail(of(sink), vnrs_fibdb_group_set(&of(sink)->db, group), "group: ", NULL);
}

static int route_set(struct vnrs_sink *sink, const struct vnrs_fib_route *route)
{
    char prefix[VNRS_PREFIX_STR_MAX], what[96];
    int r = vnrs_fibdb_route_set(&of(sink)->db, route);

    if (r == 0)
        return 0;
    (void)snprintf(what, sizeof(what),
                   "route '%s' of domain %u, group %u: ", vnrs_prefix_format(&route->prefix, prefix), route->domain,
                   route->group);
    return fail(of(sink), r, what, NULL);
}

static int nic_set(struct vnrs_sink *sink, const struct vnrs_fib_nic *nic)
{
    int r = vnrs_fabric_nic_set(&of(sink)->fabric, nic);

    // A link that comes or goes takes next hops and routes with it silently.
    if (r > 0)
        of(sink)->suspect = true;
    return fail(of(sink), MIN(r, 0), "NIC: ", NULL);
}

static int endpoint_set(struct vnrs_sink *sink, const struct vnrs_fib_endpoint *endpoint)
{
    int r = vnrs_fabric_endpoint_set(&of(sink)->fabric, endpoint);

    if (r > 0)
        of(sink)->links_dirty = of(sink)->nft_dirty = true;
    return fail(of(sink), MIN(r, 0), "endpoint: ", NULL);
}

static int acl_set(struct vnrs_sink *sink, const struct vnrs_fib_acl *acl)
{
    int r = vnrs_fabric_acl_set(&of(sink)->fabric, acl);

    if (r > 0)
        of(sink)->nft_dirty = true;
    return fail(of(sink), MIN(r, 0), "access list: ", NULL);
}

enum target_class { TO_DROP, TO_ENDPOINT, TO_HOPS };

// What a group is for the kernel; the hops are left empty unless TO_HOPS, dead members left out.
static enum target_class resolve(const struct vnrs_fib_group *group, struct vnrs_nlhop *hops, uint32_t *ret_n,
                                 uint32_t *ret_vnet)
{
    enum target_class class = TO_DROP;

    *ret_n = *ret_vnet = 0;
    for (uint32_t i = 0; i < group->n; i++) {
        const struct vnrs_fib_member *member = &group->members[i];
        if (member->kind == VNRS_BPF_NH_ENDPOINT) {
            *ret_vnet = member->vnet;
            return TO_ENDPOINT;
        }
        if (member->kind == VNRS_BPF_NH_DROP)
            continue;
        class = TO_HOPS;
        if (member->kind == VNRS_BPF_NH_NIC)
            hops[(*ret_n)++] = (struct vnrs_nlhop){.ifindex = member->ifindex, .via = vnrs_kernel_gateway};
    }
    return class;
}

static int nic_target(struct kernel_sink *self, uint32_t ifindex, struct vnrs_ktarget *ret_target)
{
    const struct vnrs_nlhop hop = {.ifindex = ifindex, .via = vnrs_kernel_gateway};
    int r = 0;

    if (!vnrs_nhset_find(&self->nexthops, OWNER_NICS, ifindex, 0))
        r = vnrs_nhset_put(&self->nexthops, OWNER_NICS, ifindex, 0, &hop, 1, true);
    if (r < 0)
        return r;
    *ret_target =
        (struct vnrs_ktarget){.type = RTN_UNICAST, .nh = vnrs_nhset_find(&self->nexthops, OWNER_NICS, ifindex, 0)};
    return 0;
}

static struct vnrs_ktarget nowhere(uint8_t family)
{
    return family == VNRS_AF_IPV4 ? (struct vnrs_ktarget){.type = RTN_UNICAST, .hop = &to_nowhere}
                                  : (struct vnrs_ktarget){.type = RTN_BLACKHOLE};
}

// Where a route of a domain leads in the kernel. The slots that it needs are made.
static int target_of(struct kernel_sink *self, const struct vnrs_fibdb_route *route, struct vnrs_ktarget *ret_target)
{
    struct vnrs_nlhop hops[VNRS_GROUP_MEMBERS_MAX] = {0};
    const struct vnrs_prefix *prefix = &route->prefix;
    uint32_t n, vnet;
    int r = 0;

    switch (resolve(vnrs_fibdb_group_find(&self->db, route->group), hops, &n, &vnet)) {
    case TO_DROP:
        *ret_target = (struct vnrs_ktarget){.type = RTN_BLACKHOLE};
        return 0;
    case TO_ENDPOINT:
        *ret_target = nowhere(prefix->family);
        if (prefix->len == vnrs_af_bits(prefix->family)) {
            const struct vnrs_addr addr = vnrs_prefix_addr(prefix);
            uint32_t ifindex = vnrs_fabric_endpoint_find(&self->fabric, vnet, &addr);
            return ifindex ? nic_target(self, ifindex, ret_target) : 0;
        }
        return 0;
    case TO_HOPS:
        break;
    }
    if (!vnrs_nhset_find(&self->nexthops, OWNER_GROUPS, route->group, 0))
        r = vnrs_nhset_put(&self->nexthops, OWNER_GROUPS, route->group, 0, hops, n, false);
    if (r < 0)
        return r;
    *ret_target = (struct vnrs_ktarget){.type = RTN_UNICAST,
                                        .nh = vnrs_nhset_find(&self->nexthops, OWNER_GROUPS, route->group, 0)};
    return 0;
}

static int get_domain(struct kernel_sink *self, uint32_t id, struct domain **ret_domain)
{
    struct domain *domain = vnrs_map_find(&self->domains, &id, sizeof(id));

    if (!domain) {
        _free_ struct domain *added = calloc(1, sizeof(*added));
        if (!added)
            return -ENOMEM;
        added->id = id;
        vnrs_kroutes_init(&added->routes, self->nl, &self->nexthops, VNRS_KERNEL_TABLE_DOMAIN + id, 0, VNRS_RTPROT);
        int r = vnrs_map_put(&self->domains, &added->id, sizeof(added->id), added);
        if (r < 0)
            return r;
        domain = TAKE_PTR(added);
    }
    *ret_domain = domain;
    return 0;
}

static int take_route(const struct nlmsghdr *msg, void *arg)
{
    struct kernel_sink *self = arg;
    struct vnrs_nlroute route;
    struct domain *domain;

    if (!vnrs_nlroute_decode(msg, &route) || route.table <= VNRS_KERNEL_TABLE_DOMAIN)
        return 0;
    int r = get_domain(self, route.table - VNRS_KERNEL_TABLE_DOMAIN, &domain);
    return r < 0 ? r : vnrs_kroutes_adopt(&domain->routes, &route);
}

static void restart_load(void *arg VNRS_UNUSED)
{
    // A repeated dump overwrites.
}

static void free_domains(struct kernel_sink *self)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&self->domains, &at));) {
        struct domain *domain = e->value;
        vnrs_kroutes_fini(&domain->routes);
        free(domain);
    }
    vnrs_map_fini(&self->domains);
}

// Read next hops and routes of ours back.
static int load(struct kernel_sink *self)
{
    static const uint8_t families[] = {VNRS_AF_IPV4, VNRS_AF_IPV6};
    struct vnrs_nlmsg request;

    free_domains(self);
    vnrs_nhset_release_owner(&self->nexthops, OWNER_GROUPS);
    vnrs_nhset_release_owner(&self->nexthops, OWNER_NICS);
    int r = vnrs_nhset_load(&self->nexthops);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
        vnrs_nlroute_encode_dump(families[i], VNRS_RTPROT, 0, &request);
        r = vnrs_nl_dump(self->nl, &request, restart_load, take_route, self);
    }
    return r;
}

struct walk {
    struct kernel_sink *self;
    struct domain *domain;
};

static int claim_route(const struct vnrs_prefix *prefix, void *value, void *arg)
{
    const struct walk *walk = arg;
    const struct vnrs_fibdb_route *route = value;
    struct vnrs_ktarget target;

    if (!route->group)
        return 0;
    int r = target_of(walk->self, route, &target);
    const struct vnrs_kroute *have = r == 0 && target.nh ? vnrs_kroutes_find(&walk->domain->routes, prefix) : NULL;
    if (have && have->nhid && target.nh->key.owner == OWNER_GROUPS)
        vnrs_nhset_claim(&walk->self->nexthops, OWNER_GROUPS, route->group, 0, have->nhid);
    return r;
}

static int put_route(const struct vnrs_prefix *prefix, void *value, void *arg)
{
    const struct walk *walk = arg;
    const struct vnrs_fibdb_route *route = value;
    struct vnrs_ktarget target;

    if (!route->group)
        return 0;
    int r = target_of(walk->self, route, &target);
    return r < 0 ? r : vnrs_kroutes_put(&walk->domain->routes, prefix, &target);
}

static const struct vnrs_fibdb_route *live_route(const struct vnrs_fibdb_domain *routes,
                                                 const struct vnrs_prefix *prefix)
{
    const struct vnrs_fibdb_route *route = vnrs_trie_find(&routes->routes, prefix);
    return route && route->group ? route : NULL;
}

// The longest match whose route is not about to be removed.
static const struct vnrs_fibdb_route *match(const struct vnrs_fibdb_domain *routes, const struct vnrs_addr *addr)
{
    struct vnrs_prefix prefix;
    const struct vnrs_fibdb_route *route = vnrs_trie_match(&routes->routes, addr, &prefix);

    for (unsigned len = prefix.len; route && !route->group && len-- > 0;) {
        prefix = vnrs_prefix_make(addr, len);
        const struct vnrs_fibdb_route *shorter = vnrs_trie_find(&routes->routes, &prefix);
        if (shorter)
            route = shorter;
    }
    return route && route->group ? route : NULL;
}

static int put_endpoints(struct kernel_sink *self, struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    struct vnrs_nlhop hops[VNRS_GROUP_MEMBERS_MAX];
    struct vnrs_ktarget target;
    struct vnrs_map_entry *e;
    uint32_t n, vnet;

    for (size_t at = 0; (e = vnrs_map_next(&self->fabric.endpoints, &at));) {
        const struct vnrs_fabric_endpoint *endpoint = e->value;
        const struct vnrs_prefix host = vnrs_prefix_host(&endpoint->key.addr);
        const struct vnrs_fibdb_route *route = match(routes, &endpoint->key.addr);
        if (!route || live_route(routes, &host) ||
            resolve(vnrs_fibdb_group_find(&self->db, route->group), hops, &n, &vnet) != TO_ENDPOINT ||
            vnet != endpoint->key.vnet)
            continue;
        int r = nic_target(self, endpoint->ifindex, &target);
        if (r == 0)
            r = vnrs_kroutes_put(&domain->routes, &host, &target);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_gateways(struct kernel_sink *self, struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    const struct vnrs_ktarget target = nowhere(VNRS_AF_IPV4);
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&self->fabric.nics, &at));) {
        const struct vnrs_fib_nic *nic = e->value;
        struct vnrs_addr gateway = {.family = VNRS_AF_IPV4};
        memcpy(gateway.bytes, &nic->nic.gateway_be, sizeof(nic->nic.gateway_be));
        const struct vnrs_prefix host = vnrs_prefix_host(&gateway);
        if (!nic->nic.gateway_be || nic->nic.domain != domain->id || live_route(routes, &host) ||
            vnrs_fabric_endpoint_find(&self->fabric, nic->nic.vnet, &gateway))
            continue;
        int r = vnrs_kroutes_put(&domain->routes, &host, &target);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_defaults(struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    static const uint8_t families[] = {VNRS_AF_IPV4, VNRS_AF_IPV6};
    static const struct vnrs_ktarget drop = {.type = RTN_BLACKHOLE};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
        const struct vnrs_prefix all = {.family = families[i]};
        if (!live_route(routes, &all))
            r = vnrs_kroutes_put(&domain->routes, &all, &drop);
    }
    return r;
}

// Compare a whole domain with what its table is known to have.
static int write_domain(struct kernel_sink *self, struct domain *domain)
{
    const struct vnrs_fibdb_domain *routes = vnrs_fibdb_domain_find(&self->db, domain->id);
    struct walk walk = {self, domain};
    int r = 0;

    vnrs_kroutes_unsee(&domain->routes);
    if (routes) {
        r = vnrs_trie_walk(&routes->routes, put_route, &walk);
        if (r == 0)
            r = put_endpoints(self, domain, routes);
        if (r == 0)
            r = put_gateways(self, domain, routes);
        if (r == 0)
            r = put_defaults(domain, routes);
    }
    return r < 0 ? r : vnrs_kroutes_remove_unseen(&domain->routes);
}

static bool holds_endpoint(const struct kernel_sink *self, const struct vnrs_prefix *prefix)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&self->fabric.endpoints, &at));)
        if (vnrs_prefix_contains_addr(prefix, &((const struct vnrs_fabric_endpoint *)e->value)->key.addr))
            return true;
    return false;
}

// True: the changed routes may move host routes, gateways or the default with them.
static bool needs_whole(const struct kernel_sink *self, const struct vnrs_fibdb_domain *routes)
{
    if (routes->changes.len > CHANGES_CHECKED_MAX)
        return true;
    vec_foreach (change, &routes->changes) {
        const struct vnrs_prefix *prefix = &(*change)->prefix;
        if (prefix->len == 0 || prefix->len == vnrs_af_bits(prefix->family) || holds_endpoint(self, prefix))
            return true;
    }
    return false;
}

static int write_changes(struct kernel_sink *self, struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    struct walk walk = {self, domain};
    VEC(struct vnrs_prefix) removed = {0};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < routes->changes.len; i++) {
        struct vnrs_fibdb_route *route = routes->changes.items[i];
        if (route->group)
            r = put_route(&route->prefix, route, &walk);
        else if (vnrs_kroutes_find(&domain->routes, &route->prefix))
            r = vec_push(&removed, route->prefix);
    }
    if (r >= 0)
        r = vnrs_kroutes_remove(&domain->routes, removed.items, removed.len);
    vec_free(&removed);
    return r;
}

static bool is_used(const struct kernel_sink *self, uint32_t handle)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&self->db.domains, &at));)
        if (vnrs_fibdb_refs(&self->db, ((const struct vnrs_fibdb_domain *)e->value)->id, handle))
            return true;
    return false;
}

// Slots of groups whose members changed. Returns 1 when routes have to be written again for it.
static int update_groups(struct kernel_sink *self)
{
    struct vnrs_nlhop hops[VNRS_GROUP_MEMBERS_MAX];
    struct vnrs_map_entry *e;
    uint32_t n, vnet;
    int whole = 0;

    for (size_t at = 0; self->db.groups_dirty && (e = vnrs_map_next(&self->db.groups, &at));) {
        const struct vnrs_fibdb_group *group = e->value;
        if (!group->dirty || !is_used(self, group->group.handle))
            continue;
        memset(hops, 0, sizeof(hops));
        enum target_class class = resolve(&group->group, hops, &n, &vnet);
        if (!vnrs_nhset_find(&self->nexthops, OWNER_GROUPS, group->group.handle, 0)) {
            whole = 1; // led elsewhere than to hops so far
            continue;
        }
        if (class != TO_HOPS) {
            vnrs_nhset_release(&self->nexthops, OWNER_GROUPS, group->group.handle, 0);
            whole = 1;
            continue;
        }
        int r = vnrs_nhset_put(&self->nexthops, OWNER_GROUPS, group->group.handle, 0, hops, n, false);
        if (r < 0)
            return r;
        whole |= r;
    }
    return whole;
}

// Every slot that routes will need, before they are written; slots find their objects by the routes there are.
static int prepare_nexthops(struct kernel_sink *self)
{
    struct vnrs_ktarget target;
    struct vnrs_map_entry *e;
    int r = 0;

    for (size_t at = 0; r == 0 && (e = vnrs_map_next(&self->fabric.endpoints, &at));)
        r = nic_target(self, ((const struct vnrs_fabric_endpoint *)e->value)->ifindex, &target);
    for (size_t at = 0; r == 0 && (e = vnrs_map_next(&self->db.domains, &at));) {
        const struct vnrs_fibdb_domain *routes = e->value;
        struct walk walk = {.self = self};
        r = get_domain(self, routes->id, &walk.domain);
        if (r == 0 && self->suspect)
            r = vnrs_trie_walk(&routes->routes, claim_route, &walk);
        for (size_t i = 0; r == 0 && !self->suspect && i < routes->changes.len; i++)
            if (routes->changes.items[i]->group)
                r = target_of(self, routes->changes.items[i], &target);
    }
    if (r == 0)
        r = vnrs_nhset_write(&self->nexthops);
    return r;
}

static int write_routes(struct kernel_sink *self, bool whole)
{
    struct vnrs_map_entry *e;
    int first = 0;

    for (size_t at = 0; (e = vnrs_map_next(&self->domains, &at));) {
        struct domain *domain = e->value;
        const struct vnrs_fibdb_domain *routes = vnrs_fibdb_domain_find(&self->db, domain->id);
        if (!whole && (!routes || !routes->changes.len))
            continue;
        domain->routes.failed = 0;
        int r = vnrs_kroutes_begin(&domain->routes);
        if (r == 0)
            r = whole || needs_whole(self, routes) ? write_domain(self, domain) : write_changes(self, domain, routes);
        int flushed = vnrs_kroutes_flush(&domain->routes);
        r = r < 0 ? r : flushed;
        if (r < 0)
            return r;
        if (domain->routes.failed && first == 0)
            first = fail(self, domain->routes.first_error, "", domain->routes.error);
    }
    return first;
}

static int write_nft(struct kernel_sink *self)
{
    char mark[18], error[128] = "", list[64];
    _free_ char *listed = NULL, *out = NULL;

    if (!self->nft || !self->nft_dirty)
        return 0;
    _free_ char *script = vnrs_fabric_nft_script(&self->fabric);
    if (!script)
        return fail(self, -ENOMEM, "nft: ", NULL);
    vnrs_fabric_nft_mark(script, mark);
    (void)snprintf(list, sizeof(list), "list table inet vnrs\n");
    // Right already: it carries the mark of this script and, if it is known, still reads as it did.
    if (self->nft(self->nft_arg, list, &listed, error, sizeof(error)) == 0 && strstr(listed, mark) &&
        (!self->nft_listed || strcmp(self->nft_listed, listed) == 0)) {
        self->nft_dirty = false;
        return 0;
    }
    int r = self->nft(self->nft_arg, script, &out, error, sizeof(error));
    if (r < 0)
        return fail(self, r, "nft: ", error[0] ? error : NULL);
    self->sink.writes++;
    self->nft_dirty = false;
    free(TAKE_PTR(listed));
    free(TAKE_PTR(self->nft_listed));
    if (self->nft(self->nft_arg, list, &listed, error, sizeof(error)) == 0)
        self->nft_listed = TAKE_PTR(listed);
    return 0;
}

static void release_slot(void *arg, uint32_t domain VNRS_UNUSED, uint32_t handle)
{
    struct kernel_sink *self = arg;

    if (!is_used(self, handle))
        vnrs_nhset_release(&self->nexthops, OWNER_GROUPS, handle, 0);
}

static int write_links(struct kernel_sink *self, bool rules)
{
    struct vnrs_klinks_error error;
    int r = rules ? vnrs_klinks_rules(self->nl, &self->fabric, &error)
                  : vnrs_klinks_neighbours(self->nl, &self->fabric, &error);
    return fail(self, r, "", error.text);
}

// Neighbours before next hops before routes before rules, so that no packet meets something half done.
static int write_all(struct kernel_sink *self)
{
    int first = 0, r;
    int whole = self->suspect || self->links_dirty;
    bool reload = self->suspect;

    if (reload) {
        self->links_dirty = self->nft_dirty = true;
        r = load(self);
        if (r < 0)
            return fail(self, r, "reading the fabric: ", NULL);
    }
    bool links = self->links_dirty;
    if (links)
        first = write_links(self, false);
    self->nexthops.failed = 0;
    r = update_groups(self);
    whole |= r > 0;
    if (r >= 0)
        r = prepare_nexthops(self);
    self->suspect = false;
    if (r < 0)
        return fail(self, r, "next hops: ", NULL);
    if (self->nexthops.failed && first == 0)
        first = fail(self, self->nexthops.first_error, "", self->nexthops.error);
    r = write_routes(self, whole);
    first = first < 0 ? first : r;
    if (links) {
        r = write_links(self, true);
        first = first < 0 ? first : r;
    }
    self->links_dirty = first < 0;
    r = write_nft(self);
    first = first < 0 ? first : r;
    r = vnrs_fibdb_commit(&self->db, release_slot, self);
    if (r == 0)
        r = vnrs_nhset_sweep(&self->nexthops);
    if (first < 0 || r < 0)
        self->suspect = true;
    return first < 0 ? first : fail(self, r, "", NULL);
}

static int flush(struct vnrs_sink *sink)
{
    struct kernel_sink *self = of(sink);

    if (self->in_sync || !self->synced)
        return 0;
    uint64_t before = vnrs_nl_written(self->nl);
    int r = write_all(self);
    sink->writes += vnrs_nl_written(self->nl) - before;
    return r;
}

static int sync_end(struct vnrs_sink *sink)
{
    of(sink)->in_sync = false;
    of(sink)->synced = true;
    return flush(sink);
}

static void free_sink(struct vnrs_sink *sink)
{
    if (!sink)
        return;
    struct kernel_sink *self = of(sink);
    free_domains(self);
    vnrs_fabric_fini(&self->fabric);
    vnrs_fibdb_fini(&self->db);
    vnrs_nhset_fini(&self->nexthops);
    vnrs_nl_free(self->nl);
    free(self->nft_listed);
    free(self);
}

static const struct vnrs_sink_ops kernel_ops = {
    .name = "kernel",
    .sync_begin = sync_begin,
    .group_set = group_set,
    .route_set = route_set,
    .nic_set = nic_set,
    .endpoint_set = endpoint_set,
    .acl_set = acl_set,
    .sync_end = sync_end,
    .flush = flush,
    .free = free_sink,
};

int vnrs_kernel_sink_new(int netlink_fd, struct vnrs_sink **ret_sink)
{
    _close_ int own = netlink_fd;
    _free_ struct kernel_sink *self = calloc(1, sizeof(*self));

    if (!self)
        return -ENOMEM;
    int r = vnrs_nl_new(TAKE_FD(own), &self->nl);
    if (r < 0)
        return r;
    vnrs_nhset_init(&self->nexthops, self->nl);
    self->nexthops.exclusive = self->nexthops.resilient = true;
    self->sink.ops = &kernel_ops;
    *ret_sink = &TAKE_PTR(self)->sink;
    return 0;
}

void vnrs_kernel_sink_nft_set(struct vnrs_sink *sink, vnrs_kernel_nft_fn fn, void *arg)
{
    of(sink)->nft = fn;
    of(sink)->nft_arg = arg;
    of(sink)->nft_dirty = true;
}

void vnrs_kernel_sink_legacy_set(struct vnrs_sink *sink, bool legacy)
{
    of(sink)->nexthops.legacy = legacy;
}

const struct vnrs_sysctl *vnrs_kernel_sink_sysctls(size_t *ret_n)
{
    static const struct vnrs_sysctl sysctls[] = {
        {"net/ipv4/ip_forward", "1"},
        {"net/ipv6/conf/all/forwarding", "1"},
        {"net/ipv6/conf/all/proxy_ndp", "1"}, // so that unicast solicitations are answered, not forwarded
        {"net/ipv4/conf/all/rp_filter", "0"},
        {"net/ipv4/conf/default/rp_filter", "0"},
        {"net/ipv4/conf/all/send_redirects", "0"},
        {"net/ipv4/conf/default/send_redirects", "0"},
        {"net/ipv4/conf/all/accept_local", "1"}, // spares a lookup of the source for each packet
        {"net/ipv4/fib_multipath_hash_policy", "1"},
        {"net/ipv6/fib_multipath_hash_policy", "1"},
        {"net/ipv4/nexthop_compat_mode", "0"},
        {"net/ipv6/conf/default/accept_dad", "0"},
    };
    *ret_n = ARRAY_SIZE(sysctls);
    return sysctls;
}

const struct vnrs_sysctl *vnrs_kernel_sink_link_sysctls(size_t *ret_n)
{
    static const struct vnrs_sysctl sysctls[] = {
        {"net/ipv4/conf/%s/proxy_arp", "1"},        {"net/ipv4/conf/%s/proxy_arp_pvlan", "1"},
        {"net/ipv4/neigh/%s/proxy_delay", "0"},     {"net/ipv6/neigh/%s/proxy_delay", "0"},
        {"net/ipv4/conf/%s/rp_filter", "0"},        {"net/ipv4/conf/%s/send_redirects", "0"},
        {"net/ipv4/conf/%s/accept_redirects", "0"}, {"net/ipv6/conf/%s/accept_ra", "0"},
        {"net/ipv6/conf/%s/accept_dad", "0"},       {"net/ipv6/conf/%s/proxy_ndp", "1"},
    };
    *ret_n = ARRAY_SIZE(sysctls);
    return sysctls;
}
