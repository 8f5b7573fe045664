// SPDX-License-Identifier: GPL-2.0-or-later
// rtnetlink messages that put a program at the ingress of a link. Pure.
#pragma once

#include "fib/netlink.h"

// Ours among the filters of a link.
#define VNRS_NLFILTER_HANDLE   0x766e7273
#define VNRS_NLFILTER_PRIORITY 1

// The qdisc that filters at the ingress belong to. Refused with -EEXIST where there is one, which serves as well.
void vnrs_nlfilter_encode_ingress(uint32_t ifindex, struct vnrs_nlmsg *ret_msg);
// Our filter, new or in the place of the one that is there. `program`: descriptor of a classifier.
void vnrs_nlfilter_encode(uint32_t ifindex, int program, struct vnrs_nlmsg *ret_msg);
