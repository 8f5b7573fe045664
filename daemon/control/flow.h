// SPDX-License-Identifier: GPL-2.0-or-later
// One packet that the packet path told of: which ones somebody wants to see, and how they look as JSON. Pure.
#pragma once

#include "net/addr.h"
#include "vnrs/agent_proto.h"

#include <jansson.h>

#include <stdbool.h>

enum vnrs_flow_verdict { VNRS_FLOW_ANY, VNRS_FLOW_DROPPED, VNRS_FLOW_FORWARDED };

// Parameters of the query as they came; NULL: not given.
struct vnrs_flow_query {
    const char *reason, *from, *to, *protocol, *port, *verdict, *sample, *seconds;
};

struct vnrs_flow_filter {
    char nic[VNRS_KEY_MAX];      // that sent the packet or gets it; "": any. Set by the caller, who knows the NICs
    int reason;                  // enum vnrs_drop_reason; -1: any
    struct vnrs_prefix from, to; // family NONE: any
    int protocol;                // IP protocol number; 1 is ICMP of both families; -1: any
    uint16_t port;               // of either end; 0: any
    enum vnrs_flow_verdict verdict;
    uint32_t sample;  // of forwarded packets one in so many; 0: none
    uint32_t seconds; // how long; 0: without end
};

struct vnrs_flow_wrong {
    char message[160], help[512];
};

// Returns 0 or -EINVAL with `wrong` filled in.
int vnrs_flow_filter_parse(const struct vnrs_flow_query *query, struct vnrs_flow_filter *ret_filter,
                           struct vnrs_flow_wrong *wrong) VNRS_MUST_CHECK;
// `nic`, `to_nic`: names of the NIC that sent it and the one that gets it, or NULL.
bool vnrs_flow_filter_matches(const struct vnrs_flow_filter *filter, const struct vnrs_bpf_flow_event *event,
                              const char *nic, const char *to_nic);
// Fills in what is in the headers, where the event does not have it (vnrs/bpf_abi.h); `event->bytes` bytes of the
// packet.
void vnrs_flow_read_bytes(struct vnrs_bpf_flow_event *event, const uint8_t *bytes);
bool vnrs_flow_is_forwarded(const struct vnrs_bpf_flow_event *event);
// A packet that the fabric answered itself, or took without a word (ARP), is neither.
bool vnrs_flow_is_dropped(const struct vnrs_bpf_flow_event *event);
// `offset_ns`: what the wall clock is ahead of the event's.
json_t *vnrs_flow_json(const struct vnrs_bpf_flow_event *event, const char *nic, const char *to_nic, int64_t offset_ns);
// What became of it, for the comment of a captured packet; "": that is not known. `inbound`: as the NIC that got it
// sees it.
void vnrs_flow_comment(const struct vnrs_bpf_flow_event *event, bool inbound, const char *nic, const char *to_nic,
                       char *ret_text, size_t size);
