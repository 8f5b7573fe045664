// SPDX-License-Identifier: GPL-2.0-or-later
// A speaker without connections, for tests of what the controller and the agent hear from it: `controller` and `agent`
// are their ends. The including file includes <cmocka.h> and what it needs, first.
#pragma once

#include "speaker/control.h"
#include "util/fd.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct world {
    struct vnrs_speakerd sp;
    int controller, agent; // our ends
    // What a test configures, where it does.
    struct vnrs_spk_config conf;
    struct vnrs_spk_peer_config peers[2];
};

static void on_connect(void *arg, struct vnrs_bgp_member *m)
{
    (void)arg;
    (void)m;
}
static void on_close(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    (void)arg;
    (void)m;
    (void)side;
}
static void on_send(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    (void)arg;
    (void)m;
    (void)side;
    (void)bytes;
    (void)len;
}
static bool has_room(void *arg, const struct vnrs_bgp_member *m)
{
    (void)arg;
    (void)m;
    return true;
}
static uint32_t on_random(void *arg)
{
    (void)arg;
    return 0;
}
static const struct vnrs_bgp_speaker_ops ops = {
    .connect = on_connect, .close = on_close, .send = on_send, .has_room = has_room, .random = on_random};

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    vnrs_speakerd_settle(arg);
}

// The other end of a pair becomes descriptor `fixed`; returns ours.
static int pair_with(int fixed)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    // Out of the way of the fixed number first.
    int ours = fcntl(pair[0], F_DUPFD_CLOEXEC, 50), other = fcntl(pair[1], F_DUPFD_CLOEXEC, 50);
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(dup2(other, fixed), fixed);
    (void)close(other);
    return ours;
}

static void setup(struct world *w)
{
    *w = (struct world){.sp = {.status = -1}};
    w->controller = pair_with(VNRS_SPEAKER_FD_CONTROL);
    w->agent = pair_with(VNRS_SPEAKER_FD_AGENT);
    w->sp.base = event_base_new();
    assert_int_equal(event_base_priority_init(w->sp.base, _VNRS_SPEAKERD_PRIORITY_MAX), 0);
    w->sp.timer = evtimer_new(w->sp.base, on_timer, &w->sp);
    w->sp.core = vnrs_bgp_speaker_new(&ops, w, 1);
    assert_true(w->sp.timer && w->sp.core);
    assert_int_equal(vnrs_control_init(&w->sp), 0);
    assert_int_equal(vnrs_agent_link_init(&w->sp), 0);
}

static void teardown(struct world *w)
{
    vnrs_bgp_speaker_free(w->sp.core);
    vnrs_control_free(&w->sp);
    event_free(w->sp.agent);
    event_free(w->sp.timer);
    event_base_free(w->sp.base);
    (void)close(VNRS_SPEAKER_FD_CONTROL);
    (void)close(VNRS_SPEAKER_FD_AGENT);
    (void)close(w->controller);
    (void)close(w->agent);
}

static inline void run(struct world *w)
{
    for (int i = 0; i < 4; i++)
        (void)event_base_loop(w->sp.base, EVLOOP_NONBLOCK);
}

static inline void give(struct world *w, const struct vnrs_spk_hdr *hdr, const void *body, size_t len)
{
    struct iovec parts[] = {{(void *)hdr, sizeof(*hdr)}, {(void *)body, len}};

    assert_int_equal(vnrs_msg_send(w->controller, parts, len ? 2 : 1, NULL, 0), 0);
    run(w);
}

static inline void give_type(struct world *w, uint16_t type, uint32_t count, const void *body, size_t len)
{
    struct vnrs_spk_hdr hdr = {.proto = VNRS_SPEAKER_PROTO, .type = type, .count = count, .generation = 7};
    give(w, &hdr, body, len);
}

static inline void hello(struct world *w)
{
    struct vnrs_spk_hello body = {.generation = 7};
    give_type(w, VNRS_SPK_HELLO, 1, &body, sizeof(body));
}

// The next message of the speaker, its body at most `size` octets of it. type 0: there is none.
static inline struct vnrs_spk_hdr hear(struct world *w, void *ret_body, size_t size)
{
    uint8_t buf[VNRS_SPEAKER_MSG_MAX];
    struct vnrs_spk_hdr hdr = {0};

    assert_int_equal(vnrs_fd_set_nonblock(w->controller, true), 0);
    ssize_t len = vnrs_msg_recv(w->controller, buf, sizeof(buf), NULL, NULL);
    if (len <= 0)
        return hdr;
    memcpy(&hdr, buf, sizeof(hdr));
    assert_true(hdr.generation == 7 && hdr.proto == VNRS_SPEAKER_PROTO);
    memcpy(ret_body, buf + sizeof(hdr), MIN(size, (size_t)len - sizeof(hdr)));
    return hdr;
}

static inline uint16_t heard(struct world *w, void *ret_body, size_t size)
{
    return hear(w, ret_body, size).type;
}

// What the speaker says at first is passed over.
static inline void greet(struct world *w)
{
    uint8_t skip[64];

    hello(w);
    while (heard(w, skip, sizeof(skip)))
        ;
}
