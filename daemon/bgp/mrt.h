// SPDX-License-Identifier: GPL-2.0-or-later
// MRT records (RFC 6396, additional paths by RFC 8050): what a table dump and a log of messages consist of. Pure
// encoders; each returns the record's length or -ENOBUFS. Times are seconds since the epoch.
#pragma once

#include "bgp/msg.h"
#include "vnrs/speaker_proto.h"

#define VNRS_MRT_HEADER_BYTES  12
#define VNRS_MRT_MESSAGE_EXTRA 56 // what a record has besides the message in it, at most

enum { // types
    VNRS_MRT_TABLE_DUMP_V2 = 13,
    VNRS_MRT_BGP4MP = 16,
};
enum { // subtypes of TABLE_DUMP_V2
    VNRS_MRT_PEER_INDEX_TABLE = 1,
    VNRS_MRT_RIB_IPV4_UNICAST = 2,
    VNRS_MRT_RIB_IPV6_UNICAST = 4,
    VNRS_MRT_RIB_IPV4_UNICAST_ADDPATH = 8,
    VNRS_MRT_RIB_IPV6_UNICAST_ADDPATH = 10,
};
enum { // subtypes of BGP4MP
    VNRS_MRT_MESSAGE = 1,
    VNRS_MRT_MESSAGE_AS4 = 4,
    VNRS_MRT_STATE_CHANGE_AS4 = 5,
    VNRS_MRT_MESSAGE_ADDPATH = 8,
    VNRS_MRT_MESSAGE_AS4_ADDPATH = 9,
};

struct vnrs_mrt_peer { // in the index that RIB entries refer to
    uint32_t id, asn;
    struct vnrs_addr addr; // NONE: 0.0.0.0, the speaker itself
};

struct vnrs_mrt_entry { // a path of a prefix
    uint16_t peer;      // place in the index
    uint32_t time;      // since when it has been there
    uint32_t path_id;   // RFC 7911, where the record has them
    const struct vnrs_bgp_attrs *attrs;
};

struct vnrs_mrt_ends { // of a session
    uint32_t peer_asn, local_asn;
    struct vnrs_addr peer, local; // of one family
};

int vnrs_mrt_peer_index_encode(uint32_t time, uint32_t collector_id, const char *view,
                               const struct vnrs_mrt_peer *peers, size_t n, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
// All paths of one prefix. Attributes have 4-octet ASNs, of MP_REACH_NLRI only the next hop (RFC 6396 section 4.3.4),
// and LOCAL_PREF only where the set has it.
int vnrs_mrt_rib_encode(uint32_t time, uint32_t sequence, bool add_path, const struct vnrs_prefix *prefix,
                        const struct vnrs_mrt_entry *entries, size_t n, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
// A message as it was received. `as4`: its AS_PATH has 4-octet ASNs; `add_path`: its prefixes have path identifiers.
int vnrs_mrt_message_encode(uint32_t time, const struct vnrs_mrt_ends *ends, bool as4, bool add_path,
                            const uint8_t *msg, size_t len, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
int vnrs_mrt_state_encode(uint32_t time, const struct vnrs_mrt_ends *ends, enum vnrs_bgp_state from,
                          enum vnrs_bgp_state to, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
