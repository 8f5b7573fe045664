// SPDX-License-Identifier: GPL-2.0-or-later
// A peer by its bytes: scripts of (time, bytes in) and (bytes out, state). Framing, NOTIFICATIONs with their data,
// collisions, and the waits after errors.
#include "bgp/peer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct vnrs_bgp_peer peer;
    char log[512];
    uint8_t sent[_VNRS_BGP_SIDE_MAX][VNRS_BGP_MSG_MAX]; // the last message of a side
    size_t sent_len[_VNRS_BGP_SIDE_MAX];
    unsigned updates;
};

static void note(struct world *w, const char *fmt, ...)
{
    size_t used = strlen(w->log);
    va_list ap;

    if (used)
        used += (size_t)snprintf(w->log + used, sizeof(w->log) - used, " ");
    va_start(ap, fmt);
    (void)vsnprintf(w->log + used, sizeof(w->log) - used, fmt, ap);
    va_end(ap);
}

static void on_connect(void *arg)
{
    note(arg, "connect");
}
static void on_close(void *arg, enum vnrs_bgp_side side)
{
    note(arg, "%s:close", side == VNRS_BGP_OUT ? "out" : "in");
}
static void on_send(void *arg, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    static const char *const names[] = {"?", "OPEN", "UPDATE", "NOTIFICATION", "KEEPALIVE"};
    struct world *w = arg;

    memcpy(w->sent[side], bytes, len);
    w->sent_len[side] = len;
    note(w, "%s:%s", side == VNRS_BGP_OUT ? "out" : "in", names[bytes[18]]);
}
static void on_changed(void *arg)
{
    (void)arg;
}
static void on_up(void *arg)
{
    note(arg, "up");
}
static void on_down(void *arg, bool graceful)
{
    (void)graceful;
    note(arg, "down");
}
static int on_update(void *arg, const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error)
{
    (void)msg;
    (void)len;
    (void)ret_error;
    ((struct world *)arg)->updates++;
    return 0;
}
static void on_refresh(void *arg, uint8_t af, uint8_t subtype)
{
    note(arg, "refresh:%u/%u", af, subtype);
}
static uint32_t on_random(void *arg)
{
    (void)arg;
    return 0; // no jitter
}

static const struct vnrs_bgp_peer_ops ops = {
    .connect = on_connect,
    .close = on_close,
    .send = on_send,
    .changed = on_changed,
    .up = on_up,
    .down = on_down,
    .update = on_update,
    .refresh = on_refresh,
    .random = on_random,
};

static void world_fini(struct world *w)
{
    vnrs_bgp_peer_fini(&w->peer);
}

static void world_init(struct world *w, bool passive)
{
    struct vnrs_bgp_conf conf = {.local_asn = 65515,
                                 .peer_asn = 65001,
                                 .router_id = 0x0a000004,
                                 .hold = 180,
                                 .keepalive = 60,
                                 .connect_retry_ms = 5000,
                                 .passive = passive,
                                 .caps = {.mp = {true, true}, .any_mp = true, .refresh = true, .as4 = true}};
    vnrs_bgp_peer_fini(&w->peer);
    *w = (struct world){0};
    vnrs_bgp_peer_init(&w->peer, &conf, &ops, w);
    vnrs_bgp_peer_start(&w->peer, 1000);
}

static void expect(struct world *w, const char *log)
{
    if (strcmp(w->log, log) != 0)
        fail_msg("'%s', expected '%s'", w->log, log);
    w->log[0] = '\0';
}

static size_t make_open(uint8_t *buf, uint32_t id)
{
    struct vnrs_bgp_open open = {
        .asn = 65001, .hold = 9, .id = id, .caps = {.mp = {true, false}, .any_mp = true, .as4 = true, .refresh = true}};
    int len = vnrs_bgp_open_encode(&open, buf, VNRS_BGP_MSG_MAX);
    assert_true(len > 0);
    return (size_t)len;
}

static size_t make(uint8_t *buf, uint8_t type, const void *body, size_t len)
{
    memset(buf, 0xff, 16);
    buf[16] = (uint8_t)((19 + len) >> 8);
    buf[17] = (uint8_t)(19 + len);
    buf[18] = type;
    if (len)
        memcpy(buf + 19, body, len);
    return 19 + len;
}

static ssize_t give(struct world *w, uint64_t now, enum vnrs_bgp_side side, const uint8_t *buf, size_t len)
{
    return vnrs_bgp_peer_input(&w->peer, now, side, buf, len);
}

static void accept_one(struct world *w, uint64_t now)
{
    assert_int_equal(vnrs_bgp_peer_accept(&w->peer, now), 0);
    vnrs_bgp_peer_accepted(&w->peer, now);
}

static void establish_in(struct world *w, uint64_t now)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];

    accept_one(w, now);
    assert_true(give(w, now, VNRS_BGP_IN, buf, make_open(buf, 0x0a00000a)) > 0);
    assert_true(give(w, now, VNRS_BGP_IN, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)) > 0);
    assert_non_null(vnrs_bgp_peer_session(&w->peer));
}

static void open_is_byte_exact(void **state)
{
    // azure-routing.md 5.2: a Route Server's OPEN
    static const uint8_t image[] = {0x00, 0x33, 0x01, 0x04, 0xff, 0xeb, 0x00, 0xb4, 10,   0,    0,    4,
                                    0x16, 0x02, 0x14, 0x01, 0x04, 0x00, 0x01, 0x00, 0x01, 0x01, 0x04, 0x00,
                                    0x02, 0x00, 0x01, 0x02, 0x00, 0x41, 0x04, 0x00, 0x00, 0xff, 0xeb};
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, true);
    accept_one(&w, 1000);
    assert_int_equal(w.sent_len[VNRS_BGP_IN], 16 + sizeof(image));
    assert_memory_equal(w.sent[VNRS_BGP_IN] + 16, image, sizeof(image));
}

static void session_of_the_peers_making(void **state)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, true);
    assert_int_equal(vnrs_bgp_peer_state(&w.peer), VNRS_BGP_ST_ACTIVE);
    accept_one(&w, 1000);
    expect(&w, "in:OPEN");
    size_t len = make_open(buf, 0x0a00000a);
    for (size_t have = 0; have < len; have++) // any cut of a message waits for the rest
        assert_int_equal(give(&w, 1000, VNRS_BGP_IN, buf, have), 0);
    assert_int_equal(give(&w, 1000, VNRS_BGP_IN, buf, len), len);
    expect(&w, "in:KEEPALIVE");
    assert_int_equal(vnrs_bgp_peer_state(&w.peer), VNRS_BGP_ST_OPEN_CONFIRM);
    assert_int_equal(give(&w, 1100, VNRS_BGP_IN, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)), 19);
    expect(&w, "up");
    assert_true(w.peer.changed_ms == 1100);
    assert_int_equal(w.peer.fsm[VNRS_BGP_OUT].state, VNRS_BGP_ST_IDLE);
    const uint8_t eor[4] = {0};
    len = make(buf, VNRS_BGP_UPDATE, eor, sizeof(eor));
    assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, len), len);
    assert_int_equal(w.updates, 1);
    const uint8_t refresh[] = {0, 2, 0, 1}, odd[] = {0x40, 4, 0, 71};
    len = make(buf, VNRS_BGP_ROUTE_REFRESH, refresh, sizeof(refresh));
    assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, len), len);
    len = make(buf, VNRS_BGP_ROUTE_REFRESH, odd, sizeof(odd)); // BGP-LS: not ours, not an error
    assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, len), len);
    expect(&w, "refresh:1/0");
    vnrs_bgp_peer_disconnected(&w.peer, 3000, VNRS_BGP_IN, NULL);
    expect(&w, "in:close down");
    assert_string_equal(w.peer.last_error, "connection closed by the peer");
    assert_int_equal(w.peer.flaps, 1);
    assert_int_equal(vnrs_bgp_peer_total(w.peer.messages_in), 5);
    accept_one(&w, 3001); // it may come back at once
    expect(&w, "in:OPEN");
}

static const struct {
    const char *what;
    uint8_t type;
    uint16_t body_len;
    uint8_t break_at; // header byte to break, 0xff: none
    uint8_t with;
    uint8_t code, subcode;
    uint8_t data_len, data[2];
} garbage[] = {
    {"marker", VNRS_BGP_KEEPALIVE, 0, 7, 0, 1, 1, 0, {0}},
    {"short length", VNRS_BGP_KEEPALIVE, 0, 17, 18, 1, 2, 2, {0, 18}},
    {"long length", VNRS_BGP_UPDATE, 0, 16, 0x20, 1, 2, 2, {0x20, 19}},
    {"short UPDATE", VNRS_BGP_UPDATE, 3, 0xff, 0, 1, 2, 2, {0, 22}},
    {"long KEEPALIVE", VNRS_BGP_KEEPALIVE, 1, 0xff, 0, 1, 2, 2, {0, 20}},
    {"short NOTIFICATION", VNRS_BGP_NOTIFICATION, 1, 0xff, 0, 1, 2, 2, {0, 20}},
    {"type 0", 0, 0, 0xff, 0, 1, 3, 1, {0}},
    {"type 200", 200, 0, 0xff, 0, 1, 3, 1, {200}},
    {"OPEN in Established", VNRS_BGP_OPEN, 10, 0xff, 0, 5, 3, 1, {VNRS_BGP_OPEN}},
};

static void header_errors(void **state)
{
    static const uint8_t zeros[64];
    uint8_t buf[VNRS_BGP_MSG_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
        _cleanup_(world_fini) struct world w = {0};
        world_init(&w, true);
        establish_in(&w, 1000);
        w.log[0] = '\0';
        size_t len = make(buf, garbage[i].type, zeros, garbage[i].body_len);
        if (garbage[i].break_at != 0xff)
            buf[garbage[i].break_at] = garbage[i].with;
        assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, len), -ECONNRESET);
        const uint8_t *n = w.sent[VNRS_BGP_IN];
        if (strcmp(w.log, "in:NOTIFICATION in:close down") != 0 || n[19] != garbage[i].code ||
            n[20] != garbage[i].subcode || w.sent_len[VNRS_BGP_IN] != 21u + garbage[i].data_len ||
            memcmp(n + 21, garbage[i].data, garbage[i].data_len) != 0)
            fail_msg("%s: '%s', %u/%u", garbage[i].what, w.log, n[19], n[20]);
        assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, len), -ECONNRESET);
    }
}

static void notification_is_remembered(void **state)
{
    const uint8_t body[] = {6, 2, 5, 'l', 'u', 'n', 'c', 'h'};
    uint8_t buf[VNRS_BGP_MSG_MAX];
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, true);
    establish_in(&w, 1000);
    w.log[0] = '\0';
    size_t len = make(buf, VNRS_BGP_NOTIFICATION, body, sizeof(body));
    assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, len), -ECONNRESET);
    expect(&w, "in:close down");
    assert_string_equal(w.peer.last_error, "peer sent NOTIFICATION: Cease, administrative shutdown (lunch)");
}

// After an error the peer is kept out for a while that grows; a long session starts anew.
static void damping(void **state)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    uint64_t now = 1000;
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, false);
    expect(&w, "connect");
    for (unsigned i = 0; i < 8; i++) {
        static const uint64_t waits[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
        establish_in(&w, now);
        assert_int_equal(give(&w, now, VNRS_BGP_IN, buf, make(buf, 99, NULL, 0)), -ECONNRESET);
        w.log[0] = '\0';
        assert_int_equal(vnrs_bgp_peer_accept(&w.peer, now), -EBUSY);
        assert_true(vnrs_bgp_peer_next(&w.peer) == now + waits[i]);
        vnrs_bgp_peer_tick(&w.peer, now + waits[i] - 1);
        expect(&w, "");
        now += waits[i];
        vnrs_bgp_peer_tick(&w.peer, now);
        expect(&w, "connect");
    }
    establish_in(&w, now);
    now += VNRS_BGP_STABLE_MS;
    w.peer.fsm[VNRS_BGP_IN].deadline[VNRS_BGP_TM_HOLD] = now + 1;
    assert_int_equal(give(&w, now, VNRS_BGP_IN, buf, make(buf, 99, NULL, 0)), -ECONNRESET);
    assert_true(vnrs_bgp_peer_next(&w.peer) == now + 1000);
    vnrs_bgp_peer_reset(&w.peer, now + 1, VNRS_BGP_CEASE_RESET, NULL); // an operator's reset waits for nothing
    assert_int_equal(vnrs_bgp_peer_accept(&w.peer, now + 1), 0);
}

// RFC 4271 8.2.2, event 24: no error is counted.
static void refused_version_is_not_counted(void **state)
{
    static const uint8_t refused[] = {2, 1, 0, 3}, other[] = {2, 2};
    uint8_t buf[VNRS_BGP_MSG_MAX];
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, true);
    for (unsigned i = 0; i < 3; i++) {
        accept_one(&w, 1000 + i);
        size_t len = make(buf, VNRS_BGP_NOTIFICATION, refused, sizeof(refused));
        assert_int_equal(give(&w, 1000 + i, VNRS_BGP_IN, buf, len), -ECONNRESET);
        assert_true(w.peer.errors == 0 && w.peer.idle_until == 1000 + i + 1000);
    }
    accept_one(&w, 2000);
    assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, make(buf, VNRS_BGP_NOTIFICATION, other, sizeof(other))),
                     -ECONNRESET);
    assert_int_equal(w.peer.errors, 1);
}

// RFC 5492 section 3: after the refusal the OPEN has no capabilities, for one connection.
static void capabilities_refused(void **state)
{
    static const uint8_t refused[] = {2, 4};
    uint8_t buf[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_open open = {.asn = 65001, .hold = 90, .id = 0x0a00000a};
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, true);
    accept_one(&w, 1000);
    assert_int_equal(w.sent_len[VNRS_BGP_IN], 51);
    assert_int_equal(give(&w, 1000, VNRS_BGP_IN, buf, make(buf, VNRS_BGP_NOTIFICATION, refused, sizeof(refused))),
                     -ECONNRESET);
    accept_one(&w, 2000);
    assert_int_equal(w.sent_len[VNRS_BGP_IN], 29);
    int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));
    assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, (size_t)len), 29);
    assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)), 19);
    const struct vnrs_bgp_session *s = &vnrs_bgp_peer_session(&w.peer)->session;
    assert_true(s->mp[VNRS_BGP_AF4] && !s->mp[VNRS_BGP_AF6] && !s->as4 && !s->refresh);
    vnrs_bgp_peer_disconnected(&w.peer, 3000, VNRS_BGP_IN, NULL);
    accept_one(&w, 4000);
    assert_int_equal(w.sent_len[VNRS_BGP_IN], 51);
}

// With DelayOpen the peer's OPEN comes first; what cannot come first ends the connection without a word.
static void delayed_open(void **state)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, true);
    w.peer.conf.delay_open_ms = 3000;
    accept_one(&w, 1000);
    expect(&w, "");
    assert_true(give(&w, 1500, VNRS_BGP_IN, buf, make_open(buf, 0x0a00000a)) > 0);
    expect(&w, "in:OPEN in:KEEPALIVE");
    vnrs_bgp_peer_disconnected(&w.peer, 1600, VNRS_BGP_IN, NULL);
    w.log[0] = '\0';
    accept_one(&w, 2000);
    assert_true(vnrs_bgp_peer_next(&w.peer) <= 5000);
    vnrs_bgp_peer_tick(&w.peer, 5000);
    expect(&w, "in:OPEN");
    vnrs_bgp_peer_disconnected(&w.peer, 5000, VNRS_BGP_IN, NULL);
    w.log[0] = '\0';
    accept_one(&w, 6000);
    assert_int_equal(give(&w, 6000, VNRS_BGP_IN, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)), -ECONNRESET);
    expect(&w, "in:close");
    assert_string_equal(w.peer.last_error, "unexpected message before the OPEN");
    assert_int_equal(vnrs_bgp_peer_accept(&w.peer, 6000), -EBUSY); // an error of the peer: kept out for a while
}

// The peer proposes 9 seconds.
static void short_hold_times_are_refused(void **state)
{
    static const uint16_t least[] = {0, 9, 10};
    uint8_t buf[VNRS_BGP_MSG_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(least); i++) {
        _cleanup_(world_fini) struct world w = {0};
        world_init(&w, true);
        w.peer.conf.min_hold = least[i];
        accept_one(&w, 1000);
        (void)give(&w, 1000, VNRS_BGP_IN, buf, make_open(buf, 0x0a00000a));
        if (least[i] <= 9) {
            expect(&w, "in:OPEN in:KEEPALIVE");
        } else {
            expect(&w, "in:OPEN in:NOTIFICATION in:close");
            assert_string_equal(w.peer.last_error, "sent NOTIFICATION: OPEN message error, unacceptable hold time");
        }
    }
}

static void refused_connections_are_retried(void **state)
{
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, false);
    expect(&w, "connect");
    for (uint64_t now = 1001; now < 30000; now += 5000) {
        vnrs_bgp_peer_disconnected(&w.peer, now, VNRS_BGP_OUT, "cannot connect: Connection refused");
        expect(&w, "out:close");
        assert_string_equal(w.peer.connect_error, "cannot connect: Connection refused");
        assert_true(vnrs_bgp_peer_next(&w.peer) == now + 5000);
        vnrs_bgp_peer_tick(&w.peer, now + 5000);
        expect(&w, "connect");
    }
    establish_in(&w, 40000);
    assert_string_equal(w.peer.connect_error, ""); // it was about a time that is over
    assert_string_equal(w.peer.last_error, "");
}

// Both connections are open; ours is 10.0.0.4. `remote` decides who stays (RFC 4271 6.8).
static void collide(uint32_t remote, enum vnrs_bgp_side first, enum vnrs_bgp_side stays)
{
    enum vnrs_bgp_side second = first == VNRS_BGP_OUT ? VNRS_BGP_IN : VNRS_BGP_OUT;
    enum vnrs_bgp_side goes = stays == VNRS_BGP_OUT ? VNRS_BGP_IN : VNRS_BGP_OUT;
    uint8_t buf[VNRS_BGP_MSG_MAX];
    _cleanup_(world_fini) struct world w = {0};

    world_init(&w, false);
    vnrs_bgp_peer_connected(&w.peer, 1000);
    accept_one(&w, 1000);
    assert_true(give(&w, 1001, first, buf, make_open(buf, remote)) > 0);
    ssize_t len = give(&w, 1002, second, buf, make_open(buf, remote));
    assert_int_equal(len > 0, stays == second);
    assert_int_equal(w.peer.fsm[stays].state, VNRS_BGP_ST_OPEN_CONFIRM);
    assert_int_equal(w.peer.fsm[goes].state, VNRS_BGP_ST_IDLE);
    assert_int_equal(w.sent[goes][18], VNRS_BGP_NOTIFICATION);
    assert_int_equal(w.sent[goes][19], VNRS_BGP_ERR_CEASE);
    assert_int_equal(w.sent[goes][20], VNRS_BGP_CEASE_COLLISION);
    assert_true(give(&w, 1003, stays, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)) > 0);
    assert_int_equal(vnrs_bgp_peer_session(&w.peer)->side, stays);
    // The end of the one that stayed leads to a new try of ours.
    vnrs_bgp_peer_disconnected(&w.peer, 2000, stays, NULL);
    w.log[0] = '\0';
    vnrs_bgp_peer_tick(&w.peer, vnrs_bgp_peer_next(&w.peer));
    expect(&w, "connect");
}

static void collisions(void **state)
{
    (void)state;
    for (enum vnrs_bgp_side first = VNRS_BGP_OUT; first <= VNRS_BGP_IN; first++) {
        collide(0x0a000003, first, VNRS_BGP_OUT); // our identifier is higher
        collide(0x0a000005, first, VNRS_BGP_IN);
        collide(0x0a000004, first, VNRS_BGP_OUT); // equal: our ASN is higher (RFC 6286 2.3)
    }
}

// Two connections, both with our OPEN, and one of them with both KEEPALIVEs while the peer's identifier is for the
// other one: it may decide for that one still, when our OPEN comes to it there.
static void undecided(struct world *w, enum vnrs_bgp_side first)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    uint32_t remote = first == VNRS_BGP_OUT ? 0x0a000005 : 0x0a000003;

    world_init(w, false);
    vnrs_bgp_peer_connected(&w->peer, 1000);
    accept_one(w, 1000);
    assert_true(give(w, 1001, first, buf, make_open(buf, remote)) > 0);
    assert_true(give(w, 1001, first, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)) > 0);
    assert_int_equal(w->peer.fsm[first].state, VNRS_BGP_ST_OPEN_CONFIRM);
    w->log[0] = '\0';
}

static enum vnrs_bgp_side opposite(enum vnrs_bgp_side side)
{
    return side == VNRS_BGP_OUT ? VNRS_BGP_IN : VNRS_BGP_OUT;
}

static void give_cease(struct world *w, uint64_t now, enum vnrs_bgp_side side)
{
    static const uint8_t cease[] = {VNRS_BGP_ERR_CEASE, VNRS_BGP_CEASE_COLLISION};
    uint8_t buf[VNRS_BGP_MSG_MAX];

    assert_int_equal(give(w, now, side, buf, make(buf, VNRS_BGP_NOTIFICATION, cease, sizeof(cease))), -ECONNRESET);
}

static void expect_session(struct world *w, enum vnrs_bgp_side side)
{
    assert_non_null(vnrs_bgp_peer_session(&w->peer));
    assert_int_equal(vnrs_bgp_peer_session(&w->peer)->side, side);
    assert_int_equal(w->peer.fsm[opposite(side)].state, VNRS_BGP_ST_IDLE);
    assert_int_equal(w->peer.flaps, 0);
    assert_int_equal(w->peer.errors, 0);
    assert_string_equal(w->peer.last_error, "");
    assert_int_equal(w->peer.undecided_until, VNRS_BGP_TIMER_OFF);
}

static void the_peer_decides_for_the_other_connection(void **state)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    for (enum vnrs_bgp_side first = VNRS_BGP_OUT; first <= VNRS_BGP_IN; first++) {
        enum vnrs_bgp_side other = opposite(first);
        uint32_t remote = first == VNRS_BGP_OUT ? 0x0a000005 : 0x0a000003;
        for (unsigned cease_first = 0; cease_first < 2; cease_first++) { // two connections have no order
            undecided(&w, first);
            assert_true(give(&w, 1002, other, buf, make_open(buf, remote)) > 0);
            if (cease_first)
                give_cease(&w, 1003, first);
            assert_true(give(&w, 1003, other, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)) > 0);
            expect_session(&w, other);
        }
    }
}

static void the_peer_decides_for_this_connection(void **state)
{
    static const uint8_t nothing[4];
    uint8_t buf[VNRS_BGP_MSG_MAX];
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    for (enum vnrs_bgp_side first = VNRS_BGP_OUT; first <= VNRS_BGP_IN; first++) {
        enum vnrs_bgp_side other = opposite(first);
        uint32_t remote = first == VNRS_BGP_OUT ? 0x0a000005 : 0x0a000003;
        // It closes the other one: before its OPEN there, or after it.
        undecided(&w, first);
        vnrs_bgp_peer_disconnected(&w.peer, 1002, other, NULL);
        assert_int_equal(vnrs_bgp_peer_session(&w.peer)->side, first);
        undecided(&w, first);
        assert_true(give(&w, 1002, other, buf, make_open(buf, remote)) > 0);
        give_cease(&w, 1003, other);
        expect_session(&w, first);
        // It speaks on this one as in Established.
        undecided(&w, first);
        assert_true(give(&w, 1002, first, buf, make(buf, VNRS_BGP_UPDATE, nothing, sizeof(nothing))) > 0);
        expect_session(&w, first);
        assert_int_equal(w.updates, 1);
        assert_int_equal(w.sent[other][20], VNRS_BGP_CEASE_COLLISION);
        undecided(&w, first);
        assert_true(give(&w, 1002, first, buf, make(buf, VNRS_BGP_ROUTE_REFRESH, "\0\1\0\1", 4)) > 0);
        expect_session(&w, first);
        // It says nothing.
        undecided(&w, first);
        assert_true(vnrs_bgp_peer_next(&w.peer) == 1001 + VNRS_BGP_COLLISION_MS);
        assert_true(give(&w, 1500, first, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)) > 0);
        vnrs_bgp_peer_tick(&w.peer, 1000 + VNRS_BGP_COLLISION_MS);
        assert_null(vnrs_bgp_peer_session(&w.peer));
        vnrs_bgp_peer_tick(&w.peer, 1001 + VNRS_BGP_COLLISION_MS);
        expect_session(&w, first);
    }
}

static void an_undecided_peer_is_stopped(void **state)
{
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    undecided(&w, VNRS_BGP_IN);
    vnrs_bgp_peer_stop(&w.peer, 1002, VNRS_BGP_CEASE_SHUTDOWN, NULL);
    assert_null(strstr(w.log, "up"));
    assert_int_equal(w.sent[VNRS_BGP_IN][20], VNRS_BGP_CEASE_SHUTDOWN);
    assert_true(vnrs_bgp_peer_next(&w.peer) == VNRS_BGP_NEVER);
}

static void established_session_stays(void **state)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    _cleanup_(world_fini) struct world w = {0};

    (void)state;
    world_init(&w, false);
    vnrs_bgp_peer_connected(&w.peer, 1000);
    assert_true(give(&w, 1000, VNRS_BGP_OUT, buf, make_open(buf, 0x0a00000a)) > 0);
    assert_true(give(&w, 1000, VNRS_BGP_OUT, buf, make(buf, VNRS_BGP_KEEPALIVE, NULL, 0)) > 0);
    accept_one(&w, 2000);
    w.log[0] = '\0';
    assert_int_equal(give(&w, 2000, VNRS_BGP_IN, buf, make_open(buf, 0x0a00000a)), -ECONNRESET);
    expect(&w, "in:NOTIFICATION in:close");
    assert_int_equal(w.peer.flaps, 0);
    assert_non_null(vnrs_bgp_peer_session(&w.peer));
    // A second incoming one replaces the first as long as that got no OPEN, and is refused otherwise.
    accept_one(&w, 3000);
    accept_one(&w, 3001);
    vnrs_bgp_peer_stop(&w.peer, 4000, VNRS_BGP_CEASE_SHUTDOWN, NULL);
    assert_int_equal(w.sent[VNRS_BGP_OUT][20], VNRS_BGP_CEASE_SHUTDOWN);
    assert_int_equal(vnrs_bgp_peer_accept(&w.peer, 5000), -EBUSY);
    assert_true(vnrs_bgp_peer_next(&w.peer) == VNRS_BGP_NEVER);
    world_init(&w, true);
    establish_in(&w, 1000);
    assert_int_equal(vnrs_bgp_peer_accept(&w.peer, 2000), -EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_is_byte_exact),
        cmocka_unit_test(session_of_the_peers_making),
        cmocka_unit_test(header_errors),
        cmocka_unit_test(notification_is_remembered),
        cmocka_unit_test(damping),
        cmocka_unit_test(refused_version_is_not_counted),
        cmocka_unit_test(capabilities_refused),
        cmocka_unit_test(delayed_open),
        cmocka_unit_test(short_hold_times_are_refused),
        cmocka_unit_test(refused_connections_are_retried),
        cmocka_unit_test(collisions),
        cmocka_unit_test(the_peer_decides_for_the_other_connection),
        cmocka_unit_test(the_peer_decides_for_this_connection),
        cmocka_unit_test(an_undecided_peer_is_stopped),
        cmocka_unit_test(established_session_stays),
    };
    return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
