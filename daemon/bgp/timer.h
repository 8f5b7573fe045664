// SPDX-License-Identifier: GPL-2.0-or-later
// Timer arithmetic of BGP: jitter (RFC 4271 section 10) and the growing wait after errors (section 8.1.1, damping of
// peer oscillation). All times are CLOCK_MONOTONIC milliseconds that come from outside. Pure.
#pragma once

#include "util/macros.h"

#include <stdint.h>

#define VNRS_BGP_IDLE_HOLD_MS     1000u  // first wait in Idle after an error
#define VNRS_BGP_IDLE_HOLD_MAX_MS 60000u // and the longest
#define VNRS_BGP_STABLE_MS        30000u // a session that lasted this long ends the damping
#define VNRS_BGP_TIMER_OFF        0u     // deadline of a timer that does not run
#define VNRS_BGP_NEVER            UINT64_MAX

// 75 to 100 % of `ms`, by any 32 random bits.
uint64_t vnrs_bgp_timer_jitter(uint64_t ms, uint32_t random);
// The wait in Idle after `errors` errors in a row (1: the first), not jittered.
uint64_t vnrs_bgp_timer_idle_hold(unsigned errors);
// The earlier of two deadlines, where VNRS_BGP_TIMER_OFF is none; `a` may be VNRS_BGP_NEVER.
uint64_t vnrs_bgp_timer_earlier(uint64_t a, uint64_t b);
