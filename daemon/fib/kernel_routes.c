// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_routes.h"

#include "util/hash.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#define COOKIE_DELETE (1ull << 63)

void vnrs_kroutes_init(struct vnrs_kroutes *routes, struct vnrs_nl *nl, const struct vnrs_nhset *nexthops,
                       uint32_t table, uint32_t metric, uint8_t protocol)
{
    *routes =
        (struct vnrs_kroutes){.nl = nl, .nexthops = nexthops, .table = table, .metric = metric, .protocol = protocol};
}

void vnrs_kroutes_fini(struct vnrs_kroutes *routes)
{
    vnrs_map_fini_values(&routes->have);
    vnrs_map_fini_values(&routes->foreign);
    vec_free(&routes->pending);
}

void vnrs_kroutes_forget(struct vnrs_kroutes *routes)
{
    vnrs_map_fini_values(&routes->have);
}

const struct vnrs_kroute *vnrs_kroutes_find(const struct vnrs_kroutes *routes, const struct vnrs_prefix *prefix)
{
    return vnrs_map_find(&routes->have, prefix, sizeof(*prefix));
}

static uint32_t metric_of(const struct vnrs_kroutes *routes, uint8_t family)
{
    return routes->metric || family == VNRS_AF_IPV4 ? routes->metric : VNRS_NL_METRIC6;
}

static int remember(struct vnrs_kroutes *routes, const struct vnrs_kroute *route)
{
    struct vnrs_kroute *known = vnrs_map_find(&routes->have, &route->prefix, sizeof(route->prefix));

    if (known) {
        *known = *route;
        return 0;
    }
    _free_ struct vnrs_kroute *added = malloc(sizeof(*added));
    if (!added)
        return -ENOMEM;
    *added = *route;
    int r = vnrs_map_put(&routes->have, &added->prefix, sizeof(added->prefix), added);
    if (r < 0)
        return r;
    TAKE_PTR(added);
    return 0;
}

int vnrs_kroutes_adopt(struct vnrs_kroutes *routes, const struct vnrs_nlroute *route)
{
    struct vnrs_nlroute copy = *route;

    if (route->table != routes->table || route->protocol != routes->protocol ||
        route->metric != metric_of(routes, route->prefix.family))
        return 0;
    const struct vnrs_kroute have = {
        .prefix = route->prefix,
        .type = route->type,
        .nhid = route->nhid,
        .digest = route->nhid || route->type != RTN_UNICAST ? 0 : vnrs_nlhops_digest(copy.hops, copy.n_hops),
    };
    return remember(routes, &have);
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

    vnrs_map_fini_values(&routes->have);
    vnrs_map_fini_values(&routes->foreign);
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

static void add_foreign(struct vnrs_kroutes *routes, const struct vnrs_prefix *prefix)
{
    struct vnrs_prefix *added =
        vnrs_map_find(&routes->foreign, prefix, sizeof(*prefix)) ? NULL : malloc(sizeof(*added));

    if (!added)
        return;
    *added = *prefix;
    if (vnrs_map_put(&routes->foreign, added, sizeof(*added), added) < 0)
        free(added);
}

static void on_error(void *arg, uint64_t cookie, int error, const char *text)
{
    struct vnrs_kroutes *routes = arg;
    const struct vnrs_prefix *prefix = &routes->pending.items[cookie & ~COOKIE_DELETE];
    char where[VNRS_PREFIX_STR_MAX];

    if (cookie & COOKIE_DELETE) {
        if (error == -ESRCH || error == -ENOENT)
            return; // gone already
    } else {
        free(vnrs_map_remove(&routes->have, prefix, sizeof(*prefix)));
        if (error == -EEXIST) {
            add_foreign(routes, prefix);
            text = "a route of somebody else with the same metric is in its place";
        }
    }
    if (routes->failed++)
        return;
    routes->first_error = error;
    (void)snprintf(routes->error, sizeof(routes->error), "%s route '%s' in table %u: %s",
                   cookie & COOKIE_DELETE ? "removing" : "writing", vnrs_prefix_format(prefix, where), routes->table,
                   text);
}

int vnrs_kroutes_begin(struct vnrs_kroutes *routes)
{
    vec_clear(&routes->pending);
    return vnrs_nl_handler_set(routes->nl, on_error, routes);
}

int vnrs_kroutes_flush(struct vnrs_kroutes *routes)
{
    int r = vnrs_nl_flush(routes->nl);
    vec_free(&routes->pending);
    return r;
}

static int queue(struct vnrs_kroutes *routes, const struct vnrs_nlmsg *msg, const struct vnrs_prefix *prefix,
                 uint64_t cookie)
{
    int r = vec_push(&routes->pending, *prefix);
    return r < 0 ? r : vnrs_nl_queue(routes->nl, msg, cookie | (routes->pending.len - 1));
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
    } else if (target->nh->n_hops == 0) {
        route->type = RTN_BLACKHOLE;
    } else {
        route->n_hops = target->nh->n_hops;
        memcpy(route->hops, target->nh->hops, sizeof(route->hops[0]) * route->n_hops);
    }
}

static struct vnrs_nlroute route_of(const struct vnrs_kroutes *routes, const struct vnrs_prefix *prefix,
                                    const struct vnrs_ktarget *target)
{
    struct vnrs_nlroute route = {.prefix = *prefix,
                                 .table = routes->table,
                                 .metric = metric_of(routes, prefix->family),
                                 .protocol = routes->protocol};
    if (target)
        set_target(routes, target, &route);
    return route;
}

int vnrs_kroutes_write(struct vnrs_kroutes *routes, const struct vnrs_prefix *prefix, const struct vnrs_ktarget *target,
                       bool known)
{
    struct vnrs_nlroute route = route_of(routes, prefix, target);
    // Whether it is still in the way shows now; if it is, the kernel's answer says so again.
    struct vnrs_prefix *foreign = vnrs_map_remove(&routes->foreign, prefix, sizeof(*prefix));
    struct vnrs_nlmsg msg;

    known = known && !foreign;
    free(foreign);
    return vnrs_nlroute_encode(&route, known ? VNRS_NL_PUT : VNRS_NL_CREATE, &msg) ? queue(routes, &msg, prefix, 0)
                                                                                   : -E2BIG;
}

int vnrs_kroutes_put(struct vnrs_kroutes *routes, const struct vnrs_prefix *prefix, const struct vnrs_ktarget *target)
{
    struct vnrs_kroute *known = vnrs_map_find(&routes->have, prefix, sizeof(*prefix));
    struct vnrs_nlroute route = route_of(routes, prefix, target);
    struct vnrs_kroute want = {.prefix = *prefix, .type = route.type, .seen = true, .nhid = route.nhid};

    if (route.n_hops)
        want.digest = vnrs_nlhops_digest(route.hops, route.n_hops);
    if (known && known->type == want.type && known->nhid == want.nhid && known->digest == want.digest) {
        known->seen = true;
        return 0;
    }
    int r = vnrs_kroutes_write(routes, prefix, target, known != NULL);
    return r < 0 ? r : remember(routes, &want);
}

static int cmp_descending(const void *a, const void *b)
{
    return vnrs_prefix_cmp(b, a);
}

int vnrs_kroutes_remove(struct vnrs_kroutes *routes, struct vnrs_prefix *prefixes, size_t n)
{
    struct vnrs_nlmsg msg;

    // Removing in ascending order makes the kernel search its trie anew each time: 20 times slower.
    if (n)
        qsort(prefixes, n, sizeof(prefixes[0]), cmp_descending);
    for (size_t i = 0; i < n; i++) {
        struct vnrs_nlroute route = route_of(routes, &prefixes[i], NULL);
        free(vnrs_map_remove(&routes->have, &prefixes[i], sizeof(prefixes[i])));
        struct vnrs_prefix *foreign = vnrs_map_remove(&routes->foreign, &prefixes[i], sizeof(prefixes[i]));
        free(foreign);
        if (foreign)
            continue;
        int r = vnrs_nlroute_encode(&route, VNRS_NL_DELETE, &msg) ? queue(routes, &msg, &prefixes[i], COOKIE_DELETE)
                                                                  : -E2BIG;
        if (r < 0)
            return r;
    }
    return 0;
}

int vnrs_kroutes_remove_unseen(struct vnrs_kroutes *routes)
{
    VEC(struct vnrs_prefix) unseen = {0};
    struct vnrs_map_entry *e;
    int r = 0;

    for (size_t at = 0; r >= 0 && (e = vnrs_map_next(&routes->have, &at));)
        if (!((struct vnrs_kroute *)e->value)->seen)
            r = vec_push(&unseen, ((struct vnrs_kroute *)e->value)->prefix);
    if (r >= 0)
        r = vnrs_kroutes_remove(routes, unseen.items, unseen.len);
    vec_free(&unseen);
    return r;
}

void vnrs_kroutes_unsee(struct vnrs_kroutes *routes)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&routes->have, &at));)
        ((struct vnrs_kroute *)e->value)->seen = false;
}
