// SPDX-License-Identifier: GPL-2.0-or-later
// The language of the topology file as data: which keys an object has, what they hold, which are required, defaults and
// descriptions. The checker below, vnrs_schema_json and the reference page are driven by it; parse.c reads only keys
// that are in it (a test proves both directions). What keys mean together is validate.c's business.
#pragma once

#include "model/node.h"

enum vnrs_schema_type { // of a value; several may be possible
    VNRS_T_TEXT = 1u << 0,
    VNRS_T_NAME = 1u << 1,    // of an object, VNRS_NAME_LEN_MAX
    VNRS_T_SERVICE = 1u << 2, // name of a service: dots allowed, "Microsoft.Storage"
    VNRS_T_SUBNET = 1u << 3,  // "<virtual network>/<subnet>"
    VNRS_T_COUNTED = 1u << 4, // a name, or a set of names: "vm-{1..4000}"
    VNRS_T_BOOL = 1u << 5,
    VNRS_T_INT = 1u << 6,  // min..max
    VNRS_T_ENUM = 1u << 7, // one of `values`
    VNRS_T_ADDR = 1u << 8,
    VNRS_T_PREFIX = 1u << 9,  // without host bits
    VNRS_T_OBJECT = 1u << 10, // `object`
    VNRS_T_LIST = 1u << 11,   // a list of the other types given
    VNRS_T_ONE = 1u << 12,    // with LIST: a single value may stand without the list
    VNRS_T_TAG = 1u << 13,    // name of a service tag: a letter first, dots allowed, "Storage.westeurope"
    VNRS_T_LOSS = 1u << 14,   // "1%"
    VNRS_T_RATE = 1u << 15,   // "100mbit"
    VNRS_T_DELAY = 1u << 16,  // "20ms"
};

#define VNRS_TEXT_BYTES_MAX 1024u // of a TEXT without a `max` of its own

struct vnrs_schema_key {
    const char *key;
    unsigned types;
    bool required;
    const char *const *values; // ENUM, NULL-terminated
    unsigned long min, max;    // INT; LIST of others: number of entries, `max` 0: any; TEXT: `max` bytes
    const struct vnrs_schema *object;
    const char *def; // default, as text in the file; NULL: none
    const char *help;
};

struct vnrs_schema {
    const char *noun; // "subnet"
    const char *help;
    const struct vnrs_schema_key *keys;
    size_t n_keys;
};

extern const struct vnrs_schema vnrs_schema_root;

const struct vnrs_schema_key *vnrs_schema_find(const struct vnrs_schema *schema, const char *key);

// Check a tree against the schema. Everything wrong is reported and marked `bad`; the rest can be read without further
// tests of its shape.
void vnrs_schema_check(struct vnrs_node *root, const struct vnrs_schema *schema, struct vnrs_diags *diags);

// The candidate that a user probably meant by `text`, or NULL. `next` yields the candidates one by one, then NULL.
const char *vnrs_schema_suggest(const char *text, const char *(*next)(void *arg), void *arg);

// True for a plain name that an object may have.
bool vnrs_schema_is_name(const char *text, bool dots);
