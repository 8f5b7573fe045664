// SPDX-License-Identifier: GPL-2.0-or-later
// UDP sockets of BFD (RFC 5881 section 4, RFC 5883 section 3): one for each of the two ports that all sessions share to
// receive, and one of each session to send, whose source port is its own.
#pragma once

#include "bgp/bfd_packet.h"
#include "vnrs/addr.h"

#include <sys/types.h>

enum vnrs_bfd_hops { VNRS_BFD_SINGLE, VNRS_BFD_MULTI, _VNRS_BFD_HOPS_MAX };

struct vnrs_bfd_datagram {
    struct vnrs_addr from;
    int ttl; // -1: not known
    size_t len;
    uint8_t bytes[64]; // no more than an authentication section is cut off
};

// The socket becomes that of the port on this address, which may be any (all octets 0); nothing gets in before
// vnrs_bfd_socket_admit. 0 or a negative errno.
int vnrs_bfd_socket_listen(int fd, const struct vnrs_addr *local, enum vnrs_bfd_hops hops) VNRS_MUST_CHECK;
// Lets in what these peers, all of one family, send. 0 or a negative errno.
int vnrs_bfd_socket_admit(int fd, const struct vnrs_addr *peers, size_t n, enum vnrs_bfd_hops hops) VNRS_MUST_CHECK;
// The socket sends from this address and a port of its own. `random` is any. 0 or a negative errno.
int vnrs_bfd_socket_source(int fd, const struct vnrs_addr *local, uint32_t random) VNRS_MUST_CHECK;
// 1: a datagram, 0: there is none, or a negative errno.
int vnrs_bfd_socket_recv(int fd, struct vnrs_bfd_datagram *ret_datagram) VNRS_MUST_CHECK;
// 0 or a negative errno.
int vnrs_bfd_socket_send(int fd, const struct vnrs_addr *peer, enum vnrs_bfd_hops hops, const uint8_t *bytes,
                         size_t len) VNRS_MUST_CHECK;
