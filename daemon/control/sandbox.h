// SPDX-License-Identifier: GPL-2.0-or-later
// The controller parses what users write and, through speakers, what peers send. It needs memory, time, and the
// descriptors that it has: everything else of the kernel is denied (EPERM). It opens no file, no socket, runs nothing.
#pragma once

#include "util/macros.h"

// Irreversible. Returns 0 or a negative errno. In sanitizer builds, whose run time needs more, it does nothing.
int vnrs_control_sandbox(void) VNRS_MUST_CHECK;
