// SPDX-License-Identifier: GPL-2.0-or-later
// A whole speaker without sockets, whose peers say and hear bytes.
#pragma once

#include "bgp/adj_out.h"
#include "bgp/report.h"
#include "bgp/speaker_core.h"
#include "bgp/test_msg_hex.h"

#include <limits.h>
#include <stdio.h>

#define WORLD_ASN 65515u

struct world_ear { // of a peer, by slot
    bool has_room;
    unsigned limit; // messages that it takes before it has none
    size_t len;
    uint8_t bytes[1u << 20];
};
static struct world_ear world_ears[4];

struct world {
    struct vnrs_bgp_speaker *sp;
    struct vnrs_spk_config conf;
    struct vnrs_spk_peer_config peers[4];
    size_t n_peers;
    uint8_t last[VNRS_BGP_MSG_EXTENDED_MAX]; // the last message that was not an UPDATE
    size_t last_len;
    uint8_t open[256]; // the last OPEN
    size_t open_len;
    uint64_t now;
    uint32_t id_offset; // of the identifiers of peers
    bool runs;          // what is sent now is what peers are told of routes
};

static void world_connect(void *arg, struct vnrs_bgp_member *m)
{
    (void)arg;
    (void)m;
}
static void world_close(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    (void)arg;
    (void)m;
    (void)side;
}
static void world_send(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    struct world *w = arg;
    struct world_ear *ear = &world_ears[m->slot];

    (void)side;
    if (w->runs) {
        assert_true(ear->has_room && ear->limit-- > 0);
        memcpy(ear->bytes + ear->len, bytes, len);
        ear->len += len;
        return;
    }
    memcpy(w->last, bytes, len);
    w->last_len = len;
    if (bytes[18] == VNRS_BGP_OPEN) {
        memcpy(w->open, bytes, len);
        w->open_len = len;
    }
}
static uint32_t world_random(void *arg)
{
    (void)arg;
    return 0;
}

static bool world_has_room(void *arg, const struct vnrs_bgp_member *m)
{
    const struct world_ear *ear = &world_ears[m->slot];

    (void)arg;
    return ear->has_room && ear->limit && ear->len + VNRS_BGP_MSG_EXTENDED_MAX <= sizeof(ear->bytes);
}
static const struct vnrs_bgp_speaker_ops world_ops = {.connect = world_connect,
                                                      .close = world_close,
                                                      .send = world_send,
                                                      .has_room = world_has_room,
                                                      .random = world_random};

static inline struct vnrs_addr world_addr(const char *text)
{
    struct vnrs_addr a = {0};
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static inline struct vnrs_prefix world_prefix(const char *text)
{
    struct vnrs_prefix p = {0};
    assert_int_equal(vnrs_prefix_parse(text, &p), 0);
    return p;
}

static inline void world_configure(struct world *w)
{
    assert_int_equal(vnrs_bgp_speaker_configure(w->sp, w->now, &w->conf, NULL, 0, w->peers, w->n_peers, NULL), 0);
}

// Peers a, b, … at 10.0.0.10, 10.0.0.11, … with ASN 65001, 65002, ….
static inline void world_setup(struct world *w, unsigned n_peers, uint8_t features, uint8_t restart)
{
    memset(w, 0, sizeof(*w));
    memset(world_ears, 0, sizeof(world_ears));
    w->now = 1000;
    w->sp = vnrs_bgp_speaker_new(&world_ops, w, 7);
    assert_non_null(w->sp);
    w->conf = (struct vnrs_spk_config){.asn = WORLD_ASN,
                                       .router_id = 0x0a000004,
                                       .local = world_addr("10.0.0.4"),
                                       .connect_retry_ms = 5000,
                                       .features = features,
                                       .restart = restart};
    for (unsigned i = 0; i < n_peers; i++)
        w->peers[i] = (struct vnrs_spk_peer_config){.name = {(char)('a' + i)},
                                                    .addr = vnrs_addr_from_v4(0x0a00000au + i),
                                                    .passive = 1,
                                                    .hold = 180,
                                                    .keepalive = 60,
                                                    .asn = 65001 + i};
    w->n_peers = n_peers;
    world_configure(w);
}

static inline ssize_t world_input(struct world *w, struct vnrs_bgp_member *m, const uint8_t *msg, size_t len)
{
    return vnrs_bgp_peer_input(&m->peer, w->now, VNRS_BGP_IN, msg, len);
}

// A message in hexadecimal, without its header.
static inline ssize_t world_say(struct world *w, struct vnrs_bgp_member *m, uint8_t type, const char *body)
{
    static uint8_t msg[VNRS_BGP_MSG_EXTENDED_MAX];
    return world_input(w, m, msg, hex_message(type, body, msg, sizeof(msg)));
}

static inline struct vnrs_bgp_member *world_member(struct world *w, char name)
{
    return vnrs_bgp_speaker_find_name(w->sp, (char[]){name, '\0'});
}

// Opens a connection from the peer; `caps` besides families, refresh and 4-octet ASNs.
static inline struct vnrs_bgp_member *world_up(struct world *w, char name, const struct vnrs_bgp_caps *caps)
{
    struct vnrs_bgp_member *m = world_member(w, name);
    struct vnrs_bgp_open open = {.asn = m->conf.asn, .hold = 180, .id = 0x0a000000u + m->slot + 10 + w->id_offset};
    uint8_t buf[VNRS_BGP_MSG_MAX];

    if (caps)
        open.caps = *caps;
    open.caps.mp[VNRS_BGP_AF4] = open.caps.mp[VNRS_BGP_AF6] = open.caps.refresh = open.caps.as4 = true;
    assert_int_equal(vnrs_bgp_peer_accept(&m->peer, w->now), 0);
    vnrs_bgp_peer_accepted(&m->peer, w->now);
    int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));
    assert_int_equal(world_input(w, m, buf, (size_t)len), len);
    assert_true(world_say(w, m, VNRS_BGP_KEEPALIVE, "") > 0);
    assert_non_null(vnrs_bgp_peer_session(&m->peer));
    return m;
}

// The session as the peer sees it.
static inline struct vnrs_bgp_session world_far_end(struct vnrs_bgp_member *m)
{
    struct vnrs_bgp_session near = vnrs_bgp_peer_session(&m->peer)->session, far = near;

    far.local_id = vnrs_bgp_peer_session(&m->peer)->remote.id;
    far.local_asn = near.peer_asn;
    far.peer_asn = near.local_asn;
    memcpy(far.add_path_rx, near.add_path_tx, sizeof(far.add_path_rx));
    memcpy(far.add_path_tx, near.add_path_rx, sizeof(far.add_path_tx));
    return far;
}

// An UPDATE with the peer as next hop and its ASN as path.
static inline void world_announce(struct world *w, struct vnrs_bgp_member *m, const struct vnrs_bgp_attrs *extra,
                                  const struct vnrs_prefix *list, size_t n)
{
    static uint8_t buf[VNRS_BGP_MSG_EXTENDED_MAX];
    uint32_t asn = m->conf.asn;
    const uint8_t path[] = {2, 1, (uint8_t)(asn >> 24), (uint8_t)(asn >> 16), (uint8_t)(asn >> 8), (uint8_t)asn};
    struct vnrs_bgp_attrs a = extra ? *extra : (struct vnrs_bgp_attrs){0};
    struct vnrs_bgp_session s = world_far_end(m);
    _free_ uint32_t *ids = calloc(n, sizeof(*ids)); // all 0, where there are any
    size_t used = 0;

    a.nexthop = m->conf.addr;
    a.as_path = path;
    a.as_path_bytes = sizeof(path);
    assert_non_null(ids);
    int len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &a, list, s.add_path_tx[VNRS_BGP_AF4] ? ids : NULL, n, buf,
                                     sizeof(buf), &used);
    assert_true(len > 0 && used == n);
    assert_int_equal(world_input(w, m, buf, (size_t)len), len);
}

static inline void world_announce_one(struct world *w, struct vnrs_bgp_member *m, const char *text)
{
    struct vnrs_prefix p = world_prefix(text);
    world_announce(w, m, NULL, &p, 1);
}

struct heard {
    unsigned messages, announced, withdrawn, eor, borr, eorr;
    size_t longest;
    bool borr_first, end_last; // BoRR before, EoRR and End-of-RIB after every UPDATE
    void *arg;
    void (*on_announced)(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id,
                         const struct vnrs_bgp_attrs *attrs);
    void (*on_withdrawn)(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id);
};

// From now on these have room for so many messages, the others for none.
static inline void world_room(const char *names, unsigned limit)
{
    for (unsigned i = 0; i < ARRAY_SIZE(world_ears); i++) {
        world_ears[i].has_room = strchr(names, 'a' + (int)i); // slots are in the order of the names
        world_ears[i].limit = limit;
    }
}

// Returns true when there is more to tell at once.
static inline bool world_run(struct world *w)
{
    w->runs = true;
    bool more = vnrs_bgp_adj_out_run(w->sp);
    w->runs = false;
    return more;
}

static inline void world_run_out(struct world *w)
{
    while (world_run(w))
        ;
}

// Looks at what a peer was told since the last time.
static inline void world_hear(struct vnrs_bgp_member *m, struct heard *h)
{
    static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
    struct world_ear *ear = &world_ears[m->slot];
    size_t len;

    for (const uint8_t *msg = ear->bytes; msg < ear->bytes + ear->len; msg += len) {
        struct vnrs_bgp_session s = world_far_end(m);
        struct vnrs_bgp_update u = {0};
        struct vnrs_bgp_error error;
        struct vnrs_prefix p;
        len = (size_t)(msg[16] << 8 | msg[17]);
        h->messages++;
        h->longest = MAX(h->longest, len);
        if (msg[18] == VNRS_BGP_ROUTE_REFRESH) {
            h->borr += msg[21] == VNRS_BGP_REFRESH_BEGIN;
            h->eorr += msg[21] == VNRS_BGP_REFRESH_END;
            h->borr_first &= msg[21] != VNRS_BGP_REFRESH_BEGIN || h->announced == 0;
            continue;
        }
        assert_int_equal(vnrs_bgp_update_decode(&s, msg, len, scratch, &u, &error), VNRS_BGP_OK);
        for (unsigned i = 0; i < 2; i++) {
            while (vnrs_bgp_nlri_next(&u.withdrawn[i], &p)) {
                h->withdrawn++;
                if (h->on_withdrawn)
                    h->on_withdrawn(h->arg, &p, u.withdrawn[i].path_id);
            }
            while (vnrs_bgp_nlri_next(&u.reach[i], &p)) {
                h->announced++;
                h->end_last &= !h->eor && !h->eorr;
                if (h->on_announced)
                    h->on_announced(h->arg, &p, u.reach[i].path_id, &u.attrs[i]);
            }
            h->eor += u.eor[i];
        }
    }
    ear->len = 0;
}

// All that a peer is told now, while no other has room.
static inline struct heard world_listen_some(struct vnrs_bgp_member *m, unsigned limit)
{
    struct heard h = {.borr_first = true, .end_last = true};
    struct world *w = m->speaker->arg;
    bool more;

    world_room(m->conf.name, limit);
    do {
        more = world_run(w);
        world_hear(m, &h);
    } while (more);
    return h;
}

static inline struct heard world_listen(struct vnrs_bgp_member *m)
{
    return world_listen_some(m, UINT_MAX);
}

static inline void world_tick(struct world *w, uint64_t ms)
{
    w->now += ms;
    vnrs_bgp_speaker_tick(w->sp, w->now);
}

static inline void world_close_connection(struct world *w, struct vnrs_bgp_member *m)
{
    vnrs_bgp_peer_disconnected(&m->peer, w->now, VNRS_BGP_IN, NULL);
}

static inline unsigned world_count(const struct world *w, const struct vnrs_bgp_member *m)
{
    return w->sp->rib.counts[m->slot];
}

// The path of a peer in the RIB, or NULL.
static inline const struct vnrs_bgp_path *world_path(const struct world *w, const struct vnrs_bgp_member *m,
                                                     const char *text)
{
    struct vnrs_prefix p = world_prefix(text);
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&w->sp->rib, &p);
    return d ? vnrs_bgp_dest_path(d, m->slot) : NULL;
}
