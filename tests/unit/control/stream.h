// SPDX-License-Identifier: GPL-2.0-or-later
// A client of the API whose answer goes on and on: packets that are watched or captured in the lab `small` of labs.h.
#pragma once

#include "control/labs.h"

struct stream {
    int fd;
    size_t len;
    char bytes[1 << 20]; // with a NUL behind them
};

static inline void up(struct fixture *f, const char *text)
{
    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, text);
}

static inline void hear(struct stream *s)
{
    ssize_t n;

    while ((n = recv(s->fd, s->bytes + s->len, sizeof(s->bytes) - 1 - s->len, MSG_DONTWAIT)) > 0)
        s->len += (size_t)n;
    s->bytes[s->len] = '\0';
}

static inline unsigned count(const struct stream *s, const char *what)
{
    const char *at = s->bytes, *end = s->bytes + s->len;
    unsigned n = 0;

    while ((at = memmem(at, (size_t)(end - at), what, strlen(what)))) {
        at += strlen(what);
        n++;
    }
    return n;
}

static inline bool has(const struct stream *s, const char *what)
{
    return memmem(s->bytes, s->len, what, strlen(what));
}

// Asks for /v1/labs/l/<what>.
static inline struct stream *stream_open(struct fixture *f, const char *what)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct stream *s = calloc(1, sizeof(*s));
    char head[256];

    assert_non_null(s);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
    assert_int_equal(connect(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    (void)snprintf(head, sizeof(head), "GET /v1/labs/l/%s HTTP/1.1\r\nHost: x\r\n\r\n", what);
    assert_int_equal(write(s->fd, head, strlen(head)), (ssize_t)strlen(head));
    return s;
}

// Gone, and the agent knows it.
static inline void leave(struct fixture *f, struct stream *s)
{
    size_t asked = f->agent.n_flows;

    (void)close(s->fd);
    free(s);
    RUN_UNTIL(f, f->agent.n_flows > asked);
}
