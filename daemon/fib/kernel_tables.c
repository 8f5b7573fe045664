// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_tables.h"

#include "fib/kernel_links.h"
#include "util/strbuf.h"
#include "vnrs/rtprot.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#define CHANGES_CHECKED_MAX 256 // more changes than this: compare whole domains instead

enum { OWNER_GROUPS, OWNER_NICS }; // of slots: by group handle, by ifindex

struct domain {
    uint32_t id;
    struct vnrs_kroutes routes;
};

static const struct vnrs_nlhop to_nowhere = {.ifindex = VNRS_NL_LO};

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

static int nic_target(struct vnrs_ktables *tables, uint32_t ifindex, struct vnrs_ktarget *ret_target)
{
    const struct vnrs_nlhop hop = {.ifindex = ifindex, .via = vnrs_kernel_gateway};
    int r = 0;

    if (!vnrs_nhset_find(&tables->nexthops, OWNER_NICS, ifindex, 0))
        r = vnrs_nhset_put(&tables->nexthops, OWNER_NICS, ifindex, 0, &hop, 1, true);
    if (r < 0)
        return r;
    *ret_target =
        (struct vnrs_ktarget){.type = RTN_UNICAST, .nh = vnrs_nhset_find(&tables->nexthops, OWNER_NICS, ifindex, 0)};
    return 0;
}

static struct vnrs_ktarget nowhere(uint8_t family)
{
    return family == VNRS_AF_IPV4 ? (struct vnrs_ktarget){.type = RTN_UNICAST, .hop = &to_nowhere}
                                  : (struct vnrs_ktarget){.type = RTN_BLACKHOLE};
}

// Where a route of a domain leads in the kernel. The slots that it needs are made.
static int target_of(struct vnrs_ktables *tables, const struct vnrs_fibdb_route *route, struct vnrs_ktarget *ret_target)
{
    struct vnrs_nlhop hops[VNRS_GROUP_MEMBERS_MAX] = {0};
    const struct vnrs_prefix *prefix = &route->prefix;
    uint32_t n, vnet;
    int r = 0;

    switch (resolve(vnrs_fibdb_group_find(&tables->db, route->group), hops, &n, &vnet)) {
    case TO_DROP:
        *ret_target = (struct vnrs_ktarget){.type = RTN_BLACKHOLE};
        return 0;
    case TO_ENDPOINT:
        *ret_target = nowhere(prefix->family);
        if (prefix->len == vnrs_af_bits(prefix->family)) {
            const struct vnrs_addr addr = vnrs_prefix_addr(prefix);
            uint32_t ifindex = vnrs_fabric_endpoint_find(&tables->fabric, vnet, &addr);
            return ifindex ? nic_target(tables, ifindex, ret_target) : 0;
        }
        return 0;
    case TO_HOPS:
        break;
    }
    if (!vnrs_nhset_find(&tables->nexthops, OWNER_GROUPS, route->group, 0))
        r = vnrs_nhset_put(&tables->nexthops, OWNER_GROUPS, route->group, 0, hops, n, false);
    if (r < 0)
        return r;
    *ret_target = (struct vnrs_ktarget){.type = RTN_UNICAST,
                                        .nh = vnrs_nhset_find(&tables->nexthops, OWNER_GROUPS, route->group, 0)};
    return 0;
}

static int get_domain(struct vnrs_ktables *tables, uint32_t id, struct domain **ret_domain)
{
    struct domain *domain = vnrs_map_find(&tables->domains, &id, sizeof(id));

    if (!domain) {
        _free_ struct domain *added = calloc(1, sizeof(*added));
        if (!added)
            return -ENOMEM;
        added->id = id;
        vnrs_kroutes_init(&added->routes, tables->nl, &tables->nexthops, VNRS_KERNEL_TABLE_DOMAIN + id, 0, VNRS_RTPROT);
        int r = vnrs_map_put(&tables->domains, &added->id, sizeof(added->id), added);
        if (r < 0)
            return r;
        domain = TAKE_PTR(added);
    }
    *ret_domain = domain;
    return 0;
}

static int take_route(const struct nlmsghdr *msg, void *arg)
{
    struct vnrs_ktables *tables = arg;
    struct vnrs_nlroute route;
    struct domain *domain;

    if (!vnrs_nlroute_decode(msg, &route) || route.table <= VNRS_KERNEL_TABLE_DOMAIN)
        return 0;
    int r = get_domain(tables, route.table - VNRS_KERNEL_TABLE_DOMAIN, &domain);
    return r < 0 ? r : vnrs_kroutes_adopt(&domain->routes, &route);
}

static void restart_load(void *arg VNRS_UNUSED)
{
    // A repeated dump overwrites.
}

static void free_domains(struct vnrs_ktables *tables)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&tables->domains, &at));) {
        struct domain *domain = e->value;
        vnrs_kroutes_fini(&domain->routes);
        free(domain);
    }
    vnrs_map_fini(&tables->domains);
}

int vnrs_ktables_load(struct vnrs_ktables *tables)
{
    static const uint8_t families[] = {VNRS_AF_IPV4, VNRS_AF_IPV6};
    struct vnrs_nlmsg request;

    free_domains(tables);
    vnrs_nhset_release_owner(&tables->nexthops, OWNER_GROUPS);
    vnrs_nhset_release_owner(&tables->nexthops, OWNER_NICS);
    int r = vnrs_nhset_load(&tables->nexthops);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
        vnrs_nlroute_encode_dump(families[i], VNRS_RTPROT, 0, &request);
        r = vnrs_nl_dump(tables->nl, &request, restart_load, take_route, tables);
    }
    return r;
}

struct walk {
    struct vnrs_ktables *tables;
    struct domain *domain;
};

static int claim_route(const struct vnrs_prefix *prefix, void *value, void *arg)
{
    const struct walk *walk = arg;
    const struct vnrs_fibdb_route *route = value;
    struct vnrs_ktarget target;

    if (!route->group)
        return 0;
    int r = target_of(walk->tables, route, &target);
    const struct vnrs_kroute *have = r == 0 && target.nh ? vnrs_kroutes_find(&walk->domain->routes, prefix) : NULL;
    if (have && have->nhid && target.nh->key.owner == OWNER_GROUPS)
        vnrs_nhset_claim(&walk->tables->nexthops, OWNER_GROUPS, route->group, 0, have->nhid);
    return r;
}

static int put_route(const struct vnrs_prefix *prefix, void *value, void *arg)
{
    const struct walk *walk = arg;
    const struct vnrs_fibdb_route *route = value;
    struct vnrs_ktarget target;

    if (!route->group)
        return 0;
    int r = target_of(walk->tables, route, &target);
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

static int put_endpoints(struct vnrs_ktables *tables, struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    struct vnrs_nlhop hops[VNRS_GROUP_MEMBERS_MAX];
    struct vnrs_ktarget target;
    struct vnrs_map_entry *e;
    uint32_t n, vnet;

    for (size_t at = 0; (e = vnrs_map_next(&tables->fabric.endpoints, &at));) {
        const struct vnrs_fabric_endpoint *endpoint = e->value;
        const struct vnrs_prefix host = vnrs_prefix_host(&endpoint->key.addr);
        const struct vnrs_fibdb_route *route = match(routes, &endpoint->key.addr);
        if (!route || live_route(routes, &host) ||
            resolve(vnrs_fibdb_group_find(&tables->db, route->group), hops, &n, &vnet) != TO_ENDPOINT ||
            vnet != endpoint->key.vnet)
            continue;
        int r = nic_target(tables, endpoint->ifindex, &target);
        if (r == 0)
            r = vnrs_kroutes_put(&domain->routes, &host, &target);
        if (r < 0)
            return r;
    }
    return 0;
}

static int put_gateways(struct vnrs_ktables *tables, struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    const struct vnrs_ktarget target = nowhere(VNRS_AF_IPV4);
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&tables->fabric.nics, &at));) {
        const struct vnrs_fib_nic *nic = e->value;
        struct vnrs_addr gateway = {.family = VNRS_AF_IPV4};
        memcpy(gateway.bytes, &nic->nic.gateway_be, sizeof(nic->nic.gateway_be));
        const struct vnrs_prefix host = vnrs_prefix_host(&gateway);
        if (!nic->nic.gateway_be || nic->nic.domain != domain->id || live_route(routes, &host) ||
            vnrs_fabric_endpoint_find(&tables->fabric, nic->nic.vnet, &gateway))
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
static int write_domain(struct vnrs_ktables *tables, struct domain *domain)
{
    const struct vnrs_fibdb_domain *routes = vnrs_fibdb_domain_find(&tables->db, domain->id);
    struct walk walk = {tables, domain};
    int r = 0;

    vnrs_kroutes_unsee(&domain->routes);
    if (routes) {
        r = vnrs_trie_walk(&routes->routes, put_route, &walk);
        if (r == 0)
            r = put_endpoints(tables, domain, routes);
        if (r == 0)
            r = put_gateways(tables, domain, routes);
        if (r == 0)
            r = put_defaults(domain, routes);
    }
    return r < 0 ? r : vnrs_kroutes_remove_unseen(&domain->routes);
}

static bool holds_endpoint(const struct vnrs_ktables *tables, const struct vnrs_prefix *prefix)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&tables->fabric.endpoints, &at));)
        if (vnrs_prefix_contains_addr(prefix, &((const struct vnrs_fabric_endpoint *)e->value)->key.addr))
            return true;
    return false;
}

// True: the changed routes may move host routes, gateways or the default with them.
static bool needs_whole(const struct vnrs_ktables *tables, const struct vnrs_fibdb_domain *routes)
{
    if (routes->changes.len > CHANGES_CHECKED_MAX)
        return true;
    vec_foreach (change, &routes->changes) {
        const struct vnrs_prefix *prefix = &(*change)->prefix;
        if (prefix->len == 0 || prefix->len == vnrs_af_bits(prefix->family) || holds_endpoint(tables, prefix))
            return true;
    }
    return false;
}

static int write_changes(struct vnrs_ktables *tables, struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    struct walk walk = {tables, domain};
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

static bool is_used(const struct vnrs_ktables *tables, uint32_t handle)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&tables->db.domains, &at));)
        if (vnrs_fibdb_refs(&tables->db, ((const struct vnrs_fibdb_domain *)e->value)->id, handle))
            return true;
    return false;
}

int vnrs_ktables_update_groups(struct vnrs_ktables *tables)
{
    struct vnrs_nlhop hops[VNRS_GROUP_MEMBERS_MAX];
    struct vnrs_map_entry *e;
    uint32_t n, vnet;
    int whole = 0;

    for (size_t at = 0; tables->db.groups_dirty && (e = vnrs_map_next(&tables->db.groups, &at));) {
        const struct vnrs_fibdb_group *group = e->value;
        if (!group->dirty || !is_used(tables, group->group.handle))
            continue;
        memset(hops, 0, sizeof(hops));
        enum target_class class = resolve(&group->group, hops, &n, &vnet);
        if (!vnrs_nhset_find(&tables->nexthops, OWNER_GROUPS, group->group.handle, 0)) {
            whole = 1; // led elsewhere than to hops so far
            continue;
        }
        if (class != TO_HOPS) {
            vnrs_nhset_release(&tables->nexthops, OWNER_GROUPS, group->group.handle, 0);
            whole = 1;
            continue;
        }
        int r = vnrs_nhset_put(&tables->nexthops, OWNER_GROUPS, group->group.handle, 0, hops, n, false);
        if (r < 0)
            return r;
        whole |= r;
    }
    return whole;
}

int vnrs_ktables_prepare(struct vnrs_ktables *tables, bool claim)
{
    struct vnrs_ktarget target;
    struct vnrs_map_entry *e;
    int r = 0;

    for (size_t at = 0; r == 0 && (e = vnrs_map_next(&tables->fabric.endpoints, &at));)
        r = nic_target(tables, ((const struct vnrs_fabric_endpoint *)e->value)->ifindex, &target);
    for (size_t at = 0; r == 0 && (e = vnrs_map_next(&tables->db.domains, &at));) {
        const struct vnrs_fibdb_domain *routes = e->value;
        struct walk walk = {.tables = tables};
        r = get_domain(tables, routes->id, &walk.domain);
        if (r == 0 && claim)
            r = vnrs_trie_walk(&routes->routes, claim_route, &walk);
        for (size_t i = 0; r == 0 && !claim && i < routes->changes.len; i++)
            if (routes->changes.items[i]->group)
                r = target_of(tables, routes->changes.items[i], &target);
    }
    if (r == 0)
        r = vnrs_nhset_write(&tables->nexthops);
    return r;
}

int vnrs_ktables_write(struct vnrs_ktables *tables, bool whole)
{
    struct vnrs_map_entry *e;
    int first = 0;

    for (size_t at = 0; (e = vnrs_map_next(&tables->domains, &at));) {
        struct domain *domain = e->value;
        const struct vnrs_fibdb_domain *routes = vnrs_fibdb_domain_find(&tables->db, domain->id);
        if (!whole && (!routes || !routes->changes.len))
            continue;
        domain->routes.failed = 0;
        int r = vnrs_kroutes_begin(&domain->routes);
        if (r == 0)
            r = whole || needs_whole(tables, routes) ? write_domain(tables, domain)
                                                     : write_changes(tables, domain, routes);
        int flushed = vnrs_kroutes_flush(&domain->routes);
        r = r < 0 ? r : flushed;
        if (r < 0) {
            (void)vnrs_str_copy(tables->error, sizeof(tables->error), strerror(-r));
            return r;
        }
        if (domain->routes.failed && first == 0) {
            first = domain->routes.first_error;
            memcpy(tables->error, domain->routes.error, sizeof(tables->error));
        }
    }
    return first;
}

static void release_slot(void *arg, uint32_t domain VNRS_UNUSED, uint32_t handle)
{
    struct vnrs_ktables *tables = arg;

    if (!is_used(tables, handle))
        vnrs_nhset_release(&tables->nexthops, OWNER_GROUPS, handle, 0);
}

int vnrs_ktables_commit(struct vnrs_ktables *tables)
{
    int r = vnrs_fibdb_commit(&tables->db, release_slot, tables);
    return r < 0 ? r : vnrs_nhset_sweep(&tables->nexthops);
}

void vnrs_ktables_init(struct vnrs_ktables *tables, struct vnrs_nl *nl)
{
    *tables = (struct vnrs_ktables){.nl = nl};
    vnrs_nhset_init(&tables->nexthops, nl);
    tables->nexthops.exclusive = tables->nexthops.resilient = true;
}

void vnrs_ktables_fini(struct vnrs_ktables *tables)
{
    free_domains(tables);
    vnrs_fabric_fini(&tables->fabric);
    vnrs_fibdb_fini(&tables->db);
    vnrs_nhset_fini(&tables->nexthops);
}
