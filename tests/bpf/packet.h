// SPDX-License-Identifier: GPL-2.0-or-later
// Frames for tests, from a description in one initialiser.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX  3400 // what a test run of the kernel takes
#define GUEST_MAC  "02:00:00:00:00:01"
#define FABRIC_MAC "12:34:56:78:9a:bc"
#define BROADCAST  "ff:ff:ff:ff:ff:ff"
#define EXT_MAX    10

struct frame {
    uint8_t bytes[FRAME_MAX];
    size_t len;
};

struct spec {
    const char *mac;       // destination; NULL: the fabric's
    uint16_t ethertype;    // instead of the one that fits
    const char *src, *dst; // IPv4 or IPv6; NULL: no IP header
    uint8_t proto;         // 0: UDP
    uint16_t sport, dport; // 0: 1000 and 2000
    uint16_t frag;         // IPv4: flags and offset as on the wire; IPv6: same field of a fragment header
    bool frag_header;      // IPv6: with a fragment header
    uint8_t ext[EXT_MAX];  // IPv6: types of 8-byte extension headers in front; 0 ends, so hop-by-hop is written 0xff
    unsigned options;      // IPv4: bytes of options
    unsigned payload;      // bytes after the upper-layer header
    uint8_t icmp_type;     // ICMP and ICMPv6
    unsigned cut;          // frame ends after so many bytes
    unsigned at;           // with `value`: that byte is overwritten at last
    uint8_t value;
};

void frame_build(const struct spec *spec, struct frame *ret_frame);

// op 1: request. Addresses are dotted quads.
void frame_arp(const char *mac, uint16_t op, const char *sender, const char *target, struct frame *ret_frame);
// The answer of the fabric to the guest that asked.
void frame_arp_reply(const char *sender, const char *target, struct frame *ret_frame);
void frame_solicit(const char *mac, const char *src, const char *dst, const char *target, bool with_option,
                   struct frame *ret_frame);
void frame_advert(const char *to, const char *target, struct frame *ret_frame);

uint16_t checksum(const void *bytes, size_t len, uint32_t sum); // 0 over a right one
uint32_t pseudo_sum6(const uint8_t *addresses, uint32_t len, uint8_t next);
void mac_parse(const char *text, uint8_t ret_mac[6]);
