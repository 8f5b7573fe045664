// SPDX-License-Identifier: GPL-2.0-or-later
// The controller's messages: each that must not be ends the speaker, each that may be does not.
#include "util/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "speaker/test_world.h"

static void handshake(void **state)
{
    struct world w;
    union {
        struct vnrs_spk_hello hello;
        struct vnrs_spk_synced synced;
    } body;

    (void)state;
    setup(&w);
    hello(&w);
    assert_int_equal(heard(&w, &body, sizeof(body)), VNRS_SPK_HELLO);
    assert_true(body.hello.generation == 7 && body.hello.pid == getpid());
    assert_int_equal(heard(&w, &body, sizeof(body)), VNRS_SPK_SYNCED);
    assert_true(body.synced.routes == 0 && body.synced.peers == 0);
    assert_int_equal(heard(&w, &body, sizeof(body)), 0);
    assert_int_equal(w.sp.status, -1);
    teardown(&w);
}

#define SIZE(type) sizeof(struct vnrs_spk_##type)

static const struct {
    const char *what;
    uint16_t proto, type;
    uint32_t count;
    size_t len;
    bool accepted;
} rows[] = {
    {"unknown protocol", 1, VNRS_SPK_CONFIG_END, 0, 0, false},
    {"type 0", VNRS_SPEAKER_PROTO, 0, 0, 0, false},
    {"unknown type", VNRS_SPEAKER_PROTO, _VNRS_SPK_MAX, 0, 0, false},
    {"a type of the other direction", VNRS_SPEAKER_PROTO, VNRS_SPK_ROUTES, 0, 0, false},
    {"CONFIG_END without CONFIG_BEGIN", VNRS_SPEAKER_PROTO, VNRS_SPK_CONFIG_END, 0, 0, false},
    {"OWN without CONFIG_BEGIN", VNRS_SPEAKER_PROTO, VNRS_SPK_OWN, 1, SIZE(own), false},
    {"PEER_CONFIG without CONFIG_BEGIN", VNRS_SPEAKER_PROTO, VNRS_SPK_PEER_CONFIG, 1, SIZE(peer_config), false},
    {"CONFIG_BEGIN", VNRS_SPEAKER_PROTO, VNRS_SPK_CONFIG_BEGIN, 1, SIZE(config), true},
    {"CONFIG_BEGIN, one byte short", VNRS_SPEAKER_PROTO, VNRS_SPK_CONFIG_BEGIN, 1, SIZE(config) - 1, false},
    {"CONFIG_BEGIN twice in one", VNRS_SPEAKER_PROTO, VNRS_SPK_CONFIG_BEGIN, 2, 2 * SIZE(config), false},
    {"QUERY, count 0", VNRS_SPEAKER_PROTO, VNRS_SPK_QUERY, 0, 0, false},
    {"QUERY", VNRS_SPEAKER_PROTO, VNRS_SPK_QUERY, 1, SIZE(query), true},
    {"QUERY, one byte more", VNRS_SPEAKER_PROTO, VNRS_SPK_QUERY, 1, SIZE(query) + 1, false},
    {"count that overflows 32 bits", VNRS_SPEAKER_PROTO, VNRS_SPK_OWN, UINT32_MAX, SIZE(own), false},
    {"ACTION 0", VNRS_SPEAKER_PROTO, VNRS_SPK_ACTION, 1, SIZE(action), false},
};

static void checks(void **state)
{
    static const uint8_t zeros[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_spk_hdr hdr = {
            .proto = rows[i].proto, .type = rows[i].type, .count = rows[i].count, .generation = 7};
        struct world w;
        setup(&w);
        hello(&w);
        give(&w, &hdr, zeros, rows[i].len);
        if (w.sp.status != (rows[i].accepted ? -1 : EXIT_FAILURE))
            fail_msg("%s: status %d", rows[i].what, w.sp.status);
        teardown(&w);
    }
}

static void short_message(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    assert_int_equal(write(w.controller, "x", 1), 1);
    (void)event_base_loop(w.sp.base, EVLOOP_NONBLOCK);
    assert_int_equal(w.sp.status, EXIT_FAILURE);
    teardown(&w);
}

static void earlier_generation_is_passed_over(void **state)
{
    struct vnrs_spk_hdr hdr = {.proto = VNRS_SPEAKER_PROTO, .type = VNRS_SPK_CONFIG_END, .generation = 6};
    struct world w;

    (void)state;
    setup(&w);
    hello(&w);
    give(&w, &hdr, NULL, 0);
    assert_int_equal(w.sp.status, -1);
    teardown(&w);
}

static void query_errors(void **state)
{
    struct vnrs_spk_query ask = {.id = 3, .kind = VNRS_SPK_LEARNED, .peer = "nobody"};
    struct vnrs_spk_query_end end = {0};
    struct world w;

    (void)state;
    setup(&w);
    greet(&w);
    give_type(&w, VNRS_SPK_QUERY, 1, &ask, sizeof(ask));
    assert_int_equal(heard(&w, &end, sizeof(end)), VNRS_SPK_QUERY_END);
    assert_true(end.query == 3 && end.error == -ENOENT);
    ask = (struct vnrs_spk_query){.id = 4, .kind = 9};
    give_type(&w, VNRS_SPK_QUERY, 1, &ask, sizeof(ask));
    assert_int_equal(heard(&w, &end, sizeof(end)), VNRS_SPK_QUERY_END);
    assert_true(end.query == 4 && end.error == -EINVAL);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake),     cmocka_unit_test(checks),
        cmocka_unit_test(short_message), cmocka_unit_test(earlier_generation_is_passed_over),
        cmocka_unit_test(query_errors),
    };
    vnrs_log_init("test", VNRS_LOG_ERROR);
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
