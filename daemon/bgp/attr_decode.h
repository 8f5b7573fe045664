// SPDX-License-Identifier: GPL-2.0-or-later
// The path attributes of one UPDATE. Phase one (frame) cuts the field into attributes, phase two (read) judges
// and decodes each by its RFC, as a table says. Every problem found becomes a fault; the worst one decides.
#pragma once

#include "bgp/attr_wire.h"

enum { // UPDATE error subcodes, RFC 4271 section 6.3
    VNRS_BGP_UPDATE_MALFORMED_LIST = 1,
    VNRS_BGP_UPDATE_UNKNOWN_WELL_KNOWN = 2,
    VNRS_BGP_UPDATE_MISSING = 3,
    VNRS_BGP_UPDATE_FLAGS = 4,
    VNRS_BGP_UPDATE_LENGTH = 5,
    VNRS_BGP_UPDATE_ORIGIN = 6,
    VNRS_BGP_UPDATE_NEXT_HOP = 8,
    VNRS_BGP_UPDATE_OPTIONAL = 9,
    VNRS_BGP_UPDATE_NETWORK = 10,
    VNRS_BGP_UPDATE_AS_PATH = 11,
};

// One attribute as it lies in the message.
struct vnrs_bgp_attr_raw {
    const uint8_t *start; // flags octet
    uint16_t total;       // with flags, type and length
    uint16_t len;         // of the value, which ends the attribute
    uint8_t flags, type;
};

struct vnrs_bgp_fault {
    enum vnrs_bgp_outcome outcome;
    uint8_t subcode, type;
    const char *why;                  // a literal
    struct vnrs_bgp_attr_raw culprit; // total 0: none; error data
};

struct vnrs_bgp_attr_decode {
    const struct vnrs_bgp_session *session;
    struct vnrs_bgp_attrs *attrs;
    struct vnrs_bgp_scratch scratch;
    struct vnrs_bgp_fault fault; // the worst so far, the first of equals

    struct vnrs_bgp_attr_raw *raw; // room for 256; by ascending type, each type once
    unsigned n_raw;

    bool has_origin, has_as_path, has_nexthop, has_mp_unreach;
    bool has_mp_prefixes; // MP_REACH_NLRI announces something, be it of a family not in use
    const char *is_own;   // why: reflected back to where it comes from (RFC 4456 section 8); NULL: it is not
    bool ignore_as4;      // AGGREGATOR says that an old speaker rewrote the path (RFC 6793 section 4.2.3)
    struct vnrs_wire as_path, as4_path;
    struct vnrs_addr nexthop; // of NEXT_HOP
    struct vnrs_addr mp_nexthop, mp_nexthop_link_local;
    struct vnrs_bgp_nlri mp_reach, mp_unreach; // empty for a family that is not in use
};

void vnrs_bgp_attr_fault(struct vnrs_bgp_attr_decode *d, enum vnrs_bgp_outcome outcome, uint8_t subcode,
                         const struct vnrs_bgp_attr_raw *raw, const char *why);
// A region of prefixes as the session has them.
static inline struct vnrs_bgp_nlri vnrs_bgp_nlri_of(const struct vnrs_bgp_attr_decode *d, uint8_t af,
                                                    struct vnrs_wire w)
{
    return (struct vnrs_bgp_nlri){.af = af, .has_ids = d->session->add_path_rx[af], .bytes = w.at, .len = w.left};
}
void vnrs_bgp_attrs_frame(struct vnrs_bgp_attr_decode *d, struct vnrs_wire field);
// The address may be a host's: RFC 4271 section 6.3, and the like for IPv6.
bool vnrs_bgp_is_host_addr(const struct vnrs_addr *addr);
// After frame. Also merges the AS path. Does not judge what is missing.
void vnrs_bgp_attrs_read(struct vnrs_bgp_attr_decode *d);
