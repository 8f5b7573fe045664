// SPDX-License-Identifier: GPL-2.0-or-later
// Captured packets as a pcapng file (draft-ietf-opsawg-pcapng): one section, one Ethernet interface, times in
// nanoseconds. Byte order is the host's, as the format allows. Pure. Running out of memory is in `out->failed`.
#pragma once

#include "util/strbuf.h"

#include <stdint.h>

struct vnrs_pcapng_packet {
    uint64_t time_ns; // since the epoch
    const uint8_t *bytes;
    uint32_t n, frame_len; // bytes that there are, and that the frame had
    const uint8_t *macs;   // twelve bytes in place of the first of `bytes`; NULL: those stay
    uint16_t vlan_type_be; // of a tag that is not in `bytes`; 0: none
    uint16_t vlan_tag;
    bool inbound;        // the NIC gets it; else it sends it
    uint64_t lost;       // packets between the one before and this that were not captured
    const char *comment; // not longer than VNRS_PCAPNG_COMMENT_MAX
};

#define VNRS_PCAPNG_COMMENT_MAX 512

// Section header and interface. `bytes`: of each packet at most.
void vnrs_pcapng_begin(struct vnrs_strbuf *out, const char *nic, uint32_t bytes);
void vnrs_pcapng_packet(struct vnrs_strbuf *out, const struct vnrs_pcapng_packet *packet);
