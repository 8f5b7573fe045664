// SPDX-License-Identifier: GPL-2.0-or-later
// The controller's side of include/vnrs/agent_proto.h: requests are queued, at most so many are under way, each is
// answered once. What comes unasked (records, speakers, events) goes to handlers. A message that breaks the protocol
// ends the channel: the agent is trusted to act, not to be free of bugs.
#pragma once

#include "util/macros.h"
#include "vnrs/agent_proto.h"

#include <event2/event.h>

#include <stdbool.h>

struct vnrs_agent;
struct vnrs_agent_request;

struct vnrs_agent_handlers {
    void (*record)(void *ctx, const struct vnrs_ag_record *record, const void *data, size_t len);
    void (*speaker)(void *ctx, const struct vnrs_ag_speaker *speaker, int fd); // takes fd
    void (*event)(void *ctx, const struct vnrs_ag_event *event);
    void (*flows)(void *ctx, const struct vnrs_ag_flow_events *head, const void *events, size_t size);
    void (*lost)(void *ctx, int err);
};

struct vnrs_agent_request {
    enum vnrs_agent_msg type;
    struct vnrs_ag_obj obj; // ENSURE, REMOVE
    void *owner;            // for vnrs_agent_cancel
    void *arg;
    uint32_t tag; // the owner's: which generation or sync the request belongs to
    // Objects that come before the reply (OBJECT, COUNTER, PROBED); NULL: not expected.
    void (*items)(struct vnrs_agent_request *request, enum vnrs_agent_msg type, const void *items, size_t n);
    // Exactly once, unless the request is cancelled or the channel lost. The request is freed afterwards.
    void (*done)(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply);
    int fd;                  // CONNECT, in `done`: comes with the reply; -1: none. Who wants it takes it (TAKE_FD)
    const void *spec, *data; // ENSURE: what was sent; inside the request
    size_t spec_size, data_size;
};

struct vnrs_agent *vnrs_agent_new(struct event_base *base, int fd, const struct vnrs_agent_handlers *handlers,
                                  void *ctx) VNRS_MUST_CHECK;
void vnrs_agent_free(struct vnrs_agent *agent); // accepts NULL

// Queue a request like `proto` (copied). `fixed` is the message's struct, `spec` and `data` what follows it; all are
// copied. Returns 0 or -ENOMEM.
int vnrs_agent_send(struct vnrs_agent *agent, const struct vnrs_agent_request *proto, const void *fixed,
                    size_t fixed_size, const void *data, size_t data_size) VNRS_MUST_CHECK;
int vnrs_agent_ensure(struct vnrs_agent *agent, const struct vnrs_agent_request *proto, const void *spec,
                      size_t spec_size, const void *data, size_t data_size) VNRS_MUST_CHECK;

// No callback of the owner's requests runs any more; what is queued is still executed.
void vnrs_agent_cancel(struct vnrs_agent *agent, const void *owner);
