// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/mrt.h"

#include "bgp/attr_wire.h"
#include "bgp/nlri.h"

#include <errno.h>

#define PEER_IPV6 0x01 // peer types of the index
#define PEER_AS4  0x02

static void begin(struct vnrs_wire_out *w, uint32_t time, uint16_t type, uint16_t subtype)
{
    vnrs_wire_put_u32(w, time);
    vnrs_wire_put_u16(w, type);
    vnrs_wire_put_u16(w, subtype);
    vnrs_wire_put_u32(w, 0); // set by `finish`
}

static int finish(const struct vnrs_wire_out *w, uint8_t *buf)
{
    if (w->full)
        return -ENOBUFS;
    size_t len = (size_t)(w->at - buf);
    struct vnrs_wire_out field = vnrs_wire_out_make(buf + 8, 4);
    vnrs_wire_put_u32(&field, (uint32_t)(len - VNRS_MRT_HEADER_BYTES));
    return (int)len;
}

static size_t addr_bytes(const struct vnrs_addr *addr)
{
    return addr->family == VNRS_AF_IPV6 ? 16 : 4;
}

int vnrs_mrt_peer_index_encode(uint32_t time, uint32_t collector_id, const char *view,
                               const struct vnrs_mrt_peer *peers, size_t n, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);
    size_t view_len = strlen(view);

    begin(&w, time, VNRS_MRT_TABLE_DUMP_V2, VNRS_MRT_PEER_INDEX_TABLE);
    vnrs_wire_put_u32(&w, collector_id);
    vnrs_wire_put_u16(&w, (uint16_t)view_len);
    vnrs_wire_put(&w, view, view_len);
    vnrs_wire_put_u16(&w, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        vnrs_wire_put_u8(&w, PEER_AS4 | (peers[i].addr.family == VNRS_AF_IPV6 ? PEER_IPV6 : 0));
        vnrs_wire_put_u32(&w, peers[i].id);
        vnrs_wire_put(&w, peers[i].addr.bytes, addr_bytes(&peers[i].addr));
        vnrs_wire_put_u32(&w, peers[i].asn);
    }
    return finish(&w, buf);
}

// MP_REACH_NLRI of a RIB entry: family and prefix are in the record already.
static void put_mp_nexthop(struct vnrs_wire_out *w, const struct vnrs_bgp_attrs *attrs)
{
    bool two = attrs->nexthop_link_local.family == VNRS_AF_IPV6;
    uint8_t len = two ? 32 : 16;

    vnrs_wire_put_u8(w, VNRS_BGP_FLAG_OPTIONAL);
    vnrs_wire_put_u8(w, VNRS_BGP_ATTR_MP_REACH);
    vnrs_wire_put_u8(w, (uint8_t)(len + 1));
    vnrs_wire_put_u8(w, len);
    vnrs_wire_put(w, attrs->nexthop.bytes, 16);
    if (two)
        vnrs_wire_put(w, attrs->nexthop_link_local.bytes, 16);
}

static void put_entry(struct vnrs_wire_out *w, bool add_path, const struct vnrs_mrt_entry *entry)
{
    const struct vnrs_bgp_attrs *attrs = entry->attrs;
    // LOCAL_PREF is written inside an AS only, and there always: "inside" is where it was given.
    struct vnrs_bgp_session session = {.as4 = true, .ibgp = attrs->has & VNRS_BGP_HAS_LOCAL_PREF};
    bool mp = attrs->nexthop.family == VNRS_AF_IPV6;

    vnrs_wire_put_u16(w, entry->peer);
    vnrs_wire_put_u32(w, entry->time);
    if (add_path)
        vnrs_wire_put_u32(w, entry->path_id);
    uint8_t *len = vnrs_wire_reserve(w, 2), *start = w->at;
    if (mp)
        put_mp_nexthop(w, attrs);
    vnrs_bgp_attrs_put(w, &session, mp, attrs);
    if (w->full || w->at - start > UINT16_MAX) {
        w->full = true;
        return;
    }
    struct vnrs_wire_out field = vnrs_wire_out_make(len, 2);
    vnrs_wire_put_u16(&field, (uint16_t)(w->at - start));
}

int vnrs_mrt_rib_encode(uint32_t time, uint32_t sequence, bool add_path, const struct vnrs_prefix *prefix,
                        const struct vnrs_mrt_entry *entries, size_t n, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);
    bool v6 = prefix->family == VNRS_AF_IPV6;
    unsigned subtype = add_path ? (v6 ? VNRS_MRT_RIB_IPV6_UNICAST_ADDPATH : VNRS_MRT_RIB_IPV4_UNICAST_ADDPATH)
                                : (v6 ? VNRS_MRT_RIB_IPV6_UNICAST : VNRS_MRT_RIB_IPV4_UNICAST);

    begin(&w, time, VNRS_MRT_TABLE_DUMP_V2, (uint16_t)subtype);
    vnrs_wire_put_u32(&w, sequence);
    vnrs_bgp_nlri_put(&w, prefix);
    vnrs_wire_put_u16(&w, (uint16_t)n);
    for (size_t i = 0; i < n && !w.full; i++)
        put_entry(&w, add_path, &entries[i]);
    return finish(&w, buf);
}

static void put_asn(struct vnrs_wire_out *w, bool as4, uint32_t asn)
{
    if (as4)
        vnrs_wire_put_u32(w, asn);
    else
        vnrs_wire_put_u16(w, asn > UINT16_MAX ? VNRS_BGP_AS_TRANS : (uint16_t)asn);
}

static void put_ends(struct vnrs_wire_out *w, const struct vnrs_mrt_ends *ends, bool as4)
{
    bool v6 = ends->peer.family == VNRS_AF_IPV6;

    put_asn(w, as4, ends->peer_asn);
    put_asn(w, as4, ends->local_asn);
    vnrs_wire_put_u16(w, 0); // interface index: unknown
    vnrs_wire_put_u16(w, v6 ? 2 : 1);
    vnrs_wire_put(w, ends->peer.bytes, v6 ? 16 : 4);
    vnrs_wire_put(w, ends->local.bytes, v6 ? 16 : 4);
}

int vnrs_mrt_message_encode(uint32_t time, const struct vnrs_mrt_ends *ends, bool as4, bool add_path,
                            const uint8_t *msg, size_t len, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);
    unsigned subtype = add_path ? (as4 ? VNRS_MRT_MESSAGE_AS4_ADDPATH : VNRS_MRT_MESSAGE_ADDPATH)
                                : (as4 ? VNRS_MRT_MESSAGE_AS4 : VNRS_MRT_MESSAGE);

    begin(&w, time, VNRS_MRT_BGP4MP, (uint16_t)subtype);
    put_ends(&w, ends, as4);
    vnrs_wire_put(&w, msg, len);
    return finish(&w, buf);
}

int vnrs_mrt_state_encode(uint32_t time, const struct vnrs_mrt_ends *ends, enum vnrs_bgp_state from,
                          enum vnrs_bgp_state to, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    begin(&w, time, VNRS_MRT_BGP4MP, VNRS_MRT_STATE_CHANGE_AS4);
    put_ends(&w, ends, true);
    vnrs_wire_put_u16(&w, (uint16_t)(from + 1)); // RFC 6396 counts from Idle (1)
    vnrs_wire_put_u16(&w, (uint16_t)(to + 1));
    return finish(&w, buf);
}
