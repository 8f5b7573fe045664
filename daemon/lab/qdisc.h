// SPDX-License-Identifier: GPL-2.0-or-later
// The root queueing discipline of a link that is to be slow: netem (sch_netem.c) where there is delay, else tbf
// (sch_tbf.c). Ours carries a handle that tells; another one at the root is not touched. Many kernels lack one or both.
#pragma once

#include "lab/rtnl.h"
#include "vnrs/impair.h"

#define VNRS_QDISC_HANDLE 0x766e0000u // "vn"

// What the kernel of this machine can do. `nl` is of a namespace in which nobody minds: the root of its loopback link
// is used, and free again afterwards.
struct vnrs_qdisc_kinds {
    bool tbf, netem;
};
int vnrs_qdisc_probe(struct vnrs_rtnl *nl, struct vnrs_qdisc_kinds *ret_kinds) VNRS_MUST_CHECK;

// Makes the root of the link what rate, delay, jitter and (`with_loss`) loss of `impair` ask for; nothing: removes
// ours. 1: changed, 0: was right, or a negative errno with a sentence in `err`: -EOPNOTSUPP names what the kernel
// lacks, -EEXIST: the root is somebody else's.
int vnrs_qdisc_set(struct vnrs_rtnl *nl, uint32_t ifindex, const struct vnrs_impair *impair, bool with_loss,
                   struct vnrs_err *err) VNRS_MUST_CHECK;
// The request that makes it so, in `buf` of VNRS_RTNL_MSG_MAX bytes; NULL: none is wanted.
struct nlmsghdr *vnrs_qdisc_encode(void *buf, uint32_t ifindex, const struct vnrs_impair *impair, bool with_loss);
// Whether vnrs_qdisc_set would change nothing.
bool vnrs_qdisc_is_right(struct vnrs_rtnl *nl, uint32_t ifindex, const struct vnrs_impair *impair, bool with_loss);
