// SPDX-License-Identifier: GPL-2.0-or-later
// IP addresses, prefixes and MACs as values: parse, format, compare, contain. Pure.
#pragma once

#include "util/macros.h"
#include "vnrs/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define VNRS_ADDR_STR_MAX   46 // with the terminating NUL, IPv6
#define VNRS_PREFIX_STR_MAX 50 // "<address>/<len>"
#define VNRS_MAC_STR_MAX    18

// Strict text: dotted quad or RFC 4291; no leading or trailing blanks. Returns 0 or -EINVAL.
int vnrs_addr_parse(const char *text, struct vnrs_addr *ret_addr) VNRS_MUST_CHECK;
// Returns 0, -EINVAL (not a prefix), or -ERANGE (host bits are set; *ret_prefix is then the network that was meant).
int vnrs_prefix_parse(const char *text, struct vnrs_prefix *ret_prefix) VNRS_MUST_CHECK;
int vnrs_mac_parse(const char *text, struct vnrs_mac *ret_mac) VNRS_MUST_CHECK;

// All return `buf`. The canonical text (RFC 5952 for IPv6). NONE is the empty string.
const char *vnrs_addr_format(const struct vnrs_addr *addr, char buf[static VNRS_ADDR_STR_MAX]);
const char *vnrs_prefix_format(const struct vnrs_prefix *prefix, char buf[static VNRS_PREFIX_STR_MAX]);
const char *vnrs_mac_format(const struct vnrs_mac *mac, char buf[static VNRS_MAC_STR_MAX]);

struct vnrs_addr vnrs_addr_from_v4(uint32_t host_order);
uint32_t vnrs_addr_to_v4(const struct vnrs_addr *addr); // host order
unsigned vnrs_af_bits(uint8_t family);                  // 32 or 128

bool vnrs_addr_equal(const struct vnrs_addr *a, const struct vnrs_addr *b);
int vnrs_addr_cmp(const struct vnrs_addr *a, const struct vnrs_addr *b); // family, then numeric
struct vnrs_addr vnrs_addr_add(const struct vnrs_addr *addr, uint64_t offset);

struct vnrs_prefix vnrs_prefix_make(const struct vnrs_addr *addr, unsigned len); // clears host bits
struct vnrs_prefix vnrs_prefix_host(const struct vnrs_addr *addr);               // /32 or /128
struct vnrs_addr vnrs_prefix_addr(const struct vnrs_prefix *prefix);             // the network address
struct vnrs_addr vnrs_prefix_last(const struct vnrs_prefix *prefix);             // the highest address
bool vnrs_prefix_equal(const struct vnrs_prefix *a, const struct vnrs_prefix *b);
int vnrs_prefix_cmp(const struct vnrs_prefix *a, const struct vnrs_prefix *b); // family, numeric, then length
bool vnrs_prefix_contains(const struct vnrs_prefix *outer, const struct vnrs_prefix *inner); // equal counts
bool vnrs_prefix_contains_addr(const struct vnrs_prefix *prefix, const struct vnrs_addr *addr);
bool vnrs_prefix_overlaps(const struct vnrs_prefix *a, const struct vnrs_prefix *b);
