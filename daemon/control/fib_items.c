// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fib_items.h"

#include "util/macros.h"
#include "vnrs/agent_proto.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

// A struct of its kind, its key, and whether the sinks have it.
struct item {
    uint32_t epoch;
    bool sent;  // the sinks have `bytes`
    bool fresh; // `bytes` changed since
    alignas(4) char bytes[sizeof(struct vnrs_fib_nic)];
    char key[sizeof(struct vnrs_fib_endpoint)];
};

static const struct {
    unsigned message;
    size_t size, key_len;
} kinds[_VNRS_FIB_ITEM_MAX] = {
    [VNRS_FIB_NIC] = {VNRS_AG_FIB_NICS, sizeof(struct vnrs_fib_nic), sizeof(uint32_t)},
    [VNRS_FIB_ENDPOINT] = {VNRS_AG_FIB_ENDPOINTS, sizeof(struct vnrs_fib_endpoint), sizeof(struct vnrs_fib_endpoint)},
    [VNRS_FIB_ACL] = {VNRS_AG_FIB_ACLS, sizeof(struct vnrs_fib_acl), offsetof(struct vnrs_fib_acl, allowed)},
};

unsigned vnrs_fib_items_message(enum vnrs_fib_item kind)
{
    return kinds[kind].message;
}

void vnrs_fib_items_fini(struct vnrs_fib_items *items)
{
    for (int kind = 0; kind < _VNRS_FIB_ITEM_MAX; kind++)
        vnrs_map_fini_values(&items->of[kind]);
}

// What identifies an item: its first bytes; of an endpoint all but the link.
static void make_key(enum vnrs_fib_item kind, const void *item, char key[static sizeof(struct vnrs_fib_endpoint)])
{
    memcpy(key, item, kinds[kind].key_len);
    if (kind == VNRS_FIB_ENDPOINT)
        memset(key + offsetof(struct vnrs_fib_endpoint, ifindex), 0, sizeof(uint32_t));
}

int vnrs_fib_items_want(struct vnrs_fib_items *items, enum vnrs_fib_item kind, const void *wanted)
{
    char key[sizeof(struct vnrs_fib_endpoint)];

    make_key(kind, wanted, key);
    struct item *item = vnrs_map_find(&items->of[kind], key, kinds[kind].key_len);
    if (!item) {
        item = calloc(1, sizeof(*item));
        if (!item)
            return -ENOMEM;
        memcpy(item->key, key, sizeof(key));
        int r = vnrs_map_put(&items->of[kind], item->key, kinds[kind].key_len, item);
        if (r < 0) {
            free(item);
            return r;
        }
    }
    item->epoch = items->epoch;
    if (memcmp(item->bytes, wanted, kinds[kind].size) != 0) {
        memcpy(item->bytes, wanted, kinds[kind].size);
        item->fresh = true;
    }
    return 0;
}

const void *vnrs_fib_items_find(const struct vnrs_fib_items *items, enum vnrs_fib_item kind, const void *key)
{
    const struct item *item = vnrs_map_find(&items->of[kind], key, kinds[kind].key_len);

    return item ? item->bytes : NULL;
}

size_t vnrs_fib_items_wanted(const struct vnrs_fib_items *items, enum vnrs_fib_item kind)
{
    const struct vnrs_map_entry *e;
    size_t n = 0;

    for (size_t at = 0; (e = vnrs_map_next(&items->of[kind], &at));)
        n += ((const struct item *)e->value)->epoch == items->epoch;
    return n;
}

// What an item is when it is to be removed.
static void make_removal(enum vnrs_fib_item kind, struct item *item)
{
    if (kind == VNRS_FIB_NIC)
        ((struct vnrs_fib_nic *)(void *)item->bytes)->nic.flags = 0;
    else if (kind == VNRS_FIB_ENDPOINT)
        ((struct vnrs_fib_endpoint *)(void *)item->bytes)->ifindex = 0;
    else
        ((struct vnrs_fib_acl *)(void *)item->bytes)->allowed = 0;
}

int vnrs_fib_items_take(struct vnrs_fib_items *items, enum vnrs_fib_item kind, bool removing, bool sync, void **ret)
{
    struct vnrs_map *map = &items->of[kind];
    size_t size = kinds[kind].size;
    char *out = malloc(map->len * size + 1);
    const struct vnrs_map_entry *e;
    int n = 0;

    if (!out)
        return -ENOMEM;
    for (size_t at = 0; (e = vnrs_map_next(map, &at));) {
        struct item *item = e->value;
        bool wanted = item->epoch == items->epoch;
        if (wanted == removing)
            continue;
        if (removing)
            make_removal(kind, item);
        if (removing ? item->sent && !sync : sync || item->fresh || !item->sent)
            memcpy(out + (size_t)n++ * size, item->bytes, size);
        item->sent = true;
        item->fresh = false;
        if (removing) {
            vnrs_map_remove(map, item->key, kinds[kind].key_len);
            free(item);
        }
    }
    *ret = out;
    return n;
}
