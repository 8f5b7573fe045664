// SPDX-License-Identifier: GPL-2.0-or-later
// What the guest sink keeps, and how changes get into its tables: in passes. A pass takes over everything that was said
// up to a flush, as one set of changes, and brings one table after the other up to date with it; what is said meanwhile
// waits for the next. So changes are kept once for all tables, no table is ever more than two passes behind, and one
// that needs more than the changes (a new one, one that somebody else wrote to, one that failed) is compared with the
// kernel when its turn comes. Then next hops that lost their last route are removed. The db stands still from the first
// table of a pass to the last.
//
// A pass is done in pieces of well below a millisecond, but for reading a table back: that is done at once, at about a
// microsecond a route.
#pragma once

#include "fib/guest_queue.h"
#include "fib/guest_table.h"
#include "fib/sink.h"

enum vnrs_guest_phase {
    VNRS_GUEST_IDLE,
    VNRS_GUEST_TAKING,     // what was said becomes changes of the db
    VNRS_GUEST_WRITING,    // tables, by their order
    VNRS_GUEST_COMMITTING, // the changes become the state of the db
    VNRS_GUEST_SWEEPING,   // unused next hops, by the same order
};

struct vnrs_guest_released { // no route of the domain leads to the group any more
    uint32_t domain, handle;
};

struct vnrs_guests {
    struct vnrs_sink sink;
    struct vnrs_fibdb db;
    struct vnrs_guest_queue said, taken;
    VEC(struct vnrs_guest_table *) tables;
    VEC(struct vnrs_guest_ns *) namespaces;
    struct vnrs_map by_key; // tables
    struct vnrs_map by_id;  // namespaces
    uint32_t last_owner;
    bool legacy;
    bool synced, in_sync;
    bool due; // a flush that no pass has begun for

    enum vnrs_guest_phase phase;
    uint64_t pass, done; // the last that began, and that ended
    size_t at;           // of the tables
    VEC(struct vnrs_guest_released) released;
    int result, done_result; // first failure of this pass, and of the last one that ended
    char error[256], done_error[256];
};

// Go on for at least one piece, and no longer than that or `budget_us`. True: there is more to do.
bool vnrs_guest_pass_run(struct vnrs_guests *self, unsigned budget_us);
void vnrs_guest_pass_abandon(struct vnrs_guests *self);
// A table has just been compared with the db: it need not be looked at again, unless the db is about to change.
void vnrs_guest_pass_joined(struct vnrs_guests *self, struct vnrs_guest_table *table);
// The table at this place is no longer there; another one may have got the place.
void vnrs_guest_pass_left(struct vnrs_guests *self, size_t at);

// Next hops that nobody uses: they can only be told when every table of the namespace is known.
int vnrs_guest_ns_sweep(struct vnrs_guest_ns *ns, char ret_error[static 256]) VNRS_MUST_CHECK;
void vnrs_guest_error_format(const struct vnrs_guest_table *table, char ret_error[static 256]);
