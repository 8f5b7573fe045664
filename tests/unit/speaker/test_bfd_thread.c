// SPDX-License-Identifier: GPL-2.0-or-later
// Two BFD threads over the loopback interface, 127.0.0.1 and 127.0.0.2, while this one does nothing but wait for them.
#include "net/addr.h"
#include "speaker/bfd_engine.h"
#include "speaker/bfd_thread.h"
#include "util/fd.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define ENDS 2

struct end {
    struct vnrs_bfd_thread *thread;
    int pair;
    struct vnrs_addr local;
};

static void command(const struct end *e, struct vnrs_bfd_command c)
{
    struct iovec part = {&c, sizeof(c)};
    assert_int_equal(vnrs_msg_send(e->pair, &part, 1, NULL, 0), 0);
}

static void open_session(const struct end *e, const struct vnrs_addr *peer)
{
    int rx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), tx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = vnrs_bfd_socket_listen(rx, &e->local, VNRS_BFD_SINGLE);

    if (err == -EADDRINUSE || err == -EADDRNOTAVAIL)
        skip(); // somebody's BFD runs here
    assert_int_equal(err, 0);
    (void)close(rx); // bound by the engine
    rx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(vnrs_bfd_socket_source(tx, &e->local, 7), 0);
    command(e,
            (struct vnrs_bfd_command){.kind = VNRS_BFD_LISTEN, .fd = rx, .hops = VNRS_BFD_SINGLE, .local = e->local});
    command(e, (struct vnrs_bfd_command){.kind = VNRS_BFD_ADD,
                                         .id = 1,
                                         .fd = tx,
                                         .hops = VNRS_BFD_SINGLE,
                                         .peer = *peer,
                                         .conf = {.min_tx_us = 20000, .min_rx_us = 20000, .multiplier = 10}});
}

static void wait_for(const struct end *e, uint8_t state, struct vnrs_spk_bfd_state *ret)
{
    struct pollfd p = {.fd = e->pair, .events = POLLIN};
    struct vnrs_bfd_event event = {0};

    do {
        assert_int_equal(poll(&p, 1, 10000), 1);
        assert_int_equal(vnrs_msg_recv(e->pair, &event, sizeof(event), NULL, NULL), sizeof(event));
    } while (event.state.state != state);
    *ret = event.state;
}

static void runs_by_itself(void **state)
{
    struct end ends[ENDS];
    struct vnrs_spk_bfd_state said;

    (void)state;
    for (unsigned i = 0; i < ENDS; i++) {
        ends[i].local = vnrs_addr_from_v4(0x7f000001u + i);
        assert_int_equal(vnrs_bfd_thread_start(&ends[i].thread, &ends[i].pair), 0);
    }
    for (unsigned i = 0; i < ENDS; i++)
        open_session(&ends[i], &ends[1 - i].local);
    for (unsigned i = 0; i < ENDS; i++)
        wait_for(&ends[i], VNRS_BFD_UP, &said);
    vnrs_bfd_thread_stop(ends[0].thread, ends[0].pair); // with a last word
    wait_for(&ends[1], VNRS_BFD_DOWN, &said);
    assert_int_equal(said.remote_state, VNRS_BFD_ADMIN_DOWN);
    assert_int_equal(said.failures, 0);
    vnrs_bfd_thread_stop(ends[1].thread, ends[1].pair);
    vnrs_bfd_thread_stop(NULL, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_by_itself)};
    return cmocka_run_group_tests_name("bfd_thread", tests, NULL, NULL);
}
