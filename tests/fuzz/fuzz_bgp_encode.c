// SPDX-License-Identifier: GPL-2.0-or-later
// A session, a set of attributes and prefixes made from the bytes: decode(encode(x)) is x, no message is longer than it
// may be, and none is left half empty. Lengths lean to where a length field grows or ends: 255, 256, 4,096, 65,535.
#include "fuzz.h"

#include "bgp/msg.h"
#include "util/macros.h"

#include <errno.h>
#include <string.h>

#define PREFIXES_MAX 12000u
#define ASNS_MAX     1000u // the decoder takes VNRS_BGP_PATH_ASNS_MAX

struct source {
    const uint8_t *at;
    size_t left;
};

static uint8_t u8(struct source *s)
{
    if (!s->left)
        return 0;
    s->left--;
    return *s->at++;
}

static uint32_t u16(struct source *s)
{
    uint32_t high = u8(s);
    return high << 8 | u8(s);
}

static uint32_t u32(struct source *s)
{
    uint32_t high = u16(s);
    return high << 16 | u16(s);
}

static struct {
    struct vnrs_bgp_attrs attrs;
    uint8_t path[ASNS_MAX * 6];
    uint32_t communities[16384];
    uint8_t ext[8 * 600], large[12 * 400], unknown[5 * 1100];
} set;
static struct vnrs_prefix prefixes[PREFIXES_MAX];
static uint32_t path_ids[PREFIXES_MAX];

// How many items of `width` octets: few, or about as many as a length field's end.
static size_t count(struct source *s, size_t width, size_t max)
{
    static const uint16_t borders[] = {255, 256, 4096, 65535};
    uint8_t how = u8(s);
    size_t n = how & 3 ? how >> 5 : borders[how >> 2 & 3] / width + (how >> 4) % 3 - 1;

    return MIN(n, max);
}

static void make_path(struct source *s)
{
    size_t len = 0, asns = 0;

    for (unsigned segments = u8(s) % 6; segments; segments--) {
        uint8_t how = u8(s);
        unsigned n = how & 1 ? 255 : 1 + (how >> 1) % 8;
        if (asns + n > ASNS_MAX)
            break;
        set.path[len++] = how & 0x80 ? 1 : 2;
        set.path[len++] = (uint8_t)n;
        uint32_t asn = u32(s) >> (how & 0x40 ? 16 : 0);
        for (unsigned i = 0; i < n; i++, asn++, len += 4) {
            uint32_t each = asn ? asn : 1;
            memcpy(set.path + len,
                   (uint8_t[]){(uint8_t)(each >> 24), (uint8_t)(each >> 16), (uint8_t)(each >> 8), (uint8_t)each}, 4);
        }
        asns += n;
    }
    set.attrs.as_path = len ? set.path : NULL;
    set.attrs.as_path_bytes = (uint16_t)len;
}

static void make_lists(struct source *s)
{
    struct vnrs_bgp_attrs *a = &set.attrs;
    uint32_t community = u32(s) >> 8;

    a->n_communities = (uint16_t)count(s, 4, ARRAY_SIZE(set.communities) - 1);
    for (unsigned i = 0; i < a->n_communities; i++)
        set.communities[i] = community += 1 + i % 3;
    a->communities = a->n_communities ? set.communities : NULL;
    a->n_ext_communities = (uint16_t)count(s, 8, sizeof(set.ext) / 8);
    memset(set.ext, u8(s), sizeof(set.ext));
    a->ext_communities = a->n_ext_communities ? set.ext : NULL;
    a->n_large_communities = (uint16_t)count(s, 12, sizeof(set.large) / 12);
    memset(set.large, u8(s), sizeof(set.large));
    for (unsigned i = 0; i < a->n_large_communities; i++) { // ascending
        set.large[i * 12] = (uint8_t)(i >> 8);
        set.large[i * 12 + 1] = (uint8_t)i;
    }
    a->large_communities = a->n_large_communities ? set.large : NULL;
}

static void make_unknown(struct source *s)
{
    static const uint8_t types[] = {11, 19, 40, 128, 255};
    size_t at = 0;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        uint8_t how = u8(s);
        if (how & 1)
            continue;
        size_t len = how & 2 ? 250 + (how >> 2) % 12 : how >> 3;
        set.unknown[at++] = len > 255 ? 0xf0 : 0xe0;
        set.unknown[at++] = types[i];
        if (len > 255)
            set.unknown[at++] = (uint8_t)(len >> 8);
        set.unknown[at++] = (uint8_t)len;
        memset(set.unknown + at, how, len);
        at += len;
    }
    set.attrs.unknown = at ? set.unknown : NULL;
    set.attrs.unknown_bytes = (uint16_t)at;
}

static void make_set(struct source *s, bool ibgp, bool ipv6_nexthop)
{
    struct vnrs_bgp_attrs *a = &set.attrs;
    uint8_t how = u8(s);

    *a = (struct vnrs_bgp_attrs){.origin = how % 3, .has = how >> 4};
    a->has = (uint8_t)(ibgp ? a->has | VNRS_BGP_HAS_LOCAL_PREF : a->has & ~VNRS_BGP_HAS_LOCAL_PREF);
    if (a->has & VNRS_BGP_HAS_MED)
        a->med = u32(s);
    if (a->has & VNRS_BGP_HAS_LOCAL_PREF)
        a->local_pref = u32(s);
    if (a->has & VNRS_BGP_HAS_AGGREGATOR) {
        a->aggregator_asn = u32(s) >> (how & 8 ? 16 : 0) | 1;
        a->aggregator = vnrs_addr_from_v4(u32(s));
    }
    a->nexthop = vnrs_addr_from_v4(0x0a000001);
    if (ipv6_nexthop)
        a->nexthop = (struct vnrs_addr){.family = VNRS_AF_IPV6, .bytes = {0x20, 1, 0x0d, 0xb8, [15] = 1}};
    if (ipv6_nexthop && how & 4)
        a->nexthop_link_local = (struct vnrs_addr){.family = VNRS_AF_IPV6, .bytes = {0xfe, 0x80, [15] = 2}};
    make_path(s);
    make_lists(s);
    make_unknown(s);
}

static size_t make_prefixes(struct source *s, uint8_t af)
{
    static const uint16_t counts[] = {1, 2, 14, 15, 51, 63, 126, 127, 128, 700, 1020, 4000, PREFIXES_MAX};
    size_t n = counts[u8(s) % ARRAY_SIZE(counts)];
    uint32_t seed = u32(s), lengths = u8(s);

    for (size_t i = 0; i < n; i++) {
        struct vnrs_addr a = {.family = af == VNRS_BGP_AF6 ? VNRS_AF_IPV6 : VNRS_AF_IPV4};
        for (unsigned k = 0; k < (af == VNRS_BGP_AF6 ? 16u : 4u); k++) {
            seed = seed * 1664525u + 1013904223u;
            a.bytes[k] = (uint8_t)(seed >> 24);
        }
        prefixes[i] = vnrs_prefix_make(&a, (lengths & 0x80 ? lengths : seed >> 16) % (vnrs_af_bits(a.family) + 1));
        path_ids[i] = seed;
    }
    return n;
}

static void check(const struct vnrs_bgp_session *session, uint8_t af, const struct vnrs_bgp_attrs *attrs, size_t n,
                  size_t size)
{
    static uint8_t buf[VNRS_BGP_MSG_EXTENDED_MAX + 1], scratch[VNRS_BGP_MSG_EXTENDED_MAX];
    bool has_ids = session->add_path_tx[af];
    unsigned field = af == VNRS_BGP_AF6 || (attrs && attrs->nexthop.family == VNRS_AF_IPV6);
    size_t limit = MIN(size, session->extended_message ? (size_t)VNRS_BGP_MSG_EXTENDED_MAX : VNRS_BGP_MSG_MAX);
    struct vnrs_bgp_attr_table *table = vnrs_bgp_attr_table_new();

    FUZZ_CHECK(table);
    for (size_t at = 0, used = 0; at < n; at += used) {
        struct vnrs_bgp_update update;
        struct vnrs_bgp_error error;
        struct vnrs_prefix p;
        uint8_t type;
        int len = vnrs_bgp_update_encode(session, af, attrs, prefixes + at, has_ids ? path_ids + at : NULL, n - at, buf,
                                         size, &used);
        if (len == -ENOBUFS) // the attributes take it all
            break;
        FUZZ_CHECK(len > 0 && (size_t)len <= limit && used > 0 && used <= n - at);
        FUZZ_CHECK(used == n - at || (size_t)len + 22 > limit);
        FUZZ_CHECK(vnrs_bgp_header_decode(buf, (size_t)len, session->extended_message, &type, &error) == len);
        FUZZ_CHECK(vnrs_bgp_update_decode(session, buf, (size_t)len, scratch, &update, &error) == VNRS_BGP_OK);
        struct vnrs_bgp_nlri nlri = attrs ? update.reach[field] : update.withdrawn[field];
        for (size_t i = 0; i < used; i++)
            FUZZ_CHECK(vnrs_bgp_nlri_next(&nlri, &p) == 1 && vnrs_prefix_equal(&p, &prefixes[at + i]) &&
                       nlri.path_id == (has_ids ? path_ids[at + i] : 0));
        FUZZ_CHECK(vnrs_bgp_nlri_next(&nlri, &p) == 0);
        if (!attrs)
            continue;
        const struct vnrs_bgp_attrs *sent = vnrs_bgp_attrs_intern(table, attrs);
        const struct vnrs_bgp_attrs *got = vnrs_bgp_attrs_intern(table, &update.attrs[field]);
        FUZZ_CHECK(sent && sent == got);
        vnrs_bgp_attrs_unref(table, sent);
        vnrs_bgp_attrs_unref(table, got);
    }
    vnrs_bgp_attr_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t sizes[] = {4096, 4095, 65535, 65534, 300, 255, 256, 4097};
    struct source s = {.at = data, .left = size};
    uint8_t flags = u8(&s), more = u8(&s), af = flags & 1;
    struct vnrs_bgp_session session = {
        .as4 = flags & 2,
        .ibgp = flags & 4,
        .extended_message = flags & 8,
        .mp = {true, true},
        .add_path_rx = {flags & 16, flags & 16},
        .add_path_tx = {flags & 16, flags & 16},
        .ext_nexthop = flags & 32,
    };
    bool announce = flags & 64 || more & 1;

    make_set(&s, session.ibgp, af == VNRS_BGP_AF6 || (session.ext_nexthop && flags & 128));
    size_t n = make_prefixes(&s, af);
    check(&session, af, announce ? &set.attrs : NULL, n, sizes[more >> 1 & 7]);
    return 0;
}
