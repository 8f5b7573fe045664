// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/guest_pass.h"

#include "util/fd.h"

#include <stdio.h>

#define TAKE_MAX   1024u // routes in one piece
#define COMMIT_MAX 1024u
#define LOOK_MAX   256u // tables that have nothing to sweep

void vnrs_guest_error_format(const struct vnrs_guest_table *table, char ret_error[static 256])
{
    (void)snprintf(ret_error, 256, "table '%.100s': %.140s", table->key, table->error);
}

int vnrs_guest_ns_sweep(struct vnrs_guest_ns *ns, char ret_error[static 256])
{
    int r = vnrs_nhset_sweep(&ns->nexthops);

    if (r < 0)
        (void)snprintf(ret_error, 256, "removing next hops: %s", strerror(-r));
    return r;
}

// The first failure of a pass is told for all; the rest is still tried.
static bool is_first(struct vnrs_guests *self, int r)
{
    if (r >= 0 || self->result < 0)
        return false;
    self->result = r;
    return true;
}

static void take(struct vnrs_guests *self)
{
    int r = vnrs_guest_queue_take(&self->taken, &self->db, TAKE_MAX);

    if (is_first(self, r))
        (void)snprintf(self->error, sizeof(self->error), "taking over routes: %s", strerror(-r));
    if (!vnrs_guest_queue_is_empty(&self->taken))
        return;
    vnrs_fibdb_order(&self->db);
    self->phase = VNRS_GUEST_WRITING;
    self->at = 0;
}

static void begin(struct vnrs_guests *self)
{
    self->taken = self->said;
    self->said = (struct vnrs_guest_queue){0};
    self->due = false;
    self->pass++;
    self->result = 0;
    self->phase = VNRS_GUEST_TAKING;
    take(self); // so that all groups are known from now on
}

static void write_table(struct vnrs_guests *self)
{
    struct vnrs_guest_table *table = self->tables.items[self->at];

    if (table->pass == self->pass) {
        self->at++;
        return;
    }
    uint64_t before = vnrs_nl_written(table->ns->nl);
    int r = vnrs_guest_table_step(table, &self->db);
    self->sink.writes += vnrs_nl_written(table->ns->nl) - before;
    if (r > 0)
        return;
    if (is_first(self, r))
        vnrs_guest_error_format(table, self->error);
    table->pass = self->pass;
    self->at++;
}

static void add_released(void *arg, uint32_t domain, uint32_t handle)
{
    struct vnrs_guests *self = arg;

    // What cannot be remembered stays in the kernel until the tables are compared the next time.
    (void)vec_push(&self->released, (struct vnrs_guest_released){domain, handle});
}

static void commit(struct vnrs_guests *self)
{
    int r = vnrs_fibdb_commit_routes(&self->db, COMMIT_MAX);

    if (r > 0)
        return;
    if (r == 0)
        r = vnrs_fibdb_commit(&self->db, add_released, self);
    if (is_first(self, r))
        (void)snprintf(self->error, sizeof(self->error), "keeping routes: %s", strerror(-r));
    vec_foreach (ns, &self->namespaces)
        (*ns)->suspect = false;
    vec_foreach (table, &self->tables)
        (*table)->ns->suspect |= (*table)->suspect;
    self->phase = VNRS_GUEST_SWEEPING;
    self->at = 0;
}

static void release(struct vnrs_guests *self, struct vnrs_guest_table *table)
{
    vec_foreach (gone, &self->released) {
        if (gone->domain != table->spec.domain)
            continue;
        vnrs_nhset_release(&table->ns->nexthops, table->owner, gone->handle, VNRS_AF_IPV4);
        vnrs_nhset_release(&table->ns->nexthops, table->owner, gone->handle, VNRS_AF_IPV6);
    }
}

static void end(struct vnrs_guests *self)
{
    vec_free(&self->released);
    self->phase = VNRS_GUEST_IDLE;
    self->done = self->pass;
    self->done_result = self->result;
    memcpy(self->done_error, self->error, sizeof(self->done_error));
    self->error[0] = '\0';
}

// As far as the first namespace where something is removed.
static void sweep(struct vnrs_guests *self)
{
    for (unsigned n = 0; n < LOOK_MAX && self->at < self->tables.len; n++) {
        struct vnrs_guest_table *table = self->tables.items[self->at++];
        struct vnrs_guest_ns *ns = table->ns;
        release(self, table);
        if (!ns->nexthops.sweep || ns->suspect)
            continue;
        uint64_t before = vnrs_nl_written(ns->nl);
        char error[256];
        if (is_first(self, vnrs_guest_ns_sweep(ns, error)))
            memcpy(self->error, error, sizeof(self->error));
        self->sink.writes += vnrs_nl_written(ns->nl) - before;
        return;
    }
    if (self->at >= self->tables.len)
        end(self);
}

static void do_piece(struct vnrs_guests *self)
{
    switch (self->phase) {
    case VNRS_GUEST_IDLE:
        begin(self);
        return;
    case VNRS_GUEST_TAKING:
        take(self);
        return;
    case VNRS_GUEST_WRITING:
        if (self->at < self->tables.len)
            write_table(self);
        else
            self->phase = VNRS_GUEST_COMMITTING;
        return;
    case VNRS_GUEST_COMMITTING:
        commit(self);
        return;
    case VNRS_GUEST_SWEEPING:
        sweep(self);
        return;
    }
}

static bool has_work(const struct vnrs_guests *self)
{
    return self->phase || (self->due && !self->in_sync && self->said.complete);
}

bool vnrs_guest_pass_run(struct vnrs_guests *self, unsigned budget_us)
{
    uint64_t until = vnrs_clock_us() + budget_us;

    while (has_work(self)) {
        do_piece(self);
        if (vnrs_clock_us() >= until)
            break;
    }
    return has_work(self);
}

void vnrs_guest_pass_abandon(struct vnrs_guests *self)
{
    self->phase = VNRS_GUEST_IDLE;
    vec_foreach (table, &self->tables)
        vnrs_guest_table_abandon(*table);
    vec_free(&self->released);
    self->error[0] = '\0';
}

void vnrs_guest_pass_joined(struct vnrs_guests *self, struct vnrs_guest_table *table)
{
    if (self->phase == VNRS_GUEST_TAKING)
        table->suspect = true;
    else
        table->pass = self->pass;
}

void vnrs_guest_pass_left(struct vnrs_guests *self, size_t at)
{
    self->at = MIN(self->at, at);
}
