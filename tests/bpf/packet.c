// SPDX-License-Identifier: GPL-2.0-or-later
#include "packet.h"

#include "util/macros.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define HOP_BY_HOP 0xff // see struct spec

static void put(struct frame *f, const void *bytes, size_t len)
{
    assert(f->len + len <= FRAME_MAX);
    memcpy(f->bytes + f->len, bytes, len);
    f->len += len;
}

static void put8(struct frame *f, uint8_t value)
{
    put(f, &value, 1);
}

static void put16(struct frame *f, uint16_t value)
{
    value = htons(value);
    put(f, &value, 2);
}

static void put32(struct frame *f, uint32_t value)
{
    value = htonl(value);
    put(f, &value, 4);
}

static void put_addr(struct frame *f, int family, const char *text)
{
    uint8_t bytes[16];

    assert(inet_pton(family, text, bytes) == 1);
    put(f, bytes, family == AF_INET ? 4 : 16);
}

static void put_mac(struct frame *f, const char *text)
{
    uint8_t mac[6];

    mac_parse(text, mac);
    put(f, mac, 6);
}

static void set16(struct frame *f, size_t at, uint16_t value)
{
    f->bytes[at] = value >> 8;
    f->bytes[at + 1] = value & 0xff;
}

void mac_parse(const char *text, uint8_t ret_mac[6])
{
    assert(sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &ret_mac[0], &ret_mac[1], &ret_mac[2], &ret_mac[3],
                  &ret_mac[4], &ret_mac[5]) == 6);
}

uint16_t checksum(const void *bytes, size_t len, uint32_t sum)
{
    const uint8_t *b = bytes;

    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint32_t pseudo_sum6(const uint8_t *addresses, uint32_t len, uint8_t next)
{
    return (uint16_t)~checksum(addresses, 32, 0) + len + next;
}

static void put_upper(struct frame *f, const struct spec *s, uint8_t proto)
{
    uint16_t sport = s->sport ? s->sport : 1000, dport = s->dport ? s->dport : 2000;

    if (proto == IPPROTO_UDP) {
        put16(f, sport), put16(f, dport), put16(f, (uint16_t)(8 + s->payload)), put16(f, 0);
    } else if (proto == IPPROTO_TCP) {
        put16(f, sport), put16(f, dport), put32(f, 1), put32(f, 0), put16(f, 0x5010), put16(f, 1000), put32(f, 0);
    } else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
        put8(f, s->icmp_type ? s->icmp_type : proto == IPPROTO_ICMP ? 8 : 128);
        put8(f, 0), put16(f, 0), put32(f, 1);
    }
    for (unsigned i = 0; i < s->payload; i++)
        put8(f, (uint8_t)(i * 7 + i / 256));
}

static void put_ipv4(struct frame *f, const struct spec *s, uint8_t proto)
{
    size_t start = f->len;

    put8(f, (uint8_t)(0x45 + s->options / 4)), put8(f, 0), put16(f, 0), put16(f, 0x1234), put16(f, s->frag);
    put8(f, 64), put8(f, proto), put16(f, 0);
    put_addr(f, AF_INET, s->src), put_addr(f, AF_INET, s->dst);
    for (unsigned i = 0; i < s->options; i++)
        put8(f, 1); // no operation
    if (!(s->frag & 0x1fff))
        put_upper(f, s, proto);
    else
        for (unsigned i = 0; i < s->payload; i++)
            put8(f, 0);
    set16(f, start + 2, (uint16_t)(f->len - start));
    set16(f, start + 10, checksum(f->bytes + start, 20 + s->options, 0));
}

static void put_ipv6(struct frame *f, const struct spec *s, uint8_t proto)
{
    size_t start = f->len, next = start + 6; // where the type of the next header goes

    put32(f, 0x60000000), put16(f, 0), put8(f, 0), put8(f, 64);
    put_addr(f, AF_INET6, s->src), put_addr(f, AF_INET6, s->dst);
    for (unsigned i = 0; i < EXT_MAX && s->ext[i]; i++) {
        f->bytes[next] = s->ext[i] == HOP_BY_HOP ? 0 : s->ext[i];
        next = f->len;
        put32(f, 0x00000104), put32(f, 0); // padding option
    }
    if (s->frag_header) {
        f->bytes[next] = IPPROTO_FRAGMENT;
        next = f->len;
        put16(f, 0), put16(f, s->frag), put32(f, 77);
    }
    f->bytes[next] = proto;
    if (!(s->frag & 0xfff8))
        put_upper(f, s, proto);
    else
        for (unsigned i = 0; i < s->payload; i++)
            put8(f, 0);
    set16(f, start + 4, (uint16_t)(f->len - start - 40));
}

void frame_build(const struct spec *s, struct frame *ret_frame)
{
    struct frame f = {.len = 0};
    bool v6 = s->src && strchr(s->src, ':');
    uint8_t proto = s->proto ? s->proto : IPPROTO_UDP;

    put_mac(&f, s->mac ? s->mac : FABRIC_MAC);
    put_mac(&f, GUEST_MAC);
    put16(&f, s->ethertype ? s->ethertype : v6 ? 0x86dd : 0x0800);
    if (s->src && v6)
        put_ipv6(&f, s, proto);
    else if (s->src)
        put_ipv4(&f, s, proto);
    else
        put_upper(&f, s, 0xff);
    if (s->at)
        f.bytes[s->at] = s->value;
    if (s->cut)
        f.len = MIN(f.len, s->cut);
    *ret_frame = f;
}

static void put_arp(struct frame *f, uint16_t op, const char *sha, const char *spa, const char *tha, const char *tpa)
{
    put16(f, 0x0806), put16(f, 1), put16(f, 0x0800), put8(f, 6), put8(f, 4), put16(f, op);
    put_mac(f, sha), put_addr(f, AF_INET, spa), put_mac(f, tha), put_addr(f, AF_INET, tpa);
}

void frame_arp(const char *mac, uint16_t op, const char *sender, const char *target, struct frame *ret_frame)
{
    struct frame f = {.len = 0};

    put_mac(&f, mac), put_mac(&f, GUEST_MAC);
    put_arp(&f, op, GUEST_MAC, sender, "00:00:00:00:00:00", target);
    *ret_frame = f;
}

void frame_arp_reply(const char *sender, const char *target, struct frame *ret_frame)
{
    struct frame f = {.len = 0};

    put_mac(&f, GUEST_MAC), put_mac(&f, FABRIC_MAC);
    put_arp(&f, 2, FABRIC_MAC, target, GUEST_MAC, sender);
    *ret_frame = f;
}

// ICMPv6 body from `body` to the end of the frame: length and checksum.
static void finish_icmpv6(struct frame *f)
{
    uint32_t len = (uint32_t)(f->len - 54);

    set16(f, 14 + 4, (uint16_t)len);
    set16(f, 56, checksum(f->bytes + 54, len, pseudo_sum6(f->bytes + 22, len, IPPROTO_ICMPV6)));
}

void frame_solicit(const char *mac, const char *src, const char *dst, const char *target, bool with_option,
                   struct frame *ret_frame)
{
    struct frame f = {.len = 0};

    put_mac(&f, mac), put_mac(&f, GUEST_MAC), put16(&f, 0x86dd);
    put32(&f, 0x60000000), put16(&f, 0), put8(&f, IPPROTO_ICMPV6), put8(&f, 255);
    put_addr(&f, AF_INET6, src), put_addr(&f, AF_INET6, dst);
    put8(&f, 135), put8(&f, 0), put16(&f, 0), put32(&f, 0), put_addr(&f, AF_INET6, target);
    if (with_option)
        put8(&f, 1), put8(&f, 1), put_mac(&f, GUEST_MAC);
    finish_icmpv6(&f);
    *ret_frame = f;
}

void frame_advert(const char *to, const char *target, struct frame *ret_frame)
{
    struct frame f = {.len = 0};

    put_mac(&f, GUEST_MAC), put_mac(&f, FABRIC_MAC), put16(&f, 0x86dd);
    put32(&f, 0x60000000), put16(&f, 0), put8(&f, IPPROTO_ICMPV6), put8(&f, 255);
    put_addr(&f, AF_INET6, target), put_addr(&f, AF_INET6, to);
    put8(&f, 136), put8(&f, 0), put16(&f, 0), put32(&f, 0xe0000000), put_addr(&f, AF_INET6, target);
    put8(&f, 2), put8(&f, 1), put_mac(&f, FABRIC_MAC);
    finish_icmpv6(&f);
    *ret_frame = f;
}
