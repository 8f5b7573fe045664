// SPDX-License-Identifier: GPL-2.0-or-later
// Guest tables of a lab: the machines' own kernel tables, and when they are written. The fabric never waits for them: a
// flush is answered when the fabric has it, and guest tables follow in short turns of the event loop, so that newer
// requests overtake them. Who wants to know when they are done asks with SETTLE, which is answered then.
#pragma once

#include "agent/lab.h"

int vnrs_agentd_guests_open(struct vnrs_agentd_lab *lab, struct vnrs_err *err) VNRS_MUST_CHECK;
// Everything that waits for an answer gets one.
void vnrs_agentd_guests_free(struct vnrs_agentd_lab *lab);
// Who waits for an answer is gone.
void vnrs_agentd_guests_forget_all(struct vnrs_agentd *ad);

int vnrs_agentd_table_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                             struct vnrs_err *err) VNRS_MUST_CHECK;
// Withdraws the routes as well. Returns 0 or a negative errno; a namespace that is gone is success.
int vnrs_agentd_table_remove(struct vnrs_agentd_object *object, struct vnrs_err *err) VNRS_MUST_CHECK;

// The sink was told to flush: begin to write. *ret_behind: not all is done yet; else returns how it went.
int vnrs_agentd_guests_flush(struct vnrs_agentd_lab *lab, bool *ret_behind, struct vnrs_err *err) VNRS_MUST_CHECK;
// How writing what was said went; *ret_later: that is not known yet, `seq` is answered when it is.
int vnrs_agentd_guests_settle(struct vnrs_agentd_lab *lab, uint32_t seq, bool *ret_later,
                              struct vnrs_err *err) VNRS_MUST_CHECK;

// `sink->error` in a sentence; returns `code`.
int vnrs_agentd_sink_failed(const struct vnrs_sink *sink, int code, struct vnrs_err *err);
