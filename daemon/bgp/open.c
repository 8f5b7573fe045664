// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/msg_wire.h"

#include <errno.h>

#define BGP_VERSION 4

enum { // RFC 4271 section 6.2
    OPEN_UNSPECIFIC = 0,
    OPEN_BAD_VERSION = 1,
    OPEN_BAD_PEER_AS = 2,
    OPEN_BAD_ID = 3,
    OPEN_BAD_PARAMETER = 4,
    OPEN_BAD_HOLD = 6,
};

enum { PARAM_CAPABILITIES = 2, PARAM_EXTENDED_FORM = 255 };

enum {
    CAP_MP = 1,
    CAP_REFRESH = 2,
    CAP_EXTENDED_NEXTHOP = 5,
    CAP_EXTENDED_MESSAGE = 6,
    CAP_GRACEFUL_RESTART = 64,
    CAP_AS4 = 65,
    CAP_ADD_PATH = 69,
    CAP_ENHANCED_REFRESH = 70,
    CAP_BFD_STRICT = 74, // draft-ietf-idr-bgp-bfd-strict-mode
};

#define GR_RESTARTED  0x8000u // restart state bit, RFC 4724 section 3
#define GR_NOTIFY     0x4000u // N bit, RFC 8538 section 2
#define GR_TIME_MASK  0x0fffu
#define GR_FORWARDING 0x80u

enum { ADD_PATH_RECEIVE = 1, ADD_PATH_SEND = 2, ADD_PATH_BOTH = 3 }; // RFC 7911 section 4

// The result of one OPEN while it is read.
struct open_decode {
    struct vnrs_bgp_open open;
    bool as4_is_zero;
};

// A capability's decoder gets exactly its value. False: the value has a length that its RFC does not allow.
static bool cap_mp(struct open_decode *d, struct vnrs_wire w)
{
    if (w.left != 4)
        return false;
    uint16_t afi = vnrs_wire_u16(&w);
    (void)vnrs_wire_u8(&w);
    int af = vnrs_bgp_af_from_wire(afi, vnrs_wire_u8(&w));

    d->open.caps.any_mp = true;
    if (af >= 0)
        d->open.caps.mp[af] = true;
    return true;
}

static bool cap_refresh(struct open_decode *d, struct vnrs_wire w)
{
    d->open.caps.refresh |= w.left == 0;
    return true;
}

static bool cap_extended_message(struct open_decode *d, struct vnrs_wire w)
{
    d->open.caps.extended_message |= w.left == 0;
    return true;
}

static bool cap_enhanced_refresh(struct open_decode *d, struct vnrs_wire w)
{
    d->open.caps.enhanced_refresh |= w.left == 0;
    return true;
}

static bool cap_bfd_strict(struct open_decode *d, struct vnrs_wire w)
{
    d->open.caps.bfd_strict |= w.left == 0;
    return true;
}

static bool cap_as4(struct open_decode *d, struct vnrs_wire w)
{
    if (w.left != 4)
        return false;
    d->open.asn = vnrs_wire_u32(&w);
    d->open.caps.as4 = true;
    d->as4_is_zero = d->open.asn == 0;
    return true;
}

// Only the last instance counts (RFC 4724 section 3).
static bool cap_graceful_restart(struct open_decode *d, struct vnrs_wire w)
{
    struct vnrs_bgp_caps *caps = &d->open.caps;

    if (w.left < 2 || (w.left - 2) % 4 != 0)
        return true;
    uint16_t flags_time = vnrs_wire_u16(&w);
    caps->graceful_restart = true;
    caps->gr_restarted = flags_time & GR_RESTARTED;
    caps->gr_notification = flags_time & GR_NOTIFY;
    caps->gr_time = flags_time & GR_TIME_MASK;
    memset(caps->gr_af, 0, sizeof(caps->gr_af));
    memset(caps->gr_forwarding, 0, sizeof(caps->gr_forwarding));
    while (w.left) {
        uint16_t afi = vnrs_wire_u16(&w);
        int af = vnrs_bgp_af_from_wire(afi, vnrs_wire_u8(&w));
        uint8_t flags = vnrs_wire_u8(&w);
        if (af < 0)
            continue;
        caps->gr_af[af] = true;
        caps->gr_forwarding[af] = flags & GR_FORWARDING;
    }
    return true;
}

// RFC 8950 section 4: triples of AFI, SAFI (two octets) and the AFI of the next hop.
static bool cap_extended_nexthop(struct open_decode *d, struct vnrs_wire w)
{
    if (w.left % 6 != 0)
        return true;
    while (w.left) {
        uint16_t afi = vnrs_wire_u16(&w), safi = vnrs_wire_u16(&w), nexthop_afi = vnrs_wire_u16(&w);
        d->open.caps.ext_nexthop |= afi == vnrs_bgp_afi(VNRS_BGP_AF4) && safi == VNRS_BGP_SAFI_UNICAST &&
                                    nexthop_afi == vnrs_bgp_afi(VNRS_BGP_AF6);
    }
    return true;
}

// A value for sending and receiving other than those of RFC 7911 section 4 makes the capability one not understood.
// It stands in one instance for all families, so the last one counts.
static bool cap_add_path(struct open_decode *d, struct vnrs_wire w)
{
    struct vnrs_bgp_caps *caps = &d->open.caps;

    for (size_t i = 0; i < w.left; i += 4)
        if (w.left % 4 != 0 || w.at[i + 3] < ADD_PATH_RECEIVE || w.at[i + 3] > ADD_PATH_BOTH)
            return true;
    memset(caps->add_path_receive, 0, sizeof(caps->add_path_receive));
    memset(caps->add_path_send, 0, sizeof(caps->add_path_send));
    while (w.left) {
        uint16_t afi = vnrs_wire_u16(&w);
        int af = vnrs_bgp_af_from_wire(afi, vnrs_wire_u8(&w));
        uint8_t how = vnrs_wire_u8(&w);
        if (af < 0)
            continue;
        caps->add_path_receive[af] = how & ADD_PATH_RECEIVE;
        caps->add_path_send[af] = how & ADD_PATH_SEND;
    }
    return true;
}

// Capabilities not in this table are ignored (RFC 5492 section 3). A flag-like capability with a value is not
// understood, hence not used; the two that decide families and ASN are refused when malformed.
static const struct {
    bool (*decode)(struct open_decode *d, struct vnrs_wire value);
} cap_kinds[256] = {
    [CAP_MP] = {cap_mp},
    [CAP_REFRESH] = {cap_refresh},
    [CAP_EXTENDED_NEXTHOP] = {cap_extended_nexthop},
    [CAP_EXTENDED_MESSAGE] = {cap_extended_message},
    [CAP_GRACEFUL_RESTART] = {cap_graceful_restart},
    [CAP_AS4] = {cap_as4},
    [CAP_ADD_PATH] = {cap_add_path},
    [CAP_ENHANCED_REFRESH] = {cap_enhanced_refresh},
    [CAP_BFD_STRICT] = {cap_bfd_strict},
};

static bool caps_decode(struct open_decode *d, struct vnrs_wire w)
{
    while (w.left) {
        uint8_t code = vnrs_wire_u8(&w);
        struct vnrs_wire value = vnrs_wire_sub(&w, vnrs_wire_u8(&w));
        if (w.failed || value.failed)
            return false;
        if (cap_kinds[code].decode && !cap_kinds[code].decode(d, value))
            return false;
    }
    return true;
}

// The optional parameters, all that is left of the message: RFC 4271 section 4.2 or RFC 9072. Returns 0 or -EBADMSG.
static int params_decode(struct open_decode *d, struct vnrs_wire w, struct vnrs_bgp_error *ret_error)
{
    uint8_t short_len = vnrs_wire_u8(&w);
    size_t len = short_len;
    bool extended = short_len != 0 && w.left && w.at[0] == PARAM_EXTENDED_FORM;

    if (extended) {
        (void)vnrs_wire_u8(&w);
        len = vnrs_wire_u16(&w);
    }
    if (w.failed || len != w.left)
        return vnrs_bgp_error_make(VNRS_BGP_ERR_OPEN, OPEN_UNSPECIFIC, NULL, 0, ret_error);
    while (w.left) {
        uint8_t type = vnrs_wire_u8(&w);
        struct vnrs_wire value = vnrs_wire_sub(&w, extended ? vnrs_wire_u16(&w) : vnrs_wire_u8(&w));
        if (w.failed || value.failed)
            return vnrs_bgp_error_make(VNRS_BGP_ERR_OPEN, OPEN_UNSPECIFIC, NULL, 0, ret_error);
        if (type != PARAM_CAPABILITIES)
            return vnrs_bgp_error_make(VNRS_BGP_ERR_OPEN, OPEN_BAD_PARAMETER, NULL, 0, ret_error);
        if (!caps_decode(d, value))
            return vnrs_bgp_error_make(VNRS_BGP_ERR_OPEN, OPEN_UNSPECIFIC, NULL, 0, ret_error);
    }
    return 0;
}

int vnrs_bgp_open_decode(const uint8_t *msg, size_t len, struct vnrs_bgp_open *ret_open,
                         struct vnrs_bgp_error *ret_error)
{
    struct open_decode d = {0};

    if (len < VNRS_BGP_OPEN_MIN)
        return vnrs_bgp_error_bad_length(len, ret_error);
    struct vnrs_wire w = vnrs_wire_make(msg + VNRS_BGP_HEADER_BYTES, len - VNRS_BGP_HEADER_BYTES);
    if (vnrs_wire_u8(&w) != BGP_VERSION) {
        static const uint8_t supported[] = {0, BGP_VERSION};
        return vnrs_bgp_error_make(VNRS_BGP_ERR_OPEN, OPEN_BAD_VERSION, supported, sizeof(supported), ret_error);
    }
    uint16_t my_as = vnrs_wire_u16(&w);
    d.open.asn = my_as;
    d.open.hold = vnrs_wire_u16(&w);
    d.open.id = vnrs_wire_u32(&w);

    int err = params_decode(&d, w, ret_error);
    if (err < 0)
        return err;
    if (my_as == 0 || d.as4_is_zero) // RFC 7607
        return vnrs_bgp_error_make(VNRS_BGP_ERR_OPEN, OPEN_BAD_PEER_AS, NULL, 0, ret_error);
    if (d.open.hold == 1 || d.open.hold == 2)
        return vnrs_bgp_error_make(VNRS_BGP_ERR_OPEN, OPEN_BAD_HOLD, NULL, 0, ret_error);
    if (d.open.id == 0) // RFC 6286
        return vnrs_bgp_error_make(VNRS_BGP_ERR_OPEN, OPEN_BAD_ID, NULL, 0, ret_error);
    *ret_open = d.open;
    return 0;
}

static void put_flag_cap(struct vnrs_wire_out *w, bool present, uint8_t code)
{
    if (!present)
        return;
    vnrs_wire_put_u8(w, code);
    vnrs_wire_put_u8(w, 0);
}

static void put_graceful_restart(struct vnrs_wire_out *w, const struct vnrs_bgp_caps *caps)
{
    uint8_t n = 0;

    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        n = (uint8_t)(n + caps->gr_af[af]);
    vnrs_wire_put_u8(w, CAP_GRACEFUL_RESTART);
    vnrs_wire_put_u8(w, (uint8_t)(2 + 4 * n));
    vnrs_wire_put_u16(w, (uint16_t)((caps->gr_restarted ? GR_RESTARTED : 0) | (caps->gr_notification ? GR_NOTIFY : 0) |
                                    (caps->gr_time & GR_TIME_MASK)));
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        if (!caps->gr_af[af])
            continue;
        vnrs_wire_put_u16(w, vnrs_bgp_afi((uint8_t)af));
        vnrs_wire_put_u8(w, VNRS_BGP_SAFI_UNICAST);
        vnrs_wire_put_u8(w, caps->gr_forwarding[af] ? GR_FORWARDING : 0);
    }
}

static void put_extended_nexthop(struct vnrs_wire_out *w, const struct vnrs_bgp_caps *caps)
{
    if (!caps->ext_nexthop)
        return;
    vnrs_wire_put_u8(w, CAP_EXTENDED_NEXTHOP);
    vnrs_wire_put_u8(w, 6);
    vnrs_wire_put_u16(w, vnrs_bgp_afi(VNRS_BGP_AF4));
    vnrs_wire_put_u16(w, VNRS_BGP_SAFI_UNICAST);
    vnrs_wire_put_u16(w, vnrs_bgp_afi(VNRS_BGP_AF6));
}

static void put_add_path(struct vnrs_wire_out *w, const struct vnrs_bgp_caps *caps)
{
    uint8_t how[_VNRS_BGP_AF_MAX], n = 0;

    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        how[af] = (uint8_t)((caps->add_path_receive[af] ? ADD_PATH_RECEIVE : 0) |
                            (caps->add_path_send[af] ? ADD_PATH_SEND : 0));
        n = (uint8_t)(n + (how[af] != 0));
    }
    if (!n)
        return;
    vnrs_wire_put_u8(w, CAP_ADD_PATH);
    vnrs_wire_put_u8(w, (uint8_t)(4 * n));
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        if (!how[af])
            continue;
        vnrs_wire_put_u16(w, vnrs_bgp_afi((uint8_t)af));
        vnrs_wire_put_u8(w, VNRS_BGP_SAFI_UNICAST);
        vnrs_wire_put_u8(w, how[af]);
    }
}

// Azure's order first, then the rest by code (azure-routing.md section 5.2).
static void put_caps(struct vnrs_wire_out *w, const struct vnrs_bgp_open *open)
{
    const struct vnrs_bgp_caps *caps = &open->caps;

    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        if (!caps->mp[af])
            continue;
        vnrs_wire_put_u8(w, CAP_MP);
        vnrs_wire_put_u8(w, 4);
        vnrs_wire_put_u16(w, vnrs_bgp_afi((uint8_t)af));
        vnrs_wire_put_u16(w, VNRS_BGP_SAFI_UNICAST); // a reserved octet, then the SAFI
    }
    put_flag_cap(w, caps->refresh, CAP_REFRESH);
    if (caps->as4) {
        vnrs_wire_put_u8(w, CAP_AS4);
        vnrs_wire_put_u8(w, 4);
        vnrs_wire_put_u32(w, open->asn);
    }
    put_extended_nexthop(w, caps);
    put_flag_cap(w, caps->extended_message, CAP_EXTENDED_MESSAGE);
    if (caps->graceful_restart)
        put_graceful_restart(w, caps);
    put_add_path(w, caps);
    put_flag_cap(w, caps->enhanced_refresh, CAP_ENHANCED_REFRESH);
    put_flag_cap(w, caps->bfd_strict, CAP_BFD_STRICT);
}

int vnrs_bgp_open_encode(const struct vnrs_bgp_open *open, uint8_t *buf, size_t size)
{
    uint8_t caps[64]; // every capability there is takes 56 octets
    struct vnrs_wire_out c = vnrs_wire_out_make(caps, sizeof(caps));
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, MIN(size, (size_t)VNRS_BGP_MSG_MAX));

    put_caps(&c, open);
    uint8_t caps_len = (uint8_t)(c.at - caps);

    vnrs_bgp_header_begin(&w, VNRS_BGP_OPEN);
    vnrs_wire_put_u8(&w, BGP_VERSION);
    vnrs_wire_put_u16(&w, open->asn > UINT16_MAX ? VNRS_BGP_AS_TRANS : (uint16_t)open->asn);
    vnrs_wire_put_u16(&w, open->hold);
    vnrs_wire_put_u32(&w, open->id);
    vnrs_wire_put_u8(&w, caps_len ? (uint8_t)(caps_len + 2) : 0);
    if (caps_len) {
        vnrs_wire_put_u8(&w, PARAM_CAPABILITIES);
        vnrs_wire_put_u8(&w, caps_len);
        vnrs_wire_put(&w, caps, caps_len);
    }
    return vnrs_bgp_header_finish(&w, buf);
}
