// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_routes.h"

#include "util/hash.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#define COOKIE_DELETE (1ull << 63)

// What a route leads to, in `have`: a next-hop object, by its id (ours are below the marks); a type other than unicast;
// hops, by the place of their digest; or something that is never wanted.
#define LEADS_TYPE  UINT32_C(0x80000000)
#define LEADS_HOPS  UINT32_C(0xc0000000)
#define LEADS_OTHER UINT32_C(0xffffffff)

static_assert(VNRS_NHID_LAST < LEADS_TYPE, "ids of ours are no marks");

void vnrs_kroutes_init(struct vnrs_kroutes *routes, struct vnrs_nl *nl, struct vnrs_prefixes *prefixes,
                       const struct vnrs_nhset *nexthops, uint32_t table, uint32_t metric, uint8_t protocol)
{
    *routes = (struct vnrs_kroutes){
        .nl = nl, .prefixes = prefixes, .nexthops = nexthops, .table = table, .metric = metric, .protocol = protocol};
}

static void drop_slots(struct vnrs_kroutes *routes, struct vnrs_slots *slots)
{
    for (uint32_t id = VNRS_PREFIX_NONE; (id = vnrs_slots_next(slots, id));)
        vnrs_prefixes_drop(routes->prefixes, id);
    vnrs_slots_fini(slots);
}

static void drop_pending(struct vnrs_kroutes *routes)
{
    vec_foreach (id, &routes->pending)
        vnrs_prefixes_drop(routes->prefixes, *id);
    vec_clear(&routes->pending);
}

void vnrs_kroutes_forget(struct vnrs_kroutes *routes)
{
    drop_slots(routes, &routes->have);
    vnrs_slots_fini(&routes->seen);
    routes->comparing = false;
    vec_free(&routes->digests);
}

void vnrs_kroutes_fini(struct vnrs_kroutes *routes)
{
    vnrs_kroutes_forget(routes);
    vnrs_kroutes_unsee(routes);
    drop_slots(routes, &routes->foreign);
    drop_pending(routes);
    vec_free(&routes->pending);
}

static int put_slot(struct vnrs_kroutes *routes, struct vnrs_slots *slots, uint32_t id, uint32_t value)
{
    bool known = vnrs_slots_find(slots, id);
    int r = vnrs_slots_put(slots, id, value);

    if (r == 0 && !known)
        vnrs_prefixes_hold(routes->prefixes, id);
    return r;
}

static bool drop_slot(struct vnrs_kroutes *routes, struct vnrs_slots *slots, uint32_t id)
{
    if (!vnrs_slots_find(slots, id))
        return false;
    vnrs_slots_remove(slots, id);
    vnrs_prefixes_drop(routes->prefixes, id);
    return true;
}

bool vnrs_kroutes_has(const struct vnrs_kroutes *routes, uint32_t prefix)
{
    return vnrs_slots_find(&routes->have, prefix);
}

uint32_t vnrs_kroutes_nhid(const struct vnrs_kroutes *routes, uint32_t prefix)
{
    uint32_t leads = vnrs_slots_find(&routes->have, prefix);
    return leads < LEADS_TYPE ? leads : 0;
}

static int leads_to_hops(struct vnrs_kroutes *routes, const struct vnrs_nlroute *route, uint32_t *ret_leads)
{
    struct vnrs_nlhop hops[VNRS_NLHOPS_MAX] = {0};
    uint32_t at = 0;

    memcpy(hops, route->hops, route->n_hops * sizeof(hops[0]));
    uint64_t digest = vnrs_nlhops_digest(hops, route->n_hops);
    while (at < routes->digests.len && routes->digests.items[at] != digest)
        at++;
    int r = at < routes->digests.len ? 0 : vec_push(&routes->digests, digest);
    *ret_leads = LEADS_HOPS | at;
    return r;
}

static int leads_of(struct vnrs_kroutes *routes, const struct vnrs_nlroute *route, uint32_t *ret_leads)
{
    if (!route->nhid && route->type == RTN_UNICAST && route->n_hops)
        return leads_to_hops(routes, route, ret_leads);
    *ret_leads = route->nhid                  ? (route->nhid < LEADS_TYPE ? route->nhid : LEADS_OTHER)
                 : route->type != RTN_UNICAST ? LEADS_TYPE | route->type
                                              : LEADS_OTHER;
    return 0;
}

static uint32_t metric_of(const struct vnrs_kroutes *routes, uint8_t family)
{
    return routes->metric || family == VNRS_AF_IPV4 ? routes->metric : VNRS_NL_METRIC6;
}

int vnrs_kroutes_adopt(struct vnrs_kroutes *routes, const struct vnrs_nlroute *route)
{
    uint32_t id = 0, leads = 0;

    if (route->table != routes->table || route->protocol != routes->protocol ||
        route->metric != metric_of(routes, route->prefix.family))
        return 0;
    int r = leads_of(routes, route, &leads);
    if (r == 0)
        r = vnrs_prefixes_get(routes->prefixes, &route->prefix, &id);
    if (r < 0)
        return r;
    r = put_slot(routes, &routes->have, id, leads);
    vnrs_prefixes_drop(routes->prefixes, id);
    return r;
}

static int take_route(const struct nlmsghdr *msg, void *arg)
{
    struct vnrs_nlroute route;
    return vnrs_nlroute_decode(msg, &route) ? vnrs_kroutes_adopt(arg, &route) : 0;
}

static void restart_family(void *arg VNRS_UNUSED)
{
    // A repeated dump overwrites; a route that went away in between is removed again, which the kernel answers with
    // -ESRCH.
}

int vnrs_kroutes_load(struct vnrs_kroutes *routes)
{
    static const uint8_t families[] = {VNRS_AF_IPV4, VNRS_AF_IPV6};
    struct vnrs_nlmsg request;

    vnrs_kroutes_forget(routes);
    vnrs_kroutes_unsee(routes);
    drop_slots(routes, &routes->foreign);
    routes->failed = 0;
    routes->error[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        vnrs_nlroute_encode_dump(families[i], routes->protocol, routes->table, &request);
        int r = vnrs_nl_dump(routes->nl, &request, restart_family, take_route, routes);
        if (r < 0 && r != -ENOENT && r != -EAFNOSUPPORT) // no such table yet
            return r;
    }
    return 0;
}

static void on_error(void *arg, uint64_t cookie, int error, const char *text)
{
    struct vnrs_kroutes *routes = arg;
    uint32_t id = routes->pending.items[cookie & ~COOKIE_DELETE];
    const struct vnrs_prefix prefix = vnrs_prefixes_prefix(routes->prefixes, id);
    char where[VNRS_PREFIX_STR_MAX];

    if (cookie & COOKIE_DELETE) {
        if (error == -ESRCH || error == -ENOENT)
            return; // gone already
    } else {
        (void)drop_slot(routes, &routes->have, id);
        if (error == -EEXIST) {
            if (put_slot(routes, &routes->foreign, id, 1) < 0)
                routes->failed++; // it is told apart no more
            text = "a route of somebody else with the same metric is in its place";
        }
    }
    if (routes->failed++)
        return;
    routes->first_error = error;
    (void)snprintf(routes->error, sizeof(routes->error), "%s route '%s' in table %u: %s",
                   cookie & COOKIE_DELETE ? "removing" : "writing", vnrs_prefix_format(&prefix, where), routes->table,
                   text);
}

int vnrs_kroutes_begin(struct vnrs_kroutes *routes)
{
    drop_pending(routes);
    return vnrs_nl_handler_set(routes->nl, on_error, routes);
}

int vnrs_kroutes_flush(struct vnrs_kroutes *routes)
{
    int r = vnrs_nl_flush(routes->nl);
    drop_pending(routes);
    vec_free(&routes->pending);
    return r;
}

static int queue(struct vnrs_kroutes *routes, const struct vnrs_nlmsg *msg, uint32_t prefix, uint64_t cookie)
{
    int r = vec_push(&routes->pending, prefix);

    if (r < 0)
        return r;
    vnrs_prefixes_hold(routes->prefixes, prefix);
    return vnrs_nl_queue(routes->nl, msg, cookie | (routes->pending.len - 1));
}

static void set_target(const struct vnrs_kroutes *routes, const struct vnrs_ktarget *target, struct vnrs_nlroute *route)
{
    route->type = target->type;
    if (target->type != RTN_UNICAST)
        return;
    if (!target->nh) {
        route->n_hops = 1;
        route->hops[0] = *target->hop;
    } else if (!routes->nexthops->legacy) {
        route->nhid = target->nh->id;
    } else if (target->nh->n_hops == 0 && routes->nexthops->drop.ifindex) {
        route->n_hops = 1;
        route->hops[0] = routes->nexthops->drop;
    } else if (target->nh->n_hops == 0) {
        route->type = RTN_BLACKHOLE;
    } else {
        route->n_hops = target->nh->n_hops;
        memcpy(route->hops, target->nh->hops, sizeof(route->hops[0]) * route->n_hops);
    }
}

// `ret_route->hops` is set as far as there are hops: it is long.
static void make_route(const struct vnrs_kroutes *routes, uint32_t prefix, const struct vnrs_ktarget *target,
                       struct vnrs_nlroute *ret_route)
{
    ret_route->prefix = vnrs_prefixes_prefix(routes->prefixes, prefix);
    ret_route->table = routes->table;
    ret_route->metric = metric_of(routes, ret_route->prefix.family);
    ret_route->protocol = routes->protocol;
    ret_route->type = RTN_UNSPEC;
    ret_route->nhid = ret_route->n_hops = 0;
    if (target)
        set_target(routes, target, ret_route);
}

static int write_route(struct vnrs_kroutes *routes, uint32_t prefix, const struct vnrs_nlroute *route, bool known)
{
    // Whether it is still in the way shows now; if it is, the kernel's answer says so again.
    bool foreign = drop_slot(routes, &routes->foreign, prefix);
    struct vnrs_nlmsg msg;

    return vnrs_nlroute_encode(route, known && !foreign ? VNRS_NL_PUT : VNRS_NL_CREATE, &msg)
               ? queue(routes, &msg, prefix, 0)
               : -E2BIG;
}

int vnrs_kroutes_write(struct vnrs_kroutes *routes, uint32_t prefix, const struct vnrs_ktarget *target, bool known)
{
    struct vnrs_nlroute route;

    make_route(routes, prefix, target, &route);
    return write_route(routes, prefix, &route, known);
}

int vnrs_kroutes_put(struct vnrs_kroutes *routes, uint32_t prefix, const struct vnrs_ktarget *target)
{
    uint32_t have = vnrs_slots_find(&routes->have, prefix), leads;
    struct vnrs_nlroute route;

    make_route(routes, prefix, target, &route);
    int r = leads_of(routes, &route, &leads);
    if (r == 0 && routes->comparing)
        r = vnrs_slots_put(&routes->seen, prefix, 1);
    if (r < 0 || have == leads)
        return r;
    r = write_route(routes, prefix, &route, have);
    return r < 0 ? r : put_slot(routes, &routes->have, prefix, leads);
}

struct removal {
    struct vnrs_prefix prefix;
    uint32_t id;
};

static int cmp_descending(const void *a, const void *b)
{
    return vnrs_prefix_cmp(&((const struct removal *)b)->prefix, &((const struct removal *)a)->prefix);
}

static int remove_one(struct vnrs_kroutes *routes, uint32_t prefix)
{
    struct vnrs_nlroute route;
    struct vnrs_nlmsg msg;

    make_route(routes, prefix, NULL, &route);
    int r = vnrs_nlroute_encode(&route, VNRS_NL_DELETE, &msg) ? queue(routes, &msg, prefix, COOKIE_DELETE) : -E2BIG;
    (void)drop_slot(routes, &routes->have, prefix);
    return r;
}

int vnrs_kroutes_remove(struct vnrs_kroutes *routes, const uint32_t *prefixes, size_t n)
{
    _free_ struct removal *sorted = calloc(n + 1, sizeof(*sorted));
    int r = sorted ? 0 : -ENOMEM;

    // Removing in ascending order makes the kernel search its trie anew each time: 20 times slower.
    for (size_t i = 0; i < n && r == 0; i++)
        sorted[i] = (struct removal){vnrs_prefixes_prefix(routes->prefixes, prefixes[i]), prefixes[i]};
    if (r == 0 && n)
        qsort(sorted, n, sizeof(sorted[0]), cmp_descending);
    for (size_t i = 0; i < n && r == 0; i++)
        if (!drop_slot(routes, &routes->foreign, sorted[i].id))
            r = remove_one(routes, sorted[i].id);
    return r;
}

int vnrs_kroutes_remove_unseen(struct vnrs_kroutes *routes)
{
    VEC(uint32_t) unseen = {0};
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_slots_next(&routes->have, id));)
        if (!vnrs_slots_find(&routes->seen, id))
            r = vec_push(&unseen, id);
    if (r == 0)
        r = vnrs_kroutes_remove(routes, unseen.items, unseen.len);
    vec_free(&unseen);
    vnrs_slots_fini(&routes->seen);
    routes->comparing = false;
    return r;
}

void vnrs_kroutes_unsee(struct vnrs_kroutes *routes)
{
    vnrs_slots_fini(&routes->seen);
    routes->comparing = true;
}
