// SPDX-License-Identifier: GPL-2.0-or-later
// One table of a machine, and the namespace that it shares with other tables: how groups become next hops there, how
// the table is compared with the kernel, how changes get in. See guest_sink.h.
#pragma once

#include "fib/kernel_db.h"
#include "fib/kernel_routes.h"
#include "vnrs/agent_proto.h"

struct vnrs_guest_ns { // one for all tables in it, because next-hop ids are the namespace's
    struct {
        uint64_t dev, ino;
    } id;
    size_t at; // among those of the sink
    unsigned users;
    struct vnrs_nl *nl;
    struct vnrs_nhset nexthops;
    bool suspect; // a table in it is; only while all are swept
};

struct vnrs_guest_table {
    char key[VNRS_KEY_MAX];
    size_t at; // among those of the sink
    struct vnrs_obj_table spec;
    struct vnrs_guest_ns *ns;
    uint32_t owner; // of its slots
    uint32_t ifindex;
    struct vnrs_kroutes routes;
    bool suspect; // to be compared with the kernel
    char error[256];
};

// Takes `fd`, also on failure.
int vnrs_guest_ns_new(int fd, bool legacy, struct vnrs_guest_ns **ret_ns) VNRS_MUST_CHECK;
void vnrs_guest_ns_free(struct vnrs_guest_ns *ns);

// All return 0 or a negative errno with `table->error` set; the table is then suspect.
int vnrs_guest_table_reconcile(struct vnrs_guest_table *table, const struct vnrs_fibdb *db) VNRS_MUST_CHECK;
// Write what the db calls changed (or reconcile where that does not do).
int vnrs_guest_table_update(struct vnrs_guest_table *table, const struct vnrs_fibdb *db) VNRS_MUST_CHECK;
int vnrs_guest_table_withdraw(struct vnrs_guest_table *table) VNRS_MUST_CHECK;
