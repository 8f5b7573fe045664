// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_sink.h"

#include "fib/bpf_counters.h"
#include "fib/bpf_map.h"
#include "fib/bpf_routes.h"
#include "fib/bpf_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

struct nic {
    struct vnrs_bpf_nic_record record; // as in the map
    bool confirmed, addr_confirmed, addr6_confirmed;
};

struct bpf_sink {
    struct vnrs_sink sink;
    struct vnrs_bpf_dataplane *dp; // borrowed
    struct vnrs_bpf_routes *routes;
    struct vnrs_bpf_table acl;
    struct nic *nics;                 // VNRS_NICS_MAX, by ifindex
    struct vnrs_bpf_flow_switch *now; // the map `flow_switch`, mapped
    uint64_t told;                    // writes that are said by it
};

static struct bpf_sink *self(struct vnrs_sink *sink)
{
    return container_of(sink, struct bpf_sink, sink);
}

// Say what failed, with the text of the errno last. Returns `err`.
VNRS_PRINTF(3, 4)
static int fail(struct vnrs_sink *sink, int err, const char *fmt, ...)
{
    char what[160];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    (void)snprintf(sink->error, sizeof(sink->error), "cannot %s in the eBPF data plane: %s", what,
                   err == -ENOSPC ? "the map is full" : strerror(-err));
    return err;
}

// Decisions that packets remember hold no longer where anything was written, even by half. Returns `err`.
static int forget_decisions(struct bpf_sink *b, int err)
{
    if (b->told != b->sink.writes)
        __atomic_store_n(&b->now->epoch, b->now->epoch + 1, __ATOMIC_RELEASE);
    b->told = b->sink.writes;
    return err;
}

static int nic_read(const void *key, const void *value, void *arg)
{
    struct nic *nics = arg;
    uint32_t ifindex;

    memcpy(&ifindex, key, sizeof(ifindex));
    memcpy(&nics[ifindex].record, value, sizeof(nics[ifindex].record));
    return 0;
}

// Read NICs and access lists back; all of it is then unconfirmed.
static int read_back(struct bpf_sink *b)
{
    memset(b->nics, 0, VNRS_NICS_MAX * sizeof(*b->nics));
    int err = vnrs_bpf_map_walk(vnrs_bpf_dataplane_map(b->dp, VNRS_BPF_MAP_NICS), sizeof(uint32_t),
                                sizeof(struct vnrs_bpf_nic_record), nic_read, b->nics);
    if (!err)
        err = vnrs_bpf_table_read(&b->acl);
    return err ? fail(&b->sink, err, "read NICs and access lists back") : 0;
}

static int sink_sync_begin(struct vnrs_sink *sink)
{
    struct bpf_sink *b = self(sink);

    vnrs_bpf_routes_sync_begin(b->routes);
    return read_back(b);
}

static int sink_group_set(struct vnrs_sink *sink, const struct vnrs_fib_group *group)
{
    struct bpf_sink *b = self(sink);
    int err = forget_decisions(b, vnrs_bpf_routes_group_set(b->routes, group));

    return err ? fail(sink, err, "set next-hop group %u", group->handle) : 0;
}

static int sink_route_set(struct vnrs_sink *sink, const struct vnrs_fib_route *route)
{
    struct bpf_sink *b = self(sink);
    char text[VNRS_PREFIX_STR_MAX];
    int err = forget_decisions(b, vnrs_bpf_routes_set(b->routes, route));

    if (!err)
        return 0;
    return fail(sink, err, "%s route '%s' of domain %u", route->group ? "set" : "remove",
                vnrs_prefix_format(&route->prefix, text), route->domain);
}

// Nothing is done where the map has it already.
static int nic_write(struct bpf_sink *b, uint32_t ifindex, const struct vnrs_bpf_nic_record *record)
{
    if (memcmp(&b->nics[ifindex].record, record, sizeof(*record)) == 0)
        return 0;
    int err = bpf_map_update_elem(vnrs_bpf_dataplane_map(b->dp, VNRS_BPF_MAP_NICS), &ifindex, record, BPF_ANY);
    if (err)
        return fail(&b->sink, err, "set NIC %u", ifindex);
    b->nics[ifindex].record = *record;
    b->sink.writes++;
    return 0;
}

static int nic_remove(struct bpf_sink *b, uint32_t ifindex)
{
    static const struct vnrs_bpf_nic_record none;

    if (memcmp(&b->nics[ifindex].record, &none, sizeof(none)) == 0)
        return 0;
    uint32_t flags = b->nics[ifindex].record.nic.flags;
    int err = nic_write(b, ifindex, &none);
    if (err)
        return err;
    err = vnrs_bpf_counters_nic_gone(b->dp, ifindex, flags);
    return err ? fail(&b->sink, err, "close the counters of NIC %u", ifindex) : 0;
}

static int sink_nic_set(struct vnrs_sink *sink, const struct vnrs_fib_nic *wanted)
{
    struct bpf_sink *b = self(sink);

    if (wanted->ifindex < VNRS_IFINDEX_FIRST || wanted->ifindex >= VNRS_NICS_MAX)
        return fail(sink, -ERANGE, "set NIC %u", wanted->ifindex);
    if (!(wanted->nic.flags & VNRS_NIC_PRESENT))
        return forget_decisions(b, nic_remove(b, wanted->ifindex));
    struct vnrs_bpf_nic_record record = {.nic = wanted->nic};
    const struct nic *nic = &b->nics[wanted->ifindex];
    if (nic->record.nic.vnet == wanted->nic.vnet) { // its addresses mean what they meant
        memcpy(record.addr_be, nic->record.addr_be, sizeof(record.addr_be));
        memcpy(record.addr6_be, nic->record.addr6_be, sizeof(record.addr6_be));
    }
    b->nics[wanted->ifindex].confirmed = true;
    return forget_decisions(b, nic_write(b, wanted->ifindex, &record));
}

static __be32 *record_addr(struct vnrs_bpf_nic_record *record, uint8_t family)
{
    return family == VNRS_AF_IPV4 ? record->addr_be : record->addr6_be;
}

// The first address of a NIC goes into its record as well. One that is said before its NIC does not, which costs
// nothing but time.
static int nic_addr_added(struct bpf_sink *b, uint32_t ifindex, uint32_t vnet, const struct vnrs_addr *addr)
{
    static const __be32 none[4];
    struct nic *nic = &b->nics[ifindex];
    struct vnrs_bpf_nic_record record = nic->record;
    __be32 *at = record_addr(&record, addr->family);

    if (!(record.nic.flags & VNRS_NIC_PRESENT) || record.nic.vnet != vnet)
        return 0;
    if (memcmp(at, none, sizeof(none)) == 0)
        memcpy(at, addr->bytes, sizeof(none));
    if (memcmp(at, addr->bytes, sizeof(none)) != 0)
        return 0;
    *(addr->family == VNRS_AF_IPV4 ? &nic->addr_confirmed : &nic->addr6_confirmed) = true;
    return nic_write(b, ifindex, &record);
}

static int nic_addr_removed(struct bpf_sink *b, uint32_t ifindex, uint32_t vnet, const struct vnrs_addr *addr)
{
    struct vnrs_bpf_nic_record record = b->nics[ifindex].record;
    __be32 *at = record_addr(&record, addr->family);

    if (record.nic.vnet != vnet || memcmp(at, addr->bytes, sizeof(record.addr_be)) != 0)
        return 0;
    memset(at, 0, sizeof(record.addr_be));
    return nic_write(b, ifindex, &record);
}

// Addresses that nobody said again go from the record of a NIC that stays.
static int nic_sweep(struct bpf_sink *b, uint32_t ifindex)
{
    const struct nic *nic = &b->nics[ifindex];
    struct vnrs_bpf_nic_record record = nic->record;

    if (!nic->confirmed)
        return nic_remove(b, ifindex);
    if (!nic->addr_confirmed)
        memset(record.addr_be, 0, sizeof(record.addr_be));
    if (!nic->addr6_confirmed)
        memset(record.addr6_be, 0, sizeof(record.addr6_be));
    return nic_write(b, ifindex, &record);
}

static int sink_endpoint_set(struct vnrs_sink *sink, const struct vnrs_fib_endpoint *endpoint)
{
    const struct vnrs_addr *addr = &endpoint->addr;
    struct bpf_sink *b = self(sink);
    char text[VNRS_ADDR_STR_MAX];
    uint32_t before = 0;

    int err = vnrs_bpf_routes_endpoint_set(b->routes, endpoint->vnet, addr, endpoint->ifindex, &before);
    if (err)
        return fail(sink, err, "set address '%s'", vnrs_addr_format(addr, text));
    if (before && before != endpoint->ifindex)
        err = nic_addr_removed(b, before, endpoint->vnet, addr);
    if (!err && endpoint->ifindex)
        err = nic_addr_added(b, endpoint->ifindex, endpoint->vnet, addr);
    return forget_decisions(b, err);
}

static int sink_acl_set(struct vnrs_sink *sink, const struct vnrs_fib_acl *acl)
{
    struct bpf_sink *b = self(sink);
    struct vnrs_bpf_acl_key key = {.kind = acl->kind, .to = acl->to, .from = acl->from};
    int err = acl->allowed ? vnrs_bpf_table_set(&b->acl, &key, 1, &sink->writes)
                           : vnrs_bpf_table_remove(&b->acl, &key, &sink->writes);

    (void)forget_decisions(b, err);
    return err ? fail(sink, err, "set access of %u to %u", acl->from, acl->to) : 0;
}

static int sink_flush(struct vnrs_sink *sink)
{
    struct bpf_sink *b = self(sink);
    int err = forget_decisions(b, vnrs_bpf_routes_publish(b->routes)); // all else was written at once

    return err ? fail(sink, err, "write routes and addresses") : 0;
}

static int sweep(struct bpf_sink *b)
{
    int err = vnrs_bpf_table_sweep(&b->acl, &b->sink.writes);

    if (err)
        return fail(&b->sink, err, "remove what is no longer wanted");
    for (uint32_t ifindex = 0; ifindex < VNRS_NICS_MAX; ifindex++) {
        err = nic_sweep(b, ifindex);
        if (err)
            return err;
    }
    return 0;
}

// Routes first: nothing leads any more to what goes after them.
static int sink_sync_end(struct vnrs_sink *sink)
{
    struct bpf_sink *b = self(sink);
    int err = vnrs_bpf_routes_sync_end(b->routes);

    if (err)
        return fail(sink, err, "remove routes and addresses that are no longer wanted");
    err = sink_flush(sink);
    return err ? err : forget_decisions(b, sweep(b));
}

static void sink_free(struct vnrs_sink *sink)
{
    struct bpf_sink *b = self(sink);

    if (b->now)
        (void)munmap(b->now, sizeof(*b->now));
    vnrs_bpf_routes_free(b->routes);
    vnrs_bpf_table_fini(&b->acl);
    free(b->nics);
    free(b);
}

static const struct vnrs_sink_ops ops = {
    .name = "bpf",
    .sync_begin = sink_sync_begin,
    .group_set = sink_group_set,
    .route_set = sink_route_set,
    .nic_set = sink_nic_set,
    .endpoint_set = sink_endpoint_set,
    .acl_set = sink_acl_set,
    .sync_end = sink_sync_end,
    .flush = sink_flush,
    .free = sink_free,
};

// What an earlier process left may have been changed since, and its program may have decided otherwise.
static int epoch_open(struct bpf_sink *b)
{
    void *at = mmap(NULL, sizeof(*b->now), PROT_READ | PROT_WRITE, MAP_SHARED,
                    vnrs_bpf_dataplane_map(b->dp, VNRS_BPF_MAP_FLOW_SWITCH), 0);

    if (at == MAP_FAILED)
        return -errno;
    b->now = at;
    b->told = b->sink.writes + 1;
    return forget_decisions(b, 0);
}

int vnrs_bpf_sink_new(struct vnrs_bpf_dataplane *dp, struct vnrs_sink **ret_sink)
{
    struct bpf_sink *b = calloc(1, sizeof(*b));

    if (!b)
        return -ENOMEM;
    *b = (struct bpf_sink){
        .sink.ops = &ops,
        .dp = dp,
        .acl = {.fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_ACCESS),
                .key_size = sizeof(struct vnrs_bpf_acl_key),
                .max = VNRS_ACLS_MAX},
        .nics = calloc(VNRS_NICS_MAX, sizeof(*b->nics)),
    };
    const struct vnrs_bpf_route_maps maps = {
        .tables_fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_TABLES),
        .lines_fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_LINES),
        .groups_fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_GROUPS),
        .nexthops_fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_NEXTHOPS),
    };
    int err = b->nics ? vnrs_bpf_routes_new(&maps, &b->sink.writes, &b->routes) : -ENOMEM;
    if (!err)
        err = read_back(b);
    if (!err)
        err = epoch_open(b);
    if (err) {
        sink_free(&b->sink);
        return err;
    }
    *ret_sink = &b->sink;
    return 0;
}
