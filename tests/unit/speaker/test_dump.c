// SPDX-License-Identifier: GPL-2.0-or-later
// MRT dumps as the controller gets them: credit, the ring of messages, and its overrun.
#include "speaker/dump.h"

#include "util/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "speaker/test_world.h"

#define PIECES       64
#define MRT_HEADER   12
#define TABLE_DUMP   13 // types of RFC 6396
#define BGP4MP       16
#define KEEPALIVE_AT 18

static struct {
    uint8_t *bytes;
    size_t len;
    bool ended;
    int error;
} dump;

static int dump_fini(void **state)
{
    (void)state;
    free(dump.bytes);
    memset(&dump, 0, sizeof(dump));
    return 0;
}

static void order(struct world *w, uint32_t kind, uint32_t credit)
{
    struct vnrs_spk_dump ask = {.id = 5, .kind = kind, .credit = credit, .view = "view"};
    give_type(w, VNRS_SPK_DUMP, 1, &ask, sizeof(ask));
}

// All that comes now.
static void take(struct world *w)
{
    static struct vnrs_spk_dump_data pieces[PIECES];
    struct vnrs_spk_hdr hdr;

    for (run(w); (hdr = hear(w, pieces, sizeof(pieces))).type; run(w)) {
        if (hdr.type == VNRS_SPK_DUMP_END) {
            struct vnrs_spk_dump_end end;
            memcpy(&end, pieces, sizeof(end));
            assert_int_equal(end.id, 5);
            assert_false(dump.ended);
            dump.ended = true;
            dump.error = end.error;
        }
        for (uint32_t i = 0; hdr.type == VNRS_SPK_DUMP_DATA && i < hdr.count; i++) {
            assert_int_equal(pieces[i].id, 5);
            assert_true(pieces[i].len > 0 && pieces[i].len <= VNRS_DUMP_PIECE);
            dump.bytes = realloc(dump.bytes, dump.len + pieces[i].len);
            assert_non_null(dump.bytes);
            memcpy(dump.bytes + dump.len, pieces[i].bytes, pieces[i].len);
            dump.len += pieces[i].len;
        }
    }
}

static uint32_t number(size_t at)
{
    const uint8_t *p = dump.bytes + at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Records of this type, all of the dump.
static size_t records(uint32_t type)
{
    size_t n = 0;

    for (size_t at = 0; at < dump.len; at += MRT_HEADER + number(at + 8), n++) {
        assert_true(dump.len - at >= MRT_HEADER && dump.len - at - MRT_HEADER >= number(at + 8));
        assert_int_equal(number(at + 4) >> 16, type);
    }
    return n;
}

static struct vnrs_bgp_member *configure_peer(struct world *w)
{
    struct vnrs_spk_config conf = {.asn = 65515, .router_id = 1, .local = vnrs_addr_from_v4(0x0a000004)};
    struct vnrs_spk_peer_config peer = {
        .name = "nva", .addr = vnrs_addr_from_v4(0x0a00000a), .asn = 65001, .passive = 1, .hold = 180, .keepalive = 60};
    uint8_t skip[64];

    give_type(w, VNRS_SPK_CONFIG_BEGIN, 1, &conf, sizeof(conf));
    give_type(w, VNRS_SPK_PEER_CONFIG, 1, &peer, sizeof(peer));
    give_type(w, VNRS_SPK_CONFIG_END, 0, NULL, 0);
    while (heard(w, skip, sizeof(skip)))
        ;
    assert_int_equal(w->sp.status, -1);
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        if (w->sp.core->members[slot])
            return w->sp.core->members[slot];
    fail();
    return NULL;
}

static void orders_that_must_not_be(void **state)
{
    struct vnrs_spk_dump ask = {.id = 1, .kind = VNRS_SPK_DUMP_UPDATES};
    struct world w;

    (void)state;
    setup(&w);
    greet(&w);
    for (ask.id = 1; ask.id <= VNRS_DUMPS_MAX; ask.id++)
        assert_int_equal(vnrs_dump_take(&w.sp, &ask), 0);
    assert_int_equal(vnrs_dump_take(&w.sp, &ask), -EBADMSG); // one more than there may be
    ask.kind = VNRS_SPK_DUMP_STOP;
    assert_int_equal(vnrs_dump_take(&w.sp, &ask), 0); // has ended meanwhile
    ask.kind = VNRS_SPK_DUMP_MORE;
    assert_int_equal(vnrs_dump_take(&w.sp, &ask), 0);
    ask.id = 1;
    ask.kind = VNRS_SPK_DUMP_TABLE;
    assert_int_equal(vnrs_dump_take(&w.sp, &ask), -EBADMSG); // an identifier that is in use
    ask.kind = VNRS_SPK_DUMP_STOP;
    assert_int_equal(vnrs_dump_take(&w.sp, &ask), 0);
    ask.kind = VNRS_SPK_DUMP_TABLE;
    memset(ask.view, 'x', sizeof(ask.view));
    assert_int_equal(vnrs_dump_take(&w.sp, &ask), -EBADMSG); // text without an end
    ask = (struct vnrs_spk_dump){.id = 1, .kind = VNRS_SPK_DUMP_STOP + 1};
    assert_int_equal(vnrs_dump_take(&w.sp, &ask), -EBADMSG);
    vnrs_dump_forget(&w.sp);
    assert_false(vnrs_dump_is_watching(&w.sp));
    teardown(&w);
}

static void no_more_than_there_is_credit_for(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    greet(&w);
    (void)configure_peer(&w);
    order(&w, VNRS_SPK_DUMP_TABLE, 10);
    take(&w);
    assert_int_equal(dump.len, 10);
    order(&w, VNRS_SPK_DUMP_MORE, 7);
    take(&w);
    assert_int_equal(dump.len, 17);
    assert_false(dump.ended);
    order(&w, VNRS_SPK_DUMP_MORE, 100000);
    take(&w);
    assert_true(dump.ended && dump.error == 0);
    assert_int_equal(records(TABLE_DUMP), 1); // the index of peers: there are no routes
    assert_null(w.sp.dumps[0]);
    teardown(&w);
}

static void make_keepalive(uint8_t msg[static VNRS_BGP_HEADER_BYTES])
{
    assert_int_equal(vnrs_bgp_keepalive_encode(msg, VNRS_BGP_HEADER_BYTES), VNRS_BGP_HEADER_BYTES);
    assert_int_equal(msg[KEEPALIVE_AT], VNRS_BGP_KEEPALIVE);
}

static void messages_from_now_on(void **state)
{
    uint8_t msg[VNRS_BGP_HEADER_BYTES];
    struct world w;

    (void)state;
    setup(&w);
    greet(&w);
    struct vnrs_bgp_member *m = configure_peer(&w);
    make_keepalive(msg);
    vnrs_dump_received(&w.sp, m, VNRS_BGP_IN, msg, sizeof(msg)); // nobody wants it
    order(&w, VNRS_SPK_DUMP_UPDATES, 1 << 20);
    vnrs_dump_received(&w.sp, m, VNRS_BGP_IN, msg, sizeof(msg));
    vnrs_dump_changed(&w.sp, m); // to the state it had
    assert_int_equal(vnrs_bgp_peer_accept(&m->peer, vnrs_clock_ms()), 0);
    vnrs_bgp_peer_accepted(&m->peer, vnrs_clock_ms()); // to OpenSent
    vnrs_dump_changed(&w.sp, m);
    vnrs_speakerd_settle(&w.sp);
    take(&w);
    assert_int_equal(records(BGP4MP), 2);
    assert_memory_equal(dump.bytes + MRT_HEADER + number(8) - sizeof(msg), msg, sizeof(msg));
    assert_int_equal(number(dump.len - 4), 3 << 16 | 4); // Active, OpenSent (RFC 6396 section 4.4.1)
    order(&w, VNRS_SPK_DUMP_STOP, 0);
    assert_false(vnrs_dump_is_watching(&w.sp));
    vnrs_dump_received(&w.sp, m, VNRS_BGP_IN, msg, sizeof(msg));
    vnrs_speakerd_settle(&w.sp);
    take(&w);
    assert_int_equal(records(BGP4MP), 2);
    assert_false(dump.ended);
    teardown(&w);
}

static void who_reads_too_slowly_is_told(void **state)
{
    uint8_t msg[VNRS_BGP_HEADER_BYTES];
    size_t n = 0;
    struct world w;

    (void)state;
    setup(&w);
    greet(&w);
    struct vnrs_bgp_member *m = configure_peer(&w);
    make_keepalive(msg);
    order(&w, VNRS_SPK_DUMP_UPDATES, 1000);
    for (; n < 10; n++) // so that the ring goes over its end
        vnrs_dump_received(&w.sp, m, VNRS_BGP_IN, msg, sizeof(msg));
    vnrs_speakerd_settle(&w.sp);
    take(&w);
    assert_true(dump.len > 0);
    for (; vnrs_dump_is_watching(&w.sp); n++)
        vnrs_dump_received(&w.sp, m, VNRS_BGP_IN, msg, sizeof(msg));
    order(&w, VNRS_SPK_DUMP_MORE, 1 << 30);
    take(&w);
    assert_true(dump.ended);
    assert_int_equal(dump.error, -ENOBUFS);
    assert_int_equal(records(BGP4MP), n - 1); // all but the one that had no room
    assert_true(dump.len > VNRS_DUMP_LOG_BYTES);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(orders_that_must_not_be, dump_fini),
        cmocka_unit_test_teardown(no_more_than_there_is_credit_for, dump_fini),
        cmocka_unit_test_teardown(messages_from_now_on, dump_fini),
        cmocka_unit_test_teardown(who_reads_too_slowly_is_told, dump_fini),
    };
    vnrs_log_init("test", VNRS_LOG_ERROR);
    return cmocka_run_group_tests_name("dump", tests, NULL, NULL);
}
