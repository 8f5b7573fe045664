// SPDX-License-Identifier: GPL-2.0-or-later
// What the resources of an ARM template are in a topology file. Names of properties are mostly the same; what has no
// counterpart is told, with the reason. Pure.
#pragma once

#include <jansson.h>

#include <stdbool.h>

struct vnrs_import {
    const json_t *resources; // of vnrs_arm_expand(); borrowed
    json_t *topology;        // what is made
    json_t *notes;           // [{"resource", "property"?, "why"}]
};

// Everything. `notes` may have some already; both are the caller's.
void vnrs_import_map(struct vnrs_import *import, const char *lab);

// ---- the parts, in their order
void vnrs_import_networks(struct vnrs_import *import); // virtual networks, peerings, route tables, Route Servers
void vnrs_import_gateways(struct vnrs_import *import); // gateways, sites, connections
void vnrs_import_machines(struct vnrs_import *import); // virtual machines, NICs, scale sets, load balancers

// ---- what they share
// The next resource of a type after index *at (begin with 0), or NULL.
const json_t *vnrs_import_next(const struct vnrs_import *import, const char *type, size_t *at);
const json_t *vnrs_import_find(const struct vnrs_import *import, const char *type, const char *name);
// Says why `property` of a resource, or all of it (NULL), is left out.
void vnrs_import_note(struct vnrs_import *import, const json_t *resource, const char *property, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// The list of a section of the topology, made when it is asked for first; borrowed.
json_t *vnrs_import_section(struct vnrs_import *import, const char *name);
// A name as the topology may have it, of the last part of "hub/default"; a new reference.
json_t *vnrs_import_name(const char *name);
// The name of a resource in {"id": ".../<kind>/NAME..."}; a new reference, or NULL: it refers to none.
json_t *vnrs_import_ref(const json_t *reference, const char *kind);
// "hub/default" of a subnet's id, likewise.
json_t *vnrs_import_subnet_ref(const json_t *reference);
// Members of `from` that are there and not null, under their own names.
void vnrs_import_take(json_t *to, const json_t *from, const char *const *names);
// The same of numbers, which templates may have as texts.
void vnrs_import_take_numbers(json_t *to, const json_t *from, const char *const *names);
const char *vnrs_import_text(const json_t *object, const char *path); // or NULL
