// SPDX-License-Identifier: GPL-2.0-or-later
// Telling the controller that something of a lab may not be as it should, because another hand changed it. Each lab
// gets one SUSPECT event for all that happens within a moment; the controller then checks the lab again.
#pragma once

#include "agent/lab.h"

// An object of the lab may not be as it should: report it soon. A hand that never rests (or a repair that causes what
// it repairs) is told of ever more rarely.
void vnrs_agentd_suspect(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *obj);
// Milliseconds to wait before the next event, the last one having waited `before_ms` (0: none yet) and been sent
// `quiet_ms` ago. Pure.
unsigned vnrs_agentd_suspect_delay(unsigned before_ms, uint64_t quiet_ms);
