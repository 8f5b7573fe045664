// SPDX-License-Identifier: GPL-2.0-or-later
// One BGP speaker without its sockets: configuration, peers, RIB, what is taken in (bgp/adj_in.h) and what is told
// (bgp/adj_out.h). Pure: time, bytes and connections come from the owner, who is called back through `ops`.
#pragma once

#include "bgp/import.h"
#include "bgp/peer.h"
#include "bgp/retain.h"
#include "bgp/rib.h"
#include "net/trie.h"
#include "util/vec.h"

#define VNRS_BGP_PEERS_MAX    62u // slots without SLOT_LOCAL and SLOT_STATIC
#define VNRS_BGP_QUIET_MS     2000u
#define VNRS_BGP_SILENCE_MS   4000u // of a peer without any route yet: BIRD 2.0 may sleep for 3 s before its first UPDATE
#define VNRS_BGP_BURST_MS     10000u
#define VNRS_BGP_EOR_WAIT_MS  10000u // of silence, where End-of-RIB is sure to come
#define VNRS_BGP_RESTART_S    120u
#define VNRS_BGP_GIVE_UP_MS   10000u
#define VNRS_BGP_EXPORT_CACHE 256u
#define VNRS_BGP_BATCH        8192u // prefixes of one UPDATE
#define VNRS_BGP_ITEMS        4096u // paths of several, with ADD-PATH

struct vnrs_bgp_speaker;
struct vnrs_bgp_out;

struct vnrs_bgp_member { // a configured peer
    struct vnrs_bgp_speaker *speaker;
    struct vnrs_spk_peer_config conf;
    struct vnrs_bgp_peer peer;
    unsigned slot;          // in the RIB
    uint64_t configured_ms; // since when it could have come up
    uint64_t heard_ms;      // last UPDATE, or Established
    bool eor_in[_VNRS_BGP_AF_MAX];
    bool eor;                           // initial routes are complete, as far as can be told
    bool eor_out[_VNRS_BGP_AF_MAX];     // End-of-RIB is to be sent once everything is told
    bool refresh_due[_VNRS_BGP_AF_MAX]; // the peer asked for everything again
    bool eorr_out[_VNRS_BGP_AF_MAX];    // End-of-Route-Refresh is to be sent once everything is told
    bool was_up;
    struct vnrs_bgp_import *import; // of the inbound route map, NULL: none
    struct vnrs_bgp_retain retain;
    VEC(struct vnrs_prefix) forgotten; // summaries of a map that is no longer its: to be withdrawn (bgp/adj_out_map.h)
    size_t locals_told;                // of the prefixes originated here, at the start of a session
    uint64_t complete_at;              // entries of its queue that leave the ring before it has heard of everything
    struct vnrs_spk_bfd_state bfd;     // as the owner said last
    uint32_t advertised;
    uint64_t burst_begin_ms, burst_last_ms, burst_again; // announcements of what was there (bgp/adj_in.h)
    uint32_t n_loops, n_treated_as_withdraw;             // UPDATEs, since the peer was configured
    bool changed; // state differs from what the controller was told; cleared by the owner
};

// Who watches a speaker (BMP, MRT). Called from within what happens: it may look, and change nothing. NULL: not wanted.
struct vnrs_bgp_observer {
    void (*received)(void *arg, struct vnrs_bgp_member *member, enum vnrs_bgp_side side, const uint8_t *msg,
                     size_t len); // before it is handled
    void (*malformed)(void *arg, struct vnrs_bgp_member *member, const uint8_t *msg, size_t len); // UPDATE, RFC 7606
    void (*changed)(void *arg, struct vnrs_bgp_member *member);                                   // maybe its state
    void (*up)(void *arg, struct vnrs_bgp_member *member);
    void (*down)(void *arg, struct vnrs_bgp_member *member); // before its routes go; member->peer.end_* tell why
    void (*path)(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id,
                 bool best); // vnrs_bgp_rib.changed
    // A prefix is being announced or withdrawn; `path_id` with ADD-PATH, else 0; bit per slot.
    void (*told)(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id, uint64_t members);
};

struct vnrs_bgp_speaker_ops {
    void (*connect)(void *arg, struct vnrs_bgp_member *member);
    void (*close)(void *arg, struct vnrs_bgp_member *member, enum vnrs_bgp_side side);
    void (*send)(void *arg, struct vnrs_bgp_member *member, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len);
    // Whether a message of the session's largest size can be sent now.
    bool (*has_room)(void *arg, const struct vnrs_bgp_member *member);
    uint32_t (*random)(void *arg);
    // Every path of the member is about to be withdrawn; may be NULL.
    void (*lost)(void *arg, const struct vnrs_bgp_member *member);
    // An UPDATE had errors and was, or is going to be, taken as `outcome` says. NULL: nobody wants to know.
    void (*malformed)(void *arg, const struct vnrs_bgp_member *member, enum vnrs_bgp_outcome outcome,
                      const struct vnrs_bgp_update *update, const uint8_t *msg, size_t len);
};

typedef VEC(struct vnrs_prefix) vnrs_bgp_prefix_list;

struct vnrs_bgp_group { // what peers have in common to whom the same is told in the same form (bgp/adj_out.h)
    bool ibgp, as4, extended_message, ext_nexthop;
    uint8_t kind;           // enum vnrs_spk_peer_kind
    struct vnrs_addr local; // next hop, where the instance is it
    bool mp[_VNRS_BGP_AF_MAX], add_path[_VNRS_BGP_AF_MAX];
    uint8_t pad[6];                 // 0: compared by bytes
    const struct vnrs_bgp_map *map; // outbound route map, NULL: none
};

struct vnrs_bgp_batch { // an entry of the message that is made
    struct vnrs_bgp_dest *dest;
    uint64_t consumers; // for whom it was taken
    uint64_t withdraw;  // of them, who has to forget it
    uint64_t listeners; // with ADD-PATH, who is told of any path
};

struct vnrs_bgp_item {                  // a path of an entry, with ADD-PATH
    const struct vnrs_bgp_attrs *attrs; // NULL: withdraw
    uint64_t to;
    const struct vnrs_bgp_dest *dest;
    struct vnrs_bgp_path *path;
    uint32_t id;
};

struct vnrs_bgp_form {        // in which attributes are told on; compared as bytes
    struct vnrs_addr nexthop; // NONE: as received
    bool ibgp, mark, public_only, no_export;
    uint8_t pad[3];
    uint32_t originator; // reflected: the identifier of who the path is from; 0: not reflected
};

struct vnrs_bgp_export { // attributes as received, and as they are told on
    const struct vnrs_bgp_attrs *in, *out;
    struct vnrs_bgp_form form;
    const struct vnrs_bgp_map *map; // and what it did, as in vnrs_bgp_map_outcome
    uint64_t fired, summarised;
};

struct vnrs_bgp_speaker {
    const struct vnrs_bgp_speaker_ops *ops;
    void *arg;
    const struct vnrs_bgp_observer *observer; // NULL: none
    void *observer_arg;
    uint64_t now;
    bool configured;
    bool has_route_server; // among the peers
    bool deferring;        // restarted: nothing is told before the peers' routes are in (RFC 4724 section 4.1)
    uint64_t defer_until;  // at the latest
    struct vnrs_spk_config conf;
    struct vnrs_bgp_tellings tellings;                   // of conf
    struct vnrs_bgp_member *members[VNRS_BGP_PEERS_MAX]; // by slot
    struct vnrs_bgp_policy *policy;                      // route maps, NULL: none
    struct vnrs_bgp_attr_table *attrs;
    struct vnrs_bgp_rib rib;
    const struct vnrs_bgp_attrs *local_attrs;         // of what is originated
    vnrs_bgp_prefix_list locals, statics;             // sorted
    struct vnrs_trie cover;                           // of them those inside no other
    struct vnrs_bgp_group groups[VNRS_BGP_PEERS_MAX]; // by number of their queue
    struct vnrs_bgp_out *outs[VNRS_BGP_PEERS_MAX];    // likewise: summaries of their maps
    struct vnrs_bgp_export exports[VNRS_BGP_EXPORT_CACHE];
    struct vnrs_bgp_batch batch[VNRS_BGP_BATCH];
    struct vnrs_bgp_item items[VNRS_BGP_ITEMS];
    struct vnrs_prefix batch_prefixes[VNRS_BGP_BATCH];
    uint32_t batch_path_ids[VNRS_BGP_BATCH];
    uint8_t message[VNRS_BGP_MSG_EXTENDED_MAX]; // that is made
    uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
    uint8_t edit_scratch[VNRS_BGP_ATTR_SCRATCH_BYTES];
};

// Returns NULL when out of memory. `seed` is random.
struct vnrs_bgp_speaker *vnrs_bgp_speaker_new(const struct vnrs_bgp_speaker_ops *ops, void *arg,
                                              uint64_t seed) VNRS_MUST_CHECK;
// Says nothing to the peers: call _stop before.
void vnrs_bgp_speaker_free(struct vnrs_bgp_speaker *speaker);
// From now on; NULL: nobody watches.
void vnrs_bgp_speaker_observe(struct vnrs_bgp_speaker *speaker, const struct vnrs_bgp_observer *observer, void *arg);
// For vnrs_bgp_rib.changed of a table of received routes (bgp/import.h); `arg` is the speaker.
void vnrs_bgp_speaker_note_path(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id,
                                bool best);

// Brings the speaker to this configuration. Peers are told apart by address; sessions of those that did not change go
// on. *policy has the maps to which peers refer (NULL, or *policy NULL: none); it is taken once it is in use. Returns
// 0, -EINVAL (unusable value), -E2BIG (too many peers), -EEXIST (an address twice), all without effect, or -ENOMEM,
// after which the configuration is incomplete and has to be set again.
int vnrs_bgp_speaker_configure(struct vnrs_bgp_speaker *speaker, uint64_t now_ms, const struct vnrs_spk_config *conf,
                               const struct vnrs_spk_own *own, size_t n_own, const struct vnrs_spk_peer_config *peers,
                               size_t n_peers, struct vnrs_bgp_policy **policy) VNRS_MUST_CHECK;
// Every session ends with Cease, administrative shutdown, nothing is retained.
void vnrs_bgp_speaker_stop(struct vnrs_bgp_speaker *speaker, uint64_t now_ms);
void vnrs_bgp_speaker_tick(struct vnrs_bgp_speaker *speaker, uint64_t now_ms);
uint64_t vnrs_bgp_speaker_next(const struct vnrs_bgp_speaker *speaker); // earliest deadline, or VNRS_BGP_NEVER
// Every peer is Established and complete, is shut down, or did not come up in time (hold time, at least 10 s).
bool vnrs_bgp_speaker_is_converged(const struct vnrs_bgp_speaker *speaker, uint64_t now_ms);

// The peer that is a source in the RIB; NULL: the speaker itself.
struct vnrs_bgp_member *vnrs_bgp_speaker_member(const struct vnrs_bgp_speaker *speaker, unsigned slot);
// The instance's address in the session.
const struct vnrs_addr *vnrs_bgp_member_local(const struct vnrs_bgp_member *member);
struct vnrs_bgp_member *vnrs_bgp_speaker_find_addr(const struct vnrs_bgp_speaker *speaker,
                                                   const struct vnrs_addr *addr);
struct vnrs_bgp_member *vnrs_bgp_speaker_find_name(const struct vnrs_bgp_speaker *speaker, const char *name);
// Ends the session with Cease, administrative reset and opens a new one. `text` (RFC 9003) may be empty.
void vnrs_bgp_member_clear(struct vnrs_bgp_member *member, uint64_t now_ms, const char *text);
// What the owner's BFD session with the peer says now (all zero: there is none). A failure ends the BGP session, and
// what is kept for a restart of the peer where its BFD does not share the fate of its BGP (RFC 5882 section 4.3).
void vnrs_bgp_member_bfd(struct vnrs_bgp_member *member, uint64_t now_ms, const struct vnrs_spk_bfd_state *state);
// Asks the peer for its routes again: ROUTE-REFRESH, or a reset where it cannot do that, as Azure does.
void vnrs_bgp_member_refresh(struct vnrs_bgp_member *member, uint64_t now_ms);
