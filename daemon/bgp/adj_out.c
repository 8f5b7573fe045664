// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/adj_out.h"

#include <errno.h>
#include <string.h>

#define IBGP_LOCAL_PREF 100u
#define BEST_PATH_ID    1u // RFC 7911: of the one path of a prefix that is told

struct batch {
    const struct vnrs_bgp_attrs *attrs; // NULL: withdraw
    uint8_t af;
    size_t n, bytes;
    size_t room; // prefixes beyond this many octets do not fit one UPDATE in any case
};

static uint8_t af_of(const struct vnrs_prefix *prefix)
{
    return prefix->family == VNRS_AF_IPV6 ? VNRS_BGP_AF6 : VNRS_BGP_AF4;
}

static uint64_t bit_of(const struct vnrs_bgp_member *m)
{
    return UINT64_C(1) << m->slot;
}

// The path that the peer is to hear of, or NULL.
static const struct vnrs_bgp_path *wanted(struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *dest)
{
    const struct vnrs_bgp_session *session = &vnrs_bgp_peer_session(&m->peer)->session;
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(dest);

    if (!best || best->slot == m->slot || !session->mp[af_of(&dest->prefix)])
        return NULL;
    // The next hop is the instance itself, and it has one address.
    if (m->speaker->conf.local.family != dest->prefix.family)
        return NULL;
    if (session->ibgp && m->speaker->rib.sources[best->slot].ibgp)
        return NULL;
    if (vnrs_bgp_attrs_has_community(best->attrs, VNRS_BGP_NO_ADVERTISE))
        return NULL;
    if (!session->ibgp && vnrs_bgp_attrs_has_community(best->attrs, VNRS_BGP_NO_EXPORT))
        return NULL;
    return best;
}

static int export_ebgp(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_attrs *in, struct vnrs_bgp_attrs *out)
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

// NULL: attributes that cannot be told on because they are too large, or, with *ret_failed, no memory.
static const struct vnrs_bgp_attrs *export_attrs(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_attrs *in,
                                                 bool ibgp, bool *ret_failed)
{
    struct vnrs_bgp_export *slot = &sp->exports[(in->hash ^ ibgp) % VNRS_BGP_EXPORT_CACHE];
    struct vnrs_bgp_attrs out = *in;

    if (slot->in == in && slot->ibgp == ibgp)
        return slot->out;
    if (!ibgp && export_ebgp(sp, in, &out) < 0)
        return NULL;
    if (ibgp && !(out.has & VNRS_BGP_HAS_LOCAL_PREF)) {
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
    *slot = (struct vnrs_bgp_export){.in = vnrs_bgp_attrs_ref(in), .out = set, .ibgp = ibgp};
    return set;
}

bool vnrs_bgp_adj_out_is_same(void *arg, const struct vnrs_bgp_attrs *a, const struct vnrs_bgp_attrs *b)
{
    struct vnrs_bgp_speaker *sp = arg;
    bool failed = false;

    // Paths differ nearly always, and then nothing has to be built.
    if (a->as_path_bytes != b->as_path_bytes ||
        (a->as_path_bytes && memcmp(a->as_path, b->as_path, a->as_path_bytes) != 0))
        return false;
    const struct vnrs_bgp_attrs *out = export_attrs(sp, a, false, &failed);
    if (!out)
        return false;
    vnrs_bgp_attrs_ref(out); // the second may take its place in the cache
    bool same = export_attrs(sp, b, false, &failed) == out;
    vnrs_bgp_attrs_unref(sp->attrs, out);
    return same;
}

void vnrs_bgp_adj_out_forget(struct vnrs_bgp_speaker *sp)
{
    for (unsigned i = 0; i < VNRS_BGP_EXPORT_CACHE; i++) {
        vnrs_bgp_attrs_unref(sp->attrs, sp->exports[i].in);
        vnrs_bgp_attrs_unref(sp->attrs, sp->exports[i].out);
        sp->exports[i] = (struct vnrs_bgp_export){0};
    }
}

const struct vnrs_bgp_attrs *vnrs_bgp_adj_out_attrs(struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *dest,
                                                    bool *ret_failed)
{
    const struct vnrs_bgp_path *path = wanted(m, dest);

    if (!path)
        return NULL;
    return export_attrs(m->speaker, path->attrs, vnrs_bgp_peer_session(&m->peer)->session.ibgp, ret_failed);
}

// Takes entries from the queue as long as they go into the same message. The attributes are kept by the cache, in which
// nothing is replaced while all entries lead to the same set; the one that does not is put back.
static int collect(struct vnrs_bgp_member *m, struct batch *batch)
{
    struct vnrs_bgp_speaker *sp = m->speaker;
    struct vnrs_bgp_dest *d;

    while (batch->n < VNRS_BGP_BATCH && batch->bytes < batch->room && (d = vnrs_bgp_rib_dequeue(&sp->rib, m->slot))) {
        bool failed = false;
        const struct vnrs_bgp_attrs *attrs = vnrs_bgp_adj_out_attrs(m, d, &failed);
        if (failed) {
            vnrs_bgp_rib_requeue(&sp->rib, m->slot, d);
            return -ENOMEM;
        }
        if (!attrs && !(d->advertised & bit_of(m))) {
            vnrs_bgp_rib_done(&sp->rib, d);
            continue;
        }
        if (batch->n == 0) {
            batch->attrs = attrs ? vnrs_bgp_attrs_ref(attrs) : NULL;
            batch->af = af_of(&d->prefix);
        } else if (attrs != batch->attrs || af_of(&d->prefix) != batch->af) {
            vnrs_bgp_rib_requeue(&sp->rib, m->slot, d);
            break;
        }
        sp->batch_prefixes[batch->n] = d->prefix;
        sp->batch_path_ids[batch->n] = BEST_PATH_ID;
        sp->batch[batch->n++] = d;
        batch->bytes += 1u + (d->prefix.len + 7u) / 8u;
    }
    return 0;
}

// The first `used` entries of the batch were told; the others wait again, in their order.
static void settle(struct vnrs_bgp_member *m, const struct batch *batch, size_t used)
{
    struct vnrs_bgp_speaker *sp = m->speaker;

    for (size_t i = batch->n; i-- > used;)
        vnrs_bgp_rib_requeue(&sp->rib, m->slot, sp->batch[i]);
    for (size_t i = 0; i < used; i++) {
        struct vnrs_bgp_dest *d = sp->batch[i];
        bool was = d->advertised & bit_of(m), is = batch->attrs;
        m->advertised += (uint32_t)is - (uint32_t)was;
        d->advertised = is ? d->advertised | bit_of(m) : d->advertised & ~bit_of(m);
        vnrs_bgp_rib_done(&sp->rib, d);
    }
}

// The attributes alone fill a message (a path at the edge of what was taken in, prepended): the prefixes cannot be
// told. Those that were told before are withdrawn; *batch becomes that.
static void withdraw_instead(struct vnrs_bgp_member *m, struct batch *batch)
{
    struct vnrs_bgp_speaker *sp = m->speaker;
    size_t keep = 0;

    for (size_t i = 0; i < batch->n; i++) {
        struct vnrs_bgp_dest *d = sp->batch[i];
        if (!(d->advertised & bit_of(m))) {
            vnrs_bgp_rib_done(&sp->rib, d);
            continue;
        }
        sp->batch_prefixes[keep] = d->prefix;
        sp->batch[keep++] = d;
    }
    vnrs_bgp_attrs_unref(sp->attrs, batch->attrs);
    batch->attrs = NULL;
    batch->n = keep;
}

// Everything is told: the markers that say so, one at a time.
static int end_marker(struct vnrs_bgp_member *m, uint8_t *buf, size_t size)
{
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        if (m->eor_out[af]) {
            m->eor_out[af] = false;
            return vnrs_bgp_eor_encode(af, buf, size);
        }
        if (m->eorr_out[af]) {
            m->eorr_out[af] = false;
            return vnrs_bgp_refresh_encode(af, VNRS_BGP_REFRESH_END, buf, size);
        }
    }
    return 0;
}

// Starts what the peer asked for; the begin is marked where it knows that (RFC 7313 section 4), not before the initial
// routes are complete. Asked again meanwhile, it begins again and ends once.
static int refresh_begin(struct vnrs_bgp_member *m, uint8_t *buf, size_t size)
{
    struct vnrs_bgp_rib *rib = &m->speaker->rib;
    struct vnrs_bgp_dest *d;

    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        size_t at = 0;
        if (!m->refresh_due[af] || m->eor_out[af])
            continue;
        m->refresh_due[af] = false;
        while ((d = vnrs_bgp_rib_next(rib, &at)))
            if (af_of(&d->prefix) == af)
                vnrs_bgp_rib_enqueue(rib, m->slot, d);
        if (vnrs_bgp_peer_session(&m->peer)->session.enhanced_refresh) {
            m->eorr_out[af] = true;
            return vnrs_bgp_refresh_encode(af, VNRS_BGP_REFRESH_BEGIN, buf, size);
        }
    }
    return 0;
}

static int encode(struct vnrs_bgp_member *m, struct batch *batch, uint8_t *buf, size_t size)
{
    struct vnrs_bgp_speaker *sp = m->speaker;
    const struct vnrs_bgp_session *session = &vnrs_bgp_peer_session(&m->peer)->session;
    const uint32_t *ids = session->add_path_tx[batch->af] ? sp->batch_path_ids : NULL;
    size_t used = 0;

    int len =
        vnrs_bgp_update_encode(session, batch->af, batch->attrs, sp->batch_prefixes, ids, batch->n, buf, size, &used);
    if (len < 0 || used == 0) {
        withdraw_instead(m, batch);
        len = 0;
        if (batch->n)
            len = vnrs_bgp_update_encode(session, batch->af, NULL, sp->batch_prefixes, ids, batch->n, buf, size, &used);
    }
    if (len > 0)
        settle(m, batch, used);
    return len;
}

int vnrs_bgp_adj_out_next(struct vnrs_bgp_member *m, uint8_t *buf, size_t size)
{
    if (m->speaker->deferring)
        return 0;
    int begin = refresh_begin(m, buf, size);
    if (begin)
        return begin;
    for (;;) {
        struct batch batch = {.room = vnrs_bgp_adj_out_message_max(m)};
        int len = collect(m, &batch);
        if (batch.n == 0)
            return len < 0 ? len : end_marker(m, buf, size);
        len = encode(m, &batch, buf, size);
        vnrs_bgp_attrs_unref(m->speaker->attrs, batch.attrs);
        if (len)
            return len;
    }
}

size_t vnrs_bgp_adj_out_message_max(struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);
    return fsm && fsm->session.extended_message ? VNRS_BGP_MSG_EXTENDED_MAX : VNRS_BGP_MSG_MAX;
}

bool vnrs_bgp_adj_out_is_pending(const struct vnrs_bgp_member *m)
{
    if (m->speaker->deferring)
        return false;
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        if (m->eor_out[af] || m->eorr_out[af] || m->refresh_due[af])
            return true;
    return m->speaker->rib.queues[m->slot].len;
}

void vnrs_bgp_adj_out_refresh(struct vnrs_bgp_member *m, uint8_t af)
{
    m->refresh_due[af] = true;
}
