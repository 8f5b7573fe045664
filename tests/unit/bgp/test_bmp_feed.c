// SPDX-License-Identifier: GPL-2.0-or-later
// What a station is told, decoded into words: "up:10.0.0.10", "pre:10.0.0.10+10.50.0.0/16", "loc-10.50.0.0/16",
// "pre:10.0.0.10=4" for an End-of-RIB.
#include "bgp/bmp_feed.h"

#include "bgp/test_core_world.h"
#include "bgp/test_map_text.h"
#include "bgp/wire.h"

#define ALL_RIBS (VNRS_SPK_BMP_PRE_POLICY | VNRS_SPK_BMP_POST_POLICY | VNRS_SPK_BMP_LOC_RIB | VNRS_SPK_BMP_ADJ_RIB_OUT)

static struct world w;
static struct vnrs_bmp_feed feed;
static char told[65536];
static unsigned messages;

static void up(void *arg, struct vnrs_bgp_member *m)
{
    (void)arg;
    vnrs_bmp_feed_up(&feed, m);
}
static void down(void *arg, struct vnrs_bgp_member *m)
{
    (void)arg;
    vnrs_bmp_feed_down(&feed, m);
}
static void path(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id, bool best)
{
    (void)arg;
    vnrs_bmp_feed_path(&feed, prefix, slot, path_id, best);
}
static void on_told(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id, uint64_t members)
{
    (void)arg;
    vnrs_bmp_feed_told(&feed, prefix, path_id, members);
}
static void malformed(void *arg, struct vnrs_bgp_member *m, const uint8_t *msg, size_t len)
{
    (void)arg;
    vnrs_bmp_feed_malformed(&feed, m, msg, len);
}
static const struct vnrs_bgp_observer observer = {
    .malformed = malformed, .up = up, .down = down, .path = path, .told = on_told};

static void begin(uint32_t ribs)
{
    vnrs_bmp_feed_init(&feed, w.sp, ribs, "rs-0", 0);
    vnrs_bgp_speaker_observe(w.sp, &observer, NULL);
}

static void end(void)
{
    vnrs_bgp_speaker_observe(w.sp, NULL, NULL);
    vnrs_bmp_feed_fini(&feed);
    vnrs_bgp_speaker_free(w.sp);
}

static VNRS_PRINTF(1, 2) void say(const char *format, ...)
{
    size_t used = strlen(told);
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(told + used, sizeof(told) - used, format, ap);
    va_end(ap);
}

static void take_routes(const char *whose, const uint8_t *msg, size_t len, bool add_path)
{
    static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
    const struct vnrs_bgp_session s = {
        .as4 = true, .mp = {true, true}, .extended_message = true, .ibgp = true, .add_path_rx = {add_path, add_path}};
    struct vnrs_bgp_update u = {0};
    struct vnrs_bgp_error error;
    struct vnrs_prefix p;
    char text[VNRS_PREFIX_STR_MAX], id[16] = "";

    enum vnrs_bgp_outcome outcome = vnrs_bgp_update_decode(&s, msg, len, scratch, &u, &error);
    // LOCAL_PREF, which this session would need, is told only where it was said.
    assert_true(outcome == VNRS_BGP_OK || outcome == VNRS_BGP_TREAT_AS_WITHDRAW);
    for (unsigned i = 0; i < 2; i++) {
        while (vnrs_bgp_nlri_next(&u.withdrawn[i], &p)) {
            if (add_path)
                (void)snprintf(id, sizeof(id), "#%u", u.withdrawn[i].path_id);
            say("%s-%s%s ", whose, vnrs_prefix_format(&p, text), id);
        }
        while (vnrs_bgp_nlri_next(&u.reach[i], &p)) {
            if (add_path)
                (void)snprintf(id, sizeof(id), "#%u", u.reach[i].path_id);
            say("%s+%s%s ", whose, vnrs_prefix_format(&p, text), id);
        }
        if (u.eor[i])
            say("%s=%s ", whose, i == VNRS_BGP_AF6 ? "6" : "4");
    }
}

static void take_message(const uint8_t *buf, size_t len, bool add_path)
{
    static const char *const names[] = {"", "stats", "down", "up", "init", "term", "mirror"};
    char addr[32] = "loc", whose[64];

    assert_true(len >= 6 && buf[0] == 3 && ((size_t)buf[3] << 8 | buf[4]) == len && buf[5] < 7);
    if (buf[5] == VNRS_BMP_INITIATION) {
        say("init ");
        return;
    }
    if (buf[6] == 0)
        (void)snprintf(addr, sizeof(addr), "%u.%u.%u.%u", buf[28], buf[29], buf[30], buf[31]);
    if (buf[5] != VNRS_BMP_ROUTE_MONITORING) {
        say("%s:%s ", names[buf[5]], addr);
        return;
    }
    const char *view = buf[7] == 0x50 ? "out:" : buf[7] == 0x40 ? "post:" : buf[6] == 3 ? "" : "pre:";
    (void)snprintf(whose, sizeof(whose), "%s%s", view, addr);
    take_routes(whose, buf + VNRS_BMP_ROUTE_BYTES, len - VNRS_BMP_ROUTE_BYTES, add_path && buf[6] == 0);
}

static const char *listen_ids(bool add_path)
{
    static uint8_t buf[VNRS_BMP_MESSAGE_MAX];
    size_t len;

    told[0] = '\0';
    messages = 0;
    while ((len = vnrs_bmp_feed_next(&feed, buf, sizeof(buf)))) {
        messages++;
        take_message(buf, len, add_path);
    }
    assert_false(vnrs_bmp_feed_is_pending(&feed));
    return told;
}

static const char *listen(void)
{
    return listen_ids(false);
}

static void test_first_table(void **state)
{
    (void)state;
    world_setup(&w, 2, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL);
    world_announce_one(&w, a, "10.50.0.0/16");
    world_announce_one(&w, b, "10.51.0.0/16");
    (void)world_listen(a);
    (void)world_listen(b);
    begin(ALL_RIBS);
    assert_string_equal(listen(), "init up:10.0.0.10 up:10.0.0.11 up:loc "
                                  "pre:10.0.0.10+10.50.0.0/16 pre:10.0.0.11+10.51.0.0/16 "
                                  "post:10.0.0.10+10.50.0.0/16 post:10.0.0.11+10.51.0.0/16 "
                                  "loc+10.50.0.0/16 loc+10.51.0.0/16 "
                                  "out:10.0.0.10+10.51.0.0/16 out:10.0.0.11+10.50.0.0/16 "
                                  "pre:10.0.0.10=4 pre:10.0.0.10=6 pre:10.0.0.11=4 pre:10.0.0.11=6 "
                                  "post:10.0.0.10=4 post:10.0.0.10=6 post:10.0.0.11=4 post:10.0.0.11=6 loc=4 loc=6 "
                                  "out:10.0.0.10=4 out:10.0.0.10=6 out:10.0.0.11=4 out:10.0.0.11=6 ");
    vnrs_bmp_feed_statistics(&feed);
    assert_string_equal(listen(), "stats:10.0.0.10 stats:10.0.0.11 stats:loc ");
    end();
    // Only what was asked for.
    world_setup(&w, 1, 0, 0);
    world_announce_one(&w, world_up(&w, 'a', NULL), "10.50.0.0/16");
    begin(VNRS_SPK_BMP_LOC_RIB);
    assert_string_equal(listen(), "init up:10.0.0.10 up:loc loc+10.50.0.0/16 loc=4 loc=6 ");
    end();
}

static void test_changes(void **state)
{
    struct vnrs_bgp_attrs other = {.has = VNRS_BGP_HAS_MED, .med = 7};

    (void)state;
    world_setup(&w, 2, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL);
    begin(ALL_RIBS);
    (void)listen();
    // The newest state once, whatever happened meanwhile.
    const struct vnrs_prefix p = world_prefix("10.50.0.0/16"), q = world_prefix("10.52.0.0/16");
    for (unsigned i = 0; i < 5; i++)
        world_announce(&w, a, i % 2 ? &other : NULL, &p, 1);
    assert_string_equal(listen(), "pre:10.0.0.10+10.50.0.0/16 post:10.0.0.10+10.50.0.0/16 loc+10.50.0.0/16 ");
    (void)world_listen(b);
    assert_string_equal(listen(), "out:10.0.0.11+10.50.0.0/16 ");
    // A path that is not the best is nothing new in the Loc-RIB.
    world_announce_one(&w, b, "10.50.0.0/16");
    assert_string_equal(listen(), "pre:10.0.0.11+10.50.0.0/16 post:10.0.0.11+10.50.0.0/16 ");
    (void)vnrs_bgp_rib_withdraw(&w.sp->rib, &p, a->slot, 0);
    assert_string_equal(listen(), "pre:10.0.0.10-10.50.0.0/16 post:10.0.0.10-10.50.0.0/16 loc+10.50.0.0/16 ");
    (void)world_listen(b);
    (void)world_listen(a);
    assert_string_equal(listen(), "out:10.0.0.10+10.50.0.0/16 out:10.0.0.11-10.50.0.0/16 ");
    // Many with the same attributes are one message.
    struct vnrs_prefix many[200];
    for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
        many[i] = p;
        many[i].len = 24;
        many[i].bytes[2] = (uint8_t)i;
    }
    world_announce(&w, a, NULL, many, ARRAY_SIZE(many));
    (void)listen();
    assert_int_equal(messages, 3);
    world_announce(&w, a, NULL, &q, 1);
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0004 400101 09 10 0a34") > 0);
    assert_string_equal(listen(), "mirror:10.0.0.10 pre:10.0.0.10-10.52.0.0/16 post:10.0.0.10-10.52.0.0/16 "
                                  "loc-10.52.0.0/16 ");
    end();
}

// Routes never come behind the Peer Down; the next session begins with all that is there.
static void test_down(void **state)
{
    static const struct vnrs_bgp_caps gr = {
        .graceful_restart = true, .gr_time = 60, .gr_af = {true, true}, .gr_forwarding = {true, true}};

    (void)state;
    world_setup(&w, 2, VNRS_SPK_GRACEFUL_RESTART, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &gr);
    begin(VNRS_SPK_BMP_PRE_POLICY | VNRS_SPK_BMP_LOC_RIB);
    (void)listen();
    world_announce_one(&w, a, "10.50.0.0/16");
    world_close_connection(&w, a); // its route stays for a while
    assert_string_equal(listen(), "down:10.0.0.10 loc+10.50.0.0/16 ");
    a = world_up(&w, 'a', &gr);
    assert_string_equal(listen(), "up:10.0.0.10 pre:10.0.0.10+10.50.0.0/16 pre:10.0.0.10=4 pre:10.0.0.10=6 ");
    assert_true(world_say(&w, a, VNRS_BGP_NOTIFICATION, "06 09 06 02") < 0); // a hard reset
    (void)world_up(&w, 'a', &gr);
    assert_string_equal(listen(), "down:10.0.0.10 up:10.0.0.10 loc-10.50.0.0/16 pre:10.0.0.10=4 pre:10.0.0.10=6 ");
    // Never told as up, never told as down.
    (void)world_up(&w, 'b', NULL);
    assert_string_equal(listen(), "up:10.0.0.11 pre:10.0.0.11=4 pre:10.0.0.11=6 ");
    end();
}

// What the map drops is there before policy, at first and later; what it summarises, after.
static void test_inbound_map(void **state)
{
    struct vnrs_bgp_policy *policy = said_policy("no =p:10.9.1.0/24 drop");

    (void)state;
    world_setup(&w, 1, 0, 0);
    w.peers[0].in_map = 1;
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, NULL, 0, w.peers, w.n_peers, &policy), 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL);
    world_announce_one(&w, a, "10.9.1.0/24");
    world_announce_one(&w, a, "10.50.0.0/16");
    begin(VNRS_SPK_BMP_PRE_POLICY | VNRS_SPK_BMP_POST_POLICY);
    const char *all = listen();
    assert_non_null(strstr(all, "pre:10.0.0.10+10.9.1.0/24 "));
    assert_non_null(strstr(all, "pre:10.0.0.10+10.50.0.0/16 "));
    assert_non_null(strstr(all, "post:10.0.0.10+10.50.0.0/16 "));
    assert_null(strstr(all, "post:10.0.0.10+10.9.1.0/24 "));
    (void)world_say(&w, a, VNRS_BGP_UPDATE, "0004 18 0a0901 0000");
    assert_non_null(strstr(listen(), "pre:10.0.0.10-10.9.1.0/24 "));
    world_announce_one(&w, a, "10.9.1.0/24");
    all = listen();
    assert_non_null(strstr(all, "pre:10.0.0.10+10.9.1.0/24 "));
    assert_null(strstr(all, "post:10.0.0.10+"));
    end();
}

// With ADD-PATH each path has its identifier, in either direction.
static void test_several_paths(void **state)
{
    static const struct vnrs_bgp_caps both = {.add_path_receive = {true, true}, .add_path_send = {true, true}};

    (void)state;
    world_setup(&w, 2, VNRS_SPK_ADD_PATH, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &both), *b = world_up(&w, 'b', &both);
    begin(VNRS_SPK_BMP_PRE_POLICY | VNRS_SPK_BMP_ADJ_RIB_OUT);
    (void)listen();
    const char *attrs = "0000 0014 400101 00 400206 0201 0000fde9 400304 0a00000a";
    char text[128];
    for (unsigned id = 7; id < 9; id++) {
        (void)snprintf(text, sizeof(text), "%s %08x 10 0a32", attrs, id);
        assert_true(world_say(&w, a, VNRS_BGP_UPDATE, text) > 0);
    }
    assert_string_equal(listen_ids(true), "pre:10.0.0.10+10.50.0.0/16#7 pre:10.0.0.10+10.50.0.0/16#8 ");
    (void)world_listen(b);
    assert_string_equal(listen_ids(true), "out:10.0.0.11+10.50.0.0/16#65 out:10.0.0.11+10.50.0.0/16#66 ");
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0007 00000007 10 0a32 0000") > 0);
    (void)world_listen(b);
    // What is left may be told once more (bgp/adj_out_paths.c).
    assert_non_null(strstr(listen_ids(true), "pre:10.0.0.10-10.50.0.0/16#7 out:10.0.0.11-10.50.0.0/16#65 "));
    vnrs_bmp_feed_fini(&feed); // another station: the walk
    begin(VNRS_SPK_BMP_PRE_POLICY | VNRS_SPK_BMP_ADJ_RIB_OUT);
    assert_non_null(strstr(listen_ids(true), "pre:10.0.0.10+10.50.0.0/16#8 out:10.0.0.11+10.50.0.0/16#66 "));
    end();
}

// A station that is too far behind has failed, and says nothing more.
static void test_limits(void **state)
{
    static struct vnrs_prefix list[500];
    static uint8_t buf[VNRS_BMP_MESSAGE_MAX];

    (void)state;
    world_setup(&w, 1, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL);
    begin(VNRS_SPK_BMP_PRE_POLICY);
    (void)listen();
    for (uint32_t n = 0; n < VNRS_BMP_PENDING_MAX; n += ARRAY_SIZE(list)) {
        size_t k = MIN(ARRAY_SIZE(list), VNRS_BMP_PENDING_MAX - n);
        for (uint32_t i = 0; i < k; i++) {
            struct vnrs_addr addr = vnrs_addr_from_v4(0x14000000 + ((n + i) << 8));
            list[i] = vnrs_prefix_make(&addr, 24);
        }
        world_announce(&w, a, NULL, list, k);
    }
    assert_false(feed.failed);
    world_announce_one(&w, a, "10.50.0.0/16");
    assert_true(feed.failed);
    assert_int_equal(vnrs_bmp_feed_next(&feed, buf, sizeof(buf)), 0);
    assert_false(vnrs_bmp_feed_is_pending(&feed));
    end();

    world_setup(&w, 1, 0, 0);
    a = world_up(&w, 'a', NULL);
    begin(VNRS_SPK_BMP_PRE_POLICY);
    for (unsigned i = 0; i < 10000 && !feed.failed; i++) { // nobody takes these words
        world_close_connection(&w, a);
        w.now += 100000;
        (void)world_up(&w, 'a', NULL);
    }
    assert_true(feed.failed);
    assert_true(feed.urgent_cap <= VNRS_BMP_URGENT_MAX);
    end();

    // Mirrors are left out long before that, and that is said.
    world_setup(&w, 1, 0, 0);
    a = world_up(&w, 'a', NULL);
    begin(VNRS_SPK_BMP_PRE_POLICY);
    for (unsigned i = 0; i < 5000; i++)
        assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0004 400101 09 10 0a34") > 0);
    assert_false(feed.failed);
    assert_true(feed.mirror_lost && feed.urgent_len <= VNRS_BMP_URGENT_MAX / 4);
    (void)listen();
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0004 400101 09 10 0a34") > 0);
    assert_string_equal(listen(), "mirror:10.0.0.10 mirror:10.0.0.10 ");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_table), cmocka_unit_test(test_changes),       cmocka_unit_test(test_down),
        cmocka_unit_test(test_inbound_map), cmocka_unit_test(test_several_paths), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("bgp.bmp_feed", tests, NULL, NULL);
}
