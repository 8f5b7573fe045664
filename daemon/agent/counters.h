// SPDX-License-Identifier: GPL-2.0-or-later
// What the data plane of a lab counted, whichever it is, as the controller is told.
#pragma once

#include "agent/lab.h"

typedef void (*vnrs_agentd_counter_fn)(void *arg, const struct vnrs_ag_counter *counter);

// Calls `fn` for every counter of the lab that is not zero; of a lab without a fabric there are none. With the kernel's
// data plane next hop types are not among them, nor what was too big. Returns 0 or a negative errno.
int vnrs_agentd_counters(struct vnrs_agentd_lab *lab, vnrs_agentd_counter_fn fn, void *arg) VNRS_MUST_CHECK;
