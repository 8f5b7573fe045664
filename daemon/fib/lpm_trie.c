// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/lpm_trie.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define FLAT_BYTES (VNRS_LPM_RANGES_BITS / 8)

// A prefix that ends within the byte that its block decides about.
struct own {
    uint8_t bits, byte; // 1..8 of them, others zero
    uint16_t mark;
    uint32_t value;
};

// What happens at one byte of the address, after the bytes `key`. A block exists where prefixes end or where they part.
struct block {
    uint8_t key[16];
    uint8_t depth;      // bytes of `key`
    bool dirty;         // `entry` is not what it should be
    uint8_t from;       // `entry` is for addresses from this byte on: past that of the block above
    uint32_t inherited; // value of the shorter prefixes, when `entry` was made
    uint32_t entry;     // a reference, or a leaf
    uint16_t n_own, cap_own, n_below, cap_below;
    size_t n_all;         // prefixes here and below
    struct own *own;      // by bits, then byte: in this order they overwrite each other rightly
    struct block **below; // by key[depth]
};

struct family {
    struct block *top;
    uint32_t fallback; // prefix of length 0; 0: none
    uint16_t fallback_mark;
};

struct vnrs_lpm_trie {
    struct vnrs_lpm_nodes *nodes;
    struct family v4, v6;
    size_t len;
};

// --- blocks ---

static struct block *block_new(const uint8_t *key, unsigned depth)
{
    struct block *block = calloc(1, sizeof(*block));

    if (!block)
        return NULL;
    memcpy(block->key, key, depth);
    block->depth = (uint8_t)depth;
    block->dirty = true;
    return block;
}

// Not those below.
static void block_free(struct vnrs_lpm_nodes *nodes, struct block *block)
{
    vnrs_lpm_nodes_unref(nodes, block->entry);
    free(block->own);
    free(block->below);
    free(block);
}

// Room for one more element. Doubling keeps the average cost of an insertion constant.
static int reserve(void *array, size_t size, uint16_t n, uint16_t *cap)
{
    void **at = array;

    if (n < *cap)
        return 0;
    uint16_t more = (uint16_t)(*cap ? *cap * 2 : 2);
    void *grown = realloc(*at, more * size);
    if (!grown)
        return -ENOMEM;
    *at = grown;
    *cap = more;
    return 0;
}

static unsigned below_position(const struct block *block, uint8_t byte)
{
    unsigned low = 0, high = block->n_below;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (block->below[middle]->key[block->depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct block **below_find(const struct block *block, uint8_t byte)
{
    unsigned at = below_position(block, byte);

    return at < block->n_below && block->below[at]->key[block->depth] == byte ? &block->below[at] : NULL;
}

// There is room.
static void below_add(struct block *block, struct block *child)
{
    unsigned at = below_position(block, child->key[block->depth]);

    assert(block->n_below < block->cap_below);
    memmove(&block->below[at + 1], &block->below[at], (block->n_below - at) * sizeof(*block->below));
    block->below[at] = child;
    block->n_below++;
}

static void below_remove(struct block *block, struct block **child)
{
    size_t at = (size_t)(child - block->below);

    block->n_below--;
    memmove(child, child + 1, (block->n_below - at) * sizeof(*block->below));
}

static unsigned own_position(const struct block *block, uint8_t bits, uint8_t byte)
{
    unsigned low = 0, high = block->n_own, wanted = bits * 256u + byte;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (block->own[middle].bits * 256u + block->own[middle].byte < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct own *own_find(const struct block *block, uint8_t bits, uint8_t byte)
{
    unsigned at = own_position(block, bits, byte);

    return at < block->n_own && block->own[at].bits == bits && block->own[at].byte == byte ? &block->own[at] : NULL;
}

// --- ways to a prefix ---

static struct family *family_of(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix)
{
    return prefix->family == VNRS_AF_IPV4 ? &trie->v4 : &trie->v6;
}

struct place { // of a prefix in its block
    const uint8_t *key;
    unsigned depth;
    uint8_t bits, byte;
};

static struct place place_of(const struct vnrs_prefix *prefix)
{
    unsigned depth = (prefix->len - 1u) / 8;

    return (struct place){
        .key = prefix->bytes, .depth = depth, .bits = (uint8_t)(prefix->len - 8 * depth), .byte = prefix->bytes[depth]};
}

static unsigned equal_bytes(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned n = 0;

    while (n < max && a[n] == b[n])
        n++;
    return n;
}

// How far the key of the block and that of the place agree, at most to the end of either.
static unsigned agreement(const struct block *block, const struct place *place)
{
    return equal_bytes(block->key, place->key, MIN(block->depth, place->depth));
}

// The block of the place; NULL: there is none.
static struct block *block_find(const struct family *family, const struct place *place)
{
    struct block *block = family->top, **next;

    while (block && agreement(block, place) == block->depth) {
        if (block->depth == place->depth)
            return block;
        next = below_find(block, place->key[block->depth]);
        block = next ? *next : NULL;
    }
    return NULL;
}

// Something changed in the block of the place, which exists: `more` prefixes came.
static void touch(struct vnrs_lpm_trie *trie, const struct family *family, const struct place *place, int more)
{
    struct block *block = family->top;

    trie->len += (size_t)more;
    for (;; block = *below_find(block, place->key[block->depth])) {
        block->dirty = true;
        block->n_all += (size_t)more;
        if (block->depth == place->depth)
            return;
    }
}

// A new block at the place, put between `*link` and what hangs there. Everything is got before anything changes.
static int block_insert(struct block **link, const struct place *place, struct block **ret_block)
{
    struct block *old = *link, *fork = NULL;
    unsigned depth = old ? agreement(old, place) : place->depth;

    struct block *block = block_new(place->key, place->depth);
    if (block && old) {
        fork = depth == place->depth ? block : block_new(place->key, depth);
        if (fork && (reserve(&fork->below, sizeof(*fork->below), 0, &fork->cap_below))) {
            if (fork != block)
                free(fork);
            fork = NULL;
        }
    }
    if (!block || (old && !fork)) {
        free(block);
        return -ENOMEM;
    }
    if (old) {
        fork->n_all = old->n_all;
        below_add(fork, old);
        if (fork != block)
            below_add(fork, block);
    }
    *link = old ? fork : block;
    *ret_block = block;
    return 0;
}

// The block of the place, which is made if there is none.
static int block_get(struct family *family, const struct place *place, struct block **ret_block)
{
    struct block **link = &family->top, **next;

    while (*link && agreement(*link, place) == (*link)->depth) {
        struct block *block = *link;
        if (block->depth == place->depth) {
            *ret_block = block;
            return 0;
        }
        next = below_find(block, place->key[block->depth]);
        if (!next) {
            struct block *made = NULL;
            int err = reserve(&block->below, sizeof(*block->below), block->n_below, &block->cap_below);
            if (!err)
                err = block_insert(&made, place, ret_block);
            if (!err)
                below_add(block, made);
            return err;
        }
        link = next;
    }
    return block_insert(link, place, ret_block);
}

// A block in which no prefix ends and no two part any more goes; then perhaps the one above.
static void tidy(struct vnrs_lpm_trie *trie, struct family *family, const struct place *place)
{
    struct block **way[17], **link = &family->top;
    unsigned n = 0;

    for (way[n++] = link; (*link)->depth < place->depth; way[n++] = link)
        link = below_find(*link, place->key[(*link)->depth]);
    while (n-- > 0) {
        struct block *block = *way[n];
        if (block->n_own || block->n_below > 1)
            return;
        if (block->n_below == 1)
            *way[n] = block->below[0];
        else if (n > 0)
            below_remove(*way[n - 1], way[n]);
        else
            *way[n] = NULL;
        block_free(trie->nodes, block);
    }
}

// --- prefixes ---

static int fallback_set(struct vnrs_lpm_trie *trie, struct family *family, uint32_t value, uint16_t mark)
{
    bool changed = family->fallback != value;

    trie->len += (size_t)!family->fallback;
    family->fallback = value;
    family->fallback_mark = mark;
    return changed;
}

int vnrs_lpm_trie_put(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix, uint32_t value, uint16_t mark)
{
    struct family *family = family_of(trie, prefix);
    struct block *block;

    assert(value && value <= VNRS_LPM_VALUE_MAX);
    if (prefix->len == 0)
        return fallback_set(trie, family, value, mark);
    struct place place = place_of(prefix);
    block = block_find(family, &place);
    struct own *own = block ? own_find(block, place.bits, place.byte) : NULL;
    if (own && own->value == value) {
        own->mark = mark;
        return 0;
    }
    if (own) {
        *own = (struct own){place.bits, place.byte, mark, value};
        touch(trie, family, &place, 0);
        return 1;
    }
    int err = block_get(family, &place, &block);
    if (!err)
        err = reserve(&block->own, sizeof(*block->own), block->n_own, &block->cap_own);
    if (err) {
        if (block_find(family, &place))
            tidy(trie, family, &place);
        return err;
    }
    unsigned at = own_position(block, place.bits, place.byte);
    memmove(&block->own[at + 1], &block->own[at], (block->n_own - at) * sizeof(*block->own));
    block->own[at] = (struct own){place.bits, place.byte, mark, value};
    block->n_own++;
    touch(trie, family, &place, 1);
    return 1;
}

static void own_remove(struct block *block, size_t at)
{
    block->n_own--;
    memmove(&block->own[at], &block->own[at + 1], (block->n_own - at) * sizeof(*block->own));
}

uint32_t vnrs_lpm_trie_get(const struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix)
{
    const struct family *family = prefix->family == VNRS_AF_IPV4 ? &trie->v4 : &trie->v6;

    if (prefix->len == 0)
        return family->fallback;
    struct place place = place_of(prefix);
    const struct block *block = block_find(family, &place);
    const struct own *own = block ? own_find(block, place.bits, place.byte) : NULL;
    return own ? own->value : 0;
}

int vnrs_lpm_trie_remove(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix)
{
    struct family *family = family_of(trie, prefix);

    if (prefix->len == 0) {
        bool was = family->fallback;
        trie->len -= was;
        family->fallback = 0;
        return was;
    }
    struct place place = place_of(prefix);
    struct block *block = block_find(family, &place);
    const struct own *own = block ? own_find(block, place.bits, place.byte) : NULL;
    if (!own)
        return 0;
    own_remove(block, (size_t)(own - block->own));
    touch(trie, family, &place, -1);
    tidy(trie, family, &place);
    return 1;
}

// Returns the block that is left of it, or NULL.
static struct block *sweep(struct vnrs_lpm_trie *trie, struct block *block, uint16_t mark, size_t *removed)
{
    size_t before = *removed;
    uint16_t kept = 0;

    for (size_t i = block->n_own; i-- > 0;) {
        if (block->own[i].mark != mark) {
            own_remove(block, i);
            ++*removed;
        }
    }
    for (uint16_t i = 0; i < block->n_below; i++) {
        struct block *left = sweep(trie, block->below[i], mark, removed);
        if (left)
            block->below[kept++] = left;
    }
    block->n_below = kept;
    block->n_all -= *removed - before;
    block->dirty |= *removed != before;
    if (block->n_own || block->n_below > 1)
        return block;
    struct block *left = block->n_below ? block->below[0] : NULL;
    block_free(trie->nodes, block);
    return left;
}

size_t vnrs_lpm_trie_sweep(struct vnrs_lpm_trie *trie, uint16_t mark)
{
    struct family *families[] = {&trie->v4, &trie->v6};
    size_t removed = 0;

    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        struct family *family = families[f];
        if (family->top)
            family->top = sweep(trie, family->top, mark, &removed);
        if (family->fallback && family->fallback_mark != mark) {
            family->fallback = 0;
            removed++;
        }
    }
    trie->len -= removed;
    return removed;
}

// --- nodes ---

static int build(struct vnrs_lpm_trie *trie, struct block *block, unsigned from, uint32_t inherited);

// What the values of the next byte get from this block alone.
static void own_values(const struct block *block, uint32_t inherited, uint32_t ret_values[static 256])
{
    for (unsigned b = 0; b < 256; b++)
        ret_values[b] = inherited;
    for (unsigned i = 0; i < block->n_own; i++) {
        const struct own *own = &block->own[i];
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
        struct block *block;
        uint32_t inherited;
    } leads[VNRS_LPM_RANGES_MAX];
    uint32_t n_leads;
};

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
static uint64_t flat_start(const struct flat *flat, const struct block *block)
{
    uint64_t start = 0;

    for (unsigned b = 0; b < FLAT_BYTES; b++)
        start = start << 8 | (flat->depth + b < block->depth ? block->key[flat->depth + b] : 0);
    return start;
}

static bool flatten(struct vnrs_lpm_trie *trie, struct flat *flat, struct block *block, uint32_t inherited);

static bool flatten_below(struct vnrs_lpm_trie *trie, struct flat *flat, struct block *below, uint32_t inherited)
{
    uint64_t from = flat_start(flat, below);

    if (from && !flat_add(flat, from - 1, inherited))
        return false;
    if (below->depth < flat->depth + FLAT_BYTES)
        return flatten(trie, flat, below, inherited);
    if (flat->n_leads == ARRAY_SIZE(flat->leads))
        return false;
    flat->leads[flat->n_leads].block = below;
    flat->leads[flat->n_leads].inherited = inherited;
    return flat_add(flat, from, VNRS_LPM_ENTRY(VNRS_LPM_SKIP, flat->n_leads++));
}

static void entry_forget(struct vnrs_lpm_trie *trie, struct block *block)
{
    vnrs_lpm_nodes_unref(trie->nodes, block->entry);
    block->entry = 0;
    block->dirty = true;
}

static bool flatten(struct vnrs_lpm_trie *trie, struct flat *flat, struct block *block, uint32_t inherited)
{
    uint64_t start = flat_start(flat, block), end;
    unsigned shift = 8 * (FLAT_BYTES - 1 - (block->depth - flat->depth));
    uint32_t values[256];
    bool fits = true;

    own_values(block, inherited, values);
    for (unsigned b = 0, i = 0; b < 256 && fits; b++) {
        end = start | (uint64_t)b << shift | ((1ull << shift) - 1);
        if (i < block->n_below && block->below[i]->key[block->depth] == b) {
            struct block *below = block->below[i++];
            fits = flatten_below(trie, flat, below, values[b]);
            if (below->depth < flat->depth + FLAT_BYTES)
                entry_forget(trie, below); // it needs no node of its own
        }
        fits = fits && flat_add(flat, end, values[b]);
    }
    return fits;
}

// The nodes that the ranges lead to; then neighbours may be the same after all.
static int flat_build_leads(struct vnrs_lpm_trie *trie, struct flat *flat)
{
    struct vnrs_lpm_ranges merged = {0}, *ranges = &flat->ranges;

    for (uint32_t r = 0; r < ranges->n; r++) {
        uint32_t entry = ranges->entry[r], lead = VNRS_LPM_INDEX(entry);
        if (VNRS_LPM_KIND(entry) != VNRS_LPM_LEAF) {
            struct block *block = flat->leads[lead].block;
            int err = build(trie, block, flat->depth + FLAT_BYTES, flat->leads[lead].inherited);
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
static int build_flat(struct vnrs_lpm_trie *trie, struct block *block, unsigned from, uint32_t inherited,
                      uint32_t *ret_entry)
{
    struct flat flat = {.depth = from};

    if (block->n_all > VNRS_LPM_RANGES_MAX || block->depth >= from + FLAT_BYTES)
        return 1;
    if (!flatten_below(trie, &flat, block, inherited) || !flat_add(&flat, UINT32_MAX, inherited))
        return 1;
    int err = flat_build_leads(trie, &flat);
    return err ? err : vnrs_lpm_nodes_ranges(trie->nodes, &flat.ranges, ret_entry);
}

// A node for the next byte.
static int build_stride(struct vnrs_lpm_trie *trie, struct block *block, uint32_t inherited, uint32_t *ret_entry)
{
    uint32_t entries[256];

    own_values(block, inherited, entries);
    for (unsigned i = 0; i < block->n_below; i++) {
        struct block *below = block->below[i];
        uint32_t *at = &entries[below->key[block->depth]];
        int err = build(trie, below, block->depth + 1u, *at);
        if (err)
            return err;
        *at = below->entry;
    }
    return vnrs_lpm_nodes_stride(trie->nodes, entries, ret_entry);
}

// Past the bytes that all below have in common, and then what they lead to.
static int build_skip(struct vnrs_lpm_trie *trie, struct block *block, unsigned from, uint32_t inherited,
                      uint32_t *ret_entry)
{
    uint32_t entry;
    int err = build_flat(trie, block, block->depth, inherited, &entry);

    if (err > 0)
        err = build_stride(trie, block, inherited, &entry);
    if (err)
        return err;
    err = vnrs_lpm_nodes_skip(trie->nodes, block->key + from, 8 * (block->depth - from), entry, inherited, ret_entry);
    if (err)
        vnrs_lpm_nodes_unref(trie->nodes, entry);
    return err;
}

// A single prefix: one comparison.
static int build_single(struct vnrs_lpm_trie *trie, const struct block *block, unsigned from, uint32_t inherited,
                        uint32_t *ret_entry)
{
    const struct own *own = block->own;
    uint8_t key[16];

    memcpy(key, block->key, block->depth);
    key[block->depth] = own->byte;
    return vnrs_lpm_nodes_skip(trie->nodes, key + from, 8 * (block->depth - from) + own->bits, own->value, inherited,
                               ret_entry);
}

static int build(struct vnrs_lpm_trie *trie, struct block *block, unsigned from, uint32_t inherited)
{
    uint32_t entry = 0;

    if (!block->dirty && block->from == from && block->inherited == inherited)
        return 0;
    int err = build_flat(trie, block, from, inherited, &entry);
    if (err > 0)
        err = block->n_all == 1 ? build_single(trie, block, from, inherited, &entry)
                                : build_skip(trie, block, from, inherited, &entry);
    if (err)
        return err;
    vnrs_lpm_nodes_unref(trie->nodes, block->entry);
    block->entry = entry;
    block->from = (uint8_t)from;
    block->inherited = inherited;
    block->dirty = false;
    return 0;
}

static int build_root(struct vnrs_lpm_trie *trie, const struct family *family, struct vnrs_lpm_root *ret_root)
{
    struct vnrs_lpm_root root = {.fallback = family->fallback};

    if (family->top) {
        int err = build(trie, family->top, 0, 0);
        if (err)
            return err;
        root.entry = family->top->entry;
        vnrs_lpm_nodes_ref(trie->nodes, root.entry);
    }
    *ret_root = root;
    return 0;
}

int vnrs_lpm_trie_build(struct vnrs_lpm_trie *trie, struct vnrs_lpm_table *ret_table)
{
    struct vnrs_lpm_table table;

    int err = build_root(trie, &trie->v4, &table.v4);
    if (err)
        return err;
    err = build_root(trie, &trie->v6, &table.v6);
    if (err) {
        vnrs_lpm_nodes_unref(trie->nodes, table.v4.entry);
        return err;
    }
    *ret_table = table;
    return 0;
}

// --- life ---

int vnrs_lpm_trie_new(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_trie **ret_trie)
{
    struct vnrs_lpm_trie *trie = calloc(1, sizeof(*trie));

    if (!trie)
        return -ENOMEM;
    trie->nodes = nodes;
    *ret_trie = trie;
    return 0;
}

static void free_all(struct vnrs_lpm_nodes *nodes, struct block *block)
{
    for (unsigned i = 0; i < block->n_below; i++)
        free_all(nodes, block->below[i]);
    block_free(nodes, block);
}

struct vnrs_lpm_trie *vnrs_lpm_trie_free(struct vnrs_lpm_trie *trie)
{
    if (!trie)
        return NULL;
    if (trie->v4.top)
        free_all(trie->nodes, trie->v4.top);
    if (trie->v6.top)
        free_all(trie->nodes, trie->v6.top);
    free(trie);
    return NULL;
}

size_t vnrs_lpm_trie_len(const struct vnrs_lpm_trie *trie)
{
    return trie->len;
}
