// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/route_sets.h"

#include "util/hash.h"

#include <errno.h>
#include <string.h>

static_assert(VNRS_ROUTE_SETS_MAX < 128, "the index is at most half full");

void vnrs_route_sets_clear(struct vnrs_route_sets *sets)
{
    sets->n = 0;
    memset(sets->index, 0, sizeof(sets->index));
}

static bool is_equal(const struct vnrs_spk_set *a, const struct vnrs_spk_set *b)
{
    return a->n == b->n && memcmp(a->paths, b->paths, a->n * sizeof(a->paths[0])) == 0;
}

int vnrs_route_sets_add(struct vnrs_route_sets *sets, const struct vnrs_spk_set *set, uint32_t *ret_number)
{
    size_t bytes = set->n * sizeof(set->paths[0]);

    if (!set->n) {
        *ret_number = 0;
        return 0;
    }
    // Neighbours mostly have the same.
    if (sets->n && is_equal(&sets->sets[sets->last], set)) {
        *ret_number = sets->last + 1;
        return 0;
    }
    uint8_t at = (uint8_t)vnrs_hash_bytes(set->paths, bytes);
    for (; sets->index[at]; at++) {
        if (!is_equal(&sets->sets[sets->index[at] - 1], set))
            continue;
        *ret_number = sets->index[at];
        sets->last = *ret_number - 1;
        return 0;
    }
    if (sets->n == VNRS_ROUTE_SETS_MAX)
        return -ENOSPC;
    sets->last = sets->n;
    sets->sets[sets->n++] = *set;
    sets->index[at] = (uint8_t)sets->n;
    *ret_number = sets->n;
    return 0;
}
