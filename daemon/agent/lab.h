// SPDX-License-Identifier: GPL-2.0-or-later
// What the agent knows of a lab: the objects it was asked to make, with their specs, in memory and in a journal on disk
// (<run>/labs/<lab>/objects), and the controller's record (<run>/labs/<lab>/record), which is bytes to us. The journal
// is written before an object is made, so that whatever exists can be found and removed by the next agent.
#pragma once

#include "agent/agentd.h"
#include "fib/bpf_dataplane.h"
#include "fib/sink.h"
#include "lab/link.h"
#include "lab/proc.h"
#include "util/vec.h"

struct vnrs_agentd_flows;
struct vnrs_agentd_speaker;
struct vnrs_agentd_watch;
struct vnrs_agentd_proc;
struct vnrs_agentd_tunnel;

struct vnrs_agentd_object {
    struct vnrs_agentd_lab *lab;
    struct vnrs_ag_obj obj;
    char id[VNRS_KEY_MAX + 8]; // "<type>:<key>"
    union vnrs_agentd_spec spec;
    struct vnrs_link_index index;        // LINK
    uint64_t listing;                    // SNAT: hash of what nft showed
    bool unwritten;                      // the journal does not have this spec
    bool live;                           // TABLE: the guest sink knows it
    bool fresh;                          // NETNS: it was made by this agent
    struct vnrs_agentd_proc *proc;       // PROC: its processes are watched
    struct vnrs_agentd_tunnel *tunnel;   // PROC: it is the end of one
    bool carrier;                        // LINK of a tunnel: end a had one
    struct vnrs_agentd_speaker *speaker; // SPEAKER
    struct vnrs_agentd_watch *watch;     // NETNS, TABLE, SNAT
};

struct vnrs_agentd_settling { // a request that is answered when a pass of the guest sink is done
    uint32_t seq;
    uint64_t pass;
};

struct vnrs_agentd_lab {
    struct vnrs_agentd *ad;
    char name[VNRS_LAB_NAME_MAX];
    char dir[256];
    struct vnrs_map objects; // struct vnrs_agentd_object by id
    int journal_fd;          // -1: not open yet
    size_t journal_waste;    // bytes of superseded entries

    char *upload; // record that is being received
    uint32_t upload_total, upload_have;

    // The fabric, while it is known to be there.
    int fabric_fd;
    struct vnrs_rtnl fabric_nl; // closed: not needed yet
    struct vnrs_agentd_watch *fabric_watch;
    struct vnrs_agentd_watch *nft_watch; // kernel's data plane
    int pins_watch;                      // names.h; -1: none
    struct vnrs_bpf_dataplane *dataplane;
    struct vnrs_sink *fabric_sink, *guest_sink;
    struct event *guest_turn; // guest tables are not done
    VEC(struct vnrs_agentd_settling) settling;
    struct vnrs_agentd_flows *flows; // NULL: nobody wants to see packets

    struct event *suspect_timer;
    struct vnrs_ag_obj suspect; // the first one since the last event
    bool is_suspect;
    unsigned suspect_delay_ms; // that the last one waited
    uint64_t suspected_ms;     // when it was sent
};

// The lab by name; `make` adds one that is not there. NULL: not there, or out of memory.
struct vnrs_agentd_lab *vnrs_agentd_lab_find(struct vnrs_agentd *ad, const char *name, bool make);
// All labs that have a directory. Returns 0 or a negative errno.
int vnrs_agentd_labs_load(struct vnrs_agentd *ad) VNRS_MUST_CHECK;
void vnrs_agentd_labs_free(struct vnrs_agentd *ad);
uint64_t vnrs_agentd_lab_writes(const struct vnrs_agentd_lab *lab); // of its sinks so far

struct vnrs_agentd_object *vnrs_agentd_object_find(const struct vnrs_agentd_lab *lab, uint32_t type, const char *key);
// Add or change; written to the journal where it differs from what is there. NULL on failure, with `err`.
struct vnrs_agentd_object *vnrs_agentd_object_put(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *obj,
                                                  const union vnrs_agentd_spec *spec, struct vnrs_err *err);
// Write it again (its listing changed).
int vnrs_agentd_object_store(struct vnrs_agentd_object *object) VNRS_MUST_CHECK;
// Forget it, in the journal as well.
void vnrs_agentd_object_drop(struct vnrs_agentd_object *object);

// A piece of the record; the last one makes it the lab's. total 0: record and everything else of the lab is forgotten.
int vnrs_agentd_record_put(struct vnrs_agentd *ad, const struct vnrs_ag_record *piece, const void *data, size_t size,
                           struct vnrs_err *err) VNRS_MUST_CHECK;
// The stored record: malloc'ed, or -ENOENT.
int vnrs_agentd_record_load(const struct vnrs_agentd_lab *lab, char **ret_bytes, size_t *ret_size) VNRS_MUST_CHECK;
