// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's own routing table as a reference for lookups: a namespace of its own, a next hop for each group, and the
// kernel's answer to the question which route it takes.
#pragma once

#include "fib/netlink.h"
#include "net/addr.h"

#include <stdbool.h>

struct kernel_fib {
    struct vnrs_nl *nl;
    uint32_t ifindex;
};

#define KERNEL_FIB_GROUPS_MAX 250

// The process is in the namespace afterwards that it was in before.
void kernel_fib_open(struct kernel_fib *fib);
void kernel_fib_close(struct kernel_fib *fib);
// `group` 0: the route is removed, and was there.
void kernel_fib_set(struct kernel_fib *fib, const struct vnrs_prefix *prefix, unsigned group);
// 0: no route. Not for addresses that kernel_fib_knows() not.
unsigned kernel_fib_find(struct kernel_fib *fib, const struct vnrs_addr *addr);
// False: the kernel does not ask its routes about it (RFC 1122 3.2.1.3, RFC 4291 2.5).
bool kernel_fib_knows(const struct vnrs_addr *addr);
