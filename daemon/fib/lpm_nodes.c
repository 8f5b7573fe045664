// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/lpm_nodes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define BLOCK_LINES  VNRS_LPM_FULL_LINES // what is handed out at once: a FULL node, or 8 nodes of one line
#define CHUNK_BLOCKS (VNRS_LPM_CHUNK_LINES / BLOCK_LINES)
#define BLOCK_FULL   0xff
#define INDEX_MIN    1024 // buckets of the index by content

struct line_info { // of the first line of a node
    uint32_t refs; // 0: no node
    uint32_t hash;
};

struct numbers { // a stack
    uint32_t *at;
    size_t len, cap;
};

struct vnrs_lpm_nodes {
    struct vnrs_lpm_memory memory;
    struct vnrs_lpm_line *chunks[VNRS_LPM_CHUNKS_MAX];
    struct line_info *info[VNRS_LPM_CHUNKS_MAX];
    uint8_t *used[VNRS_LPM_CHUNKS_MAX]; // of each block, a bit for each line that is in use or resting
    unsigned n_chunks;
    // Blocks without a line in use; blocks of which some lines are free, each at most once, and perhaps some that have
    // none or nothing else any more; nodes that readers may still hold.
    struct numbers free_blocks, partial, resting;
    uint32_t *index; // entries by hash of the content; 0: free. Open addressing
    size_t index_len, index_cap;
    struct vnrs_lpm_usage usage;
};

// --- stacks ---

static int numbers_reserve(struct numbers *n, size_t more)
{
    if (n->len + more <= n->cap)
        return 0;
    size_t cap = MAX(n->cap * 2, n->len + more);
    uint32_t *at = realloc(n->at, cap * sizeof(*at));
    if (!at)
        return -ENOMEM;
    n->at = at;
    n->cap = cap;
    return 0;
}

static void numbers_push(struct numbers *n, uint32_t value)
{
    assert(n->len < n->cap);
    n->at[n->len++] = value;
}

// --- lines ---

static struct vnrs_lpm_line *node_line(const struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    return VNRS_LPM_LINE(nodes->chunks, VNRS_LPM_INDEX(entry));
}

static struct line_info *node_info(const struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    uint32_t index = VNRS_LPM_INDEX(entry);

    return &nodes->info[index >> VNRS_LPM_CHUNK_SHIFT][index & (VNRS_LPM_CHUNK_LINES - 1)];
}

static uint8_t *block_used(const struct vnrs_lpm_nodes *nodes, uint32_t block)
{
    return &nodes->used[block / CHUNK_BLOCKS][block % CHUNK_BLOCKS];
}

static unsigned node_lines(uint32_t entry)
{
    return VNRS_LPM_KIND(entry) == VNRS_LPM_FULL ? VNRS_LPM_FULL_LINES : 1;
}

static size_t node_bytes(uint32_t entry)
{
    return node_lines(entry) * sizeof(struct vnrs_lpm_line);
}

static void lines_take(struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    uint32_t index = VNRS_LPM_INDEX(entry);
    uint8_t *used = block_used(nodes, index / BLOCK_LINES);

    if (node_lines(entry) == 1)
        *used |= (uint8_t)(1u << index % BLOCK_LINES);
    else
        *used = BLOCK_FULL;
}

// The stacks have room: see chunk_enter().
static void lines_give_back(struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    uint32_t index = VNRS_LPM_INDEX(entry), block = index / BLOCK_LINES;
    uint8_t *used = block_used(nodes, block), was = *used;

    if (node_lines(entry) == 1)
        *used &= (uint8_t) ~(1u << index % BLOCK_LINES);
    else
        *used = 0;
    if (*used == 0)
        numbers_push(&nodes->free_blocks, block);
    else if (was == BLOCK_FULL)
        numbers_push(&nodes->partial, block);
}

// A chunk becomes known; none of its blocks is free yet. Afterwards every stack has room for the worst case, so that
// giving back cannot fail.
static int chunk_enter(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_line *chunk)
{
    unsigned c = nodes->n_chunks;

    size_t blocks = (size_t)(c + 1) * CHUNK_BLOCKS;
    int err = numbers_reserve(&nodes->free_blocks, blocks - nodes->free_blocks.len);
    if (!err)
        err = numbers_reserve(&nodes->partial, blocks - nodes->partial.len);
    if (!err)
        err = numbers_reserve(&nodes->resting, blocks * BLOCK_LINES - nodes->resting.len);
    if (err)
        return err;
    nodes->info[c] = calloc(VNRS_LPM_CHUNK_LINES, sizeof(**nodes->info));
    nodes->used[c] = calloc(CHUNK_BLOCKS, sizeof(**nodes->used));
    if (!nodes->info[c] || !nodes->used[c]) {
        free(nodes->info[c]);
        free(nodes->used[c]);
        nodes->info[c] = NULL;
        nodes->used[c] = NULL;
        return -ENOMEM;
    }
    nodes->chunks[c] = chunk;
    nodes->n_chunks++;
    nodes->usage.reserved += VNRS_LPM_CHUNK_LINES;
    return 0;
}

static int chunk_grow(struct vnrs_lpm_nodes *nodes)
{
    struct vnrs_lpm_line *chunk;
    unsigned c = nodes->n_chunks;

    if (c == VNRS_LPM_CHUNKS_MAX)
        return -ENOSPC;
    int err = nodes->memory.grow(nodes->memory.arg, c, &chunk);
    if (!err)
        err = chunk_enter(nodes, chunk);
    if (err)
        return err;
    for (uint32_t b = CHUNK_BLOCKS; b-- > 0;)
        numbers_push(&nodes->free_blocks, c * CHUNK_BLOCKS + b);
    return 0;
}

static int rest_end(struct vnrs_lpm_nodes *nodes)
{
    int err = nodes->memory.wait(nodes->memory.arg);

    if (err)
        return err;
    nodes->usage.waits++;
    while (nodes->resting.len)
        lines_give_back(nodes, nodes->resting.at[--nodes->resting.len]);
    return 0;
}

// Waiting takes milliseconds and growing takes memory for ever: wait when that sets a good part of what there is free.
static int block_get(struct vnrs_lpm_nodes *nodes, uint32_t *ret_block)
{
    if (!nodes->free_blocks.len && nodes->resting.len > (size_t)nodes->n_chunks * CHUNK_BLOCKS / 8) {
        int err = rest_end(nodes);
        if (err)
            return err;
    }
    if (!nodes->free_blocks.len) {
        int err = chunk_grow(nodes);
        if (err && (!nodes->resting.len || rest_end(nodes) || !nodes->free_blocks.len))
            return err;
    }
    *ret_block = nodes->free_blocks.at[--nodes->free_blocks.len];
    return 0;
}

// A block leaves `partial` with its last free line. A fresh one is begun only when `partial` is empty, so that none is
// in it twice.
static int line_get(struct vnrs_lpm_nodes *nodes, uint32_t *ret_index)
{
    uint32_t block;

    for (; nodes->partial.len; nodes->partial.len--) {
        block = nodes->partial.at[nodes->partial.len - 1];
        uint8_t used = *block_used(nodes, block);
        if (used == 0 || used == BLOCK_FULL)
            continue;
        *ret_index = block * BLOCK_LINES + (uint32_t)__builtin_ctz(~(unsigned)used);
        if (__builtin_popcount(used) == BLOCK_LINES - 1)
            nodes->partial.len--;
        return 0;
    }
    int err = block_get(nodes, &block);
    if (err)
        return err;
    numbers_push(&nodes->partial, block);
    *ret_index = block * BLOCK_LINES;
    return 0;
}

static int lines_get(struct vnrs_lpm_nodes *nodes, enum vnrs_lpm_kind kind, uint32_t *ret_entry)
{
    uint32_t index;
    int err;

    if (kind == VNRS_LPM_FULL) {
        err = block_get(nodes, &index);
        index *= BLOCK_LINES;
    } else {
        err = line_get(nodes, &index);
    }
    if (err)
        return err;
    *ret_entry = VNRS_LPM_ENTRY(kind, index);
    lines_take(nodes, *ret_entry);
    return 0;
}

// --- children ---

struct children {
    const uint32_t *at;
    unsigned n;
};

static struct children children_of(const struct vnrs_lpm_nodes *nodes, uint32_t node)
{
    const struct vnrs_lpm_line *line = node_line(nodes, node);

    switch (VNRS_LPM_KIND(node)) {
    case VNRS_LPM_FULL:
        return (struct children){line->word, 256};
    case VNRS_LPM_RANGES:
        return (struct children){line->ranges.entry, VNRS_LPM_RANGES_MAX};
    default:
        return (struct children){&line->skip.match, 2};
    }
}

static uint64_t *usage_of(struct vnrs_lpm_nodes *nodes, uint32_t node)
{
    switch (VNRS_LPM_KIND(node)) {
    case VNRS_LPM_FULL:
        return &nodes->usage.full;
    case VNRS_LPM_RANGES:
        return &nodes->usage.ranges;
    default:
        return &nodes->usage.skips;
    }
}

static void usage_add(struct vnrs_lpm_nodes *nodes, uint32_t node)
{
    nodes->usage.lines += node_lines(node);
    ++*usage_of(nodes, node);
}

static void usage_remove(struct vnrs_lpm_nodes *nodes, uint32_t node)
{
    nodes->usage.lines -= node_lines(node);
    --*usage_of(nodes, node);
}

// --- index by content ---

static uint32_t content_hash(uint32_t kind, const void *content, size_t bytes)
{
    uint64_t a = kind, b = 0, word[2];

    for (size_t at = 0; at < bytes; at += sizeof(word)) {
        memcpy(word, (const uint8_t *)content + at, sizeof(word));
        a = (a ^ word[0]) * 0x9e3779b97f4a7c15;
        b = (b ^ word[1]) * 0xc2b2ae3d27d4eb4f;
        a ^= a >> 29;
        b ^= b >> 31;
    }
    a = (a ^ (b >> 7) ^ b) * 0xff51afd7ed558ccd;
    return (uint32_t)(a >> 32);
}

static int index_grow(struct vnrs_lpm_nodes *nodes)
{
    if (nodes->index_len * 2 < nodes->index_cap)
        return 0;
    size_t cap = MAX(nodes->index_cap * 2, INDEX_MIN);
    uint32_t *index = calloc(cap, sizeof(*index));
    if (!index)
        return -ENOMEM;
    for (size_t i = 0; i < nodes->index_cap; i++) {
        if (!nodes->index[i])
            continue;
        size_t at = node_info(nodes, nodes->index[i])->hash & (cap - 1);
        while (index[at])
            at = (at + 1) & (cap - 1);
        index[at] = nodes->index[i];
    }
    free(nodes->index);
    nodes->index = index;
    nodes->index_cap = cap;
    return 0;
}

static void index_add(struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    size_t at = node_info(nodes, entry)->hash & (nodes->index_cap - 1);

    while (nodes->index[at])
        at = (at + 1) & (nodes->index_cap - 1);
    nodes->index[at] = entry;
    nodes->index_len++;
}

static uint32_t index_find(const struct vnrs_lpm_nodes *nodes, uint32_t kind, uint32_t hash, const void *content,
                           size_t bytes)
{
    for (size_t at = hash & (nodes->index_cap - 1); nodes->index[at]; at = (at + 1) & (nodes->index_cap - 1)) {
        uint32_t entry = nodes->index[at];
        if (node_info(nodes, entry)->hash == hash && VNRS_LPM_KIND(entry) == kind &&
            memcmp(node_line(nodes, entry), content, bytes) == 0)
            return entry;
    }
    return 0;
}

// Closes the gap, so that no search ends too early.
static void index_remove(struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    size_t mask = nodes->index_cap - 1, at = node_info(nodes, entry)->hash & mask;

    while (nodes->index[at] != entry)
        at = (at + 1) & mask;
    for (size_t next = (at + 1) & mask; nodes->index[next]; next = (next + 1) & mask) {
        size_t home = node_info(nodes, nodes->index[next])->hash & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            nodes->index[at] = nodes->index[next];
            at = next;
        }
    }
    nodes->index[at] = 0;
    nodes->index_len--;
}

// --- nodes ---

void vnrs_lpm_nodes_ref(struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    if (VNRS_LPM_KIND(entry) != VNRS_LPM_LEAF)
        node_info(nodes, entry)->refs++;
}

// As deep as the trie at most.
void vnrs_lpm_nodes_unref(struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    if (VNRS_LPM_KIND(entry) == VNRS_LPM_LEAF || --node_info(nodes, entry)->refs)
        return;
    index_remove(nodes, entry);
    usage_remove(nodes, entry);
    for (struct children c = children_of(nodes, entry); c.n > 0; c.n--, c.at++)
        vnrs_lpm_nodes_unref(nodes, *c.at);
    numbers_push(&nodes->resting, entry);
}

// The node with this content, one reference more.
static int node_get(struct vnrs_lpm_nodes *nodes, enum vnrs_lpm_kind kind, const void *content, size_t bytes,
                    uint32_t *ret_entry)
{
    uint32_t hash = content_hash(kind, content, bytes), entry;

    int err = index_grow(nodes);
    if (err)
        return err;
    entry = index_find(nodes, kind, hash, content, bytes);
    if (entry) {
        vnrs_lpm_nodes_ref(nodes, entry);
        *ret_entry = entry;
        return 0;
    }
    err = lines_get(nodes, kind, &entry);
    if (err)
        return err;
    memcpy(node_line(nodes, entry), content, bytes);
    *node_info(nodes, entry) = (struct line_info){.refs = 1, .hash = hash};
    index_add(nodes, entry);
    usage_add(nodes, entry);
    nodes->usage.made++;
    for (struct children c = children_of(nodes, entry); c.n > 0; c.n--, c.at++)
        vnrs_lpm_nodes_ref(nodes, *c.at);
    *ret_entry = entry;
    return 0;
}

static int ranges_get(struct vnrs_lpm_nodes *nodes, const struct vnrs_lpm_ranges *ranges, uint32_t bits,
                      uint32_t *ret_entry)
{
    struct vnrs_lpm_line line = {.ranges.bits = bits};

    if (ranges->n == 1 && VNRS_LPM_KIND(ranges->entry[0]) == VNRS_LPM_LEAF) {
        *ret_entry = ranges->entry[0];
        return 0;
    }
    for (uint32_t i = 0; i < VNRS_LPM_RANGES_MAX - 1; i++)
        line.ranges.end[i] = i < ranges->n ? ranges->end[i] : UINT32_MAX;
    for (uint32_t i = 0; i < ranges->n; i++)
        line.ranges.entry[i] = ranges->entry[i];
    return node_get(nodes, VNRS_LPM_RANGES, &line, sizeof(line), ret_entry);
}

int vnrs_lpm_nodes_ranges(struct vnrs_lpm_nodes *nodes, const struct vnrs_lpm_ranges *ranges, uint32_t *ret_entry)
{
    return ranges_get(nodes, ranges, VNRS_LPM_RANGES_BITS, ret_entry);
}

int vnrs_lpm_nodes_stride(struct vnrs_lpm_nodes *nodes, const uint32_t entries[static 256], uint32_t *ret_entry)
{
    struct vnrs_lpm_ranges ranges = {0};

    for (uint32_t b = 0; b < 256; b++) {
        if (b < 255 && entries[b] == entries[b + 1])
            continue;
        if (ranges.n == VNRS_LPM_RANGES_MAX)
            return node_get(nodes, VNRS_LPM_FULL, entries, 256 * sizeof(*entries), ret_entry);
        ranges.end[ranges.n] = b << 24 | 0xffffff;
        ranges.entry[ranges.n++] = entries[b];
    }
    return ranges_get(nodes, &ranges, 8, ret_entry);
}

int vnrs_lpm_nodes_skip(struct vnrs_lpm_nodes *nodes, const uint8_t *key, unsigned bits, uint32_t match, uint32_t miss,
                        uint32_t *ret_entry)
{
    struct vnrs_lpm_line line = {.skip = {.bits = bits, .match = match, .miss = miss}};

    assert(VNRS_LPM_KIND(match) == VNRS_LPM_LEAF ? bits <= 128 : bits <= 8 * VNRS_LPM_SKIP_MAX && bits % 8 == 0);
    if (bits == 0 || match == miss) {
        *ret_entry = match;
        return 0;
    }
    for (unsigned b = 0; b < bits; b += 8) {
        uint64_t mask = bits - b < 8 ? 0xff00u >> (bits - b) & 0xff : 0xff;
        unsigned shift = 56 - b % 64;
        line.skip.key[b / 64] |= (key[b / 8] & mask) << shift;
        line.skip.mask[b / 64] |= mask << shift;
    }
    int err = node_get(nodes, VNRS_LPM_SKIP, &line, sizeof(line), ret_entry);
    if (!err)
        vnrs_lpm_nodes_unref(nodes, match); // the node has its own
    return err;
}

// --- adopting ---

int vnrs_lpm_nodes_adopt_chunk(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_line *chunk)
{
    return nodes->n_chunks == VNRS_LPM_CHUNKS_MAX ? -ENOSPC : chunk_enter(nodes, chunk);
}

static bool is_node_of_ours(const struct vnrs_lpm_nodes *nodes, uint32_t entry)
{
    uint32_t index = VNRS_LPM_INDEX(entry);
    bool aligned = node_lines(entry) == 1 || index % BLOCK_LINES == 0;

    return aligned && (index + node_lines(entry) - 1) >> VNRS_LPM_CHUNK_SHIFT < nodes->n_chunks;
}

static int adopt_node(struct vnrs_lpm_nodes *nodes, uint32_t entry, unsigned depth, vnrs_lpm_leaf_fn leaf, void *arg)
{
    if (VNRS_LPM_KIND(entry) == VNRS_LPM_LEAF)
        return entry ? leaf(entry, arg) : 0;
    if (depth > VNRS_LPM_LEVELS6 || !is_node_of_ours(nodes, entry))
        return -EUCLEAN;
    struct line_info *info = node_info(nodes, entry);
    if (info->refs++)
        return 0;
    int err = index_grow(nodes);
    if (err)
        return err;
    info->hash = content_hash(VNRS_LPM_KIND(entry), node_line(nodes, entry), node_bytes(entry));
    index_add(nodes, entry);
    lines_take(nodes, entry);
    usage_add(nodes, entry);
    for (struct children c = children_of(nodes, entry); c.n > 0 && !err; c.n--, c.at++)
        err = adopt_node(nodes, *c.at, depth + 1, leaf, arg);
    return err;
}

int vnrs_lpm_nodes_adopt_root(struct vnrs_lpm_nodes *nodes, uint32_t entry, vnrs_lpm_leaf_fn leaf, void *arg)
{
    return adopt_node(nodes, entry, 0, leaf, arg);
}

// The other lines may be those that the earlier process had just given up.
int vnrs_lpm_nodes_adopted(struct vnrs_lpm_nodes *nodes)
{
    int err = nodes->n_chunks ? nodes->memory.wait(nodes->memory.arg) : 0;

    if (err)
        return err;
    for (uint32_t block = nodes->n_chunks * CHUNK_BLOCKS; block-- > 0;) {
        uint8_t used = *block_used(nodes, block);
        if (used == 0)
            numbers_push(&nodes->free_blocks, block);
        else if (used != BLOCK_FULL)
            numbers_push(&nodes->partial, block);
    }
    return 0;
}

// --- life ---

int vnrs_lpm_nodes_new(const struct vnrs_lpm_memory *memory, struct vnrs_lpm_nodes **ret_nodes)
{
    struct vnrs_lpm_nodes *nodes = calloc(1, sizeof(*nodes));

    if (!nodes)
        return -ENOMEM;
    nodes->memory = *memory;
    *ret_nodes = nodes;
    return 0;
}

struct vnrs_lpm_nodes *vnrs_lpm_nodes_free(struct vnrs_lpm_nodes *nodes)
{
    if (!nodes)
        return NULL;
    for (unsigned c = 0; c < nodes->n_chunks; c++) {
        free(nodes->info[c]);
        free(nodes->used[c]);
    }
    free(nodes->free_blocks.at);
    free(nodes->partial.at);
    free(nodes->resting.at);
    free(nodes->index);
    free(nodes);
    return NULL;
}

vnrs_lpm_lines vnrs_lpm_nodes_lines(const struct vnrs_lpm_nodes *nodes)
{
    return nodes->chunks;
}

void vnrs_lpm_nodes_usage(const struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_usage *ret_usage)
{
    *ret_usage = nodes->usage;
}
