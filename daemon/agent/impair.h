// SPDX-License-Identifier: GPL-2.0-or-later
// What is wrong with a NIC on purpose (VNRS_OBJ_IMPAIR, by the key of its link): queueing discipline of both ends, and
// what the packet path is told. Its link being down is the link's own matter (object.c); here only the packet path
// learns of it, which would deliver nevertheless.
#pragma once

#include "agent/lab.h"

// All of it, or nothing: -EOPNOTSUPP names what the kernel lacks.
int vnrs_agentd_impair_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                              struct vnrs_err *err) VNRS_MUST_CHECK;
// 1: removed, 0: nothing was there. A link that is gone is success.
int vnrs_agentd_impair_remove(struct vnrs_agentd_object *object, struct vnrs_err *err) VNRS_MUST_CHECK;
bool vnrs_agentd_impair_is_there(const struct vnrs_agentd_object *object);
