// SPDX-License-Identifier: GPL-2.0-or-later
// What the message codecs share and nobody else needs: the header, address families on the wire, error values.
#pragma once

#include "bgp/msg.h"
#include "bgp/wire.h"

#define VNRS_BGP_OPEN_MIN         29
#define VNRS_BGP_UPDATE_MIN       23
#define VNRS_BGP_NOTIFICATION_MIN 21
#define VNRS_BGP_REFRESH_BYTES    23
#define VNRS_BGP_SAFI_UNICAST     1

enum { // RFC 4271 section 6.1
    VNRS_BGP_HEADER_NOT_SYNCHRONIZED = 1,
    VNRS_BGP_HEADER_BAD_LENGTH = 2,
    VNRS_BGP_HEADER_BAD_TYPE = 3,
};

// Fills *ret_error and returns -EBADMSG. Data beyond VNRS_BGP_ERROR_DATA_MAX is cut.
int vnrs_bgp_error_make(uint8_t code, uint8_t subcode, const void *data, size_t len, struct vnrs_bgp_error *ret_error);
// The error for a message of `len` bytes that its type does not allow.
int vnrs_bgp_error_bad_length(size_t len, struct vnrs_bgp_error *ret_error);

// Writes marker, a length to be set by vnrs_bgp_header_finish, and the type.
void vnrs_bgp_header_begin(struct vnrs_wire_out *w, uint8_t type);
// Returns the message's length, or -ENOBUFS when it did not fit.
int vnrs_bgp_header_finish(const struct vnrs_wire_out *w, uint8_t *buf) VNRS_MUST_CHECK;

// AFI and SAFI to enum vnrs_bgp_af, or -1.
int vnrs_bgp_af_from_wire(uint16_t afi, uint8_t safi);
static inline uint16_t vnrs_bgp_afi(uint8_t af)
{
    return af == VNRS_BGP_AF6 ? 2 : 1;
}
