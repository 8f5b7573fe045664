// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/peer.h"

#include "bgp/error_text.h"
#include "util/strbuf.h"
#include "util/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct vnrs_bgp_fsm *other_side(struct vnrs_bgp_peer *peer, enum vnrs_bgp_side side)
{
    return &peer->fsm[side == VNRS_BGP_OUT ? VNRS_BGP_IN : VNRS_BGP_OUT];
}

#define TYPE_AT 18 // in the header, RFC 4271 section 4.1

static void count_sent(struct vnrs_bgp_peer *peer, const uint8_t *msg)
{
    peer->messages_out[msg[TYPE_AT]]++;
}

uint32_t vnrs_bgp_peer_total(const uint32_t counts[static VNRS_BGP_TYPES])
{
    uint32_t total = 0;

    for (unsigned type = 0; type < VNRS_BGP_TYPES; type++)
        total += counts[type];
    return total;
}

static void on_connect(void *arg)
{
    struct vnrs_bgp_peer *peer = arg;
    peer->ops->connect(peer->arg);
}

static void on_close(void *arg, enum vnrs_bgp_side side)
{
    struct vnrs_bgp_peer *peer = arg;
    peer->ops->close(peer->arg, side);
}

static void keep(struct vnrs_bgp_kept *kept, const uint8_t *bytes, size_t len)
{
    free(kept->bytes);
    kept->bytes = malloc(len);
    kept->len = kept->bytes ? len : 0;
    if (kept->bytes)
        memcpy(kept->bytes, bytes, len);
}

static void on_send(void *arg, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    struct vnrs_bgp_peer *peer = arg;

    if (bytes[VNRS_BGP_HEADER_BYTES - 1] == VNRS_BGP_OPEN)
        keep(&peer->ends[side].open_sent, bytes, len);
    count_sent(peer, bytes);
    peer->ops->send(peer->arg, side, bytes, len);
}

// One connection is gone: nothing keeps back the other one any more.
static void release_other(struct vnrs_bgp_peer *peer, enum vnrs_bgp_side side)
{
    struct vnrs_bgp_fsm *other = other_side(peer, side);

    peer->undecided_until = VNRS_BGP_TIMER_OFF;
    if (peer->enabled && vnrs_bgp_fsm_is_held(other)) // not when it is the one that ended this one
        vnrs_bgp_fsm_event(other, VNRS_BGP_EV_DECIDED, peer->now, NULL);
}

static void on_state(void *arg, enum vnrs_bgp_side side)
{
    struct vnrs_bgp_peer *peer = arg;

    if (peer->fsm[side].state == VNRS_BGP_ST_ACTIVE)
        release_other(peer, side);
    peer->ops->changed(peer->arg);
}

// RFC 4271 6.8 with RFC 6286 2.3: of two connections the one opened by the side with the higher identifier stays; with
// equal identifiers, the higher ASN.
static bool is_out_preferred(const struct vnrs_bgp_peer *peer, uint32_t remote_id)
{
    if (peer->conf.router_id != remote_id)
        return peer->conf.router_id > remote_id;
    return peer->conf.local_asn > peer->conf.peer_asn;
}

static bool on_opened(void *arg, enum vnrs_bgp_side side)
{
    struct vnrs_bgp_peer *peer = arg;
    struct vnrs_bgp_fsm *other = other_side(peer, side);

    if (other->state == VNRS_BGP_ST_ESTABLISHED)
        return false;
    if (other->state != VNRS_BGP_ST_OPEN_CONFIRM || vnrs_bgp_fsm_is_held(other))
        return true;
    bool keep = is_out_preferred(peer, peer->fsm[side].remote.id) == (side == VNRS_BGP_OUT);
    if (keep)
        vnrs_bgp_fsm_event(other, VNRS_BGP_EV_DUMP, peer->now, NULL);
    return keep;
}

// RFC 4271 6.8 looks at an OPEN's arrival only, and at connections in OpenConfirm. The peer may be there when our OPEN
// comes to it on the other connection, and decide for that one, while we, with its KEEPALIVE here, would be in
// Established already and close the other one: both would be lost, and with them a session that had just begun. So
// where the identifiers are for the other one, and the peer may have our OPEN on it, its word is waited for: it closes
// one of the two, or its KEEPALIVE comes on the other one, or what is sent in Established only on this one.
static bool on_confirmed(void *arg, enum vnrs_bgp_side side)
{
    struct vnrs_bgp_peer *peer = arg;
    const struct vnrs_bgp_fsm *other = other_side(peer, side);

    if ((other->state != VNRS_BGP_ST_OPEN_SENT && other->state != VNRS_BGP_ST_OPEN_CONFIRM) ||
        is_out_preferred(peer, peer->fsm[side].remote.id) == (side == VNRS_BGP_OUT))
        return true;
    if (peer->undecided_until == VNRS_BGP_TIMER_OFF)
        peer->undecided_until = peer->now + VNRS_BGP_COLLISION_MS;
    return peer->now >= peer->undecided_until;
}

static void on_up(void *arg, enum vnrs_bgp_side side)
{
    struct vnrs_bgp_peer *peer = arg;

    peer->undecided_until = VNRS_BGP_TIMER_OFF;
    vnrs_bgp_fsm_event(other_side(peer, side), VNRS_BGP_EV_DUMP, peer->now, NULL);
    peer->changed_ms = peer->now;
    peer->idle_until = VNRS_BGP_TIMER_OFF;
    peer->connect_error[0] = '\0';
    peer->ops->up(peer->arg);
}

static void say(struct vnrs_bgp_peer *peer, bool was_up, enum vnrs_bgp_cause cause, const struct vnrs_bgp_error *error)
{
    char text[VNRS_BGP_ERROR_TEXT_MAX];

    if (was_up || (cause != VNRS_BGP_CAUSE_TCP && cause != VNRS_BGP_CAUSE_COLLISION))
        peer->connect_error[0] = '\0';
    switch (cause) {
    case VNRS_BGP_CAUSE_SENT:
    case VNRS_BGP_CAUSE_HOLD:
    case VNRS_BGP_CAUSE_RECEIVED:
        (void)vnrs_bgp_error_text(error, text, sizeof(text));
        (void)snprintf(peer->last_error, sizeof(peer->last_error), "%s: %.*s",
                       cause == VNRS_BGP_CAUSE_RECEIVED ? "peer sent NOTIFICATION" : "sent NOTIFICATION",
                       VNRS_BGP_ERROR_TEXT_MAX - 30, text);
        vnrs_utf8_trim(peer->last_error);
        break;
    case VNRS_BGP_CAUSE_TCP:
        if (was_up)
            (void)vnrs_str_copy(peer->last_error, sizeof(peer->last_error), "connection closed by the peer");
        break;
    case VNRS_BGP_CAUSE_EARLY:
        (void)vnrs_str_copy(peer->last_error, sizeof(peer->last_error), "unexpected message before the OPEN");
        break;
    case VNRS_BGP_CAUSE_BFD:
        (void)snprintf(peer->last_error, sizeof(peer->last_error), "BFD: %s",
                       was_up ? peer->bfd_why : "not up, as strict mode wants");
        break;
    case VNRS_BGP_CAUSE_STOP:
    case VNRS_BGP_CAUSE_COLLISION:
        break;
    }
}

// What can be asked for later: the last NOTIFICATION, and why the last session ended.
static void record(struct vnrs_bgp_peer *peer, bool was_up, enum vnrs_bgp_cause cause,
                   const struct vnrs_bgp_error *error)
{
    bool is_told = cause == VNRS_BGP_CAUSE_SENT || cause == VNRS_BGP_CAUSE_HOLD || cause == VNRS_BGP_CAUSE_RECEIVED ||
                   cause == VNRS_BGP_CAUSE_BFD || (cause == VNRS_BGP_CAUSE_STOP && was_up);
    char text[VNRS_BGP_ERROR_TEXT_MAX];

    if (is_told && error->code) {
        peer->notification = *error;
        peer->notification_received = cause == VNRS_BGP_CAUSE_RECEIVED;
        peer->notification_ms = peer->now;
    }
    if (!was_up)
        return;
    peer->reset_ms = peer->now;
    (void)vnrs_str_copy(peer->last_reset, sizeof(peer->last_reset), peer->last_error);
    if (cause != VNRS_BGP_CAUSE_STOP)
        return;
    (void)vnrs_bgp_error_text(error, text, sizeof(text));
    (void)snprintf(peer->last_reset, sizeof(peer->last_reset), "ended here: %.*s", VNRS_BGP_ERROR_TEXT_MAX - 30, text);
    vnrs_utf8_trim(peer->last_reset);
}

// RFC 4271 8.2.2, event 24: the peer refused our version, which is no reason to count an error.
static bool is_version_refused(enum vnrs_bgp_cause cause, const struct vnrs_bgp_error *error)
{
    return cause == VNRS_BGP_CAUSE_RECEIVED && error->code == VNRS_BGP_ERR_OPEN && error->subcode == 1;
}

// RFC 5492 section 3: a peer that does not know the parameter of capabilities is tried again without.
static bool is_capabilities_refused(enum vnrs_bgp_cause cause, const struct vnrs_bgp_error *error)
{
    return cause == VNRS_BGP_CAUSE_RECEIVED && error->code == VNRS_BGP_ERR_OPEN && error->subcode == 4;
}

// How long to stay in Idle. Only an error of the peer's own making also keeps its connections out: a peer that
// restarts, or closes for a reason of its own, shall be let in at once.
static void pace(struct vnrs_bgp_peer *peer, bool was_up, enum vnrs_bgp_cause cause, const struct vnrs_bgp_error *error)
{
    if (cause == VNRS_BGP_CAUSE_STOP || cause == VNRS_BGP_CAUSE_COLLISION)
        return;
    // A connection that the peer drops before it is up may be no more than its side of a collision. A broken path is
    // no error of the peer.
    bool counts =
        cause != VNRS_BGP_CAUSE_BFD && (was_up || (cause != VNRS_BGP_CAUSE_TCP && !is_version_refused(cause, error)));
    peer->errors += counts;
    uint64_t wait = vnrs_bgp_timer_idle_hold(counts ? peer->errors : 1);
    wait = vnrs_bgp_timer_jitter(wait, peer->ops->random(peer->arg));
    peer->idle_until = peer->now + wait;
    if (cause == VNRS_BGP_CAUSE_SENT || cause == VNRS_BGP_CAUSE_EARLY)
        peer->refuse_until = peer->idle_until;
}

// RFC 4724 section 4.2: routes stay when the connection broke; RFC 8538 section 4: and, where both sides announced it,
// after every NOTIFICATION but a hard reset.
static bool is_graceful(const struct vnrs_bgp_session *session, enum vnrs_bgp_cause cause,
                        const struct vnrs_bgp_error *error)
{
    switch (cause) {
    case VNRS_BGP_CAUSE_TCP:
        return session->graceful_restart;
    case VNRS_BGP_CAUSE_HOLD:
        return session->gr_notification;
    case VNRS_BGP_CAUSE_SENT:
    case VNRS_BGP_CAUSE_RECEIVED:
        return session->gr_notification &&
               !(error->code == VNRS_BGP_ERR_CEASE && error->subcode == VNRS_BGP_CEASE_HARD_RESET);
    case VNRS_BGP_CAUSE_STOP:
    case VNRS_BGP_CAUSE_COLLISION:
    case VNRS_BGP_CAUSE_EARLY:
    case VNRS_BGP_CAUSE_BFD:
        break;
    }
    return false;
}

// The peer closed one of two connections, as it should: no error of anybody.
static bool is_peers_verdict(struct vnrs_bgp_peer *peer, enum vnrs_bgp_side side, enum vnrs_bgp_cause cause,
                             const struct vnrs_bgp_error *error)
{
    return cause == VNRS_BGP_CAUSE_RECEIVED && error->code == VNRS_BGP_ERR_CEASE &&
           error->subcode == VNRS_BGP_CEASE_COLLISION && other_side(peer, side)->state >= VNRS_BGP_ST_OPEN_CONFIRM;
}

static void on_idle(void *arg, enum vnrs_bgp_side side, bool was_up, enum vnrs_bgp_cause cause,
                    const struct vnrs_bgp_error *error)
{
    struct vnrs_bgp_peer *peer = arg;

    if (!was_up && is_peers_verdict(peer, side, cause, error))
        cause = VNRS_BGP_CAUSE_COLLISION;
    if (was_up) {
        if (peer->now - peer->changed_ms >= VNRS_BGP_STABLE_MS)
            peer->errors = 0;
        peer->changed_ms = peer->now;
        peer->flaps++;
        peer->end_cause = cause;
    }
    if (cause != VNRS_BGP_CAUSE_COLLISION)
        peer->conf.plain = is_capabilities_refused(cause, error);
    say(peer, was_up, cause, error);
    record(peer, was_up, cause, error);
    pace(peer, was_up, cause, error);
    if (was_up)
        peer->ops->down(peer->arg, is_graceful(&peer->fsm[side].session, cause, error));
    release_other(peer, side);
    peer->ops->changed(peer->arg);
}

static int on_update(void *arg, const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error)
{
    struct vnrs_bgp_peer *peer = arg;
    return peer->ops->update(peer->arg, msg, len, ret_error);
}

static void on_refresh(void *arg, uint8_t af, uint8_t subtype)
{
    struct vnrs_bgp_peer *peer = arg;
    peer->ops->refresh(peer->arg, af, subtype);
}

static uint32_t on_random(void *arg)
{
    struct vnrs_bgp_peer *peer = arg;
    return peer->ops->random(peer->arg);
}

static const struct vnrs_bgp_fsm_ops fsm_ops = {
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

void vnrs_bgp_peer_init(struct vnrs_bgp_peer *peer, const struct vnrs_bgp_conf *conf,
                        const struct vnrs_bgp_peer_ops *ops, void *arg)
{
    *peer = (struct vnrs_bgp_peer){.conf = *conf, .ops = ops, .arg = arg};
    vnrs_bgp_fsm_init(&peer->fsm[VNRS_BGP_OUT], VNRS_BGP_OUT, &peer->conf, &fsm_ops, peer);
    vnrs_bgp_fsm_init(&peer->fsm[VNRS_BGP_IN], VNRS_BGP_IN, &peer->conf, &fsm_ops, peer);
}

void vnrs_bgp_peer_fini(struct vnrs_bgp_peer *peer)
{
    for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++) {
        free(peer->ends[side].open_sent.bytes);
        free(peer->ends[side].open_received.bytes);
        peer->ends[side] = (struct vnrs_bgp_ends){0};
    }
}

void vnrs_bgp_peer_start(struct vnrs_bgp_peer *peer, uint64_t now_ms)
{
    peer->now = now_ms;
    peer->enabled = true;
    peer->errors = 0;
    peer->idle_until = peer->refuse_until = VNRS_BGP_TIMER_OFF;
    vnrs_bgp_fsm_event(&peer->fsm[VNRS_BGP_OUT], VNRS_BGP_EV_START, now_ms, NULL);
}

static void both(struct vnrs_bgp_peer *peer, uint64_t now_ms, enum vnrs_bgp_event event,
                 const struct vnrs_bgp_error *error)
{
    struct vnrs_bgp_input in = {.error = error};

    peer->now = now_ms;
    vnrs_bgp_fsm_event(&peer->fsm[VNRS_BGP_OUT], event, now_ms, &in);
    vnrs_bgp_fsm_event(&peer->fsm[VNRS_BGP_IN], event, now_ms, &in);
}

void vnrs_bgp_peer_stop(struct vnrs_bgp_peer *peer, uint64_t now_ms, uint8_t cease, const char *text)
{
    struct vnrs_bgp_error error;

    vnrs_bgp_error_cease(cease, text, &error);
    peer->enabled = false;
    peer->idle_until = VNRS_BGP_TIMER_OFF;
    both(peer, now_ms, VNRS_BGP_EV_STOP, &error);
}

void vnrs_bgp_peer_reset(struct vnrs_bgp_peer *peer, uint64_t now_ms, uint8_t cease, const char *text)
{
    bool enabled = peer->enabled;

    vnrs_bgp_peer_stop(peer, now_ms, cease, text);
    if (enabled)
        vnrs_bgp_peer_start(peer, now_ms);
}

void vnrs_bgp_peer_fail(struct vnrs_bgp_peer *peer, uint64_t now_ms, const struct vnrs_bgp_error *error)
{
    struct vnrs_bgp_fsm *session = vnrs_bgp_peer_session(peer);
    struct vnrs_bgp_input in = {.error = error};

    peer->now = now_ms;
    if (session)
        vnrs_bgp_fsm_event(session, VNRS_BGP_EV_ERROR, now_ms, &in);
}

// What waits between two tries to connect does not wait any longer.
static void hurry(struct vnrs_bgp_peer *peer)
{
    struct vnrs_bgp_fsm *out = &peer->fsm[VNRS_BGP_OUT];

    if (peer->idle_until != VNRS_BGP_TIMER_OFF)
        peer->idle_until = peer->now; // the next tick
    else if (out->deadline[VNRS_BGP_TM_RETRY] != VNRS_BGP_TIMER_OFF)
        out->deadline[VNRS_BGP_TM_RETRY] = peer->now;
}

void vnrs_bgp_peer_bfd_up(struct vnrs_bgp_peer *peer, uint64_t now_ms)
{
    peer->conf.bfd_up = true;
    both(peer, now_ms, VNRS_BGP_EV_BFD_UP, NULL);
    if (peer->enabled && now_ms >= peer->refuse_until && vnrs_bgp_peer_state(peer) < VNRS_BGP_ST_OPEN_SENT)
        hurry(peer);
}

void vnrs_bgp_peer_bfd_down(struct vnrs_bgp_peer *peer, uint64_t now_ms, const char *why)
{
    peer->conf.bfd_up = false;
    if (!why)
        return;
    peer->bfd_why = why;
    both(peer, now_ms, VNRS_BGP_EV_BFD_DOWN, NULL);
}

int vnrs_bgp_peer_accept(struct vnrs_bgp_peer *peer, uint64_t now_ms)
{
    struct vnrs_bgp_fsm *in = &peer->fsm[VNRS_BGP_IN];

    peer->now = now_ms;
    if (!peer->enabled || now_ms < peer->refuse_until)
        return -EBUSY;
    // RFC 4724 section 5: a peer that restarts gracefully opens a connection although we know of one. The old one ends
    // without a NOTIFICATION. In a session's first moments it may as well be the other half of a collision.
    struct vnrs_bgp_fsm *session = vnrs_bgp_peer_session(peer);
    if (session && session->session.graceful_restart && now_ms - peer->changed_ms >= VNRS_BGP_COLLISION_MS) {
        peer->end_replaced = true;
        vnrs_bgp_peer_disconnected(peer, now_ms, session->side, "the peer opened a new connection");
        peer->end_replaced = false;
    }
    // A second connection from the peer: the first never got further than our OPEN, so the peer has given it up.
    if (in->state == VNRS_BGP_ST_OPEN_SENT || in->state == VNRS_BGP_ST_ACTIVE)
        vnrs_bgp_fsm_event(in, VNRS_BGP_EV_DUMP, now_ms, NULL);
    if (in->state != VNRS_BGP_ST_IDLE)
        return -EBUSY;
    return 0;
}

void vnrs_bgp_peer_accepted(struct vnrs_bgp_peer *peer, uint64_t now_ms)
{
    struct vnrs_bgp_fsm *in = &peer->fsm[VNRS_BGP_IN];

    peer->now = now_ms;
    vnrs_bgp_fsm_event(in, VNRS_BGP_EV_START, now_ms, NULL);
    vnrs_bgp_fsm_event(in, VNRS_BGP_EV_TCP_UP, now_ms, NULL);
}

void vnrs_bgp_peer_connected(struct vnrs_bgp_peer *peer, uint64_t now_ms)
{
    peer->now = now_ms;
    vnrs_bgp_fsm_event(&peer->fsm[VNRS_BGP_OUT], VNRS_BGP_EV_TCP_UP, now_ms, NULL);
}

void vnrs_bgp_peer_disconnected(struct vnrs_bgp_peer *peer, uint64_t now_ms, enum vnrs_bgp_side side, const char *why)
{
    bool was_up = peer->fsm[side].state == VNRS_BGP_ST_ESTABLISHED;

    peer->now = now_ms;
    vnrs_bgp_fsm_event(&peer->fsm[side], VNRS_BGP_EV_TCP_FAIL, now_ms, NULL);
    if (why && !vnrs_bgp_peer_session(peer)) {
        (void)vnrs_str_copy(was_up ? peer->last_error : peer->connect_error, VNRS_BGP_ERROR_TEXT_MAX, why);
        if (was_up)
            (void)vnrs_str_copy(peer->last_reset, sizeof(peer->last_reset), why);
        peer->ops->changed(peer->arg);
    }
}

// Runs the event that a whole, well-framed message is.
static void dispatch(struct vnrs_bgp_peer *peer, struct vnrs_bgp_fsm *fsm, uint8_t type, const uint8_t *msg, size_t len)
{
    struct vnrs_bgp_error error;
    struct vnrs_bgp_open open = {0};
    struct vnrs_bgp_input in = {.msg = msg, .len = len, .open = &open, .error = &error};
    enum vnrs_bgp_event event = VNRS_BGP_EV_KEEPALIVE;
    int err = 0;

    vnrs_bgp_error_clear(&error);
    switch (type) {
    case VNRS_BGP_OPEN:
        event = VNRS_BGP_EV_OPEN;
        // An OPEN where none is expected is an FSM error, whatever is in it.
        if (fsm->state < VNRS_BGP_ST_OPEN_CONFIRM)
            err = vnrs_bgp_open_decode(msg, len, &open, &error);
        break;
    case VNRS_BGP_UPDATE:
        event = VNRS_BGP_EV_UPDATE;
        break;
    case VNRS_BGP_NOTIFICATION:
        event = VNRS_BGP_EV_NOTIFICATION;
        // RFC 4271 6.4: an error in a NOTIFICATION is not answered.
        if (vnrs_bgp_notification_decode(msg, len, &error) < 0)
            vnrs_bgp_error_clear(&error);
        break;
    case VNRS_BGP_ROUTE_REFRESH:
        event = VNRS_BGP_EV_REFRESH;
        err = vnrs_bgp_refresh_decode(msg, len, &in.af, &in.subtype, &error);
        if (err == -EAFNOSUPPORT)
            return;
        break;
    default:
        break;
    }
    vnrs_bgp_fsm_event(fsm, err < 0 ? VNRS_BGP_EV_ERROR : event, peer->now, &in);
}

ssize_t vnrs_bgp_peer_input(struct vnrs_bgp_peer *peer, uint64_t now_ms, enum vnrs_bgp_side side, const uint8_t *buf,
                            size_t have)
{
    struct vnrs_bgp_fsm *fsm = &peer->fsm[side];
    struct vnrs_bgp_error error;
    struct vnrs_bgp_input in = {.error = &error};
    // Who announced the capability takes long messages, whatever the peer announced (RFC 8654 section 4).
    bool extended = fsm->state >= VNRS_BGP_ST_OPEN_SENT && peer->conf.caps.extended_message && !peer->conf.plain;
    uint8_t type = 0;

    peer->now = now_ms;
    if (!fsm->connected)
        return -ECONNRESET;
    int len = vnrs_bgp_header_decode(buf, have, extended, &type, &error);
    if (len < 0) {
        vnrs_bgp_fsm_event(fsm, VNRS_BGP_EV_ERROR, now_ms, &in);
        return -ECONNRESET;
    }
    if (len == 0 || (size_t)len > have)
        return 0;
    peer->messages_in[type]++;
    if (type == VNRS_BGP_OPEN)
        keep(&peer->ends[side].open_received, buf, (size_t)len);
    if (peer->ops->received)
        peer->ops->received(peer->arg, side, buf, (size_t)len);
    dispatch(peer, fsm, type, buf, (size_t)len);
    return fsm->connected ? len : -ECONNRESET;
}

void vnrs_bgp_peer_told(struct vnrs_bgp_peer *peer, uint64_t now_ms, const uint8_t *msg)
{
    struct vnrs_bgp_fsm *session = vnrs_bgp_peer_session(peer);

    count_sent(peer, msg);
    if (session && msg[TYPE_AT] == VNRS_BGP_UPDATE)
        vnrs_bgp_fsm_told(session, now_ms);
}

void vnrs_bgp_peer_drained(struct vnrs_bgp_peer *peer, uint64_t now_ms, enum vnrs_bgp_side side)
{
    vnrs_bgp_fsm_drained(&peer->fsm[side], now_ms);
}

void vnrs_bgp_peer_tick(struct vnrs_bgp_peer *peer, uint64_t now_ms)
{
    peer->now = now_ms;
    vnrs_bgp_fsm_tick(&peer->fsm[VNRS_BGP_OUT], now_ms);
    vnrs_bgp_fsm_tick(&peer->fsm[VNRS_BGP_IN], now_ms);
    if (peer->undecided_until != VNRS_BGP_TIMER_OFF && now_ms >= peer->undecided_until)
        both(peer, now_ms, VNRS_BGP_EV_DECIDED, NULL);
    if (peer->idle_until == VNRS_BGP_TIMER_OFF || now_ms < peer->idle_until)
        return;
    peer->idle_until = VNRS_BGP_TIMER_OFF;
    // While a connection of the peer gets on, a second one would only collide; its end sets the timer again.
    if (peer->enabled && peer->fsm[VNRS_BGP_IN].state < VNRS_BGP_ST_OPEN_CONFIRM)
        vnrs_bgp_fsm_event(&peer->fsm[VNRS_BGP_OUT], VNRS_BGP_EV_START, now_ms, NULL);
}

uint64_t vnrs_bgp_peer_next(const struct vnrs_bgp_peer *peer)
{
    uint64_t out = vnrs_bgp_fsm_next(&peer->fsm[VNRS_BGP_OUT]), in = vnrs_bgp_fsm_next(&peer->fsm[VNRS_BGP_IN]);

    return vnrs_bgp_timer_earlier(vnrs_bgp_timer_earlier(MIN(out, in), peer->idle_until), peer->undecided_until);
}

enum vnrs_bgp_state vnrs_bgp_peer_state(const struct vnrs_bgp_peer *peer)
{
    return MAX(peer->fsm[VNRS_BGP_OUT].state, peer->fsm[VNRS_BGP_IN].state);
}

struct vnrs_bgp_fsm *vnrs_bgp_peer_session(struct vnrs_bgp_peer *peer)
{
    for (unsigned i = 0; i < _VNRS_BGP_SIDE_MAX; i++)
        if (peer->fsm[i].state == VNRS_BGP_ST_ESTABLISHED)
            return &peer->fsm[i];
    return NULL;
}
