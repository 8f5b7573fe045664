// SPDX-License-Identifier: GPL-2.0-or-later
// Random numbers for tests: the same seed gives the same numbers everywhere, and a derived seed stands for one case
// that can be drawn again without those before it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t x = rng->state += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static inline struct rng rng_derive(uint64_t seed, uint64_t number)
{
    struct rng rng = {seed + number * 0xd1342543de82ef95};

    (void)rng_next(&rng);
    return rng;
}

static inline uint32_t rng_below(struct rng *rng, uint32_t n) // 0..n-1
{
    return (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}

static inline bool rng_percent(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}
