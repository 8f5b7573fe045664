// SPDX-License-Identifier: GPL-2.0-or-later
// Who watches single packets of a lab over a stream of the API, and what they get: lines of JSON (api_flows.c) or a
// capture (api_capture.c). The agent reads packets only while somebody watches, and only what is wanted. Lossy by
// design: each watcher is told how many packets it did not get, wherever they were lost.
#pragma once

#include "control/api.h"
#include "control/flow.h"

struct evbuffer;
struct vnrs_watcher;

struct vnrs_watched { // a packet
    const struct vnrs_bpf_flow_event *event;
    const uint8_t *bytes; // `event->bytes` of them
    const char *nic, *to_nic;
    int64_t offset_ns; // what the wall clock is ahead of the event's
};

struct vnrs_watch_kind {
    const char *type; // of the answer
    // What the answer begins with. NULL: nothing.
    void (*begin)(const struct vnrs_watcher *watcher, struct evbuffer *out);
    // It lost `watcher->lost` packets; cleared where the client was told. NULL: `show` tells.
    void (*lost)(struct vnrs_watcher *watcher, struct evbuffer *out);
    void (*show)(struct vnrs_watcher *watcher, const struct vnrs_watched *packet, struct evbuffer *out);
};

struct vnrs_watcher { // `data` of a call
    const struct vnrs_watch_kind *kind;
    struct vnrs_flow_filter filter;
    uint32_t number, bytes; // of the link that is captured, and of each packet at most; 0: drops and samples are wanted
    uint32_t left;          // packets until the end; 0: no end
    uint64_t lost;          // to be told
    uint64_t credit;        // samples that have come for it, weighed by what each stands for
    struct event *end;
};

// The call becomes a stream when the agent has agreed; else it is answered. `watcher` is copied.
void vnrs_watch_begin(struct vnrs_api_call *call, const struct vnrs_watcher *watcher);
// The parameters that both have in common. Where one is wrong the call was answered: false.
bool vnrs_watch_want_filter(struct vnrs_api_call *call, const struct vnrs_flow_query *extra,
                            struct vnrs_flow_filter *ret_filter);
// The link that the parameter "nic" means: a NIC, or what else is at the fabric (the Internet edge, a service). NULL:
// the call was answered.
const char *vnrs_watch_want_nic(struct vnrs_api_call *call, const char *name);
