// SPDX-License-Identifier: GPL-2.0-or-later
// How long the calling thread waits for a processor that others use. Since Linux 6.12 a thread that asks for shorter
// slices takes the processor from one that runs in longer ones as soon as it has something to do; otherwise it may have
// to wait for the next tick, 4 ms at 250 Hz. Its share of the time stays what it was. Older kernels take no notice.
//
// A chain of processes that hand something on gets shorter slices towards its end: the one that has just told the next
// goes on with less urgent work, and the kernel lets it, on the very processor that the next one has been woken for.
#pragma once

#include "util/macros.h"

#include <stdbool.h>

// From who hears of something to who acts on it.
#define VNRS_SCHED_SPEAKER_US    400u
#define VNRS_SCHED_CONTROLLER_US 200u
#define VNRS_SCHED_AGENT_US      100u // the kernel's least; also of the thread for BFD, which must be in time

// `inherited`: threads and children that the caller starts have it, too; else they have what everybody has. A thread
// with a policy of its own (chrt(1)) keeps that. Returns 0 or a negative errno.
int vnrs_sched_set_slice(unsigned us, bool inherited) VNRS_MUST_CHECK;
