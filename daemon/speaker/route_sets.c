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

int vnrs_route_sets_add(struct vnrs_route_sets *sets, const struct vnrs_spk_set *set, uint32_t *ret_number)
{
    size_t bytes = set->n * sizeof(set->paths[0]);

    if (!set->n) {
        *ret_number = 0;
        return 0;
    }
    uint8_t at = (uint8_t)vnrs_hash_bytes(set->paths, bytes);
    for (; sets->index[at]; at++) {
        const struct vnrs_spk_set *known = &sets->sets[sets->index[at] - 1];
        if (known->n == set->n && memcmp(known->paths, set->paths, bytes) == 0) {
            *ret_number = sets->index[at];
            return 0;
        }
    }
    if (sets->n == VNRS_ROUTE_SETS_MAX)
        return -ENOSPC;
    sets->sets[sets->n++] = *set;
    sets->index[at] = (uint8_t)sets->n;
    *ret_number = sets->n;
    return 0;
}
