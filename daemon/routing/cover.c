// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/cover.h"

#include <errno.h>

int vnrs_cover_alloc(struct vnrs_arena *arena, struct vnrs_cover *cover, size_t cap)
{
    cover->len = 0;
    cover->entries = vnrs_arena_alloc(arena, cap * sizeof(*cover->entries));
    return cover->entries ? 0 : -ENOMEM;
}

void vnrs_cover_put(struct vnrs_cover *cover, const struct vnrs_prefix *prefix, const void *value)
{
    cover->entries[cover->len] = (struct vnrs_cover_entry){
        .prefix = prefix,
        .value = value,
        .order = (uint32_t)cover->len,
    };
    cover->len++;
}

static int entry_cmp(const void *pa, const void *pb)
{
    const struct vnrs_cover_entry *a = pa, *b = pb;
    int order = vnrs_prefix_cmp(a->prefix, b->prefix);

    return order ? order : (a->order > b->order) - (a->order < b->order);
}

void vnrs_cover_build(struct vnrs_cover *cover)
{
    struct vnrs_cover_entry *entries = cover->entries;
    size_t kept = 0;

    if (cover->len == 0)
        return;
    qsort(entries, cover->len, sizeof(*entries), entry_cmp);
    for (size_t i = 0; i < cover->len; i++) {
        if (kept && vnrs_prefix_equal(entries[kept - 1].prefix, entries[i].prefix))
            continue;
        uint32_t parent = kept ? (uint32_t)(kept - 1) : VNRS_COVER_NONE;
        while (parent != VNRS_COVER_NONE && !vnrs_prefix_contains(entries[parent].prefix, entries[i].prefix))
            parent = entries[parent].parent;
        entries[kept] = entries[i];
        entries[kept++].parent = parent;
    }
    cover->len = kept;
}

// Entries that stand at or before `prefix`.
static size_t entries_upto(const struct vnrs_cover *cover, const struct vnrs_prefix *prefix)
{
    size_t low = 0, high = cover->len;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (vnrs_prefix_cmp(cover->entries[mid].prefix, prefix) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct vnrs_cover_entry *vnrs_cover_match(const struct vnrs_cover *cover, const struct vnrs_prefix *prefix)
{
    size_t upto = entries_upto(cover, prefix);
    uint32_t at = upto ? (uint32_t)(upto - 1) : VNRS_COVER_NONE;

    while (at != VNRS_COVER_NONE && !vnrs_prefix_contains(cover->entries[at].prefix, prefix))
        at = cover->entries[at].parent;
    return at == VNRS_COVER_NONE ? NULL : &cover->entries[at];
}

const struct vnrs_cover_entry *vnrs_cover_find(const struct vnrs_cover *cover, const struct vnrs_prefix *prefix)
{
    const struct vnrs_cover_entry *entry = vnrs_cover_match(cover, prefix);

    return entry && vnrs_prefix_equal(entry->prefix, prefix) ? entry : NULL;
}
