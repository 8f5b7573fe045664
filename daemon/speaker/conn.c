// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/conn.h"

#include "bgp/adj_out.h"
#include "net/addr.h"
#include "speaker/protect.h"
#include "util/fd.h"
#include "util/log.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

struct vnrs_conn {
    struct vnrs_speakerd *sp;
    struct vnrs_conn *next;         // in `lingering`
    struct vnrs_bgp_member *member; // NULL: lingering
    enum vnrs_bgp_side side;
    int fd;
    bool connecting, dead;
    struct event *read, *write, *linger;
    size_t in_len, out_len;
    uint8_t in[VNRS_CONN_IN_BYTES];
    uint8_t out[VNRS_CONN_OUT_BYTES];
};

static void on_read(evutil_socket_t fd, short what, void *arg);
static void on_write(evutil_socket_t fd, short what, void *arg);
static void on_linger(evutil_socket_t fd, short what, void *arg);

static void conn_free(struct vnrs_conn *c)
{
    if (!c)
        return;
    if (c->read)
        event_free(c->read);
    if (c->write)
        event_free(c->write);
    if (c->linger)
        event_free(c->linger);
    if (c->fd >= 0)
        (void)close(c->fd);
    free(c);
}

// Consumes the descriptor, also on failure.
static struct vnrs_conn *conn_new(struct vnrs_speakerd *sp, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, int fd)
{
    struct vnrs_conn *c = malloc(sizeof(*c));

    if (!c) {
        (void)close(fd);
        return NULL;
    }
    memset(c, 0, offsetof(struct vnrs_conn, in));
    c->sp = sp;
    c->member = m;
    c->side = side;
    c->fd = fd;
    c->read = event_new(sp->base, fd, EV_READ | EV_PERSIST, on_read, c);
    c->write = event_new(sp->base, fd, EV_WRITE, on_write, c);
    c->linger = evtimer_new(sp->base, on_linger, c);
    if (!c->read || !c->write || !c->linger) {
        conn_free(c);
        return NULL;
    }
    sp->conns[m->slot][side] = c;
    return c;
}

// The slot is free at once; the rest of the connection goes on by itself.
static void conn_detach(struct vnrs_conn *c)
{
    struct vnrs_speakerd *sp = c->sp;

    sp->conns[c->member->slot][c->side] = NULL;
    c->member = NULL;
    c->next = sp->lingering;
    sp->lingering = c;
}

socklen_t vnrs_conn_sockaddr(const struct vnrs_addr *addr, uint16_t port, struct sockaddr_storage *ret_ss)
{
    *ret_ss = (struct sockaddr_storage){0};
    if (addr->family == VNRS_AF_IPV6) {
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret_ss;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);
        memcpy(&sin6->sin6_addr, addr->bytes, 16);
        return sizeof(*sin6);
    }
    struct sockaddr_in *sin = (struct sockaddr_in *)ret_ss;
    sin->sin_family = AF_INET;
    sin->sin_port = htons(port);
    memcpy(&sin->sin_addr, addr->bytes, 4);
    return sizeof(*sin);
}

struct vnrs_addr vnrs_conn_addr(const struct sockaddr_storage *ss)
{
    struct vnrs_addr addr = {0};

    if (ss->ss_family == AF_INET) {
        addr.family = VNRS_AF_IPV4;
        memcpy(addr.bytes, &((const struct sockaddr_in *)ss)->sin_addr, 4);
    } else if (ss->ss_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)ss)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(a);
        addr.family = mapped ? VNRS_AF_IPV4 : VNRS_AF_IPV6;
        memcpy(addr.bytes, a->s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
    }
    return addr;
}

static uint16_t port_of(const struct sockaddr_storage *ss)
{
    uint16_t port = 0;

    static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port), "same place");
    memcpy(&port, (const uint8_t *)ss + offsetof(struct sockaddr_in, sin_port), sizeof(port));
    return ntohs(port);
}

void vnrs_conn_ports(const struct vnrs_speakerd *sp, const struct vnrs_bgp_member *m, enum vnrs_bgp_side side,
                     uint16_t *ret_local, uint16_t *ret_remote)
{
    const struct vnrs_conn *c = sp->conns[m->slot][side];
    struct sockaddr_storage local = {0}, remote = {0};
    socklen_t local_len = sizeof(local), remote_len = sizeof(remote);

    *ret_local = c && getsockname(c->fd, (struct sockaddr *)&local, &local_len) == 0 ? port_of(&local) : 0;
    *ret_remote = c && getpeername(c->fd, (struct sockaddr *)&remote, &remote_len) == 0 ? port_of(&remote) : 0;
}

static void note_ports(const struct vnrs_speakerd *sp, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    struct vnrs_bgp_ends *ends = &m->peer.ends[side];
    vnrs_conn_ports(sp, m, side, &ends->local_port, &ends->remote_port);
}

static int socket_prepare(int fd, const struct vnrs_bgp_member *m)
{
    int on = 1, err = vnrs_fd_set_nonblock(fd, true);

    if (err < 0)
        return err;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        return -errno;
    return vnrs_protect_connection(fd, &m->conf);
}

static int socket_connect(int fd, const struct vnrs_bgp_member *m)
{
    struct sockaddr_storage local, remote;
    socklen_t local_len = vnrs_conn_sockaddr(vnrs_bgp_member_local(m), 0, &local);
    socklen_t remote_len = vnrs_conn_sockaddr(&m->conf.addr, m->conf.port ? m->conf.port : VNRS_BGP_PORT, &remote);
    int err = socket_prepare(fd, m);

    if (err < 0)
        return err;
    if (bind(fd, (struct sockaddr *)&local, local_len) < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&remote, remote_len) < 0 && errno != EINPROGRESS)
        return -errno;
    return 0;
}

static void connect_failed(struct vnrs_bgp_member *m, int err)
{
    char why[VNRS_BGP_ERROR_TEXT_MAX];

    (void)snprintf(why, sizeof(why), VNRS_CANNOT_CONNECT "%s", strerror(-err));
    vnrs_bgp_peer_disconnected(&m->peer, vnrs_clock_ms(), VNRS_BGP_OUT, why);
}

void vnrs_conn_connect(struct vnrs_speakerd *sp, struct vnrs_bgp_member *m, int fd)
{
    struct vnrs_conn *c = conn_new(sp, m, VNRS_BGP_OUT, fd);
    int err = c ? socket_connect(fd, m) : -ENOMEM;

    if (err == 0) {
        c->connecting = true;
        err = event_add(c->write, NULL) < 0 ? -ENOMEM : 0;
    }
    if (err < 0) // closes what there is
        connect_failed(m, err);
}

// The listening socket may be on every address of the instance; a session has one.
static bool is_to(int fd, const struct vnrs_addr *local)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return false;
    struct vnrs_addr addr = vnrs_conn_addr(&ss);
    return vnrs_addr_equal(&addr, local);
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    struct vnrs_speakerd *sp = arg;
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    _close_ int fd = accept4(listener, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (fd < 0)
        return;
    struct vnrs_addr addr = vnrs_conn_addr(&ss);
    struct vnrs_bgp_member *m = vnrs_bgp_speaker_find_addr(sp->core, &addr);
    uint64_t now = vnrs_clock_ms();
    if (m && !sp->stopping && is_to(fd, vnrs_bgp_member_local(m)) && socket_prepare(fd, m) == 0 &&
        vnrs_protect_is_trusted(fd, &m->conf) && vnrs_bgp_peer_accept(&m->peer, now) == 0) {
        struct vnrs_conn *c = conn_new(sp, m, VNRS_BGP_IN, TAKE_FD(fd));
        note_ports(sp, m, VNRS_BGP_IN);
        if (c && (sp->reading_paused || event_add(c->read, NULL) == 0))
            vnrs_bgp_peer_accepted(&m->peer, now);
        else if (c)
            vnrs_conn_close(sp, m, VNRS_BGP_IN);
    }
    vnrs_speakerd_settle(sp);
}

int vnrs_conn_listen(struct vnrs_speakerd *sp)
{
    int fd = VNRS_SPEAKER_FD_LISTEN, listening = 0;
    socklen_t len = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return errno == EBADF ? 0 : -errno; // no listening socket: sessions are opened by us only
    if (!listening && listen(fd, SOMAXCONN) < 0)
        return -errno;
    int err = vnrs_fd_set_nonblock(fd, true);
    if (err == 0)
        err = vnrs_protect_listener_init(fd);
    if (err < 0)
        return err;
    sp->listener = event_new(sp->base, fd, EV_READ | EV_PERSIST, on_accept, sp);
    return sp->listener && event_add(sp->listener, NULL) == 0 ? 0 : -ENOMEM;
}

// Sends what is buffered. Returns false when the connection is broken.
static bool conn_flush(struct vnrs_conn *c)
{
    size_t done = 0;

    while (done < c->out_len) {
        ssize_t put = send(c->fd, c->out + done, c->out_len - done, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (put < 0) {
            c->out_len = 0;
            return false;
        }
        done += (size_t)put;
    }
    if (done && c->member)
        vnrs_bgp_peer_drained(&c->member->peer, vnrs_clock_ms(), c->side);
    c->out_len -= done;
    memmove(c->out, c->out + done, c->out_len);
    if (c->out_len)
        (void)event_add(c->write, NULL);
    return true;
}

void vnrs_conn_send(struct vnrs_speakerd *sp, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *bytes,
                    size_t len)
{
    struct vnrs_conn *c = sp->conns[m->slot][side];

    // Without room even in the reserve the peer has not read for hours; the send hold timer ends that.
    if (!c || len > VNRS_CONN_OUT_BYTES - c->out_len)
        return;
    memcpy(c->out + c->out_len, bytes, len);
    c->out_len += len;
}

void vnrs_conn_close(struct vnrs_speakerd *sp, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    struct vnrs_conn *c = sp->conns[m->slot][side];

    if (side == VNRS_BGP_OUT)
        sp->socket_request[m->slot] = 0;
    if (!c)
        return;
    conn_detach(c);
    (void)event_del(c->write);
    bool linger = !c->connecting && conn_flush(c);
    if (linger && !c->out_len)
        linger = shutdown(c->fd, SHUT_WR) == 0;
    struct timeval wait = {.tv_sec = VNRS_CONN_LINGER_MS / 1000, .tv_usec = VNRS_CONN_LINGER_MS % 1000 * 1000};
    if (!linger || event_add(c->linger, &wait) < 0 || event_add(c->read, NULL) < 0)
        c->dead = true; // freed from outside all callbacks that may still look at it
}

static void on_linger(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_conn *c = arg;

    (void)fd;
    (void)what;
    c->dead = true;
    vnrs_speakerd_settle(c->sp);
}

static void conn_lost(struct vnrs_conn *c, int err)
{
    char why[VNRS_BGP_ERROR_TEXT_MAX];

    if (err)
        (void)snprintf(why, sizeof(why), "connection lost: %s", strerror(err));
    vnrs_bgp_peer_disconnected(&c->member->peer, vnrs_clock_ms(), c->side, err ? why : NULL);
}

static void on_connected(struct vnrs_conn *c)
{
    int err = 0;
    socklen_t len = sizeof(err);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err) {
        connect_failed(c->member, -err);
        return;
    }
    c->connecting = false;
    if (!c->sp->reading_paused)
        (void)event_add(c->read, NULL);
    note_ports(c->sp, c->member, VNRS_BGP_OUT);
    vnrs_bgp_peer_connected(&c->member->peer, vnrs_clock_ms());
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_conn *c = arg;
    struct vnrs_speakerd *sp = c->sp;

    (void)fd;
    (void)what;
    if (c->connecting) {
        on_connected(c);
    } else if (c->member) {
        if (!conn_flush(c))
            conn_lost(c, EPIPE);
    } else if (!conn_flush(c)) {
        c->dead = true;
    } else if (!c->out_len) {
        (void)shutdown(c->fd, SHUT_WR);
    }
    vnrs_speakerd_settle(sp);
}

// Runs the whole messages in the input buffer; at most its size, which bounds the time taken.
static void conn_process(struct vnrs_conn *c)
{
    uint64_t now = vnrs_clock_ms();
    size_t done = 0;

    while (done < c->in_len) {
        ssize_t len = vnrs_bgp_peer_input(&c->member->peer, now, c->side, c->in + done, c->in_len - done);
        if (len < 0)
            return; // closed: `c` lingers and has no input any more
        if (len == 0)
            break;
        done += (size_t)len;
    }
    c->in_len -= done;
    memmove(c->in, c->in + done, c->in_len);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_conn *c = arg;
    struct vnrs_speakerd *sp = c->sp;
    size_t at = c->member ? c->in_len : 0; // what a lingering connection still receives is dropped
    ssize_t got = recv(fd, c->in + at, sizeof(c->in) - at, 0);

    (void)what;
    if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == EWOULDBLOCK))
        return;
    if (got <= 0) {
        int err = got < 0 ? errno : 0;
        if (c->member)
            conn_lost(c, err);
        else
            c->dead = true;
    } else if (c->member) {
        c->in_len += (size_t)got;
        conn_process(c);
    }
    vnrs_speakerd_settle(sp);
}

bool vnrs_conn_has_room(const struct vnrs_speakerd *sp, const struct vnrs_bgp_member *m)
{
    for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++)
        if (m->peer.fsm[side].state == VNRS_BGP_ST_ESTABLISHED) {
            const struct vnrs_conn *c = sp->conns[m->slot][side];
            return c && c->out_len <= VNRS_CONN_OUT_UPDATES;
        }
    return false;
}

static bool is_more_due(struct vnrs_speakerd *sp)
{
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        const struct vnrs_bgp_member *m = sp->core->members[slot];
        if (m && vnrs_conn_has_room(sp, m) && vnrs_bgp_adj_out_is_pending(m))
            return true;
    }
    return false;
}

bool vnrs_conn_flush_all(struct vnrs_speakerd *sp)
{
    (void)vnrs_bgp_adj_out_run(sp->core); // who still has room when the buffers are empty is asked for below
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++) {
            struct vnrs_conn *c = sp->conns[slot][side];
            if (c && c->out_len && !event_pending(c->write, EV_WRITE, NULL) && !conn_flush(c))
                conn_lost(c, EPIPE);
        }
    for (struct vnrs_conn **at = &sp->lingering, *c; (c = *at);) {
        if (!c->dead) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        conn_free(c);
    }
    return is_more_due(sp);
}

void vnrs_conn_pause_all(struct vnrs_speakerd *sp, bool paused)
{
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++) {
            struct vnrs_conn *c = sp->conns[slot][side];
            if (c && !c->connecting)
                (void)(paused ? event_del(c->read) : event_add(c->read, NULL));
        }
}

void vnrs_conn_excuse_all(struct vnrs_speakerd *sp, uint64_t now_ms)
{
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++)
            if (sp->conns[slot][side])
                vnrs_bgp_fsm_heard(&sp->core->members[slot]->peer.fsm[side], now_ms);
}

void vnrs_conn_free_all(struct vnrs_speakerd *sp)
{
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++) {
            conn_free(sp->conns[slot][side]);
            sp->conns[slot][side] = NULL;
        }
    for (struct vnrs_conn *c = sp->lingering, *next; c; c = next) {
        next = c->next;
        conn_free(c);
    }
    sp->lingering = NULL;
    vnrs_protect_free(sp);
}
