// SPDX-License-Identifier: GPL-2.0-or-later
// UPDATE, sent. Attributes stand in ascending type order, but for the multiprotocol attribute, which RFC 7606
// section 5.1 puts first. Only what a set holds is written: bytes of a peer go out again in the `unknown` part alone.
#include "bgp/attr_wire.h"
#include "bgp/msg_wire.h"
#include "bgp/nlri.h"

#include <errno.h>

#define LOCAL_PREF_DEFAULT      100u
#define WELL_KNOWN              VNRS_BGP_FLAG_TRANSITIVE
#define OPTIONAL_TRANSITIVE     (VNRS_BGP_FLAG_OPTIONAL | VNRS_BGP_FLAG_TRANSITIVE)
#define OPTIONAL_NON_TRANSITIVE VNRS_BGP_FLAG_OPTIONAL

struct encode {
    const struct vnrs_bgp_session *session;
    const struct vnrs_bgp_attrs *attrs;
    bool multiprotocol; // the next hop is in MP_REACH_NLRI
    struct vnrs_wire_out *w;
    struct vnrs_wire unknown; // what is left of it
};

static void put_header(struct vnrs_wire_out *w, uint8_t flags, uint8_t type, size_t len)
{
    bool is_long = len > UINT8_MAX;

    vnrs_wire_put_u8(w, (uint8_t)(flags | (is_long ? VNRS_BGP_FLAG_EXTENDED : 0)));
    vnrs_wire_put_u8(w, type);
    if (is_long)
        vnrs_wire_put_u16(w, (uint16_t)len);
    else
        vnrs_wire_put_u8(w, (uint8_t)len);
}

static void put_attr(struct vnrs_wire_out *w, uint8_t flags, uint8_t type, const void *value, size_t len)
{
    put_header(w, flags, type, len);
    vnrs_wire_put(w, value, len);
}

static void put_attr_u32(struct vnrs_wire_out *w, uint8_t flags, uint8_t type, uint32_t value)
{
    put_header(w, flags, type, sizeof(value));
    vnrs_wire_put_u32(w, value);
}

static bool needs_four_octets(const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_wire path = vnrs_wire_make(attrs->as_path, attrs->as_path_bytes);

    while (path.left) {
        (void)vnrs_wire_u8(&path);
        for (unsigned n = vnrs_wire_u8(&path); n; n--) {
            if (vnrs_wire_u32(&path) > UINT16_MAX)
                return true;
        }
    }
    return false;
}

static void put_origin(struct encode *e)
{
    put_attr(e->w, WELL_KNOWN, VNRS_BGP_ATTR_ORIGIN, &e->attrs->origin, 1);
}

// In 2-octet form, with AS_TRANS for what does not fit (RFC 6793 section 4.2.2). The length is known beforehand:
// 2 for each segment and 2 for each ASN.
static void put_as_path_2(struct encode *e)
{
    struct vnrs_wire path = vnrs_wire_make(e->attrs->as_path, e->attrs->as_path_bytes);
    size_t len = 0;

    while (path.left) {
        (void)vnrs_wire_u8(&path);
        unsigned n = vnrs_wire_u8(&path);
        (void)vnrs_wire_take(&path, n * 4u);
        len += 2 + n * 2u;
    }
    put_header(e->w, WELL_KNOWN, VNRS_BGP_ATTR_AS_PATH, len);
    path = vnrs_wire_make(e->attrs->as_path, e->attrs->as_path_bytes);
    while (path.left) {
        vnrs_wire_put_u8(e->w, vnrs_wire_u8(&path));
        uint8_t n = vnrs_wire_u8(&path);
        vnrs_wire_put_u8(e->w, n);
        for (; n; n--) {
            uint32_t asn = vnrs_wire_u32(&path);
            vnrs_wire_put_u16(e->w, asn > UINT16_MAX ? VNRS_BGP_AS_TRANS : (uint16_t)asn);
        }
    }
}

static void put_as_path(struct encode *e)
{
    if (e->session->as4)
        put_attr(e->w, WELL_KNOWN, VNRS_BGP_ATTR_AS_PATH, e->attrs->as_path, e->attrs->as_path_bytes);
    else
        put_as_path_2(e);
}

static void put_next_hop(struct encode *e)
{
    if (!e->multiprotocol)
        put_attr(e->w, WELL_KNOWN, VNRS_BGP_ATTR_NEXT_HOP, e->attrs->nexthop.bytes, 4);
}

static void put_med(struct encode *e)
{
    if (e->attrs->has & VNRS_BGP_HAS_MED)
        put_attr_u32(e->w, OPTIONAL_NON_TRANSITIVE, VNRS_BGP_ATTR_MED, e->attrs->med);
}

// RFC 4271 section 5.1.5: always inside the AS, never to the outside.
static void put_local_pref(struct encode *e)
{
    bool has = e->attrs->has & VNRS_BGP_HAS_LOCAL_PREF;

    if (e->session->ibgp)
        put_attr_u32(e->w, WELL_KNOWN, VNRS_BGP_ATTR_LOCAL_PREF, has ? e->attrs->local_pref : LOCAL_PREF_DEFAULT);
}

static void put_atomic_aggregate(struct encode *e)
{
    if (e->attrs->has & VNRS_BGP_HAS_ATOMIC_AGGREGATE)
        put_attr(e->w, WELL_KNOWN, VNRS_BGP_ATTR_ATOMIC_AGGREGATE, NULL, 0);
}

static void put_aggregator(struct encode *e)
{
    const struct vnrs_bgp_attrs *a = e->attrs;

    if (!(a->has & VNRS_BGP_HAS_AGGREGATOR))
        return;
    put_header(e->w, OPTIONAL_TRANSITIVE, VNRS_BGP_ATTR_AGGREGATOR, e->session->as4 ? 8 : 6);
    if (e->session->as4)
        vnrs_wire_put_u32(e->w, a->aggregator_asn);
    else
        vnrs_wire_put_u16(e->w, a->aggregator_asn > UINT16_MAX ? VNRS_BGP_AS_TRANS : (uint16_t)a->aggregator_asn);
    vnrs_wire_put(e->w, a->aggregator.bytes, 4);
}

static void put_communities(struct encode *e)
{
    if (!e->attrs->n_communities)
        return;
    put_header(e->w, OPTIONAL_TRANSITIVE, VNRS_BGP_ATTR_COMMUNITIES, e->attrs->n_communities * 4u);
    for (size_t i = 0; i < e->attrs->n_communities; i++)
        vnrs_wire_put_u32(e->w, e->attrs->communities[i]);
}

// RFC 4456 section 8: inside the AS only.
static void put_originator_id(struct encode *e)
{
    if (e->session->ibgp && e->attrs->originator_id)
        put_attr_u32(e->w, OPTIONAL_NON_TRANSITIVE, VNRS_BGP_ATTR_ORIGINATOR_ID, e->attrs->originator_id);
}

static void put_cluster_list(struct encode *e)
{
    if (e->session->ibgp && e->attrs->n_clusters)
        put_attr(e->w, OPTIONAL_NON_TRANSITIVE, VNRS_BGP_ATTR_CLUSTER_LIST, e->attrs->clusters,
                 e->attrs->n_clusters * 4u);
}

static void put_ext_communities(struct encode *e)
{
    if (e->attrs->n_ext_communities)
        put_attr(e->w, OPTIONAL_TRANSITIVE, VNRS_BGP_ATTR_EXT_COMMUNITIES, e->attrs->ext_communities,
                 e->attrs->n_ext_communities * 8u);
}

static void put_as4_path(struct encode *e)
{
    if (!e->session->as4 && needs_four_octets(e->attrs))
        put_attr(e->w, OPTIONAL_TRANSITIVE, VNRS_BGP_ATTR_AS4_PATH, e->attrs->as_path, e->attrs->as_path_bytes);
}

static void put_as4_aggregator(struct encode *e)
{
    if (e->session->as4 || !(e->attrs->has & VNRS_BGP_HAS_AGGREGATOR) || e->attrs->aggregator_asn <= UINT16_MAX)
        return;
    put_header(e->w, OPTIONAL_TRANSITIVE, VNRS_BGP_ATTR_AS4_AGGREGATOR, 8);
    vnrs_wire_put_u32(e->w, e->attrs->aggregator_asn);
    vnrs_wire_put(e->w, e->attrs->aggregator.bytes, 4);
}

static void put_large_communities(struct encode *e)
{
    if (e->attrs->n_large_communities)
        put_attr(e->w, OPTIONAL_TRANSITIVE, VNRS_BGP_ATTR_LARGE_COMMUNITIES, e->attrs->large_communities,
                 e->attrs->n_large_communities * 12u);
}

static const struct {
    unsigned type;
    void (*put)(struct encode *e);
} attr_writers[] = {
    {VNRS_BGP_ATTR_ORIGIN, put_origin},
    {VNRS_BGP_ATTR_AS_PATH, put_as_path},
    {VNRS_BGP_ATTR_NEXT_HOP, put_next_hop},
    {VNRS_BGP_ATTR_MED, put_med},
    {VNRS_BGP_ATTR_LOCAL_PREF, put_local_pref},
    {VNRS_BGP_ATTR_ATOMIC_AGGREGATE, put_atomic_aggregate},
    {VNRS_BGP_ATTR_AGGREGATOR, put_aggregator},
    {VNRS_BGP_ATTR_COMMUNITIES, put_communities},
    {VNRS_BGP_ATTR_ORIGINATOR_ID, put_originator_id},
    {VNRS_BGP_ATTR_CLUSTER_LIST, put_cluster_list},
    {VNRS_BGP_ATTR_EXT_COMMUNITIES, put_ext_communities},
    {VNRS_BGP_ATTR_AS4_PATH, put_as4_path},
    {VNRS_BGP_ATTR_AS4_AGGREGATOR, put_as4_aggregator},
    {VNRS_BGP_ATTR_LARGE_COMMUNITIES, put_large_communities},
};

// Pass on the unknown attributes below `type`; they are in ascending order.
static void put_unknown_below(struct encode *e, unsigned type)
{
    while (e->unknown.left >= 3 && e->unknown.at[1] < type) {
        struct vnrs_wire w = e->unknown;
        uint8_t flags = vnrs_wire_u8(&w);
        (void)vnrs_wire_u8(&w);
        size_t len = flags & VNRS_BGP_FLAG_EXTENDED ? vnrs_wire_u16(&w) : vnrs_wire_u8(&w);
        size_t total = (size_t)(w.at - e->unknown.at) + len;
        const uint8_t *whole = vnrs_wire_take(&e->unknown, total);
        if (!whole) // not what the decoder made
            return;
        vnrs_wire_put(e->w, whole, total);
    }
}

void vnrs_bgp_attrs_put(struct vnrs_wire_out *w, const struct vnrs_bgp_session *session, bool multiprotocol,
                        const struct vnrs_bgp_attrs *attrs)
{
    struct encode e = {.session = session, .attrs = attrs, .multiprotocol = multiprotocol, .w = w};

    e.unknown = vnrs_wire_make(attrs->unknown, attrs->unknown_bytes);
    for (size_t i = 0; i < ARRAY_SIZE(attr_writers); i++) {
        put_unknown_below(&e, attr_writers[i].type);
        attr_writers[i].put(&e);
    }
    put_unknown_below(&e, 256);
}

static void set_u16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

struct packing {
    const struct vnrs_prefix *prefixes;
    const uint32_t *path_ids; // NULL: none
    size_t n;
    uint8_t af;
    uint8_t *buf;
    struct vnrs_wire_out w;
};

// How many of the prefixes fit in `room` octets.
static size_t pack_count(const struct packing *p, size_t room, size_t *ret_bytes)
{
    size_t fixed = p->path_ids ? VNRS_BGP_PATH_ID_BYTES : 0;
    size_t used = 0, i = 0;

    for (; i < p->n && used + fixed + vnrs_bgp_nlri_bytes(&p->prefixes[i]) <= room; i++)
        used += fixed + vnrs_bgp_nlri_bytes(&p->prefixes[i]);
    *ret_bytes = used;
    return i;
}

static void put_prefixes(struct vnrs_wire_out *w, const struct packing *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p->path_ids)
            vnrs_wire_put_u32(w, p->path_ids[i]);
        vnrs_bgp_nlri_put(w, &p->prefixes[i]);
    }
}

// The fields of RFC 4271 itself. Returns how many prefixes went in.
static size_t pack_classic(struct packing *p, const struct vnrs_bgp_session *session,
                           const struct vnrs_bgp_attrs *attrs)
{
    size_t bytes, used;

    if (!attrs) {
        used = p->w.left >= 4 ? pack_count(p, p->w.left - 4, &bytes) : 0;
        if (!used)
            return 0;
        vnrs_wire_put_u16(&p->w, (uint16_t)bytes);
        put_prefixes(&p->w, p, used);
        vnrs_wire_put_u16(&p->w, 0);
        return used;
    }
    vnrs_wire_put_u16(&p->w, 0);
    uint8_t *attrs_len = vnrs_wire_reserve(&p->w, 2);
    uint8_t *start = p->w.at;
    vnrs_bgp_attrs_put(&p->w, session, false, attrs);
    if (p->w.full)
        return 0;
    set_u16(attrs_len, (size_t)(p->w.at - start));
    used = pack_count(p, p->w.left, &bytes);
    put_prefixes(&p->w, p, used);
    return used;
}

// Prefixes that fit in a multiprotocol attribute with `fixed` octets of value before them, in `room`. The attribute's
// header takes one octet more once the value is longer than 255.
static size_t pack_count_mp(const struct packing *p, size_t fixed, size_t room, size_t *ret_bytes)
{
    size_t short_bytes = 0, short_n = 0, long_bytes = 0, long_n = 0;

    if (room >= fixed + 3)
        short_n = pack_count(p, MIN(room - 3 - fixed, UINT8_MAX - fixed), &short_bytes);
    if (room >= fixed + 4)
        long_n = pack_count(p, room - 4 - fixed, &long_bytes);
    *ret_bytes = long_n > short_n ? long_bytes : short_bytes;
    return MAX(long_n, short_n);
}

static void put_mp_reach_fixed(struct vnrs_wire_out *w, const struct vnrs_bgp_attrs *attrs)
{
    bool two = attrs->nexthop_link_local.family == VNRS_AF_IPV6;

    vnrs_wire_put_u8(w, two ? 32 : 16);
    vnrs_wire_put(w, attrs->nexthop.bytes, 16);
    if (two)
        vnrs_wire_put(w, attrs->nexthop_link_local.bytes, 16);
    vnrs_wire_put_u8(w, 0);
}

// MP_REACH_NLRI or MP_UNREACH_NLRI. The other attributes are written first, to know the room they leave, and then moved
// behind it.
static size_t pack_mp(struct packing *p, const struct vnrs_bgp_session *session, const struct vnrs_bgp_attrs *attrs)
{
    uint8_t fixed[64];
    struct vnrs_wire_out f = vnrs_wire_out_make(fixed, sizeof(fixed));
    size_t bytes;

    vnrs_wire_put_u16(&f, vnrs_bgp_afi(p->af));
    vnrs_wire_put_u8(&f, VNRS_BGP_SAFI_UNICAST);
    if (attrs)
        put_mp_reach_fixed(&f, attrs);
    size_t fixed_len = (size_t)(f.at - fixed);

    vnrs_wire_put_u16(&p->w, 0);
    uint8_t *attrs_len = vnrs_wire_reserve(&p->w, 2);
    uint8_t *start = p->w.at;
    if (attrs)
        vnrs_bgp_attrs_put(&p->w, session, true, attrs);
    if (p->w.full)
        return 0;
    size_t others = (size_t)(p->w.at - start);
    size_t used = pack_count_mp(p, fixed_len, p->w.left, &bytes);
    if (!used)
        return 0;
    size_t value = fixed_len + bytes;
    size_t mp = value + (value > UINT8_MAX ? 4 : 3);
    memmove(start + mp, start, others);
    p->w.at += mp;
    p->w.left -= mp;
    set_u16(attrs_len, others + mp);

    struct vnrs_wire_out in = vnrs_wire_out_make(start, mp);
    put_header(&in, OPTIONAL_NON_TRANSITIVE, attrs ? VNRS_BGP_ATTR_MP_REACH : VNRS_BGP_ATTR_MP_UNREACH, value);
    vnrs_wire_put(&in, fixed, fixed_len);
    put_prefixes(&in, p, used);
    return used;
}

static bool is_nexthop_ok(const struct vnrs_bgp_session *session, uint8_t af, const struct vnrs_bgp_attrs *attrs)
{
    uint8_t family = attrs->nexthop.family;

    return family == vnrs_bgp_af_family(af) || (session->ext_nexthop && family == VNRS_AF_IPV6);
}

int vnrs_bgp_update_encode(const struct vnrs_bgp_session *session, uint8_t af, const struct vnrs_bgp_attrs *attrs,
                           const struct vnrs_prefix *prefixes, const uint32_t *path_ids, size_t n, uint8_t *buf,
                           size_t size, size_t *ret_used)
{
    size_t limit = session->extended_message ? VNRS_BGP_MSG_EXTENDED_MAX : VNRS_BGP_MSG_MAX;
    struct packing p = {.prefixes = prefixes,
                        .path_ids = path_ids,
                        .n = n,
                        .af = af,
                        .buf = buf,
                        .w = vnrs_wire_out_make(buf, MIN(size, limit))};

    if (!n || prefixes[0].family != vnrs_bgp_af_family(af) || (path_ids != NULL) != session->add_path_tx[af] ||
        (attrs && !is_nexthop_ok(session, af, attrs)))
        return -EINVAL;
    // IPv4 stays in the fields of RFC 4271 but for an IPv6 next hop (RFC 8950 section 3).
    bool multiprotocol = af == VNRS_BGP_AF6 || (attrs && attrs->nexthop.family == VNRS_AF_IPV6);
    vnrs_bgp_header_begin(&p.w, VNRS_BGP_UPDATE);
    size_t used = multiprotocol ? pack_mp(&p, session, attrs) : pack_classic(&p, session, attrs);
    if (!used)
        return -ENOBUFS;
    int len = vnrs_bgp_header_finish(&p.w, buf);
    if (len > 0)
        *ret_used = used;
    return len;
}

int vnrs_bgp_eor_encode(uint8_t af, uint8_t *buf, size_t size)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(buf, size);

    vnrs_bgp_header_begin(&w, VNRS_BGP_UPDATE);
    vnrs_wire_put_u16(&w, 0);
    if (af == VNRS_BGP_AF4) {
        vnrs_wire_put_u16(&w, 0);
    } else {
        vnrs_wire_put_u16(&w, 6);
        put_header(&w, OPTIONAL_NON_TRANSITIVE, VNRS_BGP_ATTR_MP_UNREACH, 3);
        vnrs_wire_put_u16(&w, vnrs_bgp_afi(af));
        vnrs_wire_put_u8(&w, VNRS_BGP_SAFI_UNICAST);
    }
    return vnrs_bgp_header_finish(&w, buf);
}
