// SPDX-License-Identifier: GPL-2.0-or-later
// AS paths: check, bring to the canonical form of 4-octet ASNs, count, print.
#include "bgp/attr_wire.h"

#include <errno.h>
#include <stdio.h>

struct segment {
    uint8_t type;
    struct vnrs_wire asns;
};

// Next segment: true, or false at the end or when it does not fit (then path->failed).
static bool segment_next(struct vnrs_wire *path, size_t asn_bytes, struct segment *ret_segment)
{
    if (!path->left)
        return false;
    uint8_t type = vnrs_wire_u8(path);
    struct vnrs_wire asns = vnrs_wire_sub(path, vnrs_wire_u8(path) * asn_bytes);
    if (path->failed)
        return false;
    *ret_segment = (struct segment){.type = type, .asns = asns};
    return true;
}

static uint32_t asn_next(struct vnrs_wire *asns, size_t asn_bytes)
{
    return asn_bytes == 4 ? vnrs_wire_u32(asns) : vnrs_wire_u16(asns);
}

static bool is_confed(uint8_t type)
{
    return type == VNRS_BGP_AS_CONFED_SEQUENCE || type == VNRS_BGP_AS_CONFED_SET;
}

const char *vnrs_bgp_path_check(struct vnrs_wire path, size_t asn_bytes, bool allow_confed)
{
    struct segment s;

    while (segment_next(&path, asn_bytes, &s)) {
        if (s.type != VNRS_BGP_AS_SET && s.type != VNRS_BGP_AS_SEQUENCE && !(allow_confed && is_confed(s.type)))
            return is_confed(s.type) ? "confederation segment from outside" : "unknown path segment type";
        if (!s.asns.left)
            return "empty path segment";
        while (s.asns.left) {
            if (asn_next(&s.asns, asn_bytes) == 0)
                return "AS 0 in the path";
        }
    }
    return path.failed ? "path segment longer than the attribute" : NULL;
}

// Length as RFC 4271 section 9.1.2.2 and RFC 5065 section 5.3 count it.
static size_t path_count(struct vnrs_wire path, size_t asn_bytes)
{
    struct segment s;
    size_t n = 0;

    while (segment_next(&path, asn_bytes, &s)) {
        if (s.type == VNRS_BGP_AS_SEQUENCE)
            n += s.asns.left / asn_bytes;
        else if (s.type == VNRS_BGP_AS_SET)
            n++;
    }
    return n;
}

// A canonical path while it grows.
struct path_out {
    uint8_t *bytes;
    size_t size, len;
    size_t segment; // offset of the open segment's header
    size_t n_asns;
    int err;
};

static void path_open_segment(struct path_out *out, uint8_t type)
{
    if (out->size - out->len < 2) {
        out->err = -ENOBUFS;
        return;
    }
    out->segment = out->len;
    out->bytes[out->len++] = type;
    out->bytes[out->len++] = 0;
}

static void path_add(struct path_out *out, uint32_t asn)
{
    if (++out->n_asns > VNRS_BGP_PATH_ASNS_MAX)
        out->err = -E2BIG;
    else if (!out->err && out->size - out->len < 4)
        out->err = -ENOBUFS;
    if (out->err)
        return;
    struct vnrs_wire_out w = vnrs_wire_out_make(out->bytes + out->len, 4);
    vnrs_wire_put_u32(&w, asn);
    out->len += 4;
    out->bytes[out->segment + 1]++;
}

// Append segments until `limit` of the path's length is taken. The first one continues an open sequence where that has
// room, if `join` says so.
static void path_append(struct path_out *out, struct vnrs_wire path, size_t asn_bytes, size_t limit, bool join)
{
    struct segment s;

    while (limit && !out->err && segment_next(&path, asn_bytes, &s)) {
        if (is_confed(s.type)) // RFC 6793 section 6: dropped from an AS4_PATH
            continue;
        size_t n = s.asns.left / asn_bytes;
        if (s.type == VNRS_BGP_AS_SEQUENCE && n > limit)
            n = limit;
        limit -= s.type == VNRS_BGP_AS_SEQUENCE ? n : 1;
        bool joins = join && out->len && s.type == VNRS_BGP_AS_SEQUENCE &&
                     out->bytes[out->segment] == VNRS_BGP_AS_SEQUENCE &&
                     out->bytes[out->segment + 1] + n <= VNRS_BGP_SEGMENT_MAX;
        if (!joins)
            path_open_segment(out, s.type);
        join = false;
        for (; n && !out->err; n--)
            path_add(out, asn_next(&s.asns, asn_bytes));
    }
}

int vnrs_bgp_path_build(struct vnrs_wire path, size_t asn_bytes, struct vnrs_wire as4_path,
                        struct vnrs_bgp_scratch *scratch, struct vnrs_bgp_attrs *attrs)
{
    struct path_out out = {.bytes = scratch->at, .size = scratch->left};
    size_t total = path_count(path, asn_bytes);
    size_t four = path_count(as4_path, 4);

    if (four > total) // cannot be about the same path
        four = 0;
    path_append(&out, path, asn_bytes, total - four, false);
    path_append(&out, as4_path, 4, four, true);
    if (out.err)
        return out.err;
    scratch->at += out.len;
    scratch->left -= out.len;
    attrs->as_path = out.len ? out.bytes : NULL;
    attrs->as_path_bytes = (uint16_t)out.len;
    vnrs_bgp_attrs_derive(attrs);
    return 0;
}

void vnrs_bgp_attrs_derive(struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_wire path = vnrs_wire_make(attrs->as_path, attrs->as_path_bytes);
    struct segment s;

    attrs->path_len = (uint16_t)path_count(path, 4);
    attrs->first_asn = 0;
    while (!attrs->first_asn && segment_next(&path, 4, &s)) {
        if (s.type == VNRS_BGP_AS_SEQUENCE)
            attrs->first_asn = vnrs_wire_u32(&s.asns);
    }
}

bool vnrs_bgp_attrs_has_asn(const struct vnrs_bgp_attrs *attrs, uint32_t asn)
{
    struct vnrs_wire path = vnrs_wire_make(attrs->as_path, attrs->as_path_bytes);
    struct segment s;

    while (segment_next(&path, 4, &s)) {
        while (s.asns.left) {
            if (vnrs_wire_u32(&s.asns) == asn)
                return true;
        }
    }
    return false;
}

size_t vnrs_bgp_as_path_format(const struct vnrs_bgp_attrs *attrs, char *buf, size_t size)
{
    struct vnrs_wire path = vnrs_wire_make(attrs->as_path, attrs->as_path_bytes);
    struct segment s;
    size_t len = 0; // of the whole text

    if (size)
        buf[0] = '\0';
    while (segment_next(&path, 4, &s)) {
        bool is_set = s.type == VNRS_BGP_AS_SET;
        const char *before = is_set ? (len ? "-{" : "{") : len ? "-" : "";
        while (s.asns.left) {
            char item[16];
            uint32_t asn = vnrs_wire_u32(&s.asns);
            const char *after = is_set && !s.asns.left ? "}" : "";
            size_t n = (size_t)snprintf(item, sizeof(item), "%s%u%s", before, asn, after);
            if (len < size) {
                size_t fits = MIN(n, size - len - 1);
                memcpy(buf + len, item, fits);
                buf[len + fits] = '\0';
            }
            len += n;
            before = is_set ? "," : "-";
        }
    }
    return size ? MIN(len, size - 1) : 0;
}
