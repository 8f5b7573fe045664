// SPDX-License-Identifier: GPL-2.0-or-later
// Which speakers a model has, and what each of them is told.
#include "plan/speakers.h"

#include "plan/labs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const route_server =
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
    "    bgp: {gracefulRestart: true, restartTime: 90}\n"
    "    bmp: [{station: 10.0.2.9, port: 11019}]\n"
    "    bgpConnections:\n"
    "      - name: nva1\n"
    "        peerIp: 10.0.2.4\n"
    "        peerAsn: 65001\n"
    "        password: s3cret\n"
    "        ttlSecurityHops: 2\n"
    "        bfd: {transmitInterval: 150, receiveInterval: 200, detectMultiplier: 4}\n"
    "      - {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002, passive: true, delayOpen: 7}\n";

static void a_route_server_instance(void **state)
{
    struct vnrs_model *model = labs_load_text("t", route_server);
    struct vnrs_speakers speakers = {0};
    char text[VNRS_ADDR_STR_MAX];

    (void)state;
    assert_int_equal(vnrs_speakers_make(model, &speakers), 0);
    assert_int_equal(speakers.list.len, 2);
    assert_null(vnrs_speakers_find(&speakers, "rs-2"));
    const struct vnrs_speaker *one = vnrs_speakers_find(&speakers, "rs-1");
    assert_string_equal(one->owner, "rs");
    assert_int_equal(one->index, 1);
    assert_string_equal(one->hub->name, "hub");
    assert_int_equal(one->class, VNRS_LEARNED_NVA);
    assert_int_equal(one->config.asn, 65515);
    assert_string_equal(vnrs_addr_format(&one->config.local, text), "10.0.1.5");
    assert_int_equal(one->config.router_id, 0x0a000105);
    assert_int_equal(one->config.features, VNRS_SPK_GRACEFUL_RESTART);
    assert_int_equal(one->config.restart_s, 90);
    assert_int_equal(one->config.restart, 0);
    assert_int_equal(one->locals.len, 1);
    assert_int_equal(one->stations.len, 1);
    assert_string_equal(one->stations.items[0].name, "l/rs-1");
    assert_int_equal(one->peers.len, 2);

    const struct vnrs_spk_peer_config *nva1 = vnrs_speaker_find_peer(one, "nva1");
    assert_int_equal(nva1->asn, 65001);
    assert_int_equal(nva1->hold, 3);            // the default of vnrs
    assert_int_equal(nva1->max_prefixes, 4000); // azure-routing.md 5.3
    assert_int_equal(nva1->ttl, 128);           // 5.2
    assert_int_equal(nva1->ttl_min, 254);
    assert_string_equal(nva1->md5, "s3cret");
    assert_int_equal(nva1->bfd.min_tx_us, 150000);
    assert_int_equal(nva1->bfd.min_rx_us, 200000);
    assert_int_equal(nva1->bfd.multiplier, 4);
    const struct vnrs_spk_peer_config *nva2 = vnrs_speaker_find_peer(one, "nva2");
    assert_int_equal(nva2->passive, 1);
    assert_int_equal(nva2->delay_open, 7);
    assert_int_equal(nva2->ttl_min, 0);
    assert_int_equal(nva2->bfd.multiplier, 0);
    assert_null(vnrs_speaker_find_peer(one, "nva3"));
    vnrs_speakers_fini(&speakers);
    vnrs_model_free(model);
}

static void nothing_without_route_server(void **state)
{
    struct vnrs_model *model = labs_load_text("t", "name: l\nvirtualNetworks:\n"
                                                   "  - {name: n, addressSpace: [10.0.0.0/16], subnets: []}\n");
    struct vnrs_speakers speakers = {0};

    (void)state;
    assert_int_equal(vnrs_speakers_make(model, &speakers), 0);
    assert_int_equal(speakers.list.len, 0);
    assert_null(vnrs_speakers_find(&speakers, "rs-0"));
    vnrs_speakers_fini(&speakers);
    vnrs_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_server_instance),
        cmocka_unit_test(nothing_without_route_server),
    };
    return cmocka_run_group_tests_name("plan.speakers", tests, NULL, NULL);
}
