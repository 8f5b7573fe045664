// SPDX-License-Identifier: GPL-2.0-or-later
// BGP messages (RFC 4271 section 4): encode and decode. Pure: buffers in, buffers or outcomes out. A decoder never
// reads past the given length, never allocates, and classes every error as RFC 4271 section 6 and RFC 7606 say.
#pragma once

#include "bgp/attr.h"

#include <stddef.h>

#define VNRS_BGP_PORT             179
#define VNRS_BGP_HEADER_BYTES     19
#define VNRS_BGP_MSG_MAX          4096  // RFC 4271
#define VNRS_BGP_MSG_EXTENDED_MAX 65535 // RFC 8654
#define VNRS_BGP_AS_TRANS         23456u
#define VNRS_BGP_ERROR_DATA_MAX   4075 // what an ordinary NOTIFICATION has room for: RFC 4271 wants whole attributes

enum vnrs_bgp_type {
    VNRS_BGP_OPEN = 1,
    VNRS_BGP_UPDATE,
    VNRS_BGP_NOTIFICATION,
    VNRS_BGP_KEEPALIVE,
    VNRS_BGP_ROUTE_REFRESH, // RFC 2918
};
#define VNRS_BGP_TYPES (VNRS_BGP_ROUTE_REFRESH + 1)

enum { // subtypes of ROUTE-REFRESH, RFC 7313
    VNRS_BGP_REFRESH_REQUEST = 0,
    VNRS_BGP_REFRESH_BEGIN = 1,
    VNRS_BGP_REFRESH_END = 2,
};

// Address families, as an index: IPv4 unicast, IPv6 unicast.
enum vnrs_bgp_af { VNRS_BGP_AF4, VNRS_BGP_AF6, _VNRS_BGP_AF_MAX };

// NOTIFICATION codes, RFC 4271 section 6 and later; subcodes are named where they are used.
enum {
    VNRS_BGP_ERR_HEADER = 1,
    VNRS_BGP_ERR_OPEN = 2,
    VNRS_BGP_ERR_UPDATE = 3,
    VNRS_BGP_ERR_HOLD_TIMER = 4,
    VNRS_BGP_ERR_FSM = 5,
    VNRS_BGP_ERR_CEASE = 6,
    VNRS_BGP_ERR_REFRESH = 7,   // RFC 7313
    VNRS_BGP_ERR_SEND_HOLD = 8, // RFC 9687
};
enum { // RFC 4486, 8538, 9384
    VNRS_BGP_CEASE_MAX_PREFIXES = 1,
    VNRS_BGP_CEASE_SHUTDOWN = 2,
    VNRS_BGP_CEASE_DECONFIGURED = 3,
    VNRS_BGP_CEASE_RESET = 4,
    VNRS_BGP_CEASE_REJECTED = 5,
    VNRS_BGP_CEASE_CONFIG_CHANGE = 6,
    VNRS_BGP_CEASE_COLLISION = 7,
    VNRS_BGP_CEASE_RESOURCES = 8,
    VNRS_BGP_CEASE_HARD_RESET = 9,
    VNRS_BGP_CEASE_BFD_DOWN = 10,
};

struct vnrs_bgp_error { // a NOTIFICATION to send, or received
    uint8_t code, subcode;
    uint16_t data_len;
    uint8_t data[VNRS_BGP_ERROR_DATA_MAX]; // 4 KiB: not cleared for each message
};
static inline void vnrs_bgp_error_clear(struct vnrs_bgp_error *error)
{
    error->code = error->subcode = 0;
    error->data_len = 0;
}

struct vnrs_bgp_caps {
    bool mp[_VNRS_BGP_AF_MAX];      // RFC 4760; absent altogether means IPv4 only
    bool any_mp;                    // at least one multiprotocol capability was there
    bool refresh, enhanced_refresh; // RFC 2918, 7313
    bool as4;                       // RFC 6793
    bool extended_message;          // RFC 8654
    bool graceful_restart;          // RFC 4724: only that it was there, with the two below
    bool gr_restarted;
    bool gr_notification; // RFC 8538
    uint16_t gr_time;     // seconds
    bool gr_af[_VNRS_BGP_AF_MAX], gr_forwarding[_VNRS_BGP_AF_MAX];
    bool add_path_receive[_VNRS_BGP_AF_MAX], add_path_send[_VNRS_BGP_AF_MAX]; // RFC 7911: several paths of a prefix
    bool ext_nexthop; // RFC 8950: IPv4 unicast with an IPv6 next hop
    bool bfd_strict;  // draft-ietf-idr-bgp-bfd-strict-mode
};

struct vnrs_bgp_open {
    uint32_t asn;  // from the 4-octet capability where present
    uint16_t hold; // seconds
    uint32_t id;   // BGP identifier, host order
    struct vnrs_bgp_caps caps;
};

// What both sides agreed on: parameters of the UPDATE codec.
struct vnrs_bgp_session {
    bool as4;                  // 4-octet ASNs in AS_PATH
    bool mp[_VNRS_BGP_AF_MAX]; // families in use
    bool refresh, enhanced_refresh;
    bool extended_message; // that we send; received ones are long once we announced that (RFC 8654 section 4)
    bool graceful_restart, gr_notification;
    bool add_path_rx[_VNRS_BGP_AF_MAX], add_path_tx[_VNRS_BGP_AF_MAX]; // prefixes carry a path identifier that way
    bool ext_nexthop;                                                  // IPv4 prefixes may have an IPv6 next hop
    bool bfd_strict;                                                   // Established only while BFD is up
    bool ibgp;
    uint32_t local_asn, peer_asn;
    uint32_t local_id;        // BGP identifier
    uint16_t hold, keepalive; // seconds, negotiated
};

// RFC 7606 section 2, from least to worst.
enum vnrs_bgp_outcome {
    VNRS_BGP_OK,
    VNRS_BGP_ATTR_DISCARD,      // usable; a malformed attribute was dropped
    VNRS_BGP_TREAT_AS_WITHDRAW, // every prefix in it is withdrawn
    VNRS_BGP_SESSION_RESET,     // send the error, close
};

// Bytes of prefixes inside a message.
struct vnrs_bgp_nlri {
    uint8_t af;       // enum vnrs_bgp_af
    bool has_ids;     // a path identifier stands before each (RFC 7911 section 3)
    uint32_t path_id; // of the prefix that vnrs_bgp_nlri_next gave, 0: none
    const uint8_t *bytes;
    size_t len;
};

struct vnrs_bgp_update {
    struct vnrs_bgp_nlri withdrawn[2]; // IPv4 field, MP_UNREACH_NLRI
    struct vnrs_bgp_nlri reach[2];     // IPv4 field, MP_REACH_NLRI
    // Attributes of the IPv4 field and of MP_REACH differ in the next hop only: [1] is for reach[1].
    struct vnrs_bgp_attrs attrs[2]; // borrow the message and `scratch`
    bool has_reach;                 // there is a prefix in `reach`
    bool eor[_VNRS_BGP_AF_MAX];     // End-of-RIB marker (RFC 4724 section 2)
    const char *why;                // outcome other than OK: what was wrong, a literal
    uint8_t bad_attr;               // its type code, 0: none
};

// Header: checks marker, length bounds for the type and the session (RFC 4271 section 6.1). `have` bytes are in `buf`.
// Returns the whole message's length, 0 when more bytes are needed to tell, -EBADMSG with *ret_error set.
int vnrs_bgp_header_decode(const uint8_t *buf, size_t have, bool extended, uint8_t *ret_type,
                           struct vnrs_bgp_error *ret_error) VNRS_MUST_CHECK;

// The decoders take a whole message including its header. 0 or -EBADMSG with *ret_error set (RFC 4271 section 6.2).
int vnrs_bgp_open_decode(const uint8_t *msg, size_t len, struct vnrs_bgp_open *ret_open,
                         struct vnrs_bgp_error *ret_error) VNRS_MUST_CHECK;
int vnrs_bgp_notification_decode(const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error) VNRS_MUST_CHECK;
// Returns 0, -EAFNOSUPPORT for a family or subtype that is not ours (ignore it), -EBADMSG. Subtype per RFC 7313.
int vnrs_bgp_refresh_decode(const uint8_t *msg, size_t len, uint8_t *ret_af, uint8_t *ret_subtype,
                            struct vnrs_bgp_error *ret_error) VNRS_MUST_CHECK;
// *ret_update is always written. OK and ATTR_DISCARD: all of it holds. TREAT_AS_WITHDRAW: the regions hold, the
// attributes are empty; withdraw what is in `reach`, too. SESSION_RESET: only `why` and `bad_attr`, and *ret_error.
enum vnrs_bgp_outcome vnrs_bgp_update_decode(const struct vnrs_bgp_session *session, const uint8_t *msg, size_t len,
                                             uint8_t scratch[static VNRS_BGP_MSG_EXTENDED_MAX],
                                             struct vnrs_bgp_update *ret_update, struct vnrs_bgp_error *ret_error);

// Next prefix of a region checked by the decoder: 1 with *ret_prefix and nlri->path_id, or 0 at the end. Advances nlri.
int vnrs_bgp_nlri_next(struct vnrs_bgp_nlri *nlri, struct vnrs_prefix *ret_prefix) VNRS_MUST_CHECK;

// Encoders return the message's length or -ENOBUFS. An OPEN offers what `caps` says; any_mp is not looked at.
int vnrs_bgp_open_encode(const struct vnrs_bgp_open *open, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
int vnrs_bgp_keepalive_encode(uint8_t *buf, size_t size) VNRS_MUST_CHECK;
int vnrs_bgp_notification_encode(const struct vnrs_bgp_error *error, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
int vnrs_bgp_refresh_encode(uint8_t af, uint8_t subtype, uint8_t *buf, size_t size) VNRS_MUST_CHECK;
// One UPDATE that announces as many of the prefixes as fit (all of one family) behind one attribute set; attrs NULL:
// withdraws them. *ret_used says how many went in. At most 4,096 octets without extended messages, whatever the size.
// `path_ids`, one a prefix, must be there exactly where session->add_path_tx[af] says so, else NULL. LOCAL_PREF is sent
// inside the AS only (100 where the set has none). -EINVAL: no prefixes, path identifiers against the session, or a
// next hop that the family cannot have (an IPv6 one of IPv4 prefixes needs session->ext_nexthop).
int vnrs_bgp_update_encode(const struct vnrs_bgp_session *session, uint8_t af, const struct vnrs_bgp_attrs *attrs,
                           const struct vnrs_prefix *prefixes, const uint32_t *path_ids, size_t n, uint8_t *buf,
                           size_t size, size_t *ret_used) VNRS_MUST_CHECK;
int vnrs_bgp_eor_encode(uint8_t af, uint8_t *buf, size_t size) VNRS_MUST_CHECK;

// A Cease; administrative shutdown and reset carry `text` (RFC 9003) as far as it is UTF-8 and fits, NULL: none.
void vnrs_bgp_error_cease(uint8_t subcode, const char *text, struct vnrs_bgp_error *ret_error);
// Wraps it into a Cease, hard reset: the other side must not keep our routes (RFC 8538 section 3.1).
void vnrs_bgp_error_harden(struct vnrs_bgp_error *error);
// RFC 8203/9003 shutdown text of a Cease, cleaned for display; empty when there is none. Returns `buf`.
const char *vnrs_bgp_error_format(const struct vnrs_bgp_error *error, char *buf, size_t size);
