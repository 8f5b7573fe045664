// SPDX-License-Identifier: GPL-2.0-or-later
// Inside of control/fib.h: NICs, endpoints and access lists that the sinks were told, and shall be told. Pure.
#pragma once

#include "util/hash.h"
#include "vnrs/fib.h"

#include <stdbool.h>

enum vnrs_fib_item { VNRS_FIB_NIC, VNRS_FIB_ENDPOINT, VNRS_FIB_ACL, _VNRS_FIB_ITEM_MAX };

struct vnrs_fib_items {
    struct vnrs_map of[_VNRS_FIB_ITEM_MAX]; // by key
    uint32_t epoch;                         // of the wanted ones
};

void vnrs_fib_items_fini(struct vnrs_fib_items *items); // and empty again
// `item` is the struct of the kind. Returns 0 or -ENOMEM.
int vnrs_fib_items_want(struct vnrs_fib_items *items, enum vnrs_fib_item kind, const void *item) VNRS_MUST_CHECK;
// The struct with that key (its first bytes; not of endpoints), as it is wanted or was. NULL: none.
const void *vnrs_fib_items_find(const struct vnrs_fib_items *items, enum vnrs_fib_item kind, const void *key);
// The structs to send of one kind: those that are not wanted any more (they are forgotten), else those that are and
// that the sinks do not have like that; all of them where `sync`. `*ret` is the caller's. Returns how many, or -ENOMEM.
int vnrs_fib_items_take(struct vnrs_fib_items *items, enum vnrs_fib_item kind, bool removing, bool sync,
                        void **ret) VNRS_MUST_CHECK;
size_t vnrs_fib_items_wanted(const struct vnrs_fib_items *items, enum vnrs_fib_item kind);
unsigned vnrs_fib_items_message(enum vnrs_fib_item kind); // enum vnrs_ag_fib_kind
