// SPDX-License-Identifier: GPL-2.0-or-later
// The configuration of a speaker: what there is to change is found out, and nothing else is touched.
#include "bgp/speaker_parts.h"

#include "bgp/adj_out.h"
#include "bgp/export.h"

#include <errno.h>
#include <string.h>

static int prefix_cmp(const void *a, const void *b)
{
    return vnrs_prefix_cmp(a, b);
}

// `cover` is only told outermost ranges: in this order, each comes before all that it holds.
static int cover_build(const struct vnrs_prefix *sorted, size_t n, struct vnrs_trie *cover)
{
    const struct vnrs_prefix *outer = NULL;

    for (size_t i = 0; i < n; i++) {
        if (outer && vnrs_prefix_contains(outer, &sorted[i]))
            continue;
        outer = &sorted[i];
        if (vnrs_trie_put(cover, outer, cover) < 0)
            return -ENOMEM;
    }
    return 0;
}

// What the instance originates from one slot: `list` becomes `sorted`, n of them, which is taken.
static int originate(struct vnrs_bgp_speaker *sp, unsigned slot, vnrs_bgp_prefix_list *list, struct vnrs_prefix *sorted,
                     size_t n)
{
    int err = 0;

    vec_foreach (old, list)
        if (!n || !bsearch(old, sorted, n, sizeof(*sorted), prefix_cmp))
            (void)vnrs_bgp_rib_withdraw(&sp->rib, old, slot, 0);
    for (size_t i = 0; i < n && err >= 0; i++)
        err = vnrs_bgp_rib_update(&sp->rib, &sorted[i], slot, 0, sp->local_attrs, VNRS_BGP_USABLE);
    vec_free(list);
    list->items = sorted;
    list->len = n;
    list->cap = n + 1;
    return err < 0 ? err : 0;
}

// The prefixes of these kinds (bits), sorted; NULL: out of memory.
static struct vnrs_prefix *own_select(const struct vnrs_spk_own *own, size_t n, unsigned kinds, size_t *ret_n)
{
    struct vnrs_prefix *sorted = calloc(n + 1, sizeof(*sorted));
    size_t chosen = 0;

    if (!sorted)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (kinds >> own[i].kind & 1u)
            sorted[chosen++] = own[i].prefix;
    qsort(sorted, chosen, sizeof(*sorted), prefix_cmp);
    *ret_n = chosen;
    return sorted;
}

static int own_set(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_own *own, size_t n)
{
    const unsigned range = 1u << VNRS_SPK_OWN_RANGE, custom = 1u << VNRS_SPK_OWN_CUSTOM;
    size_t n_ranges = 0, n_locals = 0, n_statics = 0;
    _free_ struct vnrs_prefix *ranges = own_select(own, n, range, &n_ranges);
    _free_ struct vnrs_prefix *locals = own_select(own, n, range | custom, &n_locals);
    _free_ struct vnrs_prefix *statics = own_select(own, n, 1u << VNRS_SPK_OWN_STATIC, &n_statics);
    struct vnrs_trie cover = {0};

    if (!ranges || !locals || !statics)
        return -ENOMEM;
    if (cover_build(ranges, n_ranges, &cover) < 0) {
        vnrs_trie_fini(&cover);
        return -ENOMEM;
    }
    vnrs_trie_fini(&sp->cover);
    sp->cover = cover;
    int err = originate(sp, VNRS_BGP_SLOT_LOCAL, &sp->locals, TAKE_PTR(locals), n_locals);
    return err < 0 ? err : originate(sp, VNRS_BGP_SLOT_STATIC, &sp->statics, TAKE_PTR(statics), n_statics);
}

static int instance_set(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_config *conf)
{
    struct vnrs_bgp_attrs own = {.origin = VNRS_BGP_ORIGIN_IGP, .nexthop = conf->local};
    const struct vnrs_bgp_attrs *set = vnrs_bgp_attrs_intern(sp->attrs, &own);

    if (!set)
        return -ENOMEM;
    vnrs_bgp_export_forget(sp);
    vnrs_bgp_attrs_unref(sp->attrs, sp->local_attrs);
    sp->local_attrs = set;
    sp->conf = *conf;
    for (unsigned slot = VNRS_BGP_SLOT_STATIC; slot <= VNRS_BGP_SLOT_LOCAL; slot++) {
        sp->rib.sources[slot].addr = conf->local;
        sp->rib.sources[slot].router_id = conf->router_id;
    }
    return 0;
}

// Administratively: nothing of the peer stays.
void vnrs_bgp_member_stop(struct vnrs_bgp_member *m, uint8_t cease, const char *text)
{
    vnrs_bgp_peer_stop(&m->peer, m->speaker->now, cease, text);
    vnrs_bgp_retain_drop(m);
}

static void member_start(struct vnrs_bgp_member *m)
{
    m->configured_ms = m->speaker->now;
    if (!m->conf.shutdown)
        vnrs_bgp_peer_start(&m->peer, m->speaker->now);
}

static void member_remove(struct vnrs_bgp_speaker *sp, unsigned slot)
{
    struct vnrs_bgp_member *m = sp->members[slot];

    vnrs_bgp_member_stop(m, VNRS_BGP_CEASE_DECONFIGURED, NULL);
    sp->members[slot] = NULL;
    vnrs_bgp_member_free(m);
}

static int member_add(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_peer_config *conf)
{
    unsigned slot = 0;
    struct vnrs_bgp_member *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    while (sp->members[slot])
        slot++; // there are fewer peers than slots
    *m = (struct vnrs_bgp_member){.speaker = sp, .conf = *conf, .slot = slot, .changed = true};
    vnrs_bgp_member_init(m);
    sp->members[slot] = m;
    member_start(m);
    return 0;
}

static bool needs_restart(const struct vnrs_spk_peer_config *a, const struct vnrs_spk_peer_config *b)
{
    return a->asn != b->asn || a->hold != b->hold || a->keepalive != b->keepalive || a->port != b->port ||
           a->ttl != b->ttl || a->kind != b->kind || !vnrs_addr_equal(&a->local, &b->local) ||
           a->passive != b->passive || a->ttl_min != b->ttl_min || a->delay_open != b->delay_open ||
           a->min_hold != b->min_hold || memcmp(a->md5, b->md5, sizeof(a->md5)) != 0 ||
           (a->bfd.multiplier && a->bfd.strict) != (b->bfd.multiplier && b->bfd.strict);
}

static void member_change(struct vnrs_bgp_member *m, const struct vnrs_spk_peer_config *conf, bool restart)
{
    struct vnrs_bgp_speaker *sp = m->speaker;
    struct vnrs_spk_peer_config old = m->conf;
    uint32_t flaps = m->peer.flaps;

    m->conf = *conf;
    m->changed = true;
    if (restart || needs_restart(&old, conf)) {
        vnrs_bgp_member_stop(m, VNRS_BGP_CEASE_CONFIG_CHANGE, NULL);
        vnrs_bgp_member_init(m);
        m->peer.flaps = flaps;
        member_start(m);
    } else if (conf->shutdown && !old.shutdown) {
        vnrs_bgp_member_stop(m, VNRS_BGP_CEASE_SHUTDOWN, "shut down by configuration");
    } else if (!conf->shutdown && old.shutdown) {
        member_start(m);
    } else if (conf->max_prefixes && vnrs_bgp_import_count(m) > conf->max_prefixes) {
        struct vnrs_bgp_error error = {.code = VNRS_BGP_ERR_CEASE, .subcode = VNRS_BGP_CEASE_MAX_PREFIXES};
        vnrs_bgp_peer_fail(&m->peer, sp->now, &error);
    }
}

static const struct vnrs_spk_peer_config *conf_find(const struct vnrs_spk_peer_config *peers, size_t n,
                                                    const struct vnrs_addr *addr)
{
    for (size_t i = 0; i < n; i++)
        if (vnrs_addr_equal(&peers[i].addr, addr))
            return &peers[i];
    return NULL;
}

static bool is_valid_addr(const struct vnrs_addr *addr)
{
    return addr->family == VNRS_AF_IPV4 || addr->family == VNRS_AF_IPV6;
}

static bool is_valid_prefix(const struct vnrs_prefix *p)
{
    return (p->family == VNRS_AF_IPV4 || p->family == VNRS_AF_IPV6) && p->len <= vnrs_af_bits(p->family);
}

static bool is_valid_peer(const struct vnrs_spk_config *conf, const struct vnrs_spk_peer_config *p, size_t n_maps)
{
    return p->asn && p->hold != 1 && p->hold != 2 && p->addr.family == conf->local.family &&
           memchr(p->name, '\0', sizeof(p->name)) && memchr(p->md5, '\0', VNRS_MD5_KEY_MAX + 1) &&
           p->in_map <= n_maps && p->out_map <= n_maps && p->kind < _VNRS_SPK_PEER_KIND_MAX &&
           (!p->local.family || p->local.family == conf->local.family) &&
           (!p->bfd.multiplier || (p->bfd.min_tx_us && p->bfd.min_rx_us));
}

static int config_check(const struct vnrs_spk_config *conf, const struct vnrs_spk_own *own, size_t n_own,
                        const struct vnrs_spk_peer_config *peers, size_t n_peers, size_t n_maps)
{
    if (conf->role >= _VNRS_SPK_ROLE_MAX || conf->preference >= _VNRS_SPK_PREFER_MAX || !conf->asn ||
        !conf->router_id || !is_valid_addr(&conf->local) || conf->restart_s > VNRS_BGP_GR_TIME_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n_own; i++)
        if (!is_valid_prefix(&own[i].prefix) || own[i].kind >= _VNRS_SPK_OWN_MAX)
            return -EINVAL;
    if (n_peers > VNRS_BGP_PEERS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < n_peers; i++) {
        if (!is_valid_peer(conf, &peers[i], n_maps))
            return -EINVAL;
        if (conf_find(peers, i, &peers[i].addr))
            return -EEXIST;
    }
    return 0;
}

static int members_set(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_peer_config *peers, size_t n, bool restart)
{
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        struct vnrs_bgp_member *m = sp->members[slot];
        if (!m)
            continue;
        const struct vnrs_spk_peer_config *conf = conf_find(peers, n, &m->conf.addr);
        if (!conf)
            member_remove(sp, slot);
        else if (restart || memcmp(conf, &m->conf, sizeof(*conf)) != 0)
            member_change(m, conf, restart);
        if (!conf)
            continue;
        m->peer.conf.connect_retry_ms = sp->conf.connect_retry_ms;
        vnrs_bgp_member_set_caps(m);
    }
    for (size_t i = 0; i < n; i++) {
        int err = vnrs_bgp_speaker_find_addr(sp, &peers[i].addr) ? 0 : member_add(sp, &peers[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

// Where memory runs out, the session ends: the routes that it has passed the map only in part.
static int member_set_maps(struct vnrs_bgp_member *m, const struct vnrs_bgp_policy *policy)
{
    struct vnrs_bgp_error error = {.code = VNRS_BGP_ERR_CEASE, .subcode = VNRS_BGP_CEASE_RESOURCES};
    int err = vnrs_bgp_import_set_map(m, vnrs_bgp_policy_map(policy, m->conf.in_map));

    if (err == 0)
        return 0;
    vnrs_bgp_peer_fail(&m->peer, m->speaker->now, &error);
    vnrs_bgp_retain_drop(m);
    vnrs_bgp_import_withdraw_all(m);
    vnrs_bgp_import_free(m);
    return err;
}

// Every member gets its maps of the new policy, before the old one goes.
static int policy_set(struct vnrs_bgp_speaker *sp, struct vnrs_bgp_policy **policy)
{
    struct vnrs_bgp_policy *old = sp->policy;
    int err = 0;

    sp->policy = TAKE_PTR(*policy);
    vnrs_bgp_adj_out_set_maps(sp);
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++) {
        int failed = sp->members[i] ? member_set_maps(sp->members[i], sp->policy) : 0;
        err = failed < 0 ? failed : err;
    }
    vnrs_bgp_policy_free(old);
    return err;
}

// What depends on what peers are, and on how classes of routes stand to each other. Sessions go on.
static void kinds_set(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_config *old,
                      const struct vnrs_spk_peer_config *peers, size_t n)
{
    bool moved = false;

    sp->has_route_server = false;
    for (size_t i = 0; i < n; i++)
        sp->has_route_server |= peers[i].kind == VNRS_SPK_PEER_ROUTE_SERVER;
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        struct vnrs_bgp_source *source = &sp->rib.sources[slot];
        const struct vnrs_bgp_member *m = sp->members[slot];
        const struct vnrs_spk_peer_config *peer = m ? conf_find(peers, n, &m->conf.addr) : NULL;
        uint16_t rank = vnrs_bgp_role_rank(&sp->conf, source->from, peer ? peer->weight : 0);
        moved |= source->rank != rank;
        source->rank = rank;
    }
    if (moved)
        vnrs_bgp_rib_reorder(&sp->rib);
    if (old->branch_to_branch != sp->conf.branch_to_branch)
        vnrs_bgp_adj_out_review(sp);
}

int vnrs_bgp_speaker_configure(struct vnrs_bgp_speaker *sp, uint64_t now_ms, const struct vnrs_spk_config *conf,
                               const struct vnrs_spk_own *own, size_t n_own, const struct vnrs_spk_peer_config *peers,
                               size_t n_peers, struct vnrs_bgp_policy **policy)
{
    struct vnrs_spk_config old = sp->conf;
    struct vnrs_bgp_policy *none = NULL;

    policy = policy ? policy : &none;
    int err = config_check(conf, own, n_own, peers, n_peers, vnrs_bgp_policy_len(*policy));

    if (err < 0)
        return err;
    sp->now = now_ms;
    bool restart =
        sp->configured && (old.asn != conf->asn || old.router_id != conf->router_id || old.role != conf->role ||
                           old.features != conf->features || !vnrs_addr_equal(&old.local, &conf->local));
    bool first = !sp->configured || restart;
    // Sessions of the old identity end before their routes are looked at with the new one.
    if (restart)
        for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
            if (sp->members[i])
                vnrs_bgp_member_stop(sp->members[i], VNRS_BGP_CEASE_CONFIG_CHANGE, NULL);
    if (first && (err = instance_set(sp, conf)) < 0)
        return err;
    sp->conf = *conf;
    vnrs_bgp_role_tells(conf, &sp->tellings);
    if (sp->configured)
        sp->conf.restart = old.restart;
    else if (conf->features & VNRS_SPK_GRACEFUL_RESTART && conf->restart & VNRS_SPK_RESTARTED) {
        sp->deferring = true;
        sp->defer_until = now_ms + vnrs_bgp_restart_s(conf) * UINT64_C(1000);
    }
    sp->configured = true;
    if ((err = own_set(sp, own, n_own)) < 0)
        return err;
    kinds_set(sp, &old, peers, n_peers);
    vnrs_bgp_import_rejudge(sp);
    if ((err = members_set(sp, peers, n_peers, restart)) < 0)
        return err;
    return policy_set(sp, policy);
}
