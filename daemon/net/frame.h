// SPDX-License-Identifier: GPL-2.0-or-later
// The addresses and ports of an Ethernet frame with IPv4 (RFC 791) or IPv6 (RFC 8200) in it, as the packet path reads
// them (bpf/lib/parse.h), where somebody else forwarded the packet and told its bytes only. Any bytes may come.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct vnrs_frame {
    uint8_t family; // 4, 6, or 0: neither, or the header is malformed
    uint8_t protocol;
    uint8_t saddr[16], daddr[16]; // IPv4: the first four bytes
    uint16_t sport_be, dport_be;  // TCP and UDP, unless it is a fragment; else 0
};

// `n` bytes are there of a frame that had `len`. What follows a header that is malformed or was cut off is zero.
void vnrs_frame_parse(const uint8_t *bytes, size_t n, size_t len, struct vnrs_frame *ret_frame);
