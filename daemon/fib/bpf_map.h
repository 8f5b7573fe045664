// SPDX-License-Identifier: GPL-2.0-or-later
// Reading a whole BPF map in few system calls.
#pragma once

#include "util/macros.h"

#include <stdint.h>

typedef int (*vnrs_bpf_map_fn)(const void *key, const void *value, void *arg);

// Calls `fn` for every entry, in no particular order; a non-zero return ends the walk and is returned. The map must not
// be written meanwhile. Returns 0 or a negative errno.
int vnrs_bpf_map_walk(int fd, size_t key_size, size_t value_size, vnrs_bpf_map_fn fn, void *arg) VNRS_MUST_CHECK;
