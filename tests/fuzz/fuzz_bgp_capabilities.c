// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes as the capabilities of an OPEN. However they are packed into parameters, in the form of RFC 4271 or that of
// RFC 9072, the same must be understood; and what was understood comes back from our own encoding.
#include "fuzz.h"

#include "bgp/msg.h"

#include <string.h>

struct result {
    int err;
    struct vnrs_bgp_open open;
    struct vnrs_bgp_error error;
};

static void decode(const uint8_t *params, size_t len, struct result *result)
{
    static const uint8_t fixed[] = {4, 0xfd, 0xe9, 0, 180, 10, 0, 0, 10};
    uint8_t *msg = malloc(VNRS_BGP_HEADER_BYTES + sizeof(fixed) + len);

    FUZZ_CHECK(msg);
    memset(msg, 0xff, VNRS_BGP_HEADER_BYTES); // not looked at
    memcpy(msg + VNRS_BGP_HEADER_BYTES, fixed, sizeof(fixed));
    memcpy(msg + VNRS_BGP_HEADER_BYTES + sizeof(fixed), params, len);
    memset(result, 0, sizeof(*result));
    result->err = vnrs_bgp_open_decode(msg, VNRS_BGP_HEADER_BYTES + sizeof(fixed) + len, &result->open, &result->error);
    free(msg);
}

static size_t put_extended(uint8_t *out, const uint8_t *caps, size_t len)
{
    const uint8_t head[] = {255,         255, (uint8_t)((len + 3) >> 8), (uint8_t)(len + 3), 2, (uint8_t)(len >> 8),
                            (uint8_t)len};

    memcpy(out, head, sizeof(head));
    if (len)
        memcpy(out + sizeof(head), caps, len);
    return sizeof(head) + len;
}

static size_t put_classic(uint8_t *out, const uint8_t *caps, size_t len)
{
    out[0] = (uint8_t)(len + 2);
    out[1] = 2;
    out[2] = (uint8_t)len;
    if (len)
        memcpy(out + 3, caps, len);
    return len + 3;
}

// What was understood, as we would say it.
static size_t encode(const struct vnrs_bgp_open *open, uint8_t buf[static VNRS_BGP_MSG_MAX])
{
    int len = vnrs_bgp_open_encode(open, buf, VNRS_BGP_MSG_MAX);

    FUZZ_CHECK(len >= 29);
    return (size_t)len;
}

static void check_same(const struct vnrs_bgp_open *a, const struct vnrs_bgp_open *b)
{
    static uint8_t one[VNRS_BGP_MSG_MAX], other[VNRS_BGP_MSG_MAX];
    size_t len = encode(a, one);

    FUZZ_CHECK(encode(b, other) == len && memcmp(one, other, len) == 0);
}

static void check_round(const struct vnrs_bgp_open *open)
{
    uint8_t buf[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_open again;
    struct vnrs_bgp_error error;
    size_t len = encode(open, buf);

    FUZZ_CHECK(vnrs_bgp_open_decode(buf, len, &again, &error) == 0);
    check_same(open, &again);
    for (size_t size = 0; size < len; size += 7)
        FUZZ_CHECK(vnrs_bgp_open_encode(open, buf, size) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t params[VNRS_BGP_MSG_MAX];
    static struct result one, other;

    if (size > VNRS_BGP_MSG_MAX - 64)
        return 0;
    decode(params, put_extended(params, data, size), &one);
    FUZZ_CHECK(one.err == 0 || (one.error.code == VNRS_BGP_ERR_OPEN && one.error.data_len == 0));
    if (size <= 253) {
        decode(params, put_classic(params, data, size), &other);
        FUZZ_CHECK(one.err == other.err && one.error.subcode == other.error.subcode);
        if (one.err == 0) {
            FUZZ_CHECK(one.open.caps.any_mp == other.open.caps.any_mp);
            check_same(&one.open, &other.open);
        }
    }
    if (one.err == 0)
        check_round(&one.open);
    return 0;
}
