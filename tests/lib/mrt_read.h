// SPDX-License-Identifier: GPL-2.0-or-later
// A strict reader of MRT files (RFC 6396, RFC 8050), for tests: what a record says about itself must add up to the last
// octet, peers that are referred to must exist, attributes and messages must have their lengths right. Records of other
// kinds are passed over. Everything handed out borrows the file's bytes.
#pragma once

#include "bgp/wire.h"
#include "net/addr.h"

#define MRT_PEERS_MAX 4096u

enum mrt_kind { MRT_OTHER, MRT_PEERS, MRT_RIB, MRT_MESSAGE, MRT_STATE };

struct mrt_peer {
    uint32_t id, asn;
    struct vnrs_addr addr;
};

struct mrt_reader {
    struct vnrs_wire in;
    size_t offset; // of the record in work, for messages
    struct mrt_peer peers[MRT_PEERS_MAX];
    size_t n_peers;
    bool has_peers;
    const char *why; // after a failure: what was wrong, a literal
};

struct mrt_entry { // one path of a RIB record
    uint16_t peer;
    uint32_t time, path_id;
    const uint8_t *attrs; // whole attributes; 4-octet ASNs; MP_REACH_NLRI has the next hop only
    size_t attrs_len;
};

struct mrt_record {
    enum mrt_kind kind;
    uint32_t time;
    bool add_path;
    // RIB
    uint32_t sequence;
    struct vnrs_prefix prefix;
    uint16_t n_entries;
    struct vnrs_wire entries; // for mrt_entry_next
    // MESSAGE, STATE
    bool as4;
    uint32_t peer_asn, local_asn;
    struct vnrs_addr peer, local;
    const uint8_t *msg; // with its header
    size_t len;
    uint16_t from, to; // STATE
    // PEERS
    uint32_t collector;
    const uint8_t *view;
    size_t view_len;
};

void mrt_reader_init(struct mrt_reader *reader, const uint8_t *bytes, size_t len);
// 1 and *ret_record, 0 at the end, -EBADMSG with reader->why set.
int mrt_next(struct mrt_reader *reader, struct mrt_record *ret_record) VNRS_MUST_CHECK;
// The entries of a RIB record, which were checked: false after the last.
bool mrt_entry_next(struct mrt_record *record, struct mrt_entry *ret_entry) VNRS_MUST_CHECK;
