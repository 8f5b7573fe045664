// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/timer.h"

uint64_t vnrs_bgp_timer_jitter(uint64_t ms, uint32_t random)
{
    return ms - ms / 4 * (random % 1024u) / 1023u;
}

uint64_t vnrs_bgp_timer_idle_hold(unsigned errors)
{
    uint64_t ms = VNRS_BGP_IDLE_HOLD_MS;

    while (errors > 1 && ms < VNRS_BGP_IDLE_HOLD_MAX_MS) {
        ms *= 2;
        errors--;
    }
    return MIN(ms, (uint64_t)VNRS_BGP_IDLE_HOLD_MAX_MS);
}

uint64_t vnrs_bgp_timer_earlier(uint64_t a, uint64_t b)
{
    return b != VNRS_BGP_TIMER_OFF && b < a ? b : a;
}
