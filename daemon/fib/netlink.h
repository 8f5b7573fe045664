// SPDX-License-Identifier: GPL-2.0-or-later
// rtnetlink over a socket that somebody opened in the right namespace: strict checking, extended and capped ACKs, a
// large receive buffer; queued writes sent in batches with the acknowledgement asked of the last message only (the
// kernel answers each failed message anyway; answers are matched by sequence number); dumps restarted when the kernel
// says that they were interrupted. rtnetlink answers before sendmsg returns, so nothing here ever waits: an answer that
// is not there was dropped for lack of buffer and is reported as -ENOBUFS, after which the caller reads back. All
// sockets share what holds one batch and one answer: a socket takes some 100 bytes, and the process must have one
// thread.
#pragma once

#include "util/macros.h"

#include <libmnl/libmnl.h>
#include <stdint.h>

#define VNRS_NL_BATCH_MAX 512
#define VNRS_NL_MSG_MAX   4096 // bytes, the longest message of ours

// Storage for one message.
struct vnrs_nlmsg {
    _Alignas(NLMSG_ALIGNTO) char bytes[VNRS_NL_MSG_MAX];
};

struct vnrs_nl;

// A queued message was refused. `text`: the kernel's own words, or those of the errno.
typedef void (*vnrs_nl_error_fn)(void *arg, uint64_t cookie, int error, const char *text);

int vnrs_nl_new(int fd, struct vnrs_nl **ret_nl) VNRS_MUST_CHECK; // takes `fd`, also on failure
void vnrs_nl_free(struct vnrs_nl *nl);                            // accepts NULL
int vnrs_nl_fd(const struct vnrs_nl *nl);

// Who hears of refused messages from now on; whatever is queued is sent first.
int vnrs_nl_handler_set(struct vnrs_nl *nl, vnrs_nl_error_fn fn, void *arg) VNRS_MUST_CHECK;
// Copy a message into the batch and send the batch when it is full. Refusals go to the handler, not here: a negative
// errno means that the socket itself failed and nothing is known about the queued messages.
int vnrs_nl_queue(struct vnrs_nl *nl, const struct vnrs_nlmsg *msg, uint64_t cookie) VNRS_MUST_CHECK;
int vnrs_nl_flush(struct vnrs_nl *nl) VNRS_MUST_CHECK;
uint64_t vnrs_nl_written(const struct vnrs_nl *nl); // messages that the kernel accepted so far

// Ask for many objects: `each` gets every message; a negative return of it ends the dump. `restart` is called before
// every attempt: forget what came so far. Nothing may be queued, and `each` may use no socket of these.
int vnrs_nl_dump(struct vnrs_nl *nl, const struct vnrs_nlmsg *request, void (*restart)(void *arg),
                 int (*each)(const struct nlmsghdr *msg, void *arg), void *arg) VNRS_MUST_CHECK;
// Ask for one object. Returns 0 or the kernel's errno.
int vnrs_nl_get(struct vnrs_nl *nl, const struct vnrs_nlmsg *request,
                int (*each)(const struct nlmsghdr *msg, void *arg), void *arg) VNRS_MUST_CHECK;
