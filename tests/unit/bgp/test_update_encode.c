// SPDX-License-Identifier: GPL-2.0-or-later
#include "test_update_text.h"

#include <errno.h>
#include <stdlib.h>

static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
static uint8_t buf[VNRS_BGP_MSG_EXTENDED_MAX + 1];

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a;
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static struct vnrs_prefix prefix(const char *text)
{
    struct vnrs_prefix p;
    assert_int_equal(vnrs_prefix_parse(text, &p), 0);
    return p;
}

// seq 65515
static const uint8_t path_azure[] = {2, 1, 0, 0, 0xff, 0xeb};
// seq 65515 70000
static const uint8_t path_wide[] = {2, 2, 0, 0, 0xff, 0xeb, 0, 1, 0x11, 0x70};

static struct vnrs_bgp_session session(bool as4)
{
    return (struct vnrs_bgp_session){.as4 = as4, .mp = {true, true}};
}

static void test_azure_first_update(void **state)
{
    const struct vnrs_bgp_session s = session(true);
    struct vnrs_bgp_attrs attrs = {.as_path = path_azure, .as_path_bytes = 6};
    const struct vnrs_prefix prefixes[] = {prefix("10.1.0.0/24"), prefix("10.255.0.0/24"), prefix("10.0.2.0/24"),
                                           prefix("10.0.1.0/24")};
    size_t used = 0;

    (void)state;
    attrs.nexthop = addr("10.1.0.132");
    int len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, prefixes, NULL, 4, buf, sizeof(buf), &used);
    assert_int_equal(used, 4);
    assert_hex(buf, (size_t)len,
               "ffffffffffffffffffffffffffffffff 003b 02 0000 0014 40010100 4002060201 0000ffeb 4003040a010084"
               "180a0100 180aff00 180a0002 180a0001");
}

static void test_golden(void **state)
{
    static const uint32_t communities[] = {0xffedffed};
    static const uint8_t ext[] = {0, 2, 0xfd, 0xe8, 0, 0, 0, 1};
    static const uint8_t large[] = {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3};
    static const uint8_t unknown[] = {0xe0, 12, 0, 0xe0, 28, 1, 0xaa, 0xe0, 240, 1, 0xbb};
    struct vnrs_bgp_attrs full = {
        .origin = VNRS_BGP_ORIGIN_INCOMPLETE,
        .has = VNRS_BGP_HAS_MED | VNRS_BGP_HAS_LOCAL_PREF | VNRS_BGP_HAS_ATOMIC_AGGREGATE | VNRS_BGP_HAS_AGGREGATOR,
        .med = 5,
        .local_pref = 200,
        .aggregator_asn = 70000,
        .as_path = path_wide,
        .as_path_bytes = sizeof(path_wide),
        .communities = communities,
        .n_communities = 1,
        .ext_communities = ext,
        .n_ext_communities = 1,
        .large_communities = large,
        .n_large_communities = 1,
        .unknown = unknown,
        .unknown_bytes = sizeof(unknown),
    };
    struct vnrs_bgp_session s = session(true);
    const struct vnrs_prefix v4 = prefix("10.0.0.0/9"), v6 = prefix("2001:db8::/32");
    size_t used;

    (void)state;
    full.aggregator = addr("1.2.3.4");
    full.nexthop = addr("10.0.0.1");
    // To the outside, 4 octets: no LOCAL_PREF; ascending types with the unknown ones between.
    int len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &full, &v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19,
               "0000 0059 400101 02 40020a 0202 0000ffeb 00011170 400304 0a000001 800404 00000005 400600"
               "c00708 00011170 01020304 c00804 ffedffed e00c00 c01008 0002fde800000001 e01c01aa"
               "c0200c 000000010000000200000003 e0f001bb 09 0a00");
    // To the inside, 2 octets.
    s = session(false);
    s.ibgp = true;
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &full, &v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19,
               "0000 0072 400101 02 400206 0202 ffeb 5ba0 400304 0a000001 800404 00000005 400504 000000c8 400600"
               "c00706 5ba0 01020304 c00804 ffedffed e00c00 c01008 0002fde800000001"
               "c0110a 0202 0000ffeb 00011170 c01208 00011170 01020304 e01c01aa"
               "c0200c 000000010000000200000003 e0f001bb 09 0a00");
    // IPv6, the multiprotocol attribute first.
    struct vnrs_bgp_attrs small = {.as_path = path_azure, .as_path_bytes = 6};
    s = session(false);
    small.nexthop = addr("2001:db8::1");
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, &small, &v6, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19,
               "0000 0028 800e1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8 400101 00"
               "400204 0201 ffeb");
    small.nexthop_link_local = addr("fe80::1");
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, &small, &v6, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19,
               "0000 0038 800e2a 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00"
               "20 20010db8 400101 00 400204 0201 ffeb");
    // A path that 2 octets can hold has no AS4_PATH; inside the AS LOCAL_PREF is always there.
    s.ibgp = true;
    small.nexthop = addr("10.0.0.1");
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &small, &v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19,
               "0000 0019 400101 00 400204 0201 ffeb 400304 0a000001 400504 00000064 09 0a00");
    // Withdrawals.
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, NULL, &v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19, "0003 09 0a00 0000");
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, NULL, &v6, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19, "0000 000b 800f08 0002 01 20 20010db8");
}

static void test_paths_and_next_hops(void **state)
{
    struct vnrs_bgp_session s = session(true);
    struct vnrs_bgp_attrs attrs = {.as_path = path_azure, .as_path_bytes = 6};
    const struct vnrs_prefix v4[] = {prefix("10.0.0.0/9"), prefix("10.0.0.0/9")}, v6 = prefix("2001:db8::/32");
    const uint32_t ids[] = {1, 0xfffffffe};
    size_t used;

    (void)state;
    s.add_path_tx[VNRS_BGP_AF4] = s.add_path_tx[VNRS_BGP_AF6] = true;
    attrs.nexthop = addr("10.0.0.1");
    int len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, v4, ids, 2, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19,
               "0000 0014 400101 00 400206 0201 0000ffeb 400304 0a000001 00000001 09 0a00 fffffffe 09 0a00");
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, NULL, v4, ids, 2, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19, "000e 00000001 09 0a00 fffffffe 09 0a00 0000");
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, NULL, &v6, ids, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19, "0000 000f 800f0c 0002 01 00000001 20 20010db8");
    // Identifiers and the session have to agree.
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, v4, NULL, 2, buf, sizeof(buf), &used), -EINVAL);
    s.add_path_tx[VNRS_BGP_AF4] = false;
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, v4, ids, 2, buf, sizeof(buf), &used), -EINVAL);
    // IPv4 over IPv6; NEXT_HOP is not there then.
    attrs.nexthop = addr("2001:db8::1");
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, v4, NULL, 2, buf, sizeof(buf), &used), -EINVAL);
    s.ext_nexthop = true;
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19,
               "0000 0028 800e18 0001 01 10 20010db8000000000000000000000001 00 09 0a00 400101 00"
               "400206 0201 0000ffeb");
    attrs.nexthop_link_local = addr("fe80::1");
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19,
               "0000 0038 800e28 0001 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00"
               "09 0a00 400101 00 400206 0201 0000ffeb");
    // Withdrawals stay where they were.
    len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, NULL, v4, NULL, 1, buf, sizeof(buf), &used);
    assert_hex(buf + 19, (size_t)len - 19, "0003 09 0a00 0000");
    // The other way round there is no such thing.
    attrs.nexthop = addr("10.0.0.1");
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, &attrs, &v6, ids, 1, buf, sizeof(buf), &used), -EINVAL);
}

static void test_refused(void **state)
{
    const struct vnrs_bgp_session s = session(true);
    struct vnrs_bgp_attrs attrs = {.as_path = path_azure, .as_path_bytes = 6};
    const struct vnrs_prefix v4 = prefix("10.0.0.0/8"), v6 = prefix("2001:db8::/32");
    size_t used = 77;

    (void)state;
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, &v4, NULL, 1, buf, sizeof(buf), &used), -EINVAL);
    attrs.nexthop = addr("10.0.0.1");
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, &attrs, &v6, NULL, 1, buf, sizeof(buf), &used), -EINVAL);
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, &v6, NULL, 1, buf, sizeof(buf), &used), -EINVAL);
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, NULL, NULL, 0, buf, sizeof(buf), &used), -EINVAL);
    for (size_t size = 0; size < 45; size++)
        assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, &v4, NULL, 1, buf, size, &used), -ENOBUFS);
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &attrs, &v4, NULL, 1, buf, 45, &used), 45);
    attrs.nexthop = addr("2001:db8::1");
    for (size_t size = 0; size < 65; size++)
        assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, &attrs, &v6, NULL, 1, buf, size, &used), -ENOBUFS);
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, &attrs, &v6, NULL, 1, buf, 65, &used), 65);
}

// A generator of its own, so that every run tests the same.
static uint64_t seed = 1;

static uint32_t rnd(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

static void rnd_bytes(uint8_t *p, size_t n)
{
    while (n--)
        *p++ = (uint8_t)rnd();
}

static struct vnrs_prefix rnd_prefix(uint8_t af)
{
    struct vnrs_addr a = {.family = af == VNRS_BGP_AF6 ? VNRS_AF_IPV6 : VNRS_AF_IPV4};

    rnd_bytes(a.bytes, af == VNRS_BGP_AF6 ? 16 : 4);
    return vnrs_prefix_make(&a, rnd() % (vnrs_af_bits(a.family) + 1));
}

// Memory of one random set.
struct set {
    struct vnrs_bgp_attrs attrs;
    uint8_t path[8192];
    uint32_t communities[1200];
    uint8_t ext[8 * 40], large[12 * 40];
    uint8_t unknown[1200];
};

static size_t rnd_path(uint8_t *p, unsigned segments)
{
    size_t n = 0;

    while (segments--) {
        unsigned count = rnd() % 8 ? 1 + rnd() % 5 : 1 + rnd() % 255;
        p[n++] = rnd() % 4 ? 2 : 1;
        p[n++] = (uint8_t)count;
        for (; count; count--, n += 4) {
            uint32_t asn = 1 + (rnd() % 3 ? rnd() % 65535 : rnd());
            p[n] = (uint8_t)(asn >> 24);
            p[n + 1] = (uint8_t)(asn >> 16);
            p[n + 2] = (uint8_t)(asn >> 8);
            p[n + 3] = (uint8_t)asn;
        }
    }
    return n;
}

static size_t rnd_unknown(uint8_t *p)
{
    static const uint8_t types[] = {11, 13, 19, 28, 33, 40, 128, 240, 255};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (rnd() % 3)
            continue;
        size_t len = rnd() % 12 ? rnd() % 20 : 250 + rnd() % 12;
        p[n++] = len > 255 ? 0xf0 : 0xe0;
        p[n++] = types[i];
        if (len > 255)
            p[n++] = (uint8_t)(len >> 8);
        p[n++] = (uint8_t)len;
        rnd_bytes(p + n, len);
        n += len;
        if (n > 900)
            break;
    }
    return n;
}

static void rnd_set(struct set *set, bool ipv6_nexthop, bool ibgp)
{
    struct vnrs_bgp_attrs *a = &set->attrs;

    *a = (struct vnrs_bgp_attrs){.origin = (uint8_t)(rnd() % 3), .has = (uint8_t)(rnd() % 16)};
    a->has = (uint8_t)(ibgp ? a->has | VNRS_BGP_HAS_LOCAL_PREF : a->has & ~VNRS_BGP_HAS_LOCAL_PREF);
    if (a->has & VNRS_BGP_HAS_MED)
        a->med = rnd();
    if (a->has & VNRS_BGP_HAS_LOCAL_PREF)
        a->local_pref = rnd();
    if (a->has & VNRS_BGP_HAS_AGGREGATOR) {
        a->aggregator_asn = 1 + (rnd() % 2 ? rnd() % 65535 : rnd());
        a->aggregator = vnrs_addr_from_v4(rnd());
    }
    a->nexthop = ipv6_nexthop ? addr("2001:db8::77") : addr("10.9.8.7");
    if (ipv6_nexthop && rnd() % 2)
        a->nexthop_link_local = addr("fe80::77");
    a->as_path = set->path;
    a->as_path_bytes = (uint16_t)rnd_path(set->path, rnd() % 4);
    a->communities = set->communities;
    a->n_communities = (uint16_t)(rnd() % 8 ? rnd() % 5 : rnd() % 70);
    uint32_t community = 0;
    for (unsigned i = 0; i < a->n_communities; i++)
        set->communities[i] = community += 1 + rnd() % 50000;
    a->ext_communities = set->ext;
    a->n_ext_communities = (uint16_t)(rnd() % 8 ? rnd() % 3 : rnd() % 40);
    rnd_bytes(set->ext, sizeof(set->ext));
    a->large_communities = set->large;
    a->n_large_communities = (uint16_t)(rnd() % 8 ? rnd() % 3 : rnd() % 40);
    rnd_bytes(set->large, sizeof(set->large));
    for (unsigned i = 0; i < a->n_large_communities; i++)
        set->large[i * 12] = (uint8_t)i; // ascending
    a->unknown = set->unknown;
    a->unknown_bytes = (uint16_t)rnd_unknown(set->unknown);
}

#define N_PREFIXES 9000
static struct vnrs_prefix many[N_PREFIXES];
static uint32_t path_ids[N_PREFIXES];

// The set survives: interning gives one pointer for both, prefixes come back in order, the message is well packed.
static void check_round(const struct vnrs_bgp_session *s, uint8_t af, const struct vnrs_bgp_attrs *attrs,
                        const struct vnrs_prefix *prefixes, size_t n, size_t size)
{
    struct vnrs_bgp_attr_table *table = vnrs_bgp_attr_table_new();
    struct vnrs_bgp_update update;
    struct vnrs_bgp_error error;
    uint8_t type;
    bool has_ids = s->add_path_tx[af];
    unsigned field = af == VNRS_BGP_AF6 || (attrs && attrs->nexthop.family == VNRS_AF_IPV6);
    size_t at = 0;

    assert_non_null(table);
    while (at < n) {
        size_t used = 0;
        int len = vnrs_bgp_update_encode(s, af, attrs, prefixes + at, has_ids ? path_ids + at : NULL, n - at, buf, size,
                                         &used);
        assert_true(len > 0 && (size_t)len <= size && used > 0);
        if (used < n - at) // an IPv6 prefix takes at most 4 + 17 octets, and one more for a longer length field
            assert_true((size_t)len + (has_ids ? 22 : 18) > MIN(size, s->extended_message ? 65535u : 4096u));
        assert_int_equal(vnrs_bgp_header_decode(buf, (size_t)len, s->extended_message, &type, &error), len);
        assert_int_equal(vnrs_bgp_update_decode(s, buf, (size_t)len, scratch, &update, &error), VNRS_BGP_OK);
        assert_int_equal(update.has_reach, attrs != NULL);
        struct vnrs_bgp_nlri *where = attrs ? update.reach : update.withdrawn;
        struct vnrs_bgp_nlri nlri = where[field];
        struct vnrs_prefix p;
        for (size_t i = 0; i < used; i++) {
            assert_int_equal(vnrs_bgp_nlri_next(&nlri, &p), 1);
            assert_true(vnrs_prefix_equal(&p, &prefixes[at + i]));
            assert_int_equal(nlri.path_id, has_ids ? path_ids[at + i] : 0);
        }
        assert_int_equal(vnrs_bgp_nlri_next(&nlri, &p), 0);
        if (attrs) {
            const struct vnrs_bgp_attrs *sent = vnrs_bgp_attrs_intern(table, attrs);
            const struct vnrs_bgp_attrs *got = vnrs_bgp_attrs_intern(table, &update.attrs[field]);
            assert_non_null(sent);
            assert_ptr_equal(sent, got);
            assert_int_equal(got->path_len, update.attrs[field].path_len);
            vnrs_bgp_attrs_unref(table, sent);
            vnrs_bgp_attrs_unref(table, got);
        }
        at += used;
    }
    vnrs_bgp_attr_table_free(table);
}

static void test_round_trip(void **state)
{
    static struct set set;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        uint8_t af = (uint8_t)(rnd() % 2);
        struct vnrs_bgp_session s = session(rnd() % 2);
        size_t n = rnd() % 16 ? 1 + rnd() % 20 : 1 + rnd() % 2000;

        s.ibgp = rnd() % 2;
        s.extended_message = rnd() % 4 == 0;
        s.ext_nexthop = rnd() % 2;
        s.add_path_rx[af] = s.add_path_tx[af] = rnd() % 2;
        for (size_t i = 0; i < n; i++) {
            many[i] = rnd_prefix(af);
            path_ids[i] = rnd();
        }
        if (rnd() % 8 == 0) {
            check_round(&s, af, NULL, many, n, VNRS_BGP_MSG_MAX);
            continue;
        }
        rnd_set(&set, af == VNRS_BGP_AF6 || (s.ext_nexthop && rnd() % 2), s.ibgp);
        s.extended_message |= set.attrs.as_path_bytes > 1200;
        check_round(&s, af, &set.attrs, many, n, s.extended_message ? VNRS_BGP_MSG_EXTENDED_MAX : VNRS_BGP_MSG_MAX);
    }
}

// Every size of buffer and every length of an attribute around the borders of its length fields.
static void test_borders(void **state)
{
    static struct set set;
    struct vnrs_bgp_session s = session(true);

    (void)state;
    for (unsigned kind = 0; kind < 6; kind++) { // IPv4, IPv6, IPv4 over IPv6, without and with path identifiers
        uint8_t af = kind % 3 == 1 ? VNRS_BGP_AF6 : VNRS_BGP_AF4;
        for (size_t i = 0; i < N_PREFIXES; i++) {
            many[i] = rnd_prefix(af);
            path_ids[i] = rnd();
        }
        s.ext_nexthop = kind % 3 == 2;
        s.add_path_rx[af] = s.add_path_tx[af] = kind >= 3;
        rnd_set(&set, kind % 3 > 0, false);
        set.attrs.as_path_bytes = 0;
        set.attrs.unknown_bytes = 0;
        for (size_t n = 1; n < 60; n++) // the multiprotocol attribute passes 255 octets
            check_round(&s, af, n % 2 ? &set.attrs : NULL, many, n, VNRS_BGP_MSG_MAX);
        for (size_t size = 4060; size <= 4100; size++)
            check_round(&s, af, &set.attrs, many, 2000, size);
        for (set.attrs.n_communities = 62; set.attrs.n_communities < 67; set.attrs.n_communities++) { // 248 to 264
            for (unsigned i = 0; i < set.attrs.n_communities; i++)
                set.communities[i] = i;
            check_round(&s, af, &set.attrs, many, 10, VNRS_BGP_MSG_MAX);
        }
        set.attrs.n_communities = 0;
        for (size_t len = 250; len < 260; len++) {
            set.unknown[0] = len > 255 ? 0xf0 : 0xe0;
            set.unknown[1] = 99;
            set.unknown[2] = len > 255 ? 1 : (uint8_t)len;
            set.unknown[3] = (uint8_t)len;
            set.attrs.unknown_bytes = (uint16_t)(len + (len > 255 ? 4 : 3));
            check_round(&s, af, &set.attrs, many, 10, VNRS_BGP_MSG_MAX);
        }
        s.extended_message = true;
        for (size_t size = 65500; size <= 65536; size += 4)
            check_round(&s, af, &set.attrs, many, N_PREFIXES, MIN(size, (size_t)VNRS_BGP_MSG_EXTENDED_MAX));
        s.extended_message = false;
    }
}

// All three numbers of octets that the length of the multiprotocol attribute changes at.
static void test_mp_length_field(void **state)
{
    const struct vnrs_bgp_session s = session(true);
    struct vnrs_prefix prefixes[300];
    size_t used;

    (void)state;
    // A value of 3 + 2 n octets: n = 126 gives 255, n = 127 gives 257.
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        prefixes[i] = prefix("2000::/8");
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, NULL, prefixes, NULL, 126, buf, 4096, &used),
                     23 + 3 + 255);
    assert_hex(buf + 23, 3, "800fff");
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, NULL, prefixes, NULL, 127, buf, 4096, &used),
                     23 + 4 + 257);
    assert_hex(buf + 23, 4, "900f0101");
    // No room for the longer header and another prefix: the shorter one is kept.
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, NULL, prefixes, NULL, 300, buf, 23 + 4 + 256, &used),
                     281);
    assert_int_equal(used, 126);
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF6, NULL, prefixes, NULL, 300, buf, 23 + 4 + 257, &used),
                     284);
    assert_int_equal(used, 127);
}

// Attributes that leave no room for a single prefix, and ones that leave just enough.
static void test_full_of_attributes(void **state)
{
    static struct set set;
    struct vnrs_bgp_session s = session(true);
    const struct vnrs_prefix p = prefix("10.0.0.1/32");
    size_t used;

    (void)state;
    set.attrs.communities = set.communities;
    set.attrs.nexthop = addr("10.0.0.1");
    for (unsigned i = 0; i < ARRAY_SIZE(set.communities); i++)
        set.communities[i] = i;
    // 23 + 4 + 3 + 7 + 4 + 4 n + 5
    set.attrs.n_communities = (4096 - 46) / 4;
    check_round(&s, VNRS_BGP_AF4, &set.attrs, &p, 1, VNRS_BGP_MSG_MAX);
    set.attrs.n_communities++;
    assert_int_equal(vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &set.attrs, &p, NULL, 1, buf, sizeof(buf), &used),
                     -ENOBUFS);
    s.extended_message = true;
    check_round(&s, VNRS_BGP_AF4, &set.attrs, &p, 1, VNRS_BGP_MSG_EXTENDED_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_azure_first_update),  cmocka_unit_test(test_golden),
        cmocka_unit_test(test_paths_and_next_hops), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_round_trip),          cmocka_unit_test(test_borders),
        cmocka_unit_test(test_mp_length_field),     cmocka_unit_test(test_full_of_attributes),
    };
    return cmocka_run_group_tests_name("bgp.update_encode", tests, NULL, NULL);
}
