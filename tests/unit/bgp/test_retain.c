// SPDX-License-Identifier: GPL-2.0-or-later
// Graceful restart (RFC 4724, 8538) in both roles, and enhanced refresh (RFC 7313).
#include "bgp/test_core_world.h"

#include <errno.h>

#define GR VNRS_SPK_GRACEFUL_RESTART

static const struct vnrs_bgp_caps gr = {
    .graceful_restart = true, .gr_time = 30, .gr_af = {true, true}, .gr_forwarding = {true, true}};
static const struct vnrs_bgp_caps gr_n = {.graceful_restart = true,
                                          .gr_notification = true,
                                          .gr_time = 30,
                                          .gr_af = {true, true},
                                          .gr_forwarding = {true, true}};
static const struct vnrs_bgp_caps gr_time_0 = {.graceful_restart = true, .gr_af = {true, true}};
static const struct vnrs_bgp_caps gr_ipv6 = {.graceful_restart = true, .gr_time = 30, .gr_af = {false, true}};
static const struct vnrs_bgp_caps gr_not_kept = {.graceful_restart = true, .gr_time = 30, .gr_af = {true, true}};
static const struct vnrs_bgp_caps no_gr;

// --- what is announced

static void opens(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 1, VNRS_SPK_EXTENDED_MESSAGES | VNRS_SPK_ENHANCED_REFRESH | GR, 0);
    struct vnrs_bgp_member *m = world_up(&w, 'a', &gr);
    // Nothing is kept of before the first session.
    static const char common[] = "04 ffeb 00b4 0a000004 26 0224 0104 0001 0001 0104 0002 0001 0200 4104 0000ffeb 0600 ";
    char text[256];
    (void)snprintf(text, sizeof(text), "%s %s", common, "400a 4078 0001 01 00 0002 01 00 4600");
    assert_hex(w.open + 19, w.open_len - 19, text);
    world_close_connection(&w, m);
    (void)world_up(&w, 'a', &gr);
    // The connection was lost, forwarding went on.
    (void)snprintf(text, sizeof(text), "%s %s", common, "400a 4078 0001 01 80 0002 01 80 4600");
    assert_hex(w.open + 19, w.open_len - 19, text);
    vnrs_bgp_speaker_free(w.sp);

    world_setup(&w, 1, GR, VNRS_SPK_RESTARTED | VNRS_SPK_FORWARDING_KEPT);
    (void)world_up(&w, 'a', &gr);
    assert_hex(w.open + 19 + 10 + 22, w.open_len - 19 - 10 - 22, "400a c078 0001 01 80 0002 01 80");
    vnrs_bgp_speaker_free(w.sp);

    world_setup(&w, 1, GR, VNRS_SPK_RESTARTED); // the machine itself restarted
    w.conf.restart_s = 7;
    world_configure(&w);
    (void)world_up(&w, 'a', &gr);
    assert_hex(w.open + 19 + 10 + 22, w.open_len - 19 - 10 - 22, "400a c007 0001 01 00 0002 01 00");
    vnrs_bgp_speaker_free(w.sp);
}

// --- helper

enum end { CLOSED, NOTIFIED, HARD_RESET, HOLD, BAD_UPDATE, LIMIT, SHUTDOWN, CLEAR };

static void end_session(struct world *w, struct vnrs_bgp_member *m, enum end end)
{
    switch (end) {
    case CLOSED:
        world_close_connection(w, m);
        break;
    case NOTIFIED:
        assert_int_equal(world_say(w, m, VNRS_BGP_NOTIFICATION, "06 04"), -ECONNRESET);
        break;
    case HARD_RESET:
        assert_int_equal(world_say(w, m, VNRS_BGP_NOTIFICATION, "06 09 06 04"), -ECONNRESET);
        break;
    case HOLD:
        world_tick(w, 180000);
        break;
    case BAD_UPDATE:
        assert_int_equal(world_say(w, m, VNRS_BGP_UPDATE, "00ff 0000"), -ECONNRESET);
        break;
    case LIMIT: {
        struct vnrs_bgp_error error;
        vnrs_bgp_error_cease(VNRS_BGP_CEASE_MAX_PREFIXES, NULL, &error);
        vnrs_bgp_peer_fail(&m->peer, w->now, &error);
        break;
    }
    case SHUTDOWN:
        w->peers[0].shutdown = 1;
        world_configure(w);
        break;
    case CLEAR:
        vnrs_bgp_member_clear(m, w->now, "");
        break;
    }
}

static const struct {
    const char *what;
    enum end end;
    const struct vnrs_bgp_caps *caps;
    bool kept;
    const char *sent; // the NOTIFICATION
} ends[] = {
    {"closed", CLOSED, &gr, true, NULL},
    {"closed, no graceful restart", CLOSED, &no_gr, false, NULL},
    {"closed, restart time 0", CLOSED, &gr_time_0, false, NULL},
    {"closed, other family", CLOSED, &gr_ipv6, false, NULL},
    {"closed, forwarding not kept the last time", CLOSED, &gr_not_kept, true, NULL},
    {"NOTIFICATION, not negotiated", NOTIFIED, &gr, false, NULL},
    {"NOTIFICATION", NOTIFIED, &gr_n, true, NULL},
    {"hard reset", HARD_RESET, &gr_n, false, NULL},
    {"hold timer, not negotiated", HOLD, &gr, false, "04 00"},
    {"hold timer", HOLD, &gr_n, true, "04 00"},
    {"our NOTIFICATION, not negotiated", BAD_UPDATE, &gr, false, "03 01"},
    {"our NOTIFICATION", BAD_UPDATE, &gr_n, true, "03 01"},
    {"prefix limit, not negotiated", LIMIT, &gr, false, "06 01"},
    {"prefix limit", LIMIT, &gr_n, false, "06 09 06 01"},
    {"shutdown, not negotiated", SHUTDOWN, &gr, false,
     "06 02 1a 73687574 20 646f776e 20 6279 20 636f6e66696775726174696f6e"},
    {"shutdown", SHUTDOWN, &gr_n, false, "06 09 06 02 1a 73687574 20 646f776e 20 6279 20 636f6e66696775726174696f6e"},
    {"clear", CLEAR, &gr_n, false, "06 09 06 04 16 636c6561726564 20 6279 20 616e 20 6f70657261746f72"},
};

static void helper_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct world w;
        world_setup(&w, 2, GR, 0);
        struct vnrs_bgp_member *b = world_up(&w, 'b', NULL), *a = world_up(&w, 'a', ends[i].caps);
        world_announce_one(&w, a, "192.168.0.0/24");
        (void)world_listen(b);
        end_session(&w, a, ends[i].end);
        if (world_count(&w, a) != ends[i].kept || (ends[i].kept && !vnrs_bgp_retain_is_active(a)))
            fail_msg("%s: %u routes", ends[i].what, world_count(&w, a));
        if (ends[i].sent && ends[i].end != HOLD)
            assert_hex(w.last + 19, w.last_len - 19, ends[i].sent);
        if (ends[i].end != HOLD) // b's has run out, too
            assert_int_equal(world_listen(b).withdrawn, !ends[i].kept);
        if (ends[i].kept) {
            world_tick(&w, 29999);
            assert_int_equal(world_count(&w, a), 1);
            assert_int_equal(vnrs_bgp_retain_next(a), w.now + 1);
            world_tick(&w, 1);
            assert_true(world_count(&w, a) == 0 && !vnrs_bgp_retain_is_active(a));
        }
        vnrs_bgp_speaker_free(w.sp);
    }
}

static struct vnrs_spk_path learned(struct world *w, struct vnrs_bgp_member *m, const char *text)
{
    struct vnrs_spk_query query = {.kind = VNRS_SPK_LEARNED, .prefix = world_prefix(text)};
    struct vnrs_bgp_report_cursor at = {0};
    struct vnrs_spk_path paths[VNRS_BGP_SLOTS];
    size_t n = 0;

    assert_true(vnrs_bgp_report_next(w->sp, &query, m, &at, paths, &n));
    assert_int_equal(n, 1);
    return paths[0];
}

// Only what the peer does not have any more is withdrawn, and only at the end; nothing else is told to anybody.
static void helper_returns(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 2, GR, 0);
    struct vnrs_bgp_member *b = world_up(&w, 'b', NULL), *a = world_up(&w, 'a', &gr);
    world_announce_one(&w, a, "192.168.0.0/24");
    world_announce_one(&w, a, "192.168.1.0/24");
    (void)world_listen(b);
    world_close_connection(&w, a);
    struct vnrs_spk_peer peer;
    vnrs_bgp_report_peer(a, &peer);
    assert_true(peer.stale && peer.received == 2 && peer.state != VNRS_BGP_ST_ESTABLISHED);
    assert_string_equal(learned(&w, a, "192.168.0.0/24").note, "stale: the peer restarts");
    world_tick(&w, 5000);
    (void)world_up(&w, 'a', &gr);
    world_announce_one(&w, a, "192.168.1.0/24");
    assert_string_equal(learned(&w, a, "192.168.0.0/24").note, "stale: the peer restarts");
    assert_string_equal(learned(&w, a, "192.168.1.0/24").note, "");
    world_tick(&w, 60000); // the restart time has no more to say
    assert_int_equal(world_count(&w, a), 2);
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0006 800f03 0002 01") > 0); // End-of-RIB of the other family
    assert_int_equal(world_count(&w, a), 2);
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0000") > 0);
    assert_true(world_count(&w, a) == 1 && !vnrs_bgp_retain_is_active(a));
    struct heard h = world_listen(b);
    assert_true(h.withdrawn == 1 && h.announced == 0);
    vnrs_bgp_report_peer(a, &peer);
    assert_false(peer.stale);
    vnrs_bgp_speaker_free(w.sp);
}

static void helper_returns_without(void **state)
{
    static const struct vnrs_bgp_caps *const caps[] = {&no_gr, &gr_not_kept, &gr_ipv6};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
        struct world w;
        world_setup(&w, 1, GR, 0);
        struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
        world_announce_one(&w, a, "192.168.0.0/24");
        world_close_connection(&w, a);
        assert_int_equal(world_count(&w, a), 1);
        (void)world_up(&w, 'a', caps[i]);
        assert_true(world_count(&w, a) == 0);
        vnrs_bgp_speaker_free(w.sp);
    }
}

// Back with another identifier: not who it was.
static void helper_returns_as_another(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 2, GR, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
    world_announce_one(&w, a, "192.168.0.0/24");
    world_close_connection(&w, a);
    w.id_offset = 100;
    (void)world_up(&w, 'a', &gr);
    assert_int_equal(world_count(&w, a), 0);
    vnrs_bgp_speaker_free(w.sp);
}

static void helper_bounds(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 1, GR, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
    world_announce_one(&w, a, "192.168.0.0/24");
    world_announce_one(&w, a, "192.168.1.0/24");
    world_close_connection(&w, a);
    (void)world_up(&w, 'a', &gr);
    world_announce_one(&w, a, "192.168.1.0/24");
    world_close_connection(&w, a); // again: what is stale from the first time does not stay
    assert_int_equal(world_count(&w, a), 1);
    (void)world_up(&w, 'a', &gr); // End-of-RIB never comes
    uint64_t end = w.now + VNRS_BGP_STALE_MS;
    while (w.now < end - 1) {
        world_tick(&w, MIN(UINT64_C(60000), end - 1 - w.now));
        assert_true(world_say(&w, a, VNRS_BGP_KEEPALIVE, "") > 0);
    }
    assert_int_equal(world_count(&w, a), 1);
    world_tick(&w, 1);
    assert_int_equal(world_count(&w, a), 0);
    vnrs_bgp_speaker_free(w.sp);
}

// A restarted peer is back before its old connection is known to be dead.
static void helper_new_connection(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 1, GR, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
    world_announce_one(&w, a, "192.168.0.0/24");
    assert_int_equal(vnrs_bgp_peer_accept(&a->peer, w.now), -EBUSY); // may be a collision
    world_tick(&w, VNRS_BGP_COLLISION_MS);
    w.last_len = 0;
    (void)world_up(&w, 'a', &gr);
    assert_true(w.last[18] != VNRS_BGP_NOTIFICATION && world_count(&w, a) == 1 && a->peer.flaps == 1);
    vnrs_bgp_speaker_free(w.sp);

    world_setup(&w, 1, 0, 0); // without graceful restart the old one stays
    a = world_up(&w, 'a', &gr);
    world_tick(&w, VNRS_BGP_COLLISION_MS);
    assert_int_equal(vnrs_bgp_peer_accept(&a->peer, w.now), -EBUSY);
    vnrs_bgp_speaker_free(w.sp);
}

// A peer that is gone is nobody's to wait for.
static void helper_administrative(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 4; how++) {
        struct world w;
        world_setup(&w, 2, GR, 0);
        struct vnrs_bgp_member *a = world_up(&w, 'a', &gr), *b = world_member(&w, 'b');
        world_announce_one(&w, a, "192.168.0.0/24");
        world_close_connection(&w, a);
        assert_int_equal(world_count(&w, a), 1);
        unsigned slot = a->slot;
        if (how == 0) {
            vnrs_bgp_member_clear(a, w.now, "");
        } else if (how == 1) {
            w.peers[0].shutdown = 1;
            world_configure(&w);
        } else if (how == 2) {
            w.peers[0].hold = 90;
            world_configure(&w);
        } else {
            w.peers[0] = w.peers[1];
            w.n_peers = 1;
            world_configure(&w);
        }
        assert_int_equal(w.sp->rib.counts[slot], 0);
        assert_int_equal(w.sp->rib.len, 0);
        (void)b;
        vnrs_bgp_speaker_free(w.sp);
    }
}

// The limit counts a prefix once when it comes again after a restart.
static void helper_prefix_limit(void **state)
{
    struct vnrs_prefix list[8];
    struct world w;

    (void)state;
    world_setup(&w, 1, GR, 0);
    w.peers[0].max_prefixes = 8;
    world_configure(&w);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        struct vnrs_addr at = vnrs_addr_from_v4(0xc0a80000u + (i << 8));
        list[i] = vnrs_prefix_make(&at, 24);
    }
    world_announce(&w, a, NULL, list, 8);
    world_close_connection(&w, a);
    (void)world_up(&w, 'a', &gr);
    world_announce(&w, a, NULL, list, 8);
    assert_int_equal(world_count(&w, a), 8);
    vnrs_bgp_speaker_free(w.sp);
}

// --- restarting

static void restarting(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 3, GR, VNRS_SPK_RESTARTED | VNRS_SPK_FORWARDING_KEPT);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
    struct vnrs_bgp_caps restarted = gr;
    restarted.gr_restarted = true;
    struct vnrs_bgp_member *b = world_up(&w, 'b', &restarted), *c = world_up(&w, 'c', NULL);
    world_announce_one(&w, c, "192.168.3.0/24");
    world_tick(&w, 2000); // b waits for us, c sends no End-of-RIB; a will
    assert_true(b->eor && c->eor && !a->eor);
    world_announce_one(&w, a, "192.168.1.0/24");
    assert_int_equal(world_listen(b).messages, 0);
    assert_false(vnrs_bgp_adj_out_is_pending(b));
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0000") > 0);
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0006 800f03 0002 01") > 0);
    assert_true(vnrs_bgp_speaker_next(w.sp) <= w.now);
    world_tick(&w, 0);
    struct heard h = world_listen(b);
    assert_true(h.announced == 2 && h.eor == 2 && h.end_last);
    h = world_listen(a);
    assert_true(h.announced == 1 && h.eor == 2 && h.end_last);
    h = world_listen(c);
    assert_true(h.announced == 1 && h.eor == 0);
    world_close_connection(&w, a); // from now on it has not restarted
    (void)world_up(&w, 'a', &gr);
    assert_hex(w.open + 19 + 10 + 22, w.open_len - 19 - 10 - 22, "400a 4078 0001 01 80 0002 01 80");
    vnrs_bgp_speaker_free(w.sp);
}

// A peer that never comes back, or never ends: the others are told in the end.
static void restarting_bound(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 2, GR, VNRS_SPK_RESTARTED | VNRS_SPK_FORWARDING_KEPT);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
    uint64_t end = w.now + VNRS_BGP_RESTART_S * 1000u;
    while (w.now + 5000 < end) {
        world_tick(&w, 5000);
        assert_true(world_say(&w, a, VNRS_BGP_KEEPALIVE, "") > 0);
    }
    assert_int_equal(world_listen(a).messages, 0);
    assert_true(vnrs_bgp_speaker_next(w.sp) <= end);
    world_tick(&w, end - w.now);
    assert_int_equal(world_listen(a).eor, 2);
    vnrs_bgp_speaker_free(w.sp);
}

// --- enhanced refresh

static const struct vnrs_bgp_caps enhanced = {.enhanced_refresh = true};

static void refresh_received(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 1, VNRS_SPK_ENHANCED_REFRESH, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &enhanced);
    world_announce_one(&w, a, "192.168.0.0/24");
    world_announce_one(&w, a, "192.168.1.0/24");
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 02 01") > 0); // an end without a begin
    world_tick(&w, 0);
    assert_int_equal(world_count(&w, a), 2);
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 01 01") > 0);
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0002 01 01") > 0);
    world_announce_one(&w, a, "192.168.1.0/24");
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0002 02 01") > 0); // of the other family
    world_tick(&w, 0);
    assert_int_equal(world_count(&w, a), 2);
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 02 01") > 0);
    assert_true(vnrs_bgp_speaker_next(w.sp) <= w.now);
    world_tick(&w, 0);
    assert_int_equal(world_count(&w, a), 1);
    // An end that does not come is not waited for.
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 01 01") > 0);
    world_tick(&w, VNRS_BGP_REFRESH_WAIT_MS - 1);
    assert_int_equal(world_count(&w, a), 1);
    world_tick(&w, 1);
    assert_int_equal(world_count(&w, a), 0);
    // RFC 7313 section 5: a marker of another length, told with the whole message.
    assert_int_equal(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 01 01 00"), -ECONNRESET);
    assert_hex(w.last + 19, w.last_len - 19, "07 01 ffffffffffffffffffffffffffffffff 0018 05 0001 01 01 00");
    vnrs_bgp_speaker_free(w.sp);

    world_setup(&w, 1, 0, 0); // not announced: markers mean nothing
    a = world_up(&w, 'a', &enhanced);
    world_announce_one(&w, a, "192.168.0.0/24");
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 01 01") > 0);
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 02 01") > 0);
    world_tick(&w, VNRS_BGP_REFRESH_WAIT_MS);
    assert_int_equal(world_count(&w, a), 1);
    vnrs_bgp_speaker_free(w.sp);
}

static void refresh_answered(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 3, VNRS_SPK_ENHANCED_REFRESH | GR, 0);
    struct vnrs_bgp_caps both = gr;
    both.enhanced_refresh = true;
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', &both), *c = world_up(&w, 'c', NULL);
    world_announce_one(&w, a, "192.168.0.0/24");
    // Asked before the initial routes are complete: End-of-RIB comes first.
    assert_true(world_say(&w, b, VNRS_BGP_ROUTE_REFRESH, "0001 00 01") > 0);
    struct heard h = world_listen(b);
    assert_true(h.announced == 2 && h.eor == 2 && h.borr == 1 && h.eorr == 1);
    assert_true(world_say(&w, b, VNRS_BGP_ROUTE_REFRESH, "0001 00 01") > 0);
    assert_true(vnrs_bgp_adj_out_is_pending(b));
    h = world_listen_some(b, 1);
    assert_true(h.messages == 1 && h.borr == 1 && h.longest == 23);
    assert_true(world_say(&w, b, VNRS_BGP_ROUTE_REFRESH, "0001 00 01") > 0); // once more in the middle
    h = world_listen(b);
    assert_true(h.announced == 1 && h.borr == 1 && h.eorr == 1 && h.borr_first && h.end_last);
    assert_int_equal(world_listen(b).messages, 0);
    assert_true(world_say(&w, c, VNRS_BGP_ROUTE_REFRESH, "0001 00 01") > 0);
    h = world_listen(c);
    assert_true(h.announced == 1 && h.borr == 0 && h.eorr == 0);
    vnrs_bgp_speaker_free(w.sp);
}

static struct loss {
    unsigned n;
    uint32_t advertised; // to the member, when it was told
} loss;

static void on_lost(void *arg, const struct vnrs_bgp_member *m)
{
    (void)arg;
    loss.n++;
    loss.advertised = m->advertised;
}

// Forwarding follows a death at once, not after what takes a while for each prefix.
static void loss_is_told_before_all_else(void **state)
{
    struct vnrs_bgp_speaker_ops ops = world_ops;
    struct world w;

    (void)state;
    world_setup(&w, 2, GR, 0);
    ops.lost = on_lost;
    w.sp->ops = &ops;
    struct vnrs_bgp_member *a = world_up(&w, 'a', &no_gr), *b = world_up(&w, 'b', &gr);
    world_announce_one(&w, a, "10.1.0.0/16");
    world_announce_one(&w, b, "10.2.0.0/16");
    (void)world_listen(a);
    loss = (struct loss){0};
    end_session(&w, b, CLOSED); // it may come back
    assert_int_equal(loss.n, 0);
    end_session(&w, a, CLOSED);
    assert_int_equal(loss.n, 1);
    assert_int_equal(loss.advertised, 1);
    vnrs_bgp_speaker_free(w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens),
        cmocka_unit_test(helper_ends),
        cmocka_unit_test(helper_returns),
        cmocka_unit_test(helper_returns_without),
        cmocka_unit_test(helper_returns_as_another),
        cmocka_unit_test(helper_bounds),
        cmocka_unit_test(helper_new_connection),
        cmocka_unit_test(helper_administrative),
        cmocka_unit_test(helper_prefix_limit),
        cmocka_unit_test(restarting),
        cmocka_unit_test(restarting_bound),
        cmocka_unit_test(refresh_received),
        cmocka_unit_test(refresh_answered),
        cmocka_unit_test(loss_is_told_before_all_else),
    };
    return cmocka_run_group_tests_name("retain", tests, NULL, NULL);
}
