// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_map.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <bpf/bpf.h>

#define WALK_BATCH 4096
#define TOKEN_MAX  64 // where a batch ended: a key, or a bucket number

int vnrs_bpf_map_walk(int fd, size_t key_size, size_t value_size, vnrs_bpf_map_fn fn, void *arg)
{
    _free_ uint8_t *keys = malloc(WALK_BATCH * key_size);
    _free_ uint8_t *values = malloc(WALK_BATCH * value_size);
    uint8_t from[TOKEN_MAX], to[TOKEN_MAX];
    bool first = true, last = false;

    if (!keys || !values)
        return -ENOMEM;
    while (!last) {
        uint32_t count = WALK_BATCH;
        int err = bpf_map_lookup_batch(fd, first ? NULL : from, to, keys, values, &count, NULL);
        last = err == -ENOENT;
        if (err && !last)
            return err;
        for (uint32_t i = 0; i < count; i++) {
            err = fn(keys + i * key_size, values + i * value_size, arg);
            if (err)
                return err;
        }
        memcpy(from, to, sizeof(from));
        first = false;
    }
    return 0;
}
