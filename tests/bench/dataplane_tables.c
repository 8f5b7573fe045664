// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane_tables.h"

#include <stdlib.h>
#include <string.h>

// A binary trie: simple, and all that the builders need.
struct bit {
    uint32_t below[2]; // 0: none
    uint32_t value;    // 0: no route ends here
};

struct bench_set {
    struct bench_array bits; // of struct bit; the first is the root
};

// --- arrays ---

static uint32_t array_add(struct bench_array *array, size_t n)
{
    uint32_t first = (uint32_t)array->n;

    if (array->n + n > array->cap) {
        array->cap = array->cap * 2 > array->n + n ? array->cap * 2 : array->n + n;
        array->at = realloc(array->at, array->cap * array->size);
        if (!array->at)
            abort();
    }
    memset((char *)array->at + array->n * array->size, 0, n * array->size);
    array->n += n;
    return first;
}

static void *array_at(const struct bench_array *array, size_t index)
{
    return (char *)array->at + index * array->size;
}

void bench_array_free(struct bench_array *array)
{
    free(array->at);
    *array = (struct bench_array){0};
}

// --- routes ---

struct bench_set *bench_set_new(void)
{
    struct bench_set *set = calloc(1, sizeof(*set));

    if (!set)
        abort();
    set->bits.size = sizeof(struct bit);
    (void)array_add(&set->bits, 1);
    return set;
}

void bench_set_free(struct bench_set *set)
{
    bench_array_free(&set->bits);
    free(set);
}

static struct bit *bit_at(const struct bench_set *set, uint32_t index)
{
    return array_at(&set->bits, index);
}

void bench_set_add(struct bench_set *set, uint64_t high, uint64_t low, unsigned len, uint32_t value)
{
    uint32_t at = 0;

    for (unsigned i = 0; i < len; i++) {
        unsigned side = (unsigned)((i < 64 ? high >> (63 - i) : low >> (127 - i)) & 1);
        uint32_t next = bit_at(set, at)->below[side];
        if (!next) {
            next = array_add(&set->bits, 1);
            bit_at(set, at)->below[side] = next;
        }
        at = next;
    }
    bit_at(set, at)->value = value;
}

struct place {
    uint32_t bit;   // 0: nothing below
    uint32_t value; // of the longest prefix down to here
};

// `n` bits further.
static struct place descend(const struct bench_set *set, struct place place, uint32_t path, unsigned n)
{
    for (unsigned i = n; i-- > 0;) {
        place.bit = bit_at(set, place.bit)->below[path >> i & 1];
        if (!place.bit)
            return place;
        if (bit_at(set, place.bit)->value)
            place.value = bit_at(set, place.bit)->value;
    }
    return place;
}

static struct place root_of(const struct bench_set *set)
{
    return (struct place){.bit = 0, .value = bit_at(set, 0)->value};
}

// Do longer prefixes begin here?
static int has_more(const struct bench_set *set, struct place place)
{
    const struct bit *bit = bit_at(set, place.bit);

    return place.bit && (bit->below[0] || bit->below[1]);
}

// --- plain ---

static uint32_t plain_node(const struct bench_set *set, struct place place, struct bench_array *nodes)
{
    uint32_t node = array_add(nodes, 1);

    for (uint32_t b = 0; b < 256; b++) {
        struct place next = descend(set, place, b, 8);
        uint32_t entry = has_more(set, next) ? BENCH_NODE | plain_node(set, next, nodes) : next.value;
        ((struct bench_plain_node *)array_at(nodes, node))->entry[b] = entry;
    }
    return node;
}

void bench_plain_build(const struct bench_set *set, struct bench_array *ret_nodes)
{
    *ret_nodes = (struct bench_array){.size = sizeof(struct bench_plain_node)};
    (void)plain_node(set, root_of(set), ret_nodes);
}

// --- ranges ---

static void range_add(struct bench_array *ranges, size_t first, uint64_t high, uint64_t low, uint32_t value)
{
    if (ranges->n > first && ((struct bench_search_range *)array_at(ranges, ranges->n - 1))->value == value)
        return;
    uint32_t index = array_add(ranges, 1);
    *(struct bench_search_range *)array_at(ranges, index) =
        (struct bench_search_range){.high = high, .low = low, .value = value};
}

static void ranges_below(const struct bench_set *set, struct place place, unsigned depth, uint64_t high, uint64_t low,
                         struct bench_array *ranges)
{
    const struct bit bit = *bit_at(set, place.bit);

    if (bit.value)
        place.value = bit.value;
    if (!bit.below[0] && !bit.below[1]) {
        range_add(ranges, 1, high, low, place.value);
        return;
    }
    for (unsigned side = 0; side < 2; side++) {
        if (side && depth < 64)
            high |= 1ull << (63 - depth);
        else if (side)
            low |= 1ull << (127 - depth);
        if (bit.below[side])
            ranges_below(set, (struct place){bit.below[side], place.value}, depth + 1, high, low, ranges);
        else
            range_add(ranges, 1, high, low, place.value);
    }
}

void bench_search_build(const struct bench_set *set, struct bench_array *ret_ranges)
{
    *ret_ranges = (struct bench_array){.size = sizeof(struct bench_search_range)};
    (void)array_add(ret_ranges, 1);
    ranges_below(set, root_of(set), 0, 0, 0, ret_ranges);
    ((struct bench_search_range *)ret_ranges->at)->value = (uint32_t)ret_ranges->n - 1;
}

// --- DXR ---

void bench_dxr_build(const struct bench_set *set, struct bench_array *ret_root, struct bench_array *ret_ranges)
{
    struct bench_array all;
    uint32_t value = 0;
    size_t i = 1;

    bench_search_build(set, &all);
    *ret_root = (struct bench_array){.size = sizeof(struct bench_dxr_root)};
    *ret_ranges = (struct bench_array){.size = sizeof(struct bench_dxr_range)};
    (void)array_add(ret_root, 65536);
    for (uint32_t chunk = 0; chunk < 65536; chunk++) {
        struct bench_dxr_root *root = array_at(ret_root, chunk);
        const struct bench_search_range *range = array_at(&all, i);
        root->first = (uint32_t)ret_ranges->n;
        if (i >= all.n || range->high != (uint64_t)chunk << 48) { // the range before reaches into this chunk
            uint32_t index = array_add(ret_ranges, 1);
            *(struct bench_dxr_range *)array_at(ret_ranges, index) = (struct bench_dxr_range){0, value};
        }
        for (; i < all.n && (range = array_at(&all, i))->high >> 48 == chunk; i++) {
            uint32_t index = array_add(ret_ranges, 1);
            value = range->value;
            *(struct bench_dxr_range *)array_at(ret_ranges, index) =
                (struct bench_dxr_range){(uint32_t)(range->high >> 32 & 0xffff), value};
        }
        root->n = (uint32_t)ret_ranges->n - root->first;
    }
    bench_array_free(&all);
}

// --- poptrie ---

static void pop_fill(const struct bench_set *set, struct place place, uint32_t index, struct bench_array *nodes,
                     struct bench_array *leaves)
{
    struct bench_pop_node node = {.first_leaf = (uint32_t)leaves->n};
    struct place below[64];
    unsigned n_below = 0;
    uint32_t last = 0;

    for (uint32_t v = 0; v < 64; v++) {
        struct place next = descend(set, place, v, 6);
        if (has_more(set, next)) {
            node.below |= 1ull << v;
            below[n_below++] = next;
        } else if (!node.leaves || next.value != last) {
            node.leaves |= 1ull << v;
            last = next.value;
            uint32_t leaf = array_add(leaves, 1);
            *(uint64_t *)array_at(leaves, leaf) = next.value;
        }
    }
    if (n_below)
        node.first_below = array_add(nodes, n_below);
    *(struct bench_pop_node *)array_at(nodes, index) = node;
    for (unsigned i = 0; i < n_below; i++)
        pop_fill(set, below[i], node.first_below + i, nodes, leaves);
}

void bench_pop_build(const struct bench_set *set, struct bench_array *ret_root, struct bench_array *ret_nodes,
                     struct bench_array *ret_leaves)
{
    *ret_root = (struct bench_array){.size = sizeof(uint64_t)};
    *ret_nodes = (struct bench_array){.size = sizeof(struct bench_pop_node)};
    *ret_leaves = (struct bench_array){.size = sizeof(uint64_t)};
    (void)array_add(ret_root, 65536);
    (void)array_add(ret_nodes, 1);
    (void)array_add(ret_leaves, 1);
    for (uint32_t chunk = 0; chunk < 65536; chunk++) {
        struct place place = descend(set, root_of(set), chunk, 16);
        uint64_t *root = array_at(ret_root, chunk);
        *root = place.value;
        if (!has_more(set, place))
            continue;
        uint32_t node = array_add(ret_nodes, 1);
        *root = BENCH_NODE | node;
        pop_fill(set, place, node, ret_nodes, ret_leaves);
    }
}
