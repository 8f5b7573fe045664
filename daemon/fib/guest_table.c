// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/guest_table.h"

#include "net/addr.h"
#include "util/strbuf.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define PIECE 128u // routes: well below a millisecond

int vnrs_guest_ns_new(int fd, bool legacy, struct vnrs_guest_ns **ret_ns)
{
    _close_ int own = fd;
    struct stat st;

    _close_ int netns = ioctl(own, SIOCGSKNS);
    if (netns < 0 || fstat(netns, &st) < 0)
        return -errno;
    _free_ struct vnrs_guest_ns *ns = calloc(1, sizeof(*ns));
    if (!ns)
        return -ENOMEM;
    int r = vnrs_nl_new(TAKE_FD(own), &ns->nl);
    if (r < 0)
        return r;
    ns->id.dev = st.st_dev;
    ns->id.ino = st.st_ino;
    vnrs_nhset_init(&ns->nexthops, ns->nl);
    ns->nexthops.legacy = legacy;
    *ret_ns = TAKE_PTR(ns);
    return 0;
}

void vnrs_guest_ns_free(struct vnrs_guest_ns *ns)
{
    if (!ns)
        return;
    vnrs_nhset_fini(&ns->nexthops);
    vnrs_nl_free(ns->nl);
    free(ns);
}

// The first failure is told for all.
static int fail(struct vnrs_guest_table *table, int error, const char *text)
{
    if (!table->failure) {
        table->failure = error;
        (void)vnrs_str_copy(table->error, sizeof(table->error), text);
    }
    return error;
}

struct link {
    uint32_t ifindex, flags;
};

static int take_link(const struct nlmsghdr *msg, void *arg)
{
    struct link *link = arg;
    char name[16];
    return vnrs_nllink_decode(msg, &link->ifindex, name, &link->flags) ? 0 : -EPROTO;
}

// Find the link; its next hops count as ours from now on.
static int find_link(struct vnrs_guest_table *table)
{
    struct vnrs_nlmsg request;
    struct link link = {0};
    const char *ifname = table->spec.ifname;
    char text[64];

    vnrs_nllink_encode_get(ifname, &request);
    int r = vnrs_nl_get(table->ns->nl, &request, take_link, &link);
    const char *what = r == -ENODEV                  ? "does not exist"
                       : r < 0                       ? "cannot be looked up"
                       : !(link.flags & IFF_UP)      ? "is down"
                       : !(link.flags & IFF_RUNNING) ? "has no carrier"
                                                     : NULL;
    if (what) {
        (void)snprintf(text, sizeof(text), "link '%.15s' %s", ifname, what);
        return fail(table, r < 0 ? r : -ENETDOWN, text);
    }
    table->ifindex = link.ifindex;
    vec_foreach (known, &table->ns->nexthops.links)
        if (*known == link.ifindex)
            return 0;
    r = vec_push(&table->ns->nexthops.links, link.ifindex);
    return r < 0 ? fail(table, r, "out of memory") : 0;
}

static int take_route(const struct nlmsghdr *msg, void *arg)
{
    return vnrs_nlroute_decode(msg, arg) ? 0 : -EPROTO;
}

// The link at whose other end `via` is; 0: there is none, or it has no carrier.
static uint32_t link_to(struct vnrs_guest_table *table, const struct vnrs_addr *via)
{
    struct vnrs_nlroute route = {0};
    struct vnrs_nlmsg request;

    vnrs_nlroute_encode_get(via, &request);
    bool found = vnrs_nl_get(table->ns->nl, &request, take_route, &route) == 0 && route.type == RTN_UNICAST &&
                 route.n_hops == 1 && route.hops[0].via.family == VNRS_AF_NONE;
    return found ? route.hops[0].ifindex : 0;
}

struct resolved {
    bool drop, direct;
    uint32_t n;
    struct vnrs_nlhop hops[VNRS_NLHOPS_MAX];
};

static bool is_own(const struct vnrs_guest_table *table, const struct vnrs_addr *addr)
{
    for (unsigned i = 0; i < table->spec.n_own; i++)
        if (vnrs_addr_equal(&table->spec.own[i], addr))
            return true;
    return false;
}

// Members lead to their own address where they have one (an NVA), else to the machine's gateway: the fabric does the
// rest, also where the machine is itself the next hop, which the kernel would refuse. Dead ones are left out.
static void resolve_hop(const struct vnrs_guest_table *table, const struct vnrs_addr *via,
                        const struct vnrs_addr *gateway, struct resolved *ret)
{
    struct vnrs_nlhop *hop = &ret->hops[ret->n++];

    hop->ifindex = table->ifindex;
    hop->via = via->family && !is_own(table, via) ? *via : *gateway;
    hop->onlink = table->spec.onlink && hop->via.family;
}

static void resolve_link(struct vnrs_guest_table *table, const struct vnrs_addr *via, struct resolved *ret)
{
    uint32_t ifindex = via->family ? link_to(table, via) : 0;

    // What is at the other end need not answer for the address there, but it is a next hop all the same.
    if (ifindex)
        ret->hops[ret->n++] = (struct vnrs_nlhop){.ifindex = ifindex, .via = *via, .onlink = true};
}

static void resolve(struct vnrs_guest_table *table, const struct vnrs_fib_group *group, uint8_t family,
                    struct resolved *ret)
{
    const struct vnrs_addr *gateway = family == VNRS_AF_IPV4 ? &table->spec.gateway4 : &table->spec.gateway6;

    *ret = (struct resolved){.drop = true, .direct = true};
    for (uint32_t i = 0; i < group->n; i++) {
        const struct vnrs_fib_member *member = &group->members[i];
        if (member->kind == VNRS_BPF_NH_DROP)
            continue;
        ret->drop = false;
        if (member->via.family)
            ret->direct = false; // will fail over
        if (member->kind == VNRS_BPF_NH_DEAD || (family == VNRS_AF_IPV6 && member->via.family == VNRS_AF_IPV4))
            continue;
        if (table->spec.by_link)
            resolve_link(table, &member->via, ret);
        else
            resolve_hop(table, &member->via, gateway, ret);
    }
}

// The target of a route of this group; its slot is made when it is not there yet.
static int target_of(struct vnrs_guest_table *table, const struct vnrs_fibdb *db, uint32_t handle, uint8_t family,
                     struct vnrs_ktarget *ret_target)
{
    struct vnrs_nhset *nexthops = &table->ns->nexthops;
    const struct vnrs_nhslot *slot = vnrs_nhset_find(nexthops, table->owner, handle, family);
    struct resolved resolved;

    if (!slot) {
        resolve(table, &vnrs_fibdb_group_find(db, handle)->group, family, &resolved);
        // Without anything that can fail over, a plain route will do: an object for it would need `lo` to be up, which
        // is not ours to see to in a namespace of somebody else.
        if (resolved.drop || (resolved.n == 0 && resolved.direct)) {
            *ret_target = (struct vnrs_ktarget){.type = RTN_BLACKHOLE};
            return 0;
        }
        int r = vnrs_nhset_put(nexthops, table->owner, handle, family, resolved.hops, resolved.n, resolved.direct);
        if (r < 0)
            return r;
        slot = vnrs_nhset_find(nexthops, table->owner, handle, family);
    }
    *ret_target = (struct vnrs_ktarget){.type = RTN_UNICAST, .nh = slot};
    return 0;
}

// Slots of all routes that the domain wants; the objects of those that are there are found again.
static int claim_slots(struct vnrs_guest_table *table, const struct vnrs_fibdb *db,
                       const struct vnrs_fibdb_domain *domain)
{
    struct vnrs_ktarget target;
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_slots_next(&domain->routes, id));) {
        uint32_t handle = vnrs_slots_find(&domain->routes, id), nhid = vnrs_kroutes_nhid(&table->routes, id);
        uint8_t family = vnrs_prefixes_prefix(&db->prefixes, id).family;
        r = target_of(table, db, handle, family, &target);
        if (r == 0 && nhid && target.nh)
            vnrs_nhset_claim(&table->ns->nexthops, table->owner, handle, family, nhid);
    }
    return r;
}

// Comparing begins.
static int read_table(struct vnrs_guest_table *table, const struct vnrs_fibdb *db)
{
    const struct vnrs_fibdb_domain *domain = vnrs_fibdb_domain_find(db, table->spec.domain);
    struct vnrs_nhset *nexthops = &table->ns->nexthops;

    table->suspect = true;
    int r = find_link(table);
    if (r < 0)
        return r;
    table->stage = VNRS_GUEST_COMPARING;
    table->last_id = VNRS_PREFIX_NONE;
    // Slots are found again by what the routes point to, so a new controller's handles change nothing.
    vnrs_nhset_release_owner(nexthops, table->owner);
    r = vnrs_nhset_load(nexthops);
    if (r == 0)
        r = vnrs_kroutes_load(&table->routes);
    if (r == 0 && domain)
        r = claim_slots(table, db, domain);
    if (r == 0)
        r = vnrs_nhset_write(nexthops);
    return r < 0 ? r : 1;
}

// Puts the next ones of the domain; what it does not want goes after the last.
static int put_some(struct vnrs_guest_table *table, const struct vnrs_fibdb *db)
{
    const struct vnrs_fibdb_domain *domain = vnrs_fibdb_domain_find(db, table->spec.domain);
    struct vnrs_ktarget target;
    uint32_t id = table->last_id;

    for (unsigned n = 0; n < PIECE && domain && (id = vnrs_slots_next(&domain->routes, id)); n++) {
        uint8_t family = vnrs_prefixes_prefix(&db->prefixes, id).family;
        int r = target_of(table, db, vnrs_slots_find(&domain->routes, id), family, &target);
        if (r == 0)
            r = vnrs_kroutes_put(&table->routes, id, &target);
        if (r < 0)
            return r;
    }
    table->last_id = id;
    return domain && id ? 1 : vnrs_kroutes_remove_unseen(&table->routes);
}

static int compare_some(struct vnrs_guest_table *table, const struct vnrs_fibdb *db)
{
    int r = vnrs_kroutes_begin(&table->routes);

    if (r == 0)
        r = put_some(table, db);
    int flushed = vnrs_kroutes_flush(&table->routes);
    return r < 0 || flushed == 0 ? r : flushed;
}

// A group with other members than before. Returns 1 when the table needs a comparison: routes of the group change from
// one kind of target to another.
static int update_group(struct vnrs_guest_table *table, const struct vnrs_fib_group *group)
{
    static const uint8_t families[] = {VNRS_AF_IPV4, VNRS_AF_IPV6};
    struct vnrs_nhset *nexthops = &table->ns->nexthops;
    struct resolved resolved;
    bool has_slot = false;

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (!vnrs_nhset_find(nexthops, table->owner, group->handle, families[i]))
            continue;
        has_slot = true;
        resolve(table, group, families[i], &resolved);
        int r = resolved.drop ? 1
                              : vnrs_nhset_put(nexthops, table->owner, group->handle, families[i], resolved.hops,
                                               resolved.n, resolved.direct);
        if (r != 0)
            return r;
    }
    resolve(table, group, VNRS_AF_IPV4, &resolved);
    return !has_slot && !resolved.drop;
}

static int update_groups(struct vnrs_guest_table *table, const struct vnrs_fibdb *db)
{
    int r = 0;

    for (size_t i = 0; r == 0 && db->groups_dirty && i < db->touched.len; i++) {
        const struct vnrs_fibdb_group *group = vnrs_fibdb_group_find(db, db->touched.items[i]);
        if (group && group->dirty && vnrs_fibdb_refs(db, table->spec.domain, group->group.handle))
            r = update_group(table, &group->group);
    }
    return r;
}

static int write_changes(struct vnrs_guest_table *table, const struct vnrs_fibdb *db,
                         const struct vnrs_fibdb_change *changes, size_t n)
{
    struct vnrs_ktarget target;
    uint32_t removed[PIECE];
    size_t n_removed = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct vnrs_fibdb_change *change = &changes[i];
        if (!change->group && change->written)
            removed[n_removed++] = change->prefix;
        if (!change->group || change->group == change->written)
            continue;
        r = target_of(table, db, change->group, vnrs_prefixes_prefix(&db->prefixes, change->prefix).family, &target);
        if (r == 0)
            r = vnrs_kroutes_write(&table->routes, change->prefix, &target, change->written != 0);
    }
    return r < 0 || !n_removed ? r : vnrs_kroutes_remove(&table->routes, removed, n_removed);
}

// Next hops before the routes that lead by them.
static int change_some(struct vnrs_guest_table *table, const struct vnrs_fibdb *db)
{
    const struct vnrs_fibdb_domain *domain = vnrs_fibdb_domain_find(db, table->spec.domain);
    size_t rest = domain ? domain->changes.len - table->next_change : 0, n = MIN(rest, PIECE);
    const struct vnrs_fibdb_change *changes = n ? &domain->changes.items[table->next_change] : NULL;
    struct vnrs_ktarget target;
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        if (changes[i].group)
            r = target_of(table, db, changes[i].group, vnrs_prefixes_prefix(&db->prefixes, changes[i].prefix).family,
                          &target);
    if (r == 0)
        r = vnrs_nhset_write(&table->ns->nexthops);
    if (r < 0 || !n)
        return r;
    table->next_change += n;
    r = vnrs_kroutes_begin(&table->routes);
    if (r == 0)
        r = write_changes(table, db, changes, n);
    int flushed = vnrs_kroutes_flush(&table->routes);
    r = r < 0 ? r : flushed;
    return r < 0 ? r : n < rest;
}

static int begin(struct vnrs_guest_table *table, const struct vnrs_fibdb *db)
{
    table->failure = 0;
    table->ns->nexthops.failed = table->routes.failed = 0;
    table->next_change = 0;
    int r = table->suspect ? 1 : update_groups(table, db);
    if (r < 0)
        return r;
    if (r > 0)
        return read_table(table, db);
    table->stage = VNRS_GUEST_CHANGING;
    return change_some(table, db);
}

// What the kernel refused, once all is sent.
static int end(struct vnrs_guest_table *table, int r)
{
    if (table->stage == VNRS_GUEST_COMPARING)
        vnrs_kroutes_forget(&table->routes);
    table->stage = VNRS_GUEST_RESTING;
    if (r < 0)
        (void)fail(table, r, strerror(-r));
    table->suspect = table->again || table->failure;
    table->again = false;
    if (!table->failure)
        table->error[0] = '\0';
    return table->failure;
}

static void note_refusals(struct vnrs_guest_table *table)
{
    if (table->ns->nexthops.failed)
        (void)fail(table, table->ns->nexthops.first_error, table->ns->nexthops.error);
    else if (table->routes.failed)
        (void)fail(table, table->routes.first_error, table->routes.error);
}

int vnrs_guest_table_step(struct vnrs_guest_table *table, const struct vnrs_fibdb *db)
{
    int r = 0;

    switch (table->stage) {
    case VNRS_GUEST_RESTING:
        r = begin(table, db);
        break;
    case VNRS_GUEST_CHANGING:
        r = change_some(table, db);
        break;
    case VNRS_GUEST_COMPARING:
        r = compare_some(table, db);
        break;
    }
    if (r >= 0)
        note_refusals(table);
    return r > 0 ? 1 : end(table, r);
}

int vnrs_guest_table_reconcile(struct vnrs_guest_table *table, const struct vnrs_fibdb *db)
{
    int r;

    vnrs_guest_table_abandon(table);
    table->suspect = true;
    do
        r = vnrs_guest_table_step(table, db);
    while (r > 0);
    return r;
}

void vnrs_guest_table_abandon(struct vnrs_guest_table *table)
{
    if (table->stage == VNRS_GUEST_RESTING)
        return;
    (void)end(table, 0);
    table->suspect = true;
}

void vnrs_guest_table_suspect(struct vnrs_guest_table *table)
{
    if (table->stage == VNRS_GUEST_RESTING)
        table->suspect = true;
    else
        table->again = true;
}

int vnrs_guest_table_withdraw(struct vnrs_guest_table *table)
{
    vnrs_guest_table_abandon(table);
    (void)find_link(table); // whose next hops are to go; if it is gone, so are they
    table->failure = 0;
    vnrs_nhset_release_owner(&table->ns->nexthops, table->owner);
    int r = vnrs_nhset_load(&table->ns->nexthops);
    if (r == 0)
        r = vnrs_kroutes_load(&table->routes);
    if (r == 0)
        r = vnrs_kroutes_begin(&table->routes);
    if (r == 0)
        r = vnrs_kroutes_remove_unseen(&table->routes);
    int flushed = vnrs_kroutes_flush(&table->routes);
    vnrs_kroutes_forget(&table->routes);
    r = r < 0 ? r : flushed;
    if (r >= 0)
        note_refusals(table);
    return end(table, r);
}
