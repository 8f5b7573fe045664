// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/export.h"

#include "bgp/nlri.h"

#include <errno.h>
#include <string.h>

#define IBGP_LOCAL_PREF 100u

const struct vnrs_bgp_path *vnrs_bgp_export_path(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                                 const struct vnrs_bgp_dest *dest)
{
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);

    if (!best || !group->mp[vnrs_bgp_af_of(&dest->prefix)])
        return NULL;
    // The next hop is the instance itself, and it has one address.
    if (sp->conf.local.family != dest->prefix.family)
        return NULL;
    if (group->ibgp && sp->rib.sources[best->slot].ibgp)
        return NULL;
    if (vnrs_bgp_attrs_has_community(best->attrs, VNRS_BGP_NO_ADVERTISE))
        return NULL;
    if (!group->ibgp && vnrs_bgp_attrs_has_community(best->attrs, VNRS_BGP_NO_EXPORT))
        return NULL;
    return best;
}

static int edit_ebgp(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_attrs *in, struct vnrs_bgp_attrs *out)
{
    bool learned = in != sp->local_attrs;
    struct vnrs_bgp_attr_edit edit = {
        .prepend_asn = sp->conf.asn,
        .nexthop = &sp->conf.local,
        .add_community = sp->conf.as_route_server && learned ? VNRS_BGP_COMMUNITY_RS : 0,
        .strip_local_pref = true,
        .strip_med = true,
    };
    return vnrs_bgp_attrs_edit(in, &edit, sp->edit_scratch, sizeof(sp->edit_scratch), out);
}

const struct vnrs_bgp_attrs *vnrs_bgp_export_attrs(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_group *group,
                                                   const struct vnrs_bgp_attrs *in, bool *ret_failed)
{
    struct vnrs_bgp_export *slot = &sp->exports[(in->hash ^ group->ibgp) % VNRS_BGP_EXPORT_CACHE];
    struct vnrs_bgp_attrs out = *in;

    if (slot->in == in && slot->ibgp == group->ibgp)
        return slot->out;
    if (!group->ibgp && edit_ebgp(sp, in, &out) < 0)
        return NULL;
    if (group->ibgp && !(out.has & VNRS_BGP_HAS_LOCAL_PREF)) {
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
    *slot = (struct vnrs_bgp_export){.in = vnrs_bgp_attrs_ref(in), .out = set, .ibgp = group->ibgp};
    return set;
}

bool vnrs_bgp_export_is_same(void *arg, const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b)
{
    static const struct vnrs_bgp_group outside;
    struct vnrs_bgp_speaker *sp = arg;
    bool failed = false;

    // Paths differ nearly always, and then nothing has to be built.
    if (a->as_path_bytes != b->as_path_bytes ||
        (a->as_path_bytes && memcmp(a->as_path, b->as_path, a->as_path_bytes) != 0))
        return false;
    const struct vnrs_bgp_attrs *out = vnrs_bgp_export_attrs(sp, &outside, a, &failed);
    if (!out)
        return false;
    vnrs_bgp_attrs_ref(out); // the second may take its place in the cache
    bool same = vnrs_bgp_export_attrs(sp, &outside, b, &failed) == out;
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
