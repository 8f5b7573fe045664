// SPDX-License-Identifier: GPL-2.0-or-later
// BFD Control packets (RFC 5880 section 4.1): encode, decode, and the rules of section 6.8.6 by which one is discarded,
// as far as they need no session. Authentication is not offered: a packet that has it is discarded. Pure.
#pragma once

#include "util/macros.h"
#include "vnrs/bfd.h"

#include <stdbool.h>
#include <stdint.h>

#define VNRS_BFD_PACKET_BYTES 24
#define VNRS_BFD_VERSION      1
#define VNRS_BFD_PORT_SINGLE  3784  // RFC 5881
#define VNRS_BFD_PORT_MULTI   4784  // RFC 5883
#define VNRS_BFD_TTL          255   // of what is sent; single hop: of what is received, too (RFC 5881 section 5)
#define VNRS_BFD_SOURCE_PORT  49152 // and above (RFC 5881 section 4)

struct vnrs_bfd_packet {
    uint8_t state; // enum vnrs_bfd_state
    uint8_t diag;
    bool poll, final;
    bool independent; // C: not with the fate of the control plane
    bool demand;
    uint8_t multiplier;
    uint32_t my_discr, your_discr;
    uint32_t min_tx_us, min_rx_us, min_echo_us; // Desired Min TX, Required Min RX, Required Min Echo RX
};

// In the order in which section 6.8.6 tests.
enum vnrs_bfd_outcome {
    VNRS_BFD_OK,
    VNRS_BFD_BAD_VERSION,
    VNRS_BFD_TOO_SHORT, // what the Length field says
    VNRS_BFD_TRUNCATED, // Length is more than there is
    VNRS_BFD_NO_MULTIPLIER,
    VNRS_BFD_MULTIPOINT,
    VNRS_BFD_NO_MY_DISCR,
    VNRS_BFD_NO_YOUR_DISCR, // in a state that only a session with a known discriminator can have
    VNRS_BFD_AUTHENTICATED,
    _VNRS_BFD_OUTCOME_MAX
};

// *ret_packet is written only when the outcome is VNRS_BFD_OK.
enum vnrs_bfd_outcome vnrs_bfd_packet_decode(const uint8_t *bytes, size_t len,
                                             struct vnrs_bfd_packet *ret_packet) VNRS_MUST_CHECK;
void vnrs_bfd_packet_encode(const struct vnrs_bfd_packet *packet, uint8_t ret_bytes[static VNRS_BFD_PACKET_BYTES]);

const char *vnrs_bfd_state_name(uint8_t state); // "Up"; "?" for what is none
const char *vnrs_bfd_diag_text(uint8_t diag);   // "control detection time expired"
