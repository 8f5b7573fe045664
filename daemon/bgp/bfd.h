// SPDX-License-Identifier: GPL-2.0-or-later
// One BFD session in asynchronous mode, active role (RFC 5880 section 6): states, Poll Sequences, negotiated intervals,
// detection time. Neither Demand mode nor Echo is offered; what the peer says about Demand mode is honoured, its
// Required Min Echo RX means nothing. Pure: time comes in, packets go out through `ops`. Finding the session that a
// packet is for, ports and TTL are the owner's business. Times are CLOCK_MONOTONIC in microseconds.
//
// Callbacks run in the middle of an event: they must not call back into the session.
#pragma once

#include "bgp/bfd_packet.h"

#define VNRS_BFD_NEVER   UINT64_MAX
#define VNRS_BFD_SLOW_US 1000000u // no faster while the session is not Up (section 6.8.3)

struct vnrs_bfd_conf {
    uint32_t min_tx_us, min_rx_us; // wanted while Up, at least 1
    uint8_t multiplier;            // at least 1
};

struct vnrs_bfd_ops {
    void (*send)(void *arg, const uint8_t *bytes, size_t len);
    void (*changed)(void *arg); // the state
    uint32_t (*random)(void *arg);
};

enum vnrs_bfd_poll { VNRS_BFD_POLL_NONE, VNRS_BFD_POLL_ACTIVE, VNRS_BFD_POLL_AGAIN }; // AGAIN: and another one after it

struct vnrs_bfd { // names of the RFC's variables (section 6.8.1) behind those that differ
    struct vnrs_bfd_conf conf;
    const struct vnrs_bfd_ops *ops;
    void *arg;
    enum vnrs_bfd_state state; // SessionState
    uint8_t diag;              // LocalDiag
    uint32_t discr;            // LocalDiscr
    uint32_t min_tx_us;        // DesiredMinTxInterval
    uint32_t min_rx_us;        // RequiredMinRxInterval
    uint32_t tx_used_us;       // in force until a Poll Sequence has ended (section 6.8.3)
    uint32_t rx_used_us;
    enum vnrs_bfd_poll poll;
    uint8_t remote_state; // RemoteSessionState
    uint8_t remote_diag;
    uint8_t remote_multiplier;
    bool remote_demand;        // RemoteDemandMode
    bool remote_independent;   // C
    uint32_t remote_discr;     // RemoteDiscr, 0: not known
    uint32_t remote_min_tx_us; // as received last
    uint32_t remote_min_rx_us; // RemoteMinRxInterval
    uint64_t now_us;           // of the event in work
    uint64_t sent_us;          // last packet of its own accord, not an answer to a Poll
    uint64_t send_us;          // the next one, or VNRS_BFD_NEVER
    uint64_t heard_us;         // last packet of the peer
    uint64_t expire_us;        // detection time is over, or VNRS_BFD_NEVER
    uint64_t over_us;          // after stop: the peer knows
    uint64_t changed_us;       // last change of the state
    uint64_t packets_in, packets_out;
    uint32_t failures; // from Up to Down, but for the peer's AdminDown
    uint8_t failure;   // diagnostic of the last one
};

// Down, and silent until start.
void vnrs_bfd_init(struct vnrs_bfd *bfd, const struct vnrs_bfd_conf *conf, uint32_t discr,
                   const struct vnrs_bfd_ops *ops, void *arg);
void vnrs_bfd_start(struct vnrs_bfd *bfd, uint64_t now_us);
// New intervals and multiplier of a session that goes on.
void vnrs_bfd_configure(struct vnrs_bfd *bfd, uint64_t now_us, const struct vnrs_bfd_conf *conf);
// AdminDown, said for a Detection Time (section 6.8.16); then is_over, and the session may go.
void vnrs_bfd_stop(struct vnrs_bfd *bfd, uint64_t now_us);
bool vnrs_bfd_is_over(const struct vnrs_bfd *bfd, uint64_t now_us);
// A packet of this session that decode accepted.
void vnrs_bfd_receive(struct vnrs_bfd *bfd, uint64_t now_us, const struct vnrs_bfd_packet *packet);
// Does what is due.
void vnrs_bfd_tick(struct vnrs_bfd *bfd, uint64_t now_us);
uint64_t vnrs_bfd_next(const struct vnrs_bfd *bfd); // earliest deadline, or VNRS_BFD_NEVER

// Between two packets, before jitter (section 6.8.2); 0: none are sent.
uint32_t vnrs_bfd_tx_interval(const struct vnrs_bfd *bfd);
// Section 6.8.4; 0 while nothing has been received.
uint64_t vnrs_bfd_detection_time(const struct vnrs_bfd *bfd);
