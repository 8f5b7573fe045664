// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/chan.h"

#include "util/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>

#define MESSAGES_PER_TURN 64

struct out {
    STAILQ_ENTRY(out) entry;
    size_t len;
    char bytes[];
};

struct vnrs_chan {
    int fd;
    size_t max;
    const struct vnrs_chan_ops *ops;
    void *arg;
    struct event *read, *write;
    char *buf;
    STAILQ_HEAD(, out) queue;
    bool *freed; // set when the channel is freed while it is in a callback
};

static void lose(struct vnrs_chan *chan, int err)
{
    event_del(chan->read);
    event_del(chan->write);
    chan->ops->lost(chan->arg, err);
}

static void on_write(int fd, short what, void *arg)
{
    struct vnrs_chan *chan = arg;
    struct out *out;

    (void)fd, (void)what;
    while ((out = STAILQ_FIRST(&chan->queue))) {
        struct iovec part = {out->bytes, out->len};
        int r = vnrs_msg_send(chan->fd, &part, 1, NULL, 0);
        if (r == -EAGAIN) {
            event_add(chan->write, NULL);
            return;
        }
        if (r < 0) {
            lose(chan, r);
            return;
        }
        STAILQ_REMOVE_HEAD(&chan->queue, entry);
        free(out);
    }
}

static void on_read(int fd, short what, void *arg)
{
    struct vnrs_chan *chan = arg;
    bool freed = false;

    (void)fd, (void)what;
    chan->freed = &freed;
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        int passed = -1;
        size_t n = 1;
        ssize_t len = vnrs_msg_recv(chan->fd, chan->buf, chan->max, &passed, &n);
        int r = 0;
        if (len == -EAGAIN)
            break;
        if (len > 0)
            r = chan->ops->message(chan->arg, chan->buf, (size_t)len, n ? passed : -1);
        if (freed)
            return;
        if (len <= 0 || r < 0) {
            chan->freed = NULL;
            lose(chan, len < 0 ? (int)len : len == 0 ? -ECONNRESET : r);
            return;
        }
    }
    chan->freed = NULL;
}

struct vnrs_chan *vnrs_chan_new(struct event_base *base, int fd, size_t max, const struct vnrs_chan_ops *ops, void *arg)
{
    struct vnrs_chan *chan = calloc(1, sizeof(*chan));

    if (!chan) {
        (void)close(fd);
        return NULL;
    }
    *chan = (struct vnrs_chan){.fd = fd, .max = max, .ops = ops, .arg = arg, .buf = malloc(max)};
    STAILQ_INIT(&chan->queue);
    chan->read = event_new(base, fd, EV_READ | EV_PERSIST, on_read, chan);
    chan->write = event_new(base, fd, EV_WRITE, on_write, chan);
    if (!chan->buf || !chan->read || !chan->write || vnrs_fd_set_nonblock(fd, true) < 0 ||
        event_add(chan->read, NULL) < 0) {
        vnrs_chan_free(chan);
        return NULL;
    }
    return chan;
}

void vnrs_chan_free(struct vnrs_chan *chan)
{
    struct out *out;

    if (!chan)
        return;
    if (chan->freed)
        *chan->freed = true;
    while ((out = STAILQ_FIRST(&chan->queue))) {
        STAILQ_REMOVE_HEAD(&chan->queue, entry);
        free(out);
    }
    if (chan->read)
        event_free(chan->read);
    if (chan->write)
        event_free(chan->write);
    (void)close(chan->fd);
    free(chan->buf);
    free(chan);
}

int vnrs_chan_send(struct vnrs_chan *chan, const struct iovec *parts, size_t n_parts)
{
    size_t len = 0;

    for (size_t i = 0; i < n_parts; i++)
        len += parts[i].iov_len;
    struct out *out = malloc(sizeof(*out) + len);
    if (!out)
        return -ENOMEM;
    out->len = 0;
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].iov_len)
            memcpy(out->bytes + out->len, parts[i].iov_base, parts[i].iov_len);
        out->len += parts[i].iov_len;
    }
    STAILQ_INSERT_TAIL(&chan->queue, out, entry);
    // Written from the loop, so that a failure never frees what the caller works on.
    event_active(chan->write, EV_WRITE, 0);
    return 0;
}
