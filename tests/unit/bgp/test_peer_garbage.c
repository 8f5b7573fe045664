// SPDX-License-Identifier: GPL-2.0-or-later
// Broken bytes at a whole speaker: UPDATEs, OPENs and others with random changes. Whatever comes, nothing is read that
// is not there, every ending is said with a NOTIFICATION, and when the sessions are over nothing is left of them.
#include "bgp/adj_out.h"
#include "bgp/export.h"
#include "bgp/speaker_core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 40000u

static uint32_t seed = 2026;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

struct world {
    struct vnrs_bgp_speaker *sp;
    uint8_t last_type;
    unsigned resets, stayed, routes;
    const struct vnrs_bgp_member *listens; // the only one that has room
};

static void on_connect(void *arg, struct vnrs_bgp_member *m)
{
    (void)arg;
    (void)m;
}
static void on_close(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    (void)arg;
    (void)m;
    (void)side;
}
static void on_send(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    (void)m;
    (void)side;
    (void)len;
    ((struct world *)arg)->last_type = bytes[18];
}
static bool has_room(void *arg, const struct vnrs_bgp_member *m)
{
    return m == ((struct world *)arg)->listens;
}
static uint32_t on_random(void *arg)
{
    (void)arg;
    return rnd(1u << 20);
}
static const struct vnrs_bgp_speaker_ops ops = {
    .connect = on_connect, .close = on_close, .send = on_send, .has_room = has_room, .random = on_random};

// Bodies to start from: announcement, withdrawal, IPv6, End-of-RIB, refresh, NOTIFICATION, OPEN, nothing.
static const uint8_t announcement[] = {0,    0,    0,    31, 0x40, 1,    1,    0,   0x40, 2,  10,  2,  2,  0,    0,
                                       0xfd, 0xe9, 0,    0,  0xfe, 0x4c, 0x40, 3,   4,    10, 0,   0,  10, 0xc0, 8,
                                       4,    0xfd, 0xe9, 0,  7,    24,   192,  168, 1,    16, 172, 16, 8,  20};
static const uint8_t withdrawal[] = {0, 4, 24, 192, 168, 1, 0, 0};
static const uint8_t ipv6[] = {0,    0,    0,  42, 0x40, 1, 1, 0,  0x40, 2,  6,    2,    1,    0,   0, 0xfd,
                               0xe9, 0x80, 14, 26, 0,    2, 1, 16, 0x20, 1,  0x0d, 0xb8, 0,    0,   0, 0,
                               0,    0,    0,  0,  0,    0, 0, 1,  0,    32, 0x20, 1,    0x0d, 0xb8};
static const uint8_t end_of_rib[] = {0, 0, 0, 0};
static const uint8_t refresh[] = {0, 1, 0, 1};
static const uint8_t notification[] = {6, 2, 2, 'h', 'i'};
static const uint8_t open[] = {4, 0xfd, 0xe9, 0, 180, 10, 0, 0, 10, 22, 2,  20, 1, 4, 0,    1,
                               0, 1,    1,    4, 0,   2,  0, 1, 2,  0,  65, 4,  0, 0, 0xfd, 0xe9};
// The same with extended messages, enhanced refresh and graceful restart of both families, with notifications.
static const uint8_t open_all[] = {4, 0xfd, 0xe9, 0,  180,  10, 0, 0, 10, 38,   2,  36, 1, 4,    0,    1,
                                   0, 1,    1,    4,  0,    2,  0, 1, 2,  0,    65, 4,  0, 0,    0xfd, 0xe9,
                                   6, 0,    64,   10, 0x40, 30, 0, 1, 1,  0x80, 0,  2,  1, 0x80, 70,   0};
static const uint8_t refresh_begin[] = {0, 1, 1, 1}, refresh_end[] = {0, 1, 2, 1};

static const struct {
    uint8_t type;
    const uint8_t *body;
    size_t len;
} samples[] = {
    {VNRS_BGP_UPDATE, announcement, sizeof(announcement)},
    {VNRS_BGP_UPDATE, withdrawal, sizeof(withdrawal)},
    {VNRS_BGP_UPDATE, ipv6, sizeof(ipv6)},
    {VNRS_BGP_UPDATE, end_of_rib, sizeof(end_of_rib)},
    {VNRS_BGP_ROUTE_REFRESH, refresh, sizeof(refresh)},
    {VNRS_BGP_NOTIFICATION, notification, sizeof(notification)},
    {VNRS_BGP_OPEN, open, sizeof(open)},
    {VNRS_BGP_KEEPALIVE, NULL, 0},
    {VNRS_BGP_OPEN, open_all, sizeof(open_all)},
    {VNRS_BGP_ROUTE_REFRESH, refresh_begin, sizeof(refresh_begin)},
    {VNRS_BGP_ROUTE_REFRESH, refresh_end, sizeof(refresh_end)},
};

// A message in memory of exactly its size, so that a sanitizer sees every byte too many.
static uint8_t *make(unsigned which, unsigned changes, size_t *ret_len)
{
    size_t len = 19 + samples[which].len;
    uint8_t *m = malloc(len);

    assert_non_null(m);
    memset(m, 0xff, 16);
    m[16] = 0;
    m[17] = (uint8_t)len;
    m[18] = samples[which].type;
    if (samples[which].len)
        memcpy(m + 19, samples[which].body, samples[which].len);
    while (changes-- && samples[which].len) {
        uint8_t *at = m + 19 + rnd((uint32_t)samples[which].len);
        *at = rnd(2) ? (uint8_t)rnd(256) : (uint8_t)(*at + (rnd(2) ? 1 : -1));
    }
    if (rnd(200) == 0)
        m[rnd(19)] ^= (uint8_t)(1u << rnd(8));
    *ret_len = len;
    return m;
}

static ssize_t give(struct vnrs_bgp_member *m, uint64_t now, unsigned which, unsigned changes)
{
    size_t len;
    uint8_t *msg = make(which, changes, &len);
    ssize_t used = vnrs_bgp_peer_input(&m->peer, now, VNRS_BGP_IN, msg, len);

    free(msg);
    return used;
}

static void establish(struct world *w, struct vnrs_bgp_member *m, uint64_t now)
{
    vnrs_bgp_peer_start(&m->peer, now); // ends the wait after errors
    assert_int_equal(vnrs_bgp_peer_accept(&m->peer, now), 0);
    vnrs_bgp_peer_accepted(&m->peer, now);
    unsigned which = w->sp->conf.features && rnd(8) ? 8 : 6;
    if (rnd(8) == 0 && give(m, now, which, 1 + rnd(3)) < 0)
        return;
    if (m->peer.fsm[VNRS_BGP_IN].state == VNRS_BGP_ST_OPEN_SENT && give(m, now, which, 0) < 0)
        return;
    (void)give(m, now, 7, 0);
}

static void run(uint8_t features)
{
    struct world w = {0};
    struct vnrs_spk_config conf = {
        .asn = 65515, .router_id = 0x0a000004, .role = VNRS_SPK_ROLE_ROUTE_SERVER, .features = features};
    struct vnrs_spk_peer_config peers[2] = {
        {.name = "a", .asn = 65001, .passive = 1, .hold = 180, .keepalive = 60, .max_prefixes = 5},
        {.name = "b", .asn = 65001, .passive = 1, .hold = 180, .keepalive = 60}};

    conf.local = vnrs_addr_from_v4(0x0a000004);
    peers[0].addr = vnrs_addr_from_v4(0x0a00000a);
    peers[1].addr = vnrs_addr_from_v4(0x0a00000b);
    w.sp = vnrs_bgp_speaker_new(&ops, &w, 3);
    assert_non_null(w.sp);
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, 1000, &conf, NULL, 0, peers, 2, NULL), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct vnrs_bgp_member *m = w.sp->members[rnd(2)];
        uint64_t now = 1000 + i * 10;
        if (!vnrs_bgp_peer_session(&m->peer)) {
            if (!features || rnd(4) == 0)
                vnrs_bgp_member_clear(m, now, "");
            assert_true(w.sp->rib.counts[m->slot] == 0 || vnrs_bgp_retain_is_active(m));
            w.stayed += w.sp->rib.counts[m->slot] != 0;
            establish(&w, m, now);
            continue;
        }
        unsigned which = rnd(20) ? rnd(5) : rnd(ARRAY_SIZE(samples));
        if (rnd(8) == 0)
            vnrs_bgp_speaker_tick(w.sp, now);
        w.last_type = 0;
        if (give(m, now, which, rnd(4)) < 0 && samples[which].type != VNRS_BGP_NOTIFICATION && w.last_type) {
            assert_int_equal(w.last_type, VNRS_BGP_NOTIFICATION);
            w.resets++;
        }
        w.routes += w.sp->rib.counts[m->slot] != 0;
        w.listens = w.sp->members[rnd(2)];
        while (vnrs_bgp_adj_out_run(w.sp))
            ;
        w.listens = NULL;
    }
    assert_true(w.resets > 100 && w.routes > 100 && (!features || w.stayed > 100));
    vnrs_bgp_speaker_stop(w.sp, 1000 + ROUNDS * 10);
    assert_int_equal(w.sp->rib.len, 0);
    vnrs_bgp_export_forget(w.sp);
    assert_int_equal(vnrs_bgp_attr_table_len(w.sp->attrs), 1); // what is originated here
    vnrs_bgp_speaker_free(w.sp);
}

static void broken_messages(void **state)
{
    (void)state;
    run(0);
}

static void broken_messages_with_all_features(void **state)
{
    (void)state;
    run(VNRS_SPK_EXTENDED_MESSAGES | VNRS_SPK_ENHANCED_REFRESH | VNRS_SPK_GRACEFUL_RESTART);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(broken_messages),
                                       cmocka_unit_test(broken_messages_with_all_features)};
    return cmocka_run_group_tests_name("peer_garbage", tests, NULL, NULL);
}
