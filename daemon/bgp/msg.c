// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/msg.h"

#include "bgp/msg_wire.h"
#include "util/utf8.h"

#include <errno.h>

static const uint8_t marker[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

// Length bounds by message type: RFC 4271 section 6.1. OPEN and KEEPALIVE stay short with extended messages (RFC 8654).
// A ROUTE-REFRESH is let through from its first octet: RFC 7313 has an error of its own for its length.
static const struct type_rule {
    uint16_t min, max, extended_max;
} type_rules[] = {
    [VNRS_BGP_OPEN] = {VNRS_BGP_OPEN_MIN, VNRS_BGP_MSG_MAX, VNRS_BGP_MSG_MAX},
    [VNRS_BGP_UPDATE] = {VNRS_BGP_UPDATE_MIN, VNRS_BGP_MSG_MAX, VNRS_BGP_MSG_EXTENDED_MAX},
    [VNRS_BGP_NOTIFICATION] = {VNRS_BGP_NOTIFICATION_MIN, VNRS_BGP_MSG_MAX, VNRS_BGP_MSG_EXTENDED_MAX},
    [VNRS_BGP_KEEPALIVE] = {VNRS_BGP_HEADER_BYTES, VNRS_BGP_HEADER_BYTES, VNRS_BGP_HEADER_BYTES},
    [VNRS_BGP_ROUTE_REFRESH] = {VNRS_BGP_HEADER_BYTES, VNRS_BGP_MSG_MAX, VNRS_BGP_MSG_EXTENDED_MAX},
};

int vnrs_bgp_error_make(uint8_t code, uint8_t subcode, const void *data, size_t len, struct vnrs_bgp_error *ret_error)
{
    size_t kept = MIN(len, (size_t)VNRS_BGP_ERROR_DATA_MAX);

    *ret_error = (struct vnrs_bgp_error){.code = code, .subcode = subcode, .data_len = (uint16_t)kept};
    if (kept)
        memcpy(ret_error->data, data, kept);
    return -EBADMSG;
}

int vnrs_bgp_error_bad_length(size_t len, struct vnrs_bgp_error *ret_error)
{
    const uint8_t data[] = {(uint8_t)(len >> 8), (uint8_t)len};
    return vnrs_bgp_error_make(VNRS_BGP_ERR_HEADER, VNRS_BGP_HEADER_BAD_LENGTH, data, sizeof(data), ret_error);
}

int vnrs_bgp_header_decode(const uint8_t *buf, size_t have, bool extended, uint8_t *ret_type,
                           struct vnrs_bgp_error *ret_error)
{
    // A peer that speaks something else is told so before it has sent a whole header.
    if (memcmp(buf, marker, MIN(have, sizeof(marker))) != 0)
        return vnrs_bgp_error_make(VNRS_BGP_ERR_HEADER, VNRS_BGP_HEADER_NOT_SYNCHRONIZED, NULL, 0, ret_error);
    if (have < VNRS_BGP_HEADER_BYTES)
        return 0;

    struct vnrs_wire w = vnrs_wire_make(buf + sizeof(marker), VNRS_BGP_HEADER_BYTES - sizeof(marker));
    uint16_t len = vnrs_wire_u16(&w);
    uint8_t type = vnrs_wire_u8(&w);

    if (len < VNRS_BGP_HEADER_BYTES || (len > VNRS_BGP_MSG_MAX && !extended))
        return vnrs_bgp_error_bad_length(len, ret_error);
    if (type >= ARRAY_SIZE(type_rules) || !type_rules[type].min)
        return vnrs_bgp_error_make(VNRS_BGP_ERR_HEADER, VNRS_BGP_HEADER_BAD_TYPE, &type, 1, ret_error);

    const struct type_rule *rule = &type_rules[type];
    if (len < rule->min || len > (extended ? rule->extended_max : rule->max))
        return vnrs_bgp_error_bad_length(len, ret_error);
    *ret_type = type;
    return len;
}

void vnrs_bgp_header_begin(struct vnrs_wire_out *w, uint8_t type)
{
    vnrs_wire_put(w, marker, sizeof(marker));
    vnrs_wire_put_u16(w, 0);
    vnrs_wire_put_u8(w, type);
}

int vnrs_bgp_header_finish(const struct vnrs_wire_out *w, uint8_t *buf)
{
    ptrdiff_t len = w->at - buf;

    if (w->full || len > VNRS_BGP_MSG_EXTENDED_MAX)
        return -ENOBUFS;
    buf[16] = (uint8_t)(len >> 8);
    buf[17] = (uint8_t)len;
    return (int)len;
}

int vnrs_bgp_af_from_wire(uint16_t afi, uint8_t safi)
{
    if (safi != VNRS_BGP_SAFI_UNICAST)
        return -1;
    return afi == 1 ? VNRS_BGP_AF4 : afi == 2 ? VNRS_BGP_AF6 : -1;
}

int vnrs_bgp_keepalive_encode(uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    vnrs_bgp_header_begin(&w, VNRS_BGP_KEEPALIVE);
    return vnrs_bgp_header_finish(&w, buf);
}

int vnrs_bgp_notification_decode(const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error)
{
    if (len < VNRS_BGP_NOTIFICATION_MIN)
        return vnrs_bgp_error_bad_length(len, ret_error);

    struct vnrs_wire w = vnrs_wire_make(msg + VNRS_BGP_HEADER_BYTES, len - VNRS_BGP_HEADER_BYTES);
    uint8_t code = vnrs_wire_u8(&w);
    uint8_t subcode = vnrs_wire_u8(&w);

    (void)vnrs_bgp_error_make(code, subcode, w.at, w.left, ret_error);
    return 0;
}

int vnrs_bgp_notification_encode(const struct vnrs_bgp_error *error, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    vnrs_bgp_header_begin(&w, VNRS_BGP_NOTIFICATION);
    vnrs_wire_put_u8(&w, error->code);
    vnrs_wire_put_u8(&w, error->subcode);
    vnrs_wire_put(&w, error->data, MIN(error->data_len, (uint16_t)VNRS_BGP_ERROR_DATA_MAX));
    return vnrs_bgp_header_finish(&w, buf);
}

int vnrs_bgp_refresh_decode(const uint8_t *msg, size_t len, uint8_t *ret_af, uint8_t *ret_subtype,
                            struct vnrs_bgp_error *ret_error)
{
    if (len < VNRS_BGP_HEADER_BYTES)
        return vnrs_bgp_error_bad_length(len, ret_error);

    struct vnrs_wire w = vnrs_wire_make(msg + VNRS_BGP_HEADER_BYTES, len - VNRS_BGP_HEADER_BYTES);
    uint16_t afi = vnrs_wire_u16(&w);
    uint8_t subtype = vnrs_wire_u8(&w); // reserved in RFC 2918, where it is zero
    uint8_t safi = vnrs_wire_u8(&w);

    if (len != VNRS_BGP_REFRESH_BYTES) {
        if (len > VNRS_BGP_HEADER_BYTES + 2 && (subtype == 1 || subtype == 2))
            return vnrs_bgp_error_make(VNRS_BGP_ERR_REFRESH, 1, msg, len, ret_error);
        return vnrs_bgp_error_bad_length(len, ret_error);
    }
    int af = vnrs_bgp_af_from_wire(afi, safi);
    if (af < 0 || subtype > 2)
        return -EAFNOSUPPORT;
    *ret_af = (uint8_t)af;
    *ret_subtype = subtype;
    return 0;
}

int vnrs_bgp_refresh_encode(uint8_t af, uint8_t subtype, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    vnrs_bgp_header_begin(&w, VNRS_BGP_ROUTE_REFRESH);
    vnrs_wire_put_u16(&w, vnrs_bgp_afi(af));
    vnrs_wire_put_u8(&w, subtype);
    vnrs_wire_put_u8(&w, VNRS_BGP_SAFI_UNICAST);
    return vnrs_bgp_header_finish(&w, buf);
}

const char *vnrs_bgp_error_format(const struct vnrs_bgp_error *error, char *buf, size_t size)
{
    struct vnrs_wire w = vnrs_wire_make(error->data, MIN(error->data_len, (uint16_t)VNRS_BGP_ERROR_DATA_MAX));
    bool has_text = error->code == VNRS_BGP_ERR_CEASE &&
                    (error->subcode == VNRS_BGP_CEASE_SHUTDOWN || error->subcode == VNRS_BGP_CEASE_RESET);
    size_t out = 0;

    if (!size)
        return buf;
    struct vnrs_wire text = vnrs_wire_make(NULL, 0);
    if (has_text)
        text = vnrs_wire_sub(&w, vnrs_wire_u8(&w));
    while (text.left) {
        size_t n = vnrs_utf8_len(text.at, text.left);
        bool bad = !n || vnrs_utf8_is_control(text.at, n);
        size_t write = bad ? 1 : n;
        if (out + write >= size)
            break;
        memcpy(buf + out, bad ? (const uint8_t *)"?" : text.at, write);
        out += write;
        (void)vnrs_wire_take(&text, n ? n : 1);
    }
    buf[out] = '\0';
    return buf;
}

void vnrs_bgp_error_cease(uint8_t subcode, const char *text, struct vnrs_bgp_error *ret_error)
{
    size_t len = 0, n;

    *ret_error = (struct vnrs_bgp_error){.code = VNRS_BGP_ERR_CEASE, .subcode = subcode};
    if (!text || (subcode != VNRS_BGP_CEASE_SHUTDOWN && subcode != VNRS_BGP_CEASE_RESET))
        return;
    for (size_t left = strlen(text); left; left -= n) {
        const uint8_t *p = (const uint8_t *)text + len;
        n = vnrs_utf8_len(p, left);
        if (!n || len + n > UINT8_MAX)
            break;
        memcpy(ret_error->data + 1 + len, p, n);
        len += n;
    }
    ret_error->data[0] = (uint8_t)len;
    ret_error->data_len = (uint16_t)(len ? len + 1 : 0);
}

void vnrs_bgp_error_harden(struct vnrs_bgp_error *error)
{
    size_t kept = MIN(error->data_len, (uint16_t)(VNRS_BGP_ERROR_DATA_MAX - 2));

    memmove(error->data + 2, error->data, kept);
    error->data[0] = error->code;
    error->data[1] = error->subcode;
    error->data_len = (uint16_t)(kept + 2);
    error->code = VNRS_BGP_ERR_CEASE;
    error->subcode = VNRS_BGP_CEASE_HARD_RESET;
}
