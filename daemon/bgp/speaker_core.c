// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/speaker_core.h"

#include "bgp/adj_in.h"
#include "bgp/adj_out.h"
#include "bgp/bfd_packet.h"
#include "bgp/export.h"
#include "bgp/speaker_parts.h"

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

uint16_t vnrs_bgp_restart_s(const struct vnrs_spk_config *conf)
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
void vnrs_bgp_member_set_caps(struct vnrs_bgp_member *m)
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
        .gr_time = vnrs_bgp_restart_s(conf),
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
    sp->rib.sources[m->slot] =
        (struct vnrs_bgp_source){.addr = m->conf.addr,
                                 .router_id = fsm->remote.id,
                                 .asn = fsm->remote.asn,
                                 .ibgp = fsm->session.ibgp,
                                 .from = m->conf.kind,
                                 .rank = vnrs_bgp_role_rank(&sp->conf, m->conf.kind, m->conf.weight)};
    vnrs_bgp_retain_up(m);
    m->was_up = true;
    vnrs_bgp_member_set_caps(m);
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

    // Before anything that takes a while for each prefix: forwarding waits for it.
    if (m->speaker->ops->lost && !vnrs_bgp_retain_keeps(m, graceful))
        m->speaker->ops->lost(m->speaker->arg, m);
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

void vnrs_bgp_member_init(struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_speaker *sp = m->speaker;
    struct vnrs_bgp_conf conf = {
        .local_asn = sp->conf.asn,
        .peer_asn = m->conf.asn,
        .router_id = sp->conf.router_id,
        .hold = m->conf.hold,
        .min_hold = m->conf.min_hold,
        .keepalive = m->conf.keepalive,
        .connect_retry_ms = sp->conf.connect_retry_ms,
        .delay_open_ms = m->conf.delay_open * 1000u,
        .passive = m->conf.passive,
        .bfd_up = m->bfd.configured && m->bfd.state == VNRS_BFD_UP,
    };

    vnrs_bgp_peer_fini(&m->peer);
    vnrs_bgp_peer_init(&m->peer, &conf, &peer_ops, m);
    vnrs_bgp_member_set_caps(m);
}

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

void vnrs_bgp_member_free(struct vnrs_bgp_member *m)
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
        vnrs_bgp_member_free(sp->members[i]);
    vnrs_bgp_adj_out_fini(sp);
    vnrs_bgp_policy_free(sp->policy);
    vnrs_bgp_rib_fini(&sp->rib);
    vnrs_bgp_export_forget(sp);
    vnrs_bgp_attrs_unref(sp->attrs, sp->local_attrs);
    vnrs_bgp_attr_table_free(sp->attrs);
    vnrs_trie_fini(&sp->cover);
    vec_free(&sp->locals);
    vec_free(&sp->statics);
    free(sp);
}

void vnrs_bgp_speaker_stop(struct vnrs_bgp_speaker *sp, uint64_t now_ms)
{
    sp->now = now_ms;
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++)
        if (sp->members[i])
            vnrs_bgp_member_stop(sp->members[i], VNRS_BGP_CEASE_SHUTDOWN, "the instance is stopped");
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
    if (fsm->remote.caps.gr_restarted)
        return m->heard_ms + VNRS_BGP_QUIET_MS;
    if (fsm->session.graceful_restart) // End-of-RIB is sure to come
        return m->heard_ms + VNRS_BGP_EOR_WAIT_MS;
    return m->heard_ms + (vnrs_bgp_import_count(m) ? VNRS_BGP_QUIET_MS : VNRS_BGP_SILENCE_MS);
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
            vnrs_bgp_member_set_caps(sp->members[i]);
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

struct vnrs_bgp_member *vnrs_bgp_speaker_member(const struct vnrs_bgp_speaker *sp, unsigned slot)
{
    return slot < VNRS_BGP_PEERS_MAX ? sp->members[slot] : NULL;
}

const struct vnrs_addr *vnrs_bgp_member_local(const struct vnrs_bgp_member *m)
{
    return m->conf.local.family ? &m->conf.local : &m->speaker->conf.local;
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
