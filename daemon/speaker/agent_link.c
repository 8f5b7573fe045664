// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/bfd_link.h"
#include "speaker/bmp.h"
#include "speaker/conn.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int vnrs_agent_link_ask(struct vnrs_speakerd *sp, enum vnrs_spk_socket_kind kind, uint8_t family, uint32_t *ret_id)
{
    struct vnrs_spk_hdr hdr = {.proto = VNRS_SPEAKER_PROTO, .type = VNRS_SPK_SOCKET, .count = 1};
    struct vnrs_spk_socket req = {.id = ++sp->last_request, .family = family, .kind = kind};
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {&req, sizeof(req)}};

    if (!req.id)
        req.id = ++sp->last_request; // 0 means none
    int err = vnrs_msg_send(VNRS_SPEAKER_FD_AGENT, parts, ARRAY_SIZE(parts), NULL, 0);
    if (err == 0)
        *ret_id = req.id;
    return err;
}

void vnrs_agent_link_request(struct vnrs_speakerd *sp, unsigned slot)
{
    sp->socket_request[slot] = 0;
    // The failure is delivered later: this is called from within the state machine.
    sp->socket_failed[slot] =
        vnrs_agent_link_ask(sp, VNRS_SPK_SOCKET_TCP, sp->core->conf.local.family, &sp->socket_request[slot]) < 0;
}

static void take_answer(struct vnrs_speakerd *sp, const struct vnrs_spk_socket *answer, int *fd)
{
    if (vnrs_bfd_link_socket(sp, answer, fd) || vnrs_bmp_take_socket(sp, answer, fd))
        return;
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        struct vnrs_bgp_member *m = sp->core->members[slot];
        if (!m || sp->socket_request[slot] != answer->id)
            continue;
        sp->socket_request[slot] = 0;
        if (*fd >= 0) {
            vnrs_conn_connect(sp, m, TAKE_FD(*fd));
        } else {
            char why[VNRS_BGP_ERROR_TEXT_MAX];
            (void)snprintf(why, sizeof(why), "no socket: %s", strerror(answer->error ? -answer->error : EBADF));
            vnrs_bgp_peer_disconnected(&m->peer, vnrs_clock_ms(), VNRS_BGP_OUT, why);
        }
        return;
    }
}

static void on_agent(evutil_socket_t sock, short what, void *arg)
{
    struct vnrs_speakerd *sp = arg;
    struct {
        struct vnrs_spk_hdr hdr;
        struct vnrs_spk_socket body;
    } msg;
    _close_ int fd = -1;
    int got_fd = -1;
    size_t n_fds = 1;
    ssize_t len = vnrs_msg_recv(sock, &msg, sizeof(msg), &got_fd, &n_fds);

    (void)what;
    if (len == -EAGAIN)
        return;
    if (len == 0 || len == -ECONNRESET) { // the agent is gone: whoever comes next starts us anew
        vnrs_speakerd_exit(sp, EXIT_SUCCESS);
        return;
    }
    if (len > 0 && n_fds)
        fd = got_fd;
    if (len != sizeof(msg.hdr) + sizeof(msg.body) || msg.hdr.proto != VNRS_SPEAKER_PROTO ||
        msg.hdr.type != VNRS_SPK_SOCKET || msg.hdr.count != 1) {
        log_error("malformed message from the agent");
        vnrs_speakerd_exit(sp, EXIT_FAILURE);
        return;
    }
    take_answer(sp, &msg.body, &fd);
    vnrs_speakerd_settle(sp);
}

int vnrs_agent_link_init(struct vnrs_speakerd *sp)
{
    int err = vnrs_fd_set_nonblock(VNRS_SPEAKER_FD_AGENT, true);

    if (err < 0)
        return err;
    sp->agent = event_new(sp->base, VNRS_SPEAKER_FD_AGENT, EV_READ | EV_PERSIST, on_agent, sp);
    return sp->agent && event_add(sp->agent, NULL) == 0 ? 0 : -ENOMEM;
}
