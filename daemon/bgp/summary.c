// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/summary.h"

static struct vnrs_bgp_summary_part *find(struct vnrs_bgp_summary *summary, const struct vnrs_bgp_attrs *attrs,
                                          unsigned slot)
{
    vec_foreach (part, &summary->parts)
        if (part->attrs == attrs && part->slot == slot)
            return part;
    return NULL;
}

int vnrs_bgp_summary_add(struct vnrs_bgp_summary *summary, const struct vnrs_bgp_attrs *attrs, unsigned slot)
{
    struct vnrs_bgp_summary_part *part = find(summary, attrs, slot);

    if (part) {
        part->n++;
        return 0;
    }
    int err = vec_push(&summary->parts, (struct vnrs_bgp_summary_part){.attrs = attrs, .n = 1, .slot = (uint8_t)slot});
    if (err == 0)
        (void)vnrs_bgp_attrs_ref(attrs);
    return err;
}

void vnrs_bgp_summary_take(struct vnrs_bgp_attr_table *table, struct vnrs_bgp_summary *summary,
                           const struct vnrs_bgp_attrs *attrs, unsigned slot)
{
    struct vnrs_bgp_summary_part *part = find(summary, attrs, slot);

    if (!part || --part->n > 0)
        return;
    *part = summary->parts.items[--summary->parts.len];
    vnrs_bgp_attrs_unref(table, attrs);
}

void vnrs_bgp_summary_fini(struct vnrs_bgp_attr_table *table, struct vnrs_bgp_summary *summary)
{
    vec_foreach (part, &summary->parts)
        vnrs_bgp_attrs_unref(table, part->attrs);
    vec_free(&summary->parts);
}

static int part_cmp(const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b)
{
    int diff = (a->path_len > b->path_len) - (a->path_len < b->path_len);

    if (!diff)
        diff = (a->origin > b->origin) - (a->origin < b->origin);
    if (!diff)
        diff = vnrs_addr_cmp(&a->nexthop, &b->nexthop);
    if (!diff)
        diff = (a->n_communities > b->n_communities) - (a->n_communities < b->n_communities);
    if (!diff && a->n_communities)
        diff = memcmp(a->communities, b->communities, a->n_communities * sizeof(*a->communities));
    if (!diff && a->as_path_bytes && a->as_path_bytes == b->as_path_bytes)
        diff = memcmp(a->as_path, b->as_path, a->as_path_bytes);
    return diff;
}

const struct vnrs_bgp_attrs *vnrs_bgp_summary_best(const struct vnrs_bgp_summary *summary, unsigned but)
{
    const struct vnrs_bgp_attrs *best = NULL;

    vec_foreach (part, &summary->parts)
        if (part->slot != but && (!best || part_cmp(part->attrs, best) < 0))
            best = part->attrs;
    return best;
}
