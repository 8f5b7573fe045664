// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/adj_in.h"

#include "bgp/nlri.h"

#include <errno.h>
#include <string.h>

// What is not even kept: a Route Server shows no route with its own ASN or ASN 0 in the path, and the first ASN of an
// eBGP route is the peer's (RFC 4271 6.3).
static bool is_refused(const struct vnrs_bgp_member *m, const struct vnrs_bgp_session *session,
                       const struct vnrs_bgp_attrs *attrs)
{
    const struct vnrs_bgp_speaker *sp = m->speaker;

    if (vnrs_bgp_attrs_has_asn(attrs, 0))
        return true;
    if (sp->conf.role == VNRS_SPK_ROLE_ROUTE_SERVER && vnrs_bgp_attrs_has_asn(attrs, sp->conf.asn))
        return true;
    return !session->ibgp && attrs->first_asn != session->peer_asn;
}

static void withdraw(struct vnrs_bgp_member *m, struct vnrs_bgp_nlri nlri)
{
    struct vnrs_prefix prefix;

    while (vnrs_bgp_nlri_next(&nlri, &prefix))
        vnrs_bgp_import_withdraw(m, &prefix, nlri.path_id);
}

// The RIB is larger than any cache: prefixes are on their way to it many at a time.
static int take_in(struct vnrs_bgp_member *m, struct vnrs_bgp_nlri *nlri, const struct vnrs_bgp_attrs *set)
{
    struct vnrs_prefix prefixes[VNRS_BGP_PREFETCH_MAX];
    uint32_t ids[VNRS_BGP_PREFETCH_MAX];
    int err = 0;

    while (err == 0 && nlri->len) {
        size_t n = 0;
        while (n < VNRS_BGP_PREFETCH_MAX && vnrs_bgp_nlri_next(nlri, &prefixes[n]))
            ids[n++] = nlri->path_id;
        vnrs_bgp_rib_prefetch(&m->speaker->rib, prefixes, n);
        for (size_t i = 0; i < n && err == 0; i++)
            if (vnrs_bgp_nlri_is_unicast(&prefixes[i])) // else ignored (RFC 4271 6.3)
                err = vnrs_bgp_import_update(m, &prefixes[i], ids[i], set);
    }
    return err;
}

static int announce(struct vnrs_bgp_member *m, const struct vnrs_bgp_session *session, struct vnrs_bgp_nlri nlri,
                    const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_bgp_speaker *sp = m->speaker;

    if (!nlri.len)
        return 0;
    m->n_loops += vnrs_bgp_attrs_has_asn(attrs, sp->conf.asn);
    if (is_refused(m, session, attrs)) {
        withdraw(m, nlri); // the announcement replaces what was there before, even if it is not taken itself
        return 0;
    }
    struct vnrs_bgp_attrs taken = *attrs;
    // RFC 8326 section 4.1: whoever is about to go says so, and is used only where nobody else is there. Inside the AS
    // the border router has seen to that.
    if (!session->ibgp && vnrs_bgp_attrs_has_community(attrs, VNRS_BGP_GRACEFUL_SHUTDOWN)) {
        taken.has |= VNRS_BGP_HAS_LOCAL_PREF;
        taken.local_pref = 0;
    }
    const struct vnrs_bgp_attrs *set = vnrs_bgp_attrs_intern(sp->attrs, &taken);
    if (!set)
        return -ENOMEM;
    int err = take_in(m, &nlri, set);
    vnrs_bgp_attrs_unref(sp->attrs, set);
    return err;
}

struct incoming { // prefixes of one UPDATE
    uint64_t added, again;
};

static struct incoming count_prefixes(const struct vnrs_bgp_member *m, const struct vnrs_bgp_session *session,
                                      const struct vnrs_bgp_update *update)
{
    struct incoming n = {0};
    struct vnrs_prefix prefix;

    for (unsigned i = 0; i < ARRAY_SIZE(update->reach); i++) {
        struct vnrs_bgp_nlri nlri = update->reach[i];
        if (!nlri.len || !session->mp[nlri.af])
            continue;
        while (vnrs_bgp_nlri_next(&nlri, &prefix)) {
            bool known = vnrs_bgp_import_find(m, &prefix, nlri.path_id);
            n.added += !known;
            n.again += known;
        }
    }
    return n;
}

static bool is_excess(struct vnrs_bgp_member *m, const struct vnrs_bgp_session *session,
                      const struct vnrs_bgp_update *update)
{
    const struct vnrs_bgp_speaker *sp = m->speaker;

    if (!m->conf.max_prefixes)
        return false;
    struct incoming n = count_prefixes(m, session, update);
    uint64_t total = vnrs_bgp_import_count(m) + n.added;
    // With more than Azure's features a restart and a refresh must be possible whatever the limit.
    if (sp->conf.role == VNRS_SPK_ROLE_ROUTE_SERVER && !sp->conf.features) {
        if (sp->now - m->burst_last_ms >= VNRS_BGP_QUIET_MS || sp->now - m->burst_begin_ms >= VNRS_BGP_BURST_MS) {
            m->burst_begin_ms = sp->now;
            m->burst_again = 0;
        }
        m->burst_last_ms = sp->now;
        m->burst_again += n.again;
        total += m->burst_again;
    }
    return total > m->conf.max_prefixes;
}

static int cease(uint8_t subcode, struct vnrs_bgp_error *ret_error)
{
    *ret_error = (struct vnrs_bgp_error){.code = VNRS_BGP_ERR_CEASE, .subcode = subcode};
    return -EBADMSG;
}

static int refuse_excess(const struct vnrs_bgp_member *m, const struct vnrs_bgp_update *update,
                         struct vnrs_bgp_error *ret_error)
{
    uint32_t max = m->conf.max_prefixes;
    uint8_t af = update->reach[0].len ? update->reach[0].af : update->reach[1].af;
    // RFC 4486 section 4: AFI, SAFI, and the limit.
    const uint8_t data[] = {
        0,           af == VNRS_BGP_AF6 ? 2 : 1, 1, (uint8_t)(max >> 24), (uint8_t)(max >> 16), (uint8_t)(max >> 8),
        (uint8_t)max};

    (void)cease(VNRS_BGP_CEASE_MAX_PREFIXES, ret_error);
    ret_error->data_len = sizeof(data);
    memcpy(ret_error->data, data, sizeof(data));
    return -EBADMSG;
}

static void note_heard(struct vnrs_bgp_member *m, const struct vnrs_bgp_update *update)
{
    m->heard_ms = m->speaker->now;
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        m->eor_in[af] |= update->eor[af];
        if (update->eor[af])
            vnrs_bgp_retain_eor(m, af);
    }
}

int vnrs_bgp_adj_in_update(struct vnrs_bgp_member *m, const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error)
{
    struct vnrs_bgp_speaker *sp = m->speaker;
    const struct vnrs_bgp_session *session = &vnrs_bgp_peer_session(&m->peer)->session;
    struct vnrs_bgp_update u = {0};
    enum vnrs_bgp_outcome outcome = vnrs_bgp_update_decode(session, msg, len, sp->scratch, &u, ret_error);

    m->n_treated_as_withdraw += outcome == VNRS_BGP_TREAT_AS_WITHDRAW;
    if (outcome >= VNRS_BGP_TREAT_AS_WITHDRAW && sp->observer && sp->observer->malformed)
        sp->observer->malformed(sp->observer_arg, m, msg, len);
    if (outcome != VNRS_BGP_OK && sp->ops->malformed)
        sp->ops->malformed(sp->arg, m, outcome, &u, msg, len);
    if (outcome == VNRS_BGP_SESSION_RESET)
        return -EBADMSG;
    note_heard(m, &u);
    if (outcome != VNRS_BGP_TREAT_AS_WITHDRAW && u.has_reach && is_excess(m, session, &u))
        return refuse_excess(m, &u, ret_error);
    for (unsigned i = 0; i < ARRAY_SIZE(u.withdrawn); i++)
        if (u.withdrawn[i].len && session->mp[u.withdrawn[i].af])
            withdraw(m, u.withdrawn[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(u.reach); i++) {
        if (!u.reach[i].len || !session->mp[u.reach[i].af])
            continue;
        if (outcome == VNRS_BGP_TREAT_AS_WITHDRAW)
            withdraw(m, u.reach[i]);
        else if (announce(m, session, u.reach[i], &u.attrs[i]) < 0)
            return cease(VNRS_BGP_CEASE_RESOURCES, ret_error);
    }
    return 0;
}
