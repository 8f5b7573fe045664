// SPDX-License-Identifier: GPL-2.0-or-later
// The controller's messages: each that must not be ends the speaker, each that may be does not.
#include "speaker/control.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

struct world {
    struct vnrs_speakerd sp;
    int controller; // our end
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

static void setup(struct world *w)
{
    int pair[2];

    *w = (struct world){.sp = {.status = -1}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    // Out of the way of the fixed number first.
    w->controller = fcntl(pair[0], F_DUPFD_CLOEXEC, 50);
    int other = fcntl(pair[1], F_DUPFD_CLOEXEC, 50);
    (void)close(pair[0]);
    (void)close(pair[1]);
    assert_int_equal(dup2(other, VNRS_SPEAKER_FD_CONTROL), VNRS_SPEAKER_FD_CONTROL);
    (void)close(other);
    w->sp.base = event_base_new();
    w->sp.timer = evtimer_new(w->sp.base, on_timer, &w->sp);
    w->sp.core = vnrs_bgp_speaker_new(&ops, w, 1);
    assert_true(w->sp.base && w->sp.timer && w->sp.core);
    assert_int_equal(vnrs_control_init(&w->sp), 0);
}

static void teardown(struct world *w)
{
    vnrs_bgp_speaker_free(w->sp.core);
    vnrs_control_free(&w->sp);
    event_free(w->sp.timer);
    event_base_free(w->sp.base);
    (void)close(VNRS_SPEAKER_FD_CONTROL);
    (void)close(w->controller);
}

static void give(struct world *w, const struct vnrs_spk_hdr *hdr, const void *body, size_t len)
{
    struct iovec parts[] = {{(void *)hdr, sizeof(*hdr)}, {(void *)body, len}};

    assert_int_equal(vnrs_msg_send(w->controller, parts, len ? 2 : 1, NULL, 0), 0);
    for (int i = 0; i < 4; i++)
        (void)event_base_loop(w->sp.base, EVLOOP_NONBLOCK);
}

static void give_type(struct world *w, uint16_t type, uint32_t count, const void *body, size_t len)
{
    struct vnrs_spk_hdr hdr = {.proto = VNRS_SPEAKER_PROTO, .type = type, .count = count, .generation = 7};
    give(w, &hdr, body, len);
}

static void hello(struct world *w)
{
    struct vnrs_spk_hello body = {.generation = 7};
    give_type(w, VNRS_SPK_HELLO, 1, &body, sizeof(body));
}

// The next message of the speaker, 0 when there is none.
static uint16_t heard(struct world *w, void *ret_body, size_t size)
{
    uint8_t buf[VNRS_SPEAKER_MSG_MAX];
    struct vnrs_spk_hdr hdr;

    assert_int_equal(vnrs_fd_set_nonblock(w->controller, true), 0);
    ssize_t len = vnrs_msg_recv(w->controller, buf, sizeof(buf), NULL, NULL);
    if (len <= 0)
        return 0;
    memcpy(&hdr, buf, sizeof(hdr));
    assert_true(hdr.generation == 7 && hdr.proto == VNRS_SPEAKER_PROTO);
    memcpy(ret_body, buf + sizeof(hdr), MIN(size, (size_t)len - sizeof(hdr)));
    return hdr.type;
}

static void handshake(void **state)
{
    struct world w;
    union {
        struct vnrs_spk_hello hello;
        struct vnrs_spk_synced synced;
    } body;

    (void)state;
    setup(&w);
    hello(&w);
    assert_int_equal(heard(&w, &body, sizeof(body)), VNRS_SPK_HELLO);
    assert_true(body.hello.generation == 7 && body.hello.pid == getpid());
    assert_int_equal(heard(&w, &body, sizeof(body)), VNRS_SPK_SYNCED);
    assert_true(body.synced.routes == 0 && body.synced.peers == 0);
    assert_int_equal(heard(&w, &body, sizeof(body)), 0);
    assert_int_equal(w.sp.status, -1);
    teardown(&w);
}

#define SIZE(type) sizeof(struct vnrs_spk_##type)

static const struct {
    const char *what;
    uint16_t proto, type;
    uint32_t count;
    size_t len;
    bool accepted;
} rows[] = {
    {"unknown protocol", 1, VNRS_SPK_CONFIG_END, 0, 0, false},
    {"type 0", VNRS_SPEAKER_PROTO, 0, 0, 0, false},
    {"unknown type", VNRS_SPEAKER_PROTO, _VNRS_SPK_MAX, 0, 0, false},
    {"a type of the other direction", VNRS_SPEAKER_PROTO, VNRS_SPK_ROUTES, 0, 0, false},
    {"CONFIG_END without CONFIG_BEGIN", VNRS_SPEAKER_PROTO, VNRS_SPK_CONFIG_END, 0, 0, false},
    {"LOCAL without CONFIG_BEGIN", VNRS_SPEAKER_PROTO, VNRS_SPK_LOCAL, 1, SIZE(local), false},
    {"PEER_CONFIG without CONFIG_BEGIN", VNRS_SPEAKER_PROTO, VNRS_SPK_PEER_CONFIG, 1, SIZE(peer_config), false},
    {"CONFIG_BEGIN", VNRS_SPEAKER_PROTO, VNRS_SPK_CONFIG_BEGIN, 1, SIZE(config), true},
    {"CONFIG_BEGIN, one byte short", VNRS_SPEAKER_PROTO, VNRS_SPK_CONFIG_BEGIN, 1, SIZE(config) - 1, false},
    {"CONFIG_BEGIN twice in one", VNRS_SPEAKER_PROTO, VNRS_SPK_CONFIG_BEGIN, 2, 2 * SIZE(config), false},
    {"QUERY, count 0", VNRS_SPEAKER_PROTO, VNRS_SPK_QUERY, 0, 0, false},
    {"QUERY", VNRS_SPEAKER_PROTO, VNRS_SPK_QUERY, 1, SIZE(query), true},
    {"QUERY, one byte more", VNRS_SPEAKER_PROTO, VNRS_SPK_QUERY, 1, SIZE(query) + 1, false},
    {"count that overflows 32 bits", VNRS_SPEAKER_PROTO, VNRS_SPK_LOCAL, UINT32_MAX, SIZE(local), false},
    {"ACTION 0", VNRS_SPEAKER_PROTO, VNRS_SPK_ACTION, 1, SIZE(action), false},
};

static void checks(void **state)
{
    static const uint8_t zeros[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_spk_hdr hdr = {
            .proto = rows[i].proto, .type = rows[i].type, .count = rows[i].count, .generation = 7};
        struct world w;
        setup(&w);
        hello(&w);
        give(&w, &hdr, zeros, rows[i].len);
        if (w.sp.status != (rows[i].accepted ? -1 : EXIT_FAILURE))
            fail_msg("%s: status %d", rows[i].what, w.sp.status);
        teardown(&w);
    }
}

static void short_message(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    assert_int_equal(write(w.controller, "x", 1), 1);
    (void)event_base_loop(w.sp.base, EVLOOP_NONBLOCK);
    assert_int_equal(w.sp.status, EXIT_FAILURE);
    teardown(&w);
}

static void earlier_generation_is_passed_over(void **state)
{
    struct vnrs_spk_hdr hdr = {.proto = VNRS_SPEAKER_PROTO, .type = VNRS_SPK_CONFIG_END, .generation = 6};
    struct world w;

    (void)state;
    setup(&w);
    hello(&w);
    give(&w, &hdr, NULL, 0);
    assert_int_equal(w.sp.status, -1);
    teardown(&w);
}

static void query_errors(void **state)
{
    struct vnrs_spk_query ask = {.id = 3, .kind = VNRS_SPK_LEARNED, .peer = "nobody"};
    struct vnrs_spk_query_end end = {0};
    struct world w;
    uint8_t skip[64];

    (void)state;
    setup(&w);
    hello(&w);
    (void)heard(&w, skip, sizeof(skip));
    (void)heard(&w, skip, sizeof(skip));
    give_type(&w, VNRS_SPK_QUERY, 1, &ask, sizeof(ask));
    assert_int_equal(heard(&w, &end, sizeof(end)), VNRS_SPK_QUERY_END);
    assert_true(end.query == 3 && end.error == -ENOENT);
    ask = (struct vnrs_spk_query){.id = 4, .kind = 9};
    give_type(&w, VNRS_SPK_QUERY, 1, &ask, sizeof(ask));
    assert_int_equal(heard(&w, &end, sizeof(end)), VNRS_SPK_QUERY_END);
    assert_true(end.query == 4 && end.error == -EINVAL);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake),     cmocka_unit_test(checks),
        cmocka_unit_test(short_message), cmocka_unit_test(earlier_generation_is_passed_over),
        cmocka_unit_test(query_errors),
    };
    vnrs_log_init("test", VNRS_LOG_ERROR);
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
