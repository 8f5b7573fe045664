// SPDX-License-Identifier: GPL-2.0-or-later
// Hash of bytes, and an open-addressing table from borrowed byte keys to pointers. The table owns neither keys nor
// values; a key must stay where it is for as long as its entry is in the table (it usually lies inside the value).
#pragma once

#include "util/macros.h"

#include <stdint.h>

// FNV-1a with a final mix: stable over runs and machines, so that derived names are (addresses, MACs, link names).
uint64_t vnrs_hash_bytes(const void *bytes, size_t len);
uint64_t vnrs_hash_str(const char *text);

struct vnrs_map_entry {
    const void *key;
    size_t key_len;
    void *value;
    uint64_t hash;
};

struct vnrs_map {
    struct vnrs_map_entry *entries;
    size_t len, used, cap; // entries in it, slots not free (with tombstones), slots
};

void vnrs_map_fini(struct vnrs_map *map);
// For a map that is the only owner of its values, each from malloc: frees them as well. The map is empty and usable.
void vnrs_map_fini_values(struct vnrs_map *map);
void *vnrs_map_find(const struct vnrs_map *map, const void *key, size_t key_len);
// Adds or replaces (the new key pointer is kept). Returns 0 or -ENOMEM.
int vnrs_map_put(struct vnrs_map *map, const void *key, size_t key_len, void *value) VNRS_MUST_CHECK;
// The removed value, or NULL.
void *vnrs_map_remove(struct vnrs_map *map, const void *key, size_t key_len);
// Walk in no particular order: `size_t at = 0; while ((e = vnrs_map_next(map, &at)))`. The current entry may be
// removed.
struct vnrs_map_entry *vnrs_map_next(const struct vnrs_map *map, size_t *at);
