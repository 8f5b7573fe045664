// SPDX-License-Identifier: GPL-2.0-or-later
// Configuration of the routing daemon that a machine runs. For one of a virtual network: an eBGP multihop session to
// each instance of each Route Server that has a connection to one of the machine's NICs, and the prefixes that it
// announces. Pure text.
//
// What is learned from a Route Server stays in the daemon: the machine's default route to the fabric reaches everything
// already, and a kernel route to a virtual network with the instance as next hop would lead back to the instance itself
// (azure-routing.md 5.11). Only what `announce` lists is sent.
//
// The router of a site has a session to each instance of the gateways (through its tunnel) and to each MSEE of its
// circuits, sends the site's prefixes and what `announce` lists, and routes by what it learns, over all equal paths.
// FRR and BIRD do that; the others do not write into the kernel.
#pragma once

#include "model/model.h"

// Owned by the caller; NULL: out of memory. `machine->run.kind` is a routing daemon; a configuration of the user's is
// copied.
char *vnrs_appliance_config(const struct vnrs_model *model, const struct vnrs_machine *machine) VNRS_MUST_CHECK;
// Arguments of commands that the daemon is given when it runs, one command a line, for what its configuration cannot
// say: what GoBGP announces. Empty: none.
char *vnrs_appliance_commands(const struct vnrs_machine *machine) VNRS_MUST_CHECK;
