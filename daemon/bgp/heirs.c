// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/heirs.h"

#include "bgp/report.h"

#include <string.h>

#define TRAIT_PATHS 4u

// What the sets of a prefix depend on. Neighbours mostly are alike, so most are not computed.
struct trait {
    unsigned n; // 0: more paths than there is room for
    const struct vnrs_bgp_attrs *attrs[TRAIT_PATHS];
    uint8_t slots[TRAIT_PATHS];
};

struct search {
    const struct vnrs_bgp_speaker *sp;
    unsigned slot;
    struct vnrs_bgp_heirs *heirs;
    bool more; // sets than there is room for
    struct trait last;
};

static bool is_blackhole(const struct vnrs_bgp_attrs *attrs)
{
    return attrs->n_communities && vnrs_bgp_attrs_has_community(attrs, VNRS_BGP_BLACKHOLE);
}

// True when forwarding makes no difference between them, from the same source.
static bool is_alike(const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b)
{
    return a == b || (a->path_len == b->path_len && a->has == b->has && a->local_pref == b->local_pref &&
                      vnrs_addr_equal(&a->nexthop, &b->nexthop) && is_blackhole(a) == is_blackhole(b));
}

static bool is_same_trait(const struct trait *a, const struct trait *b)
{
    bool same = a->n && a->n == b->n;

    for (unsigned i = 0; same && i < a->n; i++)
        same = a->slots[i] == b->slots[i] && is_alike(a->attrs[i], b->attrs[i]);
    return same;
}

static struct trait trait_of(const struct vnrs_bgp_dest *dest)
{
    struct trait trait = {0};

    for (const struct vnrs_bgp_path *p = dest->paths; p && !p->barred; p = p->next) {
        if (trait.n == TRAIT_PATHS)
            return (struct trait){0};
        trait.attrs[trait.n] = p->attrs;
        trait.slots[trait.n++] = p->slot;
    }
    return trait;
}

static bool is_same_set(const struct vnrs_spk_set *a, const struct vnrs_spk_set *b)
{
    return a->n == b->n && memcmp(a->paths, b->paths, a->n * sizeof(a->paths[0])) == 0;
}

static bool is_all_of(const struct vnrs_spk_set *set, unsigned slot)
{
    bool all = set->n > 0;

    for (unsigned i = 0; i < set->n; i++)
        all &= set->paths[i].sources == UINT64_C(1) << slot;
    return all;
}

// The order of equal paths is none of forwarding's business.
static void sort_by_address(struct vnrs_spk_set *set)
{
    for (unsigned i = 1; i < set->n; i++)
        for (unsigned at = i; at > 0 && vnrs_addr_cmp(&set->paths[at - 1].nexthop, &set->paths[at].nexthop) > 0; at--) {
            struct vnrs_spk_nexthop hop = set->paths[at];
            set->paths[at] = set->paths[at - 1];
            set->paths[at - 1] = hop;
        }
}

static void note(struct search *s, const struct vnrs_spk_set *from, const struct vnrs_spk_set *to)
{
    struct vnrs_bgp_heirs *heirs = s->heirs;
    unsigned i = 0;

    while (i < heirs->n && !is_same_set(&heirs->list[i].from, from))
        i++;
    if (i == VNRS_BGP_HEIRS_MAX) {
        s->more = true;
        return;
    }
    struct vnrs_spk_next *next = &heirs->list[i];
    if (i == heirs->n) {
        *next = (struct vnrs_spk_next){.from = *from, .to = *to};
        heirs->n++;
    } else if (!next->parts && !is_same_set(&next->to, to)) {
        next->parts = true;
        next->to = (struct vnrs_spk_set){0};
    }
}

static void look_at(struct search *s, const struct vnrs_bgp_dest *dest)
{
    struct vnrs_spk_set from, to;
    struct trait trait = trait_of(dest);
    if (is_same_trait(&trait, &s->last))
        return;
    s->last = trait;
    vnrs_bgp_report_set(s->sp, dest, &from);
    if (!is_all_of(&from, s->slot))
        return;
    vnrs_bgp_report_set_without(s->sp, dest, s->slot, &to);
    sort_by_address(&from);
    sort_by_address(&to);
    note(s, &from, &to);
}

void vnrs_bgp_heirs_find(const struct vnrs_bgp_speaker *sp, unsigned slot, struct vnrs_bgp_heirs *ret_heirs)
{
    struct search s = {.sp = sp, .slot = slot, .heirs = ret_heirs};
    const struct vnrs_bgp_dest *dest;
    uint32_t left = sp->rib.counts[slot]; // of paths, where prefixes are counted: never too few
    size_t at = 0;

    ret_heirs->n = 0;
    while (left && (dest = vnrs_bgp_rib_next(&sp->rib, &at))) {
        if (!vnrs_bgp_dest_path(dest, slot))
            continue;
        left--;
        look_at(&s, dest);
    }
    for (unsigned i = 0; i < ret_heirs->n; i++)
        ret_heirs->list[i].more = s.more;
}
