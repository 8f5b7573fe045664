// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/frame.h"

#include "util/macros.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define ETHERNET_BYTES   14
#define TYPE_IPV4        0x0800
#define TYPE_IPV6        0x86dd
#define IPV4_BYTES       20
#define IPV6_BYTES       40
#define IPV4_LEN_MAX     65535
#define IPV4_FRAGMENT    0x3fff // offset, and whether more follow
#define IPV6_FRAGMENT    0xfff9
#define EXTENSION_BYTES  8
#define EXTENSIONS_MAX   8 // more are malformed, as in the packet path
#define TCP_HEADER_BYTES 20
#define UDP_HEADER_BYTES 8

struct packet { // from its IP header
    const uint8_t *bytes;
    size_t n, len, l4; // bytes that there are; that it has; where the upper layer begins
    struct vnrs_frame *frame;
};

static uint16_t get_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void read_ports(const struct packet *p)
{
    struct vnrs_frame *frame = p->frame;
    size_t header = frame->protocol == IPPROTO_TCP   ? TCP_HEADER_BYTES
                    : frame->protocol == IPPROTO_UDP ? UDP_HEADER_BYTES
                                                     : 0;

    if (!header || p->l4 + header > p->len || p->l4 + 4 > p->n)
        return;
    memcpy(&frame->sport_be, p->bytes + p->l4, 2);
    memcpy(&frame->dport_be, p->bytes + p->l4 + 2, 2);
}

static void read_ipv4(struct packet *p)
{
    const uint8_t *ip = p->bytes;

    if (p->n < IPV4_BYTES || ip[0] >> 4 != 4)
        return;
    size_t len = get_u16(ip + 2);
    if (!len && p->len > IPV4_LEN_MAX) // before segmentation
        len = p->len;
    p->l4 = (size_t)(ip[0] & 15) * 4;
    if (p->l4 < IPV4_BYTES || len < p->l4 || len > p->len)
        return;
    p->len = len;
    p->frame->family = 4;
    p->frame->protocol = ip[9];
    memcpy(p->frame->saddr, ip + 12, 4);
    memcpy(p->frame->daddr, ip + 16, 4);
    if (!(get_u16(ip + 6) & IPV4_FRAGMENT))
        read_ports(p);
}

static bool is_extension(uint8_t protocol)
{
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
           protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH;
}

// True: the upper layer is there, and whole.
static bool skip_extensions(struct packet *p)
{
    for (int i = 0; is_extension(p->frame->protocol); i++) {
        const uint8_t *extension = p->bytes + p->l4;
        uint8_t at = p->frame->protocol;
        if (i == EXTENSIONS_MAX || p->l4 + EXTENSION_BYTES > MIN(p->n, p->len))
            return false;
        p->frame->protocol = extension[0];
        if (at == IPPROTO_FRAGMENT) {
            p->l4 += EXTENSION_BYTES;
            if (get_u16(extension + 2) & IPV6_FRAGMENT)
                return false;
        } else {
            p->l4 += at == IPPROTO_AH ? ((size_t)extension[1] + 2) * 4 : ((size_t)extension[1] + 1) * 8;
        }
    }
    return true;
}

static void read_ipv6(struct packet *p)
{
    const uint8_t *ip = p->bytes;

    if (p->n < IPV6_BYTES || ip[0] >> 4 != 6)
        return;
    size_t len = IPV6_BYTES + get_u16(ip + 4);
    if (len == IPV6_BYTES && p->len > IPV4_LEN_MAX)
        len = p->len;
    if (len > p->len)
        return;
    p->len = len;
    p->l4 = IPV6_BYTES;
    p->frame->family = 6;
    p->frame->protocol = ip[6];
    memcpy(p->frame->saddr, ip + 8, 16);
    memcpy(p->frame->daddr, ip + 24, 16);
    if (skip_extensions(p))
        read_ports(p);
}

void vnrs_frame_parse(const uint8_t *bytes, size_t n, size_t len, struct vnrs_frame *ret_frame)
{
    *ret_frame = (struct vnrs_frame){0};
    if (n < ETHERNET_BYTES || len < n)
        return;
    struct packet p = {
        .bytes = bytes + ETHERNET_BYTES, .n = n - ETHERNET_BYTES, .len = len - ETHERNET_BYTES, .frame = ret_frame};
    uint16_t type = get_u16(bytes + 12);
    if (type == TYPE_IPV4)
        read_ipv4(&p);
    else if (type == TYPE_IPV6)
        read_ipv6(&p);
}
