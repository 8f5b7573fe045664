// SPDX-License-Identifier: GPL-2.0-or-later
// The controller's state, shared by its modules. Owned as a tree: control → labs → instances (one per BGP speaker).
// Everything runs in one event loop.
#pragma once

#include "control/agent.h"
#include "control/chan.h"
#include "control/damping.h"
#include "control/fib.h"
#include "control/learned.h"
#include "control/outlet.h"
#include "control/probe.h"
#include "plan/changes.h"
#include "plan/desired.h"
#include "plan/diff.h"
#include "plan/speakers.h"
#include "routing/reach.h"
#include "util/hash.h"
#include "vnrs/speaker_proto.h"

#include <event2/http.h>
#include <jansson.h>

#define VNRS_STALE_WAIT_MS 30000 // how long routes of a dead speaker, and kernel state of a restored lab, are kept

struct vnrs_control;
struct vnrs_lab;

// ---- one BGP instance

struct vnrs_lab_routes { // what is learned in one place
    char *key;           // a hub, by the name of its virtual network; or the domain of a speaker (plan/speakers.h)
    struct vnrs_learned_db *db;
    struct vnrs_damping damping;
};

struct vnrs_spk_pending { // a query under way
    uint32_t id;
    uint64_t asked_ms;
    void (*path)(void *arg, const struct vnrs_spk_path *path);       // or NULL
    void (*detail)(void *arg, const struct vnrs_spk_detail *detail); // or NULL
    void (*end)(void *arg, int error);                               // exactly once
    void *arg;
};

struct vnrs_dump_sink { // who takes an MRT dump
    void (*data)(void *arg, const void *bytes, size_t len);
    void (*end)(void *arg, int error); // exactly once, unless it was stopped
    void *arg;
};

struct vnrs_spk_dumping { // a dump under way
    uint32_t id;
    uint64_t credit; // what the speaker may still send
    struct vnrs_dump_sink sink;
};

#define VNRS_INSTANCE_DUMPS_MAX   4 // as many as a speaker takes
#define VNRS_INSTANCE_OUTLETS_MAX 2

struct vnrs_instance {
    struct vnrs_lab *lab;
    char key[VNRS_KEY_MAX];
    const struct vnrs_speaker *speaker; // of the lab's; NULL: the model has none with that key, or is not there yet
    struct vnrs_chan *chan;             // NULL: the speaker does not run
    uint64_t generation;                // of the HELLO on this channel; what has another one is of an earlier channel
    int fd;                             // came before the lab's model; -1: none
    bool hello;                         // answered
    bool converged;                     // every peer has said all, since the speaker started
    uint8_t features;                   // as last configured, and its peers
    VEC(struct vnrs_spk_peer_config) configured;
    struct vnrs_outlet outlets[VNRS_INSTANCE_OUTLETS_MAX];
    unsigned n_outlets; // 0: without `speaker`
    VEC(struct vnrs_spk_peer) peers;
    VEC(struct vnrs_spk_pending) queries;
    VEC(struct vnrs_spk_dumping) dumps;
    struct event *timer; // end of the bounded wait
};

// ---- objects

struct vnrs_obj_state { // what is known of an object that exists or shall
    enum vnrs_obj_type type;
    char key[VNRS_KEY_MAX];
    char map_key[VNRS_KEY_MAX + 2];
    void *spec, *data; // as last ensured; NULL: unknown
    size_t spec_size, data_size;
    bool there;                    // LIST or ENSURE said so
    bool wanted;                   // desired now
    bool running;                  // PROC, SPEAKER
    enum vnrs_tunnel_state tunnel; // PROC
    bool listed;                   // by the LIST under way
    char *error;                   // of the last attempt, or NULL
};

struct vnrs_lab_domain {              // a route domain that is programmed
    const struct vnrs_domain *domain; // NULL: of a speaker, what it learned and nothing else, for its own table
    uint32_t number;
    struct vnrs_learned_db *learned; // NULL: nothing
};

enum vnrs_lab_stage {
    VNRS_LAB_IDLE,
    VNRS_LAB_LISTING, // actual state is being read; then work begins
    VNRS_LAB_WORKING,
    VNRS_LAB_REMOVING,
};

struct vnrs_lab_link { // said live: links.h
    char key[VNRS_KEY_MAX];
    struct vnrs_impair impair, declared; // the latter: what the file said then
};

struct vnrs_lab {
    struct vnrs_control *control;
    char name[VNRS_LAB_NAME_MAX];
    enum vnrs_lab_stage stage;
    bool renumbered; // a link has another number than planned: plan again
    bool relink;     // what is wrong with links has changed: plan again
    uint64_t passes; // that have begun to work
    char *file, *source;
    json_t *files;            // name → text
    struct vnrs_model *model; // NULL: only leftovers are known
    struct vnrs_model *next;  // accepted; becomes `model` when actual state is read
    struct vnrs_ids *ids;
    struct vnrs_desired desired;
    struct vnrs_speakers speakers; // of the model
    struct vnrs_map objects;       // struct vnrs_obj_state by map_key
    uint64_t generation, reached;
    char *build_error; // the model could not be planned

    size_t work_total, work_done; // requests of the pass that runs
    size_t failed;                // objects whose last attempt failed
    bool again;                   // another pass is due: something came in meanwhile
    bool check_due;               // and is scheduled: somebody changed something
    bool record_due;              // what is stored is not what is wanted
    unsigned retries;
    struct event *retry; // next pass
    uint64_t retry_at_ms;
    uint64_t last_pass_ms, passed_ms; // when the last one began, and when one ended
    char *list_error;                 // actual state could not be read
    unsigned check_gap_ms;            // between two checks; grows while they come one after the other
    unsigned fib_retries;

    struct vnrs_reach *reach;
    struct vnrs_routing *routing;  // without what is learned
    struct vnrs_prefixes prefixes; // of learned and programmed routes
    uint32_t last_origin;          // of merged sets
    VEC(struct vnrs_lab_routes *) routes;
    VEC(struct vnrs_lab_domain) domains; // as last programmed; empty: the model is another one
    struct vnrs_fib_state *fib;
    bool fib_sync;     // the next commit of the whole is a synchronisation
    bool fib_lost;     // nobody knows what the sinks have: no changes before that
    bool fib_items;    // NICs, endpoints and access lists may have changed
    bool fib_ready;    // objects exist, so sinks can be told
    bool fib_hold;     // restored: wait for the speakers
    bool fib_failed;   // one of those that are outstanding, or were answered with them
    bool fib_behind;   // guest tables do not have all that the fabric has
    bool fib_settling; // the agent will say when they have
    bool dirty;
    unsigned recompute_ms; // how long the last one took
    size_t fib_outstanding;
    char *fib_error; // kept until everything was taken
    struct event *fib_retry;
    uint64_t fib_writes;
    struct event *recompute;
    struct event *damped; // what waits may go on
    struct event *hold_timer;

    VEC(struct vnrs_instance *) instances;
    struct vnrs_probes *probes;             // of load balancers' backends; NULL: none
    VEC(struct vnrs_api_call *) destroyers; // answered when the lab is gone
    VEC(struct vnrs_lab_link) links;
    VEC(struct vnrs_api_call *) relinkers; // answered when a pass has made the links so
    size_t removed;
    char *record; // pieces of the record that is being received
    size_t record_have;
    char *record_error;
};

// ---- events

struct vnrs_event_entry {
    uint64_t id;
    int64_t time; // seconds since the epoch
    char lab[VNRS_LAB_NAME_MAX];
    char kind[24];
    char text[256];
};

#define VNRS_EVENTS_MAX 512

struct vnrs_control {
    struct event_base *base;
    struct vnrs_agent *agent;
    struct evhttp *http, *tcp; // the second: clients that only read, or NULL
    uint64_t generation;       // of this controller and of the last HELLO to a speaker, never reused
    bool ready;                // HELLO is answered: the labs are known
    bool lost;                 // the agent is gone
    VEC(struct vnrs_lab *) labs;
    struct vnrs_event_entry events[VNRS_EVENTS_MAX];
    uint64_t n_events;
    struct vnrs_logged *logged;
    VEC(struct vnrs_api_call *) followers; // of the event stream
    VEC(struct vnrs_api_call *) watchers;  // of packets
    uint32_t query_id;
    struct event *query_timer;
    uint64_t recomputes, http_requests;
};

// control.c. Takes both descriptors. `base` is the caller's.
struct vnrs_control *vnrs_control_new(struct event_base *base, int agent_fd, int listen_fd) VNRS_MUST_CHECK;
void vnrs_control_free(struct vnrs_control *control);
struct vnrs_lab *vnrs_control_find_lab(struct vnrs_control *control, const char *name);

// events.c
void vnrs_event_add(struct vnrs_control *control, const struct vnrs_lab *lab, const char *kind, const char *fmt, ...)
    VNRS_PRINTF(4, 5);
json_t *vnrs_event_json(const struct vnrs_event_entry *event);

// watch.c
void vnrs_flows_take(struct vnrs_lab *lab, const struct vnrs_ag_flow_events *head, const void *events, size_t size);
void vnrs_flows_end(struct vnrs_lab *lab); // nobody watches a lab that is gone

// lab.c
struct vnrs_lab *vnrs_lab_new(struct vnrs_control *control, const char *name) VNRS_MUST_CHECK;
void vnrs_lab_free(struct vnrs_lab *lab); // also from the controller's list
// Parse; diagnostics go to `diags`. `files` is borrowed.
struct vnrs_model *vnrs_lab_load(const char *file, const char *source, json_t *files, struct vnrs_diags *diags);
// `model` is taken. Returns 0 or -ENOMEM.
int vnrs_lab_apply(struct vnrs_lab *lab, const char *file, const char *source, json_t *files,
                   struct vnrs_model *model) VNRS_MUST_CHECK;
// From the record; the lab goes on as if it were applied. A record that cannot be used leaves the lab without model.
void vnrs_lab_restore(struct vnrs_lab *lab, const char *record);
void vnrs_lab_destroy(struct vnrs_lab *lab);
// Read actual state and bring everything in line, soon. `suspect`: what exists may differ from what was ensured.
void vnrs_lab_check(struct vnrs_lab *lab, bool suspect);
// Keep an error in `kept` for status. It is logged, and told as an event, when it is another one than before only.
void vnrs_lab_keep_error(struct vnrs_lab *lab, char **kept, const char *text);
void vnrs_lab_clear_error(char **kept);
// Something of the pass that is no object failed: it is kept in `kept`, and tried again.
void vnrs_lab_note_error(struct vnrs_lab *lab, char **kept, const char *text);
// How long to wait before attempt `tries` + 1.
unsigned vnrs_lab_backoff_ms(unsigned tries);
// What is wanted of links has changed: as an apply, now.
void vnrs_lab_relink(struct vnrs_lab *lab);
bool vnrs_lab_is_reached(const struct vnrs_lab *lab);

// objects.c
struct vnrs_obj_state *vnrs_objects_get(struct vnrs_lab *lab, enum vnrs_obj_type type, const char *key);
struct vnrs_obj_state *vnrs_objects_find(const struct vnrs_lab *lab, enum vnrs_obj_type type, const char *key);
void vnrs_objects_drop(struct vnrs_lab *lab, struct vnrs_obj_state *object);
void vnrs_objects_list(struct vnrs_lab *lab, const struct vnrs_ag_found *found, size_t n);
// LIST does not know it.
void vnrs_objects_unlist(struct vnrs_lab *lab, struct vnrs_obj_state *object);
// Desired minus actual, as requests to the agent. Returns how many, or -ENOMEM.
int vnrs_objects_request(struct vnrs_lab *lab) VNRS_MUST_CHECK;
int vnrs_objects_request_removal(struct vnrs_lab *lab) VNRS_MUST_CHECK;
// The passes of lab.c: one request of the pass was answered.
void vnrs_lab_request_done(struct vnrs_lab *lab);

// record.c
int vnrs_record_store(struct vnrs_lab *lab) VNRS_MUST_CHECK;
void vnrs_record_piece(struct vnrs_control *control, const struct vnrs_ag_record *piece, const void *data, size_t len);
int vnrs_record_parse(struct vnrs_lab *lab, const char *text) VNRS_MUST_CHECK;

// lab_routes.c
// Made if it is not there; NULL: out of memory.
struct vnrs_lab_routes *vnrs_lab_routes_get(struct vnrs_lab *lab, const char *key);
void vnrs_lab_routes_free(struct vnrs_lab_routes *routes);
void vnrs_lab_routes_prune(struct vnrs_lab *lab); // those that no instance has
// NULL: nothing was learned there.
struct vnrs_learned_db *vnrs_lab_learned_in(const struct vnrs_lab *lab, const char *key);
struct vnrs_learned_db *vnrs_lab_learned_of(const struct vnrs_lab *lab, const struct vnrs_vnet *hub); // accepts NULL
// The domain with what is learned: of the pivotal prefixes only (routing.h), of those around `addr` too, or everything.
// AROUND decides for `addr` as everything does. Rows live in `arena`. Returns 0 or -ENOMEM.
//
// While changes wait (routeChangeDelay) these two give what is in force, PIVOTAL what is to come: by it the sinks are
// told.
enum vnrs_lab_learned { VNRS_LAB_LEARNED_PIVOTAL, VNRS_LAB_LEARNED_AROUND, VNRS_LAB_LEARNED_ALL };
int vnrs_lab_domain_compute(const struct vnrs_lab *lab, const struct vnrs_domain *domain, enum vnrs_lab_learned which,
                            const struct vnrs_addr *addr, struct vnrs_arena *arena,
                            struct vnrs_domain *ret_domain) VNRS_MUST_CHECK;

// nics.c
uint32_t vnrs_lab_link_number(const struct vnrs_lab *lab, const char *key); // 0: none
void vnrs_lab_want_nics(struct vnrs_lab *lab, struct vnrs_arena *arena);

// program.c
void vnrs_lab_dirty(struct vnrs_lab *lab);              // recompute everything in the next turn of the loop
void vnrs_lab_learned(struct vnrs_lab *lab);            // what is learned changed
size_t vnrs_lab_pending(const struct vnrs_lab *lab);    // prefixes that changed, but for those that wait
bool vnrs_lab_fib_is_ready(const struct vnrs_lab *lab); // the sinks may be told changes
// The members of the group of routes with these next hops; `vnet` NULL: of a table of an instance's own. Returns how
// many.
unsigned vnrs_lab_members(const struct vnrs_lab *lab, const struct vnrs_vnet *vnet, const struct vnrs_learned_set *set,
                          struct vnrs_fib_member ret_members[static VNRS_GROUP_MEMBERS_MAX]);
// For how long changes of what is learned in a hub have to wait yet (routeChangeDelay), and of how many prefixes; 0:
// there are none, or they need not wait.
uint64_t vnrs_lab_damped_ms(const struct vnrs_lab *lab, const struct vnrs_vnet *hub, size_t *ret_prefixes);
void vnrs_lab_on_damped(evutil_socket_t fd, short what, void *arg);
void vnrs_lab_on_fib_retry(evutil_socket_t fd, short what, void *arg);
void vnrs_lab_release_hold(struct vnrs_lab *lab);
// What is due, now.
int vnrs_lab_compute(struct vnrs_lab *lab) VNRS_MUST_CHECK;

// move.c
// As vnrs_learned_move, of `arg` (struct vnrs_lab): tell the sinks at once.
bool vnrs_lab_move(void *arg, const struct vnrs_learned_merged *merged, const struct vnrs_learned_set *to);
// A backend of a load balancer is out, or in again: likewise.
void vnrs_lab_backend_changed(struct vnrs_lab *lab, const struct vnrs_balancer *lb, const struct vnrs_nic *nic);

// instance.c
void vnrs_instance_attach(struct vnrs_lab *lab, const char *key, int fd); // takes fd
void vnrs_instance_exited(struct vnrs_lab *lab, const char *key);
void vnrs_instances_update(struct vnrs_lab *lab); // the model changed
void vnrs_instance_free(struct vnrs_instance *instance);
struct vnrs_instance *vnrs_instance_find(const struct vnrs_lab *lab, const char *key);
// What the speaker said last of the peer, or NULL.
const struct vnrs_spk_peer *vnrs_instance_find_peer(const struct vnrs_instance *instance, const char *name);
bool vnrs_instances_converged(const struct vnrs_lab *lab);
int vnrs_instance_query(struct vnrs_instance *instance, const struct vnrs_spk_query *query,
                        const struct vnrs_spk_pending *pending) VNRS_MUST_CHECK;
int vnrs_instance_action(struct vnrs_instance *instance, enum vnrs_spk_action_kind kind, const char *peer,
                         const char *text) VNRS_MUST_CHECK;
// instance_dump.c: an MRT dump of the speaker (kind TABLE or UPDATES); `view` names the RIB in it. The sink is called
// from now on, never from within. -EBUSY: there are too many.
int vnrs_instance_dump(struct vnrs_instance *instance, enum vnrs_spk_dump_kind kind, const char *view, uint32_t credit,
                       const struct vnrs_dump_sink *sink, uint32_t *ret_id) VNRS_MUST_CHECK;
// The sink has room for so much more.
void vnrs_instance_dump_more(struct vnrs_instance *instance, uint32_t id, uint32_t credit);
// The sink wants no more; it is not called again.
void vnrs_instance_dump_stop(struct vnrs_instance *instance, uint32_t id);
void vnrs_instance_end_dumps(struct vnrs_instance *instance, int error);
int vnrs_instance_on_dump_data(struct vnrs_instance *instance, const void *items, size_t n) VNRS_MUST_CHECK;
int vnrs_instance_on_dump_end(struct vnrs_instance *instance, const void *items, size_t n) VNRS_MUST_CHECK;
int vnrs_instance_send(struct vnrs_instance *instance, enum vnrs_speaker_msg type, const void *items, size_t n,
                       size_t size) VNRS_MUST_CHECK;
// instance_msg.c: one datagram of the speaker. Returns 0 or a negative errno (the speaker is not to be trusted).
int vnrs_instance_message(struct vnrs_instance *instance, const void *bytes, size_t len) VNRS_MUST_CHECK;
void vnrs_instance_drop_stale(struct vnrs_instance *instance); // routes
void vnrs_instance_end_queries(struct vnrs_instance *instance, int error);
void vnrs_instance_expire_queries(struct vnrs_instance *instance, uint64_t now_ms);
