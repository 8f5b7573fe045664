// SPDX-License-Identifier: GPL-2.0-or-later
// What of a lab exists: namespaces and links by their marks, also those that nobody wrote down, the rest by what the
// agent knows of it.
#pragma once

#include "agent/lab.h"
#include "util/vec.h"

struct vnrs_agentd_found {
    struct vnrs_ag_found *items;
    size_t len, cap;
};

// Appends what exists. Namespaces and links are found by their marks, also those that nobody wrote down.
int vnrs_agentd_list(struct vnrs_agentd *ad, const char *lab, struct vnrs_agentd_found *found,
                     struct vnrs_err *err) VNRS_MUST_CHECK;
// Removes what carries the mark of an object that is not written down. 1: removed, 0: was not there.
int vnrs_agentd_unknown_remove(struct vnrs_agentd *ad, const struct vnrs_ag_obj *obj,
                               struct vnrs_err *err) VNRS_MUST_CHECK;
