// SPDX-License-Identifier: GPL-2.0-or-later
// Sockets for rtnetlink notifications. The kernel shows every notification to every socket that joined its group, in
// whatever namespace: with one socket for each of 4,000 machines, each new link costs 4,000 looks. So there is a socket
// that hears all namespaces which were given a number (RTM_NEWNSID) in its own, and its own has no name and nothing
// else in it. Needs CAP_NET_BROADCAST in the namespaces heard (and without CAP_SYS_ADMIN there is none to give numbers
// to).
#pragma once

#include "lab/rtnl.h"

struct vnrs_notify_groups {
    bool links;      // links, addresses, queueing disciplines, filters, and settings of all links
    bool routes;     // routes, next hops and rules of any protocol
    bool own_routes; // only routes with our protocol, and those that replaced one of any
    bool neighbours; // and settings of single links: with the kernel's data plane
};

// A socket that hears the namespace `ns_fd` (-1: this one); the descriptor or a negative errno.
int vnrs_notify_open(int ns_fd, const struct vnrs_notify_groups *groups) VNRS_MUST_CHECK;
// The same for nftables, whose notifications do not tell who made a change.
int vnrs_notify_open_nft(int ns_fd) VNRS_MUST_CHECK;
// One that hears all groups but neighbours (routes as with own_routes) of every namespace that gets a number by
// vnrs_notify_number with `*ret_nl`, a socket for requests beside it that the caller closes. The descriptor or a
// negative errno.
int vnrs_notify_open_all(struct vnrs_rtnl *ret_nl) VNRS_MUST_CHECK;
// The number of a namespace from now on, for as long as it is there; the same when asked again. Or a negative errno.
// `first`: there will be many more notifications of this namespace than of others.
int vnrs_notify_number(struct vnrs_rtnl *nl, int ns_fd, bool first) VNRS_MUST_CHECK;

// `number` -1: the socket's own namespace.
typedef void (*vnrs_notify_fn)(const struct nlmsghdr *msg, int number, void *arg);
// Reads what one datagram holds. 1: there may be more, 0: nothing waits, -ENOBUFS: some were lost, and there may be
// more.
int vnrs_notify_read(int fd, vnrs_notify_fn fn, void *arg) VNRS_MUST_CHECK;
