// SPDX-License-Identifier: GPL-2.0-or-later
// Names on Linux, derived from the names of the lab and of the object only: two runs of a file give the same
// namespaces, links and MACs. Link names and MACs are hashes, so the planner checks them for collisions. Pure.
#pragma once

#include "vnrs/addr.h"
#include "vnrs/agent_proto.h"

#define VNRS_NETNS_FULL_MAX (VNRS_LAB_NAME_MAX + VNRS_KEY_MAX + 8)

// Fabric end of a NIC: 'v' and 14 hexadecimal digits.
const char *vnrs_name_fabric_link(const char *lab, const char *key, char buf[static VNRS_IFNAME_MAX]);
// Link inside a namespace that leads to `name`: "h-www" (`prefix` "h-") where it fits, else 'h' and 14 hexadecimal
// digits.
const char *vnrs_name_link(const char *lab, const char *prefix, const char *name, char buf[static VNRS_IFNAME_MAX]);
const char *vnrs_name_host_link(const char *lab, const char *name, char buf[static VNRS_IFNAME_MAX]);
// Locally administered, unicast: 02:…
struct vnrs_mac vnrs_name_mac(const char *lab, const char *key);
// "vnrs.<lab>.<name>"; the fabric's where `name` is empty.
const char *vnrs_name_netns(const char *lab, const char *name, char buf[static VNRS_NETNS_FULL_MAX]);
