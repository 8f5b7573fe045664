// SPDX-License-Identifier: GPL-2.0-or-later
// Extended messages (RFC 8654), texts of a shutdown (RFC 9003), and changes of which peers are told nothing.
#include "bgp/error_text.h"
#include "bgp/test_core_world.h"

#include <errno.h>

static const struct vnrs_bgp_caps extended = {.extended_message = true};

static void fill(struct vnrs_prefix *list, size_t n, uint32_t from)
{
    for (size_t i = 0; i < n; i++) {
        struct vnrs_addr at = vnrs_addr_from_v4(from + (uint32_t)(i << 8));
        list[i] = vnrs_prefix_make(&at, 24);
    }
}

// The same table in large messages to one peer and in small ones to the other; either way none is missing.
static void sent(void **state)
{
    static struct vnrs_prefix list[5000];
    struct world w;

    (void)state;
    world_setup(&w, 3, VNRS_SPK_EXTENDED_MESSAGES, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &extended), *b = world_up(&w, 'b', &extended),
                           *c = world_up(&w, 'c', NULL);
    fill(list, ARRAY_SIZE(list), 0x14000000u);
    world_announce(&w, a, NULL, list, ARRAY_SIZE(list)); // 20 kB in one message
    struct heard h = world_listen(b);
    assert_true(h.announced == 5000 && h.messages == 1 && h.longest > VNRS_BGP_MSG_MAX);
    h = world_listen(c);
    assert_true(h.announced == 5000 && h.messages >= 5 && h.longest <= VNRS_BGP_MSG_MAX);
    world_close_connection(&w, a);
    assert_int_equal(world_listen(b).withdrawn, 5000);
    assert_int_equal(world_listen(c).withdrawn, 5000);
    vnrs_bgp_speaker_free(w.sp);
}

// Attributes that fit no ordinary message are told to whom they can be told; to others the prefix is withdrawn.
static void large_attributes(void **state)
{
    static uint32_t communities[10000];
    struct vnrs_bgp_attrs large = {.communities = communities, .n_communities = ARRAY_SIZE(communities)};
    struct vnrs_prefix p = world_prefix("192.168.0.0/24");
    struct world w;

    (void)state;
    for (uint32_t i = 0; i < ARRAY_SIZE(communities); i++)
        communities[i] = (65001u << 16) + i;
    world_setup(&w, 3, VNRS_SPK_EXTENDED_MESSAGES, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &extended), *b = world_up(&w, 'b', &extended),
                           *c = world_up(&w, 'c', NULL);
    world_announce(&w, a, NULL, &p, 1);
    assert_true(world_listen(b).announced == 1 && world_listen(c).announced == 1);
    world_announce(&w, a, &large, &p, 1);
    struct heard h = world_listen(b);
    assert_true(h.announced == 1 && h.longest > 40000);
    assert_int_equal(world_listen(c).withdrawn, 1);
    world_announce(&w, a, NULL, &p, 1);
    assert_true(world_listen(b).announced == 1 && world_listen(c).announced == 1);
    vnrs_bgp_speaker_free(w.sp);
}

// Path identifiers stand on the wire exactly in the directions that both sides announced (RFC 7911).
static void path_identifiers(void **state)
{
    static const struct vnrs_bgp_caps both = {.add_path_receive = {true, true}, .add_path_send = {true, true}},
                                      receives = {.add_path_receive = {true, true}},
                                      sends = {.add_path_send = {true, true}};
    const struct vnrs_bgp_caps *const caps[] = {&both, &receives, &sends, NULL};
    struct world w;

    (void)state;
    for (int with = 0; with < 2; with++) {
        world_setup(&w, ARRAY_SIZE(caps), with ? VNRS_SPK_ADD_PATH : 0, 0);
        for (unsigned i = 0; i < ARRAY_SIZE(caps); i++) {
            struct vnrs_bgp_member *m = world_up(&w, (char)('a' + i), caps[i]);
            const struct vnrs_bgp_session *s = &vnrs_bgp_peer_session(&m->peer)->session;
            assert_int_equal(s->add_path_tx[VNRS_BGP_AF4], with && caps[i] && caps[i]->add_path_receive[0]);
            assert_int_equal(s->add_path_rx[VNRS_BGP_AF6], with && caps[i] && caps[i]->add_path_send[0]);
            world_announce_one(&w, m, (const char *[]){"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"}[i]);
            assert_int_equal(world_count(&w, m), 1);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(caps); i++)
            assert_int_equal(world_listen(world_member(&w, (char)('a' + i))).announced, 3);
        world_close_connection(&w, world_member(&w, 'd'));
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(world_listen(world_member(&w, (char)('a' + i))).withdrawn, 1);
        vnrs_bgp_speaker_free(w.sp);
    }
}

static void received(void **state)
{
    static uint8_t msg[VNRS_BGP_MSG_EXTENDED_MAX];
    struct world w;

    (void)state;
    world_setup(&w, 2, VNRS_SPK_EXTENDED_MESSAGES, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', &extended), *b = world_up(&w, 'b', NULL);
    struct world plain;
    world_setup(&plain, 1, 0, 0);
    struct vnrs_bgp_member *not_announced = world_up(&plain, 'a', &extended);
    memset(msg, 0, sizeof(msg));
    // Withdrawals of 10.0.0.0/8, as many as there can be.
    size_t n = (VNRS_BGP_MSG_EXTENDED_MAX - 19 - 4) / 2;
    for (size_t i = 0; i < n; i++) {
        msg[21 + 2 * i] = 8;
        msg[22 + 2 * i] = 10;
    }
    msg[19] = (uint8_t)(2 * n >> 8);
    msg[20] = (uint8_t)(2 * n);
    size_t len = hex_header(msg, VNRS_BGP_UPDATE, 4 + 2 * n);
    assert_int_equal(world_input(&w, a, msg, len), len);
    assert_int_equal(world_input(&w, a, msg, 30), 0); // waits for the rest
    // Who announces the capability takes such messages from those, too, that take none (RFC 8654 section 4).
    assert_int_equal(world_input(&w, b, msg, len), len);
    assert_int_equal(world_input(&plain, not_announced, msg, len), -ECONNRESET);
    assert_hex(plain.last + 19, plain.last_len - 19, "01 02 ffff");
    vnrs_bgp_speaker_free(plain.sp);
    // KEEPALIVE and OPEN stay as they are.
    assert_int_equal(world_say(&w, a, VNRS_BGP_KEEPALIVE, "00"), -ECONNRESET);
    assert_hex(w.last + 19, w.last_len - 19, "01 02 0014");
    vnrs_bgp_speaker_free(w.sp);
}

static const struct {
    uint8_t subcode;
    const char *text, *data;
} ceases[] = {
    {VNRS_BGP_CEASE_SHUTDOWN, "bye", "03 627965"},
    {VNRS_BGP_CEASE_RESET, "\xc3\xbc", "02 c3bc"},
    {VNRS_BGP_CEASE_SHUTDOWN, "", ""},
    {VNRS_BGP_CEASE_SHUTDOWN, NULL, ""},
    {VNRS_BGP_CEASE_SHUTDOWN, "a\xff z", "01 61"}, // as far as it is UTF-8
    {VNRS_BGP_CEASE_DECONFIGURED, "bye", ""},      // has no text
};

static void texts_sent(void **state)
{
    struct vnrs_bgp_error error;
    char text[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ceases); i++) {
        vnrs_bgp_error_cease(ceases[i].subcode, ceases[i].text, &error);
        assert_error(&error, VNRS_BGP_ERR_CEASE, ceases[i].subcode, ceases[i].data);
    }
    // 255 octets at most, and no half of a character.
    for (size_t i = 0; i + 1 < sizeof(text); i++)
        text[i] = i % 2 ? '\xbc' : '\xc3';
    text[sizeof(text) - 1] = '\0';
    vnrs_bgp_error_cease(VNRS_BGP_CEASE_SHUTDOWN, text, &error);
    assert_true(error.data_len == 255 && error.data[0] == 254);
    vnrs_bgp_error_harden(&error);
    assert_true(error.data_len == 257 && error.subcode == VNRS_BGP_CEASE_HARD_RESET && error.data[2] == 254);
}

static const struct {
    const char *notification, *last_error;
} notifications[] = {
    {"06 02 03 627965", "peer sent NOTIFICATION: Cease, administrative shutdown (bye)"},
    {"06 04 02 c3bc", "peer sent NOTIFICATION: Cease, administrative reset (\xc3\xbc)"},
    {"06 02 02 0a61", "peer sent NOTIFICATION: Cease, administrative shutdown (?a)"},
    {"06 09 06 02 03 627965", "peer sent NOTIFICATION: Cease, hard reset: Cease, administrative shutdown (bye)"},
    {"06 09 06 09 06 02", "peer sent NOTIFICATION: Cease, hard reset"},
    {"06 09 06", "peer sent NOTIFICATION: Cease, hard reset"},
    {"06 02 ff 61", "peer sent NOTIFICATION: Cease, administrative shutdown"}, // shorter than it says
};

static void texts_received(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(notifications); i++) {
        struct world w;
        world_setup(&w, 1, 0, 0);
        struct vnrs_bgp_member *a = world_up(&w, 'a', NULL);
        assert_int_equal(world_say(&w, a, VNRS_BGP_NOTIFICATION, notifications[i].notification), -ECONNRESET);
        struct vnrs_spk_peer peer;
        vnrs_bgp_report_peer(a, &peer);
        assert_string_equal(peer.last_error, notifications[i].last_error);
        vnrs_bgp_speaker_free(w.sp);
    }
}

// A text of the full length is shown whole.
static void longest_text(void **state)
{
    char body[2 * 258 + 1] = "0602ff";
    struct vnrs_spk_peer peer;
    struct world w;

    (void)state;
    for (unsigned i = 0; i < 255; i++)
        memcpy(body + 6 + 2 * i, "78", 3);
    world_setup(&w, 1, 0, 0);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL);
    assert_int_equal(world_say(&w, a, VNRS_BGP_NOTIFICATION, body), -ECONNRESET);
    vnrs_bgp_report_peer(a, &peer);
    size_t len = strlen(peer.last_error);
    assert_true(len > 255 && peer.last_error[len - 1] == ')' && strspn(strchr(peer.last_error, '(') + 1, "x") == 255);
    // What comes after it is cut where there is no more room.
    vnrs_bgp_peer_disconnected(&a->peer, w.now, VNRS_BGP_OUT, VNRS_CANNOT_CONNECT "Connection refused");
    vnrs_bgp_report_peer(a, &peer);
    assert_int_equal(strlen(peer.last_error), sizeof(peer.last_error) - 1);
    assert_true(strstr(peer.last_error, "x); can"));
    vnrs_bgp_speaker_free(w.sp);
}

// Paths that differ only in what export leaves out: who was told of one is not told of the other.
static void same_outside(void **state)
{
    struct vnrs_bgp_attrs med = {.has = VNRS_BGP_HAS_MED, .med = 7};
    struct vnrs_prefix p = world_prefix("192.168.0.0/24");
    struct world w;

    (void)state;
    world_setup(&w, 4, 0, 0);
    w.peers[1].asn = 65001; // a and b announce the same path, c hears of it
    w.peers[3].asn = WORLD_ASN;
    world_configure(&w);
    struct vnrs_bgp_member *a = world_up(&w, 'a', NULL), *b = world_up(&w, 'b', NULL), *c = world_up(&w, 'c', NULL),
                           *d = world_up(&w, 'd', NULL);
    world_announce(&w, b, NULL, &p, 1);
    assert_true(world_listen(c).announced == 1 && world_listen(a).announced == 1 && world_listen(d).announced == 1);
    assert_int_equal(world_listen(b).messages, 0);
    world_announce(&w, b, &med, &p, 1); // only the MED changes
    assert_true(world_listen(c).messages == 0 && world_listen(a).messages == 0 && world_listen(b).messages == 0);
    assert_int_equal(world_listen(d).announced, 1); // inside the AS it is told
    world_announce(&w, a, NULL, &p, 1);             // better by its identifier, with another next hop
    assert_int_equal(world_listen(c).messages, 0);
    assert_int_equal(world_listen(d).announced, 1);
    assert_int_equal(world_listen(a).withdrawn, 1);
    assert_int_equal(world_listen(b).announced, 1);
    world_close_connection(&w, a);
    assert_true(world_listen(c).messages == 0 && world_listen(b).withdrawn == 1 && world_listen(d).announced == 1);
    world_close_connection(&w, b);
    assert_true(world_listen(c).withdrawn == 1 && world_listen(d).withdrawn == 1 && w.sp->rib.len == 0);
    vnrs_bgp_speaker_free(w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sent),         cmocka_unit_test(large_attributes), cmocka_unit_test(path_identifiers),
        cmocka_unit_test(received),     cmocka_unit_test(texts_sent),       cmocka_unit_test(texts_received),
        cmocka_unit_test(longest_text), cmocka_unit_test(same_outside),
    };
    return cmocka_run_group_tests_name("extended", tests, NULL, NULL);
}
