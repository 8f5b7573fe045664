// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_links.h"

#include "vnrs/rtprot.h"

#include <errno.h>
#include <stdio.h>

const struct vnrs_addr vnrs_kernel_gateway = {.family = VNRS_AF_IPV6, .bytes = {0xfe, 0x80, [15] = 1}};

struct item { // an object of the kernel: its key, and whether it is wanted
    union {
        struct vnrs_nlneigh neigh;
        struct vnrs_nlrule rule;
    };
    bool wanted;
};

typedef VEC(struct item) items;

static void on_error(void *arg, uint64_t cookie VNRS_UNUSED, int error, const char *text)
{
    struct vnrs_klinks_error *first = arg;

    if (error == -EEXIST || error == -ENOENT || error == -ESRCH || first->first < 0)
        return;
    first->first = error;
    (void)snprintf(first->text, sizeof(first->text), "%s", text);
}

static int take_neigh(const struct nlmsghdr *msg, void *arg)
{
    struct item item = {0};
    return vnrs_nlneigh_decode(msg, &item.neigh) ? vec_push((items *)arg, item) : 0;
}

static int take_rule(const struct nlmsghdr *msg, void *arg)
{
    struct item item = {0};
    return vnrs_nlrule_decode(msg, &item.rule) && item.rule.protocol == VNRS_RTPROT ? vec_push((items *)arg, item) : 0;
}

static void restart(void *arg)
{
    vec_clear((items *)arg);
}

static int cmp_neigh(const void *a, const void *b)
{
    const struct vnrs_nlneigh *x = &((const struct item *)a)->neigh, *y = &((const struct item *)b)->neigh;

    if (x->ifindex != y->ifindex)
        return x->ifindex < y->ifindex ? -1 : 1;
    int c = x->proxy - y->proxy;
    return c ? c : vnrs_addr_cmp(&x->addr, &y->addr);
}

static int want_neigh(struct vnrs_nl *nl, items *have, const struct vnrs_nlneigh *neigh)
{
    const struct item key = {.neigh = *neigh};
    struct item *known = have->len ? bsearch(&key, have->items, have->len, sizeof(have->items[0]), cmp_neigh) : NULL;
    struct vnrs_nlmsg msg;

    if (known) {
        known->wanted = true;
        if (memcmp(&known->neigh.mac, &neigh->mac, sizeof(neigh->mac)) == 0)
            return 0;
    }
    vnrs_nlneigh_encode(neigh, VNRS_NL_PUT, &msg);
    return vnrs_nl_queue(nl, &msg, 0);
}

// What a machine may look for on its link: the addresses of its subnet, and those of appliances and gateways wherever
// they are, which its own table may name as next hops.
static bool is_looked_for(const struct vnrs_fib_nic *nic, const struct vnrs_fib_nic *other)
{
    bool beside = other->nic.subnet == nic->nic.subnet && other->nic.vnet == nic->nic.vnet;

    return other->ifindex != nic->ifindex && (beside || other->nic.flags & VNRS_NIC_FORWARDING);
}

// The kernel answers neighbour solicitations only for addresses that it was told, so each link gets those, and the
// gateway.
static int want_proxies(struct vnrs_nl *nl, const struct vnrs_fabric *fabric, const struct vnrs_fib_nic *nic,
                        items *have)
{
    static const uint8_t none[16];
    struct vnrs_nlneigh neigh = {.ifindex = nic->ifindex, .addr.family = VNRS_AF_IPV6, .proxy = true};
    struct vnrs_map_entry *e;
    int r = 0;

    if (memcmp(nic->nic.gateway6, none, sizeof(none)) != 0) {
        memcpy(neigh.addr.bytes, nic->nic.gateway6, sizeof(neigh.addr.bytes));
        r = want_neigh(nl, have, &neigh);
    }
    for (size_t at = 0; r == 0 && nic->nic.subnet && (e = vnrs_map_next(&fabric->endpoints, &at));) {
        const struct vnrs_fabric_endpoint *endpoint = e->value;
        const struct vnrs_fib_nic *other = vnrs_fabric_nic_find(fabric, endpoint->ifindex);
        if (endpoint->key.addr.family != VNRS_AF_IPV6 || !other || !is_looked_for(nic, other))
            continue;
        neigh.addr = endpoint->key.addr;
        r = want_neigh(nl, have, &neigh);
    }
    return r;
}

static int want_neighbours(struct vnrs_nl *nl, const struct vnrs_fabric *fabric, items *have)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&fabric->nics, &at));) {
        const struct vnrs_fib_nic *nic = e->value;
        struct vnrs_nlneigh neigh = {.ifindex = nic->ifindex, .addr = vnrs_kernel_gateway};
        memcpy(neigh.mac.bytes, nic->nic.mac, sizeof(neigh.mac.bytes));
        int r = want_neigh(nl, have, &neigh);
        if (r == 0)
            r = want_proxies(nl, fabric, nic, have);
        if (r < 0)
            return r;
    }
    vec_foreach (item, have) {
        struct vnrs_nlmsg msg;
        if (item->wanted)
            continue;
        vnrs_nlneigh_encode(&item->neigh, VNRS_NL_DELETE, &msg);
        int r = vnrs_nl_queue(nl, &msg, 0);
        if (r < 0)
            return r;
    }
    return vnrs_nl_flush(nl);
}

static int report(struct vnrs_klinks_error *error, int r, const char *what)
{
    char text[200];

    if (r == 0 && error->first == 0)
        return 0;
    (void)snprintf(text, sizeof(text), "%.199s", r < 0 ? strerror(-r) : error->text);
    (void)snprintf(error->text, sizeof(error->text), "%s: %s", what, text);
    return r < 0 ? r : error->first;
}

int vnrs_klinks_neighbours(struct vnrs_nl *nl, const struct vnrs_fabric *fabric, struct vnrs_klinks_error *error)
{
    items have = {0}, proxies = {0};
    struct vnrs_nlmsg request;

    *error = (struct vnrs_klinks_error){0};
    vnrs_nlneigh_encode_dump(VNRS_AF_IPV6, false, &request);
    int r = vnrs_nl_dump(nl, &request, restart, take_neigh, &have);
    if (r == 0) {
        vnrs_nlneigh_encode_dump(VNRS_AF_IPV6, true, &request);
        r = vnrs_nl_dump(nl, &request, restart, take_neigh, &proxies);
    }
    for (size_t i = 0; r == 0 && i < proxies.len; i++)
        r = vec_push(&have, proxies.items[i]);
    if (r == 0 && have.len)
        qsort(have.items, have.len, sizeof(have.items[0]), cmp_neigh);
    if (r == 0)
        r = vnrs_nl_handler_set(nl, on_error, error);
    if (r == 0)
        r = want_neighbours(nl, fabric, &have);
    vec_free(&have);
    vec_free(&proxies);
    return report(error, r, "neighbours of the fabric");
}

static int cmp_rule(const void *a, const void *b)
{
    const struct vnrs_nlrule *x = &((const struct item *)a)->rule, *y = &((const struct item *)b)->rule;
    int c = x->family - y->family;

    if (c == 0)
        c = strncmp(x->iif, y->iif, sizeof(x->iif));
    if (c == 0)
        c = x->table < y->table ? -1 : x->table > y->table;
    return c ? c : x->priority < y->priority ? -1 : x->priority > y->priority;
}

struct names {
    const struct vnrs_fabric *fabric;
    items wanted;
};

// A rule for every link that is a NIC of ours: rules go by name.
static int take_link(const struct nlmsghdr *msg, void *arg)
{
    static const uint8_t families[] = {VNRS_AF_IPV4, VNRS_AF_IPV6};
    struct names *names = arg;
    struct item item = {.rule = {.protocol = VNRS_RTPROT, .priority = VNRS_KERNEL_RULE_PRIORITY}};
    uint32_t ifindex, flags;

    if (!vnrs_nllink_decode(msg, &ifindex, item.rule.iif, &flags))
        return 0;
    const struct vnrs_fib_nic *nic = vnrs_fabric_nic_find(names->fabric, ifindex);
    for (size_t i = 0; nic && nic->nic.domain && i < ARRAY_SIZE(families); i++) {
        item.rule.family = families[i];
        item.rule.table = VNRS_KERNEL_TABLE_DOMAIN + nic->nic.domain;
        int r = vec_push(&names->wanted, item);
        if (r < 0)
            return r;
    }
    return 0;
}

static void restart_links(void *arg)
{
    vec_clear(&((struct names *)arg)->wanted);
}

static int write_rules(struct vnrs_nl *nl, const items *wanted, items *have)
{
    struct vnrs_nlmsg msg;
    int r = 0;

    if (have->len)
        qsort(have->items, have->len, sizeof(have->items[0]), cmp_rule);
    for (size_t i = 0; r == 0 && i < wanted->len; i++) {
        struct item *known =
            have->len ? bsearch(&wanted->items[i], have->items, have->len, sizeof(have->items[0]), cmp_rule) : NULL;
        if (known) {
            known->wanted = true;
            continue;
        }
        vnrs_nlrule_encode(&wanted->items[i].rule, VNRS_NL_CREATE, &msg);
        r = vnrs_nl_queue(nl, &msg, 0);
    }
    for (size_t i = 0; r == 0 && i < have->len; i++) {
        if (have->items[i].wanted)
            continue;
        vnrs_nlrule_encode(&have->items[i].rule, VNRS_NL_DELETE, &msg);
        r = vnrs_nl_queue(nl, &msg, 0);
    }
    return r < 0 ? r : vnrs_nl_flush(nl);
}

int vnrs_klinks_rules(struct vnrs_nl *nl, const struct vnrs_fabric *fabric, struct vnrs_klinks_error *error)
{
    static const uint8_t families[] = {VNRS_AF_IPV4, VNRS_AF_IPV6};
    struct names names = {.fabric = fabric};
    items have = {0}, part = {0};
    struct vnrs_nlmsg request;

    *error = (struct vnrs_klinks_error){0};
    vnrs_nllink_encode_dump(&request);
    int r = vnrs_nl_dump(nl, &request, restart_links, take_link, &names);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
        vnrs_nlrule_encode_dump(families[i], &request);
        r = vnrs_nl_dump(nl, &request, restart, take_rule, &part);
        for (size_t j = 0; r == 0 && j < part.len; j++)
            r = vec_push(&have, part.items[j]);
    }
    if (r == 0)
        r = vnrs_nl_handler_set(nl, on_error, error);
    if (r == 0)
        r = write_rules(nl, &names.wanted, &have);
    vec_free(&names.wanted);
    vec_free(&have);
    vec_free(&part);
    return report(error, r, "rules of the fabric");
}
