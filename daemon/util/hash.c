// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/hash.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char tombstone; // its address marks a slot whose entry was removed

uint64_t vnrs_hash_bytes(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

uint64_t vnrs_hash_str(const char *text)
{
    return vnrs_hash_bytes(text, strlen(text));
}

void vnrs_map_fini(struct vnrs_map *map)
{
    free(map->entries);
    *map = (struct vnrs_map){0};
}

static bool is_live(const struct vnrs_map_entry *e)
{
    return e->key && e->key != &tombstone;
}

static struct vnrs_map_entry *map_slot(const struct vnrs_map *map, const void *key, size_t key_len, uint64_t hash)
{
    struct vnrs_map_entry *free_slot = NULL;

    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        struct vnrs_map_entry *e = &map->entries[i];
        if (!e->key)
            return free_slot ? free_slot : e;
        if (!is_live(e)) {
            if (!free_slot)
                free_slot = e;
        } else if (e->hash == hash && e->key_len == key_len && memcmp(e->key, key, key_len) == 0) {
            return e;
        }
    }
}

void *vnrs_map_find(const struct vnrs_map *map, const void *key, size_t key_len)
{
    if (!map->len)
        return NULL;
    struct vnrs_map_entry *e = map_slot(map, key, key_len, vnrs_hash_bytes(key, key_len));
    return is_live(e) ? e->value : NULL;
}

static int map_resize(struct vnrs_map *map, size_t cap)
{
    struct vnrs_map next = {.entries = calloc(cap, sizeof(*next.entries)), .cap = cap};

    if (!next.entries)
        return -ENOMEM;
    for (size_t i = 0; i < map->cap; i++) {
        struct vnrs_map_entry *e = &map->entries[i];
        if (!is_live(e))
            continue;
        *map_slot(&next, e->key, e->key_len, e->hash) = *e;
        next.len++;
    }
    next.used = next.len;
    free(map->entries);
    *map = next;
    return 0;
}

int vnrs_map_put(struct vnrs_map *map, const void *key, size_t key_len, void *value)
{
    // Twice the live entries at most half full: tombstones alone lead to a rebuild at the same size.
    if ((map->used + 1) * 4 > map->cap * 3) {
        size_t cap = 16;
        while (cap < (map->len + 1) * 2)
            cap *= 2;
        int err = map_resize(map, cap);
        if (err < 0)
            return err;
    }
    uint64_t hash = vnrs_hash_bytes(key, key_len);
    struct vnrs_map_entry *e = map_slot(map, key, key_len, hash);
    if (!is_live(e)) {
        map->len++;
        map->used += e->key != &tombstone;
    }
    *e = (struct vnrs_map_entry){.key = key, .key_len = key_len, .value = value, .hash = hash};
    return 0;
}

void *vnrs_map_remove(struct vnrs_map *map, const void *key, size_t key_len)
{
    if (!map->len)
        return NULL;
    struct vnrs_map_entry *e = map_slot(map, key, key_len, vnrs_hash_bytes(key, key_len));
    if (!is_live(e))
        return NULL;
    void *value = e->value;
    *e = (struct vnrs_map_entry){.key = &tombstone};
    map->len--;
    return value;
}

struct vnrs_map_entry *vnrs_map_next(const struct vnrs_map *map, size_t *at)
{
    while (*at < map->cap) {
        struct vnrs_map_entry *e = &map->entries[(*at)++];
        if (is_live(e))
            return e;
    }
    return NULL;
}

void vnrs_map_fini_values(struct vnrs_map *map)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(map, &at));)
        free(e->value);
    vnrs_map_fini(map);
}
