// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/fsm.h"

#include <assert.h>
#include <string.h>

#define OPEN_HOLD_MS          240000u // RFC 4271 8.2.2: "a large value", 4 minutes suggested
#define CONNECT_RETRY_MS      5000u
#define KEEPALIVE_MIN_MS      1000u  // RFC 4271 4.4: never more than one a second
#define BFD_WAIT_MS           30000u // strict mode; also where the hold time is 0
#define SUB_BAD_PEER_AS       2      // RFC 4271 6.2
#define SUB_BAD_ID            3
#define SUB_HOLD_UNACCEPTABLE 6
#define SUB_UNSUPPORTED_CAP   7 // RFC 5492 section 5

typedef void (*action_fn)(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in);

void vnrs_bgp_fsm_init(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_side side, const struct vnrs_bgp_conf *conf,
                       const struct vnrs_bgp_fsm_ops *ops, void *arg)
{
    *fsm = (struct vnrs_bgp_fsm){.conf = conf, .ops = ops, .arg = arg, .side = side};
}

static void enter(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_state state)
{
    if (fsm->state == state)
        return;
    fsm->state = state;
    fsm->ops->state(fsm->arg, fsm->side);
}

static void timer_set(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_timer timer, uint64_t ms)
{
    fsm->deadline[timer] = ms ? fsm->now + ms : VNRS_BGP_TIMER_OFF;
}

static void timer_set_jittered(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_timer timer, uint64_t ms)
{
    timer_set(fsm, timer, vnrs_bgp_timer_jitter(ms, fsm->ops->random(fsm->arg)));
}

static void retry_set(struct vnrs_bgp_fsm *fsm)
{
    // A passive machine, and one made for an incoming connection, have nothing to retry.
    if (fsm->side == VNRS_BGP_OUT && !fsm->conf->passive)
        timer_set_jittered(fsm, VNRS_BGP_TM_RETRY,
                           fsm->conf->connect_retry_ms ? fsm->conf->connect_retry_ms : CONNECT_RETRY_MS);
}

static void disconnect(struct vnrs_bgp_fsm *fsm)
{
    // Also while connecting: the owner of the socket must give it up.
    bool had = fsm->connected || fsm->state == VNRS_BGP_ST_CONNECT;
    fsm->connected = false;
    if (had)
        fsm->ops->close(fsm->arg, fsm->side);
}

static void go_idle(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_cause cause, const struct vnrs_bgp_error *error)
{
    static const struct vnrs_bgp_error none;
    bool was_up = fsm->state == VNRS_BGP_ST_ESTABLISHED;

    memset(fsm->deadline, 0, sizeof(fsm->deadline));
    fsm->waits_for_bfd = fsm->confirmed = false;
    disconnect(fsm);
    enter(fsm, VNRS_BGP_ST_IDLE);
    fsm->ops->idle(fsm->arg, fsm->side, was_up, cause, error ? error : &none);
}

static void send_message(struct vnrs_bgp_fsm *fsm, const uint8_t *bytes, int len)
{
    assert(len > 0); // the buffers below hold every message of a fixed form
    fsm->ops->send(fsm->arg, fsm->side, bytes, (size_t)len);
}

// Without capabilities there is IPv4 unicast, and nothing else.
static struct vnrs_bgp_caps own_caps(const struct vnrs_bgp_conf *conf)
{
    return conf->plain ? (struct vnrs_bgp_caps){.mp = {[VNRS_BGP_AF4] = conf->caps.mp[VNRS_BGP_AF4]}} : conf->caps;
}

static void send_open(struct vnrs_bgp_fsm *fsm)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_open open = {.asn = fsm->conf->local_asn, .hold = fsm->conf->hold, .id = fsm->conf->router_id};

    if (!fsm->conf->plain)
        open.caps = fsm->conf->caps;
    fsm->announced = open.caps;
    send_message(fsm, buf, vnrs_bgp_open_encode(&open, buf, sizeof(buf)));
}

static void keepalive_set(struct vnrs_bgp_fsm *fsm)
{
    uint64_t ms = vnrs_bgp_timer_jitter(fsm->session.keepalive * UINT64_C(1000), fsm->ops->random(fsm->arg));

    timer_set(fsm, VNRS_BGP_TM_KEEPALIVE, ms ? MAX(ms, (uint64_t)KEEPALIVE_MIN_MS) : 0);
}

// RFC 9687 section 4.3: not without a hold time.
static void send_hold_set(struct vnrs_bgp_fsm *fsm)
{
    uint64_t hold = fsm->session.hold;

    timer_set(fsm, VNRS_BGP_TM_SEND_HOLD, hold ? MAX(hold * 2000, (uint64_t)VNRS_BGP_SEND_HOLD_MS) : 0);
}

static void send_keepalive(struct vnrs_bgp_fsm *fsm)
{
    uint8_t buf[VNRS_BGP_HEADER_BYTES];

    send_message(fsm, buf, vnrs_bgp_keepalive_encode(buf, sizeof(buf)));
    keepalive_set(fsm);
}

// After these the peer must not go on with our routes, nor we with its.
static bool is_final(const struct vnrs_bgp_error *error)
{
    return error->code == VNRS_BGP_ERR_CEASE &&
           (error->subcode == VNRS_BGP_CEASE_MAX_PREFIXES || error->subcode == VNRS_BGP_CEASE_SHUTDOWN ||
            error->subcode == VNRS_BGP_CEASE_DECONFIGURED || error->subcode == VNRS_BGP_CEASE_RESET ||
            error->subcode == VNRS_BGP_CEASE_CONFIG_CHANGE || error->subcode == VNRS_BGP_CEASE_BFD_DOWN);
}

static void fail(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_cause cause, const struct vnrs_bgp_error *error)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_error sent = *error;

    if (fsm->state == VNRS_BGP_ST_ESTABLISHED && fsm->session.gr_notification && is_final(error))
        vnrs_bgp_error_harden(&sent);
    if (fsm->connected && error->code)
        send_message(fsm, buf, vnrs_bgp_notification_encode(&sent, buf, sizeof(buf)));
    go_idle(fsm, cause, &sent);
}

static void act_start(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    retry_set(fsm);
    if (fsm->conf->passive || fsm->side == VNRS_BGP_IN) {
        enter(fsm, VNRS_BGP_ST_ACTIVE);
        return;
    }
    enter(fsm, VNRS_BGP_ST_CONNECT);
    fsm->ops->connect(fsm->arg);
}

static void act_retry(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    fsm->deadline[VNRS_BGP_TM_DELAY_OPEN] = VNRS_BGP_TIMER_OFF;
    disconnect(fsm);
    retry_set(fsm);
    enter(fsm, VNRS_BGP_ST_CONNECT);
    fsm->ops->connect(fsm->arg);
}

static void open_session(struct vnrs_bgp_fsm *fsm)
{
    fsm->deadline[VNRS_BGP_TM_DELAY_OPEN] = VNRS_BGP_TIMER_OFF;
    send_open(fsm);
    timer_set(fsm, VNRS_BGP_TM_HOLD, OPEN_HOLD_MS);
    enter(fsm, VNRS_BGP_ST_OPEN_SENT);
}

static void act_tcp_up(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    fsm->connected = true;
    fsm->deadline[VNRS_BGP_TM_RETRY] = VNRS_BGP_TIMER_OFF;
    if (fsm->conf->delay_open_ms)
        timer_set(fsm, VNRS_BGP_TM_DELAY_OPEN, fsm->conf->delay_open_ms);
    else
        open_session(fsm);
}

static void act_delay(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    open_session(fsm);
}

// No session yet: wait for the next try (RFC 4271 8.2.2, Connect with DelayOpen, OpenSent). Where that section leads to
// Idle (Connect without DelayOpen, Active), the machine is started again at once, to listen until the next try: Active
// is where AutomaticStart_with_PassiveTcpEstablishment, event 5, leads to.
static void act_tcp_lost_early(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    if (fsm->side == VNRS_BGP_IN) {
        go_idle(fsm, VNRS_BGP_CAUSE_TCP, NULL);
        return;
    }
    memset(fsm->deadline, 0, sizeof(fsm->deadline));
    disconnect(fsm);
    retry_set(fsm);
    enter(fsm, VNRS_BGP_ST_ACTIVE);
}

static void act_tcp_lost(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    go_idle(fsm, VNRS_BGP_CAUSE_TCP, NULL);
}

static void act_stop(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    fail(fsm, VNRS_BGP_CAUSE_STOP, in->error);
}

// In Connect a connection whose OPEN is delayed is dropped without a word; in Active it is told
// (SendNOTIFICATIONwithoutOPEN).
static void act_stop_connect(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    go_idle(fsm, VNRS_BGP_CAUSE_STOP, in->error);
}

static void act_error(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    fail(fsm, VNRS_BGP_CAUSE_SENT, in->error);
}

static void act_dump(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    static const struct vnrs_bgp_error cease = {.code = VNRS_BGP_ERR_CEASE, .subcode = VNRS_BGP_CEASE_COLLISION};

    (void)in;
    fail(fsm, VNRS_BGP_CAUSE_COLLISION, &cease);
}

// Nobody was told anything on that connection yet.
static void act_dump_early(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    go_idle(fsm, VNRS_BGP_CAUSE_COLLISION, NULL);
}

// RFC 9384. The path is broken: what RFC 5882 section 4.3 says about routes kept for a restart is about one that goes
// on already.
static void act_bfd_down(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    static const struct vnrs_bgp_error cease = {.code = VNRS_BGP_ERR_CEASE, .subcode = VNRS_BGP_CEASE_BFD_DOWN};

    (void)in;
    if (fsm->state == VNRS_BGP_ST_ESTABLISHED || fsm->session.bfd_strict)
        fail(fsm, VNRS_BGP_CAUSE_BFD, &cease);
}

static void act_hold(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    static const struct vnrs_bgp_error expired = {.code = VNRS_BGP_ERR_HOLD_TIMER};

    if (fsm->waits_for_bfd)
        act_bfd_down(fsm, in);
    else
        fail(fsm, VNRS_BGP_CAUSE_HOLD, &expired);
}

static void act_send_hold(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    static const struct vnrs_bgp_error expired = {.code = VNRS_BGP_ERR_SEND_HOLD};

    (void)in;
    fail(fsm, VNRS_BGP_CAUSE_HOLD, &expired);
}

static void act_alive(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    send_keepalive(fsm);
}

static void act_notification(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    go_idle(fsm, VNRS_BGP_CAUSE_RECEIVED, in->error);
}

// Before our OPEN nothing but an OPEN or a NOTIFICATION can come (RFC 4271 8.2.2, Connect and Active, "any other
// event").
static void act_early(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    go_idle(fsm, VNRS_BGP_CAUSE_EARLY, NULL);
}

// RFC 6608: the subcode names the state in which the message was not expected, the data is its type. A timer that
// should not run has neither.
static void act_unexpected(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    static const uint8_t types[_VNRS_BGP_EV_MAX] = {[VNRS_BGP_EV_OPEN] = VNRS_BGP_OPEN,
                                                    [VNRS_BGP_EV_UPDATE] = VNRS_BGP_UPDATE,
                                                    [VNRS_BGP_EV_KEEPALIVE] = VNRS_BGP_KEEPALIVE,
                                                    [VNRS_BGP_EV_REFRESH] = VNRS_BGP_ROUTE_REFRESH};
    struct vnrs_bgp_error error;

    (void)in;
    vnrs_bgp_error_clear(&error);
    error.code = VNRS_BGP_ERR_FSM;
    if (types[fsm->event]) {
        error.subcode = (uint8_t)(fsm->state - VNRS_BGP_ST_OPEN_SENT + 1);
        error.data[0] = types[fsm->event];
        error.data_len = 1;
    }
    fail(fsm, VNRS_BGP_CAUSE_SENT, &error);
}

static bool has_common_family(const struct vnrs_bgp_session *session)
{
    return session->mp[VNRS_BGP_AF4] || session->mp[VNRS_BGP_AF6];
}

static struct vnrs_bgp_session negotiate(const struct vnrs_bgp_conf *conf, const struct vnrs_bgp_open *open)
{
    const struct vnrs_bgp_caps own = own_caps(conf), *ours = &own, *theirs = &open->caps;
    struct vnrs_bgp_session s = {
        .as4 = ours->as4 && theirs->as4,
        .refresh = ours->refresh && theirs->refresh,
        .enhanced_refresh = ours->enhanced_refresh && theirs->enhanced_refresh,
        .extended_message = ours->extended_message && theirs->extended_message,
        .graceful_restart = ours->graceful_restart && theirs->graceful_restart,
        .gr_notification = ours->gr_notification && theirs->gr_notification,
        .bfd_strict = ours->bfd_strict && theirs->bfd_strict,
        .ibgp = conf->local_asn == conf->peer_asn,
        .local_asn = conf->local_asn,
        .peer_asn = conf->peer_asn,
        .local_id = conf->router_id,
        .hold = MIN(conf->hold, open->hold),
    };
    s.mp[VNRS_BGP_AF4] = ours->mp[VNRS_BGP_AF4] && (theirs->mp[VNRS_BGP_AF4] || !theirs->any_mp);
    s.mp[VNRS_BGP_AF6] = ours->mp[VNRS_BGP_AF6] && theirs->mp[VNRS_BGP_AF6];
    s.ext_nexthop = s.mp[VNRS_BGP_AF4] && ours->ext_nexthop && theirs->ext_nexthop;
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        s.add_path_rx[af] = s.mp[af] && ours->add_path_receive[af] && theirs->add_path_send[af];
        s.add_path_tx[af] = s.mp[af] && ours->add_path_send[af] && theirs->add_path_receive[af];
    }
    s.keepalive = MIN(conf->keepalive ? conf->keepalive : s.hold / 3, s.hold / 3);
    return s;
}

// RFC 4271 6.2 and RFC 6286: what only the configuration can tell. False with *error set.
static bool is_acceptable(const struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_open *open,
                          const struct vnrs_bgp_session *session, struct vnrs_bgp_error *error)
{
    static const uint8_t need_ipv4[] = {1, 4, 0, 1, 0, 1}; // the multiprotocol capability we ask for

    vnrs_bgp_error_clear(error);
    error->code = VNRS_BGP_ERR_OPEN;
    if (open->asn != fsm->conf->peer_asn) {
        error->subcode = SUB_BAD_PEER_AS;
    } else if (open->id == 0 || (session->ibgp && open->id == fsm->conf->router_id)) {
        error->subcode = SUB_BAD_ID;
    } else if (open->hold == 1 || open->hold == 2 || (open->hold && open->hold < fsm->conf->min_hold)) {
        error->subcode = SUB_HOLD_UNACCEPTABLE;
    } else if (!has_common_family(session)) {
        error->subcode = SUB_UNSUPPORTED_CAP;
        error->data_len = sizeof(need_ipv4);
        memcpy(error->data, need_ipv4, sizeof(need_ipv4));
    } else {
        return true;
    }
    return false;
}

static void confirm(struct vnrs_bgp_fsm *fsm)
{
    fsm->waits_for_bfd = false;
    send_keepalive(fsm);
    timer_set(fsm, VNRS_BGP_TM_HOLD, fsm->session.hold * UINT64_C(1000));
}

static void act_open(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    struct vnrs_bgp_session session = negotiate(fsm->conf, in->open);
    struct vnrs_bgp_error error;

    if (!is_acceptable(fsm, in->open, &session, &error)) {
        fail(fsm, VNRS_BGP_CAUSE_SENT, &error);
        return;
    }
    fsm->remote = *in->open;
    fsm->session = session;
    if (!fsm->ops->opened(fsm->arg, fsm->side)) {
        act_dump(fsm, in);
        return;
    }
    fsm->deadline[VNRS_BGP_TM_RETRY] = VNRS_BGP_TIMER_OFF;
    fsm->waits_for_bfd = session.bfd_strict && !fsm->conf->bfd_up;
    if (fsm->waits_for_bfd)
        timer_set(fsm, VNRS_BGP_TM_HOLD, BFD_WAIT_MS);
    else
        confirm(fsm);
    enter(fsm, VNRS_BGP_ST_OPEN_CONFIRM);
}

// The peer spoke first while our OPEN was delayed.
static void act_open_delayed(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    if (fsm->deadline[VNRS_BGP_TM_DELAY_OPEN] == VNRS_BGP_TIMER_OFF) {
        act_early(fsm, in); // event 19, not 20
        return;
    }
    fsm->deadline[VNRS_BGP_TM_DELAY_OPEN] = VNRS_BGP_TIMER_OFF;
    send_open(fsm);
    act_open(fsm, in);
}

static void act_heard(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    (void)in;
    timer_set(fsm, VNRS_BGP_TM_HOLD, fsm->session.hold * UINT64_C(1000));
}

static void act_established(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    act_heard(fsm, in);
    send_hold_set(fsm);
    enter(fsm, VNRS_BGP_ST_ESTABLISHED);
    fsm->ops->up(fsm->arg, fsm->side);
}

bool vnrs_bgp_fsm_is_held(const struct vnrs_bgp_fsm *fsm)
{
    return fsm->state == VNRS_BGP_ST_OPEN_CONFIRM && fsm->confirmed && !fsm->waits_for_bfd;
}

static void act_decided(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    if (vnrs_bgp_fsm_is_held(fsm) && fsm->ops->confirmed(fsm->arg, fsm->side))
        act_established(fsm, in);
}

static void act_confirmed(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    // In strict mode the peer may know before us that BFD is up.
    fsm->confirmed = true;
    if (!fsm->waits_for_bfd)
        act_heard(fsm, in);
    act_decided(fsm, in);
}

static void act_bfd_up(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    if (!fsm->waits_for_bfd)
        return;
    confirm(fsm);
    act_decided(fsm, in);
}

static void act_update(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    struct vnrs_bgp_error error;

    vnrs_bgp_error_clear(&error);
    act_heard(fsm, in);
    if (fsm->ops->update(fsm->arg, in->msg, in->len, &error) < 0)
        fail(fsm, VNRS_BGP_CAUSE_SENT, &error);
}

static void act_refresh(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    // Not a reason to hear the peer as alive (RFC 4271 names KEEPALIVE and UPDATE only), nor an error where the
    // capability was not exchanged: RFC 2918 section 4 lets us ignore it.
    if (fsm->session.refresh)
        fsm->ops->refresh(fsm->arg, in->af, in->subtype);
}

// What is sent in Established only: the peer is there, and so it has decided for this connection.
static void act_proof(struct vnrs_bgp_fsm *fsm, const struct vnrs_bgp_input *in)
{
    if (!vnrs_bgp_fsm_is_held(fsm)) {
        act_unexpected(fsm, in);
        return;
    }
    act_established(fsm, in);
    if (fsm->event == VNRS_BGP_EV_UPDATE)
        act_update(fsm, in);
    else
        act_refresh(fsm, in);
}

// RFC 4271 section 8.2.2, event by event. No entry: the event is ignored, or belongs to a second connection, which has
// a machine of its own. Three things are done as section 6 has them, where 8.2.2 says "any other event": a NOTIFICATION
// is never answered (OpenSent, event 25), errors found in Established are named (events 21 and 22), and a second OPEN
// is an error (OpenConfirm, event 19).
static const action_fn table[_VNRS_BGP_ST_MAX][_VNRS_BGP_EV_MAX] = {
    [VNRS_BGP_ST_IDLE] = {[VNRS_BGP_EV_START] = act_start},
    [VNRS_BGP_ST_CONNECT] = {[VNRS_BGP_EV_STOP] = act_stop_connect,
                             [VNRS_BGP_EV_RETRY] = act_retry,
                             [VNRS_BGP_EV_HOLD] = act_early,
                             [VNRS_BGP_EV_ALIVE] = act_early,
                             [VNRS_BGP_EV_DELAY] = act_delay,
                             [VNRS_BGP_EV_TCP_UP] = act_tcp_up,
                             [VNRS_BGP_EV_TCP_FAIL] = act_tcp_lost_early,
                             [VNRS_BGP_EV_OPEN] = act_open_delayed,
                             [VNRS_BGP_EV_ERROR] = act_error,
                             [VNRS_BGP_EV_DUMP] = act_dump_early,
                             [VNRS_BGP_EV_NOTIFICATION] = act_notification,
                             [VNRS_BGP_EV_KEEPALIVE] = act_early,
                             [VNRS_BGP_EV_UPDATE] = act_early,
                             [VNRS_BGP_EV_REFRESH] = act_early},
    [VNRS_BGP_ST_ACTIVE] = {[VNRS_BGP_EV_STOP] = act_stop,
                            [VNRS_BGP_EV_RETRY] = act_retry,
                            [VNRS_BGP_EV_HOLD] = act_early,
                            [VNRS_BGP_EV_ALIVE] = act_early,
                            [VNRS_BGP_EV_DELAY] = act_delay,
                            [VNRS_BGP_EV_TCP_UP] = act_tcp_up,
                            [VNRS_BGP_EV_TCP_FAIL] = act_tcp_lost_early,
                            [VNRS_BGP_EV_OPEN] = act_open_delayed,
                            [VNRS_BGP_EV_ERROR] = act_error,
                            [VNRS_BGP_EV_DUMP] = act_dump_early,
                            [VNRS_BGP_EV_NOTIFICATION] = act_notification,
                            [VNRS_BGP_EV_KEEPALIVE] = act_early,
                            [VNRS_BGP_EV_UPDATE] = act_early,
                            [VNRS_BGP_EV_REFRESH] = act_early},
    [VNRS_BGP_ST_OPEN_SENT] = {[VNRS_BGP_EV_STOP] = act_stop,
                               [VNRS_BGP_EV_RETRY] = act_unexpected,
                               [VNRS_BGP_EV_HOLD] = act_hold,
                               [VNRS_BGP_EV_ALIVE] = act_unexpected,
                               [VNRS_BGP_EV_DELAY] = act_unexpected,
                               [VNRS_BGP_EV_TCP_FAIL] = act_tcp_lost_early,
                               [VNRS_BGP_EV_OPEN] = act_open,
                               [VNRS_BGP_EV_ERROR] = act_error,
                               [VNRS_BGP_EV_DUMP] = act_dump,
                               [VNRS_BGP_EV_NOTIFICATION] = act_notification,
                               [VNRS_BGP_EV_KEEPALIVE] = act_unexpected,
                               [VNRS_BGP_EV_UPDATE] = act_unexpected,
                               [VNRS_BGP_EV_REFRESH] = act_unexpected},
    [VNRS_BGP_ST_OPEN_CONFIRM] = {[VNRS_BGP_EV_STOP] = act_stop,
                                  [VNRS_BGP_EV_RETRY] = act_unexpected,
                                  [VNRS_BGP_EV_HOLD] = act_hold,
                                  [VNRS_BGP_EV_ALIVE] = act_alive,
                                  [VNRS_BGP_EV_DELAY] = act_unexpected,
                                  [VNRS_BGP_EV_TCP_FAIL] = act_tcp_lost,
                                  [VNRS_BGP_EV_OPEN] = act_unexpected,
                                  [VNRS_BGP_EV_ERROR] = act_error,
                                  [VNRS_BGP_EV_DUMP] = act_dump,
                                  [VNRS_BGP_EV_NOTIFICATION] = act_notification,
                                  [VNRS_BGP_EV_KEEPALIVE] = act_confirmed,
                                  [VNRS_BGP_EV_UPDATE] = act_proof,
                                  [VNRS_BGP_EV_REFRESH] = act_proof,
                                  [VNRS_BGP_EV_DECIDED] = act_decided,
                                  [VNRS_BGP_EV_BFD_UP] = act_bfd_up,
                                  [VNRS_BGP_EV_BFD_DOWN] = act_bfd_down},
    [VNRS_BGP_ST_ESTABLISHED] = {[VNRS_BGP_EV_STOP] = act_stop,
                                 [VNRS_BGP_EV_RETRY] = act_unexpected,
                                 [VNRS_BGP_EV_HOLD] = act_hold,
                                 [VNRS_BGP_EV_ALIVE] = act_alive,
                                 [VNRS_BGP_EV_DELAY] = act_unexpected,
                                 [VNRS_BGP_EV_TCP_FAIL] = act_tcp_lost,
                                 [VNRS_BGP_EV_OPEN] = act_unexpected,
                                 [VNRS_BGP_EV_ERROR] = act_error,
                                 [VNRS_BGP_EV_DUMP] = act_dump,
                                 [VNRS_BGP_EV_NOTIFICATION] = act_notification,
                                 [VNRS_BGP_EV_KEEPALIVE] = act_heard,
                                 [VNRS_BGP_EV_UPDATE] = act_update,
                                 [VNRS_BGP_EV_SEND_HOLD] = act_send_hold,
                                 [VNRS_BGP_EV_REFRESH] = act_refresh,
                                 [VNRS_BGP_EV_BFD_DOWN] = act_bfd_down},
};

void vnrs_bgp_fsm_event(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_event event, uint64_t now_ms,
                        const struct vnrs_bgp_input *in)
{
    action_fn action = table[fsm->state][event];

    fsm->now = now_ms;
    fsm->event = event;
    if (action)
        action(fsm, in);
}

void vnrs_bgp_fsm_tick(struct vnrs_bgp_fsm *fsm, uint64_t now_ms)
{
    static const enum vnrs_bgp_event events[] = {
        [VNRS_BGP_TM_RETRY] = VNRS_BGP_EV_RETRY,         [VNRS_BGP_TM_HOLD] = VNRS_BGP_EV_HOLD,
        [VNRS_BGP_TM_KEEPALIVE] = VNRS_BGP_EV_ALIVE,     [VNRS_BGP_TM_DELAY_OPEN] = VNRS_BGP_EV_DELAY,
        [VNRS_BGP_TM_SEND_HOLD] = VNRS_BGP_EV_SEND_HOLD,
    };
    static_assert(ARRAY_SIZE(events) == _VNRS_BGP_TM_MAX, "an event for every timer");

    for (unsigned i = 0; i < _VNRS_BGP_TM_MAX; i++) {
        if (fsm->deadline[i] == VNRS_BGP_TIMER_OFF || fsm->deadline[i] > now_ms)
            continue;
        fsm->deadline[i] = VNRS_BGP_TIMER_OFF;
        vnrs_bgp_fsm_event(fsm, events[i], now_ms, NULL);
    }
}

uint64_t vnrs_bgp_fsm_next(const struct vnrs_bgp_fsm *fsm)
{
    uint64_t next = VNRS_BGP_NEVER;

    for (unsigned i = 0; i < _VNRS_BGP_TM_MAX; i++)
        next = vnrs_bgp_timer_earlier(next, fsm->deadline[i]);
    return next;
}

void vnrs_bgp_fsm_heard(struct vnrs_bgp_fsm *fsm, uint64_t now_ms)
{
    fsm->now = now_ms;
    if (fsm->deadline[VNRS_BGP_TM_HOLD] != VNRS_BGP_TIMER_OFF && fsm->state >= VNRS_BGP_ST_OPEN_CONFIRM &&
        !fsm->waits_for_bfd)
        act_heard(fsm, NULL);
}

void vnrs_bgp_fsm_told(struct vnrs_bgp_fsm *fsm, uint64_t now_ms)
{
    // Once for all that go together: the jitter's randomness is not for free.
    if (fsm->state != VNRS_BGP_ST_ESTABLISHED || fsm->told_ms == now_ms)
        return;
    fsm->now = fsm->told_ms = now_ms;
    keepalive_set(fsm);
}

void vnrs_bgp_fsm_drained(struct vnrs_bgp_fsm *fsm, uint64_t now_ms)
{
    fsm->now = now_ms;
    if (fsm->state == VNRS_BGP_ST_ESTABLISHED)
        send_hold_set(fsm);
}

const char *vnrs_bgp_state_name(enum vnrs_bgp_state state)
{
    static const char *const names[] = {
        [VNRS_BGP_ST_IDLE] = "Idle",
        [VNRS_BGP_ST_CONNECT] = "Connect",
        [VNRS_BGP_ST_ACTIVE] = "Active",
        [VNRS_BGP_ST_OPEN_SENT] = "OpenSent",
        [VNRS_BGP_ST_OPEN_CONFIRM] = "OpenConfirm",
        [VNRS_BGP_ST_ESTABLISHED] = "Established",
    };
    static_assert(ARRAY_SIZE(names) == _VNRS_BGP_ST_MAX, "a name for every state");

    return (unsigned)state < ARRAY_SIZE(names) ? names[state] : "?";
}
