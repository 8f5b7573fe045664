// SPDX-License-Identifier: GPL-2.0-or-later
// Random frames from the NICs of a topology: mostly such that a machine could send, to addresses that mean something
// there, and then anything: all address classes, options, extension headers, fragments, lengths that are wrong, bytes
// that are flipped, frames that are cut or padded.
#pragma once

#include "packet_model.h"
#include "rng.h"

#define RANDOM_FRAME_MAX 3300 // bytes; a test run of the kernel takes little more

struct random_pool { // addresses to draw from
    VEC(struct vnrs_addr) v4, v6;
};

struct random_frame {
    const struct pm_port *from;
    size_t len;
    uint8_t bytes[RANDOM_FRAME_MAX];
};

// Addresses of the world's NICs, those beside them, and some in each of the `n` prefixes.
void random_pool_init(struct random_pool *pool, struct rng *rng, const struct pm_world *world,
                      const struct vnrs_prefix *prefixes, size_t n);
void random_pool_fini(struct random_pool *pool);

void random_frame_make(struct rng *rng, const struct pm_world *world, const struct random_pool *pool,
                       struct random_frame *ret_frame);
