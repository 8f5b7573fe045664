// SPDX-License-Identifier: GPL-2.0-or-later
// veth pairs: both ends made straight in their namespaces with name, index, MAC and MTU, then the alias
// "vnrs:<lab>:<key>", addresses, up. What is there is read first and only the difference is written: addresses, MTU,
// MAC and state in place; another index or peer means a new pair. Addresses of ours carry the address protocol
// VNRS_RTPROT; those of others on the link stay. A link of that name with another alias is never touched, nor, in a
// namespace of others, one without.
#pragma once

#include "lab/err.h"
#include "lab/rtnl.h"
#include "vnrs/agent_proto.h"

#include <stdbool.h>

// Where a pair lives. The sockets are the caller's, opened in the namespaces.
struct vnrs_link_place {
    struct vnrs_rtnl *a, *b;
    int ns_b; // the namespace of end b
    // Called for a pair that was just made, while both ends are down: the kernel waits for a grace period to change the
    // queueing disciplines of a link that is up. `a` may be used. NULL: nothing is to be done then.
    int (*made)(void *arg, struct vnrs_rtnl *a, uint32_t ifindex_a, struct vnrs_err *err);
    void *arg;
    bool fresh; // the namespace of end b was just made: nobody looks whether the pair is there before it is made
};

struct vnrs_link_index {
    uint32_t a, b;
};

// Makes the kernel agree with `spec`. On success *ret_outcome and the indexes are set.
int vnrs_link_ensure(const char *lab, const char *key, const struct vnrs_obj_link *spec,
                     const struct vnrs_link_place *place, enum vnrs_ag_outcome *ret_outcome,
                     struct vnrs_link_index *ret_index, struct vnrs_err *err) VNRS_MUST_CHECK;
// Where a link was put: spares a look at all links of the namespace.
struct vnrs_link_hint {
    uint32_t ifindex; // 0: not known
    const char *ifname;
};

// Removes the link with the alias of (lab, key) in the socket's namespace, and so its peer. 1: removed, 0: none there.
// `hint` may be NULL.
int vnrs_link_remove(const char *lab, const char *key, const struct vnrs_link_hint *hint, struct vnrs_rtnl *nl,
                     struct vnrs_err *err) VNRS_MUST_CHECK;
// Calls `fn` for each link of the namespace that carries an alias of the lab. `fn` must not use `nl`.
int vnrs_link_walk(const char *lab, struct vnrs_rtnl *nl, void (*fn)(const char *key, uint32_t ifindex, void *arg),
                   void *arg) VNRS_MUST_CHECK;
// Whether there is a link of that name that is up.
bool vnrs_link_is_up(struct vnrs_rtnl *nl, const char *ifname);
// The index of a link by name, or -ENODEV.
int vnrs_link_find(struct vnrs_rtnl *nl, const char *ifname, uint32_t *ret_ifindex) VNRS_MUST_CHECK;
