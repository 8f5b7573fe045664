// SPDX-License-Identifier: GPL-2.0-or-later
// Packets that a rule of nftables hands over (`log group N`) in a namespace: the first bytes of each, with its mark and
// the links that it came in by and goes out by. Bytes are copied and, but for the length in their IP header, not looked
// at. Lossy: what finds no room in the buffer of the socket is counted.
#pragma once

#include "util/macros.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#define VNRS_NFLOG_BYTES    128  // of each packet at most
#define VNRS_NFLOG_DATAGRAM 8192 // bytes that come at once at most

struct vnrs_nflog;

struct vnrs_nflog_packet {
    uint32_t mark, in, out; // ifindexes; 0: none
    uint32_t seq;           // of the packets of this group
    uint32_t len, n;        // bytes of IP that the packet has, and that are in `bytes`
    uint16_t protocol_be;   // EtherType
    const uint8_t *bytes;   // from the IP header on, valid during the call
};

// False: enough; no further datagram is read, but the rest of this one comes nevertheless.
typedef bool (*vnrs_nflog_fn)(const struct vnrs_nflog_packet *packet, void *arg);

// -EPERM: another socket has the group. Returns 0 or a negative errno.
int vnrs_nflog_open(int ns_fd, uint16_t group, struct vnrs_nflog **ret_log) VNRS_MUST_CHECK;
struct vnrs_nflog *vnrs_nflog_close(struct vnrs_nflog *log); // accepts NULL, returns it
int vnrs_nflog_fd(const struct vnrs_nflog *log);             // readable when packets wait
// Calls `fn` for packets that wait, about `max` at most (a datagram has many). Returns how many.
unsigned vnrs_nflog_consume(struct vnrs_nflog *log, unsigned max, vnrs_nflog_fn fn, void *arg);
uint64_t vnrs_nflog_lost(const struct vnrs_nflog *log); // since vnrs_nflog_open()

// False: no packet, or not whole. Pure.
bool vnrs_nflog_decode(const struct nlmsghdr *msg, struct vnrs_nflog_packet *ret_packet) VNRS_MUST_CHECK;
