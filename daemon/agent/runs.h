// SPDX-License-Identifier: GPL-2.0-or-later
// Objects that are processes: PROC (daemons of machines, which outlive the agent) and SPEAKER (children).
#pragma once

#include "agent/lab.h"

int vnrs_agentd_proc_ensure(struct vnrs_agentd_object *object, const void *data, size_t size,
                            enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err) VNRS_MUST_CHECK;
// 1: removed, 0: was not there.
int vnrs_agentd_proc_remove(struct vnrs_agentd_object *object, struct vnrs_err *err) VNRS_MUST_CHECK;
bool vnrs_agentd_proc_runs(const struct vnrs_agentd_object *object);
// Kills what runs; the controller hears that it ended, as if by itself.
void vnrs_agentd_proc_kill(struct vnrs_agentd_object *object);
// Stop watching; the processes go on.
void vnrs_agentd_proc_forget(struct vnrs_agentd_object *object);

// *ret_outcome CREATED: it was started.
int vnrs_agentd_speaker_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                               struct vnrs_err *err) VNRS_MUST_CHECK;
// Tell the controller of those that run.
void vnrs_agentd_speaker_announce(const struct vnrs_agentd_object *object);
// A handle (O_PATH) of the program beside our own: it can be executed without rights to the directories above it.
int vnrs_agentd_speaker_program(void) VNRS_MUST_CHECK;
bool vnrs_agentd_speaker_runs(const struct vnrs_agentd_object *object);
void vnrs_agentd_speaker_stop(const struct vnrs_agentd_object *object); // SIGTERM: it tells its peers
void vnrs_agentd_speaker_free(struct vnrs_agentd_speaker *speaker);     // kills it; accepts NULL
