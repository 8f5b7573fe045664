// SPDX-License-Identifier: GPL-2.0-or-later
// Communities, and changes to a set on its way out.
#include "bgp/attr_wire.h"

#include <errno.h>

// Index of the first community that is not below `community`.
static size_t community_place(const struct vnrs_bgp_attrs *attrs, uint32_t community)
{
    size_t low = 0, high = attrs->n_communities;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (attrs->communities[mid] < community)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool vnrs_bgp_attrs_has_community(const struct vnrs_bgp_attrs *attrs, uint32_t community)
{
    size_t i = community_place(attrs, community);
    return i < attrs->n_communities && attrs->communities[i] == community;
}

static void sift_down(uint8_t *items, size_t root, size_t n, size_t width)
{
    uint8_t held[16];

    memcpy(held, items + root * width, width);
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && memcmp(items + child * width, items + (child + 1) * width, width) < 0)
            child++;
        if (memcmp(held, items + child * width, width) >= 0)
            break;
        memcpy(items + root * width, items + child * width, width);
    }
    memcpy(items + root * width, held, width);
}

static void heap_sort(uint8_t *items, size_t n, size_t width)
{
    uint8_t held[16];

    for (size_t i = n / 2; i-- > 0;)
        sift_down(items, i, n, width);
    while (n-- > 1) {
        memcpy(held, items, width);
        memcpy(items, items + n * width, width);
        memcpy(items + n * width, held, width);
        sift_down(items, 0, n, width);
    }
}

size_t vnrs_bgp_sort_unique(uint8_t *items, size_t n, size_t width)
{
    size_t kept = n ? 1 : 0;
    size_t sorted = kept;

    while (sorted < n && memcmp(items + (sorted - 1) * width, items + sorted * width, width) < 0)
        sorted++;
    if (sorted == n)
        return n;
    heap_sort(items, n, width);
    for (size_t i = 1; i < n; i++) {
        if (memcmp(items + (kept - 1) * width, items + i * width, width) == 0)
            continue;
        memmove(items + kept * width, items + i * width, width);
        kept++;
    }
    return kept;
}

// The path without the ASNs that `drop` names; segments that lose all of them go.
static int path_strip(const struct vnrs_bgp_attrs *in, bool (*drop)(uint32_t asn), struct vnrs_wire_out *scratch,
                      struct vnrs_bgp_attrs *out)
{
    struct vnrs_wire path = vnrs_wire_make(in->as_path, in->as_path_bytes);
    uint8_t *start = scratch->at;

    while (path.left) {
        struct vnrs_wire_out before = *scratch;
        uint8_t type = vnrs_wire_u8(&path), kept = 0;
        vnrs_wire_put_u8(scratch, type);
        vnrs_wire_put_u8(scratch, 0);
        for (unsigned n = vnrs_wire_u8(&path); n; n--) {
            uint32_t asn = vnrs_wire_u32(&path);
            if (drop(asn))
                continue;
            vnrs_wire_put_u32(scratch, asn);
            kept++;
        }
        if (scratch->full)
            return -ENOBUFS;
        if (kept)
            before.at[1] = kept;
        else
            *scratch = before;
    }
    out->as_path = start;
    out->as_path_bytes = (uint16_t)(scratch->at - start);
    return 0;
}

// RFC 4456 section 8.
static int clusters_prepend(const struct vnrs_bgp_attrs *in, uint32_t cluster_id, struct vnrs_wire_out *scratch,
                            struct vnrs_bgp_attrs *out)
{
    uint8_t *start = scratch->at;

    vnrs_wire_put_u32(scratch, cluster_id);
    vnrs_wire_put(scratch, in->clusters, in->n_clusters * 4u);
    if (scratch->full || in->n_clusters == UINT16_MAX / 4)
        return -ENOBUFS;
    out->clusters = start;
    out->n_clusters = (uint16_t)(in->n_clusters + 1);
    return 0;
}

// RFC 4271 section 5.1.2: into the leading sequence, or a new one before it.
static int path_prepend(const struct vnrs_bgp_attrs *in, uint32_t asn, struct vnrs_wire_out *scratch,
                        struct vnrs_bgp_attrs *out)
{
    const uint8_t *path = in->as_path;
    size_t rest = in->as_path_bytes;
    uint8_t count = 0;

    if (rest > 2 && path[0] == VNRS_BGP_AS_SEQUENCE && path[1] < VNRS_BGP_SEGMENT_MAX) {
        count = path[1];
        path += 2;
        rest -= 2;
    }
    uint8_t *start = scratch->at;
    vnrs_wire_put_u8(scratch, VNRS_BGP_AS_SEQUENCE);
    vnrs_wire_put_u8(scratch, (uint8_t)(count + 1));
    vnrs_wire_put_u32(scratch, asn);
    vnrs_wire_put(scratch, path, rest);
    if (scratch->full || scratch->at - start > UINT16_MAX)
        return -ENOBUFS;
    out->as_path = start;
    out->as_path_bytes = (uint16_t)(scratch->at - start);
    vnrs_bgp_attrs_derive(out);
    return 0;
}

static int community_add(const struct vnrs_bgp_attrs *in, uint32_t community, struct vnrs_wire_out *scratch,
                         struct vnrs_bgp_attrs *out)
{
    size_t place = community_place(in, community);

    if (place < in->n_communities && in->communities[place] == community)
        return 0;
    if (in->n_communities == UINT16_MAX || !vnrs_wire_reserve(scratch, -(uintptr_t)scratch->at % sizeof(uint32_t)))
        return -ENOBUFS;
    uint32_t *list = (uint32_t *)(void *)vnrs_wire_reserve(scratch, (in->n_communities + 1u) * sizeof(uint32_t));
    if (!list)
        return -ENOBUFS;
    if (place)
        memcpy(list, in->communities, place * sizeof(*list));
    list[place] = community;
    if (place < in->n_communities)
        memcpy(list + place + 1, in->communities + place, (in->n_communities - place) * sizeof(*list));
    out->communities = list;
    out->n_communities = (uint16_t)(in->n_communities + 1);
    return 0;
}

int vnrs_bgp_attrs_edit(const struct vnrs_bgp_attrs *in, const struct vnrs_bgp_attr_edit *edit, uint8_t *scratch,
                        size_t scratch_size, struct vnrs_bgp_attrs *out)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(scratch, scratch_size);
    struct vnrs_bgp_attrs edited = *in;
    int err = 0;

    edited.refs = 0;
    edited.hash = 0;
    edited.originator_id = edit->originator_id;
    edited.clusters = NULL;
    edited.n_clusters = 0;
    if (edit->is_private)
        err = path_strip(in, edit->is_private, &w, &edited);
    if (err == 0 && edit->prepend_asn)
        err = path_prepend(&edited, edit->prepend_asn, &w, &edited);
    if (err == 0 && edit->reflect)
        err = clusters_prepend(in, edit->cluster_id, &w, &edited);
    for (size_t i = 0; i < ARRAY_SIZE(edit->add_communities) && err == 0; i++)
        if (edit->add_communities[i])
            err = community_add(&edited, edit->add_communities[i], &w, &edited);
    if (err < 0)
        return err;
    if (edit->nexthop) {
        edited.nexthop = *edit->nexthop;
        edited.nexthop_link_local = (struct vnrs_addr){0}; // it belonged to the old one
    }
    if (edit->strip_local_pref) {
        edited.has &= (uint8_t)~VNRS_BGP_HAS_LOCAL_PREF;
        edited.local_pref = 0;
    }
    if (edit->strip_med) {
        edited.has &= (uint8_t)~VNRS_BGP_HAS_MED;
        edited.med = 0;
    }
    *out = edited;
    return 0;
}
