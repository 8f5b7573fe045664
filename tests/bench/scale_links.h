// SPDX-License-Identifier: GPL-2.0-or-later
// Many namespaces and veth pairs, made as fast as one thread can make them. What goes wrong ends the program.
#pragma once

#include <stdbool.h>

struct mnl_socket;

void scale_must(bool ok, const char *what); // else the errno is printed
double scale_now(void);                     // seconds
double scale_cpu(void);                     // seconds of this process
int scale_namespace_own(void);              // a descriptor
struct mnl_socket *scale_netlink(void);     // in the namespace of the caller
void scale_up(const char *ifname);

// Where ifindexes are 0 the kernel chooses.
struct scale_pair {
    const char *ifname, *peer;
    unsigned index, peer_index;
    int peer_ns;
};

// The first end is in the namespace of `nl` and up; the other one is down: the kernel makes it first, when it cannot be
// up yet.
void scale_pair_make(struct mnl_socket *nl, const struct scale_pair *pair);
