// SPDX-License-Identifier: GPL-2.0-or-later
// Names of NOTIFICATION codes and subcodes, as in the IANA registry "BGP Error Subcodes". Pure.
#pragma once

#include "bgp/msg.h"

// "Cease, administrative shutdown (maintenance until noon)". Returns `buf`.
const char *vnrs_bgp_error_text(const struct vnrs_bgp_error *error, char *buf, size_t size);
