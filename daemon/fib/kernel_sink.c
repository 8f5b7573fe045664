// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_sink.h"

#include "fib/kernel_counters.h"
#include "fib/kernel_links.h"
#include "fib/kernel_tables.h"

#include <errno.h>
#include <stdio.h>

struct kernel_sink {
    struct vnrs_sink sink;
    struct vnrs_nl *nl;
    struct vnrs_ktables tables;
    vnrs_kernel_nft_fn nft;
    void *nft_arg;
    char *nft_listed;        // what nft showed after the last write
    struct vnrs_map metered; // by ifindex; struct vnrs_fib_nic, also of NICs that are not there now
    bool recount;            // an ifindex is another NIC's now
    bool in_sync, synced;
    bool suspect;                // read everything back
    bool links_dirty, nft_dirty; // NICs or endpoints changed; access lists too
};

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

    vnrs_fibdb_clear(&self->tables.db);
    vnrs_fabric_fini(&self->tables.fabric);
    self->in_sync = self->suspect = true;
    return 0;
}

static int group_set(struct vnrs_sink *sink, const struct vnrs_fib_group *group)
{
    return fail(of(sink), vnrs_fibdb_group_set(&of(sink)->tables.db, group), "group: ", NULL);
}

static int route_set(struct vnrs_sink *sink, const struct vnrs_fib_route *route)
{
    char prefix[VNRS_PREFIX_STR_MAX], what[96];
    int r = vnrs_fibdb_route_set(&of(sink)->tables.db, route);

    if (r == 0)
        return 0;
    (void)snprintf(what, sizeof(what),
                   "route '%s' of domain %u, group %u: ", vnrs_prefix_format(&route->prefix, prefix), route->domain,
                   route->group);
    return fail(of(sink), r, what, NULL);
}

// Counters are by ifindex.
static int meter_nic(struct kernel_sink *self, const struct vnrs_fib_nic *nic)
{
    struct vnrs_fib_nic *known = vnrs_map_find(&self->metered, &nic->ifindex, sizeof(nic->ifindex));

    if (known && memcmp(known->nic.mac, nic->nic.mac, sizeof(nic->nic.mac)) != 0)
        self->recount = self->nft_dirty = true;
    if (!known) {
        known = malloc(sizeof(*known));
        if (!known)
            return -ENOMEM;
        known->ifindex = nic->ifindex;
        int r = vnrs_map_put(&self->metered, &known->ifindex, sizeof(known->ifindex), known);
        if (r < 0) {
            free(known);
            return r;
        }
    }
    *known = *nic;
    return 0;
}

static int nic_set(struct vnrs_sink *sink, const struct vnrs_fib_nic *nic)
{
    int metered = nic->nic.flags & VNRS_NIC_PRESENT ? meter_nic(of(sink), nic) : 0;
    int r = metered < 0 ? metered : vnrs_fabric_nic_set(&of(sink)->tables.fabric, nic);

    // A link that comes or goes takes next hops and routes with it silently.
    if (r > 0)
        of(sink)->suspect = true;
    return fail(of(sink), MIN(r, 0), "NIC: ", NULL);
}

static int endpoint_set(struct vnrs_sink *sink, const struct vnrs_fib_endpoint *endpoint)
{
    int r = vnrs_fabric_endpoint_set(&of(sink)->tables.fabric, endpoint);

    if (r > 0)
        of(sink)->links_dirty = of(sink)->nft_dirty = true;
    return fail(of(sink), MIN(r, 0), "endpoint: ", NULL);
}

static int acl_set(struct vnrs_sink *sink, const struct vnrs_fib_acl *acl)
{
    int r = vnrs_fabric_acl_set(&of(sink)->tables.fabric, acl);

    if (r > 0)
        of(sink)->nft_dirty = true;
    return fail(of(sink), MIN(r, 0), "access list: ", NULL);
}

static void forget_pairs(struct kernel_sink *self)
{
    char error[128] = "";
    _free_ char *out = NULL;

    if (self->recount && self->nft(self->nft_arg, "flush set inet " VNRS_KERNEL_COUNT_TABLE " passed\n", &out, error,
                                   sizeof(error)) == 0)
        self->recount = false;
}

// Both tables with checks, as nft shows them (nft 1.0.6 finds but one of them for one script). NULL: one is not there,
// or the one that counts.
static char *list_checks(const struct kernel_sink *self)
{
    _free_ char *inet = NULL, *arp = NULL, *count = NULL;
    char error[128] = "", *both = NULL;

    if (self->nft(self->nft_arg, "list table inet " VNRS_KERNEL_NFT_TABLE "\n", &inet, error, sizeof(error)) < 0 ||
        self->nft(self->nft_arg, "list table arp " VNRS_KERNEL_NFT_TABLE "\n", &arp, error, sizeof(error)) < 0 ||
        self->nft(self->nft_arg, "list chain inet " VNRS_KERNEL_COUNT_TABLE " deliver\n", &count, error,
                  sizeof(error)) < 0)
        return NULL;
    return asprintf(&both, "%s%s", inet, arp) < 0 ? NULL : both;
}

static int write_nft(struct kernel_sink *self)
{
    char mark[18], error[128] = "";
    _free_ char *out = NULL;

    if (!self->nft || !self->nft_dirty)
        return 0;
    forget_pairs(self);
    _free_ char *script = vnrs_fabric_nft_script(&self->tables.fabric);
    if (!script)
        return fail(self, -ENOMEM, "nft: ", NULL);
    vnrs_fabric_nft_mark(script, mark);
    // Right already: it carries the mark of this script and, if it is known, still reads as it did.
    _free_ char *listed = list_checks(self);
    if (listed && strstr(listed, mark) && (!self->nft_listed || strcmp(self->nft_listed, listed) == 0)) {
        self->nft_dirty = false;
        return 0;
    }
    int r = self->nft(self->nft_arg, script, &out, error, sizeof(error));
    if (r < 0)
        return fail(self, r, "nft: ", error[0] ? error : NULL);
    self->sink.writes++;
    self->nft_dirty = false;
    free(self->nft_listed);
    self->nft_listed = list_checks(self);
    return 0;
}

static int write_links(struct kernel_sink *self, bool rules)
{
    struct vnrs_klinks_error error;
    int r = rules ? vnrs_klinks_rules(self->nl, &self->tables.fabric, &error)
                  : vnrs_klinks_neighbours(self->nl, &self->tables.fabric, &error);
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
        r = vnrs_ktables_load(&self->tables);
        if (r < 0)
            return fail(self, r, "reading the fabric: ", NULL);
    }
    bool links = self->links_dirty;
    if (links)
        first = write_links(self, false);
    self->tables.nexthops.failed = 0;
    r = vnrs_ktables_update_groups(&self->tables);
    whole |= r > 0;
    if (r >= 0)
        r = vnrs_ktables_prepare(&self->tables, links, reload);
    self->suspect = false;
    if (r < 0)
        return fail(self, r, "next hops: ", NULL);
    if (self->tables.nexthops.failed && first == 0)
        first = fail(self, self->tables.nexthops.first_error, "", self->tables.nexthops.error);
    r = vnrs_ktables_write(&self->tables, whole);
    if (r < 0 && first == 0)
        first = fail(self, r, "", self->tables.error);
    if (links) {
        r = write_links(self, true);
        first = first < 0 ? first : r;
    }
    self->links_dirty = first < 0;
    r = write_nft(self);
    first = first < 0 ? first : r;
    r = vnrs_ktables_commit(&self->tables);
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
    vnrs_ktables_fini(&self->tables);
    vnrs_nl_free(self->nl);
    free(self->nft_listed);
    vnrs_map_fini_values(&self->metered);
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
    vnrs_ktables_init(&self->tables, self->nl);
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

int vnrs_kernel_sink_counters(struct vnrs_sink *sink, const struct vnrs_kernel_counting *counting)
{
    struct kernel_sink *self = of(sink);
    char error[128] = "";
    _free_ char *listing = NULL;

    if (!self->nft || !self->synced)
        return -ENOENT;
    int r = self->nft(self->nft_arg, "list table inet " VNRS_KERNEL_COUNT_TABLE "\n", &listing, error, sizeof(error));
    if (r == 0)
        vnrs_kernel_counters_read(listing, &self->metered, counting);
    return r;
}

void vnrs_kernel_sink_legacy_set(struct vnrs_sink *sink, bool legacy)
{
    of(sink)->tables.nexthops.legacy = legacy;
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
        {"net/ipv4/conf/all/accept_local", "1"},     // spares a lookup of the source for each packet
        {"net/ipv4/fib_multipath_hash_policy", "3"}, // the fields below, by what is in the packet
        {"net/ipv6/fib_multipath_hash_policy", "3"},
        {"net/ipv4/fib_multipath_hash_fields", "55"}, // addresses, protocol, ports
        {"net/ipv6/fib_multipath_hash_fields", "55"},
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
        {"net/ipv4/conf/%s/forwarding", "1"},       {"net/ipv6/conf/%s/forwarding", "1"},
        {"net/ipv4/conf/%s/rp_filter", "0"},        {"net/ipv4/conf/%s/send_redirects", "0"},
        {"net/ipv4/conf/%s/accept_redirects", "0"}, {"net/ipv6/conf/%s/accept_ra", "0"},
        {"net/ipv6/conf/%s/accept_dad", "0"},       {"net/ipv6/conf/%s/proxy_ndp", "1"},
    };
    *ret_n = ARRAY_SIZE(sysctls);
    return sysctls;
}
