// SPDX-License-Identifier: GPL-2.0-or-later
// The controller: this very program, executed again without privileges, with the agent pair as descriptor 3 and the API
// socket as descriptor 4. The API socket stays open over restarts, so clients wait instead of being refused.
#pragma once

#include "agent/agentd.h"

// Opens the API socket and starts the controller; with options.agent_fd: serves that one.
int vnrs_agentd_controller_start(struct vnrs_agentd *ad, struct vnrs_err *err) VNRS_MUST_CHECK;
// Its connection is gone or broken.
void vnrs_agentd_controller_lost(struct vnrs_agentd *ad);
void vnrs_agentd_controller_stop(struct vnrs_agentd *ad); // SIGTERM
bool vnrs_agentd_controller_runs(const struct vnrs_agentd *ad);
void vnrs_agentd_controller_free(struct vnrs_agentd *ad);
