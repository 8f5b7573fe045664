// SPDX-License-Identifier: GPL-2.0-or-later
// Gateways, sites, and connections between them: is each up, and why not. Of IPsec the tunnels tell, as the agent hears
// it from their ends; of ExpressRoute the BGP sessions of the edge routers with the customer (Azure's connectionStatus,
// azure-routing.md 11).
#pragma once

#include "control/state.h"

#include <jansson.h>

// The tunnel of an IPsec connection to one instance of its gateway. Where it is not up, `*ret_why` is a reason; the end
// that knows more about it counts.
enum vnrs_tunnel_state vnrs_tunnel_state(const struct vnrs_lab *lab, const struct vnrs_connection *connection,
                                         unsigned instance, const char **ret_why);
const char *vnrs_tunnel_state_name(unsigned state); // "up", "noAnswer"
// "Connected", "Connecting" or "NotConnected": one tunnel or link that works is enough.
const char *vnrs_connection_status(const struct vnrs_lab *lab, const struct vnrs_connection *connection);
// Gateways, sites and connections, as keys of the answer.
void vnrs_outside_add(const struct vnrs_lab *lab, json_t *answer);
