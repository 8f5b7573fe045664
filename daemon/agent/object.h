// SPDX-License-Identifier: GPL-2.0-or-later
// ENSURE, REMOVE and LIST of every type of object, from one table of types.
#pragma once

#include "agent/lab.h"
#include "util/vec.h"

struct vnrs_agentd_found {
    struct vnrs_ag_found *items;
    size_t len, cap;
};

int vnrs_agentd_ensure(struct vnrs_agentd *ad, const struct vnrs_agentd_msg *msg, enum vnrs_ag_outcome *ret_outcome,
                       struct vnrs_err *err) VNRS_MUST_CHECK;
int vnrs_agentd_remove(struct vnrs_agentd *ad, const struct vnrs_ag_obj *obj, enum vnrs_ag_outcome *ret_outcome,
                       struct vnrs_err *err) VNRS_MUST_CHECK;
// Appends what exists. Namespaces and links are found by their marks, also those that nobody wrote down.
int vnrs_agentd_list(struct vnrs_agentd *ad, const char *lab, struct vnrs_agentd_found *found,
                     struct vnrs_err *err) VNRS_MUST_CHECK;
