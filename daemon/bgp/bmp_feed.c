// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/bmp_feed.h"

#include "bgp/bmp_routes.h"
#include "bgp/wire.h"
#include "util/strbuf.h"

#include <errno.h>

#define BIT(slot)    (UINT64_C(1) << (slot))
#define LOC_RIB      BIT(VNRS_BGP_SLOT_LOCAL)
#define EVENT_TCP_IN 17 // TcpConnectionConfirmed, RFC 4271 section 8.1

static uint64_t wall_us(const struct vnrs_bmp_feed *f, uint64_t ms)
{
    return ms * 1000 + f->wall_offset_us;
}

struct vnrs_bmp_peer vnrs_bmp_feed_peer(const struct vnrs_bmp_feed *f, unsigned slot, uint8_t flags, uint64_t ms)
{
    const struct vnrs_bgp_speaker *sp = f->speaker;

    if (slot == VNRS_BGP_SLOT_LOCAL)
        return (struct vnrs_bmp_peer){
            .type = VNRS_BMP_PEER_LOC_RIB, .asn = sp->conf.asn, .id = sp->conf.router_id, .time_us = wall_us(f, ms)};
    return (struct vnrs_bmp_peer){.type = VNRS_BMP_PEER_GLOBAL,
                                  .flags = flags,
                                  .addr = sp->members[slot]->conf.addr,
                                  .asn = sp->members[slot]->conf.asn,
                                  .id = sp->rib.sources[slot].router_id,
                                  .time_us = wall_us(f, ms)};
}

// --- urgent messages: a buffer of whole ones

// Room for a message of at most `max` octets, or NULL when the station has failed.
static uint8_t *urgent_room(struct vnrs_bmp_feed *f, size_t max)
{
    size_t end = f->urgent_head + f->urgent_len, cap = f->urgent_cap ? f->urgent_cap : 16384;

    if (f->failed)
        return NULL;
    if (f->urgent_head && f->urgent_cap - end < max) {
        memmove(f->urgent, f->urgent + f->urgent_head, f->urgent_len);
        f->urgent_head = 0;
        end = f->urgent_len;
    }
    while (cap - end < max)
        cap *= 2;
    if (cap > VNRS_BMP_URGENT_MAX) {
        f->failed = true;
        return NULL;
    }
    if (cap != f->urgent_cap) {
        uint8_t *grown = realloc(f->urgent, cap);
        if (!grown) {
            f->failed = true;
            return NULL;
        }
        f->urgent = grown;
        f->urgent_cap = cap;
    }
    return f->urgent + end;
}

static void urgent_add(struct vnrs_bmp_feed *f, int len)
{
    if (len > 0)
        f->urgent_len += (size_t)len;
}

static size_t urgent_take(struct vnrs_bmp_feed *f, uint8_t *buf)
{
    struct vnrs_wire w = vnrs_wire_make(f->urgent + f->urgent_head, f->urgent_len);

    if (!f->urgent_len)
        return 0;
    (void)vnrs_wire_u8(&w); // version
    size_t len = vnrs_wire_u32(&w);
    memcpy(buf, f->urgent + f->urgent_head, len);
    f->urgent_head += len;
    f->urgent_len -= len;
    if (!f->urgent_len)
        f->urgent_head = 0;
    return len;
}

// --- peers

static void tell_up(struct vnrs_bmp_feed *f, unsigned slot, const struct vnrs_bmp_peer_up *up, uint64_t since_ms)
{
    struct vnrs_bmp_peer peer = vnrs_bmp_feed_peer(f, slot, 0, since_ms);
    uint8_t *room = urgent_room(f, VNRS_BMP_PEER_UP_BYTES_MAX);

    if (!room)
        return;
    urgent_add(f, vnrs_bmp_peer_up_encode(&peer, up, room, VNRS_BMP_PEER_UP_BYTES_MAX));
    f->up |= BIT(slot);
    f->due |= BIT(slot);
}

void vnrs_bmp_feed_up(struct vnrs_bmp_feed *f, struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);
    const struct vnrs_bgp_ends *ends = &m->peer.ends[fsm->side];
    const struct vnrs_bmp_peer_up up = {
        .local = *vnrs_bgp_member_local(m),
        .local_port = ends->local_port,
        .remote_port = ends->remote_port,
        .sent = ends->open_sent.bytes,
        .sent_len = ends->open_sent.len,
        .received = ends->open_received.bytes,
        .received_len = ends->open_received.len,
    };

    if (!up.sent_len || !up.received_len) // memory ran out when they were to be kept
        f->failed = true;
    tell_up(f, m->slot, &up, m->peer.changed_ms);
}

// The Loc-RIB has no peer: both OPENs are made up, and say what its routes need (RFC 9069 section 4.4).
static void loc_rib_up(struct vnrs_bmp_feed *f)
{
    const struct vnrs_bgp_speaker *sp = f->speaker;
    const struct vnrs_bgp_open open = {
        .asn = sp->conf.asn, .id = sp->conf.router_id, .caps = {.mp = {true, true}, .any_mp = true, .as4 = true}};
    uint8_t buf[VNRS_BGP_MSG_MAX];
    int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));

    if (len < 0)
        return;
    const struct vnrs_bmp_peer_up up = {
        .sent = buf, .sent_len = (size_t)len, .received = buf, .received_len = (size_t)len, .table = f->name};
    tell_up(f, VNRS_BGP_SLOT_LOCAL, &up, sp->now);
}

static enum vnrs_bmp_down down_reason(const struct vnrs_bgp_peer *peer)
{
    switch (peer->end_cause) {
    case VNRS_BGP_CAUSE_RECEIVED:
        return VNRS_BMP_DOWN_REMOTE_NOTIFICATION;
    case VNRS_BGP_CAUSE_TCP:
        return peer->end_replaced ? VNRS_BMP_DOWN_LOCAL_EVENT : VNRS_BMP_DOWN_REMOTE;
    case VNRS_BGP_CAUSE_STOP:
    case VNRS_BGP_CAUSE_HOLD:
    case VNRS_BGP_CAUSE_SENT:
    case VNRS_BGP_CAUSE_EARLY:
    case VNRS_BGP_CAUSE_BFD:
    case VNRS_BGP_CAUSE_COLLISION:
        break;
    }
    return VNRS_BMP_DOWN_LOCAL_NOTIFICATION;
}

void vnrs_bmp_feed_down(struct vnrs_bmp_feed *f, struct vnrs_bgp_member *m)
{
    enum { MAX_BYTES = VNRS_BMP_ROUTE_BYTES + 1 + VNRS_BGP_HEADER_BYTES + 2 + VNRS_BGP_ERROR_DATA_MAX };
    struct vnrs_bmp_peer peer = vnrs_bmp_feed_peer(f, m->slot, 0, m->peer.now);
    uint64_t others = ~BIT(m->slot);

    if (!(f->up & BIT(m->slot)))
        return;
    f->up &= others;
    f->live &= others;
    f->due &= others;
    f->walking &= others;
    f->eor &= others;
    uint8_t *room = urgent_room(f, MAX_BYTES);
    if (room)
        urgent_add(f, vnrs_bmp_peer_down_encode(&peer, down_reason(&m->peer), &m->peer.notification, EVENT_TCP_IN, "",
                                                room, MAX_BYTES));
}

void vnrs_bmp_feed_malformed(struct vnrs_bmp_feed *f, struct vnrs_bgp_member *m, const uint8_t *msg, size_t len)
{
    struct vnrs_bmp_peer peer = vnrs_bmp_feed_peer(f, m->slot, 0, m->peer.now);
    size_t max = VNRS_BMP_ROUTE_BYTES + 16 + len;

    if (!(f->up & BIT(m->slot)))
        return;
    // Mirrors are worth no memory: where much waits, the station hears that some are missing.
    f->mirror_lost |= f->urgent_len + max > VNRS_BMP_URGENT_MAX / 4;
    uint8_t *room = f->urgent_len + max > VNRS_BMP_URGENT_MAX / 4 ? NULL : urgent_room(f, 2 * max);
    if (!room)
        return;
    if (f->mirror_lost) {
        int lost = vnrs_bmp_mirror_encode(&peer, VNRS_BMP_MIRROR_LOST, NULL, 0, room, max);
        urgent_add(f, lost);
        room += MAX(lost, 0);
    }
    f->mirror_lost = false;
    urgent_add(f, vnrs_bmp_mirror_encode(&peer, VNRS_BMP_MIRROR_ERRORED, msg, len, room, max));
}

static void tell_statistics(struct vnrs_bmp_feed *f, unsigned slot)
{
    enum { MAX_BYTES = VNRS_BMP_ROUTE_BYTES + 64 };
    const struct vnrs_bgp_speaker *sp = f->speaker;
    const struct vnrs_bgp_member *m = vnrs_bgp_speaker_member(sp, slot);
    struct vnrs_bmp_peer peer = vnrs_bmp_feed_peer(f, slot, 0, sp->now);
    const struct vnrs_bmp_stat of_peer[] = {
        {VNRS_BMP_STAT_LOOPS, false, m ? m->n_loops : 0},
        {VNRS_BMP_STAT_ADJ_IN, true, m ? vnrs_bgp_import_count(m) : 0},
        {VNRS_BMP_STAT_TREATED_AS_WITHDRAW, false, m ? m->n_treated_as_withdraw : 0},
        {VNRS_BMP_STAT_ADJ_OUT_POST, true, m ? m->advertised : 0},
    };
    const struct vnrs_bmp_stat of_loc_rib[] = {{VNRS_BMP_STAT_LOC_RIB, true, sp->rib.n_best}};
    uint8_t *room = urgent_room(f, MAX_BYTES);

    if (room)
        urgent_add(f, vnrs_bmp_statistics_encode(&peer, m ? of_peer : of_loc_rib,
                                                 m ? ARRAY_SIZE(of_peer) : ARRAY_SIZE(of_loc_rib), room, MAX_BYTES));
}

void vnrs_bmp_feed_statistics(struct vnrs_bmp_feed *f)
{
    for (uint64_t slots = f->up; slots; slots &= slots - 1)
        tell_statistics(f, (unsigned)__builtin_ctzll(slots));
}

// --- changes

static void note(struct vnrs_bmp_feed *f, const struct vnrs_prefix *prefix, uint32_t path_id, uint64_t in, uint64_t out)
{
    struct vnrs_bmp_key key = {.prefix = *prefix, .path_id = path_id};

    in &= f->live;
    out &= f->live;
    if (f->failed || (!in && !out))
        return;
    struct vnrs_bmp_change *c = vnrs_map_find(&f->index, &key, sizeof(key));
    if (!c) {
        c = f->index.len < VNRS_BMP_PENDING_MAX ? calloc(1, sizeof(*c)) : NULL;
        if (c)
            c->key = key;
        if (!c || vnrs_map_put(&f->index, &c->key, sizeof(c->key), c) < 0) {
            free(c);
            f->failed = true;
            return;
        }
        STAILQ_INSERT_TAIL(&f->pending, c, entry);
    }
    c->in |= in;
    c->out |= out;
}

void vnrs_bmp_feed_path(struct vnrs_bmp_feed *f, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id,
                        bool best)
{
    if (f->ribs & (VNRS_SPK_BMP_PRE_POLICY | VNRS_SPK_BMP_POST_POLICY) && slot < VNRS_BGP_PEERS_MAX)
        note(f, prefix, path_id, BIT(slot), 0);
    if (f->ribs & VNRS_SPK_BMP_LOC_RIB && best)
        note(f, prefix, 0, LOC_RIB, 0);
}

void vnrs_bmp_feed_told(struct vnrs_bmp_feed *f, const struct vnrs_prefix *prefix, uint32_t path_id, uint64_t members)
{
    if (f->ribs & VNRS_SPK_BMP_ADJ_RIB_OUT)
        note(f, prefix, path_id, 0, members);
}

size_t vnrs_bmp_feed_next(struct vnrs_bmp_feed *f, uint8_t *buf, size_t size)
{
    size_t len = f->failed ? 0 : urgent_take(f, buf);

    return len || f->failed ? len : vnrs_bmp_routes_next(f, buf, size);
}

bool vnrs_bmp_feed_is_pending(const struct vnrs_bmp_feed *f)
{
    return !f->failed && (f->urgent_len || f->n_chunk || !STAILQ_EMPTY(&f->pending) || f->eor || f->walking || f->due);
}

void vnrs_bmp_feed_init(struct vnrs_bmp_feed *f, struct vnrs_bgp_speaker *sp, uint32_t ribs, const char *name,
                        uint64_t wall_offset_us)
{
    enum { MAX_BYTES = 6 + 2 * (4 + VNRS_BMP_TEXT_MAX) };

    *f = (struct vnrs_bmp_feed){.speaker = sp, .ribs = ribs, .wall_offset_us = wall_offset_us};
    (void)vnrs_str_copy(f->name, sizeof(f->name), name);
    STAILQ_INIT(&f->pending);
    uint8_t *room = urgent_room(f, MAX_BYTES);
    if (room)
        urgent_add(f, vnrs_bmp_initiation_encode("vnrs " VNRS_VERSION, f->name, room, MAX_BYTES));
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        if (sp->members[slot] && vnrs_bgp_peer_session(&sp->members[slot]->peer))
            vnrs_bmp_feed_up(f, sp->members[slot]);
    if (ribs & VNRS_SPK_BMP_LOC_RIB)
        loc_rib_up(f);
}

void vnrs_bmp_feed_fini(struct vnrs_bmp_feed *f)
{
    vnrs_map_fini_values(&f->index);
    free(f->urgent);
    f->urgent = NULL;
}
