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
    bool suspect; // a table in it is; only while a pass sweeps
};

enum vnrs_guest_stage { VNRS_GUEST_RESTING, VNRS_GUEST_CHANGING, VNRS_GUEST_COMPARING };

struct vnrs_guest_table {
    char key[VNRS_KEY_MAX];
    size_t at; // among those of the sink
    struct vnrs_obj_table spec;
    struct vnrs_guest_ns *ns;
    uint32_t owner; // of its slots
    uint32_t ifindex;
    struct vnrs_kroutes routes;
    bool suspect;  // to be compared with the kernel, or that is not done yet
    bool again;    // and once more: the kernel's state may have changed meanwhile
    uint64_t pass; // the last one that it took part in
    enum vnrs_guest_stage stage;
    size_t next_change; // while changing
    uint32_t last_id;   // while comparing
    int failure;        // the first one since it began
    char error[256];
};

// Takes `fd`, also on failure.
int vnrs_guest_ns_new(int fd, bool legacy, struct vnrs_guest_ns **ret_ns) VNRS_MUST_CHECK;
void vnrs_guest_ns_free(struct vnrs_guest_ns *ns);

// Write a piece (some hundred routes) of what the db calls changed, or, where that does not do, of what differs from
// the kernel; the latter begins with reading the whole table. The db may not change before it is done. Returns 1 while
// there is more, 0, or a negative errno with `table->error` set; the table is then suspect.
int vnrs_guest_table_step(struct vnrs_guest_table *table, const struct vnrs_fibdb *db) VNRS_MUST_CHECK;
// All of it, after reading the table.
int vnrs_guest_table_reconcile(struct vnrs_guest_table *table, const struct vnrs_fibdb *db) VNRS_MUST_CHECK;
void vnrs_guest_table_abandon(struct vnrs_guest_table *table); // what was begun; the table is then suspect
void vnrs_guest_table_suspect(struct vnrs_guest_table *table); // the kernel's state may have changed
int vnrs_guest_table_withdraw(struct vnrs_guest_table *table) VNRS_MUST_CHECK;
