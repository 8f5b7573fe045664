// SPDX-License-Identifier: GPL-2.0-or-later
// One end of a SOCK_SEQPACKET pair in the event loop: whole messages in and out, what does not fit into the socket is
// queued. It knows nothing of what is in a message.
#pragma once

#include "util/macros.h"

#include <event2/event.h>

#include <sys/uio.h>

struct vnrs_chan;

struct vnrs_chan_ops {
    // One message, with at most one descriptor (-1: none), which is the callee's. A negative errno closes the channel.
    int (*message)(void *arg, const void *bytes, size_t len, int fd);
    // The other side is gone, or a message was wrong. The channel is to be freed; it may be freed in here.
    void (*lost)(void *arg, int err);
};

// Takes `fd` (also on failure). Messages longer than `max` are an error.
struct vnrs_chan *vnrs_chan_new(struct event_base *base, int fd, size_t max, const struct vnrs_chan_ops *ops,
                                void *arg) VNRS_MUST_CHECK;
void vnrs_chan_free(struct vnrs_chan *chan); // accepts NULL

// Queue one message. Returns 0 or -ENOMEM. Nothing is reported when the other side is gone; `lost` comes then.
int vnrs_chan_send(struct vnrs_chan *chan, const struct iovec *parts, size_t n_parts);
