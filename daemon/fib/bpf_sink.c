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

#include <bpf/bpf.h>

struct nic {
    struct vnrs_bpf_nic nic; // as in the map
    bool confirmed;
};

struct bpf_sink {
    struct vnrs_sink sink;
    struct vnrs_bpf_dataplane *dp; // borrowed
    struct vnrs_bpf_routes *routes;
    struct vnrs_bpf_table acl;
    struct nic *nics; // VNRS_NICS_MAX, by ifindex
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

static int nic_read(const void *key, const void *value, void *arg)
{
    struct nic *nics = arg;
    uint32_t ifindex;

    memcpy(&ifindex, key, sizeof(ifindex));
    memcpy(&nics[ifindex].nic, value, sizeof(nics[ifindex].nic));
    return 0;
}

// Read NICs and access lists back; all of it is then unconfirmed.
static int read_back(struct bpf_sink *b)
{
    memset(b->nics, 0, VNRS_NICS_MAX * sizeof(*b->nics));
    int err = vnrs_bpf_map_walk(vnrs_bpf_dataplane_map(b->dp, VNRS_BPF_MAP_NICS), sizeof(uint32_t),
                                sizeof(struct vnrs_bpf_nic), nic_read, b->nics);
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
    int err = vnrs_bpf_routes_group_set(self(sink)->routes, group);

    return err ? fail(sink, err, "set next-hop group %u", group->handle) : 0;
}

static int sink_route_set(struct vnrs_sink *sink, const struct vnrs_fib_route *route)
{
    char text[VNRS_PREFIX_STR_MAX];
    int err = vnrs_bpf_routes_set(self(sink)->routes, route);

    if (!err)
        return 0;
    return fail(sink, err, "%s route '%s' of domain %u", route->group ? "set" : "remove",
                vnrs_prefix_format(&route->prefix, text), route->domain);
}

static int nic_write(struct bpf_sink *b, uint32_t ifindex, const struct vnrs_bpf_nic *nic)
{
    int err = bpf_map_update_elem(vnrs_bpf_dataplane_map(b->dp, VNRS_BPF_MAP_NICS), &ifindex, nic, BPF_ANY);

    if (err)
        return fail(&b->sink, err, "set NIC %u", ifindex);
    b->nics[ifindex].nic = *nic;
    b->sink.writes++;
    return 0;
}

static int nic_remove(struct bpf_sink *b, uint32_t ifindex)
{
    static const struct vnrs_bpf_nic none;

    if (memcmp(&b->nics[ifindex].nic, &none, sizeof(none)) == 0)
        return 0;
    int err = nic_write(b, ifindex, &none);
    if (err)
        return err;
    err = vnrs_bpf_counters_nic_reset(b->dp, ifindex); // whoever gets the ifindex next begins at 0
    return err ? fail(&b->sink, err, "reset the counters of NIC %u", ifindex) : 0;
}

static int sink_nic_set(struct vnrs_sink *sink, const struct vnrs_fib_nic *wanted)
{
    struct bpf_sink *b = self(sink);
    struct vnrs_bpf_nic nic = wanted->nic;

    if (wanted->ifindex == 0 || wanted->ifindex >= VNRS_NICS_MAX)
        return fail(sink, -ERANGE, "set NIC %u", wanted->ifindex);
    if (!(nic.flags & VNRS_NIC_PRESENT))
        return nic_remove(b, wanted->ifindex);
    memset(nic.pad, 0, sizeof(nic.pad));
    b->nics[wanted->ifindex].confirmed = true;
    if (memcmp(&b->nics[wanted->ifindex].nic, &nic, sizeof(nic)) == 0)
        return 0;
    return nic_write(b, wanted->ifindex, &nic);
}

static int sink_endpoint_set(struct vnrs_sink *sink, const struct vnrs_fib_endpoint *endpoint)
{
    char text[VNRS_ADDR_STR_MAX];
    int err = vnrs_bpf_routes_endpoint_set(self(sink)->routes, endpoint->vnet, &endpoint->addr, endpoint->ifindex);

    return err ? fail(sink, err, "set address '%s'", vnrs_addr_format(&endpoint->addr, text)) : 0;
}

static int sink_acl_set(struct vnrs_sink *sink, const struct vnrs_fib_acl *acl)
{
    struct bpf_sink *b = self(sink);
    struct vnrs_bpf_acl_key key = {.ifindex = acl->ifindex, .subnet = acl->subnet};
    int err = acl->allowed ? vnrs_bpf_table_set(&b->acl, &key, 1, &sink->writes)
                           : vnrs_bpf_table_remove(&b->acl, &key, &sink->writes);

    return err ? fail(sink, err, "set access of subnet %u to NIC %u", acl->subnet, acl->ifindex) : 0;
}

static int sink_flush(struct vnrs_sink *sink)
{
    int err = vnrs_bpf_routes_publish(self(sink)->routes); // all else was written at once

    return err ? fail(sink, err, "write routes and addresses") : 0;
}

// Routes first: nothing leads any more to what goes after them.
static int sink_sync_end(struct vnrs_sink *sink)
{
    struct bpf_sink *b = self(sink);
    int err = vnrs_bpf_routes_sync_end(b->routes);

    if (err)
        return fail(sink, err, "remove routes and addresses that are no longer wanted");
    err = sink_flush(sink);
    if (err)
        return err;
    err = vnrs_bpf_table_sweep(&b->acl, &sink->writes);
    if (err)
        return fail(sink, err, "remove what is no longer wanted");
    for (uint32_t ifindex = 0; ifindex < VNRS_NICS_MAX; ifindex++) {
        err = b->nics[ifindex].confirmed ? 0 : nic_remove(b, ifindex);
        if (err)
            return err;
    }
    return 0;
}

static void sink_free(struct vnrs_sink *sink)
{
    struct bpf_sink *b = self(sink);

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

int vnrs_bpf_sink_new(struct vnrs_bpf_dataplane *dp, struct vnrs_sink **ret_sink)
{
    struct bpf_sink *b = calloc(1, sizeof(*b));

    if (!b)
        return -ENOMEM;
    *b = (struct bpf_sink){
        .sink.ops = &ops,
        .dp = dp,
        .acl = {.fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_SERVICE_ACL),
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
    if (err) {
        sink_free(&b->sink);
        return err;
    }
    *ret_sink = &b->sink;
    return 0;
}
