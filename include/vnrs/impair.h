// SPDX-License-Identifier: GPL-2.0-or-later
// What is wrong with the link of a NIC, on purpose. Loss, rate and delay are those of each direction. All zero:
// nothing.
#pragma once

#include <assert.h>
#include <stdint.h>

struct vnrs_impair {
    uint32_t down;      // 1: the machine's end has no carrier, and nothing is delivered to it
    uint32_t loss_ppm;  // packets of a million that are lost
    uint64_t rate_bps;  // bits a second; 0: as fast as it goes
    uint32_t delay_us;  // of each packet
    uint32_t jitter_us; // more or less than that; not more than the delay
};

#define VNRS_LOSS_PPM_MAX 1000000u
#define VNRS_RATE_BPS_MIN 8000ull
#define VNRS_RATE_BPS_MAX 1000000000000ull
#define VNRS_DELAY_US_MAX 60000000u

static_assert(sizeof(struct vnrs_impair) == 24, "wire layout");
