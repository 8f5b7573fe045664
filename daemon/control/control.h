// SPDX-License-Identifier: GPL-2.0-or-later
// The controller: the child of vnrsd that owns model, routing, plan and API and has no privileges. It talks to the
// agent (descriptor VNRS_CONTROL_FD_AGENT), listens for HTTP (VNRS_CONTROL_FD_LISTEN, and where its last argument says
// so VNRS_CONTROL_FD_TCP) and gets the speakers' control descriptors from the agent. When the agent is gone it ends.
#pragma once

#define VNRS_CONTROL_ARG_TCP "--tcp"

// Returns the exit status of the process.
int vnrs_control_main(int argc, char **argv);
