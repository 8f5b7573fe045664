// SPDX-License-Identifier: GPL-2.0-or-later
// Packets of a lab, one by one, for a controller that asked to see them: those that the packet path dropped, a sample
// of those that it forwarded, and those of NICs that are captured, with their bytes. Lossy by design: events are read
// in bounded runs with pauses, and not at all while the controller has not taken what was sent before; they wait in a
// ring of fixed size, and what finds no room there is counted. Requests and replies never wait for them. The eBPF data
// plane tells of all three; with the kernel's, nftables hands over drops and samples, with the headers for the
// controller to read and without a sample's next hop type, and sockets on the fabric ends of the NICs see those that
// are captured.
#pragma once

#include "agent/lab.h"

// What the controller wants: on or off, one in how many forwarded packets, and which `n` NICs whole; nothing at all:
// off. -EOPNOTSUPP: the lab's data plane cannot.
int vnrs_agentd_flows_set(struct vnrs_agentd_lab *lab, const struct vnrs_ag_flows *want,
                          const struct vnrs_ag_capture *captures, size_t n, struct vnrs_err *err) VNRS_MUST_CHECK;
// The lab's data plane is about to be closed; it is there (again); so is a link of the fabric.
void vnrs_agentd_flows_pause(struct vnrs_agentd_lab *lab);
void vnrs_agentd_flows_resume(struct vnrs_agentd_lab *lab);
void vnrs_agentd_flows_link(const struct vnrs_agentd_lab *lab, uint32_t ifindex);
// The rules that hand packets over may be gone by another hand: they are made again.
void vnrs_agentd_flows_keep(struct vnrs_agentd_lab *lab);
// Nobody wants to see packets any more.
void vnrs_agentd_flows_stop(struct vnrs_agentd_lab *lab);
void vnrs_agentd_flows_stop_all(struct vnrs_agentd *ad);
