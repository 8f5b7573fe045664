// SPDX-License-Identifier: GPL-2.0-or-later
// What one monitoring station is told (BMP, bgp/bmp.h): at first every peer that is up and all that the chosen RIBs
// hold, then what changes. Changes wait as prefixes, each once, and their state is looked up when they are told: only
// the newest is. Memory is bounded; a station that is too far behind has failed and is to be dropped and told anew.
// Messages about peers come before routes that wait: with its Peer Down a peer's routes are gone. Pure.
//
// A peer's routes are told when it is Established, also those that were retained from before its restart. Adj-RIB-In
// before policy is what is kept as received (bgp/import.h): a route that is refused outright is in no RIB. After policy
// it is what came through the inbound route map and may be used.
#pragma once

#include "bgp/bmp.h"
#include "bgp/speaker_core.h"
#include "util/hash.h"

#include <sys/queue.h>

#define VNRS_BMP_PENDING_MAX 131072u // prefixes that wait
#define VNRS_BMP_URGENT_MAX  1048576u
#define VNRS_BMP_CHUNK       4352u
#define VNRS_BMP_VIEWS       4u // Adj-RIB-In before and after policy, Loc-RIB, Adj-RIB-Out

struct vnrs_bmp_key { // of what waits; no padding that is not zero
    struct vnrs_prefix prefix;
    uint8_t pad[2];
    uint32_t path_id; // the peers' for what is received, ours for what they are told; 0: without ADD-PATH
};

struct vnrs_bmp_change {
    struct vnrs_bmp_key key;
    // Bit per slot: whose path may have changed, SLOT_LOCAL stands for the Loc-RIB; to whom something else is told.
    uint64_t in, out;
    STAILQ_ENTRY(vnrs_bmp_change) entry;
};

struct vnrs_bmp_feed {
    struct vnrs_bgp_speaker *speaker;
    uint32_t ribs; // VNRS_SPK_BMP_*
    char name[VNRS_BMP_TEXT_MAX];
    uint64_t wall_offset_us; // time of day minus the speaker's clock
    bool failed;             // it cannot keep up, or memory ran out
    // Bits per slot, SLOT_LOCAL for the Loc-RIB: told as up; whose changes are told; waiting for a walk through the
    // RIB; in the walk under way; whose End-of-RIB is due.
    uint64_t up, live, due, walking, eor;
    size_t walk_at;
    unsigned walk_table; // 0: the RIB; slot + 1: what that peer with a map was received to say
    unsigned eor_view, eor_slot, eor_af;
    struct vnrs_map index; // of what waits, by prefix
    STAILQ_HEAD(, vnrs_bmp_change) pending;
    // Being told: a piece of the walk, or changes. The cursor is (view, slot, place).
    struct vnrs_bmp_change chunk[VNRS_BMP_CHUNK];
    size_t n_chunk, at;
    unsigned view, slot;
    bool is_walk; // what is not there need not be withdrawn
    uint8_t *urgent;
    size_t urgent_cap, urgent_head, urgent_len;
    bool mirror_lost;
};

void vnrs_bmp_feed_init(struct vnrs_bmp_feed *feed, struct vnrs_bgp_speaker *speaker, uint32_t ribs, const char *name,
                        uint64_t wall_offset_us);
void vnrs_bmp_feed_fini(struct vnrs_bmp_feed *feed);

// The next message for the station: its length, or 0 when there is nothing to tell (or it failed). `size` is at least
// VNRS_BMP_MESSAGE_MAX.
size_t vnrs_bmp_feed_next(struct vnrs_bmp_feed *feed, uint8_t *buf, size_t size);
bool vnrs_bmp_feed_is_pending(const struct vnrs_bmp_feed *feed);
// A Statistics Report for every peer that is up.
void vnrs_bmp_feed_statistics(struct vnrs_bmp_feed *feed);

// What happens, as struct vnrs_bgp_observer has it.
void vnrs_bmp_feed_up(struct vnrs_bmp_feed *feed, struct vnrs_bgp_member *member);
void vnrs_bmp_feed_down(struct vnrs_bmp_feed *feed, struct vnrs_bgp_member *member);
void vnrs_bmp_feed_path(struct vnrs_bmp_feed *feed, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id,
                        bool best);
void vnrs_bmp_feed_told(struct vnrs_bmp_feed *feed, const struct vnrs_prefix *prefix, uint32_t path_id,
                        uint64_t members);
void vnrs_bmp_feed_malformed(struct vnrs_bmp_feed *feed, struct vnrs_bgp_member *member, const uint8_t *msg,
                             size_t len);
