// SPDX-License-Identifier: GPL-2.0-or-later
// HTTP/JSON on the listening descriptor: a table of {method, path, handler}. A handler answers at once or keeps the
// call and answers later; a call whose client went away swallows its answer. Sizes and times are bounded; every refusal
// is JSON with an id and a sentence.
#pragma once

#include "util/macros.h"

#include <event2/http.h>
#include <jansson.h>

#include <stdbool.h>

struct vnrs_control;
struct vnrs_lab;
struct vnrs_model;
struct vnrs_speaker;

struct vnrs_api_call {
    struct vnrs_control *control;
    struct evhttp_request *request; // NULL: the client is gone
    struct vnrs_lab *lab;           // named in the path
    char lab_name[64];
    struct evkeyvalq *query;
    json_t *body;                             // POST
    bool by_tcp;                              // from anybody on this host: only reads, and no packets
    bool streaming;                           // the answer comes in chunks
    void (*gone)(struct vnrs_api_call *call); // streaming: the client went away; the call is freed then
    // State of handlers that answer later.
    json_t *result;
    unsigned waiting;
    void *data;
};

int vnrs_api_start(struct vnrs_control *control, int listen_fd) VNRS_MUST_CHECK; // takes the descriptor
// Clients at this descriptor (loopback TCP) may only read. Takes it.
int vnrs_api_listen_tcp(struct vnrs_control *control, int listen_fd) VNRS_MUST_CHECK;
void vnrs_api_stop(struct vnrs_control *control);

// Both end the call. `json` is taken; NULL (out of memory) becomes an error.
void vnrs_api_reply(struct vnrs_api_call *call, int status, json_t *json);
void vnrs_api_reply_text(struct vnrs_api_call *call, const char *type, const char *text);
void vnrs_api_error(struct vnrs_api_call *call, int status, const char *id, const char *message, const char *help);
// The answer begins: it comes in chunks, for as long as it takes. `gone` is told when the client goes away. Only one
// that does not read is cut off: nothing may happen for hours, and the client says nothing at all.
void vnrs_api_stream(struct vnrs_api_call *call, const char *type, void (*gone)(struct vnrs_api_call *call));
// Both end it; the second so that the client sees that something is missing. The call is freed.
void vnrs_api_stream_end(struct vnrs_api_call *call);
void vnrs_api_stream_abort(struct vnrs_api_call *call);
struct bufferevent *vnrs_api_wire(const struct vnrs_api_call *call); // of the connection, or NULL
// So much waits for a client that does not read that it gets no more: it does not cost memory without end.
bool vnrs_api_is_behind(const struct vnrs_api_call *call);
// NULL: not given (then a 400 was answered where `needed`).
const char *vnrs_api_param(struct vnrs_api_call *call, const char *name, bool needed);

typedef void (*vnrs_api_handler)(struct vnrs_api_call *call);

// api_file.c
void vnrs_api_validate(struct vnrs_api_call *call);
void vnrs_api_plan(struct vnrs_api_call *call);
void vnrs_api_apply(struct vnrs_api_call *call);
void vnrs_api_file_tests(struct vnrs_api_call *call);
void vnrs_api_destroy(struct vnrs_api_call *call);
void vnrs_api_config(struct vnrs_api_call *call);
// api_lab.c
void vnrs_api_labs(struct vnrs_api_call *call);
void vnrs_api_inspect(struct vnrs_api_call *call);
void vnrs_api_peerings(struct vnrs_api_call *call);
void vnrs_api_tests(struct vnrs_api_call *call);
json_t *vnrs_api_tests_of(const struct vnrs_model *model); // the answer to it
// api_status.c
void vnrs_api_status(struct vnrs_api_call *call);
bool vnrs_api_lab_is_ready(struct vnrs_lab *lab);
// api_routes.c
void vnrs_api_effective_routes(struct vnrs_api_call *call);
void vnrs_api_next_hop(struct vnrs_api_call *call);
void vnrs_api_trace(struct vnrs_api_call *call);
// api_bgp.c
void vnrs_api_peers(struct vnrs_api_call *call);
void vnrs_api_learned_routes(struct vnrs_api_call *call);
void vnrs_api_advertised_routes(struct vnrs_api_call *call);
void vnrs_api_rib(struct vnrs_api_call *call);
void vnrs_api_peer_clear(struct vnrs_api_call *call);
void vnrs_api_peer_refresh(struct vnrs_api_call *call);
// The connection named in the parameter "peer": "nva1", or "rs/nva1". False: the call was answered. Borrowed from the
// model.
struct vnrs_api_peer_ref {
    const char *owner, *name;
    unsigned role; // enum vnrs_spk_role of the owner's speakers
};
bool vnrs_api_want_peer(struct vnrs_api_call *call, struct vnrs_api_peer_ref *ref);
// The speakers that have the peer, in their order: begin with NULL. NULL: no more.
const struct vnrs_speaker *vnrs_api_next_speaker(const struct vnrs_lab *lab, const struct vnrs_api_peer_ref *ref,
                                                 const struct vnrs_speaker *last);
// api_gateway.c
// The call is answered, now or later, where its parameter "peer" is a gateway, or a circuit: what it learned, or what
// it told the outside. False: it is neither.
bool vnrs_api_gateway_routes(struct vnrs_api_call *call, bool learned);
// Of one session, in the same format.
void vnrs_api_session_routes(struct vnrs_api_call *call, const struct vnrs_api_peer_ref *ref, bool learned);
// api_peer.c
void vnrs_api_peer(struct vnrs_api_call *call);
// api_dump.c
void vnrs_api_dump(struct vnrs_api_call *call);
// api_flows.c
void vnrs_api_flows(struct vnrs_api_call *call);
// api_capture.c
void vnrs_api_capture(struct vnrs_api_call *call);
// links.c
void vnrs_api_link(struct vnrs_api_call *call);
void vnrs_api_link_change(struct vnrs_api_call *call);
// api_misc.c
void vnrs_api_counters(struct vnrs_api_call *call);
void vnrs_api_doctor(struct vnrs_api_call *call);
void vnrs_api_version(struct vnrs_api_call *call);
void vnrs_api_healthz(struct vnrs_api_call *call);
void vnrs_api_readyz(struct vnrs_api_call *call);
// metrics.c
void vnrs_api_metrics(struct vnrs_api_call *call);
// logged.c
void vnrs_api_log(struct vnrs_api_call *call);
// events.c
void vnrs_api_events(struct vnrs_api_call *call);
