// SPDX-License-Identifier: GPL-2.0-or-later
// How many instructions a packet takes in a build for user space (native.h): steady on a busy machine, where times are
// not. The packet is handled by a child process that is stepped through one instruction at a time.
#pragma once

#include "fib/bpf_dataplane.h"
#include "packet.h"

void native_open(const struct vnrs_bpf_dataplane *dp); // copies its maps; nodes of the first chunk alone
void native_close(void);
// A packet from VM_A that is forwarded: when nothing of the kind was decided before, and right after that.
void native_measure(const struct spec *spec, unsigned *ret_first, unsigned *ret_next);
