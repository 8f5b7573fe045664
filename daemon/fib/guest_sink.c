// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/guest_sink.h"

#include "fib/guest_pass.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>

static struct vnrs_guests *of(struct vnrs_sink *sink)
{
    return container_of(sink, struct vnrs_guests, sink);
}

static int sync_begin(struct vnrs_sink *sink)
{
    struct vnrs_guests *self = of(sink);

    vnrs_guest_pass_abandon(self);
    vnrs_guest_queue_fini(&self->said, &self->db);
    vnrs_guest_queue_fini(&self->taken, &self->db);
    vnrs_fibdb_clear(&self->db);
    self->in_sync = true;
    vec_foreach (table, &self->tables)
        (*table)->suspect = true;
    return 0;
}

// A synchronisation fills the db itself: nobody looks at it before its end.
static bool is_filling(const struct vnrs_guests *self)
{
    return self->in_sync || !self->synced;
}

static int group_set(struct vnrs_sink *sink, const struct vnrs_fib_group *group)
{
    struct vnrs_guests *self = of(sink);
    int r = is_filling(self) ? vnrs_fibdb_group_set(&self->db, group) : vnrs_guest_queue_group(&self->said, group);

    if (r < 0)
        (void)snprintf(sink->error, sizeof(sink->error), "group %u: %s", group->handle, strerror(-r));
    return r;
}

static int route_set(struct vnrs_sink *sink, const struct vnrs_fib_route *route)
{
    struct vnrs_guests *self = of(sink);
    int r = is_filling(self) ? vnrs_fibdb_route_set(&self->db, route)
                             : vnrs_guest_queue_route(&self->said, &self->db, route);
    char prefix[VNRS_PREFIX_STR_MAX];

    if (r == -ENOENT)
        (void)snprintf(sink->error, sizeof(sink->error), "route '%s' of domain %u names the unknown group %u",
                       vnrs_prefix_format(&route->prefix, prefix), route->domain, route->group);
    else if (r < 0)
        (void)snprintf(sink->error, sizeof(sink->error), "route of domain %u: %s", route->domain, strerror(-r));
    return r;
}

static int nic_set(struct vnrs_sink *sink VNRS_UNUSED, const struct vnrs_fib_nic *nic VNRS_UNUSED)
{
    return 0;
}

static int endpoint_set(struct vnrs_sink *sink VNRS_UNUSED, const struct vnrs_fib_endpoint *endpoint VNRS_UNUSED)
{
    return 0;
}

static int acl_set(struct vnrs_sink *sink VNRS_UNUSED, const struct vnrs_fib_acl *acl VNRS_UNUSED)
{
    return 0;
}

static int flush(struct vnrs_sink *sink)
{
    struct vnrs_guests *self = of(sink);

    if (is_filling(self))
        return 0;
    vnrs_guest_queue_flush(&self->said, &self->db);
    self->due = true; // vnrs_guest_sink_work writes
    return 0;
}

static int sync_end(struct vnrs_sink *sink)
{
    struct vnrs_guests *self = of(sink);

    self->in_sync = false;
    self->synced = true;
    return flush(sink);
}

static void drop_ns(struct vnrs_guests *self, struct vnrs_guest_ns *ns)
{
    if (--ns->users)
        return;
    struct vnrs_guest_ns *last = self->namespaces.items[--self->namespaces.len];
    self->namespaces.items[ns->at] = last;
    last->at = ns->at;
    (void)vnrs_map_remove(&self->by_id, &ns->id, sizeof(ns->id));
    vnrs_guest_ns_free(ns);
}

static void free_table(struct vnrs_guests *self, struct vnrs_guest_table *table)
{
    vnrs_nhset_release_owner(&table->ns->nexthops, table->owner);
    vnrs_kroutes_fini(&table->routes);
    drop_ns(self, table->ns);
    free(table);
}

static void free_sink(struct vnrs_sink *sink)
{
    if (!sink)
        return;
    struct vnrs_guests *self = of(sink);
    vnrs_guest_pass_abandon(self);
    vec_foreach (table, &self->tables)
        free_table(self, *table);
    vec_free(&self->tables);
    vec_free(&self->released);
    vnrs_guest_queue_fini(&self->said, &self->db);
    vnrs_guest_queue_fini(&self->taken, &self->db);
    vec_free(&self->namespaces);
    vnrs_map_fini(&self->by_key);
    vnrs_map_fini(&self->by_id);
    vnrs_fibdb_fini(&self->db);
    free(self);
}

static const struct vnrs_sink_ops guest_ops = {
    .name = "guest",
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

int vnrs_guest_sink_new(struct vnrs_sink **ret_sink)
{
    struct vnrs_guests *self = calloc(1, sizeof(*self));

    if (!self)
        return -ENOMEM;
    self->sink.ops = &guest_ops;
    *ret_sink = &self->sink;
    return 0;
}

static struct vnrs_guest_table *find_table(const struct vnrs_guests *self, const char *key)
{
    return vnrs_map_find(&self->by_key, key, strlen(key));
}

static int add_ns(struct vnrs_guests *self, struct vnrs_guest_ns *ns)
{
    ns->at = self->namespaces.len;
    int r = vec_push(&self->namespaces, ns);
    if (r < 0)
        return r;
    r = vnrs_map_put(&self->by_id, &ns->id, sizeof(ns->id), ns);
    self->namespaces.len -= r < 0;
    return r;
}

// The namespace of the socket: one that is known already, or a new one.
static int get_ns(struct vnrs_guests *self, int fd, struct vnrs_guest_ns **ret_ns)
{
    struct vnrs_guest_ns *ns;
    int r = vnrs_guest_ns_new(fd, self->legacy, &ns);

    if (r < 0)
        return r;
    struct vnrs_guest_ns *known = vnrs_map_find(&self->by_id, &ns->id, sizeof(ns->id));
    if (known) {
        vnrs_guest_ns_free(ns);
        known->users++;
        *ret_ns = known;
        return 0;
    }
    r = add_ns(self, ns);
    if (r < 0) {
        vnrs_guest_ns_free(ns);
        return r;
    }
    ns->users = 1;
    *ret_ns = ns;
    return 0;
}

static bool is_same_place(const struct vnrs_guest_table *table, const struct vnrs_guest_ns *ns,
                          const struct vnrs_obj_table *spec)
{
    return table->ns == ns && table->spec.table == spec->table && table->spec.metric == spec->metric &&
           table->spec.protocol == spec->protocol;
}

static bool is_suspect(const struct vnrs_guests *self, const struct vnrs_guest_ns *ns)
{
    vec_foreach (table, &self->tables)
        if ((*table)->ns == ns && (*table)->suspect)
            return true;
    return false;
}

// Do something to a table at once.
static int now(struct vnrs_guests *self, struct vnrs_guest_table *table, bool withdraw)
{
    struct vnrs_guest_ns *ns = table->ns;
    uint64_t before = vnrs_nl_written(ns->nl);
    int r = withdraw ? vnrs_guest_table_withdraw(table) : vnrs_guest_table_reconcile(table, &self->db);

    if (r < 0) {
        ns->suspect = true;
        vnrs_guest_error_format(table, self->sink.error);
    } else if (!withdraw && ns->nexthops.sweep && (ns->users == 1 || !is_suspect(self, ns))) {
        r = vnrs_guest_ns_sweep(ns, self->sink.error);
    }
    self->sink.writes += vnrs_nl_written(ns->nl) - before;
    return r;
}

static int add_table(struct vnrs_guests *self, const char *key, const struct vnrs_obj_table *spec,
                     struct vnrs_guest_ns *ns, struct vnrs_guest_table **ret_table)
{
    _free_ struct vnrs_guest_table *table = calloc(1, sizeof(*table));

    if (!table)
        return -ENOMEM;
    if (!vnrs_str_copy(table->key, sizeof(table->key), key))
        return -ENAMETOOLONG;
    table->at = self->tables.len;
    int r = vec_push(&self->tables, table);
    if (r < 0)
        return r;
    r = vnrs_map_put(&self->by_key, table->key, strlen(table->key), table);
    if (r < 0) {
        self->tables.len--;
        return r;
    }
    table->spec = *spec;
    table->ns = ns;
    table->owner = ++self->last_owner;
    table->suspect = true;
    ns->nexthops.exclusive |= spec->by_link; // links come and go, and nobody else routes there
    vnrs_kroutes_init(&table->routes, ns->nl, &self->db.prefixes, &ns->nexthops, spec->table, spec->metric,
                      (uint8_t)spec->protocol);
    *ret_table = TAKE_PTR(table);
    return 0;
}

// A table of another key in the same place. NULL: there is none.
static const struct vnrs_guest_table *find_rival(const struct vnrs_guests *self, const char *key,
                                                 const struct vnrs_obj_table *spec, const struct vnrs_guest_ns *ns)
{
    const struct vnrs_guest_table *known = find_table(self, key);

    if (ns->users == 1u + (known && known->ns == ns)) // nobody else is in the namespace
        return NULL;
    vec_foreach (other, &self->tables)
        if (is_same_place(*other, ns, spec) && strcmp((*other)->key, key) != 0)
            return *other;
    return NULL;
}

static int place_table(struct vnrs_guests *self, const char *key, const struct vnrs_obj_table *spec,
                       struct vnrs_guest_ns *ns, struct vnrs_guest_table **ret_table)
{
    struct vnrs_guest_table *known = find_table(self, key);
    const struct vnrs_guest_table *other = find_rival(self, key, spec, ns);

    if (other) {
        (void)snprintf(self->sink.error, sizeof(self->sink.error),
                       "table '%.90s' and '%.90s' feed the same table %u with metric %u", key, other->key, spec->table,
                       spec->metric);
        return -EEXIST;
    }
    if (known) {
        if (is_same_place(known, ns, spec)) {
            drop_ns(self, ns); // it holds one already
            vnrs_guest_table_abandon(known);
            known->spec = *spec;
            known->suspect = true;
            *ret_table = known;
            return 0;
        }
        int r = vnrs_guest_sink_table_remove(&self->sink, key, true);
        if (r < 0)
            return r;
    }
    return add_table(self, key, spec, ns, ret_table);
}

int vnrs_guest_sink_table_set(struct vnrs_sink *sink, const char *key, const struct vnrs_obj_table *spec,
                              int netlink_fd)
{
    struct vnrs_guests *self = of(sink);
    struct vnrs_guest_table *table;
    struct vnrs_guest_ns *ns;

    int r = get_ns(self, netlink_fd, &ns);
    if (r < 0) {
        (void)snprintf(sink->error, sizeof(sink->error), "table '%.100s': opening: %s", key, strerror(-r));
        return r;
    }
    sink->error[0] = '\0';
    r = place_table(self, key, spec, ns, &table);
    if (r < 0) {
        drop_ns(self, ns);
        if (!sink->error[0])
            (void)snprintf(sink->error, sizeof(sink->error), "table '%.100s': %s", key, strerror(-r));
        return r;
    }
    if (is_filling(self))
        return 0;
    r = now(self, table, false);
    vnrs_guest_pass_joined(self, table);
    return r;
}

int vnrs_guest_sink_table_remove(struct vnrs_sink *sink, const char *key, bool withdraw_routes)
{
    struct vnrs_guests *self = of(sink);
    struct vnrs_guest_table *table = find_table(self, key);

    if (!table)
        return 0;
    if (withdraw_routes) {
        int r = now(self, table, true);
        if (r < 0)
            return r;
    }
    struct vnrs_guest_ns *ns = table->ns;
    ns->users++; // until its next hops are swept
    vnrs_guest_table_abandon(table);
    vnrs_guest_pass_left(self, table->at);
    struct vnrs_guest_table *last = self->tables.items[--self->tables.len];
    self->tables.items[table->at] = last;
    last->at = table->at;
    (void)vnrs_map_remove(&self->by_key, table->key, strlen(table->key));
    free_table(self, table);
    bool sweeps = withdraw_routes && ns->nexthops.sweep && !is_suspect(self, ns);
    int r = sweeps ? vnrs_guest_ns_sweep(ns, self->sink.error) : 0;
    drop_ns(self, ns);
    return r;
}

void vnrs_guest_sink_table_suspect(struct vnrs_sink *sink, const char *key)
{
    struct vnrs_guests *self = of(sink);
    struct vnrs_guest_table *table = find_table(self, key);

    if (table)
        vnrs_guest_table_suspect(table);
}

bool vnrs_guest_sink_work(struct vnrs_sink *sink, unsigned budget_us)
{
    return vnrs_guest_pass_run(of(sink), budget_us);
}

uint64_t vnrs_guest_sink_target(const struct vnrs_sink *sink)
{
    const struct vnrs_guests *self = container_of(sink, const struct vnrs_guests, sink);
    bool waits = self->in_sync || self->due || !vnrs_guest_queue_is_empty(&self->said);

    return waits ? self->pass + 1 : self->phase ? self->pass : self->done;
}

uint64_t vnrs_guest_sink_done(const struct vnrs_sink *sink)
{
    return container_of(sink, const struct vnrs_guests, sink)->done;
}

int vnrs_guest_sink_result(struct vnrs_sink *sink)
{
    const struct vnrs_guests *self = of(sink);

    (void)vnrs_str_copy(sink->error, sizeof(sink->error), self->done_error);
    return self->done_result;
}

void vnrs_guest_sink_legacy_set(struct vnrs_sink *sink, bool legacy)
{
    of(sink)->legacy = legacy;
}
