// SPDX-License-Identifier: GPL-2.0-or-later
// Every request of the controller is checked here before anything is done with it: length against counts, names, enums,
// addresses, ranges. The controller handles bytes of users and peers; it is not trusted. Pure.
#pragma once

#include "lab/err.h"
#include "vnrs/agent_proto.h"

union vnrs_agentd_spec {
    struct vnrs_obj_fabric fabric;
    struct vnrs_obj_netns netns;
    struct vnrs_obj_link link;
    struct vnrs_obj_route route;
    struct vnrs_obj_snat snat;
    struct vnrs_obj_table table;
    struct vnrs_obj_proc proc;
    struct vnrs_obj_speaker speaker;
    struct vnrs_impair impair;
};

// A request taken apart; pointers are into the message.
struct vnrs_agentd_msg {
    struct vnrs_ag_hdr hdr;
    const void *fixed;                  // the type's struct; NULL: it has none
    const union vnrs_agentd_spec *spec; // ENSURE; only the member of the type is there
    const void *data;
    size_t data_size;
};

// `bytes` is aligned for any object. Returns 0, -EINVAL (answer the request with `err`), or -EPROTO (no request at all:
// the controller is broken).
int vnrs_agentd_check(const void *bytes, size_t len, struct vnrs_agentd_msg *ret_msg,
                      struct vnrs_err *err) VNRS_MUST_CHECK;

size_t vnrs_agentd_spec_size(uint32_t type);      // 0: no such type
const char *vnrs_agentd_type_name(uint32_t type); // "link"
size_t vnrs_agentd_fib_size(uint32_t kind);       // of one struct of the kind; 0: the kind has none
