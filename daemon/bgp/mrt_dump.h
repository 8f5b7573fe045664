// SPDX-License-Identifier: GPL-2.0-or-later
// The whole RIB of a speaker as an MRT table dump (RFC 6396 section 4.3): the index of peers, in which the speaker
// itself is the first, then one record per prefix with the paths of all sources, also those that are not used. The time
// of a path is that of its session. Made piece by piece: between two calls the RIB may change; a prefix that is there
// throughout is told once. Pure.
#pragma once

#include "bgp/mrt.h"
#include "bgp/speaker_core.h"

struct vnrs_mrt_dump {
    struct vnrs_bgp_speaker *speaker;
    char view[VNRS_PEER_NAME_MAX]; // name of the RIB
    bool begun;
    size_t at; // next entry of the RIB
    uint32_t sequence;
    struct vnrs_addr peers[VNRS_BGP_SLOTS]; // whom the index has, by slot
    uint16_t index[VNRS_BGP_SLOTS];
    uint8_t *record; // in work
    size_t size, len, used;
};

void vnrs_mrt_dump_init(struct vnrs_mrt_dump *dump, struct vnrs_bgp_speaker *speaker, const char *view);
void vnrs_mrt_dump_fini(struct vnrs_mrt_dump *dump);
// The next bytes of the dump; `wall_s` is the time of day. Returns how many there are, 0 at the end, or -ENOMEM. It
// also ends a call early (with fewer bytes than fit) after VNRS_MRT_DUMP_RUN entries of the RIB.
#define VNRS_MRT_DUMP_RUN 4096u
ssize_t vnrs_mrt_dump_read(struct vnrs_mrt_dump *dump, uint64_t now_ms, uint32_t wall_s, uint8_t *buf,
                           size_t size) VNRS_MUST_CHECK;
