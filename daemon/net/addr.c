// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int vnrs_addr_parse(const char *text, struct vnrs_addr *ret_addr)
{
    struct vnrs_addr addr = {0};

    if (inet_pton(AF_INET, text, addr.bytes) == 1)
        addr.family = VNRS_AF_IPV4;
    else if (inet_pton(AF_INET6, text, addr.bytes) == 1)
        addr.family = VNRS_AF_IPV6;
    else
        return -EINVAL;
    *ret_addr = addr;
    return 0;
}

int vnrs_prefix_parse(const char *text, struct vnrs_prefix *ret_prefix)
{
    char host[VNRS_ADDR_STR_MAX];
    struct vnrs_addr addr;
    const char *slash = strchr(text, '/');

    if (!slash || (size_t)(slash - text) >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    const char *digits = slash + 1;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 3 || digits[n] || (digits[0] == '0' && n > 1) || vnrs_addr_parse(host, &addr) < 0)
        return -EINVAL;
    unsigned len = (unsigned)strtoul(digits, NULL, 10);
    if (len > vnrs_af_bits(addr.family))
        return -EINVAL;
    *ret_prefix = vnrs_prefix_make(&addr, len);
    return memcmp(ret_prefix->bytes, addr.bytes, sizeof(addr.bytes)) == 0 ? 0 : -ERANGE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int vnrs_mac_parse(const char *text, struct vnrs_mac *ret_mac)
{
    struct vnrs_mac mac;

    for (int i = 0; i < 6; i++, text += 3) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
            return -EINVAL;
        mac.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_mac = mac;
    return 0;
}

static int inet_family(uint8_t family)
{
    return family == VNRS_AF_IPV4 ? AF_INET : AF_INET6;
}

const char *vnrs_addr_format(const struct vnrs_addr *addr, char buf[static VNRS_ADDR_STR_MAX])
{
    buf[0] = '\0';
    if (addr->family != VNRS_AF_NONE)
        (void)inet_ntop(inet_family(addr->family), addr->bytes, buf, VNRS_ADDR_STR_MAX);
    return buf;
}

const char *vnrs_prefix_format(const struct vnrs_prefix *prefix, char buf[static VNRS_PREFIX_STR_MAX])
{
    buf[0] = '\0';
    if (prefix->family == VNRS_AF_NONE)
        return buf;
    (void)inet_ntop(inet_family(prefix->family), prefix->bytes, buf, VNRS_ADDR_STR_MAX);
    size_t used = strlen(buf);
    (void)snprintf(buf + used, VNRS_PREFIX_STR_MAX - used, "/%u", prefix->len);
    return buf;
}

const char *vnrs_mac_format(const struct vnrs_mac *mac, char buf[static VNRS_MAC_STR_MAX])
{
    const uint8_t *b = mac->bytes;
    (void)snprintf(buf, VNRS_MAC_STR_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    return buf;
}

struct vnrs_addr vnrs_addr_from_v4(uint32_t host_order)
{
    struct vnrs_addr addr = {.family = VNRS_AF_IPV4};
    uint32_t be = htonl(host_order);
    memcpy(addr.bytes, &be, sizeof(be));
    return addr;
}

uint32_t vnrs_addr_to_v4(const struct vnrs_addr *addr)
{
    uint32_t be;
    memcpy(&be, addr->bytes, sizeof(be));
    return ntohl(be);
}

unsigned vnrs_af_bits(uint8_t family)
{
    return family == VNRS_AF_IPV4 ? 32 : 128;
}

bool vnrs_addr_equal(const struct vnrs_addr *a, const struct vnrs_addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

int vnrs_addr_cmp(const struct vnrs_addr *a, const struct vnrs_addr *b)
{
    return memcmp(a, b, sizeof(*a));
}

struct vnrs_addr vnrs_addr_add(const struct vnrs_addr *addr, uint64_t offset)
{
    struct vnrs_addr sum = *addr;

    for (int i = (int)vnrs_af_bits(addr->family) / 8 - 1; i >= 0 && offset; i--) {
        offset += sum.bytes[i];
        sum.bytes[i] = (uint8_t)offset;
        offset >>= 8;
    }
    return sum;
}

// The byte of a netmask of `len` bits at position `i`.
static uint8_t mask_byte(unsigned len, unsigned i)
{
    unsigned bits = len > i * 8 ? MIN(len - i * 8, 8u) : 0;

    return (uint8_t)(0xff00u >> bits);
}

struct vnrs_prefix vnrs_prefix_make(const struct vnrs_addr *addr, unsigned len)
{
    struct vnrs_prefix prefix = {.family = addr->family, .len = (uint8_t)len};
    unsigned whole = MIN(len / 8, (unsigned)sizeof(prefix.bytes));

    memcpy(prefix.bytes, addr->bytes, whole);
    if (whole < sizeof(prefix.bytes))
        prefix.bytes[whole] = addr->bytes[whole] & mask_byte(len, whole);
    return prefix;
}

struct vnrs_prefix vnrs_prefix_host(const struct vnrs_addr *addr)
{
    return vnrs_prefix_make(addr, vnrs_af_bits(addr->family));
}

struct vnrs_addr vnrs_prefix_addr(const struct vnrs_prefix *prefix)
{
    struct vnrs_addr addr = {.family = prefix->family};
    memcpy(addr.bytes, prefix->bytes, sizeof(addr.bytes));
    return addr;
}

struct vnrs_addr vnrs_prefix_last(const struct vnrs_prefix *prefix)
{
    struct vnrs_addr addr = vnrs_prefix_addr(prefix);
    for (unsigned i = 0; i < vnrs_af_bits(prefix->family) / 8; i++)
        addr.bytes[i] |= (uint8_t)~mask_byte(prefix->len, i);
    return addr;
}

bool vnrs_prefix_equal(const struct vnrs_prefix *a, const struct vnrs_prefix *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

int vnrs_prefix_cmp(const struct vnrs_prefix *a, const struct vnrs_prefix *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int order = memcmp(a->bytes, b->bytes, sizeof(a->bytes));
    return order ? order : (int)a->len - (int)b->len;
}

bool vnrs_prefix_contains(const struct vnrs_prefix *outer, const struct vnrs_prefix *inner)
{
    struct vnrs_addr addr = vnrs_prefix_addr(inner);
    return outer->len <= inner->len && vnrs_prefix_contains_addr(outer, &addr);
}

bool vnrs_prefix_contains_addr(const struct vnrs_prefix *prefix, const struct vnrs_addr *addr)
{
    unsigned whole = MIN(prefix->len / 8u, (unsigned)sizeof(prefix->bytes));

    if (prefix->family != addr->family || memcmp(prefix->bytes, addr->bytes, whole) != 0)
        return false;
    return whole == sizeof(prefix->bytes) ||
           (addr->bytes[whole] & mask_byte(prefix->len, whole)) == prefix->bytes[whole];
}

bool vnrs_prefix_overlaps(const struct vnrs_prefix *a, const struct vnrs_prefix *b)
{
    return vnrs_prefix_contains(a, b) || vnrs_prefix_contains(b, a);
}
