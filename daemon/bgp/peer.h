// SPDX-License-Identifier: GPL-2.0-or-later
// One BGP peer: the machines of the connection that we open and of the one that the peer opens, collision detection
// between them (RFC 4271 section 6.8, RFC 6286), framing of received bytes, and the waits after errors that damp
// oscillation: after an error of the peer nothing is opened or accepted until the wait is over. Pure, like bgp/fsm.h.
#pragma once

#include "bgp/fsm.h"

#include <sys/types.h>

#define VNRS_BGP_ERROR_TEXT_MAX VNRS_PEER_ERROR_MAX
#define VNRS_BGP_COLLISION_MS   1000u // how late the other connection of a collision, or the peer's word on it, may come

struct vnrs_bgp_peer;

struct vnrs_bgp_peer_ops {
    void (*connect)(void *arg); // open a TCP connection; answer with vnrs_bgp_peer_connected or _disconnected(OUT)
    void (*close)(void *arg, enum vnrs_bgp_side side); // after what was sent has left
    void (*send)(void *arg, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len);
    void (*changed)(void *arg); // state, or last error
    void (*up)(void *arg);
    // `graceful`: RFC 4724 and 8538 let what the peer announced stay for a while.
    void (*down)(void *arg, bool graceful);
    int (*update)(void *arg, const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error);
    void (*refresh)(void *arg, uint8_t af, uint8_t subtype);
    uint32_t (*random)(void *arg);
    // Optional: every well-framed message, before it is handled.
    void (*received)(void *arg, enum vnrs_bgp_side side, const uint8_t *msg, size_t len);
};

struct vnrs_bgp_kept { // a copy of a message, empty when there was none or no memory
    uint8_t *bytes;
    size_t len;
};

struct vnrs_bgp_ends {                // of a connection; what monitoring tells of it
    uint16_t local_port, remote_port; // set by the owner
    struct vnrs_bgp_kept open_sent, open_received;
};

struct vnrs_bgp_peer {
    struct vnrs_bgp_conf conf;
    const struct vnrs_bgp_peer_ops *ops;
    void *arg;
    struct vnrs_bgp_fsm fsm[_VNRS_BGP_SIDE_MAX];
    bool enabled;
    uint64_t now;
    uint64_t idle_until;      // deadline of the idle hold timer; VNRS_BGP_TIMER_OFF: none
    uint64_t refuse_until;    // no connection is accepted before
    uint64_t undecided_until; // a connection is held back so long for the other one; VNRS_BGP_TIMER_OFF: none is
    unsigned errors;          // in a row
    uint64_t changed_ms;      // last change to or from Established
    uint32_t messages_in[VNRS_BGP_TYPES], messages_out[VNRS_BGP_TYPES]; // by enum vnrs_bgp_type
    uint32_t flaps;
    struct vnrs_bgp_error notification; // the last one, sent or received; code 0: none yet
    bool notification_received;
    uint64_t notification_ms, reset_ms;       // 0: never
    char last_reset[VNRS_BGP_ERROR_TEXT_MAX]; // why the last session ended
    char last_error[VNRS_BGP_ERROR_TEXT_MAX]; // how the last session, or the last try of one, ended; outlives the next
    char connect_error[VNRS_BGP_ERROR_TEXT_MAX]; // why no connection came about since then, empty: none was refused
    struct vnrs_bgp_ends ends[_VNRS_BGP_SIDE_MAX];
    enum vnrs_bgp_cause end_cause; // how the last session ended; set before `down` is called
    bool end_replaced;             // CAUSE_TCP: closed by us, because the peer opened a new connection
    const char *bfd_why;           // of the last BFD failure, a literal
};

void vnrs_bgp_peer_init(struct vnrs_bgp_peer *peer, const struct vnrs_bgp_conf *conf,
                        const struct vnrs_bgp_peer_ops *ops, void *arg);
void vnrs_bgp_peer_fini(struct vnrs_bgp_peer *peer);
void vnrs_bgp_peer_start(struct vnrs_bgp_peer *peer, uint64_t now_ms);
// Ends its connections with Cease and the given subcode; nothing is opened or accepted until start. `text` goes along
// with shutdown and reset (RFC 9003), NULL: none.
void vnrs_bgp_peer_stop(struct vnrs_bgp_peer *peer, uint64_t now_ms, uint8_t cease, const char *text);
// Cease, then at once a new try, without damping (VNRS_SPK_CLEAR, changed configuration).
void vnrs_bgp_peer_reset(struct vnrs_bgp_peer *peer, uint64_t now_ms, uint8_t cease, const char *text);
// The session, if there is one, ends with this NOTIFICATION, as for an error of the peer.
void vnrs_bgp_peer_fail(struct vnrs_bgp_peer *peer, uint64_t now_ms, const struct vnrs_bgp_error *error);

// BFD with the peer is Up: strict mode goes on, and a connection that waits for its next try is tried at once, unless
// the peer is kept out for an error of its own.
void vnrs_bgp_peer_bfd_up(struct vnrs_bgp_peer *peer, uint64_t now_ms);
// BFD with the peer is not Up any more: by the peer's will or by configuration (`why` NULL), or by a failure, which
// ends the session. `why` is a literal.
void vnrs_bgp_peer_bfd_down(struct vnrs_bgp_peer *peer, uint64_t now_ms, const char *why);

// A connection from the peer is there: 0 when it may become side IN, -EBUSY when it has to be closed. After 0 the owner
// keeps the socket as side IN and calls _accepted, from within which the OPEN goes out.
int vnrs_bgp_peer_accept(struct vnrs_bgp_peer *peer, uint64_t now_ms) VNRS_MUST_CHECK;
void vnrs_bgp_peer_accepted(struct vnrs_bgp_peer *peer, uint64_t now_ms);
void vnrs_bgp_peer_connected(struct vnrs_bgp_peer *peer, uint64_t now_ms);
// The connection failed or was closed by the other end; `why` goes into last_error, or, where
// there was no session, into connect_error; NULL: closed by the peer.
void vnrs_bgp_peer_disconnected(struct vnrs_bgp_peer *peer, uint64_t now_ms, enum vnrs_bgp_side side, const char *why);
// Handles one message of the bytes received on a side. Returns its length, 0 when more bytes are needed, -ECONNRESET
// when the connection is no longer there (before or because of this message).
ssize_t vnrs_bgp_peer_input(struct vnrs_bgp_peer *peer, uint64_t now_ms, enum vnrs_bgp_side side, const uint8_t *buf,
                            size_t have) VNRS_MUST_CHECK;
// The owner has put a message of its own into the output of the session.
void vnrs_bgp_peer_told(struct vnrs_bgp_peer *peer, uint64_t now_ms, const uint8_t *msg);
// The connection took some of the output.
void vnrs_bgp_peer_drained(struct vnrs_bgp_peer *peer, uint64_t now_ms, enum vnrs_bgp_side side);
void vnrs_bgp_peer_tick(struct vnrs_bgp_peer *peer, uint64_t now_ms);
uint64_t vnrs_bgp_peer_next(const struct vnrs_bgp_peer *peer); // earliest deadline, or VNRS_BGP_NEVER

uint32_t vnrs_bgp_peer_total(const uint32_t counts[static VNRS_BGP_TYPES]);

enum vnrs_bgp_state vnrs_bgp_peer_state(const struct vnrs_bgp_peer *peer); // of the connection that is further
// The Established machine, or NULL.
struct vnrs_bgp_fsm *vnrs_bgp_peer_session(struct vnrs_bgp_peer *peer);
