// SPDX-License-Identifier: GPL-2.0-or-later
// What a notification of the kernel means for the objects of a lab: whether one of them may not be as it should. What
// our own sockets wrote does not come this far (notify.h), but for what carries no number of who made it: links,
// settings, filters, nftables. There only what differs from what is wanted counts.
#pragma once

#include "agent/lab.h"
#include "lab/netns.h"
#include "lab/notify.h"
#include "lab/snat.h"

// A namespace, and for what of it one listens.
struct vnrs_agentd_place {
    struct vnrs_agentd_lab *lab;
    struct vnrs_ag_obj owner; // what an event names, unless it is about a link
    struct vnrs_notify_groups groups;
    bool fabric;
    char nft_table[VNRS_SNAT_TABLE_MAX]; // changes of this table, and of nothing else; empty: all but nftables
    struct vnrs_netns_id id;
};

// `except`: LINK that was just made, or NULL.
void vnrs_agentd_heard(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg,
                       const struct vnrs_agentd_object *except);
// Messages were lost: anything may have happened.
void vnrs_agentd_heard_lost(const struct vnrs_agentd_place *place);
