// SPDX-License-Identifier: GPL-2.0-or-later
// A BPF hash map from a small key to a u32, with a mirror that knows what is in it and what was confirmed since it was
// read.
#pragma once

#include "util/hash.h"

#include <stdbool.h>

struct vnrs_bpf_table {
    int fd; // borrowed
    size_t key_size;
    uint32_t max;
    struct vnrs_map entries;
};

// Empty the mirror and read the map; everything is then unconfirmed.
int vnrs_bpf_table_read(struct vnrs_bpf_table *table) VNRS_MUST_CHECK;
// Confirm the entry; write it (*writes counts) unless it is there with that value. -ENOSPC: the map is full.
int vnrs_bpf_table_set(struct vnrs_bpf_table *table, const void *key, uint32_t value, uint64_t *writes) VNRS_MUST_CHECK;
// No such entry is success.
int vnrs_bpf_table_remove(struct vnrs_bpf_table *table, const void *key, uint64_t *writes) VNRS_MUST_CHECK;
// Remove what was not confirmed.
int vnrs_bpf_table_sweep(struct vnrs_bpf_table *table, uint64_t *writes) VNRS_MUST_CHECK;
void vnrs_bpf_table_fini(struct vnrs_bpf_table *table);
