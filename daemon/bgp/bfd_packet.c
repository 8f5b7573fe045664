// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/bfd_packet.h"

#include "bgp/wire.h"

#define AUTH_BYTES 2 // the least that an authentication section takes

enum {
    FLAG_POLL = 0x20,
    FLAG_FINAL = 0x10,
    FLAG_INDEPENDENT = 0x08,
    FLAG_AUTH = 0x04,
    FLAG_DEMAND = 0x02,
    FLAG_MULTIPOINT = 0x01,
};

enum vnrs_bfd_outcome vnrs_bfd_packet_decode(const uint8_t *bytes, size_t len, struct vnrs_bfd_packet *ret_packet)
{
    struct vnrs_wire w = vnrs_wire_make(bytes, len);
    uint8_t version_diag = vnrs_wire_u8(&w), flags = vnrs_wire_u8(&w), multiplier = vnrs_wire_u8(&w),
            length = vnrs_wire_u8(&w);

    if (w.failed)
        return VNRS_BFD_TRUNCATED;
    if (version_diag >> 5 != VNRS_BFD_VERSION)
        return VNRS_BFD_BAD_VERSION;
    if (length < VNRS_BFD_PACKET_BYTES + (flags & FLAG_AUTH ? AUTH_BYTES : 0))
        return VNRS_BFD_TOO_SHORT;
    if (length > len)
        return VNRS_BFD_TRUNCATED;
    if (!multiplier)
        return VNRS_BFD_NO_MULTIPLIER;
    if (flags & FLAG_MULTIPOINT)
        return VNRS_BFD_MULTIPOINT;
    struct vnrs_bfd_packet p = {
        .state = flags >> 6,
        .diag = version_diag & VNRS_BFD_DIAG_LAST,
        .poll = flags & FLAG_POLL,
        .final = flags & FLAG_FINAL,
        .independent = flags & FLAG_INDEPENDENT,
        .demand = flags & FLAG_DEMAND,
        .multiplier = multiplier,
    };
    p.my_discr = vnrs_wire_u32(&w);
    p.your_discr = vnrs_wire_u32(&w);
    p.min_tx_us = vnrs_wire_u32(&w);
    p.min_rx_us = vnrs_wire_u32(&w);
    p.min_echo_us = vnrs_wire_u32(&w);
    if (!p.my_discr)
        return VNRS_BFD_NO_MY_DISCR;
    if (!p.your_discr && p.state != VNRS_BFD_DOWN && p.state != VNRS_BFD_ADMIN_DOWN)
        return VNRS_BFD_NO_YOUR_DISCR;
    if (flags & FLAG_AUTH)
        return VNRS_BFD_AUTHENTICATED;
    *ret_packet = p;
    return VNRS_BFD_OK;
}

void vnrs_bfd_packet_encode(const struct vnrs_bfd_packet *p, uint8_t ret_bytes[static VNRS_BFD_PACKET_BYTES])
{
    struct vnrs_wire_out w = vnrs_wire_out_make(ret_bytes, VNRS_BFD_PACKET_BYTES);

    vnrs_wire_put_u8(&w, (uint8_t)(VNRS_BFD_VERSION << 5 | (p->diag & VNRS_BFD_DIAG_LAST)));
    vnrs_wire_put_u8(&w, (uint8_t)(p->state << 6 | (p->poll ? FLAG_POLL : 0) | (p->final ? FLAG_FINAL : 0) |
                                   (p->independent ? FLAG_INDEPENDENT : 0) | (p->demand ? FLAG_DEMAND : 0)));
    vnrs_wire_put_u8(&w, p->multiplier);
    vnrs_wire_put_u8(&w, VNRS_BFD_PACKET_BYTES);
    vnrs_wire_put_u32(&w, p->my_discr);
    vnrs_wire_put_u32(&w, p->your_discr);
    vnrs_wire_put_u32(&w, p->min_tx_us);
    vnrs_wire_put_u32(&w, p->min_rx_us);
    vnrs_wire_put_u32(&w, p->min_echo_us);
}

const char *vnrs_bfd_state_name(uint8_t state)
{
    static const char *const names[] = {
#define X(id, text) [id] = text,
        VNRS_BFD_STATES(X)
#undef X
    };
    return state < ARRAY_SIZE(names) ? names[state] : "?";
}

const char *vnrs_bfd_diag_text(uint8_t diag)
{
    static const char *const texts[] = {
#define X(id, text) [id] = text,
        VNRS_BFD_DIAGS(X)
#undef X
    };
    return diag < ARRAY_SIZE(texts) ? texts[diag] : "unknown diagnostic";
}
