// SPDX-License-Identifier: GPL-2.0-or-later
// Frames on links of a namespace, as AF_PACKET sockets see them (packet(7)), one socket per link: for the fabric whose
// packet path is the kernel's, and tells of no packets itself. A link that goes away, or is not there yet, stays
// wanted. Bytes are copied and never looked at. Lossy: what finds no room in the buffer of a socket is counted.
#pragma once

#include "util/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct vnrs_taps;

struct vnrs_tap_frame {
    uint64_t time_ns; // CLOCK_MONOTONIC
    uint32_t ifindex;
    bool outgoing;         // sent by this end of the link; else it came in there
    uint32_t len, n;       // bytes that the frame had, and that are in `bytes`
    const uint8_t *bytes;  // valid during the call
    uint16_t vlan_type_be; // of a tag that is not in the bytes; 0: none
    uint16_t vlan_tag;
};

// False: no more of them in this run; this one is taken.
typedef bool (*vnrs_tap_fn)(const struct vnrs_tap_frame *frame, void *arg);

// `ns_fd` stays the caller's, and open as long as this. Of no link yet. Returns 0 or a negative errno.
int vnrs_taps_new(int ns_fd, struct vnrs_taps **ret_taps) VNRS_MUST_CHECK;
struct vnrs_taps *vnrs_taps_free(struct vnrs_taps *taps); // accepts NULL, returns it
// Readable when frames wait.
int vnrs_taps_fd(const struct vnrs_taps *taps);
// From now on the first `bytes` bytes (at most VNRS_CAPTURE_BYTES_MAX) of each frame of the link; 0: none of them any
// more. Returns 0 or a negative errno.
int vnrs_taps_set(struct vnrs_taps *taps, uint32_t ifindex, uint32_t bytes) VNRS_MUST_CHECK;
// The link may have been made (again). Returns 0, also where nobody wants its frames, or a negative errno.
int vnrs_taps_renew(struct vnrs_taps *taps, uint32_t ifindex) VNRS_MUST_CHECK;
// Calls `fn` for frames that wait, at most `max`. Returns how many.
unsigned vnrs_taps_consume(struct vnrs_taps *taps, unsigned max, vnrs_tap_fn fn, void *arg);
uint64_t vnrs_taps_lost(struct vnrs_taps *taps); // since vnrs_taps_new()
