// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_table.h"

#include "fib/bpf_map.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

struct entry {
    uint32_t value;
    bool confirmed;
    uint8_t key[];
};

static struct entry *entry_add(struct vnrs_bpf_table *table, const void *key, uint32_t value)
{
    struct entry *entry = calloc(1, sizeof(*entry) + table->key_size);

    if (!entry)
        return NULL;
    memcpy(entry->key, key, table->key_size);
    entry->value = value;
    if (vnrs_map_put(&table->entries, entry->key, table->key_size, entry)) {
        free(entry);
        return NULL;
    }
    return entry;
}

static void entry_forget(struct vnrs_bpf_table *table, struct entry *entry)
{
    (void)vnrs_map_remove(&table->entries, entry->key, table->key_size);
    free(entry);
}

static int entry_read(const void *key, const void *value, void *arg)
{
    uint32_t v;

    memcpy(&v, value, sizeof(v));
    return entry_add(arg, key, v) ? 0 : -ENOMEM;
}

int vnrs_bpf_table_read(struct vnrs_bpf_table *table)
{
    vnrs_bpf_table_fini(table);
    return vnrs_bpf_map_walk(table->fd, table->key_size, sizeof(uint32_t), entry_read, table);
}

int vnrs_bpf_table_set(struct vnrs_bpf_table *table, const void *key, uint32_t value, uint64_t *writes)
{
    struct entry *entry = vnrs_map_find(&table->entries, key, table->key_size);
    bool added = !entry;

    if (entry && entry->value == value) {
        entry->confirmed = true;
        return 0;
    }
    if (added && table->entries.len >= table->max)
        return -ENOSPC;
    if (added && !(entry = entry_add(table, key, value)))
        return -ENOMEM;
    int err = bpf_map_update_elem(table->fd, key, &value, BPF_ANY);
    if (err) {
        if (added)
            entry_forget(table, entry);
        return err;
    }
    ++*writes;
    entry->value = value;
    entry->confirmed = true;
    return 0;
}

static int entry_remove(struct vnrs_bpf_table *table, struct entry *entry, uint64_t *writes)
{
    int err = bpf_map_delete_elem(table->fd, entry->key);

    if (err && err != -ENOENT)
        return err;
    ++*writes;
    entry_forget(table, entry);
    return 0;
}

int vnrs_bpf_table_remove(struct vnrs_bpf_table *table, const void *key, uint64_t *writes)
{
    struct entry *entry = vnrs_map_find(&table->entries, key, table->key_size);

    return entry ? entry_remove(table, entry, writes) : 0;
}

int vnrs_bpf_table_sweep(struct vnrs_bpf_table *table, uint64_t *writes)
{
    const struct vnrs_map_entry *at_entry;

    for (size_t at = 0; (at_entry = vnrs_map_next(&table->entries, &at));) {
        struct entry *entry = at_entry->value;
        int err = entry->confirmed ? 0 : entry_remove(table, entry, writes);
        if (err)
            return err;
    }
    return 0;
}

void vnrs_bpf_table_fini(struct vnrs_bpf_table *table)
{
    const struct vnrs_map_entry *entry;

    for (size_t at = 0; (entry = vnrs_map_next(&table->entries, &at));)
        free(entry->value);
    vnrs_map_fini(&table->entries);
}
