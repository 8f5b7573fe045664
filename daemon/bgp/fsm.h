// SPDX-License-Identifier: GPL-2.0-or-later
// The finite state machine of one BGP connection (RFC 4271 section 8, subcodes of RFC 6608): a table of state × event.
// Pure: time, randomness and messages come in with the event, everything it does goes out through `ops`. A peer has up
// to two connections, one of each side; bgp/peer.h resolves collisions and paces restarts.
//
// Callbacks run in the middle of a transition: they may drive another machine, never the one that calls.
#pragma once

#include "bgp/msg.h"
#include "bgp/timer.h"
#include "vnrs/speaker_proto.h"

// Who opened the connection.
enum vnrs_bgp_side { VNRS_BGP_OUT, VNRS_BGP_IN, _VNRS_BGP_SIDE_MAX };

enum vnrs_bgp_event {         // number in RFC 4271 section 8.1
    VNRS_BGP_EV_START,        // 1, 3
    VNRS_BGP_EV_STOP,         // 2, 8; with the Cease to send
    VNRS_BGP_EV_RETRY,        // 9, ConnectRetryTimer
    VNRS_BGP_EV_HOLD,         // 10, HoldTimer
    VNRS_BGP_EV_ALIVE,        // 11, KeepaliveTimer
    VNRS_BGP_EV_DELAY,        // 12, DelayOpenTimer
    VNRS_BGP_EV_TCP_UP,       // 16, 17
    VNRS_BGP_EV_TCP_FAIL,     // 18
    VNRS_BGP_EV_OPEN,         // 19, 20
    VNRS_BGP_EV_ERROR,        // 21, 22, 28; with the NOTIFICATION to send
    VNRS_BGP_EV_DUMP,         // 23, lost a collision
    VNRS_BGP_EV_NOTIFICATION, // 24, 25
    VNRS_BGP_EV_KEEPALIVE,    // 26
    VNRS_BGP_EV_UPDATE,       // 27
    VNRS_BGP_EV_SEND_HOLD,    // 29, SendHoldTimer (RFC 9687)
    VNRS_BGP_EV_REFRESH,      // RFC 2918
    VNRS_BGP_EV_BFD_UP,       // RFC 5882
    VNRS_BGP_EV_BFD_DOWN,
    VNRS_BGP_EV_DECIDED, // what `confirmed` held back may go on
    _VNRS_BGP_EV_MAX
};

enum vnrs_bgp_timer {
    VNRS_BGP_TM_RETRY,
    VNRS_BGP_TM_HOLD,
    VNRS_BGP_TM_KEEPALIVE,
    VNRS_BGP_TM_DELAY_OPEN,
    VNRS_BGP_TM_SEND_HOLD,
    _VNRS_BGP_TM_MAX
};

// Why a machine fell back to Idle.
enum vnrs_bgp_cause {
    VNRS_BGP_CAUSE_STOP,     // we were told to
    VNRS_BGP_CAUSE_TCP,      // the connection failed or was closed
    VNRS_BGP_CAUSE_HOLD,     // hold timer
    VNRS_BGP_CAUSE_SENT,     // we sent a NOTIFICATION for an error of the peer
    VNRS_BGP_CAUSE_RECEIVED, // the peer sent a NOTIFICATION
    VNRS_BGP_CAUSE_COLLISION,
    VNRS_BGP_CAUSE_EARLY, // a message of the peer that cannot come before OPENs; it is not answered
    VNRS_BGP_CAUSE_BFD,   // down, or strict mode has waited for it in vain
};

#define VNRS_BGP_GR_TIME_MAX  4095u   // seconds, RFC 4724 section 3
#define VNRS_BGP_SEND_HOLD_MS 480000u // or twice the hold time where that is more (RFC 9687 section 6)

struct vnrs_bgp_conf { // of one peer, borrowed by its machines
    uint32_t local_asn, peer_asn, router_id;
    uint16_t hold, keepalive;                 // seconds, proposed
    uint16_t min_hold;                        // seconds; what the peer proposes below it, but for 0, is refused
    uint32_t connect_retry_ms, delay_open_ms; // delay_open_ms 0: no DelayOpen
    bool passive;
    bool bfd_up;               // now; looked at in strict mode
    bool plain;                // announce nothing: the peer does not know what a capability is (RFC 5492 section 3)
    struct vnrs_bgp_caps caps; // announced
};

struct vnrs_bgp_fsm;

struct vnrs_bgp_fsm_ops {
    void (*connect)(void *arg); // answer with TCP_UP or TCP_FAIL, later
    void (*close)(void *arg, enum vnrs_bgp_side side);
    void (*send)(void *arg, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len);
    void (*state)(void *arg, enum vnrs_bgp_side side); // changed
    // Returns false when the OPEN, acceptable by itself, lost a collision: the machine then ends with Cease.
    bool (*opened)(void *arg, enum vnrs_bgp_side side);
    // Both KEEPALIVEs are there. Returns false when a collision is not decided yet: the machine stays in OpenConfirm
    // until DECIDED asks again, or until the peer shows by what it sends that it is in Established.
    bool (*confirmed)(void *arg, enum vnrs_bgp_side side);
    void (*up)(void *arg, enum vnrs_bgp_side side); // Established
    // Idle again; `error` is what was sent or received, code 0: neither.
    void (*idle)(void *arg, enum vnrs_bgp_side side, bool was_up, enum vnrs_bgp_cause cause,
                 const struct vnrs_bgp_error *error);
    // An UPDATE in Established: 0, or -EBADMSG with the NOTIFICATION that ends the session.
    int (*update)(void *arg, const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error);
    void (*refresh)(void *arg, uint8_t af, uint8_t subtype);
    uint32_t (*random)(void *arg);
};

struct vnrs_bgp_input { // what comes with an event; only the fields that it needs
    const uint8_t *msg; // UPDATE
    size_t len;
    const struct vnrs_bgp_open *open;
    const struct vnrs_bgp_error *error; // STOP, ERROR, NOTIFICATION
    uint8_t af, subtype;                // REFRESH
};

struct vnrs_bgp_fsm {
    const struct vnrs_bgp_conf *conf;
    const struct vnrs_bgp_fsm_ops *ops;
    void *arg;
    enum vnrs_bgp_side side;
    enum vnrs_bgp_state state;
    bool connected;                      // a TCP connection exists
    enum vnrs_bgp_event event;           // in work
    uint64_t now;                        // of it
    uint64_t deadline[_VNRS_BGP_TM_MAX]; // VNRS_BGP_TIMER_OFF: does not run
    uint64_t told_ms;                    // when an UPDATE last was sent
    struct vnrs_bgp_caps announced;      // in the OPEN that was sent last
    struct vnrs_bgp_open remote;         // from OpenConfirm on
    struct vnrs_bgp_session session;     // from OpenConfirm on
    bool waits_for_bfd;                  // OpenConfirm in strict mode: our first KEEPALIVE is held back until BFD is up
    bool confirmed;                      // OpenConfirm: that of the peer has come
};

void vnrs_bgp_fsm_init(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_side side, const struct vnrs_bgp_conf *conf,
                       const struct vnrs_bgp_fsm_ops *ops, void *arg);
// `in` may be NULL where the event carries nothing.
void vnrs_bgp_fsm_event(struct vnrs_bgp_fsm *fsm, enum vnrs_bgp_event event, uint64_t now_ms,
                        const struct vnrs_bgp_input *in);
// Deliver every timer that is due.
void vnrs_bgp_fsm_tick(struct vnrs_bgp_fsm *fsm, uint64_t now_ms);
uint64_t vnrs_bgp_fsm_next(const struct vnrs_bgp_fsm *fsm); // earliest deadline, or VNRS_BGP_NEVER
// In OpenConfirm with both KEEPALIVEs: it is only a collision that keeps it from Established.
bool vnrs_bgp_fsm_is_held(const struct vnrs_bgp_fsm *fsm);
// The peer is heard again: the hold timer starts anew (used while we ourselves do not read from the connection).
void vnrs_bgp_fsm_heard(struct vnrs_bgp_fsm *fsm, uint64_t now_ms);
// An UPDATE was made for the peer, which spares it a KEEPALIVE (RFC 4271 section 8.2.2).
void vnrs_bgp_fsm_told(struct vnrs_bgp_fsm *fsm, uint64_t now_ms);
// The connection took some of what was sent: the send hold timer starts anew.
void vnrs_bgp_fsm_drained(struct vnrs_bgp_fsm *fsm, uint64_t now_ms);
const char *vnrs_bgp_state_name(enum vnrs_bgp_state state);
