// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/damping.h"

uint64_t vnrs_damping_wait_ms(const struct vnrs_damping *damping, unsigned delay_s, uint64_t now_ms)
{
    uint64_t end = damping->began_ms + (uint64_t)delay_s * 1000;

    if (!damping->began_ms || now_ms >= end || now_ms < damping->began_ms + VNRS_DAMPING_TOGETHER_MS)
        return 0;
    return end - now_ms;
}

void vnrs_damping_note(struct vnrs_damping *damping, unsigned delay_s, uint64_t now_ms)
{
    if (!damping->began_ms || now_ms >= damping->began_ms + (uint64_t)delay_s * 1000)
        damping->began_ms = now_ms;
}
