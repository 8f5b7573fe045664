// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs-speaker: one BGP speaker (bgp/speaker_core.h) on an event loop. Its parts: connections to peers (conn.c), the
// controller (control.c), the agent (agent_link.c), the log of malformed UPDATEs (malformed.c), the sandbox
// (sandbox.c). Every callback of the loop ends with vnrs_speakerd_settle, which sends what has become due everywhere.
// The only other thread runs BFD (bfd_engine.h).
#pragma once

#include "bgp/speaker_core.h"

#include <event2/event.h>

#define VNRS_DUMPS_MAX 4

struct vnrs_bfd_link;
struct vnrs_conn;
struct vnrs_control;
struct vnrs_dump;
struct vnrs_bmp_station;
struct vnrs_protect_key;

enum { VNRS_SPEAKERD_URGENT, VNRS_SPEAKERD_ORDINARY, _VNRS_SPEAKERD_PRIORITY_MAX }; // of events

struct vnrs_malformed_budget { // of what is logged, see speaker/malformed.h
    uint64_t since_ms;
    unsigned n, suppressed;
};

struct vnrs_speakerd {
    struct event_base *base;
    struct vnrs_bgp_speaker *core;
    struct vnrs_control *control;
    struct vnrs_bfd_link *bfd;
    struct event *timer, *listener, *agent;
    struct event *signals[2];
    struct vnrs_conn *conns[VNRS_BGP_PEERS_MAX][_VNRS_BGP_SIDE_MAX];
    struct vnrs_conn *lingering;                 // closed by us, until the last bytes are out
    uint32_t socket_request[VNRS_BGP_PEERS_MAX]; // id of the socket that a slot waits for, 0: none
    bool socket_failed[VNRS_BGP_PEERS_MAX];      // the request could not be sent
    uint32_t last_request;
    struct vnrs_malformed_budget malformed[VNRS_BGP_PEERS_MAX];
    struct vnrs_protect_key *keys; // on the listening socket, by slot
    struct vnrs_dump *dumps[VNRS_DUMPS_MAX];
    struct vnrs_bmp_station *stations[VNRS_BMP_STATIONS_MAX];
    bool reading_paused; // the controller does not keep up: nothing is read from peers
    bool stopping;
    int status; // exit status
};

// Sends what is due, starts and stops reading, arms the timer.
void vnrs_speakerd_settle(struct vnrs_speakerd *sp);
// Ends the loop with this exit status.
void vnrs_speakerd_exit(struct vnrs_speakerd *sp, int status);

// --- agent_link.c: sockets of the instance's namespace, on VNRS_SPEAKER_FD_AGENT
int vnrs_agent_link_init(struct vnrs_speakerd *sp) VNRS_MUST_CHECK;
// Asks for a socket. 0 and the id that the answer will have (never 0), or a negative errno.
int vnrs_agent_link_ask(struct vnrs_speakerd *sp, enum vnrs_spk_socket_kind kind, uint8_t family,
                        uint32_t *ret_id) VNRS_MUST_CHECK;
// Asks for a socket for an outgoing connection of this slot.
void vnrs_agent_link_request(struct vnrs_speakerd *sp, unsigned slot);
