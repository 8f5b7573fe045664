// SPDX-License-Identifier: GPL-2.0-or-later
// Why the packet path did not forward a packet. One list for the BPF program, the controller and the CLI.
// Append only: the numbers index a pinned counter map.
#pragma once

#define VNRS_DROP_REASONS(X)                                                                                           \
    X(VNRS_DROP_UNSPEC, "unspecified")                                                                                 \
    X(VNRS_DROP_UNKNOWN_NIC, "ingress link is not a NIC of this lab")                                                  \
    X(VNRS_DROP_MALFORMED, "malformed packet")                                                                         \
    X(VNRS_DROP_VLAN, "VLAN tag")                                                                                      \
    X(VNRS_DROP_MULTICAST, "broadcast or multicast")                                                                   \
    X(VNRS_DROP_ETHERTYPE, "not ARP, IPv4 or IPv6")                                                                    \
    X(VNRS_DROP_SOURCE, "source address is not the NIC's and IP forwarding is off")                                    \
    X(VNRS_DROP_NO_ROUTE, "no route")                                                                                  \
    X(VNRS_DROP_NONE_ROUTE, "next hop type None")                                                                      \
    X(VNRS_DROP_NO_ENDPOINT, "no NIC has the destination address")                                                     \
    X(VNRS_DROP_DEAD_NEXTHOP, "next hop is not reachable")                                                             \
    X(VNRS_DROP_DESTINATION, "destination is not the NIC's and IP forwarding is off")                                  \
    X(VNRS_DROP_SERVICE_DENIED, "service does not allow this subnet")                                                  \
    X(VNRS_DROP_TOO_BIG, "larger than the MTU")                                                                        \
    X(VNRS_DROP_PROTOCOL, "protocol not carried by the fabric (GRE, IP in IP)")                                        \
    X(VNRS_DROP_PLATFORM, "platform address is not served")                                                            \
    X(VNRS_DROP_NOT_FORWARDED, "peering does not allow forwarded traffic")                                             \
    X(VNRS_DROP_LINK_DOWN, "link of the NIC is down")                                                                  \
    X(VNRS_DROP_LINK_LOSS, "lost on an impaired link")

enum vnrs_drop_reason {
#define X(id, text) id,
    VNRS_DROP_REASONS(X)
#undef X
        _VNRS_DROP_MAX
};
