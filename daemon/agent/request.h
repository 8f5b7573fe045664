// SPDX-License-Identifier: GPL-2.0-or-later
// Executes a request that has been checked, and answers it on the controller's connection.
#pragma once

#include "agent/agentd.h"

void vnrs_agentd_request(struct vnrs_agentd *ad, const struct vnrs_agentd_msg *msg);
