// SPDX-License-Identifier: GPL-2.0-or-later
// Path attributes on the wire, shared by the UPDATE decoder and encoder: type codes, flags, AS-path walking.
#pragma once

#include "bgp/msg.h"
#include "bgp/wire.h"

enum { // IANA "BGP Path Attributes"
    VNRS_BGP_ATTR_ORIGIN = 1,
    VNRS_BGP_ATTR_AS_PATH = 2,
    VNRS_BGP_ATTR_NEXT_HOP = 3,
    VNRS_BGP_ATTR_MED = 4,
    VNRS_BGP_ATTR_LOCAL_PREF = 5,
    VNRS_BGP_ATTR_ATOMIC_AGGREGATE = 6,
    VNRS_BGP_ATTR_AGGREGATOR = 7,
    VNRS_BGP_ATTR_COMMUNITIES = 8,
    VNRS_BGP_ATTR_ORIGINATOR_ID = 9,
    VNRS_BGP_ATTR_CLUSTER_LIST = 10,
    VNRS_BGP_ATTR_MP_REACH = 14,
    VNRS_BGP_ATTR_MP_UNREACH = 15,
    VNRS_BGP_ATTR_EXT_COMMUNITIES = 16,
    VNRS_BGP_ATTR_AS4_PATH = 17,
    VNRS_BGP_ATTR_AS4_AGGREGATOR = 18,
    VNRS_BGP_ATTR_IPV6_EXT_COMMUNITIES = 25,
    VNRS_BGP_ATTR_LARGE_COMMUNITIES = 32,
};

enum {
    VNRS_BGP_FLAG_OPTIONAL = 0x80,
    VNRS_BGP_FLAG_TRANSITIVE = 0x40,
    VNRS_BGP_FLAG_PARTIAL = 0x20,
    VNRS_BGP_FLAG_EXTENDED = 0x10, // the length has two octets
};

enum { // segment types, RFC 4271 section 4.3 and RFC 5065
    VNRS_BGP_AS_SET = 1,
    VNRS_BGP_AS_SEQUENCE = 2,
    VNRS_BGP_AS_CONFED_SEQUENCE = 3,
    VNRS_BGP_AS_CONFED_SET = 4,
};
#define VNRS_BGP_SEGMENT_MAX 255u

// Scratch memory of one decode: taken from the front, never given back.
struct vnrs_bgp_scratch {
    uint8_t *at;
    size_t left;
};

// Fills path_len and first_asn from as_path, which must be canonical.
void vnrs_bgp_attrs_derive(struct vnrs_bgp_attrs *attrs);

// What is wrong with the bytes of an AS_PATH or AS4_PATH (RFC 7606 section 7.2, RFC 6793 section 6, RFC 7607), a
// literal; NULL: nothing.
const char *vnrs_bgp_path_check(struct vnrs_wire path, size_t asn_bytes, bool allow_confed);
// From a checked AS_PATH, and with 2-octet ASNs the checked AS4_PATH (empty: none), build the canonical path into
// `scratch` (RFC 6793 section 4.2.3). -E2BIG: more than VNRS_BGP_PATH_ASNS_MAX ASNs; -ENOBUFS: no room.
int vnrs_bgp_path_build(struct vnrs_wire path, size_t asn_bytes, struct vnrs_wire as4_path,
                        struct vnrs_bgp_scratch *scratch, struct vnrs_bgp_attrs *attrs) VNRS_MUST_CHECK;

// Sort `n` items of `width` octets ascending and drop repeats, in place. Returns how many are left. No allocation and
// no quadratic time: the items are the peer's choice.
size_t vnrs_bgp_sort_unique(uint8_t *items, size_t n, size_t width);

// Writes all attributes of a set but MP_REACH_NLRI, as the session has them; with `multiprotocol` no NEXT_HOP either.
void vnrs_bgp_attrs_put(struct vnrs_wire_out *w, const struct vnrs_bgp_session *session, bool multiprotocol,
                        const struct vnrs_bgp_attrs *attrs);
