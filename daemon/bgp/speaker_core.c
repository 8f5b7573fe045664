// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/speaker_core.h"

#include "bgp/adj_in.h"
#include "bgp/adj_out.h"
#include "bgp/bfd_packet.h"
#include "bgp/export.h"

#include <errno.h>
#include <string.h>

static void note_changed(struct vnrs_bgp_member *m)
{
    m->changed = true;
    if (m->speaker->observer && m->speaker->observer->changed)
        m->speaker->observer->changed(m->speaker->observer_arg, m);
}

static void on_connect(void *arg)
{
    struct vnrs_bgp_member *m = arg;
    m->speaker->ops->connect(m->speaker->arg, m);
}

static void on_close(void *arg, enum vnrs_bgp_side side)
{
    struct vnrs_bgp_member *m = arg;
    m->speaker->ops->close(m->speaker->arg, m, side);
}

static void on_send(void *arg, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    struct vnrs_bgp_member *m = arg;
    m->speaker->ops->send(m->speaker->arg, m, side, bytes, len);
}

static uint16_t restart_s(const struct vnrs_spk_config *conf)
{
    return conf->restart_s ? conf->restart_s : VNRS_BGP_RESTART_S;
}

static void on_changed(void *arg)
{
    note_changed(arg);
}

// A Route Server's OPEN, byte for byte (azure-routing.md 5.2), unless more is configured: it announces IPv6 although it
// is IPv4 only. What is said about forwarding (F bit) is what is so: it goes on while this process is there, and over
// its restart where the routes were kept in force.
static void caps_set(struct vnrs_bgp_member *m)
{
    const struct vnrs_spk_config *conf = &m->speaker->conf;
    bool graceful = conf->features & VNRS_SPK_GRACEFUL_RESTART;
    bool add_path = conf->features & VNRS_SPK_ADD_PATH;
    bool forwarding = graceful && (m->was_up || conf->restart & VNRS_SPK_FORWARDING_KEPT);

    m->peer.conf.caps = (struct vnrs_bgp_caps){
        .mp = {true, true},
        .any_mp = true,
        .refresh = true,
        .as4 = true,
        .extended_message = conf->features & VNRS_SPK_EXTENDED_MESSAGES,
        .enhanced_refresh = conf->features & VNRS_SPK_ENHANCED_REFRESH,
        .graceful_restart = graceful,
        .gr_notification = graceful,
        .gr_restarted = graceful && m->speaker->deferring,
        .gr_time = restart_s(conf),
        .gr_af = {graceful, graceful},
        .gr_forwarding = {forwarding, forwarding},
        .bfd_strict = m->conf.bfd.multiplier && m->conf.bfd.strict,
        .add_path_receive = {add_path, add_path},
        .add_path_send = {add_path, add_path},
        .ext_nexthop = conf->features & VNRS_SPK_EXTENDED_NEXTHOP,
    };
}

static void on_up(void *arg)
{
    struct vnrs_bgp_member *m = arg;
    struct vnrs_bgp_speaker *sp = m->speaker;
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);

    // Paths stand in the order of their source's identifier: those of another one cannot stay.
    if (sp->rib.sources[m->slot].router_id != fsm->remote.id)
        vnrs_bgp_retain_drop(m);
    sp->rib.sources[m->slot] = (struct vnrs_bgp_source){
        .addr = m->conf.addr, .router_id = fsm->remote.id, .asn = fsm->remote.asn, .ibgp = fsm->session.ibgp};
    vnrs_bgp_retain_up(m);
    m->was_up = true;
    caps_set(m);
    m->heard_ms = m->peer.now;
    m->eor = false;
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        m->eor_in[af] = !fsm->session.mp[af];
        m->eor_out[af] = fsm->session.mp[af] && fsm->remote.caps.graceful_restart;
    }
    vnrs_bgp_adj_out_up(m);
    if (sp->observer && sp->observer->up)
        sp->observer->up(sp->observer_arg, m);
}

static void on_down(void *arg, bool graceful)
{
    struct vnrs_bgp_member *m = arg;

    if (m->speaker->observer && m->speaker->observer->down)
        m->speaker->observer->down(m->speaker->observer_arg, m);
    vnrs_bgp_adj_out_down(m);
    vnrs_bgp_retain_down(m, graceful);
    m->burst_again = 0;
    m->eor = false;
}

static int on_update(void *arg, const uint8_t *msg, size_t len, struct vnrs_bgp_error *ret_error)
{
    struct vnrs_bgp_member *m = arg;

    m->speaker->now = m->peer.now;
    return vnrs_bgp_adj_in_update(m, msg, len, ret_error);
}

static void on_refresh(void *arg, uint8_t af, uint8_t subtype)
{
    struct vnrs_bgp_member *m = arg;
    const struct vnrs_bgp_session *session = &vnrs_bgp_peer_session(&m->peer)->session;

    if (!session->mp[af])
        return;
    // Markers of RFC 7313 mean nothing unless both sides announced enhanced refresh.
    if (subtype == VNRS_BGP_REFRESH_REQUEST)
        vnrs_bgp_adj_out_refresh(m, af);
    else if (session->enhanced_refresh)
        vnrs_bgp_retain_refresh(m, af, subtype);
}

static uint32_t on_random(void *arg)
{
    struct vnrs_bgp_member *m = arg;
    return m->speaker->ops->random(m->speaker->arg);
}

static void on_received(void *arg, enum vnrs_bgp_side side, const uint8_t *msg, size_t len)
{
    struct vnrs_bgp_member *m = arg;
    const struct vnrs_bgp_speaker *sp = m->speaker;

    if (sp->observer && sp->observer->received)
        sp->observer->received(sp->observer_arg, m, side, msg, len);
}

static const struct vnrs_bgp_peer_ops peer_ops = {
    .connect = on_connect,
    .close = on_close,
    .send = on_send,
    .changed = on_changed,
    .up = on_up,
    .down = on_down,
    .update = on_update,
    .refresh = on_refresh,
    .random = on_random,
    .received = on_received,
};

struct vnrs_bgp_speaker *vnrs_bgp_speaker_new(const struct vnrs_bgp_speaker_ops *ops, void *arg, uint64_t seed)
{
    struct vnrs_bgp_speaker *sp = calloc(1, sizeof(*sp));

    if (!sp)
        return NULL;
    sp->ops = ops;
    sp->arg = arg;
    if (!(sp->attrs = vnrs_bgp_attr_table_new())) {
        free(sp);
        return NULL;
    }
    vnrs_bgp_rib_init(&sp->rib, sp->attrs, seed);
    sp->rib.is_same_outside = vnrs_bgp_export_is_same;
    sp->rib.arg = sp;
    return sp;
}

static void on_path(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id, bool best)
{
    const struct vnrs_bgp_speaker *sp = arg;
    sp->observer->path(sp->observer_arg, prefix, slot, path_id, best);
}

void vnrs_bgp_speaker_note_path(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id, bool best)
{
    const struct vnrs_bgp_speaker *sp = arg;

    (void)best; // of that table, not of the RIB
    if (sp->observer && sp->observer->path)
        sp->observer->path(sp->observer_arg, prefix, slot, path_id, false);
}

void vnrs_bgp_speaker_observe(struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_observer *observer, void *arg)
{
    sp->observer = observer;
    sp->observer_arg = arg;
    sp->rib.changed = observer && observer->path ? on_path : NULL;
}

static void member_free(struct vnrs_bgp_member *m)
{
    if (!m)
        return;
    vnrs_bgp_import_free(m);
    vec_free(&m->forgotten);
    vnrs_bgp_peer_fini(&m->peer);
    free(m);
}

void vnrs_bgp_speaker_free(struct vnrs_bgp_speaker *sp)
{
    if (!sp)
        return;
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
        member_free(sp->members[i]);
    vnrs_bgp_adj_out_fini(sp);
    vnrs_bgp_policy_free(sp->policy);
    vnrs_bgp_rib_fini(&sp->rib);
    vnrs_bgp_export_forget(sp);
    vnrs_bgp_attrs_unref(sp->attrs, sp->local_attrs);
    vnrs_bgp_attr_table_free(sp->attrs);
    vnrs_trie_fini(&sp->cover);
    vec_free(&sp->locals);
    free(sp);
}

static int local_cmp(const void *a, const void *b)
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

static int locals_set(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_local *locals, size_t n)
{
    _free_ struct vnrs_prefix *sorted = calloc(n + 1, sizeof(*sorted));
    struct vnrs_trie cover = {0};
    int err = 0;

    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = locals[i].prefix;
    qsort(sorted, n, sizeof(*sorted), local_cmp);
    if (cover_build(sorted, n, &cover) < 0) {
        vnrs_trie_fini(&cover);
        return -ENOMEM;
    }
    vec_foreach (old, &sp->locals)
        if (!bsearch(old, sorted, n, sizeof(*sorted), local_cmp))
            (void)vnrs_bgp_rib_withdraw(&sp->rib, old, VNRS_BGP_SLOT_LOCAL, 0);
    for (size_t i = 0; i < n && err >= 0; i++)
        err = vnrs_bgp_rib_update(&sp->rib, &sorted[i], VNRS_BGP_SLOT_LOCAL, 0, sp->local_attrs, VNRS_BGP_USABLE);
    vnrs_trie_fini(&sp->cover);
    sp->cover = cover;
    vec_free(&sp->locals);
    sp->locals.items = TAKE_PTR(sorted);
    sp->locals.len = n;
    sp->locals.cap = n + 1;
    return err < 0 ? err : 0;
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
    sp->rib.sources[VNRS_BGP_SLOT_LOCAL].addr = conf->local;
    sp->rib.sources[VNRS_BGP_SLOT_LOCAL].router_id = conf->router_id;
    return 0;
}

static struct vnrs_bgp_conf member_conf(const struct vnrs_bgp_speaker *sp, const struct vnrs_spk_peer_config *conf)
{
    return (struct vnrs_bgp_conf){
        .local_asn = sp->conf.asn,
        .peer_asn = conf->asn,
        .router_id = sp->conf.router_id,
        .hold = conf->hold,
        .keepalive = conf->keepalive,
        .connect_retry_ms = sp->conf.connect_retry_ms,
        .delay_open_ms = conf->delay_open * 1000u,
        .passive = conf->passive,
    };
}

// Administratively: nothing of the peer stays.
static void member_stop(struct vnrs_bgp_member *m, uint8_t cease, const char *text)
{
    vnrs_bgp_peer_stop(&m->peer, m->speaker->now, cease, text);
    vnrs_bgp_retain_drop(m);
}

static void member_init(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_conf conf = member_conf(m->speaker, &m->conf);

    conf.bfd_up = m->bfd.configured && m->bfd.state == VNRS_BFD_UP;
    vnrs_bgp_peer_fini(&m->peer);
    vnrs_bgp_peer_init(&m->peer, &conf, &peer_ops, m);
    caps_set(m);
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

    member_stop(m, VNRS_BGP_CEASE_DECONFIGURED, NULL);
    sp->members[slot] = NULL;
    member_free(m);
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
    member_init(m);
    sp->members[slot] = m;
    member_start(m);
    return 0;
}

static bool needs_restart(const struct vnrs_spk_peer_config *a, const struct vnrs_spk_peer_config *b)
{
    return a->asn != b->asn || a->hold != b->hold || a->keepalive != b->keepalive || a->port != b->port ||
           a->ttl != b->ttl || a->passive != b->passive || a->ttl_min != b->ttl_min || a->delay_open != b->delay_open ||
           memcmp(a->md5, b->md5, sizeof(a->md5)) != 0 ||
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
        member_stop(m, VNRS_BGP_CEASE_CONFIG_CHANGE, NULL);
        member_init(m);
        m->peer.flaps = flaps;
        member_start(m);
    } else if (conf->shutdown && !old.shutdown) {
        member_stop(m, VNRS_BGP_CEASE_SHUTDOWN, "shut down by configuration");
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

static int config_check(const struct vnrs_spk_config *conf, const struct vnrs_spk_local *locals, size_t n_locals,
                        const struct vnrs_spk_peer_config *peers, size_t n_peers, size_t n_maps)
{
    if (!conf->asn || !conf->router_id || !is_valid_addr(&conf->local) || conf->restart_s > VNRS_BGP_GR_TIME_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n_locals; i++) {
        const struct vnrs_prefix *p = &locals[i].prefix;
        if ((p->family != VNRS_AF_IPV4 && p->family != VNRS_AF_IPV6) || p->len > vnrs_af_bits(p->family))
            return -EINVAL;
    }
    if (n_peers > VNRS_BGP_PEERS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < n_peers; i++) {
        const struct vnrs_spk_peer_config *p = &peers[i];
        if (!p->asn || p->hold == 1 || p->hold == 2 || p->addr.family != conf->local.family ||
            !memchr(p->name, '\0', sizeof(p->name)) || !memchr(p->md5, '\0', VNRS_MD5_KEY_MAX + 1) ||
            p->in_map > n_maps || p->out_map > n_maps ||
            (p->bfd.multiplier && (!p->bfd.min_tx_us || !p->bfd.min_rx_us)))
            return -EINVAL;
        if (conf_find(peers, i, &p->addr))
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
        caps_set(m);
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

int vnrs_bgp_speaker_configure(struct vnrs_bgp_speaker *sp, uint64_t now_ms, const struct vnrs_spk_config *conf,
                               const struct vnrs_spk_local *locals, size_t n_locals,
                               const struct vnrs_spk_peer_config *peers, size_t n_peers,
                               struct vnrs_bgp_policy **policy)
{
    struct vnrs_spk_config old = sp->conf;
    struct vnrs_bgp_policy *none = NULL;

    policy = policy ? policy : &none;
    int err = config_check(conf, locals, n_locals, peers, n_peers, vnrs_bgp_policy_len(*policy));

    if (err < 0)
        return err;
    sp->now = now_ms;
    bool restart = sp->configured && (old.asn != conf->asn || old.router_id != conf->router_id ||
                                      old.features != conf->features || !vnrs_addr_equal(&old.local, &conf->local));
    bool first = !sp->configured || restart || old.role != conf->role;
    // Sessions of the old identity end before their routes are looked at with the new one.
    if (restart)
        for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
            if (sp->members[i])
                member_stop(sp->members[i], VNRS_BGP_CEASE_CONFIG_CHANGE, NULL);
    if (first && (err = instance_set(sp, conf)) < 0)
        return err;
    sp->conf = *conf;
    if (sp->configured)
        sp->conf.restart = old.restart;
    else if (conf->features & VNRS_SPK_GRACEFUL_RESTART && conf->restart & VNRS_SPK_RESTARTED) {
        sp->deferring = true;
        sp->defer_until = now_ms + restart_s(conf) * UINT64_C(1000);
    }
    sp->configured = true;
    if ((err = locals_set(sp, locals, n_locals)) < 0)
        return err;
    vnrs_bgp_import_rejudge(sp);
    if ((err = members_set(sp, peers, n_peers, restart)) < 0)
        return err;
    return policy_set(sp, policy);
}

void vnrs_bgp_speaker_stop(struct vnrs_bgp_speaker *sp, uint64_t now_ms)
{
    sp->now = now_ms;
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
        if (sp->members[i])
            member_stop(sp->members[i], VNRS_BGP_CEASE_SHUTDOWN, "the instance is stopped");
}

// When the peer's routes are taken for complete: End-of-RIB came for every family, or nothing more comes. Without
// graceful restart on both sides no End-of-RIB is due; a peer that has restarted itself waits for ours.
static uint64_t eor_at(struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);

    if (m->eor || !fsm)
        return VNRS_BGP_NEVER;
    if (m->eor_in[VNRS_BGP_AF4] && m->eor_in[VNRS_BGP_AF6])
        return m->heard_ms;
    bool is_sure = fsm->session.graceful_restart && !fsm->remote.caps.gr_restarted;
    return m->heard_ms + (is_sure ? VNRS_BGP_EOR_WAIT_MS : VNRS_BGP_QUIET_MS);
}

static void eor_check(struct vnrs_bgp_member *m, uint64_t now_ms)
{
    if (now_ms < eor_at(m))
        return;
    m->eor = true;
    note_changed(m);
}

// RFC 4724 section 4.1: the restart is over, what is known now is told.
static void defer_check(struct vnrs_bgp_speaker *sp)
{
    if (!sp->deferring || (sp->now < sp->defer_until && !vnrs_bgp_speaker_is_converged(sp, sp->now)))
        return;
    sp->deferring = false;
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
        if (sp->members[i])
            caps_set(sp->members[i]);
}

void vnrs_bgp_speaker_tick(struct vnrs_bgp_speaker *sp, uint64_t now_ms)
{
    sp->now = now_ms;
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++) {
        if (!sp->members[i])
            continue;
        vnrs_bgp_peer_tick(&sp->members[i]->peer, now_ms);
        vnrs_bgp_retain_tick(sp->members[i], now_ms);
        eor_check(sp->members[i], now_ms);
    }
    defer_check(sp);
}

static uint64_t give_up_at(const struct vnrs_bgp_member *m)
{
    return m->configured_ms + MAX(m->conf.hold * UINT64_C(1000), (uint64_t)VNRS_BGP_GIVE_UP_MS);
}

uint64_t vnrs_bgp_speaker_next(const struct vnrs_bgp_speaker *sp)
{
    uint64_t next = sp->deferring ? sp->defer_until : VNRS_BGP_NEVER;

    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++) {
        struct vnrs_bgp_member *m = sp->members[i];
        if (!m)
            continue;
        next = MIN(next, vnrs_bgp_peer_next(&m->peer));
        next = MIN(next, vnrs_bgp_retain_next(m));
        next = MIN(next, eor_at(m));
        if (!m->conf.shutdown && give_up_at(m) > sp->now)
            next = MIN(next, give_up_at(m));
    }
    return next;
}

bool vnrs_bgp_speaker_is_converged(const struct vnrs_bgp_speaker *sp, uint64_t now_ms)
{
    if (!sp->configured)
        return false;
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++) {
        struct vnrs_bgp_member *m = sp->members[i];
        if (!m || m->conf.shutdown)
            continue;
        if (vnrs_bgp_peer_session(&m->peer) ? !m->eor : now_ms < give_up_at(m))
            return false;
    }
    return true;
}

struct vnrs_bgp_member *vnrs_bgp_speaker_find_addr(const struct vnrs_bgp_speaker *sp, const struct vnrs_addr *addr)
{
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
        if (sp->members[i] && vnrs_addr_equal(&sp->members[i]->conf.addr, addr))
            return sp->members[i];
    return NULL;
}

struct vnrs_bgp_member *vnrs_bgp_speaker_find_name(const struct vnrs_bgp_speaker *sp, const char *name)
{
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
        if (sp->members[i] && strcmp(sp->members[i]->conf.name, name) == 0)
            return sp->members[i];
    return NULL;
}

void vnrs_bgp_member_clear(struct vnrs_bgp_member *m, uint64_t now_ms, const char *text)
{
    m->speaker->now = now_ms;
    vnrs_bgp_peer_reset(&m->peer, now_ms, VNRS_BGP_CEASE_RESET, text[0] ? text : "cleared by an operator");
    vnrs_bgp_retain_drop(m);
}

void vnrs_bgp_member_bfd(struct vnrs_bgp_member *m, uint64_t now_ms, const struct vnrs_spk_bfd_state *state)
{
    struct vnrs_spk_bfd_state old = m->bfd;
    bool up = state->state == VNRS_BFD_UP && state->configured, failed = state->failures > old.failures;

    m->speaker->now = now_ms;
    m->bfd = *state;
    if (old.state != state->state || old.configured != state->configured || old.error != state->error || failed)
        note_changed(m);
    if (failed && state->independent)
        vnrs_bgp_retain_drop(m);
    // It may have been down and be up again before this was told.
    if (failed || !up)
        vnrs_bgp_peer_bfd_down(&m->peer, now_ms, failed ? vnrs_bfd_diag_text(state->failure) : NULL);
    if (up && (failed || !m->peer.conf.bfd_up))
        vnrs_bgp_peer_bfd_up(&m->peer, now_ms);
}

void vnrs_bgp_member_refresh(struct vnrs_bgp_member *m, uint64_t now_ms)
{
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);
    uint8_t buf[VNRS_BGP_HEADER_BYTES + 4];

    if (!fsm)
        return;
    if (!fsm->session.refresh) {
        vnrs_bgp_peer_reset(&m->peer, now_ms, VNRS_BGP_CEASE_RESET, "no route refresh: all routes are needed again");
        return;
    }
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        if (!fsm->session.mp[af])
            continue;
        int len = vnrs_bgp_refresh_encode(af, 0, buf, sizeof(buf));
        if (len > 0) {
            vnrs_bgp_peer_told(&m->peer, now_ms, buf);
            m->speaker->ops->send(m->speaker->arg, m, fsm->side, buf, (size_t)len);
        }
    }
}
