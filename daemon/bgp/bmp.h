// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of the BGP Monitoring Protocol, version 3 (RFC 7854), with Adj-RIB-Out (RFC 8671) and Loc-RIB (RFC 9069).
// Pure encoders; each returns the message's length or -ENOBUFS. The station only listens: there is nothing to decode.
#pragma once

#include "bgp/msg.h"

#define VNRS_BMP_PORT              11019
#define VNRS_BMP_ROUTE_BYTES       48 // headers in front of the BGP message of a Route Monitoring message
#define VNRS_BMP_MESSAGE_MAX       (VNRS_BMP_ROUTE_BYTES + VNRS_BGP_MSG_EXTENDED_MAX)
#define VNRS_BMP_TEXT_MAX          128
#define VNRS_BMP_PEER_UP_BYTES_MAX (VNRS_BMP_ROUTE_BYTES + 20 + 2 * VNRS_BGP_MSG_MAX + 4 + VNRS_BMP_TEXT_MAX)

enum vnrs_bmp_type {
    VNRS_BMP_ROUTE_MONITORING,
    VNRS_BMP_STATISTICS,
    VNRS_BMP_PEER_DOWN,
    VNRS_BMP_PEER_UP,
    VNRS_BMP_INITIATION,
    VNRS_BMP_TERMINATION,
    VNRS_BMP_MIRRORING,
};

enum { // peer types
    VNRS_BMP_PEER_GLOBAL = 0,
    VNRS_BMP_PEER_LOC_RIB = 3, // RFC 9069
};
enum { // peer flags; V follows from the address
    VNRS_BMP_FLAG_IPV6 = 0x80,
    VNRS_BMP_FLAG_POST_POLICY = 0x40,
    VNRS_BMP_FLAG_AS2 = 0x20,     // 2-octet AS_PATHs; never here
    VNRS_BMP_FLAG_ADJ_OUT = 0x10, // RFC 8671
};

struct vnrs_bmp_peer { // the header of what belongs to a peer
    uint8_t type, flags;
    struct vnrs_addr addr; // NONE for the Loc-RIB
    uint32_t asn, id;
    uint64_t time_us; // since the epoch, 0: unknown
};

enum { // reasons of a Termination
    VNRS_BMP_TERM_ADMIN = 0,
    VNRS_BMP_TERM_UNSPECIFIED = 1,
    VNRS_BMP_TERM_RESOURCES = 2,
    VNRS_BMP_TERM_REDUNDANT = 3,
    VNRS_BMP_TERM_PERMANENT = 4,
};

enum vnrs_bmp_down {                      // reasons of a Peer Down
    VNRS_BMP_DOWN_LOCAL_NOTIFICATION = 1, // with the NOTIFICATION
    VNRS_BMP_DOWN_LOCAL_EVENT = 2,        // with the number of the FSM event, RFC 4271 section 8.1
    VNRS_BMP_DOWN_REMOTE_NOTIFICATION = 3,
    VNRS_BMP_DOWN_REMOTE = 4,
    VNRS_BMP_DOWN_DECONFIGURED = 5, // monitoring ended, maybe not the session
    VNRS_BMP_DOWN_LOC_RIB = 6,      // RFC 9069, with the name of the table
};

struct vnrs_bmp_peer_up {
    struct vnrs_addr local;
    uint16_t local_port, remote_port;
    const uint8_t *sent, *received; // the OPENs
    size_t sent_len, received_len;
    const char *table; // Loc-RIB: its name; NULL: none
};

enum { // statistics; counters of 32 bits and gauges of 64
    VNRS_BMP_STAT_LOOPS = 4,
    VNRS_BMP_STAT_ADJ_IN = 7,
    VNRS_BMP_STAT_LOC_RIB = 8,
    VNRS_BMP_STAT_TREATED_AS_WITHDRAW = 11,
    VNRS_BMP_STAT_ADJ_OUT_POST = 15, // RFC 8671
};

struct vnrs_bmp_stat {
    uint16_t type;
    bool gauge;
    uint64_t value;
};

enum { // what a Route Mirroring message tells
    VNRS_BMP_MIRROR_ERRORED = 0,
    VNRS_BMP_MIRROR_LOST = 1,
};

int vnrs_bmp_initiation_encode(const char *description, const char *name, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
int vnrs_bmp_termination_encode(uint16_t reason, const char *text, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
int vnrs_bmp_peer_up_encode(const struct vnrs_bmp_peer *peer, const struct vnrs_bmp_peer_up *up, uint8_t *buf,
                            size_t size) VNRS_MUST_CHECK;
// `error` with the reasons that have a NOTIFICATION, `event` with LOCAL_EVENT, `table` with LOC_RIB.
int vnrs_bmp_peer_down_encode(const struct vnrs_bmp_peer *peer, enum vnrs_bmp_down reason,
                              const struct vnrs_bgp_error *error, uint16_t event, const char *table, uint8_t *buf,
                              size_t size) VNRS_MUST_CHECK;
// One UPDATE, as vnrs_bgp_update_encode, with 4-octet ASNs, path identifiers where they are given (NULL: none), and
// LOCAL_PREF only where the set has it. It is longer than 4,096 octets only where not even one prefix fits otherwise.
int vnrs_bmp_route_encode(const struct vnrs_bmp_peer *peer, uint8_t af, const struct vnrs_bgp_attrs *attrs,
                          const struct vnrs_prefix *prefixes, const uint32_t *path_ids, size_t n, uint8_t *buf,
                          size_t size, size_t *ret_used) VNRS_MUST_CHECK;
int vnrs_bmp_eor_encode(const struct vnrs_bmp_peer *peer, uint8_t af, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
int vnrs_bmp_statistics_encode(const struct vnrs_bmp_peer *peer, const struct vnrs_bmp_stat *stats, size_t n,
                               uint8_t *buf, size_t size) VNRS_MUST_CHECK;
// `msg` NULL: only the code.
int vnrs_bmp_mirror_encode(const struct vnrs_bmp_peer *peer, uint16_t code, const uint8_t *msg, size_t len,
                           uint8_t *buf, size_t size) VNRS_MUST_CHECK;
