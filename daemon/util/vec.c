// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/vec.h"

#include <stdint.h>

int vnrs_vec_grow(void **items, size_t *cap, size_t len, size_t size)
{
    size_t want = len < 8 ? 8 : len + len / 2;

    if (want > SIZE_MAX / size)
        return -ENOMEM;
    void *grown = realloc(*items, want * size);
    if (!grown)
        return -ENOMEM;
    *items = grown;
    *cap = want;
    return 0;
}
