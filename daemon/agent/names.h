// SPDX-License-Identifier: GPL-2.0-or-later
// Names in the file system that lead to kernel objects of ours, and that somebody may remove: those of namespaces, and
// pins of the eBPF data plane. Watched by one inotify descriptor.
#pragma once

#include "agent/lab.h"

// Watch the directory of namespace names; harmless where it is done already or the directory is not there.
void vnrs_agentd_names_watch(struct vnrs_agentd *ad);
// Watch a directory of pins that are the lab's; harmless where it is done already.
void vnrs_agentd_names_pins_watch(struct vnrs_agentd_lab *lab, const char *dir);
// Before they go by our own hand.
void vnrs_agentd_names_pins_leave(struct vnrs_agentd_lab *lab);
void vnrs_agentd_names_free(struct vnrs_agentd *ad);
