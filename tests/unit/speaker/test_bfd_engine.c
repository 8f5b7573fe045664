// SPDX-License-Identifier: GPL-2.0-or-later
// Two BFD engines over the loopback interface, 127.0.0.1 and 127.0.0.2, by turns: what they are told and tell.
#include "net/addr.h"
#include "speaker/bfd_engine.h"
#include "util/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define ENDS 2

struct end {
    struct vnrs_bfd_engine *engine;
    int pair, engine_pair;
    struct vnrs_addr local;
    struct vnrs_spk_bfd_state state; // of the session told last
    uint32_t id;
    unsigned events;
};

static struct end ends[ENDS];

static void command(struct end *e, struct vnrs_bfd_command c)
{
    struct iovec part = {&c, sizeof(c)};
    assert_int_equal(vnrs_msg_send(e->pair, &part, 1, NULL, 0), 0);
}

static void listen_on(struct end *e)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = vnrs_bfd_socket_listen(fd, &e->local, VNRS_BFD_MULTI);

    if (err == -EADDRINUSE || err == -EADDRNOTAVAIL)
        skip(); // somebody's BFD runs here
    assert_int_equal(err, 0);
    (void)close(fd); // bound by the engine
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    command(e, (struct vnrs_bfd_command){.kind = VNRS_BFD_LISTEN, .fd = fd, .hops = VNRS_BFD_MULTI, .local = e->local});
}

static const struct vnrs_spk_bfd fast = {.min_tx_us = 10000, .min_rx_us = 10000, .multiplier = 5, .multihop = 1};

static void add(struct end *e, uint32_t id, const struct vnrs_addr *peer)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(vnrs_bfd_socket_source(fd, &e->local, id), 0);
    command(e, (struct vnrs_bfd_command){
                   .kind = VNRS_BFD_ADD, .id = id, .fd = fd, .hops = VNRS_BFD_MULTI, .peer = *peer, .conf = fast});
}

static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ENDS; i++) {
        int pair[2];
        ends[i] = (struct end){.local = vnrs_addr_from_v4(0x7f000001u + i)};
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        ends[i].pair = pair[0];
        ends[i].engine_pair = pair[1];
        ends[i].engine = vnrs_bfd_engine_new(pair[1]);
        assert_non_null(ends[i].engine);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ENDS; i++) {
        vnrs_bfd_engine_free(ends[i].engine);
        (void)close(ends[i].pair);
        (void)close(ends[i].engine_pair);
    }
    return 0;
}

static void take_events(struct end *e)
{
    struct vnrs_bfd_event event;

    while (vnrs_msg_recv(e->pair, &event, sizeof(event), NULL, NULL) == sizeof(event)) {
        e->id = event.id;
        e->state = event.state;
        e->events++;
    }
}

// Runs one or both until that one's session is in this state.
static void run_until(unsigned mask, unsigned which, uint8_t state)
{
    uint64_t deadline = vnrs_clock_ms() + 10000;

    while (!ends[which].state.configured || ends[which].state.state != state) {
        assert_true(vnrs_clock_ms() < deadline);
        for (unsigned i = 0; i < ENDS; i++) {
            if (!(mask & 1u << i))
                continue;
            assert_true(vnrs_bfd_engine_run(ends[i].engine));
            take_events(&ends[i]);
        }
    }
}

static void both_up(void)
{
    for (unsigned i = 0; i < ENDS; i++) {
        listen_on(&ends[i]);
        add(&ends[i], 10 + i, &ends[1 - i].local);
    }
    run_until(3, 0, VNRS_BFD_UP);
    run_until(3, 1, VNRS_BFD_UP);
}

static void comes_up_and_fails(void **state)
{
    (void)state;
    both_up();
    for (unsigned i = 0; i < ENDS; i++) {
        assert_int_equal(ends[i].id, 10 + i);
        assert_int_equal(ends[i].state.failures, 0);
        assert_int_equal(ends[i].state.error, 0);
        assert_true(ends[i].state.packets_in > 0 && ends[i].state.packets_out > 0);
    }
    run_until(1, 0, VNRS_BFD_DOWN); // the other one does not run
    assert_int_equal(ends[0].state.failures, 1);
    assert_int_equal(ends[0].state.failure, VNRS_BFD_DIAG_EXPIRED);
    run_until(3, 1, VNRS_BFD_UP);
    run_until(3, 0, VNRS_BFD_UP);
}

static void is_removed(void **state)
{
    (void)state;
    both_up();
    command(&ends[0], (struct vnrs_bfd_command){.kind = VNRS_BFD_REMOVE, .id = 10, .fd = -1});
    command(&ends[0], (struct vnrs_bfd_command){.kind = VNRS_BFD_REMOVE, .id = 4711, .fd = -1}); // nobody's
    run_until(3, 1, VNRS_BFD_DOWN);
    assert_int_equal(ends[1].state.remote_state, VNRS_BFD_ADMIN_DOWN);
    assert_int_equal(ends[1].state.failures, 0);
    // Its successor, while it still says AdminDown.
    add(&ends[0], 12, &ends[1].local);
    ends[0].state.configured = 0;
    run_until(3, 0, VNRS_BFD_UP);
    assert_int_equal(ends[0].id, 12);
}

static void ends_with_a_word(void **state)
{
    (void)state;
    both_up();
    (void)close(ends[0].pair);
    assert_false(vnrs_bfd_engine_run(ends[0].engine));
    vnrs_bfd_engine_free(TAKE_PTR(ends[0].engine));
    ends[0].pair = -1;
    run_until(2, 1, VNRS_BFD_DOWN);
    assert_int_equal(ends[1].state.remote_state, VNRS_BFD_ADMIN_DOWN);
}

// Nobody takes the events: the engine goes on, does not spin, and tells the newest state later.
static void is_not_held_up(void **state)
{
    int small = 1;

    (void)state;
    assert_int_equal(setsockopt(ends[0].engine_pair, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    both_up();
    uint8_t fill[64] = {0};
    while (send(ends[0].engine_pair, fill, sizeof(fill), MSG_DONTWAIT) > 0)
        ;
    for (uint64_t deadline = vnrs_clock_ms() + 10000; ends[1].state.failures == 0;) { // 1 sees 0 go down by itself
        assert_true(vnrs_clock_ms() < deadline);
        command(&ends[0], (struct vnrs_bfd_command){.kind = VNRS_BFD_LISTEN, .fd = -1, .hops = VNRS_BFD_MULTI});
        for (unsigned i = 0; i < ENDS; i++)
            assert_true(vnrs_bfd_engine_run(ends[i].engine));
        take_events(&ends[1]);
    }
    run_until(1, 0, VNRS_BFD_DOWN); // takes what filled the pair first
    assert_int_equal(ends[0].state.failures, 1);
}

// An address that is not here: said, and what was received before is not received any more.
static void a_listener_that_cannot_be_had(void **state)
{
    struct vnrs_addr elsewhere = vnrs_addr_from_v4(0xc0000201);

    (void)state;
    both_up();
    command(&ends[0], (struct vnrs_bfd_command){.kind = VNRS_BFD_LISTEN,
                                                .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                                                .hops = VNRS_BFD_MULTI,
                                                .local = elsewhere});
    for (uint64_t deadline = vnrs_clock_ms() + 10000; ends[0].id || !ends[0].state.error;) {
        assert_true(vnrs_clock_ms() < deadline);
        assert_true(vnrs_bfd_engine_run(ends[0].engine));
        struct vnrs_bfd_event event;
        if (vnrs_msg_recv(ends[0].pair, &event, sizeof(event), NULL, NULL) == sizeof(event) && !event.id) {
            assert_int_equal(event.hops, VNRS_BFD_MULTI);
            ends[0].id = event.id;
            ends[0].state = event.state;
        }
    }
    assert_int_equal(ends[0].state.error, -EADDRNOTAVAIL);
    run_until(3, 0, VNRS_BFD_DOWN);
}

static void too_many(void **state)
{
    (void)state;
    for (uint32_t i = 0; i <= VNRS_BFD_SESSIONS_MAX; i++) {
        struct vnrs_addr peer = vnrs_addr_from_v4(0x7f000100u + i);
        add(&ends[0], 1 + i, &peer);
    }
    uint64_t deadline = vnrs_clock_ms() + 10000;
    while (!ends[0].state.error && vnrs_clock_ms() < deadline) {
        assert_true(vnrs_bfd_engine_run(ends[0].engine));
        struct vnrs_bfd_event event;
        while (!ends[0].state.error && vnrs_msg_recv(ends[0].pair, &event, sizeof(event), NULL, NULL) > 0) {
            ends[0].id = event.id;
            ends[0].state = event.state;
        }
    }
    assert_int_equal(ends[0].state.error, -ENOBUFS);
    assert_int_equal(ends[0].id, VNRS_BFD_SESSIONS_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_up_and_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_with_a_word, setup, teardown),
        cmocka_unit_test_setup_teardown(is_not_held_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_listener_that_cannot_be_had, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many, setup, teardown),
    };
    return cmocka_run_group_tests_name("bfd_engine", tests, NULL, NULL);
}
