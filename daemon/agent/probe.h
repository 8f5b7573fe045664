// SPDX-License-Identifier: GPL-2.0-or-later
// What this machine can do, for `vnrs doctor`: one line for each thing, with what to do where something is missing.
#pragma once

#include "agent/agentd.h"

struct vnrs_agentd_probes {
    struct vnrs_ag_probe *items;
    size_t len, cap;
};

// Appends. Nothing is changed.
void vnrs_agentd_probe(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes);
