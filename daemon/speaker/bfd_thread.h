// SPDX-License-Identifier: GPL-2.0-or-later
// The one thread besides the main loop: it runs a BFD engine (bfd_engine.h) until told to quit. Started before the
// sandbox is closed, whose filter then holds for it as well.
#pragma once

#include "util/macros.h"

struct vnrs_bfd_thread;

// *ret_pair is the other end of the engine's pair, non-blocking, the caller's. 0 or a negative errno.
int vnrs_bfd_thread_start(struct vnrs_bfd_thread **ret_thread, int *ret_pair) VNRS_MUST_CHECK;
// Closes `pair`, which tells the engine to quit, and waits for the thread. Accepts NULL.
void vnrs_bfd_thread_stop(struct vnrs_bfd_thread *thread, int pair);
