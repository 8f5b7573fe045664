// SPDX-License-Identifier: GPL-2.0-or-later
// The way of a packet hop by hop, as routes have it: from a NIC, by appliances, gateway instances and edge routers, to
// whoever has the address. It is computed, nothing is sent: what an appliance does with a packet that is not for a host
// behind it is not known, so it is taken to send it on by the NIC that it came to.
#pragma once

#include "control/state.h"

#include <jansson.h>

// {"forward": WAY, "back": WAY or null, "asymmetric": bool}, WAY {"hops": […], "result": "delivered" | "dropped" |
// "loop", "to": who has it, "reason": …}. The way back begins where the other one ended, and is null where that was not
// with somebody in the lab. Asymmetric: they pass other appliances, gateways or circuits. NULL: out of memory.
json_t *vnrs_trace_json(const struct vnrs_lab *lab, const struct vnrs_nic *from, const struct vnrs_addr *to);
