// SPDX-License-Identifier: GPL-2.0-or-later
// A lab's fabric: its namespace and data plane, and what hands routes to the sinks (also without a fabric: to guest
// tables only, see guests.h).
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
// Every packet that the kernel's data plane drops, and one in `sample` of those that it delivers (0: none), goes to
// group VNRS_KERNEL_LOG_GROUP of NFLOG; `on` false: none.
int vnrs_agentd_fabric_log(struct vnrs_agentd_lab *lab, bool on, uint32_t sample) VNRS_MUST_CHECK;
// Puts the packet path on the fabric end of a NIC.
int vnrs_agentd_fabric_attach(struct vnrs_agentd_lab *lab, const char *ifname, uint32_t ifindex,
                              struct vnrs_err *err) VNRS_MUST_CHECK;
// The same where the link was just made, by a socket of the fabric: nothing is there yet that would have to be asked
// for.
int vnrs_agentd_fabric_attach_new(struct vnrs_agentd_lab *lab, const char *ifname, uint32_t ifindex,
                                  struct vnrs_rtnl *nl, struct vnrs_err *err) VNRS_MUST_CHECK;
// A socket of the fabric that stays open, and is the lab's; NULL: the name of the fabric means no namespace that is
// open here.
struct vnrs_rtnl *vnrs_agentd_fabric_socket(struct vnrs_agentd_lab *lab);

// One FIB message to every sink of the lab. *ret_behind: guest tables are not done with it.
int vnrs_agentd_fib(struct vnrs_agentd_lab *lab, const struct vnrs_ag_fib *fib, const void *data, bool *ret_behind,
                    struct vnrs_err *err) VNRS_MUST_CHECK;
