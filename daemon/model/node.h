// SPDX-License-Identifier: GPL-2.0-or-later
// The YAML text of a topology file as a tree in which every node knows its line and column. A subset of YAML: one
// document, maps with text keys, lists, scalars; no aliases, tags or merge keys. Size, depth and count are bounded, so
// a hostile file costs little. It knows nothing about what the keys mean (schema.h does).
#pragma once

#include "util/diag.h"

#include <stdbool.h>

#define VNRS_NODE_SOURCE_BYTES_MAX (8u << 20)
#define VNRS_NODE_DEPTH_MAX        16u
#define VNRS_NODES_MAX             250000u
#define VNRS_NODE_KEYS_MAX         64u // of one map; no object of the schema has as many

enum vnrs_node_kind { VNRS_NODE_SCALAR, VNRS_NODE_LIST, VNRS_NODE_MAP };

struct vnrs_node {
    enum vnrs_node_kind kind;
    bool plain; // a scalar without quotes, so possibly a number or a boolean
    bool bad;   // reported as wrong already: readers pass over it
    struct vnrs_pos pos;
    const char *text;        // SCALAR
    const char *key;         // as a member of a map, else NULL
    struct vnrs_pos key_pos; // likewise
    struct vnrs_node *first; // of a list or map, in file order
    struct vnrs_node *next;  // sibling
    size_t n;                // of children
};

#define node_foreach(it, parent) for (struct vnrs_node *it = (parent) ? (parent)->first : NULL; it; it = it->next)

// The root, in `arena`. NULL when nothing can be read: the reason is in `diags` then, or memory ran out
// (diags->failed). An empty file is an empty map.
struct vnrs_node *vnrs_node_load(const char *source, size_t len, struct vnrs_arena *arena,
                                 struct vnrs_diags *diags) VNRS_MUST_CHECK;

// The member `key` of a map, unless it is missing or was refused. `map` may be NULL.
struct vnrs_node *vnrs_node_get(const struct vnrs_node *map, const char *key);
// True if the file has that member, right or wrong: then nobody needs to be told that it is missing.
bool vnrs_node_has(const struct vnrs_node *map, const char *key);
