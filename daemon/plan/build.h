// SPDX-License-Identifier: GPL-2.0-or-later
// Inside of plan/desired: what its parts share while the list of objects grows.
#pragma once

#include "plan/desired.h"
#include "util/hash.h"

struct build {
    const struct vnrs_model *model;
    const struct vnrs_routing *routing;
    struct vnrs_ids *ids;
    struct vnrs_desired *out;
    struct vnrs_map taken; // names that must be unique → what
    struct vnrs_addr edge4, edge6;
    char *error; // 256 bytes
    int failed;  // the first negative errno
};

// The new object's spec, zeroed, or NULL (the build has failed then). `key` and `what` are in the arena or static.
void *build_object(struct build *b, enum vnrs_obj_type type, const char *key, const char *what);
int build_fail(struct build *b, int err, const char *fmt, ...) VNRS_PRINTF(3, 4);
// Text in the arena; never NULL (a failed build has "").
const char *build_text(struct build *b, const char *fmt, ...) VNRS_PRINTF(2, 3);
// A name that nothing else of the lab may have.
void build_take(struct build *b, const char *name, const char *what);

struct vnrs_ag_netns build_netns(const char *name);
void build_end_addr(struct vnrs_link_end *end, const struct vnrs_addr *addr, unsigned len);
// Both ends of a NIC; the caller adds addresses to `b`. `guest` is the namespace of the guest end.
struct vnrs_obj_link *build_nic(struct build *b, const char *key, const char *what, const struct vnrs_ag_netns *guest,
                                const char *ifname, unsigned mtu);
// `via` NULL: on link.
struct vnrs_obj_route *build_route(struct build *b, const char *ns, const char *ifname,
                                   const struct vnrs_prefix *prefix, const struct vnrs_addr *via);
struct vnrs_prefix build_default(uint8_t family);

// The machine's address on its link to what is behind it, by the link's key.
struct vnrs_addr build_transfer_addr(struct build *b, const char *key, uint8_t family);
// The link of a namespace to the Internet edge, with a public address.
void build_public(struct build *b, const char *ns, const struct vnrs_addr *addr, const char *what);

// impair.c: the guest table of a NIC, if it has one, waits.
int vnrs_desired_hold(struct vnrs_desired *desired, const char *key) VNRS_MUST_CHECK;
void build_internet(struct build *b);
void build_gateways(struct build *b);
void build_services(struct build *b);
void build_probers(struct build *b);
void build_hosts_behind(struct build *b);
