// SPDX-License-Identifier: GPL-2.0-or-later
// Inbound route maps of a speaker: what gets into the RIB, what stays as received, and maps that come, change and go
// while routes are there.
#include "bgp/test_core_world.h"
#include "bgp/test_map_text.h"

#include <errno.h>

#define TAG_1 (65001u << 16 | 1)
#define TAG_2 (65001u << 16 | 2)

static const struct vnrs_bgp_caps gr = {
    .graceful_restart = true, .gr_time = 30, .gr_af = {true, true}, .gr_forwarding = {true, true}};
static const struct vnrs_bgp_caps enhanced = {.enhanced_refresh = true};

// Peer a gets the map, NULL: none.
static void set_map(struct world *w, const char *rules)
{
    struct vnrs_bgp_policy *policy = rules ? said_policy(rules) : NULL;

    w->peers[0].in_map = rules != NULL;
    assert_int_equal(vnrs_bgp_speaker_configure(w->sp, w->now, &w->conf, NULL, 0, w->peers, w->n_peers, &policy), 0);
    assert_null(policy);
}

static void start(struct world *w, const char *rules, const struct vnrs_bgp_caps *caps)
{
    world_setup(w, 2, VNRS_SPK_GRACEFUL_RESTART | VNRS_SPK_ENHANCED_REFRESH, 0);
    w->conf.role = VNRS_SPK_ROLE_ROUTE_SERVER;
    world_configure(w);
    set_map(w, rules);
    (void)world_up(w, 'a', caps);
    (void)world_up(w, 'b', NULL);
    (void)world_listen(world_member(w, 'b'));
}

// One prefix with these communities (0: none of it).
static void say(struct world *w, const char *text, uint32_t first, uint32_t second)
{
    const uint32_t list[] = {first, second};
    struct vnrs_bgp_attrs extra = {.communities = list, .n_communities = first ? second ? 2 : 1 : 0};
    struct vnrs_prefix p = world_prefix(text);

    world_announce(w, world_member(w, 'a'), &extra, &p, 1);
}

static void unsay(struct world *w, const char *text)
{
    struct vnrs_prefix p = world_prefix(text);
    struct vnrs_bgp_session s = vnrs_bgp_peer_session(&world_member(w, 'a')->peer)->session;
    uint8_t buf[VNRS_BGP_MSG_MAX];
    size_t used = 0;

    int len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, NULL, &p, NULL, 1, buf, sizeof(buf), &used);
    assert_true(len > 0);
    assert_int_equal(world_input(w, world_member(w, 'a'), buf, (size_t)len), len);
}

static size_t report(struct world *w, enum vnrs_spk_query_kind kind, struct vnrs_bgp_member *m, const char *text,
                     struct vnrs_spk_path *list, size_t size)
{
    struct vnrs_spk_query query = {.kind = kind};
    struct vnrs_bgp_report_cursor at = {0};
    struct vnrs_spk_path paths[VNRS_BGP_SLOTS];
    size_t total = 0, n;

    if (text)
        query.prefix = world_prefix(text);
    while (vnrs_bgp_report_next(w->sp, &query, m, &at, paths, &n))
        for (size_t i = 0; i < n; i++) {
            assert_true(total < size);
            list[total++] = paths[i];
        }
    return total;
}

static void assert_note(struct world *w, enum vnrs_spk_query_kind kind, const char *text, const char *note)
{
    struct vnrs_spk_path list[4];

    assert_int_equal(report(w, kind, world_member(w, 'a'), text, list, ARRAY_SIZE(list)), 1);
    assert_string_equal(list[0].note, note);
    assert_string_equal(list[0].peer, "a");
}

static void drops_and_changes(void **state)
{
    struct world w;

    (void)state;
    start(&w, "no ~p:10.9.0.0/16 drop; tag ~p:10.0.0.0/8 +a:65010 +c:65001:2", NULL);
    struct vnrs_bgp_member *a = world_member(&w, 'a');
    say(&w, "10.1.0.0/16", TAG_1, 0);
    say(&w, "10.9.1.0/24", TAG_1, 0);
    say(&w, "172.20.0.0/16", 0, 0);
    const struct vnrs_bgp_path *changed = world_path(&w, a, "10.1.0.0/16");
    assert_non_null(changed);
    assert_int_equal(changed->attrs->n_communities, 2);
    assert_int_equal(changed->attrs->first_asn, 65010);
    assert_int_equal(changed->attrs->path_len, 2);
    assert_null(world_path(&w, a, "10.9.1.0/24"));
    assert_non_null(world_path(&w, a, "172.20.0.0/16"));
    assert_int_equal(world_count(&w, a), 2);
    struct vnrs_spk_peer told;
    vnrs_bgp_report_peer(a, &told);
    assert_int_equal(told.received, 3);
    assert_int_equal(world_listen(world_member(&w, 'b')).announced, 2);

    assert_note(&w, VNRS_SPK_LEARNED, "10.1.0.0/16", "changed by route map 'm' rule 'tag'");
    assert_note(&w, VNRS_SPK_LEARNED, "10.9.1.0/24", "dropped by route map 'm' rule 'no'");
    assert_note(&w, VNRS_SPK_LEARNED, "172.20.0.0/16", "");
    assert_note(&w, VNRS_SPK_RIB, "10.1.0.0/16", "changed by route map 'm' rule 'tag'");
    assert_note(&w, VNRS_SPK_RIB, "10.9.1.0/24", "dropped by route map 'm' rule 'no'");
    assert_note(&w, VNRS_SPK_RIB, "172.20.0.0/16", "");
    struct vnrs_spk_path list[8];
    assert_int_equal(report(&w, VNRS_SPK_LEARNED, a, NULL, list, ARRAY_SIZE(list)), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(list[i].as_path, "65001"); // as received
    assert_int_equal(report(&w, VNRS_SPK_RIB, NULL, NULL, list, ARRAY_SIZE(list)), 3);

    // The same prefix again: now dropped, now kept, now withdrawn.
    unsay(&w, "10.1.0.0/16");
    unsay(&w, "10.9.1.0/24");
    assert_int_equal(world_count(&w, a), 1);
    vnrs_bgp_report_peer(a, &told);
    assert_int_equal(told.received, 1);
    vnrs_bgp_speaker_free(w.sp);
}

static void announced_again(void **state)
{
    struct world w;

    (void)state;
    start(&w, "no ~c:65001:1 drop; move ~c:65001:2 >p:10.0.0.0/8", NULL);
    struct vnrs_bgp_member *a = world_member(&w, 'a');
    static const struct {
        uint32_t tag;
        const char *at; // where it is then, NULL: nowhere
    } rows[] = {{0, "10.1.0.0/16"},    {TAG_1, NULL},         {0, "10.1.0.0/16"}, {TAG_2, "10.0.0.0/8"}, {TAG_1, NULL},
                {TAG_2, "10.0.0.0/8"}, {TAG_2, "10.0.0.0/8"}, {0, "10.1.0.0/16"}, {0, "10.1.0.0/16"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        say(&w, "10.1.0.0/16", rows[i].tag, 0);
        assert_int_equal(world_count(&w, a), rows[i].at ? 1 : 0);
        if (rows[i].at)
            assert_non_null(world_path(&w, a, rows[i].at));
    }
    vnrs_bgp_speaker_free(w.sp);
}

static void summaries(void **state)
{
    struct world w;

    (void)state;
    start(&w, "sum ~p:10.0.0.0/8 >p:10.0.0.0/8", NULL);
    struct vnrs_bgp_member *a = world_member(&w, 'a');
    say(&w, "10.1.0.0/16", TAG_1, 0);
    const struct vnrs_bgp_path *summary = world_path(&w, a, "10.0.0.0/8");
    assert_non_null(summary);
    assert_int_equal(summary->attrs->as_path_bytes, 0);
    assert_int_equal(summary->attrs->n_communities, 0);
    struct heard h = world_listen(world_member(&w, 'b'));
    assert_int_equal(h.announced, 1);
    // Others join and leave: nobody hears of it while one is there.
    say(&w, "10.2.0.0/16", TAG_2, 0);
    say(&w, "10.0.0.0/8", 0, 0);
    unsay(&w, "10.1.0.0/16");
    unsay(&w, "10.1.0.0/16");
    assert_non_null(world_path(&w, a, "10.0.0.0/8"));
    assert_int_equal(world_count(&w, a), 1);
    h = world_listen(world_member(&w, 'b'));
    assert_int_equal(h.announced + h.withdrawn, 0);
    assert_note(&w, VNRS_SPK_LEARNED, "10.2.0.0/16", "summarised as 10.0.0.0/8 by route map 'm' rule 'sum'");
    struct vnrs_spk_path list[4];
    assert_int_equal(report(&w, VNRS_SPK_RIB, NULL, NULL, list, ARRAY_SIZE(list)), 2);
    unsay(&w, "10.0.0.0/8");
    assert_note(&w, VNRS_SPK_RIB, "10.0.0.0/8", "summary of route map 'm'");
    unsay(&w, "10.2.0.0/16");
    assert_int_equal(world_count(&w, a), 0);
    assert_int_equal(world_listen(world_member(&w, 'b')).withdrawn, 1);
    vnrs_bgp_speaker_free(w.sp);
}

// Routes with different results for one prefix: the same one is chosen whatever their order.
static void best_part(void **state)
{
    static const char *const rules = "a ~c:65001:1 >p:10.0.0.0/8 +c:65001:7; b ~c:65001:2 >p:10.0.0.0/8 +c:65001:8";

    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct world w;
        start(&w, rules, NULL);
        struct vnrs_bgp_member *a = world_member(&w, 'a');
        say(&w, "10.1.0.0/16", order ? TAG_2 : TAG_1, 0);
        say(&w, "10.2.0.0/16", order ? TAG_1 : TAG_2, 0);
        say(&w, "10.0.0.0/8", 0, 0); // by itself, with a longer path
        const struct vnrs_bgp_path *p = world_path(&w, a, "10.0.0.0/8");
        assert_int_equal(p->attrs->communities[0], 65001u << 16 | 7);
        unsay(&w, order ? "10.2.0.0/16" : "10.1.0.0/16");
        p = world_path(&w, a, "10.0.0.0/8");
        assert_int_equal(p->attrs->communities[0], 65001u << 16 | 8);
        unsay(&w, order ? "10.1.0.0/16" : "10.2.0.0/16");
        p = world_path(&w, a, "10.0.0.0/8");
        assert_int_equal(p->attrs->path_len, 1);
        vnrs_bgp_speaker_free(w.sp);
    }
}

// What comes out is inside a virtual network's range: kept, not used.
static void judged_as_it_comes_out(void **state)
{
    struct world w;
    struct vnrs_spk_own local = {.prefix = world_prefix("10.0.0.0/8")};
    struct vnrs_bgp_policy *policy = said_policy("a ~p:10.0.0.0/8 >p:0.0.0.0/0");

    (void)state;
    start(&w, NULL, NULL);
    struct vnrs_bgp_member *a = world_member(&w, 'a');
    say(&w, "10.1.0.0/16", 0, 0);
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, &local, 1, w.peers, 2, NULL), 0);
    assert_int_equal(world_path(&w, a, "10.1.0.0/16")->barred, VNRS_BGP_BARRED_LOCAL);
    local.kind = VNRS_SPK_OWN_CUSTOM; // only told: there is no virtual network
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, &local, 1, w.peers, 2, NULL), 0);
    assert_int_equal(world_path(&w, a, "10.1.0.0/16")->barred, VNRS_BGP_USABLE);
    local.kind = VNRS_SPK_OWN_RANGE;
    w.peers[0].in_map = 1;
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, &local, 1, w.peers, 2, &policy), 0);
    assert_int_equal(world_path(&w, a, "0.0.0.0/0")->barred, VNRS_BGP_USABLE);
    policy = said_policy("a ~p:10.0.0.0/8 >p:10.0.0.0/9");
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, &local, 1, w.peers, 2, &policy), 0);
    assert_int_equal(world_path(&w, a, "10.0.0.0/9")->barred, VNRS_BGP_BARRED_LOCAL);
    assert_note(&w, VNRS_SPK_LEARNED, "10.1.0.0/16",
                "equal to or inside a virtual network's range; summarised as 10.0.0.0/9 by route map 'm' rule 'a'");
    vnrs_bgp_speaker_free(w.sp);
}

static void maps_change(void **state)
{
    struct world w;

    (void)state;
    start(&w, NULL, NULL);
    struct vnrs_bgp_member *a = world_member(&w, 'a'), *b = world_member(&w, 'b');
    say(&w, "10.1.0.0/16", TAG_1, 0);
    say(&w, "10.2.0.0/16", TAG_2, 0);
    say(&w, "10.3.0.0/16", 0, 0);
    (void)world_listen(b);
    static const struct {
        const char *rules;
        unsigned announced, withdrawn; // what the other peer hears of it
        unsigned count;
    } rows[] = {
        {"a ~p:10.1.0.0/16 drop", 0, 1, 2},
        {"a ~p:10.1.0.0/16 drop", 0, 0, 2}, // the same
        {"b ~p:10.1.0.0/16 drop", 0, 0, 2}, // another, with the same result
        {"a ~p:10.2.0.0/16 drop", 1, 1, 2},
        {"a ~p:10.2.0.0/16 +c:65001:9", 1, 0, 3},
        {"a >p:10.0.0.0/8", 1, 3, 1},
        {"a >p:10.0.0.0/8 +c:65001:9", 1, 0, 1},
        {"a ~c:65001:1 >p:10.0.0.0/8", 3, 0, 3},
        {NULL, 1, 1, 3},
        {NULL, 0, 0, 3},
        {"a drop", 0, 3, 0},
        {NULL, 3, 0, 3},
        {"a", 0, 0, 3}, // a map without effect
        {NULL, 0, 0, 3},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_map(&w, rows[i].rules);
        struct heard h = world_listen(b);
        if (h.announced != rows[i].announced || h.withdrawn != rows[i].withdrawn || world_count(&w, a) != rows[i].count)
            fail_msg("row %zu: %u announced, %u withdrawn, %u there", i, h.announced, h.withdrawn, world_count(&w, a));
        assert_true((a->import != NULL) == (rows[i].rules != NULL));
        assert_int_equal(a->peer.flaps, 0);
        struct vnrs_spk_peer told;
        vnrs_bgp_report_peer(a, &told);
        assert_int_equal(told.received, 3);
        assert_int_equal(told.state, VNRS_BGP_ST_ESTABLISHED);
    }
    vnrs_bgp_speaker_free(w.sp);
}

// The prefix limit is about what was received.
static void limit(void **state)
{
    struct world w;

    (void)state;
    start(&w, "a drop", NULL);
    struct vnrs_bgp_member *a = world_member(&w, 'a');
    w.peers[0].max_prefixes = 2;
    set_map(&w, "a drop");
    say(&w, "10.1.0.0/16", 0, 0);
    say(&w, "10.2.0.0/16", 0, 0);
    assert_non_null(vnrs_bgp_peer_session(&a->peer));
    w.peers[0].max_prefixes = 1;
    set_map(&w, "a drop");
    assert_null(vnrs_bgp_peer_session(&a->peer));
    vnrs_bgp_speaker_free(w.sp);
}

static void session_ends(void **state)
{
    struct world w;

    (void)state;
    start(&w, "a ~p:10.0.0.0/8 >p:10.0.0.0/8", NULL);
    struct vnrs_bgp_member *a = world_member(&w, 'a');
    say(&w, "10.1.0.0/16", 0, 0);
    say(&w, "172.20.0.0/16", 0, 0);
    world_close_connection(&w, a);
    assert_int_equal(world_count(&w, a), 0);
    assert_int_equal(vnrs_bgp_import_count(a), 0);
    (void)world_up(&w, 'a', NULL);
    say(&w, "10.2.0.0/16", 0, 0);
    assert_int_equal(world_count(&w, a), 1);
    unsay(&w, "10.2.0.0/16");
    assert_int_equal(world_count(&w, a), 0);
    // The peer leaves the configuration with routes there.
    say(&w, "10.2.0.0/16", 0, 0);
    w.peers[0] = w.peers[1];
    w.n_peers = 1;
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, NULL, 0, w.peers, 1, NULL), 0);
    (void)world_listen(world_member(&w, 'b'));
    assert_int_equal(w.sp->rib.len, 0);
    vnrs_bgp_speaker_free(w.sp);
}

// The peer restarts, and while it does so the map comes, changes and goes.
static void restart(void **state)
{
    static const char *const before[] = {NULL, "a ~p:10.0.0.0/8 >p:10.0.0.0/8"};

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(before); i++) {
        struct world w;
        start(&w, before[i / 2], &gr);
        struct vnrs_bgp_member *a = world_member(&w, 'a');
        say(&w, "10.1.0.0/16", 0, 0);
        say(&w, "10.2.0.0/16", 0, 0);
        say(&w, "172.20.0.0/16", 0, 0);
        world_close_connection(&w, a);
        assert_true(vnrs_bgp_retain_is_active(a));
        set_map(&w, before[i % 2]);
        (void)world_up(&w, 'a', &gr);
        say(&w, "10.2.0.0/16", 0, 0);
        assert_note(&w, VNRS_SPK_LEARNED, "172.20.0.0/16", "stale: the peer restarts");
        assert_note(&w, VNRS_SPK_RIB, "172.20.0.0/16", "stale: the peer restarts");
        assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0000") > 0);
        assert_int_equal(vnrs_bgp_import_count(a), 1);
        assert_int_equal(world_count(&w, a), 1);
        assert_non_null(world_path(&w, a, i % 2 ? "10.0.0.0/8" : "10.2.0.0/16"));
        vnrs_bgp_speaker_free(w.sp);
    }
}

static void refresh(void **state)
{
    struct world w;

    (void)state;
    start(&w, "a ~p:10.0.0.0/8 >p:10.0.0.0/8", &enhanced);
    struct vnrs_bgp_member *a = world_member(&w, 'a');
    say(&w, "10.1.0.0/16", 0, 0);
    say(&w, "172.20.0.0/16", 0, 0);
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 01 01") > 0);
    say(&w, "172.20.0.0/16", 0, 0);
    assert_true(world_say(&w, a, VNRS_BGP_ROUTE_REFRESH, "0001 02 01") > 0);
    world_tick(&w, 1);
    assert_int_equal(vnrs_bgp_import_count(a), 1);
    assert_null(world_path(&w, a, "10.0.0.0/8"));
    assert_non_null(world_path(&w, a, "172.20.0.0/16"));
    vnrs_bgp_speaker_free(w.sp);
}

static void references(void **state)
{
    struct world w;
    struct vnrs_bgp_policy *policy = said_policy("a drop");

    (void)state;
    start(&w, NULL, NULL);
    w.peers[0].in_map = 2;
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, 1, &w.conf, NULL, 0, w.peers, 2, &policy), -EINVAL);
    assert_non_null(policy);
    w.peers[0].in_map = 0;
    w.peers[0].out_map = 2;
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, 1, &w.conf, NULL, 0, w.peers, 2, &policy), -EINVAL);
    w.peers[0].out_map = 0;
    w.peers[0].in_map = 1;
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, 1, &w.conf, NULL, 0, w.peers, 2, NULL), -EINVAL);
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, 1, &w.conf, NULL, 0, w.peers, 2, &policy), 0);
    assert_null(policy);
    assert_non_null(vnrs_bgp_import_map(world_member(&w, 'a')));
    assert_null(vnrs_bgp_import_map(world_member(&w, 'b')));
    vnrs_bgp_speaker_free(w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"import.drops_and_changes", drops_and_changes, NULL, NULL, NULL},
        {"import.announced_again", announced_again, NULL, NULL, NULL},
        {"import.summaries", summaries, NULL, NULL, NULL},
        {"import.best_part", best_part, NULL, NULL, NULL},
        {"import.judged_as_it_comes_out", judged_as_it_comes_out, NULL, NULL, NULL},
        {"import.maps_change", maps_change, NULL, NULL, NULL},
        {"import.limit", limit, NULL, NULL, NULL},
        {"import.session_ends", session_ends, NULL, NULL, NULL},
        {"import.restart", restart, NULL, NULL, NULL},
        {"import.refresh", refresh, NULL, NULL, NULL},
        {"import.references", references, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
