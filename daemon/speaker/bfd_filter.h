// SPDX-License-Identifier: GPL-2.0-or-later
// Which datagrams get into the queue of a BFD socket, as a classic BPF program that the kernel runs: those of a peer
// with a session, of the right version and length, and single hop with the TTL of a neighbour (RFC 5881 section 5). A
// flood of anything else cannot fill the queue. Everything is checked again when it is read. Pure.
#pragma once

#include "util/macros.h"
#include "vnrs/addr.h"

#include <linux/filter.h>
#include <stdbool.h>

#define VNRS_BFD_FILTER_FIXED 11u // instructions
#define VNRS_BFD_FILTER_PEER  9u  // at most, for each peer

// All peers are of one family. `ret` has room for FIXED + n * PEER instructions. Returns how many there are.
size_t vnrs_bfd_filter_build(const struct vnrs_addr *peers, size_t n, bool single_hop, struct sock_filter *ret);
