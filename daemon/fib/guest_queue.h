// SPDX-License-Identifier: GPL-2.0-or-later
// What the controller said and the tables of machines do not have yet: the last word about each route and each group,
// however often it changed. It is kept once, not for each table, and handed over to the db as a whole: only at a flush
// is what was said complete (a route may move to a group that another leaves in the same breath), and a group that had
// routes and has lost them by then is forgotten. Pure.
//
// Costs some 20 bytes for each route that changed, and 2 KiB for each group.
#pragma once

#include "fib/kernel_db.h"

struct vnrs_guest_queue {
    struct vnrs_map domains; // by id; private
    struct vnrs_map groups;  // by handle; private
    VEC(uint32_t) left;      // handles of groups that a route left
    bool complete;           // flushed since the last word
};

// Routes are numbers of `db->prefixes`, and held until they are handed over.
void vnrs_guest_queue_fini(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db); // and empty again
bool vnrs_guest_queue_is_empty(const struct vnrs_guest_queue *queue);

// As the calls of the db: -EINVAL for nonsense, -ENOENT where neither the queue nor the db knows the group.
int vnrs_guest_queue_group(struct vnrs_guest_queue *queue, const struct vnrs_fib_group *group) VNRS_MUST_CHECK;
int vnrs_guest_queue_route(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db,
                           const struct vnrs_fib_route *route) VNRS_MUST_CHECK;
void vnrs_guest_queue_flush(struct vnrs_guest_queue *queue, const struct vnrs_fibdb *db);
// Hand over all groups and at most `max` routes. Returns 1 while there is more, 0 when it is empty, or a negative errno
// for what the db did not take (out of memory); the rest may be handed over nevertheless.
int vnrs_guest_queue_take(struct vnrs_guest_queue *queue, struct vnrs_fibdb *db, size_t max) VNRS_MUST_CHECK;
