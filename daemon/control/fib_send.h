// SPDX-License-Identifier: GPL-2.0-or-later
// What a lab's sinks are to be told goes to the agent, and what comes back decides when the lab is reached: answers of
// the fabric at once, and those about guest tables, which follow behind it, when they are done. A failure of either
// leads to a synchronisation after a while.
#pragma once

#include "util/macros.h"

#include <stddef.h>

struct vnrs_lab;

#define VNRS_FIB_OUTSTANDING_MAX 8u // messages to the agent before the next slice waits

// A vnrs_fib_emit; `arg`: struct vnrs_lab.
int vnrs_fib_send(void *arg, unsigned kind, const void *items, size_t n) VNRS_MUST_CHECK;
// Nothing is outstanding.
void vnrs_fib_round_end(struct vnrs_lab *lab);
// It does not fit. The sinks keep what they have, and go on forwarding by that, until there is less.
int vnrs_fib_refused(struct vnrs_lab *lab) VNRS_MUST_CHECK;
