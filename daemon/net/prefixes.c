// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/prefixes.h"

#include <errno.h>
#include <string.h>

#define FAMILY6    UINT32_C(0x80000000) // in a number
#define PLACE(id)  ((id) & ~FAMILY6)
#define PLACE_MAX  UINT32_C(0x7ffffffe)
#define PIECE_BITS 10
#define PIECE      (1u << PIECE_BITS) // values
#define FEW        2048u              // of which the nearest is taken
#define STRIDE     389u               // odd, so that it leads through a whole piece

struct vnrs_prefix_rec4 {
    uint32_t addr; // host order; of a free record the next free one
    uint32_t len : 8, refs : 24;
};

struct vnrs_prefix_rec6 {
    uint8_t bytes[16];
    uint32_t len : 8, refs : 24; // free: in `bytes` the next free one
};

static_assert(sizeof(struct vnrs_prefix_rec4) == 8, "the point of it");
static_assert(sizeof(struct vnrs_prefix_rec6) == 20, "the point of it");

void vnrs_prefixes_fini(struct vnrs_prefixes *set)
{
    free(set->family[0].index);
    free(set->family[1].index);
    free(set->rec4);
    free(set->rec6);
    *set = (struct vnrs_prefixes){0};
}

static uint32_t addr4(const struct vnrs_prefix *prefix)
{
    uint32_t be;
    memcpy(&be, prefix->bytes, sizeof(be));
    return __builtin_bswap32(be);
}

static size_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b << 1)) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (size_t)(h ^ (h >> 32));
}

static size_t hash6(const uint8_t *bytes, unsigned len)
{
    uint64_t half[2];
    memcpy(half, bytes, sizeof(half));
    return mix(half[0] ^ len, mix(half[1], len));
}

static size_t hash_at(const struct vnrs_prefixes *set, bool six, uint32_t place)
{
    if (six)
        return hash6(set->rec6[place].bytes, set->rec6[place].len);
    return mix(set->rec4[place].addr, set->rec4[place].len);
}

static size_t hash_of(const struct vnrs_prefix *prefix)
{
    return prefix->family == VNRS_AF_IPV6 ? hash6(prefix->bytes, prefix->len) : mix(addr4(prefix), prefix->len);
}

static bool is_at(const struct vnrs_prefixes *set, const struct vnrs_prefix *prefix, uint32_t place)
{
    if (prefix->family == VNRS_AF_IPV6)
        return set->rec6[place].len == prefix->len && memcmp(set->rec6[place].bytes, prefix->bytes, 16) == 0;
    return set->rec4[place].addr == addr4(prefix) && set->rec4[place].len == prefix->len;
}

uint32_t vnrs_prefixes_find(const struct vnrs_prefixes *set, const struct vnrs_prefix *prefix)
{
    bool six = prefix->family == VNRS_AF_IPV6;
    const struct vnrs_prefix_family *family = &set->family[six];

    if (!family->len)
        return VNRS_PREFIX_NONE;
    for (size_t i = hash_of(prefix) & (family->index_cap - 1); family->index[i]; i = (i + 1) & (family->index_cap - 1))
        if (is_at(set, prefix, family->index[i]))
            return family->index[i] | (six ? FAMILY6 : 0);
    return VNRS_PREFIX_NONE;
}

static void index_add(struct vnrs_prefixes *set, bool six, uint32_t place)
{
    struct vnrs_prefix_family *family = &set->family[six];
    size_t i = hash_at(set, six, place) & (family->index_cap - 1);

    while (family->index[i])
        i = (i + 1) & (family->index_cap - 1);
    family->index[i] = place;
}

static int index_grow(struct vnrs_prefixes *set, bool six)
{
    struct vnrs_prefix_family *family = &set->family[six];
    size_t cap = family->index_cap ? 2 * family->index_cap : 64, old_cap = family->index_cap;
    uint32_t *index = calloc(cap, sizeof(*index)), *old = family->index;

    if (!index)
        return -ENOMEM;
    family->index = index;
    family->index_cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i])
            index_add(set, six, old[i]);
    free(old);
    return 0;
}

// Close the gap, so that there are no tombstones.
static void index_remove(struct vnrs_prefixes *set, bool six, uint32_t place)
{
    struct vnrs_prefix_family *family = &set->family[six];
    size_t mask = family->index_cap - 1, gap = hash_at(set, six, place) & mask;

    while (family->index[gap] != place)
        gap = (gap + 1) & mask;
    for (size_t i = (gap + 1) & mask; family->index[i]; i = (i + 1) & mask) {
        size_t home = hash_at(set, six, family->index[i]) & mask;
        if (((i - home) & mask) < ((i - gap) & mask))
            continue; // it would stand before its home
        family->index[gap] = family->index[i];
        gap = i;
    }
    family->index[gap] = 0;
}

static int records_grow(struct vnrs_prefixes *set, bool six)
{
    struct vnrs_prefix_family *family = &set->family[six];
    uint32_t cap = family->cap ? MIN(2 * family->cap, PLACE_MAX) : 64;
    void *grown =
        six ? reallocarray(set->rec6, cap, sizeof(*set->rec6)) : reallocarray(set->rec4, cap, sizeof(*set->rec4));

    if (!grown || cap == family->cap)
        return -ENOMEM;
    if (six)
        set->rec6 = grown;
    else
        set->rec4 = grown;
    family->cap = cap;
    return 0;
}

// An unused record.
static int record_take(struct vnrs_prefixes *set, bool six, uint32_t *ret_place)
{
    struct vnrs_prefix_family *family = &set->family[six];

    if (family->free) {
        *ret_place = family->free;
        if (six)
            memcpy(&family->free, set->rec6[*ret_place].bytes, sizeof(family->free));
        else
            family->free = set->rec4[*ret_place].addr;
        return 0;
    }
    if (family->used + 1 >= family->cap && records_grow(set, six) < 0)
        return -ENOMEM;
    *ret_place = ++family->used;
    return 0;
}

int vnrs_prefixes_get(struct vnrs_prefixes *set, const struct vnrs_prefix *prefix, uint32_t *ret_id)
{
    bool six = prefix->family == VNRS_AF_IPV6;
    struct vnrs_prefix_family *family = &set->family[six];
    uint32_t id = vnrs_prefixes_find(set, prefix), place;

    if (id) {
        vnrs_prefixes_hold(set, id);
        *ret_id = id;
        return 0;
    }
    if ((family->len + 1) * 4 > family->index_cap * 3 && index_grow(set, six) < 0)
        return -ENOMEM;
    if (record_take(set, six, &place) < 0)
        return -ENOMEM;
    if (six) {
        memcpy(set->rec6[place].bytes, prefix->bytes, sizeof(prefix->bytes));
        set->rec6[place].len = prefix->len;
        set->rec6[place].refs = 1;
    } else {
        set->rec4[place] = (struct vnrs_prefix_rec4){.addr = addr4(prefix), .len = prefix->len, .refs = 1};
    }
    index_add(set, six, place);
    family->len++;
    family->lens[prefix->len]++;
    *ret_id = place | (six ? FAMILY6 : 0);
    return 0;
}

void vnrs_prefixes_hold(struct vnrs_prefixes *set, uint32_t id)
{
    if (id & FAMILY6)
        set->rec6[PLACE(id)].refs++;
    else
        set->rec4[id].refs++;
}

void vnrs_prefixes_drop(struct vnrs_prefixes *set, uint32_t id)
{
    bool six = id & FAMILY6;
    struct vnrs_prefix_family *family = &set->family[six];
    uint32_t place = PLACE(id);

    if (six ? --set->rec6[place].refs : --set->rec4[place].refs)
        return;
    index_remove(set, six, place);
    family->len--;
    family->lens[six ? set->rec6[place].len : set->rec4[place].len]--;
    if (six)
        memcpy(set->rec6[place].bytes, &family->free, sizeof(family->free));
    else
        set->rec4[place].addr = family->free;
    family->free = place;
}

struct vnrs_prefix vnrs_prefixes_prefix(const struct vnrs_prefixes *set, uint32_t id)
{
    struct vnrs_prefix prefix = {0};

    if (id & FAMILY6) {
        prefix.family = VNRS_AF_IPV6;
        prefix.len = (uint8_t)set->rec6[PLACE(id)].len;
        memcpy(prefix.bytes, set->rec6[PLACE(id)].bytes, sizeof(prefix.bytes));
    } else {
        uint32_t be = __builtin_bswap32(set->rec4[id].addr);
        prefix.family = VNRS_AF_IPV4;
        prefix.len = (uint8_t)set->rec4[id].len;
        memcpy(prefix.bytes, &be, sizeof(be));
    }
    return prefix;
}

size_t vnrs_prefixes_len(const struct vnrs_prefixes *set)
{
    return set->family[0].len + set->family[1].len;
}

uint32_t vnrs_prefixes_around(const struct vnrs_prefixes *set, const struct vnrs_addr *addr, unsigned *len)
{
    const struct vnrs_prefix_family *family = &set->family[addr->family == VNRS_AF_IPV6];

    *len = MIN(*len, vnrs_af_bits(addr->family) + 1);
    while (*len > 0) {
        if (!family->lens[--*len])
            continue;
        const struct vnrs_prefix prefix = vnrs_prefix_make(addr, *len);
        uint32_t id = vnrs_prefixes_find(set, &prefix);
        if (id)
            return id;
    }
    return VNRS_PREFIX_NONE;
}

// ---- tables

void vnrs_slots_fini(struct vnrs_slots *slots)
{
    for (unsigned family = 0; family < 2; family++) {
        for (uint32_t i = 0; i < slots->n_pieces[family]; i++)
            free(slots->pieces[family][i]);
        free(slots->pieces[family]);
    }
    *slots = (struct vnrs_slots){0};
}

static uint32_t *find_slot(const struct vnrs_slots *slots, uint32_t id)
{
    bool six = id & FAMILY6;
    uint32_t piece = PLACE(id) >> PIECE_BITS;

    if (piece >= slots->n_pieces[six] || !slots->pieces[six][piece])
        return NULL;
    return &slots->pieces[six][piece][id & (PIECE - 1)];
}

uint32_t vnrs_slots_find(const struct vnrs_slots *slots, uint32_t id)
{
    const uint32_t *slot = find_slot(slots, id);
    return slot ? *slot : 0;
}

static uint32_t *make_slot(struct vnrs_slots *slots, uint32_t id)
{
    bool six = id & FAMILY6;
    uint32_t piece = PLACE(id) >> PIECE_BITS;

    if (piece >= slots->n_pieces[six]) {
        uint32_t n = MAX(slots->n_pieces[six], 1u);
        while (n <= piece)
            n *= 2;
        uint32_t **grown = reallocarray(slots->pieces[six], n, sizeof(*grown));
        if (!grown)
            return NULL;
        memset(grown + slots->n_pieces[six], 0, (n - slots->n_pieces[six]) * sizeof(*grown));
        slots->pieces[six] = grown;
        slots->n_pieces[six] = n;
    }
    if (!slots->pieces[six][piece])
        slots->pieces[six][piece] = calloc(PIECE, sizeof(**slots->pieces[six]));
    return find_slot(slots, id);
}

void vnrs_slots_remove(struct vnrs_slots *slots, uint32_t id)
{
    uint32_t *slot = find_slot(slots, id);

    if (!slot || !*slot)
        return;
    *slot = 0;
    if (--slots->len == 0)
        vnrs_slots_fini(slots);
}

void vnrs_slots_replace(struct vnrs_slots *slots, uint32_t id, uint32_t value)
{
    *find_slot(slots, id) = value;
}

int vnrs_slots_put(struct vnrs_slots *slots, uint32_t id, uint32_t value)
{
    if (!value) {
        vnrs_slots_remove(slots, id);
        return 0;
    }
    uint32_t *slot = find_slot(slots, id);
    if (!slot)
        slot = make_slot(slots, id);
    if (!slot)
        return -ENOMEM;
    slots->len += !*slot;
    *slot = value;
    return 0;
}

uint32_t vnrs_slots_next(const struct vnrs_slots *slots, uint32_t id)
{
    uint32_t place = PLACE(id) + 1;

    for (unsigned six = id & FAMILY6 ? 1 : 0; six < 2; six++, place = 1) {
        while (place >> PIECE_BITS < slots->n_pieces[six]) {
            const uint32_t *piece = slots->pieces[six][place >> PIECE_BITS];
            if (piece && piece[place & (PIECE - 1)])
                return place | (six ? FAMILY6 : 0);
            place = piece ? place + 1 : (place | (PIECE - 1)) + 1;
        }
    }
    return VNRS_PREFIX_NONE;
}

static uint32_t scattered(const struct vnrs_slots *slots, bool six, uint32_t place)
{
    uint32_t n = slots->n_pieces[six], piece = place >> PIECE_BITS, at = place & (PIECE - 1);
    uint32_t stride = (n / 8 * 5) | 1; // odd, and n is a power of two: it leads through all pieces

    for (uint64_t left = (uint64_t)n * PIECE; left > 0; left--) {
        piece = (piece + stride) & (n - 1);
        if (piece == 0)
            at = (at + STRIDE) & (PIECE - 1);
        const uint32_t *values = slots->pieces[six][piece];
        if (values && values[at])
            return piece << PIECE_BITS | at | (six ? FAMILY6 : 0);
    }
    return VNRS_PREFIX_NONE;
}

uint32_t vnrs_slots_any(const struct vnrs_slots *slots, uint32_t last)
{
    bool six = last & FAMILY6;
    uint32_t id;

    if (slots->len <= FEW) {
        id = vnrs_slots_next(slots, last);
        return id ? id : vnrs_slots_next(slots, VNRS_PREFIX_NONE);
    }
    if (PLACE(last) >> PIECE_BITS >= slots->n_pieces[six])
        last = 0;
    id = slots->n_pieces[six] ? scattered(slots, six, PLACE(last)) : VNRS_PREFIX_NONE;
    if (!id && slots->n_pieces[!six])
        id = scattered(slots, !six, 0);
    return id;
}
