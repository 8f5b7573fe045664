// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/attr_decode.h"

#include "bgp/msg_wire.h"
#include "bgp/nlri.h"

#include <errno.h>

void vnrs_bgp_attr_fault(struct vnrs_bgp_attr_decode *d, enum vnrs_bgp_outcome outcome, uint8_t subcode,
                         const struct vnrs_bgp_attr_raw *raw, const char *why)
{
    if (outcome <= d->fault.outcome)
        return;
    d->fault = (struct vnrs_bgp_fault){.outcome = outcome, .subcode = subcode, .why = why};
    if (raw) {
        d->fault.type = raw->type;
        d->fault.culprit = *raw;
    }
}

static void discard(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, const char *why)
{
    vnrs_bgp_attr_fault(d, VNRS_BGP_ATTR_DISCARD, VNRS_BGP_UPDATE_OPTIONAL, raw, why);
}

static void withdraw(struct vnrs_bgp_attr_decode *d, uint8_t subcode, const struct vnrs_bgp_attr_raw *raw,
                     const char *why)
{
    vnrs_bgp_attr_fault(d, VNRS_BGP_TREAT_AS_WITHDRAW, subcode, raw, why);
}

static void reset(struct vnrs_bgp_attr_decode *d, uint8_t subcode, const struct vnrs_bgp_attr_raw *raw, const char *why)
{
    vnrs_bgp_attr_fault(d, VNRS_BGP_SESSION_RESET, subcode, raw, why);
}

// Keep the list sorted and each type once: RFC 7606 section 3 g.
static void raw_add(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw)
{
    unsigned i = d->n_raw;

    while (i > 0 && d->raw[i - 1].type > raw->type)
        i--;
    if (i > 0 && d->raw[i - 1].type == raw->type) {
        if (raw->type == VNRS_BGP_ATTR_MP_REACH || raw->type == VNRS_BGP_ATTR_MP_UNREACH)
            reset(d, VNRS_BGP_UPDATE_MALFORMED_LIST, NULL, "multiprotocol attribute twice");
        else
            discard(d, raw, "attribute twice");
        return;
    }
    memmove(&d->raw[i + 1], &d->raw[i], (d->n_raw - i) * sizeof(d->raw[0]));
    d->raw[i] = *raw;
    d->n_raw++;
}

// Lengths that disagree with the field's own: RFC 7606 section 4. Where the attribute cut short holds prefixes,
// those are lost, which section 3 j answers with a reset.
static void frame_cut_short(struct vnrs_bgp_attr_decode *d, const struct vnrs_wire *w, uint8_t type)
{
    if (w->failed && (type == VNRS_BGP_ATTR_MP_REACH || type == VNRS_BGP_ATTR_MP_UNREACH))
        reset(d, VNRS_BGP_UPDATE_MALFORMED_LIST, NULL, "multiprotocol attribute longer than the attribute field");
    else
        withdraw(d, VNRS_BGP_UPDATE_MALFORMED_LIST, NULL, "attribute longer than the attribute field");
}

void vnrs_bgp_attrs_frame(struct vnrs_bgp_attr_decode *d, struct vnrs_wire field)
{
    while (field.left) {
        struct vnrs_bgp_attr_raw raw = {.start = field.at};
        raw.flags = vnrs_wire_u8(&field);
        raw.type = vnrs_wire_u8(&field);
        raw.len = raw.flags & VNRS_BGP_FLAG_EXTENDED ? vnrs_wire_u16(&field) : vnrs_wire_u8(&field);
        if (!vnrs_wire_take(&field, raw.len) || field.failed) {
            frame_cut_short(d, &field, raw.type);
            return;
        }
        raw.total = (uint16_t)(field.at - raw.start);
        raw_add(d, &raw);
    }
}

static uint8_t *scratch_take(struct vnrs_bgp_attr_decode *d, size_t n)
{
    if (n > d->scratch.left)
        return NULL;
    uint8_t *p = d->scratch.at;
    d->scratch.at += n;
    d->scratch.left -= n;
    return p;
}

static struct vnrs_addr addr_read(struct vnrs_wire *w, uint8_t family)
{
    struct vnrs_addr addr = {.family = family};
    size_t n = family == VNRS_AF_IPV6 ? 16 : 4;
    const uint8_t *p = vnrs_wire_take(w, n);

    if (!p)
        return (struct vnrs_addr){0};
    memcpy(addr.bytes, p, n);
    return addr;
}

// A length other than `len` is malformed: treat as withdraw.
static bool has_length(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, size_t len)
{
    if (raw->len == len)
        return true;
    withdraw(d, VNRS_BGP_UPDATE_LENGTH, raw, "wrong attribute length");
    return false;
}

// A list of items of `width` octets, at least one.
static bool has_items(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, size_t width)
{
    if (raw->len && raw->len % width == 0)
        return true;
    withdraw(d, VNRS_BGP_UPDATE_LENGTH, raw, "attribute length is not a multiple of its items'");
    return false;
}

static void read_origin(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    if (!has_length(d, raw, 1))
        return;
    uint8_t origin = vnrs_wire_u8(&value);
    if (origin > VNRS_BGP_ORIGIN_INCOMPLETE) {
        withdraw(d, VNRS_BGP_UPDATE_ORIGIN, raw, "undefined ORIGIN");
        return;
    }
    d->attrs->origin = origin;
    d->has_origin = true;
}

static void read_as_path(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    const char *why = vnrs_bgp_path_check(value, d->session->as4 ? 4 : 2, false);

    if (why) {
        withdraw(d, VNRS_BGP_UPDATE_AS_PATH, raw, why);
        return;
    }
    d->as_path = value;
    d->has_as_path = true;
}

// Whether the address may be used is judged once it is known that IPv4 prefixes need it (RFC 4760 section 3).
static void read_next_hop(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    if (!has_length(d, raw, 4))
        return;
    d->nexthop = addr_read(&value, VNRS_AF_IPV4);
    d->has_nexthop = true;
}

static void read_med(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    if (!has_length(d, raw, 4))
        return;
    d->attrs->med = vnrs_wire_u32(&value);
    d->attrs->has |= VNRS_BGP_HAS_MED;
}

static void read_local_pref(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    if (!has_length(d, raw, 4))
        return;
    d->attrs->local_pref = vnrs_wire_u32(&value);
    d->attrs->has |= VNRS_BGP_HAS_LOCAL_PREF;
}

static void read_atomic_aggregate(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                                  struct vnrs_wire value)
{
    if (value.left)
        discard(d, raw, "ATOMIC_AGGREGATE with a value");
    else
        d->attrs->has |= VNRS_BGP_HAS_ATOMIC_AGGREGATE;
}

static void read_aggregator(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    bool as4 = d->session->as4;

    if (value.left != (as4 ? 8 : 6)) {
        discard(d, raw, "wrong length of AGGREGATOR");
        return;
    }
    uint32_t asn = as4 ? vnrs_wire_u32(&value) : vnrs_wire_u16(&value);
    if (asn == 0) { // RFC 7607
        discard(d, raw, "AGGREGATOR of AS 0");
        return;
    }
    d->attrs->aggregator_asn = asn;
    d->attrs->aggregator = addr_read(&value, VNRS_AF_IPV4);
    d->attrs->has |= VNRS_BGP_HAS_AGGREGATOR;
}

// Canonical order: ascending, each once. RFC 8092 section 3 asks for the latter, RFC 1997 allows both.
static void read_communities(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                             struct vnrs_wire value)
{
    if (!has_items(d, raw, 4))
        return;
    uint8_t *aligned = scratch_take(d, -(uintptr_t)d->scratch.at % sizeof(uint32_t));
    uint8_t *bytes = aligned ? scratch_take(d, raw->len) : NULL;
    if (!bytes) {
        withdraw(d, VNRS_BGP_UPDATE_OPTIONAL, raw, "attributes too large");
        return;
    }
    memcpy(bytes, value.at, raw->len);
    size_t n = vnrs_bgp_sort_unique(bytes, raw->len / 4u, 4);
    struct vnrs_wire w = vnrs_wire_make(bytes, n * 4);
    uint32_t *list = (uint32_t *)(void *)bytes;
    for (size_t i = 0; i < n; i++)
        list[i] = vnrs_wire_u32(&w); // in place: one is read before it is written
    d->attrs->communities = list;
    d->attrs->n_communities = (uint16_t)n;
}

static void read_ext_communities(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                                 struct vnrs_wire value)
{
    if (!has_items(d, raw, 8))
        return;
    d->attrs->ext_communities = value.at;
    d->attrs->n_ext_communities = (uint16_t)(raw->len / 8);
}

static void read_large_communities(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                                   struct vnrs_wire value)
{
    if (!has_items(d, raw, 12))
        return;
    uint8_t *bytes = scratch_take(d, raw->len);
    if (!bytes) {
        withdraw(d, VNRS_BGP_UPDATE_OPTIONAL, raw, "attributes too large");
        return;
    }
    memcpy(bytes, value.at, raw->len);
    d->attrs->large_communities = bytes;
    d->attrs->n_large_communities = (uint16_t)vnrs_bgp_sort_unique(bytes, raw->len / 12u, 12);
}

// Route reflection inside the AS. Whether the route is ignored is judged once it is known that there is one.
static void read_originator_id(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                               struct vnrs_wire value)
{
    if (!has_length(d, raw, 4))
        return;
    d->attrs->originator_id = vnrs_wire_u32(&value);
    if (d->attrs->originator_id == d->session->local_id)
        d->is_own = "ORIGINATOR_ID is our own";
}

static void read_cluster_list(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                              struct vnrs_wire value)
{
    if (!has_items(d, raw, 4))
        return;
    d->attrs->clusters = value.at;
    d->attrs->n_clusters = (uint16_t)(raw->len / 4);
    while (value.left) // the BGP identifier is the cluster's, too
        if (vnrs_wire_u32(&value) == d->session->local_id)
            d->is_own = "our own cluster is in CLUSTER_LIST";
}

// Not looked into, but carried: its length must be right (RFC 7606 section 7.15).
static void read_ipv6_ext_communities(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                                      struct vnrs_wire value)
{
    (void)value;
    (void)has_items(d, raw, 20);
}

static void read_as4_path(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    const char *why = d->session->as4 ? "AS4_PATH from a 4-octet speaker" : vnrs_bgp_path_check(value, 4, true);

    if (!why && value.left < 6)
        why = "empty AS4_PATH";
    if (why)
        discard(d, raw, why);
    else
        d->as4_path = value;
}

// Comes after AGGREGATOR in type order.
static void read_as4_aggregator(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                                struct vnrs_wire value)
{
    uint32_t asn = 0;
    const char *why = NULL;

    if (d->session->as4)
        why = "AS4_AGGREGATOR from a 4-octet speaker";
    else if (value.left != 8)
        why = "wrong length of AS4_AGGREGATOR";
    else if ((asn = vnrs_wire_u32(&value)) == 0)
        why = "AS4_AGGREGATOR of AS 0";
    if (why) {
        discard(d, raw, why);
        return;
    }
    if (!(d->attrs->has & VNRS_BGP_HAS_AGGREGATOR))
        return;
    if (d->attrs->aggregator_asn != VNRS_BGP_AS_TRANS) {
        d->ignore_as4 = true;
        return;
    }
    d->attrs->aggregator_asn = asn;
    d->attrs->aggregator = addr_read(&value, VNRS_AF_IPV4);
}

static bool is_link_local(const struct vnrs_addr *a)
{
    return a->family == VNRS_AF_IPV6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool vnrs_bgp_is_host_addr(const struct vnrs_addr *a)
{
    if (a->family == VNRS_AF_IPV4)
        return a->bytes[0] != 0 && a->bytes[0] != 127 && a->bytes[0] < 224;
    for (int i = 0; i < 15; i++) {
        if (a->bytes[i])
            return a->bytes[0] != 0xff;
    }
    return a->bytes[15] > 1; // not :: or ::1
}

// RFC 2545: a global address, and a link-local one where the peer is on the link. Some send a link-local alone.
static void mp_nexthop_read(struct vnrs_bgp_attr_decode *d, struct vnrs_wire w)
{
    if (w.left == 4) {
        d->mp_nexthop = addr_read(&w, VNRS_AF_IPV4);
        return;
    }
    struct vnrs_addr global = addr_read(&w, VNRS_AF_IPV6);
    struct vnrs_addr second = w.left ? addr_read(&w, VNRS_AF_IPV6) : (struct vnrs_addr){0};

    d->mp_nexthop = global;
    if (!is_link_local(&second))
        return;
    d->mp_nexthop_link_local = second;
    if (!vnrs_bgp_is_host_addr(&global))
        d->mp_nexthop = second;
}

static bool is_nlri_ok(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                       const struct vnrs_bgp_nlri *nlri)
{
    if (vnrs_bgp_nlri_check(nlri))
        return true;
    reset(d, VNRS_BGP_UPDATE_OPTIONAL, raw, "malformed prefix in a multiprotocol attribute");
    return false;
}

// RFC 2545 for IPv6; IPv4 has its own, or with RFC 8950 those of IPv6.
static bool is_nexthop_length(const struct vnrs_bgp_session *session, int af, size_t len)
{
    bool of_ipv6 = len == 16 || len == 32;

    return af == VNRS_BGP_AF6 ? of_ipv6 : len == 4 || (session->ext_nexthop && of_ipv6);
}

// RFC 7606 section 7.11: once the next hop's length is wrong, the prefixes behind it cannot be found.
static void read_mp_reach(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    uint16_t afi = vnrs_wire_u16(&value);
    int af = vnrs_bgp_af_from_wire(afi, vnrs_wire_u8(&value));
    struct vnrs_wire nexthop = vnrs_wire_sub(&value, vnrs_wire_u8(&value));
    (void)vnrs_wire_u8(&value); // reserved: ignored (RFC 4760 section 3)

    if (value.failed) {
        reset(d, VNRS_BGP_UPDATE_OPTIONAL, raw, "MP_REACH_NLRI too short");
        return;
    }
    if (af < 0 || !d->session->mp[af]) {
        discard(d, raw, "MP_REACH_NLRI of a family not in use");
        d->has_mp_prefixes = value.left;
        return;
    }
    if (!is_nexthop_length(d->session, af, nexthop.left)) {
        reset(d, VNRS_BGP_UPDATE_OPTIONAL, raw, "wrong next hop length in MP_REACH_NLRI");
        return;
    }
    struct vnrs_bgp_nlri nlri = vnrs_bgp_nlri_of(d, (uint8_t)af, value);
    if (!is_nlri_ok(d, raw, &nlri))
        return;
    mp_nexthop_read(d, nexthop);
    d->mp_reach = nlri;
    d->has_mp_prefixes = value.left;
    if (value.left && !vnrs_bgp_is_host_addr(&d->mp_nexthop))
        withdraw(d, VNRS_BGP_UPDATE_OPTIONAL, raw, "next hop is not a host address");
}

static void read_mp_unreach(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    uint16_t afi = vnrs_wire_u16(&value);
    int af = vnrs_bgp_af_from_wire(afi, vnrs_wire_u8(&value));

    if (value.failed) {
        reset(d, VNRS_BGP_UPDATE_OPTIONAL, raw, "MP_UNREACH_NLRI too short");
        return;
    }
    if (af < 0 || !d->session->mp[af]) {
        discard(d, raw, "MP_UNREACH_NLRI of a family not in use");
        return;
    }
    struct vnrs_bgp_nlri nlri = vnrs_bgp_nlri_of(d, (uint8_t)af, value);
    if (!is_nlri_ok(d, raw, &nlri))
        return;
    d->mp_unreach = nlri;
    d->has_mp_unreach = true;
}

#define WELL_KNOWN              VNRS_BGP_FLAG_TRANSITIVE
#define OPTIONAL_TRANSITIVE     (VNRS_BGP_FLAG_OPTIONAL | VNRS_BGP_FLAG_TRANSITIVE)
#define OPTIONAL_NON_TRANSITIVE VNRS_BGP_FLAG_OPTIONAL

static const struct attr_kind {
    void (*read)(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw,
                 struct vnrs_wire value); // NULL: not known here
    uint8_t flags;                        // the Optional and Transitive bits
    bool ibgp_only;                       // discarded unread from an external peer (RFC 7606 sections 7.5, 7.9, 7.10)
    bool is_carried;                      // read, and passed on as it is
    bool holds_prefixes;                  // wrong flags make it incorrect as a whole (RFC 7606 section 5.3)
} attr_kinds[256] = {
    [VNRS_BGP_ATTR_ORIGIN] = {.read = read_origin, .flags = WELL_KNOWN},
    [VNRS_BGP_ATTR_AS_PATH] = {.read = read_as_path, .flags = WELL_KNOWN},
    [VNRS_BGP_ATTR_NEXT_HOP] = {.read = read_next_hop, .flags = WELL_KNOWN},
    [VNRS_BGP_ATTR_MED] = {.read = read_med, .flags = OPTIONAL_NON_TRANSITIVE},
    [VNRS_BGP_ATTR_LOCAL_PREF] = {.read = read_local_pref, .flags = WELL_KNOWN, .ibgp_only = true},
    [VNRS_BGP_ATTR_ATOMIC_AGGREGATE] = {.read = read_atomic_aggregate, .flags = WELL_KNOWN},
    [VNRS_BGP_ATTR_AGGREGATOR] = {.read = read_aggregator, .flags = OPTIONAL_TRANSITIVE},
    [VNRS_BGP_ATTR_COMMUNITIES] = {.read = read_communities, .flags = OPTIONAL_TRANSITIVE},
    [VNRS_BGP_ATTR_ORIGINATOR_ID] = {.read = read_originator_id, .flags = OPTIONAL_NON_TRANSITIVE, .ibgp_only = true},
    [VNRS_BGP_ATTR_CLUSTER_LIST] = {.read = read_cluster_list, .flags = OPTIONAL_NON_TRANSITIVE, .ibgp_only = true},
    [VNRS_BGP_ATTR_MP_REACH] = {.read = read_mp_reach, .flags = OPTIONAL_NON_TRANSITIVE, .holds_prefixes = true},
    [VNRS_BGP_ATTR_MP_UNREACH] = {.read = read_mp_unreach, .flags = OPTIONAL_NON_TRANSITIVE, .holds_prefixes = true},
    [VNRS_BGP_ATTR_EXT_COMMUNITIES] = {.read = read_ext_communities, .flags = OPTIONAL_TRANSITIVE},
    [VNRS_BGP_ATTR_AS4_PATH] = {.read = read_as4_path, .flags = OPTIONAL_TRANSITIVE},
    [VNRS_BGP_ATTR_AS4_AGGREGATOR] = {.read = read_as4_aggregator, .flags = OPTIONAL_TRANSITIVE},
    [VNRS_BGP_ATTR_IPV6_EXT_COMMUNITIES] = {.read = read_ipv6_ext_communities,
                                            .flags = OPTIONAL_TRANSITIVE,
                                            .is_carried = true},
    [VNRS_BGP_ATTR_LARGE_COMMUNITIES] = {.read = read_large_communities, .flags = OPTIONAL_TRANSITIVE},
};

// RFC 4271 section 5: unknown optional transitive attributes are passed on as they are, marked Partial; others not.
// Partial is never taken away.
// Header octets are rewritten in the one way we would write them, so that equal attributes are equal bytes.
static void read_unknown(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw, struct vnrs_wire value)
{
    if (!(raw->flags & VNRS_BGP_FLAG_OPTIONAL)) {
        reset(d, VNRS_BGP_UPDATE_UNKNOWN_WELL_KNOWN, raw, "unknown well-known attribute");
        return;
    }
    if (!(raw->flags & VNRS_BGP_FLAG_TRANSITIVE))
        return;
    bool is_long = raw->len > UINT8_MAX;
    uint8_t partial = attr_kinds[raw->type].read ? raw->flags & VNRS_BGP_FLAG_PARTIAL : VNRS_BGP_FLAG_PARTIAL;
    size_t total = raw->len + (is_long ? 4u : 3u);
    uint8_t *bytes = scratch_take(d, total);
    if (!bytes) {
        withdraw(d, VNRS_BGP_UPDATE_OPTIONAL, raw, "attributes too large");
        return;
    }
    struct vnrs_wire_out w = vnrs_wire_out_make(bytes, total);
    vnrs_wire_put_u8(&w, (uint8_t)(OPTIONAL_TRANSITIVE | partial | (is_long ? VNRS_BGP_FLAG_EXTENDED : 0)));
    vnrs_wire_put_u8(&w, raw->type);
    if (is_long)
        vnrs_wire_put_u16(&w, raw->len);
    else
        vnrs_wire_put_u8(&w, (uint8_t)raw->len);
    vnrs_wire_put(&w, value.at, raw->len);
    if (!d->attrs->unknown)
        d->attrs->unknown = bytes;
    d->attrs->unknown_bytes = (uint16_t)(d->attrs->unknown_bytes + total);
}

static void read_one(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_attr_raw *raw)
{
    const struct attr_kind *kind = &attr_kinds[raw->type];
    struct vnrs_wire value = vnrs_wire_make(raw->start + (raw->total - raw->len), raw->len);

    if (kind->ibgp_only && !d->session->ibgp) {
        discard(d, raw, "attribute from outside that belongs inside an AS");
        return;
    }
    if ((raw->flags & (VNRS_BGP_FLAG_OPTIONAL | VNRS_BGP_FLAG_TRANSITIVE)) != kind->flags) {
        vnrs_bgp_attr_fault(d, kind->holds_prefixes ? VNRS_BGP_SESSION_RESET : VNRS_BGP_TREAT_AS_WITHDRAW,
                            VNRS_BGP_UPDATE_FLAGS, raw, "wrong attribute flags");
        return;
    }
    kind->read(d, raw, value);
}

static void path_finish(struct vnrs_bgp_attr_decode *d)
{
    struct vnrs_wire none = {0};
    size_t asn_bytes = d->session->as4 ? 4 : 2;

    if (!d->has_as_path)
        return;
    int err = vnrs_bgp_path_build(d->as_path, asn_bytes, d->ignore_as4 ? none : d->as4_path, &d->scratch, d->attrs);
    if (err == -E2BIG)
        withdraw(d, VNRS_BGP_UPDATE_AS_PATH, NULL, "AS path longer than the limit");
    else if (err < 0)
        withdraw(d, VNRS_BGP_UPDATE_AS_PATH, NULL, "attributes too large");
}

void vnrs_bgp_attrs_read(struct vnrs_bgp_attr_decode *d)
{
    for (unsigned i = 0; i < d->n_raw; i++) {
        if (attr_kinds[d->raw[i].type].read)
            read_one(d, &d->raw[i]);
    }
    path_finish(d);
    // Last and together: what is passed on is one stretch of scratch, by ascending type.
    for (unsigned i = 0; i < d->n_raw; i++) {
        const struct vnrs_bgp_attr_raw *raw = &d->raw[i];
        if (!attr_kinds[raw->type].read || attr_kinds[raw->type].is_carried)
            read_unknown(d, raw, vnrs_wire_make(raw->start + (raw->total - raw->len), raw->len));
    }
}
