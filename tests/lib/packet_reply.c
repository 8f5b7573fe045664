// SPDX-License-Identifier: GPL-2.0-or-later
// What the fabric itself says: ARP, neighbour advertisements, and ICMP errors about packets that are too big.
#include "packet_model.h"

#include <netinet/in.h>
#include <string.h>

#define ETH 14u

static const uint8_t fabric_mac[6] = VNRS_FABRIC_MAC;

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static uint32_t sum16(const uint8_t *bytes, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return sum;
}

static bool is_checksum_right(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

static uint32_t pseudo_sum(const uint8_t *ip6, size_t len)
{
    return sum16(ip6 + 8, 32, (uint32_t)len + IPPROTO_ICMPV6);
}

// RFC 826: the question turned round, every address the fabric's.
static const char *arp_wrong(const uint8_t *in, const uint8_t *out, size_t len)
{
    uint8_t want[42];

    memcpy(want, in + 6, 6);
    memcpy(want + 6, fabric_mac, 6);
    memcpy(want + 12, in + 12, 8);
    want[20] = 0, want[21] = 2;
    memcpy(want + 22, fabric_mac, 6);
    memcpy(want + 28, in + 38, 4);
    memcpy(want + 32, in + 22, 6);
    memcpy(want + 38, in + 28, 4);
    return len < sizeof(want) || memcmp(want, out, sizeof(want)) != 0 ? "not the ARP reply" : NULL;
}

// RFC 4861 4.4: router, solicited, override; from the target, with its link-layer address.
static const char *advert_wrong(const uint8_t *in, const uint8_t *out, size_t len)
{
    static const uint8_t head[8] = {0x60, 0, 0, 0, 0, 32, IPPROTO_ICMPV6, 255}, icmp[2] = {136, 0}, flags[4] = {0xe0};
    const uint8_t *ip = out + ETH;

    if (len != ETH + 40 + 32 || get16(out + 12) != 0x86dd || memcmp(ip, head, sizeof(head)) != 0)
        return "not the head of a neighbour advertisement";
    if (memcmp(ip + 8, in + ETH + 48, 16) != 0 || memcmp(ip + 24, in + ETH + 8, 16) != 0)
        return "neighbour advertisement with other addresses";
    if (memcmp(ip + 40, icmp, 2) != 0 || memcmp(ip + 44, flags, 4) != 0 || memcmp(ip + 48, in + ETH + 48, 16) != 0)
        return "not a neighbour advertisement";
    if (ip[64] != 2 || ip[65] != 1 || memcmp(ip + 66, fabric_mac, 6) != 0)
        return "neighbour advertisement without the fabric's address";
    return is_checksum_right(sum16(ip + 40, 32, pseudo_sum(ip, 32))) ? NULL : "checksum of a neighbour advertisement";
}

// As much of the packet as fits below 576 bytes (RFC 1812 4.3.2.3), give or take less than what 68 bytes are.
static const char *too_big4_wrong(const struct pm_port *from, const struct pm_outcome *outcome, const uint8_t *in,
                                  const uint8_t *out, size_t len)
{
    const struct vnrs_addr gateway = pm_gateway(from, VNRS_AF_IPV4);
    const uint8_t *ip = out + ETH;

    if (len < ETH + 28 || get16(out + 12) != 0x0800 || ip[0] != 0x45 || get16(ip + 2) != len - ETH ||
        ip[9] != IPPROTO_ICMP || get16(ip + 6) || !ip[8] || !is_checksum_right(sum16(ip, 20, 0)))
        return "not the IPv4 header of an ICMP error";
    if (memcmp(ip + 12, gateway.bytes, 4) != 0 || memcmp(ip + 16, in + ETH + 12, 4) != 0)
        return "ICMP error with other addresses";
    if (ip[20] != 3 || ip[21] != 4 || get16(ip + 24) || get16(ip + 26) != outcome->mtu)
        return "not fragmentation needed, or another MTU";
    if (len - ETH > 576 || len - ETH < 576 - 68 || memcmp(ip + 28, in + ETH, len - ETH - 28) != 0)
        return "what the ICMP error quotes";
    return is_checksum_right(sum16(ip + 20, len - ETH - 20, 0)) ? NULL : "checksum of an ICMP error";
}

// As much as fits below 1280 bytes (RFC 4443 3.2), likewise.
static const char *too_big6_wrong(const struct pm_port *from, const struct pm_outcome *outcome, const uint8_t *in,
                                  const uint8_t *out, size_t len)
{
    const struct vnrs_addr gateway = pm_gateway(from, VNRS_AF_IPV6);
    const uint8_t *ip = out + ETH;

    if (len < ETH + 48 || get16(out + 12) != 0x86dd || ip[0] != 0x60 || get16(ip + 4) != len - ETH - 40 ||
        ip[6] != IPPROTO_ICMPV6 || !ip[7])
        return "not the IPv6 header of an ICMPv6 error";
    if (memcmp(ip + 8, gateway.bytes, 16) != 0 || memcmp(ip + 24, in + ETH + 8, 16) != 0)
        return "ICMPv6 error with other addresses";
    if (ip[40] != 2 || ip[41] || get16(ip + 44) || get16(ip + 46) != outcome->mtu)
        return "not packet too big, or another MTU";
    if (len - ETH > 1280 || len - ETH < 1280 - 68 || memcmp(ip + 48, in + ETH, len - ETH - 48) != 0)
        return "what the ICMPv6 error quotes";
    size_t payload = len - ETH - 40;
    return is_checksum_right(sum16(ip + 40, payload, pseudo_sum(ip, payload))) ? NULL : "checksum of an ICMPv6 error";
}

const char *pm_reply_wrong(const struct pm_port *from, const struct pm_result *result, const struct pm_outcome *outcome,
                           const uint8_t *in, const uint8_t *out, size_t out_len)
{
    if (out_len < ETH || memcmp(out, in + 6, 6) != 0 || memcmp(out + 6, fabric_mac, 6) != 0)
        return "not from the fabric to who asked";
    if (!result->packet.family)
        return arp_wrong(in, out, out_len);
    if (!outcome->reason)
        return advert_wrong(in, out, out_len);
    return result->packet.family == VNRS_AF_IPV4 ? too_big4_wrong(from, outcome, in, out, out_len)
                                                 : too_big6_wrong(from, outcome, in, out, out_len);
}
