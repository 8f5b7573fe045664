// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/lpm_trie.h"

#include "fib/lpm_build.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

// From the top down to the block that was asked for last. Who asks about a prefix often goes on to change it, and
// tables come in order, so the next question mostly is about the same block.
struct way {
    struct vnrs_lpm_block *blocks[16]; // a block for each byte at most
    unsigned n;                        // 0: nothing, or blocks came or went since
};

struct family {
    struct vnrs_lpm_block *top;
    struct way way;
    struct vnrs_lpm_entry fallback; // of the prefix of length 0; value 0: none
};

struct vnrs_lpm_trie {
    struct vnrs_lpm_nodes *nodes;
    struct family v4, v6;
    size_t len;
};

// --- blocks ---

static struct vnrs_lpm_block *block_new(const uint8_t *key, unsigned depth)
{
    struct vnrs_lpm_block *block = calloc(1, sizeof(*block));

    if (!block)
        return NULL;
    memcpy(block->key, key, depth);
    block->depth = (uint8_t)depth;
    block->dirty = true;
    return block;
}

// Not those below.
static void block_free(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_block *block)
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

// Where no instruction may be used for it, the compiler calls a function that is slower.
static unsigned bits_set(uint64_t word)
{
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (unsigned)(word * 0x0101010101010101 >> 56);
}

// How many of the blocks below come before this byte.
static unsigned below_position(const struct vnrs_lpm_block *block, uint8_t byte)
{
    unsigned n = bits_set(block->has_below[byte / 64] & ((1ull << byte % 64) - 1));

    for (unsigned word = 0; word < byte / 64u; word++)
        n += bits_set(block->has_below[word]);
    return n;
}

static struct vnrs_lpm_block **below_find(const struct vnrs_lpm_block *block, uint8_t byte)
{
    if (!(block->has_below[byte / 64] >> byte % 64 & 1))
        return NULL;
    return &block->below[below_position(block, byte)];
}

// There is room.
static void below_add(struct vnrs_lpm_block *block, struct vnrs_lpm_block *child)
{
    uint8_t byte = child->key[block->depth];
    unsigned at = below_position(block, byte);

    assert(block->below && block->n_below < block->cap_below);
    memmove(&block->below[at + 1], &block->below[at], (block->n_below - at) * sizeof(*block->below));
    block->below[at] = child;
    block->n_below++;
    block->has_below[byte / 64] |= 1ull << byte % 64;
}

static void below_remove(struct vnrs_lpm_block *block, struct vnrs_lpm_block **child)
{
    uint8_t byte = (*child)->key[block->depth];
    size_t at = (size_t)(child - block->below);

    block->n_below--;
    memmove(child, child + 1, (block->n_below - at) * sizeof(*block->below));
    block->has_below[byte / 64] &= ~(1ull << byte % 64);
}

static unsigned own_position(const struct vnrs_lpm_block *block, uint8_t bits, uint8_t byte)
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

static bool own_is_at(const struct vnrs_lpm_block *block, unsigned at, uint8_t bits, uint8_t byte)
{
    return at < block->n_own && block->own[at].bits == bits && block->own[at].byte == byte;
}

static struct vnrs_lpm_own *own_find(const struct vnrs_lpm_block *block, uint8_t bits, uint8_t byte)
{
    unsigned at = own_position(block, bits, byte);

    return own_is_at(block, at, bits, byte) ? &block->own[at] : NULL;
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
static unsigned agreement(const struct vnrs_lpm_block *block, const struct place *place)
{
    return equal_bytes(block->key, place->key, MIN(block->depth, place->depth));
}

// Is it the block that the way leads to?
static bool way_leads_to(const struct way *way, const struct place *place)
{
    const struct vnrs_lpm_block *last = way->n ? way->blocks[way->n - 1] : NULL;

    return last && last->depth == place->depth && memcmp(last->key, place->key, place->depth) == 0;
}

// The block of the place, to which the way leads then; NULL: there is none.
static struct vnrs_lpm_block *block_find(struct family *family, const struct place *place)
{
    struct vnrs_lpm_block *block = family->top, **next;
    struct way *way = &family->way;

    if (way_leads_to(way, place))
        return way->blocks[way->n - 1];
    way->n = 0;
    while (block && agreement(block, place) == block->depth) {
        way->blocks[way->n++] = block;
        if (block->depth == place->depth)
            return block;
        next = below_find(block, place->key[block->depth]);
        block = next ? *next : NULL;
    }
    way->n = 0;
    return NULL;
}

// Something changed in the block that the way leads to: `more` prefixes came.
static void touch(struct vnrs_lpm_trie *trie, const struct way *way, int more)
{
    trie->len += (size_t)more;
    for (unsigned i = 0; i < way->n; i++) {
        way->blocks[i]->dirty = true;
        way->blocks[i]->n_all += (size_t)more;
    }
}

// A new block at the place, put between `*link` and what hangs there. Everything is got before anything changes.
static int block_insert(struct vnrs_lpm_block **link, const struct place *place)
{
    struct vnrs_lpm_block *old = *link, *fork = NULL;
    unsigned depth = old ? agreement(old, place) : place->depth;

    struct vnrs_lpm_block *block = block_new(place->key, place->depth);
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
    return 0;
}

// A block for the place, where there is none.
static int block_make(struct family *family, const struct place *place)
{
    struct vnrs_lpm_block **link = &family->top, **next, *made;

    family->way.n = 0;
    while (*link && agreement(*link, place) == (*link)->depth) {
        struct vnrs_lpm_block *block = *link;
        next = below_find(block, place->key[block->depth]);
        if (!next) {
            int err = reserve(&block->below, sizeof(*block->below), block->n_below, &block->cap_below);
            made = NULL;
            if (!err)
                err = block_insert(&made, place);
            if (!err)
                below_add(block, made);
            return err;
        }
        link = next;
    }
    return block_insert(link, place);
}

// A block in which no prefix ends and no two part any more goes; then perhaps the one above.
static void tidy(struct vnrs_lpm_trie *trie, struct family *family, const struct place *place)
{
    struct vnrs_lpm_block **way[17], **link = &family->top;
    unsigned n = 0;

    family->way.n = 0;
    for (way[n++] = link; (*link)->depth < place->depth; way[n++] = link)
        link = below_find(*link, place->key[(*link)->depth]);
    while (n-- > 0) {
        struct vnrs_lpm_block *block = *way[n];
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

static struct vnrs_lpm_own own_make(const struct place *place, const struct vnrs_lpm_entry *entry)
{
    return (struct vnrs_lpm_own){place->bits, place->byte, entry->mark, entry->value, entry->owner};
}

static struct vnrs_lpm_entry own_entry(const struct vnrs_lpm_own *own)
{
    return (struct vnrs_lpm_entry){.value = own->value, .owner = own->owner, .mark = own->mark};
}

static int fallback_put(struct vnrs_lpm_trie *trie, struct family *family, const struct vnrs_lpm_entry *entry)
{
    uint32_t before = family->fallback.value;

    trie->len += before == 0;
    family->fallback = *entry;
    return before != entry->value;
}

// Room for one more at this position.
static int own_insert(struct vnrs_lpm_block *block, unsigned at)
{
    int err = reserve(&block->own, sizeof(*block->own), block->n_own, &block->cap_own);

    if (err)
        return err;
    memmove(&block->own[at + 1], &block->own[at], (block->n_own - at) * sizeof(*block->own));
    block->n_own++;
    return 0;
}

int vnrs_lpm_trie_put(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix, const struct vnrs_lpm_entry *entry)
{
    struct family *family = family_of(trie, prefix);

    assert(entry->value && entry->value <= VNRS_LPM_VALUE_MAX);
    if (prefix->len == 0)
        return fallback_put(trie, family, entry);
    struct place place = place_of(prefix);
    struct vnrs_lpm_block *block = block_find(family, &place);
    int err = block ? 0 : block_make(family, &place);
    if (err)
        return err;
    block = block_find(family, &place);
    unsigned at = own_position(block, place.bits, place.byte);
    bool added = !own_is_at(block, at, place.bits, place.byte);
    if (added && (err = own_insert(block, at))) {
        tidy(trie, family, &place);
        return err;
    }
    bool changed = added || block->own[at].value != entry->value;
    block->own[at] = own_make(&place, entry);
    if (changed)
        touch(trie, &family->way, added);
    return changed;
}

static void own_remove(struct vnrs_lpm_block *block, size_t at)
{
    block->n_own--;
    memmove(&block->own[at], &block->own[at + 1], (block->n_own - at) * sizeof(*block->own));
}

bool vnrs_lpm_trie_get(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix, struct vnrs_lpm_entry *ret_entry)
{
    struct family *family = family_of(trie, prefix);

    if (prefix->len == 0) {
        if (family->fallback.value)
            *ret_entry = family->fallback;
        return family->fallback.value;
    }
    struct place place = place_of(prefix);
    const struct vnrs_lpm_block *block = block_find(family, &place);
    const struct vnrs_lpm_own *own = block ? own_find(block, place.bits, place.byte) : NULL;
    if (own)
        *ret_entry = own_entry(own);
    return own;
}

int vnrs_lpm_trie_remove(struct vnrs_lpm_trie *trie, const struct vnrs_prefix *prefix)
{
    struct family *family = family_of(trie, prefix);

    if (prefix->len == 0) {
        bool was = family->fallback.value;
        trie->len -= was;
        family->fallback.value = 0;
        return was;
    }
    struct place place = place_of(prefix);
    struct vnrs_lpm_block *block = block_find(family, &place);
    const struct vnrs_lpm_own *own = block ? own_find(block, place.bits, place.byte) : NULL;
    if (!own)
        return 0;
    own_remove(block, (size_t)(own - block->own));
    touch(trie, &family->way, -1);
    tidy(trie, family, &place);
    return 1;
}

struct change {
    struct vnrs_lpm_trie *trie;
    vnrs_lpm_entry_fn fn;
    void *arg;
    uint8_t family;
    size_t changed, removed;
};

// Returns false when the entry is to go.
static bool change_one(struct change *change, struct vnrs_lpm_entry *entry)
{
    uint32_t before = entry->value;

    change->fn(change->family, entry, change->arg);
    change->changed += entry->value != before;
    change->removed += entry->value == 0;
    return entry->value;
}

// Returns the block that is left of it, or NULL.
static struct vnrs_lpm_block *change_block(struct change *change, struct vnrs_lpm_block *block)
{
    size_t changed = change->changed, removed = change->removed;
    uint16_t kept = 0;

    for (size_t i = block->n_own; i-- > 0;) {
        struct vnrs_lpm_own *own = &block->own[i];
        struct vnrs_lpm_entry entry = own_entry(own);
        if (change_one(change, &entry))
            *own = (struct vnrs_lpm_own){own->bits, own->byte, entry.mark, entry.value, entry.owner};
        else
            own_remove(block, i);
    }
    for (uint16_t i = 0; i < block->n_below; i++) {
        uint8_t byte = block->below[i]->key[block->depth];
        struct vnrs_lpm_block *left = change_block(change, block->below[i]);
        if (left)
            block->below[kept++] = left;
        else
            block->has_below[byte / 64] &= ~(1ull << byte % 64);
    }
    block->n_below = kept;
    block->n_all -= change->removed - removed;
    block->dirty |= change->changed != changed;
    if (block->n_own || block->n_below > 1)
        return block;
    struct vnrs_lpm_block *left = block->n_below ? block->below[0] : NULL;
    block_free(change->trie->nodes, block);
    return left;
}

static void change_family(struct change *change, struct family *family)
{
    family->way.n = 0;
    if (family->top)
        family->top = change_block(change, family->top);
    if (family->fallback.value)
        (void)change_one(change, &family->fallback);
}

size_t vnrs_lpm_trie_change(struct vnrs_lpm_trie *trie, vnrs_lpm_entry_fn fn, void *arg)
{
    struct change change = {.trie = trie, .fn = fn, .arg = arg, .family = VNRS_AF_IPV4};

    change_family(&change, &trie->v4);
    change.family = VNRS_AF_IPV6;
    change_family(&change, &trie->v6);
    trie->len -= change.removed;
    return change.changed;
}

// --- nodes ---

static int build_root(struct vnrs_lpm_trie *trie, const struct family *family, struct vnrs_lpm_root *ret_root)
{
    struct vnrs_lpm_root root = {.fallback = family->fallback.value};

    if (family->top) {
        int err = vnrs_lpm_build(trie->nodes, family->top, 0, 0);
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

static void free_all(struct vnrs_lpm_nodes *nodes, struct vnrs_lpm_block *block)
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
