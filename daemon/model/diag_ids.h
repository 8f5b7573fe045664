// SPDX-License-Identifier: GPL-2.0-or-later
// Every diagnostic about a topology file: one stable id and one short name. Ids are never reused or renumbered; each
// has a file of the same name in tests/golden/validate/ (a test proves it).
#pragma once

#define VNRS_DIAG_IDS(X)                                                                                               \
    X(VNRS_V_YAML_SYNTAX, 1, "yaml-syntax")                                                                            \
    X(VNRS_V_YAML_FEATURE, 2, "yaml-feature")                                                                          \
    X(VNRS_V_TOO_BIG, 3, "file-too-big")                                                                               \
    X(VNRS_V_DUPLICATE_KEY, 4, "duplicate-key")                                                                        \
    X(VNRS_V_UNKNOWN_KEY, 5, "unknown-key")                                                                            \
    X(VNRS_V_WRONG_TYPE, 6, "wrong-type")                                                                              \
    X(VNRS_V_MISSING_KEY, 7, "missing-key")                                                                            \
    X(VNRS_V_BAD_VALUE, 8, "bad-value")                                                                                \
    X(VNRS_V_OUT_OF_RANGE, 9, "out-of-range")                                                                          \
    X(VNRS_V_BAD_ADDRESS, 10, "bad-address")                                                                           \
    X(VNRS_V_BAD_PREFIX, 11, "bad-prefix")                                                                             \
    X(VNRS_V_PEERED_OVERLAP, 12, "peered-overlap")                                                                     \
    X(VNRS_V_HOST_BITS, 13, "host-bits")                                                                               \
    X(VNRS_V_BAD_NAME, 14, "bad-name")                                                                                 \
    X(VNRS_V_DUPLICATE_NAME, 15, "duplicate-name")                                                                     \
    X(VNRS_V_UNKNOWN_REF, 16, "unknown-reference")                                                                     \
    X(VNRS_V_NOT_BUILT, 17, "not-built-yet")                                                                           \
    X(VNRS_V_KEY_CONFLICT, 18, "key-conflict")                                                                         \
    X(VNRS_V_EMPTY_LIST, 19, "empty-list")                                                                             \
    X(VNRS_V_TOO_MANY, 20, "too-many")                                                                                 \
    X(VNRS_V_TRANSIT_NOT_ALLOWED, 21, "transit-not-allowed")                                                           \
    X(VNRS_V_NO_REMOTE_GATEWAY, 22, "no-remote-gateway")                                                               \
    X(VNRS_V_TWO_REMOTE_GATEWAYS, 23, "two-remote-gateways")                                                           \
    X(VNRS_V_OWN_GATEWAY, 24, "remote-and-own-gateway")                                                                \
    X(VNRS_V_HALF_OPEN_PEERING, 25, "half-open-peering")                                                               \
    X(VNRS_V_PEERED_WITH_ITSELF, 26, "peered-with-itself")                                                             \
    X(VNRS_V_DUPLICATE_PEERING, 27, "duplicate-peering")                                                               \
    X(VNRS_V_HUB_OVERLAP, 28, "hub-overlap")                                                                           \
    X(VNRS_V_EDGE_OVERLAP, 29, "edge-overlap")                                                                         \
    X(VNRS_V_FORBIDDEN_RANGE, 30, "forbidden-range")                                                                   \
    X(VNRS_V_SPACE_OVERLAP, 31, "address-space-overlap")                                                               \
    X(VNRS_V_SUBNET_OUTSIDE, 32, "subnet-outside")                                                                     \
    X(VNRS_V_SUBNET_OVERLAP, 33, "subnet-overlap")                                                                     \
    X(VNRS_V_SUBNET_SIZE, 34, "subnet-size")                                                                           \
    X(VNRS_V_SUBNET6_SIZE, 35, "subnet-ipv6-size")                                                                     \
    X(VNRS_V_ADDRESS_OUTSIDE, 36, "address-outside")                                                                   \
    X(VNRS_V_ADDRESS_RESERVED, 37, "address-reserved")                                                                 \
    X(VNRS_V_ADDRESS_DUPLICATE, 38, "address-duplicate")                                                               \
    X(VNRS_V_SUBNET_FULL, 39, "subnet-full")                                                                           \
    X(VNRS_V_NICS_ACROSS_VNETS, 40, "nics-across-vnets")                                                               \
    X(VNRS_V_RS_SUBNET_MISSING, 41, "rs-subnet-missing")                                                               \
    X(VNRS_V_RS_SUBNET_SMALL, 42, "rs-subnet-small")                                                                   \
    X(VNRS_V_RS_SUBNET_27, 43, "rs-subnet-27")                                                                         \
    X(VNRS_V_RS_SUBNET_ROUTES, 44, "rs-subnet-routes")                                                                 \
    X(VNRS_V_RS_SECOND, 45, "rs-second")                                                                               \
    X(VNRS_V_RS_INSTANCE_IPS, 46, "rs-instance-ips")                                                                   \
    X(VNRS_V_RESERVED_SUBNET, 47, "reserved-subnet")                                                                   \
    X(VNRS_V_RS_DUAL_STACK, 48, "rs-dual-stack")                                                                       \
    X(VNRS_V_GATEWAY_SUBNET_ROUTES, 49, "gateway-subnet-routes")                                                       \
    X(VNRS_V_PEER_ASN_RESERVED, 50, "peer-asn-reserved")                                                               \
    X(VNRS_V_PEER_DUPLICATE, 51, "peer-duplicate")                                                                     \
    X(VNRS_V_PEER_UNREACHABLE, 52, "peer-unreachable")                                                                 \
    X(VNRS_V_PEER_ASN_MISMATCH, 53, "peer-asn-mismatch")                                                               \
    X(VNRS_V_PEER_NOT_RUNNING, 54, "peer-not-running")                                                                 \
    X(VNRS_V_RUN_NO_ASN, 55, "run-no-asn")                                                                             \
    X(VNRS_V_RUN_NO_PEER, 56, "run-no-peer")                                                                           \
    X(VNRS_V_RUN_NOT_FORWARDING, 57, "run-not-forwarding")                                                             \
    X(VNRS_V_TIMERS, 58, "bgp-timers")                                                                                 \
    X(VNRS_V_ANNOUNCE_LOCAL, 59, "announce-local")                                                                     \
    X(VNRS_V_ANNOUNCE_DUPLICATE, 60, "announce-duplicate")                                                             \
    X(VNRS_V_ANNOUNCE_DEFAULT, 61, "announce-default-loop")                                                            \
    X(VNRS_V_COMMUNITY_RESERVED, 62, "community-reserved")                                                             \
    X(VNRS_V_BAD_COMMUNITY, 63, "bad-community")                                                                       \
    X(VNRS_V_ROUTE_CONFLICT, 64, "route-conflict")                                                                     \
    X(VNRS_V_NEXT_HOP_MISSING, 65, "next-hop-missing")                                                                 \
    X(VNRS_V_NEXT_HOP_NOT_ALLOWED, 66, "next-hop-not-allowed")                                                         \
    X(VNRS_V_NEXT_HOP_UNREACHABLE, 67, "next-hop-unreachable")                                                         \
    X(VNRS_V_NEXT_HOP_NOT_FORWARDING, 68, "next-hop-not-forwarding")                                                   \
    X(VNRS_V_APPLIANCE_LOOP, 69, "appliance-loop")                                                                     \
    X(VNRS_V_ROUTE_TABLE_UNUSED, 70, "route-table-unused")                                                             \
    X(VNRS_V_NO_VPN_GATEWAY, 71, "no-vpn-gateway")                                                                     \
    X(VNRS_V_SERVICE_OVERLAP, 72, "service-overlap")                                                                   \
    X(VNRS_V_HOST_OUTSIDE, 73, "host-outside")                                                                         \
    X(VNRS_V_ALLOWED_NO_ENDPOINT, 74, "allowed-no-endpoint")                                                           \
    X(VNRS_V_SERVICE_UNUSED, 75, "service-unused")                                                                     \
    X(VNRS_V_HOST_DUPLICATE, 76, "host-duplicate")                                                                     \
    X(VNRS_V_HOST_IN_VNET, 77, "host-in-vnet")                                                                         \
    X(VNRS_V_LISTED_TWICE, 78, "listed-twice")                                                                         \
    X(VNRS_V_BEHIND_NOT_FORWARDING, 79, "behind-not-forwarding")                                                       \
    X(VNRS_V_ATTACH_NEEDED, 80, "attach-needed")                                                                       \
    X(VNRS_V_INTERFACE_DUPLICATE, 81, "interface-duplicate")                                                           \
    X(VNRS_V_RUN_NOT_POSSIBLE, 82, "run-not-possible")                                                                 \
    X(VNRS_V_INJECT_TABLE, 83, "inject-table")                                                                         \
    X(VNRS_V_CONFIG_FILE, 84, "config-file")                                                                           \
    X(VNRS_V_COUNTED, 85, "counted-name")                                                                              \
    X(VNRS_V_TEST_TARGET, 86, "test-target")                                                                           \
    X(VNRS_V_TEST_EXPECT, 87, "test-expect")                                                                           \
    X(VNRS_V_TEST_PORT, 88, "test-port")                                                                               \
    X(VNRS_V_GATEWAY_SUBNET_SMALL, 89, "gateway-subnet-small")                                                         \
    X(VNRS_V_BGP_PASSWORD, 90, "bgp-password")                                                                         \
    X(VNRS_V_TTL_SECURITY, 91, "ttl-security-hops")                                                                    \
    X(VNRS_V_MAP_EMPTY_MATCH, 92, "route-map-empty-match")                                                             \
    X(VNRS_V_MAP_EMPTY_ACTION, 93, "route-map-empty-action")                                                           \
    X(VNRS_V_MAP_BAD_ACTION, 94, "route-map-bad-action")                                                               \
    X(VNRS_V_MAP_ASN, 95, "route-map-asn")                                                                             \
    X(VNRS_V_MAP_OWN_SPACE, 96, "route-map-own-space")                                                                 \
    X(VNRS_V_MAP_NO_SUMMARY, 97, "route-map-no-summary")                                                               \
    X(VNRS_V_MAP_UNUSED, 98, "route-map-unused")                                                                       \
    X(VNRS_V_MAP_UNREACHABLE, 99, "route-map-unreachable-rule")                                                        \
    X(VNRS_V_BFD, 100, "bfd")                                                                                          \
    X(VNRS_V_BMP_STATION, 101, "bmp-station")                                                                          \
    X(VNRS_V_SUBNET_PEERING, 120, "subnet-peering")                                                                    \
    X(VNRS_V_PEERING_DISCONNECTED, 121, "peering-disconnected")                                                        \
    X(VNRS_V_KEY_OF_OTHER_TYPE, 130, "key-of-other-type")                                                              \
    X(VNRS_V_GATEWAY_INSTANCES, 131, "gateway-instances")                                                              \
    X(VNRS_V_OUTSIDE_FULL, 132, "outside-full")                                                                        \
    X(VNRS_V_GATEWAY_SUBNET_MISSING, 133, "gateway-subnet-missing")

enum vnrs_diag_id {
#define X(id, number, name) id = number,
    VNRS_DIAG_IDS(X)
#undef X
};
