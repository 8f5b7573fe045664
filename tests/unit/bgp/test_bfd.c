// SPDX-License-Identifier: GPL-2.0-or-later
// BFD sessions: scripts of (time, packet in) -> (packets out, state). Times are milliseconds in the scripts. A packet
// is written as "<at> <state>[!diag] [P][F] tx<ms>", one that is received gets its numbers from struct from.
#include "bgp/bfd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000u

struct world {
    struct vnrs_bfd bfd;
    char log[1024];
    unsigned changes;
    uint32_t random;
    struct vnrs_bfd_packet last; // sent
};

static void on_send(void *arg, const uint8_t *bytes, size_t len)
{
    struct world *w = arg;
    struct vnrs_bfd_packet p;
    size_t used = strlen(w->log);

    // What is sent must be acceptable but for Your Discriminator, which another machine would have.
    uint8_t copy[VNRS_BFD_PACKET_BYTES];
    assert_int_equal(len, sizeof(copy));
    memcpy(copy, bytes, len);
    assert_int_equal(vnrs_bfd_packet_decode(copy, len, &p), VNRS_BFD_OK);
    assert_false(p.poll && p.final);
    assert_false(p.demand || p.independent || p.min_echo_us);
    assert_int_equal(p.my_discr, 1);
    w->last = p;
    (void)snprintf(w->log + used, sizeof(w->log) - used, "%s%u %s%s%s%s tx%u", used ? ", " : "",
                   (unsigned)(w->bfd.now_us / MS), vnrs_bfd_state_name(p.state),
                   p.diag ? (char[]){'!', (char)('0' + p.diag), 0} : "", p.poll ? " P" : "", p.final ? " F" : "",
                   p.min_tx_us / MS);
}

static void on_changed(void *arg)
{
    ((struct world *)arg)->changes++;
}

static uint32_t on_random(void *arg)
{
    return ((struct world *)arg)->random;
}

static const struct vnrs_bfd_ops ops = {.send = on_send, .changed = on_changed, .random = on_random};

static const struct vnrs_bfd_conf conf_300 = {300 * MS, 300 * MS, 3};

static void world_init(struct world *w, struct vnrs_bfd_conf conf)
{
    *w = (struct world){0};
    vnrs_bfd_init(&w->bfd, &conf, 1, &ops, w);
    assert_true(vnrs_bfd_next(&w->bfd) == VNRS_BFD_NEVER);
    vnrs_bfd_start(&w->bfd, 0);
}

// Everything that is due up to and including that time.
static void run(struct world *w, uint64_t until_ms)
{
    for (uint64_t next; (next = vnrs_bfd_next(&w->bfd)) <= until_ms * MS;) {
        uint64_t now = MAX(next, w->bfd.now_us); // what became due just now
        vnrs_bfd_tick(&w->bfd, now);
        assert_true(vnrs_bfd_next(&w->bfd) > now);
    }
}

static void check(struct world *w, const char *what, const char *log)
{
    if (strcmp(w->log, log) != 0)
        fail_msg("%s: '%s', expected '%s'", what, w->log, log);
    w->log[0] = '\0';
}

static struct vnrs_bfd_packet from(uint8_t state)
{
    return (struct vnrs_bfd_packet){
        .state = state,
        .multiplier = 3,
        .my_discr = 7,
        .your_discr = 1,
        .min_tx_us = state == VNRS_BFD_UP ? 300 * MS : 1000 * MS,
        .min_rx_us = 300 * MS,
        .min_echo_us = 50 * MS, // means nothing to us
    };
}

static void hear(struct world *w, uint64_t at_ms, struct vnrs_bfd_packet p)
{
    run(w, at_ms);
    vnrs_bfd_receive(&w->bfd, at_ms * MS, &p);
}

static void hear_state(struct world *w, uint64_t at_ms, uint8_t state)
{
    hear(w, at_ms, from(state));
}

// Up at 2200 ms with 300 ms both ways and the Poll Sequence over; the last packet left at 2100.
static void bring_up(struct world *w)
{
    world_init(w, conf_300);
    hear_state(w, 2000, VNRS_BFD_DOWN);
    hear_state(w, 2100, VNRS_BFD_INIT);
    struct vnrs_bfd_packet f = from(VNRS_BFD_UP);
    f.final = true;
    hear(w, 2200, f);
    assert_int_equal(w->bfd.state, VNRS_BFD_UP);
    assert_int_equal(w->bfd.poll, VNRS_BFD_POLL_NONE);
    w->log[0] = '\0';
    w->changes = 0;
}

// Every state with every state heard (section 6.2). ADMIN_DOWN ignores all of them.
static void every_state_heard(void **state)
{
    static const uint8_t next[_VNRS_BFD_STATE_MAX][_VNRS_BFD_STATE_MAX] = {
        [VNRS_BFD_ADMIN_DOWN] = {VNRS_BFD_ADMIN_DOWN, VNRS_BFD_ADMIN_DOWN, VNRS_BFD_ADMIN_DOWN, VNRS_BFD_ADMIN_DOWN},
        [VNRS_BFD_DOWN] = {VNRS_BFD_DOWN, VNRS_BFD_INIT, VNRS_BFD_UP, VNRS_BFD_DOWN},
        [VNRS_BFD_INIT] = {VNRS_BFD_DOWN, VNRS_BFD_INIT, VNRS_BFD_UP, VNRS_BFD_UP},
        [VNRS_BFD_UP] = {VNRS_BFD_DOWN, VNRS_BFD_DOWN, VNRS_BFD_UP, VNRS_BFD_UP},
    };
    (void)state;
    for (unsigned s = 0; s < _VNRS_BFD_STATE_MAX; s++)
        for (unsigned heard = 0; heard < _VNRS_BFD_STATE_MAX; heard++) {
            struct world w;
            world_init(&w, conf_300);
            if (s >= VNRS_BFD_INIT)
                hear_state(&w, 10, VNRS_BFD_DOWN);
            if (s == VNRS_BFD_UP)
                hear_state(&w, 20, VNRS_BFD_UP);
            if (s == VNRS_BFD_ADMIN_DOWN)
                vnrs_bfd_stop(&w.bfd, 20 * MS);
            assert_int_equal(w.bfd.state, s);
            w.changes = 0;
            hear_state(&w, 30, (uint8_t)heard);
            if (w.bfd.state != next[s][heard])
                fail_msg("%s hears %s: %s", vnrs_bfd_state_name((uint8_t)s), vnrs_bfd_state_name((uint8_t)heard),
                         vnrs_bfd_state_name((uint8_t)w.bfd.state));
            assert_int_equal(w.changes, s != next[s][heard]);
            if (w.changes)
                assert_int_equal(w.bfd.diag, w.bfd.state == VNRS_BFD_DOWN ? VNRS_BFD_DIAG_SIGNALED : 0);
            assert_int_equal(w.bfd.failures, s == VNRS_BFD_UP && heard == VNRS_BFD_DOWN);
        }
}

static void comes_up(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, conf_300);
    run(&w, 2500); // slow start
    check(&w, "alone", "0 Down tx1000, 1000 Down tx1000, 2000 Down tx1000");
    assert_int_equal(w.last.your_discr, 0);
    hear_state(&w, 2600, VNRS_BFD_DOWN);
    check(&w, "the peer is there", "2600 Init tx1000");
    assert_int_equal(w.last.your_discr, 7);
    hear_state(&w, 2700, VNRS_BFD_UP);
    check(&w, "it is up", "2700 Up P tx300"); // new intervals: a Poll Sequence
    assert_int_equal(w.changes, 2);
    // Until the peer's own Poll its last word is 300 ms: the old 1000 ms do not count any more.
    run(&w, 3100);
    check(&w, "the Poll goes on", "3000 Up P tx300");
    struct vnrs_bfd_packet p = from(VNRS_BFD_UP);
    p.poll = true;
    hear(&w, 3150, p);
    check(&w, "its Poll is answered at once", "3150 Up F tx300");
    p.poll = false;
    p.final = true;
    hear(&w, 3200, p);
    hear_state(&w, 3400, VNRS_BFD_UP);
    check(&w, "ours is over; an answer did not delay the next packet", "3300 Up tx300");
}

static void detection_time(void **state)
{
    struct world w;

    (void)state;
    bring_up(&w); // heard at 2200
    assert_int_equal(vnrs_bfd_detection_time(&w.bfd), 900 * MS);
    run(&w, 3099);
    assert_int_equal(w.bfd.state, VNRS_BFD_UP);
    check(&w, "up", "2400 Up tx300, 2700 Up tx300, 3000 Up tx300");
    run(&w, 3100);
    assert_int_equal(w.bfd.state, VNRS_BFD_DOWN);
    assert_int_equal(w.bfd.diag, VNRS_BFD_DIAG_EXPIRED);
    assert_int_equal(w.bfd.failures, 1);
    assert_int_equal(w.bfd.failure, VNRS_BFD_DIAG_EXPIRED);
    check(&w, "down is said at once", "3100 Down!1 P tx1000");
    assert_int_equal(w.last.your_discr, 0); // section 6.8.1
    run(&w, 4200);
    check(&w, "slowly again", "4100 Down!1 P tx1000");
    hear_state(&w, 4300, VNRS_BFD_DOWN);
    hear_state(&w, 4400, VNRS_BFD_INIT);
    assert_int_equal(w.bfd.state, VNRS_BFD_UP);
    assert_int_equal(w.bfd.diag, VNRS_BFD_DIAG_NONE);
    assert_int_equal(w.bfd.failure, VNRS_BFD_DIAG_EXPIRED); // still to be told
}

// A peer that is silent before Up is no failure.
static void expires_in_init(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, conf_300);
    hear_state(&w, 100, VNRS_BFD_DOWN);
    run(&w, 3100);
    assert_int_equal(w.bfd.state, VNRS_BFD_DOWN);
    assert_int_equal(w.bfd.diag, VNRS_BFD_DIAG_EXPIRED);
    assert_int_equal(w.bfd.failures, 0);
    // The peer says AdminDown and then nothing: forgotten, without a change.
    w.changes = 0;
    hear_state(&w, 3200, VNRS_BFD_ADMIN_DOWN);
    assert_int_equal(w.bfd.remote_discr, 7);
    run(&w, 9000);
    assert_int_equal(w.bfd.remote_discr, 0);
    assert_int_equal(w.changes, 0);
}

static void the_peer_shuts_down(void **state)
{
    struct world w;

    (void)state;
    bring_up(&w);
    hear_state(&w, 2300, VNRS_BFD_ADMIN_DOWN);
    assert_int_equal(w.bfd.state, VNRS_BFD_DOWN);
    assert_int_equal(w.bfd.failures, 0);
    check(&w, "answered", "2300 Down!3 P tx1000");
}

// The slower side decides in each direction (section 6.8.2 and 6.8.4).
static void intervals_are_negotiated(void **state)
{
    static const struct {
        uint32_t min_tx, min_rx, remote_tx, remote_rx; // ms
        uint8_t remote_multiplier;
        uint32_t interval;
        uint64_t detection;
    } rows[] = {
        {300, 300, 300, 300, 3, 300, 900}, {50, 50, 300, 300, 3, 300, 900},   {300, 300, 50, 50, 3, 300, 900},
        {100, 700, 200, 20, 5, 100, 3500}, {100, 20, 200, 400, 5, 400, 1000}, {50, 50, 50, 50, 1, 50, 50},
        {50, 50, 10, 10, 255, 50, 12750},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world w;
        world_init(&w, (struct vnrs_bfd_conf){rows[i].min_tx * MS, rows[i].min_rx * MS, 3});
        hear_state(&w, 10, VNRS_BFD_DOWN);
        struct vnrs_bfd_packet p = from(VNRS_BFD_UP);
        p.min_tx_us = rows[i].remote_tx * MS;
        p.min_rx_us = rows[i].remote_rx * MS;
        p.multiplier = rows[i].remote_multiplier;
        p.final = true;
        hear(&w, 20, p); // Up
        hear(&w, 30, p); // the end of our Poll
        assert_int_equal(vnrs_bfd_tx_interval(&w.bfd), rows[i].interval * MS);
        assert_int_equal(vnrs_bfd_detection_time(&w.bfd), rows[i].detection * MS);
        assert_int_equal(w.bfd.expire_us, (30 + rows[i].detection) * MS);
    }
}

// Section 6.8.3: slower sending, and a shorter detection time, wait until the peer knows.
static void changes_wait_for_the_poll(void **state)
{
    struct world w;
    struct vnrs_bfd_packet f = from(VNRS_BFD_UP);

    (void)state;
    f.final = true;
    bring_up(&w);
    vnrs_bfd_configure(&w.bfd, 2200 * MS, &(struct vnrs_bfd_conf){800 * MS, 100 * MS, 5});
    f.min_tx_us = 100 * MS;
    f.final = false;
    hear(&w, 2300, f);
    run(&w, 2500);
    check(&w, "slower, asked for", "2400 Up P tx800");
    assert_int_equal(w.last.min_rx_us, 100 * MS);
    assert_int_equal(w.last.multiplier, 5);
    assert_int_equal(vnrs_bfd_detection_time(&w.bfd), 900 * MS);
    // Changed again meanwhile: the answer to the first Poll is none to the second.
    vnrs_bfd_configure(&w.bfd, 2500 * MS, &(struct vnrs_bfd_conf){600 * MS, 100 * MS, 5});
    f.final = true;
    hear(&w, 2600, f);
    run(&w, 2800);
    check(&w, "still fast", "2700 Up P tx600");
    hear(&w, 2850, f);
    assert_int_equal(vnrs_bfd_tx_interval(&w.bfd), 600 * MS);
    assert_int_equal(vnrs_bfd_detection_time(&w.bfd), 300 * MS);
    f.final = false;
    hear(&w, 3100, f);
    hear(&w, 3301, f);
    check(&w, "slower now", "3300 Up tx600");
    // What only makes it faster, or the detection time longer, is so at once.
    vnrs_bfd_configure(&w.bfd, 3350 * MS, &(struct vnrs_bfd_conf){100 * MS, 400 * MS, 5});
    assert_int_equal(vnrs_bfd_tx_interval(&w.bfd), 300 * MS); // the peer's own limit
    assert_int_equal(vnrs_bfd_detection_time(&w.bfd), 1200 * MS);
    run(&w, 3600);
    check(&w, "faster", "3600 Up P tx100");
    vnrs_bfd_configure(&w.bfd, 3650 * MS, &(struct vnrs_bfd_conf){100 * MS, 400 * MS, 4});
    assert_int_equal(w.bfd.poll, VNRS_BFD_POLL_ACTIVE); // a multiplier needs none
}

static void the_peer_wants_more_or_less(void **state)
{
    struct world w;
    struct vnrs_bfd_packet p = from(VNRS_BFD_UP);

    (void)state;
    bring_up(&w);
    p.min_rx_us = 1000 * MS;
    hear(&w, 2300, p);
    hear(&w, 2900, p);
    check(&w, "less", "");
    hear(&w, 3101, p);
    check(&w, "less", "3100 Up tx300");
    p.min_rx_us = 300 * MS; // 400 ms after the last one: one is due at once
    hear(&w, 3500, p);
    vnrs_bfd_tick(&w.bfd, 3500 * MS);
    check(&w, "more", "3500 Up tx300");
    p.min_rx_us = 0;
    hear(&w, 3600, p);
    hear(&w, 4300, p);
    check(&w, "nothing at all", "");
    assert_int_equal(vnrs_bfd_tx_interval(&w.bfd), 0);
    p.poll = true;
    hear(&w, 4400, p);
    check(&w, "but a Poll is answered", "4400 Up F tx300");
    // When it is gone, what it wished is forgotten.
    run(&w, 6400);
    check(&w, "down", "5300 Down!1 P tx1000, 6300 Down!1 P tx1000");
}

static void demand_mode_of_the_peer(void **state)
{
    struct world w;
    struct vnrs_bfd_packet p = from(VNRS_BFD_UP);

    (void)state;
    bring_up(&w);
    p.demand = true;
    hear(&w, 2300, p);
    hear(&w, 3000, p);
    check(&w, "it needs no packets", "");
    vnrs_bfd_configure(&w.bfd, 3100 * MS, &(struct vnrs_bfd_conf){400 * MS, 300 * MS, 3});
    run(&w, 3100);
    check(&w, "but a Poll Sequence is sent", "3100 Up P tx400");
    p.final = true;
    hear(&w, 3150, p);
    p.final = false;
    hear(&w, 3900, p);
    check(&w, "and over", "");
    p.demand = false;
    hear(&w, 4000, p);
    vnrs_bfd_tick(&w.bfd, 4000 * MS);
    check(&w, "no more", "4000 Up tx400");
}

static void stops(void **state)
{
    struct world w;

    (void)state;
    bring_up(&w);
    assert_false(vnrs_bfd_is_over(&w.bfd, 1u << 30));
    vnrs_bfd_stop(&w.bfd, 2300 * MS);
    vnrs_bfd_stop(&w.bfd, 2301 * MS);
    check(&w, "told", "2300 AdminDown!7 P tx1000");
    assert_int_equal(w.bfd.failures, 0);
    hear_state(&w, 2400, VNRS_BFD_DOWN);
    assert_int_equal(w.bfd.state, VNRS_BFD_ADMIN_DOWN);
    while (!vnrs_bfd_is_over(&w.bfd, w.bfd.now_us))
        vnrs_bfd_tick(&w.bfd, vnrs_bfd_next(&w.bfd));
    check(&w, "for a detection time",
          "3300 AdminDown!7 P tx1000, 4300 AdminDown!7 P tx1000, 5300 AdminDown!7 P tx1000");
    assert_int_equal(w.bfd.now_us, 5300 * MS);
}

// Section 6.8.7, by the least and the greatest random number.
static void jitter(void **state)
{
    static const struct {
        uint8_t multiplier;
        uint32_t random;
        uint64_t send;
    } rows[] = {{3, 0, 1000 * MS}, {3, 1023, 750 * MS}, {1, 0, 900 * MS}, {1, 1023, 750 * MS}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world w = {.random = rows[i].random};
        struct vnrs_bfd_conf conf = {300 * MS, 300 * MS, rows[i].multiplier};
        vnrs_bfd_init(&w.bfd, &conf, 1, &ops, &w);
        vnrs_bfd_start(&w.bfd, 0);
        assert_int_equal(vnrs_bfd_next(&w.bfd), rows[i].send);
    }
}

// An interval wanted above a second is kept while the session is not Up, too.
static void slow_on_purpose(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, (struct vnrs_bfd_conf){4000 * MS, 4000 * MS, 2});
    run(&w, 4000);
    check(&w, "slow", "0 Down tx4000, 4000 Down tx4000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_heard),
        cmocka_unit_test(comes_up),
        cmocka_unit_test(detection_time),
        cmocka_unit_test(expires_in_init),
        cmocka_unit_test(the_peer_shuts_down),
        cmocka_unit_test(intervals_are_negotiated),
        cmocka_unit_test(changes_wait_for_the_poll),
        cmocka_unit_test(the_peer_wants_more_or_less),
        cmocka_unit_test(demand_mode_of_the_peer),
        cmocka_unit_test(stops),
        cmocka_unit_test(jitter),
        cmocka_unit_test(slow_on_purpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
