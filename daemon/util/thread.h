// SPDX-License-Identifier: GPL-2.0-or-later
// Threads beside a main loop.
#pragma once

#include "util/macros.h"

#include <pthread.h>
#include <stddef.h>

#define VNRS_THREAD_STACK_BYTES (256u << 10)

// Starts `run(arg)` with a small stack and all signals blocked: they are the main loop's business. The caller joins or
// detaches it. Returns 0 or a negative errno.
int vnrs_thread_start(pthread_t *ret_thread, void *(*run)(void *), void *arg) VNRS_MUST_CHECK;
