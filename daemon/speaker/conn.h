// SPDX-License-Identifier: GPL-2.0-or-later
// TCP connections with peers: buffers of a fixed size on either side, non-blocking. Sending never blocks: UPDATEs are
// made only while there is room, other messages always fit. A connection that is closed lingers until the other end has
// read what was sent (else the kernel could discard a NOTIFICATION), at most VNRS_CONN_LINGER_MS.
#pragma once

#include "speaker/speakerd.h"

#include <sys/socket.h>

#define VNRS_CONN_IN_BYTES    (VNRS_BGP_MSG_EXTENDED_MAX + 1u)
#define VNRS_CONN_OUT_UPDATES 57344u // as long as less waits than this, one more UPDATE is made
#define VNRS_CONN_OUT_RESERVE 8192u  // not for UPDATEs
#define VNRS_CONN_OUT_BYTES   (VNRS_CONN_OUT_UPDATES + VNRS_BGP_MSG_EXTENDED_MAX + VNRS_CONN_OUT_RESERVE + 1u)
#define VNRS_CONN_LINGER_MS   2000

// Starts listening on VNRS_SPEAKER_FD_LISTEN where there is one. Returns 0 or a negative errno.
int vnrs_conn_listen(struct vnrs_speakerd *sp) VNRS_MUST_CHECK;
// Returns the length of what it wrote.
socklen_t vnrs_conn_sockaddr(const struct vnrs_addr *addr, uint16_t port, struct sockaddr_storage *ret_ss);
// IPv4 also where it stands in an IPv6 address.
struct vnrs_addr vnrs_conn_addr(const struct sockaddr_storage *ss);
// Uses `fd` (consumed) for the outgoing connection of a slot.
void vnrs_conn_connect(struct vnrs_speakerd *sp, struct vnrs_bgp_member *member, int fd);
void vnrs_conn_send(struct vnrs_speakerd *sp, struct vnrs_bgp_member *member, enum vnrs_bgp_side side,
                    const uint8_t *bytes, size_t len);
void vnrs_conn_close(struct vnrs_speakerd *sp, struct vnrs_bgp_member *member, enum vnrs_bgp_side side);
// A message of the largest size can be sent to the peer now, and what else there may be besides.
bool vnrs_conn_has_room(const struct vnrs_speakerd *sp, const struct vnrs_bgp_member *member);
// The ports of the connection; 0 where there is none.
void vnrs_conn_ports(const struct vnrs_speakerd *sp, const struct vnrs_bgp_member *member, enum vnrs_bgp_side side,
                     uint16_t *ret_local, uint16_t *ret_remote);
// Fills and empties output buffers. Returns true when there is more to do at once.
bool vnrs_conn_flush_all(struct vnrs_speakerd *sp);
void vnrs_conn_pause_all(struct vnrs_speakerd *sp, bool paused);
// While reading is paused peers cannot be blamed for silence.
void vnrs_conn_excuse_all(struct vnrs_speakerd *sp, uint64_t now_ms);
void vnrs_conn_free_all(struct vnrs_speakerd *sp);
