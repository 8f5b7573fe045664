// SPDX-License-Identifier: GPL-2.0-or-later
// RFC 4271 section 8.2.2: every state with every event, what is sent and where it leads. What no row names has to be
// ignored. Then the checks of an OPEN, the negotiation, and the timers.
#include "bgp/fsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct vnrs_bgp_conf conf;
    struct vnrs_bgp_fsm fsm;
    char log[256]; // what it did, in order
    bool lose_collision;
    bool undecided; // a collision
    int update_result;
    uint32_t random;
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
    (void)side;
    note(arg, "close");
}
static void on_send(void *arg, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    (void)side;
    assert_true(len >= VNRS_BGP_HEADER_BYTES && bytes[16] * 256u + bytes[17] == len);
    if (bytes[18] == VNRS_BGP_OPEN)
        note(arg, "OPEN");
    else if (bytes[18] == VNRS_BGP_KEEPALIVE)
        note(arg, "KEEPALIVE");
    else if (bytes[18] == VNRS_BGP_NOTIFICATION)
        note(arg, len > 21 ? "N%u/%u:%u" : "N%u/%u", bytes[19], bytes[20], len > 21 ? bytes[21] : 0);
    else
        fail();
}
static void on_state(void *arg, enum vnrs_bgp_side side)
{
    (void)arg;
    (void)side;
}
static bool on_opened(void *arg, enum vnrs_bgp_side side)
{
    (void)side;
    return !((struct world *)arg)->lose_collision;
}
static bool on_confirmed(void *arg, enum vnrs_bgp_side side)
{
    (void)side;
    return !((struct world *)arg)->undecided;
}
static void on_up(void *arg, enum vnrs_bgp_side side)
{
    (void)side;
    note(arg, "up");
}
static void on_idle(void *arg, enum vnrs_bgp_side side, bool was_up, enum vnrs_bgp_cause cause,
                    const struct vnrs_bgp_error *error)
{
    static const char *const names[] = {"stop", "tcp", "hold", "sent", "received", "collision", "early", "bfd"};

    (void)side;
    (void)error;
    note(arg, "%s:%s", was_up ? "down" : "idle", names[cause]);
}
static int on_update(void *arg, const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error)
{
    struct world *w = arg;

    (void)msg;
    (void)len;
    note(w, "update");
    if (w->update_result < 0)
        *ret_error = (struct vnrs_bgp_error){.code = VNRS_BGP_ERR_UPDATE, .subcode = 1};
    return w->update_result;
}
static void on_refresh(void *arg, uint8_t af, uint8_t subtype)
{
    note(arg, "refresh:%u/%u", af, subtype);
}
static uint32_t on_random(void *arg)
{
    return ((struct world *)arg)->random;
}

static const struct vnrs_bgp_fsm_ops ops = {
    .connect = on_connect,
    .close = on_close,
    .send = on_send,
    .state = on_state,
    .opened = on_opened,
    .confirmed = on_confirmed,
    .up = on_up,
    .idle = on_idle,
    .update = on_update,
    .refresh = on_refresh,
    .random = on_random,
};

static struct vnrs_bgp_open good_open(void)
{
    return (struct vnrs_bgp_open){.asn = 65001,
                                  .hold = 90,
                                  .id = 0x0a00000a,
                                  .caps = {.mp = {true, false}, .any_mp = true, .refresh = true, .as4 = true}};
}

static void event(struct world *w, enum vnrs_bgp_event ev, uint64_t now)
{
    static const uint8_t update[VNRS_BGP_HEADER_BYTES + 4];
    struct vnrs_bgp_error error = {.code = VNRS_BGP_ERR_CEASE, .subcode = VNRS_BGP_CEASE_SHUTDOWN};
    struct vnrs_bgp_open open = good_open();
    struct vnrs_bgp_input in = {.msg = update, .len = sizeof(update), .open = &open, .error = &error};

    w->log[0] = '\0';
    vnrs_bgp_fsm_event(&w->fsm, ev, now, &in);
}

static void world_init(struct world *w, enum vnrs_bgp_side side)
{
    *w = (struct world){.conf = {.local_asn = 65515,
                                 .peer_asn = 65001,
                                 .router_id = 0x0a000004,
                                 .hold = 180,
                                 .keepalive = 60,
                                 .connect_retry_ms = 5000,
                                 .caps = {.mp = {true, true}, .any_mp = true, .refresh = true, .as4 = true}}};
    vnrs_bgp_fsm_init(&w->fsm, side, &w->conf, &ops, w);
}

// Besides the states of the RFC: Connect and Active while the DelayOpenTimer runs, which some events are looked at by.
// In Active a connection is one of the peer's making.
enum { CONNECT_DELAY = _VNRS_BGP_ST_MAX, ACTIVE_DELAY, STATES };

// A machine in that state at time 1000, in the ordinary way.
static void bring_to(struct world *w, unsigned state)
{
    static const enum vnrs_bgp_event way[] = {VNRS_BGP_EV_START, VNRS_BGP_EV_TCP_UP, VNRS_BGP_EV_OPEN,
                                              VNRS_BGP_EV_KEEPALIVE};
    static const struct {
        enum vnrs_bgp_state state;
        unsigned steps;
    } ways[STATES] = {
        [VNRS_BGP_ST_IDLE] = {VNRS_BGP_ST_IDLE, 0},
        [VNRS_BGP_ST_CONNECT] = {VNRS_BGP_ST_CONNECT, 1},
        [VNRS_BGP_ST_ACTIVE] = {VNRS_BGP_ST_ACTIVE, 1},
        [VNRS_BGP_ST_OPEN_SENT] = {VNRS_BGP_ST_OPEN_SENT, 2},
        [VNRS_BGP_ST_OPEN_CONFIRM] = {VNRS_BGP_ST_OPEN_CONFIRM, 3},
        [VNRS_BGP_ST_ESTABLISHED] = {VNRS_BGP_ST_ESTABLISHED, 4},
        [CONNECT_DELAY] = {VNRS_BGP_ST_CONNECT, 2},
        [ACTIVE_DELAY] = {VNRS_BGP_ST_ACTIVE, 2},
    };

    world_init(w, state == ACTIVE_DELAY ? VNRS_BGP_IN : VNRS_BGP_OUT);
    w->conf.delay_open_ms = state >= CONNECT_DELAY ? 2000 : 0;
    for (unsigned i = 0; i < ways[state].steps; i++)
        event(w, way[i], 1000);
    if (state == VNRS_BGP_ST_ACTIVE)
        event(w, VNRS_BGP_EV_TCP_FAIL, 1000);
    w->log[0] = '\0';
    assert_int_equal(w->fsm.state, ways[state].state);
}

#define IDLE        VNRS_BGP_ST_IDLE
#define CONNECT     VNRS_BGP_ST_CONNECT
#define ACTIVE      VNRS_BGP_ST_ACTIVE
#define OPENSENT    VNRS_BGP_ST_OPEN_SENT
#define OPENCONFIRM VNRS_BGP_ST_OPEN_CONFIRM
#define ESTABLISHED VNRS_BGP_ST_ESTABLISHED

// In the order of section 8.2.2; the number is the event's there. Events 4 to 7 and 13 are those of bgp/peer.h, 14 and
// 15 are the kernel's, 14 to 17 in OpenSent and later belong to the other connection's machine.
static const struct {
    unsigned state;
    enum vnrs_bgp_event event;
    enum vnrs_bgp_state next;
    const char *log;
} rows[] = {
    {IDLE, VNRS_BGP_EV_START, CONNECT, "connect"}, // 1, 3; 2 and 8, and all others: ignored

    {CONNECT, VNRS_BGP_EV_STOP, IDLE, "close idle:stop"},             // 2
    {CONNECT, VNRS_BGP_EV_RETRY, CONNECT, "close connect"},           // 9
    {CONNECT, VNRS_BGP_EV_HOLD, IDLE, "close idle:early"},            // 10
    {CONNECT, VNRS_BGP_EV_ALIVE, IDLE, "close idle:early"},           // 11
    {CONNECT, VNRS_BGP_EV_DELAY, OPENSENT, "OPEN"},                   // 12
    {CONNECT, VNRS_BGP_EV_TCP_UP, OPENSENT, "OPEN"},                  // 16, 17
    {CONNECT, VNRS_BGP_EV_TCP_FAIL, ACTIVE, "close"},                 // 18, Idle, and then 5
    {CONNECT, VNRS_BGP_EV_OPEN, IDLE, "close idle:early"},            // 19
    {CONNECT, VNRS_BGP_EV_ERROR, IDLE, "close idle:sent"},            // 21, 22, 28
    {CONNECT, VNRS_BGP_EV_DUMP, IDLE, "close idle:collision"},        // 23
    {CONNECT, VNRS_BGP_EV_NOTIFICATION, IDLE, "close idle:received"}, // 24, 25
    {CONNECT, VNRS_BGP_EV_KEEPALIVE, IDLE, "close idle:early"},       // 26
    {CONNECT, VNRS_BGP_EV_UPDATE, IDLE, "close idle:early"},          // 27
    {CONNECT, VNRS_BGP_EV_REFRESH, IDLE, "close idle:early"},

    {CONNECT_DELAY, VNRS_BGP_EV_STOP, IDLE, "close idle:stop"},
    {CONNECT_DELAY, VNRS_BGP_EV_RETRY, CONNECT, "close connect"},
    {CONNECT_DELAY, VNRS_BGP_EV_HOLD, IDLE, "close idle:early"},
    {CONNECT_DELAY, VNRS_BGP_EV_ALIVE, IDLE, "close idle:early"},
    {CONNECT_DELAY, VNRS_BGP_EV_DELAY, OPENSENT, "OPEN"},
    {CONNECT_DELAY, VNRS_BGP_EV_TCP_UP, CONNECT, ""},
    {CONNECT_DELAY, VNRS_BGP_EV_TCP_FAIL, ACTIVE, "close"},
    {CONNECT_DELAY, VNRS_BGP_EV_OPEN, OPENCONFIRM, "OPEN KEEPALIVE"}, // 20
    {CONNECT_DELAY, VNRS_BGP_EV_ERROR, IDLE, "N6/2 close idle:sent"},
    {CONNECT_DELAY, VNRS_BGP_EV_DUMP, IDLE, "close idle:collision"},
    {CONNECT_DELAY, VNRS_BGP_EV_NOTIFICATION, IDLE, "close idle:received"},
    {CONNECT_DELAY, VNRS_BGP_EV_KEEPALIVE, IDLE, "close idle:early"},
    {CONNECT_DELAY, VNRS_BGP_EV_UPDATE, IDLE, "close idle:early"},
    {CONNECT_DELAY, VNRS_BGP_EV_REFRESH, IDLE, "close idle:early"},

    {ACTIVE, VNRS_BGP_EV_STOP, IDLE, "idle:stop"},
    {ACTIVE, VNRS_BGP_EV_RETRY, CONNECT, "connect"},
    {ACTIVE, VNRS_BGP_EV_HOLD, IDLE, "idle:early"},
    {ACTIVE, VNRS_BGP_EV_ALIVE, IDLE, "idle:early"},
    {ACTIVE, VNRS_BGP_EV_DELAY, OPENSENT, "OPEN"},
    {ACTIVE, VNRS_BGP_EV_TCP_UP, OPENSENT, "OPEN"},
    {ACTIVE, VNRS_BGP_EV_TCP_FAIL, ACTIVE, ""}, // 18, Idle, and then 5
    {ACTIVE, VNRS_BGP_EV_OPEN, IDLE, "idle:early"},
    {ACTIVE, VNRS_BGP_EV_ERROR, IDLE, "idle:sent"},
    {ACTIVE, VNRS_BGP_EV_DUMP, IDLE, "idle:collision"},
    {ACTIVE, VNRS_BGP_EV_NOTIFICATION, IDLE, "idle:received"},
    {ACTIVE, VNRS_BGP_EV_KEEPALIVE, IDLE, "idle:early"},
    {ACTIVE, VNRS_BGP_EV_UPDATE, IDLE, "idle:early"},
    {ACTIVE, VNRS_BGP_EV_REFRESH, IDLE, "idle:early"},

    {ACTIVE_DELAY, VNRS_BGP_EV_STOP, IDLE, "N6/2 close idle:stop"},
    {ACTIVE_DELAY, VNRS_BGP_EV_RETRY, CONNECT, "close connect"},
    {ACTIVE_DELAY, VNRS_BGP_EV_HOLD, IDLE, "close idle:early"},
    {ACTIVE_DELAY, VNRS_BGP_EV_ALIVE, IDLE, "close idle:early"},
    {ACTIVE_DELAY, VNRS_BGP_EV_DELAY, OPENSENT, "OPEN"},
    {ACTIVE_DELAY, VNRS_BGP_EV_TCP_UP, ACTIVE, ""},
    {ACTIVE_DELAY, VNRS_BGP_EV_TCP_FAIL, IDLE, "close idle:tcp"},
    {ACTIVE_DELAY, VNRS_BGP_EV_OPEN, OPENCONFIRM, "OPEN KEEPALIVE"},
    {ACTIVE_DELAY, VNRS_BGP_EV_ERROR, IDLE, "N6/2 close idle:sent"},
    {ACTIVE_DELAY, VNRS_BGP_EV_DUMP, IDLE, "close idle:collision"},
    {ACTIVE_DELAY, VNRS_BGP_EV_NOTIFICATION, IDLE, "close idle:received"},
    {ACTIVE_DELAY, VNRS_BGP_EV_KEEPALIVE, IDLE, "close idle:early"},
    {ACTIVE_DELAY, VNRS_BGP_EV_UPDATE, IDLE, "close idle:early"},
    {ACTIVE_DELAY, VNRS_BGP_EV_REFRESH, IDLE, "close idle:early"},

    {OPENSENT, VNRS_BGP_EV_STOP, IDLE, "N6/2 close idle:stop"},
    {OPENSENT, VNRS_BGP_EV_RETRY, IDLE, "N5/0 close idle:sent"},
    {OPENSENT, VNRS_BGP_EV_HOLD, IDLE, "N4/0 close idle:hold"},
    {OPENSENT, VNRS_BGP_EV_ALIVE, IDLE, "N5/0 close idle:sent"},
    {OPENSENT, VNRS_BGP_EV_DELAY, IDLE, "N5/0 close idle:sent"},
    {OPENSENT, VNRS_BGP_EV_TCP_FAIL, ACTIVE, "close"},
    {OPENSENT, VNRS_BGP_EV_OPEN, OPENCONFIRM, "KEEPALIVE"},
    {OPENSENT, VNRS_BGP_EV_ERROR, IDLE, "N6/2 close idle:sent"},
    {OPENSENT, VNRS_BGP_EV_DUMP, IDLE, "N6/7 close idle:collision"},
    {OPENSENT, VNRS_BGP_EV_NOTIFICATION, IDLE, "close idle:received"},
    {OPENSENT, VNRS_BGP_EV_KEEPALIVE, IDLE, "N5/1:4 close idle:sent"}, // RFC 6608
    {OPENSENT, VNRS_BGP_EV_UPDATE, IDLE, "N5/1:2 close idle:sent"},
    {OPENSENT, VNRS_BGP_EV_REFRESH, IDLE, "N5/1:5 close idle:sent"},

    {OPENCONFIRM, VNRS_BGP_EV_STOP, IDLE, "N6/2 close idle:stop"},
    {OPENCONFIRM, VNRS_BGP_EV_RETRY, IDLE, "N5/0 close idle:sent"},
    {OPENCONFIRM, VNRS_BGP_EV_HOLD, IDLE, "N4/0 close idle:hold"},
    {OPENCONFIRM, VNRS_BGP_EV_ALIVE, OPENCONFIRM, "KEEPALIVE"},
    {OPENCONFIRM, VNRS_BGP_EV_DELAY, IDLE, "N5/0 close idle:sent"},
    {OPENCONFIRM, VNRS_BGP_EV_TCP_FAIL, IDLE, "close idle:tcp"},
    {OPENCONFIRM, VNRS_BGP_EV_OPEN, IDLE, "N5/2:1 close idle:sent"},
    {OPENCONFIRM, VNRS_BGP_EV_ERROR, IDLE, "N6/2 close idle:sent"},
    {OPENCONFIRM, VNRS_BGP_EV_DUMP, IDLE, "N6/7 close idle:collision"},
    {OPENCONFIRM, VNRS_BGP_EV_NOTIFICATION, IDLE, "close idle:received"},
    {OPENCONFIRM, VNRS_BGP_EV_KEEPALIVE, ESTABLISHED, "up"},
    {OPENCONFIRM, VNRS_BGP_EV_UPDATE, IDLE, "N5/2:2 close idle:sent"},
    {OPENCONFIRM, VNRS_BGP_EV_REFRESH, IDLE, "N5/2:5 close idle:sent"},

    {ESTABLISHED, VNRS_BGP_EV_STOP, IDLE, "N6/2 close down:stop"},
    {ESTABLISHED, VNRS_BGP_EV_RETRY, IDLE, "N5/0 close down:sent"},
    {ESTABLISHED, VNRS_BGP_EV_HOLD, IDLE, "N4/0 close down:hold"},
    {ESTABLISHED, VNRS_BGP_EV_ALIVE, ESTABLISHED, "KEEPALIVE"},
    {ESTABLISHED, VNRS_BGP_EV_DELAY, IDLE, "N5/0 close down:sent"},
    {ESTABLISHED, VNRS_BGP_EV_TCP_FAIL, IDLE, "close down:tcp"},
    {ESTABLISHED, VNRS_BGP_EV_OPEN, IDLE, "N5/3:1 close down:sent"},
    {ESTABLISHED, VNRS_BGP_EV_ERROR, IDLE, "N6/2 close down:sent"},
    {ESTABLISHED, VNRS_BGP_EV_DUMP, IDLE, "N6/7 close down:collision"},
    {ESTABLISHED, VNRS_BGP_EV_NOTIFICATION, IDLE, "close down:received"},
    {ESTABLISHED, VNRS_BGP_EV_KEEPALIVE, ESTABLISHED, ""},
    {ESTABLISHED, VNRS_BGP_EV_UPDATE, ESTABLISHED, "update"},
    {ESTABLISHED, VNRS_BGP_EV_SEND_HOLD, IDLE, "N8/0 close down:hold"}, // 29, RFC 9687
    {ESTABLISHED, VNRS_BGP_EV_REFRESH, ESTABLISHED, "refresh:0/0"},
    {ESTABLISHED, VNRS_BGP_EV_BFD_DOWN, IDLE, "N6/10 close down:bfd"},
};

static void every_state_and_event(void **state)
{
    struct world w;

    (void)state;
    for (unsigned s = 0; s < STATES; s++)
        for (unsigned e = 0; e < _VNRS_BGP_EV_MAX; e++) {
            const char *log = "";
            bring_to(&w, s);
            enum vnrs_bgp_state next = w.fsm.state;
            for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (rows[i].state == s && rows[i].event == e) {
                    log = rows[i].log;
                    next = rows[i].next;
                }
            event(&w, e, 2000);
            if (w.fsm.state != next || strcmp(w.log, log) != 0)
                fail_msg("state %u, event %u: %s '%s', expected %s '%s'", s, e, vnrs_bgp_state_name(w.fsm.state), w.log,
                         vnrs_bgp_state_name(next), log);
            if (next == IDLE)
                assert_true(vnrs_bgp_fsm_next(&w.fsm) == VNRS_BGP_NEVER);
        }
}

// Which timers run in which state, section 8.2.2 and RFC 9687 section 4.3.
static void timers_of_states(void **state)
{
    static const char *const running[STATES] = {[IDLE] = "",
                                                [CONNECT] = "retry",
                                                [ACTIVE] = "retry",
                                                [OPENSENT] = "hold",
                                                [OPENCONFIRM] = "hold keepalive",
                                                [ESTABLISHED] = "hold keepalive send-hold",
                                                [CONNECT_DELAY] = "delay",
                                                [ACTIVE_DELAY] = "delay"};
    static const char *const names[_VNRS_BGP_TM_MAX] = {"retry", "hold", "keepalive", "delay", "send-hold"};
    struct world w;

    (void)state;
    for (unsigned s = 0; s < STATES; s++) {
        bring_to(&w, s);
        for (unsigned i = 0; i < _VNRS_BGP_TM_MAX; i++)
            if (w.fsm.deadline[i])
                note(&w, "%s", names[i]);
        assert_string_equal(w.log, running[s]);
    }
}

static void bad_update_resets(void **state)
{
    struct world w;

    (void)state;
    bring_to(&w, ESTABLISHED);
    w.update_result = -1;
    event(&w, VNRS_BGP_EV_UPDATE, 2000);
    assert_string_equal(w.log, "update N3/1 close down:sent");
}

static void lost_collision(void **state)
{
    struct world w;

    (void)state;
    bring_to(&w, OPENSENT);
    w.lose_collision = true;
    event(&w, VNRS_BGP_EV_OPEN, 2000);
    assert_string_equal(w.log, "N6/7 close idle:collision");
}

static void incoming_machine_never_retries(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, VNRS_BGP_IN);
    event(&w, VNRS_BGP_EV_START, 1000);
    assert_int_equal(w.fsm.state, ACTIVE);
    assert_true(vnrs_bgp_fsm_next(&w.fsm) == VNRS_BGP_NEVER);
    event(&w, VNRS_BGP_EV_TCP_UP, 1000);
    assert_string_equal(w.log, "OPEN");
    event(&w, VNRS_BGP_EV_TCP_FAIL, 1000);
    assert_string_equal(w.log, "close idle:tcp");
}

static void passive_waits(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, VNRS_BGP_OUT);
    w.conf.passive = true;
    event(&w, VNRS_BGP_EV_START, 1000);
    assert_int_equal(w.fsm.state, ACTIVE);
    assert_string_equal(w.log, "");
    assert_true(vnrs_bgp_fsm_next(&w.fsm) == VNRS_BGP_NEVER);
}

static void open_case(const char *what, struct vnrs_bgp_open open, bool ibgp, const char *log)
{
    struct vnrs_bgp_input in = {.open = &open};
    struct world w;

    bring_to(&w, OPENSENT);
    if (ibgp)
        w.conf.peer_asn = w.conf.local_asn;
    vnrs_bgp_fsm_event(&w.fsm, VNRS_BGP_EV_OPEN, 2000, &in);
    if (strcmp(w.log, log) != 0)
        fail_msg("%s: '%s', expected '%s'", what, w.log, log);
}

static void open_is_checked(void **state)
{
    struct vnrs_bgp_open o;

    (void)state;
    open_case("good", good_open(), false, "KEEPALIVE");
    o = good_open();
    o.asn = 65002;
    open_case("bad peer AS", o, false, "N2/2 close idle:sent");
    o = good_open();
    o.id = 0;
    open_case("identifier 0", o, false, "N2/3 close idle:sent");
    o = good_open();
    o.id = 0x0a000004;
    open_case("our identifier, eBGP (RFC 6286)", o, false, "KEEPALIVE");
    o.asn = 65515;
    open_case("our identifier, iBGP", o, true, "N2/3 close idle:sent");
    for (uint16_t hold = 0; hold <= 3; hold++) {
        o = good_open();
        o.hold = hold;
        open_case("hold time", o, false, hold == 1 || hold == 2 ? "N2/6 close idle:sent" : "KEEPALIVE");
    }
    o = good_open();
    o.caps.mp[VNRS_BGP_AF4] = false;
    open_case("families, but none of ours", o, false, "N2/7:1 close idle:sent");
    o.caps.any_mp = false;
    open_case("no family named means IPv4", o, false, "KEEPALIVE");
}

static void negotiation(void **state)
{
    struct vnrs_bgp_open o = good_open();
    struct vnrs_bgp_input in = {.open = &o};
    struct world w;

    (void)state;
    bring_to(&w, ESTABLISHED);
    const struct vnrs_bgp_session *s = &w.fsm.session;
    assert_true(s->as4 && s->refresh && s->mp[VNRS_BGP_AF4]);
    assert_true(!s->mp[VNRS_BGP_AF6] && !s->ibgp && !s->extended_message && !s->enhanced_refresh);
    assert_int_equal(s->hold, 90);
    assert_int_equal(s->keepalive, 30);
    bring_to(&w, OPENSENT);
    o.hold = 0;
    o.caps.as4 = false;
    vnrs_bgp_fsm_event(&w.fsm, VNRS_BGP_EV_OPEN, 2000, &in);
    assert_int_equal(w.fsm.session.hold, 0);
    assert_int_equal(w.fsm.session.keepalive, 0);
    assert_false(w.fsm.session.as4);
    assert_true(vnrs_bgp_fsm_next(&w.fsm) == VNRS_BGP_NEVER); // no hold time: no timers
}

// RFC 7911 section 4: one side's receiving goes with the other's sending. RFC 8950: both sides announce it.
static void negotiation_of_paths_and_next_hops(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 128; bits++) {
        struct vnrs_bgp_open o = good_open();
        struct vnrs_bgp_input in = {.open = &o};
        struct world w;

        bring_to(&w, OPENSENT);
        w.conf.caps.add_path_receive[VNRS_BGP_AF4] = w.conf.caps.add_path_receive[VNRS_BGP_AF6] = bits & 1;
        w.conf.caps.add_path_send[VNRS_BGP_AF4] = w.conf.caps.add_path_send[VNRS_BGP_AF6] = bits & 2;
        w.conf.caps.ext_nexthop = bits & 4;
        o.caps.add_path_receive[VNRS_BGP_AF4] = o.caps.add_path_receive[VNRS_BGP_AF6] = bits & 8;
        o.caps.add_path_send[VNRS_BGP_AF4] = o.caps.add_path_send[VNRS_BGP_AF6] = bits & 16;
        o.caps.ext_nexthop = bits & 32;
        o.caps.mp[VNRS_BGP_AF6] = true;
        o.caps.mp[VNRS_BGP_AF4] = bits & 64;
        vnrs_bgp_fsm_event(&w.fsm, VNRS_BGP_EV_OPEN, 2000, &in);
        const struct vnrs_bgp_session *s = &w.fsm.session;
        assert_int_equal(s->add_path_rx[VNRS_BGP_AF6], (bits & 1) && (bits & 16));
        assert_int_equal(s->add_path_tx[VNRS_BGP_AF6], (bits & 2) && (bits & 8));
        assert_int_equal(s->add_path_rx[VNRS_BGP_AF4], (bits & 64) && (bits & 1) && (bits & 16));
        assert_int_equal(s->add_path_tx[VNRS_BGP_AF4], (bits & 64) && (bits & 2) && (bits & 8));
        assert_int_equal(s->ext_nexthop, (bits & 64) && (bits & 4) && (bits & 32));
    }
}

// RFC 4271 section 10: the connect retry and keepalive timers are shortened by up to a quarter, the hold timer is not.
static void timers(void **state)
{
    struct world w;

    (void)state;
    bring_to(&w, CONNECT);
    assert_true(vnrs_bgp_fsm_next(&w.fsm) == 1000 + 5000);
    vnrs_bgp_fsm_tick(&w.fsm, 5999);
    assert_string_equal(w.log, "");
    w.random = 1023;
    vnrs_bgp_fsm_tick(&w.fsm, 6000);
    assert_string_equal(w.log, "close connect");
    assert_true(vnrs_bgp_fsm_next(&w.fsm) == 6000 + 3750);

    bring_to(&w, OPENSENT);
    assert_true(vnrs_bgp_fsm_next(&w.fsm) == 1000 + 240000);
    bring_to(&w, ESTABLISHED);
    assert_true(vnrs_bgp_fsm_next(&w.fsm) == 1000 + 30000);
    vnrs_bgp_fsm_tick(&w.fsm, 31000);
    assert_string_equal(w.log, "KEEPALIVE");
    event(&w, VNRS_BGP_EV_UPDATE, 50000);
    vnrs_bgp_fsm_tick(&w.fsm, 50000 + 89999);
    assert_int_equal(w.fsm.state, ESTABLISHED);
    vnrs_bgp_fsm_heard(&w.fsm, 100000);
    vnrs_bgp_fsm_tick(&w.fsm, 100000 + 89999);
    assert_int_equal(w.fsm.state, ESTABLISHED);
    w.log[0] = '\0';
    w.fsm.deadline[VNRS_BGP_TM_KEEPALIVE] = VNRS_BGP_TIMER_OFF;
    vnrs_bgp_fsm_tick(&w.fsm, 100000 + 90000);
    assert_string_equal(w.log, "N4/0 close down:hold");
}

static void delay_open(void **state)
{
    struct world w;

    (void)state;
    bring_to(&w, CONNECT);
    w.conf.delay_open_ms = 2000;
    event(&w, VNRS_BGP_EV_TCP_UP, 1500);
    assert_string_equal(w.log, "");
    vnrs_bgp_fsm_tick(&w.fsm, 3500);
    assert_string_equal(w.log, "OPEN");
    assert_int_equal(w.fsm.state, OPENSENT);

    bring_to(&w, CONNECT); // the peer speaks first
    w.conf.delay_open_ms = 2000;
    event(&w, VNRS_BGP_EV_TCP_UP, 1500);
    event(&w, VNRS_BGP_EV_OPEN, 1600);
    assert_string_equal(w.log, "OPEN KEEPALIVE");
    assert_int_equal(w.fsm.state, OPENCONFIRM);

    bring_to(&w, CONNECT_DELAY); // not jittered: section 10 does not name it
    w.random = 1023;
    assert_true(w.fsm.deadline[VNRS_BGP_TM_DELAY_OPEN] == 1000 + 2000);
}

// What is sent and taken counts for the keepalive and the send hold timer.
static void sending(void **state)
{
    struct world w;

    (void)state;
    bring_to(&w, ESTABLISHED);
    vnrs_bgp_fsm_told(&w.fsm, 11000); // an UPDATE instead of a KEEPALIVE
    assert_true(w.fsm.deadline[VNRS_BGP_TM_KEEPALIVE] == 11000 + 30000);
    assert_true(w.fsm.deadline[VNRS_BGP_TM_SEND_HOLD] == 1000 + 480000);
    vnrs_bgp_fsm_drained(&w.fsm, 12000);
    assert_true(w.fsm.deadline[VNRS_BGP_TM_SEND_HOLD] == 12000 + 480000);
    w.fsm.session.hold = 300; // twice the hold time, where that is more
    vnrs_bgp_fsm_drained(&w.fsm, 12000);
    assert_true(w.fsm.deadline[VNRS_BGP_TM_SEND_HOLD] == 12000 + 600000);
    w.fsm.deadline[VNRS_BGP_TM_HOLD] = w.fsm.deadline[VNRS_BGP_TM_KEEPALIVE] = VNRS_BGP_TIMER_OFF;
    vnrs_bgp_fsm_tick(&w.fsm, 611999);
    assert_int_equal(w.fsm.state, ESTABLISHED);
    vnrs_bgp_fsm_tick(&w.fsm, 612000);
    assert_string_equal(w.log, "N8/0 close down:hold");

    bring_to(&w, ESTABLISHED); // no hold time, no send hold time
    w.fsm.session.hold = w.fsm.session.keepalive = 0;
    vnrs_bgp_fsm_drained(&w.fsm, 12000);
    vnrs_bgp_fsm_told(&w.fsm, 12000);
    assert_true(!w.fsm.deadline[VNRS_BGP_TM_SEND_HOLD] && !w.fsm.deadline[VNRS_BGP_TM_KEEPALIVE]);

    bring_to(&w, OPENCONFIRM); // only in Established
    vnrs_bgp_fsm_drained(&w.fsm, 12000);
    vnrs_bgp_fsm_told(&w.fsm, 12000);
    assert_true(!w.fsm.deadline[VNRS_BGP_TM_SEND_HOLD] && w.fsm.deadline[VNRS_BGP_TM_KEEPALIVE] < 12000 + 30000);

    bring_to(&w, OPENCONFIRM); // the shortest hold time: a second between KEEPALIVEs, jitter or not
    w.fsm.session.hold = 3;
    w.fsm.session.keepalive = 1;
    w.random = 1023;
    event(&w, VNRS_BGP_EV_ALIVE, 2000);
    assert_true(w.fsm.deadline[VNRS_BGP_TM_KEEPALIVE] == 3000);
}

static void bring_to_strict(struct world *w, bool announced, bool bfd_up)
{
    struct vnrs_bgp_open open = good_open();
    struct vnrs_bgp_input in = {.open = &open};

    bring_to(w, OPENSENT);
    w->conf.caps.bfd_strict = true;
    w->conf.bfd_up = bfd_up;
    open.caps.bfd_strict = announced;
    vnrs_bgp_fsm_event(&w->fsm, VNRS_BGP_EV_OPEN, 2000, &in);
    assert_int_equal(w->fsm.state, OPENCONFIRM);
}

// draft-ietf-idr-bgp-bfd-strict-mode
static void bfd_strict_mode(void **state)
{
    struct world w;

    (void)state;
    bring_to_strict(&w, false, false); // the peer does not want it
    assert_string_equal(w.log, "KEEPALIVE");
    event(&w, VNRS_BGP_EV_BFD_DOWN, 2000);
    assert_int_equal(w.fsm.state, OPENCONFIRM);
    bring_to_strict(&w, true, true); // BFD is up already
    assert_string_equal(w.log, "KEEPALIVE");
    event(&w, VNRS_BGP_EV_KEEPALIVE, 2000);
    assert_string_equal(w.log, "up");

    bring_to_strict(&w, true, false); // BFD comes up, then the peer confirms
    assert_string_equal(w.log, "");
    vnrs_bgp_fsm_heard(&w.fsm, 20000); // means nothing yet
    vnrs_bgp_fsm_tick(&w.fsm, 31999);
    assert_string_equal(w.log, "");
    event(&w, VNRS_BGP_EV_BFD_UP, 31999);
    assert_string_equal(w.log, "KEEPALIVE");
    assert_true(w.fsm.deadline[VNRS_BGP_TM_HOLD] == 31999 + 90000);
    event(&w, VNRS_BGP_EV_BFD_UP, 32000);
    assert_string_equal(w.log, "");
    event(&w, VNRS_BGP_EV_KEEPALIVE, 32000);
    assert_string_equal(w.log, "up");

    bring_to_strict(&w, true, false); // the peer confirms before we know that BFD is up
    event(&w, VNRS_BGP_EV_KEEPALIVE, 2100);
    assert_int_equal(w.fsm.state, OPENCONFIRM);
    event(&w, VNRS_BGP_EV_BFD_UP, 2100);
    assert_string_equal(w.log, "KEEPALIVE up");

    bring_to_strict(&w, true, false); // it does not come up
    vnrs_bgp_fsm_tick(&w.fsm, 32000);
    assert_string_equal(w.log, "N6/10 close idle:bfd");
    assert_false(w.fsm.waits_for_bfd);
    bring_to_strict(&w, true, true); // it fails before the session is there
    event(&w, VNRS_BGP_EV_BFD_DOWN, 2100);
    assert_string_equal(w.log, "N6/10 close idle:bfd");
}

// A collision that is not decided keeps OpenConfirm, until the owner says so or the peer speaks as in Established.
static void undecided_collision(void **state)
{
    static const struct {
        enum vnrs_bgp_event event;
        const char *log;
    } proofs[] = {
        {VNRS_BGP_EV_UPDATE, "up update"}, {VNRS_BGP_EV_REFRESH, "up refresh:0/0"}, {VNRS_BGP_EV_DECIDED, ""}};
    struct world w;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(proofs); i++) {
        bring_to(&w, OPENCONFIRM);
        assert_false(vnrs_bgp_fsm_is_held(&w.fsm));
        w.undecided = true;
        event(&w, VNRS_BGP_EV_KEEPALIVE, 2000);
        assert_string_equal(w.log, "");
        assert_int_equal(w.fsm.state, OPENCONFIRM);
        assert_true(vnrs_bgp_fsm_is_held(&w.fsm));
        event(&w, VNRS_BGP_EV_KEEPALIVE, 50000);
        assert_true(w.fsm.deadline[VNRS_BGP_TM_HOLD] == 50000 + 90000);
        event(&w, proofs[i].event, 50000);
        assert_string_equal(w.log, proofs[i].log);
        w.undecided = false;
        if (w.fsm.state == OPENCONFIRM)
            event(&w, VNRS_BGP_EV_DECIDED, 50000);
        assert_int_equal(w.fsm.state, ESTABLISHED);
        assert_false(vnrs_bgp_fsm_is_held(&w.fsm));
    }
    bring_to(&w, OPENCONFIRM); // no KEEPALIVE of the peer
    event(&w, VNRS_BGP_EV_DECIDED, 2000);
    assert_int_equal(w.fsm.state, OPENCONFIRM);
    bring_to_strict(&w, true, false); // BFD is up, the collision is not decided
    w.undecided = true;
    event(&w, VNRS_BGP_EV_KEEPALIVE, 2100);
    assert_false(vnrs_bgp_fsm_is_held(&w.fsm));
    event(&w, VNRS_BGP_EV_BFD_UP, 2100);
    assert_string_equal(w.log, "KEEPALIVE");
    assert_true(vnrs_bgp_fsm_is_held(&w.fsm));
}

static void waits_grow(void **state)
{
    (void)state;
    assert_true(vnrs_bgp_timer_idle_hold(0) == 1000 && vnrs_bgp_timer_idle_hold(1) == 1000);
    assert_true(vnrs_bgp_timer_idle_hold(2) == 2000 && vnrs_bgp_timer_idle_hold(6) == 32000);
    assert_true(vnrs_bgp_timer_idle_hold(7) == 60000 && vnrs_bgp_timer_idle_hold(4000000000u) == 60000);
    for (uint32_t r = 0; r < 5000; r += 7) {
        uint64_t t = vnrs_bgp_timer_jitter(1000, r);
        assert_true(t >= 750 && t <= 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_event),
        cmocka_unit_test(timers_of_states),
        cmocka_unit_test(bad_update_resets),
        cmocka_unit_test(lost_collision),
        cmocka_unit_test(incoming_machine_never_retries),
        cmocka_unit_test(passive_waits),
        cmocka_unit_test(open_is_checked),
        cmocka_unit_test(negotiation),
        cmocka_unit_test(negotiation_of_paths_and_next_hops),
        cmocka_unit_test(timers),
        cmocka_unit_test(delay_open),
        cmocka_unit_test(sending),
        cmocka_unit_test(bfd_strict_mode),
        cmocka_unit_test(undecided_collision),
        cmocka_unit_test(waits_grow),
    };
    return cmocka_run_group_tests_name("fsm", tests, NULL, NULL);
}
