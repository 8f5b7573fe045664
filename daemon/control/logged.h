// SPDX-License-Identifier: GPL-2.0-or-later
// The last lines that the controller logged, kept for GET /v1/log: who asks for help with a lab may not be able to read
// the journal. Lines of the agent and the speakers are in the journal only.
#pragma once

#define VNRS_LOGGED_MAX 256 // lines

struct vnrs_logged;

// From now on lines of this process are kept. One at a time. NULL: no memory.
struct vnrs_logged *vnrs_logged_new(void);
void vnrs_logged_free(struct vnrs_logged *logged); // accepts NULL
