// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/export.h"

#include "bgp/nlri.h"

#include <errno.h>
#include <string.h>

#define IBGP_LOCAL_PREF 100u

static const struct vnrs_bgp_telling *telling(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                              const struct vnrs_bgp_path *path)
{
    return &sp->tellings.by[group->kind][sp->rib.sources[path->slot].from][group->ibgp];
}

// IPv4 prefixes may have an IPv6 next hop where the session says so (RFC 8950).
static bool has_nexthop(const struct vnrs_bgp_group *group, const struct vnrs_bgp_telling *how,
                        const struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *path)
{
    uint8_t family = how->keep_nexthop ? path->attrs->nexthop.family : group->local.family;

    return family == dest->prefix.family || (family == VNRS_AF_IPV6 && group->ext_nexthop);
}

bool vnrs_bgp_export_is_allowed(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                const struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *path)
{
    static const uint32_t inside_only[] = {VNRS_BGP_NO_EXPORT, VNRS_BGP_NO_EXPORT_SUBCONFED, VNRS_BGP_BLACKHOLE};

    if (path->barred || !group->mp[vnrs_bgp_af_of(&dest->prefix)])
        return false;
    const struct vnrs_bgp_telling *how = telling(sp, group, path);
    if (!how->allowed || (how->no_default && !dest->prefix.len) || !has_nexthop(group, how, dest, path))
        return false;
    if (group->ibgp && sp->rib.sources[path->slot].ibgp && !how->reflect)
        return false;
    if (vnrs_bgp_attrs_has_community(path->attrs, VNRS_BGP_NO_ADVERTISE))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(inside_only) && !group->ibgp; i++)
        if (vnrs_bgp_attrs_has_community(path->attrs, inside_only[i]))
            return false;
    return true;
}

const struct vnrs_bgp_path *vnrs_bgp_export_path(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                                 const struct vnrs_bgp_dest *dest)
{
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);

    return best && vnrs_bgp_export_is_allowed(sp, group, dest, best) ? best : NULL;
}

static struct vnrs_bgp_form form_of(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                    const struct vnrs_bgp_path *path)
{
    const struct vnrs_bgp_source *source = &sp->rib.sources[path->slot];
    const struct vnrs_bgp_telling *how = telling(sp, group, path);
    struct vnrs_bgp_form form;

    memset(&form, 0, sizeof(form)); // compared as bytes
    if (!how->keep_nexthop)
        form.nexthop = group->local;
    form.ibgp = group->ibgp;
    form.mark = how->mark;
    form.public_only = how->public_only;
    // RFC 7999 3.2: whoever inside the AS does not know BLACKHOLE shall keep it there, too.
    form.no_export = group->ibgp && vnrs_bgp_attrs_has_community(path->attrs, VNRS_BGP_BLACKHOLE);
    if (group->ibgp && source->ibgp)
        form.originator = path->attrs->originator_id ? path->attrs->originator_id : source->router_id;
    return form;
}

static int edit(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_form *form, const struct vnrs_bgp_attrs *in,
                struct vnrs_bgp_attrs *out)
{
    struct vnrs_bgp_attr_edit edit = {
        .prepend_asn = form->ibgp ? 0 : sp->conf.asn,
        .nexthop = form->nexthop.family ? &form->nexthop : NULL,
        .add_communities = {form->mark ? VNRS_BGP_COMMUNITY_RS : 0, form->no_export ? VNRS_BGP_NO_EXPORT : 0},
        .is_private = form->public_only ? vnrs_bgp_asn_is_private : NULL,
        .strip_local_pref = !form->ibgp,
        .strip_med = !form->ibgp,
        .reflect = form->originator != 0,
        .cluster_id = sp->conf.router_id,
        .originator_id = form->originator,
    };
    return vnrs_bgp_attrs_edit(in, &edit, sp->edit_scratch, sizeof(sp->edit_scratch), out);
}

static bool is_cached(const struct vnrs_bgp_export *slot, const struct vnrs_bgp_group *group,
                      const struct vnrs_bgp_form *form, const struct vnrs_bgp_attrs *in,
                      const struct vnrs_bgp_map_outcome *outcome)
{
    return slot->in == in && memcmp(&slot->form, form, sizeof(*form)) == 0 && slot->fired == outcome->fired &&
           slot->summarised == outcome->summarised && (!outcome->fired || slot->map == group->map);
}

// NULL: too large, or, with *ret_failed, no memory.
static const struct vnrs_bgp_attrs *build(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                          const struct vnrs_bgp_form *form, const struct vnrs_bgp_attrs *in,
                                          const struct vnrs_bgp_map_outcome *outcome, bool *ret_failed)
{
    uint64_t place = in->hash ^ form->ibgp ^ form->nexthop.bytes[3] ^ outcome->fired * 31;
    struct vnrs_bgp_export *slot = &sp->exports[place % VNRS_BGP_EXPORT_CACHE];
    struct vnrs_bgp_attrs changed, out;
    const struct vnrs_bgp_attrs *from = in;

    if (is_cached(slot, group, form, in, outcome))
        return slot->out;
    if (outcome->fired) {
        if (vnrs_bgp_map_edit(group->map, in, outcome, &changed) < 0)
            return NULL;
        from = &changed;
    }
    if (edit(sp, form, from, &out) < 0)
        return NULL;
    if (form->ibgp && !(out.has & VNRS_BGP_HAS_LOCAL_PREF)) {
        out.has |= VNRS_BGP_HAS_LOCAL_PREF; // required towards iBGP (RFC 4271 5.1.5)
        out.local_pref = IBGP_LOCAL_PREF;
    }
    const struct vnrs_bgp_attrs *set = vnrs_bgp_attrs_intern(sp->attrs, &out);
    if (!set) {
        *ret_failed = true;
        return NULL;
    }
    vnrs_bgp_attrs_unref(sp->attrs, slot->in);
    vnrs_bgp_attrs_unref(sp->attrs, slot->out);
    *slot = (struct vnrs_bgp_export){.in = vnrs_bgp_attrs_ref(in),
                                     .out = set,
                                     .map = group->map,
                                     .fired = outcome->fired,
                                     .summarised = outcome->summarised};
    memcpy(&slot->form, form, sizeof(*form));
    return set;
}

const struct vnrs_bgp_attrs *vnrs_bgp_export_attrs(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                                   const struct vnrs_prefix *prefix, const struct vnrs_bgp_path *path,
                                                   struct vnrs_bgp_map_outcome *ret_outcome, bool *ret_failed)
{
    struct vnrs_bgp_form form = form_of(sp, group, path);

    *ret_outcome = (struct vnrs_bgp_map_outcome){.prefix = *prefix};
    if (group->map && path->slot < VNRS_BGP_PEERS_MAX)
        vnrs_bgp_map_match(group->map, prefix, path->attrs, ret_outcome);
    return ret_outcome->dropped ? NULL : build(sp, group, &form, path->attrs, ret_outcome, ret_failed);
}

bool vnrs_bgp_export_is_same(void *arg, const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b)
{
    static const struct vnrs_bgp_group outside; // maps see nothing in which equal ones could differ, nor do forms
    static const struct vnrs_bgp_map_outcome unchanged;
    struct vnrs_bgp_speaker *sp = arg;
    struct vnrs_bgp_form form;
    bool failed = false;

    // Paths differ nearly always, and then nothing has to be built.
    if (a->as_path_bytes != b->as_path_bytes ||
        (a->as_path_bytes && memcmp(a->as_path, b->as_path, a->as_path_bytes) != 0))
        return false;
    memset(&form, 0, sizeof(form));
    form.nexthop = sp->conf.local;
    const struct vnrs_bgp_attrs *out = build(sp, &outside, &form, a, &unchanged, &failed);
    if (!out)
        return false;
    vnrs_bgp_attrs_ref(out); // the second may take its place in the cache
    bool same = build(sp, &outside, &form, b, &unchanged, &failed) == out;
    vnrs_bgp_attrs_unref(sp->attrs, out);
    return same;
}

void vnrs_bgp_export_forget(struct vnrs_bgp_speaker *sp)
{
    for (unsigned i = 0; i < VNRS_BGP_EXPORT_CACHE; i++) {
        vnrs_bgp_attrs_unref(sp->attrs, sp->exports[i].in);
        vnrs_bgp_attrs_unref(sp->attrs, sp->exports[i].out);
        sp->exports[i] = (struct vnrs_bgp_export){0};
    }
}
