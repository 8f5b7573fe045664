// SPDX-License-Identifier: GPL-2.0-or-later
// The body of a ROUTE-REFRESH (RFC 2918, 7313).
#include "fuzz.h"

#include "bgp/msg.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vnrs_bgp_error error;
    uint8_t back[64], af = 99, subtype = 99;
    size_t len = VNRS_BGP_HEADER_BYTES + size;

    if (len > VNRS_BGP_MSG_EXTENDED_MAX)
        return 0;
    uint8_t *msg = malloc(len); // the decoder does not look at the header
    FUZZ_CHECK(msg);
    memset(msg, 0xff, VNRS_BGP_HEADER_BYTES);
    if (size)
        memcpy(msg + VNRS_BGP_HEADER_BYTES, data, size);
    int err = vnrs_bgp_refresh_decode(msg, len, &af, &subtype, &error);
    FUZZ_CHECK((err == -EBADMSG) == (size != 4));
    if (err == -EBADMSG) {
        bool marker = size > 2 && (data[2] == VNRS_BGP_REFRESH_BEGIN || data[2] == VNRS_BGP_REFRESH_END);
        size_t kept = len < VNRS_BGP_ERROR_DATA_MAX ? len : VNRS_BGP_ERROR_DATA_MAX;
        FUZZ_CHECK(error.code == (marker ? VNRS_BGP_ERR_REFRESH : VNRS_BGP_ERR_HEADER));
        FUZZ_CHECK(error.data_len == (marker ? kept : 2));
    } else if (err == 0) {
        FUZZ_CHECK(af < _VNRS_BGP_AF_MAX && subtype <= VNRS_BGP_REFRESH_END);
        FUZZ_CHECK(vnrs_bgp_refresh_encode(af, subtype, back, sizeof(back)) == (int)len);
        FUZZ_CHECK(memcmp(back + VNRS_BGP_HEADER_BYTES, data, size) == 0);
    }
    free(msg);
    return 0;
}
