// SPDX-License-Identifier: GPL-2.0-or-later
// Damping of what a Route Server learns: after a change the next ones wait (azure-routing.md 5.5: two labs measured
// about 30 s on Azure, which documents nothing). What comes together is one change. Pure: the caller says how late it
// is.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define VNRS_DAMPING_TOGETHER_MS 500u

struct vnrs_damping {
    uint64_t began_ms; // of the last change; 0: there was none
};

// How long a change has to wait that comes now; 0: it does not. `delay_s` 0: changes never wait.
uint64_t vnrs_damping_wait_ms(const struct vnrs_damping *damping, unsigned delay_s, uint64_t now_ms);
// A change is made now.
void vnrs_damping_note(struct vnrs_damping *damping, unsigned delay_s, uint64_t now_ms);
