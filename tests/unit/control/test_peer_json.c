// SPDX-License-Identifier: GPL-2.0-or-later
// The JSON of one peer, whole: what `vnrs peer -o json` prints. tests/unit/cli/test_peer_text.c shows the same to
// people.
#include "control/peer_json.h"

#include "util/fd.h"
#include "vnrs/bfd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char source[] =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: nva, addressPrefix: 10.0.2.0/24}\n"
    "routeServers:\n"
    "  - name: rs\n"
    "    virtualNetwork: hub\n"
    "    bgp: {hold: 180, gracefulRestart: true}\n"
    "    bgpConnections:\n"
    "      - {name: nva1, peerIp: 10.0.2.4, peerAsn: 65001, password: s3cret, ttlSecurityHops: 2, bfd: true}\n"
    "      - {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002}\n";

#define CAP(name) (1u << VNRS_SPK_CAP_##name)

static struct vnrs_model *load(void)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "t", .source = source};
    struct vnrs_model *model = vnrs_model_load("t", source, strlen(source), NULL, &diags);

    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    assert_non_null(model);
    return model;
}

static struct vnrs_spk_detail make_detail(void)
{
    static const uint8_t data[] = {4, 'b', 'y', 'e', '!'};
    struct vnrs_spk_detail d = {
        .announced = CAP(AS4) | CAP(REFRESH) | 3u << VNRS_SPK_CAP_FAMILY | CAP(GRACEFUL_RESTART) |
                     CAP(GR_NOTIFICATION) | 3u << VNRS_SPK_CAP_GR_FAMILY | 3u << VNRS_SPK_CAP_GR_FORWARDING |
                     3u << VNRS_SPK_CAP_ADD_PATH_RX,
        .received = CAP(AS4) | CAP(REFRESH) | CAP(ENHANCED_REFRESH) | CAP(FAMILY) | CAP(GRACEFUL_RESTART) |
                    CAP(GR_RESTARTED) | CAP(GR_FAMILY) | CAP(ADD_PATH_TX),
        .in_use = CAP(AS4) | CAP(REFRESH) | CAP(FAMILY) | CAP(GRACEFUL_RESTART) | CAP(ADD_PATH_RX),
        .messages_in = {1, 20, 0, 300, 1},
        .messages_out = {1, 10, 1, 301, 0},
        .paths = {40, 0},
        .accepted = {39, 0},
        .advertised = {4, 0},
        .queued = 7,
        .hold_left_ms = 170001,
        .local_port = 179,
        .remote_port = 40001,
        .hold_remote = 90,
        .gr_time_local = 120,
        .gr_time_remote = 60,
        .opened_by = VNRS_SPK_PEER_SIDE,
        .error_by = VNRS_SPK_PEER_SIDE,
        .error_code = 6,
        .error_subcode = 2,
        .error_len = sizeof(data),
        .error_ms = 1000,
        .reset_ms = 2000,
        .error_text = "Cease, administrative shutdown (bye!)",
        .reset_text = "peer sent NOTIFICATION: Cease, administrative shutdown (bye!)",
    };

    memcpy(d.error_data, data, sizeof(data));
    return d;
}

// Against tests/unit/control/<golden>; VNRS_UPDATE_GOLDEN writes it.
static void check(json_t *json, const char *golden)
{
    const char *root = getenv("VNRS_SOURCE_DIR");
    _free_ char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER), *want = NULL;
    char path[512];
    size_t len;

    assert_non_null(text);
    assert_null(strstr(text, "s3cret"));
    (void)snprintf(path, sizeof(path), "%s/tests/unit/control/%s", root ? root : ".", golden);
    if (getenv("VNRS_UPDATE_GOLDEN"))
        assert_int_equal(vnrs_file_store(path, text, strlen(text), 0644), 0);
    assert_int_equal(vnrs_file_load(path, 1 << 20, &want, &len), 0);
    assert_string_equal(text, want);
    json_decref(json);
}

static void everything_about_a_peer(void **state)
{
    static char running;
    struct vnrs_model *model = load();
    struct vnrs_instance instance = {.key = "rs-0", .chan = (struct vnrs_chan *)(void *)&running};
    struct vnrs_lab lab = {.model = model};
    struct vnrs_spk_peer peer = {.name = "nva1",
                                 .state = VNRS_BGP_ST_ESTABLISHED,
                                 .established_ms = vnrs_clock_ms() - 754500,
                                 .received = 40,
                                 .advertised = 4,
                                 .messages_in = 322,
                                 .messages_out = 313,
                                 .hold = 90,
                                 .keepalive = 30,
                                 .flaps = 1,
                                 .router_id = 0x0a000204,
                                 .stale = 1,
                                 .bfd = {.configured = 1,
                                         .state = VNRS_BFD_UP,
                                         .remote_state = VNRS_BFD_UP,
                                         .failure = VNRS_BFD_DIAG_EXPIRED,
                                         .remote_multiplier = 4,
                                         .failures = 2,
                                         .tx_us = 150000,
                                         .detection_us = 800000,
                                         .discarded = 3,
                                         .packets_in = 1000,
                                         .packets_out = 1001,
                                         .changed_ms = vnrs_clock_ms() - 65500},
                                 .last_error = "peer sent NOTIFICATION: Cease, administrative shutdown (bye!)"};
    struct vnrs_spk_detail detail = make_detail();

    (void)state;
    assert_int_equal(vec_push(&lab.instances, &instance), 0);
    assert_int_equal(vec_push(&instance.peers, peer), 0);
    assert_int_equal(vnrs_speakers_make(model, &lab.speakers), 0);
    const struct vnrs_speaker *speakers = lab.speakers.list.items;
    check(vnrs_peer_json_full(&lab, &speakers[0], &speakers[0].peers.items[0], &detail, 62000, 1795692600),
          "peer.golden.json");
    // The other instance has said nothing yet: every key is there.
    check(vnrs_peer_json_full(&lab, &speakers[1], &speakers[1].peers.items[0], NULL, 62000, 1795692600),
          "no-peer.golden.json");
    json_t *other = vnrs_peer_json(&lab, &speakers[0], &speakers[0].peers.items[1]); // without BFD
    assert_true(json_is_null(json_object_get(other, "bfd")));
    json_decref(other);
    vec_free(&instance.peers);
    vec_free(&lab.instances);
    vnrs_speakers_fini(&lab.speakers);
    vnrs_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_about_a_peer)};
    return cmocka_run_group_tests_name("control.peer_json", tests, NULL, NULL);
}
