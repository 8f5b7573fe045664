// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/bmp.h"

#include "bgp/wire.h"

#include <assert.h>
#include <errno.h>

#define VERSION       3
#define COMMON_BYTES  6
#define MESSAGE_BYTES (COMMON_BYTES + 42) // with the header of a peer

enum { // information TLVs
    INFO_DESCRIPTION = 1,
    INFO_NAME = 2,
    INFO_TABLE = 3, // RFC 9069
    TERM_STRING = 0,
    TERM_REASON = 1,
    MIRROR_MESSAGE = 0,
    MIRROR_INFO = 1,
};

static_assert(MESSAGE_BYTES == VNRS_BMP_ROUTE_BYTES, "what is in front of a BGP message");

static void begin(struct vnrs_wire_out *w, enum vnrs_bmp_type type)
{
    vnrs_wire_put_u8(w, VERSION);
    vnrs_wire_put_u32(w, 0); // set by `finish`
    vnrs_wire_put_u8(w, (uint8_t)type);
}

static int finish(const struct vnrs_wire_out *w, uint8_t *buf)
{
    if (w->full)
        return -ENOBUFS;
    struct vnrs_wire_out field = vnrs_wire_out_make(buf + 1, 4);
    vnrs_wire_put_u32(&field, (uint32_t)(w->at - buf));
    return (int)(w->at - buf);
}

// 16 octets, IPv4 in the last four.
static void put_addr(struct vnrs_wire_out *w, const struct vnrs_addr *addr)
{
    static const uint8_t zero[16];

    if (addr->family == VNRS_AF_IPV6) {
        vnrs_wire_put(w, addr->bytes, 16);
    } else {
        vnrs_wire_put(w, zero, 12);
        vnrs_wire_put(w, addr->family == VNRS_AF_IPV4 ? addr->bytes : zero, 4);
    }
}

static void begin_peer(struct vnrs_wire_out *w, enum vnrs_bmp_type type, const struct vnrs_bmp_peer *peer)
{
    begin(w, type);
    vnrs_wire_put_u8(w, peer->type);
    vnrs_wire_put_u8(w, peer->flags | (peer->addr.family == VNRS_AF_IPV6 ? VNRS_BMP_FLAG_IPV6 : 0));
    vnrs_wire_put_u32(w, 0); // distinguisher: there is one routing table
    vnrs_wire_put_u32(w, 0);
    put_addr(w, &peer->addr);
    vnrs_wire_put_u32(w, peer->asn);
    vnrs_wire_put_u32(w, peer->id);
    vnrs_wire_put_u32(w, (uint32_t)(peer->time_us / 1000000));
    vnrs_wire_put_u32(w, (uint32_t)(peer->time_us % 1000000));
}

static void put_tlv(struct vnrs_wire_out *w, uint16_t type, const void *value, size_t len)
{
    vnrs_wire_put_u16(w, type);
    vnrs_wire_put_u16(w, (uint16_t)len);
    vnrs_wire_put(w, value, len);
}

static void put_tlv_u16(struct vnrs_wire_out *w, uint16_t type, uint16_t value)
{
    put_tlv(w, type, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void put_tlv_text(struct vnrs_wire_out *w, uint16_t type, const char *text)
{
    put_tlv(w, type, text, MIN(strlen(text), (size_t)VNRS_BMP_TEXT_MAX));
}

int vnrs_bmp_initiation_encode(const char *description, const char *name, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    begin(&w, VNRS_BMP_INITIATION);
    put_tlv_text(&w, INFO_DESCRIPTION, description);
    put_tlv_text(&w, INFO_NAME, name);
    return finish(&w, buf);
}

int vnrs_bmp_termination_encode(uint16_t reason, const char *text, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    begin(&w, VNRS_BMP_TERMINATION);
    put_tlv_text(&w, TERM_STRING, text);
    put_tlv_u16(&w, TERM_REASON, reason);
    return finish(&w, buf);
}

int vnrs_bmp_peer_up_encode(const struct vnrs_bmp_peer *peer, const struct vnrs_bmp_peer_up *up, uint8_t *buf,
                            size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    begin_peer(&w, VNRS_BMP_PEER_UP, peer);
    put_addr(&w, &up->local);
    vnrs_wire_put_u16(&w, up->local_port);
    vnrs_wire_put_u16(&w, up->remote_port);
    vnrs_wire_put(&w, up->sent, up->sent_len);
    vnrs_wire_put(&w, up->received, up->received_len);
    if (up->table)
        put_tlv_text(&w, INFO_TABLE, up->table);
    return finish(&w, buf);
}

int vnrs_bmp_peer_down_encode(const struct vnrs_bmp_peer *peer, enum vnrs_bmp_down reason,
                              const struct vnrs_bgp_error *error, uint16_t event, const char *table, uint8_t *buf,
                              size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    begin_peer(&w, VNRS_BMP_PEER_DOWN, peer);
    vnrs_wire_put_u8(&w, (uint8_t)reason);
    switch (reason) {
    case VNRS_BMP_DOWN_LOCAL_NOTIFICATION:
    case VNRS_BMP_DOWN_REMOTE_NOTIFICATION: {
        int len = w.full ? -ENOBUFS : vnrs_bgp_notification_encode(error, w.at, w.left);
        if (len < 0)
            return len;
        (void)vnrs_wire_reserve(&w, (size_t)len);
        break;
    }
    case VNRS_BMP_DOWN_LOCAL_EVENT:
        vnrs_wire_put_u16(&w, event);
        break;
    case VNRS_BMP_DOWN_LOC_RIB:
        put_tlv_text(&w, INFO_TABLE, table);
        break;
    case VNRS_BMP_DOWN_REMOTE:
    case VNRS_BMP_DOWN_DECONFIGURED:
        break;
    }
    return finish(&w, buf);
}

int vnrs_bmp_route_encode(const struct vnrs_bmp_peer *peer, uint8_t af, const struct vnrs_bgp_attrs *attrs,
                          const struct vnrs_prefix *prefixes, const uint32_t *path_ids, size_t n, uint8_t *buf,
                          size_t size, size_t *ret_used)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);
    // LOCAL_PREF is written inside an AS only, and there always: "inside" is where it was given.
    struct vnrs_bgp_session session = {.as4 = true,
                                       .ext_nexthop = true,
                                       .add_path_tx = {path_ids, path_ids},
                                       .ibgp = attrs && attrs->has & VNRS_BGP_HAS_LOCAL_PREF};

    begin_peer(&w, VNRS_BMP_ROUTE_MONITORING, peer);
    if (w.full)
        return -ENOBUFS;
    int len = vnrs_bgp_update_encode(&session, af, attrs, prefixes, path_ids, n, w.at, w.left, ret_used);
    if (len == -ENOBUFS) {
        session.extended_message = true;
        len = vnrs_bgp_update_encode(&session, af, attrs, prefixes, path_ids, n, w.at, w.left, ret_used);
    }
    if (len < 0)
        return len;
    (void)vnrs_wire_reserve(&w, (size_t)len);
    return finish(&w, buf);
}

int vnrs_bmp_eor_encode(const struct vnrs_bmp_peer *peer, uint8_t af, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    begin_peer(&w, VNRS_BMP_ROUTE_MONITORING, peer);
    int len = w.full ? -ENOBUFS : vnrs_bgp_eor_encode(af, w.at, w.left);
    if (len < 0)
        return len;
    (void)vnrs_wire_reserve(&w, (size_t)len);
    return finish(&w, buf);
}

int vnrs_bmp_statistics_encode(const struct vnrs_bmp_peer *peer, const struct vnrs_bmp_stat *stats, size_t n,
                               uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    begin_peer(&w, VNRS_BMP_STATISTICS, peer);
    vnrs_wire_put_u32(&w, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        vnrs_wire_put_u16(&w, stats[i].type);
        vnrs_wire_put_u16(&w, stats[i].gauge ? 8 : 4);
        if (stats[i].gauge)
            vnrs_wire_put_u32(&w, (uint32_t)(stats[i].value >> 32));
        vnrs_wire_put_u32(&w, (uint32_t)stats[i].value);
    }
    return finish(&w, buf);
}

int vnrs_bmp_mirror_encode(const struct vnrs_bmp_peer *peer, uint16_t code, const uint8_t *msg, size_t len,
                           uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    begin_peer(&w, VNRS_BMP_MIRRORING, peer);
    put_tlv_u16(&w, MIRROR_INFO, code);
    if (msg)
        put_tlv(&w, MIRROR_MESSAGE, msg, len);
    return finish(&w, buf);
}
