// SPDX-License-Identifier: GPL-2.0-or-later
// A whole speaker without sockets, whose peers say and hear bytes.
#pragma once

#include "bgp/adj_out.h"
#include "bgp/report.h"
#include "bgp/speaker_core.h"
#include "bgp/test_msg_hex.h"

#include <stdio.h>

#define WORLD_ASN 65515u

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

    (void)m;
    (void)side;
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
static const struct vnrs_bgp_speaker_ops world_ops = {
    .connect = world_connect, .close = world_close, .send = world_send, .random = world_random};

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
    assert_int_equal(vnrs_bgp_speaker_configure(w->sp, w->now, &w->conf, NULL, 0, w->peers, w->n_peers), 0);
}

// Peers a, b, … at 10.0.0.10, 10.0.0.11, … with ASN 65001, 65002, ….
static inline void world_setup(struct world *w, unsigned n_peers, uint8_t features, uint8_t restart)
{
    memset(w, 0, sizeof(*w));
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
};

// All that a peer is told now.
static inline struct heard world_listen(struct vnrs_bgp_member *m)
{
    static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX], buf[VNRS_BGP_MSG_EXTENDED_MAX];
    struct heard h = {.borr_first = true, .end_last = true};
    int len;

    while ((len = vnrs_bgp_adj_out_next(m, buf, vnrs_bgp_adj_out_message_max(m))) > 0) {
        struct vnrs_bgp_session s = world_far_end(m);
        struct vnrs_bgp_update u = {0};
        struct vnrs_bgp_error error;
        struct vnrs_prefix p;
        h.messages++;
        h.longest = MAX(h.longest, (size_t)len);
        if (buf[18] == VNRS_BGP_ROUTE_REFRESH) {
            h.borr += buf[21] == VNRS_BGP_REFRESH_BEGIN;
            h.eorr += buf[21] == VNRS_BGP_REFRESH_END;
            h.borr_first &= buf[21] != VNRS_BGP_REFRESH_BEGIN || h.announced == 0;
            continue;
        }
        assert_int_equal(vnrs_bgp_update_decode(&s, buf, (size_t)len, scratch, &u, &error), VNRS_BGP_OK);
        for (unsigned i = 0; i < 2; i++) {
            while (vnrs_bgp_nlri_next(&u.withdrawn[i], &p))
                h.withdrawn++;
            while (vnrs_bgp_nlri_next(&u.reach[i], &p)) {
                h.announced++;
                h.end_last &= !h.eor && !h.eorr;
            }
            h.eor += u.eor[i];
        }
    }
    assert_int_equal(len, 0);
    return h;
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
