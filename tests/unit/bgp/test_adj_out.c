// SPDX-License-Identifier: GPL-2.0-or-later
// What a group of peers is told: one message for all, split horizon inside it, and members that have no room.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bgp/test_core_world.h"

#define PREFIXES 64u

static struct vnrs_prefix prefix_at(unsigned i)
{
    struct vnrs_addr a = vnrs_addr_from_v4(0x14000000u + (i << 8));
    return vnrs_prefix_make(&a, 24);
}

static void withdraw(struct world *w, struct vnrs_bgp_member *m, unsigned i)
{
    char body[32];

    (void)snprintf(body, sizeof(body), "0004 18 1400%02x 0000", i);
    assert_true(world_say(w, m, VNRS_BGP_UPDATE, body) > 0);
}

static void announce(struct world *w, struct vnrs_bgp_member *m, unsigned i, uint32_t community)
{
    struct vnrs_bgp_attrs extra = {.communities = &community, .n_communities = community != 0};
    struct vnrs_prefix p = prefix_at(i);

    world_announce(w, m, &extra, &p, 1);
}

static uint64_t in_step(const struct world *w, const struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_queues *qs = &w->sp->rib.queues;
    return qs->by_number[qs->number_of[m->slot]].in_step;
}

static struct heard hear(struct vnrs_bgp_member *m)
{
    struct heard h = {.borr_first = true, .end_last = true};

    world_hear(m, &h);
    return h;
}

// The same bytes to every member, each once.
static void one_message_for_all(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 4, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL);
    struct vnrs_bgp_member *c = world_up(&w, 'c', NULL), *d = world_up(&w, 'd', NULL);
    world_room("abcd", UINT_MAX);
    world_run_out(&w);
    assert_int_equal(in_step(&w, a), 15);
    assert_int_equal(w.sp->rib.queues.number_of[a->slot], w.sp->rib.queues.number_of[d->slot]);
    for (unsigned i = 0; i < 10; i++)
        announce(&w, a, i, 0);
    world_run_out(&w);
    assert_true(world_ears[b->slot].len > 0 && world_ears[b->slot].len == world_ears[c->slot].len);
    assert_memory_equal(world_ears[b->slot].bytes, world_ears[c->slot].bytes, world_ears[b->slot].len);
    assert_memory_equal(world_ears[b->slot].bytes, world_ears[d->slot].bytes, world_ears[b->slot].len);
    struct heard h = hear(b);
    assert_true(h.messages == 1 && h.announced == 10 && hear(a).messages == 0);
    (void)hear(c);
    (void)hear(d);
    assert_true(a->advertised == 0 && b->advertised == 10 && d->advertised == 10);
    vnrs_bgp_speaker_free(w.sp);
}

// Sessions that want another form, or another content, are no members of the same group.
static void groups(void **state)
{
    static const struct vnrs_bgp_caps extended = {.extended_message = true};
    struct world w;

    (void)state;
    world_setup(&w, 4, VNRS_SPK_EXTENDED_MESSAGES, 0);
    w.peers[3].asn = WORLD_ASN;
    world_configure(&w);
    struct vnrs_bgp_member *m[] = {world_up(&w, 'a', NULL), world_up(&w, 'b', NULL), world_up(&w, 'c', &extended),
                                   world_up(&w, 'd', NULL)};
    const uint8_t *number_of = w.sp->rib.queues.number_of;
    assert_int_equal(number_of[m[0]->slot], number_of[m[1]->slot]);
    for (unsigned i = 2; i < 4; i++)
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(number_of[m[i]->slot], number_of[m[k]->slot]);
    unsigned left = number_of[m[2]->slot];
    world_close_connection(&w, m[2]);
    assert_int_equal(w.sp->rib.queues.by_number[left].members, 0);
    (void)world_up(&w, 'c', NULL);
    assert_int_equal(number_of[m[2]->slot], number_of[m[0]->slot]);
    vnrs_bgp_speaker_free(w.sp);
}

// The best path comes from one member, then from another: each is told of the other's, and not of its own.
static void split_horizon_in_a_group(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 3, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL), *c = world_up(&w, 'c', NULL);
    world_room("abc", UINT_MAX);
    for (unsigned i = 0; i < 4; i++)
        announce(&w, b, i, 0);
    world_run_out(&w);
    assert_true(hear(a).announced == 4 && hear(b).messages == 0 && hear(c).announced == 4);
    // a's are better by its identifier. In one batch: all tell c and b, and take back from a what b had told it.
    for (unsigned i = 0; i < 4; i++)
        announce(&w, a, i, 0);
    world_run_out(&w);
    struct heard h = hear(a);
    assert_true(h.messages == 1 && h.withdrawn == 4 && h.announced == 0);
    h = hear(b);
    assert_true(h.messages == 1 && h.announced == 4 && h.withdrawn == 0);
    h = hear(c);
    assert_true(h.messages == 1 && h.announced == 4 && h.withdrawn == 0);
    assert_true(a->advertised == 0 && b->advertised == 4 && c->advertised == 4);
    withdraw(&w, a, 0);
    withdraw(&w, a, 1);
    world_run_out(&w);
    h = hear(b);
    assert_true(h.withdrawn == 2 && h.announced == 0);
    assert_true(hear(a).announced == 2 && hear(c).announced == 2);
    // Nobody but b is left who knows them: c hears of the end, b does not, it is b's own.
    withdraw(&w, b, 0);
    world_run_out(&w);
    assert_true(hear(a).withdrawn == 1 && hear(b).messages == 0 && hear(c).withdrawn == 1);
    vnrs_bgp_speaker_free(w.sp);
}

// One without room misses nothing, and costs the others nothing: no ring grows for it.
static void laggard(void **state)
{
    struct world w;

    (void)state;
    world_setup(&w, 4, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL), *c = world_up(&w, 'c', NULL);
    world_room("abc", UINT_MAX);
    world_run_out(&w);
    announce(&w, a, 0, 0);
    announce(&w, a, 1, 0);
    world_room("ab", UINT_MAX);
    world_run_out(&w);
    assert_true(hear(b).announced == 2 && hear(c).messages == 0);
    assert_int_equal(in_step(&w, b), 3);
    announce(&w, a, 2, 0);
    announce(&w, a, 0, 77); // the same again, otherwise
    withdraw(&w, a, 1);     // c never hears of it
    world_run_out(&w);
    struct heard h = hear(b);
    assert_true(h.announced == 2 && h.withdrawn == 1);
    announce(&w, a, 3, 0); // not yet told to anybody
    world_room("c", UINT_MAX);
    world_run_out(&w); // a and b have no room now: c catches up, and gets on alone
    h = hear(c);
    assert_true(h.announced == 3 && h.withdrawn == 0);
    assert_int_equal(in_step(&w, b), 4);
    world_room("abc", UINT_MAX);
    world_run_out(&w);
    assert_int_equal(in_step(&w, b), 7);
    announce(&w, a, 4, 0);
    world_run_out(&w);
    assert_memory_equal(world_ears[b->slot].bytes + world_ears[b->slot].len - 30,
                        world_ears[c->slot].bytes + world_ears[c->slot].len - 30, 30);
    assert_true(b->advertised == 4 && c->advertised == 4);
    vnrs_bgp_speaker_free(w.sp);
}

// End-of-RIB comes when the first table is through, however much changes meanwhile.
static void end_of_rib_under_churn(void **state)
{
    static const struct vnrs_bgp_caps gr = {.graceful_restart = true, .gr_time = 60};
    struct world w;
    unsigned i;

    (void)state;
    world_setup(&w, 3, VNRS_SPK_GRACEFUL_RESTART, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL);
    for (i = 0; i < 20; i++)
        announce(&w, a, i, i + 1); // a message each
    world_room("b", UINT_MAX);
    world_run_out(&w);
    struct vnrs_bgp_member *c = world_up(&w, 'c', &gr);
    struct heard h = {.borr_first = true, .end_last = true};
    for (i = 0; i < 100 && h.eor < 2; i++) { // more changes than c takes
        for (unsigned k = 0; k < 3; k++)
            announce(&w, a, k, 1000 + 3 * i + k);
        world_room("bc", 2);
        (void)world_run(&w);
        world_hear(c, &h);
        (void)hear(b);
    }
    assert_in_range(i, 5, 99);
    assert_true(h.announced >= 20);
    vnrs_bgp_speaker_free(w.sp);
}

static const struct {
    const char *what;
    uint32_t community;
    bool outside, inside; // told to eBGP and iBGP peers
} community_rows[] = {
    {"any", 0xfde90064u, true, true},
    {"NO_EXPORT", VNRS_BGP_NO_EXPORT, false, true},
    {"NO_ADVERTISE", VNRS_BGP_NO_ADVERTISE, false, false},
    {"NO_EXPORT_SUBCONFED", VNRS_BGP_NO_EXPORT_SUBCONFED, false, true},
    {"BLACKHOLE", VNRS_BGP_BLACKHOLE, false, true},
    {"GRACEFUL_SHUTDOWN", VNRS_BGP_GRACEFUL_SHUTDOWN, true, true},
};

// A route is told, then told with the community, then without: who is not to hear of it has to forget it meanwhile.
static void well_known_communities(void **state)
{
    struct world w;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(community_rows); i++) {
        world_setup(&w, 3, 0, 0);
        w.peers[2].asn = WORLD_ASN;
        world_configure(&w);
        struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL), *c = world_up(&w, 'c', NULL);
        world_room("abc", UINT_MAX);
        announce(&w, a, 0, 0);
        world_run_out(&w);
        assert_true(hear(b).announced == 1 && hear(c).announced == 1);
        announce(&w, a, 0, community_rows[i].community);
        world_run_out(&w);
        struct heard out = hear(b), in = hear(c);
        if (out.announced != community_rows[i].outside || out.withdrawn == community_rows[i].outside ||
            in.announced != community_rows[i].inside || in.withdrawn == community_rows[i].inside)
            fail_msg("%s: outside %u, inside %u", community_rows[i].what, out.announced, in.announced);
        announce(&w, a, 0, 0);
        world_run_out(&w);
        assert_true(hear(b).announced == 1 && hear(c).announced == 1);
        vnrs_bgp_speaker_free(w.sp);
    }
}

// RFC 8326: who goes is not preferred any more, however good its path is; inside the AS that is told.
static void graceful_shutdown(void **state)
{
    struct world w;
    struct vnrs_prefix p = prefix_at(0);

    (void)state;
    world_setup(&w, 3, 0, 0);
    w.peers[2].asn = WORLD_ASN;
    world_configure(&w);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL);
    announce(&w, a, 0, 0);
    announce(&w, b, 0, 0);
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&w.sp->rib, &p);
    assert_int_equal(vnrs_bgp_dest_best(d)->slot, a->slot);
    announce(&w, a, 0, VNRS_BGP_GRACEFUL_SHUTDOWN);
    assert_int_equal(vnrs_bgp_dest_best(d)->slot, b->slot);
    assert_int_equal(vnrs_bgp_dest_lost_at(&w.sp->rib, d, vnrs_bgp_dest_path(d, a->slot)), VNRS_BGP_STEP_PREF);
    withdraw(&w, b, 0);
    assert_int_equal(vnrs_bgp_dest_best(d)->slot, a->slot); // but used while there is nobody else
    // An iBGP peer has seen to the preference itself.
    struct vnrs_bgp_member *c = world_up(&w, 'c', NULL);
    announce(&w, c, 0, VNRS_BGP_GRACEFUL_SHUTDOWN);
    assert_int_equal(vnrs_bgp_dest_path(d, a->slot)->attrs->local_pref, 0);
    assert_int_equal(vnrs_bgp_dest_path(d, c->slot)->attrs->local_pref, 100);
    vnrs_bgp_speaker_free(w.sp);
}

// RFC 4456 section 9: what a reflector passed on stands in the order of who brought it into the AS, then of the length
// of its way. Nothing of that is told on.
static void reflected_routes(void **state)
{
    static const char *const bodies[] = {
        "0000 002d 40010100 400206 0201 0000fdf1 400304 0a00000a 400504 00000064 800904 0a000063"
        "800a08 01010101 02020202 18 140000",
        "0000 0029 40010100 400206 0201 0000fdf1 400304 0a00000b 400504 00000064 800904 0a000063"
        "800a04 02020202 18 140000",
        "0000 0029 40010100 400206 0201 0000fdf1 400304 0a00000b 400504 00000064 800904 0a000064"
        "800a04 02020202 18 140000",
    };
    struct vnrs_prefix p = prefix_at(0);
    struct world w;

    (void)state;
    world_setup(&w, 3, 0, 0);
    w.peers[0].asn = w.peers[1].asn = WORLD_ASN;
    world_configure(&w);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL), *c = world_up(&w, 'c', NULL);
    assert_true(world_say(&w, a, VNRS_BGP_UPDATE, bodies[0]) > 0);
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&w.sp->rib, &p);
    assert_true(d->paths->attrs->originator_id == 0x0a000063 && d->paths->attrs->n_clusters == 2);
    assert_true(world_say(&w, b, VNRS_BGP_UPDATE, bodies[1]) > 0);
    assert_int_equal(vnrs_bgp_dest_best(d)->slot, b->slot);
    assert_int_equal(vnrs_bgp_dest_lost_at(&w.sp->rib, d, d->paths->next), VNRS_BGP_STEP_CLUSTERS);
    assert_true(world_say(&w, b, VNRS_BGP_UPDATE, bodies[2]) > 0);
    assert_int_equal(vnrs_bgp_dest_best(d)->slot, a->slot);
    assert_int_equal(vnrs_bgp_dest_lost_at(&w.sp->rib, d, d->paths->next), VNRS_BGP_STEP_ID);
    struct heard h = world_listen(c);
    assert_true(h.messages == 1 && h.announced == 1 && h.longest == 23 + 4 + 13 + 7 + 4);
    vnrs_bgp_speaker_free(w.sp);
}

// --- random: who knows what in the end

struct knowledge {
    uint32_t community[PREFIXES]; // as told, 0: not
};

static void learn(void *arg, const struct vnrs_prefix *prefix, uint32_t id, const struct vnrs_bgp_attrs *attrs)
{
    struct knowledge *k = arg;

    (void)id;
    k->community[prefix->bytes[2]] = attrs->communities[0];
}

static void unlearn(void *arg, const struct vnrs_prefix *prefix, uint32_t id)
{
    struct knowledge *k = arg;

    (void)id;
    assert_int_not_equal(k->community[prefix->bytes[2]], 0); // nobody forgets what it does not know
    k->community[prefix->bytes[2]] = 0;
}

static uint32_t seed = 4711;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void hear_all(struct vnrs_bgp_member *const *m, struct knowledge *known)
{
    for (unsigned i = 0; i < 4; i++) {
        struct heard h = {.arg = &known[i], .on_announced = learn, .on_withdrawn = unlearn};
        if (vnrs_bgp_peer_session(&m[i]->peer))
            world_hear(m[i], &h);
    }
}

static void flap(struct world *w, struct vnrs_bgp_member *m, uint32_t (*model)[PREFIXES], struct knowledge *known)
{
    world_close_connection(w, m);
    memset(model[m->slot], 0, sizeof(model[m->slot]));
    memset(&known[m->slot], 0, sizeof(known[0]));
    world_ears[m->slot].len = 0;
    (void)world_up(w, m->conf.name[0], NULL);
}

static void random_rooms(void **state)
{
    static struct knowledge known[4];
    static uint32_t model[4][PREFIXES]; // community by source, 0: none
    struct vnrs_bgp_member *m[4];
    struct world w;

    (void)state;
    world_setup(&w, 4, 0, 0);
    for (unsigned i = 0; i < 4; i++)
        m[i] = world_up(&w, (char)('a' + i), NULL);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned s = rnd(4), p = rnd(PREFIXES), what = rnd(100);
        if (what < 40) {
            announce(&w, m[s], p, model[s][p] = 1 + rnd(3) + s * 10);
        } else if (what < 60) {
            withdraw(&w, m[s], p);
            model[s][p] = 0;
        } else if (what == 60 && rnd(5) == 0) {
            flap(&w, m[s], model, known);
        } else {
            for (unsigned k = 0; k < 4; k++) {
                world_ears[k].has_room = rnd(3) != 0;
                world_ears[k].limit = rnd(5);
            }
            (void)world_run(&w);
            hear_all(m, known);
        }
    }
    world_room("abcd", UINT_MAX);
    world_run_out(&w);
    hear_all(m, known);
    assert_int_equal(in_step(&w, m[0]), 15);
    for (unsigned p = 0; p < PREFIXES; p++) {
        unsigned best = 0; // the lowest identifier
        while (best < 4 && !model[best][p])
            best++;
        for (unsigned k = 0; k < 4; k++)
            assert_int_equal(known[k].community[p], best == 4 || best == k ? 0 : model[best][p]);
    }
    vnrs_bgp_speaker_free(w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_message_for_all),
        cmocka_unit_test(groups),
        cmocka_unit_test(split_horizon_in_a_group),
        cmocka_unit_test(laggard),
        cmocka_unit_test(end_of_rib_under_churn),
        cmocka_unit_test(well_known_communities),
        cmocka_unit_test(graceful_shutdown),
        cmocka_unit_test(reflected_routes),
        cmocka_unit_test(random_rooms),
    };
    return cmocka_run_group_tests_name("adj_out", tests, NULL, NULL);
}
