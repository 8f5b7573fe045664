// SPDX-License-Identifier: GPL-2.0-or-later
// The decision for every kind of packet: one row = one packet from a NIC of the fixture, and what must become of it.
#pragma once

#include "fixture.h"

#define FORWARD VNRS_BPF_VERDICT_FORWARD
#define DROP    VNRS_BPF_VERDICT_DROP
#define A       "10.0.0.4" // of VM_A
#define A6      "fd00::4"

struct test_case {
    const char *what;
    unsigned from;
    struct spec packet;
    uint32_t gso_size;
    uint32_t verdict;
    uint32_t reason;
    uint32_t to;   // forwarded: ifindex
    uint32_t type; // forwarded: enum vnrs_nexthop_type
};

extern const struct test_case forward_cases[];
extern const size_t n_forward_cases;
