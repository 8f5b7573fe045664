// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/conn.h"

#include "agent/controller.h"
#include "agent/flows.h"
#include "agent/guests.h"
#include "agent/netns.h"
#include "agent/request.h"
#include "lab/ahead.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define SEND_BUFFER_BYTES  (4 << 20)
#define BATCH              16  // requests before others get their turn
#define AHEAD_MAX          128 // requests that are read before the first is handled: all that a controller sends
#define AHEAD_BYTES        (256 << 10) // before it has an answer, while they are not longer than that
#define IDLE_BACKLOG_BYTES (256 << 10)
#define RECORD_PIECE       (VNRS_AGENT_MSG_MAX - 1024)

struct out_msg {
    STAILQ_ENTRY(out_msg) entry;
    int fd; // to be attached; -1: none
    size_t len;
    char bytes[];
};

struct in_msg {
    STAILQ_ENTRY(in_msg) entry;
    struct vnrs_agentd_msg msg; // points into `bytes`
    int code;                   // of the check, with `err`
    struct vnrs_err err;
    size_t len;
    char bytes[] __attribute__((aligned(16)));
};

struct vnrs_agentd_conn {
    struct vnrs_agentd *ad;
    int fd;
    struct event *readable, *writable;
    STAILQ_HEAD(, out_msg) queue;
    STAILQ_HEAD(, in_msg) incoming;
    size_t n_incoming, incoming_bytes;
    bool ended; // nothing comes behind `incoming`
    int end_err;
    bool broken; // ends at the next turn of the loop
    char buf[VNRS_AGENT_MSG_MAX] __attribute__((aligned(16)));
};

static void break_off(struct vnrs_agentd_conn *conn, const char *why)
{
    if (conn->broken)
        return;
    conn->broken = true;
    if (why)
        log_error("controller: %s", why);
    event_active(conn->readable, EV_READ, 0);
}

static int put_now(struct vnrs_agentd_conn *conn, const struct iovec *parts, size_t n_parts, int fd)
{
    return vnrs_msg_send(conn->fd, parts, n_parts, &fd, fd >= 0 ? 1 : 0);
}

static int queue_msg(struct vnrs_agentd_conn *conn, const struct iovec *parts, size_t n_parts, int fd)
{
    size_t len = 0, at = 0;

    for (size_t i = 0; i < n_parts; i++)
        len += parts[i].iov_len;
    struct out_msg *msg = malloc(sizeof(*msg) + len);
    if (!msg)
        return -ENOMEM;
    msg->len = len;
    msg->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (fd >= 0 && msg->fd < 0) {
        int err = -errno;
        free(msg);
        return err;
    }
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].iov_len)
            memcpy(msg->bytes + at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    if (STAILQ_EMPTY(&conn->queue)) {
        (void)event_add(conn->writable, NULL);
        (void)event_del(conn->readable);
    }
    STAILQ_INSERT_TAIL(&conn->queue, msg, entry);
    return 0;
}

static void send_msg(struct vnrs_agentd_conn *conn, const struct iovec *parts, size_t n_parts, int fd)
{
    if (!conn || conn->broken)
        return;
    int err = STAILQ_EMPTY(&conn->queue) ? put_now(conn, parts, n_parts, fd) : -EAGAIN;
    if (err == -EAGAIN)
        err = queue_msg(conn, parts, n_parts, fd);
    if (err < 0)
        break_off(conn, err == -EPIPE || err == -ECONNRESET ? NULL : strerror(-err));
}

static void drop_first(struct vnrs_agentd_conn *conn)
{
    struct out_msg *msg = STAILQ_FIRST(&conn->queue);

    STAILQ_REMOVE_HEAD(&conn->queue, entry);
    if (msg->fd >= 0)
        (void)close(msg->fd);
    free(msg);
}

// What goes out.

static struct vnrs_ag_hdr make_hdr(enum vnrs_agent_msg type, uint32_t seq, size_t count, size_t data_size)
{
    return (struct vnrs_ag_hdr){.proto = VNRS_AGENT_PROTO,
                                .type = (uint16_t)type,
                                .seq = seq,
                                .count = (uint32_t)count,
                                .data_size = (uint32_t)data_size};
}

static void send_event(struct vnrs_agentd_conn *conn, struct vnrs_ag_event event, const char *text)
{
    struct vnrs_ag_hdr hdr = make_hdr(VNRS_AG_EVENT, 0, 1, 0);
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {&event, sizeof(event)}};

    (void)snprintf(event.text, sizeof(event.text), "%s", text);
    send_msg(conn, parts, ARRAY_SIZE(parts), -1);
}

void vnrs_agentd_conn_event(struct vnrs_agentd_conn *conn, enum vnrs_ag_event_kind kind, const struct vnrs_ag_obj *obj,
                            const char *text)
{
    send_event(conn, (struct vnrs_ag_event){.kind = kind, .obj = *obj}, text);
}

void vnrs_agentd_conn_tunnel(struct vnrs_agentd_conn *conn, const struct vnrs_ag_obj *obj, enum vnrs_tunnel_state state,
                             const char *text)
{
    send_event(conn, (struct vnrs_ag_event){.kind = VNRS_AG_EV_TUNNEL, .tunnel = state, .obj = *obj}, text);
}

void vnrs_agentd_conn_speaker(struct vnrs_agentd_conn *conn, const struct vnrs_ag_obj *obj, pid_t pid, int control_fd)
{
    struct vnrs_ag_hdr hdr = make_hdr(VNRS_AG_SPEAKER, 0, 1, 0);
    struct vnrs_ag_speaker speaker = {.obj = *obj, .pid = pid};
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {&speaker, sizeof(speaker)}};

    send_msg(conn, parts, ARRAY_SIZE(parts), control_fd);
}

void vnrs_agentd_conn_items(struct vnrs_agentd_conn *conn, uint32_t seq, enum vnrs_agent_msg type, const void *items,
                            size_t size, size_t n)
{
    size_t room = (VNRS_AGENT_MSG_MAX - sizeof(struct vnrs_ag_hdr)) / size;

    for (size_t at = 0; at < n; at += room) {
        size_t count = MIN(room, n - at);
        struct vnrs_ag_hdr hdr = make_hdr(type, seq, count, 0);
        struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(char *)items + at * size, count * size}};
        send_msg(conn, parts, ARRAY_SIZE(parts), -1);
    }
}

void vnrs_agentd_conn_record(struct vnrs_agentd_conn *conn, uint32_t seq, const char *lab, const void *bytes,
                             size_t size)
{
    for (size_t at = 0; at < size; at += RECORD_PIECE) {
        size_t part = MIN((size_t)RECORD_PIECE, size - at);
        struct vnrs_ag_hdr hdr = make_hdr(VNRS_AG_RECORD, seq, 1, part);
        struct vnrs_ag_record record = {.total = (uint32_t)size, .offset = (uint32_t)at};
        struct iovec parts[] = {{&hdr, sizeof(hdr)}, {&record, sizeof(record)}, {(char *)bytes + at, part}};
        (void)snprintf(record.lab, sizeof(record.lab), "%s", lab);
        send_msg(conn, parts, ARRAY_SIZE(parts), -1);
    }
}

void vnrs_agentd_conn_reply(struct vnrs_agentd_conn *conn, uint32_t seq, const struct vnrs_ag_reply *reply, int fd)
{
    struct vnrs_ag_hdr hdr = make_hdr(VNRS_AG_REPLY, seq, 1, 0);
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(void *)reply, sizeof(*reply)}};

    send_msg(conn, parts, ARRAY_SIZE(parts), fd);
}

bool vnrs_agentd_conn_is_idle(const struct vnrs_agentd_conn *conn)
{
    int backlog = 0;

    return conn && !conn->broken && STAILQ_EMPTY(&conn->queue) && ioctl(conn->fd, SIOCOUTQ, &backlog) == 0 &&
           backlog < IDLE_BACKLOG_BYTES;
}

bool vnrs_agentd_conn_flows(struct vnrs_agentd_conn *conn, const struct vnrs_ag_flow_events *head, const void *events,
                            size_t size)
{
    struct vnrs_ag_hdr hdr = make_hdr(VNRS_AG_FLOW_EVENTS, 0, 1, size);
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(void *)head, sizeof(*head)}, {(void *)events, size}};

    return vnrs_agentd_conn_is_idle(conn) && put_now(conn, parts, ARRAY_SIZE(parts), -1) >= 0;
}

// What comes in.

static void on_request(struct vnrs_agentd_conn *conn, const struct in_msg *in)
{
    if (in->code == -EPROTO) {
        break_off(conn, in->err.text);
        return;
    }
    if (in->code == 0) {
        vnrs_agentd_request(conn->ad, &in->msg);
        return;
    }
    struct vnrs_ag_reply reply = {.error = in->code};
    (void)snprintf(reply.text, sizeof(reply.text), "%s", in->err.text);
    vnrs_agentd_conn_reply(conn, in->msg.hdr.seq, &reply, -1);
}

static void end(struct vnrs_agentd_conn *conn, int err)
{
    conn->ended = true;
    conn->end_err = err;
}

static bool read_one(struct vnrs_agentd_conn *conn)
{
    ssize_t len = vnrs_msg_recv(conn->fd, conn->buf, sizeof(conn->buf), NULL, NULL);
    struct in_msg *in = len > 0 ? malloc(sizeof(*in) + (size_t)len) : NULL;

    if (!in) {
        if (len != -EAGAIN)
            end(conn, len > 0 ? -ENOMEM : (int)len);
        return false;
    }
    *in = (struct in_msg){.len = (size_t)len};
    memcpy(in->bytes, conn->buf, in->len);
    in->code = vnrs_agentd_check(in->bytes, in->len, &in->msg, &in->err);
    if (in->code == 0 && !STAILQ_EMPTY(&conn->incoming)) // the first one is handled at once
        vnrs_agentd_netns_ahead(conn->ad, &in->msg);
    STAILQ_INSERT_TAIL(&conn->incoming, in, entry);
    conn->n_incoming++;
    conn->incoming_bytes += in->len;
    return true;
}

static void read_ahead(struct vnrs_agentd_conn *conn)
{
    while (!conn->ended && conn->n_incoming < AHEAD_MAX && conn->incoming_bytes < AHEAD_BYTES && read_one(conn))
        continue;
}

static struct in_msg *take_request(struct vnrs_agentd_conn *conn)
{
    struct in_msg *in = STAILQ_FIRST(&conn->incoming);

    if (!in)
        return NULL;
    STAILQ_REMOVE_HEAD(&conn->incoming, entry);
    conn->n_incoming--;
    conn->incoming_bytes -= in->len;
    return in;
}

// What was read already makes the descriptor readable no more.
static void go_on(struct vnrs_agentd_conn *conn)
{
    if (STAILQ_EMPTY(&conn->queue) && !STAILQ_EMPTY(&conn->incoming))
        event_active(conn->readable, EV_READ, 0);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_conn *conn = arg;
    struct vnrs_agentd *ad = conn->ad;

    (void)fd, (void)what;
    for (int i = 0; i < BATCH && !conn->broken && STAILQ_EMPTY(&conn->queue); i++) {
        read_ahead(conn);
        _free_ struct in_msg *in = take_request(conn);
        if (in)
            on_request(conn, in);
        else if (conn->ended)
            break_off(conn, conn->end_err == 0 || conn->end_err == -ECONNRESET ? NULL : strerror(-conn->end_err));
        else
            return;
    }
    if (conn->broken) {
        ad->conn = NULL;
        vnrs_agentd_conn_free(conn);
        vnrs_agentd_controller_lost(ad);
        return;
    }
    go_on(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_conn *conn = arg;

    (void)fd, (void)what;
    while (!STAILQ_EMPTY(&conn->queue)) {
        struct out_msg *msg = STAILQ_FIRST(&conn->queue);
        struct iovec part = {msg->bytes, msg->len};
        int err = put_now(conn, &part, 1, msg->fd);
        if (err == -EAGAIN)
            return;
        drop_first(conn);
        if (err < 0) {
            break_off(conn, NULL);
            break;
        }
    }
    (void)event_del(conn->writable);
    (void)event_add(conn->readable, NULL);
    go_on(conn);
}

int vnrs_agentd_conn_new(struct vnrs_agentd *ad, int fd, struct vnrs_agentd_conn **ret_conn)
{
    struct vnrs_agentd_conn *conn = calloc(1, sizeof(*conn));
    int size = SEND_BUFFER_BYTES;

    if (!conn) {
        (void)close(fd);
        return -ENOMEM;
    }
    conn->ad = ad;
    conn->fd = fd;
    STAILQ_INIT(&conn->queue);
    STAILQ_INIT(&conn->incoming);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    int err = vnrs_fd_set_nonblock(fd, true);
    conn->readable = event_new(ad->base, fd, EV_READ | EV_PERSIST, on_readable, conn);
    conn->writable = event_new(ad->base, fd, EV_WRITE | EV_PERSIST, on_writable, conn);
    if (err == 0 && (!conn->readable || !conn->writable || event_add(conn->readable, NULL) < 0))
        err = -ENOMEM;
    if (err < 0) {
        vnrs_agentd_conn_free(conn);
        return err;
    }
    *ret_conn = conn;
    return 0;
}

void vnrs_agentd_conn_free(struct vnrs_agentd_conn *conn)
{
    if (!conn)
        return;
    vnrs_agentd_guests_forget_all(conn->ad);
    vnrs_agentd_flows_stop_all(conn->ad); // for another controller, as far as it knows, nobody wants to see packets
    while (!STAILQ_EMPTY(&conn->queue))
        drop_first(conn);
    for (struct in_msg *in; (in = take_request(conn));)
        free(in);
    conn->ad->ahead = vnrs_ahead_free(conn->ad->ahead); // nobody asks for what was made any more
    if (conn->readable)
        event_free(conn->readable);
    if (conn->writable)
        event_free(conn->writable);
    (void)close(conn->fd);
    free(conn);
}
