// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/mrt_dump.h"

#include "lib/mrt_read.h"
#include "test_core_world.h"

static struct world w;
static uint8_t file[1 << 20];
static struct mrt_reader reader;

// The whole dump, `step` octets at a time.
static size_t dump_all(struct vnrs_mrt_dump *dump, size_t step)
{
    size_t len = 0;
    ssize_t n;

    while ((n = vnrs_mrt_dump_read(dump, w.now, 5000, file + len, MIN(step, sizeof(file) - len))) > 0)
        len += (size_t)n;
    assert_int_equal(n, 0);
    return len;
}

static size_t dump_new(size_t step)
{
    _cleanup_(vnrs_mrt_dump_fini) struct vnrs_mrt_dump dump;

    vnrs_mrt_dump_init(&dump, w.sp, "rs-0");
    return dump_all(&dump, step);
}

static void test_table(void **state)
{
    struct mrt_record rec = {0};
    struct mrt_entry e = {0};
    size_t records = 0, entries = 0;

    (void)state;
    world_setup(&w, 3, 0, 0); // c never comes up
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL);
    w.now += 7000;
    for (unsigned i = 0; i < 100; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "10.50.%u.0/24", i);
        world_announce_one(&w, a, text);
        if (i % 2)
            world_announce_one(&w, b, text);
    }
    for (size_t step = 1; step < 3000; step = step * 3 + 1) {
        size_t len = dump_new(step);
        mrt_reader_init(&reader, file, len);
        assert_int_equal(mrt_next(&reader, &rec), 1);
        assert_int_equal(rec.kind, MRT_PEERS);
        assert_int_equal(rec.collector, 0x0a000004);
        assert_memory_equal(rec.view, "rs-0", 4);
        assert_int_equal(reader.n_peers, 4);
        assert_int_equal(reader.peers[0].asn, WORLD_ASN);
        assert_int_equal(reader.peers[2].id, 0x0a00000b);
        assert_int_equal(reader.peers[3].id, 0);
        for (records = entries = 0; mrt_next(&reader, &rec) > 0; records++) {
            assert_int_equal(rec.kind, MRT_RIB);
            assert_int_equal(rec.sequence, records);
            for (; mrt_entry_next(&rec, &e); entries++)
                assert_true((e.peer == 1 || e.peer == 2) && e.time == 4993); // of the session
        }
        assert_true(records == 100 && entries == 150 && reader.offset == len);
    }
    vnrs_bgp_speaker_free(w.sp);
}

// Between two reads prefixes and peers come and go; what is written stays right.
static void test_changes_meanwhile(void **state)
{
    _cleanup_(vnrs_mrt_dump_fini) struct vnrs_mrt_dump dump;
    struct mrt_record rec = {0};
    struct mrt_entry e = {0};
    size_t entries = 0;

    (void)state;
    world_setup(&w, 2, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL);
    world_announce_one(&w, a, "10.50.0.0/16");
    world_announce_one(&w, b, "10.50.0.0/16");
    world_announce_one(&w, a, "10.51.0.0/16");
    vnrs_mrt_dump_init(&dump, w.sp, "rs-0");
    assert_int_equal(vnrs_mrt_dump_read(&dump, w.now, 5000, file, 1), 1);
    // Peer b gives its slot to c, which is not in the index; 10.51 goes, 10.52 comes.
    w.peers[1].name[0] = 'c';
    w.peers[1].addr = world_addr("10.0.0.20");
    world_configure(&w);
    struct vnrs_bgp_member *c = world_up(&w, 'c', NULL);
    assert_int_equal(c->slot, 1);
    world_announce_one(&w, c, "10.50.0.0/16");
    world_announce_one(&w, c, "10.60.0.0/16");
    world_announce_one(&w, a, "10.52.0.0/16");
    size_t len = 1;
    for (ssize_t n; (n = vnrs_mrt_dump_read(&dump, w.now, 5000, file + len, 1000)) > 0;)
        len += (size_t)n;
    mrt_reader_init(&reader, file, len);
    assert_int_equal(mrt_next(&reader, &rec), 1);
    while (mrt_next(&reader, &rec) > 0)
        for (; mrt_entry_next(&rec, &e); entries++)
            assert_int_equal(e.peer, 1);
    assert_null(reader.why);
    assert_int_equal(entries, 3);
    vnrs_bgp_speaker_free(w.sp);
}

// --- the observer

static char story[4096];

static void add(const char *text, const struct vnrs_bgp_member *m)
{
    (void)snprintf(story + strlen(story), sizeof(story) - strlen(story), "%s%s ", text, m ? m->conf.name : "");
}
static void on_received(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *msg, size_t len)
{
    (void)arg, (void)side, (void)len;
    add((const char *[]){"", "open:", "update:", "notification:", "keepalive:", "refresh:"}[msg[18]], m);
}
static void on_malformed(void *arg, struct vnrs_bgp_member *m, const uint8_t *msg, size_t len)
{
    (void)arg, (void)msg, (void)len;
    add("malformed:", m);
}
static void on_up(void *arg, struct vnrs_bgp_member *m)
{
    (void)arg;
    assert_true(m->peer.ends[VNRS_BGP_IN].open_sent.len && m->peer.ends[VNRS_BGP_IN].open_received.len);
    add("up:", m);
}
static void on_down(void *arg, struct vnrs_bgp_member *m)
{
    char text[64];

    (void)arg;
    (void)snprintf(text, sizeof(text), "down/%d/%u.%u:", m->peer.end_cause, m->peer.notification.code,
                   m->peer.notification.subcode);
    add(text, m);
}
static void on_path(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id, bool best)
{
    char text[64], p[VNRS_PREFIX_STR_MAX];

    (void)arg, (void)path_id;
    (void)snprintf(text, sizeof(text), "%u%s=%s", slot, best ? "!" : "", vnrs_prefix_format(prefix, p));
    add(text, NULL);
}

static void expect(const char *text)
{
    assert_string_equal(story, text);
    story[0] = '\0';
}

static void test_observer(void **state)
{
    static const struct vnrs_bgp_observer observer = {
        .received = on_received, .malformed = on_malformed, .up = on_up, .down = on_down, .path = on_path};

    (void)state;
    world_setup(&w, 2, 0, 0);
    vnrs_bgp_speaker_observe(w.sp, &observer, NULL);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL);
    expect("open:a keepalive:a up:a ");
    world_announce_one(&w, a, "10.50.0.0/16");
    expect("update:a 0!=10.50.0.0/16 ");
    struct vnrs_bgp_member *b = world_up(&w, 'b', NULL);
    world_announce_one(&w, b, "10.50.0.0/16"); // not the best
    expect("open:b keepalive:b up:b update:b 1=10.50.0.0/16 ");
    assert_int_equal(w.sp->rib.n_best, 1);
    assert_true(world_say(&w, b, VNRS_BGP_UPDATE, "0000 0004 400101 09 10 0a33") > 0);
    expect("update:b malformed:b ");
    assert_int_equal(b->n_treated_as_withdraw, 1);
    world_close_connection(&w, a);
    expect("down/1/0.0:a 0!=10.50.0.0/16 ");
    assert_int_equal(w.sp->rib.n_best, 1);
    assert_true(world_say(&w, b, VNRS_BGP_NOTIFICATION, "06 02") < 0);
    expect("notification:b down/4/6.2:b 1!=10.50.0.0/16 ");
    assert_int_equal(w.sp->rib.n_best, 0);
    vnrs_bgp_speaker_observe(w.sp, NULL, NULL);
    (void)world_up(&w, 'b', NULL);
    expect("");
    vnrs_bgp_speaker_free(w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_changes_meanwhile),
        cmocka_unit_test(test_observer),
    };
    return cmocka_run_group_tests_name("bgp.mrt_dump", tests, NULL, NULL);
}
