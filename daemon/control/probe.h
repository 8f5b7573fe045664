// SPDX-License-Identifier: GPL-2.0-or-later
// Health probes of load balancers' backends: one TCP connection an interval from 168.63.129.16, made by the agent in
// the network's own platform namespace and watched here; nothing is sent over it (azure-routing.md 5.5, 10). A backend
// is taken out after so many failures in a row, and in again by the first success. One that was not probed yet counts
// as healthy, so that a controller that starts anew changes nothing.
#pragma once

#include "model/model.h"

#include <jansson.h>

struct vnrs_lab;
struct vnrs_probes;

// The lab has another model; that of before may be gone. What is known of backends that stay is kept. Returns 0 or
// -ENOMEM (then some are not probed).
int vnrs_probes_update(struct vnrs_lab *lab) VNRS_MUST_CHECK;
// Its objects exist: probe those that are not probed yet.
void vnrs_probes_start(struct vnrs_lab *lab);
void vnrs_probes_free(struct vnrs_lab *lab);

bool vnrs_probe_is_down(const struct vnrs_lab *lab, const struct vnrs_balancer *lb, const struct vnrs_nic *nic);
// "Up", "Down" or "Unknown", and of the last failure in a row its reason, else "".
const char *vnrs_probe_state(const struct vnrs_lab *lab, const struct vnrs_balancer *lb, const struct vnrs_nic *nic,
                             const char **ret_reason);
