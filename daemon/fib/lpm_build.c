// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/lpm_build.h"

#include <string.h>

#define FLAT_BYTES (VNRS_LPM_RANGES_BITS / 8)

// What the values of the next byte get from this block alone.
static void own_values(const struct vnrs_lpm_block *block, uint32_t inherited, uint32_t ret_values[static 256])
{
    for (unsigned b = 0; b < 256; b++)
        ret_values[b] = inherited;
    for (unsigned i = 0; i < block->n_own; i++) {
        const struct vnrs_lpm_own *own = &block->own[i];
        for (unsigned b = own->byte; b <= (own->byte | 0xffu >> own->bits); b++)
            ret_values[b] = own->value;
    }
}

// Everything below a block as ranges of the bits that one node looks at. What is further down than these bits gets
// nodes of its own, but only when it is sure that all the rest fits: until then, its entry is its number in `leads`.
struct flat {
    struct vnrs_lpm_ranges ranges;
    unsigned depth; // where those bits begin
    uint64_t next;  // first value that is in no range yet
    struct {
        struct vnrs_lpm_block *block;
        uint32_t inherited;
    } leads[VNRS_LPM_RANGES_MAX];
    uint32_t n_leads;
};

// The bytes after which something may change: most have none, so nobody need look at all 256.
struct edges {
    uint64_t words[4];
};

static void edge_add(struct edges *edges, unsigned byte)
{
    edges->words[byte / 64] |= 1ull << byte % 64;
}

static struct edges edges_of(const struct vnrs_lpm_block *block)
{
    struct edges edges = {0};

    for (unsigned i = 0; i < block->n_own; i++) {
        const struct vnrs_lpm_own *own = &block->own[i];
        edge_add(&edges, own->byte | 0xffu >> own->bits);
        if (own->byte)
            edge_add(&edges, own->byte - 1u);
    }
    for (unsigned w = 0; w < ARRAY_SIZE(edges.words); w++) {
        edges.words[w] |= block->has_below[w] | block->has_below[w] >> 1;
        if (w < ARRAY_SIZE(edges.words) - 1)
            edges.words[w] |= block->has_below[w + 1] << 63;
    }
    edge_add(&edges, 255);
    return edges;
}

// The first one from `byte` on. There is one: the last byte.
static unsigned edge_next(const struct edges *edges, unsigned byte)
{
    unsigned w = byte / 64;
    uint64_t word = edges->words[w] & ~0ull << byte % 64;

    while (!word)
        word = edges->words[++w];
    return w * 64 + (unsigned)__builtin_ctzll(word);
}

// Without blocks below it is known beforehand how many ranges there will be.
static bool flat_fits(const struct flat *flat, const struct vnrs_lpm_block *block, const struct edges *edges,
                      const uint32_t values[static 256])
{
    unsigned n = MAX(flat->ranges.n, 1);

    for (unsigned b = edge_next(edges, 0); b < 255 && n <= VNRS_LPM_RANGES_MAX; b = edge_next(edges, b + 1))
        n += values[b] != values[b + 1];
    return block->n_below || n <= VNRS_LPM_RANGES_MAX;
}

// Returns false where it is one range too many.
static bool flat_add(struct flat *flat, uint64_t end, uint32_t entry)
{
    struct vnrs_lpm_ranges *ranges = &flat->ranges;

    if (end < flat->next)
        return true;
    flat->next = end + 1;
    if (ranges->n > 0 && ranges->entry[ranges->n - 1] == entry) {
        ranges->end[ranges->n - 1] = (uint32_t)end;
        return true;
    }
    if (ranges->n == VNRS_LPM_RANGES_MAX)
        return false;
    ranges->end[ranges->n] = (uint32_t)end;
    ranges->entry[ranges->n++] = entry;
    return true;
}

// The value that the key of a block has in these bits, others 0.
static uint64_t flat_start(const struct flat *flat, const struct vnrs_lpm_block *block)
{
    uint64_t start = 0;

    for (unsigned b = 0; b < FLAT_BYTES; b++)
        start = start << 8 | (flat->depth + b < block->depth ? block->key[flat->depth + b] : 0);
    return start;
}

static bool flatten(struct vnrs_lpm_nodes *nodes, struct flat *flat, struct vnrs_lpm_block *block, uint32_t inherited);

static bool flatten_below(struct vnrs_lpm_nodes *nodes, struct flat *flat, struct vnrs_lpm_block *below,
                          uint32_t inherited)
{
    uint64_t from = flat_start(flat, below);

    if (from && !flat_add(flat, from - 1, inherited))
        return false;
    if (below->depth < flat->depth + FLAT_BYTES)
        return flatten(nodes, flat, below, inherited);
    if (flat->n_leads == ARRAY_SIZE(flat->leads))
        return false;
    flat->leads[flat->n_leads].block = below;
    flat->leads[flat->n_leads].inherited = inherited;
    return flat_add(flat, from, VNRS_LPM_ENTRY(VNRS_LPM_SKIP, flat->n_leads++));
}

static void entry_forget(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_block *block)
{
    vnrs_lpm_nodes_unref(nodes, block->entry);
    block->entry = 0;
    block->dirty = true;
}

// The byte of the i-th block below; past the last one no byte at all.
static unsigned below_at(const struct vnrs_lpm_block *block, unsigned i)
{
    return i < block->n_below ? block->below[i]->key[block->depth] : 256;
}

static bool flatten(struct vnrs_lpm_nodes *nodes, struct flat *flat, struct vnrs_lpm_block *block, uint32_t inherited)
{
    uint64_t start = flat_start(flat, block), end;
    unsigned shift = 8 * (FLAT_BYTES - 1 - (block->depth - flat->depth));
    const struct edges edges = edges_of(block);
    uint32_t values[256];

    own_values(block, inherited, values);
    bool fits = flat_fits(flat, block, &edges, values);
    for (unsigned b = 0, i = 0; b < 256 && fits; b++) {
        b = edge_next(&edges, b);
        if (b == below_at(block, i)) {
            struct vnrs_lpm_block *below = block->below[i++];
            fits = flatten_below(nodes, flat, below, values[b]);
            if (below->depth < flat->depth + FLAT_BYTES)
                entry_forget(nodes, below); // it needs no node of its own
        }
        end = start | (uint64_t)b << shift | ((1ull << shift) - 1);
        fits = fits && flat_add(flat, end, values[b]);
    }
    return fits;
}

// The nodes that the ranges lead to; then neighbours may be the same after all.
static int flat_build_leads(struct vnrs_lpm_nodes *nodes, struct flat *flat)
{
    struct vnrs_lpm_ranges merged = {0}, *ranges = &flat->ranges;

    for (uint32_t r = 0; r < ranges->n; r++) {
        uint32_t entry = ranges->entry[r], lead = VNRS_LPM_INDEX(entry);
        if (VNRS_LPM_KIND(entry) != VNRS_LPM_LEAF) {
            struct vnrs_lpm_block *block = flat->leads[lead].block;
            int err = vnrs_lpm_build(nodes, block, flat->depth + FLAT_BYTES, flat->leads[lead].inherited);
            if (err)
                return err;
            entry = block->entry;
        }
        if (merged.n > 0 && merged.entry[merged.n - 1] == entry)
            merged.n--;
        merged.end[merged.n] = ranges->end[r];
        merged.entry[merged.n++] = entry;
    }
    *ranges = merged;
    return 0;
}

// One node for all that is below, from byte `from` on. Returns 0, 1 (does not fit), or a negative errno.
static int build_flat(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_block *block, unsigned from, uint32_t inherited,
                      uint32_t *ret_entry)
{
    struct flat flat = {.depth = from};

    if (block->n_all > VNRS_LPM_RANGES_MAX || block->depth >= from + FLAT_BYTES)
        return 1;
    if (!flatten_below(nodes, &flat, block, inherited) || !flat_add(&flat, UINT32_MAX, inherited))
        return 1;
    int err = flat_build_leads(nodes, &flat);
    return err ? err : vnrs_lpm_nodes_ranges(nodes, &flat.ranges, ret_entry);
}

// A node for the next byte.
static int build_stride(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_block *block, uint32_t inherited,
                        uint32_t *ret_entry)
{
    uint32_t entries[256];

    own_values(block, inherited, entries);
    for (unsigned i = 0; i < block->n_below; i++) {
        struct vnrs_lpm_block *below = block->below[i];
        uint32_t *at = &entries[below->key[block->depth]];
        int err = vnrs_lpm_build(nodes, below, block->depth + 1u, *at);
        if (err)
            return err;
        *at = below->entry;
    }
    return vnrs_lpm_nodes_stride(nodes, entries, ret_entry);
}

// Past the bytes that all below have in common, and then what they lead to.
static int build_skip(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_block *block, unsigned from, uint32_t inherited,
                      uint32_t *ret_entry)
{
    uint32_t entry;
    int err = build_flat(nodes, block, block->depth, inherited, &entry);

    if (err > 0)
        err = build_stride(nodes, block, inherited, &entry);
    if (err)
        return err;
    err = vnrs_lpm_nodes_skip(nodes, block->key + from, 8 * (block->depth - from), entry, inherited, ret_entry);
    if (err)
        vnrs_lpm_nodes_unref(nodes, entry);
    return err;
}

// A single prefix: one comparison.
static int build_single(struct vnrs_lpm_nodes *nodes, const struct vnrs_lpm_block *block, unsigned from,
                        uint32_t inherited, uint32_t *ret_entry)
{
    const struct vnrs_lpm_own *own = block->own;
    uint8_t key[16];

    memcpy(key, block->key, block->depth);
    key[block->depth] = own->byte;
    return vnrs_lpm_nodes_skip(nodes, key + from, 8 * (block->depth - from) + own->bits, own->value, inherited,
                               ret_entry);
}

int vnrs_lpm_build(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_block *block, unsigned from, uint32_t inherited)
{
    uint32_t entry = 0;

    if (!block->dirty && block->from == from && block->inherited == inherited)
        return 0;
    int err = build_flat(nodes, block, from, inherited, &entry);
    if (err > 0)
        err = block->n_all == 1 ? build_single(nodes, block, from, inherited, &entry)
                                : build_skip(nodes, block, from, inherited, &entry);
    if (err)
        return err;
    vnrs_lpm_nodes_unref(nodes, block->entry);
    block->entry = entry;
    block->from = (uint8_t)from;
    block->inherited = inherited;
    block->dirty = false;
    return 0;
}
