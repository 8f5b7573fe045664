// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to Adj-RIB-Out (bgp/adj_out.h): a turn of some members of one group, in which they are told what is due to
// them, a little at a time. Pure.
#pragma once

#include "bgp/speaker_core.h"

enum vnrs_bgp_turn_kind { // where entries are taken from
    VNRS_BGP_TURN_RING,   // for all of the group who are in step
    VNRS_BGP_TURN_WALK,   // for those who are not
    VNRS_BGP_TURN_LOCALS, // for one who begins: what is originated here leaves first, together, as a Route Server's
                          // does
};

struct vnrs_bgp_turn {
    struct vnrs_bgp_speaker *sp;
    const struct vnrs_bgp_group *group;
    unsigned number; // of the group and its queue
    enum vnrs_bgp_turn_kind kind;
    uint64_t consumers; // all have room for VNRS_BGP_MSG_EXTENDED_MAX octets
    unsigned *looks;    // entries that may still be looked at
};

// The next entry, and who of the consumers is to hear of it. To be given back (last first), or vnrs_bgp_rib_done.
struct vnrs_bgp_dest *vnrs_bgp_turn_take(const struct vnrs_bgp_turn *turn, uint64_t *ret_for);
void vnrs_bgp_turn_give_back(const struct vnrs_bgp_turn *turn, struct vnrs_bgp_dest *dest, uint64_t consumers);
// Encodes the first of sp->batch_prefixes and sp->batch_path_ids into sp->message and sends it to all of `to`. Returns
// how many prefixes went in; 0: the attributes are too large.
size_t vnrs_bgp_turn_send(const struct vnrs_bgp_turn *turn, uint8_t af, uint64_t to, const struct vnrs_bgp_attrs *attrs,
                          size_t n);
void vnrs_bgp_turn_deliver(struct vnrs_bgp_speaker *speaker, uint64_t to, int len); // what is in sp->message
// An entry is now advertised to `told`, and not to `forgot`.
void vnrs_bgp_turn_mark(struct vnrs_bgp_speaker *speaker, struct vnrs_bgp_dest *dest, uint64_t told, uint64_t forgot);

// The lowest of them, which is taken out.
static inline struct vnrs_bgp_member *vnrs_bgp_take_member(const struct vnrs_bgp_speaker *sp, uint64_t *members)
{
    unsigned slot = (unsigned)__builtin_ctzll(*members);
    *members &= *members - 1;
    return sp->members[slot];
}

// adj_out_paths.c: a turn of a group that is told all paths of a prefix, by identifier (RFC 7911). Returns false when
// there was nothing to tell, -ENOMEM in *ret_err.
bool vnrs_bgp_turn_paths(const struct vnrs_bgp_turn *turn, int *ret_err);
