// SPDX-License-Identifier: GPL-2.0-or-later
// Which speakers a model has, and what each of them is told.
#include "plan/speakers.h"

#include "plan/labs.h"
#include "util/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const route_server = LABS_ROUTE_SERVER
    "    bgp: {gracefulRestart: true, restartTime: 90}\n"
    "    bmp: [{station: 10.0.2.9, port: 11019}]\n"
    "    bgpConnections:\n"
    "      - name: nva1\n"
    "        peerIp: 10.0.2.4\n"
    "        peerAsn: 65001\n"
    "        password: s3cret\n"
    "        ttlSecurityHops: 2\n"
    "        bfd: {transmitInterval: 150, receiveInterval: 200, detectMultiplier: 4}\n"
    "      - {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002, passive: true, delayOpen: 7, minHold: 300}\n";

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
    assert_int_equal(one->own.len, 1);
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
    assert_int_equal(nva2->min_hold, 300);
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

// A hub with everything, a spoke that uses it, a second hub with a VPN gateway alone.
static const char *const everything =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets:\n"
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"
    "      - {name: GatewaySubnet, addressPrefix: 10.0.3.0/26}\n"
    "  - {name: spoke, addressSpace: [10.1.0.0/16], subnets: [{name: s, addressPrefix: 10.1.0.0/24}]}\n"
    "  - {name: other, addressSpace: [10.2.0.0/16], subnets: [{name: GatewaySubnet, addressPrefix: 10.2.3.0/27}]}\n"
    "virtualNetworkPeerings:\n"
    "  - {virtualNetwork: hub, remoteVirtualNetwork: spoke, allowGatewayTransit: true}\n"
    "  - {virtualNetwork: spoke, remoteVirtualNetwork: hub, useRemoteGateways: true}\n"
    "routeServers:\n"
    "  - {name: rs, virtualNetwork: hub, allowBranchToBranchTraffic: true, hubRoutingPreference: VpnGateway}\n"
    "virtualNetworkGateways:\n"
    "  - {name: vpn, virtualNetwork: hub, gatewayType: Vpn, activeActive: true, bgp: {keepalive: 5, hold: 15}}\n"
    "  - {name: er, virtualNetwork: hub, gatewayType: ExpressRoute}\n"
    "  - name: single\n"
    "    virtualNetwork: other\n"
    "    gatewayType: Vpn\n"
    "    customRoutes: {addressPrefixes: [10.2.0.0/16, 172.16.0.0/12]}\n"
    "    bgpSettings: {asn: 65010, bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.1]}]}\n"
    "sites:\n"
    "  - {name: branch, addressPrefixes: [192.168.1.0/24], asn: 65050, bgpPeeringAddress: 192.168.1.9}\n"
    "  - {name: old, addressPrefixes: [192.168.2.0/24, 192.168.3.0/24]}\n"
    "  - {name: dc, addressPrefixes: [192.168.4.0/24], asn: 65060}\n"
    "  - {name: local, addressPrefixes: [192.168.5.0/24], asn: 65070, bgpPeeringAddress: 169.254.21.2}\n"
    "connections:\n"
    "  - {name: tunnel, gateway: vpn, site: branch, connectionType: IPsec, enableBgp: true}\n"
    "  - {name: static, gateway: vpn, site: old, connectionType: IPsec}\n"
    "  - name: circuit\n"
    "    gateway: er\n"
    "    site: dc\n"
    "    connectionType: ExpressRoute\n"
    "    sku: Premium\n"
    "    routingWeight: 7\n"
    "    primaryPeerAddressPrefix: 172.30.0.0/30\n"
    "    secondaryPeerAddressPrefix: 172.30.0.4/30\n"
    "    password: s3cret\n"
    "  - {name: apipa, gateway: single, site: local, connectionType: IPsec, enableBgp: true}\n";

// A line for the speaker, what it originates, and each of its peers.
static void put_speaker(struct vnrs_strbuf *out, const struct vnrs_speaker *s)
{
    static const char *const roles[] = {"plain", "rs", "vpn", "er", "msee"};
    static const char *const owns[] = {"local", "custom", "static"};
    static const char *const kinds[] = {"outside", "rs", "vpn", "er", "msee", "twin"};
    char text[VNRS_PREFIX_STR_MAX];

    vnrs_strbuf_printf(out, "%s of %s: %s AS %u at %s, hub %s, class %d%s%s%s%s%s\n", s->key, s->owner,
                       roles[s->config.role], s->config.asn, vnrs_addr_format(&s->config.local, text), s->hub->name,
                       (int)s->class, s->in_hub ? ", in hub" : "", s->is_next_hop ? ", next hop" : "",
                       s->domain ? ", domain " : "", s->domain ? s->domain : "",
                       s->config.branch_to_branch ? ", b2b" : "");
    vec_foreach (own, &s->own)
        vnrs_strbuf_printf(out, "  %s %s\n", owns[own->kind], vnrs_prefix_format(&own->prefix, text));
    vec_foreach (peer, &s->peers) {
        vnrs_strbuf_printf(out, "  %s %s AS %u %s", peer->name, vnrs_addr_format(&peer->addr, text), peer->asn,
                           kinds[peer->kind]);
        if (peer->local.family)
            vnrs_strbuf_printf(out, " from %s", vnrs_addr_format(&peer->local, text));
        vnrs_strbuf_printf(out, "%s %u/%u ttl %u max %u%s", peer->passive ? " passive" : "", peer->keepalive,
                           peer->hold, peer->ttl, peer->max_prefixes, peer->md5[0] ? " md5" : "");
        if (peer->weight)
            vnrs_strbuf_printf(out, " weight %u", peer->weight);
        vnrs_strbuf_puts(out, "\n");
        assert_int_equal(vnrs_peer_is_outside(peer), peer->kind == VNRS_SPK_PEER_OUTSIDE);
    }
}

// azure-routing.md 5.6, 6.1, 6.2, 6.3.
static void who_speaks_with_whom(void **state)
{
    static const char *const want[] = {
        "rs-0 of rs: rs AS 65515 at 10.0.1.4, hub hub, class 0, in hub, b2b\n"
        "  local 10.0.0.0/16\n"
        "  local 10.1.0.0/16\n"
        "  gateway.vpn-0 10.0.3.4 AS 65515 vpn 1/3 ttl 128 max 0\n"
        "  gateway.vpn-1 10.0.3.5 AS 65515 vpn 1/3 ttl 128 max 0\n"
        "  gateway.er-0 10.0.3.6 AS 65515 er 1/3 ttl 128 max 0\n"
        "  gateway.er-1 10.0.3.7 AS 65515 er 1/3 ttl 128 max 0\n",
        "gateway.vpn-0 of vpn: vpn AS 65515 at 10.0.3.4, hub hub, class 1, in hub, next hop, domain gateway.vpn-0\n"
        "  local 10.0.0.0/16\n"
        "  local 10.1.0.0/16\n"
        "  static 192.168.1.9/32\n" // the way to the peer
        "  static 192.168.2.0/24\n"
        "  static 192.168.3.0/24\n"
        "  tunnel 192.168.1.9 AS 65050 outside 5/15 ttl 128 max 4000\n"
        "  gateway.vpn-1 10.0.3.5 AS 65515 twin passive 5/15 ttl 128 max 0\n"
        "  routeserver.rs-0 10.0.1.4 AS 65515 rs passive 5/15 ttl 128 max 0\n"
        "  routeserver.rs-1 10.0.1.5 AS 65515 rs passive 5/15 ttl 128 max 0\n",
        "gateway.er-1 of er: er AS 65515 at 10.0.3.7, hub hub, class 2, in hub\n"
        "  local 10.0.0.0/16\n"
        "  local 10.1.0.0/16\n"
        "  msee.circuit-0 10.0.3.8 AS 12076 msee 1/3 ttl 128 max 0 weight 7\n"
        "  msee.circuit-1 10.0.3.9 AS 12076 msee 1/3 ttl 128 max 0 weight 7\n"
        "  routeserver.rs-0 10.0.1.4 AS 65515 rs passive 1/3 ttl 128 max 0\n"
        "  routeserver.rs-1 10.0.1.5 AS 65515 rs passive 1/3 ttl 128 max 0\n",
        "gateway.single-0 of single: vpn AS 65010 at 10.2.3.4, hub other, class 1, in hub, next hop, domain "
        "gateway.single-0\n"
        "  local 10.2.0.0/16\n"
        "  custom 172.16.0.0/12\n" // not what is told anyway
        "  apipa 169.254.21.2 AS 65070 outside from 169.254.21.1 passive 1/3 ttl 128 max 4000\n",
        "msee.circuit-1 of circuit: msee AS 12076 at 10.0.3.9, hub hub, class 2, domain msee.circuit-1\n"
        "  circuit 172.30.0.5 AS 65060 outside from 172.30.0.6 1/3 ttl 1 max 10000 md5\n"
        "  gateway.er-0 10.0.3.6 AS 65515 er passive 1/3 ttl 128 max 1000\n" // 5.3
        "  gateway.er-1 10.0.3.7 AS 65515 er passive 1/3 ttl 128 max 1000\n",
    };
    struct vnrs_model *model = labs_load_text("t", everything);
    struct vnrs_speakers speakers = {0};

    (void)state;
    assert_int_equal(vnrs_speakers_make(model, &speakers), 0);
    assert_int_equal(speakers.list.len, 2 + 2 + 2 + 1 + 2);
    assert_int_equal(vnrs_speakers_find(&speakers, "rs-1")->config.preference, VNRS_SPK_PREFER_VPN);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        char key[64];
        struct vnrs_strbuf text = {0};
        (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(want[i], " "), want[i]);
        put_speaker(&text, vnrs_speakers_find(&speakers, key));
        assert_string_equal(text.text, want[i]);
        vnrs_strbuf_fini(&text);
    }
    vnrs_speakers_fini(&speakers);
    vnrs_model_free(model);
}

// Each session that one speaker has with another one, the other one has as well, and one of both opens it.
static void sessions_have_two_ends(void **state)
{
    struct vnrs_model *model = labs_load_text("t", everything);
    struct vnrs_speakers speakers = {0};
    size_t n = 0;

    (void)state;
    assert_int_equal(vnrs_speakers_make(model, &speakers), 0);
    vec_foreach (a, &speakers.list) {
        vec_foreach (ab, &a->peers) {
            const struct vnrs_spk_peer_config *ba = NULL;
            vec_foreach (b, &speakers.list) {
                if (!vnrs_addr_equal(&b->config.local, &ab->addr))
                    continue;
                assert_int_equal(b->config.asn, ab->asn);
                vec_foreach (peer, &b->peers)
                    ba = vnrs_addr_equal(&peer->addr, &a->config.local) ? peer : ba;
                assert(ba);
                assert_int_equal(ab->passive + ba->passive, 1);
                n++;
            }
            assert_int_equal(ba == NULL, vnrs_peer_is_outside(ab));
        }
    }
    assert_int_equal(n, 2 * (2 * 4 + 1 + 2 * 2)); // Route Server and gateways, twins, gateway and MSEEs
    vnrs_speakers_fini(&speakers);
    vnrs_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_server_instance),
        cmocka_unit_test(nothing_without_route_server),
        cmocka_unit_test(who_speaks_with_whom),
        cmocka_unit_test(sessions_have_two_ends),
    };
    return cmocka_run_group_tests_name("plan.speakers", tests, NULL, NULL);
}
