// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel routes, next hops, neighbours and rules as values, and their rtnetlink messages. Pure: object to bytes and
// back. Encoders return false when the object does not fit into a message (more than VNRS_NLHOPS_MAX hops).
#pragma once

#include "fib/netlink.h"
#include "net/addr.h"

#include <stdbool.h>

#define VNRS_NLHOPS_MAX 64
#define VNRS_NL_LO      1    // ifindex of lo in every namespace
#define VNRS_NL_METRIC6 1024 // what IPv6 makes of metric 0
#define VNRS_NL_BUCKETS 64   // of resilient groups

struct vnrs_nlhop {
    uint32_t ifindex;
    struct vnrs_addr via; // NONE: on link
    bool onlink;
    uint8_t pad[2]; // 0: compared by bytes
};

static_assert(sizeof(struct vnrs_nlhop) == 24, "no padding");

struct vnrs_nlroute {
    struct vnrs_prefix prefix;
    uint32_t table, metric;
    uint8_t protocol;
    uint8_t type;  // RTN_UNICAST, RTN_BLACKHOLE, RTN_THROW
    uint32_t nhid; // not 0: the hops are those of this object
    uint32_t n_hops;
    struct vnrs_nlhop hops[VNRS_NLHOPS_MAX];
};

struct vnrs_nlnexthop {
    uint32_t id;
    uint8_t protocol;
    uint8_t family; // VNRS_AF_*, of a single hop; NONE: a group
    bool blackhole;
    bool resilient; // group
    struct vnrs_nlhop hop;
    uint32_t n_members;
    uint32_t members[VNRS_NLHOPS_MAX]; // ids
};

struct vnrs_nlneigh { // permanent, of our protocol
    uint32_t ifindex;
    struct vnrs_addr addr;
    struct vnrs_mac mac; // unless proxy
    bool proxy;          // the kernel answers for the address on this link
};

struct vnrs_nlrule {
    uint8_t family, protocol;
    uint32_t priority, table;
    char iif[16];
};

// What to do with an object that is there: create refuses (-EEXIST), put replaces.
enum vnrs_nl_verb { VNRS_NL_CREATE, VNRS_NL_PUT, VNRS_NL_DELETE };

bool vnrs_nlroute_encode(const struct vnrs_nlroute *route, enum vnrs_nl_verb verb,
                         struct vnrs_nlmsg *ret_msg) VNRS_MUST_CHECK;
bool vnrs_nlnexthop_encode(const struct vnrs_nlnexthop *nexthop, enum vnrs_nl_verb verb,
                           struct vnrs_nlmsg *ret_msg) VNRS_MUST_CHECK;
void vnrs_nlneigh_encode(const struct vnrs_nlneigh *neigh, enum vnrs_nl_verb verb, struct vnrs_nlmsg *ret_msg);
void vnrs_nlrule_encode(const struct vnrs_nlrule *rule, enum vnrs_nl_verb verb, struct vnrs_nlmsg *ret_msg);

// Requests for dumps. Routes: of one family and protocol; table 0: of all tables.
void vnrs_nlroute_encode_dump(uint8_t family, uint8_t protocol, uint32_t table, struct vnrs_nlmsg *ret_msg);
void vnrs_nlnexthop_encode_dump(struct vnrs_nlmsg *ret_msg);
void vnrs_nlneigh_encode_dump(uint8_t family, bool proxy, struct vnrs_nlmsg *ret_msg);
void vnrs_nlrule_encode_dump(uint8_t family, struct vnrs_nlmsg *ret_msg);
void vnrs_nllink_encode_dump(struct vnrs_nlmsg *ret_msg);
void vnrs_nllink_encode_get(const char *ifname, struct vnrs_nlmsg *ret_msg);
// Which route of the tables the kernel takes to an address.
void vnrs_nlroute_encode_get(const struct vnrs_addr *to, struct vnrs_nlmsg *ret_msg);

// False: not an object of the kind that these structs can hold (and so not one of ours).
bool vnrs_nlroute_decode(const struct nlmsghdr *msg, struct vnrs_nlroute *ret_route) VNRS_MUST_CHECK;
bool vnrs_nlnexthop_decode(const struct nlmsghdr *msg, struct vnrs_nlnexthop *ret_nexthop) VNRS_MUST_CHECK;
bool vnrs_nlneigh_decode(const struct nlmsghdr *msg, struct vnrs_nlneigh *ret_neigh) VNRS_MUST_CHECK; // ours
bool vnrs_nlrule_decode(const struct nlmsghdr *msg, struct vnrs_nlrule *ret_rule) VNRS_MUST_CHECK; // "iif X lookup T"
// `ret_flags`: IFF_*.
bool vnrs_nllink_decode(const struct nlmsghdr *msg, uint32_t *ret_ifindex, char ret_name[static 16],
                        uint32_t *ret_flags) VNRS_MUST_CHECK;
