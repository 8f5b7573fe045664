// SPDX-License-Identifier: GPL-2.0-or-later
// From configuration to sessions: which sockets the agent is asked for, and what becomes of its answers. Sessions run
// in the real BFD thread, on the loopback interface, with peers that do not answer.
#include "net/addr.h"
#include "speaker/bfd_link.h"
#include "speaker/bfd_socket.h"
#include "speaker/control.h"
#include "util/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "speaker/test_world.h"

static void configure(struct world *w, size_t n)
{
    assert_int_equal(vnrs_bgp_speaker_configure(w->sp.core, vnrs_clock_ms(), &w->conf, NULL, 0, w->peers, n, NULL), 0);
    vnrs_bfd_link_sync(&w->sp);
}

static void setup_bfd(struct world *w)
{
    const struct vnrs_spk_bfd fast = {.min_tx_us = 50000, .min_rx_us = 50000, .multiplier = 3, .multihop = 1};

    setup(w);
    assert_int_equal(vnrs_fd_set_nonblock(w->agent, true), 0);
    assert_int_equal(vnrs_bfd_link_init(&w->sp), 0);
    w->conf = (struct vnrs_spk_config){.asn = 65515, .router_id = 1, .local = vnrs_addr_from_v4(0x7f000001)};
    for (unsigned i = 0; i < ARRAY_SIZE(w->peers); i++)
        w->peers[i] = (struct vnrs_spk_peer_config){.name = {(char)('a' + i)},
                                                    .addr = vnrs_addr_from_v4(0x7f000102u + i),
                                                    .passive = 1,
                                                    .hold = 180,
                                                    .asn = 65001 + i,
                                                    .bfd = fast};
}

static void teardown_bfd(struct world *w)
{
    vnrs_bfd_link_free(&w->sp);
    vnrs_bfd_link_free(&w->sp);
    vnrs_bfd_link_sync(&w->sp); // nothing any more
    teardown(w);
}

struct message {
    struct vnrs_spk_hdr hdr;
    struct vnrs_spk_socket body;
};

// Answers what was asked for, with a socket or with an error. Returns how many there were.
static unsigned answer(struct world *w, int error)
{
    struct message m;
    unsigned n = 0;

    for (; vnrs_msg_recv(w->agent, &m, sizeof(m), NULL, NULL) == sizeof(m); n++) {
        assert_true(m.body.id && m.body.kind == VNRS_SPK_SOCKET_UDP && m.body.family == VNRS_AF_IPV4);
        int fd = error ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct iovec part = {&m, sizeof(m)};
        m.body.error = error;
        assert_int_equal(vnrs_msg_send(w->agent, &part, 1, &fd, fd >= 0), 0);
        if (fd >= 0)
            (void)close(fd);
        (void)event_base_loop(w->sp.base, EVLOOP_NONBLOCK);
    }
    return n;
}

static const struct vnrs_spk_bfd_state *state_of(struct world *w, const char *name)
{
    return &vnrs_bgp_speaker_find_name(w->sp.core, name)->bfd;
}

// Until the thread has told of a session that sends; false where its sockets could not be had.
static bool wait_running(struct world *w, const char *name)
{
    for (uint64_t deadline = vnrs_clock_ms() + 10000; !state_of(w, name)->packets_out;) {
        assert_true(vnrs_clock_ms() < deadline);
        assert_int_equal(w->sp.status, -1);
        (void)event_base_loop(w->sp.base, EVLOOP_ONCE);
        if (state_of(w, name)->error == -EADDRINUSE)
            return false; // somebody's BFD runs here
    }
    return true;
}

static void follows_the_configuration(void **state)
{
    struct world w;

    (void)state;
    setup_bfd(&w);
    configure(&w, 2);
    assert_int_equal(answer(&w, 0), 3); // one to receive, one for each peer to send
    bool here = wait_running(&w, "a") && wait_running(&w, "b");
    if (here) {
        assert_int_equal(state_of(&w, "a")->state, VNRS_BFD_DOWN);
        w.peers[0].bfd.multiplier = 5; // a session that goes on
        w.peers[1].bfd.multiplier = 0; // none any more
        configure(&w, 2);
        assert_int_equal(answer(&w, 0), 0);
        assert_true(state_of(&w, "a")->configured && !state_of(&w, "b")->configured);
        w.peers[1].bfd.multiplier = 3;
        w.peers[1].bfd.multihop = 0; // another port
        configure(&w, 2);
        assert_int_equal(answer(&w, 0), 2);
        assert_true(wait_running(&w, "b"));
        w.peers[1].shutdown = 1;
        configure(&w, 2);
        assert_false(state_of(&w, "b")->configured);
        configure(&w, 1); // the peer is gone
        assert_int_equal(answer(&w, 0), 0);
        w.conf.local = vnrs_addr_from_v4(0x7f000002); // everything anew
        configure(&w, 1);
        assert_int_equal(answer(&w, 0), 2);
        assert_true(wait_running(&w, "a"));
    }
    teardown_bfd(&w);
    if (!here)
        skip();
}

// A socket of this process that is bound to the address: to the port that packets come to, or to one that they are
// sent from.
static bool has_socket(const char *addr, bool receives)
{
    struct sockaddr_in at;

    for (int fd = 3; fd < 200; fd++) {
        socklen_t len = sizeof(at);
        char text[INET_ADDRSTRLEN];
        if (getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sin_family == AF_INET &&
            strcmp(inet_ntop(AF_INET, &at.sin_addr, text, sizeof(text)), addr) == 0 &&
            (receives ? ntohs(at.sin_port) == VNRS_BFD_PORT_MULTI : ntohs(at.sin_port) >= VNRS_BFD_SOURCE_PORT))
            return true;
    }
    return false;
}

// The thread has made it, or closed it. False: somebody's BFD runs here.
static bool wait_socket(struct world *w, const char *addr, bool receives, bool there)
{
    for (uint64_t deadline = vnrs_clock_ms() + 10000; has_socket(addr, receives) != there;) {
        assert_true(vnrs_clock_ms() < deadline);
        (void)event_base_loop(w->sp.base, EVLOOP_NONBLOCK);
        if (state_of(w, "a")->error == -EADDRINUSE)
            return false;
    }
    return true;
}

// Each is spoken with from the address of its BGP session, and heard there.
static void sessions_have_addresses_of_their_own(void **state)
{
    struct world w;

    (void)state;
    setup_bfd(&w);
    configure(&w, 1);
    assert_int_equal(answer(&w, 0), 2);
    bool here = wait_running(&w, "a") && wait_socket(&w, "127.0.0.1", true, true);
    if (here) {
        w.peers[1].local = vnrs_addr_from_v4(0x7f000009);
        configure(&w, 2);
        assert_int_equal(answer(&w, 0), 2); // another one to receive, while the first session goes on
        assert_true(wait_running(&w, "b") && wait_socket(&w, "0.0.0.0", true, true));
        assert_true(wait_socket(&w, "127.0.0.9", false, true) && wait_socket(&w, "127.0.0.1", false, true));
        assert_true(wait_socket(&w, "127.0.0.1", true, false));
        w.peers[0].local = vnrs_addr_from_v4(0x7f000008); // another session
        configure(&w, 1);
        assert_int_equal(answer(&w, 0), 2);
        assert_true(wait_running(&w, "a") && wait_socket(&w, "127.0.0.8", true, true));
        assert_true(wait_socket(&w, "127.0.0.8", false, true));
    }
    teardown_bfd(&w);
    if (!here)
        skip();
}

static void refused_sockets_are_asked_for_again(void **state)
{
    struct world w;

    (void)state;
    setup_bfd(&w);
    configure(&w, 1);
    assert_int_equal(answer(&w, -EMFILE), 2);
    assert_true(state_of(&w, "a")->configured && state_of(&w, "a")->error == -EMFILE);
    assert_true(vnrs_bgp_speaker_find_name(w.sp.core, "a")->changed);
    unsigned asked = 0;
    for (uint64_t deadline = vnrs_clock_ms() + 10000; asked < 2; asked += answer(&w, 0)) {
        assert_true(vnrs_clock_ms() < deadline);
        (void)event_base_loop(w.sp.base, EVLOOP_ONCE);
    }
    assert_int_equal(asked, 2);
    bool here = wait_running(&w, "a");
    if (here)
        assert_int_equal(state_of(&w, "a")->error, 0);
    teardown_bfd(&w);
    if (!here)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_configuration),
        cmocka_unit_test(sessions_have_addresses_of_their_own),
        cmocka_unit_test(refused_sockets_are_asked_for_again),
    };
    return cmocka_run_group_tests_name("bfd_link", tests, NULL, NULL);
}
