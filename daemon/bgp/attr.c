// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/attr.h"

#include "bgp/attr_wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

// Open addressing with linear probing; removal shifts back, so there are no tombstones. Tags are kept apart from the
// pointers: a probe reads the sets themselves only when 32 bits of the hash agree. Tag 0 marks a free slot.
struct vnrs_bgp_attr_table {
    uint32_t *tags;
    struct vnrs_bgp_attrs **sets;
    size_t cap, len;
    uint64_t seed; // a peer chooses the contents, not the slots they meet in
};

#define TABLE_MIN 64u

struct vnrs_bgp_attr_table *vnrs_bgp_attr_table_new(void)
{
    struct vnrs_bgp_attr_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->tags = calloc(TABLE_MIN, sizeof(uint32_t));
    table->sets = calloc(TABLE_MIN, sizeof(struct vnrs_bgp_attrs *));
    if (!table->tags || !table->sets) {
        vnrs_bgp_attr_table_free(table);
        return NULL;
    }
    table->cap = TABLE_MIN;
    table->seed = (uint64_t)(uintptr_t)table * 0x9e3779b97f4a7c15u;
    return table;
}

void vnrs_bgp_attr_table_free(struct vnrs_bgp_attr_table *table)
{
    if (!table)
        return;
    assert(table->len == 0);
    free(table->tags);
    free(table->sets);
    free(table);
}

size_t vnrs_bgp_attr_table_len(const struct vnrs_bgp_attr_table *table)
{
    return table->len;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    __uint128_t product = (__uint128_t)(h ^ v ^ 0xa0761d6478bd642fu) * (v ^ 0xe7037ed1a0b428dbu ^ (h << 32 | h >> 32));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t mix_bytes(uint64_t h, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t v;

    h = mix(h, len);
    for (; len >= sizeof(v); len -= sizeof(v), p += sizeof(v)) {
        memcpy(&v, p, sizeof(v));
        h = mix(h, v);
    }
    v = 0;
    if (len) {
        memcpy(&v, p, len);
        h = mix(h, v);
    }
    return h;
}

// The arrays of a set, as one list, so that hashing, comparing and copying cannot disagree about what a set is.
struct array {
    const void *bytes;
    size_t len;
};
enum { N_ARRAYS = 6 };

static void attrs_arrays(const struct vnrs_bgp_attrs *a, struct array out[static N_ARRAYS])
{
    out[0] = (struct array){a->communities, a->n_communities * sizeof(uint32_t)}; // first: keeps its alignment
    out[1] = (struct array){a->as_path, a->as_path_bytes};
    out[2] = (struct array){a->ext_communities, a->n_ext_communities * 8u};
    out[3] = (struct array){a->large_communities, a->n_large_communities * 12u};
    out[4] = (struct array){a->unknown, a->unknown_bytes};
    out[5] = (struct array){a->clusters, a->n_clusters * 4u};
}

// Values whose presence bit is off do not count.
static struct vnrs_bgp_attrs attrs_normal(const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_bgp_attrs a = *attrs;

    if (!(a.has & VNRS_BGP_HAS_MED))
        a.med = 0;
    if (!(a.has & VNRS_BGP_HAS_LOCAL_PREF))
        a.local_pref = 0;
    if (!(a.has & VNRS_BGP_HAS_AGGREGATOR)) {
        a.aggregator_asn = 0;
        a.aggregator = (struct vnrs_addr){0};
    }
    return a;
}

static uint64_t attrs_hash(const struct vnrs_bgp_attrs *a, uint64_t seed)
{
    struct array arrays[N_ARRAYS];
    uint64_t h = mix(seed, (uint64_t)a->origin << 8 | a->has);

    h = mix(h, (uint64_t)a->med << 32 | a->local_pref);
    h = mix(h, (uint64_t)a->originator_id << 32 | a->aggregator_asn);
    h = mix_bytes(h, &a->aggregator, sizeof(a->aggregator));
    h = mix_bytes(h, &a->nexthop, sizeof(a->nexthop));
    h = mix_bytes(h, &a->nexthop_link_local, sizeof(a->nexthop_link_local));
    attrs_arrays(a, arrays);
    for (size_t i = 0; i < N_ARRAYS; i++)
        h = mix_bytes(h, arrays[i].bytes, arrays[i].len);
    return h;
}

static bool attrs_equal(const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b)
{
    struct array in_a[N_ARRAYS], in_b[N_ARRAYS];

    if (a->origin != b->origin || a->has != b->has || a->med != b->med || a->local_pref != b->local_pref ||
        a->aggregator_asn != b->aggregator_asn || a->originator_id != b->originator_id ||
        memcmp(&a->aggregator, &b->aggregator, sizeof(a->aggregator)) != 0 ||
        memcmp(&a->nexthop, &b->nexthop, sizeof(a->nexthop)) != 0 ||
        memcmp(&a->nexthop_link_local, &b->nexthop_link_local, sizeof(a->nexthop_link_local)) != 0)
        return false;
    attrs_arrays(a, in_a);
    attrs_arrays(b, in_b);
    for (size_t i = 0; i < N_ARRAYS; i++) {
        if (in_a[i].len != in_b[i].len || (in_a[i].len && memcmp(in_a[i].bytes, in_b[i].bytes, in_a[i].len) != 0))
            return false;
    }
    return true;
}

static uint32_t hash_tag(uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    return tag ? tag : 1;
}

// The slot of the equal set, or the free slot where it belongs.
static size_t table_slot(const struct vnrs_bgp_attr_table *table, const struct vnrs_bgp_attrs *attrs, uint64_t hash)
{
    uint32_t tag = hash_tag(hash);
    size_t i = tag & (table->cap - 1);

    while (table->tags[i]) {
        if (table->tags[i] == tag && table->sets[i]->hash == hash && attrs_equal(table->sets[i], attrs))
            break;
        i = (i + 1) & (table->cap - 1);
    }
    return i;
}

static int table_grow(struct vnrs_bgp_attr_table *table)
{
    size_t cap = table->cap * 2;
    uint32_t *tags = calloc(cap, sizeof(*tags));
    struct vnrs_bgp_attrs **sets = calloc(cap, sizeof(struct vnrs_bgp_attrs *));

    if (!tags || !sets) {
        free(tags);
        free(sets);
        return -ENOMEM;
    }
    for (size_t old = 0; old < table->cap; old++) {
        if (!table->tags[old])
            continue;
        size_t i = table->tags[old] & (cap - 1);
        while (tags[i])
            i = (i + 1) & (cap - 1);
        tags[i] = table->tags[old];
        sets[i] = table->sets[old];
    }
    free(table->tags);
    free(table->sets);
    table->tags = tags;
    table->sets = sets;
    table->cap = cap;
    return 0;
}

static void table_remove(struct vnrs_bgp_attr_table *table, size_t hole)
{
    size_t mask = table->cap - 1;

    for (size_t i = (hole + 1) & mask; table->tags[i]; i = (i + 1) & mask) {
        size_t home = table->tags[i] & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; // would leave the run that starts at its home
        table->tags[hole] = table->tags[i];
        table->sets[hole] = table->sets[i];
        hole = i;
    }
    table->tags[hole] = 0;
    table->sets[hole] = NULL;
    table->len--;
}

static struct vnrs_bgp_attrs *attrs_copy(const struct vnrs_bgp_attrs *attrs)
{
    struct array arrays[N_ARRAYS];
    const uint8_t *placed[N_ARRAYS];
    size_t size = sizeof(*attrs);

    attrs_arrays(attrs, arrays);
    for (size_t i = 0; i < N_ARRAYS; i++)
        size += arrays[i].len;
    uint8_t *memory = malloc(size);
    if (!memory)
        return NULL;
    uint8_t *at = memory + sizeof(*attrs);
    for (size_t i = 0; i < N_ARRAYS; i++) {
        placed[i] = arrays[i].len ? at : NULL;
        if (arrays[i].len)
            memcpy(at, arrays[i].bytes, arrays[i].len);
        at += arrays[i].len;
    }
    struct vnrs_bgp_attrs *copy = (struct vnrs_bgp_attrs *)(void *)memory;
    *copy = *attrs;
    copy->communities = (const uint32_t *)(const void *)placed[0];
    copy->as_path = placed[1];
    copy->ext_communities = placed[2];
    copy->large_communities = placed[3];
    copy->unknown = placed[4];
    copy->clusters = placed[5];
    return copy;
}

const struct vnrs_bgp_attrs *vnrs_bgp_attrs_intern(struct vnrs_bgp_attr_table *table,
                                                   const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_bgp_attrs normal = attrs_normal(attrs);
    uint64_t hash = attrs_hash(&normal, table->seed);
    size_t slot = table_slot(table, &normal, hash);

    if (table->tags[slot])
        return vnrs_bgp_attrs_ref(table->sets[slot]);
    if ((table->len + 1) * 4 > table->cap * 3) {
        if (table_grow(table) < 0)
            return NULL;
        slot = table_slot(table, &normal, hash);
    }
    struct vnrs_bgp_attrs *copy = attrs_copy(&normal);
    if (!copy)
        return NULL;
    copy->hash = hash;
    copy->refs = 1;
    vnrs_bgp_attrs_derive(copy);
    table->tags[slot] = hash_tag(hash);
    table->sets[slot] = copy;
    table->len++;
    return copy;
}

const struct vnrs_bgp_attrs *vnrs_bgp_attrs_ref(const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_bgp_attrs *a = (struct vnrs_bgp_attrs *)attrs; // immutable but for its references

    assert(a->refs > 0 && a->refs < UINT32_MAX);
    a->refs++;
    return a;
}

void vnrs_bgp_attrs_unref(struct vnrs_bgp_attr_table *table, const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_bgp_attrs *a = (struct vnrs_bgp_attrs *)attrs;

    if (!a)
        return;
    assert(a->refs > 0);
    if (--a->refs > 0)
        return;
    size_t slot = hash_tag(a->hash) & (table->cap - 1);
    while (table->sets[slot] != a) {
        assert(table->tags[slot]); // a set of another table
        slot = (slot + 1) & (table->cap - 1);
    }
    table_remove(table, slot);
    free(a);
}
