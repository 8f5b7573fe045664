// SPDX-License-Identifier: GPL-2.0-or-later
// ENSURE and REMOVE of every type of object, from one table of types.
#pragma once

#include "agent/lab.h"

int vnrs_agentd_ensure(struct vnrs_agentd *ad, const struct vnrs_agentd_msg *msg, enum vnrs_ag_outcome *ret_outcome,
                       struct vnrs_err *err) VNRS_MUST_CHECK;
int vnrs_agentd_remove(struct vnrs_agentd *ad, const struct vnrs_ag_obj *obj, enum vnrs_ag_outcome *ret_outcome,
                       struct vnrs_err *err) VNRS_MUST_CHECK;
// Whether it exists, and in what state, as far as that can be told without a mark.
bool vnrs_agentd_object_is_there(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found);
