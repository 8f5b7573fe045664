// SPDX-License-Identifier: GPL-2.0-or-later
// A lab's fabric: its namespace and data plane, and the sinks that take its routes (also without a fabric: guest tables
// only).
#pragma once

#include "agent/lab.h"

// Makes namespace and data plane as the FABRIC object says.
int vnrs_agentd_fabric_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                              struct vnrs_err *err) VNRS_MUST_CHECK;
// Data plane and namespace go; success where there is none.
int vnrs_agentd_fabric_remove(struct vnrs_agentd_lab *lab, enum vnrs_ag_outcome *ret_outcome,
                              struct vnrs_err *err) VNRS_MUST_CHECK;
// Close what is open; everything stays in the kernel.
void vnrs_agentd_fabric_forget(struct vnrs_agentd_lab *lab);
// Puts the packet path on the fabric end of a NIC.
int vnrs_agentd_fabric_attach(struct vnrs_agentd_lab *lab, const char *ifname, uint32_t ifindex,
                              struct vnrs_err *err) VNRS_MUST_CHECK;

int vnrs_agentd_table_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                             struct vnrs_err *err) VNRS_MUST_CHECK;
// Withdraws the routes as well. Returns 0 or a negative errno; a namespace that is gone is success.
int vnrs_agentd_table_remove(struct vnrs_agentd_object *object, struct vnrs_err *err) VNRS_MUST_CHECK;

// One FIB message to every sink of the lab. *ret_writes: what they wrote so far.
int vnrs_agentd_fib(struct vnrs_agentd_lab *lab, const struct vnrs_ag_fib *fib, const void *data, uint64_t *ret_writes,
                    struct vnrs_err *err) VNRS_MUST_CHECK;
