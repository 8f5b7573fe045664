// SPDX-License-Identifier: GPL-2.0-or-later
// A topology as a graph: what is in what, and what is connected to what.
//   {"name", "nodes": [{"id", "kind", "name", "in", "details", "state"?}],
//            "edges": [{"from", "to", "kind", "name", "details", "state"?}]}
// Kinds of nodes: virtualNetwork, subnet (both hold others), machine, nva (forwards), nic (a further one, of a machine
// that is in another subnet), routeServer, gateway, loadBalancer, site, service, internet, host, bgpPeer (no machine of
// the lab). Of edges: peering, bgp, connection, nic, backend, serviceEndpoint, behind. "in" is the id of a node, or
// null; "details" are lines for people; "state" is up or down, and is there where it is known.
#pragma once

#include "model/model.h"

#include <jansson.h>

// NULL: no memory. The caller's.
json_t *vnrs_graph_make(const struct vnrs_model *model);
// What runs: the answers to `vnrs peers --all` and `vnrs inspect`.
void vnrs_graph_add_states(json_t *graph, const json_t *peers, const json_t *lab);
