// SPDX-License-Identifier: GPL-2.0-or-later
// ADD-PATH (RFC 7911) from one peer's UPDATE to the other's: several paths of a prefix and source, what each peer is
// told of them, and that it ends up with exactly what there is.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bgp/test_core_world.h"

#define PREFIXES 24u
#define IDS      4u   // received ones, 0 among them
#define KNOWN    400u // identifiers that are sent

static const struct vnrs_bgp_caps both = {.add_path_receive = {true, true}, .add_path_send = {true, true}};
static const struct vnrs_bgp_caps both_gr = {.add_path_receive = {true, true},
                                             .add_path_send = {true, true},
                                             .graceful_restart = true,
                                             .gr_time = 60,
                                             .gr_af = {true, true},
                                             .gr_forwarding = {true, true}};

static struct vnrs_prefix prefix_at(unsigned i)
{
    struct vnrs_addr a = vnrs_addr_from_v4(0x14000000u + (i << 8));
    return vnrs_prefix_make(&a, 24);
}

// `community` 0: withdraw.
static void say(struct world *w, struct vnrs_bgp_member *m, unsigned i, uint32_t id, uint32_t community)
{
    static uint8_t buf[VNRS_BGP_MSG_MAX];
    uint32_t asn = m->conf.asn;
    const uint8_t path[] = {2, 1, (uint8_t)(asn >> 24), (uint8_t)(asn >> 16), (uint8_t)(asn >> 8), (uint8_t)asn};
    struct vnrs_bgp_attrs a = {.nexthop = m->conf.addr,
                               .as_path = path,
                               .as_path_bytes = sizeof(path),
                               .communities = &community,
                               .n_communities = 1};
    struct vnrs_bgp_session s = world_far_end(m);
    struct vnrs_prefix p = prefix_at(i);
    size_t used = 0;

    int len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, community ? &a : NULL, &p,
                                     s.add_path_tx[VNRS_BGP_AF4] ? &id : NULL, 1, buf, sizeof(buf), &used);
    assert_true(len > 0 && used == 1);
    assert_int_equal(world_input(w, m, buf, (size_t)len), len);
}

struct knowledge {
    uint32_t community[PREFIXES][KNOWN]; // by identifier, 0: not told
    unsigned for_nothing;                // withdrawals of what was not known
};

static void learn(void *arg, const struct vnrs_prefix *prefix, uint32_t id, const struct vnrs_bgp_attrs *attrs)
{
    struct knowledge *k = arg;

    assert_true(id < KNOWN);
    k->community[prefix->bytes[2]][id] = attrs->communities[0];
}

static void unlearn(void *arg, const struct vnrs_prefix *prefix, uint32_t id)
{
    struct knowledge *k = arg;

    assert_true(id < KNOWN);
    k->for_nothing += !k->community[prefix->bytes[2]][id];
    k->community[prefix->bytes[2]][id] = 0;
}

static void hear(struct vnrs_bgp_member *m, struct knowledge *k)
{
    struct heard h = {.arg = k, .on_announced = learn, .on_withdrawn = unlearn};

    world_hear(m, &h);
}

static unsigned known(const struct knowledge *k, unsigned p)
{
    unsigned n = 0;

    for (unsigned id = 0; id < KNOWN; id++)
        n += k->community[p][id] != 0;
    return n;
}

static bool knows(const struct knowledge *k, unsigned p, uint32_t community)
{
    for (unsigned id = 0; id < KNOWN; id++)
        if (k->community[p][id] == community)
            return true;
    return false;
}

static void all_paths_are_told(void **state)
{
    static struct knowledge of_b, of_c;
    struct world w;

    (void)state;
    world_setup(&w, 3, VNRS_SPK_ADD_PATH, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &both), *b = world_up(&w, 'b', &both), *c = world_up(&w, 'c', NULL);
    world_room("abc", UINT_MAX);
    world_run_out(&w);
    say(&w, a, 0, 7, 100);
    say(&w, a, 0, 9, 101);
    say(&w, b, 0, 7, 102);
    assert_int_equal(world_count(&w, a), 2);
    world_run_out(&w);
    hear(b, &of_b);
    hear(c, &of_c);
    assert_true(known(&of_b, 0) == 2 && knows(&of_b, 0, 100) && knows(&of_b, 0, 101)); // not its own
    assert_true(known(&of_c, 0) == 1 && knows(&of_c, 0, 100));                         // the best
    assert_true(b->advertised == 1 && c->advertised == 1);                             // prefixes
    say(&w, a, 0, 9, 103); // in place of the one with the same identifier
    world_run_out(&w);
    struct heard h = {.arg = &of_b, .on_announced = learn, .on_withdrawn = unlearn};
    world_hear(b, &h);
    assert_true(h.announced == 1 && h.withdrawn == 0 && known(&of_b, 0) == 2 && knows(&of_b, 0, 103));
    assert_int_equal(world_ears[c->slot].len, 0);
    say(&w, a, 0, 7, 0);
    world_run_out(&w);
    hear(b, &of_b);
    hear(c, &of_c);
    assert_true(known(&of_b, 0) == 1 && knows(&of_b, 0, 103) && knows(&of_c, 0, 103));
    say(&w, a, 0, 9, VNRS_BGP_NO_ADVERTISE); // it may not be told on any more
    world_run_out(&w);
    hear(b, &of_b);
    hear(c, &of_c);
    assert_true(known(&of_b, 0) == 0 && b->advertised == 0 && of_b.for_nothing == 0);
    assert_true(known(&of_c, 0) == 0); // b's is not told instead: the best one is, or none
    vnrs_bgp_speaker_free(w.sp);
}

// A peer that does not number its paths, and one that is not told several, live together with the others.
static void limits_and_queries(void **state)
{
    static struct vnrs_spk_path paths[VNRS_BGP_REPORT_MAX];
    struct vnrs_spk_query query = {.kind = VNRS_SPK_RIB, .prefix = prefix_at(0)};
    struct vnrs_bgp_report_cursor at = {0};
    unsigned shown = 0, best = 0, equal = 0;
    struct world w;
    size_t n;

    (void)state;
    world_setup(&w, 4, VNRS_SPK_ADD_PATH, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct vnrs_bgp_member *m = world_up(&w, (char)('a' + i), i < 3 ? &both : NULL);
        for (uint32_t id = 1; id <= VNRS_BGP_PATHS_PER_SOURCE + 5 && (i < 3 || id == 1); id++)
            say(&w, m, 0, id * 1000000, id);
        assert_int_equal(world_count(&w, m), i < 3 ? VNRS_BGP_PATHS_PER_SOURCE : 1);
    }
    while (vnrs_bgp_report_next(w.sp, &query, NULL, &at, paths, &n)) {
        for (size_t i = 0; i < n; i++) {
            best += paths[i].best == 1;
            equal += paths[i].best == 2;
        }
        if (shown == 0)
            assert_string_equal(paths[1].note, ""); // equally good
        shown += (unsigned)n;
    }
    assert_int_equal(shown, 3 * VNRS_BGP_PATHS_PER_SOURCE + 1);
    assert_true(best == 1 && equal == shown - 1);
    struct vnrs_spk_query advertised = {.kind = VNRS_SPK_ADVERTISED, .prefix = prefix_at(0)};
    struct vnrs_bgp_member *d = world_member(&w, 'd'), *a = world_member(&w, 'a');
    world_room("abcd", UINT_MAX);
    world_run_out(&w);
    for (unsigned i = 0; i < 2; i++) {
        at = (struct vnrs_bgp_report_cursor){0};
        shown = 0;
        while (vnrs_bgp_report_next(w.sp, &advertised, i ? a : d, &at, paths, &n))
            shown += (unsigned)n;
        assert_int_equal(shown, i ? 2 * VNRS_BGP_PATHS_PER_SOURCE + 1 : 1);
    }
    vnrs_bgp_speaker_free(w.sp);
}

// The end of a session, and a restart, are about each path by itself.
static void restart(void **state)
{
    static struct knowledge of_b;
    struct world w;

    (void)state;
    world_setup(&w, 2, VNRS_SPK_ADD_PATH | VNRS_SPK_GRACEFUL_RESTART | VNRS_SPK_ENHANCED_REFRESH, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &both_gr), *b = world_up(&w, 'b', &both);
    world_room("ab", UINT_MAX);
    for (uint32_t id = 1; id <= 3; id++)
        say(&w, a, 5, id, 100 + id);
    world_run_out(&w);
    hear(b, &of_b);
    assert_int_equal(known(&of_b, 5), 3);
    world_close_connection(&w, a);
    world_run_out(&w);
    hear(b, &of_b);
    assert_true(known(&of_b, 5) == 3 && world_count(&w, a) == 3); // retained
    struct vnrs_bgp_caps again = both_gr;
    again.gr_restarted = true;
    a = world_up(&w, 'a', &again);
    say(&w, a, 5, 2, 102);
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, "0000 0000") > 0); // End-of-RIB
    world_run_out(&w);
    hear(b, &of_b);
    assert_true(known(&of_b, 5) == 1 && knows(&of_b, 5, 102) && world_count(&w, a) == 1);
    say(&w, a, 5, 2, 0);
    assert_true(w.sp->rib.len == 1 && world_count(&w, a) == 0); // b has yet to hear of it
    world_room("a", UINT_MAX);
    world_run_out(&w);
    assert_int_equal(w.sp->rib.len, 1);
    world_close_connection(&w, b); // now it has to wait for nobody any more
    assert_int_equal(w.sp->rib.len, 0);
    vnrs_bgp_speaker_free(w.sp);
}

static uint32_t seed = 99;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

struct fixture {
    struct world w;
    struct vnrs_bgp_member *m[4];
    struct knowledge known[4];
    uint32_t model[4][PREFIXES][IDS]; // community by source and identifier
};

static void step(struct fixture *f)
{
    unsigned s = rnd(4), p = rnd(PREFIXES), what = rnd(100);
    uint32_t id = s == 3 ? 0 : rnd(IDS);

    if (what < 60) {
        f->model[s][p][id] = what < 35 ? 1 + rnd(3) + id * 10 + s * 100 : 0;
        say(&f->w, f->m[s], p, id, f->model[s][p][id]);
    } else if (what == 60 && rnd(8) == 0) {
        world_close_connection(&f->w, f->m[s]);
        memset(f->model[s], 0, sizeof(f->model[s]));
        memset(f->known[s].community, 0, sizeof(f->known[s].community));
        world_ears[s].len = 0;
        (void)world_up(&f->w, (char)('a' + s), s == 3 ? NULL : &both);
    } else if (what == 61) {
        vnrs_bgp_adj_out_refresh(f->m[s], VNRS_BGP_AF4);
    } else {
        for (unsigned k = 0; k < 4; k++) {
            world_ears[k].has_room = rnd(3) != 0;
            world_ears[k].limit = 100; // a turn needs room for more than one message
        }
        (void)world_run(&f->w);
        for (unsigned k = 0; k < 4; k++)
            hear(f->m[k], &f->known[k]);
    }
}

// What peer `k` has to know of a prefix.
static void compare(const struct fixture *f, unsigned k, unsigned p)
{
    unsigned expected = 0;

    for (unsigned s = 0; s < 4; s++)
        for (unsigned id = 0; id < IDS; id++) {
            if (!f->model[s][p][id] || (k == 3 && expected)) // to the last peer only the best: the first one here
                continue;
            expected++;
            if (s != k)
                assert_true(knows(&f->known[k], p, f->model[s][p][id]));
            else if (k != 3)
                expected--;
            else
                assert_int_equal(known(&f->known[k], p), expected = 0);
        }
    if (k != 3)
        assert_int_equal(known(&f->known[k], p), expected);
}

static void random_paths(void **state)
{
    static struct fixture f;
    unsigned for_nothing = 0;

    (void)state;
    world_setup(&f.w, 4, VNRS_SPK_ADD_PATH, 0);
    for (unsigned i = 0; i < 4; i++)
        f.m[i] = world_up(&f.w, (char)('a' + i), i == 3 ? NULL : &both);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 1000; i++)
            step(&f);
        world_room("abcd", UINT_MAX);
        world_run_out(&f.w);
        size_t live = 0, paths = 0, at = 0;
        for (unsigned k = 0; k < 4; k++) {
            hear(f.m[k], &f.known[k]);
            for_nothing += f.known[k].for_nothing;
            live += world_count(&f.w, f.m[k]);
            for (unsigned p = 0; p < PREFIXES; p++)
                compare(&f, k, p);
        }
        for (struct vnrs_bgp_dest *d; (d = vnrs_bgp_rib_next(&f.w.sp->rib, &at));)
            for (const struct vnrs_bgp_path *p = d->paths; p; p = p->next)
                paths++;
        assert_int_equal(paths, live); // nothing that is gone is left
    }
    vnrs_bgp_speaker_free(f.w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_paths_are_told),
        cmocka_unit_test(limits_and_queries),
        cmocka_unit_test(restart),
        cmocka_unit_test(random_paths),
    };
    return cmocka_run_group_tests_name("adj_out_paths", tests, NULL, NULL);
}
