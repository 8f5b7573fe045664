// SPDX-License-Identifier: GPL-2.0-or-later
// One rtnetlink socket of a namespace and a conversation on it: one request, its answer or dump, its acknowledgement.
// Strict checking and extended acknowledgements are on. For set-up work; the route sinks batch on their own.
#pragma once

#include "lab/err.h"

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#define VNRS_RTNL_MSG_MAX 4096

// Numbers of such sockets. The kernel gives out process numbers and, after those, numbers counted down from the top:
// none is in this range.
#define VNRS_RTNL_PORTID_FIRST 0x564e0000u
#define VNRS_RTNL_PORTID_MASK  0xffff0000u

struct vnrs_rtnl {
    int fd;
    uint32_t seq;
    char refusal[160]; // extended acknowledgement of the last request, or empty
};

// A NETLINK_ROUTE socket opened in the namespace (-1: this one), with the options above, that only the kernel can send
// to (but to groups that it joins anybody with CAP_NET_ADMIN there can); the descriptor or a negative errno. Its number
// (nlmsg_pid) tells in notifications that a change was made by an agent.
int vnrs_rtnl_socket(int ns_fd) VNRS_MUST_CHECK;

// `nl` is closed or {.fd = -1} before.
int vnrs_rtnl_open(int ns_fd, struct vnrs_rtnl *nl) VNRS_MUST_CHECK;
void vnrs_rtnl_close(struct vnrs_rtnl *nl); // sets fd to -1

// Begin a message in `buf` of VNRS_RTNL_MSG_MAX bytes.
struct nlmsghdr *vnrs_rtnl_begin(void *buf, uint16_t type, uint16_t flags);
// Send it and read until its end. `cb` (may be NULL) sees every message of the answer; a negative return ends it.
// A dump that changed meanwhile is done again (`cb` sees objects twice), -EINTR after a few attempts. `cb` must not
// talk itself. Returns 0 or a negative errno.
int vnrs_rtnl_talk(struct vnrs_rtnl *nl, struct nlmsghdr *msg, int (*cb)(const struct nlmsghdr *msg, void *arg),
                   void *arg) VNRS_MUST_CHECK;
// Sets the sentence "<what>: <refusal or errno text>" and returns `code`.
int vnrs_rtnl_err(const struct vnrs_rtnl *nl, struct vnrs_err *err, int code, const char *what);
