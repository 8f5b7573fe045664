// SPDX-License-Identifier: GPL-2.0-or-later
// TCP MD5 signatures (RFC 2385) and the TTL check of GTSM (RFC 5082) on the sockets of a speaker. The kernel does both,
// and asks for no capability. Keys are never logged.
#pragma once

#include "speaker/speakerd.h"

// Keeps the SYN of each connection, for vnrs_protect_is_trusted. Returns 0 or a negative errno.
int vnrs_protect_listener_init(int fd) VNRS_MUST_CHECK;
// Brings keys and TTL of the listening socket to what is configured. A key that cannot be set is logged; the peer's
// connections are then refused.
void vnrs_protect_listener(struct vnrs_speakerd *sp);
// From now on nothing unsigned, or from too far, is taken on this socket, and what is sent is signed. Returns 0 or a
// negative errno.
int vnrs_protect_connection(int fd, const struct vnrs_spk_peer_config *peer) VNRS_MUST_CHECK;
// An accepted connection began with what its peer must send. Bytes may have come before the socket was protected: a
// connection from before the configuration is not trusted.
bool vnrs_protect_is_trusted(int fd, const struct vnrs_spk_peer_config *peer) VNRS_MUST_CHECK;
bool vnrs_protect_syn_is_trusted(const uint8_t *syn, size_t len,
                                 const struct vnrs_spk_peer_config *peer) VNRS_MUST_CHECK;
void vnrs_protect_free(struct vnrs_speakerd *sp);
