// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/retain.h"

#include "bgp/nlri.h"
#include "bgp/speaker_core.h"

static void sweep(struct vnrs_bgp_member *m, uint8_t af, uint16_t epoch)
{
    vnrs_bgp_import_sweep(m, vnrs_bgp_af_family(af), epoch);
    m->changed = true;
}

static void restart_end(struct vnrs_bgp_member *m, uint8_t af)
{
    if (!m->retain.restart[af])
        return;
    m->retain.restart[af] = false;
    sweep(m, af, m->retain.restart_epoch[af]);
    if (!vnrs_bgp_retain_is_active(m))
        m->retain.restart_until = VNRS_BGP_TIMER_OFF;
}

static void refresh_end(struct vnrs_bgp_member *m, uint8_t af)
{
    m->retain.refresh[af] = false;
    m->retain.refresh_until[af] = VNRS_BGP_TIMER_OFF;
    sweep(m, af, m->retain.refresh_epoch[af]);
}

bool vnrs_bgp_retain_is_active(const struct vnrs_bgp_member *m)
{
    return m->retain.restart[VNRS_BGP_AF4] || m->retain.restart[VNRS_BGP_AF6];
}

void vnrs_bgp_retain_up(struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);
    const struct vnrs_bgp_caps *caps = &fsm->remote.caps;

    m->retain.caps = *caps;
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        if (!fsm->session.graceful_restart || !fsm->session.mp[af] || !caps->gr_af[af] || !caps->gr_forwarding[af])
            restart_end(m, af);
    if (vnrs_bgp_retain_is_active(m))
        m->retain.restart_until = m->peer.now + VNRS_BGP_STALE_MS;
}

static bool keeps(const struct vnrs_bgp_retain *r, unsigned af, bool graceful)
{
    return graceful && r->caps.gr_af[af] && r->caps.gr_time;
}

bool vnrs_bgp_retain_keeps(const struct vnrs_bgp_member *m, bool graceful)
{
    return keeps(&m->retain, VNRS_BGP_AF4, graceful) || keeps(&m->retain, VNRS_BGP_AF6, graceful);
}

void vnrs_bgp_retain_down(struct vnrs_bgp_member *m, bool graceful)
{
    struct vnrs_bgp_retain *r = &m->retain;
    uint32_t epoch = vnrs_bgp_import_epoch_begin(m);

    vnrs_bgp_retain_drop(m); // what is stale from the time before goes now (RFC 4724 section 4.2)
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++) {
        r->refresh[af] = false;
        r->refresh_until[af] = VNRS_BGP_TIMER_OFF;
        r->restart[af] = keeps(r, af, graceful);
        r->restart_epoch[af] = epoch;
    }
    if (!vnrs_bgp_retain_is_active(m)) {
        vnrs_bgp_import_withdraw_all(m);
        return;
    }
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        if (!r->restart[af])
            sweep(m, af, epoch);
    r->restart_until = m->peer.now + r->caps.gr_time * UINT64_C(1000);
}

void vnrs_bgp_retain_eor(struct vnrs_bgp_member *m, uint8_t af)
{
    restart_end(m, af);
}

void vnrs_bgp_retain_refresh(struct vnrs_bgp_member *m, uint8_t af, uint8_t subtype)
{
    struct vnrs_bgp_retain *r = &m->retain;

    if (subtype == VNRS_BGP_REFRESH_BEGIN) {
        r->refresh[af] = true;
        r->refresh_epoch[af] = vnrs_bgp_import_epoch_begin(m);
        r->refresh_until[af] = m->peer.now + VNRS_BGP_REFRESH_WAIT_MS;
    } else if (r->refresh[af]) {
        // Swept by the next tick: a peer that sends nothing but these costs one walk of the table a tick.
        r->refresh_until[af] = m->peer.now;
    }
}

void vnrs_bgp_retain_drop(struct vnrs_bgp_member *m)
{
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        restart_end(m, af);
}

void vnrs_bgp_retain_tick(struct vnrs_bgp_member *m, uint64_t now_ms)
{
    struct vnrs_bgp_retain *r = &m->retain;

    if (r->restart_until != VNRS_BGP_TIMER_OFF && now_ms >= r->restart_until)
        vnrs_bgp_retain_drop(m);
    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        if (r->refresh_until[af] != VNRS_BGP_TIMER_OFF && now_ms >= r->refresh_until[af])
            refresh_end(m, af);
}

uint64_t vnrs_bgp_retain_next(const struct vnrs_bgp_member *m)
{
    uint64_t next = vnrs_bgp_timer_earlier(VNRS_BGP_NEVER, m->retain.restart_until);

    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        next = vnrs_bgp_timer_earlier(next, m->retain.refresh_until[af]);
    return next;
}

bool vnrs_bgp_retain_is_stale(const struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix,
                              const struct vnrs_bgp_path *path)
{
    uint8_t af = vnrs_bgp_af_of(prefix);

    return m->retain.restart[af] && vnrs_bgp_path_is_before(path, m->retain.restart_epoch[af]);
}
