// SPDX-License-Identifier: GPL-2.0-or-later
// Outbound route maps: what peers are told through them, prefixes to which they summarise, and maps that come, change
// and go while sessions are up. A model of what each peer has in the end is kept from the bytes that it was told.
#include "bgp/test_core_world.h"
#include "bgp/test_map_text.h"

#include <errno.h>
#include <stdio.h>

#define TAG_1 (65001u << 16 | 1)
#define TAG_2 (65001u << 16 | 2)
#define KNOWN 64u
#define PEERS 4u

struct known { // by a peer
    struct vnrs_prefix prefix;
    uint32_t path_id; // with ADD-PATH
    char text[128];   // "65515-65001 | 65001:1"
};

struct ears {
    struct known known[KNOWN];
    size_t n;
    unsigned announced, withdrawn;
};

static struct ears ears[PEERS];

static struct known *find(struct ears *e, const struct vnrs_prefix *prefix, uint32_t path_id)
{
    for (size_t i = 0; i < e->n; i++)
        if (vnrs_prefix_equal(&e->known[i].prefix, prefix) && e->known[i].path_id == path_id)
            return &e->known[i];
    return NULL;
}

static void on_announced(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id,
                         const struct vnrs_bgp_attrs *attrs)
{
    struct ears *e = arg;
    struct known *k = find(e, prefix, path_id);
    size_t used;

    if (!k) {
        assert_true(e->n < KNOWN);
        k = &e->known[e->n++];
        k->prefix = *prefix;
        k->path_id = path_id;
    }
    used = vnrs_bgp_as_path_format(attrs, k->text, sizeof(k->text));
    used += (size_t)snprintf(k->text + used, sizeof(k->text) - used, " |");
    for (size_t i = 0; i < attrs->n_communities; i++)
        if (attrs->communities[i] != VNRS_BGP_COMMUNITY_RS)
            used += (size_t)snprintf(k->text + used, sizeof(k->text) - used, " %u:%u", attrs->communities[i] >> 16,
                                     attrs->communities[i] & 0xffff);
    e->announced++;
}

static void on_withdrawn(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id)
{
    struct ears *e = arg;
    struct known *k = find(e, prefix, path_id);

    if (k)
        *k = e->known[--e->n];
    e->withdrawn++;
}

// Everything is told to all who are up.
static void hear(struct world *w)
{
    world_room("abcd", UINT_MAX);
    world_run_out(w);
    for (unsigned i = 0; i < PEERS; i++) {
        struct vnrs_bgp_member *m = world_member(w, (char)('a' + i));
        struct heard h = {.arg = &ears[i], .on_announced = on_announced, .on_withdrawn = on_withdrawn};
        ears[i].announced = ears[i].withdrawn = 0;
        if (m && vnrs_bgp_peer_session(&m->peer)) {
            world_hear(m, &h);
            if (!vnrs_bgp_peer_session(&m->peer)->session.add_path_tx[VNRS_BGP_AF4])
                assert_int_equal(m->advertised, ears[i].n);
            assert_false(vnrs_bgp_adj_out_is_pending(m));
        }
    }
}

static const char *has(unsigned peer, const char *text)
{
    struct vnrs_prefix prefix = world_prefix(text);
    const struct known *k = find(&ears[peer], &prefix, 0);
    return k ? k->text : "";
}

// The outbound maps of peers b, c and d, by their rules; NULL: none.
static void set_maps(struct world *w, const char *b, const char *c, const char *d)
{
    static struct said said;
    const char *const texts[] = {NULL, b, c, d};
    struct vnrs_bgp_policy *policy = NULL;

    said.n_maps = said.n_rules = said.n_items = 0;
    for (unsigned i = 1; i < PEERS; i++) {
        unsigned same = 1;
        w->peers[i].out_map = 0;
        if (!texts[i])
            continue;
        while (same < i && (!texts[same] || strcmp(texts[same], texts[i]) != 0))
            same++;
        if (same == i)
            said_map(&said, "m", texts[i]);
        w->peers[i].out_map = same == i ? (uint16_t)said.n_maps : w->peers[same].out_map;
    }
    if (said.n_maps)
        assert_int_equal(said_compile(&said, &policy), 0);
    assert_int_equal(vnrs_bgp_speaker_configure(w->sp, w->now, &w->conf,
                                                &(struct vnrs_spk_own){.prefix = {4, 16, {10, 250}}}, 1, w->peers,
                                                w->n_peers, &policy),
                     0);
}

static const struct vnrs_bgp_caps add_path = {.add_path_receive = {true, true}};

static void start(struct world *w, uint8_t features)
{
    const struct vnrs_bgp_caps *caps = features & VNRS_SPK_ADD_PATH ? &add_path : NULL;

    memset(ears, 0, sizeof(ears));
    world_setup(w, PEERS, features, 0);
    w->conf.role = VNRS_SPK_ROLE_ROUTE_SERVER;
    set_maps(w, NULL, NULL, NULL);
    for (unsigned i = 0; i < PEERS; i++)
        (void)world_up(w, (char)('a' + i), caps);
    hear(w);
}

static void say(struct world *w, char from, const char *text, uint32_t community)
{
    struct vnrs_bgp_attrs extra = {.communities = &community, .n_communities = community != 0};
    struct vnrs_prefix p = world_prefix(text);

    world_announce(w, world_member(w, from), &extra, &p, 1);
}

static void unsay(struct world *w, char from, const char *text)
{
    struct vnrs_bgp_member *m = world_member(w, from);
    struct vnrs_prefix p = world_prefix(text);
    struct vnrs_bgp_session s = world_far_end(m);
    uint8_t buf[VNRS_BGP_MSG_MAX];
    uint32_t id = 0;
    size_t used = 0;

    int len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, NULL, &p, s.add_path_tx[VNRS_BGP_AF4] ? &id : NULL, 1, buf,
                                     sizeof(buf), &used);
    assert_true(len > 0);
    assert_int_equal(world_input(w, m, buf, (size_t)len), len);
}

static void drops_and_changes(void **state)
{
    struct world w;

    (void)state;
    start(&w, 0);
    set_maps(&w, "no ~p:10.9.0.0/16 drop; tag +c:65001:9; longer ~c:65001:1 +a:65010", NULL, "all drop");
    say(&w, 'a', "10.1.0.0/16", 0);
    say(&w, 'a', "10.2.0.0/16", TAG_1);
    say(&w, 'a', "10.9.1.0/24", 0);
    hear(&w);
    assert_string_equal(has(1, "10.1.0.0/16"), "65515-65001 | 65001:9");
    assert_string_equal(has(1, "10.2.0.0/16"), "65515-65010-65001 | 65001:1 65001:9");
    assert_string_equal(has(1, "10.9.1.0/24"), "");
    assert_string_equal(has(2, "10.1.0.0/16"), "65515-65001 |");
    assert_string_equal(has(2, "10.9.1.0/24"), "65515-65001 |");
    assert_int_equal(ears[3].n, 1); // what is originated here passes no map
    assert_string_equal(has(3, "10.250.0.0/16"), "65515 |");
    assert_string_equal(has(1, "10.250.0.0/16"), "65515 |");
    // Maps have no say in the choice.
    const struct vnrs_bgp_path *p = world_path(&w, world_member(&w, 'a'), "10.2.0.0/16");
    assert_int_equal(p->attrs->path_len, 1);
    // Now dropped, now not.
    set_maps(&w, "no ~c:65001:1 drop", NULL, NULL);
    hear(&w);
    assert_string_equal(has(1, "10.2.0.0/16"), "");
    assert_string_equal(has(1, "10.9.1.0/24"), "65515-65001 |");
    assert_int_equal(ears[3].n, 4);
    assert_int_equal(ears[2].announced + ears[2].withdrawn, 0);
    say(&w, 'a', "10.2.0.0/16", TAG_2);
    say(&w, 'a', "10.1.0.0/16", TAG_1);
    hear(&w);
    assert_string_equal(has(1, "10.2.0.0/16"), "65515-65001 | 65001:2");
    assert_string_equal(has(1, "10.1.0.0/16"), "");
    vnrs_bgp_speaker_free(w.sp);
}

static unsigned group_number(struct world *w, char name)
{
    return w->sp->rib.queues.number_of[world_member(w, name)->slot];
}

// Peers with the same map are a group, others are not.
static void groups(void **state)
{
    struct world w;

    (void)state;
    start(&w, 0);
    assert_int_equal(group_number(&w, 'b'), group_number(&w, 'c'));
    set_maps(&w, "a +c:65001:9", "a +c:65001:9", NULL);
    assert_int_equal(group_number(&w, 'b'), group_number(&w, 'c'));
    assert_int_not_equal(group_number(&w, 'b'), group_number(&w, 'd'));
    assert_int_equal(group_number(&w, 'a'), group_number(&w, 'd'));
    set_maps(&w, NULL, "a +c:65001:9", "a +c:65001:9");
    assert_int_equal(group_number(&w, 'c'), group_number(&w, 'd'));
    assert_int_equal(group_number(&w, 'a'), group_number(&w, 'b'));
    for (unsigned i = 0; i < PEERS; i++)
        assert_int_equal(world_member(&w, (char)('a' + i))->peer.flaps, 0);
    // A session that comes up finds its map.
    world_close_connection(&w, world_member(&w, 'd'));
    say(&w, 'a', "10.1.0.0/16", 0);
    memset(&ears[3], 0, sizeof(ears[3]));
    (void)world_up(&w, 'd', NULL);
    hear(&w);
    assert_int_equal(group_number(&w, 'c'), group_number(&w, 'd'));
    assert_string_equal(has(3, "10.1.0.0/16"), "65515-65001 | 65001:9");
    assert_string_equal(has(2, "10.1.0.0/16"), "65515-65001 | 65001:9");
    assert_string_equal(has(1, "10.1.0.0/16"), "65515-65001 |");
    vnrs_bgp_speaker_free(w.sp);
}

static void summaries(void **state)
{
    struct world w;

    (void)state;
    start(&w, 0);
    set_maps(&w, "sum ~p:10.0.0.0/8 >p:10.0.0.0/8 +c:65001:9", NULL, NULL);
    hear(&w);
    say(&w, 'a', "10.1.0.0/16", TAG_1);
    hear(&w);
    assert_string_equal(has(1, "10.0.0.0/8"), "65515 | 65001:9");
    assert_string_equal(has(1, "10.1.0.0/16"), "");
    assert_string_equal(has(2, "10.1.0.0/16"), "65515-65001 | 65001:1");
    assert_string_equal(has(2, "10.0.0.0/8"), "");
    // Others join and leave unheard.
    say(&w, 'a', "10.2.0.0/16", 0);
    say(&w, 'c', "10.3.0.0/16", 0);
    say(&w, 'c', "10.0.0.0/8", 0);
    unsay(&w, 'a', "10.1.0.0/16");
    hear(&w);
    assert_int_equal(ears[1].announced + ears[1].withdrawn, 0);
    // Routes of the peer itself do not keep it up.
    say(&w, 'b', "10.4.0.0/16", 0);
    unsay(&w, 'a', "10.2.0.0/16");
    unsay(&w, 'c', "10.0.0.0/8");
    hear(&w);
    assert_string_equal(has(1, "10.0.0.0/8"), "65515 | 65001:9");
    unsay(&w, 'c', "10.3.0.0/16");
    hear(&w);
    assert_string_equal(has(1, "10.0.0.0/8"), "");
    assert_string_equal(has(2, "10.4.0.0/16"), "65515-65002 |");
    // The same for a member that comes later, and one whose session ends.
    say(&w, 'a', "10.1.0.0/16", 0);
    set_maps(&w, "sum ~p:10.0.0.0/8 >p:10.0.0.0/8 +c:65001:9", "sum ~p:10.0.0.0/8 >p:10.0.0.0/8 +c:65001:9", NULL);
    hear(&w);
    assert_string_equal(has(1, "10.0.0.0/8"), "65515 | 65001:9");
    assert_string_equal(has(2, "10.0.0.0/8"), "65515 | 65001:9");
    assert_string_equal(has(2, "10.1.0.0/16"), "");
    assert_string_equal(has(2, "10.4.0.0/16"), "");
    world_close_connection(&w, world_member(&w, 'b'));
    memset(&ears[1], 0, sizeof(ears[1]));
    hear(&w);
    (void)world_up(&w, 'b', NULL);
    hear(&w);
    assert_string_equal(has(1, "10.0.0.0/8"), "65515 | 65001:9");
    world_close_connection(&w, world_member(&w, 'a'));
    memset(&ears[0], 0, sizeof(ears[0]));
    hear(&w);
    assert_string_equal(has(1, "10.0.0.0/8"), "");
    vnrs_bgp_speaker_free(w.sp);
}

// A prefix that is a summary of one map, a route of its own in the next, and the other way round.
static void summary_and_route(void **state)
{
    static const struct {
        const char *map;
        const char *outer, *inner; // what peer b has of 10.0.0.0/8 and of 10.1.0.0/16 then
    } rows[] = {
        {NULL, "65515-65003 |", "65515-65001 |"},
        {"s >p:10.0.0.0/8", "65515 |", ""},
        {NULL, "65515-65003 |", "65515-65001 |"},
        {"s ~p:10.1.0.0/16 >p:10.0.0.0/8", "65515 |", ""},
        {"s ~p:10.1.0.0/16 >p:10.0.0.0/8 +a:65010,65011", "65515-65003 |", ""}, // its own route is better
        {"s ~p:10.1.0.0/16 >p:10.0.0.0/8,10.0.0.0/9", "65515-65003 |", ""},
        {"s drop", "", ""},
        {"s >p:10.0.0.0/8 +c:65001:1", "65515 | 65001:1", ""},
        {"s >p:0.0.0.0/0", "", ""},
        {"s >p:10.1.0.0/16", "65515-65003 |", "65515 |"},
        {"s =p:10.0.0.0/8 drop", "", "65515-65001 |"},
        {"s >p:10.0.0.0/8", "65515 |", ""},
        {"s drop", "", ""},
        {NULL, "65515-65003 |", "65515-65001 |"},
    };
    struct world w;

    (void)state;
    for (unsigned spread = 0; spread < 2; spread++) { // with and without another one that keeps the old group
        start(&w, 0);
        say(&w, 'a', "10.1.0.0/16", 0);
        say(&w, 'c', "10.0.0.0/8", 0);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
            set_maps(&w, rows[i].map, NULL, spread && i ? rows[i - 1].map : NULL);
            hear(&w);
            if (strcmp(has(1, "10.0.0.0/8"), rows[i].outer) != 0 || strcmp(has(1, "10.1.0.0/16"), rows[i].inner) != 0)
                fail_msg("row %zu: '%s', '%s'", i, has(1, "10.0.0.0/8"), has(1, "10.1.0.0/16"));
            assert_string_equal(has(1, "0.0.0.0/0"), rows[i].map && strstr(rows[i].map, "0.0.0.0/0") ? "65515 |" : "");
            assert_string_equal(has(1, "10.0.0.0/9"), rows[i].map && strstr(rows[i].map, "/9") ? "65515 |" : "");
            if (spread && i) {
                assert_string_equal(has(3, "10.0.0.0/8"), rows[i - 1].outer);
                assert_string_equal(has(3, "10.1.0.0/16"), rows[i - 1].inner);
            }
            assert_string_equal(has(1, "10.250.0.0/16"), "65515 |");
            if (i == 1) // the summary takes the place of the route, without a withdrawal between
                assert_int_equal(ears[1].withdrawn, 1);
        }
        vnrs_bgp_speaker_free(w.sp);
    }
}

// Only what is different is told; nothing where another map does the same.
static void differences(void **state)
{
    static const struct {
        const char *map;
        unsigned announced, withdrawn;
    } rows[] = {
        {"a ~p:10.1.0.0/16 +c:65001:9", 1, 0},
        {"a ~p:10.1.0.0/16 +c:65001:9", 0, 0},
        {"b ~p:10.1.0.0/16 +c:65001:9", 0, 0},
        {"b ~p:10.1.0.0/16 drop", 0, 1},
        {"b ~p:10.2.0.0/16 drop", 1, 1},
        {"b ~p:10.0.0.0/8 >p:10.0.0.0/8", 1, 2},
        {"c ~p:10.0.0.0/8 >p:10.0.0.0/8", 0, 0},
        {"c ~p:10.0.0.0/8 >p:10.0.0.0/8 +c:65001:1", 1, 0},
        {NULL, 3, 1},
        {NULL, 0, 0},
    };
    struct world w;

    (void)state;
    start(&w, 0);
    say(&w, 'a', "10.1.0.0/16", 0);
    say(&w, 'a', "10.2.0.0/16", 0);
    say(&w, 'a', "10.3.0.0/16", 0);
    hear(&w);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_maps(&w, rows[i].map, NULL, NULL);
        hear(&w);
        if (ears[1].announced != rows[i].announced || ears[1].withdrawn != rows[i].withdrawn)
            fail_msg("row %zu: %u announced, %u withdrawn", i, ears[1].announced, ears[1].withdrawn);
        assert_int_equal(ears[2].announced + ears[2].withdrawn, 0);
    }
    vnrs_bgp_speaker_free(w.sp);
}

static void refresh(void **state)
{
    struct world w;

    (void)state;
    start(&w, 0);
    say(&w, 'a', "10.1.0.0/16", 0);
    say(&w, 'a', "172.20.0.0/16", 0);
    set_maps(&w, "a ~p:10.0.0.0/8 >p:10.0.0.0/8", NULL, NULL);
    hear(&w);
    assert_true(world_say(&w, world_member(&w, 'b'), VNRS_BGP_ROUTE_REFRESH, "0001 00 01") > 0);
    hear(&w);
    assert_int_equal(ears[1].announced, 3); // with what is originated here
    assert_int_equal(ears[1].n, 3);
    vnrs_bgp_speaker_free(w.sp);
}

// A peer that has no room hears of summaries and of what it is to forget later.
static void no_room(void **state)
{
    struct world w;

    (void)state;
    start(&w, 0);
    set_maps(&w, "a >p:10.0.0.0/8,172.16.0.0/12", "a >p:10.0.0.0/8,172.16.0.0/12", NULL);
    say(&w, 'a', "10.1.0.0/16", 0);
    hear(&w);
    world_room("acd", UINT_MAX);
    say(&w, 'a', "172.20.0.0/16", 0);
    unsay(&w, 'a', "10.1.0.0/16");
    world_run_out(&w);
    assert_true(vnrs_bgp_adj_out_is_pending(world_member(&w, 'b')));
    assert_false(vnrs_bgp_adj_out_is_pending(world_member(&w, 'c')));
    set_maps(&w, NULL, "a >p:10.0.0.0/8,172.16.0.0/12", NULL);
    world_run_out(&w);
    assert_string_equal(has(1, "10.0.0.0/8"), "65515 |");
    hear(&w);
    assert_string_equal(has(1, "10.0.0.0/8"), "");
    assert_string_equal(has(1, "172.20.0.0/16"), "65515-65001 |");
    assert_string_equal(has(1, "172.16.0.0/12"), "");
    assert_string_equal(has(2, "172.16.0.0/12"), "65515 |");
    vnrs_bgp_speaker_free(w.sp);
}

static size_t report(struct world *w, enum vnrs_spk_query_kind kind, char peer, const char *text,
                     struct vnrs_spk_path *list)
{
    struct vnrs_spk_query query = {.kind = kind};
    struct vnrs_bgp_report_cursor at = {0};
    struct vnrs_spk_path paths[VNRS_BGP_REPORT_MAX];
    size_t total = 0, n;

    if (text)
        query.prefix = world_prefix(text);
    while (vnrs_bgp_report_next(w->sp, &query, peer ? world_member(w, peer) : NULL, &at, paths, &n))
        for (size_t i = 0; i < n; i++)
            list[total++] = paths[i];
    return total;
}

static void reported(void **state)
{
    struct vnrs_spk_path list[8];
    struct world w;

    (void)state;
    start(&w, 0);
    set_maps(&w, "no ~p:10.9.0.0/16 drop; tag ~p:172.16.0.0/12 +c:65001:9; sum ~p:10.0.0.0/8 >p:10.0.0.0/8", NULL,
             NULL);
    say(&w, 'a', "10.1.0.0/16", 0);
    say(&w, 'a', "10.9.0.0/16", 0);
    say(&w, 'a', "172.20.0.0/16", 0);
    hear(&w);
    assert_int_equal(report(&w, VNRS_SPK_ADVERTISED, 'b', NULL, list), 3);
    assert_int_equal(report(&w, VNRS_SPK_ADVERTISED, 'b', "172.20.0.0/16", list), 1);
    assert_string_equal(list[0].note, "changed by route map 'm' rule 'tag'");
    assert_int_equal(report(&w, VNRS_SPK_ADVERTISED, 'b', "10.0.0.0/8", list), 1);
    assert_string_equal(list[0].note, "summary of route map 'm'");
    assert_string_equal(list[0].as_path, "65515");
    assert_int_equal(report(&w, VNRS_SPK_ADVERTISED, 'b', "10.9.0.0/16", list), 0);
    assert_int_equal(report(&w, VNRS_SPK_ADVERTISED, 'c', NULL, list), 4);
    assert_int_equal(report(&w, VNRS_SPK_RIB, 0, "10.9.0.0/16", list), 1);
    assert_string_equal(list[0].note, "to b: dropped by route map 'm' rule 'no'");
    assert_int_equal(report(&w, VNRS_SPK_RIB, 0, "10.1.0.0/16", list), 1);
    assert_string_equal(list[0].note, "to b: summarised as 10.0.0.0/8 by route map 'm' rule 'sum'");
    assert_int_equal(report(&w, VNRS_SPK_RIB, 0, "172.20.0.0/16", list), 1);
    assert_string_equal(list[0].note, "");
    vnrs_bgp_speaker_free(w.sp);
}

// Random routes, sessions and maps.
static void random_steps(uint8_t features)
{
    static const char *const maps[] = {NULL,
                                       NULL,
                                       "a ~c:65001:1 drop",
                                       "a ~c:65001:1 +a:65010; b ~p:10.4.0.0/14 >p:10.4.0.0/14",
                                       "a ~p:10.0.0.0/12 >p:10.4.0.0/14,10.0.0.0/12",
                                       "a ~c:65001:2 >p:10.0.0.0/12; b ~p:10.0.0.0/12 +c:65001:9"};
    const struct vnrs_bgp_caps *caps = features ? &add_path : NULL;
    uint32_t seed = 1;
    struct world w;

    start(&w, features);
    for (unsigned step = 0; step < 3000; step++) {
        char text[32], from = (char)('a' + (seed = seed * 1103515245 + 12345, seed >> 16) % PEERS);
        unsigned pick = (seed = seed * 1103515245 + 12345, seed >> 16) % 20;
        if (pick < 16)
            (void)snprintf(text, sizeof(text), "10.%u.0.0/16", pick);
        else
            (void)snprintf(text, sizeof(text), "%s", pick % 2 ? "10.4.0.0/14" : "10.0.0.0/12");
        unsigned what = (seed = seed * 1103515245 + 12345, seed >> 16) % 16;
        if (what == 0)
            set_maps(&w, maps[(seed >> 8) % 6], maps[(seed >> 11) % 6], maps[(seed >> 14) % 6]);
        else if (what == 1) {
            world_close_connection(&w, world_member(&w, from));
            memset(&ears[from - 'a'], 0, sizeof(ears[0]));
            world_ears[from - 'a'].len = 0;
            if (seed >> 9 & 1)
                world_run_out(&w);
            (void)world_up(&w, from, caps);
        } else if (what < 6)
            unsay(&w, from, text);
        else
            say(&w, from, text, what < 9 ? 0 : what < 12 ? TAG_1 : TAG_2);
        if ((seed >> 22) % 2) { // only some have room
            world_room((const char *[]){"a", "ab", "acd", "bd"}[(seed >> 23) % 4], UINT_MAX);
            world_run_out(&w);
        }
        if ((seed >> 20) % 4)
            continue;
        hear(&w);
        // A peer that begins now is told the same as one that was there all the time.
        unsigned who = 1 + (seed >> 4) % 3;
        struct ears before = ears[who];
        memset(&ears[who], 0, sizeof(ears[who]));
        struct vnrs_bgp_member *m = world_member(&w, (char)('a' + who));
        assert_true(world_say(&w, m, VNRS_BGP_ROUTE_REFRESH, "0001 00 01") > 0);
        world_room("abcd", UINT_MAX);
        world_run_out(&w);
        struct heard h = {.arg = &ears[who], .on_announced = on_announced, .on_withdrawn = on_withdrawn};
        world_hear(m, &h);
        assert_int_equal(ears[who].n, before.n);
        for (size_t i = 0; i < before.n; i++) {
            const struct known *k = find(&ears[who], &before.known[i].prefix, before.known[i].path_id);
            assert_non_null(k);
            assert_string_equal(k->text, before.known[i].text);
        }
    }
    vnrs_bgp_speaker_free(w.sp);
}

static void random_routes_and_maps(void **state)
{
    (void)state;
    random_steps(0);
}

static void random_with_add_path(void **state)
{
    (void)state;
    random_steps(VNRS_SPK_ADD_PATH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"adj_out_map.drops_and_changes", drops_and_changes, NULL, NULL, NULL},
        {"adj_out_map.groups", groups, NULL, NULL, NULL},
        {"adj_out_map.summaries", summaries, NULL, NULL, NULL},
        {"adj_out_map.summary_and_route", summary_and_route, NULL, NULL, NULL},
        {"adj_out_map.differences", differences, NULL, NULL, NULL},
        {"adj_out_map.refresh", refresh, NULL, NULL, NULL},
        {"adj_out_map.no_room", no_room, NULL, NULL, NULL},
        {"adj_out_map.reported", reported, NULL, NULL, NULL},
        {"adj_out_map.random_routes_and_maps", random_routes_and_maps, NULL, NULL, NULL},
        {"adj_out_map.random_with_add_path", random_with_add_path, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
