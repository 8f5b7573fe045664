// SPDX-License-Identifier: GPL-2.0-or-later
// When SETTLE is answered. The lab has no tables, but more to take over than one turn of the loop does.
#include "agent/guests.h"

#include "agent/conn.h"
#include "agent/fabric.h"
#include "util/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { MANY = 50000 };

struct world {
    struct vnrs_agentd ad;
    struct vnrs_agentd_lab lab;
    int fd; // the controller's end
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    int pair[2];

    assert_non_null(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    w->fd = pair[0];
    w->ad.base = event_base_new();
    w->lab.ad = &w->ad;
    strcpy(w->lab.name, "l");
    assert_int_equal(vnrs_map_put(&w->ad.labs, w->lab.name, strlen(w->lab.name), &w->lab), 0);
    assert_int_equal(vnrs_agentd_conn_new(&w->ad, pair[1], &w->ad.conn), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    vnrs_agentd_guests_free(&w->lab);
    vnrs_agentd_conn_free(w->ad.conn);
    event_base_free(w->ad.base);
    vnrs_map_fini(&w->ad.labs);
    close(w->fd);
    free(w);
    return 0;
}

static bool say(struct world *w, enum vnrs_ag_fib_kind kind, const void *items, uint32_t n)
{
    const struct vnrs_ag_fib fib = {.kind = kind, .n = n};
    struct vnrs_err err = {0};
    bool behind = false;

    assert_int_equal(vnrs_agentd_fib(&w->lab, &fib, items, &behind, &err), 0);
    return behind;
}

static bool say_many(struct world *w)
{
    struct vnrs_fib_group group = {.handle = 1, .n = 1};
    struct vnrs_fib_route route = {.domain = 1, .group = 1, .prefix = {.family = VNRS_AF_IPV4, .len = 24}};

    group.members[0].kind = VNRS_BPF_NH_ENDPOINT;
    (void)say(w, VNRS_AG_FIB_GROUPS, &group, 1);
    for (uint32_t i = 0; i < MANY; i++) {
        route.prefix.bytes[0] = (uint8_t)(i >> 16);
        route.prefix.bytes[1] = (uint8_t)(i >> 8);
        route.prefix.bytes[2] = (uint8_t)i;
        (void)say(w, VNRS_AG_FIB_ROUTES, &route, 1);
    }
    return say(w, VNRS_AG_FIB_FLUSH, NULL, 0);
}

static bool settle(struct world *w, uint32_t seq)
{
    struct vnrs_err err = {0};
    bool later = false;

    assert_int_equal(vnrs_agentd_guests_settle(&w->lab, seq, &later, &err), 0);
    return later;
}

// The next answer. False: there is none.
static bool answered(struct world *w, uint32_t *ret_seq, int *ret_error)
{
    struct {
        struct vnrs_ag_hdr hdr;
        struct vnrs_ag_reply reply;
    } msg;
    ssize_t len = vnrs_msg_recv(w->fd, &msg, sizeof(msg), NULL, NULL);

    if (len == -EAGAIN)
        return false;
    assert_int_equal(len, sizeof(msg));
    *ret_seq = msg.hdr.seq;
    *ret_error = msg.reply.error;
    return true;
}

static void begin(struct world *w)
{
    assert_false(settle(w, 1)); // nothing was ever said
    assert_false(say(w, VNRS_AG_FIB_BEGIN, NULL, 0));
    assert_false(say(w, VNRS_AG_FIB_END, NULL, 0)); // which is done at once
    assert_false(settle(w, 2));
}

static void settle_is_answered_when_all_is_done(void **state)
{
    struct world *w = *state;
    uint32_t seq = 0;
    int error = -1;

    begin(w);
    assert_true(say_many(w));
    assert_true(settle(w, 3));
    assert_false(answered(w, &seq, &error));
    for (unsigned turns = 0; !answered(w, &seq, &error); turns++) {
        assert_true(turns < 10000);
        event_base_loop(w->ad.base, EVLOOP_ONCE);
    }
    assert_int_equal(seq, 3);
    assert_int_equal(error, 0);
    assert_false(settle(w, 4));
    assert_false(answered(w, &seq, &error));
}

static void nobody_is_answered_who_is_gone(void **state)
{
    struct world *w = *state;
    uint32_t seq = 0;
    int error = -1;

    begin(w);
    assert_true(say_many(w));
    assert_true(settle(w, 3));
    vnrs_agentd_guests_forget_all(&w->ad);
    assert_true(settle(w, 4)); // the next controller
    while (!answered(w, &seq, &error))
        event_base_loop(w->ad.base, EVLOOP_ONCE);
    assert_int_equal(seq, 4);
    assert_false(answered(w, &seq, &error));
}

static void who_waits_for_a_lab_that_goes_is_told(void **state)
{
    struct world *w = *state;
    uint32_t seq = 0;
    int error = 0;

    begin(w);
    assert_true(say_many(w));
    assert_true(settle(w, 3));
    vnrs_agentd_guests_free(&w->lab);
    w->lab.guest_sink = NULL;
    w->lab.guest_turn = NULL;
    assert_true(answered(w, &seq, &error));
    assert_int_equal(seq, 3);
    assert_int_equal(error, -ECANCELED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(settle_is_answered_when_all_is_done),
        TEST(nobody_is_answered_who_is_gone),
        TEST(who_waits_for_a_lab_that_goes_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
