// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/nlri.h"

static unsigned af_bits(uint8_t af)
{
    return af == VNRS_BGP_AF6 ? 128 : 32;
}

bool vnrs_bgp_nlri_check(const struct vnrs_bgp_nlri *nlri)
{
    struct vnrs_wire w = vnrs_wire_make(nlri->bytes, nlri->len);
    unsigned max = af_bits(nlri->af);

    while (w.left) {
        if (nlri->has_ids && (!vnrs_wire_take(&w, VNRS_BGP_PATH_ID_BYTES) || !w.left))
            return false;
        unsigned bits = vnrs_wire_u8(&w);
        if (bits > max || !vnrs_wire_take(&w, (bits + 7) / 8))
            return false;
    }
    return true;
}

int vnrs_bgp_nlri_next(struct vnrs_bgp_nlri *nlri, struct vnrs_prefix *ret_prefix)
{
    struct vnrs_wire w = vnrs_wire_make(nlri->bytes, nlri->len);

    if (!w.left)
        return 0;
    uint32_t path_id = nlri->has_ids ? vnrs_wire_u32(&w) : 0;
    unsigned bits = vnrs_wire_u8(&w);
    unsigned n = (bits + 7) / 8;
    const uint8_t *bytes = !w.failed && bits <= af_bits(nlri->af) ? vnrs_wire_take(&w, n) : NULL;
    if (!bytes) { // not a checked region: end it
        nlri->len = 0;
        return 0;
    }
    struct vnrs_prefix prefix = {.family = vnrs_bgp_af_family(nlri->af), .len = (uint8_t)bits};
    memcpy(prefix.bytes, bytes, n);
    if (bits % 8)
        prefix.bytes[n - 1] &= (uint8_t)(0xff00u >> (bits % 8)); // host bits are irrelevant (RFC 4271 section 4.3)
    nlri->bytes = w.at;
    nlri->len = w.left;
    nlri->path_id = path_id;
    *ret_prefix = prefix;
    return 1;
}

bool vnrs_bgp_nlri_is_unicast(const struct vnrs_prefix *prefix)
{
    static const struct vnrs_prefix others[] = {
        {.family = VNRS_AF_IPV4, .len = 4, .bytes = {224}},
        {.family = VNRS_AF_IPV6, .len = 8, .bytes = {0xff}},
        {.family = VNRS_AF_IPV6, .len = 10, .bytes = {0xfe, 0x80}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (vnrs_prefix_contains(&others[i], prefix))
            return false;
    return true;
}

void vnrs_bgp_nlri_put(struct vnrs_wire_out *w, const struct vnrs_prefix *prefix)
{
    vnrs_wire_put_u8(w, prefix->len);
    vnrs_wire_put(w, prefix->bytes, vnrs_bgp_nlri_bytes(prefix) - 1);
}
