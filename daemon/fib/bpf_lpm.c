// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_lpm.h"

#include "util/log.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include <bpf/bpf.h>

#define CHUNK_BYTES  (VNRS_LPM_CHUNK_LINES * sizeof(struct vnrs_lpm_line))
#define TABLES_BYTES (VNRS_TABLES_MAX * sizeof(struct vnrs_lpm_table))

struct table {
    uint32_t number;
    bool dirty;
    struct vnrs_lpm_trie *trie;
    struct vnrs_lpm_table built; // what `publish` is about to store
    LIST_ENTRY(table) in_dirty;
};

struct vnrs_bpf_lpm {
    int lines_fd;
    int chunk_fd; // the first chunk
    uint64_t *writes;
    struct vnrs_lpm_nodes *nodes;
    struct vnrs_lpm_line *chunks[VNRS_LPM_CHUNKS_MAX]; // mapped
    struct vnrs_lpm_table *published;                  // the map `tables`, mapped
    struct table **tables;                             // VNRS_TABLES_MAX
    LIST_HEAD(, table) dirty;
    uint16_t mark; // of the current sync
    bool adopting; // what is published is of an earlier process, and not to be touched yet
};

// --- memory ---

static void chunk_unmap(struct vnrs_bpf_lpm *lpm, unsigned index)
{
    if (lpm->chunks[index])
        (void)munmap(lpm->chunks[index], CHUNK_BYTES);
    lpm->chunks[index] = NULL;
}

static int chunk_map(struct vnrs_bpf_lpm *lpm, unsigned index, int fd)
{
    void *at = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return -errno;
    chunk_unmap(lpm, index); // of an attempt that ran out of memory
    lpm->chunks[index] = at;
    if (index > 0)
        return 0;
    if (lpm->chunk_fd >= 0)
        (void)close(lpm->chunk_fd);
    lpm->chunk_fd = dup(fd);
    return lpm->chunk_fd < 0 ? -errno : 0;
}

static int chunk_grow(void *arg, unsigned index, struct vnrs_lpm_line **ret_chunk)
{
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
    struct vnrs_bpf_lpm *lpm = arg;

    _close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lines", sizeof(uint32_t), sizeof(struct vnrs_lpm_line),
                                    VNRS_LPM_CHUNK_LINES, &opts);
    if (fd < 0)
        return fd;
    int err = chunk_map(lpm, index, fd);
    if (!err)
        err = bpf_map_update_elem(lpm->lines_fd, &index, &fd, BPF_ANY);
    if (err)
        return err;
    *ret_chunk = lpm->chunks[index];
    return 0;
}

// The kernel answers a write to a map of maps only after all programs that could hold the old inner map are through;
// so they are through with whatever they had read before the write.
static int chunk_wait(void *arg)
{
    const struct vnrs_bpf_lpm *lpm = arg;
    uint32_t first = 0;

    return bpf_map_update_elem(lpm->lines_fd, &first, &lpm->chunk_fd, BPF_ANY);
}

// --- adopting ---

static int adopt_chunks(struct vnrs_bpf_lpm *lpm)
{
    for (uint32_t i = 0; i < VNRS_LPM_CHUNKS_MAX; i++) {
        uint32_t id;
        int err = bpf_map_lookup_elem(lpm->lines_fd, &i, &id);
        if (err)
            return err == -ENOENT ? 0 : err;
        _close_ int fd = bpf_map_get_fd_by_id(id);
        if (fd < 0)
            return fd;
        err = chunk_map(lpm, i, fd);
        if (!err)
            err = vnrs_lpm_nodes_adopt_chunk(lpm->nodes, lpm->chunks[i]);
        if (err)
            return err;
    }
    return 0;
}

static void root_store(struct vnrs_lpm_root *at, struct vnrs_lpm_root root)
{
    uint64_t word;

    memcpy(&word, &root, sizeof(word));
    __atomic_store_n((uint64_t *)(void *)at, word, __ATOMIC_RELEASE);
}

// A root that cannot be right (its chunk was lost with a map of another version) leads to nothing in the packet path
// either.
static int adopt_root(struct vnrs_bpf_lpm *lpm, struct vnrs_lpm_root *root, vnrs_lpm_leaf_fn leaf, void *arg)
{
    int err = vnrs_lpm_nodes_adopt_root(lpm->nodes, root->entry, leaf, arg);

    if (!err && root->fallback)
        err = leaf(root->fallback, arg);
    if (err != -EUCLEAN) {
        lpm->adopting |= root->entry || root->fallback;
        return err;
    }
    log_warn("a pinned route table is not readable: it is written anew");
    root_store(root, (struct vnrs_lpm_root){0});
    return 0;
}

static int adopt(struct vnrs_bpf_lpm *lpm, vnrs_lpm_leaf_fn leaf, void *arg)
{
    int err = adopt_chunks(lpm);

    for (uint32_t t = 0; t < VNRS_TABLES_MAX && !err; t++) {
        err = adopt_root(lpm, &lpm->published[t].v4, leaf, arg);
        if (!err)
            err = adopt_root(lpm, &lpm->published[t].v6, leaf, arg);
    }
    return err ? err : vnrs_lpm_nodes_adopted(lpm->nodes);
}

// --- changes ---

static void table_dirty(struct vnrs_bpf_lpm *lpm, struct table *table)
{
    if (!table->dirty)
        LIST_INSERT_HEAD(&lpm->dirty, table, in_dirty);
    table->dirty = true;
}

static int table_get(struct vnrs_bpf_lpm *lpm, uint32_t number, struct table **ret_table)
{
    if (number >= VNRS_TABLES_MAX)
        return -ERANGE;
    struct table *table = lpm->tables[number];
    if (!table) {
        table = calloc(1, sizeof(*table));
        int err = table ? vnrs_lpm_trie_new(lpm->nodes, &table->trie) : -ENOMEM;
        if (err) {
            free(table);
            return err;
        }
        table->number = number;
        lpm->tables[number] = table;
    }
    *ret_table = table;
    return 0;
}

static void table_free(struct vnrs_bpf_lpm *lpm, struct table *table)
{
    lpm->tables[table->number] = NULL;
    vnrs_lpm_trie_free(table->trie);
    free(table);
}

int vnrs_bpf_lpm_put(struct vnrs_bpf_lpm *lpm, uint32_t table_number, const struct vnrs_prefix *prefix,
                     const struct vnrs_lpm_entry *entry)
{
    struct vnrs_lpm_entry confirmed = {.value = entry->value, .owner = entry->owner, .mark = lpm->mark};
    struct table *table = NULL;

    int err = table_get(lpm, table_number, &table);
    if (err)
        return err;
    int changed = vnrs_lpm_trie_put(table->trie, prefix, &confirmed);
    if (changed > 0)
        table_dirty(lpm, table);
    return MIN(changed, 0);
}

int vnrs_bpf_lpm_remove(struct vnrs_bpf_lpm *lpm, uint32_t table_number, const struct vnrs_prefix *prefix)
{
    if (table_number >= VNRS_TABLES_MAX)
        return -ERANGE;
    struct table *table = lpm->tables[table_number];
    if (table && vnrs_lpm_trie_remove(table->trie, prefix))
        table_dirty(lpm, table);
    return 0;
}

bool vnrs_bpf_lpm_get(const struct vnrs_bpf_lpm *lpm, uint32_t table, const struct vnrs_prefix *prefix,
                      struct vnrs_lpm_entry *ret_entry)
{
    return table < VNRS_TABLES_MAX && lpm->tables[table] &&
           vnrs_lpm_trie_get(lpm->tables[table]->trie, prefix, ret_entry);
}

void vnrs_bpf_lpm_change(struct vnrs_bpf_lpm *lpm, vnrs_lpm_entry_fn fn, void *arg)
{
    for (uint32_t t = 0; t < VNRS_TABLES_MAX; t++) {
        struct table *table = lpm->tables[t];
        if (table && vnrs_lpm_trie_change(table->trie, fn, arg))
            table_dirty(lpm, table);
    }
}

void vnrs_bpf_lpm_sync_begin(struct vnrs_bpf_lpm *lpm)
{
    lpm->mark++;
}

struct sweep {
    uint16_t mark;
    vnrs_lpm_entry_fn removed;
    void *arg;
};

static void sweep_one(uint8_t family, struct vnrs_lpm_entry *entry, void *arg)
{
    const struct sweep *sweep = arg;

    if (entry->mark == sweep->mark)
        return;
    sweep->removed(family, entry, sweep->arg);
    entry->value = 0;
}

int vnrs_bpf_lpm_sync_end(struct vnrs_bpf_lpm *lpm, vnrs_lpm_entry_fn removed, void *arg)
{
    static const struct vnrs_lpm_table empty;
    struct sweep sweep = {lpm->mark, removed, arg};

    vnrs_bpf_lpm_change(lpm, sweep_one, &sweep);
    for (uint32_t t = 0; t < VNRS_TABLES_MAX && lpm->adopting; t++) {
        struct table *table;
        if (lpm->tables[t] || memcmp(&lpm->published[t], &empty, sizeof(empty)) == 0)
            continue;
        int err = table_get(lpm, t, &table); // nobody put anything into it
        if (err)
            return err;
        table_dirty(lpm, table);
    }
    lpm->adopting = false;
    return 0;
}

// --- publishing ---

static void root_publish(struct vnrs_bpf_lpm *lpm, struct vnrs_lpm_root *at, struct vnrs_lpm_root root)
{
    struct vnrs_lpm_root old = *at;

    if (old.entry != root.entry || old.fallback != root.fallback) {
        root_store(at, root);
        ++*lpm->writes;
    }
    vnrs_lpm_nodes_unref(lpm->nodes, old.entry);
}

static int build_all(struct vnrs_bpf_lpm *lpm)
{
    struct table *table, *failed;

    LIST_FOREACH(failed, &lpm->dirty, in_dirty)
    {
        int err = vnrs_lpm_trie_build(failed->trie, &failed->built);
        if (!err)
            continue;
        LIST_FOREACH(table, &lpm->dirty, in_dirty)
        {
            if (table == failed)
                return err;
            vnrs_lpm_nodes_unref(lpm->nodes, table->built.v4.entry);
            vnrs_lpm_nodes_unref(lpm->nodes, table->built.v6.entry);
        }
    }
    return 0;
}

int vnrs_bpf_lpm_publish(struct vnrs_bpf_lpm *lpm)
{
    struct vnrs_lpm_usage before, after;
    struct table *table;

    if (lpm->adopting)
        return 0;
    vnrs_lpm_nodes_usage(lpm->nodes, &before);
    int err = build_all(lpm);
    vnrs_lpm_nodes_usage(lpm->nodes, &after);
    *lpm->writes += after.made - before.made;
    if (err)
        return err;
    while ((table = LIST_FIRST(&lpm->dirty))) {
        LIST_REMOVE(table, in_dirty);
        table->dirty = false;
        root_publish(lpm, &lpm->published[table->number].v4, table->built.v4);
        root_publish(lpm, &lpm->published[table->number].v6, table->built.v6);
        if (vnrs_lpm_trie_len(table->trie) == 0)
            table_free(lpm, table);
    }
    return 1;
}

// --- life ---

int vnrs_bpf_lpm_new(int tables_fd, int lines_fd, uint64_t *writes, vnrs_lpm_leaf_fn leaf, void *arg,
                     struct vnrs_bpf_lpm **ret_lpm)
{
    struct vnrs_bpf_lpm *lpm = calloc(1, sizeof(*lpm));
    int err = 0;

    if (!lpm)
        return -ENOMEM;
    lpm->lines_fd = lines_fd;
    lpm->chunk_fd = -1;
    lpm->writes = writes;
    LIST_INIT(&lpm->dirty);
    lpm->tables = calloc(VNRS_TABLES_MAX, sizeof(*lpm->tables));
    const struct vnrs_lpm_memory memory = {.arg = lpm, .grow = chunk_grow, .wait = chunk_wait};
    err = lpm->tables ? vnrs_lpm_nodes_new(&memory, &lpm->nodes) : -ENOMEM;
    if (!err) {
        void *at = mmap(NULL, TABLES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, tables_fd, 0);
        if (at == MAP_FAILED)
            err = -errno;
        else
            lpm->published = at;
    }
    if (!err)
        err = adopt(lpm, leaf, arg);
    if (err) {
        vnrs_bpf_lpm_free(lpm);
        return err;
    }
    *ret_lpm = lpm;
    return 0;
}

struct vnrs_bpf_lpm *vnrs_bpf_lpm_free(struct vnrs_bpf_lpm *lpm)
{
    if (!lpm)
        return NULL;
    for (uint32_t t = 0; lpm->tables && t < VNRS_TABLES_MAX; t++) {
        if (lpm->tables[t])
            table_free(lpm, lpm->tables[t]);
    }
    free(lpm->tables);
    vnrs_lpm_nodes_free(lpm->nodes);
    for (unsigned c = 0; c < VNRS_LPM_CHUNKS_MAX; c++)
        chunk_unmap(lpm, c);
    if (lpm->published)
        (void)munmap(lpm->published, TABLES_BYTES);
    if (lpm->chunk_fd >= 0)
        (void)close(lpm->chunk_fd);
    free(lpm);
    return NULL;
}

uint32_t vnrs_bpf_lpm_find(const struct vnrs_bpf_lpm *lpm, uint32_t table, const struct vnrs_addr *addr)
{
    vnrs_lpm_lines lines = vnrs_lpm_nodes_lines(lpm->nodes);
    uint64_t high, low;

    memcpy(&high, addr->bytes, sizeof(high));
    memcpy(&low, addr->bytes + 8, sizeof(low));
    if (addr->family == VNRS_AF_IPV4)
        return vnrs_lpm_walk4(lines, lpm->published[table].v4, (uint32_t)(be64toh(high) >> 32));
    return vnrs_lpm_walk6(lines, lpm->published[table].v6, be64toh(high), be64toh(low));
}

void vnrs_bpf_lpm_usage(const struct vnrs_bpf_lpm *lpm, struct vnrs_lpm_usage *ret_usage)
{
    vnrs_lpm_nodes_usage(lpm->nodes, ret_usage);
}
