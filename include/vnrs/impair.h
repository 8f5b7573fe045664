// SPDX-License-Identifier: GPL-2.0-or-later
// What is wrong with the link of a NIC, on purpose. Loss, rate and delay are those of each direction. All zero:
// nothing.
#pragma once

#include <assert.h>
#include <stdint.h>

struct vnrs_impair {
    uint32_t down;      // 1: the machine's end has no carrier, and nothing is delivered to it
    uint32_t loss_ppm;  // packets of a million that are lost
    uint32_t rate_kbit; // thousands of bits a second; 0: as fast as it goes
    uint32_t delay_us;  // of each packet
    uint32_t jitter_us; // more or less than that; not more than the delay
};

#define VNRS_LOSS_PPM_MAX  1000000u
#define VNRS_RATE_KBIT_MIN 8u
#define VNRS_RATE_KBIT_MAX 1000000000u
#define VNRS_DELAY_US_MAX  60000000u

static_assert(sizeof(struct vnrs_impair) == 20 && _Alignof(struct vnrs_impair) == 4,
              "wire layout: specs are not aligned to more");
