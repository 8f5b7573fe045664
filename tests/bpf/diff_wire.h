// SPDX-License-Identifier: GPL-2.0-or-later
// Frames on real links: a fabric namespace and one namespace with the machines' ends of all its NICs, where a packet
// socket sends and receives. What a frame leads to is known as soon as the call returns, without waiting for a time to
// pass: two frames on a link of their own follow each through the same queue.
//
//   guests: g16 ── f16 :fabric          the ends in the fabric have the numbers that the controller gives
//           g17 ── f17
//           s0 ─┐
//           s1 ─┘ the frames that follow
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WIRE_FRAME_MAX    9100
#define WIRE_ARRIVALS_MAX 16

struct wire_arrival {
    uint32_t ifindex; // of the fabric's end
    size_t len;
    uint8_t bytes[WIRE_FRAME_MAX];
};

struct wire {
    int fabric_fd, guest_fd; // namespaces
    int sock;
    uint32_t first, n;
    int follow_ifindex;
    size_t n_arrivals;
    struct wire_arrival arrivals[WIRE_ARRIVALS_MAX];
};

// Makes links `first`.. in a new namespace, which the process is then in.
void wire_open(struct wire *wire, uint32_t first, uint32_t n);
void wire_close(struct wire *wire);
// Both ends, which are up then; `mtus` are of links `first`.., NULL: 1500.
void wire_set_mtus(struct wire *wire, const unsigned *mtus);
// Send from the machine behind a link, and collect what arrives anywhere. Returns 0, or a negative errno of sending.
int wire_send(struct wire *wire, uint32_t ifindex, const void *frame, size_t len);
