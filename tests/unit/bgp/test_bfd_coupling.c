// SPDX-License-Identifier: GPL-2.0-or-later
// What BFD with a peer does to the BGP session with it (RFC 5882, RFC 9384): a speaker whose owner says how BFD is.
#include "bgp/test_core_world.h"

#include "bgp/bfd_packet.h"

static struct vnrs_spk_bfd_state bfd(uint8_t state, uint32_t failures)
{
    return (struct vnrs_spk_bfd_state){.configured = 1,
                                       .state = state,
                                       .remote_state = state,
                                       .failures = failures,
                                       .failure = failures ? VNRS_BFD_DIAG_EXPIRED : 0};
}

static void say_bfd(struct world *w, struct vnrs_bgp_member *m, struct vnrs_spk_bfd_state state)
{
    w->last_len = 0;
    m->changed = false;
    vnrs_bgp_member_bfd(m, w->now, &state);
}

static const char *last_error(struct vnrs_bgp_member *m)
{
    static struct vnrs_spk_peer p;

    vnrs_bgp_report_peer(m, &p);
    return p.last_error;
}

static bool sent_notification(const struct world *w, const char *body)
{
    uint8_t want[64];
    size_t len = hex_message(VNRS_BGP_NOTIFICATION, body, want, sizeof(want));

    return w->last_len == len && memcmp(w->last, want, len) == 0;
}

static const struct vnrs_bgp_caps gr = {.graceful_restart = true,
                                        .gr_notification = true,
                                        .gr_time = 120,
                                        .gr_af = {true, true},
                                        .gr_forwarding = {true, true}};

static void failure_ends_the_session(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 2, VNRS_SPK_GRACEFUL_RESTART, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL);
    world_announce_one(&w, a, "192.168.0.0/24");
    world_announce_one(&w, b, "192.168.0.0/24");
    say_bfd(&w, a, bfd(VNRS_BFD_INIT, 0)); // never up yet: BGP goes on without
    assert_true(a->changed);
    assert_non_null(vnrs_bgp_peer_session(&a->peer));
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 0));
    struct vnrs_spk_bfd_state counted = bfd(VNRS_BFD_UP, 0);
    counted.packets_in = 4711;
    say_bfd(&w, a, counted);
    assert_false(a->changed); // only counters
    w.now += 60000;
    say_bfd(&w, a, bfd(VNRS_BFD_DOWN, 1));
    assert_null(vnrs_bgp_peer_session(&a->peer));
    assert_non_null(vnrs_bgp_peer_session(&b->peer));
    assert_true(sent_notification(&w, "06 0a"));
    assert_int_equal(world_count(&w, a), 0);
    assert_int_equal(world_count(&w, b), 1);
    assert_true(a->changed);
    assert_string_equal(last_error(a), "BFD: control detection time expired");
    // The next thing that goes wrong does not hide it.
    vnrs_bgp_peer_disconnected(&a->peer, w.now, VNRS_BGP_OUT, "cannot connect: No route to host");
    assert_string_equal(last_error(a), "BFD: control detection time expired; cannot connect: No route to host");
    world_up(&w, 'a', NULL); // which does not need BFD
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 1));
    assert_non_null(vnrs_bgp_peer_session(&a->peer));
    // Down and up again before it was told.
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 2));
    assert_null(vnrs_bgp_peer_session(&a->peer));
    assert_true(a->peer.conf.bfd_up);
    vnrs_bgp_speaker_free(w.sp);
}

static void the_will_of_a_side_is_no_failure(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 1, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL);
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 0));
    struct vnrs_spk_bfd_state shut = bfd(VNRS_BFD_DOWN, 0); // RFC 5882 section 3.2
    shut.remote_state = VNRS_BFD_ADMIN_DOWN;
    say_bfd(&w, a, shut);
    assert_non_null(vnrs_bgp_peer_session(&a->peer));
    assert_false(a->peer.conf.bfd_up);
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 0));
    say_bfd(&w, a, (struct vnrs_spk_bfd_state){0}); // no longer configured
    assert_non_null(vnrs_bgp_peer_session(&a->peer));
    say_bfd(&w, a, bfd(VNRS_BFD_DOWN, 0)); // a new one, that counts anew
    assert_non_null(vnrs_bgp_peer_session(&a->peer));
    vnrs_bgp_speaker_free(w.sp);
}

// Nothing is kept of a session that BFD ends, and the peer is told to keep nothing. A restart that goes on already is
// left alone, unless the peer's BFD would have survived it (RFC 5882 section 4.3).
static void graceful_restart(void **state)
{
    (void)state;
    for (unsigned restarts = 0; restarts < 2; restarts++)
        for (unsigned independent = 0; independent < 2; independent++) {
            struct world w;
            world_setup(&w, 1, VNRS_SPK_GRACEFUL_RESTART, 0);
            struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
            world_announce_one(&w, a, "192.168.0.0/24");
            say_bfd(&w, a, bfd(VNRS_BFD_UP, 0));
            if (restarts)
                world_close_connection(&w, a);
            struct vnrs_spk_bfd_state failed = bfd(VNRS_BFD_DOWN, 1);
            failed.independent = (uint8_t)independent;
            say_bfd(&w, a, failed);
            assert_int_equal(world_count(&w, a), restarts && !independent);
            if (!restarts)
                assert_true(sent_notification(&w, "06 09 06 0a"));
            vnrs_bgp_speaker_free(w.sp);
        }
}

static void waits_end_when_it_is_up(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 1, 0, 0);
    w.peers[0].passive = 0;
    world_configure(&w);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL);
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 0));
    w.now += 60000;
    say_bfd(&w, a, bfd(VNRS_BFD_DOWN, 1));
    assert_int_equal(vnrs_bgp_peer_state(&a->peer), VNRS_BGP_ST_IDLE);
    assert_int_equal(a->peer.errors, 0); // a broken path is not the peer's error
    w.now += 10;
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 1));
    world_tick(&w, 0);
    assert_int_equal(vnrs_bgp_peer_state(&a->peer), VNRS_BGP_ST_CONNECT);
    // Between two tries.
    vnrs_bgp_peer_disconnected(&a->peer, w.now, VNRS_BGP_OUT, "cannot connect: No route to host");
    assert_int_equal(vnrs_bgp_peer_state(&a->peer), VNRS_BGP_ST_ACTIVE);
    say_bfd(&w, a, bfd(VNRS_BFD_DOWN, 2));
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 2));
    world_tick(&w, 0);
    assert_int_equal(vnrs_bgp_peer_state(&a->peer), VNRS_BGP_ST_CONNECT);
    // A peer that is kept out for an error of its own stays out.
    a = world_up(&w, 'a', NULL);
    assert_int_equal(world_say(&w, a, VNRS_BGP_UPDATE, "00ff 0000"), -ECONNRESET);
    say_bfd(&w, a, bfd(VNRS_BFD_DOWN, 3));
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 3));
    world_tick(&w, 0);
    assert_int_equal(vnrs_bgp_peer_state(&a->peer), VNRS_BGP_ST_IDLE);
    vnrs_bgp_speaker_free(w.sp);
}

static void strict_mode(void **state)
{
    const struct vnrs_bgp_caps strict = {.bfd_strict = true};
    struct world w;

    (void)state;
    world_setup(&w, 1, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &strict); // is no reason to announce it ourselves
    w.peers[0].bfd = (struct vnrs_spk_bfd){.min_tx_us = 300000, .min_rx_us = 300000, .multiplier = 3};
    world_configure(&w);
    assert_non_null(vnrs_bgp_peer_session(&a->peer)); // BFD alone is no reason to restart
    assert_false(vnrs_bgp_peer_session(&a->peer)->session.bfd_strict);
    w.peers[0].bfd.strict = 1;
    world_configure(&w);
    assert_null(vnrs_bgp_peer_session(&a->peer));

    assert_int_equal(vnrs_bgp_peer_accept(&a->peer, w.now), 0);
    vnrs_bgp_peer_accepted(&a->peer, w.now);
    assert_true(w.open[w.open_len - 2] == 74 && w.open[w.open_len - 1] == 0);
    struct vnrs_bgp_open open = {.asn = 65001, .hold = 180, .id = 7, .caps = {.as4 = true, .bfd_strict = true}};
    uint8_t buf[VNRS_BGP_MSG_MAX];
    int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));
    assert_int_equal(world_input(&w, a, buf, (size_t)len), len);
    assert_true(world_say(&w, a, VNRS_BGP_KEEPALIVE, "") > 0);
    assert_int_equal(vnrs_bgp_peer_state(&a->peer), VNRS_BGP_ST_OPEN_CONFIRM);
    assert_string_equal(last_error(a), "BFD is not up: strict mode waits for it");
    say_bfd(&w, a, bfd(VNRS_BFD_UP, 0));
    assert_non_null(vnrs_bgp_peer_session(&a->peer));
    // A new configuration does not forget that it is up.
    w.peers[0].keepalive = 30;
    world_configure(&w);
    assert_true(a->peer.conf.bfd_up);
    w.peers[0].bfd.min_rx_us = 0;
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, NULL, 0, w.peers, w.n_peers, NULL), -EINVAL);
    vnrs_bgp_speaker_free(w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure_ends_the_session),
        cmocka_unit_test(the_will_of_a_side_is_no_failure),
        cmocka_unit_test(graceful_restart),
        cmocka_unit_test(waits_end_when_it_is_up),
        cmocka_unit_test(strict_mode),
    };
    return cmocka_run_group_tests_name("bfd_coupling", tests, NULL, NULL);
}
