// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel's data plane counts by itself: a table of nftables between the checks and their verdicts
// (kernel_fabric.c) has a counter for each pair of NICs that had a packet, twice: those that the receiver has the
// address of, and those that it is only the next hop of; and one for each reason to drop. From that follow billing
// classes. What is too big is not counted, and next hop types are not known.
#pragma once

#include "util/hash.h"
#include "vnrs/billing.h"
#include "vnrs/fib.h"

#include <stdbool.h>

#define VNRS_KERNEL_COUNT_TABLE "vnrs_count"
#define VNRS_KERNEL_MARK_DROP   0x10000u // and enum vnrs_drop_reason
#define VNRS_KERNEL_MARK_PASS   0x20000u // and 1: the receiver has the address

struct vnrs_kernel_count {
    bool dropped;
    uint32_t reason;           // dropped
    uint32_t from, to;         // else ifindexes
    enum vnrs_billing billing; // of them
    uint64_t packets, bytes;
};

struct vnrs_kernel_counting {
    uint32_t (*ifindex)(void *arg, const char *link); // in the fabric; 0: there is none
    void (*count)(void *arg, const struct vnrs_kernel_count *count);
    void *arg;
};

// The class of packets that one NIC sends to another, which has the address (`own`) or is the next hop. Pure.
enum vnrs_billing vnrs_kernel_counters_class(const struct vnrs_bpf_nic *from, const struct vnrs_bpf_nic *to, bool own);
// `listing`: the table as nft lists it. `nics`: struct vnrs_fib_nic by ifindex; pairs with others are left out. Pure
// but for the callbacks.
void vnrs_kernel_counters_read(const char *listing, const struct vnrs_map *nics,
                               const struct vnrs_kernel_counting *counting);
