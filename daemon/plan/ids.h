// SPDX-License-Identifier: GPL-2.0-or-later
// Sticky numbers: kernel tables, map keys and fabric ifindexes are numbers, models have names. A name keeps its number
// for as long as the lab lives, whatever else is added to or taken from the file, so that an apply touches only what
// changed. The lowest free number is taken; what the kernel has already (the ifindex of a link) is set and wins.
// Numbers of names that are gone are given back by vnrs_ids_prune, once their objects are gone too. Pure.
#pragma once

#include "util/macros.h"

#include <stdint.h>

enum vnrs_id_kind {
    VNRS_ID_VNET,     // by name, from 1
    VNRS_ID_SUBNET,   // "vnet/subnet", from 1
    VNRS_ID_DOMAIN,   // by domain key (plan/desired.h), from 1
    VNRS_ID_LINK,     // fabric ifindex by link key, from VNRS_IFINDEX_FIRST
    VNRS_ID_TRANSFER, // link between a machine and a host behind it, by link key, from 1
    _VNRS_ID_MAX
};

struct vnrs_ids;

struct vnrs_ids *vnrs_ids_new(void) VNRS_MUST_CHECK; // NULL: out of memory
void vnrs_ids_free(struct vnrs_ids *ids);            // accepts NULL

// The number of `name`, given now if it has none, and marked as in use. 0: out of memory or out of numbers.
uint32_t vnrs_ids_get(struct vnrs_ids *ids, enum vnrs_id_kind kind, const char *name) VNRS_MUST_CHECK;
// 0: none.
uint32_t vnrs_ids_find(const struct vnrs_ids *ids, enum vnrs_id_kind kind, const char *name);
// `name` has `number`; a different name that had it loses it. Returns 0, -ERANGE or -ENOMEM.
int vnrs_ids_set(struct vnrs_ids *ids, enum vnrs_id_kind kind, const char *name, uint32_t number) VNRS_MUST_CHECK;

// Nothing is in use; then vnrs_ids_get marks; then prune gives back what was not marked.
void vnrs_ids_unmark(struct vnrs_ids *ids);
void vnrs_ids_prune(struct vnrs_ids *ids);

// JSON text {"vnet": {"hub": 1}, …} for the lab's record, sorted; owned by the caller. NULL: out of memory.
char *vnrs_ids_format(const struct vnrs_ids *ids) VNRS_MUST_CHECK;
// Add what the text says. Returns 0, -EINVAL (not such a text; some numbers may be set) or -ENOMEM.
int vnrs_ids_parse(struct vnrs_ids *ids, const char *text) VNRS_MUST_CHECK;
