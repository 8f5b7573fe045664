// SPDX-License-Identifier: GPL-2.0-or-later
// IPsec connections as pairs of tunnel ends: names and addresses of each, and the configuration of its strongSwan. A
// connection has one tunnel for each instance of its gateway. Pure.
#pragma once

#include "model/model.h"
#include "vnrs/agent_proto.h"

#define VNRS_TUNNEL_NAME_MAX 64 // "<connection>-<instance>"

// "<connection>-<instance>", of which the names of links and namespaces are made.
const char *vnrs_tunnel_name(const struct vnrs_connection *connection, unsigned instance,
                             char buf[static VNRS_TUNNEL_NAME_MAX]);
// The link of a gateway instance or site that leads into the tunnel: "tun-<name>" where it fits.
const char *vnrs_tunnel_link(const char *lab, const struct vnrs_connection *connection, unsigned instance,
                             char buf[static VNRS_IFNAME_MAX]);
// Where BGP of the instance speaks from inside the tunnel: an APIPA address of the connection, or its own.
struct vnrs_addr vnrs_tunnel_gateway_ip(const struct vnrs_connection *connection, unsigned instance);

// swanctl.conf of one end. Owned by the caller; NULL: out of memory.
char *vnrs_tunnel_config(const struct vnrs_addr *own, const struct vnrs_addr *peer, const char *key) VNRS_MUST_CHECK;
