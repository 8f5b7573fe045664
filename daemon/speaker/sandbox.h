// SPDX-License-Identifier: GPL-2.0-or-later
// What a speaker gives up before it reads its first byte: capabilities, new privileges, files, new sockets, other
// programs. It keeps the descriptors that it has, and those that the agent sends.
#pragma once

#include "util/macros.h"

// The capabilities, which are a thread's own: before the first other thread is started. 0 or a negative errno.
int vnrs_sandbox_begin(void) VNRS_MUST_CHECK;
// The rest, for every thread there is; none can be started any more. Returns 0 or a negative errno. In a sanitizer
// build the system call filter is left out: their runtimes need more.
int vnrs_sandbox_seal(void) VNRS_MUST_CHECK;
