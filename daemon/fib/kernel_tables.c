// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_tables.h"

#include "fib/kernel_drops.h"
#include "fib/kernel_links.h"
#include "util/strbuf.h"
#include "vnrs/rtprot.h"

#include <errno.h>
#include <linux/rtnetlink.h>

enum { OWNER_GROUPS, OWNER_NICS }; // of slots: by group handle, by ifindex

struct domain {
    uint32_t id;
    struct vnrs_kroutes routes;
};

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

static struct vnrs_addr gateway_of(const struct vnrs_fib_nic *nic)
{
    struct vnrs_addr gateway = {.family = VNRS_AF_IPV4};

    memcpy(gateway.bytes, &nic->nic.gateway_be, sizeof(nic->nic.gateway_be));
    return gateway;
}

static struct vnrs_ktarget to_drop(uint8_t family, enum vnrs_drop_reason reason)
{
    return (struct vnrs_ktarget){.type = RTN_UNICAST, .hop = vnrs_kernel_drop_hop(family, reason)};
}

// Where a route of a domain leads in the kernel. The slots that it needs are made.
static int target_of(struct vnrs_ktables *tables, const struct vnrs_prefix *prefix, uint32_t handle,
                     struct vnrs_ktarget *ret_target)
{
    const struct vnrs_nhslot *slot = vnrs_nhset_find(&tables->nexthops, OWNER_GROUPS, handle, 0);
    struct vnrs_nlhop hops[VNRS_GROUP_MEMBERS_MAX];
    uint32_t n, vnet;
    int r;

    if (slot) {
        *ret_target = (struct vnrs_ktarget){.type = RTN_UNICAST, .nh = slot};
        return 0;
    }
    memset(hops, 0, sizeof(hops));
    switch (resolve(&vnrs_fibdb_group_find(&tables->db, handle)->group, hops, &n, &vnet)) {
    case TO_DROP:
        *ret_target = to_drop(prefix->family, VNRS_DROP_NONE_ROUTE);
        return 0;
    case TO_ENDPOINT:
        *ret_target = to_drop(prefix->family, VNRS_DROP_NO_ENDPOINT);
        if (prefix->len == vnrs_af_bits(prefix->family)) {
            const struct vnrs_addr addr = vnrs_prefix_addr(prefix);
            uint32_t ifindex = vnrs_fabric_endpoint_find(&tables->fabric, vnet, &addr);
            return ifindex ? nic_target(tables, ifindex, ret_target) : 0;
        }
        return 0;
    case TO_HOPS:
        break;
    }
    r = vnrs_nhset_put(&tables->nexthops, OWNER_GROUPS, handle, 0, hops, n, false);
    if (r < 0)
        return r;
    *ret_target =
        (struct vnrs_ktarget){.type = RTN_UNICAST, .nh = vnrs_nhset_find(&tables->nexthops, OWNER_GROUPS, handle, 0)};
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
        vnrs_kroutes_init(&added->routes, tables->nl, &tables->db.prefixes, &tables->nexthops,
                          VNRS_KERNEL_TABLE_DOMAIN + id, 0, VNRS_RTPROT);
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

// ---- hosts: addresses that tables have routes of their own for

static int cmp_addr(const void *a, const void *b)
{
    return vnrs_addr_cmp(a, b);
}

static int cmp_gateway(const void *a, const void *b)
{
    const struct vnrs_kgateway *x = a, *y = b;
    int c = vnrs_addr_cmp(&x->addr, &y->addr);

    if (c == 0)
        c = x->domain < y->domain ? -1 : x->domain > y->domain;
    return c ? c : x->vnet < y->vnet ? -1 : x->vnet > y->vnet;
}

static size_t sort_unique(void *items, size_t n, size_t size, int (*cmp)(const void *a, const void *b))
{
    uint8_t *bytes = items;
    size_t kept = 0;

    if (n)
        qsort(items, n, size, cmp);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || cmp(bytes + i * size, bytes + (kept - 1) * size) != 0)
            memmove(bytes + kept++ * size, bytes + i * size, size);
    return kept;
}

// Of all NICs, of which thousands share one.
static int find_gateways(struct vnrs_ktables *tables)
{
    struct vnrs_map_entry *e;
    int r = 0;

    vec_clear(&tables->gateways);
    for (size_t at = 0; r == 0 && (e = vnrs_map_next(&tables->fabric.nics, &at));) {
        const struct vnrs_fib_nic *nic = e->value;
        if (nic->nic.gateway_be)
            r = vec_push(&tables->gateways, (struct vnrs_kgateway){gateway_of(nic), nic->nic.domain, nic->nic.vnet});
    }
    tables->gateways.len =
        sort_unique(tables->gateways.items, tables->gateways.len, sizeof(tables->gateways.items[0]), cmp_gateway);
    return r;
}

// Endpoints, and gateways of NICs.
static int find_hosts(struct vnrs_ktables *tables)
{
    struct vnrs_map_entry *e;
    int r = find_gateways(tables);

    vec_clear(&tables->hosts);
    for (size_t at = 0; r == 0 && (e = vnrs_map_next(&tables->fabric.endpoints, &at));)
        r = vec_push(&tables->hosts, ((const struct vnrs_fabric_endpoint *)e->value)->key.addr);
    for (size_t i = 0; r == 0 && i < tables->gateways.len; i++)
        r = vec_push(&tables->hosts, tables->gateways.items[i].addr);
    tables->hosts.len = sort_unique(tables->hosts.items, tables->hosts.len, sizeof(tables->hosts.items[0]), cmp_addr);
    return r;
}

// The first host at or after the address.
static size_t first_host(const struct vnrs_ktables *tables, const struct vnrs_addr *addr)
{
    size_t low = 0, high = tables->hosts.len;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (vnrs_addr_cmp(&tables->hosts.items[mid], addr) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// The endpoint's NIC, if the domain's longest match leads to endpoints of its network. 0: none.
static uint32_t endpoint_nic(const struct vnrs_ktables *tables, const struct vnrs_fibdb_domain *routes,
                             const struct vnrs_addr *addr)
{
    struct vnrs_nlhop hops[VNRS_GROUP_MEMBERS_MAX];
    uint32_t n, vnet, handle = vnrs_fibdb_match(&tables->db, routes, addr);

    if (!handle || resolve(&vnrs_fibdb_group_find(&tables->db, handle)->group, hops, &n, &vnet) != TO_ENDPOINT)
        return 0;
    return vnrs_fabric_endpoint_find(&tables->fabric, vnet, addr);
}

// A NIC of the domain calls the address its gateway, and nobody in the NIC's network has it.
static bool is_gateway(const struct vnrs_ktables *tables, uint32_t domain, const struct vnrs_addr *addr)
{
    const struct vnrs_kgateway *gateways = tables->gateways.items;
    size_t low = 0, high = tables->gateways.len;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = vnrs_addr_cmp(&gateways[mid].addr, addr);
        if (c < 0 || (c == 0 && gateways[mid].domain < domain))
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < tables->gateways.len; low++) {
        const struct vnrs_kgateway *at = &gateways[low];
        if (at->domain != domain || !vnrs_addr_equal(&at->addr, addr))
            return false;
        if (!vnrs_fabric_endpoint_find(&tables->fabric, at->vnet, addr))
            return true;
    }
    return false;
}

// ---- routes

// Where the table of a domain leads for a prefix. Returns 1, 0 when it has no route for it, or a negative errno.
static int wanted_target(struct vnrs_ktables *tables, const struct vnrs_fibdb_domain *routes, uint32_t prefix_id,
                         struct vnrs_ktarget *ret_target)
{
    const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&tables->db.prefixes, prefix_id);
    uint32_t handle = vnrs_slots_find(&routes->routes, prefix_id);
    int r = 0;

    if (handle) {
        r = target_of(tables, &prefix, handle, ret_target);
        return r < 0 ? r : 1;
    }
    if (prefix.len == 0) { // no lookup leaves the table
        *ret_target = to_drop(prefix.family, VNRS_DROP_NO_ROUTE);
        return 1;
    }
    if (prefix.len != vnrs_af_bits(prefix.family))
        return 0;
    const struct vnrs_addr addr = vnrs_prefix_addr(&prefix);
    uint32_t ifindex = endpoint_nic(tables, routes, &addr);
    if (ifindex) {
        r = nic_target(tables, ifindex, ret_target);
        return r < 0 ? r : 1;
    }
    if (!is_gateway(tables, routes->id, &addr))
        return 0;
    *ret_target = to_drop(VNRS_AF_IPV4, VNRS_DROP_NO_ENDPOINT);
    return 1;
}

typedef VEC(uint32_t) numbers;

// Make the table right for one prefix; a route that goes is added to `removed`, with a reference.
static int write_prefix(struct vnrs_ktables *tables, struct domain *domain, const struct vnrs_fibdb_domain *routes,
                        uint32_t prefix, numbers *removed)
{
    struct vnrs_ktarget target;
    int r = wanted_target(tables, routes, prefix, &target);

    if (r > 0)
        return vnrs_kroutes_put(&domain->routes, prefix, &target);
    if (r < 0 || !vnrs_kroutes_has(&domain->routes, prefix))
        return r;
    r = vec_push(removed, prefix);
    if (r == 0)
        vnrs_prefixes_hold(&tables->db.prefixes, prefix);
    return r;
}

static int write_text(struct vnrs_ktables *tables, struct domain *domain, const struct vnrs_fibdb_domain *routes,
                      const struct vnrs_prefix *prefix, numbers *removed)
{
    uint32_t id;
    int r = vnrs_prefixes_get(&tables->db.prefixes, prefix, &id);

    if (r < 0)
        return r;
    r = write_prefix(tables, domain, routes, id, removed);
    vnrs_prefixes_drop(&tables->db.prefixes, id);
    return r;
}

// Hosts inside a prefix: what leads to them may change with it.
static int write_hosts(struct vnrs_ktables *tables, struct domain *domain, const struct vnrs_fibdb_domain *routes,
                       const struct vnrs_prefix *prefix, numbers *removed)
{
    const struct vnrs_addr from = vnrs_prefix_addr(prefix);
    int r = 0;

    for (size_t i = first_host(tables, &from); r == 0 && i < tables->hosts.len; i++) {
        if (!vnrs_prefix_contains_addr(prefix, &tables->hosts.items[i]))
            break;
        const struct vnrs_prefix host = vnrs_prefix_host(&tables->hosts.items[i]);
        r = write_text(tables, domain, routes, &host, removed);
    }
    return r;
}

static int remove_all(struct vnrs_ktables *tables, struct domain *domain, numbers *removed)
{
    int r = vnrs_kroutes_remove(&domain->routes, removed->items, removed->len);

    vec_foreach (id, removed)
        vnrs_prefixes_drop(&tables->db.prefixes, *id);
    vec_free(removed);
    return r;
}

// Compare a whole domain with what its table is known to have.
static int write_domain(struct vnrs_ktables *tables, struct domain *domain)
{
    static const struct vnrs_prefix all[] = {{.family = VNRS_AF_IPV4}, {.family = VNRS_AF_IPV6}};
    const struct vnrs_fibdb_domain *routes = vnrs_fibdb_domain_find(&tables->db, domain->id);
    numbers removed = {0};
    int r = 0;

    vnrs_kroutes_unsee(&domain->routes);
    for (uint32_t id = VNRS_PREFIX_NONE; routes && r == 0 && (id = vnrs_slots_next(&routes->routes, id));)
        r = write_prefix(tables, domain, routes, id, &removed);
    for (size_t i = 0; routes && i < ARRAY_SIZE(all) && r == 0; i++) {
        r = write_text(tables, domain, routes, &all[i], &removed);
        if (r == 0)
            r = write_hosts(tables, domain, routes, &all[i], &removed);
    }
    int gone = remove_all(tables, domain, &removed);
    r = r < 0 ? r : gone;
    return r < 0 ? r : vnrs_kroutes_remove_unseen(&domain->routes);
}

static int write_changes(struct vnrs_ktables *tables, struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    numbers removed = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < routes->changes.len; i++) {
        uint32_t id = routes->changes.items[i].prefix;
        const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&tables->db.prefixes, id);
        r = write_prefix(tables, domain, routes, id, &removed);
        if (r == 0 && prefix.len < vnrs_af_bits(prefix.family))
            r = write_hosts(tables, domain, routes, &prefix, &removed);
    }
    int gone = remove_all(tables, domain, &removed);
    return r < 0 ? r : gone;
}

static bool is_used(const struct vnrs_ktables *tables, uint32_t handle)
{
    const struct vnrs_fibdb_group *group = vnrs_fibdb_group_find(&tables->db, handle);
    return group && group->uses;
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

// Slots find their objects again by what the routes in the kernel point to.
static int claim(struct vnrs_ktables *tables, const struct domain *domain, const struct vnrs_fibdb_domain *routes)
{
    struct vnrs_ktarget target;
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_slots_next(&routes->routes, id));) {
        const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&tables->db.prefixes, id);
        uint32_t handle = vnrs_slots_find(&routes->routes, id), nhid = vnrs_kroutes_nhid(&domain->routes, id);
        r = target_of(tables, &prefix, handle, &target);
        if (r == 0 && nhid && target.nh && target.nh->key.owner == OWNER_GROUPS)
            vnrs_nhset_claim(&tables->nexthops, OWNER_GROUPS, handle, 0, nhid);
    }
    return r;
}

// What the changed routes need.
static int prepare_changes(struct vnrs_ktables *tables, const struct vnrs_fibdb_domain *routes)
{
    struct vnrs_ktarget target;
    uint32_t last = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < routes->changes.len; i++) {
        const struct vnrs_fibdb_change *change = &routes->changes.items[i];
        if (!change->group || change->group == last)
            continue;
        last = change->group;
        const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&tables->db.prefixes, change->prefix);
        r = target_of(tables, &prefix, change->group, &target);
    }
    return r;
}

int vnrs_ktables_prepare(struct vnrs_ktables *tables, bool links, bool claim_objects)
{
    struct vnrs_ktarget target;
    struct vnrs_map_entry *e;
    int r = links ? find_hosts(tables) : 0;

    for (size_t at = 0; links && r == 0 && (e = vnrs_map_next(&tables->fabric.endpoints, &at));)
        r = nic_target(tables, ((const struct vnrs_fabric_endpoint *)e->value)->ifindex, &target);
    for (size_t at = 0; r == 0 && (e = vnrs_map_next(&tables->db.domains, &at));) {
        const struct vnrs_fibdb_domain *routes = e->value;
        struct domain *domain;
        r = get_domain(tables, routes->id, &domain);
        if (r == 0)
            r = claim_objects ? claim(tables, domain, routes) : prepare_changes(tables, routes);
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
            r = whole ? write_domain(tables, domain) : write_changes(tables, domain, routes);
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
    tables->nexthops.drop = *vnrs_kernel_drop_hop(VNRS_AF_IPV6, VNRS_DROP_DEAD_NEXTHOP);
}

void vnrs_ktables_fini(struct vnrs_ktables *tables)
{
    free_domains(tables);
    vec_free(&tables->hosts);
    vec_free(&tables->gateways);
    vnrs_fabric_fini(&tables->fabric);
    vnrs_fibdb_fini(&tables->db);
    vnrs_nhset_fini(&tables->nexthops);
}
