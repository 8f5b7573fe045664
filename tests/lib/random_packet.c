// SPDX-License-Identifier: GPL-2.0-or-later
#include "random_packet.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#define ETH         14u
#define PADDING_MAX 46u

static const uint8_t fabric_mac[6] = VNRS_FABRIC_MAC;

#define PICK(rng, array) ((array)[rng_below(rng, ARRAY_SIZE(array))])

// ---- addresses

static void add_addr(struct random_pool *pool, const struct vnrs_addr *addr)
{
    int r = addr->family == VNRS_AF_IPV4 ? vec_push(&pool->v4, *addr) : vec_push(&pool->v6, *addr);
    assert(r == 0);
}

void random_pool_init(struct random_pool *pool, struct rng *rng, const struct pm_world *world,
                      const struct vnrs_prefix *prefixes, size_t n)
{
    *pool = (struct random_pool){0};
    vec_foreach (port, &world->ports) {
        for (size_t i = 0; i < port->n_addrs; i++) {
            struct vnrs_addr beside = vnrs_addr_add(&port->addrs[i], 1 + rng_below(rng, 200));
            add_addr(pool, &port->addrs[i]);
            if (rng_percent(rng, 50))
                add_addr(pool, &port->addrs[i]);
            if (rng_percent(rng, 20))
                add_addr(pool, &beside);
        }
        struct vnrs_addr gateway = pm_gateway(port, rng_percent(rng, 50) ? VNRS_AF_IPV4 : VNRS_AF_IPV6);
        if (gateway.family && rng_percent(rng, 20))
            add_addr(pool, &gateway);
    }
    list_foreach (lb, &world->model->balancers)
        for (unsigned i = 0; i < 4; i++)
            add_addr(pool, &lb->frontend);
    for (size_t i = 0; i < n; i++) {
        struct vnrs_addr first = vnrs_prefix_addr(&prefixes[i]), last = vnrs_prefix_last(&prefixes[i]);
        struct vnrs_addr inside = vnrs_addr_add(&first, rng_below(rng, prefixes[i].len > 24 ? 1 : 65536));
        add_addr(pool, &inside);
        add_addr(pool, rng_percent(rng, 50) ? &first : &last);
    }
    if (!pool->v6.len)
        add_addr(pool, &(struct vnrs_addr){.family = VNRS_AF_IPV6, .bytes = {0x20, 1, 0xd, 0xb8}});
}

void random_pool_fini(struct random_pool *pool)
{
    vec_free(&pool->v4);
    vec_free(&pool->v6);
}

static struct vnrs_addr any_addr(struct rng *rng, uint8_t family)
{
    struct vnrs_addr addr = {.family = family};
    uint64_t words[2] = {rng_next(rng), rng_next(rng)};

    memcpy(addr.bytes, words, family == VNRS_AF_IPV4 ? 4 : 16);
    return addr;
}

// Addresses that are special wherever they appear.
static struct vnrs_addr odd_addr(struct rng *rng, uint8_t family)
{
    static const char *const odd4[] = {"0.0.0.0",         "127.0.0.1",     "224.0.0.5",       "239.1.2.3",
                                       "255.255.255.255", "168.63.129.16", "169.254.169.254", "169.254.7.7",
                                       "240.0.0.1",       "0.1.2.3",       "192.0.2.1",       "10.0.0.255"};
    static const char *const odd6[] = {
        "::",     "::1", "ff02::1", "ff0e::7", "fe80::1", "fe80::1234:5678:9abc", "::ffff:10.0.1.4", "2002:a00:104::1",
        "fec0::1"};
    struct vnrs_addr addr;
    int r = vnrs_addr_parse(family == VNRS_AF_IPV4 ? PICK(rng, odd4) : PICK(rng, odd6), &addr);

    assert(r == 0);
    return addr;
}

static struct vnrs_addr pool_addr(struct rng *rng, const struct random_pool *pool, uint8_t family)
{
    return family == VNRS_AF_IPV4 ? pool->v4.items[rng_below(rng, (uint32_t)pool->v4.len)]
                                  : pool->v6.items[rng_below(rng, (uint32_t)pool->v6.len)];
}

static struct vnrs_addr draw_dst(struct rng *rng, const struct random_pool *pool, uint8_t family)
{
    uint32_t luck = rng_below(rng, 100);

    return luck < 90 ? pool_addr(rng, pool, family) : luck < 96 ? odd_addr(rng, family) : any_addr(rng, family);
}

static struct vnrs_addr draw_src(struct rng *rng, const struct random_pool *pool, const struct pm_port *from,
                                 uint8_t family)
{
    uint32_t luck = rng_below(rng, 100);

    for (size_t i = 0; luck < 82 && i < 4 * from->n_addrs; i++) {
        const struct vnrs_addr *own = &from->addrs[rng_below(rng, (uint32_t)from->n_addrs)];
        if (own->family == family)
            return *own;
    }
    return luck < 95 ? pool_addr(rng, pool, family) : luck < 98 ? odd_addr(rng, family) : any_addr(rng, family);
}

// ---- bytes

static void put(struct random_frame *f, const void *bytes, size_t len)
{
    assert(f->len + len <= sizeof(f->bytes));
    memcpy(f->bytes + f->len, bytes, len);
    f->len += len;
}

static void put8(struct random_frame *f, unsigned value)
{
    const uint8_t byte = (uint8_t)value;
    put(f, &byte, 1);
}

static void put16(struct random_frame *f, unsigned value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    put(f, bytes, 2);
}

static void put_addr(struct random_frame *f, const struct vnrs_addr *addr)
{
    put(f, addr->bytes, addr->family == VNRS_AF_IPV4 ? 4 : 16);
}

static void put_random(struct random_frame *f, struct rng *rng, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = rng_next(rng);
        put(f, &word, MIN(len - i, (size_t)8));
    }
}

static void set16(struct random_frame *f, size_t at, unsigned value)
{
    f->bytes[at] = (uint8_t)(value >> 8);
    f->bytes[at + 1] = (uint8_t)value;
}

static void set_checksum(struct random_frame *f, size_t at, size_t from, size_t len)
{
    uint32_t sum = 0;

    set16(f, at, 0);
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? f->bytes[from + i] : (uint32_t)f->bytes[from + i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    set16(f, at, ~sum & 0xffff);
}

// ---- what is above IP

static unsigned draw_protocol(struct rng *rng, bool v6)
{
    static const uint8_t often[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ICMPV6},
                         seldom[] = {IPPROTO_GRE, IPPROTO_IPIP, IPPROTO_ESP, IPPROTO_SCTP, IPPROTO_IPV6, 112};
    uint32_t luck = rng_below(rng, 100);

    if (luck < 88) {
        unsigned protocol = PICK(rng, often);
        return protocol == IPPROTO_ICMP && v6 && luck < 80 ? IPPROTO_ICMPV6 : protocol;
    }
    return luck < 98 ? PICK(rng, seldom) : rng_below(rng, 256);
}

// Sizes around what headers need and around MTUs.
static size_t draw_payload(struct rng *rng, size_t most)
{
    uint32_t luck = rng_below(rng, 100);
    size_t len = luck < 4    ? rng_below(rng, 8)
                 : luck < 80 ? 20 + rng_below(rng, 60)
                 : luck < 90 ? 1180 + rng_below(rng, 120)
                 : luck < 96 ? 1340 + rng_below(rng, 300)
                             : 1900 + rng_below(rng, 1300);

    return MIN(len, most);
}

static void put_upper(struct random_frame *f, struct rng *rng, unsigned protocol, size_t len)
{
    static const uint16_t ports[] = {22, 53, 80, 179, 443, 1000, 1001, 1002, 1003, 40000, 65330};
    static const uint8_t types4[] = {0, 3, 4, 5, 8, 8, 8, 11, 12, 13, 42},
                         types6[] = {1, 2, 3, 127, 128, 128, 129, 133, 134, 135, 136, 137, 143};
    size_t at = f->len;

    put_random(f, rng, len);
    if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && len >= 4) {
        set16(f, at, PICK(rng, ports));
        set16(f, at + 2, PICK(rng, ports));
    } else if ((protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && len >= 1) {
        f->bytes[at] = protocol == IPPROTO_ICMP ? PICK(rng, types4) : PICK(rng, types6);
    }
}

static unsigned draw_fragment(struct rng *rng)
{
    uint32_t luck = rng_below(rng, 100);

    return luck < 60   ? 0
           : luck < 80 ? 0x4000
           : luck < 86 ? 0x2000
           : luck < 92 ? 1 + rng_below(rng, 0x1ff)
           : luck < 95 ? 0x2000 | (1 + rng_below(rng, 0x1ff))
                       : rng_below(rng, 65536);
}

static unsigned draw_ttl(struct rng *rng)
{
    static const uint8_t odd[] = {0, 1, 2, 255};

    return rng_percent(rng, 94) ? 64 : PICK(rng, odd);
}

static void put_ipv4(struct random_frame *f, struct rng *rng, const struct random_pool *pool, size_t most)
{
    unsigned options = rng_percent(rng, 90) ? 0 : rng_below(rng, 11) * 4, protocol = draw_protocol(rng, false);
    struct vnrs_addr src = draw_src(rng, pool, f->from, VNRS_AF_IPV4), dst = draw_dst(rng, pool, VNRS_AF_IPV4);
    size_t at = f->len, payload = draw_payload(rng, most - 20 - options);

    put8(f, 0x45 + options / 4), put8(f, rng_percent(rng, 90) ? 0 : rng_below(rng, 256));
    put16(f, 20 + options + (unsigned)payload), put16(f, rng_below(rng, 65536)), put16(f, draw_fragment(rng));
    put8(f, draw_ttl(rng)), put8(f, protocol), put16(f, 0);
    put_addr(f, &src), put_addr(f, &dst);
    if (rng_percent(rng, 70)) { // no operation
        for (unsigned i = 0; i < options; i++)
            put8(f, 1);
    } else {
        put_random(f, rng, options);
    }
    put_upper(f, rng, protocol, payload);
    set_checksum(f, at + 10, at, 20 + options);
}

static unsigned draw_extension(struct rng *rng)
{
    static const uint8_t types[] = {IPPROTO_HOPOPTS,  IPPROTO_DSTOPTS, IPPROTO_ROUTING,
                                    IPPROTO_FRAGMENT, IPPROTO_AH,      IPPROTO_FRAGMENT};
    return PICK(rng, types);
}

static void put_extension(struct random_frame *f, struct rng *rng, unsigned type, unsigned next)
{
    unsigned more = rng_percent(rng, 80) ? 0 : rng_below(rng, 3);

    put8(f, next);
    if (type == IPPROTO_FRAGMENT) {
        put8(f, 0);
        put16(f, rng_percent(rng, 30) ? 0 : rng_percent(rng, 40) ? 1 : rng_below(rng, 0x400) << 3 | rng_below(rng, 2));
        put_random(f, rng, 4);
    } else if (type == IPPROTO_AH) {
        put8(f, 4 + 2 * more);
        put_random(f, rng, 22 + 8 * more);
    } else if (type == IPPROTO_ROUTING) { // type 4, no segments left
        put8(f, more);
        put16(f, 0x0400);
        put_random(f, rng, 4 + 8 * more);
    } else { // one padding option
        put8(f, more);
        put8(f, 1), put8(f, 4 + 8 * more);
        for (unsigned i = 0; i < 4 + 8 * more; i++)
            put8(f, 0);
    }
}

static void put_ipv6(struct random_frame *f, struct rng *rng, const struct random_pool *pool, size_t most)
{
    unsigned types[10], n = rng_percent(rng, 80) ? 0 : 1 + rng_below(rng, rng_percent(rng, 80) ? 3 : 10);
    unsigned protocol = draw_protocol(rng, true);
    struct vnrs_addr src = draw_src(rng, pool, f->from, VNRS_AF_IPV6), dst = draw_dst(rng, pool, VNRS_AF_IPV6);
    size_t at = f->len;

    for (unsigned i = 0; i < n; i++) // hop-by-hop options come first, if at all
        types[i] = draw_extension(rng);
    put8(f, 0x60), put8(f, 0), put16(f, 0);
    put16(f, 0), put8(f, n ? types[0] : protocol), put8(f, draw_ttl(rng));
    put_addr(f, &src), put_addr(f, &dst);
    for (unsigned i = 0; i < n; i++)
        put_extension(f, rng, types[i], i + 1 < n ? types[i + 1] : protocol);
    put_upper(f, rng, protocol, draw_payload(rng, most - (f->len - at)));
    set16(f, at + 4, (unsigned)(f->len - at - 40));
}

static void put_arp(struct random_frame *f, struct rng *rng, const struct random_pool *pool)
{
    static const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0};
    struct vnrs_addr sender = draw_src(rng, pool, f->from, VNRS_AF_IPV4), target = draw_dst(rng, pool, VNRS_AF_IPV4);

    if (rng_percent(rng, 5))
        memset(sender.bytes, 0, 4);
    put(f, head, sizeof(head));
    put8(f, rng_percent(rng, 90) ? 1 : rng_below(rng, 4));
    put(f, f->bytes + 6, 6), put_addr(f, &sender);
    put_random(f, rng, 6), put_addr(f, rng_percent(rng, 10) ? &sender : &target);
}

static void put_solicitation(struct random_frame *f, struct rng *rng, const struct random_pool *pool)
{
    struct vnrs_addr src = draw_src(rng, pool, f->from, VNRS_AF_IPV6), target = draw_dst(rng, pool, VNRS_AF_IPV6);
    bool option = rng_percent(rng, 80);
    size_t at = f->len;

    if (rng_percent(rng, 8))
        memset(src.bytes, 0, 16);
    put8(f, 0x60), put8(f, 0), put16(f, 0);
    put16(f, option ? 32 : 24), put8(f, IPPROTO_ICMPV6), put8(f, rng_percent(rng, 95) ? 255 : draw_ttl(rng));
    put_addr(f, &src);
    if (rng_percent(rng, 60)) {
        static const uint8_t node[13] = {0xff, 2, [11] = 1, [12] = 0xff};
        put(f, node, 13), put(f, target.bytes + 13, 3);
    } else {
        put_addr(f, &target);
    }
    put8(f, 135), put8(f, 0), put16(f, 0), put16(f, 0), put16(f, 0), put_addr(f, &target);
    if (option)
        put8(f, 1), put8(f, 1), put(f, f->bytes + 6, 6);
    // Checksum with the pseudo header: put in front for a moment.
    uint32_t sum = (uint32_t)(f->len - at - 40) + IPPROTO_ICMPV6;
    for (size_t i = at + 8; i < f->len; i++)
        sum += (i - at) % 2 ? f->bytes[i] : (uint32_t)f->bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    set16(f, at + 42, ~sum & 0xffff);
}

// ---- what goes wrong on the way

static void spoil(struct random_frame *f, struct rng *rng)
{
    switch (rng_below(rng, 5)) {
    case 0: // a byte of the headers
        f->bytes[12 + rng_below(rng, (uint32_t)MIN(f->len - 12, (size_t)60))] = (uint8_t)rng_next(rng);
        break;
    case 1: // cut
        f->len = ETH + rng_below(rng, (uint32_t)(f->len - ETH) + 1);
        break;
    case 2: // padded
        put_random(f, rng, MIN(1 + rng_below(rng, PADDING_MAX), RANDOM_FRAME_MAX - f->len));
        break;
    case 3: // lengths
        if (f->len > ETH + 6)
            set16(f, ETH + (rng_percent(rng, 50) ? 2 : 4), rng_below(rng, rng_percent(rng, 80) ? 128 : 65536));
        break;
    default: // version, header length
        if (f->len > ETH)
            f->bytes[ETH] = (uint8_t)rng_next(rng);
    }
}

void random_frame_make(struct rng *rng, const struct pm_world *world, const struct random_pool *pool,
                       struct random_frame *ret_frame)
{
    static const uint16_t others[] = {0x8100, 0x88a8, 0x88cc, 0x0842, 0x0026, 0x8863, 0x0805};
    struct random_frame *f = ret_frame;
    uint32_t luck = rng_below(rng, 100), mac_luck = rng_below(rng, 100);
    uint8_t group_mac[6] = {0x01, 0x00, 0x5e, 0, 0, (uint8_t)luck}, other_mac[6] = {2, 0, 0, 0, 7, (uint8_t)luck};

    f->from = &world->ports.items[rng_below(rng, (uint32_t)world->ports.len)];
    f->len = 0;
    size_t most = MIN(f->from->mtu, RANDOM_FRAME_MAX - ETH - PADDING_MAX); // more a NIC does not send
    if (mac_luck < 2)
        memset(group_mac, 0xff, 6);
    put(f, mac_luck < 4 ? group_mac : mac_luck < 6 ? other_mac : fabric_mac, 6);
    put(f, f->from->mac.bytes, 6);
    put16(f, luck < 48 ? 0x0800 : luck < 86 ? 0x86dd : luck < 92 ? 0x0806 : luck < 97 ? 0x86dd : PICK(rng, others));
    if (luck < 48)
        put_ipv4(f, rng, pool, most);
    else if (luck < 86)
        put_ipv6(f, rng, pool, most);
    else if (luck < 92)
        put_arp(f, rng, pool);
    else if (luck < 97)
        put_solicitation(f, rng, pool);
    else
        put_random(f, rng, 20 + rng_below(rng, 60));
    if (rng_percent(rng, 10))
        spoil(f, rng);
}
