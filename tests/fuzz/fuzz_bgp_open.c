// SPDX-License-Identifier: GPL-2.0-or-later
// An OPEN from its version octet on. What was understood must come back from our own encoding of it.
#include "fuzz.h"

#include "bgp/msg.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t back[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_open open, again;
    struct vnrs_bgp_error error = {0};

    if (size > VNRS_BGP_MSG_MAX - VNRS_BGP_HEADER_BYTES)
        return 0;
    size_t len = VNRS_BGP_HEADER_BYTES + size;
    uint8_t *msg = malloc(len); // the decoder does not look at the header
    FUZZ_CHECK(msg);
    memset(msg, 0xff, VNRS_BGP_HEADER_BYTES);
    if (size)
        memcpy(msg + VNRS_BGP_HEADER_BYTES, data, size);
    int err = vnrs_bgp_open_decode(msg, len, &open, &error);
    free(msg);
    if (err < 0) {
        FUZZ_CHECK(error.code == VNRS_BGP_ERR_OPEN || error.code == VNRS_BGP_ERR_HEADER);
        return 0;
    }
    FUZZ_CHECK(open.asn && open.id && open.hold != 1 && open.hold != 2);
    int n = vnrs_bgp_open_encode(&open, back, sizeof(back));
    FUZZ_CHECK(n > 0);
    FUZZ_CHECK(vnrs_bgp_open_decode(back, (size_t)n, &again, &error) == 0);
    open.caps.any_mp = open.caps.mp[VNRS_BGP_AF4] || open.caps.mp[VNRS_BGP_AF6]; // families of others are not sent
    FUZZ_CHECK(open.asn == again.asn && open.hold == again.hold && open.id == again.id);
    FUZZ_CHECK(memcmp(&open.caps, &again.caps, sizeof(open.caps)) == 0);
    return 0;
}
